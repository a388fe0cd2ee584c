import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { Config } from "./config.ts";
import { MemoryDisk } from "./memory-disk.test.support.ts";
import { configurationPage } from "./page.ts";
import { type ConfigurationSources, readConfiguration } from "./parser.ts";

function read(files: Readonly<Record<string, string>>, sources: Partial<ConfigurationSources>) {
  const disk = new MemoryDisk();
  for (const [path, text] of Object.entries(files)) disk.put(path, text);
  const config = new Config({ workingDirectory: "/etc" });
  const failure = readConfiguration(config, disk, { version: "0.1.0", ...sources });
  return { config, report: failure?.report };
}

test("a mistake in an included file is reported with that file, its line and a hint", () => {
  const files = { "/etc/a.conf": "hz 20\ninclude sub/b.conf\n", "/etc/sub/b.conf": "\n# x\nmaxmemroy 1gb\n" };
  assert.equal(
    read(files, { file: "a.conf" }).report,
    [
      "",
      "*** FATAL CONFIG FILE ERROR (Everkey 0.1.0) ***",
      "Reading the configuration file, at line 3",
      ">>> 'maxmemroy 1gb'",
      "Bad directive or wrong number of arguments",
      "In /etc/sub/b.conf. Did you mean 'maxmemory'? docs/configuration.md lists every directive.",
    ].join("\n"),
  );
});

test("standard input comes after the file, the command line after both", () => {
  const { config, report } = read(
    { "/etc/a.conf": "hz 20\ntimeout 1\nport 1\n" },
    { file: "/etc/a.conf", standardInput: "timeout 2\nport 2", commandLine: ["--port", "3"] },
  );
  assert.equal(report, undefined);
  assert.deepEqual(config.get(["hz", "timeout", "port"]), [
    ["hz", "20"],
    ["timeout", "2"],
    ["port", "3"],
  ]);
});

test("include patterns read files in alphabetical order, hidden ones only when asked for", () => {
  const files = {
    "/etc/a.conf": "include conf.?/*.conf\n",
    "/etc/conf.d/2.conf": "hz 22\n",
    "/etc/conf.d/1.conf": "hz 11\ntimeout 1\n",
    "/etc/conf.d/.9.conf": "hz 99\n",
    "/etc/conf.d/x.txt": "hz 88\n",
  };
  assert.deepEqual(read(files, { file: "a.conf" }).config.get(["hz", "timeout"]), [
    ["hz", "22"],
    ["timeout", "1"],
  ]);
});

test("a file that includes itself is stopped", () => {
  const { report } = read({ "/etc/a.conf": "include a.conf\n" }, { file: "a.conf" });
  assert.match(report!, /Files include each other too deeply\nIn \/etc\/a\.conf/);
});

test("a missing file is named with the system's reason", () => {
  assert.equal(
    read({}, { file: "none.conf" }).report,
    "Fatal error, can't open config file '/etc/none.conf': No such file or directory",
  );
  assert.match(read({ "/etc/a.conf": "include none.conf" }, { file: "a.conf" }).report!, /none\.conf/);
});

test("text of any language stays as it is, and a mark before the first line is skipped", () => {
  const text = Buffer.from("\ufeffdir /daten/über\n", "utf8").toString("latin1");
  const { config, report } = read(
    { "/etc/a.conf": text },
    { file: "a.conf", commandLine: ["--requirepass", "geheim ß"] },
  );
  assert.equal(report, undefined);
  assert.equal(config.utf8("dir"), "/daten/über");
  assert.equal(config.utf8("requirepass"), "geheim ß");
});

test("--save without a value turns snapshots off", () => {
  assert.equal(read({}, { commandLine: ["--save"] }).config.text("save"), "");
  assert.equal(read({}, { commandLine: ["--save", "--hz", "5"] }).config.text("save"), "");
  assert.equal(read({}, { commandLine: ["--save", "", "--hz", "5"] }).config.text("save"), "");
});

test("the shipped everkey.conf is read without complaint and changes only where the data lies, who may connect, and that nothing is lost", () => {
  const text = readFileSync(join(repositoryRoot(), "everkey.conf"), "latin1");
  const { config, report } = read({ "/etc/everkey.conf": text }, { file: "everkey.conf" });
  assert.equal(report, undefined);
  assert.deepEqual(config.ignored(), []);
  const initial = new Map(new Config({ workingDirectory: "/etc" }).get(["*"]));
  const changed = config.get(["*"]).filter(([name, value]) => initial.get(name) !== value);
  assert.deepEqual(changed.sort(), [
    ["appendonly", "yes"],
    ["bind", "127.0.0.1 -::1"],
    ["dir", "/etc/data"],
    ["history-keep", "1d"],
  ]);
});

test("what everkey.conf shows as comments could be switched on", () => {
  const text = readFileSync(join(repositoryRoot(), "everkey.conf"), "latin1");
  const shown = text
    .split("\n")
    .filter((line) => /^# [a-z-]+ [^ ]+( [^ ]+)?$/.test(line) && /^# [a-z]+(-[a-z]+)* /.test(line));
  const directives = shown.map((line) => line.slice(2)).filter((line) => !line.startsWith("include"));
  assert.ok(directives.length >= 8, directives.join("\n"));
  assert.equal(read({ "/etc/a.conf": directives.join("\n") }, { file: "a.conf" }).report, undefined);
});

test("docs/configuration.md is what the table of directives says", () => {
  assert.equal(readFileSync(join(repositoryRoot(), "docs/configuration.md"), "utf8"), configurationPage());
});
