/** The tables of `everkey inspect`: one part a file, each with what it is, what is in it, and what is wrong with it. */

import type { AofInspection, LogPosition } from "../persistence/inspection/aof-inspection.ts";
import type { FileInspection, Inspection } from "../persistence/inspection/inspection.ts";
import type { FileRole } from "../persistence/inspection/places.ts";
import type { Problem } from "../persistence/inspection/problem.ts";
import type { RdbInspection } from "../persistence/inspection/rdb-inspection.ts";
import { otherPrefixes, positionOfRdb } from "./inspect-json.ts";
import {
  colorsFor,
  facts,
  formatAmount,
  formatBytes,
  formatCount,
  formatDuration,
  formatTime,
  printable,
  printableText,
  table,
} from "./output.ts";

export interface TextOptions {
  readonly nowMs: number;
  readonly topCount: number;
  /** What keys take in memory was measured. */
  readonly hasMemory: boolean;
  readonly separator: string;
  readonly depth: number;
}

const ROLES: Readonly<Record<FileRole, string>> = {
  file: "",
  snapshot: "snapshot",
  "old-aof": "append-only file of a Redis before 7",
  base: "base",
  increment: "increment",
  history: "superseded, to be removed",
  kept: "superseded, kept to go back to",
};

/** Keys are shown up to this many characters. */
const KEY_CHARACTERS = 60;

export function inspectionText(inspection: Inspection, options: TextOptions): string {
  const { place, files, problems } = inspection;
  const colors = colorsFor(process.stdout);
  const parts: string[] = [];
  if (place.kind !== "file") parts.push(overview(inspection));
  for (const file of files) {
    // Of what is superseded the overview says enough.
    if (file.role === "history" || file.role === "kept" || (file.rdb === undefined && file.aof === undefined)) continue;
    const title = colors.bold(printableText(place.kind === "file" ? file.path : `${file.name} (${ROLES[file.role]})`));
    parts.push([title, ...fileText(file, options)].join("\n"));
  }
  for (const note of place.notes) parts.push(`Note: ${printableText(note)}`);
  if (problems.length > 0) parts.push(problems.map(problemText).join("\n\n"));
  return parts.join("\n\n");
}

function overview({ place, files }: Inspection): string {
  const rows = files.map(({ name, role, bytes, kind, rdb, aof }) => {
    const contents = [
      ...(rdb === undefined ? [] : [formatAmount(rdb.total.keys, "key")]),
      ...(aof === undefined ? [] : [formatAmount(aof.commands, "command")]),
    ];
    const from = aof?.firstTimeMs ?? Number.NaN;
    const to = aof?.lastTimeMs ?? stateOfMs(rdb);
    return [
      printableText(name),
      ROLES[role],
      kind,
      bytes < 0 ? "missing" : formatBytes(bytes),
      contents.join(", "),
      Number.isNaN(from) ? "" : formatTime(from),
      Number.isNaN(to) ? "" : formatTime(to),
    ];
  });
  const what = place.kind === "data-directory" ? "Data directory" : "Append-only file";
  const columns = [
    { title: "file" },
    { title: "part" },
    { title: "kind" },
    { title: "bytes", isNumber: true },
    { title: "holds", isNumber: true },
    { title: "from" },
    { title: "to" },
  ];
  return `${colorsFor(process.stdout).bold(`${what} ${printableText(place.path)}`)}\n${table(columns, rows)}`;
}

function stateOfMs(rdb: RdbInspection | undefined): number {
  if (rdb === undefined) return Number.NaN;
  return positionOfRdb(rdb)?.timeMs ?? writtenAtMs(rdb);
}

function writtenAtMs({ producer }: RdbInspection): number {
  return Number(producer.get("ctime") ?? Number.NaN) * 1000;
}

function fileText({ rdb, aof, bytes, kind }: FileInspection, options: TextOptions): string[] {
  const lines: string[] = [];
  if (rdb !== undefined) {
    lines.push(rdbFacts(rdb, bytes, options.nowMs));
    if (rdb.total.keys > 0) {
      lines.push("", formTable(rdb, options.hasMemory));
      if (rdb.biggest.length > 0) lines.push("", heading("Biggest keys"), biggestTable(rdb, options));
      const hasPrefixes = rdb.prefixes.some(({ name }) => name.length > 0);
      if (options.separator !== "" && hasPrefixes) lines.push("", prefixHeading(options), prefixTable(rdb, options));
    }
    const behind = bytes - rdb.bytes;
    if (kind === "rdb" && rdb.problem === undefined && behind > 0) {
      lines.push("", `Behind the end of the RDB data there are ${formatCount(behind)} bytes that nobody reads.`);
    }
  }
  if (aof !== undefined) {
    if (rdb !== undefined)
      lines.push("", heading(`Commands behind the RDB data, from offset ${formatCount(aof.from)}`));
    lines.push(aofFacts(aof, bytes));
    if (aof.names.length > 0) lines.push("", commandTable(aof));
  }
  return lines;
}

function heading(text: string): string {
  return colorsFor(process.stdout).bold(text);
}

function rdbFacts(rdb: RdbInspection, bytes: number, nowMs: number): string {
  const { producer, total } = rdb;
  const written = writtenAtMs(rdb);
  const usedMemory = Number(producer.get("used-mem") ?? Number.NaN);
  const position = positionOfRdb(rdb);
  const databases = new Set(rdb.forms.map(({ database }) => database)).size;
  const pairs: [string, string][] = [
    [
      "kind",
      `RDB${rdb.version === 0 ? "" : `, version ${rdb.version}`}, ${formatBytes(bytes)} (${formatCount(bytes)} bytes)`,
    ],
    ["written by", printable(Buffer.from(writerOf(rdb)))],
  ];
  if (!Number.isNaN(written))
    pairs.push(["written at", `${formatTime(written).slice(0, 19)} (${ago(written, nowMs)})`]);
  if (!Number.isNaN(usedMemory))
    pairs.push(["memory", `${formatBytes(usedMemory)} in use by the server that wrote it`]);
  if (position !== null) {
    pairs.push(["position", positionText(position)]);
    if (position.timeMs !== null) pairs.push(["state of", formatTime(position.timeMs)]);
  }
  pairs.push(["keys", `${formatCount(total.keys)} in ${formatAmount(databases, "database")}`]);
  if (total.expiring > 0) {
    pairs.push([
      "with expiry",
      `${formatCount(total.expiring)}, of which ${formatCount(total.expired)} are over by now`,
    ]);
  }
  if (rdb.expiringFields > 0) pairs.push(["fields with expiry", formatCount(rdb.expiringFields)]);
  if (rdb.functionLibraries > 0) pairs.push(["function libraries", formatCount(rdb.functionLibraries)]);
  if (rdb.moduleData.length > 0)
    pairs.push(["data of modules", printable(Buffer.from([...new Set(rdb.moduleData)].join(", ")))]);
  return facts(pairs);
}

/** Only Everkey says of which millisecond a state is. */
function writerOf({ producer }: RdbInspection): string {
  const redis = producer.get("redis-ver");
  const valkey = producer.get("valkey-ver");
  const everkey = producer.get("everkey-ver");
  if (everkey !== undefined) return `Everkey ${everkey}`;
  if (producer.has("everkey-ms")) return `Everkey (as Redis ${redis})`;
  if (valkey !== undefined) return `Valkey ${valkey}`;
  return redis === undefined ? "unknown" : `Redis ${redis}`;
}

function ago(timeMs: number, nowMs: number): string {
  return timeMs > nowMs ? "in the future" : `${formatDuration(nowMs - timeMs)} ago`;
}

function positionText({ replicationId, offset }: LogPosition): string {
  return `offset ${formatCount(offset)} of ${printable(Buffer.from(replicationId))}`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? "" : `${((part / whole) * 100).toFixed(1)}%`;
}

function formTable(rdb: RdbInspection, hasMemory: boolean): string {
  const whole = rdb.total.bytes;
  const cells = (name: readonly string[], counts: RdbInspection["total"]): string[] => [
    ...name,
    formatCount(counts.keys),
    formatCount(counts.elements),
    formatBytes(counts.bytes),
    share(counts.bytes, whole),
    formatBytes(counts.dataBytes),
    ...(hasMemory ? [formatBytes(counts.memoryBytes)] : []),
    counts.expiring === 0 ? "" : formatCount(counts.expiring),
    counts.expired === 0 ? "" : formatCount(counts.expired),
  ];
  const rows = rdb.forms.map((form) => cells([`${form.database}`, form.type, form.encoding], form));
  if (rows.length > 1) rows.push(cells(["all", "", ""], rdb.total));
  const columns = [
    { title: "database", isNumber: true },
    { title: "type" },
    { title: "encoding" },
    { title: "keys", isNumber: true },
    { title: "elements", isNumber: true },
    { title: "in file", isNumber: true },
    { title: "share", isNumber: true },
    { title: "data", isNumber: true },
    ...(hasMemory ? [{ title: "memory", isNumber: true }] : []),
    { title: "expire", isNumber: true },
    { title: "over", isNumber: true },
  ];
  return table(columns, rows);
}

function biggestTable(rdb: RdbInspection, { nowMs, hasMemory }: TextOptions): string {
  const rows = rdb.biggest.map(
    ({ database, key, type, encoding, elements, bytes, dataBytes, memoryBytes, expireAtMs }) => [
      printable(key, KEY_CHARACTERS),
      `${database}`,
      type,
      encoding,
      formatCount(elements),
      formatBytes(bytes),
      formatBytes(dataBytes),
      ...(hasMemory ? [formatBytes(memoryBytes)] : []),
      expireAtMs < 0 ? "" : expireAtMs < nowMs ? "over" : `in ${formatDuration(expireAtMs - nowMs)}`,
    ],
  );
  const columns = [
    { title: "key" },
    { title: "database", isNumber: true },
    { title: "type" },
    { title: "encoding" },
    { title: "elements", isNumber: true },
    { title: "in file", isNumber: true },
    { title: "data", isNumber: true },
    ...(hasMemory ? [{ title: "memory", isNumber: true }] : []),
    { title: "expires", isNumber: true },
  ];
  return table(columns, rows);
}

function prefixHeading({ separator, depth }: TextOptions): string {
  const sign = printable(Buffer.from(separator));
  return heading(depth === 1 ? `Prefixes up to the first ${sign}` : `Prefixes up to the ${depth}. ${sign}`);
}

function prefixTable(rdb: RdbInspection, { topCount }: TextOptions): string {
  const row = (name: string, keys: number, bytes: number, expiring: number | undefined): string[] => [
    name,
    formatCount(keys),
    formatBytes(bytes),
    share(bytes, rdb.total.bytes),
    expiring ? formatCount(expiring) : "",
  ];
  const rows = rdb.prefixes
    .slice(0, topCount)
    .map(({ name, count, bytes, extra }) =>
      row(name.length === 0 ? "(none)" : `${printable(name, KEY_CHARACTERS)}*`, count, bytes, extra),
    );
  const others = otherPrefixes(rdb, topCount);
  if (others.keys > 0) rows.push(row("(others)", others.keys, others.bytes, undefined));
  const columns = [
    { title: "prefix" },
    { title: "keys", isNumber: true },
    { title: "in file", isNumber: true },
    { title: "share", isNumber: true },
    { title: "expire", isNumber: true },
  ];
  return table(columns, rows);
}

function aofFacts(aof: AofInspection, bytes: number): string {
  const pairs: [string, string][] = [];
  if (aof.from === 0) pairs.push(["kind", `append-only file, ${formatBytes(bytes)} (${formatCount(bytes)} bytes)`]);
  const transactions = aof.transactions > 0 ? `, ${formatAmount(aof.transactions, "transaction")}` : "";
  pairs.push(["commands", `${formatCount(aof.commands)}${transactions}`]);
  if (!Number.isNaN(aof.firstTimeMs)) {
    const span = formatDuration(aof.lastTimeMs - aof.firstTimeMs);
    pairs.push(["times", `${formatTime(aof.firstTimeMs)} to ${formatTime(aof.lastTimeMs)} (${span})`]);
  }
  if (aof.start !== undefined) pairs.push(["position", positionText(aof.start)]);
  if (aof.end !== undefined) pairs.push(["", `to ${positionText(aof.end)}`]);
  for (const { at, to } of aof.jumps) pairs.push(["", `from byte ${formatCount(at)} on ${positionText(to)}`]);
  if (aof.databases.size > 1 || (aof.databases.size === 1 && !aof.databases.has(0))) {
    const sorted = [...aof.databases].sort(([a], [b]) => a - b);
    pairs.push(["databases", sorted.map(([database, count]) => `${database} (${formatCount(count)})`).join(", ")]);
  }
  pairs.push(["tail", tailText(aof, bytes)]);
  return facts(pairs);
}

function tailText({ problem, wholeBytes }: AofInspection, bytes: number): string {
  if (problem === undefined) return "whole";
  const behind = `${formatCount(bytes - wholeBytes)} bytes behind offset ${formatCount(wholeBytes)}`;
  return problem.isTornTail ? `torn: ${behind}` : `damaged before its end: ${behind} were not counted`;
}

function commandTable({ names, commands }: AofInspection): string {
  const whole = names.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = names.map(({ name, count, bytes }) => [
    printable(name),
    formatCount(count),
    share(count, commands),
    formatBytes(bytes),
    share(bytes, whole),
  ]);
  const columns = [
    { title: "command" },
    { title: "count", isNumber: true },
    { title: "share", isNumber: true },
    { title: "bytes", isNumber: true },
    { title: "share", isNumber: true },
  ];
  return table(columns, rows);
}

/** A problem as a person reads it: what, where, what to do. */
export function problemText(problem: Problem): string {
  const colors = colorsFor(process.stdout);
  const { path, offset, reading, key, message, advice } = problem;
  const where = [
    ...(Number.isNaN(offset) ? [] : [`at byte ${formatCount(offset)}`]),
    ...(reading === "" ? [] : [`reading ${/^[aeiou]/.test(reading) ? "an" : "a"} ${reading}`]),
    ...(key === undefined ? [] : [`of key ${printable(key, KEY_CHARACTERS)}`]),
  ];
  const lines = [
    `${colors.red("Not whole:")} ${printableText(path)}${where.length === 0 ? "" : `, ${where.join(", ")}`}`,
    `  ${message}.`,
  ];
  if (advice !== "") lines.push(`  ${printableText(advice)}`);
  return lines.join("\n");
}
