import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandBench } from "./testing.ts";

test("random SETBITs give the bits of a model, and a string as long as the furthest", () => {
  const step = fc.record({ offset: fc.nat(3000), bit: fc.constantFrom(0, 1) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bench = new CommandBench();
      const model = new Set<number>();
      let last = -1;
      for (const { offset, bit } of steps) {
        assert.equal(bench.run(`SETBIT k ${offset} ${bit}`), `:${model.has(offset) ? 1 : 0}\r\n`);
        if (bit === 1) model.add(offset);
        else model.delete(offset);
        last = Math.max(last, offset);
        assert.equal(bench.run("BITCOUNT k"), `:${model.size}\r\n`);
      }
      const firstSet = model.size === 0 ? -1 : Math.min(...model);
      assert.equal(bench.run("BITPOS k 1"), `:${firstSet}\r\n`);
      assert.equal(bench.run("STRLEN k"), `:${last === -1 ? 0 : Math.floor(last / 8) + 1}\r\n`);
      for (const { offset } of steps)
        assert.equal(bench.run(`GETBIT k ${offset}`), `:${model.has(offset) ? 1 : 0}\r\n`);
      bench.keyspace.verify();
    }),
    { numRuns: 60 },
  );
});

test("SETBIT makes a number raw even where it changes no bit, and counts a change only where it does", () => {
  const bench = new CommandBench();
  bench.run("SET k 12");
  assert.equal(bench.dirty, 1);
  bench.run("SETBIT k 0 0");
  assert.equal(bench.run("OBJECT ENCODING k"), "$3\r\nraw\r\n");
  assert.equal(bench.dirty, 1);
  bench.run("SETBIT k 100 0");
  assert.equal(bench.dirty, 2);
  assert.equal(bench.run("STRLEN k"), ":13\r\n");
});

test("BITCOUNT takes bytes or bits, from either end", () => {
  const bench = new CommandBench();
  bench.run("SET k foobar");
  assert.equal(bench.run("BITCOUNT k"), ":26\r\n");
  assert.equal(bench.run("BITCOUNT k 0 0"), ":4\r\n");
  assert.equal(bench.run("BITCOUNT k 1 1 byte"), ":6\r\n");
  assert.equal(bench.run("BITCOUNT k 5 30 BIT"), ":17\r\n");
  assert.equal(bench.run("BITCOUNT k -2 -1"), ":7\r\n");
  assert.equal(bench.run("BITCOUNT k -1 -2 NONSENSE"), ":0\r\n");
  assert.equal(bench.run("BITCOUNT k 0"), "-ERR syntax error\r\n");
  assert.equal(bench.run("BITCOUNT k 0 1 NONSENSE"), "-ERR syntax error\r\n");
  assert.equal(bench.run("BITCOUNT absent 0"), ":0\r\n");
});

test("BITPOS looks behind the string for a 0 unless an end is given", () => {
  const bench = new CommandBench();
  bench.run(["SET", "k", Uint8Array.of(255, 255)]);
  assert.equal(bench.run("BITPOS k 0"), ":16\r\n");
  assert.equal(bench.run("BITPOS k 0 1"), ":16\r\n");
  assert.equal(bench.run("BITPOS k 0 0 -1"), ":-1\r\n");
  assert.equal(bench.run("BITPOS k 0 9"), ":-1\r\n");
  assert.equal(bench.run("BITPOS k 1 3 12 BIT"), ":3\r\n");
  assert.equal(bench.run("BITPOS absent 1 x"), ":-1\r\n");
  assert.equal(bench.run("BITPOS absent 0"), ":0\r\n");
  assert.equal(bench.run("BITPOS k 2"), "-ERR The bit argument must be 1 or 0.\r\n");
});

test("no bit lies beyond proto-max-bulk-len", () => {
  const bench = new CommandBench();
  bench.context.limits.stringBytesMax = 100;
  const error = "-ERR bit offset is not an integer or out of range\r\n";
  assert.equal(bench.run("SETBIT k 800 1"), error);
  assert.equal(bench.run("SETBIT k -1 1"), error);
  assert.equal(bench.run("GETBIT k 9223372036854775808"), error);
  assert.equal(bench.run("SETBIT k 799 2"), "-ERR bit is not an integer or out of range\r\n");
  assert.equal(bench.run("SETBIT k 799 1"), ":0\r\n");
});

test("BITOP counts what shorter strings lack as zeros, and may write over a source", () => {
  const bench = new CommandBench();
  bench.run(["SET", "a", Uint8Array.of(0xf0, 0xff, 0x0f)]);
  bench.run(["SET", "b", Uint8Array.of(0x3c)]);
  assert.equal(bench.run("BITOP AND k a b"), ":3\r\n");
  assert.equal(bench.run("GET k"), "$3\r\n\x30\x00\x00\r\n");
  assert.equal(bench.run("BITOP OR k b a"), ":3\r\n");
  assert.equal(bench.run("GET k"), "$3\r\n\xfc\xff\x0f\r\n");
  assert.equal(bench.run("BITOP XOR a a b absent"), ":3\r\n");
  assert.equal(bench.run("GET a"), "$3\r\n\xcc\xff\x0f\r\n");
  assert.equal(bench.run("BITOP NOT a a"), ":3\r\n");
  assert.equal(bench.run("GET a"), "$3\r\n\x33\x00\xf0\r\n");
  assert.equal(bench.run("BITOP AND a absent"), ":0\r\n");
  assert.equal(bench.run("EXISTS a"), ":0\r\n");
  assert.equal(bench.run("BITOP NOT k a b"), "-ERR BITOP NOT must be called with a single source key.\r\n");
  assert.equal(bench.run("BITOP NAND k a"), "-ERR syntax error\r\n");
});

test("fields of any width are set, added to and read as a model does it", () => {
  const step = fc.record({
    isSigned: fc.boolean(),
    bits: fc.integer({ min: 1, max: 63 }),
    offset: fc.nat(200),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    isIncrement: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const bench = new CommandBench();
      let model = 0n; // 300 bits, bit 0 as the highest
      for (const { isSigned, bits, offset, value, isIncrement } of steps) {
        const shift = BigInt(300 - offset - bits);
        const wrap = (number: bigint): bigint =>
          isSigned ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number);
        const old = wrap(model >> shift);
        const next = wrap(isIncrement ? old + value : value);
        const type = `${isSigned ? "i" : "u"}${bits}`;
        const reply = bench.run(
          `BITFIELD k ${isIncrement ? "INCRBY" : "SET"} ${type} ${offset} ${value} GET ${type} ${offset}`,
        );
        assert.equal(reply, `*2\r\n:${isIncrement ? next : old}\r\n:${next}\r\n`);
        const mask = (1n << BigInt(bits)) - 1n;
        model = (model & ~(mask << shift)) | (BigInt.asUintN(bits, next) << shift);
      }
    }),
    { numRuns: 100 },
  );
});

test("OVERFLOW holds for the operations behind it", () => {
  const bench = new CommandBench();
  const reply = bench.run(
    "BITFIELD k SET u4 0 15 INCRBY u4 0 3 OVERFLOW SAT INCRBY u4 0 20 OVERFLOW FAIL INCRBY u4 #0 1",
  );
  assert.equal(reply, "*4\r\n:0\r\n:2\r\n:15\r\n$-1\r\n");
  assert.equal(bench.run("BITFIELD k OVERFLOW SAT SET i8 8 -1000 INCRBY i8 #1 -1"), "*2\r\n:0\r\n:-128\r\n");
  assert.equal(
    bench.run("BITFIELD k OVERFLOW SAT SET i64 64 9223372036854775807 INCRBY i64 64 1"),
    "*2\r\n:0\r\n:9223372036854775807\r\n",
  );
});

test("BITFIELD checks everything before it changes anything, and BITFIELD_RO changes nothing", () => {
  const bench = new CommandBench();
  const noType =
    "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n";
  assert.equal(bench.run("BITFIELD k SET u8 0 1 GET u64 0"), noType);
  assert.equal(bench.run("BITFIELD k SET u8 0 1 OVERFLOW NEVER"), "-ERR Invalid OVERFLOW type specified\r\n");
  assert.equal(bench.run("BITFIELD k SET u8 0 1 GET u8"), "-ERR syntax error\r\n");
  assert.equal(bench.run("BITFIELD k SET u8 0 x"), "-ERR value is not an integer or out of range\r\n");
  assert.equal(bench.run("BITFIELD k SET u8 #-1 1"), "-ERR bit offset is not an integer or out of range\r\n");
  assert.equal(bench.run("BITFIELD_RO k SET u8 0 1"), "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
  assert.equal(bench.run("EXISTS k"), ":0\r\n");
  assert.equal(bench.run("BITFIELD_RO k GET u8 0 GET i64 7"), "*2\r\n:0\r\n:0\r\n");
  assert.equal(bench.dirty, 0);
  assert.equal(bench.run("BITFIELD k"), "*0\r\n");
});
