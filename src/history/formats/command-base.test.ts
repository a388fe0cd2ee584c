import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { sourceOf } from "../../../test/golden/collect.ts";
import { ErrorReply, RealServer, type Reply } from "../../../test/golden/real-server.ts";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { waitUntil } from "../../../test/support/wait.ts";
import { plainCommands } from "./aof-file.test.support.ts";
import { formatManifest, parseManifest } from "./aof-manifest.ts";
import { CommandBase, type CommandBaseOptions } from "./command-base.ts";
import { CommandWriter } from "./command-writer.ts";
import { PackedFault } from "./packed.ts";
import { RdbFault } from "./rdb-fault.ts";

const golden = (name: string) => readFileSync(join(repositoryRoot(), "test", "golden", `${name}.rdb`));
const FAR_MS = "4102444800123";

/** The base of commands that an RDB file gives, made in slices of 16 keys. */
function baseOf(rdb: Uint8Array, options: Partial<CommandBaseOptions> = {}): Buffer {
  const pieces: Buffer[] = [];
  const sink = {
    write: (bytes: Uint8Array, start: number, length: number) => {
      pieces.push(Buffer.from(bytes.subarray(start, start + length)));
    },
  };
  const base = new CommandBase(sourceOf(rdb), sink, { totalBytes: rdb.length, ...options });
  while (!base.step(() => true));
  const whole = Buffer.concat(pieces);
  assert.equal(base.writtenBytes(), whole.length);
  assert.equal(base.readBytes(), rdb.length);
  return whole;
}

/** A real server on data that was put into its folder; ended with the test. */
async function serverOn(context: TestContext, prepare: (dir: string) => void, directives = {}): Promise<RealServer> {
  const server = await RealServer.start(directives, prepare);
  context.after(() => server.stop());
  return server;
}

/** A real server whose append-only file has nothing but this base. */
function serverOnBase(context: TestContext, base: Uint8Array): Promise<RealServer> {
  const prepare = (dir: string) => {
    const folder = join(dir, "appendonlydir");
    mkdirSync(folder);
    const name = "appendonly.aof.1.base.aof";
    writeFileSync(join(folder, name), base);
    const manifest = { base: { name, seq: 1, type: "b" as const }, increments: [], history: [] };
    writeFileSync(join(folder, "appendonly.aof.manifest"), formatManifest(manifest));
  };
  return serverOn(context, prepare, { appendonly: "yes", "aof-use-rdb-preamble": "no" });
}

async function run(server: RealServer, commands: readonly (readonly (string | Uint8Array)[])[]): Promise<void> {
  for (const command of commands) {
    const reply = await server.command(...command);
    if (reply instanceof ErrorReply) assert.fail(`${command.slice(0, 3).join(" ")}: ${reply.text}`);
  }
}

/** What DEBUG DIGEST does not see: times, and the groups of streams but for when they were last seen. */
async function detailsOf(server: RealServer, databases: readonly number[]): Promise<unknown> {
  const details: Record<string, unknown> = {};
  for (const database of databases) {
    await server.command("SELECT", String(database));
    const keys = (await server.command("KEYS", "*")) as Buffer[];
    for (const key of keys) {
      const type = await server.command("TYPE", key);
      const name = `${database} ${key.toString("latin1")}`;
      details[name] = [type, await server.command("PEXPIRETIME", key)];
      if (type === "stream")
        details[name] = [type, plain(await server.command("XINFO", "STREAM", key, "FULL", "COUNT", "0"))];
    }
  }
  const libraries = (await server.command("FUNCTION", "LIST", "WITHCODE")) as Reply[];
  details.libraries = libraries.map((library) => JSON.stringify(plain(library))).sort();
  return details;
}

/** Names of fields that say how a stream lies in memory, or when a consumer was seen. */
const PASSING = new Set(["radix-tree-keys", "radix-tree-nodes", "seen-time", "active-time"]);

/** A reply as text, without what may differ; lists of names and values are objects. */
function plain(reply: Reply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString("latin1");
  if (!Array.isArray(reply)) return reply;
  const items = reply.map(plain);
  if (items.length > 1 && items.every((item, index) => index % 2 === 1 || typeof item === "string")) {
    const pairs = items.flatMap((item, index) =>
      index % 2 === 0 ? [[item as string, items[index + 1]] as const] : [],
    );
    return Object.fromEntries(pairs.filter(([name]) => !PASSING.has(name)));
  }
  return items;
}

async function assertEqualServers(first: RealServer, second: RealServer): Promise<void> {
  const databases = Array.from({ length: 16 }, (_, index) => index);
  assert.deepEqual(await detailsOf(second, databases), await detailsOf(first, databases));
  assert.equal(String(await second.command("DEBUG", "DIGEST")), String(await first.command("DEBUG", "DIGEST")));
}

for (const name of ["compact", "spread", "unsummed", "unsummed-spread", "lru", "lfu", "nothing"]) {
  test(`the real server's file "${name}" as commands gives the same data`, async (context) => {
    const rdb = golden(name);
    const first = await serverOn(context, (dir) => writeFileSync(join(dir, "dump.rdb"), rdb));
    const second = await serverOnBase(context, baseOf(rdb));
    await assertEqualServers(first, second);
  });
}

/** Every type and number of elements around the size of a group. */
function everything(random: SeededRandom): (string | Uint8Array)[][] {
  const commands: (string | Uint8Array)[][] = [
    ["FUNCTION", "LOAD", "#!lua name=one\nredis.register_function('f', function() return 1 end)"],
    ["FUNCTION", "LOAD", "#!lua name=two\nredis.register_function('g', function() return 1 end)"],
    ["SET", "number", "12345678901"],
    ["SET", random.bytes(20), random.bytes(300)],
    ["SET", "", ""],
    ["SET", "timed", "v", "PXAT", FAR_MS],
    ["SET", "long", random.bytes(1_500_000)],
    ["RPUSH", "long list", random.bytes(70_000), "short", random.bytes(65_536), "short", random.bytes(65_535)],
    ["HSET", "long hash", random.bytes(70_000), "v", "f", random.bytes(70_000), "short", "v"],
    ["SADD", "long set", random.bytes(70_000), "a", "b"],
    ["ZADD", "scores", "1.5", "a", "inf", "b", "-inf", "c", "3", "d", "1e300", "e", "0.1", "f", "1e-9", "g", "-0", "h"],
    ["ZADD", "more scores", "123456789012345678", "a", "-5e-324", "b", "3.0000000000000004", "c"],
    ["PEXPIREAT", "scores", FAR_MS],
    ["SELECT", "9"],
    ["SET", "nine", "9"],
    ["SELECT", "0"],
  ];
  for (const count of [1, 63, 64, 65, 128, 129, 700]) {
    const numbers = Array.from({ length: count }, () => String(random.uint32()));
    commands.push(["SADD", `numbers ${count}`, ...numbers]);
    commands.push(["SADD", `members ${count}`, ...numbers.map((number) => `m${number}`)]);
    commands.push(["RPUSH", `list ${count}`, ...numbers]);
    commands.push(["HSET", `hash ${count}`, ...numbers.flatMap((number) => [`f${number}`, number])]);
    if (count < 128) commands.push(["ZADD", `zset ${count}`, ...numbers.flatMap((number) => [number, `m${number}`])]);
  }
  return commands;
}

function streams(): string[][] {
  const commands: string[][] = [];
  for (let index = 1; index <= 250; index++)
    commands.push(["XADD", "x", `${index}-${index % 3}`, "f", "v", `g${index % 7}`, ""]);
  commands.push(
    ["XDEL", "x", "250-1", "3-0"],
    ["XGROUP", "CREATE", "x", "from the start", "0"],
    ["XGROUP", "CREATE", "x", "counted", "7-1", "ENTRIESREAD", "7"],
    ["XREADGROUP", "GROUP", "from the start", "c1", "COUNT", "100", "STREAMS", "x", ">"],
    ["XREADGROUP", "GROUP", "from the start", "c2", "COUNT", "2", "STREAMS", "x", ">"],
    ["XREADGROUP", "GROUP", "counted", "c1", "COUNT", "3", "STREAMS", "x", ">"],
    ["XGROUP", "CREATECONSUMER", "x", "from the start", "c0"],
    ["XGROUP", "CREATECONSUMER", "x", "from the start", "idle"],
    ["XCLAIM", "x", "from the start", "c2", "0", "1-1", "2-2", "RETRYCOUNT", "7"],
    ["XADD", "drained", "5-5", "a", "b"],
    ["XDEL", "drained", "5-5"],
    ["XGROUP", "CREATE", "drained", "g", "$"],
    ["XGROUP", "CREATECONSUMER", "drained", "g", "waits"],
    ["XGROUP", "CREATE", "never used", "g", "$", "MKSTREAM"],
    ["XADD", "last", "18446744073709551615-18446744073709551615", "a", "b"],
    ["PEXPIREAT", "last", FAR_MS],
  );
  return commands;
}

/** A real server that writes bases of commands. Its tables stand still between commands: so does the order of keys. */
async function rewritingServer(context: TestContext): Promise<{ server: RealServer; newestBase: () => Buffer }> {
  let folder = "";
  const directives = { appendonly: "yes", "aof-use-rdb-preamble": "no", activerehashing: "no" };
  const server = await serverOn(context, (dir) => void (folder = join(dir, "appendonlydir")), directives);
  const newestBase = () => {
    const manifest = parseManifest(readFileSync(join(folder, "appendonly.aof.manifest")));
    return readFileSync(join(folder, manifest.base!.name));
  };
  return { server, newestBase };
}

test("commands of all types give the same data, and are those that Redis writes", async (context) => {
  const random = new SeededRandom(printedSeed("command base"));
  const { server, newestBase } = await rewritingServer(context);
  await run(server, [...streams(), ...everything(random)]);
  // Long elements stand alone here; Redis groups them, too.
  const rdb = await server.save();
  const base = baseOf(rdb);
  const other = await serverOnBase(context, base);
  await assertEqualServers(server, other);

  await run(server, [
    ["SELECT", "0"],
    ["DEL", "long list", "long hash", "long set"],
  ]);
  const ours = baseOf(await server.save());
  assert.equal(await server.command("BGREWRITEAOF"), "Background append only file rewriting started");
  await waitUntil("the rewrite to end", async () =>
    String(await server.command("INFO", "persistence")).includes("aof_rewrite_in_progress:0"),
  );
  const theirs = newestBase();
  const brief = (words: string[]) => words.join(" ").slice(0, 200);
  assert.deepEqual(plainCommands(ours).map(brief), plainCommands(theirs).map(brief));
  assert.ok(ours.equals(theirs), "the bytes differ");
});

test("sorted sets of any size give the same data", async (context) => {
  const random = new SeededRandom(printedSeed("command base zset"));
  const first = await serverOn(context, () => {});
  const floats = new Float64Array(1);
  const words = new Uint32Array(floats.buffer);
  for (let set = 0; set < 5; set++) {
    const pairs: string[] = [];
    for (let member = 0; member < 300; member++) {
      words[0] = random.uint32();
      words[1] = random.uint32();
      pairs.push(Number.isNaN(floats[0]!) ? "0.3" : String(floats[0]), `m${member}`);
    }
    await run(first, [["ZADD", `zset ${set}`, ...pairs]]);
  }
  const second = await serverOnBase(context, baseOf(await first.save()));
  await assertEqualServers(first, second);
});

test("a base begins with its position and the time, where they are known", () => {
  const id = "f".repeat(40);
  const aux = (name: string, value: string) =>
    Buffer.concat([Buffer.of(0xfa, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
  const key = Buffer.from("\xfe\x02\x00\x01k\x01v", "latin1");
  const end = Buffer.from("\xff\0\0\0\0\0\0\0\0", "latin1");
  const known = [aux("repl-id", id), aux("repl-offset", "77"), aux("everkey-ms", "1795240652123")];
  const rdb = Buffer.concat([Buffer.from("REDIS0010"), ...known, key, end]);
  const commands = "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
  assert.equal(baseOf(rdb).toString(), `#EK:1795240652123 at ${id} 77\r\n${commands}`);
  assert.equal(
    baseOf(rdb, { timestampSeconds: 5 }).toString(),
    `#EK:1795240652123 at ${id} 77\r\n#TS:5\r\n${commands}`,
  );
  const unknown = Buffer.concat([Buffer.from("REDIS0010"), ...known.slice(0, 2), key, end]);
  assert.equal(baseOf(unknown).toString(), commands);
});

test("a file that is cut is a fault, not a shorter base", () => {
  const rdb = golden("compact");
  for (let length = 0; length < rdb.length; length += 7) assert.throws(() => baseOf(rdb.subarray(0, length)), RdbFault);
});

test("what no command says is refused", () => {
  const writer = new CommandWriter({ write: () => {} });
  const bytes = Buffer.from("fv");
  writer.beginKey(0, bytes, 0, 1);
  writer.begin("hash", 1);
  assert.throws(() => writer.hashField(bytes, 0, 1, bytes, 1, 1, 5000), PackedFault);
  writer.beginKey(0, bytes, 0, 1);
  writer.begin("stream", 0);
  const zero = { ms: 0n, sequence: 0n };
  writer.streamEnd({ length: 0, lastId: zero, firstId: zero, maxDeletedId: zero, entriesAdded: 0n });
  writer.streamGroup(bytes, 0, 1, zero, 0n);
  writer.streamConsumer(bytes, 1, 1);
  assert.throws(() => writer.streamConsumerPending(1n, 1n), PackedFault);
});

test("a collection without elements leaves nothing, not even its time", () => {
  const written: string[] = [];
  const writer = new CommandWriter({
    write: (bytes, start, length) => void written.push(Buffer.from(bytes).toString("latin1", start, start + length)),
  });
  const key = Buffer.from("k");
  writer.beginKey(0, key, 0, 1);
  writer.begin("list", 0);
  assert.equal(writer.endKey(5), false);
  writer.flush();
  assert.equal(written.join(""), "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n");
});
