/**
 * Keyspace: the databases, their keys and values; the only owner of arena addresses.
 *
 *      Database 0 ── table ───┐                     ┌── record (key, short value) ── value cell (long value)
 *                 ── expires ─┴─► HashTable chains ─┘          both tables hold the same record address
 *      Database 1 ...
 *
 *  I1  A record with EXPIRES stands in its database's `table` and `expires`, every other one in `table` alone.
 *  I2  Every change of a record or of a chain is preceded by `HashTable.touch` on its home bucket: this is the one
 *      place where a snapshot learns of writes.
 *  I3  New cells are allocated before old ones are freed: ArenaExhausted leaves everything as it was.
 *  I4  Record addresses and value views are valid until the next call that writes.
 *  I5  An expired record is never given to a caller; finding one deletes it.
 *
 * Time is `nowMs`, set by whoever drives the commands, once a turn: all commands of a turn see the same moment.
 */

import { assert } from "../../core/assert.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { type Capture, HashTable, RecordList, WARM_MAX } from "../encodings/hash-table.ts";
import { Database, KeyspaceStatistics } from "./database.ts";
import { FlushedTables } from "./flushed-tables.ts";
import { verifyKeyspace } from "./keyspace-inspection.ts";
import { RECORD_EXPIRES, Records, TYPE_STRING } from "./record.ts";
import { RecordStore } from "./record-store.ts";
import { encodingOf } from "./string-encoding.ts";

export { Database, KeyspaceStatistics } from "./database.ts";
export { encodingOf } from "./string-encoding.ts";

/** For `setString`: the key does not expire. */
export const NO_EXPIRY = -1;
/** For `setString`: the key keeps the time it has. */
export const KEEP_EXPIRY = -2;

/** Up to here a growing string gets twice the room it needs, beyond it a quarter more: appending stays linear. */
const DOUBLING_MAX = 1024 * 1024;

export class Keyspace extends RecordStore {
  readonly databases: Database[];
  statistics: KeyspaceStatistics;
  /** The moment at which commands run, ms since 1970. */
  nowMs: number;
  /** Changes since the last snapshot, as INFO's rdb_changes_since_last_save counts them. */
  dirty: number;
  /** False for a client with NO-TOUCH: lookups leave the access clock alone. */
  touchesAccess: boolean;
  /** Called with each key that expiry or eviction removes, before it is gone. */
  onRemoval: ((database: Database, record: number, reason: "expired" | "evicted") => void) | undefined;
  /** Called when a command that reads finds no key; undefined while nobody wants to hear of it. */
  onMiss: ((database: Database, key: Uint8Array, start: number, length: number) => void) | undefined;

  /** What `warm` saw: where keys start in `warmSource`, their hashes, and how far lookups have come. */
  private readonly warmStarts: Int32Array;
  private readonly warmHashes: Int32Array;
  private warmSource: Uint8Array | undefined;
  private warmIndex: number;
  private warmCount: number;
  /** Keeps the reads of `warm` from being taken for useless. */
  warmed: number;
  private lastSnapshotId: number;
  private readonly flushed: FlushedTables;
  private readonly chain: RecordList;
  private readonly makeArena: () => Arena;

  /** `makeArena` lets tests take one that runs out of memory. */
  constructor(hash: KeyHash, databaseCount: number, makeArena: () => Arena = () => new Arena()) {
    super(hash, makeArena());
    this.makeArena = makeArena;
    this.databases = [];
    for (let index = 0; index < databaseCount; index++) this.databases.push(new Database(index, this.tables));
    this.statistics = new KeyspaceStatistics();
    this.nowMs = 0;
    this.dirty = 0;
    this.touchesAccess = true;
    this.onRemoval = undefined;
    this.onMiss = undefined;
    this.warmStarts = new Int32Array(WARM_MAX);
    this.warmHashes = new Int32Array(WARM_MAX);
    this.warmSource = undefined;
    this.warmIndex = 0;
    this.warmCount = 0;
    this.warmed = 0;
    this.lastSnapshotId = 0;
    this.flushed = new FlushedTables();
    this.chain = new RecordList();
  }

  // ---- finding --------------------------------------------------------------------------------------------------

  /** The record of a key for a command that reads: counts a hit or a miss and marks the access. 0 when absent. hot path */
  lookupRead(database: Database, source: Uint8Array, start: number, length: number): number {
    const record = this.seek(database, source, start, length);
    if (record === 0) {
      this.missed(database, source, start, length);
      return 0;
    }
    this.statistics.hits++;
    if (this.touchesAccess) this.markAccess(record);
    return record;
  }

  /** As `lookupRead`, without marking the access (TTL, TYPE, OBJECT). */
  lookupQuietly(database: Database, source: Uint8Array, start: number, length: number): number {
    const record = this.seek(database, source, start, length);
    if (record === 0) this.missed(database, source, start, length);
    else this.statistics.hits++;
    return record;
  }

  private missed(database: Database, source: Uint8Array, start: number, length: number): void {
    this.statistics.misses++;
    if (this.onMiss !== undefined) this.onMiss(database, source, start, length);
  }

  /** The record of a key for a command that will change it: the snapshot has seen it when this returns (I2). hot path */
  lookupWrite(database: Database, source: Uint8Array, start: number, length: number): number {
    const record = this.seek(database, source, start, length);
    if (record === 0) return 0;
    this.tables.touch(database.table, this.tables.home);
    if (this.touchesAccess) this.markAccess(record);
    return record;
  }

  /** Whether the key is there; changes no statistics and no access clock. */
  has(database: Database, source: Uint8Array, start: number, length: number): boolean {
    return this.seek(database, source, start, length) !== 0;
  }

  /** The record of a key for the server's own purposes: no statistics, no access clock, expired ones too. */
  lookupSilently(database: Database, key: Uint8Array): number {
    this.keyHash = this.hash.hash(key, 0, key.length);
    return this.tables.find(database.table, this.keyHash, key, 0, key.length);
  }

  /**
   * Brings buckets and records of up to WARM_MAX keys into the cache and keeps their hashes, until `forgetWarm`. The keys
   * stand in `source`, in ascending order; those that come to be looked up are looked up in that order. hot path
   */
  warm(database: Database, source: Uint8Array, starts: Int32Array, lengths: Int32Array, count: number): void {
    const { warmStarts, warmHashes } = this;
    for (let index = 0; index < count; index++) {
      const start = starts[index]!;
      warmStarts[index] = start;
      warmHashes[index] = this.hash.hash(source, start, lengths[index]!);
    }
    this.warmSource = source;
    this.warmIndex = 0;
    this.warmCount = count;
    this.warmed = this.tables.warm(database.table, warmHashes, count);
  }

  /** The bytes that `warm` saw are about to change. */
  forgetWarm(): void {
    this.warmCount = 0;
  }

  /** The hash of a key, from `warm` where it was seen there. hot path */
  private hashOf(source: Uint8Array, start: number, length: number): number {
    if (this.warmCount === 0 || source !== this.warmSource) return this.hash.hash(source, start, length);
    let index = this.warmIndex;
    while (index < this.warmCount && this.warmStarts[index]! < start) index++;
    this.warmIndex = index;
    if (index < this.warmCount && this.warmStarts[index] === start) return this.warmHashes[index]!;
    return this.hash.hash(source, start, length);
  }

  private seek(database: Database, source: Uint8Array, start: number, length: number): number {
    const hash = this.hashOf(source, start, length);
    this.keyHash = hash;
    const tables = this.tables;
    const record = tables.find(database.table, hash, source, start, length);
    if (record === 0) return 0;
    const flags = this.arena.words[record >>> SEGMENT_SHIFT]![((record & UNIT_MASK) << 1) + 1]!;
    if ((flags & RECORD_EXPIRES) !== 0 && this.isExpired(record)) {
      this.removeExpired(database, record);
      return 0;
    }
    return record;
  }

  /** Whether the record's time is over at `nowMs`. */
  isExpired(record: number): boolean {
    const expireAtMs = this.records.expireAtMs(record);
    return expireAtMs >= 0 && this.nowMs > expireAtMs;
  }

  private markAccess(record: number): void {
    const words = this.arena.words[record >>> SEGMENT_SHIFT]!;
    const at = (record & UNIT_MASK) << 1;
    const word = words[at]!;
    const clock = this.clock;
    words[at] = (word & 255) | (clock.isFrequency ? clock.touched(word >>> 8) << 8 : clock.stampBits);
  }

  /** A key by chance, 0 when the database is empty. Expired keys are skipped as far as they are few. */
  randomKey(database: Database, random: () => number): number {
    for (let attempt = 0; attempt < 100; attempt++) {
      const record = this.tables.pick(database.table, random);
      if (record === 0 || !this.isExpired(record)) return record;
      this.seekRecord(database, record);
      this.removeExpired(database, record);
    }
    return 0;
  }

  // ---- strings ----------------------------------------------------------------------------------------------------

  /**
   * Sets a key to a string, whatever it held. `expireAtMs`: ms since 1970, NO_EXPIRY or KEEP_EXPIRY.
   * Returns the record. Throws ArenaExhausted (I3). hot path
   */
  setString(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): number {
    const encoding = encodingOf(value, valueStart, valueLength);
    let record = this.seek(database, key, keyStart, keyLength);
    if (record === 0) {
      record = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, valueLength, valueLength);
      this.copyValue(value, valueStart, valueLength);
      this.initialize(record, TYPE_STRING, encoding);
      this.insert(database, this.keyHash, record, expireAtMs);
      return record;
    }
    return this.overwriteString(database, record, value, valueStart, valueLength, expireAtMs, encoding);
  }

  /**
   * Gives a key that is absent (as `lookupWrite` has just found) a string of `length` bytes, which are undefined and
   * to be filled through valueBytes. `expireAtMs` as in `setString`, but not KEEP_EXPIRY. Returns the record.
   * Throws ArenaExhausted (I3).
   */
  addString(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    const record = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, length, length);
    this.initialize(record, TYPE_STRING, encoding);
    this.insert(database, this.keyHash, record, expireAtMs);
    return record;
  }

  /** The record that `lookupWrite` or `seek` found becomes a string; the registers of `tables` stand on it. */
  private overwriteString(
    database: Database,
    record: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
    encoding: number,
  ): number {
    this.tables.touch(database.table, this.tables.home);
    const hadExpiry = (this.records.flags(record) & RECORD_EXPIRES) !== 0;
    const hasExpiry = expireAtMs === KEEP_EXPIRY ? hadExpiry : expireAtMs >= 0;
    record = this.reform(database, record, hasExpiry, valueLength, 0, valueLength);
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    this.copyValue(value, valueStart, valueLength);
    const words = this.arena.words[record >>> SEGMENT_SHIFT]!;
    const at = (record & UNIT_MASK) << 1;
    if (this.clock.isFrequency) {
      // A new value is an access like any other: the key keeps its frequency.
      const access = words[at]! >>> 8;
      words[at] = TYPE_STRING | (encoding << 4) | ((this.touchesAccess ? this.clock.touched(access) : access) << 8);
    } else {
      words[at] = TYPE_STRING | (encoding << 4) | (this.touchesAccess ? this.clock.stampBits : words[at]! & ~255);
    }
    return record;
  }

  /**
   * Gives the string `record`, found by `lookupWrite`, a value of `length` bytes: the first `keptBytes` stay as they
   * are, the others are undefined and to be filled through valueBytes. `roomBytes` >= length is what the cell should
   * hold without moving. The time to live stays. Returns the record, which may have moved. Throws ArenaExhausted (I3).
   */
  resizeValue(database: Database, record: number, length: number, keptBytes: number, roomBytes: number): number {
    const hasExpiry = (this.records.flags(record) & RECORD_EXPIRES) !== 0;
    return this.reform(database, record, hasExpiry, length, keptBytes, roomBytes);
  }

  /** Sets the encoding of a string whose value was changed in place. */
  setEncoding(record: number, encoding: number): void {
    this.records.setTypeAndEncoding(record, TYPE_STRING, encoding);
  }

  /** Room to ask for when a string grows to `length` and will probably grow on. */
  static growthRoom(length: number): number {
    return length <= DOUBLING_MAX ? length * 2 : length + (length >>> 2);
  }

  // ---- expiry -------------------------------------------------------------------------------------------------------

  /**
   * Sets when the record, found by `lookupWrite`, expires (ms since 1970), or that it does not (NO_EXPIRY).
   * Returns the record, which may have moved. Throws ArenaExhausted (I3).
   */
  setExpiry(database: Database, record: number, expireAtMs: number): number {
    const flags = this.records.flags(record);
    const hadExpiry = (flags & RECORD_EXPIRES) !== 0;
    if (hadExpiry !== expireAtMs >= 0) record = this.changeExpiryRoom(database, record, !hadExpiry);
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    return record;
  }

  private removeExpired(database: Database, record: number): void {
    this.statistics.expiredKeys++;
    this.onRemoval?.(database, record, "expired");
    this.removeFound(database, record);
  }

  /**
   * Looks at the keys of the chains at which the database's expiry cursor stands, deletes those whose time is over,
   * counts them in `seen`, and moves the cursor on (0: once round).
   */
  expireNext(database: Database, seen: { records: number; expired: number; ttlMs: number }): void {
    let count = 0;
    database.expiryCursor = this.tables.scan(database.expires, database.expiryCursor, (home) => {
      count = this.tables.readChain(home, this.chain, count);
    });
    // Not during the scan: a removal may shrink the table, and the bucket that the scan reads next is gone.
    for (let index = 0; index < count; index++) {
      const record = this.chain.records[index]!;
      seen.records++;
      if (!this.isExpired(record)) {
        seen.ttlMs += this.records.expireAtMs(record) - this.nowMs;
        continue;
      }
      this.seekRecord(database, record);
      this.removeExpired(database, record);
      seen.expired++;
    }
  }

  // ---- deleting, renaming, copying ------------------------------------------------------------------------------

  /** Deletes a key; false when it was not there. */
  delete(database: Database, source: Uint8Array, start: number, length: number): boolean {
    const record = this.seek(database, source, start, length);
    if (record === 0) return false;
    this.removeFound(database, record);
    return true;
  }

  /** Deletes a record that the caller has from a walk or a sample. */
  deleteRecord(database: Database, record: number): void {
    this.seekRecord(database, record);
    this.removeFound(database, record);
  }

  /**
   * Moves a record, and its value's own cell, out of frames of which less than `fillMax` (0 to 1) is in use. Returns how
   * many cells were moved. Not while a snapshot runs: it may hold addresses. Throws ArenaExhausted (I3).
   */
  relocate(database: Database, record: number, fillMax: number): number {
    const { arena, records } = this;
    let moved = 0;
    const flags = records.flags(record);
    if (flags < 0) {
      const cell = records.externalAddress(record);
      if (isSparse(arena, cell, fillMax)) {
        const copy = arena.allocate(arena.capacity(cell));
        arena.move(cell, 0, copy, 0, records.valueLength(record));
        records.setExternalAddress(record, copy);
        arena.free(cell);
        moved++;
      }
    }
    if (isSparse(arena, record, fillMax)) {
      const bytes = arena.capacity(record);
      const copy = arena.allocate(bytes);
      arena.move(record, 0, copy, 0, bytes);
      this.seekRecord(database, record);
      const hasExpiry = (flags & RECORD_EXPIRES) !== 0;
      this.exchange(database, this.keyHash, record, copy, hasExpiry, hasExpiry);
      arena.free(record);
      moved++;
    }
    return moved;
  }

  /** Evicts a record to gain memory. */
  evict(database: Database, record: number): void {
    this.statistics.evictedKeys++;
    this.onRemoval?.(database, record, "evicted");
    this.deleteRecord(database, record);
  }

  /** Takes the record on which the registers stand out of both tables and frees it. */
  private removeFound(database: Database, record: number): void {
    this.detachFound(database, record);
    this.freeRecord(record);
  }

  private detachFound(database: Database, record: number): void {
    const hash = this.keyHash;
    const hadExpiry = (this.records.flags(record) & RECORD_EXPIRES) !== 0;
    this.tables.remove(database.table);
    if (!hadExpiry) return;
    const isThere = this.tables.locate(database.expires, hash, record);
    assert(isThere, "I1: a record with EXPIRES is not in the table of those that expire");
    this.tables.remove(database.expires);
  }

  /**
   * Gives `record`, found by a lookup in `database`, another key; what that key held is gone. Time, access clock and
   * a long value's cell stay; the key it has already changes nothing. The new key's bytes must not lie in the arena.
   * Throws ArenaExhausted (I3).
   */
  rename(database: Database, record: number, key: Uint8Array, keyStart: number, keyLength: number): void {
    const records = this.records;
    const expireAtMs = records.expireAtMs(record);
    const isExternal = records.flags(record) < 0;
    const target = this.seek(database, key, keyStart, keyLength);
    if (target === record) return;
    let moved: number;
    if (isExternal) {
      moved = this.withKey(record, key, keyStart, keyLength, expireAtMs >= 0);
    } else {
      this.readValue(record);
      const { valueBytes, valueStart, valueLength } = this;
      moved = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, valueLength, valueLength);
      this.copyValue(valueBytes, valueStart, valueLength);
      records.setTypeAndEncoding(moved, records.type(record), records.encoding(record));
      records.setAccess(moved, records.access(record));
    }
    try {
      this.place(database, this.keyHash, target, moved, expireAtMs);
    } catch (error) {
      this.arena.free(moved); // a long value's cell is still the old record's
      throw error;
    }
    this.seekRecord(database, record);
    this.detachFound(database, record);
    this.arena.free(record);
  }

  /** Moves `record`, found in `from`, to another database that does not have its key. Throws ArenaExhausted (I3). */
  moveTo(from: Database, record: number, to: Database): void {
    this.enter(to, this.tables.hashOf(record), record, this.records.expireAtMs(record));
    this.seekRecord(from, record);
    this.detachFound(from, record);
  }

  /** Copies `record` to another key; what that key held is gone. Throws ArenaExhausted (I3). */
  copy(record: number, to: Database, key: Uint8Array, keyStart: number, keyLength: number): void {
    const records = this.records;
    const expireAtMs = records.expireAtMs(record);
    const target = this.seek(to, key, keyStart, keyLength);
    if (target === record) return;
    this.readValue(record);
    const { valueBytes, valueStart, valueLength } = this;
    const copied = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, valueLength, valueLength);
    this.copyValue(valueBytes, valueStart, valueLength);
    records.setTypeAndEncoding(copied, records.type(record), records.encoding(record));
    records.setAccess(copied, records.access(record));
    try {
      this.place(to, this.keyHash, target, copied, expireAtMs);
    } catch (error) {
      this.freeRecord(copied);
      throw error;
    }
  }

  // ---- snapshots, whole databases --------------------------------------------------------------------------------------------------

  /** From now on `capture` sees each chain before it changes. Returns the snapshot's number. */
  openSnapshot(capture: Capture): number {
    assert(this.tables.snapshotId === 0, "a second snapshot was opened");
    // A chain keeps the number of the last snapshot that passed it, however long ago: no number may come back.
    // One snapshot a second uses up the 31 bits in 68 years.
    this.lastSnapshotId++;
    assert(this.lastSnapshotId <= 0x7fffffff, "the numbers of snapshots are used up");
    this.tables.snapshotId = this.lastSnapshotId;
    this.tables.capture = capture;
    return this.lastSnapshotId;
  }

  /** Ends what `openSnapshot` began on `tables`, which may since have been replaced by FLUSHALL. */
  closeSnapshot(tables: HashTable): void {
    tables.snapshotId = 0;
    tables.capture = undefined;
  }

  keyCount(database: Database): number {
    return this.tables.count(database.table);
  }

  expiringCount(database: Database): number {
    return this.tables.count(database.expires);
  }

  totalKeys(): number {
    let keys = 0;
    for (let index = 0; index < this.databases.length; index++) keys += this.keyCount(this.databases[index]!);
    return keys;
  }

  swap(left: Database, right: Database): void {
    [left.table, right.table] = [right.table, left.table];
    [left.expires, right.expires] = [right.expires, left.expires];
    [left.averageTtlMs, right.averageTtlMs] = [right.averageTtlMs, left.averageTtlMs];
    left.expiryCursor = 0;
    right.expiryCursor = 0;
  }

  /** Empties one database at once; its memory comes back in `reclaim`. Returns how many keys it had. Throws ArenaExhausted (I3). */
  flush(database: Database): number {
    const keys = this.keyCount(database);
    if (keys === this.totalKeys()) {
      this.flushAll();
      return keys;
    }
    const table = this.tables.create();
    let expires: number;
    try {
      expires = this.tables.create();
    } catch (error) {
      this.tables.destroy(table);
      throw error;
    }
    this.flushed.add(this.tables, database.table, database.expires);
    database.table = table;
    database.expires = expires;
    database.expiryCursor = 0;
    database.averageTtlMs = 0;
    return keys;
  }

  /** Empties everything at once, at a cost that does not depend on how much there is. Returns how many keys there were. */
  flushAll(): number {
    const keys = this.totalKeys();
    if (this.arena.isSmall() && this.tables.snapshotId === 0) {
      this.arena.reset();
    } else {
      // A running snapshot keeps the old arena until it has read it; otherwise the garbage collector unmaps it.
      this.arena = this.makeArena();
      this.records = new Records(this.arena);
      this.tables = new HashTable(this.arena, this.hash);
    }
    this.flushed.forget();
    for (let index = 0; index < this.databases.length; index++) {
      this.databases[index] = Object.assign(this.databases[index]!, new Database(index, this.tables));
    }
    return keys;
  }

  /** Frees up to `buckets` buckets of what was flushed; returns whether there is more. Waits while a snapshot runs. */
  reclaim(buckets: number): boolean {
    return this.flushed.reclaim(buckets, (record) => this.freeRecord(record));
  }

  /** Tables of flushed databases that wait for `reclaim`. */
  pendingReclaims(): number {
    return this.flushed.count;
  }

  /** Walks everything and asserts the invariants of arena, tables and records. */
  verify(): void {
    verifyKeyspace(this);
  }
}

/** Whether moving the cell at `address` helps to empty its frame. */
function isSparse(arena: Arena, address: number, fillMax: number): boolean {
  return arena.frameFill(address) < fillMax && !arena.isFillTarget(address);
}
