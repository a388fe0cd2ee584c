import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { AofReader } from "../../history/formats/aof-reader.ts";
import { CommandLog, type LogCursor } from "../../history/log/command-log.ts";
import { type Annotating, IncrementWriter } from "./increment-writer.ts";

const ID = "0123456789abcdef0123456789abcdef01234567";
const PATH = "/i";

interface Bench {
  readonly disk: VirtualDisk;
  readonly log: CommandLog;
  readonly cursor: LogCursor;
  readonly writer: IncrementWriter;
  /** One unit: a SET for each value. */
  readonly unit: (timeMs: number, source: string, ...values: string[]) => void;
  readonly write: () => void;
  readonly text: () => string;
}

function bench(annotating: Partial<Annotating> = {}, startOffset = 0): Bench {
  const disk = new VirtualDisk();
  const log = new CommandLog(ID);
  log.continueAt(ID, startOffset);
  const cursor = log.openCursor();
  const settings = { marksTimes: false, timestamps: false, ...annotating };
  const writer = new IncrementWriter(disk.open(PATH, "append"), 0, settings, false);
  return {
    disk,
    log,
    cursor,
    writer,
    unit: (timeMs, source, ...values) => {
      for (const value of values) {
        log.begin(0, 3);
        log.word("SET");
        log.word("k");
        log.word(value);
      }
      log.endUnit(timeMs, source);
    },
    write: () => writer.write(log, cursor),
    text: () => disk.bytes(PATH)!.toString("latin1"),
  };
}

const set = (value: string): string => `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n${value}\r\n`;
const SELECT = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

describe("an increment", () => {
  test("begins with its time and its place in the log, then holds the log's bytes", () => {
    const { unit, write, text, cursor, log, writer } = bench({}, 700);
    unit(5000, "", "a");
    write();
    unit(6000, "", "b", "c");
    write();
    const commands = `${SELECT}${set("a")}*1\r\n$5\r\nMULTI\r\n${set("b")}${set("c")}*1\r\n$4\r\nEXEC\r\n`;
    assert.equal(text(), `#EK:5000 at ${ID} 700\r\n${commands}`);
    assert.equal(cursor.offset, log.tailOffset);
    assert.equal(log.tailOffset, 700 + commands.length);
    assert.equal(writer.wholeBytes, text().length);
  });

  test("is left alone while there is nothing to write", () => {
    const { write, text } = bench({ marksTimes: true });
    write();
    assert.equal(text(), "");
  });

  test("says times in milliseconds and who it was, each once, between units", () => {
    const { unit, write, text } = bench({ marksTimes: true });
    unit(5000, "", "a");
    unit(5000, "", "b");
    unit(5001, "expired", "c");
    unit(5001, "", "d");
    unit(5001, "127.0.0.1:9", "e", "f");
    write();
    assert.equal(
      text(),
      `#EK:5000 at ${ID} 0\r\n${SELECT}${set("a")}${set("b")}#EK:5001 by expired\r\n${set("c")}#EK:5001\r\n${set("d")}` +
        `#EK:5001 by 127.0.0.1:9\r\n*1\r\n$5\r\nMULTI\r\n${set("e")}${set("f")}*1\r\n$4\r\nEXEC\r\n`,
    );
  });

  test("has Redis's own lines when they are wanted, one a second", () => {
    const { unit, write, text } = bench({ timestamps: true });
    unit(5000, "", "a");
    unit(5999, "", "b");
    write();
    unit(6000, "", "c");
    write();
    assert.equal(text(), `#EK:5000 at ${ID} 0\r\n#TS:5\r\n${SELECT}${set("a")}${set("b")}#TS:6\r\n${set("c")}`);
  });

  test("that was loaded is gone on with; it says its place only when nothing in it does", () => {
    for (const isPlaced of [true, false]) {
      const disk = new VirtualDisk();
      disk.put(PATH, Buffer.from(set("old")));
      const log = new CommandLog(ID);
      log.continueAt(ID, 33);
      const cursor = log.openCursor();
      const bytes = disk.bytes(PATH)!.length;
      const settings = { marksTimes: false, timestamps: false };
      const writer = new IncrementWriter(disk.open(PATH, "append"), bytes, settings, isPlaced);
      log.begin(0, 1);
      log.word("X");
      log.endUnit(77, "");
      writer.write(log, cursor);
      const place = isPlaced ? "" : `#EK:77 at ${ID} 33\r\n`;
      assert.equal(disk.bytes(PATH)!.toString(), `${set("old")}${place}${SELECT}*1\r\n$1\r\nX\r\n`);
    }
  });

  test("a write that fails leaves the cursor, and is cut off and written again, with all its lines", () => {
    for (const tornShare of [0, 0.3, 0.99, 1]) {
      const { disk, unit, write, text, cursor, writer } = bench({ marksTimes: true, timestamps: true });
      unit(5000, "", "a");
      write();
      const whole = text();
      const { offset } = cursor;
      unit(7000, "expired", "b".repeat(100));
      disk.tornShare = tornShare;
      disk.fault = (_step, operation) => (operation === "write" ? "EIO" : undefined);
      for (let tries = 0; tries < 3; tries++) assert.throws(write, /Input\/output error/);
      assert.equal(cursor.offset, offset);
      assert.equal(writer.wholeBytes, whole.length);
      disk.fault = (_step, operation) => (operation === "truncate" ? "EIO" : undefined);
      assert.throws(write, /truncate/);
      disk.fault = () => undefined;
      write();
      assert.equal(text(), `${whole}#TS:7\r\n#EK:7000 by expired\r\n${set("b".repeat(100))}`);
      assert.equal(writer.wholeBytes, text().length);
    }
  });

  test("any story of units, writes and failures is read back as it was", (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    for (let round = 0; round < 15; round++) {
      const marksTimes = random.chance(0.7);
      const { disk, unit, write, writer, log } = bench({ marksTimes, timestamps: random.chance(0.5) }, 1000);
      disk.fault = (_step, operation) => (operation === "write" && random.chance(0.2) ? "ENOSPC" : undefined);
      const expected: string[] = [];
      let timeMs = 1000;
      for (let step = 0; step < 40; step++) {
        if (random.chance(0.3)) timeMs += random.pick([1, 50, 3000]);
        const source = random.pick(["", "", "expired", "1.2.3.4:5"]);
        const count = random.pick([1, 1, 2, 4]);
        const values = Array.from({ length: count }, () =>
          "v".repeat(random.pick([1, 20, 1000, 70_000, 262_144 - 400, 300_000])),
        );
        unit(timeMs, source, ...values);
        for (const value of values) {
          const told = marksTimes ? `${timeMs} ${source}` : "";
          expected.push(`${value.length} ${told}`);
        }
        disk.tornShare = random.pick([0, 0.5, 1]);
        if (random.chance(0.5)) {
          try {
            write();
          } catch {
            // It is tried again.
          }
        }
      }
      disk.fault = () => undefined;
      write();
      const reader = new AofReader(disk.open(PATH, "read"));
      const found: string[] = [];
      for (let record = reader.next(); record !== "end"; record = reader.next()) {
        if (record !== "command" || !reader.request.is(0, "SET")) continue;
        const told = marksTimes ? `${reader.timeMs} ${reader.source ?? ""}` : "";
        found.push(`${reader.request.length[2]!} ${told}`);
      }
      assert.deepEqual(found, expected);
      assert.equal(reader.wholeLogOffset, log.tailOffset);
      assert.equal(reader.wholeBytes, writer.wholeBytes);
    }
  });
});
