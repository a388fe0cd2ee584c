/**
 * Cuts a client's bytes into requests: RESP arrays of bulk strings, or inline commands.
 *
 *      bytes   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3\r\nGE          one read of the socket
 *              └──────── request ───────────┘└── rest ───┘          the rest is kept until more comes
 *
 *  I1  `position` is the first byte that belongs to no finished argument.
 *  I2  What was understood of an unfinished request is not read again when more arrives: `save` and `restore` carry it
 *      from one read to the next, so a request of any size costs time linear in its bytes.
 *  I3  Nothing is allocated by what a header announces, only by what arrives.
 *
 * There is one reader per server; it moves from client to client.
 * Source: RESP as redis.io's protocol specification describes it; limits and error texts as Redis 7.2 answers.
 */

import { parseSafeInteger } from "../core/numbers.ts";
import { splitInline } from "./inline.ts";
import { Request } from "./request.ts";

/** Longest inline request and longest header line. */
const LINE_BYTES_MAX = 64 * 1024;
const ARGUMENTS_MAX = 0x7fffffff;
/** Room for arguments that the request gets when a client keeps the arrays in use. */
const SPARE_ARGUMENTS = 64;
/** What a client that has not authenticated may send. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
const UNAUTHENTICATED_BULK_MAX = 16 * 1024;

export type ReadResult = "ready" | "incomplete" | "error";

/** The unfinished request of one client. Positions count from the start of what the client keeps. */
export interface UnfinishedRequest {
  position: number;
  expected: number;
  bulkLength: number;
  count: number;
  offset: Int32Array;
  length: Int32Array;
}

export class RequestReader {
  readonly request: Request;
  /** Where the next byte to be read stands (I1). */
  position: number;
  /** The text of the last "error". */
  errorText: string;
  bulkBytesMax: number;
  /** False holds the client to the limits for strangers. */
  isTrusted: boolean;

  private input: Uint8Array;
  private end: number;
  /** Arguments that the request's header announced, 0 between requests. */
  private expected: number;
  /** Announced length of the bulk string that comes, -1 before its header. */
  private bulkLength: number;

  constructor() {
    this.request = new Request();
    this.position = 0;
    this.errorText = "";
    this.bulkBytesMax = 512 * 1024 * 1024;
    this.isTrusted = true;
    this.input = new Uint8Array(0);
    this.end = 0;
    this.expected = 0;
    this.bulkLength = -1;
  }

  /** Starts on new bytes, between two requests. */
  start(input: Uint8Array, position: number, end: number): void {
    this.input = input;
    this.position = position;
    this.end = end;
    this.expected = 0;
    this.bulkLength = -1;
  }

  /** Goes on with a request that was saved. */
  restore(input: Uint8Array, end: number, saved: UnfinishedRequest): void {
    this.input = input;
    this.end = end;
    this.position = saved.position;
    this.expected = saved.expected;
    this.bulkLength = saved.bulkLength;
    const request = this.request;
    request.count = saved.count;
    if (saved.count > 0) {
      // The arrays change owners instead of being copied.
      const { offset, length } = request;
      request.offset = saved.offset;
      request.length = saved.length;
      saved.offset = offset;
      saved.length = length;
    }
  }

  /**
   * Saves what is known of the unfinished request; `base` is where the kept bytes start in the input.
   * Returns how many bytes in all the kept part will hold at least when the current bulk string is complete.
   */
  save(base: number, saved: UnfinishedRequest): number {
    const request = this.request;
    saved.position = this.position - base;
    saved.expected = this.expected;
    saved.bulkLength = this.bulkLength;
    saved.count = this.expected === 0 ? 0 : request.count;
    if (saved.count > 0) {
      if (base > 0) for (let index = 0; index < saved.count; index++) request.offset[index]! -= base;
      // The arrays change owners: copying them at every piece would cost the square of the number of arguments (I2).
      const { offset, length } = saved;
      saved.offset = request.offset;
      saved.length = request.length;
      const isUsable = offset.length >= SPARE_ARGUMENTS;
      request.offset = isUsable ? offset : new Int32Array(SPARE_ARGUMENTS);
      request.length = isUsable ? length : new Int32Array(SPARE_ARGUMENTS);
      request.count = 0;
    }
    return saved.position + (this.bulkLength >= 0 ? this.bulkLength + 2 : 0);
  }

  /** Whether the reader stands inside a request. */
  isInside(): boolean {
    return this.expected !== 0;
  }

  /** Reads the next request. After "ready" it is in `request`, after "error" its text is in `errorText`. hot path */
  next(): ReadResult {
    const input = this.input;
    const end = this.end;
    const request = this.request;
    let at = this.position;
    while (this.expected === 0) {
      if (at >= end) return "incomplete";
      const digit = at + 3 < end && input[at + 2] === 13 ? input[at + 1]! - 48 : 0;
      if (digit > 0 && digit < 10 && input[at] === 42) {
        // The commonest header by far: one digit.
        this.expected = digit;
        request.count = 0;
        at += 4;
        break;
      }
      const result = input[at] === 42 ? this.header() : this.inline();
      if (result !== "ready") return result;
      // What asks for nothing (an empty line, *0) is passed over.
      if (this.expected === 0 && request.count > 0) return "ready";
      at = this.position;
    }
    const expected = this.expected;
    let count = request.count;
    let offsets = request.offset;
    let lengths = request.length;
    while (count < expected) {
      let length = this.bulkLength;
      if (length < 0) {
        // $ and one or two digits
        if (at + 4 < end && input[at] === 36 && input[at + 2] === 13 && input[at + 1]! >= 48 && input[at + 1]! <= 57) {
          length = input[at + 1]! - 48;
          at += 4;
        } else if (
          at + 5 < end &&
          input[at] === 36 &&
          input[at + 3] === 13 &&
          input[at + 1]! >= 49 &&
          input[at + 1]! <= 57 &&
          input[at + 2]! >= 48 &&
          input[at + 2]! <= 57
        ) {
          length = (input[at + 1]! - 48) * 10 + input[at + 2]! - 48;
          at += 5;
        } else {
          this.position = at;
          request.count = count;
          const result = this.bulkHeader();
          if (result !== "ready") return result;
          length = this.bulkLength;
          at = this.position;
        }
      }
      if (at + length + 2 > end) {
        this.bulkLength = length;
        this.position = at;
        request.count = count;
        return "incomplete";
      }
      if (count === offsets.length) {
        request.reserve(count + 1);
        offsets = request.offset;
        lengths = request.length;
      }
      offsets[count] = at;
      lengths[count] = length;
      count++;
      at += length + 2;
      this.bulkLength = -1;
    }
    request.input = input;
    request.count = count;
    this.expected = 0;
    this.position = at;
    return "ready";
  }

  /** Reads `*N\r\n` in any form; "ready" with `expected` 0 for an empty request, which is skipped. */
  private header(): ReadResult {
    const lineEnd = this.findLineEnd("too big mbulk count string");
    if (lineEnd < 0) return lineEnd === -1 ? "incomplete" : "error";
    const count = parseSafeInteger(this.input, this.position + 1, lineEnd - this.position - 1);
    if (Number.isNaN(count) || count > ARGUMENTS_MAX) return this.fail("invalid multibulk length");
    if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !this.isTrusted) return this.fail("unauthenticated multibulk length");
    this.position = lineEnd + 2;
    this.expected = Math.max(count, 0);
    this.request.count = 0;
    return "ready";
  }

  private bulkHeader(): ReadResult {
    const lineEnd = this.findLineEnd("too big bulk count string");
    if (lineEnd < 0) return lineEnd === -1 ? "incomplete" : "error";
    const first = this.input[this.position]!;
    if (first !== 36) return this.fail(`expected '$', got '${String.fromCharCode(first)}'`);
    const length = parseSafeInteger(this.input, this.position + 1, lineEnd - this.position - 1);
    if (Number.isNaN(length) || length < 0 || length > this.bulkBytesMax) return this.fail("invalid bulk length");
    if (length > UNAUTHENTICATED_BULK_MAX && !this.isTrusted) return this.fail("unauthenticated bulk length");
    this.position = lineEnd + 2;
    this.bulkLength = length;
    return "ready";
  }

  /** Position of the line's `\r` whose `\n` is there too, -1 when it has not come yet, -2 when the line is too long. */
  private findLineEnd(tooLong: string): number {
    const lineEnd = this.find(13);
    if (lineEnd === -1) {
      if (this.end - this.position > LINE_BYTES_MAX) {
        this.fail(tooLong);
        return -2;
      }
      return -1;
    }
    return lineEnd + 1 < this.end ? lineEnd : -1;
  }

  /** Position of the next `byte` that has come, -1 when there is none. What lies behind the end is never looked at (I2). */
  private find(byte: number): number {
    const input = this.input;
    const nearEnd = Math.min(this.end, this.position + 64);
    for (let at = this.position; at < nearEnd; at++) if (input[at] === byte) return at;
    if (nearEnd === this.end) return -1;
    const found = input.subarray(nearEnd, this.end).indexOf(byte);
    return found === -1 ? -1 : nearEnd + found;
  }

  private inline(): ReadResult {
    const lineEnd = this.find(10);
    if (lineEnd === -1) {
      return this.end - this.position > LINE_BYTES_MAX ? this.fail("too big inline request") : "incomplete";
    }
    let textEnd = lineEnd;
    if (textEnd > this.position && this.input[textEnd - 1] === 13) textEnd--;
    const isWhole = splitInline(this.input, this.position, textEnd, this.request);
    if (!isWhole) return this.fail("unbalanced quotes in request");
    this.position = lineEnd + 1;
    return "ready";
  }

  private fail(text: string): ReadResult {
    this.errorText = `ERR Protocol error: ${text}`;
    return "error";
  }
}
