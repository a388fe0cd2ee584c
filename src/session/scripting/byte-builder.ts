/** Bytes that are put one behind the other: what the libraries of scripts make before it becomes a string of Lua. */

const FIRST_BYTES = 4096;
/** A larger buffer is not kept for the next use. */
const KEPT_BYTES_MAX = 1 << 20;

export class ByteBuilder {
  bytes: Uint8Array;
  length: number;
  private readonly view: DataView;
  private readonly number: Uint8Array;

  constructor() {
    this.bytes = new Uint8Array(FIRST_BYTES);
    this.length = 0;
    this.number = new Uint8Array(8);
    this.view = new DataView(this.number.buffer);
  }

  clear(): void {
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(FIRST_BYTES);
    this.length = 0;
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.length + bytes, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.room(1);
    this.bytes[this.length++] = value;
  }

  text(latin1: string): void {
    this.room(latin1.length);
    for (let index = 0; index < latin1.length; index++) this.bytes[this.length++] = latin1.charCodeAt(index);
  }

  copy(source: Uint8Array, start: number, length: number): void {
    this.room(length);
    this.bytes.set(source.subarray(start, start + length), this.length);
    this.length += length;
  }

  /** The lowest `size` bytes (up to 4) of `value`, highest first. */
  unsigned(value: number, size: number): void {
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) this.byte((value >>> shift) & 0xff);
  }

  /** 8 bytes, highest first. */
  int64(value: bigint): void {
    this.view.setBigInt64(0, BigInt.asIntN(64, value));
    this.copy(this.number, 0, 8);
  }

  /** A number of 4 or 8 bytes in either order. */
  float(value: number, size: 4 | 8, isLittle: boolean): void {
    if (size === 4) this.view.setFloat32(0, value, isLittle);
    else this.view.setFloat64(0, value, isLittle);
    this.copy(this.number, 0, size);
  }
}
