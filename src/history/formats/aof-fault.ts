/** What is wrong with an append-only file, its manifest or its history: where, and how much before it is whole. */

/** "truncated": it ends too early, and what stands before is whole. "format": something else than belongs there. */
export type AofFaultKind = "truncated" | "format";

export class AofFault extends Error {
  override name = "AofFault";
  readonly kind: AofFaultKind;
  /** Bytes from the start of the file: for "truncated" the same as `wholeBytes`, for "format" where the damage begins. */
  readonly position: number;
  /** Length of the part in which every line, command and transaction is complete: what `--fix` keeps. */
  readonly wholeBytes: number;

  constructor(kind: AofFaultKind, position: number, wholeBytes: number, message: string) {
    super(message);
    this.kind = kind;
    this.position = position;
    this.wholeBytes = wholeBytes;
  }
}
