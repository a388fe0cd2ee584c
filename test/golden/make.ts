/**
 * Makes the golden files with a real redis-server: for each set-up `<name>.rdb` as the server saved it and `<name>.contents` (JSON)
 * with what the server answered about its contents.
 *
 *      node dist/test/golden/make.js [name ...]        writes to test/golden/ of the current folder; commit the result
 *
 *  `<name>.dumps` (JSON), for some: what DUMP and OBJECT ENCODING answered for each key of database 0.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Directives } from "../support/child-server.ts";
import { collectServer } from "./collect.ts";
import { RealServer } from "./real-server.ts";

const FAR_MS = "4102444800123";

/** Integers at both ends of every width. */
const WIDTHS = [
  "0",
  "127",
  "128",
  "-1",
  "4095",
  "-4096",
  "4096",
  "-4097",
  "32767",
  "-32768",
  "32768",
  "-32769",
  "8388607",
  "-8388608",
  "8388608",
  "-8388609",
  "2147483647",
  "-2147483648",
  "2147483648",
  "-2147483649",
  "9223372036854775807",
  "-9223372036854775808",
];

/** Set-ups: name, directives, commands (text is latin1; a leading comment says what they are for). */
const SETUPS: [string, Directives, string[][]][] = [
  [
    "compact",
    {},
    [
      ["SET", "int8", "-7"],
      ["SET", "int16", "12345"],
      ["SET", "int32", "-2000000000"],
      ["SET", "int64", "9007199254740993"],
      ["SET", "12", "numeric key"],
      ["SET", "not-an-integer", "007"],
      ["SET", "empty", ""],
      ["SET", "", "the key is empty"],
      ["SET", "binary\0\xff\r\n", "\0\x01\xfe\xff"],
      ["SET", "compressed", "abcdefgh".repeat(40)],
      [
        "SET",
        "middle",
        Array.from({ length: 90 }, (_, index) => String.fromCharCode(33 + ((index * 37) % 90))).join(""),
      ],
      ["SET", "expires", "v", "PXAT", FAR_MS],
      [
        "RPUSH",
        "list",
        "a",
        "1",
        "-1",
        "300",
        "-40000",
        "5000000",
        "-3000000000",
        "9223372036854775807",
        "x".repeat(70),
      ],
      ["SADD", "intset16", "1", "-2", "300"],
      ["SADD", "intset32", "1", "70000", "-70000"],
      ["SADD", "intset64", "1", "5000000000", "-9223372036854775808"],
      ["SADD", "hashset", "a", "b", "c", "17"],
      ["HSET", "hash", "f", "v", "n", "12", "17", "f17"],
      ["PEXPIREAT", "hash", FAR_MS],
      ["ZADD", "zset", "1", "one", "2.5", "two", "-inf", "low", "inf", "high", "1e300", "17"],
      ["XADD", "stream", "1-1", "a", "1", "b", "2"],
      ["XADD", "stream", "1-2", "a", "3", "b", "4"],
      ["XADD", "stream", "5-0", "c", "other"],
      ["XADD", "stream", "9-9", "a", "5", "b", "6"],
      ["XDEL", "stream", "1-2"],
      ["XGROUP", "CREATE", "stream", "g1", "0"],
      ["XGROUP", "CREATE", "stream", "g2", "5-0"],
      ["XREADGROUP", "GROUP", "g1", "alice", "COUNT", "1", "STREAMS", "stream", ">"],
      ["XREADGROUP", "GROUP", "g1", "bob", "STREAMS", "stream", ">"],
      ["XGROUP", "CREATECONSUMER", "stream", "g2", "idle"],
      ["XADD", "drained", "3-3", "f", "v"],
      ["XTRIM", "drained", "MAXLEN", "0"],
      ["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"],
      ["SELECT", "3"],
      ["SET", "in-three", "3"],
    ],
  ],
  [
    "spread",
    {
      rdbcompression: "no",
      "hash-max-listpack-entries": "0",
      "zset-max-listpack-entries": "0",
      "set-max-intset-entries": "0",
      "list-max-listpack-size": "2",
      "stream-node-max-entries": "2",
    },
    [
      ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b"],
      ["RPUSH", "list", "a", "b", "c", "1", "2", "p".repeat(150), "d", "q".repeat(101)],
      ["SADD", "set", "1", "2", "x", "y".repeat(65)],
      ["HSET", "hash", "f", "v", "1", "2", "long", "z".repeat(100)],
      ["ZADD", "zset", "0.1", "a", "-1e-300", "b", "inf", "c", "-inf", "d", "3", "4"],
      ["XADD", "stream", "1-0", "f", "1"],
      ["XADD", "stream", "2-0", "f", "2"],
      ["XADD", "stream", "18446744073709551615-3", "g", "3"],
      ["XADD", "stream", "18446744073709551615-18446744073709551615", "g", "4"],
      ["SET", "long", "raw".repeat(30)],
    ],
  ],
  [
    "unsummed",
    { rdbchecksum: "no" },
    [
      ["SET", "k", "v"],
      ["SET", "squeezed", "ab".repeat(30), "PXAT", FAR_MS],
      ["RPUSH", "l", "a", "1", "-500", "70000"],
      ["SADD", "s", "1", "2", "3"],
      ["SADD", "t", "x", "y"],
      ["HSET", "h", "f", "v", "g", "1"],
      ["ZADD", "z", "1.5", "m", "2", "n"],
      ["XADD", "x", "1-1", "f", "1"],
      ["XADD", "x", "1-2", "f", "2"],
      ["XGROUP", "CREATE", "x", "g", "0"],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"],
    ],
  ],
  [
    "unsummed-spread",
    {
      rdbchecksum: "no",
      "hash-max-listpack-entries": "0",
      "zset-max-listpack-entries": "0",
      "list-max-listpack-size": "2",
    },
    [
      ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "20b"],
      ["RPUSH", "l", "a", "b", "c", "p".repeat(30)],
      ["SADD", "s", "x", "yy"],
      ["HSET", "h", "f", "v", "g", "1"],
      ["ZADD", "z", "1.5", "m", "-inf", "n"],
    ],
  ],
  [
    "lru",
    { "maxmemory-policy": "allkeys-lru" },
    [
      ["SET", "k", "v"],
      ["SET", "e", "v", "PXAT", FAR_MS],
    ],
  ],
  [
    "lfu",
    { "maxmemory-policy": "allkeys-lfu" },
    [
      ["SET", "k", "v"],
      ["SET", "e", "v", "PXAT", FAR_MS],
    ],
  ],
  ["nothing", {}, []],
  [
    // Every mark of a listpack and of an intset, HyperLogLogs, and streams that lost entries.
    "wide",
    {},
    [
      ["SET", "text", "some text"],
      ["SET", "number", "-70000"],
      ["SET", "squeezed", "abcd".repeat(50)],
      [
        "RPUSH",
        "list",
        ...WIDTHS,
        "",
        "t".repeat(63),
        "u".repeat(64),
        "v".repeat(4095),
        "w".repeat(4096),
        "\xff\0\r\n",
      ],
      ["HSET", "hash", ...WIDTHS.flatMap((width, index) => [`f${index}`, width]), "1", "", "-5000", "x".repeat(64)],
      [
        "ZADD",
        "zset",
        ...WIDTHS.flatMap((width, index) => [String(index / 2 - 3), width]),
        "-inf",
        "",
        "1e-300",
        "tiny",
      ],
      ["SADD", "intset16", ...WIDTHS.filter((width) => Math.abs(Number(width)) < 32768)],
      ["SADD", "intset32", "1", "-2147483648", "2147483647", "40000"],
      ["SADD", "intset64", ...WIDTHS],
      ["SADD", "texts", "a", "b", "", "\xff\0", "12", "y".repeat(300)],
      ["PFADD", "sparse", "a", "b", "c"],
      ["PFADD", "dense", ...Array.from({ length: 2000 }, (_, index) => `element:${index}`)],
      ["PFCOUNT", "dense"],
      ["XADD", "stream", "1-1", "a", "1", "b", "-70000"],
      ["XADD", "stream", "1-2", "a", "x".repeat(70), "b", ""],
      ["XADD", "stream", "1-3", "other", "fields", "than", "before", "and", "more"],
      ["XADD", "stream", "4-0", "a", "3", "b", "4"],
      ["XADD", "stream", "5-0", "a", "5", "b", "6"],
      ["XDEL", "stream", "1-3", "5-0"],
      ["XGROUP", "CREATE", "stream", "readers", "0"],
      ["XGROUP", "CREATE", "stream", "\xff\0", "$"],
      ["XGROUP", "CREATE", "stream", "counted", "1-1", "ENTRIESREAD", "1"],
      ["XREADGROUP", "GROUP", "readers", "alice", "COUNT", "2", "STREAMS", "stream", ">"],
      ["XREADGROUP", "GROUP", "readers", "bob", "STREAMS", "stream", ">"],
      ["XCLAIM", "stream", "readers", "carol", "0", "1-2", "RETRYCOUNT", "300", "TIME", "1600000000000"],
      ["XDEL", "stream", "1-1"],
      ["XACK", "stream", "readers", "4-0"],
      ["XGROUP", "CREATECONSUMER", "stream", "readers", "idle"],
      ["XGROUP", "CREATE", "empty", "g", "$", "MKSTREAM"],
    ],
  ],
  [
    // What is spread over tables and nodes: compressed and plain nodes of lists, streams of many nodes.
    "nodes",
    {
      "hash-max-listpack-entries": "2",
      "zset-max-listpack-entries": "2",
      "set-max-intset-entries": "2",
      "list-max-listpack-size": "3",
      "list-compress-depth": "1",
      "stream-node-max-entries": "3",
    },
    [
      ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "300b"],
      ["RPUSH", "list", ...Array.from({ length: 20 }, (_, index) => `compressible ${"ab".repeat(30)} ${index}`)],
      ["RPUSH", "plain", "a", "b".repeat(400), "c", "d".repeat(1000), "e", "f", "g", "h", "i"],
      ["LPUSH", "short", "1", "2", "3", "4", "5"],
      ["HSET", "hash", ...Array.from({ length: 300 }, (_, index) => [`f${index}`, String(index * 70_000)]).flat()],
      ["SADD", "set", ...Array.from({ length: 300 }, (_, index) => String(index * 70_000))],
      ["SADD", "texts", ...Array.from({ length: 30 }, (_, index) => "m".repeat(index))],
      ["ZADD", "zset", ...Array.from({ length: 300 }, (_, index) => [String(index / 7), `m${index}`]).flat()],
      ["ZADD", "edges", "-inf", "a", "inf", "b", "-0.0", "c", "4.9e-324", "d", "1.7976931348623157e308", "e"],
      ...Array.from({ length: 12 }, (_, index) => ["XADD", "stream", `${index + 1}-${index}`, "f", String(index)]),
      ["XDEL", "stream", "1-0", "5-4", "12-11"],
      ["XGROUP", "CREATE", "stream", "g", "0"],
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", "7", "STREAMS", "stream", ">"],
      ["PEXPIREAT", "zset", FAR_MS],
    ],
  ],
];

/** Set-ups whose values are dumped as well. */
const DUMPED = ["wide", "nodes"];

async function dumpAll(server: RealServer): Promise<Record<string, { encoding: string; dump: string }>> {
  const dumps: Record<string, { encoding: string; dump: string }> = {};
  await server.command("SELECT", "0");
  for (const name of (await server.command("KEYS", "*")) as Buffer[]) {
    const encoding = String(await server.command("OBJECT", "ENCODING", name));
    dumps[name.toString("latin1")] = {
      encoding,
      dump: ((await server.command("DUMP", name)) as Buffer).toString("hex"),
    };
  }
  return dumps;
}

const chosen = process.argv.slice(2);

for (const [name, directives, commands] of SETUPS) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const server = await RealServer.start(directives);
  try {
    for (const command of commands) {
      const reply = await server.command(...command);
      if (reply !== null && typeof reply === "object" && "text" in reply)
        throw new Error(`${command[0]}: ${reply.text}`);
    }
    writeFileSync(join("test", "golden", `${name}.rdb`), await server.save());
    if (DUMPED.includes(name))
      writeFileSync(
        join("test", "golden", `${name}.dumps`),
        `${JSON.stringify(await dumpAll(server), undefined, 1)}\n`,
      );
    const contents = await collectServer(server, [0, 3]);
    writeFileSync(join("test", "golden", `${name}.contents`), `${JSON.stringify(contents, undefined, 1)}\n`);
  } finally {
    await server.stop();
  }
}
