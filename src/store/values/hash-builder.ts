/**
 * HashBuilder: makes a whole hash before anybody can see it: for RESTORE, loading, and commands that store.
 *
 *      begin ──► addField ... ──┬──► put        a listpack while it is small, from then on a table in the arena
 *                               └──► abandon
 *
 *  I1  Nothing of the hash is in the keyspace before `put`; after `put` or `abandon` the builder is empty again.
 *  I2  The encoding is what HSET of the same fields would have made.
 *  I3  When `addField` or `put` throws ArenaExhausted, `abandon` gives back what there is.
 */

import { Listpack } from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_HASHTABLE, ENCODING_LISTPACK, TYPE_HASH } from "../keyspace/record.ts";
import type { Hashes } from "./hashes.ts";
import { PackedBuffer } from "./packed-buffer.ts";

/** Whoever says how much will come may be wrong: room is not made for more than this in advance. */
const SIZE_HINT_MAX = 1 << 16;

export class HashBuilder {
  private readonly keyspace: Keyspace;
  private readonly packed: PackedBuffer;
  private readonly listpack: Listpack;
  /** Who made `table`. */
  private hashes: Hashes;
  /** 0 while the hash is a listpack. */
  private table: number;
  private isBegun: boolean;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.packed = new PackedBuffer();
    this.listpack = new Listpack();
    this.hashes = keyspace.hashes;
    this.table = 0;
    this.isBegun = false;
  }

  /** Starts a hash of about `sizeHint` fields, 0 when that is not known. Throws ArenaExhausted. */
  begin(sizeHint: number): void {
    if (this.isBegun) this.abandon();
    this.isBegun = true;
    this.hashes = this.keyspace.hashes;
    if (sizeHint > this.keyspace.encodingLimits.hashListpackEntries) this.makeTable(sizeHint);
  }

  /** Number of fields so far. */
  get count(): number {
    return this.table === 0 ? this.packed.count >>> 1 : this.hashes.tables.count(this.table);
  }

  /** False when the field is there already: nothing has changed then. Throws ArenaExhausted. */
  addField(
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): boolean {
    if (this.table === 0) {
      const limits = this.keyspace.encodingLimits;
      const { listpack, packed } = this;
      listpack.begin();
      listpack.append(field, fieldStart, fieldLength);
      if (packed.has(listpack, 1)) return false;
      if (
        fieldLength <= limits.hashListpackBytes &&
        valueLength <= limits.hashListpackBytes &&
        packed.count >>> 1 < limits.hashListpackEntries
      ) {
        listpack.append(value, valueStart, valueLength);
        packed.append(listpack);
        return true;
      }
      this.makeTable(0);
    }
    return this.hashes.insertField(this.table, field, fieldStart, fieldLength, value, valueStart, valueLength);
  }

  private makeTable(sizeHint: number): void {
    const table = this.hashes.createTable(Math.min(sizeHint, SIZE_HINT_MAX));
    try {
      this.hashes.insertPairs(table, this.packed.bytes, 0);
    } catch (error) {
      this.hashes.abandonTable(table);
      throw error;
    }
    this.table = table;
  }

  /**
   * Gives the hash to a key, whatever it held. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. At least one
   * field must be there. Throws ArenaExhausted: the hash is still the builder's.
   */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const { keyspace, packed, table } = this;
    let record: number;
    if (table === 0) {
      record = keyspace.putValue(
        database,
        key,
        keyStart,
        keyLength,
        TYPE_HASH,
        ENCODING_LISTPACK,
        packed.length,
        expireAtMs,
      );
      keyspace.valueBytes.set(packed.bytes.subarray(0, packed.length), keyspace.valueStart);
    } else {
      record = keyspace.putStructure(
        database,
        key,
        keyStart,
        keyLength,
        TYPE_HASH,
        ENCODING_HASHTABLE,
        table,
        expireAtMs,
      );
      this.table = 0;
    }
    packed.clear();
    this.isBegun = false;
    return record;
  }

  /** Gives up what was made since `begin`. */
  abandon(): void {
    if (this.table !== 0) this.hashes.abandonTable(this.table);
    this.table = 0;
    this.packed.clear();
    this.isBegun = false;
  }
}
