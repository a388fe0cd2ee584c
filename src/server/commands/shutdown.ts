/** SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]. */

import type { CommandContext, CommandTable } from "../../commands/command.ts";
import { ReplyError, SYNTAX } from "../../protocol/errors.ts";
import type { Server } from "../server.ts";

const NO_SHUTDOWN = new ReplyError("ERR No shutdown in progress.");
const SHUTDOWN_FAILED = new ReplyError("ERR Errors trying to SHUTDOWN. Check logs.");

export function shutdownCommands(server: Server): CommandTable {
  return {
    SHUTDOWN: {
      arity: -1,
      flags: ["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "O(N) when saving, where N is the number of keys in all databases; O(1) otherwise",
      summary: "Saves the databases if that is configured or asked for, and ends the server.",
      arguments: "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]",
      history: [["7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."]],
      run: (context) => shutdown(server, context),
    },
  };
}

function shutdown(server: Server, context: CommandContext): void {
  const { request, reply } = context;
  let saving: "always" | "never" | "default" = "default";
  let isForced = false;
  let isAbort = false;
  let hasOthers = false;
  for (let index = 1; index < request.count; index++) {
    if (request.is(index, "ABORT")) {
      isAbort = true;
      continue;
    }
    hasOthers = true;
    if (request.is(index, "NOSAVE") && saving !== "always") saving = "never";
    else if (request.is(index, "SAVE") && saving !== "never") saving = "always";
    else if (request.is(index, "FORCE")) isForced = true;
    else if (!request.is(index, "NOW")) return reply.error(SYNTAX);
  }
  if (isAbort) {
    if (hasOthers) return reply.error(SYNTAX);
    // A shutdown waits for nothing here (there are no replicas): it is over before it could be given up.
    return reply.error(NO_SHUTDOWN);
  }
  const busy = server.session.gates.busy;
  // What a script that has given way has done so far must not be saved.
  if (busy !== undefined && saving !== "never") return reply.error(busy);
  if (!server.shutdown.prepare({ saving, isForced })) return reply.error(SHUTDOWN_FAILED);
  // No reply: the closed connection is the answer. What follows in the same read must not be served any more.
  context.suspend({ kind: "shutdown", timeoutAtMs: 0, onTimeout: () => undefined });
  server.host.clock.soon(() => void server.shutdown.finish(0));
}
