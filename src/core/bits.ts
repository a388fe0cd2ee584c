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
/** To count from here on; below, the view costs as much as all the counting. */
const VIEW_MIN_BYTES = 256;
/** From here on words of 64 bits pay: before they are compiled they are slow. */
const LONG_WORDS_MIN_BYTES = 4096;
/** From here on comparing with a block of equal bytes pays. */
const BLOCKS_MIN_BYTES = 512 * 1024;
const BLOCK_BYTES = 16 * 1024;

/** How many bits of a 32-bit word are set. */
function onesOfWord(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** How many bits of `bytes[start ... end)` are set. About 2 GB a second. */
function countOnesOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let ones = 0;
  if (end - start >= VIEW_MIN_BYTES) {
    while (((bytes.byteOffset + start) & 3) !== 0) ones += onesOfWord(bytes[start++]!);
    const wordCount = (end - start) >>> 2;
    ones += countOnesOfWords(new Int32Array(bytes.buffer, bytes.byteOffset + start, wordCount));
    start += wordCount * 4;
  }
  for (; start + 4 <= end; start += 4) {
    // A word put together from bytes costs less than counting each of them, and less than a view for a few.
    ones += onesOfWord(
      bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 24),
    );
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
  if (end - at >= BLOCKS_MIN_BYTES) {
    // Comparing natively is three times as fast as any loop.
    const block = new Uint8Array(BLOCK_BYTES).fill(skipped);
    while (end - at >= BLOCK_BYTES && Buffer.compare(bytes.subarray(at, at + BLOCK_BYTES), block) === 0) {
      at += BLOCK_BYTES;
    }
  }
  if (end - at >= WORDS_MIN_BYTES) {
    for (; ((bytes.byteOffset + at) & 3) !== 0; at++) if (bytes[at] !== skipped) return at;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2);
    let index = skipped === 0 ? countOfZeros(words) : countOfOnes(words);
    const skippedWord = skipped === 0 ? 0 : -1;
    while (index < words.length && words[index] === skippedWord) index++;
    at += index * 4;
  }
  while (at < end && bytes[at] === skipped) at++;
  return at;
}

/** How many words at the start are zero, counted in blocks of eight. */
function countOfZeros(words: Int32Array): number {
  const end = words.length - 7;
  let index = 0;
  for (; index < end; index += 8) {
    const low = words[index]! | words[index + 1]! | words[index + 2]! | words[index + 3]!;
    if ((low | words[index + 4]! | words[index + 5]! | words[index + 6]! | words[index + 7]!) !== 0) break;
  }
  return index;
}

/** How many words at the start have all bits set, counted in blocks of eight. */
function countOfOnes(words: Int32Array): number {
  const end = words.length - 7;
  let index = 0;
  for (; index < end; index += 8) {
    const low = words[index]! & words[index + 1]! & words[index + 2]! & words[index + 3]!;
    if ((low & words[index + 4]! & words[index + 5]! & words[index + 6]! & words[index + 7]!) !== -1) break;
  }
  return index;
}

export type BitOperation = "and" | "or" | "xor";

/** A string's bytes. */
export interface BitSource {
  readonly bytes: Uint8Array;
  readonly start: number;
}

/**
 * target = left · right, for `length` bytes; `left` may be `target`. By words where all three are aligned, as all cells
 * of the arena are.
 */
export function combineBits(
  target: BitSource,
  left: BitSource,
  right: BitSource,
  length: number,
  operation: BitOperation,
): void {
  let at = 0;
  if (length >= WORDS_MIN_BYTES && alignment(target, left, right) % 4 === 0) {
    if (length >= LONG_WORDS_MIN_BYTES && alignment(target, left, right) === 0) {
      at = length & ~31;
      combineLongWords(longWordsOf(target, at), longWordsOf(left, at), longWordsOf(right, at), operation);
    } else {
      at = length & ~3;
      combineWords(wordsOf(target, at), wordsOf(left, at), wordsOf(right, at), operation);
    }
  }
  for (; at < length; at++) {
    const leftByte = left.bytes[left.start + at]!;
    const rightByte = right.bytes[right.start + at]!;
    let byte = leftByte & rightByte;
    if (operation === "or") byte = leftByte | rightByte;
    else if (operation === "xor") byte = leftByte ^ rightByte;
    target.bytes[target.start + at] = byte;
  }
}

/** target = NOT source, for `length` bytes. */
export function invertBits(target: BitSource, source: BitSource, length: number): void {
  let at = 0;
  if (length >= WORDS_MIN_BYTES && alignment(target, source, source) % 4 === 0) {
    at = length & ~3;
    const targetWords = wordsOf(target, at);
    const sourceWords = wordsOf(source, at);
    for (let index = 0; index < targetWords.length; index++) targetWords[index] = ~sourceWords[index]!;
  }
  for (; at < length; at++) target.bytes[target.start + at] = ~source.bytes[source.start + at]!;
}

function combineWords(target: Int32Array, left: Int32Array, right: Int32Array, operation: BitOperation): void {
  const count = target.length;
  if (operation === "and") for (let index = 0; index < count; index++) target[index] = left[index]! & right[index]!;
  else if (operation === "or") for (let index = 0; index < count; index++) target[index] = left[index]! | right[index]!;
  else for (let index = 0; index < count; index++) target[index] = left[index]! ^ right[index]!;
}

/** Four words of 64 bits a round; no bigint leaves its expression, so that none is made. 5 GB a second. */
function combineLongWords(
  target: BigInt64Array,
  left: BigInt64Array,
  right: BigInt64Array,
  operation: BitOperation,
): void {
  const count = target.length;
  if (operation === "and") {
    for (let index = 0; index < count; index += 4) {
      target[index] = left[index]! & right[index]!;
      target[index + 1] = left[index + 1]! & right[index + 1]!;
      target[index + 2] = left[index + 2]! & right[index + 2]!;
      target[index + 3] = left[index + 3]! & right[index + 3]!;
    }
  } else if (operation === "or") {
    for (let index = 0; index < count; index += 4) {
      target[index] = left[index]! | right[index]!;
      target[index + 1] = left[index + 1]! | right[index + 1]!;
      target[index + 2] = left[index + 2]! | right[index + 2]!;
      target[index + 3] = left[index + 3]! | right[index + 3]!;
    }
  } else {
    for (let index = 0; index < count; index += 4) {
      target[index] = left[index]! ^ right[index]!;
      target[index + 1] = left[index + 1]! ^ right[index + 1]!;
      target[index + 2] = left[index + 2]! ^ right[index + 2]!;
      target[index + 3] = left[index + 3]! ^ right[index + 3]!;
    }
  }
}

/** 0 when all three start at a multiple of 8 bytes, a multiple of 4 when they do at one of 4. */
function alignment(one: BitSource, two: BitSource, three: BitSource): number {
  return (
    ((one.bytes.byteOffset + one.start) | (two.bytes.byteOffset + two.start) | (three.bytes.byteOffset + three.start)) &
    7
  );
}

function wordsOf({ bytes, start }: BitSource, length: number): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset + start, length >>> 2);
}

function longWordsOf({ bytes, start }: BitSource, length: number): BigInt64Array {
  return new BigInt64Array(bytes.buffer, bytes.byteOffset + start, length >>> 3);
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
