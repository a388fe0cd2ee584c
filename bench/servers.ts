/**
 * The two servers under measurement, each a child process on a loopback port with a directory of its own.
 *
 *      subject   <node> bin/everkey server --port N ...     (or a second redis-server, to try the bench itself)
 *      redis     redis-server --port N ...
 *
 *  I1  Both get the same directives, unless a measurement is about one that only Everkey has.
 *  I2  A server that was started here is ended here, by its process id, even when the bench fails.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, ReplyFailure } from "./client.ts";

export const SIDES = ["subject", "redis"] as const;
export type Side = (typeof SIDES)[number];

/** How to start each side: program and leading arguments. */
export type Launch = Readonly<Record<Side, readonly string[]>>;

const START_MS_MAX = 300_000;
const LOG_CHARS_MAX = 64 * 1024;

/** What a server is started with besides what all get. */
export interface StartOptions {
  /** Its data directory; a new temporary one when absent. */
  readonly directory?: string;
  /** `["--appendonly", "yes", ...]`: they win over what all get. */
  readonly directives?: readonly string[];
  /** Variables beside those of the bench. */
  readonly environment?: Readonly<Record<string, string>>;
}

export class Server {
  readonly side: Side;
  readonly port: number;
  readonly directory: string;
  readonly child: ChildProcess;
  /** ms from spawn to the first answer other than -LOADING. */
  startMs: number;
  /** What it printed, cut to the newest part. */
  log: string;
  private ended: boolean;

  constructor(side: Side, port: number, directory: string, child: ChildProcess) {
    this.side = side;
    this.port = port;
    this.directory = directory;
    this.child = child;
    this.startMs = 0;
    this.log = "";
    this.ended = false;
    const keep = (text: Buffer) => {
      this.log = (this.log + text.toString("latin1")).slice(-LOG_CHARS_MAX);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", (error) => {
      this.log += String(error);
      this.ended = true;
    });
    child.on("exit", () => {
      this.ended = true;
    });
  }

  get processId(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return !this.ended;
  }

  /** Ends it without saving and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.ended) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await gone;
  }
}

export class ServerFactory {
  private readonly launch: Launch;
  private readonly running: Set<Server>;
  private readonly directories: Set<string>;

  constructor(launch: Launch) {
    this.launch = launch;
    this.running = new Set();
    this.directories = new Set();
  }

  /** A new temporary directory; it goes with the servers. `parent`: where, when it is not the system's usual place. */
  makeDirectory(name: string, parent = tmpdir()): string {
    const directory = mkdtempSync(join(parent, `everkey-bench-${name}-`));
    this.directories.add(directory);
    return directory;
  }

  /** Starts `side` and waits until it answers PING. */
  async start(side: Side, options: StartOptions = {}): Promise<Server> {
    const directory = options.directory ?? this.makeDirectory(side);
    const port = await freePort();
    const [program, ...leading] = this.launch[side];
    const directives = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, "--save", ""];
    directives.push("--dbfilename", "dump.rdb", "--appendonly", "no", ...(options.directives ?? []));
    const startedMs = performance.now();
    const child = spawn(program!, [...leading, ...directives], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: directory,
      env: { ...process.env, ...options.environment },
    });
    const server = new Server(side, port, directory, child);
    this.running.add(server);
    await this.untilReady(server, startedMs);
    return server;
  }

  private async untilReady(server: Server, startedMs: number): Promise<void> {
    while (performance.now() - startedMs < START_MS_MAX) {
      if (!server.isRunning) throw new Error(`${server.side} ended while starting:\n${server.log}`);
      try {
        const client = await Client.open(server.port);
        const reply = await client.ask("PING");
        client.close();
        if (!(reply instanceof ReplyFailure)) {
          server.startMs = performance.now() - startedMs;
          return;
        }
      } catch {
        // Nobody listens yet.
      }
      await pause(5);
    }
    throw new Error(`${server.side} did not answer within ${START_MS_MAX} ms:\n${server.log}`);
  }

  async stop(server: Server): Promise<void> {
    await server.kill();
    this.running.delete(server);
  }

  /** Ends all servers and removes all temporary directories. */
  async stopAll(): Promise<void> {
    for (const server of [...this.running]) await this.stop(server);
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true });
    this.directories.clear();
  }

  /** The same, when the process is about to end and nothing can be waited for. */
  abandonAll(): void {
    for (const server of this.running) server.child.kill("SIGKILL");
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs `work` for each side with a fresh server, one after the other. */
export async function withFreshServer<T>(
  factory: ServerFactory,
  side: Side,
  work: (server: Server, client: Client) => Promise<T>,
): Promise<T> {
  const server = await factory.start(side);
  const client = await Client.open(server.port);
  try {
    return await work(server, client);
  } finally {
    client.close();
    await factory.stop(server);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject()));
    });
  });
}
