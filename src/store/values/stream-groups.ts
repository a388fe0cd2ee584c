/**
 * Consumer groups of a stream: who reads it together, and what was delivered but not acknowledged.
 *
 *      group      [name length][consumers][entries read: 8][last id: 16][pending: tree root 16] name
 *      consumer   [name length][0][seen at: 8][active at: 8][pending: tree root 16] name
 *      pending    [consumer][0][delivered at: 8][deliveries: 8]                     one cell, named by two trees
 *
 *      stream ── groups ──► group ── consumers ──► consumer
 *                             │ pending: id ──► pending cell ◄── id :pending │
 *                             └────────────────────────│────────────────────┘
 *                                                      └──► consumer
 *
 *  I1  A pending cell stands under the same id in its group's tree and in its consumer's.
 *  I2  Groups and consumers are kept in the order of their names (name-list.ts).
 *  I3  Times are ms since 1970; a consumer that never got anything is active at -1.
 *  I4  What a change may need is allocated before it begins: ArenaExhausted leaves everything as it was. Taking away
 *      allocates nothing.
 *  I5  Entries read: a signed number of 64 bits, -1 when it is not known.
 *
 * Source: consumer groups as the Redis documentation describes them (XGROUP, XREADGROUP, XCLAIM, XPENDING).
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { IdTree } from "../encodings/id-tree.ts";
import { NameList } from "./name-list.ts";
import { copyId, ID_WORDS, type StreamId } from "./stream-id.ts";

/** Words and, of doubles, pairs of words. */
const GROUP_CONSUMERS = 1;
const GROUP_READ = 2;
const GROUP_LAST_ID = 4;
const GROUP_PENDING = 8;
const GROUP_HEAD_BYTES = 48;
const CONSUMER_SEEN = 2;
const CONSUMER_ACTIVE = 4;
const CONSUMER_PENDING = 6;
const CONSUMER_HEAD_BYTES = 40;
const PENDING_CONSUMER = 0;
const PENDING_DELIVERED = 2;
const PENDING_COUNT = 4;
const PENDING_BYTES = 24;

export const NEVER_MS = -1;

export class StreamGroups {
  readonly arena: Arena;
  /** Names of groups, and of consumers. */
  readonly groups: NameList;
  readonly consumers: NameList;
  /** Trees of pending entries. */
  readonly pending: IdTree;

  constructor(arena: Arena) {
    this.arena = arena;
    this.groups = new NameList(arena, GROUP_HEAD_BYTES);
    this.consumers = new NameList(arena, CONSUMER_HEAD_BYTES);
    this.pending = new IdTree(arena);
  }

  // ---- fields -------------------------------------------------------------------------------------------------------

  consumersOf(group: number): number {
    return this.word(group, GROUP_CONSUMERS);
  }

  readLastId(group: number, into: StreamId): void {
    for (let word = 0; word < ID_WORDS; word++) into[word] = this.word(group, GROUP_LAST_ID + word);
  }

  setLastId(group: number, id: StreamId): void {
    for (let word = 0; word < ID_WORDS; word++) this.setWord(group, GROUP_LAST_ID + word, id[word]!);
  }

  /** Entries read (I5). */
  entriesRead(group: number): bigint {
    return (BigInt(this.word(group, GROUP_READ + 1)) << 32n) | BigInt(this.word(group, GROUP_READ) >>> 0);
  }

  setEntriesRead(group: number, count: bigint): void {
    this.setWord(group, GROUP_READ, Number(count & 0xffffffffn));
    this.setWord(group, GROUP_READ + 1, Number((count >> 32n) & 0xffffffffn));
  }

  /** Whether it is known how many entries the group has read. hot path */
  hasEntriesRead(group: number): boolean {
    return (this.word(group, GROUP_READ) & this.word(group, GROUP_READ + 1)) !== -1;
  }

  /** One more entry was read. hot path */
  countRead(group: number): void {
    const low = (this.word(group, GROUP_READ) + 1) | 0;
    this.setWord(group, GROUP_READ, low);
    if (low === 0) this.setWord(group, GROUP_READ + 1, this.word(group, GROUP_READ + 1) + 1);
  }

  /** Root of the group's tree of pending entries. */
  pendingOfGroup(group: number): number {
    return group + GROUP_PENDING / 2;
  }

  pendingOfConsumer(consumer: number): number {
    return consumer + CONSUMER_PENDING / 2;
  }

  seenAtMs(consumer: number): number {
    return this.double(consumer, CONSUMER_SEEN);
  }

  setSeenAtMs(consumer: number, atMs: number): void {
    this.setDouble(consumer, CONSUMER_SEEN, atMs);
  }

  activeAtMs(consumer: number): number {
    return this.double(consumer, CONSUMER_ACTIVE);
  }

  setActiveAtMs(consumer: number, atMs: number): void {
    this.setDouble(consumer, CONSUMER_ACTIVE, atMs);
  }

  consumerOf(pending: number): number {
    return this.word(pending, PENDING_CONSUMER);
  }

  deliveredAtMs(pending: number): number {
    return this.double(pending, PENDING_DELIVERED);
  }

  deliveryCount(pending: number): number {
    return this.double(pending, PENDING_COUNT);
  }

  setDelivery(pending: number, atMs: number, count: number): void {
    this.setDouble(pending, PENDING_DELIVERED, atMs);
    this.setDouble(pending, PENDING_COUNT, count);
  }

  // ---- groups and consumers -----------------------------------------------------------------------------------------

  /**
   * Makes a group whose name the last `groups.find` in `list` did not find. Returns the list of groups, in which it
   * stands at `groups.index`. Throws ArenaExhausted (I4).
   */
  addGroup(
    list: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    lastId: StreamId,
    entriesRead: bigint,
  ): number {
    const group = this.groups.makeCell(bytes, start, length);
    this.setWord(group, GROUP_CONSUMERS, 0);
    this.setEntriesRead(group, entriesRead);
    this.setLastId(group, lastId);
    this.pending.initialize(this.pendingOfGroup(group));
    try {
      return this.groups.insert(list, group);
    } catch (error) {
      this.arena.free(group);
      throw error;
    }
  }

  findConsumer(group: number, bytes: Uint8Array, start: number, length: number): number {
    return this.consumers.find(this.consumersOf(group), bytes, start, length);
  }

  /** Makes a consumer whose name the last `findConsumer` did not find. Returns it. Throws ArenaExhausted (I4). */
  addConsumer(group: number, bytes: Uint8Array, start: number, length: number, seenAtMs: number): number {
    const consumer = this.consumers.makeCell(bytes, start, length);
    this.setWord(consumer, 1, 0);
    this.setSeenAtMs(consumer, seenAtMs);
    this.setActiveAtMs(consumer, NEVER_MS);
    this.pending.initialize(this.pendingOfConsumer(consumer));
    try {
      this.setWord(group, GROUP_CONSUMERS, this.consumers.insert(this.consumersOf(group), consumer));
    } catch (error) {
      this.arena.free(consumer);
      throw error;
    }
    return consumer;
  }

  /** Takes away the consumer that the last `findConsumer` found, with its pending entries. Returns how many it had. */
  removeConsumer(group: number, consumer: number): number {
    const { pending } = this;
    const index = this.consumers.index;
    const own = this.pendingOfConsumer(consumer);
    const all = this.pendingOfGroup(group);
    const count = pending.count(own);
    for (let left = count; left > 0; left--) {
      pending.seekLast(own);
      pending.readId();
      const { id } = pending;
      pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
      this.arena.free(pending.remove(all));
      pending.remove(own);
    }
    this.consumers.index = index;
    this.setWord(group, GROUP_CONSUMERS, this.consumers.remove(this.consumersOf(group)));
    this.arena.free(consumer);
    return count;
  }

  /** Frees a group and all that hangs on it; its list is the caller's. */
  freeGroup(group: number): void {
    while (!this.freeGroupParts(group, 1 << 20));
  }

  /** Frees about `parts` parts of a group; true when it is gone. Until then it serves for nothing else. */
  freeGroupParts(group: number, parts: number): boolean {
    const { pending, arena } = this;
    const all = this.pendingOfGroup(group);
    while (pending.seekLast(all)) {
      if (parts <= 0) return false;
      for (; pending.index >= 0; pending.index--, parts--) arena.free(pending.value());
      pending.freeLeaves(all, 1);
    }
    let list = this.consumersOf(group);
    while (list !== 0) {
      if (parts <= 0) return false;
      const last = this.consumers.count(list) - 1;
      const consumer = this.consumers.at(list, last);
      if (!pending.freeLeaves(this.pendingOfConsumer(consumer), parts)) return false;
      parts -= 1;
      arena.free(consumer);
      this.consumers.index = last;
      list = this.consumers.remove(list);
      this.setWord(group, GROUP_CONSUMERS, list);
    }
    arena.free(group);
    return true;
  }

  // ---- pending entries ----------------------------------------------------------------------------------------------

  /** The pending entry with this id, 0 when there is none. */
  findPending(group: number, id: StreamId): number {
    this.pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    return this.pending.find(this.pendingOfGroup(group));
  }

  /**
   * Makes an entry pending that is not; `consumer` 0: nobody's yet (`assign` must follow). Returns it. Throws
   * ArenaExhausted (I4). hot path
   */
  addPending(group: number, consumer: number, id: StreamId, atMs: number, count: number): number {
    const { pending, arena } = this;
    const cell = arena.allocate(PENDING_BYTES);
    this.setWord(cell, PENDING_CONSUMER, consumer);
    this.setWord(cell, 1, 0);
    this.setDelivery(cell, atMs, count);
    pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    const all = this.pendingOfGroup(group);
    try {
      pending.insert(all, cell);
    } catch (error) {
      arena.free(cell);
      throw error;
    }
    if (consumer === 0) return cell;
    try {
      pending.insert(this.pendingOfConsumer(consumer), cell);
    } catch (error) {
      pending.remove(all);
      arena.free(cell);
      throw error;
    }
    return cell;
  }

  /** Gives a pending entry of `id` to `consumer`. Throws ArenaExhausted (I4). */
  assign(cell: number, id: StreamId, consumer: number): void {
    const { pending } = this;
    const before = this.consumerOf(cell);
    if (before === consumer) return;
    pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    pending.insert(this.pendingOfConsumer(consumer), cell);
    if (before !== 0) pending.remove(this.pendingOfConsumer(before));
    this.setWord(cell, PENDING_CONSUMER, consumer);
  }

  /** The entry is pending no longer; false when it was not. hot path */
  removePending(group: number, id: StreamId): boolean {
    const { pending } = this;
    pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    const cell = pending.remove(this.pendingOfGroup(group));
    if (cell === 0) return false;
    const consumer = this.consumerOf(cell);
    if (consumer !== 0) pending.remove(this.pendingOfConsumer(consumer));
    this.arena.free(cell);
    return true;
  }

  /** Moves pending entries of the group for which `isSparse` holds; returns how many. Throws ArenaExhausted. */
  relocatePending(group: number, isSparse: (cell: number) => boolean): number {
    const { pending, arena } = this;
    const all = this.pendingOfGroup(group);
    const count = pending.count(all);
    let moved = 0;
    for (let rank = 0; rank < count; rank++) {
      pending.seekRank(all, rank);
      const cell = pending.value();
      if (!isSparse(cell)) continue;
      const copied = arena.allocate(PENDING_BYTES);
      arena.move(cell, 0, copied, 0, PENDING_BYTES);
      pending.readId();
      pending.setValue(all, copied);
      const { id } = pending;
      pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
      const own = this.pendingOfConsumer(this.consumerOf(copied));
      pending.find(own);
      pending.setValue(own, copied);
      arena.free(cell);
      moved++;
    }
    return moved;
  }

  /** Copies the id at the cursor of `pending`. */
  readPendingId(into: StreamId): void {
    this.pending.readId();
    copyId(this.pending.id, into);
  }

  // ---- words --------------------------------------------------------------------------------------------------------

  private word(cell: number, word: number): number {
    return this.arena.words[cell >>> SEGMENT_SHIFT]![((cell & UNIT_MASK) << 1) + word]!;
  }

  private setWord(cell: number, word: number, value: number): void {
    this.arena.words[cell >>> SEGMENT_SHIFT]![((cell & UNIT_MASK) << 1) + word] = value;
  }

  private double(cell: number, word: number): number {
    return this.arena.doubles[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) + (word >>> 1)]!;
  }

  private setDouble(cell: number, word: number, value: number): void {
    this.arena.doubles[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) + (word >>> 1)] = value;
  }
}
