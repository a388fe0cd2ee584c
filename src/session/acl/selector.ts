/**
 * Selector: one set of rights. A user has one of its own and may have more; a request needs all of its rights from one.
 *
 *      +@read -get ~cache:* &news     ──►   commandBits [0 1 1 0 ...] by command id     patterns     channels
 *                                           rules  ["+@read", "-get"]  as they are shown
 *
 *  I1  `commandBits` says what the rules say, in their order, and nothing else; a rule that another one covers is gone.
 *  I2  `allKeys` and `allChannels` exclude patterns, and nothing is added to them.
 *  Source: rules, their errors and their order as redis-server 7.0 has them; that rules are shown as they were given is 7.2's.
 */

import type { Request } from "../../protocol/request.ts";
import { type Command, type CommandIndex, FLAG_NO_AUTH } from "../command-index.ts";
import { KEY_ACCESS, KEY_DELETE, KEY_INSERT, KEY_UPDATE, type KeyFinder } from "../key-specs.ts";
import { aclCategories, isAclCategory } from "./categories.ts";
import { MAY_READ, MAY_WRITE, Pattern } from "./pattern.ts";

export const ALLOWED = 0;
export const DENIED_COMMAND = 1;
export const DENIED_KEY = 2;
export const DENIED_CHANNEL = 4;

const SYNTAX_ERROR = "Syntax error";
/** The one complaint that the report of an ACL file shows with its rule. */
export const UNKNOWN = "Unknown command or category name in ACL";
const NO_FIRST_ARGUMENT = "Allowing first-arg of a subcommand is not supported";
const AFTER_ALL_KEYS =
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns";
const AFTER_ALL_CHANNELS =
  "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels";
const WRITE_FLAGS = KEY_INSERT | KEY_DELETE | KEY_UPDATE;

export class Selector {
  /** Nothing was taken from all commands: the bits need not be asked. */
  allowsAllCommands: boolean;
  allKeys: boolean;
  allChannels: boolean;
  patterns: Pattern[];
  channels: Pattern[];
  /** Where in the request the check that failed last saw the reason. */
  deniedArgument: number;
  private readonly index: CommandIndex;
  private commandBits: Uint8Array;
  /** The rules began with all commands, not with none: that is how they are shown. */
  private beginsWithAll: boolean;
  private rules: string[];
  /** First arguments that are allowed for a command that is not, by command id, upper case. */
  private firstArguments: Map<number, string[]>;

  constructor(index: CommandIndex, allChannels: boolean) {
    this.index = index;
    this.allowsAllCommands = false;
    this.allKeys = false;
    this.allChannels = allChannels;
    this.patterns = [];
    this.channels = [];
    this.deniedArgument = 0;
    this.commandBits = new Uint8Array(index.all.length);
    this.beginsWithAll = false;
    this.rules = [];
    this.firstArguments = new Map();
  }

  copy(): Selector {
    const copy = new Selector(this.index, this.allChannels);
    copy.allowsAllCommands = this.allowsAllCommands;
    copy.allKeys = this.allKeys;
    copy.patterns = this.patterns.map(({ text, access }) => new Pattern(text, access));
    copy.channels = [...this.channels];
    copy.commandBits = this.commandBits.slice();
    copy.beginsWithAll = this.beginsWithAll;
    copy.rules = [...this.rules];
    copy.firstArguments = new Map([...this.firstArguments].map(([id, words]) => [id, [...words]]));
    return copy;
  }

  /** It forbids nothing. */
  get isUnlimited(): boolean {
    return this.allowsAllCommands && this.allKeys && this.allChannels;
  }

  // ---- rules -------------------------------------------------------------------------------------------------------

  /** Takes one rule; returns what is wrong with it. */
  apply(rule: string): string | undefined {
    switch (rule.toLowerCase()) {
      case "allkeys":
      case "~*":
        this.allKeys = true;
        this.patterns = [];
        return undefined;
      case "resetkeys":
        this.allKeys = false;
        this.patterns = [];
        return undefined;
      case "allchannels":
      case "&*":
        this.allChannels = true;
        this.channels = [];
        return undefined;
      case "resetchannels":
        this.allChannels = false;
        this.channels = [];
        return undefined;
      case "allcommands":
      case "+@all":
        this.setAllCommands(true);
        return undefined;
      case "nocommands":
      case "-@all":
        this.setAllCommands(false);
        return undefined;
    }
    switch (rule[0]) {
      case "~":
      case "%":
        return this.addPattern(rule);
      case "&":
        return this.addChannel(rule.slice(1));
      case "+":
      case "-":
        if (rule[1] === "@") return this.applyCategory(rule);
        return rule[0] === "+" ? this.allow(rule.slice(1).toLowerCase()) : this.forbid(rule.slice(1).toLowerCase());
      default:
        return SYNTAX_ERROR;
    }
  }

  private setAllCommands(isAllowed: boolean): void {
    this.commandBits.fill(isAllowed ? 1 : 0);
    this.allowsAllCommands = isAllowed;
    this.beginsWithAll = isAllowed;
    this.rules = [];
    this.firstArguments.clear();
  }

  private addPattern(rule: string): string | undefined {
    if (this.allKeys) return AFTER_ALL_KEYS;
    let access = 0;
    let at = 1;
    if (rule[0] === "~") {
      access = MAY_READ | MAY_WRITE;
    } else {
      for (; at < rule.length && rule[at] !== "~"; at++) {
        const letter = rule[at]!.toUpperCase();
        const bit = letter === "R" ? MAY_READ : letter === "W" ? MAY_WRITE : 0;
        if (bit === 0 || (access & bit) !== 0) return SYNTAX_ERROR;
        access |= bit;
      }
      if (access === 0) return SYNTAX_ERROR;
      at++;
    }
    const text = rule.slice(at);
    if (hasSpaces(text)) return SYNTAX_ERROR;
    const known = this.patterns.find((pattern) => pattern.text === text);
    if (known === undefined) this.patterns.push(new Pattern(text, access));
    else known.access |= access;
    return undefined;
  }

  private addChannel(text: string): string | undefined {
    if (this.allChannels) return AFTER_ALL_CHANNELS;
    if (hasSpaces(text)) return SYNTAX_ERROR;
    if (!this.channels.some((pattern) => pattern.text === text)) this.channels.push(new Pattern(text, 0));
    return undefined;
  }

  private applyCategory(rule: string): string | undefined {
    const category = rule.slice(2).toLowerCase();
    if (!isAclCategory(category)) return UNKNOWN;
    const isAllowed = rule[0] === "+";
    for (const command of this.index.all) {
      if (aclCategories(command.spec).includes(category)) this.setCommand(command, isAllowed);
    }
    this.addRule(rule[0]!, `@${category}`);
    return undefined;
  }

  /** `+name`: a command, a subcommand, or a command with one first argument. */
  private allow(name: string): string | undefined {
    const bar = name.lastIndexOf("|");
    if (bar === -1) return this.setNamed(name, true);
    const command = this.index.fullyNamed(name.slice(0, bar));
    const word = name.slice(bar + 1);
    if (command === undefined) return UNKNOWN;
    if (command.fullName.includes("|")) return NO_FIRST_ARGUMENT;
    if (word === "") return SYNTAX_ERROR;
    if (command.subcommands !== undefined) return this.setNamed(name, true);
    const words = this.firstArguments.get(command.id) ?? [];
    if (!words.includes(word.toUpperCase())) words.push(word.toUpperCase());
    this.firstArguments.set(command.id, words);
    this.addRule("+", name);
    return undefined;
  }

  private forbid(name: string): string | undefined {
    return this.setNamed(name, false);
  }

  private setNamed(name: string, isAllowed: boolean): string | undefined {
    const command = this.index.fullyNamed(name);
    if (command === undefined) return UNKNOWN;
    this.setCommand(command, isAllowed);
    for (const subcommand of command.subcommands?.original ?? []) this.setCommand(subcommand, isAllowed);
    this.addRule(isAllowed ? "+" : "-", command.fullName);
    return undefined;
  }

  private setCommand(command: Command, isAllowed: boolean): void {
    this.commandBits[command.id] = isAllowed ? 1 : 0;
    if (!isAllowed) this.allowsAllCommands = false;
    this.firstArguments.delete(command.id);
  }

  /** What was said before of the same command, category, or a subcommand of it, no longer counts (I1). */
  private addRule(sign: string, subject: string): void {
    this.rules = this.rules.filter((rule) => rule.slice(1) !== subject && !rule.startsWith(`${subject}|`, 1));
    this.rules.push(sign + subject);
  }

  // ---- descriptions ------------------------------------------------------------------------------------------------

  describeCommands(): string {
    return [this.beginsWithAll ? "+@all" : "-@all", ...this.rules].join(" ");
  }

  describeKeys(): string {
    if (this.allKeys) return "~*";
    return this.patterns
      .map(({ text, access }) =>
        access === MAY_READ ? `%R~${text}` : access === MAY_WRITE ? `%W~${text}` : `~${text}`,
      )
      .join(" ");
  }

  describeChannels(): string {
    return this.allChannels ? "&*" : this.channels.map(({ text }) => `&${text}`).join(" ");
  }

  /** The rules that make such a selector out of a new one. */
  describe(): string {
    const words = [this.describeKeys()];
    if (!this.allChannels) words.push("resetchannels");
    words.push(this.describeChannels(), this.describeCommands());
    return words.filter((word) => word !== "").join(" ");
  }

  // ---- checks ------------------------------------------------------------------------------------------------------

  /**
   * Whether it allows the request whose words begin at argument `start`; `keys` holds the request's keys when
   * `hasFound` is true. Sets `deniedArgument`, counted from `start`. hot path
   */
  check(command: Command, request: Request, start: number, keys: KeyFinder): number {
    this.deniedArgument = 0;
    if (
      !this.allowsAllCommands &&
      this.commandBits[command.id] === 0 &&
      !this.allowsSpecially(command, request, start)
    ) {
      return DENIED_COMMAND;
    }
    if (!this.allKeys && command.keyRules.hasKeys) {
      keys.find(command.keyRules, request, start);
      const count = keys.count;
      for (let index = 0; index < count; index++) {
        const argument = keys.positions[index]!;
        if (this.allowsKey(request, argument, keys.flags[index]!)) continue;
        this.deniedArgument = argument - start;
        return DENIED_KEY;
      }
    }
    if (!this.allChannels && command.channels !== "none") return this.checkChannels(command, request, start);
    return ALLOWED;
  }

  private allowsSpecially(command: Command, request: Request, start: number): boolean {
    if ((command.flagBits & FLAG_NO_AUTH) !== 0) return true;
    const words = this.firstArguments.get(command.id);
    if (words === undefined || request.count - start < 2) return false;
    return words.some((word) => request.is(start + 1, word));
  }

  private allowsKey(request: Request, argument: number, flags: number): boolean {
    let needed = (flags & KEY_ACCESS) !== 0 ? MAY_READ : 0;
    if ((flags & WRITE_FLAGS) !== 0) needed |= MAY_WRITE;
    const { input } = request;
    const start = request.offset[argument]!;
    const length = request.length[argument]!;
    const patterns = this.patterns;
    for (let index = 0; index < patterns.length; index++) {
      const pattern = patterns[index]!;
      if ((pattern.access & needed) === needed && pattern.matches(input, start, length)) return true;
    }
    return false;
  }

  private checkChannels(command: Command, request: Request, start: number): number {
    const end = command.channels === "publish" ? Math.min(start + 2, request.count) : request.count;
    for (let argument = start + 1; argument < end; argument++) {
      const { input } = request;
      const from = request.offset[argument]!;
      const length = request.length[argument]!;
      if (this.allowsChannel(input, from, length, command.channels === "patterns")) continue;
      this.deniedArgument = argument - start;
      return DENIED_CHANNEL;
    }
    return ALLOWED;
  }

  /** A pattern that is subscribed to must be among the rules as it stands. */
  allowsChannel(bytes: Uint8Array, start: number, length: number, isPattern: boolean): boolean {
    if (this.allChannels) return true;
    return this.channels.some((each) =>
      isPattern ? each.is(bytes, start, length) : each.matches(bytes, start, length),
    );
  }

  /** Whether every key may be read. */
  readsEveryKey(): boolean {
    return this.allKeys || this.patterns.some(({ isAll, access }) => isAll && (access & MAY_READ) !== 0);
  }
}

function hasSpaces(text: string): boolean {
  return /[\s\0]/.test(text);
}
