/**
 * HalfSipHash-1-3: 32-bit hashes of keys that a client cannot steer into one bucket without knowing the seed.
 *
 *      v0 v1 v2 v3  ◄── seed      per 4 bytes: v3 ^= m, one round, v0 ^= m      at the end: v2 ^= ff, three rounds
 *
 *  I1  Equal bytes under equal seeds give equal hashes; the length counts.
 *  Source: HalfSipHash (J.-P. Aumasson, D. J. Bernstein), one compression round and three final ones.
 */

export class KeyHash {
  private readonly seedLow: number;
  private readonly seedHigh: number;

  /** `seedLow`, `seedHigh`: 32 random bits each. */
  constructor(seedLow: number, seedHigh: number) {
    this.seedLow = seedLow | 0;
    this.seedHigh = seedHigh | 0;
  }

  /** The hash of `bytes[start ... start+length)` as a signed 32-bit number. Allocates nothing. hot path */
  hash(bytes: Uint8Array, start: number, length: number): number {
    let v0 = this.seedLow;
    let v1 = this.seedHigh;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    const wordEnd = start + (length & ~3);
    let at = start;
    let word = 0;
    // One pass more than there are whole words: the last one takes the rest and the length.
    while (true) {
      const isLast = at >= wordEnd;
      if (isLast) {
        word = length << 24;
        const rest = length & 3;
        if (rest > 0) word |= bytes[at]!;
        if (rest > 1) word |= bytes[at + 1]! << 8;
        if (rest > 2) word |= bytes[at + 2]! << 16;
      } else {
        word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (isLast) break;
      at += 4;
    }
    v2 ^= 0xff;
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    return v1 ^ v3;
  }
}
