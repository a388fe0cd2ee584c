/** HELP of a command with subcommands: lines as simple strings, the first and the last two of which are always the same. */

import type { CommandContext, CommandSpec } from "../../commands/command.ts";

/** The entry of `container`'s HELP. `lines` describe the other subcommands. */
export function helpEntry(container: string, since: string, lines: readonly string[]): CommandSpec {
  return {
    arity: 2,
    flags: ["loading", "stale"],
    acl: [],
    since,
    group: "server",
    complexity: "O(1)",
    summary: "Explains the subcommands.",
    run: (context) => writeHelp(context, container, lines),
  };
}

export function writeHelp({ reply }: CommandContext, container: string, lines: readonly string[]): void {
  reply.array(lines.length + 3);
  reply.simple(`${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) reply.simple(line);
  reply.simple("HELP");
  reply.simple("    Prints this help.");
}
