/**
 * Sorted sets, one member at a time: ZADD, ZINCRBY, ZREM, ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK.
 *
 *      ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member ...     options ──► all scores ──► look up ──► pair by pair
 *
 *  I1  Nothing is changed before all scores have been read.
 *  I2  A sorted set without members is deleted, with the event "del" behind the command's own.
 *  Source: replies of redis-server 7.0; ZRANK and ZREVRANK with WITHSCORE as Redis 7.2 documents them.
 */

import { NOT_A_FLOAT, ReplyError, SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import { TYPE_ZSET } from "../store/keyspace/record.ts";
import {
  type CommandContext,
  type CommandTable,
  KEY_METADATA,
  KEY_MODIFY,
  KEY_READ,
  KEY_UPDATE,
  type KeySpec,
} from "./command.ts";
import { EVENT_GENERIC, EVENT_ZSET } from "./events.ts";

/** What the lookups answer when the key holds another type: the error has been written. No address is -1. */
export const WRONG = -1;

/** The sorted set at argument `index` for a command that reads; 0 absent, WRONG. hot path */
export function readSortedSet(context: CommandContext, index: number): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[index]!, request.length[index]!);
  return record === 0 || keyspace.records.type(record) === TYPE_ZSET ? record : wrongType(context);
}

/** The sorted set at argument `index` for a command that changes it; 0 absent, WRONG. hot path */
export function writeSortedSet(context: CommandContext, index: number): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupWrite(context.database, request.input, request.offset[index]!, request.length[index]!);
  return record === 0 || keyspace.records.type(record) === TYPE_ZSET ? record : wrongType(context);
}

function wrongType(context: CommandContext): number {
  context.reply.error(WRONG_TYPE);
  return WRONG;
}

/** Tells of a change of the sorted set at argument `index`, and deletes it when it has no member left (I2). */
export function membersRemoved(
  context: CommandContext,
  event: string,
  index: number,
  record: number,
  removed: number,
): void {
  const { keyspace } = context;
  const isEmpty = keyspace.sortedSets.count(record) === 0;
  if (isEmpty) keyspace.deleteRecord(context.database, record);
  context.changed(EVENT_ZSET, event, index, removed);
  if (isEmpty) context.notify(EVENT_GENERIC, "del", index);
}

const NX_AND_XX = new ReplyError("ERR XX and NX options at the same time are not compatible");
const COMPARISONS = new ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible");
const SINGLE_PAIR = new ReplyError("ERR INCR option supports a single increment-element pair");
const NOT_A_NUMBER = new ReplyError("ERR resulting score is not a number (NaN)");

/** Options of `addMembers`. */
export const ADD_NX = 1;
export const ADD_XX = 2;
const GT = 4;
const LT = 8;
export const ADD_CHANGED = 16;
const INCR = 32;

function optionAt(context: CommandContext, index: number): number {
  const { request } = context;
  // The first argument that is no option is a score: most have no letter in front.
  if (request.length[index]! > 4 || request.input[request.offset[index]!]! < 65) return 0;
  if (request.is(index, "NX")) return ADD_NX;
  if (request.is(index, "XX")) return ADD_XX;
  if (request.is(index, "CH")) return ADD_CHANGED;
  if (request.is(index, "INCR")) return INCR;
  if (request.is(index, "GT")) return GT;
  return request.is(index, "LT") ? LT : 0;
}

function zadd(context: CommandContext): void {
  const { request, reply } = context;
  let options = 0;
  let first = 2;
  for (; first < request.count; first++) {
    const option = optionAt(context, first);
    if (option === 0) break;
    options |= option;
  }
  const rest = request.count - first;
  if (rest === 0 || rest % 2 !== 0) reply.error(SYNTAX);
  else if ((options & ADD_NX) !== 0 && (options & ADD_XX) !== 0) reply.error(NX_AND_XX);
  else if (isContradiction(options)) reply.error(COMPARISONS);
  else if ((options & INCR) !== 0 && rest > 2) reply.error(SINGLE_PAIR);
  else addPairs(context, first, options);
}

function isContradiction(options: number): boolean {
  const comparisons = options & (GT | LT);
  return comparisons === (GT | LT) || (comparisons !== 0 && (options & ADD_NX) !== 0);
}

function zincrby(context: CommandContext): void {
  // An option of ZADD where the score should stand is taken for one, and then a score is missing.
  if (optionAt(context, 2) !== 0) context.reply.error(SYNTAX);
  else addPairs(context, 2, INCR);
}

/** Adds the pairs of score and member from argument `first` on. */
function addPairs(context: CommandContext, first: number, options: number): void {
  const { request } = context;
  const firstScore = request.float(first);
  let isWrong = Number.isNaN(firstScore);
  for (let index = first + 2; index < request.count; index += 2) isWrong ||= Number.isNaN(request.float(index));
  if (isWrong) context.reply.error(NOT_A_FLOAT);
  else addMembers(context, options, first + 1, 2, undefined, firstScore);
}

/**
 * Adds members to the sorted set at argument 1: every `step` arguments from `first` on one. Their scores are `scores`, or
 * stand before them, of which the first one is known already. Replies, and tells of the change. hot path
 */
export function addMembers(
  context: CommandContext,
  options: number,
  first: number,
  step: number,
  scores: Float64Array | undefined,
  firstScore: number,
): void {
  const { request, reply, keyspace, database } = context;
  let record = writeSortedSet(context, 1);
  if (record === WRONG) return;
  if (record === 0 && (options & ADD_XX) !== 0) {
    replyAdded(context, options, 0, Number.NaN);
    return;
  }
  const sets = keyspace.sortedSets;
  const input = request.input;
  let added = 0;
  let updated = 0;
  let score = Number.NaN;
  for (let index = first, place = 0; index < request.count; index += step, place++) {
    const start = request.offset[index]!;
    const length = request.length[index]!;
    if (index === first) score = firstScore;
    else score = scores === undefined ? request.float(index - 1) : scores[place]!;
    if (record === 0) {
      record = sets.create(database, input, request.offset[1]!, request.length[1]!, score, input, start, length);
      added++;
      continue;
    }
    if (!sets.find(record, input, start, length)) {
      if ((options & ADD_XX) === 0) {
        record = sets.insert(database, record, score, input, start, length);
        added++;
      } else score = Number.NaN;
      continue;
    }
    const found = sets.foundScore;
    if ((options & INCR) !== 0 && (options & ADD_NX) === 0) {
      score += found;
      if (Number.isNaN(score)) {
        // Only a single pair can come here: nothing has been changed.
        reply.error(NOT_A_NUMBER);
        return;
      }
    }
    if (isRefused(options, score, found)) score = Number.NaN;
    else if (score !== found) {
      record = sets.setScore(database, record, score, input, start, length);
      updated++;
    }
  }
  replyAdded(context, options, (options & ADD_CHANGED) !== 0 ? added + updated : added, score);
  if (added + updated > 0) context.changed(EVENT_ZSET, (options & INCR) !== 0 ? "zincr" : "zadd", 1, added + updated);
}

/** Whether the options forbid to give a member that has `found` the score `score`. */
function isRefused(options: number, score: number, found: number): boolean {
  if ((options & (ADD_NX | LT | GT)) === 0) return false;
  return (options & ADD_NX) !== 0 || ((options & LT) !== 0 ? score >= found : score <= found);
}

/** With INCR the new score, null (NaN) when the options forbade it; otherwise the number. */
function replyAdded(context: CommandContext, options: number, count: number, score: number): void {
  if ((options & INCR) === 0) context.reply.integer(count);
  else if (Number.isNaN(score)) context.reply.nullBulk();
  else context.reply.double(score);
}

function zrem(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  let record = writeSortedSet(context, 1);
  if (record === WRONG) return;
  const sets = keyspace.sortedSets;
  let removed = 0;
  for (let index = 2; record !== 0 && index < request.count; index++) {
    if (!sets.find(record, request.input, request.offset[index]!, request.length[index]!)) continue;
    record = sets.remove(database, record);
    removed++;
    if (sets.count(record) === 0) break;
  }
  if (removed > 0) membersRemoved(context, "zrem", 1, record, removed);
  reply.integer(removed);
}

function zcard(context: CommandContext): void {
  const record = readSortedSet(context, 1);
  if (record !== WRONG) context.reply.integer(record === 0 ? 0 : context.keyspace.sortedSets.count(record));
}

/** Writes the score of the member at argument `index`, or null. */
function replyScore(context: CommandContext, record: number, index: number): void {
  const { request, reply } = context;
  const sets = context.keyspace.sortedSets;
  if (record !== 0 && sets.find(record, request.input, request.offset[index]!, request.length[index]!)) {
    reply.double(sets.foundScore);
  } else {
    reply.nullBulk();
  }
}

function zscore(context: CommandContext): void {
  const record = readSortedSet(context, 1);
  if (record !== WRONG) replyScore(context, record, 2);
}

function zmscore(context: CommandContext): void {
  const { request, reply } = context;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  reply.array(request.count - 2);
  for (let index = 2; index < request.count; index++) replyScore(context, record, index);
}

function rank(context: CommandContext, isReverse: boolean): void {
  const { request, reply, keyspace } = context;
  const withScore = request.count > 3;
  if (request.count > 4) {
    reply.errorText(`ERR wrong number of arguments for '${isReverse ? "zrevrank" : "zrank"}' command`);
    return;
  }
  if (withScore && !request.is(3, "WITHSCORE")) {
    reply.error(SYNTAX);
    return;
  }
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  const sets = keyspace.sortedSets;
  if (record === 0 || !sets.find(record, request.input, request.offset[2]!, request.length[2]!)) {
    if (withScore) reply.nullArray();
    else reply.nullBulk();
    return;
  }
  const score = sets.foundScore;
  const place = sets.rank(record);
  if (withScore) reply.array(2);
  reply.integer(isReverse ? sets.count(record) - 1 - place : place);
  if (withScore) reply.double(score);
}

const KEY_REMOVE: readonly KeySpec[] = [
  { flags: ["RW", "delete"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
];

export const ZSET_COMMANDS: CommandTable = {
  ZADD: {
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    acl: ["sortedset"],
    keys: KEY_MODIFY,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)) for each member, where N is the number of members of the sorted set.",
    summary:
      "Adds members with scores to a sorted set, which is made when it is absent, or changes the scores of members that are there.",
    arguments:
      "key [condition=NX|XX] [comparison=GT|LT] [change=CH] [increment=INCR] score(double) member [score(double) member ...]",
    history: [
      ["2.4.0", "Takes several members."],
      ["3.0.2", "Takes `XX`, `NX`, `CH` and `INCR`."],
      ["6.2.0", "Takes `GT` and `LT`."],
    ],
    run: zadd,
  },
  ZCARD: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_METADATA,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    summary: "Returns the number of members of a sorted set.",
    arguments: "key",
    run: zcard,
  },
  ZINCRBY: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    acl: ["sortedset"],
    keys: KEY_UPDATE,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary: "Adds a number to the score of a member, which begins at 0 when it is absent.",
    arguments: "key increment member",
    run: zincrby,
  },
  ZMSCORE: {
    arity: -3,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N) where N is the number of members asked for.",
    summary: "Returns the scores of several members, null for those that are absent.",
    arguments: "key member [member ...]",
    run: zmscore,
  },
  ZRANK: {
    arity: -3,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary: "Returns how many members come before a member, from the lowest score on.",
    arguments: "key member [WITHSCORE]",
    history: [["7.2.0", "Takes `WITHSCORE`."]],
    run: (context) => rank(context, false),
  },
  ZREM: {
    arity: -3,
    flags: ["write", "fast"],
    acl: ["sortedset"],
    keys: KEY_REMOVE,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(M*log(N)) where N is the number of members of the sorted set and M the number of those removed.",
    summary: "Removes members from a sorted set; one without members is deleted.",
    arguments: "key member [member ...]",
    history: [["2.4.0", "Takes several members."]],
    run: zrem,
  },
  ZREVRANK: {
    arity: -3,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of members of the sorted set.",
    summary: "Returns how many members come before a member, from the highest score down.",
    arguments: "key member [WITHSCORE]",
    history: [["7.2.0", "Takes `WITHSCORE`."]],
    run: (context) => rank(context, true),
  },
  ZSCORE: {
    arity: 3,
    flags: ["readonly", "fast"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    summary: "Returns the score of a member.",
    arguments: "key member",
    run: zscore,
  },
};
