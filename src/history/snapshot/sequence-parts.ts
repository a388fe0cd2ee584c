/**
 * How the nodes of a list or stream become RDB: one string a node, with what an RDB file puts beside it.
 *
 *      list     [container: 1 plain, 2 packed][listpack or element] ...
 *      stream   [id of the master entry: 16 bytes][listpack] ...  numbers  groups with pending entries and consumers
 *
 *  I1  What stands beside the nodes (kinds, ids, the numbers and groups of a stream) is taken when the object is made:
 *      only the nodes themselves may be written later, when some of them have changed since.
 *
 * Source: the format's public descriptions; files written by real servers.
 */

import type { Lists } from "../../store/values/lists.ts";
import type { NameList } from "../../store/values/name-list.ts";
import { makeId, type StreamId } from "../../store/values/stream-id.ts";
import { DELETED_ID, FIRST_ID, LAST_ID, type Streams } from "../../store/values/streams.ts";
import * as rdb from "../formats/rdb-constants.ts";
import { RdbEncoder } from "../formats/rdb-encoder.ts";
import type { SequenceParts } from "./large-value.ts";

const ID_BYTES = 16;
/** The numbers and groups of a small stream; more grows. */
const TAIL_BYTES = 1024;

export class ListParts implements SequenceParts {
  readonly nodes: Int32Array;
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  private readonly lists: Lists;
  private readonly isPlain: Uint8Array;

  constructor(lists: Lists, root: number) {
    this.lists = lists;
    this.nodes = lists.nodesOf(root);
    this.isPlain = Uint8Array.from(this.nodes, (node) => (lists.isPlain(node) ? 1 : 0));
    this.valueBytes = this.isPlain;
    this.valueStart = 0;
    this.valueLength = 0;
  }

  view(node: number): void {
    const { lists } = this;
    lists.view(node);
    this.valueBytes = lists.valueBytes;
    this.valueStart = lists.valueStart;
    this.valueLength = lists.valueLength;
  }

  write(encoder: RdbEncoder, index: number, bytes: Uint8Array, start: number, length: number): void {
    encoder.length(this.isPlain[index] === 1 ? rdb.NODE_PLAIN : rdb.NODE_PACKED);
    encoder.string(bytes, start, length);
  }

  end(): void {}
}

export class StreamParts implements SequenceParts {
  readonly nodes: Int32Array;
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  private readonly streams: Streams;
  /** Master ids of the nodes, 16 bytes each, highest byte first. */
  private readonly ids: Uint8Array;
  /** What follows the nodes. */
  private readonly tail: RdbEncoder;
  private readonly id: StreamId;
  private readonly idBytes: Uint8Array;

  constructor(streams: Streams, root: number) {
    this.streams = streams;
    this.id = makeId();
    this.idBytes = new Uint8Array(ID_BYTES);
    const count = streams.nodeCount(root);
    this.nodes = new Int32Array(count);
    this.ids = new Uint8Array(count * ID_BYTES);
    let node = streams.firstNode(root);
    for (let index = 0; index < count; index++) {
      this.nodes[index] = node;
      writeIdBytes(this.ids, index * ID_BYTES, streams.nodeId);
      node = streams.nextNode(root);
    }
    this.valueBytes = this.ids;
    this.valueStart = 0;
    this.valueLength = 0;
    this.tail = new RdbEncoder(TAIL_BYTES);
    this.writeNumbers(root);
    this.writeGroups(root);
  }

  view(node: number): void {
    const { streams } = this;
    streams.readNode(node);
    this.valueBytes = streams.nodeBytes;
    this.valueStart = streams.nodeStart;
    this.valueLength = streams.nodeLength;
  }

  write(encoder: RdbEncoder, index: number, bytes: Uint8Array, start: number, length: number): void {
    encoder.string(this.ids, index * ID_BYTES, ID_BYTES);
    encoder.string(bytes, start, length);
  }

  end(encoder: RdbEncoder): void {
    const chunk = this.tail.takeChunk();
    encoder.stringPiece(chunk.buffer, 0, chunk.length);
  }

  private writeNumbers(root: number): void {
    const { streams, tail, id } = this;
    tail.length(streams.length(root));
    for (const word of [LAST_ID, FIRST_ID, DELETED_ID]) {
      streams.readId(root, word, id);
      this.writeLengthId();
    }
    tail.bigLength(BigInt.asUintN(64, streams.entriesAdded(root)));
  }

  private writeGroups(root: number): void {
    const { streams, tail } = this;
    const { groups } = streams;
    const list = streams.groupsOf(root);
    const count = groups.groups.count(list);
    tail.length(count);
    for (let index = 0; index < count; index++) {
      const group = groups.groups.at(list, index);
      this.writeName(groups.groups, group);
      groups.readLastId(group, this.id);
      this.writeLengthId();
      tail.bigLength(BigInt.asUintN(64, groups.entriesRead(group)));
      this.writePending(groups.pendingOfGroup(group), true);
      this.writeConsumers(groups.consumersOf(group));
    }
  }

  private writeConsumers(list: number): void {
    const { groups } = this.streams;
    const count = groups.consumers.count(list);
    this.tail.length(count);
    for (let index = 0; index < count; index++) {
      const consumer = groups.consumers.at(list, index);
      this.writeName(groups.consumers, consumer);
      this.tail.int64(groups.seenAtMs(consumer));
      this.writePending(groups.pendingOfConsumer(consumer), false);
    }
  }

  private writePending(tree: number, hasDelivery: boolean): void {
    const { streams, tail, id, idBytes } = this;
    const { groups } = streams;
    const { pending } = groups;
    tail.length(pending.count(tree));
    for (let isThere = pending.seekFirst(tree); isThere; isThere = pending.next()) {
      groups.readPendingId(id);
      writeIdBytes(idBytes, 0, id);
      tail.stringPiece(idBytes, 0, ID_BYTES);
      if (!hasDelivery) continue;
      const cell = pending.value();
      tail.int64(groups.deliveredAtMs(cell));
      tail.length(groups.deliveryCount(cell));
    }
  }

  private writeName(names: NameList, cell: number): void {
    this.tail.string(names.view(cell), names.nameStart(cell), names.nameLength(cell));
  }

  /** The two halves of `id` as lengths. */
  private writeLengthId(): void {
    const { tail, id } = this;
    tail.bigLength((BigInt(id[0]!) << 32n) | BigInt(id[1]!));
    tail.bigLength((BigInt(id[2]!) << 32n) | BigInt(id[3]!));
  }
}

function writeIdBytes(target: Uint8Array, at: number, id: StreamId): void {
  for (let word = 0; word < 4; word++) {
    for (let byte = 0; byte < 4; byte++) target[at++] = id[word]! >>> (24 - 8 * byte);
  }
}
