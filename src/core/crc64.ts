/**
 * The 64-bit check sum of RDB files and DUMP payloads: CRC-64 "Jones", reflected, start 0, no final xor.
 *
 *      eight bytes   b0 b1 b2 b3 b4 b5 b6 b7       the running sum is xored into them first
 *      tables        T7 T6 T5 T4 T3 T2 T1 T0       new sum = T7[b0] ^ T6[b1] ^ ... ^ T0[b7]
 *
 *  I1  The sum of "123456789" is e9c6d914c4b8d9ca.
 *  I2  Updating with a and then b is the same as updating once with ab.
 *  Source: polynomial ad93d23594c935a9 (D. Jones); slicing-by-8 (Kounavis, Berry 2005); byte order: redis-check-rdb.
 */

// The polynomial with its bits reversed: 95ac9329ac4bc9b5.
const POLYNOMIAL_LOW = 0xac4bc9b5 | 0;
const POLYNOMIAL_HIGH = 0x95ac9329 | 0;

/** Eight tables of 256 entries of two cells: low half, high half. Built once, never changed. */
const TABLES: Int32Array = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 512);
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        low ^= POLYNOMIAL_LOW;
        high ^= POLYNOMIAL_HIGH;
      }
    }
    tables[byte * 2] = low;
    tables[byte * 2 + 1] = high;
  }
  for (let at = 512; at < tables.length; at += 2) {
    const low = tables[at - 512]!;
    const high = tables[at - 511]!;
    const next = (low & 0xff) * 2;
    tables[at] = ((low >>> 8) | (high << 24)) ^ tables[next]!;
    tables[at + 1] = (high >>> 8) ^ tables[next + 1]!;
  }
  return tables;
}

/** Below this a view of 32-bit cells costs more than it saves. */
const WORDS_FROM_BYTES = 64;

export class Crc64 {
  /** Lower half of the sum as a signed 32-bit number. */
  low: number;
  /** Upper half of the sum as a signed 32-bit number. */
  high: number;

  constructor() {
    this.low = 0;
    this.high = 0;
  }

  reset(): void {
    this.low = 0;
    this.high = 0;
  }

  /** Takes in `bytes[start ... end)`. hot path */
  update(bytes: Uint8Array, start: number, end: number): void {
    if (end - start >= WORDS_FROM_BYTES) {
      const skip = (4 - ((bytes.byteOffset + start) & 3)) & 3;
      this.single(bytes, start, start + skip);
      start += skip;
      const blockCount = (end - start) >>> 3;
      this.words(new Int32Array(bytes.buffer, bytes.byteOffset + start, blockCount * 2));
      start += blockCount * 8;
    }
    this.single(bytes, start, end);
  }

  private single(bytes: Uint8Array, start: number, end: number): void {
    const tables = TABLES;
    let low = this.low;
    let high = this.high;
    for (let at = start; at < end; at++) {
      const entry = ((low ^ bytes[at]!) & 0xff) << 1;
      low = ((low >>> 8) | (high << 24)) ^ tables[entry]!;
      high = (high >>> 8) ^ tables[entry | 1]!;
    }
    this.low = low;
    this.high = high;
  }

  private words(words: Int32Array): void {
    const tables = TABLES;
    let low = this.low;
    let high = this.high;
    for (let at = 0; at < words.length; at += 2) {
      const first = low ^ words[at]!;
      const second = high ^ words[at + 1]!;
      const b0 = 3584 + ((first << 1) & 0x1fe);
      const b1 = 3072 + ((first >>> 7) & 0x1fe);
      const b2 = 2560 + ((first >>> 15) & 0x1fe);
      const b3 = 2048 + ((first >>> 23) & 0x1fe);
      const b4 = 1536 + ((second << 1) & 0x1fe);
      const b5 = 1024 + ((second >>> 7) & 0x1fe);
      const b6 = 512 + ((second >>> 15) & 0x1fe);
      const b7 = (second >>> 23) & 0x1fe;
      low =
        tables[b0]! ^ tables[b1]! ^ tables[b2]! ^ tables[b3]! ^ tables[b4]! ^ tables[b5]! ^ tables[b6]! ^ tables[b7]!;
      high =
        tables[b0 + 1]! ^
        tables[b1 + 1]! ^
        tables[b2 + 1]! ^
        tables[b3 + 1]! ^
        tables[b4 + 1]! ^
        tables[b5 + 1]! ^
        tables[b6 + 1]! ^
        tables[b7 + 1]!;
    }
    this.low = low;
    this.high = high;
  }

  /** Writes the sum as eight bytes, lowest first, at `target[at]`. */
  writeDigest(target: Uint8Array, at: number): void {
    for (let index = 0; index < 4; index++) {
      target[at + index] = this.low >>> (8 * index);
      target[at + 4 + index] = this.high >>> (8 * index);
    }
  }

  /** Whether the eight bytes at `bytes[at]` hold the sum. */
  equalsDigest(bytes: Uint8Array, at: number): boolean {
    for (let index = 0; index < 4; index++) {
      if (bytes[at + index] !== ((this.low >>> (8 * index)) & 0xff)) return false;
      if (bytes[at + 4 + index] !== ((this.high >>> (8 * index)) & 0xff)) return false;
    }
    return true;
  }

  /** The sum as 16 hexadecimal digits, highest first, for messages. */
  hexadecimal(): string {
    const halves = [this.high, this.low];
    return halves.map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
