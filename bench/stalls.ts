/**
 * The longest time that nobody is served, while the server does what is known to stop servers.
 *
 *      both sides:  idle │ growth 0 → N │ writes │ writes + BGSAVE │ FLUSHALL SYNC │ expiry at once │ FLUSHALL ASYNC
 *      prober       PING every half ms, in a process of its own (prober.ts, stall-phases.ts)
 *
 *  I1  Phases alternate between the sides, each phase on data of the same size.
 *  I2  What BGSAVE causes is its phase less the phase with the same writes and no BGSAVE.
 */

import type { Client } from "./client.ts";
import { benchmarkKey, DATASETS } from "./families.ts";
import { refill } from "./load.ts";
import type { Plan } from "./plan.ts";
import type { Row } from "./report.ts";
import { pause, type Server } from "./servers.ts";
import {
  causedRow,
  inBackground,
  measurePhases,
  type Phase,
  SAVE,
  type Subject,
  timed,
  underLoad,
} from "./stall-phases.ts";

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
const AFTERMATH_MS = 300;
const EXPIRY_MS_MAX = 30_000;
const SAMPLE_MS = 10;

export async function measureStalls(plan: Plan): Promise<Row[]> {
  const { rows, outcomes } = await measurePhases(plan, "stall", phasesOf(plan));
  rows.push(causedRow(outcomes, "stall/bgsave/caused", "caused by BGSAVE (difference)", "bgsave", "writes"));
  return rows;
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
      run: (subject, notes) => underLoad(subject.server, saveKeyCount, () => inBackground(SAVE, subject, notes)),
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
      run: (subject, notes) => writes(subject.server, () => inBackground(SAVE, subject, notes)),
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

async function flush(client: Client, notes: Map<string, number>, how: "SYNC" | "ASYNC"): Promise<void> {
  await timed(notes, "reply ms", 1, () => client.must("FLUSHALL", how));
  await pause(AFTERMATH_MS);
}
