/** `everkey inspect` as a person runs it, on files of the real server: tables, JSON, CSV, exit codes. */

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { everkeyProgram, startEverkey } from "../../test/support/everkey.ts";
import { redisCli, runTool, startRedis } from "../../test/support/redis.ts";
import { createFolder, removeFolder } from "../../test/support/temp.ts";

function everkey(...words: string[]) {
  return runTool(process.execPath, [everkeyProgram(), ...words]);
}

interface InspectedKeys {
  keys: number;
  elements: number;
  expiring: number;
  expired: number;
}

interface Inspected {
  isWhole: boolean;
  kind: string;
  problems: { path: string; key: string | null; message: string }[];
  files: {
    name: string;
    role: string;
    kind: string;
    rdb:
      | (InspectedKeys & {
          producer: Record<string, string>;
          databases: (InspectedKeys & { database: number; types: (InspectedKeys & { type: string })[] })[];
          biggestKeys: { key: string; keyBase64?: string; elements: number; memoryBytes: number | null }[];
          prefixes: { prefix: string; keys: number }[];
        })
      | null;
    aof: {
      commands: number;
      transactions: number;
      commandNames: { name: string; count: number }[];
      firstTimeMs: number | null;
    } | null;
  }[];
}

async function inspected(...words: string[]): Promise<Inspected & { code: number }> {
  const { code, stdout, stderr } = await everkey("inspect", ...words, "--json");
  assert.equal(stderr, "");
  return { ...JSON.parse(stdout), code };
}

describe("everkey inspect on files of the real server", () => {
  let dir = "";

  before(async () => {
    dir = createFolder("inspect");
    const directives = { appendonly: "yes", "aof-timestamp-enabled": "yes", "auto-aof-rewrite-percentage": "0" };
    const server = await startRedis({ directives });
    const commands = [
      "MSET user:1 a user:2 b user:3 c plain 12345 big:one two",
      "EXPIRE user:1 100000",
      "PEXPIREAT user:2 99999999999999",
      `RPUSH big:list ${Array.from({ length: 600 }, (_, index) => `item${index}`).join(" ")}`,
      "HSET big:hash f1 v1 f2 v2",
      "ZADD zset 1 a 2 b 3 c",
      "SADD set 1 2 3",
      "XADD stream * field value",
      'SET "key, \\"quoted\\"\\x00\\xff" 1',
      "SELECT 3",
      "SET three 3",
    ];
    await redisCli(server, [], `${commands.join("\n")}\n`);
    await redisCli(server, ["SAVE"]);
    cpSync(server.dir, dir, { recursive: true });
    await server.stop();
  });
  after(() => removeFolder(dir));

  test("counts keys by database and type, names the biggest, and tells the producer", async () => {
    const { code, isWhole, kind, files } = await inspected(join(dir, "dump.rdb"), "--by", "elements");
    assert.deepEqual([code, isWhole, kind, files.length], [0, true, "file", 1]);
    const rdb = files[0]!.rdb!;
    assert.match(rdb.producer["redis-ver"]!, /^7\.0\./);
    assert.deepEqual([rdb.keys, rdb.expiring, rdb.expired], [12, 2, 0]);
    assert.deepEqual(
      rdb.databases.map(({ database, keys }) => [database, keys]),
      [
        [0, 11],
        [3, 1],
      ],
    );
    const types = rdb.databases[0]!.types.map(({ type, keys, elements }) => [type, [keys, elements]] as const);
    assert.deepEqual(
      new Map(types),
      new Map<string, number[]>([
        ["string", [6, 6]],
        ["list", [1, 600]],
        ["hash", [1, 2]],
        ["zset", [1, 3]],
        ["set", [1, 3]],
        ["stream", [1, 1]],
      ]),
    );
    assert.deepEqual(
      rdb.biggestKeys.slice(0, 1).map(({ key, elements }) => [key, elements]),
      [["big:list", 600]],
    );
    const prefixes = new Map(rdb.prefixes.map(({ prefix, keys }) => [prefix, keys]));
    assert.deepEqual([prefixes.get("user:"), prefixes.get("big:"), prefixes.get("")], [3, 3, 6]);
    const strange = (await inspected(join(dir, "dump.rdb"), "--top", "99")).files[0]!.rdb!.biggestKeys;
    const binary = strange.find(({ keyBase64 }) => keyBase64 !== undefined)!;
    assert.equal(Buffer.from(binary.keyBase64!, "base64").toString("latin1"), 'key, "quoted"\0ÿ');
  });

  test("CSV has a line for each key, with its bytes as they are", async () => {
    const args = [everkeyProgram(), "inspect", join(dir, "dump.rdb"), "--csv"];
    const { code, stdout } = await runTool(process.execPath, args);
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines[0], "database,key,type,encoding,elements,bytes,expire_at_ms");
    assert.equal(lines.length, 13);
    assert.ok(lines.includes("0,user:2,string,embstr,1,19,99999999999999"), stdout);
    assert.ok(lines.some((line) => /^0,big:list,list,quicklist,600,\d+,$/.test(line)));
    assert.ok(lines.some((line) => line.startsWith('0,"key, ""quoted""\0')));
    assert.ok(lines.some((line) => /^3,three,string,int,1,\d+,$/.test(line)));
  });

  test("an append-only folder tells commands by name, transactions and times", async () => {
    const { code, kind, files } = await inspected(dir);
    assert.deepEqual([code, kind], [0, "data-directory"]);
    assert.deepEqual(
      files.map(({ name, role }) => [name, role]),
      [
        ["dump.rdb", "snapshot"],
        ["appendonly.aof.1.base.rdb", "base"],
        ["appendonly.aof.1.incr.aof", "increment"],
      ],
    );
    const aof = files[2]!.aof!;
    const names = new Map(aof.commandNames.map(({ name, count }) => [name, count]));
    assert.deepEqual([names.get("MSET"), names.get("PEXPIREAT"), names.get("SELECT")], [1, 2, 2]);
    assert.equal(
      aof.commands,
      [...names.values()].reduce((sum, count) => sum + count, 0),
    );
    assert.ok(aof.firstTimeMs! > 1_700_000_000_000);
  });

  test("tables are for people: units, alignment, no colours where there is no terminal", async () => {
    const { code, stdout, stderr } = await everkey("inspect", dir);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^Data directory /);
    assert.match(stdout, /RDB, version 10, /);
    assert.match(stdout, /\nkeys +12 in 2 databases\n/);
    assert.match(stdout, /\nwith expiry +2, of which 0 are over by now\n/);
    assert.match(stdout, /Prefixes up to the first :\nprefix +keys +in file +share/);
    assert.match(stdout, /key, "quoted"\\x00\\xff/);
    assert.doesNotMatch(stdout, /\x1b/);
    const prefixes = await everkey("inspect", join(dir, "dump.rdb"), "--separator", "");
    assert.doesNotMatch(prefixes.stdout, /Prefixes/);
  });

  test("--memory is what MEMORY USAGE says once the file is loaded", async () => {
    const { files } = await inspected(join(dir, "dump.rdb"), "--memory", "--top", "99");
    const home = createFolder("inspect");
    after(() => removeFolder(home));
    cpSync(join(dir, "dump.rdb"), join(home, "dump.rdb"));
    const server = await startEverkey({ dir: home });
    try {
      const client = await server.connect();
      for (const { key, memoryBytes } of files[0]!.rdb!.biggestKeys) {
        if (key.startsWith("key, ") || key === "three") continue;
        assert.equal(await client.ask("MEMORY", "USAGE", key, "SAMPLES", "0"), memoryBytes, key);
      }
    } finally {
      await server.stop();
    }
  });

  test("a damaged file is told with exit code 1, with what could be read of it", async () => {
    const cut = join(dir, "cut.rdb");
    const bytes = readFileSync(join(dir, "dump.rdb"));
    // Within what comes last: which key that is, the real server's chance decides.
    writeFileSync(cut, bytes.subarray(0, bytes.length - 12));
    const { code, isWhole, files, problems } = await inspected(cut);
    assert.deepEqual([code, isWhole, problems.length], [1, false, 1]);
    assert.ok(files[0]!.rdb!.keys >= 1);
    const text = await everkey("inspect", cut);
    assert.equal(text.code, 1);
    assert.match(text.stdout, /Not whole: .*cut\.rdb, at byte \d+/);
    removeFolder(cut);
  });

  test("wrong usage is exit code 2, what is not there exit code 1", async () => {
    const wrong = [[], ["a", "--top", "x"], ["a", "--by", "size"], ["a", "--json", "--csv"], ["a", "--depth", "0"]];
    for (const words of [...wrong, [dir, "--csv"], [join(dir, "appendonlydir/appendonly.aof.1.incr.aof"), "--csv"]]) {
      const { code, stderr } = await everkey("inspect", ...words);
      assert.equal(code, 2, words.join(" "));
      assert.notEqual(stderr, "");
    }
    const { code, stderr } = await everkey("inspect", join(dir, "nosuch"));
    assert.equal(code, 1);
    assert.match(stderr, /No such file or directory/);
  });
});
