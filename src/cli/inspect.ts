/**
 * `everkey inspect FILE|DIRECTORY`: what is in RDB files, append-only files, and data directories.
 *
 *      path ─► inspect (src/persistence/inspection) ─► tables │ --json │ --csv (one line a key, while it reads)
 *
 *  Exit code: 0 everything was read, 1 something is damaged or missing (what could be read is printed), 2 wrong usage.
 */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { KeyOrder } from "../persistence/inspection/rdb-inspection.ts";

/** What was asked for on the command line. */
export interface InspectWords {
  readonly json?: true;
  readonly csv?: true;
  readonly top: number;
  readonly by: KeyOrder;
  readonly separator: string;
  readonly depth: number;
  readonly memory?: true;
  readonly checksum: boolean;
}

const EXAMPLES = `
Examples:
  everkey inspect dump.rdb                            counts, sizes, biggest keys, prefixes
  everkey inspect dump.rdb --top 50 --by elements     the 50 keys with the most elements
  everkey inspect dump.rdb --separator / --depth 2    prefixes as in a/b/*
  everkey inspect data                                a data directory: snapshot and append-only file
  everkey inspect data/appendonlydir --json           the same for a program; the fields are in docs/inspect.md
  everkey inspect dump.rdb --csv > keys.csv           one line a key`;

/** Adds the subcommand to `program`. */
export function addInspect(program: Command): void {
  program
    .command("inspect")
    .description("show what is in an RDB file, an append-only file, or a data directory")
    .argument("<path>", "FILE or DIRECTORY")
    .addOption(new Option("--json", "print JSON instead of tables").conflicts("csv"))
    .option("--csv", "print a line for each key of an RDB file: database,key,type,encoding,elements,bytes,expire_at_ms")
    .option("--top <count>", "how many of the biggest keys and prefixes to name", wholeNumber, 10)
    .addOption(
      new Option("--by <measure>", "what the biggest keys are biggest by")
        .choices(["bytes", "data", "elements", "memory"])
        .default("bytes"),
    )
    .option("--separator <text>", 'what stands between the parts of a key; "" counts no prefixes', ":")
    .option("--depth <count>", "how many parts make a prefix", positiveNumber, 1)
    .option("--memory", "measure what each key would take in Everkey's memory (takes several times longer)")
    .option("--no-checksum", "do not verify the check sum of RDB files")
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, words: InspectWords) => {
      // What it needs is loaded only when it is asked for: a server starts sooner without.
      const { inspectCommand } = await import("./inspect-run.ts");
      await inspectCommand(path, words);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("It is a whole number up to 999999.");
  return Number(text);
}

function positiveNumber(text: string): number {
  if (wholeNumber(text) === 0) throw new InvalidArgumentError("It is at least 1.");
  return Number(text);
}
