import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyMark } from "./reply-writer.ts";
import { ReplyWriter } from "./reply-writer.ts";

function made(writer: ReplyWriter): string {
  return Buffer.from(writer.take()).toString("latin1");
}

test("a count that is known late stands before what it counts, whatever was guessed and however long the rest is", () => {
  for (const expected of [0, 9, 10, 1000, 100_000]) {
    for (const count of [0, 1, 9, 10, 99, 100, 4000]) {
      for (const size of [1, 50, 40_000]) {
        if (size * count > 4_000_000) continue;
        const writer = new ReplyWriter();
        const outer: ReplyMark = { partCount: 0, position: 0 };
        const inner: ReplyMark = { partCount: 0, position: 0 };
        const value = "x".repeat(size);
        writer.ok();
        writer.openCount(outer, 1);
        writer.bulkText("key");
        writer.openCount(inner, expected);
        for (let index = 0; index < count; index++) writer.bulkBytes(Buffer.from(value));
        writer.closeCount(inner, expected, count, false);
        writer.closeCount(outer, 1, 12, false);
        const bytes = writer.byteCount();
        const text = made(writer);
        const bulk = `$${size}\r\n${value}\r\n`;
        assert.equal(text, `+OK\r\n*12\r\n$3\r\nkey\r\n*${count}\r\n${bulk.repeat(count)}`);
        assert.equal(bytes, text.length);
      }
    }
  }
});

test("a map that is counted late is an array of twice the length in RESP2", () => {
  for (const protocol of [2, 3] as const) {
    const writer = new ReplyWriter();
    writer.protocol = protocol;
    const mark: ReplyMark = { partCount: 0, position: 0 };
    writer.openCount(mark, 5);
    writer.integer(7);
    writer.closeCount(mark, 5, 6, true);
    assert.equal(made(writer), protocol === 3 ? "%6\r\n:7\r\n" : "*12\r\n:7\r\n");
  }
});

test("a whole number that is infinite or none is a mistake of ours, not a reply and not a loop without end", () => {
  for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
    assert.throws(() => new ReplyWriter().integer(value), /whole number is infinite or none/);
  }
});
