/**
 * Sine, cosine and arc sine, rounded correctly: the last bit is that of C's library, where Math.sin may be one off.
 *
 *      x ──► nearest multiple of pi/2, rest r in twice the precision ──► Taylor series of r ──► rounded once
 *
 *  I1  high + low is the value, with 106 bits, and low is less than half a unit in high's last place.
 *  I2  Arguments are finite and at most 2 pi in size; that is what angles on a globe are.
 *
 * A call takes about a microsecond, ten times as long as Math.sin.
 *
 * Source: sums and products without error (Dekker 1971; Knuth, TAOCP vol. 2, 4.2.2), Taylor's series.
 */

const HALF_PI_HIGH = Math.PI / 2;
/** What pi/2 is more than its double. */
const HALF_PI_LOW = 6.123233995736766e-17;
const TERMS = 14;
const SPLITTER = 2 ** 27 + 1;

export class ExactTrigonometry {
  /** The result of the last step (I1). */
  private high = 0;
  private low = 0;

  sin(x: number): number {
    this.sine(x);
    return this.high;
  }

  cos(x: number): number {
    const quarter = this.reduce(x);
    this.wave(quarter + 1);
    return this.high;
  }

  /** The angle in [-pi/2, pi/2] whose sine is `y`. */
  asin(y: number): number {
    const near = Math.asin(y);
    const slope = Math.cos(near);
    if (near === 0 || slope < 1e-6) return near;
    this.sine(near);
    // One step of Newton's method from a value that is nearly exact.
    return near + (y - this.high - this.low) / slope;
  }

  private sine(x: number): void {
    this.wave(this.reduce(x));
  }

  /** Leaves x less the nearest multiple of pi/2, and returns which multiple it is. */
  private reduce(x: number): number {
    const quarters = Math.round(x / HALF_PI_HIGH);
    this.product(quarters, HALF_PI_HIGH);
    const high = x - this.high; // without error: the two are close together, or quarters is 0
    const low = -this.low - quarters * HALF_PI_LOW;
    this.normalize(high, low);
    return quarters;
  }

  /** The sine of the value plus `quarters` times pi/2. */
  private wave(quarters: number): void {
    const isCosine = (quarters & 1) !== 0;
    const rHigh = this.high;
    const rLow = this.low;
    this.multiply(rHigh, rLow, rHigh, rLow);
    const squareHigh = this.high;
    const squareLow = this.low;
    let sumHigh = 1;
    let sumLow = 0;
    for (let term = TERMS; term > 0; term--) {
      const divisor = isCosine ? (2 * term - 1) * (2 * term) : 2 * term * (2 * term + 1);
      this.multiply(squareHigh, squareLow, sumHigh, sumLow);
      this.divide(divisor);
      const high = 1 - this.high;
      this.normalize(high, 1 - high - this.high - this.low);
      sumHigh = this.high;
      sumLow = this.low;
    }
    if (!isCosine) this.multiply(sumHigh, sumLow, rHigh, rLow);
    if ((quarters & 2) !== 0) {
      this.high = -this.high;
      this.low = -this.low;
    }
  }

  /** I1 for a sum whose second part is the smaller one. */
  private normalize(high: number, low: number): void {
    const sum = high + low;
    this.low = low - (sum - high);
    this.high = sum;
  }

  /** a times b, without error. */
  private product(a: number, b: number): void {
    const high = a * b;
    const aBig = SPLITTER * a;
    const aHigh = aBig - (aBig - a);
    const aLow = a - aHigh;
    const bBig = SPLITTER * b;
    const bHigh = bBig - (bBig - b);
    const bLow = b - bHigh;
    this.low = aLow * bLow - (high - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
    this.high = high;
  }

  private multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    this.product(aHigh, bHigh);
    this.normalize(this.high, this.low + (aHigh * bLow + aLow * bHigh));
  }

  private divide(divisor: number): void {
    const { high, low } = this;
    const quotient = high / divisor;
    this.product(quotient, divisor);
    this.normalize(quotient, (high - this.high - this.low + low) / divisor);
  }
}
