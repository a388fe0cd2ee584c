/**
 * ListCursor: stands on one element of a list, whichever of its two forms the list has, and moves on from there.
 *
 *      blob    head [a][b][c][d] ff            at ── the element's entry      place 2 of entries 4
 *                          ▲ at                node ─ 0 in a record's own listpack
 *
 *  I1  A cursor is valid until the next write to the keyspace.
 *  I2  In a plain node `at` and `plainLength` are the element itself.
 */

import {
  entryAt,
  firstEntry,
  Listpack,
  listpackCount,
  listpackEnd,
  nextEntry,
  previousEntry,
} from "../encodings/listpack.ts";
import { Quicklist } from "../encodings/quicklist.ts";
import { ENTRIES, HEAD, NEXT, PREVIOUS, TAIL } from "../encodings/quicklist-nodes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_QUICKLIST, type Records, type ValueView } from "../keyspace/record.ts";

export class ListCursor implements ValueView {
  readonly quicklist: Quicklist;
  readonly listpack: Listpack;
  /** The element that `read` or `readEnd` found. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  /** That element is kept as a number. */
  protected isNumber: boolean;

  /** The cursor. `plainLength`: -1 in a listpack, else the element is the whole node. */
  blob: Uint8Array;
  at: number;
  place: number;
  entries: number;
  plainLength: number;
  protected start: number;
  protected node: number;

  protected readonly keyspace: Keyspace;
  protected readonly records: Records;
  private pattern: Uint8Array;
  private patternStart: number;
  private patternLength: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.records = keyspace.records;
    this.listpack = new Listpack();
    this.quicklist = new Quicklist(keyspace.arena, keyspace.tables, this.listpack);
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.isNumber = false;
    this.blob = this.valueBytes;
    this.at = 0;
    this.place = 0;
    this.entries = 0;
    this.plainLength = -1;
    this.start = 0;
    this.node = 0;
    this.pattern = this.valueBytes;
    this.patternStart = 0;
    this.patternLength = 0;
  }

  // ---- the cursor -----------------------------------------------------------------------------------------------------

  /** Elements of the record's list. hot path */
  length(record: number): number {
    if (this.isQuick(record)) return this.quicklist.count(this.records.externalAddress(record));
    const { keyspace } = this;
    keyspace.readValue(record);
    return listpackCount(keyspace.valueBytes, keyspace.valueStart);
  }

  /** Whether the list is a quicklist; otherwise it is one listpack. */
  isQuick(record: number): boolean {
    return this.records.encoding(record) === ENCODING_QUICKLIST;
  }

  /** Sets the cursor to element `index`, which must be there; negative ones count from the end. */
  seek(record: number, index: number): void {
    if (this.isQuick(record)) {
      const { quicklist } = this;
      quicklist.seek(this.records.externalAddress(record), index);
      this.enter(quicklist.node);
      this.place = quicklist.place;
      this.at = this.start + quicklist.offset;
      return;
    }
    const { keyspace } = this;
    keyspace.readValue(record);
    this.node = 0;
    this.blob = keyspace.valueBytes;
    this.start = keyspace.valueStart;
    this.entries = listpackCount(this.blob, this.start);
    this.plainLength = -1;
    this.place = index < 0 ? index + this.entries : index;
    this.at = entryAt(this.blob, this.start, index);
  }

  /** Points the cursor to the first element of a node. */
  private enter(node: number): void {
    const { quicklist } = this;
    quicklist.readNode(node);
    this.node = node;
    this.blob = quicklist.valueBytes;
    this.start = quicklist.valueStart;
    this.place = 0;
    const entries = quicklist.get(node, ENTRIES);
    this.entries = entries || 1;
    this.plainLength = entries === 0 ? quicklist.valueLength : -1;
    this.at = entries === 0 ? this.start : firstEntry(this.start);
  }

  /** Moves to the next element; false when there is none. */
  next(): boolean {
    this.place++;
    if (this.place < this.entries) {
      this.at = nextEntry(this.blob, this.at);
      return true;
    }
    return this.nextListpack();
  }

  previous(): boolean {
    this.place--;
    if (this.place >= 0) {
      this.at = previousEntry(this.blob, this.at);
      return true;
    }
    return this.previousListpack();
  }

  /** Moves to the first element of the next node; false when there is none. */
  nextListpack(): boolean {
    const node = this.node === 0 ? 0 : this.quicklist.get(this.node, NEXT);
    if (node === 0) return false;
    this.enter(node);
    return true;
  }

  /** Moves to the last element of the node before; false when there is none. */
  previousListpack(): boolean {
    const node = this.node === 0 ? 0 : this.quicklist.get(this.node, PREVIOUS);
    if (node === 0) return false;
    this.enter(node);
    this.place = this.entries - 1;
    if (this.plainLength < 0) this.at = previousEntry(this.blob, listpackEnd(this.blob, this.start));
    return true;
  }

  /** Points the value registers to the element under the cursor. hot path */
  read(): void {
    if (this.plainLength >= 0) {
      this.valueBytes = this.blob;
      this.valueStart = this.at;
      this.valueLength = this.plainLength;
      return;
    }
    this.readEntry(this.blob, this.at);
  }

  private readEntry(blob: Uint8Array, at: number): void {
    const { listpack } = this;
    listpack.read(blob, at);
    this.valueBytes = listpack.valueBytes;
    this.valueStart = listpack.valueStart;
    this.valueLength = listpack.valueLength;
    // The digits of a number lie outside of the listpack.
    this.isNumber = listpack.valueBytes !== blob;
  }

  /** Points the value registers to the first or the last element. The cursor stays. hot path */
  readEnd(record: number, isHead: boolean): void {
    const { keyspace, quicklist } = this;
    if (!this.isQuick(record)) {
      keyspace.readValue(record);
      this.readEndOf(keyspace.valueBytes, keyspace.valueStart, isHead);
      return;
    }
    const node = quicklist.get(this.records.externalAddress(record), isHead ? HEAD : TAIL);
    quicklist.readNode(node);
    if (quicklist.isPlain(node)) this.takeView(quicklist);
    else this.readEndOf(quicklist.valueBytes, quicklist.valueStart, isHead);
  }

  private readEndOf(blob: Uint8Array, start: number, isHead: boolean): void {
    this.readEntry(blob, isHead ? firstEntry(start) : previousEntry(blob, listpackEnd(blob, start)));
  }

  protected takeView(view: ValueView): void {
    this.isNumber = false;
    this.valueBytes = view.valueBytes;
    this.valueStart = view.valueStart;
    this.valueLength = view.valueLength;
  }

  // ---- searching --------------------------------------------------------------------------------------------------------

  /** What `isHere`, `find` and `removeEqual` look for, until `listpack` makes something else. */
  searchFor(source: Uint8Array, start: number, length: number): void {
    this.pattern = source;
    this.patternStart = start;
    this.patternLength = length;
    this.listpack.begin();
    this.listpack.append(source, start, length);
  }

  /** Whether the element under the cursor is the one that is searched for. hot path */
  isHere(): boolean {
    const { blob, at } = this;
    if (this.plainLength >= 0) return this.equalsPlain(blob, at, this.plainLength);
    const { made, madeLength } = this.listpack;
    // An entry's first bytes say how long it is: what begins alike is alike.
    for (let index = 0; index < madeLength; index++) if (blob[at + index] !== made[index]) return false;
    return true;
  }

  protected equalsPlain(blob: Uint8Array, at: number, length: number): boolean {
    if (length !== this.patternLength) return false;
    const { pattern, patternStart } = this;
    for (let index = 0; index < length; index++) if (blob[at + index] !== pattern[patternStart + index]) return false;
    return true;
  }

  /** Moves the cursor to the first element, from the head, that is searched for; false when there is none. */
  find(record: number): boolean {
    this.seek(record, 0);
    do {
      if (this.plainLength >= 0) {
        if (this.isHere()) return true;
        continue;
      }
      const found = this.listpack.find(this.blob, this.at, 0);
      if (found === -1) continue;
      for (; this.at !== found; this.at = nextEntry(this.blob, this.at)) this.place++;
      return true;
    } while (this.nextListpack());
    return false;
  }
}
