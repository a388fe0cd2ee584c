import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandBench } from "./testing.ts";

test("pieces written and read by random commands give what a plain buffer gives", () => {
  const piece = fc.uint8Array({ maxLength: 400 });
  const position = fc.integer({ min: -700, max: 700 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), piece }),
    fc.record({ kind: fc.constant("setrange" as const), piece, at: fc.nat(700) }),
    fc.record({ kind: fc.constant("getrange" as const), start: position, end: position }),
    fc.record({ kind: fc.constant("expire" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const bench = new CommandBench();
      let model = Buffer.alloc(0);
      for (const each of steps) {
        if (each.kind === "append") {
          model = Buffer.concat([model, each.piece]);
          assert.equal(bench.run(["APPEND", "k", each.piece]), `:${model.length}\r\n`);
        } else if (each.kind === "setrange") {
          if (each.piece.length > 0) {
            const grown = Buffer.alloc(Math.max(model.length, each.at + each.piece.length));
            model.copy(grown);
            grown.set(each.piece, each.at);
            model = grown;
          }
          assert.equal(bench.run(["SETRANGE", "k", String(each.at), each.piece]), `:${model.length}\r\n`);
        } else if (each.kind === "getrange") {
          const from = each.start < 0 ? Math.max(model.length + each.start, 0) : each.start;
          const to = each.end < 0 ? Math.max(model.length + each.end, 0) : each.end;
          const isCrossed = each.start < 0 && each.end < 0 && each.start > each.end;
          const expected = isCrossed ? Buffer.alloc(0) : model.subarray(from, to + 1);
          assert.equal(
            bench.run(["GETRANGE", "k", String(each.start), String(each.end)]),
            `$${expected.length}\r\n${expected.toString("latin1")}\r\n`,
          );
        } else {
          bench.run("EXPIRE k 100");
        }
        assert.equal(bench.run("STRLEN k"), `:${model.length}\r\n`);
        bench.keyspace.verify();
      }
    }),
    { numRuns: 60 },
  );
});

test("what was written in part is raw", () => {
  const bench = new CommandBench();
  bench.run("APPEND a 12");
  assert.equal(bench.run("OBJECT ENCODING a"), "$3\r\nint\r\n");
  bench.run(["APPEND", "a", ""]);
  assert.equal(bench.run("OBJECT ENCODING a"), "$3\r\nraw\r\n");
  bench.run("SETRANGE b 0 12");
  assert.equal(bench.run("OBJECT ENCODING b"), "$3\r\nraw\r\n");
});

test("no string grows beyond proto-max-bulk-len", () => {
  const bench = new CommandBench();
  const tooLong = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  bench.context.limits.stringBytesMax = 10;
  bench.run("SET k 12345678");
  assert.equal(bench.run("APPEND k 90"), ":10\r\n");
  assert.equal(bench.run("APPEND k x"), tooLong);
  assert.equal(bench.run("SETRANGE k 9 xy"), tooLong);
  assert.equal(bench.run("SETRANGE absent 9223372036854775807 x"), tooLong);
  assert.equal(bench.run("EXISTS absent"), ":0\r\n");
  assert.equal(bench.run("SETRANGE k -1 x"), "-ERR offset is out of range\r\n");
  assert.equal(bench.run(["SETRANGE", "absent", "100", ""]), ":0\r\n");
  assert.equal(bench.dirty, 2);
});
