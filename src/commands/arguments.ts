/** Reading arguments as numbers, with the error that Redis gives when they are none. */

import { NOT_AN_INTEGER, type ReplyError } from "../protocol/errors.ts";
import type { CommandContext } from "./command.ts";

/**
 * Argument `index` as a signed 64-bit whole number; beyond 2^53 as the nearest double.
 * NaN when it is none: the error has been written.
 */
export function readInteger(context: CommandContext, index: number, error: ReplyError = NOT_AN_INTEGER): number {
  const value = context.request.integer(index);
  if (!Number.isNaN(value)) return value;
  const big = context.request.int64(index);
  if (big !== undefined) return Number(big);
  context.reply.error(error);
  return Number.NaN;
}
