/**
 * The nodes of quicklists: cells, links, and the bytes of their listpacks. What a list's elements are is above: quicklist.ts.
 *
 *      root    head │ tail │ items │ nodes
 *      node    previous │ next │ entries │ epoch │ cell │ offset │ bytes        entries 0: the cell holds one plain element
 *      cell    [ free ][ listpack: head, entries, end mark ][ free ]
 *                      ▲ offset                             room at both ends: either end of a list is pushed and popped
 *                                                           without moving what lies between
 *
 *  I1  `items` is the sum of all nodes' entries, a plain node counting as one; no node is empty.
 *  I2  A listpack's own head says its bytes and entries as the node does.
 *  I3  A node's listpack changes, or a node is freed, only after `touch` showed it to the snapshot that runs; new nodes
 *      have that snapshot's number and are never shown.
 *  I4  New cells are allocated before old ones are freed: ArenaExhausted leaves everything as it was.
 *
 * The node is apart from its cell, so that a listpack of exactly 8 KiB fits two frames, and growing changes no links.
 */

import { copyBytes, moveBytes } from "../../core/bytes.ts";
import { Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { ValueView } from "../keyspace/record.ts";
import type { HashTable } from "./hash-table.ts";
import { LISTPACK_EMPTY_BYTES, type Listpack } from "./listpack.ts";

export const HEAD = 0;
export const TAIL = 1;
export const ITEMS = 2;
export const NODES = 3;
const ROOT_BYTES = 16;

export const PREVIOUS = 0;
export const NEXT = 1;
export const ENTRIES = 2;
export const EPOCH = 3;
export const CELL = 4;
export const OFFSET = 5;
export const BYTES = 6;
const NODE_BYTES = 28;

const END = 0xff;
const ENTRIES_SAID_MAX = 0xffff;
/** `entriesMax` of a node that is limited in bytes alone. */
export const ENTRIES_UNLIMITED = 0x3fffffff;
/** First cell of a node that will probably get more entries. */
const FIRST_CELL_BYTES = 128;

/** Which side of a cell keeps the room that is left. */
export const ROOM_IN_FRONT = 0;
export const ROOM_BEHIND = 1;
export const ROOM_AROUND = 2;

export class QuicklistNodes implements ValueView {
  readonly arena: Arena;
  readonly tables: HashTable;
  readonly listpack: Listpack;
  /** What `readNode` found: a listpack, or the element of a plain node. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** Limits of a node, as list-max-listpack-size sets them. */
  bytesMax: number;
  entriesMax: number;
  protected readonly words: Int32Array[];
  protected readonly bytes: Uint8Array[];

  constructor(arena: Arena, tables: HashTable, listpack: Listpack) {
    this.arena = arena;
    this.tables = tables;
    this.listpack = listpack;
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.bytesMax = 8192;
    this.entriesMax = ENTRIES_UNLIMITED;
    this.words = arena.words;
    this.bytes = arena.bytes;
  }

  // ---- fields -------------------------------------------------------------------------------------------------------

  get(address: number, field: number): number {
    return this.words[address >>> SEGMENT_SHIFT]![((address & UNIT_MASK) << 1) + field]!;
  }

  protected put(address: number, field: number, value: number): void {
    this.words[address >>> SEGMENT_SHIFT]![((address & UNIT_MASK) << 1) + field] = value;
  }

  /** Elements of a list. */
  count(root: number): number {
    return this.get(root, ITEMS);
  }

  isPlain(node: number): boolean {
    return this.get(node, ENTRIES) === 0;
  }

  /** Elements of a node. */
  itemsOf(node: number): number {
    return this.get(node, ENTRIES) || 1;
  }

  /** Points the value registers to the node's content. hot path */
  readNode(node: number): void {
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const cell = words[at + CELL]!;
    this.valueBytes = this.bytes[cell >>> SEGMENT_SHIFT]!;
    this.valueStart = ((cell & UNIT_MASK) << 3) + words[at + OFFSET]!;
    this.valueLength = words[at + BYTES]!;
  }

  // ---- making and freeing -----------------------------------------------------------------------------------------------

  /** An empty list. Throws ArenaExhausted. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    for (let field = 0; field < 4; field++) this.put(root, field, 0);
    return root;
  }

  /** Frees up to `count` nodes from the head on; returns whether there are more. Nothing is shown to a snapshot. */
  freeNodes(root: number, count: number): boolean {
    let node = this.get(root, HEAD);
    for (let freed = 0; node !== 0 && freed < count; freed++) {
      const next = this.get(node, NEXT);
      this.freeNode(node);
      node = next;
    }
    this.put(root, HEAD, node);
    return node !== 0;
  }

  /** Frees a list at once. */
  destroy(root: number): void {
    this.freeNodes(root, Number.POSITIVE_INFINITY);
    this.arena.free(root);
  }

  protected freeNode(node: number): void {
    this.arena.free(this.get(node, CELL));
    this.arena.free(node);
  }

  /**
   * A node without neighbours, with a cell of `roomBytes`; its content of `bytes` bytes, undefined, begins where `room`
   * says. `entries` 0: plain. Sets the value registers. Throws ArenaExhausted.
   */
  protected makeNode(entries: number, bytes: number, roomBytes: number, room: number): number {
    const node = this.arena.allocate(NODE_BYTES);
    let cell: number;
    try {
      cell = this.arena.allocate(roomBytes);
    } catch (error) {
      this.arena.free(node);
      throw error;
    }
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    words[at + PREVIOUS] = 0;
    words[at + NEXT] = 0;
    words[at + ENTRIES] = entries;
    words[at + EPOCH] = this.tables.snapshotId;
    words[at + CELL] = cell;
    words[at + OFFSET] = this.offsetFor(this.arena.capacity(cell) - bytes, room);
    words[at + BYTES] = bytes;
    this.readNode(node);
    return node;
  }

  /** A node of one element that is kept as it is. Throws ArenaExhausted. */
  protected makePlain(source: Uint8Array, start: number, length: number): number {
    const node = this.makeNode(0, length, length, ROOM_BEHIND);
    copyBytes(source, start, length, this.valueBytes, this.valueStart);
    return node;
  }

  /** A node with the entries made in `listpack`, with room for more. Throws ArenaExhausted. */
  protected makePacked(room: number): number {
    const { listpack } = this;
    const bytes = LISTPACK_EMPTY_BYTES + listpack.madeLength;
    const roomBytes = this.roomFor(bytes, listpack.madeCount);
    const node = this.makeNode(listpack.madeCount, bytes, Math.max(bytes, Math.min(roomBytes, FIRST_CELL_BYTES)), room);
    listpack.writeBlob(this.valueBytes, this.valueStart);
    return node;
  }

  private offsetFor(slack: number, room: number): number {
    if (room === ROOM_BEHIND) return 0;
    return room === ROOM_IN_FRONT ? slack : slack >>> 1;
  }

  /** How large a cell becomes that must hold `bytes` with `entries`: twice that, but not beyond what a node may have. */
  private roomFor(bytes: number, entries: number): number {
    let room = Math.min(bytes * 2, this.bytesMax);
    if (entries > 0 && this.entriesMax < entries * 2)
      room = Math.min(room, Math.ceil((bytes / entries) * this.entriesMax));
    return Math.max(bytes, room);
  }

  // ---- links ----------------------------------------------------------------------------------------------------------

  /** Puts a new node behind `previous` (0: at the head). */
  protected link(root: number, node: number, previous: number): void {
    const next = previous === 0 ? this.get(root, HEAD) : this.get(previous, NEXT);
    this.put(node, PREVIOUS, previous);
    this.put(node, NEXT, next);
    if (previous === 0) this.put(root, HEAD, node);
    else this.put(previous, NEXT, node);
    if (next === 0) this.put(root, TAIL, node);
    else this.put(next, PREVIOUS, node);
    this.put(root, NODES, this.get(root, NODES) + 1);
    this.put(root, ITEMS, this.get(root, ITEMS) + this.itemsOf(node));
  }

  /** Takes a node out, with all that is in it, and frees it. */
  protected unlink(root: number, node: number): void {
    this.tables.touch(root, node);
    const previous = this.get(node, PREVIOUS);
    const next = this.get(node, NEXT);
    if (previous === 0) this.put(root, HEAD, next);
    else this.put(previous, NEXT, next);
    if (next === 0) this.put(root, TAIL, previous);
    else this.put(next, PREVIOUS, previous);
    this.put(root, NODES, this.get(root, NODES) - 1);
    this.put(root, ITEMS, this.get(root, ITEMS) - this.itemsOf(node));
    this.freeNode(node);
  }

  // ---- bytes ----------------------------------------------------------------------------------------------------------

  /**
   * In the listpack of `node` the `removed` bytes at `offset` give way to `inserted` others, which are undefined and to
   * be filled at valueStart + offset; `entryChange` entries more. Sets the value registers. Throws ArenaExhausted (I4).
   * hot path
   */
  protected splice(
    root: number,
    node: number,
    offset: number,
    removed: number,
    inserted: number,
    entryChange: number,
  ): void {
    this.tables.touch(root, node);
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const cell = words[at + CELL]!;
    const start = words[at + OFFSET]!;
    const length = words[at + BYTES]!;
    const change = inserted - removed;
    const behind = length - offset - removed;
    const bytes = this.bytes[cell >>> SEGMENT_SHIFT]!;
    const base = (cell & UNIT_MASK) << 3;
    const isFrontShorter = offset <= behind;
    if (isFrontShorter && start >= change) {
      if (change !== 0) moveBytes(bytes, base + start - change, base + start, offset);
      words[at + OFFSET] = start - change;
    } else if (change <= 0 || this.arena.capacity(cell) - start - length >= change) {
      moveBytes(bytes, base + start + offset + inserted, base + start + offset + removed, behind);
    } else if (start >= change) {
      moveBytes(bytes, base + start - change, base + start, offset);
      words[at + OFFSET] = start - change;
    } else {
      this.splicePlace(node, offset, removed, inserted);
    }
    words[at + BYTES] = length + change;
    const entries = words[at + ENTRIES]! + entryChange;
    words[at + ENTRIES] = entries;
    this.readNode(node);
    writeHead(this.valueBytes, this.valueStart, length + change, entries);
  }

  /** The part of `splice` for which neither end has the room: within the cell, or in a larger one. */
  private splicePlace(node: number, offset: number, removed: number, inserted: number): void {
    const length = this.get(node, BYTES);
    const newLength = length + inserted - removed;
    const behind = length - offset - removed;
    const isAlone = this.get(node, PREVIOUS) === 0 && this.get(node, NEXT) === 0;
    const room = isAlone ? ROOM_AROUND : offset <= behind ? ROOM_IN_FRONT : ROOM_BEHIND;
    const oldCell = this.get(node, CELL);
    const oldBytes = this.bytes[oldCell >>> SEGMENT_SHIFT]!;
    const from = ((oldCell & UNIT_MASK) << 3) + this.get(node, OFFSET);
    const capacity = this.arena.capacity(oldCell);
    if (capacity >= newLength) {
      const newOffset = this.offsetFor(capacity - newLength, room);
      const to = ((oldCell & UNIT_MASK) << 3) + newOffset;
      // What moves away from the other part goes first.
      if (to < from) oldBytes.copyWithin(to, from, from + offset);
      oldBytes.copyWithin(to + offset + inserted, from + offset + removed, from + length);
      if (to > from) oldBytes.copyWithin(to, from, from + offset);
      this.put(node, OFFSET, newOffset);
      return;
    }
    const cell = this.arena.allocate(this.roomFor(newLength, this.get(node, ENTRIES)));
    const newOffset = this.offsetFor(this.arena.capacity(cell) - newLength, room);
    const bytes = this.bytes[cell >>> SEGMENT_SHIFT]!;
    const to = ((cell & UNIT_MASK) << 3) + newOffset;
    bytes.set(oldBytes.subarray(from, from + offset), to);
    bytes.set(oldBytes.subarray(from + offset + removed, from + length), to + offset + inserted);
    this.put(node, CELL, cell);
    this.put(node, OFFSET, newOffset);
    this.arena.free(oldCell);
  }

  /** Gives back what a node's cell has too much, now that the node is no end of its list any more, or has shrunk. */
  protected trim(node: number): void {
    const cell = this.get(node, CELL);
    const bytes = this.get(node, BYTES);
    const capacity = this.arena.capacity(cell);
    if (capacity - bytes <= capacity >>> 3) return;
    try {
      this.moveCell(node, bytes);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
    }
  }

  /** Puts a node's content into a new cell of `roomBytes`. Throws ArenaExhausted (I4). */
  protected moveCell(node: number, roomBytes: number): void {
    const { arena } = this;
    const old = this.get(node, CELL);
    const bytes = this.get(node, BYTES);
    if (arena.capacity(old) === Arena.cellBytes(roomBytes)) return;
    const cell = arena.allocate(roomBytes);
    arena.move(old, this.get(node, OFFSET), cell, 0, bytes);
    this.put(node, CELL, cell);
    this.put(node, OFFSET, 0);
    arena.free(old);
  }

  /** Moves a node itself to a new address and tells its neighbours. Throws ArenaExhausted (I4). */
  protected moveNode(root: number, node: number): number {
    const moved = this.arena.allocate(NODE_BYTES);
    for (let field = 0; field <= BYTES; field++) this.put(moved, field, this.get(node, field));
    const previous = this.get(node, PREVIOUS);
    const next = this.get(node, NEXT);
    if (previous === 0) this.put(root, HEAD, moved);
    else this.put(previous, NEXT, moved);
    if (next === 0) this.put(root, TAIL, moved);
    else this.put(next, PREVIOUS, moved);
    this.arena.free(node);
    return moved;
  }
}

/** Writes a listpack's head. */
export function writeHead(target: Uint8Array, at: number, totalBytes: number, entries: number): void {
  target[at] = totalBytes & 255;
  target[at + 1] = (totalBytes >>> 8) & 255;
  target[at + 2] = (totalBytes >>> 16) & 255;
  target[at + 3] = totalBytes >>> 24;
  const said = entries < ENTRIES_SAID_MAX ? entries : ENTRIES_SAID_MAX;
  target[at + 4] = said & 255;
  target[at + 5] = said >>> 8;
}

/** Writes the head and the end mark around `bytes - 7` bytes of entries that stand there already. */
export function frameListpack(target: Uint8Array, at: number, totalBytes: number, entries: number): void {
  writeHead(target, at, totalBytes, entries);
  target[at + totalBytes - 1] = END;
}
