/**
 * Lists that give elements to others, or to whoever waits for them: LMOVE, RPOPLPUSH, LMPOP, BLPOP, BRPOP, BLMOVE,
 * BRPOPLPUSH, BLMPOP.
 *
 *      BLPOP a b 0 ──── a or b has elements ──► popped          nothing ──► waitForKeys ──► the whole command again
 *
 *  I1  An element moves as a whole: what has no memory to be pushed has not been popped.
 *  I2  A command that waited decides anew: it knows nothing of its first run.
 *  Source: replies and events of redis-server 7.0; Redis 7.2's way to run waiting commands again.
 */

import { ReplyError, SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import { TYPE_LIST } from "../store/keyspace/record.ts";
import { readInteger, readTimeoutMs } from "./arguments.ts";
import { type CommandContext, type CommandTable, countedKeys, type KeySpec, keyAt } from "./command.ts";
import { recordPop } from "./effects.ts";
import { EVENT_LIST } from "./events.ts";
import { findListForUpdate, NO_LIST, popMany, popOne, pushEvent, takeOff } from "./list.ts";

const KEY_COUNT = new ReplyError("ERR numkeys should be greater than 0");
const ELEMENT_COUNT = new ReplyError("ERR count should be greater than 0");

const LEFT = 1;
const RIGHT = 0;
const NOWHERE = -1;
const BLMOVE_ARGUMENTS = 6;

/** LEFT or RIGHT; NOWHERE when the argument is neither, and the error has been written. */
function readSide(context: CommandContext, argument: number): number {
  if (context.request.is(argument, "LEFT")) return LEFT;
  if (context.request.is(argument, "RIGHT")) return RIGHT;
  context.reply.error(SYNTAX);
  return NOWHERE;
}

// ---- from one list to another -------------------------------------------------------------------------------------------

/** Moves an element of the list `source` (argument 1) to the list of argument 2; false when that is none: the error is written. */
function moveElement(context: CommandContext, source: number, isFromHead: boolean, isToHead: boolean): boolean {
  const { request, keyspace, reply, database } = context;
  const { lists } = keyspace;
  const { input, offset, length } = request;
  const target = keyspace.lookupWrite(database, input, offset[2]!, length[2]!);
  if (target !== 0 && keyspace.records.type(target) !== TYPE_LIST) {
    reply.error(WRONG_TYPE);
    return false;
  }
  lists.hold(source, isFromHead);
  if (target === source) {
    lists.rotate(database, source, isFromHead, isToHead);
    context.changed(EVENT_LIST, pushEvent(isToHead), 2, 0);
    reply.bulk(lists.heldBytes, 0, lists.heldLength);
    context.changed(EVENT_LIST, isFromHead ? "lpop" : "rpop", 1);
    return true;
  }
  lists.pushHeld(database, target, isToHead, input, offset[2]!, length[2]!);
  context.changed(EVENT_LIST, pushEvent(isToHead), 2, 0);
  reply.bulk(lists.heldBytes, 0, lists.heldLength);
  keyspace.standOn(database, source);
  takeOff(context, 1, source, isFromHead, 1, lists.length(source));
  return true;
}

function move(context: CommandContext, from: number, to: number): void {
  const source = findListForUpdate(context, 1);
  if (source === NO_LIST) return;
  if (source === 0) context.reply.nullBulk();
  else moveElement(context, source, from === LEFT, to === LEFT);
}

function readAndMove(context: CommandContext): void {
  const from = readSide(context, 3);
  if (from === NOWHERE) return;
  const to = readSide(context, 4);
  if (to !== NOWHERE) move(context, from, to);
}

function writeNullArray(reply: ReplyWriter): void {
  reply.nullArray();
}

function writeNull(reply: ReplyWriter): void {
  reply.nullBulk();
}

function moveOrWait(context: CommandContext, from: number, to: number, timeoutMs: number): void {
  const source = findListForUpdate(context, 1);
  if (source === NO_LIST) return;
  if (source !== 0) {
    const isMoved = moveElement(context, source, from === LEFT, to === LEFT);
    if (isMoved && context.log.isRecording) recordMove(context);
    return;
  }
  context.waitForKeys({
    firstKey: 1,
    keyCount: 1,
    keyType: TYPE_LIST,
    wakesOnLoss: false,
    timeoutMs,
    onTimeout: writeNullArray,
    onRefusal: writeNull,
  });
}

/** BLMOVE and BRPOPLPUSH, as the commands that do not wait. */
function recordMove({ log, request, database }: CommandContext): void {
  log.begin(database.index, request.count - 1);
  log.word(request.count === BLMOVE_ARGUMENTS ? "LMOVE" : "RPOPLPUSH");
  for (let index = 1; index < request.count - 1; index++) log.argument(request, index);
}

function blockingMove(context: CommandContext): void {
  const from = readSide(context, 3);
  if (from === NOWHERE) return;
  const to = readSide(context, 4);
  if (to === NOWHERE) return;
  const timeoutMs = readTimeoutMs(context, 5);
  if (!Number.isNaN(timeoutMs)) moveOrWait(context, from, to, timeoutMs);
}

function blockingPopPush(context: CommandContext): void {
  const timeoutMs = readTimeoutMs(context, 3);
  if (!Number.isNaN(timeoutMs)) moveOrWait(context, RIGHT, LEFT, timeoutMs);
}

// ---- from the first of several lists ----------------------------------------------------------------------------------------

/** Pops from the first key that has a list; `count` 0: one element beside its key. Returns whether a reply was written. */
function popFirst(
  context: CommandContext,
  firstKey: number,
  keyCount: number,
  isHead: boolean,
  count: number,
): boolean {
  const { request, reply } = context;
  for (let argument = firstKey; argument < firstKey + keyCount; argument++) {
    const record = findListForUpdate(context, argument);
    if (record === NO_LIST) return true;
    if (record === 0) continue;
    reply.array(2);
    reply.bulk(request.input, request.offset[argument]!, request.length[argument]!);
    const { isRecording } = context.log;
    const taken = isRecording ? Math.min(count, context.keyspace.lists.length(record)) : 0;
    if (count === 0) popOne(context, argument, record, isHead);
    else popMany(context, argument, record, isHead, count);
    if (isRecording) recordPop(context, isHead ? "LPOP" : "RPOP", argument, taken);
    return true;
  }
  return false;
}

function waitFor(context: CommandContext, firstKey: number, keyCount: number, timeoutMs: number): void {
  context.waitForKeys({
    firstKey,
    keyCount,
    keyType: TYPE_LIST,
    wakesOnLoss: false,
    timeoutMs,
    onTimeout: writeNullArray,
  });
}

function blockingPop(context: CommandContext, isHead: boolean): void {
  const last = context.request.count - 1;
  const timeoutMs = readTimeoutMs(context, last);
  if (Number.isNaN(timeoutMs)) return;
  if (!popFirst(context, 1, last - 1, isHead, 0)) waitFor(context, 1, last - 1, timeoutMs);
}

/** A whole number above 0; NaN when the argument is none, and `error` has been written. */
function readAboveZero(context: CommandContext, argument: number, error: ReplyError): number {
  const value = readInteger(context, argument, error);
  if (!(value < 1)) return value;
  context.reply.error(error);
  return Number.NaN;
}

/** LMPOP and BLMPOP from the argument `numkeys` on; `timeout` is the argument of BLMPOP's timeout, 0 for LMPOP. */
function popSeveral(context: CommandContext, numkeys: number, timeout: number): void {
  const { request, reply } = context;
  const keyCount = readAboveZero(context, numkeys, KEY_COUNT);
  if (Number.isNaN(keyCount)) return;
  const sideArgument = numkeys + keyCount + 1;
  if (sideArgument >= request.count) {
    reply.error(SYNTAX);
    return;
  }
  const side = readSide(context, sideArgument);
  if (side === NOWHERE) return;
  let count = 0;
  for (let argument = sideArgument + 1; argument < request.count; argument += 2) {
    if (count !== 0 || argument + 1 >= request.count || !request.is(argument, "COUNT")) {
      reply.error(SYNTAX);
      return;
    }
    count = readAboveZero(context, argument + 1, ELEMENT_COUNT);
    if (Number.isNaN(count)) return;
  }
  const timeoutMs = timeout === 0 ? 0 : readTimeoutMs(context, timeout);
  if (Number.isNaN(timeoutMs)) return;
  if (popFirst(context, numkeys + 1, keyCount, side === LEFT, count || 1)) return;
  if (timeout === 0) reply.nullArray();
  else waitFor(context, numkeys + 1, keyCount, timeoutMs);
}

// ---- the table --------------------------------------------------------------------------------------------------------------

const KEYS_MOVED = [keyAt(1, "RW", "access", "delete"), keyAt(2, "RW", "insert")];

const KEYS_POPPED: readonly KeySpec[] = [
  { flags: ["RW", "access", "delete"], begin: { index: 1 }, find: { lastKey: -2, step: 1, limit: 0 } },
];

const TIMEOUT_AS_DOUBLE = [["6.0.0", "The timeout may have a fraction."]] as const;

export const LIST_MOVE_COMMANDS: CommandTable = {
  LMOVE: {
    arity: 5,
    flags: ["write", "denyoom"],
    acl: ["list"],
    keys: KEYS_MOVED,
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    summary: "Takes an element off one end of a list, puts it at an end of another or the same, and returns it.",
    arguments: "source destination <wherefrom=LEFT|RIGHT> <whereto=LEFT|RIGHT>",
    run: readAndMove,
  },
  RPOPLPUSH: {
    arity: 3,
    flags: ["write", "denyoom"],
    acl: ["list"],
    keys: KEYS_MOVED,
    since: "1.2.0",
    group: "list",
    complexity: "O(1)",
    summary: "Takes the last element off a list, puts it at the head of another or the same, and returns it.",
    arguments: "source destination",
    deprecated: { since: "6.2.0", replacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments" },
    run: (context) => move(context, RIGHT, LEFT),
  },
  LMPOP: {
    arity: -4,
    flags: ["write", "movablekeys"],
    acl: ["list"],
    keys: [countedKeys(1, "RW", "access", "delete")],
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) where N is the number of keys, M the number of elements that are returned.",
    summary: "Takes elements off one end of the first list among several keys and returns them with its key.",
    arguments: "numkeys(integer) key [key ...] <where=LEFT|RIGHT> [COUNT count]",
    run: (context) => popSeveral(context, 1, 0),
  },
  BLPOP: {
    arity: -3,
    flags: ["write", "blocking"],
    acl: ["list"],
    keys: KEYS_POPPED,
    since: "2.0.0",
    group: "list",
    complexity: "O(N) where N is the number of keys.",
    summary: "Takes the first element off the first list among several keys; waits until one of them has a list.",
    arguments: "key [key ...] timeout(double)",
    history: TIMEOUT_AS_DOUBLE,
    run: (context) => blockingPop(context, true),
  },
  BRPOP: {
    arity: -3,
    flags: ["write", "blocking"],
    acl: ["list"],
    keys: KEYS_POPPED,
    since: "2.0.0",
    group: "list",
    complexity: "O(N) where N is the number of keys.",
    summary: "Takes the last element off the first list among several keys; waits until one of them has a list.",
    arguments: "key [key ...] timeout(double)",
    history: TIMEOUT_AS_DOUBLE,
    run: (context) => blockingPop(context, false),
  },
  BLMOVE: {
    arity: 6,
    flags: ["write", "denyoom", "blocking"],
    acl: ["list"],
    keys: KEYS_MOVED,
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    summary: "As LMOVE; waits until the first key has a list.",
    arguments: "source destination <wherefrom=LEFT|RIGHT> <whereto=LEFT|RIGHT> timeout(double)",
    run: blockingMove,
  },
  BRPOPLPUSH: {
    arity: 4,
    flags: ["write", "denyoom", "blocking"],
    acl: ["list"],
    keys: KEYS_MOVED,
    since: "2.2.0",
    group: "list",
    complexity: "O(1)",
    summary: "As RPOPLPUSH; waits until the first key has a list.",
    arguments: "source destination timeout(double)",
    deprecated: { since: "6.2.0", replacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments" },
    history: TIMEOUT_AS_DOUBLE,
    run: blockingPopPush,
  },
  BLMPOP: {
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    acl: ["list"],
    keys: [countedKeys(2, "RW", "access", "delete")],
    since: "7.0.0",
    group: "list",
    complexity: "O(N+M) where N is the number of keys, M the number of elements that are returned.",
    summary: "As LMPOP; waits until one of the keys has a list.",
    arguments: "timeout(double) numkeys(integer) key [key ...] <where=LEFT|RIGHT> [COUNT count]",
    run: (context) => popSeveral(context, 2, 1),
  },
};
