/**
 * rate-limiter-flexible with ioredis and with node-redis against a started server.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import {
  BurstyRateLimiter,
  type IRateLimiterRedisOptions,
  RateLimiterQueue,
  RateLimiterRedis,
  RateLimiterRes,
  RateLimiterUnion,
} from "rate-limiter-flexible";
import { createClient } from "redis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

/** The outcome of a request: true when it was let in. A fault that is no refusal fails the test. */
async function isLetIn(consumption: Promise<unknown>): Promise<boolean> {
  try {
    await consumption;
    return true;
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return false;
    throw refusal;
  }
}

const LIBRARIES: Record<string, (server: ChildServer) => Promise<{ client: unknown; close(): void }>> = {
  async ioredis(server) {
    const client = new Redis({ port: server.port, host: server.host, enableOfflineQueue: false });
    await new Promise((done) => client.once("ready", done));
    return { client, close: () => client.disconnect() };
  },
  async "node-redis"(server) {
    const client = createClient({ socket: { port: server.port, host: server.host } });
    client.on("error", () => {}); // shown by the call that fails
    await client.connect();
    return { client, close: () => client.destroy() };
  },
};

for (const [library, open] of Object.entries(LIBRARIES)) {
  describe(`rate-limiter-flexible with ${library}`, () => {
    let server: ChildServer;
    let plain: Redis;
    let link: Awaited<ReturnType<typeof open>>;
    const limiter = (options: Partial<IRateLimiterRedisOptions>) =>
      new RateLimiterRedis({
        storeClient: link.client,
        useRedisPackage: library === "node-redis",
        points: 10,
        duration: 600,
        ...options,
      });

    before(async () => {
      server = await startSubject();
      plain = new Redis({ port: server.port, host: server.host });
      link = await open(server);
    });

    beforeEach(() => plain.flushall());

    after(async () => {
      link?.close();
      plain?.disconnect();
      await server?.stop();
    });

    test("lets in as many of two hundred at once as there are points, for each user apart", async () => {
      const limit = limiter({ keyPrefix: "crowd" });
      for (const user of ["a", "b"]) {
        const outcomes = await Promise.all(Array.from({ length: 100 }, () => isLetIn(limit.consume(user))));
        assert.equal(outcomes.filter(Boolean).length, 10, user);
      }
      assert.deepEqual((await plain.keys("*")).sort(), ["crowd:a", "crowd:b"]);
      assert.equal(await plain.get("crowd:a"), "100");
      const seconds = await plain.ttl("crowd:a");
      assert.ok(seconds > 540 && seconds <= 600, String(seconds));
    });

    test("says how much is left and when, punishes, rewards and forgets", async () => {
      const limit = limiter({ keyPrefix: "one" });
      const first = await limit.consume("u", 3);
      assert.equal(first.isFirstInDuration, true);
      assert.deepEqual([first.consumedPoints, first.remainingPoints], [3, 7]);
      assert.ok(first.msBeforeNext > 540_000 && first.msBeforeNext <= 600_000, String(first.msBeforeNext));
      assert.equal((await limit.penalty("u", 5)).consumedPoints, 8);
      assert.equal((await limit.reward("u", 2)).consumedPoints, 6);
      assert.equal((await limit.get("u"))?.remainingPoints, 4);
      assert.equal((await limit.consume("u", 4)).isFirstInDuration, false);
      assert.equal(await isLetIn(limit.consume("u")), false);
      assert.equal(await limit.delete("u"), true);
      assert.equal(await limit.get("u"), null);
      await limit.set("u", 9, 100);
      assert.equal((await limit.consume("u")).remainingPoints, 0);
      await limit.block("u", 1000);
      assert.equal((await limit.get("u"))?.remainingPoints, 0);
      assert.ok((await plain.ttl("one:u")) > 900);
    });

    test("lets in again when the time is over, and keeps out for longer who asked too often", async () => {
      const limit = limiter({ keyPrefix: "short", points: 1, duration: 2 });
      const began = performance.now();
      const first = await limit.consume("u");
      assert.ok(first.msBeforeNext <= 2000);
      await waitUntil("the time is over", () => isLetIn(limit.consume("u")));
      assert.ok(performance.now() - began >= 1900, "until then it was refused");
      const strict = limiter({ keyPrefix: "strict", points: 1, blockDuration: 500 });
      await strict.consume("u");
      assert.equal(await isLetIn(strict.consume("u")), false);
      const remaining = await plain.ttl("strict:u");
      assert.ok(remaining > 400 && remaining <= 500, String(remaining));
    });

    test("bursts, unions and queues stand on the same counters", async () => {
      const bursty = new BurstyRateLimiter(
        limiter({ keyPrefix: "base", points: 2 }),
        limiter({ keyPrefix: "burst", points: 3 }),
      );
      const outcomes: boolean[] = [];
      for (let count = 0; count < 7; count++) outcomes.push(await isLetIn(bursty.consume("u")));
      assert.deepEqual(outcomes, [true, true, true, true, true, false, false]);

      const union = new RateLimiterUnion(limiter({ keyPrefix: "minute", points: 5 }), limiter({ keyPrefix: "hour" }));
      const both = await union.consume("u");
      assert.deepEqual([both.minute?.remainingPoints, both.hour?.remainingPoints], [4, 9]);

      const queue = new RateLimiterQueue(limiter({ keyPrefix: "queue", points: 2, duration: 1 }));
      const began = performance.now();
      await Promise.all(Array.from({ length: 4 }, () => queue.removeTokens(1, "u")));
      assert.ok(performance.now() - began >= 500, "the third had to wait");
    });
  });
}
