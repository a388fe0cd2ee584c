/**
 * Name list: the addresses of named cells, in the order of their names; a stream's groups, a group's consumers.
 *
 *      list     [count][capacity][address][address] ...          0 instead of an address: an empty list
 *      cell     [name length] ... name                           the name begins `nameOffset` bytes behind the cell's start
 *
 *  I1  Names ascend as strings of bytes, the shorter first; no two are equal.
 *  I2  A new cell is allocated before an old one is freed: ArenaExhausted leaves everything as it was.
 *
 * A search compares log2(n) names; an insert moves 4 bytes for each name behind it.
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";

const COUNT = 0;
const CAPACITY = 1;
const FIRST = 2;
const FIRST_CAPACITY = 2;

export class NameList {
  /** Where `find` found the name, or where it would stand. */
  index: number;
  private readonly arena: Arena;
  private readonly nameOffset: number;

  constructor(arena: Arena, nameOffset: number) {
    this.arena = arena;
    this.nameOffset = nameOffset;
    this.index = 0;
  }

  count(list: number): number {
    return list === 0 ? 0 : this.arena.words[list >>> SEGMENT_SHIFT]![((list & UNIT_MASK) << 1) + COUNT]!;
  }

  at(list: number, index: number): number {
    return this.arena.words[list >>> SEGMENT_SHIFT]![((list & UNIT_MASK) << 1) + FIRST + index]!;
  }

  nameLength(cell: number): number {
    return this.arena.words[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) << 1]!;
  }

  /** Position of the cell's name in `view(cell)`. */
  nameStart(cell: number): number {
    return (cell & UNIT_MASK) * 8 + this.nameOffset;
  }

  view(cell: number): Uint8Array {
    return this.arena.bytes[cell >>> SEGMENT_SHIFT]!;
  }

  /** The cell with this name, 0 when there is none; sets `index`. */
  find(list: number, bytes: Uint8Array, start: number, length: number): number {
    let from = 0;
    let to = this.count(list);
    while (from < to) {
      const middle = (from + to) >>> 1;
      const cell = this.at(list, middle);
      const order = this.compare(cell, bytes, start, length);
      if (order === 0) {
        this.index = middle;
        return cell;
      }
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    this.index = from;
    return 0;
  }

  private compare(cell: number, bytes: Uint8Array, start: number, length: number): number {
    const view = this.view(cell);
    const nameStart = this.nameStart(cell);
    const nameLength = this.nameLength(cell);
    const shorter = Math.min(length, nameLength);
    for (let index = 0; index < shorter; index++) {
      const difference = view[nameStart + index]! - bytes[start + index]!;
      if (difference !== 0) return difference;
    }
    return nameLength - length;
  }

  /** Allocates a cell with this name; what lies before the name is to be written. Throws ArenaExhausted. */
  makeCell(bytes: Uint8Array, start: number, length: number): number {
    const cell = this.arena.allocate(this.nameOffset + length);
    this.arena.words[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) << 1] = length;
    this.arena.copyIn(cell, this.nameOffset, bytes, start, length);
    return cell;
  }

  /** Puts `cell` where the last `find` did not find its name. Returns the list, which may have moved. Throws ArenaExhausted. */
  insert(list: number, cell: number): number {
    const { arena, index } = this;
    const count = this.count(list);
    if (list === 0 || count === this.wordOf(list, CAPACITY)) {
      const capacity = list === 0 ? FIRST_CAPACITY : count * 2;
      const grown = arena.allocate((FIRST + capacity) * 4);
      const words = arena.words[grown >>> SEGMENT_SHIFT]!;
      const at = (grown & UNIT_MASK) << 1;
      words[at + COUNT] = count;
      words[at + CAPACITY] = (arena.capacity(grown) >>> 2) - FIRST;
      if (list !== 0) {
        arena.move(list, FIRST * 4, grown, FIRST * 4, count * 4);
        arena.free(list);
      }
      list = grown;
    }
    const words = arena.words[list >>> SEGMENT_SHIFT]!;
    const at = (list & UNIT_MASK) << 1;
    words.copyWithin(at + FIRST + index + 1, at + FIRST + index, at + FIRST + count);
    words[at + FIRST + index] = cell;
    words[at + COUNT] = count + 1;
    return list;
  }

  /** Takes out the cell that the last `find` found; the cell is the caller's. Returns the list, 0 when it is empty now. */
  remove(list: number): number {
    const count = this.count(list);
    if (count === 1) {
      this.arena.free(list);
      return 0;
    }
    const words = this.arena.words[list >>> SEGMENT_SHIFT]!;
    const at = (list & UNIT_MASK) << 1;
    words.copyWithin(at + FIRST + this.index, at + FIRST + this.index + 1, at + FIRST + count);
    words[at + COUNT] = count - 1;
    return list;
  }

  /** Whether the names ascend, for `verify`. */
  isAscending(list: number): boolean {
    for (let index = 1; index < this.count(list); index++) {
      const right = this.at(list, index);
      const order = this.compare(
        this.at(list, index - 1),
        this.view(right),
        this.nameStart(right),
        this.nameLength(right),
      );
      if (order >= 0) return false;
    }
    return true;
  }

  private wordOf(cell: number, word: number): number {
    return this.arena.words[cell >>> SEGMENT_SHIFT]![((cell & UNIT_MASK) << 1) + word]!;
  }
}
