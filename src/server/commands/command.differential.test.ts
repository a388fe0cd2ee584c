/** COMMAND INFO and COMMAND DOCS beside the real redis-server: every command of ours that it has is described alike. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pairOfServers } from "../../../test/support/pair-of-servers.ts";
import type { RawClient } from "../../../test/support/raw-client.ts";

type Plain = string | number | null | Plain[];

/** What 7.2 says otherwise than the 7.0 that we compare with: fields of COMMAND INFO by command. */
const INFO_IN_72: Readonly<Record<string, Readonly<Record<string, Plain>>>> = {
  // Scripts may call them: nobody waits there.
  ...Object.fromEntries(["blpop", "brpop"].map((name) => [name, { flags: ["write", "blocking"] }])),
  ...Object.fromEntries(["blmove", "brpoplpush"].map((name) => [name, { flags: ["write", "denyoom", "blocking"] }])),
  ...Object.fromEntries(
    ["acl|deluser", "acl|load", "acl|save", "acl|setuser"].map((name) => [
      name,
      { tips: ["request_policy:all_nodes", "response_policy:all_succeeded"] },
    ]),
  ),
  "command|getkeys": { arity: -3 },
  "command|getkeysandflags": { arity: -3 },
  "config|resetstat": { tips: ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  "config|rewrite": { tips: ["request_policy:all_nodes", "response_policy:all_succeeded"] },
  randomkey: { tips: ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"] },
  zrank: { arity: -3 },
  zrevrank: { arity: -3 },
  scan: { tips: ["nondeterministic_output", "request_policy:special", "response_policy:special"] },
};
/** Commands that 7.0 does not have. */
const NEW_IN_72 = ["client|no-touch", "client|setinfo", "waitaof"];
/** Commands whose arguments 7.2 describes otherwise. */
const ARGUMENTS_IN_72 = [
  "bitop",
  "client|kill",
  "client|list",
  "command|getkeys",
  "command|getkeysandflags",
  "config|get",
  "geoadd",
  "pfmerge",
  "psubscribe",
  "zadd",
  "zrank",
  "zrevrank",
];
/** Names of arguments that 7.2 changed: pair.ours, and what 7.0 has. */
const RENAMED_IN_72: Readonly<Record<string, string>> = {
  "by-pattern": "pattern",
  category: "categoryname",
  "get-pattern": "pattern",
  lastid: "id",
  "max-deleted-id": "max-deleted-entry-id",
  "min-match-len": "len",
};
/** Since 7.2 these are deprecated. */
const DEPRECATED_IN_72 = ["psetex", "quit", "setex", "setnx"];
/** Since 7.2 these tell of more changes. */
const HISTORY_IN_72 = ["acl|log", "client|list", "xinfo|consumers", "xinfo|stream", "zrank", "zrevrank"];

const pair = pairOfServers("command");

const INFO_FIELDS = ["name", "arity", "flags", "first", "last", "step", "acl", "tips", "keys"];

/** COMMAND's reply by full name, subcommands beside their containers. */
async function infos(client: RawClient): Promise<Map<string, Plain[]>> {
  const byName = new Map<string, Plain[]>();
  const add = (entry: Plain[]): void => {
    byName.set(entry[0] as string, entry);
    for (const subcommand of entry[9] as Plain[][]) add(subcommand);
  };
  for (const entry of (await client.ask("COMMAND")) as Plain[][]) add(entry);
  return byName;
}

/** A flat list of names and values as an object. */
function record(list: Plain): Record<string, Plain> {
  const pairs = list as Plain[];
  return Object.fromEntries(
    Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index] as string, pairs[2 * index + 1]!]),
  );
}

async function docs(client: RawClient): Promise<Map<string, Record<string, Plain>>> {
  const byName = new Map<string, Record<string, Plain>>();
  const add = (list: Plain): void => {
    for (const [name, entry] of Object.entries(record(list))) {
      const fields = record(entry);
      byName.set(name, fields);
      if (fields.subcommands !== undefined) add(fields.subcommands);
    }
  };
  add((await client.ask("COMMAND", "DOCS")) as Plain);
  return byName;
}

/** Arguments without what 7.0 cannot have or what 7.2 renamed: versions, texts to show, names of groups. */
function normalized(list: Plain | undefined): unknown {
  return ((list ?? []) as Plain[]).map((each) => {
    const { since, display_text, deprecated_since, ...fields } = record(each);
    void [since, display_text, deprecated_since];
    const isGroup = fields.type === "oneof" || fields.type === "block";
    const name = String(fields.name).replaceAll("_", "-");
    return {
      ...fields,
      name: isGroup ? "" : (RENAMED_IN_72[name] ?? name),
      arguments: normalized(fields.arguments),
    };
  });
}

test("COMMAND describes every command as the real server does, but for what 7.2 changed", async () => {
  const real = await infos(pair.theirs);
  const own = await infos(pair.ours);
  const unknown = [...own.keys()].filter((name) => !real.has(name));
  assert.deepEqual(unknown.sort(), [...NEW_IN_72].sort());
  let compared = 0;
  for (const [name, entry] of own) {
    const expected = real.get(name);
    if (expected === undefined) continue;
    INFO_FIELDS.forEach((field, index) => {
      const changed = INFO_IN_72[name]?.[field];
      assert.deepEqual(entry[index], changed ?? expected[index], `${name}: ${field}`);
    });
    compared++;
  }
  assert.ok(compared >= 100, `only ${compared} commands were compared`);
});

test("COMMAND DOCS has the structure of the real server's", async () => {
  const real = await docs(pair.theirs);
  const own = await docs(pair.ours);
  let compared = 0;
  for (const [name, fields] of own) {
    const expected = real.get(name);
    if (expected === undefined) continue;
    compared++;
    for (const field of ["since", "group"]) assert.equal(fields[field], expected[field], `${name}: ${field}`);
    if (!DEPRECATED_IN_72.includes(name)) {
      for (const field of ["doc_flags", "deprecated_since", "replaced_by"]) {
        assert.deepEqual(fields[field], expected[field], `${name}: ${field}`);
      }
    }
    const versions = (history: Plain | undefined): unknown =>
      ((history ?? []) as Plain[][]).map(([version]) => version);
    if (!HISTORY_IN_72.includes(name)) {
      assert.deepEqual(versions(fields.history), versions(expected.history), `${name}: history`);
    }
    if (ARGUMENTS_IN_72.includes(name)) continue;
    assert.deepEqual(normalized(fields.arguments), normalized(expected.arguments), `${name}: arguments`);
  }
  assert.ok(compared >= 100, `only ${compared} commands were compared`);
});

test("every argument that is no group has the text that syntaxes show", async () => {
  const check = (list: Plain, name: string): void => {
    for (const each of list as Plain[]) {
      const fields = record(each);
      const isGroup = fields.type === "oneof" || fields.type === "block";
      assert.equal(fields.display_text !== undefined, !isGroup, `${name}: ${fields.name}`);
      if (isGroup) check(fields.arguments!, name);
    }
  };
  for (const [name, fields] of await docs(pair.ours)) if (fields.arguments !== undefined) check(fields.arguments, name);
});

test("the types of the replies are the real server's in both protocols", async () => {
  for (const protocol of [2, 3]) {
    await pair.theirs.call("HELLO", protocol);
    await pair.ours.call("HELLO", protocol);
    for (const words of [
      "COMMAND INFO get nosuch sort memory|usage get|x",
      "COMMAND LIST FILTERBY MODULE none",
      "COMMAND LIST FILTERBY ACLCAT nosuch",
      "COMMAND LIST FILTERBY PATTERN nosuch*",
      "COMMAND LIST FILTERBY COLOUR red",
      "COMMAND LIST FILTERBY",
      "COMMAND DOCS nosuch",
      "COMMAND NOSUCH",
      "COMMAND COUNT 1",
      "COMMAND HELP",
      "COMMAND GETKEYS MSET a 1 b 2",
      "COMMAND GETKEYS GET a b",
      "COMMAND GETKEYS SORT a STORE b",
      "COMMAND GETKEYS SORT a BY STORE GET STORE LIMIT STORE STORE STORE b",
      "COMMAND GETKEYS OBJECT ENCODING k",
      "COMMAND GETKEYS CONFIG GET a",
      "COMMAND GETKEYS CONFIG NOSUCH a",
      "COMMAND GETKEYS LCS a b LEN",
      "COMMAND GETKEYS COPY a b REPLACE",
      "COMMAND GETKEYSANDFLAGS SET a b GET",
      "COMMAND GETKEYSANDFLAGS SET a b NX",
      "COMMAND GETKEYSANDFLAGS SORT a BY NOSORT GET x STORE b",
      "COMMAND GETKEYSANDFLAGS DEL a b c",
    ]) {
      const args = words.split(" ");
      const expected = await pair.theirs.call(...args);
      assert.equal((await pair.ours.call(...args))?.toString("latin1"), expected?.toString("latin1"), words);
    }
  }
  await pair.theirs.call("HELLO", 2);
  await pair.ours.call("HELLO", 2);
});

test("COMMAND LIST with a category lists the commands and subcommands that have it", async () => {
  const listed = async (client: RawClient): Promise<string[]> =>
    ((await client.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", "dangerous")) as string[]).sort();
  const own = await listed(pair.ours);
  const all = new Set(((await pair.ours.ask("COMMAND", "LIST")) as string[]) ?? []);
  const expected = (await listed(pair.theirs)).filter((name) => all.has(name));
  assert.deepEqual(own, expected);
});
