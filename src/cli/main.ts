/** Entry point of `everkey`: finds the subcommand and runs it. Exit code 0 done, 1 failed, 2 wrong usage. */

import { Command } from "commander";
import { EVERKEY_VERSION } from "../server/version.ts";
import { addCheck } from "./check.ts";
import { addDiff } from "./diff.ts";
import { addHistory } from "./history.ts";
import { addInspect } from "./inspect.ts";
import { addRestore } from "./restore.ts";

const EXAMPLES = `
Examples:
  everkey server everkey.conf                     the shipped configuration: data in ./data, port 6379
  everkey server --port 7000 --save ""            no file; directives of redis.conf as options
  everkey server - < my.conf                      a configuration from standard input
  everkey server --help                           what the server takes
  everkey inspect dump.rdb                        what is in a file; --help tells more
  everkey check data --fix                        is it whole; cuts a torn tail`;

export async function main(words: readonly string[]): Promise<void> {
  const program = new Command("everkey")
    .enablePositionalOptions()
    .description("A Redis-compatible server that never loses a key.")
    .version(EVERKEY_VERSION, "-v, --version")
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("Run everkey --help for the subcommands.")
    .exitOverride((error) => {
      // Help and version are what was asked for; everything else is a wrong call.
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  program
    .command("server")
    .description("run a server; takes what redis-server takes: [FILE | -] [--directive value ...]")
    .argument("[words...]")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async () => {
      // Each subcommand loads what it needs when it is asked for.
      const { runServer } = await import("./server.ts");
      await runServer(words.slice(1));
    });
  addInspect(program);
  addCheck(program);
  addRestore(program);
  addHistory(program);
  addDiff(program);
  await program.parseAsync([...words], { from: "user" });
}
