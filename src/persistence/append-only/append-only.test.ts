import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { VirtualServer } from "../../../test/support/virtual-host.ts";
import { AofReader } from "../../history/formats/aof-reader.ts";
import type { FakePeer } from "../../session/testing.ts";

const FOLDER = "/data/appendonlydir";
const HOUR_MS = 3_600_000;

interface Bench {
  readonly disk: VirtualDisk;
  readonly world: VirtualServer;
  readonly peer: FakePeer;
  readonly field: (name: string) => string;
  readonly names: () => string[];
}

async function serve(disk: VirtualDisk, ...directives: string[]): Promise<Bench> {
  const world = new VirtualServer({
    disk,
    directives: ["--save", "", "--appendonly", "yes", "--enable-debug-command", "yes", ...directives],
  });
  await world.start();
  const peer = world.connect();
  return {
    disk,
    world,
    peer,
    field: (name) => new RegExp(`\\n${name}:(.*)\r`).exec(peer.ask("INFO", "persistence"))![1]!,
    names: () => disk.list(FOLDER),
  };
}

function rewrite({ peer, world }: Bench): void {
  assert.match(peer.ask("BGREWRITEAOF"), /started/);
  world.advance(300);
}

const live = (base: number, increment = base): string[] => [
  `appendonly.aof.${base}.base.rdb`,
  `appendonly.aof.${increment}.incr.aof`,
];

describe("rewriting", () => {
  test("leaves one base and one increment, and counts", async () => {
    const bench = await serve(new VirtualDisk());
    for (let round = 2; round < 5; round++) {
      bench.peer.ask("SET", "a", String(round));
      rewrite(bench);
      assert.deepEqual(bench.names(), [...live(round), "appendonly.aof.manifest"]);
    }
    assert.equal(bench.field("aof_rewrites"), "3");
    assert.equal(bench.field("aof_last_bgrewrite_status"), "ok");
    const bytes = live(4).reduce((sum, name) => sum + bench.disk.bytes(`${FOLDER}/${name}`)!.length, 0);
    assert.equal(bench.field("aof_current_size"), String(bytes));
  });

  test("begins by itself when the file has grown enough, and only then", async () => {
    const value = "x".repeat(1000);
    const bench = await serve(new VirtualDisk(), "--auto-aof-rewrite-min-size", "10000");
    for (let round = 0; round < 8; round++) bench.peer.ask("SET", "a", value);
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrites"), "0", "smaller than the least size");
    for (let round = 0; round < 3; round++) bench.peer.ask("SET", "a", value);
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrites"), "1");
    assert.equal(bench.world.logged("Starting automatic rewriting of AOF on "), 1);
    for (let round = 0; round < 9; round++) bench.peer.ask("SET", `key${round}`, value);
    bench.world.advance(500);
    for (let round = 0; round < 3; round++) bench.peer.ask("SET", `key${round}`, value);
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrites"), "2");
    for (let round = 0; round < 9; round++) bench.peer.ask("SET", `key${round}`, value);
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrites"), "2", "grown by less than 100 %");
    bench.peer.ask("CONFIG", "SET", "auto-aof-rewrite-percentage", "0");
    for (let round = 0; round < 50; round++) bench.peer.ask("SET", `key${round % 9}`, value);
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrites"), "2", "turned off");
  });

  test("that makes up for what the log lacks is tried until it succeeds", async () => {
    const bench = await serve(new VirtualDisk());
    bench.peer.ask("SET", "a", "1");
    // What is read back is not recorded: a new base is due.
    assert.equal(bench.peer.ask("DEBUG", "RELOAD"), "+OK\r\n");
    bench.disk.fault = (_step, operation, path) =>
      operation === "open" && path.endsWith(".base") ? "ENOSPC" : undefined;
    bench.world.advance(150);
    assert.equal(bench.field("aof_last_bgrewrite_status"), "err");
    bench.disk.fault = () => undefined;
    bench.world.advance(500);
    assert.equal(bench.field("aof_last_bgrewrite_status"), "ok");
    const rewrites = bench.field("aof_rewrites");
    bench.world.advance(3000);
    assert.equal(bench.field("aof_rewrites"), rewrites, "and no longer");
  });

  test("that fails is tried again, after the third time a minute later, then two", async () => {
    const bench = await serve(new VirtualDisk(), "--auto-aof-rewrite-min-size", "100", "--appendfsync", "no");
    for (let round = 0; round < 20; round++) bench.peer.ask("SET", "a", "x".repeat(100));
    bench.disk.fault = (_step, operation, path) =>
      operation === "open" && path.endsWith(".base") ? "ENOSPC" : undefined;
    bench.world.advance(3000);
    assert.equal(bench.field("aof_rewrites_consecutive_failures"), "3");
    assert.equal(bench.field("aof_last_bgrewrite_status"), "err");
    assert.equal(bench.peer.ask("SET", "a", "b"), "+OK\r\n", "nothing is lost by it");
    bench.world.advance(50_000);
    assert.equal(bench.field("aof_rewrites_consecutive_failures"), "3");
    bench.world.advance(12_000);
    assert.equal(bench.field("aof_rewrites_consecutive_failures"), "4");
    bench.world.advance(115_000);
    assert.equal(bench.field("aof_rewrites_consecutive_failures"), "4");
    bench.disk.fault = () => undefined;
    bench.world.advance(10_000);
    assert.equal(bench.field("aof_rewrites_consecutive_failures"), "0");
    assert.equal(bench.names().filter((name) => /incr/.test(name)).length, 1, String(bench.names()));
  });

  test("gives way to SAVE, and begins again", async () => {
    const bench = await serve(new VirtualDisk());
    bench.peer.ask("SET", "a", "1");
    bench.world.host.background.isHeld = true;
    bench.peer.ask("BGREWRITEAOF");
    bench.world.host.background.step();
    bench.world.advance(50);
    assert.equal(bench.field("aof_rewrite_in_progress"), "1");
    assert.equal(bench.peer.ask("BGSAVE").slice(0, 27), "-ERR Another child process ");
    assert.equal(bench.peer.ask("SAVE"), "+OK\r\n");
    assert.ok(bench.disk.bytes("/data/dump.rdb") !== undefined);
    bench.world.host.background.release();
    bench.world.advance(500);
    assert.equal(bench.field("aof_rewrite_in_progress"), "0");
    assert.equal(bench.field("aof_last_bgrewrite_status"), "ok");
    assert.equal(bench.disk.openFiles, 1);
  });

  test("with the file off writes a base, after a look at what is there", async () => {
    const disk = new VirtualDisk();
    const first = await serve(disk);
    first.peer.ask("SET", "a", "1");
    await first.world.stop();
    const bench = await serve(disk, "--appendonly", "no");
    bench.peer.ask("SET", "b", "2");
    rewrite(bench);
    assert.deepEqual(bench.names(), ["appendonly.aof.2.base.rdb", "appendonly.aof.manifest"]);
    assert.equal(bench.field("aof_enabled"), "0");
    await bench.world.stop();
    const last = await serve(disk);
    assert.equal(last.peer.ask("GET", "a"), "$-1\r\n");
    assert.equal(last.peer.ask("GET", "b"), "$1\r\n2\r\n");
  });

  test("a file that is turned on while such a base is being written gets a base of its own", async () => {
    const disk = new VirtualDisk();
    const bench = await serve(disk, "--appendonly", "no");
    bench.peer.ask("SET", "a", "1");
    bench.world.host.background.isHeld = true;
    bench.peer.ask("BGREWRITEAOF");
    bench.world.host.background.step();
    bench.world.advance(50);
    assert.equal(bench.peer.ask("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
    assert.equal(bench.field("aof_enabled"), "1");
    bench.peer.ask("SET", "b", "2");
    bench.world.host.background.release();
    bench.world.advance(500);
    bench.peer.ask("SET", "c", "3");
    bench.world.advance(1500);
    const next = await serve(disk.afterCrash());
    assert.equal(next.peer.ask("MGET", "a", "b", "c"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  });
});

describe("DEBUG LOADAOF", () => {
  test("empties nothing when what came just before it does not reach the disk", async () => {
    const bench = await serve(new VirtualDisk(), "--appendfsync", "no");
    bench.peer.ask("SET", "a", "1");
    let syncs = 0;
    // The first is that of the command; the second one takes what others sent in the same turn.
    bench.disk.fault = (_step, operation, path) =>
      operation === "fsync" && path.endsWith(".incr.aof") && ++syncs === 2 ? "EIO" : undefined;
    bench.peer.command("DEBUG", "LOADAOF");
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(syncs, 2);
    assert.match(bench.peer.take(), /^-ERR Error trying to load the AOF files/);
    assert.equal(bench.peer.ask("EXISTS", "a"), ":1\r\n");
  });
});

describe("the history", () => {
  test("keeps what is superseded, in the order in which it was live, until it is too old", async () => {
    const bench = await serve(new VirtualDisk(), "--history-keep", "5h");
    const { disk, world, peer } = bench;
    for (let hour = 0; hour < 4; hour++) {
      disk.modifiedMs = world.host.clock.nowMs();
      peer.ask("SET", "a", String(hour));
      rewrite(bench);
    }
    const text = disk.bytes(`${FOLDER}/appendonly.aof.history`)!.toString();
    const expected = [1, 2, 3, 4].flatMap((seq) => live(seq).map((name) => `file ${name} seq ${seq} type h\n`));
    assert.equal(text, expected.join(""));
    for (const name of [...live(1), ...live(4), ...live(5)]) assert.ok(bench.names().includes(name), name);
    world.host.clock.advance(6 * HOUR_MS);
    world.advance(1000);
    assert.deepEqual(
      bench.names().filter((name) => /incr|base/.test(name)),
      live(5),
    );
    assert.equal(disk.bytes(`${FOLDER}/appendonly.aof.history`)!.toString(), "");
  });

  test("is kept below its size, and a name is not given again after a restart", async () => {
    const disk = new VirtualDisk();
    const bench = await serve(disk, "--history-keep", "5h", "--history-keep-size", "5000");
    for (let round = 0; round < 4; round++) {
      disk.modifiedMs = bench.world.host.clock.nowMs();
      bench.peer.ask("SET", "a", "x".repeat(2000));
      rewrite(bench);
      bench.world.advance(70_000);
    }
    const kept = bench.names().filter((name) => /incr|base/.test(name));
    const superseded = kept.filter((name) => !live(5).includes(name));
    const bytes = superseded.reduce((sum, name) => sum + disk.bytes(`${FOLDER}/${name}`)!.length, 0);
    assert.ok(bytes <= 5000 && superseded.length >= 2, `${bytes} ${superseded}`);
    await bench.world.stop();
    const again = await serve(disk, "--history-keep", "5h");
    rewrite(again);
    assert.ok(again.names().includes("appendonly.aof.6.base.rdb"));
  });

  test("names who it was, as history-clients says", async () => {
    for (const [clients, expected] of [
      ["none", [undefined, undefined]],
      ["dangerous", [undefined, "127.0.0.1:40001"]],
      ["all", ["127.0.0.1:40001", "127.0.0.1:40001"]],
    ] as const) {
      const bench = await serve(new VirtualDisk(), "--history-keep", "1d", "--history-clients", clients);
      bench.peer.ask("SET", "a", "1");
      bench.peer.ask("FLUSHALL");
      const reader = new AofReader(bench.disk.open(`${FOLDER}/appendonly.aof.1.incr.aof`, "read"));
      const found: (string | undefined)[] = [];
      for (let record = reader.next(); record !== "end"; record = reader.next()) {
        if (record === "command" && !reader.request.is(0, "SELECT")) found.push(reader.source);
      }
      assert.deepEqual(found, expected, clients);
    }
  });
});

describe("where the files lie", () => {
  test("names are those of the configuration", async () => {
    const disk = new VirtualDisk();
    const bench = await serve(disk, "--appenddirname", "log", "--appendfilename", "my file");
    bench.peer.ask("SET", "a", "1");
    assert.deepEqual(disk.list("/data/log"), ["my file.1.base.rdb", "my file.1.incr.aof", "my file.manifest"]);
    await bench.world.stop();
    const again = await serve(disk, "--appenddirname", "log", "--appendfilename", "my file");
    assert.equal(again.peer.ask("GET", "a"), "$1\r\n1\r\n");
  });

  test("dir, when it changes, moves the file only when that is turned on anew", async () => {
    const disk = new VirtualDisk();
    disk.makeDirectory("/other");
    const bench = await serve(disk, "--enable-protected-configs", "yes");
    assert.equal(bench.peer.ask("CONFIG", "SET", "dir", "/other"), "+OK\r\n");
    assert.equal(bench.world.logged("stays in /data/appendonlydir until"), 1);
    bench.peer.ask("SET", "a", "1");
    assert.deepEqual(disk.list("/other"), []);
    bench.peer.ask("CONFIG", "SET", "appendonly", "no");
    bench.peer.ask("CONFIG", "SET", "appendonly", "yes");
    bench.world.advance(500);
    assert.deepEqual(disk.list("/other/appendonlydir"), [...live(1), "appendonly.aof.manifest"]);
  });

  test("a torn increment is cut although an empty one follows it, and a hole between two is told", async () => {
    const disk = new VirtualDisk();
    const bench = await serve(disk);
    for (const value of ["1", "2", "3"]) bench.peer.ask("SET", value, value);
    await bench.world.stop();
    const manifest = disk.bytes(`${FOLDER}/appendonly.aof.manifest`)!.toString();
    const whole = disk.bytes(`${FOLDER}/appendonly.aof.1.incr.aof`)!;
    disk.put(
      `${FOLDER}/appendonly.aof.manifest`,
      Buffer.from(`${manifest}file appendonly.aof.2.incr.aof seq 2 type i\n`),
    );
    disk.put(`${FOLDER}/appendonly.aof.2.incr.aof`, Buffer.alloc(0));
    disk.put(`${FOLDER}/appendonly.aof.1.incr.aof`, whole.subarray(0, whole.length - 4));
    const second = await serve(disk);
    assert.equal(second.peer.ask("MGET", "1", "2", "3"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
    second.peer.ask("SET", "4", "4");
    await second.world.stop();
    const third = await serve(disk);
    assert.equal(third.peer.ask("MGET", "2", "4"), "*2\r\n$1\r\n2\r\n$1\r\n4\r\n");
    await third.world.stop();
    // A whole command is missing at the end of the first: nothing looks torn.
    const left = disk.bytes(`${FOLDER}/appendonly.aof.1.incr.aof`)!;
    disk.put(`${FOLDER}/appendonly.aof.1.incr.aof`, left.subarray(0, left.lastIndexOf("*3\r\n")));
    await assert.rejects(serve(disk), /appendonly\.aof\.2\.incr\.aof does not follow the one before it/);
  });
});
