/** The directives of the server itself: network, clients, process, logs, limits, scripts. Form: see directive.ts. */

import {
  BYTE_ORDER,
  boolean,
  choice,
  choices,
  type Directive,
  directive,
  INT_MAX,
  integer,
  LATER_CLUSTER,
  LATER_OUTGOING,
  LATER_REPLICATION,
  LONG_MAX,
  lines,
  memory,
  NEVER_DEPRECATED,
  NO_AFFINITY,
  NO_FORK,
  NO_MODULES,
  NO_SYSLOG,
  PORT_MAX,
  text,
  UINT_MAX,
} from "./directive.ts";

const ALLOWED = ["no", "yes", "local"];
const FACILITIES = ["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];
const SHUTDOWN = ["default", "save", "nosave", "now", "force"];
const TITLE_FIELDS = ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
/** Those of them that may be empty. */
const EMPTY_FIELDS = ["title", "unixsocket", "config-file"];

/**
 * Complaint about a proc-title-template that names a field that there is not, or that shows nothing when the fields
 * that may be empty are; `{{` stands for a brace.
 */
function checkTitle(template: string): string | undefined {
  let isKnown = true;
  const shown = template.replace(/\{(\{|[^}]*\}?)/g, (_whole, inside: string) => {
    if (inside === "{") return "x";
    const field = inside.endsWith("}") ? inside.slice(0, -1) : "";
    if (!TITLE_FIELDS.includes(field)) isKnown = false;
    return EMPTY_FIELDS.includes(field) ? "" : "x";
  });
  return isKnown && shown.trim() !== "" ? undefined : "template format is invalid or contains unknown variables";
}

export const SERVER_DIRECTIVES: readonly Directive[] = [
  // ---- network ----
  directive({ type: "bind" }, "bind", "* -::*", "Addresses to listen on; a leading - makes one optional."),
  integer("port", 6379, 0, PORT_MAX, "TCP port; 0 listens on none."),
  integer("tcp-backlog", 511, 0, INT_MAX, "Connections that may wait to be accepted.", { immutable: true }),
  text("unixsocket", "", "Path of a unix socket to listen on.", { immutable: true }),
  directive(
    { type: "octal", maximum: 0o777n },
    "unixsocketperm",
    "0",
    "Permissions of the unix socket as octal digits; 0 keeps the system's.",
    { immutable: true },
  ),
  boolean("protected-mode", "yes", "Without a password, only clients of this machine may speak."),
  text("bind-source-addr", "", "Local address for outgoing connections.", {
    effect: LATER_OUTGOING,
  }),
  integer("socket-mark-id", 0, 0, UINT_MAX, "Mark on the server's sockets, for packet filters.", {
    immutable: true,
    effect: "Node offers no way to mark a socket.",
  }),
  integer("timeout", 0, 0, INT_MAX, "Seconds after which an idle client is closed; 0 never."),
  integer("tcp-keepalive", 300, 0, INT_MAX, "Seconds between keepalive probes; 0 sends none."),
  integer("maxclients", 10000, 1, UINT_MAX, "Clients that may be connected at once."),
  // ---- clients ----
  directive(
    { type: "output-limits" },
    "client-output-buffer-limit",
    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    "For each class: bytes of unread replies that close a client at once, and bytes and seconds that do together.",
  ),
  memory("client-query-buffer-limit", 1073741824, 1048576, LONG_MAX, "Bytes that one unfinished request may hold."),
  memory("proto-max-bulk-len", 536870912, 1048576, LONG_MAX, "Longest single argument, in bytes."),
  memory("maxmemory-clients", 0, 0, LONG_MAX, "Bytes, or share of maxmemory, that all clients' buffers may take.", {
    percent: true,
  }),
  integer("tracking-table-max-keys", 1000000, 0, LONG_MAX, "Keys that client-side caching remembers."),
  // ---- TLS ----
  integer("tls-port", 0, 0, PORT_MAX, "TCP port for TLS; 0 listens on none."),
  text("tls-cert-file", "", "Certificate of the server, with those between it and its authority.", { volatile: true }),
  text("tls-key-file", "", "Private key of the certificate.", { volatile: true }),
  text("tls-key-file-pass", "", "Password of the private key.", { sensitive: true }),
  text("tls-client-cert-file", "", "Certificate for outgoing connections.", { volatile: true, effect: LATER_OUTGOING }),
  text("tls-client-key-file", "", "Private key for outgoing connections.", { volatile: true, effect: LATER_OUTGOING }),
  text("tls-client-key-file-pass", "", "Password of that key.", { sensitive: true, effect: LATER_OUTGOING }),
  text("tls-dh-params-file", "", "Diffie-Hellman parameters.", { volatile: true }),
  text("tls-ca-cert-file", "", "Authorities whose certificates are trusted.", { volatile: true }),
  text("tls-ca-cert-dir", "", "Directory of such authorities: all certificates in it.", { volatile: true }),
  choice("tls-auth-clients", "yes", ["no", "yes", "optional"], "Whether clients need a certificate."),
  boolean("tls-replication", "no", "Links to a primary use TLS.", { effect: LATER_REPLICATION }),
  boolean("tls-cluster", "no", "The cluster bus uses TLS.", { effect: LATER_CLUSTER }),
  text("tls-protocols", "", "Accepted TLS versions; empty means TLSv1.2 and TLSv1.3."),
  text("tls-ciphers", "", "Accepted ciphers up to TLS 1.2; empty means Node's choice."),
  text("tls-ciphersuites", "", "Accepted ciphers of TLS 1.3; empty means all that OpenSSL recommends."),
  boolean("tls-prefer-server-ciphers", "no", "The server's order of ciphers wins."),
  boolean("tls-session-caching", "yes", "Sessions may be resumed."),
  integer("tls-session-cache-size", 20480, 0, INT_MAX, "Sessions that are remembered.", {
    effect: "Clients keep their sessions themselves, as tickets; the server remembers none.",
  }),
  integer("tls-session-cache-timeout", 300, 0, INT_MAX, "Seconds during which a session may be resumed."),
  // ---- access ----
  text("requirepass", "", "Password of the default user.", { sensitive: true }),
  text("aclfile", "", "File of users and their rights.", { immutable: true, keepsEmpty: true }),
  lines("user", 1, Number.POSITIVE_INFINITY, "One user and its rights; may stand several times."),
  choice("acl-pubsub-default", "resetchannels", ["allchannels", "resetchannels"], "Channels a new user may use."),
  integer("acllog-max-len", 128, 0, LONG_MAX, "Entries that ACL LOG keeps."),
  lines("rename-command", 2, 2, "Gives a command another name; the empty name removes it."),
  choice("enable-protected-configs", "no", ALLOWED, "Whether CONFIG SET may change dir and dbfilename.", {
    immutable: true,
  }),
  choice("enable-debug-command", "no", ALLOWED, "Whether DEBUG may be used.", { immutable: true }),
  choice("enable-module-command", "no", ALLOWED, "Whether MODULE may load.", { immutable: true, effect: NO_MODULES }),
  lines("loadmodule", 1, Number.POSITIVE_INFINITY, "Loads a module at start.", { effect: NO_MODULES }),
  lines("include", 1, 1, "Reads another file at this place; may hold a pattern."),
  // ---- process ----
  boolean("daemonize", "no", "Goes to the background after the start.", { immutable: true }),
  choice("supervised", "no", ["upstart", "systemd", "auto", "no"], "Tells the service manager about readiness.", {
    immutable: true,
    effect: "Run it as a simple service, without daemonize; readiness is the line Ready to accept connections.",
  }),
  text("pidfile", "", "File that holds the process number while the server runs.", { immutable: true }),
  integer("databases", 16, 1, INT_MAX, "Number of databases for SELECT.", { immutable: true }),
  integer("hz", 10, 0, INT_MAX, "Rounds of background work per second, 1 to 500.", {
    clamp: { minimum: 1n, maximum: 500n },
  }),
  boolean("dynamic-hz", "yes", "More rounds per second while many clients are connected.", {
    effect: "A round looks at a share of the clients, so that its cost does not grow with their number.",
  }),
  boolean("set-proc-title", "yes", "Shows the address in the list of processes.", { immutable: true }),
  text("proc-title-template", "{title} {listen-addr} {server-mode}", "How that title is built.", {
    check: checkTitle,
  }),
  text("locale-collate", "", "Language whose order SORT ALPHA follows.", { keepsEmpty: true, effect: BYTE_ORDER }),
  choices("shutdown-on-sigint", SHUTDOWN, "What SIGINT does, in the words of SHUTDOWN."),
  choices("shutdown-on-sigterm", SHUTDOWN, "What SIGTERM does, in the words of SHUTDOWN."),
  integer("shutdown-timeout", 10, 0, INT_MAX, "Seconds that a shutdown waits for replicas.", {
    effect: LATER_REPLICATION,
  }),
  integer("io-threads", 1, 1, 128, "Threads that read and write sockets.", {
    immutable: true,
    effect: "Requests are read and answered by one event loop, which does not need them.",
  }),
  boolean("io-threads-do-reads", "no", "Whether those threads also read.", {
    immutable: true,
    effect: "Requests are read and answered by one event loop, which does not need it.",
  }),
  text("server-cpulist", "", "Processors for the event loop.", {
    immutable: true,
    effect: NO_AFFINITY,
    alias: "server_cpulist",
  }),
  text("bio-cpulist", "", "Processors for background threads.", {
    immutable: true,
    effect: NO_AFFINITY,
    alias: "bio_cpulist",
  }),
  text("aof-rewrite-cpulist", "", "Processors for the log's rewrite.", {
    immutable: true,
    effect: NO_AFFINITY,
    alias: "aof_rewrite_cpulist",
  }),
  text("bgsave-cpulist", "", "Processors for BGSAVE.", {
    immutable: true,
    effect: NO_AFFINITY,
    alias: "bgsave_cpulist",
  }),
  choice(
    "oom-score-adj",
    "no",
    ["no", "yes", "relative", "absolute"],
    "Whom the kernel kills first when memory ends.",
    {
      effect: NO_FORK,
    },
  ),
  directive({ type: "oom-values" }, "oom-score-adj-values", "0 200 800", "Its values for primary, replica, child.", {
    effect: NO_FORK,
  }),
  boolean("disable-thp", "yes", "Turns transparent huge pages off for the process.", {
    immutable: true,
    effect: "Without fork, huge pages do no harm.",
  }),
  text("ignore-warnings", "", "Warnings of the start that do not stop it.", {
    keepsEmpty: true,
    effect: "The warnings that it names concern fork and are not given here.",
  }),
  // ---- logs and measuring ----
  choice(
    "loglevel",
    "notice",
    ["debug", "verbose", "notice", "warning", "nothing"],
    "Least important kind of line that is logged.",
  ),
  text("logfile", "", "File of the log; empty means standard output.", { immutable: true, keepsEmpty: true }),
  boolean("syslog-enabled", "no", "Also logs to syslog.", { immutable: true, effect: NO_SYSLOG }),
  text("syslog-ident", "redis", "Name in syslog.", { immutable: true, effect: NO_SYSLOG }),
  choice("syslog-facility", "local0", FACILITIES, "Facility in syslog.", { immutable: true, effect: NO_SYSLOG }),
  boolean("always-show-logo", "no", "Prints a banner also to a file.", { immutable: true }),
  boolean("crash-log-enabled", "yes", "Writes a report when the process crashes."),
  boolean("crash-memcheck-enabled", "yes", "Tests memory after a crash.", {
    effect: "A process in Node cannot test the memory that it runs in.",
  }),
  boolean("use-exit-on-panic", "no", "Ends with exit instead of abort.", {
    hidden: true,
    effect: "A broken invariant always ends the process by exit.",
  }),
  integer("watchdog-period", 0, 0, INT_MAX, "Milliseconds after which a slow event loop is reported.", {
    hidden: true,
    effect: "Slow turns of the event loop are seen in LATENCY and in the stall metrics.",
  }),
  integer(
    "slowlog-log-slower-than",
    10000,
    -1,
    LONG_MAX,
    "Microseconds from which a command is kept in SLOWLOG; -1 none.",
  ),
  integer("slowlog-max-len", 128, 0, LONG_MAX, "Entries that SLOWLOG keeps."),
  integer("latency-monitor-threshold", 0, 0, LONG_MAX, "Milliseconds from which LATENCY keeps an event; 0 none."),
  boolean("latency-tracking", "yes", "Keeps a distribution of each command's latency."),
  directive(
    { type: "percentiles" },
    "latency-tracking-info-percentiles",
    "50 99 99.9",
    "Percentiles that INFO latencystats shows.",
  ),
  directive({ type: "events" }, "notify-keyspace-events", "", "Kinds of keyspace events that are published."),
  // ---- scripts ----
  integer("busy-reply-threshold", 5000, 0, LONG_MAX, "Milliseconds after which a script's clients get BUSY.", {
    alias: "lua-time-limit",
  }),
  boolean("lua-enable-deprecated-api", "no", "Gives scripts the functions that were withdrawn.", {
    immutable: true,
    hidden: true,
    effect: NEVER_DEPRECATED,
  }),
];
