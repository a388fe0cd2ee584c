import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.ts";
import type { CommandSpec } from "../../commands/command.ts";
import { wholeCommandTable } from "./page.test.support.ts";
import { commandsPage } from "./page.ts";

const SPEC: CommandSpec = {
  arity: 2,
  flags: ["readonly"],
  acl: [],
  since: "1.2.3",
  group: "string",
  complexity: "O(1)",
  summary: "Does it.",
  run: () => undefined,
};

test("docs/commands.md is what the command table says", () => {
  const page = commandsPage(wholeCommandTable());
  assert.equal(readFileSync(join(repositoryRoot(), "docs/commands.md"), "utf8"), page, "run: npm run docs");
});

test("the page knows commands of the data, of the session, of the snapshots and of the server", () => {
  const page = commandsPage(wholeCommandTable());
  for (const name of ["SET", "CLIENT LIST", "BGSAVE", "CONFIG SET", "SHUTDOWN"]) {
    assert.ok(page.includes(`| \`${name}`), name);
  }
});

test("groups and commands are sorted, and a container is the head of its subcommands", () => {
  const page = commandsPage({
    ZED: SPEC,
    BOX: { ...SPEC, run: undefined as never, subcommands: { TWO: SPEC, ONE: SPEC } },
    ADD: { ...SPEC, group: "hash", flags: ["write"] },
  });
  const names = [...page.matchAll(/^(?:## (.*)|\| `(.*?)`)/gm)].map((match) => match[1] ?? match[2]);
  assert.deepEqual(names, ["Hashes", "ADD", "Strings", "BOX ONE", "BOX TWO", "ZED"]);
});

test("alternatives do not end a cell, and what is outdated says what to use", () => {
  const page = commandsPage({
    OLD: { ...SPEC, arguments: "key [A|B]", deprecated: { since: "9.9.9", replacedBy: "`NEW` with `!X`" } },
  });
  assert.ok(
    page.includes(
      "| `OLD key [A\\|B]` | Does it. Outdated since 9.9.9; instead: `NEW` with `X`. | read | O(1) | 1.2.3 |",
    ),
  );
});

test("names of groups and types of arguments are left to COMMAND DOCS", () => {
  const page = commandsPage({ ONE: { ...SPEC, arguments: "[way=<NX|XX>] [by=BY amount(double)] last(unix-time)" } });
  assert.ok(page.includes("| `ONE [<NX\\|XX>] [BY amount] last` |"), page);
});
