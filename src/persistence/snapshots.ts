/**
 * Snapshots on the local disk: SAVE, BGSAVE, save points, loading at the start.
 *
 *      BGSAVE   BackgroundSnapshot ── in slices, between commands ──► job "rdb" ──► dump.rdb
 *      SAVE     SnapshotStream ── all at once ──► RdbFileWriter ──► dump.rdb
 *
 *  I1  At most one snapshot is written at a time.
 *  I2  `lastSaveMs` and `keyspace.dirty` change only when a file stands complete under its name.
 *  I3  Nothing is loaded from a file that is not whole: a load that fails leaves the file as it is and is fatal.
 *  I4  After a save was given up the temporary file has another name: its thread may still write to that one.
 *
 * Source: directives save, dbfilename, rdbcompression, rdbchecksum, stop-writes-on-bgsave-error and the fields of
 * INFO persistence as the Redis documentation describes them.
 */

import { codeOf, DiskFault } from "../core/faults.ts";
import type { Background, Clock, Disk } from "../core/host.ts";
import { RdbFault } from "../history/formats/rdb-fault.ts";
import { SnapshotLoader } from "../history/snapshot/snapshot-loader.ts";
import type { SnapshotOptions } from "../history/snapshot/snapshot-stream.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";
import { BackgroundSnapshot, type SnapshotEnd } from "./background-snapshot.ts";
import type { FromChecksumJob, ToChecksumJob } from "./checksum-job.ts";
import { saveNow } from "./foreground-snapshot.ts";
import type { RdbFileOptions } from "./rdb-file-writer.ts";

const LOAD_SLICE_MS = 5;
/** From this size on a file's check sum is computed in the background while it is loaded. */
const SUM_BESIDE_BYTES = 8 * 1024 * 1024;
/** After a failure a save point tries again no sooner than this. */
const RETRY_MS = 5000;
const LEFTOVER_MS = 60 * 60 * 1000;

export interface SnapshotSettings {
  directory: string;
  fileName: string;
  compression: boolean;
  checksum: boolean;
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION: a file whose sum is wrong is loaded. */
  skipsChecksum?: boolean;
  syncsOften: boolean;
  stopsWritesOnError: boolean;
  savePoints: readonly { readonly seconds: number; readonly changes: number }[];
}

export interface SnapshotServices {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly background: Background;
  readonly processId: number;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
  /** Head of the file and form of the access clock, asked anew for each snapshot. */
  readonly describe: () => SnapshotOptions;
}

/** Progress of the load at the start, for INFO's loading_ fields. */
export interface LoadProgress {
  readonly startMs: number;
  readonly totalBytes: number;
  loadedBytes: number;
}

/** What the newest load found. */
export interface LoadResult {
  readonly keys: number;
  readonly expired: number;
  readonly seconds: number;
}

/** A load under way. */
interface Load {
  /** Loads on until `isOver`; true at the end. Throws RdbFault, DiskFault or ArenaExhausted. */
  readonly step: (isOver: () => boolean) => boolean;
  /** Notes and logs what was loaded, once it is known to be right. */
  readonly report: () => void;
  /** Bytes of the file that were read. */
  readonly bytes: () => number;
}

export class Snapshots {
  readonly settings: SnapshotSettings;
  /** Wall time of the last successful save, or of the start; ms. */
  lastSaveMs: number;
  lastStatus: "ok" | "err";
  /** Duration of the last background save, seconds; -1 before the first. */
  lastSeconds: number;
  savesDone: number;
  /** A background save is to start as soon as it may (DEBUG RELOAD gave one up). */
  isScheduled: boolean;
  loading: LoadProgress | undefined;
  lastLoad: LoadResult | undefined;
  /** Called when a background save has ended, well or not. */
  onEnd: (() => void) | undefined;
  /** Takes the code of a function library that a file holds; returns what is wrong with it. */
  onFunction: ((code: Uint8Array, mayReplace: boolean) => string | undefined) | undefined;

  /** The file that is there was not loaded: the first save keeps it under another name. */
  isUnloaded: boolean;
  /** Another snapshot is being written: the base of an append-only file. Saves wait for it. */
  isBlocked: () => boolean;

  private readonly keyspace: Keyspace;
  private readonly services: SnapshotServices;
  private running: BackgroundSnapshot | undefined;
  private dirtyAtStart: number;
  private lastTryMs: number;
  /** Background saves that were given up so far: a part of the temporary file's name (I4). */
  private givenUpCount: number;

  constructor(keyspace: Keyspace, services: SnapshotServices, settings: SnapshotSettings) {
    this.keyspace = keyspace;
    this.services = services;
    this.settings = settings;
    this.lastSaveMs = services.clock.nowMs();
    this.lastStatus = "ok";
    this.lastSeconds = -1;
    this.savesDone = 0;
    this.isScheduled = false;
    this.loading = undefined;
    this.lastLoad = undefined;
    this.onEnd = undefined;
    this.onFunction = undefined;
    this.isUnloaded = false;
    this.isBlocked = () => false;
    this.running = undefined;
    this.dirtyAtStart = 0;
    this.lastTryMs = 0;
    this.givenUpCount = 0;
  }

  isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Seconds since the running save began, -1 when none runs; and how far it is, in keys. */
  progress(): { seconds: number; writtenKeys: number; keys: number } {
    const progress = this.running?.progress();
    if (progress === undefined) return { seconds: -1, writtenKeys: 0, keys: 0 };
    return { ...progress, seconds: Math.floor(progress.seconds) };
  }

  /** Head of a file that is written now. */
  describe(): SnapshotOptions {
    return this.services.describe();
  }

  filePath(): string {
    return `${this.settings.directory}/${this.settings.fileName}`;
  }

  // ---- saving -------------------------------------------------------------------------------------------------

  /** Writes the snapshot now and returns when it is durable. Throws DiskFault; the old file stays then. */
  save(): void {
    const { disk, log } = this.services;
    try {
      saveNow(this.keyspace, disk, this.services.describe(), this.nextFile());
    } catch (error) {
      this.fail(error);
      throw error;
    }
    this.succeed(this.keyspace.dirty);
    log("notice", "DB saved on disk");
  }

  /**
   * Opens a snapshot of this moment and writes it while commands go on. Nothing may be running. False when the system
   * gives no thread for it; the log says why.
   */
  startBackgroundSave(): boolean {
    const { clock, log, processId } = this.services;
    this.isScheduled = false;
    this.lastTryMs = clock.monotonicMs();
    const dirtyAtStart = this.keyspace.dirty;
    try {
      this.running = new BackgroundSnapshot(
        this.keyspace,
        this.services,
        this.nextFile(),
        this.services.describe(),
        (end) => this.endSave(end),
      );
    } catch (error) {
      this.fail(error);
      return false;
    }
    this.dirtyAtStart = dirtyAtStart;
    log("notice", `Background saving started by pid ${processId}`);
    return true;
  }

  /** Gives up the running background save, for a shutdown and for DEBUG RELOAD; the old file stays. */
  abort(): void {
    const running = this.running;
    if (running === undefined) return;
    running.abort();
    this.givenUpCount++;
    this.running = undefined;
    this.removeUnfinished(running.temporaryPath);
    this.services.log("notice", "Background saving was cancelled");
    this.onEnd?.();
  }

  /** The job removes its file when it reads that it is given up; the end of the process may come first. */
  private removeUnfinished(path: string): void {
    const { disk, log } = this.services;
    try {
      if (disk.status(path) !== undefined) disk.remove(path);
    } catch (error) {
      // The job may have been faster.
      if (codeOf(error) !== "ENOENT") log("warning", `${path} could not be removed: ${(error as Error).message}`);
    }
  }

  private endSave(end: SnapshotEnd): void {
    const { log } = this.services;
    this.lastSeconds = this.running!.elapsedSeconds();
    this.running = undefined;
    if ("error" in end) {
      this.fail(end.error);
      log("warning", "Background saving error");
    } else {
      this.succeed(this.dirtyAtStart);
      log("notice", "DB saved on disk");
      log("notice", "Background saving terminated with success");
    }
    this.onEnd?.();
  }

  private succeed(savedDirty: number): void {
    this.keyspace.dirty -= savedDirty;
    this.lastSaveMs = this.services.clock.nowMs();
    this.lastStatus = "ok";
    this.savesDone++;
  }

  private fail(error: unknown): void {
    this.lastStatus = "err";
    const reason = error instanceof Error ? error.message : String(error);
    const hint = codeOf(error) === "ENOSPC" || reason.includes("No space left") ? "; free some space" : "";
    this.services.log(
      "warning",
      `Write error saving DB on disk: ${reason}. The previous ${this.settings.fileName} is untouched${hint}.`,
    );
  }

  /** What nobody has loaded is not overwritten. Throws DiskFault. */
  private setUnloadedAside(): void {
    const { clock, disk, log } = this.services;
    if (!this.isUnloaded) return;
    const path = this.filePath();
    if (disk.status(path) !== undefined) {
      const kept = `${path}.not-loaded-${new Date(clock.nowMs()).toISOString().replace(/[-:]|\..*/g, "")}`;
      disk.rename(path, kept);
      log("warning", `${path}, which was not loaded at the start, is kept as ${kept}`);
    }
    this.isUnloaded = false;
  }

  /** Where the next save writes to, and how. Throws DiskFault. */
  private nextFile(): RdbFileOptions {
    this.setUnloadedAside();
    const { directory, compression, checksum, syncsOften } = this.settings;
    return {
      directory,
      temporaryPath: `${directory}/temp-${this.services.processId}-${this.givenUpCount}.rdb`,
      finalPath: this.filePath(),
      compression,
      checksum,
      syncsOften,
    };
  }

  /** Starts a save when one was asked for or a save point is reached; called about ten times a second. */
  checkSavePoints(): void {
    if (this.running !== undefined || this.loading !== undefined || this.isBlocked()) return;
    const { clock, log } = this.services;
    const nowMs = clock.monotonicMs();
    const mayRetry = this.lastStatus === "ok" || nowMs - this.lastTryMs > RETRY_MS;
    if (this.isScheduled && mayRetry) {
      this.startBackgroundSave();
      return;
    }
    const sinceMs = clock.nowMs() - this.lastSaveMs;
    for (const { seconds, changes } of this.settings.savePoints) {
      if (this.keyspace.dirty < changes || sinceMs <= seconds * 1000 || !mayRetry) continue;
      log("notice", `${changes} changes in ${seconds} seconds. Saving...`);
      this.startBackgroundSave();
      return;
    }
  }

  /** Whether writes are to be refused because the last save failed. */
  deniesWrites(): boolean {
    return this.settings.stopsWritesOnError && this.settings.savePoints.length > 0 && this.lastStatus === "err";
  }

  /**
   * Removes what killed servers left behind: temporary files that nobody has written to for an hour. A save under way
   * writes all the time, also that of another server in the same directory.
   */
  removeLeftovers(): void {
    const { clock, disk, log } = this.services;
    const { directory } = this.settings;
    try {
      for (const name of disk.list(directory)) {
        if (!/^temp-[0-9]+(-[0-9]+)?\.rdb$/.test(name)) continue;
        const path = `${directory}/${name}`;
        const status = disk.status(path);
        if (status === undefined || clock.nowMs() - status.modifiedMs < LEFTOVER_MS) continue;
        disk.remove(path);
        log("notice", `Removed ${path}, an unfinished snapshot of a server that was killed`);
      }
    } catch (error) {
      // They only take room: no reason not to start.
      log("warning", `Unfinished snapshots in ${directory} could not be removed: ${(error as Error).message}`);
    }
  }

  // ---- loading ------------------------------------------------------------------------------------------------

  /** Loads the file in slices while the event loop goes on. False when there is no file. Throws as `load` does. */
  async loadInSlices(): Promise<boolean> {
    const path = this.filePath();
    const bytes = this.services.disk.status(path)?.bytes ?? 0;
    const sumsBeside = bytes >= SUM_BESIDE_BYTES && this.verifiesChecksum();
    const sum = sumsBeside ? this.startChecksum(path, bytes) : undefined;
    const load = this.openLoad(path, false, sum === undefined && this.verifiesChecksum());
    if (load === undefined) return false;
    await this.loadSlices(load);
    await sum;
    load.report();
    return true;
  }

  /**
   * Loads the snapshot with which the file at `path` begins, in slices; resolves with its length. `onAuxiliary` hears of
   * its head. Rejects as `loadInSlices` does.
   */
  async loadBase(path: string, onAuxiliary: (name: string, value: string) => void): Promise<number> {
    const load = this.openLoad(path, false, this.verifiesChecksum(), onAuxiliary);
    if (load === undefined) throw new DiskFault("open", path, { code: "ENOENT" });
    await this.loadSlices(load);
    load.report();
    return load.bytes();
  }

  private async loadSlices(load: Load): Promise<void> {
    const { clock } = this.services;
    for (;;) {
      const endMs = clock.monotonicMs() + LOAD_SLICE_MS;
      if (load.step(() => clock.monotonicMs() >= endMs)) return;
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }

  private verifiesChecksum(): boolean {
    return this.settings.checksum && this.settings.skipsChecksum !== true;
  }

  /** The file's check sum, in the background; rejects when it is wrong. */
  private startChecksum(path: string, bytes: number): Promise<void> {
    const job = this.services.background.start("rdb");
    const sum = new Promise<void>((resolve, reject) => {
      job.onFailure(reject);
      job.onMessage((message) => {
        const result = message as FromChecksumJob;
        job.end(true);
        if (result.kind === "failed") reject(new Error(result.text));
        else if (result.isRight) resolve();
        else reject(new RdbFault(bytes - 8, "check sum", "the file's check sum is wrong: some byte before it changed"));
      });
    });
    // A load that fails first is what is reported; this is looked at only when it has not.
    sum.catch(() => undefined);
    job.post({ kind: "check", path, bytes } satisfies ToChecksumJob);
    return sum;
  }

  /** Loads a file at once (DEBUG RELOAD). False when there is none. Throws RdbFault, DiskFault or ArenaExhausted. */
  loadNow(mayReplace: boolean): boolean {
    const load = this.openLoad(this.filePath(), mayReplace, this.verifiesChecksum());
    load?.step(() => false);
    load?.report();
    return load !== undefined;
  }

  /** Opens the file for loading; undefined when there is none. Throws DiskFault. */
  private openLoad(
    path: string,
    mayReplace: boolean,
    verifyChecksum: boolean,
    onAuxiliary?: (name: string, value: string) => void,
  ): Load | undefined {
    const { clock, disk, log } = this.services;
    const status = disk.status(path);
    if (status === undefined) return undefined;
    if (status.isDirectory) throw new DiskFault("open", path, { code: "EISDIR" });
    const file = disk.open(path, "read");
    const keyspace = this.keyspace;
    keyspace.nowMs = clock.nowMs();
    keyspace.clock.setNow(keyspace.nowMs);
    const startMs = clock.monotonicMs();
    const progress: LoadProgress = { startMs: clock.nowMs(), totalBytes: status.bytes, loadedBytes: 0 };
    this.loading = progress;
    const loader = new SnapshotLoader(keyspace, file, {
      totalBytes: status.bytes,
      verifyChecksum,
      mayReplace,
      ...(this.onFunction === undefined
        ? {}
        : { onFunction: (code: Uint8Array) => this.onFunction!(code, mayReplace) }),
      onAuxiliary: (name, value) => {
        this.logAuxiliary(name, value);
        onAuxiliary?.(name, value);
      },
    });
    let reportedShare = 0;
    const step = (isOver: () => boolean): boolean => {
      try {
        const isDone = loader.step(isOver);
        progress.loadedBytes = loader.loadedBytes();
        const share = Math.floor((progress.loadedBytes / Math.max(progress.totalBytes, 1)) * 10);
        if (!isDone && share > reportedShare && clock.monotonicMs() - startMs > 1000) {
          reportedShare = share;
          log("notice", `Loading ${path}: ${share * 10} %, ${loader.loadedKeys} keys so far`);
        }
        if (!isDone) return false;
      } catch (error) {
        file.close();
        this.loading = undefined;
        throw error;
      }
      file.close();
      this.loading = undefined;
      return true;
    };
    const report = (): void => {
      const seconds = (clock.monotonicMs() - startMs) / 1000;
      this.lastLoad = { keys: loader.loadedKeys, expired: loader.expiredKeys, seconds };
      log("notice", `Done loading RDB, keys loaded: ${loader.loadedKeys}, keys expired: ${loader.expiredKeys}.`);
      log("notice", `DB loaded from disk: ${seconds.toFixed(3)} seconds`);
    };
    return { step, report, bytes: () => loader.loadedBytes() };
  }

  private logAuxiliary(name: string, value: string): void {
    const { clock, log } = this.services;
    if (name === "redis-ver" || name === "valkey-ver") log("notice", `Loading RDB produced by version ${value}`);
    else if (name === "ctime") {
      log("notice", `RDB age ${Math.max(0, Math.floor(clock.nowMs() / 1000) - Number(value))} seconds`);
    } else if (name === "used-mem") {
      log("notice", `RDB memory usage when created ${(Number(value) / 1024 / 1024).toFixed(2)} Mb`);
    }
  }
}
