/** A start that cannot go on. */

/** The message says what was wrong, where, and what to do; nothing was changed. */
export class StartFailure extends Error {
  override name = "StartFailure";
}
