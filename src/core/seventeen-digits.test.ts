import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSeventeenDigits } from "./seventeen-digits.ts";

test("numbers are printed as C's %.17g prints them", () => {
  const expected: readonly (readonly [number, string])[] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-100, "-100"],
    [0.1, "0.10000000000000001"],
    [1.5, "1.5"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [3e-9, "3e-09"],
    [1e16, "10000000000000000"],
    [1e17, "1e+17"],
    [123456789012345680, "1.2345678901234568e+17"],
    [1e100, "1e+100"],
    [-1e300, "-1.0000000000000001e+300"],
    [5e-324, "4.9406564584124654e-324"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
    [Number.NaN, "nan"],
  ];
  for (const [value, text] of expected) assert.equal(formatSeventeenDigits(value), text);
});
