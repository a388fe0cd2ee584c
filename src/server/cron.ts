/**
 * Cron: the work that nobody asks for, in small pieces.
 *
 *      tick, `hz` times a second    time, save points, client limits, memory peak
 *      slice, after the events    expiry, table growth, reclaim of what was flushed: SLICE_MS at a time, as long as
 *      that wait are served       there is something to do and the share of time allows
 *
 *  I1  No call takes longer than a slice and one step of its work.
 *  I2  Between two ticks at most WORK_SHARE of the time goes to expiry; commands have the rest.
 */

import type { Timer } from "../core/host.ts";
import type { Server } from "./server.ts";

const SLICE_MS = 1;
/** As Redis: a quarter of the time may go to keys that expire. */
const WORK_SHARE = 0.25;
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
    memory.clientBytes = session.clients.bufferBytes;
    memory.notePeak();
    session.cron();
    this.server.rates.sample(host.clock.monotonicMs(), this.server.dispatcher.statistics);
    if (!this.server.isCronPaused) snapshots.checkSavePoints();
    this.server.updateMisconfiguration();
    this.budgetMs = this.tickMs * WORK_SHARE;
    if (keyspace.pendingReclaims() > 0 || !this.server.isCronPaused) this.planSlice();
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
      if (this.isStopped) return;
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
    if (this.advancesTables && !isOver() && this.advanceTables()) hasMore = true;
    this.budgetMs -= clock.monotonicMs() - startMs;
    return hasMore && this.budgetMs > 0;
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
