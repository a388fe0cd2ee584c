/**
 * Makes chunks of RdbEncoder into the bytes of the file: compresses the strings that were noted, keeps the check sum.
 *
 *      before   [ records ┆ header │ long string ┆ records ]
 *      after    [ records ┆ c3 compressed length, length │ compressed ┆ records ]     only when that is shorter
 *
 *  I1  Chunks come in the order in which they were taken; the sum runs over what finish() returned.
 *  I2  Work is done in place: the chunk only gets shorter.
 *  Source: the format's public descriptions (see rdb-constants.ts).
 */

import { Crc64 } from "../../core/crc64.ts";
import { LzfCompressor } from "../../core/lzf.ts";
import { ENCODING_LZF, LENGTH_ENCODED } from "./rdb-constants.ts";
import { writeLength } from "./rdb-encoder.ts";

export interface RdbFinisherOptions {
  /** rdbcompression */
  readonly compression: boolean;
  /** rdbchecksum */
  readonly checksum: boolean;
}

export class RdbFinisher {
  private readonly options: RdbFinisherOptions;
  private readonly sum: Crc64;
  private readonly compressor: LzfCompressor;
  private readonly lengths: Uint8Array;
  private scratch: Uint8Array;

  constructor(options: RdbFinisherOptions) {
    this.options = options;
    this.sum = new Crc64();
    this.compressor = new LzfCompressor();
    this.lengths = new Uint8Array(24);
    this.scratch = new Uint8Array(4096);
  }

  /**
   * Finishes `chunk[0 ... length)` with `count` notes as RdbChunk has them; returns the bytes to write, a view of `chunk`.
   */
  finish(chunk: Uint8Array, length: number, compressible: Int32Array, count: number): Uint8Array {
    const end = this.options.compression ? this.compress(chunk, length, compressible, count) : length;
    if (this.options.checksum) this.sum.update(chunk, 0, end);
    return chunk.subarray(0, end);
  }

  /** The eight bytes behind the last chunk: the sum, or zeros when none is wanted. */
  trailer(): Uint8Array {
    const bytes = new Uint8Array(8);
    if (this.options.checksum) this.sum.writeDigest(bytes, 0);
    return bytes;
  }

  private compress(chunk: Uint8Array, length: number, notes: Int32Array, count: number): number {
    let from = 0; // bytes below have been handled
    let to = 0;
    for (let note = 0; note < count; note++) {
      const offset = notes[note * 3]!;
      const headerBytes = notes[note * 3 + 1]!;
      const stringBytes = notes[note * 3 + 2]!;
      if (this.scratch.length < stringBytes) this.scratch = new Uint8Array(stringBytes * 2);
      const compressed = this.compressor.compress(
        chunk,
        offset + headerBytes,
        stringBytes,
        this.scratch,
        0,
        stringBytes - 4,
      );
      if (compressed === 0) continue;
      const lengths = this.lengths;
      let lengthBytes = writeLength(lengths, 0, compressed);
      lengthBytes = writeLength(lengths, lengthBytes, stringBytes);
      if (1 + lengthBytes + compressed >= headerBytes + stringBytes) continue;
      to = moveDown(chunk, from, offset, to);
      chunk[to++] = LENGTH_ENCODED | ENCODING_LZF;
      for (let index = 0; index < lengthBytes; index++) chunk[to++] = lengths[index]!;
      chunk.set(this.scratch.subarray(0, compressed), to);
      to += compressed;
      from = offset + headerBytes + stringBytes;
    }
    return moveDown(chunk, from, length, to);
  }
}

/** Moves chunk[from ... end) down to `to`; returns the position behind it. */
function moveDown(chunk: Uint8Array, from: number, end: number, to: number): number {
  if (from !== to) chunk.copyWithin(to, from, end);
  return to + end - from;
}
