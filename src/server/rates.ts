/** Rates per second for INFO's instantaneous_ fields: the mean over the last sixteen tenths of a second. */

import type { SessionStatistics } from "../session/statistics.ts";

const SAMPLE_COUNT = 16;

interface Sample {
  readonly monotonicMs: number;
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly turns: number;
  readonly turnsUs: number;
}

export class Rates {
  private samples: Sample[];

  constructor() {
    this.samples = [];
  }

  /** Notes the counters; called at every tick. */
  sample(monotonicMs: number, statistics: SessionStatistics): void {
    const newest = this.samples[this.samples.length - 1];
    // CONFIG RESETSTAT set the counters back: earlier samples say nothing any more.
    if (newest !== undefined && newest.inputBytes > statistics.inputBytes) this.samples = [];
    const { commands, inputBytes, outputBytes, readEvents: turns, turnsUs } = statistics;
    this.samples.push({ monotonicMs, commands, inputBytes, outputBytes, turns, turnsUs });
    if (this.samples.length > SAMPLE_COUNT) this.samples.shift();
  }

  get operations(): number {
    return Math.round(this.perSecond((sample) => sample.commands));
  }

  get inputKbps(): number {
    return this.perSecond((sample) => sample.inputBytes) / 1024;
  }

  get outputKbps(): number {
    return this.perSecond((sample) => sample.outputBytes) / 1024;
  }

  /** Turns of clients per second. */
  get turns(): number {
    return Math.round(this.perSecond((sample) => sample.turns));
  }

  /** Mean duration of a turn, microseconds. */
  get turnUs(): number {
    const turns = this.perSecond((sample) => sample.turns);
    return turns === 0 ? 0 : Math.round(this.perSecond((sample) => sample.turnsUs) / turns);
  }

  private perSecond(counter: (sample: Sample) => number): number {
    const first = this.samples[0];
    const last = this.samples[this.samples.length - 1];
    if (first === undefined || last === undefined || first === last) return 0;
    return ((counter(last) - counter(first)) * 1000) / (last.monotonicMs - first.monotonicMs);
  }
}
