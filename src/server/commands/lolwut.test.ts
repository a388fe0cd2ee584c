import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { picture } from "./lolwut.ts";

test("the picture has 14 lines of at most 65 plain characters, whatever chance says", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const pictures = new Set<string>();
  for (let round = 0; round < 200; round++) {
    const text = picture(() => random.below(1 << 30) / 2 ** 30);
    const lines = text.split("\n");
    assert.equal(lines.length, 14, `seed ${seed}`);
    for (const line of lines) assert.match(line, /^[ +'_().:#]{0,65}$/, `seed ${seed}`);
    assert.match(lines[13]!, /^#{65}$/, `seed ${seed}`);
    pictures.add(text);
  }
  assert.ok(pictures.size > 190, `seed ${seed}`);
});
