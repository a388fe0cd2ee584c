/**
 * Stream builder: makes a stream from the elements that a decoder tells (value-visitor.ts), and puts it under a key.
 *
 *      begin ─► streamEntry, streamField ... ─► streamEnd ─► streamGroup ─► streamPending ... ─► streamConsumer ...
 *            ─► put  or  abandon
 *
 *  I1  Nothing is visible before `put`.
 *  I2  A method that returns false was told something that cannot be (an id that does not ascend, a name twice, a
 *      pending entry that its group does not have): the whole is to be abandoned.
 *  I3  After ArenaExhausted it is to be abandoned, too.
 */

import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { compareIds, copyId, idFromBigints, makeId, type StreamId } from "./stream-id.ts";
import { DELETED_ID, ENTRY_BYTES_MAX, LAST_ID, type Streams } from "./streams.ts";

interface BigId {
  readonly ms: bigint;
  readonly sequence: bigint;
}

interface Summary {
  readonly lastId: BigId;
  readonly maxDeletedId: BigId;
  readonly entriesAdded: bigint;
}

const INPUT_BYTES = 1024;

export class StreamBuilder {
  private readonly keyspace: Keyspace;
  private streams: Streams;
  private root: number;
  /** The entry that is being told: its names and values as arguments. */
  private readonly id: StreamId;
  private readonly lastId: StreamId;
  private input: Uint8Array;
  private inputLength: number;
  private offset: Int32Array;
  private length: Int32Array;
  private argumentCount: number;
  private pairCount: number;
  private hasEntries: boolean;
  private group: number;
  private consumer: number;
  /** Pending entries that are nobody's yet. */
  private orphans: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.streams = keyspace.streams;
    this.root = 0;
    this.id = makeId();
    this.lastId = makeId();
    this.input = new Uint8Array(INPUT_BYTES);
    this.inputLength = 0;
    this.offset = new Int32Array(16);
    this.length = new Int32Array(16);
    this.argumentCount = 0;
    this.pairCount = 0;
    this.hasEntries = false;
    this.group = 0;
    this.consumer = 0;
    this.orphans = 0;
  }

  /** Throws ArenaExhausted. */
  begin(_sizeHint: number): void {
    this.abandon();
    // FLUSHALL may have put another one in its place.
    this.streams = this.keyspace.streams;
    this.root = this.streams.create();
    this.hasEntries = false;
    this.group = 0;
    this.consumer = 0;
    this.orphans = 0;
  }

  /** An entry, whose `fieldCount` fields follow. False when its id is not above those before. */
  streamEntry(ms: bigint, sequence: bigint, fieldCount: number): boolean {
    idFromBigints(this.id, ms, sequence);
    if (this.hasEntries && compareIds(this.id, this.lastId) <= 0) return false;
    this.hasEntries = true;
    copyId(this.id, this.lastId);
    this.inputLength = 0;
    this.argumentCount = 0;
    this.pairCount = fieldCount;
    return fieldCount > 0;
  }

  /** False when the entry has become too long. Throws ArenaExhausted. */
  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): boolean {
    if (this.inputLength + nameLength + valueLength > ENTRY_BYTES_MAX) return false;
    this.addArgument(nameBytes, nameStart, nameLength);
    this.addArgument(valueBytes, valueStart, valueLength);
    if (this.argumentCount < this.pairCount * 2) return true;
    const { input, offset, length } = this;
    this.streams.append(this.root, this.id, input, offset, length, 0, this.pairCount, this.inputLength);
    return true;
  }

  private addArgument(bytes: Uint8Array, start: number, length: number): void {
    const at = this.inputLength;
    if (at + length > this.input.length) {
      const grown = new Uint8Array(Math.max(this.input.length * 2, at + length));
      grown.set(this.input.subarray(0, at));
      this.input = grown;
    }
    if (this.argumentCount === this.offset.length) {
      const offset = new Int32Array(this.argumentCount * 2);
      const lengths = new Int32Array(this.argumentCount * 2);
      offset.set(this.offset);
      lengths.set(this.length);
      this.offset = offset;
      this.length = lengths;
    }
    this.input.set(bytes.subarray(start, start + length), at);
    this.offset[this.argumentCount] = at;
    this.length[this.argumentCount++] = length;
    this.inputLength = at + length;
  }

  /** The stream's own numbers; the first id is that of the first entry. False when the last id is below an entry's. */
  streamEnd(summary: Summary): boolean {
    const { streams, root, id } = this;
    idFromBigints(id, summary.lastId.ms, summary.lastId.sequence);
    if (this.hasEntries && compareIds(id, this.lastId) < 0) return false;
    streams.writeId(root, LAST_ID, id);
    idFromBigints(id, summary.maxDeletedId.ms, summary.maxDeletedId.sequence);
    streams.writeId(root, DELETED_ID, id);
    streams.setEntriesAdded(root, summary.entriesAdded);
    return true;
  }

  /** False when there is a group of this name. Throws ArenaExhausted. */
  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: BigId, entriesRead: bigint): boolean {
    const { streams, root, id } = this;
    if (streams.findGroup(root, bytes, start, length) !== 0) return false;
    idFromBigints(id, lastId.ms, lastId.sequence);
    this.group = streams.addGroup(root, bytes, start, length, id, entriesRead);
    this.consumer = 0;
    return true;
  }

  /** False when the group has the id already. Throws ArenaExhausted. */
  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): boolean {
    const { groups } = this.streams;
    idFromBigints(this.id, ms, sequence);
    if (this.group === 0 || groups.findPending(this.group, this.id) !== 0) return false;
    groups.addPending(this.group, 0, this.id, deliveredAtMs, deliveryCount);
    this.orphans++;
    return true;
  }

  /** False when the group has a consumer of this name. Throws ArenaExhausted. */
  streamConsumer(bytes: Uint8Array, start: number, length: number, seenAtMs: number, activeAtMs: number): boolean {
    const { groups } = this.streams;
    if (this.group === 0 || groups.findConsumer(this.group, bytes, start, length) !== 0) return false;
    this.consumer = groups.addConsumer(this.group, bytes, start, length, seenAtMs);
    groups.setActiveAtMs(this.consumer, activeAtMs);
    return true;
  }

  /** False when the group does not have the id, or another consumer has it. Throws ArenaExhausted. */
  streamConsumerPending(ms: bigint, sequence: bigint): boolean {
    const { groups } = this.streams;
    idFromBigints(this.id, ms, sequence);
    const cell = this.consumer === 0 ? 0 : groups.findPending(this.group, this.id);
    if (cell === 0 || groups.consumerOf(cell) !== 0) return false;
    groups.assign(cell, this.id, this.consumer);
    this.orphans--;
    return true;
  }

  /** Whether every pending entry has its consumer: what is told when all was told. */
  isComplete(): boolean {
    return this.orphans === 0;
  }

  /** Gives the key the stream, whatever it held. Returns the record. Throws ArenaExhausted; then the stream is gone. */
  put(database: Database, key: Uint8Array, start: number, length: number, expireAtMs: number): number {
    const { root } = this;
    this.root = 0;
    return this.streams.place(database, key, start, length, root, expireAtMs);
  }

  /** Frees what was made. */
  abandon(): void {
    const { root } = this;
    this.root = 0;
    if (root !== 0) this.streams.discard(root);
  }
}
