/**
 * Taking members from either end of sorted sets: ZPOPMIN, ZPOPMAX, ZMPOP, and BZPOPMIN, BZPOPMAX, BZMPOP, which wait.
 *
 *      keys ──► the first that is there ──► up to `count` members from its low or high end ──► reply
 *                   └ none: empty reply, or wait and be run again
 *
 *  I1  A key of another type before the first sorted set is an error, one behind it is not looked at.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { TYPE_ZSET } from "../store/keyspace/record.ts";
import { readInteger, readTimeoutMs } from "./arguments.ts";
import { type CommandContext, type CommandTable, countedKeys, type KeySpec, keyAt } from "./command.ts";
import { recordPop } from "./effects.ts";
import { membersRemoved, WRONG, writeSortedSet } from "./zset.ts";

const NOT_POSITIVE = new ReplyError("ERR value is out of range, must be positive");
const NO_KEYS = new ReplyError("ERR numkeys should be greater than 0");
const NO_COUNT = new ReplyError("ERR count should be greater than 0");

/** How the reply looks. */
const FLAT = 0;
/** Pairs of member and score, each an array of its own. */
const NESTED = 1;
/** The key, member and score in one array. */
const WITH_KEY = 2;
/** The key and an array of pairs. */
const KEY_AND_PAIRS = 3;

/**
 * Pops from the first of `keyCount` keys from argument `firstKey` on that is there. False when none is there: nothing has
 * been replied. A key of another type is an error that has been replied.
 */
function popFirst(
  context: CommandContext,
  firstKey: number,
  keyCount: number,
  isMax: boolean,
  count: number,
  shape: number,
): boolean {
  for (let index = firstKey; index < firstKey + keyCount; index++) {
    const record = writeSortedSet(context, index);
    if (record === 0) continue;
    if (record !== WRONG) pop(context, index, record, isMax, count, shape);
    return true;
  }
  return false;
}

/** Pops up to `count` members of a sorted set and replies with them. hot path */
function pop(
  context: CommandContext,
  index: number,
  record: number,
  isMax: boolean,
  count: number,
  shape: number,
): void {
  const { reply, keyspace, request } = context;
  const sets = keyspace.sortedSets;
  const size = sets.count(record);
  const taken = Math.min(count, size);
  if (shape === WITH_KEY) reply.array(taken * 2 + 1);
  else if (shape === KEY_AND_PAIRS) reply.array(2);
  if (shape === WITH_KEY || shape === KEY_AND_PAIRS) {
    reply.bulk(request.input, request.offset[index]!, request.length[index]!);
  }
  if (shape === FLAT) reply.array(taken * 2);
  else if (shape !== WITH_KEY) reply.array(taken);
  if (taken === 0) return;
  sets.seek(record, isMax ? size - 1 : 0);
  for (let left = taken; ; ) {
    if (shape === NESTED || shape === KEY_AND_PAIRS) reply.array(2);
    reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    reply.double(sets.memberScore());
    if (--left === 0) break;
    if (isMax) sets.previous();
    else sets.next();
  }
  record = sets.removeRange(context.database, record, isMax ? size - taken : 0, taken);
  membersRemoved(context, isMax ? "zpopmax" : "zpopmin", index, record, taken);
  if (shape > NESTED && context.log.isRecording) {
    recordPop(context, isMax ? "ZPOPMAX" : "ZPOPMIN", index, shape === KEY_AND_PAIRS ? taken : 0);
  }
}

function popOne(context: CommandContext, isMax: boolean): void {
  const { request, reply } = context;
  if (request.count > 3) {
    reply.error(SYNTAX);
    return;
  }
  const hasCount = request.count === 3;
  const count = hasCount ? readInteger(context, 2, NOT_POSITIVE) : 1;
  if (Number.isNaN(count)) return;
  if (count < 0) {
    reply.error(NOT_POSITIVE);
    return;
  }
  const shape = hasCount && reply.protocol === 3 ? NESTED : FLAT;
  if (!popFirst(context, 1, 1, isMax, count, shape)) reply.array(0);
}

function popOrWait(context: CommandContext, isMax: boolean): void {
  const last = context.request.count - 1;
  const timeoutMs = readTimeoutMs(context, last);
  if (Number.isNaN(timeoutMs)) return;
  if (!popFirst(context, 1, last - 1, isMax, 1, WITH_KEY)) wait(context, 1, last - 1, timeoutMs);
}

function wait(context: CommandContext, firstKey: number, keyCount: number, timeoutMs: number): void {
  context.waitForKeys({
    firstKey,
    keyCount,
    keyType: TYPE_ZSET,
    wakesOnLoss: false,
    timeoutMs,
    onTimeout: (reply) => reply.nullArray(),
  });
}

/** ZMPOP, and BZMPOP with a timeout before the number of keys. */
function popMany(context: CommandContext, isBlocking: boolean): void {
  const { request, reply } = context;
  const firstKey = isBlocking ? 3 : 2;
  const keyCount = readInteger(context, firstKey - 1, NO_KEYS);
  if (Number.isNaN(keyCount)) return;
  if (keyCount < 1) {
    reply.error(NO_KEYS);
    return;
  }
  const where = firstKey + keyCount;
  if (where >= request.count || !(request.is(where, "MIN") || request.is(where, "MAX"))) {
    reply.error(SYNTAX);
    return;
  }
  let count = -1;
  for (let index = where + 1; index < request.count; index += 2) {
    if (count !== -1 || index + 1 >= request.count || !request.is(index, "COUNT")) {
      reply.error(SYNTAX);
      return;
    }
    count = readInteger(context, index + 1, NO_COUNT);
    if (Number.isNaN(count)) return;
    if (count < 1) {
      reply.error(NO_COUNT);
      return;
    }
  }
  const timeoutMs = isBlocking ? readTimeoutMs(context, 1) : 0;
  if (Number.isNaN(timeoutMs)) return;
  if (popFirst(context, firstKey, keyCount, request.is(where, "MAX"), Math.max(count, 1), KEY_AND_PAIRS)) return;
  if (isBlocking) wait(context, firstKey, keyCount, timeoutMs);
  else reply.nullArray();
}

const KEY_POP: readonly KeySpec[] = [keyAt(1, "RW", "access", "delete")];

export const ZSET_POP_COMMANDS: CommandTable = {
  BZMPOP: {
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    acl: ["sortedset"],
    keys: [countedKeys(2, "RW", "access", "delete")],
    since: "7.0.0",
    group: "sorted-set",
    complexity:
      "O(K)+O(log(N)+M) where K is the number of keys, N the number of members of the sorted set and M the number of those removed.",
    summary:
      "Removes and returns members from one end of the first sorted set that is there; waits for one when there is none.",
    arguments: "timeout(double) numkeys(integer) key [key ...] <where=MIN|MAX> [COUNT count]",
    run: (context) => popMany(context, true),
  },
  BZPOPMAX: {
    arity: -3,
    flags: ["write", "noscript", "blocking", "fast"],
    acl: ["sortedset"],
    keys: [{ flags: ["RW", "access", "delete"], begin: { index: 1 }, find: { lastKey: -2, step: 1, limit: 0 } }],
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary:
      "Removes and returns the member with the highest score of the first sorted set that is there; waits for one when there is none.",
    arguments: "key [key ...] timeout(double)",
    history: [["6.0.0", "`timeout` may have a fraction."]],
    run: (context) => popOrWait(context, true),
  },
  BZPOPMIN: {
    arity: -3,
    flags: ["write", "noscript", "blocking", "fast"],
    acl: ["sortedset"],
    keys: [{ flags: ["RW", "access", "delete"], begin: { index: 1 }, find: { lastKey: -2, step: 1, limit: 0 } }],
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary:
      "Removes and returns the member with the lowest score of the first sorted set that is there; waits for one when there is none.",
    arguments: "key [key ...] timeout(double)",
    history: [["6.0.0", "`timeout` may have a fraction."]],
    run: (context) => popOrWait(context, false),
  },
  ZMPOP: {
    arity: -4,
    flags: ["write", "movablekeys"],
    acl: ["sortedset"],
    keys: [countedKeys(1, "RW", "access", "delete")],
    since: "7.0.0",
    group: "sorted-set",
    complexity:
      "O(K)+O(log(N)+M) where K is the number of keys, N the number of members of the sorted set and M the number of those removed.",
    summary: "Removes and returns members from one end of the first sorted set that is there.",
    arguments: "numkeys(integer) key [key ...] <where=MIN|MAX> [COUNT count]",
    run: (context) => popMany(context, false),
  },
  ZPOPMAX: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["sortedset"],
    keys: KEY_POP,
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed.",
    summary: "Removes and returns the members with the highest scores; a sorted set without members is deleted.",
    arguments: "key [count]",
    run: (context) => popOne(context, true),
  },
  ZPOPMIN: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["sortedset"],
    keys: KEY_POP,
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed.",
    summary: "Removes and returns the members with the lowest scores; a sorted set without members is deleted.",
    arguments: "key [count]",
    run: (context) => popOne(context, false),
  },
};
