import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { encodingOf, KEEP_EXPIRY, Keyspace, NO_EXPIRY } from "./keyspace.ts";
import { type Operation, operations, Pair } from "./model.test.support.ts";
import { ENCODING_EMBSTR, ENCODING_INT, ENCODING_RAW, RECORD_EXTERNAL, TYPE_STRING } from "./record.ts";

for (const hasBadHash of [false, true]) {
  test(`it holds what the model holds after every operation, ${hasBadHash ? "in overflowing" : "in short"} chains`, () => {
    fc.assert(
      fc.property(fc.array(operations(), { maxLength: 60 }), (steps) => {
        const pair = new Pair({ hasBadHash });
        for (const step of steps) {
          assert.ok(pair.run(step));
          pair.check();
        }
        while (pair.keyspace.reclaim(1000));
        pair.check();
      }),
      { numRuns: 120 },
    );
  });
}

test("lengths around the inline limit and the size classes change into one another, with and without a time", () => {
  const pair = new Pair();
  const lengths = [0, 1, 254, 255, 256, 257, 2040, 2048, 2049, 4096, 4097, 12];
  const base = { database: 0, other: 1, key: 5, otherKey: 6, amount: 150 };
  for (const before of lengths) {
    for (const after of lengths) {
      for (const kind of ["set", "setKeeping", "setExpiring"]) {
        for (const first of ["set", "setExpiring"]) {
          pair.run({ ...base, kind: first, length: before });
          pair.run({ ...base, kind, length: after });
          pair.check();
          pair.run({ ...base, kind: "rename", length: 0 });
          pair.run({ ...base, kind: "copy", key: 6, otherKey: 7, length: 0 });
          pair.check();
        }
      }
    }
  }
});

/** What each operation finds: short and long values, with and without a time, chains that are full. */
const PRELUDE: Operation[] = [];
for (let key = 0; key < 30; key++) {
  PRELUDE.push({
    kind: key % 2 === 0 ? "set" : "setExpiring",
    database: key % 3 === 2 ? 1 : 0,
    other: 1,
    key,
    otherKey: 0,
    length: [3, 200, 300, 5000][key % 4]!,
    amount: 150,
  });
}

for (const hasBadHash of [false, true]) {
  test(`an operation that gets no memory changes nothing and loses no cell (${hasBadHash ? "full" : "short"} chains)`, () => {
    const kinds = [
      "set",
      "setKeeping",
      "setExpiring",
      "add",
      "append",
      "truncate",
      "patch",
      "expire",
      "persist",
    ].concat([
      "rename",
      "renameSame",
      "copy",
      "move",
      "swap",
      "flush",
      "flushAll",
      "delete",
      "fill",
      "drain",
      "cycle",
      "reclaim",
    ]);
    let refused = 0;
    fc.assert(
      fc.property(fc.array(operations(), { maxLength: 8 }), operations(kinds), (before, operation) => {
        for (let left = 0; left < 12; left++) {
          const pair = new Pair({ hasBadHash });
          for (const step of [...PRELUDE, ...before]) pair.run(step);
          const arena = pair.arena;
          arena.failAfter(left);
          const isDone = pair.run(operation);
          pair.check();
          if (!isDone) refused++;
          arena.recover();
          assert.ok(pair.run(operation), "the same operation succeeds when there is memory again");
          pair.check();
          if (isDone && left > 3) break;
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(refused > 40, `only ${refused} operations met the end of memory`);
  });
}

test("what runs on without memory keeps every key it took", () => {
  fc.assert(
    fc.property(fc.array(operations(), { maxLength: 40 }), fc.nat(60), fc.boolean(), (steps, left, hasBadHash) => {
      const pair = new Pair({ hasBadHash });
      pair.arena.failAfter(left);
      for (const step of steps) {
        pair.run(step);
        pair.check();
      }
    }),
    { numRuns: 100 },
  );
});

test("PEXPIRE on a long value that gets no memory leaves the value's cell alone", () => {
  const pair = new Pair({ hasBadHash: true });
  const long = { kind: "set", database: 0, other: 0, key: 5, otherKey: 0, length: 70_000, amount: 100 };
  // The expires table's chains are filled to the brim, so that one more record there needs a bucket.
  pair.run(long);
  for (let key = 4; key < 31; key++) if (key !== 5) pair.run({ ...long, kind: "setExpiring", key, length: 3 });
  for (let left = 0; left < 3; left++) {
    pair.arena.failAfter(left);
    pair.run({ ...long, kind: "expire" });
    pair.check();
    pair.arena.recover();
  }
});

test("rename keeps time, type, access and a long value's cell, and frees what the new key held", () => {
  const keyspace = new Keyspace(new KeyHash(1, 2), 1);
  const database = keyspace.databases[0]!;
  const set = (key: string, length: number, expireAtMs: number): number => {
    const bytes = Buffer.from(key);
    return keyspace.setString(database, bytes, 0, bytes.length, Buffer.alloc(length, key), 0, length, expireAtMs);
  };
  const record = set("from", 5000, 77);
  set("to", 3000, NO_EXPIRY);
  keyspace.records.setAccess(record, 12345);
  const cell = keyspace.records.externalAddress(record);
  keyspace.rename(database, record, Buffer.from("to"), 0, 2);
  const renamed = keyspace.lookupSilently(database, Buffer.from("to"));
  assert.equal(keyspace.records.externalAddress(renamed), cell);
  assert.equal(keyspace.records.expireAtMs(renamed), 77);
  assert.equal(keyspace.records.access(renamed), 12345);
  assert.equal(keyspace.keyCount(database), 1);
  assert.equal(keyspace.lookupSilently(database, Buffer.from("from")), 0);
  keyspace.verify();
});

test("rename onto a key whose time is over counts that key as expired", () => {
  const pair = new Pair();
  const base = { database: 0, other: 0, length: 3, amount: 10 };
  pair.run({ ...base, kind: "set", key: 5, otherKey: 0 });
  pair.run({ ...base, kind: "setExpiring", key: 6, otherKey: 0 });
  pair.run({ ...base, kind: "wait", key: 0, otherKey: 0, amount: 11 });
  pair.run({ ...base, kind: "rename", key: 5, otherKey: 6 });
  assert.deepEqual(pair.removals, ["expired key:6"]);
  assert.equal(pair.keyspace.statistics.expiredKeys, 1);
  pair.check();
});

test("a record's fields are what was written, in all four layouts", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ maxLength: 600 }),
      fc.oneof(fc.constant(NO_EXPIRY), fc.integer({ min: 0, max: 2 ** 45 })),
      fc.integer({ min: 0, max: 0xffffff }),
      (key, value, expireAtMs, access) => {
        const keyspace = new Keyspace(new KeyHash(3, 4), 1);
        const database = keyspace.databases[0]!;
        const record = keyspace.setString(database, key, 0, key.length, value, 0, value.length, expireAtMs);
        const { records } = keyspace;
        records.setAccess(record, access);
        assert.equal(records.access(record), access);
        assert.equal(records.type(record), TYPE_STRING);
        assert.equal(records.encoding(record), encodingOf(value, 0, value.length));
        assert.equal(records.expireAtMs(record), expireAtMs);
        assert.deepEqual(records.key(record), key);
        assert.equal(records.keyLength(record), key.length);
        assert.equal(records.valueLength(record), value.length);
        assert.equal((records.flags(record) & RECORD_EXTERNAL) !== 0, value.length > 255);
        keyspace.readValue(record);
        const held = keyspace.valueBytes.subarray(keyspace.valueStart, keyspace.valueStart + keyspace.valueLength);
        assert.deepEqual(new Uint8Array(held), value);
        keyspace.verify();
      },
    ),
  );
});

test("encodings of strings are those that the real server names", () => {
  const encoding = (text: string): number => encodingOf(Buffer.from(text), 0, text.length);
  for (const text of ["0", "-1", "12", "9223372036854775807", "-9223372036854775808", "1000000000000000000"]) {
    assert.equal(encoding(text), ENCODING_INT, text);
  }
  for (const text of [
    "",
    "-",
    "-0",
    "00",
    "01",
    "+1",
    "1.0",
    " 1",
    "1 ",
    "9223372036854775808",
    "-9223372036854775809",
  ]) {
    assert.equal(encoding(text), ENCODING_EMBSTR, text);
  }
  assert.equal(encoding("99999999999999999999"), ENCODING_EMBSTR);
  assert.equal(encoding("x".repeat(44)), ENCODING_EMBSTR);
  assert.equal(encoding("x".repeat(45)), ENCODING_RAW);
});

test("a flushed database's memory comes back in slices", () => {
  const pair = new Pair();
  const base = { database: 0, other: 0, key: 0, otherKey: 0, length: 3, amount: 200 };
  pair.run({ ...base, kind: "set", database: 1 });
  for (let key = 0; key < 1000; key += 200) pair.run({ ...base, kind: "fill", key });
  const before = pair.keyspace.arena.usedBytes;
  assert.equal(pair.keyspace.flush(pair.keyspace.databases[0]!), 1000);
  pair.model[0]!.clear();
  let slices = 0;
  while (pair.keyspace.reclaim(4)) slices++;
  assert.ok(slices > 10);
  assert.ok(pair.keyspace.arena.usedBytes < before / 4);
  pair.check();
});

test("SET keeps the frequency of a key under LFU and starts with that of a new one", () => {
  const keyspace = new Keyspace(new KeyHash(1, 2), 1);
  const database = keyspace.databases[0]!;
  keyspace.clock.isFrequency = true;
  keyspace.clock.setRandom(() => 0xffffffff); // never counts up
  keyspace.clock.setNow(60_000_000);
  const key = Buffer.from("key");
  const set = (length: number): number =>
    keyspace.setString(database, key, 0, 3, Buffer.alloc(length), 0, length, KEEP_EXPIRY);
  assert.equal(keyspace.records.access(set(10)) & 255, 5);
  keyspace.records.setAccess(set(10), keyspace.clock.accessForFrequency(100));
  for (const length of [10, 300, 3]) assert.equal(keyspace.records.access(set(length)) & 255, 100);
});

test("a client that must not touch leaves the access clock alone", () => {
  const keyspace = new Keyspace(new KeyHash(1, 2), 1);
  const database = keyspace.databases[0]!;
  const key = Buffer.from("key");
  keyspace.clock.setNow(1_000_000);
  const record = keyspace.setString(database, key, 0, 3, key, 0, 3, NO_EXPIRY);
  const stamp = keyspace.records.access(record);
  keyspace.clock.setNow(9_000_000);
  keyspace.touchesAccess = false;
  keyspace.lookupRead(database, key, 0, 3);
  keyspace.lookupWrite(database, key, 0, 3);
  keyspace.setString(database, key, 0, 3, key, 0, 3, NO_EXPIRY);
  assert.equal(keyspace.records.access(record), stamp);
  keyspace.touchesAccess = true;
  keyspace.lookupRead(database, key, 0, 3);
  assert.equal(keyspace.records.access(record), stamp + 8000);
});
