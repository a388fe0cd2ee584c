/**
 * Defragmenter: moves cells out of frames that are mostly empty, so that whole frames become free again.
 *
 *      frames   [x.......][xxxxxxx.][.x......][xxxxxxxx]      x = cell in use
 *                └──────────────► moved into fuller ones, then the frame is free for any size
 *
 *  I1  A moved record keeps key, value, time and access clock; only its address changes, in both tables.
 *  I2  Cells of whole frames (runs) are never moved: they leave nothing empty.
 *  I3  A slice ends when `isOver` says so; the next one goes on where it stopped.
 *
 * Source: directives activedefrag and active-defrag-*, as the Redis documentation describes them; the arena's frames
 * take the part of jemalloc's runs.
 */

import { RecordList } from "../encodings/hash-table.ts";
import type { Keyspace } from "./keyspace.ts";

const CHAINS_PER_CHECK = 8;
/** Cells move out of frames that are filled less than this. */
const FILL_MAX = 0.75;

export class Defragmenter {
  isEnabled: boolean;
  /** Waste below which nothing is moved: bytes, and percent of what is used. */
  ignoredBytes: number;
  thresholdPercent: number;
  /** Cells moved so far. */
  movedCells: number;
  /** A walk is under way, or was asked for. */
  isRunning: boolean;
  private readonly keyspace: Keyspace;
  private readonly chain: RecordList;
  private database: number;
  private bucket: number;

  constructor(keyspace: Keyspace) {
    this.isEnabled = false;
    this.ignoredBytes = 100 * 1024 * 1024;
    this.thresholdPercent = 10;
    this.movedCells = 0;
    this.isRunning = false;
    this.keyspace = keyspace;
    this.chain = new RecordList();
    this.database = 0;
    this.bucket = 0;
  }

  /** Whether there is enough waste to be worth a walk over all keys. */
  isWorthwhile(): boolean {
    const { usedBytes, activeBytes } = this.keyspace.arena.statistics();
    const wastedBytes = activeBytes - usedBytes;
    return wastedBytes > this.ignoredBytes && wastedBytes * 100 > usedBytes * this.thresholdPercent;
  }

  /** Moves cells until `isOver` or until all keys were visited once; true when there is more to visit. */
  slice(isOver: () => boolean): boolean {
    const { keyspace, chain } = this;
    this.isRunning = true;
    for (let count = 1; ; count++) {
      const database = keyspace.databases[this.database];
      if (database === undefined) break;
      const tables = keyspace.tables;
      if (this.bucket >= tables.bucketCount(database.table)) {
        this.database++;
        this.bucket = 0;
        continue;
      }
      const found = tables.readChain(tables.bucketAt(database.table, this.bucket++), chain);
      for (let index = 0; index < found; index++) {
        this.movedCells += keyspace.relocate(database, chain.records[index]!, FILL_MAX);
      }
      if (count % CHAINS_PER_CHECK === 0 && isOver()) return true;
    }
    this.database = 0;
    this.bucket = 0;
    this.isRunning = false;
    return false;
  }
}
