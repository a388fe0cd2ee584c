/**
 * What DUMP gives and RESTORE takes: one value in RDB form with a footer.
 *
 *      type:1  value...  version:2 (lowest byte first)  CRC-64 of all before:8 (lowest byte first)
 *
 *  I1  A payload is good when its version is one that is read and its sum is right, or is not looked at.
 *  Source: behaviour of redis-server 7.0 (DUMP, RESTORE, DEBUG SET-SKIP-CHECKSUM-VALIDATION).
 */

import { Crc64 } from "../../core/crc64.ts";
import { RDB_VERSION_MAX, RDB_VERSION_WRITTEN, rdbTypeName, TYPE_STRING } from "./rdb-constants.ts";
import { RdbInput } from "./rdb-input.ts";
import { readValue } from "./rdb-values.ts";
import type { ValueVisitor } from "./value-visitor.ts";

export const DUMP_FOOTER_BYTES = 10;

/** Writes the footer for `bytes[start ... end)` behind it; the caller has left DUMP_FOOTER_BYTES. Returns the new end. */
export function writeDumpFooter(bytes: Uint8Array, start: number, end: number): number {
  bytes[end] = RDB_VERSION_WRITTEN;
  bytes[end + 1] = 0;
  const sum = new Crc64();
  sum.update(bytes, start, end + 2);
  sum.writeDigest(bytes, end + 2);
  return end + DUMP_FOOTER_BYTES;
}

/** Whether `bytes[start ... start+length)` ends in a footer that RESTORE accepts. */
export function isDumpPayload(bytes: Uint8Array, start: number, length: number, skipChecksum: boolean): boolean {
  if (length < DUMP_FOOTER_BYTES) return false;
  const footer = start + length - DUMP_FOOTER_BYTES;
  if ((bytes[footer]! | (bytes[footer + 1]! << 8)) > RDB_VERSION_MAX) return false;
  if (skipChecksum) return true;
  const sum = new Crc64();
  sum.update(bytes, start, footer + 2);
  return sum.equalsDigest(bytes, footer + 2);
}

/** The value inside of a payload whose footer was accepted. Methods throw RdbFault ("Bad data format" for RESTORE). */
export class DumpPayload {
  /** RDB type of the value (TYPE_...). */
  readonly type: number;
  stringBytes: Uint8Array;
  stringStart: number;
  stringLength: number;

  private readonly input: RdbInput;

  constructor(bytes: Uint8Array, start: number, length: number) {
    this.input = RdbInput.fromBytes(bytes, start, start + length - DUMP_FOOTER_BYTES);
    this.input.reading = "type";
    this.type = this.input.byte();
    this.stringBytes = bytes;
    this.stringStart = 0;
    this.stringLength = 0;
    if (rdbTypeName(this.type) === undefined) throw this.input.fault(`type ${this.type} is unknown`);
  }

  get isString(): boolean {
    return this.type === TYPE_STRING;
  }

  /** The value of TYPE_STRING, to stringBytes. */
  readString(): void {
    this.input.reading = "string";
    this.input.string();
    this.stringBytes = this.input.stringBytes;
    this.stringStart = this.input.stringStart;
    this.stringLength = this.input.stringLength;
  }

  /** The value of any other type. Bytes behind it are ignored, as the real server does. */
  readValue(visitor: ValueVisitor): void {
    readValue(this.input, this.type, visitor);
  }
}
