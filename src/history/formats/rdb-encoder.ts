/**
 * Writes RDB version 10 into chunks; compressing and summing up is left to RdbFinisher, in another thread.
 *
 *      chunk   [ records ... ┆ header │ long string ... ┆ records ... │ used       free ]
 *      notes   (offset of the header, bytes of the header, length of the string) ...   ascending, one per long string
 *
 *  I1  The chunks in order, finished in order, and the trailer are a complete file.
 *  I2  A chunk may be taken between any two calls, also between the pieces of a string.
 *  I3  Strings are written as a real server writes them, but that numbers above 32 bits and long strings stand raw.
 *  Source: the format's public descriptions; files written by real servers.
 */

import { parseSafeInteger, writeInt64, writeInt64Digits } from "../../core/numbers.ts";
import * as rdb from "./rdb-constants.ts";

/** Longer strings are worth a try at compression. */
const COMPRESS_FROM_BYTES = 21;
/** Longer ones cannot be a number of 32 bits. */
const INTEGER_DIGITS_MAX = 11;
const CHUNK_BYTES = 1 << 20;
const NOTE_CELLS = 3;
/** Enough for everything but the bytes of strings: type, opcode, time, length. */
const MARGIN_BYTES = 32;
const SPARE_BUFFERS_MAX = 4;

/** A piece of the file on its way to RdbFinisher. Both arrays belong to the taker; giveBack() returns the first. */
export interface RdbChunk {
  readonly buffer: Uint8Array;
  readonly length: number;
  readonly notes: Int32Array;
  readonly noteCount: number;
}

export class RdbEncoder {
  private buffer: Uint8Array;
  private used: number;
  private notes: Int32Array;
  private noteCount: number;
  private readonly spare: Uint8Array[];
  private readonly chunkBytes: number;

  constructor(chunkBytes: number = CHUNK_BYTES) {
    this.chunkBytes = chunkBytes;
    this.buffer = new Uint8Array(chunkBytes);
    this.used = 0;
    this.notes = new Int32Array(256 * NOTE_CELLS);
    this.noteCount = 0;
    this.spare = [];
  }

  /** Bytes in the current chunk; a caller takes it when it is as long as it likes. */
  get chunkLength(): number {
    return this.used;
  }

  /** Hands over what was written since the last time, and goes on in another buffer. */
  takeChunk(): RdbChunk {
    const chunk = {
      buffer: this.buffer,
      length: this.used,
      notes: this.notes.slice(0, this.noteCount * NOTE_CELLS),
      noteCount: this.noteCount,
    };
    this.buffer = this.spare.pop() ?? new Uint8Array(this.chunkBytes);
    this.used = 0;
    this.noteCount = 0;
    return chunk;
  }

  /** Returns a chunk's buffer for another use. */
  giveBack(buffer: Uint8Array): void {
    if (buffer.length === this.chunkBytes && this.spare.length < SPARE_BUFFERS_MAX) this.spare.push(buffer);
  }

  private grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.used + bytes));
    grown.set(this.buffer.subarray(0, this.used));
    this.buffer = grown;
  }

  /** The file's first nine bytes. */
  header(): void {
    this.latin1(`REDIS${String(rdb.RDB_VERSION_WRITTEN).padStart(4, "0")}`);
  }

  private latin1(text: string): void {
    if (this.used + text.length > this.buffer.length) this.grow(text.length);
    for (let index = 0; index < text.length; index++) this.buffer[this.used++] = text.charCodeAt(index);
  }

  /** An auxiliary field; both are latin1 text. */
  aux(name: string, value: string): void {
    this.byte(rdb.OPCODE_AUX);
    this.text(name);
    this.text(value);
  }

  private text(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.string(bytes, 0, bytes.length);
  }

  selectDb(database: number): void {
    this.byte(rdb.OPCODE_SELECT_DB);
    this.length(database);
  }

  resizeDb(keyCount: number, expireCount: number): void {
    this.byte(rdb.OPCODE_RESIZE_DB);
    this.length(keyCount);
    this.length(expireCount);
  }

  /** The next key's time to go, in ms since 1970. */
  expireMs(atMs: number): void {
    this.byte(rdb.OPCODE_EXPIRE_MS);
    this.int64(atMs);
  }

  /** Seconds since the next key was used. */
  idle(seconds: number): void {
    this.byte(rdb.OPCODE_IDLE);
    this.length(seconds);
  }

  /** The next key's logarithmic use counter, 0 to 255. */
  freq(counter: number): void {
    this.byte(rdb.OPCODE_FREQ);
    this.byte(counter);
  }

  /** A function library's code. */
  functionLibrary(bytes: Uint8Array, start: number, length: number): void {
    this.byte(rdb.OPCODE_FUNCTION);
    this.string(bytes, start, length);
  }

  /** A whole key of type string. hot path */
  stringKey(
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    this.key(rdb.TYPE_STRING, keyBytes, keyStart, keyLength);
    this.string(valueBytes, valueStart, valueLength);
  }

  /** Type (TYPE_...) and name of a key; its value must follow. hot path */
  key(type: number, bytes: Uint8Array, start: number, length: number): void {
    if (this.used === this.buffer.length) this.grow(1);
    this.buffer[this.used++] = type;
    this.string(bytes, start, length);
  }

  /** After the last key. What RdbFinisher.trailer() gives must follow. */
  end(): void {
    this.byte(rdb.OPCODE_EOF);
  }

  byte(value: number): void {
    if (this.used === this.buffer.length) this.grow(1);
    this.buffer[this.used++] = value;
  }

  /** Eight bytes, lowest first. */
  int64(value: number): void {
    if (this.used + 8 > this.buffer.length) this.grow(8);
    writeInt64(this.buffer, this.used, value);
    this.used += 8;
  }

  /** Eight bytes, lowest first, as scores stand in a file. */
  float64(value: number): void {
    if (this.used + 8 > this.buffer.length) this.grow(8);
    new DataView(this.buffer.buffer, this.buffer.byteOffset).setFloat64(this.used, value, true);
    this.used += 8;
  }

  /** A length, a count, or any whole number up to 2^53. */
  length(length: number): void {
    if (this.used + 9 > this.buffer.length) this.grow(9);
    this.used = writeLength(this.buffer, this.used, length);
  }

  /** Any unsigned 64-bit number in the form of a length. */
  bigLength(value: bigint): void {
    if (value <= 9007199254740991n) {
      this.length(Number(value));
      return;
    }
    if (this.used + 9 > this.buffer.length) this.grow(9);
    this.buffer[this.used++] = rdb.LENGTH_64;
    for (let shift = 56n; shift >= 0n; shift -= 8n) this.buffer[this.used++] = Number((value >> shift) & 255n);
  }

  /** A string as a real server would write it. hot path */
  string(bytes: Uint8Array, start: number, length: number): void {
    if (length <= INTEGER_DIGITS_MAX) {
      const value = parseSafeInteger(bytes, start, length);
      if (value === (value | 0) && !Number.isNaN(value)) {
        this.integer(value);
        return;
      }
    }
    if (this.used + length + MARGIN_BYTES > this.buffer.length) this.grow(length + MARGIN_BYTES);
    const buffer = this.buffer;
    const headerAt = this.used;
    let at = headerAt;
    if (length < 0x40) buffer[at++] = length;
    else at = writeLength(buffer, at, length);
    if (length >= COMPRESS_FROM_BYTES) this.note(headerAt, at - headerAt, length);
    if (length < 48) {
      for (let index = 0; index < length; index++) buffer[at + index] = bytes[start + index]!;
    } else {
      buffer.set(bytes.subarray(start, start + length), at);
    }
    this.used = at + length;
  }

  /** A string that spells `value`, a safe whole number. hot path */
  integer(value: number): void {
    if (this.used + MARGIN_BYTES > this.buffer.length) this.grow(MARGIN_BYTES);
    const buffer = this.buffer;
    let at = this.used;
    if (value !== (value | 0)) {
      const end = writeInt64Digits(buffer, at + 1, value);
      buffer[at] = end - at - 1;
      this.used = end;
      return;
    }
    const width = (value << 24) >> 24 === value ? 1 : (value << 16) >> 16 === value ? 2 : 4;
    buffer[at++] = rdb.LENGTH_ENCODED | (width === 4 ? rdb.ENCODING_INT32 : width - 1);
    for (let index = 0; index < width; index++) buffer[at++] = value >> (8 * index);
    this.used = at;
  }

  private note(offset: number, headerBytes: number, length: number): void {
    const cell = this.noteCount * NOTE_CELLS;
    if (cell === this.notes.length) {
      const grown = new Int32Array(cell * 2);
      grown.set(this.notes);
      this.notes = grown;
    }
    this.notes[cell] = offset;
    this.notes[cell + 1] = headerBytes;
    this.notes[cell + 2] = length;
    this.noteCount++;
  }

  /** Begins a string of `length` bytes that comes in pieces; it is not compressed. */
  startString(length: number): void {
    this.length(length);
  }

  /** The next bytes of the string that was begun. */
  stringPiece(bytes: Uint8Array, start: number, length: number): void {
    if (this.used + length > this.buffer.length) this.grow(length);
    this.buffer.set(bytes.subarray(start, start + length), this.used);
    this.used += length;
  }
}

/** Writes a length at `target[at]` (nine bytes at most); returns the position behind it. */
export function writeLength(target: Uint8Array, at: number, length: number): number {
  if (length < 0x40) {
    target[at] = length;
    return at + 1;
  }
  if (length < 0x4000) {
    target[at] = rdb.LENGTH_14_BITS | (length >> 8);
    target[at + 1] = length;
    return at + 2;
  }
  if (length > 0xffffffff) {
    target[at++] = rdb.LENGTH_64;
    at = writeHighFirst(target, at, Math.floor(length / 4294967296));
  } else {
    target[at++] = rdb.LENGTH_32;
  }
  return writeHighFirst(target, at, length % 4294967296);
}

function writeHighFirst(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}
