/**
 * Snapshots of collections that change while they are being written: what is loaded is the state at the opening, to the
 * last element.
 *
 *      random commands ─► digest, open the stream ─► slices and random commands in turns ─► load ─► the same digest
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench } from "../../src/commands/testing.ts";
import { RdbEncoder } from "../../src/history/formats/rdb-encoder.ts";
import { RdbFinisher } from "../../src/history/formats/rdb-finisher.ts";
import { SnapshotLoader } from "../../src/history/snapshot/snapshot-loader.ts";
import { SnapshotStream } from "../../src/history/snapshot/snapshot-stream.ts";
import { digestOfAll } from "../../src/server/digest.ts";
import type { Keyspace } from "../../src/store/keyspace/keyspace.ts";
import { sourceOf } from "../golden/collect.ts";
import { printedSeed, SeededRandom } from "../support/seed.ts";

const ROUNDS = 12;
const COMMANDS = 400;
/** Some collections have more elements than what is written at once, some fewer. */
const ELEMENTS = 5000;

/** A random command on one of a few keys; most change one element of a large collection. */
function randomCommand(random: SeededRandom): string[] {
  const element = () => `${random.below(ELEMENTS)}`;
  const key = (type: string) => `${type}${random.below(3)}`;
  const several = (make: () => string[]) => Array.from({ length: random.below(8) === 0 ? 1500 : 2 }, make).flat();
  const anyKey = () => key(random.pick(["hash", "set", "zset", "list", "stream", "string"]));
  const value = () => (random.below(20) === 0 ? "v".repeat(300) : `v${element()}`);
  const forms: (() => string[])[] = [
    () => ["HSET", key("hash"), ...several(() => [`f${element()}`, value()])],
    () => ["HDEL", key("hash"), ...several(() => [`f${element()}`])],
    () => ["HINCRBY", key("hash"), `count${random.below(10)}`, "1"],
    () => ["SADD", key("set"), ...several(() => [`m${element()}`])],
    () => ["SREM", key("set"), ...several(() => [`m${element()}`])],
    () => ["SPOP", key("set"), `${random.below(5)}`],
    () => ["SMOVE", key("set"), key("set"), `m${element()}`],
    () => ["ZADD", key("zset"), ...several(() => [element(), `m${element()}`])],
    () => ["ZINCRBY", key("zset"), element(), `m${element()}`],
    () => ["ZREM", key("zset"), ...several(() => [`m${element()}`])],
    () => ["ZPOPMIN", key("zset"), `${random.below(30)}`],
    () => ["ZREMRANGEBYRANK", key("zset"), element(), element()],
    () => ["RPUSH", key("list"), ...several(() => [value()])],
    () => ["LPUSH", key("list"), ...several(() => [value()])],
    () => ["LPOP", key("list"), `${random.below(20)}`],
    () => ["LSET", key("list"), "3", value()],
    () => ["LINSERT", key("list"), "BEFORE", `v${element()}`, value()],
    () => ["LREM", key("list"), "2", `v${element()}`],
    () => ["LTRIM", key("list"), "20", "-20"],
    () => ["XADD", key("stream"), "*", "a", value(), `b${random.below(3)}`, value()],
    () => ["XTRIM", key("stream"), "MAXLEN", `${random.below(3000)}`],
    () => ["XGROUP", "CREATE", key("stream"), `g${random.below(3)}`, "0", "MKSTREAM"],
    () => [
      "XREADGROUP",
      "GROUP",
      `g${random.below(3)}`,
      `c${random.below(3)}`,
      "COUNT",
      "20",
      "STREAMS",
      key("stream"),
      ">",
    ],
    () => ["SET", key("string"), value()],
    () => ["EXPIRE", anyKey(), "1000"],
    () => ["RENAME", anyKey(), anyKey()],
    () => ["COPY", anyKey(), anyKey(), "REPLACE"],
    () => ["DEL", anyKey()],
    () => (random.below(20) === 0 ? ["FLUSHALL"] : ["SET", anyKey(), "x"]),
  ];
  return random.pick(forms)();
}

function fill(bench: CommandBench, random: SeededRandom): void {
  for (let count = 0; count < COMMANDS; count++) {
    const command = randomCommand(random);
    // Commands that take all away come often enough while the snapshot runs.
    if (!["FLUSHALL", "DEL", "RENAME", "COPY"].includes(command[0]!)) bench.run(command);
  }
  for (let entry = 0; entry < 2000; entry++) bench.run(["XADD", "stream0", "*", "field", `${entry}`]);
}

function load(bytes: Uint8Array, nowMs: number): Keyspace {
  const { keyspace } = new CommandBench();
  keyspace.nowMs = nowMs;
  const options = { totalBytes: bytes.length, verifyChecksum: true, mayReplace: false };
  const loader = new SnapshotLoader(keyspace, sourceOf(bytes), options);
  while (!loader.step(() => true));
  return keyspace;
}

test("collections that change under a snapshot are in it as they were when it began", () => {
  const seed = printedSeed("collections under a snapshot");
  const random = new SeededRandom(seed);
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new CommandBench(random.below(1 << 30));
    fill(bench, random);
    const { keyspace } = bench;
    const expected = digestOfAll(keyspace);
    const finisher = new RdbFinisher({ compression: true, checksum: true });
    const pieces: Uint8Array[] = [];
    const encoder = new RdbEncoder();
    const stream = new SnapshotStream(keyspace, encoder, { auxiliary: [], access: "none" }, (chunk) => {
      pieces.push(finisher.finish(chunk.buffer, chunk.length, chunk.notes, chunk.noteCount).slice());
      // The buffer is used again: who kept a view of it shows.
      chunk.buffer.fill(0xee);
      encoder.giveBack(chunk.buffer);
    });
    for (let step = 0; step < COMMANDS; step++) {
      let checks = random.below(3);
      if (random.below(4) === 0) stream.step(() => --checks < 0);
      bench.run(randomCommand(random));
      bench.advance(random.below(3));
    }
    while (!stream.step(() => false));
    keyspace.verify();
    const loaded = load(Buffer.concat([...pieces, finisher.trailer()]), keyspace.nowMs);
    loaded.verify();
    assert.equal(digestOfAll(loaded), expected, `round ${round} of seed ${seed}`);
    while (keyspace.reclaim(1000));
    keyspace.verify();
  }
});
