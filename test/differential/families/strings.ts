/**
 * Grammar of the string family of Redis 7.2.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import {
  anyOrder,
  type CommandForm,
  command,
  type Family,
  fixed,
  float,
  integer,
  key,
  mostly,
  offset,
  oneOf,
  optional,
  repeat,
  sequence,
  shortText,
  smallInteger,
  timeToLive,
  unixMilliseconds,
  unixSeconds,
  value,
  word,
} from "../grammar.ts";

/** EX, PX, EXAT and PXAT with an amount. */
const expiry = oneOf(
  sequence(word("EX"), timeToLive()),
  sequence(word("PX"), timeToLive()),
  sequence(word("EXAT"), unixSeconds()),
  sequence(word("PXAT"), unixMilliseconds()),
);

const setOptions = anyOrder([oneOf(word("NX"), word("XX")), word("GET"), oneOf(expiry, expiry, word("KEEPTTL"))]);
/** Options in sets that servers must refuse, or take although they look odd. */
const oddSetOptions = anyOrder([
  word("NX"),
  word("XX"),
  word("GET"),
  expiry,
  word("KEEPTTL"),
  word("PERSIST"),
  fixed("EX"),
]);

const lcsOptions = anyOrder([
  word("LEN"),
  word("IDX"),
  word("WITHMATCHLEN"),
  sequence(word("MINMATCHLEN"), oneOf(smallInteger(0, 5), integer())),
]);

/** Values of other types under the same keys, for WRONGTYPE; they join as soon as the subject has these types. */
export const otherTypes: readonly CommandForm[] = [
  command("LPUSH", [key(), shortText()], { weight: 0.2, needs: "LPUSH", maySpoil: false }),
  command("HSET", [key(), shortText(), shortText()], { weight: 0.2, needs: "HSET", maySpoil: false }),
  command("SADD", [key(), smallInteger(0, 9)], { weight: 0.2, needs: "SADD", maySpoil: false }),
  command("ZADD", [key(), smallInteger(0, 9), shortText()], { weight: 0.2, needs: "ZADD", maySpoil: false }),
];

export const strings: Family = {
  name: "strings",
  forms: [
    command("SET", [key(), value()], { weight: 4 }),
    command("SET", [key(), value(), setOptions], { weight: 3 }),
    command("SET", [key(), value(), oddSetOptions]),
    command("SET", [key(), shortText("abcd", 20)], { weight: 1.5 }),
    command("SET", [key(), integer()], { weight: 2 }),
    command("SET", [key(), float()]),
    command("GET", [key()], { weight: 2 }),
    command("GETDEL", [key()]),
    command("GETEX", [key()]),
    command("GETEX", [key(), oneOf(expiry, word("PERSIST"))]),
    command("GETEX", [key(), anyOrder([expiry, word("PERSIST"), word("KEEPTTL"), word("NX")])], { weight: 0.5 }),
    command("GETSET", [key(), value()]),
    command("GETRANGE", [key(), offset(), offset()], { weight: 1.5 }),
    command("SUBSTR", [key(), offset(), offset()], { weight: 0.5 }),
    command("SETRANGE", [key(), offset(), oneOf(shortText(), value())], { weight: 1.5 }),
    command("SETRANGE", [key(), smallInteger(0, 60), shortText()]),
    command("APPEND", [key(), value()], { weight: 1.5 }),
    command("APPEND", [key(), oneOf(smallInteger(0, 99), shortText())]),
    command("STRLEN", [key()]),
    command("SETNX", [key(), value()]),
    command("SETEX", [key(), timeToLive(), value()]),
    command("PSETEX", [key(), timeToLive(), value()]),
    command("MGET", [repeat(key(), 1, 6)]),
    command("MSET", [repeat(sequence(key(), value()), 1, 4)]),
    command("MSETNX", [repeat(sequence(key(), value()), 1, 3)]),
    command("INCR", [key()], { weight: 1.5 }),
    command("DECR", [key()]),
    command("INCRBY", [key(), integer()], { weight: 1.5 }),
    command("DECRBY", [key(), integer()]),
    command("INCRBYFLOAT", [key(), float()], { weight: 2 }),
    command("INCRBYFLOAT", [mostly(0.9, key(), fixed("k1")), integer()]),
    command("LCS", [key(), key()]),
    command("LCS", [key(), key(), lcsOptions], { weight: 2 }),
    command("LCS", [
      key(),
      key(),
      word("IDX"),
      optional(sequence(word("MINMATCHLEN"), smallInteger(0, 4))),
      optional(word("WITHMATCHLEN")),
    ]),
    command("DEL", [key()], { weight: 0.7 }),
    command("OBJECT ENCODING", [key()], { weight: 0.7 }),
    ...otherTypes,
  ],
};
