/**
 * The graph of LATENCY GRAPH: one column per sample, oldest first, four rows high, under it how long ago it was.
 *
 *      command - high 50 ms, low 20 ms (all time high 50 ms)
 *      ----------------------------------------------------- ...
 *       #       # top third of its row, o middle, _ bottom; | below a column's top
 *       |
 *      _|_
 *
 *      210      age, read from top to bottom: 2s 1s 0s
 *      sss
 *
 *  Source: output of redis-server 7.0.
 */

import type { LatencyEvent, LatencySample } from "../latency.ts";

const COLUMNS = 80;
const ROWS = 4;
const MARKS = "_o#";

export function latencyGraph({ name, samples, worstMs }: LatencyEvent, nowSeconds: number): string {
  let highMs = samples[0]!.latencyMs;
  let lowMs = highMs;
  for (const { latencyMs } of samples) {
    highMs = Math.max(highMs, latencyMs);
    lowMs = Math.min(lowMs, latencyMs);
  }
  const lines = [`${name} - high ${highMs} ms, low ${lowMs} ms (all time high ${worstMs} ms)`, "-".repeat(COLUMNS)];
  for (let first = 0; first < samples.length; first += COLUMNS) {
    lines.push(...rowsOf(samples.slice(first, first + COLUMNS), lowMs, highMs, nowSeconds));
  }
  return `${lines.join("\n")}\n`;
}

function rowsOf(samples: readonly LatencySample[], lowMs: number, highMs: number, nowSeconds: number): string[] {
  const stepCount = ROWS * MARKS.length;
  const steps = samples.map(({ latencyMs }) => {
    const height = highMs === lowMs ? 0 : (latencyMs - lowMs) / (highMs - lowMs);
    return Math.min(stepCount - 1, Math.floor(height * stepCount));
  });
  const rows: string[] = [];
  for (let row = 0; row < ROWS; row++) {
    const floor = (ROWS - 1 - row) * MARKS.length;
    rows.push(steps.map((step) => markOf(step - floor)).join(""));
  }
  rows.push(" ".repeat(samples.length));
  const ages = samples.map(({ atSeconds }) => age(nowSeconds - atSeconds));
  const height = Math.max(...ages.map((text) => text.length));
  for (let row = 0; row < height; row++) rows.push(ages.map((text) => text[row] ?? " ").join(""));
  return rows;
}

/** What stands in a row `above` steps over whose floor the column ends. */
function markOf(above: number): string {
  if (above < 0) return " ";
  return MARKS[above] ?? "|";
}

function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
