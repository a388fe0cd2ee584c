/**
 * A server as a child process: started in its own folder, awaited, stopped by its process id, its words kept.
 *
 *      launch ──► spawn ──► PING until it answers ──► ChildServer { port, dir, log(), stop(), kill() }
 *                                └─ exits first, or silent for too long ──► Error with all that it said
 *
 *  I1  Only the process that was started here is ended, by its own id.
 *  I2  A server listens on 127.0.0.1 only.
 *  I3  When the test process ends, the children end with it (exit hook), whatever the tests did.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { RawClient } from "./raw-client.ts";
import { createFolder, removeFolder } from "./temp.ts";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/**
 * A TCP port of 127.0.0.1 that was free a moment ago. It lies below those that systems give to outgoing connections and
 * to whoever asks for any port: of these, one that was free may belong to somebody else before a server is started on it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Directives as a test writes them: `{ "maxmemory-policy": "allkeys-lru", save: "" }`. */
export type Directives = Readonly<Record<string, string | number>>;

/** `--name value` for each directive. */
function directiveArguments(directives: Directives): string[] {
  return Object.entries(directives).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

export interface LaunchOptions {
  /** What messages call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly dir: string;
  /** True when `dir` goes with the server. */
  readonly ownsDir: boolean;
}

/** How a process came to its end. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ChildServer {
  readonly name: string;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly dir: string;
  readonly pid: number;
  /** Settles when the process is gone. */
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly ownsDir: boolean;
  private readonly output: string[] = [];
  private exit: Exit | undefined;

  private constructor(options: LaunchOptions, child: ChildProcess) {
    this.name = options.name;
    this.port = options.port;
    this.dir = options.dir;
    this.ownsDir = options.ownsDir;
    this.child = child;
    this.pid = child.pid ?? -1;
    const keep = (chunk: Buffer) => void this.output.push(chunk.toString("utf8"));
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    this.exited = new Promise((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null) => {
        this.exit ??= { code, signal };
        resolve(this.exit);
      };
      child.once("error", (fault) => {
        this.output.push(`${fault.message}\n`);
        finish(-1, null);
      });
      // Later than its exit: then all that it wrote has been read.
      child.once("close", finish);
    });
  }

  /** Starts it and waits until it answers PING (any reply counts: it may want a password). */
  static async launch(options: LaunchOptions): Promise<ChildServer> {
    const child = spawn(options.command, options.args, { cwd: options.dir, stdio: ["ignore", "pipe", "pipe"] });
    const server = new ChildServer(options, child);
    const endWithUs = () => void child.kill("SIGKILL");
    process.once("exit", endWithUs);
    void server.exited.then(() => process.off("exit", endWithUs));
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    while (!(await server.answers())) {
      if (server.exit !== undefined)
        throw new Error(`${options.name} did not start (${JSON.stringify(server.exit)}):\n${server.log()}`);
      if (performance.now() > deadlineMs) {
        await server.kill();
        throw new Error(`${options.name} did not answer in ${START_TIMEOUT_MS} ms:\n${server.log()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return server;
  }

  /** All it wrote to its standard output and error so far. */
  log(): string {
    return this.output.join("");
  }

  /** How it ended, undefined while it runs. */
  ending(): Exit | undefined {
    return this.exit;
  }

  connect(): Promise<RawClient> {
    return RawClient.connect({ port: this.port, host: this.host });
  }

  /** Sends SIGTERM, waits, removes its folder when it is its own. Rejects when it had to be killed. */
  async stop(): Promise<Exit> {
    this.child.kill("SIGTERM");
    let isLate = false;
    const alarm = setTimeout(() => {
      isLate = true;
      this.child.kill("SIGKILL");
    }, STOP_TIMEOUT_MS);
    const exit = await this.exited;
    clearTimeout(alarm);
    if (this.ownsDir) removeFolder(this.dir);
    if (isLate) throw new Error(`${this.name} did not stop in ${STOP_TIMEOUT_MS} ms:\n${this.log()}`);
    return exit;
  }

  /** Ends it as a crash would (SIGKILL). Its folder stays. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  private async answers(): Promise<boolean> {
    if (this.exit !== undefined) return false;
    try {
      const client = await this.connect();
      const reply = await client.call("PING");
      client.close();
      return reply !== undefined && !reply.toString("latin1").startsWith("-LOADING");
    } catch {
      return false;
    }
  }
}

export interface ServerOptions {
  /** Folder of its data; a temporary one that goes with the server when it is left out. */
  readonly dir?: string;
  /** A free one when it is left out. */
  readonly port?: number;
  readonly directives?: Directives;
}

/** Fills in port and folder, and launches `command` with `leading` arguments and the directives. */
export async function launchServer(
  name: string,
  command: string,
  leading: readonly string[],
  options: ServerOptions,
): Promise<ChildServer> {
  const dir = options.dir ?? createFolder(name);
  // Another process may take a free port between the question and the start: ask again then.
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const directives = { bind: "127.0.0.1", port, dir, ...options.directives };
    const args = [...leading, ...directiveArguments(directives)];
    try {
      return await ChildServer.launch({ name, command, args, port, dir, ownsDir: options.dir === undefined });
    } catch (fault) {
      const isTaken = options.port === undefined && /address already in use|EADDRINUSE/i.test(String(fault));
      if (!isTaken || attempt === 3) throw fault;
    }
  }
}
