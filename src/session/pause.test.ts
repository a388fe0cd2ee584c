/** CLIENT PAUSE and UNPAUSE: who waits, for how long, and in which order they go on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, World } from "./testing.ts";

test("a pause of writes lets reads through and keeps each client's order", () => {
  const world = new World();
  const admin = world.connect();
  const writer = world.connect();
  assert.equal(admin.ask("CLIENT", "PAUSE", 1000, "WRITE"), "+OK\r\n");
  writer.send(encode("GET", "k") + encode("SET", "k", "1") + encode("GET", "k"));
  writer.command("ECHO", "later");
  assert.equal(writer.take(), "$-1\r\n");
  assert.equal(admin.ask("GET", "k"), "$-1\r\n");
  assert.ok(admin.ask("CLIENT", "LIST").includes("flags=b "));
  assert.equal(world.session.blockedCount, 1, "INFO counts who is held");
  world.advance(900);
  assert.equal(writer.take(), "");
  world.advance(100);
  assert.equal(writer.take(), "+OK\r\n$1\r\n1\r\n$5\r\nlater\r\n");
  assert.equal(world.session.gates.pausedUntilMs, 0);
  assert.equal(world.clock.timerCount, 0);
});

test("a pause of everything holds back the caller's own next command, and UNPAUSE itself", () => {
  const world = new World();
  const admin = world.connect();
  const other = world.connect();
  admin.send(encode("CLIENT", "PAUSE", 500) + encode("PING"));
  assert.equal(admin.take(), "+OK\r\n");
  assert.equal(other.ask("CLIENT", "UNPAUSE"), "");
  world.advance(500);
  assert.equal(admin.take(), "+PONG\r\n");
  assert.equal(other.take(), "+OK\r\n");
});

test("UNPAUSE is answered first, then clients go on in the order in which they were put off", () => {
  const world = new World();
  const admin = world.connect();
  const peers = [world.connect(), world.connect(), world.connect()];
  admin.command("CLIENT", "PAUSE", 10_000, "WRITE");
  for (const index of [2, 0, 1]) peers[index]!.command("SET", "last", index).command("GET", "last");
  assert.equal(world.session.pause.waitingCount, 3);
  admin.send(encode("CLIENT", "UNPAUSE") + encode("GET", "last"));
  assert.ok(admin.take().endsWith("+OK\r\n$-1\r\n"));
  for (const index of [0, 1, 2]) assert.equal(peers[index]!.take(), `+OK\r\n$1\r\n${index}\r\n`);
  assert.equal(admin.ask("GET", "last"), "$1\r\n1\r\n", "the one that was put off last wrote last");
  assert.equal(world.clock.timerCount, 0);
});

test("the longer pause prevails, and the stricter", () => {
  const world = new World();
  const admin = world.connect();
  const other = world.connect();
  admin.send(encode("CLIENT", "PAUSE", 1000, "WRITE") + encode("CLIENT", "PAUSE", 100, "WRITE"));
  other.command("SET", "k", "v");
  world.advance(900);
  assert.equal(other.take(), "");
  world.advance(100);
  assert.equal(other.take(), "+OK\r\n");
  // Stricter: the second pause, though shorter, makes the first one hold back reads.
  admin.send(encode("CLIENT", "PAUSE", 1000, "WRITE") + encode("CLIENT", "PAUSE", 10, "ALL"));
  assert.equal(other.ask("GET", "k"), "");
  world.advance(1000);
  assert.equal(other.take(), "$1\r\nv\r\n");
  // A pause that is over does not make the next one strict.
  admin.command("CLIENT", "PAUSE", 1000, "WRITE");
  assert.equal(other.ask("GET", "k"), "$1\r\nv\r\n");
});

test("CLIENT PAUSE 0 pauses nothing, and bad arguments are refused", () => {
  const world = new World();
  const admin = world.connect();
  assert.equal(admin.ask("CLIENT", "PAUSE", 0), "+OK\r\n");
  assert.equal(admin.ask("SET", "k", "v"), "+OK\r\n");
  for (const [words, reply] of [
    ["abc", "-ERR timeout is not an integer or out of range\r\n"],
    ["1.5", "-ERR timeout is not an integer or out of range\r\n"],
    ["-1", "-ERR timeout is negative\r\n"],
    ["9223372036854775807", "-ERR timeout is out of range\r\n"],
    ["abc x", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n"],
    ["1 ALL x", "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.\r\n"],
  ] as const) {
    assert.equal(admin.ask("CLIENT", "PAUSE", ...words.split(" ")), reply, words);
  }
  assert.equal(world.clock.timerCount, 0);
});

test("CLIENT REPLY SKIP still holds for the command that was put off", () => {
  const world = new World();
  const admin = world.connect();
  const other = world.connect();
  admin.command("CLIENT", "PAUSE", 100, "WRITE");
  other.send(encode("CLIENT", "REPLY", "SKIP") + encode("SET", "k", "v") + encode("GET", "k"));
  assert.equal(other.take(), "");
  world.advance(100);
  assert.equal(other.take(), "$1\r\nv\r\n");
});

test("a client that goes during the pause leaves nothing behind, and one that starts a new pause holds back the rest", () => {
  const world = new World();
  const admin = world.connect();
  const leaving = world.connect();
  const first = world.connect();
  const second = world.connect();
  admin.command("CLIENT", "PAUSE", 100, "ALL");
  leaving.command("SET", "gone", 1);
  first.send(encode("CLIENT", "PAUSE", 300, "ALL"));
  second.command("ECHO", "x");
  leaving.close();
  assert.equal(world.session.pause.waitingCount, 2);
  world.advance(100);
  assert.equal(first.take(), "+OK\r\n");
  assert.equal(second.take(), "");
  world.advance(300);
  assert.equal(second.take(), "$1\r\nx\r\n");
  assert.equal(admin.ask("GET", "gone"), "$-1\r\n");
});

test("CLIENT UNBLOCK does not end a pause, CLIENT KILL does", () => {
  const world = new World();
  const admin = world.connect();
  const other = world.connect();
  admin.command("CLIENT", "PAUSE", 100, "WRITE");
  other.command("SET", "k", "v");
  assert.equal(admin.ask("CLIENT", "UNBLOCK", 2), ":0\r\n");
  assert.equal(admin.ask("CLIENT", "KILL", "ID", 2), ":1\r\n");
  world.advance(200);
  assert.equal(admin.ask("GET", "k"), "$-1\r\n");
});
