/**
 * CommitWindow: how long an fsync waits for more effects that it could serve as well.
 *
 *      fsync ─┤ replies leave ─► clients hear them and ask again ─► ... │ all are here, or the time is over ├─ fsync
 *             └──────────────── a quarter of what an fsync takes ───────┘
 *
 *  I1  It is open only just behind an fsync, while fewer replies wait than did then: who comes back comes now.
 *  I2  It costs at most a quarter of what the last fsync took, and never more than WINDOW_MS_MAX.
 *
 *  Without it clients fall into two groups, of which one waits while the other is served, and every fsync serves half.
 *  Source: own design; databases know it as commit delay.
 */

const SHARE = 0.25;
const WINDOW_MS_MAX = 2;
/** Rounds of the event loop; only where time stands still are there so many. */
const ROUNDS_MAX = 1000;

export class CommitWindow {
  private beganMs: number;
  private closesMs: number;
  private expectedCount: number;
  private rounds: number;

  constructor() {
    this.beganMs = 0;
    this.closesMs = 0;
    this.expectedCount = 0;
    this.rounds = 0;
  }

  /** An fsync begins. */
  begin(nowMs: number): void {
    this.beganMs = nowMs;
  }

  /** It has ended; `replyCount`: those that waited for it, and those that wait for the next one. */
  end(nowMs: number, replyCount: number): void {
    this.closesMs = nowMs + Math.min((nowMs - this.beganMs) * SHARE, WINDOW_MS_MAX);
    this.expectedCount = replyCount;
    this.rounds = 0;
  }

  /** Whether the next fsync is to wait for more than the `replyCount` replies that wait now. */
  isOpen(nowMs: number, replyCount: number): boolean {
    return replyCount < this.expectedCount && nowMs < this.closesMs && this.rounds++ < ROUNDS_MAX;
  }
}
