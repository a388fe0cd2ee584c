/**
 * Timeline: all that an append-only directory still holds of the past, in its order.
 *
 *      bases        B0                B1                      B2            the state when the increment below began
 *      increments   i0    i1    i2    i3    i4   ░ gap ░      i5    i6      what happened from there on
 *      offsets      0 ... 700 ... 1 k ... 2 k ... 3 k         3500 ...      positions in the log of one replication id
 *
 *  I1  Files are only read.
 *  I2  Increments follow each other in the order of the lists: the history's first, then the manifest's.
 *  I3  Where two neighbours do not fit (another replication id, another offset, a missing file) there is a gap: what is
 *      behind it is reached from a base behind it only.
 *  I4  Files of Redis say no positions: their offsets count from 0 at the first increment.
 *  I5  The last increment that holds something may end torn: a rewrite names its increment before it writes to it.
 *
 *  Source: the files as aof-directory.ts writes them.
 */

import type { Disk, DiskFile } from "../../core/host.ts";
import { AofFault } from "../../history/formats/aof-fault.ts";
import { AofReader } from "../../history/formats/aof-reader.ts";
import { RdbReader, RECORD_AUX, startsWithSnapshot } from "../../history/formats/rdb-reader.ts";
import { AofDirectory } from "../append-only/aof-directory.ts";
import { isBase } from "../append-only/aof-history.ts";
import { TimelineFault } from "./timeline-fault.ts";

/** A file of the append-only directory. */
export interface TimelineFile {
  readonly name: string;
  readonly path: string;
  /** -1 when it is missing. */
  readonly bytes: number;
  /** Named by the manifest, not only by the history. */
  readonly isLive: boolean;
}

/** A state to begin with. */
export interface Base {
  /** Undefined: the empty state before the first increment. */
  readonly file: TimelineFile | undefined;
  /** The increment that begins with this state: an index, which may be behind the last one. */
  readonly firstIncrement: number;
  /** As the file says it; undefined and NaN when it does not. */
  readonly replicationId: string | undefined;
  offset: number;
  /** When the state was what it is, ms since 1970; NaN unknown. */
  readonly timeMs: number;
}

/** A file of commands. */
export interface Increment {
  readonly index: number;
  readonly file: TimelineFile;
  /** Where it begins, as it says itself; undefined and NaN when it does not. */
  readonly replicationId: string | undefined;
  /** Filled in by `locate` when the file does not say it. */
  offset: number;
  /** The first time that it names, ms since 1970; NaN when it names none before its first command. */
  readonly startMs: number;
}

/** How `everkey-ms`, `repl-id` and the like stand at the head of a base. */
interface BaseHead {
  readonly replicationId: string | undefined;
  readonly offset: number;
  readonly timeMs: number;
}

const ID = /^[0-9a-f]{40}$/;
const MANIFEST = ".manifest";
const HISTORY = ".history";

export class Timeline {
  readonly disk: Disk;
  /** Path of the folder with the files. */
  readonly path: string;
  readonly bases: readonly Base[];
  readonly increments: readonly Increment[];
  private isLocated: boolean;

  /** Reads what there is in a data directory, or in an append-only directory itself. Throws TimelineFault, DiskFault. */
  static open(disk: Disk, directory: string): Timeline {
    const aof = findDirectory(disk, directory);
    try {
      aof.read();
    } catch (error) {
      if (!(error instanceof AofFault)) throw error;
      throw new TimelineFault(`${aof.manifestPath}: ${error.message}`, "", error);
    }
    return new Timeline(disk, aof);
  }

  private constructor(disk: Disk, aof: AofDirectory) {
    this.disk = disk;
    this.path = aof.path;
    const bases: Base[] = [];
    const increments: Increment[] = [];
    const history = new Set(aof.history);
    for (const each of [...aof.history, ...aof.liveFiles()]) {
      const path = aof.pathOf(each);
      const file = { name: each.name, path, bytes: disk.status(path)?.bytes ?? -1, isLive: !history.has(each) };
      if (isBase(each)) {
        bases.push({ file, firstIncrement: increments.length, ...baseHead(disk, file) });
      } else {
        const increment = { index: increments.length, file, ...incrementHead(disk, file) };
        if (increment.index === 0 && bases.length === 0) bases.push(emptyBase(increment));
        increments.push(increment);
      }
    }
    this.increments = increments;
    this.bases = bases.map((base) => this.completed(base));
    this.isLocated = false;
  }

  /** What a base does not say itself, the increment that follows it may. */
  private completed(base: Base): Base {
    const next = this.increments[base.firstIncrement];
    if (next === undefined) return base;
    return {
      ...base,
      replicationId: base.replicationId ?? next.replicationId,
      offset: Number.isNaN(base.offset) ? next.offset : base.offset,
      timeMs: Number.isNaN(base.timeMs) ? next.startMs : base.timeMs,
    };
  }

  /** Counts the offsets that no file says (I4), which reads all files up to the last such one. */
  locate(): void {
    if (this.isLocated) return;
    this.isLocated = true;
    let last = this.increments.length - 1;
    while (last >= 0 && !Number.isNaN(this.increments[last]!.offset)) last--;
    let offset = 0;
    for (const increment of this.increments.slice(0, last + 1)) {
      const base = this.bases.find(({ firstIncrement }) => firstIncrement === increment.index);
      if (Number.isNaN(increment.offset)) {
        increment.offset = base !== undefined && !Number.isNaN(base.offset) ? base.offset : offset;
      }
      if (base !== undefined && Number.isNaN(base.offset)) base.offset = increment.offset;
      if (increment.index < last) offset = this.endOffset(increment);
    }
    for (const base of this.bases) if (Number.isNaN(base.offset)) base.offset = offset;
  }

  private endOffset(increment: Increment): number {
    if (increment.file.bytes < 0) return increment.offset;
    const file = this.disk.open(increment.file.path, "read");
    const reader = new AofReader(file, { startLogOffset: increment.offset });
    try {
      while (reader.next() !== "end");
      return reader.wholeLogOffset;
    } catch (error) {
      const isTorn = error instanceof AofFault && error.kind === "truncated" && this.mayBeTorn(increment.index);
      if (isTorn) return reader.wholeLogOffset;
      throw fileFault(increment.file, error);
    } finally {
      file.close();
    }
  }

  /** Whether nothing follows increment `index` but empty ones: a rewrite that a crash ended leaves such (I5). */
  mayBeTorn(index: number): boolean {
    return this.increments.slice(index + 1).every(({ file }) => file.bytes === 0);
  }

  /** Bytes of all increments that are there. */
  logBytes(): number {
    return this.increments.reduce((sum, { file }) => sum + Math.max(file.bytes, 0), 0);
  }
}

/** An error of one file as people need it: with the file's name. */
export function fileFault(file: TimelineFile, error: unknown): unknown {
  if (!(error instanceof AofFault)) return error;
  const what =
    error.kind === "truncated"
      ? `${error.message}, at byte ${error.wholeBytes}, and other files follow it`
      : `${error.message}; up to byte ${error.wholeBytes} it is whole`;
  return new TimelineFault(`${file.path}: ${what}`, `a moment before that, or: everkey check ${file.path}`, error);
}

/** The folder with the manifest: `directory` itself, or the one in it that has one. */
function findDirectory(disk: Disk, directory: string): AofDirectory {
  const status = disk.status(directory);
  if (status === undefined) throw new TimelineFault(`${directory}: there is no such directory`);
  if (!status.isDirectory) throw new TimelineFault(`${directory} is a file: --dir takes the directory with the data`);
  const found: AofDirectory[] = [];
  for (const directoryName of ["", ...disk.list(directory).sort()]) {
    const path = directoryName === "" ? directory : `${directory}/${directoryName}`;
    if (disk.status(path)?.isDirectory !== true) continue;
    for (const fileName of listedNames(disk.list(path))) {
      const slash = directory.lastIndexOf("/");
      const names =
        directoryName === ""
          ? {
              dataDirectory: slash === -1 ? "." : directory.slice(0, slash),
              directoryName: directory.slice(slash + 1),
              fileName,
            }
          : { dataDirectory: directory, directoryName, fileName };
      found.push(new AofDirectory(disk, names));
    }
    if (directoryName === "" && found.length > 0) break;
  }
  if (found.length === 0) {
    throw new TimelineFault(
      `${directory} holds no append-only file, so there is no log to go back in`,
      "start the server with appendonly yes and history-keep 1d; an old appendonly.aof is taken over at that start",
    );
  }
  if (found.length > 1) {
    throw new TimelineFault(
      `${directory} holds several append-only files: ${found.map(({ path }) => path).join(", ")}`,
    );
  }
  return found[0]!;
}

/** What manifests and histories among `names` are about. */
function listedNames(names: readonly string[]): string[] {
  const found = new Set<string>();
  for (const name of names) {
    if (name.startsWith("temp-")) continue;
    if (name.endsWith(MANIFEST)) found.add(name.slice(0, -MANIFEST.length));
    else if (name.endsWith(`.aof${HISTORY}`)) found.add(name.slice(0, -HISTORY.length));
  }
  return [...found];
}

function emptyBase(first: Increment): Base {
  const { replicationId, offset, startMs } = first;
  return { file: undefined, firstIncrement: 0, replicationId, offset, timeMs: startMs };
}

const UNKNOWN: BaseHead = { replicationId: undefined, offset: Number.NaN, timeMs: Number.NaN };

/** What a base says of itself. Damage shows when it is loaded, not here. */
function baseHead(disk: Disk, file: TimelineFile): BaseHead {
  if (file.bytes <= 0) return UNKNOWN;
  const opened = disk.open(file.path, "read");
  try {
    if (!startsWithSnapshot(opened)) {
      const { replicationId, offset, startMs } = firstLines(opened);
      return { replicationId, offset, timeMs: startMs };
    }
    return snapshotHead(opened);
  } catch (error) {
    if (error instanceof Error && (error.name === "RdbFault" || error.name === "AofFault")) return UNKNOWN;
    throw error;
  } finally {
    opened.close();
  }
}

function snapshotHead(file: DiskFile): BaseHead {
  const auxiliary = new Map<string, string>();
  const reader = new RdbReader(file, { totalBytes: file.size(), verifyChecksum: false });
  reader.readHeader();
  while (reader.next() === RECORD_AUX) auxiliary.set(reader.auxName, reader.auxValue);
  const id = auxiliary.get("repl-id") ?? "";
  const isKnown = ID.test(id) && /^[0-9]+$/.test(auxiliary.get("repl-offset") ?? "");
  const timeMs = Number(auxiliary.get("everkey-ms") ?? Number.NaN);
  return {
    replicationId: isKnown ? id : undefined,
    offset: isKnown ? Number(auxiliary.get("repl-offset")) : Number.NaN,
    timeMs: timeMs > 0 ? timeMs : Number(auxiliary.get("ctime") ?? Number.NaN) * 1000,
  };
}

interface IncrementHead {
  readonly replicationId: string | undefined;
  readonly offset: number;
  readonly startMs: number;
}

function incrementHead(disk: Disk, file: TimelineFile): IncrementHead {
  if (file.bytes < 0) return { replicationId: undefined, offset: Number.NaN, startMs: Number.NaN };
  const opened = disk.open(file.path, "read");
  try {
    return firstLines(opened);
  } finally {
    opened.close();
  }
}

/** What stands before the first command of a file. */
function firstLines(file: DiskFile): IncrementHead {
  let replicationId: string | undefined;
  let offset = Number.NaN;
  let startMs = Number.NaN;
  const reader = new AofReader(file, { chunkBytes: 4096 });
  try {
    while (reader.next() === "annotation") {
      const { annotation } = reader;
      if (annotation === undefined) continue;
      if (Number.isNaN(startMs) && annotation.timeMs > 0) startMs = annotation.timeMs;
      if (annotation.offset === undefined) continue;
      replicationId = annotation.replicationId;
      offset = annotation.offset;
    }
  } catch (error) {
    // Whoever reads the file as a whole will say it.
    if (!(error instanceof AofFault)) throw error;
  }
  return { replicationId, offset, startMs };
}
