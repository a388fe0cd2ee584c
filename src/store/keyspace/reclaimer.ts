/**
 * Reclaimer: what nobody refers to any more, freed a few parts at a time in idle moments.
 *
 *      FLUSHDB             ──► [table, expires] ...           bucket by bucket, with the records in them
 *      DEL of a large one  ──► [structure, root] ...          part by part
 *                                     │
 *      reclaim() ◄────────────────────┘ the oldest first, until it is gone
 *
 *  I1  Of a database's two tables the first one owns the records; the other one names them once more.
 *  I2  Nothing is freed while a snapshot reads the arena.
 */

import { type HashTable, RecordList } from "../encodings/hash-table.ts";
import type { Structure } from "./structure.ts";

interface FlushedTable {
  readonly tables: HashTable;
  readonly table: number;
  readonly ownsRecords: boolean;
}

interface DeletedStructure {
  readonly structure: Structure;
  readonly root: number;
}

export class Reclaimer {
  private waiting: (FlushedTable | DeletedStructure)[];
  /** Of the first one: the bucket or part to go on with. */
  private next: number;
  private readonly chain: RecordList;

  constructor() {
    this.waiting = [];
    this.next = 0;
    this.chain = new RecordList();
  }

  /** Tables and values that wait to be freed. */
  get count(): number {
    return this.waiting.length;
  }

  /** Takes over a database's two tables. */
  addTables(tables: HashTable, table: number, expires: number): void {
    this.waiting.push({ tables, table, ownsRecords: true }, { tables, table: expires, ownsRecords: false });
  }

  /** Takes over a value whose record is gone. */
  addStructure(structure: Structure, root: number): void {
    this.waiting.push({ structure, root });
  }

  /** The arena is gone as a whole. */
  forget(): void {
    this.waiting = [];
    this.next = 0;
  }

  /** Frees up to `parts` parts, and each record in them by `freeRecord`; returns whether there is more. */
  reclaim(parts: number, freeRecord: (record: number) => void): boolean {
    const first = this.waiting[0];
    if (first === undefined) return false;
    if ("structure" in first) this.next = first.structure.freeParts(first.root, this.next, parts);
    else this.next = this.freeBuckets(first, parts, freeRecord);
    if (this.next === -1) {
      this.waiting.shift();
      this.next = 0;
    }
    return this.waiting.length > 0;
  }

  private freeBuckets(flushed: FlushedTable, parts: number, freeRecord: (record: number) => void): number {
    const { tables, table } = flushed;
    const buckets = tables.bucketCount(table);
    const end = Math.min(buckets, this.next + parts);
    for (let bucket = this.next; bucket < end; bucket++) {
      const home = tables.bucketAt(table, bucket);
      if (flushed.ownsRecords) {
        const count = tables.readChain(home, this.chain);
        for (let index = 0; index < count; index++) freeRecord(this.chain.records[index]!);
      }
      tables.freeOverflow(table, home);
    }
    if (end < buckets) return end;
    tables.destroyFrame(table);
    return -1;
  }
}
