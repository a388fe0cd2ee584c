/**
 * The world outside as interfaces: time, randomness, disk, sockets, background work.
 *
 *      everything else ──► Clock, Random, Disk, Net, Background ──┬── server/host/   Node (the only I/O there is)
 *                                                                 └── test doubles   seeded, virtual, without sleeps
 *
 *  I1  Nothing below server/host asks Node for time, randomness, files or sockets.
 *  I2  Times are milliseconds since 1970 (`nowMs`) or milliseconds of a clock that never goes back (`monotonicMs`).
 *  I3  A failure of the world is a typed fault with operation, path and cause (see faults.ts).
 */

/** Time, and work that is put off. */
export interface Clock {
  /** Wall time in whole ms since 1970. May jump. */
  nowMs(): number;
  /** Fractional ms since an arbitrary point; never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`, unless the timer is cancelled before. */
  after(delayMs: number, task: () => void): Timer;
  /** Runs `task` once when the events that are already waiting have been served. */
  soon(task: () => void): void;
}

export interface Timer {
  cancel(): void;
}

export interface Random {
  /** A whole number in [0, 2^32). */
  uint32(): number;
  /** Fills `target` with bytes fit for secrets. */
  fill(target: Uint8Array): void;
}

/** An open file. Synchronous: callers that must not hold the event loop use it in Background work or in small slices. */
export interface DiskFile {
  readonly path: string;
  /** Reads up to `length` bytes to `target[offset...]`; returns how many, 0 at the end. Throws DiskFault. */
  read(target: Uint8Array, offset: number, length: number): number;
  /** Reads at `position` without moving the file's own position. */
  readAt(target: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes all of `source[offset...offset+length]` at the end. Throws DiskFault when it cannot. */
  write(source: Uint8Array, offset: number, length: number): void;
  /** Returns when the data is on the device. */
  sync(): void;
  /** The same without holding the caller: `done` is called once, later. The file is not closed before that. */
  syncLater(done: (fault: Error | undefined) => void): void;
  truncate(bytes: number): void;
  /** Size in bytes. */
  size(): number;
  close(): void;
}

export type OpenMode = "read" | "create" | "append" | "modify";

export interface FileStatus {
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly isDirectory: boolean;
}

export interface Disk {
  /** `create` truncates what is there, `append` creates what is not. Throws DiskFault. */
  open(path: string, mode: OpenMode): DiskFile;
  /** Undefined when nothing is there; throws DiskFault for every other failure. */
  status(path: string): FileStatus | undefined;
  list(directory: string): string[];
  makeDirectory(path: string): void;
  /** Atomic on one file system. */
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Gives a file a second name; false where that cannot be. Disks that know no such thing do without. */
  link?(path: string, secondPath: string): boolean;
  /** Makes renames and new names in `directory` survive a crash. */
  syncDirectory(directory: string): void;
}

/** One accepted connection, as the layers above see it. */
export interface Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Descriptor number for CLIENT LIST, -1 when unknown. */
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  /** The peer is on this machine: loopback or unix socket. */
  readonly isLocal: boolean;
  /** Bytes that were written here and that the system has not taken yet. */
  pendingBytes(): number;
  /**
   * Sends `bytes[start...end]`. Returns true when they have left and the caller may use the memory again at once;
   * false when the connection keeps them until they are gone: then the caller must give the memory away.
   */
  write(bytes: Uint8Array, start: number, end: number): boolean;
  /** Sends what is pending, then closes. */
  end(): void;
  /** Closes at once; what is pending is lost. */
  destroy(): void;
  setKeepAlive(enabled: boolean, intervalSeconds: number): void;
}

/** What a connection tells its owner. `bytes` is only valid during the call. */
export interface ConnectionHandler {
  onData(bytes: Uint8Array, length: number): void;
  /** Once, whatever ended it. */
  onClose(): void;
}

export interface Listener {
  /** The TCP port that was given (port 0 asks for any), 0 for a unix socket. */
  readonly port: number;
  /** Accepts no more connections; those that there are stay. */
  stopListening(): Promise<void>;
  /** Stops listening and closes all connections that came through it. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** Octal permission bits of the unix socket, 0 leaves the system's. */
  readonly pathMode?: number;
  readonly backlog: number;
  /** Connections are encrypted; `accept` is called when their handshake is done. */
  readonly tls?: TlsListening;
}

export interface TlsListening {
  /** What the next connection is served with: asked for each, so that it can be exchanged while listening goes on. */
  readonly context: () => TlsContext;
  /** A connection whose handshake failed: it is closed, and nobody else hears of it. */
  readonly onRefused: (reason: string, remoteAddress: string, localAddress: string) => void;
}

/** What a TLS server shows and demands. Files are given by their contents (PEM). */
export interface TlsSettings {
  /** The server's certificate and those between it and its authority. */
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  /** Password of the key; "" when it has none. */
  readonly keyPassword: string;
  /** Who may have signed a client's certificate. */
  readonly authorities: readonly Uint8Array[];
  /** Whether a client must show a certificate, may show one, or is not asked. One that is shown must be valid. */
  readonly clientCertificates: "no" | "yes" | "optional";
  /** Of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3; at least one. */
  readonly protocols: readonly string[];
  /** OpenSSL's list for versions up to 1.2; "" for what is usual. */
  readonly ciphers: string;
  /** The same for version 1.3. */
  readonly cipherSuites: string;
  readonly prefersOwnCiphers: boolean;
  readonly resumesSessions: boolean;
  readonly sessionSeconds: number;
  /** Parameters for Diffie-Hellman, undefined for none. */
  readonly dhParameters: Uint8Array | undefined;
}

/** Settings that were found good, ready for connections. Made by Net, understood by nobody else. */
export interface TlsContext {
  readonly settings: TlsSettings;
}

export interface Net {
  /** Calls `accept` for every connection; it returns the handler. Rejects with NetFault when it cannot listen. */
  listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Promise<Listener>;
  /** Makes a context for `ListenOptions.tls`. Throws TlsFault, which names the part that cannot be used. */
  secure(settings: TlsSettings): TlsContext;
}

/** A job in another thread (or, in a virtual world, in this one). Messages are structured clones; `transfer` moves buffers. */
export interface BackgroundJob {
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  onMessage(receive: (message: unknown) => void): void;
  /** The job failed by itself; no message follows. */
  onFailure(receive: (error: Error) => void): void;
  /** The job is done with; `isClean` false when something that was posted to it may still be under way. */
  end(isClean: boolean): void;
}

export interface Background {
  /** Makes ready what `start(name)` will need, so that it costs the caller nothing then. */
  prepare(name: string): void;
  /** Starts the job registered under `name` in server/host/background-main.ts. */
  start(name: string): BackgroundJob;
  /** Ends what is kept ready. */
  close(): void;
}

/** All of it, handed to the composition root once. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly net: Net;
  readonly background: Background;
  readonly processId: number;
  readonly system: SystemDescription;
  /** Memory of the process in bytes as the system counts it. */
  residentBytes(): number;
  /** JavaScript's own heap, bytes: in use, and taken from the system. */
  heapBytes(): { readonly used: number; readonly reserved: number };
  /** Processor time that the process has used so far. */
  cpuSeconds(): CpuSeconds;
  /** The Lua 5.1 machine that scripts run in, as WebAssembly. */
  luaModule(): Uint8Array;
  /** Stops everything in this process for `delayMs` (DEBUG SLEEP). */
  block(delayMs: number): void;
}

/** Where the process runs; does not change while it lives. */
export interface SystemDescription {
  /** Name, release and machine as `uname -srm` prints them. */
  readonly name: string;
  /** Path of the program that was started. */
  readonly executable: string;
  readonly runtimeVersion: string;
  readonly memoryBytes: number;
}

export interface CpuSeconds {
  readonly system: number;
  readonly user: number;
  /** Of the thread that serves commands alone; the same as the whole where the system does not tell them apart. */
  readonly mainThreadSystem: number;
  readonly mainThreadUser: number;
}
