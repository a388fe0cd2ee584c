/**
 * The bytes of an invalidation message: at most once per form, whatever the number of receivers.
 *
 *      RESP3          > 2  invalidate  <value>                            value   * 1  key      a key that was changed
 *      RESP2          * 3  message  __redis__:invalidate  <value>                 * n  keys     of one prefix
 *                                                                                 null         all of them
 *
 *  I1  What `push` and `message` made lies in the mail's memory, to be delivered before the next `begin`.
 *  Source: client-side caching as Redis 7.2 documents it.
 */

import type { Mail } from "./mail.ts";
import { bulkBytes, writeBulk } from "./pubsub.ts";

const PUSH_HEAD = new TextEncoder().encode(">2\r\n$10\r\ninvalidate\r\n");
const MESSAGE_HEAD = new TextEncoder().encode("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
const ONE_KEY = new TextEncoder().encode("*1\r\n");
const NO_BYTES = new Uint8Array(0);

/** Bytes in a mail's memory. */
export interface MailPart {
  chunk: Uint8Array;
  start: number;
  end: number;
}

export class Invalidation {
  private readonly mail: Mail;
  private bytes: Uint8Array;
  private start: number;
  private length: number;
  private isKey: boolean;
  private hasPush: boolean;
  private hasMessage: boolean;
  private readonly pushPart: MailPart;
  private readonly messagePart: MailPart;

  constructor(mail: Mail) {
    this.mail = mail;
    this.bytes = NO_BYTES;
    this.start = 0;
    this.length = 0;
    this.isKey = false;
    this.hasPush = false;
    this.hasMessage = false;
    this.pushPart = { chunk: NO_BYTES, start: 0, end: 0 };
    this.messagePart = { chunk: NO_BYTES, start: 0, end: 0 };
  }

  /** A message about one key; `bytes` must stay until it has been sent. */
  beginKey(bytes: Uint8Array, start: number, length: number): void {
    this.begin(bytes, start, length, true);
  }

  /** A message whose value is given as it stands on the wire. */
  beginValue(value: Uint8Array): void {
    this.begin(value, 0, value.length, false);
  }

  private begin(bytes: Uint8Array, start: number, length: number, isKey: boolean): void {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
    this.isKey = isKey;
    this.hasPush = false;
    this.hasMessage = false;
  }

  /** As a client hears it that speaks RESP3. */
  push(): MailPart {
    if (!this.hasPush) this.encode(PUSH_HEAD, this.pushPart);
    this.hasPush = true;
    return this.pushPart;
  }

  /** As a client hears it in RESP2 that others redirect to. */
  message(): MailPart {
    if (!this.hasMessage) this.encode(MESSAGE_HEAD, this.messagePart);
    this.hasMessage = true;
    return this.messagePart;
  }

  private encode(head: Uint8Array, part: MailPart): void {
    const { mail, bytes, start, length, isKey } = this;
    mail.open(head.length + (isKey ? ONE_KEY.length + bulkBytes(length) : length));
    const target = mail.chunk;
    let at = mail.start;
    target.set(head, at);
    at += head.length;
    if (isKey) {
      target.set(ONE_KEY, at);
      at = writeBulk(target, at + ONE_KEY.length, bytes, start, length);
    } else {
      target.set(bytes.subarray(start, start + length), at);
      at += length;
    }
    mail.close(at);
    part.chunk = target;
    part.start = mail.start;
    part.end = at;
  }
}
