/** DEBUG beside the real redis-server: digests, sizes and replies of the same data. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pairOfServers } from "../../../test/support/pair-of-servers.ts";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";

const pair = pairOfServers("debug", { "enable-debug-command": "yes", "enable-protected-configs": "yes" });
const { both, equal } = pair;

function randomValue(random: SeededRandom): Buffer | string {
  switch (random.below(6)) {
    case 0:
      return String(random.below(100_000) - 50_000);
    case 1:
      return `${random.below(1 << 30)}${random.below(1 << 30)}`;
    case 2:
      return "ab".repeat(random.below(200));
    case 3:
      return "";
    default:
      return Buffer.from(Array.from({ length: random.below(120) }, () => random.below(256)));
  }
}

test("DEBUG DIGEST and DIGEST-VALUE give the real server's digests for equal data", async () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  await both("FLUSHALL");
  for (const database of [0, 3, 9]) {
    await both("SELECT", database);
    for (let index = 0; index < 60; index++) {
      const key = Buffer.from(`key ${index} ${String.fromCharCode(random.below(256))}`, "latin1");
      await both("SET", key, randomValue(random));
      if (random.below(4) === 0) await both("PEXPIREAT", key, 99_999_999_999_999);
      assert.match(await equal("DEBUG", "DIGEST-VALUE", key, "none"), /^\*2/, `seed ${seed}`);
    }
  }
  assert.match(await equal("DEBUG", "DIGEST"), /^\+[0-9a-f]{40}\r\n$/, `seed ${seed}`);
  await both("SELECT", 0);
});

test("the digest of nothing is all zeros, and follows every change", async () => {
  await both("FLUSHALL");
  assert.equal(await equal("DEBUG", "DIGEST"), `+${"0".repeat(40)}\r\n`);
  const seen = new Set<string>();
  for (const words of ["SET a 1", "SET a 2", "SET b 2", "EXPIRE b 1000", "PERSIST b", "DEL a", "SELECT 1", "SET b 2"]) {
    await both(...words.split(" "));
    seen.add(await equal("DEBUG", "DIGEST"));
  }
  // PERSIST takes EXPIRE back, SELECT changes nothing.
  assert.equal(seen.size, 6);
  await both("SELECT", 0);
});

test("DEBUG OBJECT shows the real server's encoding, references and serialized length", async () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const shown = (line: string): string => /refcount.*serializedlength:\d+/.exec(line)?.[0] ?? line;
  const values: (string | Buffer)[] = ["42", "9999", "10000", "-1", "300", "70000", "1234567890123", "a".repeat(20)];
  // Nothing to compress: bytes of a row in which no three come again.
  for (const length of [21, 44, 45, 63, 64, 200]) {
    values.push(Buffer.from(Array.from({ length }, (_, index) => (index * 37) & 255)));
  }
  for (let index = 0; index < 50; index++) values.push(Buffer.from(randomValue(random)).subarray(0, 20));
  for (const value of values) {
    await both("SET", "k", value);
    const [own, real] = await both("DEBUG", "OBJECT", "k");
    assert.match(own, /^\+Value at:0x[0-9a-f]+ refcount:\d+ .* lru:\d+ lru_seconds_idle:\d+\r\n$/);
    assert.equal(shown(own), shown(real), `value ${JSON.stringify(value)}, seed ${seed}`);
  }
});

// The real server's compressor starts with whatever lies in its table, so its lengths are not always the same.
test("the serialized length of a compressed string is that of its DUMP, and about the real server's", async () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const serialized = (line: string): number => Number(/serializedlength:(\d+)/.exec(line)?.[1]);
  const values = ["abc".repeat(5000), "a".repeat(45), "x".repeat(70_000)];
  for (let index = 0; index < 30; index++)
    values.push(`${random.below(1000)} is a word; `.repeat(4 + random.below(60)));
  for (const value of values) {
    await both("SET", "k", value);
    const [own, real] = await both("DEBUG", "OBJECT", "k");
    const dump = String(await pair.ours.ask("DUMP", "k"));
    // Type before, version and sum behind.
    assert.equal(serialized(own), dump.length - 11, `seed ${seed}`);
    assert.ok(serialized(own) < value.length, `seed ${seed}`);
    assert.ok(Math.abs(serialized(own) - serialized(real)) <= 8, `${own} ${real} seed ${seed}`);
  }
});

test("DEBUG PROTOCOL sends each type as the real server does, in both protocols", async () => {
  for (const protocol of [2, 3]) {
    await both("HELLO", protocol);
    for (const type of "string integer double bignum null array set map attrib verbatim true false nosuch".split(" ")) {
      await equal("DEBUG", "PROTOCOL", type);
    }
  }
  // What is pushed comes beside the replies.
  await both("DEBUG", "PROTOCOL", "PUSH");
  assert.deepEqual(pair.ours.pushes, pair.theirs.pushes);
  assert.equal(pair.ours.pushes.length, 1);
  await both("HELLO", 2);
  await equal("DEBUG", "PROTOCOL", "push");
});

test("DEBUG RELOAD leaves the data as it was", async () => {
  await both("FLUSHALL");
  await both("DEBUG", "POPULATE", 1000);
  await both("DEBUG", "POPULATE", 10, "long", 1000);
  await both("SET", "timed", "x", "PX", 10_000_000);
  const before = await equal("DEBUG", "DIGEST");
  await equal("DEBUG", "RELOAD");
  assert.equal(await equal("DEBUG", "DIGEST"), before);
  await both("SET", "more", "data");
  const more = await equal("DEBUG", "DIGEST");
  await equal("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE");
  assert.equal(await equal("DEBUG", "DIGEST"), more);
  await equal("DEBUG", "RELOAD", "NOSAVE");
  assert.equal(await equal("DEBUG", "DIGEST"), before);
  await equal("DEBUG", "RELOAD", "SOMETIMES");
});

test("DEBUG RELOAD NOSAVE without a file changes nothing", async () => {
  await pair.ours.ask("CONFIG", "SET", "dbfilename", "none.rdb");
  await pair.ours.ask("SET", "kept", "1");
  const reply = await pair.ours.call("DEBUG", "RELOAD", "NOSAVE");
  assert.equal(reply?.toString(), "-ERR Error trying to load the RDB dump, check server logs.\r\n");
  assert.equal(await pair.ours.ask("GET", "kept"), "1");
  await pair.ours.ask("CONFIG", "SET", "dbfilename", "dump.rdb");
});

test("DEBUG answers as the real server where nothing depends on its insides", async () => {
  await both("FLUSHALL");
  await both("SET", "s", "hello");
  for (const words of [
    "",
    "NOSUCH",
    "DIGEST more",
    "DIGEST-VALUE",
    "OBJECT",
    "OBJECT none",
    "SDSLEN none",
    "LISTPACK none",
    "LISTPACK s",
    "QUICKLIST s",
    "HTSTATS 99",
    "HTSTATS x",
    "HTSTATS-KEY s",
    "HTSTATS-KEY none",
    "HTSTATS 5",
    "CLIENT-EVICTION",
    "ERROR CODE of it",
    "LOG words",
    "CHANGE-REPL-ID",
    "PAUSE-CRON 1",
    "PAUSE-CRON 0",
    "PAUSE-CRON",
    "SET-ACTIVE-EXPIRE 0",
    "SET-ACTIVE-EXPIRE 1",
    "SET-SKIP-CHECKSUM-VALIDATION 1",
    "SET-SKIP-CHECKSUM-VALIDATION 0",
    "REPLYBUFFER RESIZING 0",
    "REPLYBUFFER PEAK-RESET-TIME NEVER",
    "REPLYBUFFER PEAK-RESET-TIME RESET",
    "REPLYBUFFER PEAK-RESET-TIME 100",
    "REPLYBUFFER PEAK-RESET-TIME soon",
    "REPLYBUFFER NOSUCH 1",
    "QUICKLIST-PACKED-THRESHOLD 100b",
    "QUICKLIST-PACKED-THRESHOLD 5gb",
    "QUICKLIST-PACKED-THRESHOLD many",
    "QUICKLIST-PACKED-THRESHOLD 0",
    "SLEEP 0",
    "SLEEP soon",
    "CLUSTERLINK KILL all x",
    "POPULATE",
    "POPULATE x",
    "POPULATE -1",
    "POPULATE 3 p x",
    "POPULATE 3",
    "POPULATE 3 q 3",
    "DIGEST",
  ]) {
    await equal("DEBUG", ...words.split(" ").filter((word) => word !== ""));
  }
});

test("RESTORE takes a payload with a wrong sum while checksums are skipped", async () => {
  await both("SET", "s", "hello");
  const payload = Buffer.from(String(await pair.ours.ask("DUMP", "s")), "latin1");
  payload[payload.length - 1]! ^= 1;
  assert.match(await equal("RESTORE", "t", 0, payload), /^-ERR DUMP payload/);
  await both("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1);
  assert.equal(await equal("RESTORE", "t", 0, payload), "+OK\r\n");
  await both("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0);
  assert.equal(await equal("GET", "t"), "$5\r\nhello\r\n");
});

test("DEBUG VERIFY finds the server's own structures sound", async () => {
  await pair.ours.ask("DEBUG", "POPULATE", 3000, "v", 20);
  assert.equal(await pair.ours.ask("DEBUG", "VERIFY"), "OK");
});

test("what Everkey does not do is refused with a reason", async () => {
  // There is something to load only where the append-only file is on: see the differential tests of that.
  for (const words of ["LOADAOF", "LEAK x", "RESTART", "CRASH-AND-RECOVER 10"]) {
    const reply = (await pair.ours.call("DEBUG", ...words.split(" ")))?.toString() ?? "";
    assert.match(reply, /^-ERR DEBUG [A-Z]+ .*(refused|no append-only file)/, words);
  }
  assert.match(String(await pair.ours.call("DEBUG", "OOM")), /^-OOM /);
});
