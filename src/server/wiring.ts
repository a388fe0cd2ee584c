/**
 * Which directive drives which part: the one place where the configuration meets the rest of the server.
 *
 *  I1  Every directive that docs/configuration.md calls effective is followed here or read where the server starts.
 *  I2  A directive that can change while the server runs is followed, not read once.
 */

import { DiskFault, reasonOf } from "../core/faults.ts";
import { EVICTION_POLICIES, type EvictionPolicy } from "../store/keyspace/eviction.ts";
import { directoryCheck } from "./config/checks.ts";
import type { LogLevel } from "./log.ts";
import type { Server } from "./server.ts";
import { StartFailure } from "./start-failure.ts";

export function wireConfiguration(server: Server): void {
  wireSession(server);
  wireUsers(server);
  wireMemory(server);
  wireEncodings(server);
  wireSnapshots(server);
  wireLogs(server);
  wireCron(server);
  wireListening(server);
}

function wireSession({ config, session, dispatcher, reader, context, commands, slowLog, latency }: Server): void {
  const limits = session.limits;
  config.followText("requirepass", (password) => session.setPassword(password));
  config.followText("acl-pubsub-default", (rule) => {
    session.acl.opensChannels = rule === "allchannels";
  });
  config.followInteger("acllog-max-len", (count) => session.acl.log.setLengthMax(count));
  config.followInteger("maxclients", (count) => {
    limits.maxClients = count;
  });
  config.followInteger("timeout", (seconds) => {
    limits.timeoutSeconds = seconds;
  });
  config.followInteger("tcp-keepalive", (seconds) => session.setKeepAlive(seconds));
  config.followBoolean("protected-mode", (isProtected) => {
    limits.isProtected = isProtected;
  });
  config.followInteger("busy-reply-threshold", (milliseconds) => {
    session.scripting.busyThresholdMs = milliseconds;
  });
  config.followText("notify-keyspace-events", (letters) => session.setKeyspaceEvents(letters));
  config.followInteger("tracking-table-max-keys", (count) => {
    session.tracking.keysMax = count;
  });
  config.followBoolean("latency-tracking", (isOn) => {
    dispatcher.timer.tracksLatency = isOn;
  });
  config.followInteger("client-query-buffer-limit", (bytes) => session.setQueryBufferLimit(bytes));
  config.followText("client-output-buffer-limit", () => {
    const { normal, slave, pubsub } = config.outputLimits();
    Object.assign(limits.output, { normal, replica: slave, pubsub });
  });
  config.followInteger("proto-max-bulk-len", (bytes) => {
    reader.bulkBytesMax = bytes;
    context.limits.stringBytesMax = bytes;
  });
  const setSlowThreshold = (): void => {
    slowLog.thresholdUs = config.integer("slowlog-log-slower-than");
    latency.thresholdMs = config.integer("latency-monitor-threshold");
    const thresholds = [slowLog.thresholdUs];
    if (latency.thresholdMs > 0) thresholds.push(latency.thresholdMs * 1000);
    // The dispatcher reports what passes the lower one; both listeners look again.
    const wanted = thresholds.filter((threshold) => threshold >= 0);
    dispatcher.timer.slowThresholdUs = wanted.length === 0 ? -1 : Math.min(...wanted);
  };
  config.followInteger("slowlog-log-slower-than", setSlowThreshold);
  config.followInteger("latency-monitor-threshold", setSlowThreshold);
  session.gates.mayUseProtected = (command, client) => {
    const container = command.fullName.split("|")[0]!;
    const mode = config.text(`enable-${container}-command`);
    return mode === "yes" || (mode === "local" && client.connection.isLocal);
  };
  for (const [from, to] of config.lines("rename-command")) {
    if (!commands.rename(from!, to!)) {
      throw new StartFailure(
        `rename-command: there is no command "${from}" to be renamed. Correct or remove the line.`,
      );
    }
  }
}

/** The users of the configuration file or of the ACL file. After this, requirepass is what the default user has. */
function wireUsers({ config, session, host }: Server): void {
  const { acl } = session;
  const path = config.utf8("aclfile");
  const lines = config.lines("user");
  if (path !== "" && lines.length > 0) {
    throw new StartFailure(
      "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.",
    );
  }
  const seen = new Set<string>();
  for (const words of lines) {
    const complaint = acl.readLine(words, seen);
    if (complaint !== undefined) {
      throw new StartFailure(`Error in user declaration '${words[0]}': ${complaint}. Correct or remove the line.`);
    }
  }
  if (path === "") return;
  acl.useFile(host.disk, path);
  try {
    const report = acl.load();
    if (report !== undefined) throw new StartFailure(`Aborting Redis startup because of ACL errors: ${report}`);
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    throw new StartFailure(
      `Aborting Redis startup because of ACL errors: Error loading ACLs, opening file '${path}': ${reasonOf(error.cause)}`,
    );
  }
}

function wireMemory({ config, memory, eviction, keyspace, session, expiry, defragmenter, context }: Server): void {
  config.followBoolean("lazyfree-lazy-expire", (isLazy) => {
    context.unlinksExpired = isLazy;
  });
  config.followBoolean("lazyfree-lazy-eviction", (isLazy) => {
    context.unlinksEvicted = isLazy;
  });
  config.followBoolean("lazyfree-lazy-user-del", (isLazy) => {
    context.unlinksDeleted = isLazy;
  });
  const setLimit = (): void => {
    memory.limitBytes = config.integer("maxmemory");
    session.limits.clientsBytesMax = config.bytesOf("maxmemory-clients", memory.limitBytes);
    session.gates.makeRoom = memory.limitBytes > 0 ? memory.makeRoom : undefined;
  };
  config.followText("maxmemory", setLimit);
  config.followText("maxmemory-clients", setLimit);
  config.followText("maxmemory-policy", (policy) => {
    const known = EVICTION_POLICIES.find((each) => each === policy);
    eviction.setPolicy(known ?? ("noeviction" satisfies EvictionPolicy));
  });
  config.followInteger("maxmemory-samples", (count) => {
    eviction.samples = count;
  });
  config.followInteger("maxmemory-eviction-tenacity", (tenacity) => memory.setTenacity(tenacity));
  config.followInteger("lfu-log-factor", (factor) => {
    keyspace.clock.logFactor = factor;
  });
  config.followInteger("lfu-decay-time", (minutes) => {
    keyspace.clock.decayMinutes = minutes;
  });
  config.followBoolean("activedefrag", (isOn) => {
    defragmenter.isEnabled = isOn;
  });
  config.followInteger("active-defrag-ignore-bytes", (bytes) => {
    defragmenter.ignoredBytes = bytes;
  });
  config.followInteger("active-defrag-threshold-lower", (percent) => {
    defragmenter.thresholdPercent = percent;
  });
  config.followInteger("active-expire-effort", (effort) => {
    expiry.effort = effort;
  });
}

/** Up to which size collections are kept in their compact forms; what is there already keeps its form. */
function wireEncodings({ config, keyspace }: Server): void {
  const limits = keyspace.encodingLimits;
  config.followInteger("hash-max-listpack-entries", (count) => {
    limits.hashListpackEntries = count;
  });
  config.followInteger("hash-max-listpack-value", (bytes) => {
    limits.hashListpackBytes = bytes;
  });
  config.followInteger("list-max-listpack-size", (size) => {
    limits.listNodeSize = size;
  });
  config.followInteger("list-compress-depth", (nodes) => {
    limits.listCompressDepth = nodes;
  });
  config.followInteger("set-max-intset-entries", (count) => {
    limits.setIntsetEntries = count;
  });
  config.followInteger("set-max-listpack-entries", (count) => {
    limits.setListpackEntries = count;
  });
  config.followInteger("set-max-listpack-value", (bytes) => {
    limits.setListpackBytes = bytes;
  });
  config.followInteger("zset-max-listpack-entries", (count) => {
    limits.sortedSetListpackEntries = count;
  });
  config.followInteger("zset-max-listpack-value", (bytes) => {
    limits.sortedSetListpackBytes = bytes;
  });
  config.followInteger("hll-sparse-max-bytes", (bytes) => {
    limits.hyperLogLogSparseBytes = bytes;
  });
  config.followInteger("stream-node-max-bytes", (bytes) => {
    limits.streamNodeBytes = bytes;
  });
  config.followInteger("stream-node-max-entries", (count) => {
    limits.streamNodeEntries = count;
  });
}

function wireSnapshots({ config, snapshots, host }: Server): void {
  const settings = snapshots.settings;
  config.validate("dir", directoryCheck(host.disk));
  config.onChange("dir", () => {
    settings.directory = config.utf8("dir");
  });
  config.followText("dbfilename", () => {
    settings.fileName = config.utf8("dbfilename");
  });
  config.followBoolean("rdbcompression", (isOn) => {
    settings.compression = isOn;
  });
  config.followBoolean("rdbchecksum", (isOn) => {
    settings.checksum = isOn;
  });
  config.followBoolean("rdb-save-incremental-fsync", (isOn) => {
    settings.syncsOften = isOn;
  });
  config.followBoolean("stop-writes-on-bgsave-error", (isOn) => {
    settings.stopsWritesOnError = isOn;
  });
  config.followText("save", () => {
    settings.savePoints = config.savePoints();
  });
}

function wireLogs({ config, log, slowLog }: Server): void {
  config.followText("loglevel", (level) => {
    log.level = level as LogLevel;
  });
  config.followInteger("slowlog-max-len", (count) => {
    slowLog.lengthMax = count;
    slowLog.trim();
  });
}

function wireCron({ config, cron }: Server): void {
  config.followInteger("hz", (perSecond) => cron.setRate(perSecond));
  config.followBoolean("activerehashing", (isOn) => {
    cron.advancesTables = isOn;
  });
}

const TLS_DIRECTIVES = [
  "tls-cert-file",
  "tls-key-file",
  "tls-key-file-pass",
  "tls-dh-params-file",
  "tls-ca-cert-file",
  "tls-ca-cert-dir",
  "tls-auth-clients",
  "tls-protocols",
  "tls-ciphers",
  "tls-ciphersuites",
  "tls-prefer-server-ciphers",
  "tls-session-caching",
  "tls-session-cache-timeout",
];

function wireListening(server: Server): void {
  const { config, log, tls } = server;
  const relistenTo = async (kind: "tcp" | "tls"): Promise<string | undefined> =>
    (await server.relisten(kind)) ? undefined : "Unable to listen on this port. Check server logs.";
  config.apply("port", () => relistenTo("tcp"));
  config.apply("bind", async () =>
    (await server.relisten("tcp", "tls")) ? undefined : "Failed to bind to specified addresses.",
  );
  const loadTls = (): string | undefined => {
    const complaint = server.usesTls ? tls.load() : undefined;
    if (complaint === undefined) return undefined;
    log.write("warning", complaint);
    return "Unable to update TLS configuration. Check server logs.";
  };
  config.apply("tls-port", () => loadTls() ?? relistenTo("tls"));
  for (const name of TLS_DIRECTIVES) config.apply(name, loadTls);
}
