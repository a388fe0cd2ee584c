import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshSeed, SeededRandom } from "../../test/support/seed.ts";
import { CommandLog } from "../history/log/command-log.ts";
import { type GatedConnection, ReplyGate } from "./reply-gate.ts";
import { FakeConnection } from "./testing.ts";

interface Bench {
  readonly log: CommandLog;
  readonly gate: ReplyGate;
  readonly connect: () => { gated: GatedConnection; inner: FakeConnection };
  /** Appends an effect to the log. */
  readonly effect: () => void;
}

function bench(): Bench {
  const log = new CommandLog("a".repeat(40));
  const gate = new ReplyGate(log);
  log.openCursor();
  gate.begin();
  let count = 0;
  return {
    log,
    gate,
    connect: () => {
      const inner = new FakeConnection(++count, {});
      return { gated: gate.wrap(inner), inner };
    },
    effect: () => {
      log.begin(0, 1);
      log.word("X");
      log.endUnit(1, "");
    },
  };
}

/** Writes text out of memory that is overwritten afterwards when the connection says that it may be. */
function write(connection: GatedConnection, text: string): void {
  const bytes = Buffer.from(`..${text}..`, "latin1");
  if (connection.write(bytes, 2, bytes.length - 2)) bytes.fill(0xee);
}

describe("the reply gate", () => {
  test("passes what is written while the log is where it should be, or nobody reads it", () => {
    const { gate, connect, effect, log } = bench();
    const { gated, inner } = connect();
    write(gated, "a");
    assert.equal(inner.sent, "a");
    effect();
    gate.release(log.tailOffset);
    write(gated, "b");
    assert.equal(inner.sent, "ab");

    const unread = new ReplyGate(new CommandLog("b".repeat(40)));
    const other = new FakeConnection(9, {});
    write(unread.wrap(other), "c");
    assert.equal(other.sent, "c");
  });

  test("holds nothing for a log that others read and nobody writes to a file, and nothing more once that has ended", () => {
    const log = new CommandLog("d".repeat(40));
    const gate = new ReplyGate(log);
    const inner = new FakeConnection(1, {});
    const gated = gate.wrap(inner);
    const effect = (): void => {
      log.begin(0, 1);
      log.word("X");
      log.endUnit(1, "");
    };
    log.openCursor();
    effect();
    write(gated, "a");
    assert.equal(inner.sent, "a");
    gate.begin();
    effect();
    write(gated, "b");
    assert.equal(inner.sent, "a");
    gate.stop();
    assert.equal(inner.sent, "ab");
    effect();
    write(gated, "c");
    assert.equal(inner.sent, "abc");
  });

  test("holds what is written after an effect until the log is released as far as it was then", () => {
    const { gate, connect, effect, log } = bench();
    const { gated, inner } = connect();
    effect();
    const first = log.tailOffset;
    write(gated, "one");
    effect();
    write(gated, "two");
    assert.equal(inner.sent, "");
    assert.equal(gated.pendingBytes(), 6);
    gate.release(first - 1);
    assert.equal(inner.sent, "");
    gate.release(first);
    assert.equal(inner.sent, "one");
    assert.equal(gated.pendingBytes(), 3);
    gate.release(log.tailOffset);
    assert.equal(inner.sent, "onetwo");
    assert.equal(gated.pendingBytes(), 0);
    assert.equal(gate.heldCount(), 0);
  });

  test("holds also those who have changed nothing: they may have read what is not durable", () => {
    const { gate, connect, effect, log } = bench();
    const reader = connect();
    effect();
    write(reader.gated, "value");
    assert.equal(reader.inner.sent, "");
    gate.release(log.tailOffset);
    assert.equal(reader.inner.sent, "value");
  });

  test("lets no message overtake a reply of its client that is held, though the log has no news", () => {
    const { gate, connect, effect, log } = bench();
    const { gated, inner } = connect();
    effect();
    write(gated, "reply");
    gate.release(log.tailOffset - 1);
    write(gated, "message");
    gate.release(log.tailOffset);
    assert.equal(inner.sent, "replymessage");
  });

  test("ends a connection behind what it was to be told, and destroys one at once", () => {
    const { gate, connect, effect, log } = bench();
    const quitting = connect();
    const killed = connect();
    effect();
    write(quitting.gated, "+OK");
    quitting.gated.end();
    write(killed.gated, "never");
    killed.gated.destroy();
    assert.equal(quitting.inner.isEnded, false);
    assert.equal(killed.inner.isDestroyed, true);
    gate.release(log.tailOffset);
    assert.equal(quitting.inner.sent, "+OK");
    assert.equal(quitting.inner.isEnded, true);
    assert.equal(killed.inner.sent, "");
  });

  test("closes those who wait for what can never be promised, without a word, and nobody else", () => {
    const { gate, connect, effect } = bench();
    const writer = connect();
    const idle = connect();
    effect();
    write(writer.gated, "+OK");
    gate.drop();
    assert.equal(writer.inner.isDestroyed, true);
    assert.equal(writer.inner.sent, "");
    assert.equal(idle.inner.isDestroyed, false);
    write(idle.gated, "value");
    assert.equal(idle.inner.sent, "value");
  });

  test("begins anew where the log's offset has become smaller: what was released before counts no more", () => {
    const { gate, connect, effect, log } = bench();
    for (let index = 0; index < 50; index++) effect();
    gate.release(log.tailOffset);
    const anew = new CommandLog("c".repeat(40));
    assert.equal(anew.tailOffset, 0);
    log.tailOffset = 0;
    gate.begin();
    effect();
    const { gated, inner } = connect();
    write(gated, "+OK");
    assert.equal(inner.sent, "");
    gate.release(log.tailOffset);
    assert.equal(inner.sent, "+OK");
  });

  test("keeps long replies in the memory that they were written in, and short ones elsewhere", () => {
    const { gate, connect, effect, log } = bench();
    const { gated, inner } = connect();
    effect();
    const long = new Uint8Array(100_000).fill(65);
    assert.equal(gated.write(long, 0, long.length), false);
    const short = new Uint8Array(100).fill(66);
    assert.equal(gated.write(short, 0, short.length), true);
    short.fill(0);
    gate.release(log.tailOffset);
    assert.equal(inner.sent, "A".repeat(100_000) + "B".repeat(100));
  });

  test("any story: each connection gets its bytes in order, none before its effect is released", (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    for (let round = 0; round < 25; round++) {
      const { gate, connect, effect, log } = bench();
      const ends = Array.from({ length: 4 }, connect);
      const written = ends.map(() => "");
      /** What may have been sent at most: the text up to the last write at or before the released offset. */
      const due: { index: number; offset: number; length: number }[] = [];
      let released = 0;
      for (let step = 0; step < 80; step++) {
        const kind = random.below(10);
        const index = random.below(ends.length);
        const { gated, inner } = ends[index]!;
        if (kind < 3) {
          effect();
        } else if (kind < 7) {
          const size = random.pick([1, 30, 63, 64, 5000, 16_383, 16_384, 40_000, 70_000]);
          const text = String.fromCharCode(97 + random.below(26)).repeat(size);
          write(gated, text);
          written[index] += text;
          due.push({ index, offset: log.tailOffset, length: written[index]!.length });
        } else if (kind < 9) {
          released = Math.max(released, Math.floor(log.tailOffset * random.pick([0.5, 0.9, 1])));
          gate.release(released);
        } else if (inner.isStuck) {
          inner.drain();
        } else {
          inner.isStuck = true;
        }
        for (const [at, { inner: each }] of ends.entries()) {
          assert.ok(written[at]!.startsWith(each.sent), "order");
          const allowed = due.filter((one) => one.index === at && one.offset <= released);
          const most = allowed.at(-1)?.length ?? 0;
          assert.ok(each.sent.length <= most, "too early");
        }
      }
      gate.release(log.tailOffset);
      for (const [at, { inner: each, gated }] of ends.entries()) {
        if (each.isStuck) each.drain();
        assert.equal(each.sent, written[at]);
        assert.equal(gated.pendingBytes(), 0);
      }
    }
  });
});
