import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Request } from "../../protocol/request.ts";
import { CommandLog, type LogCursor } from "./command-log.ts";

const ID = "a".repeat(40);

function requestOf(words: readonly string[]): Request {
  const request = new Request();
  const bytes = Buffer.from(words.join(""), "latin1");
  request.reserve(words.length);
  request.input = bytes;
  request.count = words.length;
  let at = 0;
  words.forEach((word, index) => {
    request.offset[index] = at;
    request.length[index] = word.length;
    at += word.length;
  });
  return request;
}

const resp = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

function textFrom(log: CommandLog, cursor: LogCursor): string {
  return log
    .read(cursor)
    .map(({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)).toString("latin1"))
    .join("");
}

describe("the command log", () => {
  test("one effect stands as it is, several stay together, and the database is said when it changes", () => {
    const log = new CommandLog(ID);
    const cursor = log.openCursor();
    log.verbatim(requestOf(["SET", "k", "v"]), 0);
    log.endUnit(1, "");
    log.verbatim(requestOf(["DEL", "k"]), 3);
    log.begin(3, 3);
    log.word("SET");
    log.argument(requestOf(["x", "key"]), 1);
    log.integer(17);
    log.endUnit(1, "");
    const expected =
      resp("SELECT", "0") +
      resp("SET", "k", "v") +
      resp("MULTI") +
      resp("SELECT", "3") +
      resp("DEL", "k") +
      resp("SET", "key", "17") +
      resp("EXEC");
    assert.equal(textFrom(log, cursor), expected);
    assert.equal(log.tailOffset, expected.length);
  });

  test("a cut is where a reader who knows nothing can begin", () => {
    const log = new CommandLog(ID);
    const first = log.openCursor();
    log.verbatim(requestOf(["SET", "k", "v"]), 2);
    log.endUnit(5, "");
    const second = log.openCursor();
    log.verbatim(requestOf(["SET", "k", "w"]), 2);
    log.endUnit(5, "");
    assert.equal(textFrom(log, second), resp("SELECT", "2") + resp("SET", "k", "w"));
    assert.deepEqual(
      log.marksFrom(first).map(({ timeMs }) => timeMs),
      [5, 5],
    );
    assert.deepEqual(log.marksFrom(second), [{ offset: second.offset, timeMs: 5, source: "" }]);
  });

  test("times are noted when they change, and anew behind a unit whose author is known", () => {
    const log = new CommandLog(ID);
    const cursor = log.openCursor();
    const offsets: number[] = [];
    for (const [timeMs, source] of [
      [1, ""],
      [1, ""],
      [2, "expired"],
      [2, ""],
      [2, ""],
    ] as const) {
      offsets.push(log.tailOffset);
      log.verbatim(requestOf(["DEL", "k"]), 0);
      log.endUnit(timeMs, source);
    }
    assert.deepEqual(log.marksFrom(cursor), [
      { offset: offsets[0], timeMs: 1, source: "" },
      { offset: offsets[2], timeMs: 2, source: "expired" },
      { offset: offsets[3], timeMs: 2, source: "" },
    ]);
  });

  test("a key that goes by itself leaves what the command says of itself alone", () => {
    const log = new CommandLog(ID);
    const cursor = log.openCursor();
    log.isReplaced = false;
    log.removed(0, "DEL", Buffer.from("gone"), 0, 4);
    assert.equal(log.isReplaced, false);
    log.verbatim(requestOf(["LPUSH", "gone", "a"]), 0);
    log.endUnit(1, "");
    assert.equal(
      textFrom(log, cursor),
      resp("MULTI") + resp("SELECT", "0") + resp("DEL", "gone") + resp("LPUSH", "gone", "a") + resp("EXEC"),
    );
  });

  test("a unit of nothing but keys that went by themselves was nobody's doing", () => {
    const log = new CommandLog(ID);
    const cursor = log.openCursor();
    log.removed(0, "DEL", Buffer.from("a"), 0, 1, "expired");
    log.endUnit(1, "10.0.0.1:5");
    log.removed(0, "UNLINK", Buffer.from("b"), 0, 1, "evicted");
    log.verbatim(requestOf(["LPUSH", "b", "x"]), 0);
    log.endUnit(1, "10.0.0.1:5");
    log.verbatim(requestOf(["LPUSH", "c", "x"]), 0);
    log.endUnit(1, "");
    assert.deepEqual(
      log.marksFrom(cursor).map(({ source }) => source),
      ["expired", "10.0.0.1:5", ""],
    );
  });

  test("it tells of every unit, also while a reader has not read the one before", () => {
    const log = new CommandLog(ID);
    log.openCursor();
    let calls = 0;
    log.onAppend = () => calls++;
    log.endUnit(1, "");
    assert.equal(calls, 0, "a unit without effects is none");
    for (let count = 0; count < 3; count++) {
      log.verbatim(requestOf(["SET", "k", "v"]), 0);
      log.verbatim(requestOf(["SET", "l", "v"]), 0);
      log.endUnit(1, "");
    }
    assert.equal(calls, 3);
  });

  test("units of every length stand behind each other as they were recorded", () => {
    const log = new CommandLog(ID);
    const cursor = log.openCursor();
    let all = resp("SELECT", "0");
    for (let length = 0; length < 300; length++) {
      const value = String.fromCharCode(33 + (length % 90)).repeat(length);
      log.verbatim(requestOf(["SET", "k", value, ...Array<string>(length % 13).fill("")]), 0);
      log.endUnit(1, "");
      all += resp("SET", "k", value, ...Array<string>(length % 13).fill(""));
    }
    assert.equal(textFrom(log, cursor), all);
  });

  test("every reader reads the same from where it stands, and memory is given back: random units and readers", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ size: fc.nat(400_000), effects: fc.integer({ min: 1, max: 3 }) }),
            fc.record({ reader: fc.nat(2), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
          ),
          { maxLength: 60 },
        ),
        (steps) => {
          const log = new CommandLog(ID);
          const cursors = [log.openCursor(), log.openCursor(), log.openCursor()];
          let all = "";
          for (const step of steps) {
            if ("size" in step) {
              for (let index = 0; index < step.effects; index++) {
                log.verbatim(requestOf(["SET", "k", "x".repeat(step.size)]), 0);
              }
              log.endUnit(1, "");
              const text =
                (all === "" ? resp("SELECT", "0") : "") + resp("SET", "k", "x".repeat(step.size)).repeat(step.effects);
              all += step.effects === 1 ? text : resp("MULTI") + text + resp("EXEC");
            } else {
              const cursor = cursors[step.reader]!;
              log.advance(cursor, cursor.offset + Math.floor((log.tailOffset - cursor.offset) * step.share));
            }
            for (const cursor of cursors) assert.ok(textFrom(log, cursor) === all.slice(cursor.offset));
          }
          for (const cursor of cursors) log.advance(cursor, log.tailOffset);
          assert.ok(log.memoryBytes() <= 3 << 20, `${log.memoryBytes()} bytes are held`);
        },
      ),
      { numRuns: 60 },
    );
  });
});
