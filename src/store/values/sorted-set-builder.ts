/**
 * SortedSetBuilder: makes a whole sorted set before anybody can see it: for RESTORE, loading, and commands that store.
 *
 *      begin ──► addMember ... ──┬──► put       pairs as they come, then in order, while it may be a listpack;
 *                                │              a structure in the arena when it may not
 *                                └──► abandon
 *
 *  I1  Nothing of the sorted set is in the keyspace before `put`; after `put` or `abandon` the builder is empty again.
 *  I2  When `addMember` or `put` throws ArenaExhausted, `abandon` gives back what there is.
 *  I3  The encoding is what ZADD of the same members would have made.
 */

import { firstEntry, isListpackEnd, Listpack, nextEntry } from "../encodings/listpack.ts";
import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK, TYPE_ZSET } from "../keyspace/record.ts";
import { PackedBuffer } from "./packed-buffer.ts";
import type { ScoredMembers } from "./scored-members.ts";
import type { SortedSets } from "./sorted-sets.ts";

/** Whoever says how much will come may be wrong: room is not made for more than this in advance. */
const SIZE_HINT_MAX = 1 << 16;
/** Each member of a listpack has its score behind it. */
const SCORE_BETWEEN = 1;

export class SortedSetBuilder {
  private readonly keyspace: Keyspace;
  private readonly listpack: Listpack;
  private packed: PackedBuffer;
  private ordered: PackedBuffer;
  /** Of the pairs in `packed`, in the order in which they came. */
  private readonly scores: number[];
  private isAscending: boolean;
  /** Who made `root`, which is 0 while the sorted set may be a listpack. */
  private sortedSets: SortedSets;
  private structure: ScoredMembers;
  private root: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.listpack = new Listpack();
    this.packed = new PackedBuffer();
    this.ordered = new PackedBuffer();
    this.scores = [];
    this.isAscending = true;
    this.sortedSets = keyspace.sortedSets;
    this.structure = this.sortedSets.structure;
    this.root = 0;
  }

  /** Starts a sorted set of about `sizeHint` members, 0 when that is not known. Throws ArenaExhausted. */
  begin(sizeHint: number): void {
    this.abandon();
    // FLUSHALL may have put others in their place.
    this.sortedSets = this.keyspace.sortedSets;
    this.structure = this.sortedSets.structure;
    if (sizeHint > this.keyspace.encodingLimits.sortedSetListpackEntries) this.makeStructure(sizeHint);
  }

  /** False when the member is there already: nothing has changed then. Throws ArenaExhausted. hot path */
  addMember(member: Uint8Array, start: number, length: number, score: number): boolean {
    if (this.root === 0) {
      const { listpack, packed, scores } = this;
      const limits = this.keyspace.encodingLimits;
      listpack.begin();
      listpack.append(member, start, length);
      if (packed.has(listpack, SCORE_BETWEEN)) return false;
      if (scores.length < limits.sortedSetListpackEntries && length <= limits.sortedSetListpackBytes) {
        // Of equal scores the members decide, which `sort` looks at.
        if (scores.length > 0 && !(score > scores[scores.length - 1]!)) this.isAscending = false;
        packed.append(this.sortedSets.pairOf(score, member, start, length));
        scores.push(score);
        return true;
      }
      this.makeStructure(0);
    }
    const { structure, root } = this;
    const hash = structure.hashOf(member, start, length);
    if (structure.find(root, hash, member, start, length) !== 0) return false;
    structure.insert(root, hash, score, member, start, length);
    return true;
  }

  /** Goes on with a structure that has the pairs so far. */
  private makeStructure(sizeHint: number): void {
    const { structure, listpack, scores } = this;
    const { bytes } = this.packed;
    const root = structure.create();
    try {
      structure.table.expand(structure.tableOf(root), Math.min(sizeHint, SIZE_HINT_MAX));
      let at = firstEntry(0);
      for (let index = 0; index < scores.length; index++) {
        listpack.read(bytes, at);
        const { valueBytes, valueStart, valueLength } = listpack;
        const hash = structure.hashOf(valueBytes, valueStart, valueLength);
        structure.insert(root, hash, scores[index]!, valueBytes, valueStart, valueLength);
        at = nextEntry(bytes, nextEntry(bytes, at));
      }
    } catch (error) {
      structure.destroy(root);
      throw error;
    }
    this.root = root;
    this.forgetPairs();
  }

  /**
   * Gives the sorted set to a key, whatever it held. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. At
   * least one member must be there. Throws ArenaExhausted: the sorted set is still the builder's.
   */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const { keyspace } = this;
    if (this.root !== 0) {
      const record = this.sortedSets.store(database, key, keyStart, keyLength, this.root, expireAtMs);
      this.root = 0;
      return record;
    }
    if (!this.isAscending) this.sort();
    const { bytes, length } = this.packed;
    const encoding = ENCODING_LISTPACK;
    const record = keyspace.putValue(database, key, keyStart, keyLength, TYPE_ZSET, encoding, length, expireAtMs);
    keyspace.valueBytes.set(bytes.subarray(0, length), keyspace.valueStart);
    this.forgetPairs();
    return record;
  }

  /** Brings the pairs into their order: by score, then by the members' bytes. */
  private sort(): void {
    const { packed, ordered, scores, listpack } = this;
    const { bytes } = packed;
    const pairs: { at: number; score: number; member: Uint8Array }[] = [];
    for (let at = firstEntry(0); !isListpackEnd(bytes, at); at = nextEntry(bytes, nextEntry(bytes, at))) {
      listpack.read(bytes, at);
      const { valueBytes, valueStart, valueLength } = listpack;
      const member = valueBytes.slice(valueStart, valueStart + valueLength);
      pairs.push({ at, score: scores[pairs.length]!, member });
    }
    pairs.sort((left, right) => left.score - right.score || Buffer.compare(left.member, right.member));
    ordered.clear();
    for (const { score, member } of pairs) ordered.append(this.sortedSets.pairOf(score, member, 0, member.length));
    this.packed = ordered;
    this.ordered = packed;
    this.isAscending = true;
  }

  private forgetPairs(): void {
    this.packed.clear();
    this.scores.length = 0;
    this.isAscending = true;
  }

  /** Gives up what was made since `begin`. */
  abandon(): void {
    if (this.root !== 0) this.structure.destroy(this.root);
    this.root = 0;
    this.forgetPairs();
  }
}
