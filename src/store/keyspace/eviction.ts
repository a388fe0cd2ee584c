/**
 * Eviction: which key goes when memory is short.
 *
 *      policy     allkeys-lru   allkeys-lfu   allkeys-random          candidates: all keys
 *                 volatile-lru  volatile-lfu  volatile-random         candidates: keys that expire
 *                 volatile-ttl                                        ... the one that expires first
 *
 *      pool       the best candidates of earlier samples, worst to best; each round adds `samples` keys of each
 *                 database and takes the best one that is still there
 *
 *  I1  A pool entry holds a copy of the key: records may have moved or gone since it was sampled.
 *  I2  Keys without an expiry time are never evicted under a volatile policy.
 *
 * Source: the approximated LRU and LFU that the Redis documentation on key eviction describes.
 */

import { RecordList } from "../encodings/hash-table.ts";
import type { Database, Keyspace } from "./keyspace.ts";

/** All values of maxmemory-policy. */
export const EVICTION_POLICIES = [
  "noeviction",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

const POOL_MAX = 16;

interface Candidate {
  readonly database: Database;
  readonly key: Uint8Array;
  /** The higher, the sooner it goes. */
  readonly score: number;
}

export class Eviction {
  policy: EvictionPolicy;
  /** maxmemory-samples */
  samples: number;
  private readonly keyspace: Keyspace;
  private readonly random: () => number;
  private readonly chain: RecordList;
  private pool: Candidate[];
  private nextDatabase: number;

  /** `random` gives whole numbers below 2^32. */
  constructor(keyspace: Keyspace, random: () => number) {
    this.policy = "noeviction";
    this.samples = 5;
    this.keyspace = keyspace;
    this.random = random;
    this.chain = new RecordList();
    this.pool = [];
    this.nextDatabase = 0;
  }

  setPolicy(policy: EvictionPolicy): void {
    this.policy = policy;
    this.pool = [];
    this.keyspace.clock.isFrequency = policy.endsWith("-lfu");
  }

  /** Evicts one key; false when there is none that may go. */
  evictOne(): boolean {
    if (this.policy === "noeviction") return false;
    return this.policy.endsWith("-random") ? this.evictRandom() : this.evictBest();
  }

  private evictRandom(): boolean {
    const databases = this.keyspace.databases;
    for (let count = 0; count < databases.length; count++) {
      this.nextDatabase = (this.nextDatabase + 1) % databases.length;
      const database = databases[this.nextDatabase]!;
      const record = this.keyspace.tables.pick(this.candidates(database), this.random);
      if (record === 0) continue;
      this.keyspace.evict(database, record);
      return true;
    }
    return false;
  }

  private evictBest(): boolean {
    for (;;) {
      let hasCandidates = false;
      for (const database of this.keyspace.databases) {
        if (this.keyspace.tables.count(this.candidates(database)) === 0) continue;
        hasCandidates = true;
        this.sample(database);
      }
      if (!hasCandidates) return false;
      for (;;) {
        const candidate = this.pool.pop();
        if (candidate === undefined) break;
        const { database, key } = candidate;
        const record = this.keyspace.lookupSilently(database, key);
        if (record === 0) continue; // gone since it was sampled
        if (this.policy.startsWith("volatile-") && this.keyspace.records.expireAtMs(record) < 0) continue;
        this.keyspace.evict(database, record);
        return true;
      }
    }
  }

  private candidates(database: Database): number {
    return this.policy.startsWith("volatile-") ? database.expires : database.table;
  }

  /** Adds the records of chains by chance to the pool until `samples` of them were looked at. */
  private sample(database: Database): void {
    const tables = this.keyspace.tables;
    const table = this.candidates(database);
    const buckets = tables.bucketCount(table);
    let seen = 0;
    for (let attempt = 0; attempt < this.samples * 10 && seen < this.samples; attempt++) {
      const count = tables.readChain(tables.bucketAt(table, this.random() % buckets), this.chain);
      if (count === 0) continue;
      // A chain's records are neighbours by hash alone: as good as any others. Begun anywhere, or its last places
      // would never be looked at when it is longer than a sample.
      const first = this.random() % count;
      for (let index = 0; index < count && seen < this.samples; index++) {
        this.offer(database, this.chain.records[(first + index) % count]!);
        seen++;
      }
    }
    if (seen > 0) return;
    const record = tables.pick(table, this.random);
    if (record !== 0) this.offer(database, record);
  }

  private offer(database: Database, record: number): void {
    const score = this.score(record);
    const pool = this.pool;
    if (pool.length === POOL_MAX && score <= pool[0]!.score) return;
    let place = pool.length;
    while (place > 0 && pool[place - 1]!.score > score) place--;
    pool.splice(place, 0, { database, key: this.keyspace.records.key(record), score });
    if (pool.length > POOL_MAX) pool.shift();
  }

  private score(record: number): number {
    const { records, clock } = this.keyspace;
    if (this.policy === "volatile-ttl") return -records.expireAtMs(record);
    const access = records.access(record);
    return clock.isFrequency ? 255 - clock.decayed(access) : clock.idleSeconds(access);
  }
}
