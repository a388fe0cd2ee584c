/**
 * A Lua machine with Redis's sandbox: what scripts find there, how they are compiled, run, interrupted and ended.
 *
 *      globals (protected) ──► real globals ── redis, cjson, string, ...(each protected)
 *         │ read: __index          │ absent: "Script attempted to access nonexistent global variable"
 *         │ write: "Attempt to modify a readonly table"
 *      registry     state, protected tables, compiled functions
 *      thread       the coroutine in which scripts run: a count hook can leave it and come back
 *
 *  I1  A script reaches no table that outlives it but through an empty one that stands before it (`protect`): nothing
 *      can be written there that another script would see. What is forced into the empty one is swept out afterwards.
 *  I2  Once `isBroken`, nothing is called any more: the owner makes a new machine.
 *  I3  Between scripts the thread's stack is empty.
 *  Source: Lua 5.1 reference manual; what redis-server 7.0 lets scripts see, and its error texts. The places of fields
 *  in Lua's structures are found out or checked when the machine is made.
 */

import { assert } from "../../core/assert.ts";
import { addBaseLibrary, loadText, READ_ONLY } from "./base-library.ts";
import {
  GLOBALS,
  LUA_ERROR_MEMORY,
  LUA_OK,
  LUA_YIELD,
  type LuaCallback,
  type LuaFunctions,
  LuaInstance,
  type LuaModule,
  REGISTRY,
  TYPE_TABLE,
} from "./lua-instance.ts";
import { SANDBOX_CHUNK, SANDBOX_SOURCE } from "./sandbox-source.ts";

/** Lua asks whether it may go on after so many instructions. */
const HOOK_INSTRUCTIONS = 100_000;
const HOOK_MASK_COUNT = 8;
/** Structure lua_Debug: where the fields lie, bytes. */
const DEBUG_BYTES = 100;
const DEBUG_WHAT = 12;
const DEBUG_SOURCE = 16;
const DEBUG_LINE = 20;
/** Structure Table. */
const TABLE_NODES = 16;
const TABLE_ITEMS = 28;
/** Structure lua_State: how deep C calls are nested, and how deep they were when the coroutine was entered. */
const STATE_CALLS = 52;
const STATE_BASE_CALLS = 54;

const GC_COUNT = 3;
const GC_COUNT_BYTES = 4;
const GC_COLLECT = 2;

/** Globals that scripts keep of those that Lua's own libraries make. */
const KEPT = [
  "_VERSION",
  "assert",
  "collectgarbage",
  "error",
  "gcinfo",
  "ipairs",
  "rawequal",
  "select",
  "tonumber",
  "tostring",
  "type",
  "unpack",
];

export type RunResult = "done" | "failed" | "paused";

/** A function of a library by its name. */
export type LuaLibrary = Readonly<Record<string, LuaCallback | number | string>>;

/** Where and why a script failed. */
export interface ScriptFailure {
  /** The error's own text, its code first. */
  readonly text: string;
  /** Chunk and line; undefined when nobody knows. */
  readonly source: string | undefined;
  readonly line: number;
  /** The error was counted when a command replied it. */
  readonly isCounted: boolean;
}

export class LuaMachine {
  readonly instance: LuaInstance;
  readonly lua: LuaFunctions;
  /** The main state; scripts run in `thread`. */
  readonly state: number;
  thread: number;
  isBroken: boolean;
  /** Asked now and then while a script runs: whether to go on, to give way, or to end. */
  onHook: () => "go on" | "give way" | "end";
  /** The error of a script that onHook ends. */
  endText: string;

  private threadReference: number;
  private readonly hook: number;
  private readonly debugRecord: number;
  /** Registry references: the table of sandbox-source.ts's `state`, the real globals. */
  private readonly flags: number;
  private readonly globals: number;
  /** Address of a protected table ──► registry reference of the real one. */
  private readonly protectedTables: Map<number, number>;
  private readonly protectedAddresses: number[];
  readonly refuseWrite: number;
  /** Registry reference: the metatable of the table that scripts know as _G. */
  private globalsMeta: number;
  /** The nodes of an empty table. */
  private readonly noNodes: number;
  private rawNext: number;
  /** What getmetatable answers for strings. */
  stringMeta: number;

  /** Throws RangeError when there is no memory for it. */
  constructor(module: LuaModule, memoryBytesMax: number) {
    this.instance = new LuaInstance(module, memoryBytesMax);
    this.lua = this.instance.lua;
    this.state = this.lua.luaL_newstate();
    if (this.state === 0) throw new RangeError("no memory for a Lua machine");
    this.isBroken = false;
    this.onHook = () => "go on";
    this.endText = "";
    this.debugRecord = this.instance.allocate(DEBUG_BYTES);
    this.protectedTables = new Map();
    this.protectedAddresses = [];
    this.thread = 0;
    this.threadReference = 0;
    this.rawNext = 0;
    this.stringMeta = 0;
    this.globalsMeta = 0;
    this.hook = this.instance.addHook((state) => this.onCount(state));
    this.noNodes = this.findEmptyNodes();
    const refuse = this.instance.addCallbacks([(state) => this.instance.fail(state, READ_ONLY)])[0]!;
    this.refuseWrite = refuse;
    const { lua, state } = this;
    lua.luaopen_base(state);
    lua.luaopen_table(state);
    lua.luaopen_string(state);
    lua.luaopen_math(state);
    lua.lua_settop(state, 0);
    lua.lua_createtable(state, 3, 0);
    this.flags = lua.luaL_ref(state, REGISTRY);
    lua.lua_createtable(state, 0, 64);
    this.globals = lua.luaL_ref(state, REGISTRY);
    this.openSandbox();
    this.makeThread();
  }

  /** Where the nodes of a table lie that has none; checks on the way that tables are laid out as expected. */
  private findEmptyNodes(): number {
    const { lua, state, instance } = this;
    lua.lua_createtable(state, 0, 0);
    const first = lua.lua_topointer(state, -1);
    const nodes = instance.words[(first + TABLE_NODES) >> 2]!;
    lua.lua_createtable(state, 3, 0);
    const second = lua.lua_topointer(state, -1);
    assert(instance.words[(second + TABLE_NODES) >> 2] === nodes, "empty tables share their nodes");
    assert(instance.words[(second + TABLE_ITEMS) >> 2] === 3, "a table's array part is where it is expected");
    lua.lua_settop(state, 0);
    return nodes;
  }

  // ---- the sandbox ------------------------------------------------------------------------------------------------

  private openSandbox(): void {
    const { lua, state } = this;
    // What was made by Lua's libraries is under GLOBALS; what scripts see is put together from it.
    const take = (name: string): void => lua.lua_getfield(state, GLOBALS, this.instance.name(name));
    for (const name of KEPT) {
      take(name);
      this.setGlobal(name);
    }
    take("next");
    this.rawNext = lua.luaL_ref(state, REGISTRY);
    addBaseLibrary(this, this.rawNext);
    this.addCoroutines(take);
    for (const name of ["string", "table", "math"]) {
      take(name);
      this.protect(state);
      this.setGlobal(name);
    }
    this.protectStrings();
    lua.lua_rawgeti(state, REGISTRY, this.globals);
    this.addAbsence();
    this.protect(state);
    lua.lua_getmetatable(state, -1);
    this.globalsMeta = lua.luaL_ref(state, REGISTRY);
    lua.lua_pushvalue(state, -1);
    this.setGlobal("_G");
    // Chunks that are compiled from now on see the protected table as their globals.
    lua.lua_replace(state, GLOBALS);
  }

  /** What reads of a global that is not there say; for the table on top of the stack. */
  private addAbsence(): void {
    const { lua, state } = this;
    lua.lua_createtable(state, 0, 1);
    this.pushCallbacks([
      (caller) => {
        const name = this.instance.text(caller, 2) ?? "?";
        return this.instance.fail(caller, `Script attempted to access nonexistent global variable '${name}'`);
      },
    ]);
    lua.lua_setfield(state, -2, this.instance.name("__index"));
    lua.lua_setmetatable(state, -2);
  }

  private pushCallbacks(callbacks: readonly LuaCallback[]): void {
    for (const address of this.instance.addCallbacks(callbacks)) this.lua.lua_pushcclosure(this.state, address, 0);
  }

  /** Makes the value on top of the stack a global of scripts. */
  setGlobal(name: string): void {
    const { lua, state } = this;
    lua.lua_rawgeti(state, REGISTRY, this.globals);
    lua.lua_insert(state, -2);
    lua.lua_setfield(state, -2, this.instance.name(name));
    lua.lua_settop(state, -2);
  }

  /** A function as a global. */
  addFunction(name: string, callback: LuaCallback): void {
    this.pushCallbacks([callback]);
    this.setGlobal(name);
  }

  /** A table of functions and values as a global that cannot be changed. */
  addLibrary(name: string, library: LuaLibrary, more?: (state: number) => void): void {
    this.makeLibrary(library);
    more?.(this.state);
    this.protect(this.state);
    this.setGlobal(name);
  }

  /** Pushes a table of functions and values. */
  private makeLibrary(library: LuaLibrary): void {
    const { lua, state, instance } = this;
    const entries = Object.entries(library);
    const callbacks = entries.filter((entry): entry is [string, LuaCallback] => typeof entry[1] === "function");
    const addresses = instance.addCallbacks(callbacks.map((entry) => entry[1]));
    lua.lua_createtable(state, 0, entries.length + 2);
    for (const [index, [field]] of callbacks.entries()) {
      lua.lua_pushcclosure(state, addresses[index]!, 0);
      lua.lua_setfield(state, -2, instance.name(field));
    }
    for (const [field, value] of entries) {
      if (typeof value === "function") continue;
      if (typeof value === "number") lua.lua_pushnumber(state, value);
      else instance.pushText(state, value);
      lua.lua_setfield(state, -2, instance.name(field));
    }
  }

  /** Lets all chunks see other globals: those of `makeGlobals`, or with 0 the usual ones. */
  exchangeGlobals(globals: number): void {
    const { lua, state } = this;
    lua.lua_rawgeti(state, REGISTRY, this.globalsMeta);
    lua.lua_rawgeti(state, REGISTRY, globals === 0 ? this.globals : globals);
    lua.lua_setfield(state, -2, this.instance.name("__index"));
    lua.lua_settop(state, 0);
  }

  /** Globals of which there is only one, a library; for `exchangeGlobals`. What the library lacks is no global, either. */
  makeGlobals(name: string, library: LuaLibrary): number {
    const { lua, state, instance } = this;
    lua.lua_createtable(state, 0, 1);
    this.addAbsence();
    this.makeLibrary(library);
    this.addAbsence();
    this.protect(state);
    lua.lua_setfield(state, -2, instance.name(name));
    return lua.luaL_ref(state, REGISTRY);
  }

  /** Adds functions to a library that is there. */
  extendLibrary(name: string, library: Readonly<Record<string, LuaCallback>>): void {
    const { lua, state, instance } = this;
    lua.lua_rawgeti(state, REGISTRY, this.globals);
    lua.lua_getfield(state, -1, instance.name(name));
    lua.lua_rawgeti(state, REGISTRY, this.realOf(state, -1));
    const addresses = instance.addCallbacks(Object.values(library));
    for (const [index, field] of Object.keys(library).entries()) {
      lua.lua_pushcclosure(state, addresses[index]!, 0);
      lua.lua_setfield(state, -2, instance.name(field));
    }
    lua.lua_settop(state, 0);
  }

  /** Pushes the real globals on the thread, for `setPushed`. hot path */
  pushGlobals(): void {
    this.lua.lua_rawgeti(this.thread, REGISTRY, this.globals);
  }

  /** Makes the value on top of the thread's stack a global; the real globals lie under it. hot path */
  setPushed(name: string): void {
    this.lua.lua_setfield(this.thread, -2, this.instance.name(name));
  }

  /** Replaces the table on top of the stack by an empty one that shows it and lets nobody write. */
  protect(state: number): void {
    const { lua, instance } = this;
    lua.lua_createtable(state, 0, 0);
    const address = lua.lua_topointer(state, -1);
    lua.lua_createtable(state, 0, 2);
    lua.lua_pushvalue(state, -3);
    lua.lua_setfield(state, -2, instance.name("__index"));
    lua.lua_pushcclosure(state, this.refuseWrite, 0);
    lua.lua_setfield(state, -2, instance.name("__newindex"));
    lua.lua_setmetatable(state, -2);
    lua.lua_insert(state, -2);
    this.protectedTables.set(address, lua.luaL_ref(state, REGISTRY));
    this.protectedAddresses.push(address);
    // It must outlive what scripts do with the variable that holds it.
    lua.lua_pushvalue(state, -1);
    lua.luaL_ref(state, REGISTRY);
  }

  /** The registry reference of the real table when the value at `index` is a protected one, else 0. */
  realOf(state: number, index: number): number {
    if (this.lua.lua_type(state, index) !== TYPE_TABLE) return 0;
    return this.protectedTables.get(this.lua.lua_topointer(state, index)) ?? 0;
  }

  private protectStrings(): void {
    const { lua, state, instance } = this;
    lua.lua_createtable(state, 0, 1);
    lua.lua_rawgeti(state, REGISTRY, this.globals);
    lua.lua_getfield(state, -1, instance.name("string"));
    lua.lua_setfield(state, -3, instance.name("__index"));
    lua.lua_settop(state, -2);
    this.protect(state);
    this.stringMeta = lua.luaL_ref(state, REGISTRY);
  }

  /** pcall, xpcall and coroutines: see sandbox-source.ts. */
  private addCoroutines(take: (name: string) => void): void {
    const { lua, state, instance } = this;
    const source = Buffer.from(SANDBOX_SOURCE, "latin1");
    instance.pushBytes(state, source, 0, source.length);
    const pointer = lua.lua_tolstring(state, -1, 0);
    const status = lua.luaL_loadbuffer(state, pointer, source.length, instance.name(SANDBOX_CHUNK));
    assert(status === LUA_OK, "the sandbox compiles");
    take("coroutine");
    const coroutines = lua.lua_gettop(state);
    lua.lua_pushvalue(state, -2);
    lua.lua_rawgeti(state, REGISTRY, this.flags);
    this.pushCallbacks([(thread) => this.giveWay(thread), (thread) => this.enter(thread)]);
    take("pcall");
    take("xpcall");
    for (const name of ["create", "resume", "status", "yield"]) {
      lua.lua_getfield(state, coroutines, instance.name(name));
    }
    take("error");
    take("type");
    lua.lua_call(state, 11, 4);
    lua.lua_setfield(state, coroutines, instance.name("wrap"));
    lua.lua_setfield(state, coroutines, instance.name("resume"));
    this.setGlobal("xpcall");
    this.setGlobal("pcall");
    lua.lua_settop(state, coroutines);
    this.protect(state);
    this.setGlobal("coroutine");
    lua.lua_settop(state, 0);
  }

  /** A coroutine for the function at 1; nil when it is none of Lua's own: those return by themselves. */
  private enter(state: number): number {
    const lua = this.lua;
    lua.luaL_checkany(state, 1);
    if (lua.lua_type(state, 1) !== 6 || this.isNative(state, 1)) return 0;
    const thread = lua.lua_newthread(state);
    lua.lua_pushvalue(state, 1);
    lua.lua_xmove(state, thread, 1);
    return 1;
  }

  private isNative(state: number, index: number): boolean {
    // A closure's kind stands behind its header.
    return this.instance.bytes[this.lua.lua_topointer(state, index) + 6] === 1;
  }

  // ---- giving way -------------------------------------------------------------------------------------------------

  private canYield(state: number): boolean {
    const words = this.instance.bytes;
    const at = state + STATE_CALLS;
    const base = state + STATE_BASE_CALLS;
    return words[at]! + words[at + 1]! * 256 <= words[base]! + words[base + 1]! * 256;
  }

  private onCount(state: number): void {
    const decision = this.onHook();
    if (decision === "go on") return;
    if (decision === "end") {
      this.setFlag(state, 2, true);
      this.instance.fail(state, this.endText, 0);
    }
    if (!this.canYield(state)) return;
    this.setFlag(state, 1, true);
    this.lua.lua_yield(state, 0);
  }

  /** Passes on that a coroutine inside was left: leaves this one, too. */
  private giveWay(state: number): number {
    if (this.canYield(state)) return this.lua.lua_yield(state, 0);
    this.setFlag(state, 1, false);
    return 0;
  }

  private setFlag(state: number, flag: number, value: boolean): void {
    const lua = this.lua;
    lua.lua_rawgeti(state, REGISTRY, this.flags);
    lua.lua_pushboolean(state, value ? 1 : 0);
    lua.lua_rawseti(state, -2, flag);
    lua.lua_settop(state, -2);
  }

  // ---- running ----------------------------------------------------------------------------------------------------

  private makeThread(): void {
    const { lua, state } = this;
    if (this.threadReference !== 0) lua.luaL_unref(state, REGISTRY, this.threadReference);
    lua.lua_settop(state, 0);
    this.thread = lua.lua_newthread(state);
    lua.lua_sethook(this.thread, this.hook, HOOK_MASK_COUNT, HOOK_INSTRUCTIONS);
    this.threadReference = lua.luaL_ref(state, REGISTRY);
    this.setFlag(state, 1, false);
    this.setFlag(state, 2, false);
    lua.lua_rawgeti(state, REGISTRY, this.flags);
    lua.lua_pushnumber(state, 0);
    lua.lua_rawseti(state, -2, 3);
    lua.lua_settop(state, 0);
  }

  /** Compiles; returns the function's registry reference, or the complaint. `chunk`: with its "@". */
  compile(source: Uint8Array, chunk: string): number | string {
    const { lua, state, instance } = this;
    return this.guarded(
      () => {
        const pointer = lua.malloc(source.length + 1);
        if (pointer === 0) return "not enough memory";
        instance.bytes.set(source, pointer);
        const status = loadText(instance, state, pointer, source.length, instance.name(chunk));
        lua.free(pointer);
        if (status === LUA_OK) return lua.luaL_ref(state, REGISTRY);
        const text = instance.text(state, -1) ?? "?";
        lua.lua_settop(state, 0);
        return text;
      },
      () => "stack overflow",
    );
  }

  release(reference: number): void {
    this.lua.luaL_unref(this.state, REGISTRY, reference);
  }

  /** Runs the function that lies on the thread's stack under `count` arguments. hot path */
  run(count: number): RunResult {
    return this.resume(count);
  }

  /** Goes on after "paused". */
  proceed(): RunResult {
    this.setFlag(this.state, 1, false);
    return this.resume(0);
  }

  private resume(count: number): RunResult {
    let status: number;
    try {
      status = this.lua.lua_resume(this.thread, count);
    } catch {
      // A trap, or JavaScript's stack was exhausted: nobody knows what Lua was about (lua-instance.ts I3).
      this.isBroken = true;
      return "failed";
    }
    if (status === LUA_OK) return "done";
    if (status === LUA_YIELD) {
      if (this.isGivingWay()) return "paused";
      this.instance.pushText(this.thread, "attempt to yield across metamethod/C-call boundary");
    }
    if (status === LUA_ERROR_MEMORY) this.lua.lua_gc(this.state, GC_COLLECT, 0);
    return "failed";
  }

  private isGivingWay(): boolean {
    const { lua, state } = this;
    lua.lua_rawgeti(state, REGISTRY, this.flags);
    lua.lua_rawgeti(state, -1, 1);
    const isSet = lua.lua_toboolean(state, -1) !== 0;
    lua.lua_settop(state, 0);
    return isSet;
  }

  /** After "done" and when the results have been read. hot path */
  clear(): void {
    this.lua.lua_settop(this.thread, 0);
    this.sweep();
  }

  /** What was forced into the empty tables before protected ones goes (I1). */
  private sweep(): void {
    const words = this.instance.words;
    const addresses = this.protectedAddresses;
    for (let index = 0; index < addresses.length; index++) {
      const at = addresses[index]! >> 2;
      if (words[at + (TABLE_NODES >> 2)] !== this.noNodes || words[at + (TABLE_ITEMS >> 2)] !== 0) this.isBroken = true;
    }
    this.instance.trimScratch();
  }

  /** After "failed": what went wrong. Makes a new thread; the machine may be broken afterwards. */
  failure(): ScriptFailure {
    if (this.isBroken) return { text: "ERR stack overflow", source: undefined, line: 0, isCounted: false };
    return this.guarded(
      () => {
        const failure = this.readFailure();
        this.makeThread();
        this.sweep();
        return failure;
      },
      () => ({ text: "ERR not enough memory", source: undefined, line: 0, isCounted: false }),
    );
  }

  private readFailure(): ScriptFailure {
    const { lua, thread, instance } = this;
    let text: string;
    let isCounted = false;
    const type = lua.lua_type(thread, -1);
    if (type === TYPE_TABLE) {
      const top = lua.lua_gettop(thread);
      text = this.rawText(thread, top, "err") ?? "ERR unknown error";
      isCounted = this.rawText(thread, top, "ignore_error_stats_update") !== undefined;
    } else {
      text = `ERR ${describe(lua, instance, thread)}`;
    }
    const place = this.place(thread);
    return { text, source: place?.source, line: place?.line ?? 0, isCounted };
  }

  /** A field of the table at `index` as text; "" for what is neither text nor nil. */
  private rawText(state: number, index: number, field: string): string | undefined {
    const { lua, instance } = this;
    instance.pushText(state, field);
    lua.lua_rawget(state, index);
    const text = lua.lua_type(state, -1) <= 0 ? undefined : (instance.text(state, -1) ?? "");
    lua.lua_settop(state, -2);
    return text;
  }

  /** Where in a script `state` stands: the innermost level that is neither ours nor a library's. */
  private place(state: number): { source: string; line: number } | undefined {
    const { lua, instance, debugRecord } = this;
    let isFirst = true;
    let isOurs = false;
    for (let level = 0; lua.lua_getstack(state, level, debugRecord) !== 0; level++) {
      lua.lua_getinfo(state, instance.name("Sl"), debugRecord);
      const words = instance.words;
      const source = this.cString(words[(debugRecord + DEBUG_SOURCE) >> 2]!);
      const what = this.cString(words[(debugRecord + DEBUG_WHAT) >> 2]!);
      // What was called last from there has left no level behind, but for a mark.
      if (source === SANDBOX_CHUNK) isOurs = true;
      if (source === SANDBOX_CHUNK || (what === "C" && isFirst) || (what === "tail" && isOurs)) {
        isFirst = false;
        continue;
      }
      return { source, line: words[(debugRecord + DEBUG_LINE) >> 2]! };
    }
    return undefined;
  }

  private cString(pointer: number): string {
    const bytes = this.instance.bytes;
    let end = pointer;
    while (bytes[end] !== 0) end++;
    return this.instance.latin1(pointer, end - pointer);
  }

  /** Runs `task`; what is thrown out of it breaks the machine. */
  private guarded<Result>(task: () => Result, otherwise: () => Result): Result {
    try {
      return task();
    } catch {
      this.isBroken = true;
      return otherwise();
    }
  }

  /** Bytes that Lua's values take. */
  usedBytes(): number {
    if (this.isBroken) return 0;
    return this.lua.lua_gc(this.state, GC_COUNT, 0) * 1024 + this.lua.lua_gc(this.state, GC_COUNT_BYTES, 0);
  }

  collect(): void {
    this.lua.lua_gc(this.state, GC_COLLECT, 0);
  }
}

/** The value on top of the stack as tostring would show it, where that is text. */
function describe(lua: LuaFunctions, instance: LuaInstance, state: number): string {
  const text = instance.text(state, -1);
  if (text !== undefined) return text;
  const type = lua.lua_type(state, -1);
  if (type === 0) return "nil";
  if (type === 1) return lua.lua_toboolean(state, -1) !== 0 ? "true" : "false";
  const name = ["userdata", "", "", "", "table", "function", "userdata", "thread"][type - 1] ?? "value";
  return `${name}: 0x${lua.lua_topointer(state, -1).toString(16).padStart(12, "0")}`;
}
