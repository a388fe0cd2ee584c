/**
 * Patterns of keys and channels, made ready for many comparisons.
 *
 *      cache:*      begins with "cache:"        counter     is "counter"        user:[0-9]*     anything else: glob
 *
 *  I1  What a pattern matches is what globMatch says; the shortcuts are for the patterns that people write.
 */

import { globMatch } from "../../core/glob.ts";

const STAR = 42;
const PLAIN = 0;
const PREFIX = 1;
const GLOB = 2;

/** What a pattern of keys allows. */
export const MAY_READ = 1;
export const MAY_WRITE = 2;

export class Pattern {
  /** One character per byte. */
  readonly text: string;
  /** MAY_READ, MAY_WRITE or both; of no meaning for channels. */
  access: number;
  private readonly bytes: Uint8Array;
  private readonly kind: number;
  private readonly plainBytes: number;

  constructor(text: string, access: number) {
    this.text = text;
    this.access = access;
    this.bytes = Uint8Array.from(Buffer.from(text, "latin1"));
    const special = text.search(/[*?[\\]/);
    if (special === -1) this.kind = PLAIN;
    else this.kind = special === text.length - 1 && text.endsWith("*") ? PREFIX : GLOB;
    this.plainBytes = special === -1 ? text.length : special;
  }

  /** Whether it matches all of `text[start ... start+length)`. hot path */
  matches(text: Uint8Array, start: number, length: number): boolean {
    const { bytes, kind, plainBytes } = this;
    // Among nothing, only the empty pattern finds itself: globMatch's oddity.
    if (kind === GLOB || length === 0) return globMatch(bytes, 0, bytes.length, text, start, length, false);
    if (kind === PLAIN ? length !== plainBytes : length < plainBytes) return false;
    for (let index = 0; index < plainBytes; index++) if (bytes[index] !== text[start + index]) return false;
    return true;
  }

  /** Whether `text[start ... start+length)` is the pattern itself. */
  is(text: Uint8Array, start: number, length: number): boolean {
    const { bytes } = this;
    if (bytes.length !== length) return false;
    for (let index = 0; index < length; index++) if (bytes[index] !== text[start + index]) return false;
    return true;
  }

  /** It matches everything. */
  get isAll(): boolean {
    return this.bytes.length === 1 && this.bytes[0] === STAR;
  }
}
