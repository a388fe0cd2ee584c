/**
 * Sets: members without order, as an intset while all are whole numbers, as a listpack while they are few and short,
 * otherwise as a table.
 *
 *      intset      width count [number][number] ...            bytes of the record
 *      listpack    head [member][member] ... ff                bytes of the record
 *      hashtable   root ──► entry [member]                     member-table.ts
 *
 *  I1  A set has at least one member: who takes out the last one deletes the record (`keyspace.deleteRecord`).
 *  I2  An intset stays within set-max-intset-entries; it becomes a listpack by its first other member if that leaves it
 *      within set-max-listpack-entries and -value, else a table. A listpack becomes a table. Nothing goes back.
 *  I3  Each operation is done wholly, or ArenaExhausted leaves the members as they were.
 *  I4  Operations that write want a record that `lookupWrite` found as the last one (else `standOn` comes first); where
 *      it is afterwards, `record` says.
 *  I5  A *token* names a member until the set is changed: an entry's address, an offset in a listpack, an index in an intset.
 *
 *  Source: encodings and limits of Redis 7.2.
 */

import { assert } from "../../core/assert.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { RecordList } from "../encodings/hash-table.ts";
import { INTSET_HEAD_BYTES, Intset, intsetCount, intsetWidth, writeIntsetHead } from "../encodings/intset.ts";
import {
  entryAt,
  findEntry,
  firstEntry,
  isListpackEnd,
  LISTPACK_EMPTY_BYTES,
  Listpack,
  listpackCount,
  nextEntry,
} from "../encodings/listpack.ts";
import { memberBytes, memberLength, memberStart, writeMember } from "../encodings/member-table.ts";
import { type Database, type Keyspace, NO_EXPIRY } from "../keyspace/keyspace.ts";
import {
  ENCODING_HASHTABLE,
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  type Records,
  TYPE_SET,
  type ValueView,
} from "../keyspace/record.ts";
import { PackedValues } from "./packed-values.ts";
import { TableStructure } from "./table-structure.ts";

export class Sets extends TableStructure implements ValueView {
  /** The member that `next`, `pick`, `readToken` and `readMember` found; valid until the next write. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** Its token (I5); not set by `readMember`. */
  token: number;
  /** Where the record is after the last operation that wrote. */
  record: number;

  private readonly keyspace: Keyspace;
  private readonly records: Records;
  private readonly hash: KeyHash;
  private readonly listpack: Listpack;
  private readonly packed: PackedValues;
  private readonly intset: Intset;
  /** The walk over bytes; while it goes over a table, walkEncoding says so. */
  private walkEncoding: number;
  private walkBlob: Uint8Array;
  private walkStart: number;
  private walkAt: number;
  private walkNumbers: number;
  /** Indexes of an intset that `keep` keeps. */
  private readonly kept: RecordList;
  private keptCount: number;

  constructor(keyspace: Keyspace) {
    super(keyspace.arena, keyspace.members);
    this.keyspace = keyspace;
    this.records = keyspace.records;
    this.hash = keyspace.hash;
    this.listpack = new Listpack();
    this.packed = new PackedValues(keyspace, this.listpack);
    this.intset = new Intset();
    this.valueBytes = this.intset.valueBytes;
    this.valueStart = 0;
    this.valueLength = 0;
    this.token = 0;
    this.record = 0;
    this.walkEncoding = ENCODING_HASHTABLE;
    this.walkBlob = this.intset.valueBytes;
    this.walkStart = 0;
    this.walkAt = 0;
    this.walkNumbers = 0;
    this.kept = new RecordList();
    this.keptCount = 0;
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  /** Number of members. */
  count(record: number): number {
    const encoding = this.records.encoding(record);
    if (encoding === ENCODING_HASHTABLE) return this.tables.count(this.records.externalAddress(record));
    const { keyspace } = this;
    keyspace.readValue(record);
    return encoding === ENCODING_INTSET
      ? intsetCount(keyspace.valueBytes, keyspace.valueStart)
      : listpackCount(keyspace.valueBytes, keyspace.valueStart);
  }

  /** Whether nothing is left of a set. */
  isEmpty(record: number): boolean {
    return this.count(record) === 0;
  }

  /** Whether the set has this member. Does not disturb a walk. hot path */
  has(record: number, member: Uint8Array, start: number, length: number): boolean {
    return this.search(record, member, start, length) !== -1;
  }

  /** Token of a member, -1 when the set does not have it. Does not disturb a walk. */
  search(record: number, member: Uint8Array, start: number, length: number): number {
    const encoding = this.records.encoding(record);
    if (encoding === ENCODING_HASHTABLE) {
      const table = this.records.externalAddress(record);
      const entry = this.tables.find(table, this.hash.hash(member, start, length), member, start, length);
      return entry === 0 ? -1 : entry;
    }
    const { keyspace, intset, listpack } = this;
    if (encoding === ENCODING_INTSET) {
      if (!intset.parse(member, start, length)) return -1;
      keyspace.readValue(record);
      return intset.find(keyspace.valueBytes, keyspace.valueStart) ? intset.index : -1;
    }
    keyspace.readValue(record);
    listpack.begin();
    listpack.append(member, start, length);
    const at = listpack.find(keyspace.valueBytes, firstEntry(keyspace.valueStart), 0);
    return at === -1 ? -1 : at - keyspace.valueStart;
  }

  /** Whether another set has the member on which the walk stands. Does not disturb the walk. hot path */
  sharesFound(record: number): boolean {
    if (this.walkEncoding !== ENCODING_LISTPACK || this.records.encoding(record) !== ENCODING_LISTPACK) {
      return this.search(record, this.valueBytes, this.valueStart, this.valueLength) !== -1;
    }
    // Equal members have equal entries, whichever listpack they are in.
    const { keyspace } = this;
    keyspace.readValue(record);
    const at = this.walkStart + this.token;
    const first = firstEntry(keyspace.valueStart);
    return findEntry(keyspace.valueBytes, first, 0, this.walkBlob, at, this.walkAt - at) !== -1;
  }

  /** Begins a walk over all members, which `next` goes on with. */
  startWalk(record: number): void {
    const encoding = this.records.encoding(record);
    this.walkEncoding = encoding;
    if (encoding === ENCODING_HASHTABLE) {
      this.startTableWalk(this.records.externalAddress(record));
      return;
    }
    const { keyspace } = this;
    keyspace.readValue(record);
    this.walkBlob = keyspace.valueBytes;
    this.walkStart = keyspace.valueStart;
    this.walkAt = encoding === ENCODING_INTSET ? 0 : firstEntry(keyspace.valueStart);
    this.walkNumbers = encoding === ENCODING_INTSET ? intsetCount(keyspace.valueBytes, keyspace.valueStart) : 0;
  }

  /** Points the registers to the next member; false at the end. Nothing may be written during a walk. hot path */
  next(): boolean {
    if (this.walkEncoding === ENCODING_HASHTABLE) {
      const entry = this.nextTableEntry();
      if (entry === 0) return false;
      this.token = entry;
      this.readMember(entry);
      return true;
    }
    const blob = this.walkBlob;
    if (this.walkEncoding === ENCODING_INTSET) {
      if (this.walkAt === this.walkNumbers) return false;
      this.token = this.walkAt++;
      this.readNumber(blob, this.walkStart, this.token);
      return true;
    }
    const at = this.walkAt;
    if (isListpackEnd(blob, at)) return false;
    this.token = at - this.walkStart;
    this.readPacked(blob, at);
    this.walkAt = nextEntry(blob, at);
    return true;
  }

  /** Points the registers to a member by chance, each with the same probability. */
  pick(record: number, random: () => number): void {
    const encoding = this.records.encoding(record);
    if (encoding === ENCODING_HASHTABLE) {
      this.token = this.tables.pick(this.records.externalAddress(record), random);
      this.readMember(this.token);
      return;
    }
    this.keyspace.readValue(record);
    const { valueBytes, valueStart } = this.keyspace;
    if (encoding === ENCODING_INTSET) {
      this.token = random() % intsetCount(valueBytes, valueStart);
      this.readNumber(valueBytes, valueStart, this.token);
      return;
    }
    const at = entryAt(valueBytes, valueStart, random() % listpackCount(valueBytes, valueStart));
    this.token = at - valueStart;
    this.readPacked(valueBytes, at);
  }

  /** Points the registers to the member that a token names (I5). */
  readToken(record: number, token: number): void {
    const encoding = this.records.encoding(record);
    this.token = token;
    if (encoding === ENCODING_HASHTABLE) {
      this.readMember(token);
      return;
    }
    const { keyspace } = this;
    keyspace.readValue(record);
    if (encoding === ENCODING_INTSET) this.readNumber(keyspace.valueBytes, keyspace.valueStart, token);
    else this.readPacked(keyspace.valueBytes, keyspace.valueStart + token);
  }

  /** Points the registers to a table's entry. hot path */
  readMember(entry: number): void {
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    this.valueBytes = this.arena.bytes[segment]!;
    this.valueStart = memberStart(this.valueBytes, unit << 3);
    this.valueLength = memberLength(this.valueBytes, unit << 3);
  }

  /** Whether the member that was found is a whole number of 64 bits, as intsets keep them. */
  isNumber(): boolean {
    return this.intset.parse(this.valueBytes, this.valueStart, this.valueLength);
  }

  private readNumber(blob: Uint8Array, start: number, index: number): void {
    const { intset } = this;
    intset.read(blob, start, index);
    this.valueBytes = intset.valueBytes;
    this.valueStart = intset.valueStart;
    this.valueLength = intset.valueLength;
  }

  private readPacked(blob: Uint8Array, at: number): void {
    const { listpack } = this;
    listpack.read(blob, at);
    this.valueBytes = listpack.valueBytes;
    this.valueStart = listpack.valueStart;
    this.valueLength = listpack.valueLength;
  }

  // ---- adding ---------------------------------------------------------------------------------------------------------

  /**
   * Gives a key that is absent (as `lookupWrite` has just found) a set of one member, to which perhaps `sizeHint` in all
   * will come. Throws ArenaExhausted. hot path
   */
  make(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    member: Uint8Array,
    start: number,
    length: number,
    sizeHint: number,
  ): void {
    const { keyspace, intset, listpack } = this;
    const limits = keyspace.encodingLimits;
    if (sizeHint <= limits.setIntsetEntries && intset.parse(member, start, length)) {
      const bytes = INTSET_HEAD_BYTES + intset.width;
      this.record = keyspace.addValue(database, key, keyStart, keyLength, TYPE_SET, ENCODING_INTSET, bytes, NO_EXPIRY);
      writeIntsetHead(keyspace.valueBytes, keyspace.valueStart, intset.width, 1);
      intset.writeNumber(keyspace.valueBytes, keyspace.valueStart, 0);
      return;
    }
    if (sizeHint <= limits.setListpackEntries && length <= limits.setListpackBytes) {
      listpack.begin();
      listpack.append(member, start, length);
      this.record = this.packed.add(database, key, keyStart, keyLength, TYPE_SET);
      return;
    }
    const table = this.createTable(sizeHint);
    try {
      this.insertMember(table, member, start, length);
      this.record = keyspace.putStructure(
        database,
        key,
        keyStart,
        keyLength,
        TYPE_SET,
        ENCODING_HASHTABLE,
        table,
        NO_EXPIRY,
      );
    } catch (error) {
      this.freeTable(table);
      throw error;
    }
  }

  /** Makes a table of a set that could not hold `sizeHint` members as it is (I4). Throws ArenaExhausted. */
  prepare(database: Database, record: number, sizeHint: number): void {
    this.record = record;
    const encoding = this.records.encoding(record);
    const limits = this.keyspace.encodingLimits;
    const isTooLarge =
      encoding === ENCODING_LISTPACK
        ? sizeHint > limits.setListpackEntries
        : encoding === ENCODING_INTSET && sizeHint > limits.setIntsetEntries;
    if (isTooLarge) this.turnIntoTable(database, record, sizeHint);
  }

  /** Adds a member (I4); false when it is there already. Throws ArenaExhausted. hot path */
  add(database: Database, record: number, member: Uint8Array, start: number, length: number): boolean {
    this.record = record;
    const encoding = this.records.encoding(record);
    if (encoding === ENCODING_HASHTABLE) {
      return this.insertMember(this.records.externalAddress(record), member, start, length);
    }
    if (encoding === ENCODING_INTSET) return this.addToIntset(database, record, member, start, length);
    const { keyspace, listpack } = this;
    keyspace.readValue(record);
    listpack.begin();
    listpack.append(member, start, length);
    if (listpack.find(keyspace.valueBytes, firstEntry(keyspace.valueStart), 0) !== -1) return false;
    const limits = keyspace.encodingLimits;
    const count = listpackCount(keyspace.valueBytes, keyspace.valueStart);
    if (count < limits.setListpackEntries && length <= limits.setListpackBytes) {
      this.record = this.packed.append(database, record);
      return true;
    }
    this.turnIntoTable(database, record, count + 1);
    return this.insertMember(this.records.externalAddress(this.record), member, start, length);
  }

  private addToIntset(database: Database, record: number, member: Uint8Array, start: number, length: number): boolean {
    const { keyspace, intset } = this;
    const limits = keyspace.encodingLimits;
    const isNumber = intset.parse(member, start, length);
    keyspace.readValue(record);
    const count = intsetCount(keyspace.valueBytes, keyspace.valueStart);
    if (isNumber && intset.find(keyspace.valueBytes, keyspace.valueStart)) return false;
    if (isNumber && count < limits.setIntsetEntries) {
      this.insertNumber(database, record);
      return true;
    }
    if (
      !isNumber &&
      count < limits.setListpackEntries &&
      length <= limits.setListpackBytes &&
      this.longestNumber(keyspace.valueBytes, keyspace.valueStart) <= limits.setListpackBytes
    ) {
      this.turnIntoListpack(database, record, member, start, length);
      return true;
    }
    this.turnIntoTable(database, record, count + 1);
    return this.insertMember(this.records.externalAddress(this.record), member, start, length);
  }

  /** Puts the number that `intset` has parsed and not found into an intset. */
  private insertNumber(database: Database, record: number): void {
    const { keyspace, intset } = this;
    const { index } = intset;
    const width = intsetWidth(keyspace.valueBytes, keyspace.valueStart);
    const count = intsetCount(keyspace.valueBytes, keyspace.valueStart);
    if (intset.width > width) {
      const bytes = INTSET_HEAD_BYTES + (count + 1) * intset.width;
      this.record = keyspace.resizeValue(database, record, bytes, INTSET_HEAD_BYTES + count * width, bytes);
      Intset.widen(keyspace.valueBytes, keyspace.valueStart, intset.width, index);
    } else {
      this.record = keyspace.spliceValue(database, record, INTSET_HEAD_BYTES + index * width, 0, width);
      writeIntsetHead(keyspace.valueBytes, keyspace.valueStart, width, count + 1);
    }
    intset.writeNumber(keyspace.valueBytes, keyspace.valueStart, index);
  }

  /** Digits of the longest number of an intset: its first or its last. */
  private longestNumber(blob: Uint8Array, start: number): number {
    const count = intsetCount(blob, start);
    if (count === 0) return 0;
    this.intset.read(blob, start, 0);
    const first = this.intset.valueLength;
    this.intset.read(blob, start, count - 1);
    return Math.max(first, this.intset.valueLength);
  }

  private turnIntoListpack(
    database: Database,
    record: number,
    member: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { keyspace, listpack, intset } = this;
    const { valueBytes, valueStart } = keyspace;
    const count = intsetCount(valueBytes, valueStart);
    listpack.begin();
    for (let index = 0; index < count; index++) {
      intset.read(valueBytes, valueStart, index);
      listpack.append(intset.valueBytes, intset.valueStart, intset.valueLength);
    }
    listpack.append(member, start, length);
    const bytes = LISTPACK_EMPTY_BYTES + listpack.madeLength;
    this.record = keyspace.resizeValue(database, record, bytes, 0, bytes);
    listpack.writeBlob(keyspace.valueBytes, keyspace.valueStart);
    this.records.setTypeAndEncoding(this.record, TYPE_SET, ENCODING_LISTPACK);
  }

  /** Makes a table of a set, with room for `sizeHint` members (I4). Throws ArenaExhausted. */
  turnIntoTable(database: Database, record: number, sizeHint: number): void {
    const table = this.createTable(sizeHint);
    try {
      this.startWalk(record);
      while (this.next()) {
        const { valueBytes, valueStart, valueLength } = this;
        this.insertNew(table, this.hash.hash(valueBytes, valueStart, valueLength), valueBytes, valueStart, valueLength);
      }
      this.record = this.keyspace.turnIntoStructure(database, record, ENCODING_HASHTABLE, table);
    } catch (error) {
      this.freeTable(table);
      throw error;
    }
  }

  // ---- removing -------------------------------------------------------------------------------------------------------

  /**
   * Takes a member out (I4). False when there was none. A set whose last member went is empty, and the caller's to
   * delete: `isEmpty`. hot path
   */
  remove(database: Database, record: number, member: Uint8Array, start: number, length: number): boolean {
    this.record = record;
    const token = this.search(record, member, start, length);
    if (token === -1) return false;
    if (this.records.encoding(record) !== ENCODING_HASHTABLE) {
      this.removeToken(database, record, token);
      return true;
    }
    // The registers of `tables` stand on it.
    const table = this.records.externalAddress(record);
    this.tables.remove(table);
    this.freeEntry(token);
    this.tables.advance(table, 1);
    return true;
  }

  /** Takes out the member that a token names (I4, I5). */
  removeToken(database: Database, record: number, token: number): void {
    this.record = record;
    const encoding = this.records.encoding(record);
    if (encoding === ENCODING_HASHTABLE) {
      const table = this.records.externalAddress(record);
      this.takeEntry(table, token);
      this.tables.advance(table, 1);
    } else if (encoding === ENCODING_LISTPACK) {
      this.record = this.packed.remove(database, record, token, 1);
    } else {
      const { keyspace } = this;
      keyspace.readValue(record);
      const width = intsetWidth(keyspace.valueBytes, keyspace.valueStart);
      const count = intsetCount(keyspace.valueBytes, keyspace.valueStart);
      this.record = keyspace.spliceValue(database, record, INTSET_HEAD_BYTES + token * width, width, 0);
      writeIntsetHead(keyspace.valueBytes, keyspace.valueStart, width, count - 1);
    }
  }

  /** Takes out the member that `pick` has just found (I4); nothing was searched in between. hot path */
  removePicked(database: Database, record: number): void {
    if (this.records.encoding(record) !== ENCODING_HASHTABLE) {
      this.removeToken(database, record, this.token);
      return;
    }
    // The registers of `tables` stand on it.
    this.record = record;
    const table = this.records.externalAddress(record);
    this.tables.remove(table);
    this.freeEntry(this.token);
    this.tables.advance(table, 1);
  }

  private takeEntry(table: number, entry: number): void {
    const { tables } = this;
    const isThere = tables.locate(table, tables.hashOf(entry), entry);
    assert(isThere, "a member is not in its table");
    tables.remove(table);
    this.freeEntry(entry);
  }

  /**
   * Takes members out during a walk (I4): for every one of them `take` the one it stands on, when it has been read for the
   * last time, or `keep` it; then `endTaking`, once.
   */
  startTaking(record: number): void {
    this.startWalk(record);
    this.listpack.begin();
    this.keptCount = 0;
  }

  /** Takes the member on which the walk of `startTaking` stands. */
  take(record: number): void {
    if (this.walkEncoding === ENCODING_HASHTABLE) this.takeEntry(this.records.externalAddress(record), this.token);
  }

  /** Keeps it. */
  keep(): void {
    if (this.walkEncoding === ENCODING_LISTPACK) {
      this.listpack.append(this.valueBytes, this.valueStart, this.valueLength);
    } else if (this.walkEncoding === ENCODING_INTSET) {
      if (this.keptCount === this.kept.records.length) this.kept.grow();
      this.kept.records[this.keptCount++] = this.token;
    }
  }

  /** Ends what `startTaking` began; `takenCount` members were taken. */
  endTaking(database: Database, record: number, takenCount: number): void {
    this.record = record;
    if (this.walkEncoding === ENCODING_HASHTABLE) {
      this.tables.advance(this.records.externalAddress(record), takenCount);
      return;
    }
    const { keyspace, listpack, kept } = this;
    keyspace.readValue(record);
    const { valueBytes, valueStart, valueLength } = keyspace;
    let bytes: number;
    // What is left is shorter than what was there: it is written over it, and the rest is cut off.
    if (this.walkEncoding === ENCODING_LISTPACK) {
      bytes = LISTPACK_EMPTY_BYTES + listpack.madeLength;
      listpack.writeBlob(valueBytes, valueStart);
    } else {
      const width = intsetWidth(valueBytes, valueStart);
      const first = valueStart + INTSET_HEAD_BYTES;
      for (let index = 0; index < this.keptCount; index++) {
        const from = first + kept.records[index]! * width;
        valueBytes.copyWithin(first + index * width, from, from + width);
      }
      bytes = INTSET_HEAD_BYTES + this.keptCount * width;
      writeIntsetHead(valueBytes, valueStart, width, this.keptCount);
    }
    this.record = keyspace.spliceValue(database, record, bytes, valueLength - bytes, 0);
  }

  /**
   * Leaves only the entries of a table that `tokens` names: for a set that loses most of its members. The others are freed
   * in idle moments. Throws ArenaExhausted: nothing has changed then.
   */
  leaveOnly(record: number, tokens: readonly number[]): void {
    const old = this.records.externalAddress(record);
    const table = this.createTable(tokens.length);
    try {
      for (let index = 0; index < tokens.length; index++) this.insertCopy(table, tokens[index]!);
    } catch (error) {
      this.freeTable(table);
      throw error;
    }
    this.records.setExternalAddress(record, table);
    this.keyspace.freeStructure(TYPE_SET, old);
  }

  // ---- tables: also for builders ------------------------------------------------------------------------------------------

  /** A table of its own. Throws ArenaExhausted. */
  createTable(sizeHint: number): number {
    const table = this.tables.create();
    try {
      this.tables.expand(table, sizeHint);
    } catch (error) {
      this.freeTable(table);
      throw error;
    }
    return table;
  }

  /** Gives up a table of `createTable` with its entries. */
  abandonTable(table: number): void {
    this.freeTable(table);
  }

  /** Adds a member to a table; false when it is there already. Throws ArenaExhausted. hot path */
  insertMember(table: number, member: Uint8Array, start: number, length: number): boolean {
    const hash = this.hash.hash(member, start, length);
    if (this.tables.find(table, hash, member, start, length) !== 0) return false;
    this.insertNew(table, hash, member, start, length);
    return true;
  }

  /** As `insertMember`, for a member that is known not to be there. */
  private insertNew(table: number, hash: number, member: Uint8Array, start: number, length: number): void {
    const made = this.makeEntry(member, start, length);
    try {
      this.tables.insert(table, hash, made);
    } catch (error) {
      this.freeEntry(made);
      throw error;
    }
  }

  /** Tells all members of a table. */
  eachOf(table: number, visit: (bytes: Uint8Array, start: number, length: number) => void): void {
    this.startTableWalk(table);
    for (let entry = this.nextTableEntry(); entry !== 0; entry = this.nextTableEntry()) {
      this.readMember(entry);
      visit(this.valueBytes, this.valueStart, this.valueLength);
    }
  }

  private makeEntry(member: Uint8Array, start: number, length: number): number {
    const entry = this.arena.allocate(memberBytes(length));
    writeMember(this.arena.bytes[entry >>> SEGMENT_SHIFT]!, (entry & UNIT_MASK) << 3, member, start, length);
    return entry;
  }

  protected override freeEntry(entry: number): void {
    this.arena.free(entry);
  }

  protected override copyEntry(entry: number): number {
    this.readMember(entry);
    return this.makeEntry(this.valueBytes, this.valueStart, this.valueLength);
  }

  protected override relocateParts(): number {
    return 0;
  }

  protected override entryBytes(entry: number): number {
    return this.arena.capacity(entry);
  }

  protected override verifyEntry(entry: number): void {
    this.readMember(entry);
    assert(memberBytes(this.valueLength) <= this.arena.capacity(entry), "a member fits into its cell");
  }
}
