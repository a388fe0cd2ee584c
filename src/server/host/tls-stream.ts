/**
 * Writing to an encrypted socket's handle without the stream around it.
 *
 *      reply bytes ──┬── nothing under way: encrypted at once (the caller's memory is free), then write(2)
 *                    └── a write is under way: queue ──► the next one when that has gone
 *      queue   [copies of small replies 16 KB][...]   [a large one, kept where it lies][...]
 *
 *  I1  Node's TLS takes one write at a time: the next begins when `drained` told of the end of the one before.
 *  I2  What TLS was given it has encrypted or copied when its write returns.
 *  I3  No write encrypts more than SLICE_BYTES, so that a large reply does not hold the event loop.
 *  I4  `pendingBytes` counts unencrypted bytes: those queued, and those of the write that is under way.
 *
 * Source: measured against the stream (socket.write), see docs/benchmarks.md; TLSWrap of Node 20 and 24.
 */

import type { DirectStream } from "./direct-stream.ts";

const SLICE_BYTES = 128 * 1024;
const COPIES_BYTES = 16 * 1024;
/** Larger ones stay where they are. */
const COPIED_BYTES_MAX = 4 * 1024;

export class TlsStream {
  private readonly direct: DirectStream;
  private readonly queue: Uint8Array[];
  private queuedBytes: number;
  /** The last of `queue`, when it is ours and has room; `copiedBytes` of it are used. */
  private copies: Uint8Array | undefined;
  private copiedBytes: number;
  private drained: () => void;

  constructor(direct: DirectStream) {
    this.direct = direct;
    this.queue = [];
    this.queuedBytes = 0;
    this.copies = undefined;
    this.copiedBytes = 0;
    this.drained = () => undefined;
    direct.onDrain(() => {
      this.advance();
      if (this.pendingBytes === 0) this.drained();
    });
  }

  get pendingBytes(): number {
    return this.direct.pendingBytes + this.queuedBytes;
  }

  readInto(buffer: Uint8Array, receive: (bytes: Uint8Array, length: number) => void): void {
    this.direct.readInto(buffer, receive);
  }

  /** `callback` is called each time when nothing is pending any more. */
  onDrain(callback: () => void): void {
    this.drained = callback;
  }

  /** True when the caller may use the memory again; false when it is kept until `pendingBytes` is 0. hot path */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.pendingBytes === 0 && end - start <= SLICE_BYTES) {
      this.direct.write(bytes, start, end);
      return true;
    }
    return this.enqueue(bytes, start, end);
  }

  private enqueue(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    this.queuedBytes += length;
    if (length > COPIED_BYTES_MAX) {
      this.queue.push(bytes.subarray(start, end));
      this.copies = undefined;
      this.advance();
      return false;
    }
    if (this.copies === undefined || COPIES_BYTES - this.copiedBytes < length) {
      this.copies = new Uint8Array(COPIES_BYTES);
      this.copiedBytes = 0;
      this.queue.push(this.copies.subarray(0, 0));
    }
    this.copies.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.copiedBytes);
    this.copiedBytes += length;
    this.queue[this.queue.length - 1] = this.copies.subarray(0, this.copiedBytes);
    return true;
  }

  /** Gives TLS the next slice, when it is free. */
  private advance(): void {
    while (this.queue.length > 0 && this.direct.pendingBytes === 0) {
      const next = this.queue[0]!;
      const length = Math.min(next.length, SLICE_BYTES);
      if (length === next.length) this.queue.shift();
      else this.queue[0] = next.subarray(length);
      if (this.queue.length === 0) this.copies = undefined;
      this.queuedBytes -= length;
      this.direct.write(next, 0, length);
    }
  }
}
