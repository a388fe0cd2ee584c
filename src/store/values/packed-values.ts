/**
 * PackedValues: changes small collections whose value is one listpack, in the record itself or in its cell.
 *
 *      value   head [a][b][c][d] ff      splice: some entries from a position on give way to those made in `listpack`
 *
 *  I1  Positions are offsets from the value's start: they stay right when the record moves.
 *  I2  The record was looked up for writing as the last one (Keyspace.standOn otherwise).
 */

import {
  isListpackEnd,
  LISTPACK_EMPTY_BYTES,
  type Listpack,
  nextEntry,
  writeListpackHead,
} from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK } from "../keyspace/record.ts";

export class PackedValues {
  readonly listpack: Listpack;
  private readonly keyspace: Keyspace;

  constructor(keyspace: Keyspace, listpack: Listpack) {
    this.keyspace = keyspace;
    this.listpack = listpack;
  }

  /** Gives a key that is absent (as `lookupWrite` has just found) the entries made in `listpack`. Throws ArenaExhausted. */
  add(database: Database, key: Uint8Array, keyStart: number, keyLength: number, type: number): number {
    const { keyspace, listpack } = this;
    const bytes = LISTPACK_EMPTY_BYTES + listpack.madeLength;
    const record = keyspace.addValue(database, key, keyStart, keyLength, type, ENCODING_LISTPACK, bytes, -1);
    listpack.writeBlob(keyspace.valueBytes, keyspace.valueStart);
    return record;
  }

  /**
   * Takes `removedCount` entries out from `offset` on and puts those made in `listpack` in their place. Sets the value
   * registers of the keyspace. Returns the record, which may have moved. Throws ArenaExhausted and leaves all as it was.
   * hot path
   */
  splice(database: Database, record: number, offset: number, removedCount: number): number {
    const { keyspace, listpack } = this;
    keyspace.readValue(record);
    const from = keyspace.valueStart + offset;
    let to = from;
    for (let passed = 0; passed < removedCount; passed++) to = nextEntry(keyspace.valueBytes, to);
    if (to - from === listpack.madeLength && removedCount === listpack.madeCount) {
      // As long as what was there, like a counter or a flag that is set anew.
      listpack.writeMade(keyspace.valueBytes, from);
      return record;
    }
    record = keyspace.spliceValue(database, record, offset, to - from, listpack.madeLength);
    const bytes = keyspace.valueBytes;
    const start = keyspace.valueStart;
    listpack.writeMade(bytes, start + offset);
    writeListpackHead(bytes, start, keyspace.valueLength, listpack.madeCount - removedCount);
    return record;
  }

  /** Takes `count` entries out from `offset` on, otherwise as `splice`. */
  remove(database: Database, record: number, offset: number, count: number): number {
    this.listpack.begin();
    return this.splice(database, record, offset, count);
  }

  /** Puts the entries made in `listpack` behind all others, otherwise as `splice`. */
  append(database: Database, record: number): number {
    return this.splice(database, record, this.keyspace.records.valueLength(record) - 1, 0);
  }

  /** Whether the value of `record` has no entry. */
  isEmpty(record: number): boolean {
    this.keyspace.readValue(record);
    return isListpackEnd(this.keyspace.valueBytes, this.keyspace.valueStart + LISTPACK_EMPTY_BYTES - 1);
  }
}
