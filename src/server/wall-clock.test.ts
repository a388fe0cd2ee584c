import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../core/host.ts";
import { WallClock } from "./wall-clock.ts";

class TwoClocks implements Clock {
  wallMs = 1_700_000_000_000;
  elapsedMs = 50.25;

  nowMs(): number {
    return Math.floor(this.wallMs);
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.elapsedMs += ms;
  }

  after(): { cancel(): void } {
    throw new Error("no timers here");
  }

  soon(): void {
    throw new Error("no tasks here");
  }
}

test("time passes in microseconds, not in whole milliseconds", () => {
  const clocks = new TwoClocks();
  const clock = new WallClock(clocks);
  assert.equal(clock.nowUs(), 1_700_000_000_000_000);
  clocks.pass(0.25);
  assert.equal(clock.nowUs(), 1_700_000_000_000_250);
  clocks.pass(10.5);
  assert.equal(clock.nowUs(), 1_700_000_000_010_750);
});

test("a wall clock that is set is followed", () => {
  const clocks = new TwoClocks();
  const clock = new WallClock(clocks);
  clocks.wallMs += 3_600_000;
  assert.equal(clock.nowUs(), 1_700_003_600_000_000);
  clocks.wallMs -= 7_200_000;
  assert.equal(clock.nowUs(), 1_699_996_400_000_000);
});

test("readings never go back while the wall clock does not", () => {
  const clocks = new TwoClocks();
  const clock = new WallClock(clocks);
  let before = clock.nowUs();
  for (let step = 0; step < 10_000; step++) {
    clocks.pass(0.0371);
    const now = clock.nowUs();
    assert.ok(now >= before);
    before = now;
  }
});
