/**
 * Keyv with @keyv/redis, the cache of many applications, against a started server.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { createKeyv, type Keyv } from "@keyv/redis";
import { Redis } from "ioredis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

describe("keyv with @keyv/redis", () => {
  let server: ChildServer;
  let plain: Redis;
  let cache: Keyv;
  let neighbour: Keyv;

  before(async () => {
    server = await startSubject();
    plain = new Redis({ port: server.port, host: server.host });
    const url = `redis://${server.host}:${server.port}`;
    cache = createKeyv(url, { namespace: "cache", throwOnErrors: true });
    neighbour = createKeyv(url, { namespace: "neighbour", throwOnErrors: true });
  });

  beforeEach(() => plain.flushall());

  after(async () => {
    await cache?.disconnect();
    await neighbour?.disconnect();
    plain?.disconnect();
    await server?.stop();
  });

  test("keeps values of every kind under its own prefix", async () => {
    const values: [string, unknown][] = [
      ["text", "grüße"],
      ["number", 1.5],
      ["object", { list: [1, null, "x"], nested: { yes: true } }],
      ["empty", ""],
      ["bytes", Buffer.from([0, 13, 10, 255])],
    ];
    for (const [key, value] of values) assert.equal(await cache.set(key, value), true);
    for (const [key, value] of values) assert.deepEqual(await cache.get(key), value, key);
    assert.deepEqual((await plain.keys("*")).sort(), values.map(([key]) => `cache::${key}`).sort());
    assert.equal(await cache.get("none"), undefined);
    assert.equal(await cache.has("text"), true);
    assert.equal(await neighbour.has("text"), false);
    assert.equal(await cache.delete("text"), true);
    assert.equal(await cache.delete("text"), false);
  });

  test("hands its time to live to the server, which forgets the value", async () => {
    await cache.set("long", 1, 1_000_000);
    const remainingMs = await plain.pttl("cache::long");
    assert.ok(remainingMs > 900_000 && remainingMs <= 1_000_000, String(remainingMs));
    await cache.set("short", 1, 30);
    await waitUntil("the server has forgotten", async () => (await plain.exists("cache::short")) === 0);
    assert.equal(await cache.get("short"), undefined);
    await cache.set("long", 2);
    assert.equal(await plain.pttl("cache::long"), -1);
  });

  test("sets, gets and deletes many at once", async () => {
    const entries = Array.from({ length: 300 }, (_, index) => ({ key: `many:${index}`, value: { index } }));
    await cache.setMany(entries);
    assert.equal(await plain.dbsize(), 300);
    const keys = entries.map((entry) => entry.key);
    assert.deepEqual(await cache.getMany([...keys, "none"]), [...entries.map((entry) => entry.value), undefined]);
    assert.deepEqual(new Set(await cache.hasMany(keys)), new Set([true]));
    await cache.deleteMany(keys.slice(0, 100));
    assert.equal(await plain.dbsize(), 200);
  });

  test("visits each key of its namespace once and clears no other", async () => {
    const entries = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: index }));
    await cache.setMany(entries(2500));
    await neighbour.setMany(entries(40));
    const seen = new Map<string, number>();
    for await (const [key, value] of cache.iterator!({})) seen.set(key, value);
    assert.equal(seen.size, 2500);
    for (const { key, value } of entries(2500)) assert.equal(seen.get(key), value);
    await cache.clear();
    assert.equal(await plain.dbsize(), 40);
    assert.equal(await neighbour.get("k39"), 39);
  });
});
