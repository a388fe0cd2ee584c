/** `everkey check` as a person runs it, beside redis-check-rdb and redis-check-aof, on files of both servers. */

import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../../test/support/child-server.ts";
import { everkeyProgram, startEverkey } from "../../test/support/everkey.ts";
import { redisCli, runTool, startRedis } from "../../test/support/redis.ts";
import { repositoryRoot } from "../../test/support/repository.ts";
import { createFolder, removeFolder, temporaryFolder } from "../../test/support/temp.ts";
import { waitUntil } from "../../test/support/wait.ts";

const LOG = "appendonlydir";
const MANIFEST = join(LOG, "appendonly.aof.manifest");

function everkey(...words: string[]) {
  return runTool(process.execPath, [everkeyProgram(), ...words]);
}

interface Checked {
  code: number;
  isWhole: boolean;
  files: { name: string; isWhole: boolean; keys: number | null; commands: number | null; checksum: string | null }[];
  problems: { path: string; offset: number | null; wholeBytes: number | null; message: string; isTornTail: boolean }[];
  notes: string[];
  fix: {
    cut: { keptBytes: number; cutBytes: number; beginning: string; asidePath: string } | null;
    reason: string;
  } | null;
}

async function checked(...words: string[]): Promise<Checked> {
  const { code, stdout, stderr } = await everkey("check", ...words, "--json");
  assert.equal(stderr, "");
  const result = { ...JSON.parse(stdout), code };
  assert.equal(result.isWhole, code === 0);
  return result;
}

/** Whether redis-check-rdb and redis-check-aof find nothing wrong. */
async function redisSaysWhole(path: string): Promise<boolean> {
  const tool = path.endsWith(".rdb") ? "redis-check-rdb" : "redis-check-aof";
  return (await runTool(tool, [path])).code === 0;
}

const COMMANDS = [
  "SET a 1",
  "SET gone soon PX 100000",
  "RPUSH list 1 2 3",
  "HSET hash f v",
  "ZADD zset 1 a",
  "SADD set x y",
  "XADD stream * f v",
  "MULTI",
  "SET b 2",
  "INCR b",
  "EXEC",
  "SELECT 2",
  "SET c 3",
];

/** Writes, rewrites, writes again; leaves a data directory with a snapshot and a log in `dir`. */
async function fill(server: ChildServer, dir: string): Promise<void> {
  await redisCli(server, [], `${COMMANDS.join("\n")}\n`);
  await redisCli(server, ["BGREWRITEAOF"]);
  await waitUntil("the rewrite is over", async () => {
    const info = await redisCli(server, ["INFO", "persistence"]);
    return info.includes("aof_rewrite_in_progress:0") && info.includes("aof_rewrite_scheduled:0");
  });
  await redisCli(server, [], `${COMMANDS.join("\n")}\n`);
  await redisCli(server, ["SAVE"]);
  await redisCli(server, ["SHUTDOWN", "NOSAVE"]).catch(() => undefined);
  await server.exited;
  cpSync(server.dir, dir, { recursive: true });
}

for (const name of ["redis", "everkey"] as const) {
  describe(`everkey check on files of ${name}`, () => {
    let dir = "";
    let home = "";

    before(async () => {
      home = createFolder("check");
      dir = createFolder("check");
      const directives = { appendonly: "yes", "auto-aof-rewrite-percentage": "0" };
      const start = name === "redis" ? startRedis : startEverkey;
      await fill(await start({ dir: home, directives }), dir);
    });
    after(() => {
      removeFolder(home);
      removeFolder(dir);
    });

    const incrementOf = (folder: string): string => {
      const lines = readFileSync(join(folder, MANIFEST), "latin1").trim().split("\n");
      return join(folder, LOG, lines.at(-1)!.split(" ")[1]!);
    };
    const baseOf = (folder: string): string => {
      const lines = readFileSync(join(folder, MANIFEST), "latin1").trim().split("\n");
      return join(folder, LOG, lines[0]!.split(" ")[1]!);
    };

    test("all of it is whole, as the tools of Redis say", async () => {
      const { isWhole, problems, files } = await checked(dir);
      assert.deepEqual([isWhole, problems], [true, []]);
      assert.equal(files[0]!.keys, 9);
      assert.equal(files[0]!.checksum, "right");
      assert.ok(await redisSaysWhole(join(dir, "dump.rdb")));
      assert.ok(await redisSaysWhole(join(dir, MANIFEST)));
      const { code, stdout } = await everkey("check", join(dir, "dump.rdb"));
      assert.equal(code, 0);
      assert.match(stdout, /whole: RDB version 10, 9 keys, check sum right/);
    });

    test("a torn tail is cut at the place that redis-check-aof names, and the real server loads the rest", async (t) => {
      const copy = temporaryFolder(t, "check");
      const bytes = readFileSync(incrementOf(dir)).length;
      // Within the last command; within its transaction; within the line that begins a command.
      for (const cut of [3, 75, 105]) {
        cpSync(dir, copy, { recursive: true });
        const increment = incrementOf(copy);
        truncateSync(increment, bytes - cut);
        const torn = readFileSync(increment);
        const said = await runTool("redis-check-aof", [join(copy, MANIFEST)]);
        assert.equal(said.code, 1);
        const okUpTo = Number(/incr\.aof, size=\d+, ok_up_to=(\d+)/.exec(said.stdout)![1]);
        const found = await checked(copy);
        assert.deepEqual(
          found.problems.map(({ isTornTail, wholeBytes }) => [isTornTail, wholeBytes]),
          [[true, okUpTo]],
        );
        const fixed = await checked(copy, "--fix");
        assert.equal(fixed.code, 0);
        const { keptBytes, cutBytes, asidePath } = fixed.fix!.cut!;
        assert.deepEqual([keptBytes, cutBytes], [okUpTo, torn.length - okUpTo]);
        assert.deepEqual(readFileSync(increment), torn.subarray(0, okUpTo));
        assert.deepEqual(readFileSync(asidePath), torn);
        assert.ok(await redisSaysWhole(join(copy, MANIFEST)));
        const server = await startRedis({ dir: copy, directives: { appendonly: "yes" } });
        assert.equal(await redisCli(server, ["EXISTS", "a", "list", "hash"]), "3");
        await server.stop();
        removeFolder(copy);
      }
    });

    test("an RDB file with a changed byte or a missing end is not whole, as redis-check-rdb says", async (t) => {
      const path = join(temporaryFolder(t, "check"), "dump.rdb");
      const bytes = readFileSync(join(dir, "dump.rdb"));
      for (const place of [0, 6, 20, Math.floor(bytes.length / 2), bytes.length - 20, bytes.length - 3]) {
        const changed = Buffer.from(bytes);
        changed[place]! ^= 1;
        for (const damaged of [changed, bytes.subarray(0, place)]) {
          writeFileSync(path, damaged);
          assert.equal(await redisSaysWhole(path), false, `byte ${place}`);
          const { problems } = await checked(path);
          assert.equal(problems.length, 1, `byte ${place}`);
        }
      }
    });

    test("damage in the middle, a missing file and a damaged manifest are told, and --fix touches none of them", async (t) => {
      const copy = temporaryFolder(t, "check");
      const damages: [RegExp, () => void][] = [
        [
          /can be read again from offset/,
          () => {
            const bytes = readFileSync(incrementOf(copy));
            bytes.write("garbage!", bytes.indexOf("RPUSH") - 6, "latin1");
            writeFileSync(incrementOf(copy), bytes);
          },
        ],
        [/the manifest names it/, () => rmSync(incrementOf(copy))],
        [/the manifest names it/, () => rmSync(baseOf(copy))],
        [/Not whole: .*base\.rdb, at byte/, () => truncateSync(baseOf(copy), 150)],
        [/Invalid AOF manifest file format/, () => writeFileSync(join(copy, MANIFEST), "file x\n")],
        [/empty AOF manifest/, () => writeFileSync(join(copy, MANIFEST), "")],
        [/no manifest/, () => rmSync(join(copy, MANIFEST))],
      ];
      for (const [expected, damage] of damages) {
        removeFolder(copy);
        cpSync(dir, copy, { recursive: true });
        damage();
        const before = snapshotOf(copy);
        const { code, stdout, stderr } = await everkey("check", copy, "--fix");
        assert.deepEqual([code, stderr], [1, ""], String(expected));
        assert.match(stdout, expected);
        assert.match(stdout, /Nothing was changed: --fix cuts a torn tail of the last increment/);
        assert.deepEqual(snapshotOf(copy), before);
        // redis-check-aof takes an empty manifest for an empty file of old; redis-server refuses it, as we do.
        const isComparable = existsSync(join(copy, MANIFEST)) && readFileSync(join(copy, MANIFEST)).length > 0;
        if (isComparable) assert.equal(await redisSaysWhole(join(copy, MANIFEST)), false);
      }
    });
  });
}

/** All files below a folder with their bytes. */
function snapshotOf(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files[entry.name] = readFileSync(join(entry.parentPath, entry.name), "latin1");
  }
  return files;
}

test("an append-only file of a Redis before 7, with an RDB in front, is checked and cut", async (t) => {
  const dir = temporaryFolder(t, "check");
  const path = join(dir, "appendonly.aof");
  const rdb = readFileSync(join(repositoryRoot(), "test", "golden", "compact.rdb"));
  const whole = Buffer.concat([rdb, Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n")]);
  writeFileSync(path, Buffer.concat([whole, Buffer.from("*2\r\n$3\r\nDEL\r\n$1\r\n\x1b")]));
  const { code, stdout } = await everkey("check", path, "--fix");
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^Cut 18 bytes off the end of .*appendonly\.aof; [\d,]+ bytes are left\./);
  assert.match(stdout, /They began with: \*2\\r\\n\$3\\r\\nDEL\\r\\n\$1\\r\\n\\x1b\n/);
  assert.deepEqual(readFileSync(path), whole);
  assert.ok(await redisSaysWhole(path));
  const again = await everkey("check", path, "--fix");
  assert.deepEqual([again.code, /Nothing had to be fixed/.test(again.stdout)], [0, true]);
});

test("wrong usage is exit code 2, what is not there exit code 1", async (t) => {
  for (const words of [[], ["a", "b"], ["a", "--nosuch"]]) {
    const { code, stderr } = await everkey("check", ...words);
    assert.equal(code, 2, words.join(" "));
    assert.match(stderr, /--help/);
  }
  const empty = temporaryFolder(t, "check");
  assert.equal((await everkey("check", join(empty, "nosuch"))).code, 1);
  const { code, stdout } = await everkey("check", empty);
  assert.equal(code, 1);
  assert.match(stdout, /nothing that a server has written/);
});
