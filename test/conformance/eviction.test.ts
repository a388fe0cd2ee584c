/**
 * Eviction seen from outside: which keys go when maxmemory is reached, under each policy.
 *
 *      OLD keys (unused for hours, rarely used, or soon to expire) │ YOUNG keys ──► maxmemory = what they take ──► more writes
 *
 *  I1  No test waits for time to pass: RESTORE says how long a key has been idle and how often it was used.
 *  I2  The choice is a sample's: what must hold is that most of the keys that went are old ones. The real server passes
 *      the same tests (EVERKEY_TEST_SUBJECT=redis).
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { type Argument, RawClient } from "../support/raw-client.ts";

const KEY_COUNT = 2000;
const VALUE = "v".repeat(2000);
const OUT_OF_MEMORY = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

describe("eviction", () => {
  let server: ChildServer;
  let client: RawClient;

  before(async () => {
    server = await startSubject();
    client = await RawClient.connect(server.port);
  });

  after(async () => {
    client?.close();
    await server?.stop();
  });

  beforeEach(async () => {
    await client.ask("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction", "maxmemory-samples", 10);
    await client.ask("FLUSHALL");
    await client.ask("CONFIG", "RESETSTAT");
  });

  async function figure(name: string): Promise<number> {
    const info = String(await client.ask("INFO", "everything"));
    return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)![1]);
  }

  /** The names of `prefix` from 0 to KEY_COUNT - 1 that are there. */
  async function survivors(prefix: string): Promise<number[]> {
    const names = Array.from({ length: KEY_COUNT }, (_, index) => index);
    const replies = await client.pipeline(names.map((index) => ["EXISTS", `${prefix}:${index}`]));
    return names.filter((index) => replies[index]!.toString() === ":1\r\n");
  }

  async function fill(make: (index: number) => readonly Argument[]): Promise<void> {
    const replies = await client.pipeline(Array.from({ length: KEY_COUNT }, (_, index) => make(index)));
    for (const reply of replies) assert.equal(reply!.toString(), "+OK\r\n");
  }

  /** Takes what is used now as the limit and writes a quarter more; returns how many keys went. */
  async function press(policy: string): Promise<number> {
    const limit = await figure("used_memory");
    await client.ask("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", limit);
    for (let index = 0; index < KEY_COUNT / 4; index++) await client.ask("SET", `more:${index}`, VALUE);
    // The last command may pass the limit; the next one makes room.
    await client.ask("SET", "last", "1");
    assert.ok((await figure("used_memory")) <= limit * 1.02, "memory stays at its limit");
    // Else counting would make more keys go: replies take memory, too.
    await client.ask("CONFIG", "SET", "maxmemory", 0);
    return figure("evicted_keys");
  }

  async function dumpOfValue(): Promise<Buffer> {
    await client.ask("SET", "model", VALUE);
    const reply = (await client.call("DUMP", "model"))!;
    await client.ask("DEL", "model");
    return reply.subarray(reply.indexOf("\n") + 1, -2);
  }

  test("allkeys-lru takes keys that were not used for hours and keeps those in use", async () => {
    const dump = await dumpOfValue();
    await fill((index) => ["RESTORE", `old:${index}`, 0, dump, "IDLETIME", 20_000 + index]);
    await fill((index) => ["SET", `young:${index}`, VALUE]);
    const evicted = await press("allkeys-lru");
    assert.ok(evicted > KEY_COUNT / 10, `${evicted} went`);
    assert.ok((await survivors("young")).length >= KEY_COUNT - evicted * 0.02);
    assert.ok((await survivors("old")).length <= KEY_COUNT - evicted * 0.98);
  });

  test("volatile-lru takes only keys that expire, though others are older", async () => {
    const dump = await dumpOfValue();
    await fill((index) => ["RESTORE", `old:${index}`, 0, dump, "IDLETIME", 20_000]);
    await fill((index) => ["SET", `young:${index}`, VALUE, "EX", 100_000]);
    const evicted = await press("volatile-lru");
    assert.ok(evicted > KEY_COUNT / 10, `${evicted} went`);
    assert.equal((await survivors("old")).length, KEY_COUNT);
    assert.equal((await survivors("young")).length, KEY_COUNT - evicted);
  });

  test("allkeys-lfu takes keys that were used seldom", async () => {
    await client.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu");
    const dump = await dumpOfValue();
    await fill((index) => ["RESTORE", `old:${index}`, 0, dump, "FREQ", 1]);
    await fill((index) => ["RESTORE", `young:${index}`, 0, dump, "FREQ", 200]);
    const evicted = await press("allkeys-lfu");
    assert.ok(evicted > KEY_COUNT / 10, `${evicted} went`);
    assert.ok((await survivors("young")).length >= KEY_COUNT - evicted * 0.02);
  });

  test("volatile-ttl takes the keys whose time ends first", async () => {
    await fill((index) => ["SET", `old:${index}`, VALUE, "EX", 10_000 + index * 100]);
    await fill((index) => ["SET", `young:${index}`, VALUE]);
    const evicted = await press("volatile-ttl");
    assert.ok(evicted > KEY_COUNT / 10, `${evicted} went`);
    assert.equal((await survivors("young")).length, KEY_COUNT);
    const left = await survivors("old");
    assert.equal(left.length, KEY_COUNT - evicted);
    // Of the keys that would stay if the choice were perfect, nearly all stay.
    const rightly = left.filter((index) => index >= evicted).length;
    assert.ok(rightly >= left.length * 0.9, `${rightly} of ${left.length} that are left are the right ones`);
  });

  for (const policy of ["allkeys-random", "volatile-random"]) {
    test(`${policy} takes keys from everywhere`, async () => {
      await fill((index) => ["SET", `old:${index}`, VALUE, "EX", 10_000]);
      await fill((index) => ["SET", `young:${index}`, VALUE]);
      const evicted = await press(policy);
      assert.ok(evicted > KEY_COUNT / 10, `${evicted} went`);
      const left = await survivors("old");
      const lowHalf = left.filter((index) => index < KEY_COUNT / 2).length;
      assert.ok(Math.abs(lowHalf / left.length - 0.5) < 0.1, `${lowHalf} of ${left.length}`);
      const untouched = (await survivors("young")).length;
      assert.equal(untouched === KEY_COUNT, policy === "volatile-random");
    });
  }

  for (const policy of ["noeviction", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]) {
    test(`${policy} refuses writes when there is no key to take, and takes none`, async () => {
      await fill((index) => ["SET", `young:${index}`, VALUE]);
      await client.ask("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", 1_000_000);
      assert.equal((await client.call("SET", "more", VALUE))!.toString(), OUT_OF_MEMORY);
      assert.equal((await client.call("APPEND", "young:1", "x"))!.toString(), OUT_OF_MEMORY);
      assert.equal(await client.ask("GET", "young:1"), VALUE);
      assert.equal(await client.ask("DEL", "young:0"), 1);
      assert.equal(await client.ask("DBSIZE"), KEY_COUNT - 1);
      assert.equal(await figure("evicted_keys"), 0);
      await client.ask("CONFIG", "SET", "maxmemory", 1_000_000_000);
      assert.equal(await client.ask("SET", "more", VALUE), "OK");
    });
  }
});
