/**
 * Where the keys of a request stand and what the command does to them, without an object per key.
 *
 *      GET  k          words of a request that may stand inside another one (COMMAND GETKEYS GET k) from `start` on
 *      positions [1]   flags [KEY_RO | KEY_ACCESS]
 *
 *  I1  Keys come from the key specifications; commands whose keys or flags depend on other words have a finder here.
 *  I2  What `find` found is good until its next call.
 *  I3  Words that a specification expects behind the end of the request are left out: the command will complain.
 *      Those that are there count, for whoever asks for rights.
 *  Source: replies of redis-server 7.0 to COMMAND GETKEYS and GETKEYSANDFLAGS.
 */

import type { CommandSpec, KeyFlag, KeySpec } from "../commands/command.ts";
import type { Request } from "../protocol/request.ts";

export const KEY_RO = 1;
export const KEY_RW = 2;
export const KEY_OW = 4;
export const KEY_RM = 8;
export const KEY_ACCESS = 16;
export const KEY_UPDATE = 32;
export const KEY_INSERT = 64;
export const KEY_DELETE = 128;

/** In the order in which they are shown. */
const NAMES: readonly (readonly [number, KeyFlag])[] = [
  [KEY_RO, "RO"],
  [KEY_RW, "RW"],
  [KEY_OW, "OW"],
  [KEY_RM, "RM"],
  [KEY_ACCESS, "access"],
  [KEY_UPDATE, "update"],
  [KEY_INSERT, "insert"],
  [KEY_DELETE, "delete"],
];

/** The names of the flags that `bits` holds. */
export function keyFlagNames(bits: number): KeyFlag[] {
  return NAMES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
}

/** How the keys of one command are found. */
export interface KeyRules {
  readonly hasKeys: boolean;
  readonly specs: readonly { readonly spec: KeySpec; readonly flags: number }[];
  readonly finder: "set" | "sort" | "first" | "bitfield" | "streams" | undefined;
  /** The place and flags of the key of a command that has one, always in the same place; 0 for the others. */
  readonly onlyKey: number;
  readonly onlyFlags: number;
}

export function keyRulesOf(name: string, spec: CommandSpec): KeyRules {
  const specs = (spec.keys ?? [])
    .filter(({ flags }) => !flags.includes("not_key"))
    .map((each) => ({ spec: each, flags: flagBits(each.flags) }));
  let finder: KeyRules["finder"];
  if (name === "SET") finder = "set";
  else if (name === "SORT") finder = "sort";
  else if (name === "SORT_RO") finder = "first";
  else if (name === "BITFIELD") finder = "bitfield";
  else if (name === "XREAD" || name === "XREADGROUP") finder = "streams";
  const only = specs.length === 1 && finder === undefined ? specs[0]! : undefined;
  let onlyKey = 0;
  if (only !== undefined) {
    const { begin, find } = only.spec;
    if ("index" in begin && "lastKey" in find && find.lastKey === 0) onlyKey = begin.index;
  }
  return { hasKeys: specs.length > 0, specs, finder, onlyKey, onlyFlags: only?.flags ?? 0 };
}

function flagBits(flags: readonly KeyFlag[]): number {
  return NAMES.reduce((bits, [bit, name]) => (flags.includes(name) ? bits | bit : bits), 0);
}

export class KeyFinder {
  /** Argument indexes of the keys in the whole request: `positions[0 ... count)`. */
  positions: Int32Array;
  flags: Int32Array;
  count: number;

  constructor() {
    this.positions = new Int32Array(16);
    this.flags = new Int32Array(16);
    this.count = 0;
  }

  /**
   * Finds the keys of the words from `start` on. False when the words make no
   * sense, which the command will say: then there may be more. hot path
   */
  find(rules: KeyRules, request: Request, start: number): boolean {
    this.count = 0;
    const { onlyKey } = rules;
    if (onlyKey !== 0) {
      if (start + onlyKey >= request.count) return true;
      this.positions[0] = start + onlyKey;
      this.flags[0] = rules.onlyFlags;
      this.count = 1;
      return true;
    }
    if (rules.finder !== undefined) {
      if (rules.finder === "set") this.findOfSet(request, start);
      else if (rules.finder === "sort") this.findOfSort(request, start);
      else if (rules.finder === "first") this.findOfSortRo(request, start);
      else if (rules.finder === "streams") return this.findOfStreams(rules.specs[0]!, request, start);
      else this.findOfBitfield(request, start);
      return true;
    }
    const specs = rules.specs;
    for (let index = 0; index < specs.length; index++) {
      const { spec, flags } = specs[index]!;
      if (!this.findOfSpec(spec, flags, request, start)) return false;
    }
    return true;
  }

  /** XREAD, XREADGROUP: by their specification; where that finds none, option by option, as redis-server does it. */
  private findOfStreams({ spec, flags }: KeyRules["specs"][number], request: Request, start: number): boolean {
    if (this.findOfSpec(spec, flags, request, start)) return true;
    this.count = 0;
    const { count } = request;
    let index = start + 1;
    for (; index < count && !request.is(index, "STREAMS"); index++) {
      if (request.is(index, "BLOCK") || request.is(index, "COUNT")) index++;
      else if (request.is(index, "GROUP")) index += 2;
      else if (!request.is(index, "NOACK")) return false;
    }
    const words = count - index - 1;
    if (words <= 0 || words % 2 !== 0) return false;
    for (let key = 0; key < words / 2; key++) this.add(index + 1 + key, flags);
    return true;
  }

  private findOfSpec({ begin, find }: KeySpec, flags: number, request: Request, start: number): boolean {
    const wordCount = request.count - start;
    let first: number;
    if ("index" in begin) first = begin.index;
    else if ("keyword" in begin) {
      first = afterKeyword(begin.keyword, begin.startFrom, request, start);
      if (first === 0) return true;
    } else return false;
    let last: number;
    let step = 1;
    let isWhole = true;
    if ("lastKey" in find) {
      step = find.step;
      if (find.lastKey >= 0) last = first + find.lastKey;
      else if (find.limit === 0) last = wordCount + find.lastKey;
      else last = first + Math.floor((wordCount - first) / find.limit) + find.lastKey;
    } else if ("keyNumberIndex" in find) {
      if (first + find.keyNumberIndex >= wordCount) return false;
      const keyCount = request.integer(start + first + find.keyNumberIndex);
      if (!(keyCount >= 0)) return false;
      step = find.step;
      first += find.firstKey;
      last = first + (keyCount - 1) * step;
      isWhole = last < wordCount;
    } else return false;
    if (last < first) return false;
    if (last >= wordCount) last = wordCount - 1;
    for (let word = first; word <= last; word += step) this.add(start + word, flags);
    return isWhole;
  }

  private add(position: number, flags: number): void {
    if (this.count === this.positions.length) this.grow();
    this.positions[this.count] = position;
    this.flags[this.count++] = flags;
  }

  private grow(): void {
    const positions = new Int32Array(this.count * 2);
    const flags = new Int32Array(this.count * 2);
    positions.set(this.positions);
    flags.set(this.flags);
    this.positions = positions;
    this.flags = flags;
  }

  /** SET reads its key only with GET. */
  private findOfSet(request: Request, start: number): void {
    let flags = KEY_OW | KEY_UPDATE;
    for (let index = start + 3; index < request.count; index++) {
      if (request.is(index, "GET")) flags = KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    if (start + 1 < request.count) this.add(start + 1, flags);
  }

  /** SORT's target follows STORE; the keys that its patterns make are known only when it runs. */
  private findOfSort(request: Request, start: number): void {
    const { count } = request;
    if (start + 1 >= count) return;
    this.add(start + 1, KEY_RO | KEY_ACCESS);
    let target = 0;
    for (let index = start + 2; index < count; index++) {
      if (request.is(index, "LIMIT")) index += 2;
      else if (request.is(index, "GET") || request.is(index, "BY")) index += 1;
      // Not skipped: a target named STORE is taken for the option once more, as redis-server does it.
      else if (request.is(index, "STORE") && index + 1 < count) target = index + 1;
    }
    if (target !== 0) this.add(target, KEY_OW | KEY_UPDATE);
  }

  private findOfSortRo(request: Request, start: number): void {
    if (start + 1 < request.count) this.add(start + 1, KEY_RO | KEY_ACCESS);
  }

  /** BITFIELD only reads when all of its operations are GET, as far as they can be understood. */
  private findOfBitfield(request: Request, start: number): void {
    const { count } = request;
    if (start + 1 >= count) return;
    let isRead = true;
    for (let index = start + 2; index < count && isRead; ) {
      const rest = count - 1 - index;
      if (rest >= 2 && request.is(index, "GET")) index += 3;
      else if (rest >= 1 && request.is(index, "OVERFLOW")) index += 2;
      else isRead = false;
    }
    this.add(start + 1, isRead ? KEY_RO | KEY_ACCESS : KEY_RW | KEY_ACCESS | KEY_UPDATE);
  }
}

/**
 * The word behind `keyword`, 0 when it is not there. The last word is not looked at, since nothing follows it. A
 * negative `from` is counted from the end and means this one place, as redis-server does it.
 */
function afterKeyword(keyword: string, from: number, request: Request, start: number): number {
  const upper = keyword.toUpperCase();
  const wordCount = request.count - start;
  if (from < 0) {
    const word = wordCount + from;
    return word > 1 && request.is(start + word, upper) ? word + 1 : 0;
  }
  for (let word = from; word < wordCount - 1; word++) if (request.is(start + word, upper)) return word + 1;
  return 0;
}
