/**
 * Nodes of a sorted tree (sorted-tree.ts): reading and writing their words, making them, moving items between them.
 *
 *      root    [node][height][item count][0]                        16 bytes, an own cell or a part of the owner's
 *      inner   [count][0][0][0]  [key][value][child][items] ...     1024 bytes; key and value of the child's first item
 *      leaf    [count][previous][next][capacity]  [key][value] ...  512 bytes; a sole leaf 64, 128, 256 or 512
 *
 *  I1  Nothing here knows more than the node, or the two neighbours, that it is given.
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";

export const ROOT_BYTES = 16;
export const LEAF_BYTES = 512;
export const FIRST_LEAF_BYTES = 64;
export const INNER_BYTES = 1024;

/** Words of a root. */
export const NODE = 0;
export const HEIGHT = 1;
export const ITEMS = 2;

/** Words of a node. */
export const COUNT = 0;
export const PREVIOUS = 1;
export const NEXT = 2;
export const CAPACITY = 3;
export const HEADER = 4;

export abstract class TreeNodes {
  readonly arena: Arena;
  /** Words of a key, of a leaf's item (key, value) and of an inner node's (key, value, child, items). */
  readonly keyWords: number;
  readonly itemWords: number;
  readonly entryWords: number;
  readonly leafCapacity: number;
  readonly innerCapacity: number;
  protected readonly words: Int32Array[];

  protected constructor(arena: Arena, keyWords: number) {
    this.arena = arena;
    this.keyWords = keyWords;
    this.itemWords = keyWords + 1;
    this.entryWords = keyWords + 3;
    this.leafCapacity = Math.floor((LEAF_BYTES / 4 - HEADER) / this.itemWords);
    this.innerCapacity = Math.floor((INNER_BYTES / 4 - HEADER) / this.entryWords);
    this.words = arena.words;
  }

  protected newLeaf(bytes: number): number {
    const leaf = this.arena.allocate(bytes);
    const at = (leaf & UNIT_MASK) << 1;
    const words = this.words[leaf >>> SEGMENT_SHIFT]!;
    words[at + COUNT] = 0;
    words[at + PREVIOUS] = 0;
    words[at + NEXT] = 0;
    words[at + CAPACITY] = Math.floor((bytes / 4 - HEADER) / this.itemWords);
    return leaf;
  }

  protected newInner(): number {
    const node = this.arena.allocate(INNER_BYTES);
    const at = (node & UNIT_MASK) << 1;
    this.words[node >>> SEGMENT_SHIFT]!.fill(0, at, at + HEADER);
    return node;
  }

  /** Places `child`, a node of height `level`, at `index` of an inner node with room. */
  protected enterChild(node: number, index: number, child: number, level: number): void {
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const stride = this.entryWords;
    const place = at + HEADER + index * stride;
    words.copyWithin(place + stride, place, at + HEADER + count * stride);
    words[at + COUNT] = count + 1;
    words[place + this.keyWords + 1] = child;
    this.refreshChild(node, index, level);
  }

  /** Writes key and count of the child at `index` anew; the child is a node of height `level`. */
  protected refreshChild(node: number, index: number, level: number): void {
    const child = this.childWord(node, index, 0);
    this.copyKey(child, node, index);
    const stride = this.entryWords;
    const at = ((node & UNIT_MASK) << 1) + HEADER + index * stride + stride - 1;
    this.words[node >>> SEGMENT_SHIFT]![at] = this.itemsBelow(child, level);
  }

  protected itemsBelow(node: number, level: number): number {
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    if (level === 0) return count;
    const stride = this.entryWords;
    let items = 0;
    let place = at + HEADER + stride - 1;
    for (let index = 0; index < count; index++, place += stride) items += words[place]!;
    return items;
  }

  /** Copies key and value of a node's first item beside it in its parent. */
  protected copyKey(node: number, parent: number, index: number): void {
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = ((node & UNIT_MASK) << 1) + HEADER;
    const target = this.words[parent >>> SEGMENT_SHIFT]!;
    const targetAt = ((parent & UNIT_MASK) << 1) + HEADER + index * this.entryWords;
    for (let word = 0; word < this.itemWords; word++) target[targetAt + word] = words[at + word]!;
  }

  /** Takes `run` items out of a node. */
  protected cut(node: number, index: number, run: number, stride: number): void {
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const place = at + HEADER + index * stride;
    words.copyWithin(place, place + run * stride, at + HEADER + count * stride);
    words[at + COUNT] = count - run;
  }

  /** Makes two neighbours equally full. */
  protected balance(left: number, right: number, stride: number): void {
    const inLeft = this.nodeWord(left, COUNT);
    const inRight = this.nodeWord(right, COUNT);
    const wanted = (inLeft + inRight) >>> 1;
    if (inLeft > wanted) {
      const words = this.words[right >>> SEGMENT_SHIFT]!;
      const at = ((right & UNIT_MASK) << 1) + HEADER;
      const moved = inLeft - wanted;
      words.copyWithin(at + moved * stride, at, at + inRight * stride);
      this.copyItems(left, wanted, right, 0, moved, stride);
      this.setNodeWord(left, COUNT, wanted);
      this.setNodeWord(right, COUNT, inRight + moved);
    } else if (inLeft < wanted) {
      const moved = wanted - inLeft;
      this.copyItems(right, 0, left, inLeft, moved, stride);
      this.setNodeWord(left, COUNT, wanted);
      this.cut(right, 0, moved, stride);
    }
  }

  /** Moves the last `count` items of `from`, which begin at `index`, or all of them, behind those of `to`. */
  protected moveItems(from: number, index: number, to: number, count: number, stride: number): void {
    const inTo = this.nodeWord(to, COUNT);
    this.copyItems(from, index, to, inTo, count, stride);
    this.setNodeWord(from, COUNT, index);
    this.setNodeWord(to, COUNT, inTo + count);
  }

  protected copyItems(
    from: number,
    fromIndex: number,
    to: number,
    toIndex: number,
    count: number,
    stride: number,
  ): void {
    const words = this.words[from >>> SEGMENT_SHIFT]!;
    const at = ((from & UNIT_MASK) << 1) + HEADER + fromIndex * stride;
    const target = this.words[to >>> SEGMENT_SHIFT]!;
    const targetAt = ((to & UNIT_MASK) << 1) + HEADER + toIndex * stride;
    const length = count * stride;
    for (let word = 0; word < length; word++) target[targetAt + word] = words[at + word]!;
  }

  /** Word `which` (0 the address, 1 the items below) of the child at `index`. */
  protected childWord(node: number, index: number, which: number): number {
    const at = ((node & UNIT_MASK) << 1) + HEADER + index * this.entryWords + this.keyWords + 1;
    return this.words[node >>> SEGMENT_SHIFT]![at + which]!;
  }

  protected nodeWord(node: number, word: number): number {
    return this.words[node >>> SEGMENT_SHIFT]![((node & UNIT_MASK) << 1) + word]!;
  }

  protected setNodeWord(node: number, word: number, value: number): void {
    this.words[node >>> SEGMENT_SHIFT]![((node & UNIT_MASK) << 1) + word] = value;
  }

  protected rootWord(root: number, word: number): number {
    return this.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + word]!;
  }

  protected setRootWord(root: number, word: number, value: number): void {
    this.words[root >>> SEGMENT_SHIFT]![((root & UNIT_MASK) << 1) + word] = value;
  }
}
