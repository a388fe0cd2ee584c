/**
 * Copying bytes, by the way that is fastest for the length.
 *
 * Measured on Node 20: a loop costs 1.2 ns a byte, copyWithin 18 ns, set of a subarray (an object) 45 ns, whatever the
 * length up to some hundred bytes.
 */

/** Below this a loop is faster than copyWithin. */
const WITHIN_MIN = 16;
/** Below this a loop is faster than `set`. */
const SET_MIN = 36;

/** Copies `length` bytes to `target` at `at`. Within one array the two places may overlap. hot path */
export function copyBytes(source: Uint8Array, start: number, length: number, target: Uint8Array, at: number): void {
  if (source === target) moveBytes(target, at, start, length);
  else if (length >= SET_MIN) target.set(source.subarray(start, start + length), at);
  else for (let index = 0; index < length; index++) target[at + index] = source[start + index]!;
}

/** Moves `length` bytes within one array from `from` to `to`; the two places may overlap. hot path */
export function moveBytes(bytes: Uint8Array, to: number, from: number, length: number): void {
  if (length >= WITHIN_MIN) bytes.copyWithin(to, from, from + length);
  else if (to < from) for (let index = 0; index < length; index++) bytes[to + index] = bytes[from + index]!;
  else for (let index = length - 1; index >= 0; index--) bytes[to + index] = bytes[from + index]!;
}
