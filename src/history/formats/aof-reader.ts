/**
 * Reads an append-only file of commands one record after another; nothing is created per command.
 *
 *      file     #EK:… at <id> 700\r\n   *3\r\n$3\r\nSET…   #EK:… by a:1\r\n   *1\r\n$5\r\nMULTI…  …  *1\r\n$4\r\nEXEC\r\n
 *      next()   "annotation"            "command"          "annotation"       "command"          …  "command"        "end"
 *      unit                             └─ its own unit ─┘                    └───────────── one unit ─────────────┘
 *
 *      buffer   [ done │ commandStart ... reader.position ... │ filled ... ]     fileStart = place of buffer[0] in the file
 *                        └─ moves to the front when more is read
 *
 *  I1  `request` is valid until the next call of next().
 *  I2  `wholeBytes` only grows, and up to it every line, command and transaction is complete.
 *  I3  A file that ends anywhere gives the records that are whole and then "end" or a fault "truncated" with wholeBytes.
 *  I4  Memory grows with the bytes that the file has, never with a length that it only claims.
 *  I5  Stricter than loading in Redis, as strict as redis-check-aof: line ends must be there, MULTI and EXEC in pairs.
 *  Source: behaviour of redis-server 7.0 and redis-check-aof; annotations as aof-annotations.ts has them.
 */

import type { DiskFile } from "../../core/host.ts";
import type { Request } from "../../protocol/request.ts";
import { RequestReader, type UnfinishedRequest } from "../../protocol/request-reader.ts";
import { ANNOTATION_LINE_BYTES_MAX, ANNOTATION_MARK, type Annotation, AnnotationParser } from "./aof-annotations.ts";
import { AofFault } from "./aof-fault.ts";

const CHUNK_BYTES = 128 * 1024;
/** A buffer above this is given back once what needed it has been read. */
const LARGE_BYTES = 8 << 20;
/** Positions in the buffer are 32 bits wide. */
const BUFFER_BYTES_MAX = 2 ** 31 - 1;
/** Longer is no `*<count>\r\n` or `$<length>\r\n`. */
const HEADER_BYTES_MAX = 24;
const STAR = 42;
const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

export type AofRecord = "command" | "annotation" | "end";

/** What is known between two units besides the position. */
export interface AofState {
  /** Offset that the next command has in the log, NaN when unknown. */
  readonly logOffset: number;
  /** Of the newest annotation, NaN when there was none. */
  readonly timeMs: number;
  /** Who causes the next unit, as far as it has been said. */
  readonly source: string | undefined;
  readonly database: number;
}

export interface AofReaderOptions {
  /** Bytes read at once. */
  readonly chunkBytes?: number;
  /** Log offset of the first command, while no annotation says another. */
  readonly startLogOffset?: number;
  /** The file is a base: its commands make a state, and take no place in the log. */
  readonly isBase?: boolean;
  /** Where reading ends, at most; the file's size when it is opened otherwise. */
  readonly endPosition?: number;
}

export class AofReader {
  /** After "command": its arguments (I1). */
  readonly request: Request;
  /** After "command" and "annotation": where it begins and ends in the file. */
  start: number;
  end: number;
  /** Where the unit of the command begins in the file: a transaction's MULTI, else the command itself. */
  unitStart: number;
  /** Offset of the command in the log, NaN when unknown. */
  logOffset: number;
  /** When the command was executed: of the newest annotation, NaN when there was none. */
  timeMs: number;
  /** Who caused the unit of the command, undefined when unknown. */
  source: string | undefined;
  /** The command is MULTI, EXEC, or between them. */
  isInTransaction: boolean;
  /** The unit is complete with this command. */
  endsUnit: boolean;
  /** Database that the command works on, as far as this file says; after SELECT the new one. */
  database: number;
  /** After "annotation": what it says, undefined when it is unknown. Valid until the next call of next(). */
  annotation: Annotation | undefined;
  /** See I2. */
  wholeBytes: number;
  /** Log offset there, NaN when unknown. */
  wholeLogOffset: number;
  /** After an annotation that says an offset: the one that was counted up to there. */
  expectedOffset: number;
  /** How often the buffer was filled: what stood at a place of it stands there no more when this has changed. */
  fillCount: number;
  /** The history that offsets belong to, as the newest annotation with a position says; undefined when none did. */
  replicationId: string | undefined;

  private readonly file: DiskFile;
  private readonly chunkBytes: number;
  private readonly isBase: boolean;
  private readonly reader: RequestReader;
  private readonly saved: UnfinishedRequest;
  private readonly parser: AnnotationParser;
  private endPosition: number;
  private buffer: Uint8Array;
  private fileStart: number;
  private commandStart: number;
  private filled: number;
  private nextLogOffset: number;
  private nextSource: string | undefined;
  /** MULTI has been read, its EXEC has not. */
  private isOpen: boolean;

  constructor(file: DiskFile, options: AofReaderOptions = {}) {
    this.file = file;
    this.chunkBytes = Math.max(1, options.chunkBytes ?? CHUNK_BYTES);
    this.isBase = options.isBase ?? false;
    this.endPosition = Math.min(file.size(), options.endPosition ?? Number.POSITIVE_INFINITY);
    this.reader = new RequestReader();
    this.reader.bulkBytesMax = BUFFER_BYTES_MAX;
    this.request = this.reader.request;
    this.saved = {
      position: 0,
      expected: 0,
      bulkLength: -1,
      count: 0,
      offset: new Int32Array(64),
      length: new Int32Array(64),
    };
    this.parser = new AnnotationParser();
    this.buffer = new Uint8Array(this.chunkBytes);
    this.fileStart = 0;
    this.commandStart = 0;
    this.filled = 0;
    this.start = 0;
    this.end = 0;
    this.unitStart = 0;
    this.logOffset = Number.NaN;
    this.nextLogOffset = options.startLogOffset ?? Number.NaN;
    this.timeMs = Number.NaN;
    this.source = undefined;
    this.nextSource = undefined;
    this.isInTransaction = false;
    this.endsUnit = true;
    this.isOpen = false;
    this.database = 0;
    this.annotation = undefined;
    this.wholeBytes = 0;
    this.wholeLogOffset = this.nextLogOffset;
    this.expectedOffset = Number.NaN;
    this.fillCount = 0;
    this.replicationId = undefined;
    this.reader.start(this.buffer, 0, 0);
  }

  /** Goes on from `position`, which lies between two units, with what was known there (`state()` of an earlier reader). */
  static at(file: DiskFile, position: number, state: AofState, options: AofReaderOptions = {}): AofReader {
    const reader = new AofReader(file, { ...options, startLogOffset: state.logOffset });
    reader.fileStart = position;
    reader.wholeBytes = position;
    reader.start = position;
    reader.end = position;
    reader.timeMs = state.timeMs;
    reader.nextSource = state.source;
    reader.database = state.database;
    return reader;
  }

  /** What is known behind the record that was read last. Of use where `endsUnit`. */
  state(): AofState {
    return { logOffset: this.nextLogOffset, timeMs: this.timeMs, source: this.nextSource, database: this.database };
  }

  /** Reads the next record. Throws AofFault and DiskFault; it is not to be called again then. hot path */
  next(): AofRecord {
    const reader = this.reader;
    this.commandStart = reader.position;
    for (;;) {
      if (!reader.isInside()) {
        const at = this.commandStart;
        if (at >= this.filled) {
          if (this.refill()) continue;
          if (this.isOpen) throw this.truncated("the file ends between MULTI and EXEC");
          return "end";
        }
        const first = this.buffer[at]!;
        if (first === ANNOTATION_MARK) {
          if (this.readAnnotation()) return "annotation";
          if (this.refill()) continue;
          throw this.truncated("the file ends inside of an annotation");
        }
        if (first !== STAR) throw this.damaged(`a command belongs here, and byte ${first} is none`);
        const digit = at + 1 < this.filled ? this.buffer[at + 1]! : 49;
        if (digit < 49 || digit > 57) throw this.damaged("a command without arguments");
      }
      const result = reader.next();
      if (result === "ready") {
        this.finishCommand();
        return "command";
      }
      if (result === "error") throw this.damaged(reader.errorText.slice("ERR Protocol error: ".length));
      if (!this.refill()) throw this.truncated("the file ends inside of a command");
    }
  }

  private finishCommand(): void {
    const { request, buffer, commandStart } = this;
    if (!this.hasLineEnds()) throw this.damaged("a line of the command has no end");
    const start = this.fileStart + commandStart;
    const end = this.fileStart + this.reader.position;
    this.start = start;
    this.end = end;
    this.logOffset = this.nextLogOffset;
    if (!this.isBase) this.nextLogOffset += end - start;
    this.isInTransaction = this.isOpen;
    const length = request.length[0]!;
    // Of most commands the length of the name says enough.
    if (length >= 4 && length <= 6) this.structure(buffer[request.offset[0]!]! | 0x20, start);
    else if (!this.isOpen) this.beginUnit(start);
    this.endsUnit = !this.isOpen;
    if (!this.isOpen) {
      this.wholeBytes = end;
      this.wholeLogOffset = this.nextLogOffset;
    }
  }

  /** The commands that divide the file into units and databases. */
  private structure(initial: number, start: number): void {
    const { request } = this;
    if (initial === 109 && request.is(0, "MULTI")) {
      if (this.isOpen) throw this.damaged("MULTI inside of a transaction");
      this.beginUnit(start);
      this.isOpen = true;
      this.isInTransaction = true;
    } else if (initial === 101 && request.is(0, "EXEC")) {
      if (!this.isOpen) throw this.damaged("EXEC without MULTI");
      this.isOpen = false;
    } else if (initial === 115 && request.is(0, "SELECT")) {
      const index = request.count > 1 ? request.integer(1) : Number.NaN;
      if (index >= 0) this.database = index;
      if (!this.isOpen) {
        // It prepares the unit that was announced, and is not that unit itself.
        this.unitStart = start;
        this.source = this.nextSource;
      }
    } else if (!this.isOpen) {
      this.beginUnit(start);
    }
  }

  private beginUnit(start: number): void {
    this.unitStart = start;
    this.source = this.nextSource;
    this.nextSource = undefined;
  }

  /** Whether the line ends that RequestReader passes over are what they should be. */
  private hasLineEnds(): boolean {
    const { buffer } = this;
    const { offset, length, count } = this.request;
    for (let index = 0; index < count; index++) {
      const start = offset[index]!;
      const end = start + length[index]!;
      if (buffer[start - 1] !== LINE_FEED || buffer[end] !== CARRIAGE_RETURN || buffer[end + 1] !== LINE_FEED) {
        return false;
      }
    }
    // The line of the command's own header ends in front of the first argument's "$" and digits.
    let at = offset[0]! - 3;
    while (buffer[at]! >= 48 && buffer[at]! <= 57) at--;
    return buffer[at - 1] === LINE_FEED;
  }

  /** Reads the line at commandStart; false when its end has not been read yet. */
  private readAnnotation(): boolean {
    const { buffer, commandStart, parser } = this;
    const limit = Math.min(this.filled, commandStart + ANNOTATION_LINE_BYTES_MAX);
    let at = commandStart;
    while (at < limit && buffer[at] !== LINE_FEED) at++;
    if (at === limit) {
      if (limit - commandStart === ANNOTATION_LINE_BYTES_MAX) throw this.damaged("an annotation is too long");
      return false;
    }
    const isKnown = parser.parse(buffer, commandStart, buffer[at - 1] === CARRIAGE_RETURN ? at - 1 : at);
    this.annotation = isKnown ? parser : undefined;
    if (isKnown) {
      this.timeMs = parser.timeMs;
      if (parser.source !== undefined) this.nextSource = parser.source;
      if (parser.offset !== undefined) {
        this.expectedOffset = this.nextLogOffset;
        this.nextLogOffset = parser.offset;
        this.replicationId = parser.replicationId;
        // A new start: whoever was announced before has left nothing behind.
        this.nextSource = undefined;
      }
    }
    this.reader.position = at + 1;
    this.start = this.fileStart + commandStart;
    this.end = this.fileStart + at + 1;
    if (!this.isOpen) {
      this.wholeBytes = this.end;
      this.wholeLogOffset = this.nextLogOffset;
    }
    return true;
  }

  /** Reads more behind what is unread, which moves to the front. False when there is nothing more for it. */
  private refill(): boolean {
    const { reader, saved, commandStart } = this;
    const kept = this.filled - commandStart;
    const needed = Math.max(reader.save(commandStart, saved), kept + 1);
    const isBetween = kept === 0 || this.buffer[commandStart] === ANNOTATION_MARK;
    if (!isBetween && saved.bulkLength < 0) this.checkHeader(commandStart + saved.position);
    const remaining = this.endPosition - this.fileStart - this.filled;
    if (remaining <= 0) return false;
    if (needed > kept + remaining) return false;
    if (needed > BUFFER_BYTES_MAX) throw this.damaged("the command is too large");
    const buffer = this.bufferFor(kept, needed, kept + remaining);
    if (buffer === this.buffer) buffer.copyWithin(0, commandStart, this.filled);
    else buffer.set(this.buffer.subarray(commandStart, this.filled));
    this.buffer = buffer;
    this.fillCount++;
    this.fileStart += commandStart;
    this.commandStart = 0;
    this.filled = kept;
    const got = this.file.readAt(buffer, kept, Math.min(remaining, buffer.length - kept), this.fileStart + kept);
    if (got > 0) this.filled += got;
    else this.endPosition = this.fileStart + kept; // somebody has cut the file meanwhile
    reader.restore(buffer, this.filled, saved);
    return got > 0;
  }

  /** Whether what is there from `at` on can still become a header: the reader only waits for a `\r`. */
  private checkHeader(at: number): void {
    const { buffer, filled } = this;
    if (filled - at > HEADER_BYTES_MAX) throw this.damaged("a header without an end");
    for (; at < filled; at++) if (buffer[at] === LINE_FEED) throw this.damaged("a line of the command has no end");
  }

  /** A buffer for `needed` bytes at least, of which `kept` are there: the same one while it fits (I4). */
  private bufferFor(kept: number, needed: number, available: number): Uint8Array {
    const size = this.buffer.length;
    if (size > LARGE_BYTES && needed < this.chunkBytes) return new Uint8Array(this.chunkBytes);
    // Half of it free: otherwise a command of very many arguments would be moved again and again.
    if (needed <= size && (kept <= size / 2 || available <= size)) return this.buffer;
    return new Uint8Array(Math.min(Math.max(this.chunkBytes, needed, kept * 2), available, BUFFER_BYTES_MAX));
  }

  private truncated(what: string): AofFault {
    return new AofFault("truncated", this.wholeBytes, this.wholeBytes, what);
  }

  private damaged(what: string): AofFault {
    const position = this.fileStart + this.commandStart;
    return new AofFault("format", position, this.wholeBytes, `offset ${position}: ${what}`);
  }
}
