import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../src/history/snapshot/testing.test.support.ts";
import type { FakePeer } from "../../src/session/testing.ts";
import { contentOf } from "../../src/store/keyspace/model.test.support.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

const FILE = "/data/dump.rdb";
const MISCONF = /^-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk\./;

async function serve(disk: VirtualDisk, ...directives: string[]): Promise<{ world: VirtualServer; peer: FakePeer }> {
  const world = new VirtualServer({ disk, directives: ["--save", "3600 1000", ...directives] });
  await world.start();
  return { world, peer: world.connect() };
}

/** The value of "generation" in a file that must be whole. */
function generation(disk: VirtualDisk): string | undefined {
  const bytes = disk.bytes(FILE);
  if (bytes === undefined) return undefined;
  const content = contentOf(load(bytes).keyspace)[0]!;
  assert.equal(content.size, 101, "a file that is not whole");
  return content.get("generation")!.value;
}

/** A hundred keys and "generation". */
function write(peer: FakePeer, value: string): void {
  for (let index = 0; index < 100; index++) peer.ask("SET", `key${index}`, `${value} ${index}`);
  assert.equal(peer.ask("SET", "generation", value), "+OK\r\n");
}

/** A field of INFO persistence as Snapshots keeps it. */
const status = (world: VirtualServer): string => world.server.snapshots.lastStatus;

/** A disk with a snapshot of generation "old", and a server whose memory holds generation "new". */
async function prepare(): Promise<{ disk: VirtualDisk; world: VirtualServer; peer: FakePeer }> {
  const disk = new VirtualDisk();
  const { world, peer } = await serve(disk);
  write(peer, "old");
  assert.equal(peer.ask("SAVE"), "+OK\r\n");
  write(peer, "new");
  return { disk, world, peer };
}

type Saving = (world: VirtualServer, peer: FakePeer) => boolean;

/** Ways of saving: they return whether the server said that it went well. */
const SAVINGS: readonly (readonly [name: string, save: Saving])[] = [
  [
    "SAVE",
    (_world, peer) => {
      const reply = peer.ask("SAVE");
      assert.ok(reply === "+OK\r\n" || reply === "-ERR\r\n", reply);
      return reply === "+OK\r\n";
    },
  ],
  [
    "BGSAVE",
    (world, peer) => {
      assert.equal(peer.ask("BGSAVE"), "+Background saving started\r\n");
      world.advance(200);
      assert.equal(world.server.snapshots.isRunning(), false);
      return status(world) === "ok";
    },
  ],
];

/** How many steps a save that goes well has, so that each of them can be made to fail. */
async function stepCount(save: Saving): Promise<number> {
  const { disk, world, peer } = await prepare();
  const before = disk.steps.length;
  assert.ok(save(world, peer));
  return disk.steps.length - before;
}

for (const [name, save] of SAVINGS) {
  for (const code of ["EIO", "ENOSPC"]) {
    test(`${name}: whichever step fails with ${code}, once or from there on, the file is whole and the server goes on`, async () => {
      const steps = await stepCount(save);
      assert.ok(steps >= 6, `only ${steps} steps: open, write, fsync, close, rename, fsync of the folder`);
      for (let failing = 0; failing < steps; failing++) {
        for (const isLasting of [false, true]) {
          const { disk, world, peer } = await prepare();
          const first = disk.steps.length + failing;
          disk.fault = (step) => (step === first || (isLasting && step > first) ? code : undefined);
          const isOk = save(world, peer);
          const where = `${disk.steps[first]}, ${isLasting ? "from there on" : "once"}`;
          assert.equal(isOk, false, where);
          assert.equal(status(world), "err", where);
          assert.equal(disk.openFiles, 0, where);
          assert.ok(["old", "new"].includes(generation(disk)!), where);
          assert.ok(["old", "new"].includes(generation(disk.afterCrash())!), where);
          // Everything before the rename leaves the old file.
          if (!disk.steps.slice(first - failing, first).some((step) => step.startsWith("rename"))) {
            assert.equal(generation(disk), "old", where);
          }
          if (!isLasting) assert.deepEqual(disk.paths(), [FILE], where);
          assert.ok(world.logged("Write error saving DB on disk") > 0, where);

          world.advance(200);
          assert.match(peer.ask("SET", "a", "b"), MISCONF, where);
          assert.match(peer.ask("DEL", "key1"), MISCONF, where);
          assert.equal(peer.ask("GET", "generation"), "$3\r\nnew\r\n", where);
          assert.match(peer.ask("PING"), MISCONF, where); // as the real server: health checks see it

          disk.fault = () => undefined;
          assert.ok(save(world, peer), where);
          assert.equal(status(world), "ok");
          assert.equal(generation(disk.afterCrash()), "new");
          assert.deepEqual(disk.paths(), [FILE]);
          world.advance(200);
          assert.equal(peer.ask("SET", "a", "b"), "+OK\r\n");
          await world.stop();
        }
      }
    });
  }

  test(`${name}: a full disk keeps the old file, says so, and the next one with room is saved`, async () => {
    for (const freeBytes of [0, 1, 8, 9, 100, 500]) {
      const { disk, world, peer } = await prepare();
      disk.freeBytes = freeBytes;
      assert.equal(save(world, peer), false);
      assert.equal(generation(disk), "old");
      assert.equal(generation(disk.afterCrash()), "old");
      assert.deepEqual(disk.paths(), [FILE]);
      assert.equal(world.logged("No space left on device"), 1);
      assert.equal(world.logged("free some space"), 1);
      disk.freeBytes = 1_000_000;
      assert.ok(save(world, peer));
      assert.equal(generation(disk), "new");
    }
  });

  test(`${name}: a crash after any step leaves a whole file, and the server starts with it`, async () => {
    const steps = await stepCount(save);
    for (let last = 0; last <= steps; last++) {
      const { disk, world, peer } = await prepare();
      const first = disk.steps.length;
      let crashed: VirtualDisk | undefined;
      disk.fault = (step) => {
        if (step === first + last) crashed = disk.afterCrash();
        return undefined;
      };
      assert.ok(save(world, peer));
      crashed ??= disk.afterCrash();
      const found = generation(crashed);
      assert.ok(found === "old" || found === "new");
      if (last === steps) assert.equal(found, "new", "what was reported as saved has to be there");
      const next = await serve(crashed);
      assert.equal(next.peer.ask("GET", "generation"), `$3\r\n${found}\r\n`);
    }
  });
}

test("with stop-writes-on-bgsave-error no, and without save points, a failed save refuses no write", async () => {
  for (const directives of [
    ["--stop-writes-on-bgsave-error", "no"],
    ["--save", ""],
  ]) {
    const disk = new VirtualDisk();
    const { world, peer } = await serve(disk, ...directives);
    disk.fault = () => "EIO";
    peer.ask("BGSAVE");
    world.advance(500);
    assert.equal(status(world), "err");
    assert.equal(peer.ask("SET", "a", "b"), "+OK\r\n");
  }
});

test("a save point that fails is tried again, not at once but soon, and succeeds when the disk is well again", async () => {
  const disk = new VirtualDisk();
  const world = new VirtualServer({ disk, directives: ["--save", "1 5"] });
  await world.start();
  const peer = world.connect();
  for (let index = 0; index < 5; index++) peer.ask("SET", `k${index}`, "v");
  disk.fault = () => "EIO";
  world.advance(3000);
  assert.equal(world.logged("5 changes in 1 seconds. Saving..."), 1);
  world.advance(12_000);
  assert.equal(world.logged("5 changes in 1 seconds. Saving..."), 3);
  assert.match(peer.ask("SET", "a", "b"), MISCONF);
  disk.fault = () => undefined;
  world.advance(6000);
  assert.equal(status(world), "ok");
  assert.equal(peer.ask("SET", "a", "b"), "+OK\r\n");
  assert.ok(disk.bytes(FILE) !== undefined);
});

test("changes during a background save count for the next one", async () => {
  const disk = new VirtualDisk();
  const { world, peer } = await serve(disk);
  write(peer, "old");
  world.host.background.isHeld = true;
  peer.ask("BGSAVE");
  for (let index = 0; index < 7; index++) peer.ask("SET", "generation", `g${index}`);
  assert.equal(peer.ask("BGSAVE"), "-ERR Background save already in progress\r\n");
  assert.equal(peer.ask("SAVE"), "-ERR Background save already in progress\r\n");
  world.host.background.release();
  world.advance(200);
  assert.equal(world.server.keyspace.dirty, 7);
  assert.equal(generation(disk), "old");
});

test("a shutdown that cannot save does not happen, and FORCE makes it happen", async () => {
  const { disk, world, peer } = await prepare();
  disk.fault = (_step, operation) => (operation === "rename" ? "EIO" : undefined);
  assert.match(peer.ask("SHUTDOWN"), /^-ERR Errors trying to SHUTDOWN/);
  assert.equal(peer.ask("PING"), "+PONG\r\n");
  assert.equal(generation(disk), "old");
  assert.equal(peer.ask("SHUTDOWN", "FORCE"), "");
  await world.stop();
});

for (const [what, plan, reason] of [
  ["opened", (operation: string) => (operation === "open" ? "EACCES" : undefined), /Permission denied/],
  ["read", (operation: string) => (operation === "read" ? "EIO" : undefined), /Input\/output error/],
  ["looked up", (operation: string) => (operation === "stat" ? "EACCES" : undefined), /Permission denied/],
] as const) {
  test(`a file that cannot be ${what} ends the start, and is left alone`, async () => {
    const { disk } = await prepare();
    const before = disk.bytes(FILE)!;
    const world = new VirtualServer({ disk });
    disk.fault = (_step, operation, path) => (path === FILE ? plan(operation) : undefined);
    await assert.rejects(world.start(), (error: Error) => {
      assert.match(error.message, /^\/data\/dump\.rdb cannot be read: /);
      assert.match(error.message, reason);
      assert.match(error.message, /Nothing was changed\. See to its permissions and the disk, then start again\./);
      return true;
    });
    assert.throws(() => world.connect(), /nobody listens/);
    assert.equal(disk.bytes(FILE), before);
    assert.deepEqual(disk.paths(), [FILE]);
  });
}

test("what a killed server left unfinished is removed at the start, when it is old enough to be nobody's work", async () => {
  for (const [modifiedMs, isLeft] of [
    [0, false],
    [Number.MAX_SAFE_INTEGER, true],
  ] as const) {
    const { disk } = await prepare();
    for (const name of ["temp-77-1.rdb", "temp-dump.rdb"]) disk.open(`/data/${name}`, "create").close();
    disk.modifiedMs = modifiedMs;
    await serve(disk);
    const names = disk.list("/data");
    assert.equal(names.includes("temp-77-1.rdb"), isLeft);
    assert.ok(names.includes("temp-dump.rdb"), "a name that is not ours");
    assert.ok(names.includes("dump.rdb"));
  }
});

test("random faults during random work never cost a file that was whole", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  for (let round = 0; round < 20; round++) {
    const { disk, world, peer } = await prepare();
    const probability = random.pick([0.02, 0.1, 0.4]);
    disk.fault = () => (random.chance(probability) ? random.pick(["EIO", "ENOSPC", "EROFS"]) : undefined);
    let saved = "old";
    for (let step = 0; step < 15; step++) {
      const value = `r${round}s${step}`;
      const accepted = peer.ask("SET", "generation", value) === "+OK\r\n";
      if (!accepted) assert.equal(status(world), "err");
      const [, save] = random.pick(SAVINGS);
      const current = peer.ask("GET", "generation").split("\r\n")[1]!;
      if (save(world, peer)) saved = current;
      const found = generation(disk)!;
      assert.ok([saved, current].includes(found), `${found} instead of ${saved} or ${current}`);
      saved = found;
      assert.ok(generation(disk.afterCrash()) !== undefined);
      world.advance(150);
    }
  }
});
