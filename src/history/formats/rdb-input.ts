/**
 * The bytes of an RDB file as lengths, numbers and strings, read ahead from a source or standing in memory.
 *
 *      buffer   [ done, summed up ... │ position ... read ahead ... │ limit ... free ]
 *               ▲ file offset = base                                  a refill moves what is unread to the front
 *
 *  I1  position <= limit <= buffer.length; a read that needs more than the source has left is an RdbFault, nothing else.
 *  I2  The check sum holds every byte below `position` when checksum() is asked.
 *  I3  `stringBytes` is valid until the next read; what must live longer goes through keepString().
 *  I4  Memory grows with the bytes that came, never with a length that the file only claims.
 *  Source: the format's public descriptions (see rdb-constants.ts).
 */

import { Crc64 } from "../../core/crc64.ts";
import { lzfDecompress } from "../../core/lzf.ts";
import { readInt32, readInt64, readUint32, writeInt64Digits } from "../../core/numbers.ts";
import { PackedCursor } from "./packed.ts";
import {
  ENCODING_INT8,
  ENCODING_INT16,
  ENCODING_INT32,
  ENCODING_LZF,
  LENGTH_32,
  LENGTH_64,
  LENGTH_ENCODED,
} from "./rdb-constants.ts";
import { RdbFault } from "./rdb-fault.ts";

/** Where the bytes come from: reads up to `length` bytes to `target[offset ...]`; returns how many, 0 at the end. */
export interface ByteSource {
  read(target: Uint8Array, offset: number, length: number): number;
}

const BUFFER_BYTES = 1 << 20;
/** Strings above this are collected in a buffer of their own. */
const OWN_BUFFER_FROM = BUFFER_BYTES / 2;
/** A claimed length is believed up to here before its bytes have come. */
const TRUST_BYTES = 1 << 24;
const STRING_MAX = 2 ** 32 - 1;
/** Three bytes of LZF give 264 at most. */
const LZF_RATIO_MAX = 88;
/** What `measuredString` reads and does not pass over. */
const SHORT_BYTES = 64;
const EMPTY = new Uint8Array(0);

export class RdbInput {
  /** What is being read, for faults. */
  reading: string;
  stringBytes: Uint8Array;
  stringStart: number;
  stringLength: number;
  keptBytes: Uint8Array;
  keptLength: number;
  /** Walks the packed blobs of one value after another: files hold millions of small ones. */
  readonly packed: PackedCursor;

  private buffer: Uint8Array;
  private position: number;
  private limit: number;
  private base: number;
  private summedTo: number;
  private readonly source: ByteSource | undefined;
  private readonly totalBytes: number;
  private readonly sum: Crc64 | undefined;
  private readonly digits: Uint8Array;
  private readonly double: DataView;
  private expanded: Uint8Array;
  private large: Uint8Array;
  private keptStore: Uint8Array;

  private constructor(
    source: ByteSource | undefined,
    buffer: Uint8Array,
    start: number,
    limit: number,
    totalBytes: number,
    sum: Crc64 | undefined,
  ) {
    this.reading = "header";
    this.stringBytes = EMPTY;
    this.stringStart = 0;
    this.stringLength = 0;
    this.keptBytes = EMPTY;
    this.keptLength = 0;
    this.packed = new PackedCursor();
    this.buffer = buffer;
    this.position = start;
    this.limit = limit;
    this.base = -start;
    this.summedTo = start;
    this.source = source;
    this.totalBytes = totalBytes;
    this.sum = sum;
    this.digits = new Uint8Array(24);
    this.double = new DataView(new ArrayBuffer(8));
    this.expanded = EMPTY;
    this.large = EMPTY;
    this.keptStore = new Uint8Array(256);
  }

  /** `totalBytes`: size of the whole, -1 when unknown. `withSum`: keep the check sum. */
  static fromSource(source: ByteSource, totalBytes: number, withSum: boolean): RdbInput {
    return new RdbInput(source, new Uint8Array(BUFFER_BYTES), 0, 0, totalBytes, withSum ? new Crc64() : undefined);
  }

  /** Over `bytes[start ... end)`, which are not changed. */
  static fromBytes(bytes: Uint8Array, start: number, end: number): RdbInput {
    return new RdbInput(undefined, bytes, start, end, end - start, undefined);
  }

  /** Byte offset of the next read. */
  offset(): number {
    return this.base + this.position;
  }

  /** Bytes that may still follow, Infinity when unknown. */
  remaining(): number {
    return this.totalBytes < 0 ? Number.POSITIVE_INFINITY : this.totalBytes - this.offset();
  }

  /** A fault at the current offset. */
  fault(reason: string): RdbFault {
    return new RdbFault(this.offset(), this.reading, reason);
  }

  /** The sum over all bytes read so far, undefined when it is not kept. */
  checksum(): Crc64 | undefined {
    this.sum?.update(this.buffer, this.summedTo, this.position);
    this.summedTo = this.position;
    return this.sum;
  }

  /** What was read ahead and not used: the caller goes on with it where something else follows the RDB bytes. */
  unread(): Uint8Array {
    return this.buffer.subarray(this.position, this.limit);
  }

  /** Makes `count` bytes stand at `position`; `count` is at most the buffer's size. */
  private need(count: number): void {
    if (this.limit - this.position < count) this.refill(count);
  }

  private refill(count: number): void {
    const source = this.source;
    if (source === undefined) throw this.fault("the data is cut short");
    this.checksum();
    this.buffer.copyWithin(0, this.position, this.limit);
    this.base += this.position;
    this.limit -= this.position;
    this.position = 0;
    this.summedTo = 0;
    while (this.limit < count) {
      const got = source.read(this.buffer, this.limit, this.buffer.length - this.limit);
      if (got <= 0) throw this.fault("the data is cut short");
      this.limit += got;
    }
  }

  byte(): number {
    if (this.position === this.limit) this.refill(1);
    return this.buffer[this.position++]!;
  }

  int32(): number {
    this.need(4);
    const value = readInt32(this.buffer, this.position);
    this.position += 4;
    return value;
  }

  /** As a number: exact between -2^53 and 2^53. */
  int64(): number {
    this.need(8);
    const value = readInt64(this.buffer, this.position);
    this.position += 8;
    return value;
  }

  /** Eight bytes, lowest first. */
  float64(): number {
    this.need(8);
    for (let index = 0; index < 8; index++) this.double.setUint8(index, this.buffer[this.position + index]!);
    this.position += 8;
    return this.double.getFloat64(0, true);
  }

  /** Eight bytes, highest first, as in stream ids. */
  bigUint64HighFirst(): bigint {
    this.need(8);
    for (let index = 0; index < 8; index++) this.double.setUint8(index, this.buffer[this.position + index]!);
    this.position += 8;
    return this.double.getBigUint64(0, false);
  }

  skip(count: number): void {
    while (count > 0) {
      if (this.position === this.limit) this.refill(1);
      const step = Math.min(count, this.limit - this.position);
      this.position += step;
      count -= step;
    }
  }

  /** A length, or -1 - encoding where a string is encoded in another way. hot path */
  private lengthOrEncoding(): number {
    const first = this.byte();
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte();
    if (first >= LENGTH_ENCODED) return -1 - (first & 0x3f);
    if (first === LENGTH_32) {
      this.need(4);
      const buffer = this.buffer;
      const at = this.position;
      this.position = at + 4;
      return buffer[at]! * 16777216 + ((buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!);
    }
    if (first !== LENGTH_64) throw this.fault("this is no length");
    const long = this.bigUint64HighFirst();
    if (long > 9007199254740991n) throw this.fault(`a length of ${long} is impossible`);
    return Number(long);
  }

  /** A length or count, up to 2^53 - 1. */
  length(): number {
    const length = this.lengthOrEncoding();
    if (length < 0) throw this.fault("an encoded string where a length belongs");
    return length;
  }

  /** A count of things that take `bytesEach` bytes at least: more than can follow is a fault. */
  count(bytesEach: number): number {
    const count = this.length();
    if (count * bytesEach > this.remaining()) throw this.fault(`${count} elements do not fit into what follows`);
    return count;
  }

  /** Any 64-bit number in the form of a length. */
  bigLength(): bigint {
    this.need(1);
    if (this.buffer[this.position] !== LENGTH_64) return BigInt(this.length());
    this.position++;
    return this.bigUint64HighFirst();
  }

  /** Reads a string of any encoding to `stringBytes[stringStart ... stringStart + stringLength)`. hot path */
  string(): void {
    const length = this.lengthOrEncoding();
    if (length < 0) this.encodedString(-1 - length);
    else this.raw(length);
  }

  /** `length` bytes as they stand. */
  raw(length: number): void {
    if (this.limit - this.position < length) {
      if (length > STRING_MAX || length > this.remaining()) throw this.fault(`${length} bytes do not follow any more`);
      if (length > OWN_BUFFER_FROM && this.source !== undefined) {
        this.rawLarge(length);
        return;
      }
      this.refill(length);
    }
    this.stringBytes = this.buffer;
    this.stringStart = this.position;
    this.stringLength = length;
    this.position += length;
  }

  private rawLarge(length: number): void {
    if (this.large.length < length) this.large = new Uint8Array(Math.min(length, TRUST_BYTES));
    let filled = this.limit - this.position;
    this.large.set(this.buffer.subarray(this.position, this.limit));
    this.position = this.limit;
    this.checksum();
    while (filled < length) {
      if (filled === this.large.length) {
        const grown = new Uint8Array(Math.min(length, filled * 2));
        grown.set(this.large);
        this.large = grown;
      }
      const got = this.source!.read(this.large, filled, Math.min(this.large.length, length) - filled);
      if (got <= 0) throw this.fault("the data is cut short");
      this.sum?.update(this.large, filled, filled + got);
      filled += got;
      this.base += got;
    }
    this.stringBytes = this.large;
    this.stringStart = 0;
    this.stringLength = length;
  }

  private encodedString(encoding: number): void {
    switch (encoding) {
      case ENCODING_INT8:
        this.integerString((this.byte() << 24) >> 24);
        return;
      case ENCODING_INT16: {
        const low = this.byte();
        this.integerString(((low | (this.byte() << 8)) << 16) >> 16);
        return;
      }
      case ENCODING_INT32:
        this.integerString(this.int32());
        return;
      case ENCODING_LZF:
        this.compressedString();
        return;
      default:
        throw this.fault(`string encoding ${encoding} is unknown`);
    }
  }

  private integerString(value: number): void {
    this.stringBytes = this.digits;
    this.stringStart = 0;
    this.stringLength = writeInt64Digits(this.digits, 0, value);
  }

  private compressedString(): void {
    const compressedLength = this.length();
    this.expand(compressedLength, this.expandedLength(compressedLength));
  }

  private expand(compressedLength: number, length: number): void {
    this.raw(compressedLength);
    if (this.expanded.length < length) this.expanded = new Uint8Array(Math.max(length, 4096));
    if (!lzfDecompress(this.stringBytes, this.stringStart, compressedLength, this.expanded, 0, length)) {
      throw this.fault("the compressed string is corrupt");
    }
    this.stringBytes = this.expanded;
    this.stringStart = 0;
    this.stringLength = length;
  }

  private expandedLength(compressedLength: number): number {
    const length = this.length();
    if (length > STRING_MAX || length > compressedLength * LZF_RATIO_MAX) {
      throw this.fault(`${compressedLength} compressed bytes cannot hold ${length}`);
    }
    return length;
  }

  /**
   * Passes over a string and says its length in `stringLength`, in memory of constant size. True: it is short (64 bytes
   * at most), and its bytes are there as after string(). hot path
   */
  measuredString(): boolean {
    const length = this.lengthOrEncoding();
    if (length >= 0) {
      if (length <= SHORT_BYTES) {
        this.raw(length);
        return true;
      }
      if (length > this.remaining()) throw this.fault(`${length} bytes do not follow any more`);
      this.skip(length);
      this.stringLength = length;
      return false;
    }
    if (length !== -1 - ENCODING_LZF) {
      this.encodedString(-1 - length);
      return true;
    }
    const compressedLength = this.length();
    const expandedLength = this.expandedLength(compressedLength);
    if (expandedLength <= SHORT_BYTES) {
      this.expand(compressedLength, expandedLength);
      return true;
    }
    if (compressedLength > this.remaining()) throw this.fault(`${compressedLength} bytes do not follow any more`);
    this.skip(compressedLength);
    this.stringLength = expandedLength;
    return false;
  }

  /** Copies the string that was read last to `keptBytes[0 ... keptLength)`, where it stays until the next keepString. */
  keepString(): void {
    const length = this.stringLength;
    if (this.keptStore.length < length) this.keptStore = new Uint8Array(Math.max(length, this.keptStore.length * 2));
    copyBytes(this.stringBytes, this.stringStart, this.keptStore, length);
    this.keptBytes = this.keptStore;
    this.keptLength = length;
  }

  /** The string that was read last as latin1 text. */
  text(): string {
    return latin1(this.stringBytes, this.stringStart, this.stringLength);
  }

  /** Skips a string without expanding it. */
  skipString(): void {
    const length = this.lengthOrEncoding();
    if (length >= 0) this.skip(length);
    else if (length === -1 - ENCODING_LZF) {
      const compressedLength = this.length();
      this.length();
      this.skip(compressedLength);
    } else this.encodedString(-1 - length);
  }

  /** Gives back the memory that long strings took. */
  releaseLarge(): void {
    if (this.large.length > TRUST_BYTES) this.large = EMPTY;
    if (this.expanded.length > TRUST_BYTES) this.expanded = EMPTY;
    if (this.keptStore.length > TRUST_BYTES) this.keptStore = new Uint8Array(256);
  }

  /** Four bytes, lowest first, without a sign. */
  uint32(): number {
    this.need(4);
    const value = readUint32(this.buffer, this.position);
    this.position += 4;
    return value;
  }
}

/** Copies to the front of `target`. */
function copyBytes(source: Uint8Array, start: number, target: Uint8Array, length: number): void {
  if (length < 48) {
    for (let index = 0; index < length; index++) target[index] = source[start + index]!;
  } else {
    target.set(source.subarray(start, start + length));
  }
}

/** Bytes as text with one character each. */
export function latin1(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("latin1");
}
