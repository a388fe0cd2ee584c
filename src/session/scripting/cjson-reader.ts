/**
 * JSON read into values of Lua.
 *
 *      text ── token by token ──► table, string, number, boolean; null is a light userdata, so that a table can hold it
 *
 *  I1  A zero byte within a string ends it, as does the end of the text; behind the text there is always a zero byte.
 *  I2  The text is read in the machine's memory, which moves when values are made: it is looked up anew each time.
 *  Source: RFC 8259; the manual of Lua CJSON 2.1; texts of redis-server 7.0.
 */

import { ByteBuilder } from "./byte-builder.ts";
import type { LuaInstance } from "./lua-instance.ts";

const SINGLE: Readonly<Record<string, string>> = {
  "{": "T_OBJ_BEGIN",
  "}": "T_OBJ_END",
  "[": "T_ARR_BEGIN",
  "]": "T_ARR_END",
  ":": "T_COLON",
  ",": "T_COMMA",
};

const ESCAPES: Readonly<Record<string, number>> = {
  '"': 34,
  "\\": 92,
  "/": 47,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
};

/** How far a number may reach: more is looked at piece by piece. */
const NUMBER_BYTES_MAX = 1024;
const NUMBER = /^[+-]?(?:0x[0-9a-f]*\.?[0-9a-f]*(?:p[+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|infinity|inf|nan)/i;

export class JsonReader {
  private readonly instance: LuaInstance;
  private readonly builder: ByteBuilder;
  private state: number;
  private start: number;
  private length: number;
  private at: number;
  private depthMax: number;
  private takesInvalid: boolean;
  /** The token that was read: its type, where it begins, what it is worth. */
  private type: string;
  private tokenAt: number;
  private number: number;
  private failure: string;

  constructor(instance: LuaInstance) {
    this.instance = instance;
    this.builder = new ByteBuilder();
    this.state = 0;
    this.start = 0;
    this.length = 0;
    this.at = 0;
    this.depthMax = 0;
    this.takesInvalid = true;
    this.type = "";
    this.tokenAt = 0;
    this.number = 0;
    this.failure = "";
  }

  /** Pushes what the string at 1 says. */
  decode(state: number, depthMax: number, takesInvalid: boolean): number {
    const { instance } = this;
    this.state = state;
    this.start = instance.lua.luaL_checklstring(state, 1, 0);
    this.length = instance.stringLength(this.start);
    this.at = 0;
    this.depthMax = depthMax;
    this.takesInvalid = takesInvalid;
    if (this.length >= 2 && (this.peek(0) === 0 || this.peek(1) === 0)) {
      instance.fail(state, "JSON parser does not support UTF-16 or UTF-32");
    }
    this.next();
    this.value(0);
    if (this.next() !== "T_END") this.expect("the end");
    return 1;
  }

  /** The byte at `position`; 0 behind the end. */
  private peek(position: number): number {
    return position < this.length ? this.instance.bytes[this.start + position]! : 0;
  }

  private expect(what: string): never {
    const found = this.type === "T_ERROR" ? this.failure : this.type;
    return this.instance.fail(this.state, `Expected ${what} but found ${found} at character ${this.tokenAt + 1}`);
  }

  private fail(text: string): void {
    this.type = "T_ERROR";
    this.tokenAt = this.at;
    this.failure = text;
  }

  /** What is wrong stands behind a backslash: its place is named. */
  private failEscape(text: string): void {
    this.at--;
    this.fail(text);
  }

  /** Reads the next token; returns its type. */
  private next(): string {
    this.readToken();
    return this.type;
  }

  private readToken(): void {
    let byte = this.peek(this.at);
    while (byte === 32 || byte === 9 || byte === 10 || byte === 13) byte = this.peek(++this.at);
    this.tokenAt = this.at;
    if (byte === 0) {
      if (this.at >= this.length) this.type = "T_END";
      else this.fail("invalid token");
      return;
    }
    const character = String.fromCharCode(byte);
    const single = SINGLE[character];
    if (single !== undefined) {
      this.type = single;
      this.at++;
    } else if (character === '"') this.string();
    else if (character === "-" || (byte >= 48 && byte <= 57)) {
      if (!this.takesInvalid && this.isInvalidNumber()) this.fail("invalid number");
      else this.readNumber();
    } else if (this.isWord("true")) this.word("T_BOOLEAN", 1, 4);
    else if (this.isWord("false")) this.word("T_BOOLEAN", 0, 5);
    else if (this.isWord("null")) this.word("T_NULL", 0, 4);
    else if (this.takesInvalid && this.isInvalidNumber()) this.readNumber();
    else this.fail("invalid token");
  }

  private isWord(word: string): boolean {
    for (let index = 0; index < word.length; index++) {
      if (this.peek(this.at + index) !== word.charCodeAt(index)) return false;
    }
    return true;
  }

  private word(type: string, value: number, length: number): void {
    this.type = type;
    this.number = value;
    this.at += length;
  }

  /** Numbers that JSON does not know: hexadecimal, with leading zeros, infinite, not a number. */
  private isInvalidNumber(): boolean {
    const text = this.ahead(8).toLowerCase();
    return /^(?:\+|-?(?:0x|0\d|inf|nan))/.test(text);
  }

  private ahead(count: number): string {
    const from = this.start + this.at;
    return this.instance.latin1(from, Math.min(count, this.length - this.at));
  }

  private readNumber(): void {
    let count = NUMBER_BYTES_MAX;
    let found = NUMBER.exec(this.ahead(count))?.[0];
    while (found !== undefined && found.length === count && count < this.length) {
      count *= 8;
      found = NUMBER.exec(this.ahead(count))?.[0];
    }
    if (found === undefined) {
      this.fail("invalid number");
      return;
    }
    // "0x" alone is a zero with something behind it.
    if (/^[+-]?0x\.?$/i.test(found)) found = found.slice(0, found.search(/x/i));
    this.type = "T_NUMBER";
    this.number = numberOf(found);
    this.at += found.length;
  }

  /** Reads a string into the builder. */
  private string(): void {
    const { builder } = this;
    builder.clear();
    this.at++;
    for (;;) {
      const byte = this.peek(this.at);
      if (byte === 34) break;
      if (byte === 0) return this.fail("unexpected end of string");
      if (byte !== 92) {
        builder.byte(byte);
        this.at++;
        continue;
      }
      this.at++;
      const letter = String.fromCharCode(this.peek(this.at));
      if (letter === "u") {
        if (!this.unicode()) return this.failEscape("invalid unicode escape code");
        continue;
      }
      const meant = ESCAPES[letter];
      if (meant === undefined) return this.failEscape("invalid escape code");
      builder.byte(meant);
      this.at++;
    }
    this.at++;
    this.type = "T_STRING";
  }

  /** The four digits at `position`, -1 when they are none. */
  private digits(position: number): number {
    let value = 0;
    for (let index = 0; index < 4; index++) {
      const digit = Number.parseInt(String.fromCharCode(this.peek(position + index)), 16);
      if (Number.isNaN(digit)) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  /** Reads what follows a backslash, from the "u" on. */
  private unicode(): boolean {
    let code = this.digits(this.at + 1);
    if (code < 0) return false;
    let length = 5;
    if ((code & 0xf800) === 0xd800) {
      // The first half of a pair; the second one must follow.
      if ((code & 0x400) !== 0) return false;
      if (this.peek(this.at + 5) !== 92 || this.peek(this.at + 6) !== 117) return false;
      const low = this.digits(this.at + 7);
      if (low < 0 || (low & 0xfc00) !== 0xdc00) return false;
      code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
      length = 11;
    }
    for (const byte of Buffer.from(String.fromCodePoint(code), "utf8")) this.builder.byte(byte);
    this.at += length;
    return true;
  }

  private pushString(): void {
    this.instance.pushBytes(this.state, this.builder.bytes, 0, this.builder.length);
  }

  /** Pushes the value that begins with the token that was read. */
  private value(depth: number): void {
    const { state } = this;
    const { lua } = this.instance;
    switch (this.type) {
      case "T_STRING":
        return this.pushString();
      case "T_NUMBER":
        return lua.lua_pushnumber(state, this.number);
      case "T_BOOLEAN":
        return lua.lua_pushboolean(state, this.number);
      case "T_NULL":
        return lua.lua_pushlightuserdata(state, 0);
      case "T_OBJ_BEGIN":
        return this.object(depth + 1);
      case "T_ARR_BEGIN":
        return this.array(depth + 1);
      default:
        return this.expect("value");
    }
  }

  private enter(depth: number): void {
    if (depth > this.depthMax || this.instance.lua.lua_checkstack(this.state, 4) === 0) {
      this.instance.fail(this.state, `Found too many nested data structures (${depth}) at character ${this.at}`);
    }
  }

  private object(depth: number): void {
    const { lua } = this.instance;
    this.enter(depth);
    lua.lua_createtable(this.state, 0, 0);
    if (this.next() === "T_OBJ_END") return;
    for (;;) {
      if (this.type !== "T_STRING") this.expect("object key string");
      this.pushString();
      if (this.next() !== "T_COLON") this.expect("colon");
      this.next();
      this.value(depth);
      lua.lua_rawset(this.state, -3);
      const type = this.next();
      if (type === "T_OBJ_END") return;
      if (type !== "T_COMMA") this.expect("comma or object end");
      this.next();
    }
  }

  private array(depth: number): void {
    const { lua } = this.instance;
    this.enter(depth);
    lua.lua_createtable(this.state, 0, 0);
    if (this.next() === "T_ARR_END") return;
    for (let index = 1; ; index++) {
      this.value(depth);
      lua.lua_rawseti(this.state, -2, index);
      const type = this.next();
      if (type === "T_ARR_END") return;
      if (type !== "T_COMMA") this.expect("comma or array end");
      this.next();
    }
  }
}

function numberOf(text: string): number {
  const lower = text.toLowerCase();
  const sign = lower.startsWith("-") ? -1 : 1;
  const plain = lower.replace(/^[+-]/, "");
  if (plain.startsWith("inf")) return sign * Number.POSITIVE_INFINITY;
  if (plain === "nan") return Number.NaN;
  if (!plain.startsWith("0x")) return sign * Number(plain);
  const [digits, power] = plain.slice(2).split("p");
  const [whole, fraction] = digits!.split(".");
  let value = 0;
  for (const digit of whole!) value = value * 16 + Number.parseInt(digit, 16);
  let unit = 1 / 16;
  for (const digit of fraction ?? "") {
    value += Number.parseInt(digit, 16) * unit;
    unit /= 16;
  }
  return sign * value * 2 ** Number(power ?? 0);
}
