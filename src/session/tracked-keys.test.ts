import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "../core/sip-hash.ts";
import { TrackedKeys } from "./tracked-keys.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A table whose choices by chance come from a simple sequence. */
function makeTable(): TrackedKeys {
  let state = 1;
  return new TrackedKeys(new KeyHash(1, 2), () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  });
}

function add(table: TrackedKeys, serial: number, key: string): void {
  const bytes = bytesOf(`<${key}>`);
  assert.ok(table.add(serial, bytes, 1, bytes.length - 2));
}

function take(table: TrackedKeys, key: string): number[] | undefined {
  const bytes = bytesOf(`<${key}>`);
  if (!table.take(bytes, 1, bytes.length - 2)) return undefined;
  return Array.from(table.serials.subarray(0, table.serialCount));
}

test("A key remembers each of its readers once and is taken out with all of them", () => {
  const table = makeTable();
  for (const serial of [5, 1, 5, 9, 3, 1, 7, 2, 9, 4]) add(table, serial, "k");
  add(table, 8, "");
  assert.deepEqual([table.count, table.itemCount], [2, 8]);
  table.verify();
  assert.deepEqual(take(table, "k"), [1, 2, 3, 4, 5, 7, 9]);
  assert.equal(take(table, "k"), undefined);
  assert.deepEqual(take(table, ""), [8]);
  assert.deepEqual([table.count, table.itemCount], [0, 0]);
  table.verify();
});

test("The table behaves like a map of sets", () => {
  const step = fc.record({
    action: fc.constantFrom("add", "add", "add", "take", "takeAny", "clear"),
    key: fc.integer({ min: 0, max: 300 }).map((number) => "k".repeat(number % 40) + number),
    serial: fc.integer({ min: -2, max: 20 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
      const table = makeTable();
      const model = new Map<string, Set<number>>();
      for (const { action, key, serial } of steps) {
        if (action === "add") {
          add(table, serial, key);
          model.set(key, (model.get(key) ?? new Set()).add(serial));
        } else if (action === "take") {
          const expected = model.get(key);
          assert.deepEqual(take(table, key), expected === undefined ? undefined : sorted(expected));
          model.delete(key);
        } else if (action === "takeAny") {
          assert.equal(table.takeAny(), model.size > 0);
          if (model.size === 0) continue;
          const found = new TextDecoder().decode(table.keyBytes.subarray(0, table.keyLength));
          assert.deepEqual(Array.from(table.serials.subarray(0, table.serialCount)), sorted(model.get(found)!));
          model.delete(found);
        } else if (serial === 0) {
          table.clear();
          model.clear();
        }
        assert.equal(table.count, model.size);
      }
      table.verify();
      for (const [key, serials] of model) assert.deepEqual(take(table, key), sorted(serials));
      assert.equal(table.itemCount, 0);
    }),
    { numRuns: 60 },
  );
});

test("Keys of one reader take little more than their bytes", () => {
  const table = makeTable();
  for (let index = 0; index < 20_000; index++) add(table, 1, `object:${index}`);
  assert.ok(table.memoryBytes / 20_000 < 52, `${table.memoryBytes / 20_000} bytes a key`);
  table.verify();
});

function sorted(serials: Set<number>): number[] {
  return [...serials].sort((left, right) => left - right);
}
