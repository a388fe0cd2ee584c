/**
 * Which superseded files of the append-only file are kept, and which are removed.
 *
 *      base 1 │ increments 1 … 4 │ base 5 │ increments 5 … 8 │ base 9 │ increments 9 …      (live)
 *      └──────── until 10:00 ────┘└──────── until 18:00 ─────┘
 *                                  ▲ history-keep reaches back to 12:00: this stretch is needed from its base on
 *
 *  I1  What is removed is a beginning of the list: what stays has no gap.
 *  I2  A stretch (a base and the increments that follow it) is removed as a whole, when even its end is too old, or when
 *      all that is kept is larger than history-keep-size. Live files are never removed.
 *  Source: own design.
 */

import type { AofFile } from "../../history/formats/aof-manifest.ts";

export interface HistoryLimits {
  /** 0 keeps nothing. */
  readonly keepMs: number;
  /** 0: no limit. */
  readonly keepBytes: number;
}

/** A superseded file on the disk. */
export interface KeptFile {
  readonly file: AofFile;
  readonly bytes: number;
  /** When it was written last. */
  readonly modifiedMs: number;
}

/** How many files at the beginning of `files` (oldest first) nobody needs at `nowMs`. */
export function superfluousCount(files: readonly KeptFile[], limits: HistoryLimits, nowMs: number): number {
  let bytes = 0;
  for (const file of files) bytes += file.bytes;
  let count = 0;
  while (count < files.length) {
    const end = stretchEnd(files, count);
    let lastMs = 0;
    let stretchBytes = 0;
    for (let index = count; index < end; index++) {
      lastMs = Math.max(lastMs, files[index]!.modifiedMs);
      stretchBytes += files[index]!.bytes;
    }
    const isOld = lastMs < nowMs - limits.keepMs;
    const isTooMuch = limits.keepBytes > 0 && bytes > limits.keepBytes;
    if (!isOld && !isTooMuch) break;
    bytes -= stretchBytes;
    count = end;
  }
  return count;
}

/** Where the stretch that begins at `start` ends: before the next base. */
function stretchEnd(files: readonly KeptFile[], start: number): number {
  let end = start + 1;
  while (end < files.length && !isBase(files[end]!.file)) end++;
  return end;
}

/** In the history every file is of type "h": its name says what it was. */
export function isBase(file: AofFile): boolean {
  return file.type === "b" || /\.base\.(?:rdb|aof)$/.test(file.name);
}
