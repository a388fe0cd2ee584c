/**
 * Libraries of functions: what FUNCTION LOAD keeps and FCALL calls.
 *
 *      libraries   name ──► { code, functions: name ──► { flags, description, callback in the machine } }
 *      functions   name ──► the function and its library
 *
 *  I1  A function's name is in one library only. A change is made as a whole or not at all.
 *  I2  The code is what counts: it is run again when the machine was replaced. State that functions kept is lost then.
 *  Source: "Redis functions" documentation; texts of redis-server 7.0.
 */

import type { Clock } from "../../core/host.ts";
import { REGISTRY, TYPE_FUNCTION, TYPE_STRING, TYPE_TABLE } from "./lua-instance.ts";
import type { LuaMachine } from "./machine.ts";
import { commonLibrary, raise } from "./redis-library.ts";
import { flagNamed, isName, readLibraryHead, WRONG_NAME } from "./script-flags.ts";
import { KILLED, type Script, type Scripting } from "./scripting.ts";

const CHUNK = "@user_function";
/** Loading a library may take so long. */
const LOAD_MS = 500;
const MOST_ARGUMENTS = 2;

export interface LibraryFunction extends Script {
  readonly description: string | undefined;
  readonly library: Library;
  /** Registry reference of the callback. */
  readonly reference: number;
}

export interface Library {
  readonly name: string;
  /** All of it, as it was loaded. */
  readonly code: Uint8Array;
  functions: Map<string, LibraryFunction>;
  /** Where the callbacks are; undefined when they have to be made again. */
  machine: LuaMachine | undefined;
}

/** What FUNCTION RESTORE does about libraries that are there. */
export type RestorePolicy = "flush" | "append" | "replace";

export class Libraries {
  private readonly scripting: Scripting;
  private readonly clock: Clock;
  private libraries: Map<string, Library>;
  private functions: Map<string, LibraryFunction>;
  /** The library that is being loaded. */
  private loading: Library | undefined;
  /** The machine in which the table for loading was made, and its registry reference. */
  private loadMachine: LuaMachine | undefined;
  private loadGlobals: number;

  constructor(scripting: Scripting) {
    this.scripting = scripting;
    this.clock = scripting.options.clock;
    this.libraries = new Map();
    this.functions = new Map();
    this.loading = undefined;
    this.loadMachine = undefined;
    this.loadGlobals = 0;
  }

  all(): Library[] {
    return [...this.libraries.values()];
  }

  get functionCount(): number {
    return this.functions.size;
  }

  /** Bytes that sources and names take besides the machine. */
  get memoryBytes(): number {
    let bytes = this.functions.size * 200;
    for (const library of this.libraries.values()) bytes += library.code.length + 200;
    return bytes;
  }

  find(name: string): LibraryFunction | undefined {
    return this.functions.get(name);
  }

  /** The function with its callback in the present machine; text for what went wrong. */
  ready(known: LibraryFunction): LibraryFunction | string {
    const machine = this.machine();
    if (machine === undefined) return "ERR not enough memory for functions";
    if (known.library.machine === machine) return known;
    const failure = this.run(known.library, machine);
    if (failure !== undefined) return failure;
    for (const each of known.library.functions.values()) this.functions.set(each.name, each);
    return known.library.functions.get(known.name) ?? "ERR Function not found";
  }

  private machine(): LuaMachine | undefined {
    try {
      return this.scripting.machineOf("function").machine;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return undefined;
    }
  }

  // ---- changes -----------------------------------------------------------------------------------------------------

  flush(): void {
    this.libraries = new Map();
    this.functions = new Map();
    this.scripting.dropMachine("function");
  }

  /** False when there is none. */
  delete(name: string): boolean {
    const library = this.libraries.get(name);
    if (library === undefined) return false;
    this.libraries.delete(name);
    this.forget(library);
    return true;
  }

  private forget(library: Library): void {
    for (const each of library.functions.values()) {
      this.functions.delete(each.name);
      library.machine?.release(each.reference);
    }
  }

  /** Loads a library; returns its name, or an error's text that begins with its code. */
  load(code: Uint8Array, replaces: boolean): { readonly name: string } | string {
    const head = readLibraryHead(code);
    if (typeof head === "string") return head;
    const before = this.libraries.get(head.name);
    if (before !== undefined && !replaces) return `ERR Library '${head.name}' already exists`;
    const machine = this.machine();
    if (machine === undefined) return "ERR not enough memory for functions";
    const library: Library = { name: head.name, code, functions: new Map(), machine: undefined };
    const failure = this.run(library, machine) ?? this.collision(library, before);
    if (failure !== undefined) return failure;
    if (before !== undefined) this.delete(before.name);
    this.libraries.set(library.name, library);
    for (const each of library.functions.values()) this.functions.set(each.name, each);
    return library;
  }

  private collision(library: Library, before: Library | undefined): string | undefined {
    for (const name of library.functions.keys()) {
      const other = this.functions.get(name);
      if (other !== undefined && other.library !== before) return `ERR Function ${name} already exists`;
    }
    return undefined;
  }

  /** Restores libraries in the form of FUNCTION DUMP, all or none. Returns an error's text. */
  restore(codes: readonly Uint8Array[], policy: RestorePolicy): string | undefined {
    const { libraries, functions } = this;
    this.libraries = policy === "flush" ? new Map() : new Map(libraries);
    this.functions = policy === "flush" ? new Map() : new Map(functions);
    const restored = new Set<string>();
    for (const code of codes) {
      const head = readLibraryHead(code);
      const name = typeof head === "string" ? "" : head.name;
      const outcome = this.load(code, policy === "replace" && !restored.has(name));
      if (typeof outcome === "string") {
        this.libraries = libraries;
        this.functions = functions;
        // Callbacks of what was replaced are gone: they are made again when they are called.
        for (const library of libraries.values()) library.machine = undefined;
        // As Redis has it, RESTORE names the library without quotes.
        return outcome.replace(/^ERR Library '(\w+)' already exists$/, "ERR Library $1 already exists");
      }
      restored.add(name);
    }
    return undefined;
  }

  // ---- loading -----------------------------------------------------------------------------------------------------

  /** Runs a library's code, which registers its functions. */
  private run(library: Library, machine: LuaMachine): string | undefined {
    const head = readLibraryHead(library.code);
    if (typeof head === "string") return head;
    const compiled = machine.compile(head.body, CHUNK);
    if (typeof compiled === "string") {
      if (machine.isBroken) this.scripting.dropMachine("function");
      return `ERR Error compiling function: ${compiled}`;
    }
    library.functions = new Map();
    library.machine = machine;
    this.loading = library;
    this.scripting.deadlineMs = this.clock.monotonicMs() + LOAD_MS;
    this.prepare(machine);
    machine.exchangeGlobals(this.loadGlobals);
    machine.lua.lua_rawgeti(machine.thread, REGISTRY, compiled);
    const result = machine.run(0);
    this.loading = undefined;
    this.scripting.deadlineMs = 0;
    let failure: string | undefined;
    if (result === "done") machine.clear();
    else failure = loadFailure(machine.failure().text);
    if (machine.isBroken) {
      this.scripting.dropMachine("function");
    } else {
      machine.exchangeGlobals(0);
      machine.release(compiled);
    }
    if (failure === undefined && library.functions.size === 0) failure = "ERR No functions registered";
    return failure;
  }

  /** The globals that code sees while it is loaded: `redis` with little in it. */
  private prepare(machine: LuaMachine): void {
    if (this.loadMachine === machine) return;
    const { instance } = machine;
    const services = this.scripting.servicesOf(machine);
    const library = {
      ...commonLibrary(instance, services),
      register_function: (state: number) => this.register(machine, state),
    };
    this.loadGlobals = machine.makeGlobals("redis", library);
    this.loadMachine = machine;
  }

  /** redis.register_function(name, callback) or redis.register_function{...} */
  private register(machine: LuaMachine, state: number): number {
    const { instance } = machine;
    const { lua } = instance;
    const library = this.loading;
    const fail = (text: string): never => raise(instance, state, `ERR ${text}`);
    if (library === undefined) return fail("redis.register_function can only be called on FUNCTION LOAD command");
    const count = lua.lua_gettop(state);
    if (count === 0 || count > MOST_ARGUMENTS) return fail("wrong number of arguments to redis.register_function");
    const given = count === 1 ? this.readNamed(machine, state, fail) : this.readOrdered(machine, state, fail);
    if (!isName(given.name)) return fail(WRONG_NAME.slice("ERR ".length));
    if (library.functions.has(given.name)) return fail("Function already exists in the library");
    lua.lua_pushvalue(state, given.callback);
    const reference = lua.luaL_ref(state, REGISTRY);
    const { name, flags, description } = given;
    library.functions.set(name, { name, kind: "function", flags, description, library, reference });
    return 0;
  }

  private readOrdered(machine: LuaMachine, state: number, fail: (text: string) => never): Registration {
    const name = machine.instance.text(state, 1);
    if (name === undefined) return fail("first argument to redis.register_function must be a string");
    if (machine.lua.lua_type(state, 2) !== TYPE_FUNCTION) {
      return fail("second argument to redis.register_function must be a function");
    }
    return { name, callback: 2, flags: 0, description: undefined };
  }

  private readNamed(machine: LuaMachine, state: number, fail: (text: string) => never): Registration {
    const { lua, instance } = machine;
    if (lua.lua_type(state, 1) !== TYPE_TABLE) {
      return fail(
        "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
      );
    }
    let name: string | undefined;
    let description: string | undefined;
    let flags = 0;
    let hasCallback = false;
    // Places on the stack: 1 the table, 2 the callback, 3 the key, 4 the value.
    lua.lua_pushnil(state);
    lua.lua_pushnil(state);
    while (lua.lua_next(state, 1) !== 0) {
      // A number may not be turned into text where it is a key: the walk goes on from it.
      const key = lua.lua_type(state, 3) === TYPE_STRING ? instance.text(state, 3) : undefined;
      if (key === "function_name") {
        name = instance.text(state, 4);
        if (name === undefined) return fail("function_name argument given to redis.register_function must be a string");
      } else if (key === "description") {
        description = instance.text(state, 4);
        if (description === undefined) {
          return fail("description argument given to redis.register_function must be a string");
        }
      } else if (key === "callback") {
        if (lua.lua_type(state, 4) !== TYPE_FUNCTION) {
          return fail("callback argument given to redis.register_function must be a function");
        }
        lua.lua_pushvalue(state, 4);
        lua.lua_replace(state, 2);
        hasCallback = true;
      } else if (key === "flags") {
        if (lua.lua_type(state, 4) !== TYPE_TABLE) {
          return fail("flags argument to redis.register_function must be a table representing function flags");
        }
        flags = this.readFlags(machine, state, fail);
      } else {
        return fail("unknown argument given to redis.register_function");
      }
      lua.lua_settop(state, 3);
    }
    if (name === undefined) return fail("redis.register_function must get a function name argument");
    if (!hasCallback) return fail("redis.register_function must get a callback argument");
    return { name, callback: 2, flags, description };
  }

  /** The table of names on top of the stack. */
  private readFlags(machine: LuaMachine, state: number, fail: (text: string) => never): number {
    const { lua, instance } = machine;
    let flags = 0;
    for (let index = 1; ; index++) {
      lua.lua_rawgeti(state, 4, index);
      const type = lua.lua_type(state, -1);
      if (type === 0) return flags;
      const flag = type === TYPE_STRING ? flagNamed(instance.text(state, -1)!) : 0;
      if (flag === 0) return fail("unknown flag given");
      flags |= flag;
      lua.lua_settop(state, -2);
    }
  }
}

interface Registration {
  readonly name: string;
  /** Where it lies on the stack. */
  readonly callback: number;
  readonly flags: number;
  readonly description: string | undefined;
}

function loadFailure(text: string): string {
  const reason = text.includes(KILLED) ? "ERR FUNCTION LOAD timeout" : text;
  return `ERR Error registering functions: ${reason}`;
}
