/**
 * What the hash table must know of its entries: where each keeps its key. There is one HashTable object per form of entry.
 *
 *      RECORD   a key of the keyspace                see keyspace/record.ts
 *      FIELD    a field of a hash                    [length and flags: 4][value length: 1][field][value]
 *                                          EXTERNAL  [length and flags: 4][value's cell: 4][value length: 4][field]
 *      members of sets and sorted sets               see member-table.ts
 *
 *  I1  `words[lengthWord]` of an entry holds the key's length in 30 bits; what the upper two mean is the layout's.
 *  I2  The key begins `keyOffset[upper two bits]` bytes behind the entry's start.
 */

import { KEY_OFFSET } from "../keyspace/record.ts";

export interface EntryLayout {
  readonly lengthWord: number;
  readonly keyOffset: Uint8Array;
}

export const RECORD_LAYOUT: EntryLayout = { lengthWord: 1, keyOffset: KEY_OFFSET };
export const FIELD_LAYOUT: EntryLayout = { lengthWord: 0, keyOffset: Uint8Array.of(5, 5, 12, 12) };

/** Flag of a FIELD whose value has a cell of its own. */
export const FIELD_EXTERNAL = 1 << 31;
