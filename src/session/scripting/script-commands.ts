/**
 * EVAL, EVALSHA and their _RO forms, SCRIPT: scripts by their text and by its SHA-1.
 *
 *      text ── SHA-1 ──► cache: name ──► { source, flags, compiled function of the machine that there is now }
 *
 *  I1  A script stays in the cache until SCRIPT FLUSH; its compiled form is made anew when the machine was replaced.
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext, CommandSpec, CommandTable, KeySpec } from "../../commands/command.ts";
import { SHA1_BYTES, Sha1 } from "../../core/sha1.ts";
import { NOT_AN_INTEGER, ReplyError } from "../../protocol/errors.ts";
import { writeHelp } from "./help.ts";
import type { LuaMachine } from "./machine.ts";
import { hexadecimal } from "./redis-library.ts";
import { readScriptHead } from "./script-flags.ts";
import type { Script, Scripting } from "./scripting.ts";

const CHUNK = "@user_script";
const NO_SCRIPT = new ReplyError("NOSCRIPT No matching script. Please use EVAL.");
const NEGATIVE_KEYS = new ReplyError("ERR Number of keys can't be negative");
const TOO_MANY_KEYS = new ReplyError("ERR Number of keys can't be greater than number of args");
const FLUSH_OPTION = new ReplyError("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
const DEBUG_OPTION = new ReplyError("ERR Use SCRIPT DEBUG YES/SYNC/NO");
const NO_DEBUGGER = new ReplyError("ERR Everkey has no debugger for scripts");
/** What a script in the cache costs besides its text, about. */
const ENTRY_BYTES = 200;

export const SCRIPT_KEYS: readonly KeySpec[] = keys(
  "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
  "RW",
  "access",
  "update",
);
export const SCRIPT_KEYS_READ: readonly KeySpec[] = keys(
  "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
  "RO",
  "access",
);

function keys(notes: string, ...flags: KeySpec["flags"]): readonly KeySpec[] {
  return [{ flags, begin: { index: 2 }, find: { keyNumberIndex: 0, firstKey: 1, step: 1 }, notes }];
}

class CachedScript implements Script {
  readonly name: string;
  readonly kind = "script" as const;
  readonly flags: number;
  readonly body: Uint8Array;
  machine: LuaMachine | undefined;
  reference: number;
  /** The next one whose name begins alike. */
  next: CachedScript | undefined;

  constructor(name: string, flags: number, body: Uint8Array) {
    this.name = name;
    this.flags = flags;
    this.body = body;
    this.machine = undefined;
    this.reference = 0;
    this.next = undefined;
  }
}

export class Scripts {
  private readonly scripting: Scripting;
  private readonly cache: Map<string, CachedScript>;
  /** The same by the first digits of the name: EVALSHA finds its script without making text of the name. */
  private readonly byDigits: Map<number, CachedScript>;
  private readonly sha1: Sha1;
  private readonly sum: Uint8Array;
  private sourceBytes: number;

  constructor(scripting: Scripting) {
    this.scripting = scripting;
    this.cache = new Map();
    this.byDigits = new Map();
    this.sha1 = new Sha1();
    this.sum = new Uint8Array(SHA1_BYTES);
    this.sourceBytes = 0;
  }

  /** INFO's number_of_cached_scripts. */
  get count(): number {
    return this.cache.size;
  }

  /** Bytes that the cache takes besides the machine. */
  get memoryBytes(): number {
    return this.sourceBytes + this.cache.size * ENTRY_BYTES;
  }

  // ---- the cache ---------------------------------------------------------------------------------------------------

  private nameOf(bytes: Uint8Array, start: number, length: number): string {
    this.sha1.hash(bytes, start, length, this.sum, 0);
    return hexadecimal(this.sum);
  }

  /** The script whose text is argument `argument`, compiled; text for what is wrong with it. */
  private load(context: CommandContext, argument: number): CachedScript | string {
    const { request } = context;
    const name = this.nameOf(request.input, request.offset[argument]!, request.length[argument]!);
    const known = this.cache.get(name);
    if (known !== undefined) return known;
    const source = request.copy(argument);
    const head = readScriptHead(source);
    if (typeof head === "string") return head;
    const script = new CachedScript(name, head.flags, head.body);
    const complaint = this.compile(script);
    if (complaint !== undefined) return complaint;
    this.cache.set(name, script);
    const digits = firstDigits(Buffer.from(name, "latin1"), 0);
    script.next = this.byDigits.get(digits);
    this.byDigits.set(digits, script);
    this.sourceBytes += source.length;
    return script;
  }

  /** Sees to it that the script is compiled in the present machine. Returns what is wrong. hot path */
  private compile(script: CachedScript): string | undefined {
    let machine: LuaMachine;
    try {
      machine = this.scripting.machineOf("script").machine;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return "ERR not enough memory for scripts";
    }
    if (script.machine === machine) return undefined;
    const compiled = machine.compile(script.body, CHUNK);
    if (machine.isBroken) this.scripting.dropMachine("script");
    if (typeof compiled === "string") return `ERR Error compiling script (new function): ${compiled}`;
    script.machine = machine;
    script.reference = compiled;
    return undefined;
  }

  private flush(): void {
    this.cache.clear();
    this.byDigits.clear();
    this.sourceBytes = 0;
    this.scripting.dropMachine("script");
  }

  // ---- commands ----------------------------------------------------------------------------------------------------

  commands(): CommandTable {
    const entry = {
      arity: -3,
      acl: ["scripting"],
      group: "scripting",
      complexity: "Depends on the script that is executed.",
    } as const;
    const flags = ["noscript", "stale", "skip_monitor", "may_replicate", "no_mandatory_keys", "movablekeys"] as const;
    const readFlags = ["readonly", "noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"] as const;
    return {
      EVAL: {
        ...entry,
        flags,
        keys: SCRIPT_KEYS,
        since: "2.6.0",
        summary: "Runs a Lua script.",
        arguments: "script numkeys(integer) [key [key ...]] [arg [arg ...]]",
        run: (context) => this.eval(context, false),
      },
      EVAL_RO: {
        ...entry,
        flags: readFlags,
        keys: SCRIPT_KEYS_READ,
        since: "7.0.0",
        summary: "Runs a Lua script that may not write.",
        arguments: "script numkeys(integer) [key [key ...]] [arg [arg ...]]",
        run: (context) => this.eval(context, true),
      },
      EVALSHA: {
        ...entry,
        flags,
        keys: withoutNotes(SCRIPT_KEYS),
        since: "2.6.0",
        summary: "Runs a Lua script that is in the cache.",
        arguments: "sha1 numkeys(integer) [key [key ...]] [arg [arg ...]]",
        run: (context) => this.evalByName(context, false),
      },
      EVALSHA_RO: {
        ...entry,
        flags: readFlags,
        keys: withoutNotes(SCRIPT_KEYS_READ),
        since: "7.0.0",
        summary: "Runs a Lua script that is in the cache and may not write.",
        arguments: "sha1 numkeys(integer) [key [key ...]] [arg [arg ...]]",
        run: (context) => this.evalByName(context, true),
      },
      SCRIPT: this.container(),
    };
  }

  private container(): CommandSpec {
    const entry = { acl: ["scripting"], group: "scripting", since: "2.6.0", complexity: "O(1)" } as const;
    return {
      arity: -2,
      flags: [],
      acl: [],
      since: "2.6.0",
      group: "scripting",
      complexity: "Depends on subcommand.",
      summary: "Holds the commands about the cache of scripts.",
      subcommands: {
        DEBUG: {
          ...entry,
          arity: 3,
          flags: ["noscript"],
          since: "3.2.0",
          summary: "Chooses how scripts are debugged; here, only NO.",
          arguments: "<mode=YES|SYNC|NO>",
          run: debug,
        },
        EXISTS: {
          ...entry,
          arity: -3,
          flags: ["noscript"],
          complexity:
            "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
          summary: "Says which scripts are in the cache.",
          arguments: "sha1 [sha1 ...]",
          tips: ["request_policy:all_shards", "response_policy:agg_logical_and"],
          run: (context) => this.exists(context),
        },
        FLUSH: {
          ...entry,
          arity: -2,
          flags: ["noscript"],
          complexity: "O(N) with N being the number of scripts in cache",
          summary: "Empties the cache of scripts.",
          arguments: "[<async=ASYNC|SYNC>]",
          history: [["6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."]],
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: (context) => {
            const { request, reply } = context;
            if (request.count > 3 || (request.count === 3 && !request.is(2, "ASYNC") && !request.is(2, "SYNC"))) {
              return reply.error(FLUSH_OPTION);
            }
            this.flush();
            reply.ok();
          },
        },
        HELP: {
          ...entry,
          arity: 2,
          flags: ["loading", "stale"],
          since: "5.0.0",
          summary: "Explains the subcommands.",
          run: (context) => writeHelp(context, "SCRIPT", HELP),
        },
        KILL: {
          ...entry,
          arity: 2,
          flags: ["noscript", "allow_busy"],
          summary: "Ends the script that runs, unless it has written.",
          tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
          run: (context) => this.scripting.kill("script", context.reply),
        },
        LOAD: {
          ...entry,
          arity: 3,
          flags: ["noscript", "stale"],
          complexity: "O(N) with N being the length in bytes of the script body.",
          summary: "Puts a script into the cache.",
          arguments: "script",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: (context) => {
            const script = this.load(context, 2);
            if (typeof script === "string") context.reply.errorText(script);
            else context.reply.bulkText(script.name);
          },
        },
      },
    };
  }

  private exists(context: CommandContext): void {
    const { request, reply } = context;
    reply.array(request.count - 2);
    for (let index = 2; index < request.count; index++) {
      reply.integer(this.cache.has(request.text(index).toLowerCase()) ? 1 : 0);
    }
  }

  /** How many of the arguments behind the second are keys; -1 after an error was replied. hot path */
  private keyCount(context: CommandContext): number {
    const { request, reply } = context;
    const count = request.integer(2);
    if (Number.isNaN(count)) reply.error(NOT_AN_INTEGER);
    else if (count > request.count - 3) reply.error(TOO_MANY_KEYS);
    else if (count < 0) reply.error(NEGATIVE_KEYS);
    else return count;
    return -1;
  }

  private eval(context: CommandContext, isReadOnly: boolean): void {
    const keyCount = this.keyCount(context);
    if (keyCount < 0) return;
    const script = this.load(context, 1);
    if (typeof script === "string") context.reply.errorText(script);
    else this.run(context, script, isReadOnly, keyCount);
  }

  /** The script named by the 40 bytes from `start` on, in any case. hot path */
  private find(input: Uint8Array, start: number): CachedScript | undefined {
    let script = this.byDigits.get(firstDigits(input, start));
    while (script !== undefined && !isName(script.name, input, start)) script = script.next;
    return script;
  }

  /** hot path */
  private evalByName(context: CommandContext, isReadOnly: boolean): void {
    const { request, reply } = context;
    // As Redis has it, what can be no name is not asked for at all.
    const script = request.length[1] === 40 ? this.find(request.input, request.offset[1]!) : undefined;
    if (script === undefined && request.length[1] !== 40) return reply.error(NO_SCRIPT);
    const keyCount = this.keyCount(context);
    if (keyCount < 0) return;
    if (script === undefined) return reply.error(NO_SCRIPT);
    this.run(context, script, isReadOnly, keyCount);
  }

  /** hot path */
  private run(context: CommandContext, script: CachedScript, isReadOnly: boolean, keyCount: number): void {
    const { scripting } = this;
    const problem = scripting.obstacle(script, isReadOnly) ?? this.compile(script);
    if (problem !== undefined) return context.reply.errorText(problem);
    scripting.run(context, script, scripting.machineOf("script"), script.reference, isReadOnly, 3, keyCount);
  }
}

function withoutNotes(specs: readonly KeySpec[]): readonly KeySpec[] {
  return specs.map(({ flags, begin, find }) => ({ flags, begin, find }));
}

/** The first seven digits of a name as a number; of anything else some number. hot path */
function firstDigits(input: Uint8Array, start: number): number {
  let value = 0;
  for (let index = start; index < start + 7; index++) {
    const byte = input[index]!;
    // Letters of either case: 9 above the low four bits of their code.
    value = (value << 4) | ((byte & 15) + (byte > 57 ? 9 : 0));
  }
  return value & 0xfffffff;
}

/** Whether the 40 bytes from `start` on are `name`, which has small letters. hot path */
function isName(name: string, input: Uint8Array, start: number): boolean {
  for (let index = 0; index < 40; index++) {
    const byte = input[start + index]!;
    const small = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    if (small !== name.charCodeAt(index)) return false;
  }
  return true;
}

/** There is no debugger to switch on. */
function debug({ request, reply }: CommandContext): void {
  if (request.is(2, "NO")) reply.ok();
  else if (request.is(2, "YES") || request.is(2, "SYNC")) reply.error(NO_DEBUGGER);
  else reply.error(DEBUG_OPTION);
}

const HELP = [
  "DEBUG (YES|SYNC|NO)",
  "    Set the debug mode for subsequent scripts executed.",
  "EXISTS <sha1> [<sha1> ...]",
  "    Return information about the existence of the scripts in the script cache.",
  "FLUSH [ASYNC|SYNC]",
  "    Flush the Lua scripts cache. Very dangerous on replicas.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the scripts cache.",
  "    * SYNC: Synchronously flush the scripts cache.",
  "KILL",
  "    Kill the currently executing Lua script.",
  "LOAD <script>",
  "    Load a script into the scripts cache without executing it.",
];
