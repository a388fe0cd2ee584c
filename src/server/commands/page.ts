/**
 * docs/commands.md from the command table; page.test.ts keeps the file equal to what is made here.
 *
 *      CommandTable ─► groups in alphabetical order ─► one row per command, containers before their subcommands
 *
 *  I1  The same table gives the same page: names are sorted, nothing depends on the order of entries.
 */

import type { CommandGroup, CommandSpec, CommandTable } from "../../commands/command.ts";

const TITLES: Readonly<Record<CommandGroup, string>> = {
  bitmap: "Bitmaps",
  cluster: "Cluster",
  connection: "Connection",
  generic: "Keys of any type",
  geo: "Geo",
  hash: "Hashes",
  hyperloglog: "HyperLogLog",
  list: "Lists",
  pubsub: "Pub/Sub",
  scripting: "Scripts and functions",
  sentinel: "Sentinel",
  server: "Server",
  set: "Sets",
  "sorted-set": "Sorted sets",
  stream: "Streams",
  string: "Strings",
  transactions: "Transactions",
};

const INTRODUCTION = `# Commands

Every command that this version has; a command that is missing here answers \`ERR unknown command\`. Replies and error
texts are those of Redis 7.2; docs/differences.md lists the exceptions.

In the syntax, CAPITALS stand for themselves, \`[ ]\` is optional, \`|\` means one of several, \`...\` means that it may be
repeated. **Since** is the version of Redis that brought the command. **Kind** says \`read\` or \`write\` for commands on
data, and \`admin\` for those that Redis counts as administration.
`;

/** The whole page for `table`. Cannot fail. */
export function commandsPage(table: CommandTable): string {
  const byTitle = new Map<string, string[]>();
  for (const name of Object.keys(table).sort()) {
    const spec = table[name]!;
    const title = TITLES[spec.group];
    const rows = byTitle.get(title) ?? [];
    byTitle.set(title, rows);
    // A container without a function of its own is only the head of its subcommands.
    if (spec.run !== undefined) rows.push(row(name, spec));
    const subcommands = spec.subcommands ?? {};
    for (const subname of Object.keys(subcommands).sort()) rows.push(row(`${name} ${subname}`, subcommands[subname]!));
  }
  const parts = [INTRODUCTION];
  for (const title of [...byTitle.keys()].sort()) {
    parts.push(`## ${title}\n`);
    parts.push("| Command | What it does | Kind | Complexity | Since |");
    parts.push("| --- | --- | --- | --- | --- |");
    parts.push(...byTitle.get(title)!, "");
  }
  return `${parts.join("\n").trimEnd()}\n`;
}

function row(name: string, spec: CommandSpec): string {
  const syntax = spec.arguments === undefined ? name : `${name} ${readable(spec.arguments)}`;
  const old = spec.deprecated;
  const advice =
    old === undefined ? "" : ` Outdated since ${old.since}; instead: ${old.replacedBy.replaceAll("!", "")}.`;
  const cells = [`\`${syntax}\``, `${spec.summary}${advice}`, kindOf(spec), spec.complexity, spec.since];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** The syntax without what only COMMAND DOCS needs: names of groups and explicit types (see argument-syntax.ts). */
function readable(syntax: string): string {
  return syntax
    .replace(/(^|[[<|\s])[a-z][\w-]*=/g, "$1")
    .replace(/\b\((?:string|integer|double|pattern|unix-time)\)/g, "");
}

function kindOf(spec: CommandSpec): string {
  if (spec.flags.includes("admin")) return "admin";
  if (spec.flags.includes("write")) return "write";
  return spec.flags.includes("readonly") ? "read" : "";
}
