/**
 * Inline commands: one line of words, for people with telnet.
 *
 *      SET "a key" 'it''s' plain       words are divided by white space; quotes keep it
 *
 *  I1  Inside "..." the escapes \n \r \t \b \a \\ \" and \xHH hold; inside '...' only \'.
 *  I2  A closing quote is followed by white space or the end of the line.
 *  Source: behaviour of redis-server 7.0 on inline requests.
 */

import type { Request } from "./request.ts";

const SPACE = 32;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;

/**
 * Splits `input[start ... end)` into the arguments of `request`, which get bytes of their own since escapes change them.
 * False when a quote is not closed or is followed by something else than white space.
 */
export function splitInline(input: Uint8Array, start: number, end: number, request: Request): boolean {
  const words = new Uint8Array(end - start);
  request.input = words;
  request.count = 0;
  let filled = 0;
  let at = start;
  for (;;) {
    while (at < end && isSpace(input[at]!)) at++;
    // A zero byte ends the line as it does for Redis, which reads it as a C string.
    if (at >= end || input[at] === 0) return true;
    const wordStart = filled;
    let quote = 0;
    for (; ; at++) {
      const byte = at < end ? input[at]! : 0;
      if (quote === 0) {
        if (at >= end || byte === 0 || endsWord(byte)) break;
        if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) quote = byte;
        else words[filled++] = byte;
        continue;
      }
      if (at >= end || byte === 0) return false;
      if (byte === BACKSLASH && quote === DOUBLE_QUOTE) {
        const high = hexDigit(input[at + 2]);
        const low = hexDigit(input[at + 3]);
        if (input[at + 1] === 120 && at + 3 < end && high >= 0 && low >= 0) {
          words[filled++] = high * 16 + low;
          at += 3;
        } else if (at + 1 < end) {
          words[filled++] = unescaped(input[++at]!);
        } else {
          words[filled++] = byte;
        }
      } else if (byte === BACKSLASH && at + 1 < end && input[at + 1] === SINGLE_QUOTE) {
        words[filled++] = SINGLE_QUOTE;
        at++;
      } else if (byte === quote) {
        if (at + 1 < end && !isSpace(input[at + 1]!)) return false;
        at++;
        break;
      } else {
        words[filled++] = byte;
      }
    }
    request.reserve(request.count + 1);
    request.offset[request.count] = wordStart;
    request.length[request.count] = filled - wordStart;
    request.count++;
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}

/** White space without \v and \f: these stand between words, and do not part them. */
function endsWord(byte: number): boolean {
  return byte === SPACE || byte === 9 || byte === 10 || byte === 13;
}

function unescaped(byte: number): number {
  switch (byte) {
    case 110:
      return 10;
    case 114:
      return 13;
    case 116:
      return 9;
    case 98:
      return 8;
    case 97:
      return 7;
    default:
      return byte;
  }
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
