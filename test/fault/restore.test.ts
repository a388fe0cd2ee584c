/**
 * RESTORE with damaged payloads: whatever is accepted is a whole value, whatever is refused leaves nothing behind.
 *
 *      golden dump ──► changed in a few places ──► new checksum ──► RESTORE ──► refused: no key
 *                                                                      └─► accepted: read, changed, dumped, restored, verified
 *
 *  I1  The changes depend on the seed alone. One seed is fixed, one fresh and printed.
 *  I2  A server that hangs ends the run by its time limit; one that breaks shows by what it throws or by DEBUG VERIFY.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, beforeEach, describe, test } from "node:test";
import { DUMP_FOOTER_BYTES, writeDumpFooter } from "../../src/history/formats/dump-payload.ts";
import type { FakePeer } from "../../src/session/testing.ts";
import { parseReply, type ReplyNode } from "../support/reply.ts";
import { repositoryRoot } from "../support/repository.ts";
import { printedSeed, SeededRandom } from "../support/seed.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

const FIXED_SEED = 3;
const PAYLOADS_PER_SEED = 5000;
const VERIFY_EVERY = 20;
const ASKED_PER_PEER = 100;

const REFUSALS = ["-ERR Bad data format\r\n", "-ERR DUMP payload version or checksum are wrong\r\n"];

/** Every golden dump: name and bytes. */
const DUMPS: readonly (readonly [name: string, dump: Buffer])[] = ["wide", "nodes"].flatMap((name) => {
  const text = readFileSync(join(repositoryRoot(), "test", "golden", `${name}.dumps`), "utf8");
  return Object.entries(JSON.parse(text) as Record<string, { dump: string }>).map(
    ([key, { dump }]) => [`${name}: ${key}`, Buffer.from(dump, "hex")] as const,
  );
});

/** Values of bytes that mean something in one of the formats. */
const MARKS = [0, 1, 0x0f, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xc3, 0xe0, 0xf0, 0xf4, 0xf5, 0xfe, 0xff];

/** A body (type and value) with a few changes. */
function damage(body: Buffer, random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(body);
  for (let count = random.pick([1, 1, 1, 2, 3, 6]); count > 0; count--) {
    // Heads hold lengths and counts: half of the changes fall there.
    const place = random.below(random.chance(0.5) ? Math.min(24, bytes.length) : bytes.length);
    switch (random.below(9)) {
      case 0:
        bytes[place] = random.below(256);
        break;
      case 1:
        bytes[place]! ^= 1 << random.below(8);
        break;
      case 2:
      case 3:
        bytes[place] = random.pick(MARKS);
        break;
      case 4:
        bytes[place]! += random.chance(0.5) ? 1 : 255;
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, place), random.bytes(random.between(1, 4)), bytes.subarray(place)]);
        break;
      case 6:
        bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + random.between(1, 8))]);
        break;
      case 7: {
        const other = random.pick(DUMPS)[1];
        const from = random.below(other.length);
        const part = other.subarray(from, from + random.between(1, 40));
        bytes = Buffer.concat([bytes.subarray(0, place), part, bytes.subarray(place + part.length)]);
        break;
      }
      default: {
        // A whole part once more: elements, nodes or entries that are there twice.
        const part = bytes.subarray(place, place + random.between(1, 30));
        bytes = Buffer.concat([bytes.subarray(0, place), part, bytes.subarray(place)]);
      }
    }
    if (bytes.length === 0) bytes = Buffer.from([0]);
  }
  return bytes;
}

/** A body with version and checksum. */
function withFooter(body: Buffer): Buffer {
  const payload = Buffer.alloc(body.length + DUMP_FOOTER_BYTES);
  body.copy(payload);
  writeDumpFooter(payload, 0, body.length);
  return payload;
}

class Subject {
  private world!: VirtualServer;
  private peer!: FakePeer;
  private askedCount = 0;
  accepted = 0;
  refused = 0;

  async start(): Promise<void> {
    this.world = new VirtualServer({ disk: new VirtualDisk(), directives: ["--enable-debug-command", "yes"] });
    await this.world.start();
    this.peer = this.world.connect();
  }

  ask(...words: (string | number)[]): string {
    // A peer keeps all that it was ever sent: a new one now and then keeps that short.
    if (++this.askedCount % ASKED_PER_PEER === 0) {
      this.peer.close();
      this.peer = this.world.connect();
    }
    const reply = this.peer.ask(...words);
    assert.notEqual(reply, "", `no reply to ${words[0]}`);
    return reply;
  }

  /** The reply to a command that has to succeed. */
  read(...words: (string | number)[]): ReplyNode {
    const reply = this.ask(...words);
    assert.ok(!reply.startsWith("-"), `${words.slice(0, 3).join(" ")}: ${reply}`);
    return parseReply(Buffer.from(reply, "latin1"));
  }

  restore(payload: Buffer): boolean {
    const reply = this.ask("RESTORE", "k", 0, payload.toString("latin1"));
    if (reply === "+OK\r\n") {
      this.accepted++;
      return true;
    }
    this.refused++;
    assert.ok(REFUSALS.includes(reply), reply);
    assert.equal(this.ask("EXISTS", "k"), ":0\r\n");
    return false;
  }

  /** Reads a value whole, changes it, and takes it away. */
  examine(): void {
    const type = this.read("TYPE", "k").text!;
    this.read("OBJECT", "ENCODING", "k");
    this.read("MEMORY", "USAGE", "k");
    READERS[type]!(this);
    this.dumpAgain();
    for (const change of CHANGES[type]!) this.ask(...change);
    this.dumpAgain();
    this.ask("DEL", "k");
    assert.equal(this.ask("EXISTS", "k"), ":0\r\n");
  }

  /** What is dumped is restored as the same value. */
  private dumpAgain(): void {
    const dump = this.read("DUMP", "k").text;
    if (dump === null) return; // the changes left nothing
    assert.equal(this.ask("RESTORE", "again", 0, dump, "REPLACE"), "+OK\r\n");
    assert.deepEqual(this.content("again"), this.content("k"));
    this.ask("DEL", "again");
  }

  /** Everything in a value, as text. */
  private content(key: string): string[] {
    const type = this.read("TYPE", key).text!;
    const parts = CONTENTS[type]!.map(([name, ...rest]) => this.read(name!, key, ...rest));
    if (type === "stream") parts.push(this.read("XINFO", "GROUPS", key));
    // Tables are free in their order.
    return parts.flatMap((part) =>
      FREE_ORDER.includes(type) ? pairedText(type, part).sort() : [JSON.stringify(part)],
    );
  }

  verify(): void {
    assert.equal(this.ask("DEBUG", "VERIFY"), "+OK\r\n");
  }
}

const CONTENTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  string: [["GET"]],
  list: [["LRANGE", "0", "-1"]],
  hash: [["HGETALL"]],
  set: [["SMEMBERS"]],
  zset: [["ZRANGE", "0", "-1", "WITHSCORES"]],
  stream: [["XRANGE", "-", "+"]],
};
const FREE_ORDER = ["hash", "set"];

function pairedText(type: string, { items }: ReplyNode): string[] {
  const step = type === "hash" ? 2 : 1;
  return items.flatMap((_, at) => (at % step === 0 ? [JSON.stringify(items.slice(at, at + step))] : []));
}

const texts = (node: ReplyNode): string[] => node.items.map((item) => item.text!);

function readCounted(subject: Subject, count: string, ...words: string[]): string[] {
  const items = texts(subject.read(words[0]!, "k", ...words.slice(1)));
  assert.equal(Number(subject.read(count, "k").text), items.length, `${count} and ${words[0]}`);
  assert.ok(items.length > 0, "a key without elements");
  return items;
}

const assertUnique = (items: readonly string[]): void => assert.equal(new Set(items).size, items.length, "one twice");
const everySecond = (items: readonly string[]): string[] => items.filter((_, index) => index % 2 === 0);

/** How a value of each type is read whole. */
const READERS: Readonly<Record<string, (subject: Subject) => void>> = {
  string: (subject) => {
    assert.equal(Number(subject.read("STRLEN", "k").text), subject.read("GET", "k").text!.length);
  },
  list: (subject) => {
    const items = readCounted(subject, "LLEN", "LRANGE", "0", "-1");
    assert.equal(subject.read("LINDEX", "k", -1).text, items.at(-1));
    assert.equal(subject.read("LINDEX", "k", items.length >> 1).text, items[items.length >> 1]);
  },
  hash: (subject) => {
    const fields = readCounted(subject, "HLEN", "HKEYS");
    assertUnique(fields);
    const pairs = texts(subject.read("HGETALL", "k"));
    assert.deepEqual(everySecond(pairs), fields);
    for (const field of fields.slice(0, 20)) assert.equal(subject.read("HEXISTS", "k", field).text, "1");
  },
  set: (subject) => {
    const members = readCounted(subject, "SCARD", "SMEMBERS");
    assertUnique(members);
    for (const member of members.slice(0, 20)) assert.equal(subject.read("SISMEMBER", "k", member).text, "1");
  },
  zset: (subject) => {
    const members = readCounted(subject, "ZCARD", "ZRANGE", "0", "-1");
    assertUnique(members);
    const scored = texts(subject.read("ZRANGE", "k", 0, -1, "WITHSCORES"));
    const scores = scored.filter((_, index) => index % 2 === 1).map((text) => Number(text.replace("inf", "Infinity")));
    assert.ok(!scores.some(Number.isNaN), "a score that is no number");
    for (let index = 1; index < scores.length; index++) assert.ok(scores[index - 1]! <= scores[index]!, "not in order");
    for (const [index, member] of members.slice(0, 20).entries())
      assert.equal(Number(subject.read("ZRANK", "k", member).text), index);
  },
  stream: (subject) => {
    const entries = subject.read("XRANGE", "k", "-", "+").items.map((entry) => entry.items[0]!.text!);
    assert.equal(Number(subject.read("XLEN", "k").text), entries.length);
    const backwards = subject.read("XREVRANGE", "k", "+", "-").items.map((entry) => entry.items[0]!.text!);
    assert.deepEqual(backwards.reverse(), entries);
    assertUnique(entries);
    subject.read("XINFO", "STREAM", "k");
    subject.read("XINFO", "STREAM", "k", "FULL", "COUNT", 0);
    for (const group of subject.read("XINFO", "GROUPS", "k").items) {
      const name = group.items[1]!.text!;
      subject.read("XPENDING", "k", name);
      subject.read("XPENDING", "k", name, "-", "+", 100_000);
      subject.read("XINFO", "CONSUMERS", "k", name);
    }
  },
};

/** Commands that change a value of each type in several places: they may be refused, but nothing may break. */
const CHANGES: Readonly<Record<string, readonly (readonly (string | number)[])[]>> = {
  string: [
    ["APPEND", "k", "x"],
    ["SETRANGE", "k", 1, "yy"],
    ["PFADD", "k", "a"],
    ["PFCOUNT", "k"],
    ["INCR", "k"],
  ],
  list: [
    ["LPUSH", "k", "a", "12"],
    ["RPUSH", "k", "b".repeat(200)],
    ["LINSERT", "k", "BEFORE", "a", "c"],
    ["LSET", "k", 1, "d"],
    ["LREM", "k", 0, "a"],
    ["LTRIM", "k", 1, -2],
  ],
  hash: [
    ["HSET", "k", "f1", "v", "new", "x".repeat(100)],
    ["HDEL", "k", "f0", "f2"],
    ["HINCRBY", "k", "f3", 5],
  ],
  set: [
    ["SADD", "k", 1, "text", "x".repeat(100)],
    ["SREM", "k", 0, "a"],
    ["SPOP", "k"],
  ],
  zset: [
    ["ZADD", "k", 1.5, "m1", "-inf", "new", 7, "x".repeat(100)],
    ["ZREM", "k", "m2"],
    ["ZPOPMIN", "k"],
    ["ZREMRANGEBYRANK", "k", 1, 2],
  ],
  stream: [
    ["XADD", "k", "*", "f", "v"],
    ["XGROUP", "CREATE", "k", "another", "0"],
    ["XREADGROUP", "GROUP", "another", "c", "STREAMS", "k", ">"],
    ["XREADGROUP", "GROUP", "readers", "alice", "STREAMS", "k", ">"],
    ["XAUTOCLAIM", "k", "readers", "bob", 0, "-"],
    ["XGROUP", "DELCONSUMER", "k", "readers", "alice"],
    ["XDEL", "k", "1-1", "4-0"],
    ["XTRIM", "k", "MAXLEN", 2],
  ],
};

describe("RESTORE of damaged payloads", () => {
  const subject = new Subject();

  before(() => subject.start());
  beforeEach(() => subject.ask("FLUSHALL"));

  test("what was not damaged is taken, read, changed and dumped", () => {
    for (const [name, dump] of DUMPS) {
      assert.ok(subject.restore(dump), name);
      subject.examine();
    }
    subject.verify();
  });

  test("a payload that differs in one byte is refused", () => {
    for (const [name, dump] of DUMPS) {
      for (let at = 0; at < dump.length; at++) {
        const changed = Buffer.from(dump);
        changed[at]! ^= 1 << (at & 7);
        assert.ok(!subject.restore(changed), `${name}, byte ${at}`);
      }
    }
    subject.verify();
  });

  for (const [kind, chooseSeed] of [
    ["a fixed", () => FIXED_SEED],
    ["a fresh", () => printedSeed("RESTORE of damaged payloads")],
  ] as const) {
    for (const skipsChecksum of [false, true]) {
      const how = skipsChecksum ? "without checksums" : "with a valid checksum";
      test(`damaged payloads ${how} are refused or are whole values: ${kind} seed`, () => {
        const seed = chooseSeed();
        const random = new SeededRandom(seed);
        assert.equal(subject.ask("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", skipsChecksum ? 1 : 0), "+OK\r\n");
        subject.accepted = 0;
        subject.refused = 0;
        for (let index = 0; index < PAYLOADS_PER_SEED; index++) {
          const [name, dump] = random.pick(DUMPS);
          const body = damage(dump.subarray(0, dump.length - DUMP_FOOTER_BYTES), random);
          const payload = skipsChecksum
            ? Buffer.concat([body, dump.subarray(dump.length - DUMP_FOOTER_BYTES)])
            : withFooter(body);
          try {
            if (subject.restore(payload)) subject.examine();
            if (index % VERIFY_EVERY === 0) subject.verify();
          } catch (fault) {
            throw new Error(`seed ${seed}, payload ${index}, from ${name}: ${payload.toString("hex")}`, {
              cause: fault,
            });
          }
        }
        subject.verify();
        assert.equal(subject.ask("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0), "+OK\r\n");
        assert.ok(subject.refused > PAYLOADS_PER_SEED / 4, `only ${subject.refused} were refused`);
        assert.ok(subject.accepted > PAYLOADS_PER_SEED / 50, `only ${subject.accepted} were accepted`);
      });
    }
  }
});
