import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyHash } from "../core/sip-hash.ts";
import { Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";
import { Prefetch } from "./prefetch.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A keyspace that notes which keys it was asked to warm. */
class WatchedKeyspace extends Keyspace {
  readonly warmedKeys: string[] = [];

  constructor() {
    super(new KeyHash(1, 2), 1);
  }

  override warm(...words: Parameters<Keyspace["warm"]>): void {
    const [, source, starts, lengths, count] = words;
    for (let index = 0; index < count; index++) {
      const start = starts[index]!;
      this.warmedKeys.push(Buffer.from(source.subarray(start, start + lengths[index]!)).toString("latin1"));
    }
    super.warm(...words);
  }
}

function request(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

function lookOver(text: string): { keys: string[]; to: number } {
  const keyspace = new WatchedKeyspace();
  const input = bytesOf(text);
  const to = new Prefetch().run(keyspace, keyspace.databases[0]!, input, 0, input.length);
  return { keys: keyspace.warmedKeys, to };
}

test("the first arguments of whole requests are taken for keys", () => {
  const text = request("GET", "one") + request("PING") + request("SET", "a-key-of-eleven", "v") + request("DEL", "");
  const { keys, to } = lookOver(`${text}*2\r\n$3\r\nGET\r\n$3\r\nhal`);
  assert.deepEqual(keys, ["one", "a-key-of-eleven", ""]);
  assert.equal(to, text.length);
});

test("an unusual form ends the window before it", () => {
  const usual = request("GET", "one") + request("GET", "two");
  for (const unusual of [
    "GET three\r\n",
    `*10\r\n${"$1\r\nx\r\n".repeat(10)}`,
    request("GET", "k".repeat(100)),
    "*-1\r\n",
  ]) {
    const { keys, to } = lookOver(usual + unusual + usual);
    assert.deepEqual(keys, ["one", "two"]);
    assert.equal(to, usual.length);
  }
});

test("a window has at most 32 requests, and a single one is not worth it", () => {
  const one = request("GET", "key");
  assert.equal(lookOver(one.repeat(40)).keys.length, 32);
  assert.equal(lookOver(one.repeat(40)).to, one.length * 32);
  assert.deepEqual(lookOver(one).keys, []);
});

test("lookups find the same keys after warming, in order, out of order and with others between them", () => {
  const keyspace = new Keyspace(new KeyHash(7, 8), 1);
  const database = keyspace.databases[0]!;
  for (let index = 0; index < 500; index++) {
    const key = bytesOf(`key${index}`);
    keyspace.setString(database, key, 0, key.length, key, 0, key.length, NO_EXPIRY);
  }
  const names = ["key3", "absent", "key499", "key7", "key3"];
  const source = bytesOf(names.join(" "));
  const starts = Int32Array.from(names, (_, index) => names.slice(0, index).join(" ").length + (index > 0 ? 1 : 0));
  const lengths = Int32Array.from(names, (name) => name.length);
  const isThere = (index: number): boolean => keyspace.has(database, source, starts[index]!, lengths[index]!);
  for (const order of [
    [0, 1, 2, 3, 4],
    [4, 3, 2, 1, 0],
    [0, 2, 4],
    [2, 2, 0, 3],
  ]) {
    keyspace.warm(database, source, starts, lengths, names.length);
    for (const index of order) {
      assert.equal(isThere(index), names[index] !== "absent", names[index]);
      assert.equal(keyspace.has(database, bytesOf("xkey12"), 1, 5), true);
      // The same bytes at a place that was not seen.
      assert.equal(keyspace.has(database, source, starts[2]! + 1, 5), false);
    }
    keyspace.forgetWarm();
  }
  keyspace.forgetWarm();
  source.set(bytesOf("key4"), 0);
  assert.equal(keyspace.has(database, source, 0, 4), true, "nothing is remembered of bytes that have changed");
});
