/**
 * Functions of Lua's base library that know the protected tables of the sandbox, and that never take compiled code.
 *
 *      pairs, next, rawget     see the table that stands behind a protected one
 *      rawset, setmetatable    refuse it
 *      load, loadstring        take text only
 *
 *  I1  No function gives away a table behind a protected one, nor the metatable of strings itself.
 *  Source: Lua 5.1 reference manual; results and texts of redis-server 7.0.
 */

import {
  LUA_OK,
  type LuaCallback,
  type LuaFunctions,
  type LuaInstance,
  REGISTRY,
  TYPE_FUNCTION,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "./lua-instance.ts";
import type { LuaMachine } from "./machine.ts";

export const READ_ONLY = "Attempt to modify a readonly table";
/** Compiled code begins with this byte. */
const COMPILED = 27;

/** Makes the functions globals; `rawNext` is the registry reference of Lua's own next. */
export function addBaseLibrary(machine: LuaMachine, rawNext: number): void {
  new BaseLibrary(machine, rawNext).add();
}

class BaseLibrary {
  private readonly machine: LuaMachine;
  private readonly instance: LuaInstance;
  private readonly lua: LuaFunctions;
  private readonly rawNext: number;
  private ownNext: number;

  constructor(machine: LuaMachine, rawNext: number) {
    this.machine = machine;
    this.instance = machine.instance;
    this.lua = machine.lua;
    this.rawNext = rawNext;
    this.ownNext = 0;
  }

  add(): void {
    const { lua, instance, machine } = this;
    const library: Record<string, LuaCallback> = {
      next: (state) => this.next(state),
      pairs: (state) => this.pairs(state),
      rawget: (state) => this.rawGet(state),
      rawset: (state) => this.rawSet(state),
      getmetatable: (state) => this.getMetatable(state),
      setmetatable: (state) => this.setMetatable(state),
      loadstring: (state) => {
        lua.luaL_checklstring(state, 1, 0);
        const name = lua.lua_type(state, 2) > 0 ? lua.luaL_checklstring(state, 2, 0) : 0;
        return this.load(state, 1, name === 0 ? lua.lua_tolstring(state, 1, 0) : name);
      },
      load: (state) => this.loadPieces(state),
    };
    const addresses = instance.addCallbacks(Object.values(library));
    for (const [index, name] of Object.keys(library).entries()) {
      lua.lua_pushcclosure(machine.state, addresses[index]!, 0);
      if (name === "next") {
        lua.lua_pushvalue(machine.state, -1);
        this.ownNext = lua.luaL_ref(machine.state, REGISTRY);
      }
      machine.setGlobal(name);
    }
  }

  /** Puts the table behind a protected one at 1 in its place. */
  private reveal(state: number): boolean {
    const real = this.machine.realOf(state, 1);
    if (real === 0) return false;
    this.lua.lua_rawgeti(state, REGISTRY, real);
    this.lua.lua_replace(state, 1);
    return true;
  }

  private pairs(state: number): number {
    const { lua, machine } = this;
    lua.luaL_checktype(state, 1, TYPE_TABLE);
    lua.lua_rawgeti(state, REGISTRY, machine.realOf(state, 1) === 0 ? this.rawNext : this.ownNext);
    lua.lua_pushvalue(state, 1);
    lua.lua_pushnil(state);
    return 3;
  }

  private next(state: number): number {
    const lua = this.lua;
    lua.luaL_checktype(state, 1, TYPE_TABLE);
    lua.lua_settop(state, 2);
    this.reveal(state);
    if (lua.lua_next(state, 1) !== 0) return 2;
    lua.lua_pushnil(state);
    return 1;
  }

  private rawGet(state: number): number {
    const lua = this.lua;
    lua.luaL_checktype(state, 1, TYPE_TABLE);
    lua.luaL_checkany(state, 2);
    lua.lua_settop(state, 2);
    this.reveal(state);
    lua.lua_rawget(state, 1);
    return 1;
  }

  private rawSet(state: number): number {
    const { lua, instance, machine } = this;
    lua.luaL_checktype(state, 1, TYPE_TABLE);
    lua.luaL_checkany(state, 2);
    lua.luaL_checkany(state, 3);
    if (machine.realOf(state, 1) !== 0) instance.fail(state, READ_ONLY, 0);
    lua.lua_settop(state, 3);
    lua.lua_rawset(state, 1);
    return 1;
  }

  private getMetatable(state: number): number {
    const { lua, instance, machine } = this;
    lua.luaL_checkany(state, 1);
    if (lua.lua_type(state, 1) === TYPE_STRING) {
      lua.lua_rawgeti(state, REGISTRY, machine.stringMeta);
      return 1;
    }
    const isProtected = this.reveal(state);
    if (lua.lua_getmetatable(state, 1) === 0) {
      lua.lua_pushnil(state);
      return 1;
    }
    if (isProtected) {
      // Made anew each time: it is asked for by those who look around, once.
      this.protectForNow(state);
      return 1;
    }
    instance.pushText(state, "__metatable");
    lua.lua_rawget(state, -2);
    if (lua.lua_type(state, -1) <= 0) lua.lua_settop(state, -2);
    return 1;
  }

  /** Replaces the metatable on top of the stack by a copy that lets nobody write. */
  private protectForNow(state: number): void {
    const { lua, instance } = this;
    lua.lua_createtable(state, 0, 0);
    lua.lua_createtable(state, 0, 2);
    lua.lua_createtable(state, 0, 1);
    lua.lua_getfield(state, -4, instance.name("__index"));
    lua.lua_setfield(state, -2, instance.name("__index"));
    lua.lua_setfield(state, -2, instance.name("__index"));
    lua.lua_pushcclosure(state, this.machine.refuseWrite, 0);
    lua.lua_setfield(state, -2, instance.name("__newindex"));
    lua.lua_setmetatable(state, -2);
  }

  private setMetatable(state: number): number {
    const { lua, instance, machine } = this;
    lua.luaL_checktype(state, 1, TYPE_TABLE);
    const type = lua.lua_type(state, 2);
    if (type !== 0 && type !== TYPE_TABLE) instance.failArgument(state, 2, "nil or table expected");
    if (machine.realOf(state, 1) !== 0) instance.fail(state, READ_ONLY, 0);
    if (lua.lua_getmetatable(state, 1) !== 0) {
      instance.pushText(state, "__metatable");
      lua.lua_rawget(state, -2);
      if (lua.lua_type(state, -1) > 0) instance.fail(state, "cannot change a protected metatable");
    }
    lua.lua_settop(state, 2);
    lua.lua_setmetatable(state, 1);
    return 1;
  }

  /** Compiles the string at `index`; `name`: the chunk's, a C string. */
  private load(state: number, index: number, name: number): number {
    const { lua, instance } = this;
    const pointer = lua.lua_tolstring(state, index, 0);
    if (loadText(instance, state, pointer, instance.stringLength(pointer), name) === LUA_OK) return 1;
    lua.lua_pushnil(state);
    lua.lua_insert(state, -2);
    return 2;
  }

  /** load(function): calls it for pieces until there is none. */
  private loadPieces(state: number): number {
    const { lua, instance } = this;
    lua.luaL_checktype(state, 1, TYPE_FUNCTION);
    const name = lua.lua_type(state, 2) > 0 ? lua.luaL_checklstring(state, 2, 0) : instance.name("=(load)");
    lua.lua_settop(state, 3);
    instance.pushText(state, "");
    for (;;) {
      lua.lua_pushvalue(state, 1);
      lua.lua_call(state, 0, 1);
      const type = lua.lua_type(state, -1);
      if (type !== 0 && type !== TYPE_STRING && type !== TYPE_NUMBER) {
        instance.fail(state, "reader function must return a string");
      }
      if (type === 0 || lua.lua_objlen(state, -1) === 0) break;
      lua.lua_concat(state, 2);
    }
    lua.lua_settop(state, 4);
    return this.load(state, 4, name);
  }
}

/** lua_load of text; compiled code is refused as the parser refuses any other nonsense. */
export function loadText(instance: LuaInstance, state: number, pointer: number, length: number, name: number): number {
  const { lua } = instance;
  if (length === 0 || instance.bytes[pointer] !== COMPILED) return lua.luaL_loadbuffer(state, pointer, length, name);
  // A space before it makes text of it.
  const copy = instance.bytes.slice(pointer - 1, pointer + length);
  copy[0] = 32;
  instance.pushBytes(state, copy, 0, copy.length);
  const status = lua.luaL_loadbuffer(state, lua.lua_tolstring(state, -1, 0), copy.length, name);
  lua.lua_remove(state, -2);
  return status;
}
