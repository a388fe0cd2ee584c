/**
 * Waiting for keys, with three small commands over strings in the place of BLPOP, BLMOVE and XREADGROUP:
 *
 *      TAKE key [key ...] seconds    the first key that is there is returned and deleted
 *      SHIFT source target seconds   the value moves from one key to the other
 *      WATCHMAN key seconds          OK when the key holds "go"; an error when there is no key
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dataCommands } from "../commands/all.ts";
import { readTimeoutMs } from "../commands/arguments.ts";
import { type CommandContext, type CommandTable, KEY_UPDATE } from "../commands/command.ts";
import { ReplyError } from "../protocol/errors.ts";
import { KEEP_EXPIRY } from "../store/keyspace/keyspace.ts";
import { TYPE_STRING } from "../store/keyspace/record.ts";
import { encode, type FakePeer, World } from "./testing.ts";

const NO_GROUP = new ReplyError("NOGROUP there is no key");

/** The value of the key at `argument` as text, undefined when there is none. */
function valueAt(context: CommandContext, argument: number): string | undefined {
  const { keyspace, database, request } = context;
  const record = keyspace.lookupWrite(database, request.input, request.offset[argument]!, request.length[argument]!);
  if (record === 0) return undefined;
  keyspace.readValue(record);
  const start = keyspace.valueStart;
  return Buffer.from(keyspace.valueBytes.subarray(start, start + keyspace.valueLength)).toString("latin1");
}

function deleteAt(context: CommandContext, argument: number): void {
  const { keyspace, database, request } = context;
  keyspace.delete(database, request.input, request.offset[argument]!, request.length[argument]!);
  context.touched(argument);
}

/** How often each of the commands has run, for the tests of needless runs. */
let runCount = 0;

function take(context: CommandContext): void {
  runCount++;
  const { request, reply } = context;
  const last = request.count - 1;
  const timeoutMs = readTimeoutMs(context, last);
  if (Number.isNaN(timeoutMs)) return;
  for (let argument = 1; argument < last; argument++) {
    const value = valueAt(context, argument);
    if (value === undefined) continue;
    deleteAt(context, argument);
    reply.bulkText(value);
    return;
  }
  context.waitForKeys({
    firstKey: 1,
    keyCount: last - 1,
    keyType: TYPE_STRING,
    wakesOnLoss: false,
    timeoutMs,
    onTimeout: (late) => late.nullArray(),
  });
}

function shift(context: CommandContext): void {
  runCount++;
  const { keyspace, database, request, reply } = context;
  const timeoutMs = readTimeoutMs(context, 3);
  const value = valueAt(context, 1);
  if (value !== undefined) {
    deleteAt(context, 1);
    const bytes = Buffer.from(value, "latin1");
    const start = request.offset[2]!;
    keyspace.setString(database, request.input, start, request.length[2]!, bytes, 0, bytes.length, KEEP_EXPIRY);
    context.touched(2);
    reply.bulkText(value);
    return;
  }
  context.waitForKeys({
    firstKey: 1,
    keyCount: 1,
    keyType: TYPE_STRING,
    wakesOnLoss: false,
    timeoutMs,
    onTimeout: (late) => late.nullArray(),
    onRefusal: (now) => now.nullBulk(),
  });
}

function watchman(context: CommandContext): void {
  runCount++;
  const { request, reply } = context;
  const value = valueAt(context, 1);
  if (value === undefined) {
    reply.error(NO_GROUP);
    return;
  }
  // The last argument says what was waited for when the wait began, as XREAD's `$` does.
  const wanted = request.is(2, "$") ? "go" : request.text(2);
  if (value === wanted) {
    reply.bulkText(wanted);
    return;
  }
  context.waitForKeys({
    firstKey: 1,
    keyCount: 1,
    keyType: TYPE_STRING,
    wakesOnLoss: true,
    timeoutMs: 0,
    onTimeout: (late) => late.nullArray(),
    replaced: request.is(2, "$") ? [{ argument: 2, bytes: Buffer.from("went") }] : [],
  });
}

function waitingCommands(): CommandTable {
  const entry = {
    flags: ["write", "blocking"],
    acl: [],
    keys: KEY_UPDATE,
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    summary: "For tests.",
  } as const;
  return {
    ...dataCommands(),
    TAKE: { ...entry, arity: -3, run: take },
    SHIFT: { ...entry, arity: 4, run: shift, flags: ["write", "denyoom", "blocking"] },
    WATCHMAN: { ...entry, arity: 3, run: watchman },
  };
}

function worldOf(count: number): [World, ...FakePeer[]] {
  const world = new World(waitingCommands());
  runCount = 0;
  return [world, ...Array.from({ length: count }, () => world.connect())];
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const NOTHING = "*-1\r\n";

describe("waiting for keys", () => {
  test("a key that comes wakes those who wait for it, one value each, in the order in which they began", () => {
    const [, writer, first, second, third] = worldOf(4) as [World, FakePeer, FakePeer, FakePeer, FakePeer];
    first.command("TAKE", "k", 0);
    second.command("TAKE", "k", 0);
    third.command("TAKE", "k", 0);
    assert.equal(writer.ask("SET", "k", "one"), "+OK\r\n");
    assert.deepEqual([first.take(), second.take(), third.take()], [bulk("one"), "", ""]);
    assert.equal(writer.ask("GET", "k"), "$-1\r\n", "the value is gone before the next command");
    writer.send(encode("SET", "k", "two") + encode("GET", "k") + encode("SET", "k", "three") + encode("GET", "k"));
    assert.equal(writer.take(), "+OK\r\n$-1\r\n+OK\r\n$-1\r\n", "served between the commands of one pipeline, too");
    assert.deepEqual([second.take(), third.take()], [bulk("two"), bulk("three")]);
  });

  test("only the first of many is run when there is one value", () => {
    const [, writer, ...others] = worldOf(20) as [World, FakePeer, ...FakePeer[]];
    for (const other of others) other.command("TAKE", "k", 0);
    runCount = 0;
    writer.command("SET", "k", "v");
    assert.equal(runCount, 1);
  });

  test("of several keys, the request takes its own first; the same key twice is one", () => {
    const [world, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.command("TAKE", "a", "b", "a", "c", 0);
    assert.equal(world.session.blocking.keyCount, 3);
    writer.command("MSET", "c", 3, "b", 2, "a", 1);
    assert.equal(waiter.take(), bulk("1"));
    assert.equal(writer.ask("EXISTS", "a", "b", "c"), ":2\r\n");
    assert.equal(world.session.blocking.keyCount, 0);
    assert.equal(world.dispatcher.context.keyObservers.length, 0, "nobody listens when nobody waits");
  });

  test("replies keep to their connections and to their order in a pipeline of both sides", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.send(encode("ECHO", "before") + encode("TAKE", "k", 0) + encode("ECHO", "behind") + encode("TAKE", "l", 0));
    assert.equal(waiter.take(), bulk("before"));
    writer.send(encode("ECHO", "x") + encode("SET", "k", "v") + encode("SET", "l", "w") + encode("ECHO", "y"));
    assert.equal(writer.take(), `${bulk("x")}+OK\r\n+OK\r\n${bulk("y")}`);
    assert.equal(waiter.take(), bulk("v") + bulk("behind") + bulk("w"));
  });

  test("each is answered in its own protocol", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.ask("HELLO", 3);
    waiter.command("TAKE", "k", 1);
    writer.send(encode("GET", "none") + encode("SET", "other", 1) + encode("GET", "none"));
    assert.equal(writer.take(), "$-1\r\n+OK\r\n$-1\r\n");
    assert.equal(waiter.take(), "");
  });

  test("a waiter that makes another key serves the one who waits for that, before the next command", () => {
    const [, writer, mover, taker] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    taker.command("TAKE", "b", 0);
    mover.command("SHIFT", "a", "b", 0);
    writer.send(encode("SET", "a", "v") + encode("EXISTS", "a", "b"));
    assert.equal(writer.take(), "+OK\r\n:0\r\n");
    assert.deepEqual([mover.take(), taker.take()], [bulk("v"), bulk("v")]);
  });

  test("a chain that ends where it began ends", () => {
    const [, writer, there, back] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    there.command("SHIFT", "a", "b", 0);
    back.command("SHIFT", "b", "a", 0);
    writer.command("SET", "a", "v");
    assert.deepEqual([there.take(), back.take()], [bulk("v"), bulk("v")]);
    assert.equal(writer.ask("GET", "a"), bulk("v"));
  });

  test("the database of the waiter counts, not the writer's", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.ask("SELECT", 3);
    waiter.command("TAKE", "k", 0);
    writer.command("SET", "k", "zero");
    assert.equal(waiter.take(), "");
    writer.send(encode("SELECT", 3) + encode("SET", "k", "three") + encode("SELECT", 0) + encode("GET", "k"));
    assert.equal(waiter.take(), bulk("three"));
    assert.equal(writer.take(), `+OK\r\n+OK\r\n+OK\r\n+OK\r\n${bulk("zero")}`);
  });

  for (const [name, prepare, act] of [
    ["RENAME", ["SET", "other", "v"], ["RENAME", "other", "k"]],
    ["RENAMENX", ["SET", "other", "v"], ["RENAMENX", "other", "k"]],
    ["COPY", ["SET", "other", "v"], ["COPY", "other", "k"]],
    ["APPEND", ["PING"], ["APPEND", "k", "v"]],
    ["SETRANGE", ["PING"], ["SETRANGE", "k", 0, "v"]],
  ] as const) {
    test(`${name} makes a key that is waited for`, () => {
      const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
      writer.command(...prepare);
      waiter.command("TAKE", "k", 0);
      writer.command(...act);
      assert.equal(waiter.take(), bulk("v"));
    });
  }

  test("MOVE and SWAPDB bring keys into the database where they are waited for", () => {
    const [, writer, mover, swapper] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    for (const waiter of [mover, swapper]) waiter.ask("SELECT", 1);
    mover.command("TAKE", "m", 0);
    swapper.command("TAKE", "s", 0);
    writer.command("SET", "m", "moved");
    writer.command("MOVE", "m", 1);
    assert.equal(mover.take(), bulk("moved"));
    writer.command("SET", "s", "swapped");
    assert.equal(swapper.take(), "");
    writer.command("SWAPDB", 0, 1);
    assert.equal(swapper.take(), bulk("swapped"));
  });
});

describe("any story", () => {
  test("gives each value to the one who has waited longest for its key, and leaves the rest", () => {
    const peers = 5;
    const key = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("take" as const),
        peer: fc.nat(peers - 1),
        keys: fc.array(key, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant("set" as const),
        keys: fc.array(key, { minLength: 1, maxLength: 4 }),
        isAtOnce: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("delete" as const), key }),
      fc.record({ kind: fc.constant("unblock" as const), peer: fc.nat(peers - 1) }),
      fc.record({ kind: fc.constant("close" as const), peer: fc.nat(peers - 1) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 60 }), (steps, pieceBytes) => {
        const [world, writer, ...others] = worldOf(peers + 1) as [World, FakePeer, ...FakePeer[]];
        const values = new Map<string, string>();
        let waiting: { peer: number; keys: string[] }[] = [];
        const heard = others.map(() => "");
        const expected = others.map(() => "");
        let count = 0;
        for (const each of steps) {
          if (each.kind === "take") {
            if (waiting.some(({ peer }) => peer === each.peer)) continue;
            others[each.peer]!.send(encode("TAKE", ...each.keys, 0), pieceBytes);
            const found = each.keys.find((name) => values.has(name));
            if (found === undefined) {
              waiting.push({ peer: each.peer, keys: each.keys });
            } else {
              expected[each.peer] += bulk(values.get(found)!);
              values.delete(found);
            }
          } else if (each.kind === "set") {
            const pairs = each.keys.map((name) => [name, `value ${++count}`] as const);
            // In one command the newest value of a key counts, in several each is given away by itself.
            const rounds = each.isAtOnce ? [pairs] : pairs.map((pair) => [pair]);
            writer.send(rounds.map((round) => encode("MSET", ...round.flat())).join(""), pieceBytes);
            for (const round of rounds) {
              for (const [name, value] of round) values.set(name, value);
              for (const [name] of round) {
                for (;;) {
                  const first = values.has(name) ? waiting.find(({ keys }) => keys.includes(name)) : undefined;
                  if (first === undefined) break;
                  const found = first.keys.find((each) => values.has(each))!;
                  expected[first.peer] += bulk(values.get(found)!);
                  values.delete(found);
                  waiting = waiting.filter((other) => other !== first);
                }
              }
            }
          } else if (each.kind === "delete") {
            writer.command("DEL", each.key);
            values.delete(each.key);
          } else {
            const isWaiting = waiting.some(({ peer }) => peer === each.peer);
            waiting = waiting.filter(({ peer }) => peer !== each.peer);
            if (each.kind === "unblock") {
              writer.command("CLIENT", "UNBLOCK", world.clientOf(others[each.peer]!).id);
              if (isWaiting) expected[each.peer] += NOTHING;
            } else {
              heard[each.peer] += others[each.peer]!.take();
              others[each.peer]!.close();
              others[each.peer] = world.connect();
            }
          }
          world.session.blocking.verify();
        }
        others.forEach((peer, index) => {
          heard[index] += peer.take();
        });
        assert.deepEqual(heard, expected);
        assert.equal(writer.ask("DBSIZE"), `:${values.size}\r\n`);
        assert.equal(world.session.blockedCount, waiting.length);
      }),
    );
  });
});

describe("the end of a wait", () => {
  test("the timeout counts from the first run, and runs out in the order of time", () => {
    const [world, writer, first, second] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    first.command("TAKE", "k", "0.2");
    world.advance(50);
    second.command("TAKE", "k", "0.1");
    world.advance(100);
    assert.deepEqual([first.take(), second.take()], ["", NOTHING]);
    // Touched and gone again when it is looked at: nobody runs.
    writer.send(encode("MULTI") + encode("SET", "k", 1) + encode("DEL", "k") + encode("EXEC"));
    world.advance(49);
    assert.equal(first.take(), "");
    world.advance(1);
    assert.equal(first.take(), NOTHING);
    assert.equal(world.session.blocking.keyCount, 0);
    assert.equal(world.clock.timerCount, 0);
  });

  test("who runs in vain keeps its place and its deadline", () => {
    const [world, writer, first, second] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    writer.command("SET", "k", "wait");
    first.command("WATCHMAN", "k", "x");
    second.command("WATCHMAN", "k", "x");
    runCount = 0;
    writer.command("SET", "k", "still");
    assert.equal(runCount, 2);
    assert.deepEqual([first.take(), second.take()], ["", ""]);
    assert.equal(world.session.blockedCount, 2);
    writer.command("SET", "k", "x");
    assert.deepEqual([first.take(), second.take()], [bulk("x"), bulk("x")]);
  });

  test("a lost key wakes those who asked for that, with an error of their own", () => {
    const [world, writer, one, two, three] = worldOf(4) as [World, FakePeer, FakePeer, FakePeer, FakePeer];
    writer.command("SET", "k", "wait");
    one.command("WATCHMAN", "k", "x");
    assert.equal(world.session.blocking.lossKeyCount, 1);
    writer.command("DEL", "k");
    assert.equal(one.take(), "-NOGROUP there is no key\r\n");
    writer.command("SET", "k", "wait");
    two.command("WATCHMAN", "k", "x");
    three.command("TAKE", "other", 0);
    writer.command("FLUSHALL");
    assert.equal(two.take(), "-NOGROUP there is no key\r\n");
    assert.equal(three.take(), "");
    assert.equal(world.session.blocking.lossKeyCount, 0);
    assert.equal(world.dispatcher.statistics.errors.get("NOGROUP"), 2);
  });

  test("a lost key whose time is over wakes them, too", () => {
    const [world, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    writer.command("SET", "k", "wait", "PX", 100);
    waiter.command("WATCHMAN", "k", "x");
    world.advance(200);
    writer.command("GET", "k");
    assert.equal(waiter.take(), "-NOGROUP there is no key\r\n");
  });

  test("what was replaced when the wait began is what the next run sees", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    writer.command("SET", "k", "wait");
    waiter.command("WATCHMAN", "k", "$");
    writer.command("SET", "k", "go");
    assert.equal(waiter.take(), "");
    writer.command("SET", "k", "went");
    assert.equal(waiter.take(), bulk("went"));
  });

  test("CLIENT UNBLOCK takes the client out of the queue at once", () => {
    const [world, writer, first, second] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    first.command("TAKE", "k", 0);
    second.command("TAKE", "k", 0);
    const id = world.clientOf(first).id;
    writer.send(encode("CLIENT", "UNBLOCK", id, "ERROR") + encode("SET", "k", "v") + encode("CLIENT", "UNBLOCK", id));
    assert.equal(writer.take(), ":1\r\n+OK\r\n:0\r\n");
    assert.equal(first.take(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    assert.equal(second.take(), bulk("v"));
  });

  test("a client that goes away leaves its place and its timer", () => {
    const [world, writer, leaving, staying] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    leaving.command("TAKE", "k", 5);
    staying.command("TAKE", "k", 0);
    leaving.close();
    writer.command("SET", "k", "v");
    assert.equal(staying.take(), bulk("v"));
    assert.equal(world.clock.timerCount, 0);
    assert.equal(world.session.blockedCount, 0);
  });

  test("CLIENT KILL by one who is waiting for nothing, in the command that would have served", () => {
    const [world, writer, killed, next] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    killed.command("TAKE", "k", 0);
    next.command("TAKE", "k", 0);
    const id = world.clientOf(killed).id;
    writer.send(encode("MULTI") + encode("SET", "k", "v") + encode("CLIENT", "KILL", "ID", id) + encode("EXEC"));
    assert.equal(killed.take(), "");
    assert.equal(next.take(), bulk("v"));
  });
});

describe("waiting and the rest of the session", () => {
  test("EXEC is served as a whole: what was made and taken within wakes nobody", () => {
    const [, writer, first, second] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    first.command("TAKE", "a", 0);
    second.command("TAKE", "b", 0);
    writer.send(
      [["MULTI"], ["SET", "a", 1], ["GETDEL", "a"], ["SET", "b", 2], ["GET", "b"], ["EXEC"], ["EXISTS", "b"]]
        .map((words) => encode(...words))
        .join(""),
    );
    assert.ok(writer.take().endsWith(`*4\r\n+OK\r\n${bulk("1")}+OK\r\n${bulk("2")}:0\r\n`));
    assert.deepEqual([first.take(), second.take()], ["", bulk("2")]);
  });

  test("inside MULTI nobody waits", () => {
    const [world, client] = worldOf(1) as [World, FakePeer];
    client.send(encode("MULTI") + encode("TAKE", "k", 0) + encode("SHIFT", "k", "l", 0) + encode("EXEC"));
    assert.ok(client.take().endsWith(`*2\r\n${NOTHING}$-1\r\n`));
    assert.equal(world.session.blockedCount, 0);
  });

  test("a pause holds back who would be served, and its end serves in order", () => {
    const [world, writer, first, second] = worldOf(3) as [World, FakePeer, FakePeer, FakePeer];
    first.command("TAKE", "k", 0);
    second.command("TAKE", "k", 0);
    writer.send(encode("MULTI") + encode("SET", "k", "v") + encode("CLIENT", "PAUSE", 300, "WRITE") + encode("EXEC"));
    assert.equal(first.take(), "");
    assert.equal(writer.ask("EXISTS", "k"), ":1\r\n");
    world.advance(400);
    assert.deepEqual([first.take(), second.take()], [bulk("v"), ""]);
  });

  test("a timeout runs out during a pause", () => {
    const [world, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.command("TAKE", "k", "0.1");
    writer.command("CLIENT", "PAUSE", 1000, "ALL");
    world.advance(200);
    assert.equal(waiter.take(), NOTHING);
  });

  test("a silenced client takes its value and hears nothing", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.send(encode("CLIENT", "REPLY", "SKIP") + encode("TAKE", "k", 0) + encode("ECHO", "on"));
    writer.command("SET", "k", "v");
    assert.equal(waiter.take(), bulk("on"));
    assert.equal(writer.ask("EXISTS", "k"), ":0\r\n");
  });

  test("a full memory refuses the second run as it would the first", () => {
    const [world, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.command("SHIFT", "a", "b", 0);
    let isFull = false;
    world.session.gates.makeRoom = () => !isFull;
    writer.send(encode("SET", "x", "y"));
    isFull = true;
    // RENAME may be used when memory is full.
    writer.send(encode("RENAME", "x", "a"));
    assert.equal(waiter.take(), "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  });

  test("calls are counted by ends of waits, whatever ends them", () => {
    const [world, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    const statistics = world.dispatcher.statistics;
    waiter.command("TAKE", "k", "0.1");
    assert.equal(statistics.commands, 0);
    world.advance(100);
    assert.equal(statistics.commands, 1);
    waiter.command("TAKE", "k", 0);
    writer.command("SET", "k", "v");
    assert.equal(statistics.commands, 3);
    waiter.command("TAKE", "k", 0);
    writer.command("CLIENT", "UNBLOCK", world.clientOf(waiter).id, "ERROR");
    assert.equal(statistics.commands, 5);
    assert.equal(statistics.errors.get("UNBLOCKED"), 1);
  });

  test("what a waiter sends meanwhile is kept, cut anywhere", () => {
    const [, writer, waiter] = worldOf(2) as [World, FakePeer, FakePeer];
    waiter.send(encode("TAKE", "k", 0));
    waiter.send(encode("ECHO", "one") + encode("ECHO", "two").slice(0, 9));
    writer.command("SET", "k", "v");
    assert.equal(waiter.take(), bulk("v") + bulk("one"));
    waiter.send(encode("ECHO", "two").slice(9));
    assert.equal(waiter.take(), bulk("two"));
  });
});
