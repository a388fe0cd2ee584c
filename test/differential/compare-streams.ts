/**
 * When two replies about streams mean the same.
 *
 *      XINFO, XPENDING ──► names and values ──► times to "time", what 7.2 added left out ──► the same text
 *
 *  I1  Left out are moments (they differ by when a server got to a command), how Redis's own radix tree is laid out, and the
 *      fields that 7.2 added. Everything else counts.
 *  Source: public documentation of XINFO and XPENDING: `inactive` and `active-time` since 7.2.0; since then `seen-time` and
 *  `idle` are about attempts, and `active-time` and `inactive` about what was read.
 */

import type { ReplyNode } from "../support/reply.ts";
import { compareParsed, type ReplyComparison } from "./compare.ts";

const TIMES = ["seen-time", "idle"];
const LAYOUT = ["radix-tree-nodes"];
const NEW_IN_72 = ["active-time", "inactive"];
/** Milliseconds since 1970 have at least that many digits. */
const MOMENT_DIGITS = 13;

function normalized(node: ReplyNode): unknown {
  if (node.items.length === 0) {
    if (node.type === ":" && (node.text?.length ?? 0) >= MOMENT_DIGITS) return "time";
    return [node.type, node.text];
  }
  const parts: unknown[] = [];
  let leftOut = 0;
  for (let index = 0; index < node.items.length; index++) {
    const item = node.items[index]!;
    parts.push(normalized(item));
    if (item.type !== "$" || index + 1 === node.items.length) continue;
    if (TIMES.includes(item.text!) || LAYOUT.includes(item.text!)) {
      index++;
      parts.push("time");
    } else if (NEW_IN_72.includes(item.text!)) {
      index++;
      parts.pop();
      leftOut += 2;
    }
  }
  return [node.type, node.items.length - leftOut, parts];
}

/** Replies of XINFO. */
export const compareStreamFacts: ReplyComparison = compareParsed((expected, actual) =>
  JSON.stringify(normalized(expected)) === JSON.stringify(normalized(actual)) ? undefined : "other facts",
);

/** Replies of XPENDING with a range: for how long an entry has been waiting is a time. */
export const comparePending: ReplyComparison = compareParsed((expected, actual) => {
  const withoutTimes = (node: ReplyNode): unknown =>
    node.items.map((entry) =>
      entry.items.map((item, index) =>
        index === 2 && item.type === ":" ? "time" : [item.type, item.text, item.items],
      ),
    );
  return JSON.stringify(withoutTimes(expected)) === JSON.stringify(withoutTimes(actual)) ? undefined : "other entries";
});
