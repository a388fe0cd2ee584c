/**
 * LogWalk: the commands of neighbouring increments, one after another, as one log.
 *
 *      i3 ─── next() "command" ... ───┐ i4 ─── "command" ... ───┐ ░ i5
 *                                     └ offset goes on          └ "gap": what follows does not belong to what was before
 *
 *  I1  Offsets and times go on from file to file, unless a file says others.
 *  I2  Only the last increment that holds something may end inside of a command or transaction: the walk ends before it,
 *      and `torn` says so.
 *  I3  Every other damage is a TimelineFault that names the file and the byte.
 */

import type { DiskFile } from "../../core/host.ts";
import { AofFault } from "../../history/formats/aof-fault.ts";
import { AofReader, type AofState } from "../../history/formats/aof-reader.ts";
import { fileFault, type Increment, type Timeline } from "./timeline.ts";
import { TimelineFault } from "./timeline-fault.ts";

/** A place in the log. NaN and undefined where nothing says it. */
export interface LogPosition {
  readonly replicationId: string | undefined;
  readonly offset: number;
  readonly timeMs: number;
}

/** Two neighbours that do not fit. */
export interface Gap {
  readonly before: LogPosition;
  readonly after: LogPosition;
}

/** The log ends with bytes that are no whole unit. */
export interface TornTail {
  readonly path: string;
  readonly wholeBytes: number;
  readonly lostBytes: number;
  readonly what: string;
}

export class LogWalk {
  /** The file that is being read, and its reader: after "command" as AofReader has it. */
  increment: Increment;
  reader: AofReader;
  /** Lines that say a later time than this are "late": what follows need not even be whole. */
  endMs: number;
  /** After "gap". */
  gap: Gap | undefined;
  torn: TornTail | undefined;
  /** Bytes of the files before the one that is being read. */
  private bytesBefore: number;
  private readonly timeline: Timeline;
  private readonly lastIndex: number;
  private file: DiskFile | undefined;
  private replicationId: string | undefined;
  /** Of the newest line before the one that says a position. */
  private lastMs: number;
  /** Something has been read that the next position may fit or not. */
  private hasRead: boolean;

  /** Walks from the beginning of increment `firstIndex` to the end of `lastIndex`. The first one must be there. */
  constructor(timeline: Timeline, firstIndex: number, lastIndex = timeline.increments.length - 1) {
    this.timeline = timeline;
    this.lastIndex = lastIndex;
    this.endMs = Number.POSITIVE_INFINITY;
    this.gap = undefined;
    this.torn = undefined;
    this.bytesBefore = 0;
    this.file = undefined;
    this.increment = timeline.increments[firstIndex]!;
    this.replicationId = this.increment.replicationId;
    this.lastMs = Number.NaN;
    this.hasRead = false;
    this.reader = this.open({ logOffset: this.increment.offset, timeMs: Number.NaN, source: undefined, database: 0 });
  }

  /** Bytes of files that have been read. */
  doneBytes(): number {
    return this.bytesBefore + this.reader.end;
  }

  /** Behind what was read last. */
  position(): LogPosition {
    const { logOffset, timeMs } = this.reader.state();
    return { replicationId: this.replicationId, offset: logOffset, timeMs: timeMs > 0 ? timeMs : Number.NaN };
  }

  /** "gap" at most once between two commands. Throws TimelineFault and DiskFault. hot path */
  next(): "command" | "gap" | "late" | "end" {
    for (;;) {
      const record = this.read();
      if (record === "command") {
        this.hasRead = true;
        return "command";
      }
      if (record === "annotation") {
        if (this.reader.annotation?.offset !== undefined && this.hasGap()) return "gap";
        const { timeMs } = this.reader;
        if (timeMs > this.endMs) return "late";
        if (timeMs > 0) this.lastMs = timeMs;
      } else if (!this.openNext()) {
        return "end";
      }
    }
  }

  private read(): "command" | "annotation" | "end" {
    try {
      return this.reader.next();
    } catch (error) {
      const { file, index } = this.increment;
      const isTorn = error instanceof AofFault && error.kind === "truncated" && this.timeline.mayBeTorn(index);
      if (!isTorn) throw fileFault(file, error);
      const lostBytes = this.file!.size() - error.wholeBytes;
      this.torn = { path: file.path, wholeBytes: error.wholeBytes, lostBytes, what: error.message };
      return "end";
    }
  }

  /** The line that was just read says a position: does it go on from what was before? */
  private hasGap(): boolean {
    const { annotation, expectedOffset } = this.reader;
    const before = this.replicationId;
    const beforeMs = this.lastMs;
    const { replicationId, timeMs } = annotation!;
    const offset = annotation!.offset!;
    this.replicationId = replicationId;
    const isFirst = !this.hasRead;
    this.hasRead = true;
    if (isFirst || (expectedOffset === offset && (before === undefined || before === replicationId))) return false;
    this.gap = {
      before: { replicationId: before, offset: expectedOffset, timeMs: beforeMs },
      after: { replicationId, offset, timeMs: timeMs > 0 ? timeMs : Number.NaN },
    };
    return true;
  }

  private openNext(): boolean {
    const { index } = this.increment;
    const before = this.position();
    if (index >= this.lastIndex || this.torn !== undefined) {
      this.close();
      return false;
    }
    const next = this.timeline.increments[index + 1]!;
    if (next.file.bytes < 0) {
      throw new TimelineFault(`${next.file.path} is missing, and what comes after it cannot be reached without it`);
    }
    this.bytesBefore += Math.max(this.increment.file.bytes, 0);
    this.increment = next;
    this.reader = this.open({ logOffset: before.offset, timeMs: before.timeMs, source: undefined, database: 0 });
    return true;
  }

  private open(state: AofState): AofReader {
    this.close();
    const { file } = this.increment;
    if (file.bytes < 0) throw new TimelineFault(`${file.path} is missing`);
    this.file = this.timeline.disk.open(file.path, "read");
    return AofReader.at(this.file, 0, state);
  }

  /** To be called when the walk is not walked to its end. */
  close(): void {
    this.file?.close();
    this.file = undefined;
  }
}
