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
 *      written from memory, and until it is there writes are refused.
 *  I5  Effects that `always` could not make durable are never acknowledged: who waits for a reply to them is closed.
 *
 *  Source: the directives of Redis 7.2's append-only file; group commit and I4, I5 are our own.
 */

import { codeOf } from "../../core/faults.ts";
import type { Clock, Disk, DiskFile } from "../../core/host.ts";
import type { CommandLog, LogCursor } from "../../history/log/command-log.ts";
import type { ReplyGate } from "../../session/reply-gate.ts";
import { type Annotating, IncrementWriter } from "./increment-writer.ts";

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
  /** Up to where the log is on the device, as far as it matters. */
  private syncedOffset: number;
  private isSyncing: boolean;
  /** What is to be done when the fsync under way has ended. */
  private afterSync: (() => void) | undefined;
  private lastSyncMs: number;
  private lastTryMs: number;
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
    this.syncedOffset = 0;
    this.isSyncing = false;
    this.afterSync = undefined;
    this.lastSyncMs = 0;
    this.lastTryMs = 0;
    this.postponedMs = 0;
    this.isPlanned = false;
    commandLog.onAppend = () => this.plan();
  }

  // ---- which file ---------------------------------------------------------------------------------------------------

  /** Goes on writing to a file that was loaded or made. `wholeBytes` of it are whole. Throws DiskFault. */
  open(path: string, wholeBytes: number, state: "on" | "starting"): void {
    const file = this.services.disk.open(path, "append");
    this.cursor ??= this.commandLog.openCursor();
    this.writer = new IncrementWriter(file, wholeBytes, this.settings);
    this.state = state;
    this.syncedOffset = this.commandLog.tailOffset;
    this.lastSyncMs = this.services.clock.monotonicMs();
    this.gate.release(this.syncedOffset);
  }

  /**
   * Writes the rest to the present file, and from here on to the one at `path`, which is empty. Returns the offset at
   * which it begins. What comes next is written there when the present one is on the device. Throws DiskFault; nothing
   * has changed then.
   */
  rotate(path: string): number {
    const { commandLog, services } = this;
    const next = services.disk.open(path, "append");
    const previous = this.writer;
    try {
      if (previous !== undefined && this.cursor !== undefined) previous.write(commandLog, this.cursor);
    } catch (error) {
      next.close();
      throw error;
    }
    this.cursor ??= commandLog.openCursor();
    const offset = commandLog.cut();
    this.writer = new IncrementWriter(next, 0, this.settings);
    if (previous !== undefined) this.closeLater(previous.file, offset);
    return offset;
  }

  /** The file that was written until now is made durable and closed; until then the next one waits. */
  private closeLater(file: DiskFile, offset: number): void {
    const sync = (): void => {
      this.isSyncing = true;
      file.syncLater((error) => {
        file.close();
        this.endSync(error, offset);
      });
    };
    // The sync under way is of the same file, and ends first.
    if (this.isSyncing) this.afterSync = sync;
    else sync();
  }

  /** What was recorded is on the device when it returns. Throws DiskFault. */
  syncNow(): void {
    const { cursor, writer, commandLog } = this;
    if (cursor === undefined || writer === undefined) return;
    writer.write(commandLog, cursor);
    writer.file.sync();
    this.syncedOffset = cursor.offset;
    this.gate.release(cursor.offset);
  }

  /** Stops recording. What was recorded is on the device, if it takes it. */
  abandon(): void {
    try {
      this.syncNow();
    } catch (error) {
      this.services.log("warning", `The append-only file was closed without its last commands: ${reasonText(error)}`);
    }
    this.letGo();
  }

  private letGo(): void {
    const { cursor, writer, commandLog } = this;
    this.cursor = undefined;
    this.writer = undefined;
    this.state = "off";
    this.setFault(undefined);
    if (cursor !== undefined) commandLog.closeCursor(cursor);
    this.gate.release(commandLog.tailOffset);
    if (writer === undefined) return;
    if (!this.isSyncing) {
      writer.file.close();
      return;
    }
    // A sync that is under way still needs the descriptor.
    const earlier = this.afterSync;
    this.afterSync = () => {
      earlier?.();
      writer.file.close();
    };
  }

  // ---- what was recorded --------------------------------------------------------------------------------------------

  private plan(): void {
    if (this.isPlanned) return;
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
    const isAwaited = this.settings.policy === "always" && this.state === "on";
    if (this.isSyncing && (isAwaited || !this.isLate())) {
      if (!isAwaited) this.gate.release(commandLog.tailOffset);
      return;
    }
    this.postponedMs = 0;
    try {
      writer.write(commandLog, cursor);
    } catch (error) {
      this.fail("write", error);
      return;
    }
    if (isAwaited) this.sync();
    else this.gate.release(cursor.offset);
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
    if (writer === undefined || cursor === undefined || this.isSyncing) return;
    const { offset } = cursor;
    this.isSyncing = true;
    this.lastSyncMs = this.services.clock.monotonicMs();
    writer.file.syncLater((error) => this.endSync(error, offset));
  }

  private endSync(error: Error | undefined, offset: number): void {
    this.isSyncing = false;
    const next = this.afterSync;
    this.afterSync = undefined;
    next?.();
    if (this.cursor === undefined) return;
    if (error === undefined) {
      this.syncedOffset = Math.max(this.syncedOffset, offset);
      this.gate.release(offset);
    } else {
      this.fail("fsync", error);
    }
    this.flush();
  }

  // ---- when the disk fails ------------------------------------------------------------------------------------------

  private fail(kind: AofFault["kind"], error: unknown): void {
    const { services, commandLog } = this;
    this.lastTryMs = services.clock.monotonicMs();
    const reason = reasonText(error);
    if (kind === "write") {
      services.log("warning", `Error writing to the AOF file: ${reason}. Writes are refused until it succeeds.`);
    } else {
      services.log(
        "warning",
        `The AOF file could not be forced to the device: ${reason}. What it holds is not certain any more: a new base is written, and writes are refused until then.`,
      );
    }
    // What can only be made good by a new base stays so.
    if (this.fault?.kind !== "fsync") this.setFault({ kind, reason });
    if (this.settings.policy === "always" && this.state === "on") this.gate.drop();
    else this.gate.release(commandLog.tailOffset);
  }

  private setFault(fault: AofFault | undefined): void {
    if (this.fault === fault) return;
    this.fault = fault;
    this.services.onFault();
  }

  /** A new base and a new increment are on the device: what came before is of no interest. */
  trust(state: AofState = "on"): void {
    this.state = state;
    if (this.fault === undefined) return;
    this.setFault(undefined);
    this.services.log("warning", "The append-only file is whole again. The server can write again.");
  }

  /** Some ten times a second. */
  tick(): void {
    const { cursor, writer, services, settings } = this;
    if (cursor === undefined || writer === undefined) return;
    const nowMs = services.clock.monotonicMs();
    if (this.fault?.kind === "write") {
      if (nowMs - this.lastTryMs < RETRY_MS || this.isSyncing) return;
      this.lastTryMs = nowMs;
      this.tryAgain(writer, cursor);
      return;
    }
    if (this.fault !== undefined) return;
    this.flush();
    const rests = settings.policy === "no" || (settings.restsDuringRewrite && this.isRewriting);
    if (rests || this.isSyncing || cursor.offset === this.syncedOffset) return;
    if (nowMs - this.lastSyncMs >= SYNC_EVERY_MS) this.sync();
  }

  private tryAgain(writer: IncrementWriter, cursor: LogCursor): void {
    const { commandLog, services, settings } = this;
    try {
      writer.write(commandLog, cursor);
      // What was refused once is acknowledged to nobody, but what comes next must find all before it on the device.
      if (settings.policy === "always") writer.file.sync();
    } catch (error) {
      services.log("verbose", `Error writing to the AOF file, again: ${reasonText(error)}`);
      return;
    }
    if (settings.policy === "always") this.syncedOffset = cursor.offset;
    services.log("warning", "AOF write error looks solved. The server can write again.");
    this.setFault(undefined);
    this.gate.release(cursor.offset);
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
    return this.isSyncing;
  }
}

/** The system's reason alone where it gave one. */
function reasonText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const hint = codeOf(error) === "ENOSPC" ? "; free some space" : "";
  return `${text}${hint}`;
}
