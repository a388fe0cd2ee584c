/**
 * What a client has queued since MULTI, as bytes: no object exists per argument.
 *
 *      commands   [ SET      ][ INCR  ]           the table's own entries
 *      shapes     [ 3  3 1 2 ][ 2  4 1]           number of arguments, then the length of each
 *      bytes      S E T k 4 2  I N C R k          the arguments themselves, one behind the other
 *                              ▲ EXEC reads from here on
 *
 *  I1  `commands`, `shapes` and `bytes` hold the same requests in the order in which they came.
 *  I2  What `load` gave is valid until the transaction ends: nothing is added while EXEC runs.
 */

import type { Request } from "../protocol/request.ts";
import type { Command } from "./command-index.ts";

/** Room that the first request gets. */
const FIRST_BYTES = 256;
const FIRST_SHAPES = 32;
/** A large queue grows by this much, a smaller one doubles. */
const GROWTH_BYTES_MAX = 64 << 20;
/** Positions within a request are signed 32-bit numbers. */
export const QUEUE_BYTES_MAX = 0x7fffffff;

export class Transaction {
  readonly commands: Command[];
  /** Something was refused since MULTI: EXEC will do nothing. */
  isAborted: boolean;
  /** EXEC has begun, and waits for one of its commands. */
  isExecuting: boolean;
  /** Flags that any of the commands has. */
  flagsOfAny: number;
  /** Flags that all of them have. */
  flagsOfAll: number;

  private shapes: Int32Array;
  private shapeCount: number;
  private bytes: Uint8Array;
  private usedBytes: number;
  /** Where EXEC stands. */
  private nextCommand: number;
  private nextShape: number;
  private nextByte: number;

  constructor() {
    this.commands = [];
    this.isAborted = false;
    this.isExecuting = false;
    this.flagsOfAny = 0;
    this.flagsOfAll = -1;
    this.shapes = new Int32Array(0);
    this.shapeCount = 0;
    this.bytes = new Uint8Array(0);
    this.usedBytes = 0;
    this.nextCommand = 0;
    this.nextShape = 0;
    this.nextByte = 0;
  }

  /** Bytes of all arguments. */
  get argumentBytes(): number {
    return this.usedBytes;
  }

  /** Bytes of those arguments that EXEC has come to. */
  get executedBytes(): number {
    return this.nextByte;
  }

  /** Bytes of memory that the queue takes. */
  get memoryBytes(): number {
    return this.bytes.length + this.shapes.byteLength + this.commands.length * 8;
  }

  /** Queues `request`, whose arguments take `requestBytes` at most. The caller has checked QUEUE_BYTES_MAX. */
  add(command: Command, request: Request, requestBytes: number): void {
    const count = request.count;
    this.reserve(count + 1, requestBytes);
    const { input, offset, length } = request;
    const { shapes, bytes } = this;
    let shape = this.shapeCount;
    let at = this.usedBytes;
    shapes[shape++] = count;
    for (let index = 0; index < count; index++) {
      const start = offset[index]!;
      const size = length[index]!;
      shapes[shape++] = size;
      if (size < 32) for (let each = 0; each < size; each++) bytes[at + each] = input[start + each]!;
      else bytes.set(input.subarray(start, start + size), at);
      at += size;
    }
    this.shapeCount = shape;
    this.usedBytes = at;
    this.commands.push(command);
    this.flagsOfAny |= command.flagBits;
    this.flagsOfAll &= command.flagBits;
  }

  /** Forgets everything and keeps the memory, for a next queue. */
  clear(): void {
    this.commands.length = 0;
    this.isAborted = false;
    this.isExecuting = false;
    this.flagsOfAny = 0;
    this.flagsOfAll = -1;
    this.shapeCount = 0;
    this.usedBytes = 0;
    this.nextCommand = 0;
    this.nextShape = 0;
    this.nextByte = 0;
  }

  /** Whether there is a command that EXEC has not come to. */
  hasNext(): boolean {
    return this.nextCommand < this.commands.length;
  }

  /** Puts the next request into `request` and returns its command. hot path */
  load(request: Request): Command {
    const shapes = this.shapes;
    let shape = this.nextShape;
    const count = shapes[shape++]!;
    if (count > request.offset.length) request.reserve(count);
    const { offset, length } = request;
    let at = this.nextByte;
    for (let index = 0; index < count; index++) {
      const size = shapes[shape++]!;
      offset[index] = at;
      length[index] = size;
      at += size;
    }
    request.input = this.bytes;
    request.count = count;
    this.nextShape = shape;
    this.nextByte = at;
    return this.commands[this.nextCommand++]!;
  }

  private reserve(shapes: number, bytes: number): void {
    if (this.shapeCount + shapes > this.shapes.length) {
      const larger = new Int32Array(Math.max(this.shapeCount + shapes, this.shapes.length * 2, FIRST_SHAPES));
      larger.set(this.shapes.subarray(0, this.shapeCount));
      this.shapes = larger;
    }
    const needed = this.usedBytes + bytes;
    if (needed <= this.bytes.length) return;
    const wanted = Math.max(this.bytes.length + Math.min(this.bytes.length, GROWTH_BYTES_MAX), FIRST_BYTES);
    const larger = new Uint8Array(Math.max(needed, wanted));
    larger.set(this.bytes.subarray(0, this.usedBytes));
    this.bytes = larger;
  }
}
