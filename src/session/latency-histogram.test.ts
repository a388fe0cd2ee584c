import assert from "node:assert/strict";
import { test } from "node:test";
import { LatencyHistogram } from "./latency-histogram.ts";

test("Percentiles are the upper ends of buckets of two significant digits, as redis-server shows them", () => {
  // A duration in ns and what INFO latencystats of redis-server 7.0 shows for it.
  for (const [given, shown] of [
    [0, 1],
    [1000, 1003],
    [2000, 2007],
    [21_000, 21_119],
    [348_000, 348_159],
    [2_391_000, 2_392_063],
    [14_172_000, 14_221_311],
    [5_000_000_000, 1_002_438_655],
  ] as const) {
    const histogram = new LatencyHistogram();
    histogram.add(given, 1);
    assert.equal(histogram.percentile(50), shown);
    assert.equal(histogram.percentile(100), shown);
  }
});

test("A percentile is found among calls of different durations", () => {
  const histogram = new LatencyHistogram();
  assert.equal(histogram.percentile(50), 0);
  histogram.add(100, 90);
  histogram.add(1000, 9);
  histogram.add(100_000, 1);
  assert.equal(histogram.percentile(0), 100);
  histogram.add(1, 1);
  assert.equal(histogram.percentile(0), 1);
  assert.equal(histogram.percentile(90), 100);
  assert.equal(histogram.percentile(99), 1003);
  assert.equal(histogram.percentile(99.9), 100_351);
});

test("Borders double, count everything below them and leave out what adds nothing", () => {
  const histogram = new LatencyHistogram();
  histogram.add(500, 3);
  histogram.add(1031, 1);
  histogram.add(1032, 1);
  histogram.add(40_000, 2.0);
  histogram.add(4_000_000_000, 1);
  assert.deepEqual(histogram.cumulative(), [1, 4, 2, 5, 66, 7, 1_073_741, 8]);
  assert.equal(histogram.total, 8);
});

test("A mean of less than a nanosecond is a nanosecond", () => {
  const histogram = new LatencyHistogram();
  histogram.add(0.25, 1000);
  assert.equal(histogram.percentile(50), 1);
  assert.deepEqual(histogram.cumulative(), [1, 1000]);
});
