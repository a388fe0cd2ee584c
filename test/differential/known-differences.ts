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
  {
    command: "RESTORE",
    expected: /^-ERR Bad data format\r\n$/,
    actual: /^-ERR RESTORE of this value type is not supported yet\r\n$/,
    reason: "Goes when the other types come, whose emptiness is then checked",
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
