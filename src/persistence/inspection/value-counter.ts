/** ValueCounter: how many elements a decoded value has, and how many bytes they are; may pass them on to another visitor. */

import type { StreamId, StreamSummary, ValueKind, ValueVisitor } from "../../history/formats/value-visitor.ts";

/** Bytes of an id of a stream's entry, and of a score. */
const ID_BYTES = 16;
const SCORE_BYTES = 8;

export class ValueCounter implements ValueVisitor {
  /** Items, members, fields; for a stream its entries. */
  elements: number;
  /** Bytes of elements, fields, values, scores and ids, without what any encoding adds. */
  dataBytes: number;
  /** Bytes of the longest element, field or value. */
  longestBytes: number;
  /** Fields that expire (files of Redis 7.4). */
  expiringFields: number;
  /** Hears the same, where it is set. */
  next: ValueVisitor | undefined;

  constructor() {
    this.elements = 0;
    this.dataBytes = 0;
    this.longestBytes = 0;
    this.expiringFields = 0;
    this.next = undefined;
  }

  begin(kind: ValueKind, sizeHint: number): void {
    this.next?.begin(kind, sizeHint);
    this.elements = 0;
    this.dataBytes = 0;
    this.longestBytes = 0;
    this.expiringFields = 0;
  }

  private take(length: number): void {
    this.dataBytes += length;
    if (length > this.longestBytes) this.longestBytes = length;
  }

  listItem(bytes: Uint8Array, start: number, length: number): void {
    this.next?.listItem(bytes, start, length);
    this.elements++;
    this.take(length);
  }

  setMember(bytes: Uint8Array, start: number, length: number): void {
    this.next?.setMember(bytes, start, length);
    this.elements++;
    this.take(length);
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
    this.next?.hashField(fieldBytes, fieldStart, fieldLength, valueBytes, valueStart, valueLength, expireAtMs);
    this.elements++;
    this.take(fieldLength);
    this.take(valueLength);
    if (expireAtMs !== -1) this.expiringFields++;
  }

  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void {
    this.next?.zsetMember(bytes, start, length, score);
    this.elements++;
    this.take(length);
    this.dataBytes += SCORE_BYTES;
  }

  streamEntry(ms: bigint, sequence: bigint, fieldCount: number): void {
    this.next?.streamEntry(ms, sequence, fieldCount);
    this.elements++;
    this.dataBytes += ID_BYTES;
  }

  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    this.next?.streamField(nameBytes, nameStart, nameLength, valueBytes, valueStart, valueLength);
    this.take(nameLength);
    this.take(valueLength);
  }

  streamEnd(summary: StreamSummary): void {
    this.next?.streamEnd(summary);
  }

  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void {
    this.next?.streamGroup(bytes, start, length, lastId, entriesRead);
    this.dataBytes += length;
  }

  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    this.next?.streamPending(ms, sequence, deliveredAtMs, deliveryCount);
    this.dataBytes += ID_BYTES;
  }

  streamConsumer(bytes: Uint8Array, start: number, length: number, seenAtMs: number, activeAtMs: number): void {
    this.next?.streamConsumer(bytes, start, length, seenAtMs, activeAtMs);
    this.dataBytes += length;
  }

  streamConsumerPending(ms: bigint, sequence: bigint): void {
    this.next?.streamConsumerPending(ms, sequence);
  }
}
