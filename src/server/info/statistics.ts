/**
 * INFO stats, commandstats, errorstats, latencystats.
 *
 *  I1  Counters start again with CONFIG RESETSTAT, rates with their samples.
 *  I2  latencystats has no fields while latency-tracking is off, whatever was counted before.
 */

import type { Command } from "../../session/command-index.ts";
import type { Server } from "../server.ts";
import type { InfoFields } from "./section.ts";

export function statisticsFields(server: Server): InfoFields {
  const { dispatcher, keyspace, expiry, memory, rates, host } = server;
  const session = dispatcher.statistics;
  const { tracking } = server.session;
  const data = keyspace.statistics;
  const exceededMs = memory.exceededSinceMs === 0 ? 0 : host.clock.monotonicMs() - memory.exceededSinceMs;
  return [
    ["total_connections_received", session.connections],
    ["total_commands_processed", session.commands],
    ["instantaneous_ops_per_sec", rates.operations],
    ["total_net_input_bytes", session.inputBytes],
    ["total_net_output_bytes", session.outputBytes],
    ["total_net_repl_input_bytes", 0],
    ["total_net_repl_output_bytes", 0],
    ["instantaneous_input_kbps", rates.inputKbps.toFixed(2)],
    ["instantaneous_output_kbps", rates.outputKbps.toFixed(2)],
    ["instantaneous_input_repl_kbps", "0.00"],
    ["instantaneous_output_repl_kbps", "0.00"],
    ["rejected_connections", session.rejectedConnections],
    ["sync_full", 0],
    ["sync_partial_ok", 0],
    ["sync_partial_err", 0],
    ["expired_keys", data.expiredKeys],
    ["expired_stale_perc", (expiry.staleShare * 100).toFixed(2)],
    ["expired_time_cap_reached_count", expiry.timeLimitHits],
    ["expire_cycle_cpu_milliseconds", Math.floor(server.cron.expiryMs)],
    ["evicted_keys", data.evictedKeys],
    ["evicted_clients", session.evictedClients],
    ["total_eviction_exceeded_time", Math.floor(memory.exceededMs + exceededMs)],
    ["current_eviction_exceeded_time", Math.floor(exceededMs)],
    ["keyspace_hits", data.hits],
    ["keyspace_misses", data.misses],
    ["pubsub_channels", server.session.pubsub.channels.size],
    ["pubsub_patterns", server.session.pubsub.patternCount],
    ["pubsubshard_channels", server.session.pubsub.shardChannels.size],
    ["latest_fork_usec", 0],
    ["total_forks", 0],
    ["migrate_cached_sockets", 0],
    ["slave_expires_tracked_keys", 0],
    ["active_defrag_hits", server.defragmenter.movedCells],
    ["active_defrag_misses", 0],
    ["active_defrag_key_hits", 0],
    ["active_defrag_key_misses", 0],
    ["total_active_defrag_time", 0],
    ["current_active_defrag_time", 0],
    ["tracking_total_keys", tracking.keys.count],
    ["tracking_total_items", tracking.keys.itemCount],
    ["tracking_total_prefixes", tracking.prefixCount],
    ["unexpected_error_replies", session.unexpectedErrorReplies],
    ["total_error_replies", session.errorReplies],
    ["dump_payload_sanitizations", 0],
    ["total_reads_processed", session.readEvents],
    ["total_writes_processed", session.writeEvents],
    ["io_threaded_reads_processed", 0],
    ["io_threaded_writes_processed", 0],
    ["reply_buffer_shrinks", 0],
    ["reply_buffer_expands", 0],
    // A cycle is a client's turn here: what it sent is read, executed and answered.
    ["eventloop_cycles", session.readEvents],
    ["eventloop_duration_sum", Math.round(session.turnsUs)],
    ["eventloop_duration_cmd_sum", Math.round(commandMicroseconds(server))],
    ["instantaneous_eventloop_cycles_per_sec", rates.turns],
    ["instantaneous_eventloop_duration_usec", rates.turnUs],
    ["acl_access_denied_auth", session.deniedLogins],
    ["acl_access_denied_cmd", session.deniedCommands],
    ["acl_access_denied_key", session.deniedKeys],
    ["acl_access_denied_channel", session.deniedChannels],
  ];
}

/** Microseconds that all commands took together. */
function commandMicroseconds({ commands }: Server): number {
  let sum = 0;
  for (const command of commands.commands) {
    sum += command.microseconds;
    for (const subcommand of command.subcommands?.commands ?? []) sum += subcommand.microseconds;
  }
  return sum;
}

export function commandFields({ commands }: Server): InfoFields {
  const fields: [string, string][] = [];
  for (const command of commands.commands) {
    addCommand(command, fields);
    for (const subcommand of command.subcommands?.commands ?? []) addCommand(subcommand, fields);
  }
  return fields;
}

function addCommand(command: Command, fields: [string, string][]): void {
  const { calls, microseconds, rejectedCalls, failedCalls } = command;
  if (calls === 0 && rejectedCalls === 0 && failedCalls === 0) return;
  const mean = calls === 0 ? 0 : microseconds / calls;
  fields.push([
    `cmdstat_${command.fullName}`,
    `calls=${calls},usec=${Math.round(microseconds)},usec_per_call=${mean.toFixed(2)},rejected_calls=${rejectedCalls},failed_calls=${failedCalls}`,
  ]);
}

/** INFO latencystats: `latency_percentiles_usec_get:p50=0.500,p99=1.003`, for each command that was called. */
export function latencyFields({ commands, config, dispatcher }: Server): InfoFields {
  if (!dispatcher.timer.tracksLatency) return [];
  const percentiles = config.words("latency-tracking-info-percentiles");
  const fields: [string, string][] = [];
  for (const command of commands.withSubcommands()) {
    const { histogram } = command;
    if (histogram === undefined) continue;
    const values = percentiles.map((word) => `p${word}=${(histogram.percentile(Number(word)) / 1000).toFixed(3)}`);
    fields.push([`latency_percentiles_usec_${command.fullName}`, values.join(",")]);
  }
  return fields;
}

export function errorFields({ dispatcher }: Server): InfoFields {
  return [...dispatcher.statistics.errors]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}
