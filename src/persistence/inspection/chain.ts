/**
 * Whether the files of an append-only file follow each other in the log without a gap.
 *
 *      base      at 700         increment 3   at 700 ... 1200      increment 4   at 1200 ... 1950        a chain
 *      base      at 700         increment 4   at 1200                                                    500 bytes are missing
 *      ... 1950 of id A         increment 5   at 80 of id B                                              another branch begins
 *
 *  I1  Only what files say themselves is compared: those of a real Redis say nothing, and break nothing.
 */

import type { LogPosition } from "./aof-inspection.ts";
import { type Problem, problemOf } from "./problem.ts";

/** A file as a piece of the log. */
export interface ChainLink {
  readonly path: string;
  readonly name: string;
  readonly isBase: boolean;
  /** The file has commands whose place in the log nobody knows. */
  readonly isUnknown: boolean;
  /** Of a base: the position of its state, as both. */
  readonly start: LogPosition | undefined;
  readonly end: LogPosition | undefined;
  readonly jumps: readonly { readonly at: number; readonly from: LogPosition; readonly to: LogPosition }[];
}

export interface ChainFindings {
  readonly problems: Problem[];
  readonly notes: string[];
}

/** Compares each link with the one before. `areLive`: a gap loses data, otherwise it only ends what can be gone back to. */
export function checkChain(links: readonly ChainLink[], areLive: boolean): ChainFindings {
  const findings: ChainFindings = { problems: [], notes: [] };
  let last: { readonly name: string; readonly position: LogPosition } | undefined;
  for (const { path, name, isBase, isUnknown, start, end, jumps } of links) {
    // Of the past only increments matter: a base among them is the state at the beginning of one.
    if (isBase && !areLive) continue;
    if (start !== undefined && last !== undefined) {
      step(findings, areLive, { path, name, offset: 0 }, last, start);
    }
    for (const { at, from, to } of jumps) {
      step(findings, areLive, { path, name, offset: at }, { name, position: from }, to);
    }
    if (end !== undefined) last = { name, position: end };
    else if (isUnknown) last = undefined;
  }
  return findings;
}

function step(
  findings: ChainFindings,
  areLive: boolean,
  place: { readonly path: string; readonly name: string; readonly offset: number },
  before: { readonly name: string; readonly position: LogPosition },
  next: LogPosition,
): void {
  const { path, name, offset } = place;
  if (before.position.replicationId !== next.replicationId) {
    findings.notes.push(
      `${name}: from byte ${offset} on, another log (replication id ${next.replicationId}) follows that of ${before.name}.`,
    );
    return;
  }
  const missing = next.offset - before.position.offset;
  if (missing === 0) return;
  const message =
    missing > 0
      ? `${missing} bytes of the log are missing between ${before.name} (ends at offset ${before.position.offset}) and this place (offset ${next.offset})`
      : `${-missing} bytes of the log come twice: ${before.name} ends at offset ${before.position.offset}, and this place begins at offset ${next.offset}`;
  if (!areLive) {
    findings.notes.push(`${name}: ${message}.`);
    return;
  }
  findings.problems.push(
    problemOf({
      path,
      offset,
      reading: "position",
      message,
      advice:
        "Files of different moments were put together, or one was cut. Take a copy of the whole folder of one moment.",
    }),
  );
}
