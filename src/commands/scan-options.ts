/**
 * What scans within a value (HSCAN, SSCAN) share: MATCH, COUNT, and the walk over a table.
 *
 *      [MATCH pattern] [COUNT count]               ──► ScanOptions.read
 *      tables.scan: one or two chains a step       ──► scanTable ──► entries; who asked filters and replies
 *
 *  I1  COUNT counts what is looked at, not what is told.
 *  Source: replies of redis-server 7.0.
 */

import { globMatch } from "../core/glob.ts";
import { SYNTAX } from "../protocol/errors.ts";
import { type HashTable, RecordList } from "../store/encodings/hash-table.ts";
import { readInteger } from "./arguments.ts";
import type { CommandContext } from "./command.ts";
import { replyCursor } from "./scan-cursor.ts";

const DEFAULT_COUNT = 10;
/** Steps for each element that COUNT asks for, while nothing is found. */
const STEPS_PER_ELEMENT = 10;

/** What follows the cursor of a scan within a value. */
export class ScanOptions {
  readonly count: number;
  /** Argument of the pattern, 0 when everything matches. */
  readonly patternIndex: number;

  private constructor(count: number, patternIndex: number) {
    this.count = count;
    this.patternIndex = patternIndex;
  }

  /** Reads the arguments from `index` on; undefined when they are wrong, and the error has been written. */
  static read(context: CommandContext, index: number): ScanOptions | undefined {
    const { request, reply } = context;
    let count = DEFAULT_COUNT;
    let patternIndex = 0;
    for (; index < request.count; index += 2) {
      const hasValue = index + 1 < request.count;
      if (hasValue && request.is(index, "COUNT")) {
        count = readInteger(context, index + 1);
        if (Number.isNaN(count)) return undefined;
        if (count >= 1) continue;
      } else if (hasValue && request.is(index, "MATCH")) {
        patternIndex = request.is(index + 1, "*") ? 0 : index + 1;
        continue;
      }
      reply.error(SYNTAX);
      return undefined;
    }
    return new ScanOptions(count, patternIndex);
  }

  /** Whether the pattern, if there is one, matches these bytes. */
  matches(context: CommandContext, bytes: Uint8Array, start: number, length: number): boolean {
    const index = this.patternIndex;
    if (index === 0) return true;
    const { input, offset, length: lengths } = context.request;
    return globMatch(input, offset[index]!, lengths[index]!, bytes, start, length, false);
  }
}

/** Collects the entries of as many chains as `count` asks for; returns the next cursor, 0 at the end. */
export function scanTable(tables: HashTable, table: number, cursor: number, count: number, found: number[]): number {
  const chain = new RecordList();
  const collect = (home: number): void => {
    const entries = tables.readChain(home, chain);
    for (let index = 0; index < entries; index++) found.push(chain.records[index]!);
  };
  let steps = count * STEPS_PER_ELEMENT;
  let next = cursor;
  do {
    next = tables.scan(table, next, collect);
  } while (next !== 0 && --steps > 0 && found.length < count);
  return next;
}

/** The reply of a scan of a key that is absent. */
export function replyEmptyScan(context: CommandContext): void {
  replyCursor(context.reply, 0);
  context.reply.array(0);
}
