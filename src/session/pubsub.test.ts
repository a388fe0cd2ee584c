/** Pub/sub between several clients: who hears what, in which order, and in how many writes. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import { encode, type FakePeer, World } from "./testing.ts";

function worldOf(count: number): [World, ...FakePeer[]] {
  const world = new World(dataCommands());
  return [world, ...Array.from({ length: count }, () => world.connect())];
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const array = (type: "*" | ">", ...parts: (string | number)[]): string =>
  `${type}${parts.length}\r\n${parts.map((part) => (typeof part === "number" ? `:${part}\r\n` : bulk(part))).join("")}`;
/** Several commands in one write. */
const pipeline = (...commands: string[]): string => commands.map((words) => encode(...words.split(" "))).join("");
const subscribersOf = (peer: FakePeer, channel: string): string => peer.ask("PUBSUB", "NUMSUB", channel);

describe("messages", () => {
  test("reach each subscriber in its own protocol, and patterns with the pattern", () => {
    const [, two, three, writer] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    three.ask("HELLO", 3);
    two.command("SUBSCRIBE", "a");
    three.command("SUBSCRIBE", "a");
    three.command("PSUBSCRIBE", "[ab]");
    assert.equal(three.take(), array(">", "subscribe", "a", 1) + array(">", "psubscribe", "[ab]", 2));
    assert.equal(two.take(), array("*", "subscribe", "a", 1));
    assert.equal(writer.ask("PUBLISH", "a", "m"), ":3\r\n");
    assert.equal(two.take(), array("*", "message", "a", "m"));
    assert.equal(three.take(), array(">", "message", "a", "m") + array(">", "pmessage", "[ab]", "a", "m"));
    assert.equal(writer.ask("PUBLISH", "c", "m"), ":0\r\n");
    assert.equal(writer.ask("SPUBLISH", "a", "m"), ":0\r\n");
    assert.equal(two.take() + three.take(), "");
  });

  test("may hold any bytes and any length", () => {
    const [, listener, writer] = worldOf(2) as [World, FakePeer, FakePeer];
    const channel = "\x00\r\n\xff";
    listener.ask("SUBSCRIBE", channel);
    for (const length of [0, 1, 63, 64, 9999, 16_384, 70_000]) {
      const text = "\xfe\n".repeat(length).slice(0, length);
      assert.equal(writer.ask("PUBLISH", channel, text), ":1\r\n");
      assert.equal(listener.take(), array("*", "message", channel, text));
    }
  });

  test("of one moment leave in one write for each subscriber, in order", () => {
    const [, first, second, writer, other] = worldOf(4) as [World, FakePeer, FakePeer, FakePeer, FakePeer];
    first.ask("SUBSCRIBE", "a");
    second.ask("SUBSCRIBE", "a", "b");
    const before = [first, second].map((peer) => peer.connection.writeCount);
    writer.send(pipeline("PUBLISH a 1", "PUBLISH b 2", "PUBLISH a 3"));
    assert.equal(first.take(), array("*", "message", "a", "1") + array("*", "message", "a", "3"));
    assert.equal(
      second.take(),
      array("*", "message", "a", "1") + array("*", "message", "b", "2") + array("*", "message", "a", "3"),
    );
    assert.deepEqual(
      [first, second].map((peer, index) => peer.connection.writeCount - before[index]!),
      [1, 1],
    );
    assert.equal(other.take(), "");
  });

  test("stay whole while the shared memory is used again and some connections are stuck", () => {
    const [, stuck, free, writer] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    stuck.ask("SUBSCRIBE", "a");
    free.ask("SUBSCRIBE", "a");
    stuck.connection.isStuck = true;
    let expected = "";
    for (let round = 0; round < 200; round++) {
      const text = String(round).repeat(300);
      writer.send(pipeline(`PUBLISH a ${text}`, `PUBLISH a ${round}`));
      expected += array("*", "message", "a", text) + array("*", "message", "a", String(round));
    }
    assert.equal(free.take(), expected);
    assert.equal(stuck.take(), "");
    stuck.connection.drain();
    assert.equal(stuck.take(), expected);
  });

  test("come before the reply to whatever the subscriber says next", () => {
    const [world, listener, writer] = worldOf(2) as [World, FakePeer, FakePeer];
    listener.ask("SUBSCRIBE", "a");
    // The listener's bytes are read before the messages have left: both turns lie in one round of events.
    const { dispatcher } = world;
    const client = world.clientOf(listener);
    const publisher = world.clientOf(writer);
    const publishBytes = Buffer.from(encode("PUBLISH", "a", "m"), "latin1");
    const pingBytes = Buffer.from(encode("PING"), "latin1");
    dispatcher.receive(publisher, publishBytes, publishBytes.length);
    dispatcher.receive(client, pingBytes, pingBytes.length);
    world.clock.runSoon();
    assert.equal(listener.take(), array("*", "message", "a", "m") + array("*", "pong", ""));
  });

  test("to oneself come behind the reply, and behind all of EXEC's", () => {
    const [, client] = worldOf(1) as [World, FakePeer];
    client.ask("HELLO", 3);
    client.ask("SUBSCRIBE", "a");
    client.send(pipeline("PUBLISH a 1", "PUBLISH a 2"));
    const message = (text: string): string => array(">", "message", "a", text);
    assert.equal(client.take(), `:1\r\n${message("1")}:1\r\n${message("2")}`);
    client.send(pipeline("MULTI", "PUBLISH a 3", "SUBSCRIBE b", "PUBLISH b 4", "EXEC", "PING"));
    assert.equal(
      client.take(),
      `+OK\r\n${"+QUEUED\r\n".repeat(3)}*3\r\n:1\r\n${array(">", "subscribe", "b", 2)}:1\r\n${message("3")}${array(">", "message", "b", "4")}+PONG\r\n`,
    );
  });
});

describe("subscriptions", () => {
  test("count channels and patterns together, shard channels apart", () => {
    const [, client] = worldOf(1) as [World, FakePeer];
    assert.equal(client.ask("SUBSCRIBE", "a", "a", "b").match(/:\d+/g)!.join(), ":1,:1,:2");
    assert.equal(client.ask("PSUBSCRIBE", "a").match(/:\d+/g)!.join(), ":3");
    assert.equal(client.ask("SSUBSCRIBE", "a", "x").match(/:\d+/g)!.join(), ":1,:2");
    assert.equal(client.ask("UNSUBSCRIBE", "b"), array("*", "unsubscribe", "b", 2));
    assert.equal(client.ask("UNSUBSCRIBE", "none"), array("*", "unsubscribe", "none", 2));
    assert.equal(client.ask("PUNSUBSCRIBE"), array("*", "punsubscribe", "a", 1));
    assert.equal(client.ask("SUNSUBSCRIBE"), array("*", "sunsubscribe", "a", 1) + array("*", "sunsubscribe", "x", 0));
    assert.equal(client.ask("SUNSUBSCRIBE"), "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n");
    assert.equal(client.ask("UNSUBSCRIBE"), array("*", "unsubscribe", "a", 0));
    assert.equal(client.ask("GET", "k"), "$-1\r\n", "everything is allowed again");
  });

  test("leave nothing behind, however the client goes", () => {
    const [world, closed, killed, reset, quit, admin] = worldOf(5) as [
      World,
      FakePeer,
      FakePeer,
      FakePeer,
      FakePeer,
      FakePeer,
    ];
    const leaving = [closed, killed, reset, quit];
    for (const peer of leaving) {
      peer.send(pipeline("SUBSCRIBE a", "PSUBSCRIBE *", "SSUBSCRIBE s"));
    }
    assert.equal(subscribersOf(admin, "a"), `*2\r\n${bulk("a")}:4\r\n`);
    assert.equal(world.session.pubsub.clientCount, 4);
    closed.close();
    admin.command("CLIENT", "KILL", "ID", world.clientOf(killed).id);
    reset.command("RESET");
    quit.command("QUIT");
    assert.equal(subscribersOf(admin, "a"), `*2\r\n${bulk("a")}:0\r\n`);
    assert.equal(admin.ask("PUBSUB", "CHANNELS"), "*0\r\n");
    assert.equal(admin.ask("PUBSUB", "SHARDCHANNELS"), "*0\r\n");
    assert.equal(admin.ask("PUBSUB", "NUMPAT"), ":0\r\n");
    assert.equal(admin.ask("PUBLISH", "a", "m"), ":0\r\n");
    assert.equal(world.session.pubsub.clientCount, 0);
    assert.equal(reset.ask("PING"), "+PONG\r\n");
  });

  test("a thousand channels are found, listed and left", () => {
    const [world, listener, writer] = worldOf(2) as [World, FakePeer, FakePeer];
    const names = Array.from({ length: 1000 }, (_, index) => `channel:${index}`);
    listener.command("SUBSCRIBE", ...names);
    listener.take();
    for (const name of ["channel:0", "channel:999"]) {
      writer.command("PUBLISH", name, "m");
      assert.equal(listener.take(), array("*", "message", name, "m"));
    }
    assert.ok(writer.ask("PUBSUB", "CHANNELS", "channel:1?").startsWith("*10\r\n"));
    for (const name of names) {
      listener.command("UNSUBSCRIBE", name);
    }
    assert.ok(listener.take().endsWith(array("*", "unsubscribe", "channel:999", 0)));
    assert.equal(world.session.pubsub.channels.size, 0);
  });

  test("in RESP2 nearly nothing else may be said, in RESP3 everything", () => {
    const [, client] = worldOf(1) as [World, FakePeer];
    client.ask("SSUBSCRIBE", "a");
    const refusal = (name: string): string =>
      `-ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n`;
    assert.equal(client.ask("GET", "k"), refusal("get"));
    assert.equal(client.ask("PUBSUB", "NUMPAT"), refusal("pubsub|numpat"));
    assert.equal(client.ask("HELLO", 3), refusal("hello"));
    assert.equal(client.ask("EXEC").slice(0, 40), "-EXECABORT Transaction discarded because");
    assert.equal(client.ask("PING"), array("*", "pong", ""));
    assert.equal(client.ask("PING", "x"), array("*", "pong", "x"));
    client.ask("RESET");
    client.ask("HELLO", 3);
    client.ask("SUBSCRIBE", "a");
    assert.equal(client.ask("PING"), "+PONG\r\n");
    assert.equal(client.ask("GET", "k"), "_\r\n");
  });

  test("CLIENT LIST and CLIENT KILL know who listens", () => {
    const [, listener, admin] = worldOf(2) as [World, FakePeer, FakePeer];
    listener.send(pipeline("SUBSCRIBE a b", "PSUBSCRIBE x", "SSUBSCRIBE s"));
    const line = admin.ask("CLIENT", "LIST", "TYPE", "pubsub");
    assert.match(line, / flags=P .* sub=2 psub=1 ssub=1 /);
    assert.doesNotMatch(admin.ask("CLIENT", "LIST", "TYPE", "normal"), /flags=P/);
    assert.equal(admin.ask("CLIENT", "KILL", "TYPE", "pubsub"), ":1\r\n");
    assert.ok(listener.connection.isDestroyed);
  });
});

describe("silence and slowness", () => {
  test("a client without replies hears of its subscriptions and its messages", () => {
    const [, client, writer] = worldOf(2) as [World, FakePeer, FakePeer];
    client.send(pipeline("HELLO 3"));
    client.take();
    client.send(pipeline("CLIENT REPLY OFF", "SUBSCRIBE a", "PUBLISH a 1", "PING"));
    assert.equal(client.take(), array(">", "subscribe", "a", 1) + array(">", "message", "a", "1"));
    writer.command("PUBLISH", "a", "2");
    assert.equal(client.take(), array(">", "message", "a", "2"));
    client.send(pipeline("CLIENT REPLY SKIP", "UNSUBSCRIBE a", "CLIENT REPLY ON"));
    assert.equal(client.take(), `${array(">", "unsubscribe", "a", 0)}+OK\r\n`);
  });

  test("a subscriber that does not read is closed at the hard limit of its class, the others hear everything", () => {
    const [world, slow, quick, writer] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    const limits = world.session.limits;
    limits.output.pubsub = { hardBytes: 100_000, softBytes: 0, softSeconds: 0 };
    slow.ask("SUBSCRIBE", "a");
    quick.ask("SUBSCRIBE", "a");
    slow.connection.isStuck = true;
    const text = "x".repeat(10_000);
    for (let round = 0; round < 20; round++) writer.command("PUBLISH", "a", text);
    assert.equal(slow.connection.isDestroyed, true);
    assert.equal(quick.take(), array("*", "message", "a", text).repeat(20));
    assert.ok(writer.take().endsWith(":1\r\n"));
    assert.equal(world.dispatcher.statistics.outputBufferLimitDisconnections, 1);
    assert.equal(world.logged("warning", "overcoming of output buffer limits"), 1);
  });

  test("a flood within one command is not kept in memory until its end", () => {
    const [world, slow, writer] = worldOf(2) as [World, FakePeer, FakePeer];
    world.session.limits.output.pubsub = { hardBytes: 1_000_000, softBytes: 0, softSeconds: 0 };
    slow.ask("SUBSCRIBE", "a");
    slow.connection.isStuck = true;
    writer.send(`${encode("MULTI")}${encode("PUBLISH", "a", "x".repeat(50_000)).repeat(100)}${encode("EXEC")}`);
    assert.equal(slow.connection.isDestroyed, true);
    assert.match(writer.take(), /\*100\r\n(:1\r\n)+(:0\r\n)+$/);
  });

  test("a subscriber that is idle is not closed by `timeout`", () => {
    const [world, listener, idle] = worldOf(2) as [World, FakePeer, FakePeer];
    world.session.limits.timeoutSeconds = 1;
    listener.ask("SUBSCRIBE", "a");
    world.advance(5000);
    assert.deepEqual([listener.connection.isDestroyed, idle.connection.isDestroyed], [false, true]);
  });
});
