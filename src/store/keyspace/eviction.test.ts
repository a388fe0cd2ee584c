import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { EVICTION_POLICIES, Eviction } from "./eviction.ts";
import { Keyspace, NO_EXPIRY } from "./keyspace.ts";

const NOW_MS = 1_700_000_000_000;

/** A keyspace with two databases; `samples` so large that every key of a small one is looked at. */
function world(seed: number): { keyspace: Keyspace; eviction: Eviction; evicted: string[] } {
  const random = new SeededRandom(seed);
  const keyspace = new Keyspace(new KeyHash(1, 2), 2);
  keyspace.nowMs = NOW_MS;
  keyspace.clock.setNow(NOW_MS);
  const evicted: string[] = [];
  keyspace.onRemoval = (_database, record, reason) => {
    assert.equal(reason, "evicted");
    evicted.push(Buffer.from(keyspace.records.key(record)).toString());
  };
  const eviction = new Eviction(keyspace, () => random.uint32());
  eviction.samples = 200;
  return { keyspace, eviction, evicted };
}

function set(keyspace: Keyspace, name: string, expireAtMs = NO_EXPIRY, database = 0): number {
  const key = Buffer.from(name);
  return keyspace.setString(keyspace.databases[database]!, key, 0, key.length, key, 0, key.length, expireAtMs);
}

test("noeviction lets no key go", () => {
  const { keyspace, eviction } = world(1);
  set(keyspace, "a");
  eviction.setPolicy("noeviction");
  assert.equal(eviction.evictOne(), false);
  assert.equal(keyspace.totalKeys(), 1);
});

for (const policy of EVICTION_POLICIES) {
  if (policy === "noeviction") continue;
  test(`${policy} empties all databases of its candidates and touches no other key`, (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const { keyspace, eviction, evicted } = world(seed);
    eviction.setPolicy(policy);
    for (let index = 0; index < 60; index++) {
      set(keyspace, `stays${index}`, NO_EXPIRY, index % 2);
      set(keyspace, `goes${index}`, NOW_MS + 1000 + index, index % 2);
    }
    const isVolatile = policy.startsWith("volatile-");
    let count = 0;
    while (eviction.evictOne()) {
      count++;
      keyspace.verify();
    }
    assert.equal(count, isVolatile ? 60 : 120);
    assert.equal(keyspace.totalKeys(), isVolatile ? 60 : 0);
    assert.equal(keyspace.statistics.evictedKeys, count);
    assert.equal(new Set(evicted).size, count);
    if (isVolatile) for (const name of evicted) assert.match(name, /^goes/);
  });
}

test("allkeys-lru takes the key that was used longest ago, volatile-lru that of those that expire", () => {
  for (const policy of ["allkeys-lru", "volatile-lru"] as const) {
    const { keyspace, eviction, evicted } = world(2);
    eviction.setPolicy(policy);
    const order = new SeededRandom(3).shuffled(Array.from({ length: 20 }, (_, index) => index));
    for (const idle of order) {
      const record = set(keyspace, `idle${idle}`, policy === "volatile-lru" ? NOW_MS + 5000 : NO_EXPIRY, idle % 2);
      keyspace.records.setAccess(record, keyspace.clock.accessForIdle(idle * 60));
    }
    if (policy === "volatile-lru") {
      keyspace.records.setAccess(set(keyspace, "old"), keyspace.clock.accessForIdle(1_000_000));
    }
    for (let count = 0; count < 20; count++) eviction.evictOne();
    assert.deepEqual(
      evicted,
      Array.from({ length: 20 }, (_, index) => `idle${19 - index}`),
    );
  }
});

test("allkeys-lfu takes the key that was used least often", () => {
  const { keyspace, eviction, evicted } = world(4);
  eviction.setPolicy("allkeys-lfu");
  for (const counter of [200, 3, 90, 17, 255, 40]) {
    keyspace.records.setAccess(set(keyspace, `used${counter}`), keyspace.clock.accessForFrequency(counter));
  }
  while (eviction.evictOne());
  assert.deepEqual(evicted, ["used3", "used17", "used40", "used90", "used200", "used255"]);
});

test("volatile-ttl takes the key that expires first", () => {
  const { keyspace, eviction, evicted } = world(5);
  eviction.setPolicy("volatile-ttl");
  for (const ttl of [500, 100, 900, 300]) set(keyspace, `ttl${ttl}`, NOW_MS + ttl, ttl % 200 === 100 ? 1 : 0);
  set(keyspace, "forever");
  while (eviction.evictOne());
  assert.deepEqual(evicted, ["ttl100", "ttl300", "ttl500", "ttl900"]);
});

test("a candidate of an earlier sample that has gone, moved or lost its time is passed over", () => {
  const { keyspace, eviction, evicted } = world(6);
  eviction.setPolicy("volatile-ttl");
  const database = keyspace.databases[0]!;
  for (let index = 0; index < 16; index++) set(keyspace, `k${index}`, NOW_MS + index);
  eviction.evictOne(); // fills the pool
  for (let index = 1; index < 10; index++) keyspace.delete(database, Buffer.from(`k${index}`), 0, 2);
  for (let index = 10; index < 16; index++) set(keyspace, `k${index}`);
  set(keyspace, "new", NOW_MS + 99_999);
  assert.ok(eviction.evictOne());
  assert.deepEqual(evicted, ["k0", "new"]);
  assert.equal(eviction.evictOne(), false);
});

test("with few samples the choice is still far better than chance", (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const { keyspace, eviction, evicted } = world(seed);
  eviction.setPolicy("allkeys-lru");
  eviction.samples = 5;
  for (let idle = 0; idle < 2000; idle++) {
    keyspace.records.setAccess(set(keyspace, String(idle)), keyspace.clock.accessForIdle(idle));
  }
  for (let count = 0; count < 500; count++) eviction.evictOne();
  const mean = evicted.reduce((sum, idle) => sum + Number(idle), 0) / evicted.length;
  assert.ok(mean > 1400, `mean idle time of what went: ${mean}; by chance 1000, at best 1750`);
});
