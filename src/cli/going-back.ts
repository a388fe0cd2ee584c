/** What `restore`, `history` and `diff` share: the timeline of --dir, moments from the command line, failures. */

import { DiskFault } from "../core/faults.ts";
import type { Host } from "../core/host.ts";
import { parseMoment } from "../persistence/timeline/moment.ts";
import { Timeline } from "../persistence/timeline/timeline.ts";
import { TimelineFault } from "../persistence/timeline/timeline-fault.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import { CliFailure, Progress, wrongUsage } from "./output.ts";

/** Opens the timeline of a data directory, or of an append-only directory itself. */
export function openTimeline(host: Host, directory: string): Timeline {
  return translated(() => Timeline.open(host.disk, withoutSlash(directory)));
}

/** The same, with the offsets counted that no file says: where positions are shown, or compared. */
export function openLocated(host: Host, directory: string): Timeline {
  const timeline = openTimeline(host, directory);
  translated(() => timeline.locate());
  return timeline;
}

export function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

/** Runs `action`; what cannot be gone back to is a failure with a way out. */
export function translated<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (error instanceof TimelineFault) throw new CliFailure(error.message, error.hint);
    if (error instanceof ArenaExhausted) throw new CliFailure("the state does not fit into memory");
    if (error instanceof DiskFault && error.code === "ENOENT" && error.operation === "open") {
      throw new CliFailure(
        `${error.message}: a server that is running may have removed it meanwhile`,
        "the same again",
      );
    }
    throw error;
  }
}

/** Runs `action` like `translated`, with a bar for the `totalBytes` that it reads. */
export function watched<Result>(
  host: Host,
  label: string,
  totalBytes: number,
  action: (update: (doneBytes: number) => void) => Result,
): Result {
  const progress = new Progress({ label, total: totalBytes, unit: "bytes", clock: host.clock });
  try {
    return translated(() => action((doneBytes) => progress.update(doneBytes)));
  } finally {
    progress.end();
  }
}

/** A moment of the command line, ms since 1970. */
export function readMoment(subcommand: string, option: string, text: string, nowMs: number): number {
  const moment = parseMoment(text, nowMs);
  if (moment !== undefined) return moment;
  throw wrongUsage(
    subcommand,
    `${option} takes a moment such as '2026-11-20 10:15:03.250', 2026-11-20T10:15:03Z, 1795240503 or '5 minutes ago', not '${text}'`,
  );
}

/** A whole number of the command line, at least `min`. */
export function readNumber(subcommand: string, option: string, text: string, min: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw wrongUsage(subcommand, `${option} takes a whole number from ${min} on, not '${text}'`);
}
