/**
 * The table `redis` of scripts, but for what runs commands: constants, replies, checks.
 *
 *  I1  What is wrong with a call is raised as a table { err = "ERR ..." }, as scripts of Redis see it.
 *  Source: "Redis Lua API"; texts of redis-server 7.0.
 */

import { SHA1_BYTES, Sha1 } from "../../core/sha1.ts";
import { type LuaInstance, TYPE_NUMBER, TYPE_STRING } from "./lua-instance.ts";
import type { LuaLibrary } from "./machine.ts";

const WRONG_ARGUMENTS = "wrong number or type of arguments";

/** What the library asks of the script that runs. */
export interface RedisServices {
  /** "7.2.4" */
  readonly version: string;
  call(state: number, isProtected: boolean): number;
  checkCommand(state: number): number;
  log(level: number, text: string): void;
  setProtocol(protocol: 2 | 3): void;
  /** redis.set_repl: REPL_AOF (1) and REPL_REPLICA (2). */
  setRecorded(flags: number): void;
}

/** Pushes { err = text }; `text` has its code. */
export function pushError(instance: LuaInstance, state: number, text: string): void {
  const { lua } = instance;
  lua.lua_createtable(state, 0, 1);
  instance.pushText(state, text);
  lua.lua_setfield(state, -2, instance.name("err"));
}

/** Raises { err = text }. */
export function raise(instance: LuaInstance, state: number, text: string): never {
  pushError(instance, state, text);
  instance.lua.lua_error(state);
  throw Number.POSITIVE_INFINITY;
}

/** Constants and functions that scripts and the loading of functions share. */
export function commonLibrary(instance: LuaInstance, services: RedisServices): LuaLibrary {
  const [major, minor, patch] = services.version.split(".").map(Number);
  return {
    LOG_DEBUG: 0,
    LOG_VERBOSE: 1,
    LOG_NOTICE: 2,
    LOG_WARNING: 3,
    REDIS_VERSION: services.version,
    REDIS_VERSION_NUM: (major! << 16) | (minor! << 8) | patch!,
    log: (state) => writeLog(instance, services, state),
  };
}

/** All of `redis` for scripts. */
export function redisLibrary(instance: LuaInstance, services: RedisServices): LuaLibrary {
  const { lua } = instance;
  const sha1 = new Sha1();
  const sum = new Uint8Array(SHA1_BYTES);
  return {
    ...commonLibrary(instance, services),
    REPL_NONE: 0,
    REPL_AOF: 1,
    REPL_SLAVE: 2,
    REPL_REPLICA: 2,
    REPL_ALL: 3,
    call: (state) => services.call(state, false),
    pcall: (state) => services.call(state, true),
    acl_check_cmd: (state) => services.checkCommand(state),
    error_reply: (state) => {
      const text = onlyString(instance, state);
      if (text === undefined) pushError(instance, state, `ERR ${WRONG_ARGUMENTS}`);
      else pushError(instance, state, withCode(text));
      return 1;
    },
    status_reply: (state) => {
      if (onlyString(instance, state) === undefined) {
        pushError(instance, state, `ERR ${WRONG_ARGUMENTS}`);
        return 1;
      }
      lua.lua_createtable(state, 0, 1);
      lua.lua_pushvalue(state, 1);
      lua.lua_setfield(state, -2, instance.name("ok"));
      return 1;
    },
    sha1hex: (state) => {
      if (lua.lua_gettop(state) !== 1) raise(instance, state, "ERR wrong number of arguments");
      const pointer = lua.lua_tolstring(state, 1, 0);
      const length = pointer === 0 ? 0 : instance.stringLength(pointer);
      sha1.hash(instance.bytes, pointer, length, sum, 0);
      instance.pushText(state, hexadecimal(sum));
      return 1;
    },
    setresp: (state) => {
      if (lua.lua_gettop(state) !== 1) raise(instance, state, "ERR redis.setresp() requires one argument.");
      const protocol = Math.trunc(lua.lua_tonumber(state, 1));
      if (protocol !== 2 && protocol !== 3) raise(instance, state, "ERR RESP version must be 2 or 3.");
      services.setProtocol(protocol);
      return 0;
    },
    set_repl: (state) => {
      if (lua.lua_gettop(state) !== 1) raise(instance, state, "ERR redis.set_repl() requires two arguments.");
      const flags = Math.trunc(lua.lua_tonumber(state, 1));
      if ((flags & ~3) !== 0) {
        raise(instance, state, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
      }
      services.setRecorded(flags);
      return 0;
    },
    replicate_commands: (state) => {
      lua.lua_pushboolean(state, 1);
      return 1;
    },
    breakpoint: (state) => {
      lua.lua_pushboolean(state, 0);
      return 1;
    },
    debug: () => 0,
  };
}

/** The only argument as latin1 text; undefined when there are others or it is no string. */
function onlyString(instance: LuaInstance, state: number): string | undefined {
  const { lua } = instance;
  if (lua.lua_gettop(state) !== 1 || lua.lua_type(state, 1) !== TYPE_STRING) return undefined;
  return instance.text(state, 1);
}

/** An error's text begins with its code: "-CODE text", "CODE text"; a single word is a text without one. */
function withCode(text: string): string {
  const plain = (text.startsWith("-") ? text.slice(1) : text).replace(/[\r\n]+$/, "");
  return plain.includes(" ") ? plain : `ERR ${plain}`;
}

function writeLog(instance: LuaInstance, services: RedisServices, state: number): number {
  const { lua } = instance;
  const count = lua.lua_gettop(state);
  if (count < 2) raise(instance, state, "ERR redis.log() requires two arguments or more.");
  if (lua.lua_type(state, 1) !== TYPE_NUMBER) {
    raise(instance, state, "ERR First argument must be a number (log level).");
  }
  const level = Math.trunc(lua.lua_tonumber(state, 1));
  if (level < 0 || level > 3) raise(instance, state, "ERR Invalid debug level.");
  const words: string[] = [];
  for (let index = 2; index <= count; index++) {
    const text = instance.text(state, index);
    if (text !== undefined) words.push(text);
  }
  services.log(level, words.join(" "));
  return 0;
}

export function hexadecimal(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) text += bytes[index]!.toString(16).padStart(2, "0");
  return text;
}
