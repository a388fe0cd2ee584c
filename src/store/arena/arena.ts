/**
 * Arena: the memory in which every key and value lives, outside JavaScript's heap.
 *
 *      address   [ segment 5 bits │ unit in segment 27 bits ]        unit = 8 bytes, segment = at most 1 GiB
 *      segment   [frame 0][frame 1][frame 2 ...]                     frame = 4 KiB
 *      frame     a slab: cells of one size class                     [cell][cell][cell]...
 *                or part of a run: one large cell of whole frames    [............cell............]
 *                or part of a free run                               (its length noted at its head and its tail)
 *
 *  I1  0 is no address: frame 0 of segment 0 is never given away.
 *  I2  A frame's `state` is FREE, a size class, RUN_HEAD or RUN_TAIL; frames inside a run have no meaning of their own.
 *  I3  A slab with at least one free cell stands in its class's list; a slab without cells in use becomes a free run.
 *  I4  No two free runs are neighbours: they are merged when the second one is freed.
 *  I5  usedBytes is the sum of the sizes of all cells in use (what callers got, which is at least what they asked for).
 *  I6  Addresses are signed 32-bit numbers: compare them for equality only, take them apart with >>> and &.
 *
 * Segments are committed by the system page by page as they are touched, so a reserved one costs nothing.
 * The views start 48 bytes into their buffer: glibc places a mapped block 16 bytes after a page's start, and so a
 * cell of 64 bytes lies in one cache line instead of two.
 *
 * Source: segregated free lists over slabs (Bonwick 1994) and boundary tags (Knuth, TAOCP vol. 1, 2.5), our own layout.
 */

import { assert } from "../../core/assert.ts";

export const UNIT_BYTES = 8;
export const FRAME_BYTES = 4096;
/** `address >>> SEGMENT_SHIFT` is the segment's index. */
export const SEGMENT_SHIFT = 27;
/** `address & UNIT_MASK` is the unit within the segment. */
export const UNIT_MASK = 0x7ffffff;

const SEGMENT_MAX = 32;
const FRAME_SHIFT = 9;
const FRAME_UNITS = 1 << FRAME_SHIFT;
const SEGMENT_FRAME_SHIFT = SEGMENT_SHIFT - FRAME_SHIFT;
const SEGMENT_FRAMES_MAX = 1 << SEGMENT_FRAME_SHIFT;
const SEGMENT_FRAME_MASK = SEGMENT_FRAMES_MAX - 1;
const FIRST_SEGMENT_FRAMES = 1 << 14;
const ALIGNMENT_BYTES = 48;
/** What is kept per frame: state, count, freeCell, fresh, next, previous. */
const FRAME_METADATA_BYTES = 1 + 4 + 4 + 2 + 4 + 4;

const FREE = 0;
const RUN_HEAD = 254;
const RUN_TAIL = 255;

/** Largest cell that shares a frame with others. */
const SLAB_CELL_MAX = 2048;
/** Free runs are kept by size: one list for each length up to 15 frames, then four for each doubling. */
const RUN_BINS = 96;

/** Cell sizes in bytes: every 8 up to 128, then sizes that fill a frame without a rest of note. Class 0 is unused. */
const CLASS_BYTES = buildClassBytes();
const CLASS_COUNT = CLASS_BYTES.length;
/** Size class for a size counted in units, 0 to SLAB_CELL_MAX / 8. */
const CLASS_OF_UNITS = buildClassOfUnits();

/** The system gave no more memory, or all 32 GiB of addresses are in use. The state is as it was before the call. */
export class ArenaExhausted extends Error {
  override name = "ArenaExhausted";
}

/** What an arena holds, in bytes. */
export interface ArenaStatistics {
  /** In cells that are in use. */
  usedBytes: number;
  /** In frames that hold at least one cell in use. */
  activeBytes: number;
  /** Touched at least once: what the system may count as resident. */
  touchedBytes: number;
  /** Reserved addresses. */
  reservedBytes: number;
}

export class Arena {
  /** One view of each kind per segment; index with `address >>> SEGMENT_SHIFT`. */
  readonly bytes: Uint8Array[];
  readonly words: Int32Array[];
  readonly doubles: Float64Array[];
  /** Bytes in cells that are in use (I5). */
  usedBytes: number;

  private state: Uint8Array;
  /** Slab: cells in use. Head and tail of a run, free or not: its length in frames. */
  private count: Int32Array;
  /** Slab: first free cell (address), 0 when there is none. */
  private freeCell: Int32Array;
  /** Slab: units from the frame's start to its never used rest. */
  private fresh: Int16Array;
  /** Neighbours in a class's list (slab) or a bin's list (head of a free run); 0 ends it. */
  private next: Int32Array;
  private previous: Int32Array;

  /** First frame of each class's list of slabs with room. */
  private readonly classHead: Int32Array;
  private readonly binHead: Int32Array;
  /** Frames of each segment that were handed out at least once, and how many it has. */
  private readonly frontier: number[];
  private readonly segmentFrames: number[];
  private activeFrames: number;

  constructor() {
    this.bytes = [];
    this.words = [];
    this.doubles = [];
    this.usedBytes = 0;
    this.state = new Uint8Array(0);
    this.count = new Int32Array(0);
    this.freeCell = new Int32Array(0);
    this.fresh = new Int16Array(0);
    this.next = new Int32Array(0);
    this.previous = new Int32Array(0);
    this.classHead = new Int32Array(CLASS_COUNT);
    this.binHead = new Int32Array(RUN_BINS);
    this.frontier = [];
    this.segmentFrames = [];
    this.activeFrames = 0;
    this.addSegment(1);
    this.frontier[0] = 1; // I1
    this.state[0] = RUN_TAIL;
  }

  /** Returns the address of a cell of at least `bytes` bytes, whose content is undefined. Throws ArenaExhausted. hot path */
  allocate(bytes: number): number {
    if (bytes > SLAB_CELL_MAX) return this.allocateRun(bytes);
    const sizeClass = CLASS_OF_UNITS[(bytes + 7) >>> 3]!;
    let frame = this.classHead[sizeClass]!;
    if (frame === 0) frame = this.openSlab(sizeClass);
    const cellBytes = CLASS_BYTES[sizeClass]!;
    let address = this.freeCell[frame]!;
    if (address !== 0) {
      this.freeCell[frame] = this.words[address >>> SEGMENT_SHIFT]![(address & UNIT_MASK) << 1]!;
    } else {
      const unit = this.fresh[frame]!;
      address = (frame << FRAME_SHIFT) + unit;
      this.fresh[frame] = unit + (cellBytes >>> 3);
    }
    const used = this.count[frame]! + 1;
    this.count[frame] = used;
    if (used === CLASS_CELLS[sizeClass]!) this.unlinkSlab(frame, sizeClass);
    this.usedBytes += cellBytes;
    return address;
  }

  /** Whether two cells of `bytes` could be allocated now. */
  hasRoomForTwo(bytes: number): boolean {
    let first = 0;
    try {
      first = this.allocate(bytes);
      this.free(this.allocate(bytes));
      return true;
    } catch (error) {
      if (error instanceof ArenaExhausted) return false;
      throw error;
    } finally {
      if (first !== 0) this.free(first);
    }
  }

  /** Gives the cell at `address` back. hot path */
  free(address: number): void {
    const frame = address >>> FRAME_SHIFT;
    const sizeClass = this.state[frame]!;
    if (sizeClass === RUN_HEAD) {
      this.freeRun(frame);
      return;
    }
    assert(sizeClass !== FREE && sizeClass !== RUN_TAIL, "freed an address that holds no cell");
    const used = this.count[frame]!;
    const cellBytes = CLASS_BYTES[sizeClass]!;
    this.usedBytes -= cellBytes;
    if (used === 1) {
      this.closeSlab(frame, sizeClass);
      return;
    }
    this.words[address >>> SEGMENT_SHIFT]![(address & UNIT_MASK) << 1] = this.freeCell[frame]!;
    this.freeCell[frame] = address;
    this.count[frame] = used - 1;
    if (used === CLASS_CELLS[sizeClass]!) this.linkSlab(frame, sizeClass);
  }

  /** Bytes that the cell at `address` can hold. */
  capacity(address: number): number {
    const frame = address >>> FRAME_SHIFT;
    const sizeClass = this.state[frame]!;
    return sizeClass === RUN_HEAD ? this.count[frame]! * FRAME_BYTES : CLASS_BYTES[sizeClass]!;
  }

  /** Size of the cell that a request for `bytes` would get. */
  static cellBytes(bytes: number): number {
    if (bytes > SLAB_CELL_MAX) return Math.ceil(bytes / FRAME_BYTES) * FRAME_BYTES;
    return CLASS_BYTES[CLASS_OF_UNITS[(bytes + 7) >>> 3]!]!;
  }

  /**
   * Whether moving the cell at `address` helps to empty its frame: less than `fillMax` (0 to 1) of the frame's cells is in
   * use, and the next cell of this size would come from another frame. False for a run.
   */
  isSparse(address: number, fillMax: number): boolean {
    const frame = address >>> FRAME_SHIFT;
    const sizeClass = this.state[frame]!;
    if (sizeClass === RUN_HEAD || this.classHead[sizeClass] === frame) return false;
    return this.count[frame]! / CLASS_CELLS[sizeClass]! < fillMax;
  }

  /** Copies `length` bytes into the cell at `address`, `offset` bytes behind its start. */
  copyIn(address: number, offset: number, source: Uint8Array, start: number, length: number): void {
    const target = this.bytes[address >>> SEGMENT_SHIFT]!;
    const at = (address & UNIT_MASK) * UNIT_BYTES + offset;
    if (length < 32) {
      for (let index = 0; index < length; index++) target[at + index] = source[start + index]!;
    } else {
      target.set(source.subarray(start, start + length), at);
    }
  }

  /** Copies `length` bytes from one cell to another. */
  move(from: number, fromOffset: number, to: number, toOffset: number, length: number): void {
    const source = this.bytes[from >>> SEGMENT_SHIFT]!;
    this.copyIn(to, toOffset, source, (from & UNIT_MASK) * UNIT_BYTES + fromOffset, length);
  }

  statistics(): ArenaStatistics {
    let touchedFrames = 0;
    let reservedFrames = 0;
    for (let segment = 0; segment < this.frontier.length; segment++) {
      touchedFrames += this.frontier[segment]!;
      reservedFrames += this.segmentFrames[segment]!;
    }
    return {
      usedBytes: this.usedBytes,
      activeBytes: this.activeFrames * FRAME_BYTES,
      touchedBytes: touchedFrames * FRAME_BYTES,
      reservedBytes: reservedFrames * FRAME_BYTES,
    };
  }

  /** Whether forgetting all cells by `reset` is cheap: little has ever been touched. */
  isSmall(): boolean {
    return this.frontier.length === 1 && this.frontier[0]! <= 2048;
  }

  /** Forgets all cells at once. Cost: the frames touched so far, so only for a small arena; drop a large one instead. */
  reset(): void {
    assert(this.frontier.length === 1, "reset of a large arena");
    const touched = this.frontier[0]!;
    this.state.fill(FREE, 0, touched);
    this.count.fill(0, 0, touched);
    this.state[0] = RUN_TAIL;
    this.classHead.fill(0);
    this.binHead.fill(0);
    this.frontier[0] = 1;
    this.usedBytes = 0;
    this.activeFrames = 0;
  }

  /** Walks all frames and lists and asserts I2 to I5. For tests and DEBUG; cost grows with the arena. */
  verify(): void {
    let usedBytes = 0;
    let activeFrames = 0;
    for (let segment = 0; segment < this.frontier.length; segment++) {
      const base = segment << SEGMENT_FRAME_SHIFT;
      let wasFree = false;
      for (let index = segment === 0 ? 1 : 0; index < this.frontier[segment]!; ) {
        const frame = base + index;
        const state = this.state[frame]!;
        if (state === FREE || state === RUN_HEAD) {
          const frames = this.count[frame]!;
          assert(frames > 0, "a run has frames");
          assert(this.count[frame + frames - 1] === frames, "a run's tail knows its length");
          if (state === FREE) assert(!wasFree, "I4: two free runs are neighbours");
          else {
            usedBytes += frames * FRAME_BYTES;
            activeFrames += frames;
          }
          wasFree = state === FREE;
          index += frames;
          continue;
        }
        assert(state < CLASS_COUNT, "I2: a frame's state is known");
        const used = this.count[frame]!;
        assert(used > 0 && used <= CLASS_CELLS[state]!, "I3: a slab has cells in use");
        usedBytes += used * CLASS_BYTES[state]!;
        activeFrames++;
        wasFree = false;
        index++;
      }
    }
    assert(usedBytes === this.usedBytes, "I5: used bytes");
    assert(activeFrames === this.activeFrames, "active frames");
    this.verifySlabLists();
  }

  private verifySlabLists(): void {
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass++) {
      let previous = 0;
      for (let frame = this.classHead[sizeClass]!; frame !== 0; frame = this.next[frame]!) {
        assert(this.state[frame] === sizeClass, "I3: a slab stands in its own class's list");
        assert(this.previous[frame] === previous, "I3: the list is linked both ways");
        let cells = Math.floor((FRAME_UNITS - this.fresh[frame]!) / (CLASS_BYTES[sizeClass]! >>> 3));
        for (let cell = this.freeCell[frame]!; cell !== 0; ) {
          assert(cell >>> FRAME_SHIFT === frame, "I3: a free cell lies in its frame");
          cells++;
          cell = this.words[cell >>> SEGMENT_SHIFT]![(cell & UNIT_MASK) << 1]!;
        }
        assert(cells === CLASS_CELLS[sizeClass]! - this.count[frame]!, "I3: free and used cells make the frame");
        previous = frame;
      }
    }
  }

  // ---- slabs --------------------------------------------------------------------------------------------------

  private openSlab(sizeClass: number): number {
    const frame = this.takeFrames(1);
    this.state[frame] = sizeClass;
    this.count[frame] = 0;
    this.freeCell[frame] = 0;
    this.fresh[frame] = 0;
    this.activeFrames++;
    this.linkSlab(frame, sizeClass);
    return frame;
  }

  private closeSlab(frame: number, sizeClass: number): void {
    // A slab of one cell was full and stood in no list.
    if (CLASS_CELLS[sizeClass]! > 1) this.unlinkSlab(frame, sizeClass);
    this.activeFrames--;
    this.giveFrames(frame, 1);
  }

  private linkSlab(frame: number, sizeClass: number): void {
    const head = this.classHead[sizeClass]!;
    this.next[frame] = head;
    this.previous[frame] = 0;
    if (head !== 0) this.previous[head] = frame;
    this.classHead[sizeClass] = frame;
  }

  private unlinkSlab(frame: number, sizeClass: number): void {
    const before = this.previous[frame]!;
    const after = this.next[frame]!;
    if (before !== 0) this.next[before] = after;
    else this.classHead[sizeClass] = after;
    if (after !== 0) this.previous[after] = before;
  }

  // ---- runs ---------------------------------------------------------------------------------------------------

  private allocateRun(bytes: number): number {
    const frames = Math.ceil(bytes / FRAME_BYTES);
    if (frames > SEGMENT_FRAMES_MAX) throw new ArenaExhausted(`a cell of ${bytes} bytes is larger than a segment`);
    const frame = this.takeFrames(frames);
    this.state[frame + frames - 1] = RUN_TAIL;
    this.state[frame] = RUN_HEAD;
    this.count[frame] = frames;
    this.count[frame + frames - 1] = frames;
    this.usedBytes += frames * FRAME_BYTES;
    this.activeFrames += frames;
    return frame << FRAME_SHIFT;
  }

  private freeRun(frame: number): void {
    const frames = this.count[frame]!;
    this.usedBytes -= frames * FRAME_BYTES;
    this.activeFrames -= frames;
    this.giveFrames(frame, frames);
  }

  /** Finds `frames` neighbouring free frames and takes them out of the free runs. */
  private takeFrames(frames: number): number {
    for (let bin = binOf(frames); bin < RUN_BINS; bin++) {
      for (let frame = this.binHead[bin]!; frame !== 0; frame = this.next[frame]!) {
        const found = this.count[frame]!;
        if (found < frames) continue; // only in the first bin tried: it holds several lengths
        this.unlinkRun(frame, bin);
        if (found > frames) this.linkRun(frame + frames, found - frames);
        return frame;
      }
    }
    return this.takeFresh(frames);
  }

  private takeFresh(frames: number): number {
    const last = this.frontier.length - 1;
    for (let segment = 0; segment <= last; segment++) {
      const at = this.frontier[segment]!;
      if (at + frames > this.segmentFrames[segment]!) continue;
      this.frontier[segment] = at + frames;
      return (segment << SEGMENT_FRAME_SHIFT) + at;
    }
    this.addSegment(frames);
    this.frontier[last + 1] = frames;
    return (last + 1) << SEGMENT_FRAME_SHIFT;
  }

  /** Returns frames to the free runs, merged with free neighbours (I4). */
  private giveFrames(frame: number, frames: number): void {
    const segment = frame >>> SEGMENT_FRAME_SHIFT;
    const end = (segment << SEGMENT_FRAME_SHIFT) + this.frontier[segment]!;
    const after = frame + frames;
    if (after < end && this.state[after] === FREE) {
      const more = this.count[after]!;
      this.unlinkRun(after, binOf(more));
      frames += more;
    }
    if ((frame & SEGMENT_FRAME_MASK) > 0 && this.state[frame - 1] === FREE) {
      const more = this.count[frame - 1]!;
      frame -= more;
      this.unlinkRun(frame, binOf(more));
      frames += more;
    }
    this.linkRun(frame, frames);
  }

  private linkRun(frame: number, frames: number): void {
    const tail = frame + frames - 1;
    this.state[frame] = FREE;
    this.state[tail] = FREE;
    this.count[frame] = frames;
    this.count[tail] = frames;
    const bin = binOf(frames);
    const head = this.binHead[bin]!;
    this.next[frame] = head;
    this.previous[frame] = 0;
    if (head !== 0) this.previous[head] = frame;
    this.binHead[bin] = frame;
  }

  private unlinkRun(frame: number, bin: number): void {
    const before = this.previous[frame]!;
    const after = this.next[frame]!;
    if (before !== 0) this.next[before] = after;
    else this.binHead[bin] = after;
    if (after !== 0) this.previous[after] = before;
  }

  // ---- segments -----------------------------------------------------------------------------------------------

  /**
   * Reserves the next segment, with room for at least `frames`: 64 MiB at first, so that a small server stays small, then
   * 1 GiB each, since each new one costs the collector a look at the heap; less where the system gives no more.
   */
  private addSegment(frames: number): void {
    const segment = this.segmentFrames.length;
    if (segment === SEGMENT_MAX) throw new ArenaExhausted("all 32 GiB of addresses are in use");
    let size = segment === 0 ? FIRST_SEGMENT_FRAMES : SEGMENT_FRAMES_MAX;
    let buffer: ArrayBuffer | undefined;
    try {
      this.growMetadata((segment << SEGMENT_FRAME_SHIFT) + size);
      while (buffer === undefined) {
        try {
          buffer = new ArrayBuffer(size * FRAME_BYTES + ALIGNMENT_BYTES);
        } catch (error) {
          size >>>= 1;
          if (size < Math.max(frames, FIRST_SEGMENT_FRAMES)) throw error;
        }
      }
    } catch (error) {
      throw new ArenaExhausted("the system gives no more memory", { cause: error });
    }
    const bytes = size * FRAME_BYTES;
    this.bytes.push(new Uint8Array(buffer, ALIGNMENT_BYTES, bytes));
    this.words.push(new Int32Array(buffer, ALIGNMENT_BYTES, bytes / 4));
    this.doubles.push(new Float64Array(buffer, ALIGNMENT_BYTES, bytes / 8));
    this.frontier.push(0);
    this.segmentFrames.push(size);
  }

  /**
   * Makes room for `frames` frames: for those of the first segment, and later, at once, for all that there can be. They
   * lie in one buffer, so large that the allocator maps it (smaller ones it would fill with zeros, which takes
   * milliseconds); what is never touched is never committed. Only what was touched is copied.
   */
  private growMetadata(frames: number): void {
    if (frames <= this.state.length) return;
    if (this.frontier.length > 0) frames = SEGMENT_MAX * SEGMENT_FRAMES_MAX;
    const buffer = new ArrayBuffer(frames * FRAME_METADATA_BYTES);
    this.count = this.grown(this.count, new Int32Array(buffer, 0, frames));
    this.freeCell = this.grown(this.freeCell, new Int32Array(buffer, frames * 4, frames));
    this.next = this.grown(this.next, new Int32Array(buffer, frames * 8, frames));
    this.previous = this.grown(this.previous, new Int32Array(buffer, frames * 12, frames));
    this.fresh = this.grown(this.fresh, new Int16Array(buffer, frames * 16, frames));
    this.state = this.grown(this.state, new Uint8Array(buffer, frames * 18, frames));
  }

  private grown<View extends Uint8Array | Int16Array | Int32Array>(from: View, to: View): View {
    for (let segment = 0; segment < this.frontier.length; segment++) {
      const base = segment << SEGMENT_FRAME_SHIFT;
      to.set(from.subarray(base, base + this.frontier[segment]!), base);
    }
    return to;
  }
}

const CLASS_CELLS = Uint16Array.from(CLASS_BYTES, (bytes) => (bytes === 0 ? 0 : Math.floor(FRAME_BYTES / bytes)));

function buildClassBytes(): Uint16Array {
  const sizes = [0];
  for (let bytes = 8; bytes <= 128; bytes += 8) sizes.push(bytes);
  // 4096 / n, rounded down to whole units: what n cells leave over in a frame stays below 8 bytes a cell.
  for (const cells of [28, 25, 22, 20, 18, 16, 14, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) {
    sizes.push(Math.floor(FRAME_BYTES / cells / UNIT_BYTES) * UNIT_BYTES);
  }
  return Uint16Array.from(sizes);
}

function buildClassOfUnits(): Uint8Array {
  const classes = new Uint8Array(SLAB_CELL_MAX / UNIT_BYTES + 1);
  let sizeClass = 1;
  for (let units = 0; units < classes.length; units++) {
    while (CLASS_BYTES[sizeClass]! < units * UNIT_BYTES) sizeClass++;
    classes[units] = sizeClass;
  }
  return classes;
}

/** List for free runs of `frames`; a run in a later list is at least as long as any in this one. */
function binOf(frames: number): number {
  if (frames < 16) return frames;
  const log = 31 - Math.clz32(frames);
  return 16 + (log - 4) * 4 + ((frames >>> (log - 2)) & 3);
}
