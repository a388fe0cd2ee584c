/** What is wrong with a file: in plain words, where, and what to do about it. */

export interface Problem {
  /** Path of the file that is damaged, missing or in the way. */
  readonly path: string;
  /** Byte offset in it; NaN where none is meant. */
  readonly offset: number;
  /** Bytes from the start of the file that are whole; NaN where that means nothing. */
  readonly wholeBytes: number;
  /** What was being read, as a noun: "key", "listpack", "command"; "" where nothing was. */
  readonly reading: string;
  /** The key whose value was being read, undefined outside of one. */
  readonly key: Uint8Array | undefined;
  /** What is wrong, as a sentence without its end. */
  readonly message: string;
  /** What to do, as a sentence; "" where nothing helps. */
  readonly advice: string;
  /** It is a torn tail of the last increment: `check --fix` can cut it off. */
  readonly isTornTail: boolean;
}

export type ProblemParts = Partial<Problem> & Pick<Problem, "path" | "message">;

/** A problem of which only some things are known. */
export function problemOf(parts: ProblemParts): Problem {
  return {
    offset: Number.NaN,
    wholeBytes: Number.NaN,
    reading: "",
    key: undefined,
    advice: "",
    isTornTail: false,
    ...parts,
  };
}
