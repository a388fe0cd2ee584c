/**
 * The bench's own small client: one connection, RESP2, and a bulk loader that never waits for single replies.
 *
 *      ask()        one command ──► one reply as text, number, list or ReplyFailure
 *      pour()       command 0..n in chunks, at most `windowCommands` unanswered ──► done when the last line came
 *      putLarge(), getLarge()   one huge value, streamed, never held as a whole
 *
 *  I1  Only one of the ways is in use at a time on one connection.
 *  Source: RESP2 as redis.io's protocol specification describes it.
 */

import { connect, type Socket } from "node:net";

export type Reply = string | number | null | Reply[] | ReplyFailure;

/** An error reply, as a value. */
export class ReplyFailure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const LF = 10;
const MINUS = 45;
const CHUNK_COMMANDS = 256;
const READ_BYTES = 256 * 1024;

/** The bytes of one command, as latin1 text. */
export function encodeCommand(args: readonly string[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`;
  return text;
}

export class Client {
  private readonly socket: Socket;
  private consume: (bytes: Buffer) => void;
  private fail: (error: Error) => void;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.consume = () => {};
    this.fail = () => {};
  }

  /** Connects to 127.0.0.1; rejects when nobody listens. */
  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const target = Buffer.allocUnsafe(READ_BYTES);
      let client: Client | undefined;
      const socket = connect({
        host: "127.0.0.1",
        port,
        noDelay: true,
        onread: {
          buffer: target,
          callback: (length) => {
            client?.consume(target.subarray(0, length));
            return true;
          },
        },
      });
      socket.once("connect", () => {
        client = new Client(socket);
        resolve(client);
      });
      socket.on("error", (error) => {
        reject(error);
        client?.fail(error);
      });
      socket.on("close", () => client?.fail(new Error(`the server on port ${port} closed the connection`)));
    });
  }

  /** Sends one command; error replies come back as ReplyFailure. Rejects when the connection breaks. */
  ask(...args: string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let pending = Buffer.alloc(0);
      this.fail = reject;
      this.consume = (bytes) => {
        pending = Buffer.concat([pending, bytes]);
        const parsed = parseReply(pending, 0);
        if (parsed === undefined) return;
        this.consume = () => {};
        this.fail = () => {};
        resolve(parsed.reply);
      };
      this.socket.write(encodeCommand(args), "latin1");
    });
  }

  /** As `ask`, and an error reply is thrown. */
  async must(...args: string[]): Promise<Reply> {
    const reply = await this.ask(...args);
    if (reply instanceof ReplyFailure) throw new Error(`${args.slice(0, 3).join(" ")}: ${reply.message}`);
    return reply;
  }

  /** The fields of INFO, by name; unknown sections give an empty map. */
  async info(section = "everything"): Promise<Map<string, string>> {
    const text = await this.must("INFO", section);
    const fields = new Map<string, string>();
    for (const line of String(text).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
    }
    return fields;
  }

  /** Sends `count` commands made by `commandAt` (bytes as latin1 text) whose replies are `replyLines` lines each. */
  pour(
    count: number,
    commandAt: (index: number) => string,
    windowCommands = 4096,
    replyLines: 1 | 2 = 1,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let sent = 0;
      let answered = 0;
      let lines = 0;
      let atLineStart = true;
      let failure = "";
      const send = () => {
        while (sent < count && sent - answered < windowCommands) {
          const end = Math.min(count, sent + CHUNK_COMMANDS);
          let chunk = "";
          for (; sent < end; sent++) chunk += commandAt(sent);
          this.socket.write(chunk, "latin1");
        }
      };
      this.fail = reject;
      this.consume = (bytes) => {
        const length = bytes.length;
        for (let index = 0; index < length; index++) {
          const byte = bytes[index]!;
          if (atLineStart && byte === MINUS) failure ||= bytes.toString("latin1", index).split("\r\n")[0]!;
          atLineStart = byte === LF;
          if (atLineStart) lines++;
        }
        answered = lines / replyLines;
        // After an error nothing more is sent, but what is under way is awaited: the connection stays in step.
        if (failure === "") send();
        if (answered < sent) return;
        this.consume = () => {};
        this.fail = () => {};
        if (failure === "") resolve();
        else reject(new Error(failure));
      };
      if (count === 0) resolve();
      else send();
    });
  }

  /** Sends one command, reads its whole reply without keeping it, and returns ms from the first byte sent to the last come. */
  time(...args: string[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const end = new ReplyEnd();
      const startMs = performance.now();
      this.fail = reject;
      this.consume = (bytes) => {
        if (!end.feed(bytes)) return;
        this.consume = () => {};
        this.fail = () => {};
        if (end.failure === "") resolve(performance.now() - startMs);
        else reject(new Error(`${args.slice(0, 3).join(" ")}: ${end.failure}`));
      };
      this.socket.write(encodeCommand(args), "latin1");
    });
  }

  /** SETs `valueBytes` of one pattern under `key`. Returns ms from the first byte sent to the reply. */
  putLarge(key: string, valueBytes: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const piece = Buffer.alloc(1 << 20, "0123456789abcdef");
      const startMs = performance.now();
      let left = valueBytes;
      const feed = () => {
        while (left > 0) {
          const length = Math.min(left, piece.length);
          left -= length;
          if (!this.socket.write(piece.subarray(0, length)) && left > 0) return;
        }
        this.socket.off("drain", feed);
        this.socket.write("\r\n");
      };
      this.fail = reject;
      this.consume = (bytes) => {
        this.consume = () => {};
        this.fail = () => {};
        if (bytes[0] === MINUS) reject(new Error(bytes.toString("latin1").trim()));
        else resolve(performance.now() - startMs);
      };
      this.socket.on("drain", feed);
      this.socket.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${valueBytes}\r\n`);
      feed();
    });
  }

  /** GETs `key` of exactly `valueBytes`. Returns ms from the request to the last byte. */
  getLarge(key: string, valueBytes: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const expected = `$${valueBytes}\r\n`.length + valueBytes + 2;
      let received = 0;
      const startMs = performance.now();
      this.fail = reject;
      this.consume = (bytes) => {
        if (received === 0 && bytes[0] === MINUS) {
          reject(new Error(bytes.toString("latin1").trim()));
          return;
        }
        received += bytes.length;
        if (received < expected) return;
        this.consume = () => {};
        this.fail = () => {};
        if (received > expected) reject(new Error(`GET ${key}: ${received} bytes came, ${expected} were due`));
        else resolve(performance.now() - startMs);
      };
      this.socket.write(encodeCommand(["GET", key]));
    });
  }

  close(): void {
    this.fail = () => {};
    this.socket.destroy();
  }
}

/** Reads one reply at `start`; undefined while it is incomplete. */
function parseReply(bytes: Buffer, start: number): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString("latin1", start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (bytes[start]) {
    case 43:
      return { reply: line, end };
    case MINUS:
      return { reply: new ReplyFailure(line), end };
    case 58:
      return { reply: Number(line), end };
    case 36: {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { reply: bytes.toString("latin1", end, end + length), end: end + length + 2 };
    }
    case 42: {
      const count = Number(line);
      if (count < 0) return { reply: null, end };
      const items: Reply[] = [];
      let at = end;
      for (let index = 0; index < count; index++) {
        const item = parseReply(bytes, at);
        if (item === undefined) return undefined;
        items.push(item.reply);
        at = item.end;
      }
      return { reply: items, end: at };
    }
    default:
      throw new Error(`not a RESP2 reply: ${JSON.stringify(bytes.toString("latin1", start, start + 40))}`);
  }
}

/** Finds the end of one reply in a stream of bytes: it counts what is still due instead of building values. */
class ReplyEnd {
  failure = "";
  private due = 1;
  private line = "";
  /** Bytes of a bulk string, with its line end, that are to be passed over. */
  private skip = 0;

  /** True when the reply is complete. */
  feed(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, bytes.length - at);
        this.skip -= passed;
        at += passed;
        if (this.skip === 0) this.due--;
        continue;
      }
      const lineEnd = bytes.indexOf(LF, at);
      if (lineEnd === -1) {
        this.line += bytes.toString("latin1", at);
        return false;
      }
      this.header(this.line + bytes.toString("latin1", at, lineEnd));
      this.line = "";
      at = lineEnd + 1;
    }
    return this.due === 0;
  }

  private header(line: string): void {
    const length = Number(line.slice(1));
    if (line[0] === "*") this.due += Math.max(length, 0) - 1;
    else if (line[0] === "$" && length >= 0) this.skip = length + 2;
    else this.due--;
    if (line[0] === "-") this.failure = line.slice(1).trim();
  }
}
