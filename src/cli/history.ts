/**
 * `everkey history`: the log as people read it.
 *
 *      time                     offset  client           db  command
 *      2026-11-20 10:15:03.250    1234  127.0.0.1:50212   0  FLUSHALL
 *
 *  I1  Rows are written as they are found: a log of any size takes little memory, unless --reverse is without --limit.
 *  I2  A reader that is slow (`| less`) slows the search, too.
 */

import type { Command } from "commander";
import type { Host } from "../core/host.ts";
import type { AofReader } from "../history/formats/aof-reader.ts";
import { CommandFilter, isLiteral } from "../persistence/timeline/command-filter.ts";
import { commandText, SHORT, WHOLE } from "../persistence/timeline/command-text.ts";
import { findInBase, History, incrementsBetween, type KeyInBase } from "../persistence/timeline/history.ts";
import type { Gap } from "../persistence/timeline/log-walk.ts";
import { positionText } from "../persistence/timeline/plan.ts";
import type { Base, Timeline } from "../persistence/timeline/timeline.ts";
import { Headless } from "../server/headless.ts";
import { nodeHost } from "../server/host/node-host.ts";
import { openLocated, readMoment, readNumber, translated } from "./going-back.ts";
import { colorsFor, formatBytes, formatTime, isoTime, isUtf8, Progress, runSubcommand } from "./output.ts";

interface HistoryOptions {
  readonly dir: string;
  readonly key?: string;
  readonly command?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly source?: string;
  readonly limit?: string;
  readonly reverse?: boolean;
  readonly full?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
A client's address is known of commands that are easily regretted, or of all, as history-clients says.

Examples:
  everkey history --dir ./data --key user:42                        one key's life
  everkey history --dir ./data --command FLUSHALL FLUSHDB           when, and by whom
  everkey history --dir ./data --from '1 hour ago' --source 10.0.*  what these clients did
  everkey history --dir ./data --reverse --limit 20                 the newest first`;

export function addHistory(program: Command): void {
  program
    .command("history")
    .description("show the log as people read it: when, who, what")
    .requiredOption("--dir <directory>", "the data directory; it is only read")
    .option("--key <pattern>", "commands that name such a key, and those that concern all keys")
    .option("--command <name...>", "only these commands")
    .option("--from <moment>", "from this moment on")
    .option("--to <moment>", "up to this moment")
    .option("--source <pattern>", "only what clients of such an address did; also expired, evicted")
    .option("--limit <number>", "no more rows than this")
    .option("--reverse", "the newest first")
    .option("--full", "arguments as a whole, however long")
    .option("--json", "print one JSON document")
    .addHelpText("after", EXAMPLES)
    .action((options: HistoryOptions) => runSubcommand(() => showHistory(options)));
}

async function showHistory(options: HistoryOptions): Promise<void> {
  const host = nodeHost();
  const nowMs = host.clock.nowMs();
  const moment = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : readMoment("history", option, text, nowMs);
  const fromMs = moment("--from", options.from);
  const toMs = moment("--to", options.to);
  const limit =
    options.limit === undefined ? Number.POSITIVE_INFINITY : readNumber("history", "--limit", options.limit, 0);
  const filter = new CommandFilter(
    {
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(options.command === undefined ? {} : { commands: options.command }),
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs }),
      ...(options.source === undefined ? {} : { source: options.source }),
    },
    new Headless(host).commands,
  );
  const timeline = openLocated(host, options.dir);
  const range = incrementsBetween(timeline, filter.fromMs, filter.toMs);
  const form = options.json === true ? new JsonForm() : new TextForm(timeline, options.full === true);
  await new Listing(host, timeline, filter, form, limit).run(range, options);
  if (form.hasTorn) process.stderr.write(`The log ends with ${form.tornText}\n`);
}

/** Rows on their way to standard output. */
class Listing {
  private readonly host: Host;
  private readonly timeline: Timeline;
  private readonly filter: CommandFilter;
  private readonly form: TextForm | JsonForm;
  private readonly limit: number;
  private pending: string;
  private rowCount: number;
  private isFirst: boolean;

  constructor(host: Host, timeline: Timeline, filter: CommandFilter, form: TextForm | JsonForm, limit: number) {
    this.host = host;
    this.timeline = timeline;
    this.filter = filter;
    this.form = form;
    this.limit = limit;
    this.pending = "";
    this.rowCount = 0;
    this.isFirst = true;
  }

  async run({ first, last }: { first: number; last: number }, options: HistoryOptions): Promise<void> {
    const { timeline, form } = this;
    this.pending = form.head();
    const base = timeline.bases.find(({ file }) => file === undefined || file.bytes > 0);
    const baseRow = options.key === undefined || base === undefined ? undefined : this.baseRow(base, options.key);
    const progress = new Progress({
      label: "Reading the log",
      total: timeline.logBytes(),
      unit: "bytes",
      clock: this.host.clock,
    });
    try {
      if (options.reverse === true) {
        await this.runBackwards(first, last, (bytes) => progress.update(bytes));
        if (baseRow !== undefined) await this.add(baseRow);
      } else {
        if (baseRow !== undefined) await this.add(baseRow);
        await this.runForwards(first, last, (bytes) => progress.update(bytes));
      }
    } finally {
      progress.end();
    }
    this.pending += this.isFirst ? form.emptyFoot : form.foot;
    await this.flush();
  }

  private baseRow(base: Base, pattern: string): string {
    const { timeline, form } = this;
    const isLiteralKey = isLiteral(pattern);
    const found = isLiteralKey ? translated(() => findInBase(timeline, base, Buffer.from(pattern, "utf8"))) : undefined;
    return form.base(base, pattern, found);
  }

  private async runForwards(first: number, last: number, onProgress: (bytes: number) => void): Promise<void> {
    if (last < first) return;
    const { form } = this;
    const history = this.open(first, last, onProgress);
    try {
      while (this.rowCount < this.limit) {
        const step = translated(() => history.next());
        if (step === "end") break;
        if (step === "gap") await this.add(form.gap(history.walk.gap!));
        else {
          this.rowCount++;
          await this.add(form.command(history.walk.reader));
        }
      }
      form.note(history);
    } finally {
      history.close();
    }
  }

  /** File by file: the rows of one file, or the last `limit` of them, are kept until its end. */
  private async runBackwards(first: number, last: number, onProgress: (bytes: number) => void): Promise<void> {
    let doneBytes = 0;
    for (let index = last; index >= first && this.rowCount < this.limit; index--) {
      const update = (bytes: number): void => onProgress(doneBytes + bytes);
      const wanted = this.limit - this.rowCount;
      // To make text of rows takes much longer than to find them.
      const skipped = wanted === Number.POSITIVE_INFINITY ? 0 : this.rowsOf(index, update, () => undefined) - wanted;
      const rows: string[] = [];
      let count = 0;
      this.rowsOf(index, update, (row) => {
        if (count++ >= skipped) rows.push(row());
      });
      doneBytes += this.timeline.increments[index]!.file.bytes;
      this.rowCount += rows.length;
      for (const row of rows.reverse()) await this.add(row);
    }
  }

  /** Gives each row of a file to `take`, which may have it made; returns how many there are. */
  private rowsOf(index: number, onProgress: (bytes: number) => void, take: (row: () => string) => void): number {
    const { form } = this;
    const history = this.open(index, index, onProgress);
    let count = 0;
    try {
      for (;;) {
        const step = translated(() => history.next());
        if (step === "end") break;
        count++;
        take(step === "gap" ? () => form.gap(history.walk.gap!) : () => form.command(history.walk.reader));
      }
      form.note(history);
      return count;
    } finally {
      history.close();
    }
  }

  private open(first: number, last: number, onProgress: (bytes: number) => void): History {
    return translated(() => new History(this.timeline, this.filter, first, last, onProgress));
  }

  private async add(row: string): Promise<void> {
    this.pending += this.isFirst ? this.form.firstSeparator : this.form.separator;
    this.pending += row;
    this.isFirst = false;
    if (this.pending.length > 1 << 16) await this.flush();
  }

  private async flush(): Promise<void> {
    const { pending } = this;
    this.pending = "";
    if (pending === "" || process.stdout.write(pending)) return;
    await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
  }
}

const SOURCE_WIDTH = 21;

/** What both forms say of an end that is not whole. */
class TornNote {
  hasTorn = false;
  tornText = "";

  note({ walk }: History): void {
    if (walk.torn === undefined) return;
    const { lostBytes, path } = walk.torn;
    this.hasTorn = true;
    this.tornText = `${formatBytes(lostBytes)} that are no whole command: ${path}`;
  }
}

/** One line a command. */
class TextForm extends TornNote {
  readonly firstSeparator = "";
  readonly separator = "\n";
  readonly foot = "\n";
  readonly emptyFoot = "";
  private readonly offsetWidth: number;
  private readonly isFull: boolean;
  private lastMs = Number.NaN;
  private lastTime = "";

  constructor(timeline: Timeline, isFull: boolean) {
    super();
    const last = timeline.increments.at(-1);
    const endOffset =
      (Number.isNaN(last?.offset ?? Number.NaN) ? 0 : last!.offset) + Math.max(last?.file.bytes ?? 0, 0);
    this.offsetWidth = Math.max(String(endOffset).length, "offset".length);
    this.isFull = isFull;
  }

  head(): string {
    const line = this.line("time".padEnd(23), "offset".padStart(this.offsetWidth), "client", "db", "command");
    return colorsFor(process.stdout).dim(line.trimEnd()).concat("\n");
  }

  private line(time: string, offset: string, source: string, database: string, command: string): string {
    return `${time}  ${offset}  ${source.padEnd(SOURCE_WIDTH)}  ${database.padStart(2)}  ${command}`;
  }

  private time(timeMs: number): string {
    if (timeMs !== this.lastMs) {
      this.lastMs = timeMs;
      this.lastTime = timeMs > 0 ? formatTime(timeMs) : "".padEnd(23);
    }
    return this.lastTime;
  }

  command(reader: AofReader): string {
    const { timeMs, logOffset, source, database, request } = reader;
    const offset = String(logOffset).padStart(this.offsetWidth);
    return this.line(
      this.time(timeMs),
      offset,
      source ?? "",
      String(database),
      commandText(request, this.isFull ? WHOLE : SHORT),
    );
  }

  gap({ before, after }: Gap): string {
    return `${" ".repeat(25)}gap: from ${positionText(before)} to ${positionText(after)}`;
  }

  base(base: Base, pattern: string, found: readonly KeyInBase[] | undefined): string {
    const offset = (Number.isNaN(base.offset) ? "" : String(base.offset)).padStart(this.offsetWidth);
    const name = base.file?.name ?? "the empty beginning";
    let what = name;
    if (found !== undefined) {
      const places = found.map(({ database, type, expireAtMs }) => {
        const expiry = expireAtMs >= 0 ? `, expires ${formatTime(expireAtMs)}` : "";
        return `database ${database}: ${type}${expiry}`;
      });
      what = `${name} ${places.length === 0 ? `does not hold ${pattern}` : `holds ${pattern} (${places.join("; ")})`}`;
    }
    return this.line(this.time(base.timeMs), offset, "", "", what);
  }
}

/** An array of objects, written one after another. */
class JsonForm extends TornNote {
  readonly firstSeparator = "\n";
  readonly separator = ",\n";
  readonly foot = "\n]\n";
  readonly emptyFoot = "]\n";

  head(): string {
    return "[";
  }

  command(reader: AofReader): string {
    const { timeMs, logOffset, source, database, request, isInTransaction } = reader;
    const words: (string | { base64: string })[] = [];
    for (let index = 1; index < request.count; index++) words.push(argumentJson(request.bytes(index)));
    return JSON.stringify({
      time: timeMs > 0 ? isoTime(timeMs) : null,
      timeMs: timeMs > 0 ? timeMs : null,
      offset: logOffset,
      source,
      database,
      inTransaction: isInTransaction || undefined,
      command: request.text(0).toUpperCase(),
      arguments: words,
    });
  }

  gap(gap: Gap): string {
    return JSON.stringify({ gap });
  }

  base(base: Base, _pattern: string, found: readonly KeyInBase[] | undefined): string {
    const { offset, timeMs, file } = base;
    return JSON.stringify({
      base: file?.name ?? null,
      offset: Number.isNaN(offset) ? null : offset,
      time: isoTime(timeMs),
      holds: found,
    });
  }
}

/** Text where it is text, otherwise what keeps every byte. */
function argumentJson(bytes: Uint8Array): string | { base64: string } {
  const buffer = Buffer.from(bytes);
  return isUtf8(bytes) ? buffer.toString("utf8") : { base64: buffer.toString("base64") };
}
