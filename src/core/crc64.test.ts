import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Crc64 } from "./crc64.ts";

/** The definition, bit by bit: the oracle. */
function slowCrc64(bytes: Uint8Array): string {
  let sum = 0n;
  for (const byte of bytes) {
    sum ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1n) === 1n ? (sum >> 1n) ^ 0x95ac9329ac4bc9b5n : sum >> 1n;
  }
  return sum.toString(16).padStart(16, "0");
}

test("the check value is Redis's", () => {
  const sum = new Crc64();
  sum.update(Buffer.from("123456789"), 0, 9);
  assert.equal(sum.hexadecimal(), "e9c6d914c4b8d9ca");
});

test("any cut at any alignment gives the sum of the definition", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), fc.nat(9), (bytes, cut, shift) => {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const middle = shift + Math.min(cut, bytes.length);
      const sum = new Crc64();
      sum.update(moved, shift, middle);
      sum.update(moved, middle, moved.length);
      assert.equal(sum.hexadecimal(), slowCrc64(bytes));
      const digest = new Uint8Array(10);
      sum.writeDigest(digest, 2);
      assert.ok(sum.equalsDigest(digest, 2));
      digest[5]! ^= 1;
      assert.ok(!sum.equalsDigest(digest, 2));
      sum.reset();
      assert.equal(sum.hexadecimal(), "0000000000000000");
    }),
  );
});
