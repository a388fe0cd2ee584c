import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { HashTable, RecordList } from "./hash-table.ts";

/** A hash with few different results: long chains, equal tags. */
class BadHash extends KeyHash {
  private readonly mask: number;

  constructor(mask: number) {
    super(1, 2);
    this.mask = mask;
  }

  override hash(bytes: Uint8Array, start: number, length: number): number {
    return super.hash(bytes, start, length) & this.mask;
  }
}

/** A table beside the plain Map that says what it must hold. */
class Pair {
  readonly arena: Arena;
  readonly hash: KeyHash;
  readonly tables: HashTable;
  readonly table: number;
  readonly model = new Map<string, number>();

  constructor(hash: KeyHash = new KeyHash(1, 2), arena: Arena = new Arena()) {
    this.arena = arena;
    this.hash = hash;
    this.tables = new HashTable(arena, hash);
    this.table = this.tables.create();
  }

  find(key: string): number {
    const bytes = Buffer.from(key);
    return this.tables.find(this.table, this.hash.hash(bytes, 0, bytes.length), bytes, 0, bytes.length);
  }

  /** False when the key is there already. */
  insert(key: string): boolean {
    if (this.find(key) !== 0) return false;
    const record = this.makeRecord(key);
    try {
      this.tables.insert(this.table, this.tables.hashOf(record), record);
    } catch (error) {
      this.arena.free(record);
      throw error;
    }
    this.model.set(key, record);
    return true;
  }

  remove(key: string): boolean {
    const record = this.find(key);
    if (record === 0) return false;
    this.tables.remove(this.table);
    this.arena.free(record);
    return this.model.delete(key);
  }

  /** The smallest record that has a key: no value, no time. */
  private makeRecord(key: string): number {
    const bytes = Buffer.from(key);
    const record = this.arena.allocate(9 + bytes.length);
    this.arena.words[record >>> SEGMENT_SHIFT]![((record & UNIT_MASK) << 1) + 1] = bytes.length;
    this.arena.copyIn(record, 9, bytes, 0, bytes.length);
    return record;
  }

  key(record: number): string {
    const at = (record & UNIT_MASK) << 3;
    const length = this.arena.words[record >>> SEGMENT_SHIFT]![((record & UNIT_MASK) << 1) + 1]!;
    return Buffer.from(this.arena.bytes[record >>> SEGMENT_SHIFT]!.subarray(at + 9, at + 9 + length)).toString();
  }

  direction(): string {
    return this.tables.statistics(this.table).direction;
  }

  /** The table's invariants, and that it holds what the model holds and uses no more memory than it says. */
  check(): void {
    this.tables.verify(this.table);
    assert.equal(this.tables.count(this.table), this.model.size);
    for (const [key, record] of this.model) assert.equal(this.find(key), record);
    let bytes = this.tables.statistics(this.table).bytes;
    for (const record of this.model.values()) bytes += this.arena.capacity(record);
    assert.equal(this.arena.usedBytes, bytes);
  }
}

const step = fc.record({
  kind: fc.constantFrom("insert", "insert", "remove", "absent", "advance", "fill", "empty", "locate"),
  key: fc.nat(300),
  count: fc.nat(120),
});

for (const [name, mask] of [
  ["a good hash", -1],
  ["32 different hashes", 0x8000000f | 0],
  ["one hash for all keys", 0],
] as const) {
  test(`it holds what a Map holds, with ${name}, while it grows and shrinks`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pair = new Pair(new BadHash(mask));
        for (const { kind, key, count } of steps) {
          if (kind === "insert" || kind === "remove") {
            const wasThere = pair.model.has(`k${key}`);
            assert.equal(pair[kind](`k${key}`), wasThere === (kind === "remove"));
          } else if (kind === "absent") assert.equal(pair.find(`absent${key}`), 0);
          else if (kind === "advance") pair.tables.advance(pair.table, count % 9);
          else if (kind === "fill") for (let index = 0; index < count; index++) pair.insert(`k${key + index}`);
          else if (kind === "empty") for (let index = 0; index < count; index++) pair.remove(`k${key + index}`);
          else {
            for (const [each, record] of pair.model) {
              const bytes = Buffer.from(each);
              assert.ok(pair.tables.locate(pair.table, pair.hash.hash(bytes, 0, bytes.length), record));
              break;
            }
          }
          pair.check();
        }
      }),
      { numRuns: 60 },
    );
  });
}

test("a table that begins to grow again before it has merged anything stays whole", () => {
  const pair = new Pair();
  for (let index = 0; index < 600; index++) pair.insert(`k${index}`);
  while (pair.tables.advance(pair.table, 100));
  let removed = 0;
  while (pair.direction() === "resting") pair.remove(`k${removed++}`);
  assert.equal(pair.direction(), "shrinking");
  for (let index = 0; index < 2000; index++) {
    pair.insert(`new${index}`);
    if (index % 50 === 0) pair.check();
  }
  pair.check();
});

test("growing turns into shrinking and back in the middle of a round", () => {
  const pair = new Pair();
  let next = 0;
  while (pair.tables.bucketCount(pair.table) < 64 || pair.direction() !== "growing") pair.insert(`k${next++}`);
  for (let index = 0; index < 20; index++) pair.insert(`k${next++}`);
  let first = 0;
  while (pair.direction() !== "shrinking") pair.remove(`k${first++}`);
  pair.check();
  while (pair.direction() !== "growing") pair.insert(`k${next++}`);
  pair.check();
  while (pair.model.size > 0) pair.remove(`k${first++}`);
  while (pair.tables.advance(pair.table, 100));
  pair.check();
  assert.ok(pair.tables.bucketCount(pair.table) <= 8);
});

test("a table that was filled and emptied gives all its memory back", () => {
  const pair = new Pair(new BadHash(0x3f));
  for (let index = 0; index < 3000; index++) pair.insert(`k${index}`);
  for (let index = 0; index < 3000; index++) pair.remove(`k${index}`);
  while (pair.tables.advance(pair.table, 1000));
  pair.tables.destroy(pair.table);
  pair.arena.verify();
  assert.equal(pair.arena.usedBytes, 0);
});

test("destroy frees the overflow buckets of a table with records", () => {
  const pair = new Pair(new BadHash(3));
  for (let index = 0; index < 200; index++) pair.insert(`k${index}`);
  assert.ok(pair.tables.statistics(pair.table).overflowBuckets > 0);
  for (const record of pair.model.values()) pair.arena.free(record);
  pair.tables.destroy(pair.table);
  assert.equal(pair.arena.usedBytes, 0);
});

test("expand makes the room at once, and only in an empty table", () => {
  const pair = new Pair();
  pair.tables.expand(pair.table, 5000);
  const buckets = pair.tables.bucketCount(pair.table);
  assert.ok(buckets * 9 >= 5000 && buckets * 9 < 10_000);
  for (let index = 0; index < 5000; index++) pair.insert(`k${index}`);
  assert.equal(pair.tables.bucketCount(pair.table), buckets);
  pair.check();
  assert.throws(() => pair.tables.expand(pair.table, 10_000), /holds records/);
});

test("readChain gives every record once, chain by chain, and appends where it is told", () => {
  const pair = new Pair(new BadHash(0x7));
  for (let index = 0; index < 500; index++) pair.insert(`k${index}`);
  const list = new RecordList();
  let count = 0;
  for (let bucket = 0; bucket < pair.tables.bucketCount(pair.table); bucket++) {
    count = pair.tables.readChain(pair.tables.bucketAt(pair.table, bucket), list, count);
  }
  assert.deepEqual(new Set(list.records.subarray(0, count)), new Set(pair.model.values()));
  assert.equal(count, pair.model.size);
  const lengths = pair.tables.chainLengths(pair.table);
  assert.equal(
    lengths.reduce((sum, chains, length) => sum + chains * length, 0),
    500,
  );
});

// ---- scan ---------------------------------------------------------------------------------------------------------

/** Keys that a scan step shows. */
function scanStep(pair: Pair, cursor: number, seen: (key: string) => void): number {
  const list = new RecordList();
  return pair.tables.scan(pair.table, cursor, (home) => {
    const count = pair.tables.readChain(home, list);
    for (let index = 0; index < count; index++) seen(pair.key(list.records[index]!));
  });
}

test("a scan sees every key that is there from its first call to its last, whatever the table does meanwhile", () => {
  const change = fc.record({ isInsert: fc.boolean(), from: fc.nat(1500), count: fc.nat(400), advance: fc.nat(8) });
  fc.assert(
    fc.property(
      fc.nat(700),
      fc.nat(60),
      fc.array(change, { maxLength: 60 }),
      fc.constantFrom(-1, 0x3f, 0x80000007 | 0),
      (volatileCount, stableCount, changes, mask) => {
        const pair = new Pair(new BadHash(mask));
        for (let index = 0; index < volatileCount; index++) pair.insert(`v${index}`);
        for (let index = 0; index < stableCount; index++) pair.insert(`s${index}`);
        const seen = new Set<string>();
        let cursor = 0;
        let calls = 0;
        do {
          cursor = scanStep(pair, cursor, (key) => {
            assert.ok(pair.model.has(key), `${key} is not there (any more)`);
            seen.add(key);
          });
          assert.ok(cursor >= 0 && cursor <= 0xffffffff);
          assert.ok(++calls < 10_000, "the scan does not end");
          const next = changes[calls - 1];
          if (next === undefined) continue;
          for (let index = next.from; index < next.from + next.count; index++) {
            if (next.isInsert) pair.insert(`v${index}`);
            else pair.remove(`v${index}`);
          }
          pair.tables.advance(pair.table, next.advance);
        } while (cursor !== 0);
        for (let index = 0; index < stableCount; index++) assert.ok(seen.has(`s${index}`), `s${index} was not seen`);
      },
    ),
    { numRuns: 150 },
  );
});

test("a scan of a table at rest sees every key exactly once", () => {
  for (const count of [0, 1, 11, 36, 37, 100, 1000]) {
    const pair = new Pair();
    for (let index = 0; index < count; index++) pair.insert(`k${index}`);
    const seen: string[] = [];
    let cursor = 0;
    do cursor = scanStep(pair, cursor, (key) => seen.push(key));
    while (cursor !== 0);
    assert.equal(seen.length, count);
    assert.equal(new Set(seen).size, count);
  }
});

// ---- pick ---------------------------------------------------------------------------------------------------------

test("pick gives every record with about the same probability, also in the middle of growth", (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const pair = new Pair();
  for (let index = 0; index < 300 || pair.direction() !== "growing"; index++) pair.insert(`k${index}`);
  for (let index = 0; index < 10; index++) pair.insert(`more${index}`);
  const picks = 400 * pair.model.size;
  const counts = new Map<number, number>();
  for (let index = 0; index < picks; index++) {
    const record = pair.tables.pick(pair.table, () => random.uint32());
    counts.set(record, (counts.get(record) ?? 0) + 1);
  }
  assert.equal(counts.size, pair.model.size);
  // 400 expected, standard deviation 20: beyond seven of them by chance once in 10^9 tables.
  for (const count of counts.values()) assert.ok(Math.abs(count - 400) < 140, `${count} of 400`);
});

test("pick finds the one record of a large table, and none in an empty one", () => {
  const random = new SeededRandom(7);
  const pair = new Pair();
  assert.equal(
    pair.tables.pick(pair.table, () => random.uint32()),
    0,
  );
  pair.tables.expand(pair.table, 100_000);
  pair.insert("alone");
  for (let index = 0; index < 20; index++) {
    assert.equal(
      pair.tables.pick(pair.table, () => random.uint32()),
      pair.model.get("alone"),
    );
  }
});

// ---- memory that runs out -------------------------------------------------------------------------------------------

test("an insert that gets no memory leaves the table as it was, and the table goes on without growth", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.nat(12), fc.constantFrom(-1, 0x0f, 0), (steps, left, mask) => {
      const arena = new ExhaustingArena();
      const pair = new Pair(new BadHash(mask), arena);
      for (let index = 0; index < 60; index++) pair.insert(`k${index * 3}`);
      arena.failAfter(left);
      let next = 0;
      for (const { kind, key, count } of steps) {
        try {
          if (kind === "remove" || kind === "empty") {
            for (let index = 0; index < count; index++) pair.remove(`k${key + index}`);
          } else if (kind === "advance") {
            pair.tables.advance(pair.table, count);
          } else {
            for (let index = 0; index < count; index++) pair.insert(`new${next++}`);
          }
        } catch (error) {
          assert.ok(error instanceof ArenaExhausted, String(error));
        }
        pair.check();
      }
      arena.recover();
      for (let index = 0; index < 300; index++) pair.insert(`later${index}`);
      pair.check();
    }),
    { numRuns: 80 },
  );
});

test("two full chains are merged only when there is memory for the two buckets that this takes", () => {
  for (const [left, isMerged] of [
    [0, false],
    [1, false],
    [2, true],
  ] as const) {
    const arena = new ExhaustingArena();
    const pair = new Pair(new KeyHash(1, 2), arena);
    pair.tables.expand(pair.table, 72);
    pair.insert("one");
    pair.remove("one");
    assert.equal(pair.tables.bucketCount(pair.table), 8);
    assert.equal(pair.direction(), "shrinking");
    // Twelve keys each for bucket 3 and for bucket 7, which is merged into it first.
    const wanted = new Map([
      [3, 12],
      [7, 12],
    ]);
    for (let index = 0; pair.model.size < 24; index++) {
      const bytes = Buffer.from(`k${index}`);
      const bucket = pair.hash.hash(bytes, 0, bytes.length) & 7;
      const left = wanted.get(bucket) ?? 0;
      if (left > 0) pair.insert(`k${index}`);
      wanted.set(bucket, left - 1);
    }
    arena.failAfter(left);
    pair.tables.advance(pair.table, 1);
    pair.check();
    assert.equal(pair.tables.bucketCount(pair.table), isMerged ? 7 : 8);
    arena.recover();
    while (pair.tables.advance(pair.table, 1));
    pair.check();
  }
});
