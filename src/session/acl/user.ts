/**
 * User: a name, passwords, and what its clients may do.
 *
 *      on >secret ~cache:* +@read (+set ~queue:*)      ──►   hashes [64 digits]    selectors [own rights, (...), ...]
 *
 *  I1  There is always a first selector: the user's own rights.
 *  I2  `isUnlimited` is true exactly when one of the selectors forbids nothing: then nobody asks further.
 *  I3  Passwords are kept as their sums only, and compared without telling where they differ.
 *  Source: the rules of ACL SETUSER and their errors as redis-server 7.0 has them; that `sanitize-payload` is shown is 7.2's.
 */

import { Sha256 } from "../../core/sha256.ts";
import type { Request } from "../../protocol/request.ts";
import type { Command, CommandIndex } from "../command-index.ts";
import { KeyFinder } from "../key-specs.ts";
import { ALLOWED, DENIED_COMMAND, Selector } from "./selector.ts";

const NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist";
const BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";

export class User {
  readonly name: string;
  isOn: boolean;
  /** Any password will do. */
  needsNoPassword: boolean;
  /** SHA-256 of each password, 64 lower-case hexadecimal digits. */
  hashes: string[];
  selectors: Selector[];
  /** May do everything. hot path: asked for each request. */
  isUnlimited: boolean;
  /** What the last refusal was about: an argument's index, counted from the command's name. */
  deniedArgument: number;
  private skipsSanitizing: boolean;
  private readonly index: CommandIndex;
  /** acl-pubsub-default is allchannels. */
  private readonly opensChannels: () => boolean;
  private readonly keys: KeyFinder;

  /** A new user may do nothing, and nobody can be it. */
  constructor(name: string, index: CommandIndex, opensChannels: () => boolean) {
    this.name = name;
    this.isOn = false;
    this.needsNoPassword = false;
    this.hashes = [];
    this.selectors = [new Selector(index, opensChannels())];
    this.isUnlimited = false;
    this.deniedArgument = 0;
    this.skipsSanitizing = false;
    this.index = index;
    this.opensChannels = opensChannels;
    this.keys = new KeyFinder();
  }

  /** Takes over all but the name. */
  become(other: User): void {
    this.isOn = other.isOn;
    this.needsNoPassword = other.needsNoPassword;
    this.hashes = [...other.hashes];
    this.selectors = other.selectors.map((selector) => selector.copy());
    this.skipsSanitizing = other.skipsSanitizing;
    this.update();
  }

  private update(): void {
    this.isUnlimited = this.selectors.some((selector) => selector.isUnlimited);
  }

  // ---- rules -------------------------------------------------------------------------------------------------------

  /** Takes one rule; returns what is wrong with it: then nothing has changed. */
  apply(rule: string): string | undefined {
    const complaint = this.applyOwn(rule);
    this.update();
    return complaint;
  }

  private applyOwn(rule: string): string | undefined {
    switch (rule.toLowerCase()) {
      case "":
        return undefined;
      case "on":
        this.isOn = true;
        return undefined;
      case "off":
        this.isOn = false;
        return undefined;
      case "nopass":
        this.needsNoPassword = true;
        this.hashes = [];
        return undefined;
      case "resetpass":
        this.needsNoPassword = false;
        this.hashes = [];
        return undefined;
      case "sanitize-payload":
        this.skipsSanitizing = false;
        return undefined;
      case "skip-sanitize-payload":
        this.skipsSanitizing = true;
        return undefined;
      case "clearselectors":
        this.selectors.length = 1;
        return undefined;
      case "reset":
        this.become(new User(this.name, this.index, this.opensChannels));
        return undefined;
    }
    switch (rule[0]) {
      case ">":
        return this.addPassword(sumOf(rule.slice(1)));
      case "#":
        return isSum(rule.slice(1)) ? this.addPassword(rule.slice(1)) : BAD_HASH;
      case "<":
        return this.removePassword(sumOf(rule.slice(1)));
      case "!":
        return isSum(rule.slice(1)) ? this.removePassword(rule.slice(1)) : BAD_HASH;
      case "(":
        return this.addSelector(rule);
      default:
        return this.selectors[0]!.apply(rule);
    }
  }

  private addPassword(sum: string): undefined {
    if (!this.hashes.includes(sum)) this.hashes.push(sum);
    this.needsNoPassword = false;
  }

  private removePassword(sum: string): string | undefined {
    const place = this.hashes.indexOf(sum);
    if (place === -1) return NO_SUCH_PASSWORD;
    this.hashes.splice(place, 1);
    return undefined;
  }

  private addSelector(rule: string): string | undefined {
    if (!rule.endsWith(")")) return "Syntax error";
    const selector = new Selector(this.index, this.opensChannels());
    for (const word of rule.slice(1, -1).split(/\s+/)) {
      const complaint = word === "" ? undefined : selector.apply(word);
      if (complaint !== undefined) return complaint;
    }
    this.selectors.push(selector);
    return undefined;
  }

  // ---- descriptions ------------------------------------------------------------------------------------------------

  flagWords(): string[] {
    const words = [this.isOn ? "on" : "off"];
    if (this.needsNoPassword) words.push("nopass");
    words.push(this.skipsSanitizing ? "skip-sanitize-payload" : "sanitize-payload");
    return words;
  }

  /** The line of ACL LIST, of the ACL file and of the configuration file. */
  describe(): string {
    const [own, ...others] = this.selectors;
    return [
      "user",
      this.name,
      ...this.flagWords(),
      ...this.hashes.map((hash) => `#${hash}`),
      own!.describe(),
      ...others.map((selector) => `(${selector.describe()})`),
    ].join(" ");
  }

  // ---- checks ------------------------------------------------------------------------------------------------------

  /** Whether one may be this user with that password. */
  accepts(password: Uint8Array): boolean {
    if (!this.isOn) return false;
    if (this.needsNoPassword) return true;
    const sum = new Sha256().hexadecimal(password);
    let isKnown = false;
    // All of them are looked at: the time tells nothing.
    for (const hash of this.hashes) if (isSame(sum, hash)) isKnown = true;
    return isKnown;
  }

  /**
   * Whether the user may run `command` with the words of `request` from argument `start` on: ALLOWED, or what the best
   * of its selectors refuses (DENIED_...), about `deniedArgument`. hot path
   */
  check(command: Command, request: Request, start: number): number {
    let denial = DENIED_COMMAND;
    let deniedArgument = 0;
    const selectors = this.selectors;
    for (let index = 0; index < selectors.length; index++) {
      const selector = selectors[index]!;
      const result = selector.check(command, request, start, this.keys);
      if (result === ALLOWED) return ALLOWED;
      if (result > denial || (result === denial && selector.deniedArgument > deniedArgument)) {
        denial = result;
        deniedArgument = selector.deniedArgument;
      }
    }
    this.deniedArgument = deniedArgument;
    return denial;
  }

  /** Whether one selector allows this request and to read any key besides. */
  readsEveryKey(command: Command, request: Request): boolean {
    if (this.isUnlimited) return true;
    return this.selectors.some(
      (selector) => selector.readsEveryKey() && selector.check(command, request, 0, this.keys) === ALLOWED,
    );
  }

  allowsChannel(name: Uint8Array, isPattern: boolean): boolean {
    return this.selectors.some((selector) => selector.allowsChannel(name, 0, name.length, isPattern));
  }
}

/** `password`: one character per byte. */
function sumOf(password: string): string {
  return new Sha256().hexadecimal(Buffer.from(password, "latin1"));
}

function isSum(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text) && !text.endsWith("\n");
}

function isSame(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index++) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}
