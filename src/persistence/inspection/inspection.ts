/**
 * Inspection: everything that is told of the files at a path.
 *
 *      path ─► placeOf ─► each file ─► contentOf ─┬─ rdb ─► RdbInspector ─┬─► its numbers
 *                                                 └─ aof ─► inspectAof  ◄─┘ where commands follow
 *
 *  I1  Files are only read, one after another, each once.
 */

import type { Disk } from "../../core/host.ts";
import { withAdvice } from "./advice.ts";
import { type AofInspection, inspectAof } from "./aof-inspection.ts";
import { contentOf, hasCommandsAt } from "./contents.ts";
import { type Place, type PlacedFile, placeOf } from "./places.ts";
import type { Problem } from "./problem.ts";
import { type RdbInspection, type RdbInspectionOptions, RdbInspector } from "./rdb-inspection.ts";
import { WatchedFile } from "./watched-file.ts";

export interface FileInspection extends PlacedFile {
  readonly kind: "rdb" | "aof" | "rdb+aof" | "unknown" | "missing";
  readonly rdb: RdbInspection | undefined;
  readonly aof: AofInspection | undefined;
  /** What could not be read of it. */
  readonly problem: Problem | undefined;
}

export interface Inspection {
  readonly place: Place;
  /** In the order in which a server would read them: snapshots, old files, then each manifest's, superseded ones last. */
  readonly files: readonly FileInspection[];
  /** Of the place and of all files. */
  readonly problems: readonly Problem[];
}

export interface InspectionOptions extends RdbInspectionOptions {
  /** Hears how much of all files has been read. */
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
}

/** Inspects the file or directory at `path`. Throws DiskFault. */
export function inspect(disk: Disk, path: string, options: InspectionOptions): Inspection {
  const place = placeOf(disk, path);
  const placed = filesOf(place);
  const totalBytes = placed.reduce((sum, { bytes }) => sum + Math.max(bytes, 0), 0);
  const files: FileInspection[] = [];
  let before = 0;
  for (const file of placed) {
    const done = before;
    files.push(inspectFile(disk, file, options, (bytes) => options.onProgress?.(done + bytes, totalBytes)));
    before += Math.max(file.bytes, 0);
  }
  const problems = [...place.problems];
  for (const file of files) {
    const { problem } = file;
    if (problem !== undefined)
      problems.push(file.aof?.problem === problem ? withAdvice(place, file, problem) : problem);
  }
  return { place, files, problems };
}

/** All files of a place but strays. */
export function filesOf(place: Place): PlacedFile[] {
  return [
    ...place.files,
    ...place.logs.flatMap(({ live }) => live),
    ...place.logs.flatMap(({ superseded }) => superseded),
  ];
}

function inspectFile(
  disk: Disk,
  placed: PlacedFile,
  options: RdbInspectionOptions,
  onRead: (bytes: number) => void,
): FileInspection {
  const nothing = { ...placed, rdb: undefined, aof: undefined };
  if (placed.bytes < 0) return { ...nothing, kind: "missing", problem: undefined };
  const file = new WatchedFile(disk, placed.path, onRead);
  try {
    const { kind, problem } = contentOf(file, placed);
    if (kind === "unknown") return { ...nothing, kind, problem };
    const isBase = placed.role === "base";
    if (kind === "aof") {
      const aof = inspectAof(file, { from: 0, isBase, countsNames: true });
      return { ...nothing, kind, aof, problem: aof.problem };
    }
    const rdb = new RdbInspector(file, options).run();
    if (rdb.problem !== undefined || !hasCommandsAt(file, rdb.bytes)) {
      return { ...nothing, kind, rdb, problem: rdb.problem };
    }
    const aof = inspectAof(file, { from: rdb.bytes, isBase: false, countsNames: true });
    return { ...nothing, kind: "rdb+aof", rdb, aof, problem: aof.problem };
  } finally {
    file.close();
  }
}
