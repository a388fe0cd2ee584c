/** The directives of replication and cluster. Form: see directive.ts. */

import {
  boolean,
  choice,
  type Directive,
  type DirectiveOptions,
  directive,
  INT_MAX,
  integer,
  LATER_CLUSTER,
  LATER_REPLICATION,
  LONG_MAX,
  memory,
  PORT_MAX,
  text,
  ULONG_MAX,
} from "./directive.ts";

const ERRORS = ["ignore", "panic", "panic-on-replicas"];

/** Complaint about a name that a node announces. */
function checkHostName(value: string): string | undefined {
  if (value.length >= 256) return "Hostnames must be less than 256 characters";
  return /^[A-Za-z0-9.-]*$/.test(value)
    ? undefined
    : "Hostnames may only contain alphanumeric characters, hyphens or dots";
}

/** Complaint about a node's name for people: without the signs that nodes.conf uses. */
function checkNodeName(value: string): string | undefined {
  return /[!#$%&()*+.:;<>?@[\]^{|}~]/.test(value) ? "Announced human node name contained invalid character" : undefined;
}

/** Options of a directive that belongs to replication. */
function replication(alias = "", more: DirectiveOptions = {}): DirectiveOptions {
  return { ...more, alias, effect: LATER_REPLICATION };
}

/** Options of a directive that belongs to the cluster. */
function cluster(alias = "", more: DirectiveOptions = {}): DirectiveOptions {
  return { ...more, alias, effect: LATER_CLUSTER };
}

export const REPLICATION_DIRECTIVES: readonly Directive[] = [
  directive(
    { type: "primary" },
    "replicaof",
    "",
    "Address and port of the primary to copy.",
    replication("slaveof", { immutable: true }),
  ),
  text("masterauth", "", "Password for the primary.", replication("", { sensitive: true })),
  text("masteruser", "", "User name for the primary.", replication("", { sensitive: true })),
  boolean(
    "replica-serve-stale-data",
    "yes",
    "Answers also while the link is down.",
    replication("slave-serve-stale-data"),
  ),
  boolean("replica-read-only", "yes", "A replica refuses writes.", replication("slave-read-only")),
  boolean(
    "replica-lazy-flush",
    "no",
    "Frees the old data in slices before a full sync.",
    replication("slave-lazy-flush"),
  ),
  boolean("replica-ignore-disk-write-errors", "no", "A replica goes on when its disk fails.", replication()),
  integer(
    "replica-priority",
    100,
    0,
    INT_MAX,
    "Rank for a failover by Sentinel; 0 never.",
    replication("slave-priority"),
  ),
  boolean("replica-announced", "yes", "Sentinel reports this replica.", replication()),
  text("replica-announce-ip", "", "Address that a replica gives for itself.", replication("slave-announce-ip")),
  integer(
    "replica-announce-port",
    0,
    0,
    PORT_MAX,
    "Port that a replica gives for itself.",
    replication("slave-announce-port"),
  ),
  boolean("repl-diskless-sync", "yes", "Full syncs go straight to the socket.", replication()),
  integer("repl-diskless-sync-delay", 5, 0, INT_MAX, "Seconds to wait for more replicas.", replication()),
  integer("repl-diskless-sync-max-replicas", 0, 0, INT_MAX, "Replicas that end that wait; 0 none.", replication()),
  choice(
    "repl-diskless-load",
    "disabled",
    ["disabled", "on-empty-db", "swapdb"],
    "How a replica loads a full sync.",
    replication("", { deniedWhileLoading: true }),
  ),
  integer(
    "repl-ping-replica-period",
    10,
    1,
    INT_MAX,
    "Seconds between the primary's pings.",
    replication("repl-ping-slave-period"),
  ),
  integer("repl-timeout", 60, 1, INT_MAX, "Seconds of silence after which a link is closed.", replication()),
  boolean("repl-disable-tcp-nodelay", "no", "Lets the system collect small packets for replicas.", replication()),
  memory(
    "repl-backlog-size",
    1048576,
    1,
    LONG_MAX,
    "Bytes of the stream kept for replicas that come back; 16 kb at least.",
    {
      ...replication(),
      clamp: { minimum: 16384n, maximum: LONG_MAX },
    },
  ),
  integer(
    "repl-backlog-ttl",
    3600,
    0,
    LONG_MAX,
    "Seconds that it is kept without replicas; 0 for ever.",
    replication(),
  ),
  integer(
    "min-replicas-to-write",
    0,
    0,
    INT_MAX,
    "Replicas without which writes are refused.",
    replication("min-slaves-to-write"),
  ),
  integer(
    "min-replicas-max-lag",
    10,
    0,
    INT_MAX,
    "Seconds that such a replica may be behind.",
    replication("min-slaves-max-lag"),
  ),
  choice("propagation-error-behavior", "ignore", ERRORS, "What a failing replicated command does.", replication()),
  // ---- cluster ----
  boolean("cluster-enabled", "no", "Runs as a node of a cluster.", cluster("", { immutable: true })),
  text(
    "cluster-config-file",
    "nodes.conf",
    "File that the node keeps about the cluster.",
    cluster("", { immutable: true }),
  ),
  integer("cluster-port", 0, 0, PORT_MAX, "Port of the bus; 0 is port + 10000.", cluster("", { immutable: true })),
  integer(
    "cluster-node-timeout",
    15000,
    0,
    LONG_MAX,
    "Milliseconds after which a silent node counts as failed.",
    cluster(),
  ),
  integer(
    "cluster-replica-validity-factor",
    10,
    0,
    INT_MAX,
    "How old a replica's data may be for a failover.",
    cluster("cluster-slave-validity-factor"),
  ),
  integer("cluster-migration-barrier", 1, 0, INT_MAX, "Replicas that a primary keeps when one moves.", cluster()),
  boolean("cluster-allow-replica-migration", "yes", "Replicas may move to primaries without one.", cluster()),
  boolean(
    "cluster-replica-no-failover",
    "no",
    "This replica never takes over by itself.",
    cluster("cluster-slave-no-failover"),
  ),
  boolean("cluster-require-full-coverage", "yes", "Refuses requests while slots have no node.", cluster()),
  boolean("cluster-allow-reads-when-down", "no", "Reads are served while the cluster is down.", cluster()),
  boolean("cluster-allow-pubsubshard-when-down", "yes", "Sharded pub/sub works while the cluster is down.", cluster()),
  memory("cluster-link-sendbuf-limit", 0, 0, ULONG_MAX, "Bytes that may wait for a node; 0 no limit.", cluster()),
  text("cluster-announce-ip", "", "Address that the node gives for itself.", cluster()),
  integer("cluster-announce-port", 0, 0, PORT_MAX, "Port that the node gives for itself.", cluster()),
  integer("cluster-announce-tls-port", 0, 0, PORT_MAX, "TLS port that the node gives for itself.", cluster()),
  integer("cluster-announce-bus-port", 0, 0, PORT_MAX, "Bus port that the node gives for itself.", cluster()),
  text("cluster-announce-hostname", "", "Host name that the node gives for itself.", {
    ...cluster(),
    check: checkHostName,
  }),
  text("cluster-announce-human-nodename", "", "Name of the node in logs.", { ...cluster(), check: checkNodeName }),
  choice(
    "cluster-preferred-endpoint-type",
    "ip",
    ["ip", "hostname", "unknown-endpoint"],
    "What redirections name.",
    cluster(),
  ),
];
