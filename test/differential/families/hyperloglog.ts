/**
 * Grammar of the HyperLogLog family of Redis 7.2: their strings are compared byte by byte, sparse and dense, whole and damaged.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import { compareDumps } from "../compare-dumps.ts";
import {
  badInteger,
  command,
  type Family,
  fixed,
  key,
  mostly,
  oneOf,
  type Piece,
  repeat,
  sequence,
  shortText,
  smallInteger,
  textOf,
  value,
  word,
} from "../grammar.ts";

const element: Piece = oneOf(smallInteger(0, 9), smallInteger(0, 1000), shortText("abc", 6), value());
const many: Piece = (random) => {
  const start = random.below(5000);
  return Array.from({ length: random.between(50, 400) }, (_, at) => Buffer.from(`element:${start + at}`));
};
const header = (encoding: number, rest: string): Buffer =>
  Buffer.concat([Buffer.from("HYLL"), Buffer.from([encoding, 0, 0, 0]), Buffer.alloc(8), Buffer.from(rest, "hex")]);

/** Strings that look like HyperLogLogs. None ends inside of a code: there Redis reads on behind the string. */
const damaged: Piece = oneOf(
  fixed(header(1, "7fff")),
  fixed(header(1, "7ffe")),
  fixed(header(1, "7fff7fff")),
  fixed(header(1, "")),
  fixed(header(1, "80")),
  fixed(header(1, "bf7ffb")),
  fixed(header(1, "ffffff7fff")),
  fixed(header(0, "00".repeat(12_288))),
  fixed(header(0, "ff".repeat(12_288))),
  fixed(header(0, "00".repeat(12_287))),
  fixed(header(2, "7fff")),
  textOf("HYLL", "HYLL\x01", "", "hyll\x01\x00\x00\x00"),
);

export const hyperloglog: Family = {
  name: "hyperloglog",
  share: 0.4,
  settings: [
    { both: {} },
    { both: { "hll-sparse-max-bytes": "0" } },
    { both: { "hll-sparse-max-bytes": "30" } },
    { both: { "hll-sparse-max-bytes": "300" } },
  ],
  forms: [
    command("PFADD", [key(), repeat(element, 1, 5)], { weight: 3 }),
    command("PFADD", [key(), repeat(element, 5, 40)], { weight: 1.5 }),
    command("PFADD", [key(), many], { weight: 1.5 }),
    command("PFADD", [key()], { weight: 0.4 }),
    command("PFCOUNT", [key()], { weight: 2 }),
    command("PFCOUNT", [repeat(key(), 2, 4)]),
    command("PFMERGE", [key(), repeat(key(), 0, 3)]),
    command("PFDEBUG ENCODING", [key()]),
    command("PFDEBUG DECODE", [key()], { weight: 0.7 }),
    command("PFDEBUG TODENSE", [key()], { weight: 0.3 }),
    command("PFDEBUG GETREG", [key()], { weight: 0.02 }),
    command("PFDEBUG", [textOf("BAD", ""), key()], { weight: 0.2, maySpoil: false }),
    command("GET", [key()], { weight: 0.7 }),
    command("STRLEN", [key()], { weight: 0.4 }),
    command("SET", [key(), damaged], { weight: 0.5, maySpoil: false }),
    command("SET", [key(), mostly(0.5, shortText(), badInteger())], { weight: 0.2 }),
    command(
      "SETRANGE",
      [key(), oneOf(smallInteger(0, 20), textOf("16", "17", "100")), textOf("\x00", "\xff", "\x3f", "\x80")],
      {
        weight: 0.4,
        maySpoil: false,
      },
    ),
    command("APPEND", [key(), textOf("\x00", "\x7f\xff", "\x80")], { weight: 0.15 }),
    command("COPY", [key(), key(), word("REPLACE")], { weight: 0.3 }),
    command("DUMP", [key()], { weight: 0.2, compare: compareDumps }),
    command("DEL", [key()], { weight: 0.6 }),
    command("SADD", [key(), sequence(smallInteger(0, 3))], { weight: 0.1, needs: "SADD", maySpoil: false }),
  ],
};
