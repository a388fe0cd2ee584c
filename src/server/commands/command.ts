/**
 * COMMAND and its subcommands: what this server knows of its own commands, from the one command table.
 *
 *  I1  Subcommands are called by "container|sub"; COMMAND, COUNT and INFO and DOCS without names speak of commands,
 *      with their subcommands inside.
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext, CommandSpec, CommandTable } from "../../commands/command.ts";
import { globMatch } from "../../core/glob.ts";
import { ReplyError, SYNTAX } from "../../protocol/errors.ts";
import { aclCategories, isAclCategory } from "../../session/acl/categories.ts";
import type { Command, CommandIndex } from "../../session/command-index.ts";
import { KeyFinder, keyFlagNames } from "../../session/key-specs.ts";
import { writeDocs, writeInfo } from "./command-description.ts";
import { writeHelp } from "./help.ts";

const INVALID_COMMAND = new ReplyError("ERR Invalid command specified");
const NO_KEYS = new ReplyError("ERR The command has no key arguments");
const INVALID_ARITY = new ReplyError("ERR Invalid number of arguments specified for command");
const INVALID_ARGUMENTS = new ReplyError("ERR Invalid arguments specified for command");

const HELP: readonly string[] = [
  "(no subcommand)",
  "    Return details about all Redis commands.",
  "COUNT",
  "    Return the total number of commands in this Redis server.",
  "LIST",
  "    Return a list of all commands in this Redis server.",
  "INFO [<command-name> ...]",
  "    Return details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "DOCS [<command-name> ...]",
  "    Return documentation details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "GETKEYS <full-command>",
  "    Return the keys from a full Redis command.",
  "GETKEYSANDFLAGS <full-command>",
  "    Return the keys and the access flags from a full Redis command.",
];

/** The entry of COMMAND. `index` is asked for at each call: it is made from this very table. */
export function commandCommands(index: () => CommandIndex): CommandTable {
  const entry = { flags: ["loading", "stale"], acl: ["connection"], group: "server" } as const;
  const perCommand = "O(N) where N is the total number of Redis commands";
  const perName = "O(N) where N is the number of commands to look up";
  const perArgument = "O(N) where N is the number of arguments to the command";
  const unordered = ["nondeterministic_output_order"];
  const subcommands: Record<string, CommandSpec> = {
    COUNT: {
      ...entry,
      arity: 2,
      since: "2.8.13",
      complexity: "O(1)",
      summary: "Returns how many commands there are.",
      run: ({ reply }) => reply.integer(index().commands.length),
    },
    DOCS: {
      ...entry,
      arity: -2,
      since: "7.0.0",
      complexity: perName,
      summary: "Explains commands: what they do, since when, and what arguments they take.",
      arguments: "[command-name [command-name ...]]",
      tips: unordered,
      run: (context) => docs(context, index()),
    },
    GETKEYS: {
      ...entry,
      arity: -3,
      since: "2.8.13",
      complexity: perArgument,
      summary: "Returns which words of a command are keys.",
      arguments: "command [arg [arg ...]]",
      run: (context) => getKeys(context, index(), false),
    },
    GETKEYSANDFLAGS: {
      ...entry,
      arity: -3,
      since: "7.0.0",
      complexity: perArgument,
      summary: "Returns which words of a command are keys, and what happens to them.",
      arguments: "command [arg [arg ...]]",
      run: (context) => getKeys(context, index(), true),
    },
    HELP: {
      ...entry,
      arity: 2,
      since: "5.0.0",
      complexity: "O(1)",
      summary: "Explains the subcommands.",
      run: (context) => writeHelp(context, "COMMAND", HELP),
    },
    INFO: {
      ...entry,
      arity: -2,
      since: "2.8.13",
      complexity: perName,
      summary: "Describes commands to a client or a proxy: arity, flags, where their keys stand.",
      arguments: "[command-name [command-name ...]]",
      tips: unordered,
      history: [["7.0.0", "May be called without names, for all commands."]],
      run: (context) => info(context, index()),
    },
    LIST: {
      ...entry,
      arity: -2,
      since: "7.0.0",
      complexity: perCommand,
      summary: "Returns the names of all commands, or of some.",
      arguments: "[filterby=FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]",
      tips: unordered,
      run: (context) => list(context, index()),
    },
  };
  return {
    COMMAND: {
      ...entry,
      arity: -1,
      since: "2.8.13",
      complexity: perCommand,
      summary: "Describes all commands to a client or a proxy.",
      tips: unordered,
      run: ({ reply }) =>
        writeAll(
          index(),
          (count) => reply.array(count),
          (command) => writeInfo(reply, command),
        ),
      subcommands,
    },
  };
}

/** The command or subcommand that argument `argument` names ("get", "client|kill"), in any case. */
function named(context: CommandContext, argument: number, index: CommandIndex): Command | undefined {
  const name = context.request.text(argument).toLowerCase();
  const container = name.split("|", 1)[0]!;
  const command = index.commands.find((each) => each.fullName === container);
  if (name === container) return command;
  return command?.subcommands?.commands.find((each) => each.fullName === name);
}

function writeAll(index: CommandIndex, writeCount: (count: number) => void, write: (command: Command) => void): void {
  writeCount(index.commands.length);
  for (const command of index.commands) write(command);
}

/** COMMAND INFO [command-name ...] */
function info(context: CommandContext, index: CommandIndex): void {
  const { request, reply } = context;
  if (request.count === 2) {
    writeAll(
      index,
      (count) => reply.array(count),
      (command) => writeInfo(reply, command),
    );
    return;
  }
  reply.array(request.count - 2);
  for (let argument = 2; argument < request.count; argument++) {
    const command = named(context, argument, index);
    if (command === undefined) reply.nullBulk();
    else writeInfo(reply, command);
  }
}

/** COMMAND DOCS [command-name ...]: unknown names are left out. */
function docs(context: CommandContext, index: CommandIndex): void {
  const { request, reply } = context;
  let commands = index.commands;
  if (request.count > 2) {
    commands = [];
    for (let argument = 2; argument < request.count; argument++) {
      const command = named(context, argument, index);
      if (command !== undefined) commands.push(command);
    }
  }
  reply.map(commands.length);
  for (const command of commands) writeDocs(reply, command);
}

/** COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN pattern] */
function list(context: CommandContext, index: CommandIndex): void {
  const { request, reply } = context;
  let filter: (command: Command) => boolean = () => true;
  if (request.count !== 2) {
    if (request.count !== 5 || !request.is(2, "FILTERBY")) return reply.error(SYNTAX);
    const word = request.text(4).toLowerCase();
    if (request.is(3, "MODULE")) {
      filter = () => false;
    } else if (request.is(3, "ACLCAT")) {
      filter = (command) => isAclCategory(word) && aclCategories(command.spec).includes(word);
    } else if (request.is(3, "PATTERN")) {
      filter = ({ fullName }) => {
        const name = Buffer.from(fullName, "latin1");
        return globMatch(request.input, request.offset[4]!, request.length[4]!, name, 0, name.length, true);
      };
    } else {
      return reply.error(SYNTAX);
    }
  }
  const names: string[] = [];
  for (const command of index.commands) {
    if (filter(command)) names.push(command.fullName);
    for (const subcommand of command.subcommands?.commands ?? []) {
      if (filter(subcommand)) names.push(subcommand.fullName);
    }
  }
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

/** COMMAND GETKEYS, COMMAND GETKEYSANDFLAGS */
function getKeys(context: CommandContext, index: CommandIndex, withFlags: boolean): void {
  const { request, reply } = context;
  let command = index.find(request, 2);
  if (command?.subcommands !== undefined && request.count > 3) command = command.subcommands.find(request, 3);
  if (command === undefined) return reply.error(INVALID_COMMAND);
  if (!command.keyRules.hasKeys) return reply.error(NO_KEYS);
  const { arity } = command;
  const wordCount = request.count - 2;
  if (arity >= 0 ? wordCount !== arity : wordCount < -arity) return reply.error(INVALID_ARITY);
  const keys = new KeyFinder();
  if (!keys.find(command.keyRules, request, 2) || keys.count === 0) {
    if (command.spec.flags.includes("no_mandatory_keys")) reply.array(0);
    else reply.error(INVALID_ARGUMENTS);
    return;
  }
  reply.array(keys.count);
  for (let index = 0; index < keys.count; index++) {
    const argument = keys.positions[index]!;
    if (withFlags) reply.array(2);
    reply.bulk(request.input, request.offset[argument]!, request.length[argument]!);
    if (!withFlags) continue;
    const names = keyFlagNames(keys.flags[index]!);
    reply.set(names.length);
    for (const name of names) reply.simple(name);
  }
}
