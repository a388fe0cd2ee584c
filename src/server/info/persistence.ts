/** INFO persistence: the snapshots and the append-only file. */

import type { Server } from "../server.ts";
import { flag, type InfoFields, ratio } from "./section.ts";

export function persistenceFields(server: Server): InfoFields {
  const { snapshots, appendOnly, keyspace } = server;
  const progress = appendOnly.rewriteProgress() ?? snapshots.progress();
  const { file } = appendOnly;
  const share = ratio(progress.writtenKeys, progress.keys) * 100;
  return [
    ["loading", flag(server.session.gates.isLoading)],
    ["async_loading", 0],
    // Nothing is copied on write: a snapshot is taken without a second process.
    ["current_cow_peak", 0],
    ["current_cow_size", 0],
    ["current_cow_size_age", 0],
    ["current_fork_perc", share.toFixed(2)],
    ["current_save_keys_processed", progress.writtenKeys],
    ["current_save_keys_total", progress.keys],
    ["rdb_changes_since_last_save", keyspace.dirty],
    ["rdb_bgsave_in_progress", flag(snapshots.isRunning())],
    ["rdb_last_save_time", Math.floor(snapshots.lastSaveMs / 1000)],
    ["rdb_last_bgsave_status", snapshots.lastStatus],
    ["rdb_last_bgsave_time_sec", wholeSeconds(snapshots.lastSeconds)],
    ["rdb_current_bgsave_time_sec", snapshots.progress().seconds],
    ["rdb_saves", snapshots.savesDone],
    ["rdb_last_cow_size", 0],
    ["rdb_last_load_keys_expired", snapshots.lastLoad?.expired ?? 0],
    ["rdb_last_load_keys_loaded", snapshots.lastLoad?.keys ?? 0],
    ["aof_enabled", flag(appendOnly.isOn())],
    ["aof_rewrite_in_progress", flag(appendOnly.isRewriting())],
    ["aof_rewrite_scheduled", flag(appendOnly.isScheduled)],
    ["aof_last_rewrite_time_sec", wholeSeconds(appendOnly.lastRewriteSeconds)],
    ["aof_current_rewrite_time_sec", appendOnly.rewriteSeconds()],
    ["aof_last_bgrewrite_status", appendOnly.lastRewriteStatus],
    ["aof_rewrites", appendOnly.rewrites],
    ["aof_rewrites_consecutive_failures", appendOnly.failuresInARow],
    ["aof_last_write_status", file.fault === undefined ? "ok" : "err"],
    ["aof_last_cow_size", 0],
    ["module_fork_in_progress", 0],
    ["module_fork_last_cow_size", 0],
    ...appendOnlyFields(server),
    ...loadingFields(server),
  ];
}

/** Only while there is an append-only file. */
function appendOnlyFields({ appendOnly }: Server): InfoFields {
  const { file } = appendOnly;
  if (!appendOnly.isOn()) return [];
  return [
    ["aof_current_size", appendOnly.currentBytes()],
    ["aof_base_size", appendOnly.rewrittenBytes],
    ["aof_pending_rewrite", flag(appendOnly.isScheduled)],
    ["aof_buffer_length", file.waitingBytes()],
    ["aof_pending_bio_fsync", flag(file.isSyncUnderWay)],
    ["aof_delayed_fsync", file.delayedSyncs],
  ];
}

/** -1 stays what it is: never. */
function wholeSeconds(seconds: number): number {
  return seconds < 0 ? -1 : Math.floor(seconds);
}

function loadingFields({ snapshots, host }: Server): InfoFields {
  const loading = snapshots.loading;
  if (loading === undefined) return [];
  const { startMs, totalBytes, loadedBytes } = loading;
  const passedSeconds = Math.floor((host.clock.nowMs() - startMs) / 1000);
  // Before the first bytes nothing can be foretold: Redis says one second then.
  const etaSeconds =
    loadedBytes === 0 ? 1 : Math.floor((passedSeconds * Math.max(totalBytes - loadedBytes, 0)) / loadedBytes);
  return [
    ["loading_start_time", Math.floor(startMs / 1000)],
    ["loading_total_bytes", totalBytes],
    ["loading_rdb_used_mem", 0],
    ["loading_loaded_bytes", loadedBytes],
    ["loading_loaded_perc", (ratio(loadedBytes, totalBytes) * 100).toFixed(2)],
    ["loading_eta_seconds", etaSeconds],
  ];
}
