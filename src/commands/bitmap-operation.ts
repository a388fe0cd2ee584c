/**
 * BITOP: AND, OR and XOR of several strings, NOT of one, stored as a string.
 *
 *      source 1   [ a a a a a a ]
 *      source 2   [ b b b ]0 0 0          shorter ones count as if zeros followed
 *      result     [ a·b  · a·0  ]         as long as the longest; when all are empty the target is deleted
 *
 *  I1  A long result is made in its place when the target is no source and keeps no time; every other one is made
 *      outside the arena and then set. Either way nothing has changed when the arena is exhausted.
 *  Source: replies of redis-server 7.0.
 */

import { type BitOperation, type BitSource, combineBits, invertBits } from "../core/bits.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_RAW, TYPE_STRING } from "../store/keyspace/record.ts";
import { findString, NO_STRING } from "./bitmap-string.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { EVENT_GENERIC, EVENT_STRING } from "./events.ts";

const NOT_OF_MANY = new ReplyError("ERR BITOP NOT must be called with a single source key.");

/** From here on a second copy of the result would be felt. */
const IN_PLACE_MIN = 4096;
/** A few of these fit into a processor's second cache. */
const WINDOW_BYTES = 32 * 1024;

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
  if (!makeInPlace(context, sources, resultBytes, operation)) {
    const result = new Uint8Array(resultBytes);
    combine(context, sources, { bytes: result, start: 0 }, resultBytes, operation);
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
  }
  context.changed(EVENT_STRING, "set", TARGET);
  reply.integer(resultBytes);
}

/** Makes a long result where it will stay; false when that is not possible (I1). */
function makeInPlace(
  context: CommandContext,
  sources: readonly number[],
  resultBytes: number,
  operation: BitOperation | "not",
): boolean {
  if (resultBytes < IN_PLACE_MIN) return false;
  const { request, keyspace, database } = context;
  const { input, offset, length } = request;
  const target = keyspace.lookupWrite(database, input, offset[TARGET]!, length[TARGET]!);
  if (target === 0) {
    keyspace.addString(database, input, offset[TARGET]!, length[TARGET]!, resultBytes, ENCODING_RAW, NO_EXPIRY);
  } else {
    const { records } = keyspace;
    if (records.type(target) !== TYPE_STRING || records.expireAtMs(target) >= 0 || sources.includes(target))
      return false;
    keyspace.setEncoding(keyspace.resizeValue(database, target, resultBytes, 0, resultBytes), ENCODING_RAW);
  }
  const place: BitSource = { bytes: keyspace.valueBytes, start: keyspace.valueStart };
  // That was a write: the sources are looked up once more.
  const found: number[] = [];
  for (let argument = FIRST_SOURCE; argument < request.count; argument++) {
    found.push(sources[argument - FIRST_SOURCE] === 0 ? 0 : keyspace.lookupSilently(database, request.bytes(argument)));
  }
  combine(context, found, place, resultBytes, operation);
  return true;
}

/** A string that is combined; `length` 0 when its key is absent. */
interface SourceString extends BitSource {
  readonly length: number;
}

/** Combines the strings of `sources` (0: absent) into the `resultBytes` bytes of `target`, which is none of them. */
function combine(
  { keyspace }: CommandContext,
  sources: readonly number[],
  target: BitSource,
  resultBytes: number,
  operation: BitOperation | "not",
): void {
  const strings: SourceString[] = [];
  for (const record of sources) {
    if (record === 0) {
      strings.push({ ...target, length: 0 });
      continue;
    }
    keyspace.readValue(record);
    strings.push({ bytes: keyspace.valueBytes, start: keyspace.valueStart, length: keyspace.valueLength });
  }
  if (operation === "not") {
    invertBits(target, strings[0]!, resultBytes);
    return;
  }
  // Window by window, so that what one step wrote is still in the cache when the next one reads it.
  for (let from = 0; from < resultBytes; from += WINDOW_BYTES) {
    combineWindow(strings, target, from, Math.min(from + WINDOW_BYTES, resultBytes), operation);
  }
}

/** The bytes from <= index < to of the result. */
function combineWindow(
  strings: readonly SourceString[],
  target: BitSource,
  from: number,
  to: number,
  operation: BitOperation,
): void {
  const place: BitSource = { bytes: target.bytes, start: target.start + from };
  let left: BitSource | undefined;
  let leftBytes = 0;
  for (const { bytes, start, length } of strings) {
    const right: BitSource = { bytes, start: start + from };
    const rightBytes = Math.max(Math.min(length, to) - from, 0);
    if (left === undefined) {
      left = right;
      leftBytes = rightBytes;
      continue;
    }
    const common = Math.min(leftBytes, rightBytes);
    combineBits(place, left, right, common, operation);
    if (operation === "and") {
      leftBytes = common;
    } else {
      if (leftBytes > common) copyBits(place, left, common, leftBytes);
      else copyBits(place, right, common, rightBytes);
      leftBytes = Math.max(leftBytes, rightBytes);
    }
    left = place;
  }
  if (left !== undefined) copyBits(place, left, 0, leftBytes);
  target.bytes.fill(0, place.start + leftBytes, target.start + to);
}

function copyBits(target: BitSource, source: BitSource, from: number, to: number): void {
  if (source === target || from >= to) return;
  target.bytes.set(source.bytes.subarray(source.start + from, source.start + to), target.start + from);
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
