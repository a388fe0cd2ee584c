/**
 * Replies as bytes: where one ends, and what it holds.
 *
 *      chunks from the socket ──► ReplyFramer ──► raw bytes of each whole reply ──► parseReply ──► ReplyNode
 *
 *  I1  The framer never looks at a byte of a bulk's content: only headers decide where a reply ends.
 *  I2  `open` counts the values that are still missing in the reply under way: a header of an array of n adds n, a map 2n,
 *      an attribute 2n + 1 (the value it belongs to follows); at 0 the reply is whole.
 *  I3  parseReply(raw) reads exactly the bytes of one framed reply.
 *  Source: RESP2 and RESP3 as the public protocol specification describes them.
 */

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Types whose header is the whole value. */
const LINE_TYPES = "+-:_,#(";
/** Types whose header gives a length in bytes. */
const BULK_TYPES = "$=!";
/** Types whose header gives a number of values. */
const AGGREGATE_TYPES = "*~>%|";

/** How many values follow a header of an aggregate, beside the value that it is itself. */
function valuesAfter(type: string, count: number): number {
  if (count < 0) return 0;
  if (type === "%") return count * 2;
  if (type === "|") return count * 2 + 1;
  return count;
}

/** Cuts a stream of bytes into whole replies. A header that is none throws: the stream cannot be trusted from there on. */
export class ReplyFramer {
  private chunks: Buffer[] = [];
  private heldBytes = 0;
  /** Bytes that must be there before it is worth looking again. */
  private neededBytes = 1;
  private scanOffset = 0;
  private open = 1;

  /** Takes `chunk`; returns the replies that are whole now, in order. */
  push(chunk: Buffer): Buffer[] {
    this.chunks.push(chunk);
    this.heldBytes += chunk.length;
    const replies: Buffer[] = [];
    if (this.heldBytes < this.neededBytes) return replies;
    let bytes = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks);
    for (;;) {
      const end = this.scan(bytes);
      if (end === -1) break;
      replies.push(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
      this.scanOffset = 0;
      this.open = 1;
      this.neededBytes = 1;
    }
    this.chunks = bytes.length === 0 ? [] : [bytes];
    this.heldBytes = bytes.length;
    return replies;
  }

  /** The bytes of a reply that is not whole yet. */
  rest(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** End of the first reply in `bytes`, or -1 with `neededBytes` set. Continues where it stopped. */
  private scan(bytes: Buffer): number {
    while (this.open > 0) {
      const lineEnd = bytes.indexOf(LINE_FEED, this.scanOffset);
      if (lineEnd === -1) {
        this.neededBytes = bytes.length + 1;
        return -1;
      }
      const type = String.fromCharCode(bytes[this.scanOffset]!);
      let end = lineEnd + 1;
      let opened = 0;
      if (BULK_TYPES.includes(type) || AGGREGATE_TYPES.includes(type)) {
        const count = Number(bytes.toString("latin1", this.scanOffset + 1, lineEnd - 1));
        if (!Number.isInteger(count) || count < -1) throw new Error(`bad reply header ${printable(bytes)}`);
        if (AGGREGATE_TYPES.includes(type)) opened = valuesAfter(type, count);
        else if (count >= 0) end += count + 2;
      } else if (!LINE_TYPES.includes(type)) {
        throw new Error(`unknown reply type ${JSON.stringify(type)} in ${printable(bytes)}`);
      }
      if (end > bytes.length) {
        this.neededBytes = end;
        return -1;
      }
      this.scanOffset = end;
      this.open += opened - 1;
    }
    return this.scanOffset;
  }
}

/** A reply taken apart. `text` is the line or the bulk's content (latin1, so that bytes survive); null for every null. */
export interface ReplyNode {
  readonly type: string;
  readonly text: string | null;
  readonly items: readonly ReplyNode[];
}

/** Reads one whole reply. Attributes are items of the node that they stand before ("|"). Throws when bytes are left over. */
export function parseReply(raw: Buffer): ReplyNode {
  let at = 0;
  const read = (): ReplyNode => {
    const type = String.fromCharCode(raw[at]!);
    const lineEnd = raw.indexOf(LINE_FEED, at);
    if (lineEnd < 1 || raw[lineEnd - 1] !== CARRIAGE_RETURN)
      throw new Error(`reply line without end: ${printable(raw)}`);
    const line = raw.toString("latin1", at + 1, lineEnd - 1);
    at = lineEnd + 1;
    if (BULK_TYPES.includes(type)) {
      const length = Number(line);
      if (length < 0) return { type, text: null, items: [] };
      const text = raw.toString("latin1", at, at + length);
      at += length + 2;
      return { type, text, items: [] };
    }
    if (AGGREGATE_TYPES.includes(type)) {
      const count = Number(line);
      const items: ReplyNode[] = [];
      for (let index = valuesAfter(type, count); index > 0; index--) items.push(read());
      return { type, text: count < 0 ? null : "", items };
    }
    return { type, text: type === "_" ? null : line, items: [] };
  };
  const node = read();
  if (at !== raw.length) throw new Error(`bytes left over after a reply: ${printable(raw)}`);
  return node;
}

/** A reply as plain JavaScript: strings (latin1), numbers for ":", null, arrays; errors as `Error` objects. */
export function plainReply(raw: Buffer): unknown {
  const plain = (node: ReplyNode): unknown => {
    if (node.text === null) return null;
    if (AGGREGATE_TYPES.includes(node.type)) return node.items.map(plain);
    if (node.type === ":") return Number(node.text);
    if (node.type === "-" || node.type === "!") return new Error(node.text);
    return node.text;
  };
  return plain(parseReply(raw));
}

/** Bytes for people: printable ASCII as it is, the rest escaped, long ones cut. */
export function printable(bytes: Uint8Array, lengthMax = 200): string {
  let text = "";
  const end = Math.min(bytes.length, lengthMax);
  for (let index = 0; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === 13) text += "\\r";
    else if (byte === 10) text += "\\n";
    else if (byte === 92 || byte === 34) text += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return bytes.length > end ? `${text}...(${bytes.length} bytes)` : text;
}
