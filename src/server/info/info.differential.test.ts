/** INFO beside the real redis-server: same sections, same fields, same order; values where they must be equal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pairOfServers } from "../../../test/support/pair-of-servers.ts";
import type { RawClient } from "../../../test/support/raw-client.ts";

/** How the real server was compiled: does not apply here. */
const NOT_HERE = ["atomicvar_api", "gcc_version"];
/** Fields that came with 7.2. */
const NEW_IN_72 = [
  "listener0",
  "total_blocking_keys",
  "total_blocking_keys_on_nokey",
  "eventloop_cycles",
  "eventloop_duration_sum",
  "eventloop_duration_cmd_sum",
  "instantaneous_eventloop_cycles_per_sec",
  "instantaneous_eventloop_duration_usec",
  "acl_access_denied_auth",
  "acl_access_denied_cmd",
  "acl_access_denied_key",
  "acl_access_denied_channel",
];

const pair = pairOfServers("info");
const { both } = pair;

async function info(client: RawClient, ...sections: string[]): Promise<string> {
  return (await client.ask("INFO", ...sections)) as string;
}

/** Fields by section, in order. */
function parsed(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let fields = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    if (line.startsWith("# ")) {
      fields = new Map();
      sections.set(line.slice(2), fields);
    } else if (line !== "") {
      const colon = line.indexOf(":");
      assert.ok(colon > 0, `"${line}" is no field`);
      fields.set(line.slice(0, colon), line.slice(colon + 1));
    }
  }
  return sections;
}

test("INFO has the sections and fields of the real server, in its order", async () => {
  await both("SET", "a", "1");
  await both("SETEX", "b", "100", "2");
  const real = parsed(await info(pair.theirs));
  const own = parsed(await info(pair.ours));
  assert.deepEqual([...own.keys()], [...real.keys(), "Everkey"]);
  for (const [title, fields] of real) {
    const expected = [...fields.keys()].filter((name) => !NOT_HERE.includes(name));
    const found = [...own.get(title)!.keys()].filter((name) => !NEW_IN_72.includes(name));
    assert.deepEqual(found, expected, title);
  }
});

test("INFO everything, all, and named sections give the same sections as the real server", async () => {
  for (const names of [
    ["everything"],
    ["all"],
    ["commandstats", "server"],
    ["DEFAULT", "commandstats"],
    ["keyspace", "keyspace"],
    ["nosuch"],
    ["nosuch", "cpu"],
    ["modules"],
    ["latencystats", "default"],
  ]) {
    const titles = [...parsed(await info(pair.ours, ...names)).keys()].filter((title) => title !== "Everkey");
    assert.deepEqual(titles, [...parsed(await info(pair.theirs, ...names)).keys()], names.join(" "));
  }
});

test("INFO is a text of the same form in RESP3", async () => {
  await Promise.all([pair.theirs.call("HELLO", "3"), pair.ours.call("HELLO", "3")]);
  for (const section of ["cluster", "nosuch", "modules"]) {
    const expected = await pair.theirs.call("INFO", section);
    assert.equal((await pair.ours.call("INFO", section))?.toString("latin1"), expected?.toString("latin1"));
  }
  await Promise.all([pair.theirs.call("HELLO", "2"), pair.ours.call("HELLO", "2")]);
});

test("counters of the same commands have the same values", async () => {
  await both("FLUSHALL");
  await both("CONFIG", "RESETSTAT");
  for (const words of [
    "SET a 1",
    "SET b 2 PX 100000",
    "GET a",
    "GET none",
    "INCR",
    "LPUSHX",
    "NOSUCH x",
    "GET",
    "DEL a none",
  ]) {
    await both(...words.split(" "));
  }
  const real = parsed(await info(pair.theirs, "everything"));
  const own = parsed(await info(pair.ours, "everything"));
  for (const [section, name] of [
    ["Stats", "keyspace_hits"],
    ["Stats", "keyspace_misses"],
    ["Stats", "total_error_replies"],
    ["Stats", "expired_keys"],
    ["Errorstats", "errorstat_ERR"],
    ["Keyspace", "db0"],
    ["Replication", "role"],
    ["Persistence", "rdb_bgsave_in_progress"],
    ["Persistence", "aof_enabled"],
    ["Memory", "maxmemory_policy"],
    ["Clients", "connected_clients"],
  ] as const) {
    const expected = real.get(section)!.get(name)!;
    // A time to live is measured, and not at the same moments.
    const shown = (text: string | undefined): string | undefined => text?.replace(/avg_ttl=\d+/, "avg_ttl=?");
    assert.equal(shown(own.get(section)!.get(name)), shown(expected), `${section}: ${name}`);
  }
  const calls = (text: string | undefined): string | undefined => text?.replace(/,usec.*?,rejected/, ",rejected");
  for (const name of ["cmdstat_set", "cmdstat_get", "cmdstat_del", "cmdstat_incr"]) {
    assert.equal(calls(own.get("Commandstats")!.get(name)), calls(real.get("Commandstats")!.get(name)), name);
  }
});
