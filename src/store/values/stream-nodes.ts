/**
 * Stream nodes: up to some hundred entries of a stream as one listpack, in Redis's own form, in one cell or two.
 *
 *      cell       [rest][0][0][epoch]  listpack ...                   rest: address of a second cell, 0 when there is none
 *      rest                            ... listpack                   what the first cell has no room for
 *
 *      listpack   live  deleted  fieldCount  field ...  0             the master entry: the names that most entries share
 *                 flags  ms  sequence  (fieldCount)  (field) value ...  elements       differences to the master's id
 *                 flags: 1 deleted, 2 the names are the master's      elements: how many come before it, from flags on
 *
 *  I1  The node's id, with which it stands in the tree, is that of its first entry, deleted or not.
 *  I2  A cell (or the last of two) has SPARE_BYTES more than the listpack, so that counts can grow: marking an entry as
 *      deleted allocates nothing.
 *  I3  The node to which entries are appended has one cell.
 *  I4  `open` makes the listpack readable as a whole: of two cells by a copy. Changes go through this class, which writes
 *      them to the copy and to the cells.
 *
 * Sizes of cells are coarse: 1024 bytes, then 1360, 2048 and whole frames of 4096. A node of 1250 bytes is 1024 and 256,
 * one of 4110 is 4096 and 32.
 *
 * Source: the format's public description; DUMP of a real server.
 */

import { readUint16, readUint32 } from "../../core/numbers.ts";
import { Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { isNumberEntry, LISTPACK_HEAD_BYTES, nextEntry, numberAt, writeIntegerEntry } from "../encodings/listpack.ts";

export const FLAG_DELETED = 1;
export const FLAG_SAME_FIELDS = 2;
export const NODE_HEAD_BYTES = 16;

const SPARE_BYTES = 4;
const REST = 0;
const EPOCH = 3;
/** First cells of which a second one holds the rest. */
const FIRST_CELLS = [680, 1024, 1360, 2048];
/** A second cell must spare this share of one large cell. */
const SPLIT_GAIN = 1 / 16;
/** The head of a listpack counts up to here. */
const ELEMENTS_MAX = 0xffff;
/** Most bytes that live and deleted counts take. */
const COUNTS_BYTES_MAX = 12;

export class StreamNodes {
  readonly arena: Arena;
  /** The node that `open` has made readable; its listpack is blob[start ... start + length). */
  node: number;
  blob: Uint8Array;
  start: number;
  length: number;
  /** Read by `readMaster`: counts of entries, the master's names, where they and the first entry begin. */
  live: number;
  deleted: number;
  fieldCount: number;
  fieldsAt: number;
  firstAt: number;

  private copy: Uint8Array;
  private readonly counts: Uint8Array;

  constructor(arena: Arena) {
    this.arena = arena;
    this.node = 0;
    this.blob = arena.bytes[0]!;
    this.start = 0;
    this.length = 0;
    this.live = 0;
    this.deleted = 0;
    this.fieldCount = 0;
    this.fieldsAt = 0;
    this.firstAt = 0;
    this.copy = new Uint8Array(0);
    this.counts = new Uint8Array(COUNTS_BYTES_MAX);
  }

  // ---- reading ------------------------------------------------------------------------------------------------------

  /** Makes the node's listpack readable, and its counts. Valid until the next write or `open`. hot path */
  open(node: number): void {
    const segment = node >>> SEGMENT_SHIFT;
    const rest = this.arena.words[segment]![((node & UNIT_MASK) << 1) + REST]!;
    const bytes = this.arena.bytes[segment]!;
    const start = (node & UNIT_MASK) * 8 + NODE_HEAD_BYTES;
    this.node = node;
    this.length = readUint32(bytes, start);
    this.blob = bytes;
    this.start = start;
    if (rest !== 0) this.join(node, rest);
    const live = this.start + LISTPACK_HEAD_BYTES;
    const deleted = nextEntry(this.blob, live);
    this.live = integerAt(this.blob, live);
    this.deleted = integerAt(this.blob, deleted);
    this.fieldCount = -1;
    this.fieldsAt = nextEntry(this.blob, deleted);
  }

  /** Reads the master entry of the open node. hot path */
  readMaster(): void {
    const { blob } = this;
    let at = this.fieldsAt;
    const fieldCount = integerAt(blob, at);
    at = nextEntry(blob, at);
    this.fieldsAt = at;
    this.fieldCount = fieldCount;
    for (let field = 0; field < fieldCount; field++) at = nextEntry(blob, at);
    this.firstAt = nextEntry(blob, at);
  }

  /** Position of the end mark of the open node. */
  end(): number {
    return this.start + this.length - 1;
  }

  private join(node: number, rest: number): void {
    const { length } = this;
    if (this.copy.length < length + SPARE_BYTES) this.copy = new Uint8Array(length * 2 + SPARE_BYTES);
    const first = this.arena.capacity(node) - NODE_HEAD_BYTES;
    this.copy.set(this.blob.subarray(this.start, this.start + first));
    const at = (rest & UNIT_MASK) * 8;
    this.copy.set(this.arena.bytes[rest >>> SEGMENT_SHIFT]!.subarray(at, at + length - first), first);
    this.blob = this.copy;
    this.start = 0;
  }

  /** Entries of a node that are not deleted. */
  liveOf(node: number): number {
    return integerAt(
      this.arena.bytes[node >>> SEGMENT_SHIFT]!,
      (node & UNIT_MASK) * 8 + NODE_HEAD_BYTES + LISTPACK_HEAD_BYTES,
    );
  }

  /** Position of the listpack of a node of one cell in its segment. */
  startOf(node: number): number {
    return (node & UNIT_MASK) * 8 + NODE_HEAD_BYTES;
  }

  restOf(node: number): number {
    return this.arena.words[node >>> SEGMENT_SHIFT]![((node & UNIT_MASK) << 1) + REST]!;
  }

  /** Bytes of the node's listpack. */
  lengthOf(node: number): number {
    return readUint32(this.arena.bytes[node >>> SEGMENT_SHIFT]!, (node & UNIT_MASK) * 8 + NODE_HEAD_BYTES);
  }

  /** Bytes of the node's cells. */
  cellBytes(node: number): number {
    const rest = this.restOf(node);
    return this.arena.capacity(node) + (rest === 0 ? 0 : this.arena.capacity(rest));
  }

  // ---- cells --------------------------------------------------------------------------------------------------------

  /** A node of one cell with room for a listpack of `bytes`, which is to be written. Throws ArenaExhausted. */
  allocate(bytes: number, epoch: number): number {
    const node = this.arena.allocate(NODE_HEAD_BYTES + bytes + SPARE_BYTES);
    this.writeHead(node, 0, epoch);
    return node;
  }

  private writeHead(node: number, rest: number, epoch: number): void {
    const words = this.arena.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    words[at + REST] = rest;
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + EPOCH] = epoch;
  }

  epochOf(node: number): number {
    return this.arena.words[node >>> SEGMENT_SHIFT]![((node & UNIT_MASK) << 1) + EPOCH]!;
  }

  /** Whether a node of one cell has room for a listpack of `bytes`. hot path */
  hasRoom(node: number, bytes: number): boolean {
    return this.arena.capacity(node) >= NODE_HEAD_BYTES + bytes + SPARE_BYTES;
  }

  free(node: number): void {
    const rest = this.restOf(node);
    if (rest !== 0) this.arena.free(rest);
    this.arena.free(node);
  }

  /** A node of one cell with the same listpack and room for one of `bytes`. Throws ArenaExhausted. */
  enlarged(node: number, bytes: number): number {
    const larger = this.allocate(bytes, this.epochOf(node));
    this.copyListpack(node, larger);
    return larger;
  }

  /** A copy of the node in cells of its own, as small as can be. Throws ArenaExhausted. */
  copied(node: number, epoch: number): number {
    return this.packed(node, epoch, false);
  }

  /**
   * The same listpack in cells without needless room, the epoch being kept; `node` itself when there is little to gain
   * or no memory. The old cells are the caller's to free.
   */
  compacted(node: number): number {
    try {
      return this.packed(node, this.epochOf(node), true);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      return node;
    }
  }

  private packed(node: number, epoch: number, isOptional: boolean): number {
    const length = this.lengthOf(node);
    const wanted = NODE_HEAD_BYTES + length + SPARE_BYTES;
    let bestBytes = Arena.cellBytes(wanted);
    let firstBytes = bestBytes;
    const enough = bestBytes * (1 - SPLIT_GAIN);
    for (let index = 0; index <= FIRST_CELLS.length; index++) {
      // Beyond the slabs, whole frames.
      const first = index < FIRST_CELLS.length ? FIRST_CELLS[index]! : wanted - (wanted & 4095);
      // All that moves when counts change, and the spare bytes, must not straddle the end.
      if (first < 680 || first >= wanted - SPARE_BYTES) continue;
      const both = first + Arena.cellBytes(wanted - first);
      if (both < bestBytes && both < enough) {
        bestBytes = both;
        firstBytes = first;
      }
    }
    if (isOptional && bestBytes >= this.cellBytes(node)) return node;
    const target = this.arena.allocate(firstBytes);
    let rest = 0;
    if (firstBytes < wanted) {
      try {
        rest = this.arena.allocate(wanted - firstBytes);
      } catch (error) {
        this.arena.free(target);
        throw error;
      }
    }
    this.writeHead(target, rest, epoch);
    this.copyListpack(node, target);
    return target;
  }

  private copyListpack(from: number, to: number): void {
    this.open(from);
    this.writeBack(to, 0, this.blob, this.start, this.length);
  }

  /** Writes `length` bytes at `offset` of the listpack of `node` to where they lie. */
  private writeBack(node: number, offset: number, source: Uint8Array, start: number, length: number): void {
    const first = this.arena.capacity(node) - NODE_HEAD_BYTES;
    const rest = this.restOf(node);
    const inFirst = rest === 0 ? length : Math.max(0, Math.min(length, first - offset));
    if (inFirst > 0) this.arena.copyIn(node, NODE_HEAD_BYTES + offset, source, start, inFirst);
    if (inFirst < length) {
      this.arena.copyIn(rest, offset + inFirst - first, source, start + inFirst, length - inFirst);
    }
  }

  // ---- changes of the open node ---------------------------------------------------------------------------------------

  /** Marks the entry at position `at` of the open node as deleted; the counts are left to `writeCounts`. */
  markDeleted(at: number): void {
    // Flags are numbers below 128: one byte, and its value.
    this.blob[at] = this.blob[at]! | FLAG_DELETED;
    if (this.restOf(this.node) !== 0) this.writeBack(this.node, at - this.start, this.blob, at, 1);
  }

  /**
   * Writes other counts of live and deleted entries into the open node, whose cell must have the room when it becomes
   * longer (I2). Positions behind the counts may move: `open` it again.
   */
  writeCounts(live: number, deleted: number): void {
    const { counts } = this;
    const isCopy = this.restOf(this.node) !== 0;
    const at = this.start + LISTPACK_HEAD_BYTES;
    const oldEnd = nextEntry(this.blob, nextEntry(this.blob, at));
    const bytes = writeIntegerEntry(counts, writeIntegerEntry(counts, 0, live), deleted);
    const change = at + bytes - oldEnd;
    if (change !== 0) {
      this.blob.copyWithin(oldEnd + change, oldEnd, this.start + this.length);
      this.length += change;
      writeNodeHead(this.blob, this.start, this.length, 0);
    }
    for (let index = 0; index < bytes; index++) this.blob[at + index] = counts[index]!;
    this.live = live;
    this.deleted = deleted;
    if (!isCopy) return;
    const changed = change === 0 ? LISTPACK_HEAD_BYTES + bytes : this.length;
    this.writeBack(this.node, 0, this.blob, this.start, changed);
  }
}

/** Writes a listpack's bytes in all, and that it has `added` more elements; 65535 of them stay "so many or more". hot path */
export function writeNodeHead(blob: Uint8Array, start: number, bytes: number, added: number): void {
  blob[start] = bytes;
  blob[start + 1] = bytes >>> 8;
  blob[start + 2] = bytes >>> 16;
  blob[start + 3] = bytes >>> 24;
  const count = Math.min(readUint16(blob, start + 4) + added, ELEMENTS_MAX);
  blob[start + 4] = count;
  blob[start + 5] = count >>> 8;
}

/** Bytes of the entry of a count. */
export function countEntryBytes(count: number): number {
  if (count <= 127) return 2;
  if (count <= 4095) return 3;
  if (count <= 0x7fff) return 4;
  return count <= 0x7fffff ? 5 : 6;
}

/** The number of an entry that is one; -1 when it is none or not within 2^53. */
export function integerAt(blob: Uint8Array, at: number): number {
  const first = blob[at]!;
  if (first < 0x80) return first;
  if (!isNumberEntry(blob, at)) return -1;
  const value = numberAt(blob, at);
  return typeof value === "number" ? value : -1;
}
