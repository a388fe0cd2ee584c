/**
 * DUMP and RESTORE: one value as bytes that another server understands.
 *
 *      DUMP k ──► type, value as in an RDB file, version, CRC-64 ──► RESTORE k ttl payload
 *
 *  I1  A payload is decoded before anything is changed.
 *  I2  RESTORE with a time that is over only deletes what REPLACE would have replaced.
 *  I3  Long strings are compressed as in an RDB file, whatever rdbcompression says.
 *  Source: replies of redis-server 7.0.
 */

import { DUMP_FOOTER_BYTES, DumpPayload, isDumpPayload, writeDumpFooter } from "../history/formats/dump-payload.ts";
import { RdbEncoder } from "../history/formats/rdb-encoder.ts";
import { RdbFault } from "../history/formats/rdb-fault.ts";
import { RdbFinisher } from "../history/formats/rdb-finisher.ts";
import { ValueBuilder } from "../history/snapshot/value-builder.ts";
import { ValueWriter } from "../history/snapshot/value-writer.ts";
import { BUSY_KEY, ReplyError, SYNTAX } from "../protocol/errors.ts";
import { NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_OVERWRITE, KEY_READ } from "./command.ts";
import { isOver, recordDelete, recordTime } from "./effects.ts";
import { EVENT_GENERIC } from "./events.ts";

const INVALID_TTL = new ReplyError("ERR Invalid TTL value, must be >= 0");
const INVALID_IDLE_TIME = new ReplyError("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQUENCY = new ReplyError("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_PAYLOAD = new ReplyError("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT = new ReplyError("ERR Bad data format");

/** A value of n bytes takes at most this much more in a payload: its type, and lengths. */
const HEAD_BYTES_MAX = 24;
const INT64_LIMIT = 2 ** 63;

function dump(context: CommandContext): void {
  const { request, keyspace, reply } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[1]!, request.length[1]!);
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const writer = new ValueWriter(keyspace);
  // Of a structure the length is not known: its chunk grows.
  const encoder = new RdbEncoder(keyspace.records.valueLength(record) + HEAD_BYTES_MAX);
  encoder.byte(writer.rdbType(record));
  writer.write(encoder, record);
  const chunk = encoder.takeChunk();
  let body = chunk.buffer.subarray(0, chunk.length);
  if (chunk.noteCount > 0) {
    const finisher = new RdbFinisher({ compression: true, checksum: false });
    body = finisher.finish(chunk.buffer, chunk.length, chunk.notes, chunk.noteCount);
  }
  const payload = new Uint8Array(body.length + DUMP_FOOTER_BYTES);
  payload.set(body);
  reply.bulk(payload, 0, writeDumpFooter(payload, 0, body.length));
}

interface RestoreOptions {
  isReplacing: boolean;
  isAbsolute: boolean;
  /** -1 when not given. */
  idleSeconds: number;
  /** -1 when not given. */
  frequency: number;
}

/** Undefined when the options make no sense: the error has been written. */
function readRestoreOptions(context: CommandContext): RestoreOptions | undefined {
  const { request, reply } = context;
  const options: RestoreOptions = { isReplacing: false, isAbsolute: false, idleSeconds: -1, frequency: -1 };
  for (let index = 4; index < request.count; index++) {
    const hasValue = index + 1 < request.count;
    if (request.is(index, "REPLACE")) {
      options.isReplacing = true;
    } else if (request.is(index, "ABSTTL")) {
      options.isAbsolute = true;
    } else if (hasValue && request.is(index, "IDLETIME") && options.frequency === -1) {
      options.idleSeconds = readInteger(context, ++index);
      if (Number.isNaN(options.idleSeconds)) return undefined;
      if (options.idleSeconds >= 0) continue;
      reply.error(INVALID_IDLE_TIME);
      return undefined;
    } else if (hasValue && request.is(index, "FREQ") && options.idleSeconds === -1) {
      options.frequency = readInteger(context, ++index);
      if (Number.isNaN(options.frequency)) return undefined;
      if (options.frequency >= 0 && options.frequency <= 255) continue;
      reply.error(INVALID_FREQUENCY);
      return undefined;
    } else {
      reply.error(SYNTAX);
      return undefined;
    }
  }
  return options;
}

/**
 * The payload of argument 3, its string read, or its elements told to `builder`; undefined when it is none, and the error
 * has been written.
 */
function decode(context: CommandContext, builder: ValueBuilder): DumpPayload | undefined {
  const { request, reply } = context;
  const { input } = request;
  const start = request.offset[3]!;
  const length = request.length[3]!;
  if (!isDumpPayload(input, start, length, context.limits.skipsChecksums === true)) {
    reply.error(BAD_PAYLOAD);
    return undefined;
  }
  try {
    const payload = new DumpPayload(input, start, length);
    if (payload.isString) {
      payload.readString();
      return payload;
    }
    payload.readValue(builder);
    if (!builder.isEmpty() && builder.isWhole()) return payload;
    builder.abandon();
    reply.error(BAD_FORMAT);
  } catch (error) {
    builder.abandon();
    if (!(error instanceof RdbFault)) throw error;
    reply.error(BAD_FORMAT);
  }
  return undefined;
}

function restore(context: CommandContext): void {
  const { request, keyspace, reply, database } = context;
  const { input } = request;
  const keyStart = request.offset[1]!;
  const keyLength = request.length[1]!;
  const options = readRestoreOptions(context);
  if (options === undefined) return;
  if (!options.isReplacing && keyspace.lookupWrite(database, input, keyStart, keyLength) !== 0) {
    reply.error(BUSY_KEY);
    return;
  }
  const time = readInteger(context, 2);
  if (Number.isNaN(time)) return;
  if (time < 0) {
    reply.error(INVALID_TTL);
    return;
  }
  const builder = new ValueBuilder(keyspace);
  const payload = decode(context, builder);
  if (payload === undefined) return;
  const expireAtMs = time === 0 ? NO_EXPIRY : options.isAbsolute ? time : time + keyspace.nowMs;
  // A sum beyond 64 bits lies in the past: Redis adds without looking.
  const isGone = time !== 0 && (isOver(context, expireAtMs) || (!options.isAbsolute && expireAtMs >= INT64_LIMIT));
  if (isGone) {
    builder.abandon();
    if (keyspace.delete(database, input, keyStart, keyLength)) {
      context.changed(EVENT_GENERIC, "del", 1);
      if (context.log.isRecording) recordDelete(context, 1, false);
    }
    reply.ok();
    return;
  }
  const { stringBytes, stringStart, stringLength } = payload;
  const wasThere = options.isReplacing && keyspace.has(database, input, keyStart, keyLength);
  const record = payload.isString
    ? keyspace.setString(database, input, keyStart, keyLength, stringBytes, stringStart, stringLength, expireAtMs)
    : builder.put(database, input, keyStart, keyLength, expireAtMs);
  // Redis deletes and adds: a key that was replaced is a new one.
  if (wasThere) keyspace.onNew?.(database, record);
  const { clock, records } = keyspace;
  if (clock.isFrequency && options.frequency >= 0) {
    records.setAccess(record, clock.accessForFrequency(options.frequency));
  } else if (!clock.isFrequency && options.idleSeconds >= 0) {
    records.setAccess(record, clock.accessForIdle(options.idleSeconds));
  }
  context.changed(EVENT_GENERIC, "restore", 1);
  if (context.log.isRecording && time !== 0 && !options.isAbsolute) recordMoment(context, expireAtMs);
  reply.ok();
}

/** The request with a moment in place of the time to live, and ABSTTL. */
function recordMoment(context: CommandContext, expireAtMs: number): void {
  const { log, request, database } = context;
  log.begin(database.index, request.count + 1);
  for (let index = 0; index < request.count; index++) {
    if (index === 2) recordTime(context, expireAtMs);
    else log.argument(request, index);
  }
  log.word("ABSTTL");
}

export const DUMP_COMMANDS: CommandTable = {
  DUMP: {
    arity: 2,
    flags: ["readonly"],
    acl: ["keyspace"],
    keys: KEY_READ,
    since: "2.6.0",
    group: "generic",
    complexity: "O(N) where N is the number of bytes of the value.",
    summary: "Returns the value of a key in the form that RESTORE takes.",
    arguments: "key",
    tips: ["nondeterministic_output"],
    run: dump,
  },
  RESTORE: {
    arity: -4,
    flags: ["write", "denyoom"],
    acl: ["keyspace", "dangerous"],
    keys: KEY_OVERWRITE,
    since: "2.6.0",
    group: "generic",
    complexity: "O(N) where N is the number of bytes of the value; O(N*log(N)) elements for sorted sets.",
    summary: "Makes a key from what DUMP returned.",
    arguments: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    history: [
      ["3.0.0", "Takes `REPLACE`."],
      ["5.0.0", "Takes `ABSTTL`."],
      ["5.0.0", "Takes `IDLETIME` and `FREQ`."],
    ],
    run: restore,
  },
};
