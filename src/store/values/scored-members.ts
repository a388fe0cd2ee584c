/**
 * ScoredMembers: a large sorted set ("skiplist"): a table that finds members and a tree that orders them.
 *
 *      root    [tree: 16 bytes][table][0]                     24 bytes; the tree's root lies in it
 *      entry   [score: 8][member], see member-table.ts        named by the table and by the tree
 *
 *      ZSCORE member ──► table ──► entry ◄── tree ◄── ZRANGE
 *
 *  I1  Table and tree name the same entries; the tree orders them by the score that the entry holds.
 *  I2  A chain of the table is shown to the running snapshot before an entry in it changes or goes.
 *  I3  ArenaExhausted leaves the value as it was.
 *
 * Source: encodings and complexities as Redis documents them for sorted sets; the tree takes the part of its skip list.
 */

import { assert } from "../../core/assert.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { type HashTable, RecordList } from "../encodings/hash-table.ts";
import { memberBytes, memberLength, memberStart, SCORE_BYTES, writeMember } from "../encodings/member-table.ts";
import { ScoreTree } from "../encodings/score-tree.ts";
import type { Structure } from "../keyspace/structure.ts";

const ROOT_CELL_BYTES = 24;
const TABLE_WORD = 4;
/** Leaves of the tree that are freed for one part: freeing a bucket with its entries takes about as long. */
const LEAVES_PER_PART = 2;

export class ScoredMembers implements Structure {
  readonly arena: Arena;
  readonly table: HashTable;
  readonly tree: ScoreTree;
  private readonly hash: KeyHash;
  private readonly chain: RecordList;

  constructor(arena: Arena, table: HashTable, hash: KeyHash) {
    this.arena = arena;
    this.table = table;
    this.tree = new ScoreTree(arena);
    this.hash = hash;
    this.chain = new RecordList();
  }

  /** Makes an empty value; returns its root. Throws ArenaExhausted. */
  create(): number {
    const root = this.arena.allocate(ROOT_CELL_BYTES);
    let table: number;
    try {
      table = this.table.create();
    } catch (error) {
      this.arena.free(root);
      throw error;
    }
    this.tree.initialize(root);
    this.arena.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + TABLE_WORD] = table;
    return root;
  }

  /** Frees the value at once. */
  destroy(root: number): void {
    let next = 0;
    while (next !== -1) next = this.freeParts(root, next, 1024);
  }

  /** Address of the value's table, for those who walk it by buckets. */
  tableOf(root: number): number {
    return this.arena.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + TABLE_WORD]!;
  }

  // ---- entries ------------------------------------------------------------------------------------------------------

  score(entry: number): number {
    return this.arena.doubles[entry >>> SEGMENT_SHIFT]![entry & UNIT_MASK]!;
  }

  /** The segment's bytes in which the entry's member lies. */
  memberBytes(entry: number): Uint8Array {
    return this.arena.bytes[entry >>> SEGMENT_SHIFT]!;
  }

  memberStart(entry: number): number {
    return memberStart(this.memberBytes(entry), ((entry & UNIT_MASK) << 3) + SCORE_BYTES);
  }

  memberLength(entry: number): number {
    return memberLength(this.memberBytes(entry), ((entry & UNIT_MASK) << 3) + SCORE_BYTES);
  }

  hashOf(bytes: Uint8Array, start: number, length: number): number {
    return this.hash.hash(bytes, start, length);
  }

  /** The entry of a member, 0 when there is none; the table's registers stand on it. hot path */
  find(root: number, hash: number, bytes: Uint8Array, start: number, length: number): number {
    return this.table.find(this.tableOf(root), hash, bytes, start, length);
  }

  /** Adds a member that is not there. Throws ArenaExhausted (I3). hot path */
  insert(root: number, hash: number, score: number, bytes: Uint8Array, start: number, length: number): void {
    const entry = this.insertUnordered(root, hash, score, bytes, start, length);
    try {
      this.tree.insert(root, score, entry);
    } catch (error) {
      this.removeFromTable(root, entry);
      throw error;
    }
  }

  /** Adds a member that is above all others. Throws ArenaExhausted (I3). Moves the tree's cursor. */
  append(root: number, score: number, bytes: Uint8Array, start: number, length: number): void {
    const entry = this.insertUnordered(root, this.hashOf(bytes, start, length), score, bytes, start, length);
    try {
      this.tree.append(root, score, entry);
    } catch (error) {
      this.removeFromTable(root, entry);
      throw error;
    }
  }

  /** Adds a member that is not there to the table alone; the tree gets it by `order`. Returns the entry. Throws ArenaExhausted. */
  insertUnordered(root: number, hash: number, score: number, bytes: Uint8Array, start: number, length: number): number {
    const entry = this.newEntry(score, bytes, start, length);
    try {
      this.table.insert(this.tableOf(root), hash, entry);
    } catch (error) {
      this.arena.free(entry);
      throw error;
    }
    return entry;
  }

  /** Changes the score of an entry that the tree does not have yet. */
  setUnordered(entry: number, score: number): void {
    this.arena.doubles[entry >>> SEGMENT_SHIFT]![entry & UNIT_MASK] = score;
  }

  /** Brings all entries of the table into the tree, which is empty. Throws ArenaExhausted: the value is good for `destroy` then. */
  order(root: number): void {
    const table = this.tableOf(root);
    const buckets = this.table.bucketCount(table);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const count = this.table.readChain(this.table.bucketAt(table, bucket), this.chain);
      for (let index = 0; index < count; index++) {
        const entry = this.chain.records[index]!;
        this.tree.insert(root, this.score(entry), entry);
      }
    }
  }

  /** Gives the entry that `find` has just found another score. Throws ArenaExhausted (I3). hot path */
  setScore(root: number, entry: number, score: number): void {
    this.table.touch(this.tableOf(root), this.table.home);
    this.tree.move(root, this.score(entry), score, entry);
    this.arena.doubles[entry >>> SEGMENT_SHIFT]![entry & UNIT_MASK] = score;
  }

  /** Removes the entry that `find` has just found. hot path */
  remove(root: number, entry: number): void {
    this.tree.remove(root, this.score(entry), entry);
    this.table.remove(this.tableOf(root));
    this.arena.free(entry);
  }

  /** Removes `count` members from 0-based `rank` on; they must be there. */
  removeRange(root: number, rank: number, count: number): void {
    const { tree } = this;
    tree.seekRank(root, rank);
    for (let index = 0; index < count; index++) {
      this.removeFromTable(root, tree.value());
      tree.next();
    }
    tree.removeRange(root, rank, count);
  }

  /** Reads a byte of up to `count` entries in the leaf of the tree's cursor, for SortedSets.warm. Returns nothing of use. */
  warm(count: number, isReverse: boolean): number {
    const { tree, arena } = this;
    const ahead = tree.itemsInLeaf(isReverse);
    const last = count < ahead ? count : ahead;
    let sum = 0;
    for (let step = 1; step < last; step++) {
      const entry = tree.valueNear(isReverse ? -step : step);
      sum ^= arena.bytes[entry >>> SEGMENT_SHIFT]![((entry & UNIT_MASK) << 3) + SCORE_BYTES]!;
    }
    return sum;
  }

  /** Puts the tree's cursor on the entry. */
  seekEntry(root: number, entry: number): void {
    this.tree.seekMember(
      root,
      this.score(entry),
      this.memberBytes(entry),
      this.memberStart(entry),
      this.memberLength(entry),
    );
  }

  private newEntry(score: number, bytes: Uint8Array, start: number, length: number): number {
    const entry = this.arena.allocate(SCORE_BYTES + memberBytes(length));
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    this.arena.doubles[segment]![unit] = score;
    writeMember(this.arena.bytes[segment]!, (unit << 3) + SCORE_BYTES, bytes, start, length);
    return entry;
  }

  private removeFromTable(root: number, entry: number): void {
    const table = this.tableOf(root);
    const isThere = this.table.locate(table, this.table.hashOf(entry), entry);
    assert(isThere, "I1: an entry is not in the table");
    this.table.remove(table);
    this.arena.free(entry);
  }

  // ---- the value as a whole -------------------------------------------------------------------------------------------

  size(root: number): number {
    return this.table.count(this.tableOf(root));
  }

  /** Parts are the tree's leaves first (part 0), then the buckets with their entries (from part 1 on). */
  freeParts(root: number, from: number, parts: number): number {
    if (from === 0) return this.tree.freeLeaves(root, parts * LEAVES_PER_PART) ? 1 : 0;
    const table = this.tableOf(root);
    const buckets = this.table.bucketCount(table);
    const end = Math.min(buckets, from - 1 + parts);
    for (let bucket = from - 1; bucket < end; bucket++) {
      const home = this.table.bucketAt(table, bucket);
      const count = this.table.readChain(home, this.chain);
      for (let index = 0; index < count; index++) this.arena.free(this.chain.records[index]!);
      this.table.freeOverflow(table, home);
    }
    if (end < buckets) return end + 1;
    this.table.destroyFrame(table);
    this.arena.free(root);
    return -1;
  }

  copy(root: number): number {
    const { tree } = this;
    const copied = this.create();
    try {
      this.table.expand(this.tableOf(copied), tree.count(root));
      let isThere = tree.seekFirst(root);
      while (isThere) {
        const { leaf, index } = tree;
        const entry = tree.value();
        const score = this.score(entry);
        this.append(copied, score, this.memberBytes(entry), this.memberStart(entry), this.memberLength(entry));
        tree.leaf = leaf;
        tree.index = index;
        isThere = tree.next();
      }
    } catch (error) {
      this.destroy(copied);
      throw error;
    }
    return copied;
  }

  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number {
    const { arena, tree, table } = this;
    const tableAddress = this.tableOf(root);
    let moved = 0;
    let isThere = tree.seekFirst(root);
    for (; isThere; isThere = tree.next()) {
      const entry = tree.value();
      if (!arena.isSparse(entry, fillMax)) continue;
      const copy = arena.allocate(arena.capacity(entry));
      arena.move(entry, 0, copy, 0, arena.capacity(entry));
      table.locate(tableAddress, table.hashOf(entry), entry);
      table.replace(copy);
      tree.setValue(root, copy);
      arena.free(entry);
      moved++;
    }
    if (arena.isSparse(root, fillMax)) {
      const copy = arena.allocate(ROOT_CELL_BYTES);
      arena.move(root, 0, copy, 0, ROOT_CELL_BYTES);
      setRoot(copy);
      arena.free(root);
      moved++;
    }
    return moved;
  }

  cellBytes(root: number, samples: number): number {
    const { arena, tree } = this;
    const count = tree.count(root);
    const seen = samples > 0 ? Math.min(samples, count) : count;
    let bytes = 0;
    tree.seekFirst(root);
    for (let index = 0; index < seen; index++, tree.next()) bytes += arena.capacity(tree.value());
    const entryBytes = seen === 0 ? 0 : Math.round((bytes / seen) * count);
    return ROOT_CELL_BYTES + entryBytes + tree.nodeBytes(root) + this.table.statistics(this.tableOf(root)).bytes;
  }

  verify(root: number): void {
    const { tree, table } = this;
    const tableAddress = this.tableOf(root);
    tree.verify(root);
    table.verify(tableAddress);
    assert(tree.count(root) === table.count(tableAddress), "I1: table and tree differ in number");
    let isThere = tree.seekFirst(root);
    for (; isThere; isThere = tree.next()) {
      const entry = tree.value();
      assert(
        table.locate(tableAddress, table.hashOf(entry), entry),
        "I1: the tree names an entry that the table has not",
      );
      assert(this.score(entry) === tree.score(), "I1: an entry stands at another score");
    }
  }
}
