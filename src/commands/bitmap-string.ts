/**
 * What the bitmap commands share: offsets of bits as arguments, and strings that grow to hold a bit.
 *
 *  I1  A string that was prepared for writing bits has the encoding "raw", whether or not a bit changes.
 *  I2  No bit lies beyond proto-max-bulk-len.
 *  Source: replies of redis-server 7.0.
 */

import { parseInt64, parseSafeInteger } from "../core/numbers.ts";
import { ReplyError, WRONG_TYPE } from "../protocol/errors.ts";
import { Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_RAW, TYPE_STRING } from "../store/keyspace/record.ts";
import type { CommandContext } from "./command.ts";

const NO_BIT_OFFSET = new ReplyError("ERR bit offset is not an integer or out of range");

const HASH_SIGN = 35;

/**
 * Argument `index` as a bit's offset. `fieldBits` > 0: `#n` means n fields of so many bits.
 * NaN when it is none: the error has been written.
 */
export function readBitOffset(context: CommandContext, index: number, fieldBits: number): number {
  const { request, limits } = context;
  const start = request.offset[index]!;
  const length = request.length[index]!;
  let offset: number;
  if (fieldBits > 0 && length > 0 && request.input[start] === HASH_SIGN) {
    const fields = parseInt64(request.input, start + 1, length - 1);
    // 64 bits wrap around here, as they do in Redis.
    offset = fields === undefined ? -1 : Number(BigInt.asIntN(64, fields * BigInt(fieldBits)));
  } else {
    offset = parseSafeInteger(request.input, start, length);
  }
  if (offset >= 0 && Math.floor(offset / 8) < limits.stringBytesMax) return offset;
  context.reply.error(NO_BIT_OFFSET);
  return Number.NaN;
}

/** The record of a string that is to be read; 0 when absent, NO_STRING when it is none and the error has been written. */
export function findString(context: CommandContext, argument: number): number {
  const { request, keyspace } = context;
  const record = keyspace.lookupRead(
    context.database,
    request.input,
    request.offset[argument]!,
    request.length[argument]!,
  );
  if (record === 0 || keyspace.records.type(record) === TYPE_STRING) return record;
  context.reply.error(WRONG_TYPE);
  return NO_STRING;
}

/** No record's address: a record takes two units or more, so none starts at the last unit of all. */
export const NO_STRING = -1;

/** What `prepareString` found. */
export const NOT_PREPARED = 0;
export const KEPT_LENGTH = 1;
export const GREW = 2;

/**
 * Makes the string under argument 1 at least `bytes` long, with zeros at its end, and points the keyspace's value
 * registers to it. NOT_PREPARED when it is no string: the error has been written. hot path
 */
export function prepareString(context: CommandContext, bytes: number): number {
  const { request, keyspace, database } = context;
  const { input, offset, length } = request;
  const record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  if (record === 0) {
    keyspace.addString(database, input, offset[1]!, length[1]!, bytes, ENCODING_RAW, NO_EXPIRY);
    keyspace.valueBytes.fill(0, keyspace.valueStart, keyspace.valueStart + bytes);
    return GREW;
  }
  const { records } = keyspace;
  if (records.type(record) !== TYPE_STRING) {
    context.reply.error(WRONG_TYPE);
    return NOT_PREPARED;
  }
  const oldBytes = records.valueLength(record);
  if (bytes <= oldBytes) {
    keyspace.setEncoding(record, ENCODING_RAW);
    keyspace.readValue(record);
    return KEPT_LENGTH;
  }
  const roomBytes = Math.max(bytes, Math.min(Keyspace.growthRoom(bytes), context.limits.stringBytesMax));
  const grown = keyspace.resizeValue(database, record, bytes, oldBytes, roomBytes);
  keyspace.setEncoding(grown, ENCODING_RAW);
  keyspace.valueBytes.fill(0, keyspace.valueStart + oldBytes, keyspace.valueStart + bytes);
  return GREW;
}
