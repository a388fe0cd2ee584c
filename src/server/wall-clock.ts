/**
 * Wall time in microseconds, from a wall clock of whole milliseconds and a monotonic one of fractions.
 *
 *      wall        |1000     |1001     |1002            whole ms
 *      monotonic   4.2  4.7  5.1 ...                    anchored to the wall at the first reading
 *
 *  I1  Two readings in a row do not go back while the wall clock does not, but for a new anchor.
 *  I2  A reading is at most DRIFT_MAX_MS from the wall clock's: when it would be more, the anchor is set anew.
 */

import type { Clock } from "../core/host.ts";

const DRIFT_MAX_MS = 2;

export class WallClock {
  private readonly clock: Clock;
  /** Wall time minus monotonic time, ms. */
  private offsetMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Whole microseconds since 1970. */
  nowUs(): number {
    const wallMs = this.clock.nowMs();
    const monotonicMs = this.clock.monotonicMs();
    if (Math.abs(monotonicMs + this.offsetMs - wallMs) > DRIFT_MAX_MS) this.offsetMs = wallMs - monotonicMs;
    return Math.floor((monotonicMs + this.offsetMs) * 1000);
  }
}
