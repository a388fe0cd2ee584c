/**
 * What is done with an append-only file afterwards: loading it, and going back in it.
 *
 *      pour a twentieth ─► BGREWRITEAOF ─► pour the rest ─► kill        base.rdb │ increment of `count` commands
 *         │                                                              both sides load the one that Redis wrote;
 *         └─ with history-keep, by Everkey ──────────────────────────►   load, restore --to, history --key
 *
 *  I1  The commands are small and of many kinds; each changes something, so each is in the file.
 *  I2  Seconds of loading are those of the log's "DB loaded from append only file", on both sides. They contain the base,
 *      which is small and the same for both.
 *  I3  Restoring is compared as a whole, from the start of the program to its end, with the start of a server on the same
 *      files until it answers PING: both read the files once; restoring also writes what it made.
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { Client, encodeCommand } from "./client.ts";
import { appendOnly } from "./log-pace.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { makeRow, type Row, type Samples } from "./report.ts";
import { pause, type Server, type Side } from "./servers.ts";

const REPLAY_COMMANDS = { quick: 1_000_000, normal: 5_000_000, full: 5_000_000 };
const HISTORY_COMMANDS = { quick: 1_000_000, normal: 10_000_000, full: 10_000_000 };
const REPLAY_ROUNDS_MAX = { quick: 1, normal: 3, full: 3 };
const HISTORY_ROUNDS_MAX = { quick: 1, normal: 3, full: 3 };
/** How often each key is written. */
const WRITES_PER_KEY = 10;
const KINDS = 6;
/** Before the rewrite: the base holds what this share of the commands made. */
const BASE_SHARE = 1 / 20;
const HISTORY = ["--history-keep", "1d"];

/** Command `index` of `count`: each kind in turn, keys in no order. */
function smallCommand(index: number, count: number): string {
  const step = Math.floor(index / KINDS);
  const key = (step * 7919) % Math.ceil(count / KINDS / WRITES_PER_KEY);
  switch (index % KINDS) {
    case 0:
      return encodeCommand(["SET", `string:${key}`, `value of ${step}`]);
    case 1:
      return encodeCommand(["HSET", `hash:${key}`, `field${step % 7}`, `value${step}`]);
    case 2:
      return encodeCommand(["LPUSH", `list:${key}`, `item${step}`]);
    case 3:
      return encodeCommand(["INCR", `counter:${key}`]);
    case 4:
      return encodeCommand(["ZADD", `zset:${key}`, `${step}`, `member${step % 11}`]);
    default:
      // Far enough that nothing expires before everything is measured.
      return encodeCommand(["EXPIRE", `string:${key}`, "864000"]);
  }
}

interface LogFile {
  readonly directory: string;
  /** In the increment. */
  readonly commandCount: number;
  readonly keyCount: number;
  /** When the last command had been written, ms since 1970. */
  readonly writtenMs: number;
}

export async function measureLogFiles(plan: Plan): Promise<Row[]> {
  return [...(await measureReplay(plan)), ...(plan.isTrial ? [] : await measureGoingBack(plan))];
}

async function measureReplay(plan: Plan): Promise<Row[]> {
  const file = await writeLog(plan, "redis", REPLAY_COMMANDS[plan.mode], []);
  const rates = bySide<number[]>(() => []);
  for (let round = 0; round < Math.min(plan.rounds, REPLAY_ROUNDS_MAX[plan.mode]); round++) {
    for (const side of sidesOf(round)) {
      plan.progress(`log, loading ${file.commandCount / 1e6} M commands: ${side}`);
      rates[side].push(file.commandCount / (await load(plan, side, file, [])).seconds);
    }
  }
  const label = `loading ${file.commandCount / 1e6} M commands, written by Redis`;
  return [makeRow("log/replay/redis/rate", label, "cmd/s", "higher", rates)];
}

async function measureGoingBack(plan: Plan): Promise<Row[]> {
  const file = await writeLog(plan, "subject", HISTORY_COMMANDS[plan.mode], HISTORY);
  const { commandCount } = file;
  const millions = `${commandCount / 1e6} M commands`;
  const rates: number[] = [];
  const restoreSeconds: number[] = [];
  const shares: number[] = [];
  const historySeconds: number[] = [];
  for (let round = 0; round < Math.min(plan.rounds, HISTORY_ROUNDS_MAX[plan.mode]); round++) {
    plan.progress(`log, loading, restoring and searching ${millions} with their times`);
    const loaded = await load(plan, "subject", file, HISTORY);
    rates.push(commandCount / loaded.seconds);
    const output = join(plan.factory.makeDirectory("restored"), "restored");
    const moment = ["--to", `${file.writtenMs}`, "--output", output];
    const seconds = await runEverkey(plan, ["restore", "--dir", file.directory, ...moment]);
    restoreSeconds.push(seconds);
    shares.push(loaded.startSeconds / seconds);
    historySeconds.push(await runEverkey(plan, ["history", "--dir", file.directory, "--key", "zset:42"]));
  }
  return [
    makeRow("log/replay/own/rate", `loading ${millions} with their times`, "cmd/s", "higher", alone(rates)),
    makeRow("log/restore/time", `restore of ${millions} to a time`, "s", "lower", alone(restoreSeconds)),
    makeRow("log/restore/share", "  speed, of a start on the same files", "x", "higher", alone(shares)),
    makeRow(
      `log/history/${commandCount}/time`,
      `history of one key in ${millions}`,
      "s",
      "lower",
      alone(historySeconds),
    ),
  ];
}

function alone(subject: readonly number[]): Samples {
  return { subject, redis: [] };
}

/** A data directory with a small base and an increment of `commandCount` commands, written by `side`. */
async function writeLog(plan: Plan, side: Side, commandCount: number, directives: readonly string[]): Promise<LogFile> {
  plan.progress(`log, writing ${commandCount / 1e6} M commands: ${side}`);
  const baseCount = Math.ceil(commandCount * BASE_SHARE);
  const server = await plan.factory.start(side, { directives: appendOnly("no", ...directives) });
  const client = await Client.open(server.port);
  await client.pour(baseCount, (index) => smallCommand(index, commandCount));
  await client.must("BGREWRITEAOF");
  while ((await client.info("persistence")).get("aof_rewrite_in_progress") !== "0") await pause(10);
  await client.pour(commandCount, (index) => smallCommand(index, commandCount));
  const keyCount = Number(await client.must("DBSIZE"));
  client.close();
  await plan.factory.stop(server);
  return { directory: server.directory, commandCount, keyCount, writtenMs: Date.now() };
}

async function load(
  plan: Plan,
  side: Side,
  file: LogFile,
  directives: readonly string[],
): Promise<{ seconds: number; startSeconds: number }> {
  const { directory } = file;
  const server = await plan.factory.start(side, { directory, directives: appendOnly("no", ...directives) });
  const client = await Client.open(server.port);
  const keyCount = await client.must("DBSIZE");
  client.close();
  await plan.factory.stop(server);
  if (keyCount !== file.keyCount) throw new Error(`${side} loaded ${String(keyCount)} keys of ${file.keyCount}`);
  return { seconds: secondsOf(server), startSeconds: server.startMs / 1000 };
}

function secondsOf(server: Server): number {
  const match = /DB loaded from append only file: ([\d.]+) seconds/.exec(server.log);
  if (match === null) throw new Error(`${server.side} does not say how long it loaded:\n${server.log}`);
  return Number(match[1]);
}

/** Seconds from the start of the program to its end. Rejects when it fails. */
function runEverkey(plan: Plan, words: readonly string[]): Promise<number> {
  const [program, ...leading] = plan.everkey;
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    execFile(program!, [...leading, ...words], (error, _, stderr) => {
      if (error === null) resolve((performance.now() - startMs) / 1000);
      else reject(new Error(`everkey ${words[0]}: ${stderr.trim() || error.message}`));
    });
  });
}
