/**
 * Streams as a log: XADD, XLEN, XDEL, XTRIM, XSETID, XRANGE, XREVRANGE.
 *
 *      XADD s MAXLEN ~ 1000 * field value ...        the options come first, then the id, then the pairs
 *
 *  I1  Nothing is looked up before all options are read; but XDEL reads its ids only when there is a stream.
 *  I2  A stream that was emptied stays.
 *  Source: replies of redis-server 7.0; the Redis documentation of streams.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import {
  compareIds,
  copyId,
  decrementId,
  fillId,
  ID_INVALID,
  ID_OPEN_SEQUENCE,
  ID_WHOLE,
  incrementId,
  isGreatestId,
  isLaterThanId,
  isZeroId,
  parseId,
  type StreamId,
  setIdMs,
} from "../store/values/stream-id.ts";
import { DELETED_ID, ENTRY_BYTES_MAX, LAST_ID } from "../store/values/streams.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_METADATA, KEY_MODIFY, KEY_READ, type KeySpec } from "./command.ts";
import { EVENT_STREAM } from "./events.ts";
import { recordTrimmed } from "./stream-effects.ts";
import {
  INVALID_ID,
  isSign,
  isStream,
  KEY_TRIMMED,
  readCount,
  readRangeEnd,
  readRoot,
  readStrictId,
  replyId,
  replyRange,
  writeRoot,
} from "./stream-support.ts";

const TWO_STRATEGIES = new ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const NO_STRATEGY = new ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const MISSING_STRATEGY = new ReplyError("ERR syntax error, XTRIM must be called with a trimming strategy");
const LIMIT_WITHOUT_TILDE = new ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NEGATIVE_LENGTH = new ReplyError("ERR The MAXLEN argument must be >= 0.");
const NEGATIVE_LIMIT = new ReplyError("ERR The LIMIT argument must be >= 0.");
const XADD_ARITY = new ReplyError("ERR wrong number of arguments for 'xadd' command");
const ZERO_ID = new ReplyError("ERR The ID specified in XADD must be greater than 0-0");
const ID_TOO_SMALL = new ReplyError("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const IDS_EXHAUSTED = new ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items");
const ENTRY_TOO_LONG = new ReplyError("ERR Elements are too large to be stored");
const BAD_START = new ReplyError("ERR invalid start ID for the interval");
const BAD_END = new ReplyError("ERR invalid end ID for the interval");
const NEGATIVE_ADDED = new ReplyError("ERR entries_added must be positive");
const BELOW_GIVEN_DELETED = new ReplyError(
  "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const BELOW_DELETED = new ReplyError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
const BELOW_TOP = new ReplyError("ERR The ID specified in XSETID is smaller than the target stream top item");
const ADDED_BELOW_LENGTH = new ReplyError(
  "ERR The entries_added specified in XSETID is smaller than the target stream length",
);

const STAR = 42;
const TILDE = 126;
const EQUALS = 61;
const STRATEGY_NONE = 0;
const STRATEGY_LENGTH = 1;
const STRATEGY_ID = 2;
/** Without LIMIT, XADD and XTRIM with "~" remove at most so many nodes' worth of entries. */
const DEFAULT_LIMIT_NODES = 100;
const DEFAULT_LIMIT = 10_000;
const DEFAULT_LIMIT_MAX = 1_000_000;

/** What `readOptions` found beside what is in the registers of the streams. */
class StreamOptions {
  strategy = STRATEGY_NONE;
  isApproximate = false;
  mayMake = true;
  /** ID_WHOLE or ID_OPEN_SEQUENCE; ID_INVALID for "*". */
  idForm = ID_INVALID;
  /** The argument that is the threshold behind "~", 0 without one. */
  approximateAt = 0;
}

/**
 * Reads the options from argument 2 on, and XADD's id. Returns the index of the id (XADD) or the number of arguments
 * (XTRIM); -1: the error has been written.
 */
function readOptions(context: CommandContext, isAdd: boolean, options: StreamOptions): number {
  const { request, reply, keyspace } = context;
  const { trimming, id } = keyspace.streams.registers;
  const count = request.count;
  let limit = -1;
  let at = 2;
  for (; at < count; at++) {
    const more = count - at - 1;
    if (isAdd && isAutomatic(context, at)) {
      options.idForm = ID_INVALID;
      break;
    }
    if (more > 0 && (request.is(at, "MAXLEN") || request.is(at, "MINID"))) {
      const strategy = request.is(at, "MAXLEN") ? STRATEGY_LENGTH : STRATEGY_ID;
      at = readStrategy(context, at, more, strategy, options);
      if (at === -1) return -1;
    } else if (more > 0 && request.is(at, "LIMIT")) {
      limit = readCount(context, ++at);
      if (Number.isNaN(limit)) return -1;
      if (limit < 0) {
        reply.error(NEGATIVE_LIMIT);
        return -1;
      }
    } else if (isAdd && request.is(at, "NOMKSTREAM")) {
      options.mayMake = false;
    } else if (isAdd) {
      options.idForm = parseId(request.input, request.offset[at]!, request.length[at]!, id, false, true, true);
      if (options.idForm !== ID_INVALID) break;
      reply.error(INVALID_ID);
      return -1;
    } else {
      reply.error(SYNTAX);
      return -1;
    }
  }
  if (limit > 0 && options.strategy === STRATEGY_NONE) return refuse(context, NO_STRATEGY);
  if (!isAdd && options.strategy === STRATEGY_NONE) return refuse(context, MISSING_STRATEGY);
  // What is recorded of "~ 1000 LIMIT 50" is "= 1042 LIMIT 50": all of it happened, and has to happen again.
  if (keyspace.isReplaying) limit = 0;
  else if (limit >= 0 && !options.isApproximate) return refuse(context, LIMIT_WITHOUT_TILDE);
  trimming.isByLength = options.strategy === STRATEGY_LENGTH;
  trimming.isApproximate = options.isApproximate;
  trimming.limit = limit >= 0 ? limit : options.isApproximate ? defaultLimit(context) : 0;
  return at;
}

/** Whether argument `at` asks for an id to be made. hot path */
function isAutomatic(context: CommandContext, at: number): boolean {
  const { request } = context;
  return request.length[at] === 1 && request.input[request.offset[at]!] === STAR;
}

function refuse(context: CommandContext, error: ReplyError): number {
  context.reply.error(error);
  return -1;
}

function defaultLimit(context: CommandContext): number {
  const limit = DEFAULT_LIMIT_NODES * context.keyspace.encodingLimits.streamNodeEntries;
  return limit <= 0 ? DEFAULT_LIMIT : Math.min(limit, DEFAULT_LIMIT_MAX);
}

/** Reads MAXLEN or MINID at argument `at`, with its sign and its threshold, at which it returns; -1: an error was written. */
function readStrategy(
  context: CommandContext,
  at: number,
  more: number,
  strategy: number,
  options: StreamOptions,
): number {
  const { trimming } = context.keyspace.streams.registers;
  if (options.strategy !== STRATEGY_NONE) return refuse(context, TWO_STRATEGIES);
  options.strategy = strategy;
  options.isApproximate = false;
  if (more >= 2 && isSign(context, at + 1, TILDE)) {
    options.isApproximate = true;
    options.approximateAt = at + 2;
    at++;
  } else if (more >= 2 && isSign(context, at + 1, EQUALS)) {
    at++;
  }
  at++;
  if (strategy === STRATEGY_ID) return readStrictId(context, at, trimming.idMin) ? at : -1;
  const length = readCount(context, at);
  if (Number.isNaN(length)) return -1;
  if (length < 0) return refuse(context, NEGATIVE_LENGTH);
  trimming.lengthMax = length;
  return at;
}

// ---- XADD -------------------------------------------------------------------------------------------------------------

function add(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const { streams } = keyspace;
  const { id, lastId, trimming } = streams.registers;
  const options = new StreamOptions();
  let idAt = 2;
  if (!isAutomatic(context, 2)) {
    idAt = readOptions(context, true, options);
    if (idAt === -1) return;
  }
  const first = idAt + 1;
  const argumentCount = request.count - first;
  if (argumentCount < 2 || (argumentCount & 1) === 1) {
    reply.error(XADD_ARITY);
    return;
  }
  if (options.idForm === ID_WHOLE && isZeroId(id)) {
    reply.error(ZERO_ID);
    return;
  }
  let root = writeRoot(context, 1);
  if (root === -1) return;
  if (root === 0 && !options.mayMake) {
    reply.nullBulk();
    return;
  }
  if (root === 0) fillId(lastId, false);
  else streams.readId(root, LAST_ID, lastId);
  if (isGreatestId(lastId)) {
    reply.error(IDS_EXHAUSTED);
    return;
  }
  if (!chooseId(options.idForm, id, lastId, keyspace.nowMs)) {
    reply.error(ID_TOO_SMALL);
    return;
  }
  const { offset, length, input } = request;
  let entryBytes = 0;
  for (let argument = request.count - 1; argument >= first; argument--) entryBytes += length[argument]!;
  if (entryBytes > ENTRY_BYTES_MAX) {
    reply.error(ENTRY_TOO_LONG);
    return;
  }
  if (root !== 0) {
    streams.append(root, id, input, offset, length, first, argumentCount >>> 1, entryBytes);
  } else {
    root = streams.create();
    try {
      streams.append(root, id, input, offset, length, first, argumentCount >>> 1, entryBytes);
    } catch (error) {
      streams.discard(root);
      throw error;
    }
    streams.place(database, input, offset[1]!, length[1]!, root);
  }
  replyId(context, id);
  context.changed(EVENT_STREAM, "xadd", 1);
  if (options.strategy !== STRATEGY_NONE && streams.trim(root, trimming) > 0) context.notify(EVENT_STREAM, "xtrim", 1);
  if (context.log.isRecording && (options.idForm !== ID_WHOLE || options.isApproximate)) {
    recordTrimmed(context, root, options.idForm === ID_WHOLE ? 0 : idAt, options.approximateAt);
  }
}

/** Makes `id` the new entry's; false when it would not be above the last one. */
function chooseId(form: number, id: StreamId, lastId: StreamId, nowMs: number): boolean {
  if (form === ID_WHOLE) return compareIds(id, lastId) > 0;
  if (form === ID_OPEN_SEQUENCE) {
    if (id[0] !== lastId[0] || id[1] !== lastId[1]) return compareIds(id, lastId) > 0;
    if (lastId[2] === 0xffffffff && lastId[3] === 0xffffffff) return false;
    copyId(lastId, id);
    return incrementId(id);
  }
  if (isLaterThanId(nowMs, lastId)) {
    setIdMs(id, nowMs);
    return true;
  }
  copyId(lastId, id);
  return incrementId(id);
}

// ---- XLEN, XDEL, XTRIM, XSETID ----------------------------------------------------------------------------------------

function streamLength(context: CommandContext): void {
  const root = readRoot(context, 1);
  if (root === 0) context.reply.integer(0);
  else if (root !== -1) context.reply.integer(context.keyspace.streams.length(root));
}

function remove(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { streams } = keyspace;
  const { ids, id, lastId } = streams.registers;
  const root = writeRoot(context, 1);
  if (root === -1) return;
  if (root === 0) {
    reply.integer(0);
    return;
  }
  ids.clear();
  for (let argument = 2; argument < request.count; argument++) {
    if (!readStrictId(context, argument, id)) return;
    ids.push(id);
  }
  let removed = 0;
  let hasFirst = false;
  streams.readEdge(root, false, lastId);
  for (let index = 0; index < ids.count; index++) {
    ids.read(index, id);
    if (!streams.remove(root, id)) continue;
    removed++;
    if (compareIds(id, lastId) === 0) hasFirst = true;
  }
  if (hasFirst) streams.refreshFirst(root);
  if (removed > 0) context.changed(EVENT_STREAM, "xdel", 1, removed);
  reply.integer(removed);
}

function trim(context: CommandContext): void {
  const { reply, keyspace } = context;
  const { streams } = keyspace;
  const options = new StreamOptions();
  if (readOptions(context, false, options) === -1) return;
  const root = writeRoot(context, 1);
  if (root === -1) return;
  const removed = root === 0 ? 0 : streams.trim(root, streams.registers.trimming);
  if (removed > 0) {
    context.changed(EVENT_STREAM, "xtrim", 1, removed);
    if (context.log.isRecording && options.isApproximate) {
      recordTrimmed(context, root, 0, options.approximateAt);
    }
  }
  reply.integer(removed);
}

function setLastId(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { streams } = keyspace;
  const { id, lastId, from: deletedId } = streams.registers;
  if (!readStrictId(context, 2, id)) return;
  let added = -1n;
  fillId(deletedId, false);
  for (let at = 3; at < request.count; at += 2) {
    const hasMore = at + 1 < request.count;
    if (hasMore && request.is(at, "ENTRIESADDED")) {
      if (Number.isNaN(readInteger(context, at + 1))) return;
      added = request.int64(at + 1)!;
      if (added < 0n) {
        reply.error(NEGATIVE_ADDED);
        return;
      }
    } else if (hasMore && request.is(at, "MAXDELETEDID")) {
      if (!readStrictId(context, at + 1, deletedId)) return;
      if (compareIds(id, deletedId) < 0) {
        reply.error(BELOW_GIVEN_DELETED);
        return;
      }
    } else {
      reply.error(SYNTAX);
      return;
    }
  }
  const root = writeRoot(context, 1);
  if (root === -1) return;
  if (root === 0) {
    reply.errorText("ERR no such key");
    return;
  }
  streams.readId(root, DELETED_ID, lastId);
  if (compareIds(id, lastId) < 0) {
    reply.error(BELOW_DELETED);
    return;
  }
  if (streams.length(root) > 0) {
    streams.readEdge(root, true, lastId);
    if (compareIds(id, lastId) < 0) {
      reply.error(BELOW_TOP);
      return;
    }
    if (added !== -1n && BigInt(streams.length(root)) > added) {
      reply.error(ADDED_BELOW_LENGTH);
      return;
    }
  }
  streams.writeId(root, LAST_ID, id);
  if (added !== -1n) streams.setEntriesAdded(root, added);
  if (!isZeroId(deletedId)) streams.writeId(root, DELETED_ID, deletedId);
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xsetid", 1);
  reply.ok();
}

// ---- XRANGE, XREVRANGE ------------------------------------------------------------------------------------------------

function range(context: CommandContext): void {
  rangeBetween(context, false);
}

function reverseRange(context: CommandContext): void {
  rangeBetween(context, true);
}

function rangeBetween(context: CommandContext, isReversed: boolean): void {
  const { request, reply, keyspace } = context;
  const { from, to } = keyspace.streams.registers;
  const fromEnd = readRangeEnd(context, isReversed ? 3 : 2, from, false);
  if (fromEnd === "invalid") return;
  if (fromEnd === "excluded" && !incrementId(from)) {
    reply.error(BAD_START);
    return;
  }
  const toEnd = readRangeEnd(context, isReversed ? 2 : 3, to, true);
  if (toEnd === "invalid") return;
  if (toEnd === "excluded" && !decrementId(to)) {
    reply.error(BAD_END);
    return;
  }
  let count = -1;
  for (let at = 4; at < request.count; at += 2) {
    if (at + 1 >= request.count || !request.is(at, "COUNT")) {
      reply.error(SYNTAX);
      return;
    }
    count = readCount(context, at + 1);
    if (Number.isNaN(count)) return;
    if (count < 0) count = 0;
  }
  const root = readRoot(context, 1);
  if (root === 0) reply.array(0);
  if (!isStream(root)) return;
  if (count === 0) reply.nullArray();
  else replyRange(context, root, from, to, Math.max(count, 0), isReversed);
}

const KEY_ADDED: readonly KeySpec[] = [
  { ...KEY_MODIFY[0]!, notes: "UPDATE instead of INSERT because of the optional trimming feature" },
];
const TRIM_SYNTAX = "<strategy=MAXLEN|MINID> [operator==|~] threshold(string) [LIMIT count]";

export const STREAM_COMMANDS: CommandTable = {
  XADD: {
    arity: -5,
    flags: ["write", "denyoom", "fast"],
    acl: ["stream"],
    keys: KEY_ADDED,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) for the new entry; O(N) for trimming, where N is the number of entries that are removed.",
    summary: "Appends an entry to a stream, which is made when it is absent.",
    arguments: `key [NOMKSTREAM] [${TRIM_SYNTAX}] <*|id(string)> <field value> ...`,
    tips: ["nondeterministic_output"],
    history: [
      ["6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."],
      ["7.0.0", "Added support for the `<ms>-*` explicit ID form."],
    ],
    run: add,
  },
  XDEL: {
    arity: -3,
    flags: ["write", "fast"],
    acl: ["stream"],
    keys: KEY_TRIMMED,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) for each entry, whatever the length of the stream.",
    summary: "Removes entries from a stream and returns how many there were.",
    arguments: "key id(string) [id(string) ...]",
    run: remove,
  },
  XLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["stream"],
    keys: KEY_METADATA,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    summary: "Returns the number of entries of a stream, 0 when it is absent.",
    arguments: "key",
    run: streamLength,
  },
  XRANGE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["stream"],
    keys: KEY_READ,
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) where N is the number of entries that are returned.",
    summary: "Returns the entries of a stream between two ids.",
    arguments: "key start(string) end(string) [COUNT count]",
    history: [["6.2.0", "Added exclusive ranges."]],
    run: range,
  },
  XREVRANGE: {
    arity: -4,
    flags: ["readonly"],
    acl: ["stream"],
    keys: KEY_READ,
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) where N is the number of entries that are returned.",
    summary: "Returns the entries of a stream between two ids, the newest first.",
    arguments: "key end(string) start(string) [COUNT count]",
    history: [["6.2.0", "Added exclusive ranges."]],
    run: reverseRange,
  },
  XSETID: {
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    acl: ["stream"],
    keys: KEY_MODIFY,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    summary: "Sets the last id of a stream and its other counters, for replication.",
    arguments: "key last-id [ENTRIESADDED entries-added(integer)] [MAXDELETEDID max-deleted-id]",
    history: [["7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments."]],
    run: setLastId,
  },
  XTRIM: {
    arity: -4,
    flags: ["write"],
    acl: ["stream"],
    keys: KEY_TRIMMED,
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) where N is the number of entries that are removed; whole nodes of them cost little.",
    summary: "Removes entries from the front of a stream, down to a length or up to an id.",
    arguments: `key <${TRIM_SYNTAX}>`,
    tips: ["nondeterministic_output"],
    history: [["6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."]],
    run: trim,
  },
};
