/**
 * The families of commands that are compared. A new family is one grammar file and one line here.
 */
import { bitmaps } from "./families/bitmaps.ts";
import { connection } from "./families/connection.ts";
import { geo } from "./families/geo.ts";
import { hashes } from "./families/hashes.ts";
import { hyperloglog } from "./families/hyperloglog.ts";
import { keys } from "./families/keys.ts";
import { lists } from "./families/lists.ts";
import { server } from "./families/server.ts";
import { sets } from "./families/sets.ts";
import { sortedSets } from "./families/sorted-sets.ts";
import { sorting } from "./families/sorting.ts";
import { streams } from "./families/streams.ts";
import { strings } from "./families/strings.ts";
import { transactions } from "./families/transactions.ts";
import type { Family } from "./grammar.ts";

export const families: readonly Family[] = [
  strings,
  keys,
  connection,
  server,
  lists,
  hashes,
  sets,
  sortedSets,
  streams,
  bitmaps,
  hyperloglog,
  geo,
  sorting,
  transactions,
];
