/**
 * LZF, the compression of long strings in RDB files.
 *
 *      000LLLLL                      L + 1 bytes follow as they are                       (1 to 32)
 *      LLLOOOOO oooooooo             L + 2 bytes again from O·256 + o + 1 bytes back      (3 to 8)
 *      111OOOOO llllllll oooooooo    l + 9 bytes again from that far back                 (9 to 264)
 *
 *  I1  Compressing writes nothing outside [targetStart, targetStart + targetMax).
 *  I2  Decompressing reads and writes nothing outside its two ranges, whatever the input holds.
 *  I3  The compressor's table holds positions of earlier inputs too; those below `base` mean "nothing".
 *  I4  Strings are compressed where Redis compresses them: no reference goes to the first byte, none but the shortest covers
 *      the last two, and the compressor gives up while there is room for a reference. So equal data has equal dumps.
 *  Source: the format as liblzf documents it; I4 from DUMPs of redis-server 7.0.
 */

const TABLE_BITS = 14;
const DISTANCE_MAX = 8192;
const MATCH_MIN = 3;
const MATCH_MAX = 264;
const RUN_MAX = 32;
const BASE_MAX = 2 ** 30;
/** Only a reference of MATCH_MIN covers these last bytes (I4). */
const TAIL_BYTES = 2;
/** Room that must be free when a reference or the end is written (I4). */
const ROOM_BYTES = 4;

/** Holds the memory that compressing needs, so that it is allocated once. */
export class LzfCompressor {
  private readonly table: Int32Array;
  private base: number;

  constructor() {
    this.table = new Int32Array(1 << TABLE_BITS);
    this.base = 1;
  }

  /**
   * Compresses `source[start ... start+length)` to `target[targetStart ...]`. Returns the bytes written, 0 when `targetMax`
   * bytes are not enough or nearly so (I4), and for empty input. O(length).
   */
  compress(
    source: Uint8Array,
    start: number,
    length: number,
    target: Uint8Array,
    targetStart: number,
    targetMax: number,
  ): number {
    if (this.base + length >= BASE_MAX) {
      this.table.fill(0);
      this.base = 1;
    }
    const table = this.table;
    const shift = this.base - start; // position in source + shift = value in the table
    this.base += length;
    const end = start + length;
    const matchEnd = end - TAIL_BYTES;
    const targetEnd = targetStart + targetMax;
    const base = shift + start;
    let at = start;
    let runStart = start;
    let to = targetStart;
    while (at < matchEnd) {
      const three = source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16);
      const slot = Math.imul(three, 0x9e3779b1) >>> (32 - TABLE_BITS);
      const value = table[slot]!;
      table[slot] = at + shift;
      const from = value - shift;
      if (
        value <= base ||
        at - from > DISTANCE_MAX ||
        source[from] !== source[at] ||
        source[from + 1] !== source[at + 1] ||
        source[from + 2] !== source[at + 2]
      ) {
        at++;
        continue;
      }
      const longest = Math.max(MATCH_MIN, Math.min(MATCH_MAX, matchEnd - at));
      let match = MATCH_MIN;
      while (match < longest && source[from + match] === source[at + match]) match++;
      if (to + runBytes(at - runStart) + ROOM_BYTES >= targetEnd) return 0;
      to = writeRuns(source, runStart, at, target, to);
      const distance = at - from - 1;
      if (match < 9) {
        target[to++] = ((match - 2) << 5) | (distance >>> 8);
      } else {
        target[to++] = 0xe0 | (distance >>> 8);
        target[to++] = match - 9;
      }
      target[to++] = distance;
      // Two positions near the end of a match help the next one; all of them would cost more than they bring.
      const next = at + match;
      if (next < matchEnd) {
        for (let inside = next - 2; inside < next; inside++) {
          const bytes = source[inside]! | (source[inside + 1]! << 8) | (source[inside + 2]! << 16);
          table[Math.imul(bytes, 0x9e3779b1) >>> (32 - TABLE_BITS)] = inside + shift;
        }
      }
      at = next;
      runStart = next;
    }
    // A run that is full counts with the next one's first byte.
    const pending = at - runStart;
    if (length === 0 || to + pending + Math.floor(pending / RUN_MAX) + ROOM_BYTES > targetEnd) return 0;
    return writeRuns(source, runStart, end, target, to) - targetStart;
  }
}

/** Bytes that `count` literals take. */
function runBytes(count: number): number {
  return count + Math.ceil(count / RUN_MAX);
}

/** Writes source[from ... end) as literal runs, for which there is room; returns the new position. */
function writeRuns(source: Uint8Array, from: number, end: number, target: Uint8Array, to: number): number {
  while (from < end) {
    const run = Math.min(RUN_MAX, end - from);
    target[to++] = run - 1;
    for (let index = 0; index < run; index++) target[to++] = source[from++]!;
  }
  return to;
}

/**
 * Expands `source[start ... start+length)` to exactly `targetLength` bytes at `target[targetStart]`. False when the input is
 * corrupt or gives another length; then the target range holds anything. O(targetLength).
 */
export function lzfDecompress(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  targetStart: number,
  targetLength: number,
): boolean {
  const end = start + length;
  const targetEnd = targetStart + targetLength;
  let at = start;
  let to = targetStart;
  while (at < end) {
    const control = source[at++]!;
    if (control < 32) {
      const run = control + 1;
      if (at + run > end || to + run > targetEnd) return false;
      for (let index = 0; index < run; index++) target[to++] = source[at++]!;
      continue;
    }
    let match = (control >>> 5) + 2;
    if (match === 9) {
      if (at >= end) return false;
      match += source[at++]!;
    }
    if (at >= end) return false;
    const distance = ((control & 31) << 8) + source[at++]! + 1;
    let from = to - distance;
    if (from < targetStart || to + match > targetEnd) return false;
    // A match may reach into what it writes, so bytes go one after the other; four a round take a third less time.
    const matchEnd = to + match;
    while (to + 4 <= matchEnd) {
      target[to] = target[from]!;
      target[to + 1] = target[from + 1]!;
      target[to + 2] = target[from + 2]!;
      target[to + 3] = target[from + 3]!;
      to += 4;
      from += 4;
    }
    while (to < matchEnd) target[to++] = target[from++]!;
  }
  return to === targetEnd;
}
