import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { KeyHash } from "../../src/core/sip-hash.ts";
import { snapshotOf } from "../../src/history/snapshot/testing.test.support.ts";
import { Keyspace, NO_EXPIRY } from "../../src/store/keyspace/keyspace.ts";
import { freePort } from "../support/child-server.ts";
import { everkeyProgram } from "../support/everkey.ts";
import { runTool } from "../support/redis.ts";
import { temporaryFolder } from "../support/temp.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

/** A file of `count` keys with values of `bytes` bytes. */
function file(count: number, bytes: number): Buffer {
  const keyspace = new Keyspace(new KeyHash(1, 2), 1);
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(`key${index}`);
    const value = Buffer.alloc(bytes, index & 255);
    keyspace.setString(keyspace.databases[0]!, key, 0, key.length, value, 0, bytes, NO_EXPIRY);
  }
  return snapshotOf(keyspace);
}

const whole = file(50, 30);
const changed = Buffer.from(whole);
changed[whole.length - 200]! ^= 0xff;
const newer = Buffer.from(whole);
newer.write("0099", 5);
/** A set whose member stands twice; zeros in the place of the check sum say that there is none. */
const senseless = Buffer.concat([Buffer.from("REDIS0010\x02\x01s\x02\x01a\x01a\xff", "latin1"), Buffer.alloc(8)]);

/** What stands in the place of dump.rdb, and what the message says about it. */
const UNREADABLE: readonly (readonly [what: string, bytes: Buffer, reason: RegExp])[] = [
  ["a changed byte", changed, /offset \d+, reading /],
  ["its end missing", whole.subarray(0, whole.length - 20), /offset \d+, reading /],
  ["no bytes at all", Buffer.alloc(0), /offset 0, reading header: /],
  ["something else in it", Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\na\r\n"), /offset 0, .*Wrong signature/],
  ["a version of the future", newer, /offset 5, .*Can't handle RDB format version 99/],
  ["a value that makes no sense", senseless, /offset \d+, reading set of key "s": a member stands twice/],
];

for (const [what, bytes, reason] of UNREADABLE) {
  test(`the program ends over a file with ${what}: it says where and what to do, and leaves the file`, async (t) => {
    const dir = temporaryFolder(t, "unreadable");
    const path = join(dir, "dump.rdb");
    writeFileSync(path, bytes);
    const port = String(await freePort());
    const args = [everkeyProgram(), "server", "--bind", "127.0.0.1", "--port", port, "--dir", dir];
    const { code, stdout, stderr } = await runTool(process.execPath, args);
    assert.equal(code, 1, stdout + stderr);
    assert.ok(stdout.includes(`${path} cannot be loaded: `), stdout);
    assert.match(stdout, reason);
    assert.match(
      stdout,
      /The file was not changed\. Run redis-check-rdb on it, restore a backup in its place, or move/,
    );
    assert.doesNotMatch(stdout, /Ready to accept connections/);
    assert.deepEqual(readFileSync(path), bytes);
    assert.deepEqual(readdirSync(dir), ["dump.rdb"]);
  });
}

test("the program ends when a folder stands in the file's place", async (t) => {
  const dir = temporaryFolder(t, "folder");
  mkdirSync(join(dir, "dump.rdb"));
  const port = String(await freePort());
  const args = [everkeyProgram(), "server", "--bind", "127.0.0.1", "--port", port, "--dir", dir];
  const { code, stdout } = await runTool(process.execPath, args);
  assert.equal(code, 1, stdout);
  assert.ok(stdout.includes(`${dir}/dump.rdb cannot be read: open ${dir}/dump.rdb: Is a directory`), stdout);
  assert.doesNotMatch(stdout, /Ready to accept connections/);
});

test("the program ends when its folder cannot be made", async (t) => {
  const taken = join(temporaryFolder(t, "taken"), "file");
  writeFileSync(taken, "no folder");
  const dir = join(taken, "data");
  const port = String(await freePort());
  const args = [everkeyProgram(), "server", "--bind", "127.0.0.1", "--port", port, "--dir", dir];
  const { code, stdout, stderr } = await runTool(process.execPath, args);
  assert.equal(code, 1, stdout);
  assert.ok((stdout + stderr).includes(dir), stdout + stderr);
  assert.match(stdout + stderr, /Not a directory/);
  assert.equal(readFileSync(taken, "utf8"), "no folder");
});

test("while a file is being loaded clients hear LOADING, and after a failure nobody serves", async () => {
  const disk = new VirtualDisk();
  const bytes = file(4000, 2000);
  bytes[bytes.length - 5000]! ^= 0xff;
  disk.put("/data/dump.rdb", bytes);
  const world = new VirtualServer({ disk, directives: ["--rdbcompression", "no"] });
  // Reading takes its time, so that the load is more than one slice.
  const replies: string[] = [];
  disk.fault = (_step, operation) => {
    if (operation !== "read") return undefined;
    world.host.clock.advance(10);
    const peer = world.connect();
    replies.push(peer.ask("GET", "key1"), peer.ask("SET", "key1", "v"), peer.ask("DBSIZE"));
    return undefined;
  };
  await assert.rejects(world.start(), /cannot be loaded: offset \d+/);
  assert.ok(replies.length >= 3);
  for (const reply of replies) assert.equal(reply, "-LOADING Redis is loading the dataset in memory\r\n");
  assert.throws(() => world.connect(), /nobody listens/);
  assert.deepEqual(disk.bytes("/data/dump.rdb"), bytes);
});
