import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "./sip-hash.ts";

const rotate = (word: number, bits: number) => ((word << bits) | (word >>> (32 - bits))) >>> 0;

/** HalfSipHash-c-d as its paper writes it, as an oracle. */
function halfSipHash(c: number, d: number, low: number, high: number, bytes: Uint8Array): number {
  const v = [low, high, 0x6c796765 ^ low, 0x74656462 ^ high].map((word) => word >>> 0);
  const mix = (a: number, b: number, bits: number) => {
    v[a] = (v[a]! + v[b]!) >>> 0;
    v[b] = (rotate(v[b]!, bits) ^ v[a]!) >>> 0;
  };
  const round = () => {
    mix(0, 1, 5);
    v[0] = rotate(v[0]!, 16);
    mix(2, 3, 8);
    mix(0, 3, 7);
    mix(2, 1, 13);
    v[2] = rotate(v[2]!, 16);
  };
  const padded = Buffer.alloc((Math.floor(bytes.length / 4) + 1) * 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.readUInt32LE(at);
    v[3] = (v[3]! ^ word) >>> 0;
    for (let count = 0; count < c; count++) round();
    v[0] = (v[0]! ^ word) >>> 0;
  }
  v[2] = (v[2]! ^ 0xff) >>> 0;
  for (let count = 0; count < d; count++) round();
  return (v[1]! ^ v[3]!) | 0;
}

test("the oracle gives the published HalfSipHash-2-4 vectors", () => {
  const expected = [0x5b9f35a9, 0xb85a4727, 0x03a662fa];
  expected.forEach((value, length) => {
    const bytes = Uint8Array.from({ length }, (_, index) => index);
    assert.equal(halfSipHash(2, 4, 0x03020100, 0x07060504, bytes) >>> 0, value);
  });
});

test("KeyHash is HalfSipHash-1-3 at any offset", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), fc.uint8Array({ maxLength: 300 }), fc.nat(5), (low, high, bytes, shift) => {
      const moved = new Uint8Array(bytes.length + shift + 3).fill(7);
      moved.set(bytes, shift);
      assert.equal(new KeyHash(low, high).hash(moved, shift, bytes.length), halfSipHash(1, 3, low, high, bytes));
    }),
  );
});
