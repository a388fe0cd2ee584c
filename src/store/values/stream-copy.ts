/** Copies whole streams: nodes as they are, groups, consumers and pending entries one by one. */

import { SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { copyId, makeId, type StreamId } from "./stream-id.ts";
import { LENGTH, type Streams, TAIL_ID } from "./streams.ts";

/** A copy of the stream in cells of its own; returns its root. Throws ArenaExhausted and leaves nothing behind. */
export function copyStream(streams: Streams, root: number): number {
  const target = streams.create();
  const id = makeId();
  try {
    for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
      addNode(streams, target, node, streams.nodeId);
    }
    streams.refreshTail(target);
    const words = streams.arena.words[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const targetWords = streams.arena.words[target >>> SEGMENT_SHIFT]!;
    const targetAt = (target & UNIT_MASK) << 1;
    for (let word = LENGTH; word < TAIL_ID; word++) targetWords[targetAt + word] = words[at + word]!;
    copyGroups(streams, root, target, id);
    return target;
  } catch (error) {
    streams.discard(target);
    throw error;
  }
}

function addNode(streams: Streams, target: number, node: number, id: StreamId): void {
  const { tree, nodes } = streams;
  const copied = nodes.copied(node, streams.tables.snapshotId);
  tree.setId(id[0]!, id[1]!, id[2]!, id[3]!);
  try {
    tree.append(target, copied);
  } catch (error) {
    nodes.free(copied);
    throw error;
  }
}

function copyGroups(streams: Streams, root: number, target: number, id: StreamId): void {
  const { groups } = streams;
  const { groups: names, consumers } = groups;
  const list = streams.groupsOf(root);
  for (let index = 0; index < names.count(list); index++) {
    const group = names.at(list, index);
    const view = names.view(group);
    const nameStart = names.nameStart(group);
    const nameLength = names.nameLength(group);
    streams.findGroup(target, view, nameStart, nameLength);
    groups.readLastId(group, id);
    const copied = streams.addGroup(target, view, nameStart, nameLength, id, groups.entriesRead(group));
    const own = groups.consumersOf(group);
    for (let each = 0; each < consumers.count(own); each++) {
      const consumer = consumers.at(own, each);
      const from = consumers.view(consumer);
      const start = consumers.nameStart(consumer);
      const length = consumers.nameLength(consumer);
      groups.findConsumer(copied, from, start, length);
      const copiedConsumer = groups.addConsumer(copied, from, start, length, groups.seenAtMs(consumer));
      groups.setActiveAtMs(copiedConsumer, groups.activeAtMs(consumer));
      copyPending(streams, groups.pendingOfConsumer(consumer), copied, copiedConsumer, id);
    }
  }
}

function copyPending(streams: Streams, tree: number, group: number, consumer: number, id: StreamId): void {
  const { groups } = streams;
  const walker = streams.walker.tree;
  for (let isThere = walker.seekFirst(tree); isThere; isThere = walker.next()) {
    walker.readId();
    copyId(walker.id, id);
    const cell = walker.value();
    groups.addPending(group, consumer, id, groups.deliveredAtMs(cell), groups.deliveryCount(cell));
  }
}
