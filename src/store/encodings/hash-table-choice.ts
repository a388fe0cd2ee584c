/** Choice by chance from a table that is nearly empty, where single tries find nothing. */

import { type HashTable, RecordList } from "./hash-table.ts";

/** A record of the first chain that has any, from a bucket by chance on; 0 when there is none. Sets the registers as `find`. */
export function pickByWalk(tables: HashTable, table: number, random: () => number): number {
  const buckets = tables.bucketCount(table);
  const first = random() % buckets;
  const list = new RecordList();
  for (let step = 0; step < buckets; step++) {
    const found = tables.readChain(tables.bucketAt(table, (first + step) % buckets), list);
    if (found === 0) continue;
    const record = list.records[random() % found]!;
    tables.locate(table, tables.hashOf(record), record);
    return record;
  }
  return 0;
}
