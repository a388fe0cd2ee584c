/**
 * Active expiry: keys whose time is over go even when nobody asks for them.
 *
 *      expires table of a database   [chain][chain][chain] ...      a cursor walks round it, in scan order
 *                                            ▲ cursor
 *
 *  I1  A slice ends when `isOver` says so; the next one goes on where it stopped.
 *  I2  A pass over a database goes on while it finds many expired keys, and stops soon when it finds few.
 *
 * Source: the idea (look at some keys that expire, go on while more than a tenth of them are over) is the one that the
 * EXPIRE documentation describes; here the keys of whole chains are looked at, which costs fewer cache misses.
 */

import type { Keyspace } from "./keyspace.ts";

/** Chains between two looks at the clock. */
const CHAINS_PER_CHECK = 8;
/** Chains of one database that are looked at before the share of expired keys decides. */
const CHAINS_PER_PASS = 32;
/** A pass goes on while more than this share was over, at effort 1; each step of effort takes a hundredth off. */
const EXPIRED_SHARE_MIN = 0.1;

export class ExpiryCycle {
  isEnabled: boolean;
  /** active-expire-effort, 1 to 10: the higher, the fewer expired keys stay. */
  effort: number;
  /** Estimated share of keys that are over but still there, 0 to 1, as INFO's expired_stale_perc shows it. */
  staleShare: number;
  /** Slices that ended because their time was used up. */
  timeLimitHits: number;
  private readonly keyspace: Keyspace;
  private nextDatabase: number;
  private readonly seen: { records: number; expired: number; ttlMs: number };

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.isEnabled = true;
    this.effort = 1;
    this.staleShare = 0;
    this.timeLimitHits = 0;
    this.nextDatabase = 0;
    this.seen = { records: 0, expired: 0, ttlMs: 0 };
  }

  /** Looks for expired keys until `isOver`. Returns whether it stopped with more in sight. `keyspace.nowMs` is now. */
  slice(isOver: () => boolean): boolean {
    if (!this.isEnabled) return false;
    const databases = this.keyspace.databases;
    for (let count = 0; count < databases.length; count++) {
      const isDone = this.passDatabase(isOver);
      if (!isDone) {
        this.timeLimitHits++;
        return true;
      }
      this.nextDatabase = (this.nextDatabase + 1) % databases.length;
    }
    return false;
  }

  private passDatabase(isOver: () => boolean): boolean {
    const { keyspace, seen } = this;
    const database = keyspace.databases[this.nextDatabase]!;
    for (;;) {
      seen.records = 0;
      seen.expired = 0;
      seen.ttlMs = 0;
      for (let chain = 0; chain < CHAINS_PER_PASS; chain++) {
        if (keyspace.expiringCount(database) === 0) return true;
        keyspace.expireNext(database, seen);
        if (chain % CHAINS_PER_CHECK === CHAINS_PER_CHECK - 1 && isOver()) return false;
        if (database.expiryCursor === 0) break; // once round: a small table is not walked twice in a pass
      }
      if (seen.records > 0) {
        const left = seen.records - seen.expired;
        if (left > 0) database.averageTtlMs = mean(database.averageTtlMs, seen.ttlMs / left);
        this.staleShare = this.staleShare * 0.95 + (seen.expired / seen.records) * 0.05;
      }
      if (seen.expired <= seen.records * (EXPIRED_SHARE_MIN - (this.effort - 1) / 100)) return true;
    }
  }
}

/** A slowly moving mean that starts with its first value. */
function mean(before: number, value: number): number {
  return before === 0 ? value : before * 0.98 + value * 0.02;
}
