/**
 * Grammar of the generic key family of Redis 7.2, and of what works on whole databases.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them. The dumps were made by
 *  redis-server 7.0.15 with DUMP.
 */

import { compareIntegers, compareScan, compareShape, compareUnordered } from "../compare.ts";
import { compareDumps } from "../compare-dumps.ts";
import {
  anyOrder,
  badInteger,
  command,
  type Family,
  fixed,
  goodTimeToLive,
  integer,
  key,
  mostly,
  oneOf,
  optional,
  pattern,
  repeat,
  SKIPLISTS_ONLY,
  sequence,
  shortText,
  smallInteger,
  textOf,
  timeToLive,
  unixMilliseconds,
  unixSeconds,
  value,
  word,
} from "../grammar.ts";
import { otherTypes } from "./strings.ts";

const SECONDS_TOLERANCE = 2;
const MILLISECONDS_TOLERANCE = 4000;
const IDLE_TOLERANCE = 3600;

const hex = (text: string) => fixed(Buffer.from(text, "hex"));

/** Whole dumps, in hexadecimal. */
const DUMPS = {
  strings: {
    empty: "00000a005d9b5c400f7fa2da",
    text: "000568656c6c6f0a006372df766534200a",
    int8: "00c00c0a003c2af8515c04bcd5",
    int16: "00c148f40a006ec0b42314cd69f7",
    int32: "00c215cd5b070a00a4b7c909e0e9379e",
    int64: "000c3132333435363738393031320a00911001b1d116e7ac",
    binary: "0004000d0aff0a006cb675f9d5235d2c",
    float: "0003332e350a00214f9989cc908f67",
    packed: "00c30a40c802616261e0ba010161620a0024a6e84170c0c68c",
    leadingZero: "00033030370a007258e27b4c69bad9",
  },
  others: {
    list: "1201020c0c00000002008161020101ff0a0094962b23ac17aa85",
    hash: "100d0d0000000200816602817602ff0a0020f13d442354089d",
    set: "0b0c0200000002000000010002000a006f7938b134eb202e",
    zset: "110c0c00000002008161020101ff0a00a805ceb8d7a93302",
  },
};

const goodDump = oneOf(...Object.values(DUMPS.strings).map(hex));
const otherDump = oneOf(...Object.values(DUMPS.others).map(hex));
/** Cut, changed, of a later version, empty: all must be refused. */
const badDump = oneOf(
  ...Object.values(DUMPS.strings).flatMap((dump) => [
    hex(dump.slice(0, -2)),
    hex(dump.slice(2)),
    hex(`${dump.slice(0, 4)}ff${dump.slice(6)}`),
    hex(`${dump.slice(0, -20)}ffff${dump.slice(-16)}`),
  ]),
  fixed(""),
  fixed("short"),
  value(),
);

const restoreOptions = anyOrder([
  word("REPLACE"),
  word("ABSTTL"),
  sequence(word("IDLETIME"), oneOf(smallInteger(0, 1000), integer())),
  sequence(word("FREQ"), oneOf(smallInteger(0, 255), integer())),
]);

const expireCondition = optional(
  oneOf(textOf("NX", "XX", "GT", "LT", "nx", "Gt"), repeat(textOf("NX", "XX", "GT", "LT"), 2, 3), word("BAD")),
);

const database = (): ReturnType<typeof oneOf> =>
  mostly(0.85, textOf("0", "1", "9", "1"), oneOf(textOf("16", "-1", "99999999999"), badInteger()));

const sortOptions = anyOrder([
  word("ALPHA"),
  oneOf(word("ASC"), word("DESC")),
  sequence(word("LIMIT"), oneOf(smallInteger(-2, 5), integer()), oneOf(smallInteger(-2, 5), integer())),
  sequence(word("BY"), oneOf(textOf("nosort", "w_*", "w_*->f", "*"), key())),
  sequence(word("GET"), oneOf(textOf("#", "w_*", "w_*->f", "*"), key())),
]);

/** SCAN from the start with a count that covers everything: other cursors depend on a server's own table. */
const scanEverything = sequence(
  fixed("0"),
  word("COUNT"),
  textOf("100000", "1000000"),
  anyOrder([
    sequence(word("MATCH"), pattern()),
    sequence(word("TYPE"), textOf("string", "STRING", "list", "zset", "nonsense", "")),
  ]),
);

const badScanOption = oneOf(
  sequence(word("COUNT"), textOf("0", "-5", "abc", "", "99999999999999999999", "1.0")),
  word("COUNT"),
  word("MATCH"),
  word("TYPE"),
  textOf("BAD", "", "NOVALUES"),
);
/** All of these are read as 0. */
const oddZero = sequence(textOf("", "00", "-0", "+0", "0\x00x"), word("COUNT"), fixed("100000"));
const badCursor = textOf("abc", "1.0", " 1", "1 ", "0x10", "99999999999999999999999999999999", "-", "0abc");

export const keys: Family = {
  name: "keys",
  settings: SKIPLISTS_ONLY,
  forms: [
    command("SET", [key(), value()], { weight: 4 }),
    command("SET", [key(), smallInteger(-10, 20_000)]),
    command("SET", [key(), shortText(), word("EX"), goodTimeToLive()], { weight: 1.5 }),
    command("APPEND", [key(), shortText()], { weight: 0.5 }),
    command("GET", [key()]),
    command("COPY", [key(), key()]),
    command("COPY", [key(), key(), anyOrder([sequence(word("DB"), database()), word("REPLACE")])], { weight: 1.5 }),
    command("DEL", [repeat(key(), 1, 4)]),
    command("UNLINK", [repeat(key(), 1, 4)], { weight: 0.7 }),
    command("EXISTS", [repeat(key(), 1, 5)]),
    command("TOUCH", [repeat(key(), 1, 4)]),
    command("TYPE", [key()]),
    command("DUMP", [key()], { compare: compareDumps, weight: 1.5 }),
    command("RESTORE", [key(), oneOf(textOf("0", "0", "-1"), goodTimeToLive()), goodDump, restoreOptions], {
      weight: 1.5,
    }),
    command("RESTORE", [key(), timeToLive(), goodDump, anyOrder([word("REPLACE")])], { maySpoil: false }),
    // Without its last word a time of 1 would be relative: a millisecond, in which the two servers need not agree.
    command("RESTORE", [key(), unixMilliseconds(), goodDump, anyOrder([word("REPLACE")]), word("ABSTTL")], {
      maySpoil: false,
    }),
    command("RESTORE", [key(), fixed("0"), badDump, restoreOptions]),
    command("EXPIRE", [key(), timeToLive(), expireCondition], { weight: 1.5 }),
    command("PEXPIRE", [key(), timeToLive(), expireCondition], { weight: 1.5 }),
    command("EXPIREAT", [key(), unixSeconds(), expireCondition]),
    command("PEXPIREAT", [key(), unixMilliseconds(), expireCondition]),
    command("PERSIST", [key()]),
    command("TTL", [key()], { compare: compareIntegers(SECONDS_TOLERANCE) }),
    command("PTTL", [key()], { compare: compareIntegers(MILLISECONDS_TOLERANCE) }),
    command("EXPIRETIME", [key()], { compare: compareIntegers(SECONDS_TOLERANCE) }),
    command("PEXPIRETIME", [key()], { compare: compareIntegers(MILLISECONDS_TOLERANCE) }),
    command("KEYS", [pattern()], { compare: compareUnordered, weight: 1.5 }),
    command("SCAN", [scanEverything], { compare: compareScan, weight: 1.5, maySpoil: false }),
    command("SCAN", [fixed("0"), oneOf(badScanOption, sequence(word("MATCH"), pattern(), badScanOption))], {
      maySpoil: false,
    }),
    command("SCAN", [oddZero], { compare: compareScan, weight: 0.2, maySpoil: false }),
    command("SCAN", [badCursor, optional(sequence(word("COUNT"), textOf("0", "10")))], {
      weight: 0.5,
      maySpoil: false,
    }),
    command("RANDOMKEY", [], { compare: compareShape }),
    command("RENAME", [key(), key()]),
    command("RENAMENX", [key(), key()]),
    command("MOVE", [key(), database()]),
    command("OBJECT ENCODING", [key()]),
    command("OBJECT REFCOUNT", [key()]),
    // Redis shares small numbers between keys, and with them the time of the last access.
    command("OBJECT IDLETIME", [key()], { compare: compareIntegers(IDLE_TOLERANCE), weight: 0.5 }),
    command("OBJECT FREQ", [key()], { weight: 0.3 }),
    command("OBJECT HELP", [], { weight: 0.2 }),
    command("OBJECT", [textOf("ENCODING", "bad", "HELP", ""), repeat(key(), 0, 2)], { weight: 0.3 }),
    command("SORT", [key()], { weight: 0.5 }),
    command("SORT", [key(), sortOptions]),
    command("SORT", [key(), sortOptions, word("STORE"), key()]),
    command("SORT_RO", [key(), sortOptions], { weight: 0.7 }),
    command("SORT_RO", [key(), word("STORE"), key()], { weight: 0.1 }),
    command("WAIT", [textOf("0", "-1", "abc", "1"), textOf("1", "-1", "abc", "5")], { weight: 0.1, maySpoil: false }),
    command("DBSIZE", []),
    command("SELECT", [database()]),
    command("SWAPDB", [database(), database()], { weight: 0.7 }),
    command("FLUSHDB", [optional(oneOf(word("SYNC"), word("ASYNC"), word("BAD")))], { weight: 0.3 }),
    command("FLUSHALL", [optional(oneOf(word("SYNC"), word("ASYNC"), word("BAD")))], { weight: 0.2 }),
    command("RESTORE", [key(), fixed("0"), otherDump, restoreOptions], { weight: 0.3, needs: "LPUSH" }),
    ...otherTypes,
  ],
};
