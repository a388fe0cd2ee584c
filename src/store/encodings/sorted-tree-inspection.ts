/** What a sorted tree is like inside: its size, and whether all that sorted-tree.ts promises holds. No part of any command. */

import { assert } from "../../core/assert.ts";
import { SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { SortedTree } from "./sorted-tree.ts";
import {
  CAPACITY,
  COUNT,
  HEADER,
  HEIGHT,
  INNER_BYTES,
  ITEMS,
  LEAF_BYTES,
  NEXT,
  NODE,
  PREVIOUS,
} from "./sorted-tree-nodes.ts";

/** Bytes of all nodes of a tree. */
export function treeBytes(tree: SortedTree, root: number): number {
  const node = wordOf(tree, root, NODE);
  if (node === 0) return 0;
  const height = wordOf(tree, root, HEIGHT);
  return height === 0 ? tree.arena.capacity(node) : bytesBelow(tree, node, height);
}

function bytesBelow(tree: SortedTree, node: number, height: number): number {
  const count = wordOf(tree, node, COUNT);
  if (height === 1) return INNER_BYTES + count * LEAF_BYTES;
  let bytes = INNER_BYTES;
  for (let index = 0; index < count; index++) bytes += bytesBelow(tree, childOf(tree, node, index), height - 1);
  return bytes;
}

/** What the walk over a tree has come to. */
interface Walk {
  readonly tree: SortedTree;
  readonly height: number;
  previousLeaf: number;
}

/** Walks a whole tree and asserts I1 to I4 of sorted-tree.ts. */
export function verifyTree(tree: SortedTree, root: number): void {
  const node = wordOf(tree, root, NODE);
  const height = wordOf(tree, root, HEIGHT);
  const items = wordOf(tree, root, ITEMS);
  if (node === 0) {
    assert(height === 0 && items === 0, "an empty tree has neither height nor items");
    return;
  }
  const walk: Walk = { tree, height, previousLeaf: 0 };
  assert(verifyNode(walk, node, height, true, true) === items, "I2: the root counts all items");
  assert(wordOf(tree, walk.previousLeaf, NEXT) === 0, "I1: the last leaf has no next one");
}

function verifyNode(walk: Walk, node: number, height: number, isFirst: boolean, isLast: boolean): number {
  const { tree } = walk;
  const count = wordOf(tree, node, COUNT);
  assert(count > 0, "I3: a node is empty");
  const capacity = height === 0 ? wordOf(tree, node, CAPACITY) : tree.innerCapacity;
  assert(count <= capacity, "a node holds more than it can");
  if (!isFirst && !isLast) assert(count >= capacity >>> 2, "I3: a node within the tree is too empty");
  if (height === walk.height && height > 0) assert(count > 1, "I4: a root has a single child");
  if (height === 0) return verifyLeaf(walk, node, count);
  let items = 0;
  for (let index = 0; index < count; index++) {
    const child = childOf(tree, node, index);
    const at = placeOf(node) + HEADER + index * tree.entryWords;
    const words = tree.arena.words[node >>> SEGMENT_SHIFT]!;
    const childWords = tree.arena.words[child >>> SEGMENT_SHIFT]!;
    for (let word = 0; word < tree.itemWords; word++) {
      assert(words[at + word] === childWords[placeOf(child) + HEADER + word], "I2: a child's key is its first item's");
    }
    const below = verifyNode(walk, child, height - 1, isFirst && index === 0, isLast && index === count - 1);
    assert(words[at + tree.entryWords - 1] === below, "I2: a child's count is that of the items below it");
    items += below;
  }
  return items;
}

function verifyLeaf(walk: Walk, leaf: number, count: number): number {
  const { tree, previousLeaf } = walk;
  if (walk.height > 0) assert(wordOf(tree, leaf, CAPACITY) === tree.leafCapacity, "I4: a leaf with siblings is small");
  assert(wordOf(tree, leaf, PREVIOUS) === previousLeaf, "I1: a leaf knows the one before it");
  const words = tree.arena.words[leaf >>> SEGMENT_SHIFT]!;
  const at = placeOf(leaf) + HEADER;
  if (previousLeaf !== 0) {
    assert(wordOf(tree, previousLeaf, NEXT) === leaf, "I1: a leaf knows the one after it");
    const before = tree.arena.words[previousLeaf >>> SEGMENT_SHIFT]!;
    const last = placeOf(previousLeaf) + HEADER + (wordOf(tree, previousLeaf, COUNT) - 1) * tree.itemWords;
    assert(tree.isAscending(before, last, words, at), "I1: two leaves are out of order");
  }
  for (let index = 0; index < count; index++) {
    const place = at + index * tree.itemWords;
    assert(words[place + tree.keyWords] !== 0, "an item has no value");
    if (index > 0) {
      assert(tree.isAscending(words, place - tree.itemWords, words, place), "I1: two items are out of order");
    }
  }
  walk.previousLeaf = leaf;
  return count;
}

function placeOf(cell: number): number {
  return (cell & UNIT_MASK) << 1;
}

function wordOf(tree: SortedTree, cell: number, word: number): number {
  return tree.arena.words[cell >>> SEGMENT_SHIFT]![placeOf(cell) + word]!;
}

function childOf(tree: SortedTree, node: number, index: number): number {
  return wordOf(tree, node, HEADER + index * tree.entryWords + tree.keyWords + 1);
}
