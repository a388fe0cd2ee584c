/** Which arguments of a request nobody else may see: passwords. Source: what redis-server 7.0 hides from MONITOR. */

import type { Request } from "../protocol/request.ts";
import type { Command } from "./command-index.ts";

export const REDACTED = "(redacted)";

/** Whether argument `argument` of a call of `command` is a password or says whose it is. */
export function isSecret(command: Command, request: Request, argument: number): boolean {
  if (argument === 0) return false;
  if (command.name === "AUTH") return true;
  if (command.name !== "HELLO") return false;
  for (let index = 2; index < argument; index++) {
    if (request.is(index, "AUTH")) return argument <= index + 2;
  }
  return false;
}
