/**
 * A client that hides nothing: arguments go out as bytes, replies come back as the raw bytes of the wire.
 *
 *      call(args) ──► encodeCommand ──► socket ──► ReplyFramer ──► the oldest waiting call
 *                                                      └─ ">" at the top level ──► pushes
 *
 *  I1  Replies are given to waiting calls in the order of the requests; what nobody waits for is kept in order.
 *  I2  When the connection ends, every waiting call gets undefined: a missing reply is a result too.
 */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { plainReply, ReplyFramer } from "./reply.ts";

export type Argument = Buffer | string | number;

/** Bytes of `argument`; strings are UTF-8. */
function argumentBytes(argument: Argument): Buffer {
  return Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument));
}

/** A request as an array of bulk strings. */
export function encodeCommand(args: readonly Argument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const argument of args) {
    const bytes = argumentBytes(argument);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

export interface RawTarget {
  readonly port?: number;
  readonly host?: string;
  /** Path of a unix socket, instead of host and port. */
  readonly path?: string;
  /** Encrypts, with these certificates. */
  readonly tls?: ConnectionOptions;
}

export class RawClient {
  /** Messages that the server sent by itself (RESP3), in order. */
  readonly pushes: Buffer[] = [];
  /** True from the end of the connection on. */
  isClosed = false;
  private readonly socket: Socket;
  private readonly framer = new ReplyFramer();
  private readonly waiting: ((reply: Buffer | undefined) => void)[] = [];
  private readonly unclaimed: Buffer[] = [];
  private readonly closing: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    // A reset connection is what several tests provoke: it shows as the end, not as an error.
    socket.on("error", () => this.finish());
    socket.on("close", () => this.finish());
  }

  /** Connects; rejects with the system's error when nobody listens. */
  static connect(target: RawTarget | number): Promise<RawClient> {
    const options = typeof target === "number" ? { port: target } : target;
    const address = { port: options.port ?? 0, host: options.host ?? "127.0.0.1" };
    return new Promise((resolve, reject) => {
      const socket =
        options.tls !== undefined
          ? connectTls({ ...address, ...options.tls })
          : options.path === undefined
            ? connect({ ...address, noDelay: true })
            : connect({ path: options.path });
      socket.once("error", reject);
      socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Sends one command; the raw reply, or undefined when the connection ended before it came. */
  call(...args: Argument[]): Promise<Buffer | undefined> {
    this.write(encodeCommand(args));
    return this.nextReply();
  }

  /** Like `call`, but the reply as plain JavaScript (see plainReply); an error reply throws. */
  async ask(...args: Argument[]): Promise<unknown> {
    const raw = await this.call(...args);
    if (raw === undefined) throw new Error(`connection ended before the reply to ${args[0]}`);
    const plain = plainReply(raw);
    if (plain instanceof Error) throw plain;
    return plain;
  }

  /** Sends all commands in one write; the replies in order. */
  pipeline(commands: readonly (readonly Argument[])[]): Promise<(Buffer | undefined)[]> {
    this.write(Buffer.concat(commands.map(encodeCommand)));
    return Promise.all(commands.map(() => this.nextReply()));
  }

  /** Sends bytes as they are. */
  write(bytes: Uint8Array | string): void {
    if (!this.isClosed) this.socket.write(bytes);
  }

  /** The next reply that no call waits for; undefined when the connection ends first. */
  nextReply(): Promise<Buffer | undefined> {
    const ready = this.unclaimed.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Waits for the end of the connection; all reply bytes that nobody claimed, whole or not. */
  async untilClosed(): Promise<Buffer> {
    if (!this.isClosed) await new Promise<void>((resolve) => this.closing.push(resolve));
    return Buffer.concat([...this.unclaimed, this.framer.rest()]);
  }

  /** Ends the connection at once. */
  close(): void {
    this.socket.destroy();
    this.finish();
  }

  private receive(chunk: Buffer): void {
    let replies: Buffer[];
    try {
      replies = this.framer.push(chunk);
    } catch (fault) {
      // The bytes are no protocol: hand them out as the reply, so that the test that reads it shows them.
      replies = [Buffer.from(`-NOT-RESP ${(fault as Error).message}\r\n`)];
      this.socket.destroy();
    }
    for (const reply of replies) {
      if (reply[0] === 0x3e) this.pushes.push(reply);
      else if (this.waiting.length > 0) this.waiting.shift()!(reply);
      else this.unclaimed.push(reply);
    }
  }

  private finish(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const resolve of this.waiting.splice(0)) resolve(undefined);
    for (const resolve of this.closing.splice(0)) resolve();
  }
}
