import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { quoteWord, splitWords, wordOf } from "./split-words.ts";

test("words are separated by any space, and quotes keep it", () => {
  assert.deepEqual(splitWords("  a\tb  c "), ["a", "b", "c"]);
  assert.deepEqual(splitWords(`a "b c" 'd e' "" ''`), ["a", "b c", "d e", "", ""]);
  assert.deepEqual(splitWords(""), []);
});

test("double quotes know escapes, single quotes only the quote itself", () => {
  assert.deepEqual(splitWords(`"\\n\\r\\t\\b\\a\\x41\\xfF\\"\\\\\\q"`), [`\n\r\t\b\x07A\xff"\\q`]);
  assert.deepEqual(splitWords(`'a\\'b\\n\\x41'`), [`a'b\\n\\x41`]);
  assert.deepEqual(splitWords(`"\\xZZ"`), ["xZZ"]);
});

test("an open quote, or text right behind a closed one, is refused", () => {
  for (const line of [`"a`, `'a`, `a "b`, `"a"b`, `'a'b`, `"a\\"`, `'a\\'`])
    assert.equal(splitWords(line), undefined, line);
});

test("any bytes survive being written as a word and read again", () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 255 })).map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(fc.array(bytes), (texts) => {
      assert.deepEqual(splitWords(texts.map(quoteWord).join(" ")), texts);
      assert.deepEqual(splitWords(texts.map(wordOf).join(" ")), texts);
    }),
  );
});

test("form feeds and vertical tabs stand between words and do not part them", () => {
  assert.deepEqual(splitWords("\f a\vb\f \v'c'\fd"), ["a\vb\f", "c", "d"]);
});
