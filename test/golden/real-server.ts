/**
 * A real redis-server for comparisons, in a temporary folder, reached over a unix socket, with a minimal RESP2 client.
 *
 *  I1  Nothing listens on the network.   I2  `stop` ends exactly the process that was started and removes the folder.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshSeed, SeededRandom } from "../support/seed.ts";

/** An error reply. */
export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Reply = number | bigint | string | Buffer | null | ErrorReply | Reply[];

export class RealServer {
  readonly directory: string;
  private readonly process: ChildProcess;
  private readonly socket: Socket;
  private readonly waiting: ((reply: Reply) => void)[] = [];
  private input: Buffer = Buffer.alloc(0);

  private constructor(directory: string, process: ChildProcess, socket: Socket) {
    this.directory = directory;
    this.process = process;
    this.socket = socket;
    socket.on("data", (data) => this.take(data));
    socket.on("error", () => {});
  }

  /** Starts a server with `directives` (`["--save", ""]`); `prepare` may put files into its folder before. */
  static async start(directives: string[] = [], prepare: (directory: string) => void = () => {}): Promise<RealServer> {
    const directory = mkdtempSync(join(tmpdir(), "everkey-real-"));
    prepare(directory);
    const path = join(directory, "s");
    const process = spawn(
      "redis-server",
      [
        "--port",
        "0",
        "--unixsocket",
        path,
        "--dir",
        directory,
        "--save",
        "",
        "--enable-debug-command",
        "yes",
        ...directives,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let log = "";
    await new Promise<void>((resolve, reject) => {
      process.stdout.on("data", (data) => {
        log += data;
        if (log.includes("ready to accept connections") || log.includes("accept connections at")) resolve();
      });
      process.stderr.on("data", (data) => {
        log += data;
      });
      process.once("error", reject);
      process.once("exit", () => reject(new Error(`redis-server ended:\n${log}`)));
    });
    const socket = connect(path);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RealServer(directory, process, socket);
  }

  /** Sends one command; text arguments are latin1. */
  command(...parts: (string | Uint8Array)[]): Promise<Reply> {
    const pieces: Buffer[] = [Buffer.from(`*${parts.length}\r\n`)];
    for (const part of parts) {
      const bytes = typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part);
      pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
    }
    this.socket.write(Buffer.concat(pieces));
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** SAVEs and returns the file. */
  async save(): Promise<Buffer> {
    const reply = await this.command("SAVE");
    if (reply !== "OK") throw new Error(`SAVE: ${JSON.stringify(reply)}`);
    return readFileSync(join(this.directory, "dump.rdb"));
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.socket.destroy();
    this.process.kill("SIGKILL");
    await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }

  private take(data: Buffer): void {
    this.input = this.input.length === 0 ? data : Buffer.concat([this.input, data]);
    let at = 0;
    while (at < this.input.length) {
      const parsed = parseReply(this.input, at);
      if (parsed === undefined) break;
      at = parsed.end;
      this.waiting.shift()?.(parsed.reply);
    }
    this.input = this.input.subarray(at);
  }
}

function parseReply(input: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const lineEnd = input.indexOf("\r\n", at, "latin1");
  if (lineEnd === -1) return undefined;
  const line = input.toString("latin1", at + 1, lineEnd);
  let end = lineEnd + 2;
  switch (String.fromCharCode(input[at]!)) {
    case "+":
      return { reply: line, end };
    case "-":
      return { reply: new ErrorReply(line), end };
    case ":":
      return { reply: Number(line), end };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      if (input.length < end + length + 2) return undefined;
      return { reply: Buffer.from(input.subarray(end, end + length)), end: end + length + 2 };
    }
    default: {
      const items: Reply[] = [];
      for (let index = 0; index < Number(line); index++) {
        const item = parseReply(input, end);
        if (item === undefined) return undefined;
        items.push(item.reply);
        end = item.end;
      }
      return { reply: items, end };
    }
  }
}

/** A seeded generator of whole numbers in [0, limit). */
export function seededRandom(seed: number): (limit: number) => number {
  const random = new SeededRandom(seed);
  return (limit) => random.below(limit);
}

/** The seed of this run (EVERKEY_TEST_SEED, else a fresh one), printed, so that a failure can be repeated. */
export function testSeed(name: string): number {
  const seed = freshSeed();
  console.log(`${name}: EVERKEY_TEST_SEED=${seed}`);
  return seed;
}
