/**
 * MONITOR: clients that hear of every command.
 *
 *      +1700000000.123456 [0 127.0.0.1:40001] "set" "k" "a \"b\"\n"\r\n
 *       seconds.µs         │ address, or     └ each argument, what is not printable escaped
 *                          │ unix:path, or lua
 *                          └ the client's database when the command is done
 *
 *  I1  While nobody monitors, the dispatcher does not know of this object.
 *  I2  A line is put together before the command runs, when its request is still there, and sent when it has run.
 *  I3  To a client that monitors itself, a line comes behind the reply of the command, or of EXEC.
 *  Source: output of redis-server 7.0.
 */

import type { CommandContext, CommandTable } from "../commands/command.ts";
import { ReplyError } from "../protocol/errors.ts";
import type { Request } from "../protocol/request.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command-index.ts";
import type { Mail } from "./mail.ts";
import { isSecret, REDACTED } from "./redaction.ts";
import { clientOf } from "./services.ts";

const NOT_IN_MULTI = new ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client");

const QUOTE = 34;
const BACKSLASH = 92;
const SPACE = 32;
const HEXADECIMAL = "0123456789abcdef";
/** The letter behind a backslash, by byte. */
const ESCAPES = new Map([
  [7, 97],
  [8, 98],
  [9, 116],
  [10, 110],
  [13, 114],
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
]);

export interface MonitorHost {
  readonly mail: Mail;
  /** Microseconds since 1970. */
  nowUs(): number;
  /** Whether somebody monitors has changed. */
  onChange(isMonitored: boolean): void;
}

export class Monitors {
  private readonly clients: Set<Client>;
  private readonly host: MonitorHost;

  constructor(host: MonitorHost) {
    this.clients = new Set();
    this.host = host;
  }

  /** The table entry of this file. */
  static commands(monitors: () => Monitors): CommandTable {
    return {
      MONITOR: {
        arity: 1,
        flags: ["admin", "noscript", "loading", "stale"],
        acl: [],
        since: "1.0.0",
        group: "server",
        complexity: "",
        summary: "Lets this connection hear of every command that is executed.",
        run: (context) => monitors().begin(context),
      },
    };
  }

  private begin(context: CommandContext): void {
    const client = clientOf(context);
    if (!context.mayWait) return context.reply.error(NOT_IN_MULTI);
    // As Redis has it, who monitors already is not answered.
    if (client.isMonitor) return;
    client.isMonitor = true;
    this.clients.add(client);
    if (this.clients.size === 1) this.host.onChange(true);
    context.reply.ok();
  }

  /** The client is gone or was reset. */
  forget(client: Client): void {
    if (!client.isMonitor) return;
    client.isMonitor = false;
    this.clients.delete(client);
    if (this.clients.size === 0) this.host.onChange(false);
  }

  /** Runs a call of `command` and shows it; a script is shown before the commands that it calls. */
  show(client: Client, command: Command, request: Request, run: () => void): void {
    if (!command.isShown) {
      run();
      return;
    }
    const words = this.describe(command, request);
    if (command.isShownFirst) this.send(client, words, false);
    run();
    if (!command.isShownFirst) this.send(client, words, false);
  }

  /** The arguments of a call of `command` as the line shows them. */
  describe(command: Command, request: Request): Uint8Array {
    const { count, input, offset, length } = request;
    let size = 0;
    for (let index = 0; index < count; index++) {
      size += Math.max(escapedBytes(input, offset[index]!, length[index]!), REDACTED.length) + 3;
    }
    const line = new Uint8Array(size);
    let at = 0;
    for (let index = 0; index < count; index++) {
      if (index > 0) line[at++] = SPACE;
      line[at++] = QUOTE;
      if (isSecret(command, request, index)) {
        for (let each = 0; each < REDACTED.length; each++) line[at++] = REDACTED.charCodeAt(each);
      } else {
        const start = offset[index]!;
        at = writeEscaped(line, at, input, start, start + length[index]!);
      }
      line[at++] = QUOTE;
    }
    return line.subarray(0, at);
  }

  /** Sends the line of a call that `client` made, by itself or by a script. */
  send(client: Client, words: Uint8Array, isScript: boolean): void {
    const nowUs = this.host.nowUs();
    const seconds = Math.floor(nowUs / 1e6);
    const rest = String(nowUs - seconds * 1e6).padStart(6, "0");
    const origin = isScript ? "lua" : originOf(client);
    const head = new TextEncoder().encode(`+${seconds}.${rest} [${client.databaseIndex} ${origin}] `);
    const { mail } = this.host;
    mail.open(head.length + words.length + 2);
    const { chunk, start } = mail;
    chunk.set(head, start);
    chunk.set(words, start + head.length);
    const end = start + head.length + words.length;
    chunk[end] = 13;
    chunk[end + 1] = 10;
    mail.close(end + 2);
    for (const monitor of this.clients) mail.deliver(monitor, chunk, start, end + 2);
  }
}

function originOf({ connection }: Client): string {
  return connection.isUnixSocket ? `unix:${connection.localAddress.replace(/:0$/, "")}` : connection.remoteAddress;
}

/** Bytes that `writeEscaped` writes. */
function escapedBytes(input: Uint8Array, start: number, length: number): number {
  let size = 0;
  for (let index = start; index < start + length; index++) {
    const byte = input[index]!;
    if (byte >= 32 && byte < 127 && byte !== QUOTE && byte !== BACKSLASH) size += 1;
    else size += ESCAPES.has(byte) ? 2 : 4;
  }
  return size;
}

function writeEscaped(line: Uint8Array, at: number, input: Uint8Array, start: number, end: number): number {
  for (let index = start; index < end; index++) {
    const byte = input[index]!;
    const letter = byte >= 32 && byte !== QUOTE && byte !== BACKSLASH ? undefined : ESCAPES.get(byte);
    if (letter !== undefined) {
      line[at++] = BACKSLASH;
      line[at++] = letter;
    } else if (byte >= 32 && byte < 127) {
      line[at++] = byte;
    } else {
      line[at++] = BACKSLASH;
      line[at++] = 120;
      line[at++] = HEXADECIMAL.charCodeAt(byte >>> 4);
      line[at++] = HEXADECIMAL.charCodeAt(byte & 15);
    }
  }
  return at;
}
