/**
 * Numbers with up to 17 significant digits, as C's `%.17g` prints them: where Redis says a score so (ZSCAN, DEBUG DIGEST).
 *
 *      0.1 ──► 0.10000000000000001        1e21 ──► 1e+21        0.00001 ──► 1.0000000000000001e-05
 *
 *  I1  17 digits name one double only: what is printed reads back to the same one.
 *  Source: printf of ISO C.
 */

const DIGITS = 17;

export function formatSeventeenDigits(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  const [digits, power] = value.toExponential(DIGITS - 1).split("e") as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= DIGITS) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${withoutZeros(digits)}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  return withoutZeros(value.toFixed(DIGITS - 1 - exponent));
}

function withoutZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
