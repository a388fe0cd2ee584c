/**
 * How the durations of one command's calls are distributed: counts in buckets that grow with the duration.
 *
 *      nanoseconds   0 1 2 ... 255 │ 256 258 ... 510 │ 512 516 ... 1020 │ ...        each group twice as coarse
 *      counts        256           │ 128             │ 128              │            relative error below 1 %
 *
 *  I1  What lies below 1 ns or above 1 s counts as 1 ns or 1 s. The size is fixed: about 24 KB.
 *  I2  `total` is the sum of the counts.
 *  Source: bucket borders as LATENCY HISTOGRAM of redis-server 7.0 shows them (two significant digits).
 */

const NANOSECONDS_MIN = 1;
const NANOSECONDS_MAX = 1_000_000_000;
/** Buckets of the first group, which are 1 ns wide; each further group has half as many. */
const FIRST_BUCKETS = 256;
const GROUP_LOG = 7;
/** Where the last group ends. */
const TRACKABLE_MAX = 2 ** 30 - 1;
/** The first border that LATENCY HISTOGRAM shows; each further one is twice as high. */
const FIRST_BORDER_NS = 1024;

export class LatencyHistogram {
  total: number;
  private readonly counts: Float64Array;

  constructor() {
    this.total = 0;
    this.counts = new Float64Array(bucketOf(NANOSECONDS_MAX) + 1);
  }

  /** Counts `calls` calls of `nanoseconds` each. Cannot fail. */
  add(nanoseconds: number, calls: number): void {
    const clamped = Math.min(Math.max(Math.floor(nanoseconds), NANOSECONDS_MIN), NANOSECONDS_MAX);
    this.counts[bucketOf(clamped)]! += calls;
    this.total += calls;
  }

  /**
   * The longest duration, ns, that counts as equal to that which `percent` of the calls do not exceed, and for 0 the
   * shortest one; 0 without calls.
   */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.floor((Math.min(percent, 100) / 100) * this.total + 0.5));
    let passed = 0;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      passed += this.counts[bucket]!;
      if (passed >= wanted) return percent === 0 ? bucketStart(bucket) : bucketEnd(bucket);
    }
    return 0;
  }

  /**
   * Pairs of a border in whole microseconds and the number of calls that did not exceed it: a border for each doubling,
   * without those that no call lies between.
   */
  cumulative(): number[] {
    const pairs: number[] = [];
    let bucket = 0;
    let passed = 0;
    for (let borderNs = FIRST_BORDER_NS; passed < this.total; borderNs *= 2) {
      const last = bucketOf(borderNs);
      const before = passed;
      for (; bucket <= last && bucket < this.counts.length; bucket++) passed += this.counts[bucket]!;
      if (passed > before) pairs.push(Math.floor(Math.min(bucketEnd(last), TRACKABLE_MAX) / 1000), passed);
    }
    return pairs;
  }
}

/** Which bucket `nanoseconds`, a whole number below 2^31, lies in. */
function bucketOf(nanoseconds: number): number {
  if (nanoseconds < FIRST_BUCKETS) return nanoseconds;
  const shift = 31 - Math.clz32(nanoseconds) - GROUP_LOG;
  return (shift << GROUP_LOG) + (nanoseconds >>> shift);
}

/** The lowest duration of a bucket, ns. */
function bucketStart(bucket: number): number {
  if (bucket < FIRST_BUCKETS) return bucket;
  const shift = (bucket >>> GROUP_LOG) - 1;
  return (bucket - (shift << GROUP_LOG)) * 2 ** shift;
}

/** The highest duration of a bucket, ns. */
function bucketEnd(bucket: number): number {
  return bucket < FIRST_BUCKETS ? bucket : bucketStart(bucket + 1) - 1;
}
