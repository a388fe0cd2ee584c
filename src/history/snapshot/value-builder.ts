/**
 * ValueBuilder: takes a decoded value element by element and puts it under a key when it is whole.
 *
 *      RDB bytes ──► readValue(visitor) ──► begin, hashField, hashField ... ──► put(key)        all of it, or
 *                                                                          └──► abandon()       nothing
 *
 *  I1  Nothing is in the keyspace before `put`; after `put` or `abandon` the builder is ready for the next value.
 *  I2  What Redis would not have written is refused: an element twice, a score that is no number, a consumer's pending
 *      entry that its group does not know, fields that expire (a later Redis has them).
 *  I3  The encoding follows from the size and the limits in force, not from the form in the file.
 */

import type { Database, Keyspace } from "../../store/keyspace/keyspace.ts";
import { HashBuilder } from "../../store/values/hash-builder.ts";
import { ListBuilder } from "../../store/values/list-builder.ts";
import { SetBuilder } from "../../store/values/set-builder.ts";
import { SortedSetBuilder } from "../../store/values/sorted-set-builder.ts";
import { StreamBuilder } from "../../store/values/stream-builder.ts";
import { PackedFault } from "../formats/packed.ts";
import type { StreamId, StreamSummary, ValueKind, ValueVisitor } from "../formats/value-visitor.ts";

export class ValueBuilder implements ValueVisitor {
  /** Elements taken so far; Redis does not keep a collection without any, but for streams. */
  count: number;
  private kind: ValueKind | undefined;
  private readonly hash: HashBuilder;
  private readonly list: ListBuilder;
  private readonly set: SetBuilder;
  private readonly sortedSet: SortedSetBuilder;
  private readonly stream: StreamBuilder;

  constructor(keyspace: Keyspace) {
    this.count = 0;
    this.kind = undefined;
    this.hash = new HashBuilder(keyspace);
    this.list = new ListBuilder(keyspace);
    this.set = new SetBuilder(keyspace);
    this.sortedSet = new SortedSetBuilder(keyspace);
    this.stream = new StreamBuilder(keyspace);
  }

  /** Whether the value is one that Redis does not keep: a collection without elements. */
  isEmpty(): boolean {
    return this.count === 0 && this.kind !== "stream";
  }

  /** Whether what was told makes a whole value: every pending entry of a stream has its consumer. */
  isWhole(): boolean {
    return this.kind !== "stream" || this.stream.isComplete();
  }

  /** Puts the value under a key, whatever that held; returns the record. Throws ArenaExhausted: then nothing has changed. */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const builder = this.builder();
    this.kind = undefined;
    return builder.put(database, key, keyStart, keyLength, expireAtMs);
  }

  /** Forgets what was taken. */
  abandon(): void {
    if (this.kind === undefined) return;
    this.builder().abandon();
    this.kind = undefined;
  }

  private builder(): HashBuilder | ListBuilder | SetBuilder | SortedSetBuilder | StreamBuilder {
    switch (this.kind) {
      case "hash":
        return this.hash;
      case "list":
        return this.list;
      case "set":
        return this.set;
      case "zset":
        return this.sortedSet;
      case "stream":
        return this.stream;
      default:
        throw new Error("no value has been begun");
    }
  }

  begin(kind: ValueKind, sizeHint: number): void {
    this.abandon();
    this.kind = kind;
    this.count = 0;
    this.builder().begin(sizeHint);
  }

  listItem(bytes: Uint8Array, start: number, length: number): void {
    this.count++;
    this.list.addItem(bytes, start, length);
  }

  setMember(bytes: Uint8Array, start: number, length: number): void {
    this.count++;
    if (!this.set.addMember(bytes, start, length)) throw new PackedFault("a member stands twice in the set");
  }

  hashField(
    fieldBytes: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): void {
    if (expireAtMs >= 0) throw new PackedFault("a field expires: Redis 7.2 has no such fields, nor has this server");
    this.count++;
    const isNew = this.hash.addField(fieldBytes, fieldStart, fieldLength, valueBytes, valueStart, valueLength);
    if (!isNew) throw new PackedFault("a field stands twice in the hash");
  }

  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void {
    if (Number.isNaN(score)) throw new PackedFault("a score is not a number");
    this.count++;
    if (!this.sortedSet.addMember(bytes, start, length, score)) {
      throw new PackedFault("a member stands twice in the sorted set");
    }
  }

  streamEntry(ms: bigint, sequence: bigint, fieldCount: number): void {
    this.count++;
    if (!this.stream.streamEntry(ms, sequence, fieldCount)) throw new PackedFault("a stream entry has no fields");
  }

  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    if (!this.stream.streamField(nameBytes, nameStart, nameLength, valueBytes, valueStart, valueLength)) {
      throw new PackedFault("a stream entry is too long");
    }
  }

  streamEnd(summary: StreamSummary): void {
    if (!this.stream.streamEnd(summary)) throw new PackedFault("the stream's last id is below that of an entry");
  }

  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void {
    if (!this.stream.streamGroup(bytes, start, length, lastId, entriesRead)) {
      throw new PackedFault("a consumer group stands twice in the stream");
    }
  }

  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    if (!this.stream.streamPending(ms, sequence, deliveredAtMs, deliveryCount)) {
      throw new PackedFault("a pending entry stands twice in its group");
    }
  }

  streamConsumer(bytes: Uint8Array, start: number, length: number, seenAtMs: number, activeAtMs: number): void {
    if (!this.stream.streamConsumer(bytes, start, length, seenAtMs, activeAtMs)) {
      throw new PackedFault("a consumer stands twice in its group");
    }
  }

  streamConsumerPending(ms: bigint, sequence: bigint): void {
    if (!this.stream.streamConsumerPending(ms, sequence)) {
      throw new PackedFault("a consumer's pending entry is not one of its group, or is another consumer's too");
    }
  }
}
