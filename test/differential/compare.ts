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
export function compareParsed(
  compare: (expected: ReplyNode, actual: ReplyNode) => string | undefined,
): ReplyComparison {
  return (expected, actual) => {
    const difference = compareExactly(expected, actual);
    if (difference === undefined || expected === undefined || actual === undefined) return difference;
    if (isError(expected) || isError(actual)) return difference;
    const reason = compare(parseReply(expected), parseReply(actual));
    return reason === undefined ? undefined : `${reason}: ${difference}`;
  };
}

const rendered = (node: ReplyNode): string => JSON.stringify(node);

/** The items of a list, or its neighbours two by two, without their order. */
function unordered(node: ReplyNode, isPairs: boolean): string {
  const items = node.items.map(rendered);
  if (!isPairs) return items.sort().join();
  return items
    .flatMap((item, index) => (index % 2 === 0 ? [`${item} ${items[index + 1]}`] : []))
    .sort()
    .join();
}

const compareLists = (isPairs: boolean): ReplyComparison =>
  compareParsed((expected, actual) => {
    if (expected.type !== actual.type) return "another type";
    return unordered(expected, isPairs) === unordered(actual, isPairs) ? undefined : "other items";
  });

const compareScans = (isPairs: boolean): ReplyComparison =>
  compareParsed((expected, actual) => {
    const [cursor, items] = expected.items;
    const [otherCursor, otherItems] = actual.items;
    if (items === undefined || otherItems === undefined) return "no cursor with items";
    if (cursor!.text !== otherCursor!.text) return "another cursor";
    return unordered(items, isPairs) === unordered(otherItems, isPairs) ? undefined : "other items";
  });

/** The same items in any order, at the top level. */
export const compareUnordered: ReplyComparison = compareLists(false);
/** Names and values in turns, in any order: a flat list, or a map. */
export const compareUnorderedPairs: ReplyComparison = compareLists(true);
/** A cursor and items: the same cursor, the items in any order. */
export const compareScan: ReplyComparison = compareScans(false);
/** A cursor, and names and values in turns: the same cursor, the pairs in any order. */
export const compareScanPairs: ReplyComparison = compareScans(true);

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

/** Lists of the same length: for those whose choice of items is free. */
export const compareLength: ReplyComparison = compareParsed((expected, actual) =>
  expected.type === actual.type && expected.items.length === actual.items.length ? undefined : "another length",
);

const ROUNDED_DIGITS = 12;

/** The same but for the last digits of numbers with a fraction. */
export const compareRounded: ReplyComparison = compareParsed((expected, actual) => {
  const rounded = (node: ReplyNode): unknown =>
    node.text !== null && /^-?\d+\.\d+(e[+-]\d+)?$/.test(node.text)
      ? Number(node.text).toPrecision(ROUNDED_DIGITS)
      : [node.type, node.text, node.items.map(rounded)];
  return JSON.stringify(rounded(expected)) === JSON.stringify(rounded(actual)) ? undefined : "other values";
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
