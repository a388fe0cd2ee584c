import assert from "node:assert/strict";
import { test } from "node:test";
import { CommitWindow } from "./commit-window.ts";

const SYNC_MS = 4;

/** A world of 50 clients that ask again `returnMs` after their reply; how long each fsync waited behind the one before. */
function waitsOf(window: CommitWindow, returnMs: number, syncCount: number): number[] {
  const waits: number[] = [];
  let nowMs = 0;
  for (let count = 0; count < syncCount; count++) {
    window.begin(nowMs);
    nowMs += SYNC_MS;
    window.end(nowMs, 50);
    const endedMs = nowMs;
    while (window.remainingMs(nowMs, nowMs - endedMs >= returnMs ? 50 : 10) > 0) nowMs += 0.1;
    waits.push(nowMs - endedMs);
  }
  return waits;
}

test("clients that come back soon are waited for, all of them", () => {
  const waits = waitsOf(new CommitWindow(), 1, 100);
  for (const waitMs of waits.slice(20)) assert.ok(Math.abs(waitMs - 1) < 0.2, `waited ${waitMs} ms`);
});

test("clients that take longer than an fsync are not waited for, but now and then to see whether they still do", () => {
  const window = new CommitWindow();
  const waits = waitsOf(window, 10, 320);
  // By then it is learned.
  assert.equal(waits.slice(32).filter((waitMs) => waitMs > 0).length, 9);
  assert.ok(Math.max(...waits) <= SYNC_MS + 0.1);
  // They have become faster.
  assert.ok(
    waitsOf(window, 1, 320)
      .slice(200)
      .filter((waitMs) => waitMs > 0.5).length > 100,
  );
});

test("nobody waits before the first fsync, nor for more than there were, nor for clients of whom there is one", () => {
  assert.equal(new CommitWindow().remainingMs(0, 0), 0);
  const window = new CommitWindow();
  window.begin(0);
  window.end(SYNC_MS, 1);
  assert.equal(window.remainingMs(SYNC_MS, 1), 0);
});

test("a device that hangs makes nobody wait long behind it", () => {
  const window = new CommitWindow();
  window.begin(0);
  window.end(10_000, 50);
  assert.equal(window.remainingMs(10_000, 1), 4);
  assert.equal(window.remainingMs(10_004, 1), 0);
});

test("behind a fast fsync nobody waits", () => {
  const window = new CommitWindow();
  let nowMs = 0;
  for (let count = 0; count < 100; count++) {
    window.begin(nowMs);
    nowMs += 0.2;
    window.end(nowMs, 50);
    assert.equal(window.remainingMs(nowMs, 10), 0);
  }
});
