/** Plans where something is missing, torn or damaged, and what people are told then. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { commandBytes } from "../../history/formats/aof-file.test.support.ts";
import { matchCommand } from "./command-match.ts";
import { LogWalk } from "./log-walk.ts";
import { makePlan, type Plan, type Target } from "./plan.ts";
import { carryOut } from "./replay.ts";
import { FOLDER, HistoryMaker, headless, type State, stateOf } from "./timeline.test.support.ts";
import { Timeline } from "./timeline.ts";
import { TimelineFault } from "./timeline-fault.ts";

const NEWEST: Target = { kind: "newest" };

function plan(maker: HistoryMaker, target: Target, exceptions: readonly number[] = []): Plan {
  return makePlan(Timeline.open(maker.disk, "/data"), target, exceptions);
}

function state(maker: HistoryMaker, target: Target, exceptions: readonly number[] = []): State {
  const timeline = Timeline.open(maker.disk, "/data");
  const engine = headless();
  carryOut(timeline, makePlan(timeline, target, exceptions), engine);
  return stateOf(engine.keyspace);
}

function keys(found: State): string {
  return [...found.keys()].join(", ");
}

function assertFault(action: () => unknown, pattern: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof TimelineFault, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

/** a, b in increment 1; base 2; c, d in increment 2; e in increment 3. One second between all. */
function fiveKeys(): HistoryMaker {
  const maker = new HistoryMaker();
  const set = (key: string): void => {
    maker.advance(1000);
    maker.send("SET", key, 1);
  };
  set("a");
  set("b");
  maker.advance(1000);
  maker.rewrite();
  set("c");
  set("d");
  maker.rotate();
  set("e");
  return maker;
}

function timeOf(maker: HistoryMaker, command: string): number {
  return maker.checkpoints.find((checkpoint) => checkpoint.command === command)!.timeMs;
}

describe("a plan", () => {
  test("begins at the last base before the moment, and says what it takes", () => {
    const maker = fiveKeys();
    const found = plan(maker, { kind: "time", timeMs: timeOf(maker, "SET d 1") + 10 });
    assert.equal(found.base.file?.name, "appendonly.aof.2.base.rdb");
    assert.deepEqual(
      found.segments.map(({ increment, commandCount }) => [increment.file.name, commandCount]),
      [["appendonly.aof.2.incr.aof", 2]],
    );
    assert.equal(found.reached.timeMs, timeOf(maker, "SET d 1"));
    assert.equal(found.reached.offset, maker.checkpoints[3]!.offset);
    assert.equal(found.reached.replicationId, "ab".repeat(20));
    assert.equal(found.isNewest, false);
    assert.equal(found.commandCount, 2);
    const earlier = plan(maker, { kind: "time", timeMs: timeOf(maker, "SET a 1") });
    assert.equal(earlier.base.file?.name, "appendonly.aof.1.base.rdb");
    assert.equal(plan(maker, NEWEST).isNewest, true);
  });

  test("takes an earlier base when something before the last one is left out", () => {
    const maker = fiveKeys();
    const found = plan(maker, NEWEST, [maker.checkpoints[0]!.offset]);
    assert.equal(found.base.file?.name, "appendonly.aof.1.base.rdb");
    assert.equal(keys(state(maker, NEWEST, [maker.checkpoints[0]!.offset])), "0 a, 0 c, 0 d, 0 e");
    assert.deepEqual(found.leftOut, [{ offset: maker.checkpoints[0]!.offset, command: 'SET "b" "1"' }]);
  });

  test("has a transaction as a whole, or not at all", () => {
    const maker = new HistoryMaker();
    maker.send("SET", "a", 1);
    const start = maker.log.tailOffset;
    maker.send("MULTI");
    maker.send("SET", "b", 1);
    maker.send("SELECT", 2);
    maker.send("SET", "c", 1);
    maker.send("EXEC");
    const end = maker.log.tailOffset;
    for (let offset = start; offset < end; offset++) {
      assert.equal(keys(state(maker, { kind: "offset", offset })), "0 a", `offset ${offset}`);
    }
    assert.equal(keys(state(maker, { kind: "offset", offset: end })), "0 a, 0 b, 2 c");
  });

  test("that leaves a transaction out goes on in the database that it chose", () => {
    const maker = new HistoryMaker();
    maker.send("MULTI");
    maker.send("SET", "a", 1);
    maker.send("SELECT", 2);
    maker.send("SET", "b", 1);
    maker.send("EXEC");
    const text = maker.bytes("appendonly.aof.1.incr.aof").toString("latin1");
    const lengthBefore = text.indexOf("#EK", 5) === -1 ? text.indexOf("*1\r\n$5\r\nMULTI") : 0;
    assert.ok(lengthBefore >= 0);
    maker.send("SET", "c", 1);
    const timeline = Timeline.open(maker.disk, "/data");
    const walk = new LogWalk(timeline, 0);
    const offsets = new Map<string, number>();
    while (walk.next() === "command") {
      offsets.set(
        walk.reader.request.text(0) + (walk.reader.request.count > 1 ? walk.reader.request.text(1) : ""),
        walk.reader.logOffset,
      );
    }
    for (const name of ["MULTI", "EXEC"]) assert.equal(keys(state(maker, NEWEST, [offsets.get(name)!])), "2 c", name);
    assert.equal(keys(state(maker, NEWEST, [offsets.get("SETa")!])), "2 b, 2 c");
    assert.equal(
      keys(state(maker, NEWEST, [offsets.get("MULTI")!, offsets.get("SETa")!, offsets.get("EXEC")!])),
      "2 c",
    );
    assertFault(() => plan(maker, NEWEST, [offsets.get("SELECT2")!]), /is SELECT, which changes nothing/);
  });

  test("lists what fails because something was left out", () => {
    const maker = new HistoryMaker();
    maker.send("SET", "a", "text");
    maker.send("DEL", "a");
    const before = maker.checkpoints[0]!.offset;
    maker.send("RPUSH", "a", "x");
    const timeline = Timeline.open(maker.disk, "/data");
    const result = carryOut(timeline, makePlan(timeline, NEWEST, [before]), headless());
    assert.equal(result.failureCount, 1);
    assert.equal(result.failures[0]!.offset, maker.checkpoints[1]!.offset);
    assert.equal(result.failures[0]!.command, 'RPUSH "a" "x"');
    assert.match(result.failures[0]!.error, /^WRONGTYPE/);
  });

  test("refuses offsets at which nothing begins, and those outside of the history", () => {
    const maker = fiveKeys();
    const { offset } = maker.checkpoints[2]!;
    assertFault(() => plan(maker, NEWEST, [offset + 1]), /no command begins at offset \d+; the next one is at \d+/);
    assertFault(() => plan(maker, NEWEST, [maker.log.tailOffset]), /is not between/);
    assertFault(() => plan(maker, { kind: "offset", offset: maker.log.tailOffset + 1 }), /behind the end of the log/);
  });

  test("refuses moments before the history; a moment behind it is its end", () => {
    const maker = fiveKeys();
    const first = Timeline.open(maker.disk, "/data").bases[0]!.timeMs;
    assertFault(() => plan(maker, { kind: "time", timeMs: first - 1 }), /lies before the history, which begins at 20/);
    const late = plan(maker, { kind: "time", timeMs: timeOf(maker, "SET e 1") + 5000 });
    assert.equal(late.isNewest, true);
    assert.equal(late.notes.length, 1);
  });

  test("is at the time of the last command that it has, not of a SELECT for the next one", () => {
    const maker = new HistoryMaker();
    maker.send("SET", "a", 1);
    maker.send("SELECT", 1);
    maker.advance(500);
    maker.send("SET", "b", 1);
    const found = plan(maker, { kind: "before", match: matchCommand("SET b")!, nth: 1 });
    assert.equal(found.reached.timeMs, timeOf(maker, "SET a 1"));
    assert.ok(found.reached.offset > maker.checkpoints[0]!.offset);
  });

  test("refuses what is looked for and not there", () => {
    const maker = fiveKeys();
    assertFault(() => plan(maker, { kind: "before", match: matchCommand("FLUSHALL")!, nth: 1 }), /holds no FLUSHALL/);
    assertFault(() => plan(maker, { kind: "before", match: matchCommand("SET")!, nth: 6 }), /SET only 5 times/);
  });
});

describe("a gap", () => {
  function withGap(): HistoryMaker {
    const maker = new HistoryMaker();
    maker.advance(1000);
    maker.send("SET", "a", 1);
    maker.advance(1000);
    maker.gap(["SET", "lost", 1]);
    maker.advance(1000);
    maker.rewrite();
    maker.advance(1000);
    maker.send("SET", "b", 1);
    return maker;
  }

  test("is found, and what lies on either side can be reached", () => {
    const maker = withGap();
    assert.equal(keys(state(maker, NEWEST)), "0 a, 0 b, 0 lost");
    assert.equal(keys(state(maker, { kind: "time", timeMs: timeOf(maker, "SET a 1") })), "0 a");
    assert.equal(keys(state(maker, { kind: "offset", offset: maker.checkpoints[0]!.offset })), "0 a");
    const timeline = Timeline.open(maker.disk, "/data");
    const walk = new LogWalk(timeline, 0);
    const steps: string[] = [];
    for (let step = walk.next(); step !== "end"; step = walk.next()) steps.push(step);
    assert.deepEqual(steps, ["command", "command", "gap", "command", "command"]);
  });

  test("holds no moment, and says what is around it", () => {
    const maker = withGap();
    assertFault(
      () => plan(maker, { kind: "time", timeMs: timeOf(maker, "SET a 1") + 500 }),
      /lies in a gap: between .*offset \d+ of abababab.* there is a gap/,
    );
    assertFault(
      () => plan(maker, { kind: "offset", offset: maker.checkpoints[0]!.offset + 10 }),
      /cannot be reached: between/,
    );
  });

  test("is one where the replication id changes, too: older branches keep their offsets", () => {
    const maker = new HistoryMaker();
    maker.send("SET", "a", 1);
    maker.send("SET", "b", 1);
    const { offset } = maker.checkpoints[0]!;
    const end = maker.log.tailOffset;
    // The other branch begins earlier than this one ended.
    maker.branch("cd".repeat(20), offset + 5);
    maker.send("SET", "c", 1);
    const older = plan(maker, { kind: "offset", offset });
    assert.equal(older.reached.replicationId, "ab".repeat(20));
    assert.equal(keys(state(maker, { kind: "offset", offset })), "0 a");
    const newer = plan(maker, { kind: "offset", offset: maker.log.tailOffset });
    assert.equal(newer.reached.replicationId, "cd".repeat(20));
    assert.ok(end > offset + 5);
  });

  test("is where a file is missing", () => {
    const maker = fiveKeys();
    maker.disk.remove(`${FOLDER}/appendonly.aof.1.incr.aof`);
    assert.equal(keys(state(maker, NEWEST)), "0 a, 0 b, 0 c, 0 d, 0 e");
    assertFault(() => plan(maker, { kind: "time", timeMs: timeOf(maker, "SET a 1") }), /1\.incr\.aof is missing/);
    maker.disk.remove(`${FOLDER}/appendonly.aof.2.base.rdb`);
    assertFault(() => plan(maker, NEWEST), /1\.incr\.aof is missing/);
    maker.disk.remove(`${FOLDER}/appendonly.aof.1.base.rdb`);
    assertFault(() => plan(maker, NEWEST), /base\.rdb is missing/);
  });

  test("is none where a base is missing and the log before it is not", () => {
    const maker = fiveKeys();
    const expected = maker.checkpoints.at(-1)!.state;
    maker.disk.remove(`${FOLDER}/appendonly.aof.2.base.rdb`);
    assert.deepEqual([...state(maker, NEWEST)], [...expected]);
  });
});

describe("damage", () => {
  function cut(maker: HistoryMaker, name: string, bytes: Uint8Array): void {
    maker.disk.put(`${FOLDER}/${name}`, bytes);
  }

  test("at the end of the log is left out, and the plan says so", () => {
    const maker = fiveKeys();
    const whole = maker.bytes("appendonly.aof.3.incr.aof");
    maker.send("SET", "f", 1);
    const longer = maker.bytes("appendonly.aof.3.incr.aof");
    for (let end = whole.length + 1; end < longer.length; end++) {
      cut(maker, "appendonly.aof.3.incr.aof", longer.subarray(0, end));
      const found = plan(maker, NEWEST);
      if (found.torn !== undefined) assert.equal(found.torn.wholeBytes + found.torn.lostBytes, end);
      assert.equal(keys(state(maker, NEWEST)), "0 a, 0 b, 0 c, 0 d, 0 e", `${end} bytes`);
    }
    cut(maker, "appendonly.aof.3.incr.aof", longer.subarray(0, -1));
    assert.equal(plan(maker, NEWEST).torn?.what, "the file ends inside of a command");
  });

  test("at the end of a file with nothing but an empty one behind it is left out: a crash of a rewrite leaves that", () => {
    const maker = fiveKeys();
    const name = "appendonly.aof.3.incr.aof";
    cut(maker, name, maker.bytes(name).subarray(0, -1));
    maker.rotate();
    const found = plan(maker, NEWEST);
    assert.equal(found.torn?.path, `${FOLDER}/${name}`);
    assert.equal(keys(state(maker, NEWEST)), "0 a, 0 b, 0 c, 0 d");
    maker.send("SET", "f", 1);
    assertFault(() => plan(maker, NEWEST), /3\.incr\.aof: .*, and other files follow it/);
  });

  test("at the end of another file is an error that names file and place", () => {
    const maker = fiveKeys();
    cut(maker, "appendonly.aof.2.incr.aof", maker.bytes("appendonly.aof.2.incr.aof").subarray(0, -1));
    assertFault(
      () => plan(maker, NEWEST),
      /2\.incr\.aof: the file ends inside of a command, at byte \d+, and other files/,
    );
    assert.equal(keys(state(maker, { kind: "time", timeMs: timeOf(maker, "SET c 1") })), "0 a, 0 b, 0 c");
  });

  test("in the middle is an error that names file and place; what lies before it can be reached", () => {
    const maker = fiveKeys();
    const name = "appendonly.aof.2.incr.aof";
    const bytes = Buffer.from(maker.bytes(name));
    const at = bytes.indexOf("d\r\n$1\r\n1") - 4;
    bytes[at] = 33;
    cut(maker, name, bytes);
    assertFault(() => plan(maker, NEWEST), /2\.incr\.aof: offset \d+: .*; up to byte \d+ it is whole/);
    assert.equal(keys(state(maker, { kind: "time", timeMs: timeOf(maker, "SET c 1") })), "0 a, 0 b, 0 c");
  });

  test("of a base is an error that names it", () => {
    const maker = fiveKeys();
    const name = "appendonly.aof.2.base.rdb";
    const bytes = Buffer.from(maker.bytes(name));
    bytes[bytes.length - 1]! ^= 1;
    cut(maker, name, bytes);
    assertFault(() => state(maker, NEWEST), /2\.base\.rdb: .*check sum/);
  });

  test("of a manifest is an error that names it", () => {
    const maker = fiveKeys();
    cut(maker, "appendonly.aof.manifest", Buffer.from("file x seq\n"));
    assertFault(() => plan(maker, NEWEST), /appendonly\.aof\.manifest: Invalid AOF manifest file format/);
  });

  test("a command that nobody knows is an error that names file and place", () => {
    const maker = fiveKeys();
    const name = "appendonly.aof.3.incr.aof";
    cut(maker, name, Buffer.concat([maker.bytes(name), commandBytes("NOSUCH", "x")]));
    assertFault(() => state(maker, NEWEST), /3\.incr\.aof: the command at byte \d+ cannot be executed: .*NOSUCH/);
  });
});

describe("files of Redis", () => {
  function redisFiles(...increments: Buffer[][]): HistoryMaker {
    const maker = new HistoryMaker();
    for (const path of maker.disk.paths()) maker.disk.remove(path);
    const lines: string[] = [];
    increments.forEach((records, index) => {
      const name = `appendonly.aof.${index + 1}.incr.aof`;
      maker.disk.put(`${FOLDER}/${name}`, Buffer.concat(records));
      lines.push(`file ${name} seq ${index + 1} type i\n`);
    });
    maker.disk.put(`${FOLDER}/appendonly.aof.manifest`, Buffer.from(lines.join("")));
    return maker;
  }
  const select = commandBytes("SELECT", "0");
  const stamp = (seconds: number): Buffer => Buffer.from(`#TS:${seconds}\r\n`);

  test("have offsets from 0 at the first increment on", () => {
    const a = commandBytes("SET", "a", "1");
    const b = commandBytes("SET", "b", "1");
    const maker = redisFiles([select, a], [select, b]);
    const middle = select.length + a.length;
    const end = middle + select.length + b.length;
    assert.equal(plan(maker, { kind: "offset", offset: end }).isNewest, true);
    assert.equal(keys(state(maker, { kind: "offset", offset: middle })), "0 a");
    assert.equal(keys(state(maker, NEWEST, [select.length])), "0 b");
    assert.equal(keys(state(maker, NEWEST, [middle + select.length])), "0 a");
    assertFault(() => plan(maker, { kind: "time", timeMs: 1e12 }), /does not say when its commands were executed/);
  });

  test("with aof-timestamp-enabled have times of whole seconds", () => {
    const records = [100, 101, 103].flatMap((second) => [stamp(second), commandBytes("SET", `k${second}`, "1")]);
    const maker = redisFiles([select, ...records]);
    assert.equal(keys(state(maker, { kind: "time", timeMs: 102_500 })), "0 k100, 0 k101");
    const found = plan(maker, { kind: "time", timeMs: 101_000 });
    assert.equal(found.reached.timeMs, 101_000);
    assert.match(found.notes.join(), /whole seconds/);
  });
});

test("the folder of the files may be named by a path without a slash", () => {
  const maker = fiveKeys();
  const disk = new VirtualDisk();
  for (const folder of ["appendonlydir", "./appendonlydir"]) disk.makeDirectory(folder);
  for (const name of maker.disk.list(FOLDER)) {
    for (const folder of ["appendonlydir", "./appendonlydir"]) disk.put(`${folder}/${name}`, maker.bytes(name));
  }
  assert.equal(Timeline.open(disk, "appendonlydir").increments.length, 3);
});

test("folders without a log are refused with what to do", () => {
  const maker = fiveKeys();
  assertFault(() => Timeline.open(maker.disk, "/nosuch"), /no such directory/);
  assertFault(() => Timeline.open(maker.disk, `${FOLDER}/appendonly.aof.manifest`), /is a file/);
  maker.disk.makeDirectory("/empty");
  assertFault(() => Timeline.open(maker.disk, "/empty"), /holds no append-only file/);
});
