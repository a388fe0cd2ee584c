/**
 * Values of up to 512 MB, in and out: the time of each size, and whether it grows with the size and no faster.
 *
 *  I1  `growth` is the largest factor between one size's time per byte and that of a smaller size: 1 is linear, 8 is
 *      quadratic over three doublings.
 */

import { Client } from "./client.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { makeRow, type Row } from "./report.ts";
import { SIDES, type Side } from "./servers.ts";

const MIB = 1 << 20;
const SIZES_MIB = { quick: [32, 64, 128], normal: [64, 128, 256, 512], full: [64, 128, 256, 512] };
const ROUND_COUNT_MAX = { quick: 2, normal: 3, full: 3 };

type Times = Record<Side, Map<number, number[]>>;

export async function measureLargeValues(plan: Plan): Promise<Row[]> {
  const sizes = SIZES_MIB[plan.mode];
  const put: Times = bySide(() => new Map(sizes.map((size) => [size, []])));
  const get: Times = bySide(() => new Map(sizes.map((size) => [size, []])));
  const servers = { subject: await plan.factory.start("subject"), redis: await plan.factory.start("redis") };
  for (let round = 0; round < Math.min(plan.rounds, ROUND_COUNT_MAX[plan.mode]); round++) {
    for (const size of sizes) {
      for (const side of sidesOf(round)) {
        plan.progress(`large values: ${side}, ${size} MiB`);
        const client = await Client.open(servers[side].port);
        put[side].get(size)!.push(await client.putLarge("large", size * MIB));
        get[side].get(size)!.push(await client.getLarge("large", size * MIB));
        await client.must("FLUSHALL", "SYNC");
        client.close();
      }
    }
  }
  for (const side of SIDES) await plan.factory.stop(servers[side]);

  const rows: Row[] = [];
  for (const [name, times] of Object.entries({ set: put, get })) {
    for (const size of sizes) {
      const samples = { subject: times.subject.get(size)!, redis: times.redis.get(size)! };
      rows.push(makeRow(`large/${name}/${size}`, `${name.toUpperCase()} ${size} MiB`, "ms", "lower", samples));
    }
    const growth = { subject: [growthOf(times.subject)], redis: [growthOf(times.redis)] };
    rows.push(makeRow(`large/${name}/growth`, `  time per byte, worst growth`, "x", "lower", growth));
  }
  return rows;
}

function growthOf(times: Map<number, number[]>): number {
  let smallest = Number.POSITIVE_INFINITY;
  let growth = 1;
  for (const [size, samples] of times) {
    const perMib = Math.min(...samples) / size;
    growth = Math.max(growth, perMib / smallest);
    smallest = Math.min(smallest, perMib);
  }
  return growth;
}
