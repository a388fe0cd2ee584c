import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCH_START_MS, CommandBench } from "./testing.ts";

/** A bench whose log is read: what one command records, as words parted by spaces. */
class LoggedBench extends CommandBench {
  private readonly cursor;

  constructor() {
    super();
    this.cursor = this.context.log.openCursor();
  }

  logged(command: string | readonly (string | Uint8Array)[]): string {
    const { log, keyspace } = this.context;
    this.run(command);
    log.endUnit(keyspace.nowMs, "");
    const bytes = Buffer.concat(log.read(this.cursor).map((piece) => piece.bytes.slice(piece.start, piece.end)));
    log.advance(this.cursor, log.tailOffset);
    const words = bytes.toString("latin1").split("\r\n");
    return words
      .filter((word) => !/^[*$]\d+$/.test(word))
      .join(" ")
      .trim();
  }
}

test("a time to live is recorded as the moment that it ends at, from the clock of the command", () => {
  const bench = new LoggedBench();
  assert.equal(bench.logged("SETEX k 10 v"), `SELECT 0 SET k v PXAT ${BENCH_START_MS + 10_000}`);
  bench.advance(5);
  assert.equal(bench.logged("PEXPIRE k 10"), `PEXPIREAT k ${BENCH_START_MS + 15}`);
});

test("a moment near the end of 64 bits is recorded as one that can be read again", () => {
  const bench = new LoggedBench();
  bench.run("SET k v");
  const left = 2n ** 63n - 1n - BigInt(BENCH_START_MS);
  assert.equal(bench.logged(`PEXPIRE k ${left}`), "SELECT 0 PEXPIREAT k 9223372036854775807");
  assert.equal(bench.run("PEXPIREAT k 9223372036854775807"), ":1\r\n");
});

test("while a log is replayed, a key whose time is over is set and stays", () => {
  const bench = new CommandBench();
  const dump = bench.run("SET d v") && bench.run("DUMP d");
  const payload = Buffer.from(dump.slice(dump.indexOf("\r\n") + 2, -2), "latin1");
  bench.keyspace.isReplaying = true;
  bench.run("SET s v PXAT 1");
  bench.run("SET e v");
  assert.equal(bench.run("PEXPIREAT e 5"), ":1\r\n");
  bench.run(["RESTORE", "r", "7", payload, "ABSTTL"]);
  assert.equal(bench.run("PEXPIRETIME s"), ":1\r\n");
  assert.equal(bench.run("PEXPIRETIME e"), ":5\r\n");
  assert.equal(bench.run("PEXPIRETIME r"), ":7\r\n");
  assert.equal(bench.run("PEXPIREAT e -5"), ":1\r\n");
  assert.equal(bench.run("EXISTS e"), ":0\r\n");
  bench.keyspace.isReplaying = false;
  assert.equal(bench.run("EXISTS s r"), ":0\r\n");
});

test("while a log is replayed, a stream is trimmed as far as recorded, whatever LIMIT says", () => {
  const bench = new CommandBench();
  for (const id of [1, 2, 3, 4, 5]) bench.run(`XADD s ${id}-0 f v`);
  assert.match(bench.run("XADD s MAXLEN = 2 LIMIT 1 6-0 f v"), /^-ERR/);
  bench.keyspace.isReplaying = true;
  bench.run("XADD s MAXLEN = 2 LIMIT 1 6-0 f v");
  assert.equal(bench.run("XLEN s"), ":2\r\n");
});

test("while a log is replayed, a delivery in what is the future here keeps its time", () => {
  const bench = new CommandBench();
  bench.run("XADD s 1-0 f v");
  bench.run("XGROUP CREATE s g 0");
  const claim = `XCLAIM s g c 0 1-0 TIME ${BENCH_START_MS + 5000} RETRYCOUNT 3 FORCE JUSTID LASTID 1-0`;
  bench.keyspace.isReplaying = true;
  bench.run(claim);
  bench.keyspace.isReplaying = false;
  bench.advance(7000);
  assert.match(bench.run("XPENDING s g - + 1"), /:2000\r\n:3\r\n$/);
});

test("nothing is recorded of a command that changed nothing, or that ran while nobody reads", () => {
  const bench = new LoggedBench();
  assert.equal(bench.logged("GETDEL absent"), "");
  assert.equal(bench.logged("SPOP absent 3"), "");
  assert.equal(bench.logged("GETEX absent PX 5"), "");
  const { log } = bench.context;
  const silent = new CommandBench();
  silent.run("SETEX k 10 v");
  assert.equal(silent.context.log.hasEffects(), false);
  assert.equal(log.hasEffects(), false);
});
