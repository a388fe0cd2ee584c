/**
 * redis-cli and redis-benchmark, as people use them, against a started server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { RawClient } from "../support/raw-client.ts";
import { redisCli, runTool } from "../support/redis.ts";

describe("redis-cli", () => {
  let server: ChildServer;

  before(async () => {
    server = await startSubject();
  });

  after(async () => {
    await server?.stop();
  });

  test("sends a command and prints the reply", async () => {
    assert.equal(await redisCli(server, ["SET", "cli:key", "value"]), "OK");
    assert.equal(await redisCli(server, ["GET", "cli:key"]), "value");
    assert.equal(await redisCli(server, ["--no-raw", "GET", "cli:none"]), "(nil)");
    assert.equal(await redisCli(server, ["--no-raw", "STRLEN", "cli:key"]), "(integer) 5");
    assert.match(await redisCli(server, ["NOSUCH"]), /^ERR unknown command 'NOSUCH'/);
  });

  test("speaks RESP3 and other databases", async () => {
    assert.equal(await redisCli(server, ["-3", "ECHO", "hello"]), "hello");
    assert.equal(await redisCli(server, ["-3", "--json", "CONFIG", "GET", "databases"]), '{"databases":"16"}');
    assert.equal(await redisCli(server, ["-n", "5", "SET", "cli:five", "1"]), "OK");
    assert.equal(await redisCli(server, ["EXISTS", "cli:five"]), "0");
  });

  test("takes commands from its standard input, inline and by --pipe", async () => {
    assert.equal(await redisCli(server, [], 'SET "cli:two words" "a\\x00b"\nSTRLEN "cli:two words"\n'), "OK\n3");
    let mass = "";
    for (let index = 0; index < 3000; index++)
      mass += `*3\r\n$3\r\nSET\r\n$${`cli:mass:${index}`.length}\r\ncli:mass:${index}\r\n$1\r\nx\r\n`;
    assert.match(await redisCli(server, ["--pipe"], mass), /errors: 0, replies: 3000/);
    const mixed = `${mass}SET a\r\nSET cli:inline 1\r\n`;
    const result = await runTool("redis-cli", ["-p", String(server.port), "--pipe"], mixed);
    assert.match(result.stdout + result.stderr, /errors: 1, replies: 3002/);
  });

  test("lists all keys with --scan, and those of a pattern", async () => {
    await redisCli(server, [], Array.from({ length: 500 }, (_, index) => `SET cli:scan:${index} ${index}`).join("\n"));
    const keys = (await redisCli(server, ["--scan", "--pattern", "cli:scan:*"])).split("\n");
    assert.equal(new Set(keys).size, 500);
    const all = (await redisCli(server, ["--scan"])).split("\n");
    assert.equal(new Set(all).size, Number(await redisCli(server, ["DBSIZE"])));
  });

  test("finds the biggest keys with --bigkeys and --memkeys", async () => {
    await redisCli(server, ["SET", "cli:biggest", "x".repeat(50_000)]);
    const bigkeys = await redisCli(server, ["--bigkeys"]);
    assert.match(bigkeys, /Biggest string found '"cli:biggest"' has 50000 bytes/);
    const memkeys = await redisCli(server, ["--memkeys"]);
    assert.match(memkeys, /Biggest string found '"cli:biggest"' has \d+ bytes/);
  });

  test("measures latency and shows INFO", async () => {
    assert.match(await redisCli(server, ["INFO"]), /# Server[\s\S]*# Clients[\s\S]*# Memory[\s\S]*# Keyspace/);
    assert.match(await redisCli(server, ["-r", "3", "PING"]), /^PONG\nPONG\nPONG$/);
  });

  test("carries a value from DUMP to RESTORE with -x and -D", async () => {
    await redisCli(server, ["SET", "cli:source", "\u0001 and \n more"]);
    const dump = await runDump(server.port);
    assert.equal(await redisCli(server, ["-x", "RESTORE", "cli:target", "0"], dump), "OK");
    assert.equal(await redisCli(server, ["GET", "cli:target"]), "\u0001 and \n more");
  });
});

/** DUMP of cli:source as bytes: what comes back must not pass through text. */
async function runDump(port: number): Promise<Buffer> {
  const client = await RawClient.connect(port);
  const reply = await client.call("DUMP", "cli:source");
  client.close();
  assert.ok(reply !== undefined && reply[0] === 0x24);
  return reply.subarray(reply.indexOf("\n") + 1, -2);
}

describe("redis-benchmark", () => {
  let server: ChildServer;

  before(async () => {
    server = await startSubject();
  });

  after(async () => {
    await server?.stop();
  });

  for (const pipelined of [1, 16]) {
    test(`gets an answer to all of its requests, ${pipelined} at a time`, async () => {
      const args = ["-q", "-t", "get,set,incr,mset,ping", "-n", "1000", "-P", String(pipelined), "-r", "100"];
      const result = await runTool("redis-benchmark", ["-p", String(server.port), ...args]);
      const output = result.stdout + result.stderr;
      assert.equal(result.code, 0, output);
      for (const name of ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET"]) {
        assert.match(output, new RegExp(`${name}[^\\r\\n]*: [\\d.]+ requests per second`), name);
      }
      assert.doesNotMatch(output, /error/i);
    });
  }

  test("sends a script of its own commands without an error", async () => {
    const args = ["-q", "-n", "2000", "-c", "20", "-r", "1000", "SET", "bench:__rand_int__", "__data__"];
    const result = await runTool("redis-benchmark", ["-p", String(server.port), ...args]);
    assert.equal(result.code, 0, result.stderr);
    assert.ok(Number(await redisCli(server, ["DBSIZE"])) > 100);
  });
});
