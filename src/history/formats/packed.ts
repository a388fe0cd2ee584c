/**
 * The compact blobs that Redis keeps small collections in: listpack, ziplist, intset, zipmap.
 *
 *      listpack   bytes:4  count:2  [encoding data backlength]...  ff
 *      ziplist    bytes:4  last:4  count:2  [length of the one before, encoding data]...  ff
 *      intset     width:4  count:4  [number]... ascending
 *      zipmap     count:1  [length key  length free value (free bytes)]...  ff
 *
 *  I1  Nothing outside the blob is read; every rule of the structure is checked at the latest when its end is reached.
 *  I2  An entry is bytes; numbers are given as their decimal digits and, where asked for, as numbers.
 *  I3  The digits of an entry stay valid until the fourth entry after it is read.
 *  Source: the formats' public descriptions; blobs written by real servers.
 */

import { parseInt64, readBigInt64, readInt32, readUint16, readUint32, writeInt64Digits } from "../../core/numbers.ts";

const END = 0xff;
const COUNT_UNKNOWN = 0xffff;
const DIGIT_SLOTS = 4;
const DIGIT_SLOT_BYTES = 24;

/** Thrown by blobs; whoever knows offset and key makes an RdbFault of it. */
export class PackedFault extends Error {
  override name = "PackedFault";
}

/** One entry after another of a listpack or a ziplist. */
export class PackedCursor {
  /** The current entry. */
  bytes: Uint8Array;
  start: number;
  length: number;
  /** Number of entries as the header has it, -1 when it does not know. */
  headerCount: number;

  private blob: Uint8Array;
  private blobStart: number;
  private end: number;
  private at: number;
  private isListpack: boolean;
  private seen: number;
  private previousBytes: number;
  private lastEntry: number;
  private readonly digits: Uint8Array;
  private slot: number;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.start = 0;
    this.length = 0;
    this.headerCount = 0;
    this.blob = this.bytes;
    this.blobStart = 0;
    this.end = 0;
    this.at = 0;
    this.isListpack = true;
    this.seen = 0;
    this.previousBytes = 0;
    this.lastEntry = 0;
    this.digits = new Uint8Array(DIGIT_SLOTS * DIGIT_SLOT_BYTES);
    this.slot = 0;
  }

  openListpack(blob: Uint8Array, start: number, length: number): void {
    this.open(blob, start, length, true, 6);
  }

  openZiplist(blob: Uint8Array, start: number, length: number): void {
    this.open(blob, start, length, false, 10);
  }

  private open(blob: Uint8Array, start: number, length: number, isListpack: boolean, headerBytes: number): void {
    if (length < headerBytes + 1) throw new PackedFault("the blob is shorter than its header");
    if (readUint32(blob, start) !== length) throw new PackedFault("the blob claims another size than it has");
    const count = readUint16(blob, start + headerBytes - 2);
    this.blob = blob;
    this.blobStart = start;
    this.end = start + length - 1;
    this.at = start + headerBytes;
    this.isListpack = isListpack;
    this.headerCount = count === COUNT_UNKNOWN ? -1 : count;
    this.seen = 0;
    this.previousBytes = 0;
    this.lastEntry = this.at;
    if (blob[this.end] !== END) throw new PackedFault("the blob has no end mark");
  }

  /** Steps to the next entry; false at the end, after the last checks. */
  next(): boolean {
    if (this.at === this.end) {
      this.finish();
      return false;
    }
    this.lastEntry = this.at;
    if (this.isListpack) this.listpackEntry();
    else this.ziplistEntry();
    this.seen++;
    return true;
  }

  /** The next entry where one must follow. */
  expect(): void {
    if (!this.next()) throw new PackedFault("an entry is missing");
  }

  private finish(): void {
    if (this.headerCount !== -1 && this.headerCount !== this.seen) {
      throw new PackedFault(`the header counts ${this.headerCount} entries, there are ${this.seen}`);
    }
    if (!this.isListpack && readUint32(this.blob, this.blobStart + 4) !== this.lastEntry - this.blobStart) {
      throw new PackedFault("the header points to another last entry");
    }
  }

  /** The current entry as a signed 64-bit number; a fault when it is none. */
  integer(): bigint {
    const value = parseInt64(this.bytes, this.start, this.length);
    if (value === undefined) throw new PackedFault("an entry should be a number");
    return value;
  }

  /** integer() in [0, limit]. */
  count(limit: number): number {
    const value = this.integer();
    if (value < 0n || value > BigInt(limit)) throw new PackedFault(`${value} is out of range`);
    return Number(value);
  }

  private listpackEntry(): void {
    const blob = this.blob;
    const at = this.at;
    const first = blob[at]!;
    let size = 0; // of encoding and data
    if (first < 0x80) {
      size = 1;
      this.setNumber(first);
    } else if (first < 0xc0) {
      size = 1 + (first & 0x3f);
      this.setBytes(at + 1, first & 0x3f);
    } else if (first < 0xe0) {
      size = 2;
      this.room(size);
      this.setNumber(((((first & 0x1f) << 8) | blob[at + 1]!) << 19) >> 19);
    } else if (first < 0xf0) {
      this.room(2);
      const length = ((first & 0x0f) << 8) | blob[at + 1]!;
      size = 2 + length;
      this.setBytes(at + 2, length);
    } else if (first === 0xf0) {
      this.room(5);
      const length = readUint32(blob, at + 1);
      size = 5 + length;
      this.setBytes(at + 5, length);
    } else if (first <= 0xf4) {
      const width = first === 0xf4 ? 8 : first - 0xef;
      size = 1 + width;
      this.room(size);
      this.setWidth(at + 1, width);
    } else {
      throw new PackedFault(`entry encoding ${first} is unknown`);
    }
    const backBytes = backlengthBytes(size);
    this.room(size + backBytes);
    for (let index = 0; index < backBytes; index++) {
      const group = Math.floor(size / 2 ** (7 * (backBytes - 1 - index))) & 127;
      if (blob[at + size + index] !== (index === 0 ? group : group | 128)) {
        throw new PackedFault("an entry's length at its end is wrong");
      }
    }
    this.at = at + size + backBytes;
  }

  private ziplistEntry(): void {
    const blob = this.blob;
    const start = this.at;
    let at = start;
    let before = blob[at++]!;
    if (before === 254) {
      this.room(6);
      before = readUint32(blob, at);
      at += 4;
    } else if (before === 255) {
      throw new PackedFault("an end mark in the middle");
    }
    if (before !== this.previousBytes) throw new PackedFault("the length of the entry before is wrong");
    this.room(at - start + 1);
    const first = blob[at]!;
    let end = 0;
    if (first < 0x40) {
      end = at + 1 + first;
      this.setBytes(at + 1, first);
    } else if (first < 0x80) {
      this.room(at - start + 2);
      const length = ((first & 0x3f) << 8) | blob[at + 1]!;
      end = at + 2 + length;
      this.setBytes(at + 2, length);
    } else if (first < 0xc0) {
      this.room(at - start + 5);
      const length = blob[at + 1]! * 16777216 + ((blob[at + 2]! << 16) | (blob[at + 3]! << 8) | blob[at + 4]!);
      end = at + 5 + length;
      this.setBytes(at + 5, length);
    } else if (first >= 0xf1 && first <= 0xfd) {
      end = at + 1;
      this.setNumber((first & 0x0f) - 1);
    } else {
      const width = ziplistWidth(first);
      end = at + 1 + width;
      this.room(end - start);
      this.setWidth(at + 1, width);
    }
    this.room(end - start);
    this.previousBytes = end - start;
    this.at = end;
  }

  private room(size: number): void {
    if (this.at + size > this.end) throw new PackedFault("an entry goes beyond the end");
  }

  private setBytes(start: number, length: number): void {
    if (start + length > this.end) throw new PackedFault("an entry goes beyond the end");
    this.bytes = this.blob;
    this.start = start;
    this.length = length;
  }

  private setWidth(at: number, width: number): void {
    const blob = this.blob;
    if (width === 8) this.setNumber(readBigInt64(blob, at));
    else if (width === 4) this.setNumber(readInt32(blob, at));
    else {
      let value = 0;
      for (let index = 0; index < width; index++) value |= blob[at + index]! << (8 * index);
      const shift = 32 - 8 * width;
      this.setNumber((value << shift) >> shift);
    }
  }

  private setNumber(value: number | bigint): void {
    const start = this.slot * DIGIT_SLOT_BYTES;
    this.slot = (this.slot + 1) % DIGIT_SLOTS;
    this.bytes = this.digits;
    this.start = start;
    this.length = writeInt64Digits(this.digits, start, value) - start;
  }
}

/** Bytes that an entry's length takes at its end. */
function backlengthBytes(size: number): number {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

function ziplistWidth(encoding: number): number {
  switch (encoding) {
    case 0xfe:
      return 1;
    case 0xc0:
      return 2;
    case 0xf0:
      return 3;
    case 0xd0:
      return 4;
    case 0xe0:
      return 8;
    default:
      throw new PackedFault(`entry encoding ${encoding} is unknown`);
  }
}

/** Calls `each` with the decimal digits of every number of an intset. */
export function readIntset(
  blob: Uint8Array,
  start: number,
  length: number,
  each: (bytes: Uint8Array, start: number, length: number) => void,
): void {
  if (length < 8) throw new PackedFault("the intset is shorter than its header");
  const width = readUint32(blob, start);
  const count = readUint32(blob, start + 4);
  if (width !== 2 && width !== 4 && width !== 8)
    throw new PackedFault(`an intset of ${width} bytes a number is unknown`);
  if (count * width !== length - 8) throw new PackedFault("the intset claims another size than it has");
  const digits = new Uint8Array(24);
  let before: number | bigint = 0;
  for (let index = 0; index < count; index++) {
    const at = start + 8 + index * width;
    let value: number | bigint;
    if (width === 2) value = (readUint16(blob, at) << 16) >> 16;
    else if (width === 4) value = readInt32(blob, at);
    else value = readBigInt64(blob, at);
    if (index > 0 && value <= before) throw new PackedFault("the intset is not in order");
    before = value;
    each(digits, 0, writeInt64Digits(digits, 0, value));
  }
}

/** Calls `each` with every key and value of a zipmap, as ranges of the blob. */
export function readZipmap(
  blob: Uint8Array,
  start: number,
  length: number,
  each: (keyStart: number, keyLength: number, valueStart: number, valueLength: number) => void,
): void {
  const end = start + length - 1;
  if (length < 2 || blob[end] !== END) throw new PackedFault("the zipmap has no end mark");
  const headerCount = blob[start]!;
  let count = 0;
  let at = start + 1;
  const lengthAt = (position: number): number => {
    const first = blob[position]!;
    if (first < 254) return first;
    if (first === 255 || position + 5 > end) throw new PackedFault("a length goes beyond the zipmap's end");
    return readUint32(blob, position + 1);
  };
  while (at < end) {
    const keyLength = lengthAt(at);
    const keyStart = at + (blob[at]! < 254 ? 1 : 5);
    const valueAt = keyStart + keyLength;
    if (valueAt >= end) throw new PackedFault("a key goes beyond the zipmap's end");
    const valueLength = lengthAt(valueAt);
    const freeAt = valueAt + (blob[valueAt]! < 254 ? 1 : 5);
    if (freeAt >= end) throw new PackedFault("a value goes beyond the zipmap's end");
    const valueStart = freeAt + 1;
    at = valueStart + valueLength + blob[freeAt]!;
    if (at > end) throw new PackedFault("a value goes beyond the zipmap's end");
    each(keyStart, keyLength, valueStart, valueLength);
    count++;
  }
  if (headerCount < 254 && headerCount !== count) {
    throw new PackedFault(`the zipmap counts ${headerCount} fields, there are ${count}`);
  }
}
