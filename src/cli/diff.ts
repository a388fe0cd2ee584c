/**
 * `everkey diff`: which keys were created, changed and deleted between two moments, and how.
 *
 *      0  created  "user:43"   hash of 1: "name"="bob"
 *      0  changed  "user:42"   hash of 2 → 3: + "age"="41"
 *      0  deleted  "session:9" "…"
 */

import type { Command } from "commander";
import { quoted } from "../persistence/timeline/command-text.ts";
import { type DiffWishes, findChanges, type KeyChange, type KeyState } from "../persistence/timeline/diff.ts";
import type { LogPosition } from "../persistence/timeline/log-walk.ts";
import { makePlan, makePlanFrom, type Plan, type Target } from "../persistence/timeline/plan.ts";
import type { Timeline } from "../persistence/timeline/timeline.ts";
import { modelOf, payloadKind, type ValueModel } from "../persistence/timeline/value-model.ts";
import { changeText, SHORT_VALUE, streamFields, valueText, WHOLE_VALUE } from "../persistence/timeline/value-text.ts";
import { Headless } from "../server/headless.ts";
import { nodeHost } from "../server/host/node-host.ts";
import { openLocated, readMoment, readNumber, watched } from "./going-back.ts";
import {
  CliFailure,
  formatCount,
  formatTime,
  isoTime,
  isUtf8,
  print,
  printJson,
  runSubcommand,
  table,
  wrongUsage,
} from "./output.ts";

interface DiffOptions {
  readonly dir: string;
  readonly from?: string;
  readonly fromOffset?: string;
  readonly to?: string;
  readonly toOffset?: string;
  readonly match?: string;
  readonly type?: string;
  readonly values?: boolean;
  readonly json?: boolean;
}

const TYPES = ["string", "list", "set", "zset", "hash", "stream"];

const EXAMPLES = `
Examples:
  everkey diff --dir ./data --from '10 minutes ago'                        up to the newest state
  everkey diff --dir ./data --from '2026-11-20 10:00' --to '2026-11-20 10:15' --match 'user:*' --values
  everkey diff --dir ./data --from-offset 120000 --to-offset 125000 --json`;

export function addDiff(program: Command): void {
  program
    .command("diff")
    .description("show what changed between two moments")
    .requiredOption("--dir <directory>", "the data directory; it is only read")
    .option("--from <moment>", "the first moment")
    .option("--from-offset <offset>", "the same as an offset of the log")
    .option("--to <moment>", "the second moment; without it the newest state")
    .option("--to-offset <offset>", "the same as an offset of the log")
    .option("--match <pattern>", "only such keys")
    .option("--type <type>", `only keys of this type: ${TYPES.join(", ")}`)
    .option("--values", "values as a whole, however long")
    .option("--json", "print one JSON document")
    .addHelpText("after", EXAMPLES)
    .action((options: DiffOptions) => runSubcommand(() => diff(options)));
}

function diff(options: DiffOptions): void {
  const host = nodeHost();
  const nowMs = host.clock.nowMs();
  const from = readTarget("from", options.from, options.fromOffset, nowMs);
  if (from === undefined) throw wrongUsage("diff", "--from or --from-offset says where to begin");
  const to = readTarget("to", options.to, options.toOffset, nowMs) ?? { kind: "newest" };
  const wishes = readWishes(options);
  const timeline = openLocated(host, options.dir);
  const first = watched(host, "Reading the log", timeline.logBytes(), (update) => makePlan(timeline, from, [], update));
  const second = watched(host, "Reading the log", timeline.logBytes(), (update) =>
    makePlanFrom(timeline, first.base, to, update),
  );
  if (second.reached.offset < first.reached.offset) {
    throw new CliFailure("the second moment lies before the first one", "--from the earlier, --to the later one");
  }
  const totalBytes = second.baseBytes + second.logBytes;
  const changes = watched(host, "Replaying", totalBytes, (update) =>
    findChanges(timeline, first, second, new Headless(host), wishes, update),
  );
  if (options.json === true) printJson(jsonOf(timeline, first, second, changes));
  else print(textOf(first, second, changes, options.values === true));
}

function readTarget(
  name: string,
  text: string | undefined,
  offset: string | undefined,
  nowMs: number,
): Target | undefined {
  if (text !== undefined && offset !== undefined) {
    throw wrongUsage("diff", `only one of --${name} and --${name}-offset can be said`);
  }
  if (text !== undefined) return { kind: "time", timeMs: readMoment("diff", `--${name}`, text, nowMs) };
  if (offset === undefined) return undefined;
  return { kind: "offset", offset: readNumber("diff", `--${name}-offset`, offset, 0) };
}

function readWishes({ match, type }: DiffOptions): DiffWishes {
  if (type !== undefined && !TYPES.includes(type)) {
    throw wrongUsage("diff", `--type takes one of ${TYPES.join(", ")}, not '${type}'`);
  }
  return { ...(match === undefined ? {} : { match }), ...(type === undefined ? {} : { type }) };
}

// ---- text -------------------------------------------------------------------------------------------------------------

function textOf(first: Plan, second: Plan, changes: readonly KeyChange[], isWhole: boolean): string {
  const between = `between ${placeText(first.reached)} and ${placeText(second.reached)}`;
  if (changes.length === 0) return `Nothing is different ${between}`;
  const limits = isWhole ? WHOLE_VALUE : SHORT_VALUE;
  const rows = changes.map((change) => {
    const { database, key, kind, before, after } = change;
    let what: string;
    if (before === undefined || after === undefined) {
      const state = (before ?? after)!;
      what =
        valueText(modelOf(state.payload), limits) +
        (state.expireAtMs >= 0 ? `, expires ${formatTime(state.expireAtMs)}` : "");
    } else {
      const old = modelOf(before.payload);
      const made = modelOf(after.payload);
      const isSame = JSON.stringify(old) === JSON.stringify(made);
      const expiry =
        before.expireAtMs === after.expireAtMs ? [] : [`expires ${expiryText(before)} → ${expiryText(after)}`];
      what = [...(isSame ? [] : [changeText(old, made, limits)]), ...expiry].join(", ");
    }
    return [String(database), kind, quoted(key, 0, key.length, isWhole ? key.length : 64), what];
  });
  const count = (kind: KeyChange["kind"]): string =>
    formatCount(changes.filter((change) => change.kind === kind).length);
  const sum = `${count("created")} created, ${count("changed")} changed, ${count("deleted")} deleted ${between}`;
  const columns = [{ title: "db", isNumber: true }, { title: "what" }, { title: "key" }, { title: "value" }];
  return `${table(columns, rows)}\n\n${sum}`;
}

function expiryText({ expireAtMs }: KeyState): string {
  return expireAtMs >= 0 ? formatTime(expireAtMs) : "never";
}

function placeText({ timeMs, offset }: LogPosition): string {
  const place = Number.isNaN(offset) ? "" : `offset ${offset}`;
  return timeMs > 0 ? `${formatTime(timeMs)}${place === "" ? "" : ` (${place})`}` : place;
}

// ---- JSON -------------------------------------------------------------------------------------------------------------

function jsonOf(timeline: Timeline, first: Plan, second: Plan, changes: readonly KeyChange[]): unknown {
  const position = ({ replicationId, offset, timeMs }: LogPosition): unknown => ({
    replicationId,
    offset: Number.isNaN(offset) ? null : offset,
    time: isoTime(timeMs),
  });
  return {
    source: timeline.path,
    from: position(first.reached),
    to: position(second.reached),
    changes: changes.map(({ database, key, kind, before, after }) => ({
      database,
      key: bytesJson(Buffer.from(key)),
      change: kind,
      before: before && stateJson(before),
      after: after && stateJson(after),
    })),
  };
}

function stateJson({ payload, expireAtMs }: KeyState): unknown {
  return {
    type: payloadKind(payload),
    value: valueJson(modelOf(payload)),
    expireAtMs: expireAtMs >= 0 ? expireAtMs : undefined,
  };
}

function valueJson({ kind, text, elements }: ValueModel): unknown {
  if (kind === "string") return latin1Json(text);
  if (kind === "list" || kind === "set") return elements.map(({ name }) => latin1Json(name));
  if (kind === "hash") return elements.map(({ name, value }) => [latin1Json(name), latin1Json(value)]);
  if (kind === "zset") return elements.map(({ name, value }) => [latin1Json(name), value]);
  return elements.map(({ name, value }) => ({
    id: name,
    fields: streamFields(value).map(([field, content]) => [latin1Json(field), latin1Json(content)]),
  }));
}

function latin1Json(text: string): unknown {
  return bytesJson(Buffer.from(text, "latin1"));
}

/** Text where it is text, otherwise what keeps every byte. */
function bytesJson(bytes: Buffer): unknown {
  return isUtf8(bytes) ? bytes.toString("utf8") : { base64: bytes.toString("base64") };
}
