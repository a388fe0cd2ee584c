/**
 * Grammar of the bitmap family of Redis 7.2.
 *
 *  No drawn offset lets a string grow beyond some kilobytes or is refused by every server.
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import {
  anyOrder,
  badInteger,
  command,
  type Family,
  fixed,
  integer,
  key,
  mostly,
  oneOf,
  optional,
  type Piece,
  repeat,
  sequence,
  shortText,
  smallInteger,
  textOf,
  value,
  word,
} from "../grammar.ts";

const bit = mostly(0.9, textOf("0", "1"), textOf("2", "-1", "", "01", "1.0", "a"));
const bitOffset = mostly(
  0.9,
  oneOf(smallInteger(0, 40), smallInteger(0, 400), textOf("0", "7", "8", "63", "64", "8000")),
  textOf("-1", "4294967296", "9223372036854775807", "abc", "", "1.0", "-0", "+1", "99999999999999999999"),
);
const border = oneOf(
  smallInteger(-10, 20),
  textOf("0", "-1", "1", "-2"),
  mostly(0.7, textOf("100", "-100", "1000", "9223372036854775807", "-9223372036854775808"), badInteger()),
);
const unit = oneOf(word("BYTE"), word("BIT"), word("BIT"), textOf("BYTES", ""));
const type: Piece = mostly(
  0.92,
  oneOf(textOf("u8", "i8", "u16", "i16", "i32", "u32", "u63", "i64", "u1", "i1"), (random) => [
    Buffer.from(`${random.pick(["u", "i"])}${random.between(1, 63)}`),
  ]),
  textOf("u64", "i65", "u0", "i0", "x8", "", "8", "U8", "i-1", "u 8"),
);
const fieldOffset: Piece = mostly(
  0.93,
  oneOf(smallInteger(0, 100), (random) => [Buffer.from(`#${random.below(12)}`)]),
  textOf("-1", "#-1", "#", "4294967296", "#4294967296", "abc", "", "1.5", "9223372036854775807"),
);
const get = sequence(word("GET"), type, fieldOffset);
const set = sequence(word("SET"), type, fieldOffset, integer());
const increment = sequence(word("INCRBY"), type, fieldOffset, integer());
const overflow = sequence(
  word("OVERFLOW"),
  oneOf(word("WRAP"), word("SAT"), word("FAIL"), word("SAT"), word("FAIL"), textOf("BAD", "")),
);

export const bitmaps: Family = {
  name: "bitmaps",
  share: 0.5,
  forms: [
    command("SET", [key(), value()], { weight: 2 }),
    command("SET", [key(), shortText("\x00\xff\x0f\x80\x01\xf0", 40)], { weight: 2 }),
    command("SET", [key(), integer()], { weight: 0.7 }),
    command("SETBIT", [key(), bitOffset, bit], { weight: 3 }),
    command("GETBIT", [key(), bitOffset], { weight: 1.5 }),
    command("BITCOUNT", [key()]),
    command("BITCOUNT", [key(), border, border, optional(unit)], { weight: 2 }),
    command("BITPOS", [key(), bit]),
    command("BITPOS", [key(), bit, border]),
    command("BITPOS", [key(), bit, border, border, optional(unit)], { weight: 2.5 }),
    command("BITOP", [oneOf(word("AND"), word("OR"), word("XOR")), key(), repeat(key(), 1, 4)], { weight: 2 }),
    command("BITOP", [word("NOT"), key(), repeat(key(), 1, 1)]),
    command("BITOP", [textOf("NOT", "BAD", ""), key(), repeat(key(), 1, 2)], { weight: 0.3 }),
    command("BITFIELD", [key(), repeat(oneOf(get, set, increment), 1, 4)], { weight: 2 }),
    command("BITFIELD", [key(), repeat(oneOf(get, set, increment, overflow, overflow), 1, 6)], { weight: 3 }),
    command("BITFIELD", [key(), overflow, increment, increment, optional(fixed("INCRBY"), 0.1)], { weight: 1.5 }),
    command("BITFIELD", [key()], { weight: 0.2 }),
    command("BITFIELD_RO", [key(), repeat(get, 1, 3)]),
    command("BITFIELD_RO", [key(), repeat(oneOf(get, get, set, overflow), 1, 3)], { weight: 0.5 }),
    command("BITFIELD", [key(), anyOrder([get, word("BAD"), word("GET")], 0.6)], { weight: 0.3 }),
    command("GET", [key()]),
    command("STRLEN", [key()], { weight: 0.4 }),
    command("APPEND", [key(), shortText()], { weight: 0.3 }),
    command("DEL", [key()], { weight: 0.5 }),
    command("OBJECT ENCODING", [key()], { weight: 0.3 }),
    command("LPUSH", [key(), shortText()], { weight: 0.15, needs: "LPUSH", maySpoil: false }),
  ],
};
