/**
 * SetBuilder: makes a whole set before anybody can see it: for RESTORE, loading, and commands that store.
 *
 *      begin ──► addMember ... ──┬──► put       an intset or a listpack while it may be one, then a table in the arena
 *                                └──► abandon
 *
 *  I1  Nothing of the set is in the keyspace before `put`; after `put` or `abandon` the builder is empty again.
 *  I2  The encoding is what SADD of the same members, one by one, would have made.
 *  I3  When `addMember` or `put` throws ArenaExhausted, `abandon` gives back what there is.
 */

import { INTSET_HEAD_BYTES, Intset, intsetCount, intsetWidth, writeIntsetHead } from "../encodings/intset.ts";
import { firstEntry, isListpackEnd, Listpack, nextEntry } from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_HASHTABLE, ENCODING_INTSET, ENCODING_LISTPACK, TYPE_SET } from "../keyspace/record.ts";
import { PackedBuffer } from "./packed-buffer.ts";
import type { Sets } from "./sets.ts";

/** Whoever says how much will come may be wrong: room is not made for more than this in advance. */
const SIZE_HINT_MAX = 1 << 16;
const WIDEST = 8;

export class SetBuilder {
  private readonly keyspace: Keyspace;
  private readonly packed: PackedBuffer;
  private readonly listpack: Listpack;
  private readonly intset: Intset;
  private numbers: Uint8Array;
  /** Who made `table`. */
  private sets: Sets;
  private encoding: number;
  private table: number;
  private isBegun: boolean;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.packed = new PackedBuffer();
    this.listpack = new Listpack();
    this.intset = new Intset();
    this.numbers = new Uint8Array(256);
    this.sets = keyspace.sets;
    this.encoding = ENCODING_INTSET;
    this.table = 0;
    this.isBegun = false;
    this.clear();
  }

  /**
   * Starts a set of about `sizeHint` members, 0 when that is not known. `encoding` is the narrowest that it may have: an
   * intset when nothing else is asked for. Throws ArenaExhausted.
   */
  begin(sizeHint: number, encoding = ENCODING_INTSET): void {
    if (this.isBegun) this.abandon();
    this.isBegun = true;
    this.sets = this.keyspace.sets;
    const limits = this.keyspace.encodingLimits;
    if (encoding === ENCODING_HASHTABLE || sizeHint > Math.max(limits.setIntsetEntries, limits.setListpackEntries)) {
      this.makeTable(sizeHint);
    } else {
      this.encoding = encoding;
    }
  }

  /** Number of members so far. */
  get count(): number {
    if (this.encoding === ENCODING_INTSET) return intsetCount(this.numbers, 0);
    return this.encoding === ENCODING_LISTPACK ? this.packed.count : this.sets.tables.count(this.table);
  }

  /** False when the member is there already: nothing has changed then. Throws ArenaExhausted. */
  addMember(member: Uint8Array, start: number, length: number): boolean {
    const limits = this.keyspace.encodingLimits;
    const isShort = length <= limits.setListpackBytes;
    const { intset, listpack, packed } = this;
    if (this.encoding === ENCODING_INTSET) {
      const count = intsetCount(this.numbers, 0);
      if (intset.parse(member, start, length)) {
        if (intset.find(this.numbers, 0)) return false;
        if (count < limits.setIntsetEntries) {
          this.insertNumber(count);
          return true;
        }
        this.makeTable(0);
      } else if (isShort && count < limits.setListpackEntries && this.longestNumber(count) <= limits.setListpackBytes) {
        this.makeListpack(count);
      } else {
        this.makeTable(0);
      }
    }
    if (this.encoding === ENCODING_LISTPACK) {
      listpack.begin();
      listpack.append(member, start, length);
      if (packed.has(listpack, 0)) return false;
      if (isShort && packed.count < limits.setListpackEntries) {
        packed.append(listpack);
        return true;
      }
      this.makeTable(0);
    }
    return this.sets.insertMember(this.table, member, start, length);
  }

  /** Inserts the number that `intset` has parsed and not found. */
  private insertNumber(count: number): void {
    const { intset } = this;
    const { index } = intset;
    const neededBytes = INTSET_HEAD_BYTES + (count + 1) * WIDEST;
    if (neededBytes > this.numbers.length) {
      const grown = new Uint8Array(neededBytes * 2);
      grown.set(this.numbers);
      this.numbers = grown;
    }
    const { numbers } = this;
    const width = intsetWidth(numbers, 0);
    if (intset.width > width) {
      Intset.widen(numbers, 0, intset.width, index);
    } else {
      const at = INTSET_HEAD_BYTES + index * width;
      numbers.copyWithin(at + width, at, INTSET_HEAD_BYTES + count * width);
      writeIntsetHead(numbers, 0, width, count + 1);
    }
    intset.writeNumber(numbers, 0, index);
  }

  private longestNumber(count: number): number {
    if (count === 0) return 0;
    this.intset.read(this.numbers, 0, 0);
    const first = this.intset.valueLength;
    this.intset.read(this.numbers, 0, count - 1);
    return Math.max(first, this.intset.valueLength);
  }

  private makeListpack(count: number): void {
    const { intset, listpack, packed } = this;
    listpack.begin();
    for (let index = 0; index < count; index++) {
      intset.read(this.numbers, 0, index);
      listpack.append(intset.valueBytes, intset.valueStart, intset.valueLength);
    }
    packed.append(listpack);
    this.encoding = ENCODING_LISTPACK;
  }

  /** Tells all members so far; `visit` must not add any. */
  eachMember(visit: (bytes: Uint8Array, start: number, length: number) => void): void {
    const { intset, listpack } = this;
    if (this.encoding === ENCODING_INTSET) {
      for (let index = 0; index < intsetCount(this.numbers, 0); index++) {
        intset.read(this.numbers, 0, index);
        visit(intset.valueBytes, intset.valueStart, intset.valueLength);
      }
    } else if (this.encoding === ENCODING_LISTPACK) {
      const { bytes } = this.packed;
      for (let at = firstEntry(0); !isListpackEnd(bytes, at); at = nextEntry(bytes, at)) {
        listpack.read(bytes, at);
        visit(listpack.valueBytes, listpack.valueStart, listpack.valueLength);
      }
    } else {
      this.sets.eachOf(this.table, visit);
    }
  }

  private makeTable(sizeHint: number): void {
    const { sets } = this;
    const table = sets.createTable(Math.min(Math.max(sizeHint, this.count), SIZE_HINT_MAX));
    try {
      this.eachMember((bytes, start, length) => sets.insertMember(table, bytes, start, length));
    } catch (error) {
      sets.abandonTable(table);
      throw error;
    }
    this.table = table;
    this.encoding = ENCODING_HASHTABLE;
  }

  /**
   * Gives the set to a key, whatever it held. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. At least one
   * member must be there. Throws ArenaExhausted: the set is still the builder's.
   */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const { keyspace, encoding } = this;
    let record: number;
    if (encoding === ENCODING_HASHTABLE) {
      record = keyspace.putStructure(database, key, keyStart, keyLength, TYPE_SET, encoding, this.table, expireAtMs);
      this.table = 0;
    } else {
      const source = encoding === ENCODING_INTSET ? this.numbers : this.packed.bytes;
      const length =
        encoding === ENCODING_INTSET
          ? INTSET_HEAD_BYTES + intsetCount(source, 0) * intsetWidth(source, 0)
          : this.packed.length;
      record = keyspace.putValue(database, key, keyStart, keyLength, TYPE_SET, encoding, length, expireAtMs);
      keyspace.valueBytes.set(source.subarray(0, length), keyspace.valueStart);
    }
    this.clear();
    return record;
  }

  /** Gives up what was made since `begin`. */
  abandon(): void {
    if (this.table !== 0) this.sets.abandonTable(this.table);
    this.clear();
  }

  private clear(): void {
    this.table = 0;
    this.encoding = ENCODING_INTSET;
    this.isBegun = false;
    this.packed.clear();
    writeIntsetHead(this.numbers, 0, 2, 0);
  }
}
