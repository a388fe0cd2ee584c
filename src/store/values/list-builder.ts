/**
 * ListBuilder: makes a whole list before anybody can see it: for RESTORE, loading, and commands that store.
 *
 *      begin ──► addItem ... ──┬──► put       one listpack while it may be one, then a quicklist in the arena
 *                              └──► abandon
 *
 *  I1  Nothing of the list is in the keyspace before `put`; after `put` or `abandon` the builder is empty again.
 *  I2  The encoding is what RPUSH of the same items would have made.
 *  I3  When `addItem` or `put` throws ArenaExhausted, `abandon` gives back what there is.
 */

import { Listpack } from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK, ENCODING_QUICKLIST, TYPE_LIST } from "../keyspace/record.ts";
import type { Lists } from "./lists.ts";
import { PackedBuffer } from "./packed-buffer.ts";

export class ListBuilder {
  private readonly keyspace: Keyspace;
  private readonly packed: PackedBuffer;
  private readonly listpack: Listpack;
  /** Who made `root`. */
  private lists: Lists;
  /** 0 while the list is one listpack. */
  private root: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.packed = new PackedBuffer();
    this.listpack = new Listpack();
    this.lists = keyspace.lists;
    this.root = 0;
  }

  /** Starts a list; how long it will be does not matter. */
  begin(_sizeHint: number): void {
    this.abandon();
    // FLUSHALL may have put another one in its place.
    this.lists = this.keyspace.lists;
    this.lists.prepare(this.lists.quicklist.packedThresholdBytes);
  }

  /** Adds an item behind the others. Throws ArenaExhausted. */
  addItem(item: Uint8Array, start: number, length: number): void {
    const { packed, listpack } = this;
    const { quicklist } = this.lists;
    if (this.root === 0) {
      // A long item is not made into an entry only to find that it does not fit.
      if (quicklist.fitsNode(packed.length + length, packed.count + 1)) {
        listpack.begin();
        listpack.append(item, start, length);
        if (quicklist.fitsNode(packed.length + listpack.madeLength, packed.count + 1)) {
          packed.append(listpack);
          return;
        }
      }
      this.root = quicklist.create();
      if (packed.count > 0) quicklist.appendListpack(this.root, packed.bytes, 0, packed.length, packed.count);
      packed.clear();
    }
    quicklist.push(this.root, false, item, start, length);
  }

  /**
   * Gives the list to a key, whatever it held. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. At least one
   * item must be there. Throws ArenaExhausted: the list is still the builder's.
   */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const { keyspace, packed, root } = this;
    let record: number;
    if (root !== 0) {
      const encoding = ENCODING_QUICKLIST;
      record = keyspace.putStructure(database, key, keyStart, keyLength, TYPE_LIST, encoding, root, expireAtMs);
      this.root = 0;
    } else {
      const { length } = packed;
      const encoding = ENCODING_LISTPACK;
      record = keyspace.putValue(database, key, keyStart, keyLength, TYPE_LIST, encoding, length, expireAtMs);
      keyspace.valueBytes.set(packed.bytes.subarray(0, length), keyspace.valueStart);
    }
    packed.clear();
    return record;
  }

  /** Gives up what was made since `begin`. */
  abandon(): void {
    if (this.root !== 0) this.lists.quicklist.destroy(this.root);
    this.root = 0;
    this.packed.clear();
  }
}
