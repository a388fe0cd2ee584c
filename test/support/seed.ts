/**
 * Seeds of random tests, and the small generator that runs on them.
 *
 *      npm test -- --seed N ──► EVERKEY_TEST_SEED ──► freshSeed() ──► SeededRandom ──► the same choices again
 *
 *  I1  The same seed gives the same choices on every machine and every Node.
 *  Source: the mixing step is the public-domain "mulberry32" (one 32-bit counter, two multiplications).
 */

/** The seed that was asked for (whole number from EVERKEY_TEST_SEED), else a new one. Print what you use. */
export function freshSeed(): number {
  const asked = process.env.EVERKEY_TEST_SEED;
  if (asked !== undefined && asked !== "") {
    const seed = Number(asked);
    if (!Number.isInteger(seed)) throw new Error(`EVERKEY_TEST_SEED is not a whole number: ${asked}`);
    return seed >>> 0;
  }
  return Math.floor(Math.random() * 0x1_0000_0000);
}

/** A seed for the test `name`, printed at once: for tests that do not name it in every message. */
export function printedSeed(name: string): number {
  const seed = freshSeed();
  console.log(`${name}: EVERKEY_TEST_SEED=${seed}`);
  return seed;
}

export class SeededRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor((this.uint32() / 0x1_0000_0000) * limit);
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with `probability` (0 to 1). */
  chance(probability: number): boolean {
    return this.uint32() / 0x1_0000_0000 < probability;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A copy of `items` in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const copy = items.slice();
    for (let index = copy.length - 1; index > 0; index--) {
      const other = this.below(index + 1);
      [copy[index], copy[other]] = [copy[other]!, copy[index]!];
    }
    return copy;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let index = 0; index < length; index++) bytes[index] = this.below(256);
    return bytes;
  }
}
