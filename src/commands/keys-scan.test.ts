import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandBench } from "./testing.ts";

/** The bulk strings of a reply. */
function bulks(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1]!);
}

test("a full SCAN tells every key that stays, while others come and go", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 50 }), fc.boolean(), (seed, count, isGrowing) => {
      const bench = new CommandBench(seed);
      for (let index = 0; index < 300; index++) bench.run(`SET stay:${index} v`);
      for (let index = 0; index < 700; index++) if (!isGrowing) bench.run(`SET pass:${index} v`);
      const seen = new Set<string>();
      let cursor = "0";
      let step = 0;
      do {
        const [next, ...keys] = bulks(bench.run(`SCAN ${cursor} COUNT ${count}`));
        for (const key of keys) seen.add(key);
        cursor = next!;
        for (const end = step + 20; step < end; step++) {
          bench.run(isGrowing ? `SET pass:${step} v` : `DEL pass:${step}`);
        }
      } while (cursor !== "0");
      for (let index = 0; index < 300; index++) assert.ok(seen.has(`stay:${index}`), `stay:${index} was not told`);
    }),
    { numRuns: 20 },
  );
});

test("SCAN filters by pattern and type and does not tell what has expired", () => {
  const bench = new CommandBench();
  bench.run("MSET a:1 x a:2 x b:1 x");
  bench.run("SET a:3 x PX 5");
  bench.advance(6);
  assert.deepEqual(bulks(bench.run("SCAN 0 COUNT 1000 MATCH a:*")).slice(1).sort(), ["a:1", "a:2"]);
  assert.deepEqual(bulks(bench.run("SCAN 0 COUNT 1000 TYPE STRING")).slice(1).sort(), ["a:1", "a:2", "b:1"]);
  assert.equal(bench.run("DBSIZE"), ":3\r\n");
  assert.equal(bench.run("SCAN 0 COUNT 1000 TYPE list"), "*2\r\n$1\r\n0\r\n*0\r\n");
  assert.equal(bench.run("SCAN 0 COUNT 1000 TYPE nonsense"), "*2\r\n$1\r\n0\r\n*0\r\n");
});

test("SCAN refuses what is no cursor, no count, no option", () => {
  const bench = new CommandBench();
  for (const cursor of ["x", "1x", " 1", "99999999999999999999", "0x1"]) {
    assert.equal(bench.run(["SCAN", cursor]), "-ERR invalid cursor\r\n", cursor);
  }
  assert.equal(bench.run("SCAN 0 COUNT 0"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SCAN 0 COUNT x"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("SCAN 0 MATCH"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SCAN 0 FOO x"), "-ERR syntax error\r\n");
  assert.equal(bench.run("SCAN 18446744073709551615 COUNT 1000"), "*2\r\n$1\r\n0\r\n*0\r\n");
});

test("KEYS tells what matches and is alive", () => {
  const bench = new CommandBench();
  bench.run("MSET one 1 two 2 three 3");
  bench.run("SET tgone x PX 5");
  bench.advance(6);
  assert.deepEqual(bulks(bench.run("KEYS t*")).sort(), ["three", "two"]);
  assert.deepEqual(bulks(bench.run("KEYS *")).sort(), ["one", "three", "two"]);
  assert.equal(bench.run("KEYS nothing"), "*0\r\n");
});

test("RANDOMKEY finds each key, and null when there is none", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("RANDOMKEY"), "$-1\r\n");
  bench.run("MSET a 1 b 2 c 3");
  const found = new Set<string>();
  for (let attempt = 0; attempt < 300; attempt++) found.add(bulks(bench.run("RANDOMKEY"))[0]!);
  assert.deepEqual([...found].sort(), ["a", "b", "c"]);
});
