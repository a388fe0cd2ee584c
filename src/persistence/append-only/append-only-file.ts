/**
 * AppendOnlyFile: the log on the disk, and what may be told to clients for it.
 *
 *      commands ─► CommandLog ─┐ end of the turn
 *                              ├─ write ─► increment ── fsync beside the event loop ──┐
 *      replies  ─► ReplyGate ◄─┴── everysec, no: after the write ── always: after it ─┘
 *
 *      off ── enable ──► starting ── first base written ──► on ── disable ──► off
 *                                                            │ rewrite: aof-rewrite.ts
 *
 *  I1  `always`: no reply leaves before the effects that it follows from are on the device. One fsync serves all that
 *      came until it began; the event loop goes on meanwhile.
 *  I2  `everysec`, `no`: no reply leaves before its effects were handed to the system, unless an fsync is under way:
 *      then they may wait in memory for two seconds, as in Redis.
 *  I3  After a write that failed, the file is cut back to its last whole unit, writes of clients are refused, and the same
 *      bytes are tried again every second.
 *  I4  After an fsync that failed nobody knows what of the file is on the device: it is not trusted again. A new base is
 *      written from memory, and until it is there, with an increment that is not that file, writes are refused.
 *  I5  Effects that `always` could not make durable are never acknowledged: who waits for a reply to them is closed.
 *  I6  Nothing is written to an increment before all that came before it is on the device: what a crash leaves has no hole.
 *
 *  Source: the directives of Redis 7.2's append-only file; group commit and I4, I5 are our own.
 */

import { DiskFault, reasonOf } from "../../core/faults.ts";
import type { Clock, Disk, DiskFile, Timer } from "../../core/host.ts";
import type { CommandLog, LogCursor } from "../../history/log/command-log.ts";
import type { ReplyGate } from "../../session/reply-gate.ts";
import { CommitWindow } from "./commit-window.ts";
import { type Annotating, IncrementWriter } from "./increment-writer.ts";
import { SyncQueue } from "./sync-queue.ts";

export type SyncPolicy = "always" | "everysec" | "no";
export type AofState = "off" | "starting" | "on";

/** While an fsync is under way, effects may wait this long in memory. */
const POSTPONED_MS_MAX = 2000;
const SYNC_EVERY_MS = 1000;
const RETRY_MS = 1000;

export interface AppendOnlySettings extends Annotating {
  policy: SyncPolicy;
  /** no-appendfsync-on-rewrite */
  restsDuringRewrite: boolean;
}

export interface AppendOnlyServices {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
  /** `fault` has come or gone: clients may write, or no longer. */
  readonly onFault: () => void;
}

/** Why writes are refused. */
export interface AofFault {
  readonly kind: "write" | "fsync";
  /** The system's reason, as clients hear it. */
  readonly reason: string;
}

export class AppendOnlyFile {
  state: AofState;
  readonly settings: AppendOnlySettings;
  /** Set while the disk does not take what it should (I3, I4). */
  fault: AofFault | undefined;
  /** Times that effects waited so long for an fsync that they were written beside it. */
  delayedSyncs: number;
  /** A base is being written. */
  isRewriting: boolean;

  private readonly commandLog: CommandLog;
  private readonly gate: ReplyGate;
  private readonly services: AppendOnlyServices;
  private cursor: LogCursor | undefined;
  private writer: IncrementWriter | undefined;
  private queue: SyncQueue;
  /** Up to where the log is on the device. */
  private syncedOffset: number;
  private readonly window: CommitWindow;
  /** Ends the wait for more. */
  private gathering: Timer | undefined;
  /** The file whose fsync failed (I4). */
  private untrusted: DiskFile | undefined;
  private lastSyncMs: number;
  private lastTryMs: number;
  /** After a write that failed all has been written: the fsync under way tells whether it is over. */
  private isProving: boolean;
  /** Since when effects wait for an fsync to end, monotonic ms; 0: they do not. */
  private postponedMs: number;
  private isPlanned: boolean;

  constructor(commandLog: CommandLog, gate: ReplyGate, services: AppendOnlyServices, settings: AppendOnlySettings) {
    this.state = "off";
    this.settings = settings;
    this.fault = undefined;
    this.delayedSyncs = 0;
    this.isRewriting = false;
    this.commandLog = commandLog;
    this.gate = gate;
    this.services = services;
    this.cursor = undefined;
    this.writer = undefined;
    this.queue = this.newQueue();
    this.syncedOffset = 0;
    this.window = new CommitWindow();
    this.gathering = undefined;
    this.untrusted = undefined;
    this.lastSyncMs = 0;
    this.lastTryMs = 0;
    this.isProving = false;
    this.postponedMs = 0;
    this.isPlanned = false;
    commandLog.onAppend = () => this.plan();
  }

  private newQueue(): SyncQueue {
    return new SyncQueue((file, offset, error) => this.endSync(file, offset, error));
  }

  // ---- which file ---------------------------------------------------------------------------------------------------

  /**
   * Goes on writing to a file that was loaded or made. `wholeBytes` of it are whole; `isPlaced` when it says at which
   * offset of the log its end is. Throws DiskFault.
   */
  open(path: string, wholeBytes: number, isPlaced: boolean): void {
    const file = this.services.disk.open(path, "append");
    this.begin();
    this.writer = new IncrementWriter(file, wholeBytes, this.settings, isPlaced);
    this.state = "on";
  }

  /** The log is read from its end on. */
  private begin(): void {
    if (this.cursor !== undefined) return;
    this.cursor = this.commandLog.openCursor();
    this.syncedOffset = this.cursor.offset;
    this.lastSyncMs = this.services.clock.monotonicMs();
    this.gate.begin();
  }

  /**
   * Writes the rest to the present file, and from here on to the one at `path`, which is empty. Returns the offset at
   * which it begins. Throws DiskFault; nothing has changed then.
   */
  rotate(path: string): number {
    const { commandLog, services } = this;
    const next = services.disk.open(path, "append");
    const previous = this.writer;
    // What no manifest names, or nobody trusts, needs no end.
    const isOfUse = this.state === "on" && this.fault?.kind !== "fsync";
    try {
      if (previous !== undefined && this.cursor !== undefined && isOfUse) previous.write(commandLog, this.cursor);
    } catch (error) {
      next.close();
      throw error;
    }
    this.begin();
    const offset = commandLog.cut();
    commandLog.advance(this.cursor!, offset);
    this.writer = new IncrementWriter(next, 0, this.settings, false);
    if (previous === undefined) this.state = "starting";
    else if (isOfUse) this.queue.retire(previous.file, offset);
    else this.queue.drop(previous.file);
    if (!isOfUse) this.syncedOffset = offset; // what was before it will be in the base
    if (this.fault?.kind === "write") this.recover();
    return offset;
  }

  /** What was recorded is on the device when it returns. Throws DiskFault, also when the file is not to be trusted. */
  syncNow(): void {
    const { cursor, writer, commandLog } = this;
    if (cursor === undefined || writer === undefined) return;
    if (this.fault?.kind === "fsync") {
      throw new DiskFault("fsync", writer.file.path, new Error(`it failed before (${this.fault.reason})`));
    }
    try {
      writer.write(commandLog, cursor);
    } catch (error) {
      this.fail("write", error, writer.file);
      throw error;
    }
    try {
      this.queue.finishNow();
      writer.file.sync();
    } catch (error) {
      this.fail("fsync", error, writer.file);
      throw error;
    }
    this.syncedOffset = cursor.offset;
    if (this.fault !== undefined) this.recover();
    this.gate.release(cursor.offset);
  }

  /** Stops recording. What was recorded is on the device, if it takes it. */
  abandon(): void {
    try {
      this.syncNow();
    } catch (error) {
      // Who waits for a promise that cannot be kept has been closed (I5).
      this.services.log("warning", `The append-only file was closed without its last commands: ${reasonText(error)}`);
    }
    const { cursor, writer } = this;
    this.cursor = undefined;
    this.writer = undefined;
    this.state = "off";
    this.untrusted = undefined;
    this.setFault(undefined);
    if (cursor !== undefined) this.commandLog.closeCursor(cursor);
    this.gate.stop();
    this.gathering?.cancel();
    this.gathering = undefined;
    if (writer !== undefined) this.queue.drop(writer.file);
    this.queue.leave();
    this.queue = this.newQueue();
  }

  // ---- what was recorded --------------------------------------------------------------------------------------------

  /** Whether replies wait for the device. */
  private isAwaited(): boolean {
    return this.settings.policy === "always" && this.state === "on";
  }

  /** hot path */
  private plan(): void {
    // The end of an fsync that is awaited looks at what has come meanwhile.
    if (this.isPlanned || (this.queue.isBusy && this.fault === undefined && this.isAwaited())) return;
    this.isPlanned = true;
    this.services.clock.soon(() => {
      this.isPlanned = false;
      this.flush();
    });
  }

  /** At the end of a turn: writes what was recorded in it, and lets go of the replies that may leave. hot path */
  private flush(): void {
    const { cursor, writer, commandLog } = this;
    if (cursor === undefined || writer === undefined) return;
    if (cursor.offset === commandLog.tailOffset) return;
    if (this.fault !== undefined) {
      // Nothing of it was promised: what waits now was read, or came to be by itself.
      this.gate.release(commandLog.tailOffset);
      return;
    }
    const isAwaited = this.isAwaited();
    if (this.mustWait(isAwaited)) {
      if (!isAwaited) this.gate.release(commandLog.tailOffset);
      return;
    }
    if (isAwaited && this.gathers()) return;
    this.postponedMs = 0;
    try {
      writer.write(commandLog, cursor);
    } catch (error) {
      this.fail("write", error, writer.file);
      return;
    }
    if (isAwaited) this.sync();
    else this.gate.release(cursor.offset);
  }

  /** Whether the next fsync waits for more. Who comes meanwhile looks again; the timer is for those who do not come. */
  private gathers(): boolean {
    const { clock } = this.services;
    const remainingMs = this.window.remainingMs(clock.monotonicMs(), this.gate.heldCount());
    if (remainingMs === 0) return false;
    // One that is left from an earlier wait only makes this one look again.
    this.gathering ??= clock.after(remainingMs, () => {
      this.gathering = undefined;
      this.flush();
    });
    return true;
  }

  /** Whether what was recorded stays in memory because of an fsync that is under way. */
  private mustWait(isAwaited: boolean): boolean {
    const { queue } = this;
    if (!queue.isBusy) return false;
    return isAwaited || queue.hasEarlier() || !this.isLate();
  }

  /** Whether effects have waited long enough for an fsync to end (I2). */
  private isLate(): boolean {
    const nowMs = this.services.clock.monotonicMs();
    if (this.postponedMs === 0) this.postponedMs = nowMs;
    if (nowMs - this.postponedMs < POSTPONED_MS_MAX) return false;
    this.delayedSyncs++;
    this.services.log(
      "notice",
      "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.",
    );
    return true;
  }

  private sync(): void {
    const { writer, cursor } = this;
    if (writer === undefined || cursor === undefined || this.queue.isBusy) return;
    this.lastSyncMs = this.services.clock.monotonicMs();
    this.window.begin(this.lastSyncMs);
    this.queue.sync(writer.file, cursor.offset);
  }

  private endSync(file: DiskFile, offset: number, error: Error | undefined): void {
    if (error !== undefined) {
      this.fail("fsync", error, file);
    } else if (this.fault?.kind !== "fsync") {
      this.syncedOffset = Math.max(this.syncedOffset, offset);
      if (this.fault !== undefined && this.isProving) this.recover();
      this.window.end(this.services.clock.monotonicMs(), this.gate.heldCount());
      this.gate.release(offset);
    }
    this.flush();
  }

  // ---- when the disk fails ------------------------------------------------------------------------------------------

  private fail(kind: AofFault["kind"], error: unknown, file: DiskFile): void {
    const { services, commandLog } = this;
    this.lastTryMs = services.clock.monotonicMs();
    this.isProving = false;
    const reason = reasonText(error);
    if (kind === "write") {
      this.cutBack();
      const hint = error instanceof DiskFault && error.code === "ENOSPC" ? " Free some space." : "";
      services.log(
        "warning",
        `Error writing to the AOF file: ${reason} (${file.path}). Writes are refused until it succeeds.${hint}`,
      );
    } else {
      this.untrusted = file;
      services.log(
        "warning",
        `The AOF file could not be forced to the device: ${reason} (${file.path}). What it holds is not certain any more: a new base is written, and writes are refused until then.`,
      );
    }
    // What can only be made good by a new base stays so.
    if (this.fault?.kind !== "fsync") this.setFault({ kind, reason });
    if (this.isAwaited()) this.gate.drop();
    else this.gate.release(commandLog.tailOffset);
  }

  /** A crash now should find no torn end; where this fails too, the next try or the next start does it. */
  private cutBack(): void {
    try {
      this.writer?.repair();
    } catch (error) {
      this.services.log("verbose", `The end of the AOF file could not be cut off yet: ${reasonText(error)}`);
    }
  }

  private setFault(fault: AofFault | undefined): void {
    if (this.fault === fault) return;
    this.fault = fault;
    this.services.onFault();
  }

  /** A new base is on the device, and the present increment is named. False when that increment itself is in doubt (I4). */
  trust(): boolean {
    if (this.untrusted !== undefined && this.untrusted === this.writer?.file) return false;
    this.untrusted = undefined;
    this.state = "on";
    if (this.fault?.kind === "fsync") {
      this.setFault(undefined);
      this.services.log("warning", "The append-only file is whole again. The server can write again.");
    }
    this.flush();
    // What was told to clients while the base was being written is a promise from now on.
    if (this.isAwaited() && this.syncedOffset !== this.cursor?.offset) this.sync();
    return true;
  }

  /** Some ten times a second. */
  tick(): void {
    const { cursor, writer, services, settings } = this;
    if (cursor === undefined || writer === undefined) return;
    const nowMs = services.clock.monotonicMs();
    if (this.fault?.kind === "write") {
      if (nowMs - this.lastTryMs < RETRY_MS || this.queue.isBusy) return;
      this.lastTryMs = nowMs;
      this.tryAgain(writer, cursor);
      return;
    }
    if (this.fault !== undefined) return;
    this.flush();
    // `always` promises more than no-appendfsync-on-rewrite may take back.
    const rests = settings.policy === "everysec" && settings.restsDuringRewrite && this.isRewriting;
    if (settings.policy === "no" || rests || cursor.offset === this.syncedOffset) return;
    if (nowMs - this.lastSyncMs >= SYNC_EVERY_MS) this.sync();
  }

  private tryAgain(writer: IncrementWriter, cursor: LogCursor): void {
    try {
      writer.write(this.commandLog, cursor);
    } catch (error) {
      this.services.log("verbose", `Error writing to the AOF file, again: ${reasonText(error)}`);
      return;
    }
    // What was refused is acknowledged to nobody, but what comes next must find all before it on the device.
    this.isProving = this.isAwaited();
    if (this.isProving) this.sync();
    else this.recover();
  }

  private recover(): void {
    this.isProving = false;
    this.services.log("warning", "AOF write error looks solved. The server can write again.");
    this.setFault(undefined);
  }

  // ---- what INFO tells ------------------------------------------------------------------------------------------------

  /** Bytes of the increment that is being written. */
  incrementBytes(): number {
    return this.writer?.wholeBytes ?? 0;
  }

  /** Bytes that were recorded and not written yet. */
  waitingBytes(): number {
    return this.cursor === undefined ? 0 : this.commandLog.tailOffset - this.cursor.offset;
  }

  get isSyncUnderWay(): boolean {
    return this.queue.isBusy;
  }
}

/** The system's reason alone, as Redis tells it to clients. */
function reasonText(error: unknown): string {
  return reasonOf(error instanceof DiskFault ? error.cause : error);
}
