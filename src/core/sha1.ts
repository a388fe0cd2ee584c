/**
 * SHA-1: 20 bytes that stand for any number of others. For DEBUG DIGEST and script names, not for secrets.
 *
 *      message │ 0x80 │ zeros │ length in bits, 8 bytes     in blocks of 64 bytes, 80 steps each
 *
 *  I1  Only the last one or two blocks are copied; all others are read where they lie.
 *  Source: FIPS 180-4.
 */

export const SHA1_BYTES = 20;

const BLOCK_BYTES = 64;

export class Sha1 {
  private readonly state: Int32Array;
  private readonly schedule: Int32Array;
  private readonly tail: Uint8Array;

  constructor() {
    this.state = new Int32Array(5);
    this.schedule = new Int32Array(80);
    this.tail = new Uint8Array(2 * BLOCK_BYTES);
  }

  /** Writes the sum of `source[start ... start+length)` to `target[at ... at+20)`; the two may overlap. */
  hash(source: Uint8Array, start: number, length: number, target: Uint8Array, at: number): void {
    const state = this.state;
    state[0] = 0x67452301;
    state[1] = 0xefcdab89;
    state[2] = 0x98badcfe;
    state[3] = 0x10325476;
    state[4] = 0xc3d2e1f0;
    const wholeBytes = length - (length % BLOCK_BYTES);
    for (let offset = 0; offset < wholeBytes; offset += BLOCK_BYTES) this.block(source, start + offset);
    const rest = length - wholeBytes;
    const tail = this.tail;
    for (let index = 0; index < rest; index++) tail[index] = source[start + wholeBytes + index]!;
    tail[rest] = 0x80;
    const tailBytes = rest + 9 > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES;
    for (let index = rest + 1; index < tailBytes - 8; index++) tail[index] = 0;
    writeHighFirst(tail, tailBytes - 8, Math.floor(length / 0x20000000));
    writeHighFirst(tail, tailBytes - 4, length << 3);
    for (let offset = 0; offset < tailBytes; offset += BLOCK_BYTES) this.block(tail, offset);
    for (let index = 0; index < SHA1_BYTES; index++) {
      target[at + index] = state[index >>> 2]! >>> (24 - ((index & 3) << 3));
    }
  }

  private block(bytes: Uint8Array, start: number): void {
    const schedule = this.schedule;
    for (let index = 0, at = start; index < 16; index++, at += 4) {
      schedule[index] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let index = 16; index < 80; index++) {
      const mixed = schedule[index - 3]! ^ schedule[index - 8]! ^ schedule[index - 14]! ^ schedule[index - 16]!;
      schedule[index] = (mixed << 1) | (mixed >>> 31);
    }
    const state = this.state;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    for (let index = 0; index < 20; index++) {
      const next = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + 0x5a827999 + schedule[index]!) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    for (let index = 20; index < 40; index++) {
      const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + schedule[index]!) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    for (let index = 40; index < 60; index++) {
      const next = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + 0x8f1bbcdc + schedule[index]!) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    for (let index = 60; index < 80; index++) {
      const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + schedule[index]!) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    state[0] = (state[0]! + a) | 0;
    state[1] = (state[1]! + b) | 0;
    state[2] = (state[2]! + c) | 0;
    state[3] = (state[3]! + d) | 0;
    state[4] = (state[4]! + e) | 0;
  }
}

function writeHighFirst(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
