import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import { encode, type FakePeer, World } from "./testing.ts";

/** A world with all commands of data. */
function makeWorld(): World {
  return new World(dataCommands());
}

/** A client that speaks RESP3 and tracks. */
function tracker(world: World, ...options: (string | number)[]): FakePeer {
  const peer = world.connect();
  peer.ask("HELLO", 3);
  assert.equal(peer.ask("CLIENT", "TRACKING", "ON", ...options), "+OK\r\n");
  return peer;
}

function invalidate(...keys: string[]): string {
  return `>2\r\n$10\r\ninvalidate\r\n${encode(...keys)}`;
}

const NOTHING = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

function keyCounts(world: World): number[] {
  const { tracking } = world.session;
  tracking.keys.verify();
  return [tracking.clientCount, tracking.keys.count, tracking.keys.itemCount, tracking.prefixCount];
}

/** Whether changed keys are told to anybody. */
function isObserved(world: World): boolean {
  return world.dispatcher.context.keyObservers.length > 0;
}

describe("what is remembered", () => {
  test("a key that was read is told once when it is changed, then not again until it is read again", () => {
    const world = makeWorld();
    const alice = tracker(world);
    const bob = world.connect();
    alice.ask("GET", "k");
    bob.ask("SET", "k", 1);
    assert.equal(alice.take(), invalidate("k"));
    bob.ask("SET", "k", 2);
    assert.equal(alice.take(), "");
    alice.ask("GET", "k");
    bob.ask("DEL", "k");
    assert.equal(alice.take(), invalidate("k"));
    assert.deepEqual(keyCounts(world), [1, 0, 0, 0]);
  });

  test("keys come from the key specifications, of read commands only", () => {
    const world = makeWorld();
    const alice = tracker(world);
    for (const words of [
      ["MGET", "a", "b", "a"],
      ["XREAD", "COUNT", "1", "STREAMS", "s", "t", "0", "0"],
      ["ZUNION", "2", "y", "z", "WITHSCORES"],
      ["OBJECT", "ENCODING", "o"],
      ["EXISTS", "e"],
    ]) {
      alice.ask(...words);
    }
    assert.deepEqual(keyCounts(world), [1, 8, 8, 0]);
    for (const words of [["SET", "w", "1"], ["GETDEL", "w"], ["WATCH", "v"], ["PING"], ["SORT", "q"]])
      alice.ask(...words);
    assert.deepEqual(keyCounts(world), [1, 8, 8, 0]);
  });

  test("what was read before tracking, or in another's name, is not remembered", () => {
    const world = makeWorld();
    const alice = world.connect();
    alice.ask("GET", "k");
    alice.ask("CLIENT", "TRACKING", "ON");
    world.connect().ask("GET", "j");
    assert.deepEqual(keyCounts(world), [1, 0, 0, 0]);
  });

  test("with OPTIN only the command or transaction behind CLIENT CACHING YES is remembered", () => {
    const world = makeWorld();
    const alice = tracker(world, "OPTIN");
    alice.ask("GET", "a");
    assert.deepEqual(keyCounts(world), [1, 0, 0, 0]);
    alice.ask("CLIENT", "CACHING", "YES");
    alice.ask("CLIENT", "ID");
    alice.ask("GET", "b");
    alice.ask("GET", "c");
    assert.deepEqual(keyCounts(world), [1, 1, 1, 0]);
    alice.ask("CLIENT", "CACHING", "YES");
    for (const words of [["MULTI"], ["GET", "d"], ["GET", "e"], ["EXEC"], ["GET", "f"]]) alice.ask(...words);
    assert.deepEqual(keyCounts(world), [1, 3, 3, 0]);
    alice.ask("CLIENT", "CACHING", "YES");
    alice.ask("NOSUCH");
    alice.ask("GET", "g");
    assert.deepEqual(keyCounts(world), [1, 3, 3, 0]);
  });

  test("with OPTOUT everything is, but for what is behind CLIENT CACHING NO", () => {
    const world = makeWorld();
    const alice = tracker(world, "OPTOUT");
    alice.ask("GET", "a");
    alice.ask("CLIENT", "CACHING", "NO");
    alice.ask("GET", "b");
    alice.ask("GET", "c");
    assert.deepEqual(keyCounts(world), [1, 2, 2, 0]);
  });

  test("CLIENT CACHING holds for a request that a pause puts off", () => {
    const world = makeWorld();
    const alice = tracker(world, "OPTIN");
    alice.ask("CLIENT", "CACHING", "YES");
    world.connect().ask("CLIENT", "PAUSE", 1000);
    assert.equal(alice.ask("GET", "k"), "");
    world.advance(1100);
    assert.equal(alice.take(), "_\r\n");
    alice.ask("GET", "j");
    assert.deepEqual(keyCounts(world), [1, 1, 1, 0]);
  });

  test("a read that waits is remembered, and CLIENT CACHING holds until it is answered", () => {
    const world = makeWorld();
    const alice = tracker(world, "OPTIN");
    alice.ask("CLIENT", "CACHING", "YES");
    assert.equal(alice.ask("XREAD", "BLOCK", 0, "STREAMS", "s", "$"), "");
    world.connect().ask("XADD", "s", "1-1", "f", "v");
    const heard = alice.take();
    assert.ok(heard.startsWith(invalidate("s")) && heard.includes("1-1"), heard);
    alice.ask("GET", "k");
    assert.deepEqual(keyCounts(world), [1, 1, 1, 0]);
  });
});

describe("who is told", () => {
  test("one's own change comes behind its reply, and behind that of EXEC", () => {
    const world = makeWorld();
    const alice = tracker(world);
    alice.ask("MGET", "a", "b");
    assert.equal(alice.send(encode("SET", "a", 1) + encode("PING")).take(), `+OK\r\n${invalidate("a")}+PONG\r\n`);
    alice.ask("MGET", "a", "b");
    for (const words of [["MULTI"], ["SET", "a", "2"], ["GET", "b"], ["SET", "b", "3"]]) alice.ask(...words);
    assert.equal(alice.ask("EXEC"), `*3\r\n+OK\r\n_\r\n+OK\r\n${invalidate("a")}${invalidate("b")}`);
  });

  test("it comes before what the same command publishes", () => {
    const world = makeWorld();
    world.session.setKeyspaceEvents("KA");
    const alice = tracker(world);
    alice.ask("PSUBSCRIBE", "*");
    alice.ask("MSET", "a", 1, "b", 2);
    alice.ask("MGET", "a", "b");
    const heard = alice.ask("DEL", "a", "b");
    assert.ok(heard.startsWith(`:2\r\n${invalidate("a")}${invalidate("b")}>4\r\n$8\r\npmessage`), heard);
  });

  test("with NOLOOP one's own changes are not told, those of others are", () => {
    const world = makeWorld();
    const alice = tracker(world, "NOLOOP");
    const bob = tracker(world);
    for (const peer of [alice, bob]) peer.ask("GET", "k");
    assert.equal(alice.ask("SET", "k", 1), "+OK\r\n");
    assert.equal(bob.take(), invalidate("k"));
    for (const peer of [alice, bob]) peer.ask("GET", "k");
    bob.ask("SET", "k", 2);
    assert.equal(alice.take(), invalidate("k"));
  });

  test("in RESP2 nothing can be told without redirection", () => {
    const world = makeWorld();
    const alice = world.connect();
    alice.ask("CLIENT", "TRACKING", "ON");
    alice.ask("GET", "k");
    world.connect().ask("SET", "k", 1);
    assert.equal(alice.take(), "");
  });

  test("a redirection reaches a subscriber in RESP2 and anybody in RESP3", () => {
    const world = makeWorld();
    const bob = world.connect();
    const id = world.clientOf(bob).id;
    const alice = world.connect();
    alice.ask("CLIENT", "TRACKING", "ON", "REDIRECT", id);
    assert.equal(alice.ask("CLIENT", "GETREDIR"), `:${id}\r\n`);
    alice.ask("GET", "k");
    alice.ask("SET", "k", 1);
    assert.equal(bob.take(), "", "who does not subscribe hears nothing");
    bob.ask("SUBSCRIBE", "__redis__:invalidate");
    alice.ask("GET", "k");
    alice.ask("SET", "k", 1);
    const head = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
    assert.equal(bob.take(), `${head}${encode("k")}`);
    alice.ask("FLUSHALL");
    assert.equal(bob.take(), `${head}$-1\r\n`);
    bob.ask("UNSUBSCRIBE");
    bob.ask("HELLO", 3);
    alice.ask("GET", "k");
    alice.ask("SET", "k", 1);
    assert.equal(bob.take(), invalidate("k"));
  });

  test("whose redirection is gone hears of that in RESP3", () => {
    const world = makeWorld();
    const bob = world.connect();
    const id = world.clientOf(bob).id;
    const alice = tracker(world, "REDIRECT", id);
    bob.close();
    alice.ask("GET", "k");
    assert.equal(alice.ask("SET", "k", 1), `+OK\r\n>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`);
    assert.match(alice.ask("CLIENT", "TRACKINGINFO"), /broken_redirect/);
    assert.match(alice.ask("CLIENT", "INFO"), new RegExp(`flags=tR .*redir=${id} `));
    alice.ask("CLIENT", "TRACKING", "ON");
    assert.match(alice.ask("CLIENT", "INFO"), /flags=t .*redir=0 /);
  });

  test("messages come even to whom replies do not", () => {
    const world = makeWorld();
    const alice = tracker(world);
    alice.ask("GET", "k");
    alice.ask("CLIENT", "REPLY", "OFF");
    assert.equal(alice.ask("SET", "k", 1), invalidate("k"));
  });
});

describe("keys that go", () => {
  test("an expired key counts as changed, whoever finds it", () => {
    const world = makeWorld();
    const alice = tracker(world);
    const bob = world.connect();
    bob.ask("SET", "k", 1, "PX", 50);
    alice.ask("GET", "k");
    world.clock.advance(60);
    bob.ask("GET", "k");
    assert.equal(alice.take(), invalidate("k"));
  });

  test("FLUSHALL and FLUSHDB tell each that tracks once, also in broadcast mode", () => {
    const world = makeWorld();
    const alice = tracker(world);
    const bob = tracker(world, "BCAST", "NOLOOP");
    alice.ask("GET", "k");
    assert.equal(alice.ask("FLUSHALL"), `+OK\r\n${NOTHING}`);
    assert.equal(bob.take(), NOTHING);
    assert.deepEqual(keyCounts(world), [2, 0, 0, 1]);
    for (const words of [["MULTI"], ["FLUSHDB"], ["FLUSHDB"]]) bob.ask(...words);
    assert.equal(bob.ask("EXEC"), `*2\r\n+OK\r\n+OK\r\n${NOTHING}${NOTHING}`);
    assert.equal(alice.take(), NOTHING + NOTHING);
  });

  test("SWAPDB tells nothing", () => {
    const world = makeWorld();
    const alice = tracker(world);
    alice.ask("GET", "k");
    assert.equal(alice.ask("SWAPDB", 0, 1), "+OK\r\n");
    assert.deepEqual(keyCounts(world), [1, 1, 1, 0]);
  });

  test("what was evicted before a command is told before its reply, also to whom replies do not come", () => {
    const world = makeWorld();
    const { context } = world.dispatcher;
    const alice = tracker(world);
    let evicts = false;
    world.session.gates.makeRoom = () => {
      if (evicts) context.touchedKey(context.database, new TextEncoder().encode("k"), 0, 1);
      evicts = false;
      return true;
    };
    alice.ask("GET", "k");
    evicts = true;
    assert.equal(alice.ask("PING"), `${invalidate("k")}+PONG\r\n`);
    alice.ask("GET", "k");
    alice.ask("CLIENT", "REPLY", "OFF");
    evicts = true;
    assert.equal(alice.ask("PING"), invalidate("k"));
  });

  test("above tracking-table-max-keys keys are forgotten, and told", () => {
    const world = makeWorld();
    world.session.tracking.keysMax = 10;
    const alice = tracker(world);
    for (let index = 0; index < 25; index++) alice.ask("GET", `key:${index}`);
    assert.deepEqual(keyCounts(world), [1, 10, 10, 0]);
    const asked = alice.ask("GET", "one more");
    assert.match(asked, /^_\r\n>2\r\n\$10\r\ninvalidate\r\n\*1\r\n/);
    world.session.tracking.keysMax = 3;
    alice.take();
    world.advance(100);
    assert.equal(alice.take().split("invalidate").length - 1, 7);
    assert.deepEqual(keyCounts(world), [1, 3, 3, 0]);
  });
});

describe("broadcast mode", () => {
  test("changes of a turn come in one message for each prefix, keys in the order of their bytes", () => {
    const world = makeWorld();
    const alice = tracker(world, "BCAST", "PREFIX", "user:", "PREFIX", "object:");
    const bob = world.connect();
    bob.send(["user:2", "object:1", "other", "user:1", "user:2"].map((key) => encode("SET", key, 1)).join(""));
    assert.equal(alice.take(), invalidate("object:1") + invalidate("user:1", "user:2"));
    bob.ask("SET", "user:1", 1);
    assert.equal(alice.take(), invalidate("user:1"));
    assert.deepEqual(keyCounts(world), [1, 0, 0, 2]);
  });

  test("with NOLOOP keys are left out that one has changed last", () => {
    const world = makeWorld();
    const alice = tracker(world, "BCAST", "NOLOOP");
    const bob = tracker(world, "BCAST");
    assert.equal(alice.ask("MSET", "a", 1, "b", 2), "+OK\r\n");
    assert.equal(bob.take(), invalidate("a", "b"));
    for (const words of [["MULTI"], ["SET", "c", "1"], ["EXEC"]]) bob.ask(...words);
    assert.equal(alice.take(), invalidate("c"));
    assert.match(alice.ask("CLIENT", "INFO"), /flags=tB /);
  });

  test("one's own changes come behind all replies of the turn", () => {
    const world = makeWorld();
    const alice = tracker(world, "BCAST");
    assert.equal(alice.send(encode("SET", "a", 1) + encode("PING")).take(), `+OK\r\n+PONG\r\n${invalidate("a")}`);
  });

  test("keys remembered before broadcast mode are not told", () => {
    const world = makeWorld();
    const alice = tracker(world);
    alice.ask("GET", "k");
    alice.ask("CLIENT", "TRACKING", "OFF");
    alice.ask("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "j");
    world.connect().ask("SET", "k", 1);
    assert.equal(alice.take(), "");
  });
});

describe("the end", () => {
  test("a key that was read is told even if tracking was off in between", () => {
    const world = makeWorld();
    const alice = tracker(world);
    alice.ask("GET", "k");
    alice.ask("CLIENT", "TRACKING", "OFF");
    assert.deepEqual(keyCounts(world), [0, 1, 1, 0]);
    alice.ask("CLIENT", "TRACKING", "ON");
    world.connect().ask("SET", "k", 1);
    assert.equal(alice.take(), invalidate("k"));
  });

  test("RESET ends tracking, the end of the connection forgets it, and nobody observes any more", () => {
    const world = makeWorld();
    assert.equal(isObserved(world), false);
    const alice = tracker(world);
    const bob = tracker(world, "BCAST", "PREFIX", "p");
    alice.ask("GET", "k");
    alice.ask("RESET");
    assert.equal(world.clientOf(alice).tracking, undefined);
    assert.deepEqual(keyCounts(world), [1, 1, 1, 1]);
    bob.close();
    assert.equal(isObserved(world), true);
    alice.close();
    assert.deepEqual(keyCounts(world), [0, 0, 0, 0]);
    assert.equal(isObserved(world), false);
  });

  test("a client that is too slow for its messages is closed without harm to the others", () => {
    const world = makeWorld();
    Object.assign(world.session.limits.output, { normal: { hardBytes: 1000, softBytes: 0, softSeconds: 0 } });
    const peers = [tracker(world, "BCAST"), tracker(world, "BCAST"), tracker(world, "BCAST")];
    peers[0]!.connection.isStuck = true;
    const bob = world.connect();
    for (let index = 0; index < 100; index++) bob.ask("SET", `a key of some length ${index}`, 1);
    assert.equal(peers[0]!.connection.isDestroyed, true);
    assert.equal(peers[2]!.take().split("invalidate").length - 1, 100);
    assert.deepEqual(keyCounts(world), [2, 0, 0, 1]);
  });

  test("who waits for a key is served though somebody watched it", () => {
    const world = makeWorld();
    const alice = world.connect();
    const bob = world.connect();
    alice.ask("WATCH", "q");
    bob.command("BLPOP", "q", 0);
    world.connect().ask("RPUSH", "q", "v");
    assert.equal(bob.take(), encode("q", "v"));
  });
});
