/**
 * The log is the state: what a server recorded, given to an empty one at any other time, makes the same keys.
 *
 *      random history over all families, time passing ──► log ──► an empty server, another clock ──► same state
 *
 *  To repeat a report: npm test -- --only effects-replay --seed SEED
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { FakePeer } from "../../src/session/testing.ts";
import { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printable } from "../support/reply.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { createFolder, removeFolder } from "../support/temp.ts";
import { compareStreamFacts } from "./compare-streams.ts";
import { LogReader, RecordedServer } from "./effects-world.ts";
import { hyperloglog } from "./families/hyperloglog.ts";
import { sorting } from "./families/sorting.ts";
import { streams } from "./families/streams.ts";
import { transactions } from "./families/transactions.ts";
import {
  type CommandForm,
  command,
  drawForm,
  fixed,
  key,
  oneOf,
  optional,
  type Piece,
  pickForm,
  repeat,
  sequence,
  smallInteger,
  textOf,
  weighted,
  word,
} from "./grammar.ts";

const FIXED_SEED = 20_261_121;
const HISTORIES = 60;
const COMMANDS_MAX = 220;

const soon: Piece = smallInteger(1, 900);
const free = { maySpoil: false };
const consumer = textOf("alice", "bob", "new1", "new2");
const group = textOf("g1", "g2");
const stream = textOf("future1", "s1", "s1");
const entry = sequence(fixed("f"), smallInteger(0, 9));
const trimming = sequence(
  oneOf(
    sequence(word("MAXLEN"), fixed("~"), smallInteger(0, 9)),
    sequence(word("MINID"), fixed("~"), fixed("1700000000900")),
  ),
  optional(sequence(word("LIMIT"), smallInteger(0, 9))),
);

/** A command as a script runs it. */
const RUN = "return redis.pcall(unpack(ARGV))";
const TWICE = "redis.pcall(unpack(ARGV)) return redis.pcall(unpack(ARGV))";
const QUIET = "redis.set_repl(redis.REPL_NONE) redis.call('exists', 'k1') redis.call('exists', 'k2') return 1";
const MOVED =
  "local d = redis.call('dump', KEYS[1]) if d then redis.call('restore', KEYS[2], ARGV[1], d, 'REPLACE') end";
const LIBRARY = (body: string): string => `#!lua name=lib\nredis.register_function('f', function(k, a) ${body} end)`;

/** What depends on time or chance, which the families leave out. */
const loose: readonly CommandForm[] = [
  command(
    "SET",
    [key(), fixed("v"), word("PX"), soon, optional(word("GET")), optional(oneOf(word("NX"), word("XX")))],
    free,
  ),
  command("PSETEX", [key(), soon, fixed("v")], free),
  command("GETEX", [key(), word("PX"), soon], free),
  command("PEXPIRE", [key(), soon, optional(textOf("NX", "XX", "GT", "LT"))], { weight: 4, ...free }),
  command("PEXPIRE", [key(), fixed("-1")], free),
  command("SPOP", [key(), optional(smallInteger(1, 6))], { weight: 2, ...free }),
  command("SADD", [key(), repeat(smallInteger(0, 400), 1, 40)], { weight: 2, ...free }),
  command("XADD", [stream, optional(trimming), fixed("*"), entry], { weight: 6, ...free }),
  command("XTRIM", [stream, trimming], free),
  command("XGROUP CREATE", [stream, group, textOf("0", "$"), optional(word("MKSTREAM"))], { weight: 2, ...free }),
  command(
    "XREADGROUP",
    [
      word("GROUP"),
      group,
      consumer,
      optional(word("NOACK"), 0.2),
      optional(sequence(word("COUNT"), smallInteger(1, 4))),
      word("STREAMS"),
      stream,
      textOf(">", ">", "0"),
    ],
    { weight: 6, ...free },
  ),
  command(
    "XREADGROUP",
    [word("GROUP"), group, consumer, word("STREAMS"), fixed("future1"), fixed("s1"), textOf(">", "0"), fixed(">")],
    free,
  ),
  command(
    "XCLAIM",
    [
      stream,
      group,
      consumer,
      smallInteger(0, 500),
      textOf("1700000000500-0", "99999999999999-2", "99999999999999-3"),
      optional(word("FORCE")),
      optional(word("JUSTID")),
      optional(sequence(word("IDLE"), smallInteger(0, 900))),
    ],
    { weight: 2, ...free },
  ),
  command(
    "XAUTOCLAIM",
    [stream, group, consumer, textOf("0", "300"), fixed("0"), optional(sequence(word("COUNT"), smallInteger(1, 4)))],
    { weight: 2, ...free },
  ),
  command("XDEL", [stream, textOf("99999999999999-1", "99999999999999-2", "99999999999999-4")], { weight: 2, ...free }),
  command("SELECT", [textOf("0", "0", "1", "9")], { weight: 2, ...free }),
  command("SWAPDB", [textOf("0", "1"), textOf("1", "9")], { weight: 0.3, ...free }),
  command("MOVE", [key(), textOf("0", "1", "9")], free),
  command("COPY", [key(), key(), word("DB"), textOf("0", "1", "9"), optional(word("REPLACE"))], free),
  command("FLUSHDB", [], { weight: 0.1, ...free }),
  command("FLUSHALL", [], { weight: 0.05, ...free }),
  command("EVAL", [fixed(QUIET), fixed("0")], free),
  command("EVAL", [fixed(MOVED), fixed("2"), key(), key(), soon], { weight: 2, ...free }),
  command(
    "FUNCTION LOAD",
    [
      word("REPLACE"),
      textOf(
        LIBRARY("return redis.call('incr', 'n')"),
        LIBRARY("redis.call('set', 'x', 1, 'px', 50) return redis.call('spop', 'k1')"),
      ),
    ],
    free,
  ),
  command("FCALL", [fixed("f"), fixed("0")], free),
  command("FUNCTION DELETE", [fixed("lib")], { weight: 0.2, ...free }),
  command("SORT", [key(), word("BY"), fixed("nokey_*"), word("ALPHA"), word("STORE"), key()], free),
  command("CONFIG SET", [textOf("lazyfree-lazy-expire", "lazyfree-lazy-eviction"), textOf("yes", "no")], {
    weight: 0.3,
    ...free,
  }),
];

/** Other clients wait with these. */
const waiting: readonly CommandForm[] = [
  command("BLPOP", [key(), key(), fixed("0")], free),
  command("BLMOVE", [key(), key(), textOf("LEFT", "RIGHT"), textOf("LEFT", "RIGHT"), fixed("0")], free),
  command("BRPOPLPUSH", [key(), key(), fixed("0")], free),
  command(
    "BLMPOP",
    [fixed("0"), fixed("2"), key(), key(), textOf("LEFT", "RIGHT"), word("COUNT"), smallInteger(1, 3)],
    free,
  ),
  command("BZPOPMIN", [key(), key(), fixed("0")], free),
  command("BZMPOP", [fixed("0"), fixed("1"), key(), word("MAX"), word("COUNT"), smallInteger(1, 3)], free),
  command(
    "XREADGROUP",
    [word("GROUP"), group, consumer, word("BLOCK"), fixed("0"), word("STREAMS"), stream, fixed(">")],
    free,
  ),
];

const forms: readonly CommandForm[] = [
  ...weighted(transactions.forms, 45),
  ...weighted(streams.forms, 12),
  ...weighted(hyperloglog.forms, 3),
  ...weighted(sorting.forms, 3),
  ...weighted(loose, 40),
];

class History {
  private readonly server: RecordedServer;
  private readonly random: SeededRandom;
  private readonly others: FakePeer[];

  constructor(server: RecordedServer, random: SeededRandom) {
    this.server = server;
    this.random = random;
    this.others = [];
  }

  play(): void {
    const { server, random } = this;
    server.peer = server.virtual.connect();
    for (let count = random.between(20, COMMANDS_MAX); count > 0; count--) {
      const choice = random.below(100);
      if (choice < 12) this.server.virtual.advance(random.pick([5, 20, 100, 300, 1000]));
      else if (choice < 16) this.letWait();
      else if (choice === 16) this.evict();
      else for (const [args] of drawForm(pickForm(forms, random), random)) server.askBytes(this.disguised(args));
    }
    server.peer.close();
    for (const other of this.others) other.close();
  }

  /** The command as it is, or from a script. */
  private disguised(args: readonly Buffer[]): readonly Buffer[] {
    if (!this.random.chance(0.15)) return args;
    return [Buffer.from("EVAL"), Buffer.from(this.random.pick([RUN, TWICE])), Buffer.from("0"), ...args];
  }

  private letWait(): void {
    const other = this.server.virtual.connect();
    this.others.push(other);
    const [args] = drawForm(this.random.pick(waiting), this.random)[0]!;
    this.server.askBytes(args, other);
    if (this.others.length > 5) this.others.shift()!.close();
  }

  private evict(): void {
    this.server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
    this.server.ask("CONFIG", "SET", "maxmemory", "1");
    this.server.ask("GET", "k1");
    this.server.ask("CONFIG", "SET", "maxmemory", "0");
  }
}

/** The commands of a log that name the key of `place` ("0/k1"), the last ones. */
function tail(log: Buffer, place: string): string {
  const key = place.slice(place.indexOf("/") + 1);
  return new LogReader()
    .read(log)
    .flat()
    .filter(({ words }) => words.includes(key) || /^(?:SWAPDB|FLUSH)/i.test(words[0]!))
    .slice(-25)
    .map(
      ({ database, words }) =>
        `${database}: ${words.map((each) => printable(Buffer.from(each, "latin1"), 60)).join(" ")}`,
    )
    .join("\n");
}

describe("a log gives the state that it was recorded from", () => {
  for (const seed of [FIXED_SEED, freshSeed()]) {
    test(`on an empty server at another time, seed ${seed}`, async (context) => {
      let commandCount = 0;
      const words = new Set<string>();
      for (let index = 0; index < HISTORIES; index++) {
        const random = new SeededRandom((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
        const original = await RecordedServer.start(random.uint32());
        original.ask("CONFIG", "SET", "stream-node-max-entries", random.pick(["100", "3", "1"]));
        original.record();
        new History(original, random).play();
        const expected = original.state();
        const log = original.takeLog();
        const shift = random.pick([-400_000_000, -500, 0, 700, 40_000_000_000]);
        const copy = await RecordedServer.start(random.uint32(), () => original.context.keyspace.nowMs + shift);
        copy.replay(log);
        const actual = copy.state();
        for (const name of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
          if (name === "digest") continue;
          const report = (): string =>
            `history ${index} of seed ${seed}, ${printable(Buffer.from(name, "latin1"))}\n${tail(log, name)}\n`;
          assert.deepEqual(
            actual[name],
            expected[name],
            isDeepStrictEqual(actual[name], expected[name])
              ? ""
              : `${report()}${JSON.stringify(actual[name])}\n${JSON.stringify(expected[name])}`,
          );
        }
        assert.equal(actual.digest, expected.digest);
        // What was there and has no time left goes once the log is at its end.
        assert.equal(original.context.log.isIncomplete, false);
        for (const match of log.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
          commandCount++;
          words.add(match[1]!.toUpperCase());
        }
        await original.virtual.stop();
        await copy.virtual.stop();
      }
      context.diagnostic(
        `${commandCount} commands in the logs, ${words.size} different ones: ${[...words].sort().join(" ")}`,
      );
      assert.ok(commandCount > HISTORIES * 20);
      for (const name of ["XCLAIM", "SREM", "PEXPIREAT", "UNLINK", "RESTORE", "LMOVE", "FUNCTION", "SWAPDB"]) {
        assert.ok(words.has(name), `no history recorded ${name}`);
      }
    });
  }

  test("in the real server, which loads it as its own file", async () => {
    const seed = freshSeed();
    const random = new SeededRandom(seed);
    // A year ahead: what has not expired here is not over there, either.
    let wallClockMs = Date.now() + 31_536_000_000;
    const original = await RecordedServer.start(random.uint32(), () => ++wallClockMs);
    original.record();
    for (let round = 0; round < 15; round++) new History(original, random).play();
    original.peer = original.virtual.connect();
    for (const words of [
      "DEL s",
      "XADD s * f v",
      "XADD s * f v",
      "XGROUP CREATE s g 0",
      "XREADGROUP GROUP g c STREAMS s >",
    ]) {
      original.ask(...words.split(" "));
    }
    wallClockMs += 10_000;
    original.virtual.advance(5000);
    const expected = original.state();
    const dir = createFolder("effects");
    mkdirSync(join(dir, "appendonlydir"));
    writeFileSync(join(dir, "appendonlydir", "appendonly.aof.1.incr.aof"), original.takeLog());
    writeFileSync(
      join(dir, "appendonlydir", "appendonly.aof.manifest"),
      "file appendonly.aof.1.incr.aof seq 1 type i\n",
    );
    const redis = await startRedis({ dir, directives: { appendonly: "yes" } });
    try {
      const client = await RawClient.connect(redis.port);
      let streamCount = 0;
      for (const name of Object.keys(expected)) {
        const [, database, key] = /^(\d+)\/(.*)$/s.exec(name) ?? [];
        if (database === undefined || (expected[name] as string[])[0] !== "+stream") continue;
        streamCount++;
        const words = ["XINFO", "STREAM", key!, "FULL", "COUNT", "0"];
        await client.call("SELECT", database);
        original.ask("SELECT", database);
        const theirs = await client.call(...words.map((word) => Buffer.from(word, "latin1")));
        const ours = Buffer.from(original.ask(...words), "latin1");
        assert.equal(compareStreamFacts(theirs, ours), undefined, `seed ${seed}, stream ${key}`);
      }
      assert.ok(streamCount > 0);
      assert.equal(String(await client.call("DEBUG", "DIGEST")), expected.digest, `seed ${seed}`);
      assert.notEqual(expected.digest, `+${"0".repeat(40)}\r\n`);
      client.close();
    } finally {
      await redis.stop();
      await original.virtual.stop();
      removeFolder(dir);
    }
  });
});

test("what a script does stays together though it gave way to others, with the keys that it found expired", async () => {
  const server = await RecordedServer.start(1);
  server.ask("CONFIG", "SET", "busy-reply-threshold", 20);
  server.ask("SET", "x", "v", "PXAT", 1);
  server.record();
  const { clock } = server.virtual.host;
  const readClock = clock.monotonicMs.bind(clock);
  let drift = 0;
  clock.monotonicMs = () => readClock() + (drift += 10);
  const loop = "for i = 1, 2000000 do end";
  const script = `redis.call('set', 'a', 1) ${loop} redis.call('get', 'x') ${loop} redis.set_repl(0) redis.call('set', 'q', 1)
    redis.set_repl(3) redis.call('setex', 'b', 100, 1) ${loop} return 'done'`;
  assert.equal(server.ask("EVAL", script, 0), "$4\r\ndone\r\n");
  assert.ok(server.virtual.logged("Slow script detected") > 0);
  assert.match(server.logged().join(), /^MULTI: set a 1 \| DEL x \| SET b 1 PXAT \d+$/);
  await server.virtual.stop();
});
