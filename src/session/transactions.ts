/**
 * Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
 *
 *      WATCH k ──► WatchedKeys ─── k changes ──► client.hasChangedKeys
 *      MULTI ──► client.transaction ◄── the dispatcher queues what comes, or notes that something was refused
 *      EXEC ──► nothing when one of the two has happened, else the dispatcher runs the queue
 *
 *  I1  A client without `transaction` has nothing queued; one that is gone has neither queue nor watched keys.
 *  I2  Between the first and the last command of a queue nobody else's command runs, unless one of them has to wait
 *      for the server itself (CONFIG SET of a port).
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext, CommandFlag, CommandTable } from "../commands/command.ts";
import { KEYS_METADATA } from "../commands/command.ts";
import { ReplyError } from "../protocol/errors.ts";
import type { Client } from "./client.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { clientOf } from "./services.ts";
import { Transaction } from "./transaction.ts";
import { WatchedKeys } from "./watched-keys.ts";

const NESTED = new ReplyError("ERR MULTI calls can not be nested");
const EXEC_ALONE = new ReplyError("ERR EXEC without MULTI");
const DISCARD_ALONE = new ReplyError("ERR DISCARD without MULTI");
const WATCH_INSIDE = new ReplyError("ERR WATCH inside MULTI is not allowed");
const ABORTED = new ReplyError("EXECABORT Transaction discarded because of previous errors.");

const FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale", "fast", "allow_busy"];

export class Transactions {
  private dispatcher: Dispatcher | undefined;
  private watchedKeys: WatchedKeys | undefined;

  constructor() {
    this.dispatcher = undefined;
    this.watchedKeys = undefined;
  }

  /** Once, before the first connection. */
  attach(dispatcher: Dispatcher): void {
    this.dispatcher = dispatcher;
    this.watchedKeys = new WatchedKeys(dispatcher.context);
  }

  /** Forgets what the client has queued and what it watches: DISCARD, RESET, the end of the connection. */
  discard(client: Client): void {
    client.transaction = undefined;
    this.unwatch(client);
  }

  private unwatch(client: Client): void {
    this.watchedKeys!.unwatch(client);
    client.hasChangedKeys = false;
  }

  /** The table entries of this file. */
  commands(): CommandTable {
    const entry = { arity: 1, flags: FLAGS, acl: ["transaction"], group: "transactions", complexity: "O(1)" } as const;
    return {
      DISCARD: {
        ...entry,
        since: "2.0.0",
        complexity: "O(N), when N is the number of queued commands",
        summary: "Forgets what was queued since MULTI, and what is watched.",
        run: (context) => this.forget(context),
      },
      EXEC: {
        ...entry,
        flags: ["noscript", "loading", "stale", "skip_slowlog"],
        since: "1.2.0",
        complexity: "Depends on commands in the transaction",
        summary: "Runs what was queued since MULTI, unless a watched key was changed.",
        run: (context) => this.execute(context),
      },
      MULTI: {
        ...entry,
        since: "1.2.0",
        summary: "Lets what follows be queued until EXEC.",
        run: begin,
      },
      UNWATCH: {
        ...entry,
        since: "2.2.0",
        summary: "Watches nothing any more.",
        run: (context) => {
          this.unwatch(clientOf(context));
          context.reply.ok();
        },
      },
      WATCH: {
        ...entry,
        arity: -2,
        keys: KEYS_METADATA,
        since: "2.2.0",
        complexity: "O(1) for every key.",
        summary: "Lets EXEC do nothing when one of the keys is changed before it.",
        arguments: "key [key ...]",
        run: (context) => this.watch(context),
      },
    };
  }

  private watch(context: CommandContext): void {
    const { request, reply, database } = context;
    const client = clientOf(context);
    if (client.transaction !== undefined) {
      reply.error(WATCH_INSIDE);
      return;
    }
    // Once a watched key was changed, nothing can save the transaction.
    if (!client.hasChangedKeys) {
      for (let index = 1; index < request.count; index++) {
        this.watchedKeys!.watch(client, database, request.input, request.offset[index]!, request.length[index]!);
      }
    }
    reply.ok();
  }

  private forget(context: CommandContext): void {
    const client = clientOf(context);
    if (client.transaction === undefined) {
      context.reply.error(DISCARD_ALONE);
      return;
    }
    this.discard(client);
    context.reply.ok();
  }

  private execute(context: CommandContext): void {
    const { reply } = context;
    const client = clientOf(context);
    const transaction = client.transaction;
    if (transaction === undefined) {
      reply.error(EXEC_ALONE);
      return;
    }
    const isChanged = client.hasChangedKeys || this.watchedKeys!.hasRunOut(client);
    this.unwatch(client);
    if (transaction.isAborted || isChanged) {
      client.transaction = undefined;
      if (transaction.isAborted) reply.error(ABORTED);
      else reply.nullArray();
      return;
    }
    reply.array(transaction.commands.length);
    this.dispatcher!.runQueue(client, transaction);
  }
}

function begin(context: CommandContext): void {
  const client = clientOf(context);
  if (client.transaction !== undefined) {
    context.reply.error(NESTED);
    return;
  }
  client.transaction = new Transaction();
  context.reply.ok();
}
