/**
 * The options that SET and GETEX share, read without allocating: what was asked for is one number.
 *
 *      bit 0-8   flags (NX, XX, GET, KEEPTTL, PERSIST, EX, PX, EXAT, PXAT)
 *      bit 9-    index of the argument that holds the time, 0 when there is none
 *
 *  I1  Of KEEPTTL, PERSIST, EX, PX, EXAT, PXAT at most one kind is given; so of NX and XX.
 *  Source: behaviour of redis-server 7.0 (an option may be repeated, the last time counts).
 */

import { NOT_AN_INTEGER } from "../protocol/errors.ts";
import type { Request } from "../protocol/request.ts";
import type { CommandContext } from "./command.ts";

export const OPTION_NX = 1;
export const OPTION_XX = 2;
export const OPTION_GET = 4;
export const OPTION_KEEPTTL = 8;
export const OPTION_PERSIST = 16;
const OPTION_EX = 32;
const OPTION_PX = 64;
const OPTION_EXAT = 128;
const OPTION_PXAT = 256;

export const OPTIONS_OF_SET =
  OPTION_NX | OPTION_XX | OPTION_GET | OPTION_KEEPTTL | OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT;
export const OPTIONS_OF_GETEX = OPTION_PERSIST | OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT;

const CONDITIONS = OPTION_NX | OPTION_XX;
const TIMES = OPTION_KEEPTTL | OPTION_PERSIST | OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT;
const TIMES_WITH_ARGUMENT = OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT;
const IN_SECONDS = OPTION_EX | OPTION_EXAT;
const ABSOLUTE = OPTION_EXAT | OPTION_PXAT;
const INDEX_SHIFT = 9;

const INT64_MAX = 9223372036854775807n;

/** The options from argument `from` on, as described above; -1 for a syntax error. */
export function readOptions(request: Request, from: number, allowed: number): number {
  let options = 0;
  let timeIndex = 0;
  for (let index = from; index < request.count; index++) {
    const option = optionAt(request, index) & allowed;
    if (option === 0) return -1;
    const rivals = (option & TIMES) !== 0 ? TIMES : (option & CONDITIONS) !== 0 ? CONDITIONS : option;
    if ((options & rivals & ~option) !== 0) return -1;
    options |= option;
    if ((option & TIMES_WITH_ARGUMENT) === 0) continue;
    timeIndex = ++index;
    if (timeIndex === request.count) return -1;
  }
  return options | (timeIndex << INDEX_SHIFT);
}

/** The option that argument `index` names, 0 for none. The length decides first: no name is tried in vain. */
function optionAt(request: Request, index: number): number {
  switch (request.length[index]!) {
    case 2:
      if (request.is(index, "EX")) return OPTION_EX;
      if (request.is(index, "PX")) return OPTION_PX;
      if (request.is(index, "NX")) return OPTION_NX;
      return request.is(index, "XX") ? OPTION_XX : 0;
    case 3:
      return request.is(index, "GET") ? OPTION_GET : 0;
    case 4:
      if (request.is(index, "EXAT")) return OPTION_EXAT;
      return request.is(index, "PXAT") ? OPTION_PXAT : 0;
    case 7:
      if (request.is(index, "KEEPTTL")) return OPTION_KEEPTTL;
      return request.is(index, "PERSIST") ? OPTION_PERSIST : 0;
    default:
      return 0;
  }
}

/** Whether the options hold a time that `expiryOf` can read. */
export function hasTime(options: number): boolean {
  return options >>> INDEX_SHIFT !== 0;
}

/** When the key is to expire, ms since 1970; NaN when the time is none, and the error has been written. */
export function expiryOf(context: CommandContext, options: number, commandName: string): number {
  return readExpiry(
    context,
    options >>> INDEX_SHIFT,
    (options & IN_SECONDS) !== 0,
    (options & ABSOLUTE) !== 0,
    commandName,
  );
}

/** A positive time in argument `index`, relative or absolute, as ms since 1970. NaN: the error has been written. */
export function readExpiry(
  context: CommandContext,
  index: number,
  isSeconds: boolean,
  isAbsolute: boolean,
  commandName: string,
): number {
  const nowMs = context.keyspace.nowMs;
  const time = context.request.integer(index);
  // Everything up to a million years from now is exact in doubles.
  if (time > 0 && time < 31_536_000_000_000) {
    const timeMs = isSeconds ? time * 1000 : time;
    return isAbsolute ? timeMs : nowMs + timeMs;
  }
  const big = context.request.int64(index);
  if (big === undefined) {
    context.reply.error(NOT_AN_INTEGER);
    return Number.NaN;
  }
  let bigMs = isSeconds ? big * 1000n : big;
  if (!isAbsolute) bigMs += BigInt(nowMs);
  if (big > 0n && bigMs <= INT64_MAX) return Number(bigMs);
  context.reply.errorText(`ERR invalid expire time in '${commandName}' command`);
  return Number.NaN;
}
