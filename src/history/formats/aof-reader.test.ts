import assert from "node:assert/strict";
import { test } from "node:test";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { ANNOTATION_BYTES_MAX, writeMark, writePosition, writeTimestamp } from "./aof-annotations.ts";
import { AofFault } from "./aof-fault.ts";
import { commandBytes, MemoryFile, plainCommands } from "./aof-file.test.support.ts";
import { AofReader, type AofReaderOptions } from "./aof-reader.ts";

const ID = "0123456789abcdef0123456789abcdef01234567";

/** A record with all that the reader says of it. */
interface Seen {
  readonly kind: string;
  readonly words?: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly unitStart?: number;
  readonly logOffset?: number;
  readonly source?: string | undefined;
  readonly isInTransaction?: boolean;
  readonly endsUnit?: boolean;
  readonly database?: number;
  readonly timeMs: number;
}

function look(reader: AofReader, kind: string): Seen {
  const { start, end, timeMs } = reader;
  if (kind === "annotation") return { kind, start, end, timeMs };
  const { request, unitStart, logOffset, source, isInTransaction, endsUnit, database } = reader;
  const words = Array.from({ length: request.count }, (_, index) => request.text(index));
  return { kind, words, start, end, unitStart, logOffset, source, isInTransaction, endsUnit, database, timeMs };
}

interface Reading {
  readonly records: Seen[];
  readonly fault: AofFault | undefined;
  readonly wholeBytes: number;
}

/** All records of a file, and the fault that it ends with. */
function readAll(bytes: Uint8Array, options: AofReaderOptions = {}): Reading {
  return readOn(new AofReader(new MemoryFile(bytes), options));
}

function readOn(reader: AofReader): Reading {
  const records: Seen[] = [];
  let before = reader.wholeBytes;
  try {
    for (let kind = reader.next(); kind !== "end"; kind = reader.next()) {
      records.push(look(reader, kind));
      assert.ok(reader.wholeBytes >= before, "wholeBytes went back");
      before = reader.wholeBytes;
    }
    return { records, fault: undefined, wholeBytes: reader.wholeBytes };
  } catch (error) {
    assert.ok(error instanceof AofFault, String(error));
    return { records, fault: error, wholeBytes: reader.wholeBytes };
  }
}

const lineOf = (write: (target: Uint8Array, at: number) => number): Buffer => {
  const target = Buffer.alloc(ANNOTATION_BYTES_MAX);
  return target.subarray(0, write(target, 0));
};
const mark = (timeMs: number, source = "") => lineOf((target, at) => writeMark(target, at, timeMs, source));
const position = (timeMs: number, offset: number) =>
  lineOf((target, at) => writePosition(target, at, timeMs, ID, offset));

/** A file with all that a file can hold, and what is to be read of it, made beside each other. */
function randomFile(random: SeededRandom, itemCount: number): { bytes: Buffer; records: Seen[] } {
  const parts: Buffer[] = [];
  const records: Seen[] = [];
  let end = 0;
  let logOffset = Number.NaN;
  let timeMs = Number.NaN;
  let source: string | undefined;
  let database = 0;
  const annotation = (bytes: Buffer, newTimeMs: number) => {
    parts.push(bytes);
    timeMs = newTimeMs;
    records.push({ kind: "annotation", start: end, end: end + bytes.length, timeMs });
    end += bytes.length;
  };
  const command = (words: string[], unit: Partial<Seen>) => {
    const bytes = commandBytes(...words);
    parts.push(bytes);
    const place = { start: end, end: end + bytes.length, unitStart: end };
    records.push({
      kind: "command",
      words,
      ...place,
      logOffset,
      source,
      isInTransaction: false,
      endsUnit: true,
      database,
      timeMs,
      ...unit,
    });
    end += bytes.length;
    logOffset += bytes.length;
  };
  const anyWords = () => {
    const words = [random.pick(["SET", "get", "x", "select1", "PEXPIREAT", "MULTIX", "exe"])];
    for (let count = random.below(5); count > 0; count--) {
      const size = random.chance(0.1) ? random.below(300) : random.below(14);
      words.push(random.bytes(size).toString("latin1"));
    }
    return words;
  };
  for (let item = 0; item < itemCount; item++) {
    const now = random.below(2 ** 31) * 1000;
    const choice = random.below(10);
    if (choice === 0) {
      annotation(
        lineOf((target, at) => writeTimestamp(target, at, now / 1000)),
        now,
      );
    } else if (choice === 1) {
      annotation(mark(now + 7), now + 7);
    } else if (choice === 2) {
      source = random.pick(["127.0.0.1:5", "expired", "evicted", "[::1]:77"]);
      annotation(mark(now, source), now);
    } else if (choice === 3) {
      logOffset = random.below(1e9);
      source = undefined;
      annotation(position(now, logOffset), now);
    } else if (choice === 4) {
      annotation(Buffer.from(random.pick(["#\r\n", "#hello\n", "#EK:x\r\n", "#TS:\r\n"])), timeMs);
    } else if (choice === 5) {
      database = random.below(16);
      command([random.pick(["SELECT", "select"]), String(database)], {});
    } else if (choice === 6) {
      const inside = { unitStart: end, isInTransaction: true };
      command([random.pick(["MULTI", "Multi"])], { ...inside, endsUnit: false });
      for (let count = random.below(4); count > 0; count--) {
        if (random.chance(0.2)) {
          database = random.below(16);
          command(["SELECT", String(database)], { ...inside, endsUnit: false });
        } else command(anyWords(), { ...inside, endsUnit: false });
      }
      command([random.pick(["EXEC", "exec"])], inside);
      source = undefined;
    } else {
      command(anyWords(), {});
      source = undefined;
    }
  }
  return { bytes: Buffer.concat(parts), records };
}

/** Where a file may be cut so that nothing is torn: behind lines and units outside of transactions. */
function boundaries(records: readonly Seen[]): number[] {
  return [0, ...records.filter((record) => record.kind === "annotation" || record.endsUnit).map(({ end }) => end)];
}

test("a file is read as it was written, in chunks of any size", () => {
  const random = new SeededRandom(printedSeed("aof chunks"));
  for (let round = 0; round < 60; round++) {
    const { bytes, records } = randomFile(random, 30);
    for (const chunkBytes of [1, random.between(2, 40), random.between(40, 400), undefined]) {
      const reading = readAll(bytes, chunkBytes === undefined ? {} : { chunkBytes });
      assert.equal(reading.fault, undefined);
      assert.deepEqual(reading.records, records);
      assert.equal(reading.wholeBytes, bytes.length);
    }
  }
});

test("a file that is cut anywhere gives what is whole, and says up to where", () => {
  const random = new SeededRandom(printedSeed("aof cuts"));
  for (let round = 0; round < 6; round++) {
    const { bytes, records } = randomFile(random, 25);
    const ends = boundaries(records);
    for (let cut = 0; cut < bytes.length; cut++) {
      const chunkBytes = random.pick([1, 3, 17, 1 << 17]);
      const { records: read, fault, wholeBytes } = readAll(bytes.subarray(0, cut), { chunkBytes });
      const whole = ends.findLast((end) => end <= cut)!;
      assert.equal(wholeBytes, whole);
      assert.deepEqual(
        read,
        records.filter(({ end }) => end <= cut),
      );
      if (whole === cut) assert.equal(fault, undefined);
      else assert.deepEqual([fault?.kind, fault?.position, fault?.wholeBytes], ["truncated", whole, whole]);
    }
  }
});

test("an end that is set acts as the file's end", () => {
  const random = new SeededRandom(printedSeed("aof end"));
  const { bytes, records } = randomFile(random, 20);
  for (const endPosition of boundaries(records)) {
    const reading = readAll(bytes, { endPosition, chunkBytes: 50 });
    assert.equal(reading.fault, undefined);
    assert.equal(reading.wholeBytes, endPosition);
  }
});

test("a changed byte is a fault behind it or other contents, and what stands before stays", () => {
  const random = new SeededRandom(printedSeed("aof damage"));
  const kinds = new Set<string>();
  for (let round = 0; round < 2000; round++) {
    const { bytes, records } = randomFile(random, 8);
    if (bytes.length === 0) continue;
    const at = random.below(bytes.length);
    const changed = Buffer.from(bytes);
    changed[at] = random.pick([random.below(256), 0, 10, 13, 35, 36, 42, 48, 57]);
    const { records: read, fault, wholeBytes } = readAll(changed, { chunkBytes: random.pick([1, 30, 1 << 17]) });
    const before = records.filter(({ end }) => end <= at);
    assert.deepEqual(read.slice(0, before.length), before);
    assert.ok(wholeBytes >= boundaries(records).findLast((end) => end <= at)!);
    assert.ok(wholeBytes <= changed.length);
    if (fault === undefined) continue;
    kinds.add(fault.kind);
    assert.ok(fault.position >= fault.wholeBytes && fault.wholeBytes === wholeBytes);
  }
  assert.deepEqual([...kinds].sort(), ["format", "truncated"]);
});

test("reading goes on from the end of any unit with what was known there", () => {
  const random = new SeededRandom(printedSeed("aof at"));
  for (let round = 0; round < 20; round++) {
    const { bytes, records } = randomFile(random, 20);
    const file = new MemoryFile(bytes);
    const first = new AofReader(file);
    for (let index = 0; index < records.length; index++) {
      first.next();
      const isBoundary = records[index]!.kind === "annotation" || records[index]!.endsUnit === true;
      if (!isBoundary) continue;
      const second = AofReader.at(file, first.end, first.state(), { chunkBytes: random.between(1, 60) });
      const reading = readOn(second);
      assert.deepEqual(reading.records, records.slice(index + 1));
      assert.equal(reading.wholeBytes, bytes.length);
    }
  }
});

test("what a record says of itself", () => {
  const bytes = Buffer.concat([
    position(1000, 500),
    mark(2000, "a:1"),
    commandBytes("SELECT", "3"),
    commandBytes("SET", "k", "v"),
    commandBytes("DEL", "k"),
  ]);
  const { records } = readAll(bytes);
  const commands = records.filter(({ kind }) => kind === "command");
  assert.deepEqual(
    commands.map(({ words, logOffset, source, timeMs, database }) => ({ words, logOffset, source, timeMs, database })),
    [
      // SELECT belongs to the unit that it prepares: that one keeps its source.
      { words: ["SELECT", "3"], logOffset: 500, source: "a:1", timeMs: 2000, database: 3 },
      { words: ["SET", "k", "v"], logOffset: 523, source: "a:1", timeMs: 2000, database: 3 },
      { words: ["DEL", "k"], logOffset: 550, source: undefined, timeMs: 2000, database: 3 },
    ],
  );
});

test("the log offset of what is whole does not go into a torn transaction", () => {
  const bytes = Buffer.concat([
    position(1000, 500),
    commandBytes("SET", "k", "v"),
    commandBytes("MULTI"),
    commandBytes("DEL", "k"),
  ]);
  const reader = new AofReader(new MemoryFile(bytes));
  assert.throws(() => {
    while (reader.next() !== "end");
  }, AofFault);
  assert.equal(reader.wholeLogOffset, 527);
  assert.equal(reader.wholeBytes, bytes.length - commandBytes("MULTI").length - commandBytes("DEL", "k").length);
  assert.equal(reader.replicationId, ID);
});

test("whoever looks at the buffer learns when it was filled anew", () => {
  const bytes = Buffer.concat(Array.from({ length: 50 }, (_, index) => commandBytes("SET", "k", `value ${index}`)));
  const reader = new AofReader(new MemoryFile(bytes), { chunkBytes: 100 });
  let fill = -1;
  let seen = Buffer.alloc(0);
  for (let kind = reader.next(); kind !== "end"; kind = reader.next()) {
    const { input } = reader.request;
    // Places that were read before keep their bytes until the count says otherwise.
    if (reader.fillCount === fill) assert.equal(Buffer.compare(seen, Buffer.from(input)), 0);
    fill = reader.fillCount;
    seen = Buffer.from(input);
  }
  assert.ok(fill > 10);
});

test("the annotation itself can be had", () => {
  const reader = new AofReader(new MemoryFile(Buffer.concat([position(1000, 500), Buffer.from("#other\r\n")])));
  assert.equal(reader.next(), "annotation");
  assert.deepEqual(
    { ...reader.annotation, lastSource: undefined, position: undefined },
    { timeMs: 1000, source: undefined, replicationId: ID, offset: 500, lastSource: undefined, position: undefined },
  );
  assert.equal(reader.next(), "annotation");
  assert.equal(reader.annotation, undefined);
  assert.equal(reader.next(), "end");
});

test("the commands of a base take no place in the log", () => {
  const bytes = Buffer.concat([position(1000, 500), commandBytes("SET", "a", "1"), commandBytes("SET", "b", "2")]);
  const { records } = readAll(bytes, { isBase: true });
  assert.deepEqual(
    records.map(({ logOffset }) => logOffset),
    [undefined, 500, 500],
  );
});

test("a first offset can be given, and is unknown otherwise", () => {
  const bytes = commandBytes("A");
  assert.equal(readAll(bytes, { startLogOffset: 7 }).records[0]!.logOffset, 7);
  assert.equal(readAll(bytes).records[0]!.logOffset, Number.NaN);
});

test("large values are read once, however small the chunks are", () => {
  const value = Buffer.alloc(30_000_000, "x");
  const bytes = Buffer.concat([commandBytes("SET", "k", value), commandBytes("SET", "l", "1")]);
  const file = new MemoryFile(bytes);
  const reader = new AofReader(file, { chunkBytes: 100 });
  assert.equal(reader.next(), "command");
  assert.equal(reader.request.bytes(2).length, value.length);
  assert.equal(reader.next(), "command");
  assert.equal(reader.request.text(2), "1");
  assert.equal(reader.next(), "end");
  assert.equal(file.readBytes, bytes.length);
});

test("many small arguments are read once, however small the chunks are", () => {
  const words = Array.from({ length: 60_000 }, (_, index) => String(index));
  const bytes = Buffer.concat([commandBytes("RPUSH", "k", ...words), commandBytes("PING")]);
  const file = new MemoryFile(bytes);
  const reader = new AofReader(file, { chunkBytes: 100 });
  assert.equal(reader.next(), "command");
  assert.equal(reader.request.count, words.length + 2);
  assert.equal(reader.request.text(words.length + 1), words.at(-1));
  assert.equal(reader.next(), "command");
  assert.equal(file.readBytes, bytes.length);
});

const SET = commandBytes("SET", "a", "1");
const FORMAT_FAULTS: Readonly<Record<string, string>> = {
  "zeros at the end": `${SET}\0\0\0\0`,
  "an empty line": `${SET}\r\n${SET}`,
  "an inline command": `${SET}SET a b\r\n`,
  "a command of no arguments": `${SET}*0\r\n${SET}`,
  "a command of less than no arguments": `${SET}*-1\r\n`,
  "a count with a zero before": `${SET}*03\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n`,
  "a count that is none": `${SET}*1x\r\n`,
  "lines without \\r": `${SET}${SET.toString().replaceAll("\r\n", "\n")}`,
  "a header that does not end": `${SET}*1\r\n$${"0".repeat(100)}\r\n`,
  "a header that ends in \\r alone": `${SET}*1\rx$4\r\nPING\r\n`,
  "an argument's header that ends in \\r alone": `${SET}*1\r\n$4\rxPING\r\n`,
  "an argument with something behind": `${SET}*1\r\n$4\r\nPINGxx`,
  "a length with a sign": `${SET}*1\r\n$+4\r\nPING\r\n`,
  "a length below 0": `${SET}*1\r\n$-1\r\n`,
  "no length": `${SET}*1\r\nPING\r\n`,
  "an annotation inside of a command": `${SET}*1\r\n#x\r\n$4\r\nPING\r\n`,
  "an annotation that is too long": `${SET}#${"x".repeat(1021)}\r\n`,
  "MULTI in a transaction": `${SET}*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n`,
  "EXEC without MULTI": `${SET}*1\r\n$4\r\nEXEC\r\n`,
};

for (const [name, text] of Object.entries(FORMAT_FAULTS)) {
  test(`${name}: a fault`, () => {
    for (const chunkBytes of [1, 5, 1 << 17]) {
      const { records, fault, wholeBytes } = readAll(Buffer.from(text, "latin1"), { chunkBytes });
      assert.equal(fault?.kind, "format");
      assert.equal(records[0]?.words?.[0], "SET");
      assert.equal(wholeBytes, SET.length);
      assert.equal(fault?.position, records.at(-1)!.end, "the damage begins where the last record ended");
      assert.match(fault!.message, /^offset \d+: /);
    }
  });
}

test("the longest annotation that Redis takes is taken", () => {
  const bytes = Buffer.concat([Buffer.from(`#${"x".repeat(1020)}\r\n`), SET]);
  for (const chunkBytes of [1, 1000, 1 << 17]) assert.equal(readAll(bytes, { chunkBytes }).records.length, 2);
});

test("a length that the file does not have takes no memory", () => {
  const bytes = Buffer.from(`${SET}*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2000000000\r\nabc`);
  const before = process.memoryUsage().arrayBuffers;
  const { fault } = readAll(bytes, { chunkBytes: 10 });
  assert.deepEqual([fault?.kind, fault?.position], ["truncated", SET.length]);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
});

test("a file that is cut while it is read ends there", () => {
  const file = new MemoryFile(Buffer.concat([SET, SET]));
  file.size = () => 1000;
  const reader = new AofReader(file, { chunkBytes: 10 });
  assert.equal(reader.next(), "command");
  assert.equal(reader.next(), "command");
  assert.equal(reader.next(), "end");
});

test("the plain parser that others are compared with reads what was written", () => {
  const random = new SeededRandom(printedSeed("aof plain"));
  const { bytes, records } = randomFile(random, 100);
  assert.deepEqual(
    plainCommands(bytes),
    records.filter(({ kind }) => kind === "command").map(({ words }) => words),
  );
});
