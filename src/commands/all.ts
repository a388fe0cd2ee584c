/** All commands of this folder: adding a family adds one line here. */

import type { CommandTable } from "./command.ts";
import { STRING_COMMANDS } from "./string.ts";
import { STRING_LCS_COMMANDS } from "./string-lcs.ts";
import { STRING_NUMBER_COMMANDS } from "./string-number.ts";
import { STRING_RANGE_COMMANDS } from "./string-range.ts";

/** The union of the families' tables. */
export function dataCommands(): CommandTable {
  return {
    ...STRING_COMMANDS,
    ...STRING_RANGE_COMMANDS,
    ...STRING_NUMBER_COMMANDS,
    ...STRING_LCS_COMMANDS,
  };
}
