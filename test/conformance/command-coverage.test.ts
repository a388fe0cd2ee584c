/**
 * Every command of the real server is there, except those that come with later issues; and nothing is there that no Redis has.
 *
 *  I1  A command that is added leaves these lists: what is listed as missing must be missing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pairOfServers } from "../support/pair-of-servers.ts";

/** Containers and commands that are missing, by what they need. A container stands for its subcommands. */
const LATER: Readonly<Record<string, readonly string[]>> = {
  replication: ["failover", "psync", "replconf", "replicaof", "slaveof", "sync"],
  cluster: ["asking", "cluster", "migrate", "readonly", "readwrite", "restore-asking"],
};
/** Native code of others is not loaded. */
const NEVER = ["module"];
const NEW_IN_72 = ["client|no-touch", "client|setinfo", "waitaof"];

const pair = pairOfServers("command-coverage");

test("COMMAND LIST has every command of the real server but those that come later", async () => {
  const real = ((await pair.theirs.ask("COMMAND", "LIST")) as string[]).sort();
  const own = new Set((await pair.ours.ask("COMMAND", "LIST")) as string[]);
  const later = [...Object.values(LATER).flat(), ...NEVER];
  const isLater = (name: string): boolean => later.includes(name) || later.includes(name.split("|")[0]!);
  assert.ok(real.length > 300, "the real server lists its commands");
  assert.deepEqual(
    real.filter((name) => !own.has(name) && !isLater(name)),
    [],
    "missing",
  );
  assert.deepEqual(
    later.filter((name) => own.has(name)),
    [],
    "there by now, and still listed as missing",
  );
  assert.deepEqual([...own].filter((name) => !real.includes(name)).sort(), NEW_IN_72, "in no 7.0");
  const known = await Promise.all(
    real.filter((name) => own.has(name)).map((name) => pair.ours.ask("COMMAND", "INFO", name)),
  );
  assert.ok(
    known.every((info) => Array.isArray((info as unknown[])[0])),
    "COMMAND INFO knows what COMMAND LIST lists",
  );
});
