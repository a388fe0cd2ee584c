/**
 * LargeValue: a collection that is too large to be written at once. Its parts are written slice by slice, those that are
 * about to change before their turn.
 *
 *      LargeTable      buckets [✓][✓][ ][ ][✓] ...     order is free: a bucket about to change is written at once,
 *                                          ▲ early     or, before the value's turn has come, kept as RDB bytes (`early`)
 *      LargeSequence   nodes   [✓][✓][ ][=][ ] ...     order counts: a node about to change is copied (=), and
 *                                                      written in its turn
 *
 *  I1  What is written is the value as it was when this object was made: each part once.
 *  I2  A part is passed (its epoch is the snapshot's) when it has been written or copied.
 *  I3  What is held besides the value itself is what was changed meanwhile.
 */

import { type HashTable, RecordList } from "../../store/encodings/hash-table.ts";
import type { ValueView } from "../../store/keyspace/record.ts";
import { type RdbChunk, RdbEncoder } from "../formats/rdb-encoder.ts";

/** A chunk is handed on when it holds this much. */
export const CHUNK_EMIT_BYTES = 256 * 1024;
/** Parts between two looks at the clock. */
const PARTS_PER_CHECK = 8;

/** Where bytes go: an encoder, and who takes its chunks. */
export interface SnapshotOutput {
  readonly encoder: RdbEncoder;
  emit(chunk: RdbChunk): void;
}

/** What an RDB file says of a key before its value. */
export interface KeyHead {
  readonly database: number;
  readonly write: (encoder: RdbEncoder) => void;
}

export interface LargeValue {
  readonly head: KeyHead;
  /** The address by which `HashTable.touch` names the value. */
  readonly owner: number;
  /** Writes key and head of the value; from here on nothing else may be written until `step` has returned true. */
  begin(output: SnapshotOutput): void;
  /** Writes on until `isOver`; true when the value is complete. */
  step(output: SnapshotOutput, isOver: () => boolean): boolean;
  /** A part is about to change. */
  capture(part: number): void;
}

/** A hash, set or sorted set in a hash table. */
export class LargeTable implements LargeValue {
  readonly head: KeyHead;
  readonly owner: number;
  private readonly tables: HashTable;
  private readonly snapshotId: number;
  private readonly writeEntry: (encoder: RdbEncoder, entry: number) => void;
  private readonly chain: RecordList;
  /** How many entries there were, and what was written of them before the value's turn came. */
  private readonly count: number;
  private early: RdbEncoder | undefined;
  private output: SnapshotOutput | undefined;
  private nextBucket: number;

  constructor(
    head: KeyHead,
    tables: HashTable,
    table: number,
    writeEntry: (encoder: RdbEncoder, entry: number) => void,
  ) {
    this.head = head;
    this.owner = table;
    this.tables = tables;
    this.snapshotId = tables.snapshotId;
    this.writeEntry = writeEntry;
    this.chain = new RecordList();
    this.count = tables.count(table);
    this.early = undefined;
    this.output = undefined;
    this.nextBucket = 0;
  }

  begin(output: SnapshotOutput): void {
    this.output = output;
    this.head.write(output.encoder);
    output.encoder.length(this.count);
    if (this.early === undefined) return;
    output.emit(output.encoder.takeChunk());
    output.emit(this.early.takeChunk());
    this.early = undefined;
  }

  step(output: SnapshotOutput, isOver: () => boolean): boolean {
    const { tables, owner } = this;
    for (let count = 1; this.nextBucket < tables.bucketCount(owner); count++) {
      const home = tables.bucketAt(owner, this.nextBucket++);
      if (!tables.isPassed(home, this.snapshotId)) this.writeChain(output.encoder, home);
      if (output.encoder.chunkLength >= CHUNK_EMIT_BYTES) output.emit(output.encoder.takeChunk());
      if (count % PARTS_PER_CHECK === 0 && isOver()) return false;
    }
    return true;
  }

  capture(part: number): void {
    if (this.output !== undefined) {
      this.writeChain(this.output.encoder, part);
      return;
    }
    this.early ??= new RdbEncoder();
    this.writeChain(this.early, part);
  }

  private writeChain(encoder: RdbEncoder, home: number): void {
    const count = this.tables.readChain(home, this.chain);
    for (let index = 0; index < count; index++) this.writeEntry(encoder, this.chain.records[index]!);
    this.tables.setPassed(home, this.snapshotId);
  }
}

/** A list or stream in nodes. */
export class LargeSequence implements LargeValue {
  readonly head: KeyHead;
  readonly owner: number;
  private readonly tables: HashTable;
  private readonly snapshotId: number;
  private readonly nodes: Int32Array;
  private readonly parts: SequenceParts;
  private readonly copies: Map<number, Uint8Array>;
  private nextNode: number;

  constructor(head: KeyHead, tables: HashTable, owner: number, parts: SequenceParts) {
    this.head = head;
    this.owner = owner;
    this.tables = tables;
    this.snapshotId = tables.snapshotId;
    this.nodes = parts.nodes;
    this.parts = parts;
    this.copies = new Map();
    this.nextNode = 0;
  }

  begin(output: SnapshotOutput): void {
    this.head.write(output.encoder);
    output.encoder.length(this.nodes.length);
  }

  step(output: SnapshotOutput, isOver: () => boolean): boolean {
    const { nodes, parts, tables } = this;
    for (let count = 1; this.nextNode < nodes.length; count++) {
      const node = nodes[this.nextNode]!;
      const copy = this.copies.get(node);
      if (copy === undefined) {
        parts.view(node);
        tables.setPassed(node, this.snapshotId);
        parts.write(output.encoder, this.nextNode, parts.valueBytes, parts.valueStart, parts.valueLength);
      } else {
        parts.write(output.encoder, this.nextNode, copy, 0, copy.length);
        this.copies.delete(node);
      }
      this.nextNode++;
      if (output.encoder.chunkLength >= CHUNK_EMIT_BYTES) output.emit(output.encoder.takeChunk());
      if (count % PARTS_PER_CHECK === 0 && isOver()) return false;
    }
    parts.end(output.encoder);
    return true;
  }

  capture(part: number): void {
    const { parts } = this;
    parts.view(part);
    this.copies.set(part, parts.valueBytes.slice(parts.valueStart, parts.valueStart + parts.valueLength));
    this.tables.setPassed(part, this.snapshotId);
  }
}

/** How the nodes of a sequence are read and written. */
export interface SequenceParts extends ValueView {
  /** All nodes in order. */
  readonly nodes: Int32Array;
  /** Points the registers to the node's content. */
  view(node: number): void;
  /** Writes node number `index`, whose content is given. */
  write(encoder: RdbEncoder, index: number, bytes: Uint8Array, start: number, length: number): void;
  /** Writes what follows the nodes. */
  end(encoder: RdbEncoder): void;
}
