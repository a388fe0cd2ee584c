import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dataCommands } from "../commands/all.ts";
import type { CommandTable } from "../commands/command.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import { clientLine } from "./clients.ts";
import { encode, type FakePeer, World } from "./testing.ts";

const ABORTED = "-EXECABORT Transaction discarded because of previous errors.\r\n";

const more: CommandTable = {
  /** Writes the beginning of a reply, then runs out of memory. */
  EXHAUST: {
    arity: 1,
    flags: ["write"],
    acl: [],
    since: "1.0.0",
    group: "string",
    complexity: "",
    summary: "",
    run: ({ reply }) => {
      reply.array(3);
      reply.bulkBytes(new Uint8Array(100_000));
      throw new ArenaExhausted();
    },
  },
  /** Waits for the server itself, as CONFIG SET of a port does. */
  LATER: {
    arity: 1,
    flags: [],
    acl: [],
    since: "1.0.0",
    group: "string",
    complexity: "",
    summary: "",
    run: (context) => context.suspend({ kind: "other", timeoutAtMs: 0, onTimeout: () => undefined }),
  },
};

function makeWorld(): World {
  return new World({ ...dataCommands(), ...more });
}

/** Sends the commands one by one and returns what they were told, without line ends. */
function told(peer: FakePeer, ...lines: string[]): string[] {
  return lines.map((line) =>
    peer
      .ask(...line.split(" "))
      .replace(/\r\n$/, "")
      .replaceAll("\r\n", " "),
  );
}

test("what is queued runs at EXEC, and not before", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  assert.deepEqual(told(alice, "MULTI", "SET k 1", "INCR k", "GET k"), ["+OK", "+QUEUED", "+QUEUED", "+QUEUED"]);
  assert.deepEqual(told(bob, "GET k"), ["$-1"]);
  assert.deepEqual(told(alice, "EXEC", "EXEC"), ["*3 +OK :2 $1 2", "-ERR EXEC without MULTI"]);
  assert.deepEqual(told(bob, "GET k"), ["$1 2"]);
});

test("a queue of many commands comes in any pieces", () => {
  const world = makeWorld();
  const alice = world.connect();
  let text = encode("MULTI");
  let expected = "+OK\r\n";
  for (let count = 1; count <= 300; count++) {
    text += encode("INCR", "counter") + encode("APPEND", "text", "x".repeat(count));
    expected += "+QUEUED\r\n+QUEUED\r\n";
  }
  alice.send(text + encode("EXEC"), 13);
  expected += "*600\r\n";
  let length = 0;
  for (let count = 1; count <= 300; count++) {
    length += count;
    expected += `:${count}\r\n:${length}\r\n`;
  }
  assert.equal(alice.take(), expected);
});

test("whatever is refused while queueing makes EXEC do nothing", () => {
  const world = makeWorld();
  const alice = world.connect();
  for (const bad of ["NOSUCH", "GET", "GET a b", "CLIENT NOSUCH", "DISCARD now"]) {
    const [, error, queued, result] = told(alice, "MULTI", bad, "SET k 1", "EXEC");
    assert.match(error!, /^-ERR /);
    assert.equal(`${queued}`, "+QUEUED");
    assert.equal(`${result}\r\n`, ABORTED);
  }
  assert.deepEqual(told(alice, "EXISTS k", "MULTI", "NOSUCH", "DISCARD", "MULTI", "EXEC").at(-1), "*0");
});

test("MULTI within MULTI and WATCH within MULTI are errors that do not end the transaction", () => {
  const alice = makeWorld().connect();
  assert.deepEqual(told(alice, "MULTI", "MULTI", "WATCH k", "PING", "EXEC"), [
    "+OK",
    "-ERR MULTI calls can not be nested",
    "-ERR WATCH inside MULTI is not allowed",
    "+QUEUED",
    "*1 +PONG",
  ]);
});

test("DISCARD, RESET and the end of the connection leave nothing behind", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  assert.deepEqual(told(alice, "DISCARD", "WATCH k", "MULTI", "SET k 1", "DISCARD", "EXEC"), [
    "-ERR DISCARD without MULTI",
    "+OK",
    "+OK",
    "+QUEUED",
    "+OK",
    "-ERR EXEC without MULTI",
  ]);
  told(bob, "SET k 2");
  assert.deepEqual(told(alice, "MULTI", "GET k", "EXEC").at(-1), "*1 $1 2");
  assert.deepEqual(told(alice, "WATCH k", "MULTI", "RESET", "EXEC").slice(2), ["+RESET", "-ERR EXEC without MULTI"]);
  told(alice, "WATCH k");
  const { context } = world.dispatcher;
  assert.equal(context.keyObservers.length, 1);
  alice.close();
  assert.equal(context.keyObservers.length, 0);
});

test("EXEC is refused where one of its commands would be, and ends the transaction", () => {
  const world = makeWorld();
  const alice = world.connect();
  told(alice, "WATCH k", "MULTI", "SET k 1");
  world.session.gates.makeRoom = () => false;
  const oom = "OOM command not allowed when used memory > 'maxmemory'.";
  assert.deepEqual(told(alice, "GET k"), [`-${oom}`]);
  assert.deepEqual(told(alice, "EXEC"), [`-EXECABORT Transaction discarded because of: ${oom}`]);
  assert.deepEqual(told(alice, "EXEC"), ["-ERR EXEC without MULTI"]);
  assert.equal(world.dispatcher.context.keyObservers.length, 0);
  // What only reads cannot be queued either, but a queue that was there before runs.
  world.session.gates.makeRoom = undefined;
  told(alice, "MULTI", "GET k");
  world.session.gates.makeRoom = () => false;
  assert.deepEqual(told(alice, "EXEC", "MULTI", "DISCARD"), ["*1 $-1", "+OK", "+OK"]);
  world.session.gates.makeRoom = undefined;
  told(alice, "MULTI");
  assert.deepEqual(told(alice, "EXEC now", "EXEC"), [
    "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
    "-ERR EXEC without MULTI",
  ]);
});

test("a pause of writes holds an EXEC that would write, and no other", () => {
  const world = makeWorld();
  const [alice, bob, boss] = [world.connect(), world.connect(), world.connect()];
  told(alice, "MULTI", "SET k 1");
  told(bob, "MULTI", "GET k");
  told(boss, "CLIENT PAUSE 1000 WRITE");
  assert.deepEqual(told(alice, "EXEC"), [""]);
  assert.deepEqual(told(bob, "EXEC"), ["*1 $-1"]);
  world.advance(1100);
  assert.equal(alice.take(), "*1\r\n+OK\r\n");
});

test("a command that runs out of memory takes back what it has replied, alone and within EXEC", () => {
  const world = makeWorld();
  const alice = world.connect();
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.";
  alice.send(encode("PING") + encode("EXHAUST") + encode("PING"));
  assert.equal(alice.take(), `+PONG\r\n${oom}\r\n+PONG\r\n`);
  assert.deepEqual(told(alice, "MULTI", "PING", "EXHAUST", "PING", "EXEC").at(-1), `*3 +PONG ${oom} +PONG`);
  assert.equal(world.session.statistics.errors.get("OOM"), 2);
});

test("a command that would wait answers within EXEC as if its time were over", () => {
  const alice = makeWorld().connect();
  assert.deepEqual(told(alice, "MULTI", "WAIT 1 0", "BLOCK 0", "PING", "EXEC").at(-1), "*3 :0 *-1 +PONG");
});

test("EXEC goes on when a command that waits for the server has its reply", () => {
  const world = makeWorld();
  const alice = world.connect();
  const line = encode("MULTI") + encode("PING") + encode("LATER") + encode("SET", "k", "1") + encode("LATER");
  alice.send(line + encode("GET", "k") + encode("EXEC") + encode("ECHO", "behind"));
  assert.match(alice.take(), /\*5\r\n\+PONG\r\n$/);
  const client = world.clientOf(alice);
  world.session.resume(client, (reply) => reply.ok());
  assert.equal(alice.take(), "+OK\r\n+OK\r\n");
  world.session.resume(client, (reply) => reply.integer(7));
  assert.equal(alice.take(), ":7\r\n$1\r\n1\r\n$6\r\nbehind\r\n");
  assert.equal(client.transaction, undefined);
});

test("CLIENT LIST shows the queue, its memory and a changed key", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  told(alice, "WATCH k", "MULTI", "SET k 1");
  const line = (): string => clientLine(world.clientOf(alice), 0, 0, -1);
  assert.match(line(), / flags=x .* multi=1 .* multi-mem=[1-9]\d* .* cmd=set /);
  told(bob, "SET k 2");
  assert.match(line(), / flags=xd /);
  assert.deepEqual(told(alice, "GET k", "EXEC"), ["+QUEUED", "*-1"]);
  assert.match(line(), / flags=N .* multi=-1 .* multi-mem=0 /);
});

test("in RESP3 the reply of an EXEC that did nothing is null", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  told(alice, "HELLO 3", "WATCH k", "MULTI");
  told(bob, "SET k 1");
  assert.deepEqual(told(alice, "EXEC"), ["_"]);
});

test("replies within EXEC are heard or not as CLIENT REPLY says at the time", () => {
  const alice = makeWorld().connect();
  const stories: [string[], string][] = [
    [["MULTI", "PING", "CLIENT REPLY OFF", "PING", "EXEC", "PING", "CLIENT REPLY ON"], "*3 +PONG +OK"],
    [["MULTI", "CLIENT REPLY SKIP", "PING", "EXEC", "ECHO a", "PING"], "*2 +PONG +PONG"],
    [["MULTI", "PING", "CLIENT REPLY SKIP", "EXEC", "PING"], "*2 +PONG"],
  ];
  for (const [lines, expected] of stories) {
    alice.take();
    alice.send(lines.map((line) => encode(...line.split(" "))).join(""));
    const heard = alice.take().replaceAll("\r\n", " ").trim();
    const queued = lines.indexOf("EXEC") - 1;
    assert.equal(heard, `+OK ${"+QUEUED ".repeat(queued)}${expected}`);
  }
});

test("what is queued counts for the limit of the query buffer", () => {
  const world = makeWorld();
  world.dispatcher.queryBufferBytesMax = 10_000;
  const alice = world.connect();
  told(alice, "MULTI");
  for (let count = 0; count < 9; count++) alice.ask("SET", "k", "x".repeat(1000));
  assert.equal(alice.connection.isDestroyed, false);
  alice.ask("SET", "k", "x".repeat(1000));
  assert.equal(alice.connection.isDestroyed, true);
  assert.equal(world.session.statistics.queryBufferLimitDisconnections, 1);
});

test("calls, failures and refusals are counted for the commands that EXEC runs", () => {
  const world = makeWorld();
  const alice = world.connect();
  told(alice, "SET k text", "MULTI", "INCR k", "GET", "DISCARD", "MULTI", "INCR k", "INCR n", "EXEC");
  const counts = (name: string): number[] => {
    const { calls, failedCalls, rejectedCalls } = world.commands.named(name)!;
    return [calls, failedCalls, rejectedCalls];
  };
  assert.deepEqual(counts("INCR"), [2, 1, 0]);
  assert.deepEqual(counts("GET"), [0, 0, 1]);
  assert.deepEqual(counts("EXEC"), [1, 0, 0]);
  assert.deepEqual(counts("MULTI"), [2, 0, 0]);
  assert.equal(world.session.statistics.errorReplies, 2);
});

// ---- WATCH ------------------------------------------------------------------------------------------------------------

/** Whether alice's EXEC runs when `bobs` happens after her WATCH k. */
function runsAfter(before: string[], bobs: (world: World, bob: FakePeer) => void): boolean {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  told(alice, ...before, "WATCH k other", "MULTI", "PING");
  bobs(world, bob);
  const result = told(alice, "EXEC")[0];
  assert.ok(result === "*1 +PONG" || result === "*-1", result);
  assert.equal(world.dispatcher.context.keyObservers.length, 0);
  return result === "*1 +PONG";
}

test("each command that changes a watched key makes EXEC do nothing", () => {
  const changes = [
    "SET k 1",
    "SET k 1 KEEPTTL",
    "MSET a 1 k 2",
    "APPEND k x",
    "SETRANGE k 1 x",
    "INCR k",
    "INCRBYFLOAT k 0.5",
    "GETSET k 2",
    "GETDEL k",
    "GETEX k EX 100",
    "DEL a k",
    "UNLINK k",
    "EXPIRE k 100",
    "EXPIRE k -1",
    "RENAME k a",
    "RENAME present k",
    "RENAMENX k a",
    "COPY present k REPLACE",
    "MOVE k 1",
    "FLUSHDB",
    "FLUSHALL",
    "SWAPDB 0 1",
    "SETBIT k 1 1",
  ];
  for (const change of changes) {
    assert.equal(
      runsAfter(["SET k 1", "SET present 1"], (_, bob) => assert.doesNotMatch(told(bob, change)[0]!, /^-/)),
      false,
      change,
    );
  }
});

test("commands that change nothing, or another key, let EXEC run", () => {
  const harmless = [
    "GET k",
    "TOUCH k",
    "SETNX k 2",
    "PERSIST k",
    "DEL nokey",
    "SET other:2 1",
    "SETRANGE k 0 ",
    "GETEX k",
  ];
  for (const command of harmless) {
    assert.equal(
      runsAfter(["SET k 1"], (_, bob) => void told(bob, command)),
      true,
      command,
    );
  }
  assert.equal(
    runsAfter([], (_, bob) => void told(bob, "SELECT 1", "SET k 1", "FLUSHDB")),
    true,
  );
});

test("a watched key that runs out makes EXEC do nothing, whether or not it was deleted", () => {
  for (const look of [true, false]) {
    const after = (world: World, bob: FakePeer): void => {
      world.advance(60);
      if (look) told(bob, "GET k");
    };
    assert.equal(runsAfter(["SET k 1 PX 50"], after), false);
  }
});

test("a key whose time was over at WATCH has not changed by being deleted", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  for (const [then, runs] of [
    [[], true],
    [["GET k"], true],
    [["DEL k"], true],
    [["SET k 2"], false],
    [["GET k", "SET k 2"], false],
    [["FLUSHALL"], true],
  ] as const) {
    told(bob, "SET k 1 PX 50");
    world.advance(60);
    told(alice, "WATCH k", "MULTI", "PING");
    told(bob, ...then);
    assert.equal(told(alice, "EXEC")[0], runs ? "*1 +PONG" : "*-1", then.join());
  }
});

test("SWAPDB is a change where the key is in one of the two databases", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  const watched = (key: string, ...then: string[]): string => {
    told(alice, `WATCH ${key}`, "MULTI", "PING");
    told(bob, ...then);
    return told(alice, "EXEC")[0]!;
  };
  told(bob, "SET here 1", "SELECT 1", "SET there 1");
  assert.equal(watched("here", "SWAPDB 0 1"), "*-1");
  assert.equal(watched("there", "SWAPDB 1 0"), "*-1");
  assert.equal(watched("nowhere", "SWAPDB 0 1"), "*1 +PONG");
  assert.equal(watched("here", "SWAPDB 1 2"), "*1 +PONG");
  // A key that is over stays over on both sides.
  told(bob, "SELECT 0", "SET over 1 PX 50");
  world.advance(60);
  assert.equal(watched("over", "SWAPDB 0 3"), "*1 +PONG");
  assert.equal(watched("over", "SWAPDB 0 3"), "*1 +PONG");
});

test("UNWATCH forgets, EXEC and DISCARD do too, and one's own changes count", () => {
  const world = makeWorld();
  const [alice, bob] = [world.connect(), world.connect()];
  told(alice, "WATCH k");
  told(bob, "SET k 1");
  assert.deepEqual(told(alice, "WATCH other", "MULTI", "EXEC").at(-1), "*-1");
  assert.deepEqual(told(alice, "MULTI", "EXEC").at(-1), "*0");
  told(alice, "WATCH k k k");
  told(bob, "SET k 1");
  assert.deepEqual(told(alice, "UNWATCH", "MULTI", "EXEC").at(-1), "*0");
  assert.deepEqual(told(alice, "WATCH k", "SET k 2", "MULTI", "EXEC").at(-1), "*-1");
  assert.deepEqual(told(alice, "WATCH k", "MULTI", "UNWATCH", "SET k 3", "EXEC").at(-1), "*2 +OK +OK");
});

test("EXEC runs exactly when no watched key was changed, whatever several clients do", () => {
  const step = fc.record({
    who: fc.nat(2),
    what: fc.constantFrom("watch", "unwatch", "set", "del", "exec", "flush"),
    key: fc.constantFrom("a", "b", "c"),
    database: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = makeWorld();
      const peers = [world.connect(), world.connect(), world.connect()];
      const present = new Set<string>();
      const watched = peers.map(() => new Set<string>());
      const changed = peers.map(() => false);
      const change = (name: string): void => {
        watched.forEach((names, index) => {
          if (names.has(name)) changed[index] = true;
        });
      };
      for (const { who, what, key, database } of steps) {
        const peer = peers[who]!;
        const name = `${database}${key}`;
        told(peer, `SELECT ${database}`);
        if (what === "watch") {
          told(peer, `WATCH ${key}`);
          if (!changed[who]) watched[who]!.add(name);
        } else if (what === "set") {
          told(peer, `SET ${key} 1`);
          present.add(name);
          change(name);
        } else if (what === "del") {
          told(peer, `DEL ${key}`);
          if (present.delete(name)) change(name);
        } else if (what === "flush") {
          told(peer, "FLUSHDB");
          for (const each of [...present].filter((each) => each.startsWith(String(database)))) {
            present.delete(each);
            change(each);
          }
        } else {
          if (what === "unwatch") told(peer, "UNWATCH");
          else assert.equal(told(peer, "MULTI", "PING", "EXEC").at(-1), changed[who] ? "*-1" : "*1 +PONG");
          watched[who]!.clear();
          changed[who] = false;
        }
      }
      for (const peer of peers) told(peer, "UNWATCH");
      assert.equal(world.dispatcher.context.keyObservers.length, 0);
    }),
    { numRuns: 60 },
  );
});
