/**
 * Strings: the commands that take a value whole.
 *
 *  I1  GET and SET allocate nothing; SET with three arguments does nothing but set.
 *  I2  A reply that shows an old value is written before the value changes, and taken back when the change fails.
 *  Source: replies of redis-server 7.0, whose string commands are those of 7.2.
 */

import { SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import { KEEP_EXPIRY, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { TYPE_STRING } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_READ } from "./command.ts";
import {
  expiryOf,
  hasTime,
  OPTION_GET,
  OPTION_KEEPTTL,
  OPTION_NX,
  OPTION_XX,
  OPTIONS_OF_SET,
  readOptions,
} from "./string-options.ts";

/** Writes the string under argument 1, or null. False when it is no string: the error is written. hot path */
function replyValue(context: CommandContext): boolean {
  const { request, keyspace, reply } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0) {
    reply.nullBulk();
    return true;
  }
  if (keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return false;
  }
  keyspace.readValue(record);
  reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  return true;
}

/** hot path */
function get(context: CommandContext): void {
  replyValue(context);
}

/** Sets argument 1 to argument `valueIndex`. hot path */
function assign(context: CommandContext, valueIndex: number, expireAtMs: number): void {
  const request = context.request;
  const offset = request.offset;
  const length = request.length;
  const input = request.input;
  const keyspace = context.keyspace;
  keyspace.setString(
    context.database,
    input,
    offset[1]!,
    length[1]!,
    input,
    offset[valueIndex]!,
    length[valueIndex]!,
    expireAtMs,
  );
  keyspace.dirty++;
}

/** hot path */
function set(context: CommandContext): void {
  if (context.request.count !== 3) {
    setWithOptions(context);
    return;
  }
  assign(context, 2, NO_EXPIRY);
  context.reply.ok();
}

function setWithOptions(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const options = readOptions(request, 3, OPTIONS_OF_SET);
  if (options < 0) {
    reply.error(SYNTAX);
    return;
  }
  let expireAtMs = (options & OPTION_KEEPTTL) !== 0 ? KEEP_EXPIRY : NO_EXPIRY;
  if (hasTime(options)) {
    expireAtMs = expiryOf(context, options, "set");
    if (Number.isNaN(expireAtMs)) return;
  }
  if ((options & OPTION_GET) !== 0) {
    setReturningOld(context, options, expireAtMs);
    return;
  }
  if ((options & (OPTION_NX | OPTION_XX)) !== 0) {
    const isThere = keyspace.has(context.database, request.input, request.offset[1]!, request.length[1]!);
    if (isThere !== ((options & OPTION_XX) !== 0)) {
      reply.nullBulk();
      return;
    }
  }
  assign(context, 2, expireAtMs);
  reply.ok();
}

/** SET with GET, and GETSET: the reply is the old value whether or not the new one is set. */
function setReturningOld(context: CommandContext, options: number, expireAtMs: number): void {
  const { request, reply, keyspace } = context;
  const mark = { partCount: 0, position: 0 };
  reply.mark(mark);
  if (!replyValue(context)) return;
  if ((options & (OPTION_NX | OPTION_XX)) !== 0) {
    const isThere = keyspace.has(context.database, request.input, request.offset[1]!, request.length[1]!);
    if (isThere !== ((options & OPTION_XX) !== 0)) return;
  }
  try {
    assign(context, 2, expireAtMs);
  } catch (error) {
    reply.rewind(mark);
    throw error;
  }
}

export const STRING_COMMANDS: CommandTable = {
  GET: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["string"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "Returns the string value of a key.",
    arguments: "key",
    run: get,
  },
  SET: {
    arity: -3,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: [
      {
        flags: ["RW", "access", "update", "variable_flags"],
        begin: { index: 1 },
        find: { lastKey: 0, step: 1, limit: 0 },
        notes: "RW and ACCESS due to the optional `GET` argument",
      },
    ],
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "Sets a key to a string, whatever it held, with conditions and a time to live if wanted.",
    arguments:
      "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
    history: [
      ["2.6.12", "Takes `EX`, `PX`, `NX` and `XX`."],
      ["6.0.0", "Takes `KEEPTTL`."],
      ["6.2.0", "Takes `GET`, `EXAT` and `PXAT`."],
      ["7.0.0", "`NX` and `GET` may be combined."],
    ],
    run: set,
  },
};
