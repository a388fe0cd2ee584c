/**
 * What the append-only file costs: requests per second and CPU, without it and under each policy; and what many clients
 * lose to a device that is slow to sync.
 *
 *      settings   off │ everysec │ everysec + history-keep (Everkey alone) │ always │ always, fsync takes 2 ms │ 8 ms
 *      each       a server of each side, all started at once; SET, HSET, LPUSH, INCR as the throughput measurement has them
 *
 *  I1  Nothing is rewritten meanwhile: the file only grows, on both sides.
 *  I2  Where a setting exists on one side alone, the other side's column is the setting that is named beside it.
 *  I3  Slow devices are made by slow-sync.ts. Their files lie in memory where the system has a place for that, so that an
 *      fsync takes the given time and no more. A row whose delay does not reach a server is left out.
 */

import { existsSync } from "node:fs";
import { Client } from "./client.ts";
import { FAMILIES, type Family } from "./families.ts";
import { refill, runBenchmark } from "./load.ts";
import type { Plan } from "./plan.ts";
import { makeRow, type Row } from "./report.ts";
import { SIDES, type Side, type StartOptions } from "./servers.ts";
import { buildSlowSync, slowSyncEnvironment } from "./slow-sync.ts";
import { measurePace, type Target, type Targets } from "./throughput.ts";

const KEY_COUNT = 100_000;
const SYNC_MS = { quick: [2], normal: [2, 8], full: [2, 8] };
const ROUND_COUNT_MAX = { quick: 2, normal: 4, full: 6 };
const QUICK_FAMILIES = new Set(["SET", "HSET"]);
/** Pipeline depth and requests. */
const WARM_UP = [
  [16, 100_000],
  [1, 10_000],
] as const;
/** Enough for compiled code, and a second where an fsync takes 8 ms. */
const SLOW_WARM_UP_REQUESTS = 3000;
const MEMORY_DIRECTORY = "/dev/shm";

/** `appendonly yes` with this policy; the file is never rewritten by itself. */
export function appendOnly(policy: string, ...more: string[]): string[] {
  return ["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0", ...more];
}

interface Setting {
  readonly name: string;
  readonly label: string;
  readonly directives: Readonly<Record<Side, readonly string[]>>;
  /** Family and pipeline depth. */
  readonly cases: readonly (readonly [string, number])[];
}

function both(directives: readonly string[]): Setting["directives"] {
  return { subject: directives, redis: directives };
}

const SETTINGS: readonly Setting[] = [
  {
    name: "no",
    label: "no file",
    directives: both([]),
    cases: [
      ["SET", 16],
      ["SET", 1],
    ],
  },
  {
    name: "everysec",
    label: "everysec",
    directives: both(appendOnly("everysec")),
    cases: [
      ["SET", 16],
      ["HSET", 16],
      ["LPUSH", 16],
      ["INCR", 16],
      ["SET", 1],
    ],
  },
  {
    name: "history",
    label: "everysec, history",
    directives: {
      subject: appendOnly("everysec", "--history-keep", "1d"),
      redis: appendOnly("everysec"),
    },
    cases: [["SET", 16]],
  },
  { name: "always", label: "always", directives: both(appendOnly("always")), cases: [["SET", 1]] },
];

export async function measureLogPace(fullPlan: Plan): Promise<Row[]> {
  const plan = { ...fullPlan, rounds: Math.min(fullPlan.rounds, ROUND_COUNT_MAX[fullPlan.mode]) };
  const rows: Row[] = [];
  for (const setting of SETTINGS) {
    const targets = await openBoth(plan, (side) => ({ directives: withoutUnknown(plan, side, setting) }));
    await warmUp(targets);
    for (const [name, depth] of setting.cases) {
      if (plan.mode === "quick" && !QUICK_FAMILIES.has(name)) continue;
      const family = familyOf(name);
      plan.progress(`log, ${setting.label}: ${name}, P=${depth}`);
      for (const side of SIDES) await refill(targets[side].client, family.dataset, KEY_COUNT);
      const { perSecond, perRequest } = await measurePace(plan, targets, family, KEY_COUNT, depth);
      const id = `log/pace/${name}/P=${depth}/${setting.name}`;
      rows.push(makeRow(`${id}/rps`, `${name} P=${depth}, ${setting.label}`, "req/s", "higher", perSecond));
      rows.push(makeRow(`${id}/cpu`, "  CPU of the server", "us", "lower", perRequest));
    }
    await closeBoth(plan, targets);
  }
  // What is compared stands together.
  const groupOf = ({ id }: Row) => id.split("/").slice(2, 4).join("/");
  const groups = ["SET/P=1", ...new Set(rows.map(groupOf))];
  const ordered = [...new Set(groups)].flatMap((group) => rows.filter((row) => groupOf(row) === group));
  return [...ordered, ...(await measureSlowDevices(plan))];
}

/** A fresh server meets its first load: what is compiled at run time is compiled before anything is measured. */
async function warmUp(targets: Targets): Promise<void> {
  const { command } = familyOf("SET");
  for (const side of SIDES) {
    for (const [pipelineDepth, requestCount] of WARM_UP) {
      await runBenchmark({
        port: targets[side].server.port,
        command,
        requestCount,
        pipelineDepth,
        keyCount: KEY_COUNT,
      });
    }
  }
}

/** A second redis-server in Everkey's place knows no history. */
function withoutUnknown(plan: Plan, side: Side, setting: Setting): readonly string[] {
  return side === "subject" && plan.isTrial ? setting.directives.redis : setting.directives[side];
}

async function measureSlowDevices(plan: Plan): Promise<Row[]> {
  const library = buildSlowSync(plan.factory.makeDirectory("slow-sync"));
  if (library === undefined) {
    plan.progress("log: slow devices are left out, there is no gcc to build them with");
    return [];
  }
  const rows: Row[] = [];
  const family = familyOf("SET");
  const parent = existsSync(MEMORY_DIRECTORY) ? MEMORY_DIRECTORY : undefined;
  for (const syncMs of SYNC_MS[plan.mode]) {
    plan.progress(`log, always: SET, P=1, fsync of ${syncMs} ms`);
    const targets = await openBoth(plan, (side) => ({
      directory: plan.factory.makeDirectory(side, parent),
      directives: appendOnly("always"),
      environment: slowSyncEnvironment(library, syncMs),
    }));
    const untouched = await sideWithoutDelay(targets, syncMs);
    if (untouched === undefined) {
      for (const side of SIDES) await refill(targets[side].client, family.dataset, KEY_COUNT);
      const { perSecond } = await measurePace(plan, targets, family, KEY_COUNT, 1, SLOW_WARM_UP_REQUESTS);
      const label = `SET P=1, always, fsync takes ${syncMs} ms`;
      rows.push(makeRow(`log/slow/${syncMs}ms/rps`, label, "req/s", "higher", perSecond));
    } else {
      plan.progress(`log: an fsync of ${syncMs} ms is left out, ${untouched} syncs faster than that`);
    }
    await closeBoth(plan, targets);
  }
  return rows;
}

/** The side, if there is one, on which a single write does not take `syncMs`. */
async function sideWithoutDelay(targets: Targets, syncMs: number): Promise<Side | undefined> {
  for (const side of SIDES) {
    if ((await targets[side].client.time("SET", "probe", "x")) < syncMs * 0.95) return side;
  }
  return undefined;
}

function familyOf(name: string): Family {
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (family === undefined) throw new Error(`there is no family ${name}`);
  return family;
}

async function openBoth(plan: Plan, optionsOf: (side: Side) => StartOptions): Promise<Targets> {
  return { subject: await open(plan, "subject", optionsOf), redis: await open(plan, "redis", optionsOf) };
}

async function open(plan: Plan, side: Side, optionsOf: (side: Side) => StartOptions): Promise<Target> {
  const server = await plan.factory.start(side, optionsOf(side));
  return { server, client: await Client.open(server.port) };
}

async function closeBoth(plan: Plan, targets: Targets): Promise<void> {
  for (const side of SIDES) {
    targets[side].client.close();
    await plan.factory.stop(targets[side].server);
  }
}
