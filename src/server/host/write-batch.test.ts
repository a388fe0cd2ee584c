import assert from "node:assert/strict";
import { test } from "node:test";
import { type BatchedStream, WriteBatch } from "./write-batch.ts";

/** The event loop, and what has left through it: `name:text`. */
class Loop {
  readonly left: string[] = [];
  readonly batch: WriteBatch;
  private tasks: (() => void)[] = [];

  constructor() {
    this.batch = new WriteBatch((task) => this.tasks.push(task));
  }

  endTurn(): void {
    for (const task of this.tasks.splice(0)) task();
  }

  stream(name: string): FakeStream {
    return new FakeStream(name, this.left);
  }

  /** Turns in which many sockets are served, so that batches begin. */
  warmUp(): void {
    const nobody = new FakeStream("nobody", []);
    for (let turn = 0; turn < 100; turn++) {
      for (let reply = 0; reply < 40; reply++) send(this, nobody, "x");
      this.endTurn();
    }
  }
}

class FakeStream implements BatchedStream {
  pendingBytes = 0;
  /** Takes nothing at once, as a socket whose peer does not read. */
  isFull = false;
  readonly kept: Uint8Array[] = [];
  private readonly name: string;
  private readonly left: string[];

  constructor(name: string, left: string[]) {
    this.name = name;
    this.left = left;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    return this.writeView(bytes.subarray(start, end), end - start);
  }

  writeView(view: Uint8Array, length: number): boolean {
    assert.equal(view.length, length);
    this.left.push(`${this.name}:${Buffer.from(view).toString("latin1")}`);
    if (!this.isFull) return true;
    this.pendingBytes += length;
    this.kept.push(view);
    return false;
  }
}

/** Writes `text`; the memory is overwritten when the stream says that it may be. */
function send(loop: Loop, stream: BatchedStream, text: string): void {
  const bytes = Buffer.from(`..${text}..`, "latin1");
  if (loop.batch.write(stream, bytes, 2, bytes.length - 2)) bytes.fill(0xee);
}

test("where a turn serves one socket, replies leave at once", () => {
  const loop = new Loop();
  const one = loop.stream("one");
  for (let turn = 0; turn < 200; turn++) {
    send(loop, one, `reply ${turn}`);
    assert.equal(loop.left.length, turn + 1);
    loop.endTurn();
  }
});

test("where a turn serves many sockets, replies leave together at its end, in their order", () => {
  const loop = new Loop();
  loop.warmUp();
  const [one, two] = [loop.stream("one"), loop.stream("two")];
  send(loop, one, "a");
  send(loop, two, "b".repeat(100));
  send(loop, one, "c");
  assert.deepEqual(loop.left, []);
  loop.endTurn();
  assert.deepEqual(loop.left, ["one:a", `two:${"b".repeat(100)}`, "one:c"]);
});

test("when fewer are served again, replies leave at once again", () => {
  const loop = new Loop();
  loop.warmUp();
  const one = loop.stream("one");
  for (let turn = 0; turn < 100; turn++) {
    send(loop, one, "x");
    loop.endTurn();
  }
  const count = loop.left.length;
  send(loop, one, "last");
  assert.equal(loop.left.length, count + 1);
});

test("a large reply leaves at once, behind those that wait", () => {
  const loop = new Loop();
  loop.warmUp();
  const [one, two] = [loop.stream("one"), loop.stream("two")];
  send(loop, one, "small");
  send(loop, two, "L".repeat(20_000));
  assert.deepEqual(loop.left, ["one:small", `two:${"L".repeat(20_000)}`]);
});

test("more replies than a batch holds leave in their order, and none is lost", () => {
  const loop = new Loop();
  loop.warmUp();
  const one = loop.stream("one");
  const texts = Array.from({ length: 300 }, (_, index) => String(index).repeat(1 + (index % 700)));
  for (const text of texts) send(loop, one, text);
  loop.endTurn();
  assert.deepEqual(
    loop.left,
    texts.map((text) => `one:${text}`),
  );
});

test("memory that a socket keeps is not written to again", () => {
  const loop = new Loop();
  loop.warmUp();
  const [slow, quick] = [loop.stream("slow"), loop.stream("quick")];
  slow.isFull = true;
  send(loop, slow, "kept");
  loop.endTurn();
  for (let turn = 0; turn < 10; turn++) {
    for (let reply = 0; reply < 60; reply++) send(loop, quick, "overwrites");
    loop.endTurn();
  }
  assert.equal(Buffer.from(slow.kept[0]!).toString("latin1"), "kept");
  // What comes behind it goes the same way, at once.
  send(loop, slow, "next");
  assert.equal(loop.left.at(-1), "slow:next");
});
