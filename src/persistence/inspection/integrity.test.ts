import assert from "node:assert/strict";
import { test } from "node:test";
import type { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { Crc64 } from "../../core/crc64.ts";
import { type Check, check } from "./integrity.ts";
import type { Problem } from "./problem.ts";
import { at, command, diskWith, FOLDER, golden, manifest, mark, SAME } from "./testing.test.support.ts";

const INCREMENT = `${FOLDER}/appendonly.aof.1.incr.aof`;
const BASE = `${FOLDER}/appendonly.aof.1.base.rdb`;
const MANIFEST = `${FOLDER}/appendonly.aof.manifest`;

function checked(disk: VirtualDisk, path: string): Check {
  const result = check(disk, path, { random: SAME });
  assert.equal(disk.openFiles, 0);
  return result;
}

/** The only problem of a path. */
function problemAt(disk: VirtualDisk, path: string): Problem {
  const { problems } = checked(disk, path);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  return problems[0]!;
}

function isWhole(disk: VirtualDisk, path: string): boolean {
  return checked(disk, path).problems.length === 0;
}

/** A folder with a base and one increment of these bytes. */
function folderWith(increment: Uint8Array): VirtualDisk {
  return diskWith({ [BASE]: golden("compact"), [INCREMENT]: increment, [MANIFEST]: manifest(1, [1]) });
}

test("files of the real server are whole", () => {
  for (const name of ["compact", "spread", "lru", "lfu", "nothing", "wide", "nodes"]) {
    const { files, problems, notes } = checked(diskWith({ "/d.rdb": golden(name) }), "/d.rdb");
    assert.deepEqual([problems, notes, files[0]!.rdb!.checksum], [[], [], "right"], name);
  }
  const { problems, notes, files } = checked(diskWith({ "/d.rdb": golden("unsummed") }), "/d.rdb");
  assert.deepEqual([problems, files[0]!.rdb!.checksum], [[], "none"]);
  assert.match(notes[0]!, /carries no check sum/);
});

test("every byte of an RDB file that changes is noticed, and the problem lies in the file", () => {
  const bytes = golden("wide");
  for (let index = 0; index < bytes.length - 8; index += 3) {
    const damaged = Buffer.from(bytes);
    damaged[index]! ^= 0x10;
    const problem = problemAt(diskWith({ "/d.rdb": damaged }), "/d.rdb");
    assert.ok(problem.offset >= 0 && problem.offset <= bytes.length, `byte ${index}: ${problem.message}`);
    assert.notEqual(problem.message, "");
  }
});

test("a value that a load would refuse is named with its key although the check sum is right", () => {
  const set = Buffer.from([2, 1, 107, 2, 1, 97, 1, 97]); // a set of the name k with a member that stands twice
  const body = Buffer.concat([Buffer.from("REDIS0010"), Buffer.from([0xfe, 0]), set, Buffer.from([0xff])]);
  const sum = new Crc64();
  sum.update(body, 0, body.length);
  const digest = Buffer.from(sum.hexadecimal(), "hex").reverse();
  const problem = problemAt(diskWith({ "/d.rdb": Buffer.concat([body, digest]) }), "/d.rdb");
  assert.match(problem.message, /stands twice/);
  assert.equal(Buffer.from(problem.key!).toString(), "k");
});

test("bytes behind an RDB are a note in a snapshot and a problem in a base", () => {
  const longer = Buffer.concat([golden("compact"), Buffer.from("xyz")]);
  const snapshot = checked(diskWith({ "/d.rdb": longer }), "/d.rdb");
  assert.deepEqual(snapshot.problems, []);
  assert.match(snapshot.notes[0]!, /3 bytes that nobody reads/);
  const base = diskWith({ [BASE]: longer, [INCREMENT]: "", [MANIFEST]: manifest(1, [1]) });
  assert.match(problemAt(base, FOLDER).message, /3 bytes that are no commands/);
});

test("the last increment cut at any byte of its last unit is torn there, and can be cut", () => {
  const before = Buffer.concat([at(50), mark(2000, "a:1"), command("SET", "a", "1")]);
  for (const last of [
    command("SET", "key", "value"),
    Buffer.concat([command("MULTI"), command("SET", "b", "1"), command("EXEC")]),
    mark(3000, "b:2"),
  ]) {
    const whole = Buffer.concat([before, last]);
    for (let length = before.length + 1; length < whole.length; length++) {
      const problem = problemAt(folderWith(whole.subarray(0, length)), "/data");
      assert.deepEqual([problem.isTornTail, problem.wholeBytes, problem.path], [true, before.length, INCREMENT]);
      assert.match(problem.advice, /check --fix \/data/);
    }
    assert.ok(isWhole(folderWith(whole), "/data"));
    assert.ok(isWhole(folderWith(before), "/data"));
  }
});

test("zeros that a crash left at the end are a torn tail, wherever in a command they begin", () => {
  const before = command("SET", "a", "1");
  const last = command("SET", "key", "x".repeat(300));
  for (let length = 0; length < last.length - 2; length += 7) {
    for (const zeros of [1, 5, 4096, 200_000]) {
      if (length + zeros < last.length && length > 0) continue; // those would be taken for its bytes that are still to come
      const bytes = Buffer.concat([before, last.subarray(0, length), Buffer.alloc(zeros)]);
      const problem = problemAt(folderWith(bytes), FOLDER);
      assert.deepEqual([problem.isTornTail, problem.wholeBytes], [true, before.length], `${length} and ${zeros} zeros`);
    }
  }
});

test("damage with whole commands behind it is never a torn tail, and tells where they go on", () => {
  const first = command("SET", "a", "1");
  const middle = command("SET", "key", "value");
  const rest = Buffer.concat([command("SET", "c", "3"), command("SET", "d", "4")]);
  let problemCount = 0;
  for (const damage of ["$9", "$x", "\0\0", "*9", "9999", "\n*2", "\r\n"]) {
    for (let place = 0; place < middle.length - damage.length; place++) {
      const damaged = Buffer.from(middle);
      damaged.write(damage, place, "latin1");
      const bytes = Buffer.concat([first, damaged, rest]);
      // A change within a name or value gives a command as good as others.
      for (const { isTornTail, offset, wholeBytes } of checked(folderWith(bytes), FOLDER).problems) {
        problemCount++;
        assert.equal(isTornTail, false, `${JSON.stringify(damage)} at ${place}`);
        assert.ok(offset >= wholeBytes && wholeBytes >= first.length);
      }
    }
  }
  assert.ok(problemCount > 50, `${problemCount}`);
  const problem = problemAt(folderWith(Buffer.concat([first, Buffer.from("garbage\r\n"), rest])), FOLDER);
  assert.match(problem.message, new RegExp(`read again from offset ${first.length + 9} on`));
  assert.match(problem.advice, /Nothing is cut out of the middle/);
});

test("a transaction whose EXEC is damaged is no torn tail where the log says that others follow", () => {
  const unit = Buffer.concat([command("MULTI"), command("SET", "b", "1"), command("EXEX")]);
  const rest = Buffer.concat([mark(3000, "b:2"), command("SET", "c", "3")]);
  const before = command("SET", "a", "1");
  const problem = problemAt(folderWith(Buffer.concat([before, unit, rest])), FOLDER);
  assert.deepEqual([problem.isTornTail, problem.offset], [false, before.length]);
  const torn = problemAt(folderWith(Buffer.concat([before, unit])), FOLDER);
  assert.deepEqual([torn.isTornTail, torn.wholeBytes], [true, before.length]);
});

test("a torn tail anywhere but in the last increment may not be cut", () => {
  const torn = command("SET", "a", "1").subarray(0, -3);
  const second = `${FOLDER}/appendonly.aof.2.incr.aof`;
  const files = { [BASE]: golden("compact"), [INCREMENT]: torn, [second]: command("SET", "b", "1") };
  const disk = diskWith({ ...files, [MANIFEST]: manifest(1, [1, 2]) });
  for (const path of ["/data", FOLDER, MANIFEST, INCREMENT]) {
    const problem = problemAt(disk, path);
    assert.deepEqual([problem.isTornTail, problem.path], [false, INCREMENT], path);
  }
  assert.match(problemAt(disk, FOLDER).advice, /Only the last increment may end like this/);
  assert.ok(isWhole(disk, second));
  const stray = diskWith({ ...files, [MANIFEST]: manifest(1, [2]) });
  assert.equal(problemAt(stray, INCREMENT).isTornTail, false);
  assert.match(problemAt(stray, INCREMENT).advice, /does not name it/);
  const base = `${FOLDER}/appendonly.aof.1.base.aof`;
  const commands = diskWith({ [base]: torn, [MANIFEST]: manifest(1, [], "aof") });
  assert.equal(problemAt(commands, FOLDER).isTornTail, false);
});

test("the last increment that holds something may be cut: a crash of a rewrite leaves an empty one behind it", () => {
  const torn = Buffer.concat([command("SET", "a", "1"), command("SET", "b", "1").subarray(0, -3)]);
  const disk = diskWith({
    [BASE]: golden("compact"),
    [INCREMENT]: torn,
    [`${FOLDER}/appendonly.aof.2.incr.aof`]: "",
    [MANIFEST]: manifest(1, [1, 2]),
  });
  for (const path of ["/data", FOLDER, MANIFEST, INCREMENT]) {
    const problem = problemAt(disk, path);
    assert.deepEqual([problem.isTornTail, problem.path, problem.wholeBytes], [true, INCREMENT, 27], path);
  }
});

test("an append-only file without a manifest beside it may be cut, and so may one behind an RDB", () => {
  const torn = Buffer.concat([command("SET", "a", "1"), Buffer.from("*2\r\n$3\r\nDEL")]);
  for (const [bytes, whole] of [
    [torn, 27],
    [Buffer.concat([golden("compact"), torn]), golden("compact").length + 27],
  ] as const) {
    const disk = diskWith({ "/old/appendonly.aof": bytes });
    for (const path of ["/old", "/old/appendonly.aof"]) {
      const problem = problemAt(disk, path);
      assert.deepEqual([problem.isTornTail, problem.wholeBytes], [true, whole]);
    }
  }
});

test("missing files and damaged lists are told", () => {
  const whole = { [BASE]: golden("compact"), [INCREMENT]: command("SET", "a", "1") };
  const missing = problemAt(diskWith({ [BASE]: whole[BASE]!, [MANIFEST]: manifest(1, [1]) }), "/data");
  assert.deepEqual([missing.path, missing.message], [INCREMENT, "the file is missing, and the manifest names it"]);
  assert.match(problemAt(diskWith(whole), "/data").message, /no manifest/);
  const damaged = problemAt(diskWith({ ...whole, [MANIFEST]: `${manifest(1, [1])}file x seq 0 type i\n` }), "/data");
  assert.match(damaged.message, /Invalid AOF manifest file format, in line 3/);
  const kept = { [MANIFEST]: manifest(1, [1]), [`${FOLDER}/appendonly.aof.history`]: "file gone.aof seq 1 type h\n" };
  assert.match(problemAt(diskWith({ ...whole, ...kept }), "/data").message, /history names it/);
  const removed = `${manifest(1, [1])}file removed.aof seq 1 type h\n`;
  assert.ok(isWhole(diskWith({ ...whole, [MANIFEST]: removed }), "/data"));
});

test("increments follow each other in the log, and follow their base", () => {
  const set = command("SET", "a", "1");
  const end = 700 + set.length;
  const second = `${FOLDER}/appendonly.aof.2.incr.aof`;
  const base = `${FOLDER}/appendonly.aof.1.base.aof`;
  const chain = (basePosition: Uint8Array, first: Uint8Array, next: Uint8Array) =>
    diskWith({
      [base]: Buffer.concat([basePosition, set]),
      [INCREMENT]: Buffer.concat([first, set]),
      [second]: Buffer.concat([next, set]),
      [MANIFEST]: manifest(1, [1, 2], "aof"),
    });
  assert.ok(isWhole(chain(at(700), at(700), at(end)), "/data"));
  assert.match(problemAt(chain(at(700), at(700), at(end + 5)), "/data").message, /^5 bytes of the log are missing/);
  assert.match(problemAt(chain(at(700), at(700), at(end - 5)), "/data").message, /^5 bytes of the log come twice/);
  assert.match(problemAt(chain(at(600), at(700), at(end)), "/data").message, /^100 bytes of the log are missing/);
  const nothing = new Uint8Array(0);
  for (const unknown of [
    chain(nothing, nothing, nothing),
    chain(at(700), nothing, at(5)),
    chain(nothing, at(9), nothing),
  ]) {
    assert.ok(isWhole(unknown, "/data"));
  }
  const other = checked(chain(at(700), at(700), at(3, 1, "f".repeat(40))), "/data");
  assert.deepEqual(other.problems, []);
  assert.match(other.notes.join("\n"), /another log/);
  const inside = folderWith(Buffer.concat([at(700), set, at(end + 9), set]));
  assert.match(problemAt(inside, "/data").message, /^9 bytes of the log are missing/);
});

test("a gap in what is kept of the past is a note", () => {
  const set = command("SET", "a", "1");
  const disk = diskWith({
    [BASE]: golden("compact"),
    [INCREMENT]: Buffer.concat([at(900), set]),
    [MANIFEST]: manifest(1, [1]),
    [`${FOLDER}/old.incr.aof`]: Buffer.concat([at(700), set]),
    [`${FOLDER}/appendonly.aof.history`]: "file old.incr.aof seq 1 type h\n",
  });
  const { problems, notes } = checked(disk, "/data");
  assert.deepEqual(problems, []);
  assert.match(notes.join("\n"), new RegExp(`${900 - 700 - set.length} bytes of the log are missing`));
});
