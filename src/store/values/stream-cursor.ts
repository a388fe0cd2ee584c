/**
 * Stream cursor: walks the live entries of a stream between two ids, forwards or backwards.
 *
 *      begin(root, from, to, isReversed)        both ends count
 *      while (next()) { id, pairCount;  while (nextPair()) { names.value..., values.value... } }
 *
 *  I1  What it points to is valid until the stream's next change; cells made meanwhile do no harm.
 *  I2  The pairs of an entry may be read or left unread.
 *
 * Each cursor has a tree and nodes of its own, so that several of them do not disturb each other.
 */

import type { Arena } from "../arena/arena.ts";
import { IdTree } from "../encodings/id-tree.ts";
import { Listpack, nextEntry, numberAt, previousEntry } from "../encodings/listpack.ts";
import { compareIds, copyId, ID_WORDS, makeId, type StreamId } from "./stream-id.ts";
import { FLAG_DELETED, FLAG_SAME_FIELDS, integerAt, StreamNodes } from "./stream-nodes.ts";

const TWO_32 = 4294967296;

export class StreamCursor {
  readonly tree: IdTree;
  readonly nodes: StreamNodes;
  /** Name and value that `nextPair` read. */
  readonly names: Listpack;
  readonly values: Listpack;
  /** The entry's id, its number of pairs, and its position in the open node. */
  readonly id: StreamId;
  pairCount: number;
  entryAt: number;
  flags: number;

  private root: number;
  private readonly from: StreamId;
  private readonly to: StreamId;
  private readonly masterId: StreamId;
  private isReversed: boolean;
  /** Where the next entry begins; reversed: where the entry ends that comes next. */
  private nextAt: number;
  /** Of the current entry: the next pair's name and value. */
  private nameAt: number;
  private valueAt: number;
  /** Pairs that were not read; -1 when `nextAt` is known. */
  private pairsLeft: number;
  private hasNode: boolean;

  constructor(arena: Arena) {
    this.tree = new IdTree(arena);
    this.nodes = new StreamNodes(arena);
    this.names = new Listpack();
    this.values = new Listpack();
    this.id = makeId();
    this.pairCount = 0;
    this.entryAt = 0;
    this.flags = 0;
    this.root = 0;
    this.from = makeId();
    this.to = makeId();
    this.masterId = makeId();
    this.isReversed = false;
    this.nextAt = 0;
    this.nameAt = 0;
    this.valueAt = 0;
    this.pairsLeft = 0;
    this.hasNode = false;
  }

  /** `root`: of the stream. From the smaller id to the greater one, both included; reversed, the other way. hot path */
  begin(root: number, from: StreamId, to: StreamId, isReversed: boolean): void {
    this.root = root;
    copyId(from, this.from);
    copyId(to, this.to);
    this.isReversed = isReversed;
    this.seek(isReversed ? to : from);
  }

  private seek(id: StreamId): void {
    const { tree, root } = this;
    tree.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    // Before the first node there may still be something to find when walking forwards.
    this.hasNode = tree.seekAtMost(root) || (!this.isReversed && tree.seekFirst(root));
    if (this.hasNode) this.enterNode();
  }

  /** Opens the node at the tree's cursor. */
  private enterNode(): void {
    const { tree, nodes, masterId } = this;
    tree.readId();
    copyId(tree.id, masterId);
    nodes.open(tree.value());
    nodes.readMaster();
    this.pairsLeft = -1;
    this.nextAt = this.isReversed ? nodes.end() : nodes.firstAt;
  }

  /** The next live entry; false at the end. hot path */
  next(): boolean {
    return this.isReversed ? this.previousEntry() : this.followingEntry();
  }

  private followingEntry(): boolean {
    const { nodes, id } = this;
    while (this.hasNode) {
      if (this.pairsLeft >= 0) this.passPairs();
      if (this.nextAt >= nodes.end()) {
        this.hasNode = this.tree.next();
        if (this.hasNode) this.enterNode();
        continue;
      }
      this.readHead(this.nextAt);
      if ((this.flags & FLAG_DELETED) !== 0) continue;
      if (compareIds(id, this.to) > 0) break;
      if (compareIds(id, this.from) >= 0) return true;
    }
    this.hasNode = false;
    return false;
  }

  private previousEntry(): boolean {
    const { nodes, id } = this;
    while (this.hasNode) {
      if (this.nextAt <= nodes.firstAt) {
        this.hasNode = this.tree.previous();
        if (this.hasNode) this.enterNode();
        continue;
      }
      const { blob } = nodes;
      let at = previousEntry(blob, this.nextAt);
      for (let elements = integerAt(blob, at); elements > 0; elements--) at = previousEntry(blob, at);
      this.nextAt = at;
      this.readHead(at);
      if ((this.flags & FLAG_DELETED) !== 0) continue;
      if (compareIds(id, this.from) < 0) break;
      if (compareIds(id, this.to) <= 0) return true;
    }
    this.hasNode = false;
    return false;
  }

  /** Reads flags, id and number of pairs of the entry at `at`. */
  private readHead(at: number): void {
    const { nodes } = this;
    const { blob } = nodes;
    this.entryAt = at;
    const flags = blob[at]!;
    this.flags = flags;
    at += 2;
    this.addDifference(blob, at, 0);
    at = nextEntry(blob, at);
    this.addDifference(blob, at, 2);
    at = nextEntry(blob, at);
    if ((flags & FLAG_SAME_FIELDS) !== 0) {
      this.pairCount = nodes.fieldCount;
      this.nameAt = nodes.fieldsAt;
    } else {
      this.pairCount = integerAt(blob, at);
      at = nextEntry(blob, at);
    }
    this.valueAt = at;
    this.pairsLeft = this.pairCount;
  }

  /** Half `word` (0 ms, 2 sequence) of the id is the master's and the difference at `at`, modulo 2^64. */
  private addDifference(blob: Uint8Array, at: number, word: number): void {
    const { id, masterId } = this;
    const first = blob[at]!;
    const difference = first < 0x80 ? first : numberAt(blob, at);
    if (typeof difference === "number") {
      const sum = masterId[word + 1]! + difference;
      if (sum >= 0 && sum < TWO_32) {
        id[word] = masterId[word]!;
        id[word + 1] = sum;
        return;
      }
    }
    const master = (BigInt(masterId[word]!) << 32n) | BigInt(masterId[word + 1]!);
    const sum = BigInt.asUintN(64, master + BigInt(difference));
    id[word] = Number(sum >> 32n);
    id[word + 1] = Number(sum & 0xffffffffn);
  }

  /** Passes over the pairs that were not read, and over the entry's last element. */
  private passPairs(): void {
    const { blob } = this.nodes;
    let at = this.valueAt;
    const perPair = (this.flags & FLAG_SAME_FIELDS) !== 0 ? 1 : 2;
    for (let elements = this.pairsLeft * perPair; elements > 0; elements--) at = nextEntry(blob, at);
    this.nextAt = nextEntry(blob, at);
    this.pairsLeft = -1;
  }

  /** Reads the next name and value of the entry; false when there is none. hot path */
  nextPair(): boolean {
    if (this.pairsLeft <= 0) return false;
    this.pairsLeft--;
    const { blob } = this.nodes;
    let at = this.valueAt;
    if ((this.flags & FLAG_SAME_FIELDS) !== 0) {
      this.names.read(blob, this.nameAt);
      this.nameAt = nextEntry(blob, this.nameAt);
    } else {
      this.names.read(blob, at);
      at = nextEntry(blob, at);
    }
    this.values.read(blob, at);
    this.valueAt = nextEntry(blob, at);
    return true;
  }

  /** Whether the id is that of a live entry; the cursor stands on it. */
  find(root: number, id: StreamId): boolean {
    this.begin(root, id, id, false);
    return this.next();
  }

  /** Reads the id of the last entry of a node with the id `masterId`, deleted or not. Ends the walk. */
  readLastOfNode(node: number, masterId: StreamId, into: StreamId): void {
    copyId(masterId, this.masterId);
    this.hasNode = false;
    this.nodes.open(node);
    this.nodes.readMaster();
    const { blob } = this.nodes;
    let at = previousEntry(blob, this.nodes.end());
    for (let elements = integerAt(blob, at); elements > 0; elements--) at = previousEntry(blob, at);
    this.readHead(at);
    copyId(this.id, into);
  }

  /** The tree's id of the node in which the cursor stands. */
  readMasterId(into: StreamId): void {
    for (let word = 0; word < ID_WORDS; word++) into[word] = this.masterId[word]!;
  }
}
