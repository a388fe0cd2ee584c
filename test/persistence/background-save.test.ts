import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "../../src/history/snapshot/testing.test.support.ts";
import { contentOf } from "../../src/store/keyspace/model.test.support.ts";
import type { ChildServer } from "../support/child-server.ts";
import { startEverkey } from "../support/everkey.ts";
import type { Argument, RawClient } from "../support/raw-client.ts";
import { runTool } from "../support/redis.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { temporaryFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

/** The value of a field of INFO persistence. */
async function field(client: RawClient, name: string): Promise<string> {
  const text = String(await client.ask("INFO", "persistence"));
  return new RegExp(`${name}:(.*)\r`).exec(text)![1]!;
}

const idle = (client: RawClient) => async (): Promise<boolean> =>
  (await field(client, "rdb_bgsave_in_progress")) === "0";

async function fill(client: RawClient, count: number, model: Map<string, string>): Promise<void> {
  const commands: Argument[][] = [];
  for (let index = 0; index < count; index++) {
    const value = `value ${index} ${"x".repeat(index % 90)}`;
    commands.push(["SET", `key:${index}`, value]);
    model.set(`key:${index}`, value);
  }
  for (const reply of await client.pipeline(commands)) assert.equal(reply?.toString(), "+OK\r\n");
}

test("BGSAVE under writes holds the exact state of its moment: keys written together are equal in it", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const dir = temporaryFolder(t, "exact");
  const server = await startEverkey({ dir });
  t.after(() => server.kill());
  const client = await server.connect();
  const model = new Map<string, string>();
  await fill(client, 40_000, model);
  const expectations: Map<string, string>[] = [];
  let stamp = 0;
  /** A batch of writes that the model follows; at `saveAt` a BGSAVE stands among them. */
  const batch = (size: number, saveAt: number): Argument[][] => {
    const commands: Argument[][] = [];
    for (let index = 0; index < size; index++) {
      if (index === saveAt) {
        commands.push(["BGSAVE"]);
        expectations.push(new Map(model));
      }
      const value = `stamp ${++stamp} ${"y".repeat(random.below(200))}`;
      const kind = random.below(10);
      const key = `key:${random.below(50_000)}`;
      if (kind < 4) {
        commands.push(["MSET", "left", value, "right", value]);
        model.set("left", value).set("right", value);
      } else if (kind < 8) {
        commands.push(["SET", key, value]);
        model.set(key, value);
      } else if (kind < 9) {
        commands.push(["DEL", key]);
        model.delete(key);
      } else {
        commands.push(["APPEND", key, value]);
        model.set(key, (model.get(key) ?? "") + value);
      }
    }
    return commands;
  };
  for (let round = 0; round < 6; round++) {
    const savedBefore = Number(await field(client, "rdb_saves"));
    let replies = await client.pipeline(batch(400, random.below(400)));
    assert.equal(replies.filter((reply) => reply?.toString() === "+Background saving started\r\n").length, 1);
    let batches = 0;
    do {
      replies = await client.pipeline(batch(500, -1));
      for (const reply of replies) assert.notEqual(reply?.[0], 0x2d, reply?.toString());
      batches++;
    } while ((await field(client, "rdb_bgsave_in_progress")) === "1");
    assert.ok(batches >= 1);
    assert.ok(Number(await field(client, "rdb_saves")) > savedBefore);
    assert.equal(await field(client, "rdb_last_bgsave_status"), "ok");
    const content = contentOf(load(readFileSync(join(dir, "dump.rdb"))).keyspace)[0]!;
    assert.equal(content.get("left")?.value, content.get("right")?.value);
    const held = new Map([...content].map(([key, { value }]) => [key, value]));
    assert.deepEqual(held, expectations.pop());
  }
  client.close();
  await server.kill();
});

/** Generations in which a pair was written: always both keys, or the file is not one moment's. */
async function pairOf(client: RawClient): Promise<number> {
  const [left, right] = (await client.ask("MGET", "left", "right")) as (Buffer | string | null)[];
  assert.equal(String(left), String(right));
  return left === null ? 0 : Number(String(left));
}

test("a server that is killed while it saves leaves the old file or the new one, whole, and starts again", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const dir = temporaryFolder(t, "killed");
  const path = join(dir, "dump.rdb");
  let server: ChildServer | undefined;
  t.after(() => server?.kill());
  let generation = 0;
  let interrupted = 0;
  for (let round = 0; round < 20; round++) {
    server = await startEverkey({ dir });
    const client = await server.connect();
    if (round === 0) {
      await fill(client, 30_000, new Map());
    } else {
      assert.equal(await client.ask("DBSIZE"), 30_002);
      const found = await pairOf(client);
      assert.ok(found === generation || found === generation - 1, `${found} after ${generation}`);
      if (found === generation - 1) interrupted++;
      generation = found;
    }
    generation++;
    await client.ask("MSET", "left", generation, "right", generation);
    await client.ask("BGSAVE");
    if (round === 0) await waitUntil("the first snapshot", idle(client));
    else for (let left = random.below(60); left > 0; left--) await client.ask("SET", `key:${left}`, "later");
    await server.kill();
    client.close();
    assert.ok(existsSync(path));
    const { code, stdout } = await runTool("redis-check-rdb", [path]);
    assert.equal(code, 0, stdout);
  }
  t.diagnostic(`${interrupted} of 19 saves were interrupted`);
  // What the dead left behind is not taken for data.
  for (const name of readdirSync(dir)) assert.match(name, /^(?:dump|temp-\d+-\d+)\.rdb$/);
});

test("a shutdown during a background save leaves what it was told to, and no unfinished file", async (t) => {
  for (const [word, expected] of [
    ["SAVE", 100_001],
    ["NOSAVE", undefined],
  ] as const) {
    const dir = temporaryFolder(t, "shutdown");
    const server = await startEverkey({ dir });
    t.after(() => server.kill());
    const client = await server.connect();
    await client.ask("DEBUG", "POPULATE", 100_000, "key", 500);
    // In one write: however busy the machine is, the save is not over when the shutdown begins.
    const replies = await client.pipeline([["BGSAVE"], ["SET", "later", "than the snapshot"], ["SHUTDOWN", word]]);
    assert.equal(String(replies[1]), "+OK\r\n");
    assert.equal(replies[2], undefined, "no reply: the connection ends");
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.deepEqual(readdirSync(dir), expected === undefined ? [] : ["dump.rdb"]);
    if (expected === undefined) continue;
    const again = await startEverkey({ dir });
    t.after(() => again.kill());
    const second = await again.connect();
    assert.equal(await second.ask("DBSIZE"), expected);
    assert.equal(await second.ask("GET", "later"), "than the snapshot");
    second.close();
    await again.stop();
  }
});
