/**
 * Bytes per key, in fresh servers: what INFO calls used_memory, and what the system counts as resident.
 *
 *      start ─► warm up with some keys, empty again ─► read ─► keys `key:N` with 3-byte values ─► read
 *
 *  I1  The growth counts from after the warm-up (compiled code and network buffers are not bytes per key); the growth
 *      from the very start is reported beside it.
 */

import type { Client } from "./client.ts";
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
  return [
    makeRow(`${id}/used`, "used_memory per key", "bytes", "lower", used),
    makeRow(`${id}/resident`, "RSS growth per key", "bytes", "lower", resident),
    makeRow(`${id}/resident-from-start`, "  from the process's start", "bytes", "lower", residentFromStart),
  ];
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
