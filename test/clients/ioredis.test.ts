/**
 * ioredis, as programs use it, against a started server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { type ChildServer, freePort } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { createFolder, removeFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

describe("ioredis", () => {
  let server: ChildServer;
  let client: Redis;

  before(async () => {
    server = await startSubject();
    client = new Redis({ port: server.port, host: server.host });
  });

  after(async () => {
    client?.disconnect();
    await server?.stop();
  });

  test("becomes ready, which takes an INFO that it understands", async () => {
    await client.ping();
    assert.equal(client.status, "ready");
    assert.match(await client.info("server"), /redis_version:\d+\.\d+\.\d+/);
  });

  test("writes and reads text, numbers and bytes", async () => {
    assert.equal(await client.set("io:text", "grüße"), "OK");
    assert.equal(await client.get("io:text"), "grüße");
    const bytes = Buffer.from([0, 13, 10, 255, 36, 42]);
    await client.set(Buffer.from([255, 0]), bytes);
    assert.deepEqual(await client.getBuffer(Buffer.from([255, 0])), bytes);
    assert.equal(await client.incrby("io:number", 41), 41);
    assert.equal(await client.incr("io:number"), 42);
    assert.equal(await client.incrbyfloat("io:float", 0.5), "0.5");
    assert.deepEqual(await client.mget("io:number", "io:none"), ["42", null]);
    assert.equal(await client.get("io:none"), null);
  });

  test("takes options of SET and gives null where they forbid it", async () => {
    assert.equal(await client.set("io:once", "1", "EX", 1000, "NX"), "OK");
    assert.equal(await client.set("io:once", "2", "NX"), null);
    assert.equal(await client.set("io:once", "3", "XX", "KEEPTTL" as never), "OK");
    const seconds = await client.ttl("io:once");
    assert.ok(seconds > 900 && seconds <= 1000, String(seconds));
  });

  test("gives errors as errors, with the server's words", async () => {
    await client.set("io:word", "abc");
    await assert.rejects(client.incr("io:word"), { message: "ERR value is not an integer or out of range" });
    await assert.rejects(client.call("NOSUCH", "a"), {
      message: "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
    });
  });

  test("pipelines thousands of commands and keeps their order", async () => {
    const pipeline = client.pipeline();
    for (let index = 0; index < 5000; index++) pipeline.set(`io:many:${index}`, index).get(`io:many:${index}`);
    const replies = await pipeline.exec();
    assert.equal(replies?.length, 10_000);
    for (let index = 0; index < 5000; index++) assert.deepEqual(replies![index * 2 + 1], [null, String(index)]);
  });

  test("scans every key once or more, by pattern, with every count", async () => {
    const writes = client.pipeline();
    for (let index = 0; index < 2000; index++) writes.set(`io:scan:${index}`, "x");
    await writes.exec();
    for (const count of [1, 10, 500]) {
      const seen = new Set<string>();
      for await (const batch of client.scanStream({ match: "io:scan:*", count }))
        for (const key of batch) seen.add(key);
      assert.equal(seen.size, 2000, `COUNT ${count}`);
    }
  });

  test("lets a key go when its time is over", async () => {
    await client.set("io:short", "x", "PX", 30);
    await waitUntil("the key is gone", async () => (await client.exists("io:short")) === 0);
    assert.equal(await client.get("io:short"), null);
    assert.equal(await client.pttl("io:short"), -2);
  });

  test("moves a value of 32 MB in and out unchanged", async () => {
    const value = Buffer.alloc(32 << 20, "0123456789abcdef");
    value[12_345_678] = 0xff;
    await client.set("io:big", value);
    assert.ok((await client.getBuffer("io:big"))?.equals(value));
    assert.equal(await client.strlen("io:big"), value.length);
    await client.del("io:big");
  });

  test("sees its own name and number", async () => {
    await client.client("SETNAME", "io-test");
    const id = await client.client("ID");
    assert.ok(Number(id) > 0);
    const info = String(await client.client("INFO"));
    assert.match(info, new RegExp(`^id=${id} addr=127\\.0\\.0\\.1:\\d+ .*name=io-test `));
    assert.match(String(await client.client("LIST")), /name=io-test /);
  });

  test("keeps databases apart", async () => {
    const other = new Redis({ port: server.port, host: server.host, db: 3 });
    await client.set("io:apart", "0");
    assert.equal(await other.get("io:apart"), null);
    await other.set("io:apart", "3");
    assert.equal(await client.get("io:apart"), "0");
    other.disconnect();
  });

  test("signs in with a password and is refused without", async () => {
    const locked = await startSubject({ directives: { requirepass: "secret" } });
    const known = new Redis({ port: locked.port, host: locked.host, password: "secret" });
    const unknown = new Redis({ port: locked.port, host: locked.host, enableReadyCheck: false });
    assert.equal(await known.set("a", "1"), "OK");
    await assert.rejects(unknown.get("a"), { message: "NOAUTH Authentication required." });
    known.disconnect();
    unknown.disconnect();
    await locked.stop();
  });

  test("connects again by itself after the server was killed and started again", async () => {
    const dir = createFolder("reconnect");
    const port = await freePort();
    const first = await startSubject({ dir, port });
    const patient = new Redis({ port, host: first.host, retryStrategy: () => 20, maxRetriesPerRequest: null });
    patient.on("error", () => {}); // refused connections while nobody listens
    await patient.set("io:before", "1");
    await patient.call("SAVE");
    await first.kill();
    const second = await startSubject({ dir, port });
    assert.equal(await patient.get("io:before"), "1");
    patient.disconnect();
    await second.stop();
    removeFolder(dir);
  });
});
