/**
 * Lists in the middle: LSET, LINSERT, LREM, LTRIM, LPOS.
 *
 *  I1  Elements are searched from the head, or from the tail when a count or rank is negative.
 *  Source: replies and events of redis-server 7.0; encodings and limits of numbers of 7.2.
 */

import { NO_SUCH_KEY, ReplyError, SYNTAX } from "../protocol/errors.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_APPEND, KEY_MODIFY, KEY_READ, keyAt } from "./command.ts";
import { EVENT_GENERIC, EVENT_LIST } from "./events.ts";
import { findList, findListForUpdate, NO_LIST } from "./list.ts";

const INDEX_OUT_OF_RANGE = new ReplyError("ERR index out of range");
/** Of a number whose opposite has no 64 bits. */
const OUT_OF_RANGE = new ReplyError(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const RANK_ZERO = new ReplyError(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
);
const COUNT_NEGATIVE = new ReplyError("ERR COUNT can't be negative");
const LENGTH_NEGATIVE = new ReplyError("ERR MAXLEN can't be negative");

function set(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.error(NO_SUCH_KEY);
    return;
  }
  const index = readInteger(context, 2);
  if (Number.isNaN(index)) return;
  const start = request.offset[3]!;
  if (keyspace.lists.set(context.database, record, index, request.input, start, request.length[3]!) === -1) {
    reply.error(INDEX_OUT_OF_RANGE);
    return;
  }
  reply.ok();
  context.changed(EVENT_LIST, "lset", 1);
}

function insert(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const isAfter = request.is(2, "AFTER");
  if (!isAfter && !request.is(2, "BEFORE")) {
    reply.error(SYNTAX);
    return;
  }
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.integer(0);
    return;
  }
  const { offset, length, input } = request;
  const { lists } = keyspace;
  const changed = lists.insert(
    context.database,
    record,
    isAfter,
    input,
    offset[3]!,
    length[3]!,
    offset[4]!,
    length[4]!,
  );
  if (changed === -1) {
    reply.integer(-1);
    return;
  }
  reply.integer(lists.length(changed));
  context.changed(EVENT_LIST, "linsert", 1);
}

/** Argument `index` as a 64-bit number whose opposite is one too; NaN when it is none, and the error has been written. */
function readSymmetric(context: CommandContext, index: number): number {
  const value = readInteger(context, index);
  if (value !== -(2 ** 63) || context.request.int64(index)! >= -(2n ** 63n) + 1n) return value;
  context.reply.error(OUT_OF_RANGE);
  return Number.NaN;
}

function remove(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const count = readInteger(context, 2);
  if (Number.isNaN(count)) return;
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.integer(0);
    return;
  }
  const { lists } = keyspace;
  const has = lists.length(record);
  const max = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
  const removed = lists.removeEqual(record, count >= 0, max, request.input, request.offset[3]!, request.length[3]!);
  if (removed > 0) {
    keyspace.dirty += removed;
    context.notify(EVENT_LIST, "lrem", 1);
    if (removed === has) {
      keyspace.deleteRecord(database, record);
      context.notify(EVENT_GENERIC, "del", 1);
    } else {
      lists.afterRemoval(database, record);
    }
    context.touched(1);
  }
  reply.integer(removed);
}

function trim(context: CommandContext): void {
  const { reply, keyspace, database } = context;
  let start = readInteger(context, 2);
  if (Number.isNaN(start)) return;
  let stop = readInteger(context, 3);
  if (Number.isNaN(stop)) return;
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.ok();
    return;
  }
  const { lists } = keyspace;
  const has = lists.length(record);
  if (start < 0) start = Math.max(start + has, 0);
  if (stop < 0) stop += has;
  if (stop >= has) stop = has - 1;
  const isEmptied = start > stop;
  const before = isEmptied ? has : start;
  const behind = isEmptied ? 0 : has - stop - 1;
  keyspace.dirty += before + behind;
  if (isEmptied) {
    context.notify(EVENT_LIST, "ltrim", 1);
    keyspace.deleteRecord(database, record);
    context.notify(EVENT_GENERIC, "del", 1);
  } else {
    lists.trim(database, record, before, behind);
    context.notify(EVENT_LIST, "ltrim", 1);
  }
  context.touched(1);
  reply.ok();
}

/** Options of LPOS; NaN stands for a fault whose error has been written. */
function readPositive(context: CommandContext, index: number, error: ReplyError): number {
  const value = readInteger(context, index, error);
  if (!(value < 0)) return value;
  context.reply.error(error);
  return Number.NaN;
}

function position(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  let rank = 1;
  let count = -1;
  let lengthMax = 0;
  for (let index = 3; index < request.count; index += 2) {
    const hasValue = index + 1 < request.count;
    let value = Number.NaN;
    if (hasValue && request.is(index, "RANK")) {
      rank = value = readSymmetric(context, index + 1);
      if (rank === 0) {
        reply.error(RANK_ZERO);
        return;
      }
    } else if (hasValue && request.is(index, "COUNT")) {
      count = value = readPositive(context, index + 1, COUNT_NEGATIVE);
    } else if (hasValue && request.is(index, "MAXLEN")) {
      lengthMax = value = readPositive(context, index + 1, LENGTH_NEGATIVE);
    } else {
      reply.error(SYNTAX);
    }
    if (Number.isNaN(value)) return;
  }
  const record = findList(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    if (count === -1) reply.nullBulk();
    else reply.array(0);
    return;
  }
  keyspace.lists.searchFor(request.input, request.offset[2]!, request.length[2]!);
  if (count === -1) replyPosition(context, record, rank, lengthMax);
  else replyPositions(context, record, rank, count, lengthMax);
}

/** The `rank`-th match's index, or null. */
function replyPosition(context: CommandContext, record: number, rank: number, lengthMax: number): void {
  const found = matches(context, record, rank, 1, lengthMax);
  if (found.length === 0) context.reply.nullBulk();
  else context.reply.integer(found[0]!);
}

function replyPositions(context: CommandContext, record: number, rank: number, count: number, lengthMax: number): void {
  const found = matches(context, record, rank, count, lengthMax);
  context.reply.array(found.length);
  for (let index = 0; index < found.length; index++) context.reply.integer(found[index]!);
}

/** Indexes of up to `count` (0: all) matches from the `rank`-th on, looking at no more than `lengthMax` (0: all) elements. */
function matches(context: CommandContext, record: number, rank: number, count: number, lengthMax: number): number[] {
  const { lists } = context.keyspace;
  const isForward = rank > 0;
  const has = lists.length(record);
  const steps = lengthMax === 0 ? has : Math.min(lengthMax, has);
  let skipped = Math.abs(rank) - 1;
  const found: number[] = [];
  lists.seek(record, isForward ? 0 : -1);
  for (let step = 0; step < steps; step++) {
    if (lists.isHere()) {
      if (skipped > 0) {
        skipped--;
      } else {
        found.push(isForward ? step : has - step - 1);
        if (found.length === count) return found;
      }
    }
    if (isForward) lists.next();
    else lists.previous();
  }
  return found;
}

export const LIST_EDIT_COMMANDS: CommandTable = {
  LSET: {
    arity: 4,
    flags: ["write", "denyoom"],
    acl: ["list"],
    keys: KEY_MODIFY,
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of nodes between the element and the nearer end; O(1) at the ends.",
    summary: "Replaces the element at an index; negative ones count from the tail.",
    arguments: "key index element",
    run: set,
  },
  LINSERT: {
    arity: 5,
    flags: ["write", "denyoom"],
    acl: ["list"],
    keys: KEY_APPEND,
    since: "2.2.0",
    group: "list",
    complexity: "O(N) where N is the number of elements before the pivot.",
    summary: "Puts an element before or behind the first one that equals the pivot.",
    arguments: "key <where=BEFORE|AFTER> pivot element",
    run: insert,
  },
  LREM: {
    arity: 4,
    flags: ["write"],
    acl: ["list"],
    keys: [keyAt(1, "RW", "delete")],
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements.",
    summary: "Takes out elements that equal the given one: all, or a number of them from the head or from the tail on.",
    arguments: "key count element",
    run: remove,
  },
  LTRIM: {
    arity: 4,
    flags: ["write"],
    acl: ["list"],
    keys: [keyAt(1, "RW", "delete")],
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements that go.",
    summary: "Keeps the elements between two indexes and takes out all others.",
    arguments: "key start stop(integer)",
    run: trim,
  },
  LPOS: {
    arity: -3,
    flags: ["readonly"],
    acl: ["list"],
    keys: KEY_READ,
    since: "6.0.6",
    group: "list",
    complexity: "O(N) where N is the number of elements that are looked at.",
    summary: "Returns the index of an element, or of several that equal it.",
    arguments: "key element [RANK rank(integer)] [COUNT num-matches(integer)] [MAXLEN len(integer)]",
    run: position,
  },
};
