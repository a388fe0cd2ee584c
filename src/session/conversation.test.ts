/** Whole conversations, byte by byte: how requests are cut must not matter to what is answered. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encode, World } from "./testing.ts";

test("a pipeline is answered in order with one write", () => {
  const peer = new World().connect();
  peer.send(encode("SET", "k", "v") + encode("GET", "k") + encode("PING") + encode("NOPE", "a b"));
  assert.equal(
    peer.take(),
    "+OK\r\n$1\r\nv\r\n+PONG\r\n-ERR unknown command 'NOPE', with args beginning with: 'a b' \r\n",
  );
  assert.equal(peer.connection.writeCount, 1);
});

test("inline commands with quotes, empty lines and empty arrays between them", () => {
  const peer = new World().connect();
  peer.send('PING\r\n\r\nset "a b" \'x\'\n*0\r\nGET "a\\x20b"\r\n*-1\r\nPING "\\n"\r\n');
  assert.equal(peer.take(), "+PONG\r\n+OK\r\n$1\r\nx\r\n$1\r\n\n\r\n");
});

const CONVERSATION = [
  encode("SET", "key", "x".repeat(40)),
  "PING\r\n",
  encode("GET", "key"),
  "\r\n",
  encode("CLIENT", "REPLY", "SKIP"),
  encode("PING"),
  encode("ECHO", "\r\n$*"),
  'echo "quoted \\x01"\r\n',
  encode("CLIENT", "SETNAME", "bad name"),
  encode("SET", "k"),
  encode("HELLO", 3, "SETNAME", "me"),
  encode("GET", "missing"),
  encode("SELECT", 3),
  encode("GET", "key"),
  encode("RESET"),
  encode("CLIENT", "GETNAME"),
].join("");

function answerWhole(): string {
  return new World().connect().send(CONVERSATION).take();
}

test("a conversation cut in two at every byte gets the same answers", () => {
  const expected = answerWhole();
  assert.ok(expected.includes("+RESET\r\n$-1\r\n"));
  for (let cut = 1; cut < CONVERSATION.length; cut++) {
    const peer = new World().connect();
    peer.send(CONVERSATION.slice(0, cut)).send(CONVERSATION.slice(cut));
    assert.equal(peer.take(), expected, `cut at ${cut}`);
  }
});

test("a conversation in pieces of any sizes gets the same answers", () => {
  const expected = answerWhole();
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 400 }), (sizes) => {
      const peer = new World().connect();
      let at = 0;
      for (let index = 0; at < CONVERSATION.length; index++) {
        const size = sizes[index % sizes.length]!;
        peer.send(CONVERSATION.slice(at, at + size));
        at += size;
      }
      assert.equal(peer.take(), expected);
    }),
    { numRuns: 200 },
  );
});

test("two clients whose requests are cut do not mix", () => {
  const world = new World();
  const first = world.connect();
  const second = world.connect();
  const one = encode("SET", "a", "first value") + encode("GET", "a");
  const two = encode("SET", "b", "second") + encode("COUNT", 1, 2, 3, 4) + encode("GET", "b");
  for (let at = 0; at < Math.max(one.length, two.length); at++) {
    if (at < one.length) first.send(one[at]!);
    if (at < two.length) second.send(two[at]!);
  }
  assert.equal(first.take(), "+OK\r\n$11\r\nfirst value\r\n");
  assert.equal(second.take(), "+OK\r\n:5\r\n$6\r\nsecond\r\n");
});

test("between whole requests a client owns no buffer, and an unfinished one holds what came", () => {
  const world = new World();
  const peer = world.connect();
  const client = world.clientOf(peer);
  peer.send(encode("PING"));
  assert.equal(client.unread, undefined);
  peer.send("*2\r\n$4\r\nECHO\r\n$3\r\nab");
  assert.equal(client.unreadBytes, 20);
  assert.ok(world.session.clients.bufferBytes >= 20);
  peer.send("c\r\n");
  assert.equal(client.unread, undefined);
  assert.equal(world.session.clients.bufferBytes, 0);
  assert.equal(peer.take(), "+PONG\r\n$3\r\nabc\r\n");
});

const PROTOCOL_ERRORS: [string, string][] = [
  ["*1\r\nx1\r\n", "expected '$', got 'x'"],
  ["*x\r\n", "invalid multibulk length"],
  ["*2147483648\r\n", "invalid multibulk length"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$536870913\r\n", "invalid bulk length"],
  ['PING "open\r\n', "unbalanced quotes in request"],
  ["x".repeat(70_000), "too big inline request"],
  [`*${"1".repeat(70_000)}`, "too big mbulk count string"],
  [`*1\r\n$${"1".repeat(70_000)}`, "too big bulk count string"],
];

test("a protocol error is told, what came before is answered, the connection ends", () => {
  for (const [bytes, text] of PROTOCOL_ERRORS) {
    const world = new World();
    const peer = world.connect();
    peer.send(`PING\r\n${bytes}`);
    assert.equal(peer.take(), `+PONG\r\n-ERR Protocol error: ${text}\r\n`);
    assert.ok(peer.connection.isClosed);
    assert.equal(world.session.clients.count, 0);
    peer.send("PING\r\n");
    assert.equal(peer.take(), "");
    assert.equal(world.logged("verbose", `Protocol error (${text}) from client: id=1 addr=127.0.0.1:40001`), 1);
  }
});

test("HTTP is refused without an answer and stops what follows", () => {
  const world = new World();
  const peer = world.connect();
  peer.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET hacked 1\r\n");
  assert.equal(peer.take(), "");
  assert.ok(peer.connection.isDestroyed);
  assert.equal(world.logged("warning", "Connection from 127.0.0.1:40001 aborted."), 1);
  assert.equal(world.connect().ask("GET", "hacked"), "$-1\r\n");
});

/** Milliseconds that a request of `argumentCount` arguments in pieces of one kilobyte takes; the best of three. */
function timeArguments(argumentCount: number): number {
  const bytes = Buffer.from(`*${argumentCount}\r\n$5\r\nCOUNT\r\n${"$1\r\nx\r\n".repeat(argumentCount - 1)}`);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const peer = new World().connect();
    const startMs = performance.now();
    peer.send(bytes, 1024);
    best = Math.min(best, performance.now() - startMs);
    assert.equal(peer.take(), `:${argumentCount}\r\n`);
  }
  return best;
}

test("a request of a million arguments in small pieces costs time linear in its size", () => {
  // Linear work gives 8, quadratic work 64 each time; others on the machine may spoil a measurement, but not all of them.
  const ratios: number[] = [];
  do ratios.push(timeArguments(1_000_000) / timeArguments(125_000));
  while (ratios.at(-1)! >= 24 && ratios.length < 5);
  assert.ok(ratios.at(-1)! < 24, `${ratios} times the time for 8 times the arguments`);
});

test("a value of 64 MB in pieces of 64 KB is copied a bounded number of times", (context) => {
  const valueBytes = 64 << 20;
  let movedBytes = 0;
  const plainSet = Uint8Array.prototype.set;
  const plainMove = Uint8Array.prototype.copyWithin;
  context.mock.method(Uint8Array.prototype, "set", function (this: Uint8Array, source: Uint8Array, at?: number) {
    movedBytes += source.length;
    plainSet.call(this, source, at);
  });
  context.mock.method(
    Uint8Array.prototype,
    "copyWithin",
    function (this: Uint8Array, target: number, start: number, end?: number) {
      movedBytes += (end ?? this.length) - start;
      return plainMove.call(this, target, start, end);
    },
  );
  const world = new World();
  const peer = world.connect();
  const value = Buffer.alloc(valueBytes, "0123456789abcdef");
  peer.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${valueBytes}\r\n`);
  peer.send(value, 64 * 1024);
  peer.send("\r\n");
  assert.equal(peer.take(), "+OK\r\n");
  // Once into the kept bytes, once into the store; never again and again.
  assert.ok(movedBytes < 3 * valueBytes, `${movedBytes} bytes moved`);
  assert.equal(world.session.clients.bufferBytes, 0);
  const reply = peer.ask("GET", "k");
  assert.equal(reply.length, valueBytes + `$${valueBytes}\r\n\r\n`.length);
  assert.ok(reply.endsWith("0123456789abcdef\r\n"));
});

test("more than client-query-buffer-limit closes the client and says so", () => {
  const world = new World();
  world.session.setQueryBufferLimit(100_000);
  const peer = world.connect();
  peer.send("*2\r\n$4\r\nECHO\r\n$200000\r\n").send("y".repeat(120_000), 10_000);
  assert.ok(peer.connection.isDestroyed);
  assert.equal(world.session.clients.count, 0);
  assert.equal(world.session.statistics.queryBufferLimitDisconnections, 1);
  assert.equal(world.logged("warning", "Closing client that reached max query buffer length: id=1 addr="), 1);
  assert.equal(world.logged("warning", '(qbuf initial bytes: "*2\\r\\n$4\\r\\nECHO\\r\\n$200000\\r\\nyyy'), 1);
});

test("a stranger may not announce large requests", () => {
  const world = new World();
  world.session.setPassword("pw");
  assert.equal(world.connect().send("*11\r\n").take(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  assert.equal(
    world.connect().send("*2\r\n$4\r\nAUTH\r\n$16385\r\n").take(),
    "-ERR Protocol error: unauthenticated bulk length\r\n",
  );
  const peer = world.connect();
  assert.equal(peer.ask("AUTH", "pw"), "+OK\r\n");
  assert.equal(peer.ask("ECHO", "x".repeat(20_000)).length, 20_000 + "$20000\r\n\r\n".length);
});
