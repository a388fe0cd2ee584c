/**
 * Numbers in fields of hashes: HINCRBY, HINCRBYFLOAT.
 *
 *  I1  A field that is absent counts as 0; the hash and the field are made.
 *  I2  64 bits are kept exactly; a fraction has the 80 bits that Redis has on x86-64.
 *  Source: replies of redis-server 7.0.
 */

import { addLongDouble, formatLongDouble, LongDouble, parseLongDouble } from "../core/long-double.ts";
import { parseInt64, parseSafeInteger, writeInt64Digits } from "../core/numbers.ts";
import { NAN_OR_INFINITY, NOT_A_FLOAT, NOT_AN_INTEGER, ReplyError, WOULD_OVERFLOW } from "../protocol/errors.ts";
import { type CommandContext, type CommandTable, KEY_UPDATE } from "./command.ts";
import { EVENT_HASH } from "./events.ts";
import { findHashForUpdate, NO_HASH } from "./hash.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const NO_INTEGER_IN_HASH = new ReplyError("ERR hash value is not an integer");
const NO_FLOAT_IN_HASH = new ReplyError("ERR hash value is not a float");
const INFINITE_INCREMENT = new ReplyError("ERR value is NaN or Infinity");
const ZERO = new LongDouble(false, 0n, 0, false);

/**
 * Sets the field of argument 2 to `length` bytes of `text`. `record` as in `findHashForUpdate`; `isFound`: hashes.find has
 * just found the field. hot path
 */
function setField(context: CommandContext, record: number, isFound: boolean, text: Uint8Array, length: number): void {
  const { request, keyspace, database } = context;
  const { input, offset, length: lengths } = request;
  const { hashes } = keyspace;
  const fieldStart = offset[2]!;
  const fieldLength = lengths[2]!;
  if (isFound) {
    hashes.setFound(database, record, input, fieldStart, fieldLength, text, 0, length);
    return;
  }
  if (record !== 0) {
    hashes.set(database, record, input, fieldStart, fieldLength, text, 0, length);
    return;
  }
  const keyStart = offset[1]!;
  hashes.add(database, input, keyStart, lengths[1]!, input, fieldStart, fieldLength, text, 0, length);
}

function incrementBy(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const small = request.integer(3);
  const increment = Number.isSafeInteger(small) ? small : request.int64(3);
  if (increment === undefined) {
    reply.error(NOT_AN_INTEGER);
    return;
  }
  const record = findHashForUpdate(context);
  if (record === NO_HASH) return;
  const { hashes } = keyspace;
  let value: number | bigint | undefined = 0;
  const isFound = record !== 0 && hashes.find(record, request.input, request.offset[2]!, request.length[2]!);
  if (isFound) {
    const { valueBytes, valueStart, valueLength } = hashes;
    const near = parseSafeInteger(valueBytes, valueStart, valueLength);
    value = Number.isNaN(near) ? parseInt64(valueBytes, valueStart, valueLength) : near;
  }
  if (value === undefined) {
    reply.error(NO_INTEGER_IN_HASH);
    return;
  }
  const { digits } = hashes;
  const near = typeof value === "number" && typeof increment === "number" ? value + increment : Number.NaN;
  if (Number.isSafeInteger(near)) {
    setField(context, record, isFound, digits, writeInt64Digits(digits, 0, near));
    context.changed(EVENT_HASH, "hincrby", 1);
    reply.integer(near);
    return;
  }
  const sum = BigInt(value) + BigInt(increment);
  if (sum < INT64_MIN || sum > INT64_MAX) {
    reply.error(WOULD_OVERFLOW);
    return;
  }
  setField(context, record, isFound, digits, writeInt64Digits(digits, 0, sum));
  context.changed(EVENT_HASH, "hincrby", 1);
  reply.bigInteger(sum);
}

function incrementByFloat(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const increment = parseLongDouble(request.input, request.offset[3]!, request.length[3]!);
  if (increment === undefined) {
    reply.error(NOT_A_FLOAT);
    return;
  }
  if (increment.isInfinite) {
    reply.error(INFINITE_INCREMENT);
    return;
  }
  const record = findHashForUpdate(context);
  if (record === NO_HASH) return;
  const { hashes } = keyspace;
  let value: LongDouble | undefined = ZERO;
  const isFound = record !== 0 && hashes.find(record, request.input, request.offset[2]!, request.length[2]!);
  if (isFound) {
    value = parseLongDouble(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
  }
  if (value === undefined) {
    reply.error(NO_FLOAT_IN_HASH);
    return;
  }
  const sum = addLongDouble(value, increment);
  if (sum === undefined) {
    reply.error(NAN_OR_INFINITY);
    return;
  }
  const text = formatLongDouble(sum);
  setField(context, record, isFound, Buffer.from(text, "latin1"), text.length);
  context.changed(EVENT_HASH, "hincrbyfloat", 1);
  if (context.log.isRecording) recordSum(context, text);
  reply.bulkText(text);
}

/** The sum, not the way to it: a fraction may be computed otherwise elsewhere. */
function recordSum({ log, request, database }: CommandContext, text: string): void {
  log.begin(database.index, 4);
  log.word("HSET");
  log.argument(request, 1);
  log.argument(request, 2);
  log.word(text);
}

const SHARED = {
  arity: 4,
  flags: ["write", "denyoom", "fast"],
  acl: ["hash"],
  keys: KEY_UPDATE,
  group: "hash",
  complexity: "O(1)",
} as const;

export const HASH_NUMBER_COMMANDS: CommandTable = {
  HINCRBY: {
    ...SHARED,
    since: "2.0.0",
    summary: "Adds a whole number to the one in a field of a hash; an absent field counts as 0.",
    arguments: "key field increment",
    run: incrementBy,
  },
  HINCRBYFLOAT: {
    ...SHARED,
    since: "2.6.0",
    summary: "Adds a decimal fraction to the number in a field of a hash; an absent field counts as 0.",
    arguments: "key field increment(double)",
    run: incrementByFloat,
  },
};
