import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  entryAt,
  firstEntry,
  isListpackEnd,
  LISTPACK_EMPTY_BYTES,
  Listpack,
  listpackBytes,
  listpackCount,
  listpackEnd,
  nextEntry,
  previousEntry,
  writeListpackHead,
} from "./listpack.ts";

const elements = fc.array(
  fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => value.toString()),
    fc.integer({ min: -200, max: 200 }).map(String),
    fc.integer({ min: -70000, max: 70000 }).map(String),
    fc.string({ maxLength: 80, unit: "binary-ascii" }),
    fc.constantFrom("", "-", "-0", "007", "+1", "9223372036854775808", "-9223372036854775808", "x".repeat(5000)),
  ),
  { maxLength: 40 },
);

function blobOf(listpack: Listpack, items: readonly string[], at: number): Uint8Array {
  listpack.begin();
  for (const item of items) {
    const bytes = Buffer.from(item, "latin1");
    listpack.append(bytes, 0, bytes.length);
  }
  const blob = new Uint8Array(at + LISTPACK_EMPTY_BYTES + listpack.madeLength);
  listpack.writeBlob(blob, at);
  return blob;
}

function textAt(listpack: Listpack, blob: Uint8Array, at: number): string {
  listpack.read(blob, at);
  return Buffer.from(listpack.valueBytes)
    .subarray(listpack.valueStart, listpack.valueStart + listpack.valueLength)
    .toString("latin1");
}

test("what was put in comes out in order, forwards and backwards, and by index", () => {
  fc.assert(
    fc.property(elements, fc.nat(20), (items, at) => {
      const listpack = new Listpack();
      const blob = blobOf(listpack, items, at);
      assert.equal(listpackBytes(blob, at), blob.length - at);
      assert.equal(listpackCount(blob, at), items.length);
      const forwards: string[] = [];
      let place = firstEntry(at);
      for (; !isListpackEnd(blob, place); place = nextEntry(blob, place)) forwards.push(textAt(listpack, blob, place));
      assert.equal(place, listpackEnd(blob, at));
      assert.deepEqual(forwards, items);
      const backwards: string[] = [];
      while (place !== firstEntry(at)) {
        place = previousEntry(blob, place);
        backwards.unshift(textAt(listpack, blob, place));
      }
      assert.deepEqual(backwards, items);
      items.forEach((item, index) => {
        assert.equal(textAt(listpack, blob, entryAt(blob, at, index)), item);
        assert.equal(textAt(listpack, blob, entryAt(blob, at, index - items.length)), item);
      });
      assert.equal(entryAt(blob, at, items.length), -1);
      assert.equal(entryAt(blob, at, -items.length - 1), -1);
    }),
  );
});

test("an element is found exactly where an equal one stands", () => {
  fc.assert(
    fc.property(elements, fc.nat(60), (items, pick) => {
      const listpack = new Listpack();
      const blob = blobOf(listpack, items, 0);
      const sought = Buffer.from(items[pick] ?? "not there at all", "latin1");
      listpack.begin();
      listpack.append(sought, 0, sought.length);
      const found = listpack.find(blob, firstEntry(0), 0);
      const index = items.indexOf(sought.toString("latin1"));
      assert.equal(found, index === -1 ? -1 : entryAt(blob, 0, index));
    }),
  );
});

test("with skip only every other entry is looked at", () => {
  const listpack = new Listpack();
  const blob = blobOf(listpack, ["b", "a", "a", "b"], 0);
  const a = Buffer.from("a");
  listpack.begin();
  listpack.append(a, 0, 1);
  assert.equal(listpack.find(blob, firstEntry(0), 1), entryAt(blob, 0, 2));
});

test("more than 65534 entries are counted one by one", () => {
  const listpack = new Listpack();
  const items = Array.from({ length: 65_536 }, () => "x");
  const blob = blobOf(listpack, items, 0);
  assert.equal(listpackCount(blob, 0), 65_536);
  writeListpackHead(blob, 0, blob.length, 1);
  assert.equal(listpackCount(blob, 0), 65_536);
});

test("the bytes are those of a real server", () => {
  // DEBUG LISTPACK and DUMP of redis-server 7.0: HSET h a 1 b -5000 c 4095
  const listpack = new Listpack();
  const blob = blobOf(listpack, ["a", "1", "b", "-5000", "c", "4095"], 0);
  assert.equal(Buffer.from(blob).toString("hex"), "1900000006008161020101816202f178ec03816302cfff02ff");
});
