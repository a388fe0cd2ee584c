import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

const CORRUPT = "-INVALIDOBJ Corrupted HLL object detected\r\n";
const INVALID = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";

function elements(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `element:${from + index}`);
}

test("few elements are counted exactly, many within two percent", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("PFADD k a b c a"), ":1\r\n");
  assert.equal(bench.run("PFADD k a b"), ":0\r\n");
  assert.equal(bench.run("PFCOUNT k"), ":3\r\n");
  assert.equal(bench.run("PFCOUNT absent"), ":0\r\n");
  for (let from = 0; from < 30_000; from += 1000) bench.run(["PFADD", "large", ...elements(from, from + 1000)]);
  const counted = Number(bench.run("PFCOUNT large").slice(1));
  assert.ok(Math.abs(counted - 30_000) < 600, String(counted));
  bench.keyspace.verify();
});

test("an empty HyperLogLog is 18 bytes, and its count is computed once", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("PFADD k"), ":1\r\n");
  assert.equal(bench.run("PFADD k"), ":0\r\n");
  assert.equal(bench.run("GET k"), `$18\r\nHYLL\x01${"\0".repeat(10)}\x80\x7f\xff\r\n`);
  assert.equal(bench.dirty, 1);
  assert.equal(bench.run("PFCOUNT k"), ":0\r\n");
  assert.equal(bench.dirty, 2);
  assert.equal(bench.run("GET k"), `$18\r\nHYLL\x01${"\0".repeat(11)}\x7f\xff\r\n`);
  assert.equal(bench.run("PFCOUNT k"), ":0\r\n");
  assert.equal(bench.dirty, 2);
});

test("a merge counts what any of them has seen, and so does PFCOUNT of several keys", () => {
  const bench = new CommandBench();
  bench.run(["PFADD", "a", ...elements(0, 60)]);
  bench.run(["PFADD", "b", ...elements(40, 100)]);
  const both = bench.run("PFCOUNT a b absent");
  assert.equal(bench.run("PFMERGE a b absent"), "+OK\r\n");
  assert.equal(bench.run("PFCOUNT a"), both);
  bench.run("PFDEBUG TODENSE b");
  assert.equal(bench.run("PFMERGE c b a"), "+OK\r\n");
  assert.equal(bench.run("PFDEBUG ENCODING c"), "+dense\r\n");
  assert.equal(bench.run("PFCOUNT c"), both);
  assert.equal(bench.run("PFMERGE new"), "+OK\r\n");
  assert.equal(bench.run("PFCOUNT new"), ":0\r\n");
});

test("a value becomes dense when it outgrows hll-sparse-max-bytes, with the same registers", () => {
  const [sparse, dense] = [new CommandBench(), new CommandBench()];
  dense.keyspace.encodingLimits.hyperLogLogSparseBytes = 100;
  for (const bench of [sparse, dense]) bench.run(["PFADD", "k", ...elements(0, 200)]);
  assert.equal(sparse.run("PFDEBUG ENCODING k"), "+sparse\r\n");
  assert.equal(dense.run("PFDEBUG ENCODING k"), "+dense\r\n");
  assert.equal(dense.run("STRLEN k"), ":12304\r\n");
  assert.equal(sparse.run("PFDEBUG GETREG k"), dense.run("PFDEBUG GETREG k"));
  assert.equal(sparse.run("PFDEBUG DECODE k"), "-ERR HLL encoding is not sparse\r\n");
});

test("PFDEBUG shows the codes of a sparse value", () => {
  const bench = new CommandBench();
  bench.run("PFADD k a b c");
  assert.match(bench.run("PFDEBUG DECODE k"), /^\$\d+\r\nZ:\d+ v:\d,1 Z:\d+ v:\d,1 Z:\d+ v:\d,1 Z:\d+\r\n$/);
  assert.equal(bench.run("PFDEBUG TODENSE k"), ":1\r\n");
  assert.equal(bench.run("PFDEBUG TODENSE k"), ":0\r\n");
  assert.equal(bench.run("PFDEBUG x k"), "-ERR Unknown PFDEBUG subcommand 'x'\r\n");
  assert.equal(bench.run("PFDEBUG DECODE absent"), "-ERR The specified key does not exist\r\n");
  assert.equal(bench.run("PFSELFTEST"), "+OK\r\n");
});

test("strings that are none are refused, and so are codes that do not add up", () => {
  const bench = new CommandBench();
  for (const value of ["", "x", "12", "HYLL", `HYLL\x02${"\0".repeat(20)}`, `HYLL\0${"\0".repeat(20)}`]) {
    bench.run(["SET", "k", Buffer.from(value, "latin1")]);
    assert.equal(bench.run("PFADD k a"), INVALID);
    assert.equal(bench.run("PFCOUNT k"), INVALID);
    assert.equal(bench.run("PFCOUNT k k"), INVALID);
    assert.equal(bench.run("PFMERGE k k"), INVALID);
  }
  bench.run(["SET", "k", Buffer.from(`HYLL\x01${"\0".repeat(10)}\x80\x7f`, "latin1")]);
  assert.equal(bench.run("PFCOUNT k"), CORRUPT);
  assert.equal(bench.run("PFCOUNT k absent"), CORRUPT);
  assert.equal(bench.run("PFMERGE other k"), CORRUPT);
  assert.equal(bench.run("EXISTS other"), ":0\r\n");
  assert.equal(bench.run("PFDEBUG TODENSE k"), CORRUPT);
});

test("registers too high for any count show the lowest number", () => {
  const bench = new CommandBench();
  bench.run("PFADD k a");
  bench.run("PFDEBUG TODENSE k");
  bench.run(["SETRANGE", "k", "16", new Uint8Array(12288).fill(255)]);
  assert.equal(bench.run("PFCOUNT k"), ":-9223372036854775808\r\n");
  assert.equal(bench.run("PFCOUNT k k"), ":-9223372036854775808\r\n");
});
