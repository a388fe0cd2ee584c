import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../test/support/virtual-disk.ts";
import type { Background, BackgroundJob } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { load } from "../history/snapshot/testing.test.support.ts";
import { VirtualClock } from "../session/testing.ts";
import { Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { contentOf } from "../store/keyspace/model.test.support.ts";
import { BackgroundSnapshot, type SnapshotEnd } from "./background-snapshot.ts";
import { rdbJob, type ToRdbJob } from "./rdb-job.ts";

const FILE = "/d/file";

class Bench {
  readonly disk = new VirtualDisk();
  readonly clock = new VirtualClock();
  readonly keyspace = new Keyspace(new KeyHash(1, 2), 1);
  readonly ends: SnapshotEnd[] = [];
  /** What was posted to the job and has not been looked at. */
  readonly posted: (() => void)[] = [];
  failJob: (error: Error) => void = () => undefined;
  isEnded = false;
  readonly background: Background;

  constructor(keys: number) {
    this.disk.put(FILE, Buffer.from("old"));
    for (let index = 0; index < keys; index++) this.set(`key${index}`, "x".repeat(1000));
    this.background = {
      prepare: () => undefined,
      close: () => undefined,
      start: (): BackgroundJob => {
        let receive: (message: unknown) => void = () => undefined;
        const job = rdbJob(this.disk, (message) => receive(message));
        return {
          post: (message) => this.posted.push(() => job(message as ToRdbJob)),
          onMessage: (listener) => {
            receive = listener;
          },
          onFailure: (listener) => {
            this.failJob = listener;
          },
          end: () => {
            this.isEnded = true;
          },
        };
      },
    };
  }

  set(key: string, value: string): void {
    const bytes = Buffer.from(value);
    const name = Buffer.from(key);
    this.keyspace.setString(this.keyspace.databases[0]!, name, 0, name.length, bytes, 0, bytes.length, NO_EXPIRY);
  }

  start(): BackgroundSnapshot {
    const file = {
      directory: "/d",
      temporaryPath: "/d/temp",
      finalPath: FILE,
      compression: false,
      checksum: true,
      syncsOften: true,
    };
    const options = { auxiliary: [], functions: [], access: "none" } as const;
    return new BackgroundSnapshot(this.keyspace, this, file, options, (end) => this.ends.push(end));
  }

  /** Lets walk and job go on until both rest. */
  settle(): void {
    for (;;) {
      this.clock.runSoon();
      const task = this.posted.shift();
      if (task === undefined) return;
      task();
    }
  }

  content(): Map<string, unknown> {
    return contentOf(load(this.disk.bytes(FILE)!).keyspace)[0]!;
  }
}

describe("a snapshot in the background", () => {
  test("is of the moment at which it was made, whatever is written meanwhile", () => {
    const bench = new Bench(3000);
    bench.start();
    bench.set("later", "1");
    bench.set("key7", "changed");
    bench.settle();
    assert.equal(bench.ends.length, 1);
    assert.deepEqual(bench.ends[0], { bytes: bench.disk.bytes(FILE)!.length });
    const content = bench.content();
    assert.equal(content.size, 3000);
    assert.equal(content.has("later"), false);
    assert.equal((content.get("key7") as { value: string }).value, "x".repeat(1000));
    assert.equal(bench.isEnded, true);
  });

  test("waits for a job that is behind: at most sixteen chunks are on their way", () => {
    const bench = new Bench(20_000);
    const snapshot = bench.start();
    for (let turn = 0; turn < 1000; turn++) bench.clock.runSoon();
    // The opening message and the chunks.
    assert.equal(bench.posted.length, 17);
    const { writtenKeys, keys } = snapshot.progress();
    assert.equal(keys, 20_000);
    assert.ok(writtenKeys < keys);
    bench.settle();
    assert.equal(bench.content().size, 20_000);
  });

  test("that is given up leaves what was there, and nobody hears of it", () => {
    for (const rounds of [0, 1, 5]) {
      const bench = new Bench(5000);
      const snapshot = bench.start();
      for (let round = 0; round < rounds; round++) {
        bench.clock.runSoon();
        bench.posted.shift()?.();
      }
      snapshot.abort();
      snapshot.abort();
      bench.settle();
      assert.deepEqual(bench.ends, []);
      assert.deepEqual(bench.disk.paths(), [FILE]);
      assert.equal(bench.disk.bytes(FILE)!.toString(), "old");
      assert.equal(bench.disk.openFiles, 0);
      // Another can be taken.
      bench.start();
      bench.settle();
      assert.equal(bench.content().size, 5000);
    }
  });

  test("tells once why it failed: the disk, or the job itself", () => {
    const disk = new Bench(3000);
    disk.disk.fault = (_step, operation) => (operation === "write" ? "ENOSPC" : undefined);
    disk.start();
    disk.settle();
    assert.equal(disk.ends.length, 1);
    const [end] = disk.ends;
    assert.ok(end !== undefined && "error" in end && (end.error as { code?: string }).code === "ENOSPC");
    assert.equal(disk.disk.bytes(FILE)!.toString(), "old");

    const job = new Bench(3000);
    job.start();
    job.failJob(new Error("the thread is gone"));
    job.failJob(new Error("twice"));
    job.settle();
    assert.equal(job.ends.length, 1);
    assert.ok("error" in job.ends[0]! && job.ends[0].error.message === "the thread is gone");
    job.disk.fault = () => undefined;
    job.start();
    job.settle();
    assert.equal(job.ends.length, 2);
  });
});
