/**
 * math.random of scripts: the same numbers after the same seed on every machine.
 *
 *      state (48 bits) ◄── state * 0x5DEECE66D + 11          math.random() = upper 31 bits / 2147483647
 *
 *  I1  The machine starts with a fixed state; a seed holds for all scripts that follow.
 *  Source: the drand48 family of POSIX; numbers of redis-server 7.0.
 */

import type { LuaMachine } from "./machine.ts";

const RANGE = 2147483647;
const MULTIPLIER_LOW = 0xece66d;
const MULTIPLIER_HIGH = 0x5de;
const LOW = 0x1000000;

/** Replaces math.random and math.randomseed. */
export function addRandom(machine: LuaMachine): void {
  const { instance, lua } = machine;
  // The state as two halves of 24 bits.
  let low = 0xcd330e;
  let high = 0x1234ab;
  const seed = (value: number): void => {
    low = ((value & 0xff) << 16) | 0x330e;
    high = (value >>> 8) & 0xffffff;
  };
  const next = (): number => {
    const product = low * MULTIPLIER_LOW + 11;
    const carry = Math.floor(product / LOW);
    high = (((carry + low * MULTIPLIER_HIGH) % LOW) + ((high * MULTIPLIER_LOW) % LOW)) % LOW;
    low = product % LOW;
    return high * 128 + (low >>> 17);
  };
  machine.extendLibrary("math", {
    random: (state) => {
      const fraction = (next() % RANGE) / RANGE;
      const count = lua.lua_gettop(state);
      if (count === 0) {
        lua.lua_pushnumber(state, fraction);
      } else if (count === 1) {
        const upper = Math.trunc(lua.luaL_checknumber(state, 1));
        if (upper < 1) instance.failArgument(state, 1, "interval is empty");
        lua.lua_pushnumber(state, Math.floor(fraction * upper) + 1);
      } else if (count === 2) {
        const lower = Math.trunc(lua.luaL_checknumber(state, 1));
        const upper = Math.trunc(lua.luaL_checknumber(state, 2));
        if (lower > upper) instance.failArgument(state, 2, "interval is empty");
        lua.lua_pushnumber(state, Math.floor(fraction * (upper - lower + 1)) + lower);
      } else {
        instance.fail(state, "wrong number of arguments");
      }
      return 1;
    },
    randomseed: (state) => {
      seed(Math.trunc(lua.luaL_checknumber(state, 1)) | 0);
      return 0;
    },
  });
}
