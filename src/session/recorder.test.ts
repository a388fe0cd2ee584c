import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import type { LogCursor } from "../history/log/command-log.ts";
import { World } from "./testing.ts";

/** A world whose log is read. */
class LoggedWorld extends World {
  private readonly cursor: LogCursor;

  constructor() {
    super(dataCommands());
    const { context } = this.dispatcher;
    context.keyspace.onRemoval = (database, record, reason) => context.removed(database, record, reason);
    this.cursor = context.log.openCursor();
  }

  /** What was recorded since the last call, words parted by spaces, commands by bars. */
  units(): string {
    const { log } = this.dispatcher.context;
    const bytes = Buffer.concat(log.read(this.cursor).map((piece) => piece.bytes.slice(piece.start, piece.end)));
    log.advance(this.cursor, log.tailOffset);
    const text = bytes.toString("latin1").replace(/\*\d+\r\n/g, "| ");
    return text
      .replace(/\$\d+\r\n/g, "")
      .replace(/\r\n/g, " ")
      .replace(/^\| /, "")
      .trim();
  }

  /** Who caused what was recorded since the last call of `units`. */
  sources(): string[] {
    const { log } = this.dispatcher.context;
    return log.marksFrom(this.cursor).map(({ source }) => source);
  }
}

describe("what stays together", () => {
  test("a command alone, and EXEC with one that changed something, need no MULTI", () => {
    const world = new LoggedWorld();
    const alice = world.connect();
    alice.ask("SET", "a", 1);
    for (const words of [["MULTI"], ["GET", "a"], ["INCR", "a"], ["SPOP", "none"], ["EXEC"]]) alice.ask(...words);
    assert.equal(world.units(), "SELECT 0 | SET a 1 | INCR a");
  });

  test("EXEC with several is one unit, and says databases within", () => {
    const world = new LoggedWorld();
    const alice = world.connect();
    for (const words of [["MULTI"], ["SET", "a", 1], ["SELECT", 3], ["INCR", "a"], ["EXEC"]]) alice.ask(...words);
    assert.equal(world.units(), "MULTI | SELECT 0 | SET a 1 | SELECT 3 | INCR a | EXEC");
    alice.ask("INCR", "a");
    assert.equal(world.units(), "INCR a");
  });

  test("who was waiting is served in a unit of its own, behind the one that served", () => {
    const world = new LoggedWorld();
    const [alice, bob] = [world.connect(), world.connect()];
    bob.ask("BLMOVE", "l", "m", "LEFT", "RIGHT", 0);
    assert.equal(world.units(), "");
    for (const words of [["MULTI"], ["RPUSH", "l", "x", "y"], ["SET", "a", 1], ["EXEC"]]) alice.ask(...words);
    assert.equal(world.units(), "MULTI | SELECT 0 | RPUSH l x y | SET a 1 | EXEC | LMOVE l m LEFT RIGHT");
  });

  test("a key that a command finds expired goes with it, one that goes by itself alone", () => {
    const world = new LoggedWorld();
    const alice = world.connect();
    alice.ask("SELECT", 1);
    alice.ask("SET", "a", 1, "PX", 5);
    alice.ask("SELECT", 0);
    alice.ask("SET", "b", 1, "PX", 5);
    world.units();
    world.clock.advance(100);
    alice.ask("INCR", "b");
    assert.equal(world.units(), "MULTI | DEL b | INCR b | EXEC");
    const { keyspace } = world.dispatcher.context;
    const seen = { records: 0, expired: 0, ttlMs: 0 };
    while (seen.expired === 0) keyspace.expireNext(keyspace.databases[1]!, seen);
    assert.deepEqual(world.sources(), ["expired"]);
    assert.equal(world.units(), "SELECT 1 | DEL a");
  });
});

describe("what is recorded of whom", () => {
  test("a command that takes all keys or rights is recorded with its client, others are not", () => {
    const world = new LoggedWorld();
    const alice = world.connect({ remoteAddress: "127.0.0.1:4000" });
    alice.ask("SET", "a", 1);
    assert.deepEqual(world.sources(), [""]);
    world.units();
    alice.ask("FLUSHALL");
    assert.deepEqual(world.sources(), ["127.0.0.1:4000"]);
    assert.equal(world.units(), "FLUSHALL");
  });

  test("FLUSHDB of nothing is recorded; reading is not", () => {
    const world = new LoggedWorld();
    const alice = world.connect();
    alice.ask("FLUSHDB");
    alice.ask("GET", "a");
    assert.equal(world.units(), "SELECT 0 | FLUSHDB");
  });
});
