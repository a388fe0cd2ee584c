/**
 * Numbers as bytes and bytes as numbers, as strict or as lax as Redis is in each place.
 *
 *      "-42"     parseInt64 / parseSafeInteger    no space, no plus sign, no leading zero, no "-0"
 *      "1e3"     parseFloat64                     what strtod takes in the C locale, without NaN and range errors
 *      "64mb"    parseMemory                      redis.conf's units
 *      3.5       formatFloat64                    the shortest digits that read back to the same double
 *
 *  I1  Parsing never reads outside [start, start + length).
 *  I2  formatFloat64 reads back to the same double.
 *  Source: behaviour of redis-server 7.0 and 7.2 (ZADD, ZSCORE, SET, INCR), strtod of ISO C.
 */

import { parseHexFloat64, scanFloat } from "./long-double.ts";

export {
  addDecimal,
  addLongDouble,
  type DecimalSum,
  formatLongDouble,
  LongDouble,
  parseLongDouble,
} from "./long-double.ts";

const MINUS = 45;
const ZERO = 48;
const POINT = 46;
const POWERS_OF_TEN: readonly number[] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];

/**
 * The whole number in [-(2^53 - 1), 2^53 - 1] that `bytes[start ... start+length)` spells, NaN when it spells none or one
 * that lies outside. Strict as Redis's own check for integers. Allocates nothing. hot path
 */
export function parseSafeInteger(bytes: Uint8Array, start: number, length: number): number {
  if (length === 0 || length > 17) return Number.NaN;
  const end = start + length;
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (isNegative) at++;
  const digitCount = end - at;
  if (digitCount === 0 || digitCount > 16) return Number.NaN;
  if (bytes[at] === ZERO) return length === 1 ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return isNegative ? -value : value;
}

/** The signed 64-bit whole number that the bytes spell, undefined when they spell none. Strict, see parseSafeInteger. */
export function parseInt64(bytes: Uint8Array, start: number, length: number): bigint | undefined {
  if (length < 1 || length > 20) return undefined;
  if (length < 16) {
    const small = parseSafeInteger(bytes, start, length);
    return Number.isNaN(small) ? undefined : BigInt(small);
  }
  const isNegative = bytes[start] === MINUS;
  const magnitude = isNegative ? digits64(bytes, start + 1, length - 1) : digits64(bytes, start, length);
  if (magnitude === undefined) return undefined;
  if (isNegative) return magnitude > 0x8000000000000000n ? undefined : -magnitude;
  return magnitude > 0x7fffffffffffffffn ? undefined : magnitude;
}

/** Up to 20 digits without a leading zero as a bigint, undefined for anything else. */
function digits64(bytes: Uint8Array, start: number, length: number): bigint | undefined {
  if (length < 1 || length > 20 || bytes[start] === ZERO) return undefined;
  const split = start + (length > 10 ? length - 10 : 0);
  const end = start + length;
  let high = 0;
  let low = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    if (at < split) high = high * 10 + digit;
    else low = low * 10 + digit;
  }
  return BigInt(high) * 10_000_000_000n + BigInt(low);
}

/**
 * The double that the bytes spell, NaN when they spell none. Takes what strtod takes in the C locale (sign, decimal,
 * exponent, hexadecimal, inf, infinity), except leading space, NaN, and numbers too large or too small for a double.
 */
export function parseFloat64(bytes: Uint8Array, start: number, length: number): number {
  // hot path: scores are mostly small whole numbers, here with leading zeros, too
  if (length > 0 && length < 16) {
    const isNegative = bytes[start] === MINUS;
    const end = start + length;
    let at = isNegative ? start + 1 : start;
    let whole = at === end ? Number.NaN : 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      whole = whole * 10 + digit;
    }
    if (at === end && !Number.isNaN(whole)) return isNegative ? -whole : whole;
    // Up to 15 digits and a point: both numbers are exact, so their quotient is the nearest double (Clinger 1990).
    if (at < end && bytes[at] === POINT) {
      const point = at++;
      for (; at < end; at++) {
        const digit = bytes[at]! - ZERO;
        if (digit < 0 || digit > 9) break;
        whole = whole * 10 + digit;
      }
      const hasDigits = end - point > 1 || point > (isNegative ? start + 1 : start);
      if (at === end && hasDigits) {
        const value = whole / POWERS_OF_TEN[end - point - 1]!;
        return isNegative ? -value : value;
      }
    }
  }
  const kind = scanFloat(bytes, start, length);
  if (kind === "none") return Number.NaN;
  const isNegative = bytes[start] === MINUS;
  if (kind === "infinity") return isNegative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (kind === "hexadecimal") return parseHexFloat64(bytes, start, length);
  let text = "";
  let hasValue = false;
  let isExponent = false;
  const end = start + length;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 101 || byte === 69) isExponent = true;
    else if (!isExponent && byte > ZERO && byte <= 57) hasValue = true;
    text += String.fromCharCode(byte);
  }
  const value = Number(text);
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return Number.NaN;
  return value === 0 && hasValue ? Number.NaN : value;
}

const EXACT_WHOLE_MAX = 2 ** 62; // up to here a whole double is printed with all of its digits

/**
 * `value` as Redis 7.2 prints a double in a reply: whole numbers below 2^62 in full, otherwise the shortest digits that
 * read back to it, with an exponent from 1e-7 downwards and where many zeros would follow.
 */
export function formatFloat64(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  if (Number.isNaN(value)) return "nan";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  if (Number.isSafeInteger(value)) return String(value);
  if (value >= -EXACT_WHOLE_MAX && value <= EXACT_WHOLE_MAX && Number.isInteger(value)) return BigInt(value).toString();
  const size = Math.abs(value);
  if (size >= 0.001 && size < 10_000) return String(value); // JavaScript lays the same digits out in the same way here
  return formatShortest(value);
}

/** Sign, shortest digits and power of ten, laid out as Redis 7.2 lays them out. */
function formatShortest(value: number): string {
  const exponential = Math.abs(value).toExponential();
  const mark = exponential.indexOf("e");
  const digits = exponential[0]! + exponential.slice(2, mark);
  const exponent = Number(exponential.slice(mark + 1));
  const sign = value < 0 ? "-" : "";
  // value = digits × 10^scale, where digits is read as a whole number
  const scale = exponent - digits.length + 1;
  if (scale >= 0 && exponent < digits.length + 7) return sign + digits + "0".repeat(scale);
  if (scale < 0 && (scale > -7 || Math.abs(exponent) < 4)) {
    const wholeCount = digits.length + scale;
    if (wholeCount <= 0) return `${sign}0.${"0".repeat(-wholeCount)}${digits}`;
    return `${sign}${digits.slice(0, wholeCount)}.${digits.slice(wholeCount)}`;
  }
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}

/** How many bytes writeInt64Digits writes for `value`, a whole number in [-(2^53 - 1), 2^53 - 1]. */
export function integerDigitCount(value: number): number {
  let count = 1;
  if (value < 0) {
    count = 2;
    value = -value;
  }
  for (let power = 10; value >= power; power *= 10) count++;
  return count;
}

/** Writes `value` (a bigint, or a safe whole number) in decimal at `target[at]`; returns the position behind. hot path */
export function writeInt64Digits(target: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === "bigint") {
    if (value > 9007199254740991n || value < -9007199254740991n) {
      const text = value.toString();
      for (let index = 0; index < text.length; index++) target[at++] = text.charCodeAt(index);
      return at;
    }
    value = Number(value);
  }
  if (value < 0) {
    target[at++] = MINUS;
    value = -value;
  }
  const end = at + integerDigitCount(value);
  let to = end;
  while (value > 0x7fffffff) {
    const quotient = Math.floor(value / 10);
    target[--to] = ZERO + (value - quotient * 10);
    value = quotient;
  }
  let small = value | 0;
  do {
    const quotient = (small / 10) | 0;
    target[--to] = ZERO + (small - quotient * 10);
    small = quotient;
  } while (to > at);
  return end;
}

/** redis.conf's sizes: `100`, `1k` = 1000, `1kb` = 1024, `m`, `mb`, `g`, `gb`, in any case. Undefined when it is none. */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d{1,16})([a-z]*)$/i.exec(text);
  if (match === null) return undefined;
  const factor = MEMORY_UNITS.get(match[2]!.toLowerCase());
  if (factor === undefined) return undefined;
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const MEMORY_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1000],
  ["kb", 1024],
  ["m", 1_000_000],
  ["mb", 1024 ** 2],
  ["g", 1_000_000_000],
  ["gb", 1024 ** 3],
]);

// ---- little-endian cells; the caller has checked the bounds -----------------------------------------------------

export function readUint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** As a number: exact between -2^53 and 2^53. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + 4) * 4294967296 + readUint32(bytes, at);
}

export function readBigInt64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readInt32(bytes, at + 4)) << 32n) | BigInt(readUint32(bytes, at));
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** `value`: a whole number in [-2^53, 2^53]; negative ones become two's complement. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 4294967296);
  writeUint32(bytes, at, value - high * 4294967296);
  writeUint32(bytes, at + 4, high);
}
