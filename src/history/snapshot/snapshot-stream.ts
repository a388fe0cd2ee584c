/**
 * SnapshotStream: the exact state of the keyspace at the moment it was opened, as chunks of RDB bytes, without fork.
 *
 *      buckets of a table    [0][1][2][3][4][5][6] ...           step() walks them in order, a slice at a time
 *                             ✓  ✓  ✓  ▲           ✓ = passed: its chain has been written
 *      a write to bucket 5 ─────────────────┘  capture() writes chain 5 as it is, marks it passed, then the write goes on
 *
 *  I1  Each record that the keyspace held when the stream was opened is written once, with the value it had then.
 *  I2  Nothing that was written after that moment is in the stream.
 *  I3  A bucket made by growth is as passed as the bucket it was split from, which is captured before it is split.
 *  I4  A chain is marked passed when all of it has been written; a chain of which a long value is being written in
 *      pieces is finished at once when something is about to change it.
 *  I5  The stream knows nothing of where its bytes go: `emit` takes them.
 *
 * FLUSHALL gives the keyspace a new arena and leaves the old one to this stream, at no cost.
 * What is held in memory beyond the keyspace itself: the chunk being filled, and what `emit` keeps.
 *
 * Source: own design (DESIGN section 3); the format is that of rdb-encoder.ts.
 */

import { type HashTable, RecordList } from "../../store/encodings/hash-table.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { type Records, TYPE_STRING, type ValueView } from "../../store/keyspace/record.ts";
import type { RdbChunk, RdbEncoder } from "../formats/rdb-encoder.ts";

/** A chunk is handed on when it holds this much. */
const CHUNK_EMIT_BYTES = 256 * 1024;
/** Longer values are written in pieces of this size, so that a slice stays short. */
const PIECE_BYTES = 1024 * 1024;
/** Chains between two looks at the clock. */
const CHAINS_PER_CHECK = 8;

export interface SnapshotOptions {
  /** Auxiliary fields for the head of the file. */
  readonly auxiliary: readonly (readonly [name: string, value: string])[];
  /** Whether the access clock is written: as idle time, as frequency, or not at all. */
  readonly access: "idle" | "frequency" | "none";
}

export class SnapshotStream implements ValueView {
  /** Keys that there were, and keys written so far. */
  readonly keyCount: number;
  writtenKeys: number;

  /** The value that is being written. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;

  private readonly keyspace: Keyspace;
  private readonly tables: HashTable;
  private readonly records: Records;
  private readonly encoder: RdbEncoder;
  private readonly emit: (chunk: RdbChunk) => void;
  private readonly access: SnapshotOptions["access"];
  private readonly id: number;
  /** Tables to be walked: address, database and counts as they were when the stream was opened. */
  private readonly walked: readonly {
    readonly table: number;
    readonly index: number;
    readonly keys: number;
    readonly expiring: number;
  }[];
  private position: number;
  private nextBucket: number;
  /** The database that the encoder's last SELECTDB named, -1 before the first. */
  private selected: number;
  private readonly announced: Set<number>;
  private readonly chain: RecordList;
  /** The chain that is being written: its home bucket, 0 when there is none. */
  private openHome: number;
  private openCount: number;
  private openIndex: number;
  /** Bytes of the open chain's long value that were written, -1 when none is being written. */
  private pieceOffset: number;
  private isEnded: boolean;

  /** Opens the stream: from here on writes to the keyspace are shown to it. At most one stream is open at a time. */
  constructor(keyspace: Keyspace, encoder: RdbEncoder, options: SnapshotOptions, emit: (chunk: RdbChunk) => void) {
    this.keyspace = keyspace;
    this.tables = keyspace.tables;
    this.records = keyspace.records;
    this.encoder = encoder;
    this.emit = emit;
    this.access = options.access;
    this.keyCount = keyspace.totalKeys();
    this.writtenKeys = 0;
    this.walked = keyspace.databases
      .filter((database) => keyspace.keyCount(database) > 0)
      .map((database) => ({
        table: database.table,
        index: database.index,
        keys: keyspace.keyCount(database),
        expiring: keyspace.expiringCount(database),
      }));
    this.position = 0;
    this.nextBucket = 0;
    this.selected = -1;
    this.announced = new Set();
    this.chain = new RecordList();
    this.openHome = 0;
    this.openCount = 0;
    this.openIndex = 0;
    this.pieceOffset = -1;
    this.isEnded = false;
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.id = keyspace.openSnapshot((table, home) => this.capture(table, home));
    encoder.header();
    for (const [name, value] of options.auxiliary) encoder.aux(name, value);
  }

  /**
   * Writes on until `isOver` says that the slice is used up (it is asked every few chains) or all is written.
   * Returns true when the stream is complete: its last chunk has been emitted and it is closed.
   */
  step(isOver: () => boolean): boolean {
    if (this.isEnded) return true;
    for (;;) {
      if (this.openHome !== 0 && !this.writeOpenChain(isOver)) return false;
      for (let chain = 0; chain < CHAINS_PER_CHECK; chain++) {
        if (!this.openNextChain()) return this.complete();
        if (this.openHome !== 0 && !this.writeOpenChain(isOver)) return false;
      }
      if (isOver()) return false;
    }
  }

  /** Closes the stream before its end; what was emitted so far is no complete file. */
  abort(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.keyspace.closeSnapshot();
  }

  private complete(): boolean {
    this.encoder.end();
    this.emit(this.encoder.takeChunk());
    this.abort();
    return true;
  }

  /** Goes to the next bucket in order; false behind the last. `openHome` stays 0 when the bucket has been passed. */
  private openNextChain(): boolean {
    for (;;) {
      const walk = this.walked[this.position];
      if (walk === undefined) return false;
      if (this.nextBucket < this.tables.bucketCount(walk.table)) {
        const home = this.tables.bucketAt(walk.table, this.nextBucket++);
        if (this.tables.isPassed(home, this.id)) return true;
        this.select(this.position);
        this.openChain(home);
        return true;
      }
      this.position++;
      this.nextBucket = 0;
    }
  }

  private openChain(home: number): void {
    this.openCount = this.tables.readChain(home, this.chain);
    this.openIndex = 0;
    this.openHome = home;
  }

  /** Writes the open chain's records; false when `isOver` ended the slice in the middle of a long value. */
  private writeOpenChain(isOver: (() => boolean) | undefined): boolean {
    const records = this.chain.records;
    while (this.openIndex < this.openCount) {
      if (!this.writeRecord(records[this.openIndex]!, isOver)) return false;
      this.openIndex++;
    }
    this.tables.setPassed(this.openHome, this.id);
    this.openHome = 0;
    if (this.encoder.chunkLength >= CHUNK_EMIT_BYTES) this.emit(this.encoder.takeChunk());
    return true;
  }

  /** The hook: a chain that has not been passed is about to change. */
  private capture(table: number, home: number): void {
    const position = this.walked.findIndex((walk) => walk.table === table);
    if (position === -1) {
      // A table that the snapshot does not hold: of keys that expire, or newer than the stream.
      this.tables.setPassed(home, this.id);
      return;
    }
    if (this.openHome !== 0) this.writeOpenChain(undefined);
    if (this.tables.isPassed(home, this.id)) return;
    this.select(position);
    this.openChain(home);
    this.writeOpenChain(undefined);
  }

  private select(position: number): void {
    const walk = this.walked[position]!;
    if (this.selected === walk.index) return;
    this.selected = walk.index;
    this.encoder.selectDb(walk.index);
    if (this.announced.has(walk.index)) return;
    this.announced.add(walk.index);
    this.encoder.resizeDb(walk.keys, walk.expiring);
  }

  /** hot path */
  private writeRecord(record: number, isOver: (() => boolean) | undefined): boolean {
    const { encoder, records } = this;
    if (this.pieceOffset === -1) {
      const expireAtMs = records.expireAtMs(record);
      if (expireAtMs >= 0) encoder.expireMs(expireAtMs);
      if (this.access === "idle") encoder.idle(this.keyspace.clock.idleSeconds(records.access(record)));
      else if (this.access === "frequency") encoder.freq(records.access(record) & 255);
      encoder.key(TYPE_STRING, records.view(record), records.keyStart(record), records.keyLength(record));
      this.writtenKeys++;
      if (records.valueLength(record) <= PIECE_BYTES) {
        records.readValue(record, this);
        encoder.string(this.valueBytes, this.valueStart, this.valueLength);
        return true;
      }
      encoder.startString(records.valueLength(record));
      this.pieceOffset = 0;
    }
    return this.writePieces(record, isOver);
  }

  private writePieces(record: number, isOver: (() => boolean) | undefined): boolean {
    const encoder = this.encoder;
    this.records.readValue(record, this);
    const length = this.valueLength;
    while (this.pieceOffset < length) {
      const piece = Math.min(PIECE_BYTES, length - this.pieceOffset);
      encoder.stringPiece(this.valueBytes, this.valueStart + this.pieceOffset, piece);
      this.pieceOffset += piece;
      if (encoder.chunkLength >= CHUNK_EMIT_BYTES) this.emit(encoder.takeChunk());
      if (this.pieceOffset < length && isOver?.() === true) return false;
    }
    this.pieceOffset = -1;
    return true;
  }
}
