/** What the commands of a connection need of the session, as one interface: the session implements it. */

import type { ClientState, CommandContext } from "../commands/command.ts";
import type { Clock } from "../core/host.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { AccessControl } from "./acl/access-control.ts";
import type { Client } from "./client.ts";
import type { Clients } from "./clients.ts";
import type { Mail } from "./mail.ts";
import type { Monitors } from "./monitors.ts";
import type { Pause } from "./pause.ts";
import type { PubSub } from "./pubsub.ts";
import type { Tracking } from "./tracking.ts";
import type { Transactions } from "./transactions.ts";

/** How HELLO introduces the server. */
export interface ServerIdentity {
  /** The Redis version whose behaviour is offered: "7.2.4". */
  readonly version: string;
  readonly mode: "standalone" | "cluster" | "sentinel";
  /** Asked each time: replication changes it. */
  role(): "master" | "replica";
}

export interface SessionServices {
  readonly clock: Clock;
  readonly clients: Clients;
  readonly pause: Pause;
  readonly pubsub: PubSub;
  readonly mail: Mail;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  readonly transactions: Transactions;
  readonly acl: AccessControl;
  readonly identity: ServerIdentity;
  /** Closes the connection of `client` at once; never of the client that is being served (set isClosing there). */
  kill(client: Client): void;
  /**
   * Ends the wait of a client that a command holds, after the command that is being executed. False when it does not
   * wait in that way, or is being woken already.
   */
  wake(client: Client, write: (reply: ReplyWriter) => void): boolean;
}

/** The client that sent the command, as this folder knows it. */
export function clientOf(context: CommandContext): Client {
  const client: ClientState = context.client;
  // The dispatcher serves nothing but its own clients.
  return client as Client;
}
