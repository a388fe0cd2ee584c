/**
 * What FLUSHDB leaves behind: tables that no database has any more, freed bucket by bucket in idle moments.
 *
 *      flush ──► [table, expires][table, expires] ...      reclaim() ──► a few buckets of the first, until it is gone
 *
 *  I1  Of a database's two tables the first one owns the records; the other one names them once more.
 *  I2  Nothing is freed while a snapshot reads the tables.
 */

import { type HashTable, RecordList } from "../encodings/hash-table.ts";

interface Flushed {
  readonly tables: HashTable;
  readonly table: number;
  readonly ownsRecords: boolean;
  nextBucket: number;
}

export class FlushedTables {
  private waiting: Flushed[];
  private readonly chain: RecordList;

  constructor() {
    this.waiting = [];
    this.chain = new RecordList();
  }

  /** Tables that wait to be freed. */
  get count(): number {
    return this.waiting.length;
  }

  /** Takes over a database's two tables. */
  add(tables: HashTable, table: number, expires: number): void {
    this.waiting.push(
      { tables, table, ownsRecords: true, nextBucket: 0 },
      { tables, table: expires, ownsRecords: false, nextBucket: 0 },
    );
  }

  /** Their arena is gone as a whole. */
  forget(): void {
    this.waiting = [];
  }

  /** Frees up to `buckets` buckets, and each record in them by `freeRecord`; returns whether there is more. */
  reclaim(buckets: number, freeRecord: (record: number) => void): boolean {
    const next = this.waiting[0];
    if (next === undefined) return false;
    const tables = next.tables;
    if (tables.snapshotId !== 0) return true; // I2
    const end = Math.min(tables.bucketCount(next.table), next.nextBucket + buckets);
    for (; next.nextBucket < end; next.nextBucket++) {
      const home = tables.bucketAt(next.table, next.nextBucket);
      if (next.ownsRecords) {
        const count = tables.readChain(home, this.chain);
        for (let index = 0; index < count; index++) freeRecord(this.chain.records[index]!);
      }
      tables.freeOverflow(next.table, home);
    }
    if (end === tables.bucketCount(next.table)) {
      tables.destroyFrame(next.table);
      this.waiting.shift();
    }
    return this.waiting.length > 0;
  }
}
