import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyHash } from "../../core/sip-hash.ts";
import { ExpiryCycle } from "./expiry-cycle.ts";
import { Keyspace, NO_EXPIRY } from "./keyspace.ts";

/** Many keys in few chains: whole chains expire at once, and the table shrinks under the walk. */
class SkewedHash extends KeyHash {
  override hash(bytes: Uint8Array, start: number, length: number): number {
    return super.hash(bytes, start, length) & 0x8000000b;
  }
}

function world(hash = new KeyHash(1, 2)): { keyspace: Keyspace; cycle: ExpiryCycle } {
  const keyspace = new Keyspace(hash, 4);
  keyspace.nowMs = 1000;
  return { keyspace, cycle: new ExpiryCycle(keyspace) };
}

function fill(keyspace: Keyspace, database: number, count: number, expireAtMs: number, prefix = "k"): void {
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(`${prefix}${index}`);
    keyspace.setString(keyspace.databases[database]!, key, 0, key.length, key, 0, key.length, expireAtMs);
  }
}

const never = (): boolean => false;

test("keys of all databases go when their time is over, the others stay", () => {
  const { keyspace, cycle } = world();
  for (let database = 0; database < 4; database++) {
    fill(keyspace, database, 3000, 2000);
    fill(keyspace, database, 500, 9000, "later");
    fill(keyspace, database, 500, NO_EXPIRY, "forever");
  }
  cycle.slice(never);
  assert.equal(keyspace.totalKeys(), 16_000);
  keyspace.nowMs = 2001;
  for (let round = 0; round < 100; round++) cycle.slice(never);
  keyspace.verify();
  // Few may be left: the pass stops where it finds few. Nothing that is not over may have gone.
  for (const database of keyspace.databases) {
    assert.ok(keyspace.expiringCount(database) >= 500);
    assert.ok(keyspace.expiringCount(database) < 600);
    assert.equal(keyspace.keyCount(database), keyspace.expiringCount(database) + 500);
  }
  assert.equal(keyspace.statistics.expiredKeys, 16_000 - keyspace.totalKeys());
});

test("the table that shrinks while its keys expire is walked safely, at every size", () => {
  for (const hash of [new SkewedHash(1, 2), new KeyHash(1, 2)]) {
    for (let count = 1; count < 400; count += 7) {
      const { keyspace, cycle } = world(hash);
      fill(keyspace, 0, count, 2000);
      // Half of a round done, so that two chains are read at each step.
      keyspace.tables.advance(keyspace.databases[0]!.expires, count % 5);
      keyspace.nowMs = 3000;
      for (let round = 0; round < 50 && keyspace.totalKeys() > 0; round++) {
        cycle.slice(never);
        keyspace.verify();
      }
      assert.equal(keyspace.totalKeys(), 0);
    }
  }
});

test("a slice ends when its time is used up, and the next one goes on where it stopped", () => {
  const { keyspace, cycle } = world();
  fill(keyspace, 0, 5000, 2000);
  keyspace.nowMs = 3000;
  let slices = 0;
  while (keyspace.totalKeys() > 0) {
    const before = keyspace.totalKeys();
    cycle.slice(() => true);
    assert.ok(before - keyspace.totalKeys() < 500);
    assert.ok(++slices < 1000);
  }
  assert.ok(slices > 10);
  assert.ok(cycle.timeLimitHits > 10);
});

test("no database is forgotten when every slice is cut short", () => {
  const { keyspace, cycle } = world();
  for (let database = 0; database < 4; database++) fill(keyspace, database, 300, 2000);
  keyspace.nowMs = 3000;
  for (let slices = 0; slices < 200 && keyspace.totalKeys() > 0; slices++) cycle.slice(() => true);
  assert.equal(keyspace.totalKeys(), 0);
});

test("a cycle that is switched off does nothing", () => {
  const { keyspace, cycle } = world();
  fill(keyspace, 0, 10, 2000);
  keyspace.nowMs = 3000;
  cycle.isEnabled = false;
  assert.equal(cycle.slice(never), false);
  assert.equal(keyspace.totalKeys(), 10);
});

test("the mean time to live of a database is noted", () => {
  const { keyspace, cycle } = world();
  fill(keyspace, 0, 100, 61_000);
  cycle.slice(never);
  assert.equal(keyspace.databases[0]!.averageTtlMs, 60_000);
});
