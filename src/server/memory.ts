/**
 * Memory: how much is used, how much may be, and making room.
 *
 *      used = cells of the arena in use + buffers of clients          maxmemory is compared with this
 *
 *  I1  `used` costs two additions: it is read before every command while maxmemory is set.
 *  I2  Making room takes at most the slice that maxmemory-eviction-tenacity allows, half a millisecond by default; what
 *      remains is evicted in the turns that follow, and commands go on meanwhile as long as something is left to evict.
 *
 * JavaScript's own heap is not counted: it does not grow with the data, and INFO everkey shows it.
 */

import type { Clock } from "../core/host.ts";
import type { Eviction } from "../store/keyspace/eviction.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";

/** Milliseconds that making room takes at the usual tenacity of 10, and by what each step above that multiplies it. */
const SLICE_MS = 0.5;
const TENACITY_USUAL = 10;
const TENACITY_MAX = 100;
const TENACITY_GROWTH = 1.15;
const KEYS_PER_CHECK = 16;

export class Memory {
  /** maxmemory in bytes, 0 without limit. */
  limitBytes: number;
  peakBytes: number;
  /** What was used before the first key came. */
  readonly startupBytes: number;
  /** Buffers of clients and what is remembered for their caches, refreshed by the cron. */
  clientBytes: number;
  /** Milliseconds in all for which the limit was exceeded, and since when it is (monotonic ms, 0 when it is not). */
  exceededMs: number;
  exceededSinceMs: number;
  /** Told how long each round of eviction took, ms. */
  onEviction: ((durationMs: number) => void) | undefined;
  private readonly keyspace: Keyspace;
  private readonly eviction: Eviction;
  private readonly clock: Clock;
  private isEvicting: boolean;
  private sliceMs: number;

  constructor(keyspace: Keyspace, eviction: Eviction, clock: Clock) {
    this.limitBytes = 0;
    this.peakBytes = 0;
    this.startupBytes = keyspace.arena.usedBytes;
    this.clientBytes = 0;
    this.exceededMs = 0;
    this.exceededSinceMs = 0;
    this.onEviction = undefined;
    this.keyspace = keyspace;
    this.eviction = eviction;
    this.clock = clock;
    this.isEvicting = false;
    this.sliceMs = SLICE_MS;
  }

  /** maxmemory-eviction-tenacity, 0 to 100: 0 evicts least at a time, 100 until the limit is kept. */
  setTenacity(tenacity: number): void {
    if (tenacity >= TENACITY_MAX) this.sliceMs = Number.POSITIVE_INFINITY;
    else if (tenacity <= TENACITY_USUAL) this.sliceMs = (SLICE_MS * tenacity) / TENACITY_USUAL;
    else this.sliceMs = SLICE_MS * TENACITY_GROWTH ** (tenacity - TENACITY_USUAL);
  }

  usedBytes(): number {
    return this.keyspace.arena.usedBytes + this.clientBytes;
  }

  notePeak(): void {
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes());
  }

  /** Evicts until the limit is kept. False when it is not and nothing is left that may go. hot path */
  readonly makeRoom = (): boolean => {
    if (this.usedBytes() <= this.limitBytes) return true;
    return this.evict();
  };

  private evict(): boolean {
    const startMs = this.clock.monotonicMs();
    const hasRoom = this.evictFrom(startMs);
    this.onEviction?.(this.clock.monotonicMs() - startMs);
    return hasRoom;
  }

  private evictFrom(startMs: number): boolean {
    if (this.exceededSinceMs === 0) this.exceededSinceMs = startMs;
    for (let count = 1; this.usedBytes() > this.limitBytes; count++) {
      if (!this.eviction.evictOne()) return false;
      if (count % KEYS_PER_CHECK === 0 && this.clock.monotonicMs() - startMs > this.sliceMs) {
        this.evictLater();
        return true;
      }
    }
    this.exceededMs += this.clock.monotonicMs() - this.exceededSinceMs;
    this.exceededSinceMs = 0;
    return true;
  }

  private evictLater(): void {
    if (this.isEvicting) return;
    this.isEvicting = true;
    this.clock.soon(() => {
      this.isEvicting = false;
      if (this.limitBytes > 0) this.makeRoom();
    });
  }
}
