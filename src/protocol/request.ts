/**
 * One request as offsets into the bytes it came in: no object and no string exists per argument.
 *
 *      input    * 3 \r \n $ 3 \r \n S E T \r \n $ 1 \r \n k \r \n $ 2 \r \n 4 2 \r \n
 *      offset[]                     ▲                     ▲                ▲
 *      length[]                     3                     1                2          count = 3
 *
 *  I1  For every index < count: offset[index] + length[index] <= input.length.
 *  I2  Argument 0 is the command's name; arguments may hold any byte.
 *  I3  Everything here is valid only until the next request is read: what must live longer is copied.
 *  Source: RESP2/RESP3 as redis.io's protocol specification describes them.
 */

import { parseFloat64, parseInt64 } from "../core/numbers.ts";

export class Request {
  input: Uint8Array;
  offset: Int32Array;
  length: Int32Array;
  count: number;

  constructor() {
    this.input = new Uint8Array(0);
    this.offset = new Int32Array(64);
    this.length = new Int32Array(64);
    this.count = 0;
  }

  /** Makes room for `count` arguments; keeps those that are there. */
  reserve(count: number): void {
    if (count <= this.offset.length) return;
    const size = Math.max(count, this.offset.length * 2);
    const offset = new Int32Array(size);
    const length = new Int32Array(size);
    offset.set(this.offset);
    length.set(this.length);
    this.offset = offset;
    this.length = length;
  }

  /** A view of argument `index`, valid until the next request is read. Costs an object: not for the hot path. */
  bytes(index: number): Uint8Array {
    const start = this.offset[index]!;
    return this.input.subarray(start, start + this.length[index]!);
  }

  /** A copy of argument `index` that may be kept. */
  copy(index: number): Uint8Array {
    const start = this.offset[index]!;
    return this.input.slice(start, start + this.length[index]!);
  }

  /** Argument `index` with one character per byte (latin1), so that no byte is lost. */
  text(index: number): string {
    const start = this.offset[index]!;
    const end = start + this.length[index]!;
    const input = this.input;
    let text = "";
    for (let at = start; at < end; at++) text += String.fromCharCode(input[at]!);
    return text;
  }

  /** Whether argument `index` is `upper` (ASCII capitals, digits, signs), in any case. */
  is(index: number, upper: string): boolean {
    const length = this.length[index]!;
    if (length !== upper.length) return false;
    const input = this.input;
    const start = this.offset[index]!;
    for (let at = 0; at < length; at++) {
      let byte = input[start + at]!;
      if (byte >= 97 && byte <= 122) byte -= 32;
      if (byte !== upper.charCodeAt(at)) return false;
    }
    return true;
  }

  /**
   * Argument `index` as a whole number in [-2^53, 2^53], NaN when it is not one or lies outside.
   * Strict as Redis: no space, no plus sign, no leading zero.
   */
  integer(index: number): number {
    const start = this.offset[index]!;
    const length = this.length[index]!;
    const input = this.input;
    // hot path: up to 15 digits need no bigint
    if (length > 0 && length < 16) {
      let at = start;
      const end = start + length;
      let isNegative = false;
      if (input[at] === 45) {
        isNegative = true;
        at++;
        if (at === end) return Number.NaN;
      }
      const first = input[at]!;
      if (first === 48) return length === 1 ? 0 : Number.NaN;
      let value = 0;
      for (; at < end; at++) {
        const digit = input[at]! - 48;
        if (digit < 0 || digit > 9) return Number.NaN;
        value = value * 10 + digit;
      }
      return isNegative ? -value : value;
    }
    const big = parseInt64(input, start, length);
    if (big === undefined || big > 9007199254740992n || big < -9007199254740992n) return Number.NaN;
    return Number(big);
  }

  /** Argument `index` as a signed 64-bit whole number, undefined when it is not one. Strict as Redis. */
  int64(index: number): bigint | undefined {
    return parseInt64(this.input, this.offset[index]!, this.length[index]!);
  }

  /** Argument `index` as a double as Redis reads it (inf and hexadecimal allowed), NaN when it is not one. */
  float(index: number): number {
    return parseFloat64(this.input, this.offset[index]!, this.length[index]!);
  }
}
