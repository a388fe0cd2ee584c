import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../test/support/virtual-disk.ts";
import type { Background, BackgroundJob } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { snapshotOf } from "../history/snapshot/testing.test.support.ts";
import { Keyspace } from "../store/keyspace/keyspace.ts";
import { type Chore, choresJob, doChore, type FromChoresJob, runChores } from "./chores-job.ts";

const REPLACE: readonly Chore[] = [
  { step: "write", path: "/d/temp", bytes: Buffer.from("new") },
  { step: "rename", path: "/d/temp", to: "/d/file" },
  { step: "syncDirectory", path: "/d" },
];

function bench(): VirtualDisk {
  const disk = new VirtualDisk();
  disk.put("/d/file", Buffer.from("old"));
  return disk;
}

/** A background without threads; `isRefused`: the system gives none. */
function background(disk: VirtualDisk, ending: "answer" | "failure" | "refused"): Background {
  return {
    prepare: () => undefined,
    close: () => undefined,
    start: (): BackgroundJob => {
      if (ending === "refused") throw new Error("no thread");
      let receive: (message: unknown) => void = () => undefined;
      let fail: (error: Error) => void = () => undefined;
      return {
        post: (message) => {
          if (ending === "failure") fail(new Error("the thread is gone"));
          else choresJob(disk, receive)(message as never);
        },
        onMessage: (listener) => {
          receive = listener;
        },
        onFailure: (listener) => {
          fail = listener;
        },
        end: () => undefined,
      };
    },
  };
}

describe("chores on files", () => {
  test("are done in order and are durable", () => {
    const disk = bench();
    const answers: FromChoresJob[] = [];
    choresJob(disk, (message) => answers.push(message))({ kind: "chores", chores: REPLACE });
    assert.deepEqual(answers, [{ kind: "chores done" }]);
    assert.equal(disk.afterCrash().bytes("/d/file")?.toString(), "new");
    assert.deepEqual(disk.paths(), ["/d/file"]);
    assert.equal(disk.openFiles, 0);
  });

  test("end at the first that fails: the file is the old one or the new one, and no file stays open", () => {
    for (let failing = 0; failing < 6; failing++) {
      const disk = bench();
      disk.fault = (step) => (step === failing ? "EIO" : undefined);
      const answers: FromChoresJob[] = [];
      choresJob(disk, (message) => answers.push(message))({ kind: "chores", chores: REPLACE });
      const [answer] = answers;
      assert.ok(answer?.kind === "failed" && answer.code === "EIO" && answer.text.includes("Input/output error"));
      assert.match(disk.afterCrash().bytes("/d/file")!.toString(), /^(?:old|new)$/);
      assert.equal(disk.openFiles, 0);
    }
  });

  test("removing what is not there is done", () => {
    const disk = bench();
    doChore(disk, { step: "remove", path: "/d/nothing" });
    doChore(disk, { step: "remove", path: "/d/file" });
    assert.deepEqual(disk.paths(), []);
  });

  test("a snapshot becomes commands, or the failure names what is wrong with it", () => {
    const disk = bench();
    const keyspace = new Keyspace(new KeyHash(1, 2), 1);
    disk.put("/d/rdb", snapshotOf(keyspace));
    doChore(disk, { step: "toCommands", path: "/d/rdb", to: "/d/aof" });
    assert.equal(disk.bytes("/d/aof")!.includes("REDIS"), false);
    disk.put("/d/rdb", Buffer.from("REDIS0010 and nothing that makes sense"));
    assert.throws(() => doChore(disk, { step: "toCommands", path: "/d/rdb", to: "/d/aof" }), /offset/);
    assert.equal(disk.openFiles, 0);
  });

  test("their giver hears once how they ended, also when there is no thread for them", () => {
    for (const [ending, expected] of [
      ["answer", undefined],
      ["failure", "the thread is gone"],
      ["refused", "no thread"],
    ] as const) {
      const ends: (string | undefined)[] = [];
      runChores(background(bench(), ending), REPLACE, (error) => ends.push(error?.message));
      assert.deepEqual(ends, [expected]);
    }
    const disk = bench();
    disk.fault = (_step, operation) => (operation === "rename" ? "ENOSPC" : undefined);
    const ends: (Error | undefined)[] = [];
    runChores(background(disk, "answer"), REPLACE, (error) => ends.push(error));
    assert.equal((ends[0] as { code?: string }).code, "ENOSPC");
  });
});
