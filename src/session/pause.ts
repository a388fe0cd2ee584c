/**
 * CLIENT PAUSE: requests that are put off, and their return.
 *
 *      start ──► Gates.pausedUntilMs ──► Dispatcher puts off requests ──► hold(client) ──┐
 *      end, or the time is over ──► clients go on in the order in which they were put off ◄┘
 *
 *  I1  A running pause is only made longer and stricter, never shorter or milder.
 *  I2  `waiting` holds each client that was put off once, in order, and none that is gone.
 *  I3  Nobody goes on inside another client's command: the dispatcher executes one at a time.
 *  Source: CLIENT PAUSE and UNPAUSE of Redis 7.2.
 */

import type { Clock, Timer } from "../core/host.ts";
import type { Client } from "./client.ts";
import type { Gates } from "./gates.ts";

export class Pause {
  private readonly clock: Clock;
  private readonly gates: Gates;
  /** Lets a client go on that was put off. */
  private readonly resume: (client: Client) => void;
  /** All of those have gone on. */
  private readonly onReleased: () => void;
  private waiting: Set<Client>;
  private timer: Timer | undefined;

  constructor(clock: Clock, gates: Gates, resume: (client: Client) => void, onReleased: () => void) {
    this.clock = clock;
    this.gates = gates;
    this.resume = resume;
    this.onReleased = onReleased;
    this.waiting = new Set();
    this.timer = undefined;
  }

  isActive(): boolean {
    return this.clock.monotonicMs() < this.gates.pausedUntilMs;
  }

  /** Clients that wait for the end. */
  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Holds back writes, or everything, for `durationMs`; 0 starts no pause. */
  start(durationMs: number, holdsAll: boolean): void {
    const gates = this.gates;
    const wasActive = this.isActive();
    const untilMs = durationMs > 0 ? this.clock.monotonicMs() + durationMs : 0;
    gates.pausesAll = holdsAll || (wasActive && gates.pausesAll);
    gates.pausedUntilMs = Math.max(untilMs, wasActive ? gates.pausedUntilMs : 0);
    if (gates.pausedUntilMs !== 0) this.arm();
  }

  /** CLIENT UNPAUSE. Those who wait go on after what is being executed (I3). */
  end(): void {
    this.stop();
    this.clock.soon(() => {
      if (!this.isActive()) this.release();
    });
  }

  /** The dispatcher has put off a request of `client`. */
  hold(client: Client): void {
    this.waiting.add(client);
  }

  /** The client is gone. */
  forget(client: Client): void {
    this.waiting.delete(client);
  }

  private arm(): void {
    this.timer?.cancel();
    const delayMs = this.gates.pausedUntilMs - this.clock.monotonicMs();
    this.timer = this.clock.after(Math.max(0, Math.ceil(delayMs)), () => {
      if (this.isActive()) {
        this.arm();
        return;
      }
      this.stop();
      this.release();
    });
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.gates.pausedUntilMs = 0;
    this.gates.pausesAll = false;
  }

  private release(): void {
    const released = this.waiting;
    // Whoever is put off again meanwhile, by a new pause, enters the new list; a client that goes leaves the old one.
    this.waiting = new Set();
    for (const client of released) {
      if (!client.isClosing && client.suspension?.kind === "pause") this.resume(client);
    }
    this.onReleased();
  }
}
