/**
 * Quicklist: a long list as a chain of listpacks, any element in reach from the nearer end.
 *
 *      root ──► [a b c ... 8 KiB] ⇄ [d e f ...] ⇄ (one huge element) ⇄ [g h i ...]
 *                    node              node           plain node          node
 *
 *  I1  A node grows to the limits that list-max-listpack-size sets; an element that is larger stands alone.
 *  I2  An element of at least `plainMinBytes` is kept as it is, without a listpack around it.
 *  I3  An entry that finds its node full goes to the neighbour's near end, or into a new node, or splits the node;
 *      halves are joined with neighbours where both fit one node.
 *  I4  ArenaExhausted leaves the list as it was: joins are left undone, everything else is not begun.
 *
 * A place in a list is `node`, `place` (0-based in the node) and `offset` (bytes from the listpack's start).
 *
 * Source: Redis's description of quicklists; splitting and joining as in B-trees' leaves.
 */

import { copyBytes } from "../../core/bytes.ts";
import { type Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { HashTable } from "./hash-table.ts";
import {
  entryAt,
  firstEntry,
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEAD_BYTES,
  type Listpack,
  listpackEnd,
  nextEntry,
  previousEntry,
} from "./listpack.ts";
import {
  BYTES,
  CELL,
  ENTRIES,
  ENTRIES_UNLIMITED,
  frameListpack,
  HEAD,
  ITEMS,
  NEXT,
  NODES,
  OFFSET,
  PREVIOUS,
  QuicklistNodes,
  ROOM_BEHIND,
  ROOM_IN_FRONT,
  TAIL,
  writeHead,
} from "./quicklist-nodes.ts";

/** Above this no element is put into a listpack: copying it would cost more than the node saves. */
const PLAIN_MIN_BYTES = 64 * 1024;
/** From here on Redis keeps an element plain, unless DEBUG QUICKLIST-PACKED-THRESHOLD says otherwise. */
export const PACKED_THRESHOLD_BYTES = 1 << 30;
/** Bytes of a node by list-max-listpack-size -1 to -5. */
const NODE_BYTES_MAX = [4096, 8192, 16384, 32768, 65536];
/** Beyond this a node with a limited number of entries takes no second one. */
const COUNTED_NODE_BYTES_MAX = 8192;
/** What an entry may add to its text in a listpack, as far as limits go. */
const ENTRY_ESTIMATE_BYTES = 8;
/** Lists of fewer nodes are not joined after removals: whether they become a listpack again depends on their nodes. */
const JOINED_NODES_MIN = 5;
/** Cells below this are not worth shrinking. */
const SHRUNK_CELL_MIN = 256;
/** Fewer nodes than this are taken out one by one. */
const CUT_NODES_MIN = 16;
/** Mask: one pop in 16 looks whether the cell is too large. */
const POPS_PER_CHECK = 15;

export class Quicklist extends QuicklistNodes {
  /** An element of this size is plain by order, so that its list stays a quicklist; smaller ones may be plain as well. */
  packedThresholdBytes: number;
  private plainMinBytes: number;
  /** Where `seek` has come to. */
  node: number;
  place: number;
  offset: number;
  private nodeSize: number;

  constructor(arena: Arena, tables: HashTable, listpack: Listpack) {
    super(arena, tables, listpack);
    this.packedThresholdBytes = PACKED_THRESHOLD_BYTES;
    this.plainMinBytes = PLAIN_MIN_BYTES;
    this.node = 0;
    this.place = 0;
    this.offset = 0;
    this.nodeSize = -2;
  }

  // ---- limits -----------------------------------------------------------------------------------------------------------

  /** `nodeSize`: list-max-listpack-size. `packedThresholdBytes`: from here on an element is plain by order. */
  setLimits(nodeSize: number, packedThresholdBytes: number): void {
    this.packedThresholdBytes = packedThresholdBytes;
    this.plainMinBytes = packedThresholdBytes < PLAIN_MIN_BYTES ? packedThresholdBytes : PLAIN_MIN_BYTES;
    if (nodeSize === this.nodeSize) return;
    this.nodeSize = nodeSize;
    if (nodeSize < 0) {
      this.bytesMax = NODE_BYTES_MAX[Math.min(-nodeSize, NODE_BYTES_MAX.length) - 1]!;
      this.entriesMax = ENTRIES_UNLIMITED;
    } else {
      this.bytesMax = COUNTED_NODE_BYTES_MAX;
      this.entriesMax = Math.max(nodeSize, 1);
    }
  }

  /** Whether one listpack may have so many bytes and entries. */
  fitsNode(bytes: number, entries: number): boolean {
    return bytes <= this.bytesMax && entries <= this.entriesMax;
  }

  /** Whether a list of one such node is small enough to be a listpack again. */
  fitsHalfNode(bytes: number, entries: number): boolean {
    return (this.nodeSize >= 0 || bytes <= this.bytesMax / 2) && entries <= Math.floor(this.entriesMax / 2);
  }

  private allows(node: number, length: number): boolean {
    const entries = this.get(node, ENTRIES);
    return entries !== 0 && this.fitsNode(this.get(node, BYTES) + length + ENTRY_ESTIMATE_BYTES, entries + 1);
  }

  // ---- finding ----------------------------------------------------------------------------------------------------------

  /** Sets `node`, `place` and `offset` to element `index`, which must be there; negative ones count from the end. O(nodes). */
  seek(root: number, index: number): void {
    const items = this.get(root, ITEMS);
    if (index < 0) index += items;
    let node: number;
    if (index * 2 < items) {
      node = this.get(root, HEAD);
      for (let passed = this.itemsOf(node); index >= passed; passed = this.itemsOf(node)) {
        index -= passed;
        node = this.get(node, NEXT);
      }
    } else {
      node = this.get(root, TAIL);
      let left = items - this.itemsOf(node);
      while (index < left) {
        node = this.get(node, PREVIOUS);
        left -= this.itemsOf(node);
      }
      index -= left;
    }
    this.node = node;
    this.place = index;
    if (this.get(node, ENTRIES) === 0) {
      this.offset = 0;
      return;
    }
    this.readNode(node);
    this.offset = entryAt(this.valueBytes, this.valueStart, index) - this.valueStart;
  }

  // ---- adding -----------------------------------------------------------------------------------------------------------

  /** Puts an element before all others or behind them. Throws ArenaExhausted (I4). hot path */
  push(root: number, isHead: boolean, source: Uint8Array, start: number, length: number): void {
    const { listpack } = this;
    const end = this.get(root, isHead ? HEAD : TAIL);
    let node: number;
    if (length >= this.plainMinBytes) {
      node = this.makePlain(source, start, length);
    } else {
      listpack.begin();
      listpack.append(source, start, length);
      if (end !== 0 && this.allows(end, length)) {
        if (!this.putAtEnd(root, end, isHead)) {
          this.putMade(root, end, isHead ? LISTPACK_HEAD_BYTES : this.get(end, BYTES) - 1);
        }
        return;
      }
      node = this.makePacked(isHead ? ROOM_IN_FRONT : ROOM_BEHIND);
    }
    this.link(root, node, isHead ? 0 : end);
    if (end !== 0) this.trim(end);
  }

  /** As `putMade` at one end of a node, when there is room on that side; false when there is none. hot path */
  private putAtEnd(root: number, node: number, isHead: boolean): boolean {
    const { made, madeLength } = this.listpack;
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const cell = words[at + CELL]!;
    const offset = words[at + OFFSET]!;
    const bytes = words[at + BYTES]!;
    if (isHead ? offset < madeLength : this.arena.capacity(cell) - offset - bytes < madeLength) return false;
    this.tables.touch(root, node);
    const blob = this.bytes[cell >>> SEGMENT_SHIFT]!;
    let first = ((cell & UNIT_MASK) << 3) + offset;
    let to = first + bytes - 1;
    if (isHead) {
      first -= madeLength;
      to = first + LISTPACK_HEAD_BYTES;
      words[at + OFFSET] = offset - madeLength;
    } else {
      blob[to + madeLength] = blob[to]!;
    }
    copyBytes(made, 0, madeLength, blob, to);
    const entries = words[at + ENTRIES]! + 1;
    words[at + ENTRIES] = entries;
    words[at + BYTES] = bytes + madeLength;
    writeHead(blob, first, bytes + madeLength, entries);
    this.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + ITEMS]!++;
    return true;
  }

  /** Puts the one entry made in `listpack` into a node, at `offset`. */
  private putMade(root: number, node: number, offset: number): void {
    const { listpack } = this;
    this.splice(root, node, offset, 0, listpack.madeLength, 1);
    listpack.writeMade(this.valueBytes, this.valueStart + offset);
    this.put(root, ITEMS, this.get(root, ITEMS) + 1);
  }

  /** Puts a whole listpack behind all others, as a node of its own. Throws ArenaExhausted. */
  appendListpack(root: number, blob: Uint8Array, start: number, length: number, entries: number): void {
    const node = this.makeNode(entries, length, length, ROOM_BEHIND);
    copyBytes(blob, start, length, this.valueBytes, this.valueStart);
    this.link(root, node, this.get(root, TAIL));
  }

  /** Puts an element beside the one at (`node`, `place`, `offset`). Throws ArenaExhausted (I4). */
  insert(
    root: number,
    node: number,
    place: number,
    offset: number,
    isAfter: boolean,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { listpack } = this;
    const isOuter = isAfter ? place === this.itemsOf(node) - 1 : place === 0;
    const neighbour = this.get(node, isAfter ? NEXT : PREVIOUS);
    listpack.begin();
    if (length >= this.plainMinBytes) {
      this.insertPlain(root, node, place, offset, isAfter, isOuter, this.makePlain(source, start, length));
      return;
    }
    listpack.append(source, start, length);
    if (this.allows(node, length)) {
      if (isAfter) {
        this.readNode(node);
        offset = nextEntry(this.valueBytes, this.valueStart + offset) - this.valueStart;
      }
      this.putMade(root, node, offset);
    } else if (isOuter && neighbour !== 0 && this.allows(neighbour, length)) {
      this.putMade(root, neighbour, isAfter ? LISTPACK_HEAD_BYTES : this.get(neighbour, BYTES) - 1);
    } else if (isOuter) {
      this.link(root, this.makePacked(ROOM_BEHIND), isAfter ? node : neighbour);
    } else {
      this.splitOff(root, node, place, offset, isAfter);
      this.joinAround(root, node);
    }
  }

  private insertPlain(
    root: number,
    node: number,
    place: number,
    offset: number,
    isAfter: boolean,
    isOuter: boolean,
    plain: number,
  ): void {
    if (!isOuter) {
      try {
        this.splitOff(root, node, place, offset, isAfter);
      } catch (error) {
        this.freeNode(plain);
        throw error;
      }
    }
    this.link(root, plain, isAfter ? node : this.get(node, PREVIOUS));
  }

  /**
   * Moves what is behind the entry at `offset` (before it, when not `isAfter`) into a new node beside, with the entries
   * made in `listpack` on its near end. Throws ArenaExhausted (I4).
   */
  private splitOff(root: number, node: number, place: number, offset: number, isAfter: boolean): void {
    const { listpack } = this;
    this.readNode(node);
    const blob = this.valueBytes;
    const from = this.valueStart;
    const cut = isAfter ? nextEntry(blob, from + offset) - from : LISTPACK_HEAD_BYTES;
    const movedBytes = (isAfter ? this.valueLength - 1 : offset) - cut;
    const movedEntries = isAfter ? this.get(node, ENTRIES) - place - 1 : place;
    const bytes = LISTPACK_EMPTY_BYTES + movedBytes + listpack.madeLength;
    const half = this.makeNode(movedEntries + listpack.madeCount, bytes, bytes, ROOM_BEHIND);
    const first = firstEntry(this.valueStart);
    listpack.writeMade(this.valueBytes, isAfter ? first : first + movedBytes);
    copyBytes(blob, from + cut, movedBytes, this.valueBytes, isAfter ? first + listpack.madeLength : first);
    frameListpack(this.valueBytes, this.valueStart, bytes, movedEntries + listpack.madeCount);
    this.splice(root, node, cut, movedBytes, 0, -movedEntries);
    this.put(root, ITEMS, this.get(root, ITEMS) - movedEntries);
    this.link(root, half, isAfter ? node : this.get(node, PREVIOUS));
    this.trim(node);
  }

  /** Replaces the element at (`node`, `place`, `offset`). Throws ArenaExhausted (I4). */
  replace(
    root: number,
    node: number,
    place: number,
    offset: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    if (this.get(node, ENTRIES) === 0) {
      this.insert(root, node, 0, 0, true, source, start, length);
      this.unlink(root, node);
      return;
    }
    this.readNode(node);
    const at = this.valueStart + offset;
    const oldBytes = nextEntry(this.valueBytes, at) - at;
    const { listpack } = this;
    if (length < this.plainMinBytes) {
      listpack.begin();
      listpack.append(source, start, length);
      const newBytes = listpack.madeLength;
      if (newBytes <= oldBytes || this.get(node, BYTES) - oldBytes + newBytes <= this.bytesMax) {
        this.splice(root, node, offset, oldBytes, newBytes, 0);
        listpack.writeMade(this.valueBytes, this.valueStart + offset);
        this.shrinkCell(node);
        return;
      }
    }
    this.replaceApart(root, node, place, offset, source, start, length);
  }

  /** The new element gets a node of its own, between what is before and behind the old one. */
  private replaceApart(
    root: number,
    node: number,
    place: number,
    offset: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { listpack } = this;
    let apart: number;
    if (length >= this.plainMinBytes) {
      apart = this.makePlain(source, start, length);
    } else {
      apart = this.makePacked(ROOM_BEHIND); // what `replace` has made
    }
    listpack.begin();
    const isLast = place === this.itemsOf(node) - 1;
    this.insertPlain(root, node, place, offset, true, isLast, apart);
    if (this.get(node, ENTRIES) === 1) {
      this.unlink(root, node);
    } else {
      this.removeEntries(root, node, offset, 1);
      this.joinAround(root, node);
    }
  }

  // ---- removing -----------------------------------------------------------------------------------------------------------

  /** Takes out `count` elements from `index` on; all of them must be there. Cannot fail. */
  removeRange(root: number, index: number, count: number): void {
    if (count === 0) return;
    this.seek(root, index);
    let { node, place, offset } = this;
    for (;;) {
      const items = this.itemsOf(node);
      const next = this.get(node, NEXT);
      let removed = items - place;
      if (place === 0 && count >= items) {
        this.unlink(root, node);
      } else {
        removed = Math.min(removed, count);
        this.removeEntries(root, node, offset, removed);
      }
      count -= removed;
      if (count === 0) return;
      node = next;
      place = 0;
      offset = LISTPACK_HEAD_BYTES;
    }
  }

  /**
   * Takes `count` elements off one end; at least one stays. When many nodes go as a whole, they become a list of their
   * own, which is the caller's to free, in its own time: returns its root, otherwise 0. Cannot fail.
   */
  cutOff(root: number, isHead: boolean, count: number): number {
    const staying = this.get(root, ITEMS) - count;
    const outward = isHead ? PREVIOUS : NEXT;
    const inward = isHead ? NEXT : PREVIOUS;
    let cut = 0;
    if (this.get(root, NODES) >= CUT_NODES_MIN && count > 0) {
      // From the nearer end to the outermost node that stays: `passed` elements, in `nodes` nodes before it.
      const isFromCut = count <= staying;
      const wanted = isFromCut ? count : staying - 1;
      let node = this.get(root, isFromCut === isHead ? HEAD : TAIL);
      let nodes = 0;
      let passed = 0;
      for (let items = this.itemsOf(node); passed + items <= wanted; items = this.itemsOf(node)) {
        passed += items;
        nodes++;
        node = this.get(node, isFromCut ? inward : outward);
      }
      const cutNodes = isFromCut ? nodes : this.get(root, NODES) - nodes - 1;
      const cutItems = isFromCut ? passed : this.get(root, ITEMS) - passed - this.itemsOf(node);
      if (cutNodes >= CUT_NODES_MIN) cut = this.detach(root, node, isHead, cutNodes, cutItems);
    }
    const rest = this.get(root, ITEMS) - staying;
    this.removeRange(root, isHead ? 0 : staying, rest);
    return cut;
  }

  /**
   * Makes a list of the `nodes` nodes, with `items` elements, before (`isHead`) or behind `node`; 0 when there is no memory.
   * No node changes: a snapshot that has yet to see them finds them as they are.
   */
  private detach(root: number, node: number, isHead: boolean, nodes: number, items: number): number {
    let cut: number;
    try {
      cut = this.create();
    } catch (error) {
      if (error instanceof ArenaExhausted) return 0;
      throw error;
    }
    const near = isHead ? HEAD : TAIL;
    const far = isHead ? TAIL : HEAD;
    const outward = isHead ? PREVIOUS : NEXT;
    const edge = this.get(node, outward);
    this.put(cut, near, this.get(root, near));
    this.put(cut, far, edge);
    this.put(cut, NODES, nodes);
    this.put(cut, ITEMS, items);
    this.put(edge, isHead ? NEXT : PREVIOUS, 0);
    this.put(node, outward, 0);
    this.put(root, near, node);
    this.put(root, NODES, this.get(root, NODES) - nodes);
    this.put(root, ITEMS, this.get(root, ITEMS) - items);
    return cut;
  }

  /** Takes the first or the last element out. Cannot fail. hot path */
  pop(root: number, isHead: boolean): void {
    const node = this.get(root, isHead ? HEAD : TAIL);
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const entries = words[at + ENTRIES]! - 1;
    if (entries <= 0) {
      this.unlink(root, node);
      return;
    }
    this.tables.touch(root, node);
    const cell = words[at + CELL]!;
    const offset = words[at + OFFSET]!;
    let bytes = words[at + BYTES]!;
    const blob = this.bytes[cell >>> SEGMENT_SHIFT]!;
    let first = ((cell & UNIT_MASK) << 3) + offset;
    if (isHead) {
      const removed = nextEntry(blob, first + LISTPACK_HEAD_BYTES) - first - LISTPACK_HEAD_BYTES;
      words[at + OFFSET] = offset + removed;
      first += removed;
      bytes -= removed;
    } else {
      const end = first + bytes - 1;
      const last = previousEntry(blob, end);
      blob[last] = blob[end]!;
      bytes -= end - last;
    }
    words[at + ENTRIES] = entries;
    words[at + BYTES] = bytes;
    writeHead(blob, first, bytes, entries);
    this.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + ITEMS]!--;
    if ((entries & POPS_PER_CHECK) === 0) this.shrinkCell(node);
  }

  /** Takes some, but not all, entries out of a node. */
  private removeEntries(root: number, node: number, offset: number, count: number): void {
    this.readNode(node);
    const blob = this.valueBytes;
    const from = this.valueStart + offset;
    let to = from;
    for (let passed = 0; passed < count; passed++) to = nextEntry(blob, to);
    this.splice(root, node, offset, to - from, 0, -count);
    this.put(root, ITEMS, this.get(root, ITEMS) - count);
    this.shrinkCell(node);
  }

  /** A cell of which three quarters are free gives way to one half as large. */
  private shrinkCell(node: number): void {
    const capacity = this.arena.capacity(this.get(node, CELL));
    const bytes = this.get(node, BYTES);
    if (capacity < SHRUNK_CELL_MIN || bytes * 4 > capacity) return;
    try {
      this.moveCell(node, bytes * 2);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
    }
  }

  /**
   * Takes out what equals the entry made in `listpack`: of a node's matches the first `skip` stay, then at most `max` go.
   * Returns how many went; the node may be gone then. Cannot fail.
   */
  removeMatches(root: number, node: number, skip: number, max: number): number {
    this.readNode(node);
    if (this.listpack.find(this.valueBytes, firstEntry(this.valueStart), 0) === -1) return 0;
    this.tables.touch(root, node);
    const removed = compactMatches(this.listpack, this.valueBytes, this.valueStart, skip, max);
    if (removed === 0) return 0;
    const entries = this.get(node, ENTRIES);
    if (removed === entries) {
      this.unlink(root, node);
      return removed;
    }
    const bytes = listpackEnd(this.valueBytes, this.valueStart) + 1 - this.valueStart;
    this.put(node, BYTES, bytes);
    this.put(node, ENTRIES, entries - removed);
    writeHead(this.valueBytes, this.valueStart, bytes, entries - removed);
    this.put(root, ITEMS, this.get(root, ITEMS) - removed);
    this.shrinkCell(node);
    return removed;
  }

  /** Takes a plain node out. */
  removePlain(root: number, node: number): void {
    this.unlink(root, node);
  }

  // ---- joining --------------------------------------------------------------------------------------------------------------

  /** Joins `center` and its neighbours, two on each side, where two fit one node. */
  private joinAround(root: number, center: number): void {
    const previous = this.get(center, PREVIOUS);
    const next = this.get(center, NEXT);
    if (previous !== 0) this.join(root, this.get(previous, PREVIOUS), previous, this.bytesMax);
    if (next !== 0) this.join(root, next, this.get(next, NEXT), this.bytesMax);
    const before = this.get(center, PREVIOUS);
    const target = this.join(root, before, center, this.bytesMax) ? before : center;
    this.join(root, target, this.get(target, NEXT), this.bytesMax);
  }

  /**
   * Joins a node that has lost elements with the neighbour before it, or with the one behind it, when both together are
   * well below a node's limits; in a list of few nodes nothing happens. Returns the node in which its elements are now.
   */
  joinSmall(root: number, node: number, isWithPrevious: boolean): number {
    if (this.get(root, NODES) < JOINED_NODES_MIN) return node;
    const bytesMax = this.bytesMax * 0.75;
    if (!isWithPrevious) {
      this.join(root, node, this.get(node, NEXT), bytesMax);
      return node;
    }
    const previous = this.get(node, PREVIOUS);
    return this.join(root, previous, node, bytesMax) ? previous : node;
  }

  /** Moves the entries of `next` behind those of `node` when both are there and fit `bytesMax`; returns whether it did. */
  private join(root: number, node: number, next: number, bytesMax: number): boolean {
    if (node === 0 || next === 0) return false;
    const entries = this.get(next, ENTRIES);
    const bytes = this.get(next, BYTES) - LISTPACK_EMPTY_BYTES;
    const all = this.get(node, ENTRIES) + entries;
    if (entries === 0 || all === entries || all > this.entriesMax || this.get(node, BYTES) + bytes > bytesMax)
      return false;
    const end = this.get(node, BYTES) - 1;
    try {
      this.splice(root, node, end, 0, bytes, entries);
    } catch (error) {
      if (error instanceof ArenaExhausted) return false;
      throw error;
    }
    const target = this.valueBytes;
    const at = this.valueStart + end;
    this.readNode(next);
    copyBytes(this.valueBytes, firstEntry(this.valueStart), bytes, target, at);
    this.put(root, ITEMS, this.get(root, ITEMS) + entries);
    this.unlink(root, next);
    return true;
  }

  // ---- whole lists ------------------------------------------------------------------------------------------------------------

  /** A copy in cells of its own. Throws ArenaExhausted and leaves nothing behind. */
  copy(root: number): number {
    const copied = this.create();
    try {
      for (let node = this.get(root, HEAD); node !== 0; node = this.get(node, NEXT)) {
        this.readNode(node);
        const { valueBytes, valueStart, valueLength } = this;
        const made = this.makeNode(this.get(node, ENTRIES), valueLength, valueLength, ROOM_BEHIND);
        copyBytes(valueBytes, valueStart, valueLength, this.valueBytes, this.valueStart);
        this.link(copied, made, this.get(copied, TAIL));
      }
    } catch (error) {
      this.destroy(copied);
      throw error;
    }
    return copied;
  }

  /** As Structure.relocate. */
  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number {
    const { arena } = this;
    let moved = 0;
    if (arena.isSparse(root, fillMax)) {
      const copy = this.create();
      for (const field of [HEAD, TAIL, ITEMS, NODES]) this.put(copy, field, this.get(root, field));
      arena.free(root);
      setRoot(copy);
      root = copy;
      moved++;
    }
    for (let node = this.get(root, HEAD); node !== 0; node = this.get(node, NEXT)) {
      if (arena.isSparse(this.get(node, CELL), fillMax)) {
        const old = this.get(node, CELL);
        const cell = arena.allocate(arena.capacity(old));
        arena.move(old, this.get(node, OFFSET), cell, this.get(node, OFFSET), this.get(node, BYTES));
        this.put(node, CELL, cell);
        arena.free(old);
        moved++;
      }
      if (arena.isSparse(node, fillMax)) {
        node = this.moveNode(root, node);
        moved++;
      }
    }
    return moved;
  }
}

/**
 * Takes out of the listpack at `start` what equals the entry made in `listpack`: the first `skip` matches stay, then at
 * most `max` go. Writes the new length into its head, not the count. Returns how many went.
 */
export function compactMatches(listpack: Listpack, blob: Uint8Array, start: number, skip: number, max: number): number {
  let removed = 0;
  let kept = firstEntry(start);
  let write = kept;
  for (let at = listpack.find(blob, kept, 0); at !== -1 && removed < max; ) {
    const next = nextEntry(blob, at);
    if (skip > 0) {
      skip--;
    } else {
      if (write !== kept) blob.copyWithin(write, kept, at);
      write += at - kept;
      kept = next;
      removed++;
    }
    at = listpack.find(blob, next, 0);
  }
  if (removed === 0) return 0;
  const end = listpackEnd(blob, start) + 1;
  blob.copyWithin(write, kept, end);
  writeHead(blob, start, write + end - kept - start, 0);
  return removed;
}

/** How many entries of the listpack at `start` equal the one made in `listpack`. */
export function countMatches(listpack: Listpack, blob: Uint8Array, start: number): number {
  let count = 0;
  for (
    let at = listpack.find(blob, firstEntry(start), 0);
    at !== -1;
    at = listpack.find(blob, nextEntry(blob, at), 0)
  ) {
    count++;
  }
  return count;
}
