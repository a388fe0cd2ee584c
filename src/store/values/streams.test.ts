import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "../../core/sip-hash.ts";
import { ArenaExhausted } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { type Database, Keyspace, NO_EXPIRY } from "../keyspace/keyspace.ts";
import { StreamBuilder } from "./stream-builder.ts";
import { compareIds, fillId, idText, makeId, parseId, type StreamId } from "./stream-id.ts";
import { DELETED_ID, FIRST_ID, LAST_ID } from "./streams.ts";

interface ModelGroup {
  lastId: string;
  consumers: Map<string, { seenAtMs: number }>;
  pending: Map<string, { consumer: string; deliveredAtMs: number; count: number }>;
}

interface Model {
  entries: { id: string; pairs: string[] }[];
  lastId: string;
  deletedId: string;
  added: number;
  groups: Map<string, ModelGroup>;
}

function id(text: string): StreamId {
  const made = makeId();
  assert.equal(parseId(Buffer.from(text), 0, text.length, made, false, true, false), 1, text);
  return made;
}

function order(left: string, right: string): number {
  return compareIds(id(left), id(right));
}

const KEYS = ["one", "two"];

/** A keyspace of streams beside the plain model. */
class Pair {
  readonly arena = new ExhaustingArena();
  readonly keyspace = new Keyspace(new KeyHash(1, 2), 1, () => this.arena);
  readonly models = new Map<string, Model>();
  private readonly emptyBytes: number;

  constructor(entriesMax: number, bytesMax: number) {
    this.keyspace.encodingLimits.streamNodeEntries = entriesMax;
    this.keyspace.encodingLimits.streamNodeBytes = bytesMax;
    this.emptyBytes = this.arena.usedBytes;
  }

  get database(): Database {
    return this.keyspace.databases[0]!;
  }

  record(key: string): number {
    return this.keyspace.lookupSilently(this.database, Buffer.from(key));
  }

  root(key: string): number {
    const record = this.record(key);
    return record === 0 ? 0 : this.keyspace.streams.rootOf(record);
  }

  /** Does an operation to both; false when there was no memory. */
  run(step: Step): boolean {
    const key = KEYS[step.key]!;
    try {
      return this.perform(step, key);
    } catch (error) {
      if (!(error instanceof ArenaExhausted)) throw error;
      return false;
    }
  }

  private perform(step: Step, key: string): boolean {
    const { keyspace, database } = this;
    const { streams } = keyspace;
    const other = KEYS[1 - step.key]!;
    const bytes = Buffer.from(key);
    keyspace.nowMs = step.number;
    const model = this.models.get(key);
    if (model === undefined) {
      if (step.kind === "add") this.add(key, step);
      return true;
    }
    const root = this.root(key);
    const group = `g${step.number % 3}`;
    const consumer = `c${step.other % 4}`;
    switch (step.kind) {
      case "add":
        this.add(key, step);
        break;
      case "remove": {
        const entry = model.entries[step.number % (model.entries.length + 1)];
        const wanted = entry?.id ?? `${step.number}-7`;
        const isThere = model.entries.some((each) => each.id === wanted);
        assert.equal(streams.remove(root, id(wanted)), isThere);
        streams.refreshFirst(root);
        if (!isThere) break;
        model.entries = model.entries.filter((each) => each.id !== wanted);
        if (order(wanted, model.deletedId) > 0) model.deletedId = wanted;
        break;
      }
      case "trim": {
        const lengthMax = step.number % (model.entries.length + 2);
        const trimming = { isByLength: true, lengthMax, idMin: makeId(), isApproximate: false, limit: 0 };
        const surplus = Math.max(0, model.entries.length - lengthMax);
        assert.equal(streams.trim(root, trimming), surplus);
        model.entries.splice(0, surplus);
        break;
      }
      case "trimId": {
        const idMin = model.entries[step.number % (model.entries.length + 1)]?.id ?? "3-3";
        const trimming = { isByLength: false, lengthMax: 0, idMin: id(idMin), isApproximate: false, limit: 0 };
        const below = model.entries.filter((each) => order(each.id, idMin) < 0).length;
        assert.equal(streams.trim(root, trimming), below);
        model.entries.splice(0, below);
        break;
      }
      case "trimNodes": {
        const lengthMax = step.number % (model.entries.length + 2);
        const trimming = { isByLength: true, lengthMax, idMin: makeId(), isApproximate: true, limit: 0 };
        const removed = streams.trim(root, trimming);
        assert.ok(model.entries.length - removed >= Math.min(lengthMax, model.entries.length));
        model.entries.splice(0, removed);
        break;
      }
      case "group": {
        const found = streams.findGroup(root, Buffer.from(group), 0, group.length);
        assert.equal(found !== 0, model.groups.has(group));
        if (found !== 0) break;
        streams.addGroup(root, Buffer.from(group), 0, group.length, id("0-0"), 5n);
        model.groups.set(group, { lastId: "0-0", consumers: new Map(), pending: new Map() });
        break;
      }
      case "ungroup": {
        const found = streams.findGroup(root, Buffer.from(group), 0, group.length);
        if (found !== 0) streams.removeGroup(root, found);
        model.groups.delete(group);
        break;
      }
      case "deliver":
      case "acknowledge":
      case "leave":
        this.toGroup(step, root, group, consumer);
        break;
      case "delete":
        keyspace.delete(database, bytes, 0, bytes.length);
        this.models.delete(key);
        break;
      case "rename":
        keyspace.rename(database, this.record(key), Buffer.from(other), 0, other.length);
        this.models.delete(key);
        this.models.set(other, model);
        break;
      case "copy":
        keyspace.copy(this.record(key), database, Buffer.from(other), 0, other.length);
        this.models.set(other, structuredClone(model));
        break;
      case "expire":
        keyspace.lookupWrite(database, bytes, 0, bytes.length);
        keyspace.setExpiry(database, this.record(key), 2 ** 45);
        break;
      case "relocate":
        keyspace.relocate(database, this.record(key), 1.1);
        break;
    }
    return true;
  }

  private add(key: string, step: Step): void {
    const { keyspace } = this;
    const { streams } = keyspace;
    const model = this.models.get(key);
    const last = id(model?.lastId ?? "0-0");
    const [ms, sequence] = idText(last).split("-").map(BigInt) as [bigint, bigint];
    const jump = step.number % 5 === 0 ? BigInt(step.number) ** 5n : BigInt(step.number % 3);
    const text = jump === 0n ? `${ms}-${sequence + 1n}` : `${ms + jump}-${step.other * 40}`;
    const pairs = step.pairs.length === 0 ? ["f", String(step.number)] : step.pairs;
    const input = Buffer.from(pairs.join(""), "latin1");
    const offset = new Int32Array(pairs.length);
    const length = Int32Array.from(pairs, (each) => each.length);
    for (let index = 1; index < pairs.length; index++) offset[index] = offset[index - 1]! + length[index - 1]!;
    const append = (root: number): void =>
      streams.append(root, id(text), input, offset, length, 0, pairs.length / 2, input.length);
    if (model === undefined) {
      const root = streams.create();
      try {
        append(root);
      } catch (error) {
        streams.discard(root);
        throw error;
      }
      streams.place(this.database, Buffer.from(key), 0, key.length, root);
    } else {
      const bytes = Buffer.from(key);
      keyspace.lookupWrite(this.database, bytes, 0, bytes.length);
      append(this.root(key));
    }
    const changed: Model = model ?? { entries: [], lastId: "0-0", deletedId: "0-0", added: 0, groups: new Map() };
    changed.entries.push({ id: text, pairs });
    changed.lastId = text;
    changed.added++;
    this.models.set(key, changed);
  }

  private toGroup(step: Step, root: number, name: string, consumerName: string): void {
    const { streams, nowMs } = this.keyspace;
    const { groups } = streams;
    const model = this.models.get(KEYS[step.key]!)!;
    const group = streams.findGroup(root, Buffer.from(name), 0, name.length);
    const modelGroup = model.groups.get(name);
    if (modelGroup === undefined) return;
    const bytes = Buffer.from(consumerName);
    let consumer = groups.findConsumer(group, bytes, 0, bytes.length);
    if (step.kind === "leave") {
      const own = [...modelGroup.pending].filter(([, each]) => each.consumer === consumerName);
      if (consumer !== 0) assert.equal(groups.removeConsumer(group, consumer), own.length);
      for (const [text] of own) modelGroup.pending.delete(text);
      modelGroup.consumers.delete(consumerName);
      return;
    }
    const entry = model.entries[step.number % (model.entries.length + 1)];
    const text = entry?.id ?? "1-1";
    if (step.kind === "acknowledge") {
      assert.equal(groups.removePending(group, id(text)), modelGroup.pending.delete(text));
      return;
    }
    if (consumer === 0) {
      consumer = groups.addConsumer(group, bytes, 0, bytes.length, nowMs);
      modelGroup.consumers.set(consumerName, { seenAtMs: nowMs });
    }
    const pending = groups.findPending(group, id(text));
    assert.equal(pending !== 0, modelGroup.pending.has(text));
    if (pending === 0) {
      groups.addPending(group, consumer, id(text), nowMs, 1);
      modelGroup.pending.set(text, { consumer: consumerName, deliveredAtMs: nowMs, count: 1 });
    } else {
      groups.assign(pending, id(text), consumer);
      const count = groups.deliveryCount(pending) + 1;
      groups.setDelivery(pending, nowMs, count);
      modelGroup.pending.set(text, { consumer: consumerName, deliveredAtMs: nowMs, count });
    }
  }

  /** Asserts that both are the same, all invariants, and that no cell was lost. */
  check(): void {
    const { keyspace } = this;
    const { streams } = keyspace;
    while (keyspace.reclaim(1000)) {}
    keyspace.verify();
    let bytes = 0;
    for (const key of KEYS) {
      const root = this.root(key);
      const model = this.models.get(key);
      assert.equal(root !== 0, model !== undefined, key);
      if (model === undefined) continue;
      bytes += this.arena.capacity(this.record(key)) + streams.cellBytes(root, 0);
      this.checkStream(root, model);
    }
    assert.equal(this.arena.usedBytes - this.emptyBytes, bytes, "cells that belong to nobody");
  }

  private checkStream(root: number, model: Model): void {
    const { streams } = this.keyspace;
    assert.equal(streams.length(root), model.entries.length);
    assert.equal(Number(streams.entriesAdded(root)), model.added);
    const read = makeId();
    const numbers = [LAST_ID, FIRST_ID, DELETED_ID].map((word) => {
      streams.readId(root, word, read);
      return idText(read);
    });
    assert.deepEqual(numbers, [model.lastId, model.entries[0]?.id ?? "0-0", model.deletedId]);
    assert.deepEqual(this.walk(root, false), model.entries);
    assert.deepEqual(this.walk(root, true), model.entries.toReversed());
    const { groups } = streams;
    const list = streams.groupsOf(root);
    const names: string[] = [];
    for (let index = 0; index < groups.groups.count(list); index++) {
      const group = groups.groups.at(list, index);
      const start = groups.groups.nameStart(group);
      const name = Buffer.from(groups.groups.view(group)).toString(
        "latin1",
        start,
        start + groups.groups.nameLength(group),
      );
      names.push(name);
      const modelGroup = model.groups.get(name)!;
      assert.equal(groups.consumers.count(groups.consumersOf(group)), modelGroup.consumers.size);
      assert.equal(groups.pending.count(groups.pendingOfGroup(group)), modelGroup.pending.size);
      for (const [text, expected] of modelGroup.pending) {
        const cell = groups.findPending(group, id(text));
        assert.notEqual(cell, 0);
        const bytes = Buffer.from(expected.consumer);
        assert.equal(groups.consumerOf(cell), groups.findConsumer(group, bytes, 0, bytes.length));
        assert.equal(groups.deliveredAtMs(cell), expected.deliveredAtMs);
        assert.equal(groups.deliveryCount(cell), expected.count);
      }
    }
    assert.deepEqual(names, [...model.groups.keys()].sort());
  }

  private walk(root: number, isReversed: boolean): { id: string; pairs: string[] }[] {
    const { cursor } = this.keyspace.streams;
    const to = makeId();
    fillId(to, true);
    cursor.begin(root, makeId(), to, isReversed);
    const found: { id: string; pairs: string[] }[] = [];
    while (cursor.next()) {
      const pairs: string[] = [];
      while (cursor.nextPair()) {
        for (const { valueBytes, valueStart, valueLength } of [cursor.names, cursor.values]) {
          pairs.push(Buffer.from(valueBytes.subarray(valueStart, valueStart + valueLength)).toString("latin1"));
        }
      }
      found.push({ id: idText(cursor.id), pairs });
    }
    return found;
  }
}

interface Step {
  readonly kind: string;
  readonly key: number;
  readonly number: number;
  readonly other: number;
  readonly pairs: string[];
}

const KINDS = [
  ...["add", "add", "add", "add", "add", "add", "add", "add", "remove", "remove", "trim", "trimId", "trimNodes"],
  ...[
    "group",
    "deliver",
    "deliver",
    "deliver",
    "acknowledge",
    "leave",
    "ungroup",
    "delete",
    "rename",
    "copy",
    "expire",
  ],
  "relocate",
];

const texts = fc.oneof(
  fc.constantFrom("f", "g", "1", "-5", "200", "007", "", "9223372036854775807"),
  fc.string({ unit: "binary-ascii", maxLength: 80 }),
  fc.nat(700).map((length) => "x".repeat(length)),
);

function steps(kinds: readonly string[] = KINDS): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    key: fc.constantFrom<number>(0, 0, 0, 1),
    number: fc.nat(1000),
    other: fc.nat(1000),
    pairs: fc.oneof(
      fc.constant<string[]>([]),
      fc.array(fc.tuple(texts, texts), { minLength: 1, maxLength: 3 }).map((pairs) => pairs.flat()),
    ),
  });
}

const limits = fc.constantFrom([3, 4096], [100, 4096], [0, 300], [0, 0], [1, 4096]);

test("streams hold what a plain model holds, whatever is done to them", () => {
  fc.assert(
    fc.property(fc.array(steps(), { maxLength: 60 }), limits, (list, [entriesMax, bytesMax]) => {
      const pair = new Pair(entriesMax!, bytesMax!);
      for (const step of list) {
        assert.ok(pair.run(step));
        pair.check();
      }
    }),
    { numRuns: 120 },
  );
});

test("without memory every operation leaves all as it was, and the same operation succeeds afterwards", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.array(steps(), { maxLength: 40 }), steps(), limits, (list, last, [entriesMax, bytesMax]) => {
      const pair = new Pair(entriesMax!, bytesMax!);
      for (const step of list) pair.run(step);
      pair.check();
      for (let left = 0; left < 12; left++) {
        pair.arena.failAfter(left);
        const isDone = pair.run(last);
        pair.arena.recover();
        pair.check();
        if (!isDone) refused++;
        if (isDone && left > 2) break;
      }
      assert.ok(pair.run(last));
      pair.check();
    }),
    { numRuns: 120 },
  );
  assert.ok(refused > 30, `only ${refused} operations met the end of memory`);
});

test("entries of two small fields take less than 13.8 bytes each, in nodes of two cells", () => {
  const pair = new Pair(100, 4096);
  const { streams } = pair.keyspace;
  const root = streams.create();
  const input = Buffer.from("a1b2");
  const offset = Int32Array.of(0, 1, 2, 3);
  const length = Int32Array.of(1, 1, 1, 1);
  for (let index = 0; index < 100_000; index++) {
    streams.append(root, id(`${1_700_000_000_000 + index}-0`), input, offset, length, 0, 2, 4);
  }
  streams.verify(root);
  const bytes = streams.cellBytes(root, 0) / 100_000;
  assert.ok(bytes < 13.8, `${bytes} bytes`);
  streams.discard(root);
});

test("nodes of any size waste little of their cells, and can be read, changed and appended to", () => {
  for (let size = 1; size < 1500; size += 37) {
    const pair = new Pair(100, 4096);
    const pairs = ["field", "v".repeat(size)];
    for (let index = 0; index < 120; index++) {
      pair.run({ kind: "add", key: 0, number: 1, other: 0, pairs });
    }
    const root = pair.root("one");
    const { streams } = pair.keyspace;
    const bytes = streams.cellBytes(root, 0) / 120;
    assert.ok(bytes < (size + 20) * 1.22 + 60, `${size}: ${bytes} bytes an entry`);
    for (let number = 0; number < 118; number++) {
      pair.run({ kind: "remove", key: 0, number: number * 7, other: 0, pairs });
    }
    pair.check();
    pair.run({ kind: "add", key: 0, number: 3, other: 0, pairs });
    pair.check();
  }
});

test("a snapshot is shown each node before it changes, with its id, and never one that is younger", () => {
  fc.assert(
    fc.property(
      fc.array(steps(["add"]), { minLength: 20, maxLength: 40 }),
      fc.array(steps(), { maxLength: 20 }),
      (list, later) => {
        const pair = new Pair(3, 4096);
        for (const step of list) pair.run({ ...step, key: 0 });
        const { keyspace } = pair;
        const { streams, tables } = keyspace;
        const content = (node: number): string => {
          streams.readNode(node);
          const { nodeBytes, nodeStart, nodeLength } = streams;
          return Buffer.from(nodeBytes.subarray(nodeStart, nodeStart + nodeLength)).toString("hex");
        };
        const root = pair.root("one");
        const before = new Map<string, string>();
        for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
          before.set(idText(streams.nodeId), content(node));
        }
        const shown = new Map<string, string>();
        const snapshot = keyspace.openSnapshot((owner, part) => {
          tables.setPassed(part, snapshot);
          if (owner !== root) return;
          const name = idText(streams.touchedId);
          assert.equal(shown.has(name), false, "shown twice");
          shown.set(name, content(part));
        });
        for (const step of later) {
          if (step.kind !== "delete" && step.kind !== "rename" && step.kind !== "relocate")
            pair.run({ ...step, key: 0 });
        }
        for (const [name, hex] of shown) assert.equal(before.get(name), hex);
        for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
          const name = idText(streams.nodeId);
          if (before.has(name) && !shown.has(name)) assert.equal(content(node), before.get(name));
          if (!before.has(name)) assert.equal(shown.has(name), false);
        }
        for (const name of before.keys()) {
          if (shown.has(name)) continue;
          let isThere = false;
          for (let node = streams.firstNode(root); node !== 0; node = streams.nextNode(root)) {
            if (idText(streams.nodeId) === name) isThere = true;
          }
          assert.ok(isThere, "a node went without being shown");
        }
        keyspace.closeSnapshot();
        pair.check();
      },
    ),
    { numRuns: 40 },
  );
});

test("a large stream is freed in slices", () => {
  const pair = new Pair(2, 4096);
  for (let index = 0; index < 3000; index++) pair.run({ kind: "add", key: 0, number: 1, other: 0, pairs: [] });
  pair.run({ kind: "group", key: 0, number: 0, other: 0, pairs: [] });
  for (let number = 0; number < 3000; number += 3) {
    pair.run({ kind: "deliver", key: 0, number, other: number, pairs: [] });
  }
  pair.check();
  pair.run({ kind: "delete", key: 0, number: 0, other: 0, pairs: [] });
  let slices = 1;
  while (pair.keyspace.reclaim(100)) slices++;
  assert.ok(slices > 15, `${slices} slices`);
  pair.check();
});

test("a builder makes what it was told, and refuses what cannot be", () => {
  const pair = new Pair(100, 4096);
  const { keyspace } = pair;
  const builder = new StreamBuilder(keyspace);
  const bytes = Buffer.from("namevalue");
  const zero = { ms: 0n, sequence: 0n };
  const tell = (): void => {
    builder.begin(0);
    assert.ok(builder.streamEntry(5n, 1n, 1));
    builder.streamField(bytes, 0, 4, bytes, 4, 5);
    assert.ok(builder.streamEntry(2n ** 64n - 1n, 7n, 2));
    builder.streamField(bytes, 0, 4, bytes, 4, 5);
    builder.streamField(bytes, 4, 1, bytes, 0, 0);
  };
  tell();
  assert.equal(builder.streamEntry(2n ** 64n - 1n, 7n, 1), false, "an id that does not ascend");
  tell();
  assert.equal(builder.streamEnd({ lastId: { ms: 5n, sequence: 9n }, maxDeletedId: zero, entriesAdded: 2n }), false);
  tell();
  assert.ok(
    builder.streamEnd({
      lastId: { ms: 2n ** 64n - 1n, sequence: 8n },
      maxDeletedId: { ms: 3n, sequence: 0n },
      entriesAdded: 9n,
    }),
  );
  assert.ok(builder.streamGroup(bytes, 0, 4, zero, -1n));
  assert.equal(builder.streamGroup(bytes, 0, 4, zero, -1n), false, "a group twice");
  assert.ok(builder.streamPending(5n, 1n, 1000, 3));
  assert.equal(builder.streamPending(5n, 1n, 1000, 3), false, "a pending entry twice");
  assert.ok(builder.streamConsumer(bytes, 4, 5, 10, -1));
  assert.equal(builder.streamConsumer(bytes, 4, 5, 10, -1), false, "a consumer twice");
  assert.equal(builder.isComplete(), false);
  assert.equal(builder.streamConsumerPending(5n, 2n), false, "an entry that the group does not have");
  assert.ok(builder.streamConsumerPending(5n, 1n));
  assert.equal(builder.streamConsumerPending(5n, 1n), false, "an entry that has its consumer");
  assert.ok(builder.isComplete());
  builder.put(pair.database, Buffer.from("one"), 0, 3, NO_EXPIRY);
  pair.models.set("one", {
    entries: [
      { id: "5-1", pairs: ["name", "value"] },
      { id: "18446744073709551615-7", pairs: ["name", "value", "v", ""] },
    ],
    lastId: "18446744073709551615-8",
    deletedId: "3-0",
    added: 9,
    groups: new Map([
      [
        "name",
        {
          lastId: "0-0",
          consumers: new Map([["value", { seenAtMs: 10 }]]),
          pending: new Map([["5-1", { consumer: "value", deliveredAtMs: 1000, count: 3 }]]),
        },
      ],
    ]),
  });
  pair.check();
  tell();
  builder.abandon();
  pair.check();
});

test("thousands of consumers are found by name and listed in order", () => {
  const pair = new Pair(100, 4096);
  const { streams } = pair.keyspace;
  const root = streams.create();
  streams.findGroup(root, Buffer.from("g"), 0, 1);
  const group = streams.addGroup(root, Buffer.from("g"), 0, 1, makeId(), 0n);
  const { groups } = streams;
  for (let index = 0; index < 20_000; index++) {
    const name = Buffer.from(`consumer-${(index * 7919) % 20_000}`);
    assert.equal(groups.findConsumer(group, name, 0, name.length), 0);
    groups.addConsumer(group, name, 0, name.length, index);
  }
  streams.verify(root);
  assert.equal(groups.consumers.count(groups.consumersOf(group)), 20_000);
  for (let index = 0; index < 20_000; index += 3) {
    const name = Buffer.from(`consumer-${index}`);
    const consumer = groups.findConsumer(group, name, 0, name.length);
    assert.notEqual(consumer, 0);
    groups.removeConsumer(group, consumer);
  }
  streams.verify(root);
  streams.discard(root);
  pair.check();
});

test("a node without limits takes entries at a steady pace, however many elements it has", () => {
  const pair = new Pair(0, 0);
  for (let index = 0; index < 30_000; index++) pair.run({ kind: "add", key: 0, number: 1, other: 0, pairs: [] });
  const { streams } = pair.keyspace;
  const root = pair.root("one");
  assert.equal(streams.nodeCount(root), 1);
  streams.readNode(streams.firstNode(root));
  const { nodeBytes, nodeStart } = streams;
  assert.deepEqual([nodeBytes[nodeStart + 4], nodeBytes[nodeStart + 5]], [255, 255]);
  pair.run({ kind: "remove", key: 0, number: 5, other: 0, pairs: [] });
  pair.check();
});
