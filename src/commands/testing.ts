/**
 * A small world for unit tests of commands: a keyspace, one client, a clock that stands still, no server.
 *
 *      const bench = new CommandBench();    bench.run("SET k v")  →  "+OK\r\n"
 *
 *  I1  Arity and names are checked by the dispatcher: here a wrong one is an error of the test.
 */

import { assert } from "../core/assert.ts";
import type { Random } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { ReplyWriter } from "../protocol/reply-writer.ts";
import { Request } from "../protocol/request.ts";
import { Keyspace } from "../store/keyspace/keyspace.ts";
import { dataCommands } from "./all.ts";
import { type ClientState, CommandContext, type CommandTable, type KeyWait, type Suspension } from "./command.ts";

/** The moment at which every bench starts, ms since 1970. */
export const BENCH_START_MS = 1_700_000_000_000;

/** Repeatable numbers (a linear congruence): good enough to pick keys. */
class BenchRandom implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  uint32(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    // The low bits of a linear congruence hardly change: the high ones take their place.
    return ((this.state >>> 16) | (this.state << 16)) >>> 0;
  }

  fill(target: Uint8Array): void {
    for (let index = 0; index < target.length; index++) target[index] = this.uint32();
  }
}

export class CommandBench {
  readonly context: CommandContext;
  readonly keyspace: Keyspace;
  readonly client: ClientState;
  private readonly commands: CommandTable;
  private readonly request: Request;
  private readonly reply: ReplyWriter;

  constructor(seed = 1) {
    this.commands = dataCommands();
    this.keyspace = new Keyspace(new KeyHash(1, 2), 16);
    this.request = new Request();
    this.reply = new ReplyWriter();
    this.client = { id: 1, databaseIndex: 0 };
    this.context = new CommandContext(this.request, this.reply, this.keyspace, new BenchRandom(seed), this.client, {
      stringBytesMax: 512 * 1024 * 1024,
    });
    this.setNow(BENCH_START_MS);
  }

  get dirty(): number {
    return this.keyspace.dirty;
  }

  set protocol(protocol: 2 | 3) {
    this.reply.protocol = protocol;
  }

  setNow(nowMs: number): void {
    this.keyspace.nowMs = nowMs;
    this.keyspace.clock.setNow(nowMs);
  }

  advance(byMs: number): void {
    this.setNow(this.keyspace.nowMs + byMs);
  }

  /** Runs a command given as words parted by spaces, or as one array; returns the reply's bytes as latin1. */
  run(command: string | readonly (string | Uint8Array)[]): string {
    const words = typeof command === "string" ? command.split(" ") : command;
    const parts = words.map((word) => (typeof word === "string" ? Buffer.from(word, "latin1") : word));
    this.fillRequest(parts);
    const name = Buffer.from(parts[0]!).toString("latin1").toUpperCase();
    let entry = this.commands[name];
    assert(entry !== undefined, "the bench knows no such command");
    if (entry.subcommands !== undefined) {
      entry = entry.subcommands[Buffer.from(parts[1]!).toString("latin1").toUpperCase()];
      assert(entry !== undefined, "the bench knows no such subcommand");
    }
    const { arity } = entry;
    assert(arity >= 0 ? parts.length === arity : parts.length >= -arity, "the dispatcher would refuse this arity");
    this.context.database = this.keyspace.databases[this.client.databaseIndex]!;
    entry.run!(this.context);
    return Buffer.from(this.reply.take()).toString("latin1");
  }

  /** The suspension that the last command asked for; it is forgotten here. */
  takeSuspension(): Suspension | undefined {
    const suspension = this.context.suspension;
    this.context.suspension = undefined;
    return suspension;
  }

  /** The keys that the last command waits for; forgotten here. To run it again, `run` it again. */
  takeKeyWait(): KeyWait | undefined {
    const wait = this.context.keyWait;
    this.context.keyWait = undefined;
    this.context.suspension = undefined;
    return wait;
  }

  /** What a timeout writes. */
  timeoutReply(waiting: Suspension | KeyWait): string {
    waiting.onTimeout(this.reply);
    return Buffer.from(this.reply.take()).toString("latin1");
  }

  private fillRequest(parts: readonly Uint8Array[]): void {
    const { request } = this;
    request.reserve(parts.length);
    request.input = Buffer.concat(parts);
    request.count = parts.length;
    let at = 0;
    parts.forEach((part, index) => {
      request.offset[index] = at;
      request.length[index] = part.length;
      at += part.length;
    });
  }
}
