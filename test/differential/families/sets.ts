/**
 * Grammar of the set family of Redis 7.2. What is drawn at random is compared by its shape; how evenly it is drawn is
 * tested elsewhere.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import { compareScan, compareShape, compareUnordered } from "../compare.ts";
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
import { common, count, element, longText, numberedKeys, widthInteger } from "./elements.ts";

const member: Piece = mostly(0.7, oneOf(smallInteger(0, 12), widthInteger(), smallInteger(0, 5)), element);
const everything = sequence(fixed("0"), word("COUNT"), textOf("100000", "1000000"));
/** A set that never has more than one member, so that it is known which one goes. */
const single = fixed("single");
const several = repeat(key(), 1, 4);
const unordered = { compare: compareUnordered };

export const sets: Family = {
  name: "sets",
  share: 0.6,
  settings: [
    { both: {} },
    // No SADD but the longest has more members than this: 7.2 expects as many as it is given, 7.0 looks for repetitions.
    { both: { "set-max-intset-entries": "6" } },
    { both: { "set-max-intset-entries": "0" } },
    { both: {}, subject: { "set-max-listpack-entries": "128" } },
    {
      both: { "set-max-intset-entries": "6" },
      subject: { "set-max-listpack-entries": "8", "set-max-listpack-value": "10" },
    },
    { both: { "set-max-intset-entries": "8" }, subject: { "set-max-listpack-entries": "3" } },
  ],
  forms: [
    command("SADD", [key(), repeat(smallInteger(0, 12), 1, 4)], { weight: 3 }),
    command("SADD", [key(), repeat(widthInteger(), 1, 3)], { weight: 2 }),
    command("SADD", [key(), repeat(member, 1, 5)], { weight: 2 }),
    command("SADD", [key(), repeat(element, 20, 60)], { weight: 0.2 }),
    command("SADD", [key(), longText], { weight: 0.4 }),
    command("SREM", [key(), repeat(member, 1, 4)], { weight: 2 }),
    command("SCARD", [key()]),
    command("SISMEMBER", [key(), member]),
    command("SMISMEMBER", [key(), repeat(member, 1, 5)]),
    command("SMEMBERS", [key()], unordered),
    command("SMOVE", [key(), key(), member], { weight: 1.5 }),
    command("SINTER", [several], unordered),
    command("SUNION", [several], unordered),
    command("SDIFF", [several], unordered),
    command("SINTERSTORE", [key(), several]),
    command("SUNIONSTORE", [key(), several]),
    command("SDIFFSTORE", [key(), several]),
    command("SINTERCARD", [numberedKeys(key()), optional(sequence(word("LIMIT"), count()))], { weight: 1.5 }),
    command("SINTERCARD", [numberedKeys(key()), anyOrder([sequence(word("LIMIT"), count()), word("BAD")], 0.6)], {
      weight: 0.3,
    }),
    command("SADD", [single, fixed("only")], { weight: 0.5, maySpoil: false }),
    command("SPOP", [single], { weight: 0.3, maySpoil: false }),
    command("SRANDMEMBER", [single], { weight: 0.3, maySpoil: false }),
    command("SRANDMEMBER", [single, textOf("-3", "1", "5")], { weight: 0.3, maySpoil: false }),
    command("SPOP", [key(), textOf("100000", "0", "-1", "abc", "9223372036854775807", "1.0", "")], {
      ...unordered,
      maySpoil: false,
      weight: 0.5,
    }),
    command("SPOP", [key(), fixed("1"), fixed("2")], { weight: 0.1, maySpoil: false }),
    command("SRANDMEMBER", [key()], { compare: compareShape, maySpoil: false }),
    command("SRANDMEMBER", [key(), textOf("100000", "0", "9223372036854775807")], { ...unordered, maySpoil: false }),
    command("SRANDMEMBER", [key(), oneOf(smallInteger(-9, 9), textOf("abc", "-9223372036854775808", "1.0"))], {
      compare: compareShape,
      maySpoil: false,
    }),
    command(
      "SSCAN",
      [key(), everything, anyOrder([sequence(word("MATCH"), oneOf(pattern(), textOf("1*", "?", "-*")))])],
      {
        compare: compareScan,
        maySpoil: false,
      },
    ),
    command(
      "SSCAN",
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
