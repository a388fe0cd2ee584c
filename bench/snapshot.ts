/**
 * Saving and loading: MB of RDB file per second.
 *
 *      pour ─► BGSAVE (until rdb_bgsave_in_progress:0) ─► SAVE ─► kill ─► start on the file (until PING answers)
 *
 *  I1  Both sides hold the same keys; values are 100 bytes, every second one incompressible.
 *  I2  Each side loads the file that it wrote; the subject also loads the one that Redis wrote, which says the same in
 *      seconds for identical input. The load's time is the log's "DB loaded from disk" where it is there.
 */

import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./client.ts";
import { benchmarkKey } from "./families.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { makeRow, type Row } from "./report.ts";
import { pause, type Server, type Side } from "./servers.ts";

const ROUND_COUNT_MAX = { quick: 2, normal: 3, full: 3 };
const KEY_COUNT = { quick: 200_000, normal: 1_000_000, full: 1_000_000 };
const VALUE_BYTES = 100;
const NOISE_CHARS = 1 << 20;
const MB = 1e6;

interface Results {
  readonly bgsave: Record<Side, number[]>;
  readonly save: Record<Side, number[]>;
  readonly load: Record<Side, number[]>;
  readonly loadSame: Record<Side, number[]>;
  readonly start: Record<Side, number[]>;
  readonly fileMb: Record<Side, number[]>;
}

export async function measureSnapshot(plan: Plan): Promise<Row[]> {
  const keyCount = KEY_COUNT[plan.mode];
  const make = () => bySide<number[]>(() => []);
  const seconds: Results = {
    bgsave: make(),
    save: make(),
    load: make(),
    loadSame: make(),
    start: make(),
    fileMb: make(),
  };
  const shared = mkdtempSync(join(tmpdir(), "everkey-bench-dump-"));
  try {
    for (let round = 0; round < Math.min(plan.rounds, ROUND_COUNT_MAX[plan.mode]); round++) {
      for (const side of sidesOf(round)) await measureSide(plan, side, keyCount, seconds, shared);
      await loadSame(plan, seconds, shared);
    }
  } finally {
    rmSync(shared, { recursive: true, force: true });
  }
  return makeRows(keyCount, seconds);
}

async function measureSide(plan: Plan, side: Side, keyCount: number, into: Results, shared: string): Promise<void> {
  plan.progress(`snapshot: ${side}, ${keyCount} keys`);
  const server = await plan.factory.start(side);
  const client = await Client.open(server.port);
  const noise = noiseText();
  await client.pour(keyCount, (index) => setMedium(index, noise));
  into.bgsave[side].push(await timeBackgroundSave(client));
  const startMs = performance.now();
  await client.must("SAVE");
  into.save[side].push((performance.now() - startMs) / 1000);
  client.close();
  await plan.factory.stop(server);

  const file = join(server.directory, "dump.rdb");
  into.fileMb[side].push(statSync(file).size / MB);
  if (side === "redis") copyFileSync(file, join(shared, "dump.rdb"));
  const reloaded = await plan.factory.start(side, { directory: server.directory });
  await verifyCount(reloaded, keyCount);
  into.load[side].push(loadSeconds(reloaded));
  into.start[side].push(reloaded.startMs / 1000);
  await plan.factory.stop(reloaded);
  rmSync(file);
}

/** Both sides load the file that Redis wrote. */
async function loadSame(plan: Plan, into: Results, shared: string): Promise<void> {
  for (const side of sidesOf(0)) {
    const server = await plan.factory.start(side, { directory: shared });
    into.loadSame[side].push(loadSeconds(server));
    await plan.factory.stop(server);
  }
}

/** Seconds from the command until the server says that it is done, well. */
async function timeBackgroundSave(client: Client): Promise<number> {
  const startMs = performance.now();
  await client.must("BGSAVE");
  for (;;) {
    const fields = await client.info("persistence");
    if (fields.get("rdb_bgsave_in_progress") === "0") {
      if (fields.get("rdb_last_bgsave_status") !== "ok") throw new Error("BGSAVE failed");
      return (performance.now() - startMs) / 1000;
    }
    await pause(2);
  }
}

async function verifyCount(server: Server, keyCount: number): Promise<void> {
  const client = await Client.open(server.port);
  const count = await client.must("DBSIZE");
  client.close();
  if (count !== keyCount) throw new Error(`${server.side} loaded ${String(count)} keys of ${keyCount}`);
}

/** The log's own figure, or the whole start when the log does not say. */
function loadSeconds(server: Server): number {
  const match = /DB loaded from disk: ([\d.]+) seconds/.exec(server.log);
  return match === null ? server.startMs / 1000 : Number(match[1]);
}

function makeRows(keyCount: number, seconds: Results): Row[] {
  const rows: Row[] = [];
  const rate = (amount: Record<Side, number[]>, times: Record<Side, number[]>) => ({
    subject: times.subject.map((time, index) => amount.subject[index]! / time),
    redis: times.redis.map((time, index) => amount.redis[index]! / time),
  });
  const keys = bySide<number[]>(() => Array<number>(32).fill(keyCount));
  const redisFileMb = { subject: seconds.fileMb.redis, redis: seconds.fileMb.redis };
  for (const name of ["bgsave", "save", "load"] as const) {
    const label = name.toUpperCase();
    rows.push(makeRow(`snapshot/${name}/rate`, label, "MB/s", "higher", rate(seconds.fileMb, seconds[name])));
    rows.push(makeRow(`snapshot/${name}/keys`, `  ${name}`, "keys/s", "higher", rate(keys, seconds[name])));
  }
  rows.push(
    makeRow("snapshot/same/rate", "LOAD of Redis's file", "MB/s", "higher", rate(redisFileMb, seconds.loadSame)),
    makeRow("snapshot/start/time", "start until PING answers", "s", "lower", seconds.start),
    makeRow("snapshot/file/size", "size of the file", "MB", "lower", seconds.fileMb),
  );
  return rows;
}

/** One MiB of latin1 text without pattern, the same in every run (xorshift32). */
function noiseText(): string {
  const bytes = Buffer.alloc(NOISE_CHARS);
  let state = 0x9e3779b9;
  for (let index = 0; index < NOISE_CHARS; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state >>> 11;
  }
  return bytes.toString("latin1");
}

function setMedium(index: number, noise: string): string {
  const from = (index * 7919) % (NOISE_CHARS - VALUE_BYTES);
  const value =
    index % 2 === 0 ? noise.slice(from, from + VALUE_BYTES) : `value ${index % 10} `.padEnd(VALUE_BYTES, "abcd");
  return `*3\r\n$3\r\nSET\r\n$16\r\n${benchmarkKey(index)}\r\n$${VALUE_BYTES}\r\n${value}\r\n`;
}
