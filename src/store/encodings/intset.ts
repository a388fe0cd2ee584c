/**
 * Intset: a sorted set of whole numbers as one string of bytes, in the form that Redis keeps and stores.
 *
 *      blob     width:4  count:4  [number][number] ...          all little-endian; width 2, 4 or 8 bytes a number
 *
 *  I1  Numbers ascend and differ. The width is that of the widest number there ever was: it never shrinks.
 *  I2  The class reads blobs and finds places in them; who owns a blob makes the room (`spliceValue`, `resizeValue`) and
 *      has `widen`, `writeNumber` and `writeHead` fill it.
 *  I3  A number of 64 bits is two registers, `high` (signed) and `low` (its bits, signed): no bigint on the way.
 *  I4  What `read` points to is valid until the fourth `read` after it.
 *
 * Source: the format's public description; blobs written by real servers.
 */

import {
  parseInt64,
  parseSafeInteger,
  readInt32,
  readUint32,
  writeInt64Digits,
  writeUint32,
} from "../../core/numbers.ts";
import type { ValueView } from "../keyspace/record.ts";

export const INTSET_HEAD_BYTES = 8;
const DIGIT_SLOTS = 4;
const DIGIT_SLOT_BYTES = 24;
const TWO_32 = 4294967296;
/** high words between which a number is safe as a double */
const SAFE_HIGH_MIN = -0x200000;
const SAFE_HIGH_MAX = 0x1fffff;

export class Intset implements ValueView {
  /** The element that `read` found, as text. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** The number that `parse` understood. */
  high: number;
  low: number;
  /** Bytes that it needs: 2, 4 or 8. */
  width: number;
  /** Where `find` found it, or where it belongs. */
  index: number;

  private slot: number;

  constructor() {
    this.valueBytes = new Uint8Array(DIGIT_SLOTS * DIGIT_SLOT_BYTES);
    this.valueStart = 0;
    this.valueLength = 0;
    this.high = 0;
    this.low = 0;
    this.width = 2;
    this.index = 0;
    this.slot = 0;
  }

  /** Understands a canonical decimal of 64 bits; false when the text is none. hot path */
  parse(source: Uint8Array, start: number, length: number): boolean {
    const first = length === 0 ? 0 : source[start]!;
    // Most members are words: one look at the first character is enough.
    if (first !== 45 && (first < 48 || first > 57)) return false;
    if (length > 20) return false;
    const value = parseSafeInteger(source, start, length);
    if (Number.isNaN(value)) {
      const big = parseInt64(source, start, length);
      if (big === undefined) return false;
      this.high = Number(big >> 32n);
      this.low = Number(BigInt.asIntN(32, big));
      this.width = 8;
      return true;
    }
    this.high = Math.floor(value / TWO_32);
    this.low = value | 0;
    this.width = value === (value << 16) >> 16 ? 2 : value === (value | 0) ? 4 : 8;
    return true;
  }

  /** Looks for the number that was parsed and sets `index`. hot path */
  find(blob: Uint8Array, start: number): boolean {
    const width = intsetWidth(blob, start);
    const count = intsetCount(blob, start);
    if (this.width > width) {
      // It is smaller or greater than all that are there.
      this.index = this.high < 0 ? 0 : count;
      return false;
    }
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = this.compareAt(blob, start + INTSET_HEAD_BYTES + middle * width, width);
      if (order === 0) {
        this.index = middle;
        return true;
      }
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    this.index = from;
    return false;
  }

  /** Negative when the number at `at` is smaller than the one that was parsed. */
  private compareAt(blob: Uint8Array, at: number, width: number): number {
    if (width === 2) return (((blob[at]! | (blob[at + 1]! << 8)) << 16) >> 16) - this.low;
    if (width === 4) return readInt32(blob, at) - this.low;
    const high = readInt32(blob, at + 4);
    return high === this.high ? readUint32(blob, at) - (this.low >>> 0) : high - this.high;
  }

  /** Points valueBytes, valueStart and valueLength to the text of number `index`. hot path */
  read(blob: Uint8Array, start: number, index: number): void {
    const width = intsetWidth(blob, start);
    const at = start + INTSET_HEAD_BYTES + index * width;
    const textAt = this.slot * DIGIT_SLOT_BYTES;
    this.slot = (this.slot + 1) & (DIGIT_SLOTS - 1);
    this.valueStart = textAt;
    this.valueLength = writeInt64Digits(this.valueBytes, textAt, numberAt(blob, at, width)) - textAt;
  }

  /** Writes the number that was parsed as element `index` of a blob of this width. */
  writeNumber(blob: Uint8Array, start: number, index: number): void {
    const width = intsetWidth(blob, start);
    const at = start + INTSET_HEAD_BYTES + index * width;
    blob[at] = this.low;
    blob[at + 1] = this.low >>> 8;
    if (width === 2) return;
    blob[at + 2] = this.low >>> 16;
    blob[at + 3] = this.low >>> 24;
    if (width === 8) writeUint32(blob, at + 4, this.high);
  }

  /**
   * Rewrites a blob of `count` numbers with a greater width, and leaves the place of element `gap` (0 or `count`) free;
   * the room for one number more is there. Writes the head, too.
   */
  static widen(blob: Uint8Array, start: number, width: number, gap: number): void {
    const oldWidth = intsetWidth(blob, start);
    const count = intsetCount(blob, start);
    const shift = gap === 0 ? 1 : 0;
    // From the end: what is written lies behind all that is still to be read.
    for (let index = count - 1; index >= 0; index--) {
      const from = start + INTSET_HEAD_BYTES + index * oldWidth;
      const to = start + INTSET_HEAD_BYTES + (index + shift) * width;
      const low = oldWidth === 2 ? ((blob[from]! | (blob[from + 1]! << 8)) << 16) >> 16 : readInt32(blob, from);
      writeUint32(blob, to, low);
      if (width === 8) writeUint32(blob, to + 4, low >> 31);
    }
    writeIntsetHead(blob, start, width, count + 1);
  }
}

/** Bytes of a number. */
export function intsetWidth(blob: Uint8Array, start: number): number {
  return blob[start]!;
}

export function intsetCount(blob: Uint8Array, start: number): number {
  return readUint32(blob, start + 4);
}

export function writeIntsetHead(blob: Uint8Array, start: number, width: number, count: number): void {
  writeUint32(blob, start, width);
  writeUint32(blob, start + 4, count);
}

/** The number at `at`; a bigint beyond 2^53. */
function numberAt(blob: Uint8Array, at: number, width: number): number | bigint {
  if (width === 2) return ((blob[at]! | (blob[at + 1]! << 8)) << 16) >> 16;
  if (width === 4) return readInt32(blob, at);
  const high = readInt32(blob, at + 4);
  const low = readUint32(blob, at);
  if (high >= SAFE_HIGH_MIN && high <= SAFE_HIGH_MAX && !(high === SAFE_HIGH_MIN && low === 0)) {
    return high * TWO_32 + low;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Whether the blob of `length` bytes keeps I1: for what tests and DEBUG verify. */
export function isIntset(blob: Uint8Array, start: number, length: number): boolean {
  const width = readUint32(blob, start);
  const count = intsetCount(blob, start);
  if ((width !== 2 && width !== 4 && width !== 8) || length !== INTSET_HEAD_BYTES + count * width) return false;
  for (let index = 1; index < count; index++) {
    const at = start + INTSET_HEAD_BYTES + index * width;
    if (numberAt(blob, at - width, width) >= numberAt(blob, at, width)) return false;
  }
  return true;
}
