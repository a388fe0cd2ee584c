/**
 * node-redis, in RESP2 and RESP3, as programs use it, against a started server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BasicClientSideCache, createClient, RESP_TYPES } from "redis";
import type { ChildServer } from "../support/child-server.ts";
import { freePort } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { createFolder, removeFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

for (const RESP of [2, 3] as const) {
  describe(`node-redis with RESP${RESP}`, () => {
    let server: ChildServer;
    const open = async () => {
      const client = createClient({
        socket: { port: server.port, host: server.host },
        RESP,
        name: `node-redis-${RESP}`,
      });
      client.on("error", () => {}); // shown by the call that fails
      await client.connect();
      return client;
    };
    let client: Awaited<ReturnType<typeof open>>;

    before(async () => {
      server = await startSubject();
      client = await open();
    });

    after(async () => {
      client?.destroy();
      await server?.stop();
    });

    test("writes and reads text, numbers and bytes", async () => {
      assert.equal(await client.set("text", "grüße"), "OK");
      assert.equal(await client.get("text"), "grüße");
      const bytes = Buffer.from([0, 13, 10, 255, 36, 42]);
      await client.set("bytes", bytes);
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.deepEqual(await binary.get("bytes"), bytes);
      assert.equal(await client.incrBy("number", 42), 42);
      assert.equal(await client.get("none"), null);
      assert.deepEqual(await client.mGet(["number", "none"]), ["42", null]);
    });

    test("takes options of SET and of GETEX", async () => {
      assert.equal(await client.set("once", "1", { condition: "NX", expiration: { type: "EX", value: 1000 } }), "OK");
      assert.equal(await client.set("once", "2", { condition: "NX" }), null);
      assert.equal(await client.set("once", "3", { GET: true, expiration: "KEEPTTL" }), "1");
      assert.equal(await client.getEx("once", { type: "PERSIST" }), "3");
      assert.equal(await client.ttl("once"), -1);
    });

    test("gives errors as errors, with the server's words", async () => {
      await client.set("word", "abc");
      await assert.rejects(client.incr("word"), { message: "ERR value is not an integer or out of range" });
    });

    test("sends what is asked in one turn as a pipeline, in order", async () => {
      const replies = await Promise.all(
        Array.from({ length: 5000 }, (_, index) =>
          client.set(`many:${index}`, String(index)).then(() => client.get(`many:${index}`)),
        ),
      );
      assert.deepEqual(
        replies,
        Array.from({ length: 5000 }, (_, index) => String(index)),
      );
    });

    test("scans every key", async () => {
      await Promise.all(Array.from({ length: 1000 }, (_, index) => client.set(`scan:${index}`, "x")));
      const seen = new Set<string>();
      for await (const keys of client.scanIterator({ MATCH: "scan:*", COUNT: 50, TYPE: "string" }))
        for (const key of keys) seen.add(key);
      assert.equal(seen.size, 1000);
    });

    test("lets a key go when its time is over", async () => {
      await client.set("short", "x", { expiration: { type: "PX", value: 30 } });
      await waitUntil("the key is gone", async () => (await client.exists("short")) === 0);
      assert.equal(await client.pTTL("short"), -2);
    });

    test("moves a value of 16 MB in and out unchanged", async () => {
      const value = "0123456789abcdef".repeat(1 << 20);
      await client.set("big", value);
      assert.equal((await client.get("big")) === value, true);
      await client.del("big");
    });

    test("finds matches between two values", async () => {
      await client.mSet({ "{l}a": "ohmytext", "{l}b": "mynewtext" });
      assert.equal(await client.lcs("{l}a", "{l}b"), "mytext");
      const found = await client.lcsIdx("{l}a", "{l}b");
      assert.equal(found.len, 6);
      assert.deepEqual(found.matches, [
        [
          [4, 7],
          [5, 8],
        ],
        [
          [2, 3],
          [0, 1],
        ],
      ]);
    });

    test("reads its own line of the client list and the configuration", async () => {
      const info = await client.clientInfo();
      assert.equal(info.name, `node-redis-${RESP}`);
      assert.equal(info.id, await client.clientId());
      // Redis 7.0, which these tests are tried on, does not say it.
      if (server.name === "everkey") assert.equal(info.resp, RESP);
      assert.deepEqual({ ...(await client.configGet("databases")) }, { databases: "16" });
    });

    test("connects again by itself after the server was killed and started again", async () => {
      const dir = createFolder("reconnect");
      const port = await freePort();
      const first = await startSubject({ dir, port });
      const patient = createClient({ socket: { port, host: first.host, reconnectStrategy: 20 }, RESP });
      patient.on("error", () => {}); // refused connections while nobody listens
      await patient.connect();
      await patient.set("before", "1");
      await patient.sendCommand(["SAVE"]);
      await first.kill();
      await waitUntil("the client sees it", () => !patient.isReady);
      const second = await startSubject({ dir, port });
      assert.equal(await patient.get("before"), "1");
      patient.destroy();
      await second.stop();
      removeFolder(dir);
    });
  });
}

describe("node-redis with a cache of its own", () => {
  let server: ChildServer;

  before(async () => {
    server = await startSubject();
  });

  after(async () => {
    await server?.stop();
  });

  test("reads from its cache until the server says that a key has changed", async () => {
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: "LRU" });
    const socket = { port: server.port, host: server.host };
    const reader = createClient({ socket, RESP: 3, clientSideCache: cache });
    const writer = createClient({ socket, RESP: 3 });
    await Promise.all([reader.connect(), writer.connect()]);
    await writer.set("k", "1");
    await writer.hSet("h", { f: "1" });
    for (let round = 0; round < 10; round++) {
      assert.equal(await reader.get("k"), "1");
      assert.deepEqual({ ...(await reader.hGetAll("h")) }, { f: "1" });
    }
    assert.deepEqual([cache.stats().missCount, cache.stats().hitCount], [2, 18]);
    await writer.set("k", "2");
    await waitUntil("the reader has heard of it", async () => (await reader.get("k")) === "2");
    assert.equal((await reader.hGetAll("h")).f, "1");
    await writer.set("short", "x", { expiration: { type: "PX", value: 30 } });
    await reader.get("short");
    await waitUntil("the reader has heard of its end", async () => (await reader.get("short")) === null);
    await writer.flushAll();
    await waitUntil("the reader has heard of the flush", async () => (await reader.hGetAll("h")).f === undefined);
    assert.equal(await reader.get("k"), null);
    for (const client of [reader, writer]) client.destroy();
  });
});
