/**
 * ValueStore: gives keys their values, as bytes or as the root of a structure.
 *
 *      absent ── addString, addValue ──────────────► bytes ── resizeValue, spliceValue ──► other bytes
 *      anything ── setString, putValue ────────────►   │
 *               └─ putStructure ──► structure ◄── turnIntoStructure (a collection that has become large)
 *
 *  I1  New cells are allocated before old ones are freed: ArenaExhausted leaves everything as it was.
 *  I2  What a key held before is freed when its new value stands in the tables.
 *
 * The middle of Keyspace: it knows arena, tables and values; how a key is found, with its expiry, is `seek`.
 */

import { moveBytes } from "../../core/bytes.ts";
import { ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { Database } from "./database.ts";
import { ENCODING_EMBSTR, INLINE_MAX, RECORD_EXPIRES, TYPE_STRING } from "./record.ts";
import { RecordStore } from "./record-store.ts";
import { encodingOf } from "./string-encoding.ts";

/** For `setString`: the key does not expire. */
export const NO_EXPIRY = -1;
/** For `setString`: the key keeps the time it has. */
export const KEEP_EXPIRY = -2;

/** Up to here a growing string gets twice the room it needs, beyond it a quarter more: appending stays linear. */
const DOUBLING_MAX = 1024 * 1024;

export abstract class ValueStore extends RecordStore {
  /** False for a client with NO-TOUCH: lookups leave the access clock alone. */
  touchesAccess = true;

  /** The record of a key, 0 when it is absent or its time is over; sets `keyHash` and the registers of `tables`. */
  protected abstract seek(database: Database, source: Uint8Array, start: number, length: number): number;

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
    return this.addValue(database, key, keyStart, keyLength, TYPE_STRING, encoding, length, expireAtMs);
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
    record = this.records.isStructure(record)
      ? this.replaceStructure(database, record, hasExpiry, valueLength)
      : this.reform(database, record, hasExpiry, valueLength, 0, valueLength);
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

  /**
   * Room to ask for when a small collection grows to `length`: some more elements are to fit without another cell, but
   * many collections never get them.
   */
  private static collectionRoom(length: number): number {
    if (length > INLINE_MAX) return length + (length >>> 3);
    const room = length + (length >>> 2);
    return room < INLINE_MAX ? room : INLINE_MAX;
  }

  // ---- values of other types ----------------------------------------------------------------------------------------

  /**
   * Gives a key that is absent (as `lookupWrite` has just found) a value of `length` bytes, which are undefined and to
   * be filled through valueBytes. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. Throws ArenaExhausted (I3).
   */
  addValue(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    type: number,
    encoding: number,
    length: number,
    expireAtMs: number,
  ): number {
    const record = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, length, length);
    this.initialize(record, type, encoding);
    this.insert(database, this.keyHash, record, expireAtMs);
    return record;
  }

  /** As `addValue`, whatever the key held before. */
  putValue(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    type: number,
    encoding: number,
    length: number,
    expireAtMs: number,
  ): number {
    const target = this.seek(database, key, keyStart, keyLength);
    const record = this.allocateRecord(key, keyStart, keyLength, expireAtMs >= 0, length, length);
    this.initialize(record, type, encoding);
    try {
      this.place(database, this.keyHash, target, record, expireAtMs, true);
    } catch (error) {
      this.freeRecord(record);
      throw error;
    }
    return record;
  }

  /**
   * Gives a key the structure at `root`, whatever it held before; the structure belongs to the record from now on.
   * Returns the record. On ArenaExhausted the structure is still the caller's (I3).
   */
  putStructure(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    type: number,
    encoding: number,
    root: number,
    expireAtMs: number,
  ): number {
    const target = this.seek(database, key, keyStart, keyLength);
    const record = this.allocateExternal(key, keyStart, keyLength, expireAtMs >= 0, root, 0);
    this.initialize(record, type, encoding);
    try {
      this.place(database, this.keyHash, target, record, expireAtMs, true);
    } catch (error) {
      this.arena.free(record);
      throw error;
    }
    return record;
  }

  /**
   * The bytes of `record`, found by `lookupWrite`, give way to the structure at `root` with the same elements. Returns
   * the record, which has moved. On ArenaExhausted the structure is still the caller's (I3).
   */
  turnIntoStructure(database: Database, record: number, encoding: number, root: number): number {
    const { records } = this;
    this.seekRecord(database, record);
    const expireAtMs = records.expireAtMs(record);
    const moved = this.allocateExternal(
      records.view(record),
      records.keyStart(record),
      records.keyLength(record),
      expireAtMs >= 0,
      root,
      0,
    );
    records.setTypeAndEncoding(moved, records.type(record), encoding);
    records.setAccess(moved, records.access(record));
    try {
      this.place(database, this.keyHash, record, moved, expireAtMs, true);
    } catch (error) {
      this.arena.free(moved);
      throw error;
    }
    return moved;
  }

  /**
   * The structure of `record`, found by `lookupWrite`, gives way to a value of `length` bytes, which are undefined and to
   * be filled through valueBytes. The structure is the caller's from now on. Returns the record, which has moved. Throws
   * ArenaExhausted (I1).
   */
  turnIntoBytes(database: Database, record: number, encoding: number, length: number): number {
    const { records } = this;
    this.seekRecord(database, record);
    const expireAtMs = records.expireAtMs(record);
    const moved = this.allocateRecord(
      records.view(record),
      records.keyStart(record),
      records.keyLength(record),
      expireAtMs >= 0,
      length,
      length,
    );
    records.setTypeAndEncoding(moved, records.type(record), encoding);
    records.setAccess(moved, records.access(record));
    if (expireAtMs >= 0) this.writeExpiry(moved, expireAtMs);
    this.exchange(database, this.keyHash, record, moved, expireAtMs >= 0, expireAtMs >= 0);
    this.arena.free(record);
    return moved;
  }

  /** What `reform` does for bytes: a string of `length` bytes, to be filled, takes the place of a structure. */
  private replaceStructure(database: Database, record: number, hasExpiry: boolean, length: number): number {
    const { records } = this;
    const hash = this.keyHash;
    const made = this.allocateRecord(
      records.view(record),
      records.keyStart(record),
      records.keyLength(record),
      hasExpiry,
      length,
      length,
    );
    records.setTypeAndEncoding(made, TYPE_STRING, ENCODING_EMBSTR);
    records.setAccess(made, records.access(record));
    try {
      this.place(database, hash, record, made, hasExpiry ? Math.max(records.expireAtMs(record), 0) : -1, true);
    } catch (error) {
      this.freeRecord(made);
      throw error;
    }
    return made;
  }

  /**
   * Replaces `removed` bytes at `offset` of a value that is bytes by `inserted` others, which are undefined and to be
   * filled at valueStart + offset; what lies before and behind stays. `record` was found by `lookupWrite` as the last
   * one (else `standOn` comes first). Returns the record, which may have moved. Throws ArenaExhausted (I3).
   */
  spliceValue(database: Database, record: number, offset: number, removed: number, inserted: number): number {
    const length = this.records.valueLength(record);
    const newLength = length - removed + inserted;
    const behind = length - offset - removed;
    if (inserted === removed) {
      this.readValue(record);
      return record;
    }
    const isFront = offset < behind;
    if (isFront && this.shiftsFront(record, offset, inserted - removed)) return record;
    if (inserted > removed) return this.growValue(database, record, length, offset, removed, inserted, isFront);
    this.readValue(record);
    const at = this.valueStart + offset;
    moveBytes(this.valueBytes, at + inserted, at + removed, behind);
    this.records.setValueLength(record, newLength);
    if (this.staysInCell(record, newLength)) {
      this.valueLength = newLength;
      return record;
    }
    try {
      return this.resizeValue(database, record, newLength, newLength, newLength);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      this.readValue(record);
      return record;
    }
  }

  /** The part of `spliceValue` for a value that gets longer, when its slack is not enough. */
  private growValue(
    database: Database,
    record: number,
    length: number,
    offset: number,
    removed: number,
    inserted: number,
    isFront: boolean,
  ): number {
    const newLength = length - removed + inserted;
    const behind = length - offset - removed;
    const isInline = this.records.flags(record) >= 0;
    // What is inline has no slack, and what is to have some is spread.
    if ((isFront && !isInline) || !this.growsInPlace(record, newLength)) {
      if (this.spreadsInPlace(record, length, offset, removed, inserted, isFront)) return record;
      record = this.resizeValue(database, record, newLength, length, ValueStore.collectionRoom(newLength));
      if (isFront && this.spreadsInPlace(record, length, offset, removed, inserted, true)) return record;
    }
    const at = this.valueStart + offset;
    moveBytes(this.valueBytes, at + inserted, at + removed, behind);
    return record;
  }

  /** Lets the registers stand on `record`, after other keys were looked up. */
  standOn(database: Database, record: number): void {
    this.seekRecord(database, record);
  }
}
