import assert from "node:assert/strict";
import { test } from "node:test";
import { dataCommands } from "./all.ts";
import { type Argument, parseArguments } from "./argument-syntax.ts";
import { KEY_READ, KEYS_READ, type KeySpec } from "./command.ts";

/** One argument as short text: `name:type`, with what else it has. */
function short(argument: Argument): string {
  const { name, type, token, keySpecIndex, parts } = argument;
  const marks = [
    token === undefined ? "" : `${token} `,
    `${name}:${type}`,
    keySpecIndex >= 0 ? `@${keySpecIndex}` : "",
    argument.isOptional ? "?" : "",
    argument.isMultiple ? "*" : "",
    argument.repeatsToken ? "+" : "",
    parts.length > 0 ? `(${parts.map(short).join(" ")})` : "",
  ];
  return marks.join("");
}

function read(syntax: string, keys: readonly KeySpec[] = []): string {
  return parseArguments(syntax, keys).map(short).join(" ");
}

test("words are arguments whose type follows from their name", () => {
  assert.equal(
    read("key value seconds unix-time-seconds pattern", KEY_READ),
    "key:key@0 value:string seconds:integer unix-time-seconds:unix-time pattern:pattern",
  );
});

test("a type in brackets goes before the name's", () => {
  assert.equal(read("increment(double)"), "increment:double");
});

test("a capital word alone is a pure token, before one word it is that word's token, before several a block's", () => {
  assert.equal(read("[NX]"), "NX nx:pure-token?");
  assert.equal(read("[EX seconds]"), "EX seconds:integer?");
  assert.equal(read("[LIMIT offset count]"), "LIMIT offset-count:block?(offset:integer count:integer)");
});

test("a bar parts the members of a oneof, which has the name that is given or its members' names", () => {
  assert.equal(read("ON|OFF"), "on-off:oneof(ON on:pure-token OFF off:pure-token)");
  assert.equal(read("[mode=WRITE|ALL]"), "mode:oneof?(WRITE write:pure-token ALL all:pure-token)");
  assert.equal(
    read("attr=LIB-NAME libname|LIB-VER libver"),
    "attr:oneof(LIB-NAME libname:string LIB-VER libver:string)",
  );
});

test("a group in angle brackets takes the token before it", () => {
  assert.equal(
    read("[TYPE <kind=NORMAL|PUBSUB>]"),
    "TYPE kind:oneof?(NORMAL normal:pure-token PUBSUB pubsub:pure-token)",
  );
  assert.equal(read("<a|b> ..."), "a-b:oneof*(a:string b:string)");
});

test("a repetition makes what it repeats multiple", () => {
  assert.equal(read("key [key ...]", KEYS_READ), "key:key@0*");
  assert.equal(read("[section [section ...]]"), "section:string?*");
  assert.equal(read("name value [name value ...]"), "data:block*(name:string value:string)");
  assert.equal(read("[ID client-id [client-id ...]]"), "ID client-id:integer?*");
  assert.equal(read("[GET get-pattern [GET get-pattern ...]]"), "GET get-pattern:pattern?*+");
});

test("a block may stand in brackets and have a name", () => {
  assert.equal(
    read("[arguments=protover [auth=AUTH username password]]"),
    "arguments:block?(protover:integer AUTH auth:block?(username:string password:string))",
  );
});

test("key arguments have the index of the specification that covers them", () => {
  const one = (index: number, lastKey: number): KeySpec => ({
    flags: ["RO"],
    begin: { index },
    find: { lastKey, step: 1, limit: 0 },
  });
  assert.equal(read("source destination", [one(1, 0), one(2, 0)]), "source:key@0 destination:key@1");
  assert.equal(read("key1 key2", [one(1, 1)]), "key1:key@0 key2:key@0");
});

test("a broken syntax is an error that names the place", () => {
  assert.throws(() => read("[key"), /"\]" is missing/);
  assert.throws(() => read("key]"), /"\]" is out of place/);
});

test("the syntax of every data command can be read and covers every key specification", () => {
  let count = 0;
  for (const [name, spec] of Object.entries(dataCommands())) {
    for (const each of [spec, ...Object.values(spec.subcommands ?? {})]) {
      if (each.arguments === undefined) continue;
      const text = read(each.arguments, each.keys ?? []);
      for (let index = 0; index < (each.keys ?? []).length; index++) {
        assert.ok(text.includes(`@${index}`), `${name}: specification ${index} has no argument in ${text}`);
      }
      count++;
    }
  }
  assert.ok(count > 40);
});
