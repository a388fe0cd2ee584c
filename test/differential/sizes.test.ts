/**
 * What the generated commands are too small for: long keys and values, every byte, wide commands, long pipelines with
 * errors in them. The same bytes back as from the real server, in RESP2 and in RESP3, and the same data afterwards.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { pairOfPrograms } from "../support/pair-of-servers.ts";
import { type Argument, RawClient } from "../support/raw-client.ts";
import { printable } from "../support/reply.ts";

type Script = readonly (readonly Argument[])[];

/** All 256 bytes, one after the other, `length` in all. */
const everyByte = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, index) => index));
/** Bytes without a pattern, the same ones every time. */
function noise(length: number): Buffer {
  let state = 7;
  return Buffer.from(Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24));
}

const MEGABYTE = everyByte(1 << 20);
const NOISE = noise(300_000);
const LONG_KEY = Buffer.concat([everyByte(70_000), Buffer.from("end")]);
const MANY = 20_000;

const scripts: Readonly<Record<string, Script>> = {
  "values of 1 MB with every byte": [
    ["SET", "large", MEGABYTE],
    ["GET", "large"],
    ["STRLEN", "large"],
    ["GETRANGE", "large", 1_048_000, -1],
    ["APPEND", "large", NOISE],
    ["SETRANGE", "large", 2_000_000, "behind"],
    ["GET", "large"],
    ["COPY", "large", "copy"],
    ["GETSET", "copy", "small"],
    ["OBJECT", "ENCODING", "large"],
    ["RENAME", "large", "renamed"],
    ["GETDEL", "renamed"],
    ["EXISTS", "large", "renamed", "copy"],
  ],
  "dumps of long values, compressible and not": [
    ["SET", "zeros", Buffer.alloc(100_000)],
    ["SET", "noise", NOISE],
    ["SET", "text", "the same words again and again, ".repeat(300)],
    ["DUMP", "zeros"],
    ["DUMP", "noise"],
    ["DUMP", "text"],
  ],
  "keys of 70 kB": [
    ["SET", LONG_KEY, "value"],
    ["SET", LONG_KEY, "1", "XX", "GET"],
    ["INCR", LONG_KEY],
    ["EXPIRE", LONG_KEY, 10_000],
    ["PERSIST", LONG_KEY],
    ["COPY", LONG_KEY, Buffer.concat([LONG_KEY, LONG_KEY])],
    ["RENAME", LONG_KEY, Buffer.concat([Buffer.from("x"), LONG_KEY])],
    ["EXISTS", LONG_KEY],
    ["SCAN", 0, "COUNT", 1000, "MATCH", "x*"],
    ["DEL", Buffer.concat([Buffer.from("x"), LONG_KEY])],
    ["DBSIZE"],
  ],
  "empty keys and values": [
    ["SET", "", ""],
    ["GET", ""],
    ["STRLEN", ""],
    ["APPEND", "", ""],
    ["SETRANGE", "none", 0, ""],
    ["EXISTS", "none"],
    ["SETRANGE", "", 3, "x"],
    ["GETRANGE", "", 0, -1],
    ["MSET", "", "", "a", ""],
    ["MGET", "", "a", "none"],
    ["DUMP", ""],
    ["INCR", "a"],
    ["LCS", "", "a"],
    ["RENAME", "", "b"],
    ["KEYS", "b"],
  ],
  "wide commands": [
    [
      "MSET",
      ...Array.from({ length: MANY }, (_, index) => [`key:${index}`, index % 3 === 0 ? index : `v${index}`]).flat(),
    ],
    ["MGET", ...Array.from({ length: MANY }, (_, index) => `key:${index + 50}`)],
    ["EXISTS", ...Array.from({ length: MANY }, () => "key:7")],
    ["TOUCH", ...Array.from({ length: MANY }, (_, index) => `key:${index * 2}`)],
    ["DBSIZE"],
    ["UNLINK", ...Array.from({ length: MANY - 3 }, (_, index) => `key:${index}`)],
    ["DBSIZE"],
  ],
  "a long pipeline with errors all over it": Array.from({ length: 5000 }, (_, index): readonly Argument[] => {
    const key = `p${index % 40}`;
    const step = index % 11;
    if (step === 0) return ["SET", key, index];
    if (step === 1) return ["NOSUCH", key, index];
    if (step === 2) return ["INCRBY", key, "x"];
    if (step === 3) return ["GET"];
    if (step === 4) return ["APPEND", key, "text"];
    if (step === 5) return ["INCR", key];
    if (step === 6) return ["SET", key, "v", "EX", 0];
    if (step === 7) return ["GET", key];
    if (step === 8) return ["CLIENT", "NOSUCH", index];
    if (step === 9) return ["SELECT", index % 20];
    return ["MGET", key, "none", `p${index % 7}`];
  }),
  "idle times and frequencies that RESTORE sets": [
    ["RESTORE", "idle", 0, Buffer.from("000568656c6c6f0a006372df766534200a", "hex"), "IDLETIME", 5000],
    ["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"],
    ["RESTORE", "often", 0, Buffer.from("000568656c6c6f0a006372df766534200a", "hex"), "FREQ", 77],
    ["OBJECT", "FREQ", "often"],
    ["OBJECT", "IDLETIME", "often"],
    ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
    ["OBJECT", "FREQ", "often"],
  ],
  "commands while memory is short": [
    ["SET", "key", "value"],
    ["CONFIG", "SET", "maxmemory", 1],
    ["SET", "key", "other"],
    ["SET", "new", "1"],
    ["GET", "key"],
    ["APPEND", "key", "x"],
    ["INCR", "n"],
    ["GETSET", "key", "x"],
    ["GETEX", "key", "EX", 1000],
    ["COPY", "key", "copy"],
    ["RENAME", "key", "renamed"],
    ["EXPIRE", "renamed", 100],
    ["PERSIST", "renamed"],
    ["MOVE", "renamed", 1],
    ["SELECT", 1],
    ["MSET", "a", "1", "b", "2"],
    ["SET"],
    ["SORT", "a", "STORE", "b"],
    ["SORT_RO", "a"],
    ["RESTORE", "r", 0, "x"],
    ["GETDEL", "renamed"],
    ["DEL", "renamed"],
    ["PING"],
    ["CONFIG", "SET", "maxmemory", 0],
    ["SET", "new", "1"],
    ["SELECT", 0],
  ],
};

describe("long and wide commands give the same bytes as with the real server", () => {
  const pair = pairOfPrograms();

  async function run(server: ChildServer, protocol: number, script: Script): Promise<(Buffer | undefined)[]> {
    const client = await RawClient.connect(server.port);
    await client.ask("FLUSHALL");
    await client.call("HELLO", protocol);
    const replies = await client.pipeline(script);
    const digest = await client.call("DEBUG", "DIGEST");
    client.close();
    return [...replies, digest];
  }

  const show = (bytes: Buffer | undefined): string => (bytes === undefined ? "(nothing)" : printable(bytes, 200));

  for (const [name, script] of Object.entries(scripts)) {
    for (const protocol of [2, 3]) {
      test(`${name}, RESP${protocol}`, async () => {
        const [expected, actual] = await Promise.all([
          run(pair.redis, protocol, script),
          run(pair.subject, protocol, script),
        ]);
        assert.ok(expected.every((reply) => reply !== undefined));
        for (const [index, reply] of expected.entries()) {
          const words = (script[index] ?? ["DEBUG", "DIGEST"]).map((word) => String(word).slice(0, 30)).slice(0, 6);
          const isEqual = actual[index] !== undefined && reply!.equals(actual[index]);
          assert.ok(isEqual, `${words.join(" ")}: expected ${show(reply)}, got ${show(actual[index])}`);
        }
      });
    }
  }
});
