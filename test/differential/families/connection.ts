/**
 * Grammar of the connection commands of Redis 7.2 whose replies depend on the connection alone.
 *
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 *  CLIENT REPLY and protocol errors are in raw-sessions.ts: there the number of replies is part of what is compared.
 */
import { compareShape, compareType } from "../compare.ts";
import {
  command,
  type Family,
  fixed,
  integer,
  key,
  oneOf,
  optional,
  repeat,
  sequence,
  shortText,
  smallInteger,
  textOf,
  value,
  word,
} from "../grammar.ts";

const connectionName = oneOf(
  shortText("ab-", 8),
  textOf("", "with space", "new\nline", "tab\t", "\x7f", "caf\xc3\xa9", "ok~", "!"),
);

const credentials = oneOf(
  sequence(textOf("default", "nobody", ""), textOf("secret", "", "wrong")),
  textOf("secret", ""),
  sequence(fixed("a"), fixed("b"), fixed("c")),
);

export const connection: Family = {
  name: "connection",
  forms: [
    command("PING", [], { weight: 1 }),
    command("PING", [value()]),
    command("PING", [value(), value()], { weight: 0.3 }),
    command("ECHO", [value()], { weight: 1.5 }),
    command("SET", [key(), value()], { weight: 0.5 }),
    command("GET", [key()], { weight: 0.5 }),
    command("SELECT", [oneOf(smallInteger(0, 15), integer(), value())]),
    // A good HELLO names the server and its version: its shape is compared.
    command("HELLO", [], { compare: compareType, maySpoil: false, weight: 0.5 }),
    command("HELLO", [textOf("2", "3")], { compare: compareShape, maySpoil: false }),
    command("HELLO", [textOf("2", "3"), word("SETNAME"), connectionName], { compare: compareShape, maySpoil: false }),
    command("HELLO", [textOf("1", "4", "0", "-1", "abc", "", "3.0", "9223372036854775808")], { maySpoil: false }),
    command(
      "HELLO",
      [
        textOf("2", "3"),
        oneOf(sequence(word("AUTH"), credentials), word("AUTH"), word("SETNAME"), textOf("BAD", "", "AUTHX")),
      ],
      { compare: compareShape, maySpoil: false },
    ),
    command("AUTH", [credentials]),
    command("AUTH", [], { weight: 0.2 }),
    command("RESET", [], { weight: 0.5, maySpoil: false }),
    command("QUIT", [optional(value(), 0.2)], { weight: 0.15, maySpoil: false, isLast: true }),
    command("CLIENT ID", [], { compare: compareShape, weight: 0.5 }),
    command("CLIENT GETNAME", []),
    command("CLIENT SETNAME", [connectionName], { weight: 1.5 }),
    command("CLIENT INFO", [], { compare: compareType, weight: 0.3 }),
    command("CLIENT LIST", [], { compare: compareType, weight: 0.2, maySpoil: false }),
    command("CLIENT LIST", [word("TYPE"), textOf("normal", "master", "replica", "slave", "pubsub", "bad", "")], {
      compare: compareType,
      maySpoil: false,
    }),
    command("CLIENT LIST", [word("ID"), repeat(textOf("0", "-1", "abc", "99999999999", "1 2"), 0, 3)], {
      maySpoil: false,
    }),
    command("CLIENT LIST", [textOf("BAD", "", "ID TYPE")], { weight: 0.3, maySpoil: false }),
    command("CLIENT NO-EVICT", [oneOf(word("ON"), word("OFF"), textOf("", "maybe", "1"))]),
    command("CLIENT KILL", [textOf("1.2.3.4:5", "", "abc", "127.0.0.1:1")], { maySpoil: false }),
    command(
      "CLIENT KILL",
      [
        oneOf(
          sequence(word("ID"), textOf("0", "-5", "abc", "999999999999", "")),
          sequence(word("TYPE"), textOf("bad", "", "master")),
          sequence(word("ADDR"), textOf("1.2.3.4:5", "")),
          sequence(word("LADDR"), textOf("1.2.3.4:5", "")),
          sequence(word("USER"), textOf("nobody", "")),
          sequence(word("ADDR"), fixed("1.2.3.4:5"), word("SKIPME"), textOf("yes", "no", "maybe")),
          sequence(word("BAD"), fixed("1")),
          sequence(word("ID"), fixed("999999999999"), word("ID")),
        ),
      ],
      { weight: 1.5, maySpoil: false },
    ),
    command("CLIENT UNBLOCK", [
      textOf("0", "999999999", "-1", "abc", ""),
      optional(textOf("TIMEOUT", "ERROR", "error", "BAD")),
    ]),
    command(
      "CLIENT PAUSE",
      [textOf("abc", "-1", "", "1.5", "99999999999999999999"), optional(textOf("WRITE", "ALL", "BAD"))],
      { maySpoil: false },
    ),
    command("CLIENT PAUSE", [fixed("0"), textOf("BAD", "")], { weight: 0.3, maySpoil: false }),
    command("CLIENT UNPAUSE", [], { weight: 0.5 }),
    command("CLIENT GETREDIR", [], { weight: 0.3 }),
    command("CLIENT REPLY", [textOf("ON", "on", "BAD", "")], { maySpoil: false }),
    command("CLIENT HELP", [], { compare: compareType, weight: 0.2 }),
    command("CLIENT", [textOf("", "BAD", "x".repeat(200), "\r\n", "\xff"), repeat(value(), 0, 2)], { maySpoil: false }),
  ],
};
