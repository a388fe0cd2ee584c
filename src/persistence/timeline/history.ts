/**
 * History: the commands of a timeline that somebody wants to see, and what a key was in the beginning.
 *
 *      increments of the timeline ──► LogWalk ──► CommandFilter ──► one at a time, with its reader
 */

import { rdbTypeName } from "../../history/formats/rdb-constants.ts";
import { RdbFault } from "../../history/formats/rdb-fault.ts";
import { RdbReader, RECORD_END, RECORD_KEY, startsWithSnapshot } from "../../history/formats/rdb-reader.ts";
import type { CommandFilter } from "./command-filter.ts";
import { LogWalk } from "./log-walk.ts";
import type { Base, Timeline } from "./timeline.ts";
import { TimelineFault } from "./timeline-fault.ts";

const COMMANDS_PER_PROGRESS = 1 << 16;

export class History {
  readonly walk: LogWalk;
  private readonly filter: CommandFilter;
  private readonly onProgress: (doneBytes: number) => void;
  private untilProgress: number;

  /** The increments from `firstIndex` to `lastIndex`, which must be there. */
  constructor(
    timeline: Timeline,
    filter: CommandFilter,
    firstIndex: number,
    lastIndex: number,
    onProgress: (doneBytes: number) => void = () => undefined,
  ) {
    this.walk = new LogWalk(timeline, firstIndex, lastIndex);
    this.filter = filter;
    this.onProgress = onProgress;
    this.untilProgress = COMMANDS_PER_PROGRESS;
  }

  /** Goes to the next command that is wanted: it is in `walk.reader`. Throws TimelineFault, DiskFault. */
  next(): "command" | "gap" | "end" {
    const { walk, filter } = this;
    for (;;) {
      const step = walk.next();
      if (step === "late") continue;
      if (step !== "command") return step;
      if (--this.untilProgress === 0) {
        this.untilProgress = COMMANDS_PER_PROGRESS;
        this.onProgress(walk.doneBytes());
      }
      if (filter.wants(walk.reader)) return step;
    }
  }

  close(): void {
    this.walk.close();
  }
}

/** The increments that may hold commands between two times: first and last index, the last before the first when none. */
export function incrementsBetween(timeline: Timeline, fromMs: number, toMs: number): { first: number; last: number } {
  const { increments } = timeline;
  let first = 0;
  let last = increments.length - 1;
  // What a file names first is not before anything in the file in front of it.
  while (first < last && increments[first + 1]!.startMs < fromMs) first++;
  while (last >= first && increments[last]!.startMs > toMs) last--;
  return { first, last };
}

/** What a base holds at a key. */
export interface KeyInBase {
  readonly database: number;
  readonly type: string;
  readonly expireAtMs: number;
}

/** The databases in which a base holds `key`; undefined when the base is none that can be searched. Throws TimelineFault. */
export function findInBase(timeline: Timeline, base: Base, key: Uint8Array): KeyInBase[] | undefined {
  if (base.file === undefined || base.file.bytes <= 0) return undefined;
  const file = timeline.disk.open(base.file.path, "read");
  try {
    if (!startsWithSnapshot(file)) return undefined;
    const reader = new RdbReader(file, { totalBytes: file.size(), verifyChecksum: false });
    const found: KeyInBase[] = [];
    reader.readHeader();
    for (let kind = reader.next(); kind !== RECORD_END; kind = reader.next()) {
      if (kind === RECORD_KEY && isKey(reader, key)) {
        const { database, type, expireAtMs } = reader;
        found.push({ database, type: rdbTypeName(type) ?? "unknown", expireAtMs });
      }
    }
    return found;
  } catch (error) {
    if (!(error instanceof RdbFault)) throw error;
    throw new TimelineFault(`${base.file.path}: ${error.message}`, `everkey check ${base.file.path}`, error);
  } finally {
    file.close();
  }
}

function isKey(reader: RdbReader, key: Uint8Array): boolean {
  if (reader.keyLength !== key.length) return false;
  for (let index = 0; index < key.length; index++) {
    if (reader.keyBytes[reader.keyStart + index] !== key[index]) return false;
  }
  return true;
}
