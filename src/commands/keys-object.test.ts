import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

test("OBJECT ENCODING names the form that Redis would choose", () => {
  const bench = new CommandBench();
  for (const [value, encoding] of [
    ["12", "int"],
    ["-9223372036854775808", "int"],
    ["9223372036854775808", "embstr"],
    ["012", "embstr"],
    ["x".repeat(44), "embstr"],
    ["x".repeat(45), "raw"],
  ] as const) {
    bench.run(["SET", "k", value]);
    assert.equal(bench.run("OBJECT ENCODING k"), `$${encoding.length}\r\n${encoding}\r\n`, value);
  }
  assert.equal(bench.run("OBJECT ENCODING absent"), "$-1\r\n");
});

test("OBJECT IDLETIME counts seconds since the last use, and looking is no use", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  bench.advance(5000);
  assert.equal(bench.run("OBJECT IDLETIME k"), ":5\r\n");
  bench.run("TTL k");
  bench.run("TYPE k");
  bench.run("EXISTS k");
  assert.equal(bench.run("OBJECT IDLETIME k"), ":5\r\n");
  bench.run("TOUCH k");
  assert.equal(bench.run("OBJECT IDLETIME k"), ":0\r\n");
});

test("OBJECT FREQ and IDLETIME are there under the policy that keeps them", () => {
  const bench = new CommandBench();
  bench.run("SET k v");
  assert.match(bench.run("OBJECT FREQ k"), /^-ERR An LFU maxmemory policy is not selected, access frequency not/);
  bench.keyspace.clock.isFrequency = true;
  bench.run("SET l v");
  assert.equal(bench.run("OBJECT FREQ l"), ":5\r\n");
  assert.match(bench.run("OBJECT IDLETIME l"), /^-ERR An LFU maxmemory policy is selected, idle time not tracked/);
});

test("OBJECT REFCOUNT answers as if small numbers were shared", () => {
  const bench = new CommandBench();
  bench.run("MSET a 9999 b 10000 c x");
  assert.equal(bench.run("OBJECT REFCOUNT a"), ":2147483647\r\n");
  assert.equal(bench.run("OBJECT REFCOUNT b"), ":1\r\n");
  assert.equal(bench.run("OBJECT REFCOUNT c"), ":1\r\n");
});
