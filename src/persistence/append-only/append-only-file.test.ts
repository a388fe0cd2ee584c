import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { CommandLog } from "../../history/log/command-log.ts";
import { ReplyGate } from "../../session/reply-gate.ts";
import { FakeConnection, VirtualClock } from "../../session/testing.ts";
import { AppendOnlyFile, type SyncPolicy } from "./append-only-file.ts";

const PATH = "/i";

class Bench {
  readonly disk = new VirtualDisk();
  readonly clock = new VirtualClock();
  readonly log = new CommandLog("a".repeat(40));
  readonly gate = new ReplyGate(this.log);
  readonly inner = new FakeConnection(1, {});
  readonly connection = this.gate.wrap(this.inner);
  /** fsyncs that are under way. */
  readonly syncs: (() => void)[] = [];
  readonly lines: string[] = [];
  faults = 0;
  readonly file: AppendOnlyFile;

  constructor(policy: SyncPolicy, restsDuringRewrite = false) {
    this.disk.later = (task) => this.syncs.push(task);
    this.file = new AppendOnlyFile(
      this.log,
      this.gate,
      {
        clock: this.clock,
        disk: this.disk,
        log: (_level, text) => this.lines.push(text),
        onFault: () => this.faults++,
      },
      { policy, restsDuringRewrite, marksTimes: false, timestamps: false },
    );
    this.file.open(PATH, 0, true);
    this.disk.syncDirectory("/");
  }

  /** A turn in which `words` are executed, with a reply that names them. */
  turn(...words: string[]): void {
    for (const word of words) {
      this.log.begin(0, 1);
      this.log.word(word);
      this.log.endUnit(1, "");
    }
    this.read(words.join(""));
    this.clock.runSoon();
  }

  /** A reply that tells what was read. */
  read(text: string): void {
    this.connection.write(Buffer.from(text), 0, text.length);
  }

  /** Lets time pass, with ten ticks a second. */
  advance(byMs: number): void {
    for (let left = byMs; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100));
      this.file.tick();
      this.clock.runSoon();
    }
  }

  endSync(): void {
    this.syncs.shift()!();
    this.clock.runSoon();
  }

  /** Commands in the file, as they were named; `isDurable` after a power cut. */
  words(isDurable = false, path = PATH): string {
    const bytes = (isDurable ? this.disk.afterCrash() : this.disk).bytes(path) ?? Buffer.alloc(0);
    return [...bytes.toString("latin1").matchAll(/\*1\r\n\$\d+\r\n(\w+)\r\n/g)].map((match) => match[1]).join("");
  }

  fail(operation: string, path = PATH): void {
    this.disk.fault = (_step, tried, where) => (tried === operation && where === path ? "EIO" : undefined);
  }

  heal(): void {
    this.disk.fault = () => undefined;
  }
}

describe("appendfsync always", () => {
  test("nobody hears of what is not on the device yet, and one fsync serves all that came until it began", () => {
    const bench = new Bench("always");
    bench.turn("A", "B");
    bench.turn("C");
    assert.equal(bench.inner.sent, "");
    assert.equal(bench.syncs.length, 1);
    bench.turn("D");
    bench.read("E");
    bench.endSync();
    assert.equal(bench.words(true), "AB");
    assert.equal(bench.inner.sent, "AB");
    assert.equal(bench.syncs.length, 1, "C and D go together");
    bench.endSync();
    assert.equal(bench.words(true), "ABCD");
    assert.equal(bench.inner.sent, "ABCDE");
    bench.advance(5000);
    assert.equal(bench.syncs.length, 0, "there is nothing to sync");
  });

  test("a write that fails closes those who wait, refuses writes, and is tried again every second", () => {
    for (const tornShare of [0, 0.5]) {
      const bench = new Bench("always");
      bench.disk.tornShare = tornShare;
      bench.turn("A");
      bench.endSync();
      bench.fail("write");
      bench.turn("B");
      assert.equal(bench.inner.isDestroyed, true);
      assert.equal(bench.inner.sent, "A");
      assert.deepEqual(bench.file.fault, { kind: "write", reason: "Input/output error" });
      assert.equal(bench.faults, 1);
      bench.advance(3000);
      assert.ok(bench.lines.filter((line) => line.includes("Error writing to the AOF file, again")).length >= 2);
      bench.heal();
      bench.advance(1100);
      assert.equal(bench.faults, 1, "all is written, but not on the device yet");
      bench.endSync();
      assert.equal(bench.file.fault, undefined);
      assert.equal(bench.faults, 2);
      assert.equal(bench.words(true), "AB");
    }
  });

  test("an fsync that fails while a write is being made good again makes the file untrusted", () => {
    const bench = new Bench("always");
    bench.fail("write");
    bench.turn("A");
    bench.fail("fsync");
    bench.advance(1100);
    bench.endSync();
    assert.equal(bench.file.fault?.kind, "fsync");
    bench.heal();
    bench.advance(5000);
    assert.equal(bench.file.fault?.kind, "fsync", "a later fsync that succeeds proves nothing");
    assert.equal(bench.syncs.length, 0);
  });

  test("an fsync that fails closes all who wait; reads go on, and what comes by itself waits for the new base", () => {
    const bench = new Bench("always");
    bench.turn("A");
    bench.turn("B");
    bench.fail("fsync");
    bench.endSync();
    assert.equal(bench.inner.isDestroyed, true);
    assert.equal(bench.inner.sent, "");
    assert.equal(bench.file.fault?.kind, "fsync");
    bench.heal();
    const before = bench.words();
    const other = new FakeConnection(2, {});
    const reader = bench.gate.wrap(other);
    for (const word of ["C", "D"]) {
      bench.log.removed(0, "DEL", Buffer.from(word), 0, 1);
      bench.log.endUnit(1, "expired");
      reader.write(Buffer.from(word), 0, 1);
      bench.clock.runSoon();
    }
    assert.equal(other.sent, "CD", "two in a row, although neither was written");
    assert.equal(bench.words(), before);

    bench.disk.open("/j", "create").close();
    const offset = bench.file.rotate("/j");
    assert.equal(offset, bench.log.tailOffset);
    assert.equal(bench.file.trust(), true);
    assert.equal(bench.file.fault, undefined);
    reader.write(Buffer.from("x"), 0, 1);
    bench.log.begin(0, 1);
    bench.log.word("E");
    bench.log.endUnit(1, "");
    reader.write(Buffer.from("e"), 0, 1);
    bench.clock.runSoon();
    assert.equal(other.sent, "CDx");
    bench.endSync();
    assert.equal(other.sent, "CDxe");
    assert.equal(bench.words(false, "/j"), "E");
    assert.equal(bench.disk.openFiles, 1);
  });

  test("a base whose increment is the file in doubt makes nothing good", () => {
    const bench = new Bench("always");
    bench.turn("A");
    bench.endSync();
    bench.disk.open("/j", "create").close();
    bench.file.rotate("/j");
    bench.endSync();
    bench.fail("fsync", "/j");
    bench.turn("B");
    bench.endSync();
    assert.equal(bench.file.trust(), false);
    assert.equal(bench.file.fault?.kind, "fsync");
    bench.heal();
    bench.disk.open("/k", "create").close();
    bench.file.rotate("/k");
    assert.equal(bench.file.trust(), true);
    assert.equal(bench.file.fault, undefined);
  });

  test("no-appendfsync-on-rewrite takes nothing back of what always promises", () => {
    const bench = new Bench("always", true);
    bench.file.isRewriting = true;
    bench.turn("A");
    assert.equal(bench.inner.sent, "");
    bench.endSync();
    assert.equal(bench.inner.sent, "A");
  });

  test("a change to everysec lets go of those who wait for a slow fsync, and one to always makes them wait", () => {
    const bench = new Bench("always");
    bench.turn("A");
    bench.turn("B");
    bench.file.settings.policy = "everysec";
    bench.advance(100);
    assert.equal(bench.inner.sent, "AB");
    bench.file.settings.policy = "always";
    bench.turn("C");
    assert.equal(bench.inner.sent, "AB");
    bench.endSync();
    bench.endSync();
    assert.equal(bench.inner.sent, "ABC");
    assert.equal(bench.words(true), "ABC");
  });
});

describe("appendfsync everysec and no", () => {
  test("a reply leaves when its effect is written, and within two seconds it is on the device", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    assert.equal(bench.inner.sent, "A");
    assert.equal(bench.words(), "A");
    assert.equal(bench.words(true), "");
    bench.advance(1100);
    assert.equal(bench.syncs.length, 1);
    bench.endSync();
    assert.equal(bench.words(true), "A");
    bench.advance(3000);
    assert.equal(bench.syncs.length, 0, "nothing is new");
  });

  test("with no the system decides", () => {
    const bench = new Bench("no");
    bench.turn("A");
    assert.equal(bench.inner.sent, "A");
    bench.advance(60_000);
    assert.equal(bench.syncs.length, 0);
    assert.equal(bench.words(), "A");
  });

  test("a slow fsync holds nobody: for two seconds effects wait in memory, then they are written beside it", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.advance(1100);
    assert.equal(bench.syncs.length, 1);
    for (let step = 0; step < 19; step++) {
      bench.turn("B");
      assert.equal(bench.inner.sent.length, step + 2, "each turn's reply leaves at its end");
      bench.advance(100);
    }
    assert.equal(bench.words(), "A");
    assert.equal(bench.file.waitingBytes() > 0, true);
    assert.equal(bench.file.delayedSyncs, 0);
    bench.advance(200);
    assert.equal(bench.words(), `A${"B".repeat(19)}`);
    assert.equal(bench.file.delayedSyncs, 1);
    assert.equal(bench.file.waitingBytes(), 0);
    bench.endSync();
    assert.equal(bench.words(true), "A", "what came later was not part of it");
    bench.advance(1100);
    bench.endSync();
    assert.equal(bench.words(true), `A${"B".repeat(19)}`);
  });

  test("what waited for an fsync is written when that has ended", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.advance(1100);
    bench.turn("B");
    assert.equal(bench.words(), "A");
    bench.endSync();
    assert.equal(bench.words(), "AB");
    assert.equal(bench.file.delayedSyncs, 0);
  });

  test("with no-appendfsync-on-rewrite nothing is synced while a rewrite runs", () => {
    const bench = new Bench("everysec", true);
    bench.file.isRewriting = true;
    bench.turn("A");
    bench.advance(10_000);
    assert.equal(bench.syncs.length, 0);
    bench.file.isRewriting = false;
    bench.advance(200);
    assert.equal(bench.syncs.length, 1);
  });

  test("a write that fails refuses writes, closes nobody, and is made good within a second", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.fail("write");
    bench.disk.tornShare = 0.7;
    bench.turn("B");
    assert.equal(bench.inner.isDestroyed, false);
    assert.equal(bench.inner.sent, "AB");
    assert.equal(bench.file.fault?.reason, "Input/output error");
    assert.equal(bench.words(), "A", "cut back at once");
    bench.heal();
    bench.advance(1100);
    assert.equal(bench.file.fault, undefined);
    assert.equal(bench.words(), "AB");
  });

  test("an fsync that fails refuses writes until there is a new base", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.advance(1100);
    bench.fail("fsync");
    bench.endSync();
    assert.equal(bench.file.fault?.kind, "fsync");
    assert.equal(bench.inner.isDestroyed, false);
    bench.heal();
    bench.advance(10_000);
    assert.equal(bench.file.fault?.kind, "fsync");
    assert.equal(bench.syncs.length, 0);
  });
});

describe("a file that follows another", () => {
  test("gets nothing before the one before it is on the device, however late that is", () => {
    for (const policy of ["always", "everysec", "no"] as const) {
      const bench = new Bench(policy);
      bench.turn("A");
      bench.disk.open("/j", "create").close();
      bench.disk.syncDirectory("/");
      bench.file.rotate("/j");
      bench.turn("B");
      bench.advance(5000);
      assert.equal(bench.words(false, "/j"), "", policy);
      assert.equal(bench.inner.sent, policy === "always" ? "" : "AB");
      while (bench.syncs.length > 0) bench.endSync();
      assert.equal(bench.words(true), "A");
      // Behind a slow fsync it is waited for others.
      bench.advance(10);
      assert.equal(bench.words(false, "/j"), "B");
      bench.advance(1100);
      while (bench.syncs.length > 0) bench.endSync();
      assert.equal(bench.inner.sent, "AB");
      assert.equal(bench.words(true, "/j"), policy === "no" ? "" : "B");
      assert.equal(bench.disk.openFiles, 1);
    }
  });

  test("is not begun when the rest cannot be written to the one before it", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.advance(1100);
    bench.turn("B");
    bench.fail("write");
    assert.throws(() => bench.file.rotate("/j"), /write \/i: Input\/output error/);
    assert.equal(bench.disk.openFiles, 1);
    bench.heal();
    bench.endSync();
    assert.equal(bench.words(), "AB");
  });

  test("several in a row while one fsync takes its time: each is made durable, none stays open", () => {
    const bench = new Bench("always");
    for (const path of ["/j", "/k", "/l"]) bench.disk.open(path, "create").close();
    bench.disk.syncDirectory("/");
    bench.turn("A");
    for (const [word, path] of [
      ["B", "/j"],
      ["C", "/k"],
      ["D", "/l"],
    ] as const) {
      bench.file.rotate(path);
      bench.turn(word);
    }
    while (bench.syncs.length > 0) bench.endSync();
    assert.equal(bench.inner.sent, "ABCD");
    const all = [PATH, "/j", "/k", "/l"].map((path) => bench.words(true, path)).join("");
    assert.equal(all, "ABCD");
    assert.equal(bench.disk.openFiles, 1);
  });
});

describe("the end of recording", () => {
  test("makes durable what was recorded and lets go of who waits, also beside an fsync that is under way", () => {
    const bench = new Bench("always");
    bench.turn("A");
    bench.turn("B");
    bench.file.abandon();
    assert.equal(bench.inner.sent, "AB");
    assert.equal(bench.words(true), "AB");
    assert.equal(bench.file.state, "off");
    bench.turn("C");
    assert.equal(bench.inner.sent, "ABC");
    bench.endSync();
    assert.equal(bench.disk.openFiles, 0);
    assert.equal(bench.words(), "AB");
  });

  test("closes who waits when the disk does not take it", () => {
    for (const operation of ["write", "fsync"]) {
      const bench = new Bench("always");
      bench.turn("A");
      bench.turn("B");
      bench.fail(operation);
      bench.file.abandon();
      assert.equal(bench.inner.isDestroyed, true);
      assert.equal(bench.inner.sent, "");
      assert.equal(bench.file.fault, undefined);
      bench.heal();
      while (bench.syncs.length > 0) bench.endSync();
      assert.equal(bench.disk.openFiles, 0);
    }
  });

  test("an fsync of the time before says nothing about the file of the time after", () => {
    const bench = new Bench("always");
    bench.turn("A");
    bench.file.abandon();
    bench.file.open("/j", 0, true);
    bench.turn("B");
    bench.fail("fsync");
    bench.syncs.shift()!();
    assert.equal(bench.file.fault, undefined);
    bench.heal();
    assert.equal(bench.inner.sent, "A");
    bench.endSync();
    assert.equal(bench.inner.sent, "AB");
  });

  test("a file that is in doubt is not called durable", () => {
    const bench = new Bench("everysec");
    bench.turn("A");
    bench.fail("fsync");
    assert.throws(() => bench.file.syncNow(), /fsync \/i: Input\/output error/);
    bench.heal();
    assert.throws(() => bench.file.syncNow(), /it failed before/);
  });
});
