import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ErrorReply, RealServer } from "../../test/golden/real-server.ts";
import { printedSeed, SeededRandom } from "../../test/support/seed.ts";
import {
  addDecimal,
  formatFloat64,
  integerDigitCount,
  parseFloat64,
  parseInt64,
  parseMemory,
  parseSafeInteger,
  readBigInt64,
  readInt64,
  writeInt64,
  writeInt64Digits,
} from "./numbers.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const int64 = (text: string) => parseInt64(latin1(`<${text}>`), 1, text.length);
const float64 = (text: string) => parseFloat64(latin1(`<${text}>`), 1, text.length);

test("parseInt64 reads back every 64-bit number and nothing outside", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 65n), 2n ** 65n), (value) => {
      const fits = value >= -(2n ** 63n) && value < 2n ** 63n;
      assert.equal(int64(value.toString()), fits ? value : undefined);
    }),
  );
  assert.equal(int64("9223372036854775807"), 2n ** 63n - 1n);
  assert.equal(int64("9223372036854775808"), undefined);
  assert.equal(int64("-9223372036854775808"), -(2n ** 63n));
  assert.equal(int64("-9223372036854775809"), undefined);
  assert.equal(int64("99999999999999999999"), undefined);
});

test("parseInt64 refuses what is not the canonical spelling", () => {
  for (const text of [
    "",
    "-",
    "+1",
    " 1",
    "1 ",
    "01",
    "-0",
    "-01",
    "1a",
    "0x1",
    "1.0",
    "00",
    "--1",
    "0000000000000000001",
  ]) {
    assert.equal(int64(text), undefined, text);
    assert.ok(Number.isNaN(parseSafeInteger(latin1(text), 0, text.length)), text);
  }
  assert.equal(int64("0"), 0n);
});

test("parseSafeInteger takes exactly the safe integers", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 54n), 2n ** 54n), (value) => {
      const bytes = latin1(value.toString());
      const expected = Number.isSafeInteger(Number(value)) ? Number(value) : Number.NaN;
      assert.equal(parseSafeInteger(bytes, 0, bytes.length), expected);
    }),
  );
});

test("writeInt64Digits writes what parseInt64 reads", () => {
  const target = new Uint8Array(32);
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      const end = writeInt64Digits(target, 3, value);
      assert.equal(latin1(value.toString()).compare(target, 3, end), 0);
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const end = writeInt64Digits(target, 3, value);
      assert.equal(end - 3, integerDigitCount(value));
      assert.equal(Buffer.from(target.subarray(3, end)).toString(), String(value));
    }),
  );
});

test("little-endian cells keep their value", () => {
  const cell = new Uint8Array(8);
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      writeInt64(cell, 0, value);
      assert.equal(readInt64(cell, 0), value);
      assert.equal(readBigInt64(cell, 0), BigInt(value));
    }),
  );
});

test("parseFloat64 takes hexadecimal, exponents and infinities as strtod does", () => {
  assert.equal(float64("0x10"), 16);
  assert.equal(float64("-0X.8p1"), -1);
  assert.equal(float64("0x1p-1074"), 5e-324);
  assert.equal(float64("0x1.fffffffffffff8p0"), 2);
  assert.equal(float64(".5"), 0.5);
  assert.equal(float64("+5."), 5);
  assert.equal(float64("1e-10"), 1e-10);
  assert.equal(float64("-InFiNiTy"), Number.NEGATIVE_INFINITY);
  assert.equal(float64("inf"), Number.POSITIVE_INFINITY);
  assert.ok(Object.is(float64("-0"), -0));
});

test("formatFloat64 prints as Redis 7.2 and reads back to the same double", () => {
  const expected: [number, string][] = [
    [3, "3"],
    [0.1, "0.1"],
    [-0, "-0"],
    [1e20, "1e+20"],
    [1e-5, "0.00001"],
    [1e-7, "1e-7"],
    [1.5e300, "1.5e+300"],
    [2 ** 60, "1152921504606846976"],
    [2 ** 63, "9223372036854776000"],
    [123456789.125, "123456789.125"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
    [Number.NaN, "nan"],
  ];
  for (const [value, text] of expected) assert.equal(formatFloat64(value), text);
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      assert.ok(Object.is(float64(formatFloat64(value)), value), formatFloat64(value));
    }),
    { numRuns: 2000 },
  );
});

test("parseMemory knows redis.conf's units", () => {
  assert.equal(parseMemory("100"), 100);
  assert.equal(parseMemory("1k"), 1000);
  assert.equal(parseMemory("1KB"), 1024);
  assert.equal(parseMemory("64mb"), 64 * 1024 * 1024);
  assert.equal(parseMemory("2g"), 2_000_000_000);
  assert.equal(parseMemory("1gb"), 2 ** 30);
  for (const text of ["", "mb", "-1", "1.5mb", "1tb", "1 mb", "9999999999999999gb"])
    assert.equal(parseMemory(text), undefined, text);
});

function generatedNumber(random: SeededRandom): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
  const hex = (count: number) => Array.from({ length: count }, () => random.below(16).toString(16)).join("");
  const sign = ["", "", "-", "+"][random.below(4)]!;
  switch (random.below(12)) {
    case 0:
      return sign + digits(1 + random.below(22));
    case 1:
      return `${sign}${digits(random.below(20))}.${digits(random.below(25))}`;
    case 2:
      return `${sign}${digits(1 + random.below(5))}.${digits(random.below(20))}e${["", "-", "+"][random.below(3)]}${random.below(30)}`;
    case 3:
      return `${sign}${digits(1 + random.below(3))}e${["", "-"][random.below(2)]}${random.below(5200)}`;
    case 4:
      return `${sign}0x${hex(random.below(20))}.${hex(random.below(6))}p${["", "-"][random.below(2)]}${random.below(70)}`;
    case 5:
      return `${sign}${["inf", "Infinity", "nan", "infi", "", "e5", ".", "0x", "0xp1", "1e", "1e+", " 1", "1 "][random.below(13)]}`;
    case 6:
      return `${sign}${digits(40 + random.below(200))}`;
    case 7:
      return `${sign}0.${"0".repeat(random.below(20))}${digits(1 + random.below(20))}`;
    case 8:
      return `${sign}${2n ** BigInt(60 + random.below(8)) + BigInt(random.below(5)) - 2n}${[".5", ".25", ".75", ""][random.below(4)]}`;
    case 9:
      return `${sign}1e-${["4930", "4940", "4950", "4951", "4952", "4960"][random.below(6)]}`;
    case 10:
      return `${sign}${random.below(1000)}.${random.below(1000)}`;
    default:
      return `${sign}${digits(1 + random.below(6))}.${digits(17 + random.below(3))}5`;
  }
}

test("INCRBYFLOAT gives what the real server gives", async () => {
  const seed = printedSeed("INCRBYFLOAT");
  const random = new SeededRandom(seed);
  const server = await RealServer.start();
  try {
    const cases = Array.from({ length: 6000 }, () => [generatedNumber(random), generatedNumber(random)] as const);
    const replies = await Promise.all(
      cases.map(async ([left, right], index) => {
        server.command("SET", `k${index}`, left);
        return server.command("INCRBYFLOAT", `k${index}`, right);
      }),
    );
    let sums = 0;
    cases.forEach(([left, right], index) => {
      const reply = replies[index]!;
      const ours = addDecimal(latin1(left), latin1(right));
      const oursText =
        ours === "invalid"
          ? "ERR value is not a valid float"
          : ours === "infinite"
            ? "ERR increment would produce NaN or Infinity"
            : ours.text;
      if (typeof ours === "object") sums++;
      const theirs = reply instanceof ErrorReply ? reply.text : String(reply);
      assert.equal(oursText, theirs, `seed ${seed}: ${JSON.stringify(left)} + ${JSON.stringify(right)}`);
    });
    assert.ok(sums > 1000, `only ${sums} sums`);
  } finally {
    await server.stop();
  }
});

test("scores are read as the real server reads them", async () => {
  const seed = printedSeed("ZADD");
  const random = new SeededRandom(seed);
  const server = await RealServer.start();
  try {
    const texts = Array.from({ length: 4000 }, (_, index) =>
      index % 3 === 0
        ? `${random.below(10)}.${random.below(1000)}e${random.below(700) - 350}`
        : index % 50 === 1
          ? `${["0x1p-", "-0x1.8p-", "0x.ffffffffffffffp-"][random.below(3)]}${1060 + random.below(20)}`
          : generatedNumber(random),
    );
    const replies = await Promise.all(
      texts.map(async (text) => {
        const added = server.command("ZADD", "z", text, "m");
        const score = server.command("ZSCORE", "z", "m");
        return [await added, await score] as const;
      }),
    );
    texts.forEach((text, index) => {
      const [added, score] = replies[index]!;
      const ours = float64(text);
      if (added instanceof ErrorReply)
        assert.ok(Number.isNaN(ours), `seed ${seed}: ${text} is refused there: ${added.text}`);
      else {
        const theirs = Number(String(score).replace("inf", "Infinity"));
        assert.ok(ours === theirs, `seed ${seed}: ${text} is ${score} there, ${ours} here`);
      }
    });
  } finally {
    await server.stop();
  }
});

test("a decimal with a point reads as the nearest double, as JavaScript reads it", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 17 });
  fc.assert(
    fc.property(fc.constantFrom("", "-"), digits, digits, (sign, whole, fraction) => {
      fc.pre(whole.length + fraction.length > 0);
      const text = `${sign}${whole}.${fraction}`;
      const bytes = Buffer.from(`xx${text}`, "latin1");
      assert.ok(Object.is(parseFloat64(bytes, 2, text.length), Number(text)), text);
    }),
  );
  for (const text of [".", "-.", "1.2.3", "1..", "--1.5", "1.5x"]) {
    assert.ok(Number.isNaN(parseFloat64(Buffer.from(text), 0, text.length)), text);
  }
});
