/**
 * A line of redis.conf as words, and a word as it is written in one.
 *
 *      save 60 1                    ["save", "60", "1"]
 *      requirepass "a \"b\" \x00"   the double quotes know \n \r \t \b \a \xHH and \ before any other sign
 *      dir 'it\'s here'             the single quotes know \' only
 *
 *  I1  splitWords(quoteWord(text)) is [text] for every text.
 *  I2  Text holds one character per byte (latin1).
 *  Source: the quoting that redis-server 7.0 accepts and CONFIG REWRITE produces.
 */

const SPACE = /[ \t\n\v\f\r\0]/;
/** \v and \f stand between words, and do not part them. */
const WORD_END = /[ \t\n\r\0]/;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["a", "\x07"],
]);
const NAMES: ReadonlyMap<string, string> = new Map([...ESCAPES].map(([name, sign]) => [sign, `\\${name}`]));

/** The words of `line`; undefined when a quote is not closed, or is followed by anything but space. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  while (true) {
    while (at < line.length && SPACE.test(line[at]!)) at++;
    if (at === line.length) return words;
    let word = "";
    while (at < line.length && !WORD_END.test(line[at]!)) {
      const sign = line[at]!;
      if (sign !== '"' && sign !== "'") {
        word += sign;
        at++;
        continue;
      }
      const quoted = sign === '"' ? doubleQuoted(line, at + 1) : singleQuoted(line, at + 1);
      if (quoted === undefined) return undefined;
      word += quoted.text;
      at = quoted.end;
      if (at < line.length && !SPACE.test(line[at]!)) return undefined;
      break;
    }
    words.push(word);
  }
}

interface Quoted {
  readonly text: string;
  /** Where the line goes on behind the closing quote. */
  readonly end: number;
}

function doubleQuoted(line: string, at: number): Quoted | undefined {
  let text = "";
  for (; at < line.length; at++) {
    const sign = line[at]!;
    if (sign === '"') return { text, end: at + 1 };
    if (sign !== "\\" || at + 1 === line.length) {
      text += sign;
      continue;
    }
    const hex = /^\\x([0-9a-f]{2})/i.exec(line.slice(at, at + 4));
    if (hex === null) {
      at++;
      text += ESCAPES.get(line[at]!) ?? line[at]!;
    } else {
      at += 3;
      text += String.fromCharCode(Number.parseInt(hex[1]!, 16));
    }
  }
  return undefined;
}

function singleQuoted(line: string, at: number): Quoted | undefined {
  let text = "";
  for (; at < line.length; at++) {
    const sign = line[at]!;
    if (sign === "'") return { text, end: at + 1 };
    if (sign === "\\" && line[at + 1] === "'") at++;
    text += line[at]!;
  }
  return undefined;
}

/** `text` between double quotes, with every byte that is not printable ASCII escaped. */
export function quoteWord(text: string): string {
  let quoted = "";
  for (const sign of text) {
    const code = sign.charCodeAt(0);
    if (sign === '"' || sign === "\\") quoted += `\\${sign}`;
    else if (code >= 32 && code < 127) quoted += sign;
    else quoted += NAMES.get(sign) ?? `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return `"${quoted}"`;
}

/** `text` as a word of a line: quoted only when it must be. */
export function wordOf(text: string): string {
  return text === "" || /[^!#-&(-[\]-~]/.test(text) ? quoteWord(text) : text;
}
