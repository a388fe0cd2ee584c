/** CONFIG GET and CONFIG SET beside the real redis-server: same values, same errors, same end. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChildServer } from "../../../test/support/child-server.ts";
import type { RawClient } from "../../../test/support/raw-client.ts";
import { startRedis } from "../../../test/support/redis.ts";
import { plainReply } from "../../../test/support/reply.ts";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { Config } from "./config.ts";
import { DIRECTIVES, findDirective } from "./directives.ts";
import { HISTORY_DIRECTIVES } from "./directives-history.ts";

/** What redis-server 7.2 has and the 7.0 that we compare with does not. */
const NEW_IN_72 = [
  "set-max-listpack-entries",
  "set-max-listpack-value",
  "locale-collate",
  "cluster-announce-human-nodename",
];
const HYPHENS_IN_72 = ["server-cpulist", "bio-cpulist", "aof-rewrite-cpulist", "bgsave-cpulist"];

let redis: ChildServer;
let client: RawClient;

before(async () => {
  redis = await startRedis();
  client = await redis.connect();
  await client.ask("CLIENT", "NO-EVICT", "ON");
});

after(async () => {
  client.close();
  await redis.stop();
});

function newConfig(): Config {
  const config = new Config({ workingDirectory: redis.dir });
  for (const line of [`port ${redis.port}`, "bind 127.0.0.1", 'save ""', "enable-debug-command yes"]) {
    assert.equal(config.readLine(line.replace('""', "").split(" ")), undefined);
  }
  return config;
}

async function redisValues(...patterns: string[]): Promise<Map<string, string>> {
  const flat = (await client.ask("CONFIG", "GET", ...patterns)) as string[];
  return pairsOf(flat);
}

function pairsOf(flat: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) found.set(flat[at]!, flat[at + 1]!);
  return found;
}

/** The error text of a raw reply, undefined for +OK. */
function errorOf(raw: Buffer | undefined): string | undefined {
  const text = raw?.toString("latin1") ?? "";
  return text.startsWith("-") ? text.slice(1, -2) : undefined;
}

test("CONFIG GET * names every directive of redis-server with its default, and nothing else but 7.2's and our own", async () => {
  const theirs = await redisValues("*");
  const ours = new Map(newConfig().get(["*"]));
  for (const [name, value] of theirs) assert.equal(ours.get(name), value, name);
  const added = [...ours.keys()].filter((name) => !theirs.has(name));
  const own = HISTORY_DIRECTIVES.map(({ name }) => name);
  assert.deepEqual(added.sort(), [...NEW_IN_72, ...HYPHENS_IN_72, ...own].sort());
  assert.ok(theirs.size > 190, String(theirs.size));
});

test("hidden directives have redis-server's defaults and are found by their whole name only", async () => {
  const hidden = DIRECTIVES.filter((entry) => entry.isHidden).map((entry) => entry.name);
  assert.ok(hidden.length >= 5);
  const theirs = await redisValues(...hidden);
  assert.deepEqual(new Map(newConfig().get(hidden)), theirs);
  const pattern = "*delay*";
  assert.deepEqual(
    [...new Map(newConfig().get([pattern])).keys()].sort(),
    [...(await redisValues(pattern)).keys()].sort(),
  );
});

test("CONFIG GET patterns find the same names, spelled as they were asked for", async () => {
  const config = newConfig();
  const cases = [
    ["PORT"],
    ["MaxMemory", "max*"],
    ["H?", "hz"],
    ["slave-p*", "replica-p*"],
    [""],
    ["nothing"],
    ["[hp]*-max*"],
  ];
  for (const patterns of cases) {
    assert.deepEqual(
      new Map([...config.get(patterns)].sort()),
      new Map([...(await redisValues(...patterns))].sort()),
      patterns.join(" "),
    );
  }
});

/** Directives whose CONFIG SET would move, stop or endanger the server that we compare with, or asks its machine. */
const UNTOUCHED = [
  "bind",
  "port",
  "tls-port",
  "dir",
  "maxclients",
  "requirepass",
  "loglevel",
  "watchdog-period",
  "rdb-key-save-delay",
  "key-load-delay",
  "activedefrag",
  "appendonly",
  "oom-score-adj",
  "maxmemory",
  "proto-max-bulk-len",
  "client-query-buffer-limit",
];
const WORDS = [
  "",
  "0",
  "1",
  "-1",
  "+5",
  " 5",
  "05",
  "5x",
  "17",
  "100",
  "1000",
  "65536",
  "2147483648",
  "-2147483649",
  "9223372036854775807",
  "9223372036854775808",
  "5mb",
  "3k",
  "3KB",
  "1.5mb",
  "b",
  "5%",
  "101%",
  "-5%",
  "%",
  "yes",
  "YES",
  "no",
  "local",
  "lru",
  "allkeys-lru",
  "save",
  "nosave",
  "save now",
  "now force",
  "save nosave",
  "default now",
  " now",
  "60 1",
  "60 1 70 2",
  "60  1",
  "60",
  "0 1",
  "1 0",
  '""',
  "a b",
  "no one",
  "KEA",
  "Kg$lshzxetd",
  "mn",
  "KEgx",
  "normal 1 2 3",
  "replica 1mb 2mb 3 PUBSUB 5 5 5",
  "slave 1k 1kb -5",
  "master 0 0 0",
  "normal a b c",
  "normal 1 2 3 x 1 2 3",
  "50 99.99 33.3333",
  "50 101",
  "50 x",
  "1 2 3",
  "1 2 3000",
  "1 2 x",
  "a/b",
  "{title}",
  "{foo}",
  "}",
  "{{",
  "{{title}",
  "{title",
  " ",
  "x {port}{title} y",
  "my.host-1",
  "my_host",
  "ip",
  "swapdb",
  "everysec",
];

test("CONFIG SET of every directive with every kind of word ends the same way", async () => {
  const config = newConfig();
  let compared = 0;
  const names = [...(await redisValues("*")).keys()].filter(
    (name) => !UNTOUCHED.includes(name) && !name.startsWith("tls-"),
  );
  for (const name of names) {
    const entry = findDirective(name)!;
    for (const word of WORDS) {
      if (name === "client-output-buffer-limit" && word === " ") continue;
      const theirs = errorOf(await client.call("CONFIG", "SET", name, word));
      const ours = config.set([[name, word]]);
      assert.equal(ours, theirs, `CONFIG SET ${name} '${word}'`);
      if (theirs !== undefined) continue;
      const value = (await redisValues(name)).get(name);
      assert.equal(config.text(entry.name), value, `CONFIG GET ${name} after '${word}'`);
      compared++;
    }
    // Back to where it was, so that a tight limit does not fall on this client.
    const initial = findDirective(name)!.initial;
    if (entry.isImmutable || entry.isProtected) continue;
    assert.equal(config.set([[name, initial]]), errorOf(await client.call("CONFIG", "SET", name, initial)), name);
  }
  assert.ok(compared > 500, String(compared));
});

test("CONFIG SET of several pairs: the first mistake is told, and nothing is changed", async () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const config = newConfig();
  await client.ask("CONFIG", "SET", "save", "");
  const names = [
    "hz",
    "HZ",
    "slave-priority",
    "replica-priority",
    "databases",
    "nosuch",
    "dbfilename",
    "timeout",
    "save",
    "maxmemory-policy",
    "include",
    "hash-max-listpack-value",
  ];
  const words = ["1", "x", "60 1", "allkeys-lru", "5mb", ""];
  for (const name of ["hz", "replica-priority", "timeout", "save", "maxmemory-policy", "hash-max-listpack-value"]) {
    const value = config.text(name);
    await client.ask("CONFIG", "SET", name, value);
  }
  for (let round = 0; round < 400; round++) {
    const count = 1 + random.below(4);
    const pairs = Array.from({ length: count }, () => [random.pick(names), random.pick(words)] as [string, string]);
    const context = `seed ${seed} round ${round}: ${JSON.stringify(pairs)}`;
    const theirs = errorOf(await client.call("CONFIG", "SET", ...pairs.flat()));
    assert.equal(config.set(pairs), theirs, context);
    const asked = [
      "hz",
      "timeout",
      "save",
      "maxmemory-policy",
      "replica-priority",
      "dbfilename",
      "hash-max-listpack-value",
    ];
    assert.deepEqual(
      new Map([...config.get(asked)].sort()),
      new Map([...(await redisValues(...asked))].sort()),
      context,
    );
  }
});

test("CONFIG HELP has redis-server's lines", async () => {
  const { CONFIG_HELP } = await import("./commands.ts");
  assert.deepEqual([...CONFIG_HELP], plainReply((await client.call("CONFIG", "HELP"))!));
});
