/**
 * Members by chance: SPOP, SRANDMEMBER.
 *
 *      SPOP count     all members or more             the whole set is told and deleted
 *                     one in six or fewer stay        they are copied to a table of their own; the old one goes in idle time
 *                     few go, of a table              drawn one by one
 *                     otherwise                       one walk that takes exactly so many
 *
 *  I1  Each member has the same probability.
 *  I2  A set that has lost its last member is deleted.
 *  I3  What is recorded is which members went, not that they were chosen.
 *  Source: replies and events of redis-server 7.0.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { ENCODING_HASHTABLE } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_READ, keyAt } from "./command.ts";
import { recordDelete } from "./effects.ts";
import { EVENT_GENERIC, EVENT_SET } from "./events.ts";
import { DRAW_SHARE_MAX, drawDistinct, isChosen, readSignedCount } from "./random-choice.ts";
import { findSet, findSetForUpdate, NO_SET, replyAll } from "./set.ts";

const NOT_POSITIVE = new ReplyError("ERR value is out of range, must be positive");
/** At most this many members go for each one that stays, for a walk; beyond, those that stay move out. */
const LEAVE_SHARE = 5;
/** A walk looks at every member: drawing is worth it while at least this many would be looked at for each one taken. */
const WALK_SHARE = 8;

function pop(context: CommandContext): void {
  const { request, reply, keyspace, database, random } = context;
  if (request.count === 3) {
    popMany(context);
    return;
  }
  if (request.count > 3) {
    reply.error(SYNTAX);
    return;
  }
  const record = findSetForUpdate(context);
  if (record === NO_SET) return;
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const { sets } = keyspace;
  sets.pick(record, () => random.uint32());
  replyPopped(context);
  sets.removePicked(database, record);
  endPop(context, 1);
}

/** Replies with the member on which keyspace.sets stands and which is about to go. */
function replyPopped({ request, reply, keyspace, log, database }: CommandContext): void {
  const { valueBytes, valueStart, valueLength } = keyspace.sets;
  reply.bulk(valueBytes, valueStart, valueLength);
  if (!log.isRecording) return;
  log.begin(database.index, 3);
  log.word("SREM");
  log.argument(request, 1);
  log.bytes(valueBytes, valueStart, valueLength);
}

/** Tells of members that were taken out of the set that keyspace.sets stands on, and deletes it when it is empty. */
function endPop(context: CommandContext, poppedCount: number): void {
  const { keyspace, database } = context;
  const { sets } = keyspace;
  const isGone = sets.isEmpty(sets.record);
  if (isGone) keyspace.deleteRecord(database, sets.record);
  context.changed(EVENT_SET, "spop", 1, poppedCount);
  if (isGone) context.notify(EVENT_GENERIC, "del", 1);
}

function popMany(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const count = request.integer(2);
  const big = Number.isNaN(count) ? request.int64(2) : 0n;
  if (count < 0 || big === undefined || big < 0n) {
    reply.error(NOT_POSITIVE);
    return;
  }
  const record = findSetForUpdate(context);
  if (record === NO_SET) return;
  if (record === 0 || count === 0) {
    reply.set(0);
    return;
  }
  const { sets } = keyspace;
  const size = sets.count(record);
  if (!(count < size)) {
    replyAll(context, record);
    keyspace.deleteRecord(database, record);
    context.changed(EVENT_SET, "spop", 1, size);
    context.notify(EVENT_GENERIC, "del", 1);
    if (context.log.isRecording) recordDelete(context, 1, false);
    return;
  }
  sets.record = record;
  reply.set(count);
  if (keyspace.records.encoding(record) !== ENCODING_HASHTABLE) popInWalk(context, record, count, size);
  else if ((size - count) * LEAVE_SHARE <= count) popAllBut(context, record, size - count, size);
  else if (count * WALK_SHARE > size) popInWalk(context, record, count, size);
  else popByDraws(context, record, count);
  endPop(context, count);
}

function popByDraws(context: CommandContext, record: number, count: number): void {
  const { keyspace, database, random } = context;
  const { sets } = keyspace;
  const draw = (): number => random.uint32();
  for (let popped = 0; popped < count; popped++) {
    sets.pick(record, draw);
    replyPopped(context);
    sets.removePicked(database, record);
  }
}

function popInWalk(context: CommandContext, record: number, count: number, size: number): void {
  const { keyspace, database, random } = context;
  const { sets } = keyspace;
  let taken = 0;
  sets.startTaking(record);
  for (let left = size; sets.next(); left--) {
    if (isChosen(random, count - taken, left)) {
      replyPopped(context);
      sets.take(record);
      taken++;
    } else {
      sets.keep();
    }
  }
  sets.endTaking(database, record, count);
}

/** All but `stayingCount` members go; the set is a table. */
function popAllBut(context: CommandContext, record: number, stayingCount: number, size: number): void {
  const { keyspace, random } = context;
  const { sets } = keyspace;
  const staying: number[] = [];
  sets.startWalk(record);
  for (let left = size; sets.next(); left--) {
    if (isChosen(random, stayingCount - staying.length, left)) staying.push(sets.token);
    else replyPopped(context);
  }
  sets.leaveOnly(record, staying);
}

function randomMember(context: CommandContext): void {
  const { request, reply, keyspace, random } = context;
  if (request.count === 3) {
    randomMembers(context);
    return;
  }
  if (request.count > 3) {
    reply.error(SYNTAX);
    return;
  }
  const record = findSet(context);
  if (record === NO_SET) return;
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const { sets } = keyspace;
  sets.pick(record, () => random.uint32());
  reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
}

function randomMembers(context: CommandContext): void {
  const { reply, keyspace, random } = context;
  const count = readSignedCount(context, 2);
  if (Number.isNaN(count)) return;
  const record = findSet(context);
  if (record === NO_SET) return;
  if (record === 0 || count === 0) {
    reply.array(0);
    return;
  }
  const { sets } = keyspace;
  const draw = (): number => random.uint32();
  if (count < 0) {
    reply.array(-count);
    for (let drawn = 0; drawn < -count; drawn++) {
      sets.pick(record, draw);
      reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    }
    return;
  }
  const size = sets.count(record);
  const wanted = Math.min(count, size);
  reply.array(wanted);
  if (keyspace.records.encoding(record) === ENCODING_HASHTABLE && wanted * DRAW_SHARE_MAX < size) {
    const drawn = drawDistinct(wanted, () => {
      sets.pick(record, draw);
      return sets.token;
    });
    for (const token of drawn) {
      sets.readToken(record, token);
      reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    }
    return;
  }
  let taken = 0;
  sets.startWalk(record);
  for (let left = size; taken < wanted && sets.next(); left--) {
    if (!isChosen(random, wanted - taken, left)) continue;
    taken++;
    reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
  }
}

const COMPLEXITY = "O(1) for one member, otherwise O(N) where N is the number of members that are returned.";

export const SET_RANDOM_COMMANDS: CommandTable = {
  SPOP: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["set"],
    keys: [keyAt(1, "RW", "access", "delete")],
    since: "1.0.0",
    group: "set",
    complexity: COMPLEXITY,
    summary: "Removes one or several members of a set by chance and returns them.",
    arguments: "key [count]",
    tips: ["nondeterministic_output"],
    history: [["3.2.0", "Takes `count`."]],
    run: pop,
  },
  SRANDMEMBER: {
    arity: -2,
    flags: ["readonly"],
    acl: ["set"],
    keys: KEY_READ,
    since: "1.0.0",
    group: "set",
    complexity: COMPLEXITY,
    summary: "Returns one or several members of a set by chance.",
    arguments: "key [count]",
    tips: ["nondeterministic_output"],
    history: [["2.6.0", "Takes `count`."]],
    run: randomMember,
  },
};
