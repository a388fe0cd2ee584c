/**
 * A key whose time is over and that nobody has looked at since: every command must treat it as absent, as the real server
 * does, in its reply, in what it leaves behind and in what it counts.
 *
 *  I1  Both servers' active expiry is off: the key is really still there when the command comes.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { type Argument, RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printable } from "../support/reply.ts";

const DUMP = Buffer.from("000568656c6c6f0a006372df766534200a", "hex");

/** Commands on the key `k`, whose time is over, beside `s`, which stays. */
const commands: readonly (readonly Argument[])[] = [
  ...["GET", "GETDEL", "STRLEN", "INCR", "TYPE", "DUMP", "PERSIST", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"].map(
    (name) => [name, "k"],
  ),
  ...["EXISTS", "TOUCH", "DEL", "UNLINK", "MGET"].map((name) => [name, "k", "s", "k"]),
  ...["NX", "XX", "GET", "KEEPTTL"].map((option) => ["SET", "k", "n", option]),
  ["SETNX", "k", "n"],
  ["GETSET", "k", "n"],
  ["GETEX", "k", "PERSIST"],
  ["GETEX", "k", "EX", 100],
  ["APPEND", "k", "x"],
  ["SETRANGE", "k", 2, "x"],
  ["SETRANGE", "k", 0, ""],
  ["GETRANGE", "k", 0, -1],
  ["DECRBY", "k", 3],
  ["INCRBYFLOAT", "k", "1.5"],
  ["MSET", "k", 1],
  ["MSETNX", "k", 1],
  ["LCS", "k", "s"],
  ["RESTORE", "k", 0, DUMP],
  ["EXPIRE", "k", 1000],
  ["EXPIRE", "k", 1000, "NX"],
  ["EXPIRE", "k", 1000, "XX"],
  ["EXPIRE", "k", -1],
  ["OBJECT", "ENCODING", "k"],
  ["OBJECT", "IDLETIME", "k"],
  ["RENAME", "k", "t"],
  ["RENAME", "s", "k"],
  ["RENAMENX", "k", "t"],
  ["RENAMENX", "s", "k"],
  ["COPY", "k", "t"],
  ["COPY", "s", "k"],
  ["COPY", "s", "k", "REPLACE"],
  ["MOVE", "k", 1],
  ["SORT", "k"],
  ["SORT", "k", "STORE", "t"],
  ["SORT_RO", "k"],
  ["SCAN", 0, "COUNT", 1000],
  ["KEYS", "*"],
  ["DBSIZE"],
  ["SWAPDB", 0, 1],
  ["FLUSHDB"],
  ["DEBUG", "DIGEST"],
  ["DEBUG", "DIGEST-VALUE", "k"],
];

/** What is asked afterwards; the first question comes before anything looks at the key. */
const questions: readonly (readonly Argument[])[] = [
  ["DBSIZE"],
  ["EXISTS", "k"],
  ["TTL", "k"],
  ["GET", "k"],
  ["GET", "t"],
  ["DBSIZE"],
  ["DEBUG", "DIGEST"],
];

describe("a key whose time is over", () => {
  let clients: { redis: RawClient; subject: RawClient };
  let servers: ChildServer[];

  before(async () => {
    servers = await Promise.all([startRedis(), startSubject()]);
    const [redis, subject] = await Promise.all(servers.map((server) => RawClient.connect(server.port)));
    clients = { redis: redis!, subject: subject! };
    for (const client of [redis!, subject!]) await client.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0);
  });

  after(async () => {
    clients?.redis.close();
    clients?.subject.close();
    await Promise.all((servers ?? []).map((server) => server.stop()));
  });

  /** The server's own clock, in ms. */
  async function serverTime(client: RawClient): Promise<number> {
    const [seconds, microseconds] = (await client.ask("TIME")) as [string, string];
    return Number(seconds) * 1000 + Number(microseconds) / 1000;
  }

  /** Makes the keys; true when the second one was made in time. */
  async function make(client: RawClient, expiresAt: number): Promise<boolean> {
    await client.ask("FLUSHALL");
    await client.ask("SET", "s", "x");
    await client.ask("SET", "k", "12", "PXAT", expiresAt);
    if ((await client.ask("DBSIZE")) !== 2) return false;
    while ((await serverTime(client)) <= expiresAt + 1) assert.ok(!client.isClosed);
    return true;
  }

  async function run(client: RawClient, command: readonly Argument[]): Promise<string[]> {
    await client.ask("CONFIG", "RESETSTAT");
    const reply = await client.call(...command);
    const counts = String(await client.ask("INFO", "stats")).match(
      /^(expired_keys|keyspace_hits|keyspace_misses):\d+/gm,
    )!;
    const later = await client.pipeline(questions);
    return [...[reply, ...later].map((bytes) => printable(bytes!)), ...counts];
  }

  for (const command of commands) {
    const name = command.map((word) => (Buffer.isBuffer(word) ? "(a dump)" : word)).join(" ");
    test(name, async () => {
      for (let marginMs = 20; ; marginMs *= 2) {
        // The same moment on both servers: it is part of the digest.
        const expiresAt = Math.ceil(await serverTime(clients.redis)) + marginMs;
        const made = await Promise.all([make(clients.redis, expiresAt), make(clients.subject, expiresAt)]);
        if (made.every(Boolean)) break;
      }
      const [expected, actual] = await Promise.all([run(clients.redis, command), run(clients.subject, command)]);
      assert.deepEqual(actual, expected);
    });
  }
});
