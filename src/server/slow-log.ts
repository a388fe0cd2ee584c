/**
 * The slow log: the commands that took longest lately, newest first.
 *
 *  I1  At most `lengthMax` entries; ids only grow, also over SLOWLOG RESET.
 *  I2  An entry is bounded: at most ARGUMENTS_MAX arguments of at most ARGUMENT_BYTES_MAX bytes, the rest is counted.
 *  I3  Passwords do not get in: `redact` names the arguments that are replaced.
 *  Source: SLOWLOG as the Redis documentation describes it.
 */

import type { Request } from "../protocol/request.ts";
import type { Client } from "../session/client.ts";
import type { Command } from "../session/command-index.ts";
import { isSecret, REDACTED } from "../session/redaction.ts";
import { sensitiveArguments } from "./config/commands.ts";

const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;

export interface SlowLogEntry {
  readonly id: number;
  readonly atSeconds: number;
  readonly microseconds: number;
  /** latin1 text. */
  readonly words: readonly string[];
  readonly address: string;
  readonly clientName: string;
}

export class SlowLog {
  /** slowlog-max-len */
  lengthMax: number;
  /** slowlog-log-slower-than; negative: nothing is kept. */
  thresholdUs: number;
  /** Newest first. */
  entries: SlowLogEntry[];
  private nextId: number;

  constructor() {
    this.lengthMax = 128;
    this.thresholdUs = 10_000;
    this.entries = [];
    this.nextId = 0;
  }

  add(command: Command, request: Request, client: Client, microseconds: number, nowMs: number): void {
    if (this.thresholdUs < 0 || microseconds < this.thresholdUs) return;
    this.entries.unshift({
      id: this.nextId++,
      atSeconds: Math.floor(nowMs / 1000),
      microseconds: Math.round(microseconds),
      words: words(command, request),
      address: client.connection.remoteAddress,
      clientName: client.name,
    });
    this.trim();
  }

  trim(): void {
    if (this.entries.length > this.lengthMax) this.entries.length = this.lengthMax;
  }

  reset(): void {
    this.entries = [];
  }
}

function words(command: Command, request: Request): string[] {
  const redacted = redact(command, request);
  const shown = request.count > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : request.count;
  const result: string[] = [];
  for (let index = 0; index < shown; index++) {
    if (redacted.includes(index)) {
      result.push(REDACTED);
      continue;
    }
    const length = request.length[index]!;
    if (length <= ARGUMENT_BYTES_MAX) {
      result.push(request.text(index));
      continue;
    }
    const start = request.offset[index]!;
    const head = Buffer.from(request.input.subarray(start, start + ARGUMENT_BYTES_MAX)).toString("latin1");
    result.push(`${head}... (${length - ARGUMENT_BYTES_MAX} more bytes)`);
  }
  if (shown < request.count) result.push(`... (${request.count - shown} more arguments)`);
  return result;
}

function redact(command: Command, request: Request): number[] {
  if (command.name === "CONFIG|SET") return sensitiveArguments(request);
  const secret: number[] = [];
  for (let index = 1; index < request.count; index++) if (isSecret(command, request, index)) secret.push(index);
  return secret;
}
