/**
 * Grammar of the sorted set family of Redis 7.2, blocking commands among it: those come to an end at once or after a
 * millisecond. Ranges by name are drawn on keys whose members all have the score 0, as these commands demand.
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
import {
  badTimeout,
  common,
  count,
  element,
  index,
  limit,
  longText,
  numberedKeys,
  score,
  shortTimeout,
} from "./elements.ts";

const member: Piece = mostly(
  0.8,
  oneOf(textOf("a", "b", "c", "d", "e", "f", "g", "h", ""), smallInteger(0, 9)),
  element,
);
const scored = sequence(score(), member);
const scoredSimply = sequence(smallInteger(0, 5), member);
const addOptions = anyOrder([oneOf(word("NX"), word("XX")), oneOf(word("GT"), word("LT")), word("CH")], 0.3);
const oddAddOptions = anyOrder([word("NX"), word("XX"), word("GT"), word("LT"), word("CH"), word("INCR")], 0.4);

/** A border of a range by score. */
const border: Piece = oneOf(
  textOf("-inf", "+inf", "inf", "(0", "(1", "(2", "0", "1", "2", "(-inf", "(+inf"),
  smallInteger(-2, 6),
  sequence(score()),
  mostly(0.3, textOf("(", "nan", "(nan", "abc", "", "((1", "[1", "1e400", "(0x10"), textOf("(1.5", "0.1")),
);
const scoreRange: Piece = (random) =>
  random.chance(0.5)
    ? [...textOf("-inf", "(0", "0", "-1", "-2")(random), ...textOf("+inf", "(5", "5", "2", "(3")(random)]
    : [...border(random), ...border(random)];

/** A border of a range by name. */
const name: Piece = oneOf(
  textOf("-", "+", "[a", "(a", "[b", "(c", "[d", "[e", "(f", "[g"),
  textOf("[", "(", "[\xff", "(aa", "[ab", "[0"),
  mostly(0.4, textOf("a", "", "++", "-inf", "*", "{a"), textOf("-", "+")),
);
const nameRange: Piece = (random) =>
  random.chance(0.5)
    ? [...textOf("-", "[a", "(a", "[b")(random), ...textOf("+", "[e", "(f", "[d")(random)]
    : [...name(random), ...name(random)];
const named = textOf("lex1", "lex2");
const plain = fixed("plain");

const weights = sequence(word("WEIGHTS"), repeat(oneOf(textOf("1", "2", "0.5", "-1", "0", "inf"), score()), 1, 3));
const aggregate = sequence(word("AGGREGATE"), oneOf(word("SUM"), word("MIN"), word("MAX"), textOf("BAD", "avg")));
/** `numkeys keys [WEIGHTS ...] [AGGREGATE ...]`: mostly as many weights as keys. */
const combined: Piece = (random) => {
  const keys = repeat(oneOf(key(), key(), textOf("set1", "lex1")), 1, 3)(random);
  const said = random.chance(0.95) ? String(keys.length) : random.pick(["0", "-1", "9", "abc", "1"]);
  const args = [Buffer.from(said), ...keys];
  if (random.chance(0.4)) {
    if (random.chance(0.9)) {
      args.push(...word("WEIGHTS")(random));
      for (const _ of keys) args.push(...oneOf(textOf("1", "2", "0.5", "-1", "0", "inf"), score())(random));
    } else args.push(...weights(random));
  }
  if (random.chance(0.4)) args.push(...aggregate(random));
  return args;
};

const edge = oneOf(word("MIN"), word("MAX"), word("MIN"), word("MAX"), textOf("BAD", ""));
const timeout = oneOf(shortTimeout(), badTimeout());
const blocking = { weight: 0.15, maySpoil: false };
const withScores = optional(word("WITHSCORES"));
const everything = sequence(fixed("0"), word("COUNT"), textOf("100000", "1000000"));

/** ZRANGE with everything that may follow. */
const rangeOptions = anyOrder([word("REV"), limit, word("WITHSCORES")], 0.4);

export const sortedSets: Family = {
  name: "sorted sets",
  share: 0.8,
  settings: [
    { both: {} },
    { both: { "zset-max-listpack-entries": "4" } },
    { both: { "zset-max-listpack-value": "10" } },
    { both: { "zset-max-listpack-entries": "0" } },
    { both: { "zset-max-listpack-entries": "8", "zset-max-listpack-value": "20" } },
  ],
  forms: [
    command("ZADD", [key(), scored], { weight: 3 }),
    command("ZADD", [key(), repeat(scoredSimply, 1, 5)], { weight: 3 }),
    command("ZADD", [key(), repeat(scored, 2, 5)], { weight: 1.5 }),
    command("ZADD", [key(), repeat(sequence(score(), element), 20, 50)], { weight: 0.15 }),
    command("ZADD", [key(), smallInteger(0, 9), longText], { weight: 0.3 }),
    command("ZADD", [key(), addOptions, repeat(scored, 1, 3)], { weight: 2.5 }),
    command("ZADD", [key(), addOptions, word("INCR"), scored], { weight: 1.5 }),
    command("ZADD", [key(), oddAddOptions, repeat(scored, 1, 2)]),
    command("ZINCRBY", [key(), scored], { weight: 1.5 }),
    command("ZREM", [key(), repeat(member, 1, 3)], { weight: 1.2 }),
    command("ZCARD", [key()]),
    command("ZSCORE", [key(), member]),
    command("ZMSCORE", [key(), repeat(member, 1, 4)]),
    command("ZRANK", [key(), member]),
    command("ZREVRANK", [key(), member]),
    command("ZRANK", [key(), member, oneOf(word("WITHSCORE"), textOf("BAD", "WITHSCORES"))], { weight: 0.5 }),
    command("ZREVRANK", [key(), member, oneOf(word("WITHSCORE"), textOf("BAD", "WITHSCORES"))], { weight: 0.5 }),
    command("ZCOUNT", [key(), scoreRange], { weight: 1.5 }),
    command("ZRANGE", [key(), index(), index(), rangeOptions], { weight: 1.5 }),
    command("ZRANGE", [key(), index(), index(), optional(word("REV")), withScores]),
    command("ZRANGE", [key(), scoreRange, word("BYSCORE"), rangeOptions], { weight: 1.5 }),
    command("ZRANGE", [named, nameRange, word("BYLEX"), rangeOptions], { maySpoil: false }),
    command(
      "ZRANGE",
      [
        key(),
        oneOf(sequence(index(), index()), scoreRange),
        anyOrder([word("BYSCORE"), word("BYLEX"), word("REV"), word("BAD"), limit, word("WITHSCORES")], 0.4),
      ],
      { weight: 0.3, compare: compareShape, maySpoil: false },
    ),
    command("ZREVRANGE", [key(), index(), index(), withScores]),
    command("ZRANGEBYSCORE", [key(), scoreRange, anyOrder([limit, word("WITHSCORES")])], { weight: 1.5 }),
    command("ZREVRANGEBYSCORE", [key(), border, border, anyOrder([limit, word("WITHSCORES")])], { weight: 1.2 }),
    command("ZRANGESTORE", [key(), key(), index(), index(), anyOrder([word("REV"), limit], 0.3)]),
    // From a key without negative zeros: Redis loses some of the signs where the result begins as a listpack and grows.
    command("ZRANGESTORE", [key(), plain, scoreRange, word("BYSCORE"), anyOrder([word("REV"), limit], 0.3)]),
    command("ZADD", [plain, repeat(scored, 1, 5)], { weight: 1.5, maySpoil: false }),
    command("ZRANGESTORE", [key(), named, nameRange, word("BYLEX"), anyOrder([word("REV"), limit], 0.3)], {
      weight: 0.5,
      maySpoil: false,
    }),
    command("ZADD", [named, repeat(sequence(fixed("0"), member), 1, 5)], { weight: 1.5, maySpoil: false }),
    command("ZREM", [named, repeat(member, 1, 2)], { weight: 0.3 }),
    command("ZLEXCOUNT", [named, nameRange], { maySpoil: false }),
    command("ZRANGEBYLEX", [named, nameRange, optional(limit)], { maySpoil: false }),
    command("ZREVRANGEBYLEX", [named, name, name, optional(limit)], { maySpoil: false }),
    command("ZREMRANGEBYLEX", [named, nameRange], { weight: 0.4, maySpoil: false }),
    command("ZLEXCOUNT", [key(), textOf("a", "", "[a"), textOf("b", "+x")], { weight: 0.2, compare: compareShape }),
    command("ZREMRANGEBYRANK", [key(), index(), index()], { weight: 0.5 }),
    command("ZREMRANGEBYSCORE", [key(), border, border], { weight: 0.6 }),
    command("ZPOPMIN", [key(), optional(count(), 0.6)]),
    command("ZPOPMAX", [key(), optional(count(), 0.6)]),
    command("ZMPOP", [numberedKeys(key()), edge, optional(sequence(word("COUNT"), count()))]),
    command("ZMPOP", [numberedKeys(key()), edge, anyOrder([sequence(word("COUNT"), count()), word("BAD")], 0.6)], {
      weight: 0.2,
    }),
    command("BZPOPMIN", [repeat(key(), 1, 3), timeout], blocking),
    command("BZPOPMAX", [repeat(key(), 1, 3), timeout], blocking),
    command("BZMPOP", [timeout, numberedKeys(key()), edge, optional(sequence(word("COUNT"), count()))], blocking),
    command("SADD", [fixed("set1"), repeat(member, 1, 3)], { weight: 0.4, maySpoil: false, needs: "SADD" }),
    command("ZUNION", [combined, withScores]),
    command("ZINTER", [combined, withScores], { weight: 1.2 }),
    command("ZDIFF", [numberedKeys(oneOf(key(), textOf("set1", "lex1"))), withScores]),
    command("ZUNIONSTORE", [key(), combined]),
    command("ZINTERSTORE", [key(), combined]),
    command("ZDIFFSTORE", [key(), numberedKeys(oneOf(key(), textOf("set1", "lex1")))]),
    command("ZINTERCARD", [numberedKeys(oneOf(key(), textOf("set1"))), optional(sequence(word("LIMIT"), count()))]),
    command("ZRANDMEMBER", [key()], { compare: compareShape, weight: 0.5, maySpoil: false }),
    command("ZRANDMEMBER", [key(), textOf("0", "100000")], { compare: compareUnordered, maySpoil: false, weight: 0.7 }),
    command("ZRANDMEMBER", [key(), textOf("1000", "100000"), word("WITHSCORES")], {
      // RESP2 has members and scores in turns, RESP3 pairs.
      compare: (expected, actual) =>
        compareUnordered(expected, actual) === undefined ? undefined : compareUnorderedPairs(expected, actual),
      maySpoil: false,
      weight: 0.7,
    }),
    command(
      "ZRANDMEMBER",
      [key(), oneOf(smallInteger(-9, 9), count()), optional(oneOf(word("WITHSCORES"), fixed("BAD")))],
      {
        compare: compareShape,
        maySpoil: false,
      },
    ),
    command(
      "ZSCAN",
      [key(), everything, anyOrder([sequence(word("MATCH"), oneOf(pattern(), textOf("a*", "?", "1*")))])],
      {
        compare: compareScanPairs,
        maySpoil: false,
      },
    ),
    command(
      "ZSCAN",
      [
        key(),
        textOf("0", "abc", "-1", ""),
        oneOf(sequence(word("COUNT"), textOf("0", "-1", "abc")), word("COUNT"), fixed("BAD"), word("TYPE")),
      ],
      { weight: 0.3, maySpoil: false },
    ),
    command("OBJECT ENCODING", [key()], { weight: 0.5 }),
    command("DUMP", [key()], { weight: 0.3, compare: compareDumps }),
    ...common,
  ],
};
