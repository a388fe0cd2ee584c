/**
 * AofDirectory: which files the append-only file consists of, on the disk and in mind.
 *
 *      appendonlydir/appendonly.aof.3.base.rdb        the state when ...
 *      appendonlydir/appendonly.aof.3.incr.aof        ... the first increment began
 *      appendonlydir/appendonly.aof.4.incr.aof        the increment that is being written
 *      appendonlydir/appendonly.aof.manifest          the list of these: what Redis reads, too
 *      appendonlydir/appendonly.aof.history           what was superseded and is kept to go back to: Redis passes it over
 *
 *  I1  The manifest on the disk is always a whole one, and every file that it names is there.
 *  I2  A file is named in the history before the manifest stops naming it: none is ever without a name but for what a
 *      crash left between the making of a file and its naming, which holds nothing that was promised.
 *  I3  Nothing is removed before the manifest that does without it is durable.
 *  I4  No name is given twice: after a rewrite that failed half-way either manifest may be the one on the disk, and what
 *      it names is as it was.
 *
 *  Source: the multi-part append-only file of Redis 7.
 */

import { DiskFault } from "../../core/faults.ts";
import type { Disk } from "../../core/host.ts";
import {
  type AofFile,
  type AofManifest,
  formatFiles,
  formatManifest,
  parseManifest,
} from "../../history/formats/aof-manifest.ts";
import { type Chore, doChore } from "../chores-job.ts";

export interface AofNames {
  /** Absolute path of `dir`. */
  readonly dataDirectory: string;
  /** appenddirname */
  readonly directoryName: string;
  /** appendfilename */
  readonly fileName: string;
}

export class AofDirectory {
  readonly names: AofNames;
  manifest: AofManifest;
  /** Superseded files that are kept, oldest first. */
  history: readonly AofFile[];
  /** Files that got a name here and may not be in the manifest (I4). */
  private given: AofFile[];
  private temporaryPaths: string[];
  private temporaryCount: number;
  private readonly disk: Disk;

  constructor(disk: Disk, names: AofNames) {
    this.disk = disk;
    this.names = names;
    this.manifest = { base: undefined, increments: [], history: [] };
    this.history = [];
    this.given = [];
    this.temporaryPaths = [];
    this.temporaryCount = 0;
  }

  get path(): string {
    return `${this.names.dataDirectory}/${this.names.directoryName}`;
  }

  get manifestPath(): string {
    return `${this.path}/${this.names.fileName}.manifest`;
  }

  get historyPath(): string {
    return `${this.path}/${this.names.fileName}.history`;
  }

  /** Where a Redis before 7 kept its only file. */
  get oldPath(): string {
    return `${this.names.dataDirectory}/${this.names.fileName}`;
  }

  pathOf(file: AofFile): string {
    return `${this.path}/${file.name}`;
  }

  /** Whether there is a manifest. Throws DiskFault. */
  exists(): boolean {
    return this.disk.status(this.manifestPath) !== undefined;
  }

  /** Reads the lists from the disk; without a manifest there are none. Throws DiskFault, ManifestFault. */
  read(): void {
    const manifest = this.readBytes(this.manifestPath);
    this.manifest = manifest === undefined ? { base: undefined, increments: [], history: [] } : parseManifest(manifest);
    const history = this.readBytes(this.historyPath);
    const live = new Set(this.liveFiles().map(({ name }) => name));
    this.history =
      history === undefined || history.length === 0
        ? []
        : parseManifest(history).history.filter(({ name }) => !live.has(name));
  }

  private readBytes(path: string): Uint8Array | undefined {
    const status = this.disk.status(path);
    if (status === undefined) return undefined;
    if (status.isDirectory) throw new DiskFault("read", path, { code: "EISDIR" });
    const bytes = new Uint8Array(status.bytes);
    const file = this.disk.open(path, "read");
    try {
      let filled = 0;
      while (filled < bytes.length) {
        const count = file.read(bytes, filled, bytes.length - filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } finally {
      file.close();
    }
  }

  /** Base and increments, in the order in which they are loaded. */
  liveFiles(): AofFile[] {
    const { base, increments } = this.manifest;
    return base === undefined ? [...increments] : [base, ...increments];
  }

  /** Bytes of the live files. Throws DiskFault. */
  liveBytes(): number {
    let bytes = 0;
    for (const file of this.liveFiles()) bytes += this.disk.status(this.pathOf(file))?.bytes ?? 0;
    return bytes;
  }

  /** The file of the next base, which is not named anywhere yet. */
  nextBase(isRdb: boolean): AofFile {
    const seq = this.highest("b", this.manifest.base?.seq) + 1;
    return this.give({ name: `${this.names.fileName}.${seq}.base.${isRdb ? "rdb" : "aof"}`, seq, type: "b" });
  }

  nextIncrement(): AofFile {
    const seq = this.highest("i", this.manifest.increments.at(-1)?.seq) + 1;
    return this.give({ name: `${this.names.fileName}.${seq}.incr.aof`, seq, type: "i" });
  }

  private give(file: AofFile): AofFile {
    this.given.push(file);
    return file;
  }

  /** Names of superseded files and of what failed are not given again. */
  private highest(type: "b" | "i", live: number | undefined): number {
    const middle = type === "b" ? ".base." : ".incr.";
    let highest = live ?? 0;
    for (const { name, seq } of [...this.history, ...this.manifest.history, ...this.given]) {
      if (name.includes(middle)) highest = Math.max(highest, seq);
    }
    return highest;
  }

  /** Paths that were given here and that no list names: what a rewrite that failed left behind. */
  takeUnnamed(): string[] {
    const named = new Set([...this.liveFiles(), ...this.manifest.history, ...this.history].map(({ name }) => name));
    const unnamed = this.given.filter(({ name }) => !named.has(name)).map((file) => this.pathOf(file));
    const paths = [...unnamed, ...this.temporaryPaths];
    this.given = [];
    this.temporaryPaths = [];
    return paths;
  }

  /** Path of a file on its way to another name; never the same twice. */
  temporaryPath(ending: string): string {
    const path = `${this.path}/${this.temporaryStart}${++this.temporaryCount}.${ending}`;
    this.temporaryPaths.push(path);
    return path;
  }

  /** What names of unfinished files begin with. */
  private get temporaryStart(): string {
    return `temp-${this.names.fileName}.`;
  }

  /** Removes what a process that was killed left unfinished. Nobody may be writing here. Throws DiskFault. */
  removeTemporary(): void {
    for (const name of this.disk.list(this.path)) {
      if (name.startsWith(this.temporaryStart)) this.disk.remove(`${this.path}/${name}`);
    }
  }

  /** What makes `manifest` the one on the disk. */
  manifestChores(manifest: AofManifest): Chore[] {
    return this.replaceChores(this.manifestPath, "manifest", formatManifest(manifest));
  }

  /** The same for the history. */
  historyChores(history: readonly AofFile[]): Chore[] {
    return this.replaceChores(this.historyPath, "history", formatFiles(history));
  }

  private replaceChores(path: string, ending: string, bytes: Uint8Array): Chore[] {
    const temporaryPath = this.temporaryPath(ending);
    return [
      { step: "write", path: temporaryPath, bytes },
      { step: "rename", path: temporaryPath, to: path },
      { step: "syncDirectory", path: this.path },
    ];
  }

  /** Makes `manifest` the one on the disk, now. Throws DiskFault. */
  writeManifest(manifest: AofManifest): void {
    for (const chore of this.manifestChores(manifest)) doChore(this.disk, chore);
    this.manifest = manifest;
  }

  /** Makes the folder when it is missing. Throws DiskFault. */
  make(): void {
    if (this.disk.status(this.path) !== undefined) return;
    this.disk.makeDirectory(this.path);
    this.disk.syncDirectory(this.names.dataDirectory);
  }
}
