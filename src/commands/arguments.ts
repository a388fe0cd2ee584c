/** Reading arguments as numbers, with the error that Redis gives when they are none. */

import { parseLongDouble } from "../core/numbers.ts";
import { DB_INDEX_OUT_OF_RANGE, NOT_AN_INTEGER, ReplyError, TIMEOUT_OUT_OF_RANGE } from "../protocol/errors.ts";
import type { Database } from "../store/keyspace/keyspace.ts";
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

const INT32_RANGE = new ReplyError("ERR value is out of range, value must between -2147483648 and 2147483647");

/** Argument `index` as a signed 32-bit whole number; NaN when it is none, and `error` or Redis's usual ones are written. */
export function readInt32(context: CommandContext, index: number, error?: ReplyError): number {
  const value = readInteger(context, index, error);
  if (Number.isNaN(value) || value === (value | 0)) return value;
  context.reply.error(error ?? INT32_RANGE);
  return Number.NaN;
}

export const TIMEOUT_NO_FLOAT = new ReplyError("ERR timeout is not a float or out of range");
export const TIMEOUT_NO_INTEGER = new ReplyError("ERR timeout is not an integer or out of range");
export const TIMEOUT_NEGATIVE = new ReplyError("ERR timeout is negative");
/** Times are signed 64-bit numbers. */
const INT64_LIMIT = 2 ** 63;

/**
 * Argument `index`, seconds with a fraction, as whole ms, rounded up; 0 for ever. NaN when it is no timeout: the error
 * has been written.
 */
export function readTimeoutMs(context: CommandContext, index: number): number {
  const seconds = readSeconds(context, index);
  if (Number.isNaN(seconds)) {
    context.reply.error(TIMEOUT_NO_FLOAT);
    return Number.NaN;
  }
  // Adding zero makes zero of minus zero.
  return checkTimeout(context, Math.ceil(seconds * 1000) + 0);
}

/** Argument `index`, whole milliseconds (XREAD's BLOCK), as `readTimeoutMs`. */
export function readTimeoutInMs(context: CommandContext, index: number): number {
  const timeoutMs = readInteger(context, index, TIMEOUT_NO_INTEGER);
  return Number.isNaN(timeoutMs) ? timeoutMs : checkTimeout(context, timeoutMs);
}

function readSeconds(context: CommandContext, index: number): number {
  const { request } = context;
  const seconds = request.float(index);
  if (!Number.isNaN(seconds)) return seconds;
  // Redis reads 80 bits: what is beyond a double is a number still.
  const exact = parseLongDouble(request.input, request.offset[index]!, request.length[index]!);
  if (exact === undefined) return Number.NaN;
  const size = exact.exponent > 0 ? Number.POSITIVE_INFINITY : Number.MIN_VALUE;
  return exact.isNegative ? -size : size;
}

function checkTimeout(context: CommandContext, timeoutMs: number): number {
  if (timeoutMs < 0) context.reply.error(TIMEOUT_NEGATIVE);
  else if (timeoutMs + context.keyspace.nowMs >= INT64_LIMIT) context.reply.error(TIMEOUT_OUT_OF_RANGE);
  else return timeoutMs;
  return Number.NaN;
}

/** The database whose number is argument `index`; undefined when there is none, and the error has been written. */
export function readDatabase(context: CommandContext, index: number): Database | undefined {
  const number = readInt32(context, index);
  if (Number.isNaN(number)) return undefined;
  const database = context.keyspace.databases[number];
  if (database === undefined) context.reply.error(DB_INDEX_OUT_OF_RANGE);
  return database;
}

/** Replies with a whole number that may lie beyond 2^53, as times do that a client gave as 64 bits. */
export function replyInteger(context: CommandContext, value: number): void {
  if (Number.isSafeInteger(value)) context.reply.integer(value);
  else context.reply.bigInteger(value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value));
}
