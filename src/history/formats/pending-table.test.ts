import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PackedFault } from "./packed.ts";
import { PendingTable } from "./pending-table.ts";

const half = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("every id that was added is found, and no other", () => {
  const table = new PendingTable();
  fc.assert(
    fc.property(fc.array(fc.tuple(half, half), { maxLength: 300 }), fc.tuple(half, half), (ids, stranger) => {
      const known = new Map(ids.map(([ms, sequence]) => [`${ms}-${sequence}`, [ms, sequence] as const]));
      const ascending = [...known.values()].sort(([ms, sequence], [otherMs, otherSequence]) =>
        ms !== otherMs ? (ms < otherMs ? -1 : 1) : sequence < otherSequence ? -1 : 1,
      );
      table.clear();
      for (const [index, [ms, sequence]] of ascending.entries()) table.add(ms, sequence, index * 10, index);
      for (const [index, [ms, sequence]] of ascending.entries()) {
        assert.equal(table.find(ms, sequence), index);
        assert.equal(table.deliveredAtMs[index], index * 10);
        assert.equal(table.deliveryCount[index], index);
      }
      if (!known.has(stranger.join("-"))) assert.equal(table.find(...stranger), -1);
    }),
  );
});

test("ids that do not ascend are refused", () => {
  for (const [ms, sequence] of [
    [5n, 5n],
    [5n, 4n],
    [4n, 9n],
  ] as const) {
    const table = new PendingTable();
    table.add(5n, 5n, 0, 0);
    assert.throws(() => table.add(ms, sequence, 0, 0), PackedFault);
  }
});
