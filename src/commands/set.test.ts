import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

function fill(bench: CommandBench, key: string, count: number): void {
  const members = Array.from({ length: count }, (_, number) => `m${number}`);
  bench.run(["SADD", key, ...members]);
}

/** The bulk strings of a reply. */
function bulks(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1]!);
}

test("a set goes from intset to listpack to table, and from intset to table, as in 7.2", () => {
  const bench = new CommandBench();
  const encoding = (key: string): string => bulks(bench.run(`OBJECT ENCODING ${key}`))[0]!;
  const { encodingLimits } = bench.keyspace;
  encodingLimits.setIntsetEntries = 4;
  encodingLimits.setListpackEntries = 3;
  bench.run("SADD a 1 2");
  assert.equal(encoding("a"), "intset");
  bench.run("SADD a word");
  assert.equal(encoding("a"), "listpack");
  bench.run("SADD a other");
  assert.equal(encoding("a"), "hashtable");
  bench.run("SADD b 1 2 3");
  bench.run("SADD b word");
  assert.equal(encoding("b"), "hashtable");
  bench.run("SADD c 1 2 3 4");
  bench.run("SADD c 5");
  assert.equal(encoding("c"), "hashtable");
  bench.run(`SADD d ${"x".repeat(65)}`);
  assert.equal(encoding("d"), "hashtable");
  bench.run("SADD e 1 1 1 1 1");
  assert.equal(encoding("e"), "hashtable", "7.2 expects as many members as it is given");
});

for (const size of [5, 100, 400]) {
  test(`SPOP with any count takes so many of ${size} members and leaves the others`, () => {
    for (const count of [1, 2, 3, 4, 30, 80, 99, 250, 350, 399].filter((some) => some < size)) {
      const bench = new CommandBench(count);
      fill(bench, "s", size);
      const popped = bulks(bench.run(`SPOP s ${count}`));
      assert.equal(new Set(popped).size, count);
      const left = bulks(bench.run("SMEMBERS s"));
      assert.equal(left.length, size - count);
      assert.equal(new Set([...popped, ...left]).size, size);
      bench.keyspace.verify();
    }
  });
}

test("SPOP of all members, or more, deletes the set", () => {
  const bench = new CommandBench();
  fill(bench, "s", 300);
  assert.equal(bulks(bench.run("SPOP s 9223372036854775807")).length, 300);
  assert.equal(bench.run("EXISTS s"), ":0\r\n");
  bench.run("SADD t only");
  assert.equal(bench.run("SPOP t"), "$4\r\nonly\r\n");
  assert.equal(bench.run("EXISTS t"), ":0\r\n");
});

test("SPOP and SRANDMEMBER with a count give each member the same chance, in every encoding and strategy", () => {
  for (const [size, count] of [
    [10, 3],
    [200, 20],
    [200, 60],
    [200, 180],
  ] as const) {
    for (const command of ["SPOP", "SRANDMEMBER"]) {
      const bench = new CommandBench(7);
      const rounds = 300;
      const seen = new Map<string, number>();
      for (let round = 0; round < rounds; round++) {
        if (command === "SPOP" || round === 0) {
          bench.run("DEL s");
          fill(bench, "s", size);
        }
        for (const member of bulks(bench.run(`${command} s ${count}`))) seen.set(member, (seen.get(member) ?? 0) + 1);
      }
      const expected = (rounds * count) / size;
      const spread = Math.sqrt(expected * (1 - count / size));
      assert.equal(seen.size, size);
      for (const [member, times] of seen) {
        assert.ok(
          Math.abs(times - expected) < 6 * spread,
          `${command} ${count} of ${size}: ${member} came ${times} times`,
        );
      }
    }
  }
});

test("SMOVE deletes a source that is empty and tells of both sets", () => {
  const bench = new CommandBench();
  bench.run("SADD a x");
  assert.equal(bench.run("SMOVE a b x"), ":1\r\n");
  assert.equal(bench.run("EXISTS a"), ":0\r\n");
  assert.equal(bench.run("SISMEMBER b x"), ":1\r\n");
  assert.equal(bench.run("SMOVE b b x"), ":1\r\n");
  assert.equal(bench.run("SMOVE b c y"), ":0\r\n");
});

test("combinations of sets are what plain sets give, stored or not, the destination among the sources", () => {
  const bench = new CommandBench(3);
  let state = 1;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  for (let round = 0; round < 200; round++) {
    const keys = ["a", "b", "c", "d", "e", "f"];
    const model = new Map<string, Set<string>>();
    bench.run("FLUSHALL");
    for (const key of keys) {
      const size = [0, 1, 5, 40, 200, 700][below(6)]!;
      const members = Array.from({ length: size }, () => (below(2) === 0 ? String(below(300)) : `w${below(300)}`));
      if (below(3) === 0) for (let index = 0; index < size; index++) members[index] = String(below(900));
      if (size > 0) bench.run(["SADD", key, ...members]);
      model.set(key, new Set(members));
    }
    const sources = Array.from({ length: 1 + below(6) }, () => keys[below(6)]!);
    const sets = sources.map((key) => model.get(key)!);
    const expected = {
      SINTER: [...sets[0]!].filter((member) => sets.every((set) => set.has(member))),
      SUNION: [...new Set(sets.flatMap((set) => [...set]))],
      SDIFF: [...sets[0]!].filter((member) => sets.slice(1).every((set) => !set.has(member))),
    };
    for (const name of ["SINTER", "SUNION", "SDIFF"] as const) {
      assert.deepEqual(bulks(bench.run([name, ...sources])).sort(), expected[name].sort(), `round ${round}: ${name}`);
    }
    assert.equal(bench.run(["SINTERCARD", String(sources.length), ...sources]), `:${expected.SINTER.length}\r\n`);
    const limited = Math.min(expected.SINTER.length, 2);
    assert.equal(bench.run(["SINTERCARD", String(sources.length), ...sources, "LIMIT", "2"]), `:${limited}\r\n`);
    const name = (["SINTER", "SUNION", "SDIFF"] as const)[below(3)]!;
    assert.equal(bench.run([`${name}STORE`, sources[0]!, ...sources]), `:${expected[name].length}\r\n`);
    assert.deepEqual(bulks(bench.run(["SMEMBERS", sources[0]!])).sort(), expected[name].sort());
    bench.keyspace.verify();
  }
});
