/**
 * ACL LOG: who was refused what, newest first.
 *
 *      refusal ──► equal to one of the ten newest entries, and soon after it?  yes: counted there, moved to the front
 *                                                                              no: a new entry, the oldest may go
 *
 *  I1  Ids only grow, also across RESET.
 *  I2  Entries are in the order of their last refusal.
 *  Source: behaviour of redis-server 7.0; ids and times of entries as 7.2 documents them.
 */

const GROUPED_ENTRIES = 10;
const GROUPED_MS = 60_000;

export type DenialReason = "command" | "key" | "channel" | "auth";
export type DenialContext = "toplevel" | "multi" | "lua" | "module";

export interface LogEntry {
  readonly id: number;
  count: number;
  readonly reason: DenialReason;
  readonly context: DenialContext;
  /** Command, key or channel, one character per byte. */
  readonly object: string;
  readonly user: string;
  readonly createdMs: number;
  updatedMs: number;
  /** As CLIENT LIST shows the client that was refused last. */
  client: string;
}

export class AclLog {
  /** Newest first. */
  entries: LogEntry[];
  private lengthMax: number;
  private nextId: number;

  constructor() {
    this.entries = [];
    this.lengthMax = 128;
    this.nextId = 0;
  }

  /** acllog-max-len. */
  setLengthMax(count: number): void {
    this.lengthMax = count;
    this.trim();
  }

  add(reason: DenialReason, context: DenialContext, object: string, user: string, client: string, nowMs: number): void {
    const place = this.entries.findIndex(
      (entry, index) =>
        index < GROUPED_ENTRIES &&
        entry.reason === reason &&
        entry.context === context &&
        Math.abs(nowMs - entry.updatedMs) <= GROUPED_MS &&
        entry.object === object &&
        entry.user === user,
    );
    if (place === -1) {
      const id = this.nextId++;
      this.entries.unshift({ id, count: 1, reason, context, object, user, createdMs: nowMs, updatedMs: nowMs, client });
      this.trim();
      return;
    }
    const entry = this.entries[place]!;
    this.entries.splice(place, 1);
    this.entries.unshift(entry);
    entry.count++;
    entry.updatedMs = nowMs;
    entry.client = client;
  }

  private trim(): void {
    if (this.entries.length > this.lengthMax) this.entries.length = this.lengthMax;
  }
}
