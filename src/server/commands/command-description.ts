/**
 * COMMAND INFO and COMMAND DOCS: a table entry as the reply that clients read.
 *
 *      INFO  [ name, arity, flags, first key, last key, step, categories, tips, key specifications, subcommands ]
 *      DOCS  { summary, since, group, complexity, ..., arguments: [ { name, type, ... } ], subcommands: { name: docs } }
 *
 *  I1  Nothing is said twice: legacy key positions, movablekeys and implied categories follow from the entry.
 *  Source: order and types of redis-server 7.0; `display_text` as 7.2 documents it.
 */

import { type Argument, parseArguments } from "../../commands/argument-syntax.ts";
import type { CommandFlag, CommandSpec, KeySpec } from "../../commands/command.ts";
import type { ReplyWriter } from "../../protocol/reply-writer.ts";
import { aclCategories } from "../../session/acl/categories.ts";
import type { Command } from "../../session/command-index.ts";

/** Flags that are shown, in the order in which they are. */
const SHOWN_FLAGS: readonly CommandFlag[] = [
  "write",
  "readonly",
  "denyoom",
  "admin",
  "pubsub",
  "noscript",
  "blocking",
  "loading",
  "stale",
  "skip_monitor",
  "skip_slowlog",
  "asking",
  "fast",
  "no_auth",
  "no_mandatory_keys",
  "no_async_loading",
  "no_multi",
  "movablekeys",
  "allow_busy",
];

/** Flags as COMMAND INFO shows them. */
function shownFlags(spec: CommandSpec): readonly CommandFlag[] {
  const hasMovableKeys = (spec.keys ?? []).some((keys) => rangeOf(keys) === undefined);
  return SHOWN_FLAGS.filter((flag) => spec.flags.includes(flag) || (flag === "movablekeys" && hasMovableKeys));
}

interface KeyRange {
  readonly first: number;
  /** Negative: counted from the end of the arguments, -1 is the last one. */
  readonly last: number;
  readonly step: number;
}

/** The fixed places of a specification's keys; undefined when they depend on the arguments. */
function rangeOf({ begin, find }: KeySpec): KeyRange | undefined {
  if (!("index" in begin) || !("lastKey" in find)) return undefined;
  const last = find.lastKey >= 0 ? begin.index + find.lastKey : find.lastKey;
  return { first: begin.index, last, step: find.step };
}

/** First key, last key and step as clients older than key specifications read them. */
function legacyRange(spec: CommandSpec): KeyRange {
  let legacy: KeyRange = { first: 0, last: 0, step: 0 };
  for (const keys of spec.keys ?? []) {
    const range = rangeOf(keys);
    if (range === undefined) continue;
    const isLonger = legacy.last >= 0 && (range.last < 0 || range.last > legacy.last);
    legacy = legacy.first === 0 ? range : { ...legacy, last: isLonger ? range.last : legacy.last };
  }
  return legacy;
}

// ---- COMMAND INFO ------------------------------------------------------------------------------------------------

export function writeInfo(reply: ReplyWriter, command: Command): void {
  const { spec } = command;
  const range = legacyRange(spec);
  const subcommands = command.subcommands?.commands ?? [];
  reply.array(10);
  reply.bulkText(command.fullName);
  reply.integer(command.arity);
  writeWords(reply, shownFlags(spec));
  reply.integer(range.first);
  reply.integer(range.last);
  reply.integer(range.step);
  writeWords(
    reply,
    aclCategories(spec).map((category) => `@${category}`),
  );
  const tips = spec.tips ?? [];
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  const keys = spec.keys ?? [];
  reply.set(keys.length);
  for (const each of keys) writeKeySpec(reply, each);
  reply.set(subcommands.length);
  for (const subcommand of subcommands) writeInfo(reply, subcommand);
}

function writeWords(reply: ReplyWriter, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

function writeKeySpec(reply: ReplyWriter, { flags, begin, find, notes }: KeySpec): void {
  reply.map(notes === undefined ? 3 : 4);
  if (notes !== undefined) {
    reply.bulkText("notes");
    reply.bulkText(notes);
  }
  reply.bulkText("flags");
  writeWords(reply, flags);
  reply.bulkText("begin_search");
  if ("index" in begin) writeSearch(reply, "index", [["index", begin.index]]);
  else if ("keyword" in begin) {
    writeSearch(reply, "keyword", [
      ["keyword", begin.keyword],
      ["startfrom", begin.startFrom],
    ]);
  } else writeSearch(reply, "unknown", []);
  reply.bulkText("find_keys");
  if ("lastKey" in find) {
    writeSearch(reply, "range", [
      ["lastkey", find.lastKey],
      ["keystep", find.step],
      ["limit", find.limit],
    ]);
  } else if ("keyNumberIndex" in find) {
    writeSearch(reply, "keynum", [
      ["keynumidx", find.keyNumberIndex],
      ["firstkey", find.firstKey],
      ["keystep", find.step],
    ]);
  } else writeSearch(reply, "unknown", []);
}

function writeSearch(reply: ReplyWriter, type: string, fields: readonly (readonly [string, string | number])[]): void {
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText(type);
  reply.bulkText("spec");
  reply.map(fields.length);
  for (const [name, value] of fields) {
    reply.bulkText(name);
    if (typeof value === "number") reply.integer(value);
    else reply.bulkText(value);
  }
}

// ---- COMMAND DOCS ------------------------------------------------------------------------------------------------

/** The name and, as one map, what is documented of the command. */
export function writeDocs(reply: ReplyWriter, command: Command): void {
  const { spec } = command;
  const history = spec.history ?? [];
  const parts = spec.arguments === undefined ? [] : parseArguments(spec.arguments, spec.keys ?? []);
  const subcommands = command.subcommands?.commands ?? [];
  const { deprecated } = spec;
  const docFlags: string[] = [];
  if (deprecated !== undefined) docFlags.push("deprecated");
  if (spec.isSystemCommand === true) docFlags.push("syscmd");
  const fieldCount =
    3 +
    (spec.complexity === "" ? 0 : 1) +
    (docFlags.length > 0 ? 1 : 0) +
    (deprecated === undefined ? 0 : 2) +
    (history.length > 0 ? 1 : 0) +
    (parts.length > 0 ? 1 : 0) +
    (subcommands.length > 0 ? 1 : 0);
  reply.bulkText(command.fullName);
  reply.map(fieldCount);
  writeField(reply, "summary", spec.summary);
  writeField(reply, "since", spec.since);
  writeField(reply, "group", spec.group);
  if (spec.complexity !== "") writeField(reply, "complexity", spec.complexity);
  if (docFlags.length > 0) {
    reply.bulkText("doc_flags");
    writeWords(reply, docFlags);
  }
  if (deprecated !== undefined) {
    writeField(reply, "deprecated_since", deprecated.since);
    writeField(reply, "replaced_by", deprecated.replacedBy);
  }
  if (history.length > 0) {
    reply.bulkText("history");
    reply.set(history.length);
    for (const [version, change] of history) {
      reply.array(2);
      reply.bulkText(version);
      reply.bulkText(change);
    }
  }
  if (parts.length > 0) {
    reply.bulkText("arguments");
    writeArguments(reply, parts);
  }
  if (subcommands.length === 0) return;
  reply.bulkText("subcommands");
  reply.map(subcommands.length);
  for (const subcommand of subcommands) writeDocs(reply, subcommand);
}

function writeField(reply: ReplyWriter, name: string, text: string): void {
  reply.bulkText(name);
  reply.bulkText(text);
}

function writeArguments(reply: ReplyWriter, list: readonly Argument[]): void {
  reply.array(list.length);
  for (const each of list) writeArgument(reply, each);
}

function writeArgument(reply: ReplyWriter, argument: Argument): void {
  const { name, type, token, keySpecIndex, parts } = argument;
  const flags: string[] = [];
  if (argument.isOptional) flags.push("optional");
  if (argument.isMultiple) flags.push("multiple");
  if (argument.repeatsToken) flags.push("multiple_token");
  const isGroup = type === "oneof" || type === "block";
  reply.map(3 + (keySpecIndex >= 0 ? 1 : 0) + (token === undefined ? 0 : 1) + (flags.length > 0 ? 1 : 0));
  writeField(reply, "name", name);
  writeField(reply, "type", type);
  if (!isGroup) writeField(reply, "display_text", name);
  if (keySpecIndex >= 0) {
    reply.bulkText("key_spec_index");
    reply.integer(keySpecIndex);
  }
  if (token !== undefined) writeField(reply, "token", token);
  if (flags.length > 0) {
    reply.bulkText("flags");
    writeWords(reply, flags);
  }
  if (!isGroup) return;
  reply.bulkText("arguments");
  writeArguments(reply, parts);
}
