/**
 * A keyspace beside the plain model that says what it must hold, and operations that go to both.
 *
 *      operation ──► keyspace ──┬── done ─────────────► model
 *                               └── ArenaExhausted ───► the model stays: so must the keyspace (its I3)
 *
 *  I1  check() asserts every invariant, equality with the model, and that no cell of the arena is lost.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { ArenaExhausted } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { RecordList } from "../encodings/hash-table.ts";
import { ExpiryCycle } from "./expiry-cycle.ts";
import { type Database, encodingOf, KEEP_EXPIRY, Keyspace, NO_EXPIRY } from "./keyspace.ts";
import { RECORD_EXTERNAL } from "./record.ts";

export const DATABASE_COUNT = 3;

/** A key's content, as text: value (latin1) and time, -1 for none. */
export interface Entry {
  readonly value: string;
  readonly expireAtMs: number;
}

/** A hash with so few results that chains overflow. */
class SmallHash extends KeyHash {
  override hash(bytes: Uint8Array, start: number, length: number): number {
    return super.hash(bytes, start, length) & 0x80000003;
  }
}

const LENGTHS = [0, 1, 3, 11, 12, 13, 31, 32, 44, 45, 100, 200, 230, 254, 255, 256, 257, 300, 511, 512, 1000, 2040];
const LONG_LENGTHS = [2047, 2048, 2049, 4095, 4096, 4097, 9000, 70_000];

export type Operation = {
  readonly kind: string;
  readonly database: number;
  readonly other: number;
  readonly key: number;
  readonly otherKey: number;
  readonly length: number;
  readonly amount: number;
};

const KINDS = [
  ...["set", "set", "set", "setKeeping", "setExpiring", "setExpiring", "add", "append", "truncate", "patch"],
  ...["expire", "expire", "persist", "rename", "rename", "renameSame", "copy", "move", "swap", "flush", "flushAll"],
  ...["reclaim", "delete", "delete", "wait", "cycle", "random", "look", "fill", "fill", "drain", "advance", "evict"],
];

/** Any operation; `kinds` narrows them down. */
export function operations(kinds: readonly string[] = KINDS): fc.Arbitrary<Operation> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    database: fc.nat(DATABASE_COUNT - 1),
    other: fc.nat(DATABASE_COUNT - 1),
    key: fc.nat(30),
    otherKey: fc.nat(30),
    length: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...LENGTHS) },
      { weight: 2, arbitrary: fc.constantFrom(...LONG_LENGTHS) },
    ),
    amount: fc.nat(200),
  });
}

export class Pair {
  readonly keyspace: Keyspace;
  readonly model: Map<string, Entry>[];
  /** The arena of the moment. */
  arena: ExhaustingArena;
  readonly cycle: ExpiryCycle;
  /** Keys that went by expiry and eviction, as onRemoval told. */
  readonly removals: string[] = [];
  private mark = 0;

  constructor(options: { hasBadHash?: boolean } = {}) {
    const hash = options.hasBadHash === true ? new SmallHash(1, 2) : new KeyHash(1, 2);
    this.arena = new ExhaustingArena();
    let isFirst = true;
    this.keyspace = new Keyspace(hash, DATABASE_COUNT, () => {
      if (!isFirst) this.arena = new ExhaustingArena();
      isFirst = false;
      return this.arena;
    });
    this.keyspace.nowMs = 1_000_000;
    this.keyspace.clock.setNow(this.keyspace.nowMs);
    this.keyspace.onRemoval = (_database, record, reason) => {
      this.removals.push(`${reason} ${Buffer.from(this.keyspace.records.key(record)).toString("latin1")}`);
    };
    this.cycle = new ExpiryCycle(this.keyspace);
    this.model = Array.from({ length: DATABASE_COUNT }, () => new Map());
  }

  /** Runs one operation; false when there was no memory for it. */
  run(operation: Operation): boolean {
    try {
      this.apply(operation);
      return true;
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      return false;
    }
  }

  private apply(operation: Operation): void {
    const { keyspace } = this;
    const database = keyspace.databases[operation.database]!;
    const map = this.model[operation.database]!;
    const key = keyOf(operation.key);
    const name = key.toString("latin1");
    const current = this.visible(map, name);
    const find = (): number => keyspace.lookupWrite(database, key, 0, key.length);
    switch (operation.kind) {
      case "set":
        this.set(database, map, key, this.value(operation.length), NO_EXPIRY);
        break;
      case "setKeeping":
        this.set(database, map, key, this.value(operation.length), KEEP_EXPIRY);
        break;
      case "setExpiring":
        this.set(database, map, key, this.value(operation.length), keyspace.nowMs + operation.amount);
        break;
      case "add": {
        if (find() !== 0) break;
        const value = this.value(operation.length);
        const encoding = encodingOf(value, 0, value.length);
        const expireAtMs = operation.amount % 2 === 0 ? NO_EXPIRY : keyspace.nowMs + operation.amount;
        keyspace.addString(database, key, 0, key.length, value.length, encoding, expireAtMs);
        assert.equal(keyspace.valueLength, value.length);
        keyspace.valueBytes.set(value, keyspace.valueStart);
        map.set(name, { value: value.toString("latin1"), expireAtMs });
        break;
      }
      case "append":
      case "truncate":
      case "patch":
        if (current !== undefined) this.resize(operation, database, map, key, current);
        break;
      case "expire": {
        const record = find();
        if (record === 0) break;
        const expireAtMs = keyspace.nowMs + operation.amount;
        keyspace.setExpiry(database, record, expireAtMs);
        map.set(name, { value: current!.value, expireAtMs });
        break;
      }
      case "persist": {
        const record = find();
        if (record === 0) break;
        keyspace.setExpiry(database, record, NO_EXPIRY);
        map.set(name, { value: current!.value, expireAtMs: -1 });
        break;
      }
      case "rename":
      case "renameSame": {
        const record = find();
        if (record === 0) break;
        const target = operation.kind === "renameSame" ? key : keyOf(operation.otherKey);
        keyspace.rename(database, record, target, 0, target.length);
        map.delete(name);
        map.set(target.toString("latin1"), current!);
        break;
      }
      case "copy": {
        const record = find();
        if (record === 0) break;
        const target = keyOf(operation.otherKey);
        keyspace.copy(record, keyspace.databases[operation.other]!, target, 0, target.length);
        this.model[operation.other]!.set(target.toString("latin1"), current!);
        break;
      }
      case "move": {
        const to = keyspace.databases[operation.other]!;
        if (to === database || keyspace.lookupWrite(to, key, 0, key.length) !== 0) break;
        const record = find();
        if (record === 0) break;
        keyspace.moveTo(database, record, to);
        map.delete(name);
        this.model[operation.other]!.set(name, current!);
        break;
      }
      case "swap": {
        keyspace.swap(database, keyspace.databases[operation.other]!);
        this.model[operation.database] = this.model[operation.other]!;
        this.model[operation.other] = map;
        break;
      }
      case "flush":
        keyspace.flush(database);
        map.clear();
        break;
      case "flushAll":
        if (operation.amount > 60) break;
        keyspace.flushAll();
        for (const each of this.model) each.clear();
        break;
      case "reclaim":
        keyspace.reclaim(operation.amount);
        break;
      case "delete":
        assert.equal(keyspace.delete(database, key, 0, key.length), current !== undefined);
        map.delete(name);
        break;
      case "wait":
        keyspace.nowMs += operation.amount;
        keyspace.clock.setNow(keyspace.nowMs);
        break;
      case "cycle":
        this.cycle.slice(() => operation.amount % 3 === 0);
        break;
      case "random": {
        const record = keyspace.randomKey(database, () => (operation.amount * 2654435761) >>> 0);
        if (record !== 0) assert.ok(this.visible(map, Buffer.from(keyspace.records.key(record)).toString("latin1")));
        break;
      }
      case "look":
        this.look(database, key, current);
        break;
      case "fill":
        for (let index = 0; index < operation.amount; index++) {
          this.set(database, map, Buffer.from(`fill${operation.key + index}`), this.value(index % 9), NO_EXPIRY);
        }
        break;
      case "drain":
        for (let index = 0; index < operation.amount; index++) {
          const each = `fill${operation.key + index}`;
          keyspace.delete(database, Buffer.from(each), 0, each.length);
          map.delete(each);
        }
        break;
      case "advance":
        for (const table of [database.table, database.expires]) keyspace.tables.advance(table, operation.amount);
        break;
      case "evict": {
        const record = keyspace.tables.pick(database.table, () => (operation.amount * 2654435761) >>> 0);
        if (record === 0) break;
        const evicted = Buffer.from(keyspace.records.key(record)).toString("latin1");
        keyspace.evict(database, record);
        map.delete(evicted);
        break;
      }
      default:
        assert.fail(operation.kind);
    }
  }

  /** SETRANGE and APPEND as the commands do them: room, kept bytes, the rest filled in. */
  private resize(operation: Operation, database: Database, map: Map<string, Entry>, key: Buffer, current: Entry): void {
    const { keyspace } = this;
    const record = keyspace.lookupWrite(database, key, 0, key.length);
    const before = current.value.length;
    const length =
      operation.kind === "append"
        ? before + (operation.length % 500)
        : operation.kind === "truncate"
          ? Math.floor((before * operation.amount) / 200)
          : before;
    const keptBytes = operation.kind === "patch" ? Math.floor(before / 2) : Math.min(before, length);
    const roomBytes = operation.amount % 2 === 0 ? length : Keyspace.growthRoom(length);
    const resized = keyspace.resizeValue(database, record, length, keptBytes, roomBytes);
    assert.equal(keyspace.valueLength, length);
    const rest = this.value(length - keptBytes, false);
    keyspace.valueBytes.set(rest, keyspace.valueStart + keptBytes);
    keyspace.setEncoding(resized, encodingOf(keyspace.valueBytes, keyspace.valueStart, length));
    map.set(key.toString("latin1"), {
      value: current.value.slice(0, keptBytes) + rest.toString("latin1"),
      expireAtMs: current.expireAtMs,
    });
  }

  set(database: Database, map: Map<string, Entry>, key: Buffer, value: Buffer, expireAtMs: number): void {
    const name = key.toString("latin1");
    const kept = this.visible(map, name)?.expireAtMs ?? -1;
    this.keyspace.setString(database, key, 0, key.length, value, 0, value.length, expireAtMs);
    const nextMs = expireAtMs === KEEP_EXPIRY ? kept : expireAtMs;
    map.set(name, { value: value.toString("latin1"), expireAtMs: nextMs });
  }

  private look(database: Database, key: Buffer, current: Entry | undefined): void {
    const { keyspace } = this;
    const { hits, misses } = keyspace.statistics;
    const record = keyspace.lookupRead(database, key, 0, key.length);
    assert.equal(record !== 0, current !== undefined);
    assert.equal(keyspace.statistics.hits - hits, record === 0 ? 0 : 1);
    assert.equal(keyspace.statistics.misses - misses, record === 0 ? 1 : 0);
    assert.equal(keyspace.has(database, key, 0, key.length), record !== 0);
    assert.equal(keyspace.lookupQuietly(database, key, 0, key.length), record);
    if (record !== 0) assert.deepEqual(entryOf(keyspace, record), current);
  }

  /** What the model holds under `name` at this moment. */
  private visible(map: Map<string, Entry>, name: string): Entry | undefined {
    const entry = map.get(name);
    if (entry === undefined || !this.isOver(entry)) return entry;
    map.delete(name);
    return undefined;
  }

  private isOver(entry: Entry): boolean {
    return entry.expireAtMs >= 0 && this.keyspace.nowMs > entry.expireAtMs;
  }

  /** A value that no other operation wrote; now and then a number. */
  private value(length: number, mayBeNumber = true): Buffer {
    this.mark++;
    if (mayBeNumber && length > 0 && length < 20 && this.mark % 3 === 0) {
      return Buffer.from(String(10 ** (length - 1) + (this.mark % 10)).slice(0, length));
    }
    const value = Buffer.alloc(length, this.mark & 255);
    if (length >= 4) value.writeUInt32LE(this.mark);
    return value;
  }

  /** What the model says, without what is over. */
  expected(): Map<string, Entry>[] {
    return this.model.map((map) => new Map([...map].filter(([, entry]) => !this.isOver(entry))));
  }

  /** Asserts everything (I1). */
  check(): void {
    const { keyspace } = this;
    keyspace.verify();
    const held = contentOf(keyspace).map((map) => new Map([...map].filter(([, entry]) => !this.isOver(entry))));
    assert.deepEqual(held, this.expected());
    if (keyspace.pendingReclaims() === 0) assert.equal(keyspace.arena.usedBytes, accountedBytes(keyspace));
  }
}

/** Keys of many lengths: empty, binary, longer than an inline value, longer than a slab's cell. */
function keyOf(number: number): Buffer {
  if (number === 0) return Buffer.alloc(0);
  if (number === 1) return Buffer.from([0, 255, 13, 10, 0]);
  if (number === 2) return Buffer.alloc(300, "k");
  if (number === 3) return Buffer.alloc(5000, "K");
  return Buffer.from(`key:${number}`);
}

function entryOf(keyspace: Keyspace, record: number): Entry {
  keyspace.readValue(record);
  const { valueBytes, valueStart, valueLength } = keyspace;
  const bytes = Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength));
  assert.equal(keyspace.records.valueLength(record), valueLength);
  assert.equal(keyspace.records.encoding(record), encodingOf(bytes, 0, bytes.length));
  return { value: bytes.toString("latin1"), expireAtMs: keyspace.records.expireAtMs(record) };
}

/** All that stands in the tables, expired keys too: a map for each database. */
export function contentOf(keyspace: Keyspace): Map<string, Entry>[] {
  const list = new RecordList();
  return keyspace.databases.map(({ table }) => {
    const map = new Map<string, Entry>();
    for (let bucket = 0; bucket < keyspace.tables.bucketCount(table); bucket++) {
      const count = keyspace.tables.readChain(keyspace.tables.bucketAt(table, bucket), list);
      for (let index = 0; index < count; index++) {
        const record = list.records[index]!;
        const key = Buffer.from(keyspace.records.key(record)).toString("latin1");
        assert.ok(!map.has(key), "a key stands twice");
        map.set(key, entryOf(keyspace, record));
      }
    }
    assert.equal(map.size, keyspace.tables.count(table));
    return map;
  });
}

/** Bytes of all cells that the databases account for. */
function accountedBytes(keyspace: Keyspace): number {
  const { arena, records, tables } = keyspace;
  const list = new RecordList();
  let bytes = 0;
  for (const { table, expires } of keyspace.databases) {
    bytes += tables.statistics(table).bytes + tables.statistics(expires).bytes;
    for (let bucket = 0; bucket < tables.bucketCount(table); bucket++) {
      const count = tables.readChain(tables.bucketAt(table, bucket), list);
      for (let index = 0; index < count; index++) {
        const record = list.records[index]!;
        bytes += arena.capacity(record);
        if ((records.flags(record) & RECORD_EXTERNAL) !== 0) bytes += arena.capacity(records.externalAddress(record));
      }
    }
  }
  return bytes;
}
