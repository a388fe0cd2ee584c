/**
 * What commands record in place of the request that they came with: the forms that several of them share.
 *
 *      EXPIRE k 10 ──► PEXPIREAT k 1700000010000        GETDEL k ──► DEL k        BLPOP a b 0 ──► LPOP b
 *
 *  I1  Callers ask `log.isRecording` first: nothing here runs while nobody reads the log.
 *  I2  A form is recorded when the change is made, and as a whole: one that failed half-way leaves nothing behind that
 *      could not be read.
 *  I3  Words that a client sent are recorded as it spelled them.
 *  Source: what redis-server 7.0 writes into its append-only file.
 */

import type { CommandContext } from "./command.ts";

/** From here on numbers have no exact neighbours any more; times are cut at 64 bits. */
const INT64_MAX = 2n ** 63n - 1n;

/** An argument: a moment, ms since 1970. One beyond 64 bits, which only rounding makes, is the last one there is. */
export function recordTime({ log }: CommandContext, atMs: number): void {
  if (atMs <= Number.MAX_SAFE_INTEGER) {
    log.integer(atMs);
    return;
  }
  const big = BigInt(atMs);
  log.word(String(big > INT64_MAX ? INT64_MAX : big));
}

/** DEL, or UNLINK, of the key at argument `key`. */
export function recordDelete(context: CommandContext, key: number, isUnlink: boolean): void {
  const { log, request } = context;
  log.begin(context.database.index, 2);
  log.word(isUnlink ? "UNLINK" : "DEL");
  log.argument(request, key);
}

/** `word key`, and `count` behind it when it is above 0. */
export function recordPop(context: CommandContext, word: string, key: number, count: number): void {
  const { log, request } = context;
  log.begin(context.database.index, count > 0 ? 3 : 2);
  log.word(word);
  log.argument(request, key);
  if (count > 0) log.integer(count);
}

/** The request itself, whether or not it counts as a change. */
export function recordRequest({ log, request, database }: CommandContext): void {
  log.verbatim(request, database.index);
  log.skip();
}

/** SET of argument 1 to argument `value`, with a moment when `expireAtMs` is one. */
export function recordSet(context: CommandContext, value: number, expireAtMs: number): void {
  const { log, request } = context;
  const expires = expireAtMs >= 0;
  log.begin(context.database.index, expires ? 5 : 3);
  log.word("SET");
  log.argument(request, 1);
  log.argument(request, value);
  if (!expires) return;
  log.word("PXAT");
  recordTime(context, expireAtMs);
}

/** SET of argument 1 to `text`, its time to live as it is. */
export function recordNumber(context: CommandContext, text: string): void {
  const { log, request } = context;
  log.begin(context.database.index, 4);
  log.word("SET");
  log.argument(request, 1);
  log.word(text);
  log.word("KEEPTTL");
}

/** Whether a key that is to expire at `expireAtMs` has no time at all: while a log is replayed, the log says when it goes. */
export function isOver({ keyspace }: CommandContext, expireAtMs: number): boolean {
  return keyspace.isReplaying ? expireAtMs < 0 : expireAtMs <= keyspace.nowMs;
}
