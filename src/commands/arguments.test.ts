/** Timeouts as Redis reads them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readTimeoutInMs, readTimeoutMs } from "./arguments.ts";
import { CommandBench } from "./testing.ts";

const NO_FLOAT = "-ERR timeout is not a float or out of range\r\n";
const NO_INTEGER = "-ERR timeout is not an integer or out of range\r\n";
const NEGATIVE = "-ERR timeout is negative\r\n";
const TOO_LARGE = "-ERR timeout is out of range\r\n";

function read(reader: typeof readTimeoutMs, word: string): number | string {
  const bench = new CommandBench();
  // Any command will do: the word is an argument of the request that was filled for it.
  bench.run(["EXISTS", word]);
  const timeoutMs = reader(bench.context, 1);
  return Number.isNaN(timeoutMs) ? Buffer.from(bench.context.reply.take()).toString("latin1") : timeoutMs;
}

test("seconds become whole milliseconds, rounded up", () => {
  const cases: Readonly<Record<string, number>> = {
    "0": 0,
    "1": 1000,
    "0.001": 1,
    "0.0001": 1,
    "1e-400": 1,
    "-0.0001": 0,
    "1.5": 1500,
    "1.2345": 1235,
    "0x10": 16_000,
    "+2": 2000,
  };
  for (const [word, timeoutMs] of Object.entries(cases)) assert.equal(read(readTimeoutMs, word), timeoutMs, word);
});

test("what is no timeout is refused with the error that says why", () => {
  for (const word of ["", "abc", "nan", " 1", "1 ", "1e-5000"]) assert.equal(read(readTimeoutMs, word), NO_FLOAT, word);
  for (const word of ["-1", "-0.5", "-inf", "-1e400"]) assert.equal(read(readTimeoutMs, word), NEGATIVE, word);
  for (const word of ["inf", "1e400", "9223372036854776", "9223372036854775"]) {
    assert.equal(read(readTimeoutMs, word), TOO_LARGE, word);
  }
});

test("milliseconds are whole numbers", () => {
  assert.equal(read(readTimeoutInMs, "17"), 17);
  assert.equal(read(readTimeoutInMs, "0"), 0);
  assert.equal(read(readTimeoutInMs, "1.5"), NO_INTEGER);
  assert.equal(read(readTimeoutInMs, "-1"), NEGATIVE);
  assert.equal(read(readTimeoutInMs, "9223372036854775807"), TOO_LARGE);
});
