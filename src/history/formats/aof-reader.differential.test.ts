/** Append-only files of the real server as this reader sees them, and files with our annotations as the real server sees them. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ErrorReply, RealServer, type Reply } from "../../../test/golden/real-server.ts";
import { runTool } from "../../../test/support/redis.ts";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { temporaryFolder } from "../../../test/support/temp.ts";
import { waitUntil } from "../../../test/support/wait.ts";
import { ANNOTATION_BYTES_MAX, writeMark, writePosition } from "./aof-annotations.ts";
import { AofFault } from "./aof-fault.ts";
import { commandBytes, MemoryFile, plainCommands } from "./aof-file.test.support.ts";
import { formatManifest, parseManifest } from "./aof-manifest.ts";
import { AofReader } from "./aof-reader.ts";

const ID = "0123456789abcdef0123456789abcdef01234567";

interface Folder {
  readonly server: RealServer;
  readonly dir: string;
}

async function start(context: TestContext, directives: object, prepare: (dir: string) => void): Promise<Folder> {
  let dir = "";
  const begin = (folder: string) => {
    dir = folder;
    prepare(folder);
  };
  const server = await RealServer.start({ appendonly: "yes", ...directives }, begin);
  context.after(() => server.stop());
  return { server, dir };
}

async function run(server: RealServer, commands: readonly (readonly string[])[]): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (const command of commands) {
    const reply = await server.command(...command);
    if (reply instanceof ErrorReply) assert.fail(`${command.join(" ")}: ${reply.text}`);
    replies.push(reply);
  }
  return replies;
}

/** What the reader makes of a file: commands, those in transactions, units, and what annotations said. */
function readFile(bytes: Uint8Array, chunkBytes: number) {
  const reader = new AofReader(new MemoryFile(bytes), { chunkBytes });
  const commands: string[][] = [];
  const times: number[] = [];
  let insideCount = 0;
  let unitCount = 0;
  for (let kind = reader.next(); kind !== "end"; kind = reader.next()) {
    if (kind === "annotation") {
      assert.notEqual(reader.annotation, undefined);
      continue;
    }
    commands.push(Array.from({ length: reader.request.count }, (_, index) => reader.request.text(index)));
    times.push(reader.timeMs);
    if (reader.isInTransaction) insideCount++;
    if (reader.endsUnit) unitCount++;
  }
  assert.equal(reader.wholeBytes, bytes.length);
  return { commands, times, insideCount, unitCount };
}

/** Commands of which some are recorded in another form, in units of several, or not at all. */
const HISTORY: string[][] = [
  ["SET", "a", "1"],
  ["SET", "b", "2", "EX", "1000"],
  ["GETEX", "b", "PX", "900000"],
  ["MULTI"],
  ["INCR", "a"],
  ["SELECT", "3"],
  ["RPUSH", "l", "x", "", "y"],
  ["EXEC"],
  ["EVAL", "redis.call('set','s','1') redis.call('incrbyfloat','a','0.1') return 1", "0"],
  ["SPOP", "none"],
  ["SADD", "set", "1", "2", "3", "4"],
  ["SPOP", "set", "2"],
  ["SELECT", "0"],
  ["XADD", "x", "*", "f", "v"],
  ["XGROUP", "CREATE", "x", "g", "0"],
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"],
  ["PEXPIRE", "a", "1"],
  ["FLUSHDB"],
  ["SET", "long", "x".repeat(200_000)],
];

test("files of the real server give the same commands as a plain parser", async (context) => {
  for (const [preamble, timestamps] of [
    ["yes", "no"],
    ["no", "yes"],
  ]) {
    const { server, dir } = await start(
      context,
      { "aof-use-rdb-preamble": preamble, "aof-timestamp-enabled": timestamps },
      () => {},
    );
    await run(server, HISTORY);
    assert.equal(await server.command("BGREWRITEAOF"), "Background append only file rewriting started");
    await waitUntil("the rewrite to end", async () =>
      String(await server.command("INFO", "persistence")).includes("aof_rewrite_in_progress:0"),
    );
    await run(server, HISTORY);
    const folder = join(dir, "appendonlydir");
    const manifest = parseManifest(readFileSync(join(folder, "appendonly.aof.manifest")));
    assert.equal(manifest.increments.length, 1);
    const names = [manifest.increments[0]!.name];
    if (preamble === "no") names.push(manifest.base!.name);
    for (const name of names) {
      const bytes = readFileSync(join(folder, name));
      const expected = plainCommands(bytes);
      for (const chunkBytes of [1, 100, 1 << 17]) {
        const read = readFile(bytes, chunkBytes);
        assert.deepEqual(read.commands, expected);
        // A new increment has no time until the next second begins; the base has its own.
        const known = read.times.filter((timeMs) => !Number.isNaN(timeMs));
        assert.ok(known.every((timeMs) => timeMs > 1.7e12 && timeMs % 1000 === 0));
        if (name !== names[0]) assert.equal(known.length, expected.length);
        if (timestamps === "no") assert.equal(known.length, 0);
        if (name === names[0]) assert.ok(read.insideCount > 6 && read.unitCount < expected.length - 6);
      }
    }
  }
});

/** A file with annotations at every place where they may be, and what the data is then. */
function annotated(random: SeededRandom): Buffer {
  const line = Buffer.alloc(ANNOTATION_BYTES_MAX);
  const parts: Buffer[] = [Buffer.from(line.subarray(0, writePosition(line, 0, 1795240652123, ID, 9007199254740991)))];
  const mark = () => {
    const source = random.pick([
      "",
      "127.0.0.1:50000",
      "[::1]:1",
      "expired",
      "evicted",
      "x".repeat(5000),
      "\r\n*0\r\n",
    ]);
    parts.push(Buffer.from(line.subarray(0, writeMark(line, 0, random.uint32(), source))));
  };
  for (let index = 0; index < 200; index++) {
    if (random.chance(0.7)) mark();
    if (random.chance(0.2)) mark();
    parts.push(commandBytes("SELECT", String(random.below(4))));
    const isTransaction = random.chance(0.3);
    if (isTransaction) parts.push(commandBytes("MULTI"));
    for (let count = isTransaction ? 3 : 1; count > 0; count--) {
      parts.push(commandBytes("SET", `k${random.below(50)}`, random.bytes(random.below(30))));
    }
    if (isTransaction) parts.push(commandBytes("EXEC"));
  }
  mark();
  return Buffer.concat(parts);
}

/** Puts a file into a folder as the only increment. */
function place(dir: string, bytes: Uint8Array): string {
  const folder = join(dir, "appendonlydir");
  mkdirSync(folder);
  const name = "appendonly.aof.1.incr.aof";
  writeFileSync(join(folder, name), bytes);
  const manifest = { base: undefined, increments: [{ name, seq: 1, type: "i" as const }], history: [] };
  writeFileSync(join(folder, "appendonly.aof.manifest"), formatManifest(manifest));
  return join(folder, "appendonly.aof.manifest");
}

test("the real server passes over our annotations, and redis-check-aof finds nothing wrong", async (context) => {
  const bytes = annotated(new SeededRandom(printedSeed("annotated")));
  const without = Buffer.concat(plainCommands(bytes).map((words) => commandBytes(...words)));
  assert.ok(without.length < bytes.length);
  const first = await start(context, {}, (dir) => void place(dir, bytes));
  const second = await start(context, {}, (dir) => void place(dir, without));
  const digest = String(await first.server.command("DEBUG", "DIGEST"));
  assert.notEqual(digest, "0".repeat(40));
  assert.equal(digest, String(await second.server.command("DEBUG", "DIGEST")));
  const { code, stdout } = await runTool("redis-check-aof", [place(temporaryFolder(context), bytes)]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /All AOF files and manifest are valid/);
});

/** Whether redis-check-aof finds a file whole, and how many bytes of it are. */
async function redisCheck(path: string): Promise<{ isWhole: boolean; wholeBytes: number }> {
  const { code, stdout } = await runTool("redis-check-aof", [path]);
  const match = /ok_up_to=(\d+)/.exec(stdout);
  assert.notEqual(match, null, stdout);
  return { isWhole: code === 0, wholeBytes: Number(match![1]) };
}

test("redis-check-aof finds as much of a damaged file whole as the reader", async (context) => {
  const random = new SeededRandom(printedSeed("damaged"));
  const path = join(temporaryFolder(context), "file.aof");
  for (let round = 0; round < 60; round++) {
    const whole = annotated(random).subarray(0, 3000);
    const bytes = Buffer.from(whole.subarray(0, random.between(100, whole.length)));
    // Of changed bytes those are tried that both must find: the tool does not look into headers as closely.
    const lineEnd = bytes.indexOf("\r\n*", random.below(bytes.length));
    if (lineEnd !== -1 && random.chance(0.7)) bytes[lineEnd + 2] = random.pick([0, 65, 36]);
    writeFileSync(path, bytes);
    const theirs = await redisCheck(path);
    let ours = { isWhole: true, wholeBytes: bytes.length };
    try {
      readFile(bytes, 1000);
    } catch (error) {
      assert.ok(error instanceof AofFault, String(error));
      ours = { isWhole: false, wholeBytes: error.wholeBytes };
    }
    // The tool takes a torn annotation for a whole one.
    const isTornAnnotation = !ours.isWhole && bytes[ours.wholeBytes] === 35;
    if (!isTornAnnotation) assert.deepEqual(ours, theirs, `round ${round}`);
  }
});
