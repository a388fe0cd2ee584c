/**
 * Servers with a password: what a stranger may do, how one signs in, and what signing out takes away. The same replies as
 * from the real server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { type Argument, RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printable } from "../support/reply.ts";
import { findKnownDifference } from "./known-differences.ts";

const PASSWORD = "pass word \xff";

type Script = readonly (readonly Argument[])[];

const strangers: Script = [
  ["GET", "a"],
  ["SET", "a"],
  ["NOSUCH", "a"],
  ["PING"],
  ["ECHO", "x"],
  ["CLIENT", "ID"],
  ["CLIENT", "NOSUCH"],
  ["CONFIG", "GET", "requirepass"],
  ["SELECT", "1"],
  ["RESET"],
  ["COMMAND", "COUNT"],
  ["DEBUG", "SLEEP", "0"],
  ["HELLO"],
  ["HELLO", "3"],
  ["HELLO", "9"],
  ["HELLO", "3", "SETNAME", "a b"],
  ["HELLO", "3", "BAD"],
  ["INFO"],
];

const scripts: Readonly<Record<string, Script>> = {
  "strangers are refused, and told about their own mistakes first": strangers,
  "a wrong password changes nothing": [
    ["AUTH", "wrong"],
    ["AUTH", ""],
    ["AUTH"],
    ["AUTH", "a", "b", "c"],
    ["AUTH", "default", "wrong"],
    ["AUTH", "nobody", PASSWORD],
    ["AUTH", "", PASSWORD],
    ["AUTH", "DEFAULT", PASSWORD],
    ["HELLO", "3", "AUTH", "default", "wrong"],
    ["GET", "a"],
  ],
  "the password opens, a later mistake does not close": [
    ["AUTH", PASSWORD],
    ["SET", "a", "1"],
    ["AUTH", "wrong"],
    ["GET", "a"],
    ["AUTH", "default", PASSWORD],
    ["GET", "a"],
    ["AUTH", "default", `${PASSWORD}x`],
    ["GET", "a"],
  ],
  "RESET signs out and goes back to RESP2": [
    ["AUTH", PASSWORD],
    ["SELECT", "3"],
    ["RESET"],
    ["GET", "a"],
    ["AUTH", "default", PASSWORD],
    ["GET", "none"],
    ["RESET"],
    ["PING"],
  ],
  "HELLO signs in and names": [
    ["HELLO", "4", "AUTH", "default", PASSWORD],
    ["GET", "a"],
    ["HELLO", "3", "AUTH", "default", PASSWORD, "SETNAME", "me"],
    ["CLIENT", "GETNAME"],
    ["GET", "none"],
    ["HELLO", "2", "AUTH", "default", "wrong", "SETNAME", "you"],
    ["CLIENT", "GETNAME"],
    ["GET", "none"],
  ],
};

/** Replies that hold ids and versions: only whether they are errors counts. */
const OWN = /^(HELLO|CLIENT ID|COMMAND COUNT|INFO)/;

describe("a server with a password", () => {
  let redis: ChildServer;
  let subject: ChildServer;

  before(async () => {
    // The password is given later: arguments of a process do not carry every byte.
    [redis, subject] = await Promise.all([startRedis(), startSubject()]);
    for (const server of [redis, subject]) {
      const client = await RawClient.connect(server.port);
      assert.equal(await client.ask("SET", "a", "1"), "OK");
      assert.equal(await client.ask("CONFIG", "SET", "requirepass", Buffer.from(PASSWORD, "latin1")), "OK");
      client.close();
    }
  });

  after(async () => {
    await Promise.all([redis?.stop(), subject?.stop()]);
  });

  async function run(server: ChildServer, requests: readonly (readonly Buffer[])[]): Promise<(Buffer | undefined)[]> {
    const client = await RawClient.connect(server.port);
    const replies = await client.pipeline(requests);
    client.close();
    return replies;
  }

  for (const [name, script] of Object.entries(scripts)) {
    test(name, async () => {
      const requests = script.map((args) => args.map((word) => Buffer.from(String(word), "latin1")));
      const [expected, actual] = await Promise.all([run(redis, requests), run(subject, requests)]);
      for (const [index, args] of requests.entries()) {
        const words = args.map((word) => word.toString("latin1")).join(" ");
        const left = expected[index];
        const right = actual[index];
        if (left !== undefined && left[0] !== 0x2d && left[0] === right?.[0] && OWN.test(words)) continue;
        if (findKnownDifference(args, left, right) !== undefined) continue;
        assert.equal(right && printable(right), left && printable(left), words);
      }
    });
  }
});
