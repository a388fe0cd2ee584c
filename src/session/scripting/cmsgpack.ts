/**
 * The library `cmsgpack`: Lua values as MessagePack and back.
 *
 *      pack(...)  values one behind the other          unpack(text)  all of them
 *      unpack_one(text, offset), unpack_limit(text, count, offset)   some of them, and before them where the rest begins
 *
 *  I1  Values nested deeper than NESTING_MAX are packed as nil. Nothing is read beyond the text.
 *  Source: the MessagePack specification; results and texts of redis-server 7.0.
 */

import { ByteBuilder } from "./byte-builder.ts";
import { type LuaInstance, TYPE_BOOLEAN, TYPE_NUMBER, TYPE_STRING, TYPE_TABLE } from "./lua-instance.ts";
import type { LuaLibrary } from "./machine.ts";

const NESTING_MAX = 16;
const MISSING = "Missing bytes in input.";
const BAD = "Bad data format in input.";

export function cmsgpackLibrary(instance: LuaInstance): LuaLibrary {
  const packer = new Packer(instance);
  return {
    _NAME: "cmsgpack",
    _VERSION: "lua-cmsgpack 0.4.0",
    _COPYRIGHT: "Copyright (C) 2012, Salvatore Sanfilippo",
    _DESCRIPTION: "MessagePack C implementation for Lua",
    pack: (state) => packer.pack(state),
    unpack: (state) => new Unpacker(instance, state).unpack(0, 0, true),
    unpack_one: (state) => {
      const offset = optional(instance, state, 2, 0);
      return new Unpacker(instance, state).unpack(1, offset, false);
    },
    unpack_limit: (state) => {
      const limit = Math.trunc(instance.lua.luaL_checknumber(state, 2));
      const offset = optional(instance, state, 3, 0);
      return new Unpacker(instance, state).unpack(limit, offset, false);
    },
  };
}

function optional(instance: LuaInstance, state: number, index: number, otherwise: number): number {
  const { lua } = instance;
  return lua.lua_type(state, index) <= 0 ? otherwise : Math.trunc(lua.luaL_checknumber(state, index));
}

class Packer {
  private readonly instance: LuaInstance;
  private readonly builder: ByteBuilder;

  constructor(instance: LuaInstance) {
    this.instance = instance;
    this.builder = new ByteBuilder();
  }

  pack(state: number): number {
    const { instance, builder } = this;
    const { lua } = instance;
    const count = lua.lua_gettop(state);
    if (count === 0) instance.failArgument(state, 0, "MessagePack pack needs input.");
    if (lua.lua_checkstack(state, count) === 0) {
      instance.failArgument(state, 0, "Too many arguments for MessagePack pack.");
    }
    builder.clear();
    for (let index = 1; index <= count; index++) {
      lua.luaL_checkstack(state, 1, instance.name("in function mp_check"));
      lua.lua_pushvalue(state, index);
      this.value(state, 0);
    }
    instance.pushBytes(state, builder.bytes, 0, builder.length);
    return 1;
  }

  /** Packs the value on top of the stack and pops it. */
  private value(state: number, level: number): void {
    const { instance, builder } = this;
    const { lua } = instance;
    const type = lua.lua_type(state, -1);
    if (type === TYPE_STRING) {
      const pointer = lua.lua_tolstring(state, -1, 0);
      this.string(pointer, instance.stringLength(pointer));
    } else if (type === TYPE_BOOLEAN) {
      builder.byte(lua.lua_toboolean(state, -1) !== 0 ? 0xc3 : 0xc2);
    } else if (type === TYPE_NUMBER) {
      this.number(lua.lua_tonumber(state, -1));
    } else if (type === TYPE_TABLE && level < NESTING_MAX) {
      lua.luaL_checkstack(state, 4, instance.name("in function mp_encode_lua_table"));
      if (this.isArray(state)) this.array(state, level);
      else this.map(state, level);
    } else {
      builder.byte(0xc0);
    }
    lua.lua_settop(state, -2);
  }

  private string(pointer: number, length: number): void {
    const { builder } = this;
    if (length < 32) builder.byte(0xa0 | length);
    else this.header(length, 0xd9, 0xda, 0xdb);
    builder.copy(this.instance.bytes, pointer, length);
  }

  /** One of three types by how many bytes the count needs; `first` 0: there is no type with one byte. */
  private header(count: number, first: number, second: number, third: number): void {
    const { builder } = this;
    if (first !== 0 && count <= 0xff) {
      builder.byte(first);
      builder.byte(count);
    } else if (count <= 0xffff) {
      builder.byte(second);
      builder.unsigned(count, 2);
    } else {
      builder.byte(third);
      builder.unsigned(count, 4);
    }
  }

  private number(value: number): void {
    const { builder } = this;
    if (!Number.isInteger(value) || value < -(2 ** 63) || value >= 2 ** 63) {
      if (Math.fround(value) === value) {
        builder.byte(0xca);
        builder.float(value, 4, false);
      } else {
        builder.byte(0xcb);
        builder.float(value, 8, false);
      }
    } else if (value >= 0) {
      if (value <= 127) builder.byte(value);
      else if (value <= 0xffffffff) this.header(value, 0xcc, 0xcd, 0xce);
      else {
        builder.byte(0xcf);
        builder.int64(BigInt(value));
      }
    } else if (value >= -32) {
      builder.byte(value & 0xff);
    } else if (value >= -128) {
      builder.byte(0xd0);
      builder.unsigned(value, 1);
    } else if (value >= -32768) {
      builder.byte(0xd1);
      builder.unsigned(value, 2);
    } else if (value >= -2147483648) {
      builder.byte(0xd2);
      builder.unsigned(value, 4);
    } else {
      builder.byte(0xd3);
      builder.int64(BigInt(value));
    }
  }

  /** Whether the table's keys are 1, 2, ... n. */
  private isArray(state: number): boolean {
    const { lua } = this.instance;
    let count = 0;
    let greatest = 0;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_settop(state, -2);
      const key = lua.lua_type(state, -1) === TYPE_NUMBER ? lua.lua_tonumber(state, -1) : -1;
      if (key <= 0 || !Number.isInteger(key)) {
        lua.lua_settop(state, -2);
        return false;
      }
      count++;
      if (key > greatest) greatest = key;
    }
    return greatest === count;
  }

  private array(state: number, level: number): void {
    const { lua } = this.instance;
    const count = lua.lua_objlen(state, -1);
    if (count <= 15) this.builder.byte(0x90 | count);
    else this.header(count, 0, 0xdc, 0xdd);
    for (let index = 1; index <= count; index++) {
      lua.lua_rawgeti(state, -1, index);
      this.value(state, level + 1);
    }
  }

  private map(state: number, level: number): void {
    const { lua } = this.instance;
    let count = 0;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_settop(state, -2);
      count++;
    }
    if (count <= 15) this.builder.byte(0x80 | count);
    else this.header(count, 0, 0xde, 0xdf);
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_pushvalue(state, -2);
      this.value(state, level + 1);
      this.value(state, level + 1);
    }
  }
}

class Unpacker {
  private readonly instance: LuaInstance;
  private readonly state: number;
  private readonly start: number;
  private readonly length: number;
  private at: number;

  constructor(instance: LuaInstance, state: number) {
    this.instance = instance;
    this.state = state;
    this.start = instance.lua.luaL_checklstring(state, 1, 0);
    this.length = instance.stringLength(this.start);
    this.at = 0;
  }

  unpack(limit: number, offset: number, isAll: boolean): number {
    const { instance, state, length } = this;
    const { lua } = instance;
    if (offset < 0 || limit < 0) {
      instance.fail(state, `Invalid request to unpack with offset of ${offset} and limit of ${length}.`);
    }
    if (offset > length) instance.fail(state, `Start offset ${offset} greater than input length ${length}.`);
    this.at = offset;
    lua.lua_settop(state, 1);
    const takesAll = isAll || (limit === 0 && offset === 0);
    const most = takesAll ? Number.POSITIVE_INFINITY : limit;
    let count = 0;
    for (; this.at < length && count < most; count++) {
      lua.luaL_checkstack(state, 1, instance.name("in function mp_unpack_full"));
      this.value();
    }
    if (takesAll) return count;
    lua.lua_pushnumber(state, this.at === length ? -1 : this.at);
    lua.lua_insert(state, 2);
    return count + 1;
  }

  /** Takes `count` bytes; returns where they lie in memory. */
  private take(count: number): number {
    if (this.length - this.at < count) this.instance.fail(this.state, MISSING);
    const at = this.start + this.at;
    this.at += count;
    return at;
  }

  private unsigned(size: number): number {
    const at = this.take(size);
    const bytes = this.instance.bytes;
    let value = 0;
    for (let index = 0; index < size; index++) value = value * 256 + bytes[at + index]!;
    return value;
  }

  private view(size: number): DataView {
    return new DataView(this.instance.bytes.buffer, this.take(size), size);
  }

  private value(): void {
    const { instance, state } = this;
    const { lua } = instance;
    lua.luaL_checkstack(
      state,
      4,
      instance.name("too many return values at once; use unpack_one or unpack_limit instead."),
    );
    const type = this.unsigned(1);
    if (type <= 0x7f) lua.lua_pushnumber(state, type);
    else if (type >= 0xe0) lua.lua_pushnumber(state, type - 256);
    else if (type <= 0x8f) this.map(type & 15);
    else if (type <= 0x9f) this.array(type & 15);
    else if (type <= 0xbf) this.string(type & 31);
    else this.typed(type);
  }

  private typed(type: number): void {
    const { instance, state } = this;
    const { lua } = instance;
    switch (type) {
      case 0xc0:
        return lua.lua_pushnil(state);
      case 0xc2:
      case 0xc3:
        return lua.lua_pushboolean(state, type & 1);
      case 0xca:
        return lua.lua_pushnumber(state, this.view(4).getFloat32(0));
      case 0xcb:
        return lua.lua_pushnumber(state, this.view(8).getFloat64(0));
      case 0xcc:
        return lua.lua_pushnumber(state, this.unsigned(1));
      case 0xcd:
        return lua.lua_pushnumber(state, this.unsigned(2));
      case 0xce:
        return lua.lua_pushnumber(state, this.unsigned(4));
      case 0xcf:
        return lua.lua_pushnumber(state, Number(this.view(8).getBigInt64(0)));
      case 0xd0:
        return lua.lua_pushnumber(state, this.view(1).getInt8(0));
      case 0xd1:
        return lua.lua_pushnumber(state, this.view(2).getInt16(0));
      case 0xd2:
        return lua.lua_pushnumber(state, this.view(4).getInt32(0));
      case 0xd3:
        return lua.lua_pushnumber(state, Number(this.view(8).getBigInt64(0)));
      case 0xd9:
        return this.string(this.unsigned(1));
      case 0xda:
        return this.string(this.unsigned(2));
      case 0xdb:
        return this.string(this.unsigned(4));
      case 0xdc:
        return this.array(this.unsigned(2));
      case 0xdd:
        return this.array(this.unsigned(4));
      case 0xde:
        return this.map(this.unsigned(2));
      case 0xdf:
        return this.map(this.unsigned(4));
      default:
        return instance.fail(state, BAD);
    }
  }

  private string(length: number): void {
    const at = this.take(length);
    this.instance.lua.lua_pushlstring(this.state, at, length);
  }

  private array(count: number): void {
    const { lua } = this.instance;
    lua.lua_createtable(this.state, 0, 0);
    for (let index = 1; index <= count; index++) {
      this.value();
      lua.lua_rawseti(this.state, -2, index);
    }
  }

  private map(count: number): void {
    const { instance, state } = this;
    const { lua } = instance;
    lua.lua_createtable(state, 0, 0);
    for (let index = 0; index < count; index++) {
      this.value();
      this.value();
      // Lua refuses such keys by itself, but by a way that no protected call is on.
      if (lua.lua_type(state, -2) === 0) instance.fail(state, "table index is nil", 0);
      if (lua.lua_type(state, -2) === TYPE_NUMBER && Number.isNaN(lua.lua_tonumber(state, -2))) {
        instance.fail(state, "table index is NaN", 0);
      }
      lua.lua_rawset(state, -3);
    }
  }
}
