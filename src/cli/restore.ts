/**
 * `everkey restore`: the state of a past moment, as something new to start a server from.
 *
 *      --dir ──► Timeline ──► plan, shown ──► replay in memory ──► --output DIR or FILE.rdb
 *
 *  I1  The source is only read. What is written is new: an output that is there, or lies in the source, is refused.
 *  I2  With --dry-run nothing is written; all else is done, so that what it says is what would be.
 */

import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import type { Host } from "../core/host.ts";
import { matchCommand, matchDeletion } from "../persistence/timeline/command-match.ts";
import { changeExpiries, countExpiries, type ExpiryChoice } from "../persistence/timeline/expiries.ts";
import type { LogPosition } from "../persistence/timeline/log-walk.ts";
import { makePlan, type Plan, type Target } from "../persistence/timeline/plan.ts";
import { carryOut, type ReplayResult } from "../persistence/timeline/replay.ts";
import { type RestoredState, writeDataDirectory, writeSnapshotFile } from "../persistence/timeline/restored-files.ts";
import type { Timeline } from "../persistence/timeline/timeline.ts";
import { Headless } from "../server/headless.ts";
import { nodeHost } from "../server/host/node-host.ts";
import { REDIS_VERSION } from "../server/version.ts";
import { openTimeline, readMoment, readNumber, translated, watched } from "./going-back.ts";
import {
  CliFailure,
  facts,
  formatBytes,
  formatCount,
  formatDuration,
  formatTime,
  isoTime,
  print,
  printJson,
  runSubcommand,
  wrongUsage,
} from "./output.ts";

interface RestoreOptions {
  readonly dir: string;
  readonly to?: string;
  readonly toOffset?: string;
  readonly before?: string;
  readonly beforeDel?: string;
  readonly nth?: string;
  readonly except?: readonly string[];
  readonly output?: string;
  readonly expiry: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Moments: '2026-11-20 10:15:03.250' (local time), 2026-11-20T10:15:03Z, 1795240503 (seconds or ms), '5 minutes ago'.
Without one of --to, --to-offset, --before, --before-del the newest state is taken.

Examples:
  everkey restore --dir ./data --to '2026-11-20 10:15:03.250' --output ./restored
  everkey restore --dir ./data --before FLUSHALL --output ./restored       just before the last FLUSHALL
  everkey restore --dir ./data --before-del 'user:*' --output users.rdb    before somebody deleted such a key last
  everkey restore --dir ./data --except 123456 --output ./restored         everything but the command at that offset
  everkey restore --dir ./data --to '1 hour ago' --dry-run                 what would be done, and what would come of it`;

export function addRestore(program: Command): void {
  program
    .command("restore")
    .description("bring back the state of a past moment, into something new")
    .requiredOption("--dir <directory>", "the data directory to go back in; it is only read")
    .option("--to <moment>", "with everything up to this moment")
    .option("--to-offset <offset>", "up to this offset of the log, without the command that begins there")
    .option("--before <command>", "just before the last such command: 'FLUSHALL', 'SET config:* *'")
    .option("--before-del <pattern>", "just before somebody deleted a key of this pattern last")
    .option("--nth <number>", "with --before, --before-del: not the last one but the one of this number from the end")
    .option("--except <offset...>", "leave out the commands at these offsets, as history shows them")
    .option("--output <path>", "a new directory to start a server from, or a new file that ends in .rdb")
    .option("--expiry <choice>", "keys that expire: keep their times, shift them to now, or none", "keep")
    .option("--dry-run", "do everything but write")
    .option("--json", "print one JSON document")
    .addHelpText("after", EXAMPLES)
    .action((options: RestoreOptions) => runSubcommand(() => restore(options)));
}

function restore(options: RestoreOptions): void {
  const host = nodeHost();
  const expiry = readExpiry(options.expiry);
  const target = readTarget(options, host.clock.nowMs());
  const exceptions = (options.except ?? []).map((text) => readNumber("restore", "--except", text, 0));
  const output = readOutput(host, options);
  const timeline = openTimeline(host, options.dir);
  const plan = watched(host, "Reading the log", timeline.logBytes(), (update) =>
    makePlan(timeline, target, exceptions, update),
  );
  const isJson = options.json === true;
  if (!isJson) print(planText(timeline, plan, target));
  const startMs = host.clock.monotonicMs();
  const headless = new Headless(host);
  const totalBytes = plan.baseBytes + plan.logBytes;
  const replay = watched(host, "Replaying", totalBytes, (update) => carryOut(timeline, plan, headless, update));
  const nowMs = host.clock.nowMs();
  const expiries = countExpiries(headless.keyspace, nowMs);
  translated(() => changeExpiries(headless.keyspace, expiry, Math.max(0, nowMs - (plan.reached.timeMs || nowMs))));
  const replaySeconds = (host.clock.monotonicMs() - startMs) / 1000;
  const position = positionOf(host, plan);
  const outputBytes = output === undefined ? 0 : write(host, headless, output, position);
  const outcome: Outcome = {
    replay,
    ...expiries,
    keys: headless.keyspace.totalKeys(),
    replaySeconds,
    position,
    outputBytes,
  };
  if (isJson) printJson(jsonOf(timeline, plan, outcome, expiry, output));
  else print(outcomeText(outcome, expiry, output));
}

// ---- what was asked for -----------------------------------------------------------------------------------------------

function readExpiry(text: string): ExpiryChoice {
  if (text === "keep" || text === "shift" || text === "none") return text;
  throw wrongUsage("restore", `--expiry takes keep, shift or none, not '${text}'`);
}

function readTarget(options: RestoreOptions, nowMs: number): Target {
  const { to, toOffset, before, beforeDel } = options;
  const given = [to, toOffset, before, beforeDel].filter((text) => text !== undefined);
  if (given.length > 1) {
    throw wrongUsage("restore", "only one of --to, --to-offset, --before and --before-del says where to go");
  }
  const nth = options.nth === undefined ? 1 : readNumber("restore", "--nth", options.nth, 1);
  if (options.nth !== undefined && before === undefined && beforeDel === undefined) {
    throw wrongUsage("restore", "--nth counts what --before or --before-del looks for");
  }
  if (to !== undefined) return { kind: "time", timeMs: readMoment("restore", "--to", to, nowMs) };
  if (toOffset !== undefined) return { kind: "offset", offset: readNumber("restore", "--to-offset", toOffset, 0) };
  if (beforeDel !== undefined) return { kind: "before", match: matchDeletion(beforeDel), nth };
  if (before === undefined) return { kind: "newest" };
  const match = matchCommand(before);
  if (match === undefined)
    throw wrongUsage("restore", "--before takes the name of a command, and patterns of its arguments");
  return { kind: "before", match, nth };
}

/** Where to write; undefined with --dry-run. */
interface Output {
  readonly path: string;
  readonly isFile: boolean;
}

function readOutput(host: Host, options: RestoreOptions): Output | undefined {
  if (options.output === undefined) {
    if (options.dryRun === true) return undefined;
    throw wrongUsage("restore", "--output says where to write; --dry-run writes nothing");
  }
  const path = resolve(options.output);
  const isFile = path.endsWith(".rdb");
  const status = host.disk.status(path);
  if (status !== undefined && (isFile || !status.isDirectory)) {
    throw new CliFailure(
      `${options.output} is there already: restore writes into something new`,
      "--output with another name",
    );
  }
  if (status?.isDirectory === true && host.disk.list(path).length > 0) {
    throw new CliFailure(
      `${options.output} is not empty: restore writes into something new`,
      "--output with another name",
    );
  }
  const source = realPath(resolve(options.dir));
  const target = realPath(path);
  if (target === source || target.startsWith(`${source}/`)) {
    throw new CliFailure(`${options.output} lies in ${options.dir}, which is only read`, "--output outside of it");
  }
  return options.dryRun === true ? undefined : { path, isFile };
}

/** Without symbolic links, also where the end of the path does not exist yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

// ---- what is done -----------------------------------------------------------------------------------------------------

/** A state that is not the newest, or lacks something, is the beginning of another history. */
function positionOf(host: Host, plan: Plan): LogPosition {
  if (plan.isNewest && plan.exceptions.length === 0) return plan.reached;
  const bytes = new Uint8Array(20);
  host.random.fill(bytes);
  const { offset, timeMs } = plan.reached;
  return { replicationId: Buffer.from(bytes).toString("hex"), offset: Number.isNaN(offset) ? 0 : offset, timeMs };
}

function write(host: Host, headless: Headless, output: Output, position: LogPosition): number {
  const state: RestoredState = {
    keyspace: headless.keyspace,
    functions: headless.functions(),
    position,
    redisVersion: REDIS_VERSION,
    createdMs: host.clock.nowMs(),
    processId: host.processId,
  };
  if (output.isFile) return writeSnapshotFile(host.disk, output.path, state, false);
  return writeDataDirectory(host.disk, output.path, state);
}

// ---- what is said -----------------------------------------------------------------------------------------------------

interface Outcome {
  readonly replay: ReplayResult;
  readonly keys: number;
  readonly expiringKeys: number;
  readonly overKeys: number;
  readonly replaySeconds: number;
  readonly position: LogPosition;
  readonly outputBytes: number;
}

function plural(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
}

function placeText({ replicationId, offset }: LogPosition): string {
  if (Number.isNaN(offset)) return "unknown";
  return replicationId === undefined ? String(offset) : `${offset} of ${replicationId}`;
}

function planText(timeline: Timeline, plan: Plan, target: Target): string {
  const { reached, segments } = plan;
  const pairs: [string, string][] = [["source", timeline.path]];
  if (target.kind === "time") pairs.push(["asked for", formatTime(target.timeMs)]);
  if (plan.before !== undefined && target.kind === "before") {
    const { timeMs, offset, source } = plan.before;
    const when = timeMs > 0 ? ` of ${formatTime(timeMs)}` : "";
    pairs.push([
      "just before",
      `${target.match.text}${when}, offset ${offset}${source === undefined ? "" : `, by ${source}`}`,
    ]);
  }
  const newest = plan.isNewest ? ", the end of the log" : "";
  pairs.push(["moment", reached.timeMs > 0 ? `${formatTime(reached.timeMs)}${newest}` : `unknown${newest}`]);
  pairs.push(["offset", placeText(reached)]);
  pairs.push(["snapshot", baseText(plan)]);
  segments.forEach(({ increment, endBytes, commandCount }, index) => {
    const { name, bytes } = increment.file;
    const part = endBytes < bytes ? `${formatBytes(endBytes)} of its ${formatBytes(bytes)}` : formatBytes(bytes);
    pairs.push([index === 0 ? "log" : "", `${name}: ${plural(commandCount, "command")}, ${part}`]);
  });
  if (segments.length === 0) pairs.push(["log", "nothing of it is needed"]);
  if (segments.length > 1)
    pairs.push(["", `${plural(plan.commandCount, "command")}, ${formatBytes(plan.logBytes)} in all`]);
  plan.leftOut.forEach(({ offset, command }, index) => {
    const what = command === "MULTI" || command === "EXEC" ? "the transaction" : command;
    pairs.push([index === 0 ? "left out" : "", `${what} at offset ${offset}`]);
  });
  if (plan.torn !== undefined) {
    const { lostBytes, path, what } = plan.torn;
    pairs.push(["torn end", `the last ${formatBytes(lostBytes)} of ${basename(path)} are not used: ${what}`]);
  }
  plan.notes.forEach((note, index) => {
    pairs.push([index === 0 ? "note" : "", note]);
  });
  return facts(pairs);
}

function baseText({ base, baseBytes }: Plan): string {
  if (base.file === undefined) return "none: the log begins with nothing";
  const when = base.timeMs > 0 ? ` of ${formatTime(base.timeMs)}` : "";
  const where = Number.isNaN(base.offset) ? "" : `, offset ${base.offset}`;
  return `${base.file.name}${when}${where}, ${formatBytes(baseBytes)}`;
}

function outcomeText(outcome: Outcome, expiry: ExpiryChoice, output: Output | undefined): string {
  const { replay, keys, replaySeconds, overKeys, expiringKeys } = outcome;
  const pairs: [string, string][] = [
    ["replayed", `in ${formatDuration(replaySeconds * 1000)}: ${plural(keys, "key")}`],
  ];
  if (expiringKeys > 0) {
    const over =
      expiry === "keep"
        ? `the time of ${formatCount(overKeys)} is over: a server that loads this does without them (--expiry shift, --expiry none)`
        : expiry === "shift"
          ? "each has the time left that it had at that moment"
          : "none expires any more";
    pairs.push([
      "expiring",
      overKeys === 0 && expiry === "keep" ? formatCount(expiringKeys) : `${formatCount(expiringKeys)}; ${over}`,
    ]);
  }
  if (replay.failureCount > 0) {
    pairs.push(["failed", `${plural(replay.failureCount, "command")} that succeeded then:`]);
    for (const { offset, command, error } of replay.failures) pairs.push(["", `${offset}  ${command}: ${error}`]);
    const hidden = replay.failureCount - replay.failures.length;
    if (hidden > 0) pairs.push(["", `and ${formatCount(hidden)} more`]);
  }
  if (output === undefined) {
    pairs.push(["written", "nothing (--dry-run)"]);
  } else {
    pairs.push(["written", `${output.path}, ${formatBytes(outcome.outputBytes)}`]);
    if (!output.isFile) pairs.push(["start it", `everkey server --dir ${output.path} --appendonly yes`]);
  }
  return facts(pairs);
}

function jsonOf(
  timeline: Timeline,
  plan: Plan,
  outcome: Outcome,
  expiry: ExpiryChoice,
  output: Output | undefined,
): unknown {
  const { base, reached } = plan;
  return {
    source: timeline.path,
    reached: positionJson(reached),
    isNewest: plan.isNewest,
    snapshot: { file: base.file?.name, bytes: plan.baseBytes, ...positionJson(base) },
    log: plan.segments.map(({ increment, startOffset, endBytes, commandCount }) => ({
      file: increment.file.name,
      startOffset,
      bytes: endBytes,
      fileBytes: increment.file.bytes,
      commands: commandCount,
    })),
    commands: plan.commandCount,
    logBytes: plan.logBytes,
    before: plan.before && {
      offset: plan.before.offset,
      time: isoTime(plan.before.timeMs),
      source: plan.before.source,
    },
    leftOut: plan.leftOut,
    torn: plan.torn && {
      file: basename(plan.torn.path),
      wholeBytes: plan.torn.wholeBytes,
      lostBytes: plan.torn.lostBytes,
    },
    notes: plan.notes,
    keys: outcome.keys,
    expiringKeys: outcome.expiringKeys,
    overdueKeys: outcome.overKeys,
    expiry,
    failedCommands: outcome.replay.failureCount,
    failures: outcome.replay.failures,
    replaySeconds: outcome.replaySeconds,
    output: output && { path: output.path, bytes: outcome.outputBytes, ...positionJson(outcome.position) },
  };
}

function positionJson({ replicationId, offset, timeMs }: LogPosition): object {
  return {
    replicationId,
    offset: Number.isNaN(offset) ? null : offset,
    time: isoTime(timeMs),
    timeMs: timeMs > 0 ? timeMs : null,
  };
}
