/**
 * PFDEBUG and PFSELFTEST: HyperLogLogs from inside.
 *
 *  I1  GETREG turns a sparse value into a dense one, as Redis does.
 *  Source: replies of redis-server 7.0; what PFSELFTEST tests is ours.
 */

import { ReplyError } from "../protocol/errors.ts";
import {
  DENSE_BYTES,
  denseForm,
  describeCodes,
  EMPTY_BYTES,
  estimate,
  estimateOfRegisters,
  mergeRegisters,
  placeOf,
  REGISTERS,
  raiseDense,
  rankOf,
  registerOf,
  writeEmpty,
} from "../store/encodings/hyperloglog.ts";
import { ENCODING_RAW } from "../store/keyspace/record.ts";
import type { CommandContext, CommandTable } from "./command.ts";
import { CORRUPT, HyperLogLogEditor, readHyperLogLog } from "./hyperloglog.ts";

const NO_SUCH_KEY_HERE = new ReplyError("ERR The specified key does not exist");
const NOT_SPARSE = new ReplyError("ERR HLL encoding is not sparse");

function debug(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input, offset, length } = request;
  const record = keyspace.lookupWrite(database, input, offset[2]!, length[2]!);
  if (record === 0) {
    reply.error(NO_SUCH_KEY_HERE);
    return;
  }
  if (!readHyperLogLog(context, record)) return;
  keyspace.setEncoding(record, ENCODING_RAW);
  const editor = new HyperLogLogEditor(context, record);
  if (request.is(1, "GETREG")) getRegisters(context, editor);
  else if (request.is(1, "DECODE")) decode(context, editor);
  else if (request.is(1, "ENCODING")) reply.simple(editor.isSparse() ? "sparse" : "dense");
  else if (request.is(1, "TODENSE")) toDense(context, editor);
  else reply.errorText(`ERR Unknown PFDEBUG subcommand '${request.text(1)}'`);
}

/** False when the value is corrupt: the error has been written. */
function makeDense({ keyspace, reply }: CommandContext, editor: HyperLogLogEditor): boolean {
  if (!editor.isSparse()) return true;
  if (!editor.makeDense()) {
    reply.error(CORRUPT);
    return false;
  }
  keyspace.dirty++;
  return true;
}

function getRegisters(context: CommandContext, editor: HyperLogLogEditor): void {
  const { keyspace, reply } = context;
  if (!makeDense(context, editor)) return;
  const registers = new Uint8Array(REGISTERS);
  mergeRegisters(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength, registers);
  reply.array(REGISTERS);
  for (let index = 0; index < REGISTERS; index++) reply.integer(registers[index]!);
}

function decode({ keyspace, reply }: CommandContext, editor: HyperLogLogEditor): void {
  if (!editor.isSparse()) reply.error(NOT_SPARSE);
  else reply.bulkText(describeCodes(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength));
}

function toDense(context: CommandContext, editor: HyperLogLogEditor): void {
  const wasSparse = editor.isSparse();
  if (makeDense(context, editor)) context.reply.integer(wasSparse ? 1 : 0);
}

const SELF_TEST_ELEMENTS = 100_000;
/** Standard error of an estimate from so many registers. */
const STANDARD_ERROR = 1.04 / Math.sqrt(REGISTERS);

/** Shows random elements to a dense value and to plain registers, which must agree, and estimate well. */
function selfTest({ random, reply }: CommandContext): void {
  const empty = new Uint8Array(EMPTY_BYTES);
  writeEmpty(empty, 0);
  const dense = denseForm(empty, 0, EMPTY_BYTES)!;
  const plain = new Uint8Array(REGISTERS);
  const merged = new Uint8Array(REGISTERS);
  const element = new Uint8Array(8);
  random.fill(element);
  for (let count = 1, checkpoint = 1; count <= SELF_TEST_ELEMENTS; count++) {
    for (let index = 0; index < 4; index++) element[index] = count >>> (index * 8);
    const place = placeOf(element, 0, element.length);
    raiseDense(dense, 0, registerOf(place), rankOf(place));
    plain[registerOf(place)] = Math.max(plain[registerOf(place)]!, rankOf(place));
    if (count !== checkpoint) continue;
    checkpoint *= 10;
    merged.fill(0);
    mergeRegisters(dense, 0, DENSE_BYTES, merged);
    if (!merged.every((rank, index) => rank === plain[index])) {
      reply.errorText(`TESTFAILED Registers of a dense value differ from plain ones after ${count} elements`);
      return;
    }
    const estimated = estimate(dense, 0, DENSE_BYTES);
    // Small counts are off by whole elements.
    const toleranceMax = Math.max(count * STANDARD_ERROR * 6, 3);
    if (estimated !== estimateOfRegisters(plain) || Math.abs(estimated - count) > toleranceMax) {
      reply.errorText(`TESTFAILED ${count} elements were estimated as ${estimated}`);
      return;
    }
  }
  reply.ok();
}

export const HYPERLOGLOG_DEBUG_COMMANDS: CommandTable = {
  PFDEBUG: {
    arity: 3,
    flags: ["write", "denyoom", "admin"],
    acl: ["hyperloglog"],
    keys: [{ flags: ["RW", "access"], begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } }],
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    summary: "Shows a HyperLogLog from inside: GETREG, DECODE, ENCODING, TODENSE.",
    arguments: "subcommand key",
    isSystemCommand: true,
    run: debug,
  },
  PFSELFTEST: {
    arity: 1,
    flags: ["admin"],
    acl: ["hyperloglog"],
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "N/A",
    summary: "Tests the code of HyperLogLogs with random elements.",
    isSystemCommand: true,
    run: selfTest,
  },
};
