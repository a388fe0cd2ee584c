/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what other keys hold for them.
 *
 *      elements ──BY──► weights ──► order ──LIMIT──► range ──GET──► reply, or a list under STORE's key
 *
 *  I1  Options are checked before the key is looked at.
 *  I2  BY a pattern without a star keeps the order that is there: a list's or a sorted set's own, DESC backwards. A set
 *      has none; where its elements are stored they are sorted by their bytes.
 *  I3  A list that is stored is made under a name of its own and takes its key's place when it is complete.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError, SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import { PACKED_THRESHOLD_BYTES } from "../store/encodings/quicklist.ts";
import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../store/keyspace/record.ts";
import { readInteger } from "./arguments.ts";
import type { CommandContext, CommandTable, KeySpec } from "./command.ts";
import { EVENT_GENERIC, EVENT_LIST } from "./events.ts";
import {
  collectAll,
  collectRange,
  elementCount,
  naturalOrder,
  orderByNumbers,
  orderByTexts,
  rangeOf,
  SortPattern,
  type SortRange,
  TextList,
  TextView,
} from "./sort-elements.ts";

const NO_NUMBER = new ReplyError("ERR One or more scores can't be converted into double");
const BY_DENIED = new ReplyError("ERR BY option of SORT denied due to insufficient ACL permissions.");
const GET_DENIED = new ReplyError("ERR GET option of SORT denied due to insufficient ACL permissions.");

/** What the options of a request say. */
class SortOptions {
  isDescending = false;
  isAlpha = false;
  /** BY named a pattern without a star (I2). */
  keepsOrder = false;
  by: SortPattern | undefined = undefined;
  readonly gets: SortPattern[] = [];
  limitStart = 0;
  limitCount = -1;
  /** Index of the argument that names the target, 0 when there is none. */
  storeIndex = 0;
}

/** Undefined when the options make no sense: the error has been written. */
function readSortOptions(context: CommandContext, mayStore: boolean): SortOptions | undefined {
  const { request, reply } = context;
  const options = new SortOptions();
  for (let index = 2; index < request.count; index++) {
    const rest = request.count - 1 - index;
    if (request.is(index, "ASC")) {
      options.isDescending = false;
    } else if (request.is(index, "DESC")) {
      options.isDescending = true;
    } else if (request.is(index, "ALPHA")) {
      options.isAlpha = true;
    } else if (rest >= 2 && request.is(index, "LIMIT")) {
      options.limitStart = readInteger(context, ++index);
      if (Number.isNaN(options.limitStart)) return undefined;
      options.limitCount = readInteger(context, ++index);
      if (Number.isNaN(options.limitCount)) return undefined;
    } else if (rest >= 1 && mayStore && request.is(index, "STORE")) {
      options.storeIndex = ++index;
    } else if (rest >= 1 && request.is(index, "BY")) {
      options.by = new SortPattern(request.copy(++index));
      if (!options.by.hasStar) {
        options.keepsOrder = true;
      } else if (!context.readsEveryKey()) {
        reply.error(BY_DENIED);
        return undefined;
      }
    } else if (rest >= 1 && request.is(index, "GET")) {
      if (!context.readsEveryKey()) {
        reply.error(GET_DENIED);
        return undefined;
      }
      options.gets.push(new SortPattern(request.copy(++index)));
    } else {
      reply.error(SYNTAX);
      return undefined;
    }
  }
  return options;
}

/** Elements in the order in which they are returned: those of `range` of `order`. */
interface Sorted {
  readonly elements: TextList;
  readonly order: Uint32Array;
  readonly range: SortRange;
}

function sort(context: CommandContext, mayStore: boolean): void {
  const { request, reply, keyspace, database } = context;
  const options = readSortOptions(context, mayStore);
  if (options === undefined) return;
  const record = keyspace.lookupRead(database, request.input, request.offset[1]!, request.length[1]!);
  if (record !== 0) {
    const type = keyspace.records.type(record);
    if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
      reply.error(WRONG_TYPE);
      return;
    }
    if (type === TYPE_SET && options.keepsOrder && options.storeIndex !== 0) {
      options.keepsOrder = false;
      options.isAlpha = true;
      options.by = undefined;
    }
  }
  const sorted = inOrder(context, record, options);
  if (sorted === undefined) {
    reply.error(NO_NUMBER);
    return;
  }
  if (options.storeIndex === 0) answer(context, options, sorted);
  else store(context, options, sorted);
}

/** Undefined when a weight is no number. */
function inOrder(context: CommandContext, record: number, options: SortOptions): Sorted | undefined {
  const { keyspace } = context;
  const { isDescending, isAlpha } = options;
  const range = rangeOf(options.limitStart, options.limitCount, elementCount(keyspace, record));
  if (options.keepsOrder) {
    const elements = collectRange(keyspace, record, range, isDescending);
    return { elements, order: naturalOrder(elements), range: { start: 0, end: elements.count - 1 } };
  }
  const elements = collectAll(keyspace, record);
  const order = isAlpha
    ? orderByTexts(context, elements, options.by, isDescending, options.storeIndex !== 0, hasNoOrder(context, record))
    : orderByNumbers(context, elements, options.by, isDescending);
  return order === undefined ? undefined : { elements, order, range };
}

/** The elements lie as chance has it: those whose weights are equal must not be stored that way. */
function hasNoOrder({ keyspace }: CommandContext, record: number): boolean {
  return record !== 0 && keyspace.records.type(record) === TYPE_SET;
}

function answer(context: CommandContext, { gets }: SortOptions, { elements, order, range }: Sorted): void {
  const { reply } = context;
  const count = Math.max(range.end - range.start + 1, 0);
  reply.array(gets.length === 0 ? count : count * gets.length);
  const view = new TextView();
  for (let place = range.start; place <= range.end; place++) {
    const index = order[place]!;
    if (gets.length === 0) reply.bulk(elements.bytes, elements.starts[index]!, elements.lengths[index]!);
    for (const pattern of gets) {
      if (pattern.find(context, elements, index, view)) reply.bulk(view.bytes, view.start, view.length);
      else reply.nullBulk();
    }
  }
}

function store(context: CommandContext, { gets, storeIndex }: SortOptions, { elements, order, range }: Sorted): void {
  const { request, keyspace, database, reply } = context;
  const { input, offset, length } = request;
  // The list's own name comes first, so that the store finds name and elements in one place.
  const texts = new TextList();
  const name = freeName(context, storeIndex);
  texts.add(name, 0, name.length);
  const view = new TextView();
  for (let place = range.start; place <= range.end; place++) {
    const index = order[place]!;
    if (gets.length === 0) texts.add(elements.bytes, elements.starts[index]!, elements.lengths[index]!);
    for (const pattern of gets) {
      if (pattern.find(context, elements, index, view)) texts.add(view.bytes, view.start, view.length);
      else texts.add(name, 0, 0);
    }
  }
  const count = texts.count - 1;
  if (count === 0) {
    if (keyspace.delete(database, input, offset[storeIndex]!, length[storeIndex]!)) {
      context.changed(EVENT_GENERIC, "del", storeIndex);
    }
    reply.integer(0);
    return;
  }
  const { lists } = keyspace;
  lists.prepare(context.limits.packedThresholdBytes ?? PACKED_THRESHOLD_BYTES);
  keyspace.lookupWrite(database, texts.bytes, 0, name.length);
  lists.push(database, 0, false, texts.bytes, texts.starts, texts.lengths, 1, texts.count, 0, name.length);
  try {
    const made = keyspace.lookupWrite(database, texts.bytes, 0, name.length);
    keyspace.rename(database, made, input, offset[storeIndex]!, length[storeIndex]!);
  } catch (error) {
    keyspace.delete(database, texts.bytes, 0, name.length);
    throw error;
  }
  context.changed(EVENT_LIST, "sortstore", storeIndex, count);
  reply.integer(count);
}

/** A name that no key has: the target's with something behind it. */
function freeName({ request, keyspace, database }: CommandContext, storeIndex: number): Uint8Array {
  const target = request.bytes(storeIndex);
  for (let number = 0; ; number++) {
    const name = Buffer.concat([target, Buffer.from(`\0sorted ${number}`, "latin1")]);
    if (!keyspace.has(database, name, 0, name.length)) return name;
  }
}

const SOURCE_KEY: KeySpec = {
  flags: ["RO", "access"],
  begin: { index: 1 },
  find: { lastKey: 0, step: 1, limit: 0 },
};
const PATTERN_KEYS: KeySpec = {
  flags: ["RO", "access"],
  begin: { unknown: true },
  find: { unknown: true },
  notes:
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
};
const TARGET_KEY: KeySpec = {
  flags: ["OW", "update"],
  begin: { unknown: true },
  find: { unknown: true },
  notes:
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
};

const SORTING = {
  arity: -2,
  acl: ["set", "sortedset", "list", "dangerous"],
  group: "generic",
  complexity: "O(N+M*log(M)) where N is the number of elements and M the number of those that are returned.",
} as const;

export const SORT_COMMANDS: CommandTable = {
  SORT: {
    ...SORTING,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [SOURCE_KEY, PATTERN_KEYS, TARGET_KEY],
    since: "1.0.0",
    summary: "Sorts the elements of a list, set or sorted set, and returns or stores them.",
    arguments:
      "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [order=ASC|DESC] [sorting=ALPHA] [STORE destination]",
    run: (context) => sort(context, true),
  },
  SORT_RO: {
    ...SORTING,
    flags: ["readonly", "movablekeys"],
    keys: [SOURCE_KEY, PATTERN_KEYS],
    since: "7.0.0",
    summary: "Sorts the elements of a list, set or sorted set, and returns them.",
    arguments:
      "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [order=ASC|DESC] [sorting=ALPHA]",
    run: (context) => sort(context, false),
  },
};
