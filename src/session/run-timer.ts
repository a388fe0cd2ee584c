/**
 * RunTimer: what commands cost, taken in runs.
 *
 *      GET GET GET │ SET │ KEYS │ GET GET          │ = a reading of the clock
 *      └── run ──┘         └ alone: it may be slow
 *
 *      EXEC, EVAL     [ own time ... setAside ┆ runs of the commands inside ┆ takeBack ... own time ]
 *
 *  I1  Consecutive calls of the same brief command share two readings, since one costs as much as a tenth of a GET.
 *      Others, and all below a small threshold of the slow log, are timed one by one.
 *  I2  A command that runs others is booked with the whole time; what is inside is booked for itself, too.
 */

import type { Clock } from "../core/host.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import { type Command, FLAG_SKIP_SLOWLOG } from "./command-index.ts";
import type { DispatchHooks } from "./hooks.ts";
import type { SessionStatistics } from "./statistics.ts";

/** Below this threshold of the slow log every command is timed by itself. */
const RUNS_THRESHOLD_MIN_US = 1000;

/** Who has the statistics of the moment: CONFIG RESETSTAT puts new ones in their place. */
interface Owner {
  readonly statistics: SessionStatistics;
}

export class RunTimer {
  /** Microseconds above which onSlow is called; negative: never. */
  slowThresholdUs: number;
  /** latency-tracking: each command keeps a histogram. */
  tracksLatency: boolean;

  private readonly owner: Owner;
  private readonly clock: Clock;
  private readonly hooks: DispatchHooks;
  private readonly request: Request;
  private command: Command | undefined;
  private calls: number;
  private startMs: number;
  /** Runs that were set aside, the innermost last. */
  private readonly outer: { readonly command: Command | undefined; readonly startMs: number }[];

  constructor(owner: Owner, clock: Clock, hooks: DispatchHooks, request: Request) {
    this.slowThresholdUs = 10_000;
    this.tracksLatency = true;
    this.owner = owner;
    this.clock = clock;
    this.hooks = hooks;
    this.request = request;
    this.command = undefined;
    this.calls = 0;
    this.startMs = 0;
    this.outer = [];
  }

  /** A turn begins at `nowMs`, monotonic. */
  begin(nowMs: number): void {
    this.startMs = nowMs;
  }

  /** A call of `command` begins. Returns whether it is timed alone: then `close` must follow it. hot path */
  count(client: Client, command: Command, isShort: boolean): boolean {
    const isAlone =
      !isShort || !command.isBrief || (this.slowThresholdUs >= 0 && this.slowThresholdUs < RUNS_THRESHOLD_MIN_US);
    if (command !== this.command || isAlone) {
      this.close(client);
      this.command = command;
    }
    this.calls++;
    return isAlone;
  }

  /** The call that was counted last is not to count. */
  uncount(): void {
    this.calls--;
  }

  /** Books the time since the last reading on the run's command; returns the clock's reading. hot path */
  close(client: Client): number {
    const nowMs = this.clock.monotonicMs();
    const { command, calls } = this;
    if (command !== undefined) {
      const microseconds = (nowMs - this.startMs) * 1000;
      command.calls += calls;
      command.microseconds += microseconds;
      this.owner.statistics.commands += calls;
      if (this.tracksLatency && calls > 0) command.recordLatency(microseconds / calls, calls);
      if (
        this.slowThresholdUs >= 0 &&
        microseconds >= this.slowThresholdUs &&
        (command.flagBits & FLAG_SKIP_SLOWLOG) === 0
      ) {
        this.hooks.onSlow(command, this.request, client, microseconds);
      }
      this.command = undefined;
      this.calls = 0;
    }
    this.startMs = nowMs;
    return nowMs;
  }

  /** The command in execution is about to run others (I2). */
  setAside(): void {
    this.outer.push({ command: this.command, startMs: this.startMs });
    this.command = undefined;
    this.calls = 0;
  }

  /** It has run them. */
  takeBack(client: Client): void {
    this.close(client);
    const outer = this.outer.pop();
    this.command = outer?.command;
    this.calls = outer?.command === undefined ? 0 : 1;
    if (outer !== undefined) this.startMs = outer.startMs;
  }
}
