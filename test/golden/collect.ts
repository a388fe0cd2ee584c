/** The contents of an RDB file in one plain form, whether read by our reader or asked from a real server. */

import { RdbReader, RECORD_END, RECORD_FUNCTION, RECORD_KEY } from "../../src/history/formats/rdb-reader.ts";
import type { StreamId, StreamSummary, ValueVisitor } from "../../src/history/formats/value-visitor.ts";
import type { RealServer, Reply } from "./real-server.ts";

export interface CollectedKey {
  readonly database: number;
  readonly key: string;
  readonly kind: string;
  readonly expireAtMs: number;
  readonly value: unknown;
}

export interface Collected {
  readonly keys: CollectedKey[];
  readonly functions: string[];
}

interface Group {
  readonly name: string;
  readonly lastId: string;
  readonly entriesRead: number | null;
  readonly pending: [string, string, number, number][];
}

const latin1 = (bytes: Uint8Array, start: number, length: number) =>
  Buffer.from(bytes.subarray(start, start + length)).toString("latin1");
const idText = (ms: bigint, sequence: bigint) => `${ms}-${sequence}`;
const textOfId = (id: StreamId) => idText(id.ms, id.sequence);

/** Collects one value; `value` is its plain form. */
export class Collector implements ValueVisitor {
  kind = "";
  expiries: Record<string, number> = {};
  private readonly items: unknown[] = [];
  private stream: Record<string, unknown> = {};
  private readonly groups: Group[] = [];

  begin(kind: string): void {
    this.kind = kind;
  }

  listItem(bytes: Uint8Array, start: number, length: number): void {
    this.items.push(latin1(bytes, start, length));
  }

  setMember(bytes: Uint8Array, start: number, length: number): void {
    this.items.push(latin1(bytes, start, length));
  }

  hashField(f: Uint8Array, fs: number, fl: number, v: Uint8Array, vs: number, vl: number, expireAtMs: number): void {
    this.items.push([latin1(f, fs, fl), latin1(v, vs, vl)]);
    if (expireAtMs !== -1) this.expiries[latin1(f, fs, fl)] = expireAtMs;
  }

  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void {
    this.items.push([latin1(bytes, start, length), String(score)]);
  }

  streamEntry(ms: bigint, sequence: bigint): void {
    this.items.push([idText(ms, sequence), []]);
  }

  streamField(f: Uint8Array, fs: number, fl: number, v: Uint8Array, vs: number, vl: number): void {
    (this.items.at(-1) as [string, string[]])[1].push(latin1(f, fs, fl), latin1(v, vs, vl));
  }

  streamEnd(summary: StreamSummary): void {
    this.stream = {
      length: summary.length,
      lastId: textOfId(summary.lastId),
      firstId: textOfId(summary.firstId),
      maxDeletedId: textOfId(summary.maxDeletedId),
      entriesAdded: Number(summary.entriesAdded),
    };
  }

  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void {
    const name = latin1(bytes, start, length);
    const read = entriesRead < 0n ? null : Number(entriesRead);
    this.groups.push({ name, lastId: textOfId(lastId), entriesRead: read, pending: [] });
  }

  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    this.groups.at(-1)!.pending.push([idText(ms, sequence), "", deliveredAtMs, deliveryCount]);
  }

  private consumer = "";

  streamConsumer(bytes: Uint8Array, start: number, length: number): void {
    this.consumer = latin1(bytes, start, length);
  }

  streamConsumerPending(ms: bigint, sequence: bigint): void {
    const pending = this.groups.at(-1)!.pending.find((entry) => entry[0] === idText(ms, sequence));
    if (pending === undefined) throw new Error("a consumer holds an entry that its group does not know");
    pending[1] = this.consumer;
  }

  get value(): unknown {
    if (this.kind === "list") return this.items;
    if (this.kind === "stream") return { ...this.stream, entries: this.items, groups: this.groups };
    return sorted(this.items);
  }
}

function sorted(items: unknown[]): unknown[] {
  return [...items].sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
}

function byKey(keys: CollectedKey[]): CollectedKey[] {
  return keys.sort((left, right) => left.database - right.database || (left.key < right.key ? -1 : 1));
}

/** A source that gives `bytes` in pieces of `pieceBytes`. */
export function sourceOf(bytes: Uint8Array, pieceBytes = 1 << 16) {
  let at = 0;
  return {
    read(target: Uint8Array, offset: number, length: number): number {
      const count = Math.min(length, pieceBytes, bytes.length - at);
      target.set(bytes.subarray(at, at + count), offset);
      at += count;
      return count;
    },
  };
}

/** Everything in an RDB file. */
export function collectFile(bytes: Uint8Array, pieceBytes?: number, knowsTotal = true): Collected {
  const reader = new RdbReader(sourceOf(bytes, pieceBytes), {
    totalBytes: knowsTotal ? bytes.length : -1,
    verifyChecksum: true,
  });
  reader.readHeader();
  const keys: CollectedKey[] = [];
  const functions: string[] = [];
  while (true) {
    const record = reader.next();
    if (record === RECORD_END) return { keys: byKey(keys), functions };
    if (record === RECORD_FUNCTION) functions.push(latin1(reader.stringBytes, reader.stringStart, reader.stringLength));
    if (record !== RECORD_KEY) continue;
    const { database, expireAtMs } = reader;
    if (reader.type === 0) {
      reader.readString();
      const value = latin1(reader.stringBytes, reader.stringStart, reader.stringLength);
      const key = latin1(reader.keyBytes, reader.keyStart, reader.keyLength);
      keys.push({ database, key, kind: "string", expireAtMs, value });
    } else {
      const collector = new Collector();
      reader.readValue(collector);
      const key = latin1(reader.keyBytes, reader.keyStart, reader.keyLength);
      keys.push({ database, key, kind: collector.kind, expireAtMs, value: collector.value });
    }
  }
}

const text = (reply: Reply | undefined) => (Buffer.isBuffer(reply) ? reply.toString("latin1") : String(reply));
const texts = (reply: Reply) => (reply as Reply[]).map(text);

function pairs(reply: Reply): [string, string][] {
  const flat = texts(reply);
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[index * 2]!, flat[index * 2 + 1]!]);
}

function fieldsOf(reply: Reply): Map<string, Reply> {
  const flat = reply as Reply[];
  return new Map(Array.from({ length: flat.length / 2 }, (_, index) => [text(flat[index * 2]!), flat[index * 2 + 1]!]));
}

/** Everything in a server; of functions nothing where it does not know them. */
export async function collectServer(server: RealServer, databases: number[]): Promise<Collected> {
  const keys: CollectedKey[] = [];
  for (const database of databases) {
    await server.command("SELECT", String(database));
    for (const name of (await server.command("KEYS", "*")) as Buffer[]) {
      const kind = text(await server.command("TYPE", name));
      const expireAtMs = Number(await server.command("PEXPIRETIME", name));
      keys.push({ database, key: text(name), kind, expireAtMs, value: await serverValue(server, name, kind) });
    }
  }
  const reply = await server.command("FUNCTION", "LIST", "WITHCODE");
  const libraries = Array.isArray(reply) ? reply : [];
  return { keys: byKey(keys), functions: libraries.map((library) => text(fieldsOf(library).get("library_code"))) };
}

/** The value of a key as it is compared. */
export async function serverValue(server: RealServer, name: Buffer, kind: string): Promise<unknown> {
  switch (kind) {
    case "string":
      return text(await server.command("GET", name));
    case "list":
      return texts(await server.command("LRANGE", name, "0", "-1"));
    case "set":
      return sorted(texts(await server.command("SMEMBERS", name)));
    case "hash":
      return sorted(pairs(await server.command("HGETALL", name)));
    case "zset": {
      const members = pairs(await server.command("ZRANGE", name, "0", "-1", "WITHSCORES"));
      return sorted(members.map(([member, score]) => [member, String(Number(score.replace("inf", "Infinity")))]));
    }
    default:
      return serverStream(server, name);
  }
}

async function serverStream(server: RealServer, name: Buffer): Promise<unknown> {
  const info = fieldsOf(await server.command("XINFO", "STREAM", name, "FULL", "COUNT", "0"));
  const groups = (info.get("groups") as Reply[]).map((reply) => {
    const group = fieldsOf(reply);
    const pending = (group.get("pending") as Reply[][]).map((entry) => [
      text(entry[0]),
      text(entry[1]),
      Number(entry[2]),
      Number(entry[3]),
    ]);
    const entriesRead = group.get("entries-read") ?? null;
    return { name: text(group.get("name")), lastId: text(group.get("last-delivered-id")), entriesRead, pending };
  });
  return {
    length: info.get("length"),
    lastId: text(info.get("last-generated-id")),
    firstId: text(info.get("recorded-first-entry-id")),
    maxDeletedId: text(info.get("max-deleted-entry-id")),
    entriesAdded: info.get("entries-added"),
    entries: (info.get("entries") as Reply[][]).map(([id, fields]) => [text(id), texts(fields!)]),
    groups,
  };
}
