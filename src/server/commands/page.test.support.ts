/** The command table of a whole server that listens nowhere: every command that there is. */

import type { CommandTable } from "../../commands/command.ts";
import { Config } from "../config/config.ts";
import { nodeHost } from "../host/node-host.ts";
import { Log } from "../log.ts";
import { Server } from "../server.ts";

/** Composes a server without starting it, and takes its table. */
export function wholeCommandTable(): CommandTable {
  const host = nodeHost();
  const config = new Config({ workingDirectory: "/" });
  const log = new Log(host.clock, host.disk, host.processId, () => undefined);
  const server = new Server({ host, config, log, configFile: undefined });
  return Object.fromEntries(server.commands.commands.map((command) => [command.name, command.spec]));
}
