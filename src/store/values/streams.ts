/**
 * Streams: entries under ascending ids, and the groups that read them.
 *
 *      root   [tree of nodes: 16][tail][groups][length: 8][last id: 16][first id: 16][greatest deleted id: 16]
 *             [entries ever added: 8][tail's id: 16]
 *
 *      root ── tree ──► node ◄─► node ◄─► node (tail)             stream-nodes.ts: up to some hundred entries each
 *        └── groups ──► group, group ...                          stream-groups.ts
 *
 *  I1  Ids of live entries ascend over all nodes; none is above the last id.
 *  I2  Length is the number of live entries, the first id that of the first one (0-0 when there is none).
 *  I3  A node is shown to the running snapshot (`HashTable.touch`) before it changes or is freed. `touchedId` is its id then.
 *      A node made while a snapshot runs bears its number and is not shown.
 *  I4  New cells are allocated before anything changes: ArenaExhausted leaves everything as it was. Removing and trimming
 *      allocate nothing.
 *  I5  The last node of the tree is the tail; entries are appended to it until it is full (stream-node-max-bytes and
 *      -entries), then its cells are made as small as can be.
 *
 * Source: streams as the Redis documentation describes them; nodes as DUMP of a real server shows them.
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { HashTable } from "../encodings/hash-table.ts";
import { IdTree } from "../encodings/id-tree.ts";
import { LISTPACK_EMPTY_BYTES, LISTPACK_HEAD_BYTES, Listpack, listpackEnd, nextEntry } from "../encodings/listpack.ts";
import type { EncodingLimits } from "../keyspace/encoding-limits.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { NO_EXPIRY } from "../keyspace/keyspace.ts";
import { ENCODING_STREAM, TYPE_STREAM } from "../keyspace/record.ts";
import type { Structure } from "../keyspace/structure.ts";
import { copyStream } from "./stream-copy.ts";
import { StreamCursor } from "./stream-cursor.ts";
import { StreamGroups } from "./stream-groups.ts";
import { compareIds, copyId, fillId, ID_WORDS, makeId, type StreamId } from "./stream-id.ts";
import { relocateStream, streamBytes, verifyStream } from "./stream-inspection.ts";
import { countEntryBytes, FLAG_SAME_FIELDS, StreamNodes, writeNodeHead } from "./stream-nodes.ts";
import { StreamProgress } from "./stream-progress.ts";
import { StreamRegisters } from "./stream-registers.ts";

const TAIL = 4;
const GROUPS = 5;
export const LENGTH = 6;
export const LAST_ID = 8;
export const FIRST_ID = 12;
export const DELETED_ID = 16;
const ADDED = 20;
export const TAIL_ID = 22;
export const STREAM_ROOT_BYTES = 104;

/** No node's listpack is to be longer, whatever stream-node-max-bytes says. */
const NODE_BYTES_MAX = 1 << 30;
/** The elements of an entry may not be longer than this in all. */
export const ENTRY_BYTES_MAX = 1 << 30;
/** A growing node of more than this grows by a quarter, not to the double. */
const DOUBLING_MAX = 2028;
const FRAME_ROOM = 4076;
/** Up to here bytes are copied one by one: a view costs more. */
const COPY_LOOP_MAX = 96;
/** A full tail says how much room its successor needs. */
const NEXT_ROOM_BYTES = 24;

/** What to trim to: see `Streams.trim`. */
export interface Trimming {
  /** By length, or by the smallest id that stays. */
  isByLength: boolean;
  lengthMax: number;
  readonly idMin: StreamId;
  /** Only whole nodes are removed. */
  isApproximate: boolean;
  /** Most entries to remove, 0 without limit. */
  limit: number;
}

export class Streams implements Structure {
  readonly arena: Arena;
  readonly tables: HashTable;
  readonly groups: StreamGroups;
  /** For commands that read; for snapshots, copies and checks. What changes a stream uses neither of them. */
  readonly cursor: StreamCursor;
  readonly walker: StreamCursor;
  /** For changes. */
  readonly tree: IdTree;
  readonly nodes: StreamNodes;
  /** The id of the node that `HashTable.touch` is called for (I3). */
  readonly touchedId: StreamId;
  /** How far groups have read. */
  readonly progress: StreamProgress;
  /** For commands. */
  readonly registers: StreamRegisters;
  /** What `readNode` read: a node's listpack. Its id is `nodeId` after `firstNode` and `nextNode`. */
  nodeBytes: Uint8Array;
  nodeStart: number;
  nodeLength: number;
  readonly nodeId: StreamId;

  private readonly keyspace: Keyspace;
  private readonly limits: EncodingLimits;
  private readonly editor: StreamCursor;
  private readonly listpack: Listpack;
  private readonly id: StreamId;
  private readonly greatestId: StreamId;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.limits = keyspace.encodingLimits;
    this.arena = keyspace.arena;
    this.tables = keyspace.tables;
    this.groups = new StreamGroups(this.arena);
    this.cursor = new StreamCursor(this.arena);
    this.editor = new StreamCursor(this.arena);
    this.walker = new StreamCursor(this.arena);
    this.tree = new IdTree(this.arena);
    this.nodes = new StreamNodes(this.arena);
    this.listpack = new Listpack();
    this.id = makeId();
    this.touchedId = makeId();
    this.progress = new StreamProgress();
    this.registers = new StreamRegisters();
    this.nodeBytes = this.arena.bytes[0]!;
    this.nodeStart = 0;
    this.nodeLength = 0;
    this.nodeId = makeId();
    this.greatestId = makeId();
    fillId(this.greatestId, true);
  }

  // ---- making and placing -------------------------------------------------------------------------------------------

  /** An empty stream that no key holds yet; returns its root. Throws ArenaExhausted. */
  create(): number {
    const root = this.arena.allocate(STREAM_ROOT_BYTES);
    const at = (root & UNIT_MASK) << 1;
    this.arena.words[root >>> SEGMENT_SHIFT]!.fill(0, at, at + STREAM_ROOT_BYTES / 4);
    return root;
  }

  /** Gives a key the stream at `root`, whatever it held. On ArenaExhausted the stream is gone. Returns the record. */
  place(
    database: Database,
    key: Uint8Array,
    start: number,
    length: number,
    root: number,
    expireAtMs: number = NO_EXPIRY,
  ): number {
    try {
      return this.keyspace.putStructure(database, key, start, length, TYPE_STREAM, ENCODING_STREAM, root, expireAtMs);
    } catch (error) {
      this.discard(root);
      throw error;
    }
  }

  /** Frees a stream that no key holds. */
  discard(root: number): void {
    while (this.freeParts(root, 0, 1 << 20) !== -1) {}
  }

  /** The root of the stream that `record` holds. hot path */
  rootOf(record: number): number {
    return this.keyspace.records.externalAddress(record);
  }

  // ---- fields -------------------------------------------------------------------------------------------------------

  length(root: number): number {
    return this.arena.doubles[root >>> SEGMENT_SHIFT]![(root & UNIT_MASK) + LENGTH / 2]!;
  }

  setLength(root: number, length: number): void {
    this.arena.doubles[root >>> SEGMENT_SHIFT]![(root & UNIT_MASK) + LENGTH / 2] = length;
  }

  /** Reads the id in the root's words from LAST_ID, FIRST_ID or DELETED_ID on. */
  readId(root: number, word: number, into: StreamId): void {
    const words = this.arena.words[root >>> SEGMENT_SHIFT]!;
    const at = ((root & UNIT_MASK) << 1) + word;
    for (let index = 0; index < ID_WORDS; index++) into[index] = words[at + index]!;
  }

  writeId(root: number, word: number, id: StreamId): void {
    const words = this.arena.words[root >>> SEGMENT_SHIFT]!;
    const at = ((root & UNIT_MASK) << 1) + word;
    for (let index = 0; index < ID_WORDS; index++) words[at + index] = id[index]!;
  }

  /** How many entries were ever added, as a signed number of 64 bits. */
  entriesAdded(root: number): bigint {
    return (BigInt(this.word(root, ADDED + 1)) << 32n) | BigInt(this.word(root, ADDED) >>> 0);
  }

  setEntriesAdded(root: number, count: bigint): void {
    this.setWord(root, ADDED, Number(count & 0xffffffffn));
    this.setWord(root, ADDED + 1, Number((count >> 32n) & 0xffffffffn));
  }

  /** Whether any entry was ever added. */
  hasEverAdded(root: number): boolean {
    return (this.word(root, ADDED) | this.word(root, ADDED + 1)) !== 0;
  }

  /** The list of groups (name-list.ts), 0 when there is none. */
  groupsOf(root: number): number {
    return this.word(root, GROUPS);
  }

  setGroups(root: number, list: number): void {
    this.setWord(root, GROUPS, list);
  }

  /** The id of the first or the last live entry; 0-0, and false, when there is none. */
  readEdge(root: number, isLast: boolean, into: StreamId): boolean {
    const { editor } = this;
    fillId(this.id, false);
    editor.begin(root, this.id, this.greatestId, isLast);
    const isThere = editor.next();
    if (isThere) copyId(editor.id, into);
    else fillId(into, false);
    return isThere;
  }

  /** Nodes of the stream. */
  nodeCount(root: number): number {
    return this.tree.count(root);
  }

  // ---- groups -------------------------------------------------------------------------------------------------------

  /** The group with this name, 0 when there is none. */
  findGroup(root: number, bytes: Uint8Array, start: number, length: number): number {
    return this.groups.groups.find(this.groupsOf(root), bytes, start, length);
  }

  /** Makes a group that the last `findGroup` did not find. Returns it. Throws ArenaExhausted. */
  addGroup(
    root: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    lastId: StreamId,
    entriesRead: bigint,
  ): number {
    const list = this.groups.addGroup(this.groupsOf(root), bytes, start, length, lastId, entriesRead);
    this.setGroups(root, list);
    return this.groups.groups.at(list, this.groups.groups.index);
  }

  /** Takes away the group that the last `findGroup` found. */
  removeGroup(root: number, group: number): void {
    const index = this.groups.groups.index;
    this.groups.freeGroup(group);
    this.groups.groups.index = index;
    this.setGroups(root, this.groups.groups.remove(this.groupsOf(root)));
  }

  // ---- adding -------------------------------------------------------------------------------------------------------

  /**
   * Appends an entry of `pairCount` names and values, which are the arguments of `input` from `first` on, `entryBytes` in
   * all. `id` must be above the last one. Throws ArenaExhausted (I4). hot path
   */
  append(
    root: number,
    id: StreamId,
    input: Uint8Array,
    offset: Int32Array,
    length: Int32Array,
    first: number,
    pairCount: number,
    entryBytes: number,
  ): void {
    const words = this.arena.words[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const tail = words[at + TAIL]!;
    if (tail === 0) {
      this.addNode(root, 0, id, input, offset, length, first, pairCount);
    } else {
      if (this.tables.snapshotId !== 0) this.touchTail(root, tail);
      this.nodes.open(tail);
      if (this.isFull(entryBytes)) this.addNode(root, tail, id, input, offset, length, first, pairCount);
      else this.addToTail(root, tail, id, input, offset, length, first, pairCount);
    }
    for (let word = 0; word < ID_WORDS; word++) words[at + LAST_ID + word] = id[word]!;
    const entries = this.length(root) + 1;
    this.setLength(root, entries);
    if (entries === 1) this.writeId(root, FIRST_ID, id);
    const added = (words[at + ADDED]! + 1) | 0;
    words[at + ADDED] = added;
    if (added === 0) words[at + ADDED + 1] = words[at + ADDED + 1]! + 1;
  }

  private touchTail(root: number, tail: number): void {
    this.readId(root, TAIL_ID, this.touchedId);
    this.tables.touch(root, tail);
  }

  /** Whether the open node takes no further entry. */
  private isFull(entryBytes: number): boolean {
    const { nodes, limits } = this;
    const limit = limits.streamNodeBytes;
    const bytesMax = limit === 0 || limit > NODE_BYTES_MAX ? NODE_BYTES_MAX : limit;
    if (nodes.length + entryBytes >= bytesMax) return true;
    return limits.streamNodeEntries !== 0 && nodes.live + nodes.deleted >= limits.streamNodeEntries;
  }

  private addNode(
    root: number,
    tail: number,
    id: StreamId,
    input: Uint8Array,
    offset: Int32Array,
    length: Int32Array,
    first: number,
    pairCount: number,
  ): void {
    const { listpack, nodes, tree } = this;
    listpack.begin();
    listpack.appendInteger(1);
    listpack.appendInteger(0);
    listpack.appendInteger(pairCount);
    const behind = first + pairCount * 2;
    for (let argument = first; argument < behind; argument += 2) {
      listpack.append(input, offset[argument]!, length[argument]!);
    }
    listpack.appendInteger(0);
    listpack.appendInteger(FLAG_SAME_FIELDS);
    listpack.appendInteger(0);
    listpack.appendInteger(0);
    for (let argument = first + 1; argument < behind; argument += 2) {
      listpack.append(input, offset[argument]!, length[argument]!);
    }
    listpack.appendInteger(pairCount + 3);
    const bytes = LISTPACK_EMPTY_BYTES + listpack.madeLength;
    const expected = tail === 0 ? 0 : Math.min(nodes.lengthOf(tail) + NEXT_ROOM_BYTES, FRAME_ROOM);
    const node = nodes.allocate(Math.max(bytes, expected), this.tables.snapshotId);
    listpack.writeBlob(this.arena.bytes[node >>> SEGMENT_SHIFT]!, nodes.startOf(node));
    tree.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    try {
      tree.append(root, node);
    } catch (error) {
      this.arena.free(node);
      throw error;
    }
    this.setWord(root, TAIL, node);
    this.writeId(root, TAIL_ID, id);
    if (tail !== 0) this.compactBefore(root, tail);
  }

  /** Makes the cells of the node before the tail as small as can be; it has been shown to the snapshot. */
  private compactBefore(root: number, node: number): void {
    const { tree, nodes } = this;
    const compacted = nodes.compacted(node);
    if (compacted === node) return;
    tree.seekLast(root);
    tree.previous();
    tree.setValue(root, compacted);
    nodes.free(node);
  }

  private addToTail(
    root: number,
    tail: number,
    id: StreamId,
    input: Uint8Array,
    offset: Int32Array,
    length: Int32Array,
    first: number,
    pairCount: number,
  ): void {
    const { listpack, nodes } = this;
    nodes.readMaster();
    const behind = first + pairCount * 2;
    const hasSameFields = pairCount === nodes.fieldCount && this.hasFields(input, offset, length, first, behind);
    const words = this.arena.words[root >>> SEGMENT_SHIFT]!;
    const at = ((root & UNIT_MASK) << 1) + TAIL_ID;
    listpack.begin();
    listpack.appendInteger(hasSameFields ? FLAG_SAME_FIELDS : 0);
    this.appendDifference(id[0]!, id[1]!, words[at]!, words[at + 1]!);
    this.appendDifference(id[2]!, id[3]!, words[at + 2]!, words[at + 3]!);
    if (hasSameFields) {
      for (let argument = first + 1; argument < behind; argument += 2) {
        listpack.append(input, offset[argument]!, length[argument]!);
      }
      listpack.appendInteger(pairCount + 3);
    } else {
      listpack.appendInteger(pairCount);
      for (let argument = first; argument < behind; argument++) {
        listpack.append(input, offset[argument]!, length[argument]!);
      }
      listpack.appendInteger(pairCount * 2 + 4);
    }
    const live = nodes.live + 1;
    const bytes = nodes.length + listpack.madeLength + countEntryBytes(live) - countEntryBytes(live - 1);
    if (!nodes.hasRoom(tail, bytes) || nodes.restOf(tail) !== 0) this.enlargeTail(root, tail, bytes);
    this.appendMade(live);
  }

  /** Writes the made entries behind those of the open node, which has the room, and its new count. hot path */
  private appendMade(live: number): void {
    const { listpack, nodes } = this;
    const { made, madeLength } = listpack;
    const { blob, start } = nodes;
    const end = nodes.end();
    if (madeLength < COPY_LOOP_MAX) for (let index = 0; index < madeLength; index++) blob[end + index] = made[index]!;
    else listpack.writeMade(blob, end);
    const bytes = nodes.length + madeLength;
    blob[end + madeLength] = 0xff;
    nodes.length = bytes;
    writeNodeHead(blob, start, bytes, listpack.madeCount);
    // A count below 128 is one byte.
    if (live < 128) blob[start + LISTPACK_HEAD_BYTES] = live;
    else nodes.writeCounts(live, nodes.deleted);
  }

  /** The tail, which is open, moves to one cell with room for a listpack of `bytes`. Throws ArenaExhausted (I4). */
  private enlargeTail(root: number, tail: number, bytes: number): void {
    const { nodes, tree } = this;
    let room = bytes + (bytes >>> 2);
    if (bytes <= DOUBLING_MAX) room = bytes * 2;
    else if (bytes <= FRAME_ROOM) room = FRAME_ROOM;
    const larger = nodes.enlarged(tail, room);
    tree.seekLast(root);
    tree.setValue(root, larger);
    nodes.free(tail);
    this.setWord(root, TAIL, larger);
    nodes.open(larger);
  }

  /** Whether the names are those of the open node's master entry. */
  private hasFields(input: Uint8Array, offset: Int32Array, length: Int32Array, first: number, behind: number): boolean {
    const { nodes, listpack } = this;
    const { blob } = nodes;
    let at = nodes.fieldsAt;
    for (let argument = first; argument < behind; argument += 2) {
      const bytes = length[argument]!;
      const next = nextEntry(blob, at);
      if (blob[at] === (0x80 | bytes) && bytes < 64) {
        // Kept as bytes, so no number: equal bytes are the same name.
        const start = offset[argument]!;
        for (let index = 0; index < bytes; index++) {
          if (blob[at + 1 + index] !== input[start + index]) return false;
        }
      } else {
        listpack.begin();
        listpack.append(input, offset[argument]!, bytes);
        if (listpack.find(blob, at, 0) !== at) return false;
      }
      at = next;
    }
    return true;
  }

  /** Makes the entry of the difference of two unsigned numbers of 64 bits, modulo 2^64. */
  private appendDifference(high: number, low: number, masterHigh: number, masterLow: number): void {
    const difference = low - (masterLow >>> 0);
    if (high === masterHigh >>> 0 && difference === (difference | 0)) {
      this.listpack.appendInteger(difference);
      return;
    }
    const borrow = difference < 0 ? 1 : 0;
    this.listpack.appendInt64((high - masterHigh - borrow) >>> 0, difference >>> 0);
  }

  // ---- removing -----------------------------------------------------------------------------------------------------

  /** Removes an entry; false when there is none. The first id is left to `refreshFirst`. */
  remove(root: number, id: StreamId): boolean {
    const { editor } = this;
    if (!editor.find(root, id)) return false;
    const { nodes } = editor;
    editor.readMasterId(this.touchedId);
    this.tables.touch(root, nodes.node);
    if (nodes.live === 1) {
      this.dropNode(root, nodes.node, this.touchedId);
    } else {
      nodes.markDeleted(editor.entryAt);
      nodes.writeCounts(nodes.live - 1, nodes.deleted + 1);
    }
    this.setLength(root, this.length(root) - 1);
    this.readId(root, DELETED_ID, this.id);
    if (compareIds(id, this.id) > 0) this.writeId(root, DELETED_ID, id);
    return true;
  }

  /** Brings the first id up to date after entries were removed. */
  refreshFirst(root: number): void {
    this.readEdge(root, false, this.id);
    this.writeId(root, FIRST_ID, this.id);
  }

  /** Takes a node out; it has been shown to the snapshot. */
  private dropNode(root: number, node: number, id: StreamId): void {
    const { tree } = this;
    tree.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    tree.remove(root);
    this.nodes.free(node);
    if (this.word(root, TAIL) === node) this.refreshTail(root);
  }

  /** Notes which node is the last one. */
  refreshTail(root: number): void {
    const { tree } = this;
    if (!tree.seekLast(root)) {
      this.setWord(root, TAIL, 0);
      return;
    }
    this.setWord(root, TAIL, tree.value());
    tree.readId();
    this.writeId(root, TAIL_ID, tree.id);
  }

  /** Removes entries from the front; returns how many. */
  trim(root: number, trimming: Trimming): number {
    const { tree, nodes, id } = this;
    let removed = 0;
    while (tree.seekFirst(root)) {
      const length = this.length(root);
      if (trimming.isByLength && length <= trimming.lengthMax) break;
      const node = tree.value();
      const live = nodes.liveOf(node);
      if (trimming.limit !== 0 && removed + live > trimming.limit) break;
      tree.readId();
      copyId(tree.id, this.touchedId);
      const isWhole = trimming.isByLength
        ? length - live >= trimming.lengthMax
        : this.isNodeBelow(node, trimming.idMin);
      if (!isWhole && trimming.isApproximate) break;
      this.tables.touch(root, node);
      if (!isWhole) {
        removed += this.trimNode(root, trimming);
        break;
      }
      this.dropNode(root, node, this.touchedId);
      this.setLength(root, length - live);
      removed += live;
    }
    if (this.length(root) === 0) {
      fillId(id, false);
      this.writeId(root, FIRST_ID, id);
    } else if (removed > 0) {
      this.refreshFirst(root);
    }
    return removed;
  }

  /** Whether all entries of the node, deleted or not, whose id is `touchedId`, are below `id`. */
  private isNodeBelow(node: number, id: StreamId): boolean {
    this.editor.readLastOfNode(node, this.touchedId, this.id);
    return compareIds(this.id, id) < 0;
  }

  /** Marks entries of the first node as deleted; returns how many. */
  private trimNode(root: number, trimming: Trimming): number {
    const { editor, id } = this;
    const { nodes } = editor;
    fillId(id, false);
    let surplus = trimming.isByLength ? this.length(root) - trimming.lengthMax : Number.POSITIVE_INFINITY;
    editor.begin(root, id, this.greatestId, false);
    const before = nodes.node;
    let removed = 0;
    while (surplus > 0 && editor.next() && nodes.node === before) {
      if (!trimming.isByLength && compareIds(editor.id, trimming.idMin) >= 0) break;
      nodes.markDeleted(editor.entryAt);
      surplus--;
      removed++;
    }
    nodes.open(before);
    nodes.writeCounts(nodes.live - removed, nodes.deleted + removed);
    this.setLength(root, this.length(root) - removed);
    return removed;
  }

  // ---- for readers of whole streams -----------------------------------------------------------------------------------

  /** The first node, 0 when there is none; `nodeId` is its id. */
  firstNode(root: number): number {
    const { tree } = this.walker;
    return tree.seekFirst(root) ? this.nodeAtWalker() : 0;
  }

  /** The node behind the one whose id is `nodeId`, which need not be there any more; 0 when there is none. */
  nextNode(root: number): number {
    const { tree } = this.walker;
    const { nodeId } = this;
    tree.setId(nodeId[0]!, nodeId[1]!, nodeId[2]!, nodeId[3]!);
    return tree.seekAbove(root) ? this.nodeAtWalker() : 0;
  }

  private nodeAtWalker(): number {
    const { tree } = this.walker;
    tree.readId();
    copyId(tree.id, this.nodeId);
    return tree.value();
  }

  /** Points nodeBytes, nodeStart and nodeLength to the node's listpack, until the next call or change. */
  readNode(node: number): void {
    const { nodes } = this.walker;
    nodes.open(node);
    this.nodeBytes = nodes.blob;
    this.nodeStart = nodes.start;
    this.nodeLength = listpackEnd(nodes.blob, nodes.start) + 1 - nodes.start;
  }

  // ---- Structure ------------------------------------------------------------------------------------------------------

  /** Nodes, groups, consumers and pending entries. */
  size(root: number): number {
    const { groups } = this;
    let size = this.tree.count(root);
    const list = this.groupsOf(root);
    for (let index = groups.groups.count(list) - 1; index >= 0; index--) {
      const group = groups.groups.at(list, index);
      size += 1 + groups.consumers.count(groups.consumersOf(group));
      size += groups.pending.count(groups.pendingOfGroup(group));
    }
    return size;
  }

  freeParts(root: number, _from: number, parts: number): number {
    const { tree, groups } = this;
    while (tree.seekLast(root)) {
      if (parts <= 0) return 1;
      for (; tree.index >= 0; tree.index--, parts--) this.nodes.free(tree.value());
      tree.freeLeaves(root, 1);
    }
    for (let list = this.groupsOf(root); list !== 0; ) {
      if (parts <= 0) return 1;
      const last = groups.groups.count(list) - 1;
      if (!groups.freeGroupParts(groups.groups.at(list, last), parts)) return 1;
      parts--;
      groups.groups.index = last;
      list = groups.groups.remove(list);
      this.setGroups(root, list);
    }
    this.arena.free(root);
    return -1;
  }

  copy(root: number): number {
    return copyStream(this, root);
  }

  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number {
    return relocateStream(this, root, fillMax, setRoot);
  }

  cellBytes(root: number, samples: number): number {
    return streamBytes(this, root, samples);
  }

  verify(root: number): void {
    verifyStream(this, root);
  }

  // ---- words --------------------------------------------------------------------------------------------------------

  private word(cell: number, word: number): number {
    return this.arena.words[cell >>> SEGMENT_SHIFT]![((cell & UNIT_MASK) << 1) + word]!;
  }

  private setWord(cell: number, word: number, value: number): void {
    this.arena.words[cell >>> SEGMENT_SHIFT]![((cell & UNIT_MASK) << 1) + word] = value;
  }

  /** The node to which entries are appended, 0 when there is none. */
  tailOf(root: number): number {
    return this.word(root, TAIL);
  }
}
