/** Which arguments of a request nobody else may see: passwords. Source: what redis-server 7.0 hides from MONITOR and SLOWLOG. */

import type { Request } from "../protocol/request.ts";
import type { Command } from "./command-index.ts";

export const REDACTED = "(redacted)";

/** Whether argument `argument` of a call of `command` is a password or says whose it is. */
export function isSecret(command: Command, request: Request, argument: number): boolean {
  if (argument === 0) return false;
  if (command.name === "AUTH") return true;
  // Rules hold passwords, and the name says whose they are.
  if (command.name === "ACL|SETUSER") return argument > 1;
  if (command.name !== "HELLO") return false;
  for (let index = 2; index < argument; index++) {
    if (request.is(index, "AUTH")) return argument <= index + 2;
  }
  return false;
}
