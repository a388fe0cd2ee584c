/** SLOWLOG, LATENCY, MEMORY, TIME, ROLE, LOLWUT beside the real redis-server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pairOfServers } from "../../../test/support/pair-of-servers.ts";
import type { RawClient } from "../../../test/support/raw-client.ts";

const pair = pairOfServers("server", { "enable-debug-command": "yes" });
const { both } = pair;

async function equalAll(lines: readonly string[]): Promise<void> {
  for (const words of lines) {
    const [own, real] = await both(...words.split(" "));
    assert.equal(own, real, words);
  }
}

test("errors, help and empty answers are the real server's, in both protocols", async () => {
  for (const protocol of [2, 3]) {
    await both("HELLO", protocol);
    await equalAll([
      "SET k value",
      "SLOWLOG",
      "SLOWLOG NOSUCH",
      "SLOWLOG HELP",
      "SLOWLOG RESET",
      "SLOWLOG LEN",
      "SLOWLOG GET",
      "SLOWLOG GET x",
      "SLOWLOG GET -2",
      "SLOWLOG GET 1 2",
      "SLOWLOG LEN 1",
      "LATENCY",
      "LATENCY NOSUCH",
      "LATENCY HELP",
      "LATENCY RESET",
      "LATENCY RESET x y",
      "LATENCY LATEST",
      "LATENCY HISTORY",
      "LATENCY HISTORY nosuch",
      "LATENCY GRAPH nosuch",
      "MEMORY",
      "MEMORY NOSUCH",
      "MEMORY HELP",
      "MEMORY PURGE",
      "MEMORY USAGE",
      "MEMORY USAGE none",
      "MEMORY USAGE k NOSUCH",
      "MEMORY USAGE k SAMPLES",
      "MEMORY USAGE k SAMPLES x",
      "MEMORY USAGE k SAMPLES -1",
      "ROLE",
      "ROLE x",
      "TIME x",
      "LOLWUT VERSION x",
    ]);
  }
  await both("HELLO", 2);
});

test("SLOWLOG keeps what the real server keeps, long arguments cut alike, secrets hidden alike", async () => {
  await both("CONFIG", "SET", "slowlog-log-slower-than", 0);
  await both("SLOWLOG", "RESET");
  await both("SET", "long", "x".repeat(200));
  await both("DEL", ...Array.from({ length: 40 }, (_, index) => `key${index}`));
  await both("ACL", "SETUSER", "bob", "on", ">secret", "~*");
  await both("ACL", "DELUSER", "bob");
  await both("CONFIG", "SET", "slowlog-log-slower-than", -1);
  const words = async (client: RawClient): Promise<unknown> =>
    ((await client.ask("SLOWLOG", "GET", -1)) as unknown[][]).map((entry) => entry[3]);
  const kept = await words(pair.ours);
  assert.deepEqual(kept, await words(pair.theirs));
  assert.equal((kept as unknown[]).length, 5);
});

test("MEMORY STATS has the names of the real server's, and types that fit", async () => {
  await both("SET", "k", "v");
  const names = async (client: RawClient): Promise<unknown[]> =>
    ((await client.ask("MEMORY", "STATS")) as unknown[]).filter((_, index) => index % 2 === 0);
  assert.deepEqual(await names(pair.ours), await names(pair.theirs));
});

test("MEMORY USAGE grows with the value and is at least as long", async () => {
  let before = 0;
  for (const length of [0, 10, 100, 1000, 100_000]) {
    await pair.ours.ask("SET", "k", "x".repeat(length));
    const bytes = Number(await pair.ours.ask("MEMORY", "USAGE", "k"));
    assert.ok(bytes > length && bytes > before, `${bytes} for ${length}`);
    before = bytes;
  }
});

test("LATENCY HISTOGRAM and INFO latencystats have the form of the real server's", async () => {
  const told = await Promise.all(
    [pair.theirs, pair.ours].map(async (client) => {
      await client.ask("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50 99.99 100");
      await client.ask("CONFIG", "RESETSTAT");
      for (let call = 0; call < 3; call++) await client.ask("SET", "k", "v");
      await client.ask("CONFIG", "GET", "port");
      await client.ask("DEBUG", "SLEEP", "1.1");
      const replies: unknown[] = [];
      for (const words of [[], ["SET"], ["config", "set", "nosuch", "get", "config|get"], ["debug"]]) {
        const reply = (await client.ask("LATENCY", "HISTOGRAM", ...words)) as unknown[];
        const entries = Array.from({ length: reply.length / 2 }, (_, index) => reply.slice(index * 2, index * 2 + 2));
        // Commands stand in the order of the server's own table.
        replies.push(words.length === 0 ? reply.length : entries.sort());
      }
      const info = String(await client.ask("INFO", "latencystats"));
      await client.ask("CONFIG", "SET", "latency-tracking", "no");
      replies.push(String(await client.ask("INFO", "latencystats")));
      await client.ask("CONFIG", "SET", "latency-tracking", "yes");
      replies.push(
        info
          .split("\r\n")
          .map((line) => line.replace(/=[\d.]+/g, "=T"))
          .sort(),
      );
      replies.push(/^latency_percentiles_usec_debug:.*$/m.exec(info)?.[0].trim());
      return JSON.stringify(replies).replace(/"histogram_usec",\[\d[\d,]*?,(\d+)\]/g, "... $1");
    }),
  );
  assert.match(told[0]!, /"debug",\["calls",1,\.\.\. 1\]/);
  assert.equal(told[1], told[0]);
});

test("LATENCY tells of a command that took long, by its kind", async () => {
  await pair.ours.ask("CONFIG", "SET", "latency-monitor-threshold", 10);
  await pair.ours.ask("DEBUG", "SLEEP", "0.02");
  const latest = (await pair.ours.ask("LATENCY", "LATEST")) as [string, number, number, number][];
  const command = latest.find(([name]) => name === "command");
  assert.ok(command !== undefined && command[2] >= 20 && command[3] >= command[2]);
  const history = (await pair.ours.ask("LATENCY", "HISTORY", "command")) as unknown[];
  assert.ok(history.length >= 1);
  assert.match(String(await pair.ours.ask("LATENCY", "GRAPH", "command")), /^command - high \d+ ms, low \d+ ms/);
  assert.match(String(await pair.ours.ask("LATENCY", "DOCTOR")), /command: \d+ delays/);
  await pair.ours.ask("CONFIG", "SET", "latency-monitor-threshold", 0);
  await pair.ours.ask("LATENCY", "RESET");
  assert.match(String(await pair.ours.ask("LATENCY", "DOCTOR")), /latency-monitor-threshold is 0/);
});

test("TIME is two numbers as text, LOLWUT a picture with the version", async () => {
  const [seconds, microseconds] = (await pair.ours.ask("TIME")) as [string, string];
  assert.match(seconds, /^\d{10}$/);
  assert.ok(Number(microseconds) >= 0 && Number(microseconds) < 1_000_000);
  assert.match(String(await pair.ours.ask("LOLWUT", "VERSION", 5)), /Redis ver\. 7\.2\.4\n$/);
});
