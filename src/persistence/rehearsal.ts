/**
 * Rehearsal: a few small snapshots under writes, of a keyspace made for it, before the server serves.
 *
 *      scratch keyspace: strings, a large hash, a large sorted set ── writes ──┐
 *                                                                  └─ stream ──┴─► chunks, thrown away
 *
 *  I1  Nothing of the server's own data is touched, and nothing is left behind.
 *
 * The first BGSAVE would otherwise run new code at its slowest just when a server is busiest: every write then captures
 * a chain, and the code for writes, compiled while no snapshot ever ran, is thrown away and interpreted. That was a
 * stall of 10 ms with 50 clients; the rehearsal takes about a tenth of a second of the start.
 */

import type { Random } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { RdbEncoder } from "../history/formats/rdb-encoder.ts";
import { SnapshotStream } from "../history/snapshot/snapshot-stream.ts";
import { type Database, Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { HashBuilder } from "../store/values/hash-builder.ts";
import { SortedSetBuilder } from "../store/values/sorted-set-builder.ts";

const ROUND_COUNT = 3;
const KEY_COUNT = 6000;
/** More than a snapshot writes at once: these are written part by part. */
const ELEMENT_COUNT = 1500;
const WRITES_PER_SLICE = 16;
const HASH_KEY = new TextEncoder().encode("hash");
const SORTED_SET_KEY = new TextEncoder().encode("zset");

export function rehearseSnapshots(random: Random): void {
  const scratch = new Scratch(new Keyspace(new KeyHash(random.uint32(), random.uint32()), 1));
  for (let round = 0; round < ROUND_COUNT; round++) {
    const encoder = new RdbEncoder();
    const stream = new SnapshotStream(scratch.keyspace, encoder, { auxiliary: [], access: "none" }, (chunk) =>
      encoder.giveBack(chunk.buffer),
    );
    let isOver = false;
    while (!isOver) {
      for (let count = 0; count < WRITES_PER_SLICE; count++) scratch.write(random.uint32());
      isOver = stream.step(() => true);
    }
  }
}

/** The keyspace that is rehearsed with, and writes to it that take the ways of commands. */
class Scratch {
  readonly keyspace: Keyspace;
  private readonly database: Database;
  private readonly digits: Uint8Array;
  private readonly value: Uint8Array;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
    this.database = keyspace.databases[0]!;
    this.digits = new Uint8Array(12);
    this.value = new Uint8Array(24).fill(120);
    const { database, digits, value } = this;
    for (let number = 0; number < KEY_COUNT; number++) this.setString(number);
    const hash = new HashBuilder(keyspace);
    const sortedSet = new SortedSetBuilder(keyspace);
    hash.begin(ELEMENT_COUNT);
    sortedSet.begin(ELEMENT_COUNT);
    for (let number = 0; number < ELEMENT_COUNT; number++) {
      this.name(number);
      hash.addField(digits, 0, digits.length, value, 0, 5);
      sortedSet.addMember(digits, 0, digits.length, number);
    }
    hash.put(database, HASH_KEY, 0, HASH_KEY.length, NO_EXPIRY);
    sortedSet.put(database, SORTED_SET_KEY, 0, SORTED_SET_KEY.length, NO_EXPIRY);
  }

  write(chance: number): void {
    const kind = chance & 3;
    if (kind === 0) this.setField((chance >>> 2) % ELEMENT_COUNT);
    else if (kind === 1) this.setScore((chance >>> 2) % ELEMENT_COUNT, chance >>> 8);
    else this.setString((chance >>> 2) % KEY_COUNT);
  }

  private name(number: number): void {
    const { digits } = this;
    for (let place = digits.length - 1; place >= 0; place--) {
      digits[place] = 48 + (number % 10);
      number = Math.floor(number / 10);
    }
  }

  private setString(number: number): void {
    const { keyspace, database, digits, value } = this;
    this.name(number);
    keyspace.setString(database, digits, 0, digits.length, value, 0, 3 + (number % 20), NO_EXPIRY);
  }

  private setField(number: number): void {
    const { keyspace, database, digits, value } = this;
    this.name(number);
    const record = keyspace.lookupWrite(database, HASH_KEY, 0, HASH_KEY.length);
    keyspace.hashes.set(database, record, digits, 0, digits.length, value, 0, 3 + (number % 20));
  }

  private setScore(number: number, score: number): void {
    const { keyspace, database, digits } = this;
    const { sortedSets } = keyspace;
    this.name(number);
    const record = keyspace.lookupWrite(database, SORTED_SET_KEY, 0, SORTED_SET_KEY.length);
    if (!sortedSets.find(record, digits, 0, digits.length)) return;
    sortedSets.setScore(database, record, score, digits, 0, digits.length);
  }
}
