/**
 * The CSV of `everkey inspect`: one line a key, written while the file is read.
 *
 *      database,key,type,encoding,elements,bytes,expire_at_ms
 *      0,user:42,hash,listpack,5,120,1700000000000
 *      0,"a,b",string,int,1,9,                                 quotes where the key needs them; no time: it stays
 *
 *  I1  A key stands there with exactly its bytes, also where they are no text.
 *  Source: RFC 4180, with \n as line end.
 */

import { writeInt64Digits } from "../core/numbers.ts";
import { FORM_COUNT, formName } from "../persistence/inspection/rdb-forms.ts";
import type { PassingKey } from "../persistence/inspection/rdb-inspection.ts";

const CHUNK_BYTES = 1 << 16;
/** Room for everything in a line but the key. */
const LINE_BYTES = 128;
const QUOTE = 34;
const COMMA = 44;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export class CsvWriter {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly names: Uint8Array[];
  private buffer: Uint8Array;
  private used: number;

  /** `write` takes the bytes at once, or copies them. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
    this.names = [];
    for (let form = 0; form < FORM_COUNT; form++) {
      const { type, encoding } = formName(form);
      this.names.push(Buffer.from(`,${type},${encoding},`));
    }
    this.buffer = new Uint8Array(CHUNK_BYTES);
    this.used = 0;
    this.text(Buffer.from("database,key,type,encoding,elements,bytes,expire_at_ms\n"));
  }

  /** hot path */
  add({ database, keyBytes, keyLength, form, elements, bytes, expireAtMs }: PassingKey): void {
    // Each byte of a key may become two.
    this.reserve(LINE_BYTES + keyLength * 2);
    this.number(database);
    this.buffer[this.used++] = COMMA;
    this.key(keyBytes, keyLength);
    this.text(this.names[form]!);
    this.number(elements);
    this.buffer[this.used++] = COMMA;
    this.number(bytes);
    this.buffer[this.used++] = COMMA;
    if (expireAtMs >= 0) this.number(expireAtMs);
    this.buffer[this.used++] = LINE_FEED;
  }

  /** Writes what is left. */
  end(): void {
    if (this.used > 0) this.write(this.buffer.slice(0, this.used));
    this.used = 0;
  }

  private reserve(count: number): void {
    if (this.used + count <= this.buffer.length) return;
    this.end();
    if (count > this.buffer.length) this.buffer = new Uint8Array(count);
  }

  private number(value: number): void {
    this.used = writeInt64Digits(this.buffer, this.used, value);
  }

  private text(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) this.buffer[this.used++] = bytes[index]!;
  }

  private key(bytes: Uint8Array, length: number): void {
    const { buffer } = this;
    let needsQuotes = false;
    for (let index = 0; index < length && !needsQuotes; index++) {
      const byte = bytes[index]!;
      needsQuotes = byte === QUOTE || byte === COMMA || byte === LINE_FEED || byte === CARRIAGE_RETURN;
    }
    let used = this.used;
    if (needsQuotes) buffer[used++] = QUOTE;
    for (let index = 0; index < length; index++) {
      const byte = bytes[index]!;
      if (byte === QUOTE) buffer[used++] = QUOTE;
      buffer[used++] = byte;
    }
    if (needsQuotes) buffer[used++] = QUOTE;
    this.used = used;
  }
}
