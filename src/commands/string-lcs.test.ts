import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

function withTexts(): CommandBench {
  const bench = new CommandBench();
  bench.run("MSET a ohmytext b mynewtext");
  return bench;
}

test("LCS tells the text, its length, or its runs from the last to the first", () => {
  const bench = withTexts();
  assert.equal(bench.run("LCS a b"), "$6\r\nmytext\r\n");
  assert.equal(bench.run("LCS a b LEN"), ":6\r\n");
  const last = "*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n";
  const first = "*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
  assert.equal(bench.run("LCS a b IDX"), `*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n${last}*2\r\n${first}$3\r\nlen\r\n:6\r\n`);
  assert.equal(
    bench.run("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN"),
    `*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n${last}:4\r\n$3\r\nlen\r\n:6\r\n`,
  );
});

test("LCS of an absent key is empty, and a map in RESP3", () => {
  const bench = withTexts();
  assert.equal(bench.run("LCS a absent"), "$0\r\n\r\n");
  bench.protocol = 3;
  assert.equal(bench.run("LCS a absent IDX"), "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n");
});

test("LCS refuses contradictions and tables beyond the limit", () => {
  const bench = withTexts();
  assert.equal(bench.run("LCS a b LEN IDX"), "-ERR If you want both the length and indexes, please just use IDX.\r\n");
  assert.equal(bench.run("LCS a b FOO"), "-ERR syntax error\r\n");
  assert.equal(bench.run("LCS a b MINMATCHLEN"), "-ERR syntax error\r\n");
  bench.context.limits.stringBytesMax = 9 * 10 * 4 - 1;
  assert.equal(
    bench.run("LCS a b"),
    "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n",
  );
});
