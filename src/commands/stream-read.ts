/**
 * Reading streams onwards: XREAD from given ids, XREADGROUP for a consumer of a group; both may wait for new entries.
 *
 *      XREADGROUP GROUP g c COUNT 10 BLOCK 0 STREAMS a b > 0
 *                                            │   │ │ └ what c was given of b, and has not acknowledged
 *                                            keys  └── what nobody of g was given yet, of a
 *
 *  I1  All ids and groups are read before anything is delivered.
 *  I2  "$" is the last id at the first run: a client that waits runs again with that id in its place.
 *  I3  When memory ends while entries are delivered, those before are the reply, as if COUNT had been smaller.
 *  Source: replies of redis-server 7.0; Redis 7.2's times of consumers, its texts for unbalanced lists.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import { TYPE_STREAM } from "../store/keyspace/record.ts";
import { compareIds, fillId, idText, incrementId, isGreatestId, type StreamId } from "../store/values/stream-id.ts";
import { FIRST_ID, LAST_ID } from "../store/values/streams.ts";
import { readTimeoutInMs } from "./arguments.ts";
import type { CommandContext, CommandTable, KeySpec } from "./command.ts";
import { EVENT_STREAM } from "./events.ts";
import { recordClaim, recordConsumer, recordProgress } from "./stream-effects.ts";
import {
  findConsumer,
  findGroup,
  isSign,
  readCount,
  readRoot,
  readStrictId,
  replyEntry,
  replyId,
  replyRange,
  shownText,
  writeRoot,
} from "./stream-support.ts";

const GROUP_IN_XREAD = new ReplyError(
  "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
);
const NOACK_IN_XREAD = new ReplyError(
  "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
);
const MISSING_GROUP = new ReplyError("ERR Missing GROUP option for XREADGROUP");
const DOLLAR_IN_XREADGROUP = new ReplyError(
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);
const GREATER_IN_XREAD = new ReplyError(
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);
const UNBALANCED_XREAD = new ReplyError(
  "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
);
const UNBALANCED_XREADGROUP = new ReplyError(
  "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
);

const DOLLAR = 36;
const GREATER = 62;

class ReadOptions {
  /** ms, -1: does not wait. */
  timeoutMs = -1;
  /** 0: all. */
  count = 0;
  isSilent = false;
  /** Arguments: the first key, the number of keys, the group (0: none). */
  firstKey = 0;
  keyCount = 0;
  group = 0;
  /** The group of the last key, which `readIds` has found (0: none): good until something changes. */
  lastGroup = 0;
}

function read(context: CommandContext): void {
  run(context, false);
}

function readGroup(context: CommandContext): void {
  run(context, true);
}

function run(context: CommandContext, hasGroup: boolean): void {
  const { reply, keyspace } = context;
  const { registers } = keyspace.streams;
  const options = new ReadOptions();
  if (!readOptions(context, hasGroup, options)) return;
  if (!readIds(context, hasGroup, options)) return;
  const mark = registers.outerMark;
  let served = 0;
  for (let index = 0; index < options.keyCount; index++) {
    const argument = options.firstKey + index;
    const root = hasGroup ? writeRoot(context, argument) : readRoot(context, argument);
    if (root === 0 || root === -1) continue;
    registers.ids.read(index, registers.id);
    // Of several keys the first one may have changed something.
    const isKnown = options.keyCount === 1;
    const group = !hasGroup ? 0 : isKnown ? options.lastGroup : findGroup(context, root, options.group);
    const wanted = group === 0 ? serveFrom(context, root, registers.id) : chooseGroupId(context, root, group);
    const consumer = group === 0 ? 0 : meetConsumer(context, group, options, argument);
    if (hasGroup && context.log.isRecording) context.log.skip();
    if (wanted === "nothing") continue;
    if (served === 0) reply.openCount(mark, options.keyCount);
    served++;
    if (reply.protocol === 2) reply.array(2);
    const { request } = context;
    reply.bulk(request.input, request.offset[argument]!, request.length[argument]!);
    incrementId(registers.id);
    if (group === 0) {
      fillId(registers.to, true);
      replyRange(context, root, registers.id, registers.to, options.count, false);
      continue;
    }
    if (wanted === "history") replyHistory(context, root, group, consumer, options, argument);
    else deliver(context, root, group, consumer, options, argument);
    keyspace.dirty++;
  }
  if (served > 0) reply.closeCount(mark, options.keyCount, served, reply.protocol === 3);
  else if (options.timeoutMs === -1) reply.nullArray();
  else wait(context, hasGroup, options);
}

/** Reads what comes before and after STREAMS, but the ids; false: the error has been written. */
function readOptions(context: CommandContext, hasGroup: boolean, options: ReadOptions): boolean {
  const { request, reply } = context;
  for (let at = 1; at < request.count; at++) {
    const more = request.count - at - 1;
    if (more > 0 && request.is(at, "BLOCK")) {
      options.timeoutMs = readTimeoutInMs(context, ++at);
      if (Number.isNaN(options.timeoutMs)) return false;
    } else if (more > 0 && request.is(at, "COUNT")) {
      const count = readCount(context, ++at);
      if (Number.isNaN(count)) return false;
      options.count = Math.max(count, 0);
    } else if (more > 0 && request.is(at, "STREAMS")) {
      if ((more & 1) === 1) {
        reply.error(hasGroup ? UNBALANCED_XREADGROUP : UNBALANCED_XREAD);
        return false;
      }
      options.firstKey = at + 1;
      options.keyCount = more >>> 1;
      break;
    } else if (more >= 2 && request.is(at, "GROUP")) {
      if (!hasGroup) {
        reply.error(GROUP_IN_XREAD);
        return false;
      }
      options.group = at + 1;
      at += 2;
    } else if (request.is(at, "NOACK")) {
      if (!hasGroup) {
        reply.error(NOACK_IN_XREAD);
        return false;
      }
      options.isSilent = true;
    } else {
      reply.error(SYNTAX);
      return false;
    }
  }
  if (options.firstKey === 0) reply.error(SYNTAX);
  else if (hasGroup && options.group === 0) reply.error(MISSING_GROUP);
  else return true;
  return false;
}

/** Reads the ids into the registers, "$" as the last id and ">" as the greatest one; false: the error has been written. */
function readIds(context: CommandContext, hasGroup: boolean, options: ReadOptions): boolean {
  const { reply, keyspace } = context;
  const { streams } = keyspace;
  const { ids, id } = streams.registers;
  ids.clear();
  for (let index = 0; index < options.keyCount; index++) {
    const key = options.firstKey + index;
    const argument = key + options.keyCount;
    const root = readRoot(context, key);
    if (root === -1) return false;
    options.lastGroup = hasGroup && root !== 0 ? findGroup(context, root, options.group) : 0;
    if (hasGroup && options.lastGroup === 0) {
      const group = shownText(context, options.group);
      reply.errorText(
        `NOGROUP No such key '${shownText(context, key)}' or consumer group '${group}' in XREADGROUP with GROUP option`,
      );
      return false;
    }
    if (isSign(context, argument, DOLLAR)) {
      if (hasGroup) {
        reply.error(DOLLAR_IN_XREADGROUP);
        return false;
      }
      if (root === 0) fillId(id, false);
      else streams.readId(root, LAST_ID, id);
    } else if (isSign(context, argument, GREATER)) {
      if (!hasGroup) {
        reply.error(GREATER_IN_XREAD);
        return false;
      }
      fillId(id, true);
    } else if (!readStrictId(context, argument, id)) {
      return false;
    }
    ids.push(id);
  }
  return true;
}

/** Whether the stream has entries above `id`. */
function serveFrom(context: CommandContext, root: number, id: StreamId): "new" | "nothing" {
  const { streams } = context.keyspace;
  if (streams.length(root) === 0) return "nothing";
  const { lastId } = streams.registers;
  // The first and the last id ever given nearly always tell.
  streams.readId(root, FIRST_ID, lastId);
  if (compareIds(lastId, id) > 0) return "new";
  streams.readId(root, LAST_ID, lastId);
  if (compareIds(lastId, id) <= 0) return "nothing";
  streams.readEdge(root, true, lastId);
  return compareIds(lastId, id) > 0 ? "new" : "nothing";
}

/** What the register's id asks of the group; for new entries it becomes the group's last id. */
function chooseGroupId(context: CommandContext, root: number, group: number): "history" | "new" | "nothing" {
  const { streams } = context.keyspace;
  const { id, from } = streams.registers;
  if (!isGreatestId(id)) return "history";
  streams.groups.readLastId(group, from);
  if (serveFrom(context, root, from) === "nothing") return "nothing";
  id.set(from);
  return "new";
}

/** The consumer, which is made when it is new. */
function meetConsumer(context: CommandContext, group: number, options: ReadOptions, key: number): number {
  const { keyspace } = context;
  const { groups } = keyspace.streams;
  const consumer = findConsumer(context, group, options.group + 1);
  if (consumer === 0) {
    const made = makeConsumer(context, group, options.group + 1, key);
    if (context.log.isRecording) recordConsumer(context, key, options.group, options.group + 1);
    return made;
  }
  groups.setSeenAtMs(consumer, keyspace.nowMs);
  return consumer;
}

/** Makes the consumer named by argument `name`, which `findConsumer` did not find. Throws ArenaExhausted. */
export function makeConsumer(context: CommandContext, group: number, name: number, key: number): number {
  const { request, keyspace } = context;
  const { groups } = keyspace.streams;
  const start = request.offset[name]!;
  const consumer = groups.addConsumer(group, request.input, start, request.length[name]!, keyspace.nowMs);
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xgroup-createconsumer", key);
  return consumer;
}

/** Gives the consumer what the group has not read, from the register's id on, and replies it. */
function deliver(
  context: CommandContext,
  root: number,
  group: number,
  consumer: number,
  options: ReadOptions,
  key: number,
): void {
  const { reply, keyspace, log } = context;
  const { streams } = keyspace;
  const { cursor, registers, groups, progress } = streams;
  const { count } = options;
  const length = streams.length(root);
  const expected = count === 0 ? length : Math.min(count, length);
  groups.readLastId(group, registers.lastId);
  fillId(registers.to, true);
  reply.openCount(registers.innerMark, expected);
  cursor.begin(root, registers.id, registers.to, false);
  let written = 0;
  while ((count === 0 || written < count) && cursor.next()) {
    if (!options.isSilent && !makePending(context, group, consumer, written > 0)) break;
    if (compareIds(cursor.id, registers.lastId) > 0) progress.advance(streams, root, group, cursor.id);
    if (log.isRecording && !options.isSilent) {
      recordClaim(context, key, options.group, group, groups.findPending(group, cursor.id), cursor.id);
    }
    replyEntry(context, cursor);
    written++;
  }
  if (log.isRecording && written > 0) recordProgress(context, key, options.group, group);
  reply.closeCount(registers.innerMark, expected, written, false);
  if (written > 0 && !options.isSilent) groups.setActiveAtMs(consumer, keyspace.nowMs);
}

/** The cursor's entry is the consumer's now. False when there is no memory and `mayFail`; else throws ArenaExhausted. */
function makePending(context: CommandContext, group: number, consumer: number, mayFail: boolean): boolean {
  const { keyspace } = context;
  const { cursor, groups } = keyspace.streams;
  try {
    const pending = groups.findPending(group, cursor.id);
    if (pending === 0) {
      groups.addPending(group, consumer, cursor.id, keyspace.nowMs, 1);
    } else {
      groups.assign(pending, cursor.id, consumer);
      groups.setDelivery(pending, keyspace.nowMs, 1);
    }
    return true;
  } catch (error) {
    if (!mayFail || !(error instanceof ArenaExhausted)) throw error;
    return false;
  }
}

/** Replies what the consumer was given and has not acknowledged, from the register's id on. */
function replyHistory(
  context: CommandContext,
  root: number,
  group: number,
  consumer: number,
  options: ReadOptions,
  key: number,
): void {
  const { reply, keyspace, log } = context;
  const { streams } = keyspace;
  const { count } = options;
  const { cursor, registers, groups } = streams;
  const { pending } = groups;
  const { id } = registers;
  const tree = groups.pendingOfConsumer(consumer);
  const all = pending.count(tree);
  const expected = count === 0 ? all : Math.min(count, all);
  reply.openCount(registers.innerMark, expected);
  let written = 0;
  pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
  for (let isThere = pending.seekAtLeast(tree); isThere; isThere = pending.next()) {
    if (count !== 0 && written === count) break;
    groups.readPendingId(id);
    written++;
    if (cursor.find(root, id)) {
      replyEntry(context, cursor);
      const cell = pending.value();
      groups.setDelivery(cell, keyspace.nowMs, groups.deliveryCount(cell) + 1);
      if (log.isRecording) recordClaim(context, key, options.group, group, cell, id);
    } else {
      reply.array(2);
      replyId(context, id);
      reply.nullArray();
    }
  }
  reply.closeCount(registers.innerMark, expected, written, false);
}

function wait(context: CommandContext, hasGroup: boolean, options: ReadOptions): void {
  const replaced: { argument: number; bytes: Uint8Array }[] = [];
  if (!hasGroup) {
    const { ids, id } = context.keyspace.streams.registers;
    for (let index = 0; index < options.keyCount; index++) {
      const argument = options.firstKey + options.keyCount + index;
      if (!isSign(context, argument, DOLLAR)) continue;
      ids.read(index, id);
      replaced.push({ argument, bytes: new TextEncoder().encode(idText(id)) });
    }
  }
  context.waitForKeys({
    firstKey: options.firstKey,
    keyCount: options.keyCount,
    keyType: TYPE_STREAM,
    wakesOnLoss: hasGroup,
    timeoutMs: options.timeoutMs,
    onTimeout: (reply) => reply.nullArray(),
    replaced,
  });
}

function keysBehindStreams(startFrom: number): readonly KeySpec[] {
  return [
    {
      flags: ["RO", "access"],
      begin: { keyword: "STREAMS", startFrom },
      find: { lastKey: -1, step: 1, limit: 2 },
    },
  ];
}

const STREAMS_SYNTAX = "STREAMS <key [key ...] id(string) [id(string) ...]>";

export const STREAM_READ_COMMANDS: CommandTable = {
  XREAD: {
    arity: -4,
    flags: ["readonly", "blocking"],
    acl: ["stream"],
    keys: keysBehindStreams(1),
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) for each stream, where N is the number of entries that are returned.",
    summary: "Returns the entries of streams above given ids; waits for new ones if asked.",
    arguments: `[COUNT count] [BLOCK milliseconds] ${STREAMS_SYNTAX}`,
    run: read,
  },
  XREADGROUP: {
    arity: -7,
    flags: ["write", "blocking"],
    acl: ["stream"],
    keys: keysBehindStreams(4),
    since: "5.0.0",
    group: "stream",
    complexity: "O(N log M) for each stream, where N is the number of entries that are returned, M of those pending.",
    summary: "Returns new entries for a consumer of a group, or those it was given and has not acknowledged.",
    arguments: `GROUP <group(string) consumer(string)> [COUNT count] [BLOCK milliseconds] [NOACK] ${STREAMS_SYNTAX}`,
    run: readGroup,
  },
};
