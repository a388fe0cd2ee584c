/**
 * SnapshotLoader: the records of an RDB file into an empty keyspace, in slices.
 *
 *      RdbReader ─┬─ key, string ──────────────────► Keyspace.setString     step() until the slice is used up, then
 *                 └─ key, elements ──► ValueBuilder ──► put                  other work
 *
 *  I1  Nothing is skipped silently: what cannot be held (an unknown type, a key that stands twice) is an RdbFault that
 *      names offset and key. Only keys whose time is over are left out, and they are counted.
 *  I2  The file is only read.
 *
 * Source: the order of records as rdb-reader.ts describes it; expired keys are dropped as a Redis primary does.
 */

import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.ts";
import { TYPE_STRING } from "../formats/rdb-constants.ts";
import { RdbFault } from "../formats/rdb-fault.ts";
import { type ByteSource, latin1 } from "../formats/rdb-input.ts";
import {
  RdbReader,
  RECORD_AUX,
  RECORD_END,
  RECORD_FUNCTION,
  RECORD_KEY,
  RECORD_RESIZE,
} from "../formats/rdb-reader.ts";
import { ValueBuilder } from "./value-builder.ts";

/** Keys between two looks at the clock. */
const KEYS_PER_CHECK = 64;

export interface LoadOptions {
  readonly totalBytes: number;
  readonly verifyChecksum: boolean;
  /** Replaces a key that is there instead of refusing the file (DEBUG RELOAD NOFLUSH MERGE). */
  readonly mayReplace: boolean;
  /**
   * Called with the code of each function library, which may be kept; returns what is wrong with it. Without it such a
   * file is refused.
   */
  readonly onFunction?: (code: Uint8Array) => string | undefined;
  /** Called with each auxiliary field. */
  readonly onAuxiliary?: (name: string, value: string) => void;
}

export class SnapshotLoader {
  loadedKeys: number;
  expiredKeys: number;
  /** Collections without elements: Redis passes over them, too. */
  emptyKeys: number;
  private readonly reader: RdbReader;
  private readonly keyspace: Keyspace;
  private readonly builder: ValueBuilder;
  private readonly options: LoadOptions;
  private hasHeader: boolean;

  constructor(keyspace: Keyspace, source: ByteSource, options: LoadOptions) {
    this.reader = new RdbReader(source, options);
    this.keyspace = keyspace;
    this.options = options;
    this.loadedKeys = 0;
    this.expiredKeys = 0;
    this.emptyKeys = 0;
    this.builder = new ValueBuilder(keyspace);
    this.hasHeader = false;
  }

  /** Bytes of the file that were used so far. */
  loadedBytes(): number {
    return this.reader.offset();
  }

  /** Loads on until `isOver` or the end; true at the end. Throws RdbFault, DiskFault, ArenaExhausted. hot path */
  step(isOver: () => boolean): boolean {
    const reader = this.reader;
    if (!this.hasHeader) {
      reader.readHeader();
      this.hasHeader = true;
    }
    for (;;) {
      for (let count = 0; count < KEYS_PER_CHECK; count++) {
        const kind = reader.next();
        if (kind === RECORD_KEY) this.loadKey();
        else if (kind === RECORD_END) return true;
        else if (kind === RECORD_AUX) this.options.onAuxiliary?.(reader.auxName, reader.auxValue);
        else if (kind === RECORD_RESIZE) this.makeRoom();
        else if (kind === RECORD_FUNCTION) this.loadFunction();
        else {
          throw new RdbFault(
            reader.offset(),
            "record",
            "the file holds module data, which this version cannot hold; nothing was changed",
          );
        }
      }
      if (isOver()) return false;
    }
  }

  private loadFunction(): void {
    const { reader, options } = this;
    if (options.onFunction === undefined) {
      throw new RdbFault(reader.offset(), "function library", "a function library cannot be held here");
    }
    const code = reader.stringBytes.slice(reader.stringStart, reader.stringStart + reader.stringLength);
    const complaint = options.onFunction(code);
    if (complaint !== undefined) throw new RdbFault(reader.offset(), "function library", complaint);
  }

  private loadKey(): void {
    const { reader, keyspace } = this;
    const isString = reader.type === TYPE_STRING;
    if (isString) reader.readString();
    else reader.readValue(this.builder);
    if (!isString && !this.builder.isWhole()) {
      throw new RdbFault(reader.offset(), "value", "a pending entry belongs to no consumer").withKey(this.keyText());
    }
    const database = keyspace.databases[reader.database];
    if (database === undefined) {
      throw new RdbFault(
        reader.offset(),
        "database number",
        `database ${reader.database} with databases set to ${keyspace.databases.length}; raise the directive "databases"`,
      );
    }
    // What is replayed upon this state says itself when keys went.
    if (reader.expireAtMs >= 0 && reader.expireAtMs < keyspace.nowMs && !keyspace.isReplaying) {
      this.builder.abandon();
      this.expiredKeys++;
      return;
    }
    if (!isString && this.builder.isEmpty()) {
      this.builder.abandon();
      this.emptyKeys++;
      return;
    }
    const before = keyspace.keyCount(database);
    const expireAtMs = reader.expireAtMs >= 0 ? reader.expireAtMs : NO_EXPIRY;
    const record = isString
      ? keyspace.setString(
          database,
          reader.keyBytes,
          reader.keyStart,
          reader.keyLength,
          reader.stringBytes,
          reader.stringStart,
          reader.stringLength,
          expireAtMs,
        )
      : this.builder.put(database, reader.keyBytes, reader.keyStart, reader.keyLength, expireAtMs);
    if (keyspace.keyCount(database) === before && !this.options.mayReplace) {
      throw new RdbFault(reader.offset(), "key", `the key stands twice in database ${reader.database}`).withKey(
        this.keyText(),
      );
    }
    const clock = keyspace.clock;
    if (clock.isFrequency) {
      if (reader.frequency >= 0) keyspace.records.setAccess(record, clock.accessForFrequency(reader.frequency));
    } else if (reader.idleSeconds >= 0) {
      keyspace.records.setAccess(record, clock.accessForIdle(reader.idleSeconds));
    }
    this.loadedKeys++;
  }

  private keyText(): string {
    return latin1(this.reader.keyBytes, 0, Math.min(this.reader.keyLength, 128));
  }

  private makeRoom(): void {
    const { reader, keyspace } = this;
    const database = keyspace.databases[reader.database];
    if (database === undefined || keyspace.keyCount(database) > 0) return;
    keyspace.tables.expand(database.table, reader.keyCountHint);
    keyspace.tables.expand(database.expires, reader.expireCountHint);
  }
}
