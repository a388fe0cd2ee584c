/**
 * Record: one key with its metadata and, when it is short, its value; one cell of the arena.
 *
 *      byte 0      type (low 4 bits) and encoding (high 4 bits)
 *           1-3    access clock: seconds for LRU, or minutes and a counter for LFU (24 bits, as OBJECT shows them)
 *           4-7    key length (30 bits), EXPIRES, EXTERNAL
 *          [8-15]  when it expires, ms since 1970, a double            only with EXPIRES
 *           then   inline:    1 byte value length, key, value
 *                  EXTERNAL:  4 bytes address of the value's cell, 4 bytes extent, key
 *                             of a structure: 4 bytes address of its root, 4 bytes 0, key
 *      extent      0 │ value length (31)                           the value begins where its cell does
 *                  1 │ slack (11) │ value length (20)              it begins `slack` bytes behind
 *
 *  I1  A value of at most INLINE_MAX bytes may be inline; every other one is EXTERNAL, and so is a structure.
 *  I2  Of two records with the same key only one stands in a table.
 *  I3  The bytes of a string's value are its text, whatever the encoding: "int" means that they are the canonical
 *      decimal form of a signed 64-bit number.
 *  I4  Slack and value length together are at most the cell's capacity.
 *
 * A key of 10 bytes with a value of 3 is 22 bytes, a cell of 24. Slack lets a list be pushed and popped at its head without
 * moving all that is behind.
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";

export const TYPE_STRING = 0;
export const TYPE_LIST = 1;
export const TYPE_SET = 2;
export const TYPE_ZSET = 3;
export const TYPE_HASH = 4;
export const TYPE_STREAM = 6;

/** Names as TYPE answers them, by type number (5 is Redis's module type, which we do not have). */
export const TYPE_NAMES = ["string", "list", "set", "zset", "hash", "", "stream"];

export const ENCODING_RAW = 0;
export const ENCODING_INT = 1;
export const ENCODING_HASHTABLE = 2;
export const ENCODING_INTSET = 6;
export const ENCODING_SKIPLIST = 7;
export const ENCODING_EMBSTR = 8;
export const ENCODING_QUICKLIST = 9;
export const ENCODING_STREAM = 10;
export const ENCODING_LISTPACK = 11;

/** Names as OBJECT ENCODING answers them, by encoding number. */
export const ENCODING_NAMES = [
  "raw",
  "int",
  "hashtable",
  "",
  "",
  "",
  "intset",
  "skiplist",
  "embstr",
  "quicklist",
  "stream",
  "listpack",
];

/** Bit per encoding: those whose values are structures (structure.ts); the others are strings of bytes. */
const STRUCTURES =
  (1 << ENCODING_HASHTABLE) | (1 << ENCODING_SKIPLIST) | (1 << ENCODING_QUICKLIST) | (1 << ENCODING_STREAM);

export const INLINE_MAX = 255;
/** Longest string that Redis calls embstr. */
export const EMBSTR_MAX = 44;

/** Flags and mask of word 1. */
export const RECORD_EXTERNAL = 1 << 31;
export const RECORD_EXPIRES = 1 << 30;
export const KEY_LENGTH_MASK = 0x3fffffff;

/** Bytes before the key, by `word1 >>> 30`: neither flag, EXPIRES, EXTERNAL, both. */
export const KEY_OFFSET = Uint8Array.of(9, 17, 16, 24);

/** The longest value that may have slack, and the most slack that it may have. */
export const SLACK_LENGTH_MAX = 0xfffff;
export const SLACK_MAX = 0x7ff;
const SLACK_SHIFT = 20;

/** The parts of an EXTERNAL record's extent, and both together. */
export function extentLength(extent: number): number {
  return extent >= 0 ? extent : extent & SLACK_LENGTH_MAX;
}

export function extentSlack(extent: number): number {
  return extent >= 0 ? 0 : (extent >>> SLACK_SHIFT) & SLACK_MAX;
}

export function extentOf(length: number, slack: number): number {
  return slack === 0 ? length : (1 << 31) | (slack << SLACK_SHIFT) | length;
}

/** Reads fields of records. Holds nothing but the arena's views. */
export class Records {
  readonly arena: Arena;
  private readonly bytes: Uint8Array[];
  private readonly words: Int32Array[];
  private readonly doubles: Float64Array[];

  constructor(arena: Arena) {
    this.arena = arena;
    this.bytes = arena.bytes;
    this.words = arena.words;
    this.doubles = arena.doubles;
  }

  type(record: number): number {
    return this.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1]! & 15;
  }

  encoding(record: number): number {
    return (this.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1]! >>> 4) & 15;
  }

  /** Whether the value is a structure; otherwise it is a string of bytes, whatever its type. */
  isStructure(record: number): boolean {
    return ((STRUCTURES >>> this.encoding(record)) & 1) !== 0;
  }

  setTypeAndEncoding(record: number, type: number, encoding: number): void {
    const words = this.words[record >>> SEGMENT_SHIFT]!;
    const at = (record & UNIT_MASK) << 1;
    words[at] = (words[at]! & ~255) | (encoding << 4) | type;
  }

  /** The 24 bits of the access clock. */
  access(record: number): number {
    return this.words[record >>> SEGMENT_SHIFT]![(record & UNIT_MASK) << 1]! >>> 8;
  }

  setAccess(record: number, access: number): void {
    const words = this.words[record >>> SEGMENT_SHIFT]!;
    const at = (record & UNIT_MASK) << 1;
    words[at] = (words[at]! & 255) | (access << 8);
  }

  /** Word 1: key length and flags. */
  flags(record: number): number {
    return this.words[record >>> SEGMENT_SHIFT]![((record & UNIT_MASK) << 1) + 1]!;
  }

  /** When it expires in ms since 1970, -1 when it does not. */
  expireAtMs(record: number): number {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    if ((this.words[segment]![(unit << 1) + 1]! & RECORD_EXPIRES) === 0) return -1;
    return this.doubles[segment]![unit + 1]!;
  }

  /** The segment's bytes in which the record lies. */
  view(record: number): Uint8Array {
    return this.bytes[record >>> SEGMENT_SHIFT]!;
  }

  /** Position of the key in `view(record)`. */
  keyStart(record: number): number {
    return ((record & UNIT_MASK) << 3) + KEY_OFFSET[this.flags(record) >>> 30]!;
  }

  keyLength(record: number): number {
    return this.flags(record) & KEY_LENGTH_MASK;
  }

  /** A copy of the key. */
  key(record: number): Uint8Array {
    const start = this.keyStart(record);
    return this.view(record).slice(start, start + this.keyLength(record));
  }

  /** Address of the value's cell, or of a structure's root. Only for EXTERNAL records. */
  externalAddress(record: number): number {
    const flags = this.flags(record);
    return this.words[record >>> SEGMENT_SHIFT]![
      ((record & UNIT_MASK) << 1) + ((flags & RECORD_EXPIRES) === 0 ? 2 : 4)
    ]!;
  }

  /** Points an EXTERNAL record to another cell with the same value, or a structure's record to its root. */
  setExternalAddress(record: number, cell: number): void {
    const flags = this.flags(record);
    const place = ((record & UNIT_MASK) << 1) + ((flags & RECORD_EXPIRES) === 0 ? 2 : 4);
    this.words[record >>> SEGMENT_SHIFT]![place] = cell;
  }

  /** Length and slack of an EXTERNAL record's value, as `extentOf` makes them; 0 for a structure. */
  extent(record: number): number {
    const headUnits = (this.flags(record) & RECORD_EXPIRES) === 0 ? 1 : 2;
    return this.words[record >>> SEGMENT_SHIFT]![(((record & UNIT_MASK) + headUnits) << 1) + 1]!;
  }

  setExtent(record: number, extent: number): void {
    const headUnits = (this.flags(record) & RECORD_EXPIRES) === 0 ? 1 : 2;
    this.words[record >>> SEGMENT_SHIFT]![(((record & UNIT_MASK) + headUnits) << 1) + 1] = extent;
  }

  /** Notes another length of a value that is bytes; its cell must have the room. */
  setValueLength(record: number, length: number): void {
    const flags = this.flags(record);
    const at = record & UNIT_MASK;
    const headUnits = (flags & RECORD_EXPIRES) === 0 ? 1 : 2;
    if (flags < 0) {
      const words = this.words[record >>> SEGMENT_SHIFT]!;
      const place = (at << 1) + headUnits * 2 + 1;
      words[place] = extentOf(length, extentSlack(words[place]!));
    } else {
      this.bytes[record >>> SEGMENT_SHIFT]![(at + headUnits) << 3] = length;
    }
  }

  /** Length of the value in bytes. */
  valueLength(record: number): number {
    const flags = this.flags(record);
    const at = record & UNIT_MASK;
    const headUnits = (flags & RECORD_EXPIRES) === 0 ? 1 : 2;
    if (flags < 0) return extentLength(this.words[record >>> SEGMENT_SHIFT]![(at << 1) + headUnits * 2 + 1]!);
    return this.bytes[record >>> SEGMENT_SHIFT]![(at + headUnits) << 3]!;
  }

  /** Points `into` at the record's string value. hot path */
  readValue(record: number, into: ValueView): void {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const words = this.words[segment]!;
    const flags = words[(unit << 1) + 1]!;
    const headUnits = (flags & RECORD_EXPIRES) === 0 ? 1 : 2;
    if (flags >= 0) {
      const bytes = this.bytes[segment]!;
      const at = (unit + headUnits) << 3;
      into.valueBytes = bytes;
      into.valueLength = bytes[at]!;
      into.valueStart = at + 1 + (flags & KEY_LENGTH_MASK);
      return;
    }
    const at = (unit + headUnits) << 1;
    const cell = words[at]!;
    const extent = words[at + 1]!;
    into.valueBytes = this.bytes[cell >>> SEGMENT_SHIFT]!;
    into.valueStart = ((cell & UNIT_MASK) << 3) + extentSlack(extent);
    into.valueLength = extentLength(extent);
  }
}

/** A place in a segment: valid until the next write to the keyspace. */
export interface ValueView {
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
}
