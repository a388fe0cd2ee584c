import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskFault } from "../../core/faults.ts";
import { check } from "./integrity.ts";
import { cutTail, TailChanged, tornTail } from "./tail-repair.ts";
import { command, diskWith, FOLDER, manifest, SAME } from "./testing.test.support.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 10, 15, 3);
const INCREMENT = `${FOLDER}/appendonly.aof.1.incr.aof`;
const ASIDE = `${INCREMENT}.broken-20261121T101503Z`;
const WHOLE = command("SET", "a", "1");
const TORN = Buffer.concat([WHOLE, command("SET", "key", "x".repeat(3000)).subarray(0, 2000)]);

function tornDisk() {
  return diskWith({
    [INCREMENT]: TORN,
    [`${FOLDER}/appendonly.aof.manifest`]: manifest(1, [1]).split("\n").slice(1).join("\n"),
  });
}

function problemOn(disk: ReturnType<typeof tornDisk>) {
  const problem = tornTail(check(disk, "/data", { random: SAME }));
  assert.ok(problem !== undefined);
  return problem;
}

test("the tail is cut, the original is kept aside, and what was cut is told", () => {
  const disk = tornDisk();
  const cut = cutTail(disk, problemOn(disk), TORN.length, NOW_MS);
  assert.deepEqual(disk.bytes(INCREMENT), WHOLE);
  assert.deepEqual(disk.bytes(ASIDE), TORN);
  assert.deepEqual([cut.keptBytes, cut.cutBytes, cut.asidePath], [WHOLE.length, TORN.length - WHOLE.length, ASIDE]);
  assert.ok(Buffer.from(cut.beginning).toString().startsWith("*3\r\n$3\r\nSET\r\n$3\r\nkey"));
  assert.deepEqual(check(disk, "/data", { random: SAME }).problems, []);
  assert.deepEqual(disk.afterCrash().bytes(INCREMENT), WHOLE);
  assert.deepEqual(disk.afterCrash().bytes(ASIDE), TORN);
  assert.equal(disk.openFiles, 0);
});

test("a second cut in the same second takes another name", () => {
  const disk = tornDisk();
  disk.put(ASIDE, Buffer.from("earlier"));
  assert.equal(cutTail(disk, problemOn(disk), TORN.length, NOW_MS).asidePath, `${ASIDE}-2`);
  assert.deepEqual(disk.bytes(ASIDE), Buffer.from("earlier"));
});

test("whichever step fails, and whenever the power goes, every byte is in the file or in the copy", () => {
  let steps = 0;
  for (let failing = 0; ; failing++) {
    const disk = tornDisk();
    const problem = problemOn(disk);
    const before = disk.steps.length;
    disk.fault = (step) => (step === before + failing ? "EIO" : undefined);
    let isDone = false;
    try {
      cutTail(disk, problem, TORN.length, NOW_MS);
      isDone = true;
    } catch (error) {
      assert.ok(error instanceof DiskFault, String(error));
    }
    disk.fault = () => undefined;
    for (const [state, name] of [
      [disk, "now"],
      [disk.afterCrash(), "after a crash"],
    ] as const) {
      const file = state.bytes(INCREMENT)!;
      const copy = state.bytes(ASIDE);
      const isKept = file.equals(TORN) || (file.equals(WHOLE) && copy?.equals(TORN) === true);
      assert.ok(isKept, `step ${failing} (${disk.steps[before + failing]}), ${name}`);
      // What is named as the original is the whole original.
      assert.ok(copy === undefined || copy.equals(TORN), `step ${failing}, ${name}`);
    }
    assert.equal(disk.openFiles, 0);
    if (isDone) break;
    steps++;
  }
  assert.ok(steps > 8, `${steps} steps`);
});

test("a full disk leaves the file as it was, and nothing beside it", () => {
  const disk = tornDisk();
  const problem = problemOn(disk);
  disk.freeBytes = 100;
  assert.throws(() => cutTail(disk, problem, TORN.length, NOW_MS), /No space left/);
  assert.deepEqual(disk.paths().sort(), [`${FOLDER}/appendonly.aof.1.incr.aof`, `${FOLDER}/appendonly.aof.manifest`]);
  assert.deepEqual(disk.bytes(INCREMENT), TORN);
});

test("a file that grows meanwhile is not touched", () => {
  const disk = tornDisk();
  const problem = problemOn(disk);
  const grown = Buffer.concat([TORN, Buffer.from("x")]);
  // Once before it is copied, once just before the cut.
  for (const operation of ["read", "truncate"]) {
    disk.put(INCREMENT, TORN);
    const before = disk.steps.length;
    disk.fault = (step, name, path) => {
      const isBeforeCut = operation === "truncate" && name === "fsync" && path === FOLDER;
      if (isBeforeCut || (operation === "read" && step === before)) disk.put(INCREMENT, grown);
      return undefined;
    };
    assert.throws(() => cutTail(disk, problem, TORN.length, NOW_MS), TailChanged);
    assert.deepEqual(disk.bytes(INCREMENT), grown);
  }
});
