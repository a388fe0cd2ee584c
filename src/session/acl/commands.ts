/**
 * ACL and its subcommands.
 *
 *  I1  Who is changed or deleted is told by its clients being closed or limited at once; the caller hears its reply first.
 *  I2  Nothing here says a password: only sums of passwords are shown.
 *  Source: replies of redis-server 7.0; ACL LOG's ids and times as 7.2 documents them.
 */

import type { CommandContext, CommandFlag, CommandSpec, CommandTable } from "../../commands/command.ts";
import { DiskFault, reasonOf } from "../../core/faults.ts";
import { NOT_AN_INTEGER, ReplyError } from "../../protocol/errors.ts";
import type { Request } from "../../protocol/request.ts";
import { asText } from "../names.ts";
import { clientOf, type SessionServices } from "../services.ts";
import { DEFAULT_USER, denialText } from "./access-control.ts";
import { aclCategories, CATEGORIES, isAclCategory } from "./categories.ts";
import type { AclLog } from "./log.ts";
import { ALLOWED, type Selector } from "./selector.ts";

const LOG_ENTRIES_SHOWN = 10;
const PASSWORD_BITS = 256;
const PASSWORD_BITS_MAX = 4096;

const NO_FILE = new ReplyError(
  "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
);
const NOT_THE_DEFAULT = new ReplyError("ERR The 'default' user cannot be removed");
const BAD_BITS = new ReplyError(
  "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
);
const NOT_SAVED = new ReplyError(
  "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
);

const HELP: readonly string[] = [
  "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CAT [<category>]",
  "    List all commands that belong to <category>, or all command categories",
  "    when no category is specified.",
  "DELUSER <username> [<username> ...]",
  "    Delete a list of users.",
  "DRYRUN <username> <command> [<arg> ...]",
  "    Returns whether the user can execute the given command without executing the command.",
  "GETUSER <username>",
  "    Get the user's details.",
  "GENPASS [<bits>]",
  "    Generate a secure 256-bit user password. The optional `bits` argument can",
  "    be used to specify a different size.",
  "LIST",
  "    Show users details in config file format.",
  "LOAD",
  "    Reload users from the ACL file.",
  "LOG [<count> | RESET]",
  "    Show the ACL log entries.",
  "SAVE",
  "    Save the current config to the ACL file.",
  "SETUSER <username> <attribute> [<attribute> ...]",
  "    Create or modify a user with the specified attributes.",
  "USERS",
  "    List all the registered usernames.",
  "WHOAMI",
  "    Return the current connection username.",
  "HELP",
  "    Prints this help.",
];

const OPEN_FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale"];
const ADMIN_FLAGS: readonly CommandFlag[] = ["admin", ...OPEN_FLAGS];

/** The table entry of ACL over one session. */
export function aclCommands(session: SessionServices): CommandTable {
  const entry = { acl: [], group: "server", since: "6.0.0", flags: ADMIN_FLAGS } as const;
  const open = { ...entry, flags: OPEN_FLAGS } as const;
  const perUser = "O(N). Where N is the number of configured users.";
  const subcommands: Record<string, CommandSpec> = {
    CAT: {
      ...open,
      arity: -2,
      complexity: "O(1) since the categories and commands are a fixed set.",
      summary: "Lists the categories of commands, or the commands of one.",
      arguments: "[category]",
      run: (context) => listCategory(session, context),
    },
    DELUSER: {
      ...entry,
      arity: -3,
      complexity: "O(1) amortized time considering the typical user.",
      summary: "Deletes users and closes their connections.",
      arguments: "username [username ...]",
      tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
      run: (context) => deleteUsers(session, context),
    },
    DRYRUN: {
      ...entry,
      arity: -4,
      since: "7.0.0",
      complexity: "O(1).",
      summary: "Tells whether a user might run a command, without running it.",
      arguments: "username command [arg [arg ...]]",
      run: (context) => dryRun(session, context),
    },
    GENPASS: {
      ...open,
      arity: -2,
      complexity: "O(1)",
      summary: "Makes a password that nobody guesses.",
      arguments: "[bits(integer)]",
      run: generatePassword,
    },
    GETUSER: {
      ...entry,
      arity: 3,
      complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
      summary: "Describes a user.",
      arguments: "username",
      history: [
        ["6.2.0", "Tells of patterns of channels, too."],
        ["7.0.0", "Tells of selectors, and shows keys and channels as rules."],
      ],
      run: (context) => describeUser(session, context),
    },
    HELP: {
      ...open,
      arity: 2,
      flags: ["loading", "stale"],
      complexity: "O(1)",
      summary: "Explains the subcommands.",
      run: ({ reply }) => {
        reply.array(HELP.length);
        for (const line of HELP) reply.simple(line);
      },
    },
    LIST: {
      ...entry,
      arity: 2,
      complexity: perUser,
      summary: "Lists all users as lines of the ACL file.",
      run: ({ reply }) => writeTexts(reply, session.acl.lines()),
    },
    LOAD: {
      ...entry,
      arity: 2,
      complexity: perUser,
      summary: "Takes the users from the ACL file.",
      tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
      run: (context) => load(session, context),
    },
    LOG: {
      ...entry,
      arity: -2,
      complexity: "O(N) with N being the number of entries shown.",
      summary: "Lists what was refused, newest first.",
      arguments: "[operation=<count|reset=RESET>]",
      history: [["7.2.0", "Entries have an id, and the times of their first and last refusal."]],
      run: (context) => showLog(session, context),
    },
    SAVE: {
      ...entry,
      arity: 2,
      complexity: perUser,
      summary: "Writes the users into the ACL file.",
      tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
      run: (context) => save(session, context),
    },
    SETUSER: {
      ...entry,
      arity: -3,
      complexity: "O(N). Where N is the number of rules provided.",
      summary: "Makes or changes a user and its rights.",
      arguments: "username [rule [rule ...]]",
      tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
      history: [
        ["6.2.0", "Knows patterns of channels."],
        ["7.0.0", "Knows selectors, and patterns of keys for reading or for writing."],
      ],
      run: (context) => setUser(session, context),
    },
    USERS: {
      ...entry,
      arity: 2,
      complexity: perUser,
      summary: "Lists the names of all users.",
      run: ({ reply }) =>
        writeTexts(
          reply,
          session.acl.all().map(({ name }) => name),
        ),
    },
    WHOAMI: {
      ...open,
      arity: 2,
      complexity: "O(1)",
      summary: "Returns the name of the connection's user.",
      run: (context) => context.reply.bulkText(clientOf(context).user.name),
    },
  };
  return {
    ACL: {
      ...entry,
      arity: -2,
      flags: [],
      complexity: "Depends on subcommand.",
      summary: "Says who may do what.",
      subcommands,
    },
  };
}

type Reply = CommandContext["reply"];

function writeTexts(reply: Reply, texts: readonly string[]): void {
  reply.array(texts.length);
  for (const text of texts) reply.bulkText(text);
}

/** Too many arguments for a subcommand whose arity leaves them open. */
function writeUnknown({ request, reply }: CommandContext): void {
  reply.errorText(
    `ERR unknown subcommand or wrong number of arguments for '${asText(request.text(1)).slice(0, 128)}'. Try ACL HELP.`,
  );
}

/** The words from argument `first` on, one character per byte. */
function wordsFrom(request: Request, first: number): string[] {
  const words: string[] = [];
  for (let index = first; index < request.count; index++) words.push(request.text(index));
  return words;
}

/** ACL CAT [category] */
function listCategory(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 3) return writeUnknown(context);
  if (request.count === 2) return writeTexts(reply, CATEGORIES);
  const category = request.text(2).toLowerCase();
  if (!isAclCategory(category)) return reply.errorText(`ERR Unknown category '${asText(request.text(2))}'`);
  const commands = session.acl.commands.all.filter(({ spec }) => aclCategories(spec).includes(category));
  writeTexts(
    reply,
    commands.map(({ fullName }) => fullName),
  );
}

/** ACL SETUSER username [rule ...] */
function setUser(session: SessionServices, { request, reply }: CommandContext): void {
  const complaint = session.acl.setUser(request.text(2), wordsFrom(request, 3));
  if (complaint === undefined) reply.ok();
  else reply.errorText(`ERR ${complaint}`);
}

/** ACL DELUSER username [username ...] */
function deleteUsers(session: SessionServices, { request, reply }: CommandContext): void {
  const names = wordsFrom(request, 2);
  if (names.includes(DEFAULT_USER)) return reply.error(NOT_THE_DEFAULT);
  let count = 0;
  for (const name of names) if (session.acl.deleteUser(name)) count++;
  reply.integer(count);
}

/** ACL GETUSER username */
function describeUser(session: SessionServices, { request, reply }: CommandContext): void {
  const user = session.acl.find(request.text(2));
  if (user === undefined) return reply.nullBulk();
  const [own, ...others] = user.selectors;
  reply.map(6);
  reply.bulkText("flags");
  const flags = user.flagWords();
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("passwords");
  writeTexts(reply, user.hashes);
  writeSelector(reply, own!);
  reply.bulkText("selectors");
  reply.array(others.length);
  for (const selector of others) {
    reply.map(3);
    writeSelector(reply, selector);
  }
}

function writeSelector(reply: Reply, selector: Selector): void {
  for (const text of [
    "commands",
    selector.describeCommands(),
    "keys",
    selector.describeKeys(),
    "channels",
    selector.describeChannels(),
  ]) {
    reply.bulkText(text);
  }
}

/** ACL DRYRUN username command [arg ...] */
function dryRun(session: SessionServices, { request, reply }: CommandContext): void {
  const user = session.acl.find(request.text(2));
  if (user === undefined) return reply.errorText(`ERR User '${asText(request.text(2))}' not found`);
  let command = session.acl.commands.find(request, 3);
  if (command?.subcommands !== undefined && request.count > 4) command = command.subcommands.find(request, 4);
  if (command === undefined) return reply.errorText(`ERR Command '${asText(request.text(3))}' not found`);
  const wordCount = request.count - 3;
  const { arity } = command;
  if (arity >= 0 ? wordCount !== arity : wordCount < -arity) {
    return reply.errorText(`ERR wrong number of arguments for '${command.fullName}' command`);
  }
  const denial = user.check(command, request, 3);
  if (denial === ALLOWED) reply.ok();
  else reply.bulkText(denialText(user, command, request, 3, denial, true));
}

/** ACL GENPASS [bits] */
function generatePassword(context: CommandContext): void {
  const { request, reply, random } = context;
  if (request.count > 3) return writeUnknown(context);
  let bits = PASSWORD_BITS;
  if (request.count === 3) {
    const given = request.int64(2);
    if (given === undefined) return reply.error(NOT_AN_INTEGER);
    if (given <= 0n || given > PASSWORD_BITS_MAX) return reply.error(BAD_BITS);
    bits = Number(given);
  }
  const digitCount = Math.ceil(bits / 4);
  const bytes = new Uint8Array(Math.ceil(digitCount / 2));
  random.fill(bytes);
  reply.bulkText(Buffer.from(bytes).toString("hex").slice(0, digitCount));
}

/** ACL LOAD */
function load(session: SessionServices, { reply }: CommandContext): void {
  if (!session.acl.hasFile) return reply.error(NO_FILE);
  try {
    const report = session.acl.load();
    if (report === undefined) reply.ok();
    else reply.errorText(`ERR ${report}`);
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    reply.errorText(`ERR Error loading ACLs, opening file '${error.path}': ${reasonOf(error.cause)}`);
  }
}

/** ACL SAVE */
function save(session: SessionServices, { reply }: CommandContext): void {
  if (!session.acl.hasFile) return reply.error(NO_FILE);
  if (session.acl.save() === undefined) reply.ok();
  else reply.error(NOT_SAVED);
}

/** ACL LOG [count|RESET] */
function showLog(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 3) return writeUnknown(context);
  const { log } = session.acl;
  let count = LOG_ENTRIES_SHOWN;
  if (request.count === 3) {
    if (request.is(2, "RESET")) {
      log.entries = [];
      return reply.ok();
    }
    const given = request.int64(2);
    if (given === undefined) return reply.error(NOT_AN_INTEGER);
    count = given < 0n ? 0 : Number(given);
  }
  writeLog(reply, log, count, session.clock.nowMs());
}

function writeLog(reply: Reply, log: AclLog, count: number, nowMs: number): void {
  const entries = log.entries.slice(0, count);
  reply.array(entries.length);
  for (const entry of entries) {
    reply.map(10);
    reply.bulkText("count");
    reply.integer(entry.count);
    const texts = { reason: entry.reason, context: entry.context, object: entry.object, username: entry.user };
    for (const [name, text] of Object.entries(texts)) {
      reply.bulkText(name);
      reply.bulkText(text);
    }
    reply.bulkText("age-seconds");
    reply.double(Math.max(0, nowMs - entry.updatedMs) / 1000);
    reply.bulkText("client-info");
    reply.bulkText(entry.client);
    const numbers = {
      "entry-id": entry.id,
      "timestamp-created": entry.createdMs,
      "timestamp-last-updated": entry.updatedMs,
    };
    for (const [name, value] of Object.entries(numbers)) {
      reply.bulkText(name);
      reply.integer(value);
    }
  }
}
