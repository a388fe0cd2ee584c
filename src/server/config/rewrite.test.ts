import assert from "node:assert/strict";
import { test } from "node:test";
import { Config } from "./config.ts";
import { MemoryDisk } from "./memory-disk.test.support.ts";
import { readConfiguration } from "./parser.ts";
import { rewriteConfiguration, rewrittenText } from "./rewrite.ts";
import { splitWords } from "./split-words.ts";

const PATH = "/etc/a.conf";
const OLD = "# mine\nhz 10\nmaxmemory 1gb\nmasterauth old\n";

function started(disk: MemoryDisk, text: string | undefined): Config {
  const config = new Config({ workingDirectory: "/etc" });
  if (text === undefined) return config;
  disk.put(PATH, text);
  assert.equal(readConfiguration(config, disk, { file: PATH, version: "0" })?.report, undefined);
  return config;
}

test("a rewritten file gives the same values at the next start", () => {
  const disk = new MemoryDisk();
  const config = started(disk, OLD);
  config.set([
    ["masterauth", '\x00\xff "quoted" \\ \n'],
    ["save", "5 6"],
    ["client-output-buffer-limit", "pubsub 1 2 3"],
    ["maxmemory-clients", "5%"],
    ["notify-keyspace-events", "KEA"],
    ["latency-tracking-info-percentiles", ""],
    ["bind", "::1 127.0.0.1"],
  ]);
  assert.equal(rewriteConfiguration(config, disk, PATH), undefined);
  const next = started(disk, disk.text(PATH));
  assert.deepEqual(next.get(["*"]), config.get(["*"]));
});

test("a rewrite of everything has a line for every value and gives the same values at the next start", () => {
  const config = new Config({ workingDirectory: "/data" });
  const text = rewrittenText(config, "port 7000\n", undefined, true);
  assert.match(text, /^maxclients 10000$/m);
  assert.ok(text.split("\n").length > 150);
  const again = new Config({ workingDirectory: "/data" });
  for (const line of text.split("\n")) {
    const words = splitWords(line) ?? [];
    if (words.length > 0 && !line.startsWith("#")) assert.equal(again.readLine(words), undefined, line);
  }
  assert.deepEqual(again.get(["*"]), config.get(["*"]));
});

test("rewriting twice changes nothing", () => {
  for (const old of [
    "",
    "\n",
    OLD,
    "hz 20",
    "client-output-buffer-limit pubsub 1 2 3\n",
    "include x*.conf\nhz 5\nhz 6\n\n\n",
  ]) {
    const disk = new MemoryDisk();
    const config = started(disk, old);
    config.set([
      ["timeout", "5"],
      ["client-output-buffer-limit", "slave 1 2 3"],
    ]);
    const once = rewrittenText(config, old);
    assert.equal(rewrittenText(config, once), once, JSON.stringify(old));
  }
});

test("a crash or a failure at any step leaves the old file or the new one, whole", () => {
  const whole = new MemoryDisk();
  const reference = started(whole, OLD);
  reference.set([["hz", "77"]]);
  assert.equal(rewriteConfiguration(reference, whole, PATH), undefined);
  const fresh = whole.textAfterCrash(PATH)!;
  assert.match(fresh, /hz 77/);
  assert.deepEqual(
    whole.steps.map((step) => step.split(" ")[0]),
    ["create", "write", "sync", "rename", "syncDirectory"],
  );
  for (let failsFrom = 0; failsFrom < whole.steps.length; failsFrom++) {
    const disk = new MemoryDisk();
    const config = started(disk, OLD);
    config.set([["hz", "77"]]);
    disk.failsFrom = failsFrom;
    assert.match(rewriteConfiguration(config, disk, PATH) ?? "", /Input\/output error/, String(failsFrom));
    assert.equal(disk.textAfterCrash(PATH), OLD, String(failsFrom));
    assert.ok([OLD, fresh].includes(disk.text(PATH)!), String(failsFrom));
  }
});

test("a half-written file is removed when the disk fails only once", () => {
  const disk = new MemoryDisk();
  const config = started(disk, OLD);
  disk.failsFrom = 2;
  disk.failsUntil = 3;
  assert.equal(rewriteConfiguration(config, disk, PATH), "Input/output error");
  assert.deepEqual([...disk.names.keys()], [PATH]);
});

test("user lines are replaced when users are given, and untouched otherwise", () => {
  const config = started(new MemoryDisk(), "user bob on\nrename-command GET G\n");
  const old = "user bob on\nrename-command GET G\n";
  assert.match(rewrittenText(config, old), /^user bob on\nrename-command GET G\n/);
  assert.match(
    rewrittenText(config, old, () => ["user ann on"]),
    /^user ann on\nrename-command GET G\n/,
  );
  assert.doesNotMatch(
    rewrittenText(config, old, () => undefined),
    /^user/m,
  );
});
