/**
 * RecordStore: makes records, changes their shape, and puts them into the tables of a database.
 *
 *      key, value ──► allocateRecord ──► initialize ──► insert          a new key
 *      record ──► reform ──┬── fits where it is                         another length, with or without a time
 *                          └── rebuild ──► exchange                     another cell in the same places of the tables
 *
 *  I1  New cells are allocated before old ones are freed: ArenaExhausted leaves everything as it was.
 *  I2  `keyHash` and the registers of `tables` belong to the record that was looked up last; who changes a record in
 *      between stands them on it again (`seekRecord`).
 *
 * The lower half of Keyspace: what is known here is arena, tables and layout, not the meaning of commands.
 */

import { assert } from "../../core/assert.ts";
import { copyBytes, moveBytes } from "../../core/bytes.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { HashTable } from "../encodings/hash-table.ts";
import { AccessClock } from "./access-clock.ts";
import type { Database } from "./database.ts";
import { Reclaimer } from "./reclaimer.ts";
import {
  extentLength,
  extentOf,
  extentSlack,
  INLINE_MAX,
  KEY_LENGTH_MASK,
  KEY_OFFSET,
  RECORD_EXPIRES,
  RECORD_EXTERNAL,
  Records,
  SLACK_LENGTH_MAX,
  SLACK_MAX,
} from "./record.ts";
import type { Structure } from "./structure.ts";

/** Bytes before key and inline value. */
const HEAD_BYTES = 8;
const EXPIRY_BYTES = 8;
const EXTERNAL_BYTES = 8;
/** A structure of at most this size is freed at once, a larger one by the reclaimer. */
const FREE_AT_ONCE_MAX = 256;

export class RecordStore {
  readonly hash: KeyHash;
  readonly clock: AccessClock;
  /** The arena of all live keys. FLUSHALL puts a new one in its place, and everything that hangs on it. */
  arena: Arena;
  records: Records;
  tables: HashTable;
  /** By type number: who knows the structures of that type. */
  structures: (Structure | undefined)[];

  /** The value that `readValue`, `resizeValue` and `setString` left for their caller: valid until the next write. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;

  /** Called with each key that is made, when its record stands in the tables; undefined while nobody wants to hear of it. */
  onNew: ((database: Database, record: number) => void) | undefined;

  /** Hash of the key looked up last. */
  protected keyHash: number;
  protected readonly reclaimer: Reclaimer;

  constructor(hash: KeyHash, arena: Arena) {
    this.hash = hash;
    this.clock = new AccessClock();
    this.arena = arena;
    this.records = new Records(arena);
    this.tables = new HashTable(arena, hash);
    this.structures = [];
    this.reclaimer = new Reclaimer();
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.onNew = undefined;
    this.keyHash = 0;
  }

  /** Finds `record` again by its own key, so that the registers of `tables` stand on it. */
  protected seekRecord(database: Database, record: number): void {
    this.keyHash = this.tables.hashOf(record);
    const isThere = this.tables.locate(database.table, this.keyHash, record);
    assert(isThere, "a record is not in its table");
  }

  /** Sets valueBytes, valueStart and valueLength to the record's string. hot path */
  readValue(record: number): void {
    this.records.readValue(record, this);
  }

  /** Writes a value that is given whole into the place that valueStart names. */
  protected copyValue(value: Uint8Array, start: number, length: number): void {
    copyBytes(value, start, length, this.valueBytes, this.valueStart);
  }

  /**
   * A new record with its key, and room for a value of `valueLength` bytes to which valueBytes points.
   * Type, encoding and access clock are to be set by `initialize`, the time by `insert`.
   */
  protected allocateRecord(
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
    copyBytes(key, keyStart, keyLength, target, keyAt);
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

  protected initialize(record: number, type: number, encoding: number): void {
    this.arena.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1] =
      type | (encoding << 4) | (this.clock.isFrequency ? this.clock.initialBits() : this.clock.stampBits);
  }

  /** Puts a new record into the tables. On ArenaExhausted the record is freed and nothing has changed. */
  protected insert(database: Database, hash: number, record: number, expireAtMs: number): void {
    try {
      this.enter(database, hash, record, expireAtMs);
    } catch (error) {
      this.freeRecord(record);
      throw error;
    }
  }

  /** Puts a record into the tables. On ArenaExhausted nothing has changed, and the record is still the caller's. */
  protected enter(database: Database, hash: number, record: number, expireAtMs: number): void {
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    this.tables.insert(database.table, hash, record);
    if (expireAtMs >= 0) {
      try {
        this.tables.insert(database.expires, hash, record);
      } catch (error) {
        this.tables.locate(database.table, hash, record);
        this.tables.remove(database.table);
        throw error;
      }
    }
    if (this.onNew !== undefined) this.onNew(database, record);
  }

  /**
   * Puts a finished record into the tables, in the place of `target` when that is not 0 (the registers stand on it
   * then, and it is freed). On ArenaExhausted nothing has changed, and the record is still the caller's.
   * `isSameKey`: the key goes on, only its value has another form.
   */
  protected place(
    database: Database,
    hash: number,
    target: number,
    record: number,
    expireAtMs: number,
    isSameKey = false,
  ): void {
    if (target === 0) {
      this.enter(database, hash, record, expireAtMs);
      return;
    }
    this.tables.touch(database.table, this.tables.home);
    if (expireAtMs >= 0) this.writeExpiry(record, expireAtMs);
    const hadExpiry = (this.records.flags(target) & RECORD_EXPIRES) !== 0;
    this.exchange(database, hash, target, record, hadExpiry, expireAtMs >= 0);
    this.freeRecord(target);
    // A key that takes another's place is made anew, as far as anybody who listens is concerned.
    if (this.onNew !== undefined && !isSameKey) this.onNew(database, record);
  }

  /**
   * Brings a record, on which the registers of `tables` stand, into the shape that is asked for: with or without room
   * for an expiry time, and with a value of `length` bytes. Moves it only when it must. Sets the value registers.
   */
  protected reform(
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
          const slack = extentSlack(words[at + 1]!);
          words[at + 1] = length;
          this.valueBytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
          this.valueStart = (cell & UNIT_MASK) << 3;
          this.valueLength = length;
          if (slack !== 0) moveBytes(this.valueBytes, this.valueStart, this.valueStart + slack, keptBytes);
          return record;
        }
      }
    }
    return this.rebuild(database, record, hasExpiry, length, keptBytes, roomBytes);
  }

  /** The part of `reform` for a value that grows, when its cell has the room; false, and nothing done, when not. hot path */
  protected growsInPlace(record: number, length: number): boolean {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const words = this.arena.words[segment]!;
    const flags = words[(unit << 1) + 1]!;
    if (flags >= 0) {
      const keyOffset = (flags & RECORD_EXPIRES) === 0 ? HEAD_BYTES + 1 : HEAD_BYTES + EXPIRY_BYTES + 1;
      const offset = keyOffset + (flags & KEY_LENGTH_MASK);
      if (length > INLINE_MAX || offset + length > this.arena.capacity(record)) return false;
      const bytes = this.arena.bytes[segment]!;
      bytes[(unit << 3) + keyOffset - 1] = length;
      this.valueBytes = bytes;
      this.valueStart = (unit << 3) + offset;
    } else {
      const at = (unit << 1) + ((flags & RECORD_EXPIRES) === 0 ? 2 : 4);
      const cell = words[at]!;
      const slack = extentSlack(words[at + 1]!);
      if (length + slack > this.arena.capacity(cell) || (slack !== 0 && length > SLACK_LENGTH_MAX)) return false;
      words[at + 1] = extentOf(length, slack);
      this.valueBytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
      this.valueStart = ((cell & UNIT_MASK) << 3) + slack;
    }
    this.valueLength = length;
    return true;
  }

  /**
   * A value in a cell of its own gets `change` bytes longer at `offset`, or shorter before it: what lies before `offset`
   * moves, into or out of the slack, and what lies behind stays. Sets the value registers. False, and nothing done, when
   * there is not enough slack, or the value would be worth a smaller cell. hot path
   */
  protected shiftsFront(record: number, offset: number, change: number): boolean {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const words = this.arena.words[segment]!;
    const flags = words[(unit << 1) + 1]!;
    if (flags >= 0) return false;
    const at = (unit << 1) + ((flags & RECORD_EXPIRES) === 0 ? 2 : 4);
    const extent = words[at + 1]!;
    const slack = extentSlack(extent);
    const newSlack = slack - change;
    const length = extentLength(extent) + change;
    if (newSlack < 0 || newSlack > SLACK_MAX || length > SLACK_LENGTH_MAX) return false;
    const cell = words[at]!;
    if (change < 0 && (length <= INLINE_MAX || Arena.cellBytes(length) * 2 <= this.arena.capacity(cell))) return false;
    const bytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
    const start = (cell & UNIT_MASK) << 3;
    moveBytes(bytes, start + newSlack, start + slack, offset);
    words[at + 1] = extentOf(length, newSlack);
    this.valueBytes = bytes;
    this.valueStart = start + newSlack;
    this.valueLength = length;
    return true;
  }

  /**
   * In a cell that is large enough, `removed` bytes at `offset` of a value of `length` bytes give way to `inserted` ones.
   * With `isFront` half of the room that is left becomes slack, otherwise none. Sets the value registers. False, and
   * nothing done, when the cell is too small or the value is inline.
   */
  protected spreadsInPlace(
    record: number,
    length: number,
    offset: number,
    removed: number,
    inserted: number,
    isFront: boolean,
  ): boolean {
    const { records } = this;
    if (records.flags(record) >= 0) return false;
    const cell = records.externalAddress(record);
    const newLength = length - removed + inserted;
    const room = this.arena.capacity(cell) - newLength;
    if (room < 0) return false;
    const slack = extentSlack(records.extent(record));
    // The other half is for who pushes at the other end.
    const newSlack = isFront && newLength <= SLACK_LENGTH_MAX ? Math.min(room >>> 1, SLACK_MAX) : 0;
    const bytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
    const start = (cell & UNIT_MASK) << 3;
    const from = start + slack;
    const to = start + newSlack;
    if (to < from) moveBytes(bytes, to, from, offset);
    moveBytes(bytes, to + offset + inserted, from + offset + removed, length - offset - removed);
    if (to > from) moveBytes(bytes, to, from, offset);
    records.setExtent(record, extentOf(newLength, newSlack));
    this.valueBytes = bytes;
    this.valueStart = to;
    this.valueLength = newLength;
    return true;
  }

  /** Whether a value that has become `length` bytes long stays in its own cell, as `reform` decides it. */
  protected staysInCell(record: number, length: number): boolean {
    const { records, arena } = this;
    if (records.flags(record) >= 0 || length <= INLINE_MAX) return false;
    return Arena.cellBytes(length) * 2 > arena.capacity(records.externalAddress(record));
  }

  /** The part of `reform` that allocates: a new record takes the old one's place in the tables. */
  protected rebuild(
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
    copyBytes(kept, keptStart, keptBytes, this.valueBytes, this.valueStart);
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
  protected exchange(
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

  protected writeExpiry(record: number, expireAtMs: number): void {
    this.arena.doubles[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) + 1] = expireAtMs;
  }

  protected freeRecord(record: number): void {
    const records = this.records;
    if (records.flags(record) < 0) {
      if (records.isStructure(record)) this.freeStructure(records.type(record), records.externalAddress(record));
      else this.arena.free(records.externalAddress(record));
    }
    this.arena.free(record);
  }

  /** Frees a structure that no record points to (any more): at once when it is small, otherwise in idle moments. */
  freeStructure(type: number, root: number): void {
    const structure = this.structureOf(type);
    // A running snapshot may be in the middle of the value, although its record has been passed.
    if (this.tables.snapshotId === 0 && structure.size(root) <= FREE_AT_ONCE_MAX) {
      let next = 0;
      while (next !== -1) next = structure.freeParts(root, next, FREE_AT_ONCE_MAX);
    } else {
      this.reclaimer.addStructure(structure, root);
    }
  }

  structureOf(type: number): Structure {
    const structure = this.structures[type];
    assert(structure !== undefined, "a structure of a type that has none");
    return structure;
  }

  /** A record of the same key and value with or without room for a time; a long value's cell is handed over, not copied. */
  protected changeExpiryRoom(database: Database, record: number, hasExpiry: boolean): number {
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
  protected withKey(record: number, key: Uint8Array, keyStart: number, keyLength: number, hasExpiry: boolean): number {
    const { records } = this;
    const cell = records.externalAddress(record);
    const moved = this.allocateExternal(key, keyStart, keyLength, hasExpiry, cell, records.extent(record));
    this.arena.words[moved >>> SEGMENT_SHIFT]![(moved & UNIT_MASK) << 1] =
      this.arena.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1]!;
    if (hasExpiry) this.writeExpiry(moved, Math.max(records.expireAtMs(record), 0));
    return moved;
  }

  /** An EXTERNAL record that points to `cell`; otherwise as allocateRecord. */
  protected allocateExternal(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    hasExpiry: boolean,
    cell: number,
    extent: number,
  ): number {
    const headBytes = (hasExpiry ? HEAD_BYTES + EXPIRY_BYTES : HEAD_BYTES) + EXTERNAL_BYTES;
    const record = this.arena.allocate(headBytes + keyLength);
    const words = this.arena.words[record >>> SEGMENT_SHIFT]!;
    const at = (record & UNIT_MASK) << 1;
    words[at + 1] = keyLength | RECORD_EXTERNAL | (hasExpiry ? RECORD_EXPIRES : 0);
    words[at + (headBytes >>> 2) - 2] = cell;
    words[at + (headBytes >>> 2) - 1] = extent;
    this.arena.copyIn(record, headBytes, key, keyStart, keyLength);
    return record;
  }
}
