/** All commands of this folder: adding a family adds one line here. */

import type { CommandTable } from "./command.ts";
import { STRING_COMMANDS } from "./string.ts";

/** The union of the families' tables. */
export function dataCommands(): CommandTable {
  return {
    ...STRING_COMMANDS,
  };
}
