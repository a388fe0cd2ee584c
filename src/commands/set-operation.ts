/**
 * Sets combined: SINTER, SUNION, SDIFF, each with STORE, and SINTERCARD.
 *
 *      sources ──► found: (set, token) of each member of the result ──┬──► reply
 *                                                                     └──► SetBuilder ──► destination
 *
 *      SINTER   the smallest set is walked, the others are asked
 *      SUNION   from the largest set down, each is walked; who is in one before it is known already
 *      SDIFF    the first set is walked and the others are asked, or, when they are much smaller, the other way round
 *
 *  I1  All sources are looked at for their type before anything else, absent ones are empty.
 *  I2  Nothing is written until the whole result is found: the destination may be a source.
 *  Source: replies, events and encodings of redis-server 7.0 and 7.2.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { ENCODING_HASHTABLE, ENCODING_INTSET, ENCODING_LISTPACK } from "../store/keyspace/record.ts";
import { SetBuilder } from "../store/values/set-builder.ts";
import { readInteger } from "./arguments.ts";
import {
  type CommandContext,
  type CommandTable,
  countedKeys,
  KEYS_READ,
  type KeySpec,
  keyAt,
  keysFrom,
} from "./command.ts";
import { EVENT_GENERIC, EVENT_SET } from "./events.ts";
import { findSet, NO_SET } from "./set.ts";

type Operation = "inter" | "union" | "diff";

const NO_KEYS = new ReplyError("ERR numkeys should be greater than 0");
const TOO_MANY_KEYS = new ReplyError("ERR Number of keys can't be greater than number of args");
const NEGATIVE_LIMIT = new ReplyError("ERR LIMIT can't be negative");
/** A union of more sets collects its members in a set of its own instead of asking all sets before. */
const ASKED_SETS_MAX = 4;

/** The members of a result: those of `record`, by their tokens (Sets, I5). */
interface Found {
  readonly record: number;
  readonly tokens: readonly number[];
}

/** The sets of arguments `first ... end)`, 0 for absent ones; undefined when one is none and the error has been written. */
function findSets(context: CommandContext, first: number, end: number): number[] | undefined {
  const records: number[] = [];
  for (let index = first; index < end; index++) {
    const record = findSet(context, index);
    if (record === NO_SET) return undefined;
    records.push(record);
  }
  return records;
}

/** Members that all sets have, at most `limit` of them. hot path */
function intersection(context: CommandContext, records: number[], limit: number): Found[] {
  if (records.includes(0)) return [];
  const { sets } = context.keyspace;
  // Two sets, as most often, need no sorting; more are asked in ascending order, where a member is soonest missed.
  if (records.length > 2) records = [...new Set(records)].sort((left, right) => sets.count(left) - sets.count(right));
  const isSecondSmaller = records.length === 2 && sets.count(records[1]!) < sets.count(records[0]!);
  const walked = isSecondSmaller ? 1 : 0;
  const tokens: number[] = [];
  sets.startWalk(records[walked]!);
  walk: while (tokens.length < limit && sets.next()) {
    for (let index = 0; index < records.length; index++) {
      if (index !== walked && !sets.sharesFound(records[index]!)) continue walk;
    }
    tokens.push(sets.token);
  }
  return [{ record: records[walked]!, tokens }];
}

/** Members that at least one of `records`, a few sets, has. */
function union({ keyspace }: CommandContext, records: readonly number[]): Found[] {
  const { sets } = keyspace;
  const seen: number[] = [];
  const found: Found[] = [];
  for (const record of records) {
    const tokens: number[] = [];
    sets.startWalk(record);
    walk: while (sets.next()) {
      for (let index = 0; index < seen.length; index++) {
        if (sets.sharesFound(seen[index]!)) continue walk;
      }
      tokens.push(sets.token);
    }
    seen.push(record);
    found.push({ record, tokens });
  }
  return found;
}

/** Present sets without repetitions, the largest first. */
function largestFirst({ keyspace }: CommandContext, records: readonly number[]): number[] {
  const { sets } = keyspace;
  return [...new Set(records)]
    .filter((record) => record !== 0)
    .sort((left, right) => sets.count(right) - sets.count(left));
}

/** Whether SDIFF asks the other sets for each member of the first, and not the other way round: Redis's own estimate. */
function isAskingOthers({ keyspace }: CommandContext, records: readonly number[]): boolean {
  const { sets } = keyspace;
  const first = sets.count(records[0]!);
  let all = 0;
  for (const record of records) if (record !== 0) all += sets.count(record);
  return (first * records.filter((record) => record !== 0).length) / 2 <= all;
}

/** Members that the first set has and no other one. */
function difference(context: CommandContext, records: readonly number[], asksOthers: boolean): Found[] {
  const { sets } = context.keyspace;
  const [first, ...rest] = records;
  if (first === undefined || first === 0 || rest.includes(first)) return [];
  const others = largestFirst(context, rest);
  const tokens: number[] = [];
  if (asksOthers) {
    sets.startWalk(first);
    walk: while (sets.next()) {
      for (let index = 0; index < others.length; index++) {
        if (sets.sharesFound(others[index]!)) continue walk;
      }
      tokens.push(sets.token);
    }
    return [{ record: first, tokens }];
  }
  const taken = new Set<number>();
  for (const other of others) {
    sets.startWalk(other);
    while (sets.next()) {
      const token = sets.search(first, sets.valueBytes, sets.valueStart, sets.valueLength);
      if (token !== -1) taken.add(token);
    }
  }
  sets.startWalk(first);
  while (sets.next()) if (!taken.has(sets.token)) tokens.push(sets.token);
  return [{ record: first, tokens }];
}

/** hot path */
function replyFound(context: CommandContext, found: readonly Found[]): void {
  const { reply, keyspace } = context;
  const { sets } = keyspace;
  let count = 0;
  for (let index = 0; index < found.length; index++) count += found[index]!.tokens.length;
  reply.set(count);
  for (let index = 0; index < found.length; index++) {
    const { record, tokens } = found[index]!;
    for (let each = 0; each < tokens.length; each++) {
      sets.readToken(record, tokens[each]!);
      reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    }
  }
}

function addFound({ keyspace }: CommandContext, found: readonly Found[], builder: SetBuilder): void {
  const { sets } = keyspace;
  for (const { record, tokens } of found) {
    for (let index = 0; index < tokens.length; index++) {
      sets.readToken(record, tokens[index]!);
      builder.addMember(sets.valueBytes, sets.valueStart, sets.valueLength);
    }
  }
}

/** Puts all members of all sets into a builder. */
function addAll({ keyspace }: CommandContext, records: readonly number[], builder: SetBuilder): void {
  const { sets } = keyspace;
  for (const record of records) {
    sets.startWalk(record);
    while (sets.next()) builder.addMember(sets.valueBytes, sets.valueStart, sets.valueLength);
  }
}

/**
 * The encoding that a new set of all members of `record` has. SDIFFSTORE that takes members out of the first set keeps it,
 * however few are left.
 */
function encodingOfAll({ keyspace }: CommandContext, record: number): number {
  const { sets, encodingLimits: limits } = keyspace;
  const count = sets.count(record);
  if (count > Math.max(limits.setIntsetEntries, limits.setListpackEntries)) return ENCODING_HASHTABLE;
  let areNumbers = true;
  let areShort = true;
  sets.startWalk(record);
  while (sets.next()) {
    areNumbers &&= sets.isNumber();
    areShort &&= sets.valueLength <= limits.setListpackBytes;
  }
  if (areNumbers && count <= limits.setIntsetEntries) return ENCODING_INTSET;
  return !areNumbers && areShort && count <= limits.setListpackEntries ? ENCODING_LISTPACK : ENCODING_HASHTABLE;
}

function combine(context: CommandContext, operation: Operation): void {
  const records = findSets(context, 1, context.request.count);
  if (records === undefined) return;
  if (operation === "inter") {
    replyFound(context, intersection(context, records, Number.POSITIVE_INFINITY));
    return;
  }
  if (operation === "diff") {
    const asksOthers = records[0] === 0 || isAskingOthers(context, records);
    replyFound(context, difference(context, records, asksOthers));
    return;
  }
  const sources = largestFirst(context, records);
  if (sources.length <= ASKED_SETS_MAX) {
    replyFound(context, union(context, sources));
    return;
  }
  const builder = new SetBuilder(context.keyspace);
  try {
    builder.begin(0);
    addAll(context, sources, builder);
    context.reply.set(builder.count);
    builder.eachMember((bytes, start, length) => context.reply.bulk(bytes, start, length));
  } finally {
    builder.abandon();
  }
}

function store(context: CommandContext, operation: Operation): void {
  const { request, reply, keyspace, database } = context;
  const records = findSets(context, 2, request.count);
  if (records === undefined) return;
  const builder = new SetBuilder(keyspace);
  let count = 0;
  try {
    if (operation === "union") {
      builder.begin(0);
      addAll(
        context,
        records.filter((record) => record !== 0),
        builder,
      );
    } else if (operation === "inter") {
      builder.begin(0);
      addFound(context, intersection(context, records, Number.POSITIVE_INFINITY), builder);
    } else {
      const asksOthers = records[0] === 0 || isAskingOthers(context, records);
      const found = difference(context, records, asksOthers);
      builder.begin(0, asksOthers ? ENCODING_INTSET : encodingOfAll(context, records[0]!));
      addFound(context, found, builder);
    }
    count = builder.count;
    if (count > 0) builder.put(database, request.input, request.offset[1]!, request.length[1]!, NO_EXPIRY);
  } finally {
    builder.abandon();
  }
  if (count > 0) {
    context.changed(EVENT_SET, STORE_EVENTS[operation], 1);
  } else if (keyspace.delete(database, request.input, request.offset[1]!, request.length[1]!)) {
    context.changed(EVENT_GENERIC, "del", 1);
  }
  reply.integer(count);
}

const STORE_EVENTS: Readonly<Record<Operation, string>> = {
  inter: "sinterstore",
  union: "sunionstore",
  diff: "sdiffstore",
};

function intersectionCardinality(context: CommandContext): void {
  const { request, reply } = context;
  const keyCount = readInteger(context, 1, NO_KEYS);
  if (Number.isNaN(keyCount)) return;
  if (keyCount <= 0) {
    reply.error(NO_KEYS);
    return;
  }
  if (keyCount > request.count - 2) {
    reply.error(TOO_MANY_KEYS);
    return;
  }
  let limit = 0;
  for (let index = keyCount + 2; index < request.count; index += 2) {
    if (!request.is(index, "LIMIT") || index + 1 >= request.count) {
      reply.error(SYNTAX);
      return;
    }
    limit = readInteger(context, index + 1, NEGATIVE_LIMIT);
    if (Number.isNaN(limit)) return;
    if (limit < 0) {
      reply.error(NEGATIVE_LIMIT);
      return;
    }
  }
  const records = findSets(context, 2, keyCount + 2);
  if (records === undefined) return;
  const found = intersection(context, records, limit === 0 ? Number.POSITIVE_INFINITY : limit);
  reply.integer(found.length === 0 ? 0 : found[0]!.tokens.length);
}

const READS = {
  arity: -2,
  flags: ["readonly"],
  acl: ["set"],
  keys: KEYS_READ,
  since: "1.0.0",
  group: "set",
  arguments: "key [key ...]",
  tips: ["nondeterministic_output_order"],
} as const;
const STORES = {
  arity: -3,
  flags: ["write", "denyoom"],
  acl: ["set"],
  since: "1.0.0",
  group: "set",
  arguments: "destination key [key ...]",
} as const;
const OVERWRITES: readonly KeySpec[] = [keyAt(1, "OW", "update"), keysFrom(2, "RO", "access")];
const SMALLEST = "O(N*M) at worst, where N is the size of the smallest set and M the number of sets.";
const ALL = "O(N) where N is the number of members of all sets together.";

export const SET_OPERATION_COMMANDS: CommandTable = {
  SDIFF: {
    ...READS,
    complexity: ALL,
    summary: "Returns the members that the first set has and no other one.",
    run: (context) => combine(context, "diff"),
  },
  SDIFFSTORE: {
    ...STORES,
    keys: OVERWRITES,
    complexity: ALL,
    summary: "Stores the members that the first set has and no other one under a key.",
    run: (context) => store(context, "diff"),
  },
  SINTER: {
    ...READS,
    complexity: SMALLEST,
    summary: "Returns the members that all sets have.",
    run: (context) => combine(context, "inter"),
  },
  SINTERCARD: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    acl: ["set"],
    keys: [countedKeys(1, "RO", "access")],
    since: "7.0.0",
    group: "set",
    complexity: SMALLEST,
    summary: "Returns how many members all sets have in common; counting may stop at a limit.",
    arguments: "numkeys(integer) key [key ...] [LIMIT limit(integer)]",
    run: intersectionCardinality,
  },
  SINTERSTORE: {
    ...STORES,
    keys: [keyAt(1, "RW", "update"), keysFrom(2, "RO", "access")],
    complexity: SMALLEST,
    summary: "Stores the members that all sets have under a key.",
    run: (context) => store(context, "inter"),
  },
  SUNION: {
    ...READS,
    complexity: ALL,
    summary: "Returns the members that at least one set has.",
    run: (context) => combine(context, "union"),
  },
  SUNIONSTORE: {
    ...STORES,
    keys: OVERWRITES,
    complexity: ALL,
    summary: "Stores the members that at least one set has under a key.",
    run: (context) => store(context, "union"),
  },
};
