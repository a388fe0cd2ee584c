/**
 * Commands about the connection itself: AUTH, HELLO, PING, ECHO, RESET, QUIT; CLIENT is in commands-client.ts.
 *
 *  I1  HELLO changes nothing unless all of its arguments are good: 7.2 reads them all before it looks at the password,
 *      where 7.0 authenticated on the way.
 *  Source: replies of redis-server 7.0 and the command pages of 7.2, whose NOAUTH text of HELLO differs.
 */

import type { CommandContext, CommandFlag, CommandTable } from "../commands/command.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { DEFAULT_USER } from "./acl/access-control.ts";
import type { Client } from "./client.ts";
import { clientCommands } from "./commands-client.ts";
import { asText, BAD_CLIENT_NAME, isGoodName } from "./names.ts";
import { clientOf, type SessionServices } from "./services.ts";

const WRONG_PASSWORD = new ReplyError("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD_SET = new ReplyError(
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
const NO_PROTOCOL = new ReplyError("NOPROTO unsupported protocol version");
const PROTOCOL_NOT_AN_INTEGER = new ReplyError("ERR Protocol version is not an integer or out of range");
const HELLO_NO_AUTH = new ReplyError(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);
const PING_ARITY = new ReplyError("ERR wrong number of arguments for 'ping' command");

/** Commands that one may use before authentication. */
const STRANGER_FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];

/** The table of all connection commands over one session. */
export function connectionCommands(session: SessionServices): CommandTable {
  const entry = { group: "connection", acl: ["connection"], complexity: "O(1)" } as const;
  return {
    AUTH: {
      ...entry,
      arity: -2,
      flags: STRANGER_FLAGS,
      since: "1.0.0",
      complexity: "O(N) where N is the number of passwords defined for the user",
      summary: "Tells the server who this connection is.",
      arguments: "[username] password",
      history: [["6.0.0", "Takes a user's name before the password."]],
      run: (context) => auth(session, context),
    },
    CLIENT: clientCommands(session),
    ECHO: {
      ...entry,
      arity: 2,
      flags: ["loading", "stale", "fast"],
      since: "1.0.0",
      summary: "Returns its argument.",
      arguments: "message",
      run: echo,
    },
    HELLO: {
      ...entry,
      arity: -1,
      flags: STRANGER_FLAGS,
      since: "6.0.0",
      summary: "Chooses the protocol, and introduces both sides to each other.",
      arguments: "[arguments=protover [auth=AUTH username password] [SETNAME clientname]]",
      history: [["6.2.0", "May be called without the protocol's version, to ask how things stand."]],
      run: (context) => hello(session, context),
    },
    PING: {
      ...entry,
      arity: -1,
      flags: ["fast"],
      since: "1.0.0",
      summary: "Answers, which shows that the server lives.",
      arguments: "[message]",
      tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
      run: ping,
    },
    QUIT: {
      ...entry,
      arity: -1,
      flags: STRANGER_FLAGS,
      since: "1.0.0",
      summary: "Closes the connection when the replies have left.",
      deprecated: { since: "7.2.0", replacedBy: "just closing the connection" },
      run: quit,
    },
    RESET: {
      ...entry,
      arity: 1,
      flags: STRANGER_FLAGS,
      since: "6.2.0",
      summary: "Puts the connection back to how it was when it began.",
      run: (context) => reset(session, context),
    },
  };
}

/** PING [message] */
function ping(context: CommandContext): void {
  const { request, reply } = context;
  if (request.count <= 2 && reply.protocol === 2 && clientOf(context).subscriptions !== undefined) {
    // Among messages, a reply must look like one.
    reply.array(2);
    reply.bulkText("pong");
    if (request.count === 1) reply.bulkText("");
    else reply.bulk(request.input, request.offset[1]!, request.length[1]!);
    return;
  }
  if (request.count === 1) reply.simple("PONG");
  else if (request.count === 2) reply.bulk(request.input, request.offset[1]!, request.length[1]!);
  else reply.error(PING_ARITY);
}

/** ECHO message */
function echo(context: CommandContext): void {
  const request = context.request;
  context.reply.bulk(request.input, request.offset[1]!, request.length[1]!);
}

/** QUIT: the dispatcher closes when what was written has left. */
function quit(context: CommandContext): void {
  context.reply.ok();
  clientOf(context).isClosing = true;
}

/** RESET */
function reset(session: SessionServices, context: CommandContext): void {
  const client = clientOf(context);
  session.transactions.discard(client);
  session.pubsub.forget(client);
  session.tracking.disable(client);
  session.monitors.forget(client);
  client.databaseIndex = 0;
  context.database = context.keyspace.databases[0]!;
  client.protocol = 2;
  context.reply.protocol = 2;
  client.user = session.acl.defaultUser;
  client.isAuthenticated = !session.acl.requiresAuthentication();
  client.name = "";
  client.replyMode = "on";
  client.skipsNextReply = false;
  client.isEvictable = true;
  client.touchesKeys = true;
  context.keyspace.touchesAccess = true;
  context.reply.simple("RESET");
}

/** AUTH [username] password */
function auth(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 3) {
    reply.error(SYNTAX);
    return;
  }
  if (request.count === 2 && session.acl.defaultUser.needsNoPassword) {
    reply.error(NO_PASSWORD_SET);
    return;
  }
  const name = request.count === 3 ? request.text(1) : DEFAULT_USER;
  if (admit(session, context, name, request.bytes(request.count - 1))) reply.ok();
}

/** Makes the client that user's; false, with the error written, when the password is not that user's. */
function admit(session: SessionServices, context: CommandContext, name: string, password: Uint8Array): boolean {
  const client = clientOf(context);
  const user = session.acl.authenticate(name, password);
  if (user === undefined) {
    session.acl.recordFailure(client, context.request.text(0), name);
    context.reply.error(WRONG_PASSWORD);
    return false;
  }
  client.user = user;
  client.isAuthenticated = true;
  return true;
}

/** HELLO [protover [AUTH username password] [SETNAME clientname]] */
function hello(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  const client = clientOf(context);
  let version = 0;
  if (request.count > 1) {
    version = request.integer(1);
    if (Number.isNaN(version)) {
      reply.error(request.int64(1) === undefined ? PROTOCOL_NOT_AN_INTEGER : NO_PROTOCOL);
      return;
    }
    if (version !== 2 && version !== 3) {
      reply.error(NO_PROTOCOL);
      return;
    }
  }
  let userArgument = 0;
  let nameArgument = 0;
  for (let index = 2; index < request.count; index++) {
    const more = request.count - 1 - index;
    if (request.is(index, "AUTH") && more >= 2) {
      userArgument = index + 1;
      index += 2;
    } else if (request.is(index, "SETNAME") && more >= 1) {
      nameArgument = index + 1;
      index += 1;
      if (!isGoodName(request.text(nameArgument))) {
        reply.error(BAD_CLIENT_NAME);
        return;
      }
    } else {
      reply.errorText(`ERR Syntax error in HELLO option '${asText(request.text(index))}'`);
      return;
    }
  }
  if (userArgument > 0) {
    const name = request.text(userArgument);
    if (!admit(session, context, name, request.bytes(userArgument + 1))) return;
  }
  if (session.acl.requiresAuthentication() && !client.isAuthenticated) {
    reply.error(HELLO_NO_AUTH);
    return;
  }
  if (nameArgument > 0) client.name = request.text(nameArgument);
  if (version !== 0) {
    client.protocol = version === 3 ? 3 : 2;
    reply.protocol = client.protocol;
  }
  introduce(session, context, client);
}

function introduce(session: SessionServices, context: CommandContext, client: Client): void {
  const reply = context.reply;
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText("redis");
  reply.bulkText("version");
  reply.bulkText(session.identity.version);
  reply.bulkText("proto");
  reply.integer(client.protocol);
  reply.bulkText("id");
  reply.integer(client.id);
  reply.bulkText("mode");
  reply.bulkText(session.identity.mode);
  reply.bulkText("role");
  reply.bulkText(session.identity.role());
  reply.bulkText("modules");
  reply.array(0);
}
