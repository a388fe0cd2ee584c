/**
 * The longest time that nobody is served, while the server does what is known to stop servers.
 *
 *      both sides:  idle │ growth 0 → N │ writes │ writes + BGSAVE │ FLUSHALL SYNC │ expiry at once │ FLUSHALL ASYNC
 *      prober       PING every half ms, in a process of its own (prober.ts)
 *
 *  I1  Phases alternate between the sides, each phase on data of the same size.
 *  I2  What BGSAVE causes is its phase less the phase with the same writes and no BGSAVE.
 *  I3  Beside the prober's view stands the server's own, where it has one: the longest turn of its event loop
 *      (INFO section "everkey"), reset before each phase.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Client } from "./client.ts";
import { benchmarkKey, DATASETS } from "./families.ts";
import { refill, startWriteLoad, stopLoad } from "./load.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import type { ProbeReport } from "./prober.ts";
import { residentBytesFast } from "./process-usage.ts";
import { makeRow, type Row } from "./report.ts";
import { pause, type Server, SIDES, type Side } from "./servers.ts";

const KEY_COUNT = { quick: 1_000_000, normal: 5_000_000, full: 10_000_000 };
const BGSAVE_KEY_COUNT = { quick: 1_000_000, normal: 5_000_000, full: 5_000_000 };
const EXPIRY_KEY_COUNT = { quick: 200_000, normal: 1_000_000, full: 1_000_000 };
const EXPIRY_AFTER_MS = { quick: 3_000, normal: 8_000, full: 8_000 };
/** Few enough that serving all that is under way takes well under a ms: the table's growth is looked for, not the queue. */
const GROWTH_WINDOW_COMMANDS = 512;
const EXPIRY_AFTER_MS_MAX = 64_000;
const WRITES_MS = { quick: 1_500, normal: 5_000, full: 10_000 };
const COLLECTION_SIZE = 1_000_000;
const COLLECTION_WRITES = {
  oneHash: ["hash", ["HSET", "large", "field:__rand_int__", "yyy"]],
  oneSortedSet: ["zset", ["ZADD", "large", "__rand_int__", "member:__rand_int__"]],
} as const;
const IDLE_MS = 1_000;
const LOAD_SETTLE_MS = 500;
const AFTERMATH_MS = 300;
const EXPIRY_MS_MAX = 30_000;
const SAMPLE_MS = 10;
const MB = 1e6;

interface Phase {
  readonly name: string;
  readonly label: string;
  readonly run: (subject: Subject, notes: Map<string, number>) => Promise<void>;
  /** Work before the prober looks. */
  readonly prepare?: (subject: Subject) => Promise<void>;
}

interface Subject {
  readonly server: Server;
  readonly client: Client;
  readonly prober: Prober;
}

interface Outcome {
  readonly report: ProbeReport;
  /** Undefined where the server does not say. */
  readonly turnMs: number | undefined;
  readonly notes: ReadonlyMap<string, number>;
}

/** The other process, seen from here. */
class Prober {
  private readonly child: ChildProcess;

  constructor(server: Server) {
    const script = fileURLToPath(new URL("./prober.js", import.meta.url));
    this.child = fork(script, [`${server.port}`, `${server.processId}`], { serialization: "advanced" });
  }

  async begin(): Promise<void> {
    await this.request("begin");
  }

  report(): Promise<ProbeReport> {
    return this.request("report") as Promise<ProbeReport>;
  }

  private request(message: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const exited = () => reject(new Error("the prober ended"));
      this.child.once("exit", exited);
      this.child.once("message", (answer) => {
        this.child.off("exit", exited);
        resolve(answer);
      });
      this.child.send(message);
    });
  }

  end(): void {
    this.child.kill();
  }
}

export async function measureStalls(plan: Plan): Promise<Row[]> {
  const subjects = { subject: await open(plan, "subject"), redis: await open(plan, "redis") };
  const rows: Row[] = [];
  const outcomes = new Map<string, Record<Side, Outcome>>();
  try {
    for (const [round, phase] of phasesOf(plan).entries()) {
      const outcome: Partial<Record<Side, Outcome>> = {};
      for (const side of sidesOf(round)) {
        plan.progress(`stalls, ${phase.label}: ${side}`);
        outcome[side] = await runPhase(phase, subjects[side]);
      }
      outcomes.set(phase.name, outcome as Record<Side, Outcome>);
      rows.push(...phaseRows(phase, outcome as Record<Side, Outcome>));
    }
  } finally {
    for (const side of SIDES) {
      subjects[side].prober.end();
      subjects[side].client.close();
      await plan.factory.stop(subjects[side].server);
    }
  }
  rows.push(causedBySave(outcomes));
  return rows;
}

async function open(plan: Plan, side: Side): Promise<Subject> {
  const server = await plan.factory.start(side);
  return { server, client: await Client.open(server.port), prober: new Prober(server) };
}

async function runPhase(phase: Phase, subject: Subject): Promise<Outcome> {
  const notes = new Map<string, number>();
  await phase.prepare?.(subject);
  await subject.client.must("CONFIG", "RESETSTAT");
  await subject.prober.begin();
  await phase.run(subject, notes);
  const report = await subject.prober.report();
  const turn = (await subject.client.info("everkey")).get("loop_longest_turn_us");
  return { report, turnMs: turn === undefined ? undefined : Number(turn) / 1000, notes };
}

function phasesOf(plan: Plan): Phase[] {
  const keyCount = KEY_COUNT[plan.mode];
  const saveKeyCount = BGSAVE_KEY_COUNT[plan.mode];
  const expiryCount = EXPIRY_KEY_COUNT[plan.mode];
  const make = DATASETS.short.make!;
  const empty = async ({ client }: Subject) => {
    await client.must("FLUSHALL", "SYNC");
  };
  const ensure =
    (count: number) =>
    async ({ client }: Subject) => {
      if ((await client.must("DBSIZE")) === count) return;
      await client.must("FLUSHALL", "SYNC");
      await client.pour(count, make);
    };
  const millions = (count: number) => `${count / 1e6} M keys`;
  return [
    { name: "idle", label: "idle", run: () => pause(IDLE_MS) },
    {
      name: "growth",
      label: `growth to ${millions(keyCount)}`,
      prepare: empty,
      run: ({ client }, notes) => timed(notes, "s", 1000, () => client.pour(keyCount, make, GROWTH_WINDOW_COMMANDS)),
    },
    {
      name: "writes",
      label: `SET load, ${millions(saveKeyCount)}`,
      prepare: ensure(saveKeyCount),
      run: ({ server }) => underLoad(server, saveKeyCount, () => pause(WRITES_MS[plan.mode])),
    },
    {
      name: "bgsave",
      label: `BGSAVE + SET load, ${millions(saveKeyCount)}`,
      prepare: ensure(saveKeyCount),
      run: (subject, notes) => underLoad(subject.server, saveKeyCount, () => saveInBackground(subject, notes)),
    },
    {
      name: "flush-sync",
      label: `FLUSHALL SYNC, ${millions(keyCount)}`,
      prepare: ensure(keyCount),
      run: ({ client }, notes) => flush(client, notes, "SYNC"),
    },
    {
      name: "flush-async",
      label: `FLUSHALL ASYNC, ${millions(keyCount)}`,
      prepare: ensure(keyCount),
      run: ({ client }, notes) => flush(client, notes, "ASYNC"),
    },
    expiryPhase(expiryCount, EXPIRY_AFTER_MS[plan.mode]),
    ...(["oneHash", "oneSortedSet"] as const).flatMap((dataset) => collectionPhases(dataset, plan)),
  ];
}

/** A collection of a million elements under writes, without and with a snapshot being made of it. */
function collectionPhases(dataset: "oneHash" | "oneSortedSet", plan: Plan): Phase[] {
  const [label, command] = COLLECTION_WRITES[dataset];
  const prepare = async ({ client }: Subject) => {
    if ((await client.must("DBSIZE")) === 1 && (await client.must("TYPE", "large")) === label.split(" ")[0]) return;
    await refill(client, dataset, COLLECTION_SIZE);
  };
  const writes = (server: Server, work: () => Promise<void>) => underLoad(server, COLLECTION_SIZE, work, command);
  return [
    {
      name: `${dataset}-writes`,
      label: `writes to a ${label} of 1 M`,
      prepare,
      run: ({ server }) => writes(server, () => pause(WRITES_MS[plan.mode])),
    },
    {
      name: `${dataset}-bgsave`,
      label: "  with BGSAVE",
      prepare,
      run: (subject, notes) => writes(subject.server, () => saveInBackground(subject, notes)),
    },
  ];
}

/** `expiryCount` keys that all end at the same ms; the data is poured in and waited for before the prober looks. */
function expiryPhase(expiryCount: number, afterMs: number): Phase {
  return {
    name: "expiry",
    label: `expiry of ${expiryCount / 1e6} M keys at once`,
    prepare: ({ client }) => fillForExpiry(client, expiryCount, afterMs),
    run: ({ client }, notes) =>
      timed(notes, "s", 1000, async () => {
        const startMs = performance.now();
        await pause(100);
        while (Number(await client.must("DBSIZE")) > expiryCount / 100) {
          if (performance.now() - startMs > EXPIRY_MS_MAX) break;
          await pause(SAMPLE_MS);
        }
      }),
  };
}

/** Returns shortly before the keys end. A machine too slow to fill in `afterMs` gets twice the time, and again. */
async function fillForExpiry(client: Client, expiryCount: number, afterMs: number): Promise<void> {
  for (; afterMs <= EXPIRY_AFTER_MS_MAX; afterMs *= 2) {
    await client.must("FLUSHALL", "SYNC");
    const dueMs = Date.now() + afterMs;
    const tail = `$3\r\nxxx\r\n$4\r\nPXAT\r\n$13\r\n${dueMs}\r\n`;
    await client.pour(expiryCount, (index) => `*5\r\n$3\r\nSET\r\n$16\r\n${benchmarkKey(index)}\r\n${tail}`);
    const leftMs = dueMs - Date.now();
    if (leftMs < 100) continue;
    await pause(leftMs - 50);
    return;
  }
  throw new Error(`filling ${expiryCount} keys took longer than ${EXPIRY_AFTER_MS_MAX} ms`);
}

async function timed(notes: Map<string, number>, name: string, divisor: number, work: () => Promise<unknown>) {
  const startMs = performance.now();
  await work();
  notes.set(name, (performance.now() - startMs) / divisor);
}

/** The load has settled before `work` begins; what it did until then is in the phase too, in both phases alike. */
async function underLoad(
  server: Server,
  keyCount: number,
  work: () => Promise<void>,
  command?: readonly string[],
): Promise<void> {
  const load = startWriteLoad(server.port, keyCount, command);
  try {
    await pause(LOAD_SETTLE_MS);
    await work();
  } finally {
    await stopLoad(load);
  }
}

async function flush(client: Client, notes: Map<string, number>, how: "SYNC" | "ASYNC"): Promise<void> {
  await timed(notes, "reply ms", 1, () => client.must("FLUSHALL", how));
  await pause(AFTERMATH_MS);
}

/** BGSAVE to its end; notes the seconds and how far the resident memory rose above the level before. */
async function saveInBackground({ server, client }: Subject, notes: Map<string, number>): Promise<void> {
  const before = residentBytesFast(server.processId);
  let highest = before;
  const sampler = setInterval(() => {
    highest = Math.max(highest, residentBytesFast(server.processId));
  }, SAMPLE_MS);
  const startMs = performance.now();
  try {
    await client.must("BGSAVE");
    let fields = await client.info("persistence");
    while (fields.get("rdb_bgsave_in_progress") !== "0") {
      await pause(2 * SAMPLE_MS);
      fields = await client.info("persistence");
    }
    notes.set("s", (performance.now() - startMs) / 1000);
    // A forked child's copied pages are memory too, and not in the parent's count.
    notes.set("memory MB", (highest - before + Number(fields.get("rdb_last_cow_size") ?? 0)) / MB);
  } finally {
    clearInterval(sampler);
  }
}

function phaseRows(phase: Phase, outcome: Record<Side, Outcome>): Row[] {
  const pick = (value: (outcome: Outcome) => number | undefined) => {
    const samples = bySide<number[]>(() => []);
    for (const side of SIDES) {
      const sample = value(outcome[side]);
      if (sample !== undefined) samples[side].push(sample);
    }
    return samples;
  };
  const id = `stall/${phase.name}`;
  const rows = [
    makeRow(
      `${id}/net`,
      phase.label,
      "ms max",
      "lower",
      pick(({ report }) => report.netMaxMs),
      worstOf(outcome.subject),
    ),
    makeRow(
      `${id}/raw`,
      "  with waiting for a CPU",
      "ms max",
      "lower",
      pick(({ report }) => report.maxMs),
    ),
    makeRow(
      `${id}/p999`,
      "  99.9 % of replies within",
      "ms",
      "lower",
      pick(({ report }) => report.p999Ms),
    ),
    makeRow(
      `${id}/turn`,
      "  the loop's longest turn",
      "ms",
      "lower",
      pick(({ turnMs }) => turnMs),
    ),
  ];
  const texts: Record<string, [string, string, string]> = {
    s: ["seconds", "  time of it all", "s"],
    "reply ms": ["reply", "  reply after", "ms"],
    "memory MB": ["memory", "  growth of RSS, copied pages", "MB"],
  };
  for (const [note, [suffix, label, unit]] of Object.entries(texts)) {
    const samples = pick(({ notes }) => notes.get(note));
    if (samples.redis.length > 0) rows.push(makeRow(`${id}/${suffix}`, label, unit, "lower", samples));
  }
  return rows;
}

/** When the subject's worst probe happened, for the one who looks for its cause. */
function worstOf({ report }: Outcome): string {
  const worst = report.worst[0];
  return worst === undefined || worst.netMs < 1 ? "" : `(after ${worst.atMs.toFixed(0)} ms)`;
}

function causedBySave(outcomes: ReadonlyMap<string, Record<Side, Outcome>>): Row {
  const caused = (side: Side) => {
    const without = outcomes.get("writes")![side].report.netMaxMs;
    return [Math.max(0, outcomes.get("bgsave")![side].report.netMaxMs - without)];
  };
  const samples = { subject: caused("subject"), redis: caused("redis") };
  return makeRow("stall/bgsave/caused", "caused by BGSAVE (difference)", "ms max", "lower", samples);
}
