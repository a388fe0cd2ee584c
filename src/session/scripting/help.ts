/** HELP of SCRIPT and FUNCTION: lines as simple strings, the first and the last two of which are always the same. */

import type { CommandContext } from "../../commands/command.ts";

export function writeHelp({ reply }: CommandContext, container: string, lines: readonly string[]): void {
  reply.array(lines.length + 3);
  reply.simple(`${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) reply.simple(line);
  reply.simple("HELP");
  reply.simple("    Prints this help.");
}
