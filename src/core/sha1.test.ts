import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { Sha1 } from "./sha1.ts";

function hex(bytes: Uint8Array): string {
  const target = new Uint8Array(20);
  new Sha1().hash(bytes, 0, bytes.length, target, 0);
  return Buffer.from(target).toString("hex");
}

test("SHA-1 of the standard's examples is what the standard says", () => {
  assert.equal(hex(Buffer.from("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(hex(Buffer.from("")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
});

test("SHA-1 of every length around the block's size is that of another implementation", () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 7);
    assert.equal(hex(bytes), createHash("sha1").update(bytes).digest("hex"), `length ${length}`);
  }
});

test("SHA-1 of any part of any bytes is that of another implementation", () => {
  const hasher = new Sha1();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(100), (bytes, before) => {
      const start = Math.min(before, bytes.length);
      const target = new Uint8Array(22);
      hasher.hash(bytes, start, bytes.length - start, target, 1);
      assert.equal(
        Buffer.from(target.subarray(1, 21)).toString("hex"),
        createHash("sha1").update(bytes.subarray(start)).digest("hex"),
      );
    }),
  );
});
