import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 200 }) },
  { weight: 3, arbitrary: fc.integer({ min: 200, max: 2100 }) },
  { weight: 2, arbitrary: fc.integer({ min: 2000, max: 70_000 }) },
);

test("cells keep what was written into them whatever is allocated and freed around them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ free: fc.nat(), size: sizes, isFree: fc.boolean() }), { maxLength: 300 }),
      (steps) => {
        const arena = new Arena();
        const model: { address: number; size: number; mark: number }[] = [];
        let mark = 1;
        for (const step of steps) {
          if (step.isFree && model.length > 0) {
            const [cell] = model.splice(step.free % model.length, 1);
            check(arena, cell!);
            arena.free(cell!.address);
          } else {
            const address = arena.allocate(step.size);
            assert.notEqual(address, 0);
            assert.ok(arena.capacity(address) >= step.size);
            assert.equal(arena.capacity(address), Arena.cellBytes(step.size));
            const cell = { address, size: step.size, mark: mark++ & 255 };
            view(arena, cell).fill(cell.mark);
            model.push(cell);
          }
          arena.verify();
        }
        for (const cell of model) check(arena, cell);
        for (const cell of model) arena.free(cell.address);
        arena.verify();
        assert.equal(arena.usedBytes, 0);
        assert.equal(arena.statistics().activeBytes, 0);
      },
    ),
    { numRuns: 60 },
  );
});

test("memory that was freed is used again", () => {
  const arena = new Arena();
  for (let round = 0; round < 5; round++) {
    const cells: number[] = [];
    for (let index = 0; index < 20_000; index++) cells.push(arena.allocate(24 + (index % 700)));
    for (const cell of cells) arena.free(cell);
  }
  const once = new Arena();
  for (let index = 0; index < 20_000; index++) once.allocate(24 + (index % 700));
  assert.ok(arena.statistics().touchedBytes <= once.statistics().touchedBytes * 1.05);
});

test("a cell of 64 bytes never crosses a 64-byte line of the segment", () => {
  const arena = new Arena();
  for (let index = 0; index < 1000; index++) assert.equal(((arena.allocate(64) & UNIT_MASK) * 8) % 64, 0);
});

test("more than one segment holds data, and a large cell lies in one of them", () => {
  const arena = new Arena();
  const bigBytes = 600 * 1024 * 1024;
  const big = arena.allocate(bigBytes);
  const bytes = arena.bytes[big >>> SEGMENT_SHIFT]!;
  bytes[(big & UNIT_MASK) * 8 + bigBytes - 1] = 7;
  const small: number[] = [];
  for (let index = 0; index < 100; index++) small.push(arena.allocate(8 * 1024 * 1024));
  assert.ok(arena.bytes.length >= 3);
  for (const cell of small) arena.free(cell);
  arena.free(big);
  arena.verify();
  assert.equal(arena.usedBytes, 0);
});

test("reset forgets all cells and leaves an arena that works", () => {
  const arena = new Arena();
  for (let index = 0; index < 1000; index++) arena.allocate(index + 1);
  assert.ok(arena.isSmall());
  arena.reset();
  assert.equal(arena.usedBytes, 0);
  arena.allocate(100);
  arena.verify();
});

interface Cell {
  address: number;
  size: number;
  mark: number;
}

function view(arena: Arena, cell: Cell): Uint8Array {
  const at = (cell.address & UNIT_MASK) * 8;
  return arena.bytes[cell.address >>> SEGMENT_SHIFT]!.subarray(at, at + cell.size);
}

function check(arena: Arena, cell: Cell): void {
  assert.ok(
    view(arena, cell).every((byte) => byte === cell.mark),
    "the cell's bytes changed",
  );
}
