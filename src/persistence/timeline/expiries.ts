/**
 * Keys of a past moment that expire: their time may be over by now, and whoever loads the state does without them.
 *
 *      moment ──── key's time ──── now            keep: as it was    shift: + (now - moment)    none: for ever
 *
 *  I1  `keep` changes nothing; `shift` leaves each key the time that it had left at the moment.
 */

import { RecordList } from "../../store/encodings/hash-table.ts";
import { type Database, type Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.ts";

export type ExpiryChoice = "keep" | "shift" | "none";

export interface ExpiryCount {
  readonly expiringKeys: number;
  /** Those whose time is over at `nowMs`. */
  readonly overKeys: number;
}

export function countExpiries(keyspace: Keyspace, nowMs: number): ExpiryCount {
  let expiringKeys = 0;
  let overKeys = 0;
  eachExpiring(keyspace, (_, record) => {
    expiringKeys++;
    if (keyspace.records.expireAtMs(record) < nowMs) overKeys++;
  });
  return { expiringKeys, overKeys };
}

/** Changes the times of all keys that expire. `shiftMs`: how long the moment is ago. Throws ArenaExhausted. */
export function changeExpiries(keyspace: Keyspace, choice: ExpiryChoice, shiftMs: number): void {
  if (choice === "keep") return;
  const wasReplaying = keyspace.isReplaying;
  keyspace.isReplaying = true;
  try {
    eachExpiring(keyspace, (database, record) => {
      const key = keyspace.records.key(record);
      const found = keyspace.lookupWrite(database, key, 0, key.length);
      const expireAtMs = keyspace.records.expireAtMs(found);
      keyspace.setExpiry(database, found, choice === "none" ? NO_EXPIRY : expireAtMs + shiftMs);
    });
  } finally {
    keyspace.isReplaying = wasReplaying;
  }
}

/** `change` may give the key another expiry, or none: the table that is walked is that of all keys, which stays. */
function eachExpiring(keyspace: Keyspace, change: (database: Database, record: number) => void): void {
  const { tables, records } = keyspace;
  const chain = new RecordList();
  for (const database of keyspace.databases) {
    if (keyspace.expiringCount(database) === 0) continue;
    const bucketCount = tables.bucketCount(database.table);
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const count = tables.readChain(tables.bucketAt(database.table, bucket), chain);
      for (let index = 0; index < count; index++) {
        const record = chain.records[index]!;
        if (records.expireAtMs(record) >= 0) change(database, record);
      }
    }
  }
}
