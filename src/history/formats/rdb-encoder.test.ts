import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { collectFile, collectServer } from "../../../test/golden/collect.ts";
import { RealServer } from "../../../test/golden/real-server.ts";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { RdbEncoder, writeLength } from "./rdb-encoder.ts";
import { RdbFinisher } from "./rdb-finisher.ts";
import { RdbInput } from "./rdb-input.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");

interface Entry {
  readonly database: number;
  readonly key: string;
  readonly value: string;
  readonly expireAtMs: number;
}

function generatedEntries(seed: number, count: number): Entry[] {
  const random = new SeededRandom(seed);
  const bytes = (length: number) => Array.from({ length }, () => String.fromCharCode(random.below(256))).join("");
  const value = (): string => {
    switch (random.below(8)) {
      case 0:
        return String(random.below(2 ** 31) - 2 ** 30);
      case 1:
        return String(random.below(300) - 150);
      case 2:
        return `${random.below(2 ** 31)}${random.below(2 ** 31)}`;
      case 3:
        return bytes(random.below(30));
      case 4:
        return bytes(1 + random.below(9)).repeat(random.below(60));
      case 5:
        return bytes(random.below(400)) + "z".repeat(random.below(2000));
      case 6:
        return ["-2147483648", "2147483647", "2147483648", "-0", "007", "", "-", "-128", "127", "128", "-32769"][
          random.below(11)
        ]!;
      default:
        return "w".repeat(16380 + random.below(10));
    }
  };
  return Array.from({ length: count }, (_, index) => ({
    database: index < count / 2 ? 0 : 3,
    key: random.below(4) === 0 ? String(index - 200) : `k${index}:${bytes(random.below(40))}`,
    value: value(),
    expireAtMs: random.below(3) === 0 ? 4_102_444_800_000 + index : -1,
  }));
}

/** Encodes to a whole file, taking a chunk whenever `chunkBytes` are full; strings above 16 KiB come in pieces. */
function encode(entries: Entry[], compression: boolean, checksum: boolean, chunkBytes: number): Buffer {
  const encoder = new RdbEncoder(chunkBytes);
  const finisher = new RdbFinisher({ compression, checksum });
  const parts: Uint8Array[] = [];
  const take = () => {
    const chunk = encoder.takeChunk();
    parts.push(Buffer.from(finisher.finish(chunk.buffer, chunk.length, chunk.notes, chunk.noteCount)));
    encoder.giveBack(chunk.buffer);
  };
  encoder.header();
  encoder.aux("redis-ver", "7.2.4");
  encoder.aux("redis-bits", "64");
  let database = -1;
  for (const entry of entries) {
    if (entry.database !== database) {
      database = entry.database;
      encoder.selectDb(database);
      encoder.resizeDb(entries.length, 0);
    }
    if (entry.expireAtMs !== -1) encoder.expireMs(entry.expireAtMs);
    const key = latin1(`<${entry.key}>`);
    const value = latin1(`<${entry.value}>`);
    if (entry.value.length >= 16384) {
      encoder.key(0, key, 1, key.length - 2);
      encoder.startString(entry.value.length);
      for (let at = 0; at < entry.value.length; at += 5000) {
        encoder.stringPiece(value, 1 + at, Math.min(5000, entry.value.length - at));
        take();
      }
    } else {
      encoder.stringKey(key, 1, key.length - 2, value, 1, value.length - 2);
    }
    if (encoder.chunkLength >= chunkBytes) take();
  }
  encoder.end();
  take();
  parts.push(finisher.trailer());
  return Buffer.concat(parts);
}

const sorted = (entries: Entry[]) =>
  entries
    .map((entry) => ({ ...entry, kind: "string" }))
    .sort((left, right) => left.database - right.database || (left.key < right.key ? -1 : 1));

test("what is encoded is read back, whatever the chunk size and the options", () => {
  const seed = printedSeed("encode and read");
  for (const chunkBytes of [1, 100, 4096, 1 << 20]) {
    for (const [compression, checksum] of [
      [true, true],
      [false, true],
      [true, false],
    ] as const) {
      const entries = generatedEntries(seed + chunkBytes, 400);
      const file = encode(entries, compression, checksum, chunkBytes);
      assert.deepEqual(collectFile(file).keys, sorted(entries), `seed ${seed}`);
      if (compression) assert.ok(file.length < encode(entries, false, checksum, chunkBytes).length);
    }
  }
});

test("redis-check-rdb accepts the file and the real server loads exactly what was written", async () => {
  const seed = printedSeed("encode and load");
  const entries = generatedEntries(seed, 800);
  const directory = mkdtempSync(join(tmpdir(), "everkey-encode-"));
  try {
    for (const compression of [true, false]) {
      const path = join(directory, "out.rdb");
      writeFileSync(path, encode(entries, compression, true, 5000));
      const output = execFileSync("redis-check-rdb", [path]).toString();
      assert.match(output, /Checksum OK/);
      const server = await RealServer.start({}, (folder) => copyFileSync(path, join(folder, "dump.rdb")));
      try {
        const loaded = await collectServer(server, [0, 3]);
        assert.deepEqual(loaded.keys, sorted(entries), `seed ${seed}`);
        assert.deepEqual(collectFile(await server.save()).keys, sorted(entries), `seed ${seed}`);
      } finally {
        await server.stop();
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("numbers are written in the encoding that the real server takes", async () => {
  const values = [
    "0",
    "-1",
    "127",
    "-128",
    "128",
    "32767",
    "-32768",
    "32768",
    "2147483647",
    "2147483648",
    "-2147483649",
    "01",
  ];
  const server = await RealServer.start();
  try {
    for (const value of values) {
      await server.command("SET", "k", value);
      const payload = (await server.command("DUMP", "k")) as Buffer;
      const encoder = new RdbEncoder();
      encoder.byte(0);
      encoder.string(latin1(value), 0, value.length);
      const chunk = encoder.takeChunk();
      assert.deepEqual(Buffer.from(chunk.buffer.subarray(0, chunk.length)), payload.subarray(0, -10), value);
      if (value === "01") continue;
      encoder.integer(Number(value));
      const again = encoder.takeChunk();
      assert.deepEqual(Buffer.from(again.buffer.subarray(0, again.length)), payload.subarray(1, -10), value);
    }
  } finally {
    await server.stop();
  }
});

test("every length is read back", () => {
  const bytes = new Uint8Array(9);
  fc.assert(
    fc.property(fc.oneof(fc.nat(70), fc.integer({ min: 16380, max: 16390 }), fc.nat(), fc.maxSafeNat()), (length) => {
      const end = writeLength(bytes, 0, length);
      const input = RdbInput.fromBytes(bytes, 0, end);
      assert.equal(input.length(), length);
      assert.equal(input.offset(), end);
    }),
  );
});

test("a string larger than the reader's buffer is read and summed", () => {
  const big = "0123456789abcdef".repeat(1 << 18);
  const entries = [
    { database: 0, key: "big", value: big, expireAtMs: -1 },
    { database: 0, key: "after", value: "v", expireAtMs: -1 },
  ];
  const file = encode(entries, true, true, 1 << 16);
  for (const knowsTotal of [true, false]) {
    assert.deepEqual(collectFile(file, 1 << 20, knowsTotal).keys, sorted(entries));
  }
  file[file.length >> 1]! ^= 1;
  assert.throws(() => collectFile(file), /check sum/);
});
