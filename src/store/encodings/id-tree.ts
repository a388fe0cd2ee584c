/**
 * Id tree: numbers of 32 bits ordered by 128-bit ids: a stream's nodes, and the entries that wait for acknowledgement.
 *
 *      id      milliseconds and sequence, unsigned 64 bits each:  (msHigh, msLow, sequenceHigh, sequenceLow)
 *      item    [msHigh][msLow][sequenceHigh][sequenceLow][value]      4 bytes each; the value is never 0
 *
 *      setId(msHigh, msLow, sequenceHigh, sequenceLow)    the id that the next calls are about
 *      insert(root, value)     false when the id is there already          append(root, value)   an id above all others
 *      remove(root)            value of the item that was removed, 0       find(root)            value of the id, 0
 *      seekAtLeast(root)  seekAbove(root)  seekAtMost(root)  seekBelow(root)    put the cursor there; false: no such item
 *      seekFirst(root)  seekLast(root)  seekRank(root, rank)                    the same, without an id
 *      next()  previous()      move the cursor; false at the end
 *      value()  readId()       of the item at the cursor; `readId` fills the four numbers of `id`
 *      setValue(root, value)   another value for the item at the cursor
 *      count(root)  rank(root) removeRange(root, rank, count)   clear(root)  freeLeaves(root, leaves)  verify(root)
 *      create()                a root cell of its own (16 bytes), or
 *      initialize(root)        the 16 bytes at `root`, within the owner's cell, become an empty tree (no node at all)
 *
 * The cursor (`leaf`, `index`) may be kept and put back by the caller as long as the tree does not change.
 *
 *  I1  Words are stored with their top bit turned over, so that they compare as signed numbers.
 *  I2  No two items have the same id.
 *
 * Source: order of entry ids as Redis documents it for streams.
 */

import { type Arena, SEGMENT_SHIFT } from "../arena/arena.ts";
import { SortedTree } from "./sorted-tree.ts";

const KEY_WORDS = 4;
const SIGN = 1 << 31;

export class IdTree extends SortedTree {
  /** What `readId` read: msHigh, msLow, sequenceHigh, sequenceLow. */
  readonly id: Uint32Array;

  constructor(arena: Arena) {
    super(arena, KEY_WORDS);
    this.id = new Uint32Array(KEY_WORDS);
  }

  /** The id that the next calls are about: four unsigned words. hot path */
  setId(msHigh: number, msLow: number, sequenceHigh: number, sequenceLow: number): void {
    const probe = this.probe;
    probe[0] = msHigh ^ SIGN;
    probe[1] = msLow ^ SIGN;
    probe[2] = sequenceHigh ^ SIGN;
    probe[3] = sequenceLow ^ SIGN;
  }

  /** Adds the id with `value` (not 0); false when it is there already. Throws ArenaExhausted, the tree being as it was. */
  insert(root: number, value: number): boolean {
    return this.insertProbe(root, value);
  }

  /** Adds the id, which is above all others, with `value`. Throws ArenaExhausted, the tree being as it was. hot path */
  append(root: number, value: number): void {
    this.appendProbe(root, value);
  }

  /** Removes the id; returns its value, 0 when it is not there. */
  remove(root: number): number {
    return this.removeProbe(root);
  }

  /** The value of the id, 0 when it is not there; the cursor stands on it when it is. hot path */
  find(root: number): number {
    return this.seekProbe(root) ? this.value() : 0;
  }

  /** Puts the cursor on the first item whose id is the id or above it; false when there is none. */
  seekAtLeast(root: number): boolean {
    this.seekProbe(root);
    return !this.isAtEnd();
  }

  /** Puts the cursor on the first item above the id; false when there is none. */
  seekAbove(root: number): boolean {
    return this.seekProbe(root) ? this.next() : !this.isAtEnd();
  }

  /** Puts the cursor on the last item whose id is the id or below it; false when there is none. */
  seekAtMost(root: number): boolean {
    return this.seekProbe(root) || this.previous();
  }

  /** Puts the cursor on the last item below the id; false when there is none. */
  seekBelow(root: number): boolean {
    this.seekProbe(root);
    return this.previous();
  }

  /** Fills `id` with the id of the item at the cursor. hot path */
  readId(): void {
    const words = this.words[this.leaf >>> SEGMENT_SHIFT]!;
    const at = this.place();
    const id = this.id;
    for (let word = 0; word < KEY_WORDS; word++) id[word] = words[at + word]! ^ SIGN;
  }

  protected override search(words: Int32Array, at: number, count: number, stride: number): number {
    const probe = this.probe;
    const first = probe[0]!;
    const second = probe[1]!;
    const third = probe[2]!;
    const fourth = probe[3]!;
    this.isEqual = false;
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const place = at + middle * stride;
      // Words are compared, not subtracted: a difference may need 33 bits, and then all of this would be done in doubles.
      let word = words[place]!;
      let wanted = first;
      if (word === wanted) {
        word = words[place + 1]!;
        wanted = second;
      }
      if (word === wanted) {
        word = words[place + 2]!;
        wanted = third;
      }
      if (word === wanted) {
        word = words[place + 3]!;
        wanted = fourth;
      }
      if (word === wanted) {
        this.isEqual = true;
        return middle;
      }
      if (word < wanted) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  override isAscending(leftWords: Int32Array, left: number, rightWords: Int32Array, right: number): boolean {
    for (let word = 0; word < KEY_WORDS; word++) {
      if (leftWords[left + word] !== rightWords[right + word])
        return leftWords[left + word]! < rightWords[right + word]!;
    }
    return false;
  }
}
