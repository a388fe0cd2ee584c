/**
 * ReplyGate: what is written to clients waits until the log is where it was promised to be.
 *
 *      write(client a) ─┐                         release(offset)
 *      write(client b) ─┤ held, with the log's tail │ all that was written when the log
 *      write(client a) ─┘ at that moment            ▼ ended at `offset` or before ──► the sockets
 *
 *  I1  A client is told nothing that came to be by an effect which the log's file does not hold yet.
 *  I2  What one client is told leaves in the order in which it was written, also messages between replies.
 *  I3  While the log is where it should be, or nobody writes it to a file (whoever else reads it), a write goes straight
 *      through: between `begin` and `stop` somebody releases what is held, and at no other time is anything held.
 *  I4  The shared buffer is used again only when nothing that is held lies in it and no socket kept a part of it.
 *  Source: own design (DESIGN section 3, group commit).
 */

import type { Connection } from "../core/host.ts";
import type { CommandLog } from "../history/log/command-log.ts";

const SHARED_BYTES = 64 * 1024;
/** A reply of this size keeps the memory that it was written in. */
const OWN_MEMORY_MIN = 16 * 1024;

/** A range of bytes that waits. */
interface Held {
  readonly connection: GatedConnection;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Where the log ended when it was written. */
  readonly offset: number;
}

export class ReplyGate {
  private readonly log: CommandLog;
  /** Somebody writes the log to a file, and releases what waits for it (I3). */
  private isGuarding: boolean;
  /** Replies up to here may leave. */
  private releasedOffset: number;
  private held: Held[];
  private shared: Uint8Array;
  private position: number;

  constructor(log: CommandLog) {
    this.log = log;
    this.isGuarding = false;
    this.releasedOffset = 0;
    this.held = [];
    this.shared = new Uint8Array(0);
    this.position = 0;
  }

  /** `connection` with the gate before it. */
  wrap(connection: Connection): GatedConnection {
    return new GatedConnection(this, connection);
  }

  /** The log is written to a file from its end on: what was before it is nobody's to wait for. Nothing is held. */
  begin(): void {
    this.release(Number.POSITIVE_INFINITY);
    this.releasedOffset = this.log.tailOffset;
    this.isGuarding = true;
  }

  /** Nobody writes the log to a file any more: what was held leaves, and what comes is not held. */
  stop(): void {
    this.isGuarding = false;
    this.release(Number.POSITIVE_INFINITY);
  }

  /** Whether what is written now has to wait. hot path */
  isShut(): boolean {
    return this.isGuarding && this.log.tailOffset > this.releasedOffset;
  }

  /** Replies that wait. */
  heldCount(): number {
    return this.held.length;
  }

  /** Keeps `bytes[start ... end)`; true when the caller may use the memory again. */
  hold(connection: GatedConnection, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const offset = this.log.tailOffset;
    if (length >= OWN_MEMORY_MIN) {
      this.held.push({ connection, bytes, start, end, offset });
      return false;
    }
    if (this.position + length > this.shared.length) {
      this.shared = new Uint8Array(SHARED_BYTES);
      this.position = 0;
    }
    const { shared, position } = this;
    if (length < 64) for (let index = 0; index < length; index++) shared[position + index] = bytes[start + index]!;
    else shared.set(bytes.subarray(start, end), position);
    this.position = position + length;
    this.held.push({ connection, bytes: shared, start: position, end: position + length, offset });
    return true;
  }

  /** The log is where it should be up to `offset`: what was written until then leaves. */
  release(offset: number): void {
    if (offset > this.releasedOffset) this.releasedOffset = offset;
    const { held } = this;
    if (held.length === 0) return;
    let count = 0;
    while (count < held.length && held[count]!.offset <= offset) count++;
    if (count === 0) return;
    this.held = count === held.length ? [] : held.slice(count);
    let isKept = false;
    for (let index = 0; index < count; index++) {
      const { connection, bytes, start, end } = held[index]!;
      if (!connection.pass(bytes, start, end) && bytes === this.shared) isKept = true;
    }
    if (isKept) this.shared = new Uint8Array(0);
    if (this.held.length === 0 || isKept) this.position = 0;
  }

  /**
   * What waits can never be promised: those who wait for it are closed without it. What is written from now on is not
   * held for what the log holds now.
   */
  drop(): void {
    const { held } = this;
    this.held = [];
    this.position = 0;
    this.releasedOffset = this.log.tailOffset;
    for (const { connection } of held) connection.destroy();
  }
}

export class GatedConnection implements Connection {
  /** The connection behind the gate. */
  readonly inner: Connection;
  private readonly gate: ReplyGate;
  private heldBytes: number;
  private isEnding: boolean;

  constructor(gate: ReplyGate, inner: Connection) {
    this.gate = gate;
    this.inner = inner;
    this.heldBytes = 0;
    this.isEnding = false;
  }

  get remoteAddress(): string {
    return this.inner.remoteAddress;
  }

  get localAddress(): string {
    return this.inner.localAddress;
  }

  get descriptor(): number {
    return this.inner.descriptor;
  }

  get isUnixSocket(): boolean {
    return this.inner.isUnixSocket;
  }

  get isLocal(): boolean {
    return this.inner.isLocal;
  }

  pendingBytes(): number {
    return this.heldBytes + this.inner.pendingBytes();
  }

  /** hot path */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.heldBytes === 0 && !this.gate.isShut()) return this.inner.write(bytes, start, end);
    this.heldBytes += end - start;
    return this.gate.hold(this, bytes, start, end);
  }

  /** What was held leaves. */
  pass(bytes: Uint8Array, start: number, end: number): boolean {
    this.heldBytes -= end - start;
    const isFree = this.inner.write(bytes, start, end);
    if (this.isEnding && this.heldBytes === 0) this.inner.end();
    return isFree;
  }

  end(): void {
    this.isEnding = true;
    if (this.heldBytes === 0) this.inner.end();
  }

  destroy(): void {
    this.inner.destroy();
  }

  setKeepAlive(enabled: boolean, intervalSeconds: number): void {
    this.inner.setKeepAlive(enabled, intervalSeconds);
  }
}
