/**
 * All directives of Redis 7.2 in one table, in the order of the documentation, and how a name finds its entry.
 *
 *      name or alias ──► findDirective ──► Directive (directive.ts)      "MAXMEMORY", "slave-priority", ...
 *
 *  I1  No name and no alias occurs twice.
 *  I2  A name that Redis once had and ignores today is in RETIRED: it is read from files and does nothing.
 */

import type { Directive } from "./directive.ts";
import { HISTORY_DIRECTIVES } from "./directives-history.ts";
import { MEMORY_DIRECTIVES } from "./directives-memory.ts";
import { PERSISTENCE_DIRECTIVES } from "./directives-persistence.ts";
import { REPLICATION_DIRECTIVES } from "./directives-replication.ts";
import { SERVER_DIRECTIVES } from "./directives-server.ts";

export interface DirectiveGroup {
  readonly title: string;
  readonly directives: readonly Directive[];
}

export const DIRECTIVE_GROUPS: readonly DirectiveGroup[] = [
  { title: "Server, clients, logs", directives: SERVER_DIRECTIVES },
  { title: "Memory and encodings", directives: MEMORY_DIRECTIVES },
  { title: "Persistence", directives: PERSISTENCE_DIRECTIVES },
  { title: "Going back (Everkey's own)", directives: HISTORY_DIRECTIVES },
  { title: "Replication and cluster", directives: REPLICATION_DIRECTIVES },
];

export const DIRECTIVES: readonly Directive[] = DIRECTIVE_GROUPS.flatMap((group) => group.directives);

export const RETIRED: readonly string[] = [
  "list-max-ziplist-entries",
  "list-max-ziplist-value",
  "lua-replicate-commands",
];

const BY_NAME: ReadonlyMap<string, Directive> = new Map(
  DIRECTIVES.flatMap((entry) =>
    entry.alias === "" ? [[entry.name, entry] as const] : [[entry.name, entry] as const, [entry.alias, entry] as const],
  ),
);

/** The directive called `name` (any case, alias or not), undefined when there is none. */
export function findDirective(name: string): Directive | undefined {
  return BY_NAME.get(name.toLowerCase());
}

/** Every name that a configuration file may begin a line with, aliases included. */
export function directiveNames(): string[] {
  return [...BY_NAME.keys()];
}

/** The known name that is nearest to `name` by edit distance, undefined when none is near. */
export function nearestDirective(name: string): string | undefined {
  const wanted = name.toLowerCase().replaceAll("_", "-");
  let nearest: string | undefined;
  let nearestDistance = Math.floor(wanted.length / 3) + 1;
  for (const candidate of BY_NAME.keys()) {
    const distance = editDistance(wanted, candidate, nearestDistance);
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** How many letters must be changed, added, removed or swapped with their neighbour; `limit` when it is not below. */
export function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const isEqual = left[row - 1] === right[column - 1];
      let distance = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (isEqual ? 0 : 1),
      );
      const isSwap =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) distance = Math.min(distance, beforePrevious[column - 2]! + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return Math.min(previous[right.length]!, limit);
}
