/**
 * Hashes: fields with values, as one listpack while they are few and short, otherwise as a table.
 *
 *      listpack    head [field][value][field][value] ... ff                          bytes of the record
 *      hashtable   root ──► entry  [length: 4][value length: 1][field][value]        up to 255 bytes of value
 *                           entry  [length, EXTERNAL: 4][cell: 4][value length: 4][field] ──► cell [value]
 *
 *  I1  A hash has at least one field: who takes out the last one deletes the record (`keyspace.deleteRecord`).
 *  I2  A listpack becomes a table when it would have more than hash-max-listpack-entries fields, or when a field or value
 *      is longer than hash-max-listpack-value; never back.
 *  I3  Each operation is done wholly, or ArenaExhausted leaves the elements as they were.
 *  I4  Operations that write want a record that `lookupWrite` found as the last one (else `standOn` comes first); where
 *      it is afterwards, `record` says.
 *
 *  Source: encodings and limits of Redis 7.2.
 */

import { assert } from "../../core/assert.ts";
import { copyBytes } from "../../core/bytes.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { FIELD_EXTERNAL } from "../encodings/entry-layouts.ts";
import { entryAt, firstEntry, isListpackEnd, Listpack, listpackCount, nextEntry } from "../encodings/listpack.ts";
import { type Database, type Keyspace, NO_EXPIRY } from "../keyspace/keyspace.ts";
import {
  ENCODING_HASHTABLE,
  ENCODING_LISTPACK,
  INLINE_MAX,
  KEY_LENGTH_MASK,
  type Records,
  TYPE_HASH,
  type ValueView,
} from "../keyspace/record.ts";
import { PackedValues } from "./packed-values.ts";
import { TableStructure } from "./table-structure.ts";

/** Bytes before the field. */
const INLINE_HEAD_BYTES = 5;
const EXTERNAL_HEAD_BYTES = 12;
/** A sign and the digits of a number of 64 bits. */
const DIGITS_MAX = 20;

export class Hashes extends TableStructure implements ValueView {
  /** The value that `find`, `next`, `pick` and `readFieldValue` found; valid until the next write. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** The field that `next` and `pick` found. */
  fieldBytes: Uint8Array;
  fieldStart: number;
  fieldLength: number;
  /** Where the record is after the last operation that wrote. */
  record: number;
  /** Room for the digits of a number on its way into a field. */
  readonly digits: Uint8Array;
  /** Offset in its listpack of the value that `find` found, 0 when it was in a table. */
  private foundOffset: number;

  private readonly keyspace: Keyspace;
  private readonly records: Records;
  private readonly hash: KeyHash;
  private readonly listpack: Listpack;
  private readonly packed: PackedValues;
  /** The walk over a listpack; undefined while it goes over a table. */
  private walkBlob: Uint8Array | undefined;
  private walkAt: number;

  constructor(keyspace: Keyspace) {
    super(keyspace.arena, keyspace.fields);
    this.keyspace = keyspace;
    this.records = keyspace.records;
    this.hash = keyspace.hash;
    this.listpack = new Listpack();
    this.packed = new PackedValues(keyspace, this.listpack);
    this.valueBytes = this.listpack.made;
    this.valueStart = 0;
    this.valueLength = 0;
    this.fieldBytes = this.listpack.made;
    this.fieldStart = 0;
    this.fieldLength = 0;
    this.record = 0;
    this.digits = new Uint8Array(DIGITS_MAX);
    this.foundOffset = 0;
    this.walkBlob = undefined;
    this.walkAt = 0;
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  /** Number of fields. */
  count(record: number): number {
    if (this.records.encoding(record) === ENCODING_HASHTABLE) {
      return this.tables.count(this.records.externalAddress(record));
    }
    this.keyspace.readValue(record);
    return listpackCount(this.keyspace.valueBytes, this.keyspace.valueStart) >>> 1;
  }

  /** Looks for a field and points the value registers to its value. False when there is none. hot path */
  find(record: number, field: Uint8Array, start: number, length: number): boolean {
    if (this.records.encoding(record) === ENCODING_HASHTABLE) {
      const table = this.records.externalAddress(record);
      const entry = this.tables.find(table, this.hash.hash(field, start, length), field, start, length);
      if (entry === 0) return false;
      this.foundOffset = 0;
      this.readFieldValue(entry);
      return true;
    }
    const { keyspace, listpack } = this;
    keyspace.readValue(record);
    listpack.begin();
    listpack.append(field, start, length);
    const bytes = keyspace.valueBytes;
    const at = listpack.find(bytes, firstEntry(keyspace.valueStart), 1);
    if (at === -1) return false;
    const valueAt = nextEntry(bytes, at);
    this.foundOffset = valueAt - keyspace.valueStart;
    listpack.read(bytes, valueAt);
    this.takeValue();
    return true;
  }

  /** Begins a walk over all fields, which `next` goes on with. */
  startWalk(record: number): void {
    if (this.records.encoding(record) === ENCODING_HASHTABLE) {
      this.walkBlob = undefined;
      this.startTableWalk(this.records.externalAddress(record));
      return;
    }
    this.keyspace.readValue(record);
    this.walkBlob = this.keyspace.valueBytes;
    this.walkAt = firstEntry(this.keyspace.valueStart);
  }

  /** Points the registers to the next field and its value; false at the end. Nothing may be written during a walk. */
  next(): boolean {
    const blob = this.walkBlob;
    if (blob === undefined) {
      const entry = this.nextTableEntry();
      if (entry === 0) return false;
      this.readEntry(entry);
      return true;
    }
    if (isListpackEnd(blob, this.walkAt)) return false;
    this.walkAt = this.readPair(blob, this.walkAt);
    return true;
  }

  /** Points the registers to a field by chance, each with the same probability, and to its value. */
  pick(record: number, random: () => number): void {
    if (this.records.encoding(record) === ENCODING_HASHTABLE) {
      this.readEntry(this.tables.pick(this.records.externalAddress(record), random));
      return;
    }
    this.keyspace.readValue(record);
    const { valueBytes, valueStart } = this.keyspace;
    const fields = listpackCount(valueBytes, valueStart) >>> 1;
    this.readPair(valueBytes, entryAt(valueBytes, valueStart, (random() % fields) * 2));
  }

  /** The entry of a table's field by chance: for drawing several different ones, each then read by `readEntry`. */
  pickEntry(record: number, random: () => number): number {
    return this.tables.pick(this.records.externalAddress(record), random);
  }

  /** Points field and value registers to a table's entry. hot path */
  readEntry(entry: number): void {
    const flags = this.arena.words[entry >>> SEGMENT_SHIFT]![(entry & UNIT_MASK) << 1]!;
    this.fieldBytes = this.arena.bytes[entry >>> SEGMENT_SHIFT]!;
    this.fieldStart = ((entry & UNIT_MASK) << 3) + (flags < 0 ? EXTERNAL_HEAD_BYTES : INLINE_HEAD_BYTES);
    this.fieldLength = flags & KEY_LENGTH_MASK;
    this.readFieldValue(entry);
  }

  /** Points the value registers to the field of a table's entry. */
  readField(entry: number): void {
    const flags = this.arena.words[entry >>> SEGMENT_SHIFT]![(entry & UNIT_MASK) << 1]!;
    this.valueBytes = this.arena.bytes[entry >>> SEGMENT_SHIFT]!;
    this.valueStart = ((entry & UNIT_MASK) << 3) + (flags < 0 ? EXTERNAL_HEAD_BYTES : INLINE_HEAD_BYTES);
    this.valueLength = flags & KEY_LENGTH_MASK;
  }

  /** Points the value registers to the value of a table's entry. hot path */
  readFieldValue(entry: number): void {
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    const words = this.arena.words[segment]!;
    const flags = words[unit << 1]!;
    if (flags >= 0) {
      const bytes = this.arena.bytes[segment]!;
      this.valueBytes = bytes;
      this.valueLength = bytes[(unit << 3) + 4]!;
      this.valueStart = (unit << 3) + INLINE_HEAD_BYTES + flags;
      return;
    }
    const cell = words[(unit << 1) + 1]!;
    this.valueBytes = this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
    this.valueStart = (cell & UNIT_MASK) << 3;
    this.valueLength = words[(unit << 1) + 2]!;
  }

  /** Points the registers to the pair at `at` of a listpack; returns the position of the next one. */
  private readPair(blob: Uint8Array, at: number): number {
    const { listpack } = this;
    listpack.read(blob, at);
    this.fieldBytes = listpack.valueBytes;
    this.fieldStart = listpack.valueStart;
    this.fieldLength = listpack.valueLength;
    const valueAt = nextEntry(blob, at);
    listpack.read(blob, valueAt);
    this.takeValue();
    return nextEntry(blob, valueAt);
  }

  private takeValue(): void {
    this.valueBytes = this.listpack.valueBytes;
    this.valueStart = this.listpack.valueStart;
    this.valueLength = this.listpack.valueLength;
  }

  // ---- writing --------------------------------------------------------------------------------------------------------

  /** Gives a key that is absent (as `lookupWrite` has just found) a hash of one field. Throws ArenaExhausted. hot path */
  add(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    if (!this.isShort(fieldLength, valueLength) || this.keyspace.encodingLimits.hashListpackEntries < 1) {
      const table = this.tables.create();
      try {
        this.insertField(table, field, fieldStart, fieldLength, value, valueStart, valueLength);
        const { keyspace } = this;
        this.record = keyspace.putStructure(
          database,
          key,
          keyStart,
          keyLength,
          TYPE_HASH,
          ENCODING_HASHTABLE,
          table,
          NO_EXPIRY,
        );
      } catch (error) {
        this.freeTable(table);
        throw error;
      }
      return;
    }
    this.listpack.begin();
    this.listpack.append(field, fieldStart, fieldLength);
    this.listpack.append(value, valueStart, valueLength);
    this.record = this.packed.add(database, key, keyStart, keyLength, TYPE_HASH);
  }

  /** Sets a field (I4). Returns whether it is new. Throws ArenaExhausted. hot path */
  set(
    database: Database,
    record: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): boolean {
    this.record = record;
    if (this.records.encoding(record) === ENCODING_LISTPACK) {
      if (this.isShort(fieldLength, valueLength)) {
        const { keyspace, listpack, packed } = this;
        keyspace.readValue(record);
        const bytes = keyspace.valueBytes;
        const start = keyspace.valueStart;
        listpack.begin();
        listpack.append(field, fieldStart, fieldLength);
        const at = listpack.find(bytes, firstEntry(start), 1);
        if (at !== -1) {
          const valueOffset = nextEntry(bytes, at) - start;
          listpack.begin();
          listpack.append(value, valueStart, valueLength);
          this.record = packed.splice(database, record, valueOffset, 1);
          return false;
        }
        if (listpackCount(bytes, start) >>> 1 < keyspace.encodingLimits.hashListpackEntries) {
          listpack.append(value, valueStart, valueLength);
          this.record = packed.append(database, record);
          return true;
        }
      }
      this.turnIntoTable(database, record, 0);
    }
    const table = this.records.externalAddress(this.record);
    const hash = this.hash.hash(field, fieldStart, fieldLength);
    const entry = this.tables.find(table, hash, field, fieldStart, fieldLength);
    if (entry === 0) {
      this.insertMade(table, hash, field, fieldStart, fieldLength, value, valueStart, valueLength);
      return true;
    }
    this.tables.touch(table, this.tables.home);
    if (this.fits(entry, fieldLength, valueLength)) {
      this.readFieldValue(entry);
      copyBytes(value, valueStart, valueLength, this.valueBytes, this.valueStart);
      this.setValueLength(entry, valueLength);
      return false;
    }
    const made = this.makeEntry(field, fieldStart, fieldLength, value, valueStart, valueLength);
    this.tables.replace(made);
    this.freeEntry(entry);
    return false;
  }

  /** As `set`, for the field that `find` has just found: nothing was looked for or changed since. hot path */
  setFound(
    database: Database,
    record: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    if (this.foundOffset === 0 || !this.isShort(fieldLength, valueLength)) {
      this.set(database, record, field, fieldStart, fieldLength, value, valueStart, valueLength);
      return;
    }
    this.listpack.begin();
    this.listpack.append(value, valueStart, valueLength);
    this.record = this.packed.splice(database, record, this.foundOffset, 1);
  }

  /**
   * Takes a field out (I4). False when there was none. A hash whose last field went is empty, and the caller's to
   * delete: `isEmpty`. hot path
   */
  remove(database: Database, record: number, field: Uint8Array, start: number, length: number): boolean {
    this.record = record;
    if (this.records.encoding(record) === ENCODING_HASHTABLE) {
      const { tables } = this;
      const table = this.records.externalAddress(record);
      const entry = tables.find(table, this.hash.hash(field, start, length), field, start, length);
      if (entry === 0) return false;
      tables.remove(table);
      this.freeEntry(entry);
      tables.advance(table, 1);
      return true;
    }
    const { keyspace, listpack } = this;
    keyspace.readValue(record);
    listpack.begin();
    listpack.append(field, start, length);
    const at = listpack.find(keyspace.valueBytes, firstEntry(keyspace.valueStart), 1);
    if (at === -1) return false;
    this.record = this.packed.remove(database, record, at - keyspace.valueStart, 2);
    return true;
  }

  /** Whether nothing is left of a hash. */
  isEmpty(record: number): boolean {
    if (this.records.encoding(record) !== ENCODING_HASHTABLE) return this.packed.isEmpty(record);
    return this.tables.count(this.records.externalAddress(record)) === 0;
  }

  /** Makes a table of a listpack, with room for `sizeHint` fields (I4). Throws ArenaExhausted. */
  turnIntoTable(database: Database, record: number, sizeHint: number): void {
    this.record = record;
    if (this.records.encoding(record) === ENCODING_HASHTABLE) return;
    const { keyspace } = this;
    keyspace.readValue(record);
    const { valueBytes, valueStart } = keyspace;
    const table = this.createTable(sizeHint);
    try {
      this.insertPairs(table, valueBytes, valueStart);
      this.record = keyspace.turnIntoStructure(database, record, ENCODING_HASHTABLE, table);
    } catch (error) {
      this.freeTable(table);
      throw error;
    }
  }

  private isShort(fieldLength: number, valueLength: number): boolean {
    const longest = this.keyspace.encodingLimits.hashListpackBytes;
    return fieldLength <= longest && valueLength <= longest;
  }

  // ---- tables: also for builders ------------------------------------------------------------------------------------------

  /** A table of its own, for a builder. Throws ArenaExhausted. */
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

  /** Adds a field to a table of `createTable`; false when it is there already. Throws ArenaExhausted. */
  insertField(
    table: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): boolean {
    const hash = this.hash.hash(field, fieldStart, fieldLength);
    if (this.tables.find(table, hash, field, fieldStart, fieldLength) !== 0) return false;
    this.insertMade(table, hash, field, fieldStart, fieldLength, value, valueStart, valueLength);
    return true;
  }

  /** Adds all pairs of a listpack to a table that has none of them. Throws ArenaExhausted. */
  insertPairs(table: number, blob: Uint8Array, start: number): void {
    let at = firstEntry(start);
    while (!isListpackEnd(blob, at)) {
      at = this.readPair(blob, at);
      const { fieldBytes, fieldStart, fieldLength, valueBytes, valueStart, valueLength } = this;
      this.insertField(table, fieldBytes, fieldStart, fieldLength, valueBytes, valueStart, valueLength);
    }
  }

  private insertMade(
    table: number,
    hash: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    const made = this.makeEntry(field, fieldStart, fieldLength, value, valueStart, valueLength);
    try {
      this.tables.insert(table, hash, made);
    } catch (error) {
      this.freeEntry(made);
      throw error;
    }
  }

  // ---- entries ------------------------------------------------------------------------------------------------------------

  private makeEntry(
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): number {
    const { arena } = this;
    if (valueLength <= INLINE_MAX) {
      const entry = arena.allocate(INLINE_HEAD_BYTES + fieldLength + valueLength);
      const segment = entry >>> SEGMENT_SHIFT;
      const unit = entry & UNIT_MASK;
      arena.words[segment]![unit << 1] = fieldLength;
      const bytes = arena.bytes[segment]!;
      const at = (unit << 3) + INLINE_HEAD_BYTES;
      bytes[at - 1] = valueLength;
      copyBytes(field, fieldStart, fieldLength, bytes, at);
      copyBytes(value, valueStart, valueLength, bytes, at + fieldLength);
      return entry;
    }
    const cell = arena.allocate(valueLength);
    let entry: number;
    try {
      entry = arena.allocate(EXTERNAL_HEAD_BYTES + fieldLength);
    } catch (error) {
      arena.free(cell);
      throw error;
    }
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    words[at] = fieldLength | FIELD_EXTERNAL;
    words[at + 1] = cell;
    words[at + 2] = valueLength;
    arena.copyIn(entry, EXTERNAL_HEAD_BYTES, field, fieldStart, fieldLength);
    arena.copyIn(cell, 0, value, valueStart, valueLength);
    return entry;
  }

  /** Whether another value of `valueLength` bytes goes into the cells of `entry` without leaving most of them unused. */
  private fits(entry: number, fieldLength: number, valueLength: number): boolean {
    const { arena } = this;
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    const isInline = words[at]! >= 0;
    if (isInline !== valueLength <= INLINE_MAX) return false;
    const bytes = isInline ? INLINE_HEAD_BYTES + fieldLength + valueLength : valueLength;
    const capacity = arena.capacity(isInline ? entry : words[at + 1]!);
    return bytes <= capacity && Arena.cellBytes(bytes) * 2 > capacity;
  }

  private setValueLength(entry: number, valueLength: number): void {
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    const words = this.arena.words[segment]!;
    if (words[unit << 1]! < 0) words[(unit << 1) + 2] = valueLength;
    else this.arena.bytes[segment]![(unit << 3) + 4] = valueLength;
  }

  /** Cell of a long value, 0 when the value is inline. */
  private valueCell(entry: number): number {
    const words = this.arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    return words[at]! < 0 ? words[at + 1]! : 0;
  }

  protected override freeEntry(entry: number): void {
    const cell = this.valueCell(entry);
    if (cell !== 0) this.arena.free(cell);
    this.arena.free(entry);
  }

  protected override copyEntry(entry: number): number {
    this.readEntry(entry);
    return this.makeEntry(
      this.fieldBytes,
      this.fieldStart,
      this.fieldLength,
      this.valueBytes,
      this.valueStart,
      this.valueLength,
    );
  }

  protected override relocateParts(entry: number, fillMax: number): number {
    const cell = this.valueCell(entry);
    if (cell === 0 || !this.arena.isSparse(cell, fillMax)) return 0;
    this.arena.words[entry >>> SEGMENT_SHIFT]![((entry & UNIT_MASK) << 1) + 1] = this.movedCell(cell);
    this.arena.free(cell);
    return 1;
  }

  protected override entryBytes(entry: number): number {
    const cell = this.valueCell(entry);
    return this.arena.capacity(entry) + (cell === 0 ? 0 : this.arena.capacity(cell));
  }

  protected override verifyEntry(entry: number): void {
    this.readEntry(entry);
    const cell = this.valueCell(entry);
    const inlineBytes = INLINE_HEAD_BYTES + this.fieldLength + this.valueLength;
    if (cell === 0) assert(inlineBytes <= this.arena.capacity(entry), "a field and its value fit into their cell");
    else assert(this.valueLength <= this.arena.capacity(cell), "a long value fits into its cell");
  }
}
