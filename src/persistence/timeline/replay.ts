/**
 * Carries out a plan: the state of a past moment in an engine.
 *
 *      base ──► engine.loadBase      segments ──► Replayer, command by command where something is left out
 *
 *  I1  What is executed is what the plan counted (I2 of plan.ts).
 *  I2  A SELECT inside of a transaction that is left out is executed: commands behind it rely on it.
 *  I3  A command that fails here though it succeeded once is not hidden: it is listed.
 */

import { AofFault } from "../../history/formats/aof-fault.ts";
import { AofReader, type AofState } from "../../history/formats/aof-reader.ts";
import { RdbFault } from "../../history/formats/rdb-fault.ts";
import type { Request } from "../../protocol/request.ts";
import { ReplayFault } from "../../session/replayer.ts";
import { commandText } from "./command-text.ts";
import type { ReplayEngine } from "./engine.ts";
import type { Plan, Segment } from "./plan.ts";
import { fileFault, type Timeline, type TimelineFile } from "./timeline.ts";
import { TimelineFault } from "./timeline-fault.ts";

/** Failures that are kept; the rest is counted. */
const FAILURES_MAX = 100;
const COMMANDS_PER_PROGRESS = 1 << 14;

/** A command that answered with an error. */
export interface ReplayFailure {
  /** Of the command, or of the transaction that it is in. */
  readonly offset: number;
  readonly command: string;
  readonly error: string;
}

export interface ReplayResult {
  readonly commandCount: number;
  readonly failureCount: number;
  readonly failures: readonly ReplayFailure[];
}

/** Called with the bytes of base and segments that are done. */
export type ReplayProgress = (doneBytes: number) => void;

/** Fills the empty keyspace of `engine`. Throws TimelineFault, DiskFault. */
export function carryOut(
  timeline: Timeline,
  plan: Plan,
  engine: ReplayEngine,
  onProgress: ReplayProgress = () => undefined,
): ReplayResult {
  loadBase(timeline, plan, engine);
  onProgress(plan.baseBytes);
  const run = new SegmentRun(timeline, engine, plan.exceptions, plan.base.timeMs);
  let doneBytes = plan.baseBytes;
  for (const segment of plan.segments) {
    run.execute(segment, 0, segment.endBytes, (bytes) => onProgress(doneBytes + bytes));
    doneBytes += segment.endBytes;
  }
  return run.result();
}

function loadBase(timeline: Timeline, { base }: Plan, engine: ReplayEngine): void {
  if (base.file === undefined) return;
  const { file } = base;
  const opened = timeline.disk.open(file.path, "read");
  try {
    engine.loadBase(opened, base.timeMs > 0 ? base.timeMs : 0);
  } catch (error) {
    if (error instanceof RdbFault || error instanceof ReplayFault) {
      throw new TimelineFault(`${file.path}: ${error.message}`, `everkey check ${file.path}`, error);
    }
    throw fileFault(file, error);
  } finally {
    opened.close();
  }
}

/** Executes parts of segments, one behind the other. */
export class SegmentRun {
  private readonly timeline: Timeline;
  private readonly engine: ReplayEngine;
  private readonly exceptions: readonly number[];
  private readonly failures: ReplayFailure[];
  private nextException: number;
  private reader: AofReader | undefined;
  /** What the reader of the last part knew at its end. */
  private state: AofState;
  private readonly commandsBefore: number;
  private readonly errorsBefore: number;
  /** Called with each command before it is executed; undefined where nobody wants to know. */
  onCommand: ((reader: AofReader) => void) | undefined;

  constructor(timeline: Timeline, engine: ReplayEngine, exceptions: readonly number[], timeMs: number) {
    this.timeline = timeline;
    this.engine = engine;
    this.exceptions = exceptions;
    this.failures = [];
    this.nextException = 0;
    this.reader = undefined;
    this.state = { logOffset: Number.NaN, timeMs, source: undefined, database: 0 };
    this.commandsBefore = engine.replayer.commandCount;
    this.errorsBefore = engine.replayer.errorCount;
    this.onCommand = undefined;
    engine.replayer.onError = (text, request) => this.fail(text, request);
  }

  /** The last part that was executed is the end of what `plan`, carried out by another run, comes to. */
  continueFrom({ reached }: Plan): void {
    const database = this.engine.replayer.databaseIndex;
    this.state = { logOffset: reached.offset, timeMs: reached.timeMs, source: undefined, database };
  }

  /** From `startBytes`, which is 0 or where the last call ended, to `endBytes`. Throws TimelineFault, DiskFault. */
  execute(segment: Segment, startBytes: number, endBytes: number, onProgress: ReplayProgress): void {
    const { file } = segment.increment;
    const { replayer } = this.engine;
    const opened = this.timeline.disk.open(file.path, "read");
    try {
      if (startBytes === 0) {
        replayer.reset();
        this.state = { logOffset: segment.startOffset, timeMs: this.state.timeMs, source: undefined, database: 0 };
      }
      const reader = AofReader.at(opened, startBytes, this.state, { endPosition: endBytes });
      this.reader = reader;
      if (this.nextException < this.exceptions.length || this.onCommand !== undefined)
        this.executeOneByOne(reader, onProgress);
      else {
        const isOver = (): boolean => {
          onProgress(reader.end);
          return false;
        };
        replayer.replay(reader, true, isOver);
      }
      this.state = reader.state();
    } catch (error) {
      throw segmentFault(file, this.reader, error);
    } finally {
      opened.close();
    }
  }

  private executeOneByOne(reader: AofReader, onProgress: ReplayProgress): void {
    const { replayer } = this.engine;
    let untilProgress = COMMANDS_PER_PROGRESS;
    let isLeavingOut = false;
    replayer.begin();
    try {
      for (let record = reader.next(); record !== "end"; record = reader.next()) {
        if (record === "annotation") {
          if (reader.timeMs > 0) replayer.setTime(reader.timeMs);
          continue;
        }
        if (--untilProgress === 0) {
          untilProgress = COMMANDS_PER_PROGRESS;
          onProgress(reader.end);
        }
        this.onCommand?.(reader);
        const { request } = reader;
        if (reader.logOffset === this.exceptions[this.nextException]) {
          this.nextException++;
          if (request.is(0, "MULTI")) {
            isLeavingOut = true;
          } else if (!isLeavingOut) {
            if (request.is(0, "EXEC")) this.leaveOutQueue(reader);
            continue;
          }
        }
        if (!isLeavingOut || request.is(0, "SELECT")) replayer.apply(reader);
        if (isLeavingOut && reader.endsUnit) isLeavingOut = false;
      }
    } catch (error) {
      replayer.forgetTransaction();
      throw error;
    } finally {
      replayer.end();
    }
  }

  /** The transaction that is queued is not executed; its SELECT counts nevertheless (I2). */
  private leaveOutQueue(reader: AofReader): void {
    const { replayer } = this.engine;
    replayer.forgetTransaction();
    replayer.selectDatabase(reader.database);
  }

  private fail(error: string, request: Request): void {
    if (this.failures.length >= FAILURES_MAX || this.reader === undefined) return;
    const { logOffset, start, unitStart } = this.reader;
    this.failures.push({ offset: logOffset - (start - unitStart), command: commandText(request), error });
  }

  result(): ReplayResult {
    const { replayer } = this.engine;
    return {
      commandCount: replayer.commandCount - this.commandsBefore,
      failureCount: replayer.errorCount - this.errorsBefore,
      failures: this.failures,
    };
  }
}

function segmentFault(file: TimelineFile, reader: AofReader | undefined, error: unknown): unknown {
  if (error instanceof AofFault || !(error instanceof ReplayFault)) return fileFault(file, error);
  return new TimelineFault(
    `${file.path}: the command at byte ${reader?.start ?? 0} cannot be executed: ${error.message}`,
    "",
    error,
  );
}
