import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.ts";
import {
  contentOf,
  DATABASE_COUNT,
  type Entry,
  type Operation,
  operations,
  Pair,
} from "../../store/keyspace/model.test.support.ts";
import { load, snapshotOf, Writing } from "./testing.test.support.ts";

const MIB = 1024 * 1024;

/** As content of all databases, without those that are empty at the end of the list. */
function loadedContent(bytes: Buffer): Map<string, Entry>[] {
  const { keyspace } = load(bytes, { databases: DATABASE_COUNT });
  keyspace.verify();
  return contentOf(keyspace);
}

/** Operations, some of them on values that are written in several pieces. */
function steps(maxLength: number): fc.Arbitrary<{ operation: Operation; checks: number; isSlice: boolean }[]> {
  const huge = operations([
    "set",
    "setKeeping",
    "setExpiring",
    "append",
    "truncate",
    "patch",
    "delete",
    "rename",
  ]).chain((operation) =>
    fc.record({
      operation: fc
        .constantFrom(3, MIB - 1, MIB, MIB + 1, 2 * MIB + 7, 3 * MIB)
        .map((length) => ({ ...operation, key: operation.key % 3, otherKey: operation.otherKey % 3, length })),
      checks: fc.constantFrom(0, 0, 1, 2),
      isSlice: fc.boolean(),
    }),
  );
  const usual = fc.record({
    operation: operations(),
    checks: fc.constantFrom(0, 0, 0, 1, 3, 20),
    isSlice: fc.boolean(),
  });
  return fc.array(fc.oneof({ weight: 1, arbitrary: huge }, { weight: 6, arbitrary: usual }), { maxLength });
}

test("a snapshot holds exactly what was there when it was opened, whatever is written while it is being made", () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      steps(25),
      fc.array(steps(25), { minLength: 1, maxLength: 3 }),
      (hasBadHash, before, rounds) => {
        const pair = new Pair({ hasBadHash });
        for (const { operation } of before) pair.run(operation);
        for (const round of rounds) {
          pair.check();
          const expected = contentOf(pair.keyspace);
          const writing = new Writing(pair.keyspace);
          const keyCount = pair.keyspace.totalKeys();
          for (const { operation, checks, isSlice } of round) {
            if (isSlice) writing.slice(checks);
            assert.ok(pair.run(operation));
          }
          assert.deepEqual(loadedContent(writing.finish()), expected);
          assert.equal(writing.stream.keyCount, keyCount);
          assert.equal(writing.stream.writtenKeys, keyCount);
          assert.equal(pair.keyspace.tables.snapshotId, 0);
          pair.check();
        }
        while (pair.keyspace.reclaim(1000));
        pair.check();
      },
    ),
    { numRuns: 50 },
  );
});

test("a stream that is given up at any moment leaves nothing behind, and the next one is exact", () => {
  fc.assert(
    fc.property(fc.boolean(), steps(20), steps(15), steps(15), (hasBadHash, before, during, after) => {
      const pair = new Pair({ hasBadHash });
      for (const { operation } of before) pair.run(operation);
      const tables = pair.keyspace.tables;
      const writing = new Writing(pair.keyspace);
      for (const { operation, checks, isSlice } of during) {
        if (isSlice) writing.slice(checks);
        pair.run(operation);
      }
      writing.stream.abort();
      writing.stream.abort();
      assert.equal(tables.snapshotId, 0);
      assert.equal(tables.capture, undefined);
      assert.equal(writing.slice(5), true);
      for (const { operation } of after) pair.run(operation);
      pair.check();
      while (pair.keyspace.reclaim(1000));
      pair.check();
      assert.deepEqual(loadedContent(snapshotOf(pair.keyspace)), contentOf(pair.keyspace));
    }),
    { numRuns: 30 },
  );
});

function filled(keyCount: number): Keyspace {
  const keyspace = new Keyspace(new KeyHash(1, 2), DATABASE_COUNT);
  for (let index = 0; index < keyCount; index++) set(keyspace, `key${index}`, Buffer.from(`value${index}`));
  return keyspace;
}

function set(keyspace: Keyspace, name: string, value: Uint8Array, database = 0): void {
  const key = Buffer.from(name);
  const target = keyspace.databases[database]!;
  keyspace.setString(target, key, 0, key.length, value, 0, value.length, NO_EXPIRY);
}

test("the table may grow to many times its size and shrink again under the walk", () => {
  for (const checks of [0, 1, 5]) {
    const keyspace = filled(500);
    const expected = contentOf(keyspace);
    const writing = new Writing(keyspace);
    for (let index = 0; index < 5000; index++) {
      set(keyspace, `new${index}`, Buffer.alloc(3));
      if (index % 40 === 0) writing.slice(checks);
    }
    for (let index = 0; index < 5000; index++)
      keyspace.delete(keyspace.databases[0]!, Buffer.from(`new${index}`), 0, `new${index}`.length);
    for (let index = 0; index < 500; index++)
      keyspace.delete(keyspace.databases[0]!, Buffer.from(`key${index}`), 0, `key${index}`.length);
    while (keyspace.tables.advance(keyspace.databases[0]!.table, 10));
    assert.deepEqual(loadedContent(writing.finish()), expected);
  }
});

test("no number of a snapshot comes back, however many were given up before", () => {
  const keyspace = filled(200);
  const expected = contentOf(keyspace);
  snapshotOf(keyspace);
  for (let count = 0; count < 66_000; count++) {
    keyspace.openSnapshot(() => assert.fail("nothing was written"));
    keyspace.closeSnapshot();
    // Where 16 bits would have run out.
    if (count % 65_536 > 65_530 || count % 65_536 < 4) assert.deepEqual(loadedContent(snapshotOf(keyspace)), expected);
  }
});

test("a second stream beside the first is refused", () => {
  const keyspace = filled(3);
  const writing = new Writing(keyspace);
  assert.throws(() => new Writing(keyspace), /second snapshot/);
  writing.finish();
  snapshotOf(keyspace);
});

test("FLUSHALL in the middle costs the snapshot nothing, and the new keys are not in it", () => {
  const keyspace = filled(2000);
  const expected = contentOf(keyspace);
  const writing = new Writing(keyspace);
  writing.slice(2);
  keyspace.flushAll();
  for (let index = 0; index < 100; index++) set(keyspace, `new${index}`, Buffer.from("x"));
  keyspace.flushAll();
  set(keyspace, "last", Buffer.from("x"));
  assert.deepEqual(loadedContent(writing.finish()), expected);
  assert.equal(keyspace.totalKeys(), 1);
  assert.equal(loadedContent(snapshotOf(keyspace))[0]!.size, 1);
});

test("a slice of many small keys ends soon after it is told to", () => {
  const keyspace = filled(20_000);
  const writing = new Writing(keyspace);
  writing.slice(0);
  assert.ok(writing.stream.writtenKeys < 300, `${writing.stream.writtenKeys} keys in one slice`);
  writing.stream.abort();
});

test("a long value is written in pieces, and a slice ends between them", () => {
  const keyspace = new Keyspace(new KeyHash(1, 2), DATABASE_COUNT);
  const value = Buffer.alloc(20 * MIB, "0123456789");
  set(keyspace, "long", value);
  const writing = new Writing(keyspace);
  let slices = 1;
  while (!writing.slice(0)) slices++;
  assert.ok(slices >= 20);
  assert.equal(load(writing.finish(), {}).loader.loadedKeys, 1);
});

test("idle time and frequency are in the file as the policy asks", () => {
  const keyspace = filled(1);
  keyspace.clock.setNow(50_000_000);
  const record = keyspace.lookupSilently(keyspace.databases[0]!, Buffer.from("key0"));
  keyspace.records.setAccess(record, keyspace.clock.accessForIdle(1234));
  const idle = load(snapshotOf(keyspace, { auxiliary: [], access: "idle" }), { nowMs: 70_000_000 }).keyspace;
  const loaded = idle.lookupSilently(idle.databases[0]!, Buffer.from("key0"));
  assert.equal(idle.clock.idleSeconds(idle.records.access(loaded)), 1234);

  keyspace.records.setAccess(record, keyspace.clock.accessForFrequency(77));
  const target = new Keyspace(new KeyHash(1, 2), 16);
  target.clock.isFrequency = true;
  load(snapshotOf(keyspace, { auxiliary: [], access: "frequency" }), { into: target });
  const frequent = target.lookupSilently(target.databases[0]!, Buffer.from("key0"));
  assert.equal(target.records.access(frequent) & 255, 77);
});

test("the sizes in the file are those of the opening", () => {
  const keyspace = filled(300);
  const writing = new Writing(keyspace);
  for (let index = 0; index < 290; index++)
    keyspace.delete(keyspace.databases[0]!, Buffer.from(`key${index}`), 0, `key${index}`.length);
  const bytes = writing.finish();
  // RESIZEDB 300 0, with 300 as a length of 14 bits.
  assert.ok(bytes.includes(Buffer.from([0xfb, 0x41, 0x2c, 0x00])));
});
