/**
 * Reads an RDB file record by record: the caller pulls, and nothing is created per key.
 *
 *      next() ── RECORD_KEY ──► type, database, expireAtMs, key...  ──► readString() │ readValue(visitor) │ skipValue()
 *             ── RECORD_AUX ──► auxName, auxValue        RECORD_RESIZE ──► keyCountHint, expireCountHint
 *             ── RECORD_FUNCTION ──► string...           RECORD_END ──► the check sum was right
 *
 *  I1  keyBytes[keyStart ... keyStart + keyLength) stays valid until the next call of next().
 *  I2  stringBytes... stays valid until the next call of next(); key and value stand side by side.
 *  I3  A value that the caller did not read is skipped by next().
 *  I4  Whatever is wrong with the data is an RdbFault; the source's own failures pass through.
 *  Source: the format's public descriptions; files written by real servers.
 */

import type { DiskFile } from "../../core/host.ts";
import * as rdb from "./rdb-constants.ts";
import { RdbFault } from "./rdb-fault.ts";
import { type ByteSource, latin1, RdbInput } from "./rdb-input.ts";
import { readValue, skipModuleData, skipValue } from "./rdb-values.ts";
import type { ValueVisitor } from "./value-visitor.ts";

const SIGNATURE = "REDIS";

export const RECORD_END = 0;
export const RECORD_KEY = 1;
export const RECORD_AUX = 2;
export const RECORD_RESIZE = 3;
export const RECORD_FUNCTION = 4;
/** Data that a module keeps beside the keys; it has been skipped. `auxName` is the module type's name. */
export const RECORD_MODULE_AUX = 5;

export interface RdbReaderOptions {
  /** Size of the whole in bytes, -1 when unknown; makes impossible lengths known early. */
  readonly totalBytes: number;
  /** False: a wrong check sum is accepted, and none is computed. */
  readonly verifyChecksum: boolean;
}

export class RdbReader {
  /** Version of the format, once readHeader has run. */
  version: number;
  type: number;
  database: number;
  /** -1: does not expire. */
  expireAtMs: number;
  /** Seconds since the key was used, -1 when the file does not say. */
  idleSeconds: number;
  /** Logarithmic use counter, -1 when the file does not say. */
  frequency: number;
  keyBytes: Uint8Array;
  readonly keyStart: number = 0;
  keyLength: number;
  stringBytes: Uint8Array;
  stringStart: number;
  stringLength: number;
  auxName: string;
  auxValue: string;
  keyCountHint: number;
  expireCountHint: number;
  /** After RECORD_KEY: byte offset where what belongs to the key begins (its expiry, else its type). */
  recordStart: number;

  private readonly input: RdbInput;
  private readonly verifyChecksum: boolean;
  private hasValueWaiting: boolean;
  private hasKey: boolean;

  constructor(source: ByteSource, options: RdbReaderOptions) {
    this.version = 0;
    this.type = 0;
    this.database = 0;
    this.expireAtMs = -1;
    this.idleSeconds = -1;
    this.frequency = -1;
    this.keyBytes = new Uint8Array(1024);
    this.keyLength = 0;
    this.stringBytes = this.keyBytes;
    this.stringStart = 0;
    this.stringLength = 0;
    this.auxName = "";
    this.auxValue = "";
    this.keyCountHint = 0;
    this.expireCountHint = 0;
    this.recordStart = 0;
    this.input = RdbInput.fromSource(source, options.totalBytes, options.verifyChecksum);
    this.verifyChecksum = options.verifyChecksum;
    this.hasValueWaiting = false;
    this.hasKey = false;
  }

  /** Bytes taken from the source so far that have been used. */
  offset(): number {
    return this.input.offset();
  }

  /** After RECORD_END: bytes that were read ahead and belong to what follows (an AOF with an RDB preamble). */
  unread(): Uint8Array {
    return this.input.unread();
  }

  /** Reads signature and version. Throws RdbFault when this is no RDB file or one that is too new. */
  readHeader(): void {
    const input = this.input;
    input.reading = "header";
    input.raw(9);
    const text = input.text();
    if (!text.startsWith(SIGNATURE)) throw new RdbFault(0, "header", "Wrong signature: this is no RDB file of Redis");
    if (!/^[0-9]{4}$/.test(text.slice(5))) throw new RdbFault(5, "header", "the version is not a number");
    this.version = Number(text.slice(5));
    if (this.version < 1 || this.version > rdb.RDB_VERSION_MAX) {
      throw new RdbFault(5, "header", `Can't handle RDB format version ${this.version}`);
    }
  }

  /** Goes to the next record and returns its kind (RECORD_...). Throws RdbFault. hot path */
  next(): number {
    const input = this.input;
    if (this.hasValueWaiting) this.skipValue();
    this.hasKey = false;
    input.releaseLarge();
    this.expireAtMs = -1;
    this.idleSeconds = -1;
    this.frequency = -1;
    this.recordStart = input.offset();
    while (true) {
      input.reading = "record";
      const type = input.byte();
      if (type < rdb.OPCODE_SLOT_INFO) {
        this.key(type);
        return RECORD_KEY;
      }
      switch (type) {
        case rdb.OPCODE_EXPIRE_MS:
          this.expireAtMs = this.expiry(input.int64());
          break;
        case rdb.OPCODE_EXPIRE_SECONDS:
          this.expireAtMs = this.expiry(input.int32() * 1000);
          break;
        case rdb.OPCODE_FREQ:
          this.frequency = input.byte();
          break;
        case rdb.OPCODE_IDLE:
          this.idleSeconds = input.length();
          break;
        case rdb.OPCODE_SELECT_DB:
          input.reading = "database number";
          this.database = input.length();
          if (this.database > 0x7fffffff) throw input.fault(`database ${this.database} is impossible`);
          this.recordStart = input.offset();
          break;
        case rdb.OPCODE_SLOT_INFO:
          input.reading = "slot";
          for (let index = 0; index < 3; index++) input.length();
          this.recordStart = input.offset();
          break;
        default:
          return this.special(type);
      }
    }
  }

  /** A time before 1970 is long past; -1 would mean "never". */
  private expiry(atMs: number): number {
    return Math.max(0, atMs);
  }

  private key(type: number): void {
    const input = this.input;
    input.reading = "key";
    if (rdb.rdbTypeName(type) === undefined) throw input.fault(`type ${type} is unknown`);
    this.type = type;
    input.string();
    const length = input.stringLength;
    if (length > this.keyBytes.length) this.keyBytes = new Uint8Array(Math.max(length, this.keyBytes.length * 2));
    const keyBytes = this.keyBytes;
    const bytes = input.stringBytes;
    const start = input.stringStart;
    if (length < 48) {
      for (let index = 0; index < length; index++) keyBytes[index] = bytes[start + index]!;
    } else {
      keyBytes.set(bytes.subarray(start, start + length));
    }
    this.keyLength = length;
    this.hasKey = true;
    this.hasValueWaiting = true;
  }

  /** The records that are not keys and not said about a key. */
  private special(type: number): number {
    const input = this.input;
    switch (type) {
      case rdb.OPCODE_AUX:
        input.reading = "auxiliary field";
        input.string();
        this.auxName = input.text();
        input.string();
        this.auxValue = input.text();
        return RECORD_AUX;
      case rdb.OPCODE_RESIZE_DB:
        input.reading = "database size";
        this.keyCountHint = Math.min(input.length(), input.remaining());
        this.expireCountHint = Math.min(input.length(), this.keyCountHint);
        return RECORD_RESIZE;
      case rdb.OPCODE_FUNCTION:
        input.reading = "function library";
        this.takeString();
        return RECORD_FUNCTION;
      case rdb.OPCODE_FUNCTION_OLD:
        input.reading = "function library";
        throw input.fault("function libraries of Redis 7.0's release candidates are not supported");
      case rdb.OPCODE_MODULE_AUX:
        input.reading = "module data";
        this.auxName = rdb.moduleTypeName(input.bigLength());
        if (input.length() !== rdb.MODULE_UNSIGNED) throw input.fault("a module's data does not say when it belongs");
        input.length();
        skipModuleData(input);
        return RECORD_MODULE_AUX;
      default:
        this.end();
        return RECORD_END;
    }
  }

  private end(): void {
    const input = this.input;
    input.reading = "check sum";
    if (this.version < 5) return;
    const sum = input.checksum();
    const at = input.offset();
    const expected = sum?.hexadecimal();
    input.raw(8);
    if (!this.verifyChecksum || sum === undefined) return;
    const bytes = input.stringBytes.subarray(input.stringStart, input.stringStart + 8);
    if (bytes.every((byte) => byte === 0)) return; // written with rdbchecksum no
    const found = Buffer.from(bytes).reverse().toString("hex");
    if (found !== expected) throw new RdbFault(at, "check sum", `it is ${found}, the data gives ${expected}`);
  }

  /** The value of a key of TYPE_STRING, to stringBytes. Throws RdbFault. hot path */
  readString(): void {
    this.hasValueWaiting = false;
    this.input.reading = "string";
    try {
      this.takeString();
    } catch (error) {
      throw this.named(error);
    }
  }

  /**
   * Passes over the value of a key of TYPE_STRING, whatever its size, and says its length in stringLength. True: it is
   * short (64 bytes at most), and its bytes are there as after readString. Throws RdbFault. hot path
   */
  measureString(): boolean {
    this.hasValueWaiting = false;
    const input = this.input;
    input.reading = "string";
    try {
      const isThere = input.measuredString();
      this.stringLength = input.stringLength;
      if (isThere) {
        this.stringBytes = input.stringBytes;
        this.stringStart = input.stringStart;
      }
      return isThere;
    } catch (error) {
      throw this.named(error);
    }
  }

  private takeString(): void {
    const input = this.input;
    input.string();
    this.stringBytes = input.stringBytes;
    this.stringStart = input.stringStart;
    this.stringLength = input.stringLength;
  }

  /** The value of a key of any other type, element by element. Throws RdbFault. */
  readValue(visitor: ValueVisitor): void {
    this.hasValueWaiting = false;
    try {
      readValue(this.input, this.type, visitor);
    } catch (error) {
      throw this.named(error);
    }
  }

  /** Passes over the key's value. Throws RdbFault. */
  skipValue(): void {
    this.hasValueWaiting = false;
    try {
      skipValue(this.input, this.type);
    } catch (error) {
      throw this.named(error);
    }
  }

  private named(error: unknown): unknown {
    if (!(error instanceof RdbFault) || error.key !== undefined || !this.hasKey) return error;
    return error.withKey(latin1(this.keyBytes, 0, Math.min(this.keyLength, 128)));
  }
}

/** Whether a file begins as a snapshot, and not with commands. Throws DiskFault. */
export function startsWithSnapshot(file: DiskFile): boolean {
  const head = new Uint8Array(SIGNATURE.length);
  return file.readAt(head, 0, head.length, 0) === head.length && latin1(head, 0, head.length) === SIGNATURE;
}
