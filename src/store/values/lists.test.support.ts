/**
 * Lists beside plain arrays, and operations that go to both.
 *
 *      operation ──► lists ──┬── done ─────────────► arrays
 *                            └── ArenaExhausted ───► the arrays stay: so must the lists
 *
 *  I1  check() asserts every invariant, equality with the arrays, and that no cell of the arena is lost.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { ArenaExhausted } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { RecordList } from "../encodings/hash-table.ts";
import { type Database, Keyspace } from "../keyspace/keyspace.ts";
import { RECORD_EXTERNAL, TYPE_LIST } from "../keyspace/record.ts";

const KINDS = [
  ...["push", "push", "push", "push", "pushMany", "pop", "popMany", "set", "set", "insert", "insert", "insert"],
  ...[
    "removeEqual",
    "trim",
    "rotate",
    "move",
    "copy",
    "rename",
    "expire",
    "delete",
    "relocate",
    "setString",
    "reclaim",
  ],
];

export interface ListOperation {
  readonly kind: string;
  readonly key: number;
  readonly otherKey: number;
  readonly isHead: boolean;
  readonly isAfter: boolean;
  readonly index: number;
  readonly count: number;
  /** Lengths of elements; a number of 0 to 9 digits when `isNumber`. */
  readonly length: number;
  readonly isNumber: boolean;
}

export function listOperations(kinds: readonly string[] = KINDS): fc.Arbitrary<ListOperation> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    key: fc.nat(2),
    otherKey: fc.nat(2),
    isHead: fc.boolean(),
    isAfter: fc.boolean(),
    index: fc.nat(400),
    count: fc.oneof({ weight: 4, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(120) }),
    length: fc.oneof(
      { weight: 10, arbitrary: fc.nat(12) },
      { weight: 4, arbitrary: fc.constantFrom(31, 63, 64, 65, 126, 127, 128, 300, 900) },
      { weight: 2, arbitrary: fc.constantFrom(2040, 4080, 4095, 4096, 4097, 8180, 8185, 8192, 9000) },
      { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 70_000) },
    ),
    isNumber: fc.boolean(),
  });
}

/** Limits under which lists run: list-max-listpack-size, and from which size an element is plain. */
export interface ListLimits {
  readonly nodeSize: number;
  readonly plainBytes: number;
}

export const LIST_LIMITS: readonly ListLimits[] = [
  { nodeSize: -2, plainBytes: 1 << 30 },
  { nodeSize: -1, plainBytes: 1 << 30 },
  { nodeSize: -5, plainBytes: 1 << 30 },
  { nodeSize: 3, plainBytes: 1 << 30 },
  { nodeSize: 1, plainBytes: 1 << 30 },
  { nodeSize: 16, plainBytes: 100 },
  { nodeSize: 128, plainBytes: 1 << 30 },
];

function keyOf(number: number): Buffer {
  return Buffer.from(["list", "other list", "a third one, whose name is longer than thirty-two bytes"][number]!);
}

export class ListPair {
  readonly arena: ExhaustingArena;
  readonly keyspace: Keyspace;
  readonly database: Database;
  readonly model: Map<string, string[]>;
  private readonly limits: ListLimits;
  private mark = 0;

  constructor(limits: ListLimits) {
    this.arena = new ExhaustingArena();
    this.keyspace = new Keyspace(new KeyHash(1, 2), 1, () => this.arena);
    this.keyspace.nowMs = 1_000_000;
    this.keyspace.encodingLimits.listNodeSize = limits.nodeSize;
    this.database = this.keyspace.databases[0]!;
    this.limits = limits;
    this.model = new Map();
  }

  find(key: number): number {
    const bytes = keyOf(key);
    this.keyspace.lists.prepare(this.limits.plainBytes);
    return this.keyspace.lookupWrite(this.database, bytes, 0, bytes.length);
  }

  /** Runs one operation; false when there was no memory for it. */
  run(operation: ListOperation): boolean {
    const before = this.mark;
    try {
      this.apply(operation);
      return true;
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      this.mark = before;
      return false;
    }
  }

  /** An element: of few different ones when it is short, so that searches find something. */
  private element(length: number, isNumber: boolean): string {
    this.mark++;
    if (isNumber) return String(((this.mark % 7) - 3) * 10 ** (length % 15));
    return String.fromCharCode(97 + (this.mark % 5)).repeat(length);
  }

  private push(key: number, isHead: boolean, elements: readonly string[]): void {
    const record = this.find(key);
    const name = keyOf(key);
    const parts = [name, ...elements.map((element) => Buffer.from(element, "latin1"))];
    const starts = new Int32Array(parts.length);
    const lengths = Int32Array.from(parts, (part) => part.length);
    for (let index = 1; index < parts.length; index++) starts[index] = starts[index - 1]! + lengths[index - 1]!;
    const source = Buffer.concat(parts);
    const { lists } = this.keyspace;
    lists.push(this.database, record, isHead, source, starts, lengths, 1, parts.length, 0, name.length);
    const list = this.model.get(String(key)) ?? [];
    if (isHead) list.unshift(...[...elements].reverse());
    else list.push(...elements);
    this.model.set(String(key), list);
  }

  private apply(operation: ListOperation): void {
    const { keyspace, database, model } = this;
    const { lists } = keyspace;
    const { isHead, isAfter } = operation;
    const name = String(operation.key);
    const list = model.get(name);
    const element = this.element(operation.length, operation.isNumber);
    const bytes = Buffer.from(element, "latin1");
    if (operation.kind === "push" || operation.kind === "pushMany") {
      const count = operation.kind === "push" ? 1 : operation.count + 1;
      const elements = Array.from({ length: count }, () => this.element(operation.length, operation.isNumber));
      if (count * operation.length > 300_000) elements.length = 3;
      this.push(operation.key, isHead, elements);
      return;
    }
    const record = this.find(operation.key);
    assert.equal(record !== 0, list !== undefined);
    if (record === 0 || list === undefined) return;
    switch (operation.kind) {
      case "pop":
      case "popMany": {
        const count = operation.kind === "pop" ? 1 : operation.count;
        lists.readEnd(record, isHead);
        assert.equal(this.value(), isHead ? list[0] : list.at(-1));
        if (count === 0) break;
        if (count >= list.length) {
          keyspace.deleteRecord(database, record);
          model.delete(name);
        } else {
          lists.remove(database, record, isHead, count);
          list.splice(isHead ? 0 : list.length - count, count);
        }
        break;
      }
      case "set": {
        const index = operation.index - 200;
        const isThere = index < list.length && index >= -list.length;
        assert.equal(lists.set(database, record, index, bytes, 0, bytes.length) !== -1, isThere);
        if (isThere) list[index < 0 ? index + list.length : index] = element;
        break;
      }
      case "insert": {
        const pivot = operation.index % 9 === 0 ? "none" : list[operation.index % list.length]!;
        const text = Buffer.from(pivot + element, "latin1");
        const index = list.indexOf(pivot);
        const inserted = lists.insert(database, record, isAfter, text, 0, pivot.length, pivot.length, bytes.length);
        assert.equal(inserted !== -1, index !== -1);
        if (index !== -1) list.splice(isAfter ? index + 1 : index, 0, element);
        break;
      }
      case "removeEqual": {
        const target = list[operation.index % list.length]!;
        const max = operation.count === 0 ? Number.POSITIVE_INFINITY : operation.count;
        const source = Buffer.from(target, "latin1");
        const removed = lists.removeEqual(record, isHead, max, source, 0, source.length);
        const kept = withoutEqual(list, target, isHead, max);
        assert.equal(removed, list.length - kept.length);
        if (kept.length === 0) {
          keyspace.deleteRecord(database, record);
          model.delete(name);
        } else {
          lists.afterRemoval(database, record);
          model.set(name, kept);
        }
        break;
      }
      case "trim": {
        const before = Math.min(operation.count, list.length - 1);
        const behind = Math.min(operation.index, list.length - 1 - before);
        lists.trim(database, record, before, behind);
        model.set(name, list.slice(before, list.length - behind));
        break;
      }
      case "rotate": {
        lists.hold(record, isHead);
        lists.rotate(database, record, isHead, isAfter);
        const moved = isHead ? list.shift()! : list.pop()!;
        if (isAfter) list.unshift(moved);
        else list.push(moved);
        break;
      }
      case "move":
        this.move(operation, record, list);
        break;
      default:
        this.applyToKey(operation, record, list);
    }
  }

  private move(operation: ListOperation, record: number, list: string[]): void {
    if (operation.otherKey === operation.key) return;
    const { keyspace, database, model } = this;
    const { lists } = keyspace;
    const key = keyOf(operation.otherKey);
    const target = this.find(operation.otherKey);
    lists.hold(record, operation.isHead);
    lists.pushHeld(database, target, operation.isAfter, key, 0, key.length);
    keyspace.standOn(database, record);
    const moved = operation.isHead ? list.shift()! : list.pop()!;
    if (list.length === 0) {
      keyspace.deleteRecord(database, record);
      model.delete(String(operation.key));
    } else {
      lists.remove(database, record, operation.isHead, 1);
    }
    const other = model.get(String(operation.otherKey)) ?? [];
    if (operation.isAfter) other.unshift(moved);
    else other.push(moved);
    model.set(String(operation.otherKey), other);
  }

  private applyToKey(operation: ListOperation, record: number, list: string[]): void {
    const { keyspace, database, model } = this;
    const key = keyOf(operation.key);
    const other = keyOf(operation.otherKey);
    switch (operation.kind) {
      case "copy":
        keyspace.copy(record, database, other, 0, other.length);
        model.set(String(operation.otherKey), [...list]);
        break;
      case "rename":
        keyspace.rename(database, record, other, 0, other.length);
        model.delete(String(operation.key));
        model.set(String(operation.otherKey), list);
        break;
      case "expire":
        keyspace.setExpiry(database, record, operation.isHead ? keyspace.nowMs + 1000 : -1);
        break;
      case "delete":
        keyspace.delete(database, key, 0, key.length);
        model.delete(String(operation.key));
        break;
      case "setString":
        keyspace.setString(database, key, 0, key.length, other, 0, 4, -1);
        keyspace.delete(database, key, 0, key.length);
        model.delete(String(operation.key));
        break;
      case "relocate":
        if (keyspace.tables.snapshotId === 0) keyspace.relocate(database, record, operation.isHead ? 2 : 0.9);
        break;
      case "reclaim":
        keyspace.reclaim(operation.count);
        break;
      default:
        assert.fail(operation.kind);
    }
  }

  private value(): string {
    const { valueBytes, valueStart, valueLength } = this.keyspace.lists;
    return Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString("latin1");
  }

  /** What a list holds, read forwards. */
  elements(record: number): string[] {
    const { lists } = this.keyspace;
    const found: string[] = [];
    lists.seek(record, 0);
    do {
      lists.read();
      found.push(this.value());
    } while (lists.next());
    return found;
  }

  /** Asserts everything (I1). */
  check(): void {
    const { keyspace } = this;
    const { lists } = keyspace;
    keyspace.verify();
    assert.equal(keyspace.keyCount(this.database), this.model.size);
    for (const [name, list] of this.model) {
      const record = this.find(Number(name));
      assert.equal(keyspace.records.type(record), TYPE_LIST);
      assert.equal(lists.length(record), list.length);
      assert.deepEqual(this.elements(record), list);
      const back: string[] = [];
      lists.seek(record, -1);
      do {
        lists.read();
        back.push(this.value());
      } while (lists.previous());
      assert.deepEqual(back.reverse(), list);
      for (const index of [0, 1, list.length >> 1, list.length - 1]) {
        if (index >= list.length) continue;
        lists.seek(record, index);
        lists.read();
        assert.equal(this.value(), list[index]);
      }
    }
    if (keyspace.pendingReclaims() === 0) assert.equal(keyspace.arena.usedBytes, this.accountedBytes());
  }

  /** Bytes of all cells that tables, records and values account for. */
  private accountedBytes(): number {
    const { arena, records, tables, lists } = this.keyspace;
    const { table, expires } = this.database;
    const chain = new RecordList();
    let bytes = tables.statistics(table).bytes + tables.statistics(expires).bytes;
    for (let bucket = 0; bucket < tables.bucketCount(table); bucket++) {
      const count = tables.readChain(tables.bucketAt(table, bucket), chain);
      for (let index = 0; index < count; index++) {
        const record = chain.records[index]!;
        bytes += arena.capacity(record);
        if (records.isStructure(record)) bytes += lists.cellBytes(records.externalAddress(record), 0);
        else if ((records.flags(record) & RECORD_EXTERNAL) !== 0) {
          bytes += arena.capacity(records.externalAddress(record));
        }
      }
    }
    return bytes;
  }
}

function withoutEqual(list: readonly string[], target: string, isFromHead: boolean, max: number): string[] {
  let left = max;
  const kept: string[] = [];
  for (const element of isFromHead ? list : [...list].reverse()) {
    if (element === target && left > 0) left--;
    else kept.push(element);
  }
  return isFromHead ? kept : kept.reverse();
}
