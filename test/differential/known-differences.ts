/**
 * Where Everkey speaks as Redis 7.2 does and the server that it is compared with, 7.0.15, does not yet.
 *
 *  I1  An entry names the command, what 7.0 answers and what 7.2 answers; everything else stays a difference.
 *  I2  An entry has a reason. Entries that no longer occur are dropped.
 */

export interface KnownDifference {
  /** First words of the command, upper case. */
  readonly command: string;
  /** What Redis 7.0.15 answers. */
  readonly expected: RegExp;
  /** What Redis 7.2 answers, and we. */
  readonly actual: RegExp;
  readonly reason: string;
}

export const knownDifferences: readonly KnownDifference[] = [];

/** The known difference that explains a pair of replies, if there is one. */
export function findKnownDifference(
  args: readonly Buffer[],
  expected: Buffer | undefined,
  actual: Buffer | undefined,
): KnownDifference | undefined {
  if (expected === undefined || actual === undefined) return undefined;
  const words = args.map((argument) => argument.toString("latin1").toUpperCase()).join(" ");
  return knownDifferences.find(
    (known) =>
      (words === known.command || words.startsWith(`${known.command} `)) &&
      known.expected.test(expected.toString("latin1")) &&
      known.actual.test(actual.toString("latin1")),
  );
}
