import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../test/support/seed.ts";
import { ExactTrigonometry } from "./exact-trigonometry.ts";

const SCALE = 2n ** 200n;

/** A double as a whole number of 2^-200, exactly (tiny ones rounded). */
function fixed(value: number): bigint {
  const mantissa = BigInt(Math.round((Math.abs(value) / 2 ** Math.floor(Math.log2(Math.abs(value)))) * 2 ** 52));
  const shift = BigInt(200 - 52 + Math.floor(Math.log2(Math.abs(value))));
  const whole = shift >= 0n ? mantissa << shift : mantissa >> -shift;
  return value < 0 ? -whole : whole;
}

/** Sine or cosine by the series alone, in whole numbers of 2^-200. */
function series(x: bigint, isCosine: boolean): bigint {
  let term = isCosine ? SCALE : x;
  let sum = 0n;
  for (let n = isCosine ? 1n : 2n; term !== 0n; n += 2n) {
    sum += term;
    term = (((-term * x) / SCALE) * x) / SCALE / (n * (n + 1n));
  }
  return sum;
}

/** Whether no other double is nearer to the value. */
function isNearest(found: number, value: bigint): boolean {
  const ulp = 2 ** (Math.floor(Math.log2(Math.abs(found))) - 52);
  const distance = fixed(found) - value;
  return (distance < 0n ? -distance : distance) * 2n <= fixed(ulp);
}

test("sine and cosine are the doubles nearest to the true values", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const exact = new ExactTrigonometry();
  for (let round = 0; round < 3000; round++) {
    const size = 2 ** -random.below(30);
    const x = (random.uint32() / 2 ** 32 + random.uint32() / 2 ** 64 - 0.5) * 2 * Math.PI * size;
    if (x === 0) continue;
    assert.ok(isNearest(exact.sin(x), series(fixed(x), false)), `sin ${x}, seed ${seed}`);
    assert.ok(isNearest(exact.cos(x), series(fixed(x), true)), `cos ${x}, seed ${seed}`);
  }
});

test("arc sine undoes sine to the last bit", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const exact = new ExactTrigonometry();
  for (let round = 0; round < 3000; round++) {
    const y = random.uint32() / 2 ** 32 + random.uint32() / 2 ** 64;
    if (y === 0 || y >= 0.99999) continue;
    const angle = exact.asin(y);
    const ulp = 2 ** (Math.floor(Math.log2(angle)) - 52);
    // The sine rises: y lies between those of the angles half a unit below and above.
    const half = fixed(ulp) / 2n;
    assert.ok(series(fixed(angle) - half, false) <= fixed(y), `${y}, seed ${seed}`);
    assert.ok(series(fixed(angle) + half, false) >= fixed(y), `${y}, seed ${seed}`);
  }
});

test("zero stays zero", () => {
  const exact = new ExactTrigonometry();
  assert.equal(exact.sin(0), 0);
  assert.equal(exact.cos(0), 1);
  assert.equal(exact.asin(0), 0);
});
