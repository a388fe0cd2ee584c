/**
 * TableStructure: what hashes and sets share while they are tables: freeing, copying, moving, counting, walking.
 *
 *      record ── EXTERNAL ──► header of a HashTable ──► buckets ──► entries (FIELD, MEMBER) ──► long values
 *
 *  I1  The root of such a value is its table's header.
 *  I2  A walk reads one chain at a time into its own list: the entry it stands on may be taken out of the table, but
 *      `advance`, and whatever adds an entry, would move those that are still to come.
 *  I3  There is one walk at a time; searching the same table or another one does not disturb it.
 */

import { assert } from "../../core/assert.ts";
import { Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { type HashTable, RecordList } from "../encodings/hash-table.ts";
import {
  BUCKET_BYTES,
  EXTENT_MAX,
  EXTENTS,
  HEADER_BYTES,
  LINK_SLOT,
  LINK_TAG,
  OVERFLOW,
  SLOT_WORD,
} from "../encodings/hash-table-layout.ts";
import type { Structure } from "../keyspace/structure.ts";

export abstract class TableStructure implements Structure {
  readonly arena: Arena;
  readonly tables: HashTable;
  /** Chain of the walk; each other loop over buckets uses `chain`, none of them calls another. */
  private readonly walked: RecordList;
  private readonly chain: RecordList;
  private walkTable: number;
  private walkBucket: number;
  private walkBuckets: number;
  private walkIndex: number;
  private walkCount: number;

  constructor(arena: Arena, tables: HashTable) {
    this.arena = arena;
    this.tables = tables;
    this.walked = new RecordList();
    this.chain = new RecordList();
    this.walkTable = 0;
    this.walkBucket = 0;
    this.walkBuckets = 0;
    this.walkIndex = 0;
    this.walkCount = 0;
  }

  // ---- what an entry is -----------------------------------------------------------------------------------------------

  /** Frees an entry that stands in no table (any more), with all that belongs to it. */
  protected abstract freeEntry(entry: number): void;
  /** Moves what belongs to an entry, but not the entry, out of sparse frames; returns how many cells. */
  protected abstract relocateParts(entry: number, fillMax: number): number;
  /** A copy of an entry and of what belongs to it, in no table. Throws ArenaExhausted. */
  protected abstract copyEntry(entry: number): number;
  /** Bytes of the cells of an entry. */
  protected abstract entryBytes(entry: number): number;
  protected abstract verifyEntry(entry: number): void;

  // ---- walking --------------------------------------------------------------------------------------------------------

  protected startTableWalk(table: number): void {
    this.walkTable = table;
    this.walkBucket = 0;
    this.walkBuckets = this.tables.bucketCount(table);
    this.walkIndex = 0;
    this.walkCount = 0;
  }

  /** The next entry of the walk, 0 at its end. */
  protected nextTableEntry(): number {
    while (this.walkIndex === this.walkCount) {
      if (this.walkBucket === this.walkBuckets) return 0;
      const home = this.tables.bucketAt(this.walkTable, this.walkBucket++);
      this.walkCount = this.tables.readChain(home, this.walked);
      this.walkIndex = 0;
    }
    return this.walked.records[this.walkIndex++]!;
  }

  // ---- Structure --------------------------------------------------------------------------------------------------------

  size(root: number): number {
    return this.tables.count(root);
  }

  freeParts(root: number, from: number, parts: number): number {
    const { tables, chain } = this;
    const buckets = tables.bucketCount(root);
    const end = Math.min(buckets, from + parts);
    for (let index = from; index < end; index++) {
      const home = tables.bucketAt(root, index);
      const count = tables.readChain(home, chain);
      for (let each = 0; each < count; each++) this.freeEntry(chain.records[each]!);
      tables.freeOverflow(root, home);
    }
    if (end < buckets) return end;
    tables.destroyFrame(root);
    return -1;
  }

  /** Frees a table and its entries at once: for one that never became a value. */
  protected freeTable(root: number): void {
    this.freeParts(root, 0, this.tables.bucketCount(root));
  }

  copy(root: number): number {
    const { tables } = this;
    const copied = tables.create();
    try {
      tables.expand(copied, tables.count(root));
      const buckets = tables.bucketCount(root);
      for (let index = 0; index < buckets; index++) {
        const count = tables.readChain(tables.bucketAt(root, index), this.chain);
        for (let each = 0; each < count; each++) this.insertCopy(copied, this.chain.records[each]!);
      }
    } catch (error) {
      this.freeTable(copied);
      throw error;
    }
    return copied;
  }

  /** Puts a copy of `entry` into another table. Throws ArenaExhausted and leaves nothing behind. */
  protected insertCopy(table: number, entry: number): void {
    const copied = this.copyEntry(entry);
    try {
      this.tables.insert(table, this.tables.hashOf(copied), copied);
    } catch (error) {
      this.freeEntry(copied);
      throw error;
    }
  }

  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number {
    const { arena, tables, chain } = this;
    let moved = 0;
    const buckets = tables.bucketCount(root);
    for (let index = 0; index < buckets; index++) {
      const count = tables.readChain(tables.bucketAt(root, index), chain);
      for (let each = 0; each < count; each++) {
        const entry = chain.records[each]!;
        moved += this.relocateParts(entry, fillMax);
        if (!this.arena.isSparse(entry, fillMax)) continue;
        const copied = this.movedCell(entry);
        const isThere = tables.locate(root, tables.hashOf(entry), entry);
        assert(isThere, "an entry is not in its table");
        tables.replace(copied);
        arena.free(entry);
        moved++;
      }
    }
    return moved + this.relocateFrame(root, fillMax, setRoot);
  }

  /** Moves overflow buckets, small extents and the header. */
  private relocateFrame(root: number, fillMax: number, setRoot: (root: number) => void): number {
    const { arena, tables } = this;
    let moved = 0;
    const header = arena.words[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const buckets = header[at + OVERFLOW]! === 0 ? 0 : tables.bucketCount(root);
    for (let index = 0; index < buckets; index++) {
      let bucket = tables.bucketAt(root, index);
      for (;;) {
        const words = arena.words[bucket >>> SEGMENT_SHIFT]!;
        const place = (bucket & UNIT_MASK) << 1;
        if (words[place + 2]! >>> 24 !== LINK_TAG) break;
        const linked = words[place + SLOT_WORD + LINK_SLOT]!;
        bucket = linked;
        if (!this.arena.isSparse(linked, fillMax)) continue;
        bucket = this.movedCell(linked);
        words[place + SLOT_WORD + LINK_SLOT] = bucket;
        arena.free(linked);
        moved++;
      }
    }
    for (let extent = 0; extent < EXTENT_MAX; extent++) {
      const address = header[at + EXTENTS + extent]!;
      if (address === 0 || !this.arena.isSparse(address, fillMax)) continue;
      header[at + EXTENTS + extent] = this.movedCell(address);
      arena.free(address);
      moved++;
    }
    if (this.arena.isSparse(root, fillMax)) {
      setRoot(this.movedCell(root));
      arena.free(root);
      moved++;
    }
    return moved;
  }

  /** A copy of a cell; the old one is the caller's to free. Throws ArenaExhausted. */
  protected movedCell(address: number): number {
    const bytes = this.arena.capacity(address);
    const copied = this.arena.allocate(bytes);
    this.arena.move(address, 0, copied, 0, bytes);
    return copied;
  }

  cellBytes(root: number, samples: number): number {
    const { arena, tables } = this;
    const words = arena.words[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    let bytes = Arena.cellBytes(HEADER_BYTES) + words[at + OVERFLOW]! * BUCKET_BYTES;
    for (let extent = 0; extent < EXTENT_MAX; extent++) {
      const address = words[at + EXTENTS + extent]!;
      if (address !== 0) bytes += arena.capacity(address);
    }
    const entries = tables.count(root);
    const looks = samples === 0 ? entries : Math.min(samples, entries);
    let seen = 0;
    let seenBytes = 0;
    const buckets = tables.bucketCount(root);
    for (let index = 0; index < buckets && seen < looks; index++) {
      const count = tables.readChain(tables.bucketAt(root, index), this.chain);
      for (let each = 0; each < count && seen < looks; each++, seen++) {
        seenBytes += this.entryBytes(this.chain.records[each]!);
      }
    }
    return seen === 0 ? bytes : bytes + Math.round((seenBytes / seen) * entries);
  }

  verify(root: number): void {
    const { tables, chain } = this;
    tables.verify(root);
    const buckets = tables.bucketCount(root);
    for (let index = 0; index < buckets; index++) {
      const count = tables.readChain(tables.bucketAt(root, index), chain);
      for (let each = 0; each < count; each++) this.verifyEntry(chain.records[each]!);
    }
  }
}
