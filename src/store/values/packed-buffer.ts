/**
 * PackedBuffer: a listpack that grows outside of the arena, while a builder does not know yet what its value will be.
 *
 *      bytes   head [entry][entry] ... ff │ room
 *
 *  I1  `bytes[0 ... length)` is a whole listpack after every call.
 */

import { firstEntry, LISTPACK_EMPTY_BYTES, type Listpack, writeListpackHead } from "../encodings/listpack.ts";

export class PackedBuffer {
  bytes: Uint8Array;
  length: number;
  /** Entries. */
  count: number;

  constructor() {
    this.bytes = new Uint8Array(512);
    this.length = 0;
    this.count = 0;
    this.clear();
  }

  clear(): void {
    this.bytes.fill(0, 0, LISTPACK_EMPTY_BYTES);
    this.length = LISTPACK_EMPTY_BYTES;
    this.bytes[this.length - 1] = 0xff;
    this.count = 0;
    writeListpackHead(this.bytes, 0, this.length, 0);
  }

  /** Whether an entry equals the one made in `listpack`; after each look `skip` entries are passed over. */
  has(listpack: Listpack, skip: number): boolean {
    return listpack.find(this.bytes, firstEntry(0), skip) !== -1;
  }

  /** Puts the entries made in `listpack` behind the others. */
  append(listpack: Listpack): void {
    const added = listpack.madeLength;
    if (this.length + added > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + added));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    listpack.writeMade(this.bytes, this.length - 1);
    this.length += added;
    this.bytes[this.length - 1] = 0xff;
    this.count += listpack.madeCount;
    writeListpackHead(this.bytes, 0, this.length, listpack.madeCount);
  }
}
