/**
 * `npm run bench`: Everkey and the real redis-server side by side on loopback, each measurement in turns between them.
 *
 *      options ─► servers ─► throughput │ memory │ snapshot │ stalls │ large │ commands │ log ─► rows ─► tables, --json
 *
 *  I1  Numbers are only compared within one run: ratios carry from machine to machine, digits do not.
 *  I2  Progress goes to standard error, tables to standard output.
 */

import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { measureLog } from "./append-only.ts";
import { measureCommands } from "./commands.ts";
import { measureLargeValues } from "./large-values.ts";
import { measureMemory } from "./memory.ts";
import { type MeasurementName, type Options, parseOptions } from "./options.ts";
import type { Plan } from "./plan.ts";
import { type Row, rowTable, summary, throughputTable } from "./report.ts";
import { type Launch, ServerFactory } from "./servers.ts";
import { measureSnapshot } from "./snapshot.ts";
import { measureStalls } from "./stalls.ts";
import { measureThroughput } from "./throughput.ts";

const TITLES: Readonly<Record<MeasurementName, string>> = {
  throughput: "Throughput and CPU time of the server (50 connections, 3-byte values, random keys)",
  memory: "Memory for 1 M keys `key:N` with 3-byte values",
  snapshot: "Saving and loading (100-byte values, every second one incompressible)",
  stalls: "Longest wait for a reply to PING, less the time that the kernel gave the CPU to others",
  large: "Large values, one connection",
  commands: "Single commands on collections of 1 M elements: until the whole reply is there",
  log: "The append-only file: its cost, loading, rewriting, going back",
};

const MEASURES: Readonly<Record<MeasurementName, (plan: Plan) => Promise<Row[]>>> = {
  throughput: measureThroughput,
  memory: measureMemory,
  snapshot: measureSnapshot,
  stalls: measureStalls,
  large: measureLargeValues,
  commands: measureCommands,
  log: measureLog,
};

/** A machine with more load than this before the bench starts gives doubtful numbers. */
const LOAD_AVERAGE_MAX = 0.7;

async function main(options: Options): Promise<void> {
  const launch = launchOf(options);
  const machine = describeMachine(options, launch);
  const factory = new ServerFactory(launch);
  process.once("exit", () => factory.abandonAll());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

  const { mode, rounds, familyFilter } = options;
  const isTrial = options.subject === "redis";
  const everkey = [options.node, programOf(options)];
  const plan: Plan = { mode, rounds, familyFilter, factory, everkey, isTrial, progress };
  const subjectName = options.subject === "everkey" ? "Everkey" : "Subject";
  const rows: Row[] = [];
  const failures: string[] = [];
  const startedAt = new Date();
  for (const name of options.measurements) {
    let measured: Row[];
    try {
      measured = await MEASURES[name](plan);
    } catch (error) {
      // The other measurements still tell something; the exit code tells that this one is missing.
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      console.log(`\n${TITLES[name]}\n\n  FAILED: ${failures.at(-1)}`);
      continue;
    } finally {
      clearProgress();
      await factory.stopAll();
    }
    rows.push(...measured);
    const table = name === "throughput" ? throughputTable : rowTable;
    console.log(`\n${TITLES[name]}\n\n${table(measured, subjectName)}`);
    // Written after each part: a failure later loses nothing.
    if (options.json !== undefined) {
      writeFileSync(
        options.json,
        `${JSON.stringify({ startedAt, mode, rounds, machine, failures, rows }, undefined, 1)}\n`,
      );
    }
  }
  const seconds = ((Date.now() - startedAt.getTime()) / 1000).toFixed(0);
  console.log(`\n${summary(rows)}\n\n${Object.values(machine).join(" | ")} | ${mode}, ${rounds} rounds, ${seconds} s`);
  for (const failure of failures) console.error(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

function programOf(options: Options): string {
  // From dist/bench/run.js to the checkout's own program.
  return options.server ?? fileURLToPath(new URL("../../bin/everkey", import.meta.url));
}

function launchOf(options: Options): Launch {
  const program = programOf(options);
  if (options.subject === "everkey" && !existsSync(program)) throw new Error(`there is no ${program}`);
  const redis = ["redis-server"];
  return { subject: options.subject === "redis" ? redis : [options.node, program, "server"], redis };
}

function describeMachine(options: Options, launch: Launch): Record<string, string> {
  const version = (program: string) => {
    try {
      return execFileSync(program, ["--version"], { encoding: "latin1" }).trim();
    } catch (cause) {
      throw new Error(`${program} does not run; Debian's packages redis-server and redis-tools bring it`, { cause });
    }
  };
  version("redis-benchmark");
  const processors = cpus();
  const load = loadavg()[0]!;
  if (load > LOAD_AVERAGE_MAX) progress(`the machine is busy (load ${load.toFixed(2)}): numbers will be noisy\n`);
  return {
    processor: `${processors.length} x ${processors[0]!.model.trim()}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: `Linux ${release()}`,
    node: `Node ${options.subject === "everkey" ? version(options.node) : process.version}`,
    redis: `Redis ${/v=([\d.]+)/.exec(version(launch.redis[0]!))?.[1] ?? "?"}`,
    load: `load before ${load.toFixed(2)}`,
  };
}

/** One line that is written over on a terminal, and a line each elsewhere. */
function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[2K${text}` : `${text}\n`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
}

try {
  const options = parseOptions(process.argv.slice(2));
  await main(options);
} catch (error) {
  clearProgress();
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
