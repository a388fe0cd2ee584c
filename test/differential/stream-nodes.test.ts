/**
 * The nodes of a stream, byte for byte those of the real server: commands go to both, DUMP of the real one is taken apart.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CommandBench } from "../../src/commands/testing.ts";
import { RdbInput } from "../../src/history/formats/rdb-input.ts";
import type { ChildServer } from "../support/child-server.ts";
import type { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printedSeed, SeededRandom } from "../support/seed.ts";

let redis: ChildServer;
let client: RawClient;

before(async () => {
  redis = await startRedis();
  client = await redis.connect();
});

after(async () => {
  client?.close();
  await redis?.stop();
});

const LIMITS = [
  [100, 4096],
  [3, 4096],
  [0, 300],
  [200, 0],
] as const;

function randomValue(random: SeededRandom): string {
  const values = ["", "1", "-1", "127", "128", "-4096", "4096", "70000", "8388608", "3000000000", "007", "word"];
  const choice = random.uint32() % (values.length + 3);
  return values[choice] ?? "x".repeat(random.uint32() % [10, 70, 600][choice - values.length]!);
}

function randomCommand(random: SeededRandom, clock: number): string[] {
  const choice = random.uint32() % 20;
  if (choice === 0) return ["XTRIM", "s", "MAXLEN", String(random.uint32() % 60)];
  if (choice === 1) return ["XTRIM", "s", "MAXLEN", "~", String(random.uint32() % 60)];
  if (choice < 5) return ["XDEL", "s", `${clock - (random.uint32() % 40)}-${random.uint32() % 3}`];
  const names = choice < 15 ? ["f", "g"] : choice < 17 ? ["1", "g", "h"] : [randomValue(random)];
  const sequence = choice === 19 ? "9007199254740993" : String(random.uint32() % 3);
  return ["XADD", "s", `${clock}-${sequence}`, ...names.flatMap((name) => [name, randomValue(random)])];
}

/** Master ids and listpacks of a DUMP payload, in hexadecimal. */
function nodesOf(payload: Buffer): string[] {
  const input = RdbInput.fromBytes(payload, 1, payload.length);
  const count = input.count(16);
  const nodes: string[] = [];
  for (let index = 0; index < count * 2; index++) {
    input.string();
    const start = input.stringStart;
    nodes.push(Buffer.from(input.stringBytes.subarray(start, start + input.stringLength)).toString("hex"));
  }
  return nodes;
}

function ownNodes(bench: CommandBench): string[] {
  const { keyspace } = bench;
  const { streams } = keyspace;
  const root = streams.rootOf(keyspace.lookupSilently(keyspace.databases[0]!, Buffer.from("s")));
  const nodes: string[] = [];
  for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
    const id = Buffer.alloc(16);
    for (let word = 0; word < 4; word++) id.writeUInt32BE(streams.nodeId[word]!, word * 4);
    streams.readNode(node);
    const { nodeBytes, nodeStart, nodeLength } = streams;
    nodes.push(id.toString("hex"), Buffer.from(nodeBytes.subarray(nodeStart, nodeStart + nodeLength)).toString("hex"));
  }
  return nodes;
}

test("nodes are byte for byte those of the real server, after XADD, XDEL and XTRIM", async () => {
  const random = new SeededRandom(printedSeed("stream nodes"));
  let compared = 0;
  for (const [entriesMax, bytesMax] of LIMITS) {
    const bench = new CommandBench();
    bench.keyspace.encodingLimits.streamNodeEntries = entriesMax;
    bench.keyspace.encodingLimits.streamNodeBytes = bytesMax;
    await client.call("FLUSHALL");
    await client.call("CONFIG", "SET", "stream-node-max-entries", String(entriesMax));
    await client.call("CONFIG", "SET", "stream-node-max-bytes", String(bytesMax));
    let clock = 1;
    for (let step = 0; step < 1500; step++) {
      clock += random.uint32() % (step % 300 === 7 ? 3_000_000_000 : 3);
      const command = randomCommand(random, clock);
      bench.run(command);
      await client.call(...command);
      if (step % 25 !== 24) continue;
      const reply = (await client.call("DUMP", "s"))!;
      // "$length", the payload, and a line end.
      const payload = reply.subarray(reply.indexOf("\n") + 1, -2);
      assert.deepEqual(ownNodes(bench), nodesOf(payload), `limits ${entriesMax}, ${bytesMax}; step ${step}`);
      compared++;
    }
    bench.keyspace.verify();
  }
  assert.ok(compared > 200);
});
