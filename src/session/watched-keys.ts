/**
 * Watched keys: who is to be told, at EXEC, that a key is not what it was at WATCH.
 *
 *      entries    hash of a key ──► entry { database, key, watches } ──► next entry with that hash
 *                                                       └─ client ──► Watch { entry, wasOver }
 *      client.watches   its own Watch objects, so that UNWATCH costs what was watched
 *
 *  I1  Each Watch stands in its client's list and in its entry's map; an entry without watches is gone.
 *  I2  This object observes changed keys exactly as long as there is an entry: otherwise commands pay nothing.
 *  I3  A key whose time was over at WATCH and that is then deleted for it has not changed (`wasOver`).
 *  Source: behaviour of WATCH in redis-server 7.0.
 */

import type { CommandContext, KeyObserver } from "../commands/command.ts";
import type { Database } from "../store/keyspace/keyspace.ts";
import type { Client } from "./client.ts";

interface WatchedKey {
  readonly hash: number;
  readonly database: Database;
  readonly key: Uint8Array;
  readonly watches: Map<Client, Watch>;
  next: WatchedKey | undefined;
}

/** One client's interest in one key. */
export interface Watch {
  readonly entry: WatchedKey;
  /** The key was there at WATCH, but its time was over (I3). */
  wasOver: boolean;
}

/** What one watched key costs besides its bytes: a Watch, an entry, a map with one place in it. */
const WATCH_BASE_BYTES = 400;

export class WatchedKeys implements KeyObserver {
  private readonly context: CommandContext;
  private readonly entries: Map<number, WatchedKey>;

  constructor(context: CommandContext) {
    this.context = context;
    this.entries = new Map();
  }

  /** Keys that somebody watches, by their hashes. */
  get size(): number {
    return this.entries.size;
  }

  /** `client` watches the key `bytes[start ... start+length)` from now on; twice is once. */
  watch(client: Client, database: Database, bytes: Uint8Array, start: number, length: number): void {
    const keyspace = this.context.keyspace;
    const hash = keyspace.hash.hash(bytes, start, length);
    let entry = this.find(hash, database, bytes, start, length);
    if (entry === undefined) {
      const key = bytes.slice(start, start + length);
      entry = { hash, database, key, watches: new Map(), next: this.entries.get(hash) };
      this.entries.set(hash, entry);
      if (this.entries.size === 1) this.context.observe(this);
    }
    if (entry.watches.has(client)) return;
    const watch = { entry, wasOver: this.isOver(database, entry.key) };
    entry.watches.set(client, watch);
    client.watches.push(watch);
    client.watchedBytes += length + WATCH_BASE_BYTES;
  }

  /** `client` watches nothing any more. */
  unwatch(client: Client): void {
    if (client.watches.length === 0) return;
    for (const watch of client.watches) {
      const entry = watch.entry;
      entry.watches.delete(client);
      if (entry.watches.size === 0) this.remove(entry);
    }
    client.watches = [];
    client.watchedBytes = 0;
    if (this.entries.size === 0) this.context.ignore(this);
  }

  /** Whether the time of a key that `client` watches has run out since WATCH. */
  hasRunOut(client: Client): boolean {
    return client.watches.some(({ entry, wasOver }) => !wasOver && this.isOver(entry.database, entry.key));
  }

  // ---- what commands tell -------------------------------------------------------------------------------------------

  keyTouched(database: Database, bytes: Uint8Array, start: number, length: number, isRemoval: boolean): void {
    const hash = this.context.keyspace.hash.hash(bytes, start, length);
    const entry = this.find(hash, database, bytes, start, length);
    if (entry === undefined) return;
    for (const [client, watch] of entry.watches) {
      if (isRemoval && watch.wasOver) {
        watch.wasOver = false;
        continue;
      }
      client.hasChangedKeys = true;
      // It will not be told twice, and whatever else it watches does not matter any more.
      this.unwatch(client);
    }
  }

  databaseTouched(database: Database, replacement: Database | undefined): void {
    for (const first of [...this.entries.values()]) {
      for (let entry: WatchedKey | undefined = first; entry !== undefined; entry = entry.next) {
        if (entry.database === database) this.replaced(entry, replacement);
      }
    }
  }

  /** All of the entry's database goes, and that of `replacement` takes its place. */
  private replaced(entry: WatchedKey, replacement: Database | undefined): void {
    const wasThere = this.isThere(entry.database, entry.key);
    const willBeThere = replacement !== undefined && this.isThere(replacement, entry.key);
    if (!wasThere && !willBeThere) return;
    const willBeOver = willBeThere && this.isOver(replacement, entry.key);
    for (const [client, watch] of entry.watches) {
      if (watch.wasOver && !willBeThere) watch.wasOver = false;
      else if (watch.wasOver && willBeOver) continue;
      else if (!watch.wasOver && !wasThere && willBeOver) watch.wasOver = true;
      else client.hasChangedKeys = true;
    }
  }

  // ---- entries --------------------------------------------------------------------------------------------------------

  private find(
    hash: number,
    database: Database,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): WatchedKey | undefined {
    let entry = this.entries.get(hash);
    while (entry !== undefined && (entry.database !== database || !isKey(entry.key, bytes, start, length))) {
      entry = entry.next;
    }
    return entry;
  }

  private remove(entry: WatchedKey): void {
    const first = this.entries.get(entry.hash)!;
    if (first === entry) {
      if (entry.next === undefined) this.entries.delete(entry.hash);
      else this.entries.set(entry.hash, entry.next);
      return;
    }
    let before = first;
    while (before.next !== entry) before = before.next!;
    before.next = entry.next;
  }

  /** Whether the key has a record, though its time may be over. */
  private isThere(database: Database, key: Uint8Array): boolean {
    return this.context.keyspace.lookupSilently(database, key) !== 0;
  }

  private isOver(database: Database, key: Uint8Array): boolean {
    const keyspace = this.context.keyspace;
    const record = keyspace.lookupSilently(database, key);
    return record !== 0 && keyspace.isExpired(record);
  }
}

function isKey(key: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (key.length !== length) return false;
  for (let at = 0; at < length; at++) if (key[at] !== bytes[start + at]) return false;
  return true;
}
