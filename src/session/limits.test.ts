/** Limits of connections, time and memory, in virtual time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DENIED } from "./limits.ts";
import { encode, type FakePeer, World } from "./testing.ts";

const NO_LIMIT = { hardBytes: 0, softBytes: 0, softSeconds: 0 };

/** Lets `bytes` of replies pile up at a peer that does not read. */
function pileUp(peer: FakePeer, bytes: number): void {
  peer.connection.isStuck = true;
  peer.command("ECHO", "x".repeat(bytes));
}

test("one client more than maxclients is told so and closed", () => {
  const world = new World();
  world.session.limits.maxClients = 2;
  const first = world.connect();
  world.connect();
  const third = world.connect();
  assert.equal(third.take(), "-ERR max number of clients reached\r\n");
  assert.ok(third.connection.isClosed);
  third.send(encode("SET", "k", "v"));
  assert.equal(first.ask("GET", "k"), "$-1\r\n");
  assert.equal(world.session.statistics.rejectedConnections, 1);
  assert.equal(world.session.statistics.connections, 2);
  first.close();
  assert.equal(world.connect().ask("PING"), "+PONG\r\n");
});

test("protected mode turns away strangers from outside, unless there is a password", () => {
  const world = new World();
  const far = { remoteAddress: "10.1.2.3:5000" };
  const refused = world.connect(far);
  assert.equal(refused.take(), DENIED);
  assert.ok(refused.connection.isClosed);
  for (const near of [
    { remoteAddress: "127.1.2.3:5000" },
    { remoteAddress: "[::1]:5000" },
    { remoteAddress: "/s:0", isUnixSocket: true },
  ]) {
    assert.equal(world.connect(near).ask("PING"), "+PONG\r\n");
  }
  world.session.limits.isProtected = false;
  assert.equal(world.connect(far).ask("PING"), "+PONG\r\n");
  world.session.limits.isProtected = true;
  world.session.setPassword("x");
  assert.equal(world.connect(far).ask("AUTH", "x"), "+OK\r\n");
});

test("keepalive is set as the directive says", () => {
  const world = new World();
  assert.equal(world.connect().connection.keepAliveSeconds, 300);
  world.session.setKeepAlive(0);
  assert.equal(world.connect().connection.keepAliveSeconds, 0);
});

test("timeout closes clients that are idle, not those that wait", () => {
  const world = new World();
  world.session.limits.timeoutSeconds = 10;
  const idle = world.connect();
  const active = world.connect();
  const waiting = world.connect();
  waiting.command("BLOCK", 0);
  world.advance(6000);
  active.command("PING");
  world.advance(4000);
  assert.ok(!idle.connection.isClosed);
  world.advance(1000);
  assert.ok(idle.connection.isDestroyed);
  assert.ok(!active.connection.isClosed && !waiting.connection.isClosed);
  assert.equal(world.logged("verbose", "Closing idle client"), 1);
  world.advance(6000);
  assert.ok(active.connection.isDestroyed);
  assert.equal(world.session.clients.count, 1);
});

test("cron reaches every one of many clients within a second or two, a share at a time", () => {
  const world = new World();
  const peers = Array.from({ length: 200 }, () => world.connect());
  world.session.limits.timeoutSeconds = 1;
  world.clock.advance(5000);
  let mostInOneCall = 0;
  for (let call = 0; call < 25; call++) {
    const before = world.session.clients.count;
    world.session.cron();
    mostInOneCall = Math.max(mostInOneCall, before - world.session.clients.count);
  }
  assert.ok(mostInOneCall <= 20, `${mostInOneCall} in one call`);
  for (let call = 0; call < 40; call++) world.session.cron();
  assert.ok(peers.every((peer) => peer.connection.isDestroyed));
});

test("the hard output limit closes at once", () => {
  const world = new World();
  world.session.limits.output.normal = { hardBytes: 50_000, softBytes: 0, softSeconds: 0 };
  const slow = world.connect();
  pileUp(slow, 40_000);
  assert.ok(!slow.connection.isDestroyed);
  slow.command("ECHO", "y".repeat(10_000));
  assert.ok(slow.connection.isDestroyed);
  assert.equal(world.session.statistics.outputBufferLimitDisconnections, 1);
  assert.match(
    world.log.at(-1)!.text,
    /^Client id=1 addr=127\.0\.0\.1:40001 .* omem=50\d\d\d .* scheduled to be closed ASAP for overcoming of output buffer limits\.$/,
  );
  assert.equal(world.session.clients.bufferBytes, 0);
});

test("a reader that takes large replies at once is over no limit", () => {
  const world = new World();
  world.session.limits.output.normal = { hardBytes: 50_000, softBytes: 10_000, softSeconds: 1 };
  const fast = world.connect();
  for (let index = 0; index < 5; index++) assert.ok(fast.ask("ECHO", "x".repeat(100_000)).length > 100_000);
  assert.ok(!fast.connection.isDestroyed);
});

test("the soft output limit closes after its seconds, counted anew after every fall below it", () => {
  const world = new World();
  world.session.limits.output.normal = { hardBytes: 0, softBytes: 10_000, softSeconds: 5 };
  const peer = world.connect();
  pileUp(peer, 20_000);
  world.advance(4000);
  peer.connection.drain();
  world.advance(2000);
  assert.ok(!peer.connection.isDestroyed);
  pileUp(peer, 20_000);
  world.advance(4900);
  assert.ok(!peer.connection.isDestroyed);
  world.advance(1500);
  assert.ok(peer.connection.isDestroyed);
  assert.equal(world.logged("warning", "closed for overcoming of output buffer limits."), 1);
});

test("a slow reader costs only itself", () => {
  const world = new World();
  world.session.limits.output.normal = NO_LIMIT;
  const slow = world.connect();
  const other = world.connect();
  pileUp(slow, 100_000);
  const text = other.ask("ECHO", "abc");
  assert.equal(text, "$3\r\nabc\r\n");
  other.ask("ECHO", "z".repeat(60_000));
  slow.command("ECHO", "end");
  slow.connection.drain();
  assert.equal(slow.take(), `$100000\r\n${"x".repeat(100_000)}\r\n$3\r\nend\r\n`);
});

test("a client that quits is closed when its replies have left", () => {
  const world = new World();
  const peer = world.connect();
  pileUp(peer, 1000);
  peer.command("QUIT");
  assert.ok(!peer.connection.isClosed);
  assert.ok(world.connect().ask("CLIENT", "LIST").includes(" flags=c "));
  peer.connection.drain();
  peer.send("");
  assert.ok(peer.take().endsWith("+OK\r\n"));
  assert.ok(peer.connection.isClosed);
});

test("maxmemory-clients closes the largest first and spares NO-EVICT", () => {
  const world = new World();
  const peers = [20_000, 50_000, 40_000, 10_000].map((bytes) => {
    const peer = world.connect();
    if (bytes === 50_000) peer.command("CLIENT", "NO-EVICT", "ON");
    pileUp(peer, bytes);
    return peer;
  });
  assert.ok(world.session.clients.memoryBytes > 120_000);
  world.session.limits.clientsBytesMax = 100_000;
  world.advance(2000);
  assert.deepEqual(
    peers.map((peer) => peer.connection.isDestroyed),
    [false, false, true, false],
  );
  assert.equal(world.session.statistics.evictedClients, 1);
  assert.match(world.log.find((line) => line.level === "notice")!.text, /^Evicting client: id=3 addr=/);
  // A client that grows past the limit is closed in its own turn.
  peers[3]!.command("ECHO", "x".repeat(30_000));
  assert.ok(peers[3]!.connection.isDestroyed);
  assert.ok(!peers[0]!.connection.isDestroyed);
});

test("what has drained does not count when clients are evicted", () => {
  const world = new World();
  const drained = world.connect();
  pileUp(drained, 90_000);
  drained.connection.drain();
  world.session.limits.clientsBytesMax = 100_000;
  const other = world.connect();
  pileUp(other, 30_000);
  assert.ok(!drained.connection.isDestroyed && !other.connection.isDestroyed);
  assert.equal(world.session.statistics.evictedClients, 0);
});

test("when nobody may be evicted the log says so once", () => {
  const world = new World();
  const peer = world.connect();
  peer.command("CLIENT", "NO-EVICT", "ON");
  pileUp(peer, 90_000);
  world.session.limits.clientsBytesMax = 10_000;
  world.advance(5000);
  assert.ok(!peer.connection.isDestroyed);
  assert.equal(world.logged("warning", "Over client maxmemory after evicting all evictable clients"), 1);
});

test("the sum of buffers is that of the clients, whatever happens to them", () => {
  const world = new World();
  const peers = Array.from({ length: 20 }, () => world.connect());
  for (let step = 0; step < 400; step++) {
    const peer = peers[(step * 7) % peers.length]!;
    if (peer.connection.isClosed) continue;
    if (step % 5 === 0) pileUp(peer, 100 + step * 10);
    else if (step % 5 === 1) peer.connection.drain();
    else if (step % 5 === 2) peer.send("*1\r\n$4\r\nPI", 3).send("NG\r\n");
    else if (step % 97 === 0) peer.close();
    world.advance(100);
    let sum = 0;
    for (const client of world.session.clients.all()) sum += client.accountedBytes;
    assert.equal(world.session.clients.bufferBytes, sum);
  }
  world.session.closeAll();
  assert.equal(world.session.clients.bufferBytes, 0);
  assert.equal(world.session.clients.count, 0);
});
