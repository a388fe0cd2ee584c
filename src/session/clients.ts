/**
 * All connected clients, and the line that describes one.
 *
 *      ids   1 ─ 2 ─ (3 gone) ─ 4 ─ 5 ...    a Map keeps the order of connection
 *                     ▲ sweep: goes on here at the next call, a few clients at a time
 *
 *  I1  An id is given once; a client that was removed is never found again.
 *  I2  `bufferBytes` is the sum of `accountedBytes` of the clients that are here.
 *  I3  A client with isClosing set may still be here: what was written to it has not left yet.
 *  Source: field names and flag letters of CLIENT LIST in Redis 7.2.
 */

import type { Connection } from "../core/host.ts";
import type { User } from "./acl/user.ts";
import { Client, type ClientClass } from "./client.ts";

/**
 * What a client costs besides its buffers, bytes: the objects of this folder and the socket's in Node, as measured by
 * the growth of the heap per idle connection, rounded up.
 */
const CLIENT_BASE_BYTES = 2048;

export class Clients {
  /** Sum of all buffers as last counted, bytes. */
  bufferBytes: number;
  private readonly byId: Map<number, Client>;
  private lastId: number;
  private sweeper: IterableIterator<Client>;

  constructor() {
    this.bufferBytes = 0;
    this.byId = new Map();
    this.lastId = 0;
    this.sweeper = this.byId.values();
  }

  get count(): number {
    return this.byId.size;
  }

  /** Bytes that all clients take. */
  get memoryBytes(): number {
    return this.bufferBytes + this.byId.size * CLIENT_BASE_BYTES;
  }

  /** Makes the client of a new connection. `nowMs` is wall time. */
  add(connection: Connection, nowMs: number, monotonicMs: number, user: User): Client {
    const client = new Client(++this.lastId, connection, nowMs, monotonicMs, user);
    this.byId.set(client.id, client);
    return client;
  }

  /** False when it was not here any more. */
  remove(client: Client): boolean {
    if (!this.byId.delete(client.id)) return false;
    this.bufferBytes -= client.accountedBytes;
    client.accountedBytes = 0;
    return true;
  }

  find(id: number): Client | undefined {
    return this.byId.get(id);
  }

  /** In the order of connection. Clients may be added and removed while it runs. */
  all(): IterableIterator<Client> {
    return this.byId.values();
  }

  /** The next client in a round that never ends; undefined once at the end of each round. */
  sweep(): Client | undefined {
    const step = this.sweeper.next();
    if (step.done !== true) return step.value;
    this.sweeper = this.byId.values();
    return undefined;
  }

  /** Books what the client's buffers take now. False when it is gone: then nothing is counted. */
  account(client: Client, bytes: number): boolean {
    if (!this.byId.has(client.id)) return false;
    this.bufferBytes += bytes - client.accountedBytes;
    client.accountedBytes = bytes;
    return true;
  }

  /**
   * Closes the client's connection at once; it is not listed any more. What it had not read yet is lost.
   * The owner of the connection still hears of its end and cleans up there.
   */
  kill(client: Client): void {
    client.isClosing = true;
    this.remove(client);
    client.connection.destroy();
  }
}

/** The class that CLIENT LIST TYPE and CLIENT KILL TYPE name; undefined when there is no such word. Any case. */
export function clientClassOf(word: string): ClientClass | "master" | undefined {
  switch (word.toLowerCase()) {
    case "normal":
      return "normal";
    case "replica":
    case "slave":
      return "replica";
    case "pubsub":
      return "pubsub";
    case "master":
      return "master";
    default:
      return undefined;
  }
}

/** Flags as letters, "N" when there are none. */
function flagLetters(client: Client): string {
  let letters = client.clientClass() === "replica" ? "S" : "";
  if (client.isMonitor) letters += "O";
  if (client.clientClass() === "pubsub") letters += "P";
  if (client.transaction !== undefined) letters += "x";
  if (client.suspension !== undefined) letters += "b";
  if (client.tracking !== undefined) letters += "t";
  if (client.tracking?.isRedirectionBroken === true) letters += "R";
  if (client.tracking?.options.isBroadcast === true) letters += "B";
  if (client.hasChangedKeys) letters += "d";
  if (client.isClosing) letters += "c";
  if (client.connection.isUnixSocket) letters += "U";
  if (!client.isEvictable) letters += "e";
  if (!client.touchesKeys) letters += "T";
  return letters === "" ? "N" : letters;
}

/** Bytes of the arguments of the request that waits, and of those that the unfinished one holds so far. */
function unfinishedArgumentBytes(client: Client): number {
  const unfinished = client.unfinished;
  let bytes = client.waiter?.argumentBytes.length ?? 0;
  if (unfinished === undefined) return bytes;
  for (let index = 0; index < unfinished.count; index++) bytes += unfinished.length[index]!;
  return bytes;
}

/** Bytes that the client takes in all. */
function clientMemoryBytes(client: Client): number {
  return CLIENT_BASE_BYTES + client.bufferBytes();
}

/**
 * One client as a line of CLIENT LIST, without line end. `argumentBytes` are those of the request in execution, -1
 * when the client is executing none. Replies leave one shared buffer, so a client has none of its own (rbs, rbp, obl):
 * what waits for its socket is `omem`.
 */
export function clientLine(client: Client, nowMs: number, monotonicMs: number, argumentBytes: number): string {
  const connection = client.connection;
  const pendingBytes = connection.pendingBytes();
  const fields = [
    `id=${client.id}`,
    `addr=${connection.remoteAddress}`,
    `laddr=${connection.localAddress}`,
    `fd=${connection.descriptor}`,
    `name=${client.name}`,
    `age=${seconds(nowMs - client.createdMs)}`,
    `idle=${seconds(monotonicMs - client.lastRequestMs)}`,
    `flags=${flagLetters(client)}`,
    `db=${client.databaseIndex}`,
    `sub=${client.subscriptions?.channels.size ?? 0}`,
    `psub=${client.subscriptions?.patterns.size ?? 0}`,
    `ssub=${client.subscriptions?.shardChannels.size ?? 0}`,
    `multi=${client.transaction === undefined ? -1 : client.transaction.commands.length}`,
    `qbuf=${client.unreadBytes}`,
    `qbuf-free=${(client.unread?.length ?? 0) - client.unreadBytes}`,
    `argv-mem=${argumentBytes >= 0 ? argumentBytes : unfinishedArgumentBytes(client)}`,
    `multi-mem=${client.transactionBytes()}`,
    "rbs=0 rbp=0 obl=0",
    `oll=${pendingBytes > 0 ? 1 : 0}`,
    `omem=${pendingBytes}`,
    `tot-mem=${clientMemoryBytes(client)}`,
    `events=${pendingBytes > 0 ? "rw" : "r"}`,
    `cmd=${client.lastCommand}`,
    `user=${client.user.name}`,
    `redir=${client.tracking?.options.redirection ?? -1}`,
    `resp=${client.protocol}`,
    `lib-name=${client.libraryName}`,
    `lib-ver=${client.libraryVersion}`,
  ];
  return fields.join(" ");
}

/** Whole seconds, never negative: the wall clock may have been set back. */
function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}
