/**
 * Hashes and sets beside plain maps, and operations that go to both.
 *
 *      operation ──► keyspace ──┬── done ─────────────► model
 *                               └── ArenaExhausted ───► the model stays: so must the keyspace
 *
 *  I1  check() asserts every invariant, equality with the model, and that no cell of the arena is lost.
 *  I2  A set's members are kept in the model as fields without a value.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { ArenaExhausted } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { RecordList } from "../encodings/hash-table.ts";
import { type Database, Keyspace, NO_EXPIRY } from "../keyspace/keyspace.ts";
import { ENCODING_HASHTABLE, RECORD_EXTERNAL, TYPE_HASH, TYPE_SET, TYPE_STRING } from "../keyspace/record.ts";
import { HashBuilder } from "./hash-builder.ts";
import { SetBuilder } from "./set-builder.ts";

/** Operations of which each is done wholly or not at all. */
export const KINDS = [
  ...["hset", "hset", "hset", "hset", "hdel", "hdel", "hdelAny", "htable", "hbuild"],
  ...["sadd", "sadd", "sadd", "sadd", "srem", "srem", "spop", "spop", "take", "leave", "stable", "sbuild"],
  ...["abandon", "delete", "rename", "copy", "setString", "expire", "persist", "move", "flush", "reclaim", "relocate"],
];

export interface TableOperation {
  readonly kind: string;
  readonly key: number;
  readonly otherKey: number;
  readonly element: number;
  readonly length: number;
  readonly amount: number;
}

export function tableOperations(kinds: readonly string[] = KINDS): fc.Arbitrary<TableOperation> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    key: fc.nat(3),
    otherKey: fc.nat(3),
    element: fc.oneof({ weight: 4, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.nat(90) }),
    length: fc.constantFrom(0, 1, 2, 3, 10, 12, 20, 21, 40, 100, 254, 255, 256, 300, 2048, 2049, 5000),
    amount: fc.nat(70),
  });
}

const ODD_ELEMENTS = [
  ...["", "-1", "007", "-0", "32767", "-32768", "32768", "-32769", "2147483647", "2147483648", "-2147483649"],
  ...["9007199254740991", "9007199254740993", "-9007199254740992", "9223372036854775807", "-9223372036854775808"],
  ...["9223372036854775808", "\x00\xff\r\n", "word", "a".repeat(20), "b".repeat(21), "c".repeat(63), "d".repeat(64)],
  ...["e".repeat(300), "f".repeat(5000), "1".repeat(19), "1.5", "+1"],
];

/** Numbers up to 59, then elements at the borders of what encodings hold. */
export function elementOf(number: number): string {
  return number < 60 ? String(number - 20) : ODD_ELEMENTS[(number - 60) % ODD_ELEMENTS.length]!;
}

interface ModelKey {
  readonly type: number;
  readonly fields: Map<string, string>;
  expireAtMs: number;
}

export class TablePair {
  readonly keyspace: Keyspace;
  arena: ExhaustingArena;
  readonly model: Map<string, ModelKey>;
  private seed = 1;

  constructor(hasSmallLimits = true) {
    this.arena = new ExhaustingArena();
    let isFirst = true;
    this.keyspace = new Keyspace(new KeyHash(1, 2), 2, () => {
      if (!isFirst) this.arena = new ExhaustingArena();
      isFirst = false;
      return this.arena;
    });
    this.keyspace.nowMs = 1_000_000;
    this.model = new Map();
    if (!hasSmallLimits) return;
    const limits = this.keyspace.encodingLimits;
    limits.hashListpackEntries = 6;
    limits.hashListpackBytes = 20;
    limits.setIntsetEntries = 8;
    limits.setListpackEntries = 5;
    limits.setListpackBytes = 20;
  }

  readonly random = (): number => {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return ((this.seed >>> 16) | (this.seed << 16)) >>> 0;
  };

  private get database(): Database {
    return this.keyspace.databases[0]!;
  }

  /** Runs one operation; false when there was no memory for it. */
  run(operation: TableOperation): boolean {
    try {
      this.apply(operation);
      return true;
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      return false;
    }
  }

  private apply(operation: TableOperation): void {
    const { keyspace, database, model } = this;
    const name = `key:${operation.key}`;
    const key = Buffer.from(name);
    const held = model.get(name);
    const record = keyspace.lookupWrite(database, key, 0, key.length);
    assert.equal(record !== 0, held !== undefined);
    const { kind } = operation;
    if (kind === "delete") {
      assert.equal(keyspace.delete(database, key, 0, key.length), model.delete(name));
    } else if (kind === "setString") {
      const value = Buffer.alloc(operation.length, "s");
      keyspace.setString(database, key, 0, key.length, value, 0, value.length, NO_EXPIRY);
      model.set(name, {
        type: TYPE_STRING,
        fields: new Map([["", value.toString("latin1")]]),
        expireAtMs: NO_EXPIRY,
      });
    } else if (kind === "flush") {
      if (operation.amount > 60) {
        keyspace.flushAll();
        model.clear();
      }
    } else if (kind === "reclaim") {
      keyspace.reclaim(operation.amount);
    } else if (kind === "relocate") {
      this.relocate();
    } else if (kind === "abandon") {
      this.build(operation, false);
    } else if (kind === "hbuild" || kind === "sbuild") {
      this.build(operation, true);
    } else if (record !== 0 && ["rename", "copy", "move", "expire", "persist"].includes(kind)) {
      this.applyToKey(operation, name, record);
    } else if (kind[0] === "h" && (held === undefined || held.type === TYPE_HASH)) {
      this.applyToHash(operation, name, record);
    } else if (held === undefined || held.type === TYPE_SET) {
      this.applyToSet(operation, name, record);
    }
  }

  private applyToKey(operation: TableOperation, name: string, record: number): void {
    const { keyspace, database, model } = this;
    const held = model.get(name)!;
    const otherName = `key:${operation.otherKey}`;
    const other = Buffer.from(otherName);
    if (operation.kind === "rename") {
      keyspace.rename(database, record, other, 0, other.length);
      model.delete(name);
      model.set(otherName, held);
    } else if (operation.kind === "copy") {
      keyspace.copy(record, database, other, 0, other.length);
      if (otherName !== name) model.set(otherName, { ...held, fields: new Map(held.fields) });
    } else if (operation.kind === "expire") {
      keyspace.setExpiry(database, record, 2_000_000);
      held.expireAtMs = 2_000_000;
    } else if (operation.kind === "persist") {
      keyspace.setExpiry(database, record, NO_EXPIRY);
      held.expireAtMs = NO_EXPIRY;
    } else {
      // There and back: the other database is empty.
      const key = Buffer.from(name);
      const elsewhere = keyspace.databases[1]!;
      keyspace.moveTo(database, record, elsewhere);
      const moved = keyspace.lookupWrite(elsewhere, key, 0, key.length);
      try {
        keyspace.moveTo(elsewhere, moved, database);
      } catch (error) {
        this.arena.recover();
        keyspace.moveTo(elsewhere, keyspace.lookupWrite(elsewhere, key, 0, key.length), database);
        throw error;
      }
    }
  }

  private applyToHash(operation: TableOperation, name: string, record: number): void {
    const { keyspace, database, model } = this;
    const { hashes } = keyspace;
    const text = elementOf(operation.element);
    const field = Buffer.from(text, "latin1");
    const key = Buffer.from(name);
    const held = model.get(name);
    if (operation.kind === "hset") {
      const value = Buffer.alloc(operation.length, "v");
      if (operation.length === 2) value.fill("7");
      const written = value.toString("latin1");
      if (record === 0) {
        hashes.add(database, key, 0, key.length, field, 0, field.length, value, 0, value.length);
        model.set(name, { type: TYPE_HASH, fields: new Map([[text, written]]), expireAtMs: NO_EXPIRY });
      } else {
        const isNew = hashes.set(database, record, field, 0, field.length, value, 0, value.length);
        assert.equal(isNew, !held!.fields.has(text));
        held!.fields.set(text, written);
      }
      return;
    }
    if (record === 0) return;
    const { fields } = held!;
    if (operation.kind === "htable") {
      hashes.turnIntoTable(database, record, operation.amount);
      assert.equal(keyspace.records.encoding(hashes.record), ENCODING_HASHTABLE);
    } else {
      const gone = operation.kind === "hdel" ? text : [...fields.keys()][operation.amount % fields.size]!;
      const bytes = Buffer.from(gone, "latin1");
      assert.equal(hashes.remove(database, record, bytes, 0, bytes.length), fields.delete(gone));
      this.deleteEmpty(name, hashes.record, hashes.isEmpty(hashes.record));
    }
  }

  private applyToSet(operation: TableOperation, name: string, record: number): void {
    const { keyspace, database, model } = this;
    const { sets } = keyspace;
    const text = elementOf(operation.element);
    const member = Buffer.from(text, "latin1");
    const key = Buffer.from(name);
    const held = model.get(name);
    if (operation.kind === "sadd") {
      if (record === 0) {
        sets.make(database, key, 0, key.length, member, 0, member.length, 1 + (operation.amount % 10));
        model.set(name, { type: TYPE_SET, fields: new Map([[text, ""]]), expireAtMs: NO_EXPIRY });
      } else {
        assert.equal(sets.add(database, record, member, 0, member.length), !held!.fields.has(text));
        held!.fields.set(text, "");
      }
      return;
    }
    if (record === 0) return;
    const { fields } = held!;
    if (operation.kind === "srem") {
      assert.equal(sets.remove(database, record, member, 0, member.length), fields.delete(text));
    } else if (operation.kind === "spop") {
      sets.pick(record, this.random);
      const picked = latin1(sets.valueBytes, sets.valueStart, sets.valueLength);
      if (operation.amount % 2 === 0) sets.removePicked(database, record);
      else sets.removeToken(database, record, sets.token);
      assert.ok(fields.delete(picked), "what was picked was there");
    } else if (operation.kind === "stable") {
      sets.prepare(database, record, operation.amount);
    } else if (operation.kind === "take") {
      this.take(operation, record, fields);
    } else if (operation.kind === "leave" && keyspace.records.encoding(record) === ENCODING_HASHTABLE) {
      this.leave(operation, record, fields);
      return;
    } else {
      return;
    }
    this.deleteEmpty(name, sets.record, sets.isEmpty(sets.record));
  }

  private take(operation: TableOperation, record: number, fields: Map<string, string>): void {
    const { sets } = this.keyspace;
    let takenCount = 0;
    sets.startTaking(record);
    for (let index = 0; sets.next(); index++) {
      const member = latin1(sets.valueBytes, sets.valueStart, sets.valueLength);
      if ((index * 7 + operation.amount) % 3 === 0) {
        sets.take(record);
        takenCount++;
        assert.ok(fields.delete(member));
      } else {
        sets.keep();
      }
    }
    sets.endTaking(this.database, record, takenCount);
  }

  private leave(operation: TableOperation, record: number, fields: Map<string, string>): void {
    const { sets } = this.keyspace;
    const tokens: number[] = [];
    const left = new Set<string>();
    sets.startWalk(record);
    for (let index = 0; sets.next(); index++) {
      if (index !== 0 && (index + operation.amount) % 4 !== 0) continue;
      tokens.push(sets.token);
      left.add(latin1(sets.valueBytes, sets.valueStart, sets.valueLength));
    }
    sets.leaveOnly(record, tokens);
    for (const member of [...fields.keys()]) if (!left.has(member)) fields.delete(member);
  }

  private deleteEmpty(name: string, record: number, isEmpty: boolean): void {
    assert.equal(isEmpty, this.model.get(name)!.fields.size === 0);
    if (!isEmpty) return;
    this.keyspace.deleteRecord(this.database, record);
    this.model.delete(name);
  }

  /** A value of some elements under the key, whatever it held. */
  private build(operation: TableOperation, isPut: boolean): void {
    const { keyspace, database, model } = this;
    const isHash = operation.kind === "hbuild" || operation.element % 2 === 0;
    const hashBuilder = new HashBuilder(keyspace);
    const setBuilder = new SetBuilder(keyspace);
    const builder = isHash ? hashBuilder : setBuilder;
    const fields = new Map<string, string>();
    const name = `key:${operation.key}`;
    const key = Buffer.from(name);
    const expireAtMs = operation.otherKey === 0 ? 3_000_000 : NO_EXPIRY;
    try {
      builder.begin(operation.amount % 12);
      for (let index = 0; index <= operation.amount % 13; index++) {
        const text = elementOf(operation.element + index * (1 + (operation.amount % 3)));
        const bytes = Buffer.from(text, "latin1");
        const value = Buffer.alloc(operation.length, "b");
        const isNew = isHash
          ? hashBuilder.addField(bytes, 0, bytes.length, value, 0, value.length)
          : setBuilder.addMember(bytes, 0, bytes.length);
        assert.equal(isNew, !fields.has(text));
        fields.set(text, isHash ? value.toString("latin1") : "");
        assert.equal(builder.count, fields.size);
      }
      if (!isPut) return;
      builder.put(database, key, 0, key.length, expireAtMs);
      model.set(name, { type: isHash ? TYPE_HASH : TYPE_SET, fields, expireAtMs });
    } finally {
      builder.abandon();
    }
  }

  private relocate(): void {
    const { keyspace, database } = this;
    for (const name of this.model.keys()) {
      const key = Buffer.from(name);
      keyspace.relocate(database, keyspace.lookupSilently(database, key), 0.99);
    }
  }

  // ---- checking ---------------------------------------------------------------------------------------------------------

  check(): void {
    const { keyspace, database } = this;
    keyspace.verify();
    assert.equal(keyspace.keyCount(database), this.model.size);
    for (const [name, held] of this.model) {
      const key = Buffer.from(name);
      const record = keyspace.lookupRead(database, key, 0, key.length);
      assert.notEqual(record, 0, `${name} is there`);
      assert.equal(keyspace.records.type(record), held.type);
      assert.equal(keyspace.records.expireAtMs(record), held.expireAtMs);
      if (held.type !== TYPE_STRING) this.checkElements(record, held);
    }
    if (keyspace.pendingReclaims() === 0) assert.equal(keyspace.arena.usedBytes, accountedBytes(keyspace));
  }

  private checkElements(record: number, held: ModelKey): void {
    const { hashes, sets } = this.keyspace;
    const values = held.type === TYPE_HASH ? hashes : sets;
    assert.equal(values.count(record), held.fields.size);
    const seen = new Map<string, string>();
    values.startWalk(record);
    while (values.next()) {
      const value = latin1(values.valueBytes, values.valueStart, values.valueLength);
      const element =
        held.type === TYPE_HASH ? latin1(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength) : value;
      assert.ok(!seen.has(element), "an element comes once");
      seen.set(element, held.type === TYPE_HASH ? value : "");
    }
    assert.deepEqual(new Map([...seen].sort()), new Map([...held.fields].sort()));
    for (let number = 0; number < 90; number++) {
      const text = elementOf(number);
      const bytes = Buffer.from(text, "latin1");
      const isThere =
        held.type === TYPE_HASH
          ? hashes.find(record, bytes, 0, bytes.length)
          : sets.has(record, bytes, 0, bytes.length);
      assert.equal(isThere, held.fields.has(text));
    }
  }
}

function latin1(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.subarray(start, start + length)).toString("latin1");
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
        if ((records.flags(record) & RECORD_EXTERNAL) === 0) continue;
        const cell = records.externalAddress(record);
        if (records.isStructure(record)) bytes += keyspace.structureOf(records.type(record)).cellBytes(cell, 0);
        else bytes += arena.capacity(cell);
      }
    }
  }
  return bytes;
}
