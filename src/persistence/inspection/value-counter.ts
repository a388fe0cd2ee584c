/** ValueCounter: how many elements a decoded value has, and how many bytes they are; keeps nothing of them. */

import type { ValueVisitor } from "../../history/formats/value-visitor.ts";

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

  constructor() {
    this.elements = 0;
    this.dataBytes = 0;
    this.longestBytes = 0;
    this.expiringFields = 0;
  }

  begin(): void {
    this.elements = 0;
    this.dataBytes = 0;
    this.longestBytes = 0;
    this.expiringFields = 0;
  }

  private take(length: number): void {
    this.dataBytes += length;
    if (length > this.longestBytes) this.longestBytes = length;
  }

  listItem(_bytes: Uint8Array, _start: number, length: number): void {
    this.elements++;
    this.take(length);
  }

  setMember(_bytes: Uint8Array, _start: number, length: number): void {
    this.elements++;
    this.take(length);
  }

  hashField(
    _fieldBytes: Uint8Array,
    _fieldStart: number,
    fieldLength: number,
    _valueBytes: Uint8Array,
    _valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): void {
    this.elements++;
    this.take(fieldLength);
    this.take(valueLength);
    if (expireAtMs !== -1) this.expiringFields++;
  }

  zsetMember(_bytes: Uint8Array, _start: number, length: number): void {
    this.elements++;
    this.take(length);
    this.dataBytes += SCORE_BYTES;
  }

  streamEntry(): void {
    this.elements++;
    this.dataBytes += ID_BYTES;
  }

  streamField(
    _nameBytes: Uint8Array,
    _nameStart: number,
    nameLength: number,
    _valueBytes: Uint8Array,
    _valueStart: number,
    valueLength: number,
  ): void {
    this.take(nameLength);
    this.take(valueLength);
  }

  streamEnd(): void {}

  streamGroup(_bytes: Uint8Array, _start: number, length: number): void {
    this.dataBytes += length;
  }

  streamPending(): void {
    this.dataBytes += ID_BYTES;
  }

  streamConsumer(_bytes: Uint8Array, _start: number, length: number): void {
    this.dataBytes += length;
  }

  streamConsumerPending(): void {}
}
