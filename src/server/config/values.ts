/**
 * Values of directives: from the words of a line or of CONFIG SET to the text that CONFIG GET gives, or to a complaint.
 *
 *      words  ["100mb"]  ──► parseValue ──► { value: "104857600" }
 *             ["lots"]   ──►            ──► { complaint: "argument must be a memory value" }
 *
 *  I1  parseValue(kind, [its own result]) gives the same result again.
 *  I2  Text holds one character per byte (latin1), as it came over the wire or from the file.
 *  Source: complaints and forms as redis-server 7.0 gives them (config.differential.test.ts).
 */

import { posix } from "node:path";
import type { Clamp, Kind } from "./directive.ts";

export type Parsed = { readonly value: string } | { readonly complaint: string };

const UNITS = new Map<string, bigint>([
  ["", 1n],
  ["b", 1n],
  ["k", 1000n],
  ["kb", 1024n],
  ["m", 1000_000n],
  ["mb", 1024n * 1024n],
  ["g", 1000_000_000n],
  ["gb", 1024n * 1024n * 1024n],
]);
const UINT64_MASK = (1n << 64n) - 1n;
const BIND_MAX = 16;

/** Event letters that `A` stands for, in the order in which they are shown; then those that are shown after them. */
const EVENTS_ALL = "g$lshzxetd";
const EVENTS_SOME = "g$lshzxetdn";
const EVENTS_ALWAYS = "KEm";
/** In force beside A, but not shown there. */
const EVENTS_BESIDE_ALL = "n";
export const OUTPUT_CLASSES = ["normal", "slave", "pubsub"] as const;

const WRONG_COUNT: Parsed = { complaint: "wrong number of arguments" };

/** Whether the words of this kind may also come as one word with spaces between them. */
function takesSeveralWords(kind: Kind): boolean {
  switch (kind.type) {
    case "choices":
    case "save":
    case "output-limits":
    case "percentiles":
    case "oom-values":
    case "bind":
    case "primary":
      return true;
    default:
      return false;
  }
}

/**
 * The text that CONFIG GET would give for `words`, or what is wrong with them. `current`: the value before, which some
 * kinds only change in part. Cannot fail otherwise.
 */
export function parseValue(kind: Kind, words: readonly string[], current: string): Parsed {
  let parts = words;
  if (takesSeveralWords(kind)) {
    if (words.length === 1) parts = words[0] === "" ? [] : words[0]!.split(" ");
  } else if (words.length !== 1) {
    return WRONG_COUNT;
  }
  const word = parts[0] ?? "";
  switch (kind.type) {
    case "boolean":
      return /^(yes|no)$/i.test(word) ? { value: word.toLowerCase() } : { complaint: "argument must be 'yes' or 'no'" };
    case "integer":
      return parseInteger(word, kind.minimum, kind.maximum, kind.clamp);
    case "octal":
      return parseOctal(word, kind.maximum);
    case "memory":
      return parseMemoryValue(word, kind);
    case "choice": {
      const found = kind.choices.find((choice) => choice === word.toLowerCase());
      return found === undefined ? oneOf(kind.choices) : { value: found };
    }
    case "choices":
      return parseChoices(parts, kind.choices);
    case "text": {
      const complaint = kind.check?.(word);
      return complaint === undefined ? { value: word } : { complaint };
    }
    case "directory":
      return { value: posix.resolve(current, word) };
    case "save":
      return parseSave(parts);
    case "output-limits":
      return parseOutputLimits(parts, current);
    case "percentiles":
      return parsePercentiles(parts);
    case "oom-values":
      return parseOomValues(parts);
    case "events":
      return parseEvents(word);
    case "bind":
      return parts.length > BIND_MAX ? { complaint: "Too many bind addresses specified." } : { value: parts.join(" ") };
    case "primary":
      return parsePrimary(parts);
    case "lines":
      return WRONG_COUNT;
  }
}

// ---- numbers --------------------------------------------------------------------------------------------------

function clamped(value: bigint, clamp: Clamp | undefined): Parsed {
  if (clamp !== undefined && value < clamp.minimum) return { value: String(clamp.minimum) };
  if (clamp !== undefined && value > clamp.maximum) return { value: String(clamp.maximum) };
  return { value: String(value) };
}

function between(minimum: bigint | string, maximum: bigint | string): Parsed {
  return { complaint: `argument must be between ${minimum} and ${maximum} inclusive` };
}

function parseInteger(word: string, minimum: bigint, maximum: bigint, clamp: Clamp | undefined): Parsed {
  const value = wholeNumber(word);
  if (value === undefined) return { complaint: "argument couldn't be parsed into an integer" };
  return value < minimum || value > maximum ? between(minimum, maximum) : clamped(value, clamp);
}

/** A signed 64-bit number written without plus sign, spaces or leading zeros. */
function wholeNumber(word: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(word)) return undefined;
  const value = BigInt(word);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** A number as the C library reads it: leading spaces and a plus sign are allowed, nothing at all is 0. */
function looseNumber(word: string): bigint | undefined {
  if (word === "") return 0n;
  return /^[ \t\n\v\f\r]*[+-]?[0-9]{1,18}$/.test(word) ? BigInt(word.trim().replace("+", "")) : undefined;
}

function parseOctal(word: string, maximum: bigint): Parsed {
  if (!/^[+-]?[0-7]{1,18}$/.test(word)) return { complaint: "argument couldn't be parsed as an octal number" };
  const isNegative = word.startsWith("-");
  const value = BigInt(`0o${word.replace(/^[+-]/, "")}`);
  if ((isNegative && value !== 0n) || value > maximum) return between(0n, maximum.toString(8));
  return { value: value.toString(8) };
}

/** Bytes as `10mb` and the like, undefined when it is not of that form. Wraps at 2^64, as Redis's does. */
export function parseMemory(word: string): bigint | undefined {
  const match = /^([0-9]*)([a-z]*)$/i.exec(word);
  const unit = match === null ? undefined : UNITS.get(match[2]!.toLowerCase());
  if (match === null || unit === undefined) return undefined;
  const digits = BigInt(match[1] === "" ? 0 : match[1]!);
  return ((digits > UINT64_MASK ? UINT64_MASK : digits) * unit) & UINT64_MASK;
}

function parseMemoryValue(word: string, kind: Kind & { type: "memory" }): Parsed {
  if (kind.allowsPercent && word.endsWith("%")) {
    const percent = wholeNumber(word.slice(0, -1));
    if (percent !== undefined && percent > 100n)
      return { complaint: "percentage argument must be less or equal to 100" };
    // No percent at all is the same as no bytes, and is shown so.
    if (percent !== undefined && percent >= 0n) return { value: percent === 0n ? "0" : `${percent}%` };
  }
  const bytes = parseMemory(word);
  if (bytes === undefined) {
    return { complaint: `argument must be a memory ${kind.allowsPercent ? "or percent " : ""}value` };
  }
  // Redis holds a share as a negative number of bytes, so a number that is too large looks like one.
  if (kind.allowsPercent && bytes > kind.maximum) {
    const percent = -BigInt.asIntN(64, bytes);
    return percent > 100n
      ? { complaint: "percentage argument must be less or equal to 100" }
      : { value: `${percent}%` };
  }
  return bytes < kind.minimum || bytes > kind.maximum
    ? between(kind.minimum, kind.maximum)
    : clamped(bytes, kind.clamp);
}

// ---- words ----------------------------------------------------------------------------------------------------

function oneOf(choices: readonly string[]): Parsed {
  return { complaint: `argument(s) must be one of the following: ${choices.join(", ")}` };
}

function parseChoices(words: readonly string[], choices: readonly string[]): Parsed {
  const wanted = words.map((word) => word.toLowerCase());
  if (wanted.length === 0 || wanted.some((word) => !choices.includes(word))) return oneOf(choices);
  if (wanted.includes("save") && wanted.includes("nosave")) {
    return { complaint: "shutdown options SAVE and NOSAVE can't be used simultaneously" };
  }
  const shown = choices.slice(1).filter((choice) => wanted.includes(choice));
  return { value: shown.length === 0 ? choices[0]! : shown.join(" ") };
}

// ---- special forms --------------------------------------------------------------------------------------------

function parseSave(words: readonly string[]): Parsed {
  const numbers = words.map(looseNumber);
  const isValid =
    words.length % 2 === 0 &&
    numbers.every(
      (number, index) => number !== undefined && number >= (index % 2 === 0 ? 1n : 0n) && number <= 2147483647n,
    );
  return isValid ? { value: numbers.join(" ") } : { complaint: "Invalid save parameters" };
}

function parseOutputLimits(words: readonly string[], current: string): Parsed {
  if (words.length % 4 !== 0) return { complaint: "Wrong number of arguments in buffer limit configuration." };
  const limits = splitOutputLimits(current);
  for (let at = 0; at < words.length; at += 4) {
    const name = words[at]!.toLowerCase();
    const place = OUTPUT_CLASSES.indexOf((name === "replica" ? "slave" : name) as (typeof OUTPUT_CLASSES)[number]);
    if (place === -1) return { complaint: "Invalid client class specified in buffer limit configuration." };
    const hard = parseMemory(words[at + 1]!);
    const soft = parseMemory(words[at + 2]!);
    const seconds = looseNumber(words[at + 3]!);
    if (hard === undefined || soft === undefined || seconds === undefined || seconds < 0n) {
      return { complaint: "Error in hard, soft or soft_seconds setting in buffer limit configuration." };
    }
    limits[place] = `${OUTPUT_CLASSES[place]} ${hard} ${soft} ${seconds}`;
  }
  return { value: limits.join(" ") };
}

/** The three classes of a client-output-buffer-limit value: ["normal 0 0 0", "slave ...", "pubsub ..."]. */
export function splitOutputLimits(value: string): string[] {
  const words = value.split(" ");
  return OUTPUT_CLASSES.map((_, index) => words.slice(index * 4, index * 4 + 4).join(" "));
}

function parsePercentiles(words: readonly string[]): Parsed {
  const shown: string[] = [];
  for (const word of words) {
    const number = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(word) ? Number(word) : Number.NaN;
    if (Number.isNaN(number)) return { complaint: "Invalid latency-tracking-info-percentiles parameters" };
    if (number < 0 || number > 100) {
      return { complaint: "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]" };
    }
    shown.push(number.toFixed(6).replace(/\.?0+$/, "") || "0");
  }
  return { value: shown.join(" ") };
}

function parseOomValues(words: readonly string[]): Parsed {
  if (words.length !== 3) return WRONG_COUNT;
  const numbers = words.map(looseNumber);
  const isValid = numbers.every((number) => number !== undefined && number >= -2000n && number <= 2000n);
  return isValid
    ? { value: numbers.join(" ") }
    : { complaint: "Invalid oom-score-adj-values, elements must be between -2000 and 2000." };
}

function parseEvents(word: string): Parsed {
  const wanted = new Set(word);
  if (wanted.delete("A")) for (const letter of EVENTS_ALL) wanted.add(letter);
  for (const letter of wanted) {
    if (!EVENTS_SOME.includes(letter) && !EVENTS_ALWAYS.includes(letter)) {
      return { complaint: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
    }
  }
  const pick = (letters: string) => [...letters].filter((letter) => wanted.has(letter)).join("");
  const classes = [...EVENTS_ALL].every((letter) => wanted.has(letter)) ? "A" : pick(EVENTS_SOME);
  // What CONFIG GET does not show beside A is kept nevertheless: see `shownValue`.
  const hidden = classes === "A" ? pick(EVENTS_BESIDE_ALL) : "";
  return { value: classes + hidden + pick(EVENTS_ALWAYS) };
}

function parsePrimary(words: readonly string[]): Parsed {
  if (words.length !== 2) return WRONG_COUNT;
  if (words[0]!.toLowerCase() === "no" && words[1]!.toLowerCase() === "one") return { value: "" };
  const port = looseNumber(words[1]!);
  if (port === undefined || port < 0n || port > 65535n) return { complaint: "Invalid master port" };
  return { value: `${words[0]} ${port}` };
}

/** What CONFIG GET gives for a value of this kind: Redis does not show the class of new keys beside "A". */
export function shownValue(kind: Kind, value: string): string {
  return kind.type === "events" && value.startsWith("A") ? value.replace(EVENTS_BESIDE_ALL, "") : value;
}
