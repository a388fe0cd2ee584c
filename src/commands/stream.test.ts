import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCH_START_MS, CommandBench } from "./testing.ts";

/** The reply without its framing: what a person sees, one item after the other. */
function shown(reply: string): string {
  return reply
    .split("\r\n")
    .filter((line) => line !== "" && !/^[*%$]/.test(line))
    .join(" ");
}

test("XADD makes ids from the clock, and goes on above the last one when the clock stands or goes back", () => {
  const bench = new CommandBench();
  assert.equal(shown(bench.run("XADD s * a 1")), `${BENCH_START_MS}-0`);
  assert.equal(shown(bench.run("XADD s * a 1")), `${BENCH_START_MS}-1`);
  bench.advance(-50);
  assert.equal(shown(bench.run("XADD s * a 1")), `${BENCH_START_MS}-2`);
  bench.run("XADD s 18446744073709551615-18446744073709551614 a 1");
  assert.equal(shown(bench.run("XADD s * a 1")), "18446744073709551615-18446744073709551615");
  assert.match(bench.run("XADD s * a 1"), /^-ERR The stream has exhausted the last possible ID/);
  assert.equal(shown(bench.run("XADD t 7-* a 1")), "7-0");
  assert.equal(shown(bench.run("XADD t 7-* a 1")), "7-1");
  bench.run("XADD t 7-18446744073709551615 a 1");
  assert.match(bench.run("XADD t 7-* a 1"), /^-ERR The ID specified in XADD is equal or smaller/);
});

test("XADD that fails leaves no key", () => {
  const bench = new CommandBench();
  for (const command of ["XADD s 0-0 a 1", "XADD s * a 1 b", "XADD s x a 1", "XADD s MAXLEN x * a 1"]) {
    assert.match(bench.run(command), /^-ERR/);
    assert.equal(bench.run("EXISTS s"), ":0\r\n");
  }
  assert.equal(bench.run("XADD s NOMKSTREAM * a 1"), "$-1\r\n");
  assert.equal(bench.run("EXISTS s"), ":0\r\n");
  assert.equal(bench.dirty, 0);
});

test("approximate trimming removes whole nodes, up to its limit", () => {
  const bench = new CommandBench();
  bench.keyspace.encodingLimits.streamNodeEntries = 10;
  for (let index = 1; index <= 35; index++) bench.run(`XADD s ${index}-0 a 1`);
  assert.equal(bench.run("XTRIM s MAXLEN ~ 17"), ":10\r\n");
  assert.equal(bench.run("XTRIM s MINID ~ 31 LIMIT 9"), ":0\r\n");
  assert.equal(bench.run("XTRIM s MINID ~ 31 LIMIT 10"), ":10\r\n");
  assert.equal(bench.run("XTRIM s MAXLEN 2"), ":13\r\n");
  assert.equal(shown(bench.run("XRANGE s - +")), "34-0 a 1 35-0 a 1");
  bench.keyspace.verify();
});

test("XREAD waits for what comes after the last id of its first run", () => {
  const bench = new CommandBench();
  bench.run("XADD s 5-0 a 1");
  assert.equal(bench.run("XREAD BLOCK 0 STREAMS s none $ $"), "");
  const wait = bench.takeKeyWait()!;
  assert.deepEqual([wait.firstKey, wait.keyCount, wait.timeoutMs, wait.wakesOnLoss], [4, 2, 0, false]);
  const replaced = wait.replaced!.map(({ argument, bytes }) => [argument, Buffer.from(bytes).toString()]);
  assert.deepEqual(replaced, [
    [6, "5-0"],
    [7, "0-0"],
  ]);
  assert.equal(bench.timeoutReply(wait), "*-1\r\n");
  bench.run("XADD s 6-0 a 2");
  assert.equal(shown(bench.run("XREAD BLOCK 0 STREAMS s none 5-0 0-0")), "s 6-0 a 2");
  assert.equal(bench.takeKeyWait(), undefined);
});

test("XREADGROUP waits for new entries, never for history, and hears when its group is lost", () => {
  const bench = new CommandBench();
  bench.run("XGROUP CREATE s g $ MKSTREAM");
  assert.equal(bench.run("XREADGROUP GROUP g c BLOCK 100 STREAMS s >"), "");
  const wait = bench.takeKeyWait()!;
  assert.deepEqual([wait.timeoutMs, wait.wakesOnLoss, wait.replaced], [100, true, []]);
  assert.equal(bench.run("XREADGROUP GROUP g c BLOCK 100 STREAMS s 0"), "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n");
  bench.run("DEL s");
  assert.equal(
    bench.run("XREADGROUP GROUP g c BLOCK 100 STREAMS s >"),
    "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n",
  );
});

test("a consumer is made by the attempt to read or claim; it is active only when it gets something", () => {
  const bench = new CommandBench();
  bench.run("XGROUP CREATE s g 0 MKSTREAM");
  bench.run("XREADGROUP GROUP g reader STREAMS s >");
  bench.run("XCLAIM s g claimer 0 1-1");
  bench.run("XAUTOCLAIM s g auto 0 -");
  bench.advance(40);
  const idle = (name: string, idleMs: number, inactiveMs: number): string =>
    `name ${name} pending :0 idle :${idleMs} inactive :${inactiveMs}`;
  const nobody = ["auto", "claimer", "reader"].map((name) => idle(name, 40, -1)).join(" ");
  assert.equal(shown(bench.run("XINFO CONSUMERS s g")), nobody);
  bench.run("XADD s 1-1 a 1");
  bench.run("XREADGROUP GROUP g reader STREAMS s >");
  bench.advance(7);
  bench.run("XREADGROUP GROUP g reader STREAMS s >");
  bench.run("XACK s g 1-1");
  assert.match(shown(bench.run("XINFO CONSUMERS s g")), /name reader pending :0 idle :0 inactive :7$/);
  bench.protocol = 3;
  assert.match(bench.run("XINFO CONSUMERS s g"), /^\*3\r\n%4\r\n/);
});

test("XREADGROUP counts what its group has read, and history counts deliveries", () => {
  const bench = new CommandBench();
  for (let index = 1; index <= 4; index++) bench.run(`XADD s ${index}-0 a ${index}`);
  bench.run("XGROUP CREATE s g 0");
  assert.equal(shown(bench.run("XREADGROUP GROUP g c COUNT 2 STREAMS s >")), "s 1-0 a 1 2-0 a 2");
  assert.match(shown(bench.run("XINFO GROUPS s")), /pending :2 last-delivered-id 2-0 entries-read :2 lag :2$/);
  bench.run("XDEL s 1-0");
  assert.equal(bench.run("XREADGROUP GROUP g c STREAMS s 0").includes("$3\r\n1-0\r\n*-1\r\n"), true);
  assert.equal(shown(bench.run("XPENDING s g - + 10")), "1-0 c :0 :1 2-0 c :0 :2");
  assert.equal(shown(bench.run("XAUTOCLAIM s g d 0 - COUNT 1")), "2-0 1-0");
  assert.equal(shown(bench.run("XPENDING s g")), ":1 2-0 2-0 c 1");
});

test("what changes a stream counts as a change, and what only reads does not", () => {
  const bench = new CommandBench();
  const changes = (command: string): number => {
    const before = bench.dirty;
    assert.doesNotMatch(bench.run(command), /^-/);
    return bench.dirty - before;
  };
  assert.equal(changes("XADD s 1-0 a 1"), 1);
  assert.equal(changes("XADD s 2-0 a 1"), 1);
  assert.equal(changes("XGROUP CREATE s g 0"), 1);
  assert.equal(changes("XREADGROUP GROUP g c STREAMS s >"), 2);
  assert.equal(changes("XREADGROUP GROUP g c STREAMS s 0"), 1);
  assert.equal(changes("XREAD STREAMS s 0"), 0);
  assert.equal(changes("XACK s g 1-0 2-0 3-0"), 2);
  assert.equal(changes("XDEL s 1-0 7-0"), 1);
  assert.equal(changes("XTRIM s MAXLEN 5"), 0);
  assert.equal(changes("XTRIM s MAXLEN 0"), 1);
  assert.equal(changes("XGROUP DELCONSUMER s g c"), 1);
  assert.equal(changes("XGROUP DESTROY s g"), 1);
  assert.equal(changes("XGROUP DESTROY s g"), 0);
});

test("DEL, RENAME, COPY and EXPIRE work on streams with groups", () => {
  const bench = new CommandBench();
  bench.run("XADD s 1-0 a 1");
  bench.run("XGROUP CREATE s g 0");
  bench.run("XREADGROUP GROUP g c STREAMS s >");
  assert.equal(bench.run("COPY s t"), ":1\r\n");
  bench.run("XACK s g 1-0");
  assert.equal(shown(bench.run("XPENDING t g")), ":1 1-0 1-0 c 1");
  assert.equal(bench.run("RENAME t u"), "+OK\r\n");
  assert.equal(shown(bench.run("XRANGE u - +")), "1-0 a 1");
  assert.equal(bench.run("TYPE u"), "+stream\r\n");
  assert.equal(shown(bench.run("OBJECT ENCODING u")), "stream");
  assert.equal(bench.run("PEXPIRE u 10"), ":1\r\n");
  bench.advance(11);
  assert.equal(bench.run("XLEN u"), ":0\r\n");
  bench.run("DEL s");
  bench.run("SET s text");
  for (const command of ["XADD s * a 1", "XLEN s", "XREAD STREAMS s 0", "XINFO STREAM s", "XPENDING s g"]) {
    assert.match(bench.run(command), /^-WRONGTYPE/, command);
  }
  bench.keyspace.verify();
});
