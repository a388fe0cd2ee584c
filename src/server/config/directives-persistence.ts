/** The directives of persistence: snapshots, the append-only file, where they lie. Form: see directive.ts. */

import {
  boolean,
  choice,
  type Directive,
  directive,
  INT_MAX,
  INT_MIN,
  integer,
  LATER_REPLICATION,
  LONG_MAX,
  memory,
  text,
} from "./directive.ts";

/** Complaint about a name that must be a file's name alone. */
function fileName(name: string, word: string, mayBeEmpty: boolean): (value: string) => string | undefined {
  return (value) => {
    if (value === "") return mayBeEmpty ? undefined : `${name} can't be empty`;
    return value.includes("/") || value === "." || value === ".."
      ? `${name} can't be a path, just a ${word}`
      : undefined;
  };
}

export const PERSISTENCE_DIRECTIVES: readonly Directive[] = [
  directive({ type: "directory" }, "dir", "", "Directory of the data; CONFIG GET gives the absolute path.", {
    protected: true,
    deniedWhileLoading: true,
  }),
  directive(
    { type: "save" },
    "save",
    "3600 1 300 100 60 10000",
    "Pairs of seconds and changes after which a snapshot is written; empty never.",
  ),
  text("dbfilename", "dump.rdb", "Name of the snapshot's file.", {
    protected: true,
    check: fileName("dbfilename", "filename", true),
  }),
  boolean("rdbcompression", "yes", "Compresses strings in snapshots."),
  boolean("rdbchecksum", "yes", "Ends a snapshot with a checksum and verifies it on loading.", { immutable: true }),
  boolean("stop-writes-on-bgsave-error", "yes", "Refuses writes after a snapshot could not be written."),
  boolean("rdb-save-incremental-fsync", "yes", "Hands a snapshot to the disk piece by piece."),
  boolean("rdb-del-sync-files", "no", "Removes snapshots that only served replication.", { effect: LATER_REPLICATION }),
  choice("sanitize-dump-payload", "no", ["no", "yes", "clients"], "How deeply RESTORE and loading check a value.", {
    effect: "Every value is checked completely, whatever is set.",
  }),
  integer("rdb-key-save-delay", 0, INT_MIN, INT_MAX, "Microseconds to wait after each saved key, for tests.", {
    hidden: true,
    effect: "Tests use a disk that they slow down themselves.",
  }),
  integer("key-load-delay", 0, INT_MIN, INT_MAX, "Microseconds to wait after each loaded key, for tests.", {
    hidden: true,
    effect: "Tests use a disk that they slow down themselves.",
  }),
  integer(
    "loading-process-events-interval-bytes",
    2097152,
    1024,
    INT_MAX,
    "Loaded bytes between two looks at clients.",
    {
      hidden: true,
      effect: "Loading gives way by time, not by bytes.",
    },
  ),
  // ---- append-only file ----
  boolean("appendonly", "no", "Writes every change to the append-only file.", {
    deniedWhileLoading: true,
  }),
  text("appendfilename", "appendonly.aof", "First part of its files' names.", {
    immutable: true,
    check: fileName("appendfilename", "filename", false),
  }),
  text("appenddirname", "appendonlydir", "Directory of its files, inside dir.", {
    immutable: true,
    check: fileName("appenddirname", "dirname", false),
  }),
  choice("appendfsync", "everysec", ["everysec", "always", "no"], "When written changes are forced to the device.", {}),
  boolean("no-appendfsync-on-rewrite", "no", "Forces nothing to the device during a rewrite."),
  integer("auto-aof-rewrite-percentage", 100, 0, INT_MAX, "Growth in percent that starts a rewrite; 0 never.", {}),
  memory("auto-aof-rewrite-min-size", 67108864, 0, LONG_MAX, "Smallest size that starts a rewrite.", {}),
  boolean("aof-load-truncated", "yes", "Loads a file whose last command is cut."),
  boolean("aof-use-rdb-preamble", "yes", "A rewrite begins with a snapshot."),
  boolean("aof-timestamp-enabled", "no", "Notes the time between commands."),
  boolean("aof-rewrite-incremental-fsync", "yes", "Hands a rewrite to the disk piece by piece."),
  boolean("aof-disable-auto-gc", "no", "Keeps files that a rewrite made superfluous."),
];
