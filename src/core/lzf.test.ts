import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LzfCompressor, lzfDecompress } from "./lzf.ts";

const compressible = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.nat(40)), { maxLength: 60 })
  .map((parts) => Buffer.concat(parts.flatMap(([piece, count]) => Array.from({ length: count }, () => piece))));

test("what was compressed expands to itself, with one compressor for all inputs", () => {
  const compressor = new LzfCompressor();
  let smaller = 0;
  fc.assert(
    fc.property(fc.oneof(compressible, fc.uint8Array({ maxLength: 400 })), fc.nat(5), (bytes, shift) => {
      const source = new Uint8Array(bytes.length + shift);
      source.set(bytes, shift);
      const target = new Uint8Array(bytes.length * 2 + 30).fill(0xee);
      const length = compressor.compress(source, shift, bytes.length, target, 4, bytes.length + 20);
      assert.ok(target.subarray(0, 4).every((byte) => byte === 0xee));
      if (bytes.length === 0) return assert.equal(length, 0);
      assert.ok(length > 0);
      assert.ok(target.subarray(4 + length).every((byte) => byte === 0xee));
      if (length < bytes.length) smaller++;
      const back = new Uint8Array(bytes.length + 2);
      assert.ok(lzfDecompress(target, 4, length, back, 1, bytes.length));
      assert.deepEqual(back.subarray(1, 1 + bytes.length), source.subarray(shift));
    }),
  );
  assert.ok(smaller > 10);
});

test("nothing is written beyond a small target and 0 says that it did not fit", () => {
  const compressor = new LzfCompressor();
  fc.assert(
    fc.property(compressible, fc.nat(100), (bytes, targetMax) => {
      const target = new Uint8Array(targetMax + 300).fill(0xee);
      const length = compressor.compress(bytes, 0, bytes.length, target, 0, targetMax);
      assert.ok(length <= targetMax);
      assert.ok(target.subarray(targetMax).every((byte) => byte === 0xee));
    }),
  );
});

test("the compressed form is the one that redis-server 7.0 dumps, or none where it has none", () => {
  const compressor = new LzfCompressor();
  const compress = (text: string): string => {
    const source = Buffer.from(text, "latin1");
    const target = Buffer.alloc(source.length);
    return target.toString("hex", 0, compressor.compress(source, 0, source.length, target, 0, source.length - 4));
  };
  assert.equal(compress("ab".repeat(100)), "02616261e0ba01016162");
  for (const plain of ["12345678901234567890H", `${"\0".repeat(11)}Hello, World`, "0.112345678901234567890"]) {
    assert.equal(compress(plain), "");
  }
});

test("long runs and far matches use the long forms", () => {
  const compressor = new LzfCompressor();
  const source = Buffer.alloc(100_000, "x");
  const target = new Uint8Array(source.length);
  const length = compressor.compress(source, 0, source.length, target, 0, target.length);
  assert.ok(length > 0 && length < 1300, `${length}`);
  const back = new Uint8Array(source.length);
  assert.ok(lzfDecompress(target, 0, length, back, 0, back.length));
  assert.equal(source.compare(back), 0);
});

test("any input expands or is refused, and nothing outside the target changes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(80), (bytes, targetLength) => {
      const target = new Uint8Array(targetLength + 20).fill(0xee);
      lzfDecompress(bytes, 0, bytes.length, target, 10, targetLength);
      assert.ok(target.subarray(0, 10).every((byte) => byte === 0xee));
      assert.ok(target.subarray(10 + targetLength).every((byte) => byte === 0xee));
    }),
    { numRuns: 2000 },
  );
});
