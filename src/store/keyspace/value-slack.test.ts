/** Values that keep slack before themselves in their cell (record.ts), against an array of bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { Arena, ArenaExhausted } from "../arena/arena.ts";
import { type Database, Keyspace, NO_EXPIRY } from "./keyspace.ts";
import { ENCODING_LISTPACK, extentSlack, TYPE_LIST } from "./record.ts";

const KEY = new TextEncoder().encode("key");
const OTHER_KEY = new TextEncoder().encode("a longer name of the same key");

/** Gives no more memory while `isFull`. */
class LimitedArena extends Arena {
  isFull = false;

  override allocate(bytes: number): number {
    if (this.isFull) throw new ArenaExhausted("no memory, as the test says");
    return super.allocate(bytes);
  }
}

class Pair {
  readonly arena = new LimitedArena();
  readonly keyspace: Keyspace;
  readonly database: Database;
  private model: number[] = [];
  private key = KEY;
  private written = 0;

  constructor(length: number) {
    this.keyspace = new Keyspace(new KeyHash(1, 2), 1, () => this.arena);
    this.database = this.keyspace.databases[0]!;
    assert.equal(this.find(), 0);
    this.keyspace.addValue(this.database, KEY, 0, KEY.length, TYPE_LIST, ENCODING_LISTPACK, length, NO_EXPIRY);
    this.fill(0, length);
  }

  /** Writes `length` new bytes at `offset`, where the model gets them, too. */
  private fill(offset: number, length: number): void {
    const bytes = Array.from({ length }, () => this.written++ & 255);
    this.keyspace.valueBytes.set(bytes, this.keyspace.valueStart + offset);
    this.model.splice(offset, 0, ...bytes);
  }

  find(): number {
    const { keyspace, database, key } = this;
    return keyspace.lookupWrite(database, key, 0, key.length);
  }

  slack(): number {
    const { records } = this.keyspace;
    const record = this.find();
    return records.flags(record) < 0 ? extentSlack(records.extent(record)) : 0;
  }

  /** Where the byte at `offset` lies. */
  placeOf(offset: number): number {
    this.keyspace.readValue(this.find());
    return this.keyspace.valueStart + offset;
  }

  get length(): number {
    return this.model.length;
  }

  splice(offset: number, removed: number, inserted: number): void {
    const { keyspace, model } = this;
    const from = Math.min(offset < 0 ? Math.max(model.length + offset, 0) : offset, model.length);
    const gone = Math.min(removed, model.length - from);
    if (model.length - gone + inserted === 0) return;
    const record = this.find();
    try {
      keyspace.spliceValue(this.database, record, from, gone, inserted);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      return;
    }
    model.splice(from, gone);
    this.fill(from, inserted);
  }

  change(name: string): void {
    const { keyspace, database, key } = this;
    const record = this.find();
    try {
      if (name === "expire") keyspace.setExpiry(database, record, 5000);
      else if (name === "persist") keyspace.setExpiry(database, record, NO_EXPIRY);
      else if (name === "relocate") keyspace.relocate(database, record, 1.1);
      else if (name === "cut") {
        const kept = Math.ceil(this.length / 2);
        keyspace.resizeValue(database, record, kept, kept, kept);
        this.model.length = kept;
      } else if (name === "rename") {
        const target = key === KEY ? OTHER_KEY : KEY;
        keyspace.rename(database, record, target, 0, target.length);
        this.key = target;
      } else this.arena.isFull = name === "full";
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
    }
  }

  check(): void {
    const { keyspace } = this;
    keyspace.verify();
    const record = this.find();
    keyspace.readValue(record);
    const { valueBytes, valueStart, valueLength } = keyspace;
    assert.deepEqual([...valueBytes.subarray(valueStart, valueStart + valueLength)], this.model);
    assert.equal(keyspace.records.valueLength(record), this.model.length);
  }
}

const splices = fc.tuple(
  fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: -12, max: -1 }), fc.integer({ min: 0, max: 3000 })),
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2000 })),
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2500 })),
);
const changes = fc.constantFrom("expire", "persist", "relocate", "cut", "rename", "full", "not full");

test("bytes that come and go anywhere in a value are there as in an array, whatever else is done to its record", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6000 }),
      fc.array(fc.oneof({ arbitrary: splices, weight: 4 }, changes), { maxLength: 40 }),
      (length, steps) => {
        const pair = new Pair(length);
        for (const step of steps) {
          if (typeof step === "string") pair.change(step);
          else pair.splice(...step);
          pair.check();
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("what is pushed and popped near the front of a long value mostly leaves the rest where it is", () => {
  const pair = new Pair(1500);
  let moves = 0;
  let pushes = 0;
  while (pair.length < 3000) {
    const before = pair.placeOf(6);
    pair.splice(6, 0, 5);
    if (pair.placeOf(11) !== before) moves++;
    pushes++;
    pair.check();
  }
  assert.ok(moves * 4 < pushes, `${moves} of ${pushes} pushes moved the rest`);
  assert.ok(pair.slack() > 0);
  for (let pops = 0; pops < 20; pops++) {
    const before = pair.placeOf(11);
    pair.splice(6, 5, 0);
    assert.equal(pair.placeOf(6), before);
  }
  pair.check();
});

test("a value that is pushed at one end and popped at the other stays in its cell", () => {
  const pair = new Pair(1500);
  for (let turn = 0; turn < 2000; turn++) {
    pair.splice(pair.length - 1, 0, 5);
    pair.splice(6, 5, 0);
    if (turn % 50 === 0) pair.check();
  }
  const { keyspace } = pair;
  assert.ok(keyspace.arena.capacity(keyspace.records.externalAddress(pair.find())) <= 2048);
  pair.check();
});
