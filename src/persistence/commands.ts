/** SAVE, BGSAVE, LASTSAVE. */

import type { CommandContext, CommandTable } from "../commands/command.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import type { Snapshots } from "./snapshots.ts";

const NOT_STARTED = new ReplyError("ERR Background save could not be started. Check the server log for the reason.");
const IN_PROGRESS = new ReplyError("ERR Background save already in progress");
/** No more than that, as the real server answers it: the reason stands in the log. */
const SAVE_FAILED = new ReplyError("ERR");

export function snapshotCommands(snapshots: Snapshots): CommandTable {
  return {
    SAVE: {
      arity: 1,
      flags: ["admin", "noscript", "no_async_loading", "no_multi"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "O(N) where N is the total number of keys in all databases",
      summary: "Writes a snapshot of all databases to disk and waits for it.",
      run: (context) => save(snapshots, context),
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

function save(snapshots: Snapshots, { reply }: CommandContext): void {
  if (snapshots.isRunning()) return reply.error(IN_PROGRESS);
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
  // SCHEDULE waits for a log rewrite, never for another snapshot; there is no rewrite to wait for.
  if (snapshots.isRunning()) return reply.error(IN_PROGRESS);
  if (!snapshots.startBackgroundSave()) return reply.error(NOT_STARTED);
  reply.simple("Background saving started");
}
