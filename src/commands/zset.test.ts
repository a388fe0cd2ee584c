import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "./testing.ts";

test("ZADD adds, changes and counts as its options say", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("ZADD k 1 a 2 b"), ":2\r\n");
  assert.equal(bench.run("ZADD k NX 9 a 3 c"), ":1\r\n");
  assert.equal(bench.run("ZADD k XX CH 5 a 7 d"), ":1\r\n");
  assert.equal(bench.run("ZADD k GT CH 4 a 4 b"), ":1\r\n");
  assert.equal(bench.run("ZADD k LT INCR 1 a"), "$-1\r\n");
  assert.equal(bench.run("ZADD k INCR 0.5 a"), "$3\r\n5.5\r\n");
  assert.equal(bench.run("ZADD k INCR inf a"), "$3\r\ninf\r\n");
  assert.equal(bench.run("ZADD k INCR -inf a"), "-ERR resulting score is not a number (NaN)\r\n");
  assert.equal(bench.run("ZADD k 1 a 2"), "-ERR syntax error\r\n");
  assert.equal(bench.run("ZADD k 1 x nan y"), "-ERR value is not a valid float\r\n");
  assert.equal(bench.run("ZSCORE k x"), "$-1\r\n");
  assert.equal(bench.run("ZADD none XX 1 a"), ":0\r\n");
  assert.equal(bench.run("EXISTS none"), ":0\r\n");
});

test("the last member's removal deletes the key", () => {
  const bench = new CommandBench();
  bench.run("ZADD k 1 a 2 b");
  assert.equal(bench.run("ZREM k a b c"), ":2\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  bench.run("ZADD k 1 a 2 b");
  assert.equal(bench.run("ZPOPMAX k 5"), "*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n1\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
});

test("ZRANK WITHSCORE replies with rank and score", () => {
  const bench = new CommandBench();
  bench.run("ZADD k 1 a 2.5 b");
  assert.equal(bench.run("ZRANK k b WITHSCORE"), "*2\r\n:1\r\n$3\r\n2.5\r\n");
  assert.equal(bench.run("ZREVRANK k b"), ":0\r\n");
  assert.equal(bench.run("ZRANK k x WITHSCORE"), "*-1\r\n");
  assert.equal(bench.run("ZRANK k x"), "$-1\r\n");
  assert.equal(bench.run("ZRANK k b WITHSCORES"), "-ERR syntax error\r\n");
  bench.protocol = 3;
  assert.equal(bench.run("ZREVRANK k a WITHSCORE"), "*2\r\n:1\r\n,1\r\n");
});

test("ranges by rank, score and name, upwards and downwards, with LIMIT", () => {
  const bench = new CommandBench();
  const members = (command: string): string[] =>
    [...bench.run(command).matchAll(/\$\d+\r\n([^\r]*)/g)].map((match) => match[1]!);
  bench.run("ZADD k 1 a 2 b 3 c 4 d");
  assert.deepEqual(members("ZRANGE k -3 2"), ["b", "c"]);
  assert.deepEqual(members("ZRANGE k 0 1 REV"), ["d", "c"]);
  assert.deepEqual(members("ZRANGE k (1 4 BYSCORE LIMIT 1 -1"), ["c", "d"]);
  assert.deepEqual(members("ZREVRANGEBYSCORE k +inf (1 LIMIT 1 1"), ["c"]);
  bench.run("ZADD l 0 a 0 b 0 c 0 d");
  assert.deepEqual(members("ZRANGE l [d (a BYLEX REV LIMIT 0 2"), ["d", "c"]);
  assert.deepEqual(members("ZRANGEBYLEX l - (c"), ["a", "b"]);
  assert.equal(bench.run("ZLEXCOUNT l (a +"), ":3\r\n");
  assert.equal(bench.run("ZCOUNT k (1 3"), ":2\r\n");
  assert.equal(bench.run("ZRANGESTORE s k 1 2"), ":2\r\n");
  assert.equal(bench.run("ZREMRANGEBYSCORE k 2 3"), ":2\r\n");
  assert.deepEqual(members("ZRANGE s 0 -1"), ["b", "c"]);
  bench.protocol = 3;
  assert.equal(bench.run("ZRANGE k 0 0 WITHSCORES"), "*1\r\n*2\r\n$1\r\na\r\n,1\r\n");
});

test("sorted sets and sets are combined, and a result without members deletes the destination", () => {
  const bench = new CommandBench();
  bench.run("ZADD x 1 a 2 b");
  bench.run("SADD y b c");
  assert.equal(
    bench.run("ZUNION 2 x y WEIGHTS 2 3 WITHSCORES"),
    "*6\r\n$1\r\na\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n$1\r\nb\r\n$1\r\n7\r\n",
  );
  assert.equal(bench.run("ZINTERSTORE d 2 x y AGGREGATE MAX"), ":1\r\n");
  assert.equal(bench.run("ZSCORE d b"), "$1\r\n2\r\n");
  assert.equal(bench.run("ZDIFF 2 x y"), "*1\r\n$1\r\na\r\n");
  assert.equal(bench.run("ZINTERCARD 2 x y LIMIT 1"), ":1\r\n");
  assert.equal(bench.run("ZDIFFSTORE d 2 x x"), ":0\r\n");
  assert.equal(bench.run("EXISTS d"), ":0\r\n");
});

test("BZPOPMIN waits for its keys, and is answered when it is run again", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("BZPOPMIN k l 0"), "");
  const wait = bench.takeKeyWait()!;
  assert.equal(wait.firstKey, 1);
  assert.equal(wait.keyCount, 2);
  assert.equal(bench.timeoutReply(wait), "*-1\r\n");
  bench.run("ZADD l 1 a");
  assert.equal(bench.run("BZPOPMIN k l 0"), "*3\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\n1\r\n");
  assert.equal(bench.takeKeyWait(), undefined);
});

test("ZRANDMEMBER gives different members, or with a negative count as many as are asked for", () => {
  const bench = new CommandBench();
  bench.run(["ZADD", "k", ...Array.from({ length: 300 }, (_, index) => [`${index}`, `m${index}`]).flat()]);
  for (const count of [5, 250, 300, 1000]) {
    const found = [...bench.run(`ZRANDMEMBER k ${count}`).matchAll(/m\d+/g)].map(String);
    assert.equal(found.length, Math.min(count, 300));
    assert.equal(new Set(found).size, found.length);
  }
  assert.ok(bench.run("ZRANDMEMBER k -700").startsWith("*700\r\n"));
});

test("ZSCAN tells every member, of either encoding", () => {
  for (const count of [50, 1000]) {
    const bench = new CommandBench();
    for (let index = 0; index < count; index++) bench.run(`ZADD k 0.1 m${index}`);
    const seen = new Set<string>();
    let cursor = "0";
    do {
      const reply = bench.run(`ZSCAN k ${cursor} COUNT 20`);
      cursor = /^\*2\r\n\$\d+\r\n(\d+)/.exec(reply)![1]!;
      for (const [member] of reply.matchAll(/m\d+/g)) seen.add(member);
    } while (cursor !== "0");
    assert.equal(seen.size, count);
  }
});
