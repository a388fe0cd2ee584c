/**
 * The latency monitor: how long the server was held up, by event, as LATENCY tells it.
 *
 *      "command"        a command that is not flagged fast          each event: the worst of each second,
 *      "fast-command"   one that is                                 SAMPLE_MAX seconds, oldest first
 *      "expire-cycle"   a slice of active expiry
 *      "eviction-cycle" a round of making room
 *
 *  I1  Nothing below `thresholdMs` is kept; a threshold of 0 keeps nothing.
 *  I2  At most one sample per event and second: the worst.
 *  Source: the latency monitoring page of the Redis documentation.
 */

const SAMPLE_MAX = 160;

export interface LatencySample {
  readonly atSeconds: number;
  readonly latencyMs: number;
}

export interface LatencyEvent {
  readonly name: string;
  /** Oldest first; never empty. */
  readonly samples: LatencySample[];
  /** The worst ever, also of samples that are gone. */
  worstMs: number;
}

export class LatencyMonitor {
  /** latency-monitor-threshold, 0 for off. */
  thresholdMs: number;
  private readonly nowMs: () => number;
  private readonly byName: Map<string, LatencyEvent>;

  /** `nowMs`: wall time. */
  constructor(nowMs: () => number) {
    this.thresholdMs = 0;
    this.nowMs = nowMs;
    this.byName = new Map();
  }

  /** Notes that `name` took `durationMs`, when that is worth it. */
  add(name: string, durationMs: number): void {
    if (this.thresholdMs === 0 || durationMs < this.thresholdMs) return;
    const latencyMs = Math.floor(durationMs);
    const atSeconds = Math.floor(this.nowMs() / 1000);
    let event = this.byName.get(name);
    if (event === undefined) {
      event = { name, samples: [], worstMs: 0 };
      this.byName.set(name, event);
    }
    event.worstMs = Math.max(event.worstMs, latencyMs);
    const { samples } = event;
    const newest = samples[samples.length - 1];
    if (newest?.atSeconds === atSeconds) {
      if (latencyMs > newest.latencyMs) samples[samples.length - 1] = { atSeconds, latencyMs };
      return;
    }
    samples.push({ atSeconds, latencyMs });
    if (samples.length > SAMPLE_MAX) samples.shift();
  }

  /** All events that had a sample. */
  events(): readonly LatencyEvent[] {
    return [...this.byName.values()];
  }

  event(name: string): LatencyEvent | undefined {
    return this.byName.get(name);
  }

  /** Forgets one event, or all of them; returns how many there were. */
  reset(name?: string): number {
    if (name !== undefined) return this.byName.delete(name) ? 1 : 0;
    const count = this.byName.size;
    this.byName.clear();
    return count;
  }
}
