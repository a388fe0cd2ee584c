/**
 * Choosing by chance, each element with the same probability.
 *
 *      n elements in a walk, k wanted     each is taken with probability (still wanted) / (still to come): exactly k are
 *      k drawn one by one                 `drawDistinct` remembers which were there before: for k much smaller than n
 *
 *  Source: selection sampling, Knuth, TAOCP vol. 2, 3.4.2, algorithm S.
 */

import type { Random } from "../core/host.ts";
import { NOT_AN_INTEGER, ReplyError } from "../protocol/errors.ts";
import type { CommandContext } from "./command.ts";

const INT64_MIN = -(2n ** 63n);
const COUNT_OUT_OF_RANGE = new ReplyError(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/** Below this share of all elements, drawing different ones one by one is faster than a walk over all. */
export const DRAW_SHARE_MAX = 3;

/** Whether the next element of a walk is among the `wanted` that are still to be taken of the `left` that are still to come. */
export function isChosen(random: Random, wanted: number, left: number): boolean {
  if (wanted >= left) return true;
  return wanted > 0 && random.uint32() * left < wanted * 4294967296;
}

/**
 * Argument `index` as a count that may be negative (elements may repeat then); beyond 2^53 as the nearest double. NaN
 * when it is none: the error has been written.
 */
export function readSignedCount(context: CommandContext, index: number): number {
  const count = context.request.integer(index);
  if (!Number.isNaN(count)) return count;
  const big = context.request.int64(index);
  if (big === undefined) context.reply.error(NOT_AN_INTEGER);
  else if (big === INT64_MIN) context.reply.error(COUNT_OUT_OF_RANGE);
  else return Number(big);
  return Number.NaN;
}

/** Draws `count` different ones of what `draw` gives (at least `count` different numbers). */
export function drawDistinct(count: number, draw: () => number): Set<number> {
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(draw());
  return drawn;
}
