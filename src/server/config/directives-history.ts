/** Everkey's own directives: how far one can go back. Form: see directive.ts. */

import { choice, type Directive, LONG_MAX, memory, text } from "./directive.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** "7d", "36h", "90m", "30s", "2w" or "0" in milliseconds; undefined when it is none of these. */
export function parseDurationMs(value: string): number | undefined {
  if (value === "0") return 0;
  const parts = /^([1-9][0-9]{0,8})([smhdw])$/.exec(value.toLowerCase());
  return parts === null ? undefined : Number(parts[1]) * UNITS_MS[parts[2]!]!;
}

export const HISTORY_DIRECTIVES: readonly Directive[] = [
  text(
    "history-keep",
    "0",
    "How long superseded parts of the append-only file are kept, to go back to: 30m, 36h, 7d.",
    {
      check: (value) =>
        parseDurationMs(value) === undefined
          ? "argument must be a number and a unit (s, m, h, d, w), as in 7d, or 0"
          : undefined,
    },
  ),
  memory("history-keep-size", 0, 0, LONG_MAX, "Most bytes that are kept for going back; 0: no limit."),
  choice(
    "history-clients",
    "dangerous",
    ["none", "dangerous", "all"],
    "Whose address the history keeps with what they changed: nobody's, of commands in @dangerous, of all.",
  ),
];
