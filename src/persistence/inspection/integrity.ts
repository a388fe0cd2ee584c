/**
 * Whether what lies at a path is whole: each file by itself, all that should be there, and that they follow each other.
 *
 *      path ─► placeOf ─► each file ─┬─ rdb ─► checkRdb
 *                                    └─ aof ─► inspectAof ─► checkChain
 *
 *  I1  Files are only read.
 *  I2  At most one problem can be mended: the torn tail of the last increment (`tornTail`).
 */

import type { Disk, DiskFile, Random } from "../../core/host.ts";
import { withAdvice } from "./advice.ts";
import { type AofInspection, inspectAof } from "./aof-inspection.ts";
import { type ChainLink, checkChain } from "./chain.ts";
import { contentOf, hasCommandsAt } from "./contents.ts";
import { filesOf } from "./inspection.ts";
import { type Place, type PlacedFile, placeOf } from "./places.ts";
import { type Problem, problemOf } from "./problem.ts";
import { checkRdb, type RdbCheck } from "./rdb-check.ts";
import { WatchedFile } from "./watched-file.ts";

export interface FileCheck extends PlacedFile {
  readonly kind: "rdb" | "aof" | "rdb+aof" | "unknown" | "missing";
  readonly rdb: RdbCheck | undefined;
  readonly aof: AofInspection | undefined;
  readonly problems: readonly Problem[];
}

export interface Check {
  readonly place: Place;
  readonly files: readonly FileCheck[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

export interface CheckOptions {
  readonly random: Random;
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
}

/** Checks the file or directory at `path`. Throws DiskFault. */
export function check(disk: Disk, path: string, options: CheckOptions): Check {
  const place = placeOf(disk, path);
  const placed = filesOf(place);
  const totalBytes = placed.reduce((sum, { bytes }) => sum + Math.max(bytes, 0), 0);
  const files: FileCheck[] = [];
  let before = 0;
  for (const file of placed) {
    const done = before;
    files.push(checkFile(disk, place, file, options.random, (bytes) => options.onProgress?.(done + bytes, totalBytes)));
    before += Math.max(file.bytes, 0);
  }
  const problems = [...place.problems, ...files.flatMap((file) => file.problems)];
  const notes = [...place.notes];
  for (const { rdb } of files) if (rdb !== undefined) notes.push(...rdb.notes);
  for (const log of place.logs) {
    const chain = checkChain(linksOf(log.live, files), true);
    const firstLive = log.live.filter(({ role }) => role === "increment").slice(0, 1);
    const past = checkChain(linksOf([...log.superseded, ...firstLive], files), false);
    problems.push(...chain.problems);
    notes.push(...past.notes, ...chain.notes);
  }
  return { place, files, problems, notes };
}

function linksOf(placed: readonly PlacedFile[], files: readonly FileCheck[]): ChainLink[] {
  const links: ChainLink[] = [];
  for (const { path, name, role } of placed) {
    const file = files.find((candidate) => candidate.path === path);
    if (file === undefined || file.kind === "missing") continue;
    const { rdb, aof } = file;
    const isBase = role === "base" || (role !== "increment" && rdb !== undefined);
    links.push({
      path,
      name,
      isBase,
      isUnknown: (aof?.commands ?? 0) > 0 || rdb !== undefined,
      start: rdb?.position ?? aof?.start,
      end: rdb?.position ?? aof?.end,
      jumps: aof?.jumps ?? [],
    });
  }
  return links;
}

function checkFile(
  disk: Disk,
  place: Place,
  placed: PlacedFile,
  random: Random,
  onRead: (bytes: number) => void,
): FileCheck {
  const nothing = { ...placed, rdb: undefined, aof: undefined, problems: [] };
  if (placed.bytes < 0) return { ...nothing, kind: "missing" };
  const file = new WatchedFile(disk, placed.path, onRead);
  try {
    const { kind, problem } = contentOf(file, placed);
    if (kind === "unknown") return { ...nothing, kind, problems: problem === undefined ? [] : [problem] };
    if (kind === "aof") {
      const aof = inspectAof(file, { from: 0, isBase: placed.role === "base", countsNames: false });
      return { ...nothing, kind, aof, problems: advised(place, placed, aof.problem) };
    }
    const rdb = checkRdb(file, random);
    if (rdb.problem !== undefined) return { ...nothing, kind, rdb, problems: [rdb.problem] };
    if (!hasCommandsAt(file, rdb.bytes)) return { ...nothing, kind, rdb, problems: checkEnd(file, placed, rdb) };
    const aof = inspectAof(file, { from: rdb.bytes, isBase: false, countsNames: false });
    return { ...nothing, kind: "rdb+aof", rdb, aof, problems: advised(place, placed, aof.problem) };
  } finally {
    file.close();
  }
}

function advised(place: Place, placed: PlacedFile, problem: Problem | undefined): Problem[] {
  return problem === undefined ? [] : [withAdvice(place, placed, problem)];
}

/** What stands behind the RDB data of a file and is no command: servers pass over it in a snapshot, and not in a base. */
function checkEnd(file: DiskFile, placed: PlacedFile, rdb: RdbCheck): Problem[] {
  const behind = file.size() - rdb.bytes;
  if (behind === 0) return [];
  if (placed.role === "file" || placed.role === "snapshot") {
    rdb.notes.push(`${placed.path}: behind the end of the RDB data there are ${behind} bytes that nobody reads.`);
    return [];
  }
  return [
    problemOf({
      path: placed.path,
      offset: rdb.bytes,
      wholeBytes: rdb.bytes,
      reading: "end",
      message: `behind the end of the RDB data there are ${behind} bytes that are no commands, and a server would read them as such`,
      advice: `Take another copy of this file, or cut a copy: head -c ${rdb.bytes} ${placed.name}`,
    }),
  ];
}
