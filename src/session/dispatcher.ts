/**
 * Dispatcher: from a client's bytes to a command's function and back to the client's socket.
 *
 *      onData ─► RequestReader ─► find command ─► gates ─► run ─► ReplyWriter ─► one write to the socket
 *                     ▲               unknown, arity, NOAUTH,          │
 *                     └───────────────LOADING, OOM, MISCONF, pause ◄───┘ next request of the same read
 *
 *  I1  All requests of one read are served before the replies are sent: one write a turn and client.
 *  I2  Gates refuse in Redis's order, so that a client sees the same error of several possible ones.
 *  I3  A request that a gate puts off (CLIENT PAUSE) or a command that suspends leaves the rest unread, in order.
 *  I4  Commands are timed in runs: run-timer.ts.
 */

import type { CommandContext, Suspension } from "../commands/command.ts";
import type { Clock } from "../core/host.ts";
import { LOADING, NO_AUTH, OUT_OF_MEMORY } from "../protocol/errors.ts";
import type { ReplyMark, ReplyWriter } from "../protocol/reply-writer.ts";
import type { RequestReader } from "../protocol/request-reader.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import type { Waiter } from "./blocking.ts";
import type { Client } from "./client.ts";
import {
  type Command,
  type CommandIndex,
  FLAG_ALLOW_BUSY,
  FLAG_DENYOOM,
  FLAG_LOADING,
  FLAG_NO_AUTH,
  FLAG_NO_MULTI,
  FLAG_PROTECTED,
  FLAG_WRITE,
} from "./command-index.ts";
import {
  flagsInTransaction,
  type Gates,
  NOT_IN_MULTI,
  protectedText,
  subscriberText,
  unknownCommandText,
  unknownSubcommandText,
} from "./gates.ts";
import type { DispatchHooks } from "./hooks.ts";
import type { Monitors } from "./monitors.ts";
import { Prefetch } from "./prefetch.ts";
import { Recorder } from "./recorder.ts";
import { RunTimer } from "./run-timer.ts";
import { SessionStatistics } from "./statistics.ts";
import { QUEUE_BYTES_MAX, type Transaction } from "./transaction.ts";
import { TurnClock } from "./turn-clock.ts";

/** Less than this is hardly more than one request. */
const PREFETCH_BYTES_MIN = 48;
/** A request whose bytes exceed this, or whose reply does, is timed by itself. */
const BRIEF_BYTES_MAX = 16 * 1024;
export class Dispatcher {
  readonly context: CommandContext;
  readonly gates: Gates;
  statistics: SessionStatistics;
  /** What commands cost (I4). */
  readonly timer: RunTimer;
  queryBufferBytesMax: number;
  readonly reader: RequestReader;
  /** The client whose requests are being served, and the one that waited and is being served in between. */
  turnClient: Client | undefined;
  rerunClient: Client | undefined;
  /** Something is to be done when the command in execution has ended: messages to its client, clients whose keys are there. */
  hasFollowUps: boolean;
  /** Set while somebody monitors. */
  monitors: Monitors | undefined;
  /** Runs commands while the log is read by somebody. */
  readonly recorder: Recorder;

  private readonly reply: ReplyWriter;
  readonly commands: CommandIndex;
  private readonly clock: Clock;
  private readonly hooks: DispatchHooks;
  private readonly mark: ReplyMark;
  /** Where the reply of the command in execution starts. */
  private readonly callMark: ReplyMark;
  /** The reply writer's count of errors when it was last looked at. */
  private errorsSeen: number;
  private readonly prefetch: Prefetch;
  private readonly turnClock: TurnClock;

  constructor(
    context: CommandContext,
    reader: RequestReader,
    commands: CommandIndex,
    clock: Clock,
    gates: Gates,
    hooks: DispatchHooks,
  ) {
    this.context = context;
    this.gates = gates;
    this.statistics = new SessionStatistics();
    this.timer = new RunTimer(this, clock, hooks, context.request);
    this.queryBufferBytesMax = 1024 * 1024 * 1024;
    this.reader = reader;
    this.turnClient = undefined;
    this.rerunClient = undefined;
    this.hasFollowUps = false;
    this.monitors = undefined;
    this.reply = context.reply;
    this.commands = commands;
    this.clock = clock;
    this.hooks = hooks;
    this.mark = { partCount: 0, position: 0 };
    this.callMark = { partCount: 0, position: 0 };
    this.errorsSeen = 0;
    this.prefetch = new Prefetch();
    this.turnClock = new TurnClock(context, clock);
    this.recorder = new Recorder(context, gates);
  }

  /** Bytes of a client have come; `bytes` is only valid during the call. hot path */
  receive(client: Client, bytes: Uint8Array, length: number): void {
    const statistics = this.statistics;
    statistics.inputBytes += length;
    statistics.readEvents++;
    if (client.isClosing) return;
    if (client.suspension !== undefined) {
      client.keep(bytes, 0, length, 0);
      this.checkQueryBuffer(client);
      return;
    }
    const startMs = this.beginTurn(client);
    const reader = this.reader;
    if (client.unread === undefined) {
      reader.start(bytes, 0, length);
    } else {
      client.keep(bytes, 0, length, 0);
      this.resumeReading(client);
    }
    this.serve(
      client,
      client.unread === undefined ? bytes : client.unread,
      client.unread === undefined ? length : client.unreadBytes,
    );
    this.endTurn(client, startMs);
  }

  /**
   * Ends a client's wait: `write` writes the reply (none for a request that was put off), then what it sent meanwhile
   * is served.
   */
  resume(client: Client, write: ((reply: ReplyWriter) => void) | undefined): void {
    const waiter = client.waiter;
    this.endSuspension(client);
    if (client.isClosing) return;
    const startMs = this.beginTurn(client);
    if (write !== undefined) this.writeLate(client, write, waiter?.command);
    if (client.transaction?.isExecuting === true) {
      this.runQueue(client, client.transaction);
      if (this.context.suspension !== undefined) this.suspend(client, this.context.suspension);
    }
    if (this.hasFollowUps) this.follow(client);
    if (client.suspension === undefined && client.unread !== undefined) {
      this.resumeReading(client);
      this.serve(client, client.unread, client.unreadBytes);
    }
    this.endTurn(client, startMs);
  }

  /** The reply of a command that waited. */
  private writeLate(client: Client, write: (reply: ReplyWriter) => void, command: Command | undefined): void {
    const reply = this.reply;
    const errorsBefore = reply.errorCount;
    reply.mark(this.mark);
    write(reply);
    const hasFailed = reply.errorCount !== errorsBefore;
    if (hasFailed) this.countError();
    if (command !== undefined) {
      command.calls++;
      this.statistics.commands++;
      if (hasFailed) command.failedCalls++;
      // What it took is part of the turn in which it began to wait.
      if (this.timer.tracksLatency) command.recordLatency(0, 1);
    }
    this.applyReplyMode(client);
  }

  private endSuspension(client: Client): void {
    // What a pause put off has not been executed: CLIENT CACHING still holds for it.
    if (client.tracking !== undefined && client.suspension?.kind !== "pause") client.tracking.isConsentSet = false;
    client.suspension = undefined;
    client.suspensionTimer?.cancel();
    client.suspensionTimer = undefined;
    this.hooks.onResumed(client);
  }

  private resumeReading(client: Client): void {
    if (client.unfinished !== undefined) this.reader.restore(client.unread!, client.unreadBytes, client.unfinished);
    else this.reader.start(client.unread!, 0, client.unreadBytes);
  }

  private beginTurn(client: Client): number {
    const nowMs = this.readClock();
    this.turnClient = client;
    this.adopt(client);
    this.reply.protocol = client.protocol;
    this.reader.isTrusted = client.isAuthenticated || !this.gates.requiresAuthentication;
    client.lastRequestMs = nowMs;
    if (client.outbox !== undefined) this.hooks.appendMail(client, this.reply);
    return nowMs;
  }

  private readClock(): number {
    const nowMs = this.turnClock.read();
    this.timer.begin(nowMs);
    return nowMs;
  }

  /** Commands that are executed from now on are those of `client`. */
  private adopt(client: Client): void {
    const context = this.context;
    const keyspace = context.keyspace;
    keyspace.touchesAccess = client.touchesKeys;
    context.client = client;
    context.database = keyspace.databases[client.databaseIndex]!;
  }

  private endTurn(client: Client, startMs: number): void {
    const endMs = this.timer.close(client);
    this.context.keyspace.forgetWarm();
    const microseconds = (endMs - startMs) * 1000;
    const statistics = this.statistics;
    statistics.turnsUs += microseconds;
    if (microseconds > statistics.longestTurnUs) statistics.longestTurnUs = microseconds;
    if (client.outbox !== undefined || this.hasFollowUps) this.hooks.appendMail(client, this.reply);
    this.turnClient = undefined;
    this.flush(client);
    this.hooks.afterTurn(client);
  }

  // ---- what a command sets going ---------------------------------------------------------------------------------

  /** Between two commands of `client`: its messages, then whoever waited for a key that is there now. */
  private follow(client: Client): void {
    this.hasFollowUps = false;
    this.hooks.appendMail(client, this.reply);
    if (!this.hooks.hasDueWaiters() || this.gates.busy !== undefined) return;
    this.timer.close(client);
    // The hashes that were prepared belong to this client's bytes.
    this.context.keyspace.forgetWarm();
    this.hooks.serveWaiters();
    this.adopt(client);
    this.hooks.appendMail(client, this.reply);
    this.hasFollowUps = false;
  }

  /** Serves whoever waits for keys that have come from elsewhere than a command: time, the end of a pause. */
  serveWaiters(): void {
    // Inside a turn it is done when the command has ended.
    if (this.turnClient !== undefined || this.gates.busy !== undefined || !this.hooks.hasDueWaiters()) return;
    this.readClock();
    this.hooks.serveWaiters();
    this.hasFollowUps = false;
  }

  /** Runs the request of a client that waits for keys again. False when it goes on waiting. */
  rerun(waiter: Waiter): boolean {
    const { client, command } = waiter;
    const { context, reply } = this;
    reply.lend(client.protocol);
    this.rerunClient = client;
    this.adopt(client);
    waiter.restore(context.request);
    this.hooks.appendMail(client, reply);
    reply.mark(this.mark);
    this.decideAgain(client, command);
    const isDone = context.suspension === undefined;
    context.suspension = undefined;
    context.keyWait = undefined;
    if (isDone) {
      this.endSuspension(client);
      this.applyReplyMode(client);
    }
    this.hooks.appendMail(client, reply);
    this.rerunClient = undefined;
    this.flush(client);
    this.hooks.afterTurn(client);
    reply.takeBack();
    if (isDone && client.unread !== undefined) this.clock.soon(() => this.proceed(client));
    return isDone;
  }

  /** Passes the gates that may have closed since the first run, and runs the command. */
  private decideAgain(client: Client, command: Command): void {
    const { gates, reply } = this;
    const flags = command.flagBits;
    const text = client.user.isUnlimited ? undefined : this.hooks.refusal(client, command, "toplevel");
    if (text !== undefined) {
      reply.errorText(`NOPERM ${text}`);
    } else if (gates.makeRoom !== undefined && !gates.makeRoom() && (flags & FLAG_DENYOOM) !== 0) {
      reply.error(OUT_OF_MEMORY);
    } else if (gates.misconfiguration !== undefined && (flags & FLAG_WRITE) !== 0) {
      reply.error(gates.misconfiguration);
    } else {
      this.run(client, command, 0);
      this.timer.close(client);
      return;
    }
    this.refused(client, command);
  }

  /** Whether a pause holds back what `waiter` would do. */
  isHeld({ client, command }: Waiter): boolean {
    return this.gates.pausedUntilMs !== 0 && this.gates.isPaused(client, command.flagBits, this.context.monotonicMs);
  }

  /** Serves what a client sent while it waited. */
  private proceed(client: Client): void {
    if (client.isClosing || client.suspension !== undefined || client.unread === undefined) return;
    const startMs = this.beginTurn(client);
    this.resumeReading(client);
    this.serve(client, client.unread, client.unreadBytes);
    this.endTurn(client, startMs);
  }

  /** Reads and executes requests until there is no whole one left, then keeps the rest. */
  private serve(client: Client, input: Uint8Array, end: number): void {
    const reader = this.reader;
    let base = reader.isInside() ? 0 : reader.position;
    let lookedTo = 0;
    for (;;) {
      const result = reader.next();
      if (result === "ready") {
        const isDone = this.execute(client, reader.position - base);
        if (!isDone) {
          // Put off by a pause: the same request is read again later (I3).
          this.keepRest(client, input, base, end, false);
          return;
        }
        if (this.hasFollowUps) this.follow(client);
        base = reader.position;
        if (base >= lookedTo && end - base > PREFETCH_BYTES_MIN) {
          lookedTo = this.prefetch.run(this.context.keyspace, this.context.database, input, base, end);
          // What could not be looked over is left alone until this read has been served.
          if (lookedTo === base) lookedTo = end;
        }
        if (client.isClosing) return;
        if (client.suspension !== undefined) {
          this.keepRest(client, input, base, end, false);
          return;
        }
        continue;
      }
      if (result === "error") {
        this.protocolError(client);
        return;
      }
      if (!reader.isInside()) base = reader.position;
      this.keepRest(client, input, base, end, reader.isInside());
      return;
    }
  }

  /** Keeps `input[base ... end)` for later; `isInside` when the reader has understood a part of it. */
  private keepRest(client: Client, input: Uint8Array, base: number, end: number, isInside: boolean): void {
    if (base >= end && !isInside) return client.forgetUnread();
    const expectedBytes = isInside ? this.reader.save(base, client.makeUnfinished()) : 0;
    if (!isInside) client.unfinished = undefined;
    client.keepRest(input, base, end, expectedBytes);
    this.checkQueryBuffer(client);
  }

  private checkQueryBuffer(client: Client): void {
    // What is queued for EXEC has been read, but not been done: it counts as well.
    const queuedBytes = client.transaction?.argumentBytes ?? 0;
    if (client.unreadBytes + queuedBytes <= this.queryBufferBytesMax) return;
    this.dropFullQueryBuffer(client);
  }

  private dropFullQueryBuffer(client: Client): void {
    this.statistics.queryBufferLimitDisconnections++;
    this.hooks.onQueryBufferFull(client);
    client.isClosing = true;
    client.connection.destroy();
  }

  private protocolError(client: Client): void {
    this.reply.mark(this.mark);
    this.reply.errorText(this.reader.errorText);
    this.countError();
    this.applyReplyMode(client);
    this.hooks.onProtocolError(client, this.reader.errorText.slice("ERR Protocol error: ".length));
    client.forgetUnread();
    client.isClosing = true;
  }

  /** Executes the request that was read. False when it has to wait. hot path */
  private execute(client: Client, requestBytes: number): boolean {
    if (client.replyMode === "on" && client.tracking === undefined) return this.decide(client, requestBytes);
    return this.executeSpecially(client, requestBytes);
  }

  /** For a client that silences replies, or tracks keys. */
  private executeSpecially(client: Client, requestBytes: number): boolean {
    const isSilenced = client.replyMode !== "on";
    const { tracking } = client;
    // CLIENT CACHING holds for the command behind it, or the transaction that begins there.
    const keepsConsent = this.context.request.is(0, "CLIENT");
    this.reply.mark(this.mark);
    const isDone = this.decide(client, requestBytes);
    // A request that waits has not been answered: CLIENT REPLY SKIP still holds for it.
    if (!isDone || client.suspension !== undefined) return isDone;
    if (isSilenced) this.applyReplyMode(client);
    if (tracking !== undefined && !keepsConsent && client.transaction === undefined) tracking.isConsentSet = false;
    return true;
  }

  /** Finds the command, asks the gates, calls it. hot path */
  private decide(client: Client, requestBytes: number): boolean {
    const request = this.context.request;
    const reply = this.reply;
    let command = this.commands.find(request, 0);
    if (command === undefined) {
      if (request.is(0, "POST") || request.is(0, "HOST:")) {
        this.hooks.onForeignProtocol(client);
        client.isClosing = true;
        client.connection.destroy();
        return true;
      }
      reply.errorText(unknownCommandText(request));
      return this.refused(client, undefined);
    }
    if (command.subcommands !== undefined && request.count > 1) {
      const subcommand = command.subcommands.find(request, 1);
      if (subcommand === undefined) {
        reply.errorText(unknownSubcommandText(request, command));
        // There is no command that it would be counted for, as with one that does not exist at all.
        return this.refused(client, undefined);
      }
      command = subcommand;
    }
    const arity = command.arity;
    const count = request.count;
    if (arity >= 0 ? count !== arity : count < -arity) {
      return this.refuse(client, command, `ERR wrong number of arguments for '${command.fullName}' command`);
    }
    const gates = this.gates;
    let flags = command.flagBits;
    const transaction = client.transaction;
    if (transaction !== undefined) flags = flagsInTransaction(transaction, command);
    if ((flags & FLAG_PROTECTED) !== 0 && !gates.mayUseProtected(command, client)) {
      return this.refuse(client, command, protectedText(command));
    }
    if (gates.requiresAuthentication && !client.isAuthenticated && (flags & FLAG_NO_AUTH) === 0) {
      return this.refuse(client, command, NO_AUTH.text);
    }
    if (transaction !== undefined && (flags & FLAG_NO_MULTI) !== 0) {
      return this.refuse(client, command, NOT_IN_MULTI.text);
    }
    if (!client.user.isUnlimited) {
      const text = this.hooks.refusal(client, command, transaction === undefined ? "toplevel" : "multi");
      if (text !== undefined) return this.refuse(client, command, `NOPERM ${text}`);
    }
    if (gates.makeRoom !== undefined && !this.makeRoom(client, gates.makeRoom) && (flags & FLAG_DENYOOM) !== 0) {
      return this.refuse(client, command, OUT_OF_MEMORY.text);
    }
    if (gates.misconfiguration !== undefined && gates.refuses(command, flags)) {
      return this.refuse(client, command, gates.misconfiguration.text);
    }
    if (client.subscriptions !== undefined && client.protocol === 2 && !command.isForSubscribers) {
      return this.refuse(client, command, subscriberText(command));
    }
    if (gates.isLoading && (flags & FLAG_LOADING) === 0) {
      return this.refuse(client, command, LOADING.text);
    }
    if (gates.busy !== undefined && (flags & FLAG_ALLOW_BUSY) === 0) {
      return this.refuse(client, command, gates.busy.text);
    }
    if (gates.pausedUntilMs !== 0 && gates.isPaused(client, flags, this.context.monotonicMs)) {
      this.suspendForPause(client, command);
      return false;
    }
    if (transaction !== undefined && !command.isNeverQueued) {
      this.enqueue(client, transaction, command, requestBytes);
      return true;
    }
    this.call(client, command, requestBytes);
    return true;
  }

  private makeRoom(client: Client, makeRoom: () => boolean): boolean {
    // A script that has given way is not done: no key may go.
    if (this.gates.busy !== undefined) return true;
    const hasRoom = makeRoom();
    if (this.hasFollowUps) {
      // What the client hears of evicted keys must come before what it reads now.
      this.hooks.appendMail(client, this.reply);
      this.reply.mark(this.mark);
    }
    return hasRoom;
  }

  /** Keeps the request for EXEC. */
  private enqueue(client: Client, transaction: Transaction, command: Command, requestBytes: number): void {
    if (transaction.argumentBytes + requestBytes > QUEUE_BYTES_MAX) {
      this.dropFullQueryBuffer(client);
      return;
    }
    // Once something was refused, or a watched key has changed, EXEC will run nothing.
    if (!transaction.isAborted && !client.hasChangedKeys) transaction.add(command, this.context.request, requestBytes);
    client.lastCommand = command.fullName;
    this.reply.simple("QUEUED");
    this.checkQueryBuffer(client);
  }

  private suspendForPause(client: Client, command: Command): void {
    client.lastCommand = command.fullName;
    client.suspension = { kind: "pause", timeoutAtMs: 0, onTimeout: () => undefined };
    this.hooks.onPaused(client);
  }

  private call(client: Client, command: Command, requestBytes: number): void {
    const context = this.context;
    if (this.monitors === undefined) this.run(client, command, requestBytes);
    else this.monitors.show(client, command, context.request, () => this.run(client, command, requestBytes));
    client.lastCommand = command.fullName;
    if (context.suspension === undefined) return;
    if (context.keyWait !== undefined) {
      this.hooks.onKeyWait(client, command, context.keyWait);
      context.keyWait = undefined;
    }
    this.suspend(client, context.suspension);
  }

  /** Runs the command with the request that is loaded, and books what it cost and how it went. hot path */
  private run(client: Client, command: Command, requestBytes: number): void {
    const { context, reply } = this;
    const isAlone = this.timer.count(client, command, requestBytes <= BRIEF_BYTES_MAX);
    this.errorsSeen = reply.errorCount;
    const bytesBefore = reply.byteCount();
    reply.mark(this.callMark);
    try {
      if (context.log.isRecording) this.recorder.run(client, command);
      else command.run!(context);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      this.replyExhausted();
    }
    // Those of the commands that EXEC ran have been counted for them.
    if (reply.errorCount !== this.errorsSeen) {
      this.errorsSeen = reply.errorCount;
      command.failedCalls++;
      this.countError();
    }
    if (client.tracking !== undefined && command.isTracked) this.hooks.onTrackedRead(client, command);
    // Who waits for keys has been served when it gets its reply: then it counts.
    if (context.keyWait !== undefined) this.timer.uncount();
    if (isAlone || reply.byteCount() - bytesBefore > BRIEF_BYTES_MAX) this.timer.close(client);
  }

  /** The command ran out of memory: what it has replied so far is taken back. */
  private replyExhausted(): void {
    const { context, reply } = this;
    reply.rewind(this.callMark);
    context.suspension = undefined;
    context.keyWait = undefined;
    reply.errorCount = this.errorsSeen;
    reply.error(OUT_OF_MEMORY);
  }

  /**
   * EXEC: runs what the client has queued, from where it stands, until the end or until one of the commands has to wait
   * for the server itself; then `resume` comes back here.
   */
  runQueue(client: Client, transaction: Transaction): void {
    const { context, reply } = this;
    const request = context.request;
    // EXEC's own time goes on while those of its commands are taken; what they change is recorded for them.
    this.timer.setAside();
    context.log.skip();
    // CLIENT REPLY SKIP before EXEC silences all of it, which is seen to where EXEC ends; within, it means what follows.
    const isSkipped = client.replyMode === "skip";
    const lastCommand = client.lastCommand;
    const mark = { partCount: 0, position: 0 };
    if (client.replyMode === "off" && !transaction.isExecuting) reply.rewind(this.callMark);
    transaction.isExecuting = true;
    // The hashes that were prepared belong to other bytes.
    context.keyspace.forgetWarm();
    context.mayWait = false;
    while (transaction.hasNext() && context.suspension === undefined) {
      reply.mark(mark);
      const argumentStart = transaction.executedBytes;
      const command = transaction.load(request);
      const requestBytes = transaction.executedBytes - argumentStart;
      const text = client.user.isUnlimited ? undefined : this.hooks.lateRefusal(client, command);
      if (text !== undefined) {
        reply.errorText(`NOPERM ${text}`);
        this.countError();
        if (client.replyMode === "off" && !isSkipped) reply.rewind(mark);
        continue;
      }
      if (this.monitors === undefined) this.run(client, command, requestBytes);
      else this.monitors.show(client, command, request, () => this.run(client, command, requestBytes));
      if (client.replyMode === "off" && !isSkipped) reply.rewind(mark);
    }
    context.mayWait = true;
    this.timer.takeBack(client);
    if (context.suspension === undefined) {
      transaction.isExecuting = false;
      client.transaction = undefined;
    }
    client.lastCommand = lastCommand;
  }

  // ---- scripts -------------------------------------------------------------------------------------------------------

  /** From now on `runInScript` runs commands inside of the one in execution, whose own time goes on meanwhile. */
  beginScript(): void {
    this.context.log.skip();
    this.timer.setAside();
  }

  endScript(client: Client): void {
    this.timer.takeBack(client);
    // What the script's commands did wrong has been counted for them.
    this.errorsSeen = this.reply.errorCount;
  }

  /** Runs the request that is loaded as a command of `client`'s script. hot path */
  runInScript(client: Client, command: Command, requestBytes: number): void {
    this.run(client, command, requestBytes);
    const monitors = this.monitors;
    if (monitors !== undefined && command.isShown) {
      monitors.send(client, monitors.describe(command, this.context.request), true);
    }
  }

  /**
   * Goes on with a script that gave way to others; `step` returns what writes its reply when it has ended. Then the
   * client's wait is over.
   */
  proceedScript(client: Client, step: () => ((reply: ReplyWriter) => void) | undefined): void {
    const startMs = this.beginTurn(client);
    const write = step();
    if (this.context.log.isRecording) this.recorder.endUnit(client);
    this.endTurn(client, startMs);
    if (write === undefined) return;
    if (client.isClosing) this.serveWaiters();
    else this.resume(client, write);
  }

  private suspend(client: Client, suspension: Suspension): void {
    this.context.suspension = undefined;
    client.suspension = suspension;
    if (suspension.timeoutAtMs > 0) {
      const delayMs = Math.max(0, suspension.timeoutAtMs - this.context.monotonicMs);
      client.suspensionTimer = this.clock.after(delayMs, () => this.resume(client, suspension.onTimeout));
    }
    this.hooks.onSuspended(client);
  }

  private applyReplyMode(client: Client): void {
    // CLIENT REPLY ON, just executed, is heard again.
    if (client.replyMode === "on") return;
    this.reply.rewind(this.mark);
    if (client.replyMode === "off") return;
    client.replyMode = client.skipsNextReply ? "skip" : "on";
    client.skipsNextReply = false;
  }

  /** `text` is the whole error. EXEC, when it is refused, ends the transaction. */
  private refuse(client: Client, command: Command, text: string): boolean {
    if (command.isExec) {
      const reason = text.startsWith("ERR ") ? text.slice("ERR ".length) : text;
      this.reply.errorText(`EXECABORT Transaction discarded because of: ${reason}`);
      this.hooks.onTransactionRefused(client);
    } else {
      this.reply.errorText(text);
    }
    return this.refused(client, command);
  }

  private refused(client: Client, command: Command | undefined): boolean {
    if (client.transaction !== undefined) client.transaction.isAborted = true;
    if (command !== undefined) command.rejectedCalls++;
    this.countError();
    return true;
  }

  private countError(): void {
    this.statistics.countError(this.reply.lastErrorCode);
  }

  /** Sends what was written in this turn. hot path */
  flush(client: Client): void {
    const bytes = this.reply.byteCount();
    if (bytes > 0) {
      this.statistics.outputBytes += bytes;
      this.statistics.writeEvents++;
      this.reply.sendTo(client.connection);
    }
    if (client.isClosing) client.connection.end();
  }
}
