/** INFO, TIME, ROLE. */

import type { CommandContext, CommandTable } from "../../commands/command.ts";
import { infoText } from "../info/info.ts";
import type { Server } from "../server.ts";

export function aboutServerCommands(server: Server): CommandTable {
  return {
    INFO: {
      arity: -1,
      flags: ["loading", "stale"],
      acl: ["dangerous"],
      since: "1.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Returns the state of the server and its statistics, as text in sections.",
      arguments: "[section [section ...]]",
      tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
      history: [["7.0.0", "Takes several sections."]],
      run: (context) => info(server, context),
    },
    TIME: {
      arity: 1,
      flags: ["loading", "stale", "fast"],
      acl: [],
      since: "2.6.0",
      group: "server",
      complexity: "O(1)",
      summary: "Returns the server's time: seconds since 1970 and the microseconds of the second.",
      tips: ["nondeterministic_output"],
      run: (context) => time(server, context),
    },
    ROLE: {
      arity: 1,
      flags: ["noscript", "loading", "stale", "fast"],
      acl: ["admin", "dangerous"],
      since: "2.8.12",
      group: "server",
      complexity: "O(1)",
      summary: "Returns the part that this server plays in replication.",
      run: role,
    },
  };
}

/** INFO [section ...] */
function info(server: Server, { request, reply }: CommandContext): void {
  const names: string[] = [];
  for (let argument = 1; argument < request.count; argument++) names.push(request.text(argument).toLowerCase());
  reply.verbatim(infoText(server, names), "txt");
}

/** TIME */
function time(server: Server, { reply }: CommandContext): void {
  const nowUs = server.wallClock.nowUs();
  const seconds = Math.floor(nowUs / 1e6);
  reply.array(2);
  reply.bulkText(String(seconds));
  reply.bulkText(String(nowUs - seconds * 1e6));
}

/** ROLE: a primary, its offset, its replicas. */
function role({ reply }: CommandContext): void {
  reply.array(3);
  reply.bulkText("master");
  reply.integer(0);
  reply.array(0);
}
