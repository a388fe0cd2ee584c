/**
 * Times to live: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST.
 *
 *      EXPIRE k 10 ──► 10 · 1000 + now ──► condition (NX, XX, GT, LT) ──► past? delete : set
 *
 *  I1  A time is kept as ms since 1970 in a double: exact up to 2^53 (the year 287396).
 *  I2  A time that is over deletes the key; it counts as one change like any other. Not while a log is replayed: it is set.
 *  Source: replies of redis-server 7.0.
 */

import { NOT_AN_INTEGER, ReplyError } from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { replyInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_MODIFY, KEY_READ } from "./command.ts";
import { isOver, recordDelete, recordTime } from "./effects.ts";
import { EVENT_GENERIC } from "./events.ts";

const CONDITION_NX = 1;
const CONDITION_XX = 2;
const CONDITION_GT = 4;
const CONDITION_LT = 8;

const NX_WITH_OTHERS = new ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_WITH_LT = new ReplyError("ERR GT and LT options at the same time are not compatible");

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The conditions from argument 3 on; -1 when they make no sense, and the error has been written. */
function readConditions(context: CommandContext): number {
  const { request, reply } = context;
  let conditions = 0;
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, "NX")) conditions |= CONDITION_NX;
    else if (request.is(index, "XX")) conditions |= CONDITION_XX;
    else if (request.is(index, "GT")) conditions |= CONDITION_GT;
    else if (request.is(index, "LT")) conditions |= CONDITION_LT;
    else {
      // A zero byte ends the text, as it ends a C string.
      reply.errorText(`ERR Unsupported option ${request.text(index).split("\0", 1)[0]}`);
      return -1;
    }
  }
  if ((conditions & CONDITION_NX) !== 0 && conditions !== CONDITION_NX) {
    reply.error(NX_WITH_OTHERS);
    return -1;
  }
  if ((conditions & CONDITION_GT) !== 0 && (conditions & CONDITION_LT) !== 0) {
    reply.error(GT_WITH_LT);
    return -1;
  }
  return conditions;
}

/** Argument 2 as ms since 1970, also of the past; NaN when it is none, and the error has been written. */
function readTime(context: CommandContext, isSeconds: boolean, isAbsolute: boolean, commandName: string): number {
  const time = context.request.integer(2);
  const nowMs = context.keyspace.nowMs;
  if (Math.abs(time) < 1e12) return (isSeconds ? time * 1000 : time) + (isAbsolute ? 0 : nowMs);
  const big = context.request.int64(2);
  if (big === undefined) {
    context.reply.error(NOT_AN_INTEGER);
    return Number.NaN;
  }
  const bigMs = isSeconds ? big * 1000n : big;
  const atMs = isAbsolute ? bigMs : bigMs + BigInt(nowMs);
  if (bigMs >= INT64_MIN && bigMs <= INT64_MAX && atMs <= INT64_MAX) return Number(atMs);
  context.reply.errorText(`ERR invalid expire time in '${commandName}' command`);
  return Number.NaN;
}

/** Whether a key that expires at `currentMs` (-1 never) may get `expireAtMs`. */
function meets(conditions: number, currentMs: number, expireAtMs: number): boolean {
  const expires = currentMs >= 0;
  if ((conditions & CONDITION_NX) !== 0 && expires) return false;
  if ((conditions & CONDITION_XX) !== 0 && !expires) return false;
  // Without a time the key lives for ever: nothing is later, everything is earlier.
  if ((conditions & CONDITION_GT) !== 0 && (!expires || expireAtMs <= currentMs)) return false;
  return !((conditions & CONDITION_LT) !== 0 && expires && expireAtMs >= currentMs);
}

function expire(context: CommandContext, isSeconds: boolean, isAbsolute: boolean, commandName: string): void {
  const { request, keyspace, reply, database } = context;
  const conditions = readConditions(context);
  if (conditions < 0) return;
  const expireAtMs = readTime(context, isSeconds, isAbsolute, commandName);
  if (Number.isNaN(expireAtMs)) return;
  const { input } = request;
  const record = keyspace.lookupWrite(database, input, request.offset[1]!, request.length[1]!);
  if (record === 0 || !meets(conditions, keyspace.records.expireAtMs(record), expireAtMs)) {
    reply.integer(0);
    return;
  }
  const isGone = isOver(context, expireAtMs);
  if (isGone) keyspace.delete(database, input, request.offset[1]!, request.length[1]!);
  else keyspace.setExpiry(database, record, expireAtMs);
  context.changed(EVENT_GENERIC, isGone ? "del" : "expire", 1);
  if (context.log.isRecording) {
    if (isGone) recordDelete(context, 1, context.unlinksExpired);
    else if (isSeconds || !isAbsolute) recordMoment(context, expireAtMs);
  }
  reply.integer(1);
}

/** PEXPIREAT, with the conditions that there were. */
function recordMoment(context: CommandContext, expireAtMs: number): void {
  const { log, request, database } = context;
  log.begin(database.index, request.count);
  log.word("PEXPIREAT");
  log.argument(request, 1);
  recordTime(context, expireAtMs);
  for (let index = 3; index < request.count; index++) log.argument(request, index);
}

function persist(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const record = keyspace.lookupWrite(database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0 || keyspace.records.expireAtMs(record) < 0) {
    reply.integer(0);
    return;
  }
  keyspace.setExpiry(database, record, NO_EXPIRY);
  context.changed(EVENT_GENERIC, "persist", 1);
  reply.integer(1);
}

/** When argument 1 expires: what is left of its time, or the moment; -1 never, -2 absent. */
function replyTime(context: CommandContext, isSeconds: boolean, isAbsolute: boolean): void {
  const { request, keyspace, reply } = context;
  const record = keyspace.lookupQuietly(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0) {
    reply.integer(-2);
    return;
  }
  const expireAtMs = keyspace.records.expireAtMs(record);
  if (expireAtMs < 0) {
    reply.integer(-1);
    return;
  }
  const timeMs = isAbsolute ? expireAtMs : Math.max(expireAtMs - keyspace.nowMs, 0);
  replyInteger(context, isSeconds ? Math.floor((timeMs + 500) / 1000) : timeMs);
}

const SETTING = {
  arity: -3,
  flags: ["write", "fast"],
  acl: ["keyspace"],
  keys: KEY_MODIFY,
  group: "generic",
  complexity: "O(1)",
  history: [["7.0.0", "Takes `NX`, `XX`, `GT` and `LT`."]],
} as const;

const ASKING = {
  arity: 2,
  flags: ["readonly", "fast"],
  acl: ["keyspace"],
  keys: KEY_READ,
  group: "generic",
  complexity: "O(1)",
  arguments: "key",
} as const;

const TTL_DETAILS = {
  tips: ["nondeterministic_output"],
  history: [["2.8.0", "Replies -2 when the key is absent."]],
} as const;

export const EXPIRE_COMMANDS: CommandTable = {
  EXPIRE: {
    ...SETTING,
    since: "1.0.0",
    summary: "Lets a key expire after some seconds.",
    arguments: "key seconds [condition=NX|XX|GT|LT]",
    run: (context) => expire(context, true, false, "expire"),
  },
  EXPIREAT: {
    ...SETTING,
    since: "1.2.0",
    summary: "Lets a key expire at a moment given in seconds since 1970.",
    arguments: "key unix-time-seconds [condition=NX|XX|GT|LT]",
    run: (context) => expire(context, true, true, "expireat"),
  },
  EXPIRETIME: {
    ...ASKING,
    since: "7.0.0",
    summary: "Returns when a key expires, in seconds since 1970.",
    run: (context) => replyTime(context, true, true),
  },
  PERSIST: {
    arity: 2,
    flags: ["write", "fast"],
    acl: ["keyspace"],
    keys: KEY_MODIFY,
    since: "2.2.0",
    group: "generic",
    complexity: "O(1)",
    summary: "Takes the time to live off a key.",
    arguments: "key",
    run: persist,
  },
  PEXPIRE: {
    ...SETTING,
    since: "2.6.0",
    summary: "Lets a key expire after some milliseconds.",
    arguments: "key milliseconds [condition=NX|XX|GT|LT]",
    run: (context) => expire(context, false, false, "pexpire"),
  },
  PEXPIREAT: {
    ...SETTING,
    since: "2.6.0",
    summary: "Lets a key expire at a moment given in milliseconds since 1970.",
    arguments: "key unix-time-milliseconds [condition=NX|XX|GT|LT]",
    run: (context) => expire(context, false, true, "pexpireat"),
  },
  PEXPIRETIME: {
    ...ASKING,
    since: "7.0.0",
    summary: "Returns when a key expires, in milliseconds since 1970.",
    run: (context) => replyTime(context, false, true),
  },
  PTTL: {
    ...ASKING,
    ...TTL_DETAILS,
    since: "2.6.0",
    summary: "Returns how many milliseconds a key has still to live.",
    run: (context) => replyTime(context, false, false),
  },
  TTL: {
    ...ASKING,
    ...TTL_DETAILS,
    since: "1.0.0",
    summary: "Returns how many seconds a key has still to live.",
    run: (context) => replyTime(context, true, false),
  },
};
