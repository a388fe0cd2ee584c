/**
 * Lines of an append-only file that are no commands: when, by whom and at which place of the log commands were recorded.
 *
 *      #TS:<unix seconds>\r\n                               Redis's own (aof-timestamp-enabled)
 *      #EK:<unix ms>\r\n                                    what follows was executed at this time
 *      #EK:<unix ms> by <source>\r\n                        the same, and the next command or transaction was caused by this
 *      #EK:<unix ms> at <replication id> <offset>\r\n       the same, and the next command is at this offset of the log
 *
 *  I1  A line with its end has at most 1023 bytes: Redis takes what is beyond for a command.
 *  I2  A source is printable: what could end the line is replaced when it is written.
 *  I3  A line that is none of these is unknown, not wrong: whoever reads passes over it, as Redis does with all of them.
 *  Source: #TS and the skipping of such lines as redis-server 7.0 has them; #EK is Everkey's own.
 */

import { writeInt64Digits } from "../../core/numbers.ts";

/** What an annotation says. `undefined` where it says nothing of it. */
export interface Annotation {
  /** Ms since 1970. */
  readonly timeMs: number;
  /** Address of a client, "expired" or "evicted". */
  readonly source: string | undefined;
  /** 40 hexadecimal digits; undefined together with `offset`. */
  readonly replicationId: string | undefined;
  readonly offset: number | undefined;
}

/** First byte of every annotation. */
export const ANNOTATION_MARK = 35;
/** Longest line that is read, with its line end (I1). */
export const ANNOTATION_LINE_BYTES_MAX = 1023;
const SOURCE_BYTES_MAX = 256;
/** Room that the write functions need. */
export const ANNOTATION_BYTES_MAX = SOURCE_BYTES_MAX + 128;

const REPLICATION_ID_BYTES = 40;
const SPACE = 32;
const ZERO = 48;
/** A space, a word of two letters, a space. */
const WORD_BYTES = 4;

/** Writes `#TS:` with whole seconds; returns the position behind. */
export function writeTimestamp(target: Uint8Array, at: number, unixSeconds: number): number {
  at = writeText(target, at, "#TS:");
  return writeLineEnd(target, writeInt64Digits(target, at, unixSeconds));
}

/** Writes the time and, where `source` is not empty, who caused the next command or transaction. hot path */
export function writeMark(target: Uint8Array, at: number, timeMs: number, source: string): number {
  at = writeText(target, at, "#EK:");
  at = writeInt64Digits(target, at, timeMs);
  if (source !== "") at = writeSource(target, writeText(target, at, " by "), source);
  return writeLineEnd(target, at);
}

/** Writes the place in the log that the next command has. */
export function writePosition(
  target: Uint8Array,
  at: number,
  timeMs: number,
  replicationId: string,
  offset: number,
): number {
  at = writeText(target, at, "#EK:");
  at = writeInt64Digits(target, at, timeMs);
  at = writeText(target, at, " at ");
  at = writeText(target, at, replicationId);
  target[at++] = SPACE;
  return writeLineEnd(target, writeInt64Digits(target, at, offset));
}

function writeText(target: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) target[at++] = text.charCodeAt(index);
  return at;
}

function writeLineEnd(target: Uint8Array, at: number): number {
  target[at] = 13;
  target[at + 1] = 10;
  return at + 2;
}

function writeSource(target: Uint8Array, at: number, source: string): number {
  const length = Math.min(source.length, SOURCE_BYTES_MAX);
  for (let index = 0; index < length; index++) {
    const code = source.charCodeAt(index);
    target[at++] = code >= SPACE && code < 127 ? code : 63; // I2
  }
  return at;
}

/** Reads annotations; what the last one said stands in the fields. */
export class AnnotationParser implements Annotation {
  timeMs: number;
  source: string | undefined;
  replicationId: string | undefined;
  offset: number | undefined;
  /** The text of a source is made once, not for each of its commands. */
  private lastSource: string;
  private position: number;

  constructor() {
    this.timeMs = Number.NaN;
    this.source = undefined;
    this.replicationId = undefined;
    this.offset = undefined;
    this.lastSource = "";
    this.position = 0;
  }

  /** Reads the line `bytes[start ... end)`, which begins with `#` and has no line end. False when it is unknown (I3). */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    this.timeMs = Number.NaN;
    this.source = undefined;
    this.replicationId = undefined;
    this.offset = undefined;
    if (hasText(bytes, start, end, "#TS:")) {
      const seconds = this.number(bytes, start + 4, end);
      if (this.position !== end) return false;
      this.timeMs = seconds * 1000;
      return !Number.isNaN(seconds);
    }
    if (!hasText(bytes, start, end, "#EK:")) return false;
    const timeMs = this.number(bytes, start + 4, end);
    if (Number.isNaN(timeMs)) return false;
    const at = this.position;
    if (at !== end && !this.details(bytes, at, end)) return false;
    this.timeMs = timeMs;
    return true;
  }

  private details(bytes: Uint8Array, at: number, end: number): boolean {
    const from = at + WORD_BYTES;
    if (hasText(bytes, at, end, " by ")) {
      if (from === end) return false;
      this.source = this.text(bytes, from, end);
      return true;
    }
    if (!hasText(bytes, at, end, " at ")) return false;
    const idEnd = from + REPLICATION_ID_BYTES;
    if (idEnd + 1 >= end || bytes[idEnd] !== SPACE) return false;
    for (let index = from; index < idEnd; index++) if (!isHexadecimal(bytes[index]!)) return false;
    const offset = this.number(bytes, idEnd + 1, end);
    if (Number.isNaN(offset) || this.position !== end) return false;
    this.replicationId = latin1(bytes, from, idEnd);
    this.offset = offset;
    return true;
  }

  /** The digits from `at` on, up to `position`; NaN when there are none, or more than a number can hold exactly. */
  private number(bytes: Uint8Array, at: number, end: number): number {
    let value = 0;
    const start = at;
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.position = at;
    return at === start || value > Number.MAX_SAFE_INTEGER ? Number.NaN : value;
  }

  private text(bytes: Uint8Array, start: number, end: number): string {
    const last = this.lastSource;
    if (last.length !== end - start || !hasText(bytes, start, end, last)) this.lastSource = latin1(bytes, start, end);
    return this.lastSource;
  }
}

function hasText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text.charCodeAt(index)) return false;
  return true;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

function isHexadecimal(byte: number): boolean {
  return (byte >= ZERO && byte <= 57) || (byte >= 97 && byte <= 102);
}
