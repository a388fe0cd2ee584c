/**
 * PackedScores: a small sorted set as one listpack, in the bytes that Redis keeps and stores.
 *
 *      [member][score][member][score] ...      ascending by score, then by the member's bytes
 *
 *  I1  A whole score below 2^62 is kept as a number, every other one as its shortest text.
 *  I2  Positions are offsets from the value's start, those of members.
 *  I3  The record was looked up for writing as the last one before it is changed; ArenaExhausted changes nothing.
 *
 * Source: blobs of real servers; order of scores and members as Redis documents it.
 */

import { formatFloat64, parseFloat64, writeInt64Digits } from "../../core/numbers.ts";
import {
  entryAt,
  firstEntry,
  isListpackEnd,
  isNumberEntry,
  LISTPACK_EMPTY_BYTES,
  Listpack,
  listpackCount,
  nextEntry,
  numberAt,
  previousEntry,
} from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { TYPE_ZSET } from "../keyspace/record.ts";
import { PackedValues } from "./packed-values.ts";
import type { ScoredMembers } from "./scored-members.ts";

const SCORE_TEXT_MAX = 32;

export class PackedScores {
  /** What the last `read` found. */
  readonly listpack: Listpack;
  private readonly keyspace: Keyspace;
  private readonly packed: PackedValues;
  private readonly scoreText: Uint8Array;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.listpack = new Listpack();
    this.packed = new PackedValues(keyspace, this.listpack);
    this.scoreText = new Uint8Array(SCORE_TEXT_MAX);
  }

  count(record: number): number {
    const { keyspace } = this;
    keyspace.readValue(record);
    return listpackCount(keyspace.valueBytes, keyspace.valueStart) >>> 1;
  }

  // ---- reading: the value registers of the keyspace stand on the record ------------------------------------------------

  /** Offset of the member, -1 when it is not there. hot path */
  find(record: number, bytes: Uint8Array, start: number, length: number): number {
    const { keyspace, listpack } = this;
    listpack.begin();
    listpack.append(bytes, start, length);
    keyspace.readValue(record);
    const at = listpack.find(keyspace.valueBytes, firstEntry(keyspace.valueStart), 1);
    return at === -1 ? -1 : at - keyspace.valueStart;
  }

  /** The score of the member at position `at` of the blob. hot path */
  scoreAt(blob: Uint8Array, at: number): number {
    return this.scoreIn(blob, nextEntry(blob, at));
  }

  /** The score in the entry at `place`. hot path */
  private scoreIn(blob: Uint8Array, place: number): number {
    const first = blob[place]!;
    if (first < 0x80) return first;
    if (isNumberEntry(blob, place)) return Number(numberAt(blob, place));
    const { listpack } = this;
    listpack.read(blob, place);
    return parseFloat64(listpack.valueBytes, listpack.valueStart, listpack.valueLength);
  }

  /** Position of the member of 0-based `rank`, which must be there. */
  place(rank: number): number {
    return entryAt(this.keyspace.valueBytes, this.keyspace.valueStart, rank * 2);
  }

  /** Number of members before the one at `offset`. */
  rankOf(offset: number): number {
    const { valueBytes, valueStart } = this.keyspace;
    const end = valueStart + offset;
    let rank = 0;
    for (let at = firstEntry(valueStart); at < end; rank++) at = behindPair(valueBytes, at);
    return rank;
  }

  /** Number of members with a score below `score`, or, when `isAbove`, not above it. */
  scoreRank(score: number, isAbove: boolean): number {
    const { valueBytes, valueStart } = this.keyspace;
    let rank = 0;
    for (let at = firstEntry(valueStart); !isListpackEnd(valueBytes, at); rank++) {
      const place = nextEntry(valueBytes, at);
      const found = this.scoreIn(valueBytes, place);
      if (isAbove ? found > score : found >= score) break;
      at = nextEntry(valueBytes, place);
    }
    return rank;
  }

  /** Position of the first member whose score is `score` or above, or of the end. */
  placeOfScore(score: number): number {
    const { valueBytes, valueStart } = this.keyspace;
    let at = firstEntry(valueStart);
    while (!isListpackEnd(valueBytes, at)) {
      const place = nextEntry(valueBytes, at);
      if (this.scoreIn(valueBytes, place) >= score) break;
      at = nextEntry(valueBytes, place);
    }
    return at;
  }

  /** Number of members, from the first on, that are below a member in bytes, or, when `isAbove`, not above it. */
  memberRank(bytes: Uint8Array, start: number, length: number, isAbove: boolean): number {
    const { valueBytes, valueStart } = this.keyspace;
    let rank = 0;
    for (let at = firstEntry(valueStart); !isListpackEnd(valueBytes, at); rank++) {
      const order = this.compareMember(valueBytes, at, bytes, start, length);
      if (isAbove ? order > 0 : order >= 0) break;
      at = behindPair(valueBytes, at);
    }
    return rank;
  }

  private compareMember(blob: Uint8Array, at: number, bytes: Uint8Array, start: number, length: number): number {
    const { listpack } = this;
    listpack.read(blob, at);
    const { valueBytes, valueStart, valueLength } = listpack;
    const common = Math.min(valueLength, length);
    for (let index = 0; index < common; index++) {
      const difference = valueBytes[valueStart + index]! - bytes[start + index]!;
      if (difference !== 0) return difference;
    }
    return valueLength - length;
  }

  /** Position at which a member with this score belongs. */
  private placeFor(score: number, bytes: Uint8Array, start: number, length: number): number {
    const { valueBytes, valueStart } = this.keyspace;
    let at = firstEntry(valueStart);
    while (!isListpackEnd(valueBytes, at)) {
      const found = this.scoreAt(valueBytes, at);
      if (found > score) break;
      if (found === score && this.compareMember(valueBytes, at, bytes, start, length) > 0) break;
      at = behindPair(valueBytes, at);
    }
    return at;
  }

  // ---- changing ---------------------------------------------------------------------------------------------------------

  /** Gives a key that is absent a sorted set of one member. Throws ArenaExhausted. */
  create(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    score: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number {
    this.makePair(score, bytes, start, length);
    return this.packed.add(database, key, keyStart, keyLength, TYPE_ZSET);
  }

  /** Adds a member that is not there. Returns the record, which may have moved. hot path */
  insert(database: Database, record: number, score: number, bytes: Uint8Array, start: number, length: number): number {
    const { keyspace } = this;
    keyspace.readValue(record);
    const offset = this.placeFor(score, bytes, start, length) - keyspace.valueStart;
    this.makePair(score, bytes, start, length);
    return this.packed.splice(database, record, offset, 0);
  }

  /** Gives the member at `offset` another score. Returns the record, which may have moved. hot path */
  setScore(
    database: Database,
    record: number,
    offset: number,
    score: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number {
    const { keyspace, packed } = this;
    keyspace.readValue(record);
    const blob = keyspace.valueBytes;
    const at = keyspace.valueStart + offset;
    const target = this.placeFor(score, bytes, start, length);
    if (target === at || target === behindPair(blob, at)) {
      const scoreOffset = nextEntry(blob, at) - keyspace.valueStart;
      this.listpack.begin();
      this.makeScore(score);
      return packed.splice(database, record, scoreOffset, 1);
    }
    // The new pair comes first, the old one goes afterwards: only the first step can run out of memory.
    this.makePair(score, bytes, start, length);
    record = packed.splice(database, record, target - keyspace.valueStart, 0);
    const shift = target < at ? this.listpack.madeLength : 0;
    return packed.remove(database, record, offset + shift, 2);
  }

  /** Removes `count` members from the one at `offset` on. Returns the record, which may have moved. */
  remove(database: Database, record: number, offset: number, count: number): number {
    return this.packed.remove(database, record, offset, count * 2);
  }

  /** Makes the entries of all members of a structure; returns the bytes of the blob that `listpack.writeBlob` will write. */
  make(structure: ScoredMembers, root: number): number {
    const { listpack } = this;
    const { tree } = structure;
    listpack.begin();
    for (let isThere = tree.seekFirst(root); isThere; isThere = tree.next()) {
      const entry = tree.value();
      listpack.append(structure.memberBytes(entry), structure.memberStart(entry), structure.memberLength(entry));
      this.makeScore(structure.score(entry));
    }
    return LISTPACK_EMPTY_BYTES + listpack.madeLength;
  }

  /** Makes the two entries of a pair in `listpack`. */
  makePair(score: number, bytes: Uint8Array, start: number, length: number): void {
    this.listpack.begin();
    this.listpack.append(bytes, start, length);
    this.makeScore(score);
  }

  private makeScore(score: number): void {
    const { scoreText } = this;
    let length = 0;
    if (Number.isSafeInteger(score)) {
      length = writeInt64Digits(scoreText, 0, score + 0); // I1; the number 0 has no sign
    } else {
      const text = formatFloat64(score);
      for (; length < text.length; length++) scoreText[length] = text.charCodeAt(length);
    }
    this.listpack.append(scoreText, 0, length);
  }

  /** Position of the member before the one at `at`. */
  before(blob: Uint8Array, at: number): number {
    return previousEntry(blob, previousEntry(blob, at));
  }
}

/** Position behind the member at `at` and its score. */
export function behindPair(blob: Uint8Array, at: number): number {
  return nextEntry(blob, nextEntry(blob, at));
}
