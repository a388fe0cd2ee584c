import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandBench } from "./testing.ts";

/** An array of bulk strings as words; null stands for null. */
function words(reply: string): (string | null)[] {
  const lines = reply.split("\r\n");
  const found: (string | null)[] = [];
  for (let index = 1; index < lines.length - 1; index++) {
    if (lines[index] === "$-1") found.push(null);
    else found.push(lines[++index]!);
  }
  return found;
}

test("lists, sets and sorted sets are sorted by number, equal numbers by their bytes", () => {
  const number = fc.constantFrom("1", "01", "1.0", "-3", "0", "2e1", "inf", "-inf", "7.5", "0x10");
  fc.assert(
    fc.property(
      fc.uniqueArray(number, { minLength: 1 }),
      fc.boolean(),
      fc.nat(5),
      fc.integer({ min: -1, max: 6 }),
      (elements, isDescending, start, count) => {
        const bench = new CommandBench();
        bench.run(["RPUSH", "list", ...elements]);
        bench.run(["SADD", "set", ...elements]);
        bench.run(["ZADD", "zset", ...elements.flatMap((element, index) => [String(index), element])]);
        const value = (text: string): number => Number(text.replace("inf", "Infinity"));
        const sorted = elements.slice().sort((left, right) => {
          const [one, other] = [value(left), value(right)];
          return one < other ? -1 : one > other ? 1 : left < right ? -1 : 1;
        });
        if (isDescending) sorted.reverse();
        const expected = sorted.slice(start, count < 0 ? undefined : start + count);
        for (const key of ["list", "set", "zset"]) {
          const reply = bench.run(`SORT ${key} ${isDescending ? "DESC" : "ASC"} LIMIT ${start} ${count}`);
          assert.deepEqual(words(reply), expected);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("BY takes weights and GET values from other keys and from fields of hashes", () => {
  const bench = new CommandBench();
  bench.run("RPUSH k 1 2 3");
  bench.run("MSET w_1 30 w_2 10 w_3 20 n_1 one n_3 three");
  bench.run("HSET h_1 w 2 name eins");
  bench.run("HSET h_2 w 3");
  bench.run("HSET h_3 w 1 name drei");
  assert.deepEqual(words(bench.run("SORT k BY w_*")), ["2", "3", "1"]);
  assert.deepEqual(words(bench.run("SORT k BY h_*->w DESC GET # GET n_* GET h_*->name")), [
    ...["2", null, null],
    ...["1", "one", "eins"],
    ...["3", "three", "drei"],
  ]);
  assert.deepEqual(words(bench.run("SORT k BY n_* ALPHA")), ["2", "1", "3"]);
  assert.deepEqual(words(bench.run("SORT k BY absent_* GET k GET w_*->")), [null, null, null, null, null, null]);
});

test("BY without a star keeps the order that is there", () => {
  const bench = new CommandBench();
  bench.run("RPUSH list c a b");
  bench.run("ZADD zset 3 a 1 b 2 c");
  bench.run("SADD set 2 10 1");
  assert.deepEqual(words(bench.run("SORT list BY nosort")), ["c", "a", "b"]);
  assert.deepEqual(words(bench.run("SORT list BY nosort DESC LIMIT 1 2")), ["a", "c"]);
  assert.deepEqual(words(bench.run("SORT zset BY nosort DESC LIMIT 0 2")), ["a", "c"]);
  assert.deepEqual(words(bench.run("SORT set BY nosort LIMIT 1 5")), ["2", "10"]);
  assert.equal(bench.run("SORT set BY nosort STORE t"), ":3\r\n");
  assert.deepEqual(words(bench.run("LRANGE t 0 -1")), ["1", "10", "2"]);
});

test("what is no number is refused unless it is sorted as text", () => {
  const bench = new CommandBench();
  bench.run("RPUSH k b 1 a");
  assert.equal(bench.run("SORT k"), "-ERR One or more scores can't be converted into double\r\n");
  assert.deepEqual(words(bench.run("SORT k ALPHA DESC")), ["b", "a", "1"]);
  bench.run("SET string x");
  assert.match(bench.run("SORT string"), /^-WRONGTYPE /);
  assert.equal(bench.run("SORT string LIMIT 1"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SORT_RO k STORE t"), "-ERR syntax error\r\n");
});

test("STORE puts a list in the place of what the key held, and deletes it when there is nothing", () => {
  const bench = new CommandBench();
  bench.run("RPUSH k 3 1 2");
  bench.run("SET t x EX 100");
  assert.equal(bench.run("SORT k GET n_* GET # STORE t"), ":6\r\n");
  assert.deepEqual(words(bench.run("LRANGE t 0 -1")), ["", "1", "", "2", "", "3"]);
  assert.equal(bench.run("TTL t"), ":-1\r\n");
  assert.equal(bench.run("OBJECT ENCODING t"), "$8\r\nlistpack\r\n");
  assert.equal(bench.run("SORT k STORE k"), ":3\r\n");
  assert.deepEqual(words(bench.run("LRANGE k 0 -1")), ["1", "2", "3"]);
  assert.equal(bench.run("DBSIZE"), ":2\r\n");
  const before = bench.dirty;
  assert.equal(bench.run("SORT absent STORE t"), ":0\r\n");
  assert.equal(bench.run("EXISTS t"), ":0\r\n");
  assert.equal(bench.dirty, before + 1);
  bench.keyspace.verify();
});
