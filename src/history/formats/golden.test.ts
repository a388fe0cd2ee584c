import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Collected, Collector, collectFile, sourceOf } from "../../../test/golden/collect.ts";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { Crc64 } from "../../core/crc64.ts";
import { RdbFault } from "./rdb-fault.ts";
import { RdbReader, RECORD_AUX, RECORD_END, RECORD_KEY } from "./rdb-reader.ts";
import { IGNORE_VALUE } from "./value-visitor.ts";

const NAMES = ["compact", "spread", "unsummed", "unsummed-spread", "lru", "lfu", "nothing", "wide", "nodes"];
const golden = (name: string) => readFileSync(join(repositoryRoot(), "test", "golden", name));
const expected = (name: string): Collected => JSON.parse(golden(`${name}.contents`).toString());
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

for (const name of NAMES) {
  test(`the real server's file "${name}" holds what the server said`, () => {
    const bytes = golden(`${name}.rdb`);
    for (const pieceBytes of [1, 7, 1 << 16]) {
      for (const knowsTotal of [true, false]) {
        assert.deepEqual(plain(collectFile(bytes, pieceBytes, knowsTotal)), expected(name));
      }
    }
  });

  test(`skipping the values of "${name}" ends at the same place`, () => {
    const bytes = golden(`${name}.rdb`);
    const reader = new RdbReader(sourceOf(bytes), { totalBytes: bytes.length, verifyChecksum: true });
    reader.readHeader();
    let keyCount = 0;
    for (let record = reader.next(); record !== RECORD_END; record = reader.next()) {
      if (record === RECORD_KEY) keyCount++;
    }
    assert.equal(keyCount, expected(name).keys.length);
    assert.equal(reader.offset(), bytes.length);
  });
}

test("a measured string has the length that reading gives, and records begin where the one before ends", () => {
  let longCount = 0;
  for (const name of NAMES) {
    const bytes = golden(`${name}.rdb`);
    const open = (pieceBytes: number) =>
      new RdbReader(sourceOf(bytes, pieceBytes), { totalBytes: bytes.length, verifyChecksum: true });
    const measuring = open(7);
    const reading = open(1 << 16);
    measuring.readHeader();
    reading.readHeader();
    let end = -1;
    let database = -1;
    for (let record = reading.next(); record !== RECORD_END; record = reading.next()) {
      assert.equal(measuring.next(), record);
      if (record !== RECORD_KEY) continue;
      assert.equal(measuring.recordStart, reading.recordStart);
      if (database === reading.database) assert.equal(reading.recordStart, end);
      if (reading.type === 0) {
        reading.readString();
        const { stringLength: length, stringStart: start } = reading;
        const isThere = measuring.measureString();
        assert.equal(measuring.stringLength, length);
        if (isThere) {
          const read = reading.stringBytes.subarray(start, start + length);
          const short = measuring.stringBytes.subarray(measuring.stringStart, measuring.stringStart + length);
          assert.deepEqual(Buffer.from(short), Buffer.from(read));
        } else {
          longCount++;
        }
      } else {
        reading.skipValue();
        measuring.skipValue();
      }
      end = reading.offset();
      database = reading.database;
    }
    assert.equal(measuring.next(), RECORD_END);
  }
  assert.ok(longCount > 0);
});

test("idle time and use counter come with the key", () => {
  for (const [name, field] of [
    ["lru", "idleSeconds"],
    ["lfu", "frequency"],
  ] as const) {
    const bytes = golden(`${name}.rdb`);
    const reader = new RdbReader(sourceOf(bytes), { totalBytes: bytes.length, verifyChecksum: true });
    reader.readHeader();
    let seen = 0;
    const aux = new Map<string, string>();
    for (let record = reader.next(); record !== RECORD_END; record = reader.next()) {
      if (record === RECORD_AUX) aux.set(reader.auxName, reader.auxValue);
      if (record !== RECORD_KEY) continue;
      seen++;
      assert.ok(reader[field] >= 0);
      assert.equal(reader[field === "idleSeconds" ? "frequency" : "idleSeconds"], -1);
    }
    assert.equal(seen, 2);
    assert.equal(aux.get("redis-ver"), "7.0.15");
  }
});

/** Reads everything; true when it was accepted. Anything but an RdbFault passes through. */
function isAccepted(bytes: Uint8Array, verifyChecksum = true): boolean {
  try {
    const reader = new RdbReader(sourceOf(bytes), { totalBytes: bytes.length, verifyChecksum });
    reader.readHeader();
    for (let record = reader.next(); record !== RECORD_END; record = reader.next()) {
      if (record !== RECORD_KEY) continue;
      if (reader.type === 0) reader.readString();
      else reader.readValue(IGNORE_VALUE);
    }
    return true;
  } catch (error) {
    if (!(error instanceof RdbFault)) throw error;
    assert.ok(error.offset >= 0 && error.offset <= bytes.length, error.message);
    return false;
  }
}

const FLIPS = [0x01, 0x80, 0xff, 0x10, 0x40];

for (const name of ["compact", "spread", "lfu"]) {
  test(`every changed byte of "${name}" is noticed`, () => {
    const bytes = golden(`${name}.rdb`);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of FLIPS) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        // A version below 5 has no check sum: such a file ends before it.
        const isOlder = at >= 5 && at < 9 && /^REDIS000[1-4]$/.test(changed.toString("latin1", 0, 9));
        if (!isOlder) assert.ok(!isAccepted(changed), `byte ${at} xor ${flip} was not noticed`);
      }
    }
  });
}

for (const name of ["compact", "spread", "unsummed", "unsummed-spread"]) {
  test(`"${name}" cut anywhere is a fault`, () => {
    const bytes = golden(`${name}.rdb`);
    for (let length = 0; length < bytes.length; length++)
      assert.ok(!isAccepted(bytes.subarray(0, length)), `${length}`);
  });

  test(`changed bytes of "${name}" without a check sum are a fault or other data, never a crash`, () => {
    const bytes = golden(`${name}.rdb`);
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of FLIPS) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        if (!isAccepted(changed, false)) refused++;
      }
    }
    assert.ok(refused > bytes.length / 10);
  });
}

test("several changed bytes at once are a fault or other data, never a crash", () => {
  const seed = printedSeed("changed bytes");
  const random = new SeededRandom(seed);
  const telling = [0, 1, 0x7f, 0x80, 0x81, 0xc3, 0xfe, 0xff];
  const files = ["compact", "spread", "unsummed", "unsummed-spread"].map((name) => golden(`${name}.rdb`));
  let refused = 0;
  for (let round = 0; round < 8000; round++) {
    const changed = Buffer.from(files[round % files.length]!);
    for (let change = random.below(4); change >= 0; change--) {
      changed[9 + random.below(changed.length - 9)] =
        random.below(2) === 0 ? telling[random.below(8)]! : random.below(256);
    }
    if (!isAccepted(changed, false)) refused++;
  }
  assert.ok(refused > 1000, `seed ${seed}: ${refused}`);
});

test("a fault names key and offset", () => {
  const bytes = golden("unsummed.rdb");
  const at = bytes.indexOf("squeezed") + 11;
  const changed = Buffer.from(bytes);
  changed.fill(0xff, at, at + 3);
  assert.throws(
    () => collectFile(changed),
    (error) =>
      error instanceof RdbFault && error.key === "squeezed" && error.message.includes(`offset ${error.offset}`),
  );
});

// ---- files put together by hand: what no server of today writes ---------------------------------------------------

const b = (...parts: (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === "number"
        ? Buffer.of(part)
        : Buffer.from(part as string, typeof part === "string" ? "latin1" : undefined),
    ),
  );
const str = (text: string | Uint8Array) => b(text.length, text);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u16 = (value: number) => b(value & 255, value >> 8);
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

function file(version: number, ...records: Uint8Array[]): Buffer {
  const body = b(`REDIS${String(version).padStart(4, "0")}`, ...records, 255);
  if (version < 5) return body;
  const sum = new Crc64();
  sum.update(body, 0, body.length);
  const trailer = new Uint8Array(8);
  sum.writeDigest(trailer, 0);
  return b(body, trailer);
}

/** Entries are given without the length of the one before. */
function ziplist(...entries: Uint8Array[]): Buffer {
  let before = 0;
  let last = 10;
  let at = 10;
  const parts = entries.map((entry) => {
    const part = before < 254 ? b(before, entry) : b(254, u32(before), entry);
    before = part.length;
    last = at;
    at += part.length;
    return part;
  });
  return b(u32(at + 1), u32(last), u16(entries.length), ...parts, 255);
}

function listpack(...entries: Uint8Array[]): Buffer {
  const body = b(...entries.map((entry) => b(entry, entry.length)));
  return b(u32(body.length + 7), u16(entries.length), body, 255);
}
const lpText = (text: string) => b(0x80 | text.length, text);
const lp64 = (value: bigint) => b(0xf4, u64(value));

const valuesOf = (bytes: Uint8Array) =>
  Object.fromEntries(collectFile(bytes).keys.map(({ key, value }) => [key, value]));

test("ziplists of every entry encoding are read", () => {
  const long = "L".repeat(300);
  const blob = ziplist(
    b(3, "abc"),
    b(0xf1), // 0
    b(0xfd), // 12
    b(0xfe, 0x80),
    b(0xc0, 0x00, 0x80),
    b(0xf0, 0x00, 0x00, 0x80),
    b(0xd0, 0x00, 0x00, 0x00, 0x80),
    b(0xe0, u64(1n << 63n)),
    b(0x41, 300 - 256, long),
    b(0x80, 0, 0, 1, 44, long),
    b(0),
  );
  const expectedItems = [
    "abc",
    "0",
    "12",
    "-128",
    "-32768",
    "-8388608",
    "-2147483648",
    "-9223372036854775808",
    long,
    long,
    "",
  ];
  const length = b(0x40 | (blob.length >> 8), blob.length & 255);
  const values = valuesOf(
    file(
      6,
      b(10, str("list"), length, blob),
      b(14, str("quicklist"), 2, length, blob, str(ziplist(b(1, "z")))),
      b(13, str("hash"), str(ziplist(b(1, "f"), b(1, "v"), b(0xf2), b(0xf3)))),
      b(12, str("zset"), str(ziplist(b(1, "m"), b(3, "1.5"), b(1, "n"), b(0xf3)))),
    ),
  );
  assert.deepEqual(values, {
    list: expectedItems,
    quicklist: [...expectedItems, "z"],
    hash: [
      ["1", "2"],
      ["f", "v"],
    ],
    zset: [
      ["m", "1.5"],
      ["n", "2"],
    ],
  });
});

test("version 1 with old scores, plain types, seconds and a zipmap is read", () => {
  const long = "v".repeat(260);
  const zipmap = b(2, 1, "k", 254, u32(260), 0, long, 1, "j", 1, 2, "i", "??", 255);
  const values = collectFile(
    file(
      1,
      b(254, 0),
      b(253, u32(2_000_000_000), 0, str("s"), str("v")),
      b(1, str("l"), 2, str("a"), 0xc0, 0xff),
      b(3, str("z"), 4, str("a"), 3, "1.5", str("b"), 254, str("c"), 255, str("d"), 5, "-1e10"),
      b(4, str("h"), 1, str("f"), str("v")),
      b(9, str("m"), 0x40 | (zipmap.length >> 8), zipmap.length & 255, zipmap),
    ),
  ).keys;
  assert.deepEqual(
    values.map(({ key, value, expireAtMs }) => [key, value, expireAtMs]),
    [
      ["h", [["f", "v"]], -1],
      ["l", ["a", "-1"], -1],
      [
        "m",
        [
          ["j", "i"],
          ["k", long],
        ],
        -1,
      ],
      ["s", "v", 2_000_000_000_000],
      [
        "z",
        [
          ["a", "1.5"],
          ["b", "Infinity"],
          ["c", "-Infinity"],
          ["d", "-10000000000"],
        ],
        -1,
      ],
    ],
  );
});

test("hashes whose fields expire are read in all four forms", () => {
  const at = 1_900_000_000_000n;
  const blob = listpack(lpText("f"), lpText("v"), lp64(at), lpText("g"), lpText("w"), b(0));
  const far = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return b(0x81, bytes);
  };
  const bytes = file(
    12,
    b(244, 1, 2, 3),
    b(22, str("a"), 2, far(at), str("f"), str("v"), 0, str("g"), str("w")),
    b(23, str("b"), str(blob)),
    b(24, str("c"), u64(at), 2, 1, str("f"), str("v"), 0, str("g"), str("w")),
    b(25, str("d"), u64(at), str(blob)),
  );
  const reader = new RdbReader(sourceOf(bytes), { totalBytes: bytes.length, verifyChecksum: true });
  reader.readHeader();
  for (const type of [22, 23, 24, 25]) {
    assert.equal(reader.next(), RECORD_KEY);
    assert.equal(reader.type, type);
    const collector = new Collector();
    reader.readValue(collector);
    assert.deepEqual(collector.value, [
      ["f", "v"],
      ["g", "w"],
    ]);
    assert.deepEqual(collector.expiries, { f: Number(at) });
  }
  assert.equal(reader.next(), RECORD_END);
  assert.equal(expectSkip(bytes), 4);
});

function expectSkip(bytes: Uint8Array): number {
  const reader = new RdbReader(sourceOf(bytes), { totalBytes: -1, verifyChecksum: true });
  reader.readHeader();
  let count = 0;
  for (let record = reader.next(); record !== RECORD_END; record = reader.next()) if (record === RECORD_KEY) count++;
  return count;
}

test("types 20 and 21 of Redis 7.2 are read", () => {
  const id = b(Buffer.alloc(7), 5, Buffer.alloc(7), 1);
  const node = listpack(b(1), b(0), b(1), lpText("f"), b(0), b(2), b(0), b(0), lpText("v"), b(4));
  const stream = b(21, str("x"), 1, str(id), str(node), 1, 5, 1, 5, 1, 0, 0, 7);
  const group = b(1, str("g"), 5, 1, 1, 1, id, u64(99n), 3, 1, str("c"), u64(98n), u64(97n), 1, id);
  const bytes = file(11, b(20, str("s"), str(listpack(lpText("m"), b(9)))), b(stream, group));
  assert.deepEqual(plain(valuesOf(bytes)), {
    s: ["9", "m"],
    x: {
      length: 1,
      lastId: "5-1",
      firstId: "5-1",
      maxDeletedId: "0-0",
      entriesAdded: 7,
      entries: [["5-1", ["f", "v"]]],
      groups: [{ name: "g", lastId: "5-1", entriesRead: 1, pending: [["5-1", "c", 99, 3]] }],
    },
  });
  assert.equal(expectSkip(bytes), 2);
});

test("a module's value is refused by name and can be skipped", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let id = 0n;
  for (const letter of "ReJSON-RL") id = (id << 6n) | BigInt(alphabet.indexOf(letter));
  const idBytes = Buffer.alloc(8);
  idBytes.writeBigUInt64BE((id << 10n) | 3n);
  const data = b(2, 5, 1, 0x40, 0, 3, u32(0), 4, u64(0n), 5, str("{}"), 0);
  const bytes = file(
    10,
    b(247, 0x81, idBytes, 2, 1, data),
    b(7, str("doc"), 0x81, idBytes, data),
    b(0, str("k"), str("v")),
  );
  assert.equal(expectSkip(bytes), 2);
  assert.throws(() => collectFile(bytes), /reading value of key "doc": .*ReJSON-RL \(version 3\)/);
});

test("what is no RDB file, or a newer one, or unknown is said", () => {
  assert.throws(() => collectFile(b("NOTREDIS0", 255)), /Wrong signature/);
  assert.throws(() => collectFile(file(13)), /Can't handle RDB format version 13/);
  assert.throws(() => collectFile(file(10, b(8, str("k"), str("v")))), /type 8 is unknown/);
  assert.throws(() => collectFile(file(10, b(246, str("k")))), /release candidates/);
  assert.throws(() => collectFile(file(10, b(0, str("k"), 0x80, 0xff, 0xff, 0xff, 0xff))), RdbFault);
});

test("an impossible length without a known total ends at the end of the data, without the memory it claims", () => {
  const bytes = file(10, b(0, str("k"), 0x80, 0xff, 0xff, 0xff, 0xf0, "short"));
  const before = process.memoryUsage().arrayBuffers;
  assert.throws(() => collectFile(bytes, 100, false), /cut short/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 << 20);
});
