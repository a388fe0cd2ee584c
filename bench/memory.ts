/**
 * Bytes per key and per element, in fresh servers: what INFO calls used_memory, and what the system counts as resident.
 *
 *      start ─► warm up with some keys, empty again ─► read ─► keys `key:N` with 3-byte values ─► read
 *
 *  I1  The growth counts from after the warm-up (compiled code and network buffers are not bytes per key); the growth
 *      from the very start is reported beside it.
 */

import { type Client, encodeCommand } from "./client.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { residentBytes } from "./process-usage.ts";
import { makeRow, type Row } from "./report.ts";
import { pause, type Server, withFreshServer } from "./servers.ts";

const WARM_UP_KEYS = 20_000;
const SETTLE_MS = 500;

export async function measureMemory(plan: Plan): Promise<Row[]> {
  const keyCount = 1_000_000;
  const used = bySide<number[]>(() => []);
  const resident = bySide<number[]>(() => []);
  const residentFromStart = bySide<number[]>(() => []);
  const rounds = plan.mode === "quick" ? 1 : Math.min(plan.rounds, 3);
  for (let round = 0; round < rounds; round++) {
    for (const side of sidesOf(round)) {
      plan.progress(`memory: ${side}, ${keyCount} keys`);
      await withFreshServer(plan.factory, side, async (server, client) => {
        const start = residentBytes(server.processId);
        await client.pour(WARM_UP_KEYS, setShort);
        await client.must("FLUSHALL", "SYNC");
        const before = await readMemory(server, client);
        await client.pour(keyCount, setShort);
        const after = await readMemory(server, client);
        used[side].push((after.used - before.used) / keyCount);
        resident[side].push((after.resident - before.resident) / keyCount);
        residentFromStart[side].push((after.resident - start) / keyCount);
      });
    }
  }
  const id = `memory/${keyCount}`;
  const collections = await measureCollections(plan);
  return [
    makeRow(`${id}/used`, "used_memory per key", "bytes", "lower", used),
    makeRow(`${id}/resident`, "RSS growth per key", "bytes", "lower", resident),
    makeRow(`${id}/resident-from-start`, "  from the process's start", "bytes", "lower", residentFromStart),
    ...collections,
  ];
}

/** What is poured into one collection of `count` elements, or into many small ones. */
interface Collection {
  readonly name: string;
  readonly label: string;
  readonly count: number;
  readonly make: (index: number) => string;
  /** Lines of each reply. */
  readonly replyLines?: 2;
}

const FIVE = [1, 2, 3, 4, 5];

const COLLECTIONS: readonly Collection[] = [
  {
    name: "small-hash",
    label: "hash of 5 small fields, per hash",
    count: 200_000,
    make: (index) =>
      encodeCommand(["HSET", `hash:${index}`, ...FIVE.flatMap((field) => [`field${field}`, `v${field}`])]),
  },
  {
    name: "hash",
    label: "hash of 1 M fields, per field",
    count: 1_000_000,
    make: (index) => encodeCommand(["HSET", "hash", `field:${index}`, `value:${index}`]),
  },
  {
    name: "set",
    label: "set of 1 M members, per member",
    count: 1_000_000,
    make: (index) => encodeCommand(["SADD", "set", `member:${index}`]),
  },
  {
    name: "sorted-set",
    label: "sorted set of 1 M members, per member",
    count: 1_000_000,
    make: (index) => encodeCommand(["ZADD", "zset", `${(index * 7919) % 1_000_003}`, `member:${index}`]),
  },
  {
    name: "list",
    label: "list of 1 M items, per item",
    count: 1_000_000,
    make: (index) => encodeCommand(["RPUSH", "list", `item:${index}`]),
  },
  {
    name: "stream",
    label: "stream of 1 M entries of two small fields, per entry",
    count: 1_000_000,
    make: (index) => encodeCommand(["XADD", "stream", `${1_700_000_000_000 + index}-0`, "a", "1", "b", "2"]),
    replyLines: 2,
  },
];

/** used_memory per element of collections, in fresh servers; one round: bytes in use do not vary from run to run. */
async function measureCollections(plan: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  for (const collection of COLLECTIONS) {
    const count = plan.mode === "quick" ? collection.count / 4 : collection.count;
    const used = bySide<number[]>(() => []);
    for (const side of sidesOf(0)) {
      plan.progress(`memory: ${side}, ${collection.label}`);
      await withFreshServer(plan.factory, side, async (server, client) => {
        const before = await readMemory(server, client);
        await client.pour(count, collection.make, undefined, collection.replyLines);
        const after = await readMemory(server, client);
        used[side].push((after.used - before.used) / count);
      });
    }
    rows.push(makeRow(`memory/${collection.name}/used`, collection.label, "bytes", "lower", used));
  }
  return rows;
}

function setShort(index: number): string {
  const digits = String(index);
  return `*3\r\n$3\r\nSET\r\n$${digits.length + 4}\r\nkey:${digits}\r\n$3\r\nxxx\r\n`;
}

async function readMemory(server: Server, client: Client): Promise<{ used: number; resident: number }> {
  await pause(SETTLE_MS);
  const used = Number((await client.info("memory")).get("used_memory"));
  return { used, resident: residentBytes(server.processId) };
}
