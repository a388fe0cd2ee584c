/**
 * What is in an RDB file, counted while it passes by: nothing is kept of a key but numbers, whatever the file's size.
 *
 *      file ─► RdbReader ─► key ─┬─► tallies by database and form
 *                                ├─► biggest keys (N of them)
 *                                ├─► prefixes (a bounded table)
 *                                └─► onKey: a line of --csv
 *
 *  I1  What was counted before the place of a damage is told together with the damage.
 *  I2  Memory: the reader's buffer, the tables, and the largest element of a collection; a string is passed over.
 *  Source: records as rdb-reader.ts tells them.
 */

import type { DiskFile } from "../../core/host.ts";
import { TYPE_MODULE, TYPE_STRING } from "../../history/formats/rdb-constants.ts";
import { RdbFault } from "../../history/formats/rdb-fault.ts";
import {
  RdbReader,
  RECORD_AUX,
  RECORD_END,
  RECORD_FUNCTION,
  RECORD_KEY,
  RECORD_MODULE_AUX,
} from "../../history/formats/rdb-reader.ts";
import { BiggestKeys, type BigKey } from "./biggest-keys.ts";
import type { MemoryMeter } from "./memory-meter.ts";
import { type NameCount, NameTable } from "./name-table.ts";
import { type Problem, problemOf } from "./problem.ts";
import { FORM_COUNT, formName, formOfString, formOfType } from "./rdb-forms.ts";
import { ValueCounter } from "./value-counter.ts";

/** Prefixes that are told apart; more are counted together. */
const PREFIXES_MAX = 100_000;

export type KeyOrder = "bytes" | "data" | "elements" | "memory";

export interface RdbInspectionOptions {
  /** What "over already" is measured by, ms since 1970. */
  readonly nowMs: number;
  readonly verifyChecksum: boolean;
  /** How many of the biggest keys are named. */
  readonly topCount: number;
  readonly order: KeyOrder;
  /** Between the parts of a key; empty: prefixes are not counted. */
  readonly separator: Uint8Array;
  /** Parts that make a prefix. */
  readonly depth: number;
  readonly onKey: ((key: PassingKey) => void) | undefined;
  /** Measures what each key would take in memory, which takes several times longer; undefined: nothing is measured. */
  readonly meter: MemoryMeter | undefined;
}

/** A key while it passes by: valid only during the call. */
export interface PassingKey {
  readonly database: number;
  readonly keyBytes: Uint8Array;
  readonly keyLength: number;
  readonly form: number;
  readonly elements: number;
  readonly bytes: number;
  readonly expireAtMs: number;
}

/** Numbers of some keys together. */
export interface KeyCounts {
  keys: number;
  /** Of a string 1. */
  elements: number;
  /** In the file, with names and expiries. */
  bytes: number;
  /** Of names and elements, uncompressed and without what encodings add. */
  dataBytes: number;
  /** In Everkey's memory, 0 when it is not measured. */
  memoryBytes: number;
  /** Keys with a time to live. */
  expiring: number;
  /** Of these, those whose time is over. */
  expired: number;
}

export interface FormCounts extends KeyCounts {
  readonly database: number;
  readonly type: string;
  readonly encoding: string;
}

export interface RdbInspection {
  /** Of the format. */
  version: number;
  /** Auxiliary fields, in their order. */
  readonly producer: Map<string, string>;
  functionLibraries: number;
  /** Types of modules that have data beside the keys. */
  readonly moduleData: string[];
  readonly total: KeyCounts;
  /** One for each database and form that occurs, by database, then as types and encodings come. */
  forms: FormCounts[];
  biggest: BigKey[];
  /** Most bytes first; `extra` is how many keys expire. */
  prefixes: NameCount[];
  /** Keys of prefixes that were too many to be told apart. */
  otherPrefixes: { readonly keys: number; readonly bytes: number };
  /** Fields of hashes that expire (Redis 7.4). */
  expiringFields: number;
  /** Bytes of the file that are RDB. */
  bytes: number;
  problem: Problem | undefined;
}

function newCounts(): KeyCounts {
  return { keys: 0, elements: 0, bytes: 0, dataBytes: 0, memoryBytes: 0, expiring: 0, expired: 0 };
}

export class RdbInspector {
  readonly result: RdbInspection;
  private readonly options: RdbInspectionOptions;
  private readonly reader: RdbReader;
  private readonly path: string;
  private readonly counter: ValueCounter;
  private readonly tallies: Map<number, (KeyCounts | undefined)[]>;
  private readonly biggest: BiggestKeys;
  private readonly prefixes: NameTable;
  private tally: (KeyCounts | undefined)[];
  private tallyDatabase: number;

  /** `file` stands at its start. */
  constructor(file: DiskFile, options: RdbInspectionOptions) {
    this.options = options;
    this.path = file.path;
    this.reader = new RdbReader(file, { totalBytes: file.size(), verifyChecksum: options.verifyChecksum });
    this.counter = new ValueCounter();
    this.tallies = new Map();
    this.biggest = new BiggestKeys(options.topCount);
    this.prefixes = new NameTable(PREFIXES_MAX);
    this.tally = [];
    this.tallyDatabase = -1;
    this.result = {
      version: 0,
      producer: new Map(),
      functionLibraries: 0,
      moduleData: [],
      total: newCounts(),
      forms: [],
      biggest: [],
      prefixes: [],
      otherPrefixes: { keys: 0, bytes: 0 },
      expiringFields: 0,
      bytes: 0,
      problem: undefined,
    };
  }

  /** Reads the file to the end of its RDB part, or to its first damage (I1). Throws DiskFault. */
  run(): RdbInspection {
    const { result, reader } = this;
    let wholeBytes = 0;
    try {
      reader.readHeader();
      result.version = reader.version;
      for (let record = reader.next(); record !== RECORD_END; record = reader.next()) {
        if (record === RECORD_KEY) this.key();
        else if (record === RECORD_AUX) result.producer.set(reader.auxName, reader.auxValue);
        else if (record === RECORD_FUNCTION) result.functionLibraries++;
        else if (record === RECORD_MODULE_AUX) result.moduleData.push(reader.auxName);
        wholeBytes = reader.offset();
      }
    } catch (error) {
      if (!(error instanceof RdbFault)) throw error;
      result.problem = problemOfRdb(this.path, error, wholeBytes);
    }
    result.bytes = reader.offset();
    this.finish();
    return result;
  }

  /** hot path */
  private key(): void {
    const { reader, counter, options } = this;
    const { meter } = options;
    const { keyBytes, keyLength, expireAtMs } = reader;
    let form: number;
    let elements = 1;
    let dataBytes = keyLength;
    let memoryBytes = 0;
    if (reader.type === TYPE_STRING) {
      if (meter === undefined) reader.measureString();
      else reader.readString();
      const { stringBytes, stringStart, stringLength } = reader;
      form = formOfString(stringBytes, stringStart, stringLength);
      dataBytes += stringLength;
      if (meter !== undefined) {
        memoryBytes = meter.measureString(keyBytes, keyLength, stringBytes, stringStart, stringLength, expireAtMs);
      }
    } else if (reader.type === TYPE_MODULE) {
      reader.skipValue();
      form = formOfType(reader.type);
    } else {
      counter.next = meter?.builder;
      reader.readValue(counter);
      form = formOfType(reader.type);
      elements = counter.elements;
      dataBytes += counter.dataBytes;
      this.result.expiringFields += counter.expiringFields;
      if (meter !== undefined) memoryBytes = meter.measureValue(keyBytes, keyLength, expireAtMs);
    }
    const bytes = reader.offset() - reader.recordStart;
    const counts = this.countsOf(reader.database, form);
    counts.keys++;
    counts.elements += elements;
    counts.bytes += bytes;
    counts.dataBytes += dataBytes;
    counts.memoryBytes += memoryBytes;
    if (reader.expireAtMs !== -1) {
      counts.expiring++;
      if (reader.expireAtMs < options.nowMs) counts.expired++;
    }
    const { order } = options;
    let measure = bytes;
    if (order === "data") measure = dataBytes;
    else if (order === "elements") measure = elements;
    else if (order === "memory") measure = memoryBytes;
    if (measure > this.biggest.threshold) this.remember(measure, form, elements, bytes, dataBytes, memoryBytes);
    if (options.separator.length > 0) {
      const length = prefixLength(reader.keyBytes, reader.keyLength, options.separator, options.depth);
      this.prefixes.add(reader.keyBytes, 0, length, bytes, reader.expireAtMs === -1 ? 0 : 1);
    }
    if (options.onKey !== undefined) {
      options.onKey({ database: reader.database, keyBytes, keyLength, form, elements, bytes, expireAtMs });
    }
  }

  private countsOf(database: number, form: number): KeyCounts {
    if (database !== this.tallyDatabase) {
      this.tallyDatabase = database;
      let tally = this.tallies.get(database);
      if (tally === undefined) {
        tally = new Array<KeyCounts | undefined>(FORM_COUNT).fill(undefined);
        this.tallies.set(database, tally);
      }
      this.tally = tally;
    }
    return (this.tally[form] ??= newCounts());
  }

  private remember(
    measure: number,
    form: number,
    elements: number,
    bytes: number,
    dataBytes: number,
    memoryBytes: number,
  ): void {
    const { reader } = this;
    this.biggest.add(measure, {
      database: reader.database,
      key: reader.keyBytes.slice(0, reader.keyLength),
      ...formName(form),
      elements,
      bytes,
      dataBytes,
      memoryBytes,
      expireAtMs: reader.expireAtMs,
    });
  }

  private finish(): void {
    const { result, prefixes } = this;
    for (const [database, tally] of [...this.tallies].sort(([a], [b]) => a - b)) {
      tally.forEach((counts, form) => {
        if (counts !== undefined) result.forms.push({ database, ...formName(form), ...counts });
      });
    }
    result.forms = mergeForms(result.forms);
    for (const counts of result.forms) addCounts(result.total, counts);
    result.biggest = this.biggest.keys();
    result.prefixes = prefixes.entries().sort((a, b) => b.bytes - a.bytes || Buffer.compare(a.name, b.name));
    result.otherPrefixes = { keys: prefixes.othersCount, bytes: prefixes.othersBytes };
  }
}

/** Forms of the same names (two versions of one in the file) are one. */
function mergeForms(forms: readonly FormCounts[]): FormCounts[] {
  const merged: FormCounts[] = [];
  for (const form of forms) {
    const same = merged.find(
      ({ database, type, encoding }) => database === form.database && type === form.type && encoding === form.encoding,
    );
    if (same === undefined) merged.push({ ...form });
    else addCounts(same, form);
  }
  return merged;
}

/** Adds `counts` to `total`. */
export function addCounts(total: KeyCounts, counts: KeyCounts): void {
  total.keys += counts.keys;
  total.elements += counts.elements;
  total.bytes += counts.bytes;
  total.dataBytes += counts.dataBytes;
  total.memoryBytes += counts.memoryBytes;
  total.expiring += counts.expiring;
  total.expired += counts.expired;
}

/** Sums of forms that are alike in `name`, in the order of their coming. */
export function groupForms(
  forms: readonly FormCounts[],
  name: (form: FormCounts) => string,
): (KeyCounts & { readonly name: string })[] {
  const groups = new Map<string, KeyCounts>();
  for (const form of forms) {
    const group = groups.get(name(form)) ?? newCounts();
    groups.set(name(form), group);
    addCounts(group, form);
  }
  return [...groups].map(([groupName, counts]) => ({ name: groupName, ...counts }));
}

/** Length of the first `depth` parts of a key with the separators behind them; 0 when it has not so many. hot path */
export function prefixLength(key: Uint8Array, length: number, separator: Uint8Array, depth: number): number {
  const first = separator[0]!;
  const size = separator.length;
  let found = 0;
  let end = 0;
  for (let at = 0; at + size <= length; at++) {
    if (key[at] !== first) continue;
    let index = 1;
    while (index < size && key[at + index] === separator[index]) index++;
    if (index < size) continue;
    at += size - 1;
    end = at + 1;
    if (++found === depth) break;
  }
  return end;
}

/** A damage of an RDB file in plain words. */
export function problemOfRdb(path: string, fault: RdbFault, wholeBytes: number): Problem {
  return problemOf({
    path,
    offset: fault.offset,
    wholeBytes,
    reading: fault.reading,
    key: fault.key === undefined ? undefined : Buffer.from(fault.key, "latin1"),
    message: fault.reason,
    advice: adviceFor(fault),
  });
}

function adviceFor({ reading, reason, offset }: RdbFault): string {
  if (offset === 0 && reading === "header") return "Give the path of a file that a server has written.";
  if (reading === "header" && reason.includes("version"))
    return "Load it with the server that wrote it, or a newer one.";
  if (reading === "check sum") {
    return "Some byte of the file has changed since it was written. Take another copy of it; to look at what it holds all the same, start a server on a copy with `rdbchecksum no` and compare.";
  }
  return "Take another copy of this file. What stands before this place can be seen with `everkey inspect --csv`.";
}
