import assert from "node:assert/strict";
import { test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import { encode, type FakePeer, World } from "./testing.ts";

function makeWorld(): World {
  return new World(dataCommands());
}

function monitor(world: World): FakePeer {
  const peer = world.connect();
  assert.equal(peer.ask("MONITOR"), "+OK\r\n");
  return peer;
}

/** The lines that `peer` heard, without their times. */
function lines(peer: FakePeer): string[] {
  return peer
    .take()
    .split("\r\n")
    .slice(0, -1)
    .map((line) => line.replace(/^\+\d{10}\.\d{6} /, ""));
}

test("a line has the time, the database, the address and quoted arguments", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  const alice = world.connect({ remoteAddress: "127.0.0.1:77" });
  alice.ask("SET", 'k"\\', "\x00\n\r\t\x07\x08 \xe9\x7f");
  assert.equal(
    watcher.take(),
    '+1700000001.000000 [0 127.0.0.1:77] "SET" "k\\"\\\\" "\\x00\\n\\r\\t\\a\\b \\xe9\\x7f"\r\n',
  );
  world.connect({ isUnixSocket: true }).ask("PING");
  assert.deepEqual(lines(watcher), ['[0 unix:/run/everkey] "PING"']);
});

test("commands are shown when they are done, in the order in which they ended; queued ones when they run", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  const alice = world.connect({ remoteAddress: "127.0.0.1:1" });
  for (const words of [["select", "1"], ["MULTI"], ["SET", "k", "1"], ["Exec"]]) alice.ask(...words);
  assert.deepEqual(lines(watcher), [
    '[1 127.0.0.1:1] "select" "1"',
    '[1 127.0.0.1:1] "MULTI"',
    '[1 127.0.0.1:1] "SET" "k" "1"',
    '[1 127.0.0.1:1] "Exec"',
  ]);
});

test("what is refused, and what is for administrators, is not shown", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  const alice = world.connect();
  for (const words of [["NOSUCH"], ["GET"], ["CLIENT", "LIST"], ["CLIENT", "PAUSE", "0"]]) alice.ask(...words);
  assert.deepEqual(lines(watcher), []);
});

test("passwords are not shown", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  const alice = world.connect({ remoteAddress: "127.0.0.1:1" });
  alice.ask("AUTH", "secret");
  alice.ask("auth", "default", "secret");
  alice.ask("HELLO", "2", "AUTH", "default", "secret", "SETNAME", "alice");
  assert.deepEqual(lines(watcher), [
    '[0 127.0.0.1:1] "AUTH" "(redacted)"',
    '[0 127.0.0.1:1] "auth" "(redacted)" "(redacted)"',
    '[0 127.0.0.1:1] "HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "alice"',
  ]);
});

test("a command that waits is shown once", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  const alice = world.connect({ remoteAddress: "127.0.0.1:1" });
  alice.command("BLPOP", "q", 0);
  assert.deepEqual(lines(watcher), ['[0 127.0.0.1:1] "BLPOP" "q" "0"']);
  world.connect({ remoteAddress: "127.0.0.1:2" }).ask("RPUSH", "q", "v");
  assert.deepEqual(lines(watcher), ['[0 127.0.0.1:2] "RPUSH" "q" "v"']);
  assert.equal(alice.take(), encode("q", "v"));
});

test("one's own commands are shown behind their replies, until RESET", () => {
  const world = makeWorld();
  const watcher = monitor(world);
  assert.match(watcher.ask("PING"), /^\+PONG\r\n\+\d+\.\d+ \[0 [^\]]+\] "PING"\r\n$/);
  assert.equal(watcher.ask("MONITOR"), "");
  assert.match(watcher.ask("CLIENT", "INFO"), /flags=O /);
  assert.equal(watcher.ask("RESET"), "+RESET\r\n");
  assert.equal(watcher.ask("PING"), "+PONG\r\n");
  assert.equal(world.dispatcher.monitors, undefined);
});

test("MONITOR is refused between MULTI and EXEC", () => {
  const world = makeWorld();
  const alice = world.connect();
  alice.ask("MULTI");
  alice.ask("MONITOR");
  assert.equal(alice.ask("EXEC"), "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
  assert.equal(world.dispatcher.monitors, undefined);
});

test("a monitor that does not read is closed by the limit of its output", () => {
  const world = makeWorld();
  Object.assign(world.session.limits.output, { normal: { hardBytes: 10_000, softBytes: 0, softSeconds: 0 } });
  const watcher = monitor(world);
  const other = monitor(world);
  watcher.connection.isStuck = true;
  const alice = world.connect();
  for (let index = 0; index < 20; index++) alice.ask("SET", "k", "v".repeat(1000));
  assert.equal(watcher.connection.isDestroyed, true);
  assert.equal(lines(other).length, 20);
  other.close();
  assert.equal(world.dispatcher.monitors, undefined);
});

test("a monitor is not idle", () => {
  const world = makeWorld();
  world.session.limits.timeoutSeconds = 1;
  const watcher = monitor(world);
  const alice = world.connect();
  world.advance(5000);
  assert.deepEqual([watcher.connection.isDestroyed, alice.connection.isDestroyed], [false, true]);
});
