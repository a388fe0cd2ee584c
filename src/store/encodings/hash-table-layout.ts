/** Where things stand in a bucket and in a table's header: see the drawing in hash-table.ts. */

export const BUCKET_BYTES = 64;
export const SLOTS = 12;
export const LINK_SLOT = 11;
export const LINK_TAG = 1;

/** Words of a bucket. */
export const EPOCH_WORD = 3;
export const SLOT_WORD = 4;

/** Words of a header. */
export const COUNT = 0;
export const MASK = 1;
export const SPLIT = 2;
export const DIRECTION = 3;
export const OVERFLOW = 4;
export const EXTENTS = 6;

export const EXTENT_MAX = 26;
export const HEADER_BYTES = (EXTENTS + EXTENT_MAX) * 4;

export const FIRST_BUCKETS = 4;
export const FIRST_LOG = 2;

export const RESTING = 0;
export const GROWING = 1;
export const SHRINKING = 2;

/** Records a bucket above which a table grows, and below which it shrinks. */
export const GROW_LOAD = 9;
export const SHRINK_LOAD = 1.5;

/** 2 to 255: the top bits of the hash, which do not take part in choosing the bucket. */
export function tagOf(hash: number): number {
  const tag = hash >>> 24;
  return tag < 2 ? tag + 2 : tag;
}

/** The 32 bits of `value` in the opposite order, as a signed number: SCAN counts in it. */
export function reverseBits(value: number): number {
  value = ((value >>> 1) & 0x55555555) | ((value & 0x55555555) << 1);
  value = ((value >>> 2) & 0x33333333) | ((value & 0x33333333) << 2);
  value = ((value >>> 4) & 0x0f0f0f0f) | ((value & 0x0f0f0f0f) << 4);
  value = ((value >>> 8) & 0x00ff00ff) | ((value & 0x00ff00ff) << 8);
  return (value >>> 16) | (value << 16);
}
