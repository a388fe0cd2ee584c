/**
 * Score tree: the order of a sorted set. Items are ordered by score, then by the members' bytes.
 *
 *      item    [score: 8, in the order of two signed words][entry: 4]      entry → [score: 8][member], see member-table.ts
 *
 *      insert(root, score, entry)   remove(root, score, entry)   move(root, oldScore, newScore, entry)
 *      seekScore(root, score, side)   first item with this score or above (BELOW), or above it (ABOVE)
 *      seekMember(root, score, bytes, start, length)   first item not below (score, member); true when it is that one
 *      then   value(), next(), previous(), isAtEnd(), rank(root);   seekRank, seekFirst, seekLast, removeRange, ...
 *
 *  I1  A score is stored as two signed words that compare like the number; -0 is stored as 0, NaN never.
 *  I2  An entry's member is read only where scores are equal. It must not change while the tree holds the entry; the
 *      score in the entry is never read.
 *
 * Source: order of scores and members as Redis documents it for sorted sets.
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { memberLength, memberStart, SCORE_BYTES } from "./member-table.ts";
import { SortedTree } from "./sorted-tree.ts";

/** For `seekScore`: before all members with the score, or behind them. */
export const BELOW = -1;
export const ABOVE = 1;
const AT_MEMBER = 0;

const KEY_WORDS = 2;
const SIGN = 1 << 31;

export class ScoreTree extends SortedTree {
  /** AT_MEMBER: the probe is a score and a member; else it stands before or behind all members of the score. */
  private side: number;
  private member: Uint8Array;
  private memberStart: number;
  private memberLength: number;
  private readonly scoreValue: Float64Array;
  private readonly scoreWords: Int32Array;

  constructor(arena: Arena) {
    super(arena, KEY_WORDS);
    this.side = AT_MEMBER;
    this.member = new Uint8Array(0);
    this.memberStart = 0;
    this.memberLength = 0;
    this.scoreValue = new Float64Array(1);
    this.scoreWords = new Int32Array(this.scoreValue.buffer);
  }

  /** Adds the entry; false when an equal one is there. Throws ArenaExhausted, the tree being as it was. hot path */
  insert(root: number, score: number, entry: number): boolean {
    this.probeScore(score);
    this.probeValue(entry);
    return this.insertProbe(root, entry);
  }

  /** Adds an entry that is above all others: building from sorted input. Throws ArenaExhausted. */
  append(root: number, score: number, entry: number): void {
    this.probeScore(score);
    this.appendProbe(root, entry);
  }

  /** Removes the entry that was added with `score`; false when it is not there. hot path */
  remove(root: number, score: number, entry: number): boolean {
    this.probeScore(score);
    this.probeValue(entry);
    return this.removeProbe(root) !== 0;
  }

  /** Gives an entry that is there another score. Throws ArenaExhausted, the tree being as it was. hot path */
  move(root: number, oldScore: number, newScore: number, entry: number): void {
    if (oldScore === newScore) return;
    this.insert(root, newScore, entry);
    this.remove(root, oldScore, entry);
  }

  /** The entry's cell was moved: `to` takes the place of `from`. Both hold the same member. */
  replace(root: number, score: number, from: number, to: number): void {
    this.probeScore(score);
    this.probeValue(from);
    if (this.seekProbe(root)) this.setValue(root, to);
  }

  /** Puts the cursor on the first item above `score` (ABOVE), or at it or above (BELOW), or behind the last item. */
  seekScore(root: number, score: number, side: typeof BELOW | typeof ABOVE): void {
    this.probeScore(score);
    this.side = side;
    this.seekProbe(root);
  }

  /** Puts the cursor on the first item that is not below (score, member); true when it is exactly that one. */
  seekMember(root: number, score: number, bytes: Uint8Array, start: number, length: number): boolean {
    this.probeScore(score);
    this.side = AT_MEMBER;
    this.member = bytes;
    this.memberStart = start;
    this.memberLength = length;
    return this.seekProbe(root);
  }

  /** The score at the cursor, 0 for -0. */
  score(): number {
    const words = this.words[this.leaf >>> SEGMENT_SHIFT]!;
    const at = this.place();
    const high = words[at]!;
    const flip = high < 0 ? -1 : 0;
    this.scoreWords[1] = high ^ (flip & ~SIGN);
    this.scoreWords[0] = words[at + 1]! ^ SIGN ^ flip;
    return this.scoreValue[0]!;
  }

  private probeScore(score: number): void {
    this.scoreValue[0] = score + 0; // I1: -0 + 0 is 0
    const high = this.scoreWords[1]!;
    // Of negative numbers, the larger magnitude is the smaller one: all bits but the sign are turned over.
    const flip = high < 0 ? -1 : 0;
    this.probe[0] = high ^ (flip & ~SIGN);
    this.probe[1] = this.scoreWords[0]! ^ SIGN ^ flip;
  }

  protected override probeValue(entry: number): void {
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    this.side = AT_MEMBER;
    this.member = this.arena.bytes[segment]!;
    const at = (unit << 3) + SCORE_BYTES;
    this.memberStart = memberStart(this.member, at);
    this.memberLength = memberLength(this.member, at);
  }

  protected override search(words: Int32Array, at: number, count: number, stride: number): number {
    const high = this.probe[0]!;
    const low = this.probe[1]!;
    this.isEqual = false;
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const place = at + middle * stride;
      // Words are compared, not subtracted: a difference may need 33 bits, and then all of this would be done in doubles.
      const word = words[place]! === high ? words[place + 1]! : words[place]!;
      const wanted = words[place]! === high ? low : high;
      let isBelow = word < wanted;
      if (word === wanted) {
        const order = this.side === AT_MEMBER ? this.compareMember(words[place + 2]!) : -this.side;
        if (order === 0) {
          this.isEqual = true;
          return middle;
        }
        isBelow = order < 0;
      }
      if (isBelow) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Below 0 when the entry's member is below the probe's, 0 when they are equal. */
  private compareMember(entry: number): number {
    const segment = entry >>> SEGMENT_SHIFT;
    const unit = entry & UNIT_MASK;
    const bytes = this.arena.bytes[segment]!;
    const at = (unit << 3) + SCORE_BYTES;
    const start = memberStart(bytes, at);
    const length = memberLength(bytes, at);
    const { member, memberStart: probeStart, memberLength: probeLength } = this;
    const common = length < probeLength ? length : probeLength;
    for (let index = 0; index < common; index++) {
      const difference = bytes[start + index]! - member[probeStart + index]!;
      if (difference !== 0) return difference;
    }
    return length - probeLength;
  }

  override isAscending(leftWords: Int32Array, left: number, rightWords: Int32Array, right: number): boolean {
    if (leftWords[left] !== rightWords[right]) return leftWords[left]! < rightWords[right]!;
    if (leftWords[left + 1] !== rightWords[right + 1]) return leftWords[left + 1]! < rightWords[right + 1]!;
    this.probeValue(rightWords[right + 2]!);
    return this.compareMember(leftWords[left + 2]!) < 0;
  }
}
