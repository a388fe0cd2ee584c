/** Up to which size small collections are kept as bytes: the directives of the same names set these fields. */
export class EncodingLimits {
  /** hash-max-listpack-entries, hash-max-listpack-value (bytes). */
  hashListpackEntries = 512;
  hashListpackBytes = 64;
  /** list-max-listpack-size: entries when positive, -1 to -5 for 4 to 64 KiB. */
  listNodeSize = -2;
  /** list-compress-depth: kept and shown; nodes are never compressed in memory. */
  listCompressDepth = 0;
  /** set-max-intset-entries, set-max-listpack-entries, set-max-listpack-value (bytes). */
  setIntsetEntries = 512;
  setListpackEntries = 128;
  setListpackBytes = 64;
  /** zset-max-listpack-entries, zset-max-listpack-value (bytes). */
  sortedSetListpackEntries = 128;
  sortedSetListpackBytes = 64;
  /** stream-node-max-bytes, stream-node-max-entries; 0: no limit. */
  streamNodeBytes = 4096;
  streamNodeEntries = 100;
  /** hll-sparse-max-bytes. */
  hyperLogLogSparseBytes = 3000;
}
