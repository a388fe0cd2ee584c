/**
 * The library `struct`: numbers and strings as bytes in the layout that a format describes.
 *
 *      <  >  !n      order of bytes, alignment          b h i l T (B H I L)   whole numbers of 1, 2, 4, 8, 8 bytes; i3: 3
 *      f  d  x       4 and 8 byte numbers, padding      s  c5  c0             text with zero, of 5 bytes, of a given length
 *
 *  I1  Nothing is read beyond the data, whatever offset or size a format asks for.
 *  Source: the documentation of Lua's struct library 0.2; results and texts of redis-server 7.0.
 */

import { ByteBuilder } from "./byte-builder.ts";
import type { LuaInstance } from "./lua-instance.ts";
import type { LuaLibrary } from "./machine.ts";

const INTEGER_BYTES_MAX = 32;
const INT_MAX = 2147483647;

/** A format being read. */
class Format {
  isLittle = true;
  private alignment = 1;
  private at: number;
  private readonly end: number;
  private readonly instance: LuaInstance;
  private readonly state: number;

  constructor(instance: LuaInstance, state: number) {
    this.instance = instance;
    this.state = state;
    this.at = instance.lua.luaL_checklstring(state, 1, 0);
    this.end = this.at + instance.stringLength(this.at);
  }

  /** The next option's character, "" at the end. */
  next(): string {
    // A format ends at a zero byte as a C string does.
    const byte = this.at < this.end ? this.instance.bytes[this.at]! : 0;
    if (byte === 0) return "";
    this.at++;
    return String.fromCharCode(byte);
  }

  private number(otherwise: number): number {
    const bytes = this.instance.bytes;
    let value = 0;
    let hasDigit = false;
    for (let digit = bytes[this.at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++this.at]! - 48) {
      hasDigit = true;
      if (value > INT_MAX / 10 || value * 10 > INT_MAX - digit) {
        this.instance.fail(this.state, "integral size overflow");
      }
      value = value * 10 + digit;
    }
    return hasDigit ? value : otherwise;
  }

  /** Bytes that a value of this option takes, 0 when that depends on the value or there is none. */
  size(option: string): number {
    switch (option) {
      case "b":
      case "B":
      case "x":
        return 1;
      case "h":
      case "H":
        return 2;
      case "f":
        return 4;
      case "l":
      case "L":
      case "T":
      case "d":
        return 8;
      case "c":
        return this.number(1);
      case "i":
      case "I": {
        const size = this.number(4);
        if (size > INTEGER_BYTES_MAX) {
          this.instance.fail(this.state, `integral size ${size} is larger than limit of ${INTEGER_BYTES_MAX}`);
        }
        return size;
      }
      default:
        return 0;
    }
  }

  /** Bytes of padding before a value of `size` at `position`. */
  padding(position: number, option: string, size: number): number {
    if (size === 0 || option === "c") return 0;
    const unit = Math.min(size, this.alignment);
    return (unit - (position & (unit - 1))) & (unit - 1);
  }

  /** An option that is no value. */
  control(option: string): void {
    if (option === " ") return;
    if (option === ">") this.isLittle = false;
    else if (option === "<") this.isLittle = true;
    else if (option === "!") {
      const alignment = this.number(8);
      if (alignment <= 0 || (alignment & (alignment - 1)) !== 0) {
        this.instance.fail(this.state, `alignment ${alignment} is not a power of 2`);
      }
      this.alignment = alignment;
    } else this.instance.failArgument(this.state, 1, `invalid format option '${option}'`);
  }
}

const INTEGERS = "bBhHlLTiI";

export function structLibrary(instance: LuaInstance): LuaLibrary {
  const builder = new ByteBuilder();
  return {
    pack: (state) => pack(instance, state, builder),
    unpack: (state) => unpack(instance, state),
    size: (state) => size(instance, state),
  };
}

function pack(instance: LuaInstance, state: number, builder: ByteBuilder): number {
  const { lua } = instance;
  const format = new Format(instance, state);
  // As Redis has it, behind the last argument stands a nil.
  lua.lua_pushnil(state);
  let argument = 2;
  let total = 0;
  builder.clear();
  for (let option = format.next(); option !== ""; option = format.next()) {
    let size = format.size(option);
    const padding = format.padding(total, option, size);
    for (let index = 0; index < padding; index++) builder.byte(0);
    total += padding;
    if (INTEGERS.includes(option)) {
      packInteger(builder, lua.luaL_checknumber(state, argument++), size, format.isLittle);
    } else if (option === "x") {
      builder.byte(0);
    } else if (option === "f" || option === "d") {
      builder.float(lua.luaL_checknumber(state, argument++), option === "f" ? 4 : 8, format.isLittle);
    } else if (option === "c" || option === "s") {
      const pointer = lua.luaL_checklstring(state, argument++, 0);
      const length = instance.stringLength(pointer);
      if (size === 0) size = length;
      if (length < size) instance.failArgument(state, argument, "string too short");
      builder.copy(instance.bytes, pointer, size);
      if (option === "s") {
        builder.byte(0);
        size++;
      }
    } else {
      format.control(option);
    }
    total += size;
  }
  instance.pushBytes(state, builder.bytes, 0, builder.length);
  return 1;
}

function packInteger(builder: ByteBuilder, value: number, size: number, isLittle: boolean): void {
  let rest = Number.isFinite(value) ? BigInt.asUintN(64, BigInt(Math.trunc(value))) : 1n << 63n;
  const bytes: number[] = [];
  for (let index = 0; index < size; index++) {
    bytes.push(Number(rest & 255n));
    rest >>= 8n;
  }
  if (!isLittle) bytes.reverse();
  for (const byte of bytes) builder.byte(byte);
}

function unpackInteger(bytes: Uint8Array, at: number, size: number, isLittle: boolean, isSigned: boolean): number {
  let value = 0n;
  for (let index = 0; index < size; index++) {
    value = BigInt.asUintN(64, (value << 8n) | BigInt(bytes[at + (isLittle ? size - 1 - index : index)]!));
  }
  return Number(isSigned ? BigInt.asIntN(Math.min(size * 8, 64), value) : value);
}

function unpack(instance: LuaInstance, state: number): number {
  const { lua } = instance;
  const format = new Format(instance, state);
  const data = lua.luaL_checklstring(state, 2, 0);
  const length = instance.stringLength(data);
  const first = lua.lua_type(state, 3) <= 0 ? 1 : Math.trunc(lua.luaL_checknumber(state, 3));
  if (first === 0) instance.failArgument(state, 3, "offset must be 1 or greater");
  let at = first > 0 ? first - 1 : Number.MAX_SAFE_INTEGER;
  let count = 0;
  lua.lua_settop(state, 2);
  for (let option = format.next(); option !== ""; option = format.next()) {
    let size = format.size(option);
    at += format.padding(at, option, size);
    const check = (): void => {
      if (size > length || at > length - size) instance.failArgument(state, 2, "data string too short");
    };
    check();
    lua.luaL_checkstack(state, 2, instance.name("too many results"));
    if (INTEGERS.includes(option)) {
      // Capitals are unsigned.
      const isSigned = option >= "a";
      lua.lua_pushnumber(state, unpackInteger(instance.bytes, data + at, size, format.isLittle, isSigned));
      count++;
    } else if (option === "f" || option === "d") {
      const view = new DataView(instance.bytes.buffer, data + at, size);
      lua.lua_pushnumber(
        state,
        option === "f" ? view.getFloat32(0, format.isLittle) : view.getFloat64(0, format.isLittle),
      );
      count++;
    } else if (option === "c") {
      if (size === 0) {
        if (count === 0 || lua.lua_isnumber(state, -1) === 0) {
          instance.fail(state, "format 'c0' needs a previous size");
        }
        size = Math.trunc(lua.lua_tonumber(state, -1));
        lua.lua_settop(state, -2);
        count--;
        if (size < 0) size = Number.POSITIVE_INFINITY;
        check();
      }
      lua.lua_pushlstring(state, data + at, size);
      count++;
    } else if (option === "s") {
      const end = instance.bytes.subarray(data + at, data + length).indexOf(0);
      if (end === -1) instance.fail(state, "unfinished string in data");
      size = end + 1;
      lua.lua_pushlstring(state, data + at, end);
      count++;
    } else if (option !== "x") {
      format.control(option);
    }
    at += size;
  }
  lua.lua_pushnumber(state, at + 1);
  return count + 1;
}

function size(instance: LuaInstance, state: number): number {
  const format = new Format(instance, state);
  let total = 0;
  for (let option = format.next(); option !== ""; option = format.next()) {
    const size = format.size(option);
    total += format.padding(total, option, size);
    if (option === "s") instance.failArgument(state, 1, "option 's' has no fixed size");
    if (option === "c" && size === 0) instance.failArgument(state, 1, "option 'c0' has no fixed size");
    if (!/[A-Za-z0-9]/.test(option)) format.control(option);
    total += size;
  }
  instance.lua.lua_pushnumber(state, total);
  return 1;
}
