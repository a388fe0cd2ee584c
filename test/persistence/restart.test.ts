import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import type { ChildServer, Directives } from "../support/child-server.ts";
import { startEverkey } from "../support/everkey.ts";
import { runTool, startRedis } from "../support/redis.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { temporaryFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

const FAR_MS = 4_102_444_800_000;

interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** -1: for ever. */
  readonly expireAtMs: number;
}

/** Data as programs have it: 16 databases, binary keys and values of 0 B to 20 MB, half of them with a time. */
function realData(random: SeededRandom): Entry[][] {
  const lengths = [0, 1, 3, 20, 44, 45, 64, 255, 256, 1000, 2048, 5000, 70_000];
  return Array.from({ length: 16 }, (_, database) => {
    const count = 20 + database * 10;
    const entries = Array.from({ length: count }, (_, index): Entry => {
      const length = random.pick(lengths);
      const kind = random.below(4);
      const value =
        kind === 0
          ? Buffer.from(String(random.uint32() - 2 ** 31))
          : kind === 1
            ? Buffer.alloc(length, "abcdefghijklmnop")
            : random.bytes(length);
      const key = random.chance(0.3)
        ? Buffer.concat([Buffer.from([0, 255, 13, 10, index & 255]), random.bytes(9)])
        : Buffer.from(`key:${database}:${index}`);
      return { key, value, expireAtMs: random.chance(0.5) ? FAR_MS + random.below(1_000_000) : -1 };
    });
    const longest = [[1_048_575], [1_048_577, 3_000_000], [20_000_000]][database] ?? [];
    for (const length of longest) {
      entries.push({
        key: Buffer.from(`long:${length}`),
        value: Buffer.alloc(length, random.bytes(1009)),
        expireAtMs: -1,
      });
    }
    return entries;
  });
}

async function withClient<Result>(server: ChildServer, use: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis({
    port: server.port,
    host: server.host,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined); // SHUTDOWN ends the connection
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

async function writeAll(client: Redis, data: Entry[][]): Promise<void> {
  for (const [database, entries] of data.entries()) {
    await client.select(database);
    const pipeline = client.pipeline();
    for (const { key, value, expireAtMs } of entries) {
      if (expireAtMs === -1) pipeline.set(key, value);
      else pipeline.set(key, value, "PXAT", expireAtMs);
    }
    for (const [error] of (await pipeline.exec())!) assert.equal(error, null);
  }
}

const hash = (bytes: Buffer | null): string =>
  bytes === null ? "absent" : createHash("sha256").update(bytes).digest("hex");

async function checkAll(client: Redis, data: Entry[][]): Promise<void> {
  for (const [database, entries] of data.entries()) {
    await client.select(database);
    assert.equal(await client.dbsize(), entries.length, `keys of database ${database}`);
    for (const { key, value, expireAtMs } of entries) {
      assert.equal(hash(await client.getBuffer(key)), hash(value), `${database}: ${key.toString("latin1")}`);
      assert.equal(await client.pexpiretime(key), expireAtMs);
    }
  }
}

/** `dir` holds the data; save points that only a shutdown uses. */
const start = (dir: string, directives: Directives = {}): Promise<ChildServer> =>
  startEverkey({ dir, directives: { save: "3600 1", ...directives } });

async function checkFile(dir: string): Promise<void> {
  const { code, stdout } = await runTool("redis-check-rdb", [join(dir, "dump.rdb")]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /RDB looks OK!/);
}

const digest = (server: ChildServer): Promise<unknown> =>
  withClient(server, (client) => client.call("DEBUG", "DIGEST"));

function seeded(t: TestContext): SeededRandom {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  return new SeededRandom(seed);
}

test("real data is there again after SIGTERM and after SHUTDOWN, in Everkey and in the real server", async (t) => {
  const dir = temporaryFolder(t, "restart");
  const data = realData(seeded(t));
  const first = await start(dir);
  t.after(() => first.kill());
  await withClient(first, async (client) => {
    await writeAll(client, data);
    await checkAll(client, data);
  });
  assert.equal((await first.stop()).code, 0);
  await checkFile(dir);

  const second = await start(dir, { rdbcompression: "no" });
  t.after(() => second.kill());
  await withClient(second, async (client) => {
    await checkAll(client, data);
    assert.match(await client.info("persistence"), /rdb_changes_since_last_save:0\r/);
    await client.select(5);
    await client.set("after", "restart");
    data[5]!.push({ key: Buffer.from("after"), value: Buffer.from("restart"), expireAtMs: -1 });
    await client.call("SHUTDOWN").catch(() => undefined);
  });
  assert.equal((await second.exited).code, 0);
  await checkFile(dir);

  const third = await start(dir);
  t.after(() => third.kill());
  await withClient(third, (client) => checkAll(client, data));
  const ours = await digest(third);
  await third.stop();

  const real = await startRedis({ dir });
  t.after(() => real.kill());
  await withClient(real, (client) => checkAll(client, data));
  assert.equal(await digest(real), ours);
  await real.stop();
});

test("the real server's file is loaded, and its digest is the same", async (t) => {
  const dir = temporaryFolder(t, "theirs");
  const data = realData(seeded(t));
  const real = await startRedis({ dir });
  t.after(() => real.kill());
  const theirs = await withClient(real, async (client) => {
    await writeAll(client, data);
    assert.equal(await client.save(), "OK");
    return client.call("DEBUG", "DIGEST");
  });
  await real.stop();
  const server = await start(dir);
  t.after(() => server.kill());
  await withClient(server, (client) => checkAll(client, data));
  assert.equal(await digest(server), theirs);
  await server.stop();
});

test("what SHUTDOWN NOSAVE leaves is the file of the last save", async (t) => {
  const dir = temporaryFolder(t, "nosave");
  const first = await start(dir);
  t.after(() => first.kill());
  await withClient(first, async (client) => {
    await client.set("saved", "1");
    assert.equal(await client.save(), "OK");
    await client.set("lost", "1");
    await client.call("SHUTDOWN", "NOSAVE").catch(() => undefined);
  });
  assert.equal((await first.exited).code, 0);
  const second = await start(dir);
  t.after(() => second.kill());
  assert.deepEqual(await withClient(second, (client) => client.keys("*")), ["saved"]);
  await second.stop();
});

test("a save point makes the server save by itself", async (t) => {
  const dir = temporaryFolder(t, "point");
  const server = await start(dir, { save: "1 10" });
  t.after(() => server.kill());
  await withClient(server, async (client) => {
    for (let index = 0; index < 10; index++) await client.set(`k${index}`, "v");
    await waitUntil("the save point's snapshot", async () =>
      /rdb_changes_since_last_save:0\r/.test(await client.info("persistence")),
    );
  });
  assert.match(server.log(), /10 changes in 1 seconds\. Saving\.\.\./);
  assert.match(server.log(), /Background saving terminated with success/);
  await server.kill();
  await checkFile(dir);
  const second = await start(dir);
  t.after(() => second.kill());
  assert.equal(await withClient(second, (client) => client.dbsize()), 10);
  await second.stop();
});
