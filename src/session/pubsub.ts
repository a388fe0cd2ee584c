/**
 * Pub/sub: who listens to what, and the way of a message to them.
 *
 *      channels        name ──► Channel { subscribers }        SUBSCRIBE     PUBLISH  ──┬─► subscribers
 *      patterns        glob ──► Channel { subscribers }        PSUBSCRIBE             ──┴─► subscribers of each that matches
 *      shardChannels   name ──► Channel { subscribers }        SSUBSCRIBE    SPUBLISH ────► subscribers
 *
 *      client.subscriptions ──► the same Channels, seen from the client
 *
 *  I1  A Channel is in its map exactly as long as it has a subscriber.
 *  I2  `client.subscriptions` is undefined exactly when the client listens to nothing.
 *  I3  A message is encoded at most once per protocol and channel or pattern, whatever the number of receivers.
 *  Source: the pub/sub commands of Redis 7.2.
 */

import { globMatch } from "../core/glob.ts";
import { integerDigitCount, writeInt64Digits } from "../core/numbers.ts";
import type { KeyHash } from "../core/sip-hash.ts";
import { ByteEntry, ByteMap } from "./byte-map.ts";
import type { Client } from "./client.ts";
import type { Mail } from "./mail.ts";

/** A channel, a pattern or a shard channel that somebody listens to. */
export class Channel extends ByteEntry {
  readonly subscribers = new Set<Client>();
}

/** What one client listens to, each kind in the order in which it began. */
export class Subscriptions {
  readonly channels = new Set<Channel>();
  readonly patterns = new Set<Channel>();
  readonly shardChannels = new Set<Channel>();
  /** What it takes, bytes: names are counted for each of their subscribers. */
  memoryBytes = 0;

  get size(): number {
    return this.channels.size + this.patterns.size + this.shardChannels.size;
  }
}

export type SubscriptionKind = "channels" | "patterns" | "shardChannels";

/** Two entries of sets and a share of the Channel, as measured by the growth of the heap, rounded. */
const SUBSCRIPTION_BYTES = 128;

const MESSAGE = bulk("message");
const PATTERN_MESSAGE = bulk("pmessage");
const SHARD_MESSAGE = bulk("smessage");
const STAR = 42;
const GREATER = 62;
const DOLLAR = 36;
const CR = 13;
const LF = 10;
const ZERO = 48;

function bulk(text: string): Uint8Array {
  return new TextEncoder().encode(`$${text.length}\r\n${text}\r\n`);
}

export class PubSub {
  readonly channels: ByteMap<Channel>;
  readonly shardChannels: ByteMap<Channel>;
  private readonly patternMap: ByteMap<Channel>;
  /** The same patterns, oldest first. */
  private readonly patterns: Set<Channel>;
  private readonly mail: Mail;
  /** Clients that listen to anything. */
  clientCount: number;

  constructor(hash: KeyHash, mail: Mail) {
    this.channels = new ByteMap(hash);
    this.shardChannels = new ByteMap(hash);
    this.patternMap = new ByteMap(hash);
    this.patterns = new Set();
    this.mail = mail;
    this.clientCount = 0;
  }

  get patternCount(): number {
    return this.patterns.size;
  }

  /** Whether anybody could hear a message to any channel. */
  get hasListeners(): boolean {
    return this.channels.size > 0 || this.patterns.size > 0;
  }

  private mapOf(kind: SubscriptionKind): ByteMap<Channel> {
    return kind === "patterns" ? this.patternMap : this[kind];
  }

  /** `client` listens to `bytes[start ... start+length)`, a name or a pattern; nothing happens when it does already. */
  subscribe(client: Client, kind: SubscriptionKind, bytes: Uint8Array, start: number, length: number): void {
    const map = this.mapOf(kind);
    let channel = map.find(bytes, start, length);
    if (channel === undefined) {
      channel = new Channel(bytes.slice(start, start + length));
      map.add(channel);
      if (kind === "patterns") this.patterns.add(channel);
    }
    channel.subscribers.add(client);
    if (client.subscriptions === undefined) {
      client.subscriptions = new Subscriptions();
      this.clientCount++;
    }
    const known = client.subscriptions[kind];
    if (known.has(channel)) return;
    known.add(channel);
    client.subscriptions.memoryBytes += length + SUBSCRIPTION_BYTES;
  }

  unsubscribe(client: Client, kind: SubscriptionKind, bytes: Uint8Array, start: number, length: number): void {
    const channel = this.mapOf(kind).find(bytes, start, length);
    if (channel !== undefined) this.leave(client, kind, channel);
  }

  leave(client: Client, kind: SubscriptionKind, channel: Channel): void {
    const subscriptions = client.subscriptions;
    if (subscriptions === undefined || !subscriptions[kind].delete(channel)) return;
    subscriptions.memoryBytes -= channel.name.length + SUBSCRIPTION_BYTES;
    channel.subscribers.delete(client);
    if (channel.subscribers.size === 0) {
      this.mapOf(kind).delete(channel);
      if (kind === "patterns") this.patterns.delete(channel);
    }
    if (subscriptions.size > 0) return;
    client.subscriptions = undefined;
    this.clientCount--;
  }

  /** The client is gone or was reset: it listens to nothing any more. */
  forget(client: Client): void {
    const subscriptions = client.subscriptions;
    if (subscriptions === undefined) return;
    for (const kind of ["channels", "patterns", "shardChannels"] as const) {
      for (const channel of subscriptions[kind]) this.leave(client, kind, channel);
    }
  }

  /** Sends a message to all that listen to the channel; returns how often it was received. hot path */
  publish(
    channelBytes: Uint8Array,
    channelStart: number,
    channelLength: number,
    message: Uint8Array,
    messageStart: number,
    messageLength: number,
  ): number {
    let receiverCount = 0;
    const channel = this.channels.find(channelBytes, channelStart, channelLength);
    if (channel !== undefined) {
      receiverCount += this.send(channel, MESSAGE, undefined, channel.name, message, messageStart, messageLength);
    }
    if (this.patterns.size === 0) return receiverCount;
    let name: Uint8Array | undefined;
    for (const pattern of this.patterns) {
      const glob = pattern.name;
      if (!globMatch(glob, 0, glob.length, channelBytes, channelStart, channelLength, false)) continue;
      name ??= channelBytes.subarray(channelStart, channelStart + channelLength);
      receiverCount += this.send(pattern, PATTERN_MESSAGE, glob, name, message, messageStart, messageLength);
    }
    return receiverCount;
  }

  /** As `publish`, to those who listen to the shard channel. */
  publishToShard(
    channelBytes: Uint8Array,
    channelStart: number,
    channelLength: number,
    message: Uint8Array,
    messageStart: number,
    messageLength: number,
  ): number {
    const channel = this.shardChannels.find(channelBytes, channelStart, channelLength);
    if (channel === undefined) return 0;
    return this.send(channel, SHARD_MESSAGE, undefined, channel.name, message, messageStart, messageLength);
  }

  private send(
    to: Channel,
    kind: Uint8Array,
    pattern: Uint8Array | undefined,
    channel: Uint8Array,
    message: Uint8Array,
    messageStart: number,
    messageLength: number,
  ): number {
    const mail = this.mail;
    // A receiver that is too slow may be closed on the way, and leaves then.
    const receiverCount = to.subscribers.size;
    // Where the message lies in each protocol, once somebody needed it (I3).
    let chunk2: Uint8Array | undefined;
    let start2 = 0;
    let end2 = 0;
    let chunk3: Uint8Array | undefined;
    let start3 = 0;
    let end3 = 0;
    for (const client of to.subscribers) {
      if (client.protocol === 2) {
        if (chunk2 === undefined) {
          this.encode(STAR, kind, pattern, channel, message, messageStart, messageLength);
          chunk2 = mail.chunk;
          start2 = mail.start;
          end2 = mail.end;
        }
        mail.deliver(client, chunk2, start2, end2);
      } else {
        if (chunk3 === undefined) {
          this.encode(GREATER, kind, pattern, channel, message, messageStart, messageLength);
          chunk3 = mail.chunk;
          start3 = mail.start;
          end3 = mail.end;
        }
        mail.deliver(client, chunk3, start3, end3);
      }
    }
    return receiverCount;
  }

  /** Writes `*3 message channel text` or, with a pattern, `*4 pmessage pattern channel text` into the mail's memory. */
  private encode(
    type: number,
    kind: Uint8Array,
    pattern: Uint8Array | undefined,
    channel: Uint8Array,
    message: Uint8Array,
    messageStart: number,
    messageLength: number,
  ): void {
    const mail = this.mail;
    let size = 4 + kind.length + bulkBytes(channel.length) + bulkBytes(messageLength);
    if (pattern !== undefined) size += bulkBytes(pattern.length);
    mail.open(size);
    const target = mail.chunk;
    let at = mail.start;
    target[at] = type;
    target[at + 1] = ZERO + (pattern === undefined ? 3 : 4);
    target[at + 2] = CR;
    target[at + 3] = LF;
    target.set(kind, at + 4);
    at += 4 + kind.length;
    if (pattern !== undefined) at = writeBulk(target, at, pattern, 0, pattern.length);
    at = writeBulk(target, at, channel, 0, channel.length);
    mail.close(writeBulk(target, at, message, messageStart, messageLength));
  }
}

export function bulkBytes(length: number): number {
  return length + integerDigitCount(length) + 5;
}

export function writeBulk(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): number {
  target[at] = DOLLAR;
  at = writeInt64Digits(target, at + 1, length);
  target[at] = CR;
  target[at + 1] = LF;
  at += 2;
  if (length < 64) for (let index = 0; index < length; index++) target[at + index] = source[start + index]!;
  else target.set(source.subarray(start, start + length), at);
  at += length;
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
