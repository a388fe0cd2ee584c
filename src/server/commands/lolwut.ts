/**
 * LOLWUT: a picture that nobody needs. Ours is a range of hills under the moon, another one at each call.
 *
 *      layers     far .  middle :  near #        each a line of random height, halved again and again (midpoint
 *                                                displacement); a nearer layer covers what lies behind it
 *
 *  Source: midpoint displacement (Fournier, Fussell, Carpenter 1982).
 */

import type { CommandContext, CommandTable } from "../../commands/command.ts";
import { NOT_AN_INTEGER } from "../../protocol/errors.ts";
import type { Server } from "../server.ts";
import { EVERKEY_VERSION, REDIS_VERSION } from "../version.ts";

const COLUMNS = 65;
const ROWS = 14;
const LAYERS: readonly { mark: string; base: number; roughness: number }[] = [
  { mark: ".", base: 0.62, roughness: 0.5 },
  { mark: ":", base: 0.42, roughness: 0.36 },
  { mark: "#", base: 0.18, roughness: 0.24 },
];

export function lolwutCommands(server: Server): CommandTable {
  return {
    LOLWUT: {
      arity: -1,
      flags: ["readonly", "fast"],
      acl: [],
      since: "5.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Draws a picture.",
      arguments: "[VERSION version(integer)]",
      run: (context) => lolwut(server, context),
    },
  };
}

/** LOLWUT [VERSION version]: there is one picture for all versions. */
function lolwut(server: Server, { request, reply }: CommandContext): void {
  if (request.count >= 3 && request.is(1, "VERSION") && Number.isNaN(request.integer(2))) {
    return reply.error(NOT_AN_INTEGER);
  }
  const random = (): number => server.host.random.uint32() / 2 ** 32;
  reply.verbatim(
    `${picture(random)}\n\nHills, made for you alone. Everkey ${EVERKEY_VERSION}, Redis ver. ${REDIS_VERSION}\n`,
    "txt",
  );
}

/** ROWS lines of COLUMNS characters. `random` gives numbers from 0 to 1. */
export function picture(random: () => number): string {
  const rows = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(" "));
  for (let star = 0; star < 24; star++) {
    rows[Math.floor(random() * (ROWS / 2))]![Math.floor(random() * COLUMNS)] = random() < 0.3 ? "+" : "'";
  }
  const moonColumn = 6 + Math.floor(random() * (COLUMNS - 16));
  ["_", "(_)"].forEach((line, row) => {
    const left = moonColumn + 1 - (line.length >> 1);
    for (let index = 0; index < line.length; index++) rows[row + 1]![left + index] = line[index]!;
  });
  for (const { mark, base, roughness } of LAYERS) {
    const heights = ridge(random, base, roughness);
    for (let column = 0; column < COLUMNS; column++) {
      const top = ROWS - Math.max(1, Math.min(ROWS, Math.round(heights[column]! * ROWS)));
      for (let row = top; row < ROWS; row++) rows[row]![column] = mark;
    }
  }
  return rows.map((row) => row.join("").trimEnd()).join("\n");
}

/** COLUMNS heights around `base`. */
function ridge(random: () => number, base: number, roughness: number): number[] {
  const heights = new Array<number>(COLUMNS).fill(base);
  let swing = roughness;
  for (let step = COLUMNS - 1; step > 1; step /= 2) {
    for (let left = 0; left + step < COLUMNS; left += step) {
      const middle = (heights[left]! + heights[left + step]!) / 2;
      heights[left + step / 2] = middle + (random() - 0.5) * swing;
    }
    swing *= 0.55;
  }
  return heights;
}
