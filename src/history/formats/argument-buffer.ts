/**
 * Commands as RESP in a buffer that grows: headers and arguments, one behind the other.
 *
 *      bytes    *3\r\n  $3\r\nSET\r\n  $1\r\nk\r\n  $1\r\nv\r\n ... │ used ... free
 */

import { writeInt64Digits } from "../../core/numbers.ts";

/** Mark, 19 digits and line ends of a header, and the line end behind the argument. */
const FRAME_BYTES = 26;
/** Below it a loop copies faster than the system. */
const SMALL_BYTES = 48;

export class ArgumentBuffer {
  bytes: Uint8Array;
  used: number;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.used = 0;
  }

  private reserve(count: number): void {
    const needed = this.used + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.used));
    this.bytes = grown;
  }

  /** `*<count>\r\n`, or `$<length>\r\n` of an argument whose bytes come by another way. */
  header(mark: number, count: number): void {
    this.reserve(FRAME_BYTES);
    this.bytes[this.used] = mark;
    this.used = writeInt64Digits(this.bytes, this.used + 1, count);
    this.lineEnd();
  }

  lineEnd(): void {
    this.reserve(2);
    this.bytes[this.used++] = 13;
    this.bytes[this.used++] = 10;
  }

  /** hot path */
  argument(source: Uint8Array, start: number, length: number): void {
    this.reserve(length + FRAME_BYTES);
    this.header(36, length);
    this.raw(source, start, length);
    this.lineEnd();
  }

  /** An argument of ASCII text. */
  word(text: string): void {
    this.reserve(text.length + FRAME_BYTES);
    this.header(36, text.length);
    const { bytes } = this;
    let at = this.used;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.used = at;
    this.lineEnd();
  }

  /** Bytes as they are. */
  raw(source: Uint8Array, start: number, length: number): void {
    this.reserve(length);
    const { bytes, used } = this;
    if (length < SMALL_BYTES) for (let index = 0; index < length; index++) bytes[used + index] = source[start + index]!;
    else bytes.set(source.subarray(start, start + length), used);
    this.used = used + length;
  }
}
