import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCH_START_MS, CommandBench } from "./testing.ts";

test("the four ways to set a time agree", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  for (const [command, expireAtMs] of [
    ["EXPIRE k 10", BENCH_START_MS + 10_000],
    ["PEXPIRE k 10", BENCH_START_MS + 10],
    ["EXPIREAT k 1800000000", 1_800_000_000_000],
    ["PEXPIREAT k 1800000000001", 1_800_000_000_001],
  ] as const) {
    assert.equal(bench.run(command), ":1\r\n");
    assert.equal(bench.run("PEXPIRETIME k"), `:${expireAtMs}\r\n`);
    assert.equal(bench.run("EXPIRETIME k"), `:${Math.floor((expireAtMs + 500) / 1000)}\r\n`);
    assert.equal(bench.run("PTTL k"), `:${expireAtMs - BENCH_START_MS}\r\n`);
  }
  assert.equal(bench.run("EXPIRE absent 10"), ":0\r\n");
  bench.keyspace.verify();
});

test("a key is there until its last millisecond and gone after it", () => {
  const bench = new CommandBench();
  bench.run("SET k v PX 10");
  bench.advance(10);
  assert.equal(bench.run("PTTL k"), ":0\r\n");
  bench.advance(1);
  assert.equal(bench.run("PTTL k"), ":-2\r\n");
});

test("TTL rounds to the nearest second", () => {
  const bench = new CommandBench();
  bench.run("SET k v PX 1499");
  assert.equal(bench.run("TTL k"), ":1\r\n");
  bench.run("SET k v PX 1500");
  assert.equal(bench.run("TTL k"), ":2\r\n");
});

test("a time in the past deletes and counts as a change", () => {
  const bench = new CommandBench();
  for (const command of ["EXPIRE k -1", "PEXPIRE k 0", "EXPIREAT k 1", "PEXPIREAT k -9223372036854775808"]) {
    bench.run("SET k v");
    assert.equal(bench.run(command), ":1\r\n", command);
    assert.equal(bench.run("EXISTS k"), ":0\r\n", command);
  }
  assert.equal(bench.dirty, 8);
});

test("NX, XX, GT and LT compare with the time that is there", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.equal(bench.run("EXPIRE k 10 XX"), ":0\r\n");
  assert.equal(bench.run("EXPIRE k 10 GT"), ":0\r\n");
  assert.equal(bench.run("EXPIRE k 10 NX"), ":1\r\n");
  assert.equal(bench.run("EXPIRE k 20 NX"), ":0\r\n");
  assert.equal(bench.run("EXPIRE k 10 GT"), ":0\r\n");
  assert.equal(bench.run("EXPIRE k 20 XX GT"), ":1\r\n");
  assert.equal(bench.run("EXPIRE k 20 LT"), ":0\r\n");
  assert.equal(bench.run("EXPIRE k 5 LT"), ":1\r\n");
  bench.run("PERSIST k");
  assert.equal(bench.run("EXPIRE k 5 LT"), ":1\r\n");
});

test("options and times that make no sense are refused", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  const incompatible = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
  for (const options of ["NX XX", "NX GT", "LT NX"]) assert.equal(bench.run(`EXPIRE k 1 ${options}`), incompatible);
  assert.equal(bench.run("EXPIRE k 1 GT LT"), "-ERR GT and LT options at the same time are not compatible\r\n");
  assert.equal(bench.run("EXPIRE k 1 FOO"), "-ERR Unsupported option FOO\r\n");
  assert.equal(bench.run("EXPIRE k one"), "-ERR value is not an integer or out of range\r\n");
  for (const [name, time] of [
    ["expire", "9223372036854776"],
    ["expire", "-9223372036854776"],
    ["pexpire", "9223372036854775807"],
    ["expireat", "9223372036854776"],
  ]) {
    assert.equal(bench.run(`${name} k ${time}`), `-ERR invalid expire time in '${name}' command\r\n`);
  }
  assert.equal(bench.run("TTL k"), ":-1\r\n");
});

test("PERSIST takes a time away once", () => {
  const bench = new CommandBench();
  bench.run(["SET", "k", "v".repeat(500), "EX", "10"]);
  assert.equal(bench.run("PERSIST k"), ":1\r\n");
  assert.equal(bench.run("PERSIST k"), ":0\r\n");
  assert.equal(bench.run("PERSIST absent"), ":0\r\n");
  assert.equal(bench.run("STRLEN k"), ":500\r\n");
  bench.keyspace.verify();
});
