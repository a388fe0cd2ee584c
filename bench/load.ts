/**
 * The load: data poured in through one connection, and redis-benchmark, which is C and cheap, for everything that is timed.
 *
 *      bench process ──pour──► server        (before a measurement)
 *      redis-benchmark -c 50 -P n ──► server (the measurement; CSV on its standard output)
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import type { Client } from "./client.ts";
import { DATASETS, type DatasetName } from "./families.ts";

const CONNECTION_COUNT = 50;

export interface BenchmarkRun {
  readonly port: number;
  readonly command: readonly string[];
  readonly requestCount: number;
  readonly pipelineDepth: number;
  /** `__rand_int__` is drawn from [0, keyCount). */
  readonly keyCount: number;
}

function benchmarkArguments(run: BenchmarkRun): string[] {
  const where = ["-h", "127.0.0.1", "-p", `${run.port}`, "-c", `${CONNECTION_COUNT}`];
  const size = ["-n", `${run.requestCount}`, "-P", `${run.pipelineDepth}`, "-r", `${run.keyCount}`];
  return [...where, ...size, "--csv", ...run.command];
}

/** Runs redis-benchmark to its end; requests per second as it reports them. Rejects when the server answers an error. */
export function runBenchmark(run: BenchmarkRun): Promise<number> {
  return new Promise((resolve, reject) => {
    execFile("redis-benchmark", benchmarkArguments(run), (error, stdout, stderr) => {
      const line = stdout.split("\n").find((text) => text.startsWith(`"${run.command[0]}`));
      const requestsPerSecond = Number(line?.split('","')[1]);
      if (error !== null || !(requestsPerSecond > 0)) {
        reject(new Error(`redis-benchmark ${run.command.join(" ")}: ${stderr.trim() || error?.message || stdout}`));
      } else {
        resolve(requestsPerSecond);
      }
    });
  });
}

const SET_ANY = ["SET", "key:__rand_int__", "yyy"];

/** A write load without end; `stopLoad` ends it. */
export function startWriteLoad(port: number, keyCount: number, command: readonly string[] = SET_ANY): ChildProcess {
  const run = { port, command, requestCount: 1e9, pipelineDepth: 16, keyCount };
  return spawn("redis-benchmark", benchmarkArguments(run), { stdio: "ignore" });
}

export async function stopLoad(load: ChildProcess): Promise<void> {
  if (load.exitCode !== null) throw new Error("redis-benchmark ended before it was told to");
  const gone = new Promise((resolve) => load.once("exit", resolve));
  load.kill("SIGTERM");
  await gone;
}

/** Empties the server and fills it with `dataset`. Returns how many keys it has now. */
export async function refill(client: Client, dataset: DatasetName, keyCount: number): Promise<number> {
  const { keys, make } = DATASETS[dataset];
  const count = keys(keyCount);
  await client.must("FLUSHALL", "SYNC");
  if (make !== undefined) await client.pour(count, make);
  return count;
}
