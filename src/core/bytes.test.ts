import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { copyBytes } from "./bytes.ts";

const place = fc.nat({ max: 100 });

test("bytes are copied as they were, within one array also to a place that overlaps", () => {
  fc.assert(
    fc.property(fc.boolean(), place, place, fc.nat({ max: 90 }), (isWithin, start, at, length) => {
      const source = Uint8Array.from({ length: 200 }, (_, index) => index);
      const target = isWithin ? source : new Uint8Array(200).fill(255);
      const expected = Uint8Array.from(target);
      expected.set(source.slice(start, start + length), at);
      copyBytes(source, start, length, target, at);
      assert.deepEqual(target, expected);
    }),
  );
});
