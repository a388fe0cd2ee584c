/**
 * Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.
 *
 *  I1  The value stays text (record.ts, I3); its time to live stays too.
 *  I2  Sums of whole numbers below 2^53 need no bigint; 64 bits are kept exactly.
 *  Source: replies of redis-server 7.0.
 */

import { addDecimal, integerDigitCount, parseInt64, parseSafeInteger, writeInt64Digits } from "../core/numbers.ts";
import {
  NAN_OR_INFINITY,
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  ReplyError,
  WOULD_OVERFLOW,
  WRONG_TYPE,
} from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { EMBSTR_MAX, ENCODING_EMBSTR, ENCODING_INT, ENCODING_RAW, TYPE_STRING } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_UPDATE } from "./command.ts";
import { recordNumber } from "./effects.ts";
import { EVENT_STRING } from "./events.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const ZERO_TEXT = Uint8Array.of(48);
const DECREMENT_OVERFLOWS = new ReplyError("ERR decrement would overflow");

/** No record's address: a record takes two units or more, so none starts at the last unit of all. */
const NO_STRING = -1;

/** The record of argument 1, 0 when absent, NO_STRING when it is none and the error has been written. */
function findForUpdate(context: CommandContext): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupWrite(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0 || keyspace.records.type(record) === TYPE_STRING) return record;
  context.reply.error(WRONG_TYPE);
  return NO_STRING;
}

/** Makes room for a value of `length` bytes under argument 1, whose record is `record` or absent (0), and tells of it. */
function replaceValue(
  context: CommandContext,
  record: number,
  length: number,
  encoding: number,
  event: "incrby" | "incrbyfloat",
): void {
  const { request, keyspace, database } = context;
  if (record === 0) {
    const { input, offset, length: lengths } = request;
    keyspace.addString(database, input, offset[1]!, lengths[1]!, length, encoding, NO_EXPIRY);
  } else {
    keyspace.setEncoding(keyspace.resizeValue(database, record, length, 0, length), encoding);
  }
  context.changed(EVENT_STRING, event, 1);
}

/** Adds a whole number to the value of argument 1. hot path */
function add(context: CommandContext, increment: number): void {
  const { keyspace, reply } = context;
  const record = findForUpdate(context);
  if (record === NO_STRING) return;
  let value = 0;
  if (record !== 0) {
    keyspace.readValue(record);
    value = parseSafeInteger(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  }
  const sum = value + increment;
  if (!(sum <= Number.MAX_SAFE_INTEGER && sum >= Number.MIN_SAFE_INTEGER)) {
    addBig(context, record, BigInt(increment));
    return;
  }
  replaceValue(context, record, integerDigitCount(sum), ENCODING_INT, "incrby");
  writeInt64Digits(keyspace.valueBytes, keyspace.valueStart, sum);
  reply.integer(sum);
}

/** `add` in 64 bits. `record`: of a string, or 0. */
function addBig(context: CommandContext, record: number, increment: bigint): void {
  const { keyspace, reply } = context;
  let value: bigint | undefined = 0n;
  if (record !== 0) {
    keyspace.readValue(record);
    value = parseInt64(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  }
  if (value === undefined) {
    reply.error(NOT_AN_INTEGER);
    return;
  }
  const sum = value + increment;
  if (sum < INT64_MIN || sum > INT64_MAX) {
    reply.error(WOULD_OVERFLOW);
    return;
  }
  replaceValue(context, record, sum.toString().length, ENCODING_INT, "incrby");
  writeInt64Digits(keyspace.valueBytes, keyspace.valueStart, sum);
  reply.bigInteger(sum);
}

function addArgument(context: CommandContext, sign: 1 | -1): void {
  const { request, reply } = context;
  const small = request.integer(2);
  if (Number.isSafeInteger(small)) {
    add(context, small * sign);
    return;
  }
  const increment = request.int64(2);
  if (increment === undefined) {
    reply.error(NOT_AN_INTEGER);
    return;
  }
  if (sign < 0 && increment === INT64_MIN) {
    reply.error(DECREMENT_OVERFLOWS);
    return;
  }
  const record = findForUpdate(context);
  if (record !== NO_STRING) addBig(context, record, increment * BigInt(sign));
}

function incrementByFloat(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const record = findForUpdate(context);
  if (record === NO_STRING) return;
  let value = ZERO_TEXT;
  if (record !== 0) {
    keyspace.readValue(record);
    value = keyspace.valueBytes.slice(keyspace.valueStart, keyspace.valueStart + keyspace.valueLength);
  }
  const sum = addDecimal(value, request.bytes(2));
  if (sum === "invalid") {
    reply.error(NOT_A_FLOAT);
    return;
  }
  if (sum === "infinite") {
    reply.error(NAN_OR_INFINITY);
    return;
  }
  const { text } = sum;
  const encoding = text.length <= EMBSTR_MAX ? ENCODING_EMBSTR : ENCODING_RAW;
  replaceValue(context, record, text.length, encoding, "incrbyfloat");
  const start = keyspace.valueStart;
  for (let at = 0; at < text.length; at++) keyspace.valueBytes[start + at] = text.charCodeAt(at);
  if (context.log.isRecording) recordNumber(context, text);
  reply.bulkText(text);
}

const SHARED = {
  flags: ["write", "denyoom", "fast"],
  acl: ["string"],
  keys: KEY_UPDATE,
  group: "string",
  complexity: "O(1)",
} as const;

export const STRING_NUMBER_COMMANDS: CommandTable = {
  DECR: {
    ...SHARED,
    arity: 2,
    since: "1.0.0",
    summary: "Takes one from the whole number under a key; an absent key counts as 0.",
    arguments: "key",
    run: (context) => add(context, -1),
  },
  DECRBY: {
    ...SHARED,
    arity: 3,
    since: "1.0.0",
    summary: "Takes a whole number from the one under a key; an absent key counts as 0.",
    arguments: "key decrement",
    run: (context) => addArgument(context, -1),
  },
  INCR: {
    ...SHARED,
    arity: 2,
    since: "1.0.0",
    summary: "Adds one to the whole number under a key; an absent key counts as 0.",
    arguments: "key",
    run: (context) => add(context, 1),
  },
  INCRBY: {
    ...SHARED,
    arity: 3,
    since: "1.0.0",
    summary: "Adds a whole number to the one under a key; an absent key counts as 0.",
    arguments: "key increment",
    run: (context) => addArgument(context, 1),
  },
  INCRBYFLOAT: {
    ...SHARED,
    arity: 3,
    since: "2.6.0",
    summary: "Adds a decimal fraction to the number under a key; an absent key counts as 0.",
    arguments: "key increment(double)",
    run: incrementByFloat,
  },
};
