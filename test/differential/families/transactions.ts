/**
 * Grammar of transactions of Redis 7.2: any command of the other families inside and outside MULTI, and WATCH.
 *
 *  Source: the public documentation of transactions.
 */
import {
  type CommandForm,
  command,
  drawForm,
  type Family,
  key,
  oneOf,
  pickForm,
  repeat,
  SKIPLISTS_ONLY,
  script,
  smallInteger,
  textOf,
  weighted,
  word,
} from "../grammar.ts";
import { bitmaps } from "./bitmaps.ts";
import { geo } from "./geo.ts";
import { hashes } from "./hashes.ts";
import { hyperloglog } from "./hyperloglog.ts";
import { keys } from "./keys.ts";
import { lists } from "./lists.ts";
import { sets } from "./sets.ts";
import { sortedSets } from "./sorted-sets.ts";
import { sorting } from "./sorting.ts";
import { streams } from "./streams.ts";
import { strings } from "./strings.ts";

const others = [strings, keys, lists, hashes, sets, sortedSets, streams, bitmaps, hyperloglog, geo, sorting];

/**
 * What 7.0 refuses to queue and 7.2 takes, what shows how a server is built, and what removes an expired key by chance.
 * SORT: Redis refuses numbers that it can read when a command before met one beyond the range of doubles.
 * PFADD and its like: on strings that other commands have changed inside, what they do depends on bytes that mean nothing.
 */
const LEFT_OUT = ["ZRANK", "ZREVRANK", "OBJECT REFCOUNT", "RANDOMKEY", "SORT", "SORT_RO"].concat([
  "PFADD",
  "PFMERGE",
  "PFCOUNT",
  "PFDEBUG",
]);

/** The forms of all families, equally often. */
const everything: readonly CommandForm[] = others.flatMap((family) =>
  weighted(
    family.forms.filter((form) => !LEFT_OUT.includes(form.name)),
    1,
  ),
);

const multi = [Buffer.from("MULTI")];
const side = oneOf(word("LEFT"), word("RIGHT"));
/** They would wait for ever; inside a transaction they come back at once. */
const waiting: readonly CommandForm[] = [
  command("BLPOP", [repeat(key(), 1, 3), textOf("0", "0.0")], { maySpoil: false }),
  command("BRPOP", [repeat(key(), 1, 3), textOf("0")], { maySpoil: false }),
  command("BLMOVE", [key(), key(), side, side, textOf("0")], { maySpoil: false }),
  command("BRPOPLPUSH", [key(), key(), textOf("0")], { maySpoil: false }),
  command("BLMPOP", [textOf("0"), textOf("1"), key(), side], { maySpoil: false }),
  command("BZPOPMIN", [key(), textOf("0")], { maySpoil: false }),
  command("BZPOPMAX", [repeat(key(), 1, 3), textOf("0")], { maySpoil: false }),
  command("BZMPOP", [textOf("0"), textOf("1"), key(), oneOf(word("MIN"), word("MAX"))], { maySpoil: false }),
  command("XREAD", [word("BLOCK"), textOf("0"), word("STREAMS"), key(), textOf("$", "0-0")], { maySpoil: false }),
];

const whole = script(
  "MULTI",
  (random) => {
    const watched = random.chance(0.2) ? [[[Buffer.from("WATCH"), ...repeat(key(), 1, 2)(random)]] as const] : [];
    const between = random.chance(0.5) && watched.length > 0 ? drawForm(pickForm(everything, random), random) : [];
    const queued = Array.from({ length: random.between(0, 8) }, () =>
      drawForm(pickForm(everything, random), random),
    ).flat();
    const waits = random.chance(0.15) ? drawForm(random.pick(waiting), random) : [];
    const end = [Buffer.from(random.chance(0.93) ? "EXEC" : "DISCARD")];
    return [...watched, ...between, [multi], ...queued, ...waits, [end]];
  },
  { weight: 30 },
);

export const transactions: Family = {
  name: "transactions",
  settings: SKIPLISTS_ONLY,
  share: 0.5,
  forms: [
    whole,
    command("MULTI", [], { weight: 2 }),
    command("EXEC", [], { weight: 4 }),
    command("DISCARD", [], { weight: 1 }),
    command("WATCH", [repeat(key(), 1, 3)], { weight: 3 }),
    command("UNWATCH", [], { weight: 1 }),
    command("NOSUCHCOMMAND", [repeat(smallInteger(0, 3), 0, 2)], { weight: 0.5 }),
    ...weighted(everything, 33),
  ],
};
