/**
 * Diff: what changed between two moments.
 *
 *      base ──► first moment ──── log: before each command, the value of the keys that it names ────► second moment
 *                                      is kept, unless it is already                                  │
 *                                 old values ◄─────────────────── compared ──────────────────────────┘
 *
 *  I1  Memory grows with the keys that the log between the moments names, not with all that there are.
 *  I2  A key that was changed and changed back is not in the result.
 *  I3  FLUSHALL, FLUSHDB and SWAPDB name every key of their databases.
 */

import { globMatch } from "../../core/glob.ts";
import type { AofReader } from "../../history/formats/aof-reader.ts";
import type { Request } from "../../protocol/request.ts";
import type { CommandIndex } from "../../session/command-index.ts";
import { KEY_OW, KEY_RM, KEY_RW, KeyFinder } from "../../session/key-specs.ts";
import { RecordList } from "../../store/encodings/hash-table.ts";
import type { Database, Keyspace } from "../../store/keyspace/keyspace.ts";
import type { ReplayEngine } from "./engine.ts";
import type { Plan } from "./plan.ts";
import { carryOut, type ReplayProgress, SegmentRun } from "./replay.ts";
import type { Timeline } from "./timeline.ts";
import { isSameValue, payloadKind, valuePayload } from "./value-model.ts";

const WRITES = KEY_RW | KEY_OW | KEY_RM;

/** A value at one of the two moments. */
export interface KeyState {
  /** For modelOf. */
  readonly payload: Uint8Array;
  /** -1: does not expire. */
  readonly expireAtMs: number;
}

export interface KeyChange {
  readonly database: number;
  readonly key: Uint8Array;
  readonly kind: "created" | "changed" | "deleted";
  readonly before: KeyState | undefined;
  readonly after: KeyState | undefined;
}

export interface DiffWishes {
  /** A pattern for keys. */
  readonly match?: string;
  /** string, list, set, zset, hash or stream: what the key is at one of the moments. */
  readonly type?: string;
}

/** An engine that also knows the command table. */
export interface DiffEngine extends ReplayEngine {
  readonly commands: CommandIndex;
}

/**
 * The changes between two plans of the same base, ordered by database and key. `engine` is empty before and holds the
 * second moment afterwards. Throws TimelineFault, DiskFault.
 */
export function findChanges(
  timeline: Timeline,
  first: Plan,
  second: Plan,
  engine: DiffEngine,
  wishes: DiffWishes,
  onProgress: ReplayProgress = () => undefined,
): KeyChange[] {
  carryOut(timeline, first, engine, onProgress);
  const kept = new KeptValues(engine, wishes);
  const run = new SegmentRun(timeline, engine, [], first.reached.timeMs);
  run.continueFrom(first);
  run.onCommand = (reader) => kept.keep(reader);
  let doneBytes = first.baseBytes;
  for (const segment of second.segments) {
    const done = first.segments.find(({ increment }) => increment === segment.increment)?.endBytes ?? 0;
    const bytesBefore = doneBytes;
    if (done < segment.endBytes)
      run.execute(segment, done, segment.endBytes, (bytes) => onProgress(bytesBefore + bytes));
    doneBytes += segment.endBytes;
  }
  return kept.changes();
}

/** The keys that are named, and what they were before. */
class KeptValues {
  private readonly keyspace: Keyspace;
  private readonly commands: CommandIndex;
  private readonly pattern: Uint8Array | undefined;
  private readonly type: string | undefined;
  private readonly finder: KeyFinder;
  /** By database, by key (latin1); undefined: the key was not there. */
  private readonly values: Map<number, Map<string, KeyState | undefined>>;

  constructor(engine: DiffEngine, { match, type }: DiffWishes) {
    this.keyspace = engine.keyspace;
    this.commands = engine.commands;
    this.pattern = match === undefined ? undefined : Buffer.from(match, "utf8");
    this.type = type;
    this.finder = new KeyFinder();
    this.values = new Map();
  }

  /** Keeps what the command that is about to be executed may change. */
  keep({ request, database }: AofReader): void {
    const { length } = request;
    const size = length[0]!;
    if (size === 8 && request.is(0, "FLUSHALL")) {
      for (const each of this.keyspace.databases) this.keepAll(each.index);
    } else if (size === 7 && request.is(0, "FLUSHDB")) {
      this.keepAll(database);
    } else if (size === 6 && request.is(0, "SWAPDB")) {
      const first = request.integer(1);
      const second = request.integer(2);
      this.keepAll(first, second);
      this.keepAll(second, first);
    } else {
      this.keepNamed(request, database);
    }
  }

  private keepNamed(request: Request, database: number): void {
    const found = this.commands.find(request, 0);
    if (found === undefined) return;
    const command =
      found.subcommands !== undefined && request.count > 1 ? (found.subcommands.find(request, 1) ?? found) : found;
    if (!command.keyRules.hasKeys) return;
    const { finder } = this;
    finder.find(command.keyRules, request, 0);
    for (let index = 0; index < finder.count; index++) {
      if ((finder.flags[index]! & WRITES) !== 0) this.keepArgument(request, finder.positions[index]!, database);
    }
    // Keys that come to lie in another database than the one that is chosen.
    if (command.name === "MOVE" && request.count > 2) this.keepArgument(request, 1, request.integer(2));
    else if (command.name === "COPY") {
      for (let index = 3; index + 1 < request.count; index++) {
        if (request.is(index, "DB")) this.keepArgument(request, 2, request.integer(index + 1));
      }
    }
  }

  private keepArgument(request: Request, argument: number, index: number): void {
    if (this.keyspace.databases[index] === undefined) return;
    const { input, offset, length } = request;
    const start = offset[argument]!;
    const size = length[argument]!;
    if (!this.isWanted(input, start, size)) return;
    this.keepKey(index, Buffer.from(input.buffer, input.byteOffset + start, size).toString("latin1"));
  }

  private keepKey(index: number, name: string): void {
    const kept = this.keptOf(index);
    if (kept.has(name)) return;
    kept.set(name, this.stateOf(this.keyspace.databases[index]!, Buffer.from(name, "latin1")));
  }

  /** All keys of database `index`, and what keys of these names there are in database `other`. */
  private keepAll(index: number, other = index): void {
    const { keyspace } = this;
    const database = keyspace.databases[index];
    if (database === undefined || keyspace.keyCount(database) === 0) return;
    const kept = this.keptOf(index);
    const { tables, records } = keyspace;
    const chain = new RecordList();
    const bucketCount = tables.bucketCount(database.table);
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const count = tables.readChain(tables.bucketAt(database.table, bucket), chain);
      for (let each = 0; each < count; each++) {
        const record = chain.records[each]!;
        const key = records.key(record);
        const name = Buffer.from(key).toString("latin1");
        if (!this.isWanted(key, 0, key.length)) continue;
        if (!kept.has(name)) kept.set(name, this.stateOfRecord(record));
        if (other !== index) this.keepKey(other, name);
      }
    }
  }

  private keptOf(index: number): Map<string, KeyState | undefined> {
    let kept = this.values.get(index);
    if (kept === undefined) {
      kept = new Map();
      this.values.set(index, kept);
    }
    return kept;
  }

  private isWanted(bytes: Uint8Array, start: number, length: number): boolean {
    const { pattern } = this;
    return pattern === undefined || globMatch(pattern, 0, pattern.length, bytes, start, length, false);
  }

  private stateOf(database: Database, key: Uint8Array): KeyState | undefined {
    const record = this.keyspace.lookupSilently(database, key);
    return record === 0 ? undefined : this.stateOfRecord(record);
  }

  private stateOfRecord(record: number): KeyState {
    const { keyspace } = this;
    return { payload: valuePayload(keyspace, record), expireAtMs: keyspace.records.expireAtMs(record) };
  }

  /** What is different now from what was kept. */
  changes(): KeyChange[] {
    const changes: KeyChange[] = [];
    for (const [index, kept] of [...this.values].sort(([left], [right]) => left - right)) {
      const database = this.keyspace.databases[index]!;
      const ofDatabase: KeyChange[] = [];
      for (const [name, before] of kept) {
        const key = Buffer.from(name, "latin1");
        const after = this.stateOf(database, key);
        const kind = kindOf(before, after);
        if (kind !== undefined && this.isOfType(before, after))
          ofDatabase.push({ database: index, key, kind, before, after });
      }
      ofDatabase.sort((left, right) => Buffer.compare(left.key, right.key));
      changes.push(...ofDatabase);
    }
    return changes;
  }

  private isOfType(before: KeyState | undefined, after: KeyState | undefined): boolean {
    const { type } = this;
    if (type === undefined) return true;
    return [before, after].some((state) => state !== undefined && payloadKind(state.payload) === type);
  }
}

function kindOf(before: KeyState | undefined, after: KeyState | undefined): KeyChange["kind"] | undefined {
  if (before === undefined) return after === undefined ? undefined : "created";
  if (after === undefined) return "deleted";
  const isSame = before.expireAtMs === after.expireAtMs && isSameValue(before.payload, after.payload);
  return isSame ? undefined : "changed";
}
