import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { ArenaExhausted } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK, ENCODING_SKIPLIST, TYPE_ZSET } from "../keyspace/record.ts";

const KEY = Buffer.from("key");
const SCORES = [Number.NEGATIVE_INFINITY, -1.5, 0, 0.1, 1, 2, 1e20, Number.POSITIVE_INFINITY];

/** A sorted set beside the plain Map that says what it must hold. */
class Pair {
  readonly arena = new ExhaustingArena();
  readonly keyspace = new Keyspace(new KeyHash(1, 2), 1, () => this.arena);
  readonly model = new Map<string, number>();

  get record(): number {
    return this.keyspace.lookupWrite(this.keyspace.databases[0]!, KEY, 0, KEY.length);
  }

  get isLarge(): boolean {
    return this.keyspace.records.isStructure(this.record);
  }

  set(name: string, score: number): void {
    const { keyspace, record } = this;
    const [database] = keyspace.databases;
    const sets = keyspace.sortedSets;
    const bytes = Buffer.from(name);
    if (record === 0) sets.create(database!, KEY, 0, KEY.length, score, bytes, 0, bytes.length);
    else if (sets.find(record, bytes, 0, bytes.length)) sets.setScore(database!, record, score, bytes, 0, bytes.length);
    else sets.insert(database!, record, score, bytes, 0, bytes.length);
    this.model.set(name, score);
  }

  remove(name: string): void {
    const { keyspace, record } = this;
    const bytes = Buffer.from(name);
    const isThere = record !== 0 && keyspace.sortedSets.find(record, bytes, 0, bytes.length);
    assert.equal(isThere, this.model.delete(name));
    if (isThere) this.deleteIfEmpty(keyspace.sortedSets.remove(keyspace.databases[0]!, record));
  }

  removeRange(rank: number, count: number): void {
    const { keyspace } = this;
    for (const [name] of this.sorted().slice(rank, rank + count)) this.model.delete(name);
    this.deleteIfEmpty(keyspace.sortedSets.removeRange(keyspace.databases[0]!, this.record, rank, count));
  }

  private deleteIfEmpty(record: number): void {
    const { keyspace } = this;
    if (keyspace.sortedSets.count(record) === 0) keyspace.deleteRecord(keyspace.databases[0]!, record);
  }

  sorted(): [string, number][] {
    return [...this.model].sort(([leftName, left], [rightName, right]) =>
      left !== right ? (left < right ? -1 : 1) : leftName < rightName ? -1 : 1,
    );
  }

  private atCursor(): [string, number] {
    const sets = this.keyspace.sortedSets;
    const { valueBytes, valueStart, valueLength } = sets;
    return [Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString(), sets.memberScore()];
  }

  /** Members and scores, upwards or downwards. */
  walk(isDown: boolean): [string, number][] {
    const sets = this.keyspace.sortedSets;
    const { record } = this;
    const found: [string, number][] = [];
    const count = record === 0 ? 0 : sets.count(record);
    if (count > 0) sets.seek(record, isDown ? count - 1 : 0);
    for (let left = count; left > 0; left--) {
      found.push(this.atCursor());
      if (left > 1) assert.ok(isDown ? sets.previous() : sets.next());
      else if (!isDown) assert.equal(sets.next(), false);
    }
    return found;
  }

  check(): void {
    const { keyspace, record } = this;
    const sets = keyspace.sortedSets;
    const sorted = this.sorted();
    assert.equal(record !== 0, sorted.length > 0);
    assert.deepEqual(this.walk(false), sorted);
    assert.deepEqual(this.walk(true), sorted.reverse());
    sorted.reverse();
    if (record !== 0 && this.isLarge) sets.structure.verify(keyspace.records.externalAddress(record));
    sorted.forEach(([name, score], rank) => {
      const bytes = Buffer.from(name);
      assert.ok(sets.find(record, bytes, 0, bytes.length));
      assert.equal(sets.foundScore, score);
      assert.equal(sets.rank(record), rank);
    });
    for (const score of record === 0 ? [] : SCORES) {
      assert.equal(sets.scoreRank(record, score, false), sorted.filter(([, other]) => other < score).length);
      assert.equal(sets.scoreRank(record, score, true), sorted.filter(([, other]) => other <= score).length);
    }
  }
}

function nameFrom(random: SeededRandom): string {
  const kind = random.below(8);
  if (kind === 0) return "x".repeat(60 + random.below(20));
  return kind < 4 ? String(random.below(300) - 50) : `m${random.below(200)}`;
}

function scoreFrom(random: SeededRandom): number {
  return random.chance(0.5) ? random.pick(SCORES) : random.below(20) / 4;
}

test("a sorted set of either encoding holds what a plain map holds, whatever is set and removed", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  try {
    for (const [rounds, limit] of [
      [400, 128],
      [400, 8],
      [1500, 0],
    ] as const) {
      const pair = new Pair();
      pair.keyspace.encodingLimits.sortedSetListpackEntries = limit;
      for (let round = 0; round < rounds; round++) {
        const choice = random.below(20);
        if (choice === 0 && pair.model.size > 0) {
          const rank = random.below(pair.model.size);
          pair.removeRange(rank, 1 + random.below(pair.model.size - rank));
        } else if (choice < 5) pair.remove(nameFrom(random));
        else pair.set(nameFrom(random), scoreFrom(random));
        if (round % 8 === 0) pair.check();
      }
      pair.check();
      pair.keyspace.verify();
    }
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
});

test("where memory ends, a sorted set stays as it was", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  let failures = 0;
  for (const limit of [0, 20, 128]) {
    const pair = new Pair();
    pair.keyspace.encodingLimits.sortedSetListpackEntries = limit;
    for (let round = 0; round < 250; round++) {
      const name = nameFrom(random);
      const score = scoreFrom(random);
      const before = pair.sorted();
      for (let left = 0; ; left++) {
        pair.arena.failAfter(left);
        try {
          pair.set(name, score);
          break;
        } catch (error) {
          if (!(error instanceof ArenaExhausted)) throw error;
          failures++;
          pair.arena.recover();
          assert.deepEqual(pair.walk(false), before, `seed ${seed}`);
          if (pair.record !== 0 && round % 10 === 0) pair.check();
        }
      }
      pair.arena.recover();
    }
    pair.check();
    pair.keyspace.verify();
  }
  assert.ok(failures > 300);
});

test("a listpack becomes a skiplist by one member too many, or by one that is too long, and never goes back", () => {
  const pair = new Pair();
  const encoding = (): number => pair.keyspace.records.encoding(pair.record);
  for (let index = 0; index < 128; index++) pair.set(`m${index}`, index);
  assert.equal(encoding(), ENCODING_LISTPACK);
  pair.set("one more", 1);
  assert.equal(encoding(), ENCODING_SKIPLIST);
  pair.removeRange(1, 128);
  assert.equal(encoding(), ENCODING_SKIPLIST);
  pair.check();
  pair.removeRange(0, 1);
  pair.set("x".repeat(64), 1);
  assert.equal(encoding(), ENCODING_LISTPACK);
  pair.set("x".repeat(65), 1);
  assert.equal(encoding(), ENCODING_SKIPLIST);
  pair.removeRange(0, 2);
  pair.set("x".repeat(65), 1);
  assert.equal(encoding(), ENCODING_SKIPLIST);
});

test("a large sorted set is copied, moved out of sparse frames, measured and freed without a rest", () => {
  const pair = new Pair();
  const { keyspace, arena } = pair;
  const [database] = keyspace.databases;
  const usedBytes = arena.usedBytes;
  for (let index = 0; index < 3000; index++) pair.set(`member ${index}`, index % 50);
  const other = Buffer.from("copy");
  keyspace.copy(pair.record, database!, other, 0, other.length);
  for (let index = 0; index < 3000; index++) if (index % 5 > 0) pair.remove(`member ${index}`);
  pair.check();
  const structure = keyspace.structureOf(TYPE_ZSET);
  const copied = keyspace.lookupWrite(database!, other, 0, other.length);
  const copiedRoot = keyspace.records.externalAddress(copied);
  structure.verify(copiedRoot);
  assert.equal(structure.size(copiedRoot), 3000);
  const exact = structure.cellBytes(copiedRoot, 0);
  assert.ok(Math.abs(structure.cellBytes(copiedRoot, 5) - exact) < exact * 0.1);
  keyspace.deleteRecord(database!, copied);
  while (keyspace.reclaim(10));
  assert.ok(keyspace.relocate(database!, pair.record, 0.75) > 100);
  pair.check();
  keyspace.verify();
  const root = keyspace.records.externalAddress(pair.record);
  assert.ok(structure.cellBytes(root, 0) < arena.usedBytes);
  keyspace.deleteRecord(database!, pair.record);
  while (keyspace.reclaim(1));
  assert.equal(arena.usedBytes, usedBytes);
});

test("a copy for which there is no memory leaves nothing behind", () => {
  const pair = new Pair();
  for (let index = 0; index < 400; index++) pair.set(`member ${index}`, index);
  const { arena, keyspace } = pair;
  const usedBytes = arena.usedBytes;
  const other = Buffer.from("copy");
  for (let left = 0; left < 400; left += 7) {
    arena.failAfter(left);
    assert.throws(() => keyspace.copy(pair.record, keyspace.databases[0]!, other, 0, other.length), ArenaExhausted);
    arena.recover();
    while (keyspace.reclaim(100));
    assert.equal(arena.usedBytes, usedBytes);
  }
});
