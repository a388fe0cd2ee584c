/**
 * INFO memory, and the figures that MEMORY STATS and MEMORY DOCTOR share with it.
 *
 *      used = startup + tables beyond it + clients + dataset          (all in the arena but the clients)
 *      arena: used <= active <= touched        process: resident      each step up is a kind of fragmentation
 *
 *  I1  JavaScript's heap is in `resident`, not in `used`: it does not grow with the data.
 */

import type { Server } from "../server.ts";
import { humanBytes, type InfoFields, ratio } from "./section.ts";

export interface MemoryFigures {
  readonly usedBytes: number;
  readonly peakBytes: number;
  readonly startupBytes: number;
  readonly clientBytes: number;
  /** Tables of all databases and buffers of clients: what is not the data itself. */
  readonly overheadBytes: number;
  readonly datasetBytes: number;
  /** Percent of what has been added since the start. */
  readonly datasetPercent: number;
  readonly keys: number;
  readonly allocatedBytes: number;
  readonly activeBytes: number;
  readonly touchedBytes: number;
  readonly residentBytes: number;
}

/** Counts everything as it is now. O(databases). */
export function memoryFigures(server: Server): MemoryFigures {
  const { keyspace, memory, host } = server;
  memory.notePeak();
  const arena = keyspace.arena.statistics();
  const usedBytes = memory.usedBytes();
  let tableBytes = 0;
  for (const database of keyspace.databases) {
    tableBytes += tableBytesOf(server, database.table) + tableBytesOf(server, database.expires);
  }
  const overheadBytes = Math.min(usedBytes, tableBytes + memory.clientBytes);
  const datasetBytes = usedBytes - overheadBytes;
  return {
    usedBytes,
    peakBytes: memory.peakBytes,
    startupBytes: memory.startupBytes,
    clientBytes: memory.clientBytes,
    overheadBytes,
    datasetBytes,
    datasetPercent: Math.min(100, ratio(datasetBytes, usedBytes - memory.startupBytes) * 100),
    keys: keyspace.totalKeys(),
    allocatedBytes: arena.usedBytes,
    activeBytes: arena.activeBytes,
    touchedBytes: arena.touchedBytes,
    residentBytes: host.residentBytes(),
  };
}

/** Bytes of one table with its buckets. */
export function tableBytesOf({ keyspace }: Server, table: number): number {
  return keyspace.tables.statistics(table).bytes;
}

/** What the Lua machines and the sources of scripts and functions take. */
function scriptFields({ session }: Server): InfoFields {
  const { scripting, scripts, functions } = session;
  const evalBytes = scripting.memoryBytes("script");
  const functionBytes = scripting.memoryBytes("function");
  const sourceBytes = scripts.memoryBytes + functions.memoryBytes;
  return [
    ["used_memory_lua", evalBytes],
    ["used_memory_vm_eval", evalBytes],
    ["used_memory_lua_human", humanBytes(evalBytes)],
    ["used_memory_scripts_eval", scripts.memoryBytes],
    ["number_of_cached_scripts", scripts.count],
    ["number_of_functions", functions.functionCount],
    ["number_of_libraries", functions.all().length],
    ["used_memory_vm_functions", functionBytes],
    ["used_memory_vm_total", evalBytes + functionBytes],
    ["used_memory_vm_total_human", humanBytes(evalBytes + functionBytes)],
    ["used_memory_functions", functions.memoryBytes],
    ["used_memory_scripts", sourceBytes],
    ["used_memory_scripts_human", humanBytes(sourceBytes)],
  ];
}

export function memoryFields(server: Server): InfoFields {
  const figures = memoryFigures(server);
  const { usedBytes, peakBytes, allocatedBytes, activeBytes, touchedBytes, residentBytes } = figures;
  const limitBytes = server.memory.limitBytes;
  return [
    ["used_memory", usedBytes],
    ["used_memory_human", humanBytes(usedBytes)],
    ["used_memory_rss", residentBytes],
    ["used_memory_rss_human", humanBytes(residentBytes)],
    ["used_memory_peak", peakBytes],
    ["used_memory_peak_human", humanBytes(peakBytes)],
    ["used_memory_peak_perc", `${(ratio(usedBytes, peakBytes) * 100).toFixed(2)}%`],
    ["used_memory_overhead", figures.overheadBytes],
    ["used_memory_startup", figures.startupBytes],
    ["used_memory_dataset", figures.datasetBytes],
    ["used_memory_dataset_perc", `${figures.datasetPercent.toFixed(2)}%`],
    ["allocator_allocated", allocatedBytes],
    ["allocator_active", activeBytes],
    ["allocator_resident", touchedBytes],
    ["total_system_memory", server.host.system.memoryBytes],
    ["total_system_memory_human", humanBytes(server.host.system.memoryBytes)],
    ...scriptFields(server),
    ["maxmemory", limitBytes],
    ["maxmemory_human", humanBytes(limitBytes)],
    ["maxmemory_policy", server.eviction.policy],
    ["allocator_frag_ratio", ratio(activeBytes, allocatedBytes).toFixed(2)],
    ["allocator_frag_bytes", activeBytes - allocatedBytes],
    ["allocator_rss_ratio", ratio(touchedBytes, activeBytes).toFixed(2)],
    ["allocator_rss_bytes", touchedBytes - activeBytes],
    ["rss_overhead_ratio", ratio(residentBytes, touchedBytes).toFixed(2)],
    ["rss_overhead_bytes", residentBytes - touchedBytes],
    ["mem_fragmentation_ratio", ratio(residentBytes, usedBytes).toFixed(2)],
    ["mem_fragmentation_bytes", residentBytes - usedBytes],
    ["mem_not_counted_for_evict", 0],
    ["mem_replication_backlog", 0],
    ["mem_total_replication_buffers", 0],
    ["mem_clients_slaves", 0],
    ["mem_clients_normal", server.session.clients.memoryBytes],
    ["mem_cluster_links", 0],
    ["mem_aof_buffer", 0],
    ["mem_allocator", "everkey-arena"],
    ["active_defrag_running", server.defragmenter.isRunning ? 1 : 0],
    ["lazyfree_pending_objects", server.keyspace.pendingReclaims()],
    ["lazyfreed_objects", 0],
  ];
}
