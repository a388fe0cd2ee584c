/**
 * `everkey check FILE|DIRECTORY [--fix]`: whether RDB files, append-only files and data directories are whole.
 *
 *  Exit code: 0 whole (or made whole by --fix), 1 not whole, 2 wrong usage.
 */

import type { Command } from "commander";

/** What was asked for on the command line. */
export interface CheckWords {
  readonly fix?: true;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  everkey check dump.rdb                decodes every value, and the check sum
  everkey check data                    snapshot and append-only file, the manifest, and that its files follow each other
  everkey check data/appendonlydir      the append-only file alone
  everkey check data --fix              cuts a torn tail of the last increment; the server must not run

--fix changes nothing but that: the original is kept beside the file as NAME.broken-TIME.`;

/** Adds the subcommand to `program`. */
export function addCheck(program: Command): void {
  program
    .command("check")
    .description("say whether an RDB file, an append-only file, or a data directory is whole")
    .argument("<path>", "FILE or DIRECTORY")
    .option("--fix", "cut a torn tail of the last increment, and keep the original aside")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, words: CheckWords) => {
      // What it needs is loaded only when it is asked for: a server starts sooner without.
      const { checkCommand } = await import("./check-run.ts");
      await checkCommand(path, words);
    });
}
