/**
 * Stream ids: two unsigned numbers of 64 bits each, exact, without bigints.
 *
 *      1526919030474-55      ──►   Uint32Array [ms high, ms low, sequence high, sequence low]
 *
 *  I1  The order of ids is that of their words, from the first one on.
 *  I2  Text is read as laxly as Redis reads it: what is no strict number may still have spaces, a plus sign or zeros in
 *      front, and everything ends at a zero byte.
 *
 * Source: ids as the Redis documentation of streams describes them; redis-server 7.0 tried with odd ones.
 */

import { writeInt64Digits } from "../../core/numbers.ts";

/** Milliseconds and sequence, high word first. */
export type StreamId = Uint32Array;

export const ID_WORDS = 4;
/** Longest text of an id: two numbers of 20 digits and the sign between them. */
export const ID_TEXT_MAX = 41;

const ID_INPUT_MAX = 127;
const TWO_32 = 4294967296;
const WORD_MAX = 0xffffffff;
const MINUS = 45;
const PLUS = 43;
const STAR = 42;

export const ID_INVALID = 0;
export const ID_WHOLE = 1;
/** `ms-*`: the sequence is to be chosen. */
export const ID_OPEN_SEQUENCE = 2;

export function makeId(): StreamId {
  return new Uint32Array(ID_WORDS);
}

/** Negative, 0 or positive, as `left` is below, equal to or above `right`. hot path */
export function compareIds(left: StreamId, right: StreamId): number {
  let difference = left[0]! - right[0]!;
  if (difference === 0) difference = left[1]! - right[1]!;
  if (difference === 0) difference = left[2]! - right[2]!;
  if (difference === 0) difference = left[3]! - right[3]!;
  return difference;
}

export function copyId(from: StreamId, to: StreamId): void {
  to[0] = from[0]!;
  to[1] = from[1]!;
  to[2] = from[2]!;
  to[3] = from[3]!;
}

export function setId(id: StreamId, msHigh: number, msLow: number, sequenceHigh: number, sequenceLow: number): void {
  id[0] = msHigh;
  id[1] = msLow;
  id[2] = sequenceHigh;
  id[3] = sequenceLow;
}

export function isZeroId(id: StreamId): boolean {
  return (id[0]! | id[1]! | id[2]! | id[3]!) === 0;
}

export function isGreatestId(id: StreamId): boolean {
  return id[0] === WORD_MAX && id[1] === WORD_MAX && id[2] === WORD_MAX && id[3] === WORD_MAX;
}

/** 0-0, or the greatest id there is. */
export function fillId(id: StreamId, isGreatest: boolean): void {
  const word = isGreatest ? WORD_MAX : 0;
  setId(id, word, word, word, word); // four stores; `fill` would be a call into the runtime
}

/** The next id; false when there is none: then it has become 0-0. hot path */
export function incrementId(id: StreamId): boolean {
  for (let word = 3; word >= 0; word--) {
    if (id[word] !== WORD_MAX) {
      id[word] = id[word]! + 1;
      return true;
    }
    id[word] = 0;
  }
  return false;
}

/** The id before; false when there is none: then it has become the greatest one. */
export function decrementId(id: StreamId): boolean {
  for (let word = 3; word >= 0; word--) {
    if (id[word] !== 0) {
      id[word] = id[word]! - 1;
      return true;
    }
    id[word] = WORD_MAX;
  }
  return false;
}

/** Whether `milliseconds` (below 2^53) lie behind those of the id. */
export function isLaterThanId(milliseconds: number, id: StreamId): boolean {
  return milliseconds > id[0]! * TWO_32 + id[1]!;
}

/** `milliseconds`-0; `milliseconds` below 2^53. */
export function setIdMs(id: StreamId, milliseconds: number): void {
  id[0] = Math.floor(milliseconds / TWO_32);
  id[1] = milliseconds;
  id[2] = 0;
  id[3] = 0;
}

// ---- text ---------------------------------------------------------------------------------------------------------

/** Writes the id's text, of at most ID_TEXT_MAX bytes, at `at`; returns the position behind it. hot path */
export function writeId(target: Uint8Array, at: number, id: StreamId): number {
  return writeIdSequence(target, writeIdMs(target, at, id), id);
}

/** The part of an id's text before the sequence. */
export function writeIdMs(target: Uint8Array, at: number, id: StreamId): number {
  at = writeUnsigned64(target, at, id[0]!, id[1]!);
  target[at] = MINUS;
  return at + 1;
}

/** The part of an id's text behind the sign. hot path */
export function writeIdSequence(target: Uint8Array, at: number, id: StreamId): number {
  return writeUnsigned64(target, at, id[2]!, id[3]!);
}

function writeUnsigned64(target: Uint8Array, at: number, high: number, low: number): number {
  if (high < 0x200000) return writeInt64Digits(target, at, high * TWO_32 + low);
  return writeInt64Digits(target, at, (BigInt(high) << 32n) | BigInt(low));
}

/** The id as text, for messages and tests. */
export function idText(id: StreamId): string {
  const bytes = new Uint8Array(ID_TEXT_MAX);
  const end = writeId(bytes, 0, id);
  return String.fromCharCode(...bytes.subarray(0, end));
}

/**
 * Reads an id into `id`: `ms-sequence`, or `ms` alone with the lowest or, with `missingIsGreatest`, the greatest sequence.
 * Strict ones are not "-" or "+" (the smallest and the greatest id). Returns ID_INVALID, ID_WHOLE, or for "ms-*", when
 * `takesOpenSequence`, ID_OPEN_SEQUENCE (the sequence being 0). hot path
 */
export function parseId(
  bytes: Uint8Array,
  start: number,
  length: number,
  id: StreamId,
  missingIsGreatest: boolean,
  isStrict: boolean,
  takesOpenSequence: boolean,
): number {
  if (length > ID_INPUT_MAX) return ID_INVALID;
  let end = start;
  let dash = -1;
  for (const limit = start + length; end < limit && bytes[end] !== 0; end++) {
    if (dash === -1 && bytes[end] === MINUS) dash = end;
  }
  if (end - start === 1 && (dash === start || bytes[start] === PLUS)) {
    if (isStrict) return ID_INVALID;
    fillId(id, dash === -1);
    return ID_WHOLE;
  }
  if (!parseUnsigned64(bytes, start, dash === -1 ? end : dash, id, 0)) return ID_INVALID;
  if (dash === -1) {
    id[2] = id[3] = missingIsGreatest ? WORD_MAX : 0;
    return ID_WHOLE;
  }
  if (takesOpenSequence && end - dash === 2 && bytes[dash + 1] === STAR) {
    id[2] = id[3] = 0;
    return ID_OPEN_SEQUENCE;
  }
  return parseUnsigned64(bytes, dash + 1, end, id, 2) ? ID_WHOLE : ID_INVALID;
}

/** Reads `bytes[start ... end)` into two words from `word` on; false when it is no number (I2). */
function parseUnsigned64(bytes: Uint8Array, start: number, end: number, id: StreamId, word: number): boolean {
  const length = end - start;
  if (length > 0 && length < 16) {
    let value = 0;
    let at = start;
    for (; at < end; at++) {
      const digit = bytes[at]! - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === end) {
      id[word] = Math.floor(value / TWO_32);
      id[word + 1] = value;
      return true;
    }
  }
  return parseOddNumber(bytes, start, end, id, word);
}

function parseOddNumber(bytes: Uint8Array, start: number, end: number, id: StreamId, word: number): boolean {
  const text = String.fromCharCode(...bytes.subarray(start, end));
  // A strict negative number is none; one with zeros in front is taken by its absolute value, turned over.
  const match = /^[ \t-\r]*([+-]?)(\d+)$/.exec(text);
  if (match === null || /^-[1-9]\d*$/.test(text)) {
    if (match === null || BigInt(text) >= -(1n << 63n)) return false;
  }
  const magnitude = BigInt(match[2]!);
  if (magnitude >= 1n << 64n) return false;
  const value = match[1] === "-" ? BigInt.asUintN(64, -magnitude) : magnitude;
  id[word] = Number(value >> 32n);
  id[word + 1] = Number(value & 0xffffffffn);
  return true;
}

/** The two halves as bigints become an id. */
export function idFromBigints(id: StreamId, ms: bigint, sequence: bigint): void {
  id[0] = Number((ms >> 32n) & 0xffffffffn);
  id[1] = Number(ms & 0xffffffffn);
  id[2] = Number((sequence >> 32n) & 0xffffffffn);
  id[3] = Number(sequence & 0xffffffffn);
}
