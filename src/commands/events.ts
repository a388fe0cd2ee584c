/**
 * Classes of keyspace events, as bits: what a command tells about a key belongs to one of them, and
 * `notify-keyspace-events` chooses those that are published.
 *
 *      K E  where: the key's channel, the event's channel        g $ l s h z x e t d  what, A for all of these
 *                                                                n m                  what, never part of A
 *
 *  Source: the letters of notify-keyspace-events in Redis 7.2.
 */

/** K: published on `__keyspace@<db>__:<key>`. */
export const EVENTS_BY_KEY = 1;
/** E: published on `__keyevent@<db>__:<event>`. */
export const EVENTS_BY_NAME = 2;

/** g: what happens to keys of any type (del, expire, rename_from, ...). */
export const EVENT_GENERIC = 4;
/** $ */
export const EVENT_STRING = 8;
/** l */
export const EVENT_LIST = 16;
/** s */
export const EVENT_SET = 32;
/** h */
export const EVENT_HASH = 64;
/** z */
export const EVENT_ZSET = 128;
/** x: the time of a key was over. */
export const EVENT_EXPIRED = 256;
/** e: a key gave way to others at maxmemory. */
export const EVENT_EVICTED = 512;
/** t */
export const EVENT_STREAM = 1024;
/** m: a command that reads found no key. */
export const EVENT_MISS = 2048;
/** d: events of modules, of which there are none. */
export const EVENT_MODULE = 8192;
/** n: a key was made. */
export const EVENT_NEW = 16384;

/** A */
export const EVENTS_ALL =
  EVENT_GENERIC |
  EVENT_STRING |
  EVENT_LIST |
  EVENT_SET |
  EVENT_HASH |
  EVENT_ZSET |
  EVENT_EXPIRED |
  EVENT_EVICTED |
  EVENT_STREAM |
  EVENT_MODULE;
