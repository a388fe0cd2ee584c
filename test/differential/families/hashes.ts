/**
 * Grammar of the hash family of Redis 7.2.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import { compareScanPairs, compareShape, compareUnordered, compareUnorderedPairs } from "../compare.ts";
import { compareDumps } from "../compare-dumps.ts";
import {
  anyOrder,
  command,
  type Family,
  fixed,
  float,
  integer,
  key,
  mostly,
  oneOf,
  optional,
  type Piece,
  pattern,
  repeat,
  sequence,
  smallInteger,
  textOf,
  word,
} from "../grammar.ts";
import { common, count, element, longText } from "./elements.ts";

const field: Piece = mostly(0.85, textOf("f1", "f2", "f3", "f4", "1", "2", "", "a", "\x00\xff"), element);
const pair = sequence(field, element);
const numeric = textOf("n1", "n2", "f1");
/** With a count that covers everything, the whole hash comes at once. */
const everything = sequence(fixed("0"), word("COUNT"), textOf("100000", "1000000"));

export const hashes: Family = {
  name: "hashes",
  share: 0.6,
  settings: [
    { both: {} },
    // No HSET but the longest has more pairs than this: 7.2 makes a table of such a one, 7.0 looks for repetitions first.
    { both: { "hash-max-listpack-entries": "6" } },
    { both: { "hash-max-listpack-value": "10" } },
    { both: { "hash-max-listpack-entries": "0" } },
    { both: { "hash-max-listpack-entries": "8", "hash-max-listpack-value": "20" } },
  ],
  forms: [
    command("HSET", [key(), pair], { weight: 3 }),
    command("HSET", [key(), repeat(pair, 2, 6)], { weight: 2 }),
    command("HSET", [key(), repeat(pair, 20, 60)], { weight: 0.2 }),
    command("HSET", [key(), longText, longText], { weight: 0.5 }),
    command("HMSET", [key(), repeat(pair, 1, 4)]),
    command("HSETNX", [key(), pair]),
    command("HGET", [key(), field], { weight: 1.5 }),
    command("HMGET", [key(), repeat(field, 1, 5)], { weight: 1.5 }),
    command("HGETALL", [key()], { compare: compareUnorderedPairs }),
    command("HKEYS", [key()], { compare: compareUnordered, weight: 0.7 }),
    command("HVALS", [key()], { compare: compareUnordered, weight: 0.7 }),
    command("HLEN", [key()]),
    command("HSTRLEN", [key(), field]),
    command("HEXISTS", [key(), field]),
    command("HDEL", [key(), repeat(field, 1, 4)], { weight: 1.5 }),
    command("HSET", [key(), numeric, oneOf(integer(), float())], { weight: 1.5 }),
    command("HINCRBY", [key(), numeric, integer()], { weight: 2 }),
    command("HINCRBY", [key(), field, integer()], { weight: 0.7 }),
    command("HINCRBYFLOAT", [key(), numeric, float()], { weight: 2 }),
    command("HINCRBYFLOAT", [key(), field, integer()], { weight: 0.7 }),
    command("HRANDFIELD", [key()], { compare: compareShape, weight: 0.5 }),
    command("HRANDFIELD", [key(), textOf("100", "1000", "0")], { compare: compareUnordered, maySpoil: false }),
    command("HRANDFIELD", [key(), textOf("100", "1000"), word("WITHVALUES")], {
      compare: (expected, actual) =>
        // RESP2 has names and values in turns, RESP3 pairs.
        compareUnordered(expected, actual) === undefined ? undefined : compareUnorderedPairs(expected, actual),
      maySpoil: false,
    }),
    command(
      "HRANDFIELD",
      [key(), oneOf(smallInteger(-9, 9), count()), optional(oneOf(word("WITHVALUES"), fixed("BAD")))],
      {
        compare: compareShape,
        maySpoil: false,
      },
    ),
    command(
      "HSCAN",
      [key(), everything, anyOrder([sequence(word("MATCH"), oneOf(pattern(), textOf("f*", "?1", "1")))])],
      {
        compare: compareScanPairs,
        maySpoil: false,
      },
    ),
    command(
      "HSCAN",
      [
        key(),
        textOf("0", "abc", "-1", ""),
        oneOf(sequence(word("COUNT"), textOf("0", "-1", "abc")), word("COUNT"), fixed("BAD"), word("TYPE")),
      ],
      { weight: 0.4, maySpoil: false },
    ),
    command("OBJECT ENCODING", [key()], { weight: 0.7 }),
    command("DUMP", [key()], { weight: 0.3, compare: compareDumps }),
    ...common,
  ],
};
