import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServerArguments } from "./server-arguments.ts";

const FACTS = { version: "0.1.0", redisVersion: "7.2.4", nodeVersion: "v20.19.0" };

function parse(...words: string[]) {
  return parseServerArguments(words, FACTS);
}

function start(file: string | undefined, readsStandardInput: boolean, directives: string[], asOf?: string) {
  return { action: "start", file, readsStandardInput, asOf, directives };
}

test("no words start a server with Redis's defaults", () => {
  assert.deepEqual(parse(), start(undefined, false, []));
});

test("the first word is the file unless it begins with a dash", () => {
  assert.deepEqual(parse("a.conf"), start("a.conf", false, []));
  assert.deepEqual(parse("a.conf", "--port", "7000"), start("a.conf", false, ["--port", "7000"]));
  assert.deepEqual(parse("--port", "7000"), start(undefined, false, ["--port", "7000"]));
});

test("a single dash at the beginning or at the end asks for standard input", () => {
  assert.deepEqual(parse("-"), start(undefined, true, []));
  assert.deepEqual(parse("a.conf", "-"), start("a.conf", true, []));
  assert.deepEqual(parse("a.conf", "--hz", "5", "-"), start("a.conf", true, ["--hz", "5"]));
  assert.deepEqual(parse("-", "--hz", "5"), start(undefined, true, ["--hz", "5"]));
});

test("--as-of and its moment may stand anywhere, and are no directive", () => {
  const moment = "2026-11-20 10:15:03.250";
  const directives = ["--port", "7000"];
  assert.deepEqual(parse("--as-of", moment, "--port", "7000"), start(undefined, false, directives, moment));
  assert.deepEqual(parse("a.conf", "--port", "7000", "--as-of", moment), start("a.conf", false, directives, moment));
});

test("--version and -v print one line in the shape of redis-server's", () => {
  for (const word of ["-v", "--version"]) {
    const result = parse(word);
    assert(result.action === "print");
    assert.equal(result.exitCode, 0);
    assert.match(result.text, /^Everkey server v=0\.1\.0 \(Redis 7\.2\.4 compatible\) .*bits=64/);
  }
});

test("--help shows the usage and examples", () => {
  const result = parse("--help");
  assert(result.action === "print");
  assert.equal(result.exitCode, 0);
  assert.match(result.text, /everkey server everkey\.conf --port 7000/);
});

test("what is not offered is refused with exit code 2 and a way out", () => {
  for (const words of [
    ["--test-memory", "100"],
    ["--check-system"],
    ["a.conf", "--sentinel"],
    ["a.conf", "port"],
    ["-x"],
    [""],
    ["--as-of"],
    ["--as-of", "--port", "7000"],
  ]) {
    const result = parse(...words);
    assert(result.action === "print", words.join(" "));
    assert.equal(result.exitCode, 2);
    assert.match(result.text, /everkey server --help/);
  }
});
