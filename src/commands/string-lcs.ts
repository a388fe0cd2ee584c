/**
 * LCS: the longest common subsequence of two strings, its length, or where its runs lie in both.
 *
 *      lengths   (first + 1) x (second + 1) numbers; cell (i, j): length for the first i and the first j bytes
 *      walk      from the far corner back: equal bytes go up-left, otherwise towards the larger neighbour
 *
 *  I1  The table is no larger than proto-max-bulk-len.
 *  I2  At equal neighbours the walk goes to the shorter second string: which of several solutions is shown is fixed.
 *  Source: dynamic programming as in every textbook; choices and replies as redis-server 7.0 makes them.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { TYPE_STRING } from "../store/keyspace/record.ts";
import { readInteger } from "./arguments.ts";
import type { CommandContext, CommandTable } from "./command.ts";

const NOT_STRINGS = new ReplyError("ERR The specified keys must contain string values");
const LENGTH_AND_INDEXES = new ReplyError("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LARGE = new ReplyError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
const EMPTY = new Uint8Array(0);

/** A run of equal bytes: positions of its first byte, and its length. */
interface Run {
  first: number;
  second: number;
  length: number;
}

/** The bytes under a key, empty when absent, undefined when it is no string. */
function readString(context: CommandContext, index: number): Uint8Array | undefined {
  const { request, keyspace } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[index]!, request.length[index]!);
  if (record === 0) return EMPTY;
  if (keyspace.records.type(record) !== TYPE_STRING) return undefined;
  keyspace.readValue(record);
  return keyspace.valueBytes.subarray(keyspace.valueStart, keyspace.valueStart + keyspace.valueLength);
}

function longestCommonSubsequence(context: CommandContext): void {
  const { request, reply } = context;
  const first = readString(context, 1);
  const second = readString(context, 2);
  if (first === undefined || second === undefined) {
    reply.error(NOT_STRINGS);
    return;
  }
  let wantsLength = false;
  let wantsRuns = false;
  let wantsRunLengths = false;
  let runLengthMin = 0;
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, "IDX")) wantsRuns = true;
    else if (request.is(index, "LEN")) wantsLength = true;
    else if (request.is(index, "WITHMATCHLEN")) wantsRunLengths = true;
    else if (request.is(index, "MINMATCHLEN") && index + 1 < request.count) {
      runLengthMin = readInteger(context, ++index);
      if (Number.isNaN(runLengthMin)) return;
    } else {
      reply.error(SYNTAX);
      return;
    }
  }
  if (wantsRuns && wantsLength) {
    reply.error(LENGTH_AND_INDEXES);
    return;
  }
  if ((first.length + 1) * (second.length + 1) * 4 > context.limits.stringBytesMax) {
    reply.error(TOO_LARGE);
    return;
  }
  const lengths = fillTable(first, second);
  const length = lengths[lengths.length - 1]!;
  if (wantsLength) {
    reply.integer(length);
    return;
  }
  const runs = walkBack(lengths, first, second);
  if (wantsRuns) {
    replyRuns(
      context,
      runs.filter((run) => run.length >= runLengthMin),
      length,
      wantsRunLengths,
    );
  } else {
    replySubsequence(context, runs, first, length);
  }
}

function fillTable(first: Uint8Array, second: Uint8Array): Uint32Array {
  const width = second.length + 1;
  const lengths = new Uint32Array((first.length + 1) * width);
  for (let row = 1; row <= first.length; row++) {
    const byte = first[row - 1]!;
    const at = row * width;
    for (let column = 1; column < width; column++) {
      if (byte === second[column - 1]) {
        lengths[at + column] = lengths[at + column - width - 1]! + 1;
      } else {
        const above = lengths[at + column - width]!;
        const left = lengths[at + column - 1]!;
        lengths[at + column] = Math.max(above, left);
      }
    }
  }
  return lengths;
}

/** The runs of one solution, the last one first. */
function walkBack(lengths: Uint32Array, first: Uint8Array, second: Uint8Array): Run[] {
  const width = second.length + 1;
  const runs: Run[] = [];
  let run: Run | undefined;
  let row = first.length;
  let column = second.length;
  while (row > 0 && column > 0) {
    if (first[row - 1] === second[column - 1]) {
      row--;
      column--;
      if (run !== undefined && run.first === row + 1 && run.second === column + 1) {
        run.first = row;
        run.second = column;
        run.length++;
      } else {
        run = { first: row, second: column, length: 1 };
        runs.push(run);
      }
    } else if (lengths[(row - 1) * width + column]! > lengths[row * width + column - 1]!) {
      row--;
    } else {
      column--;
    }
  }
  return runs;
}

function replySubsequence(context: CommandContext, runs: Run[], first: Uint8Array, length: number): void {
  const text = new Uint8Array(length);
  let at = 0;
  for (let index = runs.length - 1; index >= 0; index--) {
    const run = runs[index]!;
    text.set(first.subarray(run.first, run.first + run.length), at);
    at += run.length;
  }
  context.reply.bulkBytes(text);
}

function replyRuns(context: CommandContext, runs: Run[], length: number, withLengths: boolean): void {
  const reply = context.reply;
  reply.map(2);
  reply.bulkText("matches");
  reply.array(runs.length);
  for (const run of runs) {
    reply.array(withLengths ? 3 : 2);
    reply.array(2);
    reply.integer(run.first);
    reply.integer(run.first + run.length - 1);
    reply.array(2);
    reply.integer(run.second);
    reply.integer(run.second + run.length - 1);
    if (withLengths) reply.integer(run.length);
  }
  reply.bulkText("len");
  reply.integer(length);
}

export const STRING_LCS_COMMANDS: CommandTable = {
  LCS: {
    arity: -3,
    flags: ["readonly"],
    acl: ["string"],
    keys: [{ flags: ["RO", "access"], begin: { index: 1 }, find: { lastKey: 1, step: 1, limit: 0 } }],
    since: "7.0.0",
    group: "string",
    complexity: "O(N*M) where N and M are the lengths of the two strings.",
    summary: "Finds the longest common subsequence of two strings.",
    arguments: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    run: longestCommonSubsequence,
  },
};
