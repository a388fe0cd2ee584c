/**
 * What is in an append-only file of commands: counted by name, with the time and the part of the log that they cover.
 *
 *      file ─► AofReader ─► "command" ─► counts by name, database, unit        "annotation" ─► times, positions
 *
 *  I1  Nothing is kept of a command but numbers.
 *  I2  A tail that is torn, or a damage, ends the count; what was counted before is told with it.
 *  Source: records as aof-reader.ts tells them.
 */

import type { DiskFile } from "../../core/host.ts";
import { AofFault } from "../../history/formats/aof-fault.ts";
import { AofReader } from "../../history/formats/aof-reader.ts";
import { type NameCount, NameTable } from "./name-table.ts";
import { type Problem, problemOf } from "./problem.ts";

/** Command names that are told apart; files of a server have a few dozen. */
const NAMES_MAX = 10_000;
const NAME_BYTES_MAX = 64;
/** Jumps of the log's offset that are told one by one. */
const JUMPS_MAX = 100;

/** A place of the log. */
export interface LogPosition {
  readonly replicationId: string;
  readonly offset: number;
}

/** Inside of a file the log goes on somewhere else than where it stood. */
export interface LogJump {
  /** Bytes from the start of the file. */
  readonly at: number;
  readonly from: LogPosition;
  readonly to: LogPosition;
}

export interface AofInspection {
  commands: number;
  /** Commands by name (capitals), most first. */
  names: NameCount[];
  /** MULTI ... EXEC that are complete. */
  transactions: number;
  /** Commands by database. */
  readonly databases: Map<number, number>;
  /** Lines that are no commands. */
  annotations: number;
  /** Of annotations, ms since 1970; NaN where there are none. */
  firstTimeMs: number;
  lastTimeMs: number;
  /** Of the first command and behind the last, undefined where the file does not say. */
  start: LogPosition | undefined;
  end: LogPosition | undefined;
  readonly jumps: LogJump[];
  /** Where the commands begin in the file: behind an RDB preamble, else 0. */
  readonly from: number;
  /** Bytes from the start of the file in which every command and transaction is complete. */
  wholeBytes: number;
  problem: Problem | undefined;
}

export interface AofInspectionOptions {
  /** Where the commands begin. */
  readonly from: number;
  /** The file is a base: its commands are a state and take no place in the log. */
  readonly isBase: boolean;
  /** Names are counted. */
  readonly countsNames: boolean;
}

/** Reads the commands of `file` to the end or to the first damage. Throws DiskFault. */
export function inspectAof(file: DiskFile, options: AofInspectionOptions): AofInspection {
  const result: AofInspection = {
    commands: 0,
    names: [],
    transactions: 0,
    databases: new Map(),
    annotations: 0,
    firstTimeMs: Number.NaN,
    lastTimeMs: Number.NaN,
    start: undefined,
    end: undefined,
    jumps: [],
    from: options.from,
    wholeBytes: options.from,
    problem: undefined,
  };
  const reader = AofReader.at(file, options.from, FRESH, { isBase: options.isBase });
  const names = new NameTable(NAMES_MAX);
  const upper = new Uint8Array(NAME_BYTES_MAX);
  let database = 0;
  let databaseCount = 0;
  // Where the log stands behind the last command: the reader knows it only until an annotation says another place.
  let nextOffset = Number.NaN;
  // A line that only stands between units was seen inside of one: its EXEC is damaged, and what follows is no part of it.
  let hasLineInside = false;
  try {
    for (let record = reader.next(); record !== "end"; record = reader.next()) {
      if (record === "annotation") {
        if (isBetweenUnits(reader)) hasLineInside ||= reader.isInTransaction && !reader.endsUnit;
        if (noteAnnotation(result, reader, nextOffset)) nextOffset = reader.state().logOffset;
        continue;
      }
      result.commands++;
      if (!options.isBase) nextOffset += reader.end - reader.start;
      if (reader.database !== database) {
        if (databaseCount > 0) result.databases.set(database, (result.databases.get(database) ?? 0) + databaseCount);
        database = reader.database;
        databaseCount = 0;
      }
      databaseCount++;
      if (reader.endsUnit && reader.isInTransaction) result.transactions++;
      if (options.countsNames) countName(names, reader, upper);
    }
  } catch (error) {
    if (!(error instanceof AofFault)) throw error;
    result.problem = problemOfAof(file, error, reader.end, hasLineInside);
  }
  if (databaseCount > 0) result.databases.set(database, (result.databases.get(database) ?? 0) + databaseCount);
  result.wholeBytes = reader.wholeBytes;
  result.names = names.entries().sort((a, b) => b.count - a.count || Buffer.compare(a.name, b.name));
  if (result.end !== undefined) result.end = { ...result.end, offset: nextOffset };
  return result;
}

function isBetweenUnits({ annotation }: AofReader): boolean {
  return annotation !== undefined && (annotation.source !== undefined || annotation.offset !== undefined);
}

/** Takes what an annotation says; true when it is a position in the log. */
function noteAnnotation(result: AofInspection, reader: AofReader, nextOffset: number): boolean {
  result.annotations++;
  const { annotation } = reader;
  if (annotation === undefined) return false;
  const { timeMs, replicationId, offset } = annotation;
  if (timeMs > 0) {
    if (Number.isNaN(result.firstTimeMs)) result.firstTimeMs = timeMs;
    result.lastTimeMs = timeMs;
  }
  if (replicationId === undefined || offset === undefined) return false;
  const position: LogPosition = { replicationId, offset };
  if (result.end === undefined) {
    result.start = position;
  } else if (result.end.replicationId !== replicationId || nextOffset !== offset) {
    const from = { replicationId: result.end.replicationId, offset: nextOffset };
    if (result.jumps.length < JUMPS_MAX) result.jumps.push({ at: reader.start, from, to: position });
  }
  result.end = position;
  return true;
}

/** Counts a command under its name in capitals. hot path */
function countName(names: NameTable, reader: AofReader, upper: Uint8Array): void {
  const { input, offset, length } = reader.request;
  const start = offset[0]!;
  const nameLength = Math.min(length[0]!, NAME_BYTES_MAX);
  for (let index = 0; index < nameLength; index++) {
    const byte = input[start + index]!;
    upper[index] = byte >= 97 && byte <= 122 ? byte - 32 : byte;
  }
  names.add(upper, 0, nameLength, reader.end - reader.start, 0);
}

/** Bytes that are looked at behind a damage in one piece. */
const PIECE_BYTES = 1 << 16;
/** Read at once where commands may go on. */
const RESUME_BYTES = 8192;
/** Records that must be readable behind a damage, so that it is no chance. */
const RESUME_RECORDS = 4;
const STAR = 42;
/** What is known at the beginning of a file. */
const FRESH = { logOffset: Number.NaN, timeMs: Number.NaN, source: undefined, database: 0 };

/**
 * A damage in plain words. A file that ends too early is torn there, and so is one that ends in zeros: what a file system
 * leaves where a crash came between a file's growing and its data. But where whole commands follow the broken one, a byte
 * of its lengths has changed in the middle of the file: that is no tail. `brokenStart`: where the record begins that could
 * not be read.
 */
function problemOfAof(file: DiskFile, fault: AofFault, brokenStart: number, hasLineInside: boolean): Problem {
  const { wholeBytes } = fault;
  const isZeros = fault.kind === "format" && isTornByZeros(file, wholeBytes);
  const isEnd = fault.kind === "truncated" || isZeros;
  const resumesAt = findCommand(file, Math.max(brokenStart, wholeBytes) + 1);
  const isTornTail = isEnd && resumesAt === -1 && !hasLineInside;
  const rest = file.size() - wholeBytes;
  const offset = isTornTail || hasLineInside ? wholeBytes : Math.max(brokenStart, wholeBytes);
  const parts = { path: file.path, offset, wholeBytes, reading: "command", isTornTail };
  const message = fault.message.replace(/^offset \d+: /, "");
  if (isTornTail) {
    const how = isZeros ? "the file ends in zero bytes that were never written" : message;
    return problemOf({ ...parts, message: `${how}, ${rest} bytes behind the last whole command or transaction` });
  }
  if (hasLineInside) {
    return problemOf({ ...parts, message: "the transaction that begins here does not end, and other commands follow" });
  }
  const behind =
    resumesAt === -1
      ? `no whole command follows in the ${rest} bytes to the end`
      : `commands can be read again from offset ${resumesAt} on`;
  const what = fault.kind === "truncated" ? "the command that begins here claims more bytes than it has" : message;
  return problemOf({ ...parts, message: `${what}; ${behind}` });
}

/** The first place from `position` on, behind a line end, where commands stand again; -1 when there is none. */
function findCommand(file: DiskFile, position: number): number {
  const piece = new Uint8Array(PIECE_BYTES);
  let last = 0;
  for (let base = position; ; base += PIECE_BYTES) {
    const got = file.readAt(piece, 0, PIECE_BYTES, base);
    if (got <= 0) return -1;
    for (let index = 0; index < got; index++) {
      const byte = piece[index]!;
      if (byte === STAR && last === 10 && isReadable(file, base + index)) return base + index;
      last = byte;
    }
  }
}

/** Whether so many commands stand at `position` that it is no chance, or some and then the end. */
function isReadable(file: DiskFile, position: number): boolean {
  const reader = AofReader.at(file, position, FRESH, { chunkBytes: RESUME_BYTES });
  let records = 0;
  try {
    while (records < RESUME_RECORDS && reader.next() !== "end") records++;
    return records > 0;
  } catch (error) {
    if (!(error instanceof AofFault)) throw error;
    // A unit that is torn at the end, or an EXEC whose MULTI was damaged: a whole command must stand before it.
    return records > 0;
  }
}

/** Whether zeros from some place on to the end are all that is wrong behind `wholeBytes`. */
function isTornByZeros(file: DiskFile, wholeBytes: number): boolean {
  const zeroStart = trailingZerosOf(file, wholeBytes);
  if (zeroStart === file.size()) return false;
  const reader = AofReader.at(file, wholeBytes, FRESH, { endPosition: zeroStart });
  try {
    while (reader.next() !== "end");
    return true;
  } catch (error) {
    if (!(error instanceof AofFault)) throw error;
    return error.kind === "truncated";
  }
}

/** Where the zero bytes at the end of the file begin, at `from` at the earliest; the file's size when there are none. */
function trailingZerosOf(file: DiskFile, from: number): number {
  const piece = new Uint8Array(PIECE_BYTES);
  for (let end = file.size(); end > from; ) {
    const start = Math.max(from, end - PIECE_BYTES);
    const got = file.readAt(piece, 0, end - start, start);
    for (let index = got - 1; index >= 0; index--) if (piece[index] !== 0) return start + index + 1;
    end = start;
  }
  return from;
}
