/**
 * Members of sorted sets by chance or by walking: ZRANDMEMBER, ZSCAN.
 *
 *      ZRANDMEMBER key 5     five different members      key -5     five draws, each from all
 *      ZSCAN key cursor      listpack: everything at once, cursor 0      skiplist: one or two chains of the table a step
 *
 *  I1  A draw is a rank by chance, so every member has the same probability, whatever the encoding.
 *  I2  A member that is there from the first ZSCAN to the one that answers 0 is told at least once.
 *  Source: replies of redis-server 7.0.
 */

import { globMatch } from "../core/glob.ts";
import { formatFloat64 } from "../core/numbers.ts";
import { formatSeventeenDigits } from "../core/seventeen-digits.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { RecordList } from "../store/encodings/hash-table.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_READ } from "./command.ts";
import { readCursor, replyCursor } from "./scan-cursor.ts";
import { readSortedSet, WRONG } from "./zset.ts";

const COUNT_RANGE = new ReplyError(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const OUT_OF_RANGE = new ReplyError("ERR value is out of range");
const INT64_LIMIT = 2 ** 63;
/** With WITHSCORES twice as much is told. */
const PAIR_LIMIT = 2 ** 62;
const DEFAULT_COUNT = 10;
/** Steps for each member that COUNT asks for, while nothing is found. */
const STEPS_PER_MEMBER = 10;

function randomRank(context: CommandContext, count: number): number {
  return Math.floor((context.random.uint32() / 2 ** 32) * count);
}

function zrandmember(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  if (request.count > 2) {
    manyByChance(context);
    return;
  }
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const sets = keyspace.sortedSets;
  sets.seek(record, randomRank(context, sets.count(record)));
  reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
}

function manyByChance(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const count = readInteger(context, 2);
  if (Number.isNaN(count)) return;
  if (count <= -INT64_LIMIT && request.int64(2)! < -(2n ** 63n - 1n)) {
    reply.error(COUNT_RANGE);
    return;
  }
  const withScores = request.count > 3;
  if (request.count > 4 || (withScores && !request.is(3, "WITHSCORES"))) {
    reply.error(SYNTAX);
    return;
  }
  if (withScores && (count < -PAIR_LIMIT || count >= PAIR_LIMIT)) {
    reply.error(OUT_OF_RANGE);
    return;
  }
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  const size = record === 0 ? 0 : keyspace.sortedSets.count(record);
  const told = size === 0 ? 0 : count < 0 ? -count : Math.min(count, size);
  const isNested = withScores && reply.protocol === 3;
  reply.array(withScores && !isNested ? told * 2 : told);
  if (told === 0) return;
  if (count < 0) {
    for (let index = 0; index < told; index++) {
      replyMember(context, record, randomRank(context, size), withScores);
    }
  } else if (told * 3 > size) {
    // Each member is taken with the probability that is left for it (Knuth, TAOCP vol. 2, algorithm S).
    for (let rank = 0, left = told; left > 0; rank++) {
      if (randomRank(context, size - rank) >= left) continue;
      replyMember(context, record, rank, withScores);
      left--;
    }
  } else {
    const taken = new Set<number>();
    while (taken.size < told) {
      const rank = randomRank(context, size);
      if (taken.has(rank)) continue;
      taken.add(rank);
      replyMember(context, record, rank, withScores);
    }
  }
}

function replyMember(context: CommandContext, record: number, rank: number, withScores: boolean): void {
  const { reply } = context;
  const sets = context.keyspace.sortedSets;
  sets.seek(record, rank);
  if (withScores && reply.protocol === 3) reply.array(2);
  reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
  if (withScores) reply.double(sets.memberScore());
}

// ---- ZSCAN --------------------------------------------------------------------------------------------------------------

/** What a walk tells: members and the texts of their scores. */
class FoundMembers {
  readonly members: Uint8Array[] = [];
  readonly scores: string[] = [];
}

function zscan(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const cursor = readCursor(context, 2);
  if (cursor === undefined) return;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  if (record === 0) {
    replyCursor(reply, 0);
    reply.array(0);
    return;
  }
  let count = DEFAULT_COUNT;
  let pattern = 0;
  for (let index = 3; index < request.count; index += 2) {
    const hasValue = index + 1 < request.count;
    if (hasValue && request.is(index, "COUNT")) {
      count = readInteger(context, index + 1);
      if (Number.isNaN(count)) return;
      if (count >= 1) continue;
    } else if (hasValue && request.is(index, "MATCH")) {
      pattern = request.is(index + 1, "*") ? 0 : index + 1;
      continue;
    }
    reply.error(SYNTAX);
    return;
  }
  const found = new FoundMembers();
  const next = keyspace.records.isStructure(record)
    ? scanTable(context, record, cursor, count, pattern, found)
    : scanPacked(context, record, pattern, found);
  replyCursor(reply, next);
  reply.array(found.members.length * 2);
  for (let index = 0; index < found.members.length; index++) {
    reply.bulkBytes(found.members[index]!);
    reply.bulkText(found.scores[index]!);
  }
}

/** Copies what `sets` points to, if it matches; false when not. */
function collect(context: CommandContext, pattern: number, found: FoundMembers): boolean {
  const { request, keyspace } = context;
  const { valueBytes, valueStart, valueLength } = keyspace.sortedSets;
  if (pattern !== 0) {
    const start = request.offset[pattern]!;
    const length = request.length[pattern]!;
    if (!globMatch(request.input, start, length, valueBytes, valueStart, valueLength, false)) return false;
  }
  found.members.push(valueBytes.slice(valueStart, valueStart + valueLength));
  return true;
}

function scanPacked(context: CommandContext, record: number, pattern: number, found: FoundMembers): number {
  const sets = context.keyspace.sortedSets;
  for (let isThere = sets.seek(record, 0); isThere; isThere = sets.next()) {
    if (collect(context, pattern, found)) found.scores.push(formatFloat64(sets.memberScore()));
  }
  return 0;
}

function scanTable(
  context: CommandContext,
  record: number,
  cursor: number,
  count: number,
  pattern: number,
  found: FoundMembers,
): number {
  const { keyspace } = context;
  const sets = keyspace.sortedSets;
  const { structure } = sets;
  const table = structure.tableOf(keyspace.records.externalAddress(record));
  const chain = new RecordList();
  let seen = 0;
  const visit = (home: number): void => {
    const entries = structure.table.readChain(home, chain);
    seen += entries;
    for (let index = 0; index < entries; index++) {
      const entry = chain.records[index]!;
      sets.readMember(entry);
      if (collect(context, pattern, found)) found.scores.push(formatSeventeenDigits(structure.score(entry)));
    }
  };
  let steps = count * STEPS_PER_MEMBER;
  let next = cursor;
  do {
    next = structure.table.scan(table, next, visit);
  } while (next !== 0 && --steps > 0 && seen < count);
  return next;
}

export const ZSET_SCAN_COMMANDS: CommandTable = {
  ZRANDMEMBER: {
    arity: -2,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(M*log(N)) where N is the number of members of the sorted set and M the number of those returned.",
    summary: "Returns members of a sorted set by chance.",
    arguments: "key [options=count [WITHSCORES]]",
    tips: ["nondeterministic_output"],
    run: zrandmember,
  },
  ZSCAN: {
    arity: -3,
    flags: ["readonly"],
    acl: ["sortedset"],
    keys: KEY_READ,
    since: "2.8.0",
    group: "sorted-set",
    complexity: "O(1) for each call, O(N) for all calls until the cursor is 0 again, where N is the number of members.",
    summary: "Returns some members of a sorted set with their scores, and a cursor at which to go on.",
    arguments: "key cursor [MATCH pattern] [COUNT count]",
    tips: ["nondeterministic_output"],
    run: zscan,
  },
};
