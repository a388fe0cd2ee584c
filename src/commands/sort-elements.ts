/**
 * What SORT sorts: copies of elements with their weights, and the keys that patterns make of them.
 *
 *      pattern   w_*->field          element  7     ──►  key w_7, field "field"
 *      bytes     [ e0 ][ e1 ][ e2 ] ...             element i = bytes[starts[i] ... starts[i] + lengths[i])
 *      order     [ 2, 0, 1, ... ]                   indexes, sorted: the elements stay where they are
 *
 *  I1  Elements are copies: looking up a key may delete one whose time is over, which is a write.
 *  I2  Equal weights are told apart by the elements' bytes, but for ALPHA, where they keep the order they came in.
 *  I3  As texts of C, patterns, weights and names in ALPHA end at a zero byte.
 *  Source: behaviour of redis-server 7.0.
 */

import { parseFloat64 } from "../core/numbers.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING } from "../store/keyspace/record.ts";
import type { CommandContext } from "./command.ts";

const STAR = 42;
const NUMBER_SIGN = 35;
const DASH = 45;
const GREATER = 62;

/** Texts one behind the other in one buffer. */
export class TextList {
  bytes: Uint8Array;
  starts: Int32Array;
  lengths: Int32Array;
  count: number;
  /** Where the next text will start. */
  end: number;

  constructor() {
    this.bytes = new Uint8Array(256);
    this.starts = new Int32Array(16);
    this.lengths = new Int32Array(16);
    this.count = 0;
    this.end = 0;
  }

  add(source: Uint8Array, start: number, length: number): void {
    if (this.end + length > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.end + length));
      bytes.set(this.bytes.subarray(0, this.end));
      this.bytes = bytes;
    }
    if (this.count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.lengths = doubled(this.lengths);
    }
    this.bytes.set(source.subarray(start, start + length), this.end);
    this.starts[this.count] = this.end;
    this.lengths[this.count] = length;
    this.count++;
    this.end += length;
  }
}

function doubled(old: Int32Array): Int32Array {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}

/** A pattern of BY or GET. */
export class SortPattern {
  /** `#`: the element itself. */
  readonly isElement: boolean;
  /** Without a star it names nothing; after BY that means "do not sort". */
  readonly hasStar: boolean;
  private readonly before: Uint8Array;
  private readonly behind: Uint8Array;
  /** Of a hash; undefined for the value of a string. */
  private readonly field: Uint8Array | undefined;
  private key: Uint8Array;

  constructor(pattern: Uint8Array) {
    const text = untilZero(pattern);
    this.isElement = text.length === 1 && text[0] === NUMBER_SIGN;
    const star = text.indexOf(STAR);
    this.hasStar = star !== -1;
    this.before = pattern.subarray(0, Math.max(star, 0));
    let arrow = star + 1;
    while (arrow + 1 < text.length && (text[arrow] !== DASH || text[arrow + 1] !== GREATER)) arrow++;
    const hasField = this.hasStar && arrow + 2 < text.length;
    this.behind = pattern.subarray(star + 1, hasField ? arrow : pattern.length);
    this.field = hasField ? pattern.subarray(arrow + 2) : undefined;
    this.key = new Uint8Array(64);
  }

  /** Points `into` to what the pattern finds for element `index` of `elements`; false when there is nothing. */
  find({ keyspace, database }: CommandContext, elements: TextList, index: number, into: TextView): boolean {
    const start = elements.starts[index]!;
    const length = elements.lengths[index]!;
    if (this.isElement) return into.point(elements.bytes, start, length);
    if (!this.hasStar) return false;
    const { before, behind, field } = this;
    const keyLength = before.length + length + behind.length;
    if (keyLength > this.key.length) this.key = new Uint8Array(keyLength * 2);
    const key = this.key;
    key.set(before);
    key.set(elements.bytes.subarray(start, start + length), before.length);
    key.set(behind, before.length + length);
    const record = keyspace.lookupRead(database, key, 0, keyLength);
    if (record === 0) return false;
    const type = keyspace.records.type(record);
    if (field === undefined) {
      if (type !== TYPE_STRING) return false;
      keyspace.readValue(record);
      return into.point(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
    }
    const { hashes } = keyspace;
    if (type !== TYPE_HASH || !hashes.find(record, field, 0, field.length)) return false;
    return into.point(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
  }
}

/** A text somewhere; valid until the next lookup. */
export class TextView {
  bytes: Uint8Array;
  start: number;
  length: number;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.start = 0;
    this.length = 0;
  }

  /** Always true, for the caller to return. */
  point(bytes: Uint8Array, start: number, length: number): true {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
    return true;
  }
}

/** A range of what is sorted, both ends counted; empty when `end` < `start`. */
export interface SortRange {
  readonly start: number;
  readonly end: number;
}

/** LIMIT's numbers over `count` elements; a negative `limitCount` is none. */
export function rangeOf(limitStart: number, limitCount: number, count: number): SortRange {
  const start = Math.min(Math.max(limitStart, 0), count);
  const end = limitCount < 0 ? count - 1 : start + Math.min(limitCount, count) - 1;
  return { start, end: Math.min(end, count - 1) };
}

/** Copies all elements of `record` (0: none) as they lie. */
export function collectAll(keyspace: Keyspace, record: number): TextList {
  const elements = new TextList();
  if (record === 0) return elements;
  const type = keyspace.records.type(record);
  if (type === TYPE_SET) {
    const { sets } = keyspace;
    sets.startWalk(record);
    while (sets.next()) elements.add(sets.valueBytes, sets.valueStart, sets.valueLength);
  } else {
    collectOrdered(keyspace, record, 0, elementCount(keyspace, record), false, elements);
  }
  return elements;
}

/** Elements of a list, set or sorted set; 0 for record 0. */
export function elementCount(keyspace: Keyspace, record: number): number {
  if (record === 0) return 0;
  const type = keyspace.records.type(record);
  if (type === TYPE_LIST) return keyspace.lists.length(record);
  return type === TYPE_SET ? keyspace.sets.count(record) : keyspace.sortedSets.count(record);
}

/**
 * Copies the elements of `range` of a list or sorted set in its own order, backwards when `isDescending`; those of a set
 * as they lie.
 */
export function collectRange(keyspace: Keyspace, record: number, range: SortRange, isDescending: boolean): TextList {
  const elements = new TextList();
  const count = range.end - range.start + 1;
  if (record === 0 || count <= 0) return elements;
  if (keyspace.records.type(record) !== TYPE_SET) {
    collectOrdered(keyspace, record, range.start, count, isDescending, elements);
    return elements;
  }
  const { sets } = keyspace;
  sets.startWalk(record);
  for (let index = 0; index <= range.end && sets.next(); index++) {
    if (index >= range.start) elements.add(sets.valueBytes, sets.valueStart, sets.valueLength);
  }
  return elements;
}

function collectOrdered(
  keyspace: Keyspace,
  record: number,
  skipped: number,
  count: number,
  isDescending: boolean,
  elements: TextList,
): void {
  const first = isDescending ? elementCount(keyspace, record) - 1 - skipped : skipped;
  if (keyspace.records.type(record) === TYPE_LIST) {
    const { lists } = keyspace;
    lists.seek(record, first);
    for (let left = count; left > 0; left--) {
      lists.read();
      elements.add(lists.valueBytes, lists.valueStart, lists.valueLength);
      if (left > 1) isDescending ? lists.previous() : lists.next();
    }
    return;
  }
  const { sortedSets } = keyspace;
  sortedSets.seek(record, first);
  for (let left = count; left > 0; left--) {
    elements.add(sortedSets.valueBytes, sortedSets.valueStart, sortedSets.valueLength);
    if (left > 1) isDescending ? sortedSets.previous() : sortedSets.next();
  }
}

/** The indexes of `elements` in the order they came in. */
export function naturalOrder(elements: TextList): Uint32Array {
  const order = new Uint32Array(elements.count);
  for (let index = 0; index < order.length; index++) order[index] = index;
  return order;
}

/** The order of the elements by numbers; undefined when a weight is no number. */
export function orderByNumbers(
  context: CommandContext,
  elements: TextList,
  by: SortPattern | undefined,
  isDescending: boolean,
): Uint32Array | undefined {
  const weights = new Float64Array(elements.count);
  const view = new TextView();
  for (let index = 0; index < elements.count; index++) {
    if (by === undefined) view.point(elements.bytes, elements.starts[index]!, elements.lengths[index]!);
    else if (!by.find(context, elements, index, view)) continue;
    weights[index] = readWeight(view);
    if (Number.isNaN(weights[index])) return undefined;
  }
  const sign = isDescending ? -1 : 1;
  return naturalOrder(elements).sort((left, right) => {
    const difference = weights[left]! - weights[right]!;
    // Infinities that are equal have no difference.
    if (difference < 0) return -sign;
    if (difference > 0) return sign;
    return sign * compareElements(elements, left, right, false);
  });
}

/** A weight as strtod reads it up to a zero byte: leading space is fine, nothing at all is 0. NaN when it is none. */
function readWeight({ bytes, start, length }: TextView): number {
  let end = start;
  while (end < start + length && bytes[end] !== 0) end++;
  if (end === start) return 0;
  while (start < end && isSpace(bytes[start]!)) start++;
  return parseFloat64(bytes, start, end - start);
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/**
 * The order of the elements by texts; those whose pattern finds nothing come first. `isBytewise`: for STORE; then elements
 * that have no order of their own (`hasNoOrder`) get one where their texts are equal.
 */
export function orderByTexts(
  context: CommandContext,
  elements: TextList,
  by: SortPattern | undefined,
  isDescending: boolean,
  isBytewise: boolean,
  hasNoOrder: boolean,
): Uint32Array {
  const sign = isDescending ? -1 : 1;
  const order = naturalOrder(elements);
  if (by === undefined) {
    return order.sort((left, right) => sign * compareElements(elements, left, right, !isBytewise));
  }
  const weights = new TextList();
  const isFound = new Uint8Array(elements.count);
  const view = new TextView();
  for (let index = 0; index < elements.count; index++) {
    if (by.find(context, elements, index, view)) {
      isFound[index] = 1;
      weights.add(view.bytes, view.start, view.length);
    } else {
      weights.add(weights.bytes, 0, 0);
    }
  }
  const decides = isBytewise && hasNoOrder;
  return order.sort((left, right) => {
    const isWeighed = isFound[left] !== 0 && isFound[right] !== 0;
    const difference = isWeighed
      ? compareElements(weights, left, right, !isBytewise)
      : isFound[left]! - isFound[right]!;
    return sign * (difference === 0 && decides ? compareElements(elements, left, right, false) : difference);
  });
}

/** Below, above or 0. `endsAtZero`: what follows a zero byte does not count (I3). */
function compareElements(texts: TextList, left: number, right: number, endsAtZero: boolean): number {
  const { bytes, starts, lengths } = texts;
  const leftStart = starts[left]!;
  const rightStart = starts[right]!;
  const common = Math.min(lengths[left]!, lengths[right]!);
  for (let index = 0; index < common; index++) {
    const byte = bytes[leftStart + index]!;
    const difference = byte - bytes[rightStart + index]!;
    if (difference !== 0) return difference;
    if (byte === 0 && endsAtZero) return 0;
  }
  if (endsAtZero) {
    // The end is a zero byte, too.
    const leftNext = common < lengths[left]! ? bytes[leftStart + common]! : 0;
    const rightNext = common < lengths[right]! ? bytes[rightStart + common]! : 0;
    return leftNext - rightNext;
  }
  return lengths[left]! - lengths[right]!;
}

function untilZero(text: Uint8Array): Uint8Array {
  const zero = text.indexOf(0);
  return zero === -1 ? text : text.subarray(0, zero);
}
