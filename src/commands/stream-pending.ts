/**
 * Entries that were delivered and not acknowledged: XACK, XCLAIM, XAUTOCLAIM, XPENDING.
 *
 *      XREADGROUP ──► pending ── XACK ──► gone
 *                       └─ XCLAIM, XAUTOCLAIM ──► pending, another consumer's
 *
 *  I1  XCLAIM reads all its arguments before it changes anything.
 *  I2  A pending entry that is no longer in the stream is let go by whoever claims it.
 *  I3  When memory ends while entries are claimed, those before are the reply.
 *  Source: replies of redis-server 7.0; Redis 7.2's times of consumers, and that claiming makes the consumer at once.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import {
  compareIds,
  decrementId,
  fillId,
  ID_INVALID,
  incrementId,
  parseId,
  type StreamId,
} from "../store/values/stream-id.ts";
import { type CommandContext, type CommandTable, KEY_MODIFY, KEY_READ } from "./command.ts";
import { recordClaim, recordConsumer, recordProgress } from "./stream-effects.ts";
import { makeConsumer } from "./stream-read.ts";
import {
  findConsumer,
  findGroup,
  isStream,
  KEY_TRIMMED,
  readCount,
  readRangeEnd,
  readRoot,
  readStrictId,
  replyEntry,
  replyId,
  replyLarge,
  shownText,
  writeRoot,
} from "./stream-support.ts";

const BAD_START = new ReplyError("ERR invalid start ID for the interval");
const BAD_END = new ReplyError("ERR invalid end ID for the interval");
const COUNT_TOO_SMALL = new ReplyError("ERR COUNT must be > 0");
/** XAUTOCLAIM looks at so many pending entries for each that it may claim. */
const ATTEMPTS_PER_ENTRY = 10;
const AUTOCLAIM_COUNT = 100;
const AUTOCLAIM_COUNT_MAX = Math.floor((2 ** 63 - 1) / 16);

function noGroup(context: CommandContext, key: number, group: number): void {
  const name = shownText(context, group);
  context.reply.errorText(`NOGROUP No such key '${shownText(context, key)}' or consumer group '${name}'`);
}

// ---- XACK -------------------------------------------------------------------------------------------------------------

function acknowledge(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { groups, registers } = keyspace.streams;
  const { ids, id } = registers;
  const root = writeRoot(context, 1);
  if (root === -1) return;
  const group = root === 0 ? 0 : findGroup(context, root, 2);
  if (group === 0) {
    reply.integer(0);
    return;
  }
  ids.clear();
  for (let argument = 3; argument < request.count; argument++) {
    if (!readStrictId(context, argument, id)) return;
    ids.push(id);
  }
  let acknowledged = 0;
  for (let index = 0; index < ids.count; index++) {
    ids.read(index, id);
    if (groups.removePending(group, id)) acknowledged++;
  }
  keyspace.dirty += acknowledged;
  reply.integer(acknowledged);
}

// ---- XCLAIM, XAUTOCLAIM -----------------------------------------------------------------------------------------------

interface ClaimOptions {
  idleMinMs: number;
  /** -1: now. */
  deliveredAtMs: number;
  /** -1: one more. */
  deliveryCount: number;
  isForced: boolean;
  hasOnlyIds: boolean;
}

function claim(context: CommandContext): void {
  const { request, keyspace } = context;
  const { streams } = keyspace;
  const { groups, registers } = streams;
  const { ids, id, lastId } = registers;
  const root = writeRoot(context, 1);
  if (root === -1) return;
  const group = root === 0 ? 0 : findGroup(context, root, 2);
  if (group === 0) {
    noGroup(context, 1, 2);
    return;
  }
  const options: ClaimOptions = {
    idleMinMs: readCount(context, 4, "ERR Invalid min-idle-time argument for XCLAIM"),
    deliveredAtMs: -1,
    deliveryCount: -1,
    isForced: false,
    hasOnlyIds: false,
  };
  if (Number.isNaN(options.idleMinMs)) return;
  ids.clear();
  let at = 5;
  for (; at < request.count; at++) {
    if (parseId(request.input, request.offset[at]!, request.length[at]!, id, false, true, false) === ID_INVALID) break;
    ids.push(id);
  }
  if (!readClaimOptions(context, at, options)) return;
  groups.readLastId(group, id);
  const isAhead = compareIds(lastId, id) > 0;
  if (isAhead) groups.setLastId(group, lastId);
  const consumer = claimant(context, group);
  const dirtyBefore = keyspace.dirty;
  registers.goneIds.clear();
  const claimed = registers.goneIds;
  for (let index = 0; index < ids.count; index++) {
    ids.read(index, id);
    if (!claimOne(context, root, group, consumer, options, id, claimed.count > 0)) break;
  }
  // What is recorded of entries says the group's last id as well.
  if (isAhead && keyspace.dirty === dirtyBefore && context.log.isRecording) recordProgress(context, 1, 2, group);
  if (claimed.count > 0) groups.setActiveAtMs(consumer, keyspace.nowMs);
  else if (isAhead) keyspace.dirty++;
  replyClaimed(context, root, claimed, options.hasOnlyIds);
}

/** Claims one entry and notes it in `goneIds`, if it is to be claimed. False when memory has ended and `mayFail`. */
function claimOne(
  context: CommandContext,
  root: number,
  group: number,
  consumer: number,
  options: ClaimOptions,
  id: StreamId,
  mayFail: boolean,
): boolean {
  const { keyspace } = context;
  const { streams } = keyspace;
  const { groups, registers } = streams;
  let pending = groups.findPending(group, id);
  if (!streams.cursor.find(root, id)) {
    if (pending !== 0) {
      if (context.log.isRecording) recordClaim(context, 1, 2, group, pending, id);
      groups.removePending(group, id);
      keyspace.dirty++;
    }
    return true;
  }
  if (pending === 0 && !options.isForced) return true;
  const { nowMs } = keyspace;
  if (pending !== 0 && options.idleMinMs > 0 && nowMs - groups.deliveredAtMs(pending) < options.idleMinMs) return true;
  try {
    if (pending === 0) pending = groups.addPending(group, consumer, id, nowMs, 1);
    else groups.assign(pending, id, consumer);
  } catch (error) {
    if (!mayFail || !(error instanceof ArenaExhausted)) throw error;
    return false;
  }
  let count = groups.deliveryCount(pending);
  if (options.deliveryCount >= 0) count = options.deliveryCount;
  else if (!options.hasOnlyIds) count++;
  groups.setDelivery(pending, options.deliveredAtMs === -1 ? nowMs : options.deliveredAtMs, count);
  if (context.log.isRecording) recordClaim(context, 1, 2, group, pending, id);
  registers.goneIds.push(id);
  keyspace.dirty++;
  return true;
}

/** Reads XCLAIM's options from argument `at` on, and LASTID into the register `lastId`; false: the error has been written. */
function readClaimOptions(context: CommandContext, at: number, options: ClaimOptions): boolean {
  const { request, keyspace } = context;
  const { lastId } = keyspace.streams.registers;
  fillId(lastId, false);
  for (; at < request.count; at++) {
    const hasMore = at + 1 < request.count;
    if (request.is(at, "FORCE")) {
      options.isForced = true;
    } else if (request.is(at, "JUSTID")) {
      options.hasOnlyIds = true;
    } else if (hasMore && request.is(at, "IDLE")) {
      const idleMs = readCount(context, ++at, "ERR Invalid IDLE option argument for XCLAIM");
      if (Number.isNaN(idleMs)) return false;
      options.deliveredAtMs = keyspace.nowMs - idleMs;
    } else if (hasMore && request.is(at, "TIME")) {
      options.deliveredAtMs = readCount(context, ++at, "ERR Invalid TIME option argument for XCLAIM");
      if (Number.isNaN(options.deliveredAtMs)) return false;
    } else if (hasMore && request.is(at, "RETRYCOUNT")) {
      options.deliveryCount = readCount(context, ++at, "ERR Invalid RETRYCOUNT option argument for XCLAIM");
      if (Number.isNaN(options.deliveryCount)) return false;
    } else if (hasMore && request.is(at, "LASTID")) {
      if (!readStrictId(context, ++at, lastId)) return false;
    } else {
      context.reply.errorText(`ERR Unrecognized XCLAIM option '${shownText(context, at)}'`);
      return false;
    }
  }
  // Times that make no sense come from clients whose clocks are ahead: now is right for them.
  // What is replayed is what a server has seen, whatever the clock shows now.
  if (options.deliveredAtMs < -1 || (options.deliveredAtMs > keyspace.nowMs && !keyspace.isReplaying)) {
    options.deliveredAtMs = -1;
  }
  return true;
}

/** The consumer of argument 3, made when it is new. */
function claimant(context: CommandContext, group: number): number {
  const consumer = findConsumer(context, group, 3);
  if (consumer === 0) {
    const made = makeConsumer(context, group, 3, 1);
    if (context.log.isRecording) recordConsumer(context, 1, 2, 3);
    return made;
  }
  context.keyspace.streams.groups.setSeenAtMs(consumer, context.keyspace.nowMs);
  return consumer;
}

function replyClaimed(
  context: CommandContext,
  root: number,
  claimed: { readonly count: number; read(index: number, into: StreamId): void },
  hasOnlyIds: boolean,
): void {
  const { streams } = context.keyspace;
  const { id } = streams.registers;
  context.reply.array(claimed.count);
  for (let index = 0; index < claimed.count; index++) {
    claimed.read(index, id);
    if (hasOnlyIds) {
      replyId(context, id);
      continue;
    }
    streams.cursor.find(root, id);
    replyEntry(context, streams.cursor);
  }
}

function claimNext(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { streams } = keyspace;
  const { groups, registers } = streams;
  const { pending } = groups;
  const { from, id, ids, goneIds } = registers;
  const idleMinMs = readCount(context, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM");
  if (Number.isNaN(idleMinMs)) return;
  const end = readRangeEnd(context, 5, from, false);
  if (end === "invalid") return;
  if (end === "excluded" && !incrementId(from)) {
    reply.error(BAD_START);
    return;
  }
  let count = AUTOCLAIM_COUNT;
  let hasOnlyIds = false;
  for (let at = 6; at < request.count; at++) {
    if (at + 1 < request.count && request.is(at, "COUNT")) {
      count = readCount(context, ++at, COUNT_TOO_SMALL.text);
      if (Number.isNaN(count)) return;
      if (count < 1 || count > AUTOCLAIM_COUNT_MAX) {
        reply.error(COUNT_TOO_SMALL);
        return;
      }
    } else if (request.is(at, "JUSTID")) {
      hasOnlyIds = true;
    } else {
      reply.error(SYNTAX);
      return;
    }
  }
  const root = writeRoot(context, 1);
  if (root === -1) return;
  const group = root === 0 ? 0 : findGroup(context, root, 2);
  if (group === 0) {
    noGroup(context, 1, 2);
    return;
  }
  const consumer = claimant(context, group);
  const all = groups.pendingOfGroup(group);
  goneIds.clear();
  ids.clear();
  pending.setId(from[0]!, from[1]!, from[2]!, from[3]!);
  let isThere = pending.seekAtLeast(all);
  for (let attempts = count * ATTEMPTS_PER_ENTRY; attempts > 0 && count > 0 && isThere; attempts--) {
    groups.readPendingId(id);
    const cell = pending.value();
    let isMoved = true;
    if (!streams.cursor.find(root, id)) {
      if (context.log.isRecording) recordClaim(context, 1, 2, group, cell, id);
      groups.removePending(group, id);
      goneIds.push(id);
      keyspace.dirty++;
      count--;
    } else if (idleMinMs > 0 && keyspace.nowMs - groups.deliveredAtMs(cell) < idleMinMs) {
      isMoved = false;
    } else {
      if (!assignClaimed(context, cell, id, consumer, ids.count + goneIds.count > 0)) break;
      groups.setDelivery(cell, keyspace.nowMs, groups.deliveryCount(cell) + (hasOnlyIds ? 0 : 1));
      if (context.log.isRecording) recordClaim(context, 1, 2, group, cell, id);
      ids.push(id);
      keyspace.dirty++;
      count--;
    }
    if (isMoved) pending.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    isThere = isMoved ? pending.seekAbove(all) : pending.next();
  }
  if (ids.count > 0) groups.setActiveAtMs(consumer, keyspace.nowMs);
  reply.array(3);
  if (isThere) groups.readPendingId(id);
  else fillId(id, false);
  replyId(context, id);
  replyClaimed(context, root, ids, hasOnlyIds);
  reply.array(goneIds.count);
  for (let index = 0; index < goneIds.count; index++) {
    goneIds.read(index, id);
    replyId(context, id);
  }
}

function assignClaimed(
  context: CommandContext,
  cell: number,
  id: StreamId,
  consumer: number,
  mayFail: boolean,
): boolean {
  try {
    context.keyspace.streams.groups.assign(cell, id, consumer);
    return true;
  } catch (error) {
    if (!mayFail || !(error instanceof ArenaExhausted)) throw error;
    return false;
  }
}

// ---- XPENDING ---------------------------------------------------------------------------------------------------------

function pendingEntries(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { from, to } = keyspace.streams.registers;
  const isSummary = request.count === 3;
  if (!isSummary && (request.count < 6 || request.count > 9)) {
    reply.error(SYNTAX);
    return;
  }
  let idleMinMs = 0;
  let count = 0;
  let consumerAt = 0;
  if (!isSummary) {
    let at = 3;
    if (request.is(3, "IDLE")) {
      idleMinMs = readCount(context, 4);
      if (Number.isNaN(idleMinMs)) return;
      if (request.count < 8) {
        reply.error(SYNTAX);
        return;
      }
      at = 5;
    }
    count = readCount(context, at + 2);
    if (Number.isNaN(count)) return;
    const fromEnd = readRangeEnd(context, at, from, false);
    if (fromEnd === "invalid") return;
    if (fromEnd === "excluded" && !incrementId(from)) {
      reply.error(BAD_START);
      return;
    }
    const toEnd = readRangeEnd(context, at + 1, to, true);
    if (toEnd === "invalid") return;
    if (toEnd === "excluded" && !decrementId(to)) {
      reply.error(BAD_END);
      return;
    }
    if (at + 3 < request.count) consumerAt = at + 3;
  }
  const root = readRoot(context, 1);
  if (root === -1) return;
  const group = isStream(root) ? findGroup(context, root, 2) : 0;
  if (group === 0) noGroup(context, 1, 2);
  else if (isSummary) replySummary(context, group);
  else replyPending(context, group, idleMinMs, Math.max(count, 0), consumerAt);
}

function replySummary(context: CommandContext, group: number): void {
  const { reply, keyspace } = context;
  const { groups, registers } = keyspace.streams;
  const { pending, consumers } = groups;
  const { id } = registers;
  const all = groups.pendingOfGroup(group);
  reply.array(4);
  reply.integer(pending.count(all));
  if (pending.count(all) === 0) {
    reply.nullBulk();
    reply.nullBulk();
    reply.nullArray();
    return;
  }
  pending.seekFirst(all);
  groups.readPendingId(id);
  replyId(context, id);
  pending.seekLast(all);
  groups.readPendingId(id);
  replyId(context, id);
  const list = groups.consumersOf(group);
  const count = consumers.count(list);
  reply.openCount(registers.innerMark, count);
  let written = 0;
  for (let index = 0; index < count; index++) {
    const consumer = consumers.at(list, index);
    const own = pending.count(groups.pendingOfConsumer(consumer));
    if (own === 0) continue;
    reply.array(2);
    reply.bulk(consumers.view(consumer), consumers.nameStart(consumer), consumers.nameLength(consumer));
    reply.bulkText(String(own));
    written++;
  }
  reply.closeCount(registers.innerMark, count, written, false);
}

function replyPending(
  context: CommandContext,
  group: number,
  idleMinMs: number,
  count: number,
  consumerAt: number,
): void {
  const { reply, keyspace } = context;
  const { groups, registers } = keyspace.streams;
  const { pending, consumers } = groups;
  const { id, from, to } = registers;
  let tree = groups.pendingOfGroup(group);
  if (consumerAt !== 0) {
    const consumer = findConsumer(context, group, consumerAt);
    if (consumer === 0) {
      reply.array(0);
      return;
    }
    tree = groups.pendingOfConsumer(consumer);
  }
  const expected = Math.min(count, pending.count(tree));
  reply.openCount(registers.innerMark, expected);
  let written = 0;
  pending.setId(from[0]!, from[1]!, from[2]!, from[3]!);
  for (let isThere = pending.seekAtLeast(tree); isThere && written < count; isThere = pending.next()) {
    groups.readPendingId(id);
    if (compareIds(id, to) > 0) break;
    const cell = pending.value();
    const idleMs = keyspace.nowMs - groups.deliveredAtMs(cell);
    if (idleMinMs !== 0 && idleMs < idleMinMs) continue;
    const consumer = groups.consumerOf(cell);
    reply.array(4);
    replyId(context, id);
    reply.bulk(consumers.view(consumer), consumers.nameStart(consumer), consumers.nameLength(consumer));
    replyLarge(context, Math.max(idleMs, 0));
    replyLarge(context, groups.deliveryCount(cell));
    written++;
  }
  reply.closeCount(registers.innerMark, expected, written, false);
}

export const STREAM_PENDING_COMMANDS: CommandTable = {
  XACK: {
    arity: -4,
    flags: ["write", "fast"],
    acl: ["stream"],
    keys: KEY_MODIFY,
    since: "5.0.0",
    group: "stream",
    complexity: "O(log N) for each id, where N is the number of pending entries.",
    summary: "Acknowledges entries that were delivered to a consumer of a group, and returns how many were pending.",
    arguments: "key group(string) id(string) [id(string) ...]",
    run: acknowledge,
  },
  XAUTOCLAIM: {
    arity: -6,
    flags: ["write", "fast"],
    acl: ["stream"],
    keys: KEY_TRIMMED,
    since: "6.2.0",
    group: "stream",
    complexity: "O(1) if COUNT is small.",
    summary: "Gives a consumer the next pending entries that nobody has acknowledged for a time.",
    arguments: "key group(string) consumer(string) min-idle-time(string) start(string) [COUNT count] [JUSTID]",
    tips: ["nondeterministic_output"],
    history: [
      ["7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL"],
    ],
    run: claimNext,
  },
  XCLAIM: {
    arity: -6,
    flags: ["write", "fast"],
    acl: ["stream"],
    keys: KEY_MODIFY,
    since: "5.0.0",
    group: "stream",
    complexity: "O(log N) for each id, where N is the number of pending entries of the group.",
    summary: "Gives pending entries to another consumer, as if they had been delivered to it.",
    arguments:
      "key group(string) consumer(string) min-idle-time(string) id(string) [id(string) ...] [IDLE ms(integer)] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid(string)]",
    tips: ["nondeterministic_output"],
    run: claim,
  },
  XPENDING: {
    arity: -3,
    flags: ["readonly"],
    acl: ["stream"],
    keys: KEY_READ,
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) where N is the number of entries that are returned, or of consumers in the short form.",
    summary: "Returns entries that were delivered to a group and not acknowledged, or how many there are.",
    arguments:
      "key group(string) [filters=[IDLE min-idle-time(integer)] start(string) end(string) count [consumer(string)]]",
    tips: ["nondeterministic_output"],
    history: [["6.2.0", "Added the `IDLE` option and exclusive range intervals."]],
    run: pendingEntries,
  },
};
