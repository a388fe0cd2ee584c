/**
 * One connection's state: who it is, what it chose, what it still has to say and to hear.
 *
 *      socket ──► unread (the part of a request that has come so far) ──► Dispatcher
 *
 *  I1  While `suspension` is set, requests are kept in `unread` and none is read.
 *  I2  `unread` is empty between whole requests: the usual client owns no buffer at all.
 *  I3  `id` is never used twice in a server's life.
 */

import type { ClientState, Suspension } from "../commands/command.ts";
import type { Connection, Timer } from "../core/host.ts";
import type { UnfinishedRequest } from "../protocol/request-reader.ts";
import type { User } from "./acl/user.ts";
import type { Waiter } from "./blocking.ts";
import type { Outbox } from "./mail.ts";
import type { Subscriptions } from "./pubsub.ts";
import type { ClientTracking } from "./tracking.ts";
import type { Transaction } from "./transaction.ts";
import type { Watch } from "./watched-keys.ts";

/** What CLIENT REPLY asked for; `skip` holds for the one command that comes. */
export type ReplyMode = "on" | "off" | "skip";

export type ClientClass = "normal" | "replica" | "pubsub";

export class Client implements ClientState {
  readonly id: number;
  readonly connection: Connection;
  databaseIndex: number;
  protocol: 2 | 3;
  isAuthenticated: boolean;
  user: User;
  name: string;
  libraryName: string;
  libraryVersion: string;
  replyMode: ReplyMode;
  /** CLIENT REPLY SKIP was called while a reply was being skipped: the next one is, too. */
  skipsNextReply: boolean;
  isEvictable: boolean;
  touchesKeys: boolean;

  /** Kept bytes, `unreadBytes` of them filled; undefined when nothing is kept. */
  unread: Uint8Array | undefined;
  unreadBytes: number;
  unfinished: UnfinishedRequest | undefined;

  /** Set between MULTI and the end of EXEC or DISCARD. */
  transaction: Transaction | undefined;
  watches: Watch[];
  /** Memory of `watches`. */
  watchedBytes: number;
  /** A watched key was changed: EXEC will do nothing. */
  hasChangedKeys: boolean;

  /** What it waits for when it waits for keys. */
  waiter: Waiter | undefined;
  /** What it listens to; undefined when to nothing. */
  subscriptions: Subscriptions | undefined;
  /** How it tracks keys for its own cache; undefined when it does not. */
  tracking: ClientTracking | undefined;
  /** By which it is known to Tracking, 0 when it has never tracked. */
  trackingSerial: number;
  /** It hears of every command: MONITOR. */
  isMonitor: boolean;
  /** Messages on their way to it; undefined as long as there has never been one. */
  outbox: Outbox | undefined;
  suspension: Suspension | undefined;
  suspensionTimer: Timer | undefined;
  /** The client is gone, or will be as soon as what was written has left. */
  isClosing: boolean;

  readonly createdMs: number;
  /** Monotonic ms of the last request. */
  lastRequestMs: number;
  /** Name of the last command, "container|sub" for subcommands. */
  lastCommand: string;
  /** Monotonic ms since which the output buffer has been above its soft limit, 0 when it is not. */
  softLimitSinceMs: number;
  /** Buffer bytes of this client that are part of the sum in Clients. */
  accountedBytes: number;

  constructor(id: number, connection: Connection, createdMs: number, monotonicMs: number, user: User) {
    this.id = id;
    this.connection = connection;
    this.databaseIndex = 0;
    this.protocol = 2;
    this.isAuthenticated = false;
    this.user = user;
    this.name = "";
    this.libraryName = "";
    this.libraryVersion = "";
    this.replyMode = "on";
    this.skipsNextReply = false;
    this.isEvictable = true;
    this.touchesKeys = true;
    this.unread = undefined;
    this.unreadBytes = 0;
    this.unfinished = undefined;
    this.transaction = undefined;
    this.watches = [];
    this.watchedBytes = 0;
    this.hasChangedKeys = false;
    this.waiter = undefined;
    this.subscriptions = undefined;
    this.tracking = undefined;
    this.trackingSerial = 0;
    this.isMonitor = false;
    this.outbox = undefined;
    this.suspension = undefined;
    this.suspensionTimer = undefined;
    this.isClosing = false;
    this.createdMs = createdMs;
    this.lastRequestMs = monotonicMs;
    this.lastCommand = "NULL";
    this.softLimitSinceMs = 0;
    this.accountedBytes = 0;
  }

  clientClass(): ClientClass {
    return this.subscriptions === undefined ? "normal" : "pubsub";
  }

  /** The place for what the reader has understood of an unfinished request. */
  makeUnfinished(): UnfinishedRequest {
    this.unfinished ??= {
      position: 0,
      expected: 0,
      bulkLength: -1,
      count: 0,
      offset: new Int32Array(0),
      length: new Int32Array(0),
    };
    return this.unfinished;
  }

  /** Nothing is kept any more. */
  forgetUnread(): void {
    this.unread = undefined;
    this.unreadBytes = 0;
    this.unfinished = undefined;
  }

  /** Keeps `input[base ... end)` and nothing else; `input` may be what is kept already. For `expectedBytes` see `keep`. */
  keepRest(input: Uint8Array, base: number, end: number, expectedBytes: number): void {
    if (input === this.unread) {
      if (base > 0) {
        input.copyWithin(0, base, end);
        this.unreadBytes = end - base;
      }
      if (expectedBytes > input.length) this.keep(input, 0, 0, expectedBytes);
    } else {
      this.unread = undefined;
      this.unreadBytes = 0;
      this.keep(input, base, end, expectedBytes);
    }
  }

  /** Adds bytes to what is kept. `expectedBytes` is what will be needed in all, as far as it is known. */
  keep(bytes: Uint8Array, start: number, end: number, expectedBytes: number): void {
    const length = end - start;
    const needed = Math.max(this.unreadBytes + length, expectedBytes);
    let unread = this.unread;
    if (unread === undefined || unread.length < needed) {
      const size = Math.max(
        needed,
        unread === undefined ? 1024 : Math.min(unread.length * 2, unread.length + (64 << 20)),
      );
      const larger = new Uint8Array(size);
      if (unread !== undefined) larger.set(unread.subarray(0, this.unreadBytes));
      this.unread = unread = larger;
    }
    unread.set(bytes.subarray(start, end), this.unreadBytes);
    this.unreadBytes += length;
  }

  /** Bytes of memory that the client's buffers take. */
  bufferBytes(): number {
    return (this.unread?.length ?? 0) + this.connection.pendingBytes() + this.transactionBytes() + this.waitingBytes();
  }

  /** Bytes of the request that waits for keys, and of what the client listens to. */
  private waitingBytes(): number {
    return (this.waiter?.argumentBytes.length ?? 0) + (this.subscriptions?.memoryBytes ?? 0);
  }

  /** Bytes of memory that queued commands and watched keys take. */
  transactionBytes(): number {
    return (this.transaction?.memoryBytes ?? 0) + this.watchedBytes;
  }
}
