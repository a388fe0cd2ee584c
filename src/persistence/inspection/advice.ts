/** What to do about a damaged append-only file: it depends on the file's part in the whole. */

import type { Place, PlacedFile } from "./places.ts";
import type { Problem } from "./problem.ts";

/** The problem with advice. What is torn and may not be cut is no torn tail any more. */
export function withAdvice(place: Place, placed: PlacedFile, problem: Problem): Problem {
  if (problem.isTornTail && place.tail?.path === placed.path) {
    const advice = `\`everkey check --fix ${place.path}\` cuts it off and keeps the original aside. With \`aof-load-truncated yes\` a server cuts it at its start, too.`;
    return { ...problem, advice };
  }
  if (placed.role === "kept" || placed.role === "history") {
    const advice = "Nothing that is live is affected; going back to what it held works up to there.";
    return { ...problem, isTornTail: false, advice };
  }
  const keep = `what stands before can be kept with: head -c ${problem.wholeBytes} ${placed.name} > COPY`;
  if (problem.isTornTail) {
    const reason = place.tail === undefined ? place.noTailReason : "Only the last increment may end like this";
    const advice = `It is not cut here: ${reason}. Take another copy of this file; ${keep}`;
    return { ...problem, isTornTail: false, advice };
  }
  return { ...problem, advice: `Nothing is cut out of the middle of a file. Take another copy of it; ${keep}` };
}
