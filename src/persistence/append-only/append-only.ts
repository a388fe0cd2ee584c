/**
 * AppendOnly: the append-only file as a whole: on or off, loaded, rewritten, its history kept.
 *
 *      start      AofLoader: base, increments ─► keyspace      then the last increment is written on
 *      on         AppendOnlyFile                               the log into the increment
 *      rewrite    AofRewrite                                   a new base
 *      history    AofDirectory, aof-history.ts                 what is superseded
 *
 *  I1  At most one of rewrite, background save and SAVE is under way.
 *  I2  A rewrite that failed is tried again later and later, as in Redis; until then nothing is lost by it.
 *
 *  Source: directives, log lines and INFO fields of redis-server 7.0.
 */

import { DiskFault } from "../../core/faults.ts";
import type { Background, Clock, Disk } from "../../core/host.ts";
import type { AofFile } from "../../history/formats/aof-manifest.ts";
import type { CommandLog } from "../../history/log/command-log.ts";
import type { SnapshotOptions } from "../../history/snapshot/snapshot-stream.ts";
import type { ReplyGate } from "../../session/reply-gate.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { type Chore, doChore, runChores } from "../chores-job.ts";
import { saveNow } from "../foreground-snapshot.ts";
import { AofDirectory, type AofNames } from "./aof-directory.ts";
import { superfluousCount } from "./aof-history.ts";
import { AofRewrite } from "./aof-rewrite.ts";
import { AppendOnlyFile, type AppendOnlySettings } from "./append-only-file.ts";

export interface AofSettings extends AppendOnlySettings {
  isEnabled: boolean;
  /** aof-use-rdb-preamble */
  usesSnapshot: boolean;
  /** aof-load-truncated */
  loadsTruncated: boolean;
  rewritePercentage: number;
  rewriteBytesMin: number;
  /** aof-disable-auto-gc: what Redis would remove stays. */
  removesNothing: boolean;
  compression: boolean;
  checksum: boolean;
  syncsOften: boolean;
  historyKeepMs: number;
  historyKeepBytes: number;
}

export interface AofServices {
  readonly keyspace: Keyspace;
  readonly commandLog: CommandLog;
  readonly gate: ReplyGate;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly background: Background;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
  /** Head of a file without its position. */
  readonly describe: () => SnapshotOptions;
  /** A snapshot is being written elsewhere (I1). */
  readonly isSaving: () => boolean;
  readonly onFault: () => void;
  /** 40 hexadecimal digits by chance. */
  readonly newReplicationId: () => string;
}

/** After this many failures in a row a rewrite waits before it is tried again: a minute, then twice as long each time. */
const FAILURES_BEFORE_WAIT = 3;
const FIRST_WAIT_MS = 60_000;
const LAST_WAIT_MS = 60 * 60_000;
/** A file that was just turned on is nothing without its base: it is tried again soon. */
const STARTING_RETRY_MS = 5000;
const COLLECT_EVERY_MS = 60_000;

export class AppendOnly {
  readonly file: AppendOnlyFile;
  readonly settings: AofSettings;
  directory: AofDirectory;
  /** Where the file lies when it is turned on the next time. */
  private dataDirectory: string;
  /** A rewrite is to start as soon as it may. */
  isScheduled: boolean;
  rewrites: number;
  failuresInARow: number;
  lastRewriteStatus: "ok" | "err";
  /** Seconds; -1 before the first. */
  lastRewriteSeconds: number;
  /** Bytes of all live files when the last rewrite ended, or at the start. */
  rewrittenBytes: number;
  /** Bytes of the live files before the increment that is being written. */
  private earlierBytes: number;

  private readonly services: AofServices;
  private rewrite: AofRewrite | undefined;
  /** A base is needed before the log's file is of any use: it was just turned on, or an fsync of it failed. */
  private needsFreshBase: boolean;
  /** The log lacks a part of what was done: a new base is due, and until then the file is better than none. */
  private isIncomplete: boolean;
  private failedMs: number;
  private collectedMs: number;
  /** Lists of steps that are being done in the background. */
  private choresUnderWay: number;
  /** A rewrite was promised and begins when they are done. */
  private startsSoon: boolean;

  constructor(services: AofServices, names: AofNames, settings: AofSettings) {
    this.services = services;
    this.settings = settings;
    this.directory = new AofDirectory(services.disk, names);
    this.dataDirectory = names.dataDirectory;
    this.file = new AppendOnlyFile(services.commandLog, services.gate, services, settings);
    this.isScheduled = false;
    this.rewrites = 0;
    this.failuresInARow = 0;
    this.lastRewriteStatus = "ok";
    this.lastRewriteSeconds = -1;
    this.rewrittenBytes = 0;
    this.earlierBytes = 0;
    this.rewrite = undefined;
    this.needsFreshBase = false;
    this.isIncomplete = false;
    this.failedMs = Number.NEGATIVE_INFINITY;
    this.collectedMs = 0;
    this.choresUnderWay = 0;
    this.startsSoon = false;
  }

  isRewriting(): boolean {
    return this.rewrite !== undefined || this.startsSoon;
  }

  /** The log is being written, or will be when its first base begins. */
  isOn(): boolean {
    return this.file.state !== "off" || (this.settings.isEnabled && this.needsFreshBase);
  }

  /** Seconds since the rewrite began, -1 when none is under way. */
  rewriteSeconds(): number {
    const { rewrite, services } = this;
    return rewrite === undefined ? -1 : Math.floor((services.clock.monotonicMs() - rewrite.startMs) / 1000);
  }

  /** How far the rewrite's snapshot is, in keys; undefined when there is none. */
  rewriteProgress(): { writtenKeys: number; keys: number } | undefined {
    return this.rewrite?.progress();
  }

  /** Bytes of the live files. */
  currentBytes(): number {
    return this.earlierBytes + this.file.incrementBytes();
  }

  // ---- start --------------------------------------------------------------------------------------------------------

  /**
   * After loading: the last increment is written on; what is missing is made. `isPlaced`: the files say where in the log
   * they end. Throws DiskFault.
   */
  openAtStart(isPlaced: boolean): void {
    const { directory, services } = this;
    directory.make();
    const { manifest } = directory;
    if (manifest.base === undefined && manifest.increments.length === 0) {
      this.makeFirstBase();
    } else if (manifest.increments.length === 0) {
      const increment = directory.nextIncrement();
      this.makeEmpty(increment);
      directory.writeManifest({ ...manifest, increments: [increment] });
      services.log("notice", `Creating AOF incr file ${increment.name} on server start`);
    }
    const increment = directory.manifest.increments.at(-1)!;
    const path = directory.pathOf(increment);
    const bytes = services.disk.status(path)?.bytes ?? 0;
    this.earlierBytes = directory.liveBytes() - bytes;
    this.rewrittenBytes = this.earlierBytes + bytes;
    this.file.open(path, bytes, isPlaced);
    this.removeLeftovers();
    this.removeSuperseded();
    this.collect();
  }

  /** What a killed process left unfinished. Nothing else is writing here. */
  private removeLeftovers(): void {
    const { directory, services } = this;
    try {
      directory.removeTemporary();
    } catch (error) {
      services.log("warning", `Unfinished files could not be removed: ${(error as Error).message}`);
    }
  }

  /** Nothing was there: the state that was loaded, none as a rule, is the first base. */
  private makeFirstBase(): void {
    const { directory, services } = this;
    const base = directory.nextBase(this.settings.usesSnapshot);
    const increment = directory.nextIncrement();
    this.saveBase(base);
    services.log("notice", `Creating AOF base file ${base.name} on server start`);
    this.makeEmpty(increment);
    directory.writeManifest({ base, increments: [increment], history: [] });
    services.log("notice", `Creating AOF incr file ${increment.name} on server start`);
  }

  private makeEmpty(file: AofFile): void {
    doChore(this.services.disk, { step: "write", path: this.directory.pathOf(file), bytes: new Uint8Array(0) });
  }

  /** Writes the present state as `base`, and returns when it is durable. */
  private saveBase(base: AofFile): void {
    const { services, directory, settings } = this;
    const path = directory.pathOf(base);
    const snapshotPath = settings.usesSnapshot ? path : directory.temporaryPath("rdb");
    saveNow(services.keyspace, services.disk, this.describe(services.commandLog.tailOffset), {
      directory: directory.path,
      temporaryPath: directory.temporaryPath("base"),
      finalPath: snapshotPath,
      compression: settings.compression,
      checksum: settings.checksum,
      syncsOften: settings.syncsOften,
    });
    if (settings.usesSnapshot) return;
    doChore(services.disk, { step: "toCommands", path: snapshotPath, to: path });
    doChore(services.disk, { step: "remove", path: snapshotPath });
  }

  /** Head of a base with the state at `offset`, which is now. */
  private describe(offset: number): SnapshotOptions {
    const { services } = this;
    const options = services.describe();
    return {
      ...options,
      auxiliary: [
        ...options.auxiliary.filter(([name]) => name !== "aof-base"),
        ["repl-id", services.commandLog.replicationId],
        ["repl-offset", String(offset)],
        ["everkey-ms", String(services.keyspace.nowMs)],
        ["aof-base", "1"],
      ],
    };
  }

  // ---- on and off ---------------------------------------------------------------------------------------------------

  /** appendonly yes while the server runs: a base is written first. Throws DiskFault, ManifestFault. */
  enable(): void {
    const { services } = this;
    // A base that BGREWRITEAOF is writing has no increment.
    this.abortRewrite();
    this.openDirectory();
    this.settings.isEnabled = true;
    // What happened meanwhile was not recorded: it is another history from here on.
    services.commandLog.replicationId = services.newReplicationId();
    this.needsFreshBase = true;
    this.failedMs = Number.NEGATIVE_INFINITY;
    services.log("notice", "AOF is being turned on: writing its base");
    if (this.mayStart()) this.start();
  }

  /** appendonly no: what was recorded is made durable; the files stay. */
  disable(): void {
    this.settings.isEnabled = false;
    this.isScheduled = false;
    this.needsFreshBase = false;
    this.abortRewrite();
    if (this.file.state !== "off") this.file.abandon();
  }

  /** Lets go of the files, which are to be loaded again: `openAtStart` takes them back. */
  detach(): void {
    this.abortRewrite();
    this.isScheduled = false;
    this.needsFreshBase = false;
    this.file.abandon();
  }

  /** `dir` was set. The files stay where they are while they are being written. */
  move(dataDirectory: string): void {
    const { file, services, directory } = this;
    this.dataDirectory = dataDirectory;
    if (dataDirectory === directory.names.dataDirectory || file.state === "off") return;
    services.log(
      "warning",
      `dir was changed to ${dataDirectory}, but the append-only file stays in ${directory.path} until it is turned off and on again. A server that starts with the new dir does not find it: turn it off and on now (CONFIG SET appendonly no, then yes).`,
    );
  }

  /** Looks at what is there before something is written; nobody has since the file was turned off. Throws DiskFault. */
  private openDirectory(): void {
    const { dataDirectory, services } = this;
    const { names } = this.directory;
    if (dataDirectory !== names.dataDirectory) {
      this.directory = new AofDirectory(services.disk, { ...names, dataDirectory });
    }
    this.directory.make();
    this.directory.read();
  }

  // ---- rewriting ----------------------------------------------------------------------------------------------------

  private mayStart(): boolean {
    return !this.isRewriting() && this.choresUnderWay === 0 && !this.services.isSaving();
  }

  /** BGREWRITEAOF. */
  requestRewrite(): "started" | "scheduled" | "running" | "failed" {
    if (this.isRewriting()) return "running";
    this.failuresInARow = 0;
    if (this.services.isSaving()) {
      this.isScheduled = true;
      return "scheduled";
    }
    if (this.choresUnderWay > 0) {
      this.startsSoon = true;
      return "started";
    }
    return this.start() ? "started" : "failed";
  }

  /** False when it could not begin; the log says why. */
  private start(): boolean {
    const { services, settings, file } = this;
    this.isScheduled = false;
    try {
      if (file.state === "off") this.openDirectory();
    } catch (error) {
      this.endRewrite(error as Error, services.clock.monotonicMs());
      return false;
    }
    const isFresh = this.needsFreshBase || file.state !== "on";
    const wasIncomplete = this.isIncomplete;
    services.log("notice", "Background append only file rewriting started");
    const rewrite: AofRewrite = new AofRewrite(
      this.directory,
      {
        ...services,
        runChores: (chores, done) => this.runChores(chores, done),
        rotate: (path) => this.rotate(path, isFresh),
        describe: (offset) => this.describe(offset),
        ended: (error) => {
          if (error !== undefined) this.isIncomplete ||= wasIncomplete;
          this.endRewrite(error, rewrite.startMs);
        },
      },
      {
        isFresh,
        hasIncrement: settings.isEnabled,
        usesSnapshot: settings.usesSnapshot,
        timestamps: settings.timestamps,
        keepsHistory: settings.historyKeepMs > 0,
        compression: settings.compression,
        checksum: settings.checksum,
        syncsOften: settings.syncsOften,
      },
    );
    this.isIncomplete = false;
    this.rewrites++;
    this.rewrite = rewrite;
    rewrite.begin();
    return true;
  }

  private runChores(chores: readonly Chore[], done: (error: Error | undefined) => void): void {
    this.choresUnderWay++;
    runChores(this.services.background, chores, (error) => {
      this.choresUnderWay--;
      done(error);
      if (!this.startsSoon || this.choresUnderWay > 0) return;
      this.startsSoon = false;
      this.start();
    });
  }

  private rotate(path: string | undefined, isFresh: boolean): number {
    const { file, directory } = this;
    if (path === undefined) return this.services.commandLog.tailOffset;
    const offset = file.rotate(path);
    // What the increments before it hold by now.
    this.earlierBytes = isFresh ? 0 : this.bytesOf(directory.liveFiles());
    return offset;
  }

  private endRewrite(error: Error | undefined, startMs: number): void {
    const { services, directory, file, rewrite } = this;
    const { clock, log } = services;
    this.lastRewriteSeconds = (clock.monotonicMs() - startMs) / 1000;
    this.rewrite = undefined;
    if (error !== undefined) {
      this.lastRewriteStatus = "err";
      this.failuresInARow++;
      this.failedMs = clock.monotonicMs();
      log(
        "warning",
        `Background AOF rewrite failed: ${error.message}. The files that there were still hold everything.`,
      );
      return;
    }
    this.lastRewriteStatus = "ok";
    this.failuresInARow = 0;
    const { base } = directory.manifest;
    this.earlierBytes = base === undefined ? 0 : this.bytesOf([base]);
    this.rewrittenBytes = this.currentBytes();
    if (rewrite?.hasIncrement === true) this.needsFreshBase = !file.trust();
    log("notice", "Background AOF rewrite finished successfully");
    this.removeSuperseded();
    if (directory.history.length > 0) this.collect();
  }

  /** For INFO and for automatic rewrites: what cannot be looked up counts as nothing. */
  private bytesOf(files: readonly AofFile[]): number {
    let bytes = 0;
    try {
      for (const file of files) bytes += this.services.disk.status(this.directory.pathOf(file))?.bytes ?? 0;
    } catch (error) {
      if (!(error instanceof DiskFault)) throw error;
      this.services.log("warning", `The size of the append-only file is not known: ${error.message}`);
    }
    return bytes;
  }

  abortRewrite(): void {
    const { rewrite, services } = this;
    this.startsSoon = false;
    if (rewrite === undefined) return;
    rewrite.abort();
    this.rewrite = undefined;
    services.log("notice", "Background AOF rewrite was cancelled");
  }

  /** Somebody takes a snapshot at once (SAVE): a rewrite that is taking one begins again afterwards. */
  makeWay(): void {
    if (this.rewrite?.isTaking !== true) return;
    this.abortRewrite();
    this.isScheduled = true;
  }

  /** Some ten times a second. */
  tick(): void {
    const { file, settings, services } = this;
    file.isRewriting = this.isRewriting() || services.isSaving();
    file.tick();
    if (services.commandLog.isIncomplete) {
      // Half of a command is missing in the log; what came after it is not.
      services.commandLog.isIncomplete = false;
      this.isIncomplete = file.state !== "off";
    }
    if (!this.mayStart()) return;
    if (file.fault?.kind === "fsync") this.needsFreshBase = true;
    const nowMs = services.clock.monotonicMs();
    if (nowMs - this.collectedMs > COLLECT_EVERY_MS) {
      this.collect();
      if (!this.mayStart()) return;
    }
    if (nowMs - this.failedMs < this.waitMs()) return;
    if (this.isScheduled || this.needsFreshBase || this.isIncomplete) {
      this.start();
    } else if (settings.isEnabled && this.hasGrown()) {
      services.log("notice", `Starting automatic rewriting of AOF on ${this.growthPercent()}% growth`);
      this.start();
    }
  }

  /** How long after a failure nothing is tried. */
  private waitMs(): number {
    if (this.needsFreshBase) return STARTING_RETRY_MS;
    if (this.failuresInARow < FAILURES_BEFORE_WAIT) return 0;
    return Math.min(FIRST_WAIT_MS * 2 ** (this.failuresInARow - FAILURES_BEFORE_WAIT), LAST_WAIT_MS);
  }

  private growthPercent(): number {
    return Math.floor((this.currentBytes() * 100) / Math.max(this.rewrittenBytes, 1)) - 100;
  }

  private hasGrown(): boolean {
    const { rewritePercentage, rewriteBytesMin } = this.settings;
    if (rewritePercentage === 0 || this.currentBytes() <= rewriteBytesMin) return false;
    return this.growthPercent() >= rewritePercentage;
  }

  // ---- what is superseded -------------------------------------------------------------------------------------------

  /** Removes what the manifest names as superseded, as Redis does, and then the names; and what nobody names. */
  private removeSuperseded(): void {
    const { directory, settings } = this;
    const { manifest } = directory;
    const superseded = settings.removesNothing ? [] : manifest.history;
    const paths = [...directory.takeUnnamed(), ...superseded.map((file) => directory.pathOf(file))];
    if (paths.length === 0) return;
    const chores: Chore[] = paths.map((path) => ({ step: "remove", path }));
    if (superseded.length > 0) chores.push(...directory.manifestChores({ ...manifest, history: [] }));
    this.removeLater(chores, () => {
      if (superseded.length > 0) directory.manifest = { ...directory.manifest, history: [] };
    });
  }

  /** Removes what history-keep does not want any more. */
  private collect(): void {
    const { directory, settings, services } = this;
    this.collectedMs = services.clock.monotonicMs();
    if (directory.history.length === 0 || this.choresUnderWay > 0) return;
    const limits = { keepMs: settings.historyKeepMs, keepBytes: settings.historyKeepBytes };
    let count: number;
    try {
      const kept = directory.history.map((file) => {
        const status = services.disk.status(directory.pathOf(file));
        return { file, bytes: status?.bytes ?? 0, modifiedMs: status?.modifiedMs ?? 0 };
      });
      count = superfluousCount(kept, limits, services.clock.nowMs());
    } catch (error) {
      if (!(error instanceof DiskFault)) throw error;
      services.log("warning", `The history could not be looked through: ${error.message}`);
      return;
    }
    if (count === 0) return;
    const removed = directory.history.slice(0, count);
    const history = directory.history.slice(count);
    const chores: Chore[] = [...directory.historyChores(history)];
    for (const file of removed) chores.push({ step: "remove", path: directory.pathOf(file) });
    this.removeLater(chores, () => {
      directory.history = directory.history.filter((file) => !removed.includes(file));
    });
  }

  private removeLater(chores: readonly Chore[], done: () => void): void {
    this.runChores(chores, (error) => {
      if (error === undefined) done();
      else this.services.log("warning", `Superseded files could not be removed: ${error.message}`);
    });
  }
}
