/**
 * SortedSetBuilder: makes a whole sorted set before anybody can see it: for RESTORE, loading, and commands that store.
 *
 *      begin ──► addMember ... ──┬──► put       a small one as a listpack, a large one as the structure that was built
 *                                └──► abandon
 *
 *  I1  Nothing of the sorted set is in the keyspace before `put`; after `put` or `abandon` the builder is empty again.
 *  I2  When `addMember` or `put` throws ArenaExhausted, `abandon` gives back what there is.
 */

import type { Database, Keyspace } from "../keyspace/keyspace.ts";
import type { ScoredMembers } from "./scored-members.ts";
import type { SortedSets } from "./sorted-sets.ts";

/** Whoever says how much will come may be wrong: room is not made for more than this in advance. */
const SIZE_HINT_MAX = 1 << 16;

export class SortedSetBuilder {
  private readonly keyspace: Keyspace;
  /** Who made `root`. */
  private sortedSets: SortedSets;
  private structure: ScoredMembers;
  private root: number;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
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
    this.root = this.structure.create();
    this.structure.table.expand(this.structure.tableOf(this.root), Math.min(sizeHint, SIZE_HINT_MAX));
  }

  /** False when the member is there already: nothing has changed then. Throws ArenaExhausted. hot path */
  addMember(member: Uint8Array, start: number, length: number, score: number): boolean {
    const { structure, root } = this;
    const hash = structure.hashOf(member, start, length);
    if (structure.find(root, hash, member, start, length) !== 0) return false;
    structure.insert(root, hash, score, member, start, length);
    return true;
  }

  /**
   * Gives the sorted set to a key, whatever it held. `expireAtMs`: ms since 1970 or NO_EXPIRY. Returns the record. At
   * least one member must be there. Throws ArenaExhausted: the sorted set is still the builder's.
   */
  put(database: Database, key: Uint8Array, keyStart: number, keyLength: number, expireAtMs: number): number {
    const record = this.sortedSets.store(database, key, keyStart, keyLength, this.root, expireAtMs);
    this.root = 0;
    return record;
  }

  /** Gives up what was made since `begin`. */
  abandon(): void {
    if (this.root !== 0) this.structure.destroy(this.root);
    this.root = 0;
  }
}
