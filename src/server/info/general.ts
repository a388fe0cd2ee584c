/** INFO server, clients, replication, cpu, modules, cluster, keyspace. Fields as Redis 7.2 has them. */

import type { Server } from "../server.ts";
import { EVERKEY_VERSION, REDIS_VERSION } from "../version.ts";
import { type InfoFields, wireText } from "./section.ts";

const LRU_CLOCK_MASK = 0xffffff;

export function serverFields(server: Server): InfoFields {
  const { config, host } = server;
  const nowMs = host.clock.nowMs();
  const uptimeSeconds = Math.max(0, Math.floor((nowMs - server.startMs) / 1000));
  return [
    ["redis_version", REDIS_VERSION],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_build_id", buildId()],
    ["redis_mode", "standalone"],
    ["os", host.system.name],
    ["arch_bits", 64],
    ["monotonic_clock", "POSIX clock_gettime"],
    ["multiplexing_api", "epoll"],
    ["process_id", host.processId],
    ["process_supervised", config.text("supervised")],
    ["run_id", server.runId],
    ["tcp_port", server.port || server.tlsPort],
    ["server_time_usec", server.wallClock.nowUs()],
    ["uptime_in_seconds", uptimeSeconds],
    ["uptime_in_days", Math.floor(uptimeSeconds / 86_400)],
    ["hz", config.integer("hz")],
    ["configured_hz", config.integer("hz")],
    ["lru_clock", Math.floor(nowMs / 1000) & LRU_CLOCK_MASK],
    ["executable", wireText(host.system.executable)],
    ["config_file", wireText(server.configFile ?? "")],
    ["io_threads_active", 0],
    ...listenerFields(server),
  ];
}

/** 15 hexadecimal digits, the same for every server of one version of Everkey. */
function buildId(): string {
  return Buffer.from(`everkey${EVERKEY_VERSION}`).toString("hex").padEnd(15, "0").slice(-15);
}

function listenerFields({ config, port, tlsPort }: Server): InfoFields {
  const listeners: string[] = [];
  const addresses = config.words("bind").map((address) => `bind=${address}`);
  if (port !== 0) listeners.push(["name=tcp", ...addresses, `port=${port}`].join(","));
  const path = config.text("unixsocket");
  if (path !== "") listeners.push(`name=unix,bind=${path}`);
  if (tlsPort !== 0) listeners.push(["name=tls", ...addresses, `port=${tlsPort}`].join(","));
  return listeners.map((text, index) => [`listener${index}`, text]);
}

export function clientFields(server: Server): InfoFields {
  const { session } = server;
  let inputBytesMax = 0;
  let outputBytesMax = 0;
  let timeouts = 0;
  for (const client of session.clients.all()) {
    inputBytesMax = Math.max(inputBytesMax, client.unread?.length ?? 0);
    outputBytesMax = Math.max(outputBytesMax, client.connection.pendingBytes());
    if (client.suspensionTimer !== undefined) timeouts++;
  }
  return [
    ["connected_clients", session.clients.count],
    ["cluster_connections", 0],
    ["maxclients", server.config.integer("maxclients")],
    ["client_recent_max_input_buffer", inputBytesMax],
    ["client_recent_max_output_buffer", outputBytesMax],
    ["blocked_clients", session.blockedCount],
    ["tracking_clients", session.tracking.clientCount],
    ["clients_in_timeout_table", timeouts],
    ["total_blocking_keys", session.blocking.keyCount],
    ["total_blocking_keys_on_nokey", session.blocking.lossKeyCount],
  ];
}

export function replicationFields({ config, context, session }: Server): InfoFields {
  return [
    ["role", session.identity.role()],
    ["connected_slaves", 0],
    ["master_failover_state", "no-failover"],
    ["master_replid", context.log.replicationId],
    ["master_replid2", "0".repeat(40)],
    ["master_repl_offset", 0],
    ["second_repl_offset", -1],
    ["repl_backlog_active", 0],
    ["repl_backlog_size", config.integer("repl-backlog-size")],
    ["repl_backlog_first_byte_offset", 0],
    ["repl_backlog_histlen", 0],
  ];
}

export function cpuFields({ host }: Server): InfoFields {
  const cpu = host.cpuSeconds();
  return [
    ["used_cpu_sys", cpu.system.toFixed(6)],
    ["used_cpu_user", cpu.user.toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
    ["used_cpu_sys_main_thread", cpu.mainThreadSystem.toFixed(6)],
    ["used_cpu_user_main_thread", cpu.mainThreadUser.toFixed(6)],
  ];
}

export function clusterFields(): InfoFields {
  return [["cluster_enabled", 0]];
}

export function keyspaceFields({ keyspace }: Server): InfoFields {
  const fields: [string, string][] = [];
  for (const database of keyspace.databases) {
    const keys = keyspace.keyCount(database);
    if (keys === 0) continue;
    const expiring = keyspace.expiringCount(database);
    // The mean is of keys that were looked at: when none expires any more, it says nothing.
    const averageMs = expiring === 0 ? 0 : Math.round(database.averageTtlMs);
    fields.push([`db${database.index}`, `keys=${keys},expires=${expiring},avg_ttl=${averageMs}`]);
  }
  return fields;
}
