/**
 * The 24 bits in which each record remembers how it was used.
 *
 *      LRU policies   seconds since 1970, modulo 2^24
 *      LFU policies   [ minutes of the last decrement, 16 bits │ logarithmic counter, 8 bits ]
 *
 *  I1  `stampBits` is the clock of now, already at its place in a record's first word.
 *  Source: behaviour of OBJECT IDLETIME and OBJECT FREQ and the directives lfu-log-factor, lfu-decay-time, as the
 *  Redis documentation on key eviction describes them.
 */

const CLOCK_MASK = 0xffffff;
/** Counter of a new key, so that it is not evicted before it had a chance. */
const INITIAL_COUNTER = 5;

export class AccessClock {
  /** Whether the eviction policy counts frequency. */
  isFrequency: boolean;
  stampBits: number;
  logFactor: number;
  decayMinutes: number;
  private nowSeconds: number;
  private random: () => number;

  constructor() {
    this.isFrequency = false;
    this.stampBits = 0;
    this.logFactor = 10;
    this.decayMinutes = 1;
    this.nowSeconds = 0;
    this.random = () => 0;
  }

  /** `random` gives whole numbers below 2^32. */
  setRandom(random: () => number): void {
    this.random = random;
  }

  /** Tells the time, once a turn. */
  setNow(nowMs: number): void {
    this.nowSeconds = Math.floor(nowMs / 1000);
    this.stampBits = (this.nowSeconds & CLOCK_MASK) << 8;
  }

  /** The clock of a new record, at its place in the first word. */
  initialBits(): number {
    return ((this.minutes() << 8) | INITIAL_COUNTER) << 8;
  }

  /** The 24 bits of a record that is being accessed under LFU. */
  touched(access: number): number {
    let counter = this.decayed(access);
    if (counter < 255) {
      const base = Math.max(counter - INITIAL_COUNTER, 0);
      if (this.random() / 4294967296 < 1 / (base * this.logFactor + 1)) counter++;
    }
    return (this.minutes() << 8) | counter;
  }

  /** The LFU counter as it is after the time that has passed. */
  decayed(access: number): number {
    const counter = access & 255;
    if (this.decayMinutes === 0) return counter;
    const passedMinutes = (this.minutes() - (access >>> 8)) & 0xffff;
    return Math.max(counter - Math.floor(passedMinutes / this.decayMinutes), 0);
  }

  /** Seconds since the record was used, under LRU. A second is lost where the clock begins anew, as in Redis. */
  idleSeconds(access: number): number {
    const nowSeconds = this.nowSeconds & CLOCK_MASK;
    return nowSeconds >= access ? nowSeconds - access : nowSeconds + CLOCK_MASK - access;
  }

  /** The 24 bits for a record that was used `idleSeconds` ago; times that the clock cannot hold wrap around. */
  accessForIdle(idleSeconds: number): number {
    const access = (this.nowSeconds & CLOCK_MASK) - idleSeconds;
    return (access < 0 ? access + CLOCK_MASK : access) & CLOCK_MASK;
  }

  /** The 24 bits for a record with the given LFU counter. */
  accessForFrequency(counter: number): number {
    return (this.minutes() << 8) | (counter & 255);
  }

  private minutes(): number {
    return Math.floor(this.nowSeconds / 60) & 0xffff;
  }
}
