/**
 * A world for tests of the session: virtual time, connections that are arrays, a whole dispatcher, no socket.
 *
 *      const world = new World();
 *      const alice = world.connect();          alice.send("PING\r\n");      alice.take()  →  "+PONG\r\n"
 *      world.advance(1000);                    timers and cron run in their order
 *
 *  I1  Time moves only through `advance`; `soon` tasks run at the end of each `send` and of each step of time.
 *  I2  Bytes that are given to a client are cut as the test says, and the memory is overwritten afterwards: who keeps
 *      a view of what is only valid during the call shows it.
 */

import { dataCommands } from "../commands/all.ts";
import { CommandContext, type CommandTable, KEY_OVERWRITE, KEY_READ } from "../commands/command.ts";
import { assert } from "../core/assert.ts";
import type { Clock, Connection, ConnectionHandler, Random, Timer } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { ReplyWriter } from "../protocol/reply-writer.ts";
import { RequestReader } from "../protocol/request-reader.ts";
import { KEEP_EXPIRY, Keyspace } from "../store/keyspace/keyspace.ts";
import { User } from "./acl/user.ts";
import { Client } from "./client.ts";
import { CommandIndex } from "./command-index.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { LogLevel } from "./limits.ts";
import { GatedConnection } from "./reply-gate.ts";
import { Session } from "./session.ts";

const START_MS = 1_700_000_000_000;

interface VirtualTask {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** Time that stands still until it is told to move. */
export class VirtualClock implements Clock {
  private elapsedMs = 1000;
  private order = 0;
  private readonly tasks = new Set<VirtualTask>();
  private soonTasks: (() => void)[] = [];
  private isRunningSoon = false;

  nowMs(): number {
    return START_MS + Math.floor(this.elapsedMs);
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const entry = { atMs: this.elapsedMs + delayMs, order: this.order++, task };
    this.tasks.add(entry);
    return { cancel: () => this.tasks.delete(entry) };
  }

  soon(task: () => void): void {
    this.soonTasks.push(task);
  }

  /** Timers that are waiting. */
  get timerCount(): number {
    return this.tasks.size;
  }

  runSoon(): void {
    // A task that sends something must not start the rest inside itself.
    if (this.isRunningSoon) return;
    this.isRunningSoon = true;
    for (let tasks = this.soonTasks; tasks.length > 0; tasks = this.soonTasks) {
      this.soonTasks = [];
      for (const task of tasks) task();
    }
    this.isRunningSoon = false;
  }

  advance(byMs: number): void {
    const untilMs = this.elapsedMs + byMs;
    for (;;) {
      let next: VirtualTask | undefined;
      for (const entry of this.tasks) {
        if (entry.atMs > untilMs) continue;
        if (next === undefined || entry.atMs < next.atMs || (entry.atMs === next.atMs && entry.order < next.order)) {
          next = entry;
        }
      }
      if (next === undefined) break;
      this.tasks.delete(next);
      this.elapsedMs = Math.max(this.elapsedMs, next.atMs);
      next.task();
      this.runSoon();
    }
    this.elapsedMs = untilMs;
  }
}

export interface Endpoint {
  readonly remoteAddress?: string;
  readonly isUnixSocket?: boolean;
}

/** One side of a connection in memory; `isStuck` lets nothing leave. */
export class FakeConnection implements Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  readonly isLocal: boolean;
  keepAliveSeconds = 0;
  isStuck = false;
  isEnded = false;
  isDestroyed = false;
  writeCount = 0;
  /** What has left, latin1. */
  sent = "";
  onEnd: () => void = () => undefined;
  private readonly pending: Uint8Array[] = [];

  constructor(descriptor: number, endpoint: Endpoint) {
    this.descriptor = descriptor;
    this.isUnixSocket = endpoint.isUnixSocket ?? false;
    this.remoteAddress =
      endpoint.remoteAddress ?? (this.isUnixSocket ? "/run/everkey:0" : `127.0.0.1:${40_000 + descriptor}`);
    this.isLocal = this.isUnixSocket || /^(?:127\.|\[::1\])/.test(this.remoteAddress);
    this.localAddress = this.isUnixSocket ? "/run/everkey:0" : "127.0.0.1:6379";
  }

  get isClosed(): boolean {
    return this.isDestroyed || (this.isEnded && this.pending.length === 0);
  }

  pendingBytes(): number {
    return this.pending.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.isDestroyed || this.isEnded) return true;
    this.writeCount++;
    if (this.isStuck) {
      this.pending.push(bytes.subarray(start, end));
      return false;
    }
    this.sent += Buffer.from(bytes.subarray(start, end)).toString("latin1");
    return true;
  }

  /** The reader reads again: all that waited leaves. */
  drain(): void {
    this.isStuck = false;
    for (const bytes of this.pending.splice(0)) this.sent += Buffer.from(bytes).toString("latin1");
    if (this.isEnded) this.onEnd();
  }

  end(): void {
    if (this.isEnded || this.isDestroyed) return;
    this.isEnded = true;
    if (this.pending.length === 0) this.onEnd();
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.pending.length = 0;
    this.onEnd();
  }

  setKeepAlive(_enabled: boolean, intervalSeconds: number): void {
    this.keepAliveSeconds = intervalSeconds;
  }
}

/** A client of the tests. */
export class FakePeer {
  readonly connection: FakeConnection;
  private readonly handler: ConnectionHandler;
  private readonly clock: VirtualClock;
  private taken = 0;

  constructor(connection: FakeConnection, handler: ConnectionHandler, clock: VirtualClock) {
    this.connection = connection;
    this.handler = handler;
    this.clock = clock;
    // A socket tells of its end after the call that ended it.
    connection.onEnd = () => clock.soon(() => handler.onClose());
  }

  /** Gives bytes to the server, in pieces of at most `pieceBytes`. Text is latin1. */
  send(bytes: string | Uint8Array, pieceBytes = Number.POSITIVE_INFINITY): this {
    const all = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    for (let at = 0; at < all.length; at += pieceBytes) {
      const shared = new Uint8Array(all.subarray(at, Math.min(all.length, at + pieceBytes)));
      this.handler.onData(shared, shared.length);
      shared.fill(0xee);
    }
    this.clock.runSoon();
    return this;
  }

  /** Sends one command given as words. */
  command(...words: (string | number)[]): this {
    return this.send(encode(...words));
  }

  /** Sends one command and takes its reply. */
  ask(...words: (string | number)[]): string {
    this.take();
    return this.command(...words).take();
  }

  /** What has come since the last call, latin1. */
  take(): string {
    const text = this.connection.sent.slice(this.taken);
    this.taken = this.connection.sent.length;
    return text;
  }

  /** The peer closes its side. */
  close(): void {
    this.connection.destroy();
    this.clock.runSoon();
  }
}

/** A command as an array of bulk strings, latin1. */
export function encode(...words: (string | number)[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${String(word).length}\r\n${word}\r\n`).join("")}`;
}

class NoRandom implements Random {
  uint32(): number {
    return 4;
  }

  fill(target: Uint8Array): void {
    target.fill(4);
  }
}

/** SET, GET, SELECT and a command that waits: enough to see order and effects. */
function testCommands(world: () => World): CommandTable {
  const entry = { acl: [], since: "1.0.0", group: "string", complexity: "O(1)", summary: "For tests." } as const;
  return {
    SET: {
      ...entry,
      arity: 3,
      flags: ["write", "denyoom"],
      keys: KEY_OVERWRITE,
      run: ({ request, keyspace, database, reply }) => {
        const { input, offset, length } = request;
        keyspace.setString(database, input, offset[1]!, length[1]!, input, offset[2]!, length[2]!, KEEP_EXPIRY);
        reply.ok();
      },
    },
    GET: {
      ...entry,
      arity: 2,
      flags: ["readonly", "fast"],
      keys: KEY_READ,
      run: ({ request, keyspace, database, reply }) => {
        const record = keyspace.lookupRead(database, request.input, request.offset[1]!, request.length[1]!);
        if (record === 0) {
          reply.nullBulk();
          return;
        }
        keyspace.readValue(record);
        reply.bulk(keyspace.valueBytes, keyspace.valueStart, keyspace.valueLength);
      },
    },
    COUNT: {
      ...entry,
      arity: -1,
      flags: ["fast"],
      run: ({ request, reply }) => reply.integer(request.count),
    },
    SELECT: dataCommands().SELECT!,
    BLOCK: {
      ...entry,
      arity: 2,
      flags: ["blocking"],
      run: (context) => {
        const timeoutMs = context.request.integer(1);
        context.suspend({
          kind: "wait",
          timeoutAtMs: timeoutMs === 0 ? 0 : context.monotonicMs + timeoutMs,
          onTimeout: (reply) => reply.nullArray(),
          onGone: () => world().goneCount++,
        });
      },
    },
  };
}

export class World {
  readonly clock = new VirtualClock();
  readonly session: Session;
  readonly dispatcher: Dispatcher;
  readonly commands: CommandIndex;
  readonly log: { level: LogLevel; text: string }[] = [];
  /** Suspensions that were told that their client is gone. */
  goneCount = 0;
  private connectionCount = 0;

  /** `more`: commands beside those of the session and the few for tests, or in their place. */
  constructor(more: CommandTable = {}) {
    this.session = new Session({
      clock: this.clock,
      identity: { version: "7.2.4", mode: "standalone", role: () => "master" },
      log: (level, text) => this.log.push({ level, text: text() }),
    });
    const reader = new RequestReader();
    const keyspace = new Keyspace(new KeyHash(1, 2), 16);
    this.commands = new CommandIndex({ ...testCommands(() => this), ...more, ...this.session.commands() });
    const nobody = new Client(0, new FakeConnection(0, {}), 0, 0, new User("nobody", this.commands, () => false));
    const context = new CommandContext(reader.request, new ReplyWriter(), keyspace, new NoRandom(), nobody, {
      stringBytesMax: 512 * 1024 * 1024,
    });
    this.dispatcher = new Dispatcher(context, reader, this.commands, this.clock, this.session.gates, this.session);
    this.session.attach(this.dispatcher);
  }

  connect(endpoint: Endpoint = {}): FakePeer {
    const connection = new FakeConnection(++this.connectionCount, endpoint);
    return new FakePeer(connection, this.session.accept(connection), this.clock);
  }

  /** Lets time pass, with cron every 100 ms. */
  advance(byMs: number): void {
    for (let left = byMs; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100));
      this.session.cron();
      this.clock.runSoon();
    }
  }

  /** The client that the session made for `peer`. */
  clientOf(peer: FakePeer): Client {
    for (const client of this.session.clients.all()) {
      if (client.connection instanceof GatedConnection && client.connection.inner === peer.connection) return client;
    }
    assert(false, "the peer is not connected");
  }

  /** Log lines of one level that contain `part`. */
  logged(level: LogLevel, part: string): number {
    return this.log.filter((line) => line.level === level && line.text.includes(part)).length;
  }
}
