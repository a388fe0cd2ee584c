import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { check, type Moment, Seen, Story, SURVIVALS } from "./append-only-story.ts";

/** What a server goes through; a crash is tried before each step of the disk. */
type Chapter = (story: Story) => void;

const CHAPTERS: readonly (readonly [name: string, directives: readonly string[], chapters: readonly Chapter[]])[] = [
  ["writes", [], [(story) => story.writes(6)]],
  ["writes with times", ["--history-keep", "1d", "--aof-timestamp-enabled", "yes"], [(story) => story.writes(6)]],
  [
    "rewrites",
    [],
    [
      (story) => story.writes(2),
      (story) => rewriteUnderWrites(story),
      (story) => rewriteUnderWrites(story),
      (story) => story.writes(2),
    ],
  ],
  [
    "rewrites that keep the history",
    ["--history-keep", "1d"],
    [
      (story) => story.writes(2),
      (story) => rewriteUnderWrites(story),
      (story) => rewriteUnderWrites(story),
      (story) => {
        story.ask("CONFIG", "SET", "history-keep", "0");
        story.rest(70_000);
      },
    ],
  ],
  [
    "rewrites without automatic removal, as commands",
    ["--aof-disable-auto-gc", "yes", "--aof-use-rdb-preamble", "no"],
    [
      (story) => story.writes(2),
      (story) => rewriteUnderWrites(story),
      (story) => story.ask("CONFIG", "SET", "aof-disable-auto-gc", "no"),
      (story) => rewriteUnderWrites(story),
    ],
  ],
  [
    "off and on",
    [],
    [
      (story) => story.writes(2),
      (story) => turnOffAndOn(story),
      (story) => story.writes(2),
      (story) => rewriteUnderWrites(story),
    ],
  ],
  [
    "shutdown",
    [],
    [
      (story) => story.writes(3),
      (story) => {
        story.client().command("SHUTDOWN");
        story.rest();
      },
    ],
  ],
];

/** Writes between all that a rewrite does in the background. */
function writeMeanwhile(story: Story): void {
  const { background } = story.world.host;
  assert.ok(story.world.server.appendOnly.isRewriting());
  for (let step = 0; background.heldCount > 0; step++) {
    if (step % 2 === 0) story.write();
    background.step();
    story.rest(50);
  }
  background.release();
  story.rest();
  assert.equal(story.world.server.appendOnly.lastRewriteStatus, "ok");
}

function rewriteUnderWrites(story: Story): void {
  story.world.host.background.isHeld = true;
  assert.match(story.ask("BGREWRITEAOF"), /started/);
  writeMeanwhile(story);
}

function turnOffAndOn(story: Story): void {
  const { promises } = story;
  const { appendOnly, host } = { appendOnly: story.world.server.appendOnly, host: story.world.host };
  story.promises = false;
  assert.equal(story.ask("CONFIG", "SET", "appendonly", "no"), "+OK\r\n");
  story.writes(2);
  host.background.isHeld = true;
  assert.equal(story.ask("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  writeMeanwhile(story);
  assert.equal(appendOnly.file.state, "on");
  story.promises = promises;
  if (promises) story.promised = story.applied.length;
}

for (const [name, directives, chapters] of CHAPTERS) {
  for (const policy of ["always", "everysec"]) {
    test(`${name}, appendfsync ${policy}: after a crash at any step everything that was promised is there`, async (t) => {
      const all = [...directives, "--appendfsync", policy];
      const disk = new VirtualDisk();
      const story = Story.make(disk, ...all);
      story.promises = policy === "always";
      const moments: Moment[] = [];
      const seen = new Seen();
      let steps = 0;
      const take = (operation: string, path: string): void => {
        // The worst each time, the others in turn.
        for (const survival of [SURVIVALS[0]!, SURVIVALS[1 + (steps % 3)]!]) {
          const where = `${steps} ${operation} ${path}, then ${JSON.stringify(survival)}`;
          const moment = story.moment(survival, where);
          if (seen.isNew(moment)) moments.push(moment);
        }
      };
      disk.fault = (_step, operation, path) => {
        steps++;
        if (!["stat", "read", "list", "close"].includes(operation)) take(operation, path);
        return undefined;
      };
      await story.world.start();
      for (const chapter of chapters) {
        chapter(story);
        if (policy === "everysec") {
          story.rest(1200);
          // Nothing that was synced is missing.
          if (story.world.server.appendOnly.file.state === "on") story.promised = story.applied.length;
        }
      }
      take("the end", "");
      disk.fault = () => undefined;
      assert.ok(moments.length > 8, String(moments.length));
      for (const [index, moment] of moments.entries()) {
        const after = await check(moment, ...all);
        if (index % 8 !== 0) {
          await after.world.stop();
          continue;
        }
        // What was found can be gone on with.
        after.promises = policy === "always";
        after.writes(2);
        after.rewrite();
        after.writes(1);
        after.rest(1200);
        assert.equal(after.world.server.appendOnly.lastRewriteStatus, "ok", moment.where);
        const again = after.moment(SURVIVALS[0]!, `${moment.where}, and then another`);
        await after.world.stop();
        const last = await check({ ...again, promised: after.applied.length }, ...all);
        await last.world.stop();
      }
      t.diagnostic(`${moments.length} disks after ${steps} steps`);
    });
  }
}
