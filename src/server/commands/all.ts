/** All commands of this folder over one server, but SHUTDOWN, which the server adds itself. */

import type { CommandTable } from "../../commands/command.ts";
import type { Server } from "../server.ts";
import { commandCommands } from "./command.ts";
import { debugCommands } from "./debug.ts";
import { aboutServerCommands } from "./server.ts";

/** The union of the families' tables. */
export function serverCommands(server: Server): CommandTable {
  return {
    ...aboutServerCommands(server),
    ...commandCommands(() => server.commands),
    ...debugCommands(server),
  };
}
