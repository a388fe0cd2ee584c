/** INFO everkey: what only we have. */

import type { Server } from "../server.ts";
import { EVERKEY_VERSION } from "../version.ts";
import type { InfoFields } from "./section.ts";

export function everkeyFields(server: Server): InfoFields {
  const { host, keyspace, dispatcher, snapshots, cron } = server;
  const heap = host.heapBytes();
  const arena = keyspace.arena.statistics();
  const progress = snapshots.progress();
  return [
    ["everkey_version", EVERKEY_VERSION],
    ["node_version", host.system.runtimeVersion],
    ["heap_used_bytes", heap.used],
    ["heap_reserved_bytes", heap.reserved],
    ["loop_longest_turn_us", Math.round(dispatcher.statistics.longestTurnUs)],
    ["query_buffer_limit_disconnections", dispatcher.statistics.queryBufferLimitDisconnections],
    ["output_buffer_limit_disconnections", dispatcher.statistics.outputBufferLimitDisconnections],
    // The moment that is shown, ms since 1970; 0: the present.
    ["as_of", server.past?.timeMs ?? 0],
    ["cron_ticks", cron.tickCount],
    ["snapshot_keys_written", progress.writtenKeys],
    ["snapshot_keys_total", progress.keys],
    ["reclaims_pending", keyspace.pendingReclaims()],
    ["arena_used_bytes", arena.usedBytes],
    ["arena_active_bytes", arena.activeBytes],
    ["arena_touched_bytes", arena.touchedBytes],
    ["arena_reserved_bytes", arena.reservedBytes],
    ["arena_segments", keyspace.arena.bytes.length],
    ...tableFields(server),
  ];
}

/** One line per database that has keys. */
function tableFields({ keyspace }: Server): InfoFields {
  const fields: [string, string][] = [];
  for (const database of keyspace.databases) {
    const { records, buckets, overflowBuckets, direction, progress, bytes } = keyspace.tables.statistics(
      database.table,
    );
    if (records === 0) continue;
    const state = direction === "resting" ? direction : `${direction},progress=${progress.toFixed(2)}`;
    fields.push([
      `table${database.index}`,
      `keys=${records},buckets=${buckets},overflow=${overflowBuckets},bytes=${bytes},state=${state}`,
    ]);
  }
  return fields;
}
