/**
 * Strings as rows of bits: SETBIT, GETBIT, BITCOUNT, BITPOS.
 *
 *      SETBIT k 9 1      [ 0 0 0 0 0 0 0 0 ][ 0 1 0 0 0 0 0 0 ]      bit 0 is the highest bit of byte 0
 *
 *  I1  Bits beyond the end of a string are 0.
 *  I2  BITCOUNT and BITPOS look at the key before their range, as 7.2 still does: an absent key hides a wrong range.
 *  Source: replies of redis-server 7.0.
 */

import { countOnes, findBit } from "../core/bits.ts";
import { NOT_AN_INTEGER, ReplyError, SYNTAX } from "../protocol/errors.ts";
import { readInteger } from "./arguments.ts";
import { findString, GREW, NO_STRING, NOT_PREPARED, prepareString, readBitOffset } from "./bitmap-string.ts";
import { type CommandContext, type CommandTable, KEY_READ, KEY_UPDATE } from "./command.ts";
import { EVENT_STRING } from "./events.ts";

const NO_BIT = new ReplyError("ERR bit is not an integer or out of range");
const NO_BIT_ARGUMENT = new ReplyError("ERR The bit argument must be 1 or 0.");

/** hot path */
function setBit(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const offset = readBitOffset(context, 2, 0);
  if (Number.isNaN(offset)) return;
  const bit = request.integer(3);
  if (bit !== 0 && bit !== 1) {
    reply.error(NO_BIT);
    return;
  }
  const byteIndex = Math.floor(offset / 8);
  const prepared = prepareString(context, byteIndex + 1);
  if (prepared === NOT_PREPARED) return;
  const bytes = keyspace.valueBytes;
  const at = keyspace.valueStart + byteIndex;
  const mask = 128 >>> (offset % 8);
  const old = bytes[at]!;
  const wasSet = (old & mask) !== 0 ? 1 : 0;
  if (prepared === GREW || wasSet !== bit) {
    bytes[at] = bit === 1 ? old | mask : old & ~mask;
    context.changed(EVENT_STRING, "setbit", 1);
  }
  reply.integer(wasSet);
}

/** hot path */
function getBit(context: CommandContext): void {
  const { keyspace, reply } = context;
  const offset = readBitOffset(context, 2, 0);
  if (Number.isNaN(offset)) return;
  const record = findString(context, 1);
  if (record === NO_STRING) return;
  let bit = 0;
  if (record !== 0) {
    keyspace.readValue(record);
    const byteIndex = Math.floor(offset / 8);
    if (byteIndex < keyspace.valueLength) {
      bit = (keyspace.valueBytes[keyspace.valueStart + byteIndex]! >>> (7 - (offset % 8))) & 1;
    }
  }
  reply.integer(bit);
}

/** 1 for bytes, 8 for bits as argument `index` names them; 0 when it does not, and the error has been written. */
function readUnit(context: CommandContext, index: number): number {
  if (context.request.is(index, "BYTE")) return 8;
  if (context.request.is(index, "BIT")) return 1;
  context.reply.error(SYNTAX);
  return 0;
}

function bitCount(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const record = findString(context, 1);
  if (record === NO_STRING) return;
  if (record === 0) {
    reply.integer(0);
    return;
  }
  keyspace.readValue(record);
  const { valueBytes, valueStart, valueLength } = keyspace;
  if (request.count === 2) {
    reply.integer(countOnes(valueBytes, valueStart, 0, valueLength * 8));
    return;
  }
  if (request.count !== 4 && request.count !== 5) {
    reply.error(SYNTAX);
    return;
  }
  let start = readInteger(context, 2);
  if (Number.isNaN(start)) return;
  let end = readInteger(context, 3);
  if (Number.isNaN(end)) return;
  // Both counted from the end and crossed is empty, though clamping could make them meet; the unit is not looked at.
  if (start < 0 && end < 0 && start > end) {
    reply.integer(0);
    return;
  }
  const unitBits = request.count === 5 ? readUnit(context, 4) : 8;
  if (unitBits === 0) return;
  const units = unitBits === 1 ? valueLength * 8 : valueLength;
  start = clampStart(start, units);
  end = clampEnd(end, units);
  if (start > end) reply.integer(0);
  else reply.integer(countOnes(valueBytes, valueStart, start * unitBits, (end + 1) * unitBits));
}

function clampStart(start: number, units: number): number {
  return start < 0 ? Math.max(start + units, 0) : start;
}

/** The last unit of a range that ends at `end`; -1 only when there are no units. */
function clampEnd(end: number, units: number): number {
  return Math.min(end < 0 ? Math.max(end + units, 0) : end, units - 1);
}

function bitPosition(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const bit = readInteger(context, 2, NOT_AN_INTEGER);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) {
    reply.error(NO_BIT_ARGUMENT);
    return;
  }
  const record = findString(context, 1);
  if (record === NO_STRING) return;
  if (record === 0) {
    reply.integer(bit === 1 ? -1 : 0);
    return;
  }
  keyspace.readValue(record);
  const { valueBytes, valueStart, valueLength } = keyspace;
  const { count } = request;
  if (count > 6) {
    reply.error(SYNTAX);
    return;
  }
  let start = 0;
  if (count > 3) {
    start = readInteger(context, 3);
    if (Number.isNaN(start)) return;
  }
  const unitBits = count === 6 ? readUnit(context, 5) : 8;
  if (unitBits === 0) return;
  const units = unitBits === 1 ? valueLength * 8 : valueLength;
  let end = units - 1;
  if (count > 4) {
    end = readInteger(context, 4);
    if (Number.isNaN(end)) return;
    end = clampEnd(end, units);
  }
  start = clampStart(start, units);
  if (start > end) {
    reply.integer(-1);
    return;
  }
  const position = findBit(valueBytes, valueStart, start * unitBits, (end + 1) * unitBits, bit);
  // I1: without an end, the first 0 after a string of ones stands behind it.
  reply.integer(position === -1 && bit === 0 && count <= 4 ? valueLength * 8 : position);
}

export const BITMAP_COMMANDS: CommandTable = {
  BITCOUNT: {
    arity: -2,
    flags: ["readonly"],
    acl: ["bitmap"],
    keys: KEY_READ,
    since: "2.6.0",
    group: "bitmap",
    complexity: "O(N) where N is the number of bytes in the range.",
    summary: "Counts the bits that are set in the string of a key, or in a part of it.",
    arguments: "key [range=start end [unit=BYTE|BIT]]",
    history: [["7.0.0", "Takes `BYTE` and `BIT`."]],
    run: bitCount,
  },
  BITPOS: {
    arity: -3,
    flags: ["readonly"],
    acl: ["bitmap"],
    keys: KEY_READ,
    since: "2.8.7",
    group: "bitmap",
    complexity: "O(N) where N is the number of bytes that are looked at.",
    summary: "Finds the first bit that is set, or that is clear, in the string of a key or in a part of it.",
    arguments: "key bit(integer) [range=start [end-unit-block=end [unit=BYTE|BIT]]]",
    history: [["7.0.0", "Takes `BYTE` and `BIT`."]],
    run: bitPosition,
  },
  GETBIT: {
    arity: 3,
    flags: ["readonly", "fast"],
    acl: ["bitmap"],
    keys: KEY_READ,
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1)",
    summary: "Returns one bit of the string of a key, 0 beyond its end.",
    arguments: "key offset",
    run: getBit,
  },
  SETBIT: {
    arity: 4,
    flags: ["write", "denyoom"],
    acl: ["bitmap"],
    keys: KEY_UPDATE,
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1), and O(N) when the string grows by N bytes.",
    summary: "Sets or clears one bit of the string of a key, which grows as far as needed; returns what it was.",
    arguments: "key offset value(integer)",
    run: setBit,
  },
};
