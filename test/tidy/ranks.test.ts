/**
 * The repository keeps its own rules: ranks, one place for input and output, no shared state, head comments, whole tests.
 * Each rule is also tried on a planted violation, so that a rule that sees nothing is found out.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";
import {
  checkForm,
  checkHost,
  checkLock,
  checkModuleState,
  checkPaths,
  checkRanks,
  checkTests,
  LONG_FILES,
  type SourceFile,
} from "./rules.ts";
import { blankSource, importsOf, topLevelOf } from "./source-text.ts";

const root = repositoryRoot();
const LEFT_OUT = new Set(["node_modules", "dist", ".git", "data", "coverage"]);

/** All files of the repository with one of these endings. */
function readFiles(endings: readonly string[]): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (LEFT_OUT.has(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (endings.some((ending) => path.endsWith(ending)))
        files.push({ path, text: readFileSync(join(root, path), "utf8") });
    }
  };
  walk("");
  return files;
}

const sources = readFiles([".ts"]);
const plant = (path: string, text: string): SourceFile[] => [{ path, text: `/** Planted. */\n${text}\n` }];
const NONE: string[] = [];

describe("folders import downwards", () => {
  test("every import of src goes to its own folder or to a lower rank", () => {
    const { complaints, importCount } = checkRanks(sources);
    assert.deepEqual(complaints, NONE);
    const sourceCount = sources.filter(({ path }) => path.startsWith("src/") && !path.endsWith(".test.ts")).length;
    assert.ok(sourceCount > 5, `saw ${sourceCount} files`);
    assert.ok(importCount >= sourceCount / 2, `saw ${importCount} imports in ${sourceCount} files`);
  });

  test("an import upwards, one sideways, one of an unknown folder and a lazy one are found", () => {
    const find = (path: string, text: string): number => checkRanks(plant(path, text)).complaints.length;
    assert.equal(find("src/core/a.ts", 'import { b } from "../store/b.ts";'), 1);
    assert.equal(find("src/store/a.ts", 'export * from "../protocol/b.ts";'), 1);
    assert.equal(find("src/store/keyspace/a.ts", 'import type {\n  B,\n} from "../../protocol/b.ts";'), 1);
    assert.equal(find("src/newcomer/a.ts", ""), 1);
    assert.equal(find("src/core/a.ts", 'const b = await import("../server/b.ts");'), 1);
    assert.equal(find("src/core/a.ts", 'import "../server/b.ts";'), 1);
    assert.equal(find("src/core/a.ts", 'import { b } from "../index.ts";'), 1);
    assert.equal(find("src/core/a.ts", 'import { b } from "./b.js";'), 1);
    assert.equal(find("src/server/a.ts", 'import { b } from "../core/b.ts";\nimport { c } from "./host/c.ts";'), 0);
    assert.equal(find("src/index.ts", 'import { b } from "./server/b.ts";'), 0);
  });
});

describe("only src/server/host touches the world", () => {
  test("no other file of src reads files, sockets, time or chance", () => {
    assert.deepEqual(checkHost(sources), NONE);
  });

  test("a module of input and output and each global are found", () => {
    const violations = [
      'import { readFileSync } from "node:fs";',
      'import net from "net";',
      'import { Worker } from "node:worker_threads";',
      "const a = Date.now();",
      "const a = new Date();",
      "const a = performance.now();",
      "const a = Math.random();",
      "const a = process.hrtime.bigint();",
      "setTimeout(() => {}, 1);",
      "setImmediate(() => {});",
    ];
    for (const text of violations) assert.equal(checkHost(plant("src/core/a.ts", text)).length, 1, text);
    assert.deepEqual(
      checkHost(plant("src/core/a.ts", 'const a = new Date(5); // Date.now()\nconst b = "Math.random()";')),
      NONE,
    );
    assert.deepEqual(checkHost(plant("src/server/host/a.ts", "const a = Date.now();")), NONE);
    assert.deepEqual(checkHost(plant("src/cli/a.ts", 'import { connect } from "node:net";')), NONE);
    assert.equal(checkHost(plant("src/cli/a.ts", "const a = Math.random();")).length, 1);
  });
});

describe("several servers live in one process", () => {
  test("no module of src holds state that changes", () => {
    assert.deepEqual(checkModuleState(sources), NONE);
  });

  test("a variable, an empty container and a static field of a module are found", () => {
    const violations = [
      "let a = 1;",
      "export let a: number;",
      "var a;",
      "const a = new Map();",
      "const a: Map<string, number> = new Map<string, number>();",
      "const a: string[] = [];",
      "const a = {};",
      "class A {\n  static count = 0;\n}",
    ];
    for (const text of violations) assert.equal(checkModuleState(plant("src/core/a.ts", text)).length, 1, text);
    const innocent = [
      "function a() {\n  let b = 1;\n  const c = new Map();\n  return [b, c];\n}",
      "const a = [1, 2];",
      'const a = new Map([["b", 1]]);',
      "class A {\n  static readonly b = 1;\n  static c(): void {}\n}",
    ];
    for (const text of innocent) assert.deepEqual(checkModuleState(plant("src/core/a.ts", text)), NONE, text);
  });
});

describe("files have their form", () => {
  test("each file begins with what it is, is not too long, and needs no code of TypeScript's own", () => {
    assert.deepEqual(checkForm(sources), NONE);
  });

  test("a missing head, an enum, a namespace and a long file are found", () => {
    assert.equal(checkForm([{ path: "src/core/a.ts", text: "const a = 1;\n" }]).length, 1);
    assert.equal(checkForm(plant("src/core/a.ts", "export enum A { B }")).length, 1);
    assert.equal(checkForm(plant("src/core/a.ts", "declare namespace A {}")).length, 1);
    assert.equal(checkForm(plant("src/core/a.ts", "const a = 1;\n".repeat(701))).length, 1);
    assert.deepEqual(checkForm(plant("src/core/a.ts", "// enum A\nconst b = 1;")), NONE);
  });

  test("files that may be longer exist and say why", () => {
    for (const [path, { reason }] of Object.entries(LONG_FILES)) {
      assert.ok(
        sources.some((file) => file.path === path),
        path,
      );
      assert.ok(reason.length > 20, path);
    }
  });
});

describe("nothing is left out and nothing depends on one machine", () => {
  test("no test is left out", () => {
    assert.deepEqual(checkTests(sources), NONE);
  });

  test("a test that is left out is found", () => {
    for (const text of ["test.only();", "describe.skip();", "it.todo();", 'test("a", { skip: true });', "t.skip();"]) {
      assert.equal(checkTests(plant("src/core/a.test.ts", text)).length, 1, text);
    }
    assert.deepEqual(checkTests(plant("src/core/a.test.ts", "// test.only\nlist.skip(1);")), NONE);
  });

  test("no file names a path of one machine", () => {
    const files = readFiles([".ts", ".js", ".json", ".md", ".conf", ".yml", ".sh", "bin/everkey", ".ci/run"]);
    assert.ok(files.length > 20);
    assert.deepEqual(checkPaths(files), NONE);
  });

  test("a path of one machine is found", () => {
    const path = ["", "home", "somebody"].join("/");
    assert.equal(checkPaths(plant("docs/a.md", `see ${path}/notes`)).length, 1);
    assert.deepEqual(checkPaths(plant("docs/a.md", "see src/work/notes and https://example.org/home/page")), NONE);
  });

  test("the lock file names no host", () => {
    assert.deepEqual(checkLock(readFileSync(join(root, "package-lock.json"), "utf8")), NONE);
    assert.equal(checkLock('{"packages":{"a":{"resolved":"https://host.invalid/a.tgz"}}}').length, 1);
  });
});

describe("source text", () => {
  test("comments, strings, templates and regular expressions are blanked, code in templates is not", () => {
    // A planted "${" that the linter would take for a slip.
    const open = "$" + "{";
    const text = `a; // b\nc /* d\ne */ f "g\\"h" 'i' \`j ${open} k({ l: "m" }) } n\` / 2; x = /[/"]o/g; p`;
    const blanked = blankSource(text);
    assert.equal(blanked.length, text.length);
    assert.equal(blanked.replace(/\s+/g, " "), `a; c f " " ' ' \` ${open} k({ l: " " }) } \` / 2; x = / /g; p`);
  });

  test("imports are found with what they name, and not in comments", () => {
    const text = 'import { a } from "./a.ts";\n// import "./b.ts";\nexport type { C } from "./c.ts";\nimport "./d.ts";';
    const names = importsOf(text, blankSource(text)).map(({ specifier }) => specifier);
    assert.deepEqual(names, ["./a.ts", "./c.ts", "./d.ts"]);
  });

  test("the top level is what stands outside of all braces", () => {
    assert.equal(topLevelOf("a { b ( c ) } d").replace(/\s+/g, " "), "a { } d");
  });
});
