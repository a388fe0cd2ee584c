/**
 * Where the keys of a request stand, by its command's key specifications, without an object per key.
 *
 *      MGET a b c   ──► positions [1][2][3]          XREAD COUNT 1 STREAMS s t 0 0   ──► positions [4][5]
 *
 *  I1  Specifications that say `unknown` or `not_key` give no key; one that does not fit the request gives none either.
 *  I2  Positions are good until the next call.
 *  Source: the key specifications of COMMAND INFO in Redis 7.2.
 */

import type { KeySpec } from "../commands/command.ts";
import type { Request } from "../protocol/request.ts";

export class RequestKeys {
  /** Argument indexes of the keys: `positions[0 ... count)`. */
  positions: Int32Array;
  count: number;

  constructor() {
    this.positions = new Int32Array(64);
    this.count = 0;
  }

  /** Finds the keys of `request`. hot path */
  find(specs: readonly KeySpec[], request: Request): void {
    this.count = 0;
    for (let index = 0; index < specs.length; index++) this.addSpec(specs[index]!, request);
  }

  private addSpec({ flags, begin, find }: KeySpec, request: Request): void {
    if (flags.includes("not_key")) return;
    let first: number;
    if ("index" in begin) first = begin.index;
    else if ("keyword" in begin) first = afterKeyword(begin.keyword, begin.startFrom, request);
    else return;
    if (first === -1) return;
    if ("lastKey" in find) {
      const { lastKey, limit } = find;
      let last = lastKey >= 0 ? first + lastKey : request.count + lastKey;
      // A limit of n: only the first nth of what follows are keys.
      if (lastKey < 0 && limit > 1) last = first + Math.floor((request.count - first) / limit) + lastKey;
      this.addAll(first, last, find.step, request.count);
    } else if ("keyNumberIndex" in find) {
      const keyNumber = first + find.keyNumberIndex;
      if (keyNumber >= request.count) return;
      const keyCount = request.integer(keyNumber);
      if (!(keyCount > 0)) return;
      const from = first + find.firstKey;
      this.addAll(from, from + (keyCount - 1) * find.step, find.step, request.count);
    }
  }

  private addAll(first: number, last: number, step: number, argumentCount: number): void {
    if (last >= argumentCount) return;
    for (let position = first; position <= last; position += step) {
      if (this.count === this.positions.length) {
        const larger = new Int32Array(this.count * 2);
        larger.set(this.positions);
        this.positions = larger;
      }
      this.positions[this.count++] = position;
    }
  }
}

/** The argument behind `keyword`, -1 when it is not there. A negative `from` is counted from the end and goes backwards. */
function afterKeyword(keyword: string, from: number, request: Request): number {
  const step = from > 0 ? 1 : -1;
  for (let index = from > 0 ? from : request.count + from; index > 0 && index < request.count; index += step) {
    if (request.is(index, keyword)) return index + 1;
  }
  return -1;
}
