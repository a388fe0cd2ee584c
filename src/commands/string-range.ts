/**
 * Strings as bytes that are read and written in part: APPEND, SETRANGE, GETRANGE, SUBSTR, STRLEN.
 *
 *      SETRANGE k 5 abc     [ old value ][ zeros up to the offset ][ a b c ][ rest of the old value ]
 *
 *  I1  What was written in part has the encoding "raw", also when it is short or a number.
 *  I2  No value becomes longer than proto-max-bulk-len.
 *  Source: replies of redis-server 7.0.
 */

import { OFFSET_OUT_OF_RANGE, STRING_TOO_LONG, WRONG_TYPE } from "../protocol/errors.ts";
import { Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_RAW, TYPE_STRING } from "../store/keyspace/record.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_APPEND, KEY_METADATA, KEY_MODIFY, KEY_READ } from "./command.ts";
import { EVENT_STRING } from "./events.ts";

function isTooLong(context: CommandContext, length: number): boolean {
  if (length <= context.limits.stringBytesMax) return false;
  context.reply.error(STRING_TOO_LONG);
  return true;
}

/** Room for a string that grows to `length`: it will probably grow on, but not beyond what is allowed. */
function roomFor(context: CommandContext, length: number): number {
  return Math.max(length, Math.min(Keyspace.growthRoom(length), context.limits.stringBytesMax));
}

function append(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const input = request.input;
  const start = request.offset[2]!;
  const length = request.length[2]!;
  let record = keyspace.lookupWrite(database, input, request.offset[1]!, request.length[1]!);
  if (record === 0) {
    keyspace.setString(database, input, request.offset[1]!, request.length[1]!, input, start, length, NO_EXPIRY);
    context.changed(EVENT_STRING, "append", 1);
    reply.integer(length);
    return;
  }
  if (keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return;
  }
  const oldLength = keyspace.records.valueLength(record);
  const newLength = oldLength + length;
  if (isTooLong(context, newLength)) return;
  record = keyspace.resizeValue(database, record, newLength, oldLength, roomFor(context, newLength));
  keyspace.valueBytes.set(input.subarray(start, start + length), keyspace.valueStart + oldLength);
  keyspace.setEncoding(record, ENCODING_RAW);
  context.changed(EVENT_STRING, "append", 1);
  reply.integer(newLength);
}

function setRange(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const offset = readInteger(context, 2);
  if (Number.isNaN(offset)) return;
  if (offset < 0) {
    reply.error(OFFSET_OUT_OF_RANGE);
    return;
  }
  const input = request.input;
  let record = keyspace.lookupWrite(database, input, request.offset[1]!, request.length[1]!);
  if (record !== 0 && keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return;
  }
  const oldLength = record === 0 ? 0 : keyspace.records.valueLength(record);
  const start = request.offset[3]!;
  const length = request.length[3]!;
  if (length === 0) {
    reply.integer(oldLength);
    return;
  }
  if (isTooLong(context, offset + length)) return;
  const newLength = Math.max(oldLength, offset + length);
  if (record === 0) {
    record = keyspace.addString(
      database,
      input,
      request.offset[1]!,
      request.length[1]!,
      newLength,
      ENCODING_RAW,
      NO_EXPIRY,
    );
  } else {
    const room = newLength > oldLength ? roomFor(context, newLength) : newLength;
    record = keyspace.resizeValue(database, record, newLength, oldLength, room);
    keyspace.setEncoding(record, ENCODING_RAW);
  }
  const bytes = keyspace.valueBytes;
  const valueStart = keyspace.valueStart;
  if (offset > oldLength) bytes.fill(0, valueStart + oldLength, valueStart + offset);
  bytes.set(input.subarray(start, start + length), valueStart + offset);
  context.changed(EVENT_STRING, "setrange", 1);
  reply.integer(newLength);
}

function getRange(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  let start = readInteger(context, 2);
  if (Number.isNaN(start)) return;
  let end = readInteger(context, 3);
  if (Number.isNaN(end)) return;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0) {
    reply.bulkText("");
    return;
  }
  if (keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return;
  }
  keyspace.readValue(record);
  const length = keyspace.valueLength;
  // Both counted from the end and crossed is empty, though clamping could make them meet.
  const isCrossed = start < 0 && end < 0 && start > end;
  if (start < 0) start = Math.max(start + length, 0);
  if (end < 0) end = Math.max(end + length, 0);
  if (end >= length) end = length - 1;
  if (isCrossed || start > end) reply.bulkText("");
  else reply.bulk(keyspace.valueBytes, keyspace.valueStart + start, end - start + 1);
}

function stringLength(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0) reply.integer(0);
  else if (keyspace.records.type(record) !== TYPE_STRING) reply.error(WRONG_TYPE);
  else reply.integer(keyspace.records.valueLength(record));
}

export const STRING_RANGE_COMMANDS: CommandTable = {
  APPEND: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    acl: ["string"],
    keys: KEY_APPEND,
    since: "2.0.0",
    group: "string",
    complexity: "O(M) where M is the length of the appended value: a growing string keeps room to grow on.",
    summary: "Puts a value behind the string of a key, which is made when it is absent.",
    arguments: "key value",
    run: append,
  },
  GETRANGE: {
    arity: 4,
    flags: ["readonly"],
    acl: ["string"],
    keys: KEY_READ,
    since: "2.4.0",
    group: "string",
    complexity: "O(N) where N is the length of the part that is returned.",
    summary: "Returns a part of the string of a key; both ends count, negative ones from the end.",
    arguments: "key start end",
    run: getRange,
  },
  SETRANGE: {
    arity: 4,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: KEY_MODIFY,
    since: "2.2.0",
    group: "string",
    complexity: "O(M) where M is the length of the value, plus the zeros that fill a gap before it.",
    summary: "Overwrites a part of a string from an offset on; what is missing before it is filled with zero bytes.",
    arguments: "key offset value",
    run: setRange,
  },
  STRLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["string"],
    keys: KEY_METADATA,
    since: "2.2.0",
    group: "string",
    complexity: "O(1)",
    summary: "Returns the length of the string of a key in bytes, 0 when it is absent.",
    arguments: "key",
    run: stringLength,
  },
  SUBSTR: {
    arity: 4,
    flags: ["readonly"],
    acl: ["string"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "string",
    complexity: "O(N) where N is the length of the part that is returned.",
    summary: "Returns a part of the string of a key: the older name of GETRANGE.",
    arguments: "key start end",
    deprecated: { since: "2.0.0", replacedBy: "`GETRANGE`" },
    run: getRange,
  },
};
