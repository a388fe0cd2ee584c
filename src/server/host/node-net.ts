/**
 * Net on Node: TCP and unix sockets, and TLS over TCP.
 *
 *      kernel ──► one read buffer for all sockets ──► handler.onData(bytes, length)
 *      kernel ──► handshake (node-tls.ts) ──► the same buffer, decrypted ──► handler.onData
 *
 *  I1  The read buffer is shared (see direct-stream.ts), and handlers do not keep what they are given. On Windows reads
 *      are started ahead of time, so there each socket has a buffer of its own.
 *  I2  `write` returns true only when the kernel has taken every byte, or when a copy of them will be with it at the end of
 *      this turn of the event loop (write-batch.ts).
 */

import { chmodSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { NetFault } from "../../core/faults.ts";
import type {
  Connection,
  ConnectionHandler,
  Listener,
  ListenOptions,
  Net,
  TlsContext,
  TlsSettings,
} from "../../core/host.ts";
import { DirectStream, LastView } from "./direct-stream.ts";
import { endpoint } from "./endpoint.ts";
import { NodeTlsContext, TlsAcceptor } from "./node-tls.ts";
import { TlsStream } from "./tls-stream.ts";
import type { WriteBatch } from "./write-batch.ts";

const READ_BUFFER_BYTES = 64 * 1024;

type Accept = (connection: Connection) => ConnectionHandler;
/** How a connection's socket is used. */
type SocketKind = "tcp" | "unix" | "tls";

export class NodeNet implements Net {
  private readonly readBuffer: Uint8Array;
  private readonly views: LastView;
  private readonly batch: WriteBatch;

  constructor(batch: WriteBatch) {
    this.views = new LastView();
    this.batch = batch;
    this.readBuffer = new Uint8Array(READ_BUFFER_BYTES);
  }

  secure(settings: TlsSettings): TlsContext {
    return new NodeTlsContext(settings);
  }

  listen(options: ListenOptions, accept: Accept): Promise<Listener> {
    const address = options.path ?? `${options.host ?? "*"}:${options.port}`;
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, pauseOnConnect: true });
      const sockets = new Set<Socket>();
      const acceptor =
        options.tls === undefined
          ? undefined
          : new TlsAcceptor(options.tls, (socket) => this.adopt(socket, accept, "tls"));
      server.on("connection", (socket: Socket) => {
        if (socket.destroyed) return;
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        if (acceptor !== undefined) acceptor.accept(socket);
        else this.adopt(socket, accept, options.path === undefined ? "tcp" : "unix");
      });
      // Later errors are connections that the system had no descriptor for: they are lost, the listener stays.
      server.on("error", (error) => reject(new NetFault("listen", address, error)));
      if (options.path !== undefined) removeStaleSocket(options.path);
      server.listen(
        options.path === undefined
          ? {
              host: options.host,
              port: options.port,
              backlog: options.backlog,
              ipv6Only: options.host?.includes(":") ?? false,
            }
          : { path: options.path, backlog: options.backlog },
        () => {
          if (options.path !== undefined && options.pathMode) chmodSync(options.path, options.pathMode);
          resolve(new NodeListener(server, sockets, acceptor));
        },
      );
    });
  }

  /** Connects an accepted socket with the handler that `accept` gives, before anything was read from it. */
  private adopt(socket: Socket, accept: Accept, kind: SocketKind): void {
    const direct = DirectStream.of(socket, this.views);
    const stream = direct !== undefined && kind === "tls" ? new TlsStream(direct) : direct;
    const connection = new NodeConnection(socket, stream, this.batch, descriptorOf(socket), kind === "unix");
    const handler = accept(connection);
    if (stream === undefined) {
      socket.on("data", (bytes: Buffer) => handler.onData(bytes, bytes.length));
    } else {
      const buffer = process.platform === "win32" ? new Uint8Array(READ_BUFFER_BYTES) : this.readBuffer;
      stream.readInto(buffer, (bytes, length) => handler.onData(bytes, length));
    }
    if (kind === "tls") {
      // What is queued here is sent before our side is closed, too.
      socket.allowHalfOpen = true;
      socket.once("end", () => connection.end());
    }
    // A reset by the peer is one of the ways in which a connection ends: "close" follows.
    socket.on("error", () => undefined);
    socket.once("close", () => handler.onClose());
    socket.resume();
  }
}

/** The descriptor's number, which Node keeps on the handle. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

/** A unix socket's file that no server listens on any more would make every later start fail. */
function removeStaleSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Nothing was there, or listening will say what is wrong with it.
  }
}

class NodeListener implements Listener {
  readonly port: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;
  private readonly acceptor: TlsAcceptor | undefined;

  constructor(server: Server, sockets: Set<Socket>, acceptor: TlsAcceptor | undefined) {
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.server = server;
    this.sockets = sockets;
    this.acceptor = acceptor;
  }

  stopListening(): Promise<void> {
    // The port is free when `close` returns; its callback waits for connections that may stay.
    this.server.close();
    // Nobody else knows of them.
    this.acceptor?.abandon();
    return Promise.resolve();
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    return closed;
  }
}

type SocketStream = DirectStream | TlsStream;

class NodeConnection implements Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  readonly isLocal: boolean;
  private readonly socket: Socket;
  private readonly direct: SocketStream | undefined;
  /** The same, when what is written to it may wait for others. */
  private readonly batched: DirectStream | undefined;
  private readonly batch: WriteBatch;
  private endsWhenSent: boolean;

  constructor(
    socket: Socket,
    direct: SocketStream | undefined,
    batch: WriteBatch,
    descriptor: number,
    isUnixSocket: boolean,
  ) {
    this.socket = socket;
    this.direct = direct;
    this.batched = direct instanceof DirectStream ? direct : undefined;
    this.batch = batch;
    this.descriptor = descriptor;
    this.isUnixSocket = isUnixSocket;
    this.isLocal = isUnixSocket || /^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? "");
    this.endsWhenSent = false;
    if (isUnixSocket) {
      this.remoteAddress = "/unixsocket:0";
      this.localAddress = "/unixsocket:0";
    } else {
      this.remoteAddress = endpoint(socket.remoteAddress, socket.remotePort);
      this.localAddress = endpoint(socket.localAddress, socket.localPort);
    }
    direct?.onDrain(() => {
      if (this.endsWhenSent) this.socket.destroySoon();
    });
  }

  pendingBytes(): number {
    return this.direct?.pendingBytes ?? this.socket.writableLength;
  }

  /** hot path */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    const socket = this.socket;
    if (socket.destroyed || this.endsWhenSent) return true;
    if (this.batched !== undefined) return this.batch.write(this.batched, bytes, start, end);
    if (this.direct !== undefined) return this.direct.write(bytes, start, end);
    socket.write(bytes.subarray(start, end));
    // Node tries to write at once; nothing is left in its queue when the kernel took everything.
    return socket.writableLength === 0;
  }

  end(): void {
    this.endsWhenSent = true;
    this.batch.flush();
    // destroySoon closes when the last byte has left, whether or not the peer closes its side.
    if (this.direct === undefined || this.direct.pendingBytes === 0) this.socket.destroySoon();
  }

  destroy(): void {
    this.batch.flush();
    this.socket.destroy();
  }

  setKeepAlive(enabled: boolean, intervalSeconds: number): void {
    if (!this.isUnixSocket) this.socket.setKeepAlive(enabled, intervalSeconds * 1000);
  }
}
