import assert from "node:assert/strict";
import { test } from "node:test";
import { dataCommands } from "./all.ts";
import type { CommandSpec } from "./command.ts";

test("every entry can be called, is described, and says either read or write when it has keys", () => {
  const check = (name: string, spec: CommandSpec): void => {
    assert.equal(name, name.toUpperCase());
    assert.ok((spec.run === undefined) === (spec.subcommands !== undefined), `${name}: run or subcommands`);
    assert.match(spec.summary, /^[A-Z].*\.$/, name);
    assert.match(spec.since, /^\d+\.\d+\.\d+$/, name);
    assert.notEqual(spec.arity, 0, name);
    if (spec.keys !== undefined) {
      const kinds = spec.flags.filter((flag) => flag === "readonly" || flag === "write");
      assert.equal(kinds.length, 1, name);
    }
    for (const [subname, subcommand] of Object.entries(spec.subcommands ?? {})) check(subname, subcommand);
  };
  const table = dataCommands();
  assert.ok(Object.keys(table).length >= 55);
  for (const [name, spec] of Object.entries(table)) check(name, spec);
});

test("a command that may need memory is refused when there is none: all writes that store a value", () => {
  const table = dataCommands();
  for (const name of ["SET", "APPEND", "SETRANGE", "INCR", "MSET", "COPY", "RESTORE", "GETSET"]) {
    assert.ok(table[name]!.flags.includes("denyoom"), name);
  }
  for (const name of ["DEL", "EXPIRE", "GETEX", "RENAME", "FLUSHALL"]) {
    assert.ok(!table[name]!.flags.includes("denyoom"), name);
  }
});
