/** Assertions that stay on in production: a failed one is our own bug, never the client's or the world's. */

/** Ends the operation when `condition` is false. `text` is a constant: a template would cost ten times as much. */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new AssertionFailure(text);
}

/** A broken invariant. The server lets it end the process: what is in memory can no longer be trusted. */
export class AssertionFailure extends Error {
  override name = "AssertionFailure";
}
