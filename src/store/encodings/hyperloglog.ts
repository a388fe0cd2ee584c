/**
 * HyperLogLog: 16384 registers of 6 bits in a string, in the very bytes of Redis.
 *
 *      byte 0-3   "HYLL"
 *           4     0 dense, 1 sparse
 *           5-7   unused
 *           8-15  the estimate that was computed last, 64 bits, lowest first; the highest bit set: it is out of date
 *          16-    dense    register r in bits 6r ... 6r+5, lowest bit of a byte first: 12288 bytes
 *                 sparse   00llllll             ZERO   l + 1 registers (1 to 64) are 0
 *                          01llllll llllllll    XZERO  l + 1 registers (1 to 16384) are 0
 *                          1vvvvvll             VAL    l + 1 registers (1 to 4) are v + 1 (1 to 32)
 *
 *  I1  An element's hash chooses a register (14 bits) and a rank, the number of zero bits before the first one in the
 *      other 50, plus one; the register keeps the highest rank it has seen.
 *  I2  The codes of a sound sparse value describe 16384 registers exactly. Values come from clients: every walk checks it.
 *  I3  After a register was raised, up to five codes from the one before it on are looked at, and VALs of equal value
 *      are joined. Other joins are not done: so equal commands give equal bytes here and in Redis.
 *  Source: the format as Redis describes it; MurmurHash2 (64A) of Austin Appleby; the estimator of Otmar Ertl, "New
 *  cardinality estimation algorithms for HyperLogLog sketches" (2017); compared with redis-server 7.0.
 */

import { assert } from "../../core/assert.ts";
import { readBigInt64, readInt64 } from "../../core/numbers.ts";

export const REGISTERS = 16384;
const INDEX_BITS = 14;
/** Bits of a hash that give the rank. */
const RANK_BITS = 50;
export const RANK_MAX = RANK_BITS + 1;

export const HEAD_BYTES = 16;
export const DENSE_BYTES = HEAD_BYTES + (REGISTERS * 6) / 8;
/** An empty sparse value: the head and one XZERO. */
export const EMPTY_BYTES = HEAD_BYTES + 2;

const MAGIC = Uint8Array.of(72, 89, 76, 76);
/** 2^63: estimates of corrupt registers may reach it. */
export const ESTIMATE_LIMIT = 2 ** 63;
const ENCODING_AT = 4;
const ESTIMATE_AT = 8;
const DENSE = 0;
const SPARSE = 1;

const ZERO_RUN_MAX = 64;
const VALUE_RUN_MAX = 4;
const VALUE_MAX = 32;

const CODE_XZERO = 0x40;
const CODE_VALUE = 0x80;

// ---- the head --------------------------------------------------------------------------------------------------------

/** Whether the bytes may be a HyperLogLog: head and length; the codes are checked when they are walked (I2). */
export function isHyperLogLog(bytes: Uint8Array, start: number, length: number): boolean {
  if (length < HEAD_BYTES) return false;
  for (let index = 0; index < MAGIC.length; index++) if (bytes[start + index] !== MAGIC[index]) return false;
  const encoding = bytes[start + ENCODING_AT]!;
  return encoding === SPARSE || (encoding === DENSE && length === DENSE_BYTES);
}

export function isSparse(bytes: Uint8Array, start: number): boolean {
  return bytes[start + ENCODING_AT] === SPARSE;
}

/** Writes an empty sparse value of EMPTY_BYTES. */
export function writeEmpty(bytes: Uint8Array, start: number): void {
  bytes.fill(0, start, start + HEAD_BYTES);
  bytes.set(MAGIC, start);
  bytes[start + ENCODING_AT] = SPARSE;
  bytes[start + HEAD_BYTES] = CODE_XZERO | ((REGISTERS - 1) >>> 8);
  bytes[start + HEAD_BYTES + 1] = (REGISTERS - 1) & 255;
}

/** The estimate that is kept in the head, -1 when it is out of date; above 2^53 `exactEstimate` knows it better. */
export function keptEstimate(bytes: Uint8Array, start: number): number {
  const at = start + ESTIMATE_AT;
  return (bytes[at + 7]! & 0x80) === 0 ? readInt64(bytes, at) : -1;
}

export function exactEstimate(bytes: Uint8Array, start: number): bigint {
  return readBigInt64(bytes, start + ESTIMATE_AT);
}

/** Keeps an estimate. One of 2^63 or more, also an infinite one, becomes -2^63, which counts as out of date. */
export function keepEstimate(bytes: Uint8Array, start: number, estimate: number): void {
  const isKept = estimate < ESTIMATE_LIMIT;
  for (let index = 0; index < 8; index++) {
    bytes[start + ESTIMATE_AT + index] = isKept ? estimate % 256 : 0;
    estimate = Math.floor(estimate / 256);
  }
  if (!isKept) spoilEstimate(bytes, start);
}

/** The estimate that is kept is out of date. */
export function spoilEstimate(bytes: Uint8Array, start: number): void {
  bytes[start + ESTIMATE_AT + 7]! |= 0x80;
}

// ---- elements ------------------------------------------------------------------------------------------------------

const HASH_FACTOR_LOW = 0x5bd1e995;
const HASH_FACTOR_HIGH = 0xc6a4a793 | 0;
const HASH_SEED = 0xadc83b19 | 0;

/** The upper 32 bits of `value` × HASH_FACTOR_LOW, both unsigned. */
function upperProduct(value: number): number {
  const low = value & 0xffff;
  const high = value >>> 16;
  const factorLow = HASH_FACTOR_LOW & 0xffff;
  const factorHigh = HASH_FACTOR_LOW >>> 16;
  // A product of 16 by 16 bits leaves room for another 16: no sum here needs more than 32, and none becomes a double.
  const middle = (Math.imul(high, factorLow) + (Math.imul(low, factorLow) >>> 16)) | 0;
  const carry = (Math.imul(low, factorHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(high, factorHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** The upper half of the 64-bit product of (high, low) and the hash's factor. */
function upperHalf(high: number, low: number): number {
  return (upperProduct(low) + Math.imul(high, HASH_FACTOR_LOW) + Math.imul(low, HASH_FACTOR_HIGH)) | 0;
}

/**
 * Where an element belongs (I1): its register in the lowest 14 bits, above them its rank, 1 to RANK_MAX.
 * 64-bit numbers are two halves here: no bigint, nothing allocated. hot path
 */
export function placeOf(bytes: Uint8Array, start: number, length: number): number {
  // The hash starts as seed XOR length × factor.
  let high = (upperProduct(length) + Math.imul(length, HASH_FACTOR_HIGH)) | 0;
  let low = Math.imul(length, HASH_FACTOR_LOW) ^ HASH_SEED;
  const end = start + length;
  const wholeEnd = end - (length & 7);
  let at = start;
  for (; at < wholeEnd; at += 8) {
    let partLow = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    let partHigh = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    partHigh = upperHalf(partHigh, partLow);
    partLow = Math.imul(partLow, HASH_FACTOR_LOW);
    // part XOR part >> 47
    partLow ^= partHigh >>> 15;
    partHigh = upperHalf(partHigh, partLow);
    partLow = Math.imul(partLow, HASH_FACTOR_LOW);
    low ^= partLow;
    high ^= partHigh;
    high = upperHalf(high, low);
    low = Math.imul(low, HASH_FACTOR_LOW);
  }
  if (at < end) {
    for (let index = 0; at + index < end; index++) {
      const byte = bytes[at + index]!;
      if (index < 4) low ^= byte << (index * 8);
      else high ^= byte << ((index - 4) * 8);
    }
    high = upperHalf(high, low);
    low = Math.imul(low, HASH_FACTOR_LOW);
  }
  low ^= high >>> 15;
  high = upperHalf(high, low);
  low = Math.imul(low, HASH_FACTOR_LOW);
  low ^= high >>> 15;
  // The 50 bits above the register's index, with a one behind them.
  const restLow = (low >>> INDEX_BITS) | (high << (32 - INDEX_BITS));
  const restHigh = (high >>> INDEX_BITS) | (1 << (RANK_BITS - 32));
  const rank = restLow === 0 ? 64 - Math.clz32(restHigh & -restHigh) : 32 - Math.clz32(restLow & -restLow);
  return (low & (REGISTERS - 1)) | (rank << INDEX_BITS);
}

/** The register and the rank that `placeOf` gave. */
export function registerOf(place: number): number {
  return place & (REGISTERS - 1);
}

export function rankOf(place: number): number {
  return place >>> INDEX_BITS;
}

// ---- dense -----------------------------------------------------------------------------------------------------------

/** Raises a register of a dense value; false when it was as high before. `start`: of the value. */
export function raiseDense(bytes: Uint8Array, start: number, register: number, rank: number): boolean {
  const bit = register * 6;
  const at = start + HEAD_BYTES + (bit >>> 3);
  const shift = bit & 7;
  // A register lies in two bytes when fewer than six bits are left; the last register of all does not.
  const pair = shift > 2 ? bytes[at]! | (bytes[at + 1]! << 8) : bytes[at]!;
  if (((pair >>> shift) & 63) >= rank) return false;
  const changed = (pair & ~(63 << shift)) | (rank << shift);
  bytes[at] = changed;
  if (shift > 2) bytes[at + 1] = changed >>> 8;
  return true;
}

/** Writes the registers into a dense value, four into three bytes. */
function writeDense(bytes: Uint8Array, start: number, registers: Uint8Array): void {
  let at = start + HEAD_BYTES;
  for (let index = 0; index < REGISTERS; index += 4) {
    const four =
      registers[index]! | (registers[index + 1]! << 6) | (registers[index + 2]! << 12) | (registers[index + 3]! << 18);
    bytes[at++] = four;
    bytes[at++] = four >>> 8;
    bytes[at++] = four >>> 16;
  }
}

function mergeDense(bytes: Uint8Array, start: number, registers: Uint8Array): void {
  let at = start + HEAD_BYTES;
  for (let index = 0; index < REGISTERS; index += 4, at += 3) {
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const first = four & 63;
    const second = (four >>> 6) & 63;
    const third = (four >>> 12) & 63;
    const fourth = four >>> 18;
    if (first > registers[index]!) registers[index] = first;
    if (second > registers[index + 1]!) registers[index + 1] = second;
    if (third > registers[index + 2]!) registers[index + 2] = third;
    if (fourth > registers[index + 3]!) registers[index + 3] = fourth;
  }
}

// ---- sparse ----------------------------------------------------------------------------------------------------------

/** Bytes of the code that starts with `byte`. */
function codeBytes(byte: number): number {
  return (byte & 0xc0) === CODE_XZERO ? 2 : 1;
}

/** Registers of the code at `at`; `end` of the value, behind which a cut XZERO has a zero. */
function codeRun(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at]!;
  if (byte >= CODE_VALUE) return (byte & 3) + 1;
  if (byte < CODE_XZERO) return byte + 1;
  return (((byte & 0x3f) << 8) | (at + 1 < end ? bytes[at + 1]! : 0)) + 1;
}

function codeValue(byte: number): number {
  return ((byte >>> 2) & 0x1f) + 1;
}

function valueCode(value: number, run: number): number {
  return CODE_VALUE | ((value - 1) << 2) | (run - 1);
}

function mergeSparse(bytes: Uint8Array, start: number, length: number, registers: Uint8Array): boolean {
  const end = start + length;
  let register = 0;
  for (let at = start + HEAD_BYTES; at < end; at += codeBytes(bytes[at]!)) {
    const byte = bytes[at]!;
    const run = codeRun(bytes, at, end);
    if (byte >= CODE_VALUE) {
      if (register + run > REGISTERS) return false;
      const value = codeValue(byte);
      for (let index = register; index < register + run; index++) {
        if (value > registers[index]!) registers[index] = value;
      }
    }
    register += run;
  }
  return register === REGISTERS;
}

/** What raising a register of a sparse value came to. */
export const SPARSE_UNCHANGED = 0;
/** The code in its place was changed: `joinRuns` comes next. */
export const SPARSE_CHANGED = 1;
/** Codes must be put in the place of one: `replacement` says which, then `joinRuns` comes next. */
export const SPARSE_GROWS = 2;
/** The rank is too high for this form. */
export const SPARSE_TOO_HIGH = 3;
/** I2 does not hold. */
export const SPARSE_CORRUPT = 4;

/**
 * Raises registers of sparse values, in steps, because the caller owns the memory:
 *
 *      raise ──► SPARSE_CHANGED ───────────────────────────────────────────────────────► joinRuns
 *            └─► SPARSE_GROWS ──► room for `newCodeBytes` in place of `oldCodeBytes` at `offset` ──► writeCodes ─┘
 *
 * Offsets are counted from the value's start.
 */
export class SparseEdit {
  /** Of the code that covers the register. */
  offset: number;
  oldCodeBytes: number;
  newCodeBytes: number;
  /** Of the code before it; of itself when it is the first. */
  private previous: number;
  /** Registers of the code before and behind the one that is raised. */
  private runBefore: number;
  private runBehind: number;
  /** Value of the old code, 0 for zeros. */
  private oldValue: number;
  private rank: number;

  constructor() {
    this.offset = 0;
    this.oldCodeBytes = 0;
    this.newCodeBytes = 0;
    this.previous = 0;
    this.runBefore = 0;
    this.runBehind = 0;
    this.oldValue = 0;
    this.rank = 0;
  }

  raise(bytes: Uint8Array, start: number, length: number, register: number, rank: number): number {
    if (rank > VALUE_MAX) return SPARSE_TOO_HIGH;
    const end = start + length;
    let at = start + HEAD_BYTES;
    let previous = at;
    let first = 0;
    let run = 0;
    while (at < end) {
      run = codeRun(bytes, at, end);
      if (register < first + run) break;
      previous = at;
      first += run;
      at += codeBytes(bytes[at]!);
    }
    const byte = bytes[at]!;
    if (at + codeBytes(byte) > end) return SPARSE_CORRUPT;
    this.offset = at - start;
    this.previous = previous - start;
    this.rank = rank;
    this.oldValue = byte >= CODE_VALUE ? codeValue(byte) : 0;
    if (this.oldValue >= rank) return SPARSE_UNCHANGED;
    this.oldCodeBytes = codeBytes(byte);
    if (run === 1 && this.oldCodeBytes === 1) {
      bytes[at] = valueCode(rank, 1);
      return SPARSE_CHANGED;
    }
    this.runBefore = register - first;
    this.runBehind = first + run - 1 - register;
    this.newCodeBytes = this.restBytes(this.runBefore) + 1 + this.restBytes(this.runBehind);
    return SPARSE_GROWS;
  }

  /** Bytes of the code for `run` registers that keep the old value. */
  private restBytes(run: number): number {
    if (run === 0) return 0;
    return this.oldValue === 0 && run > ZERO_RUN_MAX ? 2 : 1;
  }

  /** Fills the `newCodeBytes` bytes at `offset`. */
  writeCodes(bytes: Uint8Array, start: number): void {
    let at = this.writeRest(bytes, start + this.offset, this.runBefore);
    bytes[at++] = valueCode(this.rank, 1);
    at = this.writeRest(bytes, at, this.runBehind);
    assert(at === start + this.offset + this.newCodeBytes, "the codes do not fill their room");
  }

  private writeRest(bytes: Uint8Array, at: number, run: number): number {
    if (run === 0) return at;
    if (this.oldValue > 0) {
      bytes[at++] = valueCode(this.oldValue, run);
    } else if (run <= ZERO_RUN_MAX) {
      bytes[at++] = run - 1;
    } else {
      bytes[at++] = CODE_XZERO | ((run - 1) >>> 8);
      bytes[at++] = (run - 1) & 255;
    }
    return at;
  }

  /** Joins neighbours as I3 has it. Returns the value's length, which may have become smaller. */
  joinRuns(bytes: Uint8Array, start: number, length: number): number {
    let end = start + length;
    let at = start + this.previous;
    for (let looks = 5; looks > 0 && at < end; looks--) {
      const byte = bytes[at]!;
      if (byte < CODE_VALUE) {
        at += codeBytes(byte);
        continue;
      }
      const next = at + 1 < end ? bytes[at + 1]! : 0;
      const run = (byte & 3) + (next & 3) + 2;
      if (next >= CODE_VALUE && codeValue(next) === codeValue(byte) && run <= VALUE_RUN_MAX) {
        bytes[at + 1] = valueCode(codeValue(byte), run);
        bytes.copyWithin(at, at + 1, end);
        end--;
      } else {
        at++;
      }
    }
    return end - start;
  }
}

// ---- whole values ----------------------------------------------------------------------------------------------------

/** Raises `registers` (REGISTERS bytes) to those of the value. False when it is corrupt (I2). */
export function mergeRegisters(bytes: Uint8Array, start: number, length: number, registers: Uint8Array): boolean {
  if (isSparse(bytes, start)) return mergeSparse(bytes, start, length, registers);
  mergeDense(bytes, start, registers);
  return true;
}

/** The dense form of a sparse value; undefined when it is corrupt (I2). */
export function denseForm(bytes: Uint8Array, start: number, length: number): Uint8Array | undefined {
  const registers = new Uint8Array(REGISTERS);
  if (!mergeSparse(bytes, start, length, registers)) return undefined;
  const dense = new Uint8Array(DENSE_BYTES);
  dense.set(bytes.subarray(start, start + HEAD_BYTES));
  dense[ENCODING_AT] = DENSE;
  writeDense(dense, 0, registers);
  return dense;
}

/** Overwrites all registers of a dense value. */
export function setDenseRegisters(bytes: Uint8Array, start: number, registers: Uint8Array): void {
  writeDense(bytes, start, registers);
}

/** The codes of a sparse value as PFDEBUG DECODE shows them. */
export function describeCodes(bytes: Uint8Array, start: number, length: number): string {
  const end = start + length;
  const texts: string[] = [];
  for (let at = start + HEAD_BYTES; at < end; at += codeBytes(bytes[at]!)) {
    const byte = bytes[at]!;
    const run = codeRun(bytes, at, end);
    if (byte >= CODE_VALUE) texts.push(`v:${codeValue(byte)},${run}`);
    else texts.push(`${byte < CODE_XZERO ? "z" : "Z"}:${run}`);
  }
  return texts.join(" ");
}

/** How many elements a value has seen, about, infinite when all registers are too high; -1 when it is corrupt (I2). */
export function estimate(bytes: Uint8Array, start: number, length: number): number {
  const counts = new Int32Array(64);
  if (!isSparse(bytes, start)) {
    countDense(bytes, start, counts);
  } else if (!countSparse(bytes, start, length, counts)) {
    return -1;
  }
  return estimateOfCounts(counts);
}

/** As `estimate`, of registers that lie in a byte each. */
export function estimateOfRegisters(registers: Uint8Array): number {
  const counts = new Int32Array(64);
  for (let index = 0; index < REGISTERS; index++) counts[registers[index]! & 63]!++;
  return estimateOfCounts(counts);
}

/** How many registers have each value. */
function countDense(bytes: Uint8Array, start: number, counts: Int32Array): void {
  const end = start + DENSE_BYTES;
  for (let at = start + HEAD_BYTES; at < end; at += 3) {
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    counts[four & 63]!++;
    counts[(four >>> 6) & 63]!++;
    counts[(four >>> 12) & 63]!++;
    counts[four >>> 18]!++;
  }
}

function countSparse(bytes: Uint8Array, start: number, length: number, counts: Int32Array): boolean {
  const end = start + length;
  let register = 0;
  for (let at = start + HEAD_BYTES; at < end; at += codeBytes(bytes[at]!)) {
    const byte = bytes[at]!;
    const run = codeRun(bytes, at, end);
    counts[byte >= CODE_VALUE ? codeValue(byte) : 0]! += run;
    register += run;
  }
  return register === REGISTERS;
}

/** 1 / (2 ln 2) */
const ALPHA = 0.7213475204444817;

/** Ertl's improved raw estimator: `counts[v]` registers have the value v. */
function estimateOfCounts(counts: Int32Array): number {
  let sum = REGISTERS * highTerm((REGISTERS - counts[RANK_MAX]!) / REGISTERS);
  for (let value = RANK_BITS; value >= 1; value--) sum = (sum + counts[value]!) * 0.5;
  sum += REGISTERS * zeroTerm(counts[0]! / REGISTERS);
  return Math.round((ALPHA * REGISTERS * REGISTERS) / sum);
}

/** sigma: what the registers that are still 0 add. `share` of them; infinite when all are. */
function zeroTerm(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let weight = 1;
  let sum = share;
  for (let before = Number.NaN; before !== sum; ) {
    share *= share;
    before = sum;
    sum += share * weight;
    weight += weight;
  }
  return sum;
}

/** tau: what the registers at RANK_MAX add. `share` of the others. */
function highTerm(share: number): number {
  if (share === 0 || share === 1) return 0;
  let weight = 1;
  let sum = 1 - share;
  for (let before = Number.NaN; before !== sum; ) {
    share = Math.sqrt(share);
    before = sum;
    weight *= 0.5;
    sum -= (1 - share) ** 2 * weight;
  }
  return sum / 3;
}
