/**
 * Net on Node: TCP and unix sockets.
 *
 *      kernel ──► one read buffer for all sockets ──► handler.onData(bytes, length)
 *
 *  I1  The read buffer is shared: libuv fills it and calls back before the next socket is read, and handlers do not
 *      keep what they are given. Saves 8 % of the processor time of a small request (an allocation and a copy each).
 *      On Windows reads are started ahead of time, so there each socket has a buffer of its own.
 *  I2  `write` returns true only when the kernel has taken every byte.
 */

import { chmodSync, unlinkSync } from "node:fs";
import { createServer, type Server, Socket, type SocketConstructorOpts } from "node:net";
import { NetFault, reasonOf } from "../../core/faults.ts";
import type { Connection, ConnectionHandler, Listener, ListenOptions, Net } from "../../core/host.ts";

const READ_BUFFER_BYTES = 64 * 1024;

export class NodeNet implements Net {
  private readonly readBuffer: Uint8Array;

  constructor() {
    this.readBuffer = new Uint8Array(READ_BUFFER_BYTES);
  }

  listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    const address = options.path ?? `${options.host ?? "*"}:${options.port}`;
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, pauseOnConnect: true });
      const sockets = new Set<Socket>();
      server.on("connection", (plain: Socket) => {
        const socket = this.adopt(plain, accept, options.path !== undefined);
        if (socket === undefined) return;
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
      server.once("error", (error) => reject(new NetFault("listen", address, error)));
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

  /** Connects an accepted socket with the handler that `accept` gives. */
  private adopt(
    accepted: Socket,
    accept: (connection: Connection) => ConnectionHandler,
    isUnixSocket: boolean,
  ): Socket | undefined {
    if (accepted.destroyed) return undefined;
    let handler: ConnectionHandler | undefined;
    const socket = this.withReadBuffer(accepted, (bytes, length) => handler!.onData(bytes, length));
    socket.setNoDelay(true);
    handler = accept(new NodeConnection(socket, descriptorOf(socket), isUnixSocket));
    let reason = "closed by the peer";
    socket.on("error", (error) => {
      reason = reasonOf(error);
    });
    socket.on("end", () => socket.end());
    socket.once("close", () => handler.onClose(reason));
    socket.resume();
    return socket;
  }

  /**
   * A socket that reads into the shared buffer. Node offers this only when a socket is made, so the accepted socket's
   * handle moves into a new one; where a runtime has no such handle, "data" events do, at more cost.
   */
  private withReadBuffer(accepted: Socket, receive: (bytes: Uint8Array, length: number) => void): Socket {
    const inner = accepted as unknown as { _handle: unknown };
    const handle = inner._handle;
    if (handle === undefined || handle === null) {
      accepted.on("data", (bytes: Buffer) => receive(bytes, bytes.length));
      return accepted;
    }
    const buffer = process.platform === "win32" ? new Uint8Array(READ_BUFFER_BYTES) : this.readBuffer;
    const options = {
      handle,
      onread: {
        buffer,
        callback: (length: number, bytes: Uint8Array): boolean => {
          receive(bytes, length);
          return true;
        },
      },
    };
    const socket = new Socket(options as unknown as SocketConstructorOpts);
    // The accepted socket is empty now; destroying it tells its server that it need not be waited for.
    inner._handle = null;
    accepted.destroy();
    return socket;
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
    // Connections are not the server's any more (see withReadBuffer), so it does not wait for them.
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return this.stopListening();
  }
}

class NodeConnection implements Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  readonly isLocal: boolean;
  private readonly socket: Socket;

  constructor(socket: Socket, descriptor: number, isUnixSocket: boolean) {
    this.socket = socket;
    this.descriptor = descriptor;
    this.isUnixSocket = isUnixSocket;
    this.isLocal = isUnixSocket || /^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? "");
    if (isUnixSocket) {
      this.remoteAddress = "/unixsocket:0";
      this.localAddress = "/unixsocket:0";
    } else {
      this.remoteAddress = endpoint(socket.remoteAddress, socket.remotePort);
      this.localAddress = endpoint(socket.localAddress, socket.localPort);
    }
  }

  pendingBytes(): number {
    return this.socket.writableLength;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    const socket = this.socket;
    if (socket.destroyed || socket.writableEnded) return true;
    socket.write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    // Node tries to write at once; nothing is left in its queue when the kernel took everything.
    return socket.writableLength === 0;
  }

  end(): void {
    // destroySoon closes when the last byte has left, whether or not the peer closes its side.
    this.socket.destroySoon();
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
