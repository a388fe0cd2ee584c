import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualDisk } from "../../test/support/virtual-disk.ts";
import type { RdbFileOptions } from "./rdb-file-writer.ts";
import { type FromRdbJob, giveUp, newFate, rdbJob, type ToRdbJob } from "./rdb-job.ts";

const OPTIONS: RdbFileOptions = {
  directory: "/d",
  temporaryPath: "/d/temp-1-1.rdb",
  finalPath: "/d/dump.rdb",
  compression: false,
  checksum: true,
  syncsOften: true,
};

function bench() {
  const disk = new VirtualDisk();
  disk.put("/d/dump.rdb", Buffer.from("old"));
  const answers: FromRdbJob["kind"][] = [];
  const job = rdbJob(disk, (message) => answers.push(message.kind));
  const post = (...messages: ToRdbJob[]): void => messages.forEach(job);
  return { disk, answers, post };
}

function chunk(text: string): ToRdbJob {
  return { kind: "chunk", buffer: Buffer.from(text), length: text.length, notes: new Int32Array(0), noteCount: 0 };
}

test("chunks become the new file in one step, and each buffer comes back", () => {
  const { disk, answers, post } = bench();
  post({ kind: "open", options: OPTIONS, fate: newFate() }, chunk("REDIS"), chunk("0010"));
  assert.equal(disk.bytes("/d/dump.rdb")?.toString(), "old");
  post({ kind: "finish" });
  assert.deepEqual(answers, ["recycle", "recycle", "done"]);
  assert.match(disk.bytes("/d/dump.rdb")!.toString("latin1"), /^REDIS0010/);
  assert.deepEqual(disk.paths(), ["/d/dump.rdb"]);
});

test("a job that was given up while its messages waited replaces nothing and leaves no file", () => {
  const { disk, post } = bench();
  const fate = newFate();
  giveUp(fate);
  post({ kind: "open", options: OPTIONS, fate }, chunk("REDIS"), { kind: "finish" }, { kind: "abort" });
  assert.equal(disk.bytes("/d/dump.rdb")?.toString(), "old");
  assert.deepEqual(disk.paths(), ["/d/dump.rdb"]);
});

test("giving up after the end changes nothing, and the job takes the next file", () => {
  const { disk, answers, post } = bench();
  const fate = newFate();
  post({ kind: "open", options: OPTIONS, fate }, chunk("first"), { kind: "finish" });
  giveUp(fate);
  post({ kind: "abort" });
  assert.match(disk.bytes("/d/dump.rdb")!.toString("latin1"), /^first/);
  post({ kind: "open", options: OPTIONS, fate: newFate() }, chunk("second"), { kind: "finish" });
  assert.match(disk.bytes("/d/dump.rdb")!.toString("latin1"), /^second/);
  assert.deepEqual(answers, ["recycle", "done", "recycle", "done"]);
});

test("a disk that fails at the renaming is reported, and nobody waits for it", () => {
  const { disk, answers, post } = bench();
  const fate = newFate();
  disk.fault = (_step, operation) => (operation === "rename" ? "EIO" : undefined);
  post({ kind: "open", options: OPTIONS, fate }, chunk("REDIS"), { kind: "finish" });
  assert.deepEqual(answers, ["recycle", "failed"]);
  giveUp(fate);
  assert.equal(disk.bytes("/d/dump.rdb")?.toString(), "old");
});
