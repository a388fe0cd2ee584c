import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { combineBits, countOnes, findBit, invertBits, readBits, writeBits } from "./bits.ts";

/** The bits of a string as text, "0110...". */
function bitText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
}

/** Bytes somewhere in a larger buffer, so that every alignment comes up; runs of equal bytes are frequent. */
const placed = fc
  .record({
    runs: fc.array(fc.record({ byte: fc.constantFrom(0, 255, 1, 128, 0x5a), count: fc.integer({ min: 1, max: 70 }) }), {
      minLength: 1,
      maxLength: 6,
    }),
    start: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ runs, start }) => {
    const content = Uint8Array.from(runs.flatMap(({ byte, count }) => Array.from({ length: count }, () => byte)));
    const bytes = new Uint8Array(start + content.length + 3).fill(0xa5);
    bytes.set(content, start);
    return { bytes, start, content, text: bitText(content) };
  });

const share = fc.double({ min: 0, max: 1, noNaN: true });

test("counting and finding bits give what the string of bits says, in any range and at any alignment", () => {
  fc.assert(
    fc.property(placed, share, share, ({ bytes, start, text }, left, right) => {
      const from = Math.round(Math.min(left, right) * text.length);
      const to = Math.round(Math.max(left, right) * text.length);
      const range = text.slice(from, to);
      assert.equal(countOnes(bytes, start, from, to), range.replaceAll("0", "").length);
      for (const bit of [0, 1]) {
        const at = range.indexOf(String(bit));
        assert.equal(findBit(bytes, start, from, to, bit), at === -1 ? -1 : from + at);
      }
    }),
    { numRuns: 400 },
  );
});

test("strings are combined bit by bit at any alignment, and no byte around the target changes", () => {
  fc.assert(
    fc.property(placed, placed, fc.nat(9), fc.constantFrom("and", "or", "xor"), (left, right, start, operation) => {
      const length = Math.min(left.content.length, right.content.length);
      const target = { bytes: new Uint8Array(start + length + 3).fill(0xa5), start };
      const expected = Uint8Array.from(target.bytes);
      combineBits(target, left, right, length, operation as "and" | "or" | "xor");
      for (let index = 0; index < length; index++) {
        const [one, other] = [left.content[index]!, right.content[index]!];
        expected[start + index] = operation === "and" ? one & other : operation === "or" ? one | other : one ^ other;
      }
      assert.deepEqual(target.bytes, expected);
      invertBits(target, right, length);
      for (let index = 0; index < length; index++) expected[start + index] = ~right.content[index]!;
      assert.deepEqual(target.bytes, expected);
    }),
    { numRuns: 200 },
  );
});

test("long strings are combined by words of 64 bits where they are aligned", () => {
  for (const operation of ["and", "or", "xor"] as const) {
    for (const start of [0, 4, 1]) {
      const length = 5003;
      const bytes = (factor: number): Uint8Array =>
        Uint8Array.from({ length: length + 8 }, (_, index) => (index * factor) >>> 3);
      const [left, right] = [bytes(7), bytes(11)];
      const target = { bytes: new Uint8Array(length + 8), start: 0 };
      combineBits(target, { bytes: left, start }, { bytes: right, start }, length, operation);
      const expected = new Uint8Array(length + 8);
      for (let index = 0; index < length; index++) {
        const [one, other] = [left[start + index]!, right[start + index]!];
        expected[index] = operation === "and" ? one & other : operation === "or" ? one | other : one ^ other;
      }
      assert.deepEqual(target.bytes, expected);
    }
  }
});

test("a number is read back from where it was written, and its neighbours stay", () => {
  fc.assert(
    fc.property(
      placed,
      share,
      fc.integer({ min: 1, max: 32 }),
      fc.nat(2 ** 32 - 1),
      ({ bytes, start, content, text }, place, width, value) => {
        const bits = Math.min(width, text.length);
        const offset = Math.floor(place * (text.length - bits));
        const before = Number.parseInt(text.slice(offset, offset + bits), 2);
        assert.equal(readBits(bytes, start, content.length, offset, bits), before);
        const written = value % 2 ** bits;
        writeBits(bytes, start, offset, bits, value);
        const digits = written.toString(2).padStart(bits, "0");
        const after = text.slice(0, offset) + digits + text.slice(offset + bits);
        assert.equal(bitText(bytes.subarray(start, start + content.length)), after);
        assert.ok([...bytes.subarray(0, start), ...bytes.subarray(start + content.length)].every((b) => b === 0xa5));
      },
    ),
    { numRuns: 400 },
  );
});

test("beyond the end of a string are zeros", () => {
  const bytes = Uint8Array.of(0xff, 0xff, 0xff);
  assert.equal(readBits(bytes, 0, 1, 4, 8), 0xf0);
  assert.equal(readBits(bytes, 0, 1, 80, 32), 0);
});
