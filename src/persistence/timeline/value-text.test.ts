import assert from "node:assert/strict";
import { test } from "node:test";
import { HistoryMaker } from "./timeline.test.support.ts";
import { isSameValue, modelOf, payloadKind, type ValueModel, valuePayload } from "./value-model.ts";
import { changeText, SHORT_VALUE, valueText, WHOLE_VALUE } from "./value-text.ts";

/** The value that commands give the key k. */
function payload(...commands: (readonly (string | number)[])[]): Uint8Array {
  const maker = new HistoryMaker();
  for (const words of commands) assert.doesNotMatch(maker.send(...words), /^-/);
  const { keyspace } = maker;
  return valuePayload(keyspace, keyspace.lookupSilently(keyspace.databases[0]!, Buffer.from("k")));
}

const model = (...commands: (readonly (string | number)[])[]): ValueModel => modelOf(payload(...commands));

const LIST = model(["RPUSH", "k", "a", "b", "c"]);
const HASH = model(["HSET", "k", "f", "1", "g", "2"]);
const SCORES = model(["ZADD", "k", 1.5, "x", 2, "y"]);
const STREAM = model(["XADD", "k", "5-1", "f", "v", "g", "w"], ["XADD", "k", "6-0", "f", 'a"] ["b']);

test("values are shown by type", () => {
  assert.equal(valueText(model(["SET", "k", "a\r\nb"]), SHORT_VALUE), '"a\\r\\nb"');
  assert.equal(valueText(model(["SET", "k", "x".repeat(60)]), SHORT_VALUE), `"${"x".repeat(48)}…" (60 bytes)`);
  assert.equal(valueText(LIST, SHORT_VALUE), 'list of 3: "a" "b" "c"');
  assert.equal(valueText(model(["SADD", "k", "b", "a"]), SHORT_VALUE), 'set of 2: "a" "b"');
  assert.equal(valueText(HASH, SHORT_VALUE), 'hash of 2: "f"="1" "g"="2"');
  assert.equal(valueText(SCORES, SHORT_VALUE), 'zset of 2: "x"=1.5 "y"=2');
  assert.equal(valueText(STREAM, SHORT_VALUE), 'stream of 2: 5-1("f"="v" "g"="w") 6-0("f"="a\\"] [\\"b")');
  const long = model(["RPUSH", "k", ...Array.from({ length: 9 }, (_, index) => index)]);
  assert.match(valueText(long, SHORT_VALUE), /"4" … \(\+4\)$/);
  assert.match(valueText(long, WHOLE_VALUE), /"8"$/);
});

test("changes show what came and what went", () => {
  const text = (before: ValueModel, after: ValueModel): string => changeText(before, after, SHORT_VALUE);
  assert.equal(text(model(["SET", "k", 1]), model(["SET", "k", 2])), '"1" → "2"');
  assert.equal(text(model(["SET", "k", 1]), LIST), '"1" → list of 3: "a" "b" "c"');
  assert.equal(text(LIST, model(["RPUSH", "k", "a", "x", "c"])), 'list of 3: - "b"  + "x"');
  assert.equal(text(LIST, model(["RPUSH", "k", "a", "b", "c", "d"])), 'list of 3 → 4: + "d"');
  assert.equal(text(HASH, model(["HSET", "k", "f", "1", "g", "3"])), 'hash of 2: - "g"="2"  + "g"="3"');
  assert.equal(text(SCORES, model(["ZADD", "k", 1.5, "x"])), 'zset of 2 → 1: - "y"=2');
  const grouped = model(["XADD", "k", "5-1", "f", "v"], ["XGROUP", "CREATE", "k", "g", "$"]);
  assert.match(text(model(["XADD", "k", "5-1", "f", "v"]), grouped), /^stream of 1: groups or numbers/);
});

test("the form in which a value is stored makes no difference", () => {
  const small = payload(["SADD", "k", "a", "b", "c"]);
  const once = payload(["SADD", "k", "c", "x".repeat(100)], ["SREM", "k", "x".repeat(100)], ["SADD", "k", "b", "a"]);
  assert.notDeepEqual(Buffer.from(small), Buffer.from(once));
  assert.equal(isSameValue(small, once), true);
  assert.equal(isSameValue(small, payload(["SADD", "k", "a", "b", "d"])), false);
  assert.equal(isSameValue(payload(["RPUSH", "k", "a", "b"]), payload(["RPUSH", "k", "b", "a"])), false);
  assert.equal(isSameValue(small, payload(["RPUSH", "k", "a", "b", "c"])), false);
  assert.equal(payloadKind(small), "set");
});
