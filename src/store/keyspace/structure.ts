/**
 * Structure: what the keyspace asks of a type whose large values are more than a string of bytes.
 *
 *      record ── EXTERNAL ──► root cell ──► parts: buckets of a table, nodes of a list or tree, entries
 *
 *  I1  A root is one address; all cells behind it belong to this value alone.
 *  I2  Nothing of a value is freed while a snapshot runs that may still read it: Reclaimer waits.
 *  I3  One object serves all values of its type in one arena. It keeps that arena: after FLUSHALL, which makes new
 *      ones, a snapshot goes on reading the old arena through the old objects.
 */

export interface Structure {
  /** Elements, or another number that says how long it takes to walk or free the value. */
  size(root: number): number;
  /**
   * Frees parts of the value, about `parts` of them, from part `from` on (0 at first). Returns where to go on, -1 when
   * all is freed and the root too. Nothing else may be asked of the value in between.
   */
  freeParts(root: number, from: number, parts: number): number;
  /** A copy of the value in cells of its own; returns its root. Throws ArenaExhausted and leaves nothing behind. */
  copy(root: number): number;
  /**
   * Moves cells out of frames of which less than `fillMax` (0 to 1) is in use; not while a snapshot runs. Calls
   * `setRoot` when the root itself moved. Returns how many cells were moved. Throws ArenaExhausted: what was moved stays moved.
   */
  relocate(root: number, fillMax: number, setRoot: (root: number) => void): number;
  /** Bytes of the value's cells; with `samples` > 0 estimated from so many elements, as MEMORY USAGE has it. */
  cellBytes(root: number, samples: number): number;
  /** Walks the value and asserts its invariants. */
  verify(root: number): void;
}
