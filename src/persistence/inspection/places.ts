/**
 * What lies at a path: one file, the folder of an append-only file, or a whole data directory; and each file's part in it.
 *
 *      data/dump.rdb                                 snapshot       *.rdb beside
 *      data/appendonly.aof                           old-aof        of a Redis before 7
 *      data/appendonlydir/*.manifest                 names          base and increments (live), history
 *      data/appendonlydir/*.history                  names          what Everkey keeps to go back to
 *
 *  I1  Everything that a manifest names is in the list, there or not; what is not there is a problem.
 *  I2  Only names are looked at here, and the lists; contents are for others.
 */

import { DiskFault } from "../../core/faults.ts";
import type { Disk } from "../../core/host.ts";
import { type AofFile, type AofManifest, ManifestFault, parseManifest } from "../../history/formats/aof-manifest.ts";
import { type Problem, problemOf } from "./problem.ts";

/** "kept": superseded, and kept by Everkey to go back to. "history": superseded, and waiting to be removed. */
export type FileRole = "file" | "snapshot" | "old-aof" | "base" | "increment" | "history" | "kept";

export interface PlacedFile {
  readonly path: string;
  readonly name: string;
  readonly role: FileRole;
  /** Number in the manifest, 0 outside of one. */
  readonly seq: number;
  /** -1: it is not there. */
  readonly bytes: number;
  /** Ms since 1970, NaN when it is not there. */
  readonly modifiedMs: number;
}

/** The files of one manifest. */
export interface AofPlace {
  /** Of the folder. */
  readonly path: string;
  /** Of the manifest; "" when the folder has none. */
  readonly manifestPath: string;
  /** Base and increments, in the order of loading. */
  readonly live: readonly PlacedFile[];
  /** Of the history file and the manifest, oldest first. */
  readonly superseded: readonly PlacedFile[];
  /** Files that look like parts and are named nowhere. */
  readonly strays: readonly PlacedFile[];
}

export interface Place {
  readonly path: string;
  readonly kind: "file" | "append-only-directory" | "data-directory";
  /** Of a single file only that; of a data directory snapshots and old files. */
  readonly files: readonly PlacedFile[];
  readonly logs: readonly AofPlace[];
  /** The file that may end torn, as a crash leaves it: the last increment with commands, or the only append-only file. */
  readonly tail: PlacedFile | undefined;
  /** Why there is no such file, as a sentence; "" when there is one. */
  readonly noTailReason: string;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** What a Place says of its tail. */
type TailPart = Pick<Place, "tail" | "noTailReason">;

const MANIFEST = ".manifest";
const HISTORY = ".history";
const PART = /\.\d+\.(base|incr)\.(rdb|aof)$/;
const TEMPORARY = /^temp-/;
/** A snapshot beside an append-only file that was loaded instead. */
const NOT_LOADED = /\.not-loaded-/;
/** What `check --fix` has put aside. */
const ASIDE = /\.broken-/;

interface Findings {
  readonly problems: Problem[];
  readonly notes: string[];
}

/** Looks what is at `path`. Throws DiskFault, also when nothing is there. */
export function placeOf(disk: Disk, path: string): Place {
  const status = disk.status(path);
  if (status === undefined) throw new DiskFault("open", path, { code: "ENOENT" });
  const findings: Findings = { problems: [], notes: [] };
  if (!status.isDirectory) {
    if (path.endsWith(MANIFEST)) {
      const logs = [readLog(disk, directoryOf(path), path, findings)];
      return { path, kind: "append-only-directory", files: [], logs, ...tailOf(logs, []), ...findings };
    }
    const file = placed(disk, directoryOf(path), baseName(path), "file", 0);
    return { path, kind: "file", logs: [], ...singleFile(disk, file), ...findings };
  }
  const names = disk.list(path).sort();
  const manifests = names.filter((name) => name.endsWith(MANIFEST) && !TEMPORARY.test(name));
  if (manifests.length > 0 || names.some((name) => PART.test(name))) {
    const logs = logsOf(disk, path, names, findings);
    return { path, kind: "append-only-directory", files: [], logs, ...tailOf(logs, []), ...findings };
  }
  return dataDirectory(disk, path, names, findings);
}

function dataDirectory(disk: Disk, path: string, names: readonly string[], findings: Findings): Place {
  const files: PlacedFile[] = [];
  const logs: AofPlace[] = [];
  for (const name of names) {
    const status = disk.status(join(path, name));
    if (status === undefined) continue;
    if (status.isDirectory) {
      const inside = disk.list(join(path, name)).sort();
      const isLog = inside.some((entry) => PART.test(entry) || (entry.endsWith(MANIFEST) && !TEMPORARY.test(entry)));
      if (isLog) logs.push(...logsOf(disk, join(path, name), inside, findings));
    } else if (TEMPORARY.test(name)) {
      if (name.endsWith(".rdb")) {
        findings.notes.push(`${name} is a snapshot that was never finished; a start removes it when it is old.`);
      }
    } else if (NOT_LOADED.test(name)) {
      findings.notes.push(`${name} is a snapshot that a server did not load, because the append-only file was on.`);
    } else if (ASIDE.test(name)) {
      findings.notes.push(`${name} is what an earlier \`check --fix\` put aside.`);
    } else if (name.endsWith(".rdb")) {
      files.push(placed(disk, path, name, "snapshot", 0));
    } else if (name.endsWith(".aof")) {
      files.push(placed(disk, path, name, "old-aof", 0));
    }
  }
  if (files.length === 0 && logs.length === 0) {
    findings.problems.push(
      problemOf({
        path,
        message: "the folder holds nothing that a server has written: no .rdb file, no folder with a manifest",
        advice: "Give the folder that the directive `dir` names, the folder of an append-only file, or a file.",
      }),
    );
  } else if (files.some(({ role }) => role === "snapshot") && logs.length > 0) {
    findings.notes.push(
      "With `appendonly yes` a server loads the append-only file and not the snapshot; with `appendonly no`, the snapshot alone.",
    );
  }
  return { path, kind: "data-directory", files, logs, ...tailOf(logs, files), ...findings };
}

function tailOf(logs: readonly AofPlace[], files: readonly PlacedFile[]): TailPart {
  if (logs.length > 1) {
    return {
      tail: undefined,
      noTailReason: "there are several append-only files here: give the manifest of one of them",
    };
  }
  if (logs.length === 0) {
    const old = files.filter(({ role }) => role === "old-aof");
    if (old.length === 1) return { tail: old[0], noTailReason: "" };
    return {
      tail: undefined,
      noTailReason:
        old.length === 0
          ? "there is no append-only file here"
          : "there are several append-only files here: give one of them",
    };
  }
  const tail = lastIncrement(logs[0]!);
  if (tail !== undefined) return { tail, noTailReason: "" };
  return { tail: undefined, noTailReason: "no increment is known here: only the tail of the last one is ever cut" };
}

/** The last increment that holds something: a rewrite that a crash ended leaves an empty one behind it. */
function lastIncrement({ live }: AofPlace): PlacedFile | undefined {
  const increments = live.filter(({ role }) => role === "increment");
  return increments.findLast(({ bytes }) => bytes !== 0) ?? increments.at(-1);
}

/** A file by itself: where a manifest lies beside it, that says what the file is. */
function singleFile(disk: Disk, file: PlacedFile): Pick<Place, "files"> & TailPart {
  const directory = directoryOf(file.path);
  const names = disk.list(directory === "" ? "." : directory);
  const manifests = names.filter((name) => name.endsWith(MANIFEST) && !TEMPORARY.test(name));
  for (const name of manifests) {
    const log = readLog(disk, directory, join(directory, name), { problems: [], notes: [] });
    const known = [...log.live, ...log.superseded].find((part) => part.name === file.name);
    if (known === undefined) continue;
    const isLast = known.name === lastIncrement(log)?.name;
    const noTailReason = isLast ? "" : `${name} does not name it as the last increment, and only that is ever cut`;
    return { files: [known], tail: isLast ? known : undefined, noTailReason };
  }
  if (manifests.length > 0 && PART.test(file.name)) {
    return {
      files: [file],
      tail: undefined,
      noTailReason: `${manifests.join(", ")} does not name it: nothing says what it is`,
    };
  }
  return { files: [file], tail: file, noTailReason: "" };
}

function logsOf(disk: Disk, path: string, names: readonly string[], findings: Findings): AofPlace[] {
  const manifests = names.filter((name) => name.endsWith(MANIFEST) && !TEMPORARY.test(name));
  if (manifests.length > 0) return manifests.map((name) => readLog(disk, path, join(path, name), findings));
  findings.problems.push(
    problemOf({
      path,
      message: "there are files of an append-only file here, but no manifest that says which of them belong together",
      advice: "Take the manifest (NAME.manifest) from where these files come from; without it a server starts empty.",
    }),
  );
  const strays = names.filter((name) => PART.test(name)).map((name) => placed(disk, path, name, "file", 0));
  return [{ path, manifestPath: "", live: [], superseded: [], strays }];
}

function readLog(disk: Disk, directory: string, manifestPath: string, findings: Findings): AofPlace {
  const stem = baseName(manifestPath).slice(0, -MANIFEST.length);
  const manifest = readList(disk, manifestPath, findings, "no server can load this append-only file");
  const historyPath = join(directory, `${stem}${HISTORY}`);
  const hasHistory = (disk.status(historyPath)?.bytes ?? 0) > 0;
  const history = hasHistory
    ? readList(disk, historyPath, findings, "it is not known any more what can be gone back to")
    : undefined;
  const place = (file: AofFile, role: FileRole) => placed(disk, directory, file.name, role, file.seq);
  const { base, increments } = manifest ?? { base: undefined, increments: [] };
  const live = [
    ...(base === undefined ? [] : [place(base, "base")]),
    ...increments.map((file) => place(file, "increment")),
  ];
  const names = new Set(live.map(({ name }) => name));
  const superseded: PlacedFile[] = [];
  const addOld = (files: readonly AofFile[], role: FileRole): void => {
    for (const file of files) {
      if (names.has(file.name)) continue;
      names.add(file.name);
      superseded.push(place(file, role));
    }
  };
  addOld(history?.history ?? [], "kept");
  addOld(manifest?.history ?? [], "history");
  for (const file of live) {
    if (file.bytes >= 0) continue;
    findings.problems.push(
      problemOf({
        path: file.path,
        message: "the file is missing, and the manifest names it",
        advice:
          "Bring it back from a copy of this folder. Without it what it held is lost, and no server loads the rest.",
      }),
    );
  }
  for (const file of superseded) {
    if (file.bytes >= 0) continue;
    if (file.role === "history") continue; // it was to be removed, and has been
    findings.problems.push(
      problemOf({
        path: file.path,
        message: "the file is missing, and the history names it: the past that it held cannot be gone back to",
        advice: "Bring it back from a copy of this folder. What is live now is not affected.",
      }),
    );
  }
  if (manifest !== undefined && live.length === 0)
    findings.notes.push("The manifest names no file: a server starts empty.");
  const strays: PlacedFile[] = [];
  for (const name of disk.list(directory === "" ? "." : directory).sort()) {
    if (names.has(name)) continue;
    if (PART.test(name) && name.startsWith(`${stem}.`)) strays.push(placed(disk, directory, name, "file", 0));
    else if (ASIDE.test(name)) findings.notes.push(`${name} is what an earlier \`check --fix\` put aside.`);
    else if (TEMPORARY.test(name)) findings.notes.push(`${name} is what an unfinished rewrite has left.`);
  }
  if (manifest !== undefined && strays.length > 0) {
    findings.notes.push(`Named by no manifest, and so never loaded: ${strays.map(({ name }) => name).join(", ")}.`);
  }
  return { path: directory, manifestPath, live, superseded, strays };
}

/** A manifest or a history; a damage is noted, and then there is none. */
function readList(disk: Disk, path: string, findings: Findings, consequence: string): AofManifest | undefined {
  try {
    return parseManifest(readWhole(disk, path));
  } catch (error) {
    if (!(error instanceof ManifestFault)) throw error;
    const line = error.lineNumber > 0 ? `, in line ${error.lineNumber}` : "";
    findings.problems.push(
      problemOf({
        path,
        offset: error.position,
        reading: "manifest",
        message: `${error.message}${line}: ${consequence}`,
        advice:
          "It is a text file, one line a file, as in `file appendonly.aof.1.incr.aof seq 1 type i`: mend it by hand on a copy, or take a copy of it.",
      }),
    );
    return undefined;
  }
}

function readWhole(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(file.size());
    let filled = 0;
    while (filled < bytes.length) {
      const got = file.readAt(bytes, filled, bytes.length - filled, filled);
      if (got <= 0) break;
      filled += got;
    }
    return bytes.subarray(0, filled);
  } finally {
    file.close();
  }
}

function placed(disk: Disk, directory: string, name: string, role: FileRole, seq: number): PlacedFile {
  const path = join(directory, name);
  const status = disk.status(path);
  const isThere = status !== undefined && !status.isDirectory;
  return {
    path,
    name,
    role,
    seq,
    bytes: isThere ? status.bytes : -1,
    modifiedMs: isThere ? status.modifiedMs : Number.NaN,
  };
}

export function join(directory: string, name: string): string {
  if (directory === "") return name;
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}

/** The folder of a path, "" for the current one. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === 0 ? "/" : path.slice(0, Math.max(slash, 0));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
