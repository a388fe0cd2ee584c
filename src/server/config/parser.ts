/**
 * Reads redis.conf syntax into a Config: a file, standard input, the command line, in this order; the last one wins.
 *
 *      server FILE --port 7000 --save 60 1 -        FILE      port 6379          ──┐
 *                                                   stdin     maxmemory 1gb      ──┼──► Config.readLine, line by line
 *                                                   command   port "7000"        ──┘
 *                                                             save "60" "1"
 *
 *  I1  Reading stops at the first mistake and names file, line number, the line itself, and what is wrong with it.
 *  I2  Text holds one character per byte; words of the command line are turned into that form first.
 *  I3  Files include each other at most INCLUDE_DEPTH_MAX deep.
 *  Source: the syntax, the wording of the report and the rules for the command line as redis-server 7.0 has them.
 */

import { posix } from "node:path";
import { DiskFault, reasonOf } from "../../core/faults.ts";
import { globMatchText } from "../../core/glob.ts";
import type { Disk } from "../../core/host.ts";
import type { Config } from "./config.ts";
import { findDirective, nearestDirective } from "./directives.ts";
import { quoteWord, splitWords } from "./split-words.ts";

const INCLUDE_DEPTH_MAX = 16;
const READ_BYTES = 64 * 1024;
/** A larger file is not a configuration: somebody named the wrong one. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface ConfigurationSources {
  /** Path of the file, absolute or relative to `dir` as it stands; one character per byte. */
  readonly file?: string;
  /** What came over standard input, one character per byte. */
  readonly standardInput?: string;
  /** The words after the file, as the process got them: `--port`, `7000`, ... */
  readonly commandLine?: readonly string[];
  /** Our version, for the report. */
  readonly version: string;
}

/** Why the configuration cannot be used, as text of several lines for standard error. */
export interface ConfigurationFailure {
  readonly report: string;
}

interface Reading {
  readonly config: Config;
  readonly disk: Disk;
  readonly version: string;
}

/** Reads everything into `config`. Undefined when all is well. */
export function readConfiguration(
  config: Config,
  disk: Disk,
  sources: ConfigurationSources,
): ConfigurationFailure | undefined {
  const reading: Reading = { config, disk, version: sources.version };
  let failure: ConfigurationFailure | undefined;
  if (sources.file !== undefined) failure = readFile(reading, sources.file, 0);
  if (failure === undefined && sources.standardInput !== undefined) {
    failure = readText(reading, sources.standardInput, "standard input", 0);
  }
  if (failure === undefined && sources.commandLine !== undefined) {
    failure = readText(reading, commandLineText(sources.commandLine), "the command line", 0);
  }
  if (failure !== undefined) return failure;
  const complaint = config.checkWhole();
  return complaint === undefined ? undefined : { report: `${heading(reading)}\n${complaint}` };
}

/**
 * The words of a command line as lines of a configuration. A word with two dashes begins a line, unless the one before
 * still waits for its value; the others are quoted.
 */
function commandLineText(words: readonly string[]): string {
  const lines: string[] = [];
  let needsValue = false;
  for (const [index, given] of words.entries()) {
    const word = Buffer.from(given, "utf8").toString("latin1");
    if (needsValue || !isOption(word)) {
      const value = quoteWord(word);
      if (lines.length === 0) lines.push(value);
      else lines[lines.length - 1] += ` ${value}`;
      needsValue = false;
      continue;
    }
    lines.push(word.slice(2));
    if (word.toLowerCase() === "--save") {
      // `--save` alone means: no snapshots.
      const next = words[index + 1];
      if (next === undefined || isOption(next)) lines[lines.length - 1] += ' ""';
    } else {
      // `"--port 7000"` as one word brings its value along.
      needsValue = (splitWords(word.slice(2)) ?? []).length === 1;
    }
  }
  return lines.join("\n");
}

function isOption(word: string): boolean {
  return word.length > 2 && word.startsWith("--");
}

function readFile(reading: Reading, name: string, depth: number): ConfigurationFailure | undefined {
  const path = posix.resolve(reading.config.text("dir"), name);
  let text: string;
  try {
    text = readWhole(reading.disk, utf8(path));
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    return { report: `Fatal error, can't open config file '${utf8(path)}': ${reasonOf(error.cause)}` };
  }
  return readText(reading, text, utf8(path), depth);
}

function readText(reading: Reading, text: string, source: string, depth: number): ConfigurationFailure | undefined {
  // A mark that some editors put before UTF-8 text is not part of the first directive.
  const lines = text.replace(/^\xef\xbb\xbf/, "").split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, "");
    if (line === "" || line.startsWith("#")) continue;
    const words = splitWords(line);
    const place: Place = { source, lineNumber: index + 1, line };
    if (words === undefined) return failureAt(reading, place, "Unbalanced quotes in configuration line");
    if (words.length === 0) continue;
    if (words[0]!.toLowerCase() === "include" && words.length === 2) {
      if (depth === INCLUDE_DEPTH_MAX) return failureAt(reading, place, "Files include each other too deeply");
      const failure = readIncluded(reading, words[1]!, depth + 1);
      if (failure !== undefined) return failure;
    }
    const complaint = reading.config.readLine(words);
    if (complaint !== undefined) return failureAt(reading, place, complaint, words[0]);
  }
  return undefined;
}

/** Reads the files that `pattern` names in alphabetical order; a pattern may name none, a plain name must exist. */
function readIncluded(reading: Reading, pattern: string, depth: number): ConfigurationFailure | undefined {
  const full = posix.resolve(reading.config.text("dir"), pattern);
  const paths = /[*?[]/.test(full) ? expand(reading.disk, full) : [full];
  for (const path of paths) {
    const failure = readFile(reading, path, depth);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** The existing paths that an absolute pattern names, in alphabetical order. Names with a leading dot must be asked for. */
function expand(disk: Disk, pattern: string): string[] {
  let found = ["/"];
  for (const part of pattern.split("/").filter((name) => name !== "")) {
    found = found.flatMap((directory) => {
      if (!/[*?[]/.test(part)) return [posix.join(directory, part)];
      return namesIn(disk, directory)
        .filter((name) => (part.startsWith(".") || !name.startsWith(".")) && globMatchText(part, name, false))
        .sort()
        .map((name) => posix.join(directory, name));
    });
  }
  return found.filter((path) => disk.status(utf8(path)) !== undefined);
}

function namesIn(disk: Disk, directory: string): string[] {
  const status = disk.status(utf8(directory));
  if (status === undefined || !status.isDirectory) return [];
  return disk.list(utf8(directory)).map((name) => Buffer.from(name, "utf8").toString("latin1"));
}

/** The whole file, one character per byte. Throws DiskFault. */
export function readWhole(disk: Disk, path: string): string {
  const file = disk.open(path, "read");
  try {
    const piece = new Uint8Array(READ_BYTES);
    let text = "";
    for (let count = 0; (count = file.read(piece, 0, READ_BYTES)) > 0; ) {
      text += Buffer.from(piece.buffer, 0, count).toString("latin1");
      if (text.length > FILE_BYTES_MAX) throw new DiskFault("read", path, new Error("too large for a configuration"));
    }
    return text;
  } finally {
    file.close();
  }
}

// ---- reports ------------------------------------------------------------------------------------------------

interface Place {
  readonly source: string;
  readonly lineNumber: number;
  readonly line: string;
}

function heading(reading: Reading): string {
  return `\n*** FATAL CONFIG FILE ERROR (Everkey ${reading.version}) ***`;
}

function failureAt(reading: Reading, place: Place, complaint: string, name?: string): ConfigurationFailure {
  const hint = name === undefined ? undefined : hintFor(name, complaint);
  const lines = [
    heading(reading),
    `Reading the configuration file, at line ${place.lineNumber}`,
    `>>> '${utf8(place.line)}'`,
    complaint,
    `In ${place.source}${hint === undefined ? "." : `. ${hint}`}`,
  ];
  return { report: lines.join("\n") };
}

/** What the operator may have meant. */
function hintFor(name: string, complaint: string): string | undefined {
  if (findDirective(name) !== undefined) {
    return complaint.includes("wrong number") && name.toLowerCase() !== "include"
      ? "A comment must stand on a line of its own, and a value with spaces between quotes."
      : undefined;
  }
  const nearest = nearestDirective(name);
  return nearest === undefined
    ? "docs/configuration.md lists every directive."
    : `Did you mean '${nearest}'? docs/configuration.md lists every directive.`;
}

function utf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}
