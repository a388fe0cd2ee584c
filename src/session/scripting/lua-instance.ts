/**
 * A Lua 5.1 virtual machine as a WebAssembly instance: its memory, its functions, and JavaScript functions that it calls.
 *
 *      machine's bytes (npm package wasmoon-lua5.1, the .wasm file alone) ──► WebAssembly.Module ──► LuaInstance
 *      memory   [ static │ ◄── C stack, 4 MiB ── │ heap ──► ... grows up to memoryBytesMax ]
 *      table    [ functions of Lua │ callbacks: exports of a small module that is made here ]
 *
 *  I1  `bytes`, `words` and `doubles` always show the whole memory: growth happens in one place, which renews them.
 *  I2  An error of Lua crosses JavaScript as the thrown value `LONG_JUMP`; whoever catches lets it pass.
 *  I3  Whatever else is thrown out of a call (a trap, an exhausted stack) leaves the instance unusable: it is replaced.
 *  Source: the Lua 5.1 reference manual's C interface; Emscripten's conventions for imports, as the file's import
 *  section names them; the WebAssembly core specification's binary format.
 */

/** What is used of WebAssembly, which the compiler's own library does not describe without a browser's. */
export type LuaModule = object;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface WasmTable {
  readonly length: number;
  get(index: number): (...values: number[]) => number;
  set(index: number, value: unknown): void;
  grow(count: number): number;
}

interface WebAssemblyLike {
  readonly Module: {
    new (bytes: Uint8Array): LuaModule;
    imports(module: LuaModule): { readonly module: string; readonly name: string }[];
  };
  readonly Instance: new (
    module: LuaModule,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Record<string, unknown> };
}

const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyLike }).WebAssembly;

/** Thrown through JavaScript while Lua unwinds to the nearest protected call. */
const LONG_JUMP = Number.POSITIVE_INFINITY;
const PAGE_BYTES = 65536;

export const LUA_OK = 0;
export const LUA_YIELD = 1;
export const LUA_ERROR_MEMORY = 4;

export const REGISTRY = -10000;
export const GLOBALS = -10002;

export const TYPE_NONE = -1;
export const TYPE_NIL = 0;
export const TYPE_BOOLEAN = 1;
export const TYPE_LIGHT_USERDATA = 2;
export const TYPE_NUMBER = 3;
export const TYPE_STRING = 4;
export const TYPE_TABLE = 5;
export const TYPE_FUNCTION = 6;

/** The functions of the machine that are used; a state, a pointer and a length are 32-bit numbers. */
export interface LuaFunctions {
  malloc(bytes: number): number;
  free(pointer: number): void;
  luaL_newstate(): number;
  luaopen_base(state: number): number;
  luaopen_table(state: number): number;
  luaopen_string(state: number): number;
  luaopen_math(state: number): number;
  luaL_loadbuffer(state: number, pointer: number, length: number, name: number): number;
  luaL_ref(state: number, table: number): number;
  luaL_unref(state: number, table: number, reference: number): void;
  luaL_where(state: number, level: number): void;
  luaL_checktype(state: number, index: number, type: number): void;
  luaL_checkany(state: number, index: number): void;
  luaL_checknumber(state: number, index: number): number;
  luaL_checklstring(state: number, index: number, length: number): number;
  luaL_argerror(state: number, index: number, text: number): number;
  luaL_checkstack(state: number, count: number, text: number): void;
  lua_newthread(state: number): number;
  lua_gettop(state: number): number;
  lua_settop(state: number, index: number): void;
  lua_pushvalue(state: number, index: number): void;
  lua_remove(state: number, index: number): void;
  lua_insert(state: number, index: number): void;
  lua_replace(state: number, index: number): void;
  lua_checkstack(state: number, count: number): number;
  lua_xmove(from: number, to: number, count: number): void;
  lua_type(state: number, index: number): number;
  lua_isnumber(state: number, index: number): number;
  lua_tonumber(state: number, index: number): number;
  lua_toboolean(state: number, index: number): number;
  lua_tolstring(state: number, index: number, length: number): number;
  lua_objlen(state: number, index: number): number;
  lua_topointer(state: number, index: number): number;
  lua_newuserdata(state: number, bytes: number): number;
  lua_touserdata(state: number, index: number): number;
  lua_pushnil(state: number): void;
  lua_pushnumber(state: number, value: number): void;
  lua_pushlstring(state: number, pointer: number, length: number): void;
  lua_pushboolean(state: number, value: number): void;
  lua_pushlightuserdata(state: number, pointer: number): void;
  lua_pushcclosure(state: number, callback: number, upvalues: number): void;
  lua_createtable(state: number, items: number, fields: number): void;
  lua_gettable(state: number, index: number): void;
  lua_rawget(state: number, index: number): void;
  lua_rawgeti(state: number, index: number, item: number): void;
  lua_getfield(state: number, index: number, name: number): void;
  lua_rawset(state: number, index: number): void;
  lua_rawseti(state: number, index: number, item: number): void;
  lua_setfield(state: number, index: number, name: number): void;
  lua_getmetatable(state: number, index: number): number;
  lua_setmetatable(state: number, index: number): number;
  lua_setfenv(state: number, index: number): number;
  lua_next(state: number, index: number): number;
  lua_concat(state: number, count: number): void;
  lua_error(state: number): number;
  lua_pcall(state: number, count: number, results: number, handler: number): number;
  lua_call(state: number, count: number, results: number): void;
  lua_resume(state: number, count: number): number;
  lua_yield(state: number, results: number): number;
  lua_gc(state: number, what: number, value: number): number;
  lua_sethook(state: number, hook: number, mask: number, count: number): number;
  lua_getstack(state: number, level: number, record: number): number;
  lua_getinfo(state: number, what: number, record: number): number;
}

interface Exports extends LuaFunctions {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  __wasm_call_ctors(): void;
  emscripten_stack_init(): void;
  stackSave(): number;
  stackRestore(pointer: number): void;
  setThrew(value: number, number: number): void;
}

/** Makes the module of the machine; costs tens of milliseconds, once per server. */
export function compileLua(bytes: Uint8Array): LuaModule {
  return new webAssembly.Module(bytes);
}

/** A function that Lua calls: gets its state, returns how many results lie on the stack. */
export type LuaCallback = (state: number) => number;

export class LuaInstance {
  readonly lua: LuaFunctions;
  bytes: Uint8Array;
  words: Int32Array;
  doubles: Float64Array;
  /** The heap is not given more than this, in bytes of the whole memory. */
  memoryBytesMax: number;

  private readonly exports: Exports;
  private readonly names: Map<string, number>;
  private scratchPointer: number;
  private scratchBytes: number;

  constructor(module: LuaModule, memoryBytesMax: number) {
    this.memoryBytesMax = memoryBytesMax;
    const made = new webAssembly.Instance(module, this.imports(module));
    this.exports = made.exports as unknown as Exports;
    this.lua = this.exports;
    const buffer = this.exports.memory.buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.names = new Map();
    this.scratchPointer = 0;
    this.scratchBytes = 0;
    this.exports.emscripten_stack_init();
    this.exports.__wasm_call_ctors();
  }

  /** Lua asks the system for nothing but memory: every other import refuses. */
  private imports(module: LuaModule): Record<string, Record<string, unknown>> {
    const imports: Record<string, Record<string, unknown>> = {};
    const refuse = (): number => -1;
    for (const { module: space, name } of webAssembly.Module.imports(module)) {
      imports[space] ??= {};
      imports[space][name] = refuse;
    }
    const invoke = (callee: number, first: number, second: number): void => {
      const stack = this.exports.stackSave();
      try {
        this.exports.__indirect_function_table.get(callee)(first, second);
      } catch (error) {
        if (error !== LONG_JUMP) throw error;
        this.exports.stackRestore(stack);
        this.exports.setThrew(1, 0);
      }
    };
    const jump = (): never => {
      throw LONG_JUMP;
    };
    const copy = (target: number, source: number, length: number): void => {
      this.bytes.copyWithin(target, source, source + length);
    };
    const nothing = (): number => 0;
    Object.assign(imports.env!, {
      invoke_vii: invoke,
      _emscripten_throw_longjmp: jump,
      emscripten_memcpy_js: copy,
      emscripten_resize_heap: (bytes: number) => this.grow(bytes >>> 0),
      emscripten_date_now: nothing,
      _emscripten_get_now_is_monotonic: nothing,
    });
    Object.assign(imports.wasi_snapshot_preview1!, { environ_sizes_get: nothing, environ_get: nothing });
    return imports;
  }

  /** 1 when the memory is at least `bytes` long now, 0 when it may not become so. */
  private grow(bytes: number): number {
    const present = this.bytes.length;
    const wanted = Math.min(Math.max(bytes, present + Math.min(present >> 2, 64 << 20)), this.memoryBytesMax);
    if (wanted < bytes) return 0;
    try {
      this.exports.memory.grow(Math.ceil((wanted - present) / PAGE_BYTES));
    } catch {
      return 0;
    }
    const buffer = this.exports.memory.buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    return 1;
  }

  /** Bytes that the machine has taken so far. */
  get memoryBytes(): number {
    return this.bytes.length;
  }

  /** Addresses for `callbacks`, by which lua_pushcclosure knows them. Each returns a number. */
  addCallbacks(callbacks: readonly LuaCallback[]): number[] {
    return this.addFunctions(callbacks, 1, true);
  }

  /** The address of a hook: lua_sethook. */
  addHook(hook: (state: number, record: number) => void): number {
    return this.addFunctions([hook], 2, false)[0]!;
  }

  private addFunctions(functions: readonly unknown[], parameters: number, returns: boolean): number[] {
    const imports: Record<string, unknown> = {};
    for (const [index, each] of functions.entries()) imports[String(index)] = each;
    const module = new webAssembly.Module(wrapperModule(functions.length, parameters, returns));
    const wrapped = new webAssembly.Instance(module, { e: imports }).exports;
    const table = this.exports.__indirect_function_table;
    const first = table.grow(functions.length);
    return functions.map((_, index) => {
      table.set(first + index, wrapped[String(index)]);
      return first + index;
    });
  }

  /** The address of `text` (latin1, without zero) as a C string that lives as long as the machine. */
  name(text: string): number {
    let pointer = this.names.get(text);
    if (pointer === undefined) {
      pointer = this.allocate(text.length + 1);
      for (let index = 0; index < text.length; index++) this.bytes[pointer + index] = text.charCodeAt(index);
      this.bytes[pointer + text.length] = 0;
      this.names.set(text, pointer);
    }
    return pointer;
  }

  /** Memory that stays. Throws RangeError when there is none: the machine is too full to be used. */
  allocate(bytes: number): number {
    const pointer = this.lua.malloc(bytes);
    if (pointer === 0) throw new RangeError("the Lua machine has no memory left");
    return pointer;
  }

  /** `bytes` of memory for values on their way, valid until the next call; 0 when there is none. hot path */
  scratch(bytes: number): number {
    if (bytes <= this.scratchBytes) return this.scratchPointer;
    if (this.scratchPointer !== 0) this.lua.free(this.scratchPointer);
    const size = Math.max(bytes, 64 * 1024);
    this.scratchPointer = this.lua.malloc(size);
    this.scratchBytes = this.scratchPointer === 0 ? 0 : size;
    return this.scratchPointer;
  }

  /** Gives back a large scratch. */
  trimScratch(): void {
    if (this.scratchBytes <= 1 << 20) return;
    this.lua.free(this.scratchPointer);
    this.scratchPointer = 0;
    this.scratchBytes = 0;
  }

  /** Pushes `source[start ... start+length)` as a string; Lua's own error when there is no memory. hot path */
  pushBytes(state: number, source: Uint8Array, start: number, length: number): void {
    const pointer = this.scratch(length);
    if (pointer === 0 && length > 0) this.failMemory(state);
    const bytes = this.bytes;
    if (length < 64) for (let index = 0; index < length; index++) bytes[pointer + index] = source[start + index]!;
    else bytes.set(source.subarray(start, start + length), pointer);
    this.lua.lua_pushlstring(state, pointer, length);
  }

  /** Pushes latin1 text. */
  pushText(state: number, text: string): void {
    const length = text.length;
    const pointer = this.scratch(length);
    if (pointer === 0 && length > 0) this.failMemory(state);
    const bytes = this.bytes;
    for (let index = 0; index < length; index++) bytes[pointer + index] = text.charCodeAt(index);
    this.lua.lua_pushlstring(state, pointer, length);
  }

  /** Raises Lua's own error of exhausted memory. */
  private failMemory(state: number): never {
    const text = this.name("not enough memory");
    this.lua.lua_pushlstring(state, text, "not enough memory".length);
    this.lua.lua_error(state);
    throw LONG_JUMP;
  }

  /** Raises an error whose value is `text`, with the position of the caller before it when `level` is not 0. */
  fail(state: number, text: string, level = 1): never {
    if (level > 0) {
      this.lua.luaL_where(state, level);
      this.pushText(state, text);
      this.lua.lua_concat(state, 2);
    } else {
      this.pushText(state, text);
    }
    this.lua.lua_error(state);
    throw LONG_JUMP;
  }

  /** Raises the error of a wrong argument, as Lua words it. */
  failArgument(state: number, index: number, text: string): never {
    this.lua.luaL_argerror(state, index, this.name(text));
    throw LONG_JUMP;
  }

  /** The length of the string at `pointer`, which lua_tolstring gave: it stands in the word before the characters. hot path */
  stringLength(pointer: number): number {
    return this.words[(pointer - 4) >> 2]!;
  }

  /** The string (or number) at `index` as latin1 text; undefined when it is neither. */
  text(state: number, index: number): string | undefined {
    const pointer = this.lua.lua_tolstring(state, index, 0);
    if (pointer === 0) return undefined;
    return this.latin1(pointer, this.stringLength(pointer));
  }

  latin1(pointer: number, length: number): string {
    if (length > 64) return Buffer.from(this.bytes.buffer, pointer, length).toString("latin1");
    const bytes = this.bytes;
    let text = "";
    for (let index = 0; index < length; index++) text += String.fromCharCode(bytes[pointer + index]!);
    return text;
  }
}

/** A module that exports each function that it imports, with `parameters` of type i32: the table takes only such. */
function wrapperModule(count: number, parameters: number, returns: boolean): Uint8Array {
  const name = (text: string): number[] => [text.length, ...Buffer.from(text, "latin1")];
  const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
  const integer = 0x7f;
  const type = [1, 0x60, parameters, ...new Array<number>(parameters).fill(integer), ...(returns ? [1, integer] : [0])];
  const imports = unsigned(count);
  const exports = unsigned(count);
  for (let index = 0; index < count; index++) {
    imports.push(...name("e"), ...name(String(index)), 0, 0);
    exports.push(...name(String(index)), 0, ...unsigned(index));
  }
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([...header, ...section(1, type), ...section(2, imports), ...section(7, exports)]);
}

/** A number as the format writes it: seven bits a byte, lowest first. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return bytes;
}
