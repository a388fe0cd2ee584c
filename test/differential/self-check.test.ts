/**
 * The runner itself under test: it must find a reply that is wrong by one byte, a state that is wrong without a wrong reply,
 * a command that is not there and a connection that ends, and it must find nothing between two equal servers.
 *
 *      runner ──► real server
 *             └─► proxy ──► another real server          the proxy changes what passes
 */
import assert from "node:assert/strict";
import { connect, createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { type ChildServer, launchServer } from "../support/child-server.ts";
import { startRedis } from "../support/redis.ts";
import { compareIntegers, compareScan, compareUnordered } from "./compare.ts";
import { compareDumps, expandLzf } from "./compare-dumps.ts";
import { strings } from "./families/strings.ts";
import { command, type Family, key, value } from "./grammar.ts";
import { DifferentialRunner, describeFinding, drawSequence, type FamilyResult } from "./runner.ts";

/** Changes what passes: `toServer` the requests, `toClient` the replies. Texts are latin1. */
interface Tampering {
  toServer?: (text: string) => string;
  toClient?: (text: string) => string;
}

/** A proxy to `port` that tampers; resolves to the server that listens. */
function startProxy(port: number, tampering: Tampering): Promise<Server> {
  const change = (chunk: Buffer, how: ((text: string) => string) | undefined): Buffer =>
    how === undefined ? chunk : Buffer.from(how(chunk.toString("latin1")), "latin1");
  const proxy = createServer((client) => {
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    client.on("data", (chunk) => upstream.write(change(chunk, tampering.toServer)));
    upstream.on("data", (chunk) => client.write(change(chunk, tampering.toClient)));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  return new Promise((resolve) => proxy.listen(0, "127.0.0.1", () => resolve(proxy)));
}

describe("the differential runner", () => {
  let redis: ChildServer;
  let other: ChildServer;

  before(async () => {
    [redis, other] = await Promise.all([startRedis(), startRedis()]);
  });

  after(async () => {
    await Promise.all([redis?.stop(), other?.stop()]);
  });

  async function runAgainst(tampering: Tampering): Promise<FamilyResult> {
    const proxy = await startProxy(other.port, tampering);
    const address = proxy.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const runner = new DifferentialRunner(redis, { port });
    try {
      return await runner.runFamily(strings, { seed: 7, sequenceCount: 60, findingMax: 1 });
    } finally {
      runner.close();
      proxy.close();
    }
  }

  test("finds nothing between two servers of the same kind", async () => {
    const result = await runAgainst({});
    assert.deepEqual(result.findings.map(describeFinding), []);
    assert.deepEqual(result.missing, []);
    assert.ok(result.commandCount > 300);
  });

  test("finds one changed letter in an error and shrinks to the command that gives it", async () => {
    const result = await runAgainst({ toClient: (text) => text.replaceAll("ERR syntax error", "ERR syntax Error") });
    const finding = result.findings[0];
    assert.ok(finding?.isRepeatable);
    assert.equal(finding.sequence.commands.length, 1);
    assert.match(describeFinding(finding), /syntax error.*syntax Error/);
  });

  test("finds a write that was answered rightly and done wrongly, in the state afterwards", async () => {
    // The value changes its case on the way; the reply to SET stays the same.
    const result = await runAgainst({ toServer: (text) => text.replaceAll(/(\$5\r\n)hello\r\n/g, "$1HELLO\r\n") });
    const finding = result.findings[0];
    assert.ok(finding !== undefined);
    assert.match(describeFinding(finding), /hello/i);
    assert.ok(finding.sequence.commands.length <= 2);
  });

  test("names a command that the subject does not know", async () => {
    const result = await runAgainst({ toServer: (text) => text.replaceAll(/\r\nlcs\r\n/gi, "\r\nlcx\r\n") });
    assert.deepEqual(result.missing, ["LCS"]);
  });

  test("reports a subject that ends the connection", async () => {
    const result = await runAgainst({ toServer: (text) => text.replaceAll(/\$6\r\ngetdel\r\n/gi, "$x\r\n") });
    assert.match(result.findings.map(describeFinding).join(), /connection ended|Protocol error/);
  });

  test("starts a subject again that goes down, and shrinks to the command that does it", async (context) => {
    // A server whose GETDEL is its SHUTDOWN.
    const leading = ["--rename-command", "GETDEL", "", "--rename-command", "SHUTDOWN", "GETDEL"];
    let startCount = 0;
    let victim: ChildServer | undefined;
    const start = async (): Promise<ChildServer> => {
      startCount++;
      await victim?.stop();
      const directives = { save: "", "enable-debug-command": "yes" };
      victim = await launchServer("victim", "redis-server", leading, { directives });
      return victim;
    };
    const runner = new DifferentialRunner(redis, await start(), start);
    context.after(async () => {
      runner.close();
      await victim?.stop();
    });
    const family: Family = {
      name: "deadly",
      forms: [command("SET", [key(), value()], { weight: 40 }), command("GETDEL NOSAVE", [], { maySpoil: false })],
    };
    const result = await runner.runFamily(family, { seed: 1, sequenceCount: 50, findingMax: 1 });
    const finding = result.findings[0];
    assert.ok(finding !== undefined && startCount > 2);
    assert.equal(finding.sequence.commands.length, 1);
    assert.match(describeFinding(finding), /connection ended[\s\S]*GETDEL NOSAVE/i);
  });

  test("draws the same sequence from the same seed and another one from another seed", () => {
    const text = (seed: number): string =>
      JSON.stringify(
        drawSequence(strings.forms, seed, 3).commands.map((drawn) => drawn.args.map((args) => args.toString("hex"))),
      );
    assert.equal(text(1), text(1));
    assert.notEqual(text(1), text(2));
  });
});

describe("comparisons of replies", () => {
  const reply = (text: string): Buffer => Buffer.from(text, "latin1");

  test("an unordered comparison sees another item, another number of items and an error", () => {
    const expected = reply("*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert.equal(compareUnordered(expected, reply("*2\r\n$1\r\nb\r\n$1\r\na\r\n")), undefined);
    assert.notEqual(compareUnordered(expected, reply("*2\r\n$1\r\nb\r\n$1\r\nb\r\n")), undefined);
    assert.notEqual(compareUnordered(expected, reply("*1\r\n$1\r\na\r\n")), undefined);
    assert.notEqual(compareUnordered(expected, reply("~2\r\n$1\r\na\r\n$1\r\nb\r\n")), undefined);
    assert.notEqual(compareUnordered(expected, reply("-ERR\r\n")), undefined);
    assert.notEqual(compareUnordered(expected, undefined), undefined);
  });

  test("a comparison of scans sees another cursor", () => {
    const expected = reply("*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert.equal(compareScan(expected, reply("*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n")), undefined);
    assert.notEqual(compareScan(expected, reply("*2\r\n$1\r\n1\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n")), undefined);
  });

  test("integers may be apart by the tolerance, and -1 and -2 not at all", () => {
    assert.equal(compareIntegers(2)(reply(":100\r\n"), reply(":98\r\n")), undefined);
    assert.notEqual(compareIntegers(2)(reply(":100\r\n"), reply(":97\r\n")), undefined);
    assert.notEqual(compareIntegers(2)(reply(":-1\r\n"), reply(":-2\r\n")), undefined);
  });

  test("dumps that are packed in another way are equal when their content is", () => {
    const bulk = (hex: string): Buffer =>
      Buffer.concat([reply(`$${hex.length / 2}\r\n`), Buffer.from(hex, "hex"), reply("\r\n")]);
    const packed = "00c30a40c802616261e0ba010161620a0024a6e84170c0c68c";
    assert.equal(expandLzf(Buffer.from("02616261e0ba01016162", "hex"), 200).toString(), "ab".repeat(100));
    // The same content with a shorter first reference, and so another checksum.
    const otherwise = "00c30d40c802616261200120e0b701016162";
    assert.equal(compareDumps(bulk(packed), bulk(packed)), undefined);
    assert.notEqual(compareDumps(bulk(packed), bulk("000568656c6c6f0a006372df766534200a")), undefined);
    assert.notEqual(compareDumps(bulk(packed), bulk(`${otherwise}0a000000000000000000`)), undefined);
  });
});
