import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { type InspectionOptions, inspect } from "./inspection.ts";
import { groupForms } from "./rdb-inspection.ts";
import { at, command, diskWith, FOLDER, golden, manifest, mark, REPLICATION_ID } from "./testing.test.support.ts";

const OPTIONS: InspectionOptions = {
  nowMs: 0,
  verifyChecksum: true,
  topCount: 3,
  order: "bytes",
  separator: Buffer.from(":"),
  depth: 1,
  onKey: undefined,
  meter: undefined,
};

const GOLDEN = ["compact", "spread", "unsummed", "unsummed-spread", "lru", "lfu", "nothing", "wide", "nodes"];

interface Contents {
  readonly keys: { database: number; key: string; kind: string; expireAtMs: number; value: unknown }[];
  readonly functions: string[];
}

test("the counts of the real server's files are those of what the server said is in them", () => {
  for (const name of GOLDEN) {
    const bytes = golden(name);
    const contents: Contents = JSON.parse(
      readFileSync(join(repositoryRoot(), "test", "golden", `${name}.contents`), "utf8"),
    );
    const expiring = contents.keys.filter(({ expireAtMs }) => expireAtMs !== -1);
    const nowMs = expiring.length === 0 ? 0 : expiring[0]!.expireAtMs + 1;
    const { files, problems } = inspect(diskWith({ "/dump.rdb": bytes }), "/dump.rdb", { ...OPTIONS, nowMs });
    const rdb = files[0]!.rdb!;
    assert.deepEqual(problems, [], name);
    assert.equal(rdb.bytes, bytes.length);
    assert.equal(rdb.total.keys, contents.keys.length, name);
    assert.equal(rdb.total.expiring, expiring.length, name);
    assert.equal(rdb.total.expired, expiring.filter(({ expireAtMs }) => expireAtMs < nowMs).length, name);
    assert.equal(rdb.functionLibraries, contents.functions.length, name);
    for (const [by, of] of [
      ["database", (key: Contents["keys"][number]) => String(key.database)],
      ["type", (key: Contents["keys"][number]) => key.kind],
    ] as const) {
      const expected = new Map<string, number>();
      for (const key of contents.keys) expected.set(of(key), (expected.get(of(key)) ?? 0) + 1);
      const counted = groupForms(rdb.forms, (form) => String(form[by])).map(
        (group) => [group.name, group.keys] as const,
      );
      assert.deepEqual(new Map(counted), expected, `${name} by ${by}`);
    }
    assert.equal(rdb.producer.has("redis-ver"), true);
  }
});

test("the biggest keys are the biggest, the prefixes hold all keys, and each key passes by once", () => {
  const disk = diskWith({ "/dump.rdb": golden("nodes") });
  for (const order of ["bytes", "data", "elements"] as const) {
    const passing: { key: string; elements: number; bytes: number }[] = [];
    const { files } = inspect(disk, "/dump.rdb", {
      ...OPTIONS,
      order,
      onKey: ({ keyBytes, keyLength, elements, bytes }) => {
        passing.push({ key: Buffer.from(keyBytes.subarray(0, keyLength)).toString("latin1"), elements, bytes });
      },
    });
    const rdb = files[0]!.rdb!;
    assert.equal(passing.length, rdb.total.keys);
    assert.equal(
      passing.reduce((sum, { bytes }) => sum + bytes, 0),
      rdb.total.bytes,
    );
    assert.equal(rdb.prefixes.reduce((sum, { count }) => sum + count, 0) + rdb.otherPrefixes.keys, rdb.total.keys);
    assert.equal(rdb.biggest.length, Math.min(3, passing.length));
    if (order === "data") continue;
    const sorted = passing.map((key) => key[order]).sort((a, b) => b - a);
    assert.deepEqual(
      rdb.biggest.map((key) => key[order]),
      sorted.slice(0, 3),
    );
  }
});

test("a file that is cut at any byte gives what stands before, and never more than the whole file", () => {
  const bytes = golden("compact");
  const whole = inspect(diskWith({ "/dump.rdb": bytes }), "/dump.rdb", OPTIONS).files[0]!.rdb!.total.keys;
  let before = 0;
  for (let length = 1; length < bytes.length; length++) {
    const disk = diskWith({ "/dump.rdb": bytes.subarray(0, length) });
    const { files, problems } = inspect(disk, "/dump.rdb", OPTIONS);
    const keys = files[0]!.rdb!.total.keys;
    assert.equal(problems.length, 1, `${length} bytes`);
    assert.ok(keys >= before && keys <= whole);
    assert.ok(problems[0]!.offset <= length);
    before = keys;
  }
  assert.equal(before, whole);
});

test("an append-only file tells commands, transactions, times, databases and its part of the log", () => {
  const head = at(700, 1_000_000);
  const first = Buffer.concat([command("SELECT", "0"), command("SET", "a", "1")]);
  const unit = Buffer.concat([command("MULTI"), command("set", "b", "2"), command("SeT", "c", "3"), command("EXEC")]);
  const last = Buffer.concat([command("SELECT", "3"), command("DEL", "a")]);
  const bytes = Buffer.concat([head, mark(1_000_001, "127.0.0.1:5"), first, mark(1_000_050), unit, last]);
  const { files, problems } = inspect(diskWith({ "/a.aof": bytes }), "/a.aof", OPTIONS);
  assert.deepEqual(problems, []);
  const aof = files[0]!.aof!;
  assert.deepEqual(
    aof.names.map(({ name, count }) => [Buffer.from(name).toString(), count]),
    [
      ["SET", 3],
      ["SELECT", 2],
      ["DEL", 1],
      ["EXEC", 1],
      ["MULTI", 1],
    ],
  );
  assert.deepEqual([aof.commands, aof.transactions, aof.annotations], [8, 1, 3]);
  assert.deepEqual([aof.firstTimeMs, aof.lastTimeMs], [1_000_000, 1_000_050]);
  assert.deepEqual(
    aof.databases,
    new Map([
      [0, 6],
      [3, 2],
    ]),
  );
  assert.deepEqual(aof.start, { replicationId: REPLICATION_ID, offset: 700 });
  assert.equal(aof.end?.offset, 700 + first.length + unit.length + last.length);
  assert.equal(aof.wholeBytes, bytes.length);
});

test("an RDB with commands behind it is told as both", () => {
  const rdb = golden("compact");
  const disk = diskWith({ "/appendonly.aof": Buffer.concat([rdb, command("SET", "a", "1")]) });
  const { files, problems } = inspect(disk, "/appendonly.aof", OPTIONS);
  assert.deepEqual(problems, []);
  assert.equal(files[0]!.kind, "rdb+aof");
  assert.deepEqual([files[0]!.rdb!.bytes, files[0]!.aof!.from, files[0]!.aof!.commands], [rdb.length, rdb.length, 1]);
});

test("a data directory tells the part of each file", () => {
  const disk = diskWith({
    "/data/dump.rdb": golden("lru"),
    "/data/temp-5-1.rdb": "REDIS",
    "/data/dump.rdb.not-loaded-1": golden("lru"),
    "/data/notes.txt": "not ours",
    [`${FOLDER}/appendonly.aof.3.base.rdb`]: golden("lfu"),
    [`${FOLDER}/appendonly.aof.3.incr.aof`]: command("SET", "a", "1"),
    [`${FOLDER}/appendonly.aof.2.incr.aof`]: command("SET", "a", "0"),
    [`${FOLDER}/appendonly.aof.1.incr.aof`]: "",
    [`${FOLDER}/appendonly.aof.manifest`]: manifest(3, [3]),
    [`${FOLDER}/appendonly.aof.history`]: "file appendonly.aof.2.incr.aof seq 2 type h\n",
  });
  const { place, files, problems } = inspect(disk, "/data", OPTIONS);
  assert.deepEqual(problems, []);
  assert.equal(place.kind, "data-directory");
  assert.deepEqual(
    files.map(({ name, role, kind }) => [name, role, kind]),
    [
      ["dump.rdb", "snapshot", "rdb"],
      ["appendonly.aof.3.base.rdb", "base", "rdb"],
      ["appendonly.aof.3.incr.aof", "increment", "aof"],
      ["appendonly.aof.2.incr.aof", "kept", "aof"],
    ],
  );
  assert.match(place.notes.join("\n"), /temp-5-1\.rdb is a snapshot that was never finished/);
  assert.match(place.notes.join("\n"), /Named by no manifest.*appendonly\.aof\.1\.incr\.aof/);
  assert.match(place.notes.join("\n"), /With `appendonly yes`/);
  assert.match(place.notes.join("\n"), /dump\.rdb\.not-loaded-1 is a snapshot that a server did not load/);
  assert.equal(disk.openFiles, 0);
});

test("what no server has written is said to be that", () => {
  for (const [bytes, expected] of [
    ["hello", /neither an RDB file/],
    ["", /the file is empty/],
    ["\x1f\x8b\x08abc", /compressed with gzip/],
    ["VALKEY080", /Valkey 9/],
  ] as const) {
    const { files, problems } = inspect(diskWith({ "/x": Buffer.from(bytes, "latin1") }), "/x", OPTIONS);
    assert.equal(files[0]!.kind, "unknown");
    assert.match(problems[0]!.message, expected);
  }
  const empty = inspect(diskWith({ "/data/readme.txt": "x" }), "/data", OPTIONS);
  assert.match(empty.problems[0]!.message, /nothing that a server has written/);
  assert.throws(() => inspect(diskWith({}), "/nosuch", OPTIONS), /No such file/);
});

test("listeners hear of every megabyte, and of all files together", () => {
  const value = Buffer.alloc(3 << 20, 97);
  const disk = diskWith({
    [`${FOLDER}/appendonly.aof.1.incr.aof`]: command("SET", "a", value),
    [`${FOLDER}/appendonly.aof.2.incr.aof`]: command("SET", "b", value),
    [`${FOLDER}/appendonly.aof.manifest`]: manifest(1, [1, 2]).split("\n").slice(1).join("\n"),
  });
  const heard: number[] = [];
  inspect(disk, FOLDER, {
    ...OPTIONS,
    onProgress: (read, total) => {
      assert.ok(read <= total);
      heard.push(read);
    },
  });
  assert.ok(heard.length >= 2);
  assert.ok(heard.at(-1)! > 3 << 20);
  assert.deepEqual(
    heard,
    [...heard].sort((a, b) => a - b),
  );
});
