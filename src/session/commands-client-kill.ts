/**
 * CLIENT KILL: the address of one client, or filters that all have to match.
 *
 *      KILL 127.0.0.1:5000                      the old form: +OK or "No such client"; spares nobody
 *      KILL TYPE normal USER default ...        how many; spares the caller unless SKIPME no
 *
 *  I1  All arguments are read before anyone is closed.
 *  I2  Who kills itself hears the reply first.
 *  Source: replies of redis-server 7.0, whose KILL is that of 7.2.
 */

import type { CommandContext } from "../commands/command.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import { clientClassOf } from "./clients.ts";
import { asText } from "./names.ts";
import { clientOf, type SessionServices } from "./services.ts";

const NO_SUCH_CLIENT = new ReplyError("ERR No such client");
const BAD_ID = new ReplyError("ERR client-id should be greater than 0");

/** What a client must have to be closed; undefined asks for nothing. */
interface Filter {
  id: number | undefined;
  type: string | undefined;
  user: string | undefined;
  address: string | undefined;
  localAddress: string | undefined;
  skipsCaller: boolean;
}

/** CLIENT KILL */
export function clientKill(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count === 3) {
    const address = request.text(2);
    for (const client of session.clients.all()) {
      if (client.connection.remoteAddress !== address) continue;
      reply.ok();
      close(session, context, client);
      return;
    }
    reply.error(NO_SUCH_CLIENT);
    return;
  }
  const filter = readFilter(session, request);
  if (filter instanceof ReplyError) {
    reply.error(filter);
    return;
  }
  let count = 0;
  for (const client of session.clients.all()) {
    if (!matches(client, filter) || (filter.skipsCaller && client === context.client)) continue;
    close(session, context, client);
    count++;
  }
  reply.integer(count);
}

/** The caller is closed by the dispatcher, after the reply. */
function close(session: SessionServices, context: CommandContext, client: Client): void {
  if (client === clientOf(context)) client.isClosing = true;
  else session.kill(client);
}

function readFilter(session: SessionServices, request: Request): Filter | ReplyError {
  const filter: Filter = {
    id: undefined,
    type: undefined,
    user: undefined,
    address: undefined,
    localAddress: undefined,
    skipsCaller: true,
  };
  for (let index = 2; index < request.count; index += 2) {
    if (index + 1 === request.count) return SYNTAX;
    const value = request.text(index + 1);
    if (request.is(index, "ID")) {
      const id = request.int64(index + 1);
      if (id === undefined || id < 1n) return BAD_ID;
      filter.id = Number(id);
    } else if (request.is(index, "TYPE")) {
      filter.type = clientClassOf(value);
      if (filter.type === undefined) return new ReplyError(`ERR Unknown client type '${printable(value)}'`);
    } else if (request.is(index, "ADDR")) {
      filter.address = value;
    } else if (request.is(index, "LADDR")) {
      filter.localAddress = value;
    } else if (request.is(index, "USER")) {
      if (session.acl.find(value) === undefined) return new ReplyError(`ERR No such user '${printable(value)}'`);
      filter.user = value;
    } else if (request.is(index, "SKIPME") && request.is(index + 1, "YES")) {
      filter.skipsCaller = true;
    } else if (request.is(index, "SKIPME") && request.is(index + 1, "NO")) {
      filter.skipsCaller = false;
    } else {
      return SYNTAX;
    }
  }
  return filter;
}

function matches(client: Client, filter: Filter): boolean {
  return (
    (filter.id === undefined || client.id === filter.id) &&
    (filter.type === undefined || client.clientClass() === filter.type) &&
    (filter.user === undefined || client.user.name === filter.user) &&
    (filter.address === undefined || client.connection.remoteAddress === filter.address) &&
    (filter.localAddress === undefined || client.connection.localAddress === filter.localAddress)
  );
}

/** An error's line must stay one line. */
function printable(argument: string): string {
  return asText(argument).replace(/[\r\n]/g, " ");
}
