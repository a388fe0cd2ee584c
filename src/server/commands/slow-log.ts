/** SLOWLOG: the commands that took longest lately. Source: replies of redis-server 7.0. */

import { readInteger } from "../../commands/arguments.ts";
import type { CommandContext, CommandFlag, CommandTable } from "../../commands/command.ts";
import { ReplyError } from "../../protocol/errors.ts";
import type { Server } from "../server.ts";
import { helpEntry } from "./help.ts";

const COUNT_TOO_LOW = new ReplyError("ERR count should be greater than or equal to -1");
const SHOWN_BY_DEFAULT = 10;

const HELP: readonly string[] = [
  "GET [<count>]",
  "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
  "    Entries are made of:",
  "    id, timestamp, time in microseconds, arguments array, client IP and port,",
  "    client name",
  "LEN",
  "    Return the length of the slowlog.",
  "RESET",
  "    Reset the slowlog.",
];

export function slowLogCommands(server: Server): CommandTable {
  const flags: readonly CommandFlag[] = ["admin", "loading", "stale"];
  const entry = { flags, acl: [], group: "server", since: "2.2.12", complexity: "O(1)" } as const;
  return {
    SLOWLOG: {
      ...entry,
      arity: -2,
      flags: [],
      complexity: "Depends on subcommand.",
      summary: "Tells of the commands that took longest lately.",
      subcommands: {
        GET: {
          ...entry,
          arity: -2,
          complexity: "O(N) where N is the number of entries returned",
          summary: "Returns the newest entries of the slow log.",
          arguments: "[count]",
          tips: ["request_policy:all_nodes", "nondeterministic_output"],
          history: [["4.0.0", "Entries name the client: its address and its name."]],
          run: (context) => get(server, context),
        },
        HELP: helpEntry("SLOWLOG", "6.2.0", HELP),
        LEN: {
          ...entry,
          arity: 2,
          summary: "Returns how many entries the slow log has.",
          tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
          run: ({ reply }) => reply.integer(server.slowLog.entries.length),
        },
        RESET: {
          ...entry,
          arity: 2,
          complexity: "O(N) where N is the number of entries in the slowlog",
          summary: "Empties the slow log.",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: ({ reply }) => {
            server.slowLog.reset();
            reply.ok();
          },
        },
      },
    },
  };
}

/** SLOWLOG GET [count]: -1 for all of them. */
function get(server: Server, context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 3) {
    const word = request.text(1);
    return reply.errorText(`ERR unknown subcommand or wrong number of arguments for '${word}'. Try SLOWLOG HELP.`);
  }
  const { entries } = server.slowLog;
  let count = SHOWN_BY_DEFAULT;
  if (request.count === 3) {
    count = readInteger(context, 2, COUNT_TOO_LOW);
    if (Number.isNaN(count)) return;
    if (count < -1) return reply.error(COUNT_TOO_LOW);
    if (count === -1) count = entries.length;
  }
  const shown = entries.slice(0, count);
  reply.array(shown.length);
  for (const { id, atSeconds, microseconds, words, address, clientName } of shown) {
    reply.array(6);
    reply.integer(id);
    reply.integer(atSeconds);
    reply.integer(microseconds);
    reply.array(words.length);
    for (const word of words) reply.bulkText(word);
    reply.bulkText(address);
    reply.bulkText(clientName);
  }
}
