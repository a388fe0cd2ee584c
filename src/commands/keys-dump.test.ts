import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCH_START_MS, CommandBench } from "./testing.ts";

function dumpOf(bench: CommandBench, key: string): Buffer {
  const reply = bench.run(["DUMP", key]);
  const head = reply.indexOf("\r\n") + 2;
  return Buffer.from(reply.slice(head, -2), "latin1");
}

test("what DUMP gives, RESTORE takes, with its encoding", () => {
  const bench = new CommandBench();
  for (const value of ["", "12", "-9223372036854775808", "short", "ab".repeat(5000), "\0\r\n\xff".repeat(30)]) {
    bench.run(["SET", "k", value]);
    const payload = dumpOf(bench, "k");
    assert.equal(bench.run(["RESTORE", "copy", "0", payload, "REPLACE"]), "+OK\r\n");
    assert.equal(bench.run("GET copy"), `$${value.length}\r\n${value}\r\n`);
    assert.equal(bench.run("OBJECT ENCODING copy"), bench.run("OBJECT ENCODING k"));
  }
  assert.equal(bench.run("DUMP absent"), "$-1\r\n");
});

test("DUMP of a short string is byte for byte what redis-server gives", () => {
  const bench = new CommandBench();
  bench.run("SET k hello");
  assert.equal(dumpOf(bench, "k").toString("hex"), "000568656c6c6f0a006372df766534200a");
});

test("long strings are compressed", () => {
  const bench = new CommandBench();
  bench.run(["SET", "k", "z".repeat(1000)]);
  assert.ok(dumpOf(bench, "k").length < 100);
});

test("RESTORE sets relative and absolute times, idle time and frequency", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  const payload = dumpOf(bench, "k");
  bench.run(["RESTORE", "a", "500", payload, "IDLETIME", "30"]);
  assert.equal(bench.run("PEXPIRETIME a"), `:${BENCH_START_MS + 500}\r\n`);
  assert.equal(bench.run("OBJECT IDLETIME a"), ":30\r\n");
  bench.run(["RESTORE", "b", String(BENCH_START_MS + 7), payload, "ABSTTL"]);
  assert.equal(bench.run("PTTL b"), ":7\r\n");
  bench.keyspace.clock.isFrequency = true;
  bench.run(["RESTORE", "c", "0", payload, "FREQ", "77"]);
  assert.equal(bench.run("OBJECT FREQ c"), ":77\r\n");
});

test("RESTORE with a moment that is over deletes what it replaces", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  const payload = dumpOf(bench, "k");
  assert.equal(bench.run(["RESTORE", "k", "1", payload, "ABSTTL", "REPLACE"]), "+OK\r\n");
  assert.equal(bench.run("DBSIZE"), ":0\r\n");
  assert.equal(bench.run(["RESTORE", "k", "1", payload, "ABSTTL"]), "+OK\r\n");
  assert.equal(bench.run("DBSIZE"), ":0\r\n");
  assert.equal(bench.dirty, 2);
});

test("RESTORE refuses in Redis's order: options, busy key, time, payload", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  const payload = dumpOf(bench, "k");
  assert.equal(bench.run("RESTORE k -1 junk FOO"), "-ERR syntax error\r\n");
  assert.equal(bench.run("RESTORE k -1 junk IDLETIME 1 FREQ 1"), "-ERR syntax error\r\n");
  assert.equal(bench.run("RESTORE k -1 junk IDLETIME -1"), "-ERR Invalid IDLETIME value, must be >= 0\r\n");
  assert.equal(bench.run("RESTORE k -1 junk FREQ 256"), "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n");
  assert.equal(bench.run("RESTORE k -1 junk"), "-BUSYKEY Target key name already exists.\r\n");
  assert.equal(bench.run("RESTORE n -1 junk"), "-ERR Invalid TTL value, must be >= 0\r\n");
  assert.equal(bench.run("RESTORE n x junk"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("RESTORE n 0 junk"), "-ERR DUMP payload version or checksum are wrong\r\n");
  payload[2]! ^= 1;
  assert.equal(bench.run(["RESTORE", "n", "0", payload]), "-ERR DUMP payload version or checksum are wrong\r\n");
  assert.equal(bench.dirty, 1);
});

test("every type comes back from its payload, and a changed byte is refused", () => {
  const bench = new CommandBench();
  bench.run("RPUSH list a b 3");
  bench.run("SADD set a b 3");
  bench.run("HSET hash a 1 b two");
  bench.run("ZADD zset 1 a 2.5 b");
  bench.run("XADD stream 1-1 field value");
  for (const key of ["list", "set", "hash", "zset", "stream"]) {
    const payload = dumpOf(bench, key);
    assert.equal(bench.run(["RESTORE", `${key}2`, "0", payload]), "+OK\r\n");
    assert.deepEqual(dumpOf(bench, `${key}2`), payload);
    for (let at = 0; at < payload.length; at++) {
      payload[at]! ^= 16;
      assert.match(bench.run(["RESTORE", "bad", "0", payload]), /^-ERR DUMP payload version or checksum are wrong/);
      payload[at]! ^= 16;
    }
  }
  assert.equal(bench.run("EXISTS bad"), ":0\r\n");
  bench.keyspace.verify();
});

test("RESTORE of a value that is whole but makes no sense leaves what was there", () => {
  const bench = new CommandBench();
  bench.context.limits.skipsChecksums = true;
  bench.run("SET k v");
  // A set whose member stands twice, a list without items, a sorted set whose score is no number.
  for (const bytes of ["020201610161", "0100", "05010161000000000000f87f"]) {
    const payload = Buffer.from(`${bytes}0a00${"00".repeat(8)}`, "hex");
    assert.equal(bench.run(["RESTORE", "k", "0", payload, "REPLACE"]), "-ERR Bad data format\r\n", bytes);
  }
  assert.equal(bench.run("GET k"), "$1\r\nv\r\n");
  bench.keyspace.verify();
});
