/**
 * Replies as bytes: everything that is said to one client in one turn, written byte by byte, sent with one write.
 *
 *      full parts    [64 KiB][a large value, exact][64 KiB]        buffer  [ bytes ... position │ free ]
 *
 *  I1  The reply of a turn is the parts in order, then buffer[0 ... position).
 *  I2  `mark()`/`rewind()` take back everything after a point (CLIENT REPLY, a command that fails late).
 *  I3  In RESP2 every RESP3 type appears as the RESP2 type that Redis uses for it.
 *  Source: RESP2/RESP3 as redis.io's protocol specification describes them.
 */

import { assert } from "../core/assert.ts";
import type { Connection } from "../core/host.ts";
import { formatFloat64, integerDigitCount } from "../core/numbers.ts";
import type { ReplyError } from "./errors.ts";

const BUFFER_BYTES = 64 * 1024;
/** From here on a value gets a part of its own, so that nothing is copied twice. */
const OWN_PART_MIN = 32 * 1024;

const CR = 13;
const LF = 10;

/** A point to go back to. */
export interface ReplyMark {
  partCount: number;
  position: number;
}

export class ReplyWriter {
  /** 2 or 3: the protocol that the client of this turn speaks. */
  protocol: 2 | 3;
  buffer: Uint8Array;
  position: number;
  /** Filled parts before `buffer`, each to be sent whole. */
  parts: Uint8Array[];
  /** Bytes in `parts`. */
  partBytes: number;
  /** What `lend` put aside, and the buffer that it gives out. */
  private aside: Pick<ReplyWriter, "protocol" | "buffer" | "position" | "parts" | "partBytes"> | undefined;
  private spare: Uint8Array | undefined;

  constructor() {
    this.protocol = 2;
    this.buffer = new Uint8Array(BUFFER_BYTES);
    this.position = 0;
    this.parts = [];
    this.partBytes = 0;
    this.aside = undefined;
    this.spare = undefined;
  }

  /** Puts aside what was written for one client, so that a reply to another can be written; `takeBack` ends that. */
  lend(protocol: 2 | 3): void {
    const { buffer, position, parts, partBytes } = this;
    this.aside = { protocol: this.protocol, buffer, position, parts, partBytes };
    this.protocol = protocol;
    this.buffer = this.spare ?? new Uint8Array(BUFFER_BYTES);
    this.position = 0;
    this.parts = [];
    this.partBytes = 0;
  }

  /** Goes back to what `lend` put aside; what was written since must have been sent. */
  takeBack(): void {
    const aside = this.aside;
    assert(aside !== undefined && this.position === 0, "the reply was not lent, or has not been sent");
    this.aside = undefined;
    this.spare = this.buffer;
    this.protocol = aside.protocol;
    this.buffer = aside.buffer;
    this.position = aside.position;
    this.parts = aside.parts;
    this.partBytes = aside.partBytes;
  }

  /** A copy of what was written after `mark`. */
  copySince(mark: ReplyMark): Uint8Array {
    const pieces = [...this.parts.slice(mark.partCount), this.buffer.subarray(0, this.position)];
    pieces[0] = pieces[0]!.subarray(mark.position);
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  /** Bytes written in this turn. */
  byteCount(): number {
    return this.partBytes + this.position;
  }

  mark(into: ReplyMark): void {
    into.partCount = this.parts.length;
    into.position = this.position;
  }

  /** Takes back all that was written after `mark`. */
  rewind(mark: ReplyMark): void {
    if (this.parts.length > mark.partCount) {
      // The part that was being filled at the mark holds what stays; it may have been cut to its length.
      const kept = this.parts[mark.partCount]!;
      this.buffer = new Uint8Array(BUFFER_BYTES);
      this.buffer.set(kept.subarray(0, mark.position));
      this.parts.length = mark.partCount;
      this.partBytes = 0;
      for (let index = 0; index < this.parts.length; index++) this.partBytes += this.parts[index]!.length;
    }
    this.position = mark.position;
  }

  /** Forgets everything; `keepBuffer` false when the memory was given away. */
  reset(keepBuffer: boolean): void {
    if (!keepBuffer) this.buffer = new Uint8Array(BUFFER_BYTES);
    this.position = 0;
    if (this.parts.length > 0) {
      this.parts = [];
      this.partBytes = 0;
    }
  }

  /** Writes everything to `connection` and forgets it. */
  sendTo(connection: Connection): void {
    const parts = this.parts;
    for (let index = 0; index < parts.length; index++) connection.write(parts[index]!, 0, parts[index]!.length);
    const isFree = this.position === 0 || connection.write(this.buffer, 0, this.position);
    this.reset(isFree);
  }

  /** Copies everything out and forgets it. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.byteCount());
    let at = 0;
    for (const part of this.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    bytes.set(this.buffer.subarray(0, this.position), at);
    this.reset(true);
    return bytes;
  }

  private room(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return;
    if (this.position > 0) {
      this.parts.push(this.buffer.subarray(0, this.position));
      this.partBytes += this.position;
    }
    this.buffer = new Uint8Array(Math.max(BUFFER_BYTES, bytes));
    this.position = 0;
  }

  // ---- simple types -------------------------------------------------------------------------------------------

  /** `+OK` */
  ok(): void {
    if (this.position + 5 > this.buffer.length) this.room(5);
    const buffer = this.buffer;
    const at = this.position;
    buffer[at] = 43;
    buffer[at + 1] = 79;
    buffer[at + 2] = 75;
    buffer[at + 3] = CR;
    buffer[at + 4] = LF;
    this.position = at + 5;
  }

  /** A simple string; `text` is latin1 and has no line end. */
  simple(text: string): void {
    this.line(43, text);
  }

  /** An error of the catalogue: its bytes were built once. */
  error(error: ReplyError): void {
    const bytes = error.bytes;
    this.room(bytes.length);
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
    this.errorCount++;
    this.lastErrorCode = error.code;
  }

  /** Errors written since the start; dispatch compares it to see whether a command failed. */
  errorCount = 0;
  /** The code (first word) of the newest error. */
  lastErrorCode = "";

  /** An error with text made on the spot: `CODE message`. Line ends within become spaces, those at the end go. */
  errorText(text: string): void {
    this.line(45, text.replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " "));
    this.errorCount++;
    const space = text.indexOf(" ");
    this.lastErrorCode = space === -1 ? text : text.slice(0, space);
  }

  /** A whole number in [-2^53, 2^53]. */
  integer(value: number): void {
    if (this.position + 24 > this.buffer.length) this.room(24);
    this.buffer[this.position++] = 58;
    this.digits(value);
    this.lineEnd();
  }

  /** A signed 64-bit whole number. */
  bigInteger(value: bigint): void {
    this.line(58, value.toString());
  }

  // ---- bulk strings -------------------------------------------------------------------------------------------

  /** A bulk string from `source[start ... start+length)`. hot path */
  bulk(source: Uint8Array, start: number, length: number): void {
    if (length >= OWN_PART_MIN) {
      this.largeBulk(source, start, length);
      return;
    }
    if (this.position + length + 16 > this.buffer.length) this.room(length + 16);
    this.buffer[this.position++] = 36;
    this.digits(length);
    const buffer = this.buffer;
    let at = this.position;
    buffer[at++] = CR;
    buffer[at++] = LF;
    if (length < 64) {
      for (let index = 0; index < length; index++) buffer[at + index] = source[start + index]!;
    } else {
      buffer.set(source.subarray(start, start + length), at);
    }
    at += length;
    buffer[at++] = CR;
    buffer[at++] = LF;
    this.position = at;
  }

  private largeBulk(source: Uint8Array, start: number, length: number): void {
    this.bulkHeader(36, length);
    this.raw(source, start, length);
    this.room(2);
    this.lineEnd();
  }

  /** A bulk string of latin1 text. */
  bulkText(text: string): void {
    const length = text.length;
    this.room(length + 16);
    this.buffer[this.position++] = 36;
    this.digits(length);
    this.lineEnd();
    this.latin1(text);
    this.lineEnd();
  }

  bulkBytes(bytes: Uint8Array): void {
    this.bulk(bytes, 0, bytes.length);
  }

  /** Bytes as they are: a reply that was built elsewhere. */
  raw(source: Uint8Array, start: number, length: number): void {
    if (length >= OWN_PART_MIN) {
      if (this.position > 0) {
        this.parts.push(this.buffer.subarray(0, this.position));
        this.partBytes += this.position;
        this.buffer = new Uint8Array(BUFFER_BYTES);
        this.position = 0;
      }
      this.parts.push(source.slice(start, start + length));
      this.partBytes += length;
      return;
    }
    this.room(length);
    this.buffer.set(source.subarray(start, start + length), this.position);
    this.position += length;
  }

  /** The bulk string's null: `$-1`, in RESP3 `_`. */
  nullBulk(): void {
    if (this.position + 5 > this.buffer.length) this.room(5);
    const buffer = this.buffer;
    let at = this.position;
    if (this.protocol === 3) {
      buffer[at++] = 95;
    } else {
      buffer[at++] = 36;
      buffer[at++] = 45;
      buffer[at++] = 49;
    }
    buffer[at++] = CR;
    buffer[at++] = LF;
    this.position = at;
  }

  /** The array's null: `*-1`, in RESP3 `_`. */
  nullArray(): void {
    if (this.protocol === 3) this.line(95, "");
    else this.line(42, "-1");
  }

  /** Text with its format's three letters ("txt", "mkd"): a verbatim string in RESP3, a bulk string in RESP2. */
  verbatim(text: string, format: "txt" | "mkd"): void {
    if (this.protocol === 2) {
      this.bulkText(text);
      return;
    }
    this.bulkHeader(61, text.length + 4);
    this.room(text.length + 6);
    this.latin1(`${format}:`);
    this.latin1(text);
    this.lineEnd();
  }

  // ---- numbers of RESP3 ---------------------------------------------------------------------------------------

  /** A double: `,` in RESP3, a bulk string in RESP2; digits as Redis prints them (17 significant, shortest for whole numbers). */
  double(value: number): void {
    // hot path: scores are mostly small whole numbers, and those need no text; minus zero does
    if (value === (value | 0) && (value !== 0 || !Object.is(value, -0))) {
      const length = integerDigitCount(value);
      this.bulkHeader(this.protocol === 3 ? 44 : 36, this.protocol === 3 ? value : length);
      if (this.protocol === 3) return;
      this.room(length + 2);
      this.digits(value);
      this.lineEnd();
    } else {
      this.decimal(formatFloat64(value));
    }
  }

  /** A number whose digits were chosen by the caller, otherwise as `double`. */
  decimal(text: string): void {
    if (this.protocol === 3) this.line(44, text);
    else this.bulkText(text);
  }

  /** A truth value: `#t`/`#f` in RESP3, 1/0 in RESP2. */
  boolean(value: boolean): void {
    if (this.protocol === 3) this.line(35, value ? "t" : "f");
    else this.integer(value ? 1 : 0);
  }

  // ---- aggregates ---------------------------------------------------------------------------------------------

  array(count: number): void {
    this.bulkHeader(42, count);
  }

  /** `count` pairs follow: `%` in RESP3, an array of twice the length in RESP2. */
  map(count: number): void {
    if (this.protocol === 3) this.bulkHeader(37, count);
    else this.bulkHeader(42, count * 2);
  }

  set(count: number): void {
    this.bulkHeader(this.protocol === 3 ? 126 : 42, count);
  }

  /** Out-of-band data: `>` in RESP3, an array in RESP2. */
  push(count: number): void {
    this.bulkHeader(this.protocol === 3 ? 62 : 42, count);
  }

  /**
   * Starts an array or, with `isMap`, a map whose count is known when all of it is written: `closeCount` writes it then.
   * `expected`: a guess, which costs nothing when its number of digits is right. Several may be open, one in the other.
   */
  openCount(mark: ReplyMark, expected: number): void {
    this.room(24);
    this.mark(mark);
    this.position += digitCount(expected) + 3;
  }

  /** Ends what `openCount` started at `mark` with the same `expected`, as an array or map of `count`. */
  closeCount(mark: ReplyMark, expected: number, count: number, isMap: boolean): void {
    const size = digitCount(isMap && this.protocol === 2 ? count * 2 : count) + 3;
    const reserved = digitCount(expected) + 3;
    let to = mark.position;
    let target = this.buffer;
    if (mark.partCount < this.parts.length) {
      // The place lies in a part that is full: what does not fit moves into a part of its own.
      const part = this.parts[mark.partCount]!;
      target = part;
      if (size !== reserved) {
        target = new Uint8Array(size);
        to = 0;
        const behind = part.subarray(mark.position + reserved);
        this.parts.splice(mark.partCount, 1, part.subarray(0, mark.position), target, behind);
        this.partBytes += size - reserved;
      }
    } else if (size !== reserved) {
      if (this.position + size - reserved > this.buffer.length) {
        const longer = new Uint8Array(this.buffer.length + 64);
        longer.set(this.buffer);
        this.buffer = longer;
      }
      const from = mark.position + reserved;
      this.buffer.copyWithin(mark.position + size, from, this.position);
      this.position += size - reserved;
      target = this.buffer;
    }
    const { buffer, position } = this;
    this.buffer = target;
    this.position = to;
    this.buffer[this.position++] = isMap && this.protocol === 3 ? 37 : 42;
    this.digits(isMap && this.protocol === 2 ? count * 2 : count);
    this.lineEnd();
    this.buffer = buffer;
    this.position = position;
  }

  // ---- helpers ------------------------------------------------------------------------------------------------

  private bulkHeader(type: number, length: number): void {
    if (this.position + 24 > this.buffer.length) this.room(24);
    this.buffer[this.position++] = type;
    this.digits(length);
    this.lineEnd();
  }

  private line(type: number, text: string): void {
    this.room(text.length + 3);
    this.buffer[this.position++] = type;
    this.latin1(text);
    this.lineEnd();
  }

  private lineEnd(): void {
    this.buffer[this.position] = CR;
    this.buffer[this.position + 1] = LF;
    this.position += 2;
  }

  private latin1(text: string): void {
    const buffer = this.buffer;
    let at = this.position;
    for (let index = 0; index < text.length; index++) buffer[at++] = text.charCodeAt(index);
    this.position = at;
  }

  /** The decimal digits of a whole number; the caller has made room for 20. */
  private digits(value: number): void {
    const buffer = this.buffer;
    let at = this.position;
    if (value < 0) {
      buffer[at++] = 45;
      value = -value;
    }
    if (value < 10) {
      buffer[at] = 48 + value;
      this.position = at + 1;
      return;
    }
    assert(value < Number.POSITIVE_INFINITY, "a reply's whole number is infinite or none"); // the search would not end
    let size = 1;
    for (let limit = 10; limit <= value; limit *= 10) size++;
    let place = at + size;
    this.position = place;
    // Whole numbers below 2^31 divide as integers; the rest as doubles, which is exact below 2^53.
    while (value > 0x7fffffff) {
      const rest = Math.floor(value / 10);
      buffer[--place] = 48 + (value - rest * 10);
      value = rest;
    }
    let small = value | 0;
    while (place > at) {
      const rest = (small / 10) | 0;
      buffer[--place] = 48 + (small - rest * 10);
      small = rest;
    }
  }
}

function digitCount(value: number): number {
  let count = 1;
  for (let limit = 10; limit <= value; limit *= 10) count++;
  return count;
}
