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

test("strings are combined bit by bit at any alignment, and no byte behind them changes", () => {
  fc.assert(
    fc.property(placed, placed, fc.constantFrom("and", "or", "xor"), (left, right, operation) => {
      const length = Math.min(left.content.length, right.content.length);
      const target = Uint8Array.from(left.content);
      combineBits(target, right.bytes, right.start, length, operation as "and" | "or" | "xor");
      const expected = left.content.map((byte, index) => {
        if (index >= length) return byte;
        const other = right.content[index]!;
        return operation === "and" ? byte & other : operation === "or" ? byte | other : byte ^ other;
      });
      assert.deepEqual(target, expected);
      invertBits(target);
      assert.deepEqual(
        target,
        expected.map((byte) => ~byte),
      );
    }),
    { numRuns: 200 },
  );
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
