/**
 * HyperLogLogs, estimates of how many different elements were seen: PFADD, PFCOUNT, PFMERGE.
 *
 *  I1  A value is a string in Redis's own bytes (store/encodings/hyperloglog.ts): GET and SET carry it along.
 *  I2  Every string is checked before it is used as one; codes that turn out corrupt on the way end the command with
 *      INVALIDOBJ, and what was changed before stays, as in Redis.
 *  I3  PFCOUNT of one key keeps its result in the value: that is a change, though the key reads the same.
 *  Source: replies and values of redis-server 7.0.
 */

import { ReplyError, WRONG_TYPE } from "../protocol/errors.ts";
import {
  DENSE_BYTES,
  denseForm,
  EMPTY_BYTES,
  ESTIMATE_LIMIT,
  estimate,
  estimateOfRegisters,
  exactEstimate,
  isHyperLogLog,
  isSparse,
  keepEstimate,
  keptEstimate,
  mergeRegisters,
  placeOf,
  REGISTERS,
  raiseDense,
  rankOf,
  registerOf,
  SPARSE_CHANGED,
  SPARSE_CORRUPT,
  SPARSE_GROWS,
  SPARSE_TOO_HIGH,
  SPARSE_UNCHANGED,
  SparseEdit,
  setDenseRegisters,
  spoilEstimate,
  writeEmpty,
} from "../store/encodings/hyperloglog.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_RAW, TYPE_STRING } from "../store/keyspace/record.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { EVENT_STRING } from "./events.ts";

const NO_HYPERLOGLOG = new ReplyError("WRONGTYPE Key is not a valid HyperLogLog string value.");
export const CORRUPT = new ReplyError("INVALIDOBJ Corrupted HLL object detected");

/** Points the value registers to `record`; false when it is no HyperLogLog: the error has been written. */
export function readHyperLogLog(context: CommandContext, record: number): boolean {
  const { keyspace, reply } = context;
  if (keyspace.records.type(record) !== TYPE_STRING) {
    reply.error(WRONG_TYPE);
    return false;
  }
  keyspace.readValue(record);
  if (isHyperLogLog(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength)) return true;
  reply.error(NO_HYPERLOGLOG);
  return false;
}

/** What `HyperLogLogEditor.raise` did. */
const UNCHANGED = 0;
const RAISED = 1;
const FAILED = 2;

/** Changes the HyperLogLog that lies in the keyspace's value registers, whose record was looked up last for writing. */
export class HyperLogLogEditor {
  private readonly context: CommandContext;
  private record: number;
  private edit: SparseEdit | undefined;

  constructor(context: CommandContext, record: number) {
    this.context = context;
    this.record = record;
    this.edit = undefined;
  }

  isSparse(): boolean {
    const { keyspace } = this.context;
    return isSparse(keyspace.valueBytes, keyspace.valueStart);
  }

  /** Raises a register to `rank`. Throws ArenaExhausted: then this register is as it was. hot path */
  raise(register: number, rank: number): number {
    const { keyspace } = this.context;
    const { valueBytes, valueStart, valueLength } = keyspace;
    if (!isSparse(valueBytes, valueStart)) {
      return raiseDense(valueBytes, valueStart, register, rank) ? RAISED : UNCHANGED;
    }
    this.edit ??= new SparseEdit();
    const { edit } = this;
    const result = edit.raise(valueBytes, valueStart, valueLength, register, rank);
    if (result === SPARSE_UNCHANGED) return UNCHANGED;
    if (result === SPARSE_CORRUPT) return FAILED;
    const addedBytes = result === SPARSE_GROWS ? edit.newCodeBytes - edit.oldCodeBytes : 0;
    const bytesMax = keyspace.encodingLimits.hyperLogLogSparseBytes;
    if (result === SPARSE_TOO_HIGH || (addedBytes > 0 && valueLength + addedBytes > bytesMax)) {
      if (!this.makeDense()) return FAILED;
      return raiseDense(keyspace.valueBytes, keyspace.valueStart, register, rank) ? RAISED : UNCHANGED;
    }
    if (result !== SPARSE_CHANGED) {
      this.splice(edit.offset, edit.oldCodeBytes, edit.newCodeBytes);
      edit.writeCodes(keyspace.valueBytes, keyspace.valueStart);
    }
    const length = keyspace.valueLength;
    const joined = edit.joinRuns(keyspace.valueBytes, keyspace.valueStart, length);
    if (joined < length) this.splice(joined, length - joined, 0);
    spoilEstimate(keyspace.valueBytes, keyspace.valueStart);
    return RAISED;
  }

  /** Turns a sparse value into a dense one; false when it is corrupt. Throws ArenaExhausted: then it is as it was. */
  makeDense(): boolean {
    const { keyspace, database } = this.context;
    const dense = denseForm(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
    if (dense === undefined) return false;
    this.record = keyspace.resizeValue(database, this.record, DENSE_BYTES, 0, DENSE_BYTES);
    keyspace.valueBytes.set(dense, keyspace.valueStart);
    return true;
  }

  private splice(offset: number, removed: number, inserted: number): void {
    const { keyspace, database } = this.context;
    this.record = keyspace.spliceValue(database, this.record, offset, removed, inserted);
  }
}

/**
 * An editor for the HyperLogLog under argument 1, which is made when it is absent (`isNew`). Undefined when the key holds
 * something else: the error has been written.
 */
function editorFor(context: CommandContext, into: { isNew: boolean }): HyperLogLogEditor | undefined {
  const { request, keyspace, database } = context;
  const { input, offset, length } = request;
  let record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  into.isNew = record === 0;
  if (record === 0) {
    record = keyspace.addString(database, input, offset[1]!, length[1]!, EMPTY_BYTES, ENCODING_RAW, NO_EXPIRY);
    writeEmpty(keyspace.valueBytes, keyspace.valueStart);
  } else {
    if (!readHyperLogLog(context, record)) return undefined;
    keyspace.setEncoding(record, ENCODING_RAW);
  }
  return new HyperLogLogEditor(context, record);
}

/** hot path */
function add(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const found = { isNew: false };
  const editor = editorFor(context, found);
  if (editor === undefined) return;
  let changes = found.isNew ? 1 : 0;
  for (let argument = 2; argument < request.count; argument++) {
    const place = placeOf(request.input, request.offset[argument]!, request.length[argument]!);
    const result = editor.raise(registerOf(place), rankOf(place));
    if (result === FAILED) {
      reply.error(CORRUPT);
      return;
    }
    changes += result;
  }
  if (changes > 0) {
    spoilEstimate(keyspace.valueBytes, keyspace.valueStart);
    context.changed(EVENT_STRING, "pfadd", 1, changes);
  }
  reply.integer(changes > 0 ? 1 : 0);
}

function count(context: CommandContext): void {
  if (context.request.count > 2) countUnion(context);
  else countOne(context);
}

/** Of several keys: nothing is kept. */
function countUnion(context: CommandContext): void {
  const registers = mergeArguments(context);
  if (registers !== undefined) replyEstimate(context, estimateOfRegisters(registers));
}

/** The registers of all keys from argument 1 on; undefined when one has none: the error has been written. */
function mergeArguments(
  context: CommandContext,
  into: { hasDense: boolean } = { hasDense: false },
): Uint8Array | undefined {
  const { request, keyspace, reply, database } = context;
  const registers = new Uint8Array(REGISTERS);
  for (let argument = 1; argument < request.count; argument++) {
    const { input, offset, length } = request;
    const record = keyspace.lookupRead(database, input, offset[argument]!, length[argument]!);
    if (record === 0) continue;
    if (!readHyperLogLog(context, record)) return undefined;
    const { valueBytes, valueStart, valueLength } = keyspace;
    if (!isSparse(valueBytes, valueStart)) into.hasDense = true;
    if (!mergeRegisters(valueBytes, valueStart, valueLength, registers)) {
      reply.error(CORRUPT);
      return undefined;
    }
  }
  return registers;
}

function countOne(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input, offset, length } = request;
  let record = keyspace.lookupRead(database, input, offset[1]!, length[1]!);
  if (record === 0) {
    reply.integer(0);
    return;
  }
  if (!readHyperLogLog(context, record)) return;
  keyspace.setEncoding(record, ENCODING_RAW);
  const kept = keptEstimate(keyspace.valueBytes, keyspace.valueStart);
  if (kept >= 0) {
    if (Number.isSafeInteger(kept)) reply.integer(kept);
    else reply.bigInteger(exactEstimate(keyspace.valueBytes, keyspace.valueStart));
    return;
  }
  const estimated = estimate(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
  if (estimated < 0) {
    reply.error(CORRUPT);
    return;
  }
  record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  keyspace.readValue(record);
  keepEstimate(keyspace.valueBytes, keyspace.valueStart, estimated);
  context.touched(1);
  keyspace.dirty++;
  replyEstimate(context, estimated);
}

/** What does not fit into 64 bits shows as the lowest number of all, as it does in Redis. */
function replyEstimate({ reply }: CommandContext, estimated: number): void {
  if (Number.isSafeInteger(estimated)) reply.integer(estimated);
  else reply.bigInteger(estimated < ESTIMATE_LIMIT ? BigInt(estimated) : -BigInt(ESTIMATE_LIMIT));
}

function merge(context: CommandContext): void {
  const { keyspace, reply } = context;
  const sources = { hasDense: false };
  const registers = mergeArguments(context, sources);
  if (registers === undefined) return;
  const editor = editorFor(context, { isNew: false });
  if (editor === undefined) return;
  if (sources.hasDense && editor.isSparse() && !editor.makeDense()) {
    reply.error(CORRUPT);
    return;
  }
  for (let register = 0; register < REGISTERS; register++) {
    if (!editor.isSparse()) {
      // The target was merged, too: no register of it is higher than these.
      setDenseRegisters(keyspace.valueBytes, keyspace.valueStart, registers);
      break;
    }
    if (registers[register]! > 0) editor.raise(register, registers[register]!);
  }
  spoilEstimate(keyspace.valueBytes, keyspace.valueStart);
  context.changed(EVENT_STRING, "pfadd", 1);
  reply.ok();
}

export const HYPERLOGLOG_COMMANDS: CommandTable = {
  PFADD: {
    arity: -2,
    flags: ["write", "denyoom", "fast"],
    acl: ["hyperloglog"],
    keys: [{ flags: ["RW", "insert"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } }],
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) for each element.",
    summary: "Shows elements to a HyperLogLog, which is made when it is absent.",
    arguments: "key [element [element ...]]",
    run: add,
  },
  PFCOUNT: {
    arity: -2,
    flags: ["readonly"],
    acl: ["hyperloglog"],
    keys: [
      {
        flags: ["RW", "access"],
        begin: { index: 1 },
        find: { lastKey: -1, step: 1, limit: 0 },
        notes: "RW because it may change the internal representation of the key, and propagate to replicas",
      },
    ],
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) for one key; O(N) with a large constant for N keys.",
    summary: "Estimates how many different elements one HyperLogLog, or several together, have seen.",
    arguments: "key [key ...]",
    run: count,
  },
  PFMERGE: {
    arity: -2,
    flags: ["write", "denyoom"],
    acl: ["hyperloglog"],
    keys: [
      { flags: ["RW", "access", "insert"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } },
      { flags: ["RO", "access"], begin: { index: 2 }, find: { lastKey: -1, step: 1, limit: 0 } },
    ],
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(N) with a large constant for N keys.",
    summary: "Lets a HyperLogLog see what others have seen.",
    arguments: "destkey(key) [sourcekey(key) [sourcekey ...]]",
    run: merge,
  },
};
