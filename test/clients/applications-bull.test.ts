/**
 * Bull, BullMQ's predecessor, against a started server: jobs counted, their order, repetition, failures and management.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import Bull from "bull";
import { Redis } from "ioredis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

describe("bull", () => {
  let server: ChildServer;
  let plain: Redis;
  const opened: Bull.Queue[] = [];

  const open = (name: string, options: Bull.QueueOptions = {}): Bull.Queue => {
    const queue = new Bull(name, { redis: { host: server.host, port: server.port }, ...options });
    opened.push(queue);
    return queue;
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

  test("runs six hundred jobs of two queues' making, each exactly once", async () => {
    const producer = open("many");
    const consumer = open("many");
    const jobs = Array.from({ length: 600 }, (_, index) => ({
      data: { index },
      opts: [{}, { delay: 1 + (index % 100) }, { priority: 1 + (index % 5) }][index % 3]!,
    }));
    await producer.addBulk(jobs);
    const runs = new Map<number, number>();
    void consumer.process(20, async (job) => {
      runs.set(job.data.index, (runs.get(job.data.index) ?? 0) + 1);
      return job.data.index + 1;
    });
    await waitUntil("all are completed", async () => (await producer.getCompletedCount()) === 600, 60_000);
    assert.equal(runs.size, 600);
    assert.deepEqual(new Set(runs.values()), new Set([1]));
    assert.deepEqual(await producer.getJobCounts(), {
      waiting: 0,
      active: 0,
      completed: 600,
      failed: 0,
      delayed: 0,
      paused: 0,
    });
    for (const job of await producer.getCompleted(0, -1)) assert.equal(job.returnvalue, job.data.index + 1);
  });

  test("runs jobs by priority, and those of one priority as they came", async () => {
    const queue = open("priorities");
    const priorities = Array.from({ length: 60 }, (_, index) => ((index * 7) % 5) + 1);
    for (const [index, priority] of priorities.entries()) await queue.add({ index, priority }, { priority });
    const order: { index: number; priority: number }[] = [];
    void queue.process(1, async (job) => void order.push(job.data));
    await waitUntil("all have run", () => order.length === 60);
    const expected = priorities.map((priority, index) => ({ index, priority }));
    expected.sort((a, b) => a.priority - b.priority || a.index - b.index);
    assert.deepEqual(order, expected);
  });

  test("runs delayed jobs in the order of their time and repeats a job as often as told", async () => {
    const queue = open("times");
    const order: number[] = [];
    let ticks = 0;
    const timestamp = Date.now(); // of all of them, however long adding takes; the types do not know it
    for (const delay of [300, 100, 200]) await queue.add("wait", { delay }, { delay, timestamp } as Bull.JobOptions);
    await queue.add("tick", {}, { repeat: { every: 60, limit: 4 } });
    assert.equal((await queue.getRepeatableJobs()).length, 1);
    // Only now: a job of 300 ms would overtake one of 100 ms that is added 200 ms after it.
    void queue.process("wait", 1, async (job) => void order.push(job.data.delay));
    void queue.process("tick", 1, async () => void ticks++);
    await waitUntil("all have run", async () => (await queue.getCompletedCount()) === 7);
    assert.deepEqual(order, [100, 200, 300]);
    assert.equal(ticks, 4);
  });

  test("tells other processes of progress, results and failures, and tries again", async () => {
    const queue = open("events");
    const listener = open("events");
    const heard: string[] = [];
    listener.on("global:progress", (id, progress) => heard.push(`${id} progress ${progress}`));
    listener.on("global:completed", (id, result) => heard.push(`${id} completed ${result}`));
    listener.on("global:failed", (id, reason) => heard.push(`${id} failed ${reason}`));
    await listener.isReady();
    void queue.process(1, async (job) => {
      await job.progress(10);
      if (job.data.isBad || job.attemptsMade < 1) throw new Error(`attempt ${job.attemptsMade}`);
      return "done";
    });
    const good = await queue.add({}, { jobId: "good", attempts: 2 });
    assert.equal(await good.finished(), "done");
    const bad = await queue.add({ isBad: true }, { jobId: "bad", attempts: 2, backoff: 20 });
    await assert.rejects(bad.finished(), { message: "attempt 1" });
    const expected = ["good progress 10", "good progress 10", 'good completed "done"'];
    await waitUntil("the last failure was heard", () => heard.includes("bad failed attempt 1"));
    assert.deepEqual(
      heard.filter((event) => event.startsWith("good")),
      expected,
    );
    assert.deepEqual(
      (await queue.getFailed()).map((job) => [job.id, job.attemptsMade, job.failedReason]),
      [["bad", 2, "attempt 1"]],
    );
    await (await queue.getJob("bad"))!.remove();
    assert.equal(await queue.getFailedCount(), 0);
  });

  test("pauses, limits, cleans and obliterates", async () => {
    const queue = open("managed", { limiter: { max: 5, duration: 150 } });
    await queue.pause();
    for (let index = 0; index < 15; index++) await queue.add({ index });
    assert.equal(await queue.getPausedCount(), 15);
    const runs: number[] = [];
    void queue.process(1, async (job) => void runs.push(job.data.index));
    const began = performance.now();
    await queue.resume();
    await waitUntil("all are completed", async () => (await queue.getCompletedCount()) === 15);
    assert.ok(performance.now() - began >= 150, "the limit holds jobs back");
    assert.deepEqual(
      runs.sort((a, b) => a - b),
      Array.from({ length: 15 }, (_, index) => index),
    );
    assert.equal((await queue.clean(0, "completed")).length, 15);
    await queue.pause();
    await queue.add({ index: 99 });
    await queue.obliterate({ force: true });
    // Bull leaves its mark of being paused or limited behind only while that lasts.
    assert.equal(await queue.count(), 0);
    assert.deepEqual(await plain.keys("bull:managed:[0-9]*"), []);
  });
});
