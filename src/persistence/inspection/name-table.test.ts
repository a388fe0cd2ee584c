import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NameTable } from "./name-table.ts";

const name = fc.uint8Array({ maxLength: 3, max: 3 });

test("names are counted as a map counts them", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat(1000)), { maxLength: 400 }), (entries) => {
      const table = new NameTable(1000);
      const model = new Map<string, [number, number, number]>();
      for (const [bytes, size] of entries) {
        const padded = Buffer.concat([Buffer.from("xx"), bytes, Buffer.from("y")]);
        table.add(padded, 2, bytes.length, size, 1);
        const key = Buffer.from(bytes).toString("hex");
        const [count, sum, extra] = model.get(key) ?? [0, 0, 0];
        model.set(key, [count + 1, sum + size, extra + 1]);
      }
      const counted = table
        .entries()
        .map(({ name, count, bytes, extra }) => [Buffer.from(name).toString("hex"), [count, bytes, extra]]);
      assert.deepEqual(new Map(counted as [string, [number, number, number]][]), model);
      assert.equal(table.size, model.size);
    }),
  );
});

test("a table that is full keeps the names that hold most, and nothing that was counted is lost", () => {
  const table = new NameTable(100);
  const nameOf = (number: number) => Buffer.from(`name:${number}`);
  for (let round = 0; round < 3; round++) {
    for (let number = 0; number < 1000; number++) {
      const bytes = nameOf(number);
      table.add(bytes, 0, bytes.length, number < 10 ? 1_000_000 : 1, 2);
    }
  }
  assert.ok(table.size <= 100);
  const entries = table.entries();
  const sum = (field: "count" | "bytes" | "extra") => entries.reduce((total, entry) => total + entry[field], 0);
  assert.equal(sum("count") + table.othersCount, 3000);
  assert.equal(sum("bytes") + table.othersBytes, 30_000_000 + 2970);
  assert.equal(sum("extra") + table.othersExtra, 6000);
  for (let number = 0; number < 10; number++) {
    assert.equal(entries.find((entry) => nameOf(number).equals(entry.name))?.count, 3, `name:${number}`);
  }
});
