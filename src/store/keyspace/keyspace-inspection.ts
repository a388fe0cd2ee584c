/** Walks a keyspace and asserts the invariants of its arena, tables and records: for tests and DEBUG. */

import { assert } from "../../core/assert.ts";
import { RecordList } from "../encodings/hash-table.ts";
import type { Keyspace } from "./keyspace.ts";
import { extentSlack, RECORD_EXPIRES } from "./record.ts";

export function verifyKeyspace(keyspace: Keyspace): void {
  const chain = new RecordList();
  keyspace.arena.verify();
  for (const database of keyspace.databases) {
    keyspace.tables.verify(database.table);
    keyspace.tables.verify(database.expires);
    let expiring = 0;
    const buckets = keyspace.tables.bucketCount(database.table);
    for (let index = 0; index < buckets; index++) {
      const count = keyspace.tables.readChain(keyspace.tables.bucketAt(database.table, index), chain);
      for (let each = 0; each < count; each++) {
        const record = chain.records[each]!;
        const { records } = keyspace;
        if (records.isStructure(record)) {
          keyspace.structureOf(records.type(record)).verify(records.externalAddress(record));
        } else if (records.flags(record) < 0) {
          const bytes = extentSlack(records.extent(record)) + records.valueLength(record);
          assert(bytes <= keyspace.arena.capacity(records.externalAddress(record)), "a value ends within its cell");
        }
        if ((keyspace.records.flags(record) & RECORD_EXPIRES) === 0) continue;
        expiring++;
        assert(
          keyspace.tables.locate(database.expires, keyspace.tables.hashOf(record), record),
          "I1: a record with EXPIRES is not in the table of those that expire",
        );
      }
    }
    assert(expiring === keyspace.tables.count(database.expires), "I1: the table of those that expire holds others");
  }
}
