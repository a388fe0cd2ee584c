/**
 * The library `cjson`: Lua values as JSON and back.
 *
 *      settings   a block of the machine's memory that each of the library's functions holds as an upvalue; `new` makes another
 *
 *  I1  Text is bytes: nothing is checked or changed about what lies above 127.
 *  I2  Nesting is limited by the settings, so that neither Lua's stack nor JavaScript's is exhausted.
 *  Source: the manual of Lua CJSON 2.1; results and texts of redis-server 7.0.
 */

import { ByteBuilder } from "./byte-builder.ts";
import { JsonReader } from "./cjson-reader.ts";
import {
  type LuaCallback,
  type LuaInstance,
  TYPE_BOOLEAN,
  TYPE_LIGHT_USERDATA,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "./lua-instance.ts";
import type { LuaMachine } from "./machine.ts";

/** Where the upvalue of the function that is called stands. */
const FIRST_UPVALUE = -10003;
const INT_MAX = 2147483647;

/** Settings, as 32-bit words of the block. */
const SPARSE_CONVERT = 0;
const SPARSE_RATIO = 1;
const SPARSE_SAFE = 2;
const ENCODE_DEPTH = 3;
const DECODE_DEPTH = 4;
const PRECISION = 5;
const KEEPS_BUFFER = 6;
const ENCODE_INVALID = 7;
const DECODE_INVALID = 8;
const SETTINGS = [0, 2, 10, 1000, 1000, 14, 1, 0, 1];

const ON_OFF = ["off", "on"];
const ON_OFF_NULL = ["off", "on", "null"];
const TYPE_NAMES = ["nil", "boolean", "userdata", "number", "string", "table", "function", "userdata", "thread"];

export function addCjson(machine: LuaMachine): void {
  const { instance } = machine;
  const { lua } = instance;
  const json = new Cjson(instance);
  const names = Object.keys(json.functions);
  const addresses = instance.addCallbacks(Object.values(json.functions));
  json.fill = (state) => {
    const block = lua.lua_newuserdata(state, SETTINGS.length * 4);
    for (const [index, value] of SETTINGS.entries()) instance.words[(block >> 2) + index] = value;
    for (const [index, name] of names.entries()) {
      lua.lua_pushvalue(state, -1);
      lua.lua_pushcclosure(state, addresses[index]!, 1);
      lua.lua_setfield(state, -3, instance.name(name));
    }
    lua.lua_settop(state, -2);
    lua.lua_pushlightuserdata(state, 0);
    lua.lua_setfield(state, -2, instance.name("null"));
    instance.pushText(state, "cjson");
    lua.lua_setfield(state, -2, instance.name("_NAME"));
    instance.pushText(state, "2.1.0");
    lua.lua_setfield(state, -2, instance.name("_VERSION"));
  };
  machine.addLibrary("cjson", {}, json.fill);
}

class Cjson {
  /** Fills the table on top of the stack with the library. */
  fill: (state: number) => void;
  readonly functions: Readonly<Record<string, LuaCallback>>;
  private readonly instance: LuaInstance;
  private readonly builder: ByteBuilder;
  private readonly reader: JsonReader;

  constructor(instance: LuaInstance) {
    this.instance = instance;
    this.builder = new ByteBuilder();
    this.reader = new JsonReader(instance);
    this.fill = () => undefined;
    const { lua } = instance;
    this.functions = {
      encode: (state) => this.encode(state),
      decode: (state) => {
        if (lua.lua_gettop(state) !== 1) instance.failArgument(state, 1, "expected 1 argument");
        return this.reader.decode(state, this.setting(state, DECODE_DEPTH), this.setting(state, DECODE_INVALID) !== 0);
      },
      encode_sparse_array: (state) => {
        this.begin(state, 3);
        this.choice(state, 1, SPARSE_CONVERT, ON_OFF);
        this.integer(state, 2, SPARSE_RATIO, 0, INT_MAX);
        this.integer(state, 3, SPARSE_SAFE, 0, INT_MAX);
        return 3;
      },
      encode_max_depth: (state) => this.only(state, () => this.integer(state, 1, ENCODE_DEPTH, 1, INT_MAX)),
      decode_max_depth: (state) => this.only(state, () => this.integer(state, 1, DECODE_DEPTH, 1, INT_MAX)),
      encode_number_precision: (state) => this.only(state, () => this.integer(state, 1, PRECISION, 1, 14)),
      encode_keep_buffer: (state) => this.only(state, () => this.choice(state, 1, KEEPS_BUFFER, ON_OFF)),
      encode_invalid_numbers: (state) => this.only(state, () => this.choice(state, 1, ENCODE_INVALID, ON_OFF_NULL)),
      decode_invalid_numbers: (state) => this.only(state, () => this.choice(state, 1, DECODE_INVALID, ON_OFF)),
      new: (state) => {
        lua.lua_createtable(state, 0, 16);
        this.fill(state);
        return 1;
      },
    };
  }

  // ---- settings ----------------------------------------------------------------------------------------------------

  private setting(state: number, setting: number): number {
    return this.instance.words[(this.instance.lua.lua_touserdata(state, FIRST_UPVALUE) >> 2) + setting]!;
  }

  private set(state: number, setting: number, value: number): void {
    this.instance.words[(this.instance.lua.lua_touserdata(state, FIRST_UPVALUE) >> 2) + setting] = value;
  }

  private begin(state: number, most: number): void {
    const { lua } = this.instance;
    if (lua.lua_gettop(state) > most) this.instance.failArgument(state, most + 1, "found too many arguments");
    lua.lua_settop(state, most);
  }

  private only(state: number, option: () => void): number {
    this.begin(state, 1);
    option();
    return 1;
  }

  private integer(state: number, index: number, setting: number, from: number, to: number): void {
    const { lua } = this.instance;
    if (lua.lua_type(state, index) !== 0) {
      const value = Math.trunc(lua.luaL_checknumber(state, index));
      if (!(value >= from && value <= to)) {
        this.instance.failArgument(state, index, `expected integer between ${from} and ${to}`);
      }
      this.set(state, setting, value);
    }
    lua.lua_pushnumber(state, this.setting(state, setting));
  }

  private choice(state: number, index: number, setting: number, choices: readonly string[]): void {
    const { lua, text } = { lua: this.instance.lua, text: this.instance };
    const type = lua.lua_type(state, index);
    if (type === TYPE_BOOLEAN) {
      this.set(state, setting, lua.lua_toboolean(state, index));
    } else if (type !== 0) {
      lua.luaL_checklstring(state, index, 0);
      const word = text.text(state, index) ?? "";
      const chosen = choices.indexOf(word);
      if (chosen === -1) text.failArgument(state, index, `invalid option '${word}'`);
      this.set(state, setting, chosen);
    }
    const value = this.setting(state, setting);
    if (value < 2) lua.lua_pushboolean(state, value);
    else text.pushText(state, choices[value]!);
  }

  // ---- encoding ----------------------------------------------------------------------------------------------------

  private encode(state: number): number {
    const { instance, builder } = this;
    if (instance.lua.lua_gettop(state) !== 1) instance.failArgument(state, 1, "expected 1 argument");
    builder.clear();
    this.value(state, 0);
    instance.pushBytes(state, builder.bytes, 0, builder.length);
    return 1;
  }

  /** Appends the value on top of the stack. */
  private value(state: number, depth: number): void {
    const { instance, builder } = this;
    const { lua } = instance;
    const type = lua.lua_type(state, -1);
    if (type === TYPE_STRING) this.string(state, -1);
    else if (type === TYPE_NUMBER) this.number(state, -1);
    else if (type === TYPE_BOOLEAN) builder.text(lua.lua_toboolean(state, -1) !== 0 ? "true" : "false");
    else if (type === TYPE_TABLE) this.table(state, depth + 1);
    else if (type === 0 || (type === TYPE_LIGHT_USERDATA && lua.lua_touserdata(state, -1) === 0)) builder.text("null");
    else this.refuse(state, TYPE_NAMES[type]!, "type not supported");
  }

  private refuse(state: number, type: string, reason: string): never {
    return this.instance.fail(state, `Cannot serialise ${type}: ${reason}`);
  }

  private string(state: number, index: number): void {
    const { instance, builder } = this;
    const pointer = instance.lua.lua_tolstring(state, index, 0);
    const end = pointer + instance.stringLength(pointer);
    const bytes = instance.bytes;
    builder.byte(34);
    for (let at = pointer; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= 32 && byte !== 34 && byte !== 92 && byte !== 47 && byte !== 127) builder.byte(byte);
      else builder.text(escaped(byte));
    }
    builder.byte(34);
  }

  private number(state: number, index: number): void {
    const value = this.instance.lua.lua_tonumber(state, index);
    if (!Number.isFinite(value)) {
      const invalid = this.setting(state, ENCODE_INVALID);
      if (invalid === 0) this.refuse(state, "number", "must not be NaN or Inf");
      this.builder.text(invalid === 2 ? "null" : Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");
      return;
    }
    this.builder.text(formatGeneral(value, this.setting(state, PRECISION)));
  }

  private table(state: number, depth: number): void {
    const { instance } = this;
    const { lua } = instance;
    if (depth > this.setting(state, ENCODE_DEPTH) || lua.lua_checkstack(state, 4) === 0) {
      instance.fail(state, `Cannot serialise, excessive nesting (${depth})`);
    }
    const length = this.arrayLength(state);
    if (length > 0) this.array(state, length, depth);
    else this.object(state, depth);
  }

  /** The greatest key when all keys are whole and positive and not too few, else -1. */
  private arrayLength(state: number): number {
    const { lua } = this.instance;
    let greatest = 0;
    let count = 0;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_settop(state, -2);
      const key = lua.lua_type(state, -1) === TYPE_NUMBER ? lua.lua_tonumber(state, -1) : 0;
      if (key < 1 || Math.floor(key) !== key) {
        lua.lua_settop(state, -2);
        return -1;
      }
      if (key > greatest) greatest = key;
      count++;
    }
    const ratio = this.setting(state, SPARSE_RATIO);
    if (ratio > 0 && greatest > count * ratio && greatest > this.setting(state, SPARSE_SAFE)) {
      if (this.setting(state, SPARSE_CONVERT) === 0) this.refuse(state, "table", "excessively sparse array");
      return -1;
    }
    return greatest;
  }

  private array(state: number, length: number, depth: number): void {
    const { builder } = this;
    const { lua } = this.instance;
    builder.byte(91);
    for (let index = 1; index <= length; index++) {
      if (index > 1) builder.byte(44);
      lua.lua_rawgeti(state, -1, index);
      this.value(state, depth);
      lua.lua_settop(state, -2);
    }
    builder.byte(93);
  }

  private object(state: number, depth: number): void {
    const { builder } = this;
    const { lua } = this.instance;
    builder.byte(123);
    let isFirst = true;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      if (!isFirst) builder.byte(44);
      isFirst = false;
      const type = lua.lua_type(state, -2);
      if (type === TYPE_NUMBER) {
        builder.byte(34);
        this.number(state, -2);
        builder.byte(34);
      } else if (type === TYPE_STRING) {
        this.string(state, -2);
      } else {
        this.refuse(state, TYPE_NAMES[type]!, "table key must be a number or string");
      }
      builder.byte(58);
      this.value(state, depth);
      lua.lua_settop(state, -2);
    }
    builder.byte(125);
  }
}

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  8: "\\b",
  9: "\\t",
  10: "\\n",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  47: "\\/",
  92: "\\\\",
};

function escaped(byte: number): string {
  return SHORT_ESCAPES[byte] ?? `\\u${byte.toString(16).padStart(4, "0")}`;
}

/** `value` as C's "%.*g" prints it. */
export function formatGeneral(value: number, precision: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 10 ** precision) return Object.is(value, -0) ? "-0" : String(value);
  const [mantissa, exponentText] = exponential(value, precision - 1).split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= precision) {
    const sign = exponent < 0 ? "-" : "+";
    return `${withoutZeros(mantissa!)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const digits = mantissa!.replace(/[-.]/g, "");
  const sign = value < 0 ? "-" : "";
  if (exponent < 0) return sign + withoutZeros(`0.${"0".repeat(-exponent - 1)}${digits}`);
  return sign + withoutZeros(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`);
}

/** As toExponential, but what lies in the middle goes to the even digit, as C has it. */
function exponential(value: number, digits: number): string {
  const longer = value.toExponential(digits + 1);
  const rounded = value.toExponential(digits);
  const mark = longer.indexOf("e");
  if (longer[mark - 1] !== "5" || (longer.charCodeAt(mark - 2) & 1) !== 0) return rounded;
  // Exactly in the middle only if nothing follows: a double has no more than 17 + 60 digits that matter here.
  const exact = value.toExponential(Math.min(digits + 80, 100));
  if (/[1-9]/.test(exact.slice(mark, exact.indexOf("e")))) return rounded;
  return longer.slice(0, mark - 1) + longer.slice(mark);
}

function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0*$/, "") : text;
}
