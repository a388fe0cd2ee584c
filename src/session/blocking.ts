/**
 * Clients that wait for keys, and their turn when a key is there.
 *
 *      database ── key ──► KeyQueue   alice ─ bob ─ carol      in the order in which they began to wait
 *                             ▲          └──────────────┐
 *      a command touches the key: the queue is due      └─ Waiter: the whole request, kept, and all queues it stands in
 *
 *      command or EXEC ends ──► due queues, oldest first ──► run the waiter's request again ──► reply, or goes on waiting
 *                                      ▲                                │
 *                                      └── its own changes (BLMOVE) ◄───┘
 *
 *  I1  A waiter stands once in the queue of each of its keys, from its first run until its reply; running again without
 *      success changes neither its place nor its deadline.
 *  I2  A queue exists exactly as long as somebody stands in it.
 *  I3  Waiters run between commands, never inside one, and never inside each other.
 *  I4  This observer is told of changed keys only while somebody waits.
 *  Source: the blocking commands of Redis 7.2, which runs a blocked command again when its key is there.
 */

import type { CommandContext, KeyObserver, KeyWait } from "../commands/command.ts";
import { assert } from "../core/assert.ts";
import type { KeyHash } from "../core/sip-hash.ts";
import type { Request } from "../protocol/request.ts";
import type { Database, Keyspace } from "../store/keyspace/keyspace.ts";
import { ByteEntry, ByteMap } from "./byte-map.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command-index.ts";

/** What a type is called that no key has. */
const NO_TYPE = -1;

/** Those who wait for one key of one database. */
class KeyQueue extends ByteEntry {
  readonly database: Database;
  readonly waiters = new Set<Waiter>();
  /** How many of them want to run when the key is lost, too. */
  lossCount = 0;
  /** The key was touched; the queue is in the list of those that are due. */
  isDue = false;

  constructor(database: Database, name: Uint8Array) {
    super(name);
    this.database = database;
  }
}

/** One client that waits, with what it takes to run its request again. */
export class Waiter {
  readonly client: Client;
  readonly command: Command;
  readonly keyType: number;
  readonly wakesOnLoss: boolean;
  readonly hasTimeout: boolean;
  readonly queues: KeyQueue[];
  /** False from the moment on at which its wait was ended. */
  isWaiting: boolean;
  /** The arguments, one behind the other. */
  readonly argumentBytes: Uint8Array;
  private readonly lengths: Int32Array;

  constructor(client: Client, command: Command, wait: KeyWait, request: Request) {
    this.client = client;
    this.command = command;
    this.keyType = wait.keyType;
    this.wakesOnLoss = wait.wakesOnLoss;
    this.hasTimeout = wait.timeoutMs > 0;
    this.queues = [];
    this.isWaiting = true;
    const { count } = request;
    const replaced = wait.replaced ?? [];
    this.lengths = request.length.slice(0, count);
    for (const { argument, bytes } of replaced) this.lengths[argument] = bytes.length;
    let size = 0;
    for (let index = 0; index < count; index++) size += this.lengths[index]!;
    this.argumentBytes = new Uint8Array(size);
    let at = 0;
    for (let index = 0; index < count; index++) {
      const other = replaced.find(({ argument }) => argument === index);
      if (other === undefined) copyArgument(request, index, this.argumentBytes, at);
      else this.argumentBytes.set(other.bytes, at);
      at += this.lengths[index]!;
    }
  }

  /** Makes its request the one that is executed. */
  restore(request: Request): void {
    const { lengths } = this;
    request.reserve(lengths.length);
    request.input = this.argumentBytes;
    request.count = lengths.length;
    let at = 0;
    for (let index = 0; index < lengths.length; index++) {
      request.offset[index] = at;
      request.length[index] = lengths[index]!;
      at += lengths[index]!;
    }
  }
}

function copyArgument(request: Request, argument: number, target: Uint8Array, at: number): void {
  const { input } = request;
  const start = request.offset[argument]!;
  const length = request.length[argument]!;
  if (length < 64) for (let index = 0; index < length; index++) target[at + index] = input[start + index]!;
  else target.set(input.subarray(start, start + length), at);
}

export interface BlockingHost {
  /** Runs the waiter's request again. False when it found nothing still and goes on waiting. */
  run(waiter: Waiter): boolean;
  /** A pause holds back the waiter's command. */
  isHeld(waiter: Waiter): boolean;
  /** A queue is due: `serve` must be called when the command in execution has ended. */
  onDue(): void;
}

export class Blocking implements KeyObserver {
  readonly servesWaiting = true;
  private readonly context: CommandContext;
  private readonly keyspace: Keyspace;
  private readonly host: BlockingHost;
  private readonly hash: KeyHash;
  /** By database number; made when first needed. */
  private readonly maps: (ByteMap<KeyQueue> | undefined)[];
  private due: KeyQueue[];
  private isServing: boolean;
  private waiterCount: number;
  /** Waiters with a timeout. */
  timedCount: number;
  /** Keys that somebody waits for, and those of them whose loss wakes somebody. */
  keyCount: number;
  lossKeyCount: number;

  constructor(context: CommandContext, hash: KeyHash, host: BlockingHost) {
    this.context = context;
    this.keyspace = context.keyspace;
    this.host = host;
    this.hash = hash;
    this.maps = [];
    this.due = [];
    this.isServing = false;
    this.waiterCount = 0;
    this.timedCount = 0;
    this.keyCount = 0;
    this.lossKeyCount = 0;
  }

  get hasDue(): boolean {
    return this.due.length > 0;
  }

  /** The command in execution, of `client`, asked to wait. */
  add(client: Client, command: Command, wait: KeyWait): void {
    const { request, database } = this.context;
    const waiter = new Waiter(client, command, wait, request);
    client.waiter = waiter;
    if (this.waiterCount++ === 0) this.context.observe(this);
    if (waiter.hasTimeout) this.timedCount++;
    for (let index = wait.firstKey; index < wait.firstKey + wait.keyCount; index++) {
      const queue = this.queueOf(database, request, index);
      if (queue.waiters.has(waiter)) continue;
      queue.waiters.add(waiter);
      waiter.queues.push(queue);
      if (waiter.wakesOnLoss && queue.lossCount++ === 0) this.lossKeyCount++;
    }
  }

  private queueOf(database: Database, request: Request, argument: number): KeyQueue {
    let map = this.maps[database.index];
    if (map === undefined) {
      map = new ByteMap(this.hash);
      this.maps[database.index] = map;
    }
    const found = map.find(request.input, request.offset[argument]!, request.length[argument]!);
    if (found !== undefined) return found;
    const queue = new KeyQueue(database, request.copy(argument));
    map.add(queue);
    this.keyCount++;
    return queue;
  }

  /** The client waits no more, whatever the reason. */
  forget(client: Client): void {
    if (client.waiter === undefined) return;
    this.withdraw(client.waiter);
    client.waiter = undefined;
  }

  /** No key wakes the client any more: it will get another reply soon. */
  withdraw(waiter: Waiter): void {
    if (!waiter.isWaiting) return;
    waiter.isWaiting = false;
    for (const queue of waiter.queues) {
      queue.waiters.delete(waiter);
      if (waiter.wakesOnLoss && --queue.lossCount === 0) this.lossKeyCount--;
      if (queue.waiters.size > 0) continue;
      this.maps[queue.database.index]!.delete(queue);
      this.keyCount--;
    }
    if (waiter.hasTimeout) this.timedCount--;
    if (--this.waiterCount === 0) this.context.ignore(this);
  }

  /** Asserts I1, I2 and the counters: for tests. */
  verify(): void {
    const waiters = new Set<Waiter>();
    let keyCount = 0;
    let lossKeyCount = 0;
    for (const map of this.maps) {
      for (const queue of map?.all() ?? []) {
        assert(queue.waiters.size > 0, "a queue that nobody stands in");
        for (const waiter of queue.waiters) {
          assert(waiter.client.waiter === waiter && waiter.isWaiting, "a waiter that does not wait");
          assert(waiter.queues.includes(queue), "a waiter that does not know of its queue");
          waiters.add(waiter);
        }
        keyCount++;
        if (queue.lossCount > 0) lossKeyCount++;
      }
    }
    assert(keyCount === this.keyCount && lossKeyCount === this.lossKeyCount, "keys are counted wrongly");
    assert(waiters.size === this.waiterCount, "waiters are counted wrongly");
    assert(
      this.context.keyObservers.includes(this) === waiters.size > 0,
      "the observer is there without need, or is not",
    );
  }

  // ---- what commands tell ------------------------------------------------------------------------------------------

  keyTouched(database: Database, bytes: Uint8Array, start: number, length: number): void {
    const queue = this.maps[database.index]?.find(bytes, start, length);
    if (queue !== undefined) this.makeDue(queue);
  }

  databaseTouched(database: Database, replacement: Database | undefined): void {
    this.makeAllDue(database);
    if (replacement !== undefined) this.makeAllDue(replacement);
  }

  private makeAllDue(database: Database): void {
    const map = this.maps[database.index];
    if (map !== undefined && map.size > 0) for (const queue of map.all()) this.makeDue(queue);
  }

  private makeDue(queue: KeyQueue): void {
    if (queue.isDue) return;
    queue.isDue = true;
    this.due.push(queue);
    this.host.onDue();
  }

  // ---- serving -----------------------------------------------------------------------------------------------------

  /** Lets run again whoever's key is there, until nothing is due any more but what a pause holds back. */
  serve(): void {
    // A waiter that runs makes other queues due: the loop below will find them (I3).
    if (this.isServing) return;
    this.isServing = true;
    const held: KeyQueue[] = [];
    while (this.due.length > 0) {
      const queues = this.due;
      this.due = [];
      for (const queue of queues) {
        queue.isDue = false;
        if (!this.serveQueue(queue)) held.push(queue);
      }
    }
    for (const queue of held) {
      if (queue.isDue) continue;
      queue.isDue = true;
      this.due.push(queue);
    }
    this.isServing = false;
  }

  /** False when a pause holds somebody back who would have run. */
  private serveQueue(queue: KeyQueue): boolean {
    let isComplete = true;
    for (const waiter of queue.waiters) {
      const type = this.typeOf(queue);
      if (type !== waiter.keyType && !waiter.wakesOnLoss) {
        // Nobody behind would run either.
        if (type === NO_TYPE && queue.lossCount === 0) break;
        continue;
      }
      if (this.host.isHeld(waiter)) isComplete = false;
      else if (this.host.run(waiter)) this.forget(waiter.client);
    }
    return isComplete;
  }

  private typeOf(queue: KeyQueue): number {
    const { keyspace } = this;
    const record = keyspace.lookupSilently(queue.database, queue.name);
    return record === 0 || keyspace.isExpired(record) ? NO_TYPE : keyspace.records.type(record);
  }
}
