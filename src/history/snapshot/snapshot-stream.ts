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
 *  I4  A chain is marked passed when all of it has been written, but for its large collections: these wait in line
 *      (large-value.ts), and their parts are watched one by one. A chain of which a long string is being written in
 *      pieces is finished at once when something is about to change it.
 *  I5  While a value is being written in slices, chains that are about to change are written aside; their bytes follow
 *      when the value is complete.
 *  I6  The stream knows nothing of where its bytes go: `emit` takes them.
 *
 * FLUSHALL gives the keyspace a new arena and leaves the old one to this stream, at no cost.
 * What is held in memory beyond the keyspace itself: the chunk being filled, and what `emit` keeps.
 *
 * Source: own design (DESIGN section 3); the format is that of rdb-encoder.ts.
 */

import { type HashTable, RecordList } from "../../store/encodings/hash-table.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { type Records, TYPE_STRING, type ValueView } from "../../store/keyspace/record.ts";
import { type RdbChunk, RdbEncoder } from "../formats/rdb-encoder.ts";
import { CHUNK_EMIT_BYTES, type KeyHead, type LargeValue, type SnapshotOutput } from "./large-value.ts";
import { ValueWriter } from "./value-writer.ts";

/** Longer strings are written in pieces of this size, so that a slice stays short. */
const PIECE_BYTES = 1024 * 1024;
/** Chains between two looks at the clock. */
const CHAINS_PER_CHECK = 8;

export interface SnapshotOptions {
  /** Auxiliary fields for the head of the file. */
  readonly auxiliary: readonly (readonly [name: string, value: string])[];
  /** The code of each function library. */
  readonly functions?: readonly Uint8Array[];
  /** Whether the access clock is written: as idle time, as frequency, or not at all. */
  readonly access: "idle" | "frequency" | "none";
}

export class SnapshotStream implements ValueView, SnapshotOutput {
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
  readonly encoder: RdbEncoder;
  readonly emit: (chunk: RdbChunk) => void;
  private readonly values: ValueWriter;
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
  private readonly asideChain: RecordList;
  /** The chain that is being written: its home bucket, 0 when there is none. */
  private openHome: number;
  private openCount: number;
  private openIndex: number;
  /** Bytes of the open chain's long value that were written, -1 when none is being written. */
  private pieceOffset: number;
  /** Large values that were met and are not yet written, in line, and by the address that `touch` names them by. */
  private waiting: LargeValue[];
  private readonly large: Map<number, LargeValue>;
  /** The one that is being written. */
  private current: LargeValue | undefined;
  /** Chains that changed while a value was being written (I5): bytes, finished chunks of them, the database selected in them. */
  private aside: RdbEncoder | undefined;
  private asideChunks: RdbChunk[];
  private asideSelected: number;
  private isEnded: boolean;

  /** Opens the stream: from here on writes to the keyspace are shown to it. At most one stream is open at a time. */
  constructor(keyspace: Keyspace, encoder: RdbEncoder, options: SnapshotOptions, emit: (chunk: RdbChunk) => void) {
    this.keyspace = keyspace;
    this.tables = keyspace.tables;
    this.records = keyspace.records;
    this.encoder = encoder;
    this.emit = emit;
    this.values = new ValueWriter(keyspace);
    this.waiting = [];
    this.large = new Map();
    this.current = undefined;
    this.aside = undefined;
    this.asideChunks = [];
    this.asideSelected = -1;
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
    this.asideChain = new RecordList();
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
    for (const code of options.functions ?? []) encoder.functionLibrary(code, 0, code.length);
  }

  /**
   * Writes on until `isOver` says that the slice is used up (it is asked every few chains) or all is written.
   * Returns true when the stream is complete: its last chunk has been emitted and it is closed.
   */
  step(isOver: () => boolean): boolean {
    if (this.isEnded) return true;
    for (;;) {
      if (this.current !== undefined && !this.writeLarge(this.current, isOver)) return false;
      if (this.openHome !== 0 && !this.writeOpenChain(isOver)) return false;
      const next = this.waiting.shift();
      if (next !== undefined) {
        this.beginLarge(next);
        continue;
      }
      for (let chain = 0; chain < CHAINS_PER_CHECK && this.waiting.length === 0; chain++) {
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
    this.waiting = [];
    this.large.clear();
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

  /** Writes the open chain's records; false when `isOver` ended the slice in the middle of a long string. */
  private writeOpenChain(isOver: (() => boolean) | undefined): boolean {
    const records = this.chain.records;
    while (this.openIndex < this.openCount) {
      if (!this.writeRecord(records[this.openIndex]!, isOver)) return false;
      this.openIndex++;
    }
    this.tables.setPassed(this.openHome, this.id);
    this.openHome = 0;
    this.takeBackAside();
    if (this.encoder.chunkLength >= CHUNK_EMIT_BYTES) this.emit(this.encoder.takeChunk());
    return true;
  }

  /** The hook: a part of something that has not been passed is about to change. */
  private capture(owner: number, part: number): void {
    const position = this.walked.findIndex((walk) => walk.table === owner);
    if (position === -1) {
      const large = this.large.get(owner);
      // Otherwise it is nothing that the snapshot holds, or all of it has been written.
      if (large === undefined) this.tables.setPassed(part, this.id);
      else large.capture(part);
      return;
    }
    if (part === this.openHome) {
      this.writeOpenChain(undefined);
      return;
    }
    if (this.current !== undefined || this.pieceOffset !== -1) {
      this.writeAside(position, part);
      return;
    }
    this.select(position);
    this.openChain(part);
    this.writeOpenChain(undefined);
  }

  private select(position: number): void {
    const walk = this.walked[position]!;
    if (this.selected === walk.index) return;
    this.selected = walk.index;
    this.writeSelect(this.encoder, walk.index);
  }

  private writeSelect(encoder: RdbEncoder, index: number): void {
    encoder.selectDb(index);
    if (this.announced.has(index)) return;
    this.announced.add(index);
    const walk = this.walked.find((each) => each.index === index)!;
    encoder.resizeDb(walk.keys, walk.expiring);
  }

  // ---- large values, and what changes while one is being written --------------------------------------------------

  private beginLarge(value: LargeValue): void {
    this.current = value;
    if (this.selected !== value.head.database) {
      this.selected = value.head.database;
      this.writeSelect(this.encoder, value.head.database);
    }
    value.begin(this);
  }

  private writeLarge(value: LargeValue, isOver: () => boolean): boolean {
    if (!value.step(this, isOver)) return false;
    this.large.delete(value.owner);
    this.current = undefined;
    this.takeBackAside();
    return true;
  }

  /** Writes a whole chain beside the value that is being written (I5); of its long strings too, at once. */
  private writeAside(position: number, home: number): void {
    this.aside ??= new RdbEncoder();
    const { aside } = this;
    const walk = this.walked[position]!;
    if (this.asideSelected !== walk.index) {
      this.asideSelected = walk.index;
      this.writeSelect(aside, walk.index);
    }
    const count = this.tables.readChain(home, this.asideChain);
    for (let index = 0; index < count; index++) {
      const record = this.asideChain.records[index]!;
      if (this.postpone(record, walk.index)) continue;
      this.headOf(record, walk.index).write(aside);
      this.values.write(aside, record);
    }
    this.tables.setPassed(home, this.id);
    if (aside.chunkLength >= CHUNK_EMIT_BYTES) this.asideChunks.push(aside.takeChunk());
  }

  /** What was written aside follows what was being written, which is complete. */
  private takeBackAside(): void {
    if (this.aside === undefined || this.current !== undefined || this.pieceOffset !== -1) return;
    if (this.asideSelected === -1) return;
    this.emit(this.encoder.takeChunk());
    for (const chunk of this.asideChunks) this.emit(chunk);
    this.emit(this.aside.takeChunk());
    this.asideChunks = [];
    this.selected = this.asideSelected;
    this.asideSelected = -1;
  }

  /** A large collection gets in line instead of being written now: true when that was done. */
  private postpone(record: number, database: number): boolean {
    if (!this.values.isLarge(record)) return false;
    const large = this.values.large(this.headOf(record, database), record);
    this.waiting.push(large);
    this.large.set(large.owner, large);
    return true;
  }

  /** What stands before the value of `record`, as it is now. */
  private headOf(record: number, database: number): KeyHead {
    const { records } = this;
    const type = this.values.rdbType(record);
    const key = records.key(record);
    const expireAtMs = records.expireAtMs(record);
    const access = records.access(record);
    return { database, write: (encoder) => this.writeHead(encoder, type, key, 0, key.length, expireAtMs, access) };
  }

  private writeHead(
    encoder: RdbEncoder,
    type: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    expireAtMs: number,
    access: number,
  ): void {
    if (expireAtMs >= 0) encoder.expireMs(expireAtMs);
    if (this.access === "idle") encoder.idle(this.keyspace.clock.idleSeconds(access));
    else if (this.access === "frequency") encoder.freq(access & 255);
    encoder.key(type, key, keyStart, keyLength);
    this.writtenKeys++;
  }

  // ---- records --------------------------------------------------------------------------------------------------------

  /** hot path */
  private writeRecord(record: number, isOver: (() => boolean) | undefined): boolean {
    const { encoder, records } = this;
    if (this.pieceOffset === -1) {
      if (this.postpone(record, this.selected)) return true;
      this.writeHead(
        encoder,
        this.values.rdbType(record),
        records.view(record),
        records.keyStart(record),
        records.keyLength(record),
        records.expireAtMs(record),
        records.access(record),
      );
      if (records.type(record) !== TYPE_STRING) {
        this.values.write(encoder, record);
        return true;
      }
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
