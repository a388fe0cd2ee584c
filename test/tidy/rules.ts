/**
 * What holds for every source file, as functions from a file's text to complaints: tests feed them the repository, and planted
 * violations.
 *
 *      rank     0 core    1 store, protocol    2 history    3 commands    4 session    5 persistence, replication, backup
 *               6 cluster, sentinel    7 server    8 console, cli         imports go to the own folder or to a lower rank
 *
 *  I1  Every rule has a test that plants a violation and sees it found.
 *  Source: docs/ARCHITECTURE.md for the ranks, docs/STYLE.md for the rest.
 */
import { posix } from "node:path";
import { blankSource, importsOf, lineOf, topLevelOf } from "./source-text.ts";

const RANKS: Readonly<Record<string, number>> = {
  core: 0,
  store: 1,
  protocol: 1,
  history: 2,
  commands: 3,
  session: 4,
  persistence: 5,
  replication: 5,
  backup: 5,
  cluster: 6,
  sentinel: 6,
  server: 7,
  console: 8,
  cli: 8,
};

/** The package's entry, src/index.ts, and other files directly in src may import everything. */
const ENTRY_RANK = 9;

const LINES_MAX = 700;
/** Files that may be longer, with the reason. */
export const LONG_FILES: Readonly<Record<string, { linesMax: number; reason: string }>> = {};

const IO_MODULES = [
  "fs",
  "fs/promises",
  "net",
  "tls",
  "dgram",
  "dns",
  "http",
  "https",
  "timers",
  "timers/promises",
  "worker_threads",
  "child_process",
  "crypto",
  "os",
  "process",
];

/** What the command line may use of Node beside the server's host: it runs in a terminal and starts processes. */
const CLI_MODULES = ["fs", "net", "tls", "os", "process", "child_process", "readline", "timers/promises"];
/** Modules that are pure computation. */
const PURE_IN = /^(?:path|util|buffer|events|assert|url|zlib|string_decoder|module)$/;

const IO_GLOBALS: readonly { name: string; pattern: RegExp }[] = [
  { name: "Date.now", pattern: /\bDate\s*\.\s*now\b/g },
  { name: "new Date() without an argument", pattern: /\bnew\s+Date\s*(?:\(\s*\)|(?=[;,)\s]))/g },
  { name: "performance.now", pattern: /\bperformance\s*\.\s*now\b/g },
  { name: "Math.random", pattern: /\bMath\s*\.\s*random\b/g },
  { name: "process.hrtime", pattern: /\bprocess\s*\.\s*hrtime\b/g },
  { name: "setTimeout", pattern: /(?<!\.)\bsetTimeout\s*\(/g },
  { name: "setInterval", pattern: /(?<!\.)\bsetInterval\s*\(/g },
  { name: "setImmediate", pattern: /(?<!\.)\bsetImmediate\s*\(/g },
];

/** Globals of time that the command line may use: a client shows how long things take. */
const CLI_GLOBALS = ["Date.now", "performance.now", "setTimeout", "setInterval", "new Date() without an argument"];

export interface SourceFile {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Tests, and what only they import. */
const isTest = (path: string): boolean => /\.test(?:\.support)?\.ts$/.test(path);
const folderOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];

/** Imports between folders of src: complaints about those that go up or sideways, and how many there were. */
export function checkRanks(files: readonly SourceFile[]): { complaints: string[]; importCount: number } {
  const complaints: string[] = [];
  let importCount = 0;
  for (const { path, text } of files) {
    if (!path.startsWith("src/") || isTest(path)) continue;
    const folder = folderOf(path);
    const rank = folder === undefined ? ENTRY_RANK : RANKS[folder];
    if (rank === undefined) {
      complaints.push(`${path}: folder src/${folder} has no rank`);
      continue;
    }
    for (const { specifier, offset } of importsOf(text, blankSource(text))) {
      if (!specifier.startsWith(".")) continue;
      importCount++;
      const target = posix.join(posix.dirname(path), specifier);
      const targetFolder = folderOf(target);
      const where = `${path}:${lineOf(text, offset)}`;
      if (!specifier.endsWith(".ts")) complaints.push(`${where}: ${specifier} does not end in .ts`);
      if (!target.startsWith("src/")) complaints.push(`${where}: ${specifier} leaves src`);
      else if (isTest(target)) complaints.push(`${where}: ${specifier} is a test`);
      else if (targetFolder !== folder && !((RANKS[targetFolder ?? ""] ?? ENTRY_RANK) < rank)) {
        complaints.push(`${where}: ${folder} (rank ${rank}) imports ${specifier}, which is not of a lower rank`);
      }
    }
  }
  return { complaints, importCount };
}

/** Files, sockets, time and chance anywhere but in server/host (and, as far as it needs them, in cli). */
export function checkHost(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    if (!path.startsWith("src/") || path.startsWith("src/server/host/") || isTest(path)) continue;
    const isCli = folderOf(path) === "cli";
    const blanked = blankSource(text);
    for (const { specifier, offset } of importsOf(text, blanked)) {
      const name = /^(?:node:)?(.*)$/.exec(specifier)![1]!;
      if (!IO_MODULES.includes(name) || PURE_IN.test(name) || (isCli && CLI_MODULES.includes(name))) continue;
      complaints.push(`${path}:${lineOf(text, offset)}: imports ${specifier}; only src/server/host may`);
    }
    for (const { name, pattern } of IO_GLOBALS) {
      if (isCli && CLI_GLOBALS.includes(name)) continue;
      for (const match of blanked.matchAll(pattern)) {
        complaints.push(`${path}:${lineOf(text, match.index)}: uses ${name}; only src/server/host may`);
      }
    }
  }
  return complaints;
}

/** State that two servers in one process would share: variables of a module, empty containers that can only be filled. */
export function checkModuleState(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    if (!path.startsWith("src/") || isTest(path)) continue;
    const blanked = blankSource(text);
    const top = topLevelOf(blanked);
    for (const match of top.matchAll(/\b(?:let|var)\s+[\w$]+/g)) {
      complaints.push(`${path}:${lineOf(text, match.index)}: ${match[0]} of a module is shared state`);
    }
    for (const match of top.matchAll(
      /\bconst\s+([\w$]+)[^=;]*=\s*(?:new\s+(?:Map|Set|WeakMap|WeakSet|Array)\b[^(;]*\(|[[{])/g,
    )) {
      const rest = blanked.slice(match.index + match[0].length);
      if (!/^\s*[)\]}]\s*(?:;|$|\n)/.test(rest)) continue;
      complaints.push(
        `${path}:${lineOf(text, match.index)}: ${match[1]} is an empty container of a module: shared state`,
      );
    }
    for (const match of blanked.matchAll(
      /\bstatic\s+(?!readonly\b|async\b|get\b|set\b|override\b|\{)[#\w$]+\s*(?::[^=;(]+)?=/g,
    )) {
      complaints.push(`${path}:${lineOf(text, match.index)}: ${match[0]} is shared state`);
    }
  }
  return complaints;
}

/** Head comment, length, forms of TypeScript that leave code behind. */
export function checkForm(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    if (!/^(?:src|test|bench)\//.test(path)) continue;
    // A test beside its file is what its name says; its sentences are its tests' names.
    if (!isTest(path) && !/^(?:#![^\n]*\n)?\/\*\*/.test(text))
      complaints.push(`${path}: does not begin with what it is (a /** comment)`);
    const lineCount = text.split("\n").length - 1;
    const linesMax = LONG_FILES[path]?.linesMax ?? LINES_MAX;
    if (lineCount > linesMax) complaints.push(`${path}: ${lineCount} lines, at most ${linesMax}`);
    const blanked = blankSource(text);
    for (const match of blanked.matchAll(
      /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?(?:enum|namespace)\s+[\w$]+/gm,
    )) {
      complaints.push(`${path}:${lineOf(text, match.index)}: ${match[0].trim()}`);
    }
  }
  return complaints;
}

/** Tests that are left out, or that leave out the others. */
export function checkTests(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    if (!isTest(path)) continue;
    const blanked = blankSource(text);
    const forms = /\b(?:test|it|describe|suite|context|t)\s*\.\s*(?:only|skip|todo)\b|[{,]\s*(?:only|skip|todo)\s*:/g;
    for (const match of blanked.matchAll(forms)) {
      complaints.push(`${path}:${lineOf(text, match.index)}: ${match[0].trim()}`);
    }
  }
  return complaints;
}

/** Paths that exist on one machine only. */
export function checkPaths(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  const places = /(?<![\w.}/-])\/(?:work|home|root|Users)\/[\w.-]+|\/tmp\/(?:build|brief|bash)[\w.-]*/g;
  for (const { path, text } of files) {
    for (const match of text.matchAll(places)) complaints.push(`${path}:${lineOf(text, match.index)}: ${match[0]}`);
  }
  return complaints;
}

/** A lock file that names the hosts packages came from ties the project to them. */
export function checkLock(text: string): string[] {
  const lock = JSON.parse(text) as { packages?: Record<string, { resolved?: string }> };
  return Object.entries(lock.packages ?? {})
    .filter(([, entry]) => entry.resolved !== undefined)
    .map(([name, entry]) => `package-lock.json: ${name} is resolved to ${entry.resolved}`);
}
