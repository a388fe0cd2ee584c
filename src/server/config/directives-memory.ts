/** The directives of memory: the limit, eviction, lazy freeing, defragmentation, encodings. Form: see directive.ts. */

import {
  ALWAYS_LAZY,
  boolean,
  choice,
  DEFRAGS_IN_SLICES,
  type Directive,
  INT_MAX,
  INT_MIN,
  integer,
  LATER_REPLICATION,
  LONG_MAX,
  memory,
  NEVER_COMPRESSED,
  NO_JEMALLOC,
  ULONG_MAX,
} from "./directive.ts";

const POLICIES = [
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "noeviction",
];

export const MEMORY_DIRECTIVES: readonly Directive[] = [
  memory("maxmemory", 0, 0, ULONG_MAX, "Bytes of data from which keys are evicted or writes refused; 0 no limit."),
  choice("maxmemory-policy", "noeviction", POLICIES, "Which keys go when maxmemory is reached."),
  integer("maxmemory-samples", 5, 1, INT_MAX, "Keys that are compared to find one to evict."),
  integer("maxmemory-eviction-tenacity", 10, 0, 100, "How long one round of eviction may take, 0 to 100."),
  boolean("replica-ignore-maxmemory", "yes", "A replica leaves eviction to its primary.", {
    alias: "slave-ignore-maxmemory",
    effect: LATER_REPLICATION,
  }),
  integer("active-expire-effort", 1, 1, 10, "How much time the search for expired keys may take, 1 to 10."),
  integer("lfu-log-factor", 10, 0, INT_MAX, "How many hits raise a key's frequency counter."),
  integer("lfu-decay-time", 1, 0, INT_MAX, "Minutes after which that counter falls by one."),
  boolean(
    "lazyfree-lazy-eviction",
    "no",
    "The log says UNLINK of evicted keys, not DEL; freeing never holds the server.",
  ),
  boolean(
    "lazyfree-lazy-expire",
    "no",
    "The log says UNLINK of expired keys, not DEL; freeing never holds the server.",
  ),
  boolean("lazyfree-lazy-server-del", "no", "Overwritten values are freed in slices.", { effect: ALWAYS_LAZY }),
  boolean(
    "lazyfree-lazy-user-del",
    "no",
    "The log says UNLINK of what GETDEL deletes; freeing never holds the server.",
  ),
  boolean("lazyfree-lazy-user-flush", "no", "FLUSHALL and FLUSHDB mean ASYNC when neither word is given.", {
    effect: ALWAYS_LAZY,
  }),
  boolean("activerehashing", "yes", "Hash tables also grow and shrink while the server is idle."),
  boolean("jemalloc-bg-thread", "yes", "Lets jemalloc clean up in a thread.", { effect: NO_JEMALLOC }),
  boolean("activedefrag", "no", "Moves keys and values together, so that memory between them can be used again."),
  memory("active-defrag-ignore-bytes", 104857600, 1, LONG_MAX, "Waste below which nothing is moved."),
  integer("active-defrag-threshold-lower", 10, 0, 1000, "Percent of waste from which moving starts."),
  integer("active-defrag-threshold-upper", 100, 0, 1000, "Percent of waste from which it uses most time.", {
    effect: DEFRAGS_IN_SLICES,
  }),
  integer("active-defrag-cycle-min", 1, 1, 99, "Least percent of time for moving.", {
    effect: DEFRAGS_IN_SLICES,
  }),
  integer("active-defrag-cycle-max", 25, 1, 99, "Most percent of time for moving.", {
    effect: DEFRAGS_IN_SLICES,
  }),
  integer("active-defrag-max-scan-fields", 1000, 1, LONG_MAX, "Larger collections are moved in slices.", {
    effect: DEFRAGS_IN_SLICES,
  }),
  // ---- encodings ----
  integer("hash-max-listpack-entries", 512, 0, LONG_MAX, "Fields up to which a hash is one listpack.", {
    alias: "hash-max-ziplist-entries",
  }),
  memory("hash-max-listpack-value", 64, 0, LONG_MAX, "Longest field or value in such a hash, in bytes.", {
    alias: "hash-max-ziplist-value",
  }),
  integer("list-max-listpack-size", -2, INT_MIN, INT_MAX, "Elements of a list's node, or -1 to -5 for 4 to 64 kb.", {
    alias: "list-max-ziplist-size",
  }),
  integer("list-compress-depth", 0, 0, INT_MAX, "Nodes at each end of a list that stay uncompressed; 0 all.", {
    effect: NEVER_COMPRESSED,
  }),
  integer("set-max-intset-entries", 512, 0, LONG_MAX, "Members up to which a set of integers is one intset."),
  integer("set-max-listpack-entries", 128, 0, LONG_MAX, "Members up to which a set is one listpack."),
  integer("set-max-listpack-value", 64, 0, LONG_MAX, "Longest member in such a set, in bytes."),
  integer("zset-max-listpack-entries", 128, 0, LONG_MAX, "Members up to which a sorted set is one listpack.", {
    alias: "zset-max-ziplist-entries",
  }),
  memory("zset-max-listpack-value", 64, 0, LONG_MAX, "Longest member in such a sorted set, in bytes.", {
    alias: "zset-max-ziplist-value",
  }),
  memory("hll-sparse-max-bytes", 3000, 0, LONG_MAX, "Bytes up to which a HyperLogLog is sparse."),
  memory("stream-node-max-bytes", 4096, 0, LONG_MAX, "Bytes of a stream's node; 0 no limit."),
  integer("stream-node-max-entries", 100, 0, LONG_MAX, "Entries of a stream's node; 0 no limit."),
];
