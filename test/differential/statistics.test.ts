/**
 * What the servers count: after the same commands, INFO gives the same calls, failures, refusals, errors, hits and misses.
 *
 *  I1  Only counts are compared; times are a server's own.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { pairOfPrograms } from "../support/pair-of-servers.ts";
import { encodeCommand, RawClient } from "../support/raw-client.ts";
import { parseReply } from "../support/reply.ts";
import { freshSeed } from "../support/seed.ts";
import { keys } from "./families/keys.ts";
import { strings } from "./families/strings.ts";
import type { Family } from "./grammar.ts";
import { drawSequence } from "./runner.ts";

const SEQUENCE_COUNT = 300;
/** Lines of INFO that count what commands did. */
const COUNTED =
  /^(cmdstat_|errorstat_|total_error_replies|keyspace_hits|keyspace_misses|total_commands_processed|expired_keys|evicted_keys)/;

/** Every count of INFO by its line's name, and for a command's line its calls, refusals and failures. */
function countsOf(info: string): Record<string, string> {
  const counts: Record<string, string> = {};
  for (const line of info.split("\r\n").filter((each) => COUNTED.test(each))) {
    const [name, value] = line.split(":") as [string, string];
    counts[name] = value.replace(/,?usec(_per_call)?=[0-9.]+/g, "");
  }
  return counts;
}

describe("the servers count the same", () => {
  const pair = pairOfPrograms();

  async function count(server: ChildServer, requests: readonly (readonly Buffer[])[]): Promise<Record<string, string>> {
    const client = await RawClient.connect(server.port);
    await client.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    await client.ask("FLUSHALL");
    await client.ask("CONFIG", "RESETSTAT");
    client.write(Buffer.concat(requests.map((args) => encodeCommand(args))));
    for (let index = 0; index < requests.length; index++) await client.nextReply();
    const info = parseReply((await client.call("INFO", "everything"))!).text!;
    client.close();
    return countsOf(info);
  }

  for (const family of [strings, keys] satisfies Family[]) {
    test(`after ${SEQUENCE_COUNT} sequences of ${family.name}`, async (context) => {
      const seed = freshSeed();
      context.diagnostic(`seed ${seed}`);
      const forms = family.forms.filter((form) => form.needs === undefined);
      const requests = Array.from({ length: SEQUENCE_COUNT }, (_, index) => drawSequence(forms, seed, index))
        .flatMap((sequence) => sequence.commands.map(({ args }) => args))
        // WAIT takes its time, and its replies come late. SCAN with TYPE counts hits in 7.0, and none in 7.2.
        .filter((args) => !/^WAIT|^SCAN .* TYPE/is.test(args.map((each) => each.toString("latin1")).join(" ")));
      const [expected, actual] = await Promise.all([count(pair.redis, requests), count(pair.subject, requests)]);
      assert.ok(Object.keys(expected).length > 20 && Number(expected.total_error_replies) > 100);
      assert.deepEqual(actual, expected);
    });
  }

  test("after requests that no command gets", async () => {
    const lines = [
      "NOSUCH a b",
      "GET",
      "OBJECT",
      "OBJECT NOSUCH",
      "SET a",
      "CONFIG SET no-such 1",
      "SELECT 99",
      "AUTH x",
    ];
    const requests = lines.map((line) => line.split(" ").map((word) => Buffer.from(word)));
    const [expected, actual] = await Promise.all([count(pair.redis, requests), count(pair.subject, requests)]);
    assert.ok(expected.errorstat_ERR !== undefined && "cmdstat_get" in expected);
    assert.deepEqual(actual, expected);
  });
});
