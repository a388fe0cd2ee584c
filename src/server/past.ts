/**
 * A past moment, served read-only: `everkey server --as-of TIME --dir DIR`.
 *
 *      files of DIR ─► Timeline ─► Plan ─► replayed into the server's own keyspace ─► any client looks around
 *
 *  I1  The files of DIR are read, never written: what this server is told to save gets names of its own.
 *  I2  Time stands still at the moment that is shown: what was there then is there, with the time to live that it had.
 *  I3  Nothing can be changed.
 */

import type { Clock, Host } from "../core/host.ts";
import type { ReplayEngine } from "../persistence/timeline/engine.ts";
import { momentText, parseMoment } from "../persistence/timeline/moment.ts";
import { makePlan, type Plan, positionText, type Target } from "../persistence/timeline/plan.ts";
import { carryOut } from "../persistence/timeline/replay.ts";
import { Timeline } from "../persistence/timeline/timeline.ts";
import { TimelineFault } from "../persistence/timeline/timeline-fault.ts";
import { ReplyError } from "../protocol/errors.ts";
import type { Config } from "./config/config.ts";
import { StartFailure } from "./start-failure.ts";

export class Past {
  /** At which time stands (I2), ms since 1970. */
  readonly timeMs: number;
  /** The error of whoever wants to change something. */
  readonly refusal: ReplyError;
  private readonly timeline: Timeline;
  private readonly plan: Plan;

  private constructor(timeline: Timeline, plan: Plan, timeMs: number) {
    this.timeline = timeline;
    this.plan = plan;
    this.timeMs = timeMs;
    const moment = plan.reached.timeMs > 0 ? momentText(timeMs) : positionText(plan.reached);
    this.refusal = new ReplyError(`READONLY This server shows the data as of ${moment}: nothing can be changed.`);
  }

  /**
   * Finds the moment in the files of `dir`, and lets `config` point away from them (I1). `wanted`: a moment as people
   * write it, or `offset:N`. Throws StartFailure.
   */
  static open(host: Host, config: Config, wanted: string): Past {
    const target = targetOf(wanted, host.clock.nowMs());
    try {
      const timeline = Timeline.open(host.disk, config.utf8("dir"));
      const plan = makePlan(timeline, target);
      const timeMs = target.kind === "time" ? target.timeMs : timeOf(plan, host);
      const name = `as-of-${new Date(timeMs).toISOString().replace(/[-:.]/g, "")}`;
      for (const words of [
        ["appendonly", "no"],
        ["save", ""],
        ["dbfilename", `${name}.rdb`],
        ["appenddirname", name],
        ["history-keep", "0"],
      ]) {
        config.readLine(words);
      }
      return new Past(timeline, plan, timeMs);
    } catch (error) {
      throw explained(error);
    }
  }

  /** The world with a wall clock that stands (I2). */
  hostOf(host: Host): Host {
    return Object.create(host, { clock: { value: new StandingClock(host.clock, this.timeMs) } }) as Host;
  }

  /** Replays into the empty keyspace of `engine`; returns lines for the log. Throws StartFailure. */
  fill(engine: ReplayEngine): string[] {
    try {
      const result = carryOut(this.timeline, this.plan, engine);
      const lines = [
        `The data is that of ${positionText(this.plan.reached)}: ${result.commandCount} commands were executed upon a base of ${this.plan.baseBytes} bytes`,
        ...this.plan.notes,
      ];
      if (result.failureCount > 0) lines.push(`${result.failureCount} of these commands answered with an error`);
      engine.replayer.setTime(this.timeMs);
      return lines;
    } catch (error) {
      throw explained(error);
    }
  }
}

/** A log of Redis may say no times: then the base's, which is earlier, so that what was there is there (I2). */
function timeOf({ reached, base }: Plan, host: Host): number {
  return [reached.timeMs, base.timeMs].find((timeMs) => timeMs > 0) ?? host.clock.nowMs();
}

function targetOf(wanted: string, nowMs: number): Target {
  const offset = /^offset:(\d+)$/.exec(wanted);
  if (offset !== null) return { kind: "offset", offset: Number(offset[1]) };
  const timeMs = parseMoment(wanted, nowMs);
  if (timeMs === undefined) {
    throw new StartFailure(
      `--as-of ${wanted} is no moment. Write one as '2026-11-20 10:15:03.250', '2026-11-20T10:15:03Z', '5 minutes ago', or offset:N`,
    );
  }
  return { kind: "time", timeMs };
}

function explained(error: unknown): unknown {
  if (!(error instanceof TimelineFault)) return error;
  return new StartFailure(error.hint === "" ? error.message : `${error.message}. Hint: ${error.hint}`, {
    cause: error,
  });
}

class StandingClock implements Clock {
  private readonly inner: Clock;
  private readonly timeMs: number;

  constructor(inner: Clock, timeMs: number) {
    this.inner = inner;
    this.timeMs = timeMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  monotonicMs(): number {
    return this.inner.monotonicMs();
  }

  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.inner.after(delayMs, task);
  }

  soon(task: () => void): void {
    this.inner.soon(task);
  }
}
