/**
 * The hash table: linear hashing over buckets of 64 bytes, in the arena.
 *
 *      bucket    [ 12 tags, 1 byte each │ epoch, 4 bytes ][ 12 slots: record addresses, 4 bytes each ]
 *      tag       0 empty, 1 link (slot 11 only: the chain goes on in another bucket), else 8 bits of the hash
 *      header    count │ mask │ split │ direction │ overflow buckets │ extent addresses ...
 *      extents   [0 … 4) [4 … 8) [8 … 16) [16 … 32) ...              each as large as all before it
 *
 *      buckets   0 ──────── split ──────── mask │ mask+1 ── mask+split
 *                  halves are  │ not split yet  │ upper halves of
 *                  up there →  │                │ what was split
 *
 *  I1  A record with hash h stands in the chain of bucket h & mask, or, if that is below `split`, h & (2·mask + 1).
 *  I2  The table has mask + 1 + split buckets; those above are never read, so a new extent need not be zeroed.
 *  I3  A chain's first bucket has a link only if all of its 12 places are taken; no bucket behind a link is empty.
 *  I4  While it grows, every insert splits one bucket; shrinking is left to idle moments (`advance`). No operation
 *      touches more than two chains.
 *  I5  A chain changes only after its home bucket was shown to the snapshot that runs (`snapshotId`, `capture`).
 *
 * The load is 9 records a bucket when growth begins, 4.5 when it has ended: 7 to 14 bytes a record.
 * A search reads three words of tags and, nearly always, one record.
 *
 * Source: linear hashing (Litwin 1980); tags compared word-wise as in SwissTable (public talks); scan order by
 * reversed bits, with the guarantee that Redis documents for SCAN.
 */

import { assert } from "../../core/assert.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { type Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { KEY_LENGTH_MASK } from "../keyspace/record.ts";
import { type EntryLayout, RECORD_LAYOUT } from "./entry-layouts.ts";
import { pickByWalk } from "./hash-table-choice.ts";
import { chainLengths, type TableStatistics, tableStatistics, verifyTable } from "./hash-table-inspection.ts";
import {
  BUCKET_BYTES,
  COUNT,
  DIRECTION,
  EPOCH_WORD,
  EXTENT_MAX,
  EXTENTS,
  FIRST_BUCKETS,
  FIRST_LOG,
  GROW_LOAD,
  GROWING,
  HEADER_BYTES,
  LINK_SLOT,
  LINK_TAG,
  MASK,
  OVERFLOW,
  RESTING,
  reverseBits,
  SHRINK_LOAD,
  SHRINKING,
  SLOT_WORD,
  SLOTS,
  SPLIT,
  tagOf,
} from "./hash-table-layout.ts";
import { RecordList } from "./record-list.ts";

export type { TableStatistics } from "./hash-table-inspection.ts";
export { RecordList } from "./record-list.ts";

/** Hashes that `warm` takes at once. */
export const WARM_MAX = 64;

/** Makes a number below 1 of one below 2^32. */
const UNIT_OF_RANDOM = 2 ** -32;
const ONE_DRAW_MAX = 2 ** 22;

/** Called before a chain changes that the running snapshot has not passed. */
export type Capture = (table: number, home: number) => void;

/** All tables of one arena. A table is the address of its header; this class keeps only registers. */
export class HashTable {
  readonly arena: Arena;
  /** Number of the running snapshot, at least 1 and never used before; 0 when none runs. */
  snapshotId: number;
  capture: Capture | undefined;
  /** Where the last `find` found its record: home bucket, bucket and slot. */
  home: number;
  bucket: number;
  slot: number;

  /** What `warm` found. */
  readonly warmRecords: Int32Array;
  /** Keeps its reads from being taken for useless. */
  warmed: number;
  protected readonly hash: KeyHash;
  /** Where an entry keeps its key: see entry-layouts.ts. */
  private readonly lengthWord: number;
  private readonly keyOffset: Uint8Array;
  private readonly words: Int32Array[];
  protected readonly bytes: Uint8Array[];
  /** Scratch for splitting and merging chains. */
  private readonly chain: RecordList;

  constructor(arena: Arena, hash: KeyHash, layout: EntryLayout = RECORD_LAYOUT) {
    this.arena = arena;
    this.lengthWord = layout.lengthWord;
    this.keyOffset = layout.keyOffset;
    this.warmRecords = new Int32Array(WARM_MAX);
    this.warmed = 0;
    this.hash = hash;
    this.words = arena.words;
    this.bytes = arena.bytes;
    this.snapshotId = 0;
    this.capture = undefined;
    this.home = 0;
    this.bucket = 0;
    this.slot = 0;
    this.chain = new RecordList();
  }

  /** Makes an empty table; returns its address. Throws ArenaExhausted. */
  create(): number {
    const table = this.arena.allocate(HEADER_BYTES);
    let extent: number;
    try {
      extent = this.arena.allocate(FIRST_BUCKETS * BUCKET_BYTES);
    } catch (error) {
      this.arena.free(table);
      throw error;
    }
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    words.fill(0, at, at + HEADER_BYTES / 4);
    words[at + MASK] = FIRST_BUCKETS - 1;
    words[at + EXTENTS] = extent;
    for (let index = 0; index < FIRST_BUCKETS; index++) this.clearBucket(extent + index * 8, this.snapshotId);
    return table;
  }

  /** Frees the table's own memory: header, extents and overflow buckets; the records are the caller's. */
  destroy(table: number): void {
    const buckets = this.bucketCount(table);
    for (let index = 0; index < buckets; index++) this.freeOverflow(table, this.bucketAt(table, index));
    this.destroyFrame(table);
  }

  /** Frees header and extents of a table whose overflow buckets are gone. */
  destroyFrame(table: number): void {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    for (let extent = 0; extent < EXTENT_MAX; extent++) {
      const address = words[at + EXTENTS + extent]!;
      if (address !== 0) this.arena.free(address);
    }
    this.arena.free(table);
  }

  count(table: number): number {
    return this.words[table >>> SEGMENT_SHIFT]![((table & UNIT_MASK) << 1) + COUNT]!;
  }

  bucketCount(table: number): number {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    return words[at + MASK]! + 1 + words[at + SPLIT]!;
  }

  /** Address of bucket `index`. */
  bucketAt(table: number, index: number): number {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const extents = ((table & UNIT_MASK) << 1) + EXTENTS;
    if (index < FIRST_BUCKETS) return words[extents]! + (index << 3);
    const log = 31 - Math.clz32(index);
    return words[extents + log - FIRST_LOG + 1]! + ((index - (1 << log)) << 3);
  }

  /** Address of the bucket with which the chain of `hash` begins. */
  homeOf(table: number, hash: number): number {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const mask = words[at + MASK]!;
    let index = hash & mask;
    if (index < words[at + SPLIT]!) index = hash & ((mask << 1) | 1);
    if (index < FIRST_BUCKETS) return words[at + EXTENTS]! + (index << 3);
    const log = 31 - Math.clz32(index);
    return words[at + EXTENTS + log - FIRST_LOG + 1]! + ((index - (1 << log)) << 3);
  }

  /**
   * Address of the record with the key `source[start ... start+length)`, 0 when there is none.
   * Sets `home` always, `bucket` and `slot` when found. hot path
   */
  find(table: number, hash: number, source: Uint8Array, start: number, length: number): number {
    const segments = this.words;
    let bucket = this.homeOf(table, hash);
    this.home = bucket;
    const pattern = Math.imul(tagOf(hash), 0x01010101);
    for (;;) {
      const words = segments[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      for (let word = 0; word < 3; word++) {
        const difference = words[at + word]! ^ pattern;
        // A zero byte of `difference` is a tag that matches; a byte above it may show up wrongly, the key decides.
        let matches = (difference - 0x01010101) & ~difference & 0x80808080;
        while (matches !== 0) {
          const slot = (word << 2) + ((31 - Math.clz32(matches & -matches)) >>> 3);
          const record = words[at + SLOT_WORD + slot]!;
          if (this.hasKey(record, source, start, length)) {
            this.bucket = bucket;
            this.slot = slot;
            return record;
          }
          matches &= matches - 1;
        }
      }
      if (words[at + 2]! >>> 24 !== LINK_TAG) return 0;
      bucket = words[at + SLOT_WORD + LINK_SLOT]!;
    }
  }

  protected hasKey(record: number, source: Uint8Array, start: number, length: number): boolean {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const flags = this.words[segment]![(unit << 1) + this.lengthWord]!;
    if ((flags & KEY_LENGTH_MASK) !== length) return false;
    const bytes = this.bytes[segment]!;
    const key = (unit << 3) + this.keyOffset[flags >>> 30]!;
    for (let index = 0; index < length; index++) {
      if (bytes[key + index] !== source[start + index]) return false;
    }
    return true;
  }

  /**
   * Reads the buckets that `find` will read for these hashes. The loads of a loop do not wait for each other. Leaves the
   * records that `find` will look at first in `warmRecords`; returns how many they are. hot path
   */
  warm(table: number, hashes: Int32Array, count: number): number {
    const { words: segments, warmRecords: places } = this;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const home = this.homeOf(table, hashes[index]!);
      places[index] = home;
      sum ^= segments[home >>> SEGMENT_SHIFT]![(home & UNIT_MASK) << 1]!;
    }
    this.warmed = sum;
    let found = 0;
    for (let index = 0; index < count; index++) {
      const home = places[index]!;
      const words = segments[home >>> SEGMENT_SHIFT]!;
      const at = (home & UNIT_MASK) << 1;
      const pattern = Math.imul(tagOf(hashes[index]!), 0x01010101);
      for (let word = 0; word < 3; word++) {
        const difference = words[at + word]! ^ pattern;
        const matches = (difference - 0x01010101) & ~difference & 0x80808080;
        if (matches === 0) continue;
        places[found++] = words[at + SLOT_WORD + (word << 2) + ((31 - Math.clz32(matches & -matches)) >>> 3)]!;
        break;
      }
    }
    return found;
  }

  /** Finds `record` itself (not an equal key) and sets `home`, `bucket` and `slot`. False when it is not there. */
  locate(table: number, hash: number, record: number): boolean {
    let bucket = this.homeOf(table, hash);
    this.home = bucket;
    for (;;) {
      const words = this.words[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      const hasLink = words[at + 2]! >>> 24 === LINK_TAG;
      const slots = hasLink ? LINK_SLOT : SLOTS;
      for (let slot = 0; slot < slots; slot++) {
        if (words[at + SLOT_WORD + slot] === record && this.tagAt(bucket, slot) !== 0) {
          this.bucket = bucket;
          this.slot = slot;
          return true;
        }
      }
      if (!hasLink) return false;
      bucket = words[at + SLOT_WORD + LINK_SLOT]!;
    }
  }

  /** Shows the chain of `home` to the running snapshot before it changes (I5). hot path */
  touch(table: number, home: number): void {
    if (this.snapshotId === 0) return;
    if (this.words[home >>> SEGMENT_SHIFT]![((home & UNIT_MASK) << 1) + EPOCH_WORD] === this.snapshotId) return;
    this.capture!(table, home);
  }

  /** Whether the snapshot with number `id` has passed the chain of `home`. */
  isPassed(home: number, id: number): boolean {
    return this.words[home >>> SEGMENT_SHIFT]![((home & UNIT_MASK) << 1) + EPOCH_WORD] === id;
  }

  setPassed(home: number, id: number): void {
    this.words[home >>> SEGMENT_SHIFT]![((home & UNIT_MASK) << 1) + EPOCH_WORD] = id;
  }

  /** Puts another record at the place that the last `find` or `locate` found: same key, new address. */
  replace(record: number): void {
    this.words[this.bucket >>> SEGMENT_SHIFT]![((this.bucket & UNIT_MASK) << 1) + SLOT_WORD + this.slot] = record;
  }

  /** Adds a record whose key is not in the table. Throws ArenaExhausted and leaves the table as it was. */
  insert(table: number, hash: number, record: number): void {
    const home = this.homeOf(table, hash);
    this.touch(table, home);
    this.addToChain(table, home, tagOf(hash), record);
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const count = words[at + COUNT]! + 1;
    words[at + COUNT] = count;
    if (words[at + DIRECTION] === GROWING) this.splitNext(table);
    else if (count > (words[at + MASK]! + 1) * GROW_LOAD) this.startGrowing(table);
  }

  /** Takes out the record that the last `find` or `locate` found. */
  remove(table: number): void {
    this.touch(table, this.home);
    this.removeFromChain(table);
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const count = words[at + COUNT]! - 1;
    words[at + COUNT] = count;
    // Merging is left to `advance`: were it done here, a walk that deletes would drive what it has not yet reached into
    // ever fewer and longer chains.
    if (words[at + DIRECTION] !== SHRINKING && count < (words[at + MASK]! + 1) * SHRINK_LOAD) {
      this.startShrinking(table);
    }
  }

  /**
   * Moves on growth or shrinking by at most `buckets` buckets, for idle moments. Returns whether more is to be done.
   */
  advance(table: number, buckets: number): boolean {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    for (let step = 0; step < buckets; step++) {
      const direction = words[at + DIRECTION]!;
      if (direction === GROWING) this.splitNext(table);
      else if (direction === SHRINKING) this.mergeLast(table);
      else if (words[at + COUNT]! >= (words[at + MASK]! + 1) * SHRINK_LOAD || !this.startShrinking(table)) return false;
    }
    return words[at + DIRECTION] !== RESTING;
  }

  /** Makes room for `records` at once while the table is empty. Throws ArenaExhausted. */
  expand(table: number, records: number): void {
    assert(this.count(table) === 0, "expand a table that holds records");
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    if (words[at + DIRECTION] !== RESTING) return;
    let buckets = words[at + MASK]! + 1;
    while (buckets * GROW_LOAD < records && buckets < 1 << (EXTENT_MAX - 2)) {
      const extent = this.arena.allocate(buckets * BUCKET_BYTES);
      words[at + EXTENTS + (31 - Math.clz32(buckets)) - FIRST_LOG + 1] = extent;
      for (let index = 0; index < buckets; index++) this.clearBucket(extent + (index << 3), this.snapshotId);
      buckets *= 2;
      words[at + MASK] = buckets - 1;
    }
  }

  /** Copies the records of the chain of `home` to `target` from `count` on; returns how many it has now. Grows `target` when needed. */
  readChain(home: number, target: RecordList, count = 0): number {
    let bucket = home;
    for (;;) {
      const words = this.words[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      const hasLink = words[at + 2]! >>> 24 === LINK_TAG;
      const slots = hasLink ? LINK_SLOT : SLOTS;
      for (let slot = 0; slot < slots; slot++) {
        if (((words[at + (slot >>> 2)]! >>> ((slot & 3) << 3)) & 255) === 0) continue;
        if (count === target.records.length) target.grow();
        target.records[count++] = words[at + SLOT_WORD + slot]!;
      }
      if (!hasLink) return count;
      bucket = words[at + SLOT_WORD + LINK_SLOT]!;
    }
  }

  /**
   * One step of SCAN: reads the chains that `cursor` (unsigned 32 bits) stands for and returns the next cursor, 0 at
   * the end. Every record that is there from the first call to the last is seen at least once, whatever the table does
   * between the calls; `visit` must not change it, because the chain that is visited next may be gone then.
   */
  scan(table: number, cursor: number, visit: (home: number) => void): number {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const mask = words[at + MASK]!;
    const split = words[at + SPLIT]!;
    const index = cursor & mask;
    visit(this.bucketAt(table, index));
    if (index < split) visit(this.bucketAt(table, index + mask + 1));
    // Count upwards in reversed bits: what was seen stays seen when the mask gets a bit more or less.
    let reversed = reverseBits(cursor | ~mask);
    reversed = (reversed + 1) >>> 0;
    return reverseBits(reversed) >>> 0;
  }

  /**
   * A record of the table by chance (`random` gives whole numbers below 2^32), each with the same probability as far as
   * chains are of usual length; 0 when it is empty. Sets `home`, `bucket` and `slot` as `find` does.
   */
  pick(table: number, random: () => number): number {
    const count = this.count(table);
    if (count === 0) return 0;
    const buckets = this.bucketCount(table);
    // A place of a chain by chance: most chains are shorter, so an unused place means another try. While no chain has a
    // second bucket, 12 places are all there are, otherwise 24.
    const header = this.words[table >>> SEGMENT_SHIFT]!;
    const places = header[((table & UNIT_MASK) << 1) + OVERFLOW] === 0 ? SLOTS : 2 * SLOTS;
    // One number draws bucket and place as long as there are a thousand times more numbers than places.
    const isOneDraw = buckets * places <= ONE_DRAW_MAX;
    for (let attempt = 0; attempt < 200; attempt++) {
      // Multiplied, not divided: a remainder of unsigned numbers is slow.
      const drawn = random() * buckets * UNIT_OF_RANDOM;
      const index = drawn | 0;
      const place = ((isOneDraw ? drawn - index : random() * UNIT_OF_RANDOM) * places) | 0;
      const bucket = this.bucketAt(table, index);
      // Nearly always a place of the first bucket, and as often as not an empty one: no call for those.
      if (place < LINK_SLOT) {
        const words = this.words[bucket >>> SEGMENT_SHIFT]!;
        const at = (bucket & UNIT_MASK) << 1;
        if (((words[at + (place >>> 2)]! >>> ((place & 3) << 3)) & 255) === 0) continue;
        this.home = this.bucket = bucket;
        this.slot = place;
        return words[at + SLOT_WORD + place]!;
      }
      const record = this.recordAtPlace(bucket, place);
      if (record === 0) continue;
      this.home = bucket;
      return record;
    }
    return pickByWalk(this, table, random);
  }

  private recordAtPlace(bucket: number, place: number): number {
    if (place >= LINK_SLOT) {
      const words = this.words[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      if (words[at + 2]! >>> 24 === LINK_TAG) {
        return this.recordAtPlace(words[at + SLOT_WORD + LINK_SLOT]!, place - LINK_SLOT);
      }
    }
    if (place >= SLOTS || this.tagAt(bucket, place) === 0) return 0;
    this.bucket = bucket;
    this.slot = place;
    return this.words[bucket >>> SEGMENT_SHIFT]![((bucket & UNIT_MASK) << 1) + SLOT_WORD + place]!;
  }

  private startGrowing(table: number): void {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    if (words[at + DIRECTION] === SHRINKING) {
      if (words[at + SPLIT]! <= words[at + MASK]!) {
        words[at + DIRECTION] = GROWING;
      } else {
        // Nothing has been merged yet: the table is as large as before it began to shrink.
        words[at + MASK] = (words[at + MASK]! << 1) | 1;
        words[at + SPLIT] = 0;
        words[at + DIRECTION] = RESTING;
      }
      return;
    }
    const buckets = words[at + MASK]! + 1;
    const extent = 31 - Math.clz32(buckets) - FIRST_LOG + 1;
    if (extent >= EXTENT_MAX) return; // 2^28 buckets: the arena is full long before
    try {
      words[at + EXTENTS + extent] = this.arena.allocate(buckets * BUCKET_BYTES);
    } catch (error) {
      if (error instanceof ArenaExhausted) return; // chains get longer, nothing is lost
      throw error;
    }
    words[at + DIRECTION] = GROWING;
  }

  private splitNext(table: number): void {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const mask = words[at + MASK]!;
    const split = words[at + SPLIT]!;
    const lower = this.bucketAt(table, split);
    const upper = this.bucketAt(table, split + mask + 1);
    this.touch(table, lower);
    const epoch = this.words[lower >>> SEGMENT_SHIFT]![((lower & UNIT_MASK) << 1) + EPOCH_WORD]!;
    const count = this.takeChain(table, lower);
    this.clearBucket(lower, epoch);
    this.clearBucket(upper, epoch);
    for (let index = 0; index < count; index++) {
      const record = this.chain.records[index]!;
      const hash = this.hashOf(record);
      this.addToChain(table, (hash & (mask + 1)) === 0 ? lower : upper, tagOf(hash), record);
    }
    if (split === mask) {
      words[at + MASK] = (mask << 1) | 1;
      words[at + SPLIT] = 0;
      words[at + DIRECTION] = RESTING;
    } else {
      words[at + SPLIT] = split + 1;
    }
  }

  /** False when the table is as small as it may be. */
  private startShrinking(table: number): boolean {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    if (words[at + DIRECTION] === GROWING) {
      words[at + DIRECTION] = words[at + SPLIT] === 0 ? RESTING : SHRINKING;
      if (words[at + SPLIT] === 0) this.freeLastExtent(table);
      return true;
    }
    const mask = words[at + MASK]!;
    if (mask < FIRST_BUCKETS) return false;
    words[at + MASK] = mask >>> 1;
    words[at + SPLIT] = (mask >>> 1) + 1;
    words[at + DIRECTION] = SHRINKING;
    return true;
  }

  private mergeLast(table: number): void {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const mask = words[at + MASK]!;
    const split = words[at + SPLIT]! - 1;
    const lower = this.bucketAt(table, split);
    const upper = this.bucketAt(table, split + mask + 1);
    this.touch(table, lower);
    this.touch(table, upper);
    // The joined chain may want two buckets more than both had (12 + 12 records): be sure of them before anything is
    // taken apart.
    if (!this.arena.hasRoomForTwo(BUCKET_BYTES)) return;
    const count = this.takeChain(table, upper);
    for (let index = 0; index < count; index++) {
      const record = this.chain.records[index]!;
      this.addToChain(table, lower, tagOf(this.hashOf(record)), record);
    }
    words[at + SPLIT] = split;
    if (split === 0) {
      words[at + DIRECTION] = RESTING;
      this.freeLastExtent(table);
    }
  }

  /** Frees the extent above the mask, which no bucket uses any more. */
  private freeLastExtent(table: number): void {
    const words = this.words[table >>> SEGMENT_SHIFT]!;
    const at = (table & UNIT_MASK) << 1;
    const place = at + EXTENTS + (31 - Math.clz32(words[at + MASK]! + 1)) - FIRST_LOG + 1;
    this.arena.free(words[place]!);
    words[place] = 0;
  }

  private tagAt(bucket: number, slot: number): number {
    return this.bytes[bucket >>> SEGMENT_SHIFT]![((bucket & UNIT_MASK) << 3) + slot]!;
  }

  private clearBucket(bucket: number, epoch: number): void {
    const words = this.words[bucket >>> SEGMENT_SHIFT]!;
    const at = (bucket & UNIT_MASK) << 1;
    words[at] = 0;
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + EPOCH_WORD] = epoch;
  }

  /** Puts a record into the first empty place of a chain; sets `bucket` and `slot` to it. */
  private addToChain(table: number, home: number, tag: number, record: number): void {
    let bucket = home;
    for (;;) {
      const words = this.words[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      for (let word = 0; word < 3; word++) {
        const tags = words[at + word]!;
        const empty = (tags - 0x01010101) & ~tags & 0x80808080;
        if (empty === 0) continue;
        const inWord = (31 - Math.clz32(empty & -empty)) >>> 3;
        words[at + word] = tags | (tag << (inWord << 3));
        words[at + SLOT_WORD + (word << 2) + inWord] = record;
        this.bucket = bucket;
        this.slot = (word << 2) + inWord;
        return;
      }
      bucket =
        words[at + 2]! >>> 24 === LINK_TAG ? words[at + SLOT_WORD + LINK_SLOT]! : this.extendChain(table, bucket);
    }
  }

  /** Hangs an overflow bucket behind a full one; the record in the link's place moves there. */
  private extendChain(table: number, bucket: number): number {
    const overflow = this.arena.allocate(BUCKET_BYTES);
    this.clearBucket(overflow, 0);
    const words = this.words[bucket >>> SEGMENT_SHIFT]!;
    const at = (bucket & UNIT_MASK) << 1;
    const target = this.words[overflow >>> SEGMENT_SHIFT]!;
    const targetAt = (overflow & UNIT_MASK) << 1;
    target[targetAt] = words[at + 2]! >>> 24;
    target[targetAt + SLOT_WORD] = words[at + SLOT_WORD + LINK_SLOT]!;
    words[at + 2] = (words[at + 2]! & 0xffffff) | (LINK_TAG << 24);
    words[at + SLOT_WORD + LINK_SLOT] = overflow;
    this.words[table >>> SEGMENT_SHIFT]![((table & UNIT_MASK) << 1) + OVERFLOW]!++;
    return overflow;
  }

  /** Empties the place (`bucket`, `slot`); a record from the chain's end fills it, so that chains stay short (I3). */
  private removeFromChain(table: number): void {
    const bytes = this.bytes[this.bucket >>> SEGMENT_SHIFT]!;
    const tagPlace = ((this.bucket & UNIT_MASK) << 3) + this.slot;
    let before = 0;
    let last = this.bucket;
    for (;;) {
      const words = this.words[last >>> SEGMENT_SHIFT]!;
      const at = (last & UNIT_MASK) << 1;
      if (words[at + 2]! >>> 24 !== LINK_TAG) break;
      before = last;
      last = words[at + SLOT_WORD + LINK_SLOT]!;
    }
    if (last === this.bucket) {
      bytes[tagPlace] = 0;
      if (this.home !== last && this.isEmpty(last)) this.unlinkLast(table, last);
      return;
    }
    const words = this.words[last >>> SEGMENT_SHIFT]!;
    const at = (last & UNIT_MASK) << 1;
    let slot = SLOTS - 1;
    while (this.tagAt(last, slot) === 0) slot--;
    bytes[tagPlace] = this.tagAt(last, slot);
    this.words[this.bucket >>> SEGMENT_SHIFT]![((this.bucket & UNIT_MASK) << 1) + SLOT_WORD + this.slot] =
      words[at + SLOT_WORD + slot]!;
    this.bytes[last >>> SEGMENT_SHIFT]![((last & UNIT_MASK) << 3) + slot] = 0;
    if (this.isEmpty(last)) this.dropLink(table, before, last);
  }

  private isEmpty(bucket: number): boolean {
    const words = this.words[bucket >>> SEGMENT_SHIFT]!;
    const at = (bucket & UNIT_MASK) << 1;
    return (words[at]! | words[at + 1]! | words[at + 2]!) === 0;
  }

  private unlinkLast(table: number, last: number): void {
    let bucket = this.home;
    for (;;) {
      const next = this.words[bucket >>> SEGMENT_SHIFT]![((bucket & UNIT_MASK) << 1) + SLOT_WORD + LINK_SLOT]!;
      if (next === last) break;
      bucket = next;
    }
    this.dropLink(table, bucket, last);
  }

  private dropLink(table: number, before: number, last: number): void {
    this.bytes[before >>> SEGMENT_SHIFT]![((before & UNIT_MASK) << 3) + LINK_SLOT] = 0;
    this.arena.free(last);
    this.words[table >>> SEGMENT_SHIFT]![((table & UNIT_MASK) << 1) + OVERFLOW]!--;
  }

  /** Copies a chain's records to the scratch list and frees its overflow buckets; the home bucket is left to the caller. */
  private takeChain(table: number, home: number): number {
    const count = this.readChain(home, this.chain);
    this.freeOverflow(table, home);
    return count;
  }

  /** Frees the overflow buckets behind `home` and cuts the link; what they held is forgotten. */
  freeOverflow(table: number, home: number): void {
    const words = this.words[home >>> SEGMENT_SHIFT]!;
    const at = (home & UNIT_MASK) << 1;
    if (words[at + 2]! >>> 24 !== LINK_TAG) return;
    let bucket = words[at + SLOT_WORD + LINK_SLOT]!;
    words[at + 2] = words[at + 2]! & 0xffffff;
    while (bucket !== 0) {
      const chained = this.words[bucket >>> SEGMENT_SHIFT]!;
      const chainedAt = (bucket & UNIT_MASK) << 1;
      const next = chained[chainedAt + 2]! >>> 24 === LINK_TAG ? chained[chainedAt + SLOT_WORD + LINK_SLOT]! : 0;
      this.arena.free(bucket);
      this.words[table >>> SEGMENT_SHIFT]![((table & UNIT_MASK) << 1) + OVERFLOW]!--;
      bucket = next;
    }
  }

  /** Hash of a record's key. */
  hashOf(record: number): number {
    const segment = record >>> SEGMENT_SHIFT;
    const unit = record & UNIT_MASK;
    const flags = this.words[segment]![(unit << 1) + this.lengthWord]!;
    return this.hash.hash(this.bytes[segment]!, (unit << 3) + this.keyOffset[flags >>> 30]!, flags & KEY_LENGTH_MASK);
  }

  statistics(table: number): TableStatistics {
    return tableStatistics(this, table);
  }

  /** How many chains have 0, 1, 2, ... records. */
  chainLengths(table: number): number[] {
    return chainLengths(this, table);
  }

  /** Walks the whole table and asserts I1 to I3. */
  verify(table: number): void {
    verifyTable(this, table);
  }
}
