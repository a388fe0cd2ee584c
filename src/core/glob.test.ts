import assert from "node:assert/strict";
import { test } from "node:test";
import { RealServer } from "../../test/golden/real-server.ts";
import { printedSeed, SeededRandom } from "../../test/support/seed.ts";
import { globMatch, globMatchText } from "./glob.ts";

test("the elements of a pattern match as documented", () => {
  const cases: [string, string, boolean][] = [
    ["h?llo", "hello", true],
    ["h*llo", "hllo", true],
    ["h[ae]llo", "hillo", false],
    ["h[^e]llo", "hello", false],
    ["h[a-c]llo", "hbllo", true],
    ["h[c-a]llo", "hbllo", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a\\", "a\\", true],
    ["[abc", "c", true],
    ["[", "[", false],
    ["[^", "x", true],
    ["[\\]]", "]", true],
    ["*", "", false],
    ["", "", true],
    ["a**", "a", true],
  ];
  for (const [pattern, text, expected] of cases)
    assert.equal(globMatchText(pattern, text, false), expected, `${pattern} ${text}`);
});

test("ignoring case concerns literals and ranges", () => {
  assert.equal(globMatchText("MAX*", "maxmemory", true), true);
  assert.equal(globMatchText("MAX*", "maxmemory", false), false);
  assert.equal(globMatchText("[A-C]x", "bX", true), true);
});

test("offsets are respected", () => {
  const bytes = Buffer.from("xxa*cyy");
  assert.equal(globMatch(bytes, 2, 3, Buffer.from("--abbbc--"), 2, 5, false), true);
});

test("a pattern of many stars ends in polynomial time", () => {
  const text = "a".repeat(2000);
  assert.equal(globMatchText(`${"a*".repeat(200)}b`, text, false), false);
});

test("KEYS on the real server gives the same keys", async () => {
  const seed = printedSeed("KEYS");
  const random = new SeededRandom(seed);
  const server = await RealServer.start();
  const pick = (alphabet: string, lengthMax: number) =>
    Array.from({ length: random.below(lengthMax + 1) }, () => alphabet[random.below(alphabet.length)]!).join("");
  try {
    const texts = [...new Set(Array.from({ length: 400 }, () => pick("aabbcc-]*[\\^?\xff\0", 6)))];
    for (const text of texts) server.command("SET", text, "");
    const patterns = Array.from({ length: 1500 }, () => pick("abc-]**[[\\^?\xff", 8)).filter(
      (pattern) => pattern !== "*",
    );
    const replies = await Promise.all(patterns.map((pattern) => server.command("KEYS", pattern)));
    let matched = 0;
    patterns.forEach((pattern, index) => {
      const theirs = (replies[index] as Buffer[]).map((key) => key.toString("latin1")).sort();
      const ours = texts.filter((text) => globMatchText(pattern, text, false)).sort();
      matched += ours.length;
      assert.deepEqual(ours, theirs, `seed ${seed}: ${JSON.stringify(pattern)}`);
    });
    assert.ok(matched > 1000);
  } finally {
    await server.stop();
  }
});
