/**
 * Redis's glob patterns over bytes: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL.
 *
 *      *        any bytes, also none          [abc]    one of them         [^abc]   one that is none of them
 *      ?        exactly one byte              [a-c]    a to c, or c to a   \x       x itself
 *
 *      pattern  u s e r : * : ? [ a - z ]     text     u s e r : 1 0 0 : x y
 *                         ▲ restart here when the rest fails, one byte of text further each time
 *
 *  I1  Every element but `*` takes exactly one byte; so only the newest `*` can need another try: O(pattern × text).
 *  I2  The oddities are Redis's: an unclosed class ends with the pattern; a backslash at the very end is itself;
 *      empty text matches nothing but the empty pattern.
 *  Source: behaviour of redis-server 7.0 (KEYS), compared in glob.test.ts.
 */

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;
const BACKSLASH = 92;

/** Whether the pattern matches the whole text. `ignoreCase` concerns ASCII letters. Allocates nothing. */
export function globMatch(
  pattern: Uint8Array,
  patternStart: number,
  patternLength: number,
  text: Uint8Array,
  textStart: number,
  textLength: number,
  ignoreCase: boolean,
): boolean {
  if (textLength === 0) return patternLength === 0;
  const patternEnd = patternStart + patternLength;
  const textEnd = textStart + textLength;
  let at = patternStart;
  let textAt = textStart;
  let retryPattern = -1;
  let retryText = 0;
  while (true) {
    while (at < patternEnd && pattern[at] === STAR) {
      retryPattern = ++at;
      retryText = textAt;
    }
    if (at === patternEnd && (textAt === textEnd || retryPattern === patternEnd)) return true;
    if (textAt === textEnd) return false;
    if (at < patternEnd && elementMatches(pattern, at, patternEnd, text[textAt]!, ignoreCase)) {
      at = elementEnd(pattern, at, patternEnd);
      textAt++;
    } else {
      if (retryPattern === -1) return false;
      at = retryPattern;
      textAt = ++retryText;
    }
  }
}

/** globMatch for latin1 text, for places that are not hot. */
export function globMatchText(pattern: string, text: string, ignoreCase: boolean): boolean {
  const patternBytes = Buffer.from(pattern, "latin1");
  const textBytes = Buffer.from(text, "latin1");
  return globMatch(patternBytes, 0, patternBytes.length, textBytes, 0, textBytes.length, ignoreCase);
}

/** Whether one element (anything but a star) takes `byte`. */
function elementMatches(pattern: Uint8Array, at: number, end: number, byte: number, ignoreCase: boolean): boolean {
  const first = pattern[at]!;
  if (first === QUESTION) return true;
  if (first === OPEN) return classMatches(pattern, at + 1, end, byte, ignoreCase);
  const literal = first === BACKSLASH && at + 1 < end ? pattern[at + 1]! : first;
  return literal === byte || (ignoreCase && lower(literal) === lower(byte));
}

function classMatches(pattern: Uint8Array, at: number, end: number, byte: number, ignoreCase: boolean): boolean {
  const isNegated = at < end && pattern[at] === CARET;
  if (isNegated) at++;
  const wanted = ignoreCase ? lower(byte) : byte;
  let isMember = false;
  while (at < end) {
    const first = pattern[at]!;
    if (first === BACKSLASH && at + 1 < end) {
      // An escaped byte is compared as it stands, whatever the case rule says.
      if (pattern[at + 1] === byte) isMember = true;
      at += 2;
    } else if (first === CLOSE) {
      break;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      const second = pattern[at + 2]!;
      let low = signed(Math.min(first, second));
      let high = signed(Math.max(first, second));
      if (low > high) [low, high] = [high, low];
      if (ignoreCase) {
        low = lower(low);
        high = lower(high);
      }
      if (signed(wanted) >= low && signed(wanted) <= high) isMember = true;
      at += 3;
    } else {
      if ((ignoreCase ? lower(first) : first) === wanted) isMember = true;
      at++;
    }
  }
  return isMember !== isNegated;
}

/** Where the element that begins at `at` ends. */
function elementEnd(pattern: Uint8Array, at: number, end: number): number {
  const first = pattern[at]!;
  if (first === BACKSLASH) return Math.min(at + 2, end);
  if (first !== OPEN) return at + 1;
  at++;
  if (at < end && pattern[at] === CARET) at++;
  while (at < end && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < end) at += 2;
    else if (at + 2 < end && pattern[at + 1] === DASH) at += 3;
    else at++;
  }
  return Math.min(at + 1, end);
}

/** Ranges count bytes from 128 on as negative, as the real server on x86-64 does. */
function signed(byte: number): number {
  return (byte << 24) >> 24;
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}
