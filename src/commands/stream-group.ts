/**
 * XGROUP: makes, changes and removes consumer groups and their consumers.
 *
 *  I1  Options are read before the key is looked up.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError } from "../protocol/errors.ts";
import { fillId, type StreamId } from "../store/values/stream-id.ts";
import { LAST_ID } from "../store/values/streams.ts";
import type { CommandContext, CommandSpec, CommandTable } from "./command.ts";
import { EVENT_STREAM } from "./events.ts";
import { makeConsumer } from "./stream-read.ts";
import {
  findConsumer,
  findGroup,
  isSign,
  readId,
  readStrictId,
  shownText,
  subcommandKey,
  writeRoot,
} from "./stream-support.ts";

const NO_KEY = new ReplyError(
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const GROUP_EXISTS = new ReplyError("BUSYGROUP Consumer Group name already exists");
const BAD_ENTRIES_READ = new ReplyError("ERR value for ENTRIESREAD must be positive or -1");
const NOT_AN_INTEGER = new ReplyError("ERR value is not an integer or out of range");
const DOLLAR = 36;
const WORD_MAX = 128;

const HELP_LINES = [
  "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CREATE <key> <groupname> <id|$> [option]",
  "    Create a new consumer group. Options are:",
  "    * MKSTREAM",
  "      Create the empty stream if it does not exist.",
  "    * ENTRIESREAD entries_read",
  "      Set the group's entries_read counter (internal use).",
  "CREATECONSUMER <key> <groupname> <consumer>",
  "    Create a new consumer in the specified group.",
  "DELCONSUMER <key> <groupname> <consumer>",
  "    Remove the specified consumer.",
  "DESTROY <key> <groupname>",
  "    Remove the specified group.",
  "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
  "    Set the current group ID and entries_read counter.",
  "HELP",
  "    Prints this help.",
];

/** The error for options that a subcommand does not have. */
export function subcommandSyntax(context: CommandContext, container: string): void {
  const word = shownText(context, 1).slice(0, WORD_MAX);
  context.reply.errorText(`ERR unknown subcommand or wrong number of arguments for '${word}'. Try ${container} HELP.`);
}

interface GroupOptions {
  makesStream: boolean;
  entriesRead: bigint;
}

/** Reads MKSTREAM and ENTRIESREAD from argument 5 on; false: the error has been written. */
function readOptions(context: CommandContext, takesMake: boolean, options: GroupOptions): boolean {
  const { request, reply } = context;
  for (let at = 5; at < request.count; at++) {
    if (takesMake && request.is(at, "MKSTREAM")) {
      options.makesStream = true;
    } else if (at + 1 < request.count && request.is(at, "ENTRIESREAD")) {
      const read = request.int64(++at);
      if (read === undefined || read < -1n) {
        reply.error(read === undefined ? NOT_AN_INTEGER : BAD_ENTRIES_READ);
        return false;
      }
      options.entriesRead = read;
    } else {
      subcommandSyntax(context, "XGROUP");
      return false;
    }
  }
  return true;
}

/** The root of the stream at argument 2; 0 when there is none, and the error has been written. */
function findStream(context: CommandContext): number {
  const root = writeRoot(context, 2);
  if (root === 0) context.reply.error(NO_KEY);
  return root === -1 ? 0 : root;
}

/** The group at argument 3; 0 when there is none, and the error has been written. */
function readGroup(context: CommandContext, root: number): number {
  const group = findGroup(context, root, 3);
  if (group !== 0) return group;
  const key = shownText(context, 2);
  context.reply.errorText(`NOGROUP No such consumer group '${shownText(context, 3)}' for key name '${key}'`);
  return 0;
}

/** Reads the id of argument 4, `$` as the last one; false: the error has been written. */
function readLastId(context: CommandContext, root: number, id: StreamId, isStrict: boolean): boolean {
  if (!isSign(context, 4, DOLLAR)) return isStrict ? readStrictId(context, 4, id) : readId(context, 4, id);
  if (root === 0) fillId(id, false);
  else context.keyspace.streams.readId(root, LAST_ID, id);
  return true;
}

function create(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  const { streams } = keyspace;
  const { id } = streams.registers;
  const options: GroupOptions = { makesStream: false, entriesRead: -1n };
  if (!readOptions(context, true, options)) return;
  let root = writeRoot(context, 2);
  if (root === -1) return;
  if (root === 0 && !options.makesStream) {
    reply.error(NO_KEY);
    return;
  }
  if (request.count > 8) {
    subcommandSyntax(context, "XGROUP");
    return;
  }
  if (!readLastId(context, root, id, true)) return;
  const { input } = request;
  const start = request.offset[3]!;
  const length = request.length[3]!;
  const isNew = root === 0;
  if (isNew) {
    root = streams.create();
    try {
      streams.findGroup(root, input, start, length);
      streams.addGroup(root, input, start, length, id, options.entriesRead);
    } catch (error) {
      streams.discard(root);
      throw error;
    }
    streams.place(database, input, request.offset[2]!, request.length[2]!, root);
    context.touched(2);
  } else {
    if (findGroup(context, root, 3) !== 0) {
      reply.error(GROUP_EXISTS);
      return;
    }
    streams.addGroup(root, input, start, length, id, options.entriesRead);
  }
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xgroup-create", 2);
  reply.ok();
}

function setId(context: CommandContext): void {
  const { request, reply, keyspace } = context;
  const { groups, registers } = keyspace.streams;
  const options: GroupOptions = { makesStream: false, entriesRead: -1n };
  if (!readOptions(context, false, options)) return;
  const root = findStream(context);
  if (root === 0) return;
  const group = readGroup(context, root);
  if (group === 0) return;
  if (request.count !== 5 && request.count !== 7) {
    subcommandSyntax(context, "XGROUP");
    return;
  }
  if (!readLastId(context, root, registers.id, false)) return;
  groups.setLastId(group, registers.id);
  groups.setEntriesRead(group, options.entriesRead);
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xgroup-setid", 2);
  reply.ok();
}

function destroy(context: CommandContext): void {
  const { reply, keyspace } = context;
  const root = findStream(context);
  if (root === 0) return;
  const group = findGroup(context, root, 3);
  if (group === 0) {
    reply.integer(0);
    return;
  }
  keyspace.streams.removeGroup(root, group);
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xgroup-destroy", 2);
  // Those who wait for the group's entries are to hear that it is gone.
  context.wake(2);
  reply.integer(1);
}

function createConsumer(context: CommandContext): void {
  const root = findStream(context);
  if (root === 0) return;
  const group = readGroup(context, root);
  if (group === 0) return;
  const isThere = findConsumer(context, group, 4) !== 0;
  if (!isThere) makeConsumer(context, group, 4, 2);
  context.reply.integer(isThere ? 0 : 1);
}

function deleteConsumer(context: CommandContext): void {
  const { reply, keyspace } = context;
  const root = findStream(context);
  if (root === 0) return;
  const group = readGroup(context, root);
  if (group === 0) return;
  const consumer = findConsumer(context, group, 4);
  if (consumer === 0) {
    reply.integer(0);
    return;
  }
  reply.integer(keyspace.streams.groups.removeConsumer(group, consumer));
  keyspace.dirty++;
  context.notify(EVENT_STREAM, "xgroup-delconsumer", 2);
}

function help(context: CommandContext): void {
  context.reply.array(HELP_LINES.length);
  for (const line of HELP_LINES) context.reply.simple(line);
}

const BASE = {
  acl: ["stream"],
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
} as const satisfies Partial<CommandSpec>;

export const STREAM_GROUP_COMMANDS: CommandTable = {
  XGROUP: {
    arity: -2,
    flags: [],
    acl: [],
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on the subcommand.",
    summary: "Makes, changes and removes consumer groups.",
    subcommands: {
      CREATE: {
        ...BASE,
        arity: -5,
        flags: ["write", "denyoom"],
        keys: subcommandKey("RW", "insert"),
        summary: "Makes a consumer group.",
        arguments: "key groupname(string) <id(string)|$> [MKSTREAM] [ENTRIESREAD entries-read(integer)]",
        history: [["7.0.0", "Added the `entries_read` named argument."]],
        run: create,
      },
      CREATECONSUMER: {
        ...BASE,
        arity: 5,
        flags: ["write", "denyoom"],
        keys: subcommandKey("RW", "insert"),
        since: "6.2.0",
        summary: "Makes a consumer of a group.",
        arguments: "key groupname(string) consumername(string)",
        run: createConsumer,
      },
      DELCONSUMER: {
        ...BASE,
        arity: 5,
        flags: ["write"],
        keys: subcommandKey("RW", "delete"),
        complexity: "O(N) where N is the number of the consumer's pending entries.",
        summary: "Removes a consumer of a group, with its pending entries.",
        arguments: "key groupname(string) consumername(string)",
        run: deleteConsumer,
      },
      DESTROY: {
        ...BASE,
        arity: 4,
        flags: ["write"],
        keys: subcommandKey("RW", "delete"),
        complexity: "O(N) where N is the number of the group's pending entries.",
        summary: "Removes a consumer group.",
        arguments: "key groupname(string)",
        run: destroy,
      },
      HELP: {
        ...BASE,
        arity: 2,
        flags: ["loading", "stale"],
        summary: "Returns text about the subcommands.",
        run: help,
      },
      SETID: {
        ...BASE,
        arity: -5,
        flags: ["write"],
        keys: subcommandKey("RW", "update"),
        summary: "Sets the last delivered id of a group.",
        arguments: "key groupname(string) <id(string)|$> [ENTRIESREAD entries-read(integer)]",
        history: [["7.0.0", "Added the optional `entries_read` argument."]],
        run: setId,
      },
    },
  },
};
