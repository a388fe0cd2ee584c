/** Rules as a list of words: a selector in parentheses may be spread over several of them. */

/** `rules`: each selector as one rule. `unmatched`: the word with which one begins that does not end. */
export function mergeSelectors(
  words: readonly string[],
): { readonly rules: readonly string[] } | { readonly unmatched: string } {
  const rules: string[] = [];
  let first: string | undefined;
  let selector = "";
  for (const word of words) {
    if (first !== undefined) {
      selector += ` ${word}`;
    } else if (word.startsWith("(") && !word.endsWith(")")) {
      first = word;
      selector = word;
      continue;
    } else {
      rules.push(word);
      continue;
    }
    if (!word.endsWith(")")) continue;
    rules.push(selector);
    first = undefined;
  }
  return first === undefined ? { rules } : { unmatched: first };
}
