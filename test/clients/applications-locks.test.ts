/**
 * Redlock against one started server and against three of which some are lost.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import type RedlockClass from "../../node_modules/redlock/dist/index.d.ts";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

// The package has types but does not say so to TypeScript: loaded by a name that it does not follow.
const packageName: string = "redlock";
const { default: Redlock, ResourceLockedError } = (await import(packageName)) as {
  default: typeof RedlockClass;
  ResourceLockedError: new (message: string) => Error;
};

describe("redlock", () => {
  const servers: ChildServer[] = [];
  const clients: Redis[] = [];

  before(async () => {
    for (let count = 0; count < 3; count++) {
      const server = await startSubject();
      servers.push(server);
      const client = new Redis({ port: server.port, host: server.host, maxRetriesPerRequest: 0 });
      client.on("error", () => {}); // the servers that are killed
      clients.push(client);
    }
  });

  beforeEach(async () => {
    for (const client of clients) await client.flushall();
  });

  after(async () => {
    for (const client of clients) client.disconnect();
    for (const server of servers) if (server.ending() === undefined) await server.stop();
  });

  test("lets one contender in at a time", async () => {
    const [client] = clients as [Redis];
    const contenders = Array.from(
      { length: 8 },
      () => new Redlock([client], { retryCount: -1, retryDelay: 5, retryJitter: 5 }),
    );
    let inside = 0;
    let most = 0;
    await Promise.all(
      contenders.map(async (redlock) => {
        for (let round = 0; round < 10; round++) {
          await redlock.using(["counter-lock"], 20_000, async () => {
            most = Math.max(most, ++inside);
            const value = Number(await client.get("counter"));
            await client.set("counter", value + 1);
            inside--;
          });
        }
      }),
    );
    assert.equal(await client.get("counter"), "80");
    assert.equal(most, 1);
    assert.equal(await client.exists("counter-lock"), 0);
  });

  test("refuses what is held, lets the holder prolong it, and frees it", async () => {
    const [client] = clients as [Redis];
    const redlock = new Redlock([client], { retryCount: 0 });
    let lock = await redlock.acquire(["a", "b"], 20_000);
    assert.equal(await client.get("a"), lock.value);
    assert.equal(await client.get("b"), lock.value);
    const refusal = await redlock.acquire(["b", "c"], 20_000).then(
      () => assert.fail("b is held"),
      (fault: { attempts: readonly Promise<{ votesAgainst: Map<Redis, Error> }>[] }) => fault,
    );
    const { votesAgainst } = await refusal.attempts[0]!;
    assert.ok(votesAgainst.get(client) instanceof ResourceLockedError);
    assert.equal(await client.exists("c"), 0);
    lock = await lock.extend(600_000);
    assert.ok((await client.pttl("a")) > 500_000);
    await lock.release();
    assert.equal(await client.exists("a", "b"), 0);
    await assert.rejects(lock.release(), { name: /Error/ });
    await (await redlock.acquire(["b", "c"], 20_000)).release();
  });

  test("frees a lock whose holder is lost when its time is over", async () => {
    const [client] = clients as [Redis];
    const redlock = new Redlock([client], { retryCount: -1, retryDelay: 10, retryJitter: 0, driftFactor: 0 });
    const lost = await new Redlock([client], { retryCount: 0 }).acquire(["short"], 100);
    const next = await redlock.acquire(["short"], 20_000);
    assert.ok(Date.now() >= lost.expiration - 20, "not before its time");
    assert.equal(await client.get("short"), next.value);
    await assert.rejects(lost.release(), { name: /Error/ });
    assert.equal(await client.get("short"), next.value);
    await next.release();
  });

  test("needs most of the servers, and no more than most", async () => {
    const redlock = new Redlock(clients, { retryCount: 0 });
    const held = await redlock.acquire(["everywhere"], 20_000);
    await waitUntil("all have it", async () =>
      (await Promise.all(clients.map((client) => client.exists("everywhere")))).every((count) => count === 1),
    );
    await servers[2]!.kill();
    await held.release();
    const again = await redlock.acquire(["everywhere"], 20_000);
    assert.equal(await clients[0]!.get("everywhere"), again.value);
    assert.equal(await clients[1]!.get("everywhere"), again.value);
    await again.release();
    await servers[1]!.kill();
    await assert.rejects(redlock.acquire(["everywhere"], 20_000), { name: /Error/ });
    assert.equal(await clients[0]!.exists("everywhere"), 0, "what one server had granted is given back");
  });
});
