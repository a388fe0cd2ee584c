/**
 * Replayer: executes the commands of a log, at full speed and for nobody.
 *
 *      AofReader ── request ──► Replayer ── the command's function ──► Keyspace
 *                                  │  MULTI ... EXEC: kept, then run together
 *                                  └─ replies: thrown away; errors: counted, told to `onError`
 *
 *  I1  Nothing of a transaction is done before its EXEC is there.
 *  I2  Between `begin` and `end` keys go when the log says so, not when their time is over; nobody waits, no script
 *      gives way, nothing is refused for want of memory or rights.
 *  I3  Outside of `begin` and `end` the context is as it was: clients can be served between two slices.
 *
 * Commands are not counted or timed one by one: INFO shows what clients did.
 * Source: how redis-server 7.0 loads its append-only file.
 */

import type { ClientState } from "../commands/command.ts";
import type { Connection } from "../core/host.ts";
import type { AofReader } from "../history/formats/aof-reader.ts";
import type { Request } from "../protocol/request.ts";
import type { Database } from "../store/keyspace/keyspace.ts";
import { User } from "./acl/user.ts";
import { Client } from "./client.ts";
import type { Command } from "./command-index.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { unknownCommandText, unknownSubcommandText } from "./gates.ts";
import { Prefetch } from "./prefetch.ts";
import { QUEUE_BYTES_MAX, Transaction } from "./transaction.ts";

/** Records between two looks at the clock. */
const RECORDS_PER_CHECK = 256;

/** A command that nobody here knows, or a transaction that cannot be kept: the log cannot be followed any further. */
export class ReplayFault extends Error {
  override name = "ReplayFault";
}

/** What of scripting matters to a replay. */
interface GivesWay {
  busyThresholdMs: number;
}

export class Replayer {
  /** Commands that were executed, without MULTI and EXEC, and those of them that answered with an error. */
  commandCount: number;
  errorCount: number;
  /** Called with the text of an error, while its command is loaded in `request`. */
  onError: ((text: string, request: Request) => void) | undefined;

  private readonly dispatcher: Dispatcher;
  private readonly scripting: GivesWay;
  private readonly client: Client;
  private readonly queue: Transaction;
  /** MULTI has been seen, EXEC has not. */
  private isQueuing: boolean;
  private errorsSeen: number;
  private outside: Outside | undefined;
  private readonly prefetch: Prefetch;
  /** The bytes that were looked over: of which buffer, how often it was filled then, and up to where. */
  private lookedSource: Uint8Array | undefined;
  private lookedFill: number;
  private lookedTo: number;

  constructor(dispatcher: Dispatcher, scripting: GivesWay) {
    this.commandCount = 0;
    this.errorCount = 0;
    this.onError = undefined;
    this.dispatcher = dispatcher;
    this.scripting = scripting;
    const user = new User("replay", dispatcher.commands, () => true);
    for (const rule of ["on", "+@all", "~*", "&*"]) user.apply(rule);
    this.client = new Client(0, new NoConnection(), 0, 0, user);
    this.client.isAuthenticated = true;
    this.queue = new Transaction();
    this.isQueuing = false;
    this.errorsSeen = 0;
    this.outside = undefined;
    this.prefetch = new Prefetch();
    this.lookedSource = undefined;
    this.lookedFill = 0;
    this.lookedTo = 0;
  }

  /** The database that the next command works on. */
  get databaseIndex(): number {
    return this.client.databaseIndex;
  }

  /** As at the beginning of a file: database 0, no transaction open. */
  reset(): void {
    this.client.databaseIndex = 0;
    this.forgetTransaction();
  }

  /** The next command works on this database. Between `begin` and `end`. */
  selectDatabase(index: number): void {
    const { context } = this.dispatcher;
    const database = context.keyspace.databases[index];
    if (database === undefined) throw new ReplayFault(`there is no database ${index}`);
    this.client.databaseIndex = index;
    context.database = database;
  }

  /** What came since a MULTI without EXEC never happened. */
  forgetTransaction(): void {
    this.isQueuing = false;
    this.queue.clear();
  }

  /** Commands run at this time from now on, ms since 1970. */
  setTime(timeMs: number): void {
    const { keyspace } = this.dispatcher.context;
    keyspace.nowMs = timeMs;
    keyspace.clock.setNow(timeMs);
  }

  /** Takes the context for the replay (I2). */
  begin(): void {
    const { context } = this.dispatcher;
    const { request, keyspace } = context;
    this.outside = {
      input: request.input,
      offset: request.offset,
      length: request.length,
      count: request.count,
      client: context.client,
      database: context.database,
      mayWait: context.mayWait,
      isReplaying: keyspace.isReplaying,
      touchesAccess: keyspace.touchesAccess,
      busyThresholdMs: this.scripting.busyThresholdMs,
    };
    context.client = this.client;
    context.database = keyspace.databases[this.client.databaseIndex]!;
    context.mayWait = false;
    keyspace.isReplaying = true;
    keyspace.touchesAccess = true;
    this.forgetPrefetch();
    this.scripting.busyThresholdMs = 0;
    this.errorsSeen = context.reply.errorCount;
  }

  /** Gives the context back as it was (I3). */
  end(): void {
    const { context } = this.dispatcher;
    const { request, keyspace } = context;
    const outside = this.outside!;
    this.outside = undefined;
    this.forgetPrefetch();
    request.input = outside.input;
    // The reader of clients and that of the log must never share arrays.
    request.offset = outside.offset;
    request.length = outside.length;
    request.count = outside.count;
    context.client = outside.client;
    context.database = outside.database;
    context.mayWait = outside.mayWait;
    keyspace.isReplaying = outside.isReplaying;
    keyspace.touchesAccess = outside.touchesAccess;
    this.scripting.busyThresholdMs = outside.busyThresholdMs;
  }

  /**
   * Executes what `reader` gives until `isOver`, asked every few hundred records, or the end; true at the end. With
   * `followsTime` commands run at the times that the file names. Throws AofFault, DiskFault, ReplayFault and
   * ArenaExhausted; an open transaction is forgotten then (I1).
   */
  replay(reader: AofReader, followsTime: boolean, isOver: () => boolean): boolean {
    this.begin();
    try {
      for (;;) {
        for (let count = 0; count < RECORDS_PER_CHECK; count++) {
          const record = reader.next();
          if (record === "command") this.apply(reader);
          else if (record === "end") return true;
          else if (followsTime && !Number.isNaN(reader.timeMs)) this.setTime(reader.timeMs);
        }
        if (isOver()) return false;
      }
    } catch (error) {
      this.forgetTransaction();
      throw error;
    } finally {
      this.end();
    }
  }

  /** Executes the command that `reader` has read, or keeps it for its EXEC. Between `begin` and `end` only. hot path */
  apply(reader: AofReader): void {
    const { context, commands } = this.dispatcher;
    const { request } = context;
    const record = reader.request;
    request.input = record.input;
    request.offset = record.offset;
    request.length = record.length;
    request.count = record.count;
    this.lookAhead(request, reader.fillCount);
    const found = commands.find(request, 0);
    if (found === undefined) throw new ReplayFault(unknownCommandText(request));
    const command = found.subcommands === undefined || request.count < 2 ? found : subcommandOf(found, request);
    const { arity } = command;
    if (arity >= 0 ? request.count !== arity : request.count < -arity) {
      throw new ReplayFault(`wrong number of arguments for '${command.fullName}'`);
    }
    if (command.isNeverQueued) this.control(command);
    else if (this.isQueuing) this.enqueue(command);
    else this.run(command);
  }

  /**
   * Has what the next records will touch brought into the cache. What stands behind `request` in its buffer may be
   * anything: this only guesses, and forgets what it saw as soon as the buffer changes. hot path
   */
  private lookAhead(request: Request, fill: number): void {
    const { input } = request;
    if (fill === this.lookedFill && input === this.lookedSource && request.offset[0]! < this.lookedTo) return;
    const { keyspace, database } = this.dispatcher.context;
    const last = request.count - 1;
    const next = request.offset[last]! + request.length[last]! + 2;
    keyspace.forgetWarm();
    this.lookedSource = input;
    this.lookedFill = fill;
    this.lookedTo = this.prefetch.run(keyspace, database, input, next, input.length);
  }

  private forgetPrefetch(): void {
    this.lookedSource = undefined;
    this.dispatcher.context.keyspace.forgetWarm();
  }

  /** MULTI, EXEC and their like. */
  private control(command: Command): void {
    if (command.name === "MULTI") {
      this.isQueuing = true;
    } else if (command.isExec) {
      this.runQueue();
    } else if (command.name === "DISCARD") {
      this.forgetTransaction();
    }
    // WATCH, QUIT and RESET mean nothing here.
  }

  private enqueue(command: Command): void {
    const { request } = this.dispatcher.context;
    const last = request.count - 1;
    const bytes = request.offset[last]! + request.length[last]! - request.offset[0]!;
    if (this.queue.argumentBytes + bytes > QUEUE_BYTES_MAX) throw new ReplayFault("a transaction of more than 2 GiB");
    this.queue.add(command, request, bytes);
  }

  private runQueue(): void {
    const { queue } = this;
    const { request } = this.dispatcher.context;
    this.isQueuing = false;
    while (queue.hasNext()) this.run(queue.load(request));
    queue.clear();
  }

  /** hot path */
  private run(command: Command): void {
    const { context } = this.dispatcher;
    const { reply } = context;
    this.commandCount++;
    command.run!(context);
    if (context.suspension !== undefined) {
      // Nobody is there to wait (a port that changes, a shutdown): what can be done is done.
      context.suspension = undefined;
      context.keyWait = undefined;
    }
    if (reply.errorCount !== this.errorsSeen) this.failed();
    reply.reset(true);
  }

  private failed(): void {
    const { reply, request } = this.dispatcher.context;
    this.errorsSeen = reply.errorCount;
    this.errorCount++;
    if (this.onError === undefined) return;
    const text = Buffer.from(reply.buffer.subarray(0, reply.position)).toString("latin1");
    this.onError(/-([^\r]*)/.exec(text)?.[1] ?? reply.lastErrorCode, request);
  }
}

function subcommandOf(container: Command, request: Request): Command {
  const subcommand = container.subcommands!.find(request, 1);
  if (subcommand === undefined) throw new ReplayFault(unknownSubcommandText(request, container));
  return subcommand;
}

/** What is put back when the replay gives the context back. */
interface Outside {
  readonly input: Uint8Array;
  readonly offset: Int32Array;
  readonly length: Int32Array;
  readonly count: number;
  readonly client: ClientState;
  readonly database: Database;
  readonly mayWait: boolean;
  readonly isReplaying: boolean;
  readonly touchesAccess: boolean;
  readonly busyThresholdMs: number;
}

/** The far side of a client that nobody is. */
class NoConnection implements Connection {
  readonly remoteAddress = "";
  readonly localAddress = "";
  readonly descriptor = -1;
  readonly isUnixSocket = false;
  readonly isLocal = true;

  pendingBytes(): number {
    return 0;
  }

  write(): boolean {
    return true;
  }

  end(): void {}

  destroy(): void {}

  setKeepAlive(): void {}
}
