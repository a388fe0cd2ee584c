/**
 * Which commands of a log somebody wants to see: by key, name, time, and who caused them.
 *
 *      --key user:42     an argument equals it ──► and it is one of the command's keys        other commands: one look
 *      --key user:*      the command's keys ──► one of them matches
 *      either            FLUSHALL, FLUSHDB, SWAPDB: they concern every key
 *
 *  I1  Nothing is created per command that is looked at.
 *  I2  MULTI, EXEC and SELECT are of no key; SELECT is never wanted: each command shows its database.
 */

import { globMatch } from "../../core/glob.ts";
import type { AofReader } from "../../history/formats/aof-reader.ts";
import type { Request } from "../../protocol/request.ts";
import type { CommandIndex } from "../../session/command-index.ts";
import { KeyFinder } from "../../session/key-specs.ts";

export interface FilterWishes {
  /** A pattern as KEYS takes it. */
  readonly key?: string;
  /** Names in any case; empty: all. */
  readonly commands?: readonly string[];
  readonly fromMs?: number;
  readonly toMs?: number;
  /** A pattern for the client's address; also "expired" and "evicted". */
  readonly source?: string;
}

const SPECIAL = /[*?[\\]/;

/** Whether a pattern matches nothing but itself. */
export function isLiteral(pattern: string): boolean {
  return !SPECIAL.test(pattern);
}

export class CommandFilter {
  readonly fromMs: number;
  readonly toMs: number;
  private readonly commands: CommandIndex;
  private readonly key: Uint8Array | undefined;
  private readonly isLiteralKey: boolean;
  private readonly names: readonly string[];
  private readonly source: Uint8Array | undefined;
  private readonly hasTimes: boolean;
  private readonly finder: KeyFinder;
  /** The last source that was looked at, and what came of it. */
  private lastSource: string | undefined;
  private isLastWanted: boolean;

  constructor(wishes: FilterWishes, commands: CommandIndex) {
    this.fromMs = wishes.fromMs ?? Number.NEGATIVE_INFINITY;
    this.toMs = wishes.toMs ?? Number.POSITIVE_INFINITY;
    this.commands = commands;
    this.key = wishes.key === undefined ? undefined : Buffer.from(wishes.key, "utf8");
    this.isLiteralKey = wishes.key !== undefined && isLiteral(wishes.key);
    this.names = (wishes.commands ?? []).map((name) => name.toUpperCase());
    this.source = wishes.source === undefined ? undefined : Buffer.from(wishes.source, "utf8");
    this.hasTimes = wishes.fromMs !== undefined || wishes.toMs !== undefined;
    this.finder = new KeyFinder();
    this.lastSource = undefined;
    this.isLastWanted = false;
  }

  /** Whether the command that `reader` has just read is wanted. hot path */
  wants(reader: AofReader): boolean {
    const { request } = reader;
    if (this.isLiteralKey) {
      if (!this.hasArgument(request) && !concernsAllKeys(request)) return false;
    } else if (request.length[0] === 6 && request.is(0, "SELECT")) return false;
    if (this.hasTimes && !(reader.timeMs >= this.fromMs && reader.timeMs <= this.toMs)) return false;
    if (this.names.length > 0 && !this.isNamed(request)) return false;
    if (this.source !== undefined && !this.isSource(reader.source)) return false;
    return this.key === undefined || this.hasKey(request);
  }

  private isNamed(request: Request): boolean {
    for (let index = 0; index < this.names.length; index++) if (request.is(0, this.names[index]!)) return true;
    return false;
  }

  private isSource(source: string | undefined): boolean {
    if (source === undefined) return false;
    if (source !== this.lastSource) {
      const bytes = Buffer.from(source, "latin1");
      this.lastSource = source;
      this.isLastWanted = globMatch(this.source!, 0, this.source!.length, bytes, 0, bytes.length, false);
    }
    return this.isLastWanted;
  }

  /** Whether an argument is the key that is looked for. */
  private hasArgument(request: Request): boolean {
    const key = this.key!;
    const size = key.length;
    const { input, offset, length, count } = request;
    for (let index = 1; index < count; index++) {
      if (length[index] !== size) continue;
      const start = offset[index]!;
      // Keys of an application differ at their end sooner than at their beginning.
      let at = size - 1;
      while (at >= 0 && input[start + at] === key[at]) at--;
      if (at < 0) return true;
    }
    return false;
  }

  private hasKey(request: Request): boolean {
    if (concernsAllKeys(request)) return true;
    const key = this.key!;
    const found = this.commands.find(request, 0);
    if (found === undefined) return false;
    const command =
      found.subcommands !== undefined && request.count > 1 ? (found.subcommands.find(request, 1) ?? found) : found;
    if (!command.keyRules.hasKeys) return false;
    const { finder } = this;
    finder.find(command.keyRules, request, 0);
    for (let index = 0; index < finder.count; index++) {
      const position = finder.positions[index]!;
      const start = request.offset[position]!;
      if (globMatch(key, 0, key.length, request.input, start, request.length[position]!, false)) return true;
    }
    return false;
  }
}

/** FLUSHALL, FLUSHDB, SWAPDB. hot path */
function concernsAllKeys(request: Request): boolean {
  const length = request.length[0]!;
  if (length === 8) return request.is(0, "FLUSHALL");
  if (length === 7) return request.is(0, "FLUSHDB");
  return length === 6 && request.is(0, "SWAPDB");
}
