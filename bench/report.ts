/**
 * What was measured, as rows, and the rows as tables for people.
 *
 *      samples of both sides ──► Row (medians, ratio, target met?) ──► table on the terminal
 *                                                                 └──► --json, with every sample
 *
 *  I1  `ratio` is subject / redis; which way is good is said by `better`. Samples of one round were taken one right after
 *      the other, so it is the median of the rounds' ratios, which a drift of the machine does not reach, and may differ
 *      a little from the ratio of the two medians that stand beside it.
 */

import type { Side } from "./servers.ts";
import { judge, type Verdict } from "./targets.ts";

export type Samples = Readonly<Record<Side, readonly number[]>>;

export interface Row {
  /** Path-like, stable between runs: `throughput/GET/1000000/P=16/cpu`. */
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly samples: Samples;
  readonly subject: number;
  readonly redis: number;
  readonly ratio: number;
  readonly verdicts: readonly Verdict[];
  readonly note: string;
}

/** `NaN` when there is no sample. */
function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function makeRow(
  id: string,
  label: string,
  unit: string,
  better: Row["better"],
  samples: Samples,
  note = "",
): Row {
  const subject = median(samples.subject);
  const redis = median(samples.redis);
  const isPaired = samples.subject.length === samples.redis.length;
  const ratio = isPaired
    ? median(samples.subject.map((value, round) => value / samples.redis[round]!))
    : subject / redis;
  return { id, label, unit, better, samples, subject, redis, ratio, verdicts: judge(id, subject, ratio), note };
}

/** Four significant digits, thousands in groups. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100_000) return `${Math.round(value / 1000).toLocaleString("en")} k`;
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

function formatRatio(ratio: number): string {
  return Number.isFinite(ratio) ? `${ratio.toFixed(2)}x` : "-";
}

function formatVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts.map((verdict) => `${verdict.isMet ? "met    " : "NOT MET"} ${verdict.text}`).join("; ");
}

/** Aligned columns: the first `leftCount` to the left, then numbers to the right, the last to the left again. */
function formatTable(header: readonly string[], lines: readonly (readonly string[])[], leftCount = 1): string {
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)));
  const last = header.length - 1;
  const align = (text: string, column: number) =>
    column < leftCount || column === last ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  const render = (line: readonly string[]) => `  ${line.map(align).join("  ")}`.trimEnd();
  return [render(header), `  ${"─".repeat(render(header).length - 2)}`, ...lines.map(render)].join("\n");
}

/** One line per row. */
export function rowTable(rows: readonly Row[], subjectName: string): string {
  const lines = rows.map((row) => [
    row.label,
    row.unit,
    formatNumber(row.subject),
    formatNumber(row.redis),
    formatRatio(row.ratio),
    row.better === "higher" ? "more" : "less",
    [formatVerdicts(row.verdicts), row.note].filter((text) => text !== "").join("  "),
  ]);
  return formatTable(["", "unit", subjectName, "Redis", "ratio", "better", "target"], lines, 2);
}

/** One line per command, key count and pipeline depth: requests per second beside CPU. */
export function throughputTable(rows: readonly Row[], subjectName: string): string {
  const lines: string[][] = [];
  const processor = new Map(rows.filter((row) => row.id.endsWith("/cpu")).map((row) => [row.id, row]));
  for (const row of rows) {
    if (!row.id.endsWith("/rps")) continue;
    const cpu = processor.get(row.id.replace(/rps$/, "cpu"))!;
    lines.push([
      row.label,
      formatNumber(row.subject),
      formatNumber(row.redis),
      formatRatio(row.ratio),
      cpu.subject.toFixed(2),
      cpu.redis.toFixed(2),
      formatRatio(cpu.ratio),
      formatVerdicts([...row.verdicts, ...cpu.verdicts]),
    ]);
  }
  const header = [`${subjectName} req/s`, "Redis req/s", "ratio", `${subjectName} CPU us`, "Redis CPU us", "ratio"];
  return formatTable(["command, keys, pipeline", ...header, "target"], lines);
}

/** How many targets were judged, and the ones that were missed. */
export function summary(rows: readonly Row[]): string {
  const judged = rows.flatMap((row) => row.verdicts.map((verdict) => ({ row, verdict })));
  const missed = judged.filter(({ verdict }) => !verdict.isMet);
  const lines = [`${judged.length - missed.length} of ${judged.length} targets met`];
  for (const { row, verdict } of missed) {
    const value = verdict.of === "ratio" ? formatRatio(row.ratio) : `${formatNumber(row.subject)} ${row.unit}`;
    lines.push(`  not met: ${row.id}: ${value}, wanted ${verdict.text}`);
  }
  return lines.join("\n");
}
