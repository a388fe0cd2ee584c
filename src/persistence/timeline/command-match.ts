/**
 * What somebody wrote to name commands: 'FLUSHALL', 'DEL user:*', 'SET config:* off'.
 *
 *      words     DEL  user:*           the name in any case, then patterns for the arguments from the first on
 *      command   DEL  user:7  user:8   arguments beyond the patterns may be anything
 *
 *  I1  Nothing is created per command that is looked at.
 *  Source: patterns as KEYS has them.
 */

import { globMatch } from "../../core/glob.ts";
import type { AofReader } from "../../history/formats/aof-reader.ts";
import type { Request } from "../../protocol/request.ts";

export interface CommandMatch {
  /** What it looks for, for people. */
  readonly text: string;
  matches(reader: AofReader): boolean;
}

/** Commands of which the first word is the name, the others patterns; undefined when there is no word. */
export function matchCommand(text: string): CommandMatch | undefined {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const name = words[0]?.toUpperCase();
  if (name === undefined) return undefined;
  const patterns = words.slice(1).map((word) => Buffer.from(word, "utf8"));
  return { text: words.join(" "), matches: ({ request }) => isCommand(request, name, patterns) };
}

function isCommand(request: Request, name: string, patterns: readonly Uint8Array[]): boolean {
  if (request.count <= patterns.length || !request.is(0, name)) return false;
  for (let index = 0; index < patterns.length; index++) {
    if (!matchesArgument(request, index + 1, patterns[index]!)) return false;
  }
  return true;
}

function matchesArgument(request: Request, argument: number, pattern: Uint8Array): boolean {
  const start = request.offset[argument]!;
  return globMatch(pattern, 0, pattern.length, request.input, start, request.length[argument]!, false);
}

/** Deletions of a key that matches `pattern` by somebody: those by expiry and eviction are none of these. */
export function matchDeletion(pattern: string): CommandMatch {
  const bytes = Buffer.from(pattern, "utf8");
  return {
    text: `deletion of ${pattern}`,
    matches: ({ request, source }) => {
      if (!request.is(0, "DEL") && !request.is(0, "UNLINK") && !request.is(0, "GETDEL")) return false;
      if (source === "expired" || source === "evicted") return false;
      for (let argument = 1; argument < request.count; argument++) {
        if (matchesArgument(request, argument, bytes)) return true;
      }
      return false;
    },
  };
}
