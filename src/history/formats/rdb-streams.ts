/**
 * Decodes a stream: nodes of entries, the stream's own numbers, and its consumer groups.
 *
 *      count  [key: string of 16 bytes = id of the master entry][listpack]...
 *      length  last id  (since type 19: first id, greatest deleted id, entries ever added)
 *      groups  [name  last id  (entries read)  pending [id at delivered]...  consumers [name seen (active) pending [id]...]...]...
 *
 *      listpack   live  deleted  fieldCount  field...  0        the master entry: names that most entries share
 *                 flags  ms  sequence  (fieldCount)  (field) value ...  elements      differences to the master's id
 *
 *  I1  Ids ascend over the whole stream; the live entries are as many as the length says.
 *  I2  Counts of a node (live, deleted, elements of each entry) are what is there.
 *  Source: the format's public descriptions; files written by real servers.
 */

import { PackedCursor, PackedFault } from "./packed.ts";
import { TYPE_STREAM_1, TYPE_STREAM_3 } from "./rdb-constants.ts";
import type { RdbInput } from "./rdb-input.ts";
import type { StreamId, ValueVisitor } from "./value-visitor.ts";

const FLAG_DELETED = 1;
const FLAG_SAME_FIELDS = 2;
const ID_BYTES = 16;
const COUNT_MAX = 2 ** 31;

/** Reads a stream of any of the three types. Throws RdbFault and PackedFault. */
export function readStream(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.reading = "stream";
  const nodeCount = input.count(ID_BYTES);
  visitor.begin("stream", 0);
  const nodes = new StreamNodes(visitor);
  for (let node = 0; node < nodeCount; node++) {
    input.string();
    if (input.stringLength !== ID_BYTES) throw input.fault("a node's key is not an id");
    const ms = idHalf(input.stringBytes, input.stringStart);
    const sequence = idHalf(input.stringBytes, input.stringStart + 8);
    input.string();
    nodes.read(input.stringBytes, input.stringStart, input.stringLength, ms, sequence);
  }
  const length = input.length();
  if (length !== nodes.liveCount)
    throw input.fault(`the stream claims ${length} entries, there are ${nodes.liveCount}`);
  const lastId = lengthId(input);
  const hasMore = type !== TYPE_STREAM_1;
  const firstId = hasMore ? lengthId(input) : nodes.firstId;
  const maxDeletedId = hasMore ? lengthId(input) : ZERO_ID;
  const entriesAdded = hasMore ? input.bigLength() : BigInt(length);
  visitor.streamEnd({ length, lastId, firstId, maxDeletedId, entriesAdded });
  input.reading = "consumer groups";
  const groupCount = input.count(4);
  for (let group = 0; group < groupCount; group++) readGroup(input, type, visitor);
}

function readGroup(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.string();
  input.keepString();
  const lastId = lengthId(input);
  const entriesRead = type === TYPE_STREAM_1 ? -1n : BigInt.asIntN(64, input.bigLength());
  visitor.streamGroup(input.keptBytes, 0, input.keptLength, lastId, entriesRead);
  const pendingCount = input.count(ID_BYTES + 9);
  for (let index = 0; index < pendingCount; index++) {
    const ms = input.bigUint64HighFirst();
    const sequence = input.bigUint64HighFirst();
    const deliveredAtMs = input.int64();
    visitor.streamPending(ms, sequence, deliveredAtMs, input.length());
  }
  const consumerCount = input.count(10);
  for (let index = 0; index < consumerCount; index++) {
    input.string();
    input.keepString();
    const seenAtMs = input.int64();
    const activeAtMs = type === TYPE_STREAM_3 ? input.int64() : -1;
    visitor.streamConsumer(input.keptBytes, 0, input.keptLength, seenAtMs, activeAtMs);
    const ownCount = input.count(ID_BYTES);
    for (let own = 0; own < ownCount; own++) {
      const ms = input.bigUint64HighFirst();
      visitor.streamConsumerPending(ms, input.bigUint64HighFirst());
    }
  }
}

const ZERO_ID: StreamId = Object.freeze({ ms: 0n, sequence: 0n });

function lengthId(input: RdbInput): StreamId {
  const ms = input.bigLength();
  return { ms, sequence: input.bigLength() };
}

function idHalf(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  for (let index = 0; index < 8; index++) value = (value << 8n) | BigInt(bytes[at + index]!);
  return value;
}

/** Reads the nodes of one stream and keeps what goes over their limits. */
class StreamNodes {
  liveCount: number;
  firstId: StreamId;

  private readonly visitor: ValueVisitor;
  private readonly cursor: PackedCursor;
  /** Walks the master entry's names beside an entry that has only values. */
  private readonly names: PackedCursor;
  private lastMs: bigint;
  private lastSequence: bigint;

  constructor(visitor: ValueVisitor) {
    this.liveCount = 0;
    this.firstId = ZERO_ID;
    this.visitor = visitor;
    this.cursor = new PackedCursor();
    this.names = new PackedCursor();
    this.lastMs = -1n;
    this.lastSequence = 0n;
  }

  read(bytes: Uint8Array, start: number, length: number, masterMs: bigint, masterSequence: bigint): void {
    const cursor = this.cursor;
    cursor.openListpack(bytes, start, length);
    const live = this.count();
    const deleted = this.count();
    const masterFields = this.count();
    for (let index = 0; index < masterFields; index++) cursor.expect();
    if (this.count() !== 0) throw new PackedFault("a stream node's master entry has no end");
    let found = 0;
    for (let index = 0; index < live + deleted; index++) {
      if (this.entry(bytes, start, length, masterMs, masterSequence, masterFields)) continue;
      found++;
      this.liveCount++;
    }
    if (found !== live) throw new PackedFault("a stream node counts other entries than it has");
    if (cursor.next()) throw new PackedFault("a stream node goes on behind its last entry");
  }

  private count(): number {
    this.cursor.expect();
    return this.cursor.count(COUNT_MAX);
  }

  /** Reads one entry and tells it, unless it is deleted; returns whether it is. */
  private entry(
    bytes: Uint8Array,
    start: number,
    length: number,
    masterMs: bigint,
    masterSequence: bigint,
    masterFields: number,
  ): boolean {
    const cursor = this.cursor;
    const visitor = this.visitor;
    const flags = this.count();
    if (flags > (FLAG_DELETED | FLAG_SAME_FIELDS)) throw new PackedFault(`entry flags ${flags} are unknown`);
    const isDeleted = (flags & FLAG_DELETED) !== 0;
    const hasSameFields = (flags & FLAG_SAME_FIELDS) !== 0;
    cursor.expect();
    const ms = BigInt.asUintN(64, masterMs + cursor.integer());
    cursor.expect();
    const sequence = BigInt.asUintN(64, masterSequence + cursor.integer());
    if (ms < this.lastMs || (ms === this.lastMs && sequence <= this.lastSequence)) {
      throw new PackedFault("stream ids do not ascend");
    }
    this.lastMs = ms;
    this.lastSequence = sequence;
    const fieldCount = hasSameFields ? masterFields : this.count();
    if (!isDeleted) {
      if (this.liveCount === 0) this.firstId = { ms, sequence };
      visitor.streamEntry(ms, sequence, fieldCount);
    }
    const names = hasSameFields ? this.names : cursor;
    if (hasSameFields) {
      names.openListpack(bytes, start, length);
      for (let index = 0; index < 3; index++) names.expect();
    }
    for (let index = 0; index < fieldCount; index++) {
      names.expect();
      const { bytes: nameBytes, start: nameStart, length: nameLength } = names;
      cursor.expect();
      if (!isDeleted) {
        visitor.streamField(nameBytes, nameStart, nameLength, cursor.bytes, cursor.start, cursor.length);
      }
    }
    const elements = hasSameFields ? fieldCount + 3 : fieldCount * 2 + 4;
    if (this.count() !== elements) throw new PackedFault("a stream entry has another length than it says at its end");
    return isDeleted;
  }
}

/** Passes over a stream. */
export function skipStream(input: RdbInput, type: number): void {
  const nodeCount = input.length();
  for (let index = 0; index < nodeCount * 2; index++) input.skipString();
  const numbers = type === TYPE_STREAM_1 ? 3 : 8;
  for (let index = 0; index < numbers; index++) input.bigLength();
  const groupCount = input.length();
  for (let group = 0; group < groupCount; group++) {
    input.skipString();
    for (let index = 0; index < (type === TYPE_STREAM_1 ? 2 : 3); index++) input.bigLength();
    const pendingCount = input.length();
    for (let index = 0; index < pendingCount; index++) {
      input.skip(ID_BYTES + 8);
      input.bigLength();
    }
    const consumerCount = input.length();
    for (let index = 0; index < consumerCount; index++) {
      input.skipString();
      input.skip(type === TYPE_STREAM_3 ? 16 : 8);
      input.skip(ID_BYTES * input.length());
    }
  }
}
