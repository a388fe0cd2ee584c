/** What commands on streams keep while they run: made once, so that none of them allocates. */

import { ID_TEXT_MAX, ID_WORDS, makeId, type StreamId, writeIdMs, writeIdSequence } from "./stream-id.ts";
import type { Trimming } from "./streams.ts";

/** Ids in a row. */
export class IdList {
  count: number;
  private words: Uint32Array;

  constructor() {
    this.count = 0;
    this.words = new Uint32Array(64 * ID_WORDS);
  }

  clear(): void {
    this.count = 0;
  }

  push(id: StreamId): void {
    const at = this.count * ID_WORDS;
    if (at === this.words.length) {
      const longer = new Uint32Array(at * 2);
      longer.set(this.words);
      this.words = longer;
    }
    for (let word = 0; word < ID_WORDS; word++) this.words[at + word] = id[word]!;
    this.count++;
  }

  read(index: number, into: StreamId): void {
    const at = index * ID_WORDS;
    for (let word = 0; word < ID_WORDS; word++) into[word] = this.words[at + word]!;
  }
}

export class StreamRegisters {
  readonly id: StreamId;
  readonly lastId: StreamId;
  readonly from: StreamId;
  readonly to: StreamId;
  readonly ids: IdList;
  readonly goneIds: IdList;
  /** The text of one id, and how much of it are the milliseconds and the sign behind them, whose words are kept. */
  readonly text: Uint8Array;
  private textMsLength: number;
  private textMsHigh: number;
  private textMsLow: number;
  readonly trimming: Trimming;
  /** Points in a reply (ReplyMark): of the whole, of a part. */
  readonly outerMark: { partCount: number; position: number };
  readonly innerMark: { partCount: number; position: number };

  constructor() {
    this.id = makeId();
    this.lastId = makeId();
    this.from = makeId();
    this.to = makeId();
    this.ids = new IdList();
    this.goneIds = new IdList();
    this.text = new Uint8Array(ID_TEXT_MAX);
    this.textMsLength = 0;
    this.textMsHigh = 0;
    this.textMsLow = 0;
    this.trimming = { isByLength: false, lengthMax: 0, idMin: makeId(), isApproximate: false, limit: 0 };
    this.outerMark = { partCount: 0, position: 0 };
    this.innerMark = { partCount: 0, position: 0 };
  }

  /** Makes `text` that of `id`; returns its length. Ids of one millisecond often follow each other. hot path */
  writeText(id: StreamId): number {
    const { text } = this;
    const high = id[0]!;
    const low = id[1]!;
    if (high !== this.textMsHigh || low !== this.textMsLow || this.textMsLength === 0) {
      this.textMsLength = writeIdMs(text, 0, id);
      this.textMsHigh = high;
      this.textMsLow = low;
    }
    return writeIdSequence(text, this.textMsLength, id);
  }
}
