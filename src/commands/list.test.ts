import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_LIST } from "../store/keyspace/record.ts";
import { EVENTS_ALL } from "./events.ts";
import { CommandBench } from "./testing.ts";

/** A bench that notes keyspace events as "event key" and touched keys as "touch key". */
function listening(): { bench: CommandBench; told: string[] } {
  const bench = new CommandBench();
  const told: string[] = [];
  const text = (bytes: Uint8Array, start: number, length: number): string =>
    Buffer.from(bytes.subarray(start, start + length)).toString("latin1");
  bench.context.eventClasses = EVENTS_ALL;
  bench.context.eventObserver = {
    keyEvent: (event, _database, bytes, start, length) => told.push(`${event} ${text(bytes, start, length)}`),
  };
  bench.context.observe({
    keyTouched: (_database, bytes, start, length) => told.push(`touch ${text(bytes, start, length)}`),
    databaseTouched: () => told.push("touch database"),
  });
  return { bench, told };
}

function toldBy(commands: readonly string[]): string[] {
  const { bench, told } = listening();
  for (const command of commands.slice(0, -1)) bench.run(command);
  told.length = 0;
  bench.run(commands.at(-1)!);
  return told.filter((entry) => !entry.startsWith("touch"));
}

test("list commands tell their events in Redis's order", () => {
  assert.deepEqual(toldBy(["LPUSH k a b c"]), ["lpush k"]);
  assert.deepEqual(toldBy(["RPUSH k a", "RPUSHX k b"]), ["rpush k"]);
  assert.deepEqual(toldBy(["LPUSHX k a"]), []);
  assert.deepEqual(toldBy(["RPUSH k a b", "LPOP k"]), ["lpop k"]);
  assert.deepEqual(toldBy(["RPUSH k a", "RPOP k"]), ["rpop k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "RPOP k 5"]), ["rpop k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "LPOP k 0"]), []);
  assert.deepEqual(toldBy(["RPUSH k a b", "LSET k 0 c"]), ["lset k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "LSET k 5 c"]), []);
  assert.deepEqual(toldBy(["RPUSH k a b", "LINSERT k BEFORE b c"]), ["linsert k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "LINSERT k BEFORE x c"]), []);
  assert.deepEqual(toldBy(["RPUSH k a b a", "LREM k 0 a"]), ["lrem k"]);
  assert.deepEqual(toldBy(["RPUSH k a a", "LREM k 0 a"]), ["lrem k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a a", "LREM k 0 b"]), []);
  assert.deepEqual(toldBy(["RPUSH k a b c", "LTRIM k 0 -1"]), ["ltrim k"]);
  assert.deepEqual(toldBy(["RPUSH k a b c", "LTRIM k 5 9"]), ["ltrim k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a", "LMOVE k m LEFT RIGHT"]), ["rpush m", "lpop k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "RPOPLPUSH k k"]), ["lpush k", "rpop k"]);
  assert.deepEqual(toldBy(["RPUSH k a", "RPOPLPUSH k k"]), ["lpush k", "rpop k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "LMPOP 2 n k RIGHT COUNT 2"]), ["rpop k", "del k"]);
  assert.deepEqual(toldBy(["RPUSH k a b", "BLPOP n k 0"]), ["lpop k"]);
  assert.deepEqual(toldBy(["RPUSH k a", "BRPOPLPUSH k m 0"]), ["lpush m", "rpop k", "del k"]);
});

test("every list command that changes a key touches it, and counts what it changed", () => {
  const { bench, told } = listening();
  const steps: readonly [string, readonly string[], number][] = [
    ["RPUSH k a b c a b c", ["touch k"], 6],
    ["LPUSHX k z", ["touch k"], 1],
    ["LPOP k", ["touch k"], 1],
    ["RPOP k 2", ["touch k"], 2],
    ["LSET k 0 x", ["touch k"], 1],
    ["LINSERT k AFTER x y", ["touch k"], 1],
    ["LREM k 0 a", ["touch k"], 1],
    ["LMOVE k m LEFT LEFT", ["touch m", "touch k"], 1],
    ["LTRIM k 0 0", ["touch k"], 2],
    ["LRANGE k 0 -1", [], 0],
    ["LREM k 0 none", [], 0],
    ["LPOP none", [], 0],
    ["LMPOP 1 k LEFT", ["touch k"], 1],
  ];
  for (const [command, touches, dirty] of steps) {
    told.length = 0;
    const before = bench.dirty;
    bench.run(command);
    assert.deepEqual(
      told.filter((entry) => entry.startsWith("touch")),
      touches,
      command,
    );
    assert.equal(bench.dirty - before, dirty, command);
  }
});

test("a list's encoding changes at Redis 7.2's thresholds", () => {
  const bench = new CommandBench();
  const encoding = (): string => bench.run("OBJECT ENCODING k").split("\r\n")[1]!;
  // 7 bytes of frame and one element: its text is what counts, not its entry.
  bench.run(["RPUSH", "k", Buffer.alloc(8185, "x")]);
  assert.equal(encoding(), "listpack");
  bench.run("DEL k");
  bench.run(["RPUSH", "k", Buffer.alloc(8186, "x")]);
  assert.equal(encoding(), "quicklist");
  bench.run("RPUSH k small");
  bench.run("LPOP k");
  assert.equal(encoding(), "listpack", "one node of less than 4096 bytes is left");
  bench.run("DEL k");
  bench.keyspace.encodingLimits.listNodeSize = 4;
  bench.run("RPUSH k 1 2 3 4");
  assert.equal(encoding(), "listpack");
  bench.run("LSET k 0 one");
  assert.equal(encoding(), "quicklist", "LSET makes room for one more than it needs, as Redis does");
  bench.run("LTRIM k 0 1");
  assert.equal(encoding(), "listpack", "two elements are half of four");
  bench.run("LINSERT k BEFORE none x");
  assert.equal(encoding(), "listpack");
  bench.run("RPUSH k 3 4");
  bench.run("LINSERT k BEFORE none x");
  assert.equal(encoding(), "quicklist", "room was made before the pivot was looked for");
});

test("moving an element within a full listpack leaves it a listpack: nothing was added", () => {
  const bench = new CommandBench();
  bench.keyspace.encodingLimits.listNodeSize = 3;
  bench.run("RPUSH k 1 two 3");
  const steps: readonly [string, string][] = [
    ["LEFT RIGHT", "two 3 1"],
    ["LEFT LEFT", "two 3 1"],
    ["RIGHT RIGHT", "two 3 1"],
    ["RIGHT LEFT", "1 two 3"],
  ];
  for (const [sides, elements] of steps) {
    bench.run(`LMOVE k k ${sides}`);
    assert.deepEqual(bench.run("LRANGE k 0 -1").match(/(?<=\$\d\r\n)[a-z0-9]+/g), elements.split(" "), sides);
    assert.match(bench.run("OBJECT ENCODING k"), /listpack/);
  }
});

test("a blocking command that finds nothing waits for its keys, with the null of its kind at the timeout", () => {
  const bench = new CommandBench();
  const cases: readonly [string, number, number, number, string][] = [
    ["BLPOP a b 1.5", 1, 2, 1500, "*-1\r\n"],
    ["BRPOP a 0", 1, 1, 0, "*-1\r\n"],
    ["BLMOVE a b LEFT RIGHT 2", 1, 1, 2000, "*-1\r\n"],
    ["BRPOPLPUSH a b 0.001", 1, 1, 1, "*-1\r\n"],
    ["BLMPOP 3 2 a b LEFT COUNT 7", 3, 2, 3000, "*-1\r\n"],
  ];
  for (const [command, firstKey, keyCount, timeoutMs, atTimeout] of cases) {
    assert.equal(bench.run(command), "");
    const wait = bench.takeKeyWait();
    assert.ok(wait !== undefined, command);
    assert.equal(wait.keyType, TYPE_LIST);
    assert.equal(wait.wakesOnLoss, false);
    assert.deepEqual([wait.firstKey, wait.keyCount, wait.timeoutMs], [firstKey, keyCount, timeoutMs], command);
    assert.equal(bench.timeoutReply(wait), atTimeout, command);
  }
});

test("where nobody may wait, BLMOVE answers a null string and BLPOP a null array", () => {
  const bench = new CommandBench();
  bench.context.mayWait = false;
  assert.equal(bench.run("BLMOVE a b LEFT RIGHT 0"), "$-1\r\n");
  assert.equal(bench.run("BRPOPLPUSH a b 0"), "$-1\r\n");
  assert.equal(bench.run("BLPOP a 0"), "*-1\r\n");
  assert.equal(bench.run("BLMPOP 0 1 a LEFT"), "*-1\r\n");
});

test("LPOS refuses a rank that has no opposite, LREM takes it as all of them", () => {
  const bench = new CommandBench();
  bench.run("RPUSH k a b a");
  assert.equal(
    bench.run("LPOS k a RANK -9223372036854775808"),
    "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
  );
  assert.equal(bench.run("LPOS k a RANK -9223372036854775807"), "$-1\r\n");
  assert.equal(bench.run("LREM k -9223372036854775808 a"), ":2\r\n");
});
