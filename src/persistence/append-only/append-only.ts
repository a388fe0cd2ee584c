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
  readonly processId: number;
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
  private isFreshRewrite: boolean;
  private failedMs: number;
  private collectedMs: number;
  private isCollecting: boolean;

  constructor(services: AofServices, names: AofNames, settings: AofSettings) {
    this.services = services;
    this.settings = settings;
    this.directory = new AofDirectory(services.disk, names);
    this.file = new AppendOnlyFile(services.commandLog, services.gate, services, settings);
    this.isScheduled = false;
    this.rewrites = 0;
    this.failuresInARow = 0;
    this.lastRewriteStatus = "ok";
    this.lastRewriteSeconds = -1;
    this.rewrittenBytes = 0;
    this.earlierBytes = 0;
    this.rewrite = undefined;
    this.isFreshRewrite = false;
    this.failedMs = Number.NEGATIVE_INFINITY;
    this.collectedMs = 0;
    this.isCollecting = false;
  }

  isRewriting(): boolean {
    return this.rewrite !== undefined;
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

  /** After loading: the last increment is written on; what is missing is made. Throws DiskFault. */
  openAtStart(): void {
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
    this.file.open(path, bytes, "on");
    this.removeSuperseded();
    this.collect();
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
    const snapshotPath = settings.usesSnapshot ? path : `${path}.temp.rdb`;
    saveNow(services.keyspace, services.disk, this.describe(services.commandLog.tailOffset), {
      directory: directory.path,
      temporaryPath: `${directory.path}/temp-rewriteaof-${services.processId}.aof`,
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

  /** appendonly yes while the server runs: a base is written first. */
  enable(): void {
    const { services, directory } = this;
    this.settings.isEnabled = true;
    directory.make();
    directory.read();
    // What happened meanwhile was not recorded: it is another history from here on.
    services.commandLog.replicationId = services.newReplicationId();
    this.isFreshRewrite = true;
    services.log("notice", "AOF is being turned on: writing its base");
    if (!services.isSaving() && !this.isRewriting() && !this.isCollecting) this.start();
  }

  /** appendonly no: what was recorded is made durable; the files stay. */
  disable(): void {
    this.settings.isEnabled = false;
    this.isScheduled = false;
    this.isFreshRewrite = false;
    this.abortRewrite();
    if (this.file.state !== "off") this.file.abandon();
  }

  // ---- rewriting ----------------------------------------------------------------------------------------------------

  /** BGREWRITEAOF. */
  requestRewrite(): "started" | "scheduled" | "running" {
    if (this.isRewriting()) return "running";
    if (this.services.isSaving() || this.isCollecting) {
      this.isScheduled = true;
      this.failuresInARow = 0;
      return "scheduled";
    }
    this.start();
    return "started";
  }

  private start(): void {
    const { services, settings, directory, file } = this;
    this.isScheduled = false;
    const isFresh = this.isFreshRewrite || file.state !== "on";
    file.isRewriting = true;
    services.log("notice", "Background append only file rewriting started");
    this.rewrite = new AofRewrite(
      directory,
      {
        ...services,
        rotate: (path) => this.rotate(path, isFresh),
        describe: (offset) => this.describe(offset),
        ended: (error) => this.endRewrite(error),
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
  }

  private rotate(path: string | undefined, isFresh: boolean): number {
    const { file, directory } = this;
    if (path === undefined) return this.services.commandLog.tailOffset;
    const writtenBytes = file.incrementBytes();
    const offset = file.rotate(path);
    this.earlierBytes += writtenBytes;
    if (isFresh && file.state === "off") file.state = "starting";
    else if (isFresh) this.earlierBytes = directory.liveBytes();
    return offset;
  }

  private endRewrite(error: Error | undefined): void {
    const { services, directory, file } = this;
    const { clock, log } = services;
    this.lastRewriteSeconds = (clock.monotonicMs() - this.rewrite!.startMs) / 1000;
    this.rewrite = undefined;
    file.isRewriting = false;
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
    this.rewrites++;
    this.isFreshRewrite = false;
    const base = directory.manifest.base!;
    this.earlierBytes = services.disk.status(directory.pathOf(base))?.bytes ?? 0;
    this.rewrittenBytes = this.currentBytes();
    if (this.settings.isEnabled) file.trust();
    log("notice", "Background AOF rewrite finished successfully");
    this.removeSuperseded();
    this.collect();
  }

  abortRewrite(): void {
    const { rewrite, services } = this;
    if (rewrite === undefined) return;
    rewrite.abort();
    this.rewrite = undefined;
    this.file.isRewriting = false;
    services.log("notice", "Background AOF rewrite was cancelled");
  }

  /** Some ten times a second. */
  tick(): void {
    const { file, settings, services } = this;
    file.tick();
    if (file.fault?.kind === "fsync" || services.commandLog.isIncomplete) {
      services.commandLog.isIncomplete = false;
      this.isFreshRewrite = true;
    }
    // Two lists must not be written side by side.
    if (this.isRewriting() || this.isCollecting || services.isSaving()) return;
    const nowMs = services.clock.monotonicMs();
    if (nowMs - this.collectedMs > COLLECT_EVERY_MS) this.collect();
    if (nowMs - this.failedMs < this.waitMs()) return;
    if (this.isScheduled || this.isFreshRewrite) this.start();
    else if (settings.isEnabled && this.hasGrown()) {
      services.log("notice", `Starting automatic rewriting of AOF on ${this.growthPercent()}% growth`);
      this.start();
    }
  }

  /** How long after a failure nothing is tried. */
  private waitMs(): number {
    if (this.isFreshRewrite) return STARTING_RETRY_MS;
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

  /** Removes what the manifest names as superseded, as Redis does, and then the names. */
  private removeSuperseded(): void {
    const { directory, settings } = this;
    const { manifest } = directory;
    if (manifest.history.length === 0 || settings.removesNothing) return;
    const chores: Chore[] = manifest.history.map((file) => ({ step: "remove", path: directory.pathOf(file) }));
    const next = { ...manifest, history: [] };
    chores.push(...directory.manifestChores(next));
    this.removeLater(chores, () => {
      // A rewrite may have begun meanwhile.
      directory.manifest = { ...directory.manifest, history: [] };
    });
  }

  /** Removes what history-keep does not want any more. */
  private collect(): void {
    const { directory, settings, services } = this;
    this.collectedMs = services.clock.monotonicMs();
    if (directory.history.length === 0 || this.isCollecting) return;
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
    this.isCollecting = true;
    runChores(this.services.background, chores, (error) => {
      this.isCollecting = false;
      if (error === undefined) done();
      else this.services.log("warning", `Superseded files could not be removed: ${error.message}`);
    });
  }
}
