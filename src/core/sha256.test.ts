import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { Sha256 } from "./sha256.ts";

test("the sums are the standard's for messages of every length around a block", () => {
  const sha256 = new Sha256();
  for (let length = 0; length <= 200; length++) {
    const message = Uint8Array.from({ length }, (_, index) => (index * 7 + length) & 0xff);
    assert.equal(sha256.hexadecimal(message), createHash("sha256").update(message).digest("hex"), `${length} bytes`);
  }
});

test("the sums are the standard's for any bytes", () => {
  const sha256 = new Sha256();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (message) => {
      assert.equal(sha256.hexadecimal(message), createHash("sha256").update(message).digest("hex"));
    }),
  );
});
