/**
 * BITOP: AND, OR and XOR of several strings, NOT of one, stored as a string.
 *
 *      source 1   [ a a a a a a ]
 *      source 2   [ b b b ]0 0 0          shorter ones count as if zeros followed
 *      result     [ a·b  · a·0  ]         as long as the longest; when all are empty the target is deleted
 *
 *  I1  The result is made outside the arena: the target may be one of the sources.
 *  Source: replies of redis-server 7.0.
 */

import { type BitOperation, combineBits, invertBits } from "../core/bits.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_RAW } from "../store/keyspace/record.ts";
import { findString, NO_STRING } from "./bitmap-string.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { EVENT_GENERIC, EVENT_STRING } from "./events.ts";

const NOT_OF_MANY = new ReplyError("ERR BITOP NOT must be called with a single source key.");

const TARGET = 2;
const FIRST_SOURCE = 3;

function readOperation(context: CommandContext): BitOperation | "not" | undefined {
  const { request, reply } = context;
  if (request.is(1, "AND")) return "and";
  if (request.is(1, "OR")) return "or";
  if (request.is(1, "XOR")) return "xor";
  if (!request.is(1, "NOT")) {
    reply.error(SYNTAX);
    return undefined;
  }
  if (request.count === FIRST_SOURCE + 1) return "not";
  reply.error(NOT_OF_MANY);
  return undefined;
}

function bitOperation(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const operation = readOperation(context);
  if (operation === undefined) return;
  const sources: number[] = [];
  let resultBytes = 0;
  for (let argument = FIRST_SOURCE; argument < request.count; argument++) {
    const record = findString(context, argument);
    if (record === NO_STRING) return;
    sources.push(record);
    if (record !== 0) resultBytes = Math.max(resultBytes, keyspace.records.valueLength(record));
  }
  const { input, offset, length } = request;
  if (resultBytes === 0) {
    if (keyspace.delete(database, input, offset[TARGET]!, length[TARGET]!))
      context.changed(EVENT_GENERIC, "del", TARGET);
    reply.integer(0);
    return;
  }
  const result = combine(context, sources, resultBytes, operation);
  const record = keyspace.setString(
    database,
    input,
    offset[TARGET]!,
    length[TARGET]!,
    result,
    0,
    resultBytes,
    NO_EXPIRY,
  );
  keyspace.setEncoding(record, ENCODING_RAW);
  context.changed(EVENT_STRING, "set", TARGET);
  reply.integer(resultBytes);
}

function combine(
  { keyspace }: CommandContext,
  sources: readonly number[],
  resultBytes: number,
  operation: BitOperation | "not",
): Uint8Array {
  const result = new Uint8Array(resultBytes);
  for (let index = 0; index < sources.length; index++) {
    const record = sources[index]!;
    let sourceBytes = 0;
    if (record !== 0) {
      keyspace.readValue(record);
      const { valueBytes, valueStart, valueLength } = keyspace;
      sourceBytes = valueLength;
      if (index === 0) result.set(valueBytes.subarray(valueStart, valueStart + valueLength));
      else if (operation !== "not") combineBits(result, valueBytes, valueStart, valueLength, operation);
    }
    if (operation === "and") result.fill(0, sourceBytes);
  }
  if (operation === "not") invertBits(result);
  return result;
}

export const BITMAP_OPERATION_COMMANDS: CommandTable = {
  BITOP: {
    arity: -4,
    flags: ["write", "denyoom"],
    acl: ["bitmap"],
    keys: [
      { flags: ["OW", "update"], begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ["RO", "access"], begin: { index: 3 }, find: { lastKey: -1, step: 1, limit: 0 } },
    ],
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N) where N is the length of the longest string, for each string.",
    summary: "Combines strings bit by bit and stores the result.",
    arguments: "<operation=AND|OR|XOR|NOT> destkey(key) key [key ...]",
    run: bitOperation,
  },
};
