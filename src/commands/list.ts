/**
 * Lists at their ends and as a whole: LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LLEN, LINDEX, LRANGE.
 *
 *      LPUSH ──► [ a b c d e ] ◄── RPUSH        LRANGE 1 -2 = b c d
 *      LPOP  ◄──               ──► RPOP
 *
 *  I1  What a list is made of is known to keyspace.lists alone; here elements are what its cursor stands on.
 *  I2  A list that has lost its last element is deleted by the command that took it.
 *  Source: replies and events of redis-server 7.0; encodings of 7.2.
 */

import { ReplyError, WRONG_TYPE } from "../protocol/errors.ts";
import { nextEntry, previousEntry } from "../store/encodings/listpack.ts";
import { PACKED_THRESHOLD_BYTES } from "../store/encodings/quicklist.ts";
import { TYPE_LIST } from "../store/keyspace/record.ts";
import type { Lists } from "../store/values/lists.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_APPEND, KEY_METADATA, KEY_READ, keyAt } from "./command.ts";
import { EVENT_GENERIC, EVENT_LIST } from "./events.ts";

/** No record's address: a record takes two units or more, so none starts at the last unit of all. */
export const NO_LIST = -1;

export const NOT_POSITIVE = new ReplyError("ERR value is out of range, must be positive");
const LPOP_ARITY = new ReplyError("ERR wrong number of arguments for 'lpop' command");
const RPOP_ARITY = new ReplyError("ERR wrong number of arguments for 'rpop' command");

/** The list of the key at `argument` for a command that reads; 0 when absent, NO_LIST when it is none and the error has been written. */
export function findList(context: CommandContext, argument: number): number {
  const { request, keyspace } = context;
  const start = request.offset[argument]!;
  const record = keyspace.lookupRead(context.database, request.input, start, request.length[argument]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_LIST) return record;
  context.reply.error(WRONG_TYPE);
  return NO_LIST;
}

/** As `findList`, for a command that will change it; `keyspace.lists` takes over the limits of the moment. */
export function findListForUpdate(context: CommandContext, argument: number): number {
  const { request, keyspace } = context;
  keyspace.lists.prepare(context.limits.packedThresholdBytes ?? PACKED_THRESHOLD_BYTES);
  const start = request.offset[argument]!;
  const record = keyspace.lookupWrite(context.database, request.input, start, request.length[argument]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_LIST) return record;
  context.reply.error(WRONG_TYPE);
  return NO_LIST;
}

/** Names of the events at the left (head) and right end. */
export function pushEvent(isHead: boolean): string {
  return isHead ? "lpush" : "rpush";
}

function popEvent(isHead: boolean): string {
  return isHead ? "lpop" : "rpop";
}

// ---- pushing ----------------------------------------------------------------------------------------------------------

/** hot path */
function push(context: CommandContext, isHead: boolean, makesList: boolean): void {
  const { request, keyspace, reply } = context;
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0 && !makesList) {
    reply.integer(0);
    return;
  }
  const { input, offset, length, count } = request;
  const { lists } = keyspace;
  let has = 0;
  if (record !== 0 && count === 3) has = lists.pushOne(context.database, record, isHead, input, offset[2]!, length[2]!);
  if (has === 0) {
    const { database } = context;
    has = lists.length(lists.push(database, record, isHead, input, offset, length, 2, count, offset[1]!, length[1]!));
  }
  reply.integer(has);
  context.changed(EVENT_LIST, pushEvent(isHead), 1, count - 2);
}

// ---- popping ----------------------------------------------------------------------------------------------------------

/**
 * Takes `count` elements, which have been replied, off one end of the list of the key at `argument`, and tells so;
 * `has` is how many there are. hot path
 */
export function takeOff(
  context: CommandContext,
  argument: number,
  record: number,
  isHead: boolean,
  count: number,
  has: number,
): void {
  const { keyspace, database } = context;
  keyspace.dirty += count;
  if (count === has) {
    context.notify(EVENT_LIST, popEvent(isHead), argument);
    keyspace.deleteRecord(database, record);
    context.notify(EVENT_GENERIC, "del", argument);
  } else {
    keyspace.lists.remove(database, record, isHead, count);
    context.notify(EVENT_LIST, popEvent(isHead), argument);
  }
  context.touched(argument);
}

/** Replies with the element at one end, and takes it off. hot path */
export function popOne(context: CommandContext, argument: number, record: number, isHead: boolean): void {
  const { lists } = context.keyspace;
  lists.readEnd(record, isHead);
  context.reply.bulk(lists.valueBytes, lists.valueStart, lists.valueLength);
  takeOff(context, argument, record, isHead, 1, lists.length(record));
}

/** Replies with an array of up to `count` elements from one end, nearest first, and takes them off. */
export function popMany(
  context: CommandContext,
  argument: number,
  record: number,
  isHead: boolean,
  count: number,
): void {
  const { lists } = context.keyspace;
  const has = lists.length(record);
  const taken = Math.min(count, has);
  context.reply.array(taken);
  lists.seek(record, isHead ? 0 : -1);
  if (isHead) replyForwards(context, lists, taken);
  else replyBackwards(context, lists, taken);
  takeOff(context, argument, record, isHead, taken, has);
}

function pop(context: CommandContext, isHead: boolean): void {
  const { request, reply } = context;
  if (request.count > 3) {
    reply.error(isHead ? LPOP_ARITY : RPOP_ARITY);
    return;
  }
  const hasCount = request.count === 3;
  let count = 1;
  if (hasCount) {
    count = readInteger(context, 2, NOT_POSITIVE);
    if (Number.isNaN(count)) return;
    if (count < 0) {
      reply.error(NOT_POSITIVE);
      return;
    }
  }
  const record = findListForUpdate(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    if (hasCount) reply.nullArray();
    else reply.nullBulk();
  } else if (!hasCount) {
    popOne(context, 1, record, isHead);
  } else if (count === 0) {
    reply.array(0);
  } else {
    popMany(context, 1, record, isHead, count);
  }
}

// ---- reading ----------------------------------------------------------------------------------------------------------

/** Replies with `count` elements from the cursor on. hot path */
function replyForwards(context: CommandContext, lists: Lists, count: number): void {
  const { reply } = context;
  const { listpack } = lists;
  for (;;) {
    const bytes = lists.blob;
    let at = lists.at;
    const here = Math.min(lists.entries - lists.place, count);
    if (lists.plainLength >= 0) {
      reply.bulk(bytes, at, lists.plainLength);
    } else {
      for (let index = 0; index < here; index++) {
        const first = bytes[at]!;
        if (first >= 0x80 && first < 0xc0) {
          // A short text: most elements are, and they need no second look.
          reply.bulk(bytes, at + 1, first & 0x3f);
          at += 2 + (first & 0x3f);
          continue;
        }
        listpack.read(bytes, at);
        reply.bulk(listpack.valueBytes, listpack.valueStart, listpack.valueLength);
        at = nextEntry(bytes, at);
      }
    }
    count -= here;
    if (count === 0) return;
    lists.nextListpack();
  }
}

/** As `replyForwards`, towards the head. */
function replyBackwards(context: CommandContext, lists: Lists, count: number): void {
  const { reply } = context;
  const { listpack } = lists;
  for (;;) {
    const bytes = lists.blob;
    let at = lists.at;
    const here = Math.min(lists.place + 1, count);
    if (lists.plainLength >= 0) {
      reply.bulk(bytes, at, lists.plainLength);
    } else {
      for (let index = 0; index < here; index++) {
        listpack.read(bytes, at);
        reply.bulk(listpack.valueBytes, listpack.valueStart, listpack.valueLength);
        if (index + 1 < here) at = previousEntry(bytes, at);
      }
    }
    count -= here;
    if (count === 0) return;
    lists.previousListpack();
  }
}

function range(context: CommandContext): void {
  const { reply, keyspace } = context;
  let start = readInteger(context, 2);
  if (Number.isNaN(start)) return;
  let stop = readInteger(context, 3);
  if (Number.isNaN(stop)) return;
  const record = findList(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.array(0);
    return;
  }
  const { lists } = keyspace;
  const has = lists.length(record);
  if (start < 0) start = Math.max(start + has, 0);
  if (stop < 0) stop += has;
  if (stop >= has) stop = has - 1;
  if (start > stop) {
    reply.array(0);
    return;
  }
  const count = stop - start + 1;
  reply.array(count);
  lists.seek(record, start);
  replyForwards(context, lists, count);
}

function index(context: CommandContext): void {
  const { reply, keyspace } = context;
  const record = findList(context, 1);
  if (record === NO_LIST) return;
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const place = readInteger(context, 2);
  if (Number.isNaN(place)) return;
  const { lists } = keyspace;
  const has = lists.length(record);
  if (place >= has || place < -has) {
    reply.nullBulk();
    return;
  }
  lists.seek(record, place);
  lists.read();
  reply.bulk(lists.valueBytes, lists.valueStart, lists.valueLength);
}

function length(context: CommandContext): void {
  const record = findList(context, 1);
  if (record !== NO_LIST) context.reply.integer(record === 0 ? 0 : context.keyspace.lists.length(record));
}

/** One key from which elements are taken. */
export const KEY_TAKEN = [keyAt(1, "RW", "access", "delete")];

export const LIST_COMMANDS: CommandTable = {
  LPUSH: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["list"],
    keys: KEY_APPEND,
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element.",
    summary: "Puts elements one after the other at the head of a list, which is made when it is absent.",
    arguments: "key element [element ...]",
    history: [["2.4.0", "Several elements at once."]],
    run: (context) => push(context, true, true),
  },
  RPUSH: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["list"],
    keys: KEY_APPEND,
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element.",
    summary: "Puts elements one after the other at the tail of a list, which is made when it is absent.",
    arguments: "key element [element ...]",
    history: [["2.4.0", "Several elements at once."]],
    run: (context) => push(context, false, true),
  },
  LPUSHX: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["list"],
    keys: KEY_APPEND,
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element.",
    summary: "Puts elements one after the other at the head of a list that is there.",
    arguments: "key element [element ...]",
    history: [["4.0.0", "Several elements at once."]],
    run: (context) => push(context, true, false),
  },
  RPUSHX: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["list"],
    keys: KEY_APPEND,
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element.",
    summary: "Puts elements one after the other at the tail of a list that is there.",
    arguments: "key element [element ...]",
    history: [["4.0.0", "Several elements at once."]],
    run: (context) => push(context, false, false),
  },
  LPOP: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["list"],
    keys: KEY_TAKEN,
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements that are returned.",
    summary: "Takes the first element, or several, off a list and returns them.",
    arguments: "key [count]",
    history: [["6.2.0", "The argument `count`."]],
    run: (context) => pop(context, true),
  },
  RPOP: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["list"],
    keys: KEY_TAKEN,
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements that are returned.",
    summary: "Takes the last element, or several, off a list and returns them, the last one first.",
    arguments: "key [count]",
    history: [["6.2.0", "The argument `count`."]],
    run: (context) => pop(context, false),
  },
  LLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["list"],
    keys: KEY_METADATA,
    since: "1.0.0",
    group: "list",
    complexity: "O(1)",
    summary: "Returns how many elements a list has, 0 when it is absent.",
    arguments: "key",
    run: length,
  },
  LINDEX: {
    arity: 3,
    flags: ["readonly"],
    acl: ["list"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of nodes between the element and the nearer end; O(1) at the ends.",
    summary: "Returns the element at an index; negative ones count from the tail.",
    arguments: "key index",
    run: index,
  },
  LRANGE: {
    arity: 4,
    flags: ["readonly"],
    acl: ["list"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "list",
    complexity:
      "O(S+N) where S is the number of nodes between the first element and the nearer end, N the number of elements.",
    summary: "Returns the elements between two indexes; both count, negative ones from the tail.",
    arguments: "key start stop(integer)",
    run: range,
  },
};
