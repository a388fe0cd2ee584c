/**
 * Where Everkey may answer otherwise than the server that it is compared with, 7.0.15: as Redis 7.2 does, or where an
 * answer says how a server is built.
 *
 *  I1  An entry names the command, what 7.0 answers and what we answer; everything else stays a difference.
 *  I2  An entry has a reason. Entries that no longer occur are dropped.
 */

export interface KnownDifference {
  /** First words of the command, upper case. */
  readonly command: string;
  /** What Redis 7.0.15 answers. */
  readonly expected: RegExp;
  /** What we answer. */
  readonly actual: RegExp;
  readonly reason: string;
  /** Holds in these families alone; without it, in all. */
  readonly families?: readonly string[];
  /** Holds for values of this type alone, when the state is compared; without it, for all. */
  readonly type?: string;
}

/** Where a pair of replies comes from: the family that is drawn from, and the type of the value if it is known. */
export interface Place {
  readonly family?: string;
  readonly type?: string;
}

const NAMES_OF_SCORES = /^B?Z|^GEO/i;
const NUMBER = /\$\d+\r\n(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)\r\n|,(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)\r\n/g;

/** A score as 7.0 writes it: with up to 17 significant digits. */
function scoreIn70(score: number): string {
  const [digits, exponent] = score.toExponential(16).split("e");
  const power = Number(exponent);
  const short = digits!.includes(".") ? digits!.replace(/\.?0+$/, "") : digits!;
  if (power < -4 || power >= 17) return `${short}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const plain = score.toFixed(Math.max(0, 16 - power));
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}

/** A score as 7.2 writes it: whole ones in full, others with as few digits as give the same number again. */
function scoreIn72(score: number): string {
  if (Object.is(score, -0)) return "-0";
  if (Number.isInteger(score) && Math.abs(score) <= 2 ** 62) return String(BigInt(score));
  const sign = score < 0 ? "-" : "";
  const [mantissa, exponent] = Math.abs(score).toExponential().split("e");
  const digits = mantissa!.replace(".", "");
  const power = Number(exponent);
  const zeros = power - digits.length + 1;
  if (zeros >= 0 && Math.abs(power) < digits.length + (score < 0 ? 6 : 7)) return sign + digits + "0".repeat(zeros);
  if (zeros < 0 && (zeros > -7 || Math.abs(power) < 4)) {
    if (power >= 0) return `${sign}${digits.slice(0, power + 1)}.${digits.slice(power + 1)}`;
    return `${sign}0.${"0".repeat(-power - 1)}${digits}`;
  }
  return `${sign}${mantissa}e${power < 0 ? "-" : "+"}${Math.abs(power)}`;
}

/** A reply of 7.0 with its scores written as 7.2 does: what is written as 7.0 writes scores is taken for one. */
function withScoresOf72(reply: Buffer): Buffer {
  const text = reply
    .toString("latin1")
    .replace(NUMBER, (whole, bulk: string | undefined, double: string | undefined) => {
      const score = Number(bulk ?? double);
      if (scoreIn70(score) !== (bulk ?? double)) return whole;
      const written = scoreIn72(score);
      return bulk === undefined ? `,${written}\r\n` : `$${written.length}\r\n${written}\r\n`;
    });
  return Buffer.from(text, "latin1");
}

/** Compares replies of commands with scores, which 7.2 writes with fewer digits; the reason of a difference as `compare` gives it. */
export function compareAsIn72(
  compare: (expected: Buffer | undefined, actual: Buffer | undefined) => string | undefined,
  args: readonly Buffer[],
  expected: Buffer | undefined,
  actual: Buffer | undefined,
): string | undefined {
  const reason = compare(expected, actual);
  if (reason === undefined || expected === undefined || actual === undefined) return reason;
  if (!NAMES_OF_SCORES.test(args[0]?.toString("latin1") ?? "")) return reason;
  return compare(withScoresOf72(expected), actual) === undefined ? undefined : reason;
}

const knownDifferences: readonly KnownDifference[] = [
  {
    command: "HELLO",
    expected: /^-WRONGPASS /,
    actual: /^-ERR Syntax error in HELLO option '/,
    reason: "7.2 reads all options before it looks at the password; 7.0 looked on the way",
  },
  {
    command: "HELLO",
    expected: /^-NOAUTH HELLO must be called .* otherwise the HELLO AUTH /,
    actual: /^-NOAUTH HELLO must be called .* otherwise the HELLO <proto> AUTH /,
    reason: "7.2 names the protocol in its advice",
  },
  {
    command: "OBJECT REFCOUNT",
    expected: /^:1\r\n$/,
    actual: /^:2147483647\r\n$/,
    reason: "Small numbers are shared in Redis except where a copy was made; we have no objects to count references to",
  },
  {
    command: "COMMAND GETKEYS",
    expected: /^-ERR wrong number of arguments for 'command\|getkeys' command\r\n$/,
    actual:
      /^-ERR (The command has no key arguments|Invalid command specified|Invalid number of arguments specified for command)\r\n$/,
    reason: "7.2 takes a command without arguments, too",
  },
  {
    command: "COMMAND GETKEYSANDFLAGS",
    expected: /^-ERR wrong number of arguments for 'command\|getkeysandflags' command\r\n$/,
    actual:
      /^-ERR (The command has no key arguments|Invalid command specified|Invalid number of arguments specified for command)\r\n$/,
    reason: "7.2 takes a command without arguments, too",
  },
  ...["BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"].map((command) => ({
    command,
    expected: /^-ERR timeout is negative\r\n$/,
    actual: /^-ERR timeout is out of range\r\n$/,
    reason: "7.0 overflows where a time to wait is too long, 7.2 says so",
  })),
  {
    command: "SORT",
    expected: /^-ERR One or more scores can't be converted into double\r\n$/,
    actual: /^[*~]/,
    families: ["keys"],
    reason:
      "After a command of any client that met a number beyond the range, 7.0 takes the next good one for another such",
  },
  {
    command: "LPOS",
    expected: /^/,
    actual: /^-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n$/,
    reason: "7.2 refuses a rank that has no opposite",
  },
  ...["XREAD", "XREADGROUP"].map((command) => ({
    command,
    expected: /^-ERR Unbalanced XREAD list of streams: for each stream key an ID or '\$' must be specified\.\r\n$/,
    actual: /^-ERR Unbalanced '(xread' .* an ID or '\$'|xreadgroup' .* an ID or '>') must be specified\.\r\n$/,
    reason: "7.2 names the command and what it takes",
  })),
  {
    command: "XSETID",
    expected: /^-ERR The ID specified in XSETID is smaller than the target stream top item\r\n$/,
    actual: /^-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n$/,
    reason: "7.2 looks at the highest ID that was deleted first",
  },
  ...["ZRANK", "ZREVRANK"].map((command) => ({
    command,
    expected: /^-ERR wrong number of arguments for 'z(rev)?rank' command\r\n$/,
    actual: /^(\*2\r\n|\*-1\r\n|_\r\n|-ERR syntax error\r\n|-WRONGTYPE )/,
    reason: "7.2 takes WITHSCORE",
  })),
  {
    command: "OBJECT ENCODING",
    expected: /^\$9\r\nquicklist\r\n$/,
    actual: /^\$8\r\nlistpack\r\n$/,
    reason: "7.2 keeps small lists as one listpack",
    type: "list",
  },
  {
    command: "OBJECT ENCODING",
    expected: /^\$9\r\nhashtable\r\n$/,
    actual: /^\$8\r\nlistpack\r\n$/,
    reason: "7.2 keeps small sets of texts as listpacks",
    families: ["sets"],
    type: "set",
  },
];

/** The known difference that explains a pair of replies, if there is one. */
export function findKnownDifference(
  args: readonly Buffer[],
  expected: Buffer | undefined,
  actual: Buffer | undefined,
  place: Place = {},
): KnownDifference | undefined {
  if (expected === undefined || actual === undefined) return undefined;
  const words = args.map((argument) => argument.toString("latin1").toUpperCase()).join(" ");
  return knownDifferences.find(
    (known) =>
      (known.families === undefined || known.families.includes(place.family ?? "")) &&
      (known.type === undefined || place.type === undefined || known.type === place.type) &&
      (words === known.command || words.startsWith(`${known.command} `)) &&
      known.expected.test(expected.toString("latin1")) &&
      known.actual.test(actual.toString("latin1")),
  );
}
