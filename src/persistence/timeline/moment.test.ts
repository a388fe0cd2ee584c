import assert from "node:assert/strict";
import { test } from "node:test";
import { momentText, parseMoment } from "./moment.ts";

const NOW = new Date(2026, 10, 20, 18, 30, 5, 123).getTime();
const local = (...parts: [number, number, number, number?, number?, number?, number?]): number =>
  new Date(...parts).getTime();

test("moments are local time unless they say otherwise", () => {
  for (const [text, expected] of [
    ["2026-11-20 10:15:03.250", local(2026, 10, 20, 10, 15, 3, 250)],
    ["2026-11-20 10:15:03,25", local(2026, 10, 20, 10, 15, 3, 250)],
    ["2026-11-20 10:15:03", local(2026, 10, 20, 10, 15, 3)],
    ["2026-11-20 10:15", local(2026, 10, 20, 10, 15)],
    ["2026-11-20T10:15:03.123456", local(2026, 10, 20, 10, 15, 3, 123)],
    ["2026-11-20", local(2026, 10, 20)],
    ["10:15:03.250", local(2026, 10, 20, 10, 15, 3, 250)],
    ["9:05", local(2026, 10, 20, 9, 5)],
    ["2026-11-20T10:15:03.250Z", Date.UTC(2026, 10, 20, 10, 15, 3, 250)],
    ["2026-11-20 10:15:03+01:00", Date.UTC(2026, 10, 20, 9, 15, 3)],
    ["2026-11-20T10:15:03-0330", Date.UTC(2026, 10, 20, 13, 45, 3)],
    ["1795240503", 1795240503000],
    ["1795240503.25", 1795240503250],
    ["1795240503250", 1795240503250],
    ["now", NOW],
    ["5 minutes ago", NOW - 300_000],
    ["1 hour ago", NOW - 3_600_000],
    ["1.5h ago", NOW - 5_400_000],
    ["90s ago", NOW - 90_000],
    ["250 ms ago", NOW - 250],
    ["2 days ago", NOW - 172_800_000],
    ["1 week ago", NOW - 604_800_000],
  ] as const) {
    assert.equal(parseMoment(text, NOW), expected, text);
  }
});

test("what is no moment is not guessed", () => {
  for (const text of [
    "",
    "yesterday",
    "2026-13-01",
    "2026-02-30",
    "2026-11-20 25:00",
    "2026-11-20 10:61",
    "2026-11-20 10",
    "20.11.2026",
    "10:15Z",
    "5 minutes",
    "5 fortnights ago",
    "-5",
    "2026-11-20 10:15:03 CET",
    "2026-11-20 10:15+99:00",
    "2026-11-20 10:15+01:75",
    "0050-01-01",
    "a 10:15",
  ]) {
    assert.equal(parseMoment(text, NOW), undefined, text);
  }
});

test("an hour that the clocks pass over in spring is no moment, and the one that they show twice is its first", (t) => {
  const zone = process.env.TZ;
  t.after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  process.env.TZ = "Europe/Berlin";
  assert.equal(parseMoment("2026-03-29 01:59:59", NOW), Date.UTC(2026, 2, 29, 0, 59, 59));
  assert.equal(parseMoment("2026-03-29 02:30", NOW), undefined);
  assert.equal(parseMoment("2026-03-29 03:00", NOW), Date.UTC(2026, 2, 29, 1));
  assert.equal(parseMoment("2026-10-25 02:30", NOW), Date.UTC(2026, 9, 25, 0, 30));
  assert.equal(parseMoment("2026-10-25 02:30+01:00", NOW), Date.UTC(2026, 9, 25, 1, 30));
  process.env.TZ = "Africa/Cairo";
  assert.equal(parseMoment("2026-04-24", NOW), Date.UTC(2026, 3, 23, 22));
});

test("a moment that is shown is understood as the same moment", () => {
  assert.equal(parseMoment(momentText(NOW), 0), NOW);
  assert.equal(momentText(Number.NaN), "an unknown time");
});
