/** What the stream commands share: reading ids, finding streams and groups, writing entries. */

import { NOT_AN_INTEGER, ReplyError, WRONG_TYPE } from "../protocol/errors.ts";
import { TYPE_STREAM } from "../store/keyspace/record.ts";
import type { StreamCursor } from "../store/values/stream-cursor.ts";
import { fillId, ID_INVALID, parseId, type StreamId } from "../store/values/stream-id.ts";
import type { CommandContext, KeySpec } from "./command.ts";

export const INVALID_ID = new ReplyError("ERR Invalid stream ID specified as stream command argument");
const INT64_MAX = 2 ** 63 - 1;
const OPEN_PARENTHESIS = 40;

/** A key that is the first argument of a subcommand. */
export function subcommandKey(...flags: KeySpec["flags"]): readonly KeySpec[] {
  return [{ flags, begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } }];
}

export const KEY_TRIMMED: readonly KeySpec[] = [
  { flags: ["RW", "delete"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
];

// ---- arguments --------------------------------------------------------------------------------------------------------

/** Argument `index` as an id that is not "-" or "+"; false when it is none, and the error has been written. */
export function readStrictId(context: CommandContext, index: number, id: StreamId): boolean {
  const { request } = context;
  const form = parseId(request.input, request.offset[index]!, request.length[index]!, id, false, true, false);
  if (form === ID_INVALID) context.reply.error(INVALID_ID);
  return form !== ID_INVALID;
}

/** As `readStrictId`, "-" and "+" being the smallest and the greatest id; a missing sequence is the greatest one if asked. */
export function readId(context: CommandContext, index: number, id: StreamId, missingIsGreatest = false): boolean {
  const { request } = context;
  const { input } = request;
  const form = parseId(input, request.offset[index]!, request.length[index]!, id, missingIsGreatest, false, false);
  if (form === ID_INVALID) context.reply.error(INVALID_ID);
  return form !== ID_INVALID;
}

/** Reads an end of a range: an id, "(" and an id that is not part of it, "-" or "+". */
export function readRangeEnd(
  context: CommandContext,
  index: number,
  id: StreamId,
  isUpper: boolean,
): "invalid" | "included" | "excluded" {
  const { request } = context;
  const start = request.offset[index]!;
  const length = request.length[index]!;
  if (length < 2 || request.input[start] !== OPEN_PARENTHESIS) {
    return readId(context, index, id, isUpper) ? "included" : "invalid";
  }
  if (parseId(request.input, start + 1, length - 1, id, isUpper, true, false) !== ID_INVALID) return "excluded";
  context.reply.error(INVALID_ID);
  return "invalid";
}

/** Argument `index` as a signed 64-bit number, beyond 2^53 the nearest; NaN, and an error with `text`, when it is none. */
export function readCount(context: CommandContext, index: number, text = NOT_AN_INTEGER.text): number {
  const value = context.request.integer(index);
  if (!Number.isNaN(value)) return value;
  const big = context.request.int64(index);
  if (big !== undefined) return Number(big);
  context.reply.errorText(text);
  return Number.NaN;
}

/** Whether argument `index` is this one character. */
export function isSign(context: CommandContext, index: number, character: number): boolean {
  const { request } = context;
  const start = request.offset[index]!;
  // What follows a zero byte does not count.
  const length = request.length[index]!;
  return request.input[start] === character && (length === 1 || (length > 1 && request.input[start + 1] === 0));
}

/** Argument `index` as error messages of Redis show it: up to the first zero byte. */
export function shownText(context: CommandContext, index: number): string {
  const text = context.request.text(index);
  const end = text.indexOf("\0");
  return end === -1 ? text : text.slice(0, end);
}

// ---- streams and groups ---------------------------------------------------------------------------------------------

/** The root of the stream of the key at argument `argument`: 0 when absent, -1 when it is none: the error has been written. */
export function readRoot(context: CommandContext, argument: number): number {
  const { request, keyspace } = context;
  const start = request.offset[argument]!;
  return checkRoot(context, keyspace.lookupRead(context.database, request.input, start, request.length[argument]!));
}

/** As `readRoot`, for a command that changes the stream. */
export function writeRoot(context: CommandContext, argument: number): number {
  const { request, keyspace } = context;
  const start = request.offset[argument]!;
  return checkRoot(context, keyspace.lookupWrite(context.database, request.input, start, request.length[argument]!));
}

function checkRoot(context: CommandContext, record: number): number {
  if (record === 0) return 0;
  const { keyspace } = context;
  if (keyspace.records.type(record) === TYPE_STREAM) return keyspace.streams.rootOf(record);
  context.reply.error(WRONG_TYPE);
  return -1;
}

/** Whether `readRoot` or `writeRoot` found a stream. */
export function isStream(root: number): boolean {
  return root !== 0 && root !== -1;
}

/** The group named by argument `argument`, 0 when there is none. */
export function findGroup(context: CommandContext, root: number, argument: number): number {
  const { request, keyspace } = context;
  return keyspace.streams.findGroup(root, request.input, request.offset[argument]!, request.length[argument]!);
}

/** The consumer named by argument `argument`, 0 when there is none. */
export function findConsumer(context: CommandContext, group: number, argument: number): number {
  const { request, keyspace } = context;
  const { groups } = keyspace.streams;
  return groups.findConsumer(group, request.input, request.offset[argument]!, request.length[argument]!);
}

// ---- replies ----------------------------------------------------------------------------------------------------------

/** An id as bulk string. hot path */
export function replyId(context: CommandContext, id: StreamId): void {
  const { registers } = context.keyspace.streams;
  context.reply.bulk(registers.text, 0, registers.writeText(id));
}

/** The entry on which the cursor stands. hot path */
export function replyEntry(context: CommandContext, cursor: StreamCursor): void {
  const { reply } = context;
  const { names, values } = cursor;
  reply.array(2);
  replyId(context, cursor.id);
  reply.array(cursor.pairCount * 2);
  while (cursor.nextPair()) {
    reply.bulk(names.valueBytes, names.valueStart, names.valueLength);
    reply.bulk(values.valueBytes, values.valueStart, values.valueLength);
  }
}

/** At most `count` entries (0: all) between two ids; both ends count. */
export function replyRange(
  context: CommandContext,
  root: number,
  from: StreamId,
  to: StreamId,
  count: number,
  isReversed: boolean,
): void {
  const { reply } = context;
  const { streams } = context.keyspace;
  const { cursor, registers } = streams;
  const length = streams.length(root);
  const expected = count === 0 ? length : Math.min(count, length);
  reply.openCount(registers.innerMark, expected);
  cursor.begin(root, from, to, isReversed);
  let written = 0;
  while ((count === 0 || written < count) && cursor.next()) {
    replyEntry(context, cursor);
    written++;
  }
  reply.closeCount(registers.innerMark, expected, written, false);
}

/** All entries, at most `count` (0: all) from the first one on. */
export function replyFirst(context: CommandContext, root: number, count: number): void {
  const { from, to } = context.keyspace.streams.registers;
  fillId(from, false);
  fillId(to, true);
  replyRange(context, root, from, to, count, false);
}

/** A whole number as bigint. */
export function replyBigint(context: CommandContext, value: bigint): void {
  if (value >= -9007199254740991n && value <= 9007199254740991n) context.reply.integer(Number(value));
  else context.reply.bigInteger(BigInt.asIntN(64, value));
}

/** A whole number that may be larger than 2^53: then the nearest one is at hand. */
export function replyLarge(context: CommandContext, value: number): void {
  if (Number.isSafeInteger(value)) context.reply.integer(value);
  else if (value >= INT64_MAX) context.reply.bigInteger(2n ** 63n - 1n);
  else context.reply.bigInteger(BigInt(value));
}
