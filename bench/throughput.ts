/**
 * Requests per second, and CPU microseconds of the server per request.
 *
 *      for each key count: one server of each side
 *        for each family and pipeline depth:  warm-up A, B  then rounds  A B | B A | A B ...  each a redis-benchmark run
 *
 *  I1  Both sides serve the same number of requests; it is chosen on the warm-up of the slower side.
 *  I2  CPU is the server's alone, all threads, from before redis-benchmark starts until it has ended.
 */

import { Client, ReplyFailure } from "./client.ts";
import { DATASETS, FAMILIES, type Family } from "./families.ts";
import { refill, runBenchmark } from "./load.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { cpuMicroseconds } from "./process-usage.ts";
import { makeRow, type Row } from "./report.ts";
import { type Server, SIDES, type Side } from "./servers.ts";

const KEY_COUNTS = [100_000, 1_000_000];
const PIPELINE_DEPTHS = [1, 16, 64];
const WARM_UP_REQUESTS: Readonly<Record<number, number>> = { 1: 8_000, 16: 60_000, 64: 100_000 };
const RUN_SECONDS = { quick: 0.2, normal: 0.6, full: 1 };

export interface Target {
  readonly server: Server;
  readonly client: Client;
}

export type Targets = Readonly<Record<Side, Target>>;

export async function measureThroughput(plan: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  const families = FAMILIES.filter((family) => plan.familyFilter?.has(family.name.toUpperCase()) ?? true);
  for (const keyCount of KEY_COUNTS) {
    const targets = { subject: await open(plan, "subject"), redis: await open(plan, "redis") };
    let clean: string | undefined;
    for (const family of families) {
      const depths = PIPELINE_DEPTHS.filter((depth) => isInPlan(plan, family, keyCount, depth));
      if (depths.length === 0) continue;
      if (clean !== family.dataset) await refillBoth(targets, family, keyCount);
      clean = family.spoils || family.consumes ? undefined : family.dataset;
      const refusal = await probe(targets, family);
      if (refusal !== undefined) {
        plan.progress(`throughput ${family.name}: skipped, ${refusal}`);
        continue;
      }
      for (const depth of depths) rows.push(...(await measureFamily(plan, targets, family, keyCount, depth)));
    }
    for (const side of SIDES) {
      targets[side].client.close();
      await plan.factory.stop(targets[side].server);
    }
  }
  return rows;
}

async function open(plan: Plan, side: Side): Promise<Target> {
  const server = await plan.factory.start(side);
  return { server, client: await Client.open(server.port) };
}

/** Quick mode: GET and SET everywhere, the other main families with 100 k keys, the rest only when they are named. */
function isInPlan(plan: Plan, family: Family, keyCount: number, depth: number): boolean {
  if (plan.mode !== "quick" || family.name === "GET" || family.name === "SET") return true;
  if (keyCount !== 100_000) return false;
  return family.isMain === true || (plan.familyFilter !== undefined && depth === 16);
}

async function refillBoth(targets: Targets, family: Family, keyCount: number): Promise<void> {
  for (const side of SIDES) {
    // What a server cannot hold yet is found by the probe, with the server's own words.
    await refill(targets[side].client, family.dataset, keyCount).catch(() => undefined);
  }
}

/** The reason why `family` cannot be measured, if there is one. */
async function probe(targets: Targets, family: Family): Promise<string | undefined> {
  for (const side of SIDES) {
    const args = family.command.map((arg) => arg.replaceAll("__rand_int__", "000000000000"));
    const reply = await targets[side].client.ask(...args);
    if (reply instanceof ReplyFailure) return `${side}: ${reply.message}`;
  }
  return undefined;
}

async function measureFamily(
  plan: Plan,
  targets: Targets,
  family: Family,
  keyCount: number,
  pipelineDepth: number,
): Promise<Row[]> {
  plan.progress(`throughput ${family.name}, ${keyCount} keys, P=${pipelineDepth}`);
  const { perSecond, perRequest } = await measurePace(plan, targets, family, keyCount, pipelineDepth);
  const id = `throughput/${family.name}/${keyCount}/P=${pipelineDepth}`;
  const keys = keyCount >= 1_000_000 ? `${keyCount / 1_000_000} M` : `${keyCount / 1000} k`;
  const label = `${family.name.padEnd(10)} ${keys.padStart(5)}  P=${pipelineDepth}`;
  return [
    makeRow(`${id}/rps`, label, "req/s", "higher", perSecond),
    makeRow(`${id}/cpu`, label, "CPU us", "lower", perRequest),
  ];
}

/** Requests per second, and CPU microseconds per request; one sample a round. */
export interface Pace {
  readonly perSecond: Record<Side, number[]>;
  readonly perRequest: Record<Side, number[]>;
}

/** The family's data, made from `keyCount`, is there. */
export async function measurePace(
  plan: Plan,
  targets: Targets,
  family: Family,
  keyCount: number,
  pipelineDepth: number,
  warmUpRequests = WARM_UP_REQUESTS[pipelineDepth]!,
): Promise<Pace> {
  const perSecond = bySide<number[]>(() => []);
  const perRequest = bySide<number[]>(() => []);
  const base = { command: family.command, pipelineDepth, keyCount: DATASETS[family.dataset].keys(keyCount) };

  let slowest = Number.POSITIVE_INFINITY;
  for (const side of SIDES) {
    const requestCount = Math.min(warmUpRequests, family.consumes ? keyCount : Infinity);
    slowest = Math.min(slowest, await runBenchmark({ ...base, requestCount, port: targets[side].server.port }));
  }
  const wanted = Math.ceil(slowest * RUN_SECONDS[plan.mode]);
  const requestCount = family.consumes ? Math.min(wanted, keyCount) : wanted;

  for (let round = 0; round < plan.rounds; round++) {
    for (const side of sidesOf(round)) {
      const { server, client } = targets[side];
      if (family.consumes) await refill(client, family.dataset, keyCount);
      const before = cpuMicroseconds(server.processId);
      perSecond[side].push(await runBenchmark({ ...base, requestCount, port: server.port }));
      perRequest[side].push((cpuMicroseconds(server.processId) - before) / requestCount);
    }
  }
  return { perSecond, perRequest };
}
