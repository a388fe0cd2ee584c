/**
 * CommandLog: every write once, in order, as RESP bytes, addressed by their offset.
 *
 *      commands ─► effects of one unit        [SELECT 2│SET k v PXAT 17…]          one effect: as it is
 *                                             [MULTI│SELECT 2│LPUSH…│DEL…│EXEC]    several: they stay together
 *                        │ endUnit
 *      blocks    [0 … 1 MiB)[1 … 2 MiB)[2 … tail)        cursors  file ──┘
 *      marks     offset ─► time, and who caused it
 *
 *  I1  tailOffset only grows, by whole units.
 *  I2  A block is freed when no cursor stands in it or before it.
 *  I3  While nobody reads (no cursor), nothing is recorded and the offset stands still.
 *  I4  An effect can be repeated: no relative time, no chance, no script, nothing that waits.
 *  I5  Whoever reads from an offset that `cut` returned needs to know nothing of what was before it.
 *
 * Source: offsets and replication ids as PSYNC defines them, units as the append-only file of Redis 7 shows them.
 */

import { assert } from "../../core/assert.ts";
import { integerDigitCount, writeInt64Digits } from "../../core/numbers.ts";
import type { Request } from "../../protocol/request.ts";

const BLOCK_BYTES = 1 << 20;
const UNIT_BYTES = 16 * 1024;
/** Above it `set`, with its object, costs less. */
const COPIED_AS_WORDS_MAX = 128;
/** `$<length>\r\n` and `\r\n` of one argument, at most. */
const FRAME_BYTES = 32;
const MULTI = new TextEncoder().encode("*1\r\n$5\r\nMULTI\r\n");
const EXEC = new TextEncoder().encode("*1\r\n$4\r\nEXEC\r\n");

/** A range of the log that lies in one piece: `bytes[start ... end)`. */
export interface LogPiece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** From `offset` on: when units were made and, for the unit that begins there, by whom ("" unknown). */
export interface LogMark {
  readonly offset: number;
  readonly timeMs: number;
  readonly source: string;
}

/** A reader's place. It keeps what follows it in memory. */
export interface LogCursor {
  /** Everything before it has been read. */
  offset: number;
}

interface Block {
  readonly bytes: Uint8Array;
  /** The same memory, for copies of four bytes at a time. */
  readonly words: DataView;
  readonly offset: number;
  usedBytes: number;
}

export class CommandLog {
  /** 40 hexadecimal digits: the history that offsets belong to. */
  replicationId: string;
  /** Where the next unit begins. */
  tailOffset: number;
  /** Somebody reads: effects are wanted. */
  isRecording: boolean;
  /** Set when a command failed half-way for want of memory: what it did is not in the log. Readers need a new snapshot. */
  isIncomplete: boolean;
  /** The command in execution has said itself what is recorded of it. */
  isReplaced: boolean;
  /** Called after every unit. */
  onAppend: (() => void) | undefined;

  private readonly cursors: LogCursor[];
  private blocks: Block[];
  private marks: LogMark[];
  private markedMs: number;
  /** Database that the log's last command worked on; -1: the next effect says it anew. */
  private selected: number;
  private unit: Uint8Array;
  private unitWords: DataView;
  private unitBytes: number;
  private effectCount: number;
  /** Of the effects of the unit, keys that went by themselves, and why the last of them did. */
  private removalCount: number;
  private removalReason: string;

  constructor(replicationId: string) {
    this.replicationId = replicationId;
    this.tailOffset = 0;
    this.isRecording = false;
    this.isIncomplete = false;
    this.isReplaced = false;
    this.onAppend = undefined;
    this.cursors = [];
    this.blocks = [];
    this.marks = [];
    this.markedMs = Number.NEGATIVE_INFINITY;
    this.selected = -1;
    this.unit = new Uint8Array(UNIT_BYTES);
    this.unitWords = wordsOf(this.unit);
    this.unitBytes = 0;
    this.effectCount = 0;
    this.removalCount = 0;
    this.removalReason = "";
  }

  // ---- what commands record -----------------------------------------------------------------------------------------

  /** The request in execution, as it was sent. hot path */
  verbatim(request: Request, databaseIndex: number): void {
    const { input, offset, length, count } = request;
    this.select(databaseIndex);
    this.effectCount++;
    this.header(count);
    for (let index = 0; index < count; index++) this.bytes(input, offset[index]!, length[index]!);
  }

  /** Begins an effect of `count` arguments, in place of the request; each is then given by one of the methods below. */
  begin(databaseIndex: number, count: number): void {
    this.isReplaced = true;
    this.select(databaseIndex);
    this.effectCount++;
    this.header(count);
  }

  /** An argument that is ASCII text. */
  word(text: string): void {
    const length = text.length;
    this.reserve(length + FRAME_BYTES);
    const { unit } = this;
    let at = this.frame(length);
    for (let index = 0; index < length; index++) unit[at++] = text.charCodeAt(index);
    this.close(at);
  }

  /** An argument that is a whole number, within 2^53. */
  integer(value: number): void {
    this.reserve(2 * FRAME_BYTES);
    const at = this.frame(integerDigitCount(value));
    this.close(writeInt64Digits(this.unit, at, value));
  }

  /** An argument of the request in execution. */
  argument(request: Request, index: number): void {
    this.bytes(request.input, request.offset[index]!, request.length[index]!);
  }

  /** hot path */
  bytes(source: Uint8Array, start: number, length: number): void {
    this.reserve(length + FRAME_BYTES);
    const { unit } = this;
    let at = this.frame(length);
    if (length < 48) {
      for (let index = 0; index < length; index++) unit[at + index] = source[start + index]!;
    } else {
      unit.set(source.subarray(start, start + length), at);
    }
    at += length;
    this.close(at);
  }

  /** Nothing is recorded of the command in execution. */
  skip(): void {
    this.isReplaced = true;
  }

  /** A key went by itself, for `reason`, beside what the command in execution does. */
  removed(
    databaseIndex: number,
    command: "DEL" | "UNLINK",
    key: Uint8Array,
    start: number,
    length: number,
    reason: "expired" | "evicted" = "expired",
  ): void {
    const wasReplaced = this.isReplaced;
    this.removalCount++;
    this.removalReason = reason;
    this.begin(databaseIndex, 2);
    this.word(command);
    this.bytes(key, start, length);
    this.isReplaced = wasReplaced;
  }

  /** Whether the unit in execution has effects so far. */
  hasEffects(): boolean {
    return this.effectCount !== 0;
  }

  /**
   * What was recorded since the last call stays together from now on. `source`: who caused it, "" when unknown. Keys that
   * went by themselves, and nothing else, were nobody's doing, whoever came across them. hot path
   */
  endUnit(timeMs: number, source: string): void {
    const effects = this.effectCount;
    if (effects === 0) return;
    if (this.removalCount !== 0) {
      if (this.removalCount === effects) source = this.removalReason;
      this.removalCount = 0;
    }
    const bytes = this.unitBytes;
    this.effectCount = 0;
    this.unitBytes = 0;
    if (timeMs !== this.markedMs || source !== "") this.mark(timeMs, source);
    if (effects > 1) this.appendMark(MULTI);
    this.appendUnit(bytes);
    if (effects > 1) this.appendMark(EXEC);
    // One long value must not hold its memory for ever.
    if (this.unit.length > BLOCK_BYTES) this.setUnit(new Uint8Array(UNIT_BYTES));
    this.onAppend?.();
  }

  /** Who caused one unit need not have caused the next: the time is said anew behind it. */
  private mark(timeMs: number, source: string): void {
    this.marks.push({ offset: this.tailOffset, timeMs, source });
    this.markedMs = source === "" ? timeMs : Number.NEGATIVE_INFINITY;
  }

  private select(databaseIndex: number): void {
    if (this.selected === databaseIndex) return;
    this.selected = databaseIndex;
    this.header(2);
    this.word("SELECT");
    this.integer(databaseIndex);
  }

  private header(count: number): void {
    this.reserve(FRAME_BYTES);
    const { unit, unitBytes } = this;
    unit[unitBytes] = 42;
    if (count < 10) {
      unit[unitBytes + 1] = 48 + count;
      this.close(unitBytes + 2);
    } else {
      this.close(writeInt64Digits(unit, unitBytes + 1, count));
    }
  }

  /** `$<length>\r\n`; returns where the argument's bytes go. */
  private frame(length: number): number {
    const { unit } = this;
    let at = this.unitBytes;
    unit[at++] = 36;
    if (length < 10) unit[at++] = 48 + length;
    else at = writeInt64Digits(unit, at, length);
    unit[at] = 13;
    unit[at + 1] = 10;
    return at + 2;
  }

  private close(at: number): void {
    this.unit[at] = 13;
    this.unit[at + 1] = 10;
    this.unitBytes = at + 2;
  }

  private reserve(bytes: number): void {
    const needed = this.unitBytes + bytes;
    if (needed <= this.unit.length) return;
    const larger = new Uint8Array(Math.max(needed, this.unit.length * 2));
    larger.set(this.unit.subarray(0, this.unitBytes));
    this.setUnit(larger);
  }

  private setUnit(bytes: Uint8Array): void {
    this.unit = bytes;
    this.unitWords = wordsOf(bytes);
  }

  /** Four bytes at a time: 15 ns for a small command, where byte for byte takes 50. hot path */
  private appendUnit(length: number): void {
    const block = this.blockFor(length);
    const at = block.usedBytes;
    if (length < COPIED_AS_WORDS_MAX) {
      const source = this.unitWords;
      const target = block.words;
      const wholeWords = length & ~3;
      for (let index = 0; index < wholeWords; index += 4)
        target.setInt32(at + index, source.getInt32(index, true), true);
      for (let index = wholeWords; index < length; index++) target.setUint8(at + index, source.getUint8(index));
    } else {
      block.bytes.set(this.unit.subarray(0, length), at);
    }
    block.usedBytes = at + length;
    this.tailOffset += length;
  }

  private appendMark(bytes: Uint8Array): void {
    const block = this.blockFor(bytes.length);
    block.bytes.set(bytes, block.usedBytes);
    block.usedBytes += bytes.length;
    this.tailOffset += bytes.length;
  }

  /** The last block, with room for `length` bytes more. */
  private blockFor(length: number): Block {
    let block = this.blocks[this.blocks.length - 1];
    if (block === undefined || block.usedBytes + length > block.bytes.length) {
      const bytes = new Uint8Array(Math.max(BLOCK_BYTES, length));
      block = { bytes, words: wordsOf(bytes), offset: this.tailOffset, usedBytes: 0 };
      this.blocks.push(block);
    }
    return block;
  }

  // ---- who reads -----------------------------------------------------------------------------------------------------

  /** Goes on with a history that was read from a disk or a link. Nobody reads yet. */
  continueAt(replicationId: string, offset: number): void {
    assert(this.cursors.length === 0, "a log that is read takes no other position");
    this.replicationId = replicationId;
    this.tailOffset = offset;
    this.blocks = [];
    this.marks = [];
    this.cut();
  }

  /** Returns an offset at which the log can be begun (I5): the end, whose next effect says its database and time. */
  cut(): number {
    assert(this.effectCount === 0, "a unit is not cut");
    this.selected = -1;
    this.markedMs = Number.NEGATIVE_INFINITY;
    return this.tailOffset;
  }

  /** Begins to read at the end. */
  openCursor(): LogCursor {
    const cursor = { offset: this.cut() };
    this.cursors.push(cursor);
    this.isRecording = true;
    return cursor;
  }

  closeCursor(cursor: LogCursor): void {
    const index = this.cursors.indexOf(cursor);
    if (index >= 0) this.cursors.splice(index, 1);
    this.isRecording = this.cursors.length > 0;
    this.free();
  }

  /** What lies between `cursor` and the end, in order; valid until the next unit ends. */
  read(cursor: LogCursor): LogPiece[] {
    const pieces: LogPiece[] = [];
    for (const block of this.blocks) {
      if (block.offset + block.usedBytes <= cursor.offset) continue;
      pieces.push({ bytes: block.bytes, start: Math.max(0, cursor.offset - block.offset), end: block.usedBytes });
    }
    return pieces;
  }

  /** The marks from `cursor` on. */
  marksFrom(cursor: LogCursor): readonly LogMark[] {
    const { marks } = this;
    let index = marks.length;
    while (index > 0 && marks[index - 1]!.offset >= cursor.offset) index--;
    return index === 0 ? marks : marks.slice(index);
  }

  /** Everything before `offset` has been read by `cursor`. */
  advance(cursor: LogCursor, offset: number): void {
    assert(offset >= cursor.offset && offset <= this.tailOffset, "a cursor moves forward, within the log");
    cursor.offset = offset;
    this.free();
  }

  /** Bytes of memory that the log holds. */
  memoryBytes(): number {
    let bytes = this.unit.length;
    for (const block of this.blocks) bytes += block.bytes.length;
    return bytes;
  }

  private free(): void {
    let keptOffset = this.tailOffset;
    for (const cursor of this.cursors) keptOffset = Math.min(keptOffset, cursor.offset);
    const { blocks } = this;
    while (blocks.length > 0 && blocks[0]!.offset + blocks[0]!.usedBytes <= keptOffset) {
      const last = blocks[0]!;
      // An empty tail is filled again, unless it was made for one long value.
      if (blocks.length === 1 && last.bytes.length === BLOCK_BYTES) {
        blocks[0] = { bytes: last.bytes, words: last.words, offset: this.tailOffset, usedBytes: 0 };
        break;
      }
      blocks.shift();
    }
    const { marks } = this;
    let readMarks = 0;
    while (readMarks < marks.length && marks[readMarks]!.offset < keptOffset) readMarks++;
    if (readMarks === marks.length) this.marks = [];
    else if (readMarks > 1024) this.marks = marks.slice(readMarks);
  }
}

function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
