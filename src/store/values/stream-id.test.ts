import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareIds,
  decrementId,
  ID_INVALID,
  ID_OPEN_SEQUENCE,
  ID_WHOLE,
  idFromBigints,
  idText,
  incrementId,
  makeId,
  parseId,
} from "./stream-id.ts";

const halves = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);
const ids = fc.tuple(halves, halves);

function made([ms, sequence]: readonly [bigint, bigint]): Uint32Array {
  const id = makeId();
  idFromBigints(id, ms, sequence);
  return id;
}

function whole([ms, sequence]: readonly [bigint, bigint]): bigint {
  return (ms << 64n) | sequence;
}

test("ids of 64 bits are read, written, ordered and counted exactly", () => {
  fc.assert(
    fc.property(ids, ids, (left, right) => {
      const text = `${left[0]}-${left[1]}`;
      assert.equal(idText(made(left)), text);
      const read = makeId();
      assert.equal(parseId(Buffer.from(text), 0, text.length, read, false, true, false), ID_WHOLE);
      assert.deepEqual(read, made(left));
      const difference = whole(left) - whole(right);
      assert.equal(Math.sign(compareIds(made(left), made(right))), difference < 0n ? -1 : difference > 0n ? 1 : 0);
      const next = made(left);
      assert.equal(incrementId(next), whole(left) !== 2n ** 128n - 1n);
      assert.equal(decrementId(next), whole(left) !== 2n ** 128n - 1n);
      assert.deepEqual(next, made(left));
    }),
  );
});

test("what Redis takes for an id, and what it does not", () => {
  const read = (text: string, isStrict = true, takesOpen = false): string => {
    const id = makeId();
    const form = parseId(Buffer.from(text, "latin1"), 0, text.length, id, false, isStrict, takesOpen);
    return form === ID_INVALID ? "invalid" : form === ID_OPEN_SEQUENCE ? `${idText(id)} open` : idText(id);
  };
  assert.equal(read("5"), "5-0");
  assert.equal(read("005-06"), "5-6");
  assert.equal(read(" 5"), "5-0");
  assert.equal(read("+5"), "5-0");
  assert.equal(read("5--01"), "5-18446744073709551615");
  assert.equal(read("1\x005"), "1-0");
  assert.equal(read("5-*", true, true), "5-0 open");
  assert.equal(read("-", false), "0-0");
  assert.equal(read("+", false), "18446744073709551615-18446744073709551615");
  for (const text of ["-", "+", "", "abc", "5-", "-5", "5--5", "5-*", "18446744073709551616", "5 ", "1-1-1"]) {
    assert.equal(read(text), "invalid", text);
  }
});
