/**
 * Listpack: a small collection as one string of bytes, in the form that Redis keeps and stores.
 *
 *      blob     bytes:4  count:2  [entry][entry] ... ff                       both little-endian; count 65535: walk
 *      entry    encoding and data │ backlength:1-5                            length of what is before it, 7 bits a byte
 *
 *      0xxxxxxx            number 0 to 127         10xxxxxx data               up to 63 bytes
 *      110xxxxx x          number of 13 bits       1110xxxx x data             up to 4095 bytes
 *      f1 f2 f3 f4         number of 2, 3, 4, 8 bytes       f0 length:4 data   longer ones
 *
 *  I1  An element has one form: a canonical decimal of 64 bits is a number of the smallest width, everything else bytes.
 *      So two elements are equal exactly when their entries are, and a search compares entries as they are.
 *  I2  The class reads blobs, and makes entries in its own buffer (`begin`, `append`); who owns a blob puts them in.
 *  I3  What `read` points to is valid until the blob changes; the digits of a number until the fourth `read` after it.
 *  I4  Blobs here are trusted: whatever comes from outside was decoded by history/formats/packed.ts and made anew.
 *
 * Source: the format's public description; blobs written by real servers.
 */

import { copyBytes } from "../../core/bytes.ts";
import { parseInt64, readBigInt64, readInt32, readUint16, readUint32, writeInt64Digits } from "../../core/numbers.ts";
import type { ValueView } from "../keyspace/record.ts";

/** Bytes before the first entry, and of a blob without entries. */
export const LISTPACK_HEAD_BYTES = 6;
export const LISTPACK_EMPTY_BYTES = 7;
/** `length` of an element of which no more than its count is known. */
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
/** From this first byte on an entry's size stands behind it, or (beyond f0) has a form of its own. */
const SIZED_APART = 0xe0;
const DIGIT_SLOTS = 4;
const DIGIT_SLOT_BYTES = 24;
/** The longest text that can be a number of 64 bits: 20 characters. */
const NUMBER_TEXT_MAX = 20;
/** Most bytes that an entry has beside its data. */
const ENTRY_OVERHEAD_MAX = 10;

export class Listpack implements ValueView {
  /** The element that `read` found, as text. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** Entries made by `append` since `begin`. */
  made: Uint8Array;
  madeLength: number;
  madeCount: number;

  private readonly digits: Uint8Array;
  private slot: number;

  constructor() {
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.made = new Uint8Array(256);
    this.madeLength = 0;
    this.madeCount = 0;
    this.digits = new Uint8Array(DIGIT_SLOTS * DIGIT_SLOT_BYTES);
    this.slot = 0;
  }

  // ---- making entries -----------------------------------------------------------------------------------------------

  /** Forgets what was made. */
  begin(): void {
    this.madeLength = 0;
    this.madeCount = 0;
  }

  /** Makes the entry of an element behind those made before. hot path */
  append(source: Uint8Array, start: number, length: number): void {
    if (this.madeLength + length + ENTRY_OVERHEAD_MAX > this.made.length) this.grow(length + ENTRY_OVERHEAD_MAX);
    const { made } = this;
    const at = this.madeLength;
    let size = length <= NUMBER_TEXT_MAX ? writeNumber(made, at, source, start, length) : 0;
    if (size === 0) {
      let data = at;
      if (length < 64) {
        made[data++] = 0x80 | length;
      } else if (length < 4096) {
        made[data++] = 0xe0 | (length >>> 8);
        made[data++] = length & 255;
      } else {
        made[data++] = 0xf0;
        made[data++] = length & 255;
        made[data++] = (length >>> 8) & 255;
        made[data++] = (length >>> 16) & 255;
        made[data++] = length >>> 24;
      }
      copyBytes(source, start, length, made, data);
      size = data - at + length;
    }
    this.madeLength = writeBacklength(made, at + size, size);
    this.madeCount++;
  }

  /** Makes the entry of a whole number of at most 2^31 in size. hot path */
  appendInteger(value: number): void {
    if (this.madeLength + ENTRY_OVERHEAD_MAX > this.made.length) this.grow(ENTRY_OVERHEAD_MAX);
    this.madeLength = writeIntegerEntry(this.made, this.madeLength, value);
    this.madeCount++;
  }

  /** Makes the entry of the signed 64-bit number with these two words (unsigned 32 bits each). hot path */
  appendInt64(high: number, low: number): void {
    if (high === ((low | 0) < 0 ? 0xffffffff : 0)) {
      this.appendInteger(low | 0);
      return;
    }
    if (this.madeLength + ENTRY_OVERHEAD_MAX > this.made.length) this.grow(ENTRY_OVERHEAD_MAX);
    const { made } = this;
    const at = this.madeLength;
    made[at] = 0xf4;
    for (let index = 0; index < 4; index++) {
      made[at + 1 + index] = low >>> (index * 8);
      made[at + 5 + index] = high >>> (index * 8);
    }
    this.madeLength = writeBacklength(made, at + 9, 9);
    this.madeCount++;
  }

  private grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(this.made.length * 2, this.madeLength + bytes));
    grown.set(this.made.subarray(0, this.madeLength));
    this.made = grown;
  }

  /** Writes the made entries as a whole blob of `LISTPACK_EMPTY_BYTES + madeLength` bytes. */
  writeBlob(target: Uint8Array, at: number): void {
    const total = LISTPACK_EMPTY_BYTES + this.madeLength;
    writeHead(target, at, total, this.madeCount);
    copyBytes(this.made, 0, this.madeLength, target, at + LISTPACK_HEAD_BYTES);
    target[at + total - 1] = END;
  }

  /** Copies the made entries to a place that was cleared for them. */
  writeMade(target: Uint8Array, at: number): void {
    copyBytes(this.made, 0, this.madeLength, target, at);
  }

  // ---- reading blobs ------------------------------------------------------------------------------------------------

  /** Points valueBytes, valueStart and valueLength to the element of the entry at `at`. hot path */
  read(blob: Uint8Array, at: number): void {
    const first = blob[at]!;
    if (first >= 0x80) {
      if (first < 0xc0) {
        this.valueBytes = blob;
        this.valueStart = at + 1;
        this.valueLength = first & 0x3f;
        return;
      }
      if (first >= 0xe0 && first <= 0xf0) {
        this.valueBytes = blob;
        this.valueStart = first === 0xf0 ? at + 5 : at + 2;
        this.valueLength = first === 0xf0 ? readUint32(blob, at + 1) : ((first & 0x0f) << 8) | blob[at + 1]!;
        return;
      }
    }
    const start = this.slot * DIGIT_SLOT_BYTES;
    this.slot = (this.slot + 1) & (DIGIT_SLOTS - 1);
    this.valueBytes = this.digits;
    this.valueStart = start;
    this.valueLength = writeInt64Digits(this.digits, start, numberAt(blob, at)) - start;
  }

  /**
   * Position of the first entry, from the one at `at` on, that equals the last one made by `begin` and `append`; each
   * time `skip` entries are passed over without a look. -1 when there is none. hot path
   */
  find(blob: Uint8Array, at: number, skip: number): number {
    return findEntry(blob, at, skip, this.made, 0, this.madeLength);
  }
}

// ---- positions --------------------------------------------------------------------------------------------------------

/** Position of the first entry, or of the end, of the blob at `start`. */
export function firstEntry(start: number): number {
  return start + LISTPACK_HEAD_BYTES;
}

/** Position behind the entry at `at`. hot path */
export function nextEntry(blob: Uint8Array, at: number): number {
  const first = blob[at]!;
  if (first < 0x80) return at + 2;
  // Up to 126 bytes have a backlength of one.
  if (first < 0xc0) return at + 2 + (first & 0x3f);
  if (first < 0xe0) return at + 3;
  const size = longEntrySize(blob, at, first);
  return at + size + backlengthBytes(size);
}

/** Position of the entry before the one at `at` (which may be the end); the first one has none before it. */
export function previousEntry(blob: Uint8Array, at: number): number {
  let size = 0;
  let factor = 1;
  let place = at - 1;
  for (;;) {
    const byte = blob[place]!;
    size += (byte & 127) * factor;
    if ((byte & 128) === 0) return place - size;
    factor *= 128;
    place--;
  }
}

/**
 * Position of the first entry, from the one at `at` on, that equals the one of `length` bytes at `wantedAt` of `wanted`;
 * each time `skip` entries are passed over without a look. -1 when there is none. hot path
 */
export function findEntry(
  blob: Uint8Array,
  at: number,
  skip: number,
  wanted: Uint8Array,
  wantedAt: number,
  length: number,
): number {
  const first = wanted[wantedAt]!;
  // Up to here the first byte alone says how long an entry is.
  const isPlain = first < SIZED_APART;
  // The byte before the backlength: elements that are alike (`field:1`, `field:2`) mostly differ at their end.
  const lastAt = length - 2;
  const last = wanted[wantedAt + lastAt]!;
  let skippedHead = 0;
  let skippedBytes = 2;
  for (;;) {
    const head = blob[at]!;
    if (head === first && isPlain) {
      if (blob[at + lastAt] === last && isSameEntry(blob, at, wanted, wantedAt, length)) return at;
      // A constant, not what was read: where elements are of one length the processor need not wait for one entry to
      // know where the next one is.
      at += length;
    } else if ((head & 0xc0) === 0x80) {
      at += 2 + (head & 0x3f);
    } else {
      if (head === END) return -1;
      const next = nextEntry(blob, at);
      if (head === first && next - at === length && isSameEntry(blob, at, wanted, wantedAt, length)) return at;
      at = next;
    }
    for (let passed = 0; passed < skip; passed++) {
      const skipped = blob[at]!;
      if (skipped !== skippedHead) {
        if (skipped >= SIZED_APART) {
          at = nextEntry(blob, at);
          continue;
        }
        skippedHead = skipped;
        skippedBytes = nextEntry(blob, at) - at;
      }
      at += skippedBytes;
    }
  }
}

/** Whether two entries of the same length and with the same first byte are the same: from the end, where they differ. */
function isSameEntry(blob: Uint8Array, at: number, wanted: Uint8Array, wantedAt: number, length: number): boolean {
  let index = length - 1;
  while (index > 0 && blob[at + index] === wanted[wantedAt + index]) index--;
  return index === 0;
}

/** Whether the blob ends at `at`. */
export function isListpackEnd(blob: Uint8Array, at: number): boolean {
  return blob[at] === END;
}

/** Position of the blob's end mark. */
export function listpackEnd(blob: Uint8Array, start: number): number {
  return start + readUint32(blob, start) - 1;
}

/** Bytes of the blob in all. */
export function listpackBytes(blob: Uint8Array, start: number): number {
  return readUint32(blob, start);
}

/** How many entries the blob has. */
export function listpackCount(blob: Uint8Array, start: number): number {
  const count = readUint16(blob, start + 4);
  if (count !== COUNT_UNKNOWN) return count;
  let entries = 0;
  for (let at = firstEntry(start); blob[at] !== END; at = nextEntry(blob, at)) entries++;
  return entries;
}

/** Position of entry `index` from the front (0 is the first) or, negative, from the end (-1 is the last); -1 when there is none. */
export function entryAt(blob: Uint8Array, start: number, index: number): number {
  const count = listpackCount(blob, start);
  const place = index < 0 ? index + count : index;
  if (place < 0 || place >= count) return -1;
  if (place * 2 <= count) {
    let at = firstEntry(start);
    for (let passed = 0; passed < place; passed++) at = nextEntry(blob, at);
    return at;
  }
  let at = listpackEnd(blob, start);
  for (let passed = count; passed > place; passed--) at = previousEntry(blob, at);
  return at;
}

/** Whether the entry at `at` is kept as a number. */
export function isNumberEntry(blob: Uint8Array, at: number): boolean {
  const first = blob[at]!;
  return first < 0x80 || (first >= 0xc0 && first < 0xe0) || (first > 0xf0 && first < END);
}

/** The number of an entry for which `isNumberEntry` holds; a bigint beyond 2^53. */
export function numberAt(blob: Uint8Array, at: number): number | bigint {
  const first = blob[at]!;
  if (first < 0x80) return first;
  if (first < 0xe0) return ((((first & 0x1f) << 8) | blob[at + 1]!) << 19) >> 19;
  if (first === 0xf1) return ((blob[at + 1]! | (blob[at + 2]! << 8)) << 16) >> 16;
  if (first === 0xf2) return ((blob[at + 1]! | (blob[at + 2]! << 8) | (blob[at + 3]! << 16)) << 8) >> 8;
  if (first === 0xf3) return readInt32(blob, at + 1);
  const value = readBigInt64(blob, at + 1);
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}

/** Writes what an owner must bring up to date after it put entries in or took them out: total bytes and count. */
export function writeListpackHead(blob: Uint8Array, start: number, totalBytes: number, countChange: number): void {
  const count = readUint16(blob, start + 4);
  if (count !== COUNT_UNKNOWN) writeHead(blob, start, totalBytes, count + countChange);
  else {
    // Redis lets the count stay unknown until somebody counts: the bytes say the same either way.
    writeHead(blob, start, totalBytes, COUNT_UNKNOWN);
    const counted = listpackCount(blob, start);
    if (counted < COUNT_UNKNOWN) writeHead(blob, start, totalBytes, counted);
  }
}

// ---- bytes ------------------------------------------------------------------------------------------------------------

function writeHead(target: Uint8Array, at: number, totalBytes: number, count: number): void {
  target[at] = totalBytes & 255;
  target[at + 1] = (totalBytes >>> 8) & 255;
  target[at + 2] = (totalBytes >>> 16) & 255;
  target[at + 3] = totalBytes >>> 24;
  const kept = Math.min(count, COUNT_UNKNOWN);
  target[at + 4] = kept & 255;
  target[at + 5] = kept >>> 8;
}

function longEntrySize(blob: Uint8Array, at: number, first: number): number {
  if (first < 0xf0) return 2 + (((first & 0x0f) << 8) | blob[at + 1]!);
  if (first === 0xf0) return 5 + readUint32(blob, at + 1);
  return first === 0xf4 ? 9 : first - 0xee;
}

function backlengthBytes(size: number): number {
  if (size < 128) return 1;
  if (size < 16384) return 2;
  if (size < 2097152) return 3;
  return size < 268435456 ? 4 : 5;
}

/** Writes an entry's backlength; returns the position behind it. The byte farthest left has no continuation bit. */
function writeBacklength(target: Uint8Array, at: number, size: number): number {
  if (size < 128) {
    target[at] = size;
    return at + 1;
  }
  const bytes = backlengthBytes(size);
  for (let index = bytes - 1, rest = size; index >= 0; index--) {
    target[at + index] = (rest & 127) | (index === 0 ? 0 : 128);
    rest = Math.floor(rest / 128);
  }
  return at + bytes;
}

/** Writes a number's encoding when the text is one (I1); returns its bytes, 0 when it is none. hot path */
function writeNumber(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): number {
  if (length === 0) return 0;
  const first = source[start]!;
  const isNegative = first === 45;
  // Most elements are words: one look at the first character is enough.
  if (!isNegative && (first < 48 || first > 57)) return 0;
  if (length > 9) return writeLongNumber(target, at, source, start, length);
  let value = 0;
  let place = start;
  const end = start + length;
  if (isNegative) place++;
  if (place === end) return 0;
  if (source[place] === 48 && length > 1) return 0;
  for (; place < end; place++) {
    const digit = source[place]! - 48;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
  }
  return writeSmallNumber(target, at, isNegative ? -value : value);
}

function writeSmallNumber(target: Uint8Array, at: number, value: number): number {
  if (value >= 0 && value <= 127) {
    target[at] = value;
    return 1;
  }
  if (value >= -4096 && value <= 4095) {
    target[at] = 0xc0 | ((value >>> 8) & 0x1f);
    target[at + 1] = value & 255;
    return 2;
  }
  target[at + 1] = value & 255;
  target[at + 2] = (value >> 8) & 255;
  if (value >= -0x8000 && value <= 0x7fff) {
    target[at] = 0xf1;
    return 3;
  }
  target[at + 3] = (value >> 16) & 255;
  if (value >= -0x800000 && value <= 0x7fffff) {
    target[at] = 0xf2;
    return 4;
  }
  target[at] = 0xf3;
  target[at + 4] = (value >> 24) & 255;
  return 5;
}

/** Writes the whole entry of a number of at most 2^31 in size; returns the position behind it. */
export function writeIntegerEntry(target: Uint8Array, at: number, value: number): number {
  const size = writeSmallNumber(target, at, value);
  target[at + size] = size;
  return at + size + 1;
}

function writeLongNumber(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): number {
  const value = parseInt64(source, start, length);
  if (value === undefined) return 0;
  if (value >= -0x80000000n && value <= 0x7fffffffn) return writeSmallNumber(target, at, Number(value));
  target[at] = 0xf4;
  let rest = BigInt.asUintN(64, value);
  for (let index = 1; index <= 8; index++) {
    target[at + index] = Number(rest & 255n);
    rest >>= 8n;
  }
  return 9;
}
