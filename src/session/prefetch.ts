/**
 * Prefetch: what the requests that wait in one read will touch is brought into the cache side by side.
 *
 *      bytes   *2 GET k1 │ *2 GET k2 │ *3 SET k3 v │ ...       a window of them is looked over, not parsed
 *                     ▲         ▲            ▲
 *                     └─────────┴────────────┴── Keyspace.warm: hashes, buckets, records
 *
 *  I1  It only guesses: the first argument is taken for a key, of XREAD and XREADGROUP the last but one. Nothing depends
 *      on it but time.
 *  I2  Requests in an unusual form (long headers, inline) end the window; they are served as ever.
 *
 * In a keyspace larger than the caches a GET waits twice for memory, for its bucket and for its record, and these waits
 * are most of what a pipelined GET costs. A loop that does nothing but read has several of them under way at once.
 */

import type { Database, Keyspace } from "../store/keyspace/keyspace.ts";

const WINDOW_REQUESTS = 32;

export class Prefetch {
  private readonly starts: Int32Array;
  private readonly lengths: Int32Array;

  constructor() {
    this.starts = new Int32Array(WINDOW_REQUESTS);
    this.lengths = new Int32Array(WINDOW_REQUESTS);
  }

  /** Looks over the requests at `input[position ... end)`; returns the position up to which it has. hot path */
  run(keyspace: Keyspace, database: Database, input: Uint8Array, position: number, end: number): number {
    const { starts, lengths } = this;
    let count = 0;
    let at = position;
    while (count < WINDOW_REQUESTS) {
      // *N\r\n with one digit
      if (at + 4 > end || input[at] !== 42 || input[at + 2] !== 13) break;
      const argumentCount = input[at + 1]! - 48;
      let next = at + 4;
      let keyStart = 0;
      let keyLength = 0;
      let keyArgument = 1;
      let argument = 0;
      for (; argument < argumentCount; argument++) {
        // $N\r\n or $NN\r\n
        if (next + 5 > end || input[next] !== 36) break;
        let length = input[next + 1]! - 48;
        if (input[next + 2] === 13) {
          next += 4;
        } else {
          if (input[next + 3] !== 13) break;
          length = length * 10 + input[next + 2]! - 48;
          next += 5;
        }
        if (argument === 0 && (length === 5 || length === 10) && isStreamRead(input, next)) {
          keyArgument = argumentCount - 2;
        }
        if (argument === keyArgument) {
          keyStart = next;
          keyLength = length;
        }
        next += length + 2;
      }
      if (argument !== argumentCount || next > end) break;
      if (argumentCount > 1) {
        starts[count] = keyStart;
        lengths[count] = keyLength;
        count++;
      }
      at = next;
    }
    if (count > 1) keyspace.warm(database, input, starts, lengths, count);
    return at;
  }
}

/** Whether a name of five or ten letters is XREAD or XREADGROUP: no other one begins like this. */
function isStreamRead(input: Uint8Array, start: number): boolean {
  return (input[start]! | 32) === 120 && (input[start + 1]! | 32) === 114;
}
