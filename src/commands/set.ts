/**
 * Sets: SADD, SREM, SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SMOVE, SSCAN.
 *
 *  I1  What a set is made of is known to keyspace.sets alone; here members are argument indexes.
 *  I2  A set that has lost its last member is deleted by the command that took it.
 *  Source: replies and events of redis-server 7.0; encodings of 7.2.
 */

import { WRONG_TYPE } from "../protocol/errors.ts";
import { ENCODING_HASHTABLE, TYPE_SET } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_APPEND, KEY_METADATA, KEY_READ, keyAt } from "./command.ts";
import { EVENT_GENERIC, EVENT_SET } from "./events.ts";
import { readCursor, replyCursor } from "./scan-cursor.ts";
import { replyEmptyScan, ScanOptions, scanTable } from "./scan-options.ts";

/** No record's address: a record takes two units or more, so none starts at the last unit of all. */
export const NO_SET = -1;

/** The set of argument `argument` for a command that reads; 0 when absent, NO_SET when it is none and the error has been written. */
export function findSet(context: CommandContext, argument = 1): number {
  const { request, keyspace } = context;
  const { input, offset, length } = request;
  const record = keyspace.lookupRead(context.database, input, offset[argument]!, length[argument]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_SET) return record;
  context.reply.error(WRONG_TYPE);
  return NO_SET;
}

/** As `findSet`, for a command that will change it. */
export function findSetForUpdate(context: CommandContext, argument = 1): number {
  const { request, keyspace } = context;
  const { input, offset, length } = request;
  const record = keyspace.lookupWrite(context.database, input, offset[argument]!, length[argument]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_SET) return record;
  context.reply.error(WRONG_TYPE);
  return NO_SET;
}

/** hot path */
function addMembers(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const found = findSetForUpdate(context);
  if (found === NO_SET) return;
  const { sets } = keyspace;
  const { input, offset, length, count } = request;
  const members = count - 2;
  let addedCount = 0;
  let index = 2;
  let record = found;
  try {
    if (record === 0) {
      const start = offset[2]!;
      sets.make(database, input, offset[1]!, length[1]!, input, start, length[2]!, members);
      // Inserting a key may move others in the table.
      if (members > 1) keyspace.standOn(database, sets.record);
      addedCount++;
      index++;
    } else if (members > 1) {
      sets.prepare(database, record, members);
    } else {
      sets.record = record;
    }
    record = sets.record;
    for (; index < count; index++) {
      if (sets.add(database, record, input, offset[index]!, length[index]!)) addedCount++;
      record = sets.record;
    }
  } finally {
    // Also when memory was not enough for all of them: those before stay.
    if (addedCount > 0) context.changed(EVENT_SET, "sadd", 1, addedCount);
  }
  reply.integer(addedCount);
}

function removeMembers(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  let record = findSetForUpdate(context);
  if (record === NO_SET) return;
  const { sets } = keyspace;
  let removedCount = 0;
  let isGone = record === 0;
  for (let index = 2; index < request.count && !isGone; index++) {
    if (!sets.remove(database, record, request.input, request.offset[index]!, request.length[index]!)) continue;
    removedCount++;
    record = sets.record;
    isGone = sets.isEmpty(record);
  }
  if (removedCount > 0) {
    if (isGone) keyspace.deleteRecord(database, record);
    context.changed(EVENT_SET, "srem", 1, removedCount);
    if (isGone) context.notify(EVENT_GENERIC, "del", 1);
  }
  reply.integer(removedCount);
}

/** hot path */
function isMember(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const record = findSet(context);
  if (record === NO_SET) return;
  const has = record !== 0 && keyspace.sets.has(record, request.input, request.offset[2]!, request.length[2]!);
  reply.integer(has ? 1 : 0);
}

function areMembers(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const record = findSet(context);
  if (record === NO_SET) return;
  const { sets } = keyspace;
  const { input, offset, length } = request;
  reply.array(request.count - 2);
  for (let index = 2; index < request.count; index++) {
    reply.integer(record !== 0 && sets.has(record, input, offset[index]!, length[index]!) ? 1 : 0);
  }
}

function cardinality(context: CommandContext): void {
  const record = findSet(context);
  if (record !== NO_SET) context.reply.integer(record === 0 ? 0 : context.keyspace.sets.count(record));
}

function members(context: CommandContext): void {
  const record = findSet(context);
  if (record === NO_SET) return;
  if (record === 0) context.reply.set(0);
  else replyAll(context, record);
}

/** Replies with all members of a set. */
export function replyAll(context: CommandContext, record: number): void {
  const { reply, keyspace } = context;
  const { sets } = keyspace;
  reply.set(sets.count(record));
  sets.startWalk(record);
  while (sets.next()) reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
}

function move(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const { input, offset, length } = request;
  const { sets, records } = keyspace;
  const source = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  const target = keyspace.lookupWrite(database, input, offset[2]!, length[2]!);
  if (source === 0) {
    reply.integer(0);
    return;
  }
  if (records.type(source) !== TYPE_SET || (target !== 0 && records.type(target) !== TYPE_SET)) {
    reply.error(WRONG_TYPE);
    return;
  }
  const start = offset[3]!;
  const bytes = length[3]!;
  const isThere = sets.has(source, input, start, bytes);
  if (source === target || !isThere) {
    reply.integer(isThere ? 1 : 0);
    return;
  }
  // First where it goes to: memory may not be enough for that. The lookup of the target was the last one.
  let isNew = true;
  if (target === 0) sets.make(database, input, offset[2]!, length[2]!, input, start, bytes, 1);
  else isNew = sets.add(database, target, input, start, bytes);
  keyspace.standOn(database, source);
  sets.remove(database, source, input, start, bytes);
  const isGone = sets.isEmpty(sets.record);
  if (isGone) keyspace.deleteRecord(database, sets.record);
  context.changed(EVENT_SET, "srem", 1);
  if (isGone) context.notify(EVENT_GENERIC, "del", 1);
  if (isNew) context.changed(EVENT_SET, "sadd", 2);
  reply.integer(1);
}

function scan(context: CommandContext): void {
  const { reply, keyspace } = context;
  const cursor = readCursor(context, 2);
  if (cursor === undefined) return;
  const record = findSet(context);
  if (record === NO_SET) return;
  if (record === 0) {
    replyEmptyScan(context);
    return;
  }
  const options = ScanOptions.read(context, 3);
  if (options === undefined) return;
  const { sets } = keyspace;
  const matches = (): boolean => options.matches(context, sets.valueBytes, sets.valueStart, sets.valueLength);
  let next = 0;
  let found: number[] = [];
  if (keyspace.records.encoding(record) === ENCODING_HASHTABLE) {
    const entries: number[] = [];
    next = scanTable(sets.tables, keyspace.records.externalAddress(record), cursor, options.count, entries);
    found = entries.filter((entry) => {
      sets.readMember(entry);
      return matches();
    });
  } else {
    sets.startWalk(record);
    while (sets.next()) if (matches()) found.push(sets.token);
  }
  replyCursor(reply, next);
  reply.array(found.length);
  for (const token of found) {
    sets.readToken(record, token);
    reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
  }
}

const READS_FAST = { flags: ["readonly", "fast"], acl: ["set"], group: "set", since: "1.0.0" } as const;

export const SET_COMMANDS: CommandTable = {
  SADD: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["set"],
    keys: KEY_APPEND,
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each member.",
    summary: "Adds members to a set, which is made when it is absent; returns how many are new.",
    arguments: "key member [member ...]",
    history: [["2.4.0", "Takes several members."]],
    run: addMembers,
  },
  SCARD: {
    ...READS_FAST,
    arity: 2,
    keys: KEY_METADATA,
    complexity: "O(1)",
    summary: "Returns how many members a set has.",
    arguments: "key",
    run: cardinality,
  },
  SISMEMBER: {
    ...READS_FAST,
    arity: 3,
    keys: KEY_METADATA,
    complexity: "O(1)",
    summary: "Tells whether a set has a member.",
    arguments: "key member",
    run: isMember,
  },
  SMEMBERS: {
    arity: 2,
    flags: ["readonly"],
    acl: ["set"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the number of members.",
    summary: "Returns all members of a set.",
    arguments: "key",
    tips: ["nondeterministic_output_order"],
    run: members,
  },
  SMISMEMBER: {
    ...READS_FAST,
    arity: -3,
    keys: KEY_READ,
    since: "6.2.0",
    complexity: "O(N) where N is the number of members asked for.",
    summary: "Tells for each of several members whether a set has it.",
    arguments: "key member [member ...]",
    run: areMembers,
  },
  SMOVE: {
    arity: 4,
    flags: ["write", "fast"],
    acl: ["set"],
    keys: [keyAt(1, "RW", "access", "delete"), keyAt(2, "RW", "insert")],
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    summary: "Moves a member from one set to another.",
    arguments: "source destination member",
    run: move,
  },
  SREM: {
    arity: -3,
    flags: ["write", "fast"],
    acl: ["set"],
    keys: [keyAt(1, "RW", "delete")],
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the number of members to remove.",
    summary: "Removes members from a set; a set without members is deleted itself.",
    arguments: "key member [member ...]",
    history: [["2.4.0", "Takes several members."]],
    run: removeMembers,
  },
  SSCAN: {
    arity: -3,
    flags: ["readonly"],
    acl: ["set"],
    keys: KEY_READ,
    since: "2.8.0",
    group: "set",
    complexity: "O(1) for each call, O(N) for all calls until the cursor is 0 again, where N is the number of members.",
    summary: "Returns some members of a set and a cursor at which to go on.",
    arguments: "key cursor [MATCH pattern] [COUNT count]",
    tips: ["nondeterministic_output"],
    run: scan,
  },
};
