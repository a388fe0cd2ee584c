/**
 * Reads the one-line syntax of a command's arguments (CommandSpec.arguments) into the tree that COMMAND DOCS shows.
 *
 *      key value [condition=NX|XX] [EX seconds|KEEPTTL] [ID client-id [client-id ...]] [TYPE <NORMAL|PUBSUB>]
 *                 │         └ pure tokens, one of          └ "x [x ...]": multiple           └ a group
 *                 └ name of the group; without it the names of its parts, joined by "-"
 *
 *      increment(double)    a type that does not follow from the name          <a|b> ...    a group, several times
 *
 *  I1  Words in capitals are tokens; a token before one word or group belongs to it, before several it opens a block.
 *  I2  Every key argument has the index of the key specification that covers it.
 *  Source: argument types and flags of COMMAND DOCS as the Redis documentation describes them.
 */

import type { KeySpec } from "./command.ts";

export type ArgumentType =
  | "key"
  | "string"
  | "integer"
  | "double"
  | "pattern"
  | "unix-time"
  | "pure-token"
  | "oneof"
  | "block";

export interface Argument {
  name: string;
  type: ArgumentType;
  token: string | undefined;
  /** Index into the command's key specifications, -1 for none. */
  keySpecIndex: number;
  isOptional: boolean;
  isMultiple: boolean;
  /** The token stands before each repetition. */
  repeatsToken: boolean;
  /** Of `oneof` and `block`. */
  readonly parts: Argument[];
}

/** Reads `syntax`; `keys` are the command's key specifications. Throws when the syntax is broken: a slip in the table. */
export function parseArguments(syntax: string, keys: readonly KeySpec[]): Argument[] {
  const reader = new SyntaxReader(syntax);
  const sequence = reader.whole();
  numberKeys(sequence, keys);
  return sequence;
}

const WORD = /[^\s[\]<>|]+|[[\]<>|]/g;
const TOKEN = /^(?:[A-Z][A-Z0-9-]*|[=~*$])$/;
/** Names of tokens that are signs. */
const SIGN_NAMES: ReadonlyMap<string, string> = new Map([
  ["=", "equal"],
  ["~", "approximately"],
  ["*", "auto-id"],
  ["$", "new-id"],
]);
const LABEL = /^([a-z][a-z0-9-]*)=(.*)$/;
const TYPED = /^(.*)\(([a-z-]+)\)$/;

const KEY_NAMES = new Set(["key", "newkey", "source", "destination", "key1", "key2"]);
const TYPE_NAMES = new Map<string, ArgumentType>([
  ...["pattern", "by-pattern", "get-pattern"].map((name) => [name, "pattern"] as const),
  ...["unix-time-seconds", "unix-time-milliseconds"].map((name) => [name, "unix-time"] as const),
  ...[
    "client-id",
    "count",
    "cursor",
    "db",
    "decrement",
    "destination-db",
    "end",
    "frequency",
    "increment",
    "index",
    "index1",
    "index2",
    "milliseconds",
    "min-match-len",
    "numlocal",
    "numreplicas",
    "offset",
    "protover",
    "seconds",
    "start",
    "timeout",
    "ttl",
  ].map((name) => [name, "integer"] as const),
]);

/** A recursive descent over the words of one syntax line. */
class SyntaxReader {
  private readonly words: readonly string[];
  private position: number;

  constructor(syntax: string) {
    // A label is a word of its own, wherever it stands.
    this.words = (syntax.match(WORD) ?? []).flatMap((word) => {
      const [, label, rest] = LABEL.exec(word) ?? [];
      if (label === undefined) return [word];
      return rest === "" ? [`${label}=`] : [`${label}=`, rest!];
    });
    this.position = 0;
  }

  whole(): Argument[] {
    const alternatives = this.alternatives();
    if (this.position !== this.words.length) throw new Error(`"${this.words[this.position]}" is out of place`);
    return alternatives.length === 1 ? alternatives[0]!.sequence : [oneOf(alternatives[0]!.label, alternatives)];
  }

  /** Sequences parted by "|", each with its label, up to a closing sign or the end. */
  private alternatives(): Alternative[] {
    const alternatives = [this.alternative()];
    while (this.take("|")) alternatives.push(this.alternative());
    return alternatives;
  }

  private alternative(): Alternative {
    const word = this.words[this.position];
    let label: string | undefined;
    if (word?.endsWith("=")) {
      label = word.slice(0, -1);
      this.position++;
    }
    return { label, sequence: this.sequence() };
  }

  private sequence(): Argument[] {
    const items: Argument[] = [];
    for (;;) {
      const word = this.words[this.position];
      if (word === undefined || word === "]" || word === ">" || word === "|") return items;
      if (word === "[" && this.takeRepetition(items)) continue;
      items.push(this.item());
    }
  }

  private item(): Argument {
    if (this.take("[")) return { ...this.group("]"), isOptional: true };
    if (this.take("<")) {
      const group = this.group(">");
      return this.take("...") ? { ...group, isMultiple: true } : group;
    }
    const word = this.words[this.position++]!;
    if (!TOKEN.test(word)) return plain(word);
    const next = this.words[this.position];
    if (next === "<") {
      this.position++;
      return { ...this.group(">"), token: word };
    }
    if (next === undefined || !isPlainWord(next)) return pureToken(word);
    const values: Argument[] = [];
    while (isPlainWord(this.words[this.position])) values.push(plain(this.words[this.position++]!));
    return values.length === 1 ? { ...values[0]!, token: word } : { ...block(undefined, values), token: word };
  }

  /** What stands between brackets, as one argument. */
  private group(close: string): Argument {
    // A label before the first alternative names the whole group.
    const alternatives = this.alternatives();
    if (!this.take(close)) throw new Error(`"${close}" is missing`);
    const { label, sequence } = alternatives[0]!;
    if (alternatives.length > 1) return oneOf(label, alternatives);
    // A group of one optional argument is a group all the same when it has a name.
    if (sequence.length > 1 || (label !== undefined && sequence[0]!.isOptional)) return block(label, sequence);
    return label === undefined ? sequence[0]! : { ...sequence[0]!, name: label };
  }

  /** Takes `[x ...]` when it repeats the end of `items`, which becomes one multiple argument. */
  private takeRepetition(items: Argument[]): boolean {
    const close = this.words.indexOf("]", this.position);
    if (close === -1 || this.words[close - 1] !== "...") return false;
    const repeated = this.words.slice(this.position + 1, close - 1);
    // A bracket between is the one that closes there: this one opens an optional argument that is repeated.
    if (repeated.includes("[")) return false;
    const hasToken = TOKEN.test(repeated[0]!);
    const names = hasToken ? repeated.slice(1) : repeated;
    const last = items[items.length - 1]!;
    this.position = close + 1;
    if (last.token !== undefined || names.length === 1) {
      items[items.length - 1] = { ...last, isMultiple: true, repeatsToken: hasToken };
      return true;
    }
    const parts = items.splice(items.length - names.length);
    items.push({ ...block("data", parts), isMultiple: true });
    return true;
  }

  private take(word: string): boolean {
    if (this.words[this.position] !== word) return false;
    this.position++;
    return true;
  }
}

interface Alternative {
  readonly label: string | undefined;
  readonly sequence: Argument[];
}

function isPlainWord(word: string | undefined): boolean {
  return word !== undefined && !/^[[\]<>|]$/.test(word) && !TOKEN.test(word) && !word.endsWith("=");
}

function make(name: string, type: ArgumentType, parts: Argument[]): Argument {
  return {
    name,
    type,
    token: undefined,
    keySpecIndex: -1,
    isOptional: false,
    isMultiple: false,
    repeatsToken: false,
    parts,
  };
}

function plain(word: string): Argument {
  const [, typedName, type] = TYPED.exec(word) ?? [];
  if (typedName !== undefined) return make(typedName, type as ArgumentType, []);
  return make(word, KEY_NAMES.has(word) ? "key" : (TYPE_NAMES.get(word) ?? "string"), []);
}

function pureToken(word: string): Argument {
  return { ...make(SIGN_NAMES.get(word) ?? word.toLowerCase(), "pure-token", []), token: word };
}

function block(label: string | undefined, parts: Argument[]): Argument {
  return make(label ?? parts.map((part) => part.name).join("-"), "block", parts);
}

function oneOf(label: string | undefined, alternatives: readonly Alternative[]): Argument {
  const parts = alternatives.map(({ label: name, sequence }, index) => {
    const part = sequence.length === 1 ? sequence[0]! : block(undefined, sequence);
    return name === undefined || index === 0 ? part : { ...part, name };
  });
  return make(label ?? parts.map((part) => part.name).join("-"), "oneof", parts);
}

/** I2: the first key argument belongs to specification 0, and so on; one that covers several is not left. */
function numberKeys(sequence: readonly Argument[], keys: readonly KeySpec[]): void {
  let next = 0;
  const visit = (argument: Argument): void => {
    if (argument.type === "key" && keys.length > 0) {
      argument.keySpecIndex = Math.min(next, keys.length - 1);
      const find = keys[argument.keySpecIndex]!.find;
      // A specification with a last key covers the key arguments that follow, too.
      if (!("lastKey" in find) || find.lastKey === 0) next++;
    } else if (argument.name === "by-pattern" || argument.name === "get-pattern") {
      // The keys that a pattern makes have the specification after that of the key itself.
      argument.keySpecIndex = Math.min(1, keys.length - 1);
      next = 2;
    }
    argument.parts.forEach(visit);
  };
  sequence.forEach(visit);
}
