/**
 * A server, mostly the real one, whose replies are read as values: what golden files are made with, and what formats are compared
 * with.
 *
 *      command(words) ──► RawClient ──► redis-server ──► raw reply ──► number, text, bytes, null, list, ErrorReply
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ChildServer, Directives, ServerOptions } from "../support/child-server.ts";
import type { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { parseReply, type ReplyNode } from "../support/reply.ts";
import { createFolder, removeFolder } from "../support/temp.ts";

/** An error reply. */
export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Reply = number | string | Buffer | null | ErrorReply | Reply[];

export class RealServer {
  private readonly server: ChildServer;
  private readonly client: RawClient;

  private constructor(server: ChildServer, client: RawClient) {
    this.server = server;
    this.client = client;
  }

  /** Starts a server; `prepare` may put files into its folder before. `launch` starts another one than the real one. */
  static async start(
    directives: Directives = {},
    prepare: (dir: string) => void = () => {},
    launch: (options: ServerOptions) => Promise<ChildServer> = startRedis,
  ): Promise<RealServer> {
    const dir = createFolder("real");
    try {
      prepare(dir);
      const server = await launch({ dir, directives });
      return new RealServer(server, await server.connect());
    } catch (fault) {
      removeFolder(dir);
      throw fault;
    }
  }

  /** Sends one command; text arguments are latin1. */
  async command(...parts: (string | Uint8Array)[]): Promise<Reply> {
    const words = parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part)));
    const raw = await this.client.call(...words);
    if (raw === undefined) throw new Error(`the connection ended before the reply to ${parts[0]}`);
    return replyValue(parseReply(raw));
  }

  /** SAVEs and returns the file. */
  async save(): Promise<Buffer> {
    const reply = await this.command("SAVE");
    if (reply !== "OK") throw new Error(`SAVE: ${JSON.stringify(reply)}`);
    return readFileSync(join(this.server.dir, "dump.rdb"));
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.kill();
    removeFolder(this.server.dir);
  }
}

function replyValue(node: ReplyNode): Reply {
  if (node.text === null) return null;
  switch (node.type) {
    case "*":
      return node.items.map(replyValue);
    case ":":
      return Number(node.text);
    case "-":
      return new ErrorReply(node.text);
    case "$":
      return Buffer.from(node.text, "latin1");
    default:
      return node.text;
  }
}
