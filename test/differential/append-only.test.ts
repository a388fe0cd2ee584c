/** Append-only files of the real server here, and ours there: the same data, the same decisions about damage. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ChildServer, Directives } from "../support/child-server.ts";
import { startEverkey } from "../support/everkey.ts";
import type { Argument, RawClient } from "../support/raw-client.ts";
import { runTool, startRedis } from "../support/redis.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { createFolder, removeFolder, temporaryFolder } from "../support/temp.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";
import { waitUntil } from "../support/wait.ts";

const FAR_MS = 4_102_444_800_000;
const SUB = "appendonlydir";
const MANIFEST = `${SUB}/appendonly.aof.manifest`;
const BASE = `${SUB}/appendonly.aof.1.base.rdb`;
const INCREMENT = `${SUB}/appendonly.aof.1.incr.aof`;

/** Commands of all types and forms; `round` makes them different ones. */
function commands(round: number): Argument[][] {
  const key = (name: string): string => `${name}:${round % 3}`;
  return [
    ["SELECT", round % 4],
    ["SET", key("string"), `value ${round}`],
    ["SET", key("timed"), round, "PXAT", FAR_MS + round],
    ["INCRBYFLOAT", "float", "0.1"],
    ["APPEND", key("string"), Buffer.from([0, 13, 10, 255, round])],
    ["RPUSH", "list", round, "x", round * 2],
    ["LPOP", "list"],
    ["SADD", "set", "a", round, `member ${round}`],
    ["SPOP", "set"],
    ["HSET", "hash", "field", round, `f${round}`, "y".repeat(round)],
    ["HINCRBY", "hash", "n", 3],
    ["ZADD", "zset", round, `m${round}`, "1.5", "half"],
    ["ZINCRBY", "zset", 2, "half"],
    ["XADD", "stream", "*", "field", round],
    ["XGROUP", "CREATE", "stream", `group${round}`, "0"],
    ["XREADGROUP", "GROUP", `group${round}`, "consumer", "COUNT", 2, "STREAMS", "stream", ">"],
    ["SETBIT", "bits", round, 1],
    ["PFADD", "pf", round],
    ["MULTI"],
    ["INCR", "counter"],
    ["DEL", key("gone")],
    ["SET", key("gone"), "x"],
    ["EXEC"],
    ["EVAL", "redis.call('INCR', KEYS[1]) redis.call('LPUSH', KEYS[2], ARGV[1]) return 1", 2, "counter", "list", round],
    ["RENAME", key("gone"), "renamed"],
    ["PEXPIREAT", "renamed", FAR_MS],
    ...(round === 5
      ? [["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]]
      : []),
  ];
}

async function run(client: RawClient, list: readonly Argument[][]): Promise<void> {
  const replies = await client.pipeline(list);
  for (const [index, reply] of replies.entries()) {
    assert.ok(reply !== undefined && reply[0] !== 0x2d, `${list[index]!.join(" ")}: ${reply?.toString()}`);
  }
}

async function rewrite(client: RawClient): Promise<void> {
  assert.match(String(await client.ask("BGREWRITEAOF")), /rewriting started/);
  await waitUntil("the rewrite", async () => {
    const text = String(await client.ask("INFO", "persistence"));
    return text.includes("aof_rewrite_in_progress:0\r") && text.includes("aof_rewrite_scheduled:0\r");
  });
}

/** Some commands, a rewrite, more commands; then the digest. */
async function live(server: ChildServer, rewrites: number): Promise<string> {
  const client = await server.connect();
  for (let round = 0; round < 6; round++) await run(client, commands(round));
  for (let count = 0; count < rewrites; count++) {
    await rewrite(client);
    await run(client, commands(6 + count));
  }
  const digest = String(await client.ask("DEBUG", "DIGEST"));
  client.close();
  await server.stop();
  return digest;
}

/** What a server makes of a folder: the digest of its data, or what it said when it ended. */
interface Outcome {
  readonly digest: string | undefined;
  readonly text: string;
}

async function theirs(dir: string, directives: Directives = {}): Promise<Outcome> {
  let server: ChildServer;
  try {
    server = await startRedis({ dir, directives: { appendonly: "yes", ...directives } });
  } catch (error) {
    return { digest: undefined, text: (error as Error).message };
  }
  const client = await server.connect();
  const digest = String(await client.ask("DEBUG", "DIGEST"));
  client.close();
  await server.kill();
  return { digest, text: server.log() };
}

/** The same in memory; the folder stays as it is. */
async function ours(dir: string, ...directives: string[]): Promise<Outcome & { readonly disk: VirtualDisk }> {
  const disk = new VirtualDisk();
  disk.makeDirectory("/data");
  const copy = (folder: string, to: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) copy(path, `${to}/${name}`);
      else disk.put(`${to}/${name}`, readFileSync(path));
    }
  };
  copy(dir, "/data");
  const words = ["--save", "", "--appendonly", "yes", "--enable-debug-command", "yes", ...directives];
  const world = new VirtualServer({ disk, directives: words });
  const fault = await world.start().then(
    () => undefined,
    (error: Error) => error.message,
  );
  const text = world.lines.join("\n");
  if (fault !== undefined) return { digest: undefined, text: `${text}\n${fault}`, disk };
  const digest = world.connect().ask("DEBUG", "DIGEST").slice(1, -2);
  await world.stop();
  return { digest, text, disk };
}

/** Both on copies of `dir`, after `change`. */
async function both(dir: string, change: (copy: string) => void, directives: Directives = {}) {
  const copy = createFolder("both");
  try {
    cpSync(dir, copy, { recursive: true });
    change(copy);
    const own = await ours(
      copy,
      ...Object.entries(directives).flatMap(([name, value]) => [`--${name}`, String(value)]),
    );
    return { own, real: await theirs(copy, directives) };
  } finally {
    removeFolder(copy);
  }
}

const edit = (dir: string, path: string, change: (bytes: Buffer) => Uint8Array | string): void =>
  writeFileSync(join(dir, path), change(readFileSync(join(dir, path))));

const copyOf = (t: TestContext, dir: string): string => {
  const copy = temporaryFolder(t, "copy");
  cpSync(dir, copy, { recursive: true });
  return copy;
};

const FORMS: readonly Directives[] = [
  {},
  { "aof-use-rdb-preamble": "no" },
  { "aof-use-rdb-preamble": "no", "aof-timestamp-enabled": "yes" },
  { "aof-timestamp-enabled": "yes", appendfilename: "other name.aof", appenddirname: "log" },
  { "aof-disable-auto-gc": "yes" },
];

test("the real server's files of every form are loaded, and its data is there", async (t) => {
  for (const form of FORMS) {
    for (const rewrites of [0, 2]) {
      const dir = temporaryFolder(t, "theirs");
      const digest = await live(await startRedis({ dir, directives: { appendonly: "yes", ...form } }), rewrites);
      const words = Object.entries(form).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const own = await ours(dir, ...words);
      assert.equal(own.digest, digest, `${JSON.stringify(form)} ${own.text}`);
    }
  }
});

test("our files of every form are loaded by the real server, and its tool finds them whole", async (t) => {
  for (const form of [...FORMS, { "history-keep": "1d", "history-clients": "all" }]) {
    const dir = temporaryFolder(t, "ours");
    const digest = await live(await startEverkey({ dir, directives: { appendonly: "yes", ...form } }), 2);
    const { "history-keep": _keep, "history-clients": _clients, ...known } = form as Record<string, string>;
    const sub = join(dir, known.appenddirname ?? SUB);
    const manifest = join(sub, `${known.appendfilename ?? "appendonly.aof"}.manifest`);
    const { code, stdout, stderr } = await runTool("redis-check-aof", [manifest]);
    assert.equal(code, 0, stdout + stderr);
    const own = await ours(dir, ...Object.entries(form).flatMap(([name, value]) => [`--${name}`, String(value)]));
    assert.equal(own.digest, digest, `${JSON.stringify(form)} ${own.text}`);
    const real = await theirs(copyOf(t, dir), known);
    assert.equal(real.digest, digest, `${JSON.stringify(form)} ${real.text}`);
  }
});

test("a single file of a Redis before 7, with and without a snapshot in front, is taken over as there", async (t) => {
  for (const preamble of ["yes", "no"]) {
    const dir = temporaryFolder(t, "old");
    const directives = { appendonly: "yes", "aof-use-rdb-preamble": preamble };
    const digest = await live(await startRedis({ dir, directives }), 1);
    const base = readFileSync(join(dir, SUB, `appendonly.aof.2.base.${preamble === "yes" ? "rdb" : "aof"}`));
    const single = Buffer.concat([base, readFileSync(join(dir, SUB, "appendonly.aof.2.incr.aof"))]);
    const old = temporaryFolder(t, "single");
    writeFileSync(join(old, "appendonly.aof"), single);
    const { own, real } = await both(old, () => undefined);
    assert.equal(own.digest, digest, own.text);
    assert.equal(real.digest, digest);
    assert.deepEqual(own.disk.list("/data"), [SUB]);
    assert.match(own.text, /Successfully migrated an old-style AOF/);
    // Its end may be torn, too.
    const torn = temporaryFolder(t, "torn");
    writeFileSync(join(torn, "appendonly.aof"), single.subarray(0, single.length - 3));
    const cut = await both(torn, () => undefined);
    assert.equal(cut.own.digest, cut.real.digest, cut.own.text);
    assert.notEqual(cut.own.digest, undefined);
  }
});

/** A folder with a small base and increment, whose increment ends with a transaction. */
async function smallFolder(t: TestContext): Promise<string> {
  const dir = temporaryFolder(t, "small");
  const server = await startRedis({ dir, directives: { appendonly: "yes" } });
  const client = await server.connect();
  await run(client, [
    ["SET", "a", "1"],
    ["RPUSH", "l", "x", "y"],
    ["MULTI"],
    ["INCR", "a"],
    ["SET", "b", "22"],
    ["EXEC"],
  ]);
  client.close();
  await server.kill();
  return dir;
}

test("an end that is torn anywhere is cut off at the same place as there, or refused as there", async (t) => {
  const dir = await smallFolder(t);
  const bytes = readFileSync(join(dir, INCREMENT));
  const transaction = bytes.indexOf("*1\r\n$5\r\nMULTI");
  const digests = new Map<number, string | undefined>();
  for (let length = bytes.indexOf("*4\r\n$5\r\nRPUSH"); length <= bytes.length; length++) {
    const copy = copyOf(t, dir);
    writeFileSync(join(copy, INCREMENT), bytes.subarray(0, length));
    const own = await ours(copy);
    digests.set(length, own.digest);
    const left = own.disk.bytes(`/data/${INCREMENT}`)!.length;
    assert.ok(left <= length && (left === length || own.text.includes(`Truncating the AOF`)), own.text);
    if (length % 16 !== 5 && Math.abs(length - transaction) > 1 && length < bytes.length - 1) continue;
    const real = await theirs(copy);
    assert.equal(own.digest, real.digest, `${length} bytes: ${own.text}\n${real.text}`);
    // Where a command inside of the transaction is torn, the real server leaves its MULTI, which is of no use to anybody.
    const leftThere = readFileSync(join(copy, INCREMENT)).length;
    if (leftThere <= transaction || length === bytes.length) assert.equal(left, leftThere, `${length} bytes`);
    else assert.equal(left, transaction, `${length} bytes`);
    removeFolder(copy);
  }
  assert.equal(new Set(digests.values()).size, 3, "before RPUSH, with it, with the transaction");
  const refused = await both(dir, (copy) => edit(copy, INCREMENT, (all) => all.subarray(0, all.length - 2)), {
    "aof-load-truncated": "no",
  });
  assert.equal(refused.real.digest, undefined);
  assert.equal(refused.own.digest, undefined);
  assert.match(
    refused.own.text,
    /Unexpected end of file[^\n]*set aof-load-truncated to yes[^\n]*everkey check --fix \/data\//,
  );
});

test("manifests and files that are damaged: the same decision as there, with the path and what to do", async (t) => {
  const dir = await smallFolder(t);
  const line = `file appendonly.aof.1.incr.aof seq 1 type i\n`;
  const damages: readonly (readonly [what: string, change: (copy: string) => void])[] = [
    ["nothing", () => undefined],
    ["empty manifest", (copy) => writeFileSync(join(copy, MANIFEST), "")],
    ["manifest of nonsense", (copy) => writeFileSync(join(copy, MANIFEST), "nonsense\n")],
    ["manifest without a line end", (copy) => edit(copy, MANIFEST, (all) => all.subarray(0, all.length - 1))],
    ["manifest with a comment", (copy) => edit(copy, MANIFEST, (all) => `# x\n${all}`)],
    ["two bases", (copy) => edit(copy, MANIFEST, (all) => `${all}file x seq 2 type b\n`)],
    ["an increment twice", (copy) => edit(copy, MANIFEST, (all) => `${all}${line}`)],
    ["a missing increment", (copy) => edit(copy, MANIFEST, (all) => `${all}${line.replaceAll("1", "2")}`)],
    ["a path", (copy) => edit(copy, MANIFEST, (all) => `${all}file ../x seq 2 type i\n`)],
    ["no base named", (copy) => edit(copy, MANIFEST, (all) => all.toString().split("\n").slice(1).join("\n"))],
    ["no increment named", (copy) => edit(copy, MANIFEST, (all) => `${all.toString().split("\n")[0]}\n`)],
    ["a base cut in the middle", (copy) => edit(copy, BASE, (all) => all.subarray(0, 40))],
    ["an empty base", (copy) => writeFileSync(join(copy, BASE), "")],
    ["an empty increment", (copy) => writeFileSync(join(copy, INCREMENT), "")],
    ["an increment of nonsense", (copy) => writeFileSync(join(copy, INCREMENT), "nonsense\r\n")],
    [
      "a damaged header",
      (copy) => edit(copy, INCREMENT, (all) => all.toString("latin1").replace("$5\r\nRPUSH", "$x\r\nRPUSH")),
    ],
    ["an unknown command", (copy) => edit(copy, INCREMENT, (all) => all.toString("latin1").replace("RPUSH", "RPISH"))],
    [
      "a wrong number of arguments",
      (copy) => edit(copy, INCREMENT, (all) => all.toString("latin1").replace("RPUSH", "SCARD")),
    ],
    [
      "a torn increment that is not the last",
      (copy) => {
        edit(copy, INCREMENT, (all) => all.subarray(0, all.length - 5));
        edit(copy, MANIFEST, (all) => `${all}${line.replaceAll("1", "2")}`);
        writeFileSync(join(copy, SUB, "appendonly.aof.2.incr.aof"), "*1\r\n$4\r\nPING\r\n");
      },
    ],
  ];
  for (const [what, change] of damages) {
    const { own, real } = await both(dir, change);
    if (what === "a wrong number of arguments") {
      // The real server executes it without looking, and does nothing for the error: here the file is refused.
      assert.equal(own.digest, undefined, own.text);
      continue;
    }
    assert.equal(own.digest, real.digest, `${what}:\n${own.text}\n${real.text}`);
    if (own.digest === undefined) assert.match(own.text.split("\n").at(-1)!, /\/data\/appendonlydir/, what);
  }
});

test("bytes that are damaged anywhere: what the real server refuses is refused, and where both load, both have the same", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const dir = await smallFolder(t);
  let refusals = 0;
  for (let round = 0; round < 25; round++) {
    const bytes = readFileSync(join(dir, INCREMENT));
    const at = random.below(bytes.length);
    const value = random.pick([random.below(256), 0x24, 0x2a, 0x0d, 0x39, bytes[at]! ^ 1]);
    const { own, real } = await both(dir, (copy) =>
      edit(copy, INCREMENT, (all) => {
        all[at] = value;
        return all;
      }),
    );
    const where = `seed ${seed}: byte ${at} becomes ${value}: ${own.text}\n${real.text}`;
    if (own.digest === undefined) refusals++;
    else assert.equal(own.digest, real.digest, where);
    if (real.digest === undefined) assert.equal(own.digest, undefined, where);
  }
  assert.ok(refusals > 0);
});

test("appendonly yes and only a snapshot there: empty as there, but it says so, and keeps the snapshot", async (t) => {
  const dir = temporaryFolder(t, "snapshot");
  const server = await startRedis({ dir });
  const client = await server.connect();
  await run(client, [["SET", "a", "1"], ["SAVE"]]);
  client.close();
  await server.kill();
  const { own, real } = await both(dir, () => undefined);
  assert.equal(own.digest, "0".repeat(40));
  assert.equal(real.digest, own.digest);
  assert.match(own.text, /THE SERVER STARTS EMPTY, ALTHOUGH THERE IS A SNAPSHOT/);
  assert.match(own.text, /\/data\/dump\.rdb \(\d+ bytes\) was NOT loaded/);
  assert.match(own.text, /CONFIG SET appendonly yes/);
  assert.ok(own.disk.bytes("/data/dump.rdb") !== undefined);
  // With both there, only the append-only file counts.
  const together = await both(await smallFolder(t), (copy) => cpSync(join(dir, "dump.rdb"), join(copy, "dump.rdb")));
  assert.equal(together.own.digest, together.real.digest);
  assert.doesNotMatch(together.own.text, /STARTS EMPTY/);
});

test("a file with more databases than the configuration has is refused, not mixed up", async (t) => {
  const dir = temporaryFolder(t, "databases");
  const server = await startRedis({ dir, directives: { appendonly: "yes", databases: 20 } });
  const client = await server.connect();
  await run(client, [
    ["SELECT", 18],
    ["SET", "a", "1"],
  ]);
  client.close();
  await server.kill();
  const own = await ours(dir);
  assert.equal(own.digest, undefined);
  assert.match(
    own.text,
    /data for database 18, which this server does not have[^\n]*databases[^\n]*appendonly\.aof\.1\.incr\.aof/,
  );
  assert.notEqual((await ours(dir, "--databases", "20")).digest, undefined);
});

/** Names of INFO persistence's fields about the append-only file, and those of their values that do not depend on time. */
async function fields(client: RawClient): Promise<string[]> {
  const text = String(await client.ask("INFO", "persistence"));
  return text
    .split("\r\n")
    .filter((line) => /^aof_/.test(line))
    .map((line) => (/_size:|_sec:|_length:|_cow_|_fsync:/.test(line) ? line.split(":")[0]! : line));
}

test("INFO, BGREWRITEAOF, BGSAVE and DEBUG LOADAOF answer as the real server does", async (t) => {
  const answers: Record<string, string[]> = {};
  for (const [name, start] of [
    ["theirs", startRedis],
    ["ours", startEverkey],
  ] as const) {
    const server = await start({ directives: { appendonly: "yes" } });
    t.after(() => server.kill());
    const client = await server.connect();
    const said: string[] = [];
    answers[name] = said;
    const say = async (...words: Argument[]): Promise<void> => {
      said.push(`${words.join(" ")} → ${(await client.call(...words))?.toString()}`);
    };
    said.push(...(await fields(client)));
    await run(client, commands(1));
    await say("BGREWRITEAOF");
    await waitUntil("the rewrite", async () => (await fields(client)).includes("aof_rewrite_in_progress:0"));
    said.push(...(await fields(client)));
    // Large enough to be still under way when the next command comes.
    await say("DEBUG", "POPULATE", 300_000, "key", 100);
    for (const reply of await client.pipeline([
      ["BGREWRITEAOF"],
      ["BGREWRITEAOF"],
      ["BGSAVE"],
      ["BGSAVE", "SCHEDULE"],
      ["SAVE"],
    ])) {
      said.push(String(reply));
    }
    await waitUntil("both", async () => {
      const text = String(await client.ask("INFO", "persistence"));
      return (
        /rdb_bgsave_in_progress:0\r/.test(text) &&
        /aof_rewrite_in_progress:0\r/.test(text) &&
        !/rdb_saves:0\r/.test(text)
      );
    });
    for (const reply of await client.pipeline([["BGSAVE"], ["BGREWRITEAOF"], ["BGSAVE"]])) said.push(String(reply));
    await waitUntil("both", async () => (await fields(client)).some((line) => line === "aof_rewrites:3"));
    await waitUntil("the end", async () => (await fields(client)).includes("aof_rewrite_in_progress:0"));
    await run(client, [
      ["SELECT", 1],
      ["SET", "after", "x"],
    ]);
    const digest = await client.ask("DEBUG", "DIGEST");
    await say("DEBUG", "LOADAOF");
    assert.equal(await client.ask("DEBUG", "DIGEST"), digest, name);
    await say("INCR", "counter");
    await say("CONFIG", "SET", "appendonly", "no");
    said.push(...(await fields(client)));
    await say("CONFIG", "SET", "appendonly", "yes");
    await waitUntil("the base", async () => (await fields(client)).some((line) => line === "aof_rewrites:4"));
    said.push(...(await fields(client)));
    client.close();
  }
  assert.deepEqual(answers.ours, answers.theirs);
});

test("DEBUG LOADAOF brings back what was recorded, for clients that wait for it in line", async (t) => {
  const dir = temporaryFolder(t, "loadaof");
  const server = await startEverkey({ dir, directives: { appendonly: "yes", appendfsync: "always" } });
  t.after(() => server.kill());
  const client = await server.connect();
  for (let round = 0; round < 8; round++) {
    await run(client, commands(round));
    const before = await client.ask("DEBUG", "DIGEST");
    const replies = await client.pipeline([
      ["DEBUG", "LOADAOF"],
      ["DEBUG", "DIGEST"],
      ["INCR", "after"],
    ]);
    assert.deepEqual(
      replies.map((reply) => reply?.toString()),
      ["+OK\r\n", `+${before}\r\n`, ":1\r\n"],
    );
    await client.ask("DEL", "after");
    if (round % 3 === 0) await rewrite(client);
  }
  const digest = await client.ask("DEBUG", "DIGEST");
  client.close();
  await server.kill();
  assert.equal((await ours(dir)).digest, digest);
});
