/**
 * Client-side caching in broadcast mode: clients that want to hear of every change of keys with some prefix.
 *
 *      prefixes, sorted    ""          "object:"        "user:"
 *                          clients     clients          clients          who listens
 *                          changed     changed          changed          key ──► who changed it last, since the last round
 *
 *      once per turn of the event loop: one message for each prefix, with all of its keys
 *
 *  I1  A prefix is here exactly as long as it has a client.
 *  I2  `changed` is empty between two turns of the event loop.
 *  Source: CLIENT TRACKING with BCAST of Redis 7.2; keys in the order of their bytes as there.
 */

import type { KeyHash } from "../core/sip-hash.ts";
import { ByteEntry, ByteMap } from "./byte-map.ts";
import type { Client } from "./client.ts";
import { bulkBytes, writeBulk } from "./pubsub.ts";

/** A key that was changed in this turn. */
class ChangedKey extends ByteEntry {
  /** Who changed it last; undefined when it was nobody's command. */
  changer: Client | undefined = undefined;
}

export class BroadcastPrefix extends ByteEntry {
  readonly clients = new Set<Client>();
  changed: ByteMap<ChangedKey>;

  constructor(name: Uint8Array, hash: KeyHash) {
    super(name);
    this.changed = new ByteMap(hash);
  }
}

export class Broadcasts {
  private readonly hash: KeyHash;
  /** In the order of their bytes. */
  private prefixes: BroadcastPrefix[];

  constructor(hash: KeyHash) {
    this.hash = hash;
    this.prefixes = [];
  }

  get prefixCount(): number {
    return this.prefixes.length;
  }

  /** `client` listens to `name`, which is kept, from now on; once is enough. */
  join(client: Client, name: Uint8Array): BroadcastPrefix {
    let prefix = this.prefixes.find((each) => compareBytes(each.name, name) === 0);
    if (prefix === undefined) {
      prefix = new BroadcastPrefix(name, this.hash);
      this.prefixes.push(prefix);
      this.prefixes.sort((left, right) => compareBytes(left.name, right.name));
    }
    prefix.clients.add(client);
    return prefix;
  }

  leave(client: Client, prefix: BroadcastPrefix): void {
    prefix.clients.delete(client);
    if (prefix.clients.size === 0) this.prefixes = this.prefixes.filter((each) => each !== prefix);
  }

  /** A key was changed by a command of `changer`. True when it is the first one of this turn that somebody wants to hear of. */
  note(bytes: Uint8Array, start: number, length: number, changer: Client | undefined): boolean {
    const { prefixes } = this;
    let isFirst = false;
    let copy: Uint8Array | undefined;
    for (let index = 0; index < prefixes.length; index++) {
      const prefix = prefixes[index]!;
      if (!beginsWith(bytes, start, length, prefix.name)) continue;
      let key = prefix.changed.find(bytes, start, length);
      if (key === undefined) {
        copy ??= bytes.slice(start, start + length);
        key = new ChangedKey(copy);
        isFirst ||= prefix.changed.size === 0;
        prefix.changed.add(key);
      }
      key.changer = changer;
    }
    return isFirst;
  }

  /**
   * Forgets what was changed and calls `send` for each client with the array of its keys as it stands on the wire.
   * `leavesOut`: whether a client does not want to hear of its own changes.
   */
  flush(leavesOut: (client: Client) => boolean, send: (clients: readonly Client[], keys: Uint8Array) => void): void {
    for (const prefix of [...this.prefixes]) {
      if (prefix.changed.size === 0) continue;
      const keys = prefix.changed.all().sort((left, right) => compareBytes(left.name, right.name));
      prefix.changed = new ByteMap(this.hash);
      const forAll: Client[] = [];
      for (const client of prefix.clients) {
        if (!leavesOut(client)) {
          forAll.push(client);
          continue;
        }
        const others = keys.filter((key) => key.changer !== client);
        if (others.length > 0) send([client], keyArray(others));
      }
      if (forAll.length > 0) send(forAll, keyArray(keys));
    }
  }
}

/** `*n` and the names as bulk strings. */
function keyArray(keys: readonly ChangedKey[]): Uint8Array {
  const head = new TextEncoder().encode(`*${keys.length}\r\n`);
  let size = head.length;
  for (const { name } of keys) size += bulkBytes(name.length);
  const bytes = new Uint8Array(size);
  bytes.set(head);
  let at = head.length;
  for (const { name } of keys) at = writeBulk(bytes, at, name, 0, name.length);
  return bytes;
}

function beginsWith(bytes: Uint8Array, start: number, length: number, prefix: Uint8Array): boolean {
  if (prefix.length > length) return false;
  for (let index = 0; index < prefix.length; index++) if (bytes[start + index] !== prefix[index]) return false;
  return true;
}

/** Negative, 0 or positive, as `left` comes before, is, or comes after `right`. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const difference = left[index]! - right[index]!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
