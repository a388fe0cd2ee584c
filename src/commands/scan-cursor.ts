/**
 * Cursors of SCAN, HSCAN, SSCAN and ZSCAN: 64 bits on the wire, of which our tables use 32.
 *
 *  Source: what redis-server 7.0 takes: the text is read as C's strtoul reads it.
 */

import { ReplyError } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { CommandContext } from "./command.ts";

const INVALID_CURSOR = new ReplyError("ERR invalid cursor");
const UINT64_MAX = 2n ** 64n - 1n;

/** The cursor at argument `index`. Undefined when it is none: the error has been written. */
export function readCursor(context: CommandContext, index: number): number | undefined {
  // A zero byte ends the text, as it ends a C string.
  const text = context.request.text(index).split("\0", 1)[0]!;
  // The empty text, a sign and leading zeros pass, because C's strtoul takes them.
  const value = /^([+-]?\d+)?$/.test(text) ? BigInt(text.replace(/^[+-]/, "")) : UINT64_MAX + 1n;
  if (value > UINT64_MAX) {
    context.reply.error(INVALID_CURSOR);
    return undefined;
  }
  return Number(BigInt.asUintN(32, text.startsWith("-") ? -value : value));
}

/** Begins the reply: the next cursor, before the array of what was found. */
export function replyCursor(reply: ReplyWriter, cursor: number): void {
  reply.array(2);
  reply.bulkText(String(cursor));
}
