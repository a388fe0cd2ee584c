/** Looks at whole streams: bytes of their cells, their invariants, Redis's count of radix tree nodes; moves sparse cells. */

import { assert } from "../../core/assert.ts";
import { isListpackEnd, LISTPACK_HEAD_BYTES, listpackCount, nextEntry } from "../encodings/listpack.ts";
import { compareIds, copyId, fillId, makeId, type StreamId } from "./stream-id.ts";
import { countEntryBytes, NODE_HEAD_BYTES } from "./stream-nodes.ts";
import { FIRST_ID, LAST_ID, type Streams } from "./streams.ts";

const ID_BYTES = 16;
/** Nodes that are looked at to tell how many Redis's radix tree would have; beyond them it is estimated. */
const RADIX_SAMPLE = 16_384;

/** Bytes of all cells of the stream; with `samples` > 0 those of nodes and pending entries are estimated. */
export function streamBytes(streams: Streams, root: number, samples: number): number {
  const { arena, tree, nodes, groups } = streams;
  let bytes = arena.capacity(root) + tree.nodeBytes(root);
  let seen = 0;
  let seenBytes = 0;
  for (let node = streams.firstNode(root); node !== 0 && (samples === 0 || seen < samples); seen++) {
    seenBytes += nodes.cellBytes(node);
    node = streams.nextNode(root);
  }
  const nodeCount = streams.nodeCount(root);
  // The tail alone is half empty; the others are much alike.
  bytes += seen === nodeCount ? seenBytes : Math.round((seenBytes / seen) * nodeCount);
  const list = streams.groupsOf(root);
  if (list !== 0) bytes += arena.capacity(list);
  for (let index = 0; index < groups.groups.count(list); index++) {
    const group = groups.groups.at(list, index);
    const pending = groups.pendingOfGroup(group);
    bytes += arena.capacity(group) + groups.pending.nodeBytes(pending);
    if (groups.pending.seekFirst(pending)) {
      bytes += groups.pending.count(pending) * arena.capacity(groups.pending.value());
    }
    const own = groups.consumersOf(group);
    if (own !== 0) bytes += arena.capacity(own);
    for (let each = 0; each < groups.consumers.count(own); each++) {
      const consumer = groups.consumers.at(own, each);
      bytes += arena.capacity(consumer) + groups.pending.nodeBytes(groups.pendingOfConsumer(consumer));
    }
  }
  return bytes;
}

/** Moves nodes and pending entries out of sparse frames, and the root; see Structure.relocate. */
export function relocateStream(
  streams: Streams,
  root: number,
  fillMax: number,
  setRoot: (root: number) => void,
): number {
  const { arena, tree, nodes } = streams;
  let moved = 0;
  const count = streams.nodeCount(root);
  for (let rank = 0; rank < count; rank++) {
    tree.seekRank(root, rank);
    const node = tree.value();
    const rest = nodes.restOf(node);
    if (!arena.isSparse(node, fillMax) && (rest === 0 || !arena.isSparse(rest, fillMax))) continue;
    const isTail = node === streams.tailOf(root);
    const copied = isTail ? nodes.enlarged(node, nodes.lengthOf(node)) : nodes.copied(node, nodes.epochOf(node));
    tree.setValue(root, copied);
    nodes.free(node);
    moved += rest === 0 ? 1 : 2;
  }
  streams.refreshTail(root);
  const list = streams.groupsOf(root);
  for (let index = 0; index < streams.groups.groups.count(list); index++) {
    moved += streams.groups.relocatePending(streams.groups.groups.at(list, index), (cell) =>
      arena.isSparse(cell, fillMax),
    );
  }
  if (arena.isSparse(root, fillMax)) {
    const bytes = arena.capacity(root);
    const copied = arena.allocate(bytes);
    arena.move(root, 0, copied, 0, bytes);
    setRoot(copied);
    arena.free(root);
    moved++;
  }
  return moved;
}

/**
 * How many nodes Redis's radix tree has for the ids of the stream's nodes, each 16 bytes, the highest first: one for each
 * run of bytes without a fork, one for each fork, one for each id. Beyond RADIX_SAMPLE ids an estimate.
 */
export function radixNodeCount(streams: Streams, root: number): number {
  const { tree } = streams;
  const count = tree.count(root);
  if (count === 0) return 1;
  const before = makeId();
  const forks: number[] = [];
  let nodes = 0;
  let seen = 0;
  let lastDepth = -1;
  for (let isThere = tree.seekFirst(root); isThere && seen < RADIX_SAMPLE; isThere = tree.next(), seen++) {
    tree.readId();
    if (seen > 0) {
      const depth = commonBytes(before, tree.id);
      nodes += leafNodes(Math.max(lastDepth, depth));
      nodes += closeForks(forks, depth);
      if (forks[forks.length - 1] !== depth) forks.push(depth);
      lastDepth = depth;
    }
    copyId(tree.id, before);
  }
  nodes += leafNodes(lastDepth) + closeForks(forks, -1);
  return seen === count ? nodes : Math.round((nodes / seen) * count);
}

/** Nodes of an id below the fork at `depth` bytes (-1 none): its end, and the bytes between if there are any. */
function leafNodes(depth: number): number {
  return depth + 1 < ID_BYTES ? 2 : 1;
}

/** Takes off the forks deeper than `depth`; returns the nodes of them and of the bytes above each. */
function closeForks(forks: number[], depth: number): number {
  let nodes = 0;
  while (forks.length > 0 && forks[forks.length - 1]! > depth) {
    const closed = forks.pop()!;
    const above = Math.max(depth, forks.length > 0 ? forks[forks.length - 1]! : -1);
    nodes += closed > above + 1 ? 2 : 1;
  }
  return nodes;
}

function commonBytes(left: StreamId, right: StreamId): number {
  for (let word = 0; word < left.length; word++) {
    const difference = left[word]! ^ right[word]!;
    if (difference !== 0) return word * 4 + (Math.clz32(difference) >>> 3);
  }
  return ID_BYTES;
}

// ---- verify -----------------------------------------------------------------------------------------------------------

/** Walks the whole stream and asserts its invariants. */
export function verifyStream(streams: Streams, root: number): void {
  streams.tree.verify(root);
  let live = 0;
  let lastNode = 0;
  for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
    live += verifyNode(streams, node, streams.nodeId);
    lastNode = node;
  }
  assert(streams.tailOf(root) === lastNode, "I5: the tail is another node than the last one");
  assert(live === streams.length(root), "I2: the length is not the number of live entries");
  verifyIds(streams, root);
  const list = streams.groupsOf(root);
  assert(streams.groups.groups.isAscending(list), "groups are out of order");
  for (let index = 0; index < streams.groups.groups.count(list); index++) {
    verifyGroup(streams, streams.groups.groups.at(list, index));
  }
}

function verifyNode(streams: Streams, node: number, id: StreamId): number {
  const { arena, nodes } = streams;
  nodes.open(node);
  nodes.readMaster();
  const { blob, start, length } = nodes;
  const rest = nodes.restOf(node);
  const room = arena.capacity(node) + (rest === 0 ? 0 : arena.capacity(rest)) - NODE_HEAD_BYTES - length;
  const worst = countEntryBytes(nodes.live + nodes.deleted) - countEntryBytes(nodes.deleted);
  assert(room >= worst, "I2: no room for counts");
  assert(blob[start + length - 1] === 0xff, "a listpack has no end mark");
  let at = start + LISTPACK_HEAD_BYTES;
  let elements = 0;
  for (; !isListpackEnd(blob, at); at = nextEntry(blob, at)) elements++;
  assert(at === start + length - 1, "a listpack's entries are not as long as it");
  assert(listpackCount(blob, start) === elements, "a listpack counts other entries than it has");
  assert(nodes.live + nodes.deleted > 0, "a node has no entry");
  streams.walker.readLastOfNode(node, id, makeId());
  return nodes.live;
}

function verifyIds(streams: Streams, root: number): void {
  const { walker } = streams;
  const from = makeId();
  const to = makeId();
  const last = makeId();
  const before = makeId();
  const wanted = makeId();
  fillId(to, true);
  streams.readId(root, LAST_ID, last);
  streams.readId(root, FIRST_ID, wanted);
  let count = 0;
  walker.begin(root, from, to, false);
  while (walker.next()) {
    if (count === 0) assert(compareIds(wanted, walker.id) === 0, "I2: the first id is another");
    else assert(compareIds(before, walker.id) < 0, "I1: ids do not ascend");
    assert(compareIds(walker.id, last) <= 0, "I1: an id is above the last one");
    copyId(walker.id, before);
    count++;
  }
  assert(count === streams.length(root), "I2: the walk finds other entries than the length says");
  let reversed = 0;
  walker.begin(root, from, to, true);
  while (walker.next()) reversed++;
  assert(reversed === count, "the walk backwards finds other entries");
}

function verifyGroup(streams: Streams, group: number): void {
  const { groups } = streams;
  const { pending, consumers } = groups;
  const all = groups.pendingOfGroup(group);
  pending.verify(all);
  const own = groups.consumersOf(group);
  assert(consumers.isAscending(own), "consumers are out of order");
  let count = 0;
  const id = makeId();
  for (let index = 0; index < consumers.count(own); index++) {
    const consumer = consumers.at(own, index);
    const tree = groups.pendingOfConsumer(consumer);
    pending.verify(tree);
    const { tree: walker } = streams.walker;
    for (let isThere = walker.seekFirst(tree); isThere; isThere = walker.next()) {
      walker.readId();
      copyId(walker.id, id);
      assert(groups.findPending(group, id) === walker.value(), "groups I1: a consumer has what its group has not");
      assert(groups.consumerOf(walker.value()) === consumer, "groups I1: a pending entry is another consumer's");
      count++;
    }
  }
  assert(pending.count(all) === count, "groups I1: a pending entry is nobody's");
}
