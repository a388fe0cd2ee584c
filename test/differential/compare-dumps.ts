/**
 * When two dumps hold the same value.
 *
 *      type ─ value as in an RDB file ─ version (2) ─ CRC-64 (8)        dump ──► outline: everything that must be equal, as text
 *
 *  I1  An outline leaves out only what a server is free in: how LZF packs, the order of the members of a hash table, where
 *      the nodes of a list end, with how many digits a score is written, and the times at which a stream's entries were delivered and its consumers seen.
 *  I2  What is damaged has no outline, and differs from everything.
 *  Source: the RDB format as public descriptions give it, tried against redis-server 7.0.15.
 */
import { compareParsed, type ReplyComparison } from "./compare.ts";

const TYPE_STRING = 0;
const TYPE_SET = 2;
const TYPE_HASH = 4;
const TYPE_ZSET = 5;
const TYPE_INTSET = 11;
const TYPE_HASH_LISTPACK = 16;
const TYPE_ZSET_LISTPACK = 17;
const TYPE_LIST = 18;
const TYPE_STREAM = 19;
const FOOTER_BYTES = 10;
const LZF_MARK = 3;

/** Expands LZF data: runs of literals and back references. Throws on damage. Source: the public description of LibLZF's format. */
export function expandLzf(packed: Buffer, length: number): Buffer {
  const plain = Buffer.alloc(length);
  let at = 0;
  let end = 0;
  while (at < packed.length) {
    const control = packed[at++]!;
    if (control < 32) {
      for (let count = control + 1; count > 0; count--) plain[end++] = packed[at++]!;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += packed[at++]!;
    let from = end - ((control & 31) << 8) - packed[at++]! - 1;
    if (from < 0) throw new Error("LZF reference before the start");
    for (count += 2; count > 0; count--) plain[end++] = plain[from++]!;
  }
  if (end !== length) throw new Error(`LZF data of ${end} bytes, not ${length}`);
  return plain;
}

/** Reads a dump's parts one behind the other. Every reader throws on damage. */
class DumpCursor {
  at = 1;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length - FOOTER_BYTES;
  }

  raw(length: number): Buffer {
    const part = this.bytes.subarray(this.at, this.at + length);
    if (part.length !== length) throw new Error("a dump that ends too early");
    this.at += length;
    return part;
  }

  length(): bigint {
    const first = this.raw(1)[0]!;
    if (first >> 6 === 0) return BigInt(first & 63);
    if (first >> 6 === 1) return BigInt(((first & 63) << 8) | this.raw(1)[0]!);
    if (first === 0x80) return BigInt(this.raw(4).readUInt32BE());
    if (first === 0x81) return this.raw(8).readBigUInt64BE();
    throw new Error(`length mark ${first} in a dump`);
  }

  count(): number {
    return Number(this.length());
  }

  /** A string's bytes, and how it was written: as a number or as text (packed or not is the server's choice). */
  string(): { readonly bytes: Buffer; readonly form: string } {
    const first = this.bytes[this.at]!;
    if (first >> 6 !== 3) return { bytes: this.raw(this.count()), form: "text" };
    this.at++;
    const mark = first & 63;
    if (mark < LZF_MARK) return { bytes: this.raw(1 << mark), form: `int${8 << mark}` };
    if (mark !== LZF_MARK) throw new Error(`string mark ${first} in a dump`);
    const packedLength = this.count();
    const plainLength = this.count();
    return { bytes: expandLzf(this.raw(packedLength), plainLength), form: "text" };
  }

  text(): string {
    const { bytes, form } = this.string();
    return `${form}:${bytes.toString("hex")}`;
  }

  times(count: number, part: () => string): string[] {
    return Array.from({ length: count }, part);
  }
}

/** Elements of a listpack, each as hexadecimal with its form. Throws on damage. Source: the public description of listpacks. */
export function listpackElements(bytes: Buffer): string[] {
  const elements: string[] = [];
  let at = 6;
  const text = (head: number, length: number): void => {
    elements.push(`s${bytes.toString("hex", at + head, at + head + length)}`);
    advance(head + length);
  };
  const integer = (head: number, value: bigint | number): void => {
    elements.push(`i${value}`);
    advance(head);
  };
  const advance = (length: number): void => {
    at += length + (length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : length < 268_435_456 ? 4 : 5);
  };
  while (bytes[at] !== 0xff) {
    const first = bytes[at]!;
    if (first < 0x80) integer(1, first);
    else if (first < 0xc0) text(1, first & 63);
    else if (first < 0xe0) integer(2, (((first & 31) << 8) | bytes[at + 1]!) - (first & 16 ? 8192 : 0));
    else if (first < 0xf0) text(2, ((first & 15) << 8) | bytes[at + 1]!);
    else if (first === 0xf0) text(5, bytes.readUInt32LE(at + 1));
    else if (first === 0xf1) integer(3, bytes.readInt16LE(at + 1));
    else if (first === 0xf2) integer(4, bytes.readIntLE(at + 1, 3));
    else if (first === 0xf3) integer(5, bytes.readInt32LE(at + 1));
    else if (first === 0xf4) integer(9, bytes.readBigInt64LE(at + 1));
    else throw new Error(`listpack mark ${first}`);
  }
  if (at + 1 !== bytes.length || bytes.readUInt32LE(0) !== bytes.length)
    throw new Error("a listpack of another length");
  const count = bytes.readUInt16LE(4);
  if (count !== 0xffff && count !== elements.length) throw new Error("a listpack of another count");
  return elements;
}

function listOutline(cursor: DumpCursor): string {
  const nodes = cursor.times(cursor.count(), () => {
    const isPlain = cursor.count() === 1;
    const { bytes } = cursor.string();
    return isPlain ? `s${bytes.toString("hex")}` : listpackElements(bytes).join();
  });
  return nodes.join();
}

/** Members and scores: 7.0 writes these with 17 digits, 7.2 with as few as are needed. */
function scoredOutline(cursor: DumpCursor): string {
  const elements = listpackElements(cursor.string().bytes);
  return elements
    .map((element, index) => {
      if (index % 2 === 0) return element;
      if (element.startsWith("i")) return `=${Number(element.slice(1))}`;
      return `=${Number(Buffer.from(element.slice(1), "hex").toString("latin1").replace("inf", "Infinity"))}`;
    })
    .join();
}

function streamOutline(cursor: DumpCursor): string {
  const nodes = cursor.times(cursor.count(), () => `${cursor.text()}=${cursor.text()}`);
  const lengthAndIds = cursor.times(8, () => String(cursor.length()));
  const groups = cursor.times(cursor.count(), () => {
    const head = [cursor.text(), ...cursor.times(3, () => String(cursor.length()))];
    const pending = cursor.times(cursor.count(), () => {
      const id = cursor.raw(16).toString("hex");
      cursor.raw(8); // when it was delivered
      return `${id} ${cursor.count()} times`;
    });
    const consumers = cursor.times(cursor.count(), () => {
      const name = cursor.text();
      cursor.raw(8); // when it was seen
      return `${name}: ${cursor.times(cursor.count(), () => cursor.raw(16).toString("hex"))}`;
    });
    return `${head} pending ${pending} consumers ${consumers}`;
  });
  return `${nodes} ${lengthAndIds} groups ${groups.join(" / ")}`;
}

/** Everything of a dump that must be equal, as text; throws on damage. */
export function dumpOutline(dump: Buffer): string {
  const cursor = new DumpCursor(dump);
  const type = dump[0]!;
  let content: string;
  if (type === TYPE_LIST) content = listOutline(cursor);
  else if (type === TYPE_STREAM) content = streamOutline(cursor);
  else if (type === TYPE_SET)
    content = cursor
      .times(cursor.count(), () => cursor.text())
      .sort()
      .join();
  else if (type === TYPE_HASH)
    content = cursor
      .times(cursor.count(), () => `${cursor.text()}=${cursor.text()}`)
      .sort()
      .join();
  else if (type === TYPE_ZSET)
    content = cursor.times(cursor.count(), () => `${cursor.text()}=${cursor.raw(8).toString("hex")}`).join();
  else if ([TYPE_STRING, TYPE_INTSET, TYPE_HASH_LISTPACK].includes(type)) content = cursor.text();
  else if (type === TYPE_ZSET_LISTPACK) content = scoredOutline(cursor);
  else throw new Error(`dumps of type ${type} have no outline`);
  if (!cursor.isAtEnd) throw new Error("a dump that goes on behind its value");
  return `type ${type}, version ${dump.readUInt16LE(dump.length - FOOTER_BYTES)}: ${content}`;
}

/** Dumps that hold the same value in the same form (I1). */
export const compareDumps: ReplyComparison = compareParsed((expected, actual) => {
  if (expected.type !== "$" || actual.type !== "$" || expected.text === null || actual.text === null)
    return "another type";
  const left = dumpOutline(Buffer.from(expected.text, "latin1"));
  let right: string;
  try {
    right = dumpOutline(Buffer.from(actual.text, "latin1"));
  } catch (fault) {
    return (fault as Error).message;
  }
  if (left === right) return undefined;
  let same = 0;
  while (left[same] === right[same]) same++;
  const show = (text: string): string => text.slice(Math.max(0, same - 20), same + 60);
  return `another content, "${show(left)}" and "${show(right)}"`;
});
