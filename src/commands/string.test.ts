import assert from "node:assert/strict";
import { test } from "node:test";
import { ArenaExhausted } from "../store/arena/arena.ts";
import { BENCH_START_MS, CommandBench } from "./testing.ts";

const OK = "+OK\r\n";
const NULL = "$-1\r\n";
const SYNTAX = "-ERR syntax error\r\n";

test("SET and GET carry any byte", () => {
  const bench = new CommandBench();
  const value = Uint8Array.from({ length: 256 }, (_, index) => index);
  assert.equal(bench.run(["SET", "k", value]), OK);
  assert.equal(bench.run("GET k"), `$256\r\n${Buffer.from(value).toString("latin1")}\r\n`);
  assert.equal(bench.run("GET absent"), NULL);
  assert.equal(bench.dirty, 1);
});

test("GET counts hits and misses", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  bench.run("GET k");
  bench.run("GET absent");
  assert.deepEqual([bench.keyspace.statistics.hits, bench.keyspace.statistics.misses], [1, 1]);
});

test("SET drops the time to live unless KEEPTTL is given", () => {
  const bench = new CommandBench();
  bench.run("SET k v EX 10");
  assert.equal(bench.run("SET k w KEEPTTL"), OK);
  assert.equal(bench.run("PEXPIRETIME k"), `:${BENCH_START_MS + 10_000}\r\n`);
  bench.run("SET k x");
  assert.equal(bench.run("TTL k"), ":-1\r\n");
});

test("SET understands times relative and absolute, in seconds and milliseconds", () => {
  const bench = new CommandBench();
  for (const [option, expireAtMs] of [
    ["EX 7", BENCH_START_MS + 7000],
    ["px 7", BENCH_START_MS + 7],
    ["EXAT 1800000000", 1_800_000_000_000],
    ["PXAT 1800000000001", 1_800_000_000_001],
    ["EX 1 EX 2", BENCH_START_MS + 2000],
  ] as const) {
    assert.equal(bench.run(`SET k v ${option}`), OK, option);
    assert.equal(bench.run("PEXPIRETIME k"), `:${expireAtMs}\r\n`, option);
  }
});

test("SET with a moment that is over sets a key that nobody sees", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("SET k v PXAT 1"), OK);
  assert.equal(bench.run("GET k"), NULL);
  assert.equal(bench.keyspace.statistics.expiredKeys, 1);
});

test("SET refuses options that exclude each other and times that make no sense", () => {
  const bench = new CommandBench();
  for (const options of ["NX XX", "EX 1 PX 1", "KEEPTTL EX 1", "EX", "FOO", "PERSIST", "EXAT 1 KEEPTTL"]) {
    assert.equal(bench.run(`SET k v ${options}`), SYNTAX, options);
  }
  for (const options of [
    "EX 0",
    "PX -1",
    "EX 9223372036854775807",
    "PX 9223372036854775807",
    "EXAT 9223372036854776",
  ]) {
    assert.equal(bench.run(`SET k v ${options}`), "-ERR invalid expire time in 'set' command\r\n", options);
  }
  assert.equal(bench.run("SET k v EX ten"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  assert.equal(bench.dirty, 0);
});

test("SET obeys NX and XX, and GET tells the old value either way", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("SET k a XX"), NULL);
  assert.equal(bench.run("SET k a NX GET"), NULL);
  assert.equal(bench.run("SET k b NX"), NULL);
  assert.equal(bench.run("SET k b NX GET"), "$1\r\na\r\n");
  assert.equal(bench.run("SET k c XX GET"), "$1\r\na\r\n");
  assert.equal(bench.run("GET k"), "$1\r\nc\r\n");
  assert.equal(bench.dirty, 2);
});

test("SET with GET takes its reply back when there is no memory", () => {
  const bench = new CommandBench();
  bench.run("SET k old");
  bench.keyspace.setString = () => {
    throw new ArenaExhausted("for this test");
  };
  assert.throws(() => bench.run("SET k new GET"), ArenaExhausted);
  assert.equal(bench.run("GET k"), "$3\r\nold\r\n");
});

test("GETEX changes the time, PERSIST takes it away, a moment that is over deletes", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.equal(bench.run("GETEX k"), "$1\r\nv\r\n");
  assert.equal(bench.dirty, 1);
  assert.equal(bench.run("GETEX k PX 500"), "$1\r\nv\r\n");
  assert.equal(bench.run("PTTL k"), ":500\r\n");
  assert.equal(bench.run("GETEX k PERSIST"), "$1\r\nv\r\n");
  assert.equal(bench.run("PTTL k"), ":-1\r\n");
  assert.equal(bench.run("GETEX k PERSIST"), "$1\r\nv\r\n");
  assert.equal(bench.dirty, 3);
  assert.equal(bench.run("GETEX k EXAT 1"), "$1\r\nv\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  assert.equal(bench.run("GETEX k EX 0"), NULL);
});

test("GETDEL and GETSET reply with what was there", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("GETSET k a"), NULL);
  bench.run("EXPIRE k 10");
  assert.equal(bench.run("GETSET k b"), "$1\r\na\r\n");
  assert.equal(bench.run("TTL k"), ":-1\r\n");
  assert.equal(bench.run("GETDEL k"), "$1\r\nb\r\n");
  assert.equal(bench.run("GETDEL k"), NULL);
  assert.equal(bench.dirty, 4);
});

test("MSET sets pairs, MSETNX all of them or none, MGET tells nulls", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("MSET a 1 b 2"), OK);
  assert.equal(bench.run("MSETNX c 3 a 4"), ":0\r\n");
  assert.equal(bench.run("MSETNX c 3 c 5"), ":1\r\n");
  assert.equal(bench.run("MGET a c d"), "*3\r\n$1\r\n1\r\n$1\r\n5\r\n$-1\r\n");
  assert.equal(bench.run("MSET a 1 b"), "-ERR wrong number of arguments for 'mset' command\r\n");
  assert.equal(bench.run("MSETNX a 1 b"), "-ERR wrong number of arguments for 'msetnx' command\r\n");
  assert.equal(bench.dirty, 4);
});

test("SETEX, PSETEX and SETNX are SET with one option", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("SETEX k 10 v"), OK);
  assert.equal(bench.run("TTL k"), ":10\r\n");
  assert.equal(bench.run("PSETEX k 10 w"), OK);
  assert.equal(bench.run("PTTL k"), ":10\r\n");
  assert.equal(bench.run("SETNX k x"), ":0\r\n");
  assert.equal(bench.run("SETEX k 0 v"), "-ERR invalid expire time in 'setex' command\r\n");
  assert.equal(bench.run("PSETEX k -1 v"), "-ERR invalid expire time in 'psetex' command\r\n");
  bench.advance(11);
  assert.equal(bench.run("SETNX k x"), ":1\r\n");
});
