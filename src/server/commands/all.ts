/** All commands of this folder over one server, but SHUTDOWN, which the server adds itself. */

import type { CommandTable } from "../../commands/command.ts";
import type { Server } from "../server.ts";
import { commandCommands } from "./command.ts";
import { debugCommands } from "./debug.ts";
import { latencyCommands } from "./latency.ts";
import { lolwutCommands } from "./lolwut.ts";
import { memoryCommands } from "./memory.ts";
import { aboutServerCommands } from "./server.ts";
import { slowLogCommands } from "./slow-log.ts";

/** The union of the families' tables. */
export function serverCommands(server: Server): CommandTable {
  return {
    ...aboutServerCommands(server),
    ...commandCommands(() => server.commands),
    ...debugCommands(server),
    ...latencyCommands(server),
    ...lolwutCommands(server),
    ...memoryCommands(server),
    ...slowLogCommands(server),
  };
}
