/**
 * WriteBatch: replies to several sockets that are served one after the other leave together.
 *
 *      a turn of the event loop    read a, serve a │ read b, serve b │ read c, serve c ║ write a, write b, write c
 *      memory                      [reply to a][reply to b][reply to c][ free ...... ]   copies; larger ones leave at once
 *
 *  I1  What waits leaves in the order in which it was written, before the event loop waits again, and before any task that
 *      was put off to the same moment (NodeClock.soon): such a task may take long.
 *  I2  Who writes to a stream, ends or destroys it otherwise flushes first, so that the order is kept and nothing is lost.
 *  I3  The memory is used again when the kernel has taken all; otherwise it is left to those who keep a part of it.
 *
 * A write wakes its peer. Written at once, each reply wakes a peer that has slept since the last one: with redis-benchmark
 * (-c 50 -P 16) on another processor that was a seventh of a request's processor time; written together, the first one
 * wakes it and it finds the others. Where a turn serves hardly more than one socket, waiting would only cost: then
 * replies leave at once, and a turn is counted now and then to see whether that is still so.
 */

import { LastView } from "./direct-stream.ts";

/** What a batch needs of a stream: see DirectStream. */
export interface BatchedStream {
  readonly pendingBytes: number;
  write(bytes: Uint8Array, start: number, end: number): boolean;
  writeView(view: Uint8Array, length: number): boolean;
}

const BUFFER_BYTES = 64 * 1024;
/** Copying a larger one costs more than is won. */
const REPLY_BYTES_MAX = 8 * 1024;
const REPLIES_MAX = 64;
/** So many sockets must be served in a turn of the loop, on average, for batches to begin; and to go on. */
const BEGIN_SERVED = 2.5;
const GO_ON_SERVED = 2;
/** The average is that of about so many turns. */
const AVERAGED_TURNS = 16;
/** Without batches one turn is counted after each so many replies. */
const REPLIES_PER_COUNT = 32;

export class WriteBatch {
  private isBatching: boolean;
  private bytes: Uint8Array;
  private position: number;
  private readonly streams: (BatchedStream | undefined)[];
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  /** One for each place: replies of the same length need no new view of the memory. */
  private readonly views: LastView[];
  private count: number;
  /** Sockets served in this turn, when it is counted, and in a turn on average. */
  private served: number;
  private isCounting: boolean;
  private untilCount: number;
  private averageServed: number;
  private readonly atEndOfTurn: (task: () => void) => void;

  /** `atEndOfTurn` calls a task when the sockets that are ready have been read. */
  constructor(atEndOfTurn: (task: () => void) => void = setImmediate) {
    this.atEndOfTurn = atEndOfTurn;
    this.isBatching = false;
    this.bytes = new Uint8Array(BUFFER_BYTES);
    this.position = 0;
    this.streams = new Array<BatchedStream | undefined>(REPLIES_MAX).fill(undefined);
    this.starts = new Int32Array(REPLIES_MAX);
    this.ends = new Int32Array(REPLIES_MAX);
    this.views = Array.from({ length: REPLIES_MAX }, () => new LastView());
    this.count = 0;
    this.served = 0;
    this.isCounting = false;
    this.untilCount = 1;
    this.averageServed = 1;
  }

  /**
   * Sends `bytes[start ... end)` at once or at the end of this turn. False when the memory is in use until the stream's
   * `pendingBytes` is 0. hot path
   */
  write(stream: BatchedStream, bytes: Uint8Array, start: number, end: number): boolean {
    this.countServed();
    const length = end - start;
    if (!this.isBatching || length > REPLY_BYTES_MAX || stream.pendingBytes !== 0) {
      if (this.count !== 0) this.flush(); // I2
      return stream.write(bytes, start, end);
    }
    if (this.count === REPLIES_MAX || this.position + length > BUFFER_BYTES) this.flush();
    const at = this.position;
    const target = this.bytes;
    if (length < 36) for (let index = 0; index < length; index++) target[at + index] = bytes[start + index]!;
    else target.set(bytes.subarray(start, end), at);
    const place = this.count++;
    this.streams[place] = stream;
    this.starts[place] = at;
    this.ends[place] = at + length;
    this.position = at + length;
    return true;
  }

  /** Everything that waits leaves. */
  flush(): void {
    const count = this.count;
    if (count === 0) return;
    const { streams, starts, ends, views, bytes } = this;
    this.count = 0;
    this.position = 0;
    let isKept = false;
    for (let place = 0; place < count; place++) {
      const stream = streams[place]!;
      streams[place] = undefined;
      const start = starts[place]!;
      const end = ends[place]!;
      if (!stream.writeView(views[place]!.of(bytes, start, end), end - start)) isKept = true;
    }
    if (isKept) this.bytes = new Uint8Array(BUFFER_BYTES); // I3
  }

  private countServed(): void {
    if (this.isCounting) {
      this.served++;
    } else if (this.isBatching || --this.untilCount === 0) {
      this.isCounting = true;
      this.served = 1;
      this.atEndOfTurn(this.endTurn);
    }
  }

  private readonly endTurn = (): void => {
    this.flush();
    this.isCounting = false;
    this.untilCount = REPLIES_PER_COUNT;
    this.averageServed += (this.served - this.averageServed) / AVERAGED_TURNS;
    this.isBatching = this.averageServed >= (this.isBatching ? GO_ON_SERVED : BEGIN_SERVED);
  };
}
