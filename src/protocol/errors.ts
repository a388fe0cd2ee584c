/**
 * Catalogue of reply errors whose text never changes, as bytes that were built once.
 * Texts are the ones that Redis 7.2 sends; clients match on the first word.
 */

export class ReplyError {
  /** Whole text, code first. */
  readonly text: string;
  /** The first word, under which INFO errorstats counts it. */
  readonly code: string;
  /** As it goes over the wire: `-text\r\n`. */
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.text = text;
    this.code = text.split(" ", 1)[0]!;
    this.bytes = new TextEncoder().encode(`-${text}\r\n`);
  }
}

export const WRONG_TYPE = new ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value");
export const SYNTAX = new ReplyError("ERR syntax error");
export const NOT_AN_INTEGER = new ReplyError("ERR value is not an integer or out of range");
export const NOT_A_FLOAT = new ReplyError("ERR value is not a valid float");
export const NO_SUCH_KEY = new ReplyError("ERR no such key");
export const SAME_OBJECT = new ReplyError("ERR source and destination objects are the same");
export const DB_INDEX_OUT_OF_RANGE = new ReplyError("ERR DB index is out of range");
export const OUT_OF_MEMORY = new ReplyError("OOM command not allowed when used memory > 'maxmemory'.");
export const LOADING = new ReplyError("LOADING Redis is loading the dataset in memory");
export const NO_AUTH = new ReplyError("NOAUTH Authentication required.");
export const BUSY_KEY = new ReplyError("BUSYKEY Target key name already exists.");
export const STRING_TOO_LONG = new ReplyError("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
export const TIMEOUT_OUT_OF_RANGE = new ReplyError("ERR timeout is out of range");
export const OFFSET_OUT_OF_RANGE = new ReplyError("ERR offset is out of range");
export const WOULD_OVERFLOW = new ReplyError("ERR increment or decrement would overflow");
export const NAN_OR_INFINITY = new ReplyError("ERR increment would produce NaN or Infinity");
export const MISCONFIGURED = new ReplyError(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
);
