/**
 * TypeScript source with comments and string contents blanked out, so that plain searches see code only.
 *
 *      const a = "let b"; // let c      ──►      const a = "     ";
 *
 *  I1  Blanked text has the length and the line ends of the source: an offset means the same place in both.
 *  I2  Code inside ${...} of a template stays, its text goes; regular expressions are blanked as strings are.
 */

/** A slash begins a regular expression after these, a division after anything else. */
const BEFORE_PATTERN = /(?:^|[=([{,;:!&|?+\-*%~^<>]|\b(?:return|typeof|case|in|of|delete|void|throw|new|else|do))\s*$/;

/** Blanks comments, strings and regular expressions of `source`. */
export function blankSource(source: string): string {
  const out = source.split("");
  /** One entry per open `${`: how many braces are open inside. */
  const templates: number[] = [];
  let at = 0;

  const blank = (from: number, to: number): void => {
    for (let index = from; index < to; index++) if (out[index] !== "\n") out[index] = " ";
  };
  const skipTemplateText = (): void => {
    const from = at;
    for (; at < source.length; at++) {
      if (source[at] === "\\") at++;
      else if (source[at] === "`") {
        blank(from, at++);
        return;
      } else if (source.startsWith("${", at)) {
        blank(from, at);
        at += 2;
        templates.push(0);
        return;
      }
    }
  };
  const skipQuoted = (quote: string): void => {
    const from = ++at;
    while (at < source.length && source[at] !== quote && source[at] !== "\n") at += source[at] === "\\" ? 2 : 1;
    blank(from, at++);
  };
  const skipPattern = (): void => {
    const from = ++at;
    let isInClass = false;
    for (; at < source.length && source[at] !== "\n"; at++) {
      if (source[at] === "\\") at++;
      else if (source[at] === "[") isInClass = true;
      else if (source[at] === "]") isInClass = false;
      else if (source[at] === "/" && !isInClass) break;
    }
    blank(from, at++);
  };

  while (at < source.length) {
    const letter = source[at]!;
    if (source.startsWith("//", at)) {
      const end = source.indexOf("\n", at);
      blank(at, end === -1 ? source.length : end);
      at = end === -1 ? source.length : end;
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      const after = end === -1 ? source.length : end + 2;
      blank(at, after);
      at = after;
    } else if (letter === '"' || letter === "'") {
      skipQuoted(letter);
    } else if (letter === "`") {
      at++;
      skipTemplateText();
    } else if (letter === "/" && BEFORE_PATTERN.test(out.slice(Math.max(0, at - 60), at).join(""))) {
      skipPattern();
    } else if (letter === "}" && templates.at(-1) === 0) {
      templates.pop();
      at++;
      skipTemplateText();
    } else {
      if (letter === "{" && templates.length > 0) templates[templates.length - 1]!++;
      if (letter === "}" && templates.length > 0) templates[templates.length - 1]!--;
      at++;
    }
  }
  return out.join("");
}

/** 1-based line of `offset`. */
export function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

/** What `import`, `export ... from` and `import()` name, with their offsets. */
export function importsOf(source: string, blanked: string): { specifier: string; offset: number }[] {
  const found: { specifier: string; offset: number }[] = [];
  const forms = /\b(?:import|export)\b[^;"'()]*?\bfrom\s*["']|\bimport\s*["']|\bimport\s*\(\s*["']/g;
  for (let match = forms.exec(blanked); match !== null; match = forms.exec(blanked)) {
    const start = match.index + match[0].length;
    const end = source.indexOf(source[start - 1]!, start);
    found.push({ specifier: source.slice(start, end), offset: match.index });
  }
  return found;
}

/** `blanked` with everything inside braces, brackets and parentheses blanked as well: the statements of the module. */
export function topLevelOf(blanked: string): string {
  let depth = 0;
  let out = "";
  for (const letter of blanked) {
    if ("}])".includes(letter)) depth--;
    out += depth === 0 || letter === "\n" ? letter : " ";
    if ("{[(".includes(letter)) depth++;
  }
  return out;
}
