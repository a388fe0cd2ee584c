import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

test("a hash becomes a table by its number of fields or by a long value, and stays one", () => {
  const bench = new CommandBench();
  bench.keyspace.encodingLimits.hashListpackEntries = 3;
  for (const name of ["a", "b", "c"]) bench.run(`HSET h ${name} 1`);
  assert.equal(bench.run("OBJECT ENCODING h"), "$8\r\nlistpack\r\n");
  bench.run("HSET h d 1");
  assert.equal(bench.run("OBJECT ENCODING h"), "$9\r\nhashtable\r\n");
  bench.run("HDEL h b c d");
  assert.equal(bench.run("OBJECT ENCODING h"), "$9\r\nhashtable\r\n");
  bench.run(`HSET long a ${"x".repeat(65)}`);
  assert.equal(bench.run("OBJECT ENCODING long"), "$9\r\nhashtable\r\n");
});

test("HSET of more pairs than a listpack may hold makes a table, as 7.2 does, also when fields repeat", () => {
  const bench = new CommandBench();
  bench.keyspace.encodingLimits.hashListpackEntries = 3;
  assert.equal(bench.run("HSET h a 1 a 2 a 3 a 4"), ":1\r\n");
  assert.equal(bench.run("OBJECT ENCODING h"), "$9\r\nhashtable\r\n");
  assert.equal(bench.run("HGET h a"), "$1\r\n4\r\n");
});

test("HSETNX of a field that is there leaves the encoding alone, however long the value", () => {
  const bench = new CommandBench();
  bench.run("HSET h a 1");
  assert.equal(bench.run(`HSETNX h a ${"x".repeat(100)}`), ":0\r\n");
  assert.equal(bench.run("OBJECT ENCODING h"), "$8\r\nlistpack\r\n");
});

test("HDEL of the last field deletes the hash, and counts what it deleted", () => {
  const bench = new CommandBench();
  bench.run("HSET h a 1 b 2");
  const before = bench.dirty;
  assert.equal(bench.run("HDEL h a x b a"), ":2\r\n");
  assert.equal(bench.dirty - before, 2);
  assert.equal(bench.run("EXISTS h"), ":0\r\n");
});

test("HINCRBY keeps 64 bits exactly", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("HINCRBY h n 9007199254740993"), ":9007199254740993\r\n");
  assert.equal(bench.run("HINCRBY h n 9214364837600034814"), ":9223372036854775807\r\n");
  assert.equal(bench.run("HINCRBY h n 1"), "-ERR increment or decrement would overflow\r\n");
  assert.equal(bench.run("HINCRBY h n -9223372036854775808"), ":-1\r\n");
});

test("HGETALL and HRANDFIELD WITHVALUES nest in RESP3", () => {
  const bench = new CommandBench();
  bench.run("HSET h a 1");
  bench.protocol = 3;
  assert.equal(bench.run("HGETALL h"), "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
  assert.equal(bench.run("HRANDFIELD h 5 WITHVALUES"), "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  assert.equal(bench.run("HRANDFIELD h -2 WITHVALUES").split("*2\r\n").length, 4);
});

test("HSCAN tells every field that stays, while others come and go", () => {
  const bench = new CommandBench();
  for (let number = 0; number < 600; number++) bench.run(`HSET h stay${number} ${number}`);
  const seen = new Set<string>();
  let cursor = "0";
  let round = 0;
  do {
    const reply = bench.run(`HSCAN h ${cursor} COUNT 20`);
    cursor = /^\*2\r\n\$\d+\r\n(\d+)/.exec(reply)![1]!;
    for (const [name] of reply.matchAll(/stay\d+/g)) seen.add(name);
    for (let number = 0; number < 60; number++) {
      bench.run(round % 2 === 0 ? `HSET h go${number}:${round} x` : `HDEL h go${number}:${round - 1}`);
    }
    round++;
  } while (cursor !== "0");
  assert.equal(seen.size, 600);
});
