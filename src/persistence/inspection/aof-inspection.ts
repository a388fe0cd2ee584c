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
  try {
    for (let record = reader.next(); record !== "end"; record = reader.next()) {
      if (record === "annotation") {
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
    result.problem = problemOfAof(file.path, error, file);
  }
  if (databaseCount > 0) result.databases.set(database, (result.databases.get(database) ?? 0) + databaseCount);
  result.wholeBytes = reader.wholeBytes;
  result.names = names.entries().sort((a, b) => b.count - a.count || Buffer.compare(a.name, b.name));
  if (result.end !== undefined) result.end = { ...result.end, offset: nextOffset };
  return result;
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
/** Records that must be readable behind a damage, so that it is no chance. */
const RESUME_RECORDS = 4;
const STAR = 42;
/** What is known at the beginning of a file. */
const FRESH = { logOffset: Number.NaN, timeMs: Number.NaN, source: undefined, database: 0 };

/**
 * A damage in plain words. A file that ends too early is torn there, and so is one that ends in zeros: what a file system
 * leaves where a crash came between a file's growing and its data.
 */
function problemOfAof(path: string, fault: AofFault, file: DiskFile): Problem {
  const isZeros = fault.kind === "format" && isTornByZeros(file, fault.wholeBytes);
  const isTornTail = fault.kind === "truncated" || isZeros;
  const rest = file.size() - fault.wholeBytes;
  const parts = { path, offset: fault.position, wholeBytes: fault.wholeBytes, reading: "command", isTornTail };
  const message = fault.message.replace(/^offset \d+: /, "");
  if (isZeros) {
    return problemOf({
      ...parts,
      message: `the file ends in zero bytes that were never written, ${rest} bytes behind the last whole command or transaction`,
    });
  }
  if (isTornTail) {
    return problemOf({ ...parts, message: `${message}, ${rest} bytes behind the last whole command or transaction` });
  }
  const resumesAt = findCommand(file, fault.position + 1);
  const behind =
    resumesAt === -1
      ? `no whole command follows in the ${rest} bytes to the end`
      : `commands can be read again from offset ${resumesAt} on`;
  return problemOf({ ...parts, message: `${message}; ${behind}` });
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

function isReadable(file: DiskFile, position: number): boolean {
  const reader = AofReader.at(file, position, FRESH);
  let records = 0;
  try {
    while (records < RESUME_RECORDS && reader.next() !== "end") records++;
  } catch (error) {
    if (!(error instanceof AofFault)) throw error;
    // An EXEC whose MULTI was damaged is a command all the same, and so is a unit that is torn at the end.
  }
  return records > 0;
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
