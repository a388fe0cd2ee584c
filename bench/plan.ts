/** What every measurement is given: how large, how often, with which servers, and where progress goes. */

import type { ServerFactory, Side } from "./servers.ts";
import { SIDES } from "./servers.ts";

export type Mode = "quick" | "normal" | "full";

export interface Plan {
  readonly mode: Mode;
  /** Rounds of each measurement; sides change places from round to round: A B, B A, A B, ... */
  readonly rounds: number;
  readonly factory: ServerFactory;
  /** A second redis-server stands in Everkey's place, to try the bench itself. */
  readonly isTrial: boolean;
  /** How to start Everkey's program: Node.js and bin/everkey. Subcommands follow. */
  readonly everkey: readonly string[];
  /** The throughput families to measure, by name; undefined for all. */
  readonly familyFilter: ReadonlySet<string> | undefined;
  /** One line about what is going on now. */
  readonly progress: (text: string) => void;
}

/** The sides in the order of `round`, so that a drift of the machine hits both alike. */
export function sidesOf(round: number): readonly Side[] {
  return round % 2 === 0 ? SIDES : [...SIDES].reverse();
}

export function bySide<T>(make: () => T): Record<Side, T> {
  return { subject: make(), redis: make() };
}
