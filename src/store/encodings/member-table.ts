/**
 * Member table: the hash table for entries that should take as little as can be, members of sets and sorted sets.
 *
 *      head      nothing in a set, the score (8 bytes) in a sorted set
 *      entry     head [length: 1][member]                             up to 254 bytes
 *                head [255][0: 3][length: 4, low byte first][member]  longer ones
 *
 *  I1  A table of this class holds nothing else; whether there is a head is the object's own (`headBytes`).
 *
 * A member of 13 bytes takes a cell of 16, where a length of four bytes would make it 24.
 */

import { readUint32 } from "../../core/numbers.ts";
import type { KeyHash } from "../../core/sip-hash.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { HashTable } from "./hash-table.ts";

/** Bytes before the member in a sorted set's entry. */
export const SCORE_BYTES = 8;

const SHORT_MAX = 254;
const LONG = 255;
const LONG_HEAD_BYTES = 8;

/** Bytes that a member of `length` takes, without what stands before it. */
export function memberBytes(length: number): number {
  return length <= SHORT_MAX ? 1 + length : LONG_HEAD_BYTES + length;
}

/** Position of the member whose form begins at `at`. hot path */
export function memberStart(bytes: Uint8Array, at: number): number {
  return bytes[at] === LONG ? at + LONG_HEAD_BYTES : at + 1;
}

/** Length of the member whose form begins at `at`. hot path */
export function memberLength(bytes: Uint8Array, at: number): number {
  const short = bytes[at]!;
  return short === LONG ? readUint32(bytes, at + 4) : short;
}

/** Writes a member's form at `at`, where `memberBytes` have room. */
export function writeMember(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): void {
  if (length > SHORT_MAX) {
    target[at] = LONG;
    target[at + 1] = target[at + 2] = target[at + 3] = 0;
    for (let byte = 0; byte < 4; byte++) target[at + 4 + byte] = length >>> (8 * byte);
    target.set(source.subarray(start, start + length), at + LONG_HEAD_BYTES);
    return;
  }
  target[at] = length;
  if (length < 32) for (let index = 0; index < length; index++) target[at + 1 + index] = source[start + index]!;
  else target.set(source.subarray(start, start + length), at + 1);
}

export class MemberTable extends HashTable {
  private readonly headBytes: number;

  constructor(arena: Arena, hash: KeyHash, headBytes: number) {
    super(arena, hash);
    this.headBytes = headBytes;
  }

  protected override hasKey(entry: number, source: Uint8Array, start: number, length: number): boolean {
    const bytes = this.bytes[entry >>> SEGMENT_SHIFT]!;
    let at = ((entry & UNIT_MASK) << 3) + this.headBytes;
    if (length <= SHORT_MAX) {
      if (bytes[at] !== length) return false;
      at++;
    } else {
      if (bytes[at] !== LONG || readUint32(bytes, at + 4) !== length) return false;
      at += LONG_HEAD_BYTES;
    }
    for (let index = 0; index < length; index++) {
      if (bytes[at + index] !== source[start + index]) return false;
    }
    return true;
  }

  override hashOf(entry: number): number {
    const bytes = this.bytes[entry >>> SEGMENT_SHIFT]!;
    const at = ((entry & UNIT_MASK) << 3) + this.headBytes;
    return this.hash.hash(bytes, memberStart(bytes, at), memberLength(bytes, at));
  }
}
