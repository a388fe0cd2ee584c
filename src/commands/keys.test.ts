import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

test("DEL, UNLINK, EXISTS and TOUCH count keys, and do not see what has expired", () => {
  const bench = new CommandBench();
  bench.run("MSET a 1 b 2 c 3");
  bench.run("SET gone x PX 5");
  bench.advance(6);
  assert.equal(bench.run("EXISTS a a b gone absent"), ":3\r\n");
  assert.equal(bench.run("TOUCH a gone"), ":1\r\n");
  assert.equal(bench.run("DEL a a gone"), ":1\r\n");
  assert.equal(bench.run("UNLINK b c"), ":2\r\n");
  assert.equal(bench.run("DBSIZE"), ":0\r\n");
  assert.equal(bench.dirty, 7);
});

test("TYPE names the type of what is there", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.equal(bench.run("TYPE k"), "+string\r\n");
  assert.equal(bench.run("TYPE absent"), "+none\r\n");
});

test("RENAME takes value, encoding and time along and replaces the target", () => {
  const bench = new CommandBench();
  const long = "x".repeat(1000);
  bench.run(["SET", "a", long, "PX", "500"]);
  bench.run("SET b other");
  assert.equal(bench.run("RENAME a b"), "+OK\r\n");
  assert.equal(bench.run("GET b"), `$1000\r\n${long}\r\n`);
  assert.equal(bench.run("PTTL b"), ":500\r\n");
  assert.equal(bench.run("RENAME a b"), "-ERR no such key\r\n");
  assert.equal(bench.run("RENAME b b"), "+OK\r\n");
  assert.equal(bench.run("DBSIZE"), ":1\r\n");
  assert.equal(bench.dirty, 3);
  bench.keyspace.verify();
});

test("RENAMENX stops at a target that is there, not at one that has expired", () => {
  const bench = new CommandBench();
  bench.run("SET a 1");
  bench.run("SET b 2 PX 5");
  assert.equal(bench.run("RENAMENX a b"), ":0\r\n");
  assert.equal(bench.run("RENAMENX a a"), ":0\r\n");
  bench.advance(6);
  assert.equal(bench.run("RENAMENX a b"), ":1\r\n");
  assert.equal(bench.run("GET b"), "$1\r\n1\r\n");
  bench.keyspace.verify();
});

test("MOVE needs another database that does not have the key", () => {
  const bench = new CommandBench();
  bench.run("SET k v EX 9");
  assert.equal(bench.run("MOVE k 0"), "-ERR source and destination objects are the same\r\n");
  assert.equal(bench.run("MOVE k 16"), "-ERR DB index is out of range\r\n");
  assert.equal(bench.run("MOVE k x"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(
    bench.run("MOVE k 9999999999"),
    "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
  );
  assert.equal(bench.run("MOVE k 3"), ":1\r\n");
  assert.equal(bench.run("MOVE k 3"), ":0\r\n");
  bench.run("SET k w");
  assert.equal(bench.run("MOVE k 3"), ":0\r\n");
  bench.run("SELECT 3");
  assert.equal(bench.run("TTL k"), ":9\r\n");
  bench.keyspace.verify();
});

test("COPY copies value and time, to another database too, and replaces only when told", () => {
  const bench = new CommandBench();
  bench.run("SET a 12 EX 9");
  bench.run("APPEND a 3");
  assert.equal(bench.run("COPY a b"), ":1\r\n");
  assert.equal(bench.run("OBJECT ENCODING b"), "$3\r\nraw\r\n");
  assert.equal(bench.run("TTL b"), ":9\r\n");
  assert.equal(bench.run("COPY absent b"), ":0\r\n");
  bench.run("SET a 5");
  assert.equal(bench.run("COPY a b"), ":0\r\n");
  assert.equal(bench.run("COPY a b REPLACE DB 0"), ":1\r\n");
  assert.equal(bench.run("TTL b"), ":-1\r\n");
  assert.equal(bench.run("COPY a a DB 1"), ":1\r\n");
  assert.equal(bench.run("COPY a a"), "-ERR source and destination objects are the same\r\n");
  assert.equal(bench.run("COPY a b DB"), "-ERR syntax error\r\n");
  bench.keyspace.verify();
});
