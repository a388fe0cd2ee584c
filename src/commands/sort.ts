/**
 * SORT and SORT_RO. There are no lists, sets and sorted sets yet: what can be sorted is what is absent, and that is
 * empty. Options, errors and STORE are complete; `gather` is where the elements will come from.
 *
 *  I1  Options are checked before the key is looked at.
 *  Source: replies of redis-server 7.0.
 */

import { SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import { readInteger } from "./arguments.ts";
import type { CommandContext, CommandTable, KeySpec } from "./command.ts";
import { EVENT_GENERIC } from "./events.ts";

interface SortOptions {
  /** Index of the argument that names the target, 0 when there is none. */
  storeIndex: number;
}

/** Undefined when the options make no sense: the error has been written. */
function readSortOptions(context: CommandContext, mayStore: boolean): SortOptions | undefined {
  const { request, reply } = context;
  const options: SortOptions = { storeIndex: 0 };
  for (let index = 2; index < request.count; index++) {
    const rest = request.count - 1 - index;
    if (request.is(index, "ASC") || request.is(index, "DESC") || request.is(index, "ALPHA")) continue;
    if (rest >= 2 && request.is(index, "LIMIT")) {
      if (Number.isNaN(readInteger(context, ++index)) || Number.isNaN(readInteger(context, ++index))) return undefined;
    } else if (rest >= 1 && mayStore && request.is(index, "STORE")) {
      options.storeIndex = ++index;
    } else if (rest >= 1 && (request.is(index, "BY") || request.is(index, "GET"))) {
      index++;
    } else {
      reply.error(SYNTAX);
      return undefined;
    }
  }
  return options;
}

function sort(context: CommandContext, mayStore: boolean): void {
  const { request, reply, keyspace, database } = context;
  const { input, offset, length } = request;
  const options = readSortOptions(context, mayStore);
  if (options === undefined) return;
  if (keyspace.lookupRead(database, input, offset[1]!, length[1]!) !== 0) {
    reply.error(WRONG_TYPE);
    return;
  }
  if (options.storeIndex === 0) {
    reply.array(0);
    return;
  }
  const target = options.storeIndex;
  if (keyspace.delete(database, input, offset[target]!, length[target]!)) {
    context.changed(EVENT_GENERIC, "del", target);
  }
  reply.integer(0);
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
