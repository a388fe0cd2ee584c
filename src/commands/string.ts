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
import {
  type CommandContext,
  type CommandTable,
  KEY_INSERT,
  KEY_OVERWRITE,
  KEY_READ,
  KEY_UPDATE,
  KEYS_READ,
} from "./command.ts";
import { isOver, recordDelete, recordPop, recordSet, recordTime } from "./effects.ts";
import { EVENT_GENERIC, EVENT_STRING } from "./events.ts";
import {
  expiryOf,
  hasTime,
  OPTION_GET,
  OPTION_KEEPTTL,
  OPTION_NX,
  OPTION_PERSIST,
  OPTION_XX,
  OPTIONS_OF_GETEX,
  OPTIONS_OF_SET,
  readExpiry,
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
  context.changed(EVENT_STRING, "set", 1);
  if (expireAtMs >= 0) context.notify(EVENT_GENERIC, "expire", 1);
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

/** Whether a command that would change argument 1 finds it. */
function exists(context: CommandContext): boolean {
  const request = context.request;
  return context.keyspace.lookupWrite(context.database, request.input, request.offset[1]!, request.length[1]!) !== 0;
}

function setWithOptions(context: CommandContext): void {
  const { request, reply } = context;
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
    if (exists(context) !== ((options & OPTION_XX) !== 0)) {
      reply.nullBulk();
      return;
    }
  }
  assign(context, 2, expireAtMs);
  if (context.log.isRecording) recordAssignment(context, options, expireAtMs);
  reply.ok();
}

/** SET with options as it is recorded: a time as the moment that it ends at, and no GET. */
function recordAssignment(context: CommandContext, options: number, expireAtMs: number): void {
  if (hasTime(options)) recordSet(context, 2, expireAtMs);
  else if ((options & OPTION_GET) !== 0) recordWithoutGet(context);
}

function recordWithoutGet({ request, log, database }: CommandContext): void {
  let count = 3;
  for (let index = 3; index < request.count; index++) if (!request.is(index, "GET")) count++;
  log.begin(database.index, count);
  for (let index = 0; index < request.count; index++) {
    if (index < 3 || !request.is(index, "GET")) log.argument(request, index);
  }
}

/** SET with GET, and GETSET: the reply is the old value whether or not the new one is set. */
function setReturningOld(context: CommandContext, options: number, expireAtMs: number): void {
  const reply = context.reply;
  const mark = { partCount: 0, position: 0 };
  reply.mark(mark);
  if (!replyValue(context)) return;
  if ((options & (OPTION_NX | OPTION_XX)) !== 0 && exists(context) !== ((options & OPTION_XX) !== 0)) return;
  try {
    assign(context, 2, expireAtMs);
  } catch (error) {
    reply.rewind(mark);
    throw error;
  }
  if (!context.log.isRecording) return;
  if (options === 0) recordSet(context, 2, NO_EXPIRY);
  else recordAssignment(context, options, expireAtMs);
}

function setIfAbsent(context: CommandContext): void {
  if (exists(context)) {
    context.reply.integer(0);
    return;
  }
  assign(context, 2, NO_EXPIRY);
  context.reply.integer(1);
}

/** SETEX and PSETEX: key, time, value. */
function setWithTime(context: CommandContext, isSeconds: boolean, commandName: string): void {
  const expireAtMs = readExpiry(context, 2, isSeconds, false, commandName);
  if (Number.isNaN(expireAtMs)) return;
  assign(context, 3, expireAtMs);
  if (context.log.isRecording) recordSet(context, 3, expireAtMs);
  context.reply.ok();
}

function getAndDelete(context: CommandContext): void {
  const { request, keyspace } = context;
  if (!replyValue(context)) return;
  if (keyspace.delete(context.database, request.input, request.offset[1]!, request.length[1]!)) {
    context.changed(EVENT_GENERIC, "del", 1);
    if (context.log.isRecording) recordDelete(context, 1, context.unlinksDeleted);
  }
}

function getAndExpire(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const options = readOptions(request, 2, OPTIONS_OF_GETEX);
  if (options < 0) {
    reply.error(SYNTAX);
    return;
  }
  const { input } = request;
  const keyStart = request.offset[1]!;
  const keyLength = request.length[1]!;
  let record = keyspace.lookupRead(database, input, keyStart, keyLength);
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  if (keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return;
  }
  let expireAtMs = NO_EXPIRY;
  if (hasTime(options)) {
    expireAtMs = expiryOf(context, options, "getex");
    if (Number.isNaN(expireAtMs)) return;
  }
  const isGone = hasTime(options) && isOver(context, expireAtMs);
  const isPersisted = (options & OPTION_PERSIST) !== 0 && keyspace.records.expireAtMs(record) >= 0;
  if ((hasTime(options) && !isGone) || isPersisted) {
    record = keyspace.setExpiry(database, keyspace.lookupWrite(database, input, keyStart, keyLength), expireAtMs);
    context.changed(EVENT_GENERIC, isPersisted ? "persist" : "expire", 1);
    if (context.log.isRecording) recordExpiry(context, isPersisted, expireAtMs);
  }
  keyspace.readValue(record);
  reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  if (isGone) {
    keyspace.delete(database, input, keyStart, keyLength);
    context.changed(EVENT_GENERIC, "del", 1);
    if (context.log.isRecording) recordDelete(context, 1, context.unlinksExpired);
  }
}

/** What GETEX changed. */
function recordExpiry(context: CommandContext, isPersisted: boolean, expireAtMs: number): void {
  if (isPersisted) {
    recordPop(context, "PERSIST", 1, 0);
    return;
  }
  const { log, request, database } = context;
  log.begin(database.index, 3);
  log.word("PEXPIREAT");
  log.argument(request, 1);
  recordTime(context, expireAtMs);
}

function getMany(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input, offset, length, count } = request;
  reply.array(count - 1);
  for (let index = 1; index < count; index++) {
    const record = keyspace.lookupRead(database, input, offset[index]!, length[index]!);
    if (record === 0 || keyspace.records.type(record) !== TYPE_STRING) {
      reply.nullBulk();
      continue;
    }
    keyspace.readValue(record);
    reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  }
}

/** Sets every pair of arguments. */
function assignPairs(context: CommandContext): void {
  const { request, keyspace, database } = context;
  const { input, offset, length, count } = request;
  for (let index = 1; index < count; index += 2) {
    const value = index + 1;
    keyspace.setString(
      database,
      input,
      offset[index]!,
      length[index]!,
      input,
      offset[value]!,
      length[value]!,
      NO_EXPIRY,
    );
    context.changed(EVENT_STRING, "set", index);
  }
}

function setMany(context: CommandContext): void {
  if (context.request.count % 2 === 0) {
    context.reply.errorText("ERR wrong number of arguments for 'mset' command");
    return;
  }
  assignPairs(context);
  context.reply.ok();
}

function setManyIfAbsent(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const { input, offset, length, count } = request;
  if (count % 2 === 0) {
    reply.errorText("ERR wrong number of arguments for 'msetnx' command");
    return;
  }
  for (let index = 1; index < count; index += 2) {
    if (keyspace.lookupWrite(context.database, input, offset[index]!, length[index]!) === 0) continue;
    reply.integer(0);
    return;
  }
  assignPairs(context);
  reply.integer(1);
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
      "key value [condition=NX|XX] [GET] [expiration=EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
    history: [
      ["2.6.12", "Takes `EX`, `PX`, `NX` and `XX`."],
      ["6.0.0", "Takes `KEEPTTL`."],
      ["6.2.0", "Takes `GET`, `EXAT` and `PXAT`."],
      ["7.0.0", "`NX` and `GET` may be combined."],
    ],
    run: set,
  },
  GETDEL: {
    arity: 2,
    flags: ["write", "fast"],
    acl: ["string"],
    keys: [{ flags: ["RW", "access", "delete"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } }],
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    summary: "Returns the string value of a key and deletes the key.",
    arguments: "key",
    run: getAndDelete,
  },
  GETEX: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["string"],
    keys: [
      {
        flags: ["RW", "access", "update"],
        begin: { index: 1 },
        find: { lastKey: 0, step: 1, limit: 0 },
        notes: "RW and UPDATE because it changes the TTL",
      },
    ],
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    summary: "Returns the string value of a key and changes when it expires.",
    arguments: "key [expiration=EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
    run: getAndExpire,
  },
  GETSET: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    acl: ["string"],
    keys: KEY_UPDATE,
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "Sets a key to a string and returns the one it had.",
    arguments: "key value",
    deprecated: { since: "6.2.0", replacedBy: "`SET` with the `!GET` argument" },
    run: (context) => setReturningOld(context, 0, NO_EXPIRY),
  },
  MGET: {
    arity: -2,
    flags: ["readonly", "fast"],
    acl: ["string"],
    keys: KEYS_READ,
    since: "1.0.0",
    group: "string",
    complexity: "O(N) where N is the number of keys.",
    summary: "Returns the string values of several keys, null for each that has none.",
    arguments: "key [key ...]",
    tips: ["request_policy:multi_shard"],
    run: getMany,
  },
  MSET: {
    arity: -3,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: [{ flags: ["OW", "update"], begin: { index: 1 }, find: { lastKey: -1, step: 2, limit: 0 } }],
    since: "1.0.1",
    group: "string",
    complexity: "O(N) where N is the number of keys.",
    summary: "Sets several keys to strings at once.",
    arguments: "key value [key value ...]",
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    run: setMany,
  },
  MSETNX: {
    arity: -3,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: [{ flags: ["OW", "insert"], begin: { index: 1 }, find: { lastKey: -1, step: 2, limit: 0 } }],
    since: "1.0.1",
    group: "string",
    complexity: "O(N) where N is the number of keys.",
    summary: "Sets several keys to strings at once, unless one of them exists.",
    arguments: "key value [key value ...]",
    tips: ["request_policy:multi_shard", "response_policy:agg_min"],
    run: setManyIfAbsent,
  },
  PSETEX: {
    arity: 4,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: KEY_OVERWRITE,
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    summary: "Sets a key to a string that expires after some milliseconds.",
    arguments: "key milliseconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `PX` argument" },
    run: (context) => setWithTime(context, false, "psetex"),
  },
  SETEX: {
    arity: 4,
    flags: ["write", "denyoom"],
    acl: ["string"],
    keys: KEY_OVERWRITE,
    since: "2.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "Sets a key to a string that expires after some seconds.",
    arguments: "key seconds value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `EX` argument" },
    run: (context) => setWithTime(context, true, "setex"),
  },
  SETNX: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    acl: ["string"],
    keys: KEY_INSERT,
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "Sets a key to a string if it is absent.",
    arguments: "key value",
    deprecated: { since: "2.6.12", replacedBy: "`SET` with the `NX` argument" },
    run: setIfAbsent,
  },
};
