/**
 * OBJECT: how a value is kept and how it was used.
 *
 *  I1  Looking does not count as use.
 *  I2  Idle time and frequency share 24 bits of the record: the eviction policy says which of them is there.
 *  Source: replies of redis-server 7.0.
 */

import { parseSafeInteger } from "../core/numbers.ts";
import { ReplyError } from "../protocol/errors.ts";
import { ENCODING_INT, ENCODING_NAMES } from "../store/keyspace/record.ts";
import type { CommandContext, CommandSpec, CommandTable, KeySpec } from "./command.ts";

const IS_FREQUENCY = new ReplyError(
  "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const IS_NO_FREQUENCY = new ReplyError(
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
/** Whole numbers below this are one shared object in Redis, with a count of references that stands for "many". */
const SHARED_NUMBERS = 10_000;
const SHARED_REFERENCES = 2_147_483_647;

const HELP_LINES = [
  "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "ENCODING <key>",
  "    Return the kind of internal representation used in order to store the value",
  "    associated with a <key>.",
  "FREQ <key>",
  "    Return the access frequency index of the <key>. The returned integer is",
  "    proportional to the logarithm of the recent access frequency of the key.",
  "IDLETIME <key>",
  "    Return the idle time of the <key>, that is the approximated number of",
  "    seconds elapsed since the last access to the key.",
  "REFCOUNT <key>",
  "    Return the number of references of the value associated with the specified",
  "    <key>.",
  "HELP",
  "    Prints this help.",
];

/** The record of argument 2; 0 when absent, and null has been written. */
function find(context: CommandContext): number {
  const { request, keyspace } = context;
  const { onMiss } = keyspace;
  // Nobody is told of a key that is not there when only its form was asked for.
  keyspace.onMiss = undefined;
  const record = keyspace.lookupQuietly(context.database, request.input, request.offset[2]!, request.length[2]!);
  keyspace.onMiss = onMiss;
  if (record === 0) context.reply.nullBulk();
  return record;
}

function encoding(context: CommandContext): void {
  const record = find(context);
  if (record !== 0) context.reply.bulkText(ENCODING_NAMES[context.keyspace.records.encoding(record)]!);
}

function frequency(context: CommandContext): void {
  const { keyspace, reply } = context;
  const record = find(context);
  if (record === 0) return;
  if (keyspace.clock.isFrequency) reply.integer(keyspace.clock.decayed(keyspace.records.access(record)));
  else reply.error(IS_NO_FREQUENCY);
}

function idleTime(context: CommandContext): void {
  const { keyspace, reply } = context;
  const record = find(context);
  if (record === 0) return;
  if (keyspace.clock.isFrequency) reply.error(IS_FREQUENCY);
  else reply.integer(keyspace.clock.idleSeconds(keyspace.records.access(record)));
}

/** Our values are never shared; small numbers answer as Redis's shared ones do, because tests of clients look at it. */
function referenceCount(context: CommandContext): void {
  const { keyspace, reply } = context;
  const record = find(context);
  if (record === 0) return;
  let references = 1;
  if (keyspace.records.encoding(record) === ENCODING_INT && !keyspace.clock.isFrequency) {
    keyspace.readValue(record);
    const value = parseSafeInteger(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
    if (value >= 0 && value < SHARED_NUMBERS) references = SHARED_REFERENCES;
  }
  reply.integer(references);
}

function help(context: CommandContext): void {
  context.reply.array(HELP_LINES.length);
  for (const line of HELP_LINES) context.reply.simple(line);
}

const KEY_OF_SUBCOMMAND: readonly KeySpec[] = [
  { flags: ["RO"], begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } },
];

const ASKING = {
  arity: 3,
  flags: ["readonly"],
  acl: ["keyspace"],
  keys: KEY_OF_SUBCOMMAND,
  since: "2.2.3",
  group: "generic",
  complexity: "O(1)",
  arguments: "key",
  tips: ["nondeterministic_output"],
} as const satisfies Partial<CommandSpec>;

export const OBJECT_COMMANDS: CommandTable = {
  OBJECT: {
    arity: -2,
    flags: [],
    acl: [],
    since: "2.2.3",
    group: "generic",
    complexity: "Depends on the subcommand.",
    summary: "Tells how values are kept and used.",
    subcommands: {
      ENCODING: { ...ASKING, summary: "Returns the name of the form in which a value is kept.", run: encoding },
      FREQ: {
        ...ASKING,
        since: "4.0.0",
        summary: "Returns the logarithmic counter of how often a key was used.",
        run: frequency,
      },
      HELP: {
        arity: 2,
        flags: ["loading", "stale"],
        acl: ["keyspace"],
        since: "6.2.0",
        group: "generic",
        complexity: "O(1)",
        summary: "Returns text about the subcommands.",
        run: help,
      },
      IDLETIME: { ...ASKING, summary: "Returns how many seconds ago a key was used.", run: idleTime },
      REFCOUNT: { ...ASKING, summary: "Returns how many references a value has.", run: referenceCount },
    },
  },
};
