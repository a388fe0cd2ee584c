/**
 * Whole databases: SELECT, SWAPDB, FLUSHDB, FLUSHALL, DBSIZE.
 *
 *  I1  Emptying costs the same however much there is; ASYNC and SYNC differ in nothing that a client sees.
 *  Source: replies of redis-server 7.0.
 */

import { DB_INDEX_OUT_OF_RANGE, ReplyError, SYNTAX } from "../protocol/errors.ts";
import { readDatabase, readInt32 } from "./arguments.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { recordRequest } from "./effects.ts";

const INVALID_FIRST_INDEX = new ReplyError("ERR invalid first DB index");
const INVALID_SECOND_INDEX = new ReplyError("ERR invalid second DB index");

function select(context: CommandContext): void {
  const database = readDatabase(context, 1);
  if (database === undefined) return;
  context.client.databaseIndex = database.index;
  context.database = database;
  context.reply.ok();
}

function swap(context: CommandContext): void {
  const { keyspace, reply } = context;
  const first = readInt32(context, 1, INVALID_FIRST_INDEX);
  if (Number.isNaN(first)) return;
  const second = readInt32(context, 2, INVALID_SECOND_INDEX);
  if (Number.isNaN(second)) return;
  const left = keyspace.databases[first];
  const right = keyspace.databases[second];
  if (left === undefined || right === undefined) {
    reply.error(DB_INDEX_OUT_OF_RANGE);
    return;
  }
  if (left !== right) {
    context.touchedDatabase(left, right);
    context.touchedDatabase(right, left);
    keyspace.swap(left, right);
  }
  keyspace.dirty++;
  reply.ok();
}

/** False when what follows FLUSHDB or FLUSHALL is not one of its two words: the error has been written. */
function acceptsMode(context: CommandContext): boolean {
  const { request, reply } = context;
  if (request.count === 1) return true;
  if (request.count === 2 && (request.is(1, "ASYNC") || request.is(1, "SYNC"))) return true;
  reply.error(SYNTAX);
  return false;
}

function flushDatabase(context: CommandContext): void {
  if (!acceptsMode(context)) return;
  context.touchedDatabase(context.database, undefined);
  context.keysFlushed();
  context.keyspace.dirty += context.keyspace.flush(context.database);
  // Also when there was nothing: whoever reads the log must not depend on that.
  if (context.log.isRecording) recordRequest(context);
  context.reply.ok();
}

function flushAll(context: CommandContext): void {
  if (!acceptsMode(context)) return;
  for (const database of context.keyspace.databases) context.touchedDatabase(database, undefined);
  context.keysFlushed();
  context.keyspace.dirty += context.keyspace.flushAll();
  if (context.log.isRecording) recordRequest(context);
  context.reply.ok();
}

function countKeys(context: CommandContext): void {
  context.reply.integer(context.keyspace.keyCount(context.database));
}

const FLUSHING = {
  arity: -1,
  flags: ["write"],
  acl: ["keyspace", "dangerous"],
  group: "server",
  since: "1.0.0",
  complexity: "O(1): the memory is given back afterwards.",
  arguments: "[flush-type=ASYNC|SYNC]",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  history: [
    ["4.0.0", "Takes `ASYNC`."],
    ["6.2.0", "Takes `SYNC`."],
  ],
} as const;

export const DATABASE_COMMANDS: CommandTable = {
  DBSIZE: {
    arity: 1,
    flags: ["readonly", "fast"],
    acl: ["keyspace"],
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    summary: "Returns how many keys the database has.",
    tips: ["request_policy:all_shards", "response_policy:agg_sum"],
    run: countKeys,
  },
  FLUSHALL: {
    ...FLUSHING,
    summary: "Deletes all keys of all databases.",
    run: flushAll,
  },
  FLUSHDB: {
    ...FLUSHING,
    summary: "Deletes all keys of the database.",
    run: flushDatabase,
  },
  SELECT: {
    arity: 2,
    flags: ["loading", "stale", "fast"],
    acl: ["connection"],
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    summary: "Chooses the database that the client works with.",
    arguments: "index",
    run: select,
  },
  SWAPDB: {
    arity: 3,
    flags: ["write", "fast"],
    acl: ["keyspace", "dangerous"],
    since: "4.0.0",
    group: "server",
    complexity: "O(N) where N is the number of clients that watch or wait for keys of the two databases.",
    summary: "Exchanges the contents of two databases for all clients at once.",
    arguments: "index1 index2",
    run: swap,
  },
};
