/** Clock on Node: the process's wall and monotonic time, timers and the turn after this one. */

import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../../core/host.ts";

const DELAY_MAX_MS = 0x7fffffff;

export class NodeClock implements Clock {
  private readonly aroundTask: () => void;

  /** `aroundTask` is called before and after each task of `soon`: replies that wait for the end of a turn leave first. */
  constructor(aroundTask: () => void = () => undefined) {
    this.aroundTask = aroundTask;
  }

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, task: () => void): Timer {
    // A delay beyond 24.8 days would fire at once in Node: wait in pieces.
    if (delayMs > DELAY_MAX_MS) {
      let inner = this.after(DELAY_MAX_MS, () => {
        inner = this.after(delayMs - DELAY_MAX_MS, task);
      });
      return { cancel: () => inner.cancel() };
    }
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  }

  soon(task: () => void): void {
    setImmediate(this.run, task);
  }

  private readonly run = (task: () => void): void => {
    this.aroundTask();
    task();
    this.aroundTask();
  };
}
