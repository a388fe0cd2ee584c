/**
 * IncrementWriter: what the log holds becomes bytes of an increment, with lines that say when and by whom.
 *
 *      log     SET…│DEL…│MULTI…EXEC│SET…            pieces of blocks
 *      marks   ▲ 17:03:01.250   ▲ .251 expired
 *      file    #EK:…250│SET…│DEL…│#EK:…251 by expired│MULTI…EXEC│#EK:…251│SET…
 *
 *  I1  `wholeBytes` of the file are whole units that the cursor has passed. A write that failed may leave more: it is cut
 *      off before the next one.
 *  I2  Lines stand only between units, so that Redis passes over them.
 */

import { assert } from "../../core/assert.ts";
import type { DiskFile } from "../../core/host.ts";
import {
  ANNOTATION_BYTES_MAX,
  writeMark,
  writePosition,
  writeTimestamp,
} from "../../history/formats/aof-annotations.ts";
import type { CommandLog, LogCursor, LogMark } from "../../history/log/command-log.ts";

/** Bytes of a turn are gathered up to here; more are written in several calls. */
const GATHER_BYTES = 256 * 1024;

/** What an increment says besides commands. */
export interface Annotating {
  /** history-keep is on: times in milliseconds, and who caused what. */
  marksTimes: boolean;
  /** aof-timestamp-enabled: Redis's own lines, in seconds. */
  timestamps: boolean;
}

export class IncrementWriter {
  readonly file: DiskFile;
  /** Length of the part that is whole (I1). */
  wholeBytes: number;
  private readonly annotating: Annotating;
  private readonly gathered: Uint8Array;
  private gatheredBytes: number;
  private lastSecond: number;
  /** The time with which the file begins. */
  private firstMs: number;
  /** Something may stand behind `wholeBytes`. */
  private isTorn: boolean;
  /** The file says at which offset of the log it goes on. */
  private isPlaced: boolean;

  /** `file` is open for appending and has `wholeBytes`; `isPlaced` when they say where in the log their end is. */
  constructor(file: DiskFile, wholeBytes: number, annotating: Annotating, isPlaced: boolean) {
    this.file = file;
    this.wholeBytes = wholeBytes;
    this.annotating = annotating;
    this.gathered = new Uint8Array(GATHER_BYTES);
    this.gatheredBytes = 0;
    this.lastSecond = 0;
    this.firstMs = Number.NaN;
    this.isTorn = false;
    this.isPlaced = isPlaced && wholeBytes > 0;
  }

  /** Writes all that `cursor` has not read and moves it on. Throws DiskFault: then the cursor stays. */
  write(log: CommandLog, cursor: LogCursor): void {
    this.repair();
    if (cursor.offset === log.tailOffset) return;
    this.isTorn = true;
    this.gatheredBytes = 0;
    const { lastSecond } = this;
    try {
      this.writeUnits(log, cursor);
    } catch (error) {
      this.lastSecond = lastSecond;
      throw error;
    }
  }

  private writeUnits(log: CommandLog, cursor: LogCursor): void {
    let bytes = 0;
    if (!this.isPlaced) this.position(log, cursor.offset);
    const { marksTimes, timestamps } = this.annotating;
    const marks = marksTimes || timestamps ? log.marksFrom(cursor) : [];
    let nextMark = 0;
    let offset = cursor.offset;
    for (const piece of log.read(cursor)) {
      let { start } = piece;
      while (start < piece.end) {
        while (nextMark < marks.length && marks[nextMark]!.offset <= offset) this.annotate(marks[nextMark++]!);
        const untilMark = nextMark < marks.length ? marks[nextMark]!.offset - offset : piece.end - start;
        const length = Math.min(untilMark, piece.end - start);
        bytes += this.gather(piece.bytes, start, start + length);
        start += length;
        offset += length;
      }
    }
    bytes += this.flush();
    assert(offset === log.tailOffset, "the log is read to its end");
    this.isTorn = false;
    this.isPlaced = true;
    this.wholeBytes += bytes;
    log.advance(cursor, offset);
  }

  /** Cuts off what a failed write left. Throws DiskFault. */
  repair(): void {
    if (!this.isTorn) return;
    this.file.truncate(this.wholeBytes);
    this.isTorn = false;
  }

  private position(log: CommandLog, offset: number): void {
    const timeMs = log.marksFrom({ offset })[0]?.timeMs ?? 0;
    this.firstMs = timeMs;
    this.gatheredBytes = writePosition(this.gathered, 0, timeMs, log.replicationId, offset);
  }

  private annotate(mark: LogMark): void {
    // `gather` leaves room for one, and there is at most one between two units.
    assert(this.gatheredBytes + ANNOTATION_BYTES_MAX <= GATHER_BYTES, "there is room for an annotation");
    const { marksTimes, timestamps } = this.annotating;
    const second = Math.floor(mark.timeMs / 1000);
    if (timestamps && second > this.lastSecond) {
      this.lastSecond = second;
      this.gatheredBytes = writeTimestamp(this.gathered, this.gatheredBytes, second);
    } else if (mark.source === "" && !this.isPlaced && mark.timeMs === this.firstMs) {
      // The line that begins the file says the time, too.
      return;
    }
    if (marksTimes) this.gatheredBytes = writeMark(this.gathered, this.gatheredBytes, mark.timeMs, mark.source);
  }

  /** Returns the bytes that went to the file. */
  private gather(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    let written = 0;
    if (this.gatheredBytes + length > GATHER_BYTES - ANNOTATION_BYTES_MAX) written = this.flush();
    if (length > GATHER_BYTES - ANNOTATION_BYTES_MAX) {
      this.file.write(bytes, start, length);
      return written + length;
    }
    if (length < 64) {
      const { gathered, gatheredBytes } = this;
      for (let index = 0; index < length; index++) gathered[gatheredBytes + index] = bytes[start + index]!;
    } else {
      this.gathered.set(bytes.subarray(start, end), this.gatheredBytes);
    }
    this.gatheredBytes += length;
    return written;
  }

  private flush(): number {
    const bytes = this.gatheredBytes;
    if (bytes > 0) this.file.write(this.gathered, 0, bytes);
    this.gatheredBytes = 0;
    return bytes;
  }
}
