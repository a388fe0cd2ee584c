/**
 * Grammar of the stream family of Redis 7.2.
 *
 *  IDs that a server makes from its clock would differ: `*` is drawn for streams whose last ID lies in the far future alone.
 *  Since 7.2 a consumer is made by the attempt to read or claim; here it is made before, on both servers.
 *  Source: the syntax and options of each command as Redis's public command pages give them.
 */
import { compareExactly } from "../compare.ts";
import { compareDumps } from "../compare-dumps.ts";
import { comparePending, compareStreamFacts } from "../compare-streams.ts";
import {
  anyOrder,
  badInteger,
  command,
  type Family,
  fixed,
  key,
  mostly,
  oneOf,
  optional,
  type Piece,
  repeat,
  type ScriptStep,
  script,
  sequence,
  smallInteger,
  textOf,
  word,
} from "../grammar.ts";
import { common, count, element, longText } from "./elements.ts";

const FUTURE_MS = "99999999999999";

const future = textOf("future1", "future2");
const stream = mostly(0.6, future, key());
const group = mostly(0.95, textOf("g1", "g2"), textOf("", "none"));
const consumer = mostly(0.95, textOf("alice", "bob", "carol"), textOf("", "\x00\xff"));
const fields = oneOf(
  sequence(textOf("f", "a"), element),
  sequence(fixed("f"), element, fixed("g"), element),
  repeat(sequence(textOf("f", "g", "h", "1"), element), 1, 4),
);

/** IDs that are there, or were, or are next to some. */
const knownId: Piece = oneOf(
  (random) => [Buffer.from(`${FUTURE_MS}-${random.between(0, 12)}`)],
  (random) => [Buffer.from(`${random.between(1, 30)}-${random.below(3)}`)],
  textOf("0-1", "0-2", "5", "10", "0"),
);
const badId = textOf(
  "",
  "abc",
  "1-",
  "-1",
  "1-1-1",
  "1-a",
  "18446744073709551616-1",
  "1-18446744073709551616",
  "0x1",
  " 1-1",
  "1 ",
);
const anyId = mostly(
  0.9,
  oneOf(knownId, knownId, textOf("0", "0-0", "18446744073709551615-18446744073709551615")),
  badId,
);
/** Above all IDs that are deleted: 7.2 refuses others where 7.0 takes them. */
const settableId = mostly(0.75, fixed(`${FUTURE_MS}-20`), badId);
const from = mostly(0.5, fixed("-"), oneOf(anyId, textOf("(1-1", "(0", "(", `(${FUTURE_MS}-2`, "+", "-")));
const to = mostly(0.5, fixed("+"), oneOf(anyId, textOf("(20-1", "(", `(${FUTURE_MS}-5`, "(0-0", "+", "-", "$")));

const trimming = oneOf(
  sequence(word("MAXLEN"), optional(textOf("=", "=", "~")), oneOf(smallInteger(0, 12), count())),
  sequence(word("MINID"), optional(textOf("=", "=", "~")), anyId),
  sequence(word("MAXLEN"), fixed("~"), smallInteger(0, 12), word("LIMIT"), oneOf(smallInteger(0, 200), count())),
  sequence(word("MINID"), fixed("~"), anyId, word("LIMIT"), smallInteger(0, 9)),
  sequence(word("MAXLEN"), optional(fixed("=")), smallInteger(0, 12), word("LIMIT"), smallInteger(0, 9)),
);

/** An argument list from pieces, for scripts. */
const args = (...pieces: Piece[]): Piece => sequence(...pieces);

/** An entry of a stream in the far future, which is made when it is not there. */
const addToFuture = script(
  "XADD",
  (random) => {
    const steps: ScriptStep[] = [];
    const [name] = future(random);
    const added = random.between(1, 4);
    for (let entry = 0; entry < added; entry++) {
      const id = random.chance(0.8) || entry > 0 ? "*" : `${FUTURE_MS}-*`;
      if (entry === 0)
        steps.push([
          [Buffer.from("XADD"), name!, Buffer.from(`${FUTURE_MS}-1`), Buffer.from("first"), Buffer.from("1")],
        ]);
      const trim = random.chance(0.1) ? trimming(random) : [];
      steps.push([[Buffer.from("XADD"), name!, ...trim, Buffer.from(id), ...fields(random)]]);
    }
    return steps;
  },
  { weight: 3 },
);

/** Entries with rising IDs. */
const addRising = script(
  "XADD",
  (random) => {
    const [name] = key()(random);
    let ms = random.between(1, 25);
    return Array.from({ length: random.between(2, 7) }, () => {
      const sequenceNumber = random.pick(["*", "0", "1", "2"]);
      ms += sequenceNumber === "*" ? random.below(2) : random.between(1, 2);
      return [[Buffer.from("XADD"), name!, Buffer.from(`${ms}-${sequenceNumber}`), ...fields(random)]] as const;
    });
  },
  { weight: 2.5 },
);

/** Stream, group and consumer, and what is done with them after the consumer was made. */
function withConsumer(
  name: string,
  make: (key: Buffer, group: Buffer, consumer: Buffer) => Piece,
  weight: number,
): ReturnType<typeof script> {
  return script(
    name,
    (random) => {
      const [streamName] = stream(random);
      const [groupName] = group(random);
      const [consumerName] = consumer(random);
      const making = ["XGROUP", "CREATECONSUMER"].map((text) => Buffer.from(text));
      return [
        [[...making, streamName!, groupName!, consumerName!]],
        [make(streamName!, groupName!, consumerName!)(random), compareExactly],
      ];
    },
    { weight },
  );
}

const readNew = withConsumer(
  "XREADGROUP",
  (streamName, groupName, consumerName) =>
    args(
      word("XREADGROUP"),
      word("GROUP"),
      fixed(groupName),
      fixed(consumerName),
      anyOrder([sequence(word("COUNT"), smallInteger(1, 5)), word("NOACK")], 0.3),
      optional(sequence(word("BLOCK"), fixed("1")), 0.1),
      word("STREAMS"),
      fixed(streamName),
      fixed(">"),
    ),
  3,
);
const readHistory = withConsumer(
  "XREADGROUP",
  (streamName, groupName, consumerName) =>
    args(
      word("XREADGROUP"),
      word("GROUP"),
      fixed(groupName),
      fixed(consumerName),
      optional(sequence(word("COUNT"), count())),
      word("STREAMS"),
      fixed(streamName),
      mostly(0.8, textOf("0", "0-0"), oneOf(anyId, textOf("$", "+"))),
    ),
  1.5,
);
const idle = textOf("0", "0", "1000000", "-1", "abc");
const claim = withConsumer(
  "XCLAIM",
  (streamName, groupName, consumerName) =>
    args(
      word("XCLAIM"),
      fixed(streamName),
      fixed(groupName),
      fixed(consumerName),
      idle,
      repeat(knownId, 1, 4),
      anyOrder(
        [
          oneOf(
            sequence(word("IDLE"), textOf("0", "2000000000", "abc")),
            sequence(word("TIME"), textOf("1", "4102444800000", "abc")),
          ),
          sequence(word("RETRYCOUNT"), oneOf(smallInteger(0, 9), textOf("-1", "abc"))),
          word("FORCE"),
          word("JUSTID"),
          sequence(word("LASTID"), anyId),
        ],
        0.25,
      ),
    ),
  2,
);
const claimNext = withConsumer(
  "XAUTOCLAIM",
  (streamName, groupName, consumerName) =>
    args(
      word("XAUTOCLAIM"),
      fixed(streamName),
      fixed(groupName),
      fixed(consumerName),
      idle,
      mostly(0.6, textOf("0", "0-0", "-"), oneOf(anyId, textOf("(1-1", "+"))),
      anyOrder([sequence(word("COUNT"), oneOf(smallInteger(1, 5), count())), word("JUSTID")], 0.4),
    ),
  1.5,
);
/** Errors of the commands that make consumers: without a group, with missing words. */
const withoutGroup = [
  command("XREADGROUP", [word("GROUP"), fixed("absent"), consumer, word("STREAMS"), stream, fixed(">")], {
    weight: 0.3,
  }),
  command("XREADGROUP", [word("GROUP"), group, consumer, word("STREAMS"), stream, stream, textOf(">", "0")], {
    weight: 0.2,
    maySpoil: false,
  }),
  command("XREADGROUP", [word("STREAMS"), stream, fixed(">")], { weight: 0.1, maySpoil: false }),
  command("XREADGROUP", [word("GROUP"), fixed("absent"), consumer, word("BAD"), word("STREAMS"), stream, fixed(">")], {
    weight: 0.1,
  }),
  command("XCLAIM", [stream, fixed("absent"), consumer, idle, repeat(oneOf(knownId, badId), 1, 2)], { weight: 0.2 }),
  command("XAUTOCLAIM", [stream, fixed("absent"), consumer, idle, fixed("0"), optional(count())], { weight: 0.2 }),
];

const facts = { compare: compareStreamFacts };
const readOptions = anyOrder([sequence(word("COUNT"), count())], 0.5);

export const streams: Family = {
  name: "streams",
  share: 0.7,
  settings: [
    { both: {} },
    { both: { "stream-node-max-entries": "3" } },
    { both: { "stream-node-max-entries": "1" } },
    { both: { "stream-node-max-entries": "0", "stream-node-max-bytes": "60" } },
    { both: { "stream-node-max-entries": "5", "stream-node-max-bytes": "200" } },
  ],
  forms: [
    addToFuture,
    addRising,
    command("XADD", [key(), anyId, fields], { weight: 1 }),
    command("XADD", [key(), word("NOMKSTREAM"), anyId, fields], { weight: 0.5 }),
    command(
      "XADD",
      [key(), optional(word("NOMKSTREAM")), trimming, oneOf(anyId, textOf("7-*", "20-*", "*-1", "5-")), fields],
      {
        weight: 0.7,
        maySpoil: false,
      },
    ),
    command("XADD", [key(), textOf("1-1", "30-1"), fixed("f"), longText]),
    command("XLEN", [stream]),
    command("XRANGE", [stream, from, to, optional(sequence(word("COUNT"), count()))], { weight: 2 }),
    command("XREVRANGE", [stream, to, from, optional(sequence(word("COUNT"), count()))], { weight: 1.5 }),
    command("XDEL", [stream, repeat(anyId, 1, 4)], { weight: 1.5 }),
    command("XTRIM", [stream, trimming], { weight: 1.2 }),
    command("XSETID", [key(), settableId], { weight: 0.3, maySpoil: false }),
    command(
      "XSETID",
      [
        key(),
        settableId,
        anyOrder(
          [
            sequence(word("ENTRIESADDED"), oneOf(smallInteger(0, 30), badInteger())),
            sequence(word("MAXDELETEDID"), anyId),
          ],
          0.5,
        ),
      ],
      { weight: 0.3, maySpoil: false },
    ),
    command("XREAD", [readOptions, word("STREAMS"), stream, oneOf(anyId, textOf("0", "$"))], { weight: 1.5 }),
    command("XREAD", [
      readOptions,
      word("STREAMS"),
      stream,
      stream,
      oneOf(anyId, fixed("0")),
      oneOf(anyId, fixed("0")),
    ]),
    command("XREAD", [word("BLOCK"), textOf("1", "1", "-1", "abc"), word("STREAMS"), stream, textOf("0", "$", ">")], {
      weight: 0.15,
      maySpoil: false,
    }),
    command(
      "XGROUP CREATE",
      [
        stream,
        group,
        mostly(0.7, textOf("0", "$"), anyId),
        anyOrder(
          [word("MKSTREAM"), sequence(word("ENTRIESREAD"), oneOf(smallInteger(-1, 9), textOf("-2", "abc")))],
          0.3,
        ),
      ],
      { weight: 2.5 },
    ),
    command(
      "XGROUP SETID",
      [
        stream,
        group,
        mostly(0.7, textOf("0", "$"), anyId),
        optional(sequence(word("ENTRIESREAD"), oneOf(smallInteger(-1, 9), textOf("-2", "abc"))), 0.3),
      ],
      { weight: 0.5 },
    ),
    command("XGROUP DESTROY", [stream, group], { weight: 0.2 }),
    command("XGROUP CREATECONSUMER", [stream, group, consumer], { weight: 0.5 }),
    command("XGROUP DELCONSUMER", [stream, group, consumer], { weight: 0.4 }),
    command("XGROUP HELP", [], { weight: 0.05 }),
    command("XGROUP", [textOf("BAD", "CREATE", ""), repeat(stream, 0, 2)], { weight: 0.2 }),
    readNew,
    readHistory,
    claim,
    claimNext,
    ...withoutGroup,
    command("XACK", [stream, group, repeat(anyId, 1, 4)], { weight: 1.5 }),
    command("XPENDING", [stream, group]),
    command(
      "XPENDING",
      [
        stream,
        group,
        optional(sequence(word("IDLE"), textOf("0", "1000000", "abc")), 0.3),
        from,
        to,
        oneOf(smallInteger(0, 9), count()),
        optional(consumer),
      ],
      { weight: 1.5, compare: comparePending },
    ),
    command("XINFO STREAM", [stream], { ...facts, weight: 1.2 }),
    command("XINFO STREAM", [stream, word("FULL"), optional(sequence(word("COUNT"), count()))], facts),
    command("XINFO GROUPS", [stream], facts),
    command("XINFO CONSUMERS", [stream, group], facts),
    command("XINFO HELP", [], { weight: 0.05 }),
    command("XINFO", [textOf("BAD", "STREAM", ""), repeat(stream, 0, 2)], { weight: 0.2 }),
    command("OBJECT ENCODING", [stream], { weight: 0.1 }),
    command("DUMP", [stream], { weight: 0.3, compare: compareDumps }),
    command("COPY", [stream, stream, word("REPLACE")], { weight: 0.15, maySpoil: false }),
    ...common,
  ],
};
