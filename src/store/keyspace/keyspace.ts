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
import { type Capture, HashTable, RecordList } from "../encodings/hash-table.ts";
import { AccessClock } from "./access-clock.ts";
import {
  EMBSTR_MAX,
  ENCODING_EMBSTR,
  ENCODING_INT,
  ENCODING_RAW,
  INLINE_MAX,
  KEY_LENGTH_MASK,
  KEY_OFFSET,
  RECORD_EXPIRES,
  RECORD_EXTERNAL,
  Records,
  TYPE_STRING,
} from "./record.ts";

/** For `setString`: the key does not expire. */
export const NO_EXPIRY = -1;
/** For `setString`: the key keeps the time it has. */
export const KEEP_EXPIRY = -2;

/** Bytes before key and inline value. */
const HEAD_BYTES = 8;
const EXPIRY_BYTES = 8;
const EXTERNAL_BYTES = 8;
/** Up to here a growing string gets twice the room it needs, beyond it a quarter more: appending stays linear. */
const DOUBLING_MAX = 1024 * 1024;

export class Database {
  readonly index: number;
  /** Address of the table of all keys. */
  table: number;
  /** Address of the table of the keys that expire. */
  expires: number;
  /** Where the expiry cycle goes on. */
  expiryCursor: number;
  /** Running mean of the time to live of keys that were looked at, ms; 0 when unknown. */
  averageTtlMs: number;

  constructor(index: number, tables: HashTable) {
    this.index = index;
    this.table = tables.create();
    this.expires = tables.create();
    this.expiryCursor = 0;
    this.averageTtlMs = 0;
  }
}

/** Counters that INFO shows and CONFIG RESETSTAT clears. */
export class KeyspaceStatistics {
  hits = 0;
  misses = 0;
  expiredKeys = 0;
  evictedKeys = 0;
}

/** Tables that no database has any more, with the arena they lie in. */
interface Discarded {
  readonly tables: HashTable;
  readonly table: number;
  readonly ownsRecords: boolean;
  nextBucket: number;
}

export class Keyspace {
  readonly databases: Database[];
  readonly hash: KeyHash;
  readonly clock: AccessClock;
  statistics: KeyspaceStatistics;
  /** The arena of all live keys. FLUSHALL puts a new one in its place, and everything that hangs on it. */
  arena: Arena;
  records: Records;
  tables: HashTable;
  /** The moment at which commands run, ms since 1970. */
  nowMs: number;
  /** Changes since the last snapshot, as INFO's rdb_changes_since_last_save counts them. */
  dirty: number;
  /** False while a load or a caller that must not change anything looks: expired keys are then merely invisible. */
  deletesExpired: boolean;
  /** False for a client with NO-TOUCH: lookups leave the access clock alone. */
  touchesAccess: boolean;
  /** Called with each key that expiry or eviction removes, before it is gone. */
  onRemoval: ((database: Database, record: number, reason: "expired" | "evicted") => void) | undefined;

  /** The value that `readValue`, `resizeValue` and `setString` left for their caller (I4). */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;

  /** Hash of the key looked up last. */
  private keyHash: number;
  private lastSnapshotId: number;
  private discarded: Discarded[];
  private readonly chain: RecordList;
  private readonly makeArena: () => Arena;

  /** `makeArena` lets tests take one that runs out of memory. */
  constructor(hash: KeyHash, databaseCount: number, makeArena: () => Arena = () => new Arena()) {
    this.hash = hash;
    this.makeArena = makeArena;
    this.arena = makeArena();
    this.records = new Records(this.arena);
    this.tables = new HashTable(this.arena, hash);
    this.databases = [];
    for (let index = 0; index < databaseCount; index++) this.databases.push(new Database(index, this.tables));
    this.clock = new AccessClock();
    this.statistics = new KeyspaceStatistics();
    this.nowMs = 0;
    this.dirty = 0;
    this.deletesExpired = true;
    this.touchesAccess = true;
    this.onRemoval = undefined;
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.keyHash = 0;
    this.lastSnapshotId = 0;
    this.discarded = [];
    this.chain = new RecordList();
  }

  // ---- finding --------------------------------------------------------------------------------------------------

  /** The record of a key for a command that reads: counts a hit or a miss and marks the access. 0 when absent. hot path */
  lookupRead(database: Database, source: Uint8Array, start: number, length: number): number {
    const record = this.seek(database, source, start, length);
    if (record === 0) {
      this.statistics.misses++;
      return 0;
    }
    this.statistics.hits++;
    if (this.touchesAccess) this.markAccess(record);
    return record;
  }

  /** As `lookupRead`, without marking the access (TTL, TYPE, OBJECT). */
  lookupQuietly(database: Database, source: Uint8Array, start: number, length: number): number {
    const record = this.seek(database, source, start, length);
    if (record === 0) this.statistics.misses++;
    else this.statistics.hits++;
    return record;
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

  private seek(database: Database, source: Uint8Array, start: number, length: number): number {
    const hash = this.hash.hash(source, start, length);
    this.keyHash = hash;
    const tables = this.tables;
    const record = tables.find(database.table, hash, source, start, length);
    if (record === 0) return 0;
    const flags = this.arena.words[record >>> SEGMENT_SHIFT]![((record & UNIT_MASK) << 1) + 1]!;
    if ((flags & RECORD_EXPIRES) !== 0 && this.isExpired(record)) {
      if (this.deletesExpired) this.removeExpired(database, record);
      return 0;
    }
    return record;
  }

  /** Finds `record` again by its own key, so that the registers of `tables` stand on it. */
  private seekRecord(database: Database, record: number): void {
    this.keyHash = this.tables.hashOf(record);
    const isThere = this.tables.locate(database.table, this.keyHash, record);
    assert(isThere, "a record is not in its table");
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
      if (this.deletesExpired) {
        this.seekRecord(database, record);
        this.removeExpired(database, record);
      }
    }
    return 0;
  }

  // ---- reading values -------------------------------------------------------------------------------------------

  /** Sets valueBytes, valueStart and valueLength to the record's string. hot path */
  readValue(record: number): void {
    this.records.readValue(record, this);
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

  /** Writes a value that is given whole into the place that valueStart names. */
  private copyValue(value: Uint8Array, start: number, length: number): void {
    const target = this.valueBytes;
    const at = this.valueStart;
    if (length < 32) {
      for (let index = 0; index < length; index++) target[at + index] = value[start + index]!;
    } else {
      target.set(value.subarray(start, start + length), at);
    }
  }

  // ---- records ----------------------------------------------------------------------------------------------------

  /**
   * A new record with its key, and room for a value of `valueLength` bytes to which valueBytes points.
   * Type, encoding and access clock are to be set by `initialize`, the time by `insert`.
   */
  private allocateRecord(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    hasExpiry: boolean,
    valueLength: number,
    roomBytes: number,
  ): number {
    const headBytes = hasExpiry ? HEAD_BYTES + EXPIRY_BYTES : HEAD_BYTES;
    const isExternal = roomBytes > INLINE_MAX;
    const bytes = isExternal ? headBytes + EXTERNAL_BYTES + keyLength : headBytes + 1 + keyLength + roomBytes;
    const record = this.arena.allocate(bytes);
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const words = this.arena.words[segment]!;
    let flags = keyLength;
    if (hasExpiry) flags |= RECORD_EXPIRES;
    if (isExternal) flags |= RECORD_EXTERNAL;
    words[(unit << 1) + 1] = flags;
    const target = this.arena.bytes[segment]!;
    const keyAt = (unit << 3) + KEY_OFFSET[flags >>> 30]!;
    if (keyLength < 32) {
      for (let index = 0; index < keyLength; index++) target[keyAt + index] = key[keyStart + index]!;
    } else {
      target.set(key.subarray(keyStart, keyStart + keyLength), keyAt);
    }
    this.valueLength = valueLength;
    if (!isExternal) {
      target[keyAt - 1] = valueLength;
      this.valueBytes = target;
      this.valueStart = keyAt + keyLength;
      return record;
    }
    let cell: number;
    try {
      cell = this.arena.allocate(roomBytes);
    } catch (error) {
      this.arena.free(record);
      throw error;
    }
    const at = (unit << 1) + (headBytes >>> 2);
    words[at] = cell;
    words[at + 1] = valueLength;
    this.valueBytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
    this.valueStart = (cell & UNIT_MASK) << 3;
    return record;
  }

  private initialize(record: number, type: number, encoding: number): void {
    this.arena.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1] =
      type | (encoding << 4) | (this.clock.isFrequency ? this.clock.initialBits() : this.clock.stampBits);
  }

  /** Puts a new record into the tables. On ArenaExhausted the record is freed and nothing has changed. */
  private insert(database: Database, hash: number, record: number, expireAtMs: number): void {
    try {
      this.enter(database, hash, record, expireAtMs);
    } catch (error) {
      this.freeRecord(record);
      throw error;
    }
  }

  /** Puts a record into the tables. On ArenaExhausted nothing has changed, and the record is still the caller's. */
  private enter(database: Database, hash: number, record: number, expireAtMs: number): void {
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    this.tables.insert(database.table, hash, record);
    if (expireAtMs < 0) return;
    try {
      this.tables.insert(database.expires, hash, record);
    } catch (error) {
      this.tables.locate(database.table, hash, record);
      this.tables.remove(database.table);
      throw error;
    }
  }

  /**
   * Puts a finished record into the tables, in the place of `target` when that is not 0 (the registers stand on it
   * then, and it is freed). On ArenaExhausted nothing has changed, and the record is still the caller's.
   */
  private place(database: Database, hash: number, target: number, record: number, expireAtMs: number): void {
    if (target === 0) {
      this.enter(database, hash, record, expireAtMs);
      return;
    }
    this.tables.touch(database.table, this.tables.home);
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    const hadExpiry = (this.records.flags(target) & RECORD_EXPIRES) !== 0;
    this.exchange(database, hash, target, record, hadExpiry, expireAtMs >= 0);
    this.freeRecord(target);
  }

  /**
   * Brings a record, on which the registers of `tables` stand, into the shape that is asked for: with or without room
   * for an expiry time, and with a value of `length` bytes. Moves it only when it must. Sets the value registers.
   */
  private reform(
    database: Database,
    record: number,
    hasExpiry: boolean,
    length: number,
    keptBytes: number,
    roomBytes: number,
  ): number {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const words = this.arena.words[segment]!;
    const flags = words[(unit << 1) + 1]!;
    const isExternal = flags < 0;
    const hadExpiry = (flags & RECORD_EXPIRES) !== 0;
    if (hadExpiry === hasExpiry) {
      if (!isExternal) {
        const keyAt = (unit << 3) + KEY_OFFSET[flags >>> 30]!;
        const bytes = this.arena.bytes[segment]!;
        const keyLength = flags & KEY_LENGTH_MASK;
        const headBytes = KEY_OFFSET[flags >>> 30]! + keyLength;
        if (
          bytes[keyAt - 1] === length ||
          (length <= INLINE_MAX &&
            headBytes + length <= this.arena.capacity(record) &&
            Arena.cellBytes(headBytes + length) * 2 > this.arena.capacity(record))
        ) {
          bytes[keyAt - 1] = length;
          this.valueBytes = bytes;
          this.valueStart = keyAt + keyLength;
          this.valueLength = length;
          return record;
        }
      } else {
        const at = (unit << 1) + (hadExpiry ? 4 : 2);
        const cell = words[at]!;
        const capacity = this.arena.capacity(cell);
        if (length <= capacity && roomBytes > INLINE_MAX && Arena.cellBytes(roomBytes) * 2 > capacity) {
          words[at + 1] = length;
          this.valueBytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
          this.valueStart = (cell & UNIT_MASK) << 3;
          this.valueLength = length;
          return record;
        }
      }
    }
    return this.rebuild(database, record, hasExpiry, length, keptBytes, roomBytes);
  }

  /** The part of `reform` that allocates: a new record takes the old one's place in the tables. */
  private rebuild(
    database: Database,
    record: number,
    hasExpiry: boolean,
    length: number,
    keptBytes: number,
    roomBytes: number,
  ): number {
    const records = this.records;
    const hash = this.keyHash;
    const oldFlags = records.flags(record);
    const hadExpiry = (oldFlags & RECORD_EXPIRES) !== 0;
    this.readValue(record);
    const kept = this.valueBytes;
    const keptStart = this.valueStart;
    // allocateRecord may add a segment, never move one: the old record's view stays valid.
    const moved = this.allocateRecord(
      records.view(record),
      records.keyStart(record),
      oldFlags & KEY_LENGTH_MASK,
      hasExpiry,
      length,
      roomBytes,
    );
    const bytes = this.valueBytes;
    const start = this.valueStart;
    if (keptBytes > 0) {
      if (keptBytes < 32)
        for (let index = 0; index < keptBytes; index++) bytes[start + index] = kept[keptStart + index]!;
      else bytes.set(kept.subarray(keptStart, keptStart + keptBytes), start);
    }
    records.setTypeAndEncoding(moved, records.type(record), records.encoding(record));
    records.setAccess(moved, records.access(record));
    if (hasExpiry) this.writeExpiry(moved, hadExpiry ? records.expireAtMs(record) : 0);
    try {
      this.exchange(database, hash, record, moved, hadExpiry, hasExpiry);
    } catch (error) {
      this.freeRecord(moved);
      throw error;
    }
    this.freeRecord(record);
    return moved;
  }

  /**
   * Puts `moved` where `record` stands in the tables; the registers of `tables` stand on `record`, afterwards on
   * `moved`. On ArenaExhausted nothing has changed, and `moved` is still the caller's.
   */
  private exchange(
    database: Database,
    hash: number,
    record: number,
    moved: number,
    hadExpiry: boolean,
    hasExpiry: boolean,
  ): void {
    const tables = this.tables;
    const { home, bucket, slot } = tables;
    if (!hadExpiry && hasExpiry) {
      tables.insert(database.expires, hash, moved);
    } else if (hadExpiry) {
      const isThere = tables.locate(database.expires, hash, record);
      assert(isThere, "I1: a record with EXPIRES is not in the table of those that expire");
      if (hasExpiry) tables.replace(moved);
      else tables.remove(database.expires);
    }
    tables.home = home;
    tables.bucket = bucket;
    tables.slot = slot;
    tables.replace(moved);
  }

  private writeExpiry(record: number, expireAtMs: number): void {
    this.arena.doubles[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) + 1] = expireAtMs;
  }

  private freeRecord(record: number): void {
    if (this.records.flags(record) < 0) this.arena.free(this.records.externalAddress(record));
    this.arena.free(record);
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

  /** A record of the same key and value with or without room for a time; a long value's cell is handed over, not copied. */
  private changeExpiryRoom(database: Database, record: number, hasExpiry: boolean): number {
    const length = this.records.valueLength(record);
    if (this.records.flags(record) >= 0) return this.rebuild(database, record, hasExpiry, length, length, length);
    const moved = this.withKey(
      record,
      this.records.view(record),
      this.records.keyStart(record),
      this.records.keyLength(record),
      hasExpiry,
    );
    try {
      this.exchange(database, this.keyHash, record, moved, !hasExpiry, hasExpiry);
    } catch (error) {
      this.arena.free(moved); // the value's cell is still the old record's
      throw error;
    }
    this.arena.free(record);
    return moved;
  }

  /** A copy of the head of an EXTERNAL record under another key (or the same); both point to the same value cell. */
  private withKey(record: number, key: Uint8Array, keyStart: number, keyLength: number, hasExpiry: boolean): number {
    const headBytes = (hasExpiry ? HEAD_BYTES + EXPIRY_BYTES : HEAD_BYTES) + EXTERNAL_BYTES;
    const moved = this.arena.allocate(headBytes + keyLength);
    const words = this.arena.words[moved >>> SEGMENT_SHIFT]!;
    const at = (moved & UNIT_MASK) << 1;
    words[at] = this.arena.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1]!;
    words[at + 1] = keyLength | RECORD_EXTERNAL | (hasExpiry ? RECORD_EXPIRES : 0);
    words[at + (headBytes >>> 2) - 2] = this.records.externalAddress(record);
    words[at + (headBytes >>> 2) - 1] = this.records.valueLength(record);
    this.arena.copyIn(moved, headBytes, key, keyStart, keyLength);
    if (hasExpiry) this.writeExpiry(moved, Math.max(this.records.expireAtMs(record), 0));
    return moved;
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

  // ---- snapshots --------------------------------------------------------------------------------------------------

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
    this.discarded.push(
      { tables: this.tables, table: database.table, ownsRecords: true, nextBucket: 0 },
      { tables: this.tables, table: database.expires, ownsRecords: false, nextBucket: 0 },
    );
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
    this.discarded = [];
    for (let index = 0; index < this.databases.length; index++) {
      this.databases[index] = Object.assign(this.databases[index]!, new Database(index, this.tables));
    }
    return keys;
  }

  /** Frees up to `buckets` buckets of what was flushed; returns whether there is more. Waits while a snapshot runs. */
  reclaim(buckets: number): boolean {
    const next = this.discarded[0];
    if (next === undefined) return false;
    const tables = next.tables;
    if (tables.snapshotId !== 0) return true;
    const end = Math.min(tables.bucketCount(next.table), next.nextBucket + buckets);
    for (; next.nextBucket < end; next.nextBucket++) {
      const home = tables.bucketAt(next.table, next.nextBucket);
      if (next.ownsRecords) {
        const count = tables.readChain(home, this.chain);
        for (let index = 0; index < count; index++) this.freeRecord(this.chain.records[index]!);
      }
      tables.freeOverflow(next.table, home);
    }
    if (end === tables.bucketCount(next.table)) {
      tables.destroyFrame(next.table);
      this.discarded.shift();
    }
    return this.discarded.length > 0;
  }

  /** Databases' worth of flushed memory that waits for `reclaim`. */
  pendingReclaims(): number {
    return this.discarded.length;
  }

  /** Walks everything and asserts the invariants of arena, tables and records. */
  verify(): void {
    this.arena.verify();
    for (const database of this.databases) {
      this.tables.verify(database.table);
      this.tables.verify(database.expires);
      let expiring = 0;
      const buckets = this.tables.bucketCount(database.table);
      for (let index = 0; index < buckets; index++) {
        const count = this.tables.readChain(this.tables.bucketAt(database.table, index), this.chain);
        for (let each = 0; each < count; each++) {
          const record = this.chain.records[each]!;
          if ((this.records.flags(record) & RECORD_EXPIRES) === 0) continue;
          expiring++;
          assert(
            this.tables.locate(database.expires, this.tables.hashOf(record), record),
            "I1: a record with EXPIRES is not in the table of those that expire",
          );
        }
      }
      assert(expiring === this.tables.count(database.expires), "I1: the table of those that expire holds others");
    }
  }
}

/** Whether moving the cell at `address` helps to empty its frame. */
function isSparse(arena: Arena, address: number, fillMax: number): boolean {
  return arena.frameFill(address) < fillMax && !arena.isFillTarget(address);
}

/** The encoding that Redis gives a new string: "int" for the canonical decimal form of a signed 64-bit number. hot path */
export function encodingOf(value: Uint8Array, start: number, length: number): number {
  if (length <= 20 && isCanonicalInt64(value, start, length)) return ENCODING_INT;
  return length <= EMBSTR_MAX ? ENCODING_EMBSTR : ENCODING_RAW;
}

const INT64_MAX_DIGITS = [57, 50, 50, 51, 51, 55, 50, 48, 51, 54, 56, 53, 52, 55, 55, 53, 56, 48, 55];

function isCanonicalInt64(value: Uint8Array, start: number, length: number): boolean {
  if (length === 0) return false;
  let at = start;
  const end = start + length;
  let first = value[at]!;
  const isNegative = first === 45;
  if (isNegative) {
    if (length === 1) return false;
    first = value[++at]!;
  }
  if (first === 48) return length === 1;
  if (first < 49 || first > 57) return false;
  const digits = end - at;
  if (digits > 19) return false;
  for (let index = at + 1; index < end; index++) {
    const byte = value[index]!;
    if (byte < 48 || byte > 57) return false;
  }
  if (digits < 19) return true;
  for (let index = 0; index < 19; index++) {
    const difference = value[at + index]! - INT64_MAX_DIGITS[index]!;
    if (difference !== 0) {
      // -2^63 has one more than 2^63 - 1.
      return difference < 0 || (isNegative && index === 18 && difference === 1);
    }
  }
  return true;
}
