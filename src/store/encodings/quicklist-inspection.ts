/** Walks a quicklist: asserts its invariants, counts the bytes of its cells. For tests, DEBUG and MEMORY USAGE. */

import { assert } from "../../core/assert.ts";
import { firstEntry, isListpackEnd, listpackBytes, listpackCount, nextEntry, previousEntry } from "./listpack.ts";
import type { Quicklist } from "./quicklist.ts";
import { CELL, ENTRIES, HEAD, ITEMS, NEXT, NODES, OFFSET, PREVIOUS, TAIL } from "./quicklist-nodes.ts";

/** Asserts I1 and I2 of quicklist-nodes.ts, and that every entry can be walked both ways. */
export function verifyQuicklist(list: Quicklist, root: number): void {
  let items = 0;
  let nodes = 0;
  let previous = 0;
  for (let node = list.get(root, HEAD); node !== 0; node = list.get(node, NEXT)) {
    assert(list.get(node, PREVIOUS) === previous, "a quicklist's nodes are linked both ways");
    list.readNode(node);
    const { valueBytes: blob, valueStart: start, valueLength: length } = list;
    const capacity = list.arena.capacity(list.get(node, CELL));
    assert(list.get(node, OFFSET) >= 0, "a node's bytes begin in its cell");
    assert(list.get(node, OFFSET) + length <= capacity, "a node's bytes lie in its cell");
    if (!list.isPlain(node)) verifyListpack(blob, start, length, list.get(node, ENTRIES));
    items += list.itemsOf(node);
    nodes++;
    previous = node;
  }
  assert(list.get(root, TAIL) === previous, "a quicklist's tail is its last node");
  assert(list.get(root, ITEMS) === items, "I1: a quicklist counts its items");
  assert(list.get(root, NODES) === nodes, "I1: a quicklist counts its nodes");
  assert(nodes > 0, "a quicklist is not empty");
}

function verifyListpack(blob: Uint8Array, start: number, length: number, entries: number): void {
  assert(listpackBytes(blob, start) === length, "I2: a listpack says its bytes");
  assert(listpackCount(blob, start) === entries, "I2: a listpack says its entries");
  let count = 0;
  let at = firstEntry(start);
  while (!isListpackEnd(blob, at)) {
    const next = nextEntry(blob, at);
    assert(next < start + length, "an entry lies in its listpack");
    assert(previousEntry(blob, next) === at, "an entry's backlength leads to its start");
    at = next;
    count++;
  }
  assert(at === start + length - 1, "a listpack ends with its end mark");
  assert(count === entries, "a listpack's entries can be walked");
}

/** Bytes of the list's cells; of more than `samples` nodes, when that is not 0, estimated from so many. */
export function quicklistBytes(list: Quicklist, root: number, samples: number): number {
  const { arena } = list;
  const nodes = list.get(root, NODES);
  let seen = 0;
  let bytes = 0;
  for (let node = list.get(root, HEAD); node !== 0 && (samples === 0 || seen < samples); node = list.get(node, NEXT)) {
    bytes += arena.capacity(node) + arena.capacity(list.get(node, CELL));
    seen++;
  }
  return arena.capacity(root) + (seen === 0 ? 0 : Math.round((bytes / seen) * nodes));
}
