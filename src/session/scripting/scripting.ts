/**
 * Scripts in execution: one at a time, through the same dispatcher as everybody's commands.
 *
 *      EVAL, FCALL ──► run ──► LuaMachine ── redis.call ──► Dispatcher.runInScript ──► the command
 *                       │          │ count hook, after busy-reply-threshold: give way
 *                       │          ▼
 *                       │       paused: others get BUSY; soon `proceed` ──► ... ──► the reply, or killed
 *      machines   eval: scripts of EVAL        functions: libraries of FUNCTION LOAD        (each made when it is needed)
 *
 *  I1  Between the first and the last moment of a script nobody changes a key: paused, it lets through only what is
 *      flagged allow_busy, and time stands still for it.
 *  I2  A machine that failed inside, or that has grown far beyond what it holds, is replaced: sources are kept here.
 *  I3  The request of EVAL and the client's database are as before when the script has ended.
 *  Source: "Redis programmability", "Redis Lua API"; replies of redis-server 7.0.
 */

import type { CommandContext } from "../../commands/command.ts";
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/host.ts";
import { formatFloat64 } from "../../core/numbers.ts";
import { ReplyError } from "../../protocol/errors.ts";
import type { ReplyMark, ReplyWriter } from "../../protocol/reply-writer.ts";
import type { Client } from "../client.ts";
import { type Command, type CommandIndex, FLAG_DENYOOM, FLAG_NOSCRIPT, FLAG_WRITE } from "../command-index.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { clientOf } from "../services.ts";
import { bitLibrary } from "./bit.ts";
import { addCjson } from "./cjson.ts";
import { cmsgpackLibrary } from "./cmsgpack.ts";
import { compileLua, type LuaModule, REGISTRY, TYPE_NUMBER, TYPE_STRING } from "./lua-instance.ts";
import { LuaMachine, type RunResult, type ScriptFailure } from "./machine.ts";
import { addRandom } from "./random.ts";
import { pushError, type RedisServices, redisLibrary } from "./redis-library.ts";
import { SCRIPT_ALLOW_OOM, SCRIPT_COMPATIBLE, SCRIPT_NO_WRITES } from "./script-flags.ts";
import { structLibrary } from "./struct.ts";
import { LuaValues, writeError } from "./values.ts";

/** A machine takes no more than this from the system. */
export const MACHINE_BYTES_MAX = 1 << 30;
/** One that has taken this much is given back when it is nearly empty. */
const MACHINE_BYTES_SPARE = 64 << 20;
/** A busy script works so long before others have their turn. */
const SLICE_MS = 5;
/** A busy script that stands where it cannot give way is ended after this time. */
const STUCK_MS = 60_000;
/** A number as an argument takes at most this many characters. */
const NUMBER_BYTES = 32;
/** Structure lua_State: where its stack begins and ends; structure TValue: 16 bytes, the type behind the value. */
const STATE_TOP = 8;
const STATE_BASE = 12;

export const BUSY_SCRIPT = new ReplyError(
  "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
export const BUSY_FUNCTION = new ReplyError(
  "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);

/** What a script that is ended by SCRIPT KILL or FUNCTION KILL says; as Redis has it, for both the same. */
export const KILLED = "Script killed by user with SCRIPT KILL...";
const NOT_BUSY = new ReplyError("NOTBUSY No scripts in execution right now.");
const UNKILLABLE = new ReplyError(
  "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);
const WRITE_IN_READ_ONLY = "ERR Write commands are not allowed from read-only scripts.";
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";

const LOG_LEVELS = ["debug", "verbose", "notice", "warning"] as const;

export interface ScriptingOptions {
  readonly clock: Clock;
  /** "7.2.4" */
  readonly version: string;
  /** The machine's WebAssembly bytes. */
  readonly luaModule: () => Uint8Array;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
}

/** What is run: a compiled function with what it is called and may do. */
export interface Script {
  /** The SHA-1 in hexadecimal, or the function's name. */
  readonly name: string;
  readonly kind: "script" | "function";
  /** Bits of script-flags.ts. */
  readonly flags: number;
}

/** The script in execution. */
export interface ScriptRun {
  readonly script: Script;
  readonly machine: LuaMachine;
  readonly values: LuaValues;
  readonly client: Client;
  readonly isReadOnly: boolean;
  /** Wall time that the script sees, ms. */
  readonly nowMs: number;
  /** Monotonic ms at which it was first asked whether to go on, soon after its start; 0 before: most end sooner. */
  startedMs: number;
  /** The words of its command, for FUNCTION STATS; filled when it gives way. */
  words: Uint8Array[];
  protocol: 2 | 3;
  /** redis.set_repl took the log out of what its commands are told to. */
  isSilenced: boolean;
  hasWritten: boolean;
  isBusy: boolean;
  isKilled: boolean;
  /** Monotonic ms at which the slice that runs is over. */
  sliceEndMs: number;
  /** Monotonic ms since which it has not given way. */
  pausedMs: number;
  /** Whether memory is short, as it was when first asked. */
  isOutOfMemory: boolean | undefined;
  databaseBefore: number;
  mayWaitBefore: boolean;
}

/** A machine with what belongs to it. */
export interface ScriptMachine {
  readonly machine: LuaMachine;
  readonly values: LuaValues;
}

export class Scripting {
  readonly options: ScriptingOptions;
  /** busy-reply-threshold; 0 or less: scripts never give way. */
  busyThresholdMs: number;
  /** What access lists say about a command of a script: undefined when it may run, else the error. */
  refusal: ((client: Client, command: Command) => string | undefined) | undefined;
  /** The same as a question: redis.acl_check_cmd. */
  mayRun: ((client: Client, command: Command) => boolean) | undefined;
  current: ScriptRun | undefined;
  /** Set while a library is being loaded. */
  deadlineMs: number;

  private module: LuaModule | undefined;
  private evalMachine: ScriptMachine | undefined;
  private functionMachine: ScriptMachine | undefined;
  private dispatcher: Dispatcher | undefined;
  private commands: CommandIndex | undefined;
  /** Arguments of the commands that scripts run; and the arrays of the request of EVAL meanwhile. */
  private offset: Int32Array;
  private length: Int32Array;
  private readonly outer: { input: Uint8Array; offset: Int32Array; length: Int32Array; count: number };
  private readonly mark: ReplyMark;

  constructor(options: ScriptingOptions) {
    this.options = options;
    this.busyThresholdMs = 5000;
    this.refusal = undefined;
    this.mayRun = undefined;
    this.current = undefined;
    this.deadlineMs = 0;
    this.module = undefined;
    this.evalMachine = undefined;
    this.functionMachine = undefined;
    this.dispatcher = undefined;
    this.commands = undefined;
    this.offset = new Int32Array(64);
    this.length = new Int32Array(64);
    this.outer = { input: new Uint8Array(0), offset: this.offset, length: this.length, count: 0 };
    this.mark = { partCount: 0, position: 0 };
  }

  /** Once, before the first connection. */
  attach(dispatcher: Dispatcher): void {
    this.dispatcher = dispatcher;
    this.commands = dispatcher.commands;
  }

  // ---- machines ----------------------------------------------------------------------------------------------------

  /** The machine for scripts or functions; made when there is none. Throws RangeError when memory does not suffice. */
  machineOf(kind: "script" | "function"): ScriptMachine {
    const present = kind === "script" ? this.evalMachine : this.functionMachine;
    if (present !== undefined) return present;
    this.module ??= compileLua(this.options.luaModule());
    const machine = new LuaMachine(this.module, MACHINE_BYTES_MAX);
    const { instance } = machine;
    const made = { machine, values: new LuaValues(instance) };
    const services = this.services(made);
    const library = { ...redisLibrary(instance, services) };
    if (kind === "function") {
      for (const name of ["breakpoint", "debug", "replicate_commands"]) Reflect.deleteProperty(library, name);
    }
    machine.addLibrary("redis", library);
    machine.addLibrary("bit", bitLibrary(instance));
    machine.addLibrary("struct", structLibrary(instance));
    machine.addLibrary("cmsgpack", cmsgpackLibrary(instance));
    addCjson(machine);
    addRandom(machine);
    machine.onHook = () => this.onHook();
    machine.endText = KILLED;
    // As Redis has it, scripts see the name of what words their errors.
    if (kind === "script") machine.addFunction("__redis__err__handler", () => 1);
    if (kind === "script") this.evalMachine = made;
    else this.functionMachine = made;
    return made;
  }

  private services(made: ScriptMachine): RedisServices {
    return {
      version: this.options.version,
      call: (state, isProtected) => this.call(made, state, isProtected),
      checkCommand: (state) => this.checkCommand(made, state),
      log: (level, text) => this.options.log(LOG_LEVELS[level]!, text),
      setProtocol: (protocol) => {
        if (this.current !== undefined) this.current.protocol = protocol;
      },
      // There is one log for the disk and for replicas: what is meant for the disk is in it.
      setRecorded: (flags) => {
        if (this.current !== undefined) this.current.isSilenced = (flags & 1) === 0;
      },
    };
  }

  /** What the library `redis` of `machine`, which is one of ours, is made with. */
  servicesOf(machine: LuaMachine): RedisServices {
    const made = this.functionMachine?.machine === machine ? this.functionMachine : this.evalMachine;
    assert(made !== undefined && made.machine === machine, "the machine is in use");
    return this.services(made);
  }

  /** Forgets a machine; what it had compiled is compiled again when it is needed. */
  dropMachine(kind: "script" | "function"): void {
    if (kind === "script") this.evalMachine = undefined;
    else this.functionMachine = undefined;
  }

  /** Bytes that values in the machines take. */
  memoryBytes(kind: "script" | "function"): number {
    const made = kind === "script" ? this.evalMachine : this.functionMachine;
    return made?.machine.usedBytes() ?? 0;
  }

  /** After a script: a machine that cannot or should not go on is forgotten (I2). */
  private checkMachine(run: ScriptRun): void {
    const { machine } = run;
    let isDropped = machine.isBroken;
    if (!isDropped && machine.instance.memoryBytes > MACHINE_BYTES_SPARE) {
      machine.collect();
      isDropped = machine.usedBytes() * 4 < machine.instance.memoryBytes;
    }
    if (isDropped) this.dropMachine(run.script.kind);
  }

  // ---- from the first to the last moment ---------------------------------------------------------------------------

  /** What keeps `script` from being started by this command; undefined when nothing does. */
  obstacle(script: Script, isReadOnlyCommand: boolean): string | undefined {
    const { flags } = script;
    if ((flags & SCRIPT_COMPATIBLE) !== 0) return undefined;
    const gates = this.attached().gates;
    if ((flags & SCRIPT_NO_WRITES) === 0) {
      if (isReadOnlyCommand) return "ERR Can not execute a script with write flag using *_ro command.";
      if (gates.misconfiguration !== undefined) return gates.misconfiguration.text;
      if ((flags & SCRIPT_ALLOW_OOM) === 0 && gates.makeRoom !== undefined && !gates.makeRoom()) return OUT_OF_MEMORY;
    }
    return undefined;
  }

  /**
   * Runs the function at `reference` of `made` for the command in `context`; its keys are the arguments from
   * `firstKey` on, the rest its arguments. They become globals, for functions arguments. hot path
   */
  run(
    context: CommandContext,
    script: Script,
    made: ScriptMachine,
    reference: number,
    isReadOnlyCommand: boolean,
    firstKey: number,
    keyCount: number,
  ): void {
    assert(this.current === undefined, "no script runs inside another");
    const { machine } = made;
    const { lua, thread } = machine;
    const client = clientOf(context);
    const run: ScriptRun = {
      script,
      machine,
      values: made.values,
      client,
      isReadOnly: isReadOnlyCommand || (script.flags & SCRIPT_NO_WRITES) !== 0,
      nowMs: context.keyspace.nowMs,
      startedMs: 0,
      words: [],
      protocol: 2,
      isSilenced: false,
      hasWritten: false,
      isBusy: false,
      isKilled: false,
      sliceEndMs: 0,
      pausedMs: 0,
      isOutOfMemory: undefined,
      databaseBefore: client.databaseIndex,
      mayWaitBefore: context.mayWait,
    };
    this.current = run;
    let result: RunResult = "failed";
    try {
      lua.lua_rawgeti(thread, REGISTRY, reference);
      if (script.kind === "function") {
        this.pushArguments(made, context, firstKey, firstKey + keyCount);
        this.pushArguments(made, context, firstKey + keyCount, context.request.count);
      } else {
        machine.pushGlobals();
        this.pushArguments(made, context, firstKey, firstKey + keyCount);
        machine.setPushed("KEYS");
        this.pushArguments(made, context, firstKey + keyCount, context.request.count);
        machine.setPushed("ARGV");
        lua.lua_settop(thread, -2);
      }
    } catch {
      // Only exhausted memory comes here, outside of every protected call: Lua's panic.
      machine.isBroken = true;
    }
    this.enter(run, context);
    if (!machine.isBroken) result = machine.run(script.kind === "function" ? 2 : 0);
    this.leave(run, context);
    this.after(run, result, context);
  }

  /** Pushes the arguments `from ... to)` as a table. hot path */
  private pushArguments(made: ScriptMachine, context: CommandContext, from: number, to: number): void {
    const { instance, lua, thread } = made.machine;
    const { input, offset, length } = context.request;
    lua.lua_createtable(thread, to - from, 0);
    for (let index = from; index < to; index++) {
      instance.pushBytes(thread, input, offset[index]!, length[index]!);
      lua.lua_rawseti(thread, -2, index - from + 1);
    }
  }

  private attached(): Dispatcher {
    assert(this.dispatcher !== undefined, "the session has no dispatcher yet");
    return this.dispatcher;
  }

  /** From here on the context's request and reply are those of the script's commands. */
  private enter(run: ScriptRun, context: CommandContext): void {
    const { request, reply } = context;
    const { outer } = this;
    outer.input = request.input;
    outer.offset = request.offset;
    outer.length = request.length;
    outer.count = request.count;
    request.offset = this.offset;
    request.length = this.length;
    context.mayWait = false;
    // What its commands do stays together, whenever it goes on.
    context.depth++;
    reply.protocol = run.protocol;
    this.attached().beginScript();
    // The hashes that were prepared belong to other bytes.
    context.keyspace.forgetWarm();
  }

  private leave(run: ScriptRun, context: CommandContext): void {
    const { request, reply } = context;
    const { outer } = this;
    this.offset = request.offset;
    this.length = request.length;
    request.input = outer.input;
    request.offset = outer.offset;
    request.length = outer.length;
    request.count = outer.count;
    context.depth--;
    context.mayWait = run.mayWaitBefore;
    reply.protocol = run.client.protocol;
    this.attached().endScript(run.client);
  }

  /** A slice of the script is over. */
  private after(run: ScriptRun, result: RunResult, context: CommandContext): void {
    if (result === "paused") {
      const { request } = context;
      run.words = [];
      for (let index = 0; index < request.count; index++) run.words.push(request.copy(index));
      this.attached().gates.busy = run.script.kind === "script" ? BUSY_SCRIPT : BUSY_FUNCTION;
      context.suspend({ kind: "other", timeoutAtMs: 0, onTimeout: () => undefined });
      this.planNext(run);
      return;
    }
    this.finish(run, result, context.reply);
  }

  private planNext(run: ScriptRun): void {
    this.options.clock.soon(() => this.proceed(run));
  }

  private proceed(run: ScriptRun): void {
    if (this.current !== run) return;
    const dispatcher = this.attached();
    const { context } = dispatcher;
    dispatcher.proceedScript(run.client, () => {
      const { keyspace } = context;
      keyspace.nowMs = run.nowMs;
      keyspace.clock.setNow(run.nowMs);
      const nowMs = this.options.clock.monotonicMs();
      run.sliceEndMs = nowMs + SLICE_MS;
      run.pausedMs = nowMs;
      this.enter(run, context);
      const result = run.machine.proceed();
      this.leave(run, context);
      if (result === "paused") {
        this.planNext(run);
        return undefined;
      }
      dispatcher.gates.busy = undefined;
      if (!run.client.isClosing) return (reply) => this.finish(run, result, reply);
      this.close(run, result);
      return () => undefined;
    });
  }

  /** Writes the reply; the script is no more. */
  private finish(run: ScriptRun, result: RunResult, reply: ReplyWriter): void {
    const { machine, values } = run;
    if (result === "done") {
      machine.lua.lua_settop(machine.thread, 1);
      values.writeValue(machine.thread, reply, run.protocol);
      machine.clear();
    } else {
      const failure = machine.failure();
      writeError(reply, failureText(failure, run.script.name), failure.isCounted);
    }
    this.end(run);
  }

  /** The same for a client that is gone. */
  private close(run: ScriptRun, result: RunResult): void {
    if (result === "done") run.machine.clear();
    else run.machine.failure();
    this.end(run);
  }

  private end(run: ScriptRun): void {
    const { context } = this.attached();
    run.client.databaseIndex = run.databaseBefore;
    context.database = context.keyspace.databases[run.databaseBefore]!;
    this.current = undefined;
    this.checkMachine(run);
  }

  private onHook(): "go on" | "give way" | "end" {
    const nowMs = this.options.clock.monotonicMs();
    const run = this.current;
    if (run === undefined) return this.deadlineMs !== 0 && nowMs > this.deadlineMs ? "end" : "go on";
    if (run.isKilled) return "end";
    if (run.isBusy) {
      if (nowMs < run.sliceEndMs) return "go on";
      if (nowMs - run.pausedMs > STUCK_MS) {
        this.options.log("warning", "A script that could not give way to others was ended.");
        run.isKilled = true;
        return "end";
      }
      return "give way";
    }
    if (run.startedMs === 0) run.startedMs = nowMs;
    if (this.busyThresholdMs <= 0 || nowMs - run.startedMs < this.busyThresholdMs) return "go on";
    run.isBusy = true;
    run.pausedMs = nowMs;
    this.options.log(
      "warning",
      `Slow script detected: still in execution after ${Math.floor(nowMs - run.startedMs)} milliseconds. You can try killing the script using the ${run.script.kind === "script" ? "SCRIPT KILL" : "FUNCTION KILL"} command. Script name is: ${run.script.name}.`,
    );
    return "give way";
  }

  /** SCRIPT KILL and FUNCTION KILL. */
  kill(kind: "script" | "function", reply: ReplyWriter): void {
    const run = this.current;
    if (run === undefined) reply.error(NOT_BUSY);
    else if (run.script.kind !== kind) reply.error(kind === "script" ? BUSY_FUNCTION : BUSY_SCRIPT);
    else if (run.hasWritten) reply.error(UNKILLABLE);
    else {
      run.isKilled = true;
      reply.ok();
    }
  }

  // ---- redis.call --------------------------------------------------------------------------------------------------

  /** hot path */
  private call(made: ScriptMachine, state: number, isProtected: boolean): number {
    const run = this.current;
    const { instance } = made.machine;
    if (run === undefined) {
      return this.refuse(made, state, false, "ERR redis.call/pcall can only be called inside a script invocation");
    }
    const argumentBytes = this.readArguments(made, state);
    if (argumentBytes < 0) {
      const text = argumentBytes === -1 ? NO_ARGUMENTS : WRONG_ARGUMENTS;
      return this.refuse(made, state, isProtected, text);
    }
    const dispatcher = this.dispatcher!;
    const { context } = dispatcher;
    const { request, reply } = context;
    const found = this.find(dispatcher);
    if (typeof found === "string") return this.refuse(made, state, isProtected, found);
    const obstacle = this.commandObstacle(run, found);
    if (obstacle !== undefined) return this.refuse(made, state, isProtected, obstacle);
    reply.protocol = run.protocol;
    reply.mark(this.mark);
    if (run.isSilenced && context.log.isRecording) this.runUnrecorded(run, found, argumentBytes);
    else dispatcher.runInScript(run.client, found, argumentBytes);
    context.suspension = undefined;
    context.keyWait = undefined;
    request.input = instance.bytes;
    const isGood = made.values.pushReply(state, reply, this.mark);
    reply.rewind(this.mark);
    if (!isGood && !isProtected) instance.lua.lua_error(state);
    return 1;
  }

  /** Runs a command whose effect is not recorded, though keys that are found to be over are (redis.set_repl). */
  private runUnrecorded(run: ScriptRun, command: Command, argumentBytes: number): void {
    const { context } = this.attached();
    const { log } = context;
    log.isRecording = false;
    context.isSilenced = true;
    try {
      this.attached().runInScript(run.client, command, argumentBytes);
    } finally {
      context.isSilenced = false;
      log.isRecording = true;
    }
  }

  /** Loads the arguments on the stack as a request; their bytes, -1 when there is none, -2 when one is no text. hot path */
  private readArguments(made: ScriptMachine, state: number): number {
    const { instance } = made.machine;
    const { request } = this.dispatcher!.context;
    const words = instance.words;
    const base = words[(state + STATE_BASE) >> 2]!;
    const count = (words[(state + STATE_TOP) >> 2]! - base) >> 4;
    if (count === 0) return -1;
    if (count > request.offset.length) request.reserve(count);
    const { offset, length } = request;
    let bytes = 0;
    let hasNumbers = false;
    for (let index = 0, slot = base >> 2; index < count; index++, slot += 4) {
      const type = words[slot + 2]!;
      if (type === TYPE_STRING) {
        const string = words[slot]!;
        const size = words[(string + 12) >> 2]!;
        offset[index] = string + 16;
        length[index] = size;
        bytes += size;
      } else if (type === TYPE_NUMBER) {
        hasNumbers = true;
      } else {
        return -2;
      }
    }
    request.count = count;
    if (hasNumbers) bytes += this.readNumbers(made, base, count);
    request.input = instance.bytes;
    return bytes;
  }

  private readNumbers(made: ScriptMachine, base: number, count: number): number {
    const { instance } = made.machine;
    const { offset, length } = this.dispatcher!.context.request;
    let at = instance.scratch(count * NUMBER_BYTES);
    const { bytes, words, doubles } = instance;
    const start = at;
    for (let index = 0; index < count; index++) {
      const slot = base + index * 16;
      if (words[(slot + 8) >> 2] !== TYPE_NUMBER) continue;
      const value = doubles[slot >> 3]!;
      offset[index] = at;
      if (value >= 0 && value < 10 && value === Math.floor(value)) {
        bytes[at++] = 48 + value;
      } else {
        const text = Object.is(value, -0) ? "-0" : formatFloat64(value);
        for (let each = 0; each < text.length; each++) bytes[at++] = text.charCodeAt(each);
      }
      length[index] = at - offset[index]!;
    }
    return at - start;
  }

  /** The command that the loaded request names, or what is wrong with it. hot path */
  private find(dispatcher: Dispatcher): Command | string {
    const { request } = dispatcher.context;
    let command = this.commands!.find(request, 0);
    if (command === undefined) return UNKNOWN_COMMAND;
    if (command.subcommands !== undefined && request.count > 1) {
      command = command.subcommands.find(request, 1);
      if (command === undefined) return UNKNOWN_COMMAND;
    }
    const arity = command.arity;
    if (command.run === undefined || (arity >= 0 ? request.count !== arity : request.count < -arity)) {
      return WRONG_COUNT;
    }
    return command;
  }

  /** What keeps a script from running `command`. hot path */
  private commandObstacle(run: ScriptRun, command: Command): string | undefined {
    const flags = command.flagBits;
    if ((flags & FLAG_NOSCRIPT) !== 0) return "ERR This Redis command is not allowed from script";
    if (this.refusal !== undefined) {
      const text = this.refusal(run.client, command);
      if (text !== undefined) return text;
    }
    if ((flags & (FLAG_WRITE | FLAG_DENYOOM)) === 0) return undefined;
    const { gates } = this.dispatcher!;
    if ((flags & FLAG_WRITE) !== 0) {
      if (run.isReadOnly) return WRITE_IN_READ_ONLY;
      if (gates.misconfiguration !== undefined) return gates.misconfiguration.text;
    }
    // Once it has written, it may end what it has begun.
    if ((flags & FLAG_DENYOOM) !== 0 && gates.makeRoom !== undefined && !run.hasWritten) {
      if ((run.script.flags & SCRIPT_ALLOW_OOM) === 0) {
        run.isOutOfMemory ??= !gates.makeRoom();
        if (run.isOutOfMemory) return OUT_OF_MEMORY;
      }
    }
    if ((flags & FLAG_WRITE) !== 0) run.hasWritten = true;
    return undefined;
  }

  private refuse(made: ScriptMachine, state: number, isProtected: boolean, text: string): number {
    pushError(made.machine.instance, state, text);
    if (!isProtected) made.machine.lua.lua_error(state);
    return 1;
  }

  /** redis.acl_check_cmd: whether the client may run a command. */
  private checkCommand(made: ScriptMachine, state: number): number {
    const run = this.current;
    const bytes = this.readArguments(made, state);
    if (run === undefined || bytes === -1) return this.refuse(made, state, false, NO_ARGUMENTS);
    if (bytes === -2) return this.refuse(made, state, false, WRONG_ARGUMENTS);
    const { request } = this.dispatcher!.context;
    let command = this.commands!.find(request, 0);
    if (command?.subcommands !== undefined && request.count > 1) command = command.subcommands.find(request, 1);
    if (command === undefined) {
      return this.refuse(made, state, false, "ERR Invalid command passed to redis.acl_check_cmd()");
    }
    const isAllowed = this.mayRun === undefined || this.mayRun(run.client, command);
    made.machine.lua.lua_pushboolean(state, isAllowed ? 1 : 0);
    return 1;
  }
}

const NO_ARGUMENTS = "ERR Please specify at least one argument for this redis lib call";
const WRONG_ARGUMENTS = "ERR Lua redis lib command arguments must be strings or integers";
const UNKNOWN_COMMAND = "ERR Unknown Redis command called from script";
const WRONG_COUNT = "ERR Wrong number of args calling Redis command from script";

/** The reply of a script that failed. */
function failureText({ text, source, line }: ScriptFailure, name: string): string {
  const plain = text.replace(/[\r\n]+$/, "");
  return source === undefined ? `${plain} script: ${name}` : `${plain} script: ${name}, on ${source}:${line}.`;
}
