import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INTSET_HEAD_BYTES, Intset, intsetCount, intsetWidth, isIntset, writeIntsetHead } from "./intset.ts";

const BORDERS = [0n, 2n ** 15n, 2n ** 31n, 2n ** 53n, 2n ** 63n].flatMap((border) => [
  border - 2n,
  border - 1n,
  border,
  border + 1n,
  -border - 2n,
  -border - 1n,
  -border,
  -border + 1n,
]);
const IN_RANGE = BORDERS.filter((value) => value === BigInt.asIntN(64, value));

/** Puts a number into a blob as its owners do. */
function insert(intset: Intset, blob: Uint8Array): void {
  const { index } = intset;
  const width = intsetWidth(blob, 0);
  const count = intsetCount(blob, 0);
  if (intset.width > width) {
    Intset.widen(blob, 0, intset.width, index);
  } else {
    const at = INTSET_HEAD_BYTES + index * width;
    blob.copyWithin(at + width, at, INTSET_HEAD_BYTES + count * width);
    writeIntsetHead(blob, 0, width, count + 1);
  }
  intset.writeNumber(blob, 0, index);
}

function numbersOf(intset: Intset, blob: Uint8Array): bigint[] {
  return Array.from({ length: intsetCount(blob, 0) }, (_, index) => {
    intset.read(blob, 0, index);
    const { valueBytes, valueStart, valueLength } = intset;
    return BigInt(Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString("latin1"));
  });
}

test("numbers of all widths come back sorted, once each, in the width of the widest", () => {
  const number = fc.oneof(fc.constantFrom(...IN_RANGE), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  fc.assert(
    fc.property(fc.array(number, { maxLength: 60 }), (numbers) => {
      const intset = new Intset();
      const blob = new Uint8Array(INTSET_HEAD_BYTES + 61 * 8);
      writeIntsetHead(blob, 0, 2, 0);
      const model = new Set<bigint>();
      let width = 2;
      for (const value of numbers) {
        const text = Buffer.from(String(value));
        assert.ok(intset.parse(text, 0, text.length));
        assert.equal(intset.find(blob, 0), model.has(value));
        if (!model.has(value)) insert(intset, blob);
        model.add(value);
        const needed = value === BigInt.asIntN(16, value) ? 2 : value === BigInt.asIntN(32, value) ? 4 : 8;
        width = Math.max(width, needed);
        assert.equal(intsetWidth(blob, 0), width);
        assert.ok(isIntset(blob, 0, INTSET_HEAD_BYTES + model.size * width));
      }
      const sorted = [...model].sort((left, right) => (left < right ? -1 : 1));
      assert.deepEqual(numbersOf(intset, blob), sorted);
      for (const value of IN_RANGE) {
        const text = Buffer.from(String(value));
        intset.parse(text, 0, text.length);
        assert.equal(intset.find(blob, 0), model.has(value));
      }
    }),
    { numRuns: 200 },
  );
});

test("the bytes are those of Redis", () => {
  const intset = new Intset();
  const blob = new Uint8Array(64);
  writeIntsetHead(blob, 0, 2, 0);
  for (const text of ["5", "-1", "40000"]) {
    const bytes = Buffer.from(text);
    intset.parse(bytes, 0, bytes.length);
    intset.find(blob, 0);
    insert(intset, blob);
  }
  // SADD of the same three, then DUMP, on a real server.
  assert.equal(Buffer.from(blob.subarray(0, 20)).toString("hex"), "0400000003000000ffffffff05000000409c0000");
});

test("texts that are not the canonical form of a number are none", () => {
  const intset = new Intset();
  for (const text of [
    "",
    "-",
    "+1",
    "01",
    "-0",
    "1.0",
    " 1",
    "1 ",
    "9223372036854775808",
    "-9223372036854775809",
    "x",
  ]) {
    const bytes = Buffer.from(text);
    assert.equal(intset.parse(bytes, 0, bytes.length), false, text);
  }
});
