/**
 * When two replies mean the same.
 *
 *  I1  A comparison gives undefined or one sentence that says what differs. Nothing is normalized away silently: a form that
 *      is compared by less than all its bytes says so in its grammar, by naming one of these.
 *  I2  Every comparison tells errors from values, and compares errors byte for byte.
 */
import { parseReply, printable, type ReplyNode } from "../support/reply.ts";

/** Undefined when `actual` (ours) may stand for `expected` (Redis's); else what differs. A missing reply is undefined. */
export type ReplyComparison = (expected: Buffer | undefined, actual: Buffer | undefined) => string | undefined;

const show = (reply: Buffer | undefined): string =>
  reply === undefined ? "(connection ended)" : `"${printable(reply)}"`;

const isError = (reply: Buffer): boolean => reply[0] === 0x2d || reply[0] === 0x21;

/** The same bytes. */
export const compareExactly: ReplyComparison = (expected, actual) => {
  if (expected === undefined || actual === undefined) {
    return expected === actual ? undefined : `expected ${show(expected)}, got ${show(actual)}`;
  }
  return expected.equals(actual) ? undefined : `expected ${show(expected)}, got ${show(actual)}`;
};

/** Lifts a comparison of parsed values: errors, missing replies and equal bytes are settled before. */
function compareParsed(compare: (expected: ReplyNode, actual: ReplyNode) => string | undefined): ReplyComparison {
  return (expected, actual) => {
    const difference = compareExactly(expected, actual);
    if (difference === undefined || expected === undefined || actual === undefined) return difference;
    if (isError(expected) || isError(actual)) return difference;
    const reason = compare(parseReply(expected), parseReply(actual));
    return reason === undefined ? undefined : `${reason}: ${difference}`;
  };
}

const rendered = (node: ReplyNode): string => JSON.stringify(node);

/** The same items in any order, at the top level. */
export const compareUnordered: ReplyComparison = compareParsed((expected, actual) => {
  if (expected.type !== actual.type) return "another type";
  const left = expected.items.map(rendered).sort();
  const right = actual.items.map(rendered).sort();
  return left.length === right.length && left.every((item, index) => item === right[index]) ? undefined : "other items";
});

/** A cursor and items: the same cursor, the items in any order. */
export const compareScan: ReplyComparison = compareParsed((expected, actual) => {
  const [cursor, items] = expected.items;
  const [otherCursor, otherItems] = actual.items;
  if (items === undefined || otherItems === undefined) return "no cursor with items";
  if (cursor!.text !== otherCursor!.text) return "another cursor";
  const left = items.items.map(rendered).sort();
  const right = otherItems.items.map(rendered).sort();
  return left.length === right.length && left.every((item, index) => item === right[index]) ? undefined : "other items";
});

/** Integers that differ by `tolerance` at most; negative ones (no key, no time to live) must be equal. */
export const compareIntegers = (tolerance: number): ReplyComparison =>
  compareParsed((expected, actual) => {
    if (expected.type !== ":" || actual.type !== ":") return "another type";
    const left = Number(expected.text);
    const right = Number(actual.text);
    if (left < 0 || right < 0) return "another integer";
    return Math.abs(left - right) <= tolerance ? undefined : `integers more than ${tolerance} apart`;
  });

/** The same types in the same places; what they hold may differ, except that null stays null. */
export const compareShape: ReplyComparison = compareParsed((expected, actual) => {
  const shape = (node: ReplyNode): string =>
    `${node.type}${node.text === null ? "null" : ""}(${node.items.map(shape).join()})`;
  return shape(expected) === shape(actual) ? undefined : "another shape";
});

/** The type alone: for lists whose length depends on the server. */
export const compareType: ReplyComparison = compareParsed((expected, actual) =>
  expected.type === actual.type && (expected.text === null) === (actual.text === null) ? undefined : "another type",
);

/** Errors that begin with the same sentence: for texts that hold names of the machine or go on with details. */
export const compareErrorStart =
  (length: number): ReplyComparison =>
  (expected, actual) => {
    const difference = compareExactly(expected, actual);
    if (difference === undefined || expected === undefined || actual === undefined) return difference;
    return expected.subarray(0, length).equals(actual.subarray(0, length)) ? undefined : difference;
  };

/** Expands LZF data: runs of literals and back references. Throws on damage. Source: the public description of LibLZF's format. */
export function expandLzf(packed: Buffer, length: number): Buffer {
  const plain = Buffer.alloc(length);
  let at = 0;
  let end = 0;
  while (at < packed.length) {
    const control = packed[at++]!;
    if (control < 32) {
      for (let count = control + 1; count > 0; count--) plain[end++] = packed[at++]!;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += packed[at++]!;
    let from = end - ((control & 31) << 8) - packed[at++]! - 1;
    if (from < 0) throw new Error("LZF reference before the start");
    for (count += 2; count > 0; count--) plain[end++] = plain[from++]!;
  }
  if (end !== length) throw new Error(`LZF data of ${end} bytes, not ${length}`);
  return plain;
}

/** A length of the RDB format at `at`: [value, offset after it], value -1 for the LZF mark. Throws on other marks. */
function readLength(bytes: Buffer, at: number): [number, number] {
  const first = bytes[at]!;
  if (first >> 6 === 0) return [first & 63, at + 1];
  if (first >> 6 === 1) return [((first & 63) << 8) | bytes[at + 1]!, at + 2];
  if (first === 0x80) return [bytes.readUInt32BE(at + 1), at + 5];
  if (first === 0xc3) return [-1, at + 1];
  throw new Error(`length mark ${first} in a dump`);
}

/** The content of a dumped string that was packed with LZF; undefined for any other dump. Throws on damage. */
function packedString(dump: Buffer): Buffer | undefined {
  if (dump[0] !== 0 || dump[1] !== 0xc3) return undefined;
  const [packedLength, afterPacked] = readLength(dump, 2);
  const [plainLength, start] = readLength(dump, afterPacked);
  return expandLzf(dump.subarray(start, start + packedLength), plainLength);
}

/** Dumps with the same bytes, or packed strings with the same content: LZF leaves a packer free in what it finds. */
export const compareDumps: ReplyComparison = compareParsed((expected, actual) => {
  if (expected.type !== "$" || actual.type !== "$" || expected.text === null || actual.text === null)
    return "another type";
  const left = Buffer.from(expected.text, "latin1");
  const right = Buffer.from(actual.text, "latin1");
  const content = packedString(left);
  const otherContent = packedString(right);
  if (content === undefined || otherContent === undefined) return "another form";
  // Between content and checksum stands the RDB version.
  const versions = [left, right].map((dump) => dump.readUInt16LE(dump.length - 10));
  if (versions[0] !== versions[1]) return "another RDB version";
  return content.equals(otherContent) ? undefined : "another content";
});
