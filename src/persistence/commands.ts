/** SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF. */

import type { CommandContext, CommandTable } from "../commands/command.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import type { AppendOnly } from "./append-only/append-only.ts";
import type { Snapshots } from "./snapshots.ts";

const NOT_STARTED = new ReplyError("ERR Background save could not be started. Check the server log for the reason.");
const IN_PROGRESS = new ReplyError("ERR Background save already in progress");
/** No more than that, as the real server answers it: the reason stands in the log. */
const SAVE_FAILED = new ReplyError("ERR");

const OTHER_CHILD = new ReplyError(
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
);
const REWRITE_NOT_STARTED = new ReplyError(
  "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
);
const REWRITE_IN_PROGRESS = new ReplyError("ERR Background append only file rewriting already in progress");

/** `appendOnly` is asked for when a command needs it. */
export function snapshotCommands(snapshots: Snapshots, appendOnly: () => AppendOnly): CommandTable {
  return {
    SAVE: {
      arity: 1,
      flags: ["admin", "noscript", "no_async_loading", "no_multi"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "O(N) where N is the total number of keys in all databases",
      summary: "Writes a snapshot of all databases to disk and waits for it.",
      run: (context) => save(snapshots, appendOnly(), context),
    },
    BGSAVE: {
      arity: -1,
      flags: ["admin", "noscript", "no_async_loading"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Writes a snapshot of all databases to disk while commands go on.",
      arguments: "[SCHEDULE]",
      history: [["3.2.2", "Added the `SCHEDULE` option."]],
      run: (context) => backgroundSave(snapshots, context),
    },
    BGREWRITEAOF: {
      arity: 1,
      flags: ["admin", "noscript", "no_async_loading"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Writes a new base of the append-only file while commands go on.",
      run: (context) => rewrite(appendOnly(), context),
    },
    LASTSAVE: {
      arity: 1,
      flags: ["loading", "stale", "fast"],
      acl: ["admin", "dangerous"],
      since: "1.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Returns the Unix time of the last snapshot that succeeded.",
      tips: ["nondeterministic_output"],
      run: (context) => context.reply.integer(Math.floor(snapshots.lastSaveMs / 1000)),
    },
  };
}

function save(snapshots: Snapshots, appendOnly: AppendOnly, { reply }: CommandContext): void {
  if (snapshots.isRunning()) return reply.error(IN_PROGRESS);
  appendOnly.makeWay();
  try {
    snapshots.save();
  } catch {
    // The reason stands in the log with path and hint: it names the server's disk, which is not every client's business.
    return reply.error(SAVE_FAILED);
  }
  reply.ok();
}

function backgroundSave(snapshots: Snapshots, { request, reply }: CommandContext): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, "SCHEDULE"))) return reply.error(SYNTAX);
  if (snapshots.isRunning()) return reply.error(IN_PROGRESS);
  if (snapshots.isBlocked()) {
    if (request.count === 1) return reply.error(OTHER_CHILD);
    snapshots.isScheduled = true;
    return reply.simple("Background saving scheduled");
  }
  if (!snapshots.startBackgroundSave()) return reply.error(NOT_STARTED);
  reply.simple("Background saving started");
}

function rewrite(appendOnly: AppendOnly, { reply }: CommandContext): void {
  const outcome = appendOnly.requestRewrite();
  if (outcome === "running") reply.error(REWRITE_IN_PROGRESS);
  else if (outcome === "failed") reply.error(REWRITE_NOT_STARTED);
  else reply.simple(`Background append only file rewriting ${outcome}`);
}
