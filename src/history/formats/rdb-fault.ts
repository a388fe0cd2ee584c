/** What is wrong with an RDB file or a DUMP payload: where, while reading what, under which key. */

export class RdbFault extends Error {
  override name = "RdbFault";
  /** Byte offset from the start of the file or payload. */
  readonly offset: number;
  /** What was being read, as a noun: "key", "listpack". */
  readonly reading: string;
  /** What is wrong, as a sentence without its end. */
  readonly reason: string;
  /** The key as latin1 text, undefined outside of a key's value. */
  key: string | undefined;

  constructor(offset: number, reading: string, reason: string) {
    super("");
    this.offset = offset;
    this.reading = reading;
    this.reason = reason;
    this.key = undefined;
    this.message = `offset ${offset}, reading ${reading}: ${reason}`;
  }

  /** Adds the key once it is known. */
  withKey(key: string): this {
    this.key = key;
    this.message = `offset ${this.offset}, reading ${this.reading} of key ${JSON.stringify(key)}: ${this.reason}`;
    return this;
  }
}
