import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ENCODING_LISTPACK, ENCODING_QUICKLIST } from "../keyspace/record.ts";
import { LIST_LIMITS, type ListOperation, ListPair, listOperations } from "./lists.test.support.ts";

/** A list of many nodes under every key, so that operations meet long lists from the start. */
function prelude(elementBytes: number, count: number): ListOperation[] {
  return [0, 1].map((key) => ({
    kind: "pushMany",
    key,
    otherKey: 0,
    isHead: key === 0,
    isAfter: false,
    index: 0,
    count,
    length: elementBytes,
    isNumber: false,
  }));
}

for (const limits of LIST_LIMITS) {
  const name = `list-max-listpack-size ${limits.nodeSize}, plain from ${limits.plainBytes} bytes`;

  test(`lists hold what arrays hold after every operation: ${name}`, () => {
    fc.assert(
      fc.property(fc.array(listOperations(), { maxLength: 60 }), fc.boolean(), (steps, isLong) => {
        const pair = new ListPair(limits);
        if (isLong) for (const step of prelude(300, 120)) pair.run(step);
        for (const step of steps) {
          assert.ok(pair.run(step));
          pair.check();
        }
        while (pair.keyspace.reclaim(10));
        pair.check();
      }),
      { numRuns: 20 },
    );
  });

  test(`a list operation that gets no memory changes no element and loses no cell: ${name}`, () => {
    const kinds = ["push", "pushMany", "set", "insert", "removeEqual", "trim", "rotate", "move", "copy", "rename"];
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(listOperations(), { maxLength: 8 }),
        listOperations([...kinds, "expire", "pop", "popMany", "relocate"]),
        fc.constantFrom(9, 90, 200),
        (before, operation, elementBytes) => {
          for (let left = 0; left < 14; left++) {
            const pair = new ListPair(limits);
            if (elementBytes > 0) for (const step of prelude(elementBytes, 100)) pair.run(step);
            for (const step of before) pair.run(step);
            pair.arena.failAfter(left);
            const isDone = pair.run(operation);
            pair.check();
            if (!isDone) refused++;
            pair.arena.recover();
            assert.ok(pair.run(operation), "the same operation succeeds when there is memory again");
            pair.check();
            if (isDone && left > 3) break;
          }
        },
      ),
      // A copy always needs memory, whatever else is drawn.
      { numRuns: 25, examples: [[[], { ...prelude(1, 1)[0]!, kind: "copy", otherKey: 1 }, 200]] },
    );
    assert.ok(refused > 0, "no operation met the end of memory");
  });

  test(`a node is shown to the running snapshot before it changes or goes: ${name}`, () => {
    let shown = 0;
    fc.assert(
      fc.property(fc.array(listOperations(), { minLength: 1, maxLength: 30 }), (steps) => {
        const pair = new ListPair(limits);
        for (const step of prelude(400, 250)) pair.run(step);
        const { keyspace } = pair;
        const { lists } = keyspace;
        const root = keyspace.records.externalAddress(pair.find(0));
        const contentOf = (node: number): string => {
          lists.view(node);
          return Buffer.from(
            lists.valueBytes.subarray(lists.valueStart, lists.valueStart + lists.valueLength),
          ).toString("latin1");
        };
        const atOpening = new Map(Array.from(lists.nodesOf(root), (node) => [node, contentOf(node)]));
        const captured = new Map<number, string>();
        const id = keyspace.openSnapshot((owner, part) => {
          keyspace.tables.setPassed(part, id);
          if (owner !== root) return;
          assert.ok(atOpening.has(part), "only nodes that were there are shown");
          captured.set(part, contentOf(part));
          shown++;
        });
        for (const step of steps) {
          pair.run(step);
          for (const [node, content] of atOpening) assert.equal(captured.get(node) ?? contentOf(node), content);
        }
        keyspace.closeSnapshot();
        while (keyspace.reclaim(10));
        pair.check();
      }),
      { numRuns: 20 },
    );
    assert.ok(shown > 5, `only ${shown} nodes were shown`);
  });
}

test("a list becomes a quicklist beyond the limits of a node, and a listpack again within half of them", () => {
  const pair = new ListPair({ nodeSize: 4, plainBytes: 1 << 30 });
  const base = { key: 0, otherKey: 0, isHead: false, isAfter: false, index: 0, count: 0, length: 1, isNumber: false };
  const encoding = (): number => pair.keyspace.records.encoding(pair.find(0));
  for (let count = 1; count <= 4; count++) {
    pair.run({ ...base, kind: "push" });
    assert.equal(encoding(), ENCODING_LISTPACK);
  }
  pair.run({ ...base, kind: "push" });
  assert.equal(encoding(), ENCODING_QUICKLIST);
  const seen = [];
  while (pair.model.has("0")) {
    seen.push(encoding());
    pair.run({ ...base, kind: "pop", isHead: true });
    pair.check();
  }
  // The first node has four elements, the second one: it alone is within the half.
  assert.deepEqual(seen, [ENCODING_QUICKLIST, ...Array(3).fill(ENCODING_QUICKLIST), ENCODING_LISTPACK]);
});

test("a list that loses most of its elements everywhere does not keep a node for each of those that stay", () => {
  const pair = new ListPair({ nodeSize: -2, plainBytes: 1 << 30 });
  const { keyspace } = pair;
  const base = { key: 0, otherKey: 0, isHead: false, isAfter: false, index: 0, length: 0, isNumber: false };
  for (let node = 0; node < 60; node++) {
    pair.run({ ...base, kind: "pushMany", count: 99, length: 80 });
  }
  const root = keyspace.records.externalAddress(pair.find(0));
  const nodesBefore = keyspace.lists.nodesOf(root).length;
  for (const letter of ["a", "b", "c", "d"]) {
    const list = pair.model.get("0")!;
    pair.run({
      ...base,
      kind: "removeEqual",
      isHead: true,
      count: 0,
      index: list.findIndex((text) => text[0] === letter),
    });
    pair.check();
  }
  const nodes = keyspace.lists.nodesOf(root).length;
  assert.ok(nodes * 2 < nodesBefore, `${nodesBefore} nodes became ${nodes}`);
});

test("pushing and popping at both ends of a long list moves few bytes: each end keeps room", () => {
  const pair = new ListPair({ nodeSize: -2, plainBytes: 1 << 30 });
  const base = { key: 0, otherKey: 0, isAfter: false, index: 0, count: 0, length: 10, isNumber: false };
  for (let step = 0; step < 5000; step++) pair.run({ ...base, kind: "push", isHead: step % 2 === 0 });
  pair.check();
  for (let step = 0; step < 4990; step++) pair.run({ ...base, kind: "pop", isHead: step % 3 === 0 });
  pair.check();
  assert.equal(pair.keyspace.records.encoding(pair.find(0)), ENCODING_LISTPACK);
});

test("a trim of many nodes leaves them to idle moments, and keeps exactly what is between", () => {
  for (const [before, behind] of [
    [900, 0],
    [0, 900],
    [70, 890],
    [890, 70],
    [3, 3],
    [0, 998],
    [500, 499],
  ] as const) {
    const pair = new ListPair({ nodeSize: 4, plainBytes: 1 << 30 });
    const { keyspace } = pair;
    const base = { key: 0, otherKey: 0, isHead: false, isAfter: false, index: 0, length: 8, isNumber: false };
    for (let step = 0; step < 1000; step++) pair.run({ ...base, kind: "push", count: 0 });
    const list = pair.model.get("0")!;
    keyspace.lists.trim(keyspace.databases[0]!, pair.find(0), before, behind);
    pair.model.set("0", list.slice(before, list.length - behind));
    pair.check();
    assert.equal(keyspace.pendingReclaims() > 0, Math.max(before, behind) > 300, `${before} and ${behind}`);
    while (keyspace.reclaim(10));
    pair.check();
    keyspace.deleteRecord(keyspace.databases[0]!, pair.find(0));
    while (keyspace.reclaim(10));
    pair.model.delete("0");
    pair.check();
  }
});
