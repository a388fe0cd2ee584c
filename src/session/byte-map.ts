/**
 * Things that are found by a name of any bytes, without making a string of it: channels, patterns, keys that are waited for.
 *
 *      bytes ── hash ──► heads[hash & mask] ──► entry ── next ──► entry
 *
 *  I1  Names are unique. An entry is in one map at a time.
 *  I2  The hash is seeded: nobody who chooses names can put them all into one chain.
 */

import type { KeyHash } from "../core/sip-hash.ts";

const HEADS_MIN = 16;

/** What lies in a map; extend it. */
export class ByteEntry {
  readonly name: Uint8Array;
  hash: number;
  next: ByteEntry | undefined;

  /** `name` is kept: give a copy. */
  constructor(name: Uint8Array) {
    this.name = name;
    this.hash = 0;
    this.next = undefined;
  }
}

export class ByteMap<Entry extends ByteEntry> {
  private readonly hash: KeyHash;
  private heads: (ByteEntry | undefined)[];
  private count: number;

  constructor(hash: KeyHash) {
    this.hash = hash;
    this.heads = new Array<ByteEntry | undefined>(HEADS_MIN).fill(undefined);
    this.count = 0;
  }

  get size(): number {
    return this.count;
  }

  /** The entry named `bytes[start ... start+length)`. hot path */
  find(bytes: Uint8Array, start: number, length: number): Entry | undefined {
    if (this.count === 0) return undefined;
    const hash = this.hash.hash(bytes, start, length);
    for (let entry = this.heads[hash & (this.heads.length - 1)]; entry !== undefined; entry = entry.next) {
      if (entry.hash === hash && isSame(entry.name, bytes, start, length)) return entry as Entry;
    }
    return undefined;
  }

  /** `entry`'s name is not here yet. */
  add(entry: Entry): void {
    if (this.count === this.heads.length) this.grow();
    entry.hash = this.hash.hash(entry.name, 0, entry.name.length);
    this.link(entry);
    this.count++;
  }

  /** `entry` is here. */
  delete(entry: Entry): void {
    const slot = entry.hash & (this.heads.length - 1);
    let other = this.heads[slot];
    if (other === entry) {
      this.heads[slot] = entry.next;
    } else {
      while (other !== undefined && other.next !== entry) other = other.next;
      if (other === undefined) return;
      other.next = entry.next;
    }
    entry.next = undefined;
    this.count--;
  }

  /** All entries, in no order. */
  all(): Entry[] {
    const entries: Entry[] = [];
    for (const head of this.heads) {
      for (let entry = head; entry !== undefined; entry = entry.next) entries.push(entry as Entry);
    }
    return entries;
  }

  private link(entry: ByteEntry): void {
    const slot = entry.hash & (this.heads.length - 1);
    entry.next = this.heads[slot];
    this.heads[slot] = entry;
  }

  private grow(): void {
    const entries = this.all();
    this.heads = new Array<ByteEntry | undefined>(this.heads.length * 2).fill(undefined);
    for (const entry of entries) this.link(entry);
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index++) if (name[index] !== bytes[start + index]) return false;
  return true;
}
