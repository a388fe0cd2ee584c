/**
 * Pieces that the families of collections share: elements of every width and length at which encodings change, counts, floats.
 */
import {
  badInteger,
  command,
  fixed,
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

/** Integers at the edges of every width that listpacks and intsets have. */
export const widthInteger = (): Piece =>
  textOf(
    "0",
    "1",
    "-1",
    "63",
    "64",
    "127",
    "128",
    "-128",
    "-129",
    "4095",
    "4096",
    "-4096",
    "-4097",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "8388607",
    "8388608",
    "-8388608",
    "-8388609",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "9223372036854775807",
    "-9223372036854775808",
  );

/** What looks like an integer and is kept as text. */
const almostInteger = textOf("-0", "+1", " 1", "01", "1.0", "9223372036854775808", "-9223372036854775809", "1e3", "");

/** Texts at the edges of the listpack limits (64 by default, 10 when a setting lowers it) and of the length marks of listpacks. */
export const longText: Piece = (random) => [
  Buffer.alloc(random.pick([9, 10, 11, 20, 21, 62, 63, 64, 65, 66, 127, 128, 300]), random.pick(["p", "q", "xy"])),
];
const veryLongText: Piece = (random) => [Buffer.alloc(random.pick([4095, 4096, 5000, 8192, 9000]), "r")];

/** An element: mostly short and of a small pool, so that commands meet the same ones. */
export const element: Piece = (random) => {
  const choice = random.below(40);
  if (choice < 16) return textOf("a", "b", "c", "d", "e", "f")(random);
  if (choice < 22) return smallInteger(0, 12)(random);
  if (choice < 27) return widthInteger()(random);
  if (choice < 30) return shortText("abc", 12)(random);
  if (choice < 33) return longText(random);
  if (choice < 35) return almostInteger(random);
  if (choice < 37) return textOf("\x00", "\xff\xfe\r\n", "a\x00b", "")(random);
  if (choice < 39) return value()(random);
  return veryLongText(random);
};

/** A number of elements: small, zero, negative, or no number at all. */
export const count = (): Piece =>
  oneOf(
    smallInteger(0, 6),
    smallInteger(1, 4),
    smallInteger(-6, 10),
    mostly(0.6, textOf("1000", "4294967296", "9223372036854775807", "-9223372036854775808"), badInteger()),
  );

/** A 0-based index, from the start or from the end. */
export const index = (): Piece =>
  oneOf(
    smallInteger(0, 8),
    smallInteger(-8, 8),
    textOf("0", "-1"),
    mostly(0.6, textOf("100", "-100", "9223372036854775807", "-9223372036854775808", "2147483648"), badInteger()),
  );

/** `numkeys key [key ...]`, mostly with the number that fits. */
export const numberedKeys =
  (keyPiece: Piece, maximum = 3): Piece =>
  (random) => {
    const keys = repeat(keyPiece, 1, maximum)(random);
    const said = random.chance(0.93)
      ? String(keys.length)
      : random.pick(["0", "-1", "1", "9", "abc", "", "1.0", "2147483648", "9223372036854775807"]);
    return [Buffer.from(said), ...keys];
  };

/** A time to wait that is over at once. */
export const shortTimeout = (): Piece => textOf("0.001", "0.002", "0.0015", "1e-3");
/** A time to wait that is refused. (-0.001 is not: it is rounded up to 0, for ever.) */
export const badTimeout = (): Piece =>
  textOf("-1", "-0.01", "abc", "", "nan", "inf", "-inf", "1e400", "9223372036854775807", " 1", "1 ", "0x", "1e20");

/** A score: every spelling that is taken, and some that are not. */
export const score = (): Piece =>
  oneOf(
    smallInteger(-3, 6),
    smallInteger(0, 3),
    textOf("0.1", "0.2", "1.5", "-1.5", "2.25", "1e3", "3.0", ".5", "5."),
    textOf("inf", "-inf", "+inf", "INF", "infinity", "-Infinity", "1e300", "-1e300", "1e-300", "4.9e-324", "1e17"),
    textOf(
      "17179869184.123456",
      "0.30000000000000004",
      "123456789.123456789",
      "9007199254740993",
      "3.0000000000000004",
    ),
    mostly(
      0.5,
      textOf("nan", "-nan", "1e400", "abc", "", "1.5x", " 1", "1 ", "1,5", "0x"),
      textOf("0x10", "+1", "1e-400"),
    ),
  );

/** Commands that every family of collections has: values go, move and are looked at. */
export const common = [
  command("DEL", [key()], { weight: 0.4 }),
  command("UNLINK", [key()], { weight: 0.2 }),
  command("RENAME", [key(), key()], { weight: 0.2 }),
  command("COPY", [key(), key(), optional(word("REPLACE"))], { weight: 0.4 }),
  command("EXPIRE", [key(), fixed("1000000")], { weight: 0.2, maySpoil: false }),
  command("TYPE", [key()], { weight: 0.2 }),
  command("SET", [key(), shortText()], { weight: 0.15 }),
  command("EXISTS", [repeat(key(), 1, 3)], { weight: 0.2 }),
];

/** `[LIMIT offset count]` */
export const limit: Piece = sequence(
  word("LIMIT"),
  oneOf(smallInteger(0, 4), smallInteger(-2, 5), badInteger()),
  oneOf(smallInteger(0, 6), smallInteger(-2, 5), badInteger()),
);
