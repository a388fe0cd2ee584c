import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

const OUT_OF_RANGE = "-ERR DB index is out of range\r\n";

test("SELECT chooses among the databases that there are", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.equal(bench.run("SELECT 15"), "+OK\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  for (const index of ["16", "-1"]) assert.equal(bench.run(`SELECT ${index}`), OUT_OF_RANGE);
  assert.equal(bench.run("SELECT x"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.client.databaseIndex, 15);
});

test("SWAPDB exchanges contents and times under the clients' feet", () => {
  const bench = new CommandBench();
  bench.run("SET k v EX 10");
  assert.equal(bench.run("SWAPDB 0 1"), "+OK\r\n");
  assert.equal(bench.run("DBSIZE"), ":0\r\n");
  bench.run("SELECT 1");
  assert.equal(bench.run("TTL k"), ":10\r\n");
  assert.equal(bench.run("SWAPDB x 1"), "-ERR invalid first DB index\r\n");
  assert.equal(bench.run("SWAPDB 1 99999999999"), "-ERR invalid second DB index\r\n");
  assert.equal(bench.run("SWAPDB 1 16"), OUT_OF_RANGE);
  assert.equal(bench.dirty, 2);
  bench.keyspace.verify();
});

test("FLUSHDB empties one database, FLUSHALL all of them", () => {
  const bench = new CommandBench();
  bench.run("MSET a 1 b 2");
  bench.run("SELECT 1");
  bench.run("SET c 3");
  assert.equal(bench.run("FLUSHDB ASYNC"), "+OK\r\n");
  bench.run("SELECT 0");
  assert.equal(bench.run("DBSIZE"), ":2\r\n");
  assert.equal(bench.dirty, 4);
  assert.equal(bench.run("FLUSHALL sync"), "+OK\r\n");
  assert.equal(bench.run("DBSIZE"), ":0\r\n");
  assert.equal(bench.dirty, 6);
  for (const command of ["FLUSHALL now", "FLUSHDB SYNC ASYNC"]) {
    assert.equal(bench.run(command), "-ERR syntax error\r\n");
  }
  bench.run("SET again 1");
  bench.keyspace.verify();
});

test("SORT of an absent key is empty, and STORE deletes the target", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.equal(bench.run("SORT absent LIMIT 0 1 BY x GET y DESC ALPHA"), "*0\r\n");
  assert.equal(bench.run("SORT k"), "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  assert.equal(bench.run("SORT_RO absent STORE k"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SORT absent LIMIT 0"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SORT absent LIMIT a b"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("SORT absent STORE k"), ":0\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  assert.equal(bench.dirty, 2);
});

test("WAIT for nobody answers at once, WAIT for somebody waits for the timeout", () => {
  const bench = new CommandBench();
  bench.context.monotonicMs = 1000;
  assert.equal(bench.run("WAIT 0 5"), ":0\r\n");
  assert.equal(bench.takeSuspension(), undefined);
  assert.equal(bench.run("WAIT 1 50"), "");
  const suspension = bench.takeSuspension()!;
  assert.equal(suspension.kind, "wait");
  assert.equal(suspension.timeoutAtMs, 1050);
  assert.equal(bench.timeoutReply(suspension), ":0\r\n");
  bench.run("WAIT 1 0");
  assert.equal(bench.takeSuspension()!.timeoutAtMs, 0);
  assert.equal(bench.run("WAIT x 0"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("WAIT 0 -1"), "-ERR timeout is negative\r\n");
  assert.equal(bench.run("WAIT 0 x"), "-ERR timeout is not an integer or out of range\r\n");
  assert.equal(bench.run("WAIT 1 9223372036854775807"), "-ERR timeout is out of range\r\n");
});

test("WAITAOF knows that there is no append-only file", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("WAITAOF 0 0 5"), "*2\r\n:0\r\n:0\r\n");
  assert.equal(
    bench.run("WAITAOF 1 0 5"),
    "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
  );
  assert.equal(bench.run("WAITAOF 2 0 5"), "-ERR value is out of range, value must between 0 and 1\r\n");
  assert.equal(bench.run("WAITAOF 0 -1 5"), "-ERR value is out of range, must be positive\r\n");
  assert.equal(bench.run("WAITAOF 0 1 5"), "");
  assert.equal(bench.timeoutReply(bench.takeSuspension()!), "*2\r\n:0\r\n:0\r\n");
});
