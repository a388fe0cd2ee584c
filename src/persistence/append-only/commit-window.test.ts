import assert from "node:assert/strict";
import { test } from "node:test";
import { CommitWindow } from "./commit-window.ts";

/** Behind an fsync from 100 to 104 ms that 50 replies waited for. */
function behindSync(): CommitWindow {
  const window = new CommitWindow();
  window.begin(100);
  window.end(104, 50);
  return window;
}

test("behind an fsync the next one waits for as many as there were, for a quarter of its time", () => {
  const window = behindSync();
  assert.equal(window.isOpen(104, 10), true);
  assert.equal(window.isOpen(104.9, 49), true);
  assert.equal(window.isOpen(104.5, 50), false);
  assert.equal(window.isOpen(105, 10), false);
});

test("nobody waits before the first fsync, nor long behind a slow one", () => {
  assert.equal(new CommitWindow().isOpen(0, 0), false);
  const window = new CommitWindow();
  window.begin(0);
  window.end(1000, 50);
  assert.equal(window.isOpen(1001.9, 1), true);
  assert.equal(window.isOpen(1002, 1), false);
});

test("one client alone never waits for others", () => {
  const window = new CommitWindow();
  window.begin(0);
  window.end(4, 1);
  assert.equal(window.isOpen(4, 1), false);
});

test("where time stands still it ends as well", () => {
  const window = behindSync();
  let rounds = 0;
  while (window.isOpen(104, 1)) rounds++;
  assert.equal(rounds, 1000);
});
