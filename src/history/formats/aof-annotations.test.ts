import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ANNOTATION_BYTES_MAX, AnnotationParser, writeMark, writePosition, writeTimestamp } from "./aof-annotations.ts";

const ID = "0123456789abcdef0123456789abcdef01234567";

/** The line that `write` makes, with the end that it must have taken off. */
function lineOf(write: (target: Uint8Array, at: number) => number): Buffer {
  const target = Buffer.alloc(ANNOTATION_BYTES_MAX + 7);
  const end = write(target, 7);
  assert.equal(target.toString("latin1", end - 2, end), "\r\n");
  return target.subarray(7, end - 2);
}

/** What is read out of a line that stands among other bytes; undefined when it is unknown. */
function read(line: string | Uint8Array): Record<string, unknown> | undefined {
  const bytes = Buffer.concat([Buffer.from("123"), Buffer.from(line as string, "latin1"), Buffer.from("456")]);
  const parser = new AnnotationParser();
  if (!parser.parse(bytes, 3, bytes.length - 3)) return undefined;
  const { timeMs, source, replicationId, offset } = parser;
  return { timeMs, source, replicationId, offset };
}

const nothing = { source: undefined, replicationId: undefined, offset: undefined };

test("each kind of line is written as the format says", () => {
  assert.equal(lineOf((target, at) => writeTimestamp(target, at, 1795240652)).toString(), "#TS:1795240652");
  assert.equal(lineOf((target, at) => writeMark(target, at, 1795240652123, "")).toString(), "#EK:1795240652123");
  assert.equal(
    lineOf((target, at) => writeMark(target, at, 5, "127.0.0.1:6379")).toString(),
    "#EK:5 by 127.0.0.1:6379",
  );
  assert.equal(lineOf((target, at) => writePosition(target, at, 5, ID, 77)).toString(), `#EK:5 at ${ID} 77`);
});

test("seconds of Redis's own lines are told as milliseconds", () => {
  assert.deepEqual(read("#TS:1795240652"), { ...nothing, timeMs: 1795240652000 });
});

test("what was written is read back", () => {
  const time = fc.maxSafeNat();
  const source = fc.string({
    unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 256,
  });
  const id = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(time, source, id, fc.maxSafeNat(), (timeMs, by, replicationId, offset) => {
      const mark = lineOf((target, at) => writeMark(target, at, timeMs, by));
      assert.deepEqual(read(mark), { ...nothing, timeMs, source: by });
      const position = lineOf((target, at) => writePosition(target, at, timeMs, replicationId, offset));
      assert.deepEqual(read(position), { timeMs, source: undefined, replicationId, offset });
    }),
  );
});

test("a source cannot end its line, and does not make it too long", () => {
  const line = lineOf((target, at) => writeMark(target, at, 1, "a\r\n*1\r\né\u{1f600}\x7f"));
  assert.equal(line.toString("latin1"), "#EK:1 by a??*1??????");
  const long = lineOf((target, at) => writeMark(target, at, Number.MAX_SAFE_INTEGER, "x".repeat(5000)));
  assert.ok(long.length < ANNOTATION_BYTES_MAX);
  assert.equal(read(long)?.source, "x".repeat(256));
});

test("a parser gives the same text for the same source", () => {
  const parser = new AnnotationParser();
  for (const source of ["a:1", "b:2", "b:2", "a:1", "a:12"]) {
    const line = Buffer.from(`#EK:1 by ${source}`);
    assert.ok(parser.parse(line, 0, line.length));
    assert.equal(parser.source, source);
  }
});

test("a line that is anything else is unknown, and says nothing", () => {
  const lines = [
    "#",
    "#hello",
    "#TS:",
    "#TS:1x",
    "#TS:-1",
    "#TS:1 by a",
    "#EK:",
    "#EK:x",
    "#EK:1 ",
    "#EK:1 by ",
    "#EK:1 by",
    "#EK:1 of x",
    "#EK:1  by x",
    "#ek:1",
    "#EK:99999999999999999",
    `#EK:1 at ${ID}`,
    `#EK:1 at ${ID} `,
    `#EK:1 at ${ID} x`,
    `#EK:1 at ${ID} 7 `,
    `#EK:1 at ${ID}7 7`,
    `#EK:1 at ${ID.slice(1)} 7`,
    `#EK:1 at ${ID.slice(1)}g 7`,
    `#EK:1 at ${ID} 99999999999999999`,
  ];
  for (const line of lines) assert.equal(read(line), undefined, line);
});
