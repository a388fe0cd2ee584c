/** `restore`, `history` and `diff` as programs, on files of a server that runs, and of the real one. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { everkeyProgram, startEverkey } from "../../test/support/everkey.ts";
import { redisCli, runTool, startRedis } from "../../test/support/redis.ts";
import { temporaryFolder } from "../../test/support/temp.ts";
import { commandBytes } from "../history/formats/aof-file.test.support.ts";

function everkey(...words: readonly string[]) {
  return runTool(process.execPath, [everkeyProgram(), ...words]);
}

/** A row of `history --json`. */
interface Row {
  readonly time: string;
  readonly timeMs: number;
  readonly offset: number;
  readonly command: string;
  readonly arguments: readonly string[];
}

/** What `restore --json` says, as far as it is looked at here. */
interface Restored {
  readonly isNewest: boolean;
  readonly keys: number;
  readonly failedCommands: number;
  readonly leftOut: unknown;
  readonly reached: { readonly offset: number; readonly timeMs: number; readonly replicationId: string };
  readonly output: { readonly replicationId: string };
}

async function json<Result>(...words: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await everkey(...words, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Names and bytes of all files of a folder. */
function contents(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry): [string, string] => {
      const path = join(entry.parentPath, entry.name);
      return [path, readFileSync(path, "latin1")];
    })
    .sort();
}

const LOGGED = { appendonly: "yes", "history-keep": "1d", appendfsync: "always" };

/** A data directory in which somebody has regretted a FLUSHALL, beside a server that goes on. */
async function regretted(t: { after(end: () => unknown): void }) {
  const dir = temporaryFolder(t, "going-back");
  const server = await startEverkey({ directives: LOGGED, dir });
  t.after(() => server.stop());
  await redisCli(server, ["SET", "user:42", "ann"]);
  await redisCli(server, ["HSET", "user:43", "name", "bob", "age", "41"]);
  await redisCli(server, ["-n", "3", "RPUSH", "jobs", "a", "b"]);
  await redisCli(server, ["SET", "session:9", "x", "PX", "1"]);
  await redisCli(server, ["GET", "session:9"]);
  await redisCli(server, ["FLUSHALL"]);
  await redisCli(server, ["SET", "user:42", "zoe"]);
  return { dir, server };
}

describe("everkey restore", () => {
  test("brings back what was before a FLUSHALL; a server starts on it, with or without appendonly", async (t) => {
    const { dir } = await regretted(t);
    const before = contents(dir);
    const output = join(temporaryFolder(t, "restored"), "data");
    const dry = await everkey("restore", "--dir", dir, "--before", "FLUSHALL", "--output", output, "--dry-run");
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^just before {2}FLUSHALL of 20.*, offset \d+, by 127\.0\.0\.1:\d+$/m);
    assert.match(dry.stdout, /nothing \(--dry-run\)/);
    assert.equal(existsSync(output), false);
    const done = await everkey("restore", "--dir", dir, "--before", "FLUSHALL", "--output", output);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(contents(dir), before, "the source stays as it was");
    for (const start of [startRedis, startEverkey]) {
      for (const appendonly of ["no", "yes"]) {
        const again = await start({ directives: { appendonly }, dir: output });
        t.after(() => again.stop());
        assert.equal(await redisCli(again, ["GET", "user:42"]), "ann");
        assert.equal(await redisCli(again, ["HGET", "user:43", "age"]), "41");
        assert.equal(await redisCli(again, ["-n", "3", "LRANGE", "jobs", "0", "-1"]), "a\nb");
        await again.stop();
      }
    }
  });

  test("leaves out the mistake alone, and goes to a moment and an offset, into a file", async (t) => {
    const { dir } = await regretted(t);
    const folder = temporaryFolder(t, "restored");
    const rows = await json<Row[]>("history", "--dir", dir, "--command", "FLUSHALL");
    const flush = rows[0]!;
    const without = join(folder, "without.rdb");
    const plan = await json<Restored>("restore", "--dir", dir, "--except", String(flush.offset), "--output", without);
    assert.deepEqual(plan.leftOut, [{ offset: flush.offset, command: "FLUSHALL" }]);
    assert.equal(plan.keys, 3);
    assert.equal(plan.failedCommands, 0);
    assert.notEqual(plan.output.replicationId, plan.reached.replicationId, "another history begins");
    const moment = join(folder, "moment.rdb");
    const at = await json<Restored>(
      "restore",
      "--dir",
      dir,
      "--to",
      new Date(flush.timeMs - 1).toISOString(),
      "--output",
      moment,
    );
    assert.equal(at.isNewest, false);
    assert.ok(at.reached.timeMs < flush.timeMs);
    const newest = await json<Restored>("restore", "--dir", dir, "--output", join(folder, "newest.rdb"));
    assert.deepEqual([newest.isNewest, newest.keys], [true, 1]);
    assert.equal(newest.output.replicationId, newest.reached.replicationId);
    const byOffset = await json<Restored>("restore", "--dir", dir, "--to-offset", String(flush.offset), "--dry-run");
    assert.equal(byOffset.reached.offset, flush.offset);
    assert.equal(byOffset.keys, 3);
    for (const path of [without, moment]) {
      const { code, stdout } = await runTool("redis-check-rdb", [path]);
      assert.equal(code, 0, stdout);
    }
  });

  test("writes nothing into what is there, nor into the source", async (t) => {
    const { dir } = await regretted(t);
    const folder = temporaryFolder(t, "restored");
    const filled = join(folder, "filled");
    mkdirSync(filled);
    writeFileSync(join(filled, "mine"), "mine");
    writeFileSync(join(folder, "there.rdb"), "mine");
    symlinkSync(dir, join(folder, "link"));
    mkdirSync(join(dir, "empty"));
    const before = contents(dir);
    for (const [output, reason] of [
      [filled, /is not empty/],
      [join(folder, "there.rdb"), /is there already/],
      [dir, /is not empty/],
      [join(dir, "new"), /lies in .*, which is only read/],
      [join(dir, "empty"), /lies in/],
      [join(folder, "link", "new"), /lies in/],
    ] as const) {
      const { code, stderr } = await everkey("restore", "--dir", dir, "--output", output);
      assert.equal(code, 1, output);
      assert.match(stderr, reason, output);
    }
    assert.deepEqual(contents(dir), before);
    assert.deepEqual(readdirSync(filled), ["mine"]);
  });

  test("says what keys will be gone, and shifts their times or takes them away", async (t) => {
    const dir = temporaryFolder(t, "going-back");
    const [longAgo, beyond] = ["1000000000000", "32503680000000"];
    const records = [
      `#EK:999999999000 at ${"ab".repeat(20)} 0\r\n`,
      ...[
        ["SELECT", "0"],
        ["SET", "short", "x", "PXAT", longAgo],
        ["SET", "long", "x", "PXAT", beyond],
        ["SET", "ever", "x"],
      ].map((words) => commandBytes(...words).toString("latin1")),
    ];
    writeFileSync(join(dir, "a.aof.1.incr.aof"), records.join(""));
    writeFileSync(join(dir, "a.aof.manifest"), "file a.aof.1.incr.aof seq 1 type i\n");
    const folder = temporaryFolder(t, "restored");
    const choose = async (expiry: string) => {
      const output = join(folder, expiry);
      const { code, stdout, stderr } = await everkey(
        ...["restore", "--dir", dir, "--expiry", expiry, "--output", output],
      );
      assert.equal(code, 0, stderr);
      const again = await startRedis({ directives: { appendonly: "yes" }, dir: output });
      t.after(() => again.stop());
      const times = await redisCli(again, ["EVAL", "return {redis.call('TTL','long'),redis.call('DBSIZE')}", "0"]);
      await again.stop();
      return { stdout, times };
    };
    const keep = await choose("keep");
    assert.match(keep.stdout, /^expiring .*the time of 1 is over.*--expiry shift/m);
    assert.match(keep.times, /\n2$/);
    assert.match((await choose("none")).times, /^-1\n3$/);
    assert.match((await choose("shift")).stdout, /has the time left/);
  });

  test("tells wrong usage with exit code 2, and what cannot be reached with 1", async (t) => {
    const { dir } = await regretted(t);
    for (const [words, reason] of [
      [["--dir", dir], /--output says where/],
      [["--dir", dir, "--to", "soon", "--dry-run"], /--to takes a moment/],
      [["--dir", dir, "--to", "now", "--before", "DEL", "--dry-run"], /only one of/],
      [["--dir", dir, "--nth", "2", "--dry-run"], /--nth counts/],
      [["--dir", dir, "--to-offset", "x", "--dry-run"], /whole number/],
      [["--dir", dir, "--expiry", "later", "--dry-run"], /keep, shift or none/],
      [["--dry-run"], /--dir/],
    ] as const) {
      const { code, stderr } = await everkey("restore", ...words);
      assert.equal(code, 2, `${words.join(" ")}: ${stderr}`);
      assert.match(stderr, reason);
    }
    for (const [words, reason] of [
      [["--dir", dir, "--to", "2001-01-01"], /lies before the history, which begins at 20/],
      [["--dir", dir, "--before", "SWAPDB"], /the history holds no SWAPDB/],
      [["--dir", join(dir, "none")], /there is no such directory/],
      [["--dir", dir, "--except", "1"], /no command begins at offset 1/],
    ] as const) {
      const { code, stderr } = await everkey("restore", ...words, "--dry-run");
      assert.equal(code, 1, `${words.join(" ")}: ${stderr}`);
      assert.match(stderr, reason);
    }
  });
});

describe("everkey history", () => {
  test("shows one key's life as a table and as JSON, in both directions", async (t) => {
    const { dir } = await regretted(t);
    const { code, stdout, stderr } = await everkey("history", "--dir", dir, "--key", "user:42");
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 5);
    assert.match(lines[0]!, /^time +offset +client +db +command$/);
    assert.match(lines[1]!, /1\.base\.rdb does not hold user:42$/);
    assert.match(lines[2]!, /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+ +0 {2}SET "user:42" "ann"$/);
    assert.match(lines[3]!, /127\.0\.0\.1:\d+ +0 {2}FLUSHALL$/);
    const rows = await json<Row[]>("history", "--dir", dir, "--key", "user:42");
    assert.deepEqual(
      rows.slice(1).map((row) => [row.command, ...row.arguments]),
      [["SET", "user:42", "ann"], ["FLUSHALL"], ["SET", "user:42", "zoe"]],
    );
    const newest = await json<Row[]>("history", "--dir", dir, "--reverse", "--limit", "2");
    assert.deepEqual(
      newest.map((row) => row.command),
      ["SET", "FLUSHALL"],
    );
    const expired = await json<Row[]>("history", "--dir", dir, "--source", "expired");
    assert.deepEqual(
      expired.map((row) => [row.command, ...row.arguments]),
      [["DEL", "session:9"]],
    );
    assert.deepEqual(await json<Row[]>("history", "--dir", dir, "--key", "nosuch", "--command", "SET"), [
      { base: "appendonly.aof.1.base.rdb", offset: 0, time: rows[0]!.time, holds: [] },
    ]);
  });

  test("ends quietly when its reader has seen enough", async (t) => {
    const { dir } = await regretted(t);
    const shell = `${process.execPath} ${everkeyProgram()} history --dir ${dir} | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await runTool("bash", ["-c", shell]);
    assert.match(stdout, /^time .*\n0\n$/);
    assert.equal(stderr, "");
  });
});

describe("everkey diff", () => {
  test("says what was created, changed and deleted, with values", async (t) => {
    const { dir } = await regretted(t);
    const flush = (await json<Row[]>("history", "--dir", dir, "--command", "FLUSHALL"))[0]!;
    const { code, stdout, stderr } = await everkey("diff", "--dir", dir, "--from-offset", String(flush.offset));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ 0 {2}changed {2}"user:42" {2}"ann" → "zoe"$/m);
    assert.match(stdout, /^ 0 {2}deleted {2}"user:43" {2}hash of 2: "age"="41" "name"="bob"$/m);
    assert.match(stdout, /^ 3 {2}deleted {2}"jobs" +list of 2: "a" "b"$/m);
    assert.match(stdout, /^0 created, 1 changed, 2 deleted between /m);
    const found = await json<{ changes: unknown }>(
      "diff",
      "--dir",
      dir,
      "--from-offset",
      "0",
      "--match",
      "user:*",
      "--type",
      "string",
    );
    assert.deepEqual(found.changes, [
      { database: 0, key: "user:42", change: "created", after: { type: "string", value: "zoe" } },
    ]);
    const same = await everkey("diff", "--dir", dir, "--from", "now");
    assert.match(same.stdout, /^Nothing is different between /);
    const wrong = await everkey("diff", "--dir", dir);
    assert.equal(wrong.code, 2);
  });
});

describe("files of the real server", () => {
  test("have their moments in order for diff, though they say no offsets", async (t) => {
    const dir = temporaryFolder(t, "going-back");
    const folder = join(dir, "appendonlydir");
    mkdirSync(folder);
    writeFileSync(join(folder, "appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n");
    const records = [100, 200].flatMap((seconds) => [
      Buffer.from(`#TS:${seconds}\r\n`),
      commandBytes("SET", `k${seconds}`, "1"),
    ]);
    writeFileSync(join(folder, "appendonly.aof.1.incr.aof"), Buffer.concat(records));
    const forwards = await everkey("diff", "--dir", dir, "--from", "150", "--to", "250");
    assert.match(forwards.stdout, /^1 created, 0 changed, 0 deleted/m, forwards.stderr);
    const backwards = await everkey("diff", "--dir", dir, "--from", "250", "--to", "150");
    assert.match(backwards.stderr, /the second moment lies before the first one/);
    assert.equal(backwards.code, 1);
  });

  test("are gone back in by time and offset, across a rewrite", async (t) => {
    const dir = temporaryFolder(t, "going-back");
    const server = await startRedis({ directives: { appendonly: "yes", "aof-timestamp-enabled": "yes" }, dir });
    t.after(() => server.stop());
    await redisCli(server, ["SET", "a", "1"]);
    await redisCli(server, ["BGREWRITEAOF"]);
    await redisCli(server, ["EVAL", "for i=1,50 do redis.call('RPUSH','l',i) end", "0"]);
    while ((await redisCli(server, ["INFO", "persistence"])).includes("aof_rewrite_in_progress:1"));
    await redisCli(server, ["SET", "b", "1", "EX", "1000"]);
    await redisCli(server, ["DEL", "a"]);
    const expected = await redisCli(server, ["DEBUG", "DIGEST"]);
    await server.stop();
    const rows = await json<Row[]>("history", "--dir", dir, "--key", "a");
    assert.equal(rows.at(-1)!.command, "DEL");
    assert.equal(rows.at(-1)!.timeMs % 1000, 0);
    const folder = temporaryFolder(t, "restored");
    const digestOf = async (output: string, ...words: string[]): Promise<string> => {
      const { code, stderr } = await everkey("restore", "--dir", dir, ...words, "--output", output);
      assert.equal(code, 0, stderr);
      const again = await startRedis({ directives: { appendonly: "yes" }, dir: output });
      t.after(() => again.stop());
      const digest = await redisCli(again, ["DEBUG", "DIGEST"]);
      const length = await redisCli(again, ["LLEN", "l"]);
      await again.stop();
      return `${digest} ${length}`;
    };
    assert.equal(await digestOf(join(folder, "newest")), `${expected} 50`);
    assert.equal(await digestOf(join(folder, "time"), "--to", "now"), `${expected} 50`);
    assert.notEqual(await digestOf(join(folder, "before"), "--before-del", "a"), `${expected} 50`);
    assert.equal(
      await digestOf(join(folder, "except"), "--except", String(rows.at(-1)!.offset)),
      await digestOf(join(folder, "offset"), "--to-offset", String(rows.at(-1)!.offset)),
    );
  });
});
