/**
 * How long one command holds the server that works on a whole large collection: nobody else is served meanwhile.
 *
 *      fill a collection ─► command, timed from its bytes to the last byte of its reply ─► (what it changed is made anew)
 *
 *  I1  Both sides hold the same data; rounds alternate between them.
 *  I2  The time contains the reply's way to this process: where it is large, both sides pay for it alike.
 */

import { Client } from "./client.ts";
import type { DatasetName } from "./families.ts";
import { refill } from "./load.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import { makeRow, type Row } from "./report.ts";
import { type Server, SIDES } from "./servers.ts";

const ELEMENTS = { quick: 100_000, normal: 1_000_000, full: 1_000_000 };

interface Case {
  readonly dataset: DatasetName;
  readonly command: readonly string[];
  /** Changes the data: it is made anew for each round. */
  readonly spoils?: boolean;
}

const CASES: readonly Case[] = [
  { dataset: "oneHash", command: ["HGETALL", "large"] },
  { dataset: "oneHash", command: ["HKEYS", "large"] },
  { dataset: "oneHash", command: ["HRANDFIELD", "large", "1000"] },
  { dataset: "oneHash", command: ["COPY", "large", "copy", "REPLACE"] },
  { dataset: "oneHash", command: ["DEL", "large"], spoils: true },
  { dataset: "oneSet", command: ["SMEMBERS", "large"] },
  { dataset: "oneSet", command: ["SUNIONSTORE", "copy", "large"] },
  { dataset: "oneSet", command: ["SRANDMEMBER", "large", "1000"] },
  { dataset: "oneSet", command: ["SORT", "large", "ALPHA", "LIMIT", "0", "10"] },
  { dataset: "oneSet", command: ["SPOP", "large", "50000"], spoils: true },
  { dataset: "oneSortedSet", command: ["ZRANGE", "large", "0", "-1"] },
  { dataset: "oneSortedSet", command: ["ZRANGE", "large", "0", "-1", "REV", "WITHSCORES"] },
  { dataset: "oneSortedSet", command: ["ZUNIONSTORE", "copy", "1", "large"] },
  { dataset: "oneSortedSet", command: ["ZREMRANGEBYRANK", "large", "0", "49999"], spoils: true },
  { dataset: "oneSortedSet", command: ["DEL", "large"], spoils: true },
  { dataset: "oneList", command: ["LRANGE", "large", "0", "-1"] },
  { dataset: "oneList", command: ["LINDEX", "large", "50000"] },
  { dataset: "oneList", command: ["LPOS", "large", "nothing like it"] },
  { dataset: "oneList", command: ["LTRIM", "large", "0", "1000"], spoils: true },
  { dataset: "oneList", command: ["DEL", "large"], spoils: true },
];

export async function measureCommands(plan: Plan): Promise<Row[]> {
  const elements = ELEMENTS[plan.mode];
  const servers = { subject: await plan.factory.start("subject"), redis: await plan.factory.start("redis") };
  const clients = { subject: await open(servers.subject), redis: await open(servers.redis) };
  const rows: Row[] = [];
  let clean: DatasetName | undefined;
  for (const { dataset, command, spoils } of CASES) {
    const name = command.join(" ");
    const times = bySide<number[]>(() => []);
    for (let round = 0; round < plan.rounds; round++) {
      for (const side of sidesOf(round)) {
        plan.progress(`commands: ${side}, ${name}`);
        const client = clients[side];
        if (spoils === true || (clean !== dataset && round === 0)) await refill(client, dataset, elements);
        times[side].push(await client.time(...command));
      }
    }
    clean = spoils === true ? undefined : dataset;
    rows.push(makeRow(`commands/${name.replaceAll(" ", "-")}`, name, "ms", "lower", times));
  }
  for (const side of SIDES) {
    clients[side].close();
    await plan.factory.stop(servers[side]);
  }
  return rows;
}

function open(server: Server): Promise<Client> {
  return Client.open(server.port);
}
