import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { ManifestFault } from "../../history/formats/aof-manifest.ts";
import { doChore } from "../chores-job.ts";
import { AofDirectory } from "./aof-directory.ts";

const NAMES = { dataDirectory: "/data", directoryName: "aof", fileName: "log" };
const BASE = { name: "log.4.base.rdb", seq: 4, type: "b" } as const;
const INCREMENT = { name: "log.9.incr.aof", seq: 9, type: "i" } as const;

function bench(): { disk: VirtualDisk; directory: AofDirectory } {
  const disk = new VirtualDisk();
  disk.makeDirectory("/data");
  const directory = new AofDirectory(disk, NAMES);
  directory.make();
  return { disk, directory };
}

describe("the folder of the append-only file", () => {
  test("is empty without a manifest, and has what the manifest names", () => {
    const { disk, directory } = bench();
    directory.read();
    assert.equal(directory.exists(), false);
    assert.deepEqual(directory.liveFiles(), []);
    directory.writeManifest({ base: BASE, increments: [INCREMENT], history: [] });
    disk.put("/data/aof/log.4.base.rdb", Buffer.alloc(10));
    disk.put("/data/aof/log.9.incr.aof", Buffer.alloc(7));
    const again = new AofDirectory(disk, NAMES);
    again.read();
    assert.equal(again.exists(), true);
    assert.deepEqual(again.liveFiles(), [BASE, INCREMENT]);
    assert.equal(again.liveBytes(), 17);
  });

  test("numbers files on from what is live, superseded or was given before", () => {
    const { directory } = bench();
    assert.deepEqual(directory.nextBase(true), { name: "log.1.base.rdb", seq: 1, type: "b" });
    assert.deepEqual(directory.nextBase(false), { name: "log.2.base.aof", seq: 2, type: "b" });
    directory.manifest = { base: BASE, increments: [INCREMENT], history: [] };
    assert.equal(directory.nextBase(true).name, "log.5.base.rdb");
    assert.equal(directory.nextIncrement().name, "log.10.incr.aof");
    directory.history = [{ name: "log.30.incr.aof", seq: 30, type: "h" }];
    directory.manifest = { ...directory.manifest, history: [{ name: "log.20.base.rdb", seq: 20, type: "h" }] };
    assert.equal(directory.nextBase(true).name, "log.21.base.rdb");
    assert.equal(directory.nextIncrement().name, "log.31.incr.aof");
  });

  test("tells once what was given a name and came into no list", () => {
    const { directory } = bench();
    const base = directory.nextBase(true);
    const lost = directory.nextIncrement();
    const kept = directory.nextIncrement();
    directory.manifest = { base, increments: [], history: [] };
    directory.history = [{ ...kept, type: "h" }];
    const temporary = directory.temporaryPath("rdb");
    assert.deepEqual(directory.takeUnnamed(), [directory.pathOf(lost), temporary]);
    assert.deepEqual(directory.takeUnnamed(), []);
  });

  test("replaces a list as a whole, durably: after a crash at any step it is the old one or the new one", () => {
    const next = { base: { ...BASE, seq: 5 }, increments: [INCREMENT], history: [] };
    for (let crash = 0; ; crash++) {
      const { disk, directory } = bench();
      directory.writeManifest({ base: BASE, increments: [INCREMENT], history: [] });
      const first = disk.steps.length;
      const crashed: VirtualDisk[] = [];
      disk.fault = (step) => {
        if (step === first + crash) {
          for (const names of [false, true]) crashed.push(disk.afterCrash({ names, share: 0 }));
        }
        return undefined;
      };
      for (const chore of directory.manifestChores(next)) doChore(disk, chore);
      const isOver = crashed.length === 0;
      if (isOver) crashed.push(disk.afterCrash());
      for (const left of crashed) {
        const found = new AofDirectory(left, NAMES);
        found.read();
        const { seq } = found.manifest.base!;
        assert.ok(isOver ? seq === 5 : seq === 4 || seq === 5, `step ${crash}: ${seq}`);
      }
      if (isOver) break;
    }
  });

  test("a file that is live counts as live, whatever the history says, and damage of either list is told", () => {
    const { disk, directory } = bench();
    disk.put("/data/aof/log.history", Buffer.from("file a seq 1 type h\nfile log.9.incr.aof seq 9 type h\n"));
    directory.writeManifest({ base: BASE, increments: [INCREMENT], history: [] });
    directory.read();
    assert.deepEqual(directory.history, [{ name: "a", seq: 1, type: "h" }]);
    disk.put("/data/aof/log.history", Buffer.alloc(0));
    directory.read();
    assert.deepEqual(directory.history, []);
    disk.put("/data/aof/log.manifest", Buffer.from("file\n"));
    assert.throws(() => directory.read(), ManifestFault);
  });

  test("removes what was left unfinished, and nothing else", () => {
    const { disk, directory } = bench();
    for (const name of ["temp-log.1.incr", "temp-log.3.manifest", "temp-other.1.incr", "log.1.incr.aof", "temp-log"]) {
      disk.put(`/data/aof/${name}`, Buffer.from("x"));
    }
    directory.removeTemporary();
    assert.deepEqual(disk.list("/data/aof"), ["log.1.incr.aof", "temp-log", "temp-other.1.incr"]);
    assert.notEqual(directory.temporaryPath("incr"), directory.temporaryPath("incr"));
  });
});
