import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Request } from "../protocol/request.ts";
import { Command } from "./command-index.ts";
import { Transaction } from "./transaction.ts";

function command(name: string, flags: readonly ("write" | "loading" | "denyoom")[]): Command {
  const spec = { arity: -1, flags, acl: [], since: "1.0.0", group: "string", complexity: "", summary: "" } as const;
  return new Command(name, spec, undefined);
}

const COMMANDS = [command("ONE", ["write"]), command("TWO", ["loading"]), command("THREE", ["write", "loading"])];

/** Puts `words` into `request` as a reader would: with other bytes before and between them. */
function fill(request: Request, words: readonly Uint8Array[]): number {
  const input = new Uint8Array(words.reduce((sum, word) => sum + word.length + 3, 7)).fill(0xaa);
  request.reserve(words.length);
  let at = 5;
  words.forEach((word, index) => {
    input.set(word, at);
    request.offset[index] = at;
    request.length[index] = word.length;
    at += word.length + 3;
  });
  request.input = input;
  request.count = words.length;
  return input.length;
}

function wordsOf(request: Request): Uint8Array[] {
  return Array.from({ length: request.count }, (_, index) => request.copy(index));
}

test("EXEC gets every request back as it was queued, in order", () => {
  const words = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 100 });
  const requests = fc.array(fc.tuple(fc.nat(COMMANDS.length - 1), words), { maxLength: 40 });
  fc.assert(
    fc.property(requests, (all) => {
      const transaction = new Transaction();
      const request = new Request();
      let argumentBytes = 0;
      for (const [which, words] of all) {
        transaction.add(COMMANDS[which]!, request, fill(request, words));
        request.input.fill(0xee);
        argumentBytes += words.reduce((sum, word) => sum + word.length, 0);
      }
      assert.equal(transaction.argumentBytes, argumentBytes);
      assert.ok(transaction.memoryBytes >= argumentBytes);
      const loaded = new Request();
      for (const [which, words] of all) {
        assert.ok(transaction.hasNext());
        assert.equal(transaction.load(loaded), COMMANDS[which]);
        assert.deepEqual(wordsOf(loaded), words);
      }
      assert.ok(!transaction.hasNext());
      assert.equal(transaction.executedBytes, argumentBytes);
    }),
  );
});

test("a queue knows the flags that any and that all of its commands have", () => {
  const transaction = new Transaction();
  const request = new Request();
  const [writes, loads, both] = COMMANDS.map((each) => each.flagBits) as [number, number, number];
  transaction.add(COMMANDS[2]!, request, fill(request, [Uint8Array.of(1)]));
  assert.equal(transaction.flagsOfAny, both);
  assert.equal(transaction.flagsOfAll, both);
  transaction.add(COMMANDS[1]!, request, fill(request, [Uint8Array.of(1)]));
  assert.equal(transaction.flagsOfAny, writes | loads);
  assert.equal(transaction.flagsOfAll, loads);
  transaction.add(COMMANDS[0]!, request, fill(request, [Uint8Array.of(1)]));
  assert.equal(transaction.flagsOfAll, 0);
});

test("the queue's memory stays in proportion to what it holds", () => {
  const transaction = new Transaction();
  const request = new Request();
  const bytes = fill(request, [new Uint8Array(3), new Uint8Array(16), new Uint8Array(100)]);
  for (let count = 0; count < 10_000; count++) transaction.add(COMMANDS[0]!, request, bytes);
  assert.equal(transaction.argumentBytes, 1_190_000);
  // Lengths take 4 bytes each, and growth twice what is needed at most.
  assert.ok(transaction.memoryBytes < 2 * (1_190_000 + 160_000) + 100_000);
});
