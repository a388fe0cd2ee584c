/**
 * Grammar of the list family of Redis 7.2, blocking commands among it: those come to an end at once or after a millisecond.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import { compareDumps } from "../compare-dumps.ts";
import {
  anyOrder,
  command,
  type Family,
  key,
  oneOf,
  optional,
  repeat,
  sequence,
  smallInteger,
  textOf,
  word,
} from "../grammar.ts";
import { badTimeout, common, count, element, index, numberedKeys, shortTimeout } from "./elements.ts";

const side = oneOf(word("LEFT"), word("RIGHT"), word("LEFT"), word("RIGHT"), textOf("LEFT", "MIDDLE", ""));
const place = oneOf(word("BEFORE"), word("AFTER"), word("BEFORE"), textOf("after", "BETWEEN"));
const timeout = oneOf(shortTimeout(), badTimeout());
const blocking = { weight: 0.15, maySpoil: false };

const positionOptions = anyOrder([
  sequence(word("RANK"), oneOf(smallInteger(-3, 3), count())),
  sequence(word("COUNT"), oneOf(smallInteger(0, 4), count())),
  sequence(word("MAXLEN"), oneOf(smallInteger(0, 6), count())),
]);

export const lists: Family = {
  name: "lists",
  share: 0.7,
  settings: [
    { both: {} },
    { both: { "list-max-listpack-size": "4" } },
    { both: { "list-max-listpack-size": "3", "list-compress-depth": "1" } },
    { both: { "list-max-listpack-size": "1", "list-compress-depth": "2" } },
    { both: { "list-max-listpack-size": "-1", "list-compress-depth": "1" } },
    { both: { "list-max-listpack-size": "128" } },
  ],
  forms: [
    command("LPUSH", [key(), repeat(element, 1, 5)], { weight: 3 }),
    command("RPUSH", [key(), repeat(element, 1, 5)], { weight: 4 }),
    command("RPUSH", [key(), repeat(element, 10, 40)], { weight: 0.7 }),
    command("LPUSHX", [key(), repeat(element, 1, 3)], { weight: 0.7 }),
    command("RPUSHX", [key(), repeat(element, 1, 3)], { weight: 0.7 }),
    command("LPOP", [key()]),
    command("RPOP", [key()]),
    command("LPOP", [key(), count()]),
    command("RPOP", [key(), count()]),
    command("LLEN", [key()]),
    command("LINDEX", [key(), index()], { weight: 1.5 }),
    command("LRANGE", [key(), index(), index()], { weight: 2 }),
    command("LINSERT", [key(), place, element, element], { weight: 2 }),
    command("LSET", [key(), index(), element], { weight: 1.5 }),
    command("LREM", [key(), count(), element], { weight: 1.5 }),
    command("LTRIM", [key(), index(), index()], { weight: 0.7 }),
    command("LTRIM", [key(), smallInteger(0, 2), smallInteger(-3, -1)], { weight: 0.7 }),
    command("LPOS", [key(), element]),
    command("LPOS", [key(), element, positionOptions], { weight: 2 }),
    command("LMOVE", [key(), key(), side, side], { weight: 1.5 }),
    command("RPOPLPUSH", [key(), key()]),
    command("LMPOP", [numberedKeys(key()), side, optional(sequence(word("COUNT"), count()))]),
    command("LMPOP", [numberedKeys(key()), side, anyOrder([sequence(word("COUNT"), count()), word("BAD")], 0.6)], {
      weight: 0.3,
    }),
    command("BLPOP", [repeat(key(), 1, 3), timeout], blocking),
    command("BRPOP", [repeat(key(), 1, 3), timeout], blocking),
    command("BLMOVE", [key(), key(), side, side, timeout], blocking),
    command("BRPOPLPUSH", [key(), key(), timeout], blocking),
    command("BLMPOP", [timeout, numberedKeys(key()), side, optional(sequence(word("COUNT"), count()))], blocking),
    command("DUMP", [key()], { weight: 0.3, compare: compareDumps }),
    ...common,
  ],
};
