/**
 * What a command leaves in a log: a server whose log is read, and the log's bytes as units for people and comparisons.
 *
 *      RecordedServer ── ask(...) ──► reply, and units()      [ { database: 0, words: ["SET", "k", "v"] } ] ...
 *
 *  I1  Every unit is whole: MULTI is followed by EXEC, and nothing stands behind the last command.
 *  I2  A command's database is the one that SELECT chose last, wherever it stood.
 */
import assert from "node:assert/strict";
import type { LogCursor } from "../../src/history/log/command-log.ts";
import { encode, type FakePeer } from "../../src/session/testing.ts";
import { parseReply, printable, type ReplyNode } from "../support/reply.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

export interface LoggedCommand {
  readonly database: number;
  /** latin1 */
  readonly words: readonly string[];
}

/** One or several commands that stay together. */
export type LoggedUnit = readonly LoggedCommand[];

/** Cuts a log into units; goes on where the last call ended. */
export class LogReader {
  private database = -1;

  read(bytes: Buffer): LoggedUnit[] {
    const units: LoggedUnit[] = [];
    let open: LoggedCommand[] | undefined;
    for (let at = 0; at < bytes.length; ) {
      if (bytes[at] === 0x23) {
        at = bytes.indexOf("\r\n", at) + 2;
        continue;
      }
      const words: string[] = [];
      assert.equal(bytes[at], 0x2a, `a command begins with "*": ${printable(bytes.subarray(at, at + 60))}`);
      let lineEnd = bytes.indexOf("\r\n", at);
      const count = Number(bytes.toString("latin1", at + 1, lineEnd));
      at = lineEnd + 2;
      for (let index = 0; index < count; index++) {
        assert.equal(bytes[at], 0x24, `an argument begins with "$": ${words.join(" ")}`);
        lineEnd = bytes.indexOf("\r\n", at);
        const length = Number(bytes.toString("latin1", at + 1, lineEnd));
        words.push(bytes.toString("latin1", lineEnd + 2, lineEnd + 2 + length));
        at = lineEnd + 2 + length;
        assert.equal(bytes.toString("latin1", at, at + 2), "\r\n", `an argument ends: ${words.join(" ")}`);
        at += 2;
      }
      const name = words[0]!.toUpperCase();
      if (name === "MULTI") {
        assert.equal(open, undefined, "no unit within another");
        open = [];
      } else if (name === "EXEC") {
        assert.ok(open !== undefined && open.length > 0, "EXEC ends a unit that has commands");
        units.push(open);
        open = undefined;
      } else if (name === "SELECT") {
        this.database = Number(words[1]);
      } else {
        assert.notEqual(this.database, -1, "the log says its database first");
        const command = { database: this.database, words };
        if (open === undefined) units.push([command]);
        else open.push(command);
      }
    }
    assert.equal(open, undefined, "the last unit is whole");
    return units;
  }
}

/** A whole server without time or sockets, with a log that somebody reads. */
export class RecordedServer {
  readonly virtual: VirtualServer;
  /** Who sends what `ask` is given. */
  peer: FakePeer;
  private cursor: LogCursor | undefined;
  /** All that was recorded. */
  readonly chunks: Buffer[] = [];
  private readonly reader = new LogReader();

  private constructor(virtual: VirtualServer) {
    this.virtual = virtual;
    this.peer = virtual.connect();
    this.cursor = undefined;
  }

  /** `wallClockMs` gives the time of day; without it time stands still between calls of `advance`. */
  static async start(seed: number, wallClockMs?: () => number): Promise<RecordedServer> {
    const directives = ["--enable-debug-command", "yes", "--save", ""];
    const virtual = new VirtualServer({ disk: new VirtualDisk(), seed, directives });
    if (wallClockMs !== undefined) virtual.host.clock.nowMs = wallClockMs;
    await virtual.start();
    return new RecordedServer(virtual);
  }

  get context() {
    return this.virtual.server.context;
  }

  record(): void {
    this.cursor = this.context.log.openCursor();
    // There is no file that replies would wait for.
    this.virtual.server.session.gate.release(Number.POSITIVE_INFINITY);
  }

  stopRecording(): void {
    if (this.cursor !== undefined) this.context.log.closeCursor(this.cursor);
    this.cursor = undefined;
  }

  /** Runs one command; the reply as raw latin1. Some time passes before, so that the clock is read anew. */
  ask(...words: (string | number)[]): string {
    return this.send(this.peer, encode(...words));
  }

  askBytes(args: readonly Buffer[], peer = this.peer): string {
    return this.send(peer, encode(...args.map((argument) => argument.toString("latin1"))));
  }

  private send(peer: FakePeer, bytes: string): string {
    this.virtual.host.clock.advance(2);
    peer.take();
    return peer.send(bytes).take();
  }

  /** The bytes that were recorded since the last call. */
  takeLog(): Buffer {
    const { log } = this.context;
    assert.ok(this.cursor !== undefined, "the log is read");
    const bytes = Buffer.concat(log.read(this.cursor).map(({ bytes, start, end }) => bytes.slice(start, end)));
    assert.equal(bytes.length, log.tailOffset - this.cursor.offset, "the offset counts the bytes");
    log.advance(this.cursor, log.tailOffset);
    this.chunks.push(bytes);
    return bytes;
  }

  /** The units that were recorded since the last call. */
  units(): LoggedUnit[] {
    return this.reader.read(this.takeLog());
  }

  /** What was recorded since the last call as text: "SET k v", "MULTI: DEL k | SET k v". */
  logged(): string[] {
    return this.units().map((unit) => {
      const texts = unit.map(({ words }) => words.join(" "));
      return texts.length === 1 ? texts[0]! : `MULTI: ${texts.join(" | ")}`;
    });
  }

  /** Gives a log to the server as if it were loaded: every command must be accepted. */
  replay(bytes: Buffer): void {
    const { keyspace } = this.context;
    keyspace.isReplaying = true;
    for (const unit of new LogReader().read(bytes)) {
      for (const { database, words } of unit) {
        this.ask("SELECT", database);
        const reply = this.ask(...words);
        assert.ok(!reply.startsWith("-"), `${words.join(" ")} is refused: ${reply}`);
      }
    }
    keyspace.isReplaying = false;
  }

  /** All keys with their values and times, in a form that depends on nothing else. Expired keys that are still there count. */
  state(): Record<string, unknown> {
    const { keyspace } = this.context;
    const wasReplaying = keyspace.isReplaying;
    const wasRecording = this.context.log.isRecording;
    keyspace.isReplaying = true;
    this.context.log.isRecording = false;
    const state: Record<string, unknown> = {};
    // The one there is may be waiting.
    const { peer } = this;
    this.peer = this.virtual.connect();
    for (const { index } of keyspace.databases) {
      this.ask("SELECT", index);
      for (const name of this.items("KEYS", "*").map((item) => item.text!)) {
        const type = this.ask("TYPE", name).trim();
        state[`${index}/${name}`] = [type, this.ask("PEXPIRETIME", name), this.value(type.slice(1), name)];
      }
    }
    state.digest = this.ask("DEBUG", "DIGEST");
    state.functions = this.plain("FUNCTION", "LIST", "WITHCODE");
    this.peer.close();
    this.peer = peer;
    keyspace.isReplaying = wasReplaying;
    this.context.log.isRecording = wasRecording;
    return state;
  }

  private value(type: string, name: string): unknown {
    if (type === "string") return this.ask("GET", name);
    if (type === "list") return this.plain("LRANGE", name, 0, -1);
    if (type === "set") return this.items("SMEMBERS", name).map(shown).sort();
    if (type === "zset") return this.plain("ZRANGE", name, 0, -1, "WITHSCORES");
    if (type === "hash") {
      const texts = this.items("HGETALL", name).map(shown);
      return texts.flatMap((text, index) => (index % 2 === 0 ? [`${text}=${texts[index + 1]}`] : [])).sort();
    }
    return withoutAttempts(this.plain("XINFO", "STREAM", name, "FULL", "COUNT", 0));
  }

  private items(...words: (string | number)[]): readonly ReplyNode[] {
    return parseReply(Buffer.from(this.ask(...words), "latin1")).items;
  }

  private plain(...words: (string | number)[]): unknown {
    return shown(parseReply(Buffer.from(this.ask(...words), "latin1")));
  }
}

function shown(node: ReplyNode): unknown {
  return node.items.length > 0 ? node.items.map(shown) : `${node.type}${node.text ?? ""}`;
}

/** When consumers tried to read is not in a log, nor how nodes lie. */
const NOT_IN_LOG = ["$seen-time", "$active-time", "$radix-tree-keys", "$radix-tree-nodes"];

function withoutAttempts(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const kept: unknown[] = [];
  for (let index = 0; index < value.length; index++) {
    if (NOT_IN_LOG.includes(value[index])) index++;
    else kept.push(withoutAttempts(value[index]));
  }
  return kept;
}
