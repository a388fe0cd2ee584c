/**
 * Bee-Queue, which stands on node-redis 3, against a started server: jobs counted, retried, delayed, followed, removed.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import BeeQueue from "bee-queue";
import { Redis } from "ioredis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

describe("bee-queue", () => {
  let server: ChildServer;
  let plain: Redis;
  const opened: BeeQueue[] = [];

  const open = async (name: string, settings: BeeQueue.QueueSettings = {}): Promise<BeeQueue> => {
    const queue = new BeeQueue(name, { redis: { host: server.host, port: server.port }, ...settings });
    opened.push(queue);
    return queue.ready();
  };

  before(async () => {
    server = await startSubject();
    plain = new Redis({ port: server.port, host: server.host });
  });

  afterEach(async () => {
    for (const queue of opened.splice(0)) await queue.close();
    await plain.flushall();
  });

  after(async () => {
    plain?.disconnect();
    await server?.stop();
  });

  test("runs five hundred jobs on two workers, each exactly once", async () => {
    const producer = await open("many", { isWorker: false });
    const runs = new Map<number, number>();
    for (let count = 0; count < 2; count++) {
      const worker = await open("many");
      worker.process(10, async (job) => {
        runs.set(job.data.index, (runs.get(job.data.index) ?? 0) + 1);
        return job.data.index;
      });
    }
    const results = new Map<number, number>();
    const jobs = Array.from({ length: 500 }, (_, index) =>
      producer.createJob({ index }).on("succeeded", (result) => void results.set(index, result)),
    );
    assert.equal((await producer.saveAll(jobs)).size, 0);
    await waitUntil("all results have come", () => results.size === 500, 60_000);
    for (const [index, result] of results) assert.equal(result, index);
    assert.equal(runs.size, 500);
    assert.deepEqual(new Set(runs.values()), new Set([1]));
    const { waiting, active, succeeded, failed, delayed } = await producer.checkHealth();
    assert.deepEqual({ waiting, active, succeeded, failed, delayed }, { ...NOTHING, succeeded: 500 });
  });

  test("tries a failing job again as often as told, and reports its progress", async () => {
    const queue = await open("retries", { activateDelayedJobs: true });
    let attempts = 0;
    queue.process(async (job) => {
      attempts++;
      job.reportProgress({ attempts });
      if (job.data.isBad || attempts < 3) throw new Error("not yet");
      return attempts;
    });
    const good = queue.createJob({}).retries(5).backoff("fixed", 10);
    const progress: number[] = [];
    good.on("progress", (report) => void progress.push(report.attempts));
    const result = new Promise((done) => good.on("succeeded", done));
    await good.save();
    assert.equal(await result, 3);
    assert.deepEqual(progress, [1, 2, 3]);
    const bad = queue.createJob({ isBad: true }).retries(1);
    const failure = new Promise<Error>((done) => bad.on("failed", done));
    await bad.save();
    assert.equal((await failure).message, "not yet");
    assert.equal(attempts, 5);
    assert.deepEqual(
      (await queue.getJobs("failed", { size: 10 })).map((job) => job.id),
      [bad.id],
    );
  });

  test("runs delayed jobs in the order of their time, not before it", async () => {
    const producer = await open("delayed", { isWorker: false });
    const now = Date.now();
    for (const delay of [450, 150, 300]) {
      const job = producer.createJob({ delay, until: now + delay });
      await job.delayUntil(now + delay).save();
    }
    assert.equal((await producer.checkHealth()).delayed, 3);
    const order: number[] = [];
    const early: number[] = [];
    const worker = await open("delayed", { activateDelayedJobs: true });
    worker.process(1, async (job) => {
      order.push(job.data.delay);
      if (Date.now() < job.data.until) early.push(job.data.delay);
    });
    await waitUntil("all have run", () => order.length === 3);
    assert.deepEqual(order, [150, 300, 450]);
    assert.deepEqual(early, []);
  });

  test("refuses a second job of one name, removes jobs, and destroys a queue", async () => {
    const queue = await open("managed", { isWorker: false });
    const first = await queue.createJob({ n: 1 }).setId("same").save();
    assert.equal(first.id, "same");
    assert.equal((await queue.createJob({ n: 2 }).setId("same").save()).id, null);
    await queue.createJob({ n: 3 }).save();
    assert.equal((await queue.getJob("same")).data.n, 1);
    assert.equal((await queue.checkHealth()).waiting, 2);
    await queue.removeJob("same");
    assert.equal((await queue.checkHealth()).waiting, 1);
    assert.ok((await plain.keys("bq:managed:*")).length > 0);
    await queue.destroy();
    assert.deepEqual(await plain.keys("bq:managed:*"), []);
  });

  test("gives a job of a worker that was lost to another one", async () => {
    const queue = await open("stalled", { stallInterval: 100 });
    const { id } = await queue.createJob({}).save();
    // What a worker does that takes a job and dies.
    assert.equal(await plain.rpoplpush("bq:stalled:waiting", "bq:stalled:active"), id);
    const done = new Promise<string>((resolve) => queue.on("succeeded", (job) => resolve(job.id)));
    assert.equal(await queue.checkStalledJobs(), 0); // marks it
    queue.process(async () => "rescued");
    const rescued = await waitUntil("the stalled job is found", async () => (await queue.checkStalledJobs()) === 1);
    assert.equal(rescued, true);
    assert.equal(await done, id);
  });
});

/** Counts of a queue at rest. */
const NOTHING = { waiting: 0, active: 0, succeeded: 0, failed: 0, delayed: 0 };
