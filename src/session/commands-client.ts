/**
 * CLIENT: what connections are there, and what becomes of them. KILL's filters are in commands-client-kill.ts.
 *
 *  I1  A reply is written before its client is marked as closing: whoever kills itself still hears how many it killed.
 *  Source: replies of redis-server 7.0; SETINFO, NO-TOUCH and the lib- fields as Redis 7.2 documents them.
 */

import type { CommandContext, CommandFlag, CommandFunction, CommandSpec } from "../commands/command.ts";
import { NOT_AN_INTEGER, ReplyError, SYNTAX, TIMEOUT_OUT_OF_RANGE } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import { clientClassOf, clientLine } from "./clients.ts";
import { clientKill } from "./commands-client-kill.ts";
import { trackingCommands } from "./commands-tracking.ts";
import { asText, BAD_CLIENT_NAME, isGoodName } from "./names.ts";
import { clientOf, type SessionServices } from "./services.ts";

const BAD_CLIENT_ID = new ReplyError("ERR Invalid client ID");
const BAD_PAUSE_MODE = new ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL");
const TIMEOUT_NOT_AN_INTEGER = new ReplyError("ERR timeout is not an integer or out of range");
const TIMEOUT_NEGATIVE = new ReplyError("ERR timeout is negative");
const BAD_UNBLOCK_REASON = new ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
const UNBLOCKED = new ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK");
const INT64_MAX = 0x7fffffffffffffffn;

const FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale"];
const ADMIN_FLAGS: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];

const HELP: readonly string[] = [
  "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CACHING (YES|NO)",
  "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
  "GETREDIR",
  "    Return the client ID we are redirecting to when tracking is enabled.",
  "GETNAME",
  "    Return the name of the current connection.",
  "ID",
  "    Return the ID of the current connection.",
  "INFO",
  "    Return information about the current client connection.",
  "KILL <ip:port>",
  "    Kill connection made from <ip:port>.",
  "KILL <option> <value> [<option> <value> [...]]",
  "    Kill connections. Options are:",
  "    * ADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made from the specified address",
  "    * LADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made to specified local address",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Kill connections by type.",
  "    * USER <username>",
  "      Kill connections authenticated by <username>.",
  "    * SKIPME (YES|NO)",
  "      Skip killing current connection (default: yes).",
  "LIST [options ...]",
  "    Return information about client connections. Options:",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Return clients of specified type.",
  "UNPAUSE",
  "    Stop the current client pause, resuming traffic.",
  "PAUSE <timeout> [WRITE|ALL]",
  "    Suspend all, or just write, clients for <timeout> milliseconds.",
  "REPLY (ON|OFF|SKIP)",
  "    Control the replies sent to the current connection.",
  "SETNAME <name>",
  "    Assign the name <name> to the current connection.",
  "SETINFO <option> <value>",
  "    Set client meta attr. Options are:",
  "    * LIB-NAME: the client lib name.",
  "    * LIB-VER: the client lib version.",
  "UNBLOCK <clientid> [TIMEOUT|ERROR]",
  "    Unblock the specified blocked client.",
  "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
  "         [OPTIN] [OPTOUT] [NOLOOP]",
  "    Control server assisted client side caching.",
  "TRACKINGINFO",
  "    Report tracking status for the current connection.",
  "NO-EVICT (ON|OFF)",
  "    Protect current client connection from eviction.",
  "NO-TOUCH (ON|OFF)",
  "    Will not touch LRU/LFU stats when this mode is on.",
  "HELP",
  "    Print this help.",
];

/** The entry of CLIENT with its subcommands. */
export function clientCommands(session: SessionServices): CommandSpec {
  const entry = { group: "connection", acl: ["connection"], complexity: "O(1)", flags: FLAGS } as const;
  const admin = { ...entry, flags: ADMIN_FLAGS } as const;
  const withSession =
    (run: (session: SessionServices, context: CommandContext) => void): CommandFunction =>
    (context) =>
      run(session, context);
  return {
    arity: -2,
    flags: [],
    acl: [],
    group: "connection",
    since: "2.4.0",
    complexity: "Depends on subcommand.",
    summary: "Asks about connections and changes them.",
    subcommands: {
      ...trackingCommands(session),
      GETNAME: {
        ...entry,
        arity: 2,
        since: "2.6.9",
        summary: "Returns the name of this connection.",
        run: getName,
      },
      HELP: {
        ...entry,
        arity: 2,
        flags: ["loading", "stale"],
        since: "5.0.0",
        summary: "Explains the subcommands.",
        run: help,
      },
      ID: {
        ...entry,
        arity: 2,
        since: "5.0.0",
        summary: "Returns the id of this connection.",
        run: (context) => context.reply.integer(context.client.id),
      },
      INFO: {
        ...entry,
        arity: 2,
        since: "6.2.0",
        summary: "Describes this connection.",
        tips: ["nondeterministic_output"],
        run: withSession(info),
      },
      KILL: {
        ...admin,
        arity: -3,
        since: "2.4.0",
        complexity: "O(N) where N is the number of client connections",
        summary: "Closes connections of others, or this one.",
        arguments:
          "filter=ip:port|new-format=<[ID client-id]|[TYPE <client-type=NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|[ADDR ip:port]|[LADDR ip:port]|[SKIPME yes/no]> ...",
        history: [
          ["2.8.12", "Takes filters."],
          ["2.8.12", "The filter `ID`."],
          ["3.2.0", "`TYPE` knows master."],
          ["5.0.0", "`TYPE` knows replica; slave still means the same."],
          ["6.2.0", "The filter `LADDR`."],
        ],
        run: withSession(clientKill),
      },
      LIST: {
        ...admin,
        arity: -2,
        since: "2.4.0",
        complexity: "O(N) where N is the number of client connections",
        summary: "Describes all connections, or some.",
        arguments: "[TYPE <client-type=NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]",
        tips: ["nondeterministic_output"],
        history: [
          ["2.8.12", "The field `id`."],
          ["5.0.0", "The filter `TYPE`."],
          ["6.0.0", "The field `user`."],
          ["6.2.0", "The fields `argv-mem`, `tot-mem`, `laddr`, `redir` and the filter `ID`."],
          ["7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."],
          ["7.0.3", "The field `ssub`."],
          ["7.2.0", "The fields `lib-name` and `lib-ver`."],
        ],
        run: withSession(list),
      },
      "NO-EVICT": {
        ...admin,
        arity: 3,
        since: "7.0.0",
        summary: "Protects this connection when clients take too much memory, or no longer.",
        arguments: "enabled=ON|OFF",
        run: noEvict,
      },
      "NO-TOUCH": {
        ...entry,
        arity: 3,
        since: "7.2.0",
        summary: "Chooses whether this connection's commands count as use of the keys.",
        arguments: "enabled=ON|OFF",
        run: noTouch,
      },
      PAUSE: {
        ...admin,
        arity: -3,
        since: "2.9.50",
        summary: "Puts off what clients send, for a time.",
        arguments: "timeout [mode=WRITE|ALL]",
        history: [["6.2.0", "The mode `WRITE`, and the argument that names the mode."]],
        run: withSession(pause),
      },
      REPLY: {
        ...entry,
        arity: 3,
        since: "3.2.0",
        summary: "Chooses whether this connection gets replies.",
        arguments: "action=ON|OFF|SKIP",
        run: replyMode,
      },
      SETINFO: {
        ...entry,
        arity: 4,
        since: "7.2.0",
        summary: "Notes the name or version of the library that made this connection.",
        arguments: "attr=LIB-NAME libname|LIB-VER libver",
        run: setInfo,
      },
      SETNAME: {
        ...entry,
        arity: 3,
        since: "2.6.9",
        summary: "Names this connection.",
        arguments: "connection-name",
        run: setName,
      },
      UNBLOCK: {
        ...admin,
        arity: -3,
        since: "5.0.0",
        complexity: "O(log N) where N is the number of client connections",
        summary: "Ends the wait of a client that a blocking command holds.",
        arguments: "client-id [unblock-type=TIMEOUT|ERROR]",
        run: withSession(unblock),
      },
      UNPAUSE: {
        ...admin,
        arity: 2,
        since: "6.2.0",
        complexity: "O(N) Where N is the number of paused clients",
        summary: "Lets go on what CLIENT PAUSE has put off.",
        run: withSession(unpause),
      },
    },
  };
}

function help(context: CommandContext): void {
  context.reply.array(HELP.length);
  for (const line of HELP) context.reply.simple(line);
}

/** CLIENT GETNAME */
function getName(context: CommandContext): void {
  const name = clientOf(context).name;
  if (name === "") context.reply.nullBulk();
  else context.reply.bulkText(name);
}

/** CLIENT SETNAME name; the empty name takes it away. */
function setName(context: CommandContext): void {
  const name = context.request.text(2);
  if (!isGoodName(name)) {
    context.reply.error(BAD_CLIENT_NAME);
    return;
  }
  clientOf(context).name = name;
  context.reply.ok();
}

/** CLIENT SETINFO LIB-NAME|LIB-VER value */
function setInfo(context: CommandContext): void {
  const { request, reply } = context;
  const isName = request.is(2, "LIB-NAME");
  const option = asText(request.text(2));
  if (!isName && !request.is(2, "LIB-VER")) {
    reply.errorText(`ERR Unrecognized option '${option}'`);
    return;
  }
  const value = request.text(3);
  if (!isGoodName(value)) {
    reply.errorText(`ERR ${option} cannot contain spaces, newlines or special characters.`);
    return;
  }
  const client = clientOf(context);
  if (isName) client.libraryName = value;
  else client.libraryVersion = value;
  reply.ok();
}

/** The line of `client` as seen by the command in execution. */
function describe(session: SessionServices, context: CommandContext, client: Client, command: string): string {
  const isSelf = client === context.client;
  // The dispatcher notes the command's name when it is done; seen from inside it is this one, or EXEC.
  if (isSelf) client.lastCommand = client.transaction === undefined ? command : "exec";
  const argumentBytes = isSelf ? bytesOfArguments(context.request) : -1;
  return `${clientLine(client, session.clock.nowMs(), context.monotonicMs, argumentBytes)}\n`;
}

function bytesOfArguments(request: Request): number {
  let bytes = 0;
  for (let index = 0; index < request.count; index++) bytes += request.length[index]!;
  return bytes;
}

/** CLIENT INFO */
function info(session: SessionServices, context: CommandContext): void {
  context.reply.verbatim(describe(session, context, clientOf(context), "client|info"), "txt");
}

/** CLIENT LIST [TYPE type | ID id ...] */
function list(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  let lines = "";
  if (request.count === 2) {
    for (const client of session.clients.all()) lines += describe(session, context, client, "client|list");
  } else if (request.count === 4 && request.is(2, "TYPE")) {
    const wanted = clientClassOf(request.text(3));
    if (wanted === undefined) {
      reply.errorText(`ERR Unknown client type '${asText(request.text(3))}'`);
      return;
    }
    for (const client of session.clients.all()) {
      if (client.clientClass() === wanted) lines += describe(session, context, client, "client|list");
    }
  } else if (request.count > 3 && request.is(2, "ID")) {
    for (let index = 3; index < request.count; index++) {
      const id = request.int64(index);
      if (id === undefined) {
        reply.error(BAD_CLIENT_ID);
        return;
      }
      const client = session.clients.find(Number(id));
      if (client !== undefined) lines += describe(session, context, client, "client|list");
    }
  } else {
    reply.error(SYNTAX);
    return;
  }
  reply.verbatim(lines, "txt");
}

/** CLIENT REPLY ON|OFF|SKIP: only ON is answered. */
function replyMode(context: CommandContext): void {
  const { request, reply } = context;
  const client = clientOf(context);
  if (request.is(2, "ON")) {
    client.replyMode = "on";
    reply.ok();
  } else if (request.is(2, "OFF")) {
    client.replyMode = "off";
  } else if (request.is(2, "SKIP")) {
    if (client.replyMode === "on") client.replyMode = "skip";
    else if (client.replyMode === "skip") client.skipsNextReply = true;
  } else {
    reply.error(SYNTAX);
  }
}

/** ON is true, OFF false, anything else undefined: the error is written. */
function readSwitch(request: Request, reply: ReplyWriter): boolean | undefined {
  if (request.is(2, "ON")) return true;
  if (request.is(2, "OFF")) return false;
  reply.error(SYNTAX);
  return undefined;
}

/** CLIENT NO-EVICT ON|OFF */
function noEvict(context: CommandContext): void {
  const isOn = readSwitch(context.request, context.reply);
  if (isOn === undefined) return;
  clientOf(context).isEvictable = !isOn;
  context.reply.ok();
}

/** CLIENT NO-TOUCH ON|OFF */
function noTouch(context: CommandContext): void {
  const isOn = readSwitch(context.request, context.reply);
  if (isOn === undefined) return;
  clientOf(context).touchesKeys = !isOn;
  context.keyspace.touchesAccess = !isOn;
  context.reply.ok();
}

/** CLIENT PAUSE timeout [mode=WRITE|ALL] */
function pause(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 4) {
    wrongForm(request, reply);
    return;
  }
  const isWrite = request.count === 4 && request.is(3, "WRITE");
  if (request.count === 4 && !isWrite && !request.is(3, "ALL")) {
    reply.error(BAD_PAUSE_MODE);
    return;
  }
  const durationMs = request.int64(2);
  if (durationMs === undefined) reply.error(TIMEOUT_NOT_AN_INTEGER);
  else if (durationMs < 0n) reply.error(TIMEOUT_NEGATIVE);
  else if (durationMs > INT64_MAX - BigInt(session.clock.nowMs())) reply.error(TIMEOUT_OUT_OF_RANGE);
  else {
    session.pause.start(Number(durationMs), !isWrite);
    reply.ok();
  }
}

/** CLIENT UNPAUSE */
function unpause(session: SessionServices, context: CommandContext): void {
  session.pause.end();
  context.reply.ok();
}

/** CLIENT UNBLOCK id [unblock-type=TIMEOUT|ERROR] */
function unblock(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 4) {
    wrongForm(request, reply);
    return;
  }
  const isError = request.count === 4 && request.is(3, "ERROR");
  if (request.count === 4 && !isError && !request.is(3, "TIMEOUT")) {
    reply.error(BAD_UNBLOCK_REASON);
    return;
  }
  const id = request.int64(2);
  if (id === undefined) {
    reply.error(NOT_AN_INTEGER);
    return;
  }
  const suspension = session.clients.find(Number(id))?.suspension;
  if (suspension === undefined) {
    reply.integer(0);
    return;
  }
  const target = session.clients.find(Number(id))!;
  const isWoken = session.wake(target, isError ? (late) => late.error(UNBLOCKED) : suspension.onTimeout);
  reply.integer(isWoken ? 1 : 0);
}

/** The reply of a subcommand that takes fewer arguments than it got. */
function wrongForm(request: Request, reply: ReplyWriter): void {
  const word = asText(request.text(1)).slice(0, 128);
  reply.errorText(`ERR unknown subcommand or wrong number of arguments for '${word}'. Try CLIENT HELP.`);
}
