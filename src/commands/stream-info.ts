/**
 * XINFO: what a stream, its groups and their consumers are.
 *
 *  I1  The key is looked up before options are read.
 *  I2  Maps in RESP3, arrays of names and values in RESP2.
 *  Source: replies of redis-server 7.0; of Redis 7.2 the times at which consumers were active.
 */

import { fillId } from "../store/values/stream-id.ts";
import { radixNodeCount } from "../store/values/stream-inspection.ts";
import { UNKNOWN_COUNT } from "../store/values/stream-progress.ts";
import { DELETED_ID, FIRST_ID, LAST_ID } from "../store/values/streams.ts";
import type { CommandContext, CommandSpec, CommandTable } from "./command.ts";
import { subcommandSyntax } from "./stream-group.ts";
import {
  findGroup,
  readCount,
  readRoot,
  replyBigint,
  replyEntry,
  replyFirst,
  replyId,
  replyLarge,
  shownText,
  subcommandKey,
} from "./stream-support.ts";

const FULL_COUNT = 10;

const HELP_LINES = [
  "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CONSUMERS <key> <groupname>",
  "    Show consumers of <groupname>.",
  "GROUPS <key>",
  "    Show the stream consumer groups.",
  "STREAM <key> [FULL [COUNT <count>]",
  "    Show information about the stream.",
  "HELP",
  "    Prints this help.",
];

/** The root of the stream at argument 2; 0 when there is none, and the error has been written. */
function findStream(context: CommandContext): number {
  const root = readRoot(context, 2);
  if (root === 0) context.reply.errorText("ERR no such key");
  return root === -1 ? 0 : root;
}

function replyName(context: CommandContext, names: NameView, cell: number): void {
  context.reply.bulk(names.view(cell), names.nameStart(cell), names.nameLength(cell));
}

interface NameView {
  view(cell: number): Uint8Array;
  nameStart(cell: number): number;
  nameLength(cell: number): number;
}

// ---- XINFO STREAM -----------------------------------------------------------------------------------------------------

function stream(context: CommandContext): void {
  const { request } = context;
  const root = findStream(context);
  if (root === 0) return;
  if (request.count === 3) {
    replyNumbers(context, root, 10);
    replyEdges(context, root);
    return;
  }
  const hasCount = request.count === 6 && request.is(4, "COUNT");
  if (!request.is(3, "FULL") || (request.count !== 4 && !hasCount)) {
    subcommandSyntax(context, "XINFO");
    return;
  }
  const count = hasCount ? readCount(context, 5) : FULL_COUNT;
  if (Number.isNaN(count)) return;
  replyNumbers(context, root, 9);
  replyFull(context, root, count < 0 ? FULL_COUNT : count);
}

function replyNumbers(context: CommandContext, root: number, fieldCount: number): void {
  const { reply } = context;
  const { streams } = context.keyspace;
  const { id } = streams.registers;
  reply.map(fieldCount);
  reply.bulkText("length");
  reply.integer(streams.length(root));
  reply.bulkText("radix-tree-keys");
  reply.integer(streams.nodeCount(root));
  reply.bulkText("radix-tree-nodes");
  reply.integer(radixNodeCount(streams, root));
  reply.bulkText("last-generated-id");
  streams.readId(root, LAST_ID, id);
  replyId(context, id);
  reply.bulkText("max-deleted-entry-id");
  streams.readId(root, DELETED_ID, id);
  replyId(context, id);
  reply.bulkText("entries-added");
  replyBigint(context, streams.entriesAdded(root));
  reply.bulkText("recorded-first-entry-id");
  streams.readId(root, FIRST_ID, id);
  replyId(context, id);
}

function replyEdges(context: CommandContext, root: number): void {
  const { reply } = context;
  const { streams } = context.keyspace;
  reply.bulkText("groups");
  reply.integer(streams.groups.groups.count(streams.groupsOf(root)));
  reply.bulkText("first-entry");
  replyEdge(context, root, false);
  reply.bulkText("last-entry");
  replyEdge(context, root, true);
}

function replyEdge(context: CommandContext, root: number, isLast: boolean): void {
  const { cursor, registers } = context.keyspace.streams;
  fillId(registers.from, false);
  fillId(registers.to, true);
  cursor.begin(root, registers.from, registers.to, isLast);
  if (cursor.next()) replyEntry(context, cursor);
  else context.reply.nullBulk();
}

function replyFull(context: CommandContext, root: number, count: number): void {
  const { reply } = context;
  const { streams } = context.keyspace;
  const { groups, progress, registers } = streams;
  reply.bulkText("entries");
  replyFirst(context, root, count);
  reply.bulkText("groups");
  const list = streams.groupsOf(root);
  const groupCount = groups.groups.count(list);
  reply.array(groupCount);
  for (let index = 0; index < groupCount; index++) {
    const group = groups.groups.at(list, index);
    const all = groups.pendingOfGroup(group);
    reply.map(7);
    reply.bulkText("name");
    replyName(context, groups.groups, group);
    reply.bulkText("last-delivered-id");
    groups.readLastId(group, registers.id);
    replyId(context, registers.id);
    replyProgress(context, groups.entriesRead(group), progress.lag(streams, root, group));
    reply.bulkText("pel-count");
    reply.integer(groups.pending.count(all));
    reply.bulkText("pending");
    replyPending(context, all, count, true);
    reply.bulkText("consumers");
    replyConsumers(context, group, count);
  }
}

function replyProgress(context: CommandContext, entriesRead: bigint, lag: bigint | undefined): void {
  const { reply } = context;
  reply.bulkText("entries-read");
  if (entriesRead === UNKNOWN_COUNT) reply.nullBulk();
  else replyBigint(context, entriesRead);
  reply.bulkText("lag");
  if (lag === undefined) reply.nullBulk();
  else replyBigint(context, lag);
}

/** At most `count` (0: all) pending entries of a tree. */
function replyPending(context: CommandContext, tree: number, count: number, hasConsumer: boolean): void {
  const { reply } = context;
  const { groups, registers } = context.keyspace.streams;
  const { pending, consumers } = groups;
  const shown = count === 0 ? pending.count(tree) : Math.min(count, pending.count(tree));
  reply.array(shown);
  let isThere = pending.seekFirst(tree);
  for (let index = 0; index < shown && isThere; index++) {
    const cell = pending.value();
    reply.array(hasConsumer ? 4 : 3);
    groups.readPendingId(registers.id);
    replyId(context, registers.id);
    if (hasConsumer) replyName(context, consumers, groups.consumerOf(cell));
    replyLarge(context, groups.deliveredAtMs(cell));
    replyLarge(context, groups.deliveryCount(cell));
    isThere = pending.next();
  }
}

function replyConsumers(context: CommandContext, group: number, count: number): void {
  const { reply } = context;
  const { groups } = context.keyspace.streams;
  const { consumers, pending } = groups;
  const list = groups.consumersOf(group);
  const consumerCount = consumers.count(list);
  reply.array(consumerCount);
  for (let index = 0; index < consumerCount; index++) {
    const consumer = consumers.at(list, index);
    const own = groups.pendingOfConsumer(consumer);
    reply.map(5);
    reply.bulkText("name");
    replyName(context, consumers, consumer);
    reply.bulkText("seen-time");
    replyLarge(context, groups.seenAtMs(consumer));
    reply.bulkText("active-time");
    replyLarge(context, groups.activeAtMs(consumer));
    reply.bulkText("pel-count");
    reply.integer(pending.count(own));
    reply.bulkText("pending");
    replyPending(context, own, count, false);
  }
}

// ---- XINFO GROUPS, CONSUMERS ------------------------------------------------------------------------------------------

function groupList(context: CommandContext): void {
  const { reply } = context;
  const { streams } = context.keyspace;
  const { groups, progress, registers } = streams;
  const root = findStream(context);
  if (root === 0) return;
  const list = streams.groupsOf(root);
  const count = groups.groups.count(list);
  reply.array(count);
  for (let index = 0; index < count; index++) {
    const group = groups.groups.at(list, index);
    reply.map(6);
    reply.bulkText("name");
    replyName(context, groups.groups, group);
    reply.bulkText("consumers");
    reply.integer(groups.consumers.count(groups.consumersOf(group)));
    reply.bulkText("pending");
    reply.integer(groups.pending.count(groups.pendingOfGroup(group)));
    reply.bulkText("last-delivered-id");
    groups.readLastId(group, registers.id);
    replyId(context, registers.id);
    replyProgress(context, groups.entriesRead(group), progress.lag(streams, root, group));
  }
}

function consumerList(context: CommandContext): void {
  const { reply, keyspace } = context;
  const { groups } = keyspace.streams;
  const { consumers, pending } = groups;
  const root = findStream(context);
  if (root === 0) return;
  const group = findGroup(context, root, 3);
  if (group === 0) {
    const key = shownText(context, 2);
    reply.errorText(`NOGROUP No such consumer group '${shownText(context, 3)}' for key name '${key}'`);
    return;
  }
  const list = groups.consumersOf(group);
  const count = consumers.count(list);
  reply.array(count);
  for (let index = 0; index < count; index++) {
    const consumer = consumers.at(list, index);
    const activeAtMs = groups.activeAtMs(consumer);
    reply.map(4);
    reply.bulkText("name");
    replyName(context, consumers, consumer);
    reply.bulkText("pending");
    reply.integer(pending.count(groups.pendingOfConsumer(consumer)));
    reply.bulkText("idle");
    replyLarge(context, Math.max(keyspace.nowMs - groups.seenAtMs(consumer), 0));
    reply.bulkText("inactive");
    replyLarge(context, activeAtMs === -1 ? -1 : Math.max(keyspace.nowMs - activeAtMs, 0));
  }
}

function help(context: CommandContext): void {
  context.reply.array(HELP_LINES.length);
  for (const line of HELP_LINES) context.reply.simple(line);
}

const BASE = {
  flags: ["readonly"],
  acl: ["stream"],
  keys: subcommandKey("RO", "access"),
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
} as const satisfies Partial<CommandSpec>;

export const STREAM_INFO_COMMANDS: CommandTable = {
  XINFO: {
    arity: -2,
    flags: [],
    acl: [],
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on the subcommand.",
    summary: "Tells about streams, their groups and consumers.",
    subcommands: {
      CONSUMERS: {
        ...BASE,
        arity: 4,
        summary: "Lists the consumers of a group.",
        arguments: "key groupname(string)",
        tips: ["nondeterministic_output"],
        history: [["7.2.0", "Added the `inactive` field."]],
        run: consumerList,
      },
      GROUPS: {
        ...BASE,
        arity: 3,
        summary: "Lists the groups of a stream.",
        arguments: "key",
        history: [["7.0.0", "Added the `entries-read` and `lag` fields"]],
        run: groupList,
      },
      HELP: {
        arity: 2,
        flags: ["loading", "stale"],
        acl: ["stream"],
        since: "5.0.0",
        group: "stream",
        complexity: "O(1)",
        summary: "Returns text about the subcommands.",
        run: help,
      },
      STREAM: {
        ...BASE,
        arity: -3,
        summary: "Tells about a stream.",
        arguments: "key [FULL <full=[COUNT count]>]",
        history: [
          ["6.0.0", "Added the `FULL` modifier."],
          [
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
          ],
          ["7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."],
        ],
        run: stream,
      },
    },
  },
};
