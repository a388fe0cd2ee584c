/** docs/configuration.md from the table of directives; page.test.ts keeps the file equal to what is made here. */

import type { Directive, Kind } from "./directive.ts";
import { DIRECTIVE_GROUPS, RETIRED } from "./directives.ts";

const INTRODUCTION = `# Configuration

Everkey reads redis.conf syntax: one directive per line, \`#\` begins a comment line, values with spaces stand between
quotes (\`"..."\` knows \`\\n \\r \\t \\b \\a \\xHH \\" \\\\\`, \`'...'\` knows \`\\'\`), the last line of a name wins, and
\`include FILE\` (also a pattern) reads other files in place. Sizes take \`k m g\` (powers of 1000) and \`kb mb gb\`
(powers of 1024).

    bin/everkey server everkey.conf --port 7000 --save 60 1     file first, then the command line
    echo 'maxmemory 100mb' | bin/everkey server -               from standard input
    bin/everkey server --save ''                                no snapshots

An unknown directive or a wrong value stops the start; the report names the file, the line and what was expected.
Every directive of Redis 7.2 is known. **Effect** says whether it does here what it does in Redis: *yes*, or why not.
**Run time** says whether CONFIG SET may change it. CONFIG REWRITE writes the values of now into the file and leaves
comments and order alone. The older name of a directive works wherever the name does.

\`save\` and \`client-output-buffer-limit\` lines add up: the first \`save\` line drops the default points, \`save ""\` drops
all, and each \`client-output-buffer-limit\` line changes the classes that it names. \`rename-command\`, \`user\` and
\`loadmodule\` lines stand beside each other.

\`dir\` and \`dbfilename\` can be changed at run time only when \`enable-protected-configs\` allows it.
`;

/** The whole page. */
export function configurationPage(): string {
  const parts = [INTRODUCTION];
  for (const group of DIRECTIVE_GROUPS) {
    parts.push(`## ${group.title}\n`);
    parts.push("| Directive | Kind | Default | Run time | What it does | Effect |");
    parts.push("| --- | --- | --- | --- | --- | --- |");
    for (const entry of group.directives) parts.push(row(entry));
    parts.push("");
  }
  parts.push("## Retired\n");
  parts.push(`Read from files and ignored, as in Redis: ${RETIRED.map((name) => `\`${name}\``).join(", ")}.`);
  return `${parts.join("\n")}\n`;
}

function row(entry: Directive): string {
  const name = entry.alias === "" ? `\`${entry.name}\`` : `\`${entry.name}\`, \`${entry.alias}\``;
  const runTime = entry.isImmutable ? "no" : entry.isProtected ? "protected" : "yes";
  const cells = [
    entry.isHidden ? `${name} (hidden)` : name,
    kindText(entry.kind),
    defaultText(entry),
    runTime,
    entry.about,
    entry.effect === "" ? "yes" : entry.effect,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function defaultText(entry: Directive): string {
  if (entry.kind.type === "lines") return "none";
  if (entry.kind.type === "directory") return "where the server was started";
  return entry.initial === "" ? '`""`' : `\`${entry.initial}\``;
}

function kindText(kind: Kind): string {
  switch (kind.type) {
    case "boolean":
      return "yes or no";
    case "integer":
      return `integer, ${limits(kind.minimum, kind.maximum)}`;
    case "octal":
      return `octal, 0 to ${kind.maximum.toString(8)}`;
    case "memory":
      return `bytes, ${limits(kind.minimum, kind.maximum)}${kind.allowsPercent ? ", or percent of maxmemory" : ""}`;
    case "choice":
      return kind.choices.map((choice) => `\`${choice}\``).join(" ");
    case "choices":
      return `one or more of ${kind.choices.map((choice) => `\`${choice}\``).join(" ")}`;
    case "text":
      return "text";
    case "directory":
      return "directory";
    case "save":
      return "pairs: seconds changes";
    case "output-limits":
      return "per class (`normal` `replica` `pubsub`): hard soft seconds";
    case "percentiles":
      return "numbers from 0 to 100";
    case "oom-values":
      return "three integers, -2000 to 2000";
    case "events":
      return "letters of `KEg$lshzxetdmnA`";
    case "bind":
      return "up to 16 addresses";
    case "primary":
      return "address port, or `no one`";
    case "lines":
      return "lines";
  }
}

function limits(minimum: bigint, maximum: bigint): string {
  return maximum > 2n ** 53n ? `${minimum} or more` : `${minimum} to ${maximum}`;
}
