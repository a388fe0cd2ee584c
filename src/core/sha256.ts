/**
 * SHA-256: 32 bytes that stand for any number of others. For passwords of users, which are long random ones or worthless.
 *
 *      message │ 0x80 │ zeros │ length in bits, 8 bytes     in blocks of 64 bytes, 64 steps each
 *
 *  I1  The constants are the first 32 bits of the fractions of cube and square roots of the first primes: they are
 *      computed, and the test vectors show them right.
 *  Source: FIPS 180-4.
 */

const BLOCK_BYTES = 64;
const STEPS = 64;

export class Sha256 {
  private readonly state: Int32Array;
  private readonly start: Int32Array;
  private readonly constants: Int32Array;
  private readonly schedule: Int32Array;

  constructor() {
    this.state = new Int32Array(8);
    this.start = new Int32Array(8);
    this.constants = new Int32Array(STEPS);
    this.schedule = new Int32Array(STEPS);
    for (let candidate = 2, count = 0; count < STEPS; candidate++) {
      if (!isPrime(candidate)) continue;
      if (count < 8) this.start[count] = fractionBits(Math.sqrt(candidate));
      this.constants[count++] = fractionBits(Math.cbrt(candidate));
    }
  }

  /** The sum of `message` as 64 hexadecimal digits, lower case. */
  hexadecimal(message: Uint8Array): string {
    const paddedBytes = (Math.floor((message.length + 8) / BLOCK_BYTES) + 1) * BLOCK_BYTES;
    const padded = new Uint8Array(paddedBytes);
    padded.set(message);
    padded[message.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(paddedBytes - 8, Math.floor(message.length / 0x20000000));
    view.setUint32(paddedBytes - 4, (message.length << 3) >>> 0);
    this.state.set(this.start);
    for (let offset = 0; offset < paddedBytes; offset += BLOCK_BYTES) this.block(view, offset);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  private block(view: DataView, offset: number): void {
    const { schedule, constants, state } = this;
    for (let index = 0; index < 16; index++) schedule[index] = view.getInt32(offset + index * 4);
    for (let index = 16; index < STEPS; index++) {
      const early = schedule[index - 15]!;
      const late = schedule[index - 2]!;
      const small0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
      const small1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
      schedule[index] = schedule[index - 16]! + small0 + schedule[index - 7]! + small1;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let index = 0; index < STEPS; index++) {
      const large1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      const choice = (e & f) ^ (~e & g);
      const first = (h + large1 + choice + constants[index]! + schedule[index]!) | 0;
      const large0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + large0 + majority) | 0;
    }
    const words = [a, b, c, d, e, f, g, h];
    for (let index = 0; index < 8; index++) state[index] = state[index]! + words[index]!;
  }
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) return false;
  return true;
}

/** The first 32 bits behind the point. */
function fractionBits(value: number): number {
  return Math.floor((value - Math.floor(value)) * 0x100000000) | 0;
}
