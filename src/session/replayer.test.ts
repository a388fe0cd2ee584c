import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../test/support/seed.ts";
import { dataCommands } from "../commands/all.ts";
import { commandBytes, MemoryFile } from "../history/formats/aof-file.test.support.ts";
import { AofReader } from "../history/formats/aof-reader.ts";
import { Replayer, ReplayFault } from "./replayer.ts";
import { encode, World } from "./testing.ts";

class ReplayWorld extends World {
  readonly replayer: Replayer;
  readonly errors: string[] = [];

  constructor() {
    super(dataCommands());
    this.replayer = new Replayer(this.dispatcher, this.session.scripting);
    this.replayer.onError = (text, request) => this.errors.push(`${request.text(0)} ${request.text(1)}: ${text}`);
  }

  reader(...records: (string | Buffer)[]): AofReader {
    const bytes = Buffer.concat(records.map((record) => Buffer.from(record as string, "latin1")));
    // Chunks of a few bytes: the buffer moves between any two records.
    return new AofReader(new MemoryFile(bytes), { chunkBytes: 40 });
  }

  replay(...records: (string | Buffer)[]): void {
    assert.equal(
      this.replayer.replay(this.reader(...records), true, () => false),
      true,
    );
  }
}

test("commands of a log are executed in its databases, and leave the context as it was", () => {
  const world = new ReplayWorld();
  const { context } = world.dispatcher;
  const before = { client: context.client, offset: context.request.offset, database: context.database };
  world.replay(commandBytes("SET", "a", "1"), commandBytes("SELECT", "3"), commandBytes("RPUSH", "l", "x", "y"));
  assert.equal(world.replayer.commandCount, 3);
  assert.equal(world.replayer.databaseIndex, 3);
  assert.deepEqual(
    { client: context.client, offset: context.request.offset, database: context.database },
    { ...before },
  );
  assert.equal(context.mayWait, true);
  assert.equal(context.keyspace.isReplaying, false);
  assert.equal(context.reply.byteCount(), 0);
  const peer = world.connect();
  assert.equal(peer.ask("GET", "a"), "$1\r\n1\r\n");
  peer.ask("SELECT", 3);
  assert.equal(peer.ask("LRANGE", "l", 0, -1), "*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
});

test("a transaction is executed at its EXEC, and not at all when EXEC is missing", () => {
  const world = new ReplayWorld();
  const { keyspace } = world.dispatcher.context;
  const begun = [commandBytes("MULTI"), commandBytes("SET", "a", "1"), commandBytes("INCR", "a")];
  const reader = world.reader(...begun, commandBytes("EXEC"));
  world.replayer.begin();
  for (let count = 0; count < 3; count++) {
    reader.next();
    world.replayer.apply(reader);
  }
  assert.equal(keyspace.totalKeys(), 0);
  reader.next();
  world.replayer.apply(reader);
  world.replayer.end();
  assert.equal(world.connect().ask("GET", "a"), "$1\r\n2\r\n");

  assert.throws(() => world.replay(commandBytes("SET", "b", "1"), ...begun), /between MULTI and EXEC/);
  assert.equal(world.connect().ask("GET", "a"), "$1\r\n2\r\n");
  assert.equal(world.connect().ask("GET", "b"), "$1\r\n1\r\n");
  world.replay(commandBytes("INCR", "a"));
  assert.equal(world.connect().ask("GET", "a"), "$1\r\n3\r\n", "what was kept of the torn transaction is forgotten");
});

test("keys whose time is over stay until the log says that they went", () => {
  const world = new ReplayWorld();
  const { keyspace } = world.dispatcher.context;
  world.replay(
    "#EK:1000\r\n",
    commandBytes("SET", "a", "1", "PXAT", "1500"),
    "#EK:2000\r\n",
    commandBytes("APPEND", "a", "2"),
    commandBytes("SET", "b", "1"),
  );
  assert.equal(keyspace.nowMs, 2000);
  assert.equal(keyspace.totalKeys(), 2);
  world.replay("#EK:2100 by expired\r\n", commandBytes("DEL", "a"));
  assert.equal(keyspace.totalKeys(), 1);
});

test("without followsTime the keyspace keeps its time", () => {
  const world = new ReplayWorld();
  const { keyspace } = world.dispatcher.context;
  keyspace.nowMs = 77;
  world.replayer.replay(world.reader("#EK:1000\r\n", commandBytes("SET", "a", "1")), false, () => false);
  assert.equal(keyspace.nowMs, 77);
});

test("errors are counted and told with the command that gave them; the replay goes on", () => {
  const world = new ReplayWorld();
  world.replay(
    commandBytes("SET", "s", "1"),
    commandBytes("LPUSH", "s", "x"),
    commandBytes("MULTI"),
    commandBytes("SADD", "s", "x"),
    commandBytes("SET", "t", "1"),
    commandBytes("EXEC"),
  );
  const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
  assert.deepEqual(world.errors, [`LPUSH s: ${wrongType}`, `SADD s: ${wrongType}`]);
  assert.equal(world.replayer.errorCount, 2);
  assert.equal(world.replayer.commandCount, 4);
});

test("a command that does not exist, or lacks arguments, ends the replay", () => {
  const world = new ReplayWorld();
  assert.throws(() => world.replay(commandBytes("NOSUCH", "a")), ReplayFault);
  assert.throws(() => world.replay(commandBytes("XGROUP", "NOSUCH", "a")), ReplayFault);
  assert.throws(() => world.replay(commandBytes("SET", "a")), /wrong number of arguments for 'set'/);
});

test("nobody waits: a blocking command finds nothing and is over", () => {
  const world = new ReplayWorld();
  world.replay(commandBytes("BLPOP", "l", "0"), commandBytes("RPUSH", "l", "x"));
  assert.equal(world.connect().ask("LLEN", "l"), ":1\r\n");
});

test("looking ahead changes nothing, whatever the buffer holds", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  for (let round = 0; round < 8; round++) {
    const commands = Array.from({ length: 400 }, () => randomWords(random));
    const expected = new ReplayWorld();
    const client = expected.connect();
    for (const words of commands) client.ask(...words);
    const replayed = new ReplayWorld();
    const bytes = Buffer.concat(
      commands.map((words) =>
        Buffer.concat([random.chance(0.1) ? Buffer.from("#EK:5\r\n") : Buffer.alloc(0), commandBytes(...words)]),
      ),
    );
    const reader = new AofReader(new MemoryFile(bytes), { chunkBytes: random.between(16, 4096) });
    while (!replayed.replayer.replay(reader, false, () => true));
    assert.equal(replayed.replayer.commandCount, commands.length);
    const peers = [expected.connect(), replayed.connect()] as const;
    for (let key = 0; key < 60; key++) {
      for (const question of [
        ["GET", `s${key}`],
        ["LRANGE", `l${key}`, 0, -1],
        ["HGETALL", `h${key}`],
      ] as const) {
        const [left, right] = peers.map((peer) => peer.ask(...question));
        assert.equal(right, left, `seed ${seed}, round ${round}, ${question.join(" ")}`);
      }
    }
  }
});

/** A write to one of 60 keys of a type; now and then one with many or with long arguments. */
function randomWords(random: SeededRandom): string[] {
  const key = random.below(60);
  const value = "v".repeat(random.chance(0.1) ? random.between(100, 3000) : random.below(20));
  const words = [
    ["SET", `s${key}`, value],
    ["APPEND", `s${key}`, value],
    ["RPUSH", `l${key}`, value, `${random.below(1000)}`],
    ["HSET", `h${key}`, `f${random.below(8)}`, value],
    ["DEL", `s${key}`, `l${random.below(60)}`, `h${random.below(60)}`],
    ["RPUSH", `l${key}`, ...Array.from({ length: random.between(10, 30) }, (_, index) => String(index))],
  ];
  return random.pick(words);
}

test("clients are served between two slices, and their unfinished requests are not disturbed", () => {
  const world = new ReplayWorld();
  const records: Buffer[] = [];
  for (let index = 0; index < 1000; index++) records.push(commandBytes("SET", `key:${index}`, `value ${index}`));
  const reader = world.reader(...records);
  const peer = world.connect();
  const request = encode("SET", "mine", "1") + encode("GET", "mine");
  let at = 0;
  let slices = 0;
  while (!world.replayer.replay(reader, true, () => true)) {
    slices++;
    peer.send(request.slice(at, at + 9));
    at += 9;
  }
  peer.send(request.slice(at));
  assert.ok(slices >= 3, `${slices} slices`);
  assert.equal(peer.take(), "+OK\r\n$1\r\n1\r\n");
  assert.equal(world.dispatcher.context.keyspace.totalKeys(), 1001);
});
