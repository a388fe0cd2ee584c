/** A past moment, served read-only: in the program of the tests, and with the program that people start. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { Everkey } from "../../src/index.ts";
import { startEverkey } from "../support/everkey.ts";
import { temporaryFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

interface Running {
  readonly redis: Redis;
  readonly server: Everkey;
}

async function start(context: TestContext, dir: string, options: Record<string, string>): Promise<Running> {
  const server = await Everkey.start({ port: 0, dir, save: "", ...options });
  const redis = new Redis(server.url);
  context.after(async () => {
    redis.disconnect();
    await server.close();
  });
  return { redis, server };
}

/** Waits until the clock shows another millisecond; returns one that lies between what was and what comes. */
async function momentBetween(): Promise<number> {
  const moment = Date.now();
  await waitUntil("the time goes on", () => Date.now() > moment + 1);
  return moment;
}

const contentOf = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, readFileSync(path, "latin1")]),
  );

test("the data is that of the moment, with the time to live of the moment, and cannot be changed", async (context) => {
  const dir = temporaryFolder(context, "as-of");
  const { redis } = await start(context, dir, { appendonly: "yes", "history-keep": "1d" });
  await redis.set("kept", "old");
  await redis.rpush("list", "a", "b");
  const library =
    "#!lua name=l\nredis.register_function{function_name='f', callback=function() return 7 end, flags={'no-writes'}}";
  await redis.function("LOAD", library);
  await redis.set("brief", "x", "PX", 2000);
  const moment = await momentBetween();
  await redis.call("BGREWRITEAOF");
  await waitUntil("the rewrite has ended", async () =>
    (await redis.info("persistence")).includes("aof_rewrite_in_progress:0\r"),
  );
  await redis.set("kept", "new");
  await redis.flushall();
  await waitUntil("the brief key would be over", () => Date.now() > moment + 2100);
  await redis.set("later", "1");
  const before = contentOf(dir);

  const past = await start(context, dir, { "as-of": String(moment) });
  assert.equal(await past.redis.get("kept"), "old");
  assert.equal(await past.redis.get("brief"), "x");
  const ttlMs = await past.redis.pttl("brief");
  assert.ok(ttlMs > 0 && ttlMs <= 2000, String(ttlMs));
  assert.deepEqual(await past.redis.lrange("list", 0, -1), ["a", "b"]);
  assert.equal(await past.redis.call("FCALL_RO", "f", "0"), 7);
  assert.equal(await past.redis.exists("later"), 0);
  await assert.rejects(past.redis.set("kept", "newer"), /^ReplyError: READONLY This server shows the data as of /);
  await assert.rejects(past.redis.flushall(), /READONLY/);
  await assert.rejects(past.redis.eval("return redis.call('del', 'kept')", 0), /READONLY/);
  assert.equal(await past.redis.ping(), "PONG");
  assert.equal(await past.redis.save(), "OK");
  await past.redis.call("BGREWRITEAOF");
  await waitUntil("it is written, elsewhere", async () =>
    (await past.redis.info("persistence")).includes("aof_rewrite_in_progress:0\r"),
  );
  const after = contentOf(dir);
  for (const [path, text] of before) assert.ok(after.get(path) === text, `${path} was changed`);
  assert.equal(await redis.get("later"), "1");
});

test("a moment before the history, or none at all, ends the start with what there is", async (context) => {
  const dir = temporaryFolder(context, "as-of-none");
  const { redis } = await start(context, dir, { appendonly: "yes", "history-keep": "1d" });
  await redis.set("a", "1");
  await assert.rejects(
    Everkey.start({ port: 0, dir, "as-of": "2001-01-01 00:00" }),
    /before the history, which begins at/,
  );
  await assert.rejects(Everkey.start({ port: 0, dir, "as-of": "yesterday-ish" }), /is no moment/);
  await assert.rejects(Everkey.start({ port: 0, dir: temporaryFolder(context, "empty"), "as-of": "now" }));
});

test("a log that says no times is shown at an offset, too", async (context) => {
  const dir = temporaryFolder(context, "as-of-no-times");
  const { redis, server } = await start(context, dir, { appendonly: "yes" });
  await redis.set("a", "1");
  await redis.set("b", "1");
  await server.close();
  const folder = join(dir, "appendonlydir");
  const base = readdirSync(folder).find((name) => name.includes(".base."))!;
  rmSync(join(folder, base));
  const text = readFileSync(join(folder, "appendonly.aof.1.incr.aof"), "latin1").replace(/^#.*\r\n/gm, "");
  writeFileSync(join(folder, "appendonly.aof.1.incr.aof"), text, "latin1");
  writeFileSync(join(folder, "appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n");
  const offset = text.lastIndexOf("*3");
  const past = await start(context, dir, { "as-of": `offset:${offset}` });
  assert.equal(await past.redis.get("a"), "1");
  assert.equal(await past.redis.get("b"), null);
});

test("everkey server --as-of shows the state before an offset", async (context) => {
  const dir = temporaryFolder(context, "as-of-program");
  const { redis } = await start(context, dir, { appendonly: "yes", "history-keep": "1d" });
  await redis.set("a", "1");
  await redis.flushall();
  const bytes = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\n1\r\n".length;
  const child = await startEverkey({ directives: { dir, "as-of": `offset:${bytes}` } });
  context.after(() => child.stop());
  const past = new Redis(child.port);
  context.after(() => past.disconnect());
  assert.equal(await past.get("a"), "1");
});
