/**
 * BullMQ against a started server: a thousand jobs of every kind, the order in which they run, flows, repetition, events
 * and the loss of a worker. Its scripts run on the server's own Lua.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { FlowProducer, type Job, Queue, QueueEvents, Worker, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

describe("bullmq", () => {
  let server: ChildServer;
  let plain: Redis;
  const opened: { close(): Promise<unknown> }[] = [];
  const connection = () => ({ host: server.host, port: server.port, maxRetriesPerRequest: null });

  function keep<T extends { close(): Promise<unknown> }>(thing: T): T {
    opened.push(thing);
    return thing;
  }
  const openQueue = (name: string) => keep(new Queue(name, { connection: connection() }));
  const openWorker = (name: string, run: (job: Job) => Promise<unknown>, options: Partial<WorkerOptions> = {}) =>
    keep(new Worker(name, run, { connection: connection(), ...options }).on("error", () => {}));

  before(async () => {
    server = await startSubject();
    plain = new Redis({ port: server.port, host: server.host });
  });

  afterEach(async () => {
    for (const thing of opened.splice(0).reverse()) await thing.close();
    await plain.flushall();
  });

  after(async () => {
    plain?.disconnect();
    await server?.stop();
  });

  test("runs a thousand jobs, plain, delayed and with priorities, each exactly once", async () => {
    const queue = openQueue("thousand");
    const jobs = Array.from({ length: 1000 }, (_, index) => ({
      name: "job",
      data: { index },
      opts: [{}, { delay: 1 + (index % 300) }, { priority: 1 + (index % 7) }, { lifo: true }][index % 4]!,
    }));
    const added = await queue.addBulk(jobs);
    assert.equal(new Set(added.map((job) => job.id)).size, 1000);
    const runs = new Map<number, number>();
    const early: number[] = [];
    for (let count = 0; count < 2; count++) {
      openWorker(
        "thousand",
        async (job) => {
          const { index } = job.data as { index: number };
          runs.set(index, (runs.get(index) ?? 0) + 1);
          if (job.processedOn! < job.timestamp + (job.opts.delay ?? 0)) early.push(index);
          return index * 2;
        },
        { concurrency: 25 },
      );
    }
    await waitUntil("all are completed", async () => (await queue.getCompletedCount()) === 1000, 60_000);
    assert.equal(runs.size, 1000);
    assert.deepEqual(new Set(runs.values()), new Set([1]));
    assert.deepEqual(early, []);
    assert.deepEqual(await queue.getJobCounts("wait", "active", "delayed", "prioritized", "failed", "completed"), {
      wait: 0,
      active: 0,
      delayed: 0,
      prioritized: 0,
      failed: 0,
      completed: 1000,
    });
    const completed = await queue.getJobs("completed", 0, -1);
    assert.equal(completed.length, 1000);
    for (const job of completed) assert.equal(job.returnvalue, job.data.index * 2);
  });

  test("runs jobs by priority, and those of one priority as they came", async () => {
    const queue = openQueue("priorities");
    const priorities = Array.from({ length: 120 }, (_, index) => ((index * 37) % 11) + 1);
    for (const [index, priority] of priorities.entries()) await queue.add("job", { index, priority }, { priority });
    await queue.add("job", { index: 1000, priority: 0 });
    const order: { index: number; priority: number }[] = [];
    openWorker("priorities", async (job) => void order.push(job.data), { concurrency: 1 });
    await waitUntil("all have run", () => order.length === 121);
    const expected = priorities.map((priority, index) => ({ index, priority }));
    expected.push({ index: 1000, priority: 0 });
    expected.sort((a, b) => a.priority - b.priority || a.index - b.index);
    assert.deepEqual(order, expected);
  });

  test("runs delayed jobs in the order of their time, and at once when they are promoted", async () => {
    const queue = openQueue("delayed");
    const timestamp = Date.now();
    const delays = [400, 100, 300, 200, 500];
    for (const delay of delays) await queue.add("job", { delay }, { delay, timestamp });
    const far = await queue.add("far", { delay: 0 }, { delay: 3_600_000 });
    assert.equal(await queue.getDelayedCount(), 6);
    await far.promote();
    const order: number[] = [];
    openWorker("delayed", async (job) => void order.push(job.data.delay), { concurrency: 1 });
    await waitUntil("all have run", () => order.length === 6);
    assert.deepEqual(order, [0, 100, 200, 300, 400, 500]);
  });

  test("runs a flow from its leaves to its root, which sees what its children gave", async () => {
    const flows = keep(new FlowProducer({ connection: connection() }));
    const tree = await flows.add({
      name: "root",
      queueName: "flow-parents",
      data: {},
      children: Array.from({ length: 10 }, (_, branch) => ({
        name: "branch",
        queueName: "flow-parents",
        data: { branch },
        children: Array.from({ length: 10 }, (_, leaf) => ({
          name: "leaf",
          queueName: "flow-leaves",
          data: { value: branch * 10 + leaf },
        })),
      })),
    });
    const queue = openQueue("flow-parents");
    const order: string[] = [];
    openWorker("flow-leaves", async (job) => {
      order.push("leaf");
      return job.data.value;
    });
    openWorker("flow-parents", async (job) => {
      order.push(job.name);
      const values = Object.values(await job.getChildrenValues<number>());
      assert.equal(values.length, 10);
      return values.reduce((sum, value) => sum + value, 0);
    });
    await waitUntil("the root is completed", async () => (await queue.getJobState(tree.job.id!)) === "completed");
    assert.equal((await queue.getJob(tree.job.id!))?.returnvalue, 4950);
    assert.equal(order.length, 111);
    assert.equal(order.filter((name) => name === "branch").length, 10);
    assert.equal(order.at(-1), "root");
  });

  test("repeats a job as often as its schedule says", async () => {
    const queue = openQueue("repeated");
    await queue.upsertJobScheduler("often", { every: 40, limit: 6 }, { name: "tick", data: { from: "schedule" } });
    await queue.upsertJobScheduler("rarely", { pattern: "0 0 1 1 *" }, { name: "year" });
    assert.equal(await queue.getJobSchedulersCount(), 2);
    const counts: number[] = [];
    openWorker("repeated", async (job) => {
      assert.deepEqual(job.data, { from: "schedule" });
      counts.push(job.repeatJobKey === "often" ? 1 : 0);
    });
    await waitUntil("all repetitions are completed", async () => (await queue.getCompletedCount()) === 6);
    await waitUntil("the schedule is over", async () => (await queue.getDelayedCount()) === 1);
    assert.deepEqual(counts, [1, 1, 1, 1, 1, 1]);
    assert.equal(await queue.removeJobScheduler("rarely"), true);
    assert.equal(await queue.getDelayedCount(), 0);
  });

  test("tells what happens to jobs, waits for them, and tries failed ones again", async () => {
    const queue = openQueue("events");
    const events = keep(new QueueEvents("events", { connection: connection(), lastEventId: "0" }));
    await events.waitUntilReady();
    const heard: string[] = [];
    events.on("waiting", ({ jobId }) => heard.push(`waiting ${jobId}`));
    events.on("active", ({ jobId }) => heard.push(`active ${jobId}`));
    events.on("progress", ({ jobId, data }) => heard.push(`progress ${jobId} ${data}`));
    events.on("delayed", ({ jobId }) => heard.push(`delayed ${jobId}`));
    const drained = new Promise<void>((done) => events.on("drained", () => done()));
    openWorker("events", async (job) => {
      await job.updateProgress(50);
      await job.log("a line");
      if (job.name === "bad" || job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade}`);
      return { done: job.name };
    });
    const good = await queue.add("good", {}, { jobId: "good", attempts: 3, backoff: { type: "fixed", delay: 20 } });
    assert.deepEqual(await good.waitUntilFinished(events), { done: "good" });
    const bad = await queue.add("bad", {}, { jobId: "bad", attempts: 2 });
    await assert.rejects(bad.waitUntilFinished(events), { message: "attempt 1" });
    await drained;
    assert.deepEqual(
      heard.filter((event) => event.endsWith("good") || event.includes("good ")),
      [
        "waiting good",
        ...["active good", "progress good 50", "delayed good"],
        ...["waiting good", "active good", "progress good 50", "delayed good"],
        ...["waiting good", "active good", "progress good 50"],
      ],
    );
    const [failed] = await queue.getFailed();
    assert.equal(failed?.id, "bad");
    assert.equal(failed?.attemptsMade, 2);
    assert.equal(failed?.failedReason, "attempt 1");
    assert.deepEqual((await queue.getJobLogs("bad")).logs, ["a line", "a line"]);
  });

  test("gives a job of a worker that was lost to another one", async () => {
    const queue = openQueue("stalled");
    const job = await queue.add("job", {});
    let isTaken = () => {};
    const taken = new Promise<void>((done) => {
      isTaken = done;
    });
    let letGo = () => {};
    const lost = openWorker(
      "stalled",
      () => {
        isTaken();
        return new Promise<void>((done) => {
          letGo = done;
        });
      },
      { lockDuration: 150, skipLockRenewal: true, skipStalledCheck: true },
    );
    await taken;
    const stalled: string[] = [];
    const rescuer = openWorker("stalled", async () => "rescued", { stalledInterval: 100 });
    rescuer.on("stalled", (id) => stalled.push(id));
    await waitUntil("the job is completed", async () => (await job.getState()) === "completed");
    assert.equal((await queue.getJob(job.id!))?.returnvalue, "rescued");
    await waitUntil("it was told", () => stalled.length > 0);
    assert.deepEqual(stalled, [job.id]);
    letGo();
    await lost.close(true);
  });

  test("pauses, drains, deduplicates, limits and obliterates", async () => {
    const queue = openQueue("managed");
    await queue.pause();
    for (let index = 0; index < 30; index++) await queue.add("job", { index });
    const twice = { deduplication: { id: "same" } };
    const first = await queue.add("once", {}, twice);
    const second = await queue.add("once", {}, twice);
    assert.equal(second.id, first.id);
    assert.equal(await queue.count(), 31);
    const starts: number[] = [];
    openWorker("managed", async (job) => void starts.push(job.data.index), {
      concurrency: 10,
      limiter: { max: 10, duration: 200 },
    });
    assert.equal(await queue.isPaused(), true);
    assert.equal(starts.length, 0);
    const began = performance.now();
    await queue.resume();
    await waitUntil("all have run", () => starts.length === 31);
    // Thirty-one jobs, ten in 200 ms: three times a pause in between.
    assert.ok(performance.now() - began >= 400, "the limit holds jobs back");
    await waitUntil("all are completed", async () => (await queue.getCompletedCount()) === 31);
    assert.deepEqual((await queue.clean(0, 5, "completed")).length, 5);
    await queue.pause();
    await queue.add("rest", {});
    await queue.drain();
    assert.equal(await queue.count(), 0);
    assert.equal(await queue.getCompletedCount(), 26);
    await queue.obliterate({ force: true });
    await waitUntil(
      "all is gone, the limit with its time",
      async () => (await plain.keys("bull:managed:*")).length === 0,
    );
  });
});
