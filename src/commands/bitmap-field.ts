/**
 * BITFIELD and BITFIELD_RO: whole numbers of 1 to 64 bits at any bit of a string.
 *
 *      BITFIELD k  OVERFLOW SAT  INCRBY u4 #2 3        bits  0 1 2 3 4 5 6 7 8 9 . . 12
 *                  for all that  type │  value                               └── u4 ──┘
 *                  follows            offset; #2 = 2 × 4
 *
 *  I1  All operations are checked before the first one is done; the string is as long as the furthest write from the
 *      start on, even if an overflow makes that write fail.
 *  I2  Numbers of up to 32 bits are computed as doubles (sums stay below 2^53), longer ones as bigints.
 *  I3  A number is stored as its lowest bits, negative ones as two's complement.
 *  Source: replies of redis-server 7.0.
 */

import { readBits, writeBits } from "../core/bits.ts";
import { NOT_AN_INTEGER, ReplyError, SYNTAX } from "../protocol/errors.ts";
import { findString, GREW, NO_STRING, NOT_PREPARED, prepareString, readBitOffset } from "./bitmap-string.ts";
import { type CommandContext, type CommandTable, KEY_READ } from "./command.ts";
import { recordRequest } from "./effects.ts";
import { EVENT_STRING } from "./events.ts";

const NO_TYPE = new ReplyError(
  "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const NO_OVERFLOW_TYPE = new ReplyError("ERR Invalid OVERFLOW type specified");
const ONLY_GET = new ReplyError("ERR BITFIELD_RO only supports the GET subcommand");

const LETTER_I = 105;
const LETTER_U = 117;
/** Up to here a number is a double (I2). */
const SMALL_BITS = 32;
const TWO_63 = 1n << 63n;

type Overflow = "wrap" | "saturate" | "fail";
type Operation = "get" | "set" | "increment";

/** Walks over the operations of a request; its fields are the newest one. */
class FieldOperations {
  readonly context: CommandContext;
  operation: Operation;
  overflow: Overflow;
  isSigned: boolean;
  bits: number;
  /** Of the field's highest bit. */
  offset: number;
  /** Index of the argument with the value to set or to add. */
  valueIndex: number;
  /** The last walk ended at a mistake, and the error has been written. */
  hasFailed: boolean;
  private argument: number;

  constructor(context: CommandContext) {
    this.context = context;
    this.operation = "get";
    this.overflow = "wrap";
    this.isSigned = false;
    this.bits = 0;
    this.offset = 0;
    this.valueIndex = 0;
    this.hasFailed = false;
    this.argument = 2;
  }

  restart(): void {
    this.argument = 2;
    this.overflow = "wrap";
  }

  /** Goes to the next operation; false at the end or at a mistake. */
  next(): boolean {
    const { request } = this.context;
    while (this.argument < request.count) {
      const at = this.argument;
      const rest = request.count - at - 1;
      if (request.is(at, "GET") && rest >= 2) {
        this.operation = "get";
      } else if (request.is(at, "SET") && rest >= 3) {
        this.operation = "set";
      } else if (request.is(at, "INCRBY") && rest >= 3) {
        this.operation = "increment";
      } else if (request.is(at, "OVERFLOW") && rest >= 1) {
        if (!this.readOverflow(at + 1)) return this.fail(NO_OVERFLOW_TYPE);
        this.argument = at + 2;
        continue;
      } else {
        return this.fail(SYNTAX);
      }
      if (!this.readType(at + 1)) return this.fail(NO_TYPE);
      this.offset = readBitOffset(this.context, at + 2, this.bits);
      if (Number.isNaN(this.offset)) {
        this.hasFailed = true;
        return false;
      }
      this.argument = at + 3;
      if (this.operation !== "get") {
        this.valueIndex = this.argument++;
        if (Number.isNaN(request.integer(this.valueIndex)) && request.int64(this.valueIndex) === undefined) {
          return this.fail(NOT_AN_INTEGER);
        }
      }
      return true;
    }
    return false;
  }

  private fail(error: ReplyError): boolean {
    this.context.reply.error(error);
    this.hasFailed = true;
    return false;
  }

  private readOverflow(index: number): boolean {
    const { request } = this.context;
    if (request.is(index, "WRAP")) this.overflow = "wrap";
    else if (request.is(index, "SAT")) this.overflow = "saturate";
    else if (request.is(index, "FAIL")) this.overflow = "fail";
    else return false;
    return true;
  }

  /** `i1` to `i64`, `u1` to `u63`. */
  private readType(index: number): boolean {
    const { input, offset, length } = this.context.request;
    const start = offset[index]!;
    const count = length[index]!;
    if (count < 2 || count > 3) return false;
    const letter = input[start]!;
    if (letter !== LETTER_I && letter !== LETTER_U) return false;
    this.isSigned = letter === LETTER_I;
    let bits = input[start + 1]! - 48;
    if (bits < 1 || bits > 9) return false;
    if (count === 3) {
      const digit = input[start + 2]! - 48;
      if (digit < 0 || digit > 9) return false;
      bits = bits * 10 + digit;
    }
    this.bits = bits;
    return bits <= (this.isSigned ? 64 : 63);
  }
}

function bitField(context: CommandContext, isReadOnly: boolean): void {
  const { keyspace, reply } = context;
  const operations = new FieldOperations(context);
  let count = 0;
  let writeEnd = 0;
  while (operations.next()) {
    count++;
    if (operations.operation !== "get") writeEnd = Math.max(writeEnd, operations.offset + operations.bits);
  }
  if (operations.hasFailed) return;
  let isGrown = false;
  if (writeEnd === 0) {
    const record = findString(context, 1);
    if (record === NO_STRING) return;
    if (record === 0) keyspace.valueLength = 0;
    else keyspace.readValue(record);
  } else {
    if (isReadOnly) {
      reply.error(ONLY_GET);
      return;
    }
    const prepared = prepareString(context, Math.ceil(writeEnd / 8));
    if (prepared === NOT_PREPARED) return;
    isGrown = prepared === GREW;
  }
  reply.array(count);
  let changes = 0;
  operations.restart();
  while (operations.next()) {
    const hasChanged = operations.bits <= SMALL_BITS ? runSmall(operations) : runLarge(operations);
    if (hasChanged !== undefined && (hasChanged || isGrown)) changes++;
  }
  if (changes > 0) context.changed(EVENT_STRING, "setbit", 1, changes);
  // Nothing was set, but room was made for it, which counts as no change; yet later commands see how long the string is.
  else if (isGrown && context.log.isRecording) recordRequest(context);
}

/**
 * Does one operation on the string in the keyspace's value registers and writes its reply. Returns whether the field
 * has another value than before; undefined for GET and for what OVERFLOW FAIL stopped.
 */
function runSmall(field: FieldOperations): boolean | undefined {
  const { keyspace, reply, request } = field.context;
  const { valueBytes, valueStart, valueLength } = keyspace;
  const { bits, offset, isSigned } = field;
  const size = 2 ** bits;
  const maximum = isSigned ? size / 2 - 1 : size - 1;
  const minimum = isSigned ? -size / 2 : 0;
  const unsigned = readBits(valueBytes, valueStart, valueLength, offset, bits);
  const old = unsigned > maximum ? unsigned - size : unsigned;
  if (field.operation === "get") {
    reply.integer(old);
    return undefined;
  }
  const argument = request.integer(field.valueIndex);
  // Beyond 2^52 a sum may not be exact.
  if (!(argument <= 0x10000000000000 && argument >= -0x10000000000000)) return runLarge(field);
  if (!isSigned && field.operation === "set" && argument < 0) return runLarge(field);
  let value = field.operation === "set" ? argument : old + argument;
  if (value > maximum || value < minimum) {
    if (field.overflow === "fail") {
      reply.nullBulk();
      return undefined;
    }
    if (field.overflow === "saturate") value = value > maximum ? maximum : minimum;
    else value -= Math.floor((value - minimum) / size) * size;
  }
  writeBits(valueBytes, valueStart, offset, bits, value < 0 ? value + size : value);
  reply.integer(field.operation === "set" ? old : value);
  return value !== old;
}

/** `runSmall` in 64 bits. */
function runLarge(field: FieldOperations): boolean | undefined {
  const { reply, request } = field.context;
  const { bits, isSigned } = field;
  const size = 1n << BigInt(bits);
  const maximum = isSigned ? size / 2n - 1n : size - 1n;
  const minimum = isSigned ? -size / 2n : 0n;
  const unsigned = readLarge(field);
  const old = unsigned > maximum ? unsigned - size : unsigned;
  if (field.operation === "get") {
    reply.bigInteger(old);
    return undefined;
  }
  const argument = request.int64(field.valueIndex)!;
  let value: bigint;
  if (field.operation === "increment") value = old + argument;
  // A negative number for an unsigned field is taken for the large one with the same 64 bits.
  else value = isSigned ? argument : BigInt.asUintN(64, argument);
  if (value > maximum || value < minimum) {
    if (field.overflow === "fail") {
      reply.nullBulk();
      return undefined;
    }
    // SET's lowest numbers of 64 bits are so far below that Redis takes them for too large.
    const isTooLarge = value > maximum || (field.operation === "set" && value <= maximum - TWO_63);
    if (field.overflow === "saturate") value = isTooLarge ? maximum : minimum;
    else value = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  }
  writeLarge(field, BigInt.asUintN(bits, value));
  reply.bigInteger(field.operation === "set" ? old : value);
  return value !== old;
}

function readLarge({ context, offset, bits }: FieldOperations): bigint {
  const { valueBytes, valueStart, valueLength } = context.keyspace;
  if (bits <= SMALL_BITS) return BigInt(readBits(valueBytes, valueStart, valueLength, offset, bits));
  const highBits = bits - SMALL_BITS;
  const high = readBits(valueBytes, valueStart, valueLength, offset, highBits);
  const low = readBits(valueBytes, valueStart, valueLength, offset + highBits, SMALL_BITS);
  return (BigInt(high) << BigInt(SMALL_BITS)) | BigInt(low);
}

function writeLarge({ context, offset, bits }: FieldOperations, value: bigint): void {
  const { valueBytes, valueStart } = context.keyspace;
  const highBits = Math.max(bits - SMALL_BITS, 0);
  if (highBits > 0) writeBits(valueBytes, valueStart, offset, highBits, Number(value >> BigInt(SMALL_BITS)));
  const lowBits = bits - highBits;
  writeBits(valueBytes, valueStart, offset + highBits, lowBits, Number(BigInt.asUintN(lowBits, value)));
}

export const BITMAP_FIELD_COMMANDS: CommandTable = {
  BITFIELD: {
    arity: -2,
    flags: ["write", "denyoom"],
    acl: ["bitmap"],
    keys: [
      {
        flags: ["RW", "access", "update", "variable_flags"],
        begin: { index: 1 },
        find: { lastKey: 0, step: 1, limit: 0 },
        notes: "This command allows both access and modification of the key",
      },
    ],
    since: "3.2.0",
    group: "bitmap",
    complexity: "O(1) for each operation.",
    summary: "Reads, sets and increments whole numbers of any width at any bit of a string.",
    arguments:
      "key [<operation=GET <get-block=encoding offset>|write=[overflow-block=OVERFLOW <WRAP|SAT|FAIL>] <write-operation=SET <set-block=encoding offset value(integer)>|INCRBY <incrby-block=encoding offset increment>>> ...]",
    run: (context) => bitField(context, false),
  },
  BITFIELD_RO: {
    arity: -2,
    flags: ["readonly", "fast"],
    acl: ["bitmap"],
    keys: KEY_READ,
    since: "6.0.0",
    group: "bitmap",
    complexity: "O(1) for each operation.",
    summary: "Reads whole numbers of any width at any bit of a string.",
    arguments: "key [GET <get-block=encoding offset> [GET encoding offset ...]]",
    run: (context) => bitField(context, true),
  },
};
