/**
 * What a decoded value consists of, told one element after another.
 *
 *  I1  Byte ranges are valid only during the call.
 *  I2  `begin` comes first, once; a value without elements gets nothing else (Redis skips such keys).
 *  I3  When decoding fails half-way, what was told so far is to be thrown away.
 *  I4  Duplicates and references between elements (a consumer's pending entry that its group does not have) are the
 *      visitor's to check.
 */

export interface ValueVisitor {
  /** `sizeHint`: elements that will come if the data keeps its word, 0 when unknown. */
  begin(kind: ValueKind, sizeHint: number): void;
  listItem(bytes: Uint8Array, start: number, length: number): void;
  setMember(bytes: Uint8Array, start: number, length: number): void;
  /** `expireAtMs` -1: the field does not expire. */
  hashField(
    fieldBytes: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): void;
  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void;
  /** An entry of a stream; `fieldCount` calls of streamField follow. Ids ascend. */
  streamEntry(ms: bigint, sequence: bigint, fieldCount: number): void;
  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void;
  /** After all entries. */
  streamEnd(summary: StreamSummary): void;
  /** `entriesRead` -1: unknown. Its pending entries and consumers follow. */
  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void;
  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void;
  /** Belongs to the newest group. `activeAtMs` -1: never, or unknown. */
  streamConsumer(bytes: Uint8Array, start: number, length: number, seenAtMs: number, activeAtMs: number): void;
  /** A pending entry of the newest group that belongs to its newest consumer. */
  streamConsumerPending(ms: bigint, sequence: bigint): void;
}

export type ValueKind = "list" | "set" | "hash" | "zset" | "stream";

export interface StreamId {
  readonly ms: bigint;
  readonly sequence: bigint;
}

/** The part of a stream beside its entries. Before type 2 (Redis 7.0) a file does not hold the last three. */
export interface StreamSummary {
  readonly length: number;
  readonly lastId: StreamId;
  readonly firstId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: bigint;
}

function nothing(): void {}

/** A visitor that ignores everything: decoding with it checks a value. */
export const IGNORE_VALUE: ValueVisitor = Object.freeze({
  begin: nothing,
  listItem: nothing,
  setMember: nothing,
  hashField: nothing,
  zsetMember: nothing,
  streamEntry: nothing,
  streamField: nothing,
  streamEnd: nothing,
  streamGroup: nothing,
  streamPending: nothing,
  streamConsumer: nothing,
  streamConsumerPending: nothing,
});
