/**
 * Commands described as data, and drawn from by a seeded generator.
 *
 *      command("SETEX", key(), integer(), value())          one line per form of a command
 *          └─ draw(random) ──► [ "sEtEx", "k1", "-1", "\xff\r\n" ] ──► spoil, sometimes ──► what is sent
 *
 *  I1  A draw depends on the generator alone: one seed, one sequence.
 *  I2  No drawn time to live ends while a sequence runs: it lies in the past or 100 s and more ahead, so that both servers
 *      agree on which keys exist. Spoiling keeps to this: what it puts in is never a small positive number.
 *  I3  No drawn offset lets a string grow beyond some kilobytes or is refused by every server.
 */
import type { SeededRandom } from "../support/seed.ts";
import { compareExactly, type ReplyComparison } from "./compare.ts";

const SPOIL_PROBABILITY = 0.07;

/** Draws one or more arguments. */
export type Piece = (random: SeededRandom) => Buffer[];

/** One form of a command. */
export interface CommandForm {
  readonly name: string;
  readonly pieces: readonly Piece[];
  readonly compare: ReplyComparison;
  /** How often it is drawn, compared with others of its family (1 = as often). */
  readonly weight: number;
  /** False keeps the arguments as drawn: for commands that are dangerous or undetermined with others. */
  readonly maySpoil: boolean;
  /** True when nothing may follow in a sequence (the connection ends). */
  readonly isLast: boolean;
  /** Left out while the subject does not know this command: for what needs types that come with later families. */
  readonly needs: string | undefined;
  /** Draws several commands that belong together; then `pieces` are not drawn from. */
  readonly script: Script | undefined;
}

/** A command of a script: its arguments, and how replies to it are compared (exactly, when it does not say). */
export type ScriptStep = readonly [args: readonly Buffer[], compare?: ReplyComparison];
export type Script = (random: SeededRandom) => readonly ScriptStep[];

export interface FormOptions {
  readonly compare?: ReplyComparison;
  readonly weight?: number;
  readonly maySpoil?: boolean;
  readonly isLast?: boolean;
  readonly needs?: string;
}

/** Directives that both servers, or the subject alone, have while a sequence runs; the others have their defaults. */
export interface Setting {
  readonly both: Readonly<Record<string, string>>;
  readonly subject?: Readonly<Record<string, string>>;
}

/**
 * For families with SORT: Redis turns a sorted set into a skiplist when it sorts it, though nothing was written; here it
 * stays as it is, and so these families have skiplists only.
 */
export const SKIPLISTS_ONLY: readonly Setting[] = [{ both: { "zset-max-listpack-entries": "0" } }];

/** A group of commands that are drawn together: their sequences build the state that they need. */
export interface Family {
  readonly name: string;
  readonly forms: readonly CommandForm[];
  /** Each sequence runs with one of these; without any, with the defaults. */
  readonly settings?: readonly Setting[];
  /** Share of the usual number of sequences: for families whose commands take longer (1 = all). */
  readonly share?: number;
}

/** One form. The name may hold a subcommand after a space: both are drawn in mixed case. */
export function command(name: string, pieces: readonly Piece[], options: FormOptions = {}): CommandForm {
  return {
    name,
    pieces: [...name.split(" ").map(word), ...pieces],
    compare: options.compare ?? compareExactly,
    weight: options.weight ?? 1,
    maySpoil: options.maySpoil ?? true,
    isLast: options.isLast ?? false,
    needs: options.needs,
    script: undefined,
  };
}

/** Commands that are drawn one behind the other, as they are; `name` is the one that the subject must know. */
export function script(name: string, draw: Script, options: { weight?: number; needs?: string } = {}): CommandForm {
  return { ...command(name, [], { ...options, maySpoil: false }), script: draw };
}

/** The same forms, drawn with other weights: `total` in sum. */
export function weighted(forms: readonly CommandForm[], total: number): CommandForm[] {
  const sum = forms.reduce((rest, form) => rest + form.weight, 0);
  return forms.map((form) => ({ ...form, weight: (form.weight * total) / sum }));
}

/** One of `forms`, by their weights. */
export function pickForm(forms: readonly CommandForm[], random: SeededRandom): CommandForm {
  let rest = (random.uint32() / 0x1_0000_0000) * forms.reduce((sum, form) => sum + form.weight, 0);
  return forms.find((form) => (rest -= form.weight) < 0) ?? forms[0]!;
}

/** The commands that a form gives: one, or those of its script. */
export function drawForm(form: CommandForm, random: SeededRandom): readonly ScriptStep[] {
  if (form.script !== undefined) return form.script(random);
  const args = form.pieces.flatMap((piece) => piece(random));
  const isSpoiled = form.maySpoil && random.chance(SPOIL_PROBABILITY);
  return [[isSpoiled ? spoil(args, form.name.split(" ").length, random) : args, form.compare]];
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** A fixed argument, byte for byte. Characters are bytes (latin1). */
export const fixed =
  (text: string | Buffer): Piece =>
  () => [Buffer.isBuffer(text) ? text : bytes(text)];

/** A name or an option: mostly as written, sometimes in lower or mixed case, which servers must take as well. */
export const word =
  (text: string): Piece =>
  (random) => {
    const shape = random.below(6);
    if (shape === 0) return [bytes(text.toLowerCase())];
    if (shape === 1)
      return [bytes([...text].map((letter) => (random.chance(0.5) ? letter.toLowerCase() : letter)).join(""))];
    return [bytes(text)];
  };

/** One of several pieces, each as likely. */
export const oneOf =
  (...pieces: Piece[]): Piece =>
  (random) =>
    random.pick(pieces)(random);

/** One of several fixed texts. */
export const textOf =
  (...texts: string[]): Piece =>
  (random) => [bytes(random.pick(texts))];

/** `first` with `probability`, else `second`. */
export const mostly =
  (probability: number, first: Piece, second: Piece): Piece =>
  (random) =>
    random.chance(probability) ? first(random) : second(random);

export const optional =
  (piece: Piece, probability = 0.5): Piece =>
  (random) =>
    random.chance(probability) ? piece(random) : [];

export const sequence =
  (...pieces: Piece[]): Piece =>
  (random) =>
    pieces.flatMap((piece) => piece(random));

export const repeat =
  (piece: Piece, minimum: number, maximum: number): Piece =>
  (random) => {
    const drawn: Buffer[] = [];
    for (let count = random.between(minimum, maximum); count > 0; count--) drawn.push(...piece(random));
    return drawn;
  };

/** Each piece with `probability`, in any order. */
export const anyOrder =
  (pieces: readonly Piece[], probability = 0.35): Piece =>
  (random) =>
    random
      .shuffled(pieces)
      .filter(() => random.chance(probability))
      .flatMap((piece) => piece(random));

// ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const KEYS = ["k1", "k2", "k3", "key:4", "", "k\x00\r\n\xff", "{tag}a", "long-key-".repeat(20)];

/** A key of a small pool, so that commands meet the same keys; the first ones most often. */
export const key = (): Piece => (random) => [bytes(random.chance(0.75) ? KEYS[random.below(3)]! : random.pick(KEYS))];

const INTEGERS = [
  "0",
  "1",
  "-1",
  "2",
  "10",
  "100",
  "9999",
  "10000",
  "-128",
  "127",
  "32767",
  "-32768",
  "2147483647",
  "-2147483648",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "9223372036854775806",
  "-9223372036854775807",
];

const BAD_INTEGERS = [
  "",
  "-0",
  "+1",
  " 1",
  "1 ",
  "01",
  "-01",
  "0x10",
  "1.0",
  "1e3",
  "--1",
  "-",
  "abc",
  "9223372036854775808",
  "-9223372036854775809",
  "18446744073709551615",
  "99999999999999999999999999999999",
  "1\x00",
  "\xd9\xa1",
];

export const goodInteger = (): Piece => textOf(...INTEGERS);
export const badInteger = (): Piece => textOf(...BAD_INTEGERS);
/** An integer, mostly one that is valid and often small. */
export const integer = (): Piece =>
  oneOf(goodInteger(), goodInteger(), smallInteger(-5, 30), mostly(0.4, badInteger(), goodInteger()));
export const smallInteger =
  (low: number, high: number): Piece =>
  (random) => [bytes(String(random.between(low, high)))];

const FLOATS = [
  "0",
  "0.1",
  "0.2",
  "-0.1",
  "1.5",
  "3.0e3",
  "5.0e3",
  "-5.5e-3",
  "1e2",
  "123456789.123456789",
  "0.00000000000000001",
  "1e17",
  "1e-17",
  "1e300",
  "3.14159265358979323846",
  "9007199254740993",
  "-0.0",
  ".5",
  "5.",
];

const BAD_FLOATS = [
  "",
  "nan",
  "inf",
  "-inf",
  "+inf",
  "infinity",
  "1e400",
  "1e5000",
  "-1e5000",
  "0x1p3",
  "0x10",
  " 1.5",
  "1.5 ",
  "1,5",
  "1e",
  "e1",
  "abc",
  "1.5\x00",
];

export const float = (): Piece =>
  oneOf(textOf(...FLOATS), textOf(...FLOATS), smallInteger(-5, 30), textOf(...BAD_FLOATS));

const VALUES = [
  "",
  "a",
  "hello",
  "Hello, World",
  "foobar",
  "0.1",
  "3.0e3",
  "\x00",
  "\r\n",
  "\xff\xfe\x00\r\n",
  "*1\r\n$4\r\nPING\r\n",
  "x".repeat(43),
  "x".repeat(44),
  "x".repeat(45),
  "123456789012345678",
  "12345678901234567890",
  "12345678901234567890123456789012345678901",
  "ab".repeat(200),
];

/** A value: text, numbers in all their spellings, bytes, now and then a long one. */
export const value = (): Piece => (random) => {
  const choice = random.below(20);
  if (choice < 7) return [bytes(random.pick(VALUES))];
  if (choice < 11) return goodInteger()(random);
  if (choice < 13) return badInteger()(random);
  if (choice < 15) return float()(random);
  if (choice < 18) return [random.bytes(random.below(70))];
  if (choice === 18) return [random.bytes(random.between(100, 3000))];
  return [Buffer.alloc(random.pick([255, 256, 4096, 16383, 16384, 20_000]), random.pick(["z", "0", "abc"]))];
};

/** A short value over a small alphabet. */
export const shortText =
  (alphabet = "abc", lengthMax = 12): Piece =>
  (random) => {
    let text = "";
    for (let length = random.below(lengthMax + 1); length > 0; length--) text += random.pick([...alphabet]);
    return [bytes(text)];
  };

/** A byte offset: inside, at the edges, negative, or so far that it must be refused (I3). */
export const offset = (): Piece =>
  oneOf(
    smallInteger(0, 50),
    smallInteger(-50, 0),
    textOf("1000", "-1000"),
    textOf("536870912", "9223372036854775807", "-9223372036854775808", "4294967296"),
    badInteger(),
  );

/**
 * A relative time to live that is accepted, in steps of 10 s at least: two of them hardly ever give the same end, so that GT
 * and LT do not depend on the millisecond in which a server ran the command.
 */
export const goodTimeToLive = (): Piece => (random) => [bytes(`${random.between(100, 90_000)}0000`)];

/** A relative time to live, in the command's own unit (I2). */
export const timeToLive = (): Piece =>
  oneOf(
    goodTimeToLive(),
    goodTimeToLive(),
    textOf("0", "-1", "-100", "-9223372036854775808"),
    textOf("9223372036854775807", "9223372036854775", "9223372036854776", "9223370399119966", "99999999999999999"),
    badInteger(),
  );

/** An absolute end in seconds: long ago, in the year 2100 or later, or too far. */
export const unixSeconds = (): Piece =>
  oneOf(
    textOf("4102444800", "4102444801", "32503680000"),
    textOf("4102444800"),
    textOf("0", "1", "-1", "1000000000"),
    textOf("9223372036854775807", "9223372036854775", "9223372036854776", "-9223372036854775808"),
    badInteger(),
  );

/** An absolute end in milliseconds. */
export const unixMilliseconds = (): Piece =>
  oneOf(
    textOf("4102444800000", "4102444800001", "32503680000999"),
    textOf("4102444800500"),
    textOf("0", "1", "-1", "1000000000000"),
    textOf("9223372036854775807", "-9223372036854775808"),
    badInteger(),
  );

/** A pattern of KEYS and SCAN, whole and broken. */
export const pattern = (): Piece =>
  textOf(
    "*",
    "k*",
    "k?",
    "*1",
    "[k]*",
    "[^k]*",
    "[a-z]*",
    "k[1-2]",
    "k[",
    "[",
    "\\k1",
    "k1\\",
    "",
    "key:[3-5]",
    "**",
    "?*",
    "k\x00*",
    "*\xff",
    "[z-a]*",
    "[^]",
    "[]",
    "[\\k]1",
  );

/** Something that fits nowhere. Never a small positive number (I2). */
const junk = (): Piece =>
  oneOf(
    badInteger(),
    textOf(
      "",
      "\x00",
      "\xff\xfe",
      "\r\n",
      "NX",
      "GET",
      "KEEPTTL",
      "COUNT",
      "nan",
      "-1",
      "4294967296",
      "-9223372036854775808",
      "not an option",
    ),
  );

/**
 * Spoils a drawn command in one place: an argument too many, one too few, one twice, one that is junk, or none at all.
 * The first `nameLength` arguments, the command and its subcommand, stay.
 */
export function spoil(args: readonly Buffer[], nameLength: number, random: SeededRandom): Buffer[] {
  const spoiled = args.slice();
  const place = args.length > nameLength ? random.between(nameLength, args.length - 1) : nameLength;
  switch (random.below(5)) {
    case 0:
      spoiled.splice(place, 1);
      break;
    case 1:
      spoiled.push(...junk()(random));
      break;
    case 2:
      if (place < args.length) spoiled.splice(place, 0, args[place]!);
      break;
    case 3:
      spoiled.splice(place, 1, ...junk()(random));
      break;
    default:
      spoiled.length = nameLength;
  }
  return spoiled;
}
