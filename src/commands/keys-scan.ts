/**
 * Walking over keys: KEYS, SCAN, RANDOMKEY.
 *
 *      SCAN cursor ──► tables.scan: one or two chains a step ──► not expired ──► MATCH, TYPE ──► reply
 *
 *  I1  A key that is there from the first SCAN to the one that answers 0 is told at least once.
 *  I2  COUNT counts what was looked at, not what is told.
 *  Source: replies of redis-server 7.0.
 */

import { globMatch } from "../core/glob.ts";
import { SYNTAX } from "../protocol/errors.ts";
import { RecordList } from "../store/encodings/hash-table.ts";
import { TYPE_NAMES } from "../store/keyspace/record.ts";
import { readInteger } from "./arguments.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { readCursor, replyCursor } from "./scan-cursor.ts";

const DEFAULT_COUNT = 10;
/** Steps of a SCAN for each key that COUNT asks for, while nothing is found. */
const STEPS_PER_KEY = 10;

/** Whether argument `index` is the pattern that every key matches. */
function isStar(context: CommandContext, index: number): boolean {
  return context.request.is(index, "*");
}

/** Whether the record's key matches the pattern in argument `index`. */
function matches(context: CommandContext, record: number, index: number): boolean {
  const { request, keyspace } = context;
  const { records } = keyspace;
  return globMatch(
    request.input,
    request.offset[index]!,
    request.length[index]!,
    records.view(record),
    records.keyStart(record),
    records.keyLength(record),
    false,
  );
}

function replyKeys(context: CommandContext, found: readonly number[]): void {
  const { reply, keyspace } = context;
  const { records } = keyspace;
  reply.array(found.length);
  for (let index = 0; index < found.length; index++) {
    const record = found[index]!;
    reply.bulk(records.view(record), records.keyStart(record), records.keyLength(record));
  }
}

function keys(context: CommandContext): void {
  const { keyspace, database } = context;
  const { tables } = keyspace;
  const matchesAll = isStar(context, 1);
  const chain = new RecordList();
  const found: number[] = [];
  const buckets = tables.bucketCount(database.table);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const count = tables.readChain(tables.bucketAt(database.table, bucket), chain);
    for (let index = 0; index < count; index++) {
      const record = chain.records[index]!;
      if ((matchesAll || matches(context, record, 1)) && !keyspace.isExpired(record)) found.push(record);
    }
  }
  replyKeys(context, found);
}

function scan(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const cursor = readCursor(context, 1);
  if (cursor === undefined) return;
  let count = DEFAULT_COUNT;
  let patternIndex = 0;
  let typeIndex = 0;
  for (let index = 2; index < request.count; index += 2) {
    const hasValue = index + 1 < request.count;
    if (hasValue && request.is(index, "COUNT")) {
      count = readInteger(context, index + 1);
      if (Number.isNaN(count)) return;
      if (count >= 1) continue;
    } else if (hasValue && request.is(index, "MATCH")) {
      patternIndex = isStar(context, index + 1) ? 0 : index + 1;
      continue;
    } else if (hasValue && request.is(index, "TYPE")) {
      typeIndex = index + 1;
      continue;
    }
    reply.error(SYNTAX);
    return;
  }
  const found: number[] = [];
  const next = scanSteps(context, cursor, count, found);
  const told = found.filter((record) => {
    if (patternIndex !== 0 && !matches(context, record, patternIndex)) return false;
    if (typeIndex !== 0 && !request.is(typeIndex, TYPE_NAMES[keyspace.records.type(record)]!.toUpperCase()))
      return false;
    return isAlive(context, record);
  });
  replyCursor(reply, next);
  replyKeys(context, told);
}

/** Whether the record's time is not over; one whose time is over is deleted. */
function isAlive(context: CommandContext, record: number): boolean {
  const { keyspace, database } = context;
  if (!keyspace.isExpired(record)) return true;
  const { records } = keyspace;
  return keyspace.has(database, records.view(record), records.keyStart(record), records.keyLength(record));
}

/** Collects the records of as many chains as `count` asks for; returns the next cursor. */
function scanSteps(context: CommandContext, cursor: number, count: number, found: number[]): number {
  const { keyspace, database } = context;
  const { tables } = keyspace;
  const chain = new RecordList();
  const collect = (home: number): void => {
    const records = tables.readChain(home, chain);
    for (let index = 0; index < records; index++) found.push(chain.records[index]!);
  };
  let steps = count * STEPS_PER_KEY;
  let next = cursor;
  do {
    next = tables.scan(database.table, next, collect);
  } while (next !== 0 && --steps > 0 && found.length < count);
  return next;
}

function randomKey(context: CommandContext): void {
  const { keyspace, reply, random } = context;
  const { records } = keyspace;
  const record = keyspace.randomKey(context.database, () => random.uint32());
  if (record === 0) reply.nullBulk();
  else reply.bulk(records.view(record), records.keyStart(record), records.keyLength(record));
}

export const KEY_SCAN_COMMANDS: CommandTable = {
  KEYS: {
    arity: 2,
    flags: ["readonly"],
    acl: ["keyspace", "dangerous"],
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys in the database.",
    summary: "Returns all keys that match a pattern.",
    arguments: "pattern",
    tips: ["request_policy:all_shards", "nondeterministic_output_order"],
    run: keys,
  },
  RANDOMKEY: {
    arity: 1,
    flags: ["readonly"],
    acl: ["keyspace"],
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    summary: "Returns a key of the database by chance.",
    tips: ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    run: randomKey,
  },
  SCAN: {
    arity: -2,
    flags: ["readonly"],
    acl: ["keyspace"],
    since: "2.8.0",
    group: "generic",
    complexity: "O(1) for each call, O(N) for all calls until the cursor is 0 again, where N is the number of keys.",
    summary: "Returns some keys of the database and a cursor at which to go on.",
    arguments: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    tips: ["nondeterministic_output", "request_policy:special", "response_policy:special"],
    history: [["6.0.0", "Takes `TYPE`."]],
    run: scan,
  },
};
