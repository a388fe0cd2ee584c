/**
 * NameTable: counts by name, for names that come as bytes and by the million.
 *
 *      slots     [index + 1 │ 0 = free]...        found by hash, then along
 *      names     [bytes]...    hashes  counts  bytes  extra          one of each per name, in the order of their coming
 *
 *  I1  Nothing is created for a name that is there already.
 *  I2  At most `namesMax` names are kept: when they are more, the half that holds fewer bytes goes into "others".
 */

/** What was counted under one name. */
export interface NameCount {
  readonly name: Uint8Array;
  readonly count: number;
  readonly bytes: number;
  /** A third number, whose meaning is the caller's. */
  readonly extra: number;
}

const SLOTS_MIN = 256;

export class NameTable {
  /** What was counted under names that were given up (I2). */
  othersCount: number;
  othersBytes: number;
  othersExtra: number;
  private readonly namesMax: number;
  private names: Uint8Array[];
  private hashes: number[];
  private counts: number[];
  private byteCounts: number[];
  private extras: number[];
  private slots: Int32Array;

  constructor(namesMax: number) {
    this.othersCount = 0;
    this.othersBytes = 0;
    this.othersExtra = 0;
    this.namesMax = namesMax;
    this.names = [];
    this.hashes = [];
    this.counts = [];
    this.byteCounts = [];
    this.extras = [];
    this.slots = new Int32Array(SLOTS_MIN);
  }

  get size(): number {
    return this.names.length;
  }

  /** Counts one thing of `bytes` bytes under the name `source[start ... start + length)`. hot path */
  add(source: Uint8Array, start: number, length: number, bytes: number, extra: number): void {
    const hash = hashOf(source, start, length);
    const index = this.find(source, start, length, hash);
    this.counts[index]! += 1;
    this.byteCounts[index]! += bytes;
    this.extras[index]! += extra;
  }

  private find(source: Uint8Array, start: number, length: number, hash: number): number {
    const { slots, names, hashes } = this;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = slots[slot]! - 1;
      if (index === -1) break;
      if (hashes[index] !== hash) continue;
      const name = names[index]!;
      if (name.length !== length) continue;
      let at = 0;
      while (at < length && name[at] === source[start + at]) at++;
      if (at === length) return index;
    }
    return this.insert(source.slice(start, start + length), hash);
  }

  private insert(name: Uint8Array, hash: number): number {
    if (this.names.length >= this.namesMax) this.giveUpHalf();
    this.names.push(name);
    this.hashes.push(hash);
    this.counts.push(0);
    this.byteCounts.push(0);
    this.extras.push(0);
    if (this.names.length * 2 > this.slots.length) this.placeAll(this.slots.length * 2);
    else this.place(this.names.length - 1);
    return this.names.length - 1;
  }

  private place(index: number): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = this.hashes[index]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = index + 1;
  }

  private placeAll(slotCount: number): void {
    this.slots = new Int32Array(slotCount);
    for (let index = 0; index < this.names.length; index++) this.place(index);
  }

  /** Keeps the half that holds more (I2). */
  private giveUpHalf(): void {
    const { names, hashes, counts, byteCounts, extras } = this;
    const order = names.map((_, index) => index).sort((a, b) => byteCounts[b]! - byteCounts[a]!);
    const kept = order.slice(0, order.length >> 1);
    for (const index of order.slice(order.length >> 1)) {
      this.othersCount += counts[index]!;
      this.othersBytes += byteCounts[index]!;
      this.othersExtra += extras[index]!;
    }
    this.names = kept.map((index) => names[index]!);
    this.hashes = kept.map((index) => hashes[index]!);
    this.counts = kept.map((index) => counts[index]!);
    this.byteCounts = kept.map((index) => byteCounts[index]!);
    this.extras = kept.map((index) => extras[index]!);
    this.placeAll(this.slots.length);
  }

  /** All names, unordered. */
  entries(): NameCount[] {
    const { names, counts, byteCounts, extras } = this;
    return names.map((name, index) => ({
      name,
      count: counts[index]!,
      bytes: byteCounts[index]!,
      extra: extras[index]!,
    }));
  }
}

/** FNV-1a: names are short, and nobody gains by making them collide here. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5 | 0;
  const end = start + length;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash ^ (hash >>> 15);
}
