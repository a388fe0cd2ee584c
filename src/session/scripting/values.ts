/**
 * Values on their way between replies and Lua, as Redis 7.2 converts them.
 *
 *      reply     :1     $3 abc  *2 ...   +OK        -ERR x       $-1    %1 ...       ~1 ...      ,1.5          #t    _
 *      Lua       1      "abc"   {...}    {ok="OK"}  {err="..."}  false  {map={...}}  {set={...}} {double=1.5}  true  nil
 *
 *  I1  A table is looked at without its metatable.
 *  I2  Lua's whole numbers are doubles: what becomes an integer reply is cut towards zero.
 *  Source: "Redis Lua API", conversion rules for RESP2 and RESP3; replies of redis-server 7.0.
 */

import { formatFloat64 } from "../../core/numbers.ts";
import type { ReplyMark, ReplyWriter } from "../../protocol/reply-writer.ts";
import {
  type LuaFunctions,
  type LuaInstance,
  TYPE_BOOLEAN,
  TYPE_NUMBER,
  TYPE_STRING,
  TYPE_TABLE,
} from "./lua-instance.ts";

/** Room on Lua's stack that one level of nesting needs. */
const SLOTS_PER_LEVEL = 8;
const LEVELS_MAX = 2000;
const INT64_MIN = -(2n ** 63n);
const TOO_DEEP = "ERR reached lua stack limit";

export class LuaValues {
  private readonly instance: LuaInstance;
  private readonly lua: LuaFunctions;
  /** Where the reply that is being read stands in the machine's memory. */
  private at: number;

  constructor(instance: LuaInstance) {
    this.instance = instance;
    this.lua = instance.lua;
    this.at = 0;
  }

  // ---- replies become values ---------------------------------------------------------------------------------------

  /**
   * Pushes the reply that was written after `mark`. Returns false when it is an error, whose table is pushed.
   * hot path
   */
  pushReply(state: number, reply: ReplyWriter, mark: ReplyMark): boolean {
    if (reply.parts.length === mark.partCount) {
      return this.pushBytes(state, reply.buffer, mark.position, reply.position - mark.position);
    }
    const bytes = reply.copySince(mark);
    return this.pushBytes(state, bytes, 0, bytes.length);
  }

  private pushBytes(state: number, source: Uint8Array, start: number, length: number): boolean {
    const instance = this.instance;
    const pointer = instance.scratch(length);
    if (pointer === 0) instance.fail(state, "not enough memory");
    const bytes = instance.bytes;
    if (length < 64) for (let index = 0; index < length; index++) bytes[pointer + index] = source[start + index]!;
    else bytes.set(source.subarray(start, start + length), pointer);
    this.at = pointer;
    const isError = bytes[pointer] === 45;
    this.pushNext(state);
    return !isError;
  }

  private pushNext(state: number): void {
    const { lua, instance } = this;
    const bytes = instance.bytes;
    const type = bytes[this.at]!;
    switch (type) {
      case 36: // $
        this.pushBulk(state);
        return;
      case 58: // :
        lua.lua_pushnumber(state, this.number());
        return;
      case 43: // +
        lua.lua_createtable(state, 0, 1);
        this.pushLine(state, 0);
        lua.lua_setfield(state, -2, instance.name("ok"));
        return;
      case 45: // -
        lua.lua_createtable(state, 0, 2);
        this.pushLine(state, 0);
        lua.lua_setfield(state, -2, instance.name("err"));
        lua.lua_pushboolean(state, 1);
        lua.lua_setfield(state, -2, instance.name("ignore_error_stats_update"));
        return;
      case 42: // *
        this.pushArray(state);
        return;
      case 35: // #
        lua.lua_pushboolean(state, bytes[this.at + 1] === 116 ? 1 : 0);
        this.at += 4;
        return;
      case 95: // _
        lua.lua_pushnil(state);
        this.at += 3;
        return;
      case 37: // %
        this.pushPairs(state);
        return;
      case 126: // ~
        this.pushSet(state);
        return;
      case 44: // ,
        this.pushDouble(state);
        return;
      case 61: // =
        this.pushVerbatim(state);
        return;
      case 40: // (
        lua.lua_createtable(state, 0, 1);
        this.pushLine(state, 0);
        lua.lua_setfield(state, -2, instance.name("big_number"));
        return;
      case 62: // > what is pushed is no reply
        this.pushArray(state);
        return;
      default:
        // An attribute stands before what it is about.
        this.skipPairs(state);
        this.pushNext(state);
    }
  }

  /** Reads the number behind the type, and its line end. */
  private number(): number {
    const bytes = this.instance.bytes;
    let at = this.at + 1;
    let value = 0;
    const isNegative = bytes[at] === 45;
    if (isNegative) at++;
    const start = at;
    for (let byte = bytes[at]!; byte !== 13; byte = bytes[++at]!) value = value * 10 + (byte - 48);
    this.at = at + 2;
    // Beyond 2^53 the digits are rounded once, not digit by digit.
    if (at - start > 15) value = Number(this.instance.latin1(start, at - start));
    return isNegative ? -value : value;
  }

  private pushBulk(state: number): void {
    const length = this.number();
    if (length < 0) {
      this.lua.lua_pushboolean(state, 0);
      return;
    }
    this.lua.lua_pushlstring(state, this.at, length);
    this.at += length + 2;
  }

  private lineEnd(): number {
    const bytes = this.instance.bytes;
    let end = this.at + 1;
    while (bytes[end] !== 13) end++;
    return end;
  }

  private pushLine(state: number, skipped: number): void {
    const end = this.lineEnd();
    const start = this.at + 1 + skipped;
    this.lua.lua_pushlstring(state, start, end - start);
    this.at = end + 2;
  }

  private enter(state: number): void {
    if (this.lua.lua_checkstack(state, SLOTS_PER_LEVEL) === 0) this.instance.fail(state, "stack overflow");
  }

  private pushArray(state: number): void {
    const { lua } = this;
    const count = this.number();
    if (count < 0) {
      lua.lua_pushboolean(state, 0);
      return;
    }
    this.enter(state);
    lua.lua_createtable(state, count, 0);
    for (let index = 1; index <= count; index++) {
      this.pushNext(state);
      lua.lua_rawseti(state, -2, index);
    }
  }

  private pushPairs(state: number): void {
    const { lua, instance } = this;
    const count = this.number();
    this.enter(state);
    lua.lua_createtable(state, 0, 1);
    lua.lua_createtable(state, 0, count);
    for (let index = 0; index < count; index++) {
      this.pushNext(state);
      this.pushNext(state);
      lua.lua_rawset(state, -3);
    }
    lua.lua_setfield(state, -2, instance.name("map"));
  }

  private skipPairs(state: number): void {
    const count = this.number();
    this.enter(state);
    const top = this.lua.lua_gettop(state);
    for (let index = 0; index < count * 2; index++) {
      this.pushNext(state);
      this.lua.lua_settop(state, top);
    }
  }

  private pushSet(state: number): void {
    const { lua, instance } = this;
    const count = this.number();
    this.enter(state);
    lua.lua_createtable(state, 0, 1);
    lua.lua_createtable(state, 0, count);
    for (let index = 0; index < count; index++) {
      this.pushNext(state);
      lua.lua_pushboolean(state, 1);
      lua.lua_rawset(state, -3);
    }
    lua.lua_setfield(state, -2, instance.name("set"));
  }

  private pushDouble(state: number): void {
    const { lua, instance } = this;
    const end = this.lineEnd();
    const text = instance.latin1(this.at + 1, end - this.at - 1);
    const value = text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
    this.at = end + 2;
    lua.lua_createtable(state, 0, 1);
    lua.lua_pushnumber(state, value);
    lua.lua_setfield(state, -2, instance.name("double"));
  }

  private pushVerbatim(state: number): void {
    const { lua, instance } = this;
    const length = this.number();
    lua.lua_createtable(state, 0, 1);
    lua.lua_createtable(state, 0, 2);
    lua.lua_pushlstring(state, this.at, 3);
    lua.lua_setfield(state, -2, instance.name("format"));
    lua.lua_pushlstring(state, this.at + 4, length - 4);
    lua.lua_setfield(state, -2, instance.name("string"));
    lua.lua_setfield(state, -2, instance.name("verbatim_string"));
    this.at += length + 2;
  }

  // ---- values become replies ---------------------------------------------------------------------------------------

  /**
   * Writes the value on top of the stack and pops it. `protocol`: what the script chose by setresp. Errors of tables are
   * counted unless a command has replied them.
   */
  writeValue(state: number, reply: ReplyWriter, protocol: 2 | 3, depth = 0): void {
    const { lua, instance } = this;
    const type = lua.lua_type(state, -1);
    if (type === TYPE_STRING) {
      const pointer = lua.lua_tolstring(state, -1, 0);
      reply.bulk(instance.bytes, pointer, instance.stringLength(pointer));
    } else if (type === TYPE_NUMBER) {
      writeInteger(reply, lua.lua_tonumber(state, -1));
    } else if (type === TYPE_BOOLEAN) {
      const value = lua.lua_toboolean(state, -1) !== 0;
      if (protocol === 3) reply.boolean(value);
      else if (value) reply.integer(1);
      else reply.nullBulk();
    } else if (type === TYPE_TABLE) {
      if (depth >= LEVELS_MAX || lua.lua_checkstack(state, SLOTS_PER_LEVEL) === 0) reply.errorText(TOO_DEEP);
      else this.writeTable(state, reply, protocol, depth);
    } else {
      reply.nullBulk();
    }
    lua.lua_settop(state, -2);
  }

  /** Pushes a field of the table on top of the stack; returns its type. */
  private field(state: number, name: string): number {
    const { lua, instance } = this;
    lua.lua_pushlstring(state, instance.name(name), name.length);
    lua.lua_rawget(state, -2);
    return lua.lua_type(state, -1);
  }

  private writeTable(state: number, reply: ReplyWriter, protocol: 2 | 3, depth: number): void {
    const { lua } = this;
    if (this.field(state, "err") === TYPE_STRING) {
      const text = this.instance.text(state, -1) ?? "";
      lua.lua_settop(state, -2);
      const isCounted = this.field(state, "ignore_error_stats_update") > 0;
      lua.lua_settop(state, -2);
      writeError(reply, text, isCounted);
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "ok") === TYPE_STRING) {
      const text = this.instance.text(state, -1) ?? "";
      lua.lua_settop(state, -2);
      reply.simple(text.replace(/[\r\n]/g, " "));
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "double") === TYPE_NUMBER) {
      reply.decimal(formatFloat64(lua.lua_tonumber(state, -1)));
      lua.lua_settop(state, -2);
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "map") === TYPE_TABLE) {
      this.writePairs(state, reply, protocol, depth);
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "set") === TYPE_TABLE) {
      this.writeSet(state, reply, protocol, depth);
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "big_number") === TYPE_STRING) {
      const text = (this.instance.text(state, -1) ?? "").replace(/[\r\n]/g, " ");
      lua.lua_settop(state, -2);
      if (reply.protocol === 3) {
        const line = Buffer.from(`(${text}\r\n`, "latin1");
        reply.raw(line, 0, line.length);
      } else {
        reply.bulkText(text);
      }
      return;
    }
    lua.lua_settop(state, -2);
    if (this.field(state, "verbatim_string") === TYPE_TABLE && this.writeVerbatim(state, reply)) return;
    lua.lua_settop(state, -2);
    this.writeArray(state, reply, protocol, depth);
  }

  /** False when the table lacks what a verbatim string needs. */
  private writeVerbatim(state: number, reply: ReplyWriter): boolean {
    const { lua } = this;
    let isWhole = false;
    if (this.field(state, "format") === TYPE_STRING) {
      const format = (this.instance.text(state, -1) ?? "").slice(0, 3).padEnd(3, " ");
      lua.lua_settop(state, -2);
      if (this.field(state, "string") === TYPE_STRING) {
        const text = this.instance.text(state, -1) ?? "";
        reply.verbatim(text, format as "txt");
        isWhole = true;
      }
    }
    lua.lua_settop(state, -2);
    if (isWhole) lua.lua_settop(state, -2);
    return isWhole;
  }

  private writePairs(state: number, reply: ReplyWriter, protocol: 2 | 3, depth: number): void {
    const { lua } = this;
    const mark = { partCount: 0, position: 0 };
    let count = 0;
    reply.openCount(mark, 1);
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_pushvalue(state, -2);
      this.writeValue(state, reply, protocol, depth + 1);
      this.writeValue(state, reply, protocol, depth + 1);
      count++;
    }
    reply.closeCount(mark, 1, count, true);
    lua.lua_settop(state, -2);
  }

  private writeSet(state: number, reply: ReplyWriter, protocol: 2 | 3, depth: number): void {
    const { lua } = this;
    let count = 0;
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      count++;
      lua.lua_settop(state, -2);
    }
    reply.set(count);
    lua.lua_pushnil(state);
    while (lua.lua_next(state, -2) !== 0) {
      lua.lua_settop(state, -2);
      lua.lua_pushvalue(state, -1);
      this.writeValue(state, reply, protocol, depth + 1);
    }
    lua.lua_settop(state, -2);
  }

  /** Items 1, 2, ... up to the first that is nil. */
  private writeArray(state: number, reply: ReplyWriter, protocol: 2 | 3, depth: number): void {
    const { lua } = this;
    const mark = { partCount: 0, position: 0 };
    const expected = lua.lua_objlen(state, -1);
    reply.openCount(mark, expected);
    let count = 0;
    for (;;) {
      lua.lua_rawgeti(state, -1, count + 1);
      if (lua.lua_type(state, -1) === 0) break;
      this.writeValue(state, reply, protocol, depth + 1);
      count++;
    }
    lua.lua_settop(state, -2);
    reply.closeCount(mark, expected, count, false);
  }
}

/** An error reply; `isCounted`: a command has replied it before, and it was counted then. */
export function writeError(reply: ReplyWriter, text: string, isCounted: boolean): void {
  const { errorCount, lastErrorCode } = reply;
  reply.errorText(text);
  if (!isCounted) return;
  reply.errorCount = errorCount;
  reply.lastErrorCode = lastErrorCode;
}

function writeInteger(reply: ReplyWriter, value: number): void {
  if (value > -9007199254740992 && value < 9007199254740992) reply.integer(Math.trunc(value));
  else if (value >= -(2 ** 63) && value < 2 ** 63) reply.bigInteger(BigInt(value));
  else reply.bigInteger(INT64_MIN);
}
