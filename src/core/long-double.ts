/**
 * The 80-bit floating point numbers in which Redis does INCRBYFLOAT and HINCRBYFLOAT on x86-64: parse, add, print.
 *
 *      value = (-1)^isNegative × mantissa × 2^exponent          mantissa < 2^64, exponent >= -16445
 *
 *  I1  Every result is the exact one rounded once, to the nearest, ties to the even mantissa.
 *  I2  A mantissa below 2^63 has the smallest exponent (a subnormal number) or is zero.
 *  Source: IEEE 754 rounding; the x87 extended format; strtold and printf("%.17Lf") as ISO C describes them.
 */

const MINUS = 45;
const PLUS = 43;
const DOT = 46;
const ZERO = 48;

const LONG_BITS = 64;
const LONG_EXPONENT_MIN = -16445;
const LONG_EXPONENT_MAX = 16384 - 64;
const DOUBLE_BITS = 53;
const DOUBLE_EXPONENT_MIN = -1074;
/** Redis copies the text into a buffer of 5 KiB first, and refuses what does not fit. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;
/** Powers of ten beyond this are out of range with any digits that fit into the text. */
const POWER_MAX = 20_000;
const FRACTION_DIGITS = 17;

export class LongDouble {
  readonly isNegative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly isInfinite: boolean;

  constructor(isNegative: boolean, mantissa: bigint, exponent: number, isInfinite: boolean) {
    this.isNegative = isNegative;
    this.mantissa = mantissa;
    this.exponent = exponent;
    this.isInfinite = isInfinite;
  }
}

export type FloatKind = "none" | "decimal" | "hexadecimal" | "infinity";

/** What kind of number strtod would see in exactly these bytes. */
export function scanFloat(bytes: Uint8Array, start: number, length: number): FloatKind {
  const end = start + length;
  let at = start;
  if (at < end && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
  if (at === end) return "none";
  const first = bytes[at]! | 32;
  if (first === 105) return isWord(bytes, at, end, "inf") || isWord(bytes, at, end, "infinity") ? "infinity" : "none";
  if (bytes[at] === ZERO && at + 1 < end && (bytes[at + 1]! | 32) === 120) {
    return isNumber(bytes, at + 2, end, true) ? "hexadecimal" : "none";
  }
  return isNumber(bytes, at, end, false) ? "decimal" : "none";
}

function isWord(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (end - at !== word.length) return false;
  for (let index = 0; index < word.length; index++) {
    if ((bytes[at + index]! | 32) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** Digits with at most one point among them and at least one digit, then perhaps an exponent with digits. */
function isNumber(bytes: Uint8Array, at: number, end: number, isHexadecimal: boolean): boolean {
  const exponentMark = isHexadecimal ? 112 : 101;
  let digitCount = 0;
  let hasPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (digitOf(byte, isHexadecimal) >= 0) digitCount++;
    else if (byte === DOT && !hasPoint) hasPoint = true;
    else break;
  }
  if (digitCount === 0) return false;
  if (at === end) return true;
  if ((bytes[at]! | 32) !== exponentMark) return false;
  at++;
  if (at < end && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
  if (at === end) return false;
  for (; at < end; at++) {
    if (digitOf(bytes[at]!, false) < 0) return false;
  }
  return true;
}

function digitOf(byte: number, isHexadecimal: boolean): number {
  if (byte >= ZERO && byte <= 57) return byte - ZERO;
  if (!isHexadecimal) return -1;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** A scanned number as digits × base^power, exactly; `base` is 10, or 2 for hexadecimal ones. */
interface ExactNumber {
  readonly isNegative: boolean;
  readonly digits: bigint;
  readonly base: bigint;
  readonly power: number;
}

/** Takes apart what scanFloat has called decimal or hexadecimal. */
function exactNumber(bytes: Uint8Array, start: number, length: number, isHexadecimal: boolean): ExactNumber {
  const end = start + length;
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (isNegative || bytes[at] === PLUS) at++;
  if (isHexadecimal) at += 2;
  let digits = "";
  let power = 0;
  let hasPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === DOT) hasPoint = true;
    else if (digitOf(byte, isHexadecimal) >= 0) {
      digits += String.fromCharCode(byte);
      if (hasPoint) power--;
    } else break;
  }
  if (isHexadecimal) power *= 4;
  if (at < end) {
    at++;
    let exponentText = "";
    for (; at < end; at++) exponentText += String.fromCharCode(bytes[at]!);
    power += Number(exponentText);
  }
  return { isNegative, digits: BigInt(isHexadecimal ? `0x${digits}` : digits), base: isHexadecimal ? 2n : 10n, power };
}

interface Rounded {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** numerator / denominator as mantissa × 2^exponent with at most `bits` bits (invariants I1, I2). */
function roundBinary(numerator: bigint, denominator: bigint, bits: number, exponentMin: number): Rounded {
  if (numerator === 0n) return { mantissa: 0n, exponent: exponentMin };
  let exponent = Math.max(bitLength(numerator) - bitLength(denominator) - bits, exponentMin);
  // The quotient of that estimate has `bits` or `bits` + 1 bits; the latter needs one step more.
  if (quotient(numerator, denominator, exponent) >> BigInt(bits) !== 0n) exponent++;
  const divisor = exponent > 0 ? denominator << BigInt(exponent) : denominator;
  const dividend = exponent < 0 ? numerator << BigInt(-exponent) : numerator;
  let mantissa = divideHalfEven(dividend, divisor);
  if (mantissa >> BigInt(bits) !== 0n) {
    mantissa >>= 1n;
    exponent++;
  }
  return { mantissa, exponent };
}

function quotient(numerator: bigint, denominator: bigint, exponent: number): bigint {
  return exponent >= 0 ? numerator / (denominator << BigInt(exponent)) : (numerator << BigInt(-exponent)) / denominator;
}

function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  const whole = dividend / divisor;
  const twice = (dividend - whole * divisor) * 2n;
  if (twice > divisor || (twice === divisor && (whole & 1n) === 1n)) return whole + 1n;
  return whole;
}

function bitLength(value: bigint): number {
  const text = value.toString(16);
  return text.length * 4 - (Math.clz32(Number.parseInt(text[0]!, 16)) - 28);
}

/** Rounds an exact number; undefined when it is too large, or too small to be told from zero. */
function roundExact(number: ExactNumber, bits: number, exponentMin: number, exponentMax: number): Rounded | undefined {
  if (number.digits === 0n) return { mantissa: 0n, exponent: exponentMin };
  const magnitude = number.power + bitLength(number.digits) * (number.base === 10n ? 0.302 : 1);
  if (Math.abs(magnitude) > POWER_MAX) return undefined;
  const factor = number.base ** BigInt(Math.abs(number.power));
  const rounded =
    number.power >= 0
      ? roundBinary(number.digits * factor, 1n, bits, exponentMin)
      : roundBinary(number.digits, factor, bits, exponentMin);
  return rounded.mantissa === 0n || rounded.exponent > exponentMax ? undefined : rounded;
}

/** The double that a hexadecimal number (as scanFloat found it) spells, NaN when it is out of range. */
export function parseHexFloat64(bytes: Uint8Array, start: number, length: number): number {
  const exact = exactNumber(bytes, start, length, true);
  const rounded = roundExact(exact, DOUBLE_BITS, DOUBLE_EXPONENT_MIN, 1024 - DOUBLE_BITS);
  if (rounded === undefined) return Number.NaN;
  // Two factors, because 2^-1074 times a large mantissa is exact and 2^1024 does not exist.
  const half = Math.trunc(rounded.exponent / 2);
  const value = Number(rounded.mantissa) * 2 ** half * 2 ** (rounded.exponent - half);
  return exact.isNegative ? -value : value;
}

/** The long double that the bytes spell as strtold reads them, undefined when Redis refuses them (space, NaN, range). */
export function parseLongDouble(bytes: Uint8Array, start: number, length: number): LongDouble | undefined {
  if (length > TEXT_BYTES_MAX) return undefined;
  const kind = scanFloat(bytes, start, length);
  if (kind === "none") return undefined;
  if (kind === "infinity") return new LongDouble(bytes[start] === MINUS, 0n, 0, true);
  const exact = exactNumber(bytes, start, length, kind === "hexadecimal");
  const rounded = roundExact(exact, LONG_BITS, LONG_EXPONENT_MIN, LONG_EXPONENT_MAX);
  return rounded && new LongDouble(exact.isNegative, rounded.mantissa, rounded.exponent, false);
}

/** left + right; undefined when the sum is infinite or not a number. */
export function addLongDouble(left: LongDouble, right: LongDouble): LongDouble | undefined {
  if (left.isInfinite || right.isInfinite) return undefined;
  const exponent = Math.min(left.exponent, right.exponent);
  const sum = signedAt(left, exponent) + signedAt(right, exponent);
  const isNegative = sum < 0n;
  const magnitude = isNegative ? -sum : sum;
  const rounded =
    exponent >= 0
      ? roundBinary(magnitude << BigInt(exponent), 1n, LONG_BITS, LONG_EXPONENT_MIN)
      : roundBinary(magnitude, 1n << BigInt(-exponent), LONG_BITS, LONG_EXPONENT_MIN);
  if (rounded.exponent > LONG_EXPONENT_MAX) return undefined;
  return new LongDouble(isNegative, rounded.mantissa, rounded.exponent, false);
}

function signedAt(value: LongDouble, exponent: number): bigint {
  const shifted = value.mantissa << BigInt(value.exponent - exponent);
  return value.isNegative ? -shifted : shifted;
}

/** A finite `value` with up to 17 digits behind the point and no trailing zeros; minus zero is "0". */
export function formatLongDouble(value: LongDouble): string {
  const scaled = value.mantissa * 10n ** BigInt(FRACTION_DIGITS);
  const exponent = BigInt(Math.abs(value.exponent));
  const units = value.exponent >= 0 ? scaled << exponent : divideHalfEven(scaled, 1n << exponent);
  if (units === 0n) return "0";
  const digits = units.toString().padStart(FRACTION_DIGITS + 1, "0");
  const whole = digits.slice(0, -FRACTION_DIGITS);
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  return (value.isNegative ? "-" : "") + (fraction === "" ? whole : `${whole}.${fraction}`);
}

/** `invalid`: one side is no float. `infinite`: the sum is no number that can be kept. */
export type DecimalSum = { readonly text: string } | "invalid" | "infinite";

/** What INCRBYFLOAT makes of `left` plus `right`. */
export function addDecimal(left: Uint8Array, right: Uint8Array): DecimalSum {
  const leftValue = parseLongDouble(left, 0, left.length);
  const rightValue = parseLongDouble(right, 0, right.length);
  if (leftValue === undefined || rightValue === undefined) return "invalid";
  const sum = addLongDouble(leftValue, rightValue);
  return sum === undefined ? "infinite" : { text: formatLongDouble(sum) };
}
