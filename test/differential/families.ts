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

/** Families of commands that Everkey does not have yet: they run with EVERKEY_DIFF_COMING=1. */
const coming: readonly Family[] = [lists, hashes, sets, sortedSets, streams, hyperloglog, geo, sorting, transactions];

export const families: readonly Family[] = [
  strings,
  keys,
  connection,
  server,
  bitmaps,
  ...(process.env.EVERKEY_DIFF_COMING === undefined ? [] : coming),
];
