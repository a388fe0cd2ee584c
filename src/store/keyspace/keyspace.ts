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
import { FIELD_LAYOUT } from "../encodings/entry-layouts.ts";
import { type Capture, HashTable, RecordList, WARM_MAX } from "../encodings/hash-table.ts";
import { MemberTable, SCORE_BYTES } from "../encodings/member-table.ts";
import { Hashes } from "../values/hashes.ts";
import { Lists } from "../values/lists.ts";
import { Sets } from "../values/sets.ts";
import { SortedSets } from "../values/sorted-sets.ts";
import { Streams } from "../values/streams.ts";
import { Database, KeyspaceStatistics } from "./database.ts";
import { EncodingLimits } from "./encoding-limits.ts";
import { verifyKeyspace } from "./keyspace-inspection.ts";
import {
  extentSlack,
  RECORD_EXPIRES,
  Records,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "./record.ts";
import { ValueStore } from "./value-store.ts";

export { Database, KeyspaceStatistics } from "./database.ts";
export { encodingOf } from "./string-encoding.ts";
export { KEEP_EXPIRY, NO_EXPIRY } from "./value-store.ts";

export class Keyspace extends ValueStore {
  readonly databases: Database[];
  readonly encodingLimits: EncodingLimits;
  /** Tables within values: of a hash's fields, of a set's members, of a sorted set's. */
  fields: HashTable;
  members: HashTable;
  scored: HashTable;
  /** What commands do with values of each type. */
  hashes!: Hashes;
  sets!: Sets;
  lists!: Lists;
  sortedSets!: SortedSets;
  streams!: Streams;
  statistics: KeyspaceStatistics;
  /** The moment at which commands run, ms since 1970. */
  nowMs: number;
  /** Changes since the last snapshot, as INFO's rdb_changes_since_last_save counts them. */
  dirty: number;
  /** A log is being replayed: keys go when it says so, not when their time is over. */
  isReplaying: boolean;
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
  /** The tables that the running snapshot watches. */
  private openTables: HashTable[];
  private readonly chain: RecordList;
  private readonly makeArena: () => Arena;

  /** `makeArena` lets tests take one that runs out of memory. */
  constructor(hash: KeyHash, databaseCount: number, makeArena: () => Arena = () => new Arena()) {
    super(hash, makeArena());
    this.makeArena = makeArena;
    this.encodingLimits = new EncodingLimits();
    this.fields = new HashTable(this.arena, hash, FIELD_LAYOUT);
    this.members = new MemberTable(this.arena, hash, 0);
    this.scored = new MemberTable(this.arena, hash, SCORE_BYTES);
    this.openTables = [];
    this.databases = [];
    for (let index = 0; index < databaseCount; index++) this.databases.push(new Database(index, this.tables));
    this.statistics = new KeyspaceStatistics();
    this.nowMs = 0;
    this.dirty = 0;
    this.isReplaying = false;
    this.onRemoval = undefined;
    this.onMiss = undefined;
    this.warmStarts = new Int32Array(WARM_MAX);
    this.warmHashes = new Int32Array(WARM_MAX);
    this.warmSource = undefined;
    this.warmIndex = 0;
    this.warmCount = 0;
    this.warmed = 0;
    this.lastSnapshotId = 0;
    this.chain = new RecordList();
    this.makeTypes();
  }

  /** The objects that know values of each type, for the arena that there is now. */
  private makeTypes(): void {
    this.structures = [];
    this.hashes = new Hashes(this);
    this.structures[TYPE_HASH] = this.hashes;
    this.sets = new Sets(this);
    this.structures[TYPE_SET] = this.sets;
    this.lists = new Lists(this);
    this.structures[TYPE_LIST] = this.lists;
    this.sortedSets = new SortedSets(this);
    this.structures[TYPE_ZSET] = this.sortedSets.structure;
    this.streams = new Streams(this);
    this.structures[TYPE_STREAM] = this.streams;
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
   * Brings buckets, records and what they point to for up to WARM_MAX keys into the cache and keeps their hashes, until `forgetWarm`. The keys
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
    this.warmRecords(this.tables.warm(database.table, warmHashes, count));
  }

  /** One kind after the other: all records, then the beginnings of the cells to which some of them point. */
  private warmRecords(count: number): void {
    const { words: segments } = this.arena;
    const places = this.tables.warmRecords;
    let cells = 0;
    for (let index = 0; index < count; index++) {
      const record = places[index]!;
      const words = segments[record >>> SEGMENT_SHIFT]!;
      const at = (record & UNIT_MASK) << 1;
      const flags = words[at + 1]!;
      if (flags >= 0) continue;
      const external = at + ((flags & RECORD_EXPIRES) === 0 ? 2 : 4);
      // A value begins in this unit; a structure's root has no slack.
      places[cells++] = words[external]! + (extentSlack(words[external + 1]!) >>> 3);
    }
    let sum = 0;
    for (let index = 0; index < cells; index++) {
      const cell = places[index]!;
      sum ^= segments[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) << 1]!;
    }
    this.warmed = sum;
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

  protected override seek(database: Database, source: Uint8Array, start: number, length: number): number {
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
    return expireAtMs >= 0 && this.nowMs > expireAtMs && !this.isReplaying;
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
      if (records.isStructure(record)) {
        const structure = this.structureOf(records.type(record));
        moved += structure.relocate(cell, fillMax, (root) => records.setExternalAddress(record, root));
      } else if (arena.isSparse(cell, fillMax)) {
        const copy = arena.allocate(arena.capacity(cell));
        arena.move(cell, 0, copy, 0, extentSlack(records.extent(record)) + records.valueLength(record));
        records.setExternalAddress(record, copy);
        arena.free(cell);
        moved++;
      }
    }
    if (arena.isSparse(record, fillMax)) {
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
      moved = this.copyBytes(record, key, keyStart, keyLength, expireAtMs >= 0);
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
    const copied = records.isStructure(record)
      ? this.copyStructure(record, key, keyStart, keyLength, expireAtMs >= 0)
      : this.copyBytes(record, key, keyStart, keyLength, expireAtMs >= 0);
    records.setTypeAndEncoding(copied, records.type(record), records.encoding(record));
    records.setAccess(copied, records.access(record));
    try {
      this.place(to, this.keyHash, target, copied, expireAtMs);
    } catch (error) {
      this.freeRecord(copied);
      throw error;
    }
  }

  private copyBytes(record: number, key: Uint8Array, keyStart: number, keyLength: number, hasExpiry: boolean): number {
    this.readValue(record);
    const { valueBytes, valueStart, valueLength } = this;
    const copied = this.allocateRecord(key, keyStart, keyLength, hasExpiry, valueLength, valueLength);
    this.copyValue(valueBytes, valueStart, valueLength);
    return copied;
  }

  private copyStructure(
    record: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    hasExpiry: boolean,
  ): number {
    const type = this.records.type(record);
    const root = this.structureOf(type).copy(this.records.externalAddress(record));
    try {
      return this.allocateExternal(key, keyStart, keyLength, hasExpiry, root, 0);
    } catch (error) {
      this.freeStructure(type, root);
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
    this.openTables = [this.tables, this.fields, this.members, this.scored];
    for (const tables of this.openTables) {
      tables.snapshotId = this.lastSnapshotId;
      tables.capture = capture;
    }
    return this.lastSnapshotId;
  }

  /** Ends what `openSnapshot` began, on tables that FLUSHALL may have replaced since. */
  closeSnapshot(): void {
    for (const tables of this.openTables) {
      tables.snapshotId = 0;
      tables.capture = undefined;
    }
    this.openTables = [];
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
    this.reclaimer.addTables(this.tables, database.table, database.expires);
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
      this.fields = new HashTable(this.arena, this.hash, FIELD_LAYOUT);
      this.members = new MemberTable(this.arena, this.hash, 0);
      this.scored = new MemberTable(this.arena, this.hash, SCORE_BYTES);
      this.makeTypes();
    }
    this.reclaimer.forget();
    for (let index = 0; index < this.databases.length; index++) {
      this.databases[index] = Object.assign(this.databases[index]!, new Database(index, this.tables));
    }
    return keys;
  }

  /** Frees up to `parts` buckets or parts of what is gone; returns whether there is more. Waits while a snapshot runs. */
  reclaim(parts: number): boolean {
    if (this.tables.snapshotId !== 0) return this.reclaimer.count > 0;
    return this.reclaimer.reclaim(parts, (record) => this.freeRecord(record));
  }

  /** Tables of flushed databases and large deleted values that wait for `reclaim`. */
  pendingReclaims(): number {
    return this.reclaimer.count;
  }

  /** Walks everything and asserts the invariants of arena, tables and records. */
  verify(): void {
    verifyKeyspace(this);
  }
}
