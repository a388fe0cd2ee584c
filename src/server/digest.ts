/**
 * DEBUG DIGEST: 40 hexadecimal digits that are the same for equal data, here and in the real server.
 *
 *      add(x)   state = state XOR sha1(x)                     order does not matter
 *      mix(x)   add(x), then state = sha1(state)              order matters
 *
 *      key      mix(name), mix(type, 4 bytes, highest first), value, add("!!expire!!") when it expires
 *      whole    for each database that has keys: mix(its number, 4 bytes, highest first), then add(digest of each key)
 *      string   mix(its bytes; of an "int" its digits)
 *      list     mix(each element), from the head on
 *      set      for each member: add(member)
 *      hash     for each field: add(mix(field), mix(value))
 *      zset     for each member: add(mix(member), mix(score with 17 digits))
 *      stream   for each entry: mix(id as "ms.sequence"), then mix(name), mix(value) of each pair
 *
 *  I1  When a key expires is not part of the digest, only whether it does.
 *  I2  The walk needs no order of keys and no memory that grows with them.
 *  Source: behaviour of redis-server 7.0, compared in debug.differential.test.ts.
 */

import { formatSeventeenDigits } from "../core/seventeen-digits.ts";
import { SHA1_BYTES, Sha1 } from "../core/sha1.ts";
import { RecordList } from "../store/encodings/hash-table.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET } from "../store/keyspace/record.ts";
import { fillId, idText, makeId } from "../store/values/stream-id.ts";

const EXPIRES_MARK = new TextEncoder().encode("!!expire!!");

/** A digest that is being made. */
export class Digest {
  readonly state: Uint8Array;
  private readonly sha1: Sha1;
  private readonly scratch: Uint8Array;
  private readonly word: Uint8Array;

  constructor(sha1: Sha1) {
    this.state = new Uint8Array(SHA1_BYTES);
    this.sha1 = sha1;
    this.scratch = new Uint8Array(SHA1_BYTES);
    this.word = new Uint8Array(4);
  }

  reset(): void {
    this.state.fill(0);
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    const { state, scratch } = this;
    this.sha1.hash(bytes, start, length, scratch, 0);
    for (let index = 0; index < SHA1_BYTES; index++) state[index]! ^= scratch[index]!;
  }

  mix(bytes: Uint8Array, start: number, length: number): void {
    this.add(bytes, start, length);
    this.sha1.hash(this.state, 0, SHA1_BYTES, this.state, 0);
  }

  /** Mixes a whole number as 4 bytes, highest first. */
  mixWord(value: number): void {
    const word = this.word;
    word[0] = value >>> 24;
    word[1] = value >>> 16;
    word[2] = value >>> 8;
    word[3] = value;
    this.mix(word, 0, 4);
  }

  toString(): string {
    return Buffer.from(this.state).toString("hex");
  }
}

type ValueDigest = (keyspace: Keyspace, record: number, digest: Digest) => void;

/** How each type's value goes into a digest, by type number. A new type adds its function here. */
const VALUES: Readonly<Record<number, ValueDigest>> = {
  [TYPE_STRING]: mixString,
  [TYPE_LIST]: mixList,
  [TYPE_SET]: addSet,
  [TYPE_HASH]: addHash,
  [TYPE_ZSET]: addSortedSet,
  [TYPE_STREAM]: mixStream,
};

function mixString(keyspace: Keyspace, record: number, digest: Digest): void {
  keyspace.readValue(record);
  digest.mix(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
}

function mixList(keyspace: Keyspace, record: number, digest: Digest): void {
  const { lists } = keyspace;
  lists.seek(record, 0);
  do {
    lists.read();
    digest.mix(lists.valueBytes, lists.valueStart, lists.valueLength);
  } while (lists.next());
}

function addSet(keyspace: Keyspace, record: number, digest: Digest): void {
  const { sets } = keyspace;
  sets.startWalk(record);
  while (sets.next()) digest.add(sets.valueBytes, sets.valueStart, sets.valueLength);
}

function addHash(keyspace: Keyspace, record: number, digest: Digest): void {
  const { hashes } = keyspace;
  const pair = new Digest(new Sha1());
  hashes.startWalk(record);
  while (hashes.next()) {
    pair.reset();
    pair.mix(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
    pair.mix(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
    digest.add(pair.state, 0, SHA1_BYTES);
  }
}

function addSortedSet(keyspace: Keyspace, record: number, digest: Digest): void {
  const sets = keyspace.sortedSets;
  const member = new Digest(new Sha1());
  for (let isThere = sets.seek(record, 0); isThere; isThere = sets.next()) {
    member.reset();
    member.mix(sets.valueBytes, sets.valueStart, sets.valueLength);
    const score = Buffer.from(formatSeventeenDigits(sets.memberScore()));
    member.mix(score, 0, score.length);
    digest.add(member.state, 0, SHA1_BYTES);
  }
}

function mixStream(keyspace: Keyspace, record: number, digest: Digest): void {
  const { streams } = keyspace;
  const { cursor } = streams;
  const greatest = makeId();
  fillId(greatest, true);
  cursor.begin(streams.rootOf(record), makeId(), greatest, false);
  while (cursor.next()) {
    // Between the halves of an id stands a point here.
    const id = Buffer.from(idText(cursor.id).replace("-", "."));
    digest.mix(id, 0, id.length);
    while (cursor.nextPair()) {
      const { names, values } = cursor;
      digest.mix(names.valueBytes, names.valueStart, names.valueLength);
      digest.mix(values.valueBytes, values.valueStart, values.valueLength);
    }
  }
}

function mixValue(keyspace: Keyspace, record: number, digest: Digest): void {
  const { records } = keyspace;
  const type = records.type(record);
  digest.mixWord(type);
  const value = VALUES[type];
  if (value === undefined) throw new Error(`the digest of type ${type} is not known`);
  value(keyspace, record, digest);
  if (records.expireAtMs(record) >= 0) digest.add(EXPIRES_MARK, 0, EXPIRES_MARK.length);
}

/** The digest of everything. Cost: a few microseconds a key, all at once. */
export function digestOfAll(keyspace: Keyspace): string {
  const sha1 = new Sha1();
  const whole = new Digest(sha1);
  const one = new Digest(sha1);
  const chain = new RecordList();
  const { records, tables } = keyspace;
  for (const database of keyspace.databases) {
    if (keyspace.keyCount(database) === 0) continue;
    whole.mixWord(database.index);
    const buckets = tables.bucketCount(database.table);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const count = tables.readChain(tables.bucketAt(database.table, bucket), chain);
      for (let index = 0; index < count; index++) {
        const record = chain.records[index]!;
        one.reset();
        one.mix(records.view(record), records.keyStart(record), records.keyLength(record));
        mixValue(keyspace, record, one);
        whole.add(one.state, 0, SHA1_BYTES);
      }
    }
  }
  return whole.toString();
}

/** The digest of one value without its key; zeros for record 0, a key that is not there. */
export function digestOfValue(keyspace: Keyspace, record: number): string {
  const digest = new Digest(new Sha1());
  if (record !== 0) mixValue(keyspace, record, digest);
  return digest.toString();
}
