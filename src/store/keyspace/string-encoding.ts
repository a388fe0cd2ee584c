/** Which encoding a string gets, as OBJECT ENCODING shows it; the thresholds are those of Redis 7.2. */

import { EMBSTR_MAX, ENCODING_EMBSTR, ENCODING_INT, ENCODING_RAW } from "./record.ts";

/** The encoding that Redis gives a new string: "int" for the canonical decimal form of a signed 64-bit number. hot path */
export function encodingOf(value: Uint8Array, start: number, length: number): number {
  if (length <= 20 && isCanonicalInt64(value, start, length)) return ENCODING_INT;
  return length <= EMBSTR_MAX ? ENCODING_EMBSTR : ENCODING_RAW;
}

const INT64_MAX_DIGITS = [57, 50, 50, 51, 51, 55, 50, 48, 51, 54, 56, 53, 52, 55, 55, 53, 56, 48, 55];

function isCanonicalInt64(value: Uint8Array, start: number, length: number): boolean {
  if (length === 0) return false;
  let at = start;
  const end = start + length;
  let first = value[at]!;
  const isNegative = first === 45;
  if (isNegative) {
    if (length === 1) return false;
    first = value[++at]!;
  }
  if (first === 48) return length === 1;
  if (first < 49 || first > 57) return false;
  const digits = end - at;
  if (digits > 19) return false;
  for (let index = at + 1; index < end; index++) {
    const byte = value[index]!;
    if (byte < 48 || byte > 57) return false;
  }
  if (digits < 19) return true;
  for (let index = 0; index < 19; index++) {
    const difference = value[at + index]! - INT64_MAX_DIGITS[index]!;
    if (difference !== 0) {
      // -2^63 has one more than 2^63 - 1.
      return difference < 0 || (isNegative && index === 18 && difference === 1);
    }
  }
  return true;
}
