/**
 * The configuration of one server: the value of every directive, who may change it, and who is told.
 *
 *      file, command line ──► readLine ──┐                          ┌──► text(), integer(), ...   slow paths ask
 *                                        ├──► values (as CONFIG GET ├──► onChange listeners        hot paths are told
 *      CONFIG SET ──► set: check all ────┘    shows them)           └──► get(patterns)
 *                     apply one by one; when one fails, all go back
 *
 *  I1  Every directive has a value at all times, in the form that CONFIG GET gives (values.ts, I1).
 *  I2  A set changes everything it names or nothing: listeners hear of it only after every applier has agreed.
 *  I3  Sets run one after the other, also when an applier takes its time.
 *  I4  Instances share nothing that changes.
 *  Source: CONFIG SET's order of checks and its error texts as redis-server 7.0 shows them.
 */

import { assert } from "../../core/assert.ts";
import { globMatchText } from "../../core/glob.ts";
import type { Directive } from "./directive.ts";
import { DIRECTIVES, findDirective, RETIRED } from "./directives.ts";
import { type OUTPUT_CLASSES, parseValue, shownValue, splitOutputLimits } from "./values.ts";

/** What is wrong with a value, undefined when nothing is. */
export type Complaint = string | undefined;
/** Judges a value before anything is changed; `value` is in the form of CONFIG GET. */
export type Validator = (value: string) => Complaint;
/** Puts a value into effect; what it returns (or resolves to) other than undefined takes the whole CONFIG SET back. */
export type Applier = (value: string, previous: string) => Complaint | Promise<Complaint>;
export type Listener = (value: string) => void;

export interface ConfigOptions {
  /** Absolute; `dir` begins here. One character per byte. */
  readonly workingDirectory: string;
  /** Judges a line of the kind that stands several times (rename-command, user, loadmodule); `words` without the name. */
  readonly checkLine?: (name: string, words: readonly string[]) => Complaint;
}

/** Who sends CONFIG SET, as far as it matters. */
export interface SetOptions {
  /** The client comes over loopback or the unix socket. */
  readonly isLocal?: boolean;
  readonly isLoading?: boolean;
}

export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

export interface OutputLimit {
  /** 0 means no limit. */
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

export type OutputLimits = Readonly<Record<(typeof OUTPUT_CLASSES)[number], OutputLimit>>;

/** A directive that was set and does nothing here, and why. */
export interface Ignored {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
}

interface Change {
  /** As the client spelled it, in small letters: an alias stays an alias in errors. */
  readonly name: string;
  readonly entry: Directive;
  readonly value: string;
  readonly previous: string;
}

export class Config {
  private readonly values: Map<string, string>;
  private readonly lineTable: Map<string, (readonly string[])[]>;
  private readonly validators: Map<string, Validator[]>;
  private readonly appliers: Map<string, Applier[]>;
  private readonly listeners: Map<string, Listener[]>;
  private readonly checkLine: ((name: string, words: readonly string[]) => Complaint) | undefined;
  /** Whether a save line was read: the first one drops the default points, later ones add. */
  private isSaveRead: boolean;
  /** The set that is still being applied. */
  private pending: Promise<Complaint> | undefined;

  constructor(options: ConfigOptions) {
    assert(options.workingDirectory.startsWith("/"), "the working directory is absolute");
    this.values = new Map(DIRECTIVES.map((entry) => [entry.name, entry.initial]));
    this.values.set("dir", options.workingDirectory);
    this.lineTable = new Map();
    this.validators = new Map();
    this.appliers = new Map();
    this.listeners = new Map();
    this.checkLine = options.checkLine;
    this.isSaveRead = false;
    this.pending = undefined;
  }

  // ---- reading ------------------------------------------------------------------------------------------------

  /** The value as CONFIG GET gives it, one character per byte. `name`: never an alias. */
  text(name: string): string {
    const value = this.values.get(name);
    assert(value !== undefined, "a known directive");
    return value;
  }

  /** The value as text of the file system or of a person: its bytes read as UTF-8. */
  utf8(name: string): string {
    return Buffer.from(this.text(name), "latin1").toString("utf8");
  }

  /** An integer or a number of bytes; above 2^53 the nearest double. */
  integer(name: string): number {
    const value = Number(this.text(name));
    assert(!Number.isNaN(value), "a directive that holds a number");
    return value;
  }

  boolean(name: string): boolean {
    const value = this.text(name);
    assert(value === "yes" || value === "no", "a directive that is yes or no");
    return value === "yes";
  }

  /** The words of a value such as bind's or shutdown-on-sigterm's; none for the empty value. */
  words(name: string): string[] {
    const value = this.text(name);
    return value === "" ? [] : value.split(" ");
  }

  /** The permission bits of an octal value. */
  octal(name: string): number {
    return Number.parseInt(this.text(name), 8);
  }

  /** Bytes of a value that may be a share (`5%`) of `wholeBytes`. */
  bytesOf(name: string, wholeBytes: number): number {
    const value = this.text(name);
    return value.endsWith("%") ? Math.floor((wholeBytes * Number(value.slice(0, -1))) / 100) : this.integer(name);
  }

  savePoints(): SavePoint[] {
    const words = this.words("save");
    const points: SavePoint[] = [];
    for (let at = 0; at < words.length; at += 2) {
      points.push({ seconds: Number(words[at]), changes: Number(words[at + 1]) });
    }
    return points;
  }

  outputLimits(): OutputLimits {
    const limits = splitOutputLimits(this.text("client-output-buffer-limit")).map((part) => {
      const [, hard, soft, seconds] = part.split(" ");
      return { hardBytes: Number(hard), softBytes: Number(soft), softSeconds: Number(seconds) };
    });
    return { normal: limits[0]!, slave: limits[1]!, pubsub: limits[2]! };
  }

  /** The lines called `name` (rename-command, user, loadmodule, include), each as its words without the name. */
  lines(name: string): readonly (readonly string[])[] {
    return this.lineTable.get(name) ?? [];
  }

  /** What was set although it does nothing here, for warnings at the start. */
  ignored(): Ignored[] {
    const found: Ignored[] = [];
    for (const entry of DIRECTIVES) {
      if (entry.effect === "") continue;
      const value = this.text(entry.name);
      if (value !== entry.initial || this.lines(entry.name).length > 0) {
        found.push({ name: entry.name, value: entry.isSensitive ? "(hidden)" : value, reason: entry.effect });
      }
    }
    return found;
  }

  // ---- being told ---------------------------------------------------------------------------------------------

  /** Calls `listener` after every change of `name`. */
  onChange(name: string, listener: Listener): void {
    append(this.listeners, this.known(name), listener);
  }

  /** Calls `use` with the value now and after every change. */
  followText(name: string, use: (value: string) => void): void {
    this.onChange(name, use);
    use(this.text(name));
  }

  /** followText for integers and bytes. */
  followInteger(name: string, use: (value: number) => void): void {
    this.followText(name, () => use(this.integer(name)));
  }

  /** followText for yes and no. */
  followBoolean(name: string, use: (value: boolean) => void): void {
    this.followText(name, () => use(this.boolean(name)));
  }

  /** Adds a judge for values of `name`, from files and from CONFIG SET alike. */
  validate(name: string, validator: Validator): void {
    append(this.validators, this.known(name), validator);
  }

  /** Adds what puts a CONFIG SET of `name` into effect. Not called for what is read at the start. */
  apply(name: string, applier: Applier): void {
    append(this.appliers, this.known(name), applier);
  }

  private known(name: string): string {
    assert(this.values.has(name), "a known directive");
    return name;
  }

  // ---- from files and the command line ------------------------------------------------------------------------

  /** Takes one line, split into words, the directive's name first. Returns what is wrong with it. `include` is the reader's. */
  readLine(words: readonly string[]): Complaint {
    const name = words[0]!.toLowerCase();
    const rest = words.slice(1);
    if (RETIRED.includes(name) && rest.length === 1) return undefined;
    const entry = findDirective(name);
    if (entry === undefined) return "Bad directive or wrong number of arguments";
    if (entry.kind.type === "lines") return this.readListed(entry, rest);
    if (rest.length === 0) return "wrong number of arguments";
    const previous = this.text(entry.name);
    const parsed = parseValue(entry.kind, rest, previous);
    if ("complaint" in parsed) return parsed.complaint;
    let value = parsed.value;
    if (entry.kind.type === "save") {
      if (this.isSaveRead && previous !== "" && value !== "") value = `${previous} ${value}`;
      this.isSaveRead = true;
    }
    const complaint = this.judge(entry, value);
    if (complaint !== undefined) return complaint;
    this.store(entry.name, value);
    if (value !== previous) this.tell(entry.name, value);
    return undefined;
  }

  private readListed(entry: Directive, words: readonly string[]): Complaint {
    const kind = entry.kind;
    assert(kind.type === "lines", "a directive that consists of lines");
    if (words.length < kind.wordsMin || words.length > kind.wordsMax) {
      return "Bad directive or wrong number of arguments";
    }
    const complaint = this.checkLine?.(entry.name, words);
    if (complaint === undefined) append(this.lineTable, entry.name, words);
    return complaint;
  }

  /** What is wrong with the whole, once everything was read. */
  checkWhole(): Complaint {
    const isContradictory = this.boolean("cluster-enabled") && this.text("replicaof") !== "";
    return isContradictory ? "replicaof directive not allowed in cluster mode" : undefined;
  }

  // ---- CONFIG GET ---------------------------------------------------------------------------------------------

  /** Names and values for `patterns`; a pattern without glob signs also finds hidden ones and is answered as it was spelled. */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const found = new Map<string, [string, string]>();
    for (const pattern of patterns) {
      if (/[[*?]/.test(pattern)) this.collect(pattern, found);
      else this.collectExact(pattern, found);
    }
    return [...found.values()];
  }

  private collectExact(name: string, found: Map<string, [string, string]>): void {
    const entry = findDirective(name);
    const key = name.toLowerCase();
    if (entry === undefined || entry.kind.type === "lines" || found.has(key)) return;
    found.set(key, [name, shownValue(entry.kind, this.text(entry.name))]);
  }

  private collect(pattern: string, found: Map<string, [string, string]>): void {
    for (const entry of DIRECTIVES) {
      if (entry.isHidden || entry.kind.type === "lines") continue;
      for (const name of entry.alias === "" ? [entry.name] : [entry.name, entry.alias]) {
        if (found.has(name) || !globMatchText(pattern, name, true)) continue;
        found.set(name, [name, shownValue(entry.kind, this.text(entry.name))]);
      }
    }
  }

  // ---- CONFIG SET ---------------------------------------------------------------------------------------------

  /**
   * Sets all `pairs` or none. Gives the whole error text (code first), undefined when it is done; a promise of that
   * when an applier needs time, or when an earlier set still does.
   */
  set(
    pairs: readonly (readonly [name: string, value: string])[],
    options: SetOptions = {},
  ): Complaint | Promise<Complaint> {
    if (this.pending !== undefined) return this.track(this.pending.then(() => this.setNow(pairs, options)));
    const outcome = this.setNow(pairs, options);
    return outcome instanceof Promise ? this.track(outcome) : outcome;
  }

  private track(outcome: Promise<Complaint>): Promise<Complaint> {
    const tracked = outcome.finally(() => {
      if (this.pending === tracked) this.pending = undefined;
    });
    this.pending = tracked;
    return tracked;
  }

  private setNow(
    pairs: readonly (readonly [name: string, value: string])[],
    options: SetOptions,
  ): Complaint | Promise<Complaint> {
    const refusal = this.refusal(pairs, options);
    if (refusal !== undefined) return refusal;
    const staged = new Map<string, Change>();
    for (const [spelled, word] of pairs) {
      const name = spelled.toLowerCase();
      const entry = findDirective(name)!;
      const previous = this.text(entry.name);
      const parsed = parseValue(entry.kind, [word], staged.get(entry.name)?.value ?? previous);
      if ("complaint" in parsed) return setFailure(name, parsed.complaint);
      const complaint = this.judge(entry, parsed.value);
      if (complaint !== undefined) return setFailure(name, complaint);
      staged.set(entry.name, { name, entry, value: parsed.value, previous });
    }
    const changes = [...staged.values()].filter(({ entry, value, previous }) => entry.isVolatile || value !== previous);
    for (const change of changes) this.store(change.entry.name, change.value);
    return this.applyFrom(changes, 0, 0);
  }

  /** The error of the first pair that may not be set at all, whatever its value. */
  private refusal(pairs: readonly (readonly [name: string, value: string])[], options: SetOptions): Complaint {
    const seen = new Set<string>();
    let first: Complaint;
    for (const [spelled] of pairs) {
      const name = spelled.toLowerCase();
      const entry = findDirective(name);
      if (entry === undefined || entry.kind.type === "lines") {
        first ??= `ERR Unknown option or number of arguments for CONFIG SET - '${spelled}'`;
        continue;
      }
      // That the server is loading counts more than any mistake.
      if (entry.isDeniedWhileLoading && options.isLoading === true) {
        return "LOADING Redis is loading the dataset in memory";
      }
      if (entry.isImmutable) first ??= setFailure(spelled, "can't set immutable config");
      else if (entry.isProtected && !this.mayChangeProtected(options)) {
        first ??= setFailure(spelled, "can't set protected config");
      } else if (seen.has(name)) first ??= setFailure(spelled, "duplicate parameter");
      seen.add(name);
    }
    return first;
  }

  private mayChangeProtected(options: SetOptions): boolean {
    const allowed = this.text("enable-protected-configs");
    return allowed === "yes" || (allowed === "local" && options.isLocal === true);
  }

  private judge(entry: Directive, value: string): Complaint {
    for (const validator of this.validators.get(entry.name) ?? []) {
      const complaint = validator(value);
      if (complaint !== undefined) return complaint;
    }
    return undefined;
  }

  /** Applies changes from `changeIndex`, and there from applier `applierIndex` on; then tells the listeners. */
  private applyFrom(
    changes: readonly Change[],
    changeIndex: number,
    applierIndex: number,
  ): Complaint | Promise<Complaint> {
    for (let index = changeIndex; index < changes.length; index++) {
      const change = changes[index]!;
      const appliers = this.appliers.get(change.entry.name) ?? [];
      for (let at = index === changeIndex ? applierIndex : 0; at < appliers.length; at++) {
        const outcome = settle(() => appliers[at]!(change.value, change.previous));
        if (outcome instanceof Promise) {
          return outcome.then((complaint) =>
            complaint === undefined
              ? this.applyFrom(changes, index, at + 1)
              : this.takeBack(changes, index, at, complaint),
          );
        }
        if (outcome !== undefined) return this.takeBack(changes, index, at, outcome);
      }
    }
    for (const change of changes) this.tell(change.entry.name, change.value);
    return undefined;
  }

  /** Puts every old value back, also into effect, newest first; `changeIndex`, `applierIndex`: the applier that refused. */
  private takeBack(
    changes: readonly Change[],
    changeIndex: number,
    applierIndex: number,
    complaint: string,
  ): Complaint | Promise<Complaint> {
    for (const change of changes) this.store(change.entry.name, change.previous);
    const undo: (() => Complaint | Promise<Complaint>)[] = [];
    for (let index = changeIndex; index >= 0; index--) {
      const change = changes[index]!;
      const appliers = this.appliers.get(change.entry.name) ?? [];
      for (let at = (index === changeIndex ? applierIndex : appliers.length) - 1; at >= 0; at--) {
        undo.push(() => appliers[at]!(change.previous, change.value));
      }
    }
    return this.runAll(undo, 0, setFailure(changes[changeIndex]!.name, complaint));
  }

  private runAll(
    steps: readonly (() => Complaint | Promise<Complaint>)[],
    from: number,
    text: string,
  ): string | Promise<string> {
    for (let index = from; index < steps.length; index++) {
      const outcome = settle(steps[index]!);
      if (outcome instanceof Promise) {
        return outcome.then((complaint) => this.runAll(steps, index + 1, withRest(text, complaint)));
      }
      text = withRest(text, outcome);
    }
    return text;
  }

  private store(name: string, value: string): void {
    this.values.set(name, value);
  }

  private tell(name: string, value: string): void {
    for (const listener of this.listeners.get(name) ?? []) listener(value);
  }
}

function append<Value>(table: Map<string, Value[]>, key: string, value: Value): void {
  const list = table.get(key);
  if (list === undefined) table.set(key, [value]);
  else list.push(value);
}

/** What `step` says; a rejected promise is a complaint, too. A throw is our own bug and goes on. */
function settle(step: () => Complaint | Promise<Complaint>): Complaint | Promise<Complaint> {
  const outcome = step();
  if (!(outcome instanceof Promise)) return outcome;
  return outcome.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
}

/** `text`, and that an old value could not be put back into effect either. */
function withRest(text: string, complaint: Complaint): string {
  return complaint === undefined ? text : `${text}; the old value could not be restored: ${complaint}`;
}

function setFailure(name: string, complaint: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}')${complaint === "" ? "" : ` - ${complaint}`}`;
}
