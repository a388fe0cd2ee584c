/**
 * Gates: what may keep a request from being executed, and what its client is told then.
 *
 *  I1  The dispatcher asks the gates in Redis's order; nothing here decides about order.
 *  Source: the refusals of redis-server 7.0, byte for byte.
 */

import { ReplyError } from "../protocol/errors.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import {
  type Command,
  FLAG_ALLOW_BUSY,
  FLAG_DENYOOM,
  FLAG_LOADING,
  FLAG_MAY_REPLICATE,
  FLAG_STALE,
  FLAG_WRITE,
} from "./command-index.ts";
import type { Transaction } from "./transaction.ts";

/** A queue that holds one command with such a flag makes EXEC a command with it; ... */
const FLAGS_OF_ANY = FLAG_WRITE | FLAG_DENYOOM | FLAG_MAY_REPLICATE;
/** ... one that holds a command without such a flag takes it from EXEC. */
const FLAGS_OF_ALL = FLAG_LOADING | FLAG_STALE | FLAG_ALLOW_BUSY;
export const NOT_IN_MULTI = new ReplyError("ERR Command not allowed inside a transaction");

/** What higher ranks decide about requests; they change the fields, the dispatcher reads them. */
export class Gates {
  /** A password is needed before anything else. */
  requiresAuthentication = false;
  isLoading = false;
  /** Set while a script takes so long that it gives way to others now and then: they get this, but for a few commands. */
  busy: ReplyError | undefined = undefined;
  /** Set while writes are refused: the disk takes no snapshot or no log, or what is here is the past. */
  misconfiguration: ReplyError | undefined = undefined;
  /** The refusal is no fault: PING does not tell of it. */
  isReadOnly = false;
  /** Frees memory when the limit is passed; returns false when it could not free enough. */
  makeRoom: (() => boolean) | undefined = undefined;
  /** Until when CLIENT PAUSE holds back requests, monotonic ms; 0 when none is held. */
  pausedUntilMs = 0;
  pausesAll = false;
  /** `enable-debug-command`, `enable-module-command`: whether this client may use a protected command. */
  mayUseProtected: (command: Command, client: Client) => boolean = () => false;

  /** While `misconfiguration` is set: whether it is what a command with `flags` hears. */
  refuses(command: Command, flags: number): boolean {
    return (flags & FLAG_WRITE) !== 0 || (command.name === "PING" && !this.isReadOnly);
  }

  /**
   * While `pausedUntilMs` is set: whether a command with `flags` is held back at `nowMs`, monotonic. As Redis has it, a
   * pause of everything holds back even what could end it.
   */
  isPaused(client: Client, flags: number, nowMs: number): boolean {
    if (nowMs >= this.pausedUntilMs || client.isMonitor || client.clientClass() === "replica") return false;
    return this.pausesAll || (flags & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0;
  }
}

/** The flags that decide whether a command may pass, for a client between MULTI and EXEC. */
export function flagsInTransaction(transaction: Transaction, command: Command): number {
  const flags = command.flagBits;
  if (command.isExec) {
    return (flags | (transaction.flagsOfAny & FLAGS_OF_ANY)) & ~(FLAGS_OF_ALL & ~transaction.flagsOfAll);
  }
  // A queue takes memory, whatever it holds.
  return command.isNeverQueued ? flags : flags | FLAG_DENYOOM;
}

/** For a request whose command does not exist. */
export function unknownCommandText(request: Request): string {
  let words = "";
  for (let index = 1; index < request.count && words.length < 128; index++) {
    words += `'${printable(request, index, 128 - words.length)}' `;
  }
  return `ERR unknown command '${printable(request, 0, 128)}', with args beginning with: ${words}`;
}

export function unknownSubcommandText(request: Request, container: Command): string {
  return `ERR unknown subcommand '${printable(request, 1, 128)}'. Try ${container.name} HELP.`;
}

/** For a command that a directive closes to this client. */
export function protectedText(command: Command): string {
  const container = command.fullName.split("|")[0]!;
  return `ERR ${container.toUpperCase()} command not allowed. If the enable-${container}-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`;
}

/** For one that a client may not send in RESP2 while it listens to channels. */
export function subscriberText(command: Command): string {
  return `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`;
}

/** Up to `max` characters of an argument as an error text shows it: it ends at a zero byte as a C string does. */
function printable(request: Request, index: number, max: number): string {
  const text = request.text(index).slice(0, max);
  const zero = text.indexOf("\0");
  return zero === -1 ? text : text.slice(0, zero);
}
