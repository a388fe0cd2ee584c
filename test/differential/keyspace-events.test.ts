/**
 * Keyspace events: which commands tell what, in which order and on which channels, as with the real server.
 *
 *  I1  After each command the listener is asked for all it has heard so far: events belong to the command that told them.
 *  I2  Active expiry is off, and a key that is over is made with PXAT 1: who finds it is decided by the test.
 */
import { playStories, type Stage, type Stories } from "./stage.ts";

/** carol listens to everything of the classes in `letters`; alice's commands and what carol hears of each. */
async function overheard(stage: Stage, letters: string, lines: readonly string[]): Promise<void> {
  const { boss, alice, carol } = stage;
  await boss.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0);
  await boss.ask("CONFIG", "SET", "notify-keyspace-events", letters);
  await stage.order(carol, "PSUBSCRIBE __key*");
  for (const line of lines) {
    stage.told.push(line);
    await alice.call(...line.split(" "));
    await stage.hear(carol);
  }
  await stage.order(carol, "PUNSUBSCRIBE");
}

const STRINGS = [
  "SET k 1",
  "SET k 2 EX 100",
  "SET k 2 KEEPTTL",
  "SET k 2 NX",
  "SET k 3 XX GET",
  "SET new 3 GET",
  "SETNX k 2",
  "SETNX new2 2",
  "SETEX k 100 v",
  "PSETEX k 100000 v",
  "GETSET k 1",
  "MSET k 1 m 2 m 3",
  "MSETNX k 1 z 2",
  "MSETNX y 1 z 2 z 3",
  "APPEND k 1",
  "APPEND fresh 1",
  "APPEND fresh ",
  "SETRANGE k 0 1",
  "SETRANGE k 0 ",
  "SETRANGE fresh2 3 a",
  "INCR k",
  "DECRBY k 6",
  "INCRBY k 9223372036854775807",
  "INCRBYFLOAT k 1.5",
  "INCR k",
  "GETDEL k",
  "GETDEL k",
  "GETEX m",
  "GETEX m EX 100",
  "GETEX m PERSIST",
  "GETEX m PERSIST",
  "GETEX m PXAT 1",
  "SETBIT b 1 1",
  "SETBIT b 1 1",
  "BITOP AND d b b",
  "BITOP AND d none none",
  "BITFIELD b SET u8 0 1 INCRBY u8 0 1",
  "BITFIELD b GET u8 0",
];

const KEYS = [
  "SET a 1",
  "EXPIRE a 100",
  "EXPIRE a 100 NX",
  "PERSIST a",
  "PERSIST a",
  "PEXPIREAT a 1",
  "EXPIRE a 10",
  "SET a 1",
  "RENAME a b",
  "RENAME b b",
  "RENAME none b",
  "SET y 1",
  "RENAMENX b y",
  "RENAMENX b c",
  "COPY c d",
  "COPY c d",
  "COPY c d REPLACE",
  "COPY c d DB 3",
  "MOVE c 3",
  "MOVE c 3",
  "DEL d y none",
  "SET x 1",
  "UNLINK x none",
  "SET r 1",
  "SORT none STORE r",
  "SORT none STORE r",
  "SET s 1",
  "SWAPDB 0 1",
  "SWAPDB 0 1",
  "FLUSHDB",
  "FLUSHALL",
];

const OVER = [
  "GET x",
  "SET x 2",
  "EXISTS x",
  "DEL x",
  "INCR x",
  "RENAME a x",
  "COPY a x",
  "PERSIST x",
  "TTL x",
  "KEYS *",
];

const stories: Stories = {
  "strings tell what Redis tells": (stage) => overheard(stage, "KEA", STRINGS),
  "keys of any type tell what Redis tells": (stage) => overheard(stage, "KEA", KEYS),
  "new keys and missing ones are told where that is asked for": async (stage) => {
    await overheard(stage, "KEAnm", [...STRINGS, ...KEYS]);
    const reading = [
      "GET n",
      "MGET n k",
      "STRLEN n",
      "GETRANGE n 0 1",
      "TTL n",
      "TYPE n",
      "EXISTS n k",
      "TOUCH n",
      "DUMP n",
    ];
    await overheard(stage, "KEm", [
      ...reading,
      "OBJECT ENCODING n",
      "COPY n k",
      "SORT n",
      "LCS n k",
      "GETBIT n 1",
      "BITCOUNT n",
    ]);
  },
  "a key that is over is told by whoever finds it": async (stage) => {
    const lines = OVER.flatMap((line) => ["SET a 1", "SET x 1 PXAT 1", line]);
    await overheard(stage, "KEAnm", lines);
  },
  "letters choose places and classes": async (stage) => {
    for (const letters of ["K$", "E$", "Kg", "Eg", "KEx", "KE", "A", "Kn", "El"]) {
      await overheard(stage, letters, ["SET k 1", "SET k 1 EX 100", "DEL k", "SET x 1 PXAT 1", "GET x"]);
      await stage.say(stage.boss, "CONFIG", "GET", "notify-keyspace-events");
    }
  },
  "what a transaction does is told in its order": (stage) =>
    overheard(stage, "KEA", [
      "MULTI",
      "SET k 1",
      "INCR k",
      "RENAME k l",
      "DEL l",
      "EXEC",
      "MULTI",
      "SET k 1",
      "DISCARD",
    ]),
  "collections tell of elements, and of the key that goes with the last": (stage) =>
    overheard(stage, "KEA", [
      "RPUSH l a b c",
      "LPOP l",
      "RPOPLPUSH l l2",
      "LPOP l",
      "HSET h f v",
      "HINCRBY h n 1",
      "HDEL h f n",
      "SADD s a b",
      "SMOVE s s2 a",
      "SPOP s",
      "ZADD z 1 a 2 b",
      "ZADD z 1 a",
      "ZINCRBY z 1 a",
      "ZREM z a b",
    ]),
  "streams tell of entries that come and go": (stage) =>
    overheard(stage, "KEA", ["XADD x 1-1 f v", "XADD x MAXLEN 1 2-1 f v", "XDEL x 2-1"]),
  "eviction tells of what it takes": async (stage) => {
    const { boss, alice, carol } = stage;
    await boss.ask("CONFIG", "SET", "notify-keyspace-events", "Ee");
    await boss.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
    await boss.ask("SET", "k", "1");
    await stage.order(carol, "PSUBSCRIBE __key*");
    await stage.say(alice, "WATCH", "k");
    // Nothing fits into one byte: the only key goes as soon as a command looks.
    await boss.ask("CONFIG", "SET", "maxmemory", "1");
    await alice.call("PING");
    await stage.hear(carol);
    await boss.ask("CONFIG", "SET", "maxmemory", "0");
    for (const line of ["MULTI", "EXEC", "EXISTS k"]) await stage.say(alice, ...line.split(" "));
    await boss.ask("CONFIG", "SET", "maxmemory-policy", "noeviction");
  },
};

playStories("keyspace events are those of the real server", stories);
