import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  DENSE_BYTES,
  denseForm,
  EMPTY_BYTES,
  estimate,
  estimateOfRegisters,
  HEAD_BYTES,
  isHyperLogLog,
  keepEstimate,
  keptEstimate,
  mergeRegisters,
  placeOf,
  RANK_MAX,
  REGISTERS,
  raiseDense,
  rankOf,
  registerOf,
  SPARSE_CORRUPT,
  SPARSE_GROWS,
  SPARSE_TOO_HIGH,
  SPARSE_UNCHANGED,
  SparseEdit,
  spoilEstimate,
  writeEmpty,
} from "./hyperloglog.ts";

const MASK_64 = (1n << 64n) - 1n;

/** MurmurHash2, 64A, in bigints: the definition, without the tricks. */
function murmur(bytes: Uint8Array, seed: bigint): bigint {
  const factor = 0xc6a4a7935bd1e995n;
  const multiply = (value: bigint): bigint => (value * factor) & MASK_64;
  const read = (from: number, to: number): bigint =>
    bytes.subarray(from, to).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  let hash = seed ^ multiply(BigInt(bytes.length));
  const wholeEnd = bytes.length & ~7;
  for (let at = 0; at < wholeEnd; at += 8) {
    let part = multiply(read(at, at + 8));
    part ^= part >> 47n;
    hash = multiply(hash ^ multiply(part));
  }
  if (wholeEnd < bytes.length) hash = multiply(hash ^ read(wholeEnd, bytes.length));
  hash = multiply(hash ^ (hash >> 47n));
  return hash ^ (hash >> 47n);
}

/** A sparse value with room behind it. */
class Sparse {
  readonly bytes = new Uint8Array(20_000);
  readonly start = 3;
  length = EMPTY_BYTES;
  private readonly edit = new SparseEdit();

  constructor() {
    writeEmpty(this.bytes, this.start);
  }

  raise(register: number, rank: number): number {
    const { bytes, start, edit } = this;
    const result = edit.raise(bytes, start, this.length, register, rank);
    if (result === SPARSE_UNCHANGED || result >= SPARSE_TOO_HIGH) return result;
    if (result === SPARSE_GROWS) {
      const at = start + edit.offset;
      bytes.copyWithin(at + edit.newCodeBytes, at + edit.oldCodeBytes, start + this.length);
      this.length += edit.newCodeBytes - edit.oldCodeBytes;
      edit.writeCodes(bytes, start);
    }
    this.length = edit.joinRuns(bytes, start, this.length);
    return result;
  }

  registers(): Uint8Array {
    const registers = new Uint8Array(REGISTERS);
    assert.ok(mergeRegisters(this.bytes, this.start, this.length, registers));
    return registers;
  }
}

test("an element's register and rank are those of its 64-bit hash", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(9), (element, start) => {
      const hash = murmur(element, 0xadc83b19n);
      const rest = (hash >> 14n) | (1n << 50n);
      let rank = 1;
      while (((rest >> BigInt(rank - 1)) & 1n) === 0n) rank++;
      const bytes = new Uint8Array(start + element.length);
      bytes.set(element, start);
      const place = placeOf(bytes, start, element.length);
      assert.equal(registerOf(place), Number(hash & 16383n));
      assert.equal(rankOf(place), rank);
    }),
    { numRuns: 2000 },
  );
});

const near = fc.oneof(
  fc.nat(REGISTERS - 1),
  fc.integer({ min: 8000, max: 8040 }),
  fc.constantFrom(0, 1, REGISTERS - 1),
);

test("random raises give the registers of a model, sparse and dense", () => {
  const step = fc.record({ register: near, rank: fc.integer({ min: 1, max: 32 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const sparse = new Sparse();
      const dense = denseForm(sparse.bytes, sparse.start, sparse.length)!;
      const model = new Uint8Array(REGISTERS);
      for (const { register, rank } of steps) {
        const isHigher = rank > model[register]!;
        assert.equal(sparse.raise(register, rank) !== SPARSE_UNCHANGED, isHigher);
        assert.equal(raiseDense(dense, 0, register, rank), isHigher);
        if (isHigher) model[register] = rank;
      }
      assert.deepEqual(sparse.registers(), model);
      assert.deepEqual(denseForm(sparse.bytes, sparse.start, sparse.length), dense);
      const expected = estimateOfRegisters(model);
      assert.equal(estimate(sparse.bytes, sparse.start, sparse.length), expected);
      assert.equal(estimate(dense, 0, DENSE_BYTES), expected);
    }),
    { numRuns: 100 },
  );
});

test("neighbours of equal value are joined, at most four", () => {
  const sparse = new Sparse();
  for (let register = 0; register < 6; register++) sparse.raise(register, 3);
  // VAL 4, VAL 2, XZERO
  assert.equal(sparse.length, HEAD_BYTES + 4);
  assert.deepEqual([...sparse.bytes.subarray(sparse.start + HEAD_BYTES, sparse.start + HEAD_BYTES + 2)], [0x8b, 0x89]);
});

test("ranks above 32 do not fit the sparse form", () => {
  const sparse = new Sparse();
  assert.equal(sparse.raise(5, 33), SPARSE_TOO_HIGH);
  assert.equal(sparse.length, EMPTY_BYTES);
});

test("a register of a dense value leaves its neighbours and what lies behind the value alone", () => {
  const bytes = new Uint8Array(DENSE_BYTES + 1).fill(0);
  bytes[DENSE_BYTES] = 0xa5;
  assert.ok(raiseDense(bytes, 0, REGISTERS - 1, RANK_MAX));
  assert.equal(bytes[DENSE_BYTES], 0xa5);
  assert.ok(!raiseDense(bytes, 0, REGISTERS - 1, RANK_MAX));
  const registers = new Uint8Array(REGISTERS);
  mergeRegisters(bytes, 0, DENSE_BYTES, registers);
  assert.equal(
    registers.reduce((sum, rank) => sum + rank, 0),
    RANK_MAX,
  );
});

test("codes for more or fewer than all registers are corrupt", () => {
  const sparse = new Sparse();
  const registers = new Uint8Array(REGISTERS);
  const { bytes, start } = sparse;
  bytes[start + HEAD_BYTES + 1] = 0xfe; // one register less
  assert.equal(mergeRegisters(bytes, start, EMPTY_BYTES, registers), false);
  assert.equal(estimate(bytes, start, EMPTY_BYTES), -1);
  assert.equal(sparse.raise(REGISTERS - 1, 1), SPARSE_CORRUPT);
  bytes[start + HEAD_BYTES + 1] = 0xff;
  bytes[start + EMPTY_BYTES] = 0x80; // one register more
  assert.equal(mergeRegisters(bytes, start, EMPTY_BYTES + 1, registers), false);
  assert.equal(denseForm(bytes, start, EMPTY_BYTES + 1), undefined);
});

test("head and length say what may be a HyperLogLog", () => {
  const { bytes, start } = new Sparse();
  assert.ok(isHyperLogLog(bytes, start, EMPTY_BYTES));
  assert.ok(!isHyperLogLog(bytes, start, HEAD_BYTES - 1));
  bytes[start + 4] = 0;
  assert.ok(!isHyperLogLog(bytes, start, DENSE_BYTES - 1));
  assert.ok(isHyperLogLog(bytes, start, DENSE_BYTES));
  bytes[start + 4] = 2;
  assert.ok(!isHyperLogLog(bytes, start, DENSE_BYTES));
});

test("an estimate is kept until it is spoiled; one of 2^63 or more is not", () => {
  const { bytes, start } = new Sparse();
  for (const value of [0, 1, 255, 65_536, 2 ** 40 + 3, 2 ** 62]) {
    keepEstimate(bytes, start, value);
    assert.equal(keptEstimate(bytes, start), value);
  }
  spoilEstimate(bytes, start);
  assert.equal(keptEstimate(bytes, start), -1);
  keepEstimate(bytes, start, Number.POSITIVE_INFINITY);
  assert.equal(keptEstimate(bytes, start), -1);
});

test("registers that are all too high are infinitely many elements", () => {
  assert.equal(estimateOfRegisters(new Uint8Array(REGISTERS).fill(63)), Number.POSITIVE_INFINITY);
  assert.equal(estimateOfRegisters(new Uint8Array(REGISTERS)), 0);
});
