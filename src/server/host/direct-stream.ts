/**
 * Reading from and writing to a socket's handle without the stream around it.
 *
 *      read(2) ──► the shared buffer ──► receive(bytes, length)          only ends and errors go on to the stream
 *      reply bytes ──► handle.writeBuffer ──► write(2) ──┬── all taken: done, nothing was allocated
 *                                                        └── rest: libuv keeps it, `oncomplete` tells when it is gone
 *
 *  I1  All bytes of a socket go one way: either here or through the stream, so that their order is kept.
 *  I2  `pendingBytes` is what the kernel has not taken; memory of such a write is not touched until it is gone.
 *  I3  A request object is used again as long as writes complete at once: libuv does not keep it then.
 *  I4  The read buffer may be shared by all sockets: libuv fills it and calls back before it reads the next one.
 *
 * A stream's read and write cost a request object, a view, several calls and a microtask for each small reply: 6 to 8 %
 * of the processor time of a whole request (Node 20, redis-benchmark -c 50 -P 1). Node has no public way round it; where
 * the handle does not look as expected, `of` returns undefined and the stream is used.
 */

import type { Socket } from "node:net";

interface WriteRequest {
  handle: unknown;
  buffer: Uint8Array | null;
  oncomplete: (status: number) => void;
}

interface StreamHandle {
  onread: (bytes: unknown) => unknown;
  useUserBuffer(bytes: Uint8Array): void;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

/** What Node's own streams use. */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

/** The view that was written last: replies of the same length out of the same buffer need no new one. */
export class LastView {
  private bytes: Uint8Array | undefined;
  private start: number;
  private end: number;
  private view: Uint8Array;

  constructor() {
    this.bytes = undefined;
    this.start = 0;
    this.end = 0;
    this.view = new Uint8Array(0);
  }

  /** hot path */
  of(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (bytes !== this.bytes || start !== this.start || end !== this.end) {
      this.view = bytes.subarray(start, end);
      this.bytes = bytes;
      this.start = start;
      this.end = end;
    }
    return this.view;
  }
}

export class DirectStream {
  pendingBytes: number;
  private readonly socket: Socket;
  private readonly handle: StreamHandle;
  private readonly binding: StreamBinding;
  private readonly views: LastView;
  private request: WriteRequest;
  private drained: () => void;

  private constructor(socket: Socket, handle: StreamHandle, binding: StreamBinding, views: LastView) {
    this.pendingBytes = 0;
    this.socket = socket;
    this.handle = handle;
    this.binding = binding;
    this.views = views;
    this.request = new binding.WriteWrap();
    this.drained = () => undefined;
  }

  /** Takes over a socket that does not read yet; undefined when this runtime does not offer what that needs. */
  static of(socket: Socket, views: LastView): DirectStream | undefined {
    const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle;
    const binding = streamBinding();
    if (binding === undefined || typeof handle?.writeBuffer !== "function") return undefined;
    if (typeof handle.useUserBuffer !== "function" || typeof handle.onread !== "function") return undefined;
    return new DirectStream(socket, handle as StreamHandle, binding, views);
  }

  /** What is read goes to `buffer` and from there to `receive`; it is valid during the call only. */
  readInto(buffer: Uint8Array, receive: (bytes: Uint8Array, length: number) => void): void {
    const { handle, binding } = this;
    const state = binding.streamBaseState;
    const place = binding.kReadBytesOrError;
    const streamRead = handle.onread;
    handle.useUserBuffer(buffer);
    // hot path
    handle.onread = function (this: unknown, bytes: unknown): unknown {
      const length = state[place]!;
      if (length > 0) return receive(buffer, length);
      return streamRead.call(this, bytes);
    };
  }

  /** `callback` is called each time when nothing is pending any more. */
  onDrain(callback: () => void): void {
    this.drained = callback;
  }

  /** True when the kernel has taken all; false when the memory is in use until `pendingBytes` is 0. hot path */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    return this.writeView(this.views.of(bytes, start, end), end - start);
  }

  /** As `write`, for a view of `length` bytes. hot path */
  writeView(view: Uint8Array, length: number): boolean {
    // Closed since this was written: nobody reads it any more.
    if (this.socket.destroyed) return true;
    const request = this.request;
    const error = this.handle.writeBuffer(request, view);
    const state = this.binding.streamBaseState;
    if (error !== 0) {
      // The peer is gone: the socket's own events tell everybody.
      this.socket.destroy();
      return true;
    }
    if (state[this.binding.kLastWriteWasAsync] === 0) return true;
    this.wait(request, view, length);
    return false;
  }

  private wait(request: WriteRequest, view: Uint8Array, bytes: number): void {
    this.pendingBytes += bytes;
    request.handle = this.handle;
    request.buffer = view;
    request.oncomplete = (status) => {
      this.pendingBytes -= bytes;
      request.buffer = null;
      if (status !== 0) this.socket.destroy();
      else if (this.pendingBytes === 0) this.drained();
    };
    this.request = new this.binding.WriteWrap();
  }
}

function streamBinding(): StreamBinding | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): StreamBinding };
    const stream = binding.call(process, "stream_wrap");
    const isUsable =
      typeof stream.WriteWrap === "function" &&
      stream.streamBaseState instanceof Int32Array &&
      typeof stream.kLastWriteWasAsync === "number";
    return isUsable ? stream : undefined;
  } catch {
    return undefined;
  }
}
