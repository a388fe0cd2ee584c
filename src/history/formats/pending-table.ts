/**
 * The pending entries of one consumer group, to be looked up when its consumers name them.
 *
 *      ids         1-0      1-5      2-0        ascending, found by halving
 *      delivered   17…010   17…044   17…012
 *      counts      1        1        3
 *
 *  I1  Ids ascend: a file that has them otherwise is refused.
 *  I2  32 bytes an entry, and no object.
 */

import { PackedFault } from "./packed.ts";

const FIRST_CAPACITY = 64;

export class PendingTable {
  count: number;
  deliveredAtMs: Float64Array;
  deliveryCount: Float64Array;
  private ms: BigUint64Array;
  private sequence: BigUint64Array;

  constructor() {
    this.count = 0;
    this.deliveredAtMs = new Float64Array(FIRST_CAPACITY);
    this.deliveryCount = new Float64Array(FIRST_CAPACITY);
    this.ms = new BigUint64Array(FIRST_CAPACITY);
    this.sequence = new BigUint64Array(FIRST_CAPACITY);
  }

  clear(): void {
    this.count = 0;
  }

  /** Throws PackedFault when the id is not above the one before (I1). */
  add(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    const { count } = this;
    if (count > 0 && this.compare(count - 1, ms, sequence) >= 0) {
      throw new PackedFault("the pending entries of a group do not ascend");
    }
    if (count === this.ms.length) this.grow();
    this.ms[count] = ms;
    this.sequence[count] = sequence;
    this.deliveredAtMs[count] = deliveredAtMs;
    this.deliveryCount[count] = deliveryCount;
    this.count = count + 1;
  }

  /** Index of an id, -1 when it is not there. O(log n). */
  find(ms: bigint, sequence: bigint): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const order = this.compare(middle, ms, sequence);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private compare(index: number, ms: bigint, sequence: bigint): number {
    const ownMs = this.ms[index]!;
    if (ownMs !== ms) return ownMs < ms ? -1 : 1;
    const ownSequence = this.sequence[index]!;
    if (ownSequence === sequence) return 0;
    return ownSequence < sequence ? -1 : 1;
  }

  private grow(): void {
    const capacity = this.ms.length * 2;
    const { ms, sequence, deliveredAtMs, deliveryCount } = this;
    this.ms = new BigUint64Array(capacity);
    this.sequence = new BigUint64Array(capacity);
    this.deliveredAtMs = new Float64Array(capacity);
    this.deliveryCount = new Float64Array(capacity);
    this.ms.set(ms);
    this.sequence.set(sequence);
    this.deliveredAtMs.set(deliveredAtMs);
    this.deliveryCount.set(deliveryCount);
  }
}
