/**
 * Net on Node: TCP and unix sockets.
 *
 *      kernel ──► one read buffer for all sockets ──► handler.onData(bytes, length)
 *
 *  I1  The read buffer is shared (see direct-stream.ts), and handlers do not keep what they are given. On Windows reads
 *      are started ahead of time, so there each socket has a buffer of its own.
 *  I2  `write` returns true only when the kernel has taken every byte.
 */

import { chmodSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { NetFault } from "../../core/faults.ts";
import type { Connection, ConnectionHandler, Listener, ListenOptions, Net } from "../../core/host.ts";
import { DirectStream, LastView } from "./direct-stream.ts";

const READ_BUFFER_BYTES = 64 * 1024;

export class NodeNet implements Net {
  private readonly readBuffer: Uint8Array;
  private readonly views: LastView;

  constructor() {
    this.views = new LastView();
    this.readBuffer = new Uint8Array(READ_BUFFER_BYTES);
  }

  listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    const address = options.path ?? `${options.host ?? "*"}:${options.port}`;
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, pauseOnConnect: true });
      const sockets = new Set<Socket>();
      server.on("connection", (socket: Socket) => {
        if (socket.destroyed) return;
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        this.adopt(socket, accept, options.path !== undefined);
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
          resolve(new NodeListener(server, sockets));
        },
      );
    });
  }

  /** Connects an accepted socket, which does not read yet, with the handler that `accept` gives. */
  private adopt(socket: Socket, accept: (connection: Connection) => ConnectionHandler, isUnixSocket: boolean): void {
    const direct = DirectStream.of(socket, this.views);
    const handler = accept(new NodeConnection(socket, direct, descriptorOf(socket), isUnixSocket));
    if (direct === undefined) {
      socket.on("data", (bytes: Buffer) => handler.onData(bytes, bytes.length));
    } else {
      const buffer = process.platform === "win32" ? new Uint8Array(READ_BUFFER_BYTES) : this.readBuffer;
      direct.readInto(buffer, (bytes, length) => handler.onData(bytes, length));
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

  constructor(server: Server, sockets: Set<Socket>) {
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.server = server;
    this.sockets = sockets;
  }

  stopListening(): Promise<void> {
    // The port is free when `close` returns; its callback waits for connections that may stay.
    this.server.close();
    return Promise.resolve();
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    return closed;
  }
}

class NodeConnection implements Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  readonly isLocal: boolean;
  private readonly socket: Socket;
  private readonly direct: DirectStream | undefined;
  private endsWhenSent: boolean;

  constructor(socket: Socket, direct: DirectStream | undefined, descriptor: number, isUnixSocket: boolean) {
    this.socket = socket;
    this.direct = direct;
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
    if (this.direct !== undefined) return this.direct.write(bytes, start, end);
    socket.write(bytes.subarray(start, end));
    // Node tries to write at once; nothing is left in its queue when the kernel took everything.
    return socket.writableLength === 0;
  }

  end(): void {
    this.endsWhenSent = true;
    // destroySoon closes when the last byte has left, whether or not the peer closes its side.
    if (this.direct === undefined || this.direct.pendingBytes === 0) this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  setKeepAlive(enabled: boolean, intervalSeconds: number): void {
    if (!this.isUnixSocket) this.socket.setKeepAlive(enabled, intervalSeconds * 1000);
  }
}

function endpoint(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return "?:0";
  return address.includes(":") && !address.startsWith("::ffff:")
    ? `[${address}]:${port}`
    : `${address.replace("::ffff:", "")}:${port}`;
}
