/**
 * How evenly SRANDMEMBER, SPOP, HRANDFIELD and ZRANDMEMBER choose, in every encoding.
 *
 *      many draws ──► how often each element came ──► chi-square ──► below the limit for its degrees of freedom
 *
 *  I1  The server's randomness is seeded: the same draws in every run, no chance of a false alarm in a tree that was green.
 *  I2  The limit is what even choice exceeds once in 100 000 times.
 *  Source: the distributions that Redis's documentation promises for these commands.
 */
import assert from "node:assert/strict";
import { before, beforeEach, describe, test } from "node:test";
import type { FakePeer } from "../../src/session/testing.ts";
import { parseReply } from "../support/reply.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

const SEED = 20_261_121;
const ELEMENT_COUNT = 64;
const DRAWS = 12_800;
const ASKED_PER_PEER = 100;

/** What chi-square exceeds with probability 0.00001, by the Wilson-Hilferty approximation. */
function chiSquareLimit(freedom: number): number {
  const deviations = 4.265; // of the normal distribution, for that probability
  const part = 2 / (9 * freedom);
  return freedom * (1 - part + deviations * Math.sqrt(part)) ** 3;
}

/** Chi-square of counts that should all be equal. */
function chiSquare(counts: ReadonlyMap<string, number>, kinds: number): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  const expected = total / kinds;
  let sum = (kinds - counts.size) * expected;
  for (const count of counts.values()) sum += (count - expected) ** 2 / expected;
  return sum;
}

interface Kind {
  readonly name: string;
  readonly directives: readonly (readonly string[])[];
  readonly encoding: string;
  readonly elements: readonly string[];
  /** Elements that are there for a while, so that the table is larger than its content. */
  readonly passing?: number;
  readonly add: (element: string) => readonly string[];
  readonly remove: string;
  readonly random: string;
  /** Asks for values as well, where the command can; the value of an element. */
  readonly withValues?: readonly [option: string, valueOf: (element: string) => string];
}

const numbers = Array.from({ length: ELEMENT_COUNT }, (_, index) => String(index * 3));
const texts = Array.from({ length: ELEMENT_COUNT }, (_, index) => `element:${index}`);

const SETS: readonly Kind[] = [
  { name: "an intset", directives: [], encoding: "intset", elements: numbers },
  { name: "a listpack set", directives: [], encoding: "listpack", elements: texts },
  { name: "a table set", directives: [["set-max-listpack-entries", "0"]], encoding: "hashtable", elements: texts },
  {
    name: "a sparse table set",
    directives: [["set-max-listpack-entries", "0"]],
    encoding: "hashtable",
    elements: texts,
    passing: 2000,
  },
].map((kind) => ({
  ...kind,
  add: (element: string) => ["SADD", "k", element],
  remove: "SREM",
  random: "SRANDMEMBER",
}));

const HASHES: readonly Kind[] = [
  { name: "a listpack hash", directives: [], encoding: "listpack" },
  { name: "a table hash", directives: [["hash-max-listpack-entries", "0"]], encoding: "hashtable" },
  {
    name: "a sparse table hash",
    directives: [["hash-max-listpack-entries", "0"]],
    encoding: "hashtable",
    passing: 2000,
  },
].map((kind) => ({
  ...kind,
  elements: texts,
  add: (element: string) => ["HSET", "k", element, `value of ${element}`],
  remove: "HDEL",
  random: "HRANDFIELD",
  withValues: ["WITHVALUES", (element: string) => `value of ${element}`] as const,
}));

const SORTED_SETS: readonly Kind[] = [
  { name: "a listpack sorted set", directives: [], encoding: "listpack" },
  { name: "a large sorted set", directives: [["zset-max-listpack-entries", "0"]], encoding: "skiplist" },
  {
    name: "a sorted set that was larger",
    directives: [["zset-max-listpack-entries", "0"]],
    encoding: "skiplist",
    passing: 2000,
  },
].map((kind) => ({
  ...kind,
  elements: texts,
  add: (element: string) => ["ZADD", "k", element.slice(8), element],
  remove: "ZREM",
  random: "ZRANDMEMBER",
  withValues: ["WITHSCORES", (element: string) => element.slice(8)] as const,
}));

const DEFAULTS = [
  ["set-max-listpack-entries", "128"],
  ["hash-max-listpack-entries", "128"],
  ["zset-max-listpack-entries", "128"],
] as const;

describe("random choice", () => {
  let world: VirtualServer;
  let peer: FakePeer;
  let askedCount = 0;

  before(async () => {
    world = new VirtualServer({ disk: new VirtualDisk(), seed: SEED });
    await world.start();
    peer = world.connect();
  });

  beforeEach(() => {
    for (const [name, value] of DEFAULTS) ask("CONFIG", "SET", name, value);
    ask("FLUSHALL");
  });

  function ask(...words: (string | number)[]): string {
    // A peer keeps all that it was ever sent: a new one now and then keeps that short.
    if (++askedCount % ASKED_PER_PEER === 0) {
      peer.close();
      peer = world.connect();
    }
    const reply = peer.ask(...words);
    assert.ok(!reply.startsWith("-"), `${words.join(" ")}: ${reply}`);
    return reply;
  }

  function items(...words: (string | number)[]): string[] {
    const node = parseReply(Buffer.from(ask(...words), "latin1"));
    return node.type === "$" ? [node.text!] : node.items.map((item) => item.text!);
  }

  function fill(kind: Kind): void {
    for (const directive of kind.directives) ask("CONFIG", "SET", ...directive);
    const passing = Array.from({ length: kind.passing ?? 0 }, (_, index) => `element:${index + 1000}`);
    for (const element of [...kind.elements, ...passing]) ask(...kind.add(element));
    for (const element of passing) ask(kind.remove, "k", element);
    assert.equal(ask("OBJECT", "ENCODING", "k").split("\r\n")[1], kind.encoding);
  }

  /** Asserts that each of `elements` comes equally often in what `draw` gives. */
  function assertEven(elements: readonly string[], drawCount: number, draw: () => readonly string[]): void {
    const known = new Set(elements);
    const counts = new Map<string, number>();
    for (let left = drawCount; left > 0; left--) {
      for (const element of draw()) {
        assert.ok(known.has(element), `${element} is not there`);
        counts.set(element, (counts.get(element) ?? 0) + 1);
      }
    }
    const found = chiSquare(counts, elements.length);
    const limit = chiSquareLimit(elements.length - 1);
    assert.ok(
      found < limit,
      `chi-square ${found.toFixed(1)} of ${elements.length} elements, limit ${limit.toFixed(1)}`,
    );
  }

  for (const kind of [...SETS, ...HASHES, ...SORTED_SETS]) {
    test(`${kind.random} takes one element of ${kind.name} as often as any other`, () => {
      fill(kind);
      assertEven(kind.elements, DRAWS, () => items(kind.random, "k"));
    });

    for (const count of [3, 20, 60]) {
      test(`${kind.random} takes ${count} different elements of ${kind.name} evenly`, () => {
        fill(kind);
        assertEven(kind.elements, Math.ceil(DRAWS / count), () => {
          const drawn = items(kind.random, "k", count);
          assert.equal(drawn.length, count);
          assert.equal(new Set(drawn).size, count, "an element twice");
          return drawn;
        });
      });
    }

    test(`${kind.random} takes elements of ${kind.name} with repetition evenly`, () => {
      fill(kind);
      assertEven(kind.elements, DRAWS / 128, () => {
        const drawn = items(kind.random, "k", -128);
        assert.equal(drawn.length, 128);
        return drawn;
      });
    });

    test(`${kind.random} gives all elements of ${kind.name} when asked for more`, () => {
      fill(kind);
      assert.deepEqual(items(kind.random, "k", 1000).sort(), [...kind.elements].sort());
    });

    if (kind.withValues !== undefined) {
      const [option, expectedFor] = kind.withValues;
      test(`${kind.random} ${option} gives each element of ${kind.name} with its own value`, () => {
        fill(kind);
        for (const count of [5, 50, 100, -20]) {
          const drawn = items(kind.random, "k", count, option);
          for (let index = 0; index < drawn.length; index += 2)
            assert.equal(drawn[index + 1], expectedFor(drawn[index]!));
        }
      });
    }
  }

  for (const kind of SETS) {
    for (const count of [1, 5, 15]) {
      test(`SPOP takes ${count} of ${kind.name} evenly, and leaves the others`, () => {
        const elements = kind.elements.slice(0, 20);
        fill({ ...kind, elements });
        assertEven(elements, 2000, () => {
          const popped = count === 1 ? items("SPOP", "k") : items("SPOP", "k", count);
          assert.equal(new Set(popped).size, count);
          const left = items("SMEMBERS", "k");
          assert.deepEqual([...left, ...popped].sort(), [...elements].sort());
          ask("SADD", "k", ...popped);
          return popped;
        });
      });
    }
  }
});
