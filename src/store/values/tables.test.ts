import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ENCODING_HASHTABLE } from "../keyspace/record.ts";
import { TablePair, tableOperations } from "./tables.test.support.ts";

for (const hasSmallLimits of [true, false]) {
  const limits = hasSmallLimits ? "small" : "usual";
  test(`hashes and sets with ${limits} limits hold what the model holds after every operation`, () => {
    fc.assert(
      fc.property(fc.array(tableOperations(), { maxLength: 120 }), (steps) => {
        const pair = new TablePair(hasSmallLimits);
        for (const step of steps) {
          assert.ok(pair.run(step));
          pair.check();
        }
        while (pair.keyspace.reclaim(1000));
        pair.check();
      }),
      { numRuns: 100 },
    );
  });
}

test("an operation that gets no memory changes nothing and loses no cell", () => {
  let refusedCount = 0;
  fc.assert(
    fc.property(fc.array(tableOperations(), { maxLength: 60 }), tableOperations(), (before, operation) => {
      for (let left = 0; left < 30; left++) {
        const pair = new TablePair();
        for (const step of before) pair.run(step);
        pair.arena.failAfter(left);
        const isDone = pair.run(operation);
        pair.arena.recover();
        pair.check();
        if (isDone) break;
        refusedCount++;
      }
    }),
    { numRuns: 80 },
  );
  assert.ok(refusedCount > 40, `only ${refusedCount} operations met the end of memory`);
});

test("what runs on without memory keeps every element it took", () => {
  fc.assert(
    fc.property(fc.array(tableOperations(), { maxLength: 80 }), fc.nat(150), (steps, left) => {
      const pair = new TablePair();
      pair.arena.failAfter(left);
      for (const step of steps) {
        pair.run(step);
        pair.check();
      }
    }),
    { numRuns: 80 },
  );
});

test("a table of thousands grows, shrinks again, and is freed in slices", () => {
  const pair = new TablePair();
  const { keyspace } = pair;
  const database = keyspace.databases[0]!;
  const key = Buffer.from("large");
  const member = (number: number): Buffer => Buffer.from(`member:${number}`);
  const emptyBytes = keyspace.arena.usedBytes;
  for (let number = 0; number < 20_000; number++) {
    const bytes = member(number);
    const record = keyspace.lookupWrite(database, key, 0, key.length);
    if (record === 0) keyspace.sets.make(database, key, 0, key.length, bytes, 0, bytes.length, 1);
    else keyspace.sets.add(database, record, bytes, 0, bytes.length);
  }
  const record = keyspace.lookupWrite(database, key, 0, key.length);
  assert.equal(keyspace.records.encoding(record), ENCODING_HASHTABLE);
  keyspace.verify();
  const fullBytes = keyspace.arena.usedBytes;
  for (let number = 100; number < 20_000; number++) {
    const bytes = member(number);
    assert.ok(keyspace.sets.remove(database, record, bytes, 0, bytes.length));
  }
  keyspace.verify();
  assert.equal(keyspace.sets.count(record), 100);
  assert.ok(keyspace.arena.usedBytes - emptyBytes < (fullBytes - emptyBytes) / 50, "the table has shrunk");
  for (let number = 100; number < 5000; number++) {
    const bytes = member(number);
    keyspace.sets.add(database, record, bytes, 0, bytes.length);
  }
  keyspace.delete(database, key, 0, key.length);
  assert.equal(keyspace.pendingReclaims(), 1);
  let slices = 0;
  while (keyspace.reclaim(10)) slices++;
  assert.ok(slices > 10);
  assert.equal(keyspace.arena.usedBytes, emptyBytes);
});

test("each member of a table is picked about equally often, in full and in sparse tables", () => {
  for (const [added, removed] of [
    [500, 0],
    [700, 560],
    [1300, 0],
  ] as const) {
    const pair = new TablePair();
    const { keyspace } = pair;
    const database = keyspace.databases[0]!;
    const key = Buffer.from("k");
    for (let number = 0; number < added; number++) {
      const bytes = Buffer.from(`m${number}`);
      const record = keyspace.lookupWrite(database, key, 0, key.length);
      if (record === 0) keyspace.sets.make(database, key, 0, key.length, bytes, 0, bytes.length, 1);
      else keyspace.sets.add(database, record, bytes, 0, bytes.length);
    }
    const record = keyspace.lookupWrite(database, key, 0, key.length);
    for (let number = 0; number < removed; number++) {
      const bytes = Buffer.from(`m${number}`);
      keyspace.sets.remove(database, record, bytes, 0, bytes.length);
    }
    const members = added - removed;
    const draws = members * 200;
    const seen = new Map<number, number>();
    // A generator whose numbers do not depend on each other as those of a linear congruence do.
    let state = 0x2545f491;
    const random = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return Math.imul(state, 0x9e3779b1) >>> 0;
    };
    for (let draw = 0; draw < draws; draw++) {
      keyspace.sets.pick(record, random);
      seen.set(keyspace.sets.token, (seen.get(keyspace.sets.token) ?? 0) + 1);
    }
    let deviation = 0;
    for (const times of seen.values()) deviation += (times - 200) ** 2 / 200;
    assert.equal(seen.size, members);
    // Chi square: its mean is the number of members, its spread the root of twice that.
    assert.ok(Math.abs(deviation - members) < 6 * Math.sqrt(2 * members), `${deviation} for ${members} members`);
  }
});
