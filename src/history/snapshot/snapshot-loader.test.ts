import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Collected } from "../../../test/golden/collect.ts";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.ts";
import { contentOf } from "../../store/keyspace/model.test.support.ts";
import { RdbFault } from "../formats/rdb-fault.ts";
import { load, snapshotOf } from "./testing.test.support.ts";

const golden = (name: string): Buffer => readFileSync(join(repositoryRoot(), "test", "golden", name));

function keyspaceWith(entries: readonly (readonly [key: string, value: string, expireAtMs?: number])[]): Keyspace {
  const keyspace = new Keyspace(new KeyHash(1, 2), 16);
  for (const [name, text, expireAtMs] of entries) {
    const key = Buffer.from(name, "latin1");
    const value = Buffer.from(text, "latin1");
    keyspace.setString(keyspace.databases[0]!, key, 0, key.length, value, 0, value.length, expireAtMs ?? NO_EXPIRY);
  }
  return keyspace;
}

/** The fault that loading `bytes` ends with. Fails when there is none, or another one. */
function faultOf(bytes: Uint8Array, settings = {}): RdbFault {
  try {
    load(bytes, settings);
  } catch (error) {
    assert.ok(error instanceof RdbFault, String(error));
    assert.ok(error.offset >= 0 && error.offset <= bytes.length, error.message);
    assert.match(error.message, /^offset \d+, reading /);
    return error;
  }
  assert.fail("it was loaded");
}

for (const name of ["lru", "lfu", "nothing"]) {
  test(`the real server's file "${name}" of strings is loaded as it is`, () => {
    const { keyspace, loader } = load(golden(`${name}.rdb`));
    const { keys } = JSON.parse(golden(`${name}.contents`).toString()) as Collected;
    const content = contentOf(keyspace);
    for (const { database, key, value, expireAtMs } of keys) {
      assert.deepEqual(content[database]!.get(key), { value, expireAtMs });
    }
    assert.equal(keyspace.totalKeys(), keys.length);
    assert.equal(loader.loadedKeys, keys.length);
    assert.equal(loader.loadedBytes(), golden(`${name}.rdb`).length);
  });
}

test("a file with a function library stops, and says so", () => {
  assert.match(faultOf(golden("compact.rdb")).message, /function library/);
});

/** A small file with every form of string: numbers, compressed, binary, times, several databases. */
function smallFile(): Buffer {
  const keyspace = keyspaceWith([
    ["a", "1"],
    ["number", "-70000"],
    ["squeezed", "abcdefgh".repeat(20)],
    ["expires", "later", 4_102_444_800_123],
    ["binary\0\xff", "\x80\r\n"],
    ["long", "0123456789abcdefghijklmnopqrstuvwxyz!#$%&/()=?"],
  ]);
  keyspace.setString(keyspace.databases[9]!, Buffer.from("nine"), 0, 4, Buffer.from("IX"), 0, 2, NO_EXPIRY);
  return snapshotOf(keyspace);
}

test("every changed bit of a file is a fault with its offset", () => {
  const bytes = smallFile();
  const into = new Keyspace(new KeyHash(1, 2), 16);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << bit;
      // Versions below 5 had no check sum: nothing can be noticed in them.
      if (!/^REDIS000[1-4]$/.test(changed.toString("latin1", 0, 9))) faultOf(changed, { into });
      into.flushAll();
    }
  }
});

test("a file that is cut anywhere is a fault with its offset", () => {
  const bytes = smallFile();
  const into = new Keyspace(new KeyHash(1, 2), 16);
  for (let length = 0; length < bytes.length; length++) {
    faultOf(bytes.subarray(0, length), { into });
    into.flushAll();
  }
});

test("a newer version is refused before anything is read", () => {
  const bytes = smallFile();
  bytes.write("0013", 5);
  const fault = faultOf(bytes);
  assert.match(fault.message, /Can't handle RDB format version 13/);
  assert.equal(fault.offset, 5);
});

test("what stands behind the end is no business of the file's", () => {
  assert.equal(load(Buffer.concat([smallFile(), Buffer.from("*1\r\n")])).loader.loadedKeys, 7);
});

test("keys whose time is over are left out and counted", () => {
  const bytes = snapshotOf(
    keyspaceWith([
      ["gone", "1", 1000],
      ["now", "2", 2000],
      ["later", "3", 3000],
      ["never", "4"],
    ]),
  );
  const { keyspace, loader } = load(bytes, { nowMs: 2000 });
  assert.equal(loader.expiredKeys, 1);
  assert.equal(loader.loadedKeys, 3);
  assert.deepEqual([...contentOf(keyspace)[0]!.keys()].sort(), ["later", "never", "now"]);
});

test("a key that stands twice is refused, and replaces the first one where that is asked for", () => {
  const once = snapshotOf(keyspaceWith([["key", "first"]]));
  const into = keyspaceWith([["key", "before"]]);
  assert.throws(() => load(once, { into }), /offset \d+, reading key of key "key": .* stands twice in /);
  load(once, { into, mayReplace: true });
  assert.equal(contentOf(into)[0]!.get("key")!.value, "first");
});

test("a database that the server does not have is refused with the directive to raise", () => {
  const fault = faultOf(smallFile(), { databases: 4 });
  assert.match(fault.message, /database 9 with databases set to 4; raise the directive "databases"/);
});

test("loading goes in slices, and the progress is the file's offset", () => {
  const bytes = snapshotOf(keyspaceWith(Array.from({ length: 1000 }, (_, index) => [`k${index}`, `${index}`])));
  let slices = 0;
  const { loader, keyspace } = load(bytes, { between: () => slices++ });
  assert.ok(slices >= 10);
  assert.equal(loader.loadedBytes(), bytes.length);
  keyspace.verify();
});

test("the table is made as large as the file says before its keys come", () => {
  const bytes = snapshotOf(keyspaceWith(Array.from({ length: 1000 }, (_, index) => [`k${index}`, "v"])));
  let buckets = 0;
  const into = new Keyspace(new KeyHash(1, 2), 16);
  load(bytes, { into, between: () => (buckets ||= into.tables.bucketCount(into.databases[0]!.table)) });
  assert.equal(into.tables.bucketCount(into.databases[0]!.table), buckets);
});

test("auxiliary fields are told", () => {
  const told: string[] = [];
  load(smallFile(), { onAuxiliary: (name: string, value: string) => told.push(`${name}=${value}`) });
  assert.deepEqual(told, ["redis-ver=7.2.4"]);
});
