/** Why one cannot go back to where somebody wants to: what is there instead, and what would help. */
export class TimelineFault extends Error {
  override name = "TimelineFault";
  /** What to try, "" when nothing would help. */
  readonly hint: string;

  constructor(message: string, hint = "", cause?: unknown) {
    super(message, { cause });
    this.hint = hint;
  }
}
