/**
 * The command table in the form that serves requests: names as bytes, flags as bits, counters beside them.
 *
 *      "get" ── hash of its letters, upper case ──► slot ──► Command { run, flagBits, arity, calls, ... }
 *
 *  I1  Lookup reads the request's bytes: no string is made for a known command.
 *  I2  A Command is made once, when the server is composed.
 */

import type { CommandFlag, CommandFunction, CommandSpec, CommandTable } from "../commands/command.ts";
import type { Request } from "../protocol/request.ts";
import { type KeyRules, keyRulesOf } from "./key-specs.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

export const FLAG_WRITE = 1;
export const FLAG_READONLY = 2;
export const FLAG_DENYOOM = 4;
export const FLAG_ADMIN = 8;
export const FLAG_LOADING = 16;
export const FLAG_STALE = 32;
export const FLAG_NO_AUTH = 64;
export const FLAG_FAST = 128;
export const FLAG_PROTECTED = 256;
export const FLAG_ALLOW_BUSY = 512;
export const FLAG_SKIP_SLOWLOG = 1024;
export const FLAG_MAY_REPLICATE = 2048;
export const FLAG_BLOCKING = 4096;
export const FLAG_NO_MULTI = 8192;
export const FLAG_NOSCRIPT = 16384;

const FLAG_BITS: Partial<Record<CommandFlag, number>> = {
  write: FLAG_WRITE,
  readonly: FLAG_READONLY,
  denyoom: FLAG_DENYOOM,
  admin: FLAG_ADMIN,
  loading: FLAG_LOADING,
  stale: FLAG_STALE,
  no_auth: FLAG_NO_AUTH,
  fast: FLAG_FAST,
  protected: FLAG_PROTECTED,
  allow_busy: FLAG_ALLOW_BUSY,
  skip_slowlog: FLAG_SKIP_SLOWLOG,
  may_replicate: FLAG_MAY_REPLICATE,
  blocking: FLAG_BLOCKING,
  no_multi: FLAG_NO_MULTI,
  noscript: FLAG_NOSCRIPT,
};

/** Executed at once between MULTI and EXEC, not queued. */
const NEVER_QUEUED = ["EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"];

const FOR_SUBSCRIBERS = [
  "SUBSCRIBE",
  "UNSUBSCRIBE",
  "PSUBSCRIBE",
  "PUNSUBSCRIBE",
  "SSUBSCRIBE",
  "SUNSUBSCRIBE",
  "PING",
  "QUIT",
  "RESET",
];

/** Commands that call others. */
const SCRIPTS = ["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"];

/** Commands whose arguments are channels, for access control. */
const CHANNEL_COMMANDS: Readonly<Record<string, ChannelUse>> = {
  SUBSCRIBE: "channels",
  SSUBSCRIBE: "channels",
  PSUBSCRIBE: "patterns",
  PUBLISH: "publish",
  SPUBLISH: "publish",
};

/** Its arguments are channels or patterns of channels from the first on, or the first one alone is a channel. */
export type ChannelUse = "none" | "channels" | "patterns" | "publish";

/** One command or subcommand, ready to be called. */
export class Command {
  /** Upper case: "GET", or "CLIENT|LIST" for a subcommand. */
  readonly name: string;
  /** Lower case with "|", as statistics and CLIENT LIST show it. */
  readonly fullName: string;
  readonly spec: CommandSpec;
  readonly arity: number;
  readonly flagBits: number;
  readonly run: CommandFunction | undefined;
  readonly subcommands: CommandIndex | undefined;
  /** Takes so little time that several in a row are timed together. */
  readonly isBrief: boolean;
  /** MULTI, EXEC and the like, which the queue of a transaction does not take. */
  readonly isNeverQueued: boolean;
  readonly isExec: boolean;
  /** Of those that people regret: the log keeps who called it. */
  readonly isDangerous: boolean;
  /** What a client that listens to channels may still say in RESP2. */
  readonly isForSubscribers: boolean;
  /** What it reads is remembered for clients that track. A script is not: the commands that it calls are. */
  readonly isTracked: boolean;
  /** MONITOR shows it, a script before the commands that it calls, others when they are done. */
  readonly isShown: boolean;
  readonly isShownFirst: boolean;
  /** Counts all commands and subcommands of a server from 0; set when the server's index is made. */
  id: number;
  readonly keyRules: KeyRules;
  readonly channels: ChannelUse;
  /** How long its calls took; undefined until the first one. */
  histogram: LatencyHistogram | undefined;
  calls: number;
  microseconds: number;
  rejectedCalls: number;
  failedCalls: number;

  constructor(name: string, spec: CommandSpec, container: string | undefined) {
    this.name = container === undefined ? name : `${container}|${name}`;
    this.fullName = this.name.toLowerCase();
    this.spec = spec;
    this.arity = spec.arity;
    let bits = 0;
    for (const flag of spec.flags) bits |= FLAG_BITS[flag] ?? 0;
    this.flagBits = bits;
    this.run = spec.run;
    this.subcommands = spec.subcommands === undefined ? undefined : new CommandIndex(spec.subcommands, name);
    this.isBrief = (bits & FLAG_FAST) !== 0 || BRIEF_BESIDES_FAST.includes(this.name);
    this.isNeverQueued = NEVER_QUEUED.includes(this.name);
    this.isExec = this.name === "EXEC";
    this.isDangerous = spec.acl.includes("dangerous");
    this.isForSubscribers = FOR_SUBSCRIBERS.includes(this.name);
    this.keyRules = keyRulesOf(this.name, spec);
    this.isShownFirst = SCRIPTS.includes(this.name);
    this.isTracked =
      (bits & FLAG_READONLY) !== 0 && this.keyRules.hasKeys && !spec.flags.includes("pubsub") && !this.isShownFirst;
    this.isShown = this.isShownFirst || ((bits & FLAG_ADMIN) === 0 && !spec.flags.includes("skip_monitor"));
    this.histogram = undefined;
    this.id = 0;
    this.channels = CHANNEL_COMMANDS[this.name] ?? "none";
    this.calls = 0;
    this.microseconds = 0;
    this.rejectedCalls = 0;
    this.failedCalls = 0;
  }

  /** CONFIG RESETSTAT. */
  resetCounters(): void {
    this.calls = 0;
    this.microseconds = 0;
    this.rejectedCalls = 0;
    this.failedCalls = 0;
    this.histogram = undefined;
  }

  /** Adds `calls` calls of `microseconds` each to the histogram. */
  recordLatency(microseconds: number, calls: number): void {
    this.histogram ??= new LatencyHistogram();
    this.histogram.add(microseconds * 1000, calls);
  }
}

/** Not flagged fast by Redis, though their cost depends only on the length of what they are given. */
const BRIEF_BESIDES_FAST = ["SET", "SETEX", "PSETEX", "GETRANGE", "SETRANGE", "DEL", "MSET"];

export class CommandIndex {
  commands: Command[];
  /** As at the beginning: what rename-command takes away or renames keeps its name for access control. */
  readonly original: readonly Command[];
  /** The original commands, each with its subcommands behind it, by id. */
  readonly all: readonly Command[];
  /** The name by which each command is called: its own, or what rename-command made of it. */
  private callNames: string[];
  /** Open addressing: position + 1 in `commands`, 0 for empty. */
  private slots: Int16Array;
  /** Names as bytes, upper case, one after the other; where each starts. */
  private names: Uint8Array;
  private nameStart: Int32Array;

  constructor(table: CommandTable, container?: string) {
    this.commands = Object.entries(table).map(([name, spec]) => new Command(name, spec, container));
    this.original = [...this.commands];
    this.all = this.original.flatMap((command) => [command, ...(command.subcommands?.original ?? [])]);
    if (container === undefined) for (const [id, command] of this.all.entries()) command.id = id;
    this.callNames = Object.keys(table);
    this.slots = new Int16Array(0);
    this.names = new Uint8Array(0);
    this.nameStart = new Int32Array(0);
    this.build();
  }

  /** rename-command: `to` is the new name, "" takes the command away. False when there is no command `from`. */
  rename(from: string, to: string): boolean {
    const index = this.callNames.indexOf(from.toUpperCase());
    if (index === -1) return false;
    if (to === "") {
      this.commands = this.commands.filter((_, each) => each !== index);
      this.callNames = this.callNames.filter((_, each) => each !== index);
    } else {
      this.callNames[index] = to.toUpperCase();
    }
    this.build();
    return true;
  }

  private build(): void {
    let slotCount = 8;
    while (slotCount < this.commands.length * 4) slotCount *= 2;
    this.slots = new Int16Array(slotCount);
    const names = this.callNames;
    this.names = Uint8Array.from(names.join(""), (character) => character.charCodeAt(0));
    this.nameStart = new Int32Array(names.length + 1);
    for (let index = 0, start = 0; index < names.length; index++) {
      this.nameStart[index] = start;
      const length = names[index]!.length;
      let slot = hashName(this.names, start, length) & (slotCount - 1);
      while (this.slots[slot] !== 0) slot = (slot + 1) & (slotCount - 1);
      this.slots[slot] = index + 1;
      start += length;
      this.nameStart[index + 1] = start;
    }
  }

  /** The command that argument `argument` names, in any case; undefined when there is none. hot path */
  find(request: Request, argument: number): Command | undefined {
    const start = request.offset[argument]!;
    const length = request.length[argument]!;
    const input = request.input;
    const slots = this.slots;
    const mask = slots.length - 1;
    for (let slot = hashName(input, start, length) & mask; ; slot = (slot + 1) & mask) {
      const index = slots[slot]! - 1;
      if (index < 0) return undefined;
      const nameStart = this.nameStart[index]!;
      if (this.nameStart[index + 1]! - nameStart !== length) continue;
      let at = 0;
      for (; at < length; at++) {
        let byte = input[start + at]!;
        if (byte >= 97 && byte <= 122) byte -= 32;
        if (byte !== this.names[nameStart + at]) break;
      }
      if (at === length) return this.commands[index];
    }
  }

  /** The original command or subcommand of that name ("get", "config|get", in any case); undefined when there is none. */
  fullyNamed(name: string): Command | undefined {
    const fullName = name.toLowerCase();
    return this.all.find((command) => command.fullName === fullName);
  }

  /** All commands, each with its subcommands behind it. */
  withSubcommands(): Command[] {
    return this.commands.flatMap((command) => [command, ...(command.subcommands?.commands ?? [])]);
  }

  /** By name as text, in any case. */
  named(name: string): Command | undefined {
    const upper = name.toUpperCase();
    return this.commands.find((command) => command.name === upper || command.name.endsWith(`|${upper}`));
  }
}

/** Letters of either case hash alike; the other characters of names are rare enough not to matter. */
function hashName(bytes: Uint8Array, start: number, length: number): number {
  let hash = length;
  for (let index = 0; index < length; index++) hash = Math.imul(hash, 31) + (bytes[start + index]! & 0xdf);
  return hash ^ (hash >>> 7);
}
