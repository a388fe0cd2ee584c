/**
 * Client-side caching: who is told that what it has read is not true any more.
 *
 *      a read command of a client that tracks ──► TrackedKeys: key ──► serials of clients
 *      a key is changed, expires, is evicted  ──► its serials, once ──► invalidate [key] ──► the client, or whom it redirects to
 *                                             ──► Broadcasts: prefixes, once per turn of the event loop
 *      FLUSHALL, FLUSHDB                      ──► invalidate null ──► all that track
 *
 *  I1  `client.tracking` is undefined exactly while the client does not track: a command without it pays one look.
 *  I2  This object observes changed keys only while somebody tracks or a key is remembered.
 *  I3  What a client's own command invalidates follows its reply, or that of EXEC, before any other message to it.
 *  I4  A serial belongs to one connection, from its first CLIENT TRACKING ON to its end; what is remembered of one that
 *      is gone is found to be nobody's when its key is changed.
 *  I5  A key that cannot be remembered, or must be forgotten to keep the limit, counts as changed.
 *  Source: client-side caching as Redis 7.2 documents it; order of messages and replies as redis-server 7.0 shows them.
 */

import type { CommandContext, KeyObserver } from "../commands/command.ts";
import type { Clock } from "../core/host.ts";
import type { KeyHash } from "../core/sip-hash.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Database } from "../store/keyspace/keyspace.ts";
import { type BroadcastPrefix, Broadcasts } from "./broadcasts.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command-index.ts";
import { Invalidation, type MailPart } from "./invalidation.ts";
import { KeyFinder } from "./key-specs.ts";
import { type Mail, Outbox } from "./mail.ts";
import { TrackedKeys } from "./tracked-keys.ts";

/** Keys that are forgotten at a time when there are too many. */
const FORGOTTEN_AT_ONCE = 1000;

const NULL_2 = new TextEncoder().encode("$-1\r\n");
const NULL_3 = new TextEncoder().encode("_\r\n");
const BROKEN_HEAD = ">2\r\n$21\r\ntracking-redir-broken\r\n:";

/** What CLIENT TRACKING ON chose. */
export interface TrackingOptions {
  readonly isBroadcast: boolean;
  readonly isOptIn: boolean;
  readonly isOptOut: boolean;
  readonly isNoLoop: boolean;
  /** Id of the client that gets the messages, 0 for the client itself. */
  readonly redirection: number;
}

/** How one client tracks. */
export class ClientTracking {
  options: TrackingOptions;
  readonly serial: number;
  /** CLIENT CACHING was called for the command, or the transaction, that comes. */
  isConsentSet: boolean;
  /** The client that gets the messages was found to be gone. */
  isRedirectionBroken: boolean;
  /** What it listens to in broadcast mode. */
  readonly prefixes: Set<BroadcastPrefix>;

  constructor(options: TrackingOptions, serial: number) {
    this.options = options;
    this.serial = serial;
    this.isConsentSet = false;
    this.isRedirectionBroken = false;
    this.prefixes = new Set();
  }
}

export interface TrackingHost {
  readonly clock: Clock;
  /** The client with that id, undefined when there is none. */
  findClient(id: number): Client | undefined;
  /** The client whose command is being executed. */
  currentClient(): Client | undefined;
  /** There is something for that client, to be written behind its reply. */
  onOwnMessage(): void;
}

export class Tracking implements KeyObserver {
  /** tracking-table-max-keys; 0 without limit. */
  keysMax: number;
  /** Clients that track. */
  clientCount: number;
  readonly keys: TrackedKeys;
  private readonly context: CommandContext;
  private readonly host: TrackingHost;
  private readonly mail: Mail;
  private readonly broadcasts: Broadcasts;
  private readonly invalidation: Invalidation;
  private readonly finder: KeyFinder;
  private readonly bySerial: Map<number, Client>;
  private lastSerial: number;
  /** What the command in execution invalidates for its own client (I3). */
  private readonly own: Outbox;
  private ownClient: Client | undefined;

  constructor(context: CommandContext, hash: KeyHash, mail: Mail, host: TrackingHost) {
    this.keysMax = 1_000_000;
    this.clientCount = 0;
    this.keys = new TrackedKeys(hash, () => context.random.uint32());
    this.context = context;
    this.host = host;
    this.mail = mail;
    this.broadcasts = new Broadcasts(hash);
    this.invalidation = new Invalidation(mail);
    this.finder = new KeyFinder();
    this.bySerial = new Map();
    this.lastSerial = 0;
    this.own = new Outbox();
    this.ownClient = undefined;
  }

  /** Prefixes that somebody listens to. */
  get prefixCount(): number {
    return this.broadcasts.prefixCount;
  }

  // ---- who tracks --------------------------------------------------------------------------------------------------

  /** CLIENT TRACKING ON, also once more; `prefixes` are kept, and used in broadcast mode only. */
  enable(client: Client, options: TrackingOptions, prefixes: readonly Uint8Array[]): void {
    let tracking = client.tracking;
    if (tracking === undefined) {
      tracking = new ClientTracking(options, this.serialOf(client));
      client.tracking = tracking;
      this.clientCount++;
      this.context.observe(this);
    }
    tracking.options = options;
    tracking.isRedirectionBroken = false;
    if (!options.isBroadcast) return;
    for (const name of prefixes.length === 0 ? [new Uint8Array(0)] : prefixes) {
      tracking.prefixes.add(this.broadcasts.join(client, name));
    }
  }

  private serialOf(client: Client): number {
    if (client.trackingSerial === 0) {
      // After 2^32 of them they come again: some old one's keys may then be told to somebody who does not know them.
      this.lastSerial = (this.lastSerial + 1) | 0;
      if (this.lastSerial === 0) this.lastSerial = 1;
      client.trackingSerial = this.lastSerial;
      this.bySerial.set(client.trackingSerial, client);
    }
    return client.trackingSerial;
  }

  /** CLIENT TRACKING OFF, RESET. What the client has read stays remembered, for the case that it tracks again. */
  disable(client: Client): void {
    const { tracking } = client;
    if (tracking === undefined) return;
    for (const prefix of tracking.prefixes) this.broadcasts.leave(client, prefix);
    client.tracking = undefined;
    this.clientCount--;
    this.rest();
  }

  /** The client is gone. */
  forget(client: Client): void {
    this.disable(client);
    if (client.trackingSerial === 0) return;
    this.bySerial.delete(client.trackingSerial);
    // Nobody is left who could have read what is remembered.
    if (this.bySerial.size === 0) this.keys.clear();
    this.rest();
  }

  private rest(): void {
    if (this.clientCount === 0 && this.keys.count === 0) this.context.ignore(this);
  }

  // ---- what is read ------------------------------------------------------------------------------------------------

  /**
   * `client`, which tracks, has read by `command`, whose request is loaded; inside a script, the client that called the
   * script. hot path
   */
  remember(client: Client, command: Command): void {
    const tracking = client.tracking!;
    const { isBroadcast, isOptIn, isOptOut } = tracking.options;
    if (isBroadcast || (isOptIn && !tracking.isConsentSet) || (isOptOut && tracking.isConsentSet)) return;
    const { context, keys, finder } = this;
    const { request } = context;
    finder.find(command.keyRules, request, 0);
    for (let index = 0; index < finder.count; index++) {
      const position = finder.positions[index]!;
      const start = request.offset[position]!;
      const length = request.length[position]!;
      if (keys.add(tracking.serial, request.input, start, length)) continue;
      this.invalidation.beginKey(request.input, start, length);
      this.send(client, client);
    }
    if (this.keysMax !== 0 && keys.count > this.keysMax) this.keepLimit();
  }

  /** Forgets keys while there are too many, a bounded number at a time; ten calls a second, and after reading. */
  keepLimit(): void {
    const { keys, keysMax } = this;
    if (keysMax === 0) return;
    for (let step = 0; step < FORGOTTEN_AT_ONCE && keys.count > keysMax; step++) {
      keys.takeAny();
      this.tell(keys.keyBytes, 0, keys.keyLength);
    }
    this.rest();
  }

  // ---- what is changed ---------------------------------------------------------------------------------------------

  keyTouched(_database: Database, bytes: Uint8Array, start: number, length: number, isRemoval: boolean): void {
    if (this.broadcasts.prefixCount > 0) {
      const changer = isRemoval ? undefined : this.host.currentClient();
      if (this.broadcasts.note(bytes, start, length, changer)) this.host.clock.soon(() => this.broadcast());
    }
    if (!this.keys.take(bytes, start, length)) return;
    this.tell(bytes, start, length);
    this.rest();
  }

  /** Keys that change places stay the keys that they are; for those that go, see `keysFlushed`. */
  databaseTouched(): void {}

  keysFlushed(): void {
    const current = this.host.currentClient();
    for (const client of this.bySerial.values()) {
      if (client.tracking === undefined) continue;
      this.invalidation.beginValue(client.protocol === 3 ? NULL_3 : NULL_2);
      this.send(client, current);
    }
    this.keys.clear();
    this.rest();
  }

  /** Tells those whom `keys` has just taken out that the key has changed. */
  private tell(bytes: Uint8Array, start: number, length: number): void {
    const { invalidation, keys } = this;
    const current = this.host.currentClient();
    invalidation.beginKey(bytes, start, length);
    for (let index = 0; index < keys.serialCount; index++) {
      const client = this.bySerial.get(keys.serials[index]!);
      if (client?.tracking === undefined || client.tracking.options.isBroadcast) continue;
      if (client.tracking.options.isNoLoop && client === current) continue;
      this.send(client, current);
    }
  }

  private broadcast(): void {
    this.broadcasts.flush(
      (client) => client.tracking?.options.isNoLoop === true,
      (clients, keys) => {
        this.invalidation.beginValue(keys);
        for (const client of clients) this.send(client, undefined);
      },
    );
  }

  // ---- sending -----------------------------------------------------------------------------------------------------

  /** Sends the message in `invalidation` to `client` or to whom it redirects to. */
  private send(client: Client, current: Client | undefined): void {
    const { tracking } = client;
    // Who was too slow for what was sent before is closed by now.
    if (tracking === undefined) return;
    const { redirection } = tracking.options;
    const isOwn = client === current;
    if (redirection === 0) {
      if (client.protocol === 3) this.deliver(client, this.invalidation.push(), isOwn);
      return;
    }
    const receiver = this.host.findClient(redirection);
    if (receiver === undefined) {
      tracking.isRedirectionBroken = true;
      if (client.protocol === 3) this.sendBroken(client, redirection, isOwn);
    } else if (receiver.protocol === 3) {
      this.deliver(receiver, this.invalidation.push(), isOwn && receiver === current);
    } else if (receiver.subscriptions !== undefined) {
      this.deliver(receiver, this.invalidation.message(), isOwn && receiver === current);
    }
  }

  private sendBroken(client: Client, redirection: number, isOwn: boolean): void {
    const bytes = new TextEncoder().encode(`${BROKEN_HEAD}${redirection}\r\n`);
    this.deliver(client, { chunk: bytes, start: 0, end: bytes.length }, isOwn);
  }

  private deliver(receiver: Client, { chunk, start, end }: MailPart, isOwn: boolean): void {
    if (!isOwn) {
      this.mail.deliver(receiver, chunk, start, end);
      return;
    }
    if (this.ownClient !== receiver) {
      this.ownClient = receiver;
      this.own.clear();
    }
    this.own.add(chunk, start, end);
    this.host.onOwnMessage();
  }

  /** Writes what the command of `client` has invalidated for itself behind what `reply` holds. */
  appendOwn(client: Client, reply: ReplyWriter): void {
    const { own } = this;
    if (own.bytes === 0 || this.ownClient !== client) return;
    for (let index = 0; index < own.chunks.length; index++) {
      reply.raw(own.chunks[index]!, own.starts[index]!, own.ends[index]! - own.starts[index]!);
    }
    own.clear();
    this.ownClient = undefined;
  }
}
