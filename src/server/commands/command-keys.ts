/**
 * Which arguments of a whole request are keys, and what the command does to them: COMMAND GETKEYS.
 *
 *      words   GET  k          ← a request inside another: its word 0 is argument `start` of the outer one
 *
 *  I1  Keys come from the key specifications; commands whose keys or flags depend on other words have a finder here.
 *  Source: replies of redis-server 7.0.
 */

import type { KeyFlag, KeySpec } from "../../commands/command.ts";
import type { Request } from "../../protocol/request.ts";
import type { Command } from "../../session/command-index.ts";

export interface FoundKey {
  /** Argument index in the outer request. */
  readonly argument: number;
  readonly flags: readonly KeyFlag[];
}

/** The words of a request that stands in another one from argument `start` on. */
export class InnerRequest {
  readonly count: number;
  private readonly request: Request;
  private readonly start: number;

  constructor(request: Request, start: number) {
    this.request = request;
    this.start = start;
    this.count = request.count - start;
  }

  is(word: number, upper: string): boolean {
    return this.request.is(this.start + word, upper);
  }

  integer(word: number): number {
    return this.request.integer(this.start + word);
  }

  /** Index of `word` in the outer request. */
  argument(word: number): number {
    return this.start + word;
  }
}

type KeyFinder = (words: InnerRequest) => readonly FoundKey[] | undefined;

/** By upper-case command name. */
const FINDERS: Readonly<Record<string, KeyFinder>> = { SET: keysOfSet, SORT: keysOfSort, SORT_RO: keysOfSort };

/** The keys of `words`, a call of `command`; undefined when the arguments make no sense. */
export function findKeys(command: Command, words: InnerRequest): readonly FoundKey[] | undefined {
  const finder = FINDERS[command.name];
  if (finder !== undefined) return finder(words);
  const found: FoundKey[] = [];
  for (const spec of command.spec.keys ?? []) {
    const keys = keysOfSpec(spec, words);
    if (keys === undefined) return undefined;
    found.push(...keys);
  }
  return found;
}

function keysOfSpec({ begin, find, flags }: KeySpec, words: InnerRequest): readonly FoundKey[] | undefined {
  let first: number;
  if ("index" in begin) first = begin.index;
  else if ("keyword" in begin) first = afterKeyword(begin.keyword, begin.startFrom, words);
  else return [];
  if (first === -1) return [];
  let last: number;
  let step = 1;
  if ("lastKey" in find) {
    step = find.step;
    last = find.lastKey >= 0 ? first + find.lastKey : words.count + find.lastKey;
    // A limit of n: only the first nth of what follows are keys.
    if (find.lastKey < 0 && find.limit > 1)
      last = first + Math.floor((words.count - first) / find.limit) + find.lastKey;
  } else if ("keyNumberIndex" in find) {
    const keyCount = words.integer(first + find.keyNumberIndex);
    if (!(keyCount >= 0)) return undefined;
    step = find.step;
    first += find.firstKey;
    last = first + (keyCount - 1) * step;
  } else {
    return [];
  }
  if (last >= words.count) return undefined;
  const found: FoundKey[] = [];
  for (let word = first; word <= last; word += step) found.push({ argument: words.argument(word), flags });
  return found;
}

/** The word behind `keyword`, -1 when it is not there. A negative `from` is counted from the end and goes backwards. */
function afterKeyword(keyword: string, from: number, words: InnerRequest): number {
  const step = from > 0 ? 1 : -1;
  for (let word = from > 0 ? from : words.count + from; word > 0 && word < words.count; word += step) {
    if (words.is(word, keyword.toUpperCase())) return word + 1;
  }
  return -1;
}

/** SET reads its key only with GET. */
function keysOfSet(words: InnerRequest): readonly FoundKey[] {
  let reads = false;
  for (let word = 3; word < words.count; word++) if (words.is(word, "GET")) reads = true;
  return [{ argument: words.argument(1), flags: reads ? ["RW", "access", "update"] : ["OW", "update"] }];
}

/** SORT's target follows STORE; the keys that its patterns make are known only when it runs. */
function keysOfSort(words: InnerRequest): readonly FoundKey[] {
  const found: FoundKey[] = [{ argument: words.argument(1), flags: ["RO", "access"] }];
  let target = -1;
  for (let word = 2; word < words.count; word++) {
    if (words.is(word, "LIMIT")) word += 2;
    else if (words.is(word, "GET") || words.is(word, "BY")) word += 1;
    // Not skipped: a target named STORE is taken for the option once more, as redis-server does it.
    else if (words.is(word, "STORE") && word + 1 < words.count) target = word + 1;
  }
  if (target !== -1) found.push({ argument: words.argument(target), flags: ["OW", "update"] });
  return found;
}
