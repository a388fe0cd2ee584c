/**
 * The table of client-side caching: which clients may still have a key in their caches.
 *
 *      table ──► entry  [key length][serial of the one client][1]     [key]
 *                entry  [key length][cell][n]                         [key]     cell ──► [serial][serial]... ascending
 *
 *  I1  An entry has at least one serial, and each serial once. Databases do not matter: a key's name is all.
 *  I2  `itemCount` is the sum of the serials of all entries.
 *  I3  Memory of its own (an Arena): nothing is there before the first key, and forgetting all keys costs nothing.
 *  Source: what Redis documents of its invalidation table; hash table and memory are those of the keyspace.
 */

import { assert } from "../core/assert.ts";
import type { KeyHash } from "../core/sip-hash.ts";
import { Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../store/arena/arena.ts";
import type { EntryLayout } from "../store/encodings/entry-layouts.ts";
import { HashTable, RecordList } from "../store/encodings/hash-table.ts";

const HEAD_BYTES = 12;
/** Words of an entry. */
const KEY_LENGTH = 0;
const SERIAL_OR_CELL = 1;
const SERIAL_COUNT = 2;
const LAYOUT: EntryLayout = {
  lengthWord: KEY_LENGTH,
  keyOffset: Uint8Array.of(HEAD_BYTES, HEAD_BYTES, HEAD_BYTES, HEAD_BYTES),
};
/** Serials that the first cell has room for. */
const FIRST_SERIALS = 4;

export class TrackedKeys {
  /** Serials of all entries together (I2). */
  itemCount: number;
  /** What `take` and `takeAny` took out: the serials, and the key. */
  serials: Int32Array;
  serialCount: number;
  keyBytes: Uint8Array;
  keyLength: number;

  private readonly hash: KeyHash;
  private readonly random: () => number;
  private tables: HashTable | undefined;
  private table: number;

  /** `random` gives whole numbers below 2^32. */
  constructor(hash: KeyHash, random: () => number) {
    this.itemCount = 0;
    this.serials = new Int32Array(16);
    this.serialCount = 0;
    this.keyBytes = new Uint8Array(256);
    this.keyLength = 0;
    this.hash = hash;
    this.random = random;
    this.tables = undefined;
    this.table = 0;
  }

  /** Keys in the table. */
  get count(): number {
    return this.tables === undefined ? 0 : this.tables.count(this.table);
  }

  get memoryBytes(): number {
    return this.tables === undefined ? 0 : this.tables.arena.usedBytes;
  }

  /**
   * The client with `serial` may have the key in its cache. False when there was no memory to note it: the table is as
   * it was. hot path
   */
  add(serial: number, bytes: Uint8Array, start: number, length: number): boolean {
    const tables = this.tables ?? this.open();
    const hash = this.hash.hash(bytes, start, length);
    const entry = tables.find(this.table, hash, bytes, start, length);
    try {
      if (entry === 0) this.addEntry(tables, hash, serial, bytes, start, length);
      else this.addSerial(tables.arena, entry, serial);
      return true;
    } catch (error) {
      if (error instanceof ArenaExhausted) return false;
      throw error;
    }
  }

  private open(): HashTable {
    const tables = new HashTable(new Arena(), this.hash, LAYOUT);
    this.table = tables.create();
    this.tables = tables;
    return tables;
  }

  private addEntry(
    tables: HashTable,
    hash: number,
    serial: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { arena } = tables;
    const entry = arena.allocate(HEAD_BYTES + length);
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    words[at + KEY_LENGTH] = length;
    words[at + SERIAL_OR_CELL] = serial;
    words[at + SERIAL_COUNT] = 1;
    arena.copyIn(entry, HEAD_BYTES, bytes, start, length);
    try {
      tables.insert(this.table, hash, entry);
    } catch (error) {
      arena.free(entry);
      throw error;
    }
    this.itemCount++;
  }

  private addSerial(arena: Arena, entry: number, serial: number): void {
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    const count = words[at + SERIAL_COUNT]!;
    const first = words[at + SERIAL_OR_CELL]!;
    if (count === 1) {
      if (first === serial) return;
      const cell = arena.allocate(FIRST_SERIALS * 4);
      const target = arena.words[cell >>> SEGMENT_SHIFT]!;
      const targetAt = (cell & UNIT_MASK) << 1;
      target[targetAt] = Math.min(first, serial);
      target[targetAt + 1] = Math.max(first, serial);
      words[at + SERIAL_OR_CELL] = cell;
    } else if (!this.addToCell(arena, words, at, first, count, serial)) {
      return;
    }
    words[at + SERIAL_COUNT] = count + 1;
    this.itemCount++;
  }

  /** False when the serial is there already. */
  private addToCell(arena: Arena, words: Int32Array, at: number, cell: number, count: number, serial: number): boolean {
    let target = arena.words[cell >>> SEGMENT_SHIFT]!;
    let targetAt = (cell & UNIT_MASK) << 1;
    // The first one that is not smaller.
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (target[targetAt + middle]! < serial) low = middle + 1;
      else high = middle;
    }
    if (low < count && target[targetAt + low] === serial) return false;
    if ((count + 1) * 4 > arena.capacity(cell)) {
      const larger = arena.allocate(count * 8);
      arena.move(cell, 0, larger, 0, count * 4);
      arena.free(cell);
      words[at + SERIAL_OR_CELL] = larger;
      target = arena.words[larger >>> SEGMENT_SHIFT]!;
      targetAt = (larger & UNIT_MASK) << 1;
    }
    target.copyWithin(targetAt + low + 1, targetAt + low, targetAt + count);
    target[targetAt + low] = serial;
    return true;
  }

  /** Takes the key out; false when it is not there. Its serials are in `serials[0 ... serialCount)`. hot path */
  take(bytes: Uint8Array, start: number, length: number): boolean {
    const { tables } = this;
    if (tables === undefined || tables.count(this.table) === 0) return false;
    const entry = tables.find(this.table, this.hash.hash(bytes, start, length), bytes, start, length);
    if (entry === 0) return false;
    this.remove(tables, entry);
    return true;
  }

  /** Takes a key by chance out, into `keyBytes[0 ... keyLength)`; false when there is none. */
  takeAny(): boolean {
    const { tables } = this;
    if (tables === undefined) return false;
    const entry = tables.pick(this.table, this.random);
    if (entry === 0) return false;
    const { arena } = tables;
    const length = arena.words[entry >>> SEGMENT_SHIFT]![((entry & UNIT_MASK) << 1) + KEY_LENGTH]!;
    if (length > this.keyBytes.length) this.keyBytes = new Uint8Array(length * 2);
    const keyAt = ((entry & UNIT_MASK) << 3) + HEAD_BYTES;
    this.keyBytes.set(arena.bytes[entry >>> SEGMENT_SHIFT]!.subarray(keyAt, keyAt + length));
    this.keyLength = length;
    this.remove(tables, entry);
    return true;
  }

  /** `entry` was found last. */
  private remove(tables: HashTable, entry: number): void {
    const { arena } = tables;
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    const count = words[at + SERIAL_COUNT]!;
    const first = words[at + SERIAL_OR_CELL]!;
    this.serialCount = count;
    if (count > this.serials.length) this.serials = new Int32Array(count * 2);
    if (count === 1) {
      this.serials[0] = first;
    } else {
      const source = arena.words[first >>> SEGMENT_SHIFT]!;
      const sourceAt = (first & UNIT_MASK) << 1;
      for (let index = 0; index < count; index++) this.serials[index] = source[sourceAt + index]!;
      arena.free(first);
    }
    tables.remove(this.table);
    arena.free(entry);
    tables.advance(this.table, 1);
    this.itemCount -= count;
  }

  /** Forgets all keys. */
  clear(): void {
    const { tables } = this;
    this.itemCount = 0;
    if (tables === undefined) return;
    if (!tables.arena.isSmall()) {
      this.tables = undefined;
      return;
    }
    tables.arena.reset();
    this.table = tables.create();
  }

  /** Asserts I1 and I2, and the table's own rules: for tests. */
  verify(): void {
    const { tables } = this;
    if (tables === undefined) {
      assert(this.itemCount === 0, "items are counted without a table");
      return;
    }
    tables.verify(this.table);
    tables.arena.verify();
    const list = new RecordList();
    let items = 0;
    for (let bucket = 0; bucket < tables.bucketCount(this.table); bucket++) {
      const found = tables.readChain(tables.bucketAt(this.table, bucket), list);
      for (let index = 0; index < found; index++) items += this.verifyEntry(tables.arena, list.records[index]!);
    }
    assert(items === this.itemCount, "items are counted wrongly");
  }

  private verifyEntry(arena: Arena, entry: number): number {
    const words = arena.words[entry >>> SEGMENT_SHIFT]!;
    const at = (entry & UNIT_MASK) << 1;
    const count = words[at + SERIAL_COUNT]!;
    assert(count > 0, "an entry without a client");
    const cell = words[at + SERIAL_OR_CELL]!;
    for (let index = 1; index < count; index++) {
      const serials = arena.words[cell >>> SEGMENT_SHIFT]!;
      const serialAt = ((cell & UNIT_MASK) << 1) + index;
      assert(serials[serialAt - 1]! < serials[serialAt]!, "serials do not ascend");
    }
    return count;
  }
}
