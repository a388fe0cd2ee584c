/**
 * The part of DEBUG that looks at keys and tables: OBJECT, SDSLEN, DIGEST-VALUE, HTSTATS, LISTPACK, QUICKLIST, STRUCTSIZE.
 *
 *  I1  Looking changes nothing: no access clock, no statistics.
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext } from "../../commands/command.ts";
import { RdbEncoder } from "../../history/formats/rdb-encoder.ts";
import { RdbFinisher } from "../../history/formats/rdb-finisher.ts";
import { ValueWriter } from "../../history/snapshot/value-writer.ts";
import { NO_SUCH_KEY, NOT_AN_INTEGER, ReplyError } from "../../protocol/errors.ts";
import {
  ENCODING_HASHTABLE,
  ENCODING_INT,
  ENCODING_LISTPACK,
  ENCODING_NAMES,
  ENCODING_QUICKLIST,
  ENCODING_SKIPLIST,
  TYPE_HASH,
  TYPE_STRING,
} from "../../store/keyspace/record.ts";
import { digestOfValue } from "../digest.ts";
import type { Server } from "../server.ts";

const NO_SUCH_DATABASE = new ReplyError("ERR Out of range database");
const NO_HASH_TABLE = new ReplyError(
  "ERR The value stored at the specified key is not represented using an hash table",
);
const NO_LISTPACK = new ReplyError("ERR Not a listpack encoded object.");
const NO_QUICKLIST = new ReplyError("ERR Not a quicklist encoded object.");
const NO_SDS = new ReplyError("ERR Not an sds encoded string.");

/** A string of n bytes takes at most this much more in a file. */
const HEAD_BYTES_MAX = 16;
/** Numbers below are shared between keys in Redis, which shows as this count of references. */
const SHARED_MAX = 10_000;
const SHARED_REFERENCES = 0x7fffffff;
const CHAIN_LENGTHS_MAX = 50;

/** The record of argument `argument`; 0 when there is none, and the error has been written. */
function find({ keyspace }: Server, context: CommandContext, argument: number): number {
  const record = keyspace.lookupSilently(context.database, context.request.copy(argument));
  if (record === 0) context.reply.error(NO_SUCH_KEY);
  return record;
}

/** DEBUG OBJECT key */
export function object(server: Server, context: CommandContext): void {
  const record = find(server, context, 2);
  if (record === 0) return;
  const { records, clock } = server.keyspace;
  const encoding = records.encoding(record);
  const access = records.access(record);
  const fields = [
    `Value at:0x${(record >>> 0).toString(16).padStart(12, "0")}`,
    `refcount:${referenceCount(server, record)}`,
    `encoding:${ENCODING_NAMES[encoding] ?? "unknown"}`,
    `serializedlength:${serializedBytes(server, record)}`,
    `lru:${access}`,
    `lru_seconds_idle:${clock.idleSeconds(access)}`,
  ];
  if (encoding === ENCODING_QUICKLIST) fields.push(...nodeFields(server, record));
  context.reply.simple(fields.join(" "));
}

/** What DEBUG OBJECT says about the nodes of a quicklist. */
function nodeFields({ keyspace }: Server, record: number): readonly string[] {
  const { lists, encodingLimits } = keyspace;
  const nodes = lists.nodesOf(keyspace.records.externalAddress(record));
  let bytes = 0;
  for (const node of nodes) {
    lists.view(node);
    bytes += lists.valueLength;
  }
  return [
    `ql_nodes:${nodes.length}`,
    `ql_avg_node:${(lists.length(record) / nodes.length).toFixed(2)}`,
    `ql_listpack_max:${encodingLimits.listNodeSize}`,
    `ql_compressed:${encodingLimits.listCompressDepth === 0 ? 0 : 1}`,
    `ql_uncompressed_size:${bytes}`,
  ];
}

function referenceCount({ keyspace, eviction, memory }: Server, record: number): number {
  if (keyspace.records.encoding(record) !== ENCODING_INT) return 1;
  // With an LRU or LFU limit every number has a clock of its own and is not shared.
  if (memory.limitBytes > 0 && /-l[rf]u$/.test(eviction.policy)) return 1;
  keyspace.readValue(record);
  const { valueBytes, valueStart, valueLength } = keyspace;
  const value = Number(Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString("latin1"));
  return value >= 0 && value < SHARED_MAX ? SHARED_REFERENCES : 1;
}

/** Bytes of the value, without type and key, in an RDB file. */
function serializedBytes({ keyspace, snapshots }: Server, record: number): number {
  const { records } = keyspace;
  const encoder = new RdbEncoder((records.isStructure(record) ? 0 : records.valueLength(record)) + HEAD_BYTES_MAX);
  if (records.type(record) === TYPE_STRING) {
    keyspace.readValue(record);
    encoder.string(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  } else {
    new ValueWriter(keyspace).write(encoder, record);
  }
  const { buffer, length, notes, noteCount } = encoder.takeChunk();
  const finisher = new RdbFinisher({ compression: snapshots.settings.compression, checksum: false });
  return finisher.finish(buffer, length, notes, noteCount).length;
}

/** DEBUG SDSLEN key: lengths, what is free behind them, and the cells of key and value. */
export function stringLengths(server: Server, context: CommandContext): void {
  const record = find(server, context, 2);
  if (record === 0) return;
  const { records, arena } = server.keyspace;
  if (records.type(record) !== TYPE_STRING || records.encoding(record) === ENCODING_INT) {
    context.reply.error(NO_SDS);
    return;
  }
  const isExternal = records.flags(record) < 0;
  const valueBytes = records.valueLength(record);
  const cellBytes = isExternal ? arena.capacity(records.externalAddress(record)) : valueBytes;
  context.reply.simple(
    `key_sds_len:${records.keyLength(record)}, key_sds_avail:0, key_zmalloc: ${arena.capacity(record)}, val_sds_len:${valueBytes}, val_sds_avail:${cellBytes - valueBytes}, val_zmalloc: ${isExternal ? cellBytes : 0}`,
  );
}

/** DEBUG DIGEST-VALUE key [key ...]: of keys whose time is over, too, as long as they are there. */
export function digestValues({ keyspace }: Server, { request, reply, database }: CommandContext): void {
  reply.array(request.count - 2);
  for (let argument = 2; argument < request.count; argument++) {
    const record = keyspace.lookupSilently(database, request.copy(argument));
    reply.simple(digestOfValue(keyspace, record));
  }
}

/** DEBUG HTSTATS dbid [full] */
export function hashTables({ keyspace }: Server, { request, reply }: CommandContext): void {
  const index = request.integer(2);
  if (Number.isNaN(index)) return reply.error(NOT_AN_INTEGER);
  const database = keyspace.databases[index];
  if (database === undefined) return reply.error(NO_SUCH_DATABASE);
  const texts = [
    "[Dictionary HT]\n",
    tableText(keyspace.tables.chainLengths(database.table)),
    "[Expires HT]\n",
    tableText(keyspace.tables.chainLengths(database.expires)),
  ];
  reply.verbatim(texts.join(""), "txt");
}

/** The real server's page for one table; a chain here is a bucket's, which is meant to hold about nine records. */
function tableText(chainLengths: readonly number[]): string {
  let chains = 0;
  let records = 0;
  chainLengths.forEach((count, length) => {
    chains += count;
    records += count * length;
  });
  const title = "Hash table 0 stats (main hash table):\n";
  if (records === 0) return `${title}No stats available for empty dictionaries\n`;
  const used = chains - chainLengths[0]!;
  const lines = [
    ` table size: ${chains}`,
    ` number of elements: ${records}`,
    ` different slots: ${used}`,
    ` max chain length: ${chainLengths.length - 1}`,
    ` avg chain length (counted): ${(records / used).toFixed(2)}`,
    ` avg chain length (computed): ${(records / used).toFixed(2)}`,
    " Chain length distribution:",
  ];
  for (let length = 0; length < Math.min(chainLengths.length, CHAIN_LENGTHS_MAX); length++) {
    const count = chainLengths[length]!;
    if (count === 0) continue;
    lines.push(`   ${length}: ${count} (${((count * 100) / chains).toFixed(2)}%)`);
  }
  return `${title}${lines.join("\n")}\n`;
}

/** DEBUG HTSTATS-KEY key [full] */
export function hashTableOfKey(server: Server, context: CommandContext): void {
  const record = find(server, context, 2);
  if (record === 0) return;
  const { records, fields, members, scored, sortedSets } = server.keyspace;
  const encoding = records.encoding(record);
  if (encoding !== ENCODING_HASHTABLE && encoding !== ENCODING_SKIPLIST) return context.reply.error(NO_HASH_TABLE);
  const root = records.externalAddress(record);
  let lengths: readonly number[];
  if (encoding === ENCODING_SKIPLIST) lengths = scored.chainLengths(sortedSets.tableOf(root));
  else lengths = (records.type(record) === TYPE_HASH ? fields : members).chainLengths(root);
  context.reply.verbatim(tableText(lengths), "txt");
}

/** DEBUG LISTPACK key: the real server prints to its standard output, where nobody sees it. */
export function listpack(server: Server, context: CommandContext): void {
  const record = find(server, context, 2);
  if (record === 0) return;
  if (server.keyspace.records.encoding(record) !== ENCODING_LISTPACK) context.reply.error(NO_LISTPACK);
  else context.reply.simple("Listpack structure printed on stdout");
}

/** DEBUG QUICKLIST key [0|1]: see `listpack`. */
export function quicklist(server: Server, context: CommandContext): void {
  const record = find(server, context, 2);
  if (record === 0) return;
  if (server.keyspace.records.encoding(record) !== ENCODING_QUICKLIST) context.reply.error(NO_QUICKLIST);
  else context.reply.simple("Quicklist structure printed on stdout");
}

/** DEBUG STRUCTSIZE: bytes of our own structures. */
export function structureSizes(_: Server, { reply }: CommandContext): void {
  reply.simple("bits:64 record:8 record_expiry:8 record_external:8 bucket:64 table:128 unit:8 frame:4096 ");
}
