import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import type { DiskFile } from "../../core/host.ts";
import { SyncQueue } from "./sync-queue.ts";

function bench() {
  const disk = new VirtualDisk();
  const waiting: (() => void)[] = [];
  disk.later = (task) => waiting.push(task);
  const ends: string[] = [];
  const queue = new SyncQueue((file, offset, error) =>
    ends.push(`${file.path} ${offset}${error === undefined ? "" : " failed"}`),
  );
  const file = (name: string): DiskFile => disk.open(`/${name}`, "create");
  /** Lets the fsync end that has been under way longest. */
  const end = (): void => waiting.shift()!();
  return { disk, queue, ends, file, end, waiting };
}

describe("the sync queue", () => {
  test("has one fsync under way, and forgets a wish that comes meanwhile", () => {
    const { queue, ends, file, end, waiting } = bench();
    const present = file("a");
    queue.sync(present, 10);
    queue.sync(present, 20);
    assert.equal(waiting.length, 1);
    assert.equal(queue.isBusy, true);
    end();
    assert.equal(queue.isBusy, false);
    assert.deepEqual(ends, ["/a 10"]);
    queue.sync(present, 20);
    end();
    assert.deepEqual(ends, ["/a 10", "/a 20"]);
  });

  test("makes retired files durable and closes them, oldest first, before the present one", () => {
    const { disk, queue, ends, file, end } = bench();
    const [first, second, present] = [file("a"), file("b"), file("c")];
    queue.retire(first!, 10);
    queue.retire(second!, 20);
    assert.equal(queue.hasEarlier(), true);
    queue.sync(present!, 30);
    end();
    assert.equal(disk.openFiles, 2);
    end();
    assert.equal(queue.hasEarlier(), false);
    assert.equal(disk.openFiles, 1);
    queue.sync(present!, 30);
    end();
    assert.deepEqual(ends, ["/a 10", "/b 20", "/c 30"]);
  });

  test("syncs a file once more that was retired while an fsync of less of it was under way", () => {
    const { disk, queue, ends, file, end } = bench();
    const old = file("a");
    queue.sync(old, 10);
    queue.retire(old, 15);
    end();
    assert.equal(disk.openFiles, 1);
    assert.equal(queue.hasEarlier(), true);
    end();
    assert.equal(disk.openFiles, 0);
    assert.deepEqual(ends, ["/a 10", "/a 15"]);
  });

  test("closes a retired file whose fsync fails, says so, and goes on", () => {
    const { disk, queue, ends, file, end } = bench();
    disk.fault = (_step, operation, path) => (operation === "fsync" && path === "/a" ? "EIO" : undefined);
    queue.retire(file("a"), 10);
    queue.retire(file("b"), 20);
    end();
    end();
    assert.equal(disk.openFiles, 0);
    assert.deepEqual(ends, ["/a 10 failed", "/b 20"]);
  });

  test("closes what it is left with, whatever is under way, and tells nobody", () => {
    for (const isBusy of [false, true]) {
      const { disk, queue, ends, file, end, waiting } = bench();
      const present = file("c");
      if (isBusy) queue.sync(present, 5);
      queue.retire(file("a"), 10);
      queue.retire(file("b"), 20);
      queue.drop(present);
      queue.leave();
      while (waiting.length > 0) end();
      assert.equal(disk.openFiles, 0, String(isBusy));
      assert.deepEqual(ends, []);
    }
  });

  test("makes all retired files durable at once for who cannot wait", () => {
    const { disk, queue, file, end, waiting } = bench();
    const old = file("a");
    disk.syncDirectory("/");
    old.write(Buffer.from("xyz"), 0, 3);
    queue.retire(old, 10);
    queue.finishNow();
    assert.equal(disk.afterCrash().bytes("/a")?.toString(), "xyz");
    while (waiting.length > 0) end();
    assert.equal(disk.openFiles, 0);
  });
});
