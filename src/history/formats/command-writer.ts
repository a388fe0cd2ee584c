/**
 * Writes keys and values as the commands that make them: the base of an append-only file without RDB.
 *
 *      FUNCTION LOAD …   SELECT n   SET k v   PEXPIREAT k ms   RPUSH k e … (64 elements a command)   SADD   ZADD   HMSET
 *      XADD k id f v …   XSETID k last …   XGROUP CREATE k g last …   XCLAIM … │ XGROUP CREATECONSUMER …
 *
 *      elements ─► group [$1\r\na\r\n$1\r\nb\r\n] ─► out [*4\r\n…RPUSH…k… group] ─► sink       the group's count comes first,
 *                                                                                            so it is collected before
 *  I1  What goes to the sink consists of whole commands when flush() has been called.
 *  I2  Memory does not grow with a value, but for pending entries (32 bytes each): long arguments pass the buffers by.
 *  I3  What commands cannot say is lost here as it is when Redis writes such a file: idle times, use counters, when a consumer
 *      was last seen, pending entries whose message has been deleted.
 *  Source: files that redis-server 7.0 wrote with aof-use-rdb-preamble no.
 */

import { formatSeventeenDigits } from "../../core/seventeen-digits.ts";
import { ArgumentBuffer } from "./argument-buffer.ts";
import { PackedFault } from "./packed.ts";
import { PendingTable } from "./pending-table.ts";
import type { StreamId, StreamSummary, ValueKind, ValueVisitor } from "./value-visitor.ts";

/** Where the bytes go: all of `source[start ... start + length)`, which is valid during the call. A DiskFile is one. */
export interface ByteSink {
  write(source: Uint8Array, start: number, length: number): void;
}

/** Elements a command, as Redis has them. */
const GROUP_ELEMENTS = 64;
const OUT_BYTES = 256 * 1024;
/** Arguments from here on go to the sink without being copied. */
const LONG_BYTES = 64 * 1024;
const STAR = 42;
const DOLLAR = 36;

const GROUP_COMMANDS: Readonly<Record<Exclude<ValueKind, "stream">, string>> = {
  list: "RPUSH",
  set: "SADD",
  hash: "HMSET",
  zset: "ZADD",
};

export class CommandWriter implements ValueVisitor {
  /** Bytes given to the sink so far. */
  writtenBytes: number;

  private readonly sink: ByteSink;
  private readonly out: ArgumentBuffer;
  private readonly group: ArgumentBuffer;
  private groupElements: number;
  private groupArguments: number;
  private groupCommand: string;
  private database: number;
  private keyBytes: Uint8Array;
  private keyStart: number;
  private keyLength: number;
  /** The key has got a command. */
  private hasCommands: boolean;
  private groupName: Uint8Array;
  /** The newest consumer, while it may still need a command of its own. */
  private consumerName: Uint8Array | undefined;
  private hasPending: boolean;
  private readonly pending: PendingTable;

  constructor(sink: ByteSink) {
    this.writtenBytes = 0;
    this.sink = sink;
    this.out = new ArgumentBuffer(OUT_BYTES + LONG_BYTES);
    this.group = new ArgumentBuffer(LONG_BYTES);
    this.groupElements = 0;
    this.groupArguments = 0;
    this.groupCommand = "";
    this.database = -1;
    this.keyBytes = new Uint8Array(0);
    this.keyStart = 0;
    this.keyLength = 0;
    this.hasCommands = false;
    this.groupName = this.keyBytes;
    this.consumerName = undefined;
    this.hasPending = false;
    this.pending = new PendingTable();
  }

  /** Bytes as they are, such as annotations. */
  raw(bytes: Uint8Array, start: number, length: number): void {
    if (length < LONG_BYTES) {
      this.out.raw(bytes, start, length);
      return;
    }
    this.flush();
    this.sink.write(bytes, start, length);
    this.writtenBytes += length;
  }

  /** A function library. */
  library(code: Uint8Array, start: number, length: number): void {
    this.command(3, "FUNCTION");
    this.out.word("LOAD");
    this.argument(code, start, length);
    this.settle();
  }

  /** Begins a key, whose bytes stay valid until endKey. */
  beginKey(database: number, bytes: Uint8Array, start: number, length: number): void {
    if (database !== this.database) {
      this.database = database;
      this.command(2, "SELECT");
      this.out.word(String(database));
    }
    this.keyBytes = bytes;
    this.keyStart = start;
    this.keyLength = length;
    this.hasCommands = false;
  }

  /** The value of a key that is a string. */
  string(bytes: Uint8Array, start: number, length: number): void {
    this.onKey(3, "SET");
    this.argument(bytes, start, length);
  }

  /** Ends a key; `expireAtMs` -1: it does not expire. False when there is none: a collection without elements. */
  endKey(expireAtMs: number): boolean {
    this.endGroup();
    this.endConsumer();
    if (expireAtMs >= 0 && this.hasCommands) {
      this.onKey(3, "PEXPIREAT");
      this.out.word(String(expireAtMs));
    }
    this.settle();
    return this.hasCommands;
  }

  /** Gives everything to the sink (I1). */
  flush(): void {
    const { out } = this;
    if (out.used === 0) return;
    this.sink.write(out.bytes, 0, out.used);
    this.writtenBytes += out.used;
    out.used = 0;
  }

  private settle(): void {
    if (this.out.used >= OUT_BYTES) this.flush();
  }

  private command(count: number, name: string): void {
    this.out.header(STAR, count);
    this.out.word(name);
  }

  /** Begins a command on the key. */
  private onKey(count: number, name: string, subcommand = ""): void {
    this.settle();
    this.hasCommands = true;
    this.command(count, name);
    if (subcommand !== "") this.out.word(subcommand);
    this.argument(this.keyBytes, this.keyStart, this.keyLength);
  }

  private argument(bytes: Uint8Array, start: number, length: number): void {
    const { out } = this;
    if (length < LONG_BYTES) {
      out.argument(bytes, start, length);
      return;
    }
    out.header(DOLLAR, length);
    this.raw(bytes, start, length);
    out.lineEnd();
  }

  // ---- elements of collections --------------------------------------------------------------------------------------

  begin(kind: ValueKind, _sizeHint: number): void {
    this.groupCommand = kind === "stream" ? "" : GROUP_COMMANDS[kind];
  }

  listItem(bytes: Uint8Array, start: number, length: number): void {
    this.single(bytes, start, length);
  }

  setMember(bytes: Uint8Array, start: number, length: number): void {
    this.single(bytes, start, length);
  }

  private single(bytes: Uint8Array, start: number, length: number): void {
    if (length < LONG_BYTES) {
      this.group.argument(bytes, start, length);
      this.countElement(1);
      return;
    }
    this.endGroup();
    this.onKey(3, this.groupCommand);
    this.argument(bytes, start, length);
  }

  hashField(
    fieldBytes: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): void {
    if (expireAtMs >= 0) throw new PackedFault("a field expires: no command of Redis 7.2 can say that");
    if (fieldLength < LONG_BYTES && valueLength < LONG_BYTES) {
      this.group.argument(fieldBytes, fieldStart, fieldLength);
      this.group.argument(valueBytes, valueStart, valueLength);
      this.countElement(2);
      return;
    }
    this.endGroup();
    this.onKey(4, this.groupCommand);
    this.argument(fieldBytes, fieldStart, fieldLength);
    this.argument(valueBytes, valueStart, valueLength);
  }

  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void {
    const text = formatSeventeenDigits(score);
    if (length < LONG_BYTES) {
      this.group.word(text);
      this.group.argument(bytes, start, length);
      this.countElement(2);
      return;
    }
    this.endGroup();
    this.onKey(4, this.groupCommand);
    this.out.word(text);
    this.argument(bytes, start, length);
  }

  private countElement(argumentCount: number): void {
    this.groupArguments += argumentCount;
    this.groupElements++;
    if (this.groupElements === GROUP_ELEMENTS) this.endGroup();
  }

  private endGroup(): void {
    const { group } = this;
    if (this.groupElements === 0) return;
    this.onKey(2 + this.groupArguments, this.groupCommand);
    this.raw(group.bytes, 0, group.used);
    group.used = 0;
    this.groupElements = 0;
    this.groupArguments = 0;
  }

  // ---- streams ------------------------------------------------------------------------------------------------------

  streamEntry(ms: bigint, sequence: bigint, fieldCount: number): void {
    this.onKey(3 + fieldCount * 2, "XADD");
    this.out.word(`${ms}-${sequence}`);
  }

  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    this.argument(nameBytes, nameStart, nameLength);
    this.argument(valueBytes, valueStart, valueLength);
  }

  streamEnd(summary: StreamSummary): void {
    if (summary.length === 0) {
      // A stream without entries is made by an entry that is not kept.
      this.onKey(7, "XADD");
      for (const word of ["MAXLEN", "0", "0-1", "x", "y"]) this.out.word(word);
    }
    this.onKey(7, "XSETID");
    this.out.word(idText(summary.lastId));
    this.out.word("ENTRIESADDED");
    this.out.word(String(summary.entriesAdded));
    this.out.word("MAXDELETEDID");
    this.out.word(idText(summary.maxDeletedId));
  }

  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void {
    this.endConsumer();
    this.groupName = bytes.slice(start, start + length);
    this.pending.clear();
    this.onGroup(7, "XGROUP", "CREATE");
    this.out.word(idText(lastId));
    this.out.word("ENTRIESREAD");
    this.out.word(String(entriesRead));
  }

  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    this.pending.add(ms, sequence, deliveredAtMs, deliveryCount);
  }

  streamConsumer(bytes: Uint8Array, start: number, length: number): void {
    this.endConsumer();
    this.consumerName = bytes.slice(start, start + length);
    this.hasPending = false;
  }

  streamConsumerPending(ms: bigint, sequence: bigint): void {
    const { out, pending } = this;
    const index = pending.find(ms, sequence);
    const consumer = this.consumerName;
    if (index === -1 || consumer === undefined) {
      throw new PackedFault("a consumer's pending entry is not one of its group");
    }
    this.hasPending = true;
    this.onGroup(12, "XCLAIM");
    this.argument(consumer, 0, consumer.length);
    out.word("0");
    out.word(`${ms}-${sequence}`);
    out.word("TIME");
    out.word(String(pending.deliveredAtMs[index]!));
    out.word("RETRYCOUNT");
    out.word(String(pending.deliveryCount[index]!));
    out.word("JUSTID");
    out.word("FORCE");
  }

  /** A consumer with pending entries is made by the first of them; another one needs a command of its own. */
  private endConsumer(): void {
    const consumer = this.consumerName;
    this.consumerName = undefined;
    if (consumer === undefined || this.hasPending) return;
    this.onGroup(5, "XGROUP", "CREATECONSUMER");
    this.argument(consumer, 0, consumer.length);
  }

  /** Begins a command on the newest group. */
  private onGroup(count: number, name: string, subcommand = ""): void {
    this.onKey(count, name, subcommand);
    this.argument(this.groupName, 0, this.groupName.length);
  }
}

function idText({ ms, sequence }: StreamId): string {
  return `${ms}-${sequence}`;
}
