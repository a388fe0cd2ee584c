/** One numbered database of a keyspace: the addresses of its two tables and where expiry stands in it. */

import type { HashTable } from "../encodings/hash-table.ts";

export class Database {
  readonly index: number;
  /** Address of the table of all keys. */
  table: number;
  /** Address of the table of the keys that expire. */
  expires: number;
  /** Where the expiry cycle goes on. */
  expiryCursor: number;
  /** Running mean of the time to live of keys that were looked at, ms; 0 when unknown. */
  averageTtlMs: number;

  constructor(index: number, tables: HashTable) {
    this.index = index;
    this.table = tables.create();
    this.expires = tables.create();
    this.expiryCursor = 0;
    this.averageTtlMs = 0;
  }
}

/** Counters that INFO shows and CONFIG RESETSTAT clears. */
export class KeyspaceStatistics {
  hits = 0;
  misses = 0;
  expiredKeys = 0;
  evictedKeys = 0;
}
