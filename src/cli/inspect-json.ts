/**
 * The JSON of `everkey inspect` and `everkey check`: a stable shape, described in docs/inspect.md.
 *
 *  I1  Fields are added, never renamed or removed. What is unknown is null.
 *  I2  A key that is no text has `keyBase64` besides `key`, which shows it as a person reads it.
 */

import type { AofInspection, LogPosition } from "../persistence/inspection/aof-inspection.ts";
import type { FileInspection, Inspection } from "../persistence/inspection/inspection.ts";
import type { PlacedFile } from "../persistence/inspection/places.ts";
import type { Problem } from "../persistence/inspection/problem.ts";
import {
  type FormCounts,
  groupForms,
  type KeyCounts,
  type RdbInspection,
} from "../persistence/inspection/rdb-inspection.ts";
import { isoTime, isUtf8, printable } from "./output.ts";

/** Names to values, as JSON.stringify takes them. */
type Json = Record<string, unknown>;

/** What the JSON holds. */
export interface JsonOptions {
  readonly prefixesMax: number;
  /** What keys take in memory was measured. */
  readonly hasMemory: boolean;
}

export function inspectionJson({ place, files, problems }: Inspection, options: JsonOptions): Json {
  return {
    path: place.path,
    kind: place.kind,
    isWhole: problems.length === 0,
    files: files.map((file) => fileJson(file, options)),
    problems: problems.map(problemJson),
    notes: place.notes,
  };
}

/** What is known of a file before it is opened. */
export function placedJson({ path, name, role, seq, bytes, modifiedMs }: PlacedFile): Json {
  return { path, name, role, seq: seq || null, bytes: bytes < 0 ? null : bytes, modifiedAt: isoTime(modifiedMs) };
}

function fileJson(file: FileInspection, options: JsonOptions): Json {
  return {
    ...placedJson(file),
    kind: file.kind,
    rdb: file.rdb === undefined ? null : rdbJson(file.rdb, options),
    aof: file.aof === undefined ? null : aofJson(file.aof),
  };
}

function rdbJson(rdb: RdbInspection, { prefixesMax, hasMemory }: JsonOptions): Json {
  const countsJson = (counts: KeyCounts): Json => countsOf(counts, hasMemory);
  const databases = groupForms(rdb.forms, ({ database }) => String(database));
  return {
    version: rdb.version,
    bytes: rdb.bytes,
    producer: Object.fromEntries(rdb.producer),
    position: positionOfRdb(rdb),
    functionLibraries: rdb.functionLibraries,
    moduleData: rdb.moduleData,
    expiringFields: rdb.expiringFields,
    ...countsJson(rdb.total),
    databases: databases.map(({ name, ...counts }) => ({
      database: Number(name),
      ...countsJson(counts),
      types: typesJson(
        rdb.forms.filter(({ database }) => database === Number(name)),
        countsJson,
      ),
    })),
    biggestKeys: rdb.biggest.map(({ key, database, expireAtMs, memoryBytes, ...rest }) => ({
      database,
      ...keyJson(key),
      ...rest,
      memoryBytes: hasMemory ? memoryBytes : null,
      expireAtMs: expireAtMs < 0 ? null : expireAtMs,
    })),
    prefixes: rdb.prefixes.slice(0, prefixesMax).map(({ name, count, bytes, extra }) => ({
      prefix: keyJson(name).key,
      keys: count,
      bytes,
      expiring: extra,
    })),
    otherPrefixes: otherPrefixes(rdb, prefixesMax),
  };
}

/** Keys whose prefix is not named: beyond the first `prefixesMax`, and those that were too many to be told apart. */
export function otherPrefixes(rdb: RdbInspection, prefixesMax: number): { keys: number; bytes: number } {
  let { keys, bytes } = rdb.otherPrefixes;
  for (const prefix of rdb.prefixes.slice(prefixesMax)) {
    keys += prefix.count;
    bytes += prefix.bytes;
  }
  return { keys, bytes };
}

/** The place in the log whose state the file holds, null when it does not say. */
export function positionOfRdb({ producer }: RdbInspection): (LogPosition & { readonly timeMs: number | null }) | null {
  const replicationId = producer.get("repl-id");
  const offset = Number(producer.get("repl-offset") ?? Number.NaN);
  if (replicationId === undefined || Number.isNaN(offset)) return null;
  const timeMs = Number(producer.get("everkey-ms") ?? Number.NaN);
  return { replicationId, offset, timeMs: Number.isNaN(timeMs) ? null : timeMs };
}

function countsOf(counts: KeyCounts, hasMemory: boolean): Json {
  const { keys, elements, bytes, dataBytes, memoryBytes, expiring, expired } = counts;
  return { keys, elements, bytes, dataBytes, memoryBytes: hasMemory ? memoryBytes : null, expiring, expired };
}

function typesJson(forms: readonly FormCounts[], countsJson: (counts: KeyCounts) => Json): Json[] {
  return groupForms(forms, ({ type }) => type).map(({ name, ...counts }) => ({
    type: name,
    ...countsJson(counts),
    encodings: forms
      .filter(({ type }) => type === name)
      .map(({ encoding, ...rest }) => ({ encoding, ...countsJson(rest) })),
  }));
}

function aofJson(aof: AofInspection): Json {
  return {
    from: aof.from,
    wholeBytes: aof.wholeBytes,
    commands: aof.commands,
    transactions: aof.transactions,
    annotations: aof.annotations,
    commandNames: aof.names.map(({ name, count, bytes }) => ({ name: printable(name), count, bytes })),
    databases: [...aof.databases].sort(([a], [b]) => a - b).map(([database, commands]) => ({ database, commands })),
    firstTimeMs: aof.firstTimeMs,
    lastTimeMs: aof.lastTimeMs,
    start: aof.start ?? null,
    end: aof.end ?? null,
    jumps: aof.jumps,
  };
}

export function problemJson(problem: Problem): Json {
  const { path, offset, wholeBytes, reading, key, message, advice, isTornTail } = problem;
  return {
    path,
    offset,
    wholeBytes,
    reading: reading === "" ? null : reading,
    ...(key === undefined ? { key: null } : keyJson(key)),
    message,
    advice: advice === "" ? null : advice,
    isTornTail,
  };
}

/** A key as text, and as base64 when it is none (I2). */
export function keyJson(key: Uint8Array): { key: string; keyBase64?: string } {
  if (isUtf8(key)) return { key: Buffer.from(key).toString("utf8") };
  return { key: printable(key, Number.MAX_SAFE_INTEGER), keyBase64: Buffer.from(key).toString("base64") };
}
