/**
 * Hashes: HSET, HSETNX, HMSET, HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS, HDEL.
 *
 *  I1  What a hash is made of is known to keyspace.hashes alone; here fields and values are argument indexes.
 *  I2  A hash that has lost its last field is deleted by the command that took it.
 *  Source: replies and events of redis-server 7.0; encodings of 7.2.
 */

import { ReplyError, WRONG_TYPE } from "../protocol/errors.ts";
import { TYPE_HASH } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_METADATA, KEY_MODIFY, KEY_READ, keyAt } from "./command.ts";
import { EVENT_GENERIC, EVENT_HASH } from "./events.ts";

/** No record's address: a record takes two units or more, so none starts at the last unit of all. */
export const NO_HASH = -1;

const HSET_ARITY = new ReplyError("ERR wrong number of arguments for 'hset' command");
const HMSET_ARITY = new ReplyError("ERR wrong number of arguments for 'hmset' command");

/** The hash of argument 1 for a command that reads; 0 when absent, NO_HASH when it is none and the error has been written. */
export function findHash(context: CommandContext): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_HASH) return record;
  context.reply.error(WRONG_TYPE);
  return NO_HASH;
}

/** As `findHash`, for a command that will change it. */
export function findHashForUpdate(context: CommandContext): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupWrite(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_HASH) return record;
  context.reply.error(WRONG_TYPE);
  return NO_HASH;
}

/** Sets the pair at argument `index` in the hash `record`, or makes the hash (0). Returns whether the field is new. hot path */
function setPair(context: CommandContext, record: number, index: number): boolean {
  const { request, keyspace, database } = context;
  const { input, offset, length } = request;
  const fieldStart = offset[index]!;
  const fieldLength = length[index]!;
  const valueStart = offset[index + 1]!;
  const valueLength = length[index + 1]!;
  const { hashes } = keyspace;
  if (record === 0) {
    const keyStart = offset[1]!;
    const keyLength = length[1]!;
    hashes.add(database, input, keyStart, keyLength, input, fieldStart, fieldLength, input, valueStart, valueLength);
    return true;
  }
  return hashes.set(database, record, input, fieldStart, fieldLength, input, valueStart, valueLength);
}

/** Sets all pairs from argument 2 on; returns how many fields are new. */
function setPairs(context: CommandContext, found: number): number {
  const { request, keyspace, database } = context;
  const { hashes } = keyspace;
  const pairs = (request.count - 2) >>> 1;
  let record = found;
  let madeCount = 0;
  let index = 2;
  try {
    if (pairs > keyspace.encodingLimits.hashListpackEntries && record !== 0) {
      hashes.turnIntoTable(database, record, pairs);
      record = hashes.record;
    }
    for (; index < request.count; index += 2) {
      if (setPair(context, record, index)) madeCount++;
      if (record === 0 && pairs > 1) {
        // Inserting a key may move others in the table.
        keyspace.standOn(database, hashes.record);
        if (pairs > keyspace.encodingLimits.hashListpackEntries) hashes.turnIntoTable(database, hashes.record, pairs);
      }
      record = hashes.record;
    }
  } finally {
    // Also when memory was not enough for all of them: those before stay.
    if (index > 2) context.changed(EVENT_HASH, "hset", 1, (index - 2) >>> 1);
  }
  return madeCount;
}

/** hot path */
function setFields(context: CommandContext): void {
  if ((context.request.count & 1) !== 0) {
    context.reply.error(HSET_ARITY);
    return;
  }
  const record = findHashForUpdate(context);
  if (record !== NO_HASH) context.reply.integer(setPairs(context, record));
}

function setManyFields(context: CommandContext): void {
  if ((context.request.count & 1) !== 0) {
    context.reply.error(HMSET_ARITY);
    return;
  }
  const record = findHashForUpdate(context);
  if (record === NO_HASH) return;
  setPairs(context, record);
  context.reply.ok();
}

function setNewField(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const record = findHashForUpdate(context);
  if (record === NO_HASH) return;
  if (record !== 0 && keyspace.hashes.find(record, request.input, request.offset[2]!, request.length[2]!)) {
    reply.integer(0);
    return;
  }
  setPair(context, record, 2);
  context.changed(EVENT_HASH, "hset", 1);
  reply.integer(1);
}

/** Writes the value of the field in argument `index`. hot path */
function replyField(context: CommandContext, record: number, index: number): void {
  const { request, reply } = context;
  const { hashes } = context.keyspace;
  if (record !== 0 && hashes.find(record, request.input, request.offset[index]!, request.length[index]!)) {
    reply.bulk(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
  } else {
    reply.nullBulk();
  }
}

function getField(context: CommandContext): void {
  const record = findHash(context);
  if (record !== NO_HASH) replyField(context, record, 2);
}

function getManyFields(context: CommandContext): void {
  const { request, reply } = context;
  const record = findHash(context);
  if (record === NO_HASH) return;
  reply.array(request.count - 2);
  for (let index = 2; index < request.count; index++) replyField(context, record, index);
}

function getAll(context: CommandContext): void {
  const { reply, keyspace } = context;
  const record = findHash(context);
  if (record === NO_HASH) return;
  if (record === 0) {
    reply.map(0);
    return;
  }
  const { hashes } = keyspace;
  reply.map(hashes.count(record));
  hashes.startWalk(record);
  while (hashes.next()) {
    reply.bulk(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
    reply.bulk(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
  }
}

function getNames(context: CommandContext): void {
  const { reply, keyspace } = context;
  const record = findHash(context);
  if (record === NO_HASH) return;
  const { hashes } = keyspace;
  reply.array(record === 0 ? 0 : hashes.count(record));
  if (record === 0) return;
  hashes.startWalk(record);
  while (hashes.next()) reply.bulk(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
}

function getValues(context: CommandContext): void {
  const { reply, keyspace } = context;
  const record = findHash(context);
  if (record === NO_HASH) return;
  const { hashes } = keyspace;
  reply.array(record === 0 ? 0 : hashes.count(record));
  if (record === 0) return;
  hashes.startWalk(record);
  while (hashes.next()) reply.bulk(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
}

function fieldCount(context: CommandContext): void {
  const record = findHash(context);
  if (record !== NO_HASH) context.reply.integer(record === 0 ? 0 : context.keyspace.hashes.count(record));
}

function hasField(context: CommandContext, record: number): boolean {
  const { request } = context;
  return record !== 0 && context.keyspace.hashes.find(record, request.input, request.offset[2]!, request.length[2]!);
}

function valueLength(context: CommandContext): void {
  const record = findHash(context);
  if (record === NO_HASH) return;
  context.reply.integer(hasField(context, record) ? context.keyspace.hashes.valueLength : 0);
}

function fieldExists(context: CommandContext): void {
  const record = findHash(context);
  if (record !== NO_HASH) context.reply.integer(hasField(context, record) ? 1 : 0);
}

function deleteFields(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  let record = findHashForUpdate(context);
  if (record === NO_HASH) return;
  if (record === 0) {
    reply.integer(0);
    return;
  }
  const { hashes } = keyspace;
  let deletedCount = 0;
  let isGone = false;
  for (let index = 2; index < request.count && !isGone; index++) {
    if (!hashes.remove(database, record, request.input, request.offset[index]!, request.length[index]!)) continue;
    deletedCount++;
    record = hashes.record;
    isGone = hashes.isEmpty(record);
  }
  if (isGone) keyspace.deleteRecord(database, record);
  if (deletedCount > 0) {
    context.changed(EVENT_HASH, "hdel", 1, deletedCount);
    if (isGone) context.notify(EVENT_GENERIC, "del", 1);
  }
  reply.integer(deletedCount);
}

const WRITES_FAST = { flags: ["write", "denyoom", "fast"], acl: ["hash"], group: "hash", since: "2.0.0" } as const;
const READS_FAST = { flags: ["readonly", "fast"], acl: ["hash"], group: "hash", since: "2.0.0" } as const;
const READS_ALL = {
  arity: 2,
  flags: ["readonly"],
  acl: ["hash"],
  keys: KEY_READ,
  group: "hash",
  since: "2.0.0",
  complexity: "O(N) where N is the number of fields.",
  arguments: "key",
  tips: ["nondeterministic_output_order"],
} as const;
const ONE_PAIR = "O(1) for each field";

export const HASH_COMMANDS: CommandTable = {
  HDEL: {
    arity: -3,
    flags: ["write", "fast"],
    acl: ["hash"],
    keys: [keyAt(1, "RW", "delete")],
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields to delete.",
    summary: "Deletes fields of a hash; a hash without fields is deleted itself.",
    arguments: "key field [field ...]",
    history: [["2.4.0", "Takes several fields."]],
    run: deleteFields,
  },
  HEXISTS: {
    ...READS_FAST,
    arity: 3,
    keys: KEY_METADATA,
    complexity: "O(1)",
    summary: "Tells whether a hash has a field.",
    arguments: "key field",
    run: fieldExists,
  },
  HGET: {
    ...READS_FAST,
    arity: 3,
    keys: KEY_READ,
    complexity: "O(1)",
    summary: "Returns the value of a field of a hash.",
    arguments: "key field",
    run: getField,
  },
  HGETALL: {
    ...READS_ALL,
    summary: "Returns all fields of a hash with their values.",
    run: getAll,
  },
  HKEYS: {
    ...READS_ALL,
    summary: "Returns the names of all fields of a hash.",
    run: getNames,
  },
  HLEN: {
    ...READS_FAST,
    arity: 2,
    keys: KEY_METADATA,
    complexity: "O(1)",
    summary: "Returns how many fields a hash has.",
    arguments: "key",
    run: fieldCount,
  },
  HMGET: {
    ...READS_FAST,
    arity: -3,
    keys: KEY_READ,
    complexity: "O(N) where N is the number of fields asked for.",
    summary: "Returns the values of several fields of a hash.",
    arguments: "key field [field ...]",
    run: getManyFields,
  },
  HMSET: {
    ...WRITES_FAST,
    arity: -4,
    keys: KEY_MODIFY,
    complexity: `${ONE_PAIR}.`,
    summary: "Sets several fields of a hash: the older name of HSET.",
    arguments: "key field value [field value ...]",
    deprecated: { since: "4.0.0", replacedBy: "`HSET` with multiple field-value pairs" },
    run: setManyFields,
  },
  HSET: {
    ...WRITES_FAST,
    arity: -4,
    keys: KEY_MODIFY,
    complexity: `${ONE_PAIR}.`,
    summary: "Sets fields of a hash, which is made when it is absent; returns how many are new.",
    arguments: "key field value [field value ...]",
    history: [["4.0.0", "Takes several pairs of field and value."]],
    run: setFields,
  },
  HSETNX: {
    ...WRITES_FAST,
    arity: 4,
    keys: [keyAt(1, "RW", "insert")],
    complexity: "O(1)",
    summary: "Sets a field of a hash unless it is there already.",
    arguments: "key field value",
    run: setNewField,
  },
  HSTRLEN: {
    ...READS_FAST,
    arity: 3,
    keys: KEY_METADATA,
    since: "3.2.0",
    complexity: "O(1)",
    summary: "Returns the length of the value of a field of a hash in bytes.",
    arguments: "key field",
    run: valueLength,
  },
  HVALS: {
    ...READS_ALL,
    summary: "Returns the values of all fields of a hash.",
    run: getValues,
  },
};
