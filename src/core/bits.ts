/**
 * Bits of byte strings, numbered as Redis numbers them: bit 0 is the highest of byte 0.
 *
 *      byte       0               1                        a range of bits, from <= bit < to:
 *      bit        0 1 2 3 4 5 6 7 8 9 ...                  [rest of a byte][whole bytes, by words][start of a byte]
 *
 *  I1  Words are read where they are aligned; what lies before and behind is read byte by byte.
 *  I2  Positions are doubles: a string of 512 MiB has 2^32 bits.
 *  Source: the carry-save counting of Harley and Seal (Warren, Hacker's Delight, "Counting 1-bits").
 */

/** From here on making a view of words pays. */
const WORDS_MIN_BYTES = 64;

/** How many bits of a 32-bit word are set. */
function onesOfWord(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** How many bits of `bytes[start ... end)` are set. About 2 GB a second. */
function countOnesOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let ones = 0;
  if (end - start >= WORDS_MIN_BYTES) {
    while (((bytes.byteOffset + start) & 3) !== 0) ones += onesOfWord(bytes[start++]!);
    const wordCount = (end - start) >>> 2;
    ones += countOnesOfWords(new Int32Array(bytes.buffer, bytes.byteOffset + start, wordCount));
    start += wordCount * 4;
  }
  for (; start < end; start++) ones += onesOfWord(bytes[start]!);
  return ones;
}

/** Eight words become one word of eights and three of what is left: one count instead of eight. */
function countOnesOfWords(words: Int32Array): number {
  const count = words.length;
  const blockEnd = count & ~7;
  let total = 0;
  let ones = 0;
  let twos = 0;
  let fours = 0;
  for (let index = 0; index < blockEnd; index += 8) {
    const a = words[index]!;
    const b = words[index + 1]!;
    const c = words[index + 2]!;
    const d = words[index + 3]!;
    const e = words[index + 4]!;
    const f = words[index + 5]!;
    const g = words[index + 6]!;
    const h = words[index + 7]!;
    // A full adder: x + y + z = sum + 2 × carry, for all 32 places at once.
    let half = ones ^ a;
    const carryA = (ones & a) | (half & b);
    ones = half ^ b;
    half = ones ^ c;
    const carryB = (ones & c) | (half & d);
    ones = half ^ d;
    half = twos ^ carryA;
    const foursA = (twos & carryA) | (half & carryB);
    twos = half ^ carryB;
    half = ones ^ e;
    const carryC = (ones & e) | (half & f);
    ones = half ^ f;
    half = ones ^ g;
    const carryD = (ones & g) | (half & h);
    ones = half ^ h;
    half = twos ^ carryC;
    const foursB = (twos & carryC) | (half & carryD);
    twos = half ^ carryD;
    half = fours ^ foursA;
    total += onesOfWord((fours & foursA) | (half & foursB));
    fours = half ^ foursB;
  }
  total = total * 8 + onesOfWord(fours) * 4 + onesOfWord(twos) * 2 + onesOfWord(ones);
  for (let index = blockEnd; index < count; index++) total += onesOfWord(words[index]!);
  return total;
}

/** How many of the bits from <= bit < to of the string at `bytes[start ...]` are set. */
export function countOnes(bytes: Uint8Array, start: number, from: number, to: number): number {
  if (from >= to) return 0;
  const firstByte = Math.floor(from / 8);
  const lastByte = Math.floor((to - 1) / 8);
  const firstMask = 0xff >>> (from % 8);
  const lastMask = 0xff << (7 - ((to - 1) % 8));
  const first = bytes[start + firstByte]!;
  if (firstByte === lastByte) return onesOfWord(first & firstMask & lastMask);
  return (
    onesOfWord(first & firstMask) +
    countOnesOfBytes(bytes, start + firstByte + 1, start + lastByte) +
    onesOfWord(bytes[start + lastByte]! & lastMask & 0xff)
  );
}

/** The first bit from <= bit < to of the string at `bytes[start ...]` that is `bit` (0 or 1), -1 when none is. */
export function findBit(bytes: Uint8Array, start: number, from: number, to: number, bit: number): number {
  if (from >= to) return -1;
  const flip = bit === 1 ? 0 : 0xff;
  const lastByte = Math.floor((to - 1) / 8);
  let byteIndex = Math.floor(from / 8);
  // After the exclusive or a set bit is what is searched for.
  let wanted = (bytes[start + byteIndex]! ^ flip) & (0xff >>> (from % 8));
  if (wanted === 0 && byteIndex < lastByte) {
    byteIndex = skipBytes(bytes, start + byteIndex + 1, start + lastByte, flip) - start;
    wanted = bytes[start + byteIndex]! ^ flip;
  }
  if (wanted === 0) return -1;
  const found = byteIndex * 8 + Math.clz32(wanted) - 24;
  return found < to ? found : -1;
}

/** Index of the first byte in [at, end) that is not `skipped` (0 or 255); `end` when all are. */
function skipBytes(bytes: Uint8Array, at: number, end: number, skipped: number): number {
  if (end - at >= WORDS_MIN_BYTES) {
    for (; ((bytes.byteOffset + at) & 3) !== 0; at++) if (bytes[at] !== skipped) return at;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2);
    const skippedWord = skipped === 0 ? 0 : -1;
    let index = 0;
    while (index < words.length && words[index] === skippedWord) index++;
    at += index * 4;
  }
  while (at < end && bytes[at] === skipped) at++;
  return at;
}

export type BitOperation = "and" | "or" | "xor";

/**
 * Combines the first `length` bytes of `target`, which lies at the start of its buffer, with `source[start ...]`.
 * By words where `source` is aligned, which every cell of the arena is.
 */
export function combineBits(
  target: Uint8Array,
  source: Uint8Array,
  start: number,
  length: number,
  operation: BitOperation,
): void {
  let at = 0;
  const from = source.byteOffset + start;
  if (length >= WORDS_MIN_BYTES && (from & 3) === 0) {
    const wordCount = length >>> 2;
    const targetWords = new Int32Array(target.buffer, target.byteOffset, wordCount);
    const sourceWords = new Int32Array(source.buffer, from, wordCount);
    if (operation === "and") for (let index = 0; index < wordCount; index++) targetWords[index]! &= sourceWords[index]!;
    else if (operation === "or")
      for (let index = 0; index < wordCount; index++) targetWords[index]! |= sourceWords[index]!;
    else for (let index = 0; index < wordCount; index++) targetWords[index]! ^= sourceWords[index]!;
    at = wordCount * 4;
  }
  for (; at < length; at++) {
    const byte = source[start + at]!;
    if (operation === "and") target[at]! &= byte;
    else if (operation === "or") target[at]! |= byte;
    else target[at]! ^= byte;
  }
}

/** Turns every bit of `target`, which lies at the start of its buffer. */
export function invertBits(target: Uint8Array): void {
  const wordCount = target.length >>> 2;
  const words = new Int32Array(target.buffer, target.byteOffset, wordCount);
  for (let index = 0; index < wordCount; index++) words[index] = ~words[index]!;
  for (let at = wordCount * 4; at < target.length; at++) target[at] = ~target[at]!;
}

/** The `bits` (1 to 32) bits from `offset` on, the first as the highest; beyond the string's `length` bytes are zeros. */
export function readBits(bytes: Uint8Array, start: number, length: number, offset: number, bits: number): number {
  const lastByte = Math.floor((offset + bits - 1) / 8);
  let value = 0;
  // Five bytes at most: 40 bits are exact in a double.
  for (let index = Math.floor(offset / 8); index <= lastByte; index++) {
    value = value * 256 + (index < length ? bytes[start + index]! : 0);
  }
  const below = 7 - ((offset + bits - 1) % 8);
  return Math.floor(value / (1 << below)) % 2 ** bits;
}

/** Writes the lowest `bits` (1 to 32) bits of `value`, a whole number >= 0, from bit `offset` on. */
export function writeBits(bytes: Uint8Array, start: number, offset: number, bits: number, value: number): void {
  let end = offset + bits;
  while (bits > 0) {
    const at = start + Math.floor((end - 1) / 8);
    const usedEnd = ((end - 1) % 8) + 1;
    const taken = Math.min(bits, usedEnd);
    const below = 8 - usedEnd;
    const mask = ((1 << taken) - 1) << below;
    bytes[at] = (bytes[at]! & ~mask) | (((value % (1 << taken)) << below) & mask);
    value = Math.floor(value / (1 << taken));
    end -= taken;
    bits -= taken;
  }
}
