/**
 * SortedSets: what commands do with sorted sets, whatever their encoding.
 *
 *      listpack   PackedScores    up to zset-max-listpack-entries members of at most zset-max-listpack-value bytes
 *      skiplist   ScoredMembers   what has once grown beyond; it never becomes a listpack again
 *
 *      find(record, member)  ──► foundScore   ──► setScore, remove, rank
 *      scoreRank, memberRank ──► ranks        ──► seek(record, rank) ──► value*, memberScore(), next(), previous()
 *      seekScore(record, score) ──► the same cursor ──► step(), orderScore(): scores alone; mark() ──► readMarked(mark)
 *
 *  I1  A record with a sorted set has at least one member when the command has ended: who removes the last one deletes the key.
 *  I2  What `find` and the cursor name is valid until the next change.
 *  I3  Records may move: the methods that change one return it. They want it to be the last one that `lookupWrite` found.
 *  I4  ArenaExhausted leaves everything as it was.
 *
 * Source: encodings, limits and order as Redis 7.2 documents them.
 */

import { UNIT_MASK } from "../arena/arena.ts";
import { isListpackEnd, type Listpack } from "../encodings/listpack.ts";
import { memberLength, memberStart, SCORE_BYTES } from "../encodings/member-table.ts";
import { ABOVE, BELOW } from "../encodings/score-tree.ts";
import { type Database, type Keyspace, NO_EXPIRY } from "../keyspace/keyspace.ts";
import { ENCODING_LISTPACK, ENCODING_SKIPLIST, TYPE_ZSET, type ValueView } from "../keyspace/record.ts";
import { behindPair, PackedScores } from "./packed-scores.ts";
import { ScoredMembers } from "./scored-members.ts";

export class SortedSets implements ValueView {
  /** Large sorted sets; the keyspace knows them by this. */
  readonly structure: ScoredMembers;
  /** The score of the member that `find` found. */
  foundScore: number;
  /** The member at the cursor. */
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;

  /** A run of ranks that a command has found: for its own use. */
  rangeRank: number;
  rangeCount: number;
  /** Borders of a range by score, read once. */
  rangeLow: number;
  rangeHigh: number;

  private readonly keyspace: Keyspace;
  private readonly packed: PackedScores;
  /** What `find` was asked for: the member's hash, its entry or its offset, -1 none. */
  private hash: number;
  private found: number;
  /** The cursor in a listpack: the blob and the member's position; else the tree's own. */
  private isPacked: boolean;
  private blob: Uint8Array;
  private at: number;
  /** What `warm` read; it means nothing. */
  warmed: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.structure = new ScoredMembers(keyspace.arena, keyspace.scored, keyspace.hash);
    this.packed = new PackedScores(keyspace);
    this.foundScore = 0;
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
    this.rangeRank = 0;
    this.rangeCount = 0;
    this.rangeLow = Number.NaN; // doubles from the beginning: a field that holds small integers first changes its kind later
    this.rangeHigh = Number.NaN;
    this.warmed = 0;
    this.hash = 0;
    this.found = 0;
    this.isPacked = false;
    this.blob = this.valueBytes;
    this.at = 0;
  }

  private root(record: number): number {
    return this.keyspace.records.externalAddress(record);
  }

  /** Members of the sorted set. */
  count(record: number): number {
    if (this.keyspace.records.isStructure(record)) return this.structure.size(this.root(record));
    return this.packed.count(record);
  }

  // ---- members ------------------------------------------------------------------------------------------------------

  /** Whether the member is there; its score is `foundScore` then. hot path */
  find(record: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.keyspace.records.isStructure(record)) {
      const { structure } = this;
      this.hash = structure.hashOf(bytes, start, length);
      this.found = structure.find(this.root(record), this.hash, bytes, start, length);
      if (this.found === 0) return false;
      this.foundScore = structure.score(this.found);
      return true;
    }
    const { keyspace, packed } = this;
    this.found = packed.find(record, bytes, start, length);
    if (this.found === -1) return false;
    this.foundScore = packed.scoreAt(keyspace.valueBytes, keyspace.valueStart + this.found);
    return true;
  }

  /** Number of members before the one that `find` has just found. */
  rank(record: number): number {
    if (!this.keyspace.records.isStructure(record)) return this.packed.rankOf(this.found);
    const root = this.root(record);
    this.structure.seekEntry(root, this.found);
    return this.structure.tree.rank(root);
  }

  /** Gives a key that is absent (as `lookupWrite` has just found) a sorted set of one member. Throws ArenaExhausted. */
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
    const { keyspace, structure } = this;
    const { sortedSetListpackEntries, sortedSetListpackBytes } = keyspace.encodingLimits;
    if (sortedSetListpackEntries > 0 && length <= sortedSetListpackBytes) {
      return this.packed.create(database, key, keyStart, keyLength, score, bytes, start, length);
    }
    const root = structure.create();
    try {
      structure.insert(root, structure.hashOf(bytes, start, length), score, bytes, start, length);
      return keyspace.putStructure(database, key, keyStart, keyLength, TYPE_ZSET, ENCODING_SKIPLIST, root, -1);
    } catch (error) {
      structure.destroy(root);
      throw error;
    }
  }

  /** Adds a member that `find` has just not found. Returns the record. Throws ArenaExhausted. hot path */
  insert(database: Database, record: number, score: number, bytes: Uint8Array, start: number, length: number): number {
    const { keyspace, structure } = this;
    if (!keyspace.records.isStructure(record)) {
      const { sortedSetListpackEntries, sortedSetListpackBytes } = keyspace.encodingLimits;
      if (length <= sortedSetListpackBytes && this.packed.count(record) < sortedSetListpackEntries) {
        return this.packed.insert(database, record, score, bytes, start, length);
      }
      record = this.unpack(database, record);
      this.hash = structure.hashOf(bytes, start, length);
    }
    structure.insert(this.root(record), this.hash, score, bytes, start, length);
    return record;
  }

  /**
   * Gives the member that `find` has just found (these are its bytes) another score. Returns the record. Throws
   * ArenaExhausted. hot path
   */
  setScore(
    database: Database,
    record: number,
    score: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number {
    if (!this.keyspace.records.isStructure(record)) {
      return this.packed.setScore(database, record, this.found, score, bytes, start, length);
    }
    this.structure.setScore(this.root(record), this.found, score);
    return record;
  }

  /** Removes the member that `find` has just found. Returns the record; I1 is the caller's. */
  remove(database: Database, record: number): number {
    if (!this.keyspace.records.isStructure(record)) return this.packed.remove(database, record, this.found, 1);
    this.structure.remove(this.root(record), this.found);
    return record;
  }

  /** Removes `count` members from 0-based `rank` on; they must be there. Returns the record; I1 is the caller's. */
  removeRange(database: Database, record: number, rank: number, count: number): number {
    const { keyspace, packed } = this;
    if (keyspace.records.isStructure(record)) {
      this.structure.removeRange(this.root(record), rank, count);
      return record;
    }
    keyspace.readValue(record);
    return packed.remove(database, record, packed.place(rank) - keyspace.valueStart, count);
  }

  /** Turns a listpack into a structure. Returns the record, which has moved. */
  private unpack(database: Database, record: number): number {
    const { keyspace, structure } = this;
    const root = structure.create();
    try {
      const count = this.count(record);
      let isThere = this.seek(record, 0);
      structure.table.expand(structure.tableOf(root), count);
      for (; isThere; isThere = this.next()) {
        const { valueBytes: bytes, valueStart: start, valueLength: length } = this;
        structure.insert(root, structure.hashOf(bytes, start, length), this.memberScore(), bytes, start, length);
      }
      return keyspace.turnIntoStructure(database, record, ENCODING_SKIPLIST, root);
    } catch (error) {
      structure.destroy(root);
      throw error;
    }
  }

  // ---- ranks ----------------------------------------------------------------------------------------------------------

  /** Number of members with a score below `score`, or, when `isAbove`, not above it. */
  scoreRank(record: number, score: number, isAbove: boolean): number {
    if (this.keyspace.records.isStructure(record)) {
      const root = this.root(record);
      this.structure.tree.seekScore(root, score, isAbove ? ABOVE : BELOW);
      return this.structure.tree.rank(root);
    }
    this.keyspace.readValue(record);
    return this.packed.scoreRank(score, isAbove);
  }

  /** The same for members in the order of their bytes, where all scores are equal. */
  memberRank(record: number, bytes: Uint8Array, start: number, length: number, isAbove: boolean): number {
    if (!this.keyspace.records.isStructure(record)) {
      this.keyspace.readValue(record);
      return this.packed.memberRank(bytes, start, length, isAbove);
    }
    const root = this.root(record);
    const { tree } = this.structure;
    tree.seekFirst(root);
    const isEqual = tree.seekMember(root, tree.score(), bytes, start, length);
    return tree.rank(root) + (isEqual && isAbove ? 1 : 0);
  }

  // ---- the cursor -------------------------------------------------------------------------------------------------------

  /** Puts the cursor on the member of 0-based `rank`; false when there are not so many. hot path */
  seek(record: number, rank: number): boolean {
    const { keyspace } = this;
    this.isPacked = !keyspace.records.isStructure(record);
    if (!this.isPacked) return this.structure.tree.seekRank(this.root(record), rank) && this.readEntry();
    keyspace.readValue(record);
    this.blob = keyspace.valueBytes;
    this.at = this.packed.place(rank);
    return this.at !== -1 && this.readPacked();
  }

  /**
   * Puts the cursor on the first member whose score is `score` or above; false when there is none. Like `step` it does
   * not point to the member, which would be a look at memory far away for each that is passed over. hot path
   */
  seekScore(record: number, score: number): boolean {
    const { keyspace, structure } = this;
    this.isPacked = !keyspace.records.isStructure(record);
    if (!this.isPacked) {
      structure.tree.seekScore(this.root(record), score, BELOW);
      return !structure.tree.isAtEnd();
    }
    keyspace.readValue(record);
    this.blob = keyspace.valueBytes;
    this.at = this.packed.placeOfScore(score);
    return !isListpackEnd(this.blob, this.at);
  }

  /** Moves the cursor on; false at the end. hot path */
  step(): boolean {
    if (!this.isPacked) return this.structure.tree.next();
    this.at = behindPair(this.blob, this.at);
    return !isListpackEnd(this.blob, this.at);
  }

  /** The score at the cursor, 0 for -0: as the order has it. hot path */
  orderScore(): number {
    return this.isPacked ? this.packed.scoreAt(this.blob, this.at) : this.structure.tree.score();
  }

  /** What names the member at the cursor until its sorted set changes, in a walk over this one sorted set. */
  mark(): number {
    return this.isPacked ? this.at : this.structure.tree.value();
  }

  /** Points valueBytes, valueStart and valueLength to a member that was marked. */
  readMarked(mark: number): void {
    this.at = mark;
    if (this.isPacked) this.readPacked();
    else this.readMember(mark);
  }

  /**
   * Reads the beginning of up to `count` members from the cursor on, or back from it: entries lie anywhere, and here the
   * processor fetches them side by side, where a walk would wait for each in turn. hot path
   */
  warm(count: number, isReverse: boolean): void {
    if (!this.isPacked) this.warmed = this.structure.warm(count, isReverse);
  }

  /** Moves the cursor on; false at the end. hot path */
  next(): boolean {
    if (!this.isPacked) return this.structure.tree.next() && this.readEntry();
    this.at = behindPair(this.blob, this.at);
    return this.blob[this.at] !== 0xff && this.readPacked();
  }

  /** Moves the cursor back, from a member that is not the first. hot path */
  previous(): boolean {
    if (!this.isPacked) return this.structure.tree.previous() && this.readEntry();
    this.at = this.packed.before(this.blob, this.at);
    return this.readPacked();
  }

  /** The score at the cursor. hot path */
  memberScore(): number {
    if (this.isPacked) return this.packed.scoreAt(this.blob, this.at);
    return this.structure.score(this.structure.tree.value());
  }

  private readEntry(): boolean {
    this.readMember(this.structure.tree.value());
    return true;
  }

  private readPacked(): boolean {
    const { listpack } = this.packed;
    listpack.read(this.blob, this.at);
    this.valueBytes = listpack.valueBytes;
    this.valueStart = listpack.valueStart;
    this.valueLength = listpack.valueLength;
    return true;
  }

  // ---- entries of large ones, for those who write them down --------------------------------------------------------------

  size(root: number): number {
    return this.structure.size(root);
  }

  /** The table of the entries. */
  tableOf(root: number): number {
    return this.structure.tableOf(root);
  }

  /** The entry with the highest score, 0 when there is none. */
  lastEntry(root: number): number {
    return this.structure.tree.seekLast(root) ? this.structure.tree.value() : 0;
  }

  /** The entry before the one that `lastEntry` or this has just returned, 0 when there is none. */
  previousEntry(): number {
    return this.structure.tree.previous() ? this.structure.tree.value() : 0;
  }

  /** Points valueBytes, valueStart and valueLength to an entry's member. */
  readMember(entry: number): void {
    const bytes = this.structure.memberBytes(entry);
    const at = ((entry & UNIT_MASK) << 3) + SCORE_BYTES;
    this.valueBytes = bytes;
    this.valueStart = memberStart(bytes, at);
    this.valueLength = memberLength(bytes, at);
  }

  /** The score of an entry. */
  score(entry: number): number {
    return this.structure.score(entry);
  }

  // ---- results that were built apart ------------------------------------------------------------------------------------

  /** The entries of one pair of a small sorted set, for who puts several together. Valid until the next call. */
  pairOf(score: number, bytes: Uint8Array, start: number, length: number): Listpack {
    this.packed.makePair(score, bytes, start, length);
    return this.packed.listpack;
  }

  /** A value of `structure` that belongs to no key, with `count` members of `record` from `rank` on. Throws ArenaExhausted. */
  copyRange(record: number, rank: number, count: number): number {
    const { structure } = this;
    const root = structure.create();
    try {
      const { tree } = structure;
      for (let isThere = this.seek(record, rank); isThere && count > 0; isThere = this.next(), count--) {
        const { leaf, index } = tree;
        structure.append(root, this.memberScore(), this.valueBytes, this.valueStart, this.valueLength);
        tree.leaf = leaf; // adding moves the tree's cursor
        tree.index = index;
      }
    } catch (error) {
      structure.destroy(root);
      throw error;
    }
    return root;
  }

  /**
   * Gives a key the members of `root`, a value of `structure` that belongs to no key yet and has members in its tree,
   * whatever the key held before; small ones as a listpack. Takes `root` over. `expireAtMs`: ms since 1970 or NO_EXPIRY.
   * Throws ArenaExhausted: `root` is the caller's then.
   */
  store(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    root: number,
    expireAtMs = NO_EXPIRY,
  ): number {
    const { keyspace, structure } = this;
    const { tree } = structure;
    const { sortedSetListpackEntries, sortedSetListpackBytes } = keyspace.encodingLimits;
    let isSmall = tree.count(root) <= sortedSetListpackEntries;
    for (let isThere = isSmall && tree.seekFirst(root); isThere; isThere = tree.next()) {
      if (structure.memberLength(tree.value()) > sortedSetListpackBytes) {
        isSmall = false;
        break;
      }
    }
    if (!isSmall) {
      return keyspace.putStructure(database, key, keyStart, keyLength, TYPE_ZSET, ENCODING_SKIPLIST, root, expireAtMs);
    }
    const bytes = this.packed.make(structure, root);
    const record = keyspace.putValue(
      database,
      key,
      keyStart,
      keyLength,
      TYPE_ZSET,
      ENCODING_LISTPACK,
      bytes,
      expireAtMs,
    );
    this.packed.listpack.writeBlob(keyspace.valueBytes, keyspace.valueStart);
    structure.destroy(root);
    return record;
  }
}
