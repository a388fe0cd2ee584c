/**
 * Grammar of SORT over lists, sets and sorted sets, with weights and values in other keys and in fields of hashes.
 *
 *  Where elements are equal by what they are sorted by, their order is free, and so these forms are compared without it.
 *  Source: the syntax and options of SORT as Redis's public command pages give them.
 */
import { compareLength, compareUnordered } from "../compare.ts";
import {
  anyOrder,
  badInteger,
  command,
  type Family,
  fixed,
  key,
  mostly,
  oneOf,
  type Piece,
  repeat,
  SKIPLISTS_ONLY,
  sequence,
  shortText,
  smallInteger,
  textOf,
  word,
} from "../grammar.ts";

const list = textOf("l1", "l2");
const set = textOf("s1", "s2");
const zset = textOf("z1", "z2");
const any = oneOf(list, list, set, zset, key());
const ordered = oneOf(list, list, zset);
// Nothing beyond the range of doubles: after one such number Redis refuses the next ones, too.
const number = textOf("0.1", "-1.5", "2.5", "1e3", "3.0", "1e300", "nan", "inf", "0x10", " 1", "1 ");
const element: Piece = mostly(
  0.85,
  smallInteger(0, 9),
  oneOf(number, shortText("abc", 3), textOf("10", "-1", "inf", "")),
);

const direction = oneOf(word("ASC"), word("DESC"));
const limit = sequence(
  word("LIMIT"),
  oneOf(smallInteger(-2, 5), badInteger()),
  oneOf(smallInteger(-2, 6), badInteger()),
);
const by = sequence(
  word("BY"),
  textOf("w_*", "h_*->f", "h_*->g", "w_*->f", "none_*", "w_*_*", "*", "w_*->", "->*", "h_*->f*"),
);
const get = sequence(word("GET"), textOf("#", "w_*", "h_*->f", "h_*->none", "*", "x", "h_*->", "w_*->f", "#*"));
const destination = oneOf(key(), list);

export const sorting: Family = {
  name: "sorting",
  share: 0.5,
  settings: SKIPLISTS_ONLY,
  forms: [
    command("RPUSH", [list, repeat(element, 1, 6)], { weight: 2, maySpoil: false }),
    // Elements that strcoll finds equal, as those with a zero byte, would come in any order.
    command("SADD", [set, repeat(element, 1, 6)], { weight: 2, maySpoil: false }),
    command("ZADD", [zset, repeat(sequence(smallInteger(0, 5), element), 1, 5)], { weight: 2, maySpoil: false }),
    command(
      "SET",
      [textOf("w_0", "w_1", "w_2", "w_3", "w_5", "w_a"), oneOf(smallInteger(0, 20), number, shortText())],
      {
        weight: 2,
      },
    ),
    command(
      "HSET",
      [textOf("h_0", "h_1", "h_2", "h_3", "h_4", "h_a"), textOf("f", "g", ""), oneOf(smallInteger(0, 20), number)],
      {
        weight: 2,
      },
    ),
    command("SORT", [any], { weight: 1.5 }),
    command("SORT", [any, anyOrder([word("ALPHA"), direction, limit, get])], { weight: 2 }),
    command("SORT", [any, anyOrder([word("ALPHA"), direction, get, get])], { weight: 1.5 }),
    command("SORT", [any, by, anyOrder([direction, get], 0.5)], {
      weight: 2,
      maySpoil: false,
      compare: compareUnordered,
    }),
    command("SORT", [any, by, anyOrder([direction, limit, word("ALPHA"), get, get])], {
      compare: compareLength,
      maySpoil: false,
    }),
    command("SORT", [ordered, word("BY"), textOf("nosort", "x", "none"), anyOrder([limit, get, direction])], {
      weight: 1.5,
    }),
    command("SORT", [any, anyOrder([word("ALPHA"), direction, limit, get]), word("STORE"), destination], { weight: 2 }),
    command("SORT", [oneOf(ordered, set), word("BY"), fixed("nosort"), word("STORE"), destination], {
      maySpoil: false,
    }),
    command("SORT", [any, anyOrder([word("ALPHA"), word("BAD"), word("BY"), word("GET"), word("LIMIT")], 0.5)], {
      weight: 0.4,
      compare: compareLength,
      maySpoil: false,
    }),
    command("SORT_RO", [any, anyOrder([word("ALPHA"), direction, limit, get])]),
    command("SORT_RO", [any, word("STORE"), destination], { weight: 0.2 }),
    command("LPOP", [list], { weight: 0.3 }),
    command("DEL", [oneOf(list, set, zset, key())], { weight: 0.4 }),
    command("SET", [key(), shortText()], { weight: 0.2 }),
    command("HSET", [list, fixed("f"), fixed("v")], { weight: 0.1, maySpoil: false }),
  ],
};
