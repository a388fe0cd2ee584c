/**
 * What a command is: one table entry beside its function. Everything else that is said about commands (arity check,
 * COMMAND INFO and DOCS, ACL, cluster slots, the documentation page, fuzz arguments) is derived from these entries.
 *
 *      STRLEN: { arity: 2, flags: ["readonly", "fast"], acl: ["read", "string"], keys: KEY_READ, since: "2.2.0",
 *                group: "string", complexity: "O(1)", summary: "...", arguments: "key", run: strlen }
 *
 *  I1  A function does, in this order: parse, look up, decide, change, record the effect, reply.
 *  I2  It touches no socket, no disk and no clock: what it needs is in its CommandContext.
 *  I3  It writes exactly one reply, or lets the client wait (`context.suspend`, `waitForKeys`), whose reply comes later.
 */

import type { Random } from "../core/host.ts";
import { CommandLog } from "../history/log/command-log.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Request } from "../protocol/request.ts";
import type { Database, Keyspace } from "../store/keyspace/keyspace.ts";
import { EVENT_EVICTED, EVENT_EXPIRED } from "./events.ts";

/** Flags as COMMAND INFO names them. */
export type CommandFlag =
  | "write"
  | "readonly"
  | "denyoom"
  | "admin"
  | "pubsub"
  | "noscript"
  | "blocking"
  | "loading"
  | "stale"
  | "skip_monitor"
  | "skip_slowlog"
  | "asking"
  | "fast"
  | "no_auth"
  | "may_replicate"
  | "sentinel"
  | "only_sentinel"
  | "no_mandatory_keys"
  | "protected"
  | "no_async_loading"
  | "no_multi"
  | "allow_busy"
  | "movablekeys";

export type AclCategory =
  | "keyspace"
  | "read"
  | "write"
  | "set"
  | "sortedset"
  | "list"
  | "hash"
  | "string"
  | "bitmap"
  | "hyperloglog"
  | "geo"
  | "stream"
  | "pubsub"
  | "admin"
  | "fast"
  | "slow"
  | "blocking"
  | "dangerous"
  | "connection"
  | "transaction"
  | "scripting";

export type CommandGroup =
  | "bitmap"
  | "cluster"
  | "connection"
  | "generic"
  | "geo"
  | "hash"
  | "hyperloglog"
  | "list"
  | "pubsub"
  | "scripting"
  | "sentinel"
  | "server"
  | "set"
  | "sorted-set"
  | "stream"
  | "string"
  | "transactions";

/** What happens to a key, as COMMAND INFO's key specifications say it. */
export type KeyFlag =
  | "RO"
  | "RW"
  | "OW"
  | "RM"
  | "access"
  | "update"
  | "insert"
  | "delete"
  | "not_key"
  | "incomplete"
  | "variable_flags";

/** Where a command's keys stand among its arguments. */
export interface KeySpec {
  readonly flags: readonly KeyFlag[];
  readonly begin:
    | { readonly index: number }
    | { readonly keyword: string; readonly startFrom: number }
    | { readonly unknown: true };
  readonly find:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyNumberIndex: number; readonly firstKey: number; readonly step: number }
    | { readonly unknown: true };
  readonly notes?: string;
}

/**
 * The syntax of the arguments after the name in one line, as documentation writes it:
 *
 *      key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]      [ ] optional    | one of
 *      key [key ...]                                                    ... repeated     CAPITALS a token
 */
export type ArgumentSyntax = string;

export interface CommandSpec {
  /** Number of arguments with the name; negative: at least that many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  /** Categories besides those that follow from the flags (write, read, fast, slow, admin, dangerous, pubsub, blocking). */
  readonly acl: readonly AclCategory[];
  readonly keys?: readonly KeySpec[];
  readonly since: string;
  readonly group: CommandGroup;
  /** "" where Redis documents none. */
  readonly complexity: string;
  /** One sentence in our own words. */
  readonly summary: string;
  readonly arguments?: ArgumentSyntax;
  /** Hints for clients and proxies, as COMMAND INFO shows them (request_policy:..., response_policy:..., nondeterministic_output). */
  readonly tips?: readonly string[];
  readonly deprecated?: { readonly since: string; readonly replacedBy: string };
  readonly history?: readonly (readonly [version: string, change: string])[];
  /** Not for applications: COMMAND DOCS says "syscmd". */
  readonly isSystemCommand?: boolean;
  /** Absent for a container that has only subcommands. */
  readonly run?: CommandFunction;
  /** By upper-case name; a container's own `run` is not called. */
  readonly subcommands?: CommandTable;
}

/** By upper-case name. */
export type CommandTable = Readonly<Record<string, CommandSpec>>;

export type CommandFunction = (context: CommandContext) => void;

/** What commands know of the client that sent them. */
export interface ClientState {
  readonly id: number;
  /** The database that SELECT chose. */
  databaseIndex: number;
}

/**
 * Why a client waits for its reply. `key` wakes it: see the class that made it. `onTimeout` and `onUnblock` write the
 * reply that a timeout or CLIENT UNBLOCK gives.
 */
export interface Suspension {
  /** CLIENT UNBLOCK ends "wait" only. */
  readonly kind: "wait" | "pause" | "shutdown" | "other";
  /** Monotonic ms after which `onTimeout` is called; 0 never. */
  readonly timeoutAtMs: number;
  readonly onTimeout: (reply: ReplyWriter) => void;
  /** The client went away while it waited. */
  readonly onGone?: () => void;
}

/**
 * A command found nothing in its keys and waits for them: see `CommandContext.waitForKeys`. When one of the keys was
 * touched and holds `keyType` now, the whole request is run again; it decides anew, and may wait again.
 */
export interface KeyWait {
  /** Arguments `firstKey ... firstKey + keyCount)` are the keys, in the client's database. The same key may come twice. */
  readonly firstKey: number;
  readonly keyCount: number;
  /** TYPE_LIST, TYPE_ZSET or TYPE_STREAM. */
  readonly keyType: number;
  /** Run again, too, when a key has gone or holds another type now: the command will find an error to reply. */
  readonly wakesOnLoss: boolean;
  /** 0 waits for ever. Counts from the first run. */
  readonly timeoutMs: number;
  /** Writes what a timeout answers. Must not look into the request: it is gone by then. */
  readonly onTimeout: (reply: ReplyWriter) => void;
  /** What it answers where nobody may wait (MULTI, scripts); without it as `onTimeout`. */
  readonly onRefusal?: (reply: ReplyWriter) => void;
  /** Arguments that mean something else by the next run, with what that run shall see instead (XREAD's `$`). */
  readonly replaced?: readonly { readonly argument: number; readonly bytes: Uint8Array }[];
}

/** Who wants to hear which keys commands change: watched keys, waiting clients. */
export interface KeyObserver {
  /** It serves those who wait for keys: it hears of `wake`, too. */
  readonly servesWaiting?: boolean;
  /**
   * A key was changed, made or deleted; `bytes` are only valid during the call, and need not lie in the request.
   * `isRemoval`: it is about to be deleted because its time is over or its memory is needed.
   */
  keyTouched(database: Database, bytes: Uint8Array, start: number, length: number, isRemoval: boolean): void;
  /**
   * All keys of `database` are about to be deleted (`replacement` undefined), or to change places with those of
   * another one. Nothing has happened yet.
   */
  databaseTouched(database: Database, replacement: Database | undefined): void;
  /** Once for each FLUSHDB or FLUSHALL, after `databaseTouched` of the databases that it empties. */
  keysFlushed?(): void;
}

/** Who publishes keyspace events. */
export interface EventObserver {
  /** `event` belongs to a class that `context.eventClasses` contains; `bytes` are only valid during the call. */
  keyEvent(event: string, database: Database, bytes: Uint8Array, start: number, length: number): void;
}

/** One command in execution. There is one object of this class per server; its fields change from command to command. */
export class CommandContext {
  readonly request: Request;
  readonly reply: ReplyWriter;
  readonly keyspace: Keyspace;
  readonly random: Random;
  /** The database selected by the client. */
  database: Database;
  client: ClientState;
  /** Monotonic ms at the start of the turn, for timeouts. */
  monotonicMs: number;
  /** Set by `suspend`; the session takes it from here when the command has returned. */
  suspension: Suspension | undefined;
  /** Set by `waitForKeys`; taken like `suspension`. */
  keyWait: KeyWait | undefined;
  /** False while commands run that nobody may wait in: those of EXEC, later those of scripts. */
  mayWait: boolean;
  /** Limits that directives set and commands check. */
  readonly limits: CommandLimits;
  /** Those who hear of changed keys; empty as long as nobody watches or waits. */
  readonly keyObservers: KeyObserver[];
  /** The classes of events that are published (events.ts); 0 none. */
  eventClasses: number;
  /** Publishes them. */
  eventObserver: EventObserver | undefined;
  /** Whether the client may read whatever keys the request leads to (SORT's patterns). */
  readsEveryKey: () => boolean;
  /** Where effects are recorded; what is replaced of them: see command-log.ts. */
  readonly log: CommandLog;
  /** How deep commands in execution are within each other: a script's within EXEC is 3; 0 between commands. */
  depth: number;
  /** lazyfree-lazy-expire, lazyfree-lazy-eviction: what is recorded of a key that went by itself is UNLINK, not DEL. */
  unlinksExpired: boolean;
  unlinksEvicted: boolean;
  /** lazyfree-lazy-user-del: so it is with what GETDEL deletes. */
  unlinksDeleted: boolean;
  /** A script has said that what its commands do is not recorded; what goes by itself still is. */
  isSilenced: boolean;

  constructor(
    request: Request,
    reply: ReplyWriter,
    keyspace: Keyspace,
    random: Random,
    client: ClientState,
    limits: CommandLimits,
  ) {
    this.request = request;
    this.reply = reply;
    this.keyspace = keyspace;
    this.random = random;
    this.database = keyspace.databases[0]!;
    this.client = client;
    this.monotonicMs = 0;
    this.suspension = undefined;
    this.keyWait = undefined;
    this.mayWait = true;
    this.limits = limits;
    this.keyObservers = [];
    this.eventClasses = 0;
    this.eventObserver = undefined;
    this.readsEveryKey = () => true;
    this.log = new CommandLog("0".repeat(40));
    this.depth = 0;
    this.unlinksExpired = false;
    this.unlinksEvicted = false;
    this.unlinksDeleted = false;
    this.isSilenced = false;
  }

  /**
   * The client waits: no reply is written now, and no further request of it is read until it is resumed. Where nobody
   * may wait, the reply of a timeout is written at once.
   */
  suspend(suspension: Suspension): void {
    if (!this.mayWait && suspension.kind === "wait") suspension.onTimeout(this.reply);
    else this.suspension = suspension;
  }

  /**
   * The client waits for keys; the command returns without a reply. Where nobody may wait, the reply of a timeout is
   * written at once.
   */
  waitForKeys(wait: KeyWait): void {
    if (this.mayWait) {
      const { timeoutMs, onTimeout } = wait;
      this.keyWait = wait;
      this.suspend({ kind: "wait", timeoutAtMs: timeoutMs === 0 ? 0 : this.monotonicMs + timeoutMs, onTimeout });
    } else if (wait.onRefusal !== undefined) wait.onRefusal(this.reply);
    else wait.onTimeout(this.reply);
  }

  // ---- what a command tells others, after it has changed something and before it looks up anything else ------------

  /** The key at argument `argument`, of the client's database, was changed. hot path */
  touched(argument: number): void {
    if (this.keyObservers.length === 0) return;
    const request = this.request;
    this.tellTouched(this.database, request.input, request.offset[argument]!, request.length[argument]!, false);
  }

  /** Those who wait for the key at argument `argument` are to look again, though the key counts as unchanged. */
  wake(argument: number): void {
    const { request, keyObservers } = this;
    for (let index = 0; index < keyObservers.length; index++) {
      const observer = keyObservers[index]!;
      if (observer.servesWaiting !== true) continue;
      observer.keyTouched(this.database, request.input, request.offset[argument]!, request.length[argument]!, false);
    }
  }

  /** As `touched`, for a key that is no argument or lies in another database. */
  touchedKey(database: Database, bytes: Uint8Array, start: number, length: number): void {
    if (this.keyObservers.length !== 0) this.tellTouched(database, bytes, start, length, false);
  }

  /** Before all keys of `database` are deleted, or exchanged for those of `replacement`. */
  touchedDatabase(database: Database, replacement: Database | undefined): void {
    const observers = this.keyObservers;
    for (let index = observers.length - 1; index >= 0; index--)
      observers[index]!.databaseTouched(database, replacement);
  }

  /** FLUSHDB or FLUSHALL is about to delete all keys that `touchedDatabase` told of. */
  keysFlushed(): void {
    const observers = this.keyObservers;
    for (let index = observers.length - 1; index >= 0; index--) observers[index]!.keysFlushed?.();
  }

  /** The keyspace is about to delete a key by itself; `onRemoval` of the keyspace is to lead here. */
  removed(database: Database, record: number, reason: "expired" | "evicted"): void {
    const { log } = this;
    const isRecorded = log.isRecording || this.isSilenced;
    if (this.keyObservers.length === 0 && this.eventClasses === 0 && !isRecorded) return;
    const records = this.keyspace.records;
    const bytes = records.view(record);
    const start = records.keyStart(record);
    const length = records.keyLength(record);
    if (isRecorded) {
      const unlinks = reason === "expired" ? this.unlinksExpired : this.unlinksEvicted;
      log.removed(database.index, unlinks ? "UNLINK" : "DEL", bytes, start, length, reason);
      // Within a command it belongs to what that command does.
      if (this.depth === 0) log.endUnit(this.keyspace.nowMs, reason);
    }
    if (reason === "expired") this.notifyKey(EVENT_EXPIRED, reason, database, bytes, start, length);
    this.tellTouched(database, bytes, start, length, true);
    if (reason === "evicted") this.notifyKey(EVENT_EVICTED, reason, database, bytes, start, length);
  }

  private tellTouched(database: Database, bytes: Uint8Array, start: number, length: number, isRemoval: boolean): void {
    const observers = this.keyObservers;
    // From the end: who has heard enough takes itself out, and nobody must be passed over for that.
    for (let index = observers.length - 1; index >= 0; index--) {
      observers[index]!.keyTouched(database, bytes, start, length, isRemoval);
    }
  }

  /** A keyspace event about the key at argument `argument`. `eventClass`: one bit of events.ts. hot path */
  notify(eventClass: number, event: string, argument: number): void {
    if ((this.eventClasses & eventClass) === 0) return;
    const request = this.request;
    const start = request.offset[argument]!;
    this.eventObserver?.keyEvent(event, this.database, request.input, start, request.length[argument]!);
  }

  /** As `notify`, for a key that is no argument or lies in another database. */
  notifyKey(
    eventClass: number,
    event: string,
    database: Database,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    if ((this.eventClasses & eventClass) === 0) return;
    this.eventObserver?.keyEvent(event, database, bytes, start, length);
  }

  /** What most commands tell: the key at argument `argument` was changed, by an event of this name. hot path */
  changed(eventClass: number, event: string, argument: number, dirty = 1): void {
    this.keyspace.dirty += dirty;
    if (this.keyObservers.length !== 0) this.touched(argument);
    if ((this.eventClasses & eventClass) !== 0) this.notify(eventClass, event, argument);
  }

  /** Lets `observer` hear of changed keys. */
  observe(observer: KeyObserver): void {
    if (!this.keyObservers.includes(observer)) this.keyObservers.push(observer);
  }

  /** `observer` wants to hear no more. */
  ignore(observer: KeyObserver): void {
    const index = this.keyObservers.indexOf(observer);
    if (index >= 0) this.keyObservers.splice(index, 1);
  }
}

export interface CommandLimits {
  /** proto-max-bulk-len: longest string, bytes. */
  stringBytesMax: number;
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION: RESTORE takes a payload whose sum is wrong. */
  skipsChecksums?: boolean;
  /** DEBUG QUICKLIST-PACKED-THRESHOLD: list elements of at least this size get a node of their own. */
  packedThresholdBytes?: number;
}

// ---- key specifications that many commands share -----------------------------------------------------------------

/** The key at argument `index`. */
export function keyAt(index: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin: { index }, find: { lastKey: 0, step: 1, limit: 0 } };
}

/** The keys from argument `index` to the last one. */
export function keysFrom(index: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin: { index }, find: { lastKey: -1, step: 1, limit: 0 } };
}

/** The keys behind the argument at `index`, which says how many they are. */
export function countedKeys(index: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin: { index }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 } };
}

function firstKey(...flags: KeyFlag[]): readonly KeySpec[] {
  return [keyAt(1, ...flags)];
}

function allKeys(...flags: KeyFlag[]): readonly KeySpec[] {
  return [keysFrom(1, ...flags)];
}

/** One key, first argument, whose value is read. */
export const KEY_READ = firstKey("RO", "access");
/** One key, of which only existence, type or metadata is read. */
export const KEY_METADATA = firstKey("RO");
/** One key whose value is replaced or made. */
export const KEY_OVERWRITE = firstKey("OW", "update");
export const KEY_INSERT = firstKey("OW", "insert");
/** One key whose value is read and changed. */
export const KEY_UPDATE = firstKey("RW", "access", "update");
/** One key whose value or metadata is changed without being returned. */
export const KEY_MODIFY = firstKey("RW", "update");
export const KEY_APPEND = firstKey("RW", "insert");
export const KEYS_READ = allKeys("RO", "access");
export const KEYS_METADATA = allKeys("RO");
export const KEYS_DELETE = allKeys("RM", "delete");
