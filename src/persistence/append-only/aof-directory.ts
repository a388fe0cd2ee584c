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
  private readonly disk: Disk;

  constructor(disk: Disk, names: AofNames) {
    this.disk = disk;
    this.names = names;
    this.manifest = { base: undefined, increments: [], history: [] };
    this.history = [];
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
    const seq = (this.manifest.base?.seq ?? this.highestKept("b")) + 1;
    return { name: `${this.names.fileName}.${seq}.base.${isRdb ? "rdb" : "aof"}`, seq, type: "b" };
  }

  nextIncrement(): AofFile {
    const seq = (this.manifest.increments.at(-1)?.seq ?? this.highestKept("i")) + 1;
    return { name: `${this.names.fileName}.${seq}.incr.aof`, seq, type: "i" };
  }

  /** Names of superseded files are not given again. */
  private highestKept(type: "b" | "i"): number {
    const middle = type === "b" ? ".base." : ".incr.";
    let highest = 0;
    for (const { name, seq } of [...this.history, ...this.manifest.history]) {
      if (name.includes(middle)) highest = Math.max(highest, seq);
    }
    return highest;
  }

  /** What makes `manifest` the one on the disk. */
  manifestChores(manifest: AofManifest): Chore[] {
    return this.replaceChores(this.manifestPath, `temp-${this.names.fileName}.manifest`, formatManifest(manifest));
  }

  /** The same for the history. */
  historyChores(history: readonly AofFile[]): Chore[] {
    return this.replaceChores(this.historyPath, `temp-${this.names.fileName}.history`, formatFiles(history));
  }

  private replaceChores(path: string, temporaryName: string, bytes: Uint8Array): Chore[] {
    const temporaryPath = `${this.path}/${temporaryName}`;
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
