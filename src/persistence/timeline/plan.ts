/**
 * Plan: how a past moment is reached, before anything is done.
 *
 *      target ──► base at or before it ──► segments: increments from there on, the last one up to the moment
 *
 *  I1  A transaction (MULTI ... EXEC) is within a plan as a whole, or not at all.
 *  I2  A plan names what is there now: it is carried out up to the bytes that it counted, whatever is added meanwhile.
 *  I3  Between base and moment there is no gap.
 *  I4  What is left out is one command that the log holds between base and moment, or the transaction that its MULTI or
 *      EXEC stands for.
 */

import type { CommandMatch } from "./command-match.ts";
import { commandText } from "./command-text.ts";
import { type LogPosition, LogWalk, type TornTail } from "./log-walk.ts";
import { momentText } from "./moment.ts";
import type { Base, Increment, Timeline } from "./timeline.ts";
import { TimelineFault } from "./timeline-fault.ts";

/** Where somebody wants to go. */
export type Target =
  | { readonly kind: "newest" }
  /** With all that was executed at this moment, ms since 1970. */
  | { readonly kind: "time"; readonly timeMs: number }
  /** Without the command at this offset. */
  | { readonly kind: "offset"; readonly offset: number }
  /** Just before the `nth` such command from the end, from 1. */
  | { readonly kind: "before"; readonly match: CommandMatch; readonly nth: number };

/** A part of an increment that is executed. */
export interface Segment {
  readonly increment: Increment;
  /** Log offset of its first command. */
  readonly startOffset: number;
  /** Bytes of the file up to the end of the last command that is executed. */
  readonly endBytes: number;
  readonly commandCount: number;
}

export interface Plan {
  readonly base: Base;
  readonly segments: readonly Segment[];
  /** What is reached. */
  readonly reached: LogPosition;
  /** Nothing of the log comes after it. */
  readonly isNewest: boolean;
  /** Commands without MULTI, EXEC and SELECT. */
  readonly commandCount: number;
  /** Bytes of the base, and of the segments. */
  readonly baseBytes: number;
  readonly logBytes: number;
  /** Offsets that are left out, ascending, and what stands there. */
  readonly exceptions: readonly number[];
  readonly leftOut: readonly { readonly offset: number; readonly command: string }[];
  readonly torn: TornTail | undefined;
  /** What else people should know. */
  readonly notes: readonly string[];
  /** The command before which it ends, and when: of a target "before". */
  readonly before: FoundCommand | undefined;
}

/** A command that was looked for. */
export interface FoundCommand {
  readonly increment: number;
  /** Where its unit begins in the file. */
  readonly unitStart: number;
  readonly offset: number;
  readonly timeMs: number;
  readonly source: string | undefined;
}

export type PlanProgress = (doneBytes: number) => void;

const PROGRESS_COMMANDS = 1 << 16;

/** Makes a plan that goes on from `base`, whatever later ones there are. Throws TimelineFault, DiskFault. */
export function makePlanFrom(timeline: Timeline, base: Base, target: Target, onProgress: PlanProgress): Plan {
  return new Scan(timeline, base, target, undefined, [], onProgress).run();
}

/** Makes a plan. Throws TimelineFault, DiskFault. */
export function makePlan(
  timeline: Timeline,
  target: Target,
  exceptions: readonly number[] = [],
  onProgress: PlanProgress = () => undefined,
): Plan {
  if (timeline.bases.length === 0) throw new TimelineFault(`${timeline.path} holds no state to begin with`);
  const wanted = [...new Set(exceptions)].sort((left, right) => left - right);
  if (target.kind === "offset" || wanted.length > 0) timeline.locate();
  const before = target.kind === "before" ? findBefore(timeline, target.match, target.nth) : undefined;
  const candidates = candidateBases(timeline, target, before);
  const firstWanted = wanted[0] ?? Number.POSITIVE_INFINITY;
  if (candidates.every(({ offset }) => offset > firstWanted)) {
    throw new TimelineFault(
      `offset ${firstWanted} is to be left out, but no snapshot before it is left: the earliest is at ${candidates[0]!.offset}`,
    );
  }
  let failure: unknown;
  for (let index = candidates.length - 1; index >= 0; index--) {
    const base = candidates[index]!;
    if (base.offset > firstWanted) continue;
    const scan = new Scan(timeline, base, target, before, wanted, onProgress);
    try {
      return scan.run();
    } catch (error) {
      // An older branch may have the offset; otherwise the newest base's answer is the one to give.
      if (!(error instanceof TimelineFault) || target.kind !== "offset") throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Bases from which the target may be reached, oldest first. Throws when there is none. */
function candidateBases(timeline: Timeline, target: Target, before: FoundCommand | undefined): Base[] {
  const there = timeline.bases.filter(({ file }) => file === undefined || file.bytes > 0);
  if (there.length === 0) {
    throw new TimelineFault(`${timeline.bases[0]!.file?.path} is missing, and there is no other base to begin with`);
  }
  const first = there[0]!;
  if (target.kind === "time") {
    const found = there.filter((base) => base === first || base.timeMs <= target.timeMs);
    if (first.timeMs > target.timeMs) {
      throw new TimelineFault(
        `that moment lies before the history, which begins at ${momentText(first.timeMs)}`,
        "history shows what there is",
      );
    }
    return found;
  }
  if (target.kind === "offset") {
    const found = there.filter((base) => base.offset <= target.offset);
    if (found.length === 0) {
      const lowest = Math.min(...there.map(({ offset }) => offset));
      throw new TimelineFault(`offset ${target.offset} lies before the history, which begins at offset ${lowest}`);
    }
    return found;
  }
  if (before !== undefined) {
    const found = there.filter((base) => base.firstIncrement <= before.increment);
    if (found.length === 0) throw new TimelineFault("no base is left from which that command could be reached");
    return found;
  }
  return there;
}

/** The command before which a plan is to end, looked for from the end. */
function findBefore(timeline: Timeline, match: CommandMatch, nth: number): FoundCommand {
  timeline.locate();
  let left = nth;
  let total = 0;
  for (let index = timeline.increments.length - 1; index >= 0; index--) {
    if (timeline.increments[index]!.file.bytes < 0) continue;
    const found = matchesIn(timeline, index, match);
    total += found.length;
    if (found.length >= left) return found[found.length - left]!;
    left -= found.length;
  }
  if (total === 0) throw new TimelineFault(`the history holds no ${match.text}`, "everkey history shows what it holds");
  throw new TimelineFault(
    `the history holds ${match.text} only ${total} times, so there is no number ${nth} from the end`,
  );
}

function matchesIn(timeline: Timeline, index: number, match: CommandMatch): FoundCommand[] {
  const found: FoundCommand[] = [];
  const walk = new LogWalk(timeline, index, index);
  try {
    for (let step = walk.next(); step !== "end"; step = walk.next()) {
      const { reader } = walk;
      if (step !== "command" || !match.matches(reader)) continue;
      const { unitStart, logOffset: offset, timeMs, source } = reader;
      found.push({ increment: index, unitStart, offset, timeMs, source });
    }
  } finally {
    walk.close();
  }
  return found;
}

/** Walks from a base to the target, and counts. */
class Scan {
  private readonly timeline: Timeline;
  private readonly base: Base;
  private readonly target: Target;
  private readonly before: FoundCommand | undefined;
  private readonly wanted: readonly number[];
  private readonly onProgress: PlanProgress;
  private readonly segments: Segment[];
  private nextWanted: number;
  private readonly leftOut: { offset: number; command: string }[];
  private commandCount: number;
  private segmentCommands: number;
  private reached: LogPosition;
  private endBytes: number;
  /** Commands of the unit that has not ended. */
  private openCommands: number;
  /** A transaction that was met ends behind the target. */
  private isPassed: boolean;
  private sawTime: boolean;
  private usesSeconds: boolean;

  constructor(
    timeline: Timeline,
    base: Base,
    target: Target,
    before: FoundCommand | undefined,
    wanted: readonly number[],
    onProgress: PlanProgress,
  ) {
    this.timeline = timeline;
    this.base = base;
    this.target = target;
    this.before = before;
    this.wanted = wanted;
    this.onProgress = onProgress;
    this.segments = [];
    this.nextWanted = 0;
    this.leftOut = [];
    this.commandCount = 0;
    this.segmentCommands = 0;
    const { replicationId, offset, timeMs } = base;
    this.reached = { replicationId, offset, timeMs };
    this.endBytes = 0;
    this.openCommands = 0;
    this.isPassed = false;
    this.sawTime = timeMs > 0;
    this.usesSeconds = true;
  }

  run(): Plan {
    const { base, timeline, target } = this;
    const notes: string[] = [];
    let isNewest = true;
    let torn: TornTail | undefined;
    if (base.firstIncrement < timeline.increments.length) {
      const walk = new LogWalk(timeline, base.firstIncrement);
      try {
        isNewest = this.walk(walk);
        torn = walk.torn;
      } finally {
        walk.close();
      }
    } else if (target.kind === "offset" && target.offset > base.offset) {
      throw new TimelineFault(`offset ${target.offset} lies behind the end of the log, which is ${base.offset}`);
    }
    this.checkWanted();
    if (target.kind === "time") this.describeTime(target.timeMs, isNewest, notes);
    return {
      base,
      segments: this.segments,
      reached: this.reached,
      isNewest,
      commandCount: this.commandCount,
      baseBytes: base.file?.bytes ?? 0,
      logBytes: this.segments.reduce((sum, { endBytes }) => sum + endBytes, 0),
      exceptions: this.wanted,
      leftOut: this.leftOut,
      torn,
      notes,
      before: this.before,
    };
  }

  /** Returns whether the end of the log was reached. */
  private walk(walk: LogWalk): boolean {
    let increment = walk.increment;
    let startOffset = increment.offset;
    let endOffset = startOffset;
    let untilProgress = PROGRESS_COMMANDS;
    const endSegment = (): void => {
      if (this.endBytes > 0) {
        const { endBytes, segmentCommands: commandCount } = this;
        this.segments.push({ increment, startOffset, endBytes, commandCount });
      }
      this.segmentCommands = 0;
      this.endBytes = 0;
    };
    if (this.target.kind === "time") walk.endMs = this.target.timeMs;
    for (;;) {
      const step = this.step(walk, endOffset);
      const { reader } = walk;
      if (step !== "command") {
        endSegment();
        if (step === "end") return this.end(endOffset);
        if (step === "gap") this.meetGap(walk);
        return false;
      }
      if (walk.increment !== increment) {
        endSegment();
        increment = walk.increment;
        startOffset = reader.logOffset;
      }
      if (reader.unitStart === reader.start && this.isBehind(walk)) {
        endSegment();
        return false;
      }
      this.take(walk);
      endOffset = reader.state().logOffset;
      if (--untilProgress === 0) {
        untilProgress = PROGRESS_COMMANDS;
        this.onProgress(walk.doneBytes());
      }
    }
  }

  /** Damage behind an offset that has been reached is of no interest. */
  private step(walk: LogWalk, endOffset: number): ReturnType<LogWalk["next"]> {
    try {
      return walk.next();
    } catch (error) {
      const isThere = this.target.kind === "offset" && endOffset === this.target.offset;
      if (isThere && error instanceof TimelineFault) return "late";
      throw error;
    }
  }

  /** Whether the unit that begins here comes after the target. */
  private isBehind({ reader, increment }: LogWalk): boolean {
    const { target, before } = this;
    if (reader.timeMs > 0) {
      this.sawTime = true;
      // Only Everkey's own lines say positions, and these count milliseconds.
      if (reader.replicationId !== undefined) this.usesSeconds = false;
    }
    if (target.kind === "time") return reader.timeMs > target.timeMs;
    if (target.kind === "offset") return reader.logOffset >= target.offset || this.unitPasses(target.offset, reader);
    if (before === undefined) return false;
    return (
      increment.index > before.increment || (increment.index === before.increment && reader.start >= before.unitStart)
    );
  }

  /** Whether `offset` lies within the unit that begins here, as far as one command shows it. */
  private unitPasses(offset: number, reader: LogWalk["reader"]): boolean {
    return reader.endsUnit && reader.logOffset + (reader.end - reader.start) > offset;
  }

  /** The command is executed, as far as it can be seen by now: a transaction counts at its end (I1). */
  private take(walk: LogWalk): void {
    const { reader } = walk;
    this.meetWanted(reader);
    const { request } = reader;
    const length = request.length[0]!;
    const isFrame =
      length >= 4 && length <= 6 && (request.is(0, "MULTI") || request.is(0, "EXEC") || request.is(0, "SELECT"));
    this.openCommands += isFrame ? 0 : 1;
    if (!reader.endsUnit) return;
    const { target } = this;
    if (target.kind === "offset" && reader.state().logOffset > target.offset) {
      this.openCommands = 0;
      this.isPassed = true;
      return;
    }
    const { timeMs } = this.reached;
    this.reached = walk.position();
    // A SELECT alone says the time of what it prepares.
    if (this.openCommands === 0) this.reached = { ...this.reached, timeMs };
    this.commandCount += this.openCommands;
    this.segmentCommands += this.openCommands;
    this.openCommands = 0;
    this.endBytes = reader.end;
  }

  private meetWanted({ logOffset, request }: LogWalk["reader"]): void {
    const wanted = this.wanted[this.nextWanted];
    if (wanted === undefined || logOffset < wanted) return;
    if (logOffset > wanted)
      throw new TimelineFault(`no command begins at offset ${wanted}; the next one is at ${logOffset}`);
    if (request.is(0, "SELECT")) {
      throw new TimelineFault(`the command at offset ${wanted} is SELECT, which changes nothing itself`);
    }
    this.nextWanted++;
    this.leftOut.push({ offset: wanted, command: commandText(request) });
  }

  private checkWanted(): void {
    const wanted = this.wanted[this.nextWanted];
    if (wanted === undefined) return;
    throw new TimelineFault(
      `offset ${wanted} is not between the snapshot at ${this.base.offset} and the moment that is reached, ${this.reached.offset}`,
    );
  }

  private end(endOffset: number): boolean {
    const { target } = this;
    if (target.kind === "offset" && target.offset > endOffset) {
      throw new TimelineFault(`offset ${target.offset} lies behind the end of the log, which is ${endOffset}`);
    }
    return !this.isPassed;
  }

  /** What comes does not belong to what was read: is the target behind that? */
  private meetGap(walk: LogWalk): void {
    const { target } = this;
    const { before, after } = walk.gap!;
    const where = `between ${positionText(before)} and ${positionText(after)} there is a gap in the history`;
    if (target.kind === "time" && this.reached.timeMs < target.timeMs) {
      const isInside = !(after.timeMs <= target.timeMs);
      throw new TimelineFault(
        isInside ? `that moment lies in a gap: ${where}` : `${where}, and no base is left behind it`,
        "a moment on either side of the gap",
      );
    }
    if (target.kind === "offset" && target.offset > before.offset) {
      throw new TimelineFault(`offset ${target.offset} cannot be reached: ${where}`);
    }
    if (target.kind === "newest" || this.before !== undefined)
      throw new TimelineFault(`${where}, and no base is left behind it`);
  }

  private describeTime(timeMs: number, isNewest: boolean, notes: string[]): void {
    if (!this.sawTime) {
      throw new TimelineFault(
        "the log does not say when its commands were executed",
        "--to-offset; for the future: history-keep 1d, or aof-timestamp-enabled yes",
      );
    }
    if (isNewest && this.reached.timeMs < timeMs)
      notes.push("Nothing was recorded between the moment reached and the one asked for.");
    if (this.segments.length > 0 && this.usesSeconds)
      notes.push("The log counts whole seconds: the whole second is included.");
  }
}

/** A position for people. */
export function positionText({ replicationId, offset, timeMs }: LogPosition): string {
  const id = replicationId === undefined ? "" : ` of ${replicationId.slice(0, 8)}`;
  const place = Number.isNaN(offset) ? "an unknown offset" : `offset ${offset}${id}`;
  return timeMs > 0 ? `${momentText(timeMs)} (${place})` : place;
}
