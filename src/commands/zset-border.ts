/**
 * A border of a range by score: `1.5`, `(1.5` without the number itself, `-inf`, `+inf`.
 *
 *      "(" number       number: what C's strtod takes as a whole, with space in front, without NaN; the empty text is 0
 *
 *  I1  A number that is too large or too small for a double is infinite or 0, not wrong: unlike everywhere else.
 *  Source: replies of redis-server 7.0.
 */

import { parseFloat64 } from "../core/numbers.ts";
import type { CommandContext } from "./command.ts";

const OPEN = 40;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The score of the border at argument `index`; NaN when it is none. hot path */
export function readScoreBorder(context: CommandContext, index: number): number {
  const { request } = context;
  let start = request.offset[index]!;
  let length = request.length[index]!;
  if (length > 0 && request.input[start] === OPEN) {
    start++;
    length--;
  }
  const score = parseFloat64(request.input, start, length);
  return Number.isNaN(score) ? readOddScore(request.input, start, length) : score;
}

/** What strtod takes and a score may not be. */
function readOddScore(input: Uint8Array, start: number, length: number): number {
  let end = start;
  while (end < start + length && input[end] !== 0) end++;
  if (end === start) return 0;
  let first = start;
  while (first < end && (input[first] === 32 || (input[first]! >= 9 && input[first]! <= 13))) first++;
  const score = parseFloat64(input, first, end - first);
  if (!Number.isNaN(score)) return score;
  let text = "";
  for (let at = first; at < end; at++) text += String.fromCharCode(input[at]!);
  return DECIMAL.test(text) ? Number(text) : Number.NaN;
}
