import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyHash } from "../../core/sip-hash.ts";
import { Defragmenter } from "./defragmenter.ts";
import { Keyspace, NO_EXPIRY } from "./keyspace.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A keyspace whose frames are nearly empty: every tenth key of many is left. */
function sparseKeyspace(): { keyspace: Keyspace; kept: Map<string, string> } {
  const keyspace = new Keyspace(new KeyHash(3, 5), 2);
  keyspace.nowMs = 1000;
  const kept = new Map<string, string>();
  for (let index = 0; index < 20_000; index++) {
    const database = keyspace.databases[index % 2]!;
    const key = bytesOf(`key:${index}`);
    const value = bytesOf(`${"v".repeat(index % 600)}${index}`);
    const expireAtMs = index % 3 === 0 ? 5000 + index : NO_EXPIRY;
    keyspace.setString(database, key, 0, key.length, value, 0, value.length, expireAtMs);
  }
  for (let index = 0; index < 20_000; index++) {
    const key = bytesOf(`key:${index}`);
    if (index % 10 < 2) kept.set(`key:${index}`, `${"v".repeat(index % 600)}${index}`);
    else keyspace.delete(keyspace.databases[index % 2]!, key, 0, key.length);
  }
  return { keyspace, kept };
}

function check(keyspace: Keyspace, kept: Map<string, string>): void {
  keyspace.verify();
  assert.equal(keyspace.totalKeys(), kept.size);
  for (const [name, value] of kept) {
    const index = Number(name.slice(4));
    const key = bytesOf(name);
    const record = keyspace.lookupQuietly(keyspace.databases[index % 2]!, key, 0, key.length);
    assert.notEqual(record, 0);
    keyspace.readValue(record);
    const { valueBytes, valueStart, valueLength } = keyspace;
    assert.equal(Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString(), value);
    assert.equal(keyspace.records.expireAtMs(record), index % 3 === 0 ? 5000 + index : -1);
  }
}

test("a walk makes most of the waste free for other sizes and changes no key", () => {
  const { keyspace, kept } = sparseKeyspace();
  const before = keyspace.arena.statistics();
  const defragmenter = new Defragmenter(keyspace);
  assert.equal(
    defragmenter.slice(() => false),
    false,
  );
  const after = keyspace.arena.statistics();
  assert.equal(after.usedBytes, before.usedBytes);
  assert.ok(after.activeBytes - after.usedBytes < (before.activeBytes - before.usedBytes) * 0.4);
  assert.ok(defragmenter.movedCells > 0);
  check(keyspace, kept);
});

test("a walk in slices of one look each comes to its end, with writes between them", () => {
  const { keyspace, kept } = sparseKeyspace();
  const defragmenter = new Defragmenter(keyspace);
  let slices = 0;
  while (defragmenter.slice(() => true)) {
    const name = `key:${20_000 + slices * 3}`;
    const index = 20_000 + slices * 3;
    const value = `${"v".repeat(index % 600)}${index}`;
    const expireAtMs = index % 3 === 0 ? 5000 + index : NO_EXPIRY;
    const bytes = bytesOf(value);
    keyspace.setString(
      keyspace.databases[index % 2]!,
      bytesOf(name),
      0,
      name.length,
      bytes,
      0,
      bytes.length,
      expireAtMs,
    );
    kept.set(name, value);
    slices++;
  }
  assert.ok(slices > 10);
  assert.equal(defragmenter.isRunning, false);
  check(keyspace, kept);
});

test("it is worth while only above both thresholds", () => {
  const { keyspace } = sparseKeyspace();
  const defragmenter = new Defragmenter(keyspace);
  assert.equal(defragmenter.isWorthwhile(), false);
  defragmenter.ignoredBytes = 1;
  assert.equal(defragmenter.isWorthwhile(), true);
  defragmenter.thresholdPercent = 100_000;
  assert.equal(defragmenter.isWorthwhile(), false);
});
