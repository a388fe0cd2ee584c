/**
 * Lists: what commands do with a key's list, in whichever of its two forms it is.
 *
 *      listpack    the record's value is one listpack     ── growing beyond a node's limits ──►   quicklist
 *                                          ◄── shrunk to one node of half those limits ──         the record holds a root
 *
 *  I1  A record of a list has at least one element, except between a removal of all and `deleteRecord`.
 *  I2  `prepare` sets the limits of the moment before anything is changed.
 *  I3  What is changed was looked up for writing as the last one (Keyspace.standOn otherwise). Methods that change a
 *      record return it: it may have moved.
 *  I4  ArenaExhausted leaves every element as it was; the form may be the other one.
 *
 * Source: when a list changes its form as Redis 7.2 does it, from its release notes and the behaviour of its replies.
 */

import { ArenaExhausted } from "../arena/arena.ts";
import {
  entryAt,
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEAD_BYTES,
  listpackCount,
  listpackEnd,
  nextEntry,
} from "../encodings/listpack.ts";
import { compactMatches, countMatches } from "../encodings/quicklist.ts";
import { quicklistBytes, verifyQuicklist } from "../encodings/quicklist-inspection.ts";
import { BYTES, HEAD, NEXT, NODES, PREVIOUS, TAIL, writeHead } from "../encodings/quicklist-nodes.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK, ENCODING_QUICKLIST, TYPE_LIST } from "../keyspace/record.ts";
import type { Structure } from "../keyspace/structure.ts";
import { ListCursor } from "./list-cursor.ts";
import { PackedValues } from "./packed-values.ts";

const NO_EXPIRY = -1;
/** Elements up to this size are held in a buffer that stays. */
const HELD_MAX = 64 * 1024;

export class Lists extends ListCursor implements Structure {
  /** The element that `hold` copied. */
  heldBytes: Uint8Array;
  heldLength: number;
  private isHeldNumber: boolean;
  private readonly heldBuffer: Uint8Array;
  private readonly packed: PackedValues;

  constructor(keyspace: Keyspace) {
    super(keyspace);
    this.heldBuffer = new Uint8Array(HELD_MAX);
    this.heldBytes = this.heldBuffer;
    this.heldLength = 0;
    this.isHeldNumber = false;
    this.packed = new PackedValues(keyspace, this.listpack);
  }

  /** Takes over the limits of the moment. `packedThresholdBytes`: from here on an element gets a plain node (I2). */
  prepare(packedThresholdBytes: number): void {
    this.quicklist.setLimits(this.keyspace.encodingLimits.listNodeSize, packedThresholdBytes);
  }

  // ---- the two forms ------------------------------------------------------------------------------------------------------

  /** The record's list becomes a quicklist when `bytes` of text in `count` elements more are too much for one listpack. */
  private makeRoom(database: Database, record: number, bytes: number, count: number): number {
    if (this.isQuick(record)) return record;
    const { keyspace } = this;
    keyspace.readValue(record);
    const entries = listpackCount(keyspace.valueBytes, keyspace.valueStart);
    if (this.quicklist.fitsNode(keyspace.valueLength + bytes, entries + count)) return record;
    return this.makeQuick(database, record, entries);
  }

  private makeQuick(database: Database, record: number, entries: number): number {
    const { keyspace, quicklist } = this;
    const root = quicklist.create();
    try {
      keyspace.readValue(record);
      quicklist.appendListpack(root, keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength, entries);
      return keyspace.turnIntoStructure(database, record, ENCODING_QUICKLIST, root);
    } catch (error) {
      quicklist.destroy(root);
      throw error;
    }
  }

  /** A quicklist that has shrunk to one small node becomes a listpack, when there is memory for it. */
  private makePacked(database: Database, record: number): number {
    if (!this.isQuick(record)) return record;
    const { keyspace, quicklist, listpack } = this;
    const root = this.records.externalAddress(record);
    if (quicklist.get(root, NODES) !== 1) return record;
    const node = quicklist.get(root, HEAD);
    const isPlain = quicklist.isPlain(node);
    if (isPlain) {
      const bytes = quicklist.get(node, BYTES);
      if (bytes >= quicklist.packedThresholdBytes || !quicklist.fitsHalfNode(bytes, 1)) return record;
      quicklist.readNode(node);
      listpack.begin();
      listpack.append(quicklist.valueBytes, quicklist.valueStart, quicklist.valueLength);
    }
    const length = isPlain ? LISTPACK_EMPTY_BYTES + listpack.madeLength : quicklist.get(node, BYTES);
    if (!quicklist.fitsHalfNode(length, quicklist.count(root))) return record;
    try {
      record = keyspace.turnIntoBytes(database, record, ENCODING_LISTPACK, length);
    } catch (error) {
      if (error instanceof ArenaExhausted) return record;
      throw error;
    }
    if (isPlain) {
      listpack.writeBlob(keyspace.valueBytes, keyspace.valueStart);
    } else {
      quicklist.readNode(node);
      const { valueBytes, valueStart } = quicklist;
      keyspace.valueBytes.set(valueBytes.subarray(valueStart, valueStart + length), keyspace.valueStart);
    }
    keyspace.freeStructure(TYPE_LIST, root);
    return record;
  }

  // ---- adding ---------------------------------------------------------------------------------------------------------------

  /**
   * Pushes the texts `from ... to)` of `starts` and `lengths` one after the other; `record` is 0 when the key (given by
   * the last four arguments) is absent, as `lookupWrite` has just found. Returns the record. Throws ArenaExhausted (I4).
   * hot path
   */
  push(
    database: Database,
    record: number,
    isHead: boolean,
    source: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    to: number,
    keyStart: number,
    keyLength: number,
  ): number {
    if (record !== 0 && this.isQuick(record)) {
      this.pushQuick(this.records.externalAddress(record), isHead, source, starts, lengths, from, to);
      return record;
    }
    let bytes = 0;
    for (let index = from; index < to; index++) bytes += lengths[index]!;
    if (record === 0) {
      if (!this.quicklist.fitsNode(LISTPACK_EMPTY_BYTES + bytes, to - from)) {
        return this.addQuick(database, isHead, source, starts, lengths, from, to, keyStart, keyLength);
      }
      this.makeEntries(isHead, source, starts, lengths, from, to);
      return this.packed.add(database, source, keyStart, keyLength, TYPE_LIST);
    }
    record = this.makeRoom(database, record, bytes, to - from);
    if (this.isQuick(record)) {
      this.pushQuick(this.records.externalAddress(record), isHead, source, starts, lengths, from, to);
      return record;
    }
    this.makeEntries(isHead, source, starts, lengths, from, to);
    return isHead ? this.packed.splice(database, record, LISTPACK_HEAD_BYTES, 0) : this.packed.append(database, record);
  }

  /**
   * Pushes one text; returns how many elements there are then, 0 when the list must take its other form first and
   * nothing was done. Throws ArenaExhausted (I4). hot path
   */
  pushOne(
    database: Database,
    record: number,
    isHead: boolean,
    source: Uint8Array,
    start: number,
    length: number,
  ): number {
    const { keyspace, quicklist, listpack } = this;
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      quicklist.push(root, isHead, source, start, length);
      return quicklist.count(root);
    }
    keyspace.readValue(record);
    const { valueLength } = keyspace;
    const entries = listpackCount(keyspace.valueBytes, keyspace.valueStart) + 1;
    if (!quicklist.fitsNode(valueLength + length, entries)) return 0;
    listpack.begin();
    listpack.append(source, start, length);
    this.packed.splice(database, record, isHead ? LISTPACK_HEAD_BYTES : valueLength - 1, 0);
    return entries;
  }

  private makeEntries(
    isHead: boolean,
    source: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    to: number,
  ): void {
    const { listpack } = this;
    listpack.begin();
    if (isHead)
      for (let index = to - 1; index >= from; index--) listpack.append(source, starts[index]!, lengths[index]!);
    else for (let index = from; index < to; index++) listpack.append(source, starts[index]!, lengths[index]!);
  }

  private pushQuick(
    root: number,
    isHead: boolean,
    source: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    to: number,
  ): void {
    const { quicklist } = this;
    let index = from;
    try {
      for (; index < to; index++) quicklist.push(root, isHead, source, starts[index]!, lengths[index]!);
    } catch (error) {
      while (index-- > from) quicklist.pop(root, isHead);
      throw error;
    }
  }

  private addQuick(
    database: Database,
    isHead: boolean,
    source: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    to: number,
    keyStart: number,
    keyLength: number,
  ): number {
    const { quicklist } = this;
    const root = quicklist.create();
    try {
      for (let index = from; index < to; index++) {
        quicklist.push(root, isHead, source, starts[index]!, lengths[index]!);
      }
      return this.putQuick(database, source, keyStart, keyLength, root, NO_EXPIRY);
    } catch (error) {
      quicklist.destroy(root);
      throw error;
    }
  }

  /** Gives a key the quicklist at `root`, whatever it held. On ArenaExhausted the list is still the caller's. */
  putQuick(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    root: number,
    expireAtMs: number,
  ): number {
    return this.keyspace.putStructure(
      database,
      key,
      keyStart,
      keyLength,
      TYPE_LIST,
      ENCODING_QUICKLIST,
      root,
      expireAtMs,
    );
  }

  /** Puts an element beside the first one that equals the pivot. Returns the record, -1 when there is no pivot. */
  insert(
    database: Database,
    record: number,
    isAfter: boolean,
    source: Uint8Array,
    pivotStart: number,
    pivotLength: number,
    start: number,
    length: number,
  ): number {
    record = this.makeRoom(database, record, length, 1);
    this.searchFor(source, pivotStart, pivotLength);
    if (!this.find(record)) return -1;
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      this.quicklist.insert(root, this.node, this.place, this.at - this.start, isAfter, source, start, length);
      return record;
    }
    const at = isAfter ? nextEntry(this.blob, this.at) : this.at;
    this.listpack.begin();
    this.listpack.append(source, start, length);
    return this.packed.splice(database, record, at - this.start, 0);
  }

  /** Replaces element `index` (negative: from the end). Returns the record, -1 when there is no such element. */
  set(database: Database, record: number, index: number, source: Uint8Array, start: number, length: number): number {
    record = this.makeRoom(database, record, length, 1);
    const count = this.length(record);
    if (index >= count || index < -count) return -1;
    this.seek(record, index);
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      this.quicklist.replace(root, this.node, this.place, this.at - this.start, source, start, length);
      return this.makePacked(database, record);
    }
    this.listpack.begin();
    this.listpack.append(source, start, length);
    return this.packed.splice(database, record, this.at - this.start, 1);
  }

  // ---- removing -------------------------------------------------------------------------------------------------------------

  /** Takes `count` elements off one end; at least one stays. Returns the record. Cannot fail. hot path */
  remove(database: Database, record: number, isHead: boolean, count: number): number {
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      const { quicklist } = this;
      if (count === 1) quicklist.pop(root, isHead);
      else this.cutOff(root, isHead, count);
      return quicklist.get(root, NODES) === 1 ? this.makePacked(database, record) : record;
    }
    if (isHead) return this.packed.remove(database, record, LISTPACK_HEAD_BYTES, count);
    const { keyspace } = this;
    keyspace.readValue(record);
    const at = entryAt(keyspace.valueBytes, keyspace.valueStart, -count);
    return this.packed.remove(database, record, at - keyspace.valueStart, count);
  }

  /** Takes elements off both ends; at least one stays. Returns the record. Cannot fail. */
  trim(database: Database, record: number, headCount: number, tailCount: number): number {
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      this.cutOff(root, true, headCount);
      this.cutOff(root, false, tailCount);
      return this.makePacked(database, record);
    }
    if (headCount > 0) record = this.remove(database, record, true, headCount);
    return tailCount > 0 ? this.remove(database, record, false, tailCount) : record;
  }

  private cutOff(root: number, isHead: boolean, count: number): void {
    const cut = this.quicklist.cutOff(root, isHead, count);
    if (cut !== 0) this.keyspace.freeStructure(TYPE_LIST, cut);
  }

  /**
   * Takes out up to `max` elements that equal the given one, from the head or from the tail on. Returns how many; when
   * all are gone, the record must be deleted, otherwise `afterRemoval` must follow. Cannot fail.
   */
  removeEqual(
    record: number,
    isFromHead: boolean,
    max: number,
    source: Uint8Array,
    start: number,
    length: number,
  ): number {
    this.searchFor(source, start, length);
    if (!this.isQuick(record)) return this.removePacked(record, isFromHead, max);
    const { quicklist } = this;
    const root = this.records.externalAddress(record);
    let removed = 0;
    let last = 0;
    let node = quicklist.get(root, isFromHead ? HEAD : TAIL);
    while (node !== 0 && removed < max) {
      const next = quicklist.get(node, isFromHead ? NEXT : PREVIOUS);
      const items = quicklist.itemsOf(node);
      const gone = this.removeFromNode(root, node, isFromHead, max - removed);
      removed += gone;
      // Only with a neighbour that has been passed: the next one is still to be looked at.
      if (gone > 0 && gone < items) last = quicklist.joinSmall(root, node, isFromHead);
      node = next;
    }
    if (last !== 0) quicklist.joinSmall(root, last, !isFromHead);
    return removed;
  }

  private removeFromNode(root: number, node: number, isFromHead: boolean, max: number): number {
    const { quicklist } = this;
    quicklist.readNode(node);
    const { valueBytes, valueStart, valueLength } = quicklist;
    if (quicklist.isPlain(node)) {
      if (!this.equalsPlain(valueBytes, valueStart, valueLength)) return 0;
      quicklist.removePlain(root, node);
      return 1;
    }
    const skip = this.skipped(valueBytes, valueStart, isFromHead, max);
    return quicklist.removeMatches(root, node, skip, max);
  }

  /** How many matches at the front stay when `max` are taken from the end. */
  private skipped(blob: Uint8Array, start: number, isFromHead: boolean, max: number): number {
    return isFromHead ? 0 : Math.max(countMatches(this.listpack, blob, start) - max, 0);
  }

  private removePacked(record: number, isFromHead: boolean, max: number): number {
    const { keyspace } = this;
    keyspace.readValue(record);
    const { valueBytes: blob, valueStart: start } = keyspace;
    const entries = listpackCount(blob, start);
    const skip = this.skipped(blob, start, isFromHead, max);
    const removed = compactMatches(this.listpack, blob, start, skip, max);
    if (removed === 0) return 0;
    const bytes = listpackEnd(blob, start) + 1 - start;
    writeHead(blob, start, bytes, entries - removed);
    return removed;
  }

  /** Brings the record's own length and form up to date after `removeEqual`. Returns the record. */
  afterRemoval(database: Database, record: number): number {
    if (this.isQuick(record)) return this.makePacked(database, record);
    const { keyspace } = this;
    keyspace.readValue(record);
    const bytes = listpackEnd(keyspace.valueBytes, keyspace.valueStart) + 1 - keyspace.valueStart;
    return keyspace.spliceValue(database, record, bytes, keyspace.valueLength - bytes, 0);
  }

  // ---- moving one element -----------------------------------------------------------------------------------------------------

  /** Copies the first or the last element to `heldBytes`, where it stays until the next `hold`. */
  hold(record: number, isHead: boolean): void {
    this.readEnd(record, isHead);
    const { valueBytes, valueStart, valueLength } = this;
    this.isHeldNumber = this.isNumber;
    this.heldLength = valueLength;
    if (valueLength > HELD_MAX) {
      this.heldBytes = valueBytes.slice(valueStart, valueStart + valueLength);
      return;
    }
    this.heldBytes = this.heldBuffer;
    for (let index = 0; index < valueLength; index++) this.heldBuffer[index] = valueBytes[valueStart + index]!;
  }

  /** Pushes what `hold` copied; `record` 0: the key is absent, as `lookupWrite` has just found. Returns the record. */
  pushHeld(
    database: Database,
    record: number,
    isHead: boolean,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
  ): number {
    const { listpack, quicklist, heldBytes, heldLength } = this;
    // A number counts for nothing here, because Redis moves it as a number.
    const bytes = this.isHeldNumber ? 0 : heldLength;
    if (record === 0) {
      if (!quicklist.fitsNode(LISTPACK_EMPTY_BYTES + bytes, 1))
        return this.addHeldQuick(database, key, keyStart, keyLength);
      listpack.begin();
      listpack.append(heldBytes, 0, heldLength);
      return this.packed.add(database, key, keyStart, keyLength, TYPE_LIST);
    }
    record = this.makeRoom(database, record, bytes, 1);
    if (this.isQuick(record)) {
      quicklist.push(this.records.externalAddress(record), isHead, heldBytes, 0, heldLength);
      return record;
    }
    listpack.begin();
    listpack.append(heldBytes, 0, heldLength);
    return isHead ? this.packed.splice(database, record, LISTPACK_HEAD_BYTES, 0) : this.packed.append(database, record);
  }

  private addHeldQuick(database: Database, key: Uint8Array, keyStart: number, keyLength: number): number {
    const { quicklist } = this;
    const root = quicklist.create();
    try {
      quicklist.push(root, true, this.heldBytes, 0, this.heldLength);
      return this.putQuick(database, key, keyStart, keyLength, root, NO_EXPIRY);
    } catch (error) {
      quicklist.destroy(root);
      throw error;
    }
  }

  /** Moves what `hold` copied from one end of its list to an end of the same one. Returns the record. */
  rotate(database: Database, record: number, isFromHead: boolean, isToHead: boolean): number {
    const { quicklist } = this;
    if (!this.isQuick(record)) {
      // The element has left when its room is looked for.
      const bytes = this.isHeldNumber ? 0 : this.heldLength;
      this.listpack.begin();
      this.listpack.append(this.heldBytes, 0, this.heldLength);
      record = this.makeRoom(database, record, bytes - this.listpack.madeLength, 0);
    }
    if (isFromHead === isToHead) return this.makePacked(database, record);
    if (this.isQuick(record)) {
      const root = this.records.externalAddress(record);
      quicklist.push(root, isToHead, this.heldBytes, 0, this.heldLength);
      quicklist.pop(root, isFromHead);
      return this.makePacked(database, record);
    }
    record = isToHead
      ? this.packed.splice(database, record, LISTPACK_HEAD_BYTES, 0)
      : this.packed.append(database, record);
    return this.remove(database, record, isFromHead, 1);
  }

  // ---- for snapshots, DEBUG and MEMORY --------------------------------------------------------------------------------------

  /** The nodes of a quicklist in their order. */
  nodesOf(root: number): Int32Array {
    const { quicklist } = this;
    const nodes = new Int32Array(quicklist.get(root, NODES));
    let node = quicklist.get(root, HEAD);
    for (let index = 0; index < nodes.length; index++) {
      nodes[index] = node;
      node = quicklist.get(node, NEXT);
    }
    return nodes;
  }

  /** The node's value is one element as it is, not a listpack. */
  isPlain(node: number): boolean {
    return this.quicklist.isPlain(node);
  }

  /** Points the value registers to a node's listpack, or to the element of a plain one. */
  view(node: number): void {
    this.quicklist.readNode(node);
    this.takeView(this.quicklist);
  }

  // ---- Structure ----------------------------------------------------------------------------------------------------------------

  size(root: number): number {
    return this.quicklist.count(root);
  }

  freeParts(root: number, _from: number, parts: number): number {
    if (this.quicklist.freeNodes(root, parts)) return 1;
    this.quicklist.destroy(root);
    return -1;
  }

  copy(root: number): number {
    return this.quicklist.copy(root);
  }

  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number {
    return this.quicklist.relocate(root, fillMax, setRoot);
  }

  cellBytes(root: number, samples: number): number {
    return quicklistBytes(this.quicklist, root, samples);
  }

  verify(root: number): void {
    verifyQuicklist(this.quicklist, root);
  }
}
