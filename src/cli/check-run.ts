/**
 * `everkey check`, running: reads everything, says what is wrong, where, and what to do; with --fix cuts a torn tail.
 *
 *      check ─► whole: exit 0       not whole ─► --fix: cut the torn tail, check again       else exit 1
 */

import type { Disk } from "../core/host.ts";
import { type Check, check, type FileCheck } from "../persistence/inspection/integrity.ts";
import { cutTail, TailChanged, type TailCut, tornTail } from "../persistence/inspection/tail-repair.ts";
import { NodeClock } from "../server/host/node-clock.ts";
import { NodeDisk } from "../server/host/node-disk.ts";
import { NodeRandom } from "../server/host/node-random.ts";
import type { CheckWords } from "./check.ts";
import { placedJson, problemJson } from "./inspect-json.ts";
import { problemText } from "./inspect-text.ts";
import {
  CliFailure,
  colorsFor,
  facts,
  formatAmount,
  formatBytes,
  formatCount,
  Progress,
  print,
  printable,
  printableText,
  printJson,
  runSubcommand,
} from "./output.ts";

/** What --fix did, or why it did nothing. */
interface Fix {
  readonly cut: TailCut | undefined;
  readonly refusal: string;
}

export function checkCommand(path: string, words: CheckWords): Promise<void> {
  return runSubcommand(() => runCheck(path, words));
}

function runCheck(path: string, words: CheckWords): void {
  const clock = new NodeClock();
  const disk = new NodeDisk();
  const random = new NodeRandom();
  const look = (): Check => {
    const progress = new Progress({ label: `Checking ${path}`, total: 0, unit: "bytes", clock });
    try {
      return check(disk, path, { random, onProgress: (read, total) => progress.update(read, total) });
    } finally {
      progress.end();
    }
  };
  let result = look();
  let fix: Fix | undefined;
  if (words.fix === true) {
    fix = fixTail(disk, result, clock.nowMs());
    if (fix.cut !== undefined) result = look();
  }
  if (result.problems.length > 0) process.exitCode = 1;
  if (words.json === true) printJson(checkJson(result, fix));
  else print(checkText(result, fix));
}

function fixTail(disk: Disk, result: Check, nowMs: number): Fix {
  const problem = tornTail(result);
  if (problem === undefined) {
    const refusal =
      result.problems.length === 0
        ? "Nothing had to be fixed."
        : "Nothing was changed: --fix cuts a torn tail of the last increment and touches nothing else, and what is wrong here is something else.";
    return { cut: undefined, refusal };
  }
  const file = result.files.find(({ path }) => path === problem.path)!;
  try {
    return { cut: cutTail(disk, problem, file.bytes, nowMs), refusal: "" };
  } catch (error) {
    if (!(error instanceof TailChanged)) throw error;
    throw new CliFailure(error.message, "stop the server first, then check again");
  }
}

function checkText({ place, files, problems, notes }: Check, fix: Fix | undefined): string {
  const colors = colorsFor(process.stdout);
  const parts: string[] = [];
  if (fix?.cut !== undefined) parts.push(cutText(fix.cut));
  const rows = files.map((file): [string, string] => [
    place.kind === "file" ? file.path : file.name,
    fileText(file, problems),
  ]);
  if (rows.length > 0) parts.push(facts(rows));
  for (const note of notes) parts.push(`Note: ${printableText(note)}`);
  if (problems.length > 0) parts.push(problems.map(problemText).join("\n\n"));
  if (fix !== undefined && fix.refusal !== "") parts.push(fix.refusal);
  if (problems.length === 0) parts.push(`${colors.green("Whole:")} ${printableText(place.path)}`);
  return parts.join("\n\n");
}

function cutText({ path, keptBytes, cutBytes, beginning, asidePath }: TailCut): string {
  return [
    `Cut ${formatAmount(cutBytes, "byte")} off the end of ${printableText(path)}; ${formatCount(keptBytes)} bytes are left.`,
    `  They began with: ${printable(beginning, beginning.length)}`,
    `  The original is kept as ${printableText(asidePath)}`,
  ].join("\n");
}

function fileText(file: FileCheck, problems: Check["problems"]): string {
  if (file.kind === "missing") return "missing";
  const { rdb, aof } = file;
  const holds = [
    ...(rdb === undefined
      ? []
      : [`RDB version ${rdb.version}, ${formatAmount(rdb.keys, "key")}, ${SUMS[rdb.checksum]}`]),
    ...(aof === undefined ? [] : [formatAmount(aof.commands, "command")]),
    formatBytes(file.bytes),
  ];
  const isWhole = !problems.some(({ path }) => path === file.path);
  return `${isWhole ? "whole" : "not whole"}: ${holds.join(", ")}`;
}

const SUMS = {
  right: "check sum right",
  wrong: "check sum wrong",
  none: "no check sum",
  unknown: "check sum not reached",
} as const;

function checkJson({ place, files, problems, notes }: Check, fix: Fix | undefined): Record<string, unknown> {
  return {
    path: place.path,
    kind: place.kind,
    isWhole: problems.length === 0,
    files: files.map((file) => ({
      ...placedJson(file),
      kind: file.kind,
      isWhole: file.kind !== "missing" && !problems.some(({ path }) => path === file.path),
      rdbVersion: file.rdb?.version ?? null,
      keys: file.rdb?.keys ?? null,
      checksum: file.rdb?.checksum ?? null,
      commands: file.aof?.commands ?? null,
      wholeBytes: file.aof?.wholeBytes ?? null,
      start: file.aof?.start ?? file.rdb?.position ?? null,
      end: file.aof?.end ?? file.rdb?.position ?? null,
    })),
    problems: problems.map(problemJson),
    notes,
    fix: fix === undefined ? null : fixJson(fix),
  };
}

function fixJson({ cut, refusal }: Fix): Record<string, unknown> {
  if (cut === undefined) return { cut: null, reason: refusal };
  const { path, keptBytes, cutBytes, beginning, asidePath } = cut;
  const shown = printable(beginning, beginning.length);
  return { cut: { path, keptBytes, cutBytes, beginning: shown, asidePath }, reason: null };
}
