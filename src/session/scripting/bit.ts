/**
 * The library `bit`: operations on 32-bit numbers.
 *
 *  I1  Arguments are rounded to whole numbers (half to even) and cut to 32 bits; results are signed.
 *  Source: the documentation of Lua BitOp; results of redis-server 7.0.
 */

import type { LuaInstance } from "./lua-instance.ts";
import type { LuaLibrary } from "./machine.ts";

/** Added to a double, it moves the whole part into the lowest bits. */
const TO_BITS = 6755399441055744;

export function bitLibrary(instance: LuaInstance): LuaLibrary {
  const { lua } = instance;
  const double = new Float64Array(1);
  const halves = new Int32Array(double.buffer);
  const bits = (state: number, index: number): number => {
    double[0] = lua.luaL_checknumber(state, index) + TO_BITS;
    return halves[0]!;
  };
  const give = (state: number, value: number): number => {
    lua.lua_pushnumber(state, value | 0);
    return 1;
  };
  const combine = (operation: (left: number, right: number) => number) => (state: number) => {
    let value = bits(state, 1);
    for (let index = lua.lua_gettop(state); index > 1; index--) value = operation(value, bits(state, index));
    return give(state, value);
  };
  const shift = (operation: (value: number, count: number) => number) => (state: number) => {
    const value = bits(state, 1);
    return give(state, operation(value, bits(state, 2) & 31));
  };
  return {
    tobit: (state) => give(state, bits(state, 1)),
    bnot: (state) => give(state, ~bits(state, 1)),
    band: combine((left, right) => left & right),
    bor: combine((left, right) => left | right),
    bxor: combine((left, right) => left ^ right),
    lshift: shift((value, count) => value << count),
    rshift: shift((value, count) => value >>> count),
    arshift: shift((value, count) => value >> count),
    rol: shift((value, count) => (value << count) | (value >>> (32 - count))),
    ror: shift((value, count) => (value >>> count) | (value << (32 - count))),
    bswap: (state) => {
      const value = bits(state, 1);
      return give(state, (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff));
    },
    tohex: (state) => {
      const value = bits(state, 1) >>> 0;
      let count = lua.lua_type(state, 2) < 0 ? 8 : bits(state, 2);
      const isUpper = count < 0;
      count = Math.min(Math.abs(count), 8);
      const text = value
        .toString(16)
        .padStart(8, "0")
        .slice(8 - count);
      instance.pushText(state, isUpper ? text.toUpperCase() : text);
      return 1;
    },
  };
}
