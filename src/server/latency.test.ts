import assert from "node:assert/strict";
import { test } from "node:test";
import { latencyGraph } from "./commands/latency-graph.ts";
import { LatencyMonitor } from "./latency.ts";

class Monitored {
  nowSeconds = 1000;
  readonly monitor = new LatencyMonitor(() => this.nowSeconds * 1000 + 999);

  constructor(thresholdMs: number) {
    this.monitor.thresholdMs = thresholdMs;
  }

  add(atSeconds: number, latencyMs: number): void {
    this.nowSeconds = atSeconds;
    this.monitor.add("command", latencyMs);
  }

  samples(): (readonly [number, number])[] {
    const samples = this.monitor.event("command")?.samples ?? [];
    return samples.map(({ atSeconds, latencyMs }) => [atSeconds, latencyMs] as const);
  }
}

test("a threshold of 0 keeps nothing, any other keeps what reaches it", () => {
  const off = new Monitored(0);
  off.add(1, 1e6);
  assert.deepEqual(off.monitor.events(), []);
  const on = new Monitored(5);
  on.add(1, 4.9);
  assert.deepEqual(on.monitor.events(), []);
  on.add(1, 5.7);
  assert.deepEqual(on.samples(), [[1, 5]]);
});

test("of one second the worst is kept, and the worst ever besides", () => {
  const monitored = new Monitored(1);
  monitored.add(1, 10);
  monitored.add(1, 30);
  monitored.add(1, 20);
  monitored.add(2, 5);
  assert.deepEqual(monitored.samples(), [
    [1, 30],
    [2, 5],
  ]);
  assert.equal(monitored.monitor.event("command")?.worstMs, 30);
});

test("only the newest 160 samples stay", () => {
  const monitored = new Monitored(1);
  for (let second = 1; second <= 200; second++) monitored.add(second, second);
  const samples = monitored.samples();
  assert.equal(samples.length, 160);
  assert.deepEqual(samples[0], [41, 41]);
  assert.equal(monitored.monitor.event("command")?.worstMs, 200);
});

test("reset forgets one event or all and says how many", () => {
  const monitored = new Monitored(1);
  monitored.add(1, 10);
  monitored.monitor.add("expire-cycle", 10);
  monitored.monitor.add("fast-command", 10);
  assert.equal(monitored.monitor.reset("nosuch"), 0);
  assert.equal(monitored.monitor.reset("expire-cycle"), 1);
  assert.equal(monitored.monitor.reset(), 2);
  assert.deepEqual(monitored.monitor.events(), []);
});

test("the graph is the one that the real server drew for these samples", () => {
  const samples = [
    { atSeconds: 98, latencyMs: 20 },
    { atSeconds: 99, latencyMs: 50 },
    { atSeconds: 100, latencyMs: 20 },
  ];
  const expected = [
    "command - high 50 ms, low 20 ms (all time high 50 ms)",
    "-".repeat(80),
    " # ",
    " | ",
    " | ",
    "_|_",
    "   ",
    "210",
    "sss",
    "",
  ].join("\n");
  assert.equal(latencyGraph({ name: "command", samples, worstMs: 50 }, 100), expected);
});

test("the graph of many samples has 80 columns at most and ages in the largest unit", () => {
  const samples = Array.from({ length: 100 }, (_, index) => ({ atSeconds: index * 3600, latencyMs: index + 1 }));
  const lines = latencyGraph({ name: "command", samples, worstMs: 100 }, 100 * 3600).split("\n");
  assert.ok(lines.every((line) => line.length <= 80));
  assert.equal(lines[2]!.length, 80);
  // The last 20 columns are 20 to 1 hours old; eleven of these ages have two digits before the unit.
  assert.deepEqual(lines.slice(-4), ["21111111111987654321", "09876543210hhhhhhhhh", "hhhhhhhhhhh         ", ""]);
});
