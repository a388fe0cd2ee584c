import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandBench } from "./testing.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

test("sums of any two 64-bit numbers are exact or refused", () => {
  fc.assert(
    fc.property(fc.bigInt(INT64_MIN, INT64_MAX), fc.bigInt(INT64_MIN, INT64_MAX), (value, increment) => {
      const bench = new CommandBench();
      bench.run(`SET k ${value}`);
      const sum = value + increment;
      const fits = sum >= INT64_MIN && sum <= INT64_MAX;
      const expected = fits ? `:${sum}\r\n` : "-ERR increment or decrement would overflow\r\n";
      assert.equal(bench.run(`INCRBY k ${increment}`), expected);
      const left = String(fits ? sum : value);
      assert.equal(bench.run("GET k"), `$${left.length}\r\n${left}\r\n`);
    }),
  );
});

test("counting from nothing, across 2^53 and across lengths keeps the digits and the time", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("INCR k"), ":1\r\n");
  bench.run("EXPIRE k 100");
  assert.equal(bench.run("DECRBY k 11"), ":-10\r\n");
  assert.equal(bench.run("INCRBY k 9007199254741001"), ":9007199254740991\r\n");
  assert.equal(bench.run("INCR k"), ":9007199254740992\r\n");
  assert.equal(bench.run("INCR k"), ":9007199254740993\r\n");
  assert.equal(bench.run("DECR k"), ":9007199254740992\r\n");
  assert.equal(bench.run("TTL k"), ":100\r\n");
  assert.equal(bench.run("OBJECT ENCODING k"), "$3\r\nint\r\n");
  bench.keyspace.verify();
});

test("what is no whole number is refused and left alone", () => {
  const bench = new CommandBench();
  for (const value of ["abc", "1.0", " 1", "01", "+1", "9223372036854775808", "-0"]) {
    bench.run(["SET", "k", value]);
    assert.equal(bench.run("INCR k"), "-ERR value is not an integer or out of range\r\n", value);
    assert.equal(bench.run(["INCRBY", "absent", value]), "-ERR value is not an integer or out of range\r\n", value);
    assert.equal(bench.run("GET k"), `$${value.length}\r\n${value}\r\n`);
  }
  assert.equal(bench.run("DECRBY absent -9223372036854775808"), "-ERR decrement would overflow\r\n");
});

test("INCRBYFLOAT adds in decimal and is no int afterwards", () => {
  const bench = new CommandBench();
  assert.equal(bench.run("INCRBYFLOAT k 10.5"), "$4\r\n10.5\r\n");
  assert.equal(bench.run("INCRBYFLOAT k 0.1"), "$4\r\n10.6\r\n");
  assert.equal(bench.run("INCRBYFLOAT k -5.6"), "$1\r\n5\r\n");
  assert.equal(bench.run("OBJECT ENCODING k"), "$6\r\nembstr\r\n");
  assert.equal(bench.run("INCRBYFLOAT k x"), "-ERR value is not a valid float\r\n");
  assert.equal(bench.run("INCRBYFLOAT k inf"), "-ERR increment would produce NaN or Infinity\r\n");
  assert.equal(bench.run("INCR k"), ":6\r\n");
  assert.equal(bench.dirty, 4);
});
