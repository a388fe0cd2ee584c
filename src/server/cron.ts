/**
 * Cron: the work that nobody asks for, in small pieces.
 *
 *      tick, `hz` times a second    time, save points, client limits, memory peak
 *      slice, after the events    expiry, table growth, reclaim of what was flushed: SLICE_MS at a time, as long as
 *      that wait are served       there is something to do and the share of time allows
 *
 *  I1  No call takes longer than a slice and one step of its work.
 *  I2  Between two ticks a quarter of the time goes to expiry at most, and of time that is idle most of it.
 */

import type { Timer } from "../core/host.ts";
import type { Server } from "./server.ts";

const SLICE_MS = 1;
/** As Redis: a quarter of the time may go to keys that expire. */
const WORK_SHARE = 0.25;
/** Of time that nobody else wants, this much may go to it. */
const IDLE_SHARE = 0.8;
/** A turn is timed up to its last command; reading and writing the socket cost about three times as much again. */
const TURN_COST = 4;
const TABLE_BUCKETS_PER_SLICE = 64;
const RECLAIM_BUCKETS_PER_CHECK = 16;

export class Cron {
  /** Ticks so far. */
  tickCount: number;
  /** Milliseconds that went to expiry so far. */
  expiryMs: number;
  /** activerehashing: tables go on growing and shrinking while nobody writes. */
  advancesTables: boolean;
  private readonly server: Server;
  private tickMs: number;
  private timer: Timer | undefined;
  private isStopped: boolean;
  private hasSlice: boolean;
  /** Milliseconds of this tick's share that are left. */
  private budgetMs: number;
  private tickAtMs: number;
  private turnsUsBefore: number;

  constructor(server: Server) {
    this.tickCount = 0;
    this.expiryMs = 0;
    this.advancesTables = true;
    this.server = server;
    this.tickMs = 100;
    this.timer = undefined;
    this.isStopped = false;
    this.hasSlice = false;
    this.budgetMs = 0;
    this.tickAtMs = 0;
    this.turnsUsBefore = 0;
  }

  /** `hz`: ticks per second. */
  setRate(perSecond: number): void {
    this.tickMs = 1000 / perSecond;
  }

  start(): void {
    this.plan();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private plan(): void {
    if (this.isStopped) return;
    this.timer = this.server.host.clock.after(this.tickMs, () => {
      this.tick();
      this.plan();
    });
  }

  private tick(): void {
    const { keyspace, memory, session, snapshots, host } = this.server;
    this.tickCount++;
    this.setTime();
    memory.clientBytes = session.clients.bufferBytes + session.tracking.keys.memoryBytes;
    memory.notePeak();
    session.cron();
    this.server.rates.sample(host.clock.monotonicMs(), this.server.dispatcher.statistics);
    if (!this.server.isCronPaused && !this.isScriptBusy()) {
      this.server.appendOnly.tick();
      snapshots.checkSavePoints();
    }
    this.server.updateMisconfiguration();
    this.budgetMs = this.tickMs * this.workShare();
    if (keyspace.pendingReclaims() > 0 || !this.server.isCronPaused) this.planSlice();
  }

  /** The share of the next tick that background work may take: more when the last one left time unused. */
  private workShare(): number {
    const { dispatcher, host } = this.server;
    const nowMs = host.clock.monotonicMs();
    const turnsUs = dispatcher.statistics.turnsUs;
    const passedMs = nowMs - this.tickAtMs;
    const busyMs = (Math.max(turnsUs - this.turnsUsBefore, 0) / 1000) * TURN_COST;
    this.tickAtMs = nowMs;
    this.turnsUsBefore = turnsUs;
    return Math.max(WORK_SHARE, (1 - busyMs / passedMs) * IDLE_SHARE);
  }

  private isScriptBusy(): boolean {
    return this.server.session.gates.busy !== undefined;
  }

  private setTime(): void {
    const { keyspace, host } = this.server;
    keyspace.nowMs = host.clock.nowMs();
    keyspace.clock.setNow(keyspace.nowMs);
  }

  private planSlice(): void {
    if (this.hasSlice || this.isStopped) return;
    this.hasSlice = true;
    this.server.host.clock.soon(() => {
      this.hasSlice = false;
      // A script that has given way sees no time pass, and nobody touches its keys.
      if (this.isStopped || this.isScriptBusy()) return;
      this.setTime();
      if (this.slice()) this.planSlice();
    });
  }

  /** One slice of background work; true when there is more and the budget allows. */
  private slice(): boolean {
    const { keyspace, expiry, host } = this.server;
    const clock = host.clock;
    const startMs = clock.monotonicMs();
    const isOver = (): boolean => clock.monotonicMs() - startMs >= SLICE_MS;
    let hasMore = false;
    if (this.mayRemoveKeys()) {
      hasMore = expiry.slice(isOver);
      const passedMs = clock.monotonicMs() - startMs;
      this.expiryMs += passedMs;
      this.server.latency.add("expire-cycle", passedMs);
    }
    while (!isOver() && keyspace.pendingReclaims() > 0) {
      if (!keyspace.reclaim(RECLAIM_BUCKETS_PER_CHECK)) break;
      // A snapshot that runs holds the reclaim back; there is nothing to do until it has ended.
      if (keyspace.tables.snapshotId !== 0) return hasMore;
    }
    if (keyspace.pendingReclaims() > 0) hasMore = true;
    if (!isOver() && this.defragment(isOver)) hasMore = true;
    if (this.advancesTables) {
      let isUnfinished = true;
      while (isUnfinished && !isOver()) isUnfinished = this.advanceTables();
      if (isUnfinished) hasMore = true;
    }
    this.budgetMs -= clock.monotonicMs() - startMs;
    return hasMore && this.budgetMs > 0;
  }

  /** Moves cells together when that is worth it or was asked for; rests while a snapshot runs. */
  private defragment(isOver: () => boolean): boolean {
    const { defragmenter, keyspace } = this.server;
    if (keyspace.tables.snapshotId !== 0) return false;
    if (!defragmenter.isRunning && !(defragmenter.isEnabled && defragmenter.isWorthwhile())) return false;
    return defragmenter.slice(isOver);
  }

  /** Expiry rests while a pause promises clients (and one day replicas) that no key changes. */
  private mayRemoveKeys(): boolean {
    const { session, isCronPaused } = this.server;
    return !session.gates.isLoading && !isCronPaused && !session.pause.isActive();
  }

  /** Tables finish growing and shrinking although nobody writes to them. */
  private advanceTables(): boolean {
    const { keyspace } = this.server;
    let hasMore = false;
    for (const database of keyspace.databases) {
      if (keyspace.tables.advance(database.table, TABLE_BUCKETS_PER_SLICE)) hasMore = true;
      if (keyspace.tables.advance(database.expires, TABLE_BUCKETS_PER_SLICE)) hasMore = true;
    }
    return hasMore;
  }
}
