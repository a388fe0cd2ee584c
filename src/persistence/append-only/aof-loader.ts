/**
 * AofLoader: the state that the append-only file holds, at the start.
 *
 *      manifest ─► base: a snapshot, or commands, or a snapshot with commands behind it (Redis before 7)
 *               ─► increments, in their order, through the Replayer
 *               ─► where the log goes on: replication id and offset
 *
 *  I1  What a file that is not the last one lacks is never passed over: the start ends. Files behind it that hold nothing
 *      do not count: a rewrite names its increment before the one before it is durable, and writes to it afterwards.
 *  I2  The end of the last file may be torn: with aof-load-truncated it is cut off at its last whole unit, and the log
 *      says how much that was.
 *  I3  Keys do not expire while the log is replayed: it says when they went.
 *
 *  Source: the order, the rules and the log lines of redis-server 7.0.
 */

import { DiskFault } from "../../core/faults.ts";
import type { Clock, Disk, DiskFile } from "../../core/host.ts";
import { AofFault } from "../../history/formats/aof-fault.ts";
import type { AofFile, AofManifest } from "../../history/formats/aof-manifest.ts";
import { AofReader, type AofReaderOptions, type AofState } from "../../history/formats/aof-reader.ts";
import { startsWithSnapshot } from "../../history/formats/rdb-reader.ts";
import type { CommandLog } from "../../history/log/command-log.ts";
import type { Request } from "../../protocol/request.ts";
import type { Replayer } from "../../session/replayer.ts";
import type { LoadProgress } from "../snapshots.ts";
import type { AofDirectory } from "./aof-directory.ts";

const SLICE_MS = 5;
/** Refused commands that are named one by one. */
const REFUSED_LOGGED_MAX = 10;
/** Enough for the first line of an increment. */
const HEAD_BYTES = 4096;

export interface AofLoaderServices {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
  readonly commandLog: CommandLog;
  readonly replayer: Replayer;
  /** Loads the snapshot at the beginning of a file, in slices; returns its length. Rejects with RdbFault, DiskFault. */
  readonly loadSnapshot: (path: string, onAuxiliary: (name: string, value: string) => void) => Promise<number>;
  /** What INFO shows of the load. */
  readonly onProgress: (progress: LoadProgress | undefined) => void;
}

/** A file that cannot be loaded: `path` and what is wrong. */
export class AofLoadFault extends Error {
  override name = "AofLoadFault";
  readonly path: string;

  constructor(path: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.path = path;
  }
}

export class AofLoader {
  private readonly directory: AofDirectory;
  private readonly services: AofLoaderServices;
  private readonly loadsTruncated: boolean;
  /** Commands that answered with an error. */
  private refusedCount: number;
  /** Where the log stands behind what was loaded; NaN when no file has said it. */
  private position: { replicationId: string; offset: number };

  constructor(directory: AofDirectory, services: AofLoaderServices, loadsTruncated: boolean) {
    this.directory = directory;
    this.services = services;
    this.loadsTruncated = loadsTruncated;
    this.refusedCount = 0;
    this.position = { replicationId: services.commandLog.replicationId, offset: Number.NaN };
  }

  /** The files say at which offset of the log they end. */
  get isPlaced(): boolean {
    return !Number.isNaN(this.position.offset);
  }

  /** Loads what the manifest names; false when there is none. Rejects with AofLoadFault, DiskFault, ManifestFault. */
  async load(): Promise<boolean> {
    const { directory, services } = this;
    this.takeOver();
    directory.read();
    const files = directory.liveFiles();
    if (files.length === 0) return false;
    const startMs = services.clock.monotonicMs();
    this.checkPresence(files);
    const lastIndex = this.lastWithContent(files);
    let loadedBytes = 0;
    const totalBytes = directory.liveBytes();
    for (const [index, file] of files.entries()) {
      const fileMs = services.clock.monotonicMs();
      services.onProgress({ startMs: services.clock.nowMs(), totalBytes, loadedBytes });
      const path = directory.pathOf(file);
      await this.loadFile(file, path, index === files.length - 1 || (index >= lastIndex && file.type === "i"));
      loadedBytes += services.disk.status(path)?.bytes ?? 0;
      const kind = file.type === "b" ? "base" : "incr";
      services.log("notice", `DB loaded from ${kind} file ${file.name}: ${this.seconds(fileMs)} seconds`);
    }
    services.onProgress(undefined);
    if (this.refusedCount > 0) {
      services.log("warning", `${this.refusedCount} commands of the append-only file were refused and have no effect.`);
    }
    services.log("notice", `DB loaded from append only file: ${this.seconds(startMs)} seconds`);
    const { replicationId, offset } = this.position;
    services.commandLog.continueAt(replicationId, Number.isNaN(offset) ? 0 : offset);
    return true;
  }

  private seconds(sinceMs: number): string {
    return ((this.services.clock.monotonicMs() - sinceMs) / 1000).toFixed(3);
  }

  /**
   * The only file of a Redis before 7 becomes the base of a manifest. A crash in between leaves a manifest that names a
   * file which still lies outside: it is moved at the next start.
   */
  private takeOver(): void {
    const { directory, services } = this;
    const { fileName } = directory.names;
    if (services.disk.status(directory.oldPath) === undefined) return;
    const base: AofFile = { name: fileName, seq: 1, type: "b" };
    if (directory.exists()) {
      directory.read();
      const named = directory.manifest.base;
      const isMoved = services.disk.status(`${directory.path}/${fileName}`) !== undefined;
      if (named?.name !== fileName || isMoved) return;
    } else {
      directory.make();
      const manifest: AofManifest = { base, increments: [], history: [] };
      directory.writeManifest(manifest);
    }
    services.disk.rename(directory.oldPath, directory.pathOf(base));
    services.disk.syncDirectory(directory.path);
    services.disk.syncDirectory(directory.names.dataDirectory);
    services.log(
      "notice",
      `Successfully migrated an old-style AOF configuration (${fileName}) into the AOF directory (${directory.names.directoryName}).`,
    );
  }

  private lastWithContent(files: readonly AofFile[]): number {
    let index = files.length - 1;
    while (index > 0 && this.services.disk.status(this.directory.pathOf(files[index]!))?.bytes === 0) index--;
    return index;
  }

  private checkPresence(files: readonly AofFile[]): void {
    for (const file of files) {
      const path = this.directory.pathOf(file);
      if (this.services.disk.status(path) === undefined) {
        throw new AofLoadFault(path, `The AOF file ${file.name} is missing, but the manifest names it.`);
      }
    }
  }

  private async loadFile(file: AofFile, path: string, isLast: boolean): Promise<void> {
    const { services } = this;
    const opened = services.disk.open(path, "read");
    try {
      const bytes = opened.size();
      if (bytes === 0) return;
      const isBase = file.type === "b";
      const start = startsWithSnapshot(opened) ? await this.loadSnapshot(path) : 0;
      if (start === bytes) return;
      if (!isBase) this.checkPlace(file, path, opened);
      await this.replay(file, path, opened, start, isBase && start === 0, isLast);
    } finally {
      opened.close();
    }
  }

  /** An increment that says where in the log it begins must follow what was loaded so far (I1). */
  private checkPlace(file: AofFile, path: string, opened: DiskFile): void {
    const reader = new AofReader(opened, { chunkBytes: HEAD_BYTES });
    const { replicationId, offset } = this.position;
    try {
      if (reader.next() !== "annotation") return;
    } catch {
      return; // the load says what is wrong with it, and where
    }
    const { annotation } = reader;
    if (annotation?.offset === undefined || annotation.replicationId !== replicationId || Number.isNaN(offset)) return;
    if (annotation.offset === offset) return;
    throw new AofLoadFault(
      path,
      `The AOF file ${file.name} does not follow the one before it: it begins at offset ${annotation.offset} of the log, and what was loaded ends at ${offset}. Commands in between are missing. Nothing was changed; to go back to a moment before: everkey restore`,
    );
  }

  private async loadSnapshot(path: string): Promise<number> {
    const { services, position } = this;
    services.log("notice", "Reading RDB base file on AOF loading...");
    try {
      return await services.loadSnapshot(path, (name, value) => {
        if (name === "repl-id" && /^[0-9a-f]{40}$/.test(value)) position.replicationId = value;
        if (name === "repl-offset") position.offset = Number(value);
      });
    } catch (error) {
      if (error instanceof DiskFault) throw error;
      throw new AofLoadFault(
        path,
        `The snapshot that the append-only file begins with cannot be loaded: ${(error as Error).message}. Nothing was changed; restore a backup in its place, or look at it with: everkey check ${path}`,
        error,
      );
    }
  }

  private async replay(
    file: AofFile,
    path: string,
    opened: DiskFile,
    start: number,
    isBase: boolean,
    isLast: boolean,
  ): Promise<void> {
    const { services } = this;
    const { clock, replayer } = services;
    const options: AofReaderOptions = { isBase };
    const state: AofState = { logOffset: this.position.offset, timeMs: Number.NaN, source: undefined, database: 0 };
    const reader = AofReader.at(opened, start, state, options);
    replayer.reset();
    replayer.onError = (text, request) => this.refused(path, text, request);
    try {
      for (;;) {
        const endMs = clock.monotonicMs() + SLICE_MS;
        if (replayer.replay(reader, false, () => clock.monotonicMs() >= endMs)) break;
        await new Promise<void>((resolve) => clock.soon(resolve));
        replayer.setTime(clock.nowMs());
      }
    } catch (error) {
      if (error instanceof DiskFault || error instanceof AofLoadFault) throw error;
      if (!(error instanceof AofFault)) throw new AofLoadFault(path, (error as Error).message, error);
      this.cutOff(file, path, opened.size(), error, isLast);
    }
    this.position.offset = reader.wholeLogOffset;
    if (reader.replicationId !== undefined) this.position.replicationId = reader.replicationId;
  }

  /** A command of the file answered with an error. Redis passes over all of them; a lost SELECT would mix databases. */
  private refused(path: string, text: string, request: Request): void {
    const { log } = this.services;
    if (request.is(0, "SELECT")) {
      throw new AofLoadFault(
        path,
        `The file has data for database ${request.text(1)}, which this server does not have (${text}). Set the directive databases to more`,
      );
    }
    if (++this.refusedCount > REFUSED_LOGGED_MAX) return;
    log("warning", `A command of the append-only file was refused: ${request.text(0)}: ${text}`);
  }

  /** The end of a file is not whole (I1, I2). */
  private cutOff(file: AofFile, path: string, bytes: number, fault: AofFault, isLast: boolean): void {
    const { services } = this;
    if (fault.kind === "format") {
      throw new AofLoadFault(
        path,
        `Bad file format reading the append only file ${file.name}: ${fault.message}. Make a copy of it and look at it with: everkey check ${path}`,
        fault,
      );
    }
    if (!isLast) {
      throw new AofLoadFault(
        path,
        `Unexpected end of file reading ${file.name}, which is not the last one: ${fault.message}.`,
        fault,
      );
    }
    if (!this.loadsTruncated) {
      throw new AofLoadFault(
        path,
        `Unexpected end of file reading the append only file ${file.name}: ${fault.message}. Either set aof-load-truncated to yes, or repair it: everkey check --fix ${path}`,
        fault,
      );
    }
    services.log("warning", `!!! Warning: short read while loading the AOF file ${file.name}!!!`);
    services.log("warning", `AOF ${file.name} loaded anyway because aof-load-truncated is enabled`);
    services.log(
      "warning",
      `Truncating the AOF ${file.name} at offset ${fault.wholeBytes}: ${bytes - fault.wholeBytes} bytes of a command that was not completely written go (${fault.message})`,
    );
    const writable = services.disk.open(path, "modify");
    try {
      writable.truncate(fault.wholeBytes);
      writable.sync();
    } finally {
      writable.close();
    }
  }
}
