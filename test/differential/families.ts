/**
 * The families of commands that are compared. A new family is one grammar file and one line here.
 */
import { connection } from "./families/connection.ts";
import { keys } from "./families/keys.ts";
import { server } from "./families/server.ts";
import { strings } from "./families/strings.ts";
import type { Family } from "./grammar.ts";

export const families: readonly Family[] = [strings, keys, connection, server];
