/**
 * The manifest of an append-only file: which files it consists of, in the order in which they are loaded.
 *
 *      # a comment
 *      file appendonly.aof.4.base.rdb seq 4 type b          b  base: the state at the beginning of the first increment
 *      file appendonly.aof.3.incr.aof seq 3 type h          h  history: superfluous since a rewrite
 *      file appendonly.aof.7.incr.aof seq 7 type i          i  increments
 *      file "a name with spaces.8.incr.aof" seq 8 type i    keys in any order and case, unknown ones are passed over
 *
 *  I1  There is at most one base; the numbers of increments ascend. A manifest that breaks this is refused as a whole.
 *  I2  parseManifest(formatManifest(manifest)) equals the manifest.
 *  I3  Names are names of files, never paths: nobody is led out of the folder.
 *  Source: behaviour of redis-server 7.0, tried with every kind of damage; its sentences on the wire and in the log.
 */

import { splitInline } from "../../protocol/inline.ts";
import { Request } from "../../protocol/request.ts";
import { AofFault } from "./aof-fault.ts";

/** "b" base, "h" history, "i" increment. */
export type AofFileType = "b" | "h" | "i";

export interface AofFile {
  /** As the disk takes it. */
  name: string;
  seq: number;
  type: AofFileType;
}

export interface AofManifest {
  base: AofFile | undefined;
  increments: AofFile[];
  /** Files that a rewrite has replaced and that are still to be removed. */
  history: AofFile[];
}

/** A manifest that cannot be used. `message` is Redis's sentence. */
export class ManifestFault extends AofFault {
  override name = "ManifestFault";
  /** From 1; 0 when no single line is meant. */
  readonly lineNumber: number;
  /** The line without the space around it, latin1; "" when no single line is meant. */
  readonly line: string;

  constructor(position: number, lineNumber: number, line: string, message: string) {
    super("format", position, position, message);
    this.lineNumber = lineNumber;
    this.line = line;
  }

  /** What Redis writes into its log, one entry after another, before it exits. */
  report(): string[] {
    const lines = ["\n*** FATAL AOF MANIFEST FILE ERROR ***\n"];
    if (this.lineNumber > 0) {
      lines.push(`Reading the manifest file, at line ${this.lineNumber}\n`, `>>> '${this.line}'\n`);
    }
    lines.push(`${this.message}\n`);
    return lines;
  }
}

/** Longest piece of a line that is looked at, with its line end; a longer comment goes on as a new line. */
const LINE_BYTES_MAX = 1024;
const COMMENT = 35;
const FORMAT_WRONG = "Invalid AOF manifest file format";

/** Reads a manifest. Throws ManifestFault. */
export function parseManifest(bytes: Uint8Array): AofManifest {
  const manifest: AofManifest = { base: undefined, increments: [], history: [] };
  const words = new Request();
  let lineNumber = 0;
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, Math.min(bytes.length, at + LINE_BYTES_MAX));
    const lineEnd = piece.indexOf(10);
    const next = lineEnd === -1 ? at + piece.length : at + lineEnd + 1;
    lineNumber++;
    if (piece[0] !== COMMENT) {
      // A zero byte hides the rest of its line from Redis, and so the line's end.
      const zero = piece.indexOf(0);
      if (lineEnd === -1 || (zero !== -1 && zero < lineEnd)) {
        throw new ManifestFault(at, 0, "", "The AOF manifest file contains too long line");
      }
      add(manifest, readLine(words, at, lineNumber, trimmed(piece.subarray(0, lineEnd))));
    }
    at = next;
  }
  if (lineNumber === 0) throw new ManifestFault(0, 0, "", "Found an empty AOF manifest");
  return manifest;
}

/** A line that was understood, and where it stands. */
interface ManifestLine {
  readonly file: AofFile;
  refuse(reason: string): ManifestFault;
}

function add(manifest: AofManifest, { file, refuse }: ManifestLine): void {
  if (file.type === "h") {
    manifest.history.push(file);
  } else if (file.type === "b") {
    if (manifest.base !== undefined) throw refuse("Found duplicate base file information");
    manifest.base = file;
  } else {
    const before = manifest.increments.at(-1);
    if (file.seq <= (before === undefined ? 0 : before.seq)) throw refuse("Found a non-monotonic sequence number");
    manifest.increments.push(file);
  }
}

function readLine(words: Request, position: number, lineNumber: number, line: Uint8Array): ManifestLine {
  const refuse = (reason: string) => new ManifestFault(position, lineNumber, latin1(line), reason);
  const isWhole = splitInline(line, 0, line.length, words);
  if (!isWhole || words.count < 6 || words.count % 2 === 1) throw refuse(FORMAT_WRONG);
  let name: string | undefined;
  let seq = 0;
  let type = "";
  for (let index = 0; index < words.count; index += 2) {
    if (words.is(index, "FILE")) {
      name = Buffer.from(words.bytes(index + 1)).toString("utf8");
      if (/[/\\]/.test(name)) throw refuse("File can't be a path, just a filename"); // I3
    } else if (words.is(index, "SEQ")) {
      seq = leadingNumber(words.text(index + 1));
    } else if (words.is(index, "TYPE")) {
      type = words.text(index + 1).slice(0, 1);
    }
  }
  if (name === undefined || seq === 0 || !Number.isSafeInteger(seq) || type === "") throw refuse(FORMAT_WRONG);
  if (type !== "b" && type !== "h" && type !== "i") throw refuse("Unknown AOF file type");
  return { file: { name, seq, type }, refuse };
}

/** The number that the text begins with, 0 when it begins with none: Redis asks for no more. */
function leadingNumber(text: string): number {
  const match = /^[ \t\n\v\f\r]*([+-]?\d+)/.exec(text);
  return match === null ? 0 : Number(match[1]);
}

function trimmed(line: Uint8Array): Uint8Array {
  let start = 0;
  let end = line.length;
  while (start < end && isMargin(line[start]!)) start++;
  while (end > start && isMargin(line[end - 1]!)) end--;
  return line.subarray(start, end);
}

function isMargin(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13 || byte === 10;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** The manifest as Redis writes it: base, history, increments. */
export function formatManifest(manifest: AofManifest): Uint8Array {
  const { base, increments, history } = manifest;
  const files = base === undefined ? [...history, ...increments] : [base, ...history, ...increments];
  return formatFiles(files);
}

/** A line for each file, in the order given. */
export function formatFiles(files: readonly AofFile[]): Uint8Array {
  let text = "";
  for (const { name, seq, type } of files) text += `file ${wordOf(name)} seq ${seq} type ${type}\n`;
  return Buffer.from(text, "latin1");
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

/**
 * A name as a word of a line, in quotes where it needs them. Redis leaves a `'` without quotes and cannot read its own
 * line afterwards; here it gets them (I2).
 */
function wordOf(name: string): string {
  const text = Buffer.from(name, "utf8").toString("latin1");
  if (text !== "" && /^[!#-&(-[\]-~]+$/.test(text)) return text;
  let quoted = "";
  for (const sign of text) {
    const code = sign.charCodeAt(0);
    const isPrintable = code >= 32 && code < 127;
    quoted += ESCAPES.get(sign) ?? (isPrintable ? sign : `\\x${code.toString(16).padStart(2, "0")}`);
  }
  return `"${quoted}"`;
}
