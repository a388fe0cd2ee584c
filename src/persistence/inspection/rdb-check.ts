/**
 * Whether an RDB file is whole: every value is decoded completely and built as a load would build it, then thrown away.
 *
 *      RdbReader ─► value ─► ValueBuilder in a scratch keyspace ─► abandon        one value at a time, whatever the file's size
 *
 *  I1  What a load refuses is a problem here, but for keys that stand twice (nobody keeps all keys) and for what is whole
 *      and only not for this server: modules and fields that expire are notes.
 *  Source: SnapshotLoader, whose rules these are.
 */

import type { DiskFile, Random } from "../../core/host.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { TYPE_MODULE, TYPE_MODULE_OLD, TYPE_STRING } from "../../history/formats/rdb-constants.ts";
import { RdbFault } from "../../history/formats/rdb-fault.ts";
import {
  RdbReader,
  RECORD_AUX,
  RECORD_END,
  RECORD_FUNCTION,
  RECORD_KEY,
  RECORD_MODULE_AUX,
} from "../../history/formats/rdb-reader.ts";
import { Keyspace } from "../../store/keyspace/keyspace.ts";
import type { LogPosition } from "./aof-inspection.ts";
import { LenientBuilder } from "./memory-meter.ts";
import type { Problem } from "./problem.ts";
import { problemOfRdb } from "./rdb-inspection.ts";

const SUM_BYTES = 8;
/** Since this version a file ends in a check sum. */
const SUM_SINCE_VERSION = 5;

export interface RdbCheck {
  version: number;
  keys: number;
  expiring: number;
  functionLibraries: number;
  /** "none": the file carries none. "unknown": its end was not reached. */
  checksum: "right" | "wrong" | "none" | "unknown";
  /** Of the state in the log, undefined when the file does not say. */
  position: LogPosition | undefined;
  /** Bytes that are RDB. */
  bytes: number;
  problem: Problem | undefined;
  readonly notes: string[];
}

/** Reads the RDB part of `file`, which stands at its start, to its end or to the first damage. Throws DiskFault. */
export function checkRdb(file: DiskFile, random: Random): RdbCheck {
  const result: RdbCheck = {
    version: 0,
    keys: 0,
    expiring: 0,
    functionLibraries: 0,
    checksum: "unknown",
    position: undefined,
    bytes: 0,
    problem: undefined,
    notes: [],
  };
  const reader = new RdbReader(file, { totalBytes: file.size(), verifyChecksum: true });
  const builder = new LenientBuilder(new Keyspace(new KeyHash(random.uint32(), random.uint32()), 1));
  const modules = new Set<string>();
  const producer = new Map<string, string>();
  let moduleValues = 0;
  let wholeBytes = 0;
  try {
    reader.readHeader();
    result.version = reader.version;
    for (let record = reader.next(); record !== RECORD_END; record = reader.next()) {
      if (record === RECORD_KEY) {
        if (reader.type === TYPE_MODULE || reader.type === TYPE_MODULE_OLD) moduleValues++;
        checkKey(reader, builder);
        result.keys++;
        if (reader.expireAtMs >= 0) result.expiring++;
      } else if (record === RECORD_AUX) producer.set(reader.auxName, reader.auxValue);
      else if (record === RECORD_FUNCTION) result.functionLibraries++;
      else if (record === RECORD_MODULE_AUX) modules.add(reader.auxName);
      wholeBytes = reader.offset();
    }
    result.checksum = sumOf(file, reader);
  } catch (error) {
    if (!(error instanceof RdbFault)) throw error;
    if (error.reading === "check sum" && reader.offset() === error.offset + SUM_BYTES) result.checksum = "wrong";
    result.problem = problemOfRdb(file.path, error, wholeBytes);
  }
  result.bytes = reader.offset();
  const replicationId = producer.get("repl-id");
  const offset = Number(producer.get("repl-offset") ?? Number.NaN);
  if (replicationId !== undefined && !Number.isNaN(offset)) result.position = { replicationId, offset };
  addNotes(result, file.path, moduleValues, modules, builder.expiringFields);
  return result;
}

function checkKey(reader: RdbReader, builder: LenientBuilder): void {
  if (reader.type === TYPE_STRING) {
    reader.readString();
    return;
  }
  if (reader.type === TYPE_MODULE || reader.type === TYPE_MODULE_OLD) {
    reader.skipValue();
    return;
  }
  reader.readValue(builder);
  if (!builder.isWhole()) {
    const key = Buffer.from(reader.keyBytes.buffer, reader.keyBytes.byteOffset, Math.min(reader.keyLength, 128));
    builder.abandon();
    throw new RdbFault(reader.offset(), "value", "a pending entry belongs to no consumer").withKey(
      key.toString("latin1"),
    );
  }
  builder.abandon();
}

function sumOf(file: DiskFile, reader: RdbReader): RdbCheck["checksum"] {
  if (reader.version < SUM_SINCE_VERSION) return "none";
  const sum = new Uint8Array(SUM_BYTES);
  file.readAt(sum, 0, SUM_BYTES, reader.offset() - SUM_BYTES);
  return sum.some((byte) => byte !== 0) ? "right" : "none";
}

function addNotes(
  result: RdbCheck,
  path: string,
  moduleValues: number,
  modules: ReadonlySet<string>,
  expiringFields: number,
): void {
  const { notes } = result;
  if (result.checksum === "none") {
    notes.push(`${path} carries no check sum: a byte that has changed inside of a string would not be seen.`);
  }
  if (moduleValues > 0) notes.push(`${path} holds ${moduleValues} values of modules, which Everkey cannot load.`);
  if (modules.size > 0)
    notes.push(`${path} holds data of modules, which Everkey cannot load: ${[...modules].join(", ")}.`);
  if (expiringFields > 0) {
    notes.push(`${path} holds ${expiringFields} fields of hashes that expire (Redis 7.4), which Everkey cannot load.`);
  }
}
