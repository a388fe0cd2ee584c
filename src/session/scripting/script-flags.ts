/**
 * The first line of a script or library that says what it is: "#!lua name=mylib flags=no-writes,allow-oom".
 *
 *  I1  A script without that line is as scripts always were: SCRIPT_COMPATIBLE.
 *  Source: "Redis programmability" documentation; texts of redis-server 7.0.
 */

export const SCRIPT_NO_WRITES = 1;
export const SCRIPT_ALLOW_OOM = 2;
export const SCRIPT_ALLOW_STALE = 4;
export const SCRIPT_NO_CLUSTER = 8;
export const SCRIPT_ALLOW_CROSS_SLOT = 16;
export const SCRIPT_COMPATIBLE = 32;

/** In the order in which FUNCTION LIST names them. */
export const FLAG_NAMES: readonly (readonly [name: string, flag: number])[] = [
  ["no-writes", SCRIPT_NO_WRITES],
  ["allow-oom", SCRIPT_ALLOW_OOM],
  ["allow-stale", SCRIPT_ALLOW_STALE],
  ["no-cluster", SCRIPT_NO_CLUSTER],
  ["allow-cross-slot-keys", SCRIPT_ALLOW_CROSS_SLOT],
];

/** The flag's bit, 0 for an unknown name. */
export function flagNamed(name: string): number {
  return FLAG_NAMES.find(([each]) => each === name)?.[1] ?? 0;
}

export interface ScriptHead {
  readonly flags: number;
  /** What is compiled: without the line, but with its end, so that lines keep their numbers. */
  readonly body: Uint8Array;
}

/** Reads the line of a script for EVAL; text for what is wrong with it. */
export function readScriptHead(source: Uint8Array): ScriptHead | string {
  if (source[0] !== 35 || source[1] !== 33) return { flags: SCRIPT_COMPATIBLE, body: source };
  const end = source.indexOf(10);
  if (end === -1) return "ERR Invalid script shebang";
  const words = splitWords(latin1(source.subarray(0, end)));
  if (words[0] !== "#!lua") return `ERR Unexpected engine in script shebang: ${words[0]}`;
  let flags = 0;
  for (const word of words.slice(1)) {
    if (!word.startsWith("flags=")) return `ERR Unknown lua shebang option: ${word}`;
    if (word === "flags=") continue;
    for (const name of word.slice("flags=".length).split(",")) {
      const flag = flagNamed(name);
      if (flag === 0) return `ERR Unexpected flag in script shebang: ${name}`;
      flags |= flag;
    }
  }
  return { flags, body: source.subarray(end) };
}

export interface LibraryHead {
  readonly name: string;
  readonly body: Uint8Array;
}

/** Reads the line of a library for FUNCTION LOAD; text for what is wrong with it. */
export function readLibraryHead(source: Uint8Array): LibraryHead | string {
  if (source[0] !== 35 || source[1] !== 33) return "ERR Missing library metadata";
  const end = source.indexOf(10);
  if (end === -1) return "ERR Invalid library metadata";
  const words = splitWords(latin1(source.subarray(0, end)));
  let name: string | undefined;
  for (const word of words.slice(1)) {
    if (!/^name=/i.test(word)) return `ERR Invalid metadata value given: ${word}`;
    if (name !== undefined) return "ERR Invalid metadata value, name argument was given multiple times";
    name = word.slice("name=".length);
  }
  if (name === undefined) return "ERR Library name was not given";
  if (!isName(name)) return WRONG_NAME;
  const engine = words[0]!.slice("#!".length);
  if (engine.toLowerCase() !== "lua") return `ERR Engine '${engine}' not found`;
  return { name, body: source.subarray(end) };
}

export const WRONG_NAME =
  "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/** Whether a library or function may have this name. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_]+$/.test(text);
}

function splitWords(line: string): string[] {
  return line.split(/[ \t\r\0\v\f]+/).filter((word) => word !== "");
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
