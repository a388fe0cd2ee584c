/**
 * Sorted tree: a counted B+ tree in the arena, the common part of ScoreTree (score-tree.ts) and IdTree (id-tree.ts).
 *
 *      height 2               [ a ........ m ]
 *                            /                \
 *      height 1        [ a   d   g ]        [ m   r ]
 *                      /     |    \          |     \
 *      height 0     [abc]⇄[def]⇄[ghijkl]⇄[mnopq]⇄[rst]
 *
 * A key has a fixed number of words, of which a subclass compares all (IdTree), or all and then what the value points to
 * (ScoreTree). What nodes are like: sorted-tree-nodes.ts. Values are numbers of 32 bits other than 0. All trees of one class and arena share one object, which
 * holds registers only: the probe (what is looked for) and the cursor (`leaf`, `index`), valid until the next change.
 *
 *  I1  Items ascend strictly, over all leaves; the leaves are linked both ways in that order.
 *  I2  The key beside a child is that of the first item below it; `items` counts all that are below it.
 *  I3  A node that is neither the first nor the last of its level is filled by a quarter at least; no node is empty.
 *  I4  A leaf with siblings has the full size. A root that is no leaf has two children at least.
 *  I5  What a change may need is allocated before it begins: ArenaExhausted leaves the tree as it was. Removing
 *      allocates nothing.
 *
 * A full leaf shares with a neighbour that has room before it is split; a split at either end of the tree leaves the old
 * node full. So ascending inserts fill 41 of 41 places, random ones 80 percent.
 *
 * Source: B+ trees (Bayer and McCreight 1972; Comer 1979), redistribution as in B*-trees (Knuth, TAOCP vol. 3, 6.2.4),
 * counts in inner nodes for ranks (order-statistic trees).
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { treeBytes, verifyTree } from "./sorted-tree-inspection.ts";
import {
  CAPACITY,
  COUNT,
  FIRST_LEAF_BYTES,
  HEADER,
  HEIGHT,
  ITEMS,
  LEAF_BYTES,
  NEXT,
  NODE,
  PREVIOUS,
  ROOT_BYTES,
  TreeNodes,
} from "./sorted-tree-nodes.ts";

const HEIGHT_MAX = 16;

export abstract class SortedTree extends TreeNodes {
  /** The cursor: item `index` of `leaf`. A leaf of 0, or an index at the leaf's end, is behind the last item. */
  leaf: number;
  index: number;

  /** The key that is looked for, in the form in which it is stored. */
  protected readonly probe: Int32Array;
  /** Whether the last `search` found an item equal to the probe. */
  protected isEqual: boolean;
  /** The way from the root to the cursor's leaf: node and place in it, by height. */
  private readonly pathNode: Int32Array;
  private readonly pathIndex: Int32Array;
  /** Nodes allocated for the change that is under way: a leaf, then inner ones. */
  private readonly spare: Int32Array;
  private spareCount: number;

  protected constructor(arena: Arena, keyWords: number) {
    super(arena, keyWords);
    this.leaf = 0;
    this.index = 0;
    this.probe = new Int32Array(keyWords);
    this.isEqual = false;
    this.pathNode = new Int32Array(HEIGHT_MAX);
    this.pathIndex = new Int32Array(HEIGHT_MAX);
    this.spare = new Int32Array(HEIGHT_MAX + 1);
    this.spareCount = 0;
  }

  /**
   * Index of the first of `count` items that is not below the probe; the items stand `stride` words apart from `at` on,
   * each begins with its key and value. Sets `isEqual`. hot path
   */
  protected abstract search(words: Int32Array, at: number, count: number, stride: number): number;

  /** Whether the item at word `left` of `leftWords` is below that at `right` of `rightWords`: for `verify`. */
  abstract isAscending(leftWords: Int32Array, left: number, rightWords: Int32Array, right: number): boolean;

  // ---- making and freeing -----------------------------------------------------------------------------------------

  /** Makes an empty tree with a root cell of its own; returns its address. Throws ArenaExhausted. */
  create(): number {
    const root = this.arena.allocate(ROOT_BYTES);
    this.initialize(root);
    return root;
  }

  /** Makes the 16 bytes at `root`, which may lie within the owner's cell, an empty tree. */
  initialize(root: number): void {
    const at = (root & UNIT_MASK) << 1;
    this.words[root >>> SEGMENT_SHIFT]!.fill(0, at, at + 4);
  }

  /**
   * Frees the nodes of at most `leaves` leaves, from the end; true when none is left. Until then the tree serves for
   * nothing but `seekLast` and this. The root's 16 bytes and what the values mean are the owner's.
   */
  freeLeaves(root: number, leaves: number): boolean {
    for (; leaves > 0; leaves--) {
      if (!this.seekLast(root)) return true;
      const height = this.rootWord(root, HEIGHT);
      for (let level = 0; ; level++) {
        this.arena.free(this.pathNode[level]!);
        if (level === height) {
          this.initialize(root);
          return true;
        }
        const parent = this.pathNode[level + 1]!;
        if (--this.words[parent >>> SEGMENT_SHIFT]![((parent & UNIT_MASK) << 1) + COUNT]! > 0) break;
      }
    }
    return this.rootWord(root, NODE) === 0;
  }

  /** Frees all nodes at once and leaves an empty tree. */
  clear(root: number): void {
    while (!this.freeLeaves(root, 64));
  }

  /** Items of the tree. */
  count(root: number): number {
    return this.rootWord(root, ITEMS);
  }

  /** Bytes of all nodes, without the root's 16. Cost: the inner nodes. */
  nodeBytes(root: number): number {
    return treeBytes(this, root);
  }

  /** Walks the whole tree and asserts I1 to I4. */
  verify(root: number): void {
    verifyTree(this, root);
  }

  // ---- the cursor -------------------------------------------------------------------------------------------------

  /** Puts the cursor on the first item that is not below the probe, or behind the last one; true when they are equal. hot path */
  protected seekProbe(root: number): boolean {
    const isEqual = this.descend(root);
    this.enterNext();
    return isEqual;
  }

  /** Rank of the cursor (0-based), directly after a seek: the number of items before it. Cost: the height. */
  rank(root: number): number {
    if (this.leaf === 0) return 0;
    const height = this.rootWord(root, HEIGHT);
    let rank = this.pathIndex[0]!;
    for (let level = 1; level <= height; level++) {
      const node = this.pathNode[level]!;
      const words = this.words[node >>> SEGMENT_SHIFT]!;
      const stride = this.entryWords;
      let at = ((node & UNIT_MASK) << 1) + HEADER + stride - 1;
      for (let index = this.pathIndex[level]!; index > 0; index--) {
        rank += words[at]!;
        at += stride;
      }
    }
    return rank;
  }

  /** Puts the cursor on the first item; false when there is none. */
  seekFirst(root: number): boolean {
    return this.seekRank(root, 0);
  }

  /** Puts the cursor on the last item; false when there is none. */
  seekLast(root: number): boolean {
    let node = this.rootWord(root, NODE);
    this.leaf = 0;
    this.index = 0;
    if (node === 0) return false;
    for (let level = this.rootWord(root, HEIGHT); level > 0; level--) {
      const words = this.words[node >>> SEGMENT_SHIFT]!;
      const at = (node & UNIT_MASK) << 1;
      const index = words[at + COUNT]! - 1;
      this.pathNode[level] = node;
      this.pathIndex[level] = index;
      node = words[at + HEADER + index * this.entryWords + this.keyWords + 1]!;
    }
    const index = this.words[node >>> SEGMENT_SHIFT]![((node & UNIT_MASK) << 1) + COUNT]! - 1;
    this.pathNode[0] = node;
    this.pathIndex[0] = index;
    this.leaf = node;
    this.index = index;
    return true;
  }

  /** Puts the cursor on the item of 0-based `rank` >= 0; false when there are not so many. */
  seekRank(root: number, rank: number): boolean {
    let node = this.rootWord(root, NODE);
    this.leaf = 0;
    this.index = 0;
    if (rank >= this.rootWord(root, ITEMS)) return false;
    const stride = this.entryWords;
    for (let level = this.rootWord(root, HEIGHT); level > 0; level--) {
      const words = this.words[node >>> SEGMENT_SHIFT]!;
      let at = ((node & UNIT_MASK) << 1) + HEADER + stride - 1;
      let index = 0;
      for (; rank >= words[at]!; at += stride) {
        rank -= words[at]!;
        index++;
      }
      this.pathNode[level] = node;
      this.pathIndex[level] = index;
      node = words[at - 1]!;
    }
    this.pathNode[0] = node;
    this.pathIndex[0] = rank;
    this.leaf = node;
    this.index = rank;
    return true;
  }

  /** Moves the cursor to the next item; false, and behind the end, when it was the last one. hot path */
  next(): boolean {
    this.index++;
    return this.enterNext();
  }

  /** Moves the cursor to the item before it; false, with an undefined cursor, when there is none. hot path */
  previous(): boolean {
    let leaf = this.leaf;
    if (leaf === 0) return false;
    if (this.index === 0) {
      leaf = this.words[leaf >>> SEGMENT_SHIFT]![((leaf & UNIT_MASK) << 1) + PREVIOUS]!;
      if (leaf === 0) return false;
      this.leaf = leaf;
      this.index = this.words[leaf >>> SEGMENT_SHIFT]![((leaf & UNIT_MASK) << 1) + COUNT]!;
    }
    this.index--;
    return true;
  }

  /** Whether the cursor is behind the last item. */
  isAtEnd(): boolean {
    const leaf = this.leaf;
    return leaf === 0 || this.index >= this.words[leaf >>> SEGMENT_SHIFT]![((leaf & UNIT_MASK) << 1) + COUNT]!;
  }

  /** The value of the item at the cursor. hot path */
  value(): number {
    return this.words[this.leaf >>> SEGMENT_SHIFT]![this.place() + this.keyWords]!;
  }

  /** How many items the cursor's leaf has from the cursor on (or back), the cursor's own included. */
  itemsInLeaf(isReverse: boolean): number {
    const count = this.words[this.leaf >>> SEGMENT_SHIFT]![((this.leaf & UNIT_MASK) << 1) + COUNT]!;
    return isReverse ? this.index + 1 : count - this.index;
  }

  /** The value of the item `distance` places behind the cursor, in the same leaf. */
  valueNear(distance: number): number {
    return this.words[this.leaf >>> SEGMENT_SHIFT]![this.place() + distance * this.itemWords + this.keyWords]!;
  }

  /** Gives the item at the cursor another value; in a ScoreTree, one with the same member. */
  setValue(root: number, value: number): void {
    this.words[this.leaf >>> SEGMENT_SHIFT]![this.place() + this.keyWords] = value;
    if (this.index !== 0) return;
    // After a seek that ended in the next leaf the path is that of the leaf before it: find the item anew.
    if (this.pathNode[0] !== this.leaf) this.copyToProbe(root);
    this.refreshKeys(0, this.rootWord(root, HEIGHT));
  }

  /** Brings the path to the cursor's item, whose leaf is known. */
  private copyToProbe(root: number): void {
    const at = this.place();
    const words = this.words[this.leaf >>> SEGMENT_SHIFT]!;
    for (let index = 0; index < this.keyWords; index++) this.probe[index] = words[at + index]!;
    this.probeValue(words[at + this.keyWords]!);
    this.descend(root);
  }

  /** The probe's key is set; a subclass that compares more than keys takes the rest from `value`. */
  protected probeValue(_value: number): void {}

  /** Word at which the cursor's item begins. */
  protected place(): number {
    return ((this.leaf & UNIT_MASK) << 1) + HEADER + this.index * this.itemWords;
  }

  /** Steps into the next leaf when the cursor stands behind the last item of its own; false at the tree's end. */
  private enterNext(): boolean {
    const leaf = this.leaf;
    if (leaf === 0) return false;
    const words = this.words[leaf >>> SEGMENT_SHIFT]!;
    const at = (leaf & UNIT_MASK) << 1;
    if (this.index < words[at + COUNT]!) return true;
    const next = words[at + NEXT]!;
    if (next === 0) return false;
    this.leaf = next;
    this.index = 0;
    return true;
  }

  /** Way to the first item that is not below the probe, or to its leaf's end; true when they are equal. */
  private descend(root: number): boolean {
    let node = this.rootWord(root, NODE);
    this.leaf = node;
    this.index = 0;
    if (node === 0) return false;
    const { pathNode, pathIndex } = this;
    for (let level = this.rootWord(root, HEIGHT); level > 0; level--) {
      const words = this.words[node >>> SEGMENT_SHIFT]!;
      const at = (node & UNIT_MASK) << 1;
      let index = this.search(words, at + HEADER, words[at + COUNT]!, this.entryWords);
      if (!this.isEqual && index > 0) index--;
      pathNode[level] = node;
      pathIndex[level] = index;
      node = words[at + HEADER + index * this.entryWords + this.keyWords + 1]!;
    }
    const words = this.words[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    const index = this.search(words, at + HEADER, words[at + COUNT]!, this.itemWords);
    pathNode[0] = node;
    pathIndex[0] = index;
    this.leaf = node;
    this.index = index;
    return this.isEqual;
  }

  // ---- inserting --------------------------------------------------------------------------------------------------

  /** Adds the probe with `value`; false when it is there already. Throws ArenaExhausted (I5). hot path */
  protected insertProbe(root: number, value: number): boolean {
    if (this.descend(root)) return false;
    this.insertAtPath(root, value);
    return true;
  }

  /** Adds the probe, which is above all items, with `value`. Throws ArenaExhausted (I5). hot path */
  protected appendProbe(root: number, value: number): void {
    if (this.seekLast(root)) this.pathIndex[0] = this.index + 1;
    this.insertAtPath(root, value);
  }

  private insertAtPath(root: number, value: number): void {
    const leaf = this.leaf;
    const height = this.rootWord(root, HEIGHT);
    if (leaf === 0) {
      const first = this.newLeaf(FIRST_LEAF_BYTES);
      this.setRootWord(root, NODE, first);
      this.put(first, 0, value);
    } else {
      const words = this.words[leaf >>> SEGMENT_SHIFT]!;
      const at = (leaf & UNIT_MASK) << 1;
      const count = words[at + COUNT]!;
      const index = this.pathIndex[0]!;
      if (count < words[at + CAPACITY]!) {
        this.put(leaf, index, value);
        this.addItems(1, height, 1);
        if (index === 0) this.refreshKeys(0, height);
      } else if (count < this.leafCapacity) {
        const larger = this.enlargeLeaf(leaf);
        this.setRootWord(root, NODE, larger);
        this.put(larger, index, value);
      } else if (!this.shareAndPut(height, value)) {
        this.splitAndPut(root, height, value);
      }
    }
    this.setRootWord(root, ITEMS, this.rootWord(root, ITEMS) + 1);
  }

  /** Places the probe with `value` at `index` of a leaf with room. */
  private put(leaf: number, index: number, value: number): void {
    const words = this.words[leaf >>> SEGMENT_SHIFT]!;
    const at = (leaf & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const stride = this.itemWords;
    const place = at + HEADER + index * stride;
    if (index < count) words.copyWithin(place + stride, place, at + HEADER + count * stride);
    const keyWords = this.keyWords;
    const probe = this.probe;
    for (let word = 0; word < keyWords; word++) words[place + word] = probe[word]!;
    words[place + keyWords] = value;
    words[at + COUNT] = count + 1;
  }

  /** Adds `difference` to the counts along the path, from `level` up. */
  private addItems(level: number, height: number, difference: number): void {
    const stride = this.entryWords;
    for (; level <= height; level++) {
      const node = this.pathNode[level]!;
      const at = ((node & UNIT_MASK) << 1) + HEADER + this.pathIndex[level]! * stride + stride - 1;
      this.words[node >>> SEGMENT_SHIFT]![at]! += difference;
    }
  }

  /** The first item of the path's node at `level` changed: so do the keys that stand for it (I2). */
  private refreshKeys(level: number, height: number): void {
    for (; level < height; level++) {
      const index = this.pathIndex[level + 1]!;
      this.copyKey(this.pathNode[level]!, this.pathNode[level + 1]!, index);
      if (index !== 0) return;
    }
  }

  /** The items of a sole leaf in one of twice the size; the old one is freed. */
  private enlargeLeaf(leaf: number): number {
    const larger = this.newLeaf(this.arena.capacity(leaf) * 2);
    this.moveItems(leaf, 0, larger, this.nodeWord(leaf, COUNT), this.itemWords);
    this.arena.free(leaf);
    return larger;
  }

  /**
   * When a neighbour of the path's full leaf has room, makes both equally full and places the probe. Not at the ends of
   * the tree, where full leaves are what is wanted.
   */
  private shareAndPut(height: number, value: number): boolean {
    if (height === 0) return false;
    const leaf = this.pathNode[0]!;
    const index = this.pathIndex[0]!;
    const capacity = this.leafCapacity;
    if (this.nodeWord(leaf, NEXT) === 0 && index === capacity) return false;
    if (this.nodeWord(leaf, PREVIOUS) === 0 && index === 0) return false;
    const parent = this.pathNode[1]!;
    const place = this.pathIndex[1]!;
    const before = place > 0 ? this.childWord(parent, place - 1, 1) : capacity;
    const after = place + 1 < this.nodeWord(parent, COUNT) ? this.childWord(parent, place + 1, 1) : capacity;
    const roomMin = capacity >>> 3;
    if (Math.min(before, after) > capacity - roomMin) return false;
    const leftPlace = before < after ? place - 1 : place;
    const left = this.childWord(parent, leftPlace, 0);
    const right = this.childWord(parent, leftPlace + 1, 0);
    const combined = leftPlace < place ? before + index : index;
    this.balance(left, right, this.itemWords);
    const inLeft = this.nodeWord(left, COUNT);
    if (combined <= inLeft) this.put(left, combined, value);
    else this.put(right, combined - inLeft, value);
    this.refreshChild(parent, leftPlace, 0);
    this.refreshChild(parent, leftPlace + 1, 0);
    this.addItems(2, height, 1);
    return true;
  }

  /** Splits the path's full leaf, and the full nodes above it, and places the probe. */
  private splitAndPut(root: number, height: number, value: number): void {
    this.reserve(height);
    const leaf = this.pathNode[0]!;
    const index = this.pathIndex[0]!;
    const next = this.nodeWord(leaf, NEXT);
    const isLast = next === 0 && index === this.leafCapacity;
    const isFirst = this.nodeWord(leaf, PREVIOUS) === 0 && index === 0;
    const right = this.spare[--this.spareCount]!;
    const kept = isLast ? index : isFirst ? 0 : (this.leafCapacity + 1) >>> 1;
    this.moveItems(leaf, kept, right, this.leafCapacity - kept, this.itemWords);
    this.setNodeWord(right, PREVIOUS, leaf);
    this.setNodeWord(right, NEXT, next);
    this.setNodeWord(leaf, NEXT, right);
    if (next !== 0) this.setNodeWord(next, PREVIOUS, right);
    if (index > kept || isLast) this.put(right, index - kept, value);
    else this.put(leaf, index, value);
    if (isFirst) this.refreshKeys(0, height);
    this.raise(root, height, right, isFirst, isLast);
  }

  /** Allocates a leaf and as many inner nodes as splitting the path's leaf will take (I5). */
  private reserve(height: number): void {
    let inner = 0;
    while (inner < height && this.nodeWord(this.pathNode[inner + 1]!, COUNT) === this.innerCapacity) inner++;
    if (inner === height) inner++;
    this.spareCount = 0;
    try {
      for (; inner > 0; inner--) {
        const node = this.newInner();
        this.spare[this.spareCount++] = node;
      }
      const leaf = this.newLeaf(LEAF_BYTES);
      this.spare[this.spareCount++] = leaf;
    } catch (error) {
      while (this.spareCount > 0) this.arena.free(this.spare[--this.spareCount]!);
      throw error;
    }
  }

  /** Enters the new node `right`, which follows the path's node of height 0, into its parent, and so on upwards. */
  private raise(root: number, height: number, right: number, isFirst: boolean, isLast: boolean): void {
    const capacity = this.innerCapacity;
    let level = 1;
    for (; right !== 0; level++) {
      if (level > height) {
        const top = this.spare[--this.spareCount]!;
        this.enterChild(top, 0, this.pathNode[height]!, height);
        this.enterChild(top, 1, right, height);
        this.setRootWord(root, NODE, top);
        this.setRootWord(root, HEIGHT, level);
        return;
      }
      const parent = this.pathNode[level]!;
      let target = parent;
      let place = this.pathIndex[level]! + 1;
      this.refreshChild(parent, place - 1, level - 1);
      let above = 0;
      if (this.nodeWord(parent, COUNT) === capacity) {
        above = this.spare[--this.spareCount]!;
        const kept = isLast ? capacity : isFirst ? 1 : capacity >>> 1;
        this.moveItems(parent, kept, above, capacity - kept, this.entryWords);
        if (place > kept || kept === capacity) {
          target = above;
          place -= kept;
        }
      }
      this.enterChild(target, place, right, level - 1);
      right = above;
    }
    this.addItems(level, height, 1);
  }

  // ---- removing ---------------------------------------------------------------------------------------------------

  /** Removes the item that equals the probe; returns its value, 0 when there is none. hot path */
  protected removeProbe(root: number): number {
    if (!this.descend(root)) return 0;
    const value = this.value();
    this.removeAtPath(root, 1);
    return value;
  }

  /**
   * Removes `count` items from 0-based `rank` on; they must be there. Reads no key, so what the values point to may be
   * gone already, in all of the removed ones.
   */
  removeRange(root: number, rank: number, count: number): void {
    while (count > 0) {
      this.seekRank(root, rank);
      const run = Math.min(count, this.nodeWord(this.leaf, COUNT) - this.index);
      this.removeAtPath(root, run);
      count -= run;
    }
  }

  /** Removes `run` items from the path's place on, all in one leaf. */
  private removeAtPath(root: number, run: number): void {
    const height = this.rootWord(root, HEIGHT);
    const leaf = this.pathNode[0]!;
    const index = this.pathIndex[0]!;
    this.cut(leaf, index, run, this.itemWords);
    this.addItems(1, height, -run);
    this.setRootWord(root, ITEMS, this.rootWord(root, ITEMS) - run);
    if (this.nodeWord(leaf, COUNT) === 0) {
      this.dropEmpty(root, height);
      return;
    }
    if (index === 0) this.refreshKeys(0, height);
    this.settle(root, 0, height);
  }

  /** Frees the path's empty leaf and the nodes above it that have no other child. */
  private dropEmpty(root: number, height: number): void {
    this.unlinkLeaf(this.pathNode[0]!);
    let level = 0;
    for (;;) {
      this.arena.free(this.pathNode[level]!);
      if (level === height) {
        this.initialize(root);
        return;
      }
      level++;
      this.cut(this.pathNode[level]!, this.pathIndex[level]!, 1, this.entryWords);
      if (this.nodeWord(this.pathNode[level]!, COUNT) > 0) break;
    }
    if (this.pathIndex[level] === 0) this.refreshKeys(level, height);
    this.settle(root, level, height);
  }

  private unlinkLeaf(leaf: number): void {
    const before = this.nodeWord(leaf, PREVIOUS);
    const after = this.nodeWord(leaf, NEXT);
    if (before !== 0) this.setNodeWord(before, NEXT, after);
    if (after !== 0) this.setNodeWord(after, PREVIOUS, before);
  }

  /** The path's node at `level` lost items: joins it with a neighbour, or takes from one, where it has become too empty (I3). */
  private settle(root: number, level: number, height: number): void {
    for (; level < height; level++) {
      const capacity = level === 0 ? this.leafCapacity : this.innerCapacity;
      const stride = level === 0 ? this.itemWords : this.entryWords;
      const count = this.nodeWord(this.pathNode[level]!, COUNT);
      if (count >= capacity >>> 1) return;
      const parent = this.pathNode[level + 1]!;
      const place = this.pathIndex[level + 1]!;
      const children = this.nodeWord(parent, COUNT);
      if (children === 1) return; // at an end of the tree
      const before = place > 0 ? this.nodeWord(this.childWord(parent, place - 1, 0), COUNT) : capacity;
      const after = place + 1 < children ? this.nodeWord(this.childWord(parent, place + 1, 0), COUNT) : capacity;
      const leftPlace = place + 1 === children || (place > 0 && before < after) ? place - 1 : place;
      const left = this.childWord(parent, leftPlace, 0);
      const right = this.childWord(parent, leftPlace + 1, 0);
      // Joined nodes keep some room, so that the next insert does not split them again.
      if (count + Math.min(before, after) <= capacity - (capacity >>> 3)) {
        if (level === 0) this.unlinkLeaf(right);
        this.moveItems(right, 0, left, this.nodeWord(right, COUNT), stride);
        this.arena.free(right);
        this.cut(parent, leftPlace + 1, 1, this.entryWords);
        this.refreshChild(parent, leftPlace, level);
        continue;
      }
      if (count < capacity >>> 2) {
        this.balance(left, right, stride);
        this.refreshChild(parent, leftPlace, level);
        this.refreshChild(parent, leftPlace + 1, level);
      }
      return;
    }
    this.lowerRoot(root, height);
  }

  /** A root with a single child gives way to it (I4). */
  private lowerRoot(root: number, height: number): void {
    for (; height > 0; height--) {
      const top = this.rootWord(root, NODE);
      if (this.nodeWord(top, COUNT) > 1) return;
      this.setRootWord(root, NODE, this.childWord(top, 0, 0));
      this.setRootWord(root, HEIGHT, height - 1);
      this.arena.free(top);
    }
  }
}
