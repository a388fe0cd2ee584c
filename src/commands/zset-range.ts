/**
 * Ranges of sorted sets: ZRANGE and its older forms, ZRANGESTORE, ZCOUNT, ZLEXCOUNT, ZREMRANGEBYRANK, -SCORE, -LEX.
 *
 *      borders by rank, score or bytes ──► ranks [rank ... rank + count) ──► LIMIT, REV ──► reply, store, count or remove
 *
 *  I1  Whatever the borders are, a range is a run of ranks: members of equal score are in the order of their bytes.
 *  I2  Borders are read before the key is looked up.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_READ, type KeySpec } from "./command.ts";
import { EVENT_GENERIC, EVENT_ZSET } from "./events.ts";
import { membersRemoved, readSortedSet, WRONG, writeSortedSet } from "./zset.ts";
import { readScoreBorder } from "./zset-border.ts";

const NO_FLOAT_BORDER = new ReplyError("ERR min or max is not a float");
const NO_LEX_BORDER = new ReplyError("ERR min or max not valid string range item");
const LIMIT_WITH_RANK = new ReplyError(
  "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_WITH_LEX = new ReplyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

const BY_RANK = 1;
const BY_SCORE = 2;
const BY_LEX = 3;

const MINUS = 45;
const PLUS = 43;
const OPEN = 40;
const CLOSED = 91;

/**
 * Reads and checks both borders; false when one is wrong, and the error has been written (I2). By score they are
 * `rangeLow` and `rangeHigh` of the sorted sets then.
 */
function checkBorders(context: CommandContext, kind: number, low: number, high: number): boolean {
  if (kind === BY_RANK) {
    return !Number.isNaN(readInteger(context, low)) && !Number.isNaN(readInteger(context, high));
  }
  if (kind === BY_SCORE) {
    const sets = context.keyspace.sortedSets;
    sets.rangeLow = readScoreBorder(context, low);
    sets.rangeHigh = readScoreBorder(context, high);
    if (!Number.isNaN(sets.rangeLow) && !Number.isNaN(sets.rangeHigh)) return true;
    context.reply.error(NO_FLOAT_BORDER);
    return false;
  }
  if (lexKind(context, low) !== 0 && lexKind(context, high) !== 0) return true;
  context.reply.error(NO_LEX_BORDER);
  return false;
}

function isOpen(context: CommandContext, index: number): boolean {
  const { request } = context;
  return request.length[index]! > 0 && request.input[request.offset[index]!] === OPEN;
}

/** The sign with which a border by bytes begins, 0 when it is none. */
function lexKind(context: CommandContext, index: number): number {
  const { request } = context;
  const length = request.length[index]!;
  if (length === 0) return 0;
  const start = request.offset[index]!;
  const sign = request.input[start]!;
  if (sign === OPEN || sign === CLOSED) return sign;
  // A zero byte ends the text, as it ends a C string.
  return (sign === MINUS || sign === PLUS) && (length === 1 || request.input[start + 1] === 0) ? sign : 0;
}

/**
 * Finds the range between two borders that were checked: sets `rangeRank` and `rangeCount` of the sorted sets. `low` and
 * `high` are the arguments of the lower and the upper border; by rank, of the first and the last index. hot path
 */
function findRange(context: CommandContext, record: number, kind: number, low: number, high: number): void {
  const sets = context.keyspace.sortedSets;
  let from: number;
  let to: number;
  if (kind === BY_RANK) {
    const count = sets.count(record);
    from = context.request.integer(low);
    to = context.request.integer(high);
    // Beyond 2^53 `integer` gives up: such an index is before the first member or behind the last one.
    if (Number.isNaN(from)) from = readInteger(context, low);
    if (Number.isNaN(to)) to = readInteger(context, high);
    if (from < 0) from = Math.max(from + count, 0);
    if (to < 0) to += count;
    to = Math.min(to, count - 1) + 1;
  } else if (kind === BY_SCORE) {
    const { rangeLow, rangeHigh } = sets;
    // Nothing is below the one infinity or above the other: no need to look.
    const isFromFirst = rangeLow === Number.NEGATIVE_INFINITY && !isOpen(context, low);
    const isToLast = rangeHigh === Number.POSITIVE_INFINITY && !isOpen(context, high);
    from = isFromFirst ? 0 : sets.scoreRank(record, rangeLow, isOpen(context, low));
    to = isToLast ? sets.count(record) : sets.scoreRank(record, rangeHigh, !isOpen(context, high));
  } else {
    from = lexRank(context, record, low, false);
    to = lexRank(context, record, high, true);
  }
  sets.rangeRank = from;
  sets.rangeCount = to > from ? to - from : 0;
}

/** Number of members before the border, including what is equal to a closed upper one. */
function lexRank(context: CommandContext, record: number, index: number, isUpper: boolean): number {
  const sets = context.keyspace.sortedSets;
  const kind = lexKind(context, index);
  if (kind === MINUS) return 0;
  if (kind === PLUS) return sets.count(record);
  const { request } = context;
  const isAbove = (kind === CLOSED) === isUpper;
  return sets.memberRank(record, request.input, request.offset[index]! + 1, request.length[index]! - 1, isAbove);
}

/** Replies with `count` members, from the one at `rank` on, upwards or downwards. hot path */
function replyMembers(
  context: CommandContext,
  record: number,
  rank: number,
  count: number,
  isReverse: boolean,
  withScores: boolean,
): void {
  const { reply } = context;
  const sets = context.keyspace.sortedSets;
  const isNested = withScores && reply.protocol === 3;
  reply.array(withScores && !isNested ? count * 2 : count);
  if (count === 0) return;
  sets.seek(record, rank);
  sets.warm(count, isReverse);
  for (;;) {
    if (isNested) reply.array(2);
    reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    if (withScores) reply.double(sets.memberScore());
    if (--count === 0) return;
    if (isReverse) sets.previous();
    else sets.next();
  }
}

// ---- ZRANGE -----------------------------------------------------------------------------------------------------------

/**
 * ZRANGE and all that is like it. `key` is the argument of the sorted set; `kind` 0 and `isReverse` undefined: options say
 * it. `destination` is the argument of the key in which the range is stored, 0 none.
 */
function range(
  context: CommandContext,
  key: number,
  kind: number,
  isReverse: boolean | undefined,
  destination: number,
): void {
  const { request, reply } = context;
  let withScores = false;
  let offset = 0;
  let limit = -1;
  for (let index = key + 3; index < request.count; index++) {
    if (destination === 0 && request.is(index, "WITHSCORES")) withScores = true;
    else if (request.is(index, "LIMIT") && index + 2 < request.count) {
      offset = readInteger(context, index + 1);
      if (Number.isNaN(offset)) return;
      limit = readInteger(context, index + 2);
      if (Number.isNaN(limit)) return;
      index += 2;
    } else if (isReverse === undefined && request.is(index, "REV")) isReverse = true;
    else if (kind === 0 && request.is(index, "BYLEX")) kind = BY_LEX;
    else if (kind === 0 && request.is(index, "BYSCORE")) kind = BY_SCORE;
    else {
      reply.error(SYNTAX);
      return;
    }
  }
  if (kind === 0) kind = BY_RANK;
  if (limit !== -1 && kind === BY_RANK) {
    reply.error(LIMIT_WITH_RANK);
    return;
  }
  if (withScores && kind === BY_LEX) {
    reply.error(SCORES_WITH_LEX);
    return;
  }
  const isDown = isReverse === true;
  const isSwapped = isDown && kind !== BY_RANK;
  const low = isSwapped ? key + 2 : key + 1;
  const high = isSwapped ? key + 1 : key + 2;
  if (!checkBorders(context, kind, low, high)) return;
  const record = readSortedSet(context, key);
  if (record === WRONG) return;
  if (record === 0) {
    if (destination !== 0) storeNothing(context, destination);
    else reply.array(0);
    return;
  }
  const sets = context.keyspace.sortedSets;
  findRange(context, record, kind, low, high);
  let count = sets.rangeCount;
  // By rank and downwards, indexes count from the last member.
  const first =
    isDown && kind === BY_RANK
      ? sets.count(record) - 1 - sets.rangeRank
      : isDown
        ? sets.rangeRank + count - 1
        : sets.rangeRank;
  if (kind === BY_RANK) offset = 0; // LIMIT with any offset passes when it limits nothing
  count = offset < 0 ? 0 : Math.max(count - offset, 0);
  if (limit >= 0) count = Math.min(count, limit);
  const rank = isDown ? first - offset : first + offset;
  if (destination === 0) replyMembers(context, record, rank, count, isDown, withScores);
  else storeMembers(context, record, isDown ? rank - count + 1 : rank, count, destination);
}

/** Nothing is to be stored: the key is deleted if it is there, and the reply is 0. */
export function storeNothing(context: CommandContext, destination: number): void {
  const { request, keyspace, database } = context;
  const isGone = keyspace.delete(database, request.input, request.offset[destination]!, request.length[destination]!);
  if (isGone) context.changed(EVENT_GENERIC, "del", destination);
  context.reply.integer(0);
}

/** Stores the sorted set at `root` (of the structure, not empty) in a key, and replies with its size. Takes `root` over. */
export function storeRoot(context: CommandContext, root: number, destination: number, event: string, dirty = 1): void {
  const { request, keyspace, database } = context;
  const { structure } = keyspace.sortedSets;
  const count = structure.size(root);
  try {
    keyspace.sortedSets.store(
      database,
      request.input,
      request.offset[destination]!,
      request.length[destination]!,
      root,
    );
  } catch (error) {
    structure.destroy(root);
    throw error;
  }
  context.changed(EVENT_ZSET, event, destination, dirty);
  context.reply.integer(count);
}

function storeMembers(context: CommandContext, record: number, rank: number, count: number, destination: number): void {
  if (count === 0) {
    storeNothing(context, destination);
    return;
  }
  const sets = context.keyspace.sortedSets;
  storeRoot(context, sets.copyRange(record, rank, count), destination, "zrangestore");
}

// ---- counting and removing --------------------------------------------------------------------------------------------

function countRange(context: CommandContext, kind: number): void {
  if (!checkBorders(context, kind, 2, 3)) return;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  if (record === 0) {
    context.reply.integer(0);
    return;
  }
  findRange(context, record, kind, 2, 3);
  context.reply.integer(context.keyspace.sortedSets.rangeCount);
}

function removeRange(context: CommandContext, kind: number, event: string): void {
  if (!checkBorders(context, kind, 2, 3)) return;
  let record = writeSortedSet(context, 1);
  if (record === WRONG) return;
  const sets = context.keyspace.sortedSets;
  let count = 0;
  if (record !== 0) {
    findRange(context, record, kind, 2, 3);
    count = sets.rangeCount;
  }
  if (count > 0) {
    record = sets.removeRange(context.database, record, sets.rangeRank, count);
    membersRemoved(context, event, 1, record, count);
  }
  context.reply.integer(count);
}

const KEY_REMOVE: readonly KeySpec[] = [
  { flags: ["RW", "delete"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
];

export const ZSET_RANGE_COMMANDS: CommandTable = {
  ZCOUNT: {
    arity: 4,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary: "Counts the members with scores between two borders.",
    arguments: "key min(double) max(double)",
    run: (context) => countRange(context, BY_SCORE),
  },
  ZLEXCOUNT: {
    arity: 4,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary: "Counts the members between two names, where all scores are equal.",
    arguments: "key min max",
    run: (context) => countRange(context, BY_LEX),
  },
  ZRANGE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members of a range of ranks, of scores or of names.",
    arguments: "key start(string) stop [sortby=BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    history: [["6.2.0", "Takes `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."]],
    run: (context) => range(context, 1, 0, undefined, 0),
  },
  ZRANGEBYLEX: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members between two names, where all scores are equal.",
    arguments: "key min max [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `BYLEX` argument" },
    run: (context) => range(context, 1, BY_LEX, false, 0),
  },
  ZRANGEBYSCORE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "1.0.5",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members with scores between two borders, from the lowest up.",
    arguments: "key min(double) max(double) [WITHSCORES] [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `BYSCORE` argument" },
    history: [["2.0.0", "Takes `WITHSCORES`."]],
    run: (context) => range(context, 1, BY_SCORE, false, 0),
  },
  ZRANGESTORE: {
    arity: -5,
    flags: ["write", "denyoom"],
    acl: ["sortedset"],
    keys: [
      { flags: ["OW", "update"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ["RO", "access"], begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } },
    ],
    since: "6.2.0",
    group: "sorted-set",
    complexity:
      "O(log(N)+M*log(M)) where N is the number of members of the sorted set and M the number of those stored.",
    summary: "Stores the members of a range of a sorted set in another key.",
    arguments: "dst(key) src(key) min max [sortby=BYSCORE|BYLEX] [REV] [LIMIT offset count]",
    run: (context) => range(context, 2, 0, undefined, 1),
  },
  ZREMRANGEBYLEX: {
    arity: 4,
    flags: ["write"],
    acl: ["sortedset"],
    keys: KEY_REMOVE,
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed.",
    summary:
      "Removes the members between two names, where all scores are equal; a sorted set without members is deleted.",
    arguments: "key min max",
    run: (context) => removeRange(context, BY_LEX, "zremrangebylex"),
  },
  ZREMRANGEBYRANK: {
    arity: 4,
    flags: ["write"],
    acl: ["sortedset"],
    keys: KEY_REMOVE,
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed.",
    summary: "Removes the members of a range of ranks; a sorted set without members is deleted.",
    arguments: "key start stop(integer)",
    run: (context) => removeRange(context, BY_RANK, "zremrangebyrank"),
  },
  ZREMRANGEBYSCORE: {
    arity: 4,
    flags: ["write"],
    acl: ["sortedset"],
    keys: KEY_REMOVE,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed.",
    summary: "Removes the members with scores between two borders; a sorted set without members is deleted.",
    arguments: "key min(double) max(double)",
    run: (context) => removeRange(context, BY_SCORE, "zremrangebyscore"),
  },
  ZREVRANGE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members of a range of ranks, counted from the highest score down.",
    arguments: "key start stop(integer) [WITHSCORES]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` argument" },
    run: (context) => range(context, 1, BY_RANK, true, 0),
  },
  ZREVRANGEBYLEX: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members between two names from the last one down, where all scores are equal.",
    arguments: "key max min [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments" },
    run: (context) => range(context, 1, BY_LEX, true, 0),
  },
  ZREVRANGEBYSCORE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns the members with scores between two borders, from the highest down.",
    arguments: "key max(double) min(double) [WITHSCORES] [LIMIT offset count]",
    deprecated: { since: "6.2.0", replacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments" },
    history: [["2.1.6", "`min` and `max` may exclude the border itself."]],
    run: (context) => range(context, 1, BY_SCORE, true, 0),
  },
};
