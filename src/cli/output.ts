/**
 * What the subcommands print: tables, progress, numbers and times as people read them, JSON, failures with a way out.
 *
 *      standard output   the result: text and tables, or with --json one JSON document       nothing else
 *      standard error    progress, and a failure:   everkey: what went wrong
 *                                                   Try: what to do
 *      exit code         0 done   1 failed (or: not whole, not found)   2 wrong usage
 *
 *  I1  A byte of the data never reaches the terminal as a control character: `printable` shows it as \xNN.
 *  I2  Colours and the bar are for terminals only; NO_COLOR turns the colours off there, too.
 *  I3  Numbers look the same in every country: 1,234,567 and 1.5 MB (powers of 1024, as `maxmemory` counts).
 */

import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import picocolors from "picocolors";
import { DiskFault } from "../core/faults.ts";
import type { Clock } from "../core/host.ts";

/** What a subcommand cannot do, for `runSubcommand` to print. `hint` says what would help. */
export class CliFailure extends Error {
  override name = "CliFailure";
  readonly hint: string;
  readonly exitCode: 1 | 2;

  constructor(message: string, hint = "", exitCode: 1 | 2 = 1) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** Wrong usage: exit code 2. `subcommand` as in "inspect". */
export function wrongUsage(subcommand: string, message: string): CliFailure {
  return new CliFailure(message, `everkey ${subcommand} --help`, 2);
}

/**
 * Runs a subcommand; CliFailure and DiskFault are printed and become the exit code, anything else is a bug and passes
 * through. A reader that has gone (`| head`) ends the process quietly.
 */
export async function runSubcommand(action: () => void | Promise<void>): Promise<void> {
  process.stdout.on("error", (error: { code?: string }) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  try {
    await action();
  } catch (error) {
    if (!(error instanceof CliFailure) && !(error instanceof DiskFault)) throw error;
    printFailure(error);
    process.exitCode = error instanceof CliFailure ? error.exitCode : 1;
  }
}

function printFailure(error: CliFailure | DiskFault): void {
  const colors = colorsFor(process.stderr);
  process.stderr.write(`${colors.red("everkey:")} ${printableText(error.message)}\n`);
  if (error instanceof CliFailure && error.hint !== "") process.stderr.write(`Try: ${printableText(error.hint)}\n`);
}

/** Lines on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One JSON document on standard output. What is undefined is left out; NaN becomes null. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Colour functions for a stream, which leave the text alone where colours have no place (I2). */
export function colorsFor(stream: { isTTY?: boolean }): ReturnType<typeof picocolors.createColors> {
  const { NO_COLOR, TERM } = process.env;
  return picocolors.createColors(stream.isTTY === true && (NO_COLOR ?? "") === "" && TERM !== "dumb");
}

/** A title on the left, or with `isNumber` on the right, above its cells. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

const BORDERS = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"],
];

/**
 * Rows as aligned text without lines around them, as wide as they need to be; no line end behind the last row.
 * Cells are text that is fit for a terminal (see `printable`).
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const colors = colorsFor(process.stdout);
  const drawing = new Table({
    chars: Object.fromEntries(BORDERS.map((name) => [name, name === "middle" ? "  " : ""])),
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: columns.map(({ isNumber }) => (isNumber === true ? "right" : "left")),
  });
  drawing.push(columns.map(({ title }) => colors.dim(title)));
  for (const row of rows) drawing.push([...row]);
  return trimLines(drawing.toString());
}

/** Names and what they are, one under another: `name   value`. */
export function facts(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  const colors = colorsFor(process.stdout);
  return pairs.map(([name, value]) => `${colors.dim(name.padEnd(width))}  ${value}`.trimEnd()).join("\n");
}

function trimLines(text: string): string {
  return text.replace(/[ ]+$/gm, "");
}

const DIGIT_GROUP = /\B(?=(\d{3})+(?!\d))/g;
const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** A whole number with commas. */
export function formatCount(count: number): string {
  return Math.trunc(count).toString().replace(DIGIT_GROUP, ",");
}

/** A number and what it counts: 1 key, 2 keys. */
export function formatAmount(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** 999 B, 1.5 KB, 23 MB: three digits say enough. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits).replace(/\.0+$/, "")} ${BYTE_UNITS[unit]}`;
}

/** A length of time: 850 ms, 12.3 s, 4 min 5 s, 3 h 20 min, 5 d 2 h. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const seconds = Math.round(durationMs / 1000);
  const parts: (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/** A moment (ms since 1970) in the time of this machine: 2026-11-20 10:15:03.250. */
export function formatTime(timeMs: number): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return `${timeMs} ms`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The same moment for JSON: ISO 8601 in UTC; null when there is none (NaN) or no calendar has it. */
export function isoTime(timeMs: number): string | null {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Whether bytes are text in UTF-8. */
export function isUtf8(bytes: Uint8Array): boolean {
  return utf8(bytes) !== undefined;
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Bytes as a person reads them (I1): text in UTF-8 as it stands; control characters, and every byte beyond ASCII of what
 * is no text, as \n, \r, \t or \xNN. Longer than `charactersMax`, it ends in "…".
 */
export function printable(bytes: Uint8Array, charactersMax = 120): string {
  const isCut = bytes.length > charactersMax * 4;
  const head = isCut ? bytes.subarray(0, charactersMax * 4) : bytes;
  const text = utf8(head);
  // A text that is cut within a character is still a text.
  const source = text ?? (isCut ? utf8(withoutPartialCharacter(head)) : undefined);
  const characters = Array.from(source ?? Buffer.from(head).toString("latin1"));
  const shown = characters.slice(0, charactersMax).map((character) => visible(character, source !== undefined));
  return shown.join("") + (characters.length > charactersMax || isCut ? "…" : "");
}

/** The same for text that may hold names from outside: paths, entries of a manifest, messages about them. */
export function printableText(text: string): string {
  return printable(Buffer.from(text, "utf8"), Number.MAX_SAFE_INTEGER);
}

/** Without the bytes at the end that begin a character and do not finish it. */
function withoutPartialCharacter(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && end > bytes.length - 3 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  if (end > 0 && bytes[end - 1]! >= 0xc0) end--;
  return bytes.subarray(0, end);
}

const NAMED_CONTROLS: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);
/** Control and formatting characters, which move the cursor, hide text or turn its direction; lone surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

function visible(character: string, isText: boolean): string {
  const code = character.codePointAt(0)!;
  if (code >= 32 && code < 127) return character;
  if (isText && !INVISIBLE.test(character)) return character;
  return (
    NAMED_CONTROLS.get(character) ??
    (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`)
  );
}

/** Where progress is shown. */
export interface ProgressOptions {
  /** What is being done: "Reading dump.rdb". */
  readonly label: string;
  readonly total: number;
  /** What `total` counts. */
  readonly unit: "bytes" | "count";
  readonly clock: Clock;
  /** Standard error unless a test has another. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Work that is done sooner shows nothing. */
const QUIET_MS = 1000;
/** Where there is no terminal, a line comes this often. */
const LINE_INTERVAL_MS = 10_000;

/** A bar for what takes longer than a second, on a terminal; elsewhere a line every ten seconds. */
export class Progress {
  private readonly options: ProgressOptions;
  private readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  private readonly startMs: number;
  private nextLineMs: number;
  private bar: SingleBar | undefined;
  private total: number;

  constructor(options: ProgressOptions) {
    this.options = options;
    this.stream = options.stream ?? process.stderr;
    this.startMs = options.clock.monotonicMs();
    this.nextLineMs = LINE_INTERVAL_MS;
    this.bar = undefined;
    this.total = options.total;
  }

  /** Says how much of `total` is done. Looks at the clock: not for every key, but for every megabyte or so. */
  update(done: number, total = this.total): void {
    const elapsedMs = this.options.clock.monotonicMs() - this.startMs;
    this.total = total;
    if (elapsedMs < QUIET_MS) return;
    if (this.stream.isTTY === true) {
      this.bar ??= this.startBar();
      this.bar.setTotal(total);
      this.bar.update(Math.min(done, total), { amount: this.amount(done) });
    } else if (elapsedMs >= this.nextLineMs) {
      this.nextLineMs = elapsedMs + LINE_INTERVAL_MS;
      const percent = total > 0 ? `${Math.floor((Math.min(done, total) / total) * 100)}%, ` : "";
      this.stream.write(`${printableText(this.options.label)}: ${percent}${this.amount(done)}\n`);
    }
  }

  /** Takes the bar away. To be called whatever happens. */
  end(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private startBar(): SingleBar {
    const bar = new SingleBar({
      format: `${printableText(this.options.label).replaceAll(/[{}]/g, "")} {bar} {percentage}% {amount} {eta_formatted}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 30,
      clearOnComplete: true,
      hideCursor: null,
      // Without it an interruption would leave a terminal that does not wrap; what is too long is cut anyway.
      linewrap: true,
      stream: this.stream,
    });
    bar.start(this.total, 0, { amount: this.amount(0) });
    return bar;
  }

  private amount(done: number): string {
    const format = this.options.unit === "bytes" ? formatBytes : formatCount;
    return `${format(done)} of ${format(this.total)}`;
  }
}
