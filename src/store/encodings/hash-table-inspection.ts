/** What a table is like inside: for MEMORY, DEBUG HTSTATS and tests. No part of any command on keys. */

import { assert } from "../../core/assert.ts";
import { SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import type { HashTable } from "./hash-table.ts";
import {
  BUCKET_BYTES,
  COUNT,
  DIRECTION,
  GROWING,
  HEADER_BYTES,
  LINK_SLOT,
  LINK_TAG,
  MASK,
  OVERFLOW,
  RESTING,
  SLOT_WORD,
  SLOTS,
  SPLIT,
  tagOf,
} from "./hash-table-layout.ts";
import { RecordList } from "./record-list.ts";

export interface TableStatistics {
  readonly records: number;
  readonly buckets: number;
  readonly overflowBuckets: number;
  readonly direction: "resting" | "growing" | "shrinking";
  /** Share of the current round that is done, 0 to 1. */
  readonly progress: number;
  readonly bytes: number;
}

/** Size, shape and progress of a table. */
export function tableStatistics(tables: HashTable, table: number): TableStatistics {
  const words = tables.arena.words[table >>> SEGMENT_SHIFT]!;
  const at = (table & UNIT_MASK) << 1;
  const buckets = tables.bucketCount(table);
  const round = words[at + MASK]! + 1;
  const split = words[at + SPLIT]!;
  const direction = words[at + DIRECTION]!;
  // While it grows or shrinks, the upper half's extent is there as a whole.
  const reserved = direction === RESTING ? round : 2 * round;
  return {
    records: words[at + COUNT]!,
    buckets,
    overflowBuckets: words[at + OVERFLOW]!,
    direction: direction === RESTING ? "resting" : direction === GROWING ? "growing" : "shrinking",
    progress: direction === RESTING ? 1 : direction === GROWING ? split / round : 1 - split / round,
    bytes: HEADER_BYTES + (reserved + words[at + OVERFLOW]!) * BUCKET_BYTES,
  };
}

/** How many chains have 0, 1, 2, ... records. */
export function chainLengths(tables: HashTable, table: number): number[] {
  const lengths: number[] = [];
  const list = new RecordList();
  const buckets = tables.bucketCount(table);
  for (let index = 0; index < buckets; index++) {
    const count = tables.readChain(tables.bucketAt(table, index), list);
    while (lengths.length <= count) lengths.push(0);
    lengths[count]!++;
  }
  return lengths;
}

/** Walks the whole table and asserts I1 to I3 of hash-table.ts. */
export function verifyTable(tables: HashTable, table: number): void {
  let records = 0;
  let overflow = 0;
  const buckets = tables.bucketCount(table);
  for (let index = 0; index < buckets; index++) {
    const home = tables.bucketAt(table, index);
    let bucket = home;
    for (;;) {
      const words = tables.arena.words[bucket >>> SEGMENT_SHIFT]!;
      const at = (bucket & UNIT_MASK) << 1;
      const hasLink = words[at + 2]! >>> 24 === LINK_TAG;
      assert(bucket === home || !isEmpty(tables, bucket), "I3: an overflow bucket is empty");
      for (let slot = 0; slot < (hasLink ? LINK_SLOT : SLOTS); slot++) {
        const tag = tables.arena.bytes[bucket >>> SEGMENT_SHIFT]![((bucket & UNIT_MASK) << 3) + slot]!;
        assert(tag !== LINK_TAG, "a link stands where none may be");
        if (tag === 0) {
          assert(!hasLink, "I3: a bucket with a link has an empty place");
          continue;
        }
        const hash = tables.hashOf(words[at + SLOT_WORD + slot]!);
        assert(tag === tagOf(hash), "a tag does not fit its record");
        assert(tables.homeOf(table, hash) === home, "I1: a record stands in the wrong chain");
        records++;
      }
      if (!hasLink) break;
      bucket = words[at + SLOT_WORD + LINK_SLOT]!;
      overflow++;
    }
  }
  const words = tables.arena.words[table >>> SEGMENT_SHIFT]!;
  const at = (table & UNIT_MASK) << 1;
  assert(records === words[at + COUNT]!, "the count is not that of the records");
  assert(overflow === words[at + OVERFLOW]!, "the count of overflow buckets is wrong");
}

function isEmpty(tables: HashTable, bucket: number): boolean {
  const words = tables.arena.words[bucket >>> SEGMENT_SHIFT]!;
  const at = (bucket & UNIT_MASK) << 1;
  return (words[at]! | words[at + 1]! | words[at + 2]!) === 0;
}
