import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Config } from "./config.ts";
import { DIRECTIVES, directiveNames, editDistance, findDirective, nearestDirective } from "./directives.ts";
import { parseValue } from "./values.ts";

function newConfig(): Config {
  return new Config({ workingDirectory: "/data" });
}

test("no name and no alias occurs twice", () => {
  const names = DIRECTIVES.flatMap((entry) => (entry.alias === "" ? [entry.name] : [entry.name, entry.alias]));
  assert.equal(new Set(names).size, names.length);
  assert.equal(directiveNames().length, names.length);
});

test("every default is a value of its own kind, in the form that CONFIG GET gives", () => {
  for (const { name, kind, initial } of DIRECTIVES) {
    if (kind.type === "lines" || kind.type === "directory" || name === "replicaof") continue;
    assert.deepEqual(parseValue(kind, [initial], initial), { value: initial }, name);
  }
});

test("what a value was turned into is taken as it is the next time", () => {
  const words = fc.constantFrom(
    "5mb",
    "7%",
    "no",
    "KEAn",
    "save now",
    "60 1",
    "normal 1kb 2kb 3",
    "50 99.95",
    "127.0.0.1 -::1",
  );
  fc.assert(
    fc.property(fc.constantFrom(...DIRECTIVES), words, ({ kind, initial }, word) => {
      const current = kind.type === "directory" ? "/" : initial;
      const first = parseValue(kind, [word], current);
      if ("complaint" in first) return;
      assert.deepEqual(parseValue(kind, [first.value], first.value), first);
    }),
  );
});

test("typed reads give numbers, booleans, lists and limits", () => {
  const config = newConfig();
  assert.equal(config.integer("maxclients"), 10000);
  assert.equal(config.boolean("protected-mode"), true);
  assert.deepEqual(config.words("bind"), ["*", "-::*"]);
  assert.deepEqual(config.savePoints()[1], { seconds: 300, changes: 100 });
  assert.deepEqual(config.outputLimits().slave, { hardBytes: 268435456, softBytes: 67108864, softSeconds: 60 });
  assert.equal(config.readLine(["maxmemory-clients", "5%"]), undefined);
  assert.equal(config.bytesOf("maxmemory-clients", 2000), 100);
  assert.equal(config.readLine(["unixsocketperm", "750"]), undefined);
  assert.equal(config.octal("unixsocketperm"), 0o750);
  assert.equal(config.text("dir"), "/data");
  assert.equal(config.readLine(["dir", "sub"]), undefined);
  assert.equal(config.utf8("dir"), "/data/sub");
});

test("save lines replace the default and then add up; an empty one clears them", () => {
  const config = newConfig();
  config.readLine(["save", "60", "1"]);
  config.readLine(["save", "70", "2", "80", "3"]);
  assert.equal(config.text("save"), "60 1 70 2 80 3");
  config.readLine(["save", ""]);
  assert.equal(config.text("save"), "");
});

test("lines that may stand several times are kept in order and can be judged", () => {
  const config = new Config({
    workingDirectory: "/",
    checkLine: (_name, words) => (words[0] === "NOPE" ? "No such command in rename-command" : undefined),
  });
  assert.equal(config.readLine(["rename-command", "GET", "G"]), undefined);
  assert.equal(config.readLine(["Rename-Command", "SET", ""]), undefined);
  assert.equal(config.readLine(["rename-command", "NOPE", "x"]), "No such command in rename-command");
  assert.equal(config.readLine(["rename-command", "GET"]), "Bad directive or wrong number of arguments");
  assert.deepEqual(config.lines("rename-command"), [
    ["GET", "G"],
    ["SET", ""],
  ]);
});

test("listeners and followers hear of changes, also by an alias, and of nothing else", () => {
  const config = newConfig();
  const heard: unknown[] = [];
  config.followInteger("replica-priority", (value) => heard.push(value));
  config.followBoolean("rdbcompression", (value) => heard.push(value));
  config.onChange("maxmemory", (value) => heard.push(value));
  config.set([
    ["slave-priority", "7"],
    ["rdbcompression", "no"],
    ["hz", "9"],
  ]);
  config.set([
    ["maxmemory", "1kb"],
    ["replica-priority", "7"],
  ]);
  config.set([
    ["maxmemory", "2kb"],
    ["hz", "x"],
  ]);
  assert.deepEqual(heard, [100, true, 7, false, "1024"]);
});

test("the class of new keys is in force beside A, though CONFIG GET does not show it there", () => {
  const config = newConfig();
  const heard: string[] = [];
  config.followText("notify-keyspace-events", (letters) => void heard.push(letters));
  for (const letters of ["KEAn", "An", "KA", "Kgn"]) config.set([["notify-keyspace-events", letters]]);
  assert.deepEqual(heard, ["", "AnKE", "An", "AK", "gnK"]);
  config.set([["notify-keyspace-events", "mAnK"]]);
  assert.deepEqual(config.get(["notify-keyspace-events"]), [["notify-keyspace-events", "AKm"]]);
  assert.deepEqual(config.get(["notify-key*"]), [["notify-keyspace-events", "AKm"]]);
});

test("a validator refuses before anything is changed", () => {
  const config = newConfig();
  config.validate("timeout", (value) => (value === "13" ? "unlucky" : undefined));
  assert.equal(
    config.set([
      ["hz", "20"],
      ["timeout", "13"],
    ]),
    "ERR CONFIG SET failed (possibly related to argument 'timeout') - unlucky",
  );
  assert.equal(config.text("hz"), "10");
  assert.equal(config.readLine(["timeout", "13"]), "unlucky");
});

test("when an applier fails, those before it are applied back, newest first, and nobody is told", () => {
  const config = newConfig();
  const applied: string[] = [];
  for (const name of ["hz", "timeout"]) {
    config.apply(name, (value, previous) => void applied.push(`${name} ${previous}>${value} ${config.text(name)}`));
    config.onChange(name, () => assert.fail("told although it failed"));
  }
  config.apply("port", () => "Unable to listen on this port. Check server logs.");
  const outcome = config.set([
    ["hz", "20"],
    ["timeout", "5"],
    ["port", "1"],
  ]);
  assert.equal(
    outcome,
    "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
  );
  assert.deepEqual(applied, ["hz 10>20 20", "timeout 0>5 5", "timeout 5>0 0", "hz 20>10 10"]);
  assert.deepEqual(config.get(["hz", "timeout", "port"]), [
    ["hz", "10"],
    ["timeout", "0"],
    ["port", "6379"],
  ]);
});

test("appliers may take their time; sets that come meanwhile wait for their turn", async () => {
  const config = newConfig();
  const decisions: ((complaint: string | undefined) => void)[] = [];
  config.apply("port", () => new Promise<string | undefined>((resolve) => decisions.push(resolve)));
  const first = config.set([
    ["port", "7000"],
    ["hz", "20"],
  ]);
  const second = config.set([["hz", "30"]]);
  assert.ok(first instanceof Promise && second instanceof Promise);
  decisions[0]!("taken");
  assert.equal(await first, "ERR CONFIG SET failed (possibly related to argument 'port') - taken");
  assert.equal(await second, undefined);
  assert.deepEqual(config.get(["port", "hz"]), [
    ["port", "6379"],
    ["hz", "30"],
  ]);
  assert.equal(config.set([["hz", "40"]]), undefined);
});

test("a rejected applier is a complaint, and one that cannot go back is reported with it", async () => {
  const config = newConfig();
  config.apply("bind", (_value, previous) => (previous === "* -::*" ? undefined : "still taken"));
  config.apply("port", () => Promise.reject(new Error("no permission")));
  assert.equal(
    await config.set([
      ["bind", "::1"],
      ["port", "80"],
    ]),
    "ERR CONFIG SET failed (possibly related to argument 'port') - no permission; the old value could not be restored: still taken",
  );
});

test("dir and dbfilename follow enable-protected-configs", () => {
  const refusal = "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config";
  const config = newConfig();
  assert.equal(config.set([["dbfilename", "a.rdb"]], { isLocal: true }), refusal);
  config.readLine(["enable-protected-configs", "local"]);
  assert.equal(config.set([["dbfilename", "a.rdb"]], { isLocal: false }), refusal);
  assert.equal(config.set([["dbfilename", "a.rdb"]], { isLocal: true }), undefined);
  config.readLine(["enable-protected-configs", "yes"]);
  assert.equal(config.set([["dir", "../b"]]), undefined);
  assert.equal(config.text("dir"), "/b");
});

test("while loading, what must not change then is answered with LOADING", () => {
  const config = newConfig();
  const loading = "LOADING Redis is loading the dataset in memory";
  assert.equal(config.set([["appendonly", "yes"]], { isLoading: true }), loading);
  assert.equal(
    config.set(
      [
        ["nosuch", "1"],
        ["repl-diskless-load", "swapdb"],
      ],
      { isLoading: true },
    ),
    loading,
  );
  assert.equal(config.set([["hz", "5"]], { isLoading: true }), undefined);
});

test("what was set without effect is listed with its reason, without secrets", () => {
  const config = newConfig();
  assert.deepEqual(config.ignored(), []);
  config.readLine(["io-threads", "4"]);
  config.readLine(["tls-client-key-file-pass", "secret"]);
  config.readLine(["loadmodule", "/x.so"]);
  config.readLine(["hz", "20"]);
  const ignored = config.ignored();
  assert.deepEqual(ignored.map((entry) => entry.name).sort(), ["io-threads", "loadmodule", "tls-client-key-file-pass"]);
  assert.ok(!JSON.stringify(ignored).includes("secret"));
  assert.ok(ignored.every((entry) => entry.reason !== ""));
});

test("two configurations share nothing", () => {
  const left = newConfig();
  const right = newConfig();
  left.onChange("hz", () => assert.fail("told of the other's change"));
  right.set([["hz", "20"]]);
  right.readLine(["rename-command", "GET", ""]);
  assert.equal(left.text("hz"), "10");
  assert.deepEqual(left.lines("rename-command"), []);
});

test("a misspelled name finds its neighbour, and nonsense finds none", () => {
  assert.equal(nearestDirective("maxmemroy"), "maxmemory");
  assert.equal(nearestDirective("append_only"), "appendonly");
  assert.equal(nearestDirective("max-memory-policy"), "maxmemory-policy");
  assert.equal(nearestDirective("zzzzzz"), undefined);
  assert.equal(findDirective("SLAVE-Priority")?.name, "replica-priority");
  assert.equal(editDistance("ab", "ba", 9), 1);
});
