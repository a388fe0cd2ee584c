/**
 * Mail: bytes for clients that have not asked for them just now: messages, in the order in which they were sent.
 *
 *      publish ──► encoded once per protocol into a shared buffer   [ message 1 │ message 2 │ message 3 │ free ]
 *                                                                     ▲─────────────────────▲
 *                  each receiver's outbox: ranges of that buffer, neighbours joined ──┘
 *
 *      when the events at hand have been served: one write for each receiver
 *
 *  I1  What lies in an outbox leaves before anything that is written to its client later.
 *  I2  To the client that is being served it leaves right behind the reply of the command (or EXEC) in execution.
 *  I3  The shared buffer is used again only when no outbox and no connection holds a part of it.
 *  Source: how Redis 7.2 orders pushed messages and replies.
 */

import type { Clock } from "../core/host.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import type { Client } from "./client.ts";
import type { SessionStatistics } from "./statistics.ts";

const SHARED_BYTES = 64 * 1024;
/** A message of this size gets memory of its own. */
const OWN_MEMORY_MIN = 16 * 1024;
/** Who has more than this waiting is written to at once. */
const OUTBOX_BYTES_MAX = 256 * 1024;

/** What waits for one client. */
export class Outbox {
  readonly chunks: Uint8Array[];
  readonly starts: number[];
  readonly ends: number[];
  bytes: number;
  /** The client is in Mail's list of those to be written to. */
  isListed: boolean;

  constructor() {
    this.chunks = [];
    this.starts = [];
    this.ends = [];
    this.bytes = 0;
    this.isListed = false;
  }

  /** hot path */
  add(chunk: Uint8Array, start: number, end: number): void {
    const last = this.chunks.length - 1;
    this.bytes += end - start;
    if (last >= 0 && this.chunks[last] === chunk && this.ends[last] === start) {
      this.ends[last] = end;
      return;
    }
    this.chunks.push(chunk);
    this.starts.push(start);
    this.ends.push(end);
  }

  clear(): void {
    this.chunks.length = 0;
    this.starts.length = 0;
    this.ends.length = 0;
    this.bytes = 0;
  }
}

export interface MailHost {
  readonly clock: Clock;
  /** Asked each time: CONFIG RESETSTAT may make new ones. */
  statistics(): SessionStatistics;
  /** The clients whose replies are being written; see I2. */
  isBeingServed(client: Client): boolean;
  /** A client that is being served has mail: it leaves after the command. */
  onOwnMail(): void;
  /** After a write to `client`. */
  afterWrite(client: Client): void;
}

export class Mail {
  /** Where the newest message was encoded: `chunk[start ... end)`. */
  chunk: Uint8Array;
  start: number;
  end: number;

  private readonly host: MailHost;
  private shared: Uint8Array;
  private position: number;
  private scratch: Uint8Array;
  private receivers: Client[];
  private isScheduled: boolean;

  constructor(host: MailHost) {
    this.host = host;
    this.shared = new Uint8Array(SHARED_BYTES);
    this.position = 0;
    this.scratch = new Uint8Array(0);
    this.chunk = this.shared;
    this.start = 0;
    this.end = 0;
    this.receivers = [];
    this.isScheduled = false;
  }

  /** Gives memory for a message of at most `bytes`, at `chunk[start]`; the caller writes it and sets `end` with `close`. */
  open(bytes: number): void {
    if (bytes >= OWN_MEMORY_MIN) {
      this.chunk = new Uint8Array(bytes);
      this.start = 0;
      return;
    }
    if (this.position + bytes > this.shared.length) {
      this.shared = new Uint8Array(SHARED_BYTES);
      this.position = 0;
    }
    this.chunk = this.shared;
    this.start = this.position;
  }

  close(end: number): void {
    this.end = end;
    if (this.chunk === this.shared) this.position = end;
  }

  /** Puts `chunk[start ... end)` into the outbox of `client`. hot path */
  deliver(client: Client, chunk: Uint8Array, start: number, end: number): void {
    if (client.isClosing) return;
    client.outbox ??= new Outbox();
    const outbox = client.outbox;
    outbox.add(chunk, start, end);
    if (this.host.isBeingServed(client)) {
      this.host.onOwnMail();
      return;
    }
    if (!outbox.isListed) {
      outbox.isListed = true;
      this.receivers.push(client);
      this.schedule();
    }
    if (outbox.bytes > OUTBOX_BYTES_MAX) this.send(client, outbox);
  }

  /** Writes what waits for `client` behind what `reply` holds, which is for the same client. */
  appendTo(client: Client, reply: ReplyWriter): void {
    const outbox = client.outbox;
    if (outbox === undefined || outbox.bytes === 0) return;
    const { chunks, starts, ends } = outbox;
    for (let index = 0; index < chunks.length; index++) {
      reply.raw(chunks[index]!, starts[index]!, ends[index]! - starts[index]!);
    }
    outbox.clear();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.host.clock.soon(() => {
      this.isScheduled = false;
      this.sendAll();
    });
  }

  private sendAll(): void {
    const receivers = this.receivers;
    this.receivers = [];
    for (let index = 0; index < receivers.length; index++) {
      const client = receivers[index]!;
      const outbox = client.outbox;
      if (outbox === undefined) continue;
      outbox.isListed = false;
      if (outbox.bytes > 0) this.send(client, outbox);
    }
    // Nobody is being served now, so nothing lies in any outbox (I3).
    this.position = 0;
  }

  private send(client: Client, outbox: Outbox): void {
    const { chunks, starts, ends } = outbox;
    const connection = client.connection;
    if (client.isClosing) {
      outbox.clear();
      return;
    }
    const statistics = this.host.statistics();
    statistics.outputBytes += outbox.bytes;
    statistics.writeEvents++;
    if (chunks.length > 1 && outbox.bytes <= SHARED_BYTES) {
      const scratch = this.gather(outbox);
      if (!connection.write(scratch, 0, outbox.bytes)) this.scratch = new Uint8Array(0);
    } else {
      for (let index = 0; index < chunks.length; index++) {
        const chunk = chunks[index]!;
        const isFree = connection.write(chunk, starts[index]!, ends[index]!);
        if (!isFree && chunk === this.shared) this.giveAway();
      }
    }
    outbox.clear();
    this.host.afterWrite(client);
  }

  private gather({ chunks, starts, ends, bytes }: Outbox): Uint8Array {
    if (this.scratch.length < bytes) this.scratch = new Uint8Array(SHARED_BYTES);
    const scratch = this.scratch;
    let at = 0;
    for (let index = 0; index < chunks.length; index++) {
      scratch.set(chunks[index]!.subarray(starts[index]!, ends[index]!), at);
      at += ends[index]! - starts[index]!;
    }
    return scratch;
  }

  private giveAway(): void {
    this.shared = new Uint8Array(SHARED_BYTES);
    this.position = 0;
  }
}
