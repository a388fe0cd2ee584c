import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import {
  facts,
  formatBytes,
  formatCount,
  formatDuration,
  formatTime,
  isoTime,
  Progress,
  printable,
  table,
} from "./output.ts";

test("numbers, sizes and durations are read at a glance", () => {
  assert.deepEqual([0, 999, 1000, 1234567].map(formatCount), ["0", "999", "1,000", "1,234,567"]);
  assert.deepEqual([0, 999, 1000, 1024, 1536, 10 * 1024, 150 * 1024, 1024 ** 3, 5 * 1024 ** 4].map(formatBytes), [
    "0 B",
    "999 B",
    "0.98 KB",
    "1 KB",
    "1.50 KB",
    "10 KB",
    "150 KB",
    "1 GB",
    "5 TB",
  ]);
  const durations = [0, 850, 1000, 12_340, 61_000, 3_600_000, 90_000_000, -1500];
  assert.deepEqual(durations.map(formatDuration), [
    "0 ms",
    "850 ms",
    "1 s",
    "12.3 s",
    "1 min 1 s",
    "1 h",
    "1 d 1 h",
    "-1.5 s",
  ]);
});

test("a moment is shown in this machine's time, and in UTC for programs", () => {
  const moment = new Date(2026, 10, 20, 10, 15, 3, 250).getTime();
  assert.equal(formatTime(moment), "2026-11-20 10:15:03.250");
  assert.equal(isoTime(0), "1970-01-01T00:00:00.000Z");
  assert.equal(isoTime(Number.NaN), null);
  assert.equal(isoTime(2 ** 60), null);
  assert.equal(formatTime(2 ** 60), `${2 ** 60} ms`);
});

test("a table aligns numbers right and text left, whatever the width of its characters", () => {
  const columns = [{ title: "key" }, { title: "bytes", isNumber: true }, { title: "note" }];
  const rows = [
    ["a", "1", "x"],
    ["日本", "1,000", ""],
    ["longer", "22", "y"],
  ];
  assert.equal(
    table(columns, rows),
    ["key     bytes  note", "a           1  x", "日本    1,000", "longer     22  y"].join("\n"),
  );
  assert.equal(table(columns, []), "key  bytes  note");
});

test("facts stand one under another", () => {
  assert.equal(
    facts([
      ["a", "1"],
      ["long", ""],
    ]),
    "a     1\nlong",
  );
});

test("bytes that would move a terminal's cursor are shown as numbers", () => {
  const shown = (text: string | Uint8Array, max?: number) => printable(Buffer.from(text as string), max);
  assert.equal(shown("user:42"), "user:42");
  assert.equal(shown("größe 😀"), "größe 😀");
  assert.equal(shown("\x1b[2Ja\r\n\t\x7f\x9b"), "\\x1b[2Ja\\r\\n\\t\\x7f\\x9b");
  assert.equal(shown(Uint8Array.of(0x61, 0xff, 0x0a)), "a\\xff\\n");
  assert.equal(shown("a\u202eb"), "a\\u{202e}b");
  assert.equal(shown("abcdef", 3), "abc…");
  assert.equal(shown("é".repeat(5000), 5), "ééééé…");
  assert.equal(shown("😀".repeat(3000).slice(0, 5999), 2), "😀😀…");
});

test("progress is silent for a second, then a bar on a terminal and a line now and then elsewhere", () => {
  for (const isTTY of [true, false]) {
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs, nowMs: () => nowMs, after: () => ({ cancel() {} }), soon: () => {} };
    const stream = Object.assign(new PassThrough(), {
      isTTY,
      columns: 120,
      cursorTo: () => true,
      clearLine: () => true,
      moveCursor: () => true,
    });
    const progress = new Progress({ label: "Reading {x}", total: 2048, unit: "bytes", clock, stream });
    progress.update(100);
    nowMs = 999;
    progress.update(200);
    assert.equal(stream.read(), null);
    nowMs = 11_000;
    progress.update(1024);
    const text = String(stream.read());
    progress.end();
    if (isTTY) assert.match(text, /Reading x/);
    else assert.equal(text, "Reading {x}: 50%, 1 KB of 2 KB\n");
  }
});
