/**
 * Whole sessions as bytes: what a client may send, well formed or not, until the server closes the connection.
 *
 *      bytes ──► both servers, in one piece and in many ──► everything that comes back until the end ──► the same bytes
 *
 *  I1  Each session ends by itself: with QUIT, or with an error after which a server closes.
 *  I2  What is compared is every byte up to the end of the connection: a reply too many shows as well as one too few.
 *  Source: the public description of the protocol; limits and texts as the real server gives them.
 */
import { RawClient, type RawTarget } from "../support/raw-client.ts";

const END_TIMEOUT_MS = 60_000;

export interface RawSession {
  readonly name: string;
  readonly bytes: Buffer;
  /** False when bytes follow after the end: sent one by one, they may reset the connection before the reply is read. */
  readonly maySplit: boolean;
}

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");
const request = (...args: string[]): string =>
  `*${args.length}\r\n${args.map((argument) => `$${argument.length}\r\n${argument}\r\n`).join("")}`;
const quit = request("QUIT");

const inline = (line: string): string => `${line}\r\n${quit}`;
/** An inline command that a server refuses and closes after. */
const refused = (line: string): string => `${line}\r\n`;

const sessions: Readonly<Record<string, string>> = {
  "a plain command": `${request("PING")}${quit}`,
  "many commands in one write": `${request("SET", "raw", "1")}${request("INCR", "raw").repeat(500)}${request("DEL", "raw")}${quit}`,
  "an argument of many bytes": `${request("ECHO", "\r\n$5\r\n".repeat(3000))}${quit}`,
  "an array of no arguments": `*0\r\n${request("PING")}${quit}`,
  "an array of -1 arguments": `*-1\r\n${request("PING")}${quit}`,
  "an array of -10 arguments": `*-10\r\n${request("PING")}${quit}`,
  "an array length that is no number": "*abc\r\n",
  "an empty array length": `*\r\n`,
  "an array length with a sign": `*+1\r\n$4\r\nPING\r\n`,
  "an array length with a space": `* 1\r\n$4\r\nPING\r\n`,
  "an array length with leading zeros": `*01\r\n$4\r\nPING\r\n`,
  "an array length above the limit": "*2147483648\r\n",
  "an array length beyond 64 bits": "*99999999999999999999\r\n",
  "a long array length without a line end": `*${"1".repeat(65_600)}`,
  "a bulk without a dollar": "*1\r\nPING\r\n",
  "a bulk that begins with a letter": "*1\r\nx4\r\nPING\r\n",
  "a bulk that begins with a byte above ASCII": "*1\r\n\xff4\r\nPING\r\n",
  "a bulk that begins with a line end": "*1\r\n\r\n",
  "a bulk length that is no number": "*1\r\n$abc\r\n",
  "an empty bulk length": "*1\r\n$\r\n",
  "a negative bulk length": "*1\r\n$-1\r\n",
  "a bulk length above the limit": "*1\r\n$536870913\r\n",
  "a bulk length beyond 64 bits": "*1\r\n$99999999999999999999\r\n",
  "a bulk length with a space": "*1\r\n$ 4\r\nPING\r\n",
  "a long bulk length without a line end": `*1\r\n$${"1".repeat(65_600)}`,
  "a bulk that is longer than it says": `*1\r\n$4\r\nPINGPONG\r\n${quit}`,
  "an empty bulk as the command": `*1\r\n$0\r\n\r\n${quit}`,
  "an error after good commands": `${request("PING")}${request("ECHO", "a")}*1\r\n$x\r\n`,
  "an inline command": inline("PING"),
  "an inline command with a bare line feed": `PING\n${quit}`,
  "an inline command with arguments": inline("SET raw:inline value"),
  "inline spaces around and between": inline("   ECHO \t  hello  "),
  "an empty line": inline(""),
  "a line of spaces": inline("    "),
  "inline form feeds and vertical tabs": inline("\f ECHO \v\f a\fb\v"),
  "inline form feeds behind a word": inline('ECHO\f "a"'),
  "inline form feeds behind quotes": inline('ECHO "a"\f'),
  "inline double quotes": inline('ECHO "hello world"'),
  "inline escapes": inline('ECHO "a\\n\\r\\t\\b\\a\\x00\\xfF\\q\\"\\\\"'),
  "inline incomplete hex escape": inline('ECHO "\\x4g\\x"'),
  "inline single quotes": inline("ECHO 'hello \\n \\' world'"),
  "inline empty quotes": inline('ECHO ""'),
  "inline quotes in the middle of a word": inline('ECHO a"b c"'),
  "inline unbalanced double quotes": refused('ECHO "hello'),
  "inline unbalanced single quotes": refused("ECHO 'hello"),
  "inline quotes that a letter follows": refused('ECHO "hello"world'),
  "inline single quotes that a letter follows": refused("ECHO 'hello'world"),
  "an inline command that does not exist": inline("NOSUCH a b c"),
  "an inline command with wrong arity": inline("GET"),
  "an inline line with high bytes": inline("ECHO \xff\xfe"),
  "an inline line of 60 kB": inline(`ECHO ${"a".repeat(60_000)}`),
  "an inline line above the limit": "a".repeat(65_537),
  "inline and array mixed": `PING\r\n${request("PING")}PING\r\n${quit}`,
  "QUIT with commands behind it": `${request("PING")}${quit}${request("PING")}`,
  "QUIT with an argument": `${request("QUIT", "now")}`,
  "replies off and on": `${request("CLIENT", "REPLY", "OFF")}${request("PING").repeat(3)}${request("NOSUCH")}${request("CLIENT", "REPLY", "ON")}${request("ECHO", "a")}${quit}`,
  "one reply skipped": `${request("CLIENT", "REPLY", "SKIP")}${request("PING")}${request("ECHO", "a")}${quit}`,
  "skip twice": `${request("CLIENT", "REPLY", "SKIP")}${request("CLIENT", "REPLY", "SKIP")}${request("PING")}${request("ECHO", "a")}${request("ECHO", "b")}${quit}`,
  "skip while off": `${request("CLIENT", "REPLY", "OFF")}${request("CLIENT", "REPLY", "SKIP")}${request("CLIENT", "REPLY", "ON")}${request("ECHO", "a")}${quit}`,
  "an unknown kind of reply": `${request("CLIENT", "REPLY", "MAYBE")}${quit}`,
  "replies off ended by RESET": `${request("CLIENT", "REPLY", "OFF")}${request("RESET")}${request("ECHO", "a")}${quit}`,
  "a null in RESP3": `${request("CLIENT", "REPLY", "SKIP")}${request("HELLO", "3")}${request("GET", "raw:none")}${quit}`,
  "a null in RESP2 after RESP3": `${request("CLIENT", "REPLY", "SKIP")}${request("HELLO", "3")}${request("GET", "raw:none")}${request("CLIENT", "REPLY", "SKIP")}${request("HELLO", "2")}${request("GET", "raw:none")}${quit}`,
  "an error text with line ends": `${request("NO\r\nSUCH", "a\r\nb")}${quit}`,
  "an HTTP request": "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "an HTTP header": "Host: localhost\r\n",
  "a thousand arguments": `${request("DEL", ...Array.from({ length: 1000 }, (_, index) => `raw:${index}`))}${quit}`,
};

export const rawSessions: readonly RawSession[] = Object.entries(sessions).map(([name, text]) => ({
  name,
  bytes: bytesOf(text),
  maySplit: !text.includes(quit) || text.indexOf(quit) + quit.length === text.length,
}));

/** Sends `bytes` in pieces of `pieceBytes`; everything that came back until the end. Says so when the server did not end it. */
export async function runRawSession(target: RawTarget, bytes: Buffer, pieceBytes: number): Promise<string> {
  const client = await RawClient.connect(target);
  for (let start = 0; start < bytes.length && !client.isClosed; start += pieceBytes) {
    client.write(bytes.subarray(start, start + pieceBytes));
    // One turn of the event loop, so that pieces leave one by one.
    if (pieceBytes < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
  let isOpen = false;
  const alarm = setTimeout(() => {
    isOpen = true;
    client.close();
  }, END_TIMEOUT_MS);
  const received = await client.untilClosed();
  clearTimeout(alarm);
  return received.toString("latin1") + (isOpen ? " (and the connection stays open)" : "");
}
