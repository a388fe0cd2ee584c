/**
 * What documents say that can be checked: links, headings, code blocks, paths, and the commands and directives in them.
 *
 *      text ─► blocks (fenced, or indented by four)  ─► lines of a shell, a program, a configuration
 *           └► prose ─► links, headings, `paths`
 *
 *  I1  Everything here takes text and returns what it found; nothing reads a file.
 */

export interface CodeBlock {
  /** The word after the fence, "" for an indented block. */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The document's code blocks, in order. */
export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let fence: { language: string; lines: string[] } | undefined;
  let indented: string[] | undefined;
  let isAfterBlank = true;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      if (fence === undefined) fence = { language: line.slice(3).trim(), lines: [] };
      else {
        blocks.push(fence);
        fence = undefined;
      }
      continue;
    }
    if (fence !== undefined) {
      fence.lines.push(line);
      continue;
    }
    if (line.startsWith("    ") && (indented !== undefined || isAfterBlank)) {
      if (indented === undefined) blocks.push({ language: "", lines: (indented = []) });
      indented.push(line.slice(4));
    } else {
      indented = undefined;
    }
    isAfterBlank = line.trim() === "";
  }
  return blocks;
}

/** The text without its fenced and indented blocks. */
function proseOf(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, "").replace(/^ {4}.*$/gm, "");
}

/** Targets of the links to other documents and to headings; addresses on the net are left out. */
export function localLinks(text: string): string[] {
  return [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((link) => !/^\w+:/.test(link));
}

/** The names by which headings are linked to. */
export function anchorsOf(text: string): string[] {
  const headings = proseOf(text).matchAll(/^#{1,6} +(.+)$/gm);
  return [...headings].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Files and folders of the repository that the prose names between backticks, without a line's or a pattern's rest. */
export function namedPaths(text: string): string[] {
  const found = proseOf(text).matchAll(/`((?:src|test|bench|docs|bin|\.ci)\/[\w./-]+)`/g);
  return [...found].map((match) => match[1]!);
}

/** Scripts that `npm` is told to run in code: "start", "test", ... */
export function npmScripts(text: string): string[] {
  const code = codeText(text);
  return [...code.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map((match) => match[1] ?? match[2]!);
}

/** Options behind `npm ... --`: the script and the option. */
export function npmOptions(text: string): { script: string; option: string }[] {
  const found: { script: string; option: string }[] = [];
  for (const match of codeText(text).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)) -- ([^\n`]*)/g)) {
    for (const option of match[3]!.matchAll(/(?<![\w-])--[\w-]+/g)) {
      found.push({ script: match[1] ?? match[2]!, option: option[0] });
    }
  }
  return found;
}

/** First words behind `everkey` and `bin/everkey` in code: subcommands. */
export function subcommands(text: string): string[] {
  return [...codeText(text).matchAll(/(?:^|\s|`)(?:npx |bin\/)everkey ([a-z]+)\b/g)].map((match) => match[1]!);
}

/** Directives in code: `--name` behind `everkey server`, and the first words of ```conf blocks. */
export function directivesIn(text: string): string[] {
  const names: string[] = [];
  for (const line of codeText(text).split("\n")) {
    const call = /everkey server\b([^#|`]*)/.exec(line);
    for (const match of call?.[1]?.matchAll(/(?<![\w-])--([a-z][\w-]*)/g) ?? []) names.push(match[1]!);
  }
  for (const { language, lines } of codeBlocks(text)) {
    if (language !== "conf") continue;
    for (const line of lines) if (/^[a-z]/.test(line)) names.push(line.split(" ")[0]!);
  }
  return names;
}

/** All code: blocks, and what stands between backticks. */
function codeText(text: string): string {
  const inline = [...proseOf(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return [...codeBlocks(text).flatMap((block) => block.lines), ...inline].join("\n");
}
