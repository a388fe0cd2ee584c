/**
 * Keyspace events: what commands tell of keys, published on channels.
 *
 *      notify-keyspace-events "KEg$"          SET k v in database 0
 *        K   __keyspace@0__:k     ◄── set     the channel names the key, the message is the event
 *        E   __keyevent@0__:set   ◄── k       the channel names the event, the message is the key
 *
 *  I1  Without K and E, or without a class, nobody is asked to tell anything: commands pay a comparison.
 *  I2  While a snapshot is being loaded no key counts as new.
 *  Source: the documentation of keyspace notifications of Redis 7.2; letters as redis-server 7.0 takes them.
 */

import type { CommandContext, EventObserver } from "../commands/command.ts";
import {
  EVENT_EVICTED,
  EVENT_EXPIRED,
  EVENT_GENERIC,
  EVENT_HASH,
  EVENT_LIST,
  EVENT_MISS,
  EVENT_MODULE,
  EVENT_NEW,
  EVENT_SET,
  EVENT_STREAM,
  EVENT_STRING,
  EVENT_ZSET,
  EVENTS_ALL,
  EVENTS_BY_KEY,
  EVENTS_BY_NAME,
} from "../commands/events.ts";
import type { Database } from "../store/keyspace/keyspace.ts";

const CLASS_OF_LETTER: Readonly<Record<string, number>> = {
  K: EVENTS_BY_KEY,
  E: EVENTS_BY_NAME,
  A: EVENTS_ALL,
  g: EVENT_GENERIC,
  $: EVENT_STRING,
  l: EVENT_LIST,
  s: EVENT_SET,
  h: EVENT_HASH,
  z: EVENT_ZSET,
  x: EVENT_EXPIRED,
  e: EVENT_EVICTED,
  t: EVENT_STREAM,
  m: EVENT_MISS,
  d: EVENT_MODULE,
  n: EVENT_NEW,
};

/** The bits that letters stand for; a letter that stands for none is passed over (the configuration refuses it). */
export function eventBits(letters: string): number {
  let bits = 0;
  for (const letter of letters) bits |= CLASS_OF_LETTER[letter] ?? 0;
  return bits;
}

/** The way of a message to those who listen. */
export interface Publisher {
  /** False when nobody listens to anything. */
  readonly hasListeners: boolean;
  publish(
    channelBytes: Uint8Array,
    channelStart: number,
    channelLength: number,
    message: Uint8Array,
    messageStart: number,
    messageLength: number,
  ): number;
}

/** The longest name of an event and what stands before it have room in this; keys make it grow. */
const CHANNEL_BYTES = 256;

export class KeyspaceEvents implements EventObserver {
  private readonly context: CommandContext;
  private readonly publisher: Publisher;
  private readonly isLoading: () => boolean;
  private places: number;
  /** Where channel names are put together. */
  private channel: Uint8Array;
  private readonly names: Map<string, Uint8Array>;

  /** `isLoading`: whether a snapshot is being loaded (I2). */
  constructor(context: CommandContext, publisher: Publisher, isLoading: () => boolean) {
    this.context = context;
    this.publisher = publisher;
    this.isLoading = isLoading;
    this.places = 0;
    this.channel = new Uint8Array(CHANNEL_BYTES);
    this.names = new Map();
  }

  /** `notify-keyspace-events`. */
  configure(letters: string): void {
    const bits = eventBits(letters);
    const { context } = this;
    const { keyspace } = context;
    this.places = bits & (EVENTS_BY_KEY | EVENTS_BY_NAME);
    context.eventClasses = this.places === 0 ? 0 : bits & ~(EVENTS_BY_KEY | EVENTS_BY_NAME);
    context.eventObserver = context.eventClasses === 0 ? undefined : this;
    keyspace.onMiss =
      (context.eventClasses & EVENT_MISS) === 0
        ? undefined
        : (database, key, start, length) => this.keyEvent("keymiss", database, key, start, length);
    keyspace.onNew =
      (context.eventClasses & EVENT_NEW) === 0
        ? undefined
        : (database, record) => {
            if (this.isLoading()) return;
            const { records } = keyspace;
            const start = records.keyStart(record);
            this.keyEvent("new", database, records.view(record), start, records.keyLength(record));
          };
  }

  keyEvent(event: string, database: Database, bytes: Uint8Array, start: number, length: number): void {
    const { publisher } = this;
    if (!publisher.hasListeners) return;
    const name = this.nameOf(event);
    if ((this.places & EVENTS_BY_KEY) !== 0) {
      const size = this.openChannel("__keyspace@", database.index, bytes, start, length);
      publisher.publish(this.channel, 0, size, name, 0, name.length);
    }
    if ((this.places & EVENTS_BY_NAME) !== 0) {
      const size = this.openChannel("__keyevent@", database.index, name, 0, name.length);
      publisher.publish(this.channel, 0, size, bytes, start, length);
    }
  }

  /** Puts `<prefix><index>__:<rest>` into `channel` and returns its length. */
  private openChannel(prefix: string, index: number, rest: Uint8Array, start: number, length: number): number {
    const head = `${prefix}${index}__:`;
    const size = head.length + length;
    if (size > this.channel.length) this.channel = new Uint8Array(Math.max(size, this.channel.length * 2));
    const { channel } = this;
    for (let at = 0; at < head.length; at++) channel[at] = head.charCodeAt(at);
    channel.set(rest.subarray(start, start + length), head.length);
    return size;
  }

  private nameOf(event: string): Uint8Array {
    let name = this.names.get(event);
    if (name === undefined) {
      name = new TextEncoder().encode(event);
      this.names.set(event, name);
    }
    return name;
  }
}
