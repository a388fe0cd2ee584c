/**
 * TurnClock: the time that all commands of a turn share.
 *
 *  I1  One reading of the monotonic clock a turn; the wall clock follows where enough has passed.
 */

import type { CommandContext } from "../commands/command.ts";
import type { Clock } from "../core/host.ts";

/** Wall time is read anew when this much has passed: it counts whole milliseconds, and a reading is 1 % of a GET. */
const WALL_CLOCK_MS = 0.2;

export class TurnClock {
  private readonly context: CommandContext;
  private readonly clock: Clock;
  /** Monotonic ms at which the wall clock was read last. */
  private wallReadMs: number;

  constructor(context: CommandContext, clock: Clock) {
    this.context = context;
    this.clock = clock;
    this.wallReadMs = Number.NEGATIVE_INFINITY;
  }

  /** Sets the context's times to now; returns the monotonic one. hot path */
  read(): number {
    const nowMs = this.clock.monotonicMs();
    const context = this.context;
    if (nowMs - this.wallReadMs > WALL_CLOCK_MS) {
      const keyspace = context.keyspace;
      this.wallReadMs = nowMs;
      keyspace.nowMs = this.clock.nowMs();
      keyspace.clock.setNow(keyspace.nowMs);
    }
    context.monotonicMs = nowMs;
    return nowMs;
  }
}
