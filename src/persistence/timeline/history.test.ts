import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { CommandFilter, type FilterWishes } from "./command-filter.ts";
import { commandText, quoted, WHOLE } from "./command-text.ts";
import { findInBase, History, incrementsBetween } from "./history.ts";
import { HistoryMaker, headless, randomHistory } from "./timeline.test.support.ts";
import { Timeline } from "./timeline.ts";

const { commands } = headless();

/** What a filter lets through, as "time offset db source command". */
function shown(maker: HistoryMaker, wishes: FilterWishes): string[] {
  const timeline = Timeline.open(maker.disk, "/data");
  const filter = new CommandFilter(wishes, commands);
  const { first, last } = incrementsBetween(timeline, filter.fromMs, filter.toMs);
  if (last < first) return [];
  const history = new History(timeline, filter, first, last);
  const rows: string[] = [];
  for (let step = history.next(); step !== "end"; step = history.next()) {
    const { database, source, request } = history.walk.reader;
    rows.push(step === "gap" ? "gap" : `${database} ${source ?? "-"} ${commandText(request)}`);
  }
  return rows;
}

function small(): HistoryMaker {
  const maker = new HistoryMaker();
  maker.send("SET", "user:42", "a");
  maker.send("SET", "other", "user:42");
  maker.advance(1000);
  maker.send("MSET", "x", 1, "user:42", "user:43");
  maker.send("SELECT", 1);
  maker.send("HSET", "h", "user:42", 1);
  maker.rewrite();
  maker.send("RENAME", "h", "user:43");
  maker.advance(1000);
  maker.send("PEXPIRE", "user:43", 10);
  maker.advance(20);
  maker.send("GET", "user:43");
  maker.send("FLUSHDB");
  return maker;
}

const CLIENT = "127.0.0.1:5000";

describe("the history", () => {
  test("of a key has the commands that name it as a key, and those that concern all keys", () => {
    const maker = small();
    assert.deepEqual(shown(maker, { key: "user:42" }), [
      `0 ${CLIENT} SET "user:42" "a"`,
      `0 ${CLIENT} MSET "x" "1" "user:42" "user:43"`,
      `1 ${CLIENT} FLUSHDB`,
    ]);
    const ofOther = shown(maker, { key: "user:43" });
    assert.equal(ofOther.length, 4);
    assert.match(ofOther[1]!, /PEXPIREAT "user:43"/);
    assert.equal(ofOther[2], '1 expired DEL "user:43"');
  });

  test("of a pattern has the commands of all such keys", () => {
    assert.equal(shown(small(), { key: "user:*" }).length, 6);
    assert.deepEqual(shown(small(), { key: "h?" }), [`1 ${CLIENT} FLUSHDB`]);
  });

  test("is filtered by command, source and time", () => {
    const maker = small();
    const all = shown(maker, {});
    assert.equal(all.length, 8);
    assert.ok(all.every((row) => !row.includes("SELECT")));
    assert.deepEqual(shown(maker, { commands: ["rename", "FLUSHDB"] }), [
      `1 ${CLIENT} RENAME "h" "user:43"`,
      `1 ${CLIENT} FLUSHDB`,
    ]);
    assert.deepEqual(shown(maker, { source: "exp*" }), ['1 expired DEL "user:43"']);
    assert.equal(shown(maker, { source: "127.*" }).length, 7);
    const first = maker.checkpoints[0]!.timeMs;
    assert.equal(shown(maker, { toMs: first }).length, 2);
    assert.equal(shown(maker, { fromMs: first + 1 }).length, 6);
    assert.equal(shown(maker, { fromMs: first + 1000, toMs: first + 1000 }).length, 3);
    assert.equal(shown(maker, { fromMs: first + 60_000 }).length, 0);
    assert.equal(shown(maker, { toMs: first - 60_000 }).length, 0);
  });

  test("of a literal key is what the pattern finds that matches nothing else", () => {
    const seed = freshSeed();
    const maker = randomHistory(new SeededRandom(seed), 300);
    for (const key of ["a", "user:1"]) {
      assert.deepEqual(shown(maker, { key }), shown(maker, { key: `[${key[0]}]${key.slice(1)}` }), `seed ${seed}`);
    }
  });

  test("knows what a key was in the base", () => {
    const maker = small();
    const timeline = Timeline.open(maker.disk, "/data");
    const [first, second] = timeline.bases;
    const key = Buffer.from("user:42");
    assert.deepEqual(findInBase(timeline, first!, key), []);
    assert.deepEqual(findInBase(timeline, second!, key), [{ database: 0, type: "string", expireAtMs: -1 }]);
  });
});

describe("commands as text", () => {
  test("quote what a terminal must not see", () => {
    const bytes = Buffer.from('a"\\\r\n\t\x07\x08\x00\xff é', "latin1");
    assert.equal(quoted(bytes, 0, bytes.length), '"a\\"\\\\\\r\\n\\t\\a\\b\\x00\\xff \\xe9"');
  });

  test("are cut where they are long, unless all is wanted", () => {
    const maker = new HistoryMaker();
    maker.send("SET", "k", "x".repeat(100));
    maker.send("RPUSH", "l", ...Array.from({ length: 20 }, (_, index) => index));
    const [set, push] = shown(maker, {});
    assert.ok(set!.endsWith(`SET "k" "${"x".repeat(64)}…" (+36 bytes)`));
    assert.ok(push!.endsWith('"10" … (+9 arguments)'));
    const timeline = Timeline.open(maker.disk, "/data");
    const history = new History(timeline, new CommandFilter({ commands: ["SET"] }, commands), 0, 0);
    history.next();
    assert.equal(commandText(history.walk.reader.request, WHOLE), `SET "k" "${"x".repeat(100)}"`);
    history.close();
  });
});
