import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBase, type KeptFile, superfluousCount } from "./aof-history.ts";

const HOUR_MS = 3_600_000;

/** Files written as "b10 i20": base or increment, and the hour in which it was written last; each of 100 bytes. */
function files(text: string): KeptFile[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word, index) => ({
      file: { name: `a.aof.${index + 1}.${word[0] === "b" ? "base.rdb" : "incr.aof"}`, seq: index + 1, type: "h" },
      bytes: 100,
      modifiedMs: Number(word.slice(1)) * HOUR_MS,
    }));
}

const count = (text: string, nowHours: number, keepHours: number, keepBytes = 0): number =>
  superfluousCount(files(text), { keepMs: keepHours * HOUR_MS, keepBytes }, nowHours * HOUR_MS);

describe("the history of the append-only file", () => {
  test("loses a stretch when its last file is too old, base and increments together", () => {
    const text = "b10 i11 i15 b15 i18 b18 i20";
    assert.equal(count(text, 20, 10), 0);
    assert.equal(count(text, 25, 10), 0, "the stretch reaches to 15 h, which is just kept");
    assert.equal(count(text, 26, 10), 3);
    assert.equal(count(text, 29, 10), 5);
    assert.equal(count(text, 100, 10), 7);
  });

  test("loses its beginning when it is larger than allowed, as a whole stretch", () => {
    const text = "b10 i11 i15 b15 i18 b18 i20";
    assert.equal(count(text, 20, 100, 700), 0);
    assert.equal(count(text, 20, 100, 699), 3);
    assert.equal(count(text, 20, 100, 400), 3);
    assert.equal(count(text, 20, 100, 399), 5);
    assert.equal(count(text, 20, 100, 1), 7);
  });

  test("keeps nothing with history-keep 0, and needs no base in front", () => {
    assert.equal(count("b10 i11", 12, 0), 2);
    assert.equal(count("i9 b10 i11", 20, 9.5), 1);
    assert.equal(count("", 20, 9.5), 0);
  });

  test("knows a base by its type or by its name", () => {
    assert.equal(isBase({ name: "appendonly.aof", seq: 1, type: "b" }), true);
    assert.equal(isBase({ name: "x.aof.1.base.aof", seq: 1, type: "h" }), true);
    assert.equal(isBase({ name: "x.base.rdb.1.incr.aof", seq: 1, type: "h" }), false);
  });

  test("what is left is an end of the list that begins at a stretch, fits, and is young enough", () => {
    const file = fc.record({ isBase: fc.boolean(), hours: fc.nat(50), bytes: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(file), fc.nat(60), fc.nat(60), fc.nat(300), (list, now, keep, keepBytes) => {
        const kept = list.map(
          ({ isBase: base, hours, bytes }, index): KeptFile => ({
            file: { name: `a.${index + 1}.${base ? "base.aof" : "incr.aof"}`, seq: index + 1, type: "h" },
            bytes,
            modifiedMs: hours * HOUR_MS,
          }),
        );
        const limits = { keepMs: keep * HOUR_MS, keepBytes };
        const removed = superfluousCount(kept, limits, now * HOUR_MS);
        const rest = kept.slice(removed);
        if (rest.length === 0) return;
        assert.ok(removed === 0 || isBase(rest[0]!.file));
        const bytes = rest.reduce((sum, each) => sum + each.bytes, 0);
        assert.ok(keepBytes === 0 || bytes <= keepBytes);
        const end = rest.findIndex((each, index) => index > 0 && isBase(each.file));
        const stretch = rest.slice(0, end === -1 ? rest.length : end);
        assert.ok(Math.max(...stretch.map(({ modifiedMs }) => modifiedMs)) >= (now - keep) * HOUR_MS);
      }),
    );
  });
});
