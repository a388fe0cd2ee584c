/** What the dispatcher tells the session, as one interface: the session implements it. */

import type { KeyWait } from "../commands/command.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command-index.ts";

/** What the dispatcher tells others. */
export interface DispatchHooks {
  /** A command took `microseconds`; called for every one that was timed by itself and for runs as a whole. */
  onSlow(command: Command, request: Request, client: Client, microseconds: number): void;
  /** A client's first or last moment of waiting. */
  onSuspended(client: Client): void;
  onResumed(client: Client): void;
  /** A request was refused because of CLIENT PAUSE and waits for its end. */
  onPaused(client: Client): void;
  /** The command that `client` has just sent waits for keys. */
  onKeyWait(client: Client, command: Command, wait: KeyWait): void;
  /** `client`, which tracks keys for its cache, has read by a command whose request is still loaded. */
  onTrackedRead(client: Client, command: Command): void;
  /** Writes the messages for `client` that came meanwhile behind its replies. */
  appendMail(client: Client, reply: ReplyWriter): void;
  /** Lets those run again whose keys are there, through `rerun`; false when there is nobody. */
  hasDueWaiters(): boolean;
  serveWaiters(): void;
  /** Why `client`, whose user has limits, may not run `command` with the loaded request; undefined when it may. */
  refusal(client: Client, command: Command, context: "toplevel" | "multi" | "lua"): string | undefined;
  /** The same for a command that was queued before rights were taken. */
  lateRefusal(client: Client, command: Command): string | undefined;
  /** EXEC itself was refused: nothing of what the client queued will run. */
  onTransactionRefused(client: Client): void;
  /** After each turn in which the client wrote or was written to. */
  afterTurn(client: Client): void;
  /** Before a client is closed because it has sent too much of a request. */
  onQueryBufferFull(client: Client): void;
  /** A client is closed after what it sent made no sense: `reason`. */
  onProtocolError(client: Client, reason: string): void;
  /** A client is closed because it speaks HTTP: a page in somebody's browser may be trying to reach the server. */
  onForeignProtocol(client: Client): void;
}
