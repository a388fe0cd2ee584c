/**
 * Keys whatever they hold: delete, ask for, rename, move, copy.
 *
 *  I1  A key whose time is over is as good as absent, as source and as target.
 *  Source: replies of redis-server 7.0, whose generic commands are those of 7.2.
 */

import { NO_SUCH_KEY, SAME_OBJECT, SYNTAX } from "../protocol/errors.ts";
import { TYPE_NAMES } from "../store/keyspace/record.ts";
import { readDatabase } from "./arguments.ts";
import {
  type CommandContext,
  type CommandTable,
  KEY_METADATA,
  KEY_UPDATE,
  KEYS_DELETE,
  KEYS_METADATA,
  type KeyFlag,
  type KeySpec,
} from "./command.ts";
import { EVENT_GENERIC } from "./events.ts";

function deleteKeys(context: CommandContext): void {
  const { request, keyspace, database } = context;
  let deleted = 0;
  for (let index = 1; index < request.count; index++) {
    if (!keyspace.delete(database, request.input, request.offset[index]!, request.length[index]!)) continue;
    context.changed(EVENT_GENERIC, "del", index);
    deleted++;
  }
  context.reply.integer(deleted);
}

function countExisting(context: CommandContext): void {
  const { request, keyspace, database } = context;
  let existing = 0;
  for (let index = 1; index < request.count; index++) {
    const record = keyspace.lookupQuietly(database, request.input, request.offset[index]!, request.length[index]!);
    if (record !== 0) existing++;
  }
  context.reply.integer(existing);
}

function touch(context: CommandContext): void {
  const { request, keyspace, database } = context;
  let touched = 0;
  // TOUCH is how a client with CLIENT NO-TOUCH says that it means to use a key.
  const { touchesAccess } = keyspace;
  keyspace.touchesAccess = true;
  for (let index = 1; index < request.count; index++) {
    if (keyspace.lookupRead(database, request.input, request.offset[index]!, request.length[index]!) !== 0) touched++;
  }
  keyspace.touchesAccess = touchesAccess;
  context.reply.integer(touched);
}

function type(context: CommandContext): void {
  const { request, keyspace } = context;
  const record = keyspace.lookupQuietly(context.database, request.input, request.offset[1]!, request.length[1]!);
  context.reply.simple(record === 0 ? "none" : TYPE_NAMES[keyspace.records.type(record)]!);
}

/** Whether arguments `left` and `right` are the same bytes. */
function isSame(context: CommandContext, left: number, right: number): boolean {
  const { input, offset, length } = context.request;
  const bytes = length[left]!;
  if (bytes !== length[right]) return false;
  for (let at = 0; at < bytes; at++) if (input[offset[left]! + at] !== input[offset[right]! + at]) return false;
  return true;
}

function rename(context: CommandContext, isOnlyIfAbsent: boolean): void {
  const { request, keyspace, reply, database } = context;
  const { input, offset, length } = request;
  let record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  if (record === 0) {
    reply.error(NO_SUCH_KEY);
    return;
  }
  if (isSame(context, 1, 2)) {
    if (isOnlyIfAbsent) reply.integer(0);
    else reply.ok();
    return;
  }
  if (isOnlyIfAbsent) {
    if (keyspace.lookupWrite(database, input, offset[2]!, length[2]!) !== 0) {
      reply.integer(0);
      return;
    }
    // The keyspace's registers have to stand on the record that is renamed.
    record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  }
  keyspace.rename(database, record, input, offset[2]!, length[2]!);
  context.touched(1);
  context.touched(2);
  context.notify(EVENT_GENERIC, "rename_from", 1);
  context.notify(EVENT_GENERIC, "rename_to", 2);
  keyspace.dirty++;
  if (isOnlyIfAbsent) reply.integer(1);
  else reply.ok();
}

function move(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input } = request;
  const start = request.offset[1]!;
  const length = request.length[1]!;
  const target = readDatabase(context, 2);
  if (target === undefined) return;
  if (target === database) {
    reply.error(SAME_OBJECT);
    return;
  }
  if (
    keyspace.lookupWrite(database, input, start, length) === 0 ||
    keyspace.lookupWrite(target, input, start, length) !== 0
  ) {
    reply.integer(0);
    return;
  }
  keyspace.moveTo(database, keyspace.lookupWrite(database, input, start, length), target);
  context.touched(1);
  context.touchedKey(target, input, start, length);
  context.notify(EVENT_GENERIC, "move_from", 1);
  context.notifyKey(EVENT_GENERIC, "move_to", target, input, start, length);
  keyspace.dirty++;
  reply.integer(1);
}

function copy(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input, offset, length } = request;
  let target = database;
  let isReplacing = false;
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, "REPLACE")) {
      isReplacing = true;
    } else if (request.is(index, "DB") && index + 1 < request.count) {
      const chosen = readDatabase(context, ++index);
      if (chosen === undefined) return;
      target = chosen;
    } else {
      reply.error(SYNTAX);
      return;
    }
  }
  if (target === database && isSame(context, 1, 2)) {
    reply.error(SAME_OBJECT);
    return;
  }
  if (keyspace.lookupRead(database, input, offset[1]!, length[1]!) === 0) {
    reply.integer(0);
    return;
  }
  if (!isReplacing && keyspace.lookupWrite(target, input, offset[2]!, length[2]!) !== 0) {
    reply.integer(0);
    return;
  }
  const record = keyspace.lookupWrite(database, input, offset[1]!, length[1]!);
  keyspace.copy(record, target, input, offset[2]!, length[2]!);
  context.touchedKey(target, input, offset[2]!, length[2]!);
  context.notifyKey(EVENT_GENERIC, "copy_to", target, input, offset[2]!, length[2]!);
  keyspace.dirty++;
  reply.integer(1);
}

function keyAt(index: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin: { index }, find: { lastKey: 0, step: 1, limit: 0 } };
}

const COUNTING_TIPS = ["request_policy:multi_shard", "response_policy:agg_sum"];

export const KEY_COMMANDS: CommandTable = {
  COPY: {
    arity: -3,
    flags: ["write", "denyoom"],
    acl: ["keyspace"],
    keys: [keyAt(1, "RO", "access"), keyAt(2, "OW", "update")],
    since: "6.2.0",
    group: "generic",
    complexity: "O(N) where N is the number of elements of a collection; O(1) for strings.",
    summary: "Copies the value of a key, and its time to live, to another key.",
    arguments: "source destination [DB destination-db] [REPLACE]",
    run: copy,
  },
  DEL: {
    arity: -2,
    flags: ["write"],
    acl: ["keyspace"],
    keys: KEYS_DELETE,
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys, plus the elements of collections that are deleted.",
    summary: "Deletes keys and returns how many of them there were.",
    arguments: "key [key ...]",
    tips: COUNTING_TIPS,
    run: deleteKeys,
  },
  EXISTS: {
    arity: -2,
    flags: ["readonly", "fast"],
    acl: ["keyspace"],
    keys: KEYS_METADATA,
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys.",
    summary: "Returns how many of the keys exist; one that is named twice counts twice.",
    arguments: "key [key ...]",
    tips: COUNTING_TIPS,
    history: [["3.0.3", "Takes several keys."]],
    run: countExisting,
  },
  MOVE: {
    arity: 3,
    flags: ["write", "fast"],
    acl: ["keyspace"],
    keys: KEY_UPDATE,
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    summary: "Moves a key to another database that does not have it.",
    arguments: "key db",
    run: move,
  },
  RENAME: {
    arity: 3,
    flags: ["write"],
    acl: ["keyspace"],
    keys: [keyAt(1, "RW", "access", "delete"), keyAt(2, "OW", "update")],
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    summary: "Gives a value another key; what that key held is gone.",
    arguments: "key newkey",
    run: (context) => rename(context, false),
  },
  RENAMENX: {
    arity: 3,
    flags: ["write", "fast"],
    acl: ["keyspace"],
    keys: [keyAt(1, "RW", "access", "delete"), keyAt(2, "OW", "insert")],
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    summary: "Gives a value another key, if that one is absent.",
    arguments: "key newkey",
    history: [["3.2.0", "Equal names are no error any more."]],
    run: (context) => rename(context, true),
  },
  TOUCH: {
    arity: -2,
    flags: ["readonly", "fast"],
    acl: ["keyspace"],
    keys: KEYS_METADATA,
    since: "3.2.1",
    group: "generic",
    complexity: "O(N) where N is the number of keys.",
    summary: "Marks keys as used just now and returns how many of them exist.",
    arguments: "key [key ...]",
    tips: COUNTING_TIPS,
    run: touch,
  },
  TYPE: {
    arity: 2,
    flags: ["readonly", "fast"],
    acl: ["keyspace"],
    keys: KEY_METADATA,
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    summary: 'Returns the name of the type of a key\'s value, "none" when it is absent.',
    arguments: "key",
    run: type,
  },
  UNLINK: {
    arity: -2,
    flags: ["write", "fast"],
    acl: ["keyspace"],
    keys: KEYS_DELETE,
    since: "4.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys, whatever they hold; their memory is freed afterwards.",
    summary: "Deletes keys at once and frees what they held later.",
    arguments: "key [key ...]",
    tips: COUNTING_TIPS,
    run: deleteKeys,
  },
};
