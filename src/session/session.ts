/**
 * Session: everything about connected clients in one place, from accept to close.
 *
 *      Net ── accept ──► Limits.refusal? ──► Client, in Clients ──► ClientHandler ── onData ──► Dispatcher
 *                                                                         └──────── onClose ──► gone
 *
 *      the composition root:   session = new Session(...)                 its commands() go into the CommandIndex,
 *                              dispatcher = new Dispatcher(..., session.gates, session)
 *                              session.attach(dispatcher);  net.listen(..., session.accept);  session.cron() 10 × a second
 *
 *  I1  A client that is gone waits for nothing: its timers are cancelled, its suspension has been told.
 *  I2  A suspension is ended once; whoever ends it from inside another client's command does so when that is done.
 *  Source: how Redis 7.2 accepts, counts and closes clients.
 */

import type { ClientState, CommandTable, KeyWait } from "../commands/command.ts";
import type { Clock, Connection, ConnectionHandler } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Request } from "../protocol/request.ts";
import { AccessControl } from "./acl/access-control.ts";
import { aclCommands } from "./acl/commands.ts";
import { Blocking } from "./blocking.ts";
import type { Client } from "./client.ts";
import { Clients, clientLine } from "./clients.ts";
import type { Command } from "./command-index.ts";
import { connectionCommands } from "./commands.ts";
import { pubsubCommands } from "./commands-pubsub.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Gates } from "./gates.ts";
import type { DispatchHooks } from "./hooks.ts";
import { KeyspaceEvents } from "./keyspace-events.ts";
import { Limits, type SessionLog } from "./limits.ts";
import { Mail } from "./mail.ts";
import { Monitors } from "./monitors.ts";
import { Pause } from "./pause.ts";
import { PubSub } from "./pubsub.ts";
import { ReplyGate } from "./reply-gate.ts";
import { Functions } from "./scripting/function-commands.ts";
import { Libraries } from "./scripting/libraries.ts";
import { Scripts } from "./scripting/script-commands.ts";
import { Scripting } from "./scripting/scripting.ts";
import { clientOf, type ServerIdentity, type SessionServices } from "./services.ts";
import type { SessionStatistics } from "./statistics.ts";
import { Tracking } from "./tracking.ts";
import { Transactions } from "./transactions.ts";

/** How much of an oversized request the log shows. */
const LOGGED_BYTES_MAX = 64;

export interface SessionOptions {
  readonly clock: Clock;
  readonly identity: ServerIdentity;
  readonly log: SessionLog;
  /** The Lua machine's WebAssembly bytes, asked for when the first script runs. */
  readonly luaModule?: () => Uint8Array;
  /** Microseconds since 1970, for MONITOR; without it whole milliseconds of the clock. */
  readonly nowUs?: () => number;
}

/** What needs the dispatcher and its context. */
interface SessionParts {
  readonly mail: Mail;
  readonly pubsub: PubSub;
  readonly blocking: Blocking;
  readonly events: KeyspaceEvents;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  readonly acl: AccessControl;
  readonly gate: ReplyGate;
}

export class Session implements DispatchHooks, SessionServices {
  readonly clock: Clock;
  readonly clients: Clients;
  readonly gates: Gates;
  readonly pause: Pause;
  readonly limits: Limits;
  readonly transactions: Transactions;
  readonly identity: ServerIdentity;
  readonly scripting: Scripting;
  readonly scripts: Scripts;
  readonly functions: Libraries;
  /** Told of slow commands: SLOWLOG and LATENCY. */
  onSlowCommand: ((command: Command, request: Request, client: Client, microseconds: number) => void) | undefined;

  private readonly log: SessionLog;
  private dispatcher: Dispatcher | undefined;
  private readonly nowUs: () => number;
  /** Made by `attach`. */
  private parts: SessionParts | undefined;
  /** Clients that a blocking command holds. */
  private readonly blocked: Set<Client>;
  /** Those of them whose end of waiting is on its way. */
  private readonly waking: Set<Client>;

  constructor(options: SessionOptions) {
    this.clock = options.clock;
    this.clients = new Clients();
    this.gates = new Gates();
    this.transactions = new Transactions();
    this.identity = options.identity;
    this.scripting = new Scripting({
      clock: options.clock,
      version: options.identity.version,
      luaModule: options.luaModule ?? noLua,
      log: (level, text) => options.log(level, () => text),
    });
    this.scripts = new Scripts(this.scripting);
    this.functions = new Libraries(this.scripting);
    this.onSlowCommand = undefined;
    this.log = options.log;
    this.nowUs = options.nowUs ?? (() => options.clock.nowMs() * 1000);
    this.dispatcher = undefined;
    this.parts = undefined;
    this.blocked = new Set();
    this.waking = new Set();
    this.pause = new Pause(
      options.clock,
      this.gates,
      (client) => this.attached().resume(client, undefined),
      () => this.attached().serveWaiters(),
    );
    this.limits = new Limits({
      clock: options.clock,
      clients: this.clients,
      log: options.log,
      statistics: () => this.attached().statistics,
      isOpen: () => this.acl.defaultUser.needsNoPassword,
      kill: (client) => this.kill(client),
    });
  }

  /** The table entries of this folder. */
  commands(): CommandTable {
    return {
      ...connectionCommands(this),
      ...pubsubCommands(this),
      ...this.transactions.commands(),
      ...Monitors.commands(() => this.monitors),
      ...this.scripts.commands(),
      ...new Functions(this.scripting, this.functions).commands(),
      ...aclCommands(this),
    };
  }

  /** Once, before the first connection. */
  attach(dispatcher: Dispatcher): void {
    this.dispatcher = dispatcher;
    const { context } = dispatcher;
    context.keyspace.onRemoval = (database, record, reason) => context.removed(database, record, reason);
    this.makeParts(dispatcher);
    this.transactions.attach(dispatcher);
    this.scripting.attach(dispatcher);
    this.scripting.refusal = (client, command) => this.acl.scriptRefusal(client, command, context.request);
    this.scripting.mayRun = (client, command) => this.acl.mayRun(client, command, context.request);
  }

  private makeParts(dispatcher: Dispatcher): void {
    const { context } = dispatcher;
    const random = context.random;
    const hash = new KeyHash(random.uint32(), random.uint32());
    const mail = new Mail({
      clock: this.clock,
      statistics: () => dispatcher.statistics,
      isBeingServed: (client) => client === dispatcher.turnClient || client === dispatcher.rerunClient,
      onOwnMail: () => {
        dispatcher.hasFollowUps = true;
      },
      afterWrite: (client) => this.limits.afterTurn(client),
    });
    const blocking = new Blocking(context, hash, {
      run: (waiter) => dispatcher.rerun(waiter),
      isHeld: (waiter) => dispatcher.isHeld(waiter),
      onDue: () => {
        dispatcher.hasFollowUps = true;
        // Outside a turn, no command will end and look.
        if (dispatcher.turnClient === undefined) this.clock.soon(() => dispatcher.serveWaiters());
      },
    });
    const pubsub = new PubSub(hash, mail);
    const events = new KeyspaceEvents(context, pubsub, () => this.gates.isLoading);
    const tracking = new Tracking(context, hash, mail, {
      clock: this.clock,
      findClient: (id) => this.clients.find(id),
      currentClient: () => dispatcher.rerunClient ?? dispatcher.turnClient,
      onOwnMessage: () => {
        dispatcher.hasFollowUps = true;
      },
    });
    const monitors: Monitors = new Monitors({
      mail,
      nowUs: this.nowUs,
      onChange: (isMonitored) => {
        dispatcher.monitors = isMonitored ? monitors : undefined;
      },
    });
    const acl = this.makeAcl(dispatcher);
    context.readsEveryKey = () => {
      const { user } = clientOf(context);
      const command = user.isUnlimited ? undefined : dispatcher.commands.find(context.request, 0);
      return command === undefined || user.readsEveryKey(command, context.request);
    };
    const gate = new ReplyGate(context.log);
    this.parts = { mail, pubsub, blocking, events, tracking, monitors, acl, gate };
  }

  private makeAcl(dispatcher: Dispatcher): AccessControl {
    const { random } = dispatcher.context;
    return new AccessControl({
      clock: this.clock,
      clients: this.clients,
      commands: dispatcher.commands,
      statistics: () => dispatcher.statistics,
      currentClient: () => dispatcher.rerunClient ?? dispatcher.turnClient,
      kill: (client) => this.kill(client),
      describe: (client) => this.line(client),
      onDefaultChanged: () => {
        this.gates.requiresAuthentication = this.acl.requiresAuthentication();
      },
      randomMark: () => random.uint32().toString(16).padStart(8, "0"),
    });
  }

  private get made(): SessionParts {
    if (this.parts === undefined) throw new Error("the session has no dispatcher yet");
    return this.parts;
  }

  get pubsub(): PubSub {
    return this.made.pubsub;
  }

  /** Where replies wait until the log is on the disk. */
  get gate(): ReplyGate {
    return this.made.gate;
  }

  get mail(): Mail {
    return this.made.mail;
  }

  /** Users and what they may do. */
  get acl(): AccessControl {
    return this.made.acl;
  }

  /** Client-side caching. */
  get tracking(): Tracking {
    return this.made.tracking;
  }

  /** Clients that hear of every command. */
  get monitors(): Monitors {
    return this.made.monitors;
  }

  /** Clients that wait for keys. */
  get blocking(): Blocking {
    return this.made.blocking;
  }

  private attached(): Dispatcher {
    if (this.dispatcher === undefined) throw new Error("the session has no dispatcher yet");
    return this.dispatcher;
  }

  get statistics(): SessionStatistics {
    return this.attached().statistics;
  }

  /** INFO's blocked_clients: all that wait, also for the end of a pause or of a shutdown. */
  get blockedCount(): number {
    return this.blocked.size;
  }

  // ---- directives that are more than a field of `limits` ----------------------------------------------------------

  /** `requirepass`: those who are in stay in. */
  setPassword(text: string): void {
    this.acl.setDefaultPassword(text);
  }

  /** `client-query-buffer-limit`, bytes. */
  setQueryBufferLimit(bytes: number): void {
    this.attached().queryBufferBytesMax = bytes;
  }

  /** `notify-keyspace-events`: which events of keys are published. */
  setKeyspaceEvents(letters: string): void {
    this.made.events.configure(letters);
  }

  /** `tcp-keepalive`, seconds between probes; holds for connections to come. */
  setKeepAlive(seconds: number): void {
    this.limits.keepAliveSeconds = seconds;
  }

  // ---- a connection's life ------------------------------------------------------------------------------------------

  /** Takes a new connection; the handler that Net calls from now on. A field, so that it can be handed out as it is. */
  readonly accept = (connection: Connection): ConnectionHandler => {
    const dispatcher = this.attached();
    const refusal = this.limits.refusal(connection);
    if (refusal !== undefined) {
      dispatcher.statistics.rejectedConnections++;
      const bytes = new TextEncoder().encode(refusal);
      connection.write(bytes, 0, bytes.length);
      connection.end();
      return new RefusedHandler();
    }
    dispatcher.statistics.connections++;
    if (this.limits.keepAliveSeconds > 0) connection.setKeepAlive(true, this.limits.keepAliveSeconds);
    const gated = this.gate.wrap(connection);
    const client = this.clients.add(gated, this.clock.nowMs(), this.clock.monotonicMs(), this.acl.defaultUser);
    client.isAuthenticated = !this.acl.requiresAuthentication();
    this.log("verbose", () => `Accepted ${connection.remoteAddress}`);
    return new ClientHandler(this, dispatcher, client);
  };

  /** The connection has ended, whoever ended it. */
  gone(client: Client): void {
    // Who was killed has been removed before, and the log says why.
    if (this.clients.find(client.id) === client) {
      this.log("verbose", () => `Client closed connection ${this.line(client)}`);
    }
    this.forget(client);
  }

  /** Closes at once; unlisted from now on. */
  kill(client: Client): void {
    this.clients.kill(client);
    this.forget(client);
  }

  /** Closes all connections at once. */
  closeAll(): void {
    for (const client of this.clients.all()) this.kill(client);
  }

  private forget(client: Client): void {
    client.isClosing = true;
    this.clients.remove(client);
    this.pause.forget(client);
    this.transactions.discard(client);
    this.blocking.forget(client);
    this.pubsub.forget(client);
    this.tracking.forget(client);
    this.monitors.forget(client);
    this.blocked.delete(client);
    this.waking.delete(client);
    const suspension = client.suspension;
    client.suspension = undefined;
    client.suspensionTimer?.cancel();
    client.suspensionTimer = undefined;
    suspension?.onGone?.();
  }

  // ---- waiting -------------------------------------------------------------------------------------------------------

  /** Ends a client's wait with a reply, if it is still there and waiting. Not from inside a command: see `wake`. */
  resume(state: ClientState, write: (reply: ReplyWriter) => void): void {
    const client = this.clients.find(state.id);
    if (client === undefined || client.suspension === undefined || client.suspension.kind === "pause") return;
    this.attached().resume(client, write);
  }

  wake(client: Client, write: (reply: ReplyWriter) => void): boolean {
    const suspension = client.suspension;
    if (suspension?.kind !== "wait" || this.waking.has(client)) return false;
    this.waking.add(client);
    if (client.waiter !== undefined) this.blocking.withdraw(client.waiter);
    this.clock.soon(() => {
      // Its own timeout or the end of the connection may have come first.
      if (!this.waking.delete(client) || client.suspension !== suspension) return;
      this.attached().resume(client, write);
    });
    return true;
  }

  // ---- what the dispatcher tells -------------------------------------------------------------------------------------

  onSlow(command: Command, request: Request, client: Client, microseconds: number): void {
    this.onSlowCommand?.(command, request, client, microseconds);
  }

  onSuspended(client: Client): void {
    this.blocked.add(client);
  }

  onResumed(client: Client): void {
    this.blocked.delete(client);
    this.waking.delete(client);
    if (client.waiter !== undefined) this.blocking.forget(client);
  }

  onKeyWait(client: Client, command: Command, wait: KeyWait): void {
    this.blocking.add(client, command, wait);
  }

  onTrackedRead(client: Client, command: Command): void {
    this.tracking.remember(client, command);
  }

  appendMail(client: Client, reply: ReplyWriter): void {
    this.tracking.appendOwn(client, reply);
    this.mail.appendTo(client, reply);
  }

  hasDueWaiters(): boolean {
    return this.blocking.hasDue;
  }

  serveWaiters(): void {
    this.blocking.serve();
  }

  onPaused(client: Client): void {
    this.blocked.add(client);
    this.pause.hold(client);
  }

  refusal(client: Client, command: Command, context: "toplevel" | "multi" | "lua"): string | undefined {
    return this.acl.refusal(client, command, this.attached().context.request, context);
  }

  lateRefusal(client: Client, command: Command): string | undefined {
    return this.acl.lateRefusal(client, command, this.attached().context.request);
  }

  onTransactionRefused(client: Client): void {
    this.transactions.discard(client);
  }

  afterTurn(client: Client): void {
    this.limits.afterTurn(client);
  }

  onQueryBufferFull(client: Client): void {
    this.log("warning", () => {
      const start = Array.from(client.unread?.subarray(0, LOGGED_BYTES_MAX) ?? [], quotedByte).join("");
      return `Closing client that reached max query buffer length: ${this.line(client)} (qbuf initial bytes: "${start}")`;
    });
  }

  onProtocolError(client: Client, reason: string): void {
    this.log("verbose", () => `Protocol error (${reason}) from client: ${this.line(client)}`);
  }

  onForeignProtocol(client: Client): void {
    this.log(
      "warning",
      () =>
        `Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection from ${client.connection.remoteAddress} aborted.`,
    );
  }

  /** A share of the regular work: call it ten times a second. */
  cron(): void {
    this.limits.cron();
    this.tracking.keepLimit();
  }

  private line(client: Client): string {
    return clientLine(client, this.clock.nowMs(), this.clock.monotonicMs(), -1);
  }
}

/** Where nobody has said how the Lua machine is found. */
function noLua(): Uint8Array {
  throw new RangeError("there is no Lua machine here");
}

/** A byte as the log shows it. */
function quotedByte(byte: number): string {
  if (byte === 34 || byte === 92) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  if (byte === 13) return "\\r";
  if (byte === 10) return "\\n";
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** One connection that was accepted. */
class ClientHandler implements ConnectionHandler {
  private readonly session: Session;
  private readonly dispatcher: Dispatcher;
  private readonly client: Client;

  constructor(session: Session, dispatcher: Dispatcher, client: Client) {
    this.session = session;
    this.dispatcher = dispatcher;
    this.client = client;
  }

  /** hot path */
  onData(bytes: Uint8Array, length: number): void {
    this.dispatcher.receive(this.client, bytes, length);
  }

  onClose(): void {
    this.session.gone(this.client);
  }
}

/** One that was not: what it says is not heard. */
class RefusedHandler implements ConnectionHandler {
  onData(): void {}

  onClose(): void {}
}
