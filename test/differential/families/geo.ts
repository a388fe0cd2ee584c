/**
 * Grammar of the geo family of Redis 7.2.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import type { SeededRandom } from "../../support/seed.ts";
import { compareRounded } from "../compare.ts";
import {
  anyOrder,
  type CommandForm,
  command,
  type Family,
  fixed,
  key,
  mostly,
  oneOf,
  optional,
  type Piece,
  repeat,
  script,
  sequence,
  smallInteger,
  textOf,
  word,
} from "../grammar.ts";
import { common, count, score } from "./elements.ts";

const MEMBERS = ["Palermo", "Catania", "Rome", "a", "b", "c", "d", "pole", "date line", "", "0", "1", "2", "3"];
const member = textOf(...MEMBERS);

const pair = (random: SeededRandom, pairs: readonly (readonly string[])[]): Buffer[] =>
  random.pick(pairs).map((text) => Buffer.from(text));

/** Any place. */
const place: Piece = (random) => {
  const choice = random.below(8);
  if (choice < 4) return pair(random, KNOWN_PLACES);
  if (choice < 5) return pair(random, EDGES);
  if (choice < 7) return [Buffer.from(String(random.between(-180, 180))), Buffer.from(String(random.between(-85, 85)))];
  return pair(random, NO_PLACES);
};
const KNOWN_PLACES = [
  ["13.361389", "38.115556"],
  ["15.087269", "37.502669"],
  ["12.496366", "41.902782"],
  ["13.583333", "37.316667"],
  ["-122.27652", "37.805186"],
  ["2.349014", "48.864716"],
];
const EDGES = [
  ["180", "0"],
  ["-180", "0"],
  ["179.99", "0.1"],
  ["-179.99", "-0.1"],
  ["0", "85.05112878"],
  ["0", "-85.05112878"],
  ["0", "85"],
  ["90", "85"],
  ["0", "0"],
  ["-0.0", "-0.0"],
  ["13.361389338970184", "38.1155563954963"],
  ["1e1", "3.8e1"],
];
const NO_PLACES = [
  ["180.001", "0"],
  ["0", "85.06"],
  ["0", "-86"],
  ["-181", "0"],
  ["nan", "0"],
  ["0", "inf"],
  ["abc", "0"],
  ["0", ""],
  ["1,5", "2"],
  ["1000", "1000"],
];

/**
 * A member at one of its own places: no two are equally far from anywhere, since the order of those is free where COUNT
 * is given.
 */
const placed: Piece = (random) => {
  const index = random.below(MEMBERS.length);
  const name = Buffer.from(MEMBERS[index]!);
  if (random.chance(0.05)) return [...pair(random, NO_PLACES), name];
  if (index < KNOWN_PLACES.length && random.chance(0.6))
    return [...KNOWN_PLACES[index]!.map((text) => Buffer.from(text)), name];
  const variant = random.below(3);
  const far = random.chance(0.2);
  const longitude = far ? index * 23.7 - 165 + variant * 5.1 : 10.31 + index * 0.73 + variant * 0.217;
  const latitude = far ? 81.3 - index * 11.9 - variant * 1.7 : 43.17 - index * 0.41 - variant * 0.123;
  return [Buffer.from(longitude.toFixed(5)), Buffer.from(latitude.toFixed(5)), name];
};
const unit = oneOf(word("m"), word("km"), word("mi"), word("ft"), word("km"), textOf("KM", "cm", ""));
const distance = mostly(
  0.9,
  textOf("0", "1", "100", "200", "500", "5000", "20000", "0.5", "200.5", "1e3", "100000"),
  textOf("-1", "abc", "", "nan", "inf", "1e400"),
);
const found = sequence(
  word("COUNT"),
  oneOf(smallInteger(1, 4), smallInteger(0, 5), count()),
  optional(word("ANY"), 0.3),
);
const sorting = oneOf(word("ASC"), word("DESC"));
const shown = [word("WITHCOORD"), word("WITHDIST"), word("WITHHASH")];
const centre = oneOf(sequence(word("FROMLONLAT"), place), sequence(word("FROMMEMBER"), member));
const shape = oneOf(sequence(word("BYRADIUS"), distance, unit), sequence(word("BYBOX"), distance, distance, unit));
const search = mostly(
  0.9,
  sequence(centre, shape, anyOrder([sorting, found])),
  anyOrder([centre, centre, shape, shape, sorting, found, word("ANY"), word("BAD"), word("WITHDIST")], 0.5),
);
const radius = sequence(place, distance, unit);
const radiusByMember = sequence(member, distance, unit);
const store = sequence(word("STORE"), key());
const addOptions = anyOrder([oneOf(word("NX"), word("XX")), word("CH")], 0.3);

/**
 * Stored distances are looked at, and gone again: their last digits depend on the mathematical library, and what is stored is
 * compared exactly.
 */
function distances(name: string, search: Piece): CommandForm {
  return script(name, (random) => [
    [[Buffer.from(name), ...search(random)]],
    [["ZRANGE", "distances", "0", "-1", "WITHSCORES"].map((text) => Buffer.from(text)), compareRounded],
    [["DEL", "distances"].map((text) => Buffer.from(text))],
  ]);
}

export const geo: Family = {
  name: "geo",
  share: 0.6,
  settings: [{ both: {} }, { both: { "zset-max-listpack-entries": "4" } }],
  forms: [
    command("GEOADD", [key(), placed], { weight: 2, maySpoil: false }),
    command("GEOADD", [key(), repeat(placed, 2, 6)], { weight: 3 }),
    command("GEOADD", [key(), addOptions, repeat(placed, 1, 3)], { weight: 1.5 }),
    command(
      "GEOADD",
      [key(), anyOrder([word("NX"), word("XX"), word("GT"), word("INCR"), word("CH")]), place, member],
      {
        weight: 0.4,
      },
    ),
    distances("GEOSEARCHSTORE", sequence(fixed("distances"), key(), search, word("STOREDIST"))),
    distances("GEORADIUS", sequence(key(), radius, anyOrder([sorting, found]), word("STOREDIST"), fixed("distances"))),
    distances("GEORADIUSBYMEMBER", sequence(key(), radiusByMember, word("STOREDIST"), fixed("distances"))),
    command("GEODIST", [key(), member, member, optional(unit)], { weight: 2 }),
    command("GEOHASH", [key(), repeat(member, 0, 4)]),
    command("GEOPOS", [key(), repeat(member, 0, 4)], { weight: 1.5 }),
    command("GEOSEARCH", [key(), search, anyOrder(shown, 0.4)], { weight: 4 }),
    command("GEOSEARCHSTORE", [key(), key(), search], { weight: 1.5 }),
    command("GEORADIUS", [key(), radius, anyOrder([...shown, sorting, found])], { weight: 1.5 }),
    command("GEORADIUS", [key(), radius, anyOrder([sorting, found, store], 0.5)]),
    command("GEORADIUS", [key(), radius, anyOrder([...shown, sorting, found, store, word("BAD")], 0.4)], {
      weight: 0.4,
    }),
    command("GEORADIUS_RO", [key(), radius, anyOrder([...shown, sorting, found, word("STORE")], 0.3)], { weight: 0.7 }),
    command("GEORADIUSBYMEMBER", [key(), radiusByMember, anyOrder([...shown, sorting, found])]),
    command("GEORADIUSBYMEMBER", [key(), radiusByMember, anyOrder([sorting, found, store], 0.5)], { weight: 0.7 }),
    command("GEORADIUSBYMEMBER_RO", [key(), radiusByMember, anyOrder([...shown, sorting, found], 0.3)], {
      weight: 0.7,
    }),
    command("ZADD", [key(), oneOf(score(), textOf("4503599627370495", "4503599627370496")), member], {
      weight: 0.3,
    }),
    command("ZRANGE", [key(), textOf("0"), textOf("-1"), word("WITHSCORES")], { weight: 0.5 }),
    command("ZREM", [key(), repeat(member, 1, 2)], { weight: 0.4 }),
    ...common,
  ],
};
